"""The loop for what cannot wait: fresh tickets ahead of the export, and ticks."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import Life
from connectors.standins.zendesk_sample import Clock, account
from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import comment, raw_record, ticket
from pipelines.ingest import ingest_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings
from pipelines.watch import Round, Watch


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zendesk(clock: Clock) -> Iterator[ZendeskStandin]:
    with ZendeskStandin(account(20), now=clock, time_scale=10_000) as running:
        yield running


@pytest.fixture
def runtime(engine: Engine, tmp_path: Path, zendesk: ZendeskStandin, clock: Clock) -> Runtime:
    file = tmp_path / "deskbridge.yaml"
    file.write_text(
        "warehouse: sqlite:///unused.db\n"
        "clients:\n"
        "  acme:\n"
        "    time_zone: UTC\n"
        "    sources:\n"
        f"      - {{id: zendesk, type: zendesk, base_url: '{zendesk.base_url}', "
        "email: ops@acme.example, token: made-up-token, time_scale: 10000}\n"
    )
    return runtime_on(engine, load_settings(file), clock)


def subjects(runtime: Runtime) -> set[str]:
    with reading(runtime.engine) as connection:
        return set(connection.scalars(select(ticket.c.subject)))


def test_a_fresh_ticket_is_here_before_the_export_gives_it(
    runtime: Runtime, zendesk: ZendeskStandin, clock: Clock
) -> None:
    assert ingest_client(runtime, "acme").errors == []
    watch = Watch(runtime, ["acme"], 15)
    clock.move(600)
    life = Life(zendesk, random.Random(1))
    number = life.new_ticket()
    life.comment(1005)
    clock.move(5)
    ingest_client(runtime, "acme")
    with reading(runtime.engine) as connection:
        known = set(connection.scalars(select(ticket.c.remote_id)))
    assert str(number) not in known, "the export leaves the last minute out"

    (done,) = watch.round()
    assert done.errors == []
    assert done.lane is not None
    assert done.tick is not None
    with reading(runtime.engine) as connection:
        assert str(number) in set(connection.scalars(select(ticket.c.remote_id)))
        there = connection.execute(
            select(comment.c.body_text)
            .join(ticket, ticket.c.ticket_key == comment.c.ticket_key)
            .where(ticket.c.remote_id == "1005")
        ).all()
    assert len(there) == 2
    before = zendesk.calls.copy()
    (quiet,) = watch.round()
    assert quiet.lane is not None
    assert (quiet.lane.hinted, quiet.lane.stored) == (0, 0)
    assert sum(zendesk.calls.values()) - sum(before.values()) == 1, "an idle round is one call"

    # The export brings the same later: nothing is twice, and the end is as if there had been no fast lane.
    clock.move(600)
    ingest_client(runtime, "acme")
    with reading(runtime.engine) as connection:
        events = connection.execute(
            select(raw_record.c.remote_id).where(raw_record.c.stream == "ticket_events")
        ).all()
        sums = warehouse_checksums(connection)
    assert len(events) == len(set(events))
    ingest_client(runtime, "acme")
    with reading(runtime.engine) as connection:
        assert warehouse_checksums(connection) == sums


def test_a_source_that_is_down_is_left_alone_for_a_while_and_ticks_go_on(
    runtime: Runtime, zendesk: ZendeskStandin
) -> None:
    ingest_client(runtime, "acme")
    watch = Watch(runtime, ["acme"], 15)
    zendesk.faults.add("*", "status", status=401, body=b"{}")
    (failed,) = watch.round()
    assert "client acme, source zendesk" in failed.errors[0]
    assert failed.tick is not None
    (skipped,) = watch.round()
    assert skipped.lane is None
    assert skipped.tick is not None
    zendesk.faults.clear()
    for _ in range(8):
        (done,) = watch.round()
    assert done.lane is not None
    assert done.errors == []


def test_the_loop_ends_when_it_is_told_to(runtime: Runtime) -> None:
    stop = threading.Event()
    rounds: list[Round] = []

    def seen(done: list[Round]) -> None:
        rounds.extend(done)
        if len(rounds) == 3:
            stop.set()

    ingest_client(runtime, "acme")
    Watch(runtime, ["acme"], 0.01).run(stop, seen)
    assert len(rounds) == 3
