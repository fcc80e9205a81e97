"""SIGKILL at random instants of `deskbridge serve` while webhooks come in: what was acknowledged is never lost.

DESKBRIDGE_SERVE_KILLS sets how many kills (3 by default), DESKBRIDGE_KILL_SEED their instants.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import Life
from connectors.standins.zendesk_sample import account
from connectors.standins.zendesk_webhooks import WebhookFaults, ZendeskWebhooks
from connectors.warehouse.engine import make_engine, reading
from connectors.warehouse.tables import comment, inbound_event, ticket

KILLS = int(os.environ.get("DESKBRIDGE_SERVE_KILLS", "3"))
SEED = int(os.environ.get("DESKBRIDGE_KILL_SEED", "20261124"))
SECRET = "a-signing-secret-made-up"


class Served:
    """The real command on a configuration of its own, always on the same port."""

    def __init__(self, folder: Path, address: str) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.folder = folder
        self.database = folder / "w.db"
        (folder / "deskbridge.yaml").write_text(
            f"warehouse: sqlite:///{self.database}\nclients:\n  acme:\n    time_zone: UTC\n    sources:\n"
            f"      - {{id: zendesk, type: zendesk, base_url: '{address}', email: ops@acme.example, "
            f"token: made-up-token, time_scale: 10000, webhook: {{secret: {SECRET}}}}}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.run("sync")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/acme/zendesk"

    def run(self, *words: str) -> None:
        subprocess.run(
            self._command(*words),
            cwd=self.folder,
            env=self._environment(),
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command("serve", "--port", str(self.port)), cwd=self.folder, env=self._environment(),
                stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise TimeoutError((self.folder / "serve.log").read_text())

    def end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "pipelines.cli", *words]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "DESKBRIDGE_CONFIG": str(self.folder / "deskbridge.yaml"),
        }


@pytest.fixture
def zendesk() -> Iterator[ZendeskStandin]:
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    with ZendeskStandin(
        account(20, lambda n: began + timedelta(minutes=n)), time_scale=10_000
    ) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_acknowledged_is_in_the_warehouse_however_often_it_is_killed(
    zendesk: ZendeskStandin, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    served = Served(tmp_path, zendesk.base_url)
    served.start()
    engine = make_engine(f"sqlite:///{served.database}")
    life = Life(zendesk, rng)
    numbers: list[int] = [1003, 1007, 1011]
    try:
        with ZendeskWebhooks(
            zendesk, served.url, SECRET, faults=WebhookFaults(repeated=0.3), rng=rng
        ) as sender:
            for _ in range(KILLS):
                killed_at = time.monotonic() + rng.uniform(0.05, 0.8)
                while time.monotonic() < killed_at:
                    with zendesk.lock:
                        numbers.append(life.new_ticket())
                        life.comment(rng.choice(numbers))
                        life.change(rng.choice(numbers), subject=f"Now {rng.randrange(10**9)}")
                    time.sleep(0.02)
                served.end(signal.SIGKILL)
                for _ in range(3):
                    # Nobody listens: the vendor tries thrice and gives up.
                    life.change(rng.choice(numbers), subject=f"Now {rng.randrange(10**9)}")
                served.start()
            sender.flush()
            taken, events = sender.taken, sender.events
        end = time.monotonic() + 120
        while _count(engine, "pending") and time.monotonic() < end:
            time.sleep(0.1)
        acknowledged = {f"acme/zendesk/{json.loads(body)['id']}" for body in taken}
        with reading(engine) as connection:
            states = dict(
                connection.execute(select(inbound_event.c.event_id, inbound_event.c.state)).all()
            )
        assert acknowledged <= states.keys(), "what was answered with 202 is there"
        assert set(states.values()) == {"done"}
        assert len(acknowledged) > events / 2
        told = {ticket_id for body in taken for ticket_id in [json.loads(body)["detail"]["id"]]}
        here = _tickets(engine)
        with zendesk.lock:
            there = {
                number: (
                    zendesk.state.tickets.get(int(number))["subject"],
                    zendesk.state.comment_count(int(number)),
                )
                for number in told
            }
        # A ticket whose last change nobody was there to hear of is the sync's.
        missing = told - here.keys()
        assert not missing
        lost = [number for number in told if here[number] != there[number]]
        assert len(lost) <= events - len(acknowledged)
        print(
            f"\n{KILLS} kills: {events} events, {len(acknowledged)} acknowledged, all kept and worked off; "
            f"{len(lost)} of {len(told)} tickets changed once more while nobody listened"
        )
        served.end(signal.SIGTERM)
        assert served.process is not None
        assert served.process.returncode == 0
        assert "Traceback" not in (tmp_path / "serve.log").read_text()
    finally:
        if served.process is not None and served.process.poll() is None:
            served.end(signal.SIGKILL)
        engine.dispose()


def _count(engine: object, state: str) -> int:
    with reading(engine) as connection:  # type: ignore[arg-type]
        query = (
            select(func.count()).select_from(inbound_event).where(inbound_event.c.state == state)
        )
        return connection.scalar(query) or 0


def _tickets(engine: object) -> dict[str, tuple[str, int]]:
    with reading(engine) as connection:  # type: ignore[arg-type]
        rows = connection.execute(
            select(ticket.c.remote_id, ticket.c.subject, func.count(comment.c.comment_key))
            .select_from(ticket.outerjoin(comment, comment.c.ticket_key == ticket.c.ticket_key))
            .group_by(ticket.c.remote_id, ticket.c.subject)
        ).all()
    return {row[0]: (row[1], row[2]) for row in rows}
