"""Evaluates a client's SLA clocks: only tickets whose history moved, or whose clock ran out since.

Belongs here: which tickets are evaluated and in which transactions. Does not belong here: what a clock means
(`sla_rules.engine`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from connectors.warehouse import history
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.history import Histories
from pipelines.history import told
from pipelines.rules import Rules, is_reply_metric
from sla_rules.engine import ClockRow, evaluate
from sla_rules.history import Event

TICKETS_PER_BATCH = 2_000


@dataclass(slots=True)
class MeasureReport:
    """What one evaluation did; `states` counts the clocks it wrote by state."""

    client_key: str
    as_of: datetime
    tickets: int = 0
    clocks: int = 0
    rows_changed: int = 0
    states: Counter[str] = field(default_factory=Counter)


def evaluate_client(
    engine: Engine, client_key: str, rules: Rules, as_of: datetime, *, full: bool = False
) -> MeasureReport:
    """Brings a client's clocks to `as_of`.

    Args:
        engine: the warehouse.
        client_key: whose clocks.
        rules: the client's policies.
        as_of: aware instant; nothing that came after it is seen.
        full: evaluates every ticket, also those that nothing happened to.
    """
    report = MeasureReport(client_key, as_of)
    with reading(engine) as connection:
        # First how far the history goes: what is written while the rest is read stays due.
        newest = history.newest_revision(connection, client_key)
        in_use = history.policies_in_use(connection, client_key)
        # Other promises than last time: nothing happened to the tickets, and yet their clocks differ.
        full = full or not in_use.issuperset((p.name, p.version) for p in rules.policies)
        keys = history.all_ticket_keys(connection, client_key) if full else []
        due = history.due_ticket_keys(connection, client_key, as_of)
    keys = list(dict.fromkeys([*keys, *due]))
    if keys:
        with writing(engine) as connection:
            history.set_evaluated(connection, client_key, as_of, newest, is_complete=False)
    for batch in chunks(keys, TICKETS_PER_BATCH):
        with reading(engine) as connection:
            histories = history.read_histories(connection, batch)
        rows = clock_rows(histories, client_key, rules, as_of)
        with writing(engine) as connection:
            report.rows_changed += history.write_clocks(connection, batch, rows)
        report.tickets += len(histories.tickets)
        report.clocks += len(rows)
        report.states.update(row["state"] for row in rows)
    with writing(engine) as connection:
        if keys:
            versions = [(p.name, p.version, rules.texts[p.name]) for p in rules.policies]
            history.write_policy_versions(connection, client_key, versions, as_of)
        history.set_evaluated(connection, client_key, as_of, newest)
    return report


def clocks_as_of(
    engine: Engine, client_key: str, rules: Rules, as_of: datetime
) -> Iterator[dict[str, Any]]:
    """Every clock row of a client as of an instant, evaluated afresh and written nowhere."""
    with reading(engine) as connection:
        keys = history.all_ticket_keys(connection, client_key)
        for batch in chunks(keys, TICKETS_PER_BATCH):
            histories = history.read_histories(connection, batch)
            yield from clock_rows(histories, client_key, rules, as_of)


def clock_rows(
    histories: Histories, client_key: str, rules: Rules, as_of: datetime
) -> list[dict[str, Any]]:
    """The rows of `sla_clock` of some tickets."""
    facts, events = told(histories)
    flat = [event for own in events.values() for event in own]
    seen = {row["ticket_key"]: row["history_revision"] for row in histories.tickets}
    silent = {f.ticket_key for f in facts if f.source_key in rules.without_messages}
    return [
        _row(clock, client_key, as_of, events[clock.ticket_key])
        | {"history_revision": seen[clock.ticket_key]}
        for clock in evaluate(facts, flat, rules.policies, as_of)
        if clock.ticket_key not in silent or not is_reply_metric(clock.metric)
    ]


def _row(
    clock: ClockRow, client_key: str, as_of: datetime, events: Sequence[Event]
) -> dict[str, Any]:
    """A row of `sla_clock`. It is due again when its state flips, or when the next known event comes."""
    next_event = next((e.occurred_at for e in events if e.occurred_at > as_of), None)
    checks = [instant for instant in (clock.next_check_at, next_event) if instant is not None]
    return clock.as_dict() | {
        "client_key": client_key,
        "next_check_at": min(checks) if checks else None,
        "evaluated_at": as_of,
    }
