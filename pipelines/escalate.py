"""Decides what came due on the ladder and puts what is to be told into the outbox, in one transaction.

Belongs here: which tickets are looked at, which channel gets which decision. Does not belong here: the
ladder's meaning (`sla_rules.escalation`), sending (`pipelines.tick`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from connectors.warehouse import audit, escalations, history, outbox
from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import reading, writing
from pipelines.history import told
from pipelines.messages import decision_body, follow_up_body
from pipelines.rules import Rules, is_reply_metric
from sla_rules.engine import ClockRow
from sla_rules.escalation import Decision, Outcome, TicketState, Timer, decide_ticket
from sla_rules.history import TicketFacts
from sla_rules.ladder import Ladder

Row = dict[str, Any]

TICKETS_PER_TRANSACTION = 500

_CLOCK_FIELDS = tuple(ClockRow.__dataclass_fields__)
_TIMER_FIELDS = tuple(Timer.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Destination:
    """A channel and its address; `wakes` says whether it wakes people (a pager) or only tells them."""

    channel: str
    address: str
    wakes: bool


@dataclass(slots=True)
class EscalationReport:
    """What one round decided; `by_outcome` counts `fire`, `skip`, `cancel`."""

    tickets: int = 0
    by_outcome: Counter[str] = field(default_factory=Counter)
    queued: int = 0


def escalate_client(
    engine: Engine,
    client_key: str,
    client_name: str,
    rules: Rules,
    destinations: Sequence[Destination],
    live_from: datetime | None,
    as_of: datetime,
    queued_at: datetime | None = None,
) -> EscalationReport:
    """Settles every timer of a client that is due at `as_of`. Doing so again changes nothing.

    Args:
        engine: the warehouse; clocks must have been brought to `as_of` before.
        client_key: whose.
        client_name: how messages name the client.
        rules: ladder, people on call, policies (for their calendars).
        destinations: who is told.
        live_from: what was due before it is written down and never told.
        as_of: aware instant of the decision.
        queued_at: when the messages enter the outbox; `as_of` when left out. A rehearsal of the past differs.
    """
    report = EscalationReport()
    round_ = _Round(
        client_key, client_name, rules, destinations, live_from, as_of, queued_at or as_of
    )
    with reading(engine) as connection:
        keys = escalations.tickets_to_look_at(connection, client_key, as_of)
    for batch in chunks(keys, TICKETS_PER_TRANSACTION):
        with writing(engine) as connection:
            round_.settle(connection, batch, report)
    with writing(engine) as connection:
        escalations.set_last_tick(connection, client_key, as_of)
    return report


class _Round:
    """One client at one instant."""

    def __init__(
        self,
        client_key: str,
        client_name: str,
        rules: Rules,
        destinations: Sequence[Destination],
        live_from: datetime | None,
        as_of: datetime,
        queued_at: datetime,
    ) -> None:
        self.queued_at = queued_at
        self.client_key = client_key
        self.client_name = client_name
        self.rules = rules
        self.destinations = destinations
        self.live_from = live_from
        self.as_of = as_of
        self.calendars = {
            name: calendar
            for policy in rules.policies
            for name, calendar in policy.calendars.items()
        }
        # Where a source tells no messages, nobody may be paged because "nobody replied".
        self.ladder_without_replies = rules.ladder.model_copy(
            update={
                "steps": tuple(s for s in rules.ladder.steps if not is_reply_metric(s.metric or ""))
            }
        )

    def settle(self, connection: Connection, keys: Sequence[str], report: EscalationReport) -> None:
        """Decides and writes for some tickets, in the caller's transaction."""
        escalations.lock_client(connection, self.client_key)
        histories = history.read_histories(connection, keys)
        facts, events = told(histories)
        timers = escalations.read_timers(connection, keys)
        clocks = escalations.read_clocks(connection, keys)
        counting = {fact.ticket_key: fact for fact in facts}
        outcomes: list[Outcome] = []
        for key in keys:
            stored = [Timer(**{n: row[n] for n in _TIMER_FIELDS}) for row in timers.get(key, [])]
            rows = [ClockRow(**{n: row[n] for n in _CLOCK_FIELDS}) for row in clocks.get(key, [])]
            state = self._state(key, counting.get(key), events.get(key, []), stored)
            outcomes.append(
                decide_ticket(
                    self._ladder(counting.get(key)),
                    state,
                    rows,
                    stored,
                    self.rules.on_call,
                    self.as_of,
                    self.live_from,
                    self.calendars,
                )
            )
        self._write(connection, keys, outcomes, report)

    def _ladder(self, facts: TicketFacts | None) -> Ladder:
        is_silent = facts is not None and facts.source_key in self.rules.without_messages
        return self.ladder_without_replies if is_silent else self.rules.ladder

    def _state(
        self, key: str, facts: TicketFacts | None, events: Sequence[Any], stored: Sequence[Timer]
    ) -> TicketState:
        if facts is None:
            # It no longer counts (a duplicate, a migrated ticket's copy) or its thread was joined.
            created = min((timer.due_at for timer in stored), default=self.as_of)
            return TicketState(
                self.client_key, key, created, merged_into="the ticket that counts instead"
            )
        return TicketState(
            self.client_key,
            key,
            facts.created_at,
            events,
            status=facts.status,
            priority=facts.priority,
        )

    def _write(
        self,
        connection: Connection,
        keys: Sequence[str],
        outcomes: Sequence[Outcome],
        report: EscalationReport,
    ) -> None:
        decisions = [d for outcome in outcomes for d in outcome.decisions if d.outcome != "wait"]
        cards = escalations.ticket_cards(connection, (d.timer.ticket_key for d in decisions))
        escalations.write_decisions(
            connection,
            [asdict(timer) for outcome in outcomes for timer in outcome.timers],
            [self._escalation(d) for d in decisions if d.outcome in ("fire", "skip")],
        )
        fired = [d for d in decisions if d.outcome == "fire"]
        deliveries = [row for d in fired for row in self._deliveries(d, cards[d.timer.ticket_key])]
        deliveries.extend(self._follow_ups(connection, outcomes))
        report.queued += outbox.enqueue(connection, deliveries)
        audit.append(
            connection,
            self.client_key,
            [
                audit.AuditItem(
                    action=f"escalation.{d.outcome}",
                    subject=d.timer.timer_key,
                    occurred_at=self.as_of,
                    detail={
                        "rule": d.rule_version,
                        "level": d.level,
                        "on_call": d.primary.key if d.primary else None,
                        "late_seconds": d.late_seconds,
                    },
                )
                for d in decisions
                if d.outcome in ("fire", "skip")
            ],
        )
        report.tickets += len(keys)
        report.by_outcome.update(d.outcome for d in decisions)

    def _escalation(self, decision: Decision) -> Row:
        timer = decision.timer
        return {
            "escalation_key": timer.timer_key,
            "client_key": self.client_key,
            "ticket_key": timer.ticket_key,
            "step": timer.step,
            "level": decision.level,
            "action": decision.action if decision.outcome == "fire" else "skipped",
            "due_at": timer.due_at,
            "decided_at": timer.decided_at or self.as_of,
            "is_late": decision.is_late,
            "person": decision.primary.name if decision.primary else None,
            "reason": decision.reason,
            "rule_version": decision.rule_version,
        }

    def _deliveries(self, decision: Decision, card: Row) -> list[outbox.NewDelivery]:
        body = decision_body(decision, card, self.client_name)
        return [
            self._row(destination, decision.timer.timer_key, "trigger", card["ticket_key"], body)
            for destination in self.destinations
            if decision.action == "page" or not destination.wakes
        ]

    def _follow_ups(
        self, connection: Connection, outcomes: Sequence[Outcome]
    ) -> list[outbox.NewDelivery]:
        wanted = {f.message_key: f for outcome in outcomes for f in outcome.follow_ups}
        sent = escalations.sent_triggers(connection, wanted)
        return [
            self._row(
                Destination(trigger["channel"], trigger["destination"], wakes=True),
                key,
                follow_up.action,
                trigger["ticket_key"],
                follow_up_body(follow_up, trigger["body"], self.as_of),
            )
            for key, follow_up in wanted.items()
            for trigger in sent.get(key, [])
        ]

    def _row(
        self,
        destination: Destination,
        key: str,
        action: outbox.Action,
        ticket_key: str,
        body: Row,
    ) -> outbox.NewDelivery:
        return outbox.NewDelivery(
            client_key=self.client_key,
            channel=destination.channel,
            destination=destination.address,
            message_key=key,
            action=action,
            ticket_key=ticket_key,
            body=body,
            created_at=self.queued_at,
        )
