"""Freshdesk's API v2 as this connector uses it: lists by page, whole tickets, the archive, limits, dates.

Belongs here: how one answer is asked for and read. Does not belong here: which pages make a stream (`tickets`,
`lists`), what records mean (`transforms.freshdesk`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from requests import Response

from connectors.errors import AuthError, NotFoundError, RejectedError, UnavailableError
from connectors.freshdesk.links import may_be_signed, without_signatures
from connectors.http import PolicySession
from connectors.json_text import written
from connectors.workers import Workers

T = TypeVar("T")
R = TypeVar("R")

PER_PAGE = 100
"""Rows a page; Freshdesk refuses more. Source: API reference, "Pagination"."""

CALLS_AT_ONCE = 34
"""Tickets whose children are asked for at once, at most (see `workers`): a page of a hundred in three rounds. They share
the account's budget."""

EMBEDDED_CONVERSATIONS = 10
"""As many of its conversations a ticket's own view gives at most, without saying that there are more."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. `is_last`: nothing follows. `server_time`: Freshdesk's clock when it answered."""

    rows: Sequence[Any]
    is_last: bool
    server_time: datetime


@dataclass(frozen=True, slots=True)
class Children:
    """What hangs on a ticket. None: not known, the ticket is no longer there."""

    conversations: Sequence[Any] | None = None
    attachments: Sequence[Any] | None = None
    """Those of the description, where its row in the list did not bring them."""
    is_archived: bool = False
    """The ticket was moved to the archive since it was listed."""


class EndOfListError(RejectedError):
    """Freshdesk gives no page of this list behind the one before (30,000 tickets)."""


