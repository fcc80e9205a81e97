"""A soak of the Freshdesk source: every fault, a live account, one crowded second; the end equals the account's dump.

The issue's size: DESKBRIDGE_SOAK_TICKETS=35000 (32,500 of them in one second, against the real end of lists at page
300). Others: DESKBRIDGE_SOAK_SCALE (documented seconds in a real one), DESKBRIDGE_SOAK_SEED.

Memory is bounded by a page, but for the ids of the crowded second, which are remembered until it is read.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from connectors.errors import ConnectorError
from connectors.freshdesk.source import FreshdeskSource
from connectors.http import Policy
from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.standins.freshdesk_account import stamp
from connectors.standins.freshdesk_life import FreshdeskLife
from connectors.warehouse.engine import writing
from connectors.warehouse.raw import latest_records, store_page, stream_state
from connectors.warehouse.tables import raw_record

TICKETS = int(os.environ.get("DESKBRIDGE_SOAK_TICKETS", "1300"))
SCALE = float(os.environ.get("DESKBRIDGE_SOAK_SCALE", "300"))
SEED = int(os.environ.get("DESKBRIDGE_SOAK_SEED", "3"))

CROWD = TICKETS - TICKETS * 25 // 350
"""Tickets of one second: 32,500 of 35,000, so that enough are left when the account's life has changed some."""
LAST_PAGE = 300 if TICKETS >= 35_000 else CROWD // 100 - 4
"""The last page of lists; shorter where the crowd is smaller, so that it never fits."""

LONGEST_PAUSE = 0.02 * max(1, TICKETS / 5_000)
"""Real seconds between two acts: the account is to stay one that a sync catches up with."""

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
EDITED = NOW - timedelta(days=3)
STREAMS = ("contacts", "tickets", "satisfaction_ratings")
ROUTES = ("tickets_list", "tickets_list", "ticket", "ticket", "conversations", "archived_ticket")


