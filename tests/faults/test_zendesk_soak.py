"""A soak of the Zendesk source: every fault, a live account, full seconds, cuts; the end equals the account's own dump.

Longer: DESKBRIDGE_SOAK_SECONDS (real seconds of life), DESKBRIDGE_SOAK_TICKETS, DESKBRIDGE_SOAK_SCALE (documented
seconds in a real one), DESKBRIDGE_SOAK_SEED.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from connectors.errors import ConnectorError, CursorExpiredError
from connectors.http import Policy
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import Life, dump
from connectors.standins.zendesk_sample import NOW, account
from connectors.warehouse.raw import latest_records, store_page, store_records, stream_state
from connectors.warehouse.tables import raw_record
from connectors.zendesk.account import open_session
from connectors.zendesk.source import ZendeskSource

SECONDS = float(os.environ.get("DESKBRIDGE_SOAK_SECONDS", "3"))
TICKETS = int(os.environ.get("DESKBRIDGE_SOAK_TICKETS", "1300"))
SCALE = float(os.environ.get("DESKBRIDGE_SOAK_SCALE", "240"))
SEED = int(os.environ.get("DESKBRIDGE_SOAK_SEED", "3"))

STREAMS = ("users", "organizations", "groups", "tickets", "ticket_events")
EXPORTS = ("users_export", "organizations_export", "tickets_export", "events_export")
BULK = 1_150
VOLATILE = {"users": {"last_login_at"}, "tickets": {"generated_timestamp"}}


class ScaledClock:
    """Documented time, running `SCALE` times as fast as the wall's."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=(time.monotonic() - self._started) * SCALE)


