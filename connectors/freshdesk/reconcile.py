"""What Freshdesk holds now, by id, and single tickets on demand: for the nightly reconciliation and the fast lane.

Belongs here: the inventory, fetching by id, the newest changes. Does not belong here: how the list is walked
(`walk`), what is done about a difference (`pipelines`).

No list counts a ticket's conversations, and nothing says that each of them moves its ticket's `updated_at`. So those
of tickets at work lately are counted one by one (two credits each); for older ones `children` stays None. What lies in
the archive no list has: records that came from there say `is_unlisted` in their location.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from connectors.contract import Cursor, Hints, Listed, Page
from connectors.freshdesk.api import PER_PAGE, FreshdeskApi, instant_of, text_of
from connectors.freshdesk.passes import read_position, walk_tickets
from connectors.freshdesk.tickets import gone, record_of
from connectors.freshdesk.walk import Row, list_tickets, row_of

COUNTED_FOR = timedelta(days=7)
"""Conversations are counted for tickets that changed so lately."""

RECENT = timedelta(minutes=5)
"""How far back the first question for the newest changes goes."""


def inventory(api: FreshdeskApi, start: datetime) -> Iterator[Sequence[Listed]]:
    """Every ticket that the lists give, without includes (one credit for a hundred), lately changed ones counted.

    Spam and deleted ones come after the live ones; what moves between two lists while they are read comes twice,
    its later state last.
    """
    for stretch in walk_tickets(api, read_position(None, start), start, with_archive=False):
        is_live = stretch.name == "live"
        rows = [row for row in stretch.rows if row.remote_id is not None]
        since = api.server_time - COUNTED_FOR
        lately = [row for row in rows if is_live and row.updated_at and row.updated_at >= since]
        counts = dict(zip(map(id, lately), api.each(partial(_comments, api), lately), strict=True))
        yield [
            Listed(str(row.remote_id), not is_live, row.updated_at, counts.get(id(row)))
            for row in rows
        ]


def _comments(api: FreshdeskApi, row: Row) -> int | None:
    """How many comments a ticket has, the description among them; None where it is no longer there."""
    told = api.children(str(row.remote_id), with_attachments=True).conversations
    return None if told is None else 1 + len(told)


def fetch(api: FreshdeskApi, remote_ids: Sequence[str]) -> Iterator[Page]:
    """The tickets with their conversations, a hundred a page; one that is nowhere comes as a tombstone.

    Nowhere means: neither at its address nor in the archive, while the account answers.
    """
    for first in range(0, len(remote_ids), PER_PAGE):
        calls, waited = api.session.calls, api.session.seconds_waited
        some = remote_ids[first : first + PER_PAGE]
        bodies = api.each(api.whole, some)
        if None in bodies:
            # An address that knows no ticket at all is no account, and proves nothing.
            api.list_page("tickets", {"per_page": 1})
        at = text_of(api.server_time)
        yield Page(
            records=[
                gone(remote_id, at) if body is None else record_of(body)
                for remote_id, body in zip(some, bodies, strict=True)
            ],
            cursor={},
            complete=first + PER_PAGE >= len(remote_ids),
            calls=api.session.calls - calls,
            seconds_waited=api.session.seconds_waited - waited,
        )


def newest(api: FreshdeskApi, cursor: Cursor | None, now: datetime) -> Hints:
    """The tickets changed since the cursor, at most a hundred, in one call; what is deleted is not among them."""
    told = dict(cursor or {})
    since = instant_of(told.get("newest")) or now - RECENT
    known = set(told.get("ids") or ())
    listing = list_tickets(
        api, "live", since - timedelta(seconds=1), order_by="updated_at", order_type="desc"
    )
    rows = [row_of(body) for body in listing.rows]
    changed = [
        row
        for row in reversed(rows)
        if row.remote_id is not None
        and row.updated_at is not None
        and (row.updated_at > since or (row.updated_at == since and row.remote_id not in known))
    ]
    latest = max([since, *(row.updated_at for row in changed if row.updated_at)])
    ids = [row.remote_id for row in rows if row.updated_at == latest and row.remote_id]
    return Hints(
        tuple(row.remote_id for row in changed if row.remote_id),
        {"newest": text_of(latest), "ids": sorted({*ids, *(known if latest == since else ())})},
    )
