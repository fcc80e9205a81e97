"""Where a mail lay, in words: for whoever has to find it again.

Belongs here: reading a raw record's `location`. Does not belong here: identity, which never depends on it.
"""

from collections.abc import Mapping
from typing import Any

_SAID_ELSEWHERE = frozenset(
    {"flags", "labels", "internal_date", "envelope", "offset", "problem", "uidvalidity"}
)
"""What of a location does not help to find the mail, or is told by itself."""

_FIRST = ("file", "folder")


def place_of(location: Mapping[str, Any]) -> str:
    """`file archive/a.mbox, number 12`, `folder INBOX, uid 7`; empty where nothing is known."""
    names = [name for name in _FIRST if name in location]
    names += sorted(set(location) - _SAID_ELSEWHERE - set(_FIRST))
    return ", ".join(
        f"{name} {location[name]}" for name in names if (name, location[name]) != ("folder", ".")
    )
