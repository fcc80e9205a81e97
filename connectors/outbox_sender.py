"""Sends what is due in the outbox: claim, send outside any transaction, record.

Belongs here: the loop over lanes, and what each kind of error means for a row. Does not belong here: the rows
themselves (`warehouse.outbox`), any provider.

At least once: a crash between send and record sends again under the same key. Three things cause a repeat: that
crash, a reply that was lost, and a lease that ran out while its owner was still sending. On keyed channels a
repeat is not heard; Slack looks for the first one before it posts again.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, Engine

from connectors.contract import Notifier, Receipt
from connectors.errors import PermanentError, RateLimitedError, TransientError
from connectors.warehouse import audit, dead_letters, outbox
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.lanes import Lane, hold_lane
from connectors.warehouse.outbox import Claimed
from connectors.warehouse.types import canonical_json

BATCH = 10
"""Rows leased at once. Each send may take its time-out, so few fit into a lease."""
SEND_SECONDS = 45.0
"""The longest one send can take (Slack's look-up and post); with less left of a lease, nothing is begun."""

FAILURES_IN_A_ROW = 2
"""After so many unanswered sends a lane rests until the next pass: each costs its whole time-out."""


@dataclass(slots=True)
class LaneReport:
    """What a pass did in one lane."""

    delivered: int = 0
    repeats_found: int = 0
    possible_repeats: int = 0
    retried: int = 0
    dead: int = 0
    held_until: datetime | None = None


@dataclass(slots=True)
class DeliveryReport:
    """What a pass did. `without_notifier` are lanes with due messages that nothing here can send."""

    lanes: dict[Lane, LaneReport] = field(default_factory=dict)
    dead_letters: int = 0
    without_notifier: list[Lane] = field(default_factory=list)

    @property
    def delivered(self) -> int:
        """Messages that a provider took in."""
        return sum(lane.delivered for lane in self.lanes.values())


def deliver_due(
    engine: Engine,
    notifiers: Sequence[Notifier],
    now: Callable[[], datetime],
    owner: str,
    jitter: Callable[[], float],
    *,
    client_key: str | None = None,
    fallback: Mapping[Lane, Lane] | None = None,
    max_seconds: float = 50.0,
    clock: Callable[[], float] = time.monotonic,
) -> DeliveryReport:
    """Sends everything that is due, each lane in a thread of its own, until nothing is left or time is up.

    Args:
        engine: the warehouse.
        notifiers: one for each (channel, destination).
        now: gives aware UTC instants.
        owner: names this worker's leases; unique among the workers that run at once.
        jitter: gives random numbers from 0 to 1.
        client_key: whose messages; None sends those of all clients through the same notifiers.
        fallback: for lanes that page: where a page goes that is dead or three minutes undelivered.
        max_seconds: no new batch is begun after this, so that a tick stays a tick.
        clock: rising seconds, for `max_seconds`.
    """
    ends = clock() + max_seconds
    one_pass = _Pass(engine, now, owner, jitter, client_key, lambda: clock() < ends)
    by_lane = {Lane(one.channel, one.destination): one for one in notifiers}
    report = DeliveryReport()
    report.dead_letters = one_pass.write_dead_letters(fallback)
    with reading(engine) as connection:
        lanes = outbox.due_lanes(connection, now(), client_key)
    report.without_notifier = [lane for lane in lanes if lane not in by_lane]
    one_pass.work_off([lane for lane in lanes if lane in by_lane], by_lane, report)
    # A page that died in this very pass must not wait for the next one.
    if late := one_pass.write_dead_letters(fallback):
        report.dead_letters += late
        one_pass.work_off(list(set((fallback or {}).values()) & set(by_lane)), by_lane, report)
    return report


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over the outbox by one worker."""

    engine: Engine
    now: Callable[[], datetime]
    owner: str
    jitter: Callable[[], float]
    client_key: str | None
    has_time: Callable[[], bool]

    def write_dead_letters(self, fallback: Mapping[Lane, Lane] | None) -> int:
        if not fallback:
            return 0
        with writing(self.engine) as connection:
            return dead_letters.undelivered_pages(connection, self.now(), fallback, self.client_key)

    def work_off(
        self, lanes: Sequence[Lane], by_lane: Mapping[Lane, Notifier], report: DeliveryReport
    ) -> None:
        """Works off some lanes at once and adds what came of it to the report."""
        if not lanes:
            return
        for lane in lanes:
            report.lanes.setdefault(lane, LaneReport())
        with ThreadPoolExecutor(len(lanes), thread_name_prefix="lane") as pool:
            workers = [
                pool.submit(self._work_off_lane, by_lane[lane], lane, report.lanes[lane])
                for lane in lanes
            ]
        for worker in workers:
            worker.result()

    def _work_off_lane(self, notifier: Notifier, lane: Lane, report: LaneReport) -> None:
        failures = 0
        while self.has_time():
            with writing(self.engine) as connection:
                batch = outbox.claim(
                    connection, self.now(), self.owner, BATCH, lane, self.client_key
                )
            if not batch:
                return
            for position, claimed in enumerate(batch):
                left = claimed.lease_until - self.now()
                if left < timedelta(seconds=SEND_SECONDS) or not self.has_time():
                    self._give_back(batch[position:])
                    break
                came_of_it = self._send(notifier, claimed, report)
                failures = failures + 1 if came_of_it == "unavailable" else 0
                if came_of_it == "limited" or failures >= FAILURES_IN_A_ROW:
                    self._give_back(batch[position + 1 :])
                    return

    def _give_back(self, batch: Sequence[Claimed]) -> None:
        if batch:
            with writing(self.engine) as connection:
                outbox.release(connection, batch)

    def _send(
        self, notifier: Notifier, claimed: Claimed, report: LaneReport
    ) -> Literal["done", "unavailable", "limited"]:
        """Sends one message and records what came of it."""
        try:
            receipt = notifier.deliver(claimed.message)
        except RateLimitedError as error:
            self._hold(claimed, str(error), error.retry_after_seconds, report)
            return "limited"
        except TransientError as error:
            with writing(self.engine) as connection:
                outbox.record_retry(
                    connection, claimed, self.now(), str(error), jitter=self.jitter()
                )
            report.retried += 1
            return "unavailable"
        except PermanentError as error:
            self._bury(claimed, str(error), report)
        except Exception as error:  # noqa: BLE001 - one message that cannot be rendered must not stop its lane
            self._bury(claimed, f"{type(error).__name__}: {error}", report)
        else:
            self._note_delivered(claimed, receipt, report)
        return "done"

    def _hold(
        self,
        claimed: Claimed,
        reason: str,
        retry_after_seconds: float | None,
        report: LaneReport,
    ) -> None:
        now = self.now()
        with writing(self.engine) as connection:
            next_at = outbox.record_retry(
                connection,
                claimed,
                now,
                reason,
                jitter=self.jitter(),
                retry_after_seconds=retry_after_seconds,
                was_taken_in=False,
            )
            if next_at is not None:
                hold_lane(connection, claimed.lane, now, next_at, self.client_key)
        report.retried += 1
        report.held_until = next_at

    def _bury(self, claimed: Claimed, reason: str, report: LaneReport) -> None:
        with writing(self.engine) as connection:
            if outbox.record_dead(connection, claimed, reason):
                _write_down(connection, claimed, self.now(), "message dead", None, "dead")
        report.dead += 1

    def _note_delivered(self, claimed: Claimed, receipt: Receipt, report: LaneReport) -> None:
        now, provider_id, status = self.now(), receipt.provider_id, receipt.status
        with writing(self.engine) as connection:
            # Only the worker that changes the row writes the audit entry.
            if outbox.record_delivered(connection, claimed, now, provider_id, status):
                _write_down(connection, claimed, now, "message delivered", provider_id, status)
        report.delivered += 1
        report.repeats_found += receipt.was_repeat
        report.possible_repeats += claimed.message.is_possible_repeat and not receipt.was_repeat


def _write_down(
    connection: Connection,
    claimed: Claimed,
    now: datetime,
    action: str,
    provider_id: str | None,
    status: str,
) -> None:
    message = claimed.message
    body = hashlib.sha256(canonical_json(message.body).encode()).hexdigest()
    detail: dict[str, audit.Plain] = {
        "message_key": message.key,
        "action": message.action,
        "channel": claimed.lane.channel,
        "destination": claimed.lane.destination,
        "body_sha256": body,
        "provider_id": provider_id,
        "status": status,
    }
    item = audit.AuditItem(action, claimed.delivery_key, now, detail)
    audit.append(connection, claimed.client_key, [item])
