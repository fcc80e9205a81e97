"""Which tickets a list gives and in which order, kept sorted while they change.

Belongs here: sorted keys by list and order. Does not belong here: the tickets themselves (`freshdesk_account`).
A page costs time in proportion to its rows, so that lists of tens of thousands are served as fast as short ones.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import Any

ORDERS = ("created_at", "due_by", "updated_at", "status")
Key = tuple[str, int]


class TicketIndex:
    """For each list (`live`, `spam`, `deleted`) and order the ids of its tickets; equal values by id."""

    def __init__(self) -> None:
        """Starts empty."""
        self._sorted: dict[tuple[str, str], list[Key]] = {}
        self._keys: dict[int, tuple[str, Mapping[str, Key]]] = {}

    def put(self, number: int, ticket: Mapping[str, Any] | None, kind: str | None) -> None:
        """Places a ticket where it belongs now; None: in no list."""
        known = self._keys.pop(number, None)
        if known is not None and self._sorted:
            for order, key in known[1].items():
                keys = self._sorted[(known[0], order)]
                del keys[bisect_left(keys, key)]
        if ticket is None or kind is None:
            return
        found = {order: (_text(ticket.get(order)), number) for order in ORDERS}
        self._keys[number] = (kind, found)
        if self._sorted:
            for order, key in found.items():
                insort(self._sorted.setdefault((kind, order), []), key)

    def select(
        self,
        kind: str,
        order: str,
        *,
        since: str,
        field: str,
        includes_own: bool,
        is_descending: bool,
    ) -> Sequence[int]:
        """The ids of a list whose `field` (`updated_at` or `created_at`) is `since` or later, ordered."""
        if not self._sorted:
            self._build()
        keys = self._sorted.get((kind, order), [])
        allowed = self._sorted.get((kind, field), [])
        first = bisect_left(allowed, (since, -1 if includes_own else 1 << 62))
        if order == field:
            keys = keys[first:]
        elif first:
            wanted = {number for _, number in allowed[first:]}
            keys = [key for key in keys if key[1] in wanted]
        ids = [number for _, number in keys]
        return ids[::-1] if is_descending else ids

    def _build(self) -> None:
        for kind, found in self._keys.values():
            for order in ORDERS:
                self._sorted.setdefault((kind, order), []).append(found[order])
        for keys in self._sorted.values():
            keys.sort()


def _text(value: Any) -> str:
    """A value in a form that sorts as text."""
    return f"{value:012d}" if isinstance(value, int) else str(value or "")
