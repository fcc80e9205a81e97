"""Zendesk's Help Center against its stand-in: changes, edges of a page, archived articles, its own limit, its absence."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from connectors.contract import KnowledgeBase, Page
from connectors.errors import AuthError
from connectors.http import Policy
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import NOW, Clock, account, stamp
from connectors.zendesk import articles as help_center
from connectors.zendesk.account import open_session
from connectors.zendesk.source import ZendeskSource


def article(number: int, minutes: int = 0, **fields: Any) -> dict[str, Any]:
    at = stamp(NOW - timedelta(days=30) + timedelta(minutes=minutes))
    return {
        "id": number,
        "title": f"Article {number}",
        "body": f"<p>Text {number}</p>",
        "locale": "en-us",
        "source_locale": "en-us",
        "section_id": 601,
        "user_segment_id": None,
        "author_id": 21,
        "draft": False,
        "vote_sum": 0,
        "vote_count": 0,
        "label_names": ["made_up"],
        "created_at": at,
        "updated_at": at,
        "edited_at": at,
        **fields,
    }


def knowledge(articles: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        **account(1),
        "articles": articles,
        "article_sections": [{"id": 601, "name": "Printers", "category_id": 701}],
        "article_categories": [{"id": 701, "name": "Hardware"}],
        "user_segments": [{"id": 801, "user_type": "staff", "name": "Agents"}],
        **more,
    }


@contextmanager
def running(
    data: dict[str, Any], clock: Clock, **options: Any
) -> Iterator[tuple[ZendeskStandin, ZendeskSource]]:
    standin = ZendeskStandin(data, now=clock, **{"calls_per_minute": 100_000, **options})
    moved = [0.0]

    def sleep(seconds: float) -> None:
        moved[0] += seconds

    with standin as zendesk:
        session = open_session(
            zendesk.base_url,
            zendesk.email,
            zendesk.token,
            label="client acme, source zendesk",
            policy=Policy(tries=2),
            clock=lambda: moved[0],
            sleep=sleep,
            wall_clock=clock,
        )
        with session:
            yield (
                zendesk,
                ZendeskSource(
                    base_url=zendesk.base_url, email="", token="", session=session, now=clock
                ),
            )


def pulled(source: ZendeskSource, cursor: Any, stream: str = "articles") -> list[Page]:
    """All pages from a cursor that went through JSON, as the warehouse keeps it."""
    pages = list(source.pull(stream, json.loads(json.dumps(cursor))))
    assert pages[-1].complete
    assert not any(page.complete for page in pages[:-1])
    return pages


def ids(pages: list[Page]) -> list[str]:
    return [record.remote_id for page in pages for record in page.records]


def test_source_is_a_knowledge_base_whose_articles_come_behind_what_they_refer_to() -> None:
    with running(knowledge([article(1)]), Clock()) as (_, source):
        assert isinstance(source, KnowledgeBase)
        assert source.article_streams[-1] == "articles"
        assert [one for one in source.streams if one in source.article_streams] == list(
            source.article_streams
        )


def test_first_pull_when_there_are_several_languages_and_files_then_each_article_brings_them() -> (
    None
):
    german = {"id": 5, "locale": "de", "title": "Drucker", "body": "<p>Text</p>", "draft": True}
    data = knowledge(
        [article(501), article(502, 1)],
        article_translations={501: [german]},
        article_attachments={502: [{"id": 9, "file_name": "map.png", "size": 3}]},
    )
    with running(data, Clock()) as (_, source):
        pages = pulled(source, None)
        first, second = (json.loads(r.payload) for page in pages for r in page.records)
    assert [one["locale"] for one in first["translations"]] == ["en-us", "de"]
    assert first["attachments"] == []
    assert second["attachments"] == [{"id": 9, "file_name": "map.png", "size": 3}]


def test_pull_when_nothing_changed_then_costs_one_call_and_brings_nothing() -> None:
    clock = Clock()
    with running(knowledge([article(n, n) for n in range(1, 8)]), clock) as (zendesk, source):
        cursor = pulled(source, None)[-1].cursor
        before = sum(zendesk.calls.values())
        zendesk.help_center.vote(3)
        clock.move(600)
        pages = pulled(source, cursor)
        assert ids(pages) == []
        assert sum(zendesk.calls.values()) - before == 1


def test_pull_when_some_changed_then_calls_go_with_those_alone() -> None:
    clock = Clock()
    with running(knowledge([article(n, n) for n in range(1, 40)]), clock) as (zendesk, source):
        cursor = pulled(source, None)[-1].cursor
        zendesk.help_center.edit(3, title="New")
        zendesk.help_center.edit(17, user_segment_id=801)
        before = sum(zendesk.calls.values())
        pages = pulled(source, cursor)
        assert sorted(ids(pages)) == ["17", "3"]
        # Two pages of the export (the second repeats the edge), and two calls for each changed article.
        assert sum(zendesk.calls.values()) - before == 2 + 2 * 2


def test_export_when_pages_are_small_and_share_seconds_then_every_article_comes_once() -> None:
    data = knowledge([article(n, n // 3) for n in range(1, 31)])
    with running(data, Clock()) as (zendesk, source):
        zendesk.help_center.page_rows = 5
        found = ids(pulled(source, None))
        assert sorted(found, key=int) == [str(n) for n in range(1, 31)]


def test_export_when_a_second_holds_more_than_a_page_then_the_whole_list_is_walked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(help_center, "EXPORT_ROWS", 10)
    data = knowledge([*(article(n, 5) for n in range(1, 26)), article(90, 6)])
    clock = Clock()
    with running(data, clock) as (zendesk, source):
        zendesk.help_center.page_rows = 10
        pages = pulled(source, None)
        assert sorted(ids(pages), key=int) == [*(str(n) for n in range(1, 26)), "90"]
        zendesk.help_center.edit(90, title="Later")
        assert ids(pulled(source, pages[-1].cursor)) == ["90"]


def test_archived_article_when_the_whole_list_is_due_then_is_a_tombstone_once() -> None:
    clock = Clock()
    with running(knowledge([article(n, n) for n in range(1, 251)]), clock) as (zendesk, source):
        cursor = pulled(source, None)[-1].cursor
        zendesk.help_center.archive(7)
        zendesk.help_center.archive(250)
        assert ids(pulled(source, cursor)) == []
        clock.move(help_center.SWEEP_EVERY.total_seconds())
        pages = pulled(source, cursor)
        gone = [record for page in pages for record in page.records]
        assert [(one.remote_id, one.is_tombstone) for one in gone] == [("7", True), ("250", True)]
        assert ids(pulled(source, pages[-1].cursor)) == []


def test_article_that_only_a_proxy_dropped_from_the_list_then_stays() -> None:
    clock = Clock()
    with running(knowledge([article(n, n) for n in range(1, 4)]), clock) as (zendesk, source):
        cursor = pulled(source, None)[-1].cursor
        clock.move(help_center.SWEEP_EVERY.total_seconds())
        kept = {"articles": [], "meta": {"has_more": False}}
        zendesk.faults.add("help_center_articles", "status", status=200, body=kept)
        assert ids(pulled(source, cursor)) == []


def test_walk_when_cut_after_any_page_then_ends_with_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(help_center, "ARTICLES_PER_PAGE", 4)
    clock = Clock()
    with running(knowledge([article(n, n) for n in range(1, 21)]), clock) as (zendesk, source):
        zendesk.help_center.page_rows = 10
        whole = pulled(source, None)
        assert len(whole) > 4
        for cut in range(len(whole) - 1):
            rest = pulled(source, whole[cut].cursor)
            assert sorted(ids(whole[: cut + 1]) + ids(rest), key=int) == sorted(ids(whole), key=int)
        # The same for a walk of the whole list.
        clock.move(help_center.SWEEP_EVERY.total_seconds())
        zendesk.help_center.archive(5)
        fresh = {**whole[-1].cursor, "known": {"5": "x"}}
        swept = pulled(source, fresh)
        assert len(swept) > 4
        for cut in range(len(swept) - 1):
            rest = pulled(source, swept[cut].cursor)
            assert sorted(ids(swept[: cut + 1]) + ids(rest), key=int) == sorted(ids(swept), key=int)


def test_translation_that_moves_no_time_then_comes_with_the_next_day() -> None:
    clock = Clock()
    with running(knowledge([article(n, n) for n in range(1, 131)]), clock) as (zendesk, source):
        cursor = pulled(source, None)[-1].cursor
        zendesk.help_center.translations[77] = [{"id": 1, "locale": "tr", "title": "Yazıcı"}]
        clock.move(help_center.SWEEP_EVERY.total_seconds())
        cursor = pulled(source, cursor)[-1].cursor
        clock.move(help_center.AGAIN_EVERY.total_seconds())
        pages = pulled(source, cursor)
        assert len(ids(pages)) == 130
        (body,) = (json.loads(r.payload) for p in pages for r in p.records if r.remote_id == "77")
        assert [one["locale"] for one in body["translations"]] == ["en-us", "tr"]
        clock.move(help_center.SWEEP_EVERY.total_seconds())
        assert ids(pulled(source, pages[-1].cursor)) == []


def test_reference_lists_when_pulled_again_within_the_hour_then_cost_nothing() -> None:
    clock = Clock()
    with running(knowledge([article(1)]), clock) as (zendesk, source):
        for stream, count in (
            ("article_sections", 1),
            ("article_categories", 1),
            ("user_segments", 1),
        ):
            pages = pulled(source, None, stream)
            assert len(ids(pages)) == count
            before = sum(zendesk.calls.values())
            assert pulled(source, pages[-1].cursor, stream)[0].records == []
            assert sum(zendesk.calls.values()) == before
            later = Clock(clock.at + help_center.EVERY)
            source._help_center._now = later
            assert len(ids(pulled(source, pages[-1].cursor, stream))) == count
            source._help_center._now = clock


def test_list_that_knows_page_numbers_only_then_is_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(help_center, "LIST_ROWS", 100)
    sections = [{"id": n, "name": f"Section {n}", "category_id": 701} for n in range(1, 251)]
    with running(knowledge([article(1)], article_sections=sections), Clock()) as (zendesk, source):
        listing = zendesk.help_center._listing

        def without_cursors(key: str, rows: Any, request: Any) -> Any:
            query = {name: v for name, v in request.query.items() if not name.startswith("page[")}
            plain = type(request)(
                request.method,
                request.path,
                {"per_page": ["100"], **query},
                request.headers,
                b"",
                {},
            )
            return listing(key, rows, plain)

        zendesk.help_center._listing = without_cursors
        assert len(set(ids(pulled(source, None, "article_sections")))) == 250


def test_account_without_a_help_center_then_streams_are_empty_and_are_asked_for_hourly() -> None:
    clock = Clock()
    with running(account(1), clock) as (zendesk, source):
        for stream in help_center.STREAMS:
            (page,) = pulled(source, None, stream)
            assert page.records == []
            before = sum(zendesk.calls.values())
            (again,) = pulled(source, page.cursor, stream)
            assert (again.records, again.calls) == ([], 0)
            assert sum(zendesk.calls.values()) == before
        cursor = page.cursor
        zendesk.help_center.is_there = True
        zendesk.help_center.articles[1] = article(1)
        clock.move(help_center.EVERY.total_seconds())
        assert ids(pulled(source, cursor)) == ["1"]


def test_wrong_token_then_is_an_error_and_no_empty_help_center() -> None:
    with running(knowledge([article(1)]), Clock()) as (zendesk, source):
        zendesk.token = "another"
        with pytest.raises(AuthError):
            list(source.pull("articles", None))


def test_help_center_has_a_limit_of_its_own() -> None:
    data = knowledge([article(n, n) for n in range(1, 4)])
    with (
        ZendeskStandin(data, calls_per_minute=6, time_scale=600) as zendesk,
        open_session(
            zendesk.base_url,
            zendesk.email,
            zendesk.token,
            clock=lambda: time.monotonic() * 600,
            sleep=lambda seconds: time.sleep(seconds / 600),
        ) as session,
    ):
        source = ZendeskSource(base_url=zendesk.base_url, email="", token="", session=session)
        assert ids(pulled(source, None)) == ["1", "2", "3"]
        asked = [path for _, _, path, _ in zendesk.recent]
        assert len(asked) > 6, "more than a minute's calls, so that it had to wait"
        assert all("/help_center/" in path for path in asked)
        assert zendesk._account_limit.take().remaining == 5


def test_article_that_cannot_be_understood_then_comes_all_the_same() -> None:
    with running(knowledge([article(1)]), Clock()) as (zendesk, source):
        body = {"articles": ["nonsense", {"title": "no id"}], "end_time": None, "next_page": None}
        zendesk.faults.add("help_center_articles_export", "status", status=200, body=body)
        found = ids(pulled(source, None))
        assert len(found) == 2
        assert all(one.startswith("unreadable-") for one in found)
