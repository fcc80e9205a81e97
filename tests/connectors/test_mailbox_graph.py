"""A Microsoft 365 mailbox over real HTTP: nothing lost, nothing twice, whatever Graph forgets, hides or refuses."""

import hashlib
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.contract import Page
from connectors.errors import (
    AuthError,
    ConfigurationError,
    RateLimitedError,
    UnavailableError,
)
from connectors.http import Policy
from connectors.mailbox.graph import GraphSource
from connectors.mailbox.graph_api import open_session
from connectors.oauth import OAuthCredential
from connectors.standins.graph import GraphStandin, Mail
from connectors.standins.oauth import TokenDesk

USER = "info@acme.example"
PATIENCE = Policy(tries=2, deadline_seconds=20, backoff_seconds=0.01)


def mail(number: int, size: int = 0) -> bytes:
    """A made-up mail."""
    text = f"It is broken ({number}). ".ljust(size, "x")
    return (
        f"From: Ada <ada@buyer.example>\r\nTo: {USER}\r\nSubject: Printer {number}\r\n"
        f"Message-ID: <{number}@buyer.example>\r\n\r\n{text}\r\n"
    ).encode()


def id_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Reader:
    """A source with what it gave: records by id as a warehouse would hold them, and the cursor."""

    def __init__(self, server: GraphStandin, auth: Any = None, **options: Any) -> None:
        self.session = open_session(
            f"{server.base_url}/v1.0",
            auth,
            USER,
            label="client acme, source mail",
            policy=PATIENCE,
            time_scale=server.time_scale,
        )
        self.source = GraphSource(self.session, USER, **options)
        self.cursor: Any = None
        self.held: dict[str, bytes] = {}
        self.given: list[str] = []

    def take(self, page: Page) -> None:
        for record in page.records:
            self.given.append(record.remote_id)
            if record.is_tombstone:
                self.held.pop(record.remote_id, None)
            else:
                self.held[record.remote_id] = record.payload
        self.cursor = page.cursor

    def pull(self) -> list[Page]:
        pages = []
        for page in self.source.pull("mails", self.cursor):
            self.take(page)
            pages.append(page)
        return pages

    def recount(self) -> Any:
        found = self.source.recount("mails", self.cursor, list(self.held))
        for page in found.pages:
            self.take(page)
        return found


@pytest.fixture
def server() -> Iterator[GraphStandin]:
    with GraphStandin(USER) as running:
        yield running


@pytest.fixture
def reader(server: GraphStandin) -> Iterator[Reader]:
    made = Reader(server, page_mails=10)
    yield made
    made.source.close()


def fill(server: GraphStandin, count: int, folder: str = "inbox", first: int = 0) -> list[Mail]:
    inbox = server.folder(folder)
    return [server.deliver(inbox, mail(number)) for number in range(first, first + count)]


def agrees(reader: Reader, server: GraphStandin, *names: str) -> bool:
    """Whether exactly the mails of the folders came, each once."""
    dump = server.dump(*(server.folder(name) for name in names or ("inbox", "sentitems")))
    wanted = {id_of(content): content for content in dump.values()}
    return reader.held == wanted and len(reader.given) == len(set(reader.given))


def test_everything_comes_once_in_pages(server: GraphStandin, reader: Reader) -> None:
    fill(server, 23)
    fill(server, 4, "sentitems", first=100)
    server.deliver(server.folder("inbox"), mail(200), is_draft=True)
    pages = reader.pull()
    assert agrees(reader, server)
    assert [len(page.records) for page in pages] == [9, 10, 4, 4, 0]
    assert [page.complete for page in pages] == [False, False, False, False, True]
    assert reader.cursor["left_out"] == {"draft": 1}
    assert server.without_immutable == []
    assert server.calls["mime"] == 27
    before = sum(server.calls.values())
    assert [len(page.records) for page in reader.pull()] == [0]
    # Two folders found, two deltas.
    assert sum(server.calls.values()) - before == 4


def test_records_are_like_those_of_other_mail_sources(server: GraphStandin, reader: Reader) -> None:
    given = server.deliver(server.folder("inbox"), mail(1))
    (record,) = reader.pull()[0].records
    assert (record.remote_id, record.payload) == (id_of(mail(1)), mail(1))
    assert (record.stream, record.media_type) == ("mails", "message/rfc822")
    assert record.location["folder"] == "Inbox"
    assert record.location["message_id"] == given.id
    assert record.location["internal_date"].endswith("Z")


