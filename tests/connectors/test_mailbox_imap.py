"""An IMAP mailbox gives each mail once, whatever the server does; nothing there is changed.

The first half runs against three servers (our stand-in, Dovecot, pymap), the second against the stand-in, which
can be told to fail.
"""

import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mailbox_peers import (
    Dovecot,
    Peer,
    StandinPeer,
    dovecot,
    free_port,
    pymap_peer,
    standin_peer,
)

from connectors.contract import Cursor, Page, Source
from connectors.errors import (
    AuthError,
    ConfigurationError,
    RateLimitedError,
    UnavailableError,
)
from connectors.mailbox.imap import TRIES, ImapSource
from connectors.standins.imap import ImapStandin
from transforms.model import RawRecord


@pytest.fixture(scope="module", params=["stand-in", "dovecot", "pymap"])
def start(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def running_dovecot() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


@pytest.fixture
def peer(start: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A fresh mailbox."""
    if start == "dovecot":
        yield request.getfixturevalue("running_dovecot").mailbox()
        return
    make = standin_peer if start == "stand-in" else pymap_peer
    with make(tmp_path / "imap") as running:
        yield running


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandinPeer]:
    with standin_peer(tmp_path / "imap") as running:
        assert isinstance(running, StandinPeer)
        yield running


def mail(number: int, body: str = "hello") -> bytes:
    return (
        f"From: Ada <ada{number}@customer.example>\r\nTo: info@acme.example\r\n"
        f"Subject: Printer {number}\r\nMessage-ID: <{number}@customer.example>\r\n"
        f"Date: Mon, 2 Mar 2026 09:{number % 60:02}:00 +0000\r\n\r\n{body} {number}\r\n"
    ).encode()


def same_ends(payload: bytes) -> bytes:
    """With CRLF: pymap gives back what it wrote to disk, with bare line feeds."""
    return payload.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def records_of(pages: list[Page]) -> list[RawRecord]:
    return [record for page in pages for record in page.records]


def pulled(source: ImapSource, cursor: Cursor | None = None) -> tuple[list[RawRecord], Cursor]:
    pages = list(source.pull("mails", cursor))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    return records_of(pages), json.loads(json.dumps(dict(pages[-1].cursor)))


def ids(records: list[RawRecord]) -> list[str]:
    return [record.remote_id for record in records]


def test_it_is_a_source(standin: StandinPeer) -> None:
    assert isinstance(standin.source(), Source)


def test_pull_gives_the_bytes_of_each_mail_and_says_where_they_were(peer: Peer) -> None:
    for number in range(3):
        peer.add(mail(number))
    peer.add(mail(7), "Sent")
    records, _ = pulled(peer.source("INBOX", "Sent"))
    assert [same_ends(record.payload) for record in records] == [mail(0), mail(1), mail(2), mail(7)]
    assert [record.location["folder"] for record in records] == ["INBOX"] * 3 + ["Sent"]
    assert [record.location["uid"] for record in records[:3]] == sorted(
        record.location["uid"] for record in records[:3]
    )
    assert records[0].location["internal_date"] == "2026-03-01T09:00:00+00:00"
    assert {record.media_type for record in records} == {"message/rfc822"}


def test_pull_leaves_every_mail_unread(peer: Peer) -> None:
    peer.add(mail(1))
    pulled(peer.source())
    assert b"\\Seen" not in peer.flags()[0]


def test_pull_again_gives_nothing_and_a_new_mail_alone(peer: Peer) -> None:
    peer.add(mail(1))
    first, cursor = pulled(peer.source())
    again, cursor = pulled(peer.source(), cursor)
    peer.add(mail(2))
    later, _ = pulled(peer.source(), cursor)
    assert (len(first), again) == (1, [])
    assert [same_ends(record.payload) for record in later] == [mail(2)]


def test_each_page_can_be_the_last_one(peer: Peer) -> None:
    for number in range(7):
        peer.add(mail(number))
    wanted, _ = pulled(peer.source())
    found: list[RawRecord] = []
    cursor: Cursor | None = None
    for _ in range(20):
        page = next(iter(peer.source(page_mails=2).pull("mails", cursor)))
        assert len(page.records) <= 2
        found += page.records
        cursor = json.loads(json.dumps(dict(page.cursor)))
        if page.complete:
            break
    assert ids(found) == ids(wanted)


def test_pages_are_bounded_by_bytes_and_a_larger_mail_comes_alone(peer: Peer) -> None:
    for number, size in enumerate([100, 100, 5_000, 100]):
        peer.add(mail(number, "x" * size))
    pages = [page for page in peer.source(page_bytes=1_500).pull("mails", None) if page.records]
    assert [len(page.records) for page in pages] == [2, 1, 1]


def test_the_same_bytes_in_two_folders_are_two_items(peer: Peer) -> None:
    peer.add(mail(1))
    peer.add(mail(1), "Sent")
    records, _ = pulled(peer.source("INBOX", "Sent"))
    assert records[1].remote_id == records[0].remote_id + "#2"


def test_a_renumbered_folder_is_listed_again_under_the_same_ids(peer: Peer) -> None:
    if peer.name == "pymap":
        pytest.skip("pymap cannot be told to renumber a folder")
    for number in range(3):
        peer.add(mail(number))
    before, cursor = pulled(peer.source())
    peer.renumber()
    after, _ = pulled(peer.source(), cursor)
    assert set(ids(after)) == set(ids(before))
    assert after[0].location["uidvalidity"] != before[0].location["uidvalidity"]


def test_a_mail_moved_to_another_folder_keeps_its_id(standin: StandinPeer) -> None:
    for number in range(3):
        standin.add(mail(number))
    before, cursor = pulled(standin.source("Sent", "INBOX"))
    inbox = standin.server.store.folder("INBOX")
    assert inbox is not None
    moved = inbox.mails()[1]
    standin.add(mail(1), "Sent")
    inbox.remove(moved.name)
    after, cursor = pulled(standin.source("Sent", "INBOX"), cursor)
    assert ids(after) == [before[1].remote_id]
    assert pulled(standin.source("Sent", "INBOX"), cursor)[0] == []


def test_wrong_password_is_an_auth_error_without_the_password(peer: Peer) -> None:
    with pytest.raises(AuthError, match="refuses the log-in of info") as caught:
        pulled(peer.source(password="not-this-one"))
    assert "not-this-one" not in str(caught.value)


def test_missing_folder_is_a_configuration_error_that_names_the_others(peer: Peer) -> None:
    with pytest.raises(ConfigurationError, match=r"no folder 'Gesendet'; there are: INBOX.*Sent"):
        pulled(peer.source("Gesendet"))


def test_check_tells_what_the_folders_hold(peer: Peer) -> None:
    peer.add(mail(1))
    good = peer.source("INBOX", "Sent").check()
    bad = peer.source("Nowhere").check()
    assert (good.works, good.detail) == (True, "mails in INBOX: 1, Sent: 0")
    assert not bad.works
    assert "Nowhere" in bad.detail


def test_unreachable_host_is_named_with_its_port() -> None:
    port = free_port()
    source = ImapSource("127.0.0.1", "info", "x", port=port, use_tls=False, sleep=lambda _s: None)
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{port} cannot be reached"):
        pulled(source)


def test_tls_on_a_plain_port_is_a_configuration_error(standin: StandinPeer) -> None:
    with pytest.raises(ConfigurationError, match="no TLS on this port"):
        pulled(standin.source(use_tls=True))


def test_tls_wants_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    with ImapStandin(tmp_path / "imap", {"info": "secret"}, ssl_context=server_side) as server:
        (tmp_path / "imap" / "INBOX" / "1.eml").write_bytes(mail(1))
        trusting = ssl.create_default_context(cafile=str(certificate))
        settings = {"port": server.port, "sleep": lambda _seconds: None}
        good = ImapSource("localhost", "info", "secret", ssl_context=trusting, **settings)  # type: ignore[arg-type]
        assert [record.payload for record in pulled(good)[0]] == [mail(1)]
        doubtful = ImapSource("localhost", "info", "secret", **settings)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="certificate is not trusted"):
            pulled(doubtful)


def test_a_dropped_line_is_opened_again_and_nothing_is_lost(standin: StandinPeer) -> None:
    for number in range(5):
        standin.add(mail(number))
    standin.server.faults.drop_fetches = 2
    records, _ = pulled(standin.source(page_mails=2))
    assert [record.payload for record in records] == [mail(number) for number in range(5)]
    assert standin.pauses == [1.0, 2.0]


def test_a_server_that_stays_down_is_an_error_and_the_pages_before_stay_valid(
    standin: StandinPeer,
) -> None:
    for number in range(4):
        standin.add(mail(number))
    pages = standin.source(page_mails=2).pull("mails", None)
    first = next(pages)
    standin.server.stop()
    with pytest.raises(UnavailableError):
        list(pages)
    assert len(standin.pauses) == TRIES - 1
    standin.server.start()
    standin.port = standin.server.port
    rest, _ = pulled(standin.source(), first.cursor)
    assert [record.payload for record in (*first.records, *rest)] == [mail(n) for n in range(4)]


def test_a_silent_server_is_given_up_after_the_timeout(standin: StandinPeer) -> None:
    standin.add(mail(1))
    standin.server.faults.silent_fetches = 1
    records, _ = pulled(standin.source(read_seconds=0.3))
    assert [record.payload for record in records] == [mail(1)]


def test_a_mail_expunged_while_it_is_fetched_is_left_out(standin: StandinPeer) -> None:
    for number in range(3):
        standin.add(mail(number))
    folder = standin.server.store.folder("INBOX")
    assert folder is not None
    gone = folder.mails()[1].name
    standin.server.faults.on_fetch.append(lambda opened: opened.remove(gone))
    records, cursor = pulled(standin.source())
    assert [record.payload for record in records] == [mail(0), mail(2)]
    assert pulled(standin.source(), cursor)[0] == []


def test_a_folder_renumbered_in_the_middle_is_listed_again(standin: StandinPeer) -> None:
    for number in range(4):
        standin.add(mail(number))

    def renumber(opened: object) -> None:
        opened.renumber()  # type: ignore[attr-defined]
        standin.server.faults.drop_fetches = 1

    pages = standin.source(page_mails=2).pull("mails", None)
    found = list(next(pages).records)
    standin.server.faults.on_fetch.append(renumber)
    found += records_of(list(pages))
    assert {record.payload for record in found} == {mail(number) for number in range(4)}
    assert len(set(ids(found))) == 4


@pytest.mark.parametrize("fault", ["unreadable", "deadly"])
def test_a_mail_that_cannot_be_fetched_stops_no_other_and_comes_later(
    standin: StandinPeer, fault: str
) -> None:
    for number in range(3):
        standin.add(mail(number))
    folder = standin.server.store.folder("INBOX")
    assert folder is not None
    bad = folder.mails()[1]
    names = getattr(standin.server.faults, fault)
    names.add(bad.name)
    records, cursor = pulled(standin.source())
    assert [record.payload for record in records] == [mail(0), b"", mail(2)]
    assert records[1].remote_id == f"unfetched:INBOX:{folder.uidvalidity}:{bad.uid}"
    assert records[1].location["problem"]
    names.clear()
    later, cursor = pulled(standin.source(), cursor)
    assert [(record.is_tombstone, record.payload) for record in later] == [
        (True, b""),
        (False, mail(1)),
    ]
    assert later[0].remote_id == records[1].remote_id
    assert pulled(standin.source(), cursor)[0] == []


def test_throttling_is_a_rate_limit(standin: StandinPeer) -> None:
    standin.add(mail(1))
    standin.server.faults.throttled_fetches = 1
    with pytest.raises(RateLimitedError, match="THROTTLED"):
        pulled(standin.source())


def test_a_busy_server_at_login_is_tried_again(standin: StandinPeer) -> None:
    standin.add(mail(1))
    standin.server.faults.busy_logins = 2
    assert len(pulled(standin.source())[0]) == 1


def test_a_mail_of_many_megabytes_is_a_record(standin: StandinPeer) -> None:
    large = mail(1, "x" * 76 + "\r\n") + b"y" * 60_000_000 + b"\r\n"
    folder = standin.server.store.folder("INBOX")
    assert folder is not None
    folder.append(large, None)
    standin.add(mail(2))
    pages = [page for page in standin.source().pull("mails", None) if page.records]
    assert [len(page.records) for page in pages] == [1, 1]
    assert pages[0].records[0].payload == large


def test_a_folder_named_in_another_script_is_found(standin: StandinPeer) -> None:
    path = standin.server.store.root / "Gönderilmiş Öğeler"
    path.mkdir()
    (path / "1.eml").write_bytes(mail(1))
    assert len(pulled(standin.source("Gönderilmiş Öğeler"))[0]) == 1


def test_a_folder_no_longer_configured_is_forgotten(standin: StandinPeer) -> None:
    standin.add(mail(1))
    standin.add(mail(2), "Sent")
    _, cursor = pulled(standin.source("INBOX", "Sent"))
    _, cursor = pulled(standin.source("INBOX"), cursor)
    assert set(cursor["folders"]) == {"INBOX"}
    assert set(cursor["mails"]) == {"INBOX"}


def test_folders_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="folders must be named"):
        ImapSource("h", "u", "p", folders=())
