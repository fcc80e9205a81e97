"""The walk through Freshdesk's ticket list that loses no row: where it stands, and the step that follows.

Belongs here: the walk by time, its state in the cursor. Does not belong here: a second too crowded for the list
(`crowd`), what becomes of the rows (`tickets`, `reconcile`), HTTP (`api`).

How the walk goes. Page numbers over a list that is ordered by `updated_at` lose rows: a ticket that changes
moves to the end, and the first row of the next page moves onto a page that was read already. So the walk goes by
time: it asks for page 1 of what was updated since the second before the last row's second, again and again (the
second before, because nothing says whether `updated_since` includes its own second). What comes twice is known
by id and second and left out.
A second with more than a page of rows (a bulk edit) is read by page numbers after all, and then once more from
its start until a walk over it brings nothing new. A second with more rows than Freshdesk lists (30,000) is read by
`crowd`, and the walk goes on behind it.
Each pull begins some minutes before the newest row known, for rows that became visible late; a row younger than a
minute is never taken as known, since it may change again within its second.

Source: Freshdesk API v2 reference, "List all tickets" (30 days by default, 300 pages, filters, orders, includes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from connectors.freshdesk.api import (
    PER_PAGE,
    EndOfListError,
    FreshdeskApi,
    Listing,
    instant_of,
    text_of,
)
from connectors.freshdesk.ids import SeenRows

PASSES: Mapping[str, Mapping[str, str]] = {
    "live": {},
    "spam": {"filter": "spam"},
    "deleted": {"filter": "deleted"},
}
"""Passes of one pull, in order, with what each adds to the query; the list leaves spam and deleted ones out."""

OVERLAP = timedelta(minutes=5)
"""How far before the newest known row a pull begins."""

SETTLED_AFTER = timedelta(seconds=60)
"""A row is taken as known only when its last change is older than this by Freshdesk's own clock."""

ONE_SECOND = timedelta(seconds=1)

MOST_SEEN = 40_000
"""Known rows that a cursor remembers at most between seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list with what the walk needs of it.

    `form` says how much of the ticket it is: `listed` is all but its conversations, `bare` was listed without
    includes and has to be asked for, `whole` has everything.
    """

    body: Any
    remote_id: str | None
    updated_at: datetime | None
    form: Literal["listed", "bare", "whole"] = "listed"