class ScaledClock:
    """Documented time, running `SCALE` times as fast as the wall's."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=(time.monotonic() - self._started) * SCALE)


def an_account() -> dict[str, Any]:
    """Most tickets changed in one second; before and behind it ordinary ones, spam, deleted and archived ones."""
    tickets: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for number in range(1, TICKETS + 1):
        created = EDITED - timedelta(days=200) + timedelta(minutes=7 * number)
        updated = EDITED
        if number > CROWD:
            updated = EDITED + timedelta(minutes=(number - CROWD) - (TICKETS - CROWD) // 2)
        one = {
            "id": number,
            "subject": f"ticket {number}",
            "requester_id": 900_000_000 + number % 50,
            "source": 1,
            "description": f"<p>body {number}</p>",
            "description_text": f"body {number}",
            "created_at": stamp(created),
            "updated_at": stamp(updated),
            "status": 2 + number % 5,
        }
        if number > CROWD:
            one |= {"spam": number % 11 == 0, "deleted": number % 13 == 0}
            if number % 7 == 0 and not one["spam"] and not one["deleted"]:
                one |= {"archived": True, "status": 5}
        tickets.append(one)
        said += [
            {
                "id": 1_000_000 + number * 20 + place,
                "ticket_id": number,
                "body": f"<p>{number}.{place}</p>",
                "body_text": f"{number}.{place}",
                "created_at": stamp(created + timedelta(minutes=place)),
                "attachments": [],
            }
            for place in range(13 if number % 50 == 0 else number % 3)
        ]
    contacts = [
        {
            "id": 900_000_000 + n,
            "name": f"P{n}",
            "email": f"p{n}@example.com",
            "updated_at": stamp(EDITED),
        }
        for n in range(50)
    ]
    statuses = {"6": ["Waiting on Customer", "Awaiting your Reply"]}
    fields = [{"id": 1, "type": "default_status", "choices": statuses}]
    agents = [{"id": 800, "contact": {"name": "Agent"}}]
    return {
        "tickets": tickets,
        "conversations": said,
        "contacts": contacts,
        "ticket_fields": fields,
        "agents": agents,
    }


def _refused(told: Callable[[datetime], str | None]) -> Callable[[FreshdeskStandin, str], None]:
    def add(freshdesk: FreshdeskStandin, route: str) -> None:
        value = told(freshdesk.now())
        headers = {} if value is None else {"Retry-After": value}
        freshdesk.faults.add(route, "status", status=429, headers=headers)

    return add


FAULTS: dict[str, Callable[[FreshdeskStandin, str], None]] = {
    "429, decimal": _refused(lambda at: "0.05"),
    "429, date": _refused(lambda at: format_datetime(at, usegmt=True)),
    "429, no header": _refused(lambda at: None),
    "503": lambda freshdesk, route: freshdesk.faults.add(route, "status", status=503),
    "500 for long": lambda freshdesk, route: freshdesk.faults.add(
        route, "status", status=500, times=12
    ),
    "cut before": lambda freshdesk, route: freshdesk.faults.add(route, "drop_request"),
    "cut after": lambda freshdesk, route: freshdesk.faults.add(route, "drop_reply"),
    "half a body": lambda freshdesk, route: freshdesk.faults.add(route, "truncate"),
    "half a body, whole length": lambda freshdesk, route: freshdesk.faults.add(
        route, "status", status=200, body=b'[{"id": 7, "subj'
    ),
    "a page of HTML": lambda freshdesk, route: freshdesk.faults.add(
        route, "status", status=200, body="<html>maintenance</html>"
    ),
    "slow": lambda freshdesk, route: freshdesk.faults.add(route, "delay", delay_seconds=0.2),
}


class Weather(threading.Thread):
    """Faults and the account's life, until it is stopped."""

    def __init__(self, freshdesk: FreshdeskStandin, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.acts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._freshdesk, self._rng = freshdesk, rng
        self._life = FreshdeskLife(freshdesk, rng, calm=range(1, CROWD + 1))
        self._over = threading.Event()

    def run(self) -> None:
        try:
            edit_at = time.monotonic() + 1
            while not self._over.wait(self._rng.uniform(0, LONGEST_PAUSE)):
                self.acts[self._life.act()] += 1
                if edit_at and time.monotonic() > edit_at:
                    self._life.bulk_edit(self._life.live(250))
                    self.acts["bulk_edit"] += 1
                    edit_at = 0
                if self._rng.random() < 0.12:
                    name = self._rng.choice(tuple(FAULTS))
                    self.faults[name] += 1
                    FAULTS[name](self._freshdesk, self._rng.choice(ROUTES))
        except BaseException as error:  # noqa: BLE001 - raised by `stop`
            self.failure = error

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._freshdesk.faults.clear()
        if self.failure is not None:
            raise self.failure


@contextmanager
def source_of(freshdesk: FreshdeskStandin, clock: ScaledClock) -> Iterator[FreshdeskSource]:
    source = FreshdeskSource(
        base_url=freshdesk.base_url,
        api_key=freshdesk.api_key,
        label="client acme, source freshdesk",
        policy=Policy(tries=4, backoff_seconds=0.01),
        now=clock,
        time_scale=SCALE,
    )
    try:
        yield source
    finally:
        source.close()


class Sync:
    """Pulls into the warehouse as the pipeline does, and is cut now and then between two pages."""

    def __init__(self, engine: Engine, source: FreshdeskSource, rng: random.Random) -> None:
        self.engine, self.source, self._rng = engine, source, rng
        self.errors: Counter[str] = Counter()
        self.pages = self.cuts = self.stored = self.seen = self.calls = self.largest_cursor = 0

    def run(self, *, cut_share: float = 0.0) -> bool:
        """Every stream once; whether all came to their end."""
        is_whole = True
        for stream in STREAMS:
            try:
                is_whole = self._pull(stream, cut_share) and is_whole
            except ConnectorError as error:
                self.errors[type(error).__name__] += 1
                is_whole = False
        return is_whole

    def _pull(self, stream: str, cut_share: float) -> bool:
        with self.engine.connect() as connection:
            state = stream_state(connection, "acme", "freshdesk", stream)
        sequence = state.sequence
        for page in self.source.pull(stream, state.cursor):
            if self._rng.random() < cut_share:
                self.cuts += 1
                return False
            assert len(page.records) <= 100
            with writing(self.engine) as connection:
                stored = store_page(
                    connection,
                    "acme",
                    "freshdesk",
                    stream,
                    page,
                    sequence=sequence,
                    fetched_at=NOW,
                    volatile=self.source.volatile_fields.get(stream, ()),
                )
            sequence += 1
            self.pages += 1
            self.calls += page.calls
            self.seen += stored.seen
            self.stored += stored.stored
            self.largest_cursor = max(self.largest_cursor, len(json.dumps(page.cursor)))
        return True


def stored_of(engine: Engine, stream: str) -> dict[int, Any]:
    with engine.connect() as connection:
        records = list(latest_records(connection, "acme", "freshdesk", stream))
    return {int(record.remote_id): (json.loads(record.payload), record) for record in records}


def differences(engine: Engine, dump: dict[str, dict[int, Any]]) -> list[str]:
    """What the warehouse holds other than the account does, record by record."""
    found: list[str] = []
    kept = {stream: stored_of(engine, stream) for stream in STREAMS}
    for number, ticket in dump["tickets"].items():
        body, record = kept["tickets"].pop(number, ({}, None))
        if record is None:
            found.append(f"ticket {number} is missing")
            continue
        wanted = dict(ticket)
        is_gone = bool(ticket["spam"] or ticket["deleted"])
        if ticket.get("archived") and not body.get("archived"):
            # Archived after it was read: what was known then stays, and nothing can have changed since.
            wanted.pop("archived")
        elif ticket.get("archived"):
            # The archive's view tells neither.
            body = {**body, "stats": wanted["stats"], "requester": wanted["requester"]}
            if record.location != {"is_unlisted": True}:
                found.append(f"ticket {number} does not say that no list gives it")
        if ticket["spam"] and not ticket["deleted"]:
            # Conversations of spam are read when it is spam no longer.
            body = {**body, "conversations": wanted["conversations"]}
            body.setdefault("attachments", wanted["attachments"])
        if record.is_tombstone != is_gone:
            found.append(f"ticket {number}: tombstone {record.is_tombstone}")
        found += [
            f"ticket {number}: {name} is {body.get(name)!r}, there {wanted.get(name)!r}"
            for name in sorted(body.keys() | wanted.keys())
            if body.get(name) != wanted.get(name)
        ]
    found += [f"ticket {number} is none of the account's" for number in kept["tickets"]]
    for stream in ("contacts", "satisfaction_ratings"):
        if {number: body for number, (body, _) in kept[stream].items()} != dump[stream]:
            found.append(f"{stream} differ")
    return found


@pytest.mark.slow
def test_the_end_equals_the_account_whatever_happened(sqlite_engine: Engine) -> None:
    clock, rng = ScaledClock(), random.Random(SEED)
    began = time.monotonic()
    with FreshdeskStandin(
        an_account(),
        now=clock,
        time_scale=SCALE,
        limits=Limits(),
        last_page=LAST_PAGE,
        has_archive=True,
    ) as freshdesk:
        with source_of(freshdesk, clock) as source:
            sync = Sync(sqlite_engine, source, rng)
            weather = Weather(freshdesk, random.Random(SEED))
            weather.start()
            try:
                runs = 1
                while not sync.run(cut_share=0.03) or runs < 3:
                    runs += 1
            finally:
                weather.stop()
            time.sleep(61 / SCALE)
            # The archive is gone through a part with each pull.
            for _ in range(5 + TICKETS // 1_000):
                assert sync.run()
            stored, calls = sync.stored, sync.calls
            assert sync.run()
            idle = sync.calls - calls
            assert sync.stored == stored
        refused = sum(status == 429 for *_, status in freshdesk.recent)
        orders = dict(freshdesk.orders)
        found = differences(sqlite_engine, freshdesk.dump())
    seconds = time.monotonic() - began
    print(
        f"\nFreshdesk soak: {TICKETS} tickets, {CROWD} of one second, lists end at page {LAST_PAGE}; time scale {SCALE:g}; "
        f"{seconds:.0f} s; {runs} runs, {sync.cuts} cuts, {sync.pages} pages, {sync.calls} calls ({idle} of the idle "
        f"last one), {sync.seen} records seen, {sync.stored} versions stored; largest cursor {sync.largest_cursor} bytes; "
        f"{refused} of the last {len(freshdesk.recent)} answers 429; pages by order {orders}"
        f"\n  acts {dict(weather.acts)}\n  faults {dict(weather.faults)}\n  errors {dict(sync.errors)}"
        f"\n  differences from the account's dump: {len(found)}"
    )
    assert orders.get("created_at", 0) > LAST_PAGE, "the crowded second fitted into the list"
    assert not found, "\n".join(found[:40])
    with sqlite_engine.connect() as connection:
        twice = connection.execute(
            select(raw_record.c.remote_id)
            .where(raw_record.c.stream == "tickets")
            .group_by(raw_record.c.remote_id, raw_record.c.content_sha256)
            .having(func.count() > 1)
        ).all()
    assert twice == []
