"""Triage sets priorities where the source gives none, raises given ones, and leaves its rule's name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from connectors.warehouse.engine import reading
from connectors.warehouse.tables import sla_clock, ticket, ticket_change, timer
from pipelines.ingest import ingest_client
from pipelines.runtime import opened
from pipelines.tick import tick_client
from pipelines.triage import triaged
from sla_rules.triage import TriageRule
from transforms.model import Batch, SourceChange, SourceComment, SourcePerson, SourceTicket

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
DOWN = TriageRule("down", "critical", words=("down", "çöktü"), may_raise=True)
PAPER = TriageRule("paper", "low", words=("paper",))


def batch(priority: str | None, *changes: tuple[str | None, str, float], **options) -> Batch:
    return Batch(
        people=[SourcePerson("ada", is_agent=False, emails=("ada@gold.example",))],
        tickets=[
            SourceTicket(
                "7", "Shop is down", "open", "open", priority, priority, START, START,
                requester_remote_id="ada", **options,
            )
        ],
        comments=[SourceComment("c", "7", START, "customer", True, "No paper either")],
        changes=[
            SourceChange(
                f"{n}", "7", "priority", old, new, START + timedelta(hours=hours), position=n
            )
            for n, (old, new, hours) in enumerate(changes)
        ],
    )  # fmt: skip


def priorities(done: Batch) -> tuple[str | None, list[tuple[str | None, str | None, str]]]:
    return done.tickets[0].priority, [
        (c.old_value, c.new_value, c.actor_kind) for c in done.changes
    ]


def test_a_ticket_without_a_priority_gets_the_first_rules() -> None:
    done = triaged(batch(None), [PAPER, DOWN], "info")
    assert priorities(done) == ("low", [(None, "low", "bridge")])
    assert done.tickets[0].fields == {"triage_rule": "paper"}


def test_a_given_priority_is_raised_only_by_a_rule_that_may() -> None:
    assert priorities(triaged(batch("high"), [PAPER], "zendesk")) == ("high", [])
    raised = triaged(batch("medium", (None, "medium", 0)), [DOWN], "zendesk")
    assert priorities(raised) == (
        "critical",
        [(None, "medium", "unknown"), ("medium", "critical", "bridge")],
    )


def test_what_people_changed_later_stands() -> None:
    done = triaged(batch("low", ("high", "low", 5)), [DOWN], "zendesk")
    assert done.tickets[0].priority == "low"
    assert done.changes[-1].old_value == "high"


def test_newsletters_are_left_alone() -> None:
    given = batch(None, is_automatic=True)
    assert triaged(given, [DOWN], "info").changes == []


POLICY = """\
name: acme
calendars:
  office: {time_zone: UTC, hours: {mon-fri: [["09:00", "18:00"]]}}
business_hours: office
matrix:
  critical: {response: 15 min, resolution: 4 h, calendar: 24x7}
  high: {response: 1 h, resolution: 8 h}
  medium: {response: 4 h, resolution: 1 business day}
  low: {response: 1 business day, resolution: 3 business days}
triage:
  - {name: production down, words: [down], where: subject, priority: critical}
"""

CONFIG = """\
warehouse: sqlite:///warehouse.db
clock: 2026-11-04T13:00:00Z
clients:
  acme:
    time_zone: UTC
    live_from: 2026-11-04T00:00:00Z
    sla: [policy.yaml]
    sources:
      - {id: info, type: mbox, path: info.mbox, own_addresses: [info@acme.example]}
"""

MAIL = """\
From ada@customer.example Wed Nov  4 12:00:00 2026
From: ada@customer.example
To: info@acme.example
Subject: The shop is down
Date: Wed, 04 Nov 2026 12:00:00 +0000
Message-ID: <1@customer.example>

Nobody can order.

"""


def test_a_mail_to_the_shared_address_wakes_somebody(tmp_path: Path) -> None:
    for name, text in (("policy.yaml", POLICY), ("deskbridge.yaml", CONFIG), ("info.mbox", MAIL)):
        (tmp_path / name).write_text(text)
    with opened(tmp_path / "deskbridge.yaml") as runtime:
        for _ in range(2):
            ingest_client(runtime, "acme")
            tick_client(runtime, "acme", runtime.now())
        with reading(runtime.engine) as connection:
            assert connection.execute(select(ticket.c.priority, ticket.c.fields)).all() == [
                ("critical", {"is_status_derived": True, "triage_rule": "production down"})
            ]
            change = connection.execute(
                select(ticket_change).where(ticket_change.c.field == "priority")
            ).one()
            assert (change.new_value, change.actor_kind) == ("critical", "bridge")
            clocks = dict(connection.execute(select(sla_clock.c.metric, sla_clock.c.state)).all())
            fired = set(connection.scalars(select(timer.c.step).where(timer.c.state == "fired")))
    assert clocks == {"first_reply": "breached", "resolution": "running"}
    assert fired & {"l1", "l2", "l3"}
