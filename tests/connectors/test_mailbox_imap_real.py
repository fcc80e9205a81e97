"""A Dovecot mailbox with two years of a public support list: every mail once, nothing on the server changed."""

import hashlib
import re
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

sys.path.insert(0, str(Path(__file__).parent))
from mailbox_peers import DovecotPeer, dovecot

from connectors.mailbox.imap_place import standing_mails
from connectors.warehouse import inventory, raw
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import raw_record
from pipelines.sync import sync_source

pytestmark = pytest.mark.real_data

FOLDERS = {"INBOX": "usrp-2022", "Archive": "usrp-2023"}
FLAGS = ["", "S", "RS", "FS"]
"""Maildir's letters, given out in turn: unread, seen, answered, flagged."""


class Filled(DovecotPeer):
    """The mailbox, what was put into it, and how it looks to another client."""

    put: Counter[str]

    def server_side(self) -> dict[tuple[str, int, int], tuple[bytes, ...]]:
        """(Folder, UIDVALIDITY, UID) → flags."""
        found = {}
        with self.client() as client:
            for folder in FOLDERS:
                opened = client.select_folder(folder, readonly=True)
                for uid, data in client.fetch(client.search(), ["FLAGS"]).items():
                    flags = tuple(sorted(each for each in data[b"FLAGS"] if each != b"\\Recent"))
                    found[(folder, opened[b"UIDVALIDITY"], uid)] = flags
        return found


@pytest.fixture(scope="module")
def mailbox(shared_data: Path) -> Iterator[Filled]:
    with dovecot() as server:
        peer = server.mailbox()
        peer.__class__ = Filled
        assert isinstance(peer, Filled)
        peer.put = Counter()
        with peer.client() as client:
            client.create_folder("Archive")
        for folder, name in FOLDERS.items():
            target = peer.maildir if folder == "INBOX" else peer.maildir / f".{folder}"
            fill(shared_data / "mail" / "threads" / f"{name}.tar.xz", target / "cur", peer.put)
            server.own(target / "cur")
        yield peer


def fill(archive: Path, target: Path, put: Counter[str]) -> None:
    with tarfile.open(archive) as content:
        for number, member in enumerate(m for m in content if m.name.endswith(".eml")):
            file = content.extractfile(member)
            assert file is not None
            payload = file.read()
            # Dovecot hands mails over with CRLF, whatever lies on disk.
            put[hashlib.sha256(re.sub(rb"\r?\n", b"\r\n", payload)).hexdigest()] += 1
            name = f"{member.mtime}.{number}.list.example:2,{FLAGS[number % 4]}"
            (target / name).write_bytes(payload)


def stored(engine: Engine) -> Counter[str]:
    """Digest → how many records have these bytes."""
    with reading(engine) as connection:
        rows = connection.execute(select(raw_record.c.payload_sha256)).all()
    return Counter(row.payload_sha256 for row in rows)


def now() -> datetime:
    return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_all_mails_once_and_the_server_as_it_was(mailbox: Filled, sqlite_engine: Engine) -> None:
    before = mailbox.server_side()
    assert len(before) == mailbox.put.total() == 2_916
    source = mailbox.source(*FOLDERS)
    engine = sqlite_engine

    started = time.perf_counter()
    pages = list(source.pull("mails", None))
    alone = time.perf_counter() - started
    calls = sum(page.calls for page in pages)
    payload = sum(len(record.payload) for page in pages for record in page.records)

    started = time.perf_counter()
    sync_source(engine, "acme", "info", source, now)
    with_store = time.perf_counter() - started
    assert stored(engine) == mailbox.put
    assert mailbox.server_side() == before

    started = time.perf_counter()
    again = sync_source(engine, "acme", "info", source, now)
    unchanged = time.perf_counter() - started
    assert (again.total("seen"), again.total("calls")) == (0, 5)

    with mailbox.client() as client:
        client.select_folder("INBOX")
        client.add_flags(range(1, 101), ["\\Flagged"])
    flagged = mailbox.server_side()
    resync = sync_source(engine, "acme", "info", source, now)
    assert (resync.total("seen"), resync.total("calls")) == (0, 5)
    with reading(engine) as connection:
        cursor = raw.stream_state(connection, "acme", "info", "mails").cursor
    known = {(one.folder, one.key): set(one.flags) for one in standing_mails(cursor)}
    assert known == {
        (folder, uid): {flag.decode() for flag in flags}
        for (folder, _, uid), flags in flagged.items()
    }

    for folder in FOLDERS:
        mailbox.renumber(folder)
    renumbered = mailbox.server_side()
    assert {(f, v) for f, v, _ in renumbered}.isdisjoint({(f, v) for f, v, _ in before})
    started = time.perf_counter()
    report = sync_source(engine, "acme", "info", source, now)
    relisted = time.perf_counter() - started
    assert (report.total("seen"), report.total("stored")) == (2_916, 0)
    assert stored(engine) == mailbox.put
    assert mailbox.server_side() == renumbered

    started = time.perf_counter()
    with reading(engine) as connection:
        held = list(inventory.live_ids(connection, "acme", "info", "mails"))
        state = raw.stream_state(connection, "acme", "info", "mails")
    recount = source.recount("mails", state.cursor, held)
    for number, page in enumerate(recount.pages):
        with writing(engine) as connection:
            raw.store_page(
                connection,
                *("acme", "info", "mails", page),
                sequence=state.sequence + number,
                fetched_at=now(),
            )
    recounted = time.perf_counter() - started
    assert [(c.listed, c.known) for c in recount.containers] == [(1_465, 1_465), (1_451, 1_451)]
    assert recount.gone == []
    assert stored(engine) == mailbox.put
    assert mailbox.server_side() == renumbered
    print(
        f"\n2,916 mails, {payload / 1e6:.1f} MB, {calls} commands: {alone:.2f} s from Dovecot "
        f"({2_916 / alone:,.0f} mails/s), {with_store:.2f} s into the warehouse; unchanged: 5 commands, "
        f"{unchanged * 1000:.0f} ms; after both UIDVALIDITYs changed: {relisted:.2f} s, 0 stored; recount: "
        f"{recounted:.2f} s"
    )
