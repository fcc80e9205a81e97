"""The nightly comparison of a mailbox: what a restored warehouse lost comes back, what is gone stays and is told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, select

from connectors.standins.imap import ImapStandin
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import comment, raw_record
from pipelines.ingest import ingest_client
from pipelines.reconcile import reconcile_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings

NOW = datetime(2026, 11, 4, 13, tzinfo=UTC)


def mail(number: int) -> bytes:
    return (
        f"From: Ada <ada@buyer.example>\r\nTo: info@acme.example\r\nSubject: Printer {number}\r\n"
        f"Message-ID: <{number}@buyer.example>\r\nDate: Tue, 3 Nov 2026 09:0{number}:00 +0000\r\n\r\n"
        f"It is broken ({number}).\r\n"
    ).encode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ImapStandin]:
    (tmp_path / "imap" / "INBOX").mkdir(parents=True)
    for number in range(6):
        (tmp_path / "imap" / "INBOX" / f"{number}.eml").write_bytes(mail(number))
    with ImapStandin(tmp_path / "imap", {"info@acme.example": "secret"}) as running:
        yield running


@pytest.fixture
def runtime(engine: Engine, tmp_path: Path, server: ImapStandin) -> Runtime:
    path = tmp_path / "deskbridge.yaml"
    path.write_text(
        "clients:\n  acme:\n    time_zone: Europe/Istanbul\n    sources:\n"
        f"      - {{id: info, type: imap, host: 127.0.0.1, port: {server.port}, tls: false, "
        "username: info@acme.example, password: secret}\n"
    )
    return runtime_on(engine, load_settings(path, {}), lambda: NOW)


def comments(runtime: Runtime) -> int:
    with reading(runtime.engine) as connection:
        return connection.execute(select(func.count()).select_from(comment)).scalar_one()


def test_a_mailbox_that_agrees_fetches_nothing(runtime: Runtime, server: ImapStandin) -> None:
    ingest_client(runtime, "acme")
    server.commands.clear()
    report = reconcile_client(runtime, "acme")
    (outcome,) = report.sources
    (found,) = outcome.streams
    assert report.agrees
    assert outcome.is_comparable
    assert (found.listed, found.here, found.lost, found.fetched) == (6, 6, 0, 0)
    assert found.examples == []
    # Flags and UIDs of the whole folder, no body.
    assert server.commands.count("UID FETCH") == 1


def test_what_the_warehouse_lost_comes_back_and_what_is_gone_stays(
    runtime: Runtime, server: ImapStandin
) -> None:
    ingest_client(runtime, "acme")
    folder = server.store.folder("INBOX")
    assert folder is not None
    folder.remove("1.eml")
    with writing(runtime.engine) as connection:
        lost = connection.execute(
            select(raw_record.c.raw_id).where(raw_record.c.payload == mail(4))
        ).scalar_one()
        connection.execute(delete(raw_record).where(raw_record.c.raw_id == lost))
    report = reconcile_client(runtime, "acme")
    (found,) = report.sources[0].streams
    assert (found.listed, found.here, found.missing, found.fetched) == (5, 5, 1, 1)
    assert found.examples == [
        "INBOX: 1 of 5 were not here",
        "1 are on the server no more; their records stay",
    ]
    with reading(runtime.engine) as connection:
        payloads = set(connection.execute(select(raw_record.c.payload)).scalars())
    assert payloads == {mail(number) for number in range(6)}
    assert comments(runtime) == 6
    again = reconcile_client(runtime, "acme")
    assert (again.agrees, again.total("missing")) == (True, 0)
