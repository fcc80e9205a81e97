"""From a change at the helpdesk to the ticket in the warehouse, by webhook: `python -m tests.bench.webhooks [EVENTS]`.

Stand-in, sender, receiver and workers share one process and its interpreter lock, so that real ones are faster. Limits of
the stand-in are scaled away; the calls are counted.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, select

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import Life
from connectors.standins.zendesk_sample import account
from connectors.standins.zendesk_webhooks import WebhookFaults, ZendeskWebhooks
from connectors.warehouse import inbound
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import inbound_event, ticket
from pipelines.ingest import ingest_client
from pipelines.runtime import runtime_on
from pipelines.serve import Serve
from pipelines.settings import load_settings
from tests.bench.speed import empty_warehouse, postgres

SECRET = "a-signing-secret-made-up"


@dataclass(frozen=True, slots=True)
class Paced:
    """Changes one after the other; seconds rising, from the vendor's request to the ticket written."""

    changes: int
    seconds: Sequence[float]
    answer_seconds: Sequence[float]


@dataclass(frozen=True, slots=True)
class Burst:
    """All at once, each about another ticket."""

    events: int
    answers: Counter[int]
    answer_seconds: Sequence[float]
    taken_seconds: float
    """Until the last one was answered."""
    transactions: int
    here_seconds: float
    """Until the last ticket was in the warehouse."""
    calls: int
    tickets: int


def measured(engine: Engine, folder: Path, changes: int, burst: int) -> tuple[Paced, Burst]:
    """Both figures on a prepared, empty warehouse."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    data = account(50, lambda n: began + timedelta(minutes=n))
    with ZendeskStandin(data, time_scale=100_000) as zendesk:
        file = folder / "deskbridge.yaml"
        file.write_text(
            "warehouse: sqlite:///unused.db\nclients:\n  acme:\n    time_zone: UTC\n    sources:\n"
            f"      - {{id: zendesk, type: zendesk, base_url: '{zendesk.base_url}', email: ops@acme.example, "
            f"token: made-up-token, time_scale: 100000, webhook: {{secret: '{SECRET}'}}}}\n"
        )
        runtime = runtime_on(engine, load_settings(file))
        assert ingest_client(runtime, "acme").errors == []
        life = Life(zendesk, random.Random(1))
        with Serve(runtime, ["acme"]).start("127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.receiver.port}/hooks/acme/zendesk"
            paced = _paced(engine, zendesk, life, url, changes)
            return paced, _burst(engine, zendesk, life, url, burst, server)


def _paced(engine: Engine, zendesk: ZendeskStandin, life: Life, url: str, changes: int) -> Paced:
    with ZendeskWebhooks(zendesk, url, SECRET) as sender:
        for n in range(changes):
            life.comment(1001 + n % 50)
            sender.flush()
            time.sleep(0.1)
        _wait_for(engine, sender.events)
        with reading(engine) as connection:
            state = inbound.states(connection, "acme")["zendesk"]
        return Paced(changes, state.seconds, sorted(sender.seconds))


def _burst(
    engine: Engine, zendesk: ZendeskStandin, life: Life, url: str, events: int, server: Serve
) -> Burst:
    with reading(engine) as connection:
        before = connection.scalar(select(func.count()).select_from(inbound_event)) or 0
    sender = ZendeskWebhooks(
        zendesk, url, SECRET, faults=WebhookFaults(is_shuffled=True), connections=32
    )
    with sender:
        for _ in range(events):
            life.new_ticket()
        transactions, calls = server.receiver.transactions, sum(zendesk.calls.values())
        started = time.perf_counter()
        sender.flush(300)
        taken = time.perf_counter() - started
        transactions = server.receiver.transactions - transactions
        _wait_for(engine, before + events)
        here = time.perf_counter() - started
    with reading(engine) as connection:
        tickets = connection.scalar(select(func.count()).select_from(ticket)) or 0
    answers: Counter[int] = Counter()
    for (_, status), count in sender.answers.items():
        answers[status] += count
    return Burst(
        events, answers, sorted(sender.seconds), taken, transactions, here,
        sum(zendesk.calls.values()) - calls, tickets,
    )  # fmt: skip


def _wait_for(engine: Engine, events: int, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    query = select(func.count()).select_from(inbound_event).where(inbound_event.c.state == "done")
    while time.monotonic() < end:
        with reading(engine) as connection:
            if connection.scalar(query) == events:
                return
        time.sleep(0.01)
    raise TimeoutError(f"{events} events were not worked off in {seconds} s")


def at(rising: Sequence[float], share: float) -> float:
    """The value below which that share of the others lies."""
    return rising[int((len(rising) - 1) * share)]


def report(name: str, paced: Paced, burst: Burst) -> str:
    """Both figures in words."""
    return (
        f"{name}: {paced.changes} changes one by one: hook to ticket median {at(paced.seconds, 0.5):.2f} s, "
        f"p95 {at(paced.seconds, 0.95):.2f} s, most {paced.seconds[-1]:.2f} s; answered in {at(paced.answer_seconds, 0.5) * 1000:.0f} ms "
        f"(p95 {at(paced.answer_seconds, 0.95) * 1000:.0f})\n"
        f"{name}: {burst.events} at once: {dict(burst.answers)} in {burst.taken_seconds:.1f} s, answer median "
        f"{at(burst.answer_seconds, 0.5) * 1000:.0f} ms, p99 {at(burst.answer_seconds, 0.99) * 1000:.0f} ms, "
        f"{burst.transactions} transactions; all tickets here after {burst.here_seconds:.1f} s, {burst.calls} calls"
    )


def main() -> None:
    """Prints the figures for SQLite and, where one can be started, PostgreSQL."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with postgres() as server_url:
        for kind in ("sqlite", "postgresql") if server_url else ("sqlite",):
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                with empty_warehouse(kind, place, server_url) as engine:
                    print(report(kind, *measured(engine, place, 50, events)), flush=True)


if __name__ == "__main__":
    main()
