"""A soak of the IMAP source: a mailbox that lives while it is read, every fault, cuts; the end equals its own dump.

Longer: DESKBRIDGE_SOAK_SECONDS (real seconds of life), DESKBRIDGE_SOAK_MAILS, DESKBRIDGE_SOAK_SEED. A mailbox has no
documented rates, so no time is scaled.
"""

import hashlib
import os
import random
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Engine, select

from connectors.errors import ConnectorError
from connectors.mailbox.imap import ImapSource
from connectors.mailbox.imap_place import standing_mails
from connectors.standins.imap import ImapStandin
from connectors.standins.imap_store import Folder
from connectors.warehouse import inventory, raw
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import raw_record

SECONDS = float(os.environ.get("DESKBRIDGE_SOAK_SECONDS", "2"))
MAILS = int(os.environ.get("DESKBRIDGE_SOAK_MAILS", "120"))
SEED = int(os.environ.get("DESKBRIDGE_SOAK_SEED", "7"))

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FOLDERS = ("INBOX", "Sent", "Archive")
PLACE = ("acme", "info", "mails")
KINDS = {
    "all extensions": {},
    "no QRESYNC": {"without": {"QRESYNC"}},
    "no CONDSTORE": {"without": {"QRESYNC", "CONDSTORE", "ENABLE"}},
    "Gmail": {
        "gmail_labels": {"INBOX": "\\Inbox", "[Gmail]/Sent Mail": "\\Sent", "Sales": "Sales"}
    },
}


class Life(threading.Thread):
    """People and servers at work in a mailbox, until it is stopped."""

    def __init__(self, server: ImapStandin, rng: random.Random, *, is_gmail: bool) -> None:
        super().__init__(name="life")
        self.acts: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """sha256 of every mail that was ever put in → most copies that lay there at one time."""
        self._copies: Counter[str] = Counter()
        self.failure: Exception | None = None
        self._server, self._rng, self._is_gmail = server, rng, is_gmail
        self._number = 0
        self._over = threading.Event()

    def stop(self) -> None:
        self._over.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def run(self) -> None:
        acts = (
            [self.arrive] * 6
            + [self.flag] * 3
            + [self.expunge, self.copy, self.trouble, self.trouble] * 2
        )
        acts += [self.relabel] * 2 if self._is_gmail else [self.move, self.move, self.renumber]
        try:
            while not self._over.wait(self._rng.uniform(0, 0.02)):
                act = self._rng.choice(acts)
                with self._server.lock:
                    act()
                self.acts[act.__name__] += 1
        except Exception as error:  # noqa: BLE001 - told by stop(): a thread has nobody to raise to
            self.failure = error

    def fill(self, count: int) -> None:
        """Mails that are there before the first sync, many of one instant and size."""
        for _ in range(count):
            self.arrive()

    def arrive(self) -> None:
        self._number += 1
        number, rng = self._number, self._rng
        body = "x" * rng.choice([10, 200, 2_000, 20_000])
        identity = rng.choice(
            [f"Message-ID: <{number}@x.example>\r\n", "Message-ID: <same@x.example>\r\n", ""]
        )
        payload = f"Subject: Printer {number % 7}\r\n{identity}\r\n{number} {body}\r\n".encode()
        self.put(self.folder(), payload)

    def copy(self) -> None:
        """The same bytes a second time, in any folder."""
        if found := self.any_mail():
            self.put(self.folder(), found[1].payload() or b"")

    def put(self, folder: Folder, payload: bytes) -> None:
        digest = hashlib.sha256(payload).hexdigest()
        self._copies[digest] += 1
        self.most[digest] = max(self.most[digest], self._copies[digest])
        labels = [[], ["\\Inbox"], ["\\Sent"], ["\\Inbox", "Sales"]]
        folder.append(payload, NOW, labels=self._rng.choice(labels) if self._is_gmail else ())

    def take(self, folder: Folder, mail: Any) -> None:
        self._copies[hashlib.sha256(mail.payload()).hexdigest()] -= 1
        folder.remove(mail.name)

    def move(self) -> None:
        if found := self.any_mail():
            payload = found[1].payload() or b""
            self.take(*found)
            self.put(self.folder(), payload)

    def expunge(self) -> None:
        if found := self.any_mail():
            self.take(*found)

    def flag(self) -> None:
        if found := self.any_mail():
            flags = self._rng.sample(
                ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "$Later"], 2
            )
            found[0].set_flags(found[1].name, flags)

    def relabel(self) -> None:
        if found := self.any_mail():
            found[0].set_labels(found[1].name, self._rng.choice([[], ["\\Inbox"], ["Sales"]]))

    def renumber(self) -> None:
        self.folder().renumber()

    def trouble(self) -> None:
        """One of the faults of FETCH, log-in and folders."""
        faults, rng = self._server.faults, self._rng
        kind = rng.randrange(9)
        if kind == 0:
            faults.drop_fetches += 1
        elif kind == 1:
            faults.busy_logins += 1
        elif kind == 2:
            faults.busy_opens += 1
        elif kind == 3:
            faults.throttled_fetches += 1
        elif kind == 4:
            faults.bye_fetches += 1
        elif kind == 5:
            self._server.cut_connections()
        elif kind == 6:
            faults.is_chatty = not faults.is_chatty
        elif kind == 7:
            faults.on_fetch.append(lambda _folder: self.expunge())
        elif found := self.any_mail():
            rng.choice([faults.unreadable, faults.bodiless]).add(found[1].name)

    def mend(self) -> None:
        """No more faults."""
        self._server.faults.__init__()  # type: ignore[misc]

    def folder(self) -> Folder:
        name = "[Gmail]/All Mail" if self._is_gmail else self._rng.choice(FOLDERS)
        found = self._server.store.folder(name)
        assert found is not None
        return found

    def any_mail(self) -> tuple[Folder, Any] | None:
        folder = self.folder()
        mails = folder.mails()
        return (folder, self._rng.choice(mails)) if mails else None


