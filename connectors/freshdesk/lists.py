"""The streams beside the tickets: fields, people, groups, products, ratings, time entries.

Belongs here: how each list is asked for and when it is read again. Does not belong here: HTTP (`api`).

Source: Freshdesk API v2 reference, "List All Agents / Groups / Companies / Contacts / Ticket Fields / Products /
Roles / Time Entries", "View all Satisfaction Ratings".
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import Cursor, Page
from connectors.errors import AuthError, NotFoundError, UnavailableError
from connectors.freshdesk.api import (
    PER_PAGE,
    FreshdeskApi,
    Listing,
    instant_of,
    payload_of,
    text_of,
)
from transforms.model import RawRecord

logger = logging.getLogger(__name__)

WHOLE_LISTS = ("ticket_fields", "agents", "groups", "companies", "products", "roles")
"""Lists that Freshdesk gives whole or not at all: no filter by date that the reference and clients agree on."""

DISPENSABLE = frozenset({"products", "roles"})
"""Lists that a plan or an agent's rights may lack; an account without them is no fault."""

DETAILED_FIELDS = frozenset({"default_status", "default_source", "default_ticket_type"})
"""Kinds of ticket fields whose own view, for administrators, tells more: which statuses stop the SLA's timer."""

WHOLE_EVERY = timedelta(hours=1)
"""How often a whole list is read again; in between a pull of it costs no call."""

OVERLAP = timedelta(minutes=5)
"""How far before the last pull's beginning the next one asks for changes."""

DATED_LISTS: Mapping[str, tuple[str, str, str]] = {
    "satisfaction_ratings": ("surveys/satisfaction_ratings", "created_since", "created_at"),
    "time_entries": ("time_entries", "executed_after", "executed_at"),
}
"""Lists filtered by an instant that a later change does not move: path, filter, field."""

READ_AGAIN = timedelta(days=14)
"""Customers may change a rating later, agents a time entry; so far back they are read again, per `WHOLE_EVERY`."""

CONTACT_STATES: Mapping[str, Mapping[str, str]] = {"live": {}, "deleted": {"state": "deleted"}}
"""Passes over the contacts; the list leaves deleted ones out."""


def pull_whole(
    api: FreshdeskApi, stream: str, cursor: Cursor | None, now: Callable[[], datetime]
) -> Iterator[Page]:
    """A list without a date filter, page by page, at most once per `WHOLE_EVERY`."""
    told = dict(cursor or {})
    listed_at = instant_of(told.get("listed_at"))
    page = told.get("page")
    if page is None and listed_at is not None and now() - listed_at < WHOLE_EVERY:
        yield Page((), told, complete=True, calls=0)
        return
    listing_since = listed_at if page is not None else None
    params = {} if stream == "ticket_fields" else {"per_page": PER_PAGE}
    try:
        for listing, number, figures in _pages(
            api, stream, params, int(page or 1), _field_rows if stream == "ticket_fields" else None
        ):
            listing_since = listing_since or listing.server_time
            following = None if listing.is_last else number + 1
            yield Page(
                [_record(stream, row) for row in listing.rows],
                {"page": following, "listed_at": text_of(listing_since)},
                complete=listing.is_last,
                **figures,
            )
    except (AuthError, NotFoundError) as error:
        if stream not in DISPENSABLE:
            raise
        logger.info("%s: no %s for this key: %s", api.session.label, stream, error)
        yield Page((), {"page": None, "listed_at": text_of(api.server_time)}, complete=True)


def _field_rows(api: FreshdeskApi, params: Mapping[str, Any]) -> Listing:
    """The ticket fields, with the choices that the administrators' view adds as `admin_choices`.

    The older list has the choices and is documented no more; where it is gone, the administrators' list and the
    views of its fields take its place. Without rights for these the older list alone tells all but the SLA's timer.
    """
    try:
        listing = api.list_page("ticket_fields", params)
    except (AuthError, NotFoundError):
        listing = api.list_page("admin/ticket_fields", params)
    rows = []
    may_view = True
    for row in listing.rows:
        kind = row.get("type") if isinstance(row, dict) else None
        if may_view and kind in DETAILED_FIELDS:
            try:
                view = api.session.get_json(f"api/v2/admin/ticket_fields/{row.get('id')}")
                choices = view.get("choices") if isinstance(view, dict) else None
                row = {**row, "admin_choices": choices} if choices else row
            except (AuthError, NotFoundError):
                may_view = False
        rows.append(row)
    return Listing(rows, listing.is_last, listing.server_time)