def test_a_cut_at_every_page_loses_nothing_and_brings_nothing_twice(server: GraphStandin) -> None:
    fill(server, 35)
    fill(server, 12, "sentitems", first=100)
    reader = Reader(server, page_mails=7)
    for _ in range(30):
        pages = reader.source.pull("mails", reader.cursor)
        page = next(pages)
        pages.close()  # type: ignore[attr-defined]
        reader.take(page)
        if page.complete:
            break
    assert page.complete
    assert agrees(reader, server)
    reader.source.close()


def test_a_page_that_is_asked_for_again_is_the_same(server: GraphStandin, reader: Reader) -> None:
    fill(server, 25)
    first = next(iter(reader.source.pull("mails", None)))
    again = next(iter(reader.source.pull("mails", None)))
    assert [one.remote_id for one in first.records] == [one.remote_id for one in again.records]


def test_a_page_is_bounded_in_bytes_and_its_middle_is_a_place_to_go_on(
    server: GraphStandin,
) -> None:
    inbox = server.folder("inbox")
    for number in range(9):
        server.deliver(inbox, mail(number, 40_000))
    reader = Reader(server, page_mails=10, page_bytes=100_000)
    page = next(iter(reader.source.pull("mails", None)))
    assert len(page.records) == 2
    reader.take(page)
    pages = reader.pull()
    assert agrees(reader, server)
    assert max(len(page.records) for page in pages) == 2
    assert server.calls["mime"] <= 9 + 2 + 4  # what was under way when the first pull was left
    reader.source.close()


def test_moves_removals_and_returns_change_presence_only(
    server: GraphStandin, reader: Reader
) -> None:
    mails = fill(server, 6)
    reader.pull()
    server.move(mails[0], server.folder("sentitems"))
    server.move(mails[1], server.folder("archive"))
    server.remove(mails[2])
    server.change(mails[3])
    fetched = server.calls["mime"]
    reader.pull()
    assert server.calls["mime"] == fetched
    assert len(reader.held) == len(reader.given) == 6
    server.move(mails[1], server.folder("inbox"))
    reader.pull()
    assert server.calls["mime"] == fetched
    assert len(reader.given) == 6


def test_a_mail_that_was_moved_in_comes_though_its_move_is_not_told(
    server: GraphStandin, reader: Reader
) -> None:
    server.hides_moves = True
    fill(server, 3)
    (other,) = fill(server, 1, "archive", first=50)
    reader.pull()
    server.move(other, server.folder("inbox"))
    reader.pull()
    assert agrees(reader, server)
    # Out and back before anybody looked: told as removed alone.
    server.move(other, server.folder("archive"))
    server.move(other, server.folder("inbox"))
    reader.pull()
    assert agrees(reader, server)
    listed = server.calls["messages"]
    reader.pull()
    assert server.calls["messages"] == listed


def test_a_mail_under_a_new_id_keeps_ours(server: GraphStandin, reader: Reader) -> None:
    mails = fill(server, 3)
    reader.pull()
    server.reimport(mails[0], server.folder("sentitems"))
    server.reimport(mails[1], server.folder("inbox"))
    reader.pull()
    assert reader.held.keys() == {id_of(mail(number)) for number in range(3)}


def test_identical_mails_are_two(server: GraphStandin, reader: Reader) -> None:
    server.deliver(server.folder("inbox"), mail(1))
    server.deliver(server.folder("sentitems"), mail(1))
    reader.pull()
    assert reader.held.keys() == {id_of(mail(1)), f"{id_of(mail(1))}#2"}


@pytest.mark.parametrize("when", ["between pulls", "within a round"])
def test_state_that_is_forgotten_costs_a_list_and_no_mail(
    server: GraphStandin, reader: Reader, when: str
) -> None:
    fill(server, 25)
    if when == "between pulls":
        reader.pull()
    else:
        reader.take(next(iter(reader.source.pull("mails", None))))
    gone = server.mails[next(iter(server.mails))]
    server.forget_state()
    fill(server, 2, first=50)
    server.remove(gone)
    reader.pull()
    assert len(reader.given) == len(set(reader.given))
    wanted = {id_of(content) for content in server.dump(server.folder("inbox")).values()}
    assert wanted <= reader.held.keys() <= wanted | {id_of(gone.content)}
    assert server.calls["mime"] <= 27 + 4


