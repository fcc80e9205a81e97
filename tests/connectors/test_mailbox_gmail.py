"""A Gmail mailbox over real HTTP: nothing lost, nothing twice, whatever Gmail forgets, hides or refuses."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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
from connectors.mailbox.gmail import GmailSource, key_of
from connectors.mailbox.gmail_api import UNITS, open_session
from connectors.oauth import OAuthCredential
from connectors.standins.gmail import GmailStandin, Mail
from connectors.standins.oauth import TokenDesk

USER = "info@acme.example"
PATIENCE = Policy(tries=3, deadline_seconds=20, backoff_seconds=0.01)


def mail(number: int, size: int = 0) -> bytes:
    """A made-up mail; bytes of all kinds, so that base64url has to be right."""
    text = f"It is broken ({number}) \xfb\xff\xfe. ".ljust(size, "x")
    return (
        f"From: Ada <ada@buyer.example>\r\nTo: {USER}\r\nSubject: Printer {number}\r\n"
        f"Message-ID: <{number}@buyer.example>\r\n\r\n{text}\r\n"
    ).encode("latin-1")


def id_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Reader:
    """A source with what it gave: records by id as a warehouse would hold them, and the cursor."""

    def __init__(self, server: GmailStandin, auth: Any = None, **options: Any) -> None:
        self.session = open_session(
            f"{server.base_url}/gmail/v1",
            auth,
            label="client acme, source mail",
            policy=PATIENCE,
            time_scale=server.time_scale,
        )
        self.source = GmailSource(self.session, USER, **options)
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
def server() -> Iterator[GmailStandin]:
    with GmailStandin(USER) as running:
        yield running


@pytest.fixture
def reader(server: GmailStandin) -> Iterator[Reader]:
    made = Reader(server, page_mails=10)
    yield made
    made.source.close()


def fill(server: GmailStandin, count: int, first: int = 0) -> list[Mail]:
    return [server.deliver(mail(number)) for number in range(first, first + count)]


def agrees(reader: Reader, server: GmailStandin) -> bool:
    """Whether exactly the mailbox's mails came, each once."""
    wanted = {id_of(content): content for content in server.dump().values()}
    return reader.held == wanted and len(reader.given) == len(set(reader.given))


def test_everything_comes_once_then_what_is_new(server: GmailStandin, reader: Reader) -> None:
    fill(server, 23)
    server.deliver(mail(50), {"SENT"})
    for number, label in enumerate(("DRAFT", "CHAT", "SPAM", "TRASH")):
        server.deliver(mail(60 + number), {label})
    pages = reader.pull()
    assert agrees(reader, server)
    assert [len(page.records) for page in pages] == [10, 10, 4, 0]
    assert [page.complete for page in pages] == [False, False, False, True]
    assert server.calls["message"] == 24
    before = sum(server.calls.values())
    reader.pull()
    assert sum(server.calls.values()) - before == 1
    fill(server, 3, first=100)
    reader.pull()
    assert agrees(reader, server)
    assert server.calls["message"] == 27


def test_records_are_like_those_of_other_mail_sources(server: GmailStandin, reader: Reader) -> None:
    at = datetime(2026, 11, 3, 9, tzinfo=UTC)
    given = server.deliver(mail(1), {"SENT", "UNREAD"}, at=at)
    (record,) = reader.pull()[0].records
    assert (record.remote_id, record.payload) == (id_of(mail(1)), mail(1))
    assert (record.stream, record.media_type) == ("mails", "message/rfc822")
    assert dict(record.location) == {
        "gmail_message_id": given.id,
        "gmail_thread_id": given.thread_id,
        "labels": ["SENT", "UNREAD"],
        "internal_date": at.isoformat(),
    }


@pytest.mark.parametrize("forgets_tokens", [False, True])
def test_a_cut_at_every_page_loses_nothing_and_brings_nothing_twice(
    server: GmailStandin, forgets_tokens: bool
) -> None:
    fill(server, 1_015)
    reader = Reader(server)
    for number in range(40):
        pages = reader.source.pull("mails", reader.cursor)
        page = next(pages)
        pages.close()  # type: ignore[attr-defined]
        reader.take(page)
        if page.complete:
            break
        if number < 15:
            server.deliver(mail(2_000 + number))
        if forgets_tokens:
            server.forget_tokens()
    assert page.complete
    assert agrees(reader, server)
    reader.source.close()


