"""A Gmail mailbox as a source, over the Gmail API: one listing of everything, then the history of changes.

Belongs here: which messages are asked for, the cursor, what happens when the history is forgotten. Does not belong here:
calls and quota (`gmail_api`), fetching (`by_id`), pages and the order of a recount (`by_id_work`).

The id of the latest change is taken before the listing begins, so what happens meanwhile is in the history that follows
it. An id is good for a week, sometimes for hours: then everything is listed again, which costs a call for 500 messages,
since known ones are not fetched.

Source: Gmail API, "Synchronize clients with Gmail", users.messages.list, users.history.list, "Manage labels".
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.contract import CheckResult, Cursor, Page, Recount
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    CursorExpiredError,
    NotFoundError,
    UnavailableError,
)
from connectors.http import PolicySession
from connectors.mailbox.by_id import Handed, KnownMails, Wanted, hashed_key
from connectors.mailbox.by_id_work import ByIdWork, Row, recount_of
from connectors.mailbox.gmail_api import GmailApi
from connectors.mailbox.pages import PAGE_BYTES, PAGE_MAILS, STREAM, PageFiller

CONTAINER = "mailbox"
"""Under which all messages are remembered, whatever their labels."""

NO_MAILS = {"DRAFT": "draft", "CHAT": "chat"}
"""Labels of what nobody sent as mail → why it is left out."""

UNWANTED = {"SPAM": "junk", "TRASH": "trash"}
"""Labels of what is left out unless the label is asked for → why."""

ROUNDS = 3
"""How often everything is listed in one pull, where the vendor forgets its history meanwhile."""


@dataclass(slots=True)
class _Listing:
    """A listing of everything under way: where its history begins, which labels are left, the page to go on with."""

    start: str
    left: list[str]
    page_token: str | None = None


@dataclass(slots=True)
class _History:
    """Reading changes: since which id, up to which one it leads, the page to go on with."""

    start: str
    reached: str = ""
    page_token: str | None = None


def key_of(message_id: str) -> int:
    """Gmail's ids are hexadecimal numbers of 64 bits; anything else is hashed."""
    try:
        number = int(message_id, 16)
    except ValueError:
        return hashed_key(message_id)
    return number if 0 <= number < 1 << 64 else hashed_key(message_id)


