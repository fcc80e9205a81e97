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
from connectors.warehouse import audit, outbox
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.outbox import Claimed, Lane
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
        fallback: for lanes that page: where a page goes that is dead or three minutes undelivered.
        max_seconds: no new batch is begun after this, so that a tick stays a tick.
        clock: rising seconds, for `max_seconds`.
    """
    report = DeliveryReport()
    by_lane = {Lane(one.channel, one.destination): one for one in notifiers}
    ends = clock() + max_seconds
    if fallback:
        with writing(engine) as connection:
            report.dead_letters = outbox.undelivered_pages(connection, now(), fallback)
    with reading(engine) as connection:
        lanes = outbox.due_lanes(connection, now())
    report.without_notifier = [lane for lane in lanes if lane not in by_lane]
    lanes = [lane for lane in lanes if lane in by_lane]
    if lanes:
        with ThreadPoolExecutor(len(lanes), thread_name_prefix="lane") as pool:
            workers = {
                lane: pool.submit(
                    _work_off,
                    engine,
                    by_lane[lane],
                    lane,
                    now,
                    owner,
                    jitter,
                    lambda: clock() < ends,
                )
                for lane in lanes
            }
        report.lanes = {lane: worker.result() for lane, worker in workers.items()}
    if fallback:
        # A page that died in this very pass must not wait for the next one.
        with writing(engine) as connection:
            new = outbox.undelivered_pages(connection, now(), fallback)
        if new:
            report.dead_letters += new
            for lane in set(fallback.values()) & set(by_lane):
                further = _work_off(
                    engine, by_lane[lane], lane, now, owner, jitter, lambda: clock() < ends
                )
                _add(report.lanes.setdefault(lane, LaneReport()), further)
    return report


def _work_off(
    engine: Engine,
    notifier: Notifier,
    lane: Lane,
    now: Callable[[], datetime],
    owner: str,
    jitter: Callable[[], float],
    has_time: Callable[[], bool],
) -> LaneReport:
    report = LaneReport()
    failures = 0
    while has_time():
        with writing(engine) as connection:
            batch = outbox.claim(connection, now(), owner, BATCH, lane)
        if not batch:
            break
        for position, claimed in enumerate(batch):
            if claimed.lease_until - now() < timedelta(seconds=SEND_SECONDS) or not has_time():
                _give_back(engine, batch[position:])
                break
            came_of_it = _send(engine, notifier, claimed, now, jitter, report)
            failures = failures + 1 if came_of_it == "unavailable" else 0
            if came_of_it == "limited" or failures >= FAILURES_IN_A_ROW:
                _give_back(engine, batch[position + 1 :])
                return report
    return report


def _give_back(engine: Engine, batch: Sequence[Claimed]) -> None:
    if batch:
        with writing(engine) as connection:
            outbox.release(connection, batch)


def _send(
    engine: Engine,
    notifier: Notifier,
    claimed: Claimed,
    now: Callable[[], datetime],
    jitter: Callable[[], float],
    report: LaneReport,
) -> Literal["done", "unavailable", "limited"]:
    """Sends one message and records what came of it."""
    try:
        receipt = notifier.deliver(claimed.message)
    except RateLimitedError as error:
        _put_back(engine, claimed, now(), str(error), jitter(), error.retry_after_seconds, report)
        return "limited"
    except TransientError as error:
        with writing(engine) as connection:
            outbox.record_retry(connection, claimed, now(), str(error), jitter=jitter())
        report.retried += 1
        return "unavailable"
    except PermanentError as error:
        _bury(engine, claimed, now(), str(error), report)
        return "done"
    except Exception as error:  # noqa: BLE001 - one message that cannot be rendered must not stop its lane
        _bury(engine, claimed, now(), f"{type(error).__name__}: {error}", report)
        return "done"
    _note_delivered(engine, claimed, now(), receipt, report)
    return "done"


def _put_back(
    engine: Engine,
    claimed: Claimed,
    now: datetime,
    reason: str,
    jitter: float,
    retry_after_seconds: float | None,
    report: LaneReport,
) -> None:
    with writing(engine) as connection:
        next_at = outbox.record_retry(
            connection,
            claimed,
            now,
            reason,
            jitter=jitter,
            retry_after_seconds=retry_after_seconds,
            was_taken_in=False,
        )
        if next_at is not None:
            outbox.hold_lane(connection, claimed.lane, now, next_at)
    report.retried += 1
    report.held_until = next_at


def _bury(engine: Engine, claimed: Claimed, now: datetime, reason: str, report: LaneReport) -> None:
    with writing(engine) as connection:
        if outbox.record_dead(connection, claimed, reason):
            _write_down(connection, claimed, now, "message dead", None, "dead")
    report.dead += 1


def _note_delivered(
    engine: Engine, claimed: Claimed, now: datetime, receipt: Receipt, report: LaneReport
) -> None:
    with writing(engine) as connection:
        is_new = outbox.record_delivered(
            connection, claimed, now, receipt.provider_id, receipt.status
        )
        if is_new:
            _write_down(
                connection, claimed, now, "message delivered", receipt.provider_id, receipt.status
            )
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


def _add(total: LaneReport, further: LaneReport) -> None:
    total.delivered += further.delivered
    total.repeats_found += further.repeats_found
    total.possible_repeats += further.possible_repeats
    total.retried += further.retried
    total.dead += further.dead
    total.held_until = further.held_until or total.held_until