def test_what_comes_while_everything_is_listed_is_in_the_history(
    server: GmailStandin, reader: Reader
) -> None:
    fill(server, 30)
    pages = reader.source.pull("mails", None)
    reader.take(next(pages))
    fill(server, 5, first=100)
    for page in pages:
        reader.take(page)
    assert agrees(reader, server)


@pytest.mark.parametrize("tells_labels", [True, False])
def test_labels_trash_and_junk(server: GmailStandin, reader: Reader, tells_labels: bool) -> None:
    server.tells_labels = tells_labels
    mails = fill(server, 5)
    junk = server.deliver(mail(50), {"SPAM"})
    trash = server.deliver(mail(51), {"TRASH", "INBOX"})
    reader.pull()
    fetched = server.calls["message"]
    server.relabel(mails[0], add={"STARRED"})
    server.relabel(mails[1], add={"TRASH"})
    server.remove(mails[2])
    late = server.deliver(mail(52), {"SPAM"})
    server.deliver(mail(53), {"DRAFT"})
    reader.pull()
    assert len(reader.held) == 5
    # The junk mail was looked at, and where the history tells no labels the draft too.
    assert server.calls["message"] - fetched == (1 if tells_labels else 2)
    server.relabel(junk, add={"INBOX"}, remove={"SPAM"})
    server.relabel(trash, remove={"TRASH"})
    server.relabel(mails[1], remove={"TRASH"})
    reader.pull()
    assert reader.held.keys() == {id_of(one.content) for one in [*mails, junk, trash]}
    server.relabel(late, remove={"SPAM"})
    reader.pull()
    assert id_of(late.content) in reader.held
    assert len(reader.given) == len(set(reader.given))


def test_a_history_that_is_forgotten_costs_a_list_and_no_mail(
    server: GmailStandin, reader: Reader
) -> None:
    mails = fill(server, 25)
    reader.pull()
    fetched = server.calls["message"]
    server.forget_history()
    server.remove(mails[0])
    fill(server, 3, first=100)
    reader.pull()
    assert server.calls["message"] == fetched + 3
    assert len(reader.given) == len(set(reader.given)) == 28
    assert server.calls["profile"] == 2
    fill(server, 1, first=200)
    reader.pull()
    assert server.calls["message"] == fetched + 4


def test_a_history_that_is_forgotten_while_everything_is_listed(
    server: GmailStandin, reader: Reader
) -> None:
    fill(server, 25)
    reader.take(next(iter(reader.source.pull("mails", None))))
    server.forget_history()
    fill(server, 2, first=100)
    reader.pull()
    assert agrees(reader, server)


def test_a_history_that_is_always_forgotten_ends_in_words(
    server: GmailStandin, reader: Reader
) -> None:
    fill(server, 2)
    body = {"error": {"code": 404, "errors": [{"reason": "notFound"}], "message": "gone"}}
    server.faults.add("history", "status", status=404, body=body, times=None)
    with pytest.raises(UnavailableError, match="in vain"):
        reader.pull()
    server.faults.clear()
    reader.pull()
    assert agrees(reader, server)


def test_history_of_many_pages_cut_at_each(server: GmailStandin) -> None:
    reader = Reader(server)
    reader.pull()
    fill(server, 1_100)
    doomed = fill(server, 5, first=5_000)
    for one in doomed:
        server.remove(one)
    for _ in range(20):
        pages = reader.source.pull("mails", reader.cursor)
        page = next(pages)
        pages.close()  # type: ignore[attr-defined]
        reader.take(page)
        if page.complete:
            break
    assert page.complete
    assert agrees(reader, server)
    assert server.calls["message"] <= 1_100 + 4 * 20
    reader.source.close()


def test_a_page_is_bounded_in_bytes(server: GmailStandin) -> None:
    for number in range(9):
        server.deliver(mail(number, 40_000))
    reader = Reader(server, page_bytes=100_000)
    assert max(len(page.records) for page in reader.pull()) == 2
    assert agrees(reader, server)
    reader.source.close()