class GmailSource:
    """Messages of one Gmail mailbox."""

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}

    def __init__(
        self,
        session: PolicySession,
        user: str,
        *,
        labels: Sequence[str] = (),
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        """Keeps the settings; nothing is called yet.

        Args:
            session: of `gmail_api.open_session`.
            user: the mailbox's address.
            labels: names; messages under any of them are read. None named takes all mail but junk and trash.
            page_mails: most messages in a page.
            page_bytes: most bytes in a page, a single larger message apart.
        """
        self.session = session
        self._api = GmailApi(session, user)
        self._labels = tuple(labels)
        self._page_mails, self._page_bytes = page_mails, page_bytes

    def close(self) -> None:
        """Closes the session's connections."""
        self.session.close()

    def check(self) -> CheckResult:
        """Reads the profile and finds each label."""
        try:
            profile = self._api.profile()
            self._label_ids()
        except ConnectorError as error:
            return CheckResult(self.session.label, False, str(error))
        count, address = profile.get("messagesTotal"), profile.get("emailAddress")
        return CheckResult(self.session.label, True, f"{count} messages of {address}")

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        Raises:
            AuthError: the credential is refused, or the API is not enabled.
            ConfigurationError: a label or the mailbox does not exist.
            UnavailableError, RateLimitedError: Gmail cannot be used now; pages given before stay valid.
        """
        work = self._begin(cursor)
        yield from work.retry_owed()
        yield from work.follow(CONTAINER)
        yield from work.last_page()

    def recount(self, stream: str, cursor: Cursor | None, held: Collection[str]) -> Recount:
        """Lists everything and compares it with what is remembered and held; see `contract.Recounting`."""
        return recount_of(lambda: self._begin(cursor), held)

    def _begin(self, cursor: Cursor | None) -> "_Work":
        filler = PageFiller(self._page_mails, self._page_bytes)
        return _Work(self.session, self._api, self._label_ids(), cursor, filler)

    def _label_ids(self) -> tuple[str, ...]:
        if not self._labels:
            return ()
        there = self._api.labels()
        by_name = {name.casefold(): label_id for name, label_id in there.items()}
        missing = [name for name in self._labels if name.casefold() not in by_name]
        if missing:
            raise ConfigurationError(
                f"{self.session.label}: there is no label {', '.join(map(repr, missing))}; there are: "
                f"{', '.join(sorted(there))}. What was read stays; name the right label in 'labels'"
            )
        return tuple(dict.fromkeys(by_name[name.casefold()] for name in self._labels))


class _Work(ByIdWork):
    """One pull or recount. The mailbox is the only container."""

    def __init__(
        self,
        session: PolicySession,
        api: GmailApi,
        labels: tuple[str, ...],
        cursor: Cursor | None,
        filler: PageFiller,
    ) -> None:
        super().__init__(session, KnownMails(cursor, key_of), filler)
        held = dict(cursor or {})
        self._history = _History(**held["history"]) if held.get("history") else None
        self._listing = _Listing(**held["listing"]) if held.get("listing") else None
        if tuple(held.get("labels", ())) != labels:
            self._history = self._listing = None
        self._api, self._labels = api, labels

    def open(self) -> Sequence[str]:
        """The mailbox; labels were looked up before."""
        return (CONTAINER,)

    def name_of(self, container: str) -> str:
        """Its key says what it is."""
        return container

    def owed_location(self, container: str, vendor_id: str) -> dict[str, Any]:
        """Labels are not known of a message that could not be had."""
        return {"gmail_message_id": vendor_id}

    def follow(self, container: str) -> Iterator[Page]:
        """Lists everything where that is due, then reads the history behind it.

        Raises:
            UnavailableError: the history was forgotten again and again.
        """
        for _ in range(ROUNDS):
            if self._history is None:
                yield from self._list_all()
            try:
                yield from self._read_history()
                return
            except CursorExpiredError as error:
                expired = error
                self._history = self._listing = None
        raise UnavailableError(
            f"{expired}; everything was listed {ROUNDS - 1} times in vain, the next run tries again"
        )

    def listing(self, container: str) -> Collection[Row]:
        """Every message that is wanted, each once."""
        aside = self._no_mails()
        rows: dict[str, Row] = {}
        for label in self._labels or ("",):
            rows |= {str(row["id"]): row for row in self._listed(label or None)}
        return [row for one, row in rows.items() if one not in aside]

    def take_listing(self, container: str, rows: Collection[Row]) -> Iterator[Page]:
        """Leaves what is not there, fetches what is not known."""
        listed = {key_of(str(row["id"])) for row in rows}
        self.known.leave(CONTAINER, set(self.known.seen.keys(CONTAINER)) - listed)
        yield from self.fetched(self._unknown(rows))

    def cursor(self) -> dict[str, Any]:
        """Labels, and how far the listing or the history was read."""
        parts = {
            "labels": list(self._labels),
            "history": asdict(self._history) if self._history else None,
            "listing": asdict(self._listing) if self._listing else None,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _list_all(self) -> Iterator[Page]:
        listed: set[int] | None = None
        if self._listing is None:
            # Before anything is listed: what changes meanwhile stands in the history behind this id.
            start = str(self._api.profile()["historyId"])
            self._listing = _Listing(start, list(self._labels or ("",)))
            listed = set()
        listing = self._listing
        aside, tokens = self._no_mails(), set[str]()
        while listing.left:
            try:
                page = self._api.messages(listing.left[0] or None, listing.page_token)
            except CursorExpiredError:
                listing.page_token = None
                continue
            rows = [row for row in page.get("messages") or [] if str(row["id"]) not in aside]
            if listed is not None:
                listed.update(key_of(str(row["id"])) for row in rows)
            yield from self.fetched(self._unknown(rows))
            listing.page_token = self._next(page, tokens)
            if listing.page_token is None:
                del listing.left[0]
                tokens.clear()
            yield from self.rest()
        if listed is not None:
            # A listing that was cut and taken up again cannot tell what is gone; a recount can.
            self.known.leave(CONTAINER, set(self.known.seen.keys(CONTAINER)) - listed)
        self._history, self._listing = _History(listing.start), None

    def _no_mails(self) -> set[str]:
        """Ids of drafts and chats, which the list names among the mails without saying so."""
        return {str(row["id"]) for label in NO_MAILS for row in self._listed(label)}

    def _listed(self, label: str | None) -> Iterator[Row]:
        """Every message under a label."""
        tokens: set[str] = set()
        token: str | None = None
        while True:
            page = self._api.messages(label, token)
            yield from page.get("messages") or []
            token = self._next(page, tokens)
            if token is None:
                return

    def _read_history(self) -> Iterator[Page]:
        history = self._history
        assert history is not None, "everything is listed first"
        tokens: set[str] = set()
        while True:
            try:
                page = self._api.history(history.start, history.page_token)
            except CursorExpiredError:
                if history.page_token is None:
                    raise
                # The page may be forgotten while the history is not.
                history.page_token = None
                continue
            if history.page_token is None:
                # The first page's: what later pages leave out is read again, and known.
                history.reached = str(page.get("historyId") or history.start)
            asked = self._read(page.get("history") or [])
            yield from self.fetched(list(asked.values()))
            token = self._next(page, tokens)
            if token is None:
                history.start, history.reached, history.page_token = history.reached, "", None
                yield from self.rest()
                return
            history.page_token = token
            yield from self.rest()

    def _read(self, records: Sequence[Row]) -> dict[str, Wanted]:
        """What one page of changes, in its order, wants to be fetched; notes what left the mailbox."""
        asked: dict[str, Wanted] = {}
        for record in records:
            for kind in ("messagesAdded", "labelsRemoved", "labelsAdded", "messagesDeleted"):
                for change in record.get(kind) or []:
                    self._note(kind, change, asked)
        return asked

    def _note(self, kind: str, change: Mapping[str, Any], asked: dict[str, Wanted]) -> None:
        message: Mapping[str, Any] = change["message"]
        message_id = str(message["id"])
        is_unwanted = kind == "labelsAdded" and any(
            label in UNWANTED and label not in self._labels
            for label in change.get("labelIds") or []
        )
        if kind == "messagesDeleted" or is_unwanted:
            asked.pop(message_id, None)
            self.known.leave(CONTAINER, [key_of(message_id)])
            if kind == "messagesDeleted":
                self.known.pay(message_id, {"gmail_message_id": message_id})
            return
        labels = set(message.get("labelIds") or [])
        for label in labels & set(NO_MAILS):
            self.known.note_left_out(NO_MAILS[label])
            return
        is_aside = bool(labels & set(UNWANTED) - set(self._labels))
        if is_aside and self.known.is_remembered(key_of(message_id)):
            return
        for one in self._unknown([message], is_uncertain=is_aside):
            asked[message_id] = one

    def _unknown(self, rows: Collection[Row], *, is_uncertain: bool = False) -> list[Wanted]:
        wanted = []
        for row in rows:
            message_id = str(row["id"])
            if message_id in self.known.owed or self.known.settle(CONTAINER, message_id):
                continue
            location = {"gmail_message_id": message_id, "gmail_thread_id": str(row.get("threadId"))}
            wanted.append(Wanted(CONTAINER, message_id, location, is_uncertain))
        return wanted

    def is_up(self) -> object:
        """Reads the profile."""
        return self._api.profile()

    def hand_over(self, one: Wanted) -> Handed:
        """The message's bytes, or why it is left out."""
        if one.is_uncertain:
            reason = self._unwanted(self._api.label_ids(one.vendor_id))
            if reason:
                return Handed(b"", {}, reason)
        message = self._api.raw(one.vendor_id)
        labels = [str(label) for label in message.get("labelIds") or []]
        reason = self._unwanted(labels)
        if reason:
            return Handed(b"", {}, reason)
        location: dict[str, Any] = {"labels": labels}
        if message.get("threadId"):
            location["gmail_thread_id"] = str(message["threadId"])
        if str(message.get("internalDate", "")).isdigit():
            at = datetime.fromtimestamp(int(message["internalDate"]) / 1000, UTC)
            location["internal_date"] = at.isoformat()
        return Handed(message["bytes"], location)

    def _unwanted(self, labels: Collection[str]) -> str:
        """Why a message with these labels is left out; empty where it is not."""
        for label, reason in {**NO_MAILS, **UNWANTED}.items():
            if label in labels and label not in self._labels:
                return reason
        if self._labels and not set(self._labels) & set(labels):
            return "other labels"
        return ""

    def still_there(self, container: str, keys: Collection[int]) -> Collection[int]:
        """Asks for the labels of each."""
        return [key for key in keys if self._is_there(f"{key:x}")]

    def _is_there(self, message_id: str) -> bool:
        try:
            return "TRASH" not in self._api.label_ids(message_id)
        except NotFoundError:
            return False

    def _next(self, page: Mapping[str, Any], tokens: set[str]) -> str | None:
        """The next page's token, noted in `tokens`; None at the end.

        Raises:
            UnavailableError: it came before.
        """
        token = str(page.get("nextPageToken") or "")
        if token in tokens:
            raise UnavailableError(
                f"{self.session.label}: a list leads back to a page that was read; the next run goes on from the "
                "last page that was stored"
            )
        tokens.add(token)
        return token or None
