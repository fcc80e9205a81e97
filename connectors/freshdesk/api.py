"""Freshdesk's API v2 as this connector uses it: lists by page, a ticket's conversations, limits, dates.

Belongs here: how one answer is asked for and read. Does not belong here: which pages make a stream (`tickets`,
`lists`), what records mean (`transforms.freshdesk`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connectors.errors import NotFoundError, UnavailableError
from connectors.http import PolicySession

PER_PAGE = 100
"""Rows a page; Freshdesk refuses more. Source: API reference, "Pagination"."""

WORKERS = 4
"""Tickets whose children are asked for at once; they share the account's budget."""

EMBEDDED_CONVERSATIONS = 10
"""As many of its conversations a ticket's own view gives at most, without saying that there are more."""

_SIGNATURE_MARKS = ("X-Amz-Signature=", "Signature=", "X-Amz-Security-Token=")


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. `is_last`: nothing follows. `server_time`: Freshdesk's clock when it answered."""

    rows: Sequence[Any]
    is_last: bool
    server_time: datetime


def endpoint_class(method: str, path: str) -> str:
    """Which of Freshdesk's budgets a request uses: lists of tickets and of contacts have their own.

    Source: support.freshdesk.com, article 225439 (limits per plan).
    """
    if method == "GET" and path.rstrip("/").endswith("/api/v2/tickets"):
        return "tickets list"
    if method == "GET" and path.rstrip("/").endswith("/api/v2/contacts"):
        return "contacts list"
    return "other"


@dataclass(frozen=True, slots=True)
class Children:
    """What hangs on a ticket. None: not known, the ticket is no longer there (deleted, archived)."""

    conversations: Sequence[Any] | None = None
    attachments: Sequence[Any] | None = None
    """Those of the description, where its row in the list did not bring them."""


class FreshdeskApi:
    """Reads over one session; safe for several threads."""

    def __init__(self, session: PolicySession, now: Callable[[], datetime]) -> None:
        """`now` gives aware UTC instants, used where an answer tells no date."""
        self.session = session
        self._now = now

    def list_page(self, path: str, params: Mapping[str, Any]) -> Listing:
        """One page of a list.

        The end is a page without a `Link` to the next that is not full: a proxy may drop the header, and one
        call more is cheaper than a ticket lost.

        Raises:
            ConnectorError: refused, not reached, or no list.
        """
        response = self.session.request("GET", f"api/v2/{path}", params=dict(params))
        self.session.check_status(response)
        rows = self.session.json_of(response)
        if not isinstance(rows, list):
            raise UnavailableError(
                f"{self.session.label}: GET api/v2/{path} gave {type(rows).__name__} where a list was expected; "
                "is the address that of a Freshdesk account?"
            )
        has_next = "next" in response.links
        per_page = int(params.get("per_page", 0))
        is_last = not rows or (not has_next and (not per_page or len(rows) < per_page))
        return Listing(rows, is_last, self._server_time(response.headers.get("Date")))

    def conversations(self, ticket_id: str) -> list[Any] | None:
        """All conversations of a ticket, oldest first; None where it is no longer there (deleted, archived)."""
        found: list[Any] = []
        seen: set[str] = set()
        page = 1
        while True:
            params = {"per_page": PER_PAGE, "page": page}
            try:
                listing = self.list_page(f"tickets/{ticket_id}/conversations", params)
            except NotFoundError:
                return None
            new = [row for row in listing.rows if _identity(row) not in seen]
            seen.update(_identity(row) for row in new)
            found += new
            if listing.is_last or not new:
                return found
            page += 1

    def children(self, ticket_id: str, *, with_attachments: bool) -> Children:
        """A ticket's conversations, and its description's attachments where they are asked for.

        These stand in the ticket's own view alone, which brings the first conversations along: so a usual
        ticket costs one call either way.
        """
        if not with_attachments:
            return Children(self.conversations(ticket_id))
        response = self.session.request(
            "GET", f"api/v2/tickets/{ticket_id}", params={"include": "conversations"}
        )
        try:
            self.session.check_status(response)
        except NotFoundError:
            return Children()
        view = self.session.json_of(response)
        told = view if isinstance(view, dict) else {}
        conversations, attachments = told.get("conversations"), told.get("attachments")
        if not isinstance(conversations, list) or len(conversations) >= EMBEDDED_CONVERSATIONS:
            conversations = self.conversations(ticket_id)
        return Children(conversations, attachments if isinstance(attachments, list) else None)

    def children_of(self, tickets: Sequence[tuple[str, bool]]) -> list[Children]:
        """The children of several (ticket id, with attachments), in their order; the first failure ends the rest."""
        with ThreadPoolExecutor(WORKERS) as pool:
            futures = [
                pool.submit(self.children, ticket_id, with_attachments=with_attachments)
                for ticket_id, with_attachments in tickets
            ]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def _server_time(self, date: str | None) -> datetime:
        try:
            return parsedate_to_datetime(date or "").astimezone(UTC)
        except (TypeError, ValueError):
            return self._now()


def payload_of(body: Any) -> bytes:
    """A record's JSON as it is stored: as it came, but for signatures in the addresses of attachments.

    Those are credentials for some minutes, differ on every read and would make a new version each time.
    """
    return json.dumps(_without_signatures(body), ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


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


def _without_signatures(body: Any) -> Any:
    if isinstance(body, list):
        return [_without_signatures(one) for one in body]
    if not isinstance(body, dict):
        return body
    return {
        name: _unsigned(value)
        if name in ("attachment_url", "thumb_url")
        else _without_signatures(value)
        for name, value in body.items()
    }


def _unsigned(value: Any) -> Any:
    if not isinstance(value, str) or not any(mark in value for mark in _SIGNATURE_MARKS):
        return value
    try:
        return urlunsplit(urlsplit(value)._replace(query="", fragment=""))
    except ValueError:
        return value.partition("?")[0]


def _identity(row: Any) -> str:
    return str(row.get("id")) if isinstance(row, dict) and "id" in row else repr(row)
