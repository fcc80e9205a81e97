"""Which Freshdesk tickets were merged into another one, told by the note that closed them.

Belongs here: finding that note, and what it makes of a version of the ticket. Does not belong here: history.

The API has no field for it (reference, "Ticket Merge API": secondary tickets get a default note). The note is never a
customer's text: it is not incoming, and the ticket is closed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from transforms.freshdesk_history import Snapshot
from transforms.payload import UnreadableError, instant_of, objects_of, text_of

_CLOSED = "5"
_NOTE_SOURCE = 2
_MERGED_INTO = re.compile(
    r"\A\s*this ticket is closed and merged into ticket #?(\d+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Merge:
    """Into which ticket, and when the note was written."""

    into: str
    at: datetime


def merge_of(ticket: Mapping[str, Any]) -> Merge | None:
    """The last merge that a ticket's own notes tell; None where none does or it was opened again since.

    Args:
        ticket: the ticket's object with its `conversations`.
    """
    if str(ticket.get("status")) != _CLOSED:
        return None
    found = None
    for note in objects_of(ticket, "conversations"):
        match = _MERGED_INTO.match(text_of(note, "body_text") or "")
        if match is None or note.get("incoming") or note.get("source") != _NOTE_SOURCE:
            continue
        try:
            at = instant_of(note, "created_at")
        except UnreadableError:
            continue
        if at is not None and match[1] != str(ticket.get("id")):
            found = Merge(match[1], at)
    return found


def merged(snapshot: Snapshot, merge: Merge | None) -> Snapshot:
    """The version as merged, where it is closed and its merge had happened; else as it is."""
    if merge is None or snapshot.code != _CLOSED or snapshot.at < merge.at:
        return snapshot
    status = "merged" if snapshot.status == snapshot.base else snapshot.status
    return replace(snapshot, base="merged", status=status)