def sync(engine: Engine, source: ImapSource, rng: random.Random | None) -> int:
    """One sync as `pipelines.sync` does it; with `rng` it may be killed behind any page. Records seen."""
    with reading(engine) as connection:
        state = raw.stream_state(connection, *PLACE)
    seen = 0
    pages = source.pull("mails", state.cursor)
    for number, page in enumerate(pages):
        seen += len(page.records)
        if rng is not None and rng.random() < 0.05:
            pages.close()  # type: ignore[attr-defined]
            return seen  # fetched, never stored: killed between fetch and commit
        with writing(engine) as connection:
            sequence = state.sequence + number
            raw.store_page(connection, *PLACE, page, sequence=sequence, fetched_at=NOW)
    return seen


def recount(engine: Engine, source: ImapSource) -> list[str]:
    """Compares everything, as the nightly reconciliation does; ids that are on the server no more."""
    with reading(engine) as connection:
        state = raw.stream_state(connection, *PLACE)
        held = list(inventory.live_ids(connection, *PLACE))
    found = source.recount("mails", state.cursor, held)
    for number, page in enumerate(found.pages):
        assert page.records == []
        with writing(engine) as connection:
            sequence = state.sequence + number
            raw.store_page(connection, *PLACE, page, sequence=sequence, fetched_at=NOW)
    assert [(one.missing, one.arrived, one.vanished) for one in found.containers] == [
        (0, 0, 0) for _ in found.containers
    ]
    return found.gone


def stored(engine: Engine) -> dict[str, bytes]:
    """Remote id → bytes of every mail that is here; each once."""
    columns = (raw_record.c.remote_id, raw_record.c.payload, raw_record.c.is_tombstone)
    with reading(engine) as connection:
        rows = connection.execute(select(*columns).order_by(raw_record.c.raw_id)).all()
    latest = {row.remote_id: row for row in rows}
    mails = {name: row.payload for name, row in latest.items() if not row.is_tombstone}
    versions = Counter(row.remote_id for row in rows if row.remote_id.startswith("sha256:"))
    assert set(versions.values()) <= {1}
    return mails


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_equals_the_mailbox_own_dump(
    kind: str, tmp_path: Path, sqlite_engine: Engine
) -> None:
    rng = random.Random(f"{SEED} {kind}")
    is_gmail = kind == "Gmail"
    wanted = ["INBOX", "[Gmail]/Sent Mail", "Sales", "\\All"] if is_gmail else [*FOLDERS]
    for folder in () if is_gmail else FOLDERS:
        (tmp_path / "imap" / folder).mkdir(parents=True)
    options: dict[str, Any] = KINDS[kind]
    with ImapStandin(tmp_path / "imap", {"info": "secret"}, **options) as server:
        source = ImapSource(
            "127.0.0.1",
            "info",
            "secret",
            port=server.port,
            use_tls=False,
            folders=wanted,
            page_mails=20,
            read_seconds=5.0,
            sleep=lambda _seconds: None,
        )
        life = Life(server, rng, is_gmail=is_gmail)
        life.fill(MAILS)
        life.start()
        outcomes: Counter[str] = Counter()
        end = monotonic() + SECONDS
        try:
            while monotonic() < end:
                try:
                    outcomes["records"] += sync(sqlite_engine, source, rng)
                    outcomes["syncs"] += 1
                except ConnectorError as error:
                    outcomes[type(error).__name__] += 1
        finally:
            life.stop()
        life.mend()
        sync(sqlite_engine, source, None)
        assert sync(sqlite_engine, source, None) == 0
        dump = server.dump()
        gone = recount(sqlite_engine, source)

    mails = stored(sqlite_engine)
    there = {f"sha256:{one['sha256']}" for one in dump}
    # Every mail that lies on the server is here, and all that is here was put there, byte by byte.
    assert there <= {name.partition("#")[0] for name in mails}
    assert {hashlib.sha256(payload).hexdigest() for payload in mails.values()} <= {*life.most}
    # A mail that was moved while it was read is not taken for a copy. (Gmail's copies have ids of their own, and
    # those that went count until the recount.)
    for name in () if is_gmail else mails:
        digest, _, occurrence = name.removeprefix("sha256:").partition("#")
        assert int(occurrence or 1) <= life.most[digest]
    # The recount tells those that lie there still from those that do not, copies counted.
    assert set(mails) - set(gone) == {
        f"sha256:{one['sha256']}" + (f"#{one['occurrence']}" if one["occurrence"] > 1 else "")
        for one in dump
    }
    assert not [name for name in mails if name.startswith("unfetched:")]
    with reading(sqlite_engine) as connection:
        cursor = raw.stream_state(connection, *PLACE).cursor
        held = list(inventory.live_ids(connection, *PLACE))
    standing = list(standing_mails(cursor))
    if is_gmail:
        assert len(standing) == len(dump)
    else:
        assert {(one.folder, one.key, one.digest_start) for one in standing} == {
            (one["folder"], one["uid"], one["sha256"][:10]) for one in dump
        }
    if kind in ("all extensions", "no QRESYNC"):
        system = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"}
        assert {(one.folder, one.key): set(one.flags) for one in standing} == {
            (one["folder"], one["uid"]): system & set(one["flags"]) for one in dump
        }
    print(
        f"\n{kind}: {SECONDS:g} s of life ({sum(life.acts.values())} acts: {dict(life.acts)}), "
        f"{dict(outcomes)}; {len(dump)} mails on the server, {len(held)} here, none missing, none twice"
    )
