"""A small warehouse whose figures can be worked out by hand, and a large one for speed.

The period is October 2026 in Istanbul (UTC+3): 2026-09-30 21:00 to 2026-10-31 21:00 UTC. All times below are UTC.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Table

from connectors.warehouse import tables
from connectors.warehouse.bulk import upsert
from connectors.warehouse.engine import writing
from reports.period import Period, month_period

ZONE = "Europe/Istanbul"
CLIENT = "acme"
AS_OF = datetime(2026, 11, 3, 6, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    """`10-05 09:00` in 2026, UTC."""
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@dataclass
class Story:
    """Rows of a warehouse, told ticket by ticket."""

    client_key: str = CLIENT
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: Table, **values: Any) -> None:
        row = {"client_key": self.client_key} | values
        self.rows.setdefault(table.name, []).append(row)

    def ticket(self, key: str, source: str, channel: str, created: str, **values: Any) -> None:
        row = {
            "ticket_key": key,
            "source_key": source,
            "remote_id": f"{key}-remote",
            "number": key.upper(),
            "subject": f"Subject of {key}",
            "status": "open",
            "source_status": "open",
            "priority": "medium",
            "channel": channel,
            "assignee_key": "agent-alice",
            "organisation_key": "organisation-one",
            "url": f"https://help.example.com/tickets/{key}",
            "created_at": at(created),
            "updated_at": at(created),
            "transform_version": "1",
            "solved_at": None,
        }
        self.add(tables.ticket, **(row | values))
        self.comment(key, created, "customer")

    def comment(self, key: str, when: str, kind: str, **values: Any) -> None:
        own = self.rows.setdefault("comment", [])
        row = {
            "comment_key": f"comment-{len(own)}",
            "ticket_key": key,
            "source_key": "zendesk",
            "remote_id": str(len(own)),
            "position": len(own),
            "created_at": at(when),
            "author_kind": kind,
            "is_public": True,
            "is_automatic": False,
            "body_text": "text",
            "copy_of_key": None,
        }
        self.add(tables.comment, **(row | values))

    def change(self, key: str, name: str, old: str | None, new: str | None, when: str) -> None:
        own = self.rows.setdefault("ticket_change", [])
        self.add(
            tables.ticket_change,
            change_key=f"change-{len(own)}",
            ticket_key=key,
            source_key="zendesk",
            field=name,
            old_value=old,
            new_value=new,
            occurred_at=at(when),
            recorded_at=at(when),
            position=len(own),
            actor_kind="agent",
            is_observed=False,
        )

    def clock(self, key: str, metric: str, started: str, state: str, **values: Any) -> None:
        row = {
            "ticket_key": key,
            "metric": metric,
            "instance": 1,
            "policy": "standard",
            "policy_version": "2026-09",
            "priority": "medium",
            "calendar": "office",
            "target_seconds": 14_400,
            "started_at": at(started),
            "stopped_at": None,
            "due_at": None,
            "breached_at": None,
            "elapsed_seconds": 0,
            "paused_seconds": 0,
            "state": state,
            "is_at_risk": False,
            "evaluated_at": AS_OF,
        }
        self.add(tables.sla_clock, **(row | values))

    def rating(self, key: str, score: int, when: str, kind: str = "csat") -> None:
        own = self.rows.setdefault("satisfaction_rating", [])
        self.add(
            tables.satisfaction_rating,
            rating_key=f"rating-{len(own)}",
            ticket_key=key,
            kind=kind,
            score=score,
            source_score=str(score),
            comment="=1+1",
            rated_at=at(when),
        )

    def raw(self, source: str, remote_id: str, *, is_tombstone: bool = False) -> None:
        self.add(
            tables.raw_record,
            source_key=source,
            stream="tickets",
            remote_id=remote_id,
            version=1,
            media_type="application/json",
            payload=b"{}",
            payload_sha256="0",
            content_sha256="0",
            is_tombstone=is_tombstone,
            fetched_at=AS_OF,
        )

    def write(self, engine: Engine) -> None:
        with writing(engine) as connection:
            for name, rows in self.rows.items():
                table = tables.metadata.tables[name]
                key = (
                    ("client_key", "source_key", "stream", "remote_id", "version")
                    if name == "raw_record"
                    else None
                )
                upsert(connection, table, rows, key=key)


def small_story() -> Story:
    """Fifteen tickets; what each is there for stands above it."""
    s = Story()
    s.add(tables.client, time_zone=ZONE)
    for key, name in (("agent-alice", "Alice"), ("agent-bob", "Bob")):
        s.add(tables.agent, agent_key=key, name=name, is_active=True)
    s.add(tables.organisation, organisation_key="organisation-one", name="One Ltd")
    for key in ("a", "b"):
        s.add(tables.team, team_key=f"team-{key}", source_key="zendesk", name=f"Team {key}")

    # One reply, in time, solved, held: the good case. Rated 5.
    s.ticket("t01", "zendesk", "email", "10-05 09:00", status="solved", priority="high")
    s.comment("t01", "10-05 09:00", "bot", is_automatic=True)
    s.comment("t01", "10-05 09:10", "agent", is_public=False)
    s.comment("t01", "10-05 09:30", "agent")
    s.change("t01", "status", "new", "solved", "10-05 12:00")
    s.clock("t01", "first_reply", "10-05 09:00", "met", priority="high", target_seconds=3_600,
            stopped_at=at("10-05 09:30"), due_at=at("10-05 10:00"), elapsed_seconds=1_800)  # fmt: skip
    s.clock("t01", "resolution", "10-05 09:00", "met", priority="high", target_seconds=28_800,
            stopped_at=at("10-05 12:00"), due_at=at("10-05 17:00"), elapsed_seconds=10_800)  # fmt: skip
    s.clock("t01", "acknowledgement", "10-05 09:00", "met", target_seconds=None,
            stopped_at=at("10-05 09:00"), elapsed_seconds=20)  # fmt: skip
    s.rating("t01", 5, "10-06 09:00")

    # First reply late by two hours, two replies. Bob owned it. Rated 2, then 4.
    s.ticket("t02", "zendesk", "web", "10-06 08:00", status="solved", assignee_key="agent-bob")
    s.comment("t02", "10-06 14:00", "agent")
    s.comment("t02", "10-07 07:00", "agent")
    s.comment("t02", "10-07 07:00", "agent", copy_of_key="comment-5")
    s.change("t02", "status", "new", "open", "10-06 14:00")
    s.change("t02", "status", "open", "solved", "10-07 08:00")
    s.clock("t02", "first_reply", "10-06 08:00", "breached", stopped_at=at("10-06 14:00"),
            due_at=at("10-06 12:00"), breached_at=at("10-06 12:00"), elapsed_seconds=21_600)  # fmt: skip
    s.clock("t02", "resolution", "10-06 08:00", "met", target_seconds=32_400,
            stopped_at=at("10-07 08:00"), due_at=at("10-07 12:00"), elapsed_seconds=20_000)  # fmt: skip
    s.rating("t02", 2, "10-08 09:00")
    s.rating("t02", 4, "10-09 09:00")

    # Critical, around the clock; resolution late by two hours; reopened by a thank-you, solved again in silence.
    s.ticket("t03", "freshdesk", "email", "10-10 00:00", status="solved", priority="critical")
    s.comment("t03", "10-10 00:10", "agent")
    s.change("t03", "status", "new", "solved", "10-10 06:00")
    s.change("t03", "status", "solved", "open", "10-11 00:00")
    s.change("t03", "status", "open", "solved", "10-11 01:00")
    s.clock("t03", "first_reply", "10-10 00:00", "met", priority="critical", calendar="24x7",
            target_seconds=900, stopped_at=at("10-10 00:10"), due_at=at("10-10 00:15"),
            elapsed_seconds=600)  # fmt: skip
    s.clock("t03", "resolution", "10-10 00:00", "breached", priority="critical", calendar="24x7",
            stopped_at=at("10-10 06:00"), due_at=at("10-10 04:00"), breached_at=at("10-10 04:00"),
            elapsed_seconds=21_600)  # fmt: skip
    s.rating("t03", 3, "10-12 09:00")

    # Everything decided in September, solved in October with one reply.
    s.ticket("t04", "info", "email", "09-20 10:00", status="solved", priority="low")
    s.comment("t04", "09-21 09:00", "agent")
    s.change("t04", "team", None, "team-a", "09-20 10:05")
    s.change("t04", "status", "new", "solved", "10-02 10:00")
    s.clock("t04", "first_reply", "09-20 10:00", "met", priority="low", target_seconds=32_400,
            stopped_at=at("09-21 09:00"), due_at=at("09-21 12:00"), elapsed_seconds=3_000)  # fmt: skip
    s.clock("t04", "resolution", "09-20 10:00", "breached", priority="low", target_seconds=97_200,
            stopped_at=at("10-02 10:00"), due_at=at("09-25 10:00"), breached_at=at("09-25 10:00"),
            elapsed_seconds=200_000)  # fmt: skip

    # No reply; the stored row was evaluated before the target ran out. Alice owned it then, Bob has it now.
    s.ticket("t05", "zendesk", "email", "10-30 10:00", assignee_key="agent-bob")
    s.change("t05", "assignee", None, "agent-alice", "10-30 10:00")
    s.change("t05", "assignee", "agent-alice", "agent-bob", "11-01 09:00")
    s.clock("t05", "first_reply", "10-30 10:00", "running", due_at=at("10-31 12:00"),
            elapsed_seconds=9_000, evaluated_at=at("10-31 08:00"))  # fmt: skip
    s.clock("t05", "resolution", "10-30 10:00", "running", target_seconds=100_000,
            due_at=at("11-05 10:00"), elapsed_seconds=85_000)  # fmt: skip

    # Left out: duplicate, spam, deleted after the period, copy made by a migration.
    s.ticket("t06", "zendesk", "email", "10-05 09:01", status="solved", solved_at=at("10-05 12:00"))
    s.add(
        tables.ticket_link, ticket_key="t06", other_key="t01", kind="duplicate_of", reason="same id"
    )
    s.clock(
        "t06", "first_reply", "10-05 09:01", "met", stopped_at=at("10-05 09:31"), elapsed_seconds=1
    )
    s.rating("t06", 1, "10-07 09:00")
    s.ticket("t07", "info", "email", "10-12 10:00", status="spam")
    s.change("t07", "status", "new", "spam", "10-12 11:00")
    s.clock("t07", "first_reply", "10-12 10:00", "cancelled")
    s.ticket("t08", "zendesk", "web", "10-15 10:00", status="deleted")
    s.change("t08", "status", "new", "deleted", "11-02 10:00")
    s.ticket("t09", "freshdesk", "email", "10-20 10:00")
    s.add(tables.ticket_link, ticket_key="t01", other_key="t09", kind="migrated_to", reason="run")

    # Begun by an agent.
    s.ticket("t10", "zendesk", "api", "10-28 08:00", status="solved")
    s.rows["comment"].pop()
    s.comment("t10", "10-28 08:00", "agent")
    s.comment("t10", "10-28 08:30", "agent")
    s.change("t10", "status", "new", "solved", "10-28 09:00")
    s.clock("t10", "resolution", "10-28 08:00", "met", stopped_at=at("10-28 09:00"),
            due_at=at("10-28 12:00"), elapsed_seconds=3_600)  # fmt: skip

    # 23:30 in Istanbul on the last evening; decided in November.
    s.ticket("t11", "info", "email", "10-31 20:30", status="solved")
    s.comment("t11", "10-31 21:30", "agent")
    s.change("t11", "status", "new", "solved", "11-01 10:00")
    s.clock("t11", "first_reply", "10-31 20:30", "met", stopped_at=at("10-31 21:30"),
            due_at=at("11-01 00:30"), elapsed_seconds=3_600)  # fmt: skip
    s.clock("t11", "resolution", "10-31 20:30", "met", target_seconds=97_200,
            stopped_at=at("11-01 10:00"), due_at=at("11-02 00:30"), elapsed_seconds=30_000)  # fmt: skip

    # Open since September, pending, nobody's.
    s.ticket("t12", "zendesk", "web", "09-15 10:00", status="pending", assignee_key=None)
    s.comment("t12", "09-15 11:00", "agent")
    s.change("t12", "status", "new", "pending", "09-15 11:00")
    s.clock("t12", "first_reply", "09-15 10:00", "met", stopped_at=at("09-15 11:00"),
            due_at=at("09-15 14:00"), elapsed_seconds=3_600)  # fmt: skip
    s.clock(
        "t12",
        "resolution",
        "09-15 10:00",
        "paused",
        elapsed_seconds=3_600,
        due_at=at("10-10 10:00"),
    )
    s.clock("t12", "next_reply", "09-16 10:00", "cancelled")

    # Solved without a reply, by a source that keeps no history.
    s.ticket("t13", "zendesk", "api", "10-20 08:00", status="solved", solved_at=at("10-21 08:00"))
    s.clock("t13", "first_reply", "10-20 08:00", "met", target_seconds=32_400,
            stopped_at=at("10-21 08:00"), due_at=at("10-21 09:00"), elapsed_seconds=28_000)  # fmt: skip
    s.clock("t13", "resolution", "10-20 08:00", "met", target_seconds=32_400,
            stopped_at=at("10-21 08:00"), due_at=at("10-21 09:00"), elapsed_seconds=28_000)  # fmt: skip

    # One reply, but its seven days end on 4 November, after the data. Rated 5 in November.
    s.ticket("t14", "freshdesk", "phone", "10-27 08:00", status="solved")
    s.comment("t14", "10-27 09:00", "agent")
    s.change("t14", "status", "new", "solved", "10-28 08:00")
    s.clock("t14", "first_reply", "10-27 08:00", "met", stopped_at=at("10-27 09:00"),
            due_at=at("10-27 12:00"), elapsed_seconds=3_600)  # fmt: skip
    s.clock("t14", "resolution", "10-27 08:00", "met", target_seconds=32_400,
            stopped_at=at("10-28 08:00"), due_at=at("10-28 09:00"), elapsed_seconds=28_000)  # fmt: skip
    s.rating("t14", 5, "11-02 09:00")

    # One reply, handed from team to team, without clocks.
    s.ticket("t15", "zendesk", "email", "10-08 08:00", status="solved", team_key="team-b")
    s.comment("t15", "10-08 09:00", "agent")
    s.change("t15", "team", "team-a", "team-b", "10-08 09:30")
    s.change("t15", "status", "new", "solved", "10-08 10:00")

    for key, ticket, action, late in (
        ("step-page", "t02", "page", True),
        ("step-warn", "t05", "warn", False),
        ("step-skip", "t03", "skipped", False),
    ):
        s.add(tables.escalation, escalation_key=key, ticket_key=ticket, step="no reply", level="L2",
              action=action, due_at=at("10-06 12:00"), decided_at=at("10-06 12:05"), is_late=late,
              person="Alice", reason="no human response 15 min", rule_version="2026-09")  # fmt: skip
    s.add(tables.delivery, delivery_key="d1", channel="pagerduty", destination="key", sequence=1,
          message_key="step-page", action="trigger", ticket_key="t02", body={}, attempts=1,
          created_at=at("10-06 12:05"), state="delivered", delivered_at=at("10-06 12:06"))  # fmt: skip

    for row in s.rows["ticket"]:
        if row["source_key"] in ("zendesk", "freshdesk"):
            s.raw(row["source_key"], row["remote_id"])
    s.raw("zendesk", "unreadable")
    s.raw("freshdesk", "gone-before-seen", is_tombstone=True)
    s.add(tables.quarantine, source_key="zendesk", stream="tickets", remote_id="unreadable",
          reason="missing created_at", transform_version="1")  # fmt: skip
    s.add(
        tables.sla_policy_version, policy="standard", version="2026-09", body="x", loaded_at=AS_OF
    )
    return s


@pytest.fixture
def october() -> Period:
    return month_period(2026, 10, ZONE)


@pytest.fixture
def story() -> Story:
    return small_story()


@pytest.fixture
def empty_story() -> Story:
    return Story()


@pytest.fixture
def as_of() -> datetime:
    return AS_OF


@pytest.fixture
def instant() -> Callable[[str], datetime]:
    return at


def many_tickets(count: int) -> Story:
    """`count` tickets over 180 days, two clocks each; every seventh target is broken, text is hostile now and then."""
    s = Story()
    s.add(tables.agent, agent_key="agent-alice", name="Alice", is_active=True)
    s.add(tables.organisation, organisation_key="organisation-one", name="One Ltd")
    first = AS_OF - timedelta(days=180)
    step = timedelta(days=180) / count
    subjects = (
        "Printer is offline",
        "=1+1",
        "+49 30 1234",
        "Rechnung für März fehlt",
        "@here help",
    )
    comments: list[dict[str, Any]] = s.rows.setdefault("comment", [])
    for number in range(count):
        key = f"t{number:06d}"
        created = first + step * number
        reply, solved = created + timedelta(hours=2), created + timedelta(hours=20)
        is_done = solved < AS_OF
        priority = ("critical", "high", "medium", "low")[number % 4]
        s.ticket(
            key, "zendesk", ("email", "web")[number % 2], "01-01 00:00",
            subject=subjects[number % 5], priority=priority,
            status="solved" if is_done else "open", created_at=created, updated_at=created,
        )  # fmt: skip
        comments[-1]["created_at"] = created
        s.comment(key, "01-01 00:00", "agent", created_at=reply)
        if is_done:
            s.change(key, "status", "new", "solved", "01-01 00:00")
            s.rows["ticket_change"][-1]["occurred_at"] = solved
        for metric, stopped, target in (
            ("first_reply", reply, 7_200),
            ("resolution", solved, 72_000),
        ):
            late = number % 7 == 0
            s.clock(
                key, metric, "01-01 00:00", "breached" if late else "met" if is_done else "running",
                priority=priority, started_at=created, target_seconds=target,
                stopped_at=stopped if is_done else None,
                due_at=created + timedelta(seconds=target // 2 if late else target),
                breached_at=created + timedelta(seconds=target // 2) if late else None,
                elapsed_seconds=target * 2 if late else target // 2,
            )  # fmt: skip
    return s


@pytest.fixture
def large_story() -> Callable[[int], Story]:
    return many_tickets
