"""A second that holds more tickets than Freshdesk lists (a bulk edit of 30,000 and more), read to its end.

Belongs here: reading such a second by other orders, the proof that it came whole, the scan by id where no order
proves it. Does not belong here: the walk that met it (`walk`).

How. The list of what was updated since that second gives its first 30,000 rows in each order that it knows. By
`created_at`, which never changes, a rising and a falling reading together hold every row when the falling one comes
down to a value *below* the one that the rising one reached (below, not equal: nothing says how equal values are
ordered). Where even that is too little (more than 60,000 tickets), the same is tried by `due_by` and `status`,
which also leave fewer tickets to ask for. What no order proves is settled by id: ids are given without gaps, so
each one that is not known is asked for, once. A round over the orders that brought something is made again, since a
row that leaves the list while it is paged moves the others.

These lists are read without includes (one credit a page instead of seven); a ticket found is then asked for whole.

Source: Freshdesk API v2 reference, "List all tickets": sort by created_at, due_by, updated_at, status.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.errors import RejectedError
from connectors.freshdesk.api import (
    PER_PAGE,
    EndOfListError,
    FreshdeskApi,
    Listing,
    instant_of,
    text_of,
)
from connectors.freshdesk.walk import (
    ONE_SECOND,
    SETTLED_AFTER,
    Crowd,
    Row,
    Walk,
    behind,
    list_tickets,
    row_of,
    take_in,
)

ORDERS = ("created_at", "due_by", "status")
READINGS = tuple((order, direction) for order in ORDERS for direction in ("asc", "desc"))
"""What is read one after the other: each order rising, then falling."""

MOST_SCANNED = 2_000_000
"""Ids that are asked for at most; at 700 calls a minute that is two days."""

Outcome = tuple[list[Row], Walk, Walk]
"""Rows found, the walk to remember, the walk to go on with."""


def read_crowd(api: FreshdeskApi, name: str, walk: Walk, crowd: Crowd) -> Outcome:
    """One step: a page of one order, or a hundred ids.

    Raises:
        RejectedError: the account has more ids than can be gone through.
    """
    if crowd.next_id is not None:
        return _scan(api, name, walk, crowd, crowd.next_id)
    order, direction = READINGS[crowd.reading]
    try:
        listing = list_tickets(
            api, name, walk.since, order_by=order, order_type=direction, page=crowd.page
        )
    except EndOfListError:
        return _next_reading(api, name, walk, crowd)
    listed = [row_of(body, "bare") for body in listing.rows]
    rows = [row for row in listed if _is_wanted(row, walk.since, crowd.until)]
    rows = [row for row in rows if not walk.seen.knows(row.remote_id, row.updated_at)]
    settled = take_in(walk, rows, listing.server_time)
    crowd = replace(crowd, page=crowd.page + 1, fresh=crowd.fresh + len(settled))
    crowd, is_proven = _proof(crowd, _values(listing, order, direction), direction)
    if not is_proven and not listing.is_last:
        walk = replace(walk, crowd=crowd)
    elif crowd.fresh:
        walk = replace(walk, crowd=Crowd(crowd.until))
    else:
        walk = _passed(api, name, walk, crowd.until, listing.server_time)
    return rows, walk, walk


def _proof(crowd: Crowd, values: Sequence[Any] | None, direction: str) -> tuple[Crowd, bool]:
    """The crowd with how far its rising reading came, and whether rising and falling ones meet now.

    A page that is not in order proves nothing, nor does its whole reading.
    """
    is_first = crowd.page == 2
    if values is None or (not is_first and crowd.reached is None):
        return replace(crowd, reached=None), False
    if direction == "asc":
        return replace(crowd, reached=values[-1]), False
    is_same = type(values[-1]) is type(crowd.reached)
    return crowd, is_same and values[-1] < crowd.reached


def _next_reading(api: FreshdeskApi, name: str, walk: Walk, crowd: Crowd) -> Outcome:
    """Behind the last page of one reading: the next one, or the scan."""
    reading = crowd.reading + 1
    if reading < len(READINGS):
        reached = crowd.reached if READINGS[reading][1] == "desc" else None
        crowd = replace(crowd, reading=reading, page=1, reached=reached)
    else:
        last_id = _highest_id(api, name, walk)
        known = len(walk.seen.ids_between(walk.since, crowd.until))
        if last_id - known > MOST_SCANNED:
            raise RejectedError(
                f"{api.session.label}: more {name} tickets were updated between {text_of(walk.since)} and "
                f"{text_of(crowd.until)} than Freshdesk lists in any order, and its ids go up to {last_id}, too "
                f"many to ask for one by one (at most {MOST_SCANNED}). What the lists gave is stored; nothing "
                "behind that second is read until some of them change"
            )
        crowd = replace(crowd, next_id=1, last_id=last_id)
    walk = replace(walk, crowd=crowd)
    return [], walk, walk


def _scan(api: FreshdeskApi, name: str, walk: Walk, crowd: Crowd, first: int) -> Outcome:
    known = walk.seen.ids_between(walk.since, crowd.until)
    ids = []
    for number in known.missing(first, crowd.last_id):
        ids.append(number)
        if len(ids) == PER_PAGE:
            break
    bodies = api.each(lambda number: api.whole(str(number)), ids)
    rows = [row_of(body, "whole") for body in bodies if body is not None]
    rows = [
        row
        for row in rows
        if pass_of(row.body) == name and _is_wanted(row, walk.since, crowd.until)
    ]
    take_in(walk, rows, api.server_time)
    if len(ids) == PER_PAGE:
        walk = replace(walk, crowd=replace(crowd, next_id=ids[-1] + 1))
    else:
        walk = _passed(api, name, walk, crowd.until, api.server_time)
    return rows, walk, walk


def pass_of(body: Any) -> str:
    """The pass that lists a ticket; archived ones are in none."""
    for name in ("deleted", "spam", "archived"):
        if body.get(name):
            return name
    return "live"


def _passed(
    api: FreshdeskApi, name: str, walk: Walk, until: datetime, server_time: datetime
) -> Walk:
    """The walk behind a crowded second. One that may still change is read again by the next pull."""
    newest = max(filter(None, (walk.newest, min(until, server_time))))
    if until <= server_time - SETTLED_AFTER:
        walk.seen.close(walk.since, until)
    return Walk(behind(api, name, until), walk.seen, newest=newest)


def _is_wanted(row: Row, since: datetime, until: datetime) -> bool:
    return row.updated_at is not None and since <= row.updated_at <= until


def _values(listing: Listing, order: str, direction: str) -> Sequence[Any] | None:
    """What the page's rows are ordered by; None where they prove nothing: a value is missing, or out of order."""
    told = [row.get(order) if isinstance(row, dict) else None for row in listing.rows]
    values: list[Any] = []
    for value in told:
        at = instant_of(value)
        known = text_of(at) if at is not None else value
        if not isinstance(known, int | str) or isinstance(known, bool):
            return None
        values.append(known)
    if not values or len({type(value) for value in values}) > 1:
        return None
    return values if values == sorted(values, reverse=direction == "desc") else None


def _highest_id(api: FreshdeskApi, name: str, walk: Walk) -> int:
    """The highest id that a ticket of this second can have: ids rise with the instants of creation."""
    listing = list_tickets(api, name, walk.since, order_by="created_at", order_type="desc", page=1)
    ids = [row_of(body).remote_id or "" for body in listing.rows]
    known = walk.seen.ids_between(walk.since, walk.since + ONE_SECOND).highest
    return max([known, *(int(one) for one in ids if one.isdigit())])