def pull_contacts(api: FreshdeskApi, cursor: Cursor | None, start: datetime) -> Iterator[Page]:
    """Contacts that changed since the last pull began, then those that were deleted since.

    Nothing says how the list is ordered, so the next pull goes by when this one began, never by a row's time.
    """
    told = dict(cursor or {})
    since = instant_of(told.get("since")) or start
    begun_at = instant_of(told.get("begun_at"))
    state = told.get("state") or "live"
    first_page = int(told.get("page") or 1)
    names = list(CONTACT_STATES)
    for name in names[names.index(state) :]:
        params = {"_updated_since": text_of(since), "per_page": PER_PAGE, **CONTACT_STATES[name]}
        for listing, number, figures in _pages(api, "contacts", params, first_page):
            begun_at = begun_at or listing.server_time
            is_end = listing.is_last and name == names[-1]
            position: dict[str, Any] = {
                "state": name if not listing.is_last else names[-1],
                "page": 1 if listing.is_last else number + 1,
                "since": text_of(since),
                "begun_at": text_of(begun_at),
            }
            yield Page(
                [_record("contacts", row, is_tombstone=name == "deleted") for row in listing.rows],
                {"since": text_of(max(start, begun_at - OVERLAP))} if is_end else position,
                complete=is_end,
                **figures,
            )
        first_page = 1


def pull_dated(
    api: FreshdeskApi,
    stream: str,
    cursor: Cursor | None,
    start: datetime,
    now: Callable[[], datetime],
) -> Iterator[Page]:
    """Ratings or time entries since the newest known one; from time to time those of the last two weeks again.

    An account whose plan has no surveys or no timesheets has none.
    """
    told = dict(cursor or {})
    newest = instant_of(told.get("newest"))
    swept_at = instant_of(told.get("swept_at"))
    since = instant_of(told.get("since"))
    first_page = int(told.get("page") or 1)
    if since is None:
        is_sweep = swept_at is None or now() - swept_at >= WHOLE_EVERY
        swept_at = now() if is_sweep else swept_at
        back = READ_AGAIN if is_sweep else OVERLAP
        since = start if newest is None else max(start, newest - back)
    path, filter_name, field = DATED_LISTS[stream]
    params = {filter_name: text_of(since), "per_page": PER_PAGE}
    try:
        for listing, number, figures in _pages(api, path, params, first_page):
            rated = [instant_of(r.get(field)) for r in listing.rows if isinstance(r, dict)]
            newest = max(filter(None, (newest, *rated)), default=None)
            position = {
                "newest": text_of(newest) if newest else None,
                "swept_at": text_of(swept_at) if swept_at else None,
            }
            if not listing.is_last:
                position |= {"since": text_of(since), "page": str(number + 1)}
            yield Page(
                [_record(stream, row) for row in listing.rows],
                position,
                complete=listing.is_last,
                **figures,
            )
    except AuthError as error:
        if "require_feature" not in str(error):
            raise
        logger.info("%s: the plan has no %s", api.session.label, stream.replace("_", " "))
        yield Page((), told, complete=True)


def _pages(
    api: FreshdeskApi,
    path: str,
    params: Mapping[str, Any],
    first: int,
    read: Callable[[FreshdeskApi, Mapping[str, Any]], Listing] | None = None,
) -> Iterator[tuple[Listing, int, dict[str, Any]]]:
    """(page, its number, what it cost) from page `first` to the last.

    Raises:
        UnavailableError: a page repeats the one before it, which would go on for ever.
    """
    number, before = first, None
    while True:
        calls, waited = api.session.calls, api.session.seconds_waited
        query = {**params, "page": number} if number > 1 else params
        listing = read(api, query) if read else api.list_page(path, query)
        if listing.rows and listing.rows == before:
            raise UnavailableError(
                f"{api.session.label}: page {number} of {path} is the same as page {number - 1}; something "
                "between here and Freshdesk ignores page numbers"
            )
        yield (
            listing,
            number,
            {
                "calls": api.session.calls - calls,
                "seconds_waited": api.session.seconds_waited - waited,
            },
        )
        if listing.is_last:
            return
        number, before = number + 1, listing.rows


def _record(stream: str, body: Any, *, is_tombstone: bool = False) -> RawRecord:
    payload = payload_of(body)
    told = body if isinstance(body, dict) else {}
    remote_id, ticket_id = told.get("id"), told.get("ticket_id")
    return RawRecord(
        stream=stream,
        remote_id=f"no-id-{hashlib.sha256(payload).hexdigest()[:16]}"
        if remote_id is None
        else str(remote_id),
        payload=payload,
        ticket_remote_id=None if ticket_id is None else str(ticket_id),
        is_tombstone=is_tombstone,
        source_updated_at=instant_of(told.get("updated_at")),
    )
