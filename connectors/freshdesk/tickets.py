"""The stream `tickets`: what the passes over the lists bring, as records with their conversations.

Belongs here: how a row becomes a record. Does not belong here: which rows come (`passes`, `walk`), HTTP (`api`).

A record is the ticket as Freshdesk gives it, its conversations under `conversations`, and, where the list alone
says so, `spam` or `deleted` true. A ticket of the archive carries `archived` true, as Freshdesk gives it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import Cursor, Page
from connectors.freshdesk.api import FreshdeskApi, payload_of
from connectors.freshdesk.crowd import pass_of
from connectors.freshdesk.passes import ARCHIVE, read_position, walk_tickets
from connectors.freshdesk.walk import Row, row_of
from transforms.model import RawRecord

STREAM = "tickets"
INCLUDE = "requester,stats,description"

UNLISTED = {"is_unlisted": True}
"""`location` of a record that no list gives any more though it is there: reconciliation must not miss it."""


def pull_tickets(
    api: FreshdeskApi, cursor: Cursor | None, start: datetime, *, with_archive: bool = True
) -> Iterator[Page]:
    """Pages of tickets from `cursor` on.

    Raises:
        ConnectorError: an answer did not come, or a second holds more tickets than can be read.
    """
    position = read_position(cursor, start)
    calls, waited = api.session.calls, api.session.seconds_waited
    for stretch in walk_tickets(api, position, start, include=INCLUDE, with_archive=with_archive):
        yield Page(
            records=records_of(api, stretch.name, stretch.rows),
            cursor=position.to_json(),
            complete=stretch.is_end,
            calls=api.session.calls - calls,
            seconds_waited=api.session.seconds_waited - waited,
        )
        calls, waited = api.session.calls, api.session.seconds_waited


def records_of(api: FreshdeskApi, name: str, rows: Sequence[Row]) -> list[RawRecord]:
    """The rows of a pass as records, with what hangs on them."""
    return api.each(lambda row: _record(api, name, row), rows)


def record_of(body: Any) -> RawRecord:
    """A whole ticket as a record; its own flags say whether it is a tombstone."""
    return _stored(row_of(body, "whole"), pass_of(body), {})


def gone(ticket_id: str, missing_since: str) -> RawRecord:
    """The tombstone of a ticket that is neither at its address nor in the archive.

    `missing_since` is when that was seen; Freshdesk does not tell when it was deleted for good.
    """
    body = {
        "id": int(ticket_id) if ticket_id.isdigit() else ticket_id,
        "deleted": True,
        "is_gone": True,
        "missing_since": missing_since,
    }
    return RawRecord(
        STREAM, ticket_id, payload_of(body), ticket_remote_id=ticket_id, is_tombstone=True
    )


def _record(api: FreshdeskApi, name: str, row: Row) -> RawRecord:
    if row.remote_id is None or row.form == "whole":
        return _stored(row, name, {})
    if row.form == "bare":
        body = api.whole(row.remote_id)
        # Gone meanwhile: what the list said is what is known.
        return _stored(row, name, {}) if body is None else record_of(body)
    if name == "spam":
        # It may be most of a mailbox; conversations come when it is no longer spam.
        return _stored(row, name, {})
    known = api.children(row.remote_id, with_attachments="attachments" not in row.body)
    added: dict[str, Any] = {
        "conversations": known.conversations,
        "attachments": known.attachments,
        "archived": known.is_archived or None,
    }
    return _stored(row, name, {key: value for key, value in added.items() if value is not None})


def _stored(row: Row, name: str, added: dict[str, Any]) -> RawRecord:
    is_tombstone = name in ("spam", "deleted")
    body = row.body
    if isinstance(body, dict):
        body = {**body, **({name: True} if is_tombstone else {}), **added}
    payload = payload_of(body)
    is_archived = isinstance(body, dict) and bool(body.get("archived"))
    return RawRecord(
        stream=STREAM,
        remote_id=row.remote_id or f"no-id-{hashlib.sha256(payload).hexdigest()[:16]}",
        payload=payload,
        ticket_remote_id=row.remote_id,
        is_tombstone=is_tombstone,
        source_updated_at=row.updated_at,
        location=UNLISTED if is_archived or name == ARCHIVE else {},
    )
