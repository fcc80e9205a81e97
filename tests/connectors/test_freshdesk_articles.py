"""Freshdesk's solutions against its stand-in: the tree, what changed, languages, what went away, a plan without them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.contract import KnowledgeBase, Page
from connectors.errors import AuthError
from connectors.freshdesk import articles as solutions
from connectors.freshdesk.source import FreshdeskSource
from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.standins.zendesk_sample import Clock

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)


def article(number: int, folder: int = 60, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "folder_id": folder,
        "category_id": 70,
        "title": f"Article {number}",
        "description": f"<p>Text {number}</p>",
        "status": 2,
        "agent_id": 3,
        "hits": 0,
        "tags": ["made_up"],
        "created_at": "2026-01-02T08:00:00Z",
        "updated_at": "2026-01-02T08:00:00Z",
        **fields,
    }


def knowledge(articles: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "solution_categories": [{"id": 70, "name": "Hardware"}, {"id": 71, "name": "Empty"}],
        "solution_folders": [
            {"id": 60, "name": "Printers", "category_id": 70, "visibility": 1},
            {"id": 61, "name": "Laser", "category_id": 70, "parent_folder_id": 60, "visibility": 3},
            {"id": 62, "name": "Deep", "category_id": 70, "parent_folder_id": 61, "visibility": 2},
        ],
        "solution_articles": articles,
        **more,
    }


@contextmanager
def running(
    data: dict[str, Any], clock: Clock
) -> Iterator[tuple[FreshdeskStandin, FreshdeskSource]]:
    with FreshdeskStandin(data, now=clock, limits=Limits(total=100_000)) as freshdesk:
        source = FreshdeskSource(base_url=freshdesk.base_url, api_key="freshdesk-key", now=clock)
        try:
            yield freshdesk, source
        finally:
            source.close()


def pulled(source: FreshdeskSource, cursor: Any, stream: str = "articles") -> list[Page]:
    """All pages from a cursor that went through JSON, as the warehouse keeps it."""
    pages = list(source.pull(stream, json.loads(json.dumps(cursor))))
    assert pages[-1].complete
    assert not any(page.complete for page in pages[:-1])
    return pages


def ids(pages: list[Page]) -> list[str]:
    return [record.remote_id for page in pages for record in page.records]


def bodies(pages: list[Page]) -> dict[str, dict[str, Any]]:
    return {r.remote_id: json.loads(r.payload) for page in pages for r in page.records}


def test_source_is_a_knowledge_base_whose_articles_come_behind_what_they_refer_to() -> None:
    with running(knowledge([article(1)]), Clock(BEGIN)) as (_, source):
        assert isinstance(source, KnowledgeBase)
        assert source.article_streams[-1] == "articles"
        assert [one for one in source.streams if one in source.article_streams] == list(
            source.article_streams
        )


def test_first_pull_then_every_folder_is_walked_down_to_the_deepest() -> None:
    rows = [*(article(n) for n in range(1, 251)), article(300, 61), article(301, 62)]
    with running(knowledge(rows), Clock(BEGIN)) as (_, source):
        assert len(ids(pulled(source, None))) == len(set(ids(pulled(source, None)))) == 252
        assert ids(pulled(source, None, "article_folders")) == ["60", "61", "62"]
        assert ids(pulled(source, None, "article_categories")) == ["70", "71"]


def test_pull_within_the_hour_then_costs_nothing_and_later_the_tree_alone() -> None:
    clock = Clock(BEGIN)
    with running(knowledge([article(n) for n in range(1, 31)]), clock) as (freshdesk, source):
        cursor = pulled(source, None)[-1].cursor
        before = sum(freshdesk.calls.values())
        assert ids(pulled(source, cursor)) == []
        assert sum(freshdesk.calls.values()) == before
        clock.move(solutions.WALK_EVERY.total_seconds())
        freshdesk.solutions.articles[4]["hits"] = 12
        freshdesk.solutions.edit(9, title="New")
        pages = pulled(source, cursor)
        assert ids(pages) == ["9"]
        # Categories, two categories' folders, two folders with folders inside, settings, three folders.
        assert sum(freshdesk.calls.values()) - before == 1 + 2 + 2 + 1 + 3


def test_translations_then_are_read_for_changed_articles_and_for_all_once_a_day() -> None:
    clock = Clock(BEGIN)
    data = knowledge(
        [article(n) for n in range(1, 6)],
        helpdesk_settings={"primary_language": "en", "supported_languages": ["de", "tr"]},
        article_translations={
            2: {"tr": {"id": 2, "title": "Yazıcı", "description": "<p>Metin</p>"}}
        },
    )
    with running(data, clock) as (freshdesk, source):
        pages = pulled(source, None)
        assert bodies(pages)["2"]["translations"].keys() == {"tr"}
        assert bodies(pages)["1"]["translations"] == {}
        assert bodies(pages)["1"]["language"] == "en"
        assert freshdesk.calls["solution_translation"] == 10
        freshdesk.solutions.translations[4] = {"de": {"id": 4, "title": "Drucker"}}
        clock.move(solutions.WALK_EVERY.total_seconds())
        pages = pulled(source, pages[-1].cursor)
        assert ids(pages) == []
        assert freshdesk.calls["solution_translation"] == 10
        clock.move(solutions.AGAIN_EVERY.total_seconds())
        again = bodies(pulled(source, pages[-1].cursor))
        assert again["4"]["translations"]["de"]["title"] == "Drucker"
        assert freshdesk.calls["solution_translation"] == 20


def test_article_that_moved_and_one_that_went_away_then_one_is_changed_and_one_a_tombstone() -> (
    None
):
    clock = Clock(BEGIN)
    with running(knowledge([article(n) for n in range(1, 5)]), clock) as (freshdesk, source):
        cursor = pulled(source, None)[-1].cursor
        clock.move(solutions.WALK_EVERY.total_seconds())
        freshdesk.solutions.articles[1]["folder_id"] = 62
        freshdesk.solutions.delete(3)
        pages = pulled(source, cursor)
        found = [(r.remote_id, r.is_tombstone) for page in pages for r in page.records]
        assert found == [("1", False), ("3", True)]
        clock.move(solutions.WALK_EVERY.total_seconds())
        assert ids(pulled(source, pages[-1].cursor)) == []


def test_folder_that_a_list_left_out_then_its_articles_stay() -> None:
    clock = Clock(BEGIN)
    with running(knowledge([article(1), article(2, 61)]), clock) as (freshdesk, source):
        cursor = pulled(source, None)[-1].cursor
        clock.move(solutions.WALK_EVERY.total_seconds())
        freshdesk.faults.add("solution_subfolders", "status", status=404)
        assert ids(pulled(source, cursor)) == []


def test_walk_when_cut_after_any_page_then_goes_on_behind_it() -> None:
    clock = Clock(BEGIN)
    rows = [*(article(n) for n in range(1, 251)), article(300, 61), article(301, 62)]
    with running(knowledge(rows), clock) as (freshdesk, source):
        whole = pulled(source, None)
        assert len(whole) == 6
        for cut in range(len(whole) - 1):
            before = freshdesk.calls["solution_articles"]
            rest = pulled(source, whole[cut].cursor)
            assert sorted(ids(whole[: cut + 1]) + ids(rest)) == sorted(ids(whole))
            assert freshdesk.calls["solution_articles"] - before == 5 - (cut + 1)


def test_plan_without_solutions_then_is_empty_and_is_asked_for_hourly() -> None:
    clock = Clock(BEGIN)
    with running(knowledge([article(1)]), clock) as (freshdesk, source):
        freshdesk.solutions.is_there = False
        for stream in solutions.STREAMS:
            (page,) = pulled(source, None, stream)
            assert page.records == []
            before = sum(freshdesk.calls.values())
            assert pulled(source, page.cursor, stream)[0].calls == 0
            assert sum(freshdesk.calls.values()) == before
        freshdesk.solutions.is_there = True
        clock.move(solutions.WALK_EVERY.total_seconds())
        assert ids(pulled(source, page.cursor)) == ["1"]


def test_solutions_that_are_taken_away_then_no_article_is_taken_for_deleted() -> None:
    clock = Clock(BEGIN)
    with running(knowledge([article(1)]), clock) as (freshdesk, source):
        cursor = pulled(source, None)[-1].cursor
        freshdesk.solutions.is_there = False
        clock.move(solutions.WALK_EVERY.total_seconds())
        pages = pulled(source, cursor)
        assert ids(pages) == []
        freshdesk.solutions.is_there = True
        freshdesk.solutions.delete(1)
        clock.move(solutions.WALK_EVERY.total_seconds())
        (record,) = (r for page in pulled(source, pages[-1].cursor) for r in page.records)
        assert (record.remote_id, record.is_tombstone) == ("1", True)


def test_wrong_key_then_is_an_error_and_no_empty_knowledge_base() -> None:
    with running(knowledge([article(1)]), Clock(BEGIN)) as (freshdesk, source):
        freshdesk.api_key = "another"
        with pytest.raises(AuthError):
            list(source.pull("articles", None))
