"""Everything that Zendesk's further products say, from the stand-in to the warehouse and to `explain`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from connectors.standins.faults import FaultKind
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_product_sample import rich_account
from connectors.standins.zendesk_sample import Clock
from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import (
    agent,
    comment,
    contact_identity,
    quarantine,
    satisfaction_rating,
    source_sla_event,
    team,
    team_member,
    ticket,
)
from pipelines.explain import explain_ticket
from pipelines.ingest import ingest_client
from pipelines.rebuild import rebuild_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings

CONFIGURATION = """
warehouse: {url}
clients:
  acme:
    time_zone: Europe/Istanbul
    live_from: 2026-07-01T00:00:00+03:00
    sources:
      - id: zendesk
        type: zendesk
        base_url: {address}
        email: ops@acme.example
        token: made-up-token
        time_scale: 1000
        status_map: {{Waiting for parts: on_hold}}
    sla: [standard.yaml]
"""

Row = dict[str, Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zendesk(clock: Clock) -> Iterator[ZendeskStandin]:
    data = rich_account()
    data["users"][2]["time_zone"] = "Eastern Time (US & Canada)"
    with ZendeskStandin(data, now=clock, time_scale=1_000) as standin:
        yield standin


@pytest.fixture
def runtime(engine: Engine, zendesk: ZendeskStandin, clock: Clock, tmp_path: Path) -> Runtime:
    path = tmp_path / "deskbridge.yaml"
    url = engine.url.render_as_string(hide_password=False)
    path.write_text(CONFIGURATION.format(url=url, address=zendesk.base_url), "utf-8")
    runtime = runtime_on(engine, load_settings(path), clock)
    assert ingest_client(runtime, "acme").errors == []
    return runtime


def rows(engine: Engine, statement: Any) -> list[Row]:
    with reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(statement)]


def checksums(engine: Engine) -> Any:
    with reading(engine) as connection:
        return warehouse_checksums(connection)


def test_every_product_reaches_its_table(engine: Engine, runtime: Runtime) -> None:
    tickets = {row["number"]: row for row in rows(engine, select(ticket))}
    assert rows(engine, select(quarantine)) == []
    first = tickets["1001"]
    assert (first["status"], first["source_status"]) == ("on_hold", "Waiting for parts")
    assert first["fields"]["Card"] == "Visa"
    assert first["source_verdict"]["sla"]["reply_time 1"]["target_seconds"] == 3_600
    assert tickets["suspended-435"]["status"] == "spam"

    events = rows(engine, select(source_sla_event).order_by(source_sla_event.c.remote_id))
    assert len(events) == 8
    assert {row["ticket_key"] for row in events} == {first["ticket_key"]}
    assert [row["remote_id"] for row in events if row["type"] == "breach"] == ["503"]

    scores = rows(engine, select(satisfaction_rating.c.score, satisfaction_rating.c.ticket_key))
    assert {row["ticket_key"]: row["score"] for row in scores} == {
        first["ticket_key"]: 4,
        tickets["1003"]["ticket_key"]: 2,
    }
    addresses = rows(engine, select(contact_identity).where(contact_identity.c.kind == "email"))
    assert {row["value"] for row in addresses} >= {
        "ayse@customer.example",
        "ayse.privately@home.example",
    }
    (boris,) = rows(engine, select(agent).where(agent.c.name == "Boris"))
    assert boris["time_zone"] == "America/New_York"
    said = rows(engine, select(comment).where(comment.c.raw_stream == "side_conversations"))
    assert sorted(row["author_kind"] for row in said) == ["agent", "unknown"]
    assert {row["is_public"] for row in said} == {False}


def test_team_has_its_agents_now_and_loses_who_left(
    engine: Engine, runtime: Runtime, zendesk: ZendeskStandin
) -> None:
    def members() -> list[tuple[str, str]]:
        statement = (
            select(team.c.name.label("team"), agent.c.name.label("agent"))
            .join_from(team_member, team, team.c.team_key == team_member.c.team_key)
            .join(agent, agent.c.agent_key == team_member.c.agent_key)
            .order_by(agent.c.name)
        )
        return [(row["team"], row["agent"]) for row in rows(engine, statement)]

    assert members() == [("Support", "Boris"), ("Support", "Deskbridge")]
    teams = rows(engine, select(team.c.name, team.c.is_active).order_by(team.c.name))
    assert teams == [
        {"name": "Fax desk", "is_active": False},
        {"name": "Support", "is_active": True},
    ]
    with zendesk.lock:
        del zendesk.products.rows["group_memberships"][1]
    assert ingest_client(runtime, "acme").errors == []
    assert members() == [("Support", "Boris")]


def test_again_and_rebuilt_all_is_the_same(engine: Engine, runtime: Runtime) -> None:
    before = checksums(engine)
    assert ingest_client(runtime, "acme").errors == []
    assert checksums(engine) == before
    rebuild_client(runtime, "acme")
    assert checksums(engine) == before


def test_sync_when_cut_at_any_call_and_taken_up_again_then_ends_the_same(
    new_engine: Callable[[], Engine],
    zendesk: ZendeskStandin,
    clock: Clock,
    tmp_path: Path,
) -> None:
    """Calls all over a sync fail, those beside a page too; nothing is lost, nothing twice.

    With DESKBRIDGE_EVERY_CALL=1 every one of them.
    """
    step = int(os.environ.get("DESKBRIDGE_EVERY_CALL", "3"))
    kinds: tuple[FaultKind, ...] = ("drop_reply", "truncate")
    path = tmp_path / "deskbridge.yaml"
    text = CONFIGURATION.replace("status_map", "tries: 1\n        status_map")
    path.write_text(text.format(url="sqlite:///unused.db", address=zendesk.base_url), "utf-8")
    settings = load_settings(path)

    def ingested(engine: Engine) -> bool:
        return ingest_client(runtime_on(engine, settings, clock), "acme").errors == []

    whole = new_engine()
    assert ingested(whole)
    expected = checksums(whole)
    calls = sum(zendesk.calls.values())
    assert calls >= 16
    cut = 0
    for number in range(1, calls, step):
        engine = new_engine()
        zendesk.faults.add("*", kinds[number % 2], after=number)
        cut += not ingested(engine)
        zendesk.faults.clear()
        assert ingested(engine)
        assert checksums(engine) == expected, number
    assert cut == len(range(1, calls, step))


def test_breach_that_the_vendor_withdraws_later_is_gone(
    engine: Engine, runtime: Runtime, zendesk: ZendeskStandin, clock: Clock
) -> None:
    with zendesk.lock:
        breach = zendesk.products.rows["ticket_metric_events"][2]
        breach["deleted"] = True
    clock.move(600)
    assert ingest_client(runtime, "acme").errors == []
    told = rows(engine, select(source_sla_event.c.type, source_sla_event.c.metric))
    assert ("breach", "reply_time") not in {(row["type"], row["metric"]) for row in told}
    (first,) = rows(engine, select(ticket).where(ticket.c.number == "1001"))
    assert "breached_at" not in first["source_verdict"]["sla"]["reply_time 1"]


def test_recovered_mail_is_a_ticket_and_what_was_held_back_stays(
    engine: Engine, runtime: Runtime, zendesk: ZendeskStandin, clock: Clock
) -> None:
    with zendesk.lock:
        zendesk.products.rows["suspended_tickets"].clear()
    clock.move(600)
    assert ingest_client(runtime, "acme").errors == []
    (one,) = rows(engine, select(ticket).where(ticket.c.number == "suspended-435"))
    assert (one["status"], one["subject"]) == ("spam", "Where is my order")


def test_explain_shows_what_the_source_says_of_its_own_sla(runtime: Runtime, clock: Clock) -> None:
    sections = explain_ticket(runtime, "1001", "acme", clock())
    section = next(one for one in sections if "of its own SLA" in one.title)
    assert section.columns == ("when", "metric", "what", "policy", "target#")
    # Istanbul is three hours ahead; `activate` of a metric that nothing promises is left out.
    assert section.rows == [
        ["2026-05-30 15:01:00", "reply_time", "activate", "–", "–"],
        ["2026-05-30 15:01:00", "reply_time", "apply sla", "Gold", "1:00:00"],
        ["2026-05-30 15:01:00", "agent_work_time", "activate", "–", "–"],
        ["2026-05-30 15:01:00", "agent_work_time", "apply sla", "Gold", "0:10:00"],
        ["2026-05-30 16:01:00", "reply_time", "breach", "–", "–"],
        ["2026-05-30 16:07:40", "reply_time", "fulfill", "–", "–"],
    ]
    assert not [s for s in explain_ticket(runtime, "1004", "acme", clock()) if "own SLA" in s.title]