def test_state_that_is_always_forgotten_ends_in_words(server: GraphStandin, reader: Reader) -> None:
    fill(server, 3)
    body = {"error": {"code": "syncStateNotFound", "message": "gone"}}
    server.faults.add("delta", "status", status=410, body=body, times=None)
    with pytest.raises(UnavailableError, match="begun in vain"):
        reader.pull()


def test_a_mail_that_is_deleted_before_it_is_fetched_is_noted(
    server: GraphStandin, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    mails = fill(server, 5)
    server.vanishing.add(mails[2].id)
    with caplog.at_level(logging.INFO, logger="connectors.mailbox.by_id"):
        reader.pull()
    assert agrees(reader, server)
    assert reader.cursor["left_out"] == {"gone before it was fetched": 1}
    assert "was deleted before it was fetched" in caplog.text


def test_a_mail_that_cannot_be_handed_over_stops_nobody_and_comes_later(
    server: GraphStandin, reader: Reader
) -> None:
    mails = fill(server, 5)
    server.broken.add(mails[1].id)
    reader.pull()
    (stand_in,) = [one for one in reader.held if one.startswith("unfetched:")]
    assert reader.held[stand_in] == b""
    assert len(reader.held) == 5
    server.broken.clear()
    reader.pull()
    assert reader.held == {id_of(one.content): one.content for one in mails}
    server.broken.add(fill(server, 1, first=9)[0].id)
    reader.pull()
    server.remove(server.mails[next(iter(server.broken))])
    reader.pull()
    assert len(reader.held) == 5
    assert "owed" not in reader.cursor


def test_a_server_that_is_down_gives_nothing_up(server: GraphStandin, reader: Reader) -> None:
    fill(server, 12)
    server.faults.add("mime", "status", status=503, after=4, times=None)
    server.faults.add("folder", "status", status=503, after=2, times=None)
    with pytest.raises(UnavailableError):
        reader.pull()
    assert "owed" not in reader.cursor
    assert len(reader.held) > 0
    server.faults.clear()
    reader.pull()
    assert agrees(reader, server)


def test_drafts_come_once_they_are_sent_even_where_rows_tell_little(
    server: GraphStandin, reader: Reader
) -> None:
    server.tells_little = True
    draft = server.deliver(server.folder("inbox"), mail(1), is_draft=True)
    reader.pull()
    server.change(draft)
    reader.pull()
    assert reader.held == {}
    server.change(draft, is_draft=False)
    reader.pull()
    assert agrees(reader, server)


def test_four_requests_at_a_time_and_no_more(server: GraphStandin) -> None:
    fill(server, 30)
    server.faults.add("mime", "delay", delay_seconds=0.02, times=None)
    reader = Reader(server)
    reader.pull()
    assert server.most_at_once == 4
    assert agrees(reader, server)
    reader.source.close()


@pytest.mark.parametrize("retry_after", ["1", "0.01", "Tue, 03 Nov 2026 09:00:00 GMT", None])
def test_a_limit_is_waited_for(
    server: GraphStandin, reader: Reader, retry_after: str | None
) -> None:
    fill(server, 6)
    headers = {"Retry-After": retry_after} if retry_after else {}
    server.faults.add("mime", "status", status=429, headers=headers)
    server.faults.add("delta", "status", status=429, headers=headers, after=1)
    reader.pull()
    assert agrees(reader, server)


def test_a_limit_beyond_patience_leaves_what_was_read(server: GraphStandin, reader: Reader) -> None:
    fill(server, 25)
    server.faults.add("mime", "status", status=429, headers={"Retry-After": "3600"}, after=14)
    with pytest.raises(RateLimitedError) as caught:
        reader.pull()
    assert caught.value.retry_after_seconds == pytest.approx(3600, abs=5)
    assert len(reader.held) >= 10
    other = Reader(server, page_mails=10)
    other.cursor, other.held, other.given = reader.cursor, reader.held, reader.given
    other.pull()
    assert agrees(other, server)
    other.source.close()


def test_a_budget_that_others_use_too_is_waited_for() -> None:
    with GraphStandin(USER, requests_per_window=25, time_scale=2_400) as server:
        fill(server, 60)
        reader = Reader(server)
        reader.pull()
        assert agrees(reader, server)
        assert [one for one in server.recent if one[3] == 429]
        reader.source.close()


def test_pages_that_lead_back_end_in_words(server: GraphStandin, reader: Reader) -> None:
    fill(server, 5)
    server.leads_back = True
    with pytest.raises(UnavailableError, match="lead back to a page"):
        reader.pull()
    server.leads_back = False
    reader.pull()
    assert agrees(reader, server)


def test_a_link_to_another_host_is_not_followed(server: GraphStandin, reader: Reader) -> None:
    body = {"value": [], "@odata.nextLink": "https://elsewhere.example/delta?$skiptoken=1"}
    server.faults.add("delta", "status", status=200, body=body)
    with pytest.raises(UnavailableError, match=r"elsewhere\.example"):
        reader.pull()


@pytest.mark.parametrize("body", [{"hello": "there"}, [], {"value": [{}]}, "<html>log in</html>"])
def test_answers_that_are_none_are_told(server: GraphStandin, reader: Reader, body: Any) -> None:
    fill(server, 1)
    reader.pull()
    before = reader.cursor
    server.faults.add("delta", "status", status=200, body=body)
    with pytest.raises(UnavailableError):
        reader.pull()
    assert reader.cursor == before


@pytest.mark.parametrize("body", ["<html>log in</html>", "\r\n<!DOCTYPE html>", ""])
def test_what_is_no_mail_is_never_taken_for_one(
    server: GraphStandin, reader: Reader, body: str
) -> None:
    fill(server, 3)
    server.faults.add("mime", "status", status=200, body=body)
    reader.pull()
    assert len(reader.held) == 3
    assert len(reader.cursor["owed"]) == 1
    assert body.encode() not in reader.held.values() or not body
    reader.pull()
    assert reader.held == {id_of(mail(number)): mail(number) for number in range(3)}
    assert "owed" not in reader.cursor


def test_a_proxy_before_everything_stops_the_pull(server: GraphStandin, reader: Reader) -> None:
    fill(server, 3)
    server.faults.add("mime", "status", status=200, body="<html>log in</html>", times=None)
    server.faults.add(
        "folder", "status", status=200, body="<html>log in</html>", after=2, times=None
    )
    with pytest.raises(UnavailableError):
        reader.pull()
    assert reader.held == {}


def test_folders_by_name_path_and_pattern(server: GraphStandin) -> None:
    support = server.add_folder("Support", server.folder("inbox"))
    deep = server.add_folder("2026", support)
    server.add_folder("Hidden", is_hidden=True)
    for number, folder in enumerate((support, deep, server.folder("archive"))):
        server.deliver(folder, mail(number))
    fill(server, 1, "junkemail", first=90)
    for names, expected in (
        (["Inbox/Support"], {0}),
        (["inbox/support/2026", "Archive"], {1, 2}),
        (["Inbox/*"], {0, 1}),
        (["*"], {0, 1, 2}),
    ):
        reader = Reader(server, folders=names)
        reader.pull()
        assert reader.held.keys() == {id_of(mail(number)) for number in expected}, names
        reader.source.close()


def test_a_mailbox_in_another_language_has_the_same_folders(server: GraphStandin) -> None:
    server.folder("inbox").name = "Posteingang"
    server.folder("sentitems").name = "Gesendete Elemente"
    support = server.add_folder("Hilfe", server.folder("inbox"))
    fill(server, 1)
    fill(server, 1, "sentitems", first=1)
    server.deliver(support, mail(2))
    reader = Reader(server, folders=["Inbox", "Sent", "Inbox/Hilfe"])
    reader.pull()
    assert len(reader.held) == 3
    reader.source.close()


def test_a_folder_that_vanished_is_told_and_its_place_stays(server: GraphStandin) -> None:
    support = server.add_folder("Support")
    server.deliver(support, mail(1))
    reader = Reader(server, folders=["Inbox", "Support"])
    reader.pull()
    place = reader.cursor["folders"][support.id]
    support.name = "Support old"
    fill(server, 2, first=10)
    with pytest.raises(ConfigurationError) as caught:
        reader.pull()
    text = str(caught.value)
    assert "no folder 'Support'" in text
    assert "'Support' is now 'Support old'" in text
    assert "Inbox" in text
    assert len(reader.held) == 3  # the inbox was read all the same
    assert reader.cursor["folders"][support.id] == place
    support.name = "Support"
    fetched = server.calls["mime"]
    reader.pull()
    assert server.calls["mime"] == fetched
    reader.source.close()


def test_not_one_folder_leaves_the_cursor(server: GraphStandin) -> None:
    reader = Reader(server, folders=["Nowhere"])
    with pytest.raises(ConfigurationError, match="no folder 'Nowhere'"):
        reader.pull()
    assert reader.cursor is None
    check = reader.source.check()
    assert (check.works, "Nowhere" in check.detail) == (False, True)
    reader.source.close()


def test_a_recount_brings_back_what_the_warehouse_lost(
    server: GraphStandin, reader: Reader
) -> None:
    mails = fill(server, 8)
    reader.pull()
    lost = id_of(mails[3].content)
    del reader.held[lost]
    reader.given.remove(lost)
    server.remove(mails[5])
    fill(server, 1, first=20)
    found = reader.recount()
    (inbox, _sent) = found.containers
    assert (inbox.listed, inbox.known, inbox.missing, inbox.arrived, inbox.vanished) == (
        8,
        6,
        1,
        1,
        1,
    )
    assert found.gone == [id_of(mails[5].content)]
    assert lost in reader.held
    assert len(reader.given) == len(set(reader.given))
    again = reader.recount()
    assert [one.missing for one in again.containers] == [0, 0]


def test_a_recount_counts_a_mail_that_was_owed_as_known(
    server: GraphStandin, reader: Reader
) -> None:
    """It did not come since the last sync, and no record of it was lost."""
    mails = fill(server, 4)
    server.broken.add(mails[1].id)
    reader.pull()
    server.broken.clear()
    mails += fill(server, 1, first=9)
    (box, _sent) = reader.recount().containers
    figures = (box.listed, box.known, box.missing, box.arrived, box.vanished)
    assert figures == (5, 4, 0, 1, 0)
    assert reader.held == {id_of(one.content): one.content for one in mails}


def credential(server: GraphStandin, desk: TokenDesk, *, own: bool) -> OAuthCredential:
    return OAuthCredential(
        token_url=server.token_url(),
        client_id=desk.client_id,
        client_secret=desk.client_secret,
        refresh_token=None if own else "seed-refresh-token",
        scope="https://graph.microsoft.com/.default",
        label="client acme, source mail",
    )


@pytest.mark.parametrize("own", [True, False])
def test_both_rights_read_and_an_expired_token_is_replaced(own: bool) -> None:
    desk = TokenDesk(has_own_right=True)
    with GraphStandin(USER, oauth=desk) as server:
        reader = Reader(server, credential(server, desk, own=own), page_mails=10)
        fill(server, 12)
        reader.take(next(iter(reader.source.pull("mails", None))))
        desk.expire_access()
        reader.pull()
        assert agrees(reader, server)
        reader.source.close()


def test_refused_credentials_say_what_to_do_and_hide_secrets() -> None:
    desk = TokenDesk()
    with GraphStandin(USER, oauth=desk) as server:
        reader = Reader(server, credential(server, desk, own=False))
        fill(server, 3)
        reader.pull()
        before = reader.cursor
        server.is_permitted = False
        with pytest.raises(AuthError, match=r"Mail\.Read") as caught:
            reader.pull()
        assert USER in str(caught.value)
        desk.revoke()
        with pytest.raises(AuthError, match="expired, was revoked or was used before") as caught:
            reader.pull()
        assert "made-up-secret" not in str(caught.value)
        assert "seed-refresh-token" not in str(caught.value)
        assert reader.cursor == before
        reader.source.close()


def test_a_mailbox_that_is_not_there_is_told(server: GraphStandin) -> None:
    server.user = "other@acme.example"
    reader = Reader(server)
    with pytest.raises(ConfigurationError, match=r"there is no mailbox info@acme\.example"):
        reader.pull()
    reader.source.close()
