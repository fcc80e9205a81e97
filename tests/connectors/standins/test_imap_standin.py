"""The IMAP stand-in speaks the protocol as real servers do, by a raw line and by two clients."""

import imaplib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from connectors.standins.imap import ImapStandin
from connectors.standins.imap_store import Folder
from connectors.standins.imap_wire import decode_name, encode_name, numbers, parse

MAIL = b"Subject: hello\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ImapStandin]:
    for name, count in (("INBOX", 3), ("Sent", 1), ("Archive/2026", 0)):
        (tmp_path / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / name / f"{number}.eml").write_bytes(MAIL.replace(b"1@", b"%d@" % number))
    with ImapStandin(tmp_path, {"info": 'sec"ret'}) as running:
        yield running


@pytest.fixture
def client(server: ImapStandin) -> Iterator[IMAPClient]:
    connected = IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10)
    try:
        connected.login("info", 'sec"ret')
        yield connected
    finally:
        connected.logout()


def test_folders_are_listed_with_their_parents(client: IMAPClient) -> None:
    assert [name for _, _, name in client.list_folders()] == [
        "INBOX",
        "Archive",
        "Archive/2026",
        "Sent",
    ]
    assert [name for _, _, name in client.list_sub_folders("", "Archive*")] == [
        "Archive",
        "Archive/2026",
    ]


def test_status_and_examine_agree(client: IMAPClient) -> None:
    status = client.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UIDVALIDITY"])
    opened = client.select_folder("INBOX", readonly=True)
    assert status == {b"MESSAGES": 3, b"UIDNEXT": 4, b"UIDVALIDITY": opened[b"UIDVALIDITY"]}
    assert opened[b"EXISTS"] == 3


def test_peek_leaves_a_mail_unread_and_body_marks_it(client: IMAPClient) -> None:
    client.select_folder("INBOX")
    client.fetch([1], ["BODY.PEEK[]"])
    assert client.search(["UNSEEN"]) == [1, 2, 3]
    assert client.fetch([1], ["BODY[]"])[1][b"BODY[]"] == MAIL.replace(b"1@", b"0@")
    assert client.search(["UNSEEN"]) == [2, 3]


def test_examine_never_marks(client: IMAPClient) -> None:
    client.select_folder("INBOX", readonly=True)
    client.fetch([1], ["BODY[]"])
    assert client.search(["UNSEEN"]) == [1, 2, 3]


def test_an_open_range_always_has_the_last_mail(client: IMAPClient) -> None:
    client.select_folder("INBOX", readonly=True)
    assert client.search(["UID", "9:*"]) == [3]


def test_append_gives_the_uid_and_keeps_the_date(client: IMAPClient) -> None:
    at = datetime(2026, 2, 1, 8, 30, tzinfo=UTC)
    answer = client.append("Sent", MAIL, flags=["\\Seen"], msg_time=at)
    assert b"[APPENDUID 1000001 2]" in answer
    client.select_folder("Sent", readonly=True)
    client.normalise_times = False
    found = client.fetch([2], ["INTERNALDATE", "FLAGS", "BODY.PEEK[]", "RFC822.SIZE"])[2]
    assert found[b"INTERNALDATE"] == at
    assert found[b"FLAGS"] == (b"\\Seen",)
    assert found[b"RFC822.SIZE"] == len(found[b"BODY[]"]) == len(MAIL)


def test_uids_survive_a_restart_and_are_never_given_twice(server: ImapStandin) -> None:
    folder = server.store.folder("INBOX")
    assert folder is not None
    folder.remove("2.eml")
    (folder.path / "0a.eml").write_bytes(MAIL)
    assert [(mail.name, mail.uid) for mail in folder.mails()] == [
        ("0.eml", 1),
        ("1.eml", 2),
        ("0a.eml", 4),
    ]
    again = Folder("INBOX", folder.path)
    assert [(mail.name, mail.uid) for mail in again.mails()] == [
        ("0.eml", 1),
        ("1.eml", 2),
        ("0a.eml", 4),
    ]
    again.renumber()
    assert again.uidvalidity == folder.uidvalidity + 1
    assert sorted(mail.uid for mail in again.mails()) == [1, 2, 3]