@dataclass(frozen=True, slots=True)
class Crowd:
    """How far a second that holds more rows than the list gives has been read; see `crowd`."""

    until: datetime
    """The rows wanted are those updated up to here, from the walk's `since` on."""
    reading: int = 0
    """Which of the orders is being read."""
    page: int = 1
    reached: str | int | None = None
    """How far the rising reading of this order came: all rows below this value are known."""
    fresh: int = 0
    """Rows that this round over the orders brought for the first time."""
    next_id: int | None = None
    """The next ticket to ask for by its id, where no order gave proof."""
    last_id: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the cursor keeps it."""
        return {
            "until": text_of(self.until),
            "reading": self.reading,
            "page": self.page,
            "reached": self.reached,
            "fresh": self.fresh,
            "next_id": self.next_id,
            "last_id": self.last_id,
        }


@dataclass(frozen=True, slots=True)
class Walk:
    """Where one pass stands; becomes part of the cursor. `seen` is shared by the states of one walk."""

    since: datetime
    seen: SeenRows
    page: int = 1
    newest: datetime | None = None
    fresh: int = 0
    """Rows of a crowded second that this walk over it brought for the first time."""
    crowd: Crowd | None = None

    def begun(self, start: datetime) -> "Walk":
        """The walk of the next pull."""
        since = start if self.newest is None else max(start, self.newest - OVERLAP)
        self.seen.keep(since, MOST_SEEN)
        return Walk(since, self.seen, newest=self.newest)

    def to_json(self) -> dict[str, Any]:
        """As the cursor keeps it."""
        return {
            "since": text_of(self.since),
            "page": self.page,
            "newest": text_of(self.newest) if self.newest else None,
            "fresh": self.fresh,
            "seen": self.seen.to_json(),
            "whole": list(self.seen.whole),
            "crowd": self.crowd.to_json() if self.crowd else None,
        }


def list_tickets(api: FreshdeskApi, name: str, since: datetime, **params: Any) -> Listing:
    """One page of the ticket list of a pass, of what was updated since an instant."""
    query = {"updated_since": text_of(since), "per_page": PER_PAGE, **PASSES[name], **params}
    return api.list_page("tickets", {key: value for key, value in query.items() if value != ""})


def row_of(body: Any, form: Literal["listed", "bare", "whole"] = "listed") -> Row:
    """A row with its id and instant, None where it has none that can be read."""
    told = body if isinstance(body, dict) else {}
    remote_id = told.get("id")
    is_id = isinstance(remote_id, int | str) and not isinstance(remote_id, bool)
    at = instant_of(told.get("updated_at"))
    return Row(body, str(remote_id) if is_id else None, at, form)


def take_in(walk: Walk, rows: Sequence[Row], server_time: datetime) -> list[Row]:
    """Remembers the rows that are old enough to stay as they are; gives those."""
    settled_at = server_time - SETTLED_AFTER
    settled = [row for row in rows if row.updated_at and row.updated_at <= settled_at]
    for row in settled:
        if row.remote_id is not None and row.updated_at is not None:
            walk.seen.add(row.remote_id, row.updated_at)
    return settled


def behind(api: FreshdeskApi, name: str, second: datetime) -> datetime:
    """From when to ask for what lies behind a crowded second, without its own rows.

    Whether `updated_since` gives its own second is not documented; the second's own rows tell.
    """
    listing = list_tickets(
        api, name, second, order_by="updated_at", order_type="asc", per_page=1, page=1
    )
    first = row_of(listing.rows[0]).updated_at if listing.rows else None
    return second + ONE_SECOND if first == second else second


def read_walk(told: Mapping[str, Any] | None, start: datetime) -> Walk:
    """The walk that a cursor holds."""
    if not told:
        return Walk(start, SeenRows())
    crowd = told.get("crowd")
    return Walk(
        since=instant_of(told["since"]) or start,
        seen=SeenRows(told["seen"], told.get("whole") or ()),
        page=int(told["page"]),
        newest=instant_of(told["newest"]),
        fresh=int(told["fresh"]),
        crowd=Crowd(**{**crowd, "until": instant_of(crowd["until"])}) if crowd else None,
    )


def read_by_time(
    api: FreshdeskApi, name: str, walk: Walk, include: str
) -> tuple[list[Row], Walk, Walk | None]:
    """One step: unknown rows, the walk to remember, and the walk to go on with (None: the pass is at its end).

    Raises:
        ConnectorError: the page was not given.
    """
    try:
        listing = list_tickets(
            api,
            name,
            walk.since,
            order_by="updated_at",
            order_type="asc",
            include=include,
            page=walk.page,
        )
    except EndOfListError:
        crowded = replace(walk, page=1, fresh=0, crowd=Crowd(until=walk.since + ONE_SECOND))
        return [], crowded, crowded
    rows = [row_of(body) for body in listing.rows]
    unknown = [row for row in rows if not walk.seen.knows(row.remote_id, row.updated_at)]
    settled = take_in(walk, unknown, listing.server_time)
    last = max((row.updated_at for row in rows if row.updated_at), default=None)
    # A time in the future would make the next pull begin behind everything that is still to come.
    newest = max(filter(None, (walk.newest, last and min(last, listing.server_time))), default=None)
    walk = replace(walk, newest=newest)
    is_crowded = last is not None and last - ONE_SECOND <= walk.since and not listing.is_last
    if is_crowded and last is not None and text_of(last) in walk.seen.whole:
        walk = Walk(behind(api, name, last), walk.seen, newest=newest)
        return unknown, walk, walk
    fresh = sum(row.updated_at <= walk.since + ONE_SECOND for row in settled if row.updated_at)
    after, following = _step(replace(walk, fresh=walk.fresh + fresh), last, listing.is_last)
    return unknown, after, following


def _step(walk: Walk, last: datetime | None, is_last_page: bool) -> tuple[Walk, Walk | None]:
    """The walk to remember and the one to go on with, after a page whose newest row is of `last`."""
    goes_on = last is not None and last - ONE_SECOND > walk.since
    if not goes_on and not is_last_page:
        walk = replace(walk, page=walk.page + 1)
    elif walk.page > 1 and walk.fresh:
        walk = replace(walk, page=1, fresh=0)
    elif is_last_page or last is None:
        return replace(walk, page=1, fresh=0), None
    else:
        since = last - ONE_SECOND
        walk.seen.keep(min(since, last - OVERLAP), MOST_SEEN)
        walk = Walk(since, walk.seen, newest=walk.newest)
    return walk, walk
