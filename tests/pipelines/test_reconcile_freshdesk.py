"""The nightly reconciliation over a Freshdesk account: archived tickets are no loss, vanished ones are marked."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.standins.freshdesk_account import stamp
from connectors.warehouse import raw
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import ticket
from pipelines.reconcile import Reconciled, reconcile_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def tickets() -> list[dict[str, Any]]:
    at = [stamp(NOW - timedelta(days=30) + timedelta(hours=n)) for n in range(61)]
    return [
        {
            "id": number,
            "subject": f"ticket {number}",
            "status": 5 if number % 2 else 2,
            "requester_id": 50,
            "description_text": "x",
            "created_at": at[number],
            "updated_at": at[number],
        }
        for number in range(1, 61)
    ]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def freshdesk(clock: Clock) -> Iterator[FreshdeskStandin]:
    contacts = [{"id": 50, "name": "Bo", "email": "bo@x.example", "updated_at": stamp(NOW)}]
    agents = [{"id": 900, "contact": {"name": "A", "email": "a@x.example"}}]
    with FreshdeskStandin(
        {"tickets": tickets(), "contacts": contacts, "agents": agents},
        now=clock,
        limits=Limits(10**6, 10**6, 10**6),
        has_archive=True,
    ) as one:
        yield one


@pytest.fixture
def runtime(
    sqlite_engine: Engine, tmp_path: Path, freshdesk: FreshdeskStandin, clock: Clock
) -> Runtime:
    file = tmp_path / "deskbridge.yaml"
    file.write_text(
        "warehouse: sqlite:///unused.db\n"
        "clients:\n"
        "  acme:\n"
        "    time_zone: Europe/Istanbul\n"
        "    sources:\n"
        f"      - {{id: desk, type: freshdesk, base_url: '{freshdesk.base_url}', api_key: freshdesk-key}}\n"
    )
    return runtime_on(sqlite_engine, load_settings(file), clock)


def night(runtime: Runtime, clock: Clock) -> tuple[dict[str, int], Reconciled]:
    clock.now += timedelta(days=1)
    report = reconcile_client(runtime, "acme")
    names = ("listed", "here", "missing", "differing", "vanished", "remaining")
    return {name: report.total(name) for name in names if report.total(name)}, report


def stored(runtime: Runtime, number: int) -> tuple[dict[str, Any], bool]:
    with reading(runtime.engine) as connection:
        (record,) = raw.latest_records(
            connection, "acme", "desk", "tickets", remote_ids=[str(number)]
        )
    return json.loads(record.payload), record.is_tombstone


def test_archived_tickets_are_no_loss_and_those_deleted_for_good_are_marked_once(
    runtime: Runtime, clock: Clock, freshdesk: FreshdeskStandin
) -> None:
    assert night(runtime, clock)[0] == {"listed": 60, "here": 60}
    freshdesk.archive(3)
    freshdesk.archive(5)
    freshdesk.purge(8)
    figures, report = night(runtime, clock)
    assert figures == {"listed": 57, "here": 60, "vanished": 3} and report.agrees
    assert stored(runtime, 3)[0]["archived"] is True and not stored(runtime, 3)[1]
    assert stored(runtime, 8)[1]
    with reading(runtime.engine) as connection:
        rows = connection.execute(select(ticket.c.remote_id, ticket.c.status))
        statuses = {row.remote_id: row.status for row in rows}
    assert (statuses["3"], statuses["8"], statuses["2"]) == ("closed", "deleted", "new")
    calls = freshdesk.calls["archived_ticket"]
    figures, report = night(runtime, clock)
    assert figures == {"listed": 57, "here": 57} and report.agrees
    assert freshdesk.calls["archived_ticket"] == calls


def test_ticket_that_the_syncs_missed_is_fetched(
    runtime: Runtime, clock: Clock, freshdesk: FreshdeskStandin
) -> None:
    night(runtime, clock)
    late = {**freshdesk.account.tickets[1], "id": 61, "subject": "late"}
    freshdesk.account.apply({"tickets": [late]})
    figures, report = night(runtime, clock)
    assert figures == {"listed": 61, "here": 60, "missing": 1} and report.agrees
    assert stored(runtime, 61)[0]["subject"] == "late"


def test_note_that_did_not_move_its_ticket_is_found_by_count(
    runtime: Runtime, clock: Clock, freshdesk: FreshdeskStandin
) -> None:
    freshdesk.customer_reply(7, "and another thing")
    night(runtime, clock)
    freshdesk.quiet_note(7, "for us alone")
    assert [one["body"] for one in stored(runtime, 7)[0]["conversations"]] == ["and another thing"]
    figures, report = night(runtime, clock)
    assert figures == {"listed": 60, "here": 60, "differing": 1} and report.agrees
    assert len(stored(runtime, 7)[0]["conversations"]) == 2
    calls = freshdesk.calls["ticket"]
    assert night(runtime, clock)[0] == {"listed": 60, "here": 60}
    # Only what was at work lately is counted.
    assert freshdesk.calls["ticket"] - calls == 1