def test_identical_mails_are_two_and_an_import_again_is_one(
    server: GmailStandin, reader: Reader
) -> None:
    first = server.deliver(mail(1))
    server.deliver(mail(1))
    alone = server.deliver(mail(2))
    reader.pull()
    assert reader.held.keys() == {id_of(mail(1)), f"{id_of(mail(1))}#2", id_of(mail(2))}
    server.deliver(mail(2))
    server.remove(alone)
    server.remove(first)
    reader.pull()
    assert len(reader.held) == 3


def test_a_mail_that_is_deleted_before_it_is_fetched_is_noted(
    server: GmailStandin, reader: Reader
) -> None:
    mails = fill(server, 5)
    server.vanishing.add(mails[2].id)
    reader.pull()
    assert agrees(reader, server)
    assert reader.cursor["left_out"] == {"gone before it was fetched": 1}


def test_a_mail_that_cannot_be_handed_over_stops_nobody_and_comes_later(
    server: GmailStandin, reader: Reader
) -> None:
    mails = fill(server, 4)
    server.broken.add(mails[1].id)
    reader.pull()
    assert [one for one in reader.held if one.startswith("unfetched:")]
    assert len(reader.held) == 4
    server.broken.clear()
    reader.pull()
    assert reader.held == {id_of(one.content): one.content for one in mails}


@pytest.mark.parametrize("refuses_as", ["429", "403", "sentence"])
def test_a_quota_that_others_use_too_is_waited_for(refuses_as: Any) -> None:
    with GmailStandin(USER, units_per_minute=150, time_scale=120) as server:
        server.refuses_as = refuses_as
        fill(server, 45)
        reader = Reader(server)
        reader.source.session.policy = Policy(deadline_seconds=30, backoff_seconds=0.05)
        reader.pull()
        assert agrees(reader, server)
        assert server.refused > 0
        reader.source.close()


def test_units_are_counted_as_documented(server: GmailStandin, reader: Reader) -> None:
    fill(server, 20)
    reader.pull()
    # Profile 1, history 2, three lists and twenty mails of 5.
    used = sum(block.used for block in reader.session.budget(UNITS).ended)
    block = reader.session.budget(UNITS).block
    stored = reader.session._pacer._store._states  # type: ignore[attr-defined]
    spent = sum(
        count for (_, name), state in stored.items() if name == UNITS for _, count in state.spent
    )
    assert used + spent + (block.used if block else 0) == 1 + 2 + 3 * 5 + 20 * 5


def test_a_quota_beyond_patience_tells_when(server: GmailStandin, reader: Reader) -> None:
    fill(server, 25)
    until = datetime.now(UTC) + timedelta(hours=2)
    text = f"User-rate limit exceeded.  Retry after {until:%Y-%m-%dT%H:%M:%S}.123Z (Mail sending)"
    body = {"error": {"code": 429, "errors": [{"reason": "rateLimitExceeded"}], "message": text}}
    server.faults.add("message", "status", status=429, body=body, after=13)
    with pytest.raises(RateLimitedError) as caught:
        reader.pull()
    assert caught.value.retry_after_seconds == pytest.approx(7200, abs=10)
    assert len(reader.held) >= 10


def test_a_project_without_quota_left_is_no_matter_of_credentials(
    server: GmailStandin, reader: Reader
) -> None:
    body = {"error": {"code": 403, "errors": [{"reason": "dailyLimitExceeded"}], "message": "no"}}
    server.faults.add("profile", "status", status=403, body=body)
    with pytest.raises(RateLimitedError, match="quota of the Google Cloud project"):
        reader.pull()


@pytest.mark.parametrize("route", ["messages", "history"])
def test_pages_that_lead_back_end_in_words(
    server: GmailStandin, reader: Reader, route: str
) -> None:
    fill(server, 5)
    if route == "history":
        reader.pull()
        fill(server, 5, first=10)
    server.leads_back = True
    with pytest.raises(UnavailableError, match="leads back to a page"):
        reader.pull()
    server.leads_back = False
    reader.pull()
    assert agrees(reader, server)


@pytest.mark.parametrize("body", ["<html>log in</html>", []])
def test_answers_that_are_none_are_told(server: GmailStandin, reader: Reader, body: Any) -> None:
    fill(server, 1)
    reader.pull()
    before = reader.cursor
    server.faults.add("history", "status", status=200, body=body)
    with pytest.raises(UnavailableError):
        reader.pull()
    assert reader.cursor == before


