"""Articles from the helpdesk's API to the warehouse, on both databases: loaded, changed, taken away, rebuilt."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import CommandFolder

from connectors.contract import Source
from connectors.freshdesk import articles as freshdesk_walk
from connectors.freshdesk.source import FreshdeskSource
from connectors.standins.freshdesk import FreshdeskStandin
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import Clock, account
from connectors.warehouse import articles, derived
from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import agent, article, quarantine
from connectors.zendesk import articles as zendesk_walk
from connectors.zendesk.source import ZendeskSource
from pipelines.normalise import SourceTransform, normalise_source
from pipelines.normalise_articles import ArticleTransform, normalise_articles
from pipelines.sync import sync_source
from transforms import freshdesk_articles, zendesk, zendesk_articles

HELP_CENTER = ArticleTransform(
    zendesk_articles.VERSION,
    ("article_categories", "article_sections", "user_segments"),
    zendesk_articles.normalise_articles,
)
SOLUTIONS = ArticleTransform(
    freshdesk_articles.VERSION,
    ("article_categories", "article_folders"),
    freshdesk_articles.normalise_articles,
)


def knowledge(count: int) -> dict[str, Any]:
    at = "2026-05-01T08:00:00Z"
    rows = [
        {
            "id": n,
            "title": f"Article {n}",
            "body": f"<p>Text {n}</p>",
            "locale": "en-us",
            "source_locale": "en-us",
            "section_id": 601,
            "author_id": 21,
            "draft": False,
            "created_at": at,
            "updated_at": at,
        }
        for n in range(1, count + 1)
    ]
    return {
        **account(2),
        "articles": rows,
        "article_sections": [{"id": 601, "name": "Printers", "category_id": 701}],
        "article_categories": [{"id": 701, "name": "Hardware"}],
        "user_segments": [],
        "article_translations": {2: [{"id": 1, "locale": "tr", "title": "İki", "body": "Metin"}]},
    }


class Desk:
    """A source that is synced and normalised into a warehouse."""

    def __init__(
        self, engine: Engine, source: Source, transform: ArticleTransform, clock: Clock
    ) -> None:
        self.engine, self.source, self.transform, self.clock = engine, source, transform, clock

    def run(self) -> Any:
        sync_source(self.engine, "acme", "desk", self.source, self.clock)
        return normalise_articles(self.engine, "acme", "desk", self.transform, self.clock)

    def rows(self) -> Mapping[str, Any]:
        with reading(self.engine) as connection:
            found = connection.execute(select(article)).all()
        return {row.remote_id: row for row in found}


@pytest.fixture
def help_center(engine: Engine) -> Iterator[tuple[ZendeskStandin, Desk]]:
    clock = Clock()
    with ZendeskStandin(
        knowledge(3), now=clock, calls_per_minute=100_000, exports_per_minute=1_000
    ) as standin:
        source = ZendeskSource(
            base_url=standin.base_url, email=standin.email, token=standin.token, now=clock
        )
        with source.session:
            yield standin, Desk(engine, source, HELP_CENTER, clock)


def test_articles_are_loaded_once_and_again_changes_nothing(
    help_center: tuple[ZendeskStandin, Desk],
) -> None:
    _, desk = help_center
    report = desk.run()
    assert (report.articles, report.rows_changed, report.quarantined) == (4, 4, 0)
    rows = desk.rows()
    assert sorted(rows) == ["1/en-us", "2/en-us", "2/tr", "3/en-us"]
    turkish = rows["2/tr"]
    assert (turkish.title, turkish.body_text, turkish.language) == ("İki", "Metin", "tr")
    assert (turkish.is_translation, turkish.is_published, turkish.visibility) == (
        True,
        True,
        "public",
    )
    assert (turkish.category, turkish.section) == ("Hardware", "Printers")
    assert (turkish.article_remote_id, turkish.raw_remote_id) == ("2", "2")
    assert turkish.created_at == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert turkish.labels == []
    before = warehouse_checksum(desk.engine)
    assert desk.run().articles == 0
    with writing(desk.engine) as connection:
        derived.begin_rebuild(connection, "acme", ["desk"], with_people=False)
    assert desk.run().articles == 4
    assert warehouse_checksum(desk.engine) == before
    with reading(desk.engine) as connection:
        assert articles.count_articles(connection, "acme") == {"desk": 4}


def warehouse_checksum(engine: Engine) -> tuple[int, str]:
    with reading(engine) as connection:
        return warehouse_checksums(connection)["article"]


def test_author_is_the_agent_who_is_known(help_center: tuple[ZendeskStandin, Desk]) -> None:
    _, desk = help_center
    sync_source(desk.engine, "acme", "desk", desk.source, desk.clock)
    tickets = SourceTransform(
        zendesk.VERSION,
        ("tickets", "ticket_events", "satisfaction_ratings"),
        ("users", "organizations", "groups"),
        zendesk.normalise,
    )
    normalise_source(desk.engine, "acme", "desk", tickets, desk.clock)
    desk.run()
    with reading(desk.engine) as connection:
        agents = set(connection.scalars(select(agent.c.agent_key)))
    assert {row.author_key for row in desk.rows().values()} <= agents
    assert len({row.author_key for row in desk.rows().values()}) == 1


def test_archived_article_leaves_the_table_in_all_its_languages_and_comes_back(
    help_center: tuple[ZendeskStandin, Desk],
) -> None:
    standin, desk = help_center
    desk.run()
    key = desk.rows()["2/tr"].article_key
    kept = standin.help_center.articles[2]
    standin.help_center.archive(2)
    desk.clock.move(zendesk_walk.SWEEP_EVERY.total_seconds())
    report = desk.run()
    assert report.removed == 1
    assert sorted(desk.rows()) == ["1/en-us", "3/en-us"]
    standin.help_center.articles[2] = kept
    standin.help_center.edit(2, title="Back")
    desk.run()
    assert sorted(desk.rows()) == ["1/en-us", "2/en-us", "2/tr", "3/en-us"]
    assert desk.rows()["2/tr"].article_key == key
    assert desk.rows()["2/en-us"].title == "Back"


def test_language_that_was_taken_away_leaves_the_table(
    help_center: tuple[ZendeskStandin, Desk],
) -> None:
    standin, desk = help_center
    desk.run()
    standin.help_center.translations.clear()
    standin.help_center.edit(2)
    desk.run()
    assert sorted(desk.rows()) == ["1/en-us", "2/en-us", "3/en-us"]


def test_section_that_is_renamed_then_every_article_says_so(
    help_center: tuple[ZendeskStandin, Desk],
) -> None:
    standin, desk = help_center
    desk.run()
    standin.help_center.sections[0]["name"] = "Printing"
    desk.clock.move(zendesk_walk.EVERY.total_seconds())
    assert desk.run().articles == 4
    assert {row.section for row in desk.rows().values()} == {"Printing"}


def test_article_that_cannot_be_understood_is_kept_aside_until_it_can(
    help_center: tuple[ZendeskStandin, Desk],
) -> None:
    standin, desk = help_center
    standin.help_center.articles[3]["created_at"] = "yesterday"
    report = desk.run()
    assert (report.articles, report.quarantined) == (3, 1)
    with reading(desk.engine) as connection:
        (row,) = connection.execute(select(quarantine)).all()
    assert (row.stream, row.remote_id, row.reason) == ("articles", "3", "unreadable created_at")
    standin.help_center.edit(3, created_at="2026-05-01T08:00:00Z")
    desk.run()
    with reading(desk.engine) as connection:
        assert connection.execute(select(quarantine)).all() == []
    assert "3/en-us" in desk.rows()


def test_account_without_a_help_center_has_no_articles_and_nothing_fails(engine: Engine) -> None:
    clock = Clock()
    with ZendeskStandin(account(2), now=clock) as standin:
        source = ZendeskSource(
            base_url=standin.base_url, email=standin.email, token=standin.token, now=clock
        )
        with source.session:
            desk = Desk(engine, source, HELP_CENTER, clock)
            assert desk.run().articles == 0
            assert desk.rows() == {}


def test_killed_between_any_two_transactions_then_the_rows_are_the_same(
    help_center: tuple[ZendeskStandin, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, desk = help_center
    monkeypatch.setattr("pipelines.normalise_articles.ARTICLES_PER_BATCH", 1)
    desk.run()
    whole = warehouse_checksum(desk.engine)
    for reached in range(3):
        with writing(desk.engine) as connection:
            connection.execute(delete(article))
            derived.begin_rebuild(connection, "acme", ["desk"], with_people=False)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(articles, "write_articles", killed_after(reached))
            normalise_articles(desk.engine, "acme", "desk", HELP_CENTER, desk.clock)
        assert len(desk.rows()) < 4
        desk.run()
        assert warehouse_checksum(desk.engine) == whole


def killed_after(writes: int) -> Callable[..., int]:
    """`write_articles` that is stopped after so many writes."""
    real, left = articles.write_articles, [writes]

    def write(*given: Any) -> int:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(*given)

    return write


@contextmanager
def freshdesk_desk(engine: Engine) -> Iterator[tuple[FreshdeskStandin, Desk]]:
    clock = Clock()
    data = {
        "solution_categories": [{"id": 70, "name": "Hardware"}],
        "solution_folders": [{"id": 60, "name": "Printers", "category_id": 70, "visibility": 2}],
        "solution_articles": [
            {
                "id": n,
                "folder_id": 60,
                "category_id": 70,
                "title": f"Article {n}",
                "description": "<p>Text</p>",
                "status": n,
                "tags": ["made_up"],
                "created_at": "2026-01-02T08:00:00Z",
                "updated_at": "2026-01-02T08:00:00Z",
            }
            for n in (1, 2)
        ],
        "helpdesk_settings": {"primary_language": "en", "supported_languages": ["de"]},
        "article_translations": {2: {"de": {"id": 2, "title": "Zwei", "status": 2}}},
    }
    with FreshdeskStandin(data, now=clock) as standin:
        source = FreshdeskSource(base_url=standin.base_url, api_key="freshdesk-key", now=clock)
        try:
            yield standin, Desk(engine, source, SOLUTIONS, clock)
        finally:
            source.close()


def test_freshdesk_solutions_are_loaded_and_leave_when_deleted(engine: Engine) -> None:
    with freshdesk_desk(engine) as (standin, desk):
        assert desk.run().articles == 3
        rows = desk.rows()
        assert {name: row.is_published for name, row in rows.items()} == {
            "1/en": False,
            "2/en": True,
            "2/de": True,
        }
        assert {row.visibility for row in rows.values()} == {"signed_in"}
        standin.solutions.delete(2)
        desk.clock.move(freshdesk_walk.WALK_EVERY.total_seconds())
        assert desk.run().removed == 1
        assert sorted(desk.rows()) == ["1/en"]


def test_the_command_pulls_counts_and_rebuilds_articles(tmp_path: Path) -> None:
    with ZendeskStandin(
        knowledge(3), calls_per_minute=100_000, exports_per_minute=1_000
    ) as standin:
        configuration = f"""\
warehouse: sqlite:///warehouse.db
clients:
  acme:
    time_zone: Europe/Istanbul
    sources:
      - {{id: desk, type: zendesk, base_url: "{standin.base_url}", email: ops@acme.example, token: made-up-token}}
    sla: [standard.yaml]
"""
        folder = CommandFolder(tmp_path, configuration)
        ran = folder.run("sync", "--json")
        assert ran.code == 0, ran.err
        assert [(one["tickets"], one["articles"]) for one in json.loads(ran.out)] == [(2, 4)]
        assert "articles" in folder.run("sync").out
        before = json.loads(folder.run("checksum", "--json").out)
        ran = folder.run("rebuild", "--json")
        assert [one["articles"] for one in json.loads(ran.out)] == [4]
        assert json.loads(folder.run("checksum", "--json").out) == before
        assert folder.rows("article") == 4