class Weather(threading.Thread):
    """Faults and the account's life, until it is stopped."""

    def __init__(self, zendesk: ZendeskStandin, life: Life, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.acts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._zendesk, self._life, self._rng = zendesk, life, rng
        self._over = threading.Event()

    def run(self) -> None:
        try:
            self._blow()
        except BaseException as error:  # noqa: BLE001 - raised by `stop`
            self.failure = error

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._zendesk.faults.clear()
        self._zendesk.settings["largest_page"] = None
        if self.failure is not None:
            raise self.failure

    def _blow(self) -> None:
        edits = iter((0.2, 0.6))
        edit_at = next(edits)
        began = time.monotonic()
        while not self._over.wait(self._rng.uniform(0, 0.004)):
            self.acts[self._life.act()] += 1
            if time.monotonic() - began > edit_at * SECONDS:
                self._life.bulk_edit(self._life.changeable(BULK))
                self.acts["bulk_edit"] += 1
                edit_at = next(edits, float("inf"))
            if self._rng.random() < 0.04:
                self._fault()

    def _fault(self) -> None:
        route = self._rng.choice((*EXPORTS, *EXPORTS, "audits", "tickets", "groups"))
        name = self._rng.choice(tuple(FAULTS))
        self.faults[name] += 1
        FAULTS[name](self._zendesk, route)


def _refused(told: Callable[[datetime], str | None]) -> Callable[[ZendeskStandin, str], None]:
    def add(zendesk: ZendeskStandin, route: str) -> None:
        value = told(zendesk.now())
        headers = {} if value is None else {"Retry-After": value}
        zendesk.faults.add(route, "status", status=429, headers=headers)

    return add


def _largest(zendesk: ZendeskStandin, route: str) -> None:
    zendesk.settings["largest_page"] = random.Random(len(zendesk.recent)).choice([None, 300, 60])


FAULTS: dict[str, Callable[[ZendeskStandin, str], None]] = {
    "429, whole second": _refused(lambda at: "1"),
    "429, decimal": _refused(lambda at: "0.05"),
    "429, date": _refused(lambda at: format_datetime(at, usegmt=True)),
    "429, no header": _refused(lambda at: None),
    "503": lambda zendesk, route: zendesk.faults.add(route, "status", status=503),
    "500 for long": lambda zendesk, route: zendesk.faults.add(
        route, "status", status=500, times=12
    ),
    "504 for large pages": _largest,
    "truncated JSON": lambda zendesk, route: zendesk.faults.add(route, "truncate"),
    "a page of HTML": lambda zendesk, route: zendesk.faults.add(
        route, "status", status=200, body="<html>log in</html>"
    ),
    "reply lost": lambda zendesk, route: zendesk.faults.add(route, "drop_reply"),
    "request lost": lambda zendesk, route: zendesk.faults.add(route, "drop_request"),
    "cursor refused": lambda zendesk, route: zendesk.faults.add(
        route, "status", status=400, body={"error": "InvalidValue", "description": "cursor"}
    ),
    "start too recent": lambda zendesk, route: zendesk.faults.add(
        route, "status", status=400, body={"error": "StartTimeTooRecent", "description": "x"}
    ),
}


@contextmanager
def source_of(zendesk: ZendeskStandin) -> Iterator[ZendeskSource]:
    """A source as a new process has it."""
    session = open_session(
        zendesk.base_url,
        zendesk.email,
        zendesk.token,
        policy=Policy(tries=4, backoff_seconds=0.005, wait_cap_seconds=20),
        wall_clock=zendesk.now,
    )
    with session:
        yield ZendeskSource(
            base_url=zendesk.base_url, email="", token="", session=session, now=zendesk.now
        )


class Puller:
    """Pulls as the sync does: a page and its cursor in one transaction; sometimes it is cut."""

    def __init__(self, engine: Engine, zendesk: ZendeskStandin, rng: random.Random) -> None:
        self.cuts = self.failures = self.calls = self.pages = 0
        self._engine, self._zendesk, self._rng = engine, zendesk, rng

    def round(self, cut: float) -> bool:
        """Every stream once; returns whether all came to their end."""
        whole = True
        with source_of(self._zendesk) as source:
            for stream in STREAMS:
                try:
                    whole = self._pull(source, stream, cut) and whole
                except CursorExpiredError:
                    whole = self._pull(source, stream, cut, restart=True) and whole
                except ConnectorError:
                    self.failures += 1
                    whole = False
            self.calls += source.session.calls
        return whole

    def _pull(
        self, source: ZendeskSource, stream: str, cut: float, *, restart: bool = False
    ) -> bool:
        with self._engine.connect() as connection:
            state = stream_state(connection, "acme", "zendesk", stream)
        sequence = state.sequence
        for page in source.pull(stream, None if restart else state.cursor):
            if self._rng.random() < cut:
                self.cuts += 1
                return False
            with self._engine.begin() as connection:
                store_page(
                    connection, "acme", "zendesk", stream, page, sequence=sequence,
                    fetched_at=self._zendesk.now(), volatile=source.volatile_fields.get(stream, ()),
                )  # fmt: skip
            sequence += 1
            self.pages += 1
            if page.complete:
                return True
        return False


def told(stream: str, row: dict[str, Any]) -> Any:
    """What a row says, whichever of its shapes it came in; written apart from the source's own way of telling it."""
    if stream != "ticket_events":
        return {name: row[name] for name in row if name not in VOLATILE.get(stream, ())}
    said = []
    for child in row.get("child_events", row.get("events", ())):
        kind = child.get("event_type") or child.get("type")
        entry = {"id": child["id"], "kind": kind}
        if kind == "Comment":
            files = [file["id"] for file in child.get("attachments") or ()]
            entry |= {name: child[name] for name in ("body", "html_body", "public", "author_id")}
            entry["files"] = files
        elif "field_name" in child:
            entry[child["field_name"]] = child["value"]
        elif kind in ("Create", "Change"):
            passed = {"id", "via", "via_reference_id", "event_type", "previous_value"}
            # An audit names one field; the export's tags come with what was added and removed.
            name = next(name for name in child if name not in passed)
            entry[name] = child[name]
        said.append(entry)
    said.sort(key=lambda entry: entry["id"])
    return {
        "id": row["id"],
        "ticket": row["ticket_id"],
        "at": row["created_at"],
        "by": row.get("updater_id", row.get("author_id")),
        "said": said,
    }


@pytest.mark.slow
@pytest.mark.timeout(int(SECONDS * 20 + 280))
def test_living_account_under_every_fault_when_synced_then_equals_its_own_dump(
    sqlite_engine: Engine,
) -> None:
    rng = random.Random(SEED)
    clock = ScaledClock()
    data = account(TICKETS)
    data["archived_ticket_ids"] = [1_000 + TICKETS - n for n in range(3)]
    standin = ZendeskStandin(data, now=clock, time_scale=SCALE)
    with standin as zendesk:
        spared = set(range(1_001, 1_001 + BULK))
        life = Life(zendesk, random.Random(rng.random()), spared)
        weather = Weather(zendesk, life, random.Random(rng.random()))
        puller = Puller(sqlite_engine, zendesk, rng)
        weather.start()
        ends = time.monotonic() + SECONDS
        rounds = 0
        while time.monotonic() < ends or weather.acts["bulk_edit"] < 2:
            puller.round(cut=0.01)
            rounds += 1
        weather.stop()
        while not puller.round(cut=0.01):
            rounds += 1
        quiet = 0
        while quiet < 3:
            time.sleep(130 / SCALE)
            quiet += puller.round(cut=0)
        answers = Counter(status for _, _, _, status in zendesk.recent)
        print(
            f"\n1 real second = {SCALE:g} documented ones; {SECONDS:g} s of life, {rounds} rounds of pulls under it"
            f"\n  acts: {dict(weather.acts)}"
            f"\n  faults: {dict(weather.faults)}"
            f"\n  pulls: {puller.pages} pages, {puller.calls} calls, {puller.cuts} cut, {puller.failures} failed"
            f"\n  the last {len(zendesk.recent)} answers: {dict(answers)}"
        )
        assert weather.acts["bulk_edit"] == 2
        assert zendesk.calls["audits"] > BULK
        _compare(sqlite_engine, zendesk)
        _compare_by_id(sqlite_engine, zendesk, rng)


def _compare_by_id(engine: Engine, zendesk: ZendeskStandin, rng: random.Random) -> None:
    """The inventory names what the account holds, and what is fetched by id is what was pulled."""
    tickets = dict(dump(zendesk, "tickets"))
    with source_of(zendesk) as source:
        names = {one.remote_id: one for page in source.inventory("tickets") for one in page}
        assert names.keys() == {str(number) for number in tickets}
        for number, row in tickets.items():
            one = names[str(number)]
            assert one.is_tombstone == (row["status"] == "deleted")
            assert one.children == row["comment_count"]
        living = [str(number) for number, row in tickets.items() if row["status"] != "deleted"]
        stored = 0
        for page in source.fetch("tickets", rng.sample(living, 120)):
            with engine.begin() as connection:
                stored += store_records(
                    connection, "acme", "zendesk", page.records,
                    fetched_at=zendesk.now(), volatile=source.volatile_fields,
                )  # fmt: skip
        assert stored == 0


def _compare(engine: Engine, zendesk: ZendeskStandin) -> None:
    redacted = {entry["ticket_id"] for entry in zendesk.ledger.entries("redaction")}
    gone = {n for n, row in dump(zendesk, "tickets") if row["status"] == "deleted"}
    for stream in STREAMS:
        theirs = {str(number): row for number, row in dump(zendesk, stream)}
        with engine.connect() as connection:
            ours = {
                record.remote_id: json.loads(record.payload)
                for record in latest_records(connection, "acme", "zendesk", stream)
            }
            again = connection.execute(
                select(raw_record.c.remote_id, func.count())
                .where(raw_record.c.stream == stream)
                .group_by(raw_record.c.remote_id)
                .having(func.count() > 1)
            ).all()
        print(f"  {stream}: {len(theirs)} there, {len(ours)} here, {len(again)} in more versions")
        assert ours.keys() == theirs.keys(), stream
        differing = [
            number
            for number, row in theirs.items()
            if told(stream, row)
            != told(
                stream,
                {n: v for n, v in ours[number].items() if n in row or stream == "ticket_events"},
            )
        ]
        if stream == "ticket_events":
            # Nobody gives the comments of a deleted ticket any more: what was taken out of them before stays unseen.
            beyond = redacted & gone
            differing = [n for n in differing if theirs[n]["ticket_id"] not in beyond]
            versions = [n for n, _ in again if theirs[n]["ticket_id"] not in redacted]
            assert versions == []
        examples = [(told(stream, theirs[n]), told(stream, ours[n])) for n in differing[:2]]
        assert differing == [], f"{stream}: {examples}"
