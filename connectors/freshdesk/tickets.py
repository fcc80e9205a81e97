"""The stream `tickets`: live ones with their conversations, then spam, then deleted ones with theirs.

Belongs here: the walk through Freshdesk's ticket list that loses no row. Does not belong here: HTTP (`api`).

How the walk goes. Page numbers over a list that is ordered by `updated_at` lose rows: a ticket that changes
moves to the end, and the first row of the next page moves onto a page that was read already. So the walk goes by
time: it asks for page 1 of what was updated since the second before the last row's second, again and again (the
second before, because nothing says whether `updated_since` includes its own second). What comes twice is known
by id and second and left out. Freshdesk's end of lists at page 300 is met only where one second holds more than
that; then the stream stops with an error that names the second.
A second with more than a page of rows (a bulk edit) is read by page numbers after all, and then once more from
its start until a walk over it brings nothing new.
Each pull begins some minutes before the newest row known, for rows that became visible late; a row younger than a
minute is never taken as known, since it may change again within its second.

Source: Freshdesk API v2 reference, "List all tickets" (30 days by default, 300 pages, filters, includes).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import Cursor, Page
from connectors.errors import RejectedError
from connectors.freshdesk.api import (
    PER_PAGE,
    Children,
    FreshdeskApi,
    Listing,
    instant_of,
    payload_of,
    text_of,
)
from transforms.model import RawRecord

STREAM = "tickets"

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
"""Known rows that a cursor remembers at most: more than the 30,000 that one second can hold."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Where one pass stands; becomes part of the cursor."""

    since: datetime
    page: int = 1
    newest: datetime | None = None
    fresh: int = 0
    """Rows of a crowded second that this walk over it brought for the first time."""
    seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Second → ids of the rows known from it, for the seconds that may come again."""

    def begun(self, start: datetime) -> "Walk":
        """The walk of the next pull."""
        since = start if self.newest is None else max(start, self.newest - OVERLAP)
        return Walk(since, newest=self.newest, seen=_kept(self.seen, since))

    def to_json(self) -> dict[str, Any]:
        """As the cursor keeps it."""
        return {
            "since": text_of(self.since),
            "page": self.page,
            "newest": text_of(self.newest) if self.newest else None,
            "fresh": self.fresh,
            "seen": {second: list(ids) for second, ids in self.seen.items()},
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list with what the walk needs of it."""

    body: Any
    remote_id: str | None
    updated_at: datetime | None


def pull_tickets(api: FreshdeskApi, cursor: Cursor | None, start: datetime) -> Iterator[Page]:
    """Pages of tickets from `cursor` on.

    Raises:
        RejectedError: one second holds more tickets than Freshdesk lists.
    """
    walks, current = _read_cursor(cursor, start)
    names = list(PASSES)
    for name in names[names.index(current) :]:
        walk: Walk | None = walks[name]
        while walk is not None:
            calls, waited = api.session.calls, api.session.seconds_waited
            listing = _list(api, name, walk)
            rows = [_row(body) for body in listing.rows]
            unknown = [row for row in rows if not _is_known(walk, row)]
            records = _records(api, name, unknown)
            walks[name], walk = _step(walk, rows, unknown, listing)
            following = name if walk else _after(names, name)
            if walk is None and following:
                walks[following] = walks[following].begun(start)
            yield Page(
                records=records,
                cursor={
                    "pass": following,
                    "walks": {one: known.to_json() for one, known in walks.items()},
                },
                complete=following is None,
                calls=api.session.calls - calls,
                seconds_waited=api.session.seconds_waited - waited,
            )


def _after(names: list[str], name: str) -> str | None:
    place = names.index(name) + 1
    return names[place] if place < len(names) else None


def _read_cursor(cursor: Cursor | None, start: datetime) -> tuple[dict[str, Walk], str]:
    """The walks, and the pass to go on with (which is begun)."""
    told = (cursor or {}).get("walks") or {}
    walks = {name: _walk(told.get(name), start) for name in PASSES}
    current = (cursor or {}).get("pass")
    if current in PASSES:
        return walks, str(current)
    walks["live"] = walks["live"].begun(start)
    return walks, "live"


def _walk(told: Mapping[str, Any] | None, start: datetime) -> Walk:
    if not told:
        return Walk(start)
    return Walk(
        since=instant_of(told["since"]) or start,
        page=int(told["page"]),
        newest=instant_of(told["newest"]),
        fresh=int(told["fresh"]),
        seen={second: tuple(ids) for second, ids in told["seen"].items()},
    )


