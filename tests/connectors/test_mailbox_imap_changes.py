"""What came, went and changed in a mailbox is known at the smallest price, with and without the server's help."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mailbox_peers import PASSWORD, USER, Dovecot, Peer, StandinPeer, dovecot

from connectors.contract import Cursor, Recount, Recounting
from connectors.errors import RateLimitedError
from connectors.mailbox.imap import ImapSource
from connectors.mailbox.imap_place import MailboxPlace, Standing, standing_mails
from connectors.mailbox.seen import SeenMails
from connectors.standins.imap import ImapStandin
from transforms.model import RawRecord

SERVERS = ["stand-in", "stand-in without QRESYNC", "stand-in without CONDSTORE", "dovecot"]


@pytest.fixture(scope="module")
def running_dovecot() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


@pytest.fixture(params=SERVERS)
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    if request.param == "dovecot":
        yield request.getfixturevalue("running_dovecot").mailbox()
        return
    without = {"stand-in": (), SERVERS[1]: ("QRESYNC",), SERVERS[2]: ("QRESYNC", "CONDSTORE")}
    with ExitStack() as stack:
        yield started(stack, tmp_path, without=without[request.param])


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandinPeer]:
    with ExitStack() as stack:
        yield started(stack, tmp_path)


def started(stack: ExitStack, root: Path, **options: Any) -> StandinPeer:
    (root / "Sent").mkdir(parents=True)
    return StandinPeer(stack.enter_context(ImapStandin(root, {USER: PASSWORD}, **options)))


def mail(number: int, body: str = "hello") -> bytes:
    return (
        f"Subject: Printer {number}\r\nMessage-ID: <{number}@x.example>\r\n\r\n{body}\r\n".encode()
    )


def pulled(source: ImapSource, cursor: Cursor | None = None) -> tuple[list[RawRecord], Cursor]:
    pages = list(source.pull("mails", cursor))
    return [r for page in pages for r in page.records], json.loads(json.dumps(pages[-1].cursor))


def recounted(
    source: ImapSource, cursor: Cursor, held: list[str]
) -> tuple[list[RawRecord], Cursor, Recount]:
    found = source.recount("mails", cursor, held)
    pages = list(found.pages)
    return [r for page in pages for r in page.records], pages[-1].cursor, found


def ids(records: list[RawRecord]) -> list[str]:
    return [record.remote_id for record in records]


def standing(cursor: Cursor) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(mail.folder, mail.key, mail.flags) for mail in standing_mails(cursor)]


def test_an_unchanged_mailbox_costs_one_command_a_folder(peer: Peer) -> None:
    for number in range(30):
        peer.add(mail(number), "INBOX" if number % 2 else "Sent")
    expunge(peer, 15)  # the one with the highest UID
    _, cursor = pulled(peer.source("INBOX", "Sent"))
    if isinstance(peer, StandinPeer):
        peer.server.commands.clear()
    pages = list(peer.source("INBOX", "Sent").pull("mails", cursor))
    assert [page.records for page in pages] == [[]]
    assert pages[-1].cursor == cursor
    # Log-in, ENABLE where there is QRESYNC, LIST, and an EXAMINE for each of the two folders.
    assert pages[-1].calls <= 5
    if isinstance(peer, StandinPeer):
        opening = {"CAPABILITY", "LOGIN", "ENABLE", "LIST", "LOGOUT"}
        rest = [command for command in peer.server.commands if command not in opening]
        assert rest == ["EXAMINE", "EXAMINE"]


def remove(peer: Peer, uid: int, folder: str = "INBOX") -> None:
    assert isinstance(peer, StandinPeer)
    found = peer.server.store.folder(folder)
    assert found is not None
    found.remove(next(each.name for each in found.mails() if each.uid == uid))


def expunge(peer: Peer, uid: int) -> None:
    if isinstance(peer, StandinPeer):
        remove(peer, uid)
        return
    with peer.client() as client:
        client.select_folder("INBOX")
        client.delete_messages([uid])
        client.expunge()


def flag(peer: Peer, uid: int, flags: list[str]) -> None:
    if isinstance(peer, StandinPeer):
        found = peer.server.store.folder("INBOX")
        assert found is not None
        found.set_flags(next(m.name for m in found.mails() if m.uid == uid), flags)
        return
    with peer.client() as client:
        client.select_folder("INBOX")
        client.set_flags([uid], flags)


def test_an_expunged_mail_stands_nowhere_and_is_no_tombstone(peer: Peer) -> None:
    for number in range(6):
        peer.add(mail(number))
    _, cursor = pulled(peer.source())
    expunge(peer, 2)
    expunge(peer, 5)
    peer.add(mail(9))
    records, cursor = pulled(peer.source(), cursor)
    assert [record.payload for record in records] == [mail(9)]
    assert [uid for _, uid, _ in standing(cursor)] == [1, 3, 4, 6, 7]
    assert pulled(peer.source(), cursor)[0] == []


def test_flags_are_followed_where_the_server_counts_changes(
    peer: Peer, request: pytest.FixtureRequest
) -> None:
    for number in range(4):
        peer.add(mail(number))
    records, cursor = pulled(peer.source())
    assert {flags for _, _, flags in standing(cursor)} == {()}
    flag(peer, 2, ["\\Answered", "\\Seen"])
    flag(peer, 3, ["\\Flagged", "$Custom"])
    again, cursor = pulled(peer.source(), cursor)
    assert again == []
    if "without CONDSTORE" in request.node.name:
        assert {flags for _, _, flags in standing(cursor)} == {()}
        _, cursor, _ = recounted(peer.source(), cursor, ids(records))
    wanted = [
        ("INBOX", 1, ()),
        ("INBOX", 2, ("\\Seen", "\\Answered")),
        ("INBOX", 3, ("\\Flagged",)),
        ("INBOX", 4, ()),
    ]
    assert standing(cursor) == wanted
    flag(peer, 3, [])
    _, cursor = pulled(peer.source(), cursor)
    if "without CONDSTORE" not in request.node.name:
        assert standing(cursor)[2] == ("INBOX", 3, ())


def test_flags_of_the_first_sight_are_in_the_location(peer: Peer) -> None:
    peer.add(mail(1))
    flag(peer, 1, ["\\Seen", "$Custom"])
    (record,), cursor = pulled(peer.source())
    assert record.location["flags"] == ["$Custom", "\\Seen"]
    assert standing(cursor) == [("INBOX", 1, ("\\Seen",))]


def test_standing_mails_name_the_start_of_the_record_id(standin: StandinPeer) -> None:
    standin.add(mail(1))
    records, cursor = pulled(standin.source())
    (found,) = standing_mails(cursor)
    assert isinstance(found, Standing)
    assert records[0].remote_id.startswith(f"sha256:{found.digest_start}")
    assert len(found.digest_start) == 10


def test_a_cursor_from_before_flags_were_kept_goes_on(peer: Peer) -> None:
    for number in range(4):
        peer.add(mail(number))
    records, cursor = pulled(peer.source())
    before = SeenMails()
    for record in records:
        before.add("INBOX", record.location["uid"], bytes.fromhex(record.remote_id[7:]))
    place = cursor["folders"]["INBOX"]
    old = {
        "folders": {"INBOX": {n: place[n] for n in ("uidvalidity", "last_uid", "owed")}},
        "seen": before.packed(),
    }
    peer.add(mail(7))
    later, cursor = pulled(peer.source(), old)
    assert [record.payload for record in later] == [mail(7)]
    assert [uid for _, uid, _ in standing(cursor)] == [1, 2, 3, 4, 5]
    assert "seen" not in cursor


def forgetting(cursor: Cursor, folder: str, *uids: int) -> Cursor:
    """The cursor as if these mails had never been met, though later ones were."""
    place = MailboxPlace(cursor)
    place.seen.drop(folder, uids)
    return json.loads(json.dumps(place.packed()))


def test_a_mail_that_shows_up_below_the_last_uid_is_found_by_the_count(peer: Peer) -> None:
    for number in range(5):
        peer.add(mail(number))
    records, cursor = pulled(peer.source())
    later, cursor = pulled(peer.source(), forgetting(cursor, "INBOX", 3))
    assert [record.payload for record in later] == [mail(2)]
    assert ids(later) == [ids(records)[2]]
    assert pulled(peer.source(), cursor)[0] == []


def test_a_folder_restored_from_a_copy_is_listed_again(standin: StandinPeer) -> None:
    for number in range(5):
        standin.add(mail(number))
    records, cursor = pulled(standin.source())
    folder = standin.server.store.folder("INBOX")
    assert folder is not None
    for gone in folder.mails()[:3]:
        folder.remove(gone.name)
    # The same UIDVALIDITY, but UIDs begin anew: what a backup of an earlier day looks like.
    folder._index |= {"uidnext": 1, "mails": {}}
    standin.add(mail(9))
    later, cursor = pulled(standin.source(), cursor)
    assert {record.payload for record in later} == {mail(3), mail(4), mail(9)}
    assert {*ids(records)[3:]} < {*ids(later)}
    assert [uid for _, uid, _ in standing(cursor)] == [1, 2, 3]


def test_a_recount_of_what_agrees_fetches_nothing(peer: Peer) -> None:
    for number in range(5):
        peer.add(mail(number), "INBOX" if number else "Sent")
    records, cursor = pulled(peer.source("INBOX", "Sent"))
    source = peer.source("INBOX", "Sent")
    assert isinstance(source, Recounting)
    again, after, found = recounted(source, cursor, ids(records))
    assert (again, after, found.gone) == ([], cursor, [])
    assert [(c.name, c.listed, c.known, c.missing, c.vanished) for c in found.containers] == [
        ("INBOX", 4, 4, 0, 0),
        ("Sent", 1, 1, 0, 0),
    ]


def test_a_recount_fetches_what_is_missing_and_names_what_is_gone(peer: Peer) -> None:
    for number in range(8):
        peer.add(mail(number))
    records, cursor = pulled(peer.source())
    expunge(peer, 7)
    peer.add(mail(20))
    # UID 2 was never met; UID 4 was, but its record is not here (a database restored from a copy).
    held = [record.remote_id for record in records if record.location["uid"] not in (2, 4)]
    again, after, found = recounted(peer.source(), forgetting(cursor, "INBOX", 2), held)
    assert [record.payload for record in again] == [mail(1), mail(3), mail(20)]
    assert {record.remote_id for record in again[:2]} == {ids(records)[1], ids(records)[3]}
    (count,) = found.containers
    assert (count.listed, count.known, count.arrived) == (8, 5, 1)
    assert count.missing == 2
    assert found.gone == [ids(records)[6]]
    assert len(standing(after)) == 8


def test_a_recount_counts_copies(standin: StandinPeer) -> None:
    standin.add(mail(1))
    standin.add(mail(1), "Sent")
    records, cursor = pulled(standin.source("INBOX", "Sent"))
    remove(standin, 1, "Sent")
    _, _, found = recounted(standin.source("INBOX", "Sent"), cursor, ids(records))
    assert found.gone == [ids(records)[0] + "#2"]


def test_a_mail_moved_while_folders_are_read_keeps_its_id(peer: Peer) -> None:
    for number in range(6):
        peer.add(mail(number))
    pages = peer.source("INBOX", "Sent", page_mails=3).pull("mails", None)
    found = list(next(pages).records)
    peer.add(mail(1), "Sent")  # UID 2 moves to a folder that was opened before it was there
    expunge(peer, 2)
    found += [record for page in pages for record in page.records]
    source = peer.source("INBOX", "Sent")
    cursor: Cursor | None = None
    for page in peer.source("INBOX", "Sent").pull("mails", None):
        cursor = page.cursor
    assert not [each for each in ids(found) if "#" in each]
    assert pulled(source, cursor)[0] == []


def test_a_mail_moved_between_opening_and_reading_a_folder_keeps_its_id(
    standin: StandinPeer,
) -> None:
    for number in range(6):
        standin.add(mail(number))
    standin.add(mail(10), "Sent")
    records, cursor = pulled(standin.source("INBOX", "Sent"))
    standin.add(mail(7))
    standin.add(mail(1), "Sent")

    def finish_move(_folder: object) -> None:
        remove(standin, 2)

    # The move ends while INBOX's new mail is fetched: its UIDs were compared before, Sent's new mail comes after.
    standin.server.faults.on_fetch.append(finish_move)
    later, cursor = pulled(standin.source("INBOX", "Sent"), cursor)
    assert [record.payload for record in later] == [mail(7), mail(1)]
    assert later[1].remote_id == ids(records)[1]
    assert pulled(standin.source("INBOX", "Sent"), cursor)[0] == []


def test_news_about_other_mails_and_any_order_do_not_mix_mails_up(standin: StandinPeer) -> None:
    for number in range(12):
        standin.add(mail(number, str(number) * 40))
    standin.server.faults.is_chatty = True
    records, cursor = pulled(standin.source(page_mails=5))
    assert [record.payload for record in records] == [mail(n, str(n) * 40) for n in range(12)]
    assert {flags for _, _, flags in standing(cursor)} == {()}


@pytest.mark.parametrize("knows_parts", [True, False])
def test_a_large_mail_comes_in_parts_and_a_cut_line_costs_one(
    standin: StandinPeer, knows_parts: bool
) -> None:
    large = mail(1, "x" * 9_500_000)
    folder = standin.server.store.folder("INBOX")
    assert folder is not None
    folder.append(large, None)
    standin.server.faults.knows_no_parts = not knows_parts
    pages = standin.source().pull("mails", None)
    standin.server.faults.drop_fetches = 1
    records = [record for page in pages for record in page.records]
    assert [record.payload for record in records] == [large]
    bodies = standin.server.commands.count("UID FETCH") - 1  # one for sizes
    assert bodies == (4 if knows_parts else 2)


def test_a_body_that_the_server_lost_is_owed(standin: StandinPeer) -> None:
    for number in range(3):
        standin.add(mail(number))
    folder = standin.server.store.folder("INBOX")
    assert folder is not None
    standin.server.faults.bodiless.add(folder.mails()[1].name)
    records, cursor = pulled(standin.source())
    assert [record.payload for record in records] == [mail(0), b"", mail(2)]
    assert records[1].location["problem"] == "the server gives no body"
    assert pulled(standin.source(), cursor)[0][0].remote_id == records[1].remote_id
    standin.server.faults.bodiless.clear()
    later, _ = pulled(standin.source(), cursor)
    assert [record.is_tombstone for record in later] == [True, False]


def test_a_locked_folder_is_tried_again(standin: StandinPeer) -> None:
    standin.add(mail(1))
    standin.server.faults.busy_opens = 2
    assert len(pulled(standin.source())[0]) == 1
    assert standin.pauses == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", None),
        ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", 299.961),
        ("[LIMIT] UID FETCH Rate limit hit.", None),
    ],
)
@pytest.mark.parametrize("as_bye", [False, True])
def test_every_provider_s_words_for_enough_are_understood(
    standin: StandinPeer, text: str, seconds: float | None, as_bye: bool
) -> None:
    for number in range(4):
        standin.add(mail(number))
    pages = standin.source(page_mails=2).pull("mails", None)
    first = next(pages)
    if as_bye:
        standin.server.faults.bye_fetches, standin.server.faults.bye_text = 1, text
    else:
        standin.server.faults.throttled_fetches, standin.server.faults.throttle_text = 1, text
    with pytest.raises(RateLimitedError) as caught:
        list(pages)
    assert caught.value.retry_after_seconds == seconds
    rest, _ = pulled(standin.source(), first.cursor)
    assert [record.payload for record in (*first.records, *rest)] == [mail(n) for n in range(4)]


def test_a_server_that_says_goodbye_is_met_again(standin: StandinPeer) -> None:
    standin.add(mail(1))
    standin.server.faults.bye_fetches = 1
    assert len(pulled(standin.source())[0]) == 1


def test_mails_without_or_with_the_same_message_id_are_all_kept(standin: StandinPeer) -> None:
    bare = [b"Subject: a\r\n\r\none\r\n", b"Subject: a\r\n\r\ntwo\r\n"]
    twins = [mail(1, "first"), mail(1, "second"), mail(1, "first")]
    for payload in (*bare, *twins):
        standin.add(payload)
    records, _ = pulled(standin.source())
    assert [record.payload for record in records] == [*bare, *twins]
    assert len(set(ids(records))) == 5
    assert records[4].remote_id == records[2].remote_id + "#2"


def test_an_open_range_below_its_start_brings_nothing_again(standin: StandinPeer) -> None:
    for number in range(3):
        standin.add(mail(number))
    _, cursor = pulled(standin.source())
    remove(standin, 3)
    # UIDNEXT moves on and the highest UID is below our last one: `4:*` matches UID 2.
    standin.add(mail(8))
    remove(standin, 4)
    records, cursor = pulled(standin.source(), cursor)
    assert records == []
    assert cursor["folders"]["INBOX"]["last_uid"] == 4
