"""Planning again decides anew about what did not set out, and leaves alone what did."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.warehouse import ledger
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import migration_run
from migrations.plan import Plan, make_plan
from migrations.rules import ExclusionRule
from pipelines.ingest import ingest_client
from pipelines.runtime import Runtime, opened

NOW = datetime(2026, 11, 4, 13, tzinfo=UTC)

MAILS = """\
From ada@customer.example Mon Mar  2 09:00:00 2026
From: ada@customer.example
To: info@acme.example
Subject: Order 4711
Date: Mon, 02 Mar 2026 09:00:00 +0000
Message-ID: <1@customer.example>

Where is it?

From shop@offers.example Tue Mar  3 09:00:00 2026
From: shop@offers.example
To: info@acme.example
Subject: Cheap paper
Date: Tue, 03 Mar 2026 09:00:00 +0000
Message-ID: <2@offers.example>

Buy now.

"""

CONFIG = """\
warehouse: sqlite:///warehouse.db
clock: 2026-11-04T13:00:00Z
clients:
  acme:
    time_zone: UTC
    sources:
      - {id: old, type: mbox, path: old.mbox, own_addresses: [info@acme.example]}
"""

OFFERS = ExclusionRule("offers", senders=("@offers.example",))


@pytest.fixture
def runtime(tmp_path: Path):
    (tmp_path / "old.mbox").write_text(MAILS)
    (tmp_path / "deskbridge.yaml").write_text(CONFIG)
    with opened(tmp_path / "deskbridge.yaml") as runtime:
        assert not ingest_client(runtime, "acme").errors
        yield runtime


def plan(runtime: Runtime, *rules: ExclusionRule) -> Plan:
    return make_plan(runtime.engine, "acme", "old", "new", rules, NOW)


def test_another_rule_decides_anew_and_back(runtime: Runtime) -> None:
    first = plan(runtime)
    assert first.mails == {"moved": 2}
    assert plan(runtime, OFFERS).mails == {"moved": 1, "excluded": 1}
    again = plan(runtime)
    assert (again.mails, again.plan_sha256) == (first.mails, first.plan_sha256)


def test_what_has_set_out_keeps_its_line(runtime: Runtime) -> None:
    run_key = plan(runtime).run_key
    with writing(runtime.engine) as connection:
        for item in ledger.items(connection, run_key, "ticket"):
            ledger.set_items(connection, [item | {"state": "done", "target_remote_id": "9"}])
    assert plan(runtime, OFFERS).mails == {"moved": 2}


def test_a_refused_conversation_stays_refused(runtime: Runtime) -> None:
    run_key = plan(runtime).run_key
    refused = {"state": "done", "decision": "held", "reason": "the target refused it: too long"}
    with writing(runtime.engine) as connection:
        for kind in ("ticket", "mail"):
            items = ledger.items(connection, run_key, kind)
            ledger.set_items(connection, [item | refused for item in items])
    assert plan(runtime).mails == {"held": 2}


def test_planning_twice_changes_nothing(runtime: Runtime) -> None:
    def everything() -> list[tuple]:
        with reading(runtime.engine) as connection:
            items = [
                tuple(i.values())
                for k in ("mail", "ticket")
                for i in ledger.items(connection, run_key, k)
            ]
            return [*items, *map(tuple, connection.execute(select(migration_run)))]

    run_key = plan(runtime, OFFERS).run_key
    before = everything()
    plan(runtime, OFFERS)
    assert everything() == before
