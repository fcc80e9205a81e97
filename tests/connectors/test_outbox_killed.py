"""Senders that are really killed, and senders that run at once: each page opens one incident."""

import random
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from connectors.outbox_sender import deliver_due
from connectors.pagerduty import PagerDutyNotifier
from connectors.slack import SlackNotifier
from connectors.standins.pagerduty import PagerDutyStandIn
from connectors.standins.slack import SlackStandIn
from connectors.warehouse import audit, outbox
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.outbox import NewDelivery
from connectors.warehouse.tables import delivery

KEY = "0123456789abcdef0123456789abcdef"
CREATED = datetime(2026, 11, 24, 12, tzinfo=UTC)

SENDER = textwrap.dedent(
    """
    import random, sys
    from datetime import UTC, datetime
    from connectors.outbox_sender import deliver_due
    from connectors.pagerduty import PagerDutyNotifier
    from connectors.slack import SlackNotifier
    from connectors.warehouse.engine import make_engine

    url, pager, slack, owner, key = sys.argv[1:]
    engine = make_engine(url)
    with PagerDutyNotifier(key, base_url=pager, destination="ops") as pages:
        print("ready", flush=True)
        while True:
            deliver_due(engine, [pages, SlackNotifier("xoxb-1", "#support", base_url=slack)],
                        lambda: datetime.now(UTC), owner, random.random)
    """
)


def rows(count: int) -> list[NewDelivery]:
    body = {"title": "down", "severity": "critical"}
    return [
        NewDelivery("acme", channel, destination, f"v1:acme:t{n}:1:l2", "trigger", body, CREATED)
        for n in range(count)
        for channel, destination in (("pagerduty", "ops"), ("slack", "#support"))
    ]


def end_leases(engine: Engine) -> int:
    """What two minutes of waiting do; and how many sends were cut off."""
    with writing(engine) as connection:
        return connection.execute(
            update(delivery)
            .where(delivery.c.state == "pending", delivery.c.lease_owner.is_not(None))
            .values(lease_until=CREATED)
        ).rowcount


@pytest.mark.slow
def test_killed_processes_lose_nothing_and_page_once(sqlite_engine: Engine, tmp_path: Path) -> None:
    chance = random.Random(3)
    cut_off = 0
    with (
        PagerDutyStandIn(events_per_minute=100_000) as pager,
        SlackStandIn(posts_per_second=100_000) as slack,
    ):
        for server, route in ((pager, "enqueue"), (slack, "chat.postMessage")):
            server.faults.add(route, "delay", delay_seconds=0.02, times=None)
        with writing(sqlite_engine) as connection:
            outbox.enqueue(connection, rows(60))
        for turn in range(30):
            with subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    SENDER,
                    str(sqlite_engine.url),
                    pager.base_url,
                    slack.api_url,
                    f"p{turn}",
                    KEY,
                ],
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
                time.sleep(chance.uniform(0.05, 0.3))
                process.kill()
            cut_off += end_leases(sqlite_engine)
            with reading(sqlite_engine) as connection:
                if {state for _, state in outbox.counts(connection)} == {"delivered"}:
                    break
        with reading(sqlite_engine) as connection:
            assert outbox.counts(connection) == {
                ("pagerduty", "delivered"): 60,
                ("slack", "delivered"): 60,
            }
            chain = audit.verify(connection, "acme")
        assert cut_off > 3, "the kills hit senders at work"
        assert (chain.holds, chain.entries) == (True, 120)
        assert len(pager.incidents) == 60
        assert all(incident.notifications == 1 for incident in pager.incidents)
        keys = [post["metadata"]["event_payload"]["key"] for post in slack.posts]
        assert len(keys) == len(set(keys)) == 60


def test_senders_at_once_send_each_message_once(engine: Engine) -> None:
    failures: list[Exception] = []
    clock = CREATED + timedelta(seconds=1)
    with (
        PagerDutyStandIn(events_per_minute=100_000) as pager,
        SlackStandIn(posts_per_second=100_000) as slack,
        PagerDutyNotifier(KEY, base_url=pager.base_url, destination="ops") as pages,
    ):
        chat = SlackNotifier("xoxb-1", "#support", base_url=slack.api_url)
        with writing(engine) as connection:
            outbox.enqueue(connection, rows(50))

        def work(name: str) -> None:
            try:
                deliver_due(engine, [pages, chat], lambda: clock, name, lambda: 0.5)
            except Exception as error:  # noqa: BLE001 - looked at below
                failures.append(error)

        threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert pager.calls["enqueue"] == 50
        assert len(slack.posts) == 50
    with reading(engine) as connection:
        chain = audit.verify(connection, "acme")
    assert (chain.holds, chain.entries) == (True, 100)
