"""Which folders are read: by name, use or pattern; Gmail's labels; one that is missing leaves the others alone."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from mailbox_peers import PASSWORD, USER, StandinPeer, standin_peer

from connectors.contract import Cursor
from connectors.errors import ConfigurationError
from connectors.mailbox.imap import ImapSource
from connectors.mailbox.imap_folders import Chosen, choose
from connectors.mailbox.imap_line import ListedFolder
from connectors.mailbox.imap_place import standing_mails
from connectors.standins.imap import ImapStandin
from transforms.model import RawRecord

GERMAN = {
    "INBOX": "",
    "Gesendete Elemente": "\\sent",
    "Spamverdacht": "\\junk",
    "Papierkorb": "\\trash",
    "Entwürfe": "\\drafts",
    "Alles": "\\all",
    "Kunden": "\\noselect",
    "Kunden/Acme": "",
    "Kunden/Beta [2026]": "",
    "Shared/Team": "",
}


def listed(folders: dict[str, str], *, tells_uses: bool = True) -> list[ListedFolder]:
    hidden = frozenset({"\\noselect"})
    return [
        ListedFolder(name, "/", uses if tells_uses else uses & hidden)
        for name, use in folders.items()
        for uses in [frozenset({use} if use else ())]
    ]


def test_names_uses_and_patterns_become_folders() -> None:
    folders = listed(GERMAN)
    assert choose(["INBOX", "\\Sent"], folders) == Chosen(("INBOX", "Gesendete Elemente"), ())
    assert choose(["inbox", "Sent"], folders).folders == ("INBOX", "Gesendete Elemente")
    assert choose(["Kunden/*"], folders).folders == ("Kunden/Acme", "Kunden/Beta [2026]")
    assert choose(["Kunden/Beta [2026]"], folders).folders == ("Kunden/Beta [2026]",)
    assert choose(["*"], folders, foreign_prefixes=["Shared/"]).folders == (
        "INBOX",
        "Gesendete Elemente",
        "Kunden/Acme",
        "Kunden/Beta [2026]",
    )
    assert choose(["*", "\\Trash", "spam", "INBOX"], folders).folders[-2:] == (
        "Papierkorb",
        "Spamverdacht",
    )


def test_what_fits_no_folder_is_missing() -> None:
    assert choose(["INBOX", "Kunden", "Sales", "\\Archive"], listed(GERMAN)) == Chosen(
        ("INBOX",), ("Kunden", "Sales", "\\Archive")
    )


def test_a_slash_stands_for_the_servers_separator() -> None:
    dotted = [
        ListedFolder(n, ".", frozenset()) for n in ("INBOX", "INBOX.Kunden", "INBOX.Kunden.A/B")
    ]
    assert choose(["INBOX/Kunden"], dotted) == Chosen(("INBOX.Kunden",), ())
    assert choose(["INBOX/*"], dotted).folders == ("INBOX.Kunden", "INBOX.Kunden.A/B")
    assert choose(["INBOX.Kunden.A/B"], dotted).folders == ("INBOX.Kunden.A/B",)
    # A folder that has the very name wins over one that has it with another separator.
    both = [ListedFolder(name, ".", frozenset()) for name in ("Kunden.Acme", "Kunden/Acme")]
    assert choose(["Kunden/Acme"], both).folders == ("Kunden/Acme",)
    assert choose(["Kunden/Acme"], [ListedFolder("Kunden.Acme", "", frozenset())]).missing


def test_uses_are_guessed_from_names_only_where_the_server_tells_none() -> None:
    silent = listed({"INBOX": "", "INBOX/Gönderilmiş Öğeler": "", "Junk": ""}, tells_uses=False)
    assert choose(["\\Sent"], silent).folders == ("INBOX/Gönderilmiş Öğeler",)
    assert choose(["*"], silent).folders == ("INBOX", "INBOX/Gönderilmiş Öğeler")
    told = listed({"INBOX": "", "Sent Items": "", "Abgang": "\\sent"})
    assert choose(["sent"], told).folders == ("Abgang",)


def test_a_folder_really_called_like_a_use_wins() -> None:
    folders = listed({"Sent": "", "Sent Items": "\\sent"})
    assert choose(["Sent"], folders).folders == ("Sent",)


def mail(number: int) -> bytes:
    return (
        f"Subject: Printer {number}\r\nMessage-ID: <{number}@x.example>\r\n\r\nhello\r\n".encode()
    )


def pulled(source: ImapSource, cursor: Cursor | None = None) -> tuple[list[RawRecord], Cursor]:
    pages = list(source.pull("mails", cursor))
    return [r for page in pages for r in page.records], json.loads(json.dumps(pages[-1].cursor))


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandinPeer]:
    with standin_peer(tmp_path / "imap") as running:
        assert isinstance(running, StandinPeer)
        yield running


def test_sent_is_found_by_its_use_over_the_wire(tmp_path: Path) -> None:
    for name in ("INBOX", "Gönderilmiş Öğeler", "Shared/Team"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.eml").write_bytes(mail(len(name)))
    uses = {"Gönderilmiş Öğeler": "\\Sent", "Shared": "\\Noselect"}
    with ImapStandin(tmp_path, {USER: PASSWORD}, uses=uses) as server:
        peer = StandinPeer(server)
        records, cursor = pulled(peer.source("INBOX", "Sent"))
        assert [r.location["folder"] for r in records] == ["INBOX", "Gönderilmiş Öğeler"]
        assert set(cursor["folders"]) == {"INBOX", "Gönderilmiş Öğeler"}
        everything, _ = pulled(peer.source("*"))
        assert [r.location["folder"] for r in everything] == ["INBOX", "Gönderilmiş Öğeler"]


def test_a_missing_folder_leaves_the_others_alone_and_its_place_as_it_was(
    standin: StandinPeer,
) -> None:
    standin.add(mail(1))
    standin.add(mail(2), "Sent")
    _, cursor = pulled(standin.source("Sent", "INBOX"))
    root = standin.server.store.root
    (root / "Sent").rename(root / "Away")
    standin.server.store._folders.clear()
    standin.add(mail(3))
    pages = standin.source("Sent", "INBOX").pull("mails", cursor)
    found = []
    with pytest.raises(ConfigurationError) as caught:
        while True:
            found.append(next(pages))
    assert "no folder 'Sent'" in str(caught.value)
    assert "'Sent' is now 'Away'" in str(caught.value)
    assert [record.payload for page in found for record in page.records] == [mail(3)]
    assert not found[-1].complete
    assert found[-1].cursor["folders"]["Sent"] == cursor["folders"]["Sent"]
    (root / "Away").rename(root / "Sent")
    standin.server.store._folders.clear()
    assert pulled(standin.source("Sent", "INBOX"), found[-1].cursor)[0] == []


def test_a_mistyped_folder_is_asked_about(standin: StandinPeer) -> None:
    with pytest.raises(ConfigurationError) as caught:
        pulled(standin.source("INBOX", "Snet"))
    told = (
        "there is no folder 'Snet' (did you mean 'Sent'?); there are: INBOX, Sent. Name the right"
    )
    assert told in str(caught.value)


def test_a_folder_that_was_renamed_in_the_configuration_brings_the_same_ids(
    standin: StandinPeer,
) -> None:
    standin.add(mail(2), "Sent")
    records, cursor = pulled(standin.source("Sent"))
    root = standin.server.store.root
    (root / "Sent").rename(root / "Away")
    again, _ = pulled(standin.source("Away"), cursor)
    assert [r.remote_id for r in again] == [r.remote_id for r in records]


def test_a_folder_that_vanishes_while_it_is_read_is_an_error_after_the_others(
    standin: StandinPeer,
) -> None:
    for number in range(4):
        standin.add(mail(number), "Sent" if number < 3 else "INBOX")
    root = standin.server.store.root
    pages = standin.source("Sent", "INBOX", page_mails=2).pull("mails", None)
    found = list(next(pages).records)

    def vanish(_folder: object) -> None:
        (root / "Sent").rename(root.parent / "gone")
        standin.server.store._folders.clear()
        standin.server.faults.drop_fetches = 1

    standin.server.faults.on_fetch.append(vanish)
    with pytest.raises(ConfigurationError, match="'Sent'"):
        for page in pages:
            found += page.records
    assert [record.payload for record in found] == [mail(0), mail(1), mail(3)]


LABELS = {"INBOX": "\\Inbox", "[Gmail]/Gesendet": "\\Sent", "Sales": "Sales"}


@pytest.fixture
def gmail(tmp_path: Path) -> Iterator[StandinPeer]:
    """Seven mails: two without a label, two in the inbox, one sent, two in Sales as well as in the inbox."""
    with ExitStack() as stack:
        server = stack.enter_context(
            ImapStandin(
                tmp_path,
                {USER: PASSWORD},
                uses={"[Gmail]/Gesendet": "\\Sent"},
                gmail_labels=LABELS,
            )
        )
        folder = server.store.folder("[Gmail]/All Mail")
        assert folder is not None
        labels = [[], [], ["\\Inbox"], ["\\Inbox"], ["\\Sent"]]
        labels += [["\\Inbox", "Sales", "Größe M"]] * 2
        for number, some in enumerate(labels):
            folder.append(mail(number), None, labels=some)
        yield StandinPeer(server)


def test_gmail_s_all_mail_is_the_only_folder_read_for_everything(gmail: StandinPeer) -> None:
    records, cursor = pulled(gmail.source("*"))
    assert [record.payload for record in records] == [mail(number) for number in range(7)]
    assert {record.location["folder"] for record in records} == {"[Gmail]/All Mail"}
    assert records[6].location["labels"] == ["\\Inbox", "Sales", "Größe M"]
    assert len({record.location["gmail_message_id"] for record in records}) == 7
    assert gmail.server.commands.count("EXAMINE") == 1
    assert pulled(gmail.source("*"), cursor)[0] == []


def test_a_mail_under_several_labels_is_fetched_once(gmail: StandinPeer) -> None:
    records, cursor = pulled(gmail.source("INBOX", "Sales", "Sent"))
    assert [record.payload for record in records] == [mail(n) for n in (2, 3, 5, 6, 4)]
    assert not [record for record in records if "#" in record.remote_id]
    folder = gmail.server.store.folder("[Gmail]/All Mail")
    assert folder is not None
    folder.set_labels(folder.mails()[0].name, ["Sales"])
    folder.set_labels(folder.mails()[6].name, [])
    later, cursor = pulled(gmail.source("INBOX", "Sales", "Sent"), cursor)
    assert [record.payload for record in later] == [mail(0)]
    assert pulled(gmail.source("INBOX", "Sales", "Sent"), cursor)[0] == []


def test_on_gmail_a_renumbered_folder_fetches_nothing_again(gmail: StandinPeer) -> None:
    records, cursor = pulled(gmail.source("\\All"))
    folder = gmail.server.store.folder("[Gmail]/All Mail")
    assert folder is not None
    folder.renumber()
    assert pulled(gmail.source("\\All"), cursor)[0] == []
    assert len(records) == 7


def test_a_recount_on_gmail_goes_by_its_ids(gmail: StandinPeer) -> None:
    records, cursor = pulled(gmail.source("INBOX", "Sales"))
    folder = gmail.server.store.folder("[Gmail]/All Mail")
    assert folder is not None
    folder.remove(folder.mails()[2].name)
    folder.set_flags(folder.mails()[2].name, ["\\Answered"])
    held = [record.remote_id for record in records[1:]]
    found = gmail.source("INBOX", "Sales").recount("mails", cursor, held[:-1])
    pages = list(found.pages)
    assert [r.payload for page in pages for r in page.records] == [mail(6)]
    assert found.gone == []
    marks = {one.digest_start: one.flags for one in standing_mails(pages[-1].cursor)}
    assert sorted(marks.values()) == [(), (), ("\\Answered",)]
