"""One tick of a client: clocks, timers, outbox. Runs each minute, and may run anywhere twice.

Belongs here: the order of these three. Does not belong here: the three themselves.
"""

import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.outbox_sender import deliver_due
from connectors.warehouse import escalations, outbox
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.types import iso_utc
from pipelines.escalate import escalate_client
from pipelines.measure import evaluate_client
from pipelines.rules import Rules, load_rules
from pipelines.runtime import Runtime
from pipelines.settings import SettingsError
from pipelines.wiring import destinations_of, fallback_of, open_notifiers

MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class TickReport:
    """What one tick, or a rehearsal of many, did."""

    client_key: str
    ticks: int = 0
    tickets: int = 0
    clocks: int = 0
    fired: int = 0
    skipped: int = 0
    cancelled: int = 0
    queued: int = 0
    delivered: int = 0
    retried: int = 0
    dead: int = 0
    pending: int = 0


def tick_client(runtime: Runtime, client_key: str, as_of: datetime) -> TickReport:
    """Brings a client's clocks to `as_of`, settles due timers, sends what is due.

    Timers are never settled for an instant before the last tick's: what was decided stays decided.
    """
    rules = load_rules(runtime.settings, client_key, as_of.date())
    report = TickReport(client_key)
    decide(runtime, client_key, rules, as_of, report)
    send(runtime, client_key, report)
    return report


def refuse_to_go_back(runtime: Runtime, client_key: str, as_of: datetime) -> None:
    """Refuses a tick for an instant before the last one: it would set the clocks back for everybody.

    Raises:
        SettingsError: the instant lies before the last tick.
    """
    with reading(runtime.engine) as connection:
        last = escalations.last_tick(connection, client_key)
    if last is not None and as_of < last:
        raise SettingsError(
            f"client {client_key} was ticked up to {iso_utc(last)}, expected an instant after that; what was at "
            f"{iso_utc(as_of)} is shown by deskbridge explain TICKET --as-of and deskbridge report --as-of"
        )


def tick_all(runtime: Runtime, as_of: datetime) -> tuple[list[TickReport], dict[str, Exception]]:
    """One tick of every client; one that fails leaves the others alone.

    Returns:
        What was done, and client → what went wrong.
    """
    reports: list[TickReport] = []
    failures: dict[str, Exception] = {}
    for client_key in runtime.settings.clients:
        try:
            reports.append(tick_client(runtime, client_key, as_of))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next client's pages must not wait for it
            failures[client_key] = error
    return reports, failures


def rehearse_client(
    runtime: Runtime,
    client_key: str,
    start: datetime,
    end: datetime,
    on_tick: Callable[[datetime, TickReport], None] = lambda _as_of, _report: None,
) -> TickReport:
    """What the minutes from `start` to `end` would have done, had ticks run all the while.

    Only minutes in which something comes due are ticked. Nothing that came after a minute is seen in it.
    Killed anywhere, the next call goes on with the minute that was not finished.
    """
    rules = load_rules(runtime.settings, client_key, end.date())
    report = TickReport(client_key)
    with reading(runtime.engine) as connection:
        last = escalations.last_tick(connection, client_key)
    as_of = min(max(start, last or start), end)
    while True:
        # At the end every clock stands at one instant, however often this was killed on the way.
        decide(runtime, client_key, rules, as_of, report, full=as_of >= end)
        send(runtime, client_key, report)
        on_tick(as_of, report)
        if as_of >= end:
            return report
        with reading(runtime.engine) as connection:
            upcoming = escalations.next_instant(connection, client_key, as_of)
        as_of = min(_whole_minute(upcoming), end) if upcoming is not None else end


def decide(
    runtime: Runtime,
    client_key: str,
    rules: Rules,
    as_of: datetime,
    report: TickReport,
    *,
    full: bool = False,
) -> None:
    """Clocks and timers at `as_of`; adds to the report. `full` also brings clocks there that did not move."""
    client = runtime.settings.client(client_key)
    with reading(runtime.engine) as connection:
        last = escalations.last_tick(connection, client_key)
    measured = evaluate_client(runtime.engine, client_key, rules, as_of, full=full)
    report.ticks += 1
    report.tickets += measured.tickets
    report.clocks += measured.clocks
    if last is not None and as_of < last:
        return
    settled = escalate_client(
        runtime.engine,
        client_key,
        client.name or client_key,
        rules,
        destinations_of(client),
        client.live_from,
        as_of,
        runtime.now(),
    )
    report.fired += settled.by_outcome["fire"]
    report.skipped += settled.by_outcome["skip"]
    report.cancelled += settled.by_outcome["cancel"]
    report.queued += settled.queued


def send(runtime: Runtime, client_key: str, report: TickReport) -> None:
    """Sends what is due in the client's lanes; adds to the report."""
    client = runtime.settings.client(client_key)
    owner = f"{socket.gethostname()}:{client_key}"
    with reading(runtime.engine) as connection:
        waiting = _waiting(outbox.counts(connection, client_key))
    if waiting:
        with open_notifiers(client) as notifiers:
            sent = deliver_due(
                runtime.engine,
                notifiers,
                runtime.sending_clock,
                owner,
                random.random,
                client_key=client_key,
                fallback=fallback_of(client),
            )
        report.delivered += sent.delivered
        report.retried += sum(lane.retried for lane in sent.lanes.values())
    with reading(runtime.engine) as connection:
        counts = outbox.counts(connection, client_key)
    report.pending = _waiting(counts)
    report.dead = sum(count for (_, state), count in counts.items() if state == "dead")


def take_back_leases(runtime: Runtime, client_key: str) -> None:
    """Frees what a worker of this machine and client held when it died; for a lone worker's start."""
    with writing(runtime.engine) as connection:
        outbox.release_own(connection, f"{socket.gethostname()}:{client_key}")


def _waiting(counts: dict[tuple[str, str], int]) -> int:
    return sum(count for (_, state), count in counts.items() if state == "pending")


def _whole_minute(instant: datetime) -> datetime:
    """The first whole minute at or after an instant: when the minute's tick would have seen it."""
    floor = instant.replace(second=0, microsecond=0)
    return floor if floor == instant else floor + MINUTE
