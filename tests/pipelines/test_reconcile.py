"""The nightly comparison and the fast lane, over a source that a test can bend at will."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, select

from connectors.contract import CheckResult, Cursor, Hints, Listed, Page
from connectors.errors import UnavailableError
from connectors.warehouse import raw
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import comment, raw_record, ticket
from pipelines import cli_sources, fast_lane, ingest, reconcile, terminal
from pipelines.fast_lane import FastLane
from pipelines.ingest import ingest_client
from pipelines.normalise import Records, SourceTransform
from pipelines.reconcile import Reconciled, reconcile_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings
from pipelines.wiring import Wired
from transforms.model import Batch, RawRecord, SourceComment, SourceTicket

NOW = datetime(2026, 11, 4, 13, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)

Row = dict[str, Any]


class Helpdesk:
    """A helpdesk with tickets that each know how many comments they have; its export may forget some."""

    streams = ("tickets",)
    reconciled_streams = ("tickets",)
    volatile_fields: dict[str, Sequence[str]] = {}

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.gone: set[str] = set()
        self.hidden: set[str] = set()
        """Ids that the export forgets."""
        self.fetched: list[str] = []
        self.fails_listing_after: int | None = None
        self.refuses_fetching = False
        self.counts_more = 0

    def put(self, remote_id: int, comments: int = 1, at: datetime = NOW - AN_HOUR) -> None:
        self.rows[str(remote_id)] = {"id": remote_id, "comments": comments, "at": at.isoformat()}

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        known = set((cursor or {}).get("known", ()))
        new = [row for key, row in self.rows.items() if key not in known | self.hidden]
        known |= {str(row["id"]) for row in new}
        yield Page([_record(row) for row in new], {"known": sorted(known)}, complete=True)

    def check(self) -> CheckResult:
        return CheckResult("helpdesk", works=True, detail="")

    def inventory(self, stream: str) -> Iterator[Sequence[Listed]]:
        for number, (key, row) in enumerate(self.rows.items()):
            if number == self.fails_listing_after:
                raise UnavailableError("the list ended early")
            at = datetime.fromisoformat(row["at"])
            yield [Listed(key, updated_at=at, children=row["comments"] + self.counts_more)]

    def fetch(self, stream: str, remote_ids: Sequence[str]) -> Iterator[Page]:
        self.fetched += remote_ids
        if self.refuses_fetching:
            yield Page([], {}, complete=True)
            return
        found = [_record(self.rows[key]) for key in remote_ids if key in self.rows]
        gone = [_tombstone(key) for key in remote_ids if key in self.gone]
        yield Page([*found, *gone], {}, complete=True)

    def newest(self, cursor: Cursor | None) -> Hints:
        since = (cursor or {}).get("since", "")
        changed = sorted((r["at"], k) for k, r in self.rows.items() if r["at"] > since)
        return Hints([k for _, k in changed], {"since": changed[-1][0] if changed else since})


def _record(row: Row) -> RawRecord:
    key = str(row["id"])
    return RawRecord(
        "tickets",
        key,
        json.dumps(row).encode(),
        ticket_remote_id=key,
        source_updated_at=datetime.fromisoformat(row["at"]),
    )


def _tombstone(key: str) -> RawRecord:
    return RawRecord(
        "tickets",
        key,
        json.dumps({"id": int(key)}).encode(),
        ticket_remote_id=key,
        is_tombstone=True,
    )


def _normalise(records: Records) -> Batch:
    batch = Batch()
    for record in records["tickets"]:
        row = json.loads(record.payload)
        at = datetime.fromisoformat(row.get("at", NOW.isoformat()))
        key = record.remote_id
        status = "deleted" if record.is_tombstone else "open"
        batch.tickets.append(SourceTicket(key, "s", status, status, None, None, at, at))
        batch.comments += [
            SourceComment(f"{key}.{n}", key, at, "customer", is_public=True, text=str(n))
            for n in range(row.get("comments", 0))
        ]
    return batch


@pytest.fixture
def helpdesk(monkeypatch: pytest.MonkeyPatch) -> Helpdesk:
    helpdesk = Helpdesk()
    wired = Wired(helpdesk, SourceTransform("1", ("tickets",), (), _normalise))
    for module in (ingest, reconcile, fast_lane):
        monkeypatch.setattr(module, "wire", lambda *_args, **_kw: wired)
    return helpdesk


@pytest.fixture
def runtime(engine: Engine, tmp_path: Path, helpdesk: Helpdesk) -> Runtime:
    file = tmp_path / "deskbridge.yaml"
    file.write_text(
        "warehouse: sqlite:///unused.db\n"
        "clients:\n"
        "  acme:\n"
        "    time_zone: Europe/Istanbul\n"
        "    sources:\n"
        "      - {id: desk, type: freshdesk, domain: acme.example, api_key: k}\n"
    )
    return runtime_on(engine, load_settings(file), lambda: NOW)


def passed(runtime: Runtime, **options: bool) -> Reconciled:
    return reconcile_client(runtime, "acme", **options)


def figures(report: Reconciled) -> dict[str, int]:
    names = ("listed", "here", "arrived", "missing", "differing", "vanished", "remaining")
    found = {name: report.total(name) for name in (*names, "disputed", "fetched")}
    return {name: value for name, value in found.items() if value}


def test_what_agrees_costs_no_fetch(runtime: Runtime, helpdesk: Helpdesk) -> None:
    for number in range(1, 8):
        helpdesk.put(number)
    report = passed(runtime)
    assert figures(report) == {"listed": 7, "here": 7}
    assert report.agrees
    assert helpdesk.fetched == []


def test_what_the_export_forgot_is_fetched(runtime: Runtime, helpdesk: Helpdesk) -> None:
    for number in range(1, 8):
        helpdesk.put(number)
    helpdesk.hidden = {"3", "5"}
    report = passed(runtime)
    assert figures(report) == {"listed": 7, "here": 5, "missing": 2, "fetched": 2}
    assert report.agrees
    with reading(runtime.engine) as connection:
        assert set(connection.scalars(select(ticket.c.remote_id))) == set("1234567")
    assert figures(passed(runtime)) == {"listed": 7, "here": 7}


def test_what_came_meanwhile_is_not_called_lost(runtime: Runtime, helpdesk: Helpdesk) -> None:
    helpdesk.put(1)
    helpdesk.put(2, at=NOW + timedelta(seconds=3))
    helpdesk.hidden = {"2"}
    assert figures(passed(runtime)) == {"listed": 2, "here": 1, "arrived": 1, "fetched": 1}


def test_comments_that_lack_and_later_states_are_fetched(
    runtime: Runtime, helpdesk: Helpdesk
) -> None:
    for number in range(1, 4):
        helpdesk.put(number, comments=2)
    ingest_client(runtime, "acme")
    helpdesk.put(1, comments=5)
    helpdesk.put(2, comments=2, at=NOW - timedelta(minutes=10))
    report = passed(runtime)
    assert figures(report) == {"listed": 3, "here": 3, "differing": 2, "fetched": 2}
    with reading(runtime.engine) as connection:
        assert len(connection.execute(select(comment.c.comment_key)).all()) == 5 + 2 + 2


def test_a_count_that_stays_another_is_listed_and_no_failure(
    runtime: Runtime, helpdesk: Helpdesk
) -> None:
    helpdesk.put(1)
    helpdesk.counts_more = 1
    report = passed(runtime)
    assert figures(report) == {"listed": 1, "here": 1, "differing": 1, "disputed": 1}
    assert report.agrees


def test_what_vanished_becomes_a_tombstone_once_its_id_gives_nothing(
    runtime: Runtime, helpdesk: Helpdesk
) -> None:
    for number in range(1, 4):
        helpdesk.put(number)
    ingest_client(runtime, "acme")
    del helpdesk.rows["2"]
    helpdesk.gone = {"2"}
    report = passed(runtime)
    assert figures(report) == {"listed": 2, "here": 3, "vanished": 1, "fetched": 1}
    assert report.agrees
    with reading(runtime.engine) as connection:
        assert connection.scalar(select(ticket.c.status).where(ticket.c.remote_id == "2")) == (
            "deleted"
        )
    assert figures(passed(runtime)) == {"listed": 2, "here": 2}


def test_what_is_neither_listed_nor_proven_gone_stays_and_is_said(
    runtime: Runtime, helpdesk: Helpdesk
) -> None:
    helpdesk.put(1)
    ingest_client(runtime, "acme")
    helpdesk.rows.clear()
    report = passed(runtime)
    assert figures(report) == {"here": 1, "vanished": 1, "remaining": 1}
    assert not report.agrees


def test_many_that_vanish_at_once_are_left_alone_unless_a_person_says_so(
    runtime: Runtime, helpdesk: Helpdesk
) -> None:
    for number in range(1, 201):
        helpdesk.put(number)
    ingest_client(runtime, "acme")
    for number in range(1, 61):
        del helpdesk.rows[str(number)]
        helpdesk.gone.add(str(number))
    report = passed(runtime)
    assert "60 of 200 records" in str(report.errors[0])
    assert "client acme, source desk" in str(report.errors[0])
    assert not report.agrees
    assert helpdesk.fetched == []
    assert figures(passed(runtime, many_vanished=True))["vanished"] == 60


def test_nothing_is_concluded_from_half_a_list(runtime: Runtime, helpdesk: Helpdesk) -> None:
    for number in range(1, 6):
        helpdesk.put(number)
    ingest_client(runtime, "acme")
    helpdesk.fails_listing_after = 2
    report = passed(runtime)
    assert "the list ended early" in str(report.errors[0])
    assert helpdesk.fetched == []
    with reading(runtime.engine) as connection:
        assert connection.scalars(select(raw_record.c.is_tombstone)).all() == [False] * 5


def test_the_fast_lane_brings_what_the_next_sync_would(
    runtime: Runtime, helpdesk: Helpdesk
) -> None:
    lane = FastLane(runtime, "acme")
    helpdesk.put(1)
    assert lane.run().stored == 0, "before the first sync there is nothing to compare with"
    ingest_client(runtime, "acme")
    helpdesk.hidden = {"2"}
    helpdesk.put(2, at=NOW - timedelta(seconds=20))
    done = lane.run()
    assert (done.hinted, done.stored, done.tickets) == (2, 1, 1)
    assert lane.run().hinted == 0
    helpdesk.hidden = set()
    ingest_client(runtime, "acme")
    with reading(runtime.engine) as connection:
        state = raw.stream_state(connection, "acme", "desk", "tickets")
        versions = connection.execute(select(raw_record.c.remote_id, raw_record.c.version)).all()
    assert sorted(versions) == [("1", 1), ("2", 1)]
    assert state.normalised_raw_id == 2


def test_a_hint_whose_ticket_cannot_be_fetched_is_asked_for_again(
    runtime: Runtime, helpdesk: Helpdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    helpdesk.put(1)
    ingest_client(runtime, "acme")
    helpdesk.put(2, at=NOW - timedelta(seconds=20))
    lane = FastLane(runtime, "acme")
    fetch = helpdesk.fetch

    def fails(*_args: Any) -> Iterator[Page]:
        raise UnavailableError("busy")

    monkeypatch.setattr(helpdesk, "fetch", fails)
    assert "client acme, source desk" in str(lane.run().errors[0])
    monkeypatch.setattr(helpdesk, "fetch", fetch)
    assert lane.run().stored == 1


def test_the_table_of_figures_fits_100_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every figure whole and in one line, also where an account is large and all of them differ."""
    monkeypatch.setattr(terminal, "out", Console(width=100, highlight=False))
    values = [1_234_567, 2_345_678, 4_321, 98_765, 123_456, 54_321, 100_000, 45_678, 7_890]
    found = reconcile.StreamDifference("organizations", *values)
    report = Reconciled("acme", [reconcile.SourceDifference("support-mailbox", [found])])
    cli_sources._show_differences("acme", cli_sources._rows(report))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 100
    heads = "listed here arrived missing differing vanished fetched remaining disputed"
    assert any(line.split()[1:] == heads.split() for line in lines)
    assert any(line.split()[1:] == [str(value) for value in values] for line in lines)