def test_noop_tells_what_came_and_went(server: ImapStandin, client: IMAPClient) -> None:
    client.select_folder("INBOX", readonly=True)
    folder = server.store.folder("INBOX")
    assert folder is not None
    folder.remove("0.eml")
    folder.append(MAIL, None)
    folder.append(MAIL, None)
    _, untagged = client.noop()
    assert untagged == [(1, b"EXPUNGE"), (4, b"EXISTS")]


def test_wrong_password_and_unknown_folder_are_answered_with_no(
    server: ImapStandin, client: IMAPClient
) -> None:
    other = IMAPClient("127.0.0.1", server.port, ssl=False, timeout=10)
    with pytest.raises(LoginError, match="AUTHENTICATIONFAILED"):
        other.login("info", "wrong")
    other.logout()
    for name in ("Nowhere", "../INBOX", "/etc", ""):
        with pytest.raises(IMAPClientError, match="NONEXISTENT"):
            client.select_folder(name)


def test_the_standard_library_speaks_to_it_too(server: ImapStandin) -> None:
    with imaplib.IMAP4("127.0.0.1", server.port, timeout=10) as client:
        client.login("info", 'sec"ret')
        assert client.select("Sent", readonly=True) == ("OK", [b"1"])
        _, found = client.uid("FETCH", "1", "(RFC822.HEADER)")
        assert found[0][1] == b"Subject: hello\r\nMessage-ID: <0@example.com>\r\n\r\n"


def test_idle_tells_of_a_new_mail_when_it_ends(server: ImapStandin, client: IMAPClient) -> None:
    client.select_folder("INBOX", readonly=True)
    client.idle()
    folder = server.store.folder("INBOX")
    assert folder is not None
    folder.append(MAIL, None)
    _, untagged = client.idle_done()
    assert (4, b"EXISTS") in untagged


def test_commands_before_login_and_unknown_ones_are_bad(server: ImapStandin) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        replies = line.makefile("rb")
        assert replies.readline().startswith(b"* OK [CAPABILITY IMAP4rev1")
        for command, answer in (
            (b"a1 SELECT INBOX", b"a1 BAD log in first"),
            (b"a2 XYZZY", b"a2 BAD unknown command XYZZY"),
            (b"a3 LOGIN info", b"a3 BAD"),
        ):
            line.sendall(command + b"\r\n")
            assert replies.readline().startswith(answer)
        replies.close()
    assert server.commands == ["SELECT", "XYZZY", "LOGIN"]


def test_stop_cuts_open_connections_and_the_port_is_kept(tmp_path: Path) -> None:
    server = ImapStandin(tmp_path, {}).start()
    port = server.port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.recv(1_000)
        server.stop()
        assert line.recv(1_000) == b""
    with server:
        assert server.port == port


@pytest.mark.parametrize(
    "name", ["INBOX", "Gönderilmiş Öğeler", "A & B", "送信済み", "[Gmail]/Sent Mail"]
)
def test_folder_names_survive_modified_utf7(name: str) -> None:
    assert encode_name(name).isascii()
    assert decode_name(encode_name(name)) == name


def test_wire_words() -> None:
    assert parse('1:3 (UID BODY.PEEK[HEADER.FIELDS (DATE)]) "a \\"b\\""', [])[2] == 'a "b"'
    assert parse("x \x000\x00", [b"lit"]) == ["x", b"lit"]
    assert numbers("1,3:*", [1, 2, 3, 4]) == {1, 3, 4}
    assert numbers("*", [5, 7]) == {7}
    assert numbers("9:*", [5, 7]) == {7}