class FreshdeskApi:
    """Reads over one session; safe for several threads. `close` ends its workers."""

    def __init__(
        self,
        session: PolicySession,
        now: Callable[[], datetime],
        calls_at_once: int = CALLS_AT_ONCE,
    ) -> None:
        """`now` gives aware UTC instants, used where an answer tells no date."""
        self.session = session
        self._now = now
        self._date = ""
        self.server_time = datetime.min.replace(tzinfo=UTC)
        """Freshdesk's clock as its latest answer told it."""
        self._has_archive = True
        self._workers = Workers(calls_at_once)
        session.on_call = self._workers.called

    def close(self) -> None:
        """Ends the workers."""
        self._workers.close()

    def list_page(self, path: str, params: Mapping[str, Any]) -> Listing:
        """One page of a list.

        The end is a page without a `Link` to the next that is not full: a proxy may drop the header, and one
        call more is cheaper than a ticket lost.

        Raises:
            EndOfListError: the page lies behind the last one that Freshdesk gives.
            ConnectorError: refused, not reached, or no list.
        """
        response = self._get(path, params)
        try:
            self.session.check_status(response)
        except RejectedError as error:
            is_end = '"page"' in error.body and "invalid_value" in error.body
            if not is_end or int(params.get("page", 1)) <= 1:
                raise
            raise EndOfListError(str(error), error.status, error.body) from None
        rows = self.session.json_of(response)
        if not isinstance(rows, list):
            raise UnavailableError(
                f"{self.session.label}: GET api/v2/{path} gave {type(rows).__name__} where a list was expected; "
                "is the address that of a Freshdesk account?"
            )
        has_next = "next" in response.links
        per_page = int(params.get("per_page", 0))
        is_last = not rows or (not has_next and (not per_page or len(rows) < per_page))
        # From this very answer: another thread's may have moved `server_time` on meanwhile.
        return Listing(rows, is_last, self._server_time(response.headers.get("Date")))

    def children(self, ticket_id: str, *, with_attachments: bool) -> Children:
        """A ticket's conversations, and its description's attachments where they are asked for.

        These stand in the ticket's own view alone, which brings the first conversations along: so a usual
        ticket costs one call either way. A ticket that is gone from there is asked for in the archive, once.
        """
        if with_attachments:
            view = self._view(f"tickets/{ticket_id}", {"include": "conversations"})
            if view is not None:
                conversations = self._conversations_of(f"tickets/{ticket_id}", view)
                return Children(conversations, _list_of(view, "attachments"))
        else:
            conversations = self._conversations(f"tickets/{ticket_id}")
            if conversations is not None:
                return Children(conversations)
        archived = self.archived(ticket_id)
        if archived is None:
            return Children()
        return Children(archived["conversations"], _list_of(archived, "attachments"), True)

    def whole(self, ticket_id: str) -> dict[str, Any] | None:
        """A ticket with all that a row of the list has and its conversations, from the archive where it lies there.

        None where it is in neither: then it was deleted for good (or never was).
        """
        view = self._view(f"tickets/{ticket_id}", {"include": "conversations,requester,stats"})
        if view is None:
            return self.archived(ticket_id)
        return {**view, "conversations": self._conversations_of(f"tickets/{ticket_id}", view)}

    def archived(self, ticket_id: str) -> dict[str, Any] | None:
        """A ticket of the archive with its conversations; None where it is not there or the plan has no archive.

        Source: API v2 reference, "Archive Tickets": closed tickets without activity for 120 days; they are in no
        list and no search.
        """
        if not self._has_archive:
            return None
        path = f"tickets/archived/{ticket_id}"
        try:
            view = self._view(path, {})
        except AuthError as error:
            if "require_feature" not in str(error):
                raise
            self._has_archive = False
            return None
        if view is None:
            return None
        return {**view, "archived": True, "conversations": self._conversations(path) or []}

    @property
    def has_archive(self) -> bool:
        """Whether the account's plan has an archive, as far as is known."""
        return self._has_archive

    def each(self, ask: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """What `ask` gives for each thing, in their order, several at once; the first failure ends the rest."""
        return self._workers.each(ask, things)

    def _get(self, path: str, params: Mapping[str, Any]) -> Response:
        response = self.session.request("GET", f"api/v2/{path}", params=dict(params))
        date = response.headers.get("Date")
        if not date or date != self._date:
            # Several threads ask: an answer that comes late never sets the clock back.
            self.server_time = max(self.server_time, self._server_time(date))
            self._date = date or ""
        return response

    def _view(self, path: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        response = self._get(path, params)
        try:
            self.session.check_status(response)
        except NotFoundError:
            return None
        view = self.session.json_of(response)
        return view if isinstance(view, dict) else {}

    def _conversations_of(self, path: str, view: Mapping[str, Any]) -> list[Any] | None:
        told = _list_of(view, "conversations")
        if told is None or len(told) >= EMBEDDED_CONVERSATIONS:
            return self._conversations(path)
        return told

    def _conversations(self, path: str) -> list[Any] | None:
        """All conversations below a ticket's path, oldest first; None where the ticket is not there."""
        found: list[Any] = []
        seen: set[str] = set()
        page = 1
        while True:
            try:
                listing = self.list_page(
                    f"{path}/conversations", {"per_page": PER_PAGE, "page": page}
                )
            except NotFoundError:
                return None
            new = [row for row in listing.rows if _identity(row) not in seen]
            seen.update(_identity(row) for row in new)
            found += new
            if listing.is_last or not new:
                return found
            page += 1

    def _server_time(self, date: str | None) -> datetime:
        try:
            return parsedate_to_datetime(date or "").astimezone(UTC)
        except (TypeError, ValueError):
            return self._now()


def payload_of(body: Any) -> bytes:
    """A record's JSON as it is stored: as it came, but for signatures in the addresses of attachments.

    Those are credentials for some minutes and differ on every read; see `links`.
    """
    text = written(body)
    return written(without_signatures(body)) if may_be_signed(text) else text


def instant_of(value: Any) -> datetime | None:
    """An ISO 8601 instant in UTC, cut to its second; None where it is none."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return None if at.tzinfo is None else at.astimezone(UTC).replace(microsecond=0)


def text_of(at: datetime) -> str:
    """The form in which Freshdesk takes and gives instants, e.g. `2026-03-02T08:00:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _list_of(view: Mapping[str, Any], name: str) -> list[Any] | None:
    told = view.get(name)
    return told if isinstance(told, list) else None


def _identity(row: Any) -> str:
    return str(row.get("id")) if isinstance(row, dict) and "id" in row else repr(row)