def _list(api: FreshdeskApi, name: str, walk: Walk) -> Listing:
    params = {
        "updated_since": text_of(walk.since),
        "order_by": "updated_at",
        "order_type": "asc",
        "include": "requester,stats,description",
        "per_page": PER_PAGE,
        "page": walk.page,
        **PASSES[name],
    }
    try:
        return api.list_page("tickets", params)
    except RejectedError as error:
        is_end_of_list = walk.page > 1 and '"page"' in error.body and "invalid_value" in error.body
        if not is_end_of_list:
            raise
        last = walk.since + ONE_SECOND
        raise RejectedError(
            f"{api.session.label}: more than {(walk.page - 1) * PER_PAGE} {name} tickets were updated between "
            f"{text_of(walk.since)} and {text_of(last)} (a bulk edit?), and Freshdesk lists no further than "
            f"page {walk.page - 1}. Any change of some of them moves them out of that second; the next pull then "
            "goes on. Nothing behind that second is read until then",
            error.status,
            error.body,
        ) from error


def _step(
    walk: Walk, rows: list[Row], unknown: list[Row], listing: Listing
) -> tuple[Walk, Walk | None]:
    """The walk to remember, and the walk to go on with (None: the pass is at its end)."""
    crowded_until = walk.since + ONE_SECOND
    settled_at = listing.server_time - SETTLED_AFTER
    settled = [row for row in unknown if row.updated_at and row.updated_at <= settled_at]
    instants = [row.updated_at for row in rows if row.updated_at]
    last = max(instants, default=None)
    # A time in the future would make the next pull begin behind everything that is still to come.
    newest = max(filter(None, (walk.newest, last and min(last, listing.server_time))), default=None)
    fresh = walk.fresh + sum(row.updated_at <= crowded_until for row in settled if row.updated_at)
    walk = replace(walk, newest=newest, seen=_with(walk.seen, settled))
    goes_on = last is not None and last - ONE_SECOND > walk.since
    if not goes_on and not listing.is_last:
        walk = replace(walk, page=walk.page + 1, fresh=fresh)
    elif walk.page > 1 and fresh:
        walk = replace(walk, page=1, fresh=0)
    elif listing.is_last or last is None:
        return replace(walk, page=1, fresh=0), None
    else:
        since = last - ONE_SECOND
        walk = Walk(since, newest=newest, seen=_kept(walk.seen, min(since, last - OVERLAP)))
    return walk, walk


def _row(body: Any) -> Row:
    told = body if isinstance(body, dict) else {}
    remote_id = told.get("id")
    is_id = isinstance(remote_id, int | str) and not isinstance(remote_id, bool)
    return Row(body, str(remote_id) if is_id else None, instant_of(told.get("updated_at")))


def _is_known(walk: Walk, row: Row) -> bool:
    if row.updated_at is None or row.remote_id is None:
        return False
    return row.remote_id in walk.seen.get(text_of(row.updated_at), ())


def _with(seen: Mapping[str, tuple[str, ...]], rows: list[Row]) -> dict[str, tuple[str, ...]]:
    added: dict[str, list[str]] = {}
    for row in rows:
        if row.updated_at is not None and row.remote_id is not None:
            added.setdefault(text_of(row.updated_at), []).append(row.remote_id)
    return {
        **seen,
        **{second: (*seen.get(second, ()), *ids) for second, ids in added.items()},
    }


def _kept(seen: Mapping[str, tuple[str, ...]], since: datetime) -> dict[str, tuple[str, ...]]:
    """The seconds from `since` on, the newest first where there are too many rows."""
    kept: dict[str, tuple[str, ...]] = {}
    room = MOST_SEEN
    for second in sorted(seen, reverse=True):
        room -= len(seen[second])
        if second < text_of(since) or room < 0:
            break
        kept[second] = seen[second]
    return dict(reversed(kept.items()))


def _records(api: FreshdeskApi, name: str, rows: list[Row]) -> list[RawRecord]:
    """The rows as records: live and deleted ones with their children, spam without (it may be most of a mailbox)."""
    is_tombstone = name != "live"
    readable = [row for row in rows if row.remote_id is not None]
    wanted = [] if name == "spam" else readable
    told = api.children_of([(str(row.remote_id), "attachments" not in row.body) for row in wanted])
    children = {id(row): known for row, known in zip(wanted, told, strict=True)}
    records = []
    for row in rows:
        if row.remote_id is None:
            records.append(_record(row.body, row, is_tombstone))
            continue
        known = children.get(id(row), Children())
        added = {"conversations": known.conversations, "attachments": known.attachments}
        added = {key: value for key, value in added.items() if value is not None}
        flag = {name: True} if is_tombstone else {}
        records.append(_record({**row.body, **flag, **added}, row, is_tombstone))
    return records


def _record(body: Any, row: Row, is_tombstone: bool) -> RawRecord:
    payload = payload_of(body)
    return RawRecord(
        stream=STREAM,
        remote_id=row.remote_id or f"no-id-{hashlib.sha256(payload).hexdigest()[:16]}",
        payload=payload,
        ticket_remote_id=row.remote_id,
        is_tombstone=is_tombstone,
        source_updated_at=row.updated_at,
    )