def test_labels_by_name(server: GmailStandin) -> None:
    support, sales = server.add_label("Support"), server.add_label("Sales")
    fill(server, 3)
    both = server.deliver(mail(10), {support, sales})
    one = server.deliver(mail(11), {sales})
    other = server.deliver(mail(12), {"INBOX"})
    reader = Reader(server, labels=["support", "Sales"])
    reader.pull()
    assert reader.held.keys() == {id_of(both.content), id_of(one.content)}
    fill(server, 1, first=20)
    server.relabel(other, add={support})
    reader.pull()
    assert reader.held.keys() == {id_of(each.content) for each in (both, one, other)}
    del server.labels["Sales"]
    before = reader.cursor
    with pytest.raises(ConfigurationError, match=r"no label 'Sales'; there are: .*Support"):
        reader.pull()
    assert reader.cursor == before
    reader.source.close()


def test_a_recount_brings_back_what_the_warehouse_lost(
    server: GmailStandin, reader: Reader
) -> None:
    mails = fill(server, 8)
    server.deliver(mail(70), {"DRAFT"})
    reader.pull()
    lost = id_of(mails[3].content)
    del reader.held[lost]
    reader.given.remove(lost)
    server.remove(mails[5])
    fill(server, 1, first=20)
    found = reader.recount()
    (box,) = found.containers
    figures = (box.listed, box.known, box.missing, box.arrived, box.vanished)
    assert figures == (8, 6, 1, 1, 1)
    assert found.gone == [id_of(mails[5].content)]
    assert lost in reader.held
    assert len(reader.given) == len(set(reader.given))
    assert [one.missing for one in reader.recount().containers] == [0]


def test_a_recount_counts_a_mail_that_was_owed_as_known(
    server: GmailStandin, reader: Reader
) -> None:
    """It did not come since the last sync, and no record of it was lost."""
    mails = fill(server, 4)
    server.broken.add(mails[1].id)
    reader.pull()
    server.broken.clear()
    mails += fill(server, 1, first=9)
    (box,) = reader.recount().containers
    figures = (box.listed, box.known, box.missing, box.arrived, box.vanished)
    assert figures == (5, 4, 0, 1, 0)
    assert reader.held == {id_of(one.content): one.content for one in mails}


def credential(server: GmailStandin, desk: TokenDesk) -> OAuthCredential:
    return OAuthCredential(
        token_url=server.token_url,
        client_id=desk.client_id,
        client_secret=desk.client_secret,
        refresh_token="seed-refresh-token",
        label="client acme, source mail",
    )


def test_an_expired_token_is_replaced() -> None:
    desk = TokenDesk(rotates=False)
    with GmailStandin(USER, oauth=desk) as server:
        reader = Reader(server, credential(server, desk), page_mails=10)
        fill(server, 25)
        reader.take(next(iter(reader.source.pull("mails", None))))
        desk.expire_access()
        reader.pull()
        assert agrees(reader, server)
        reader.source.close()


def test_refused_credentials_say_what_to_do_and_hide_secrets() -> None:
    desk = TokenDesk()
    with GmailStandin(USER, oauth=desk) as server:
        reader = Reader(server, credential(server, desk))
        fill(server, 3)
        reader.pull()
        before = reader.cursor
        server.is_enabled = False
        with pytest.raises(AuthError, match="Enable the Gmail API") as caught:
            reader.pull()
        assert "gmail.readonly" in str(caught.value)
        check = reader.source.check()
        assert (check.works, "Enable the Gmail API" in check.detail) == (False, True)
        desk.revoke()
        with pytest.raises(AuthError, match="expired, was revoked or was used before") as caught:
            reader.pull()
        assert "made-up-secret" not in str(caught.value)
        assert "seed-refresh-token" not in str(caught.value)
        assert reader.cursor == before
        reader.source.close()


def test_keys_are_the_numbers_that_ids_are() -> None:
    assert key_of("18c0000000000001") == 0x18C0_0000_0000_0001
    assert key_of("no number") == key_of("no number") != key_of("No number")
    assert key_of("f" * 17) < 1 << 64
