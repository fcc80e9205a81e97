"""Rows of the Zendesk stand-in in the order of an export, as objects or as the bytes that are answered.

Belongs here: order, lookup, slices. Does not belong here: what the rows are, HTTP.

A year of 100,000 tickets with 600,000 events is some gigabytes of dictionaries and takes long to serialise; packed
into bytes once, it is a few hundred megabytes and is answered as it lies there.
"""

import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Row = dict[str, Any]
Key = tuple[float, int]


def packed(row: Row) -> bytes:
    """A row as it is answered."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Shelf:
    """Rows in the order of an export: (epoch seconds, id).

    Args:
        stamp_of: row → epoch seconds.
        rows: read once.
        is_packed: keeps the rows as bytes; `get` gives copies then, which change nothing.
    """

    def __init__(
        self, stamp_of: Callable[[Row], float], rows: Iterable[Row], *, is_packed: bool = False
    ) -> None:
        """Sorts once; later rows are put into place."""
        self._stamp_of = stamp_of
        self._is_packed = is_packed
        self._rows: dict[int, Row | bytes] = {}
        self._keys: list[Key] = []
        for row in rows:
            if row["id"] not in self._rows:
                self._keys.append((stamp_of(row), row["id"]))
            self._rows[row["id"]] = packed(row) if is_packed else row
        self._keys.sort()

    def put(self, row: Row) -> None:
        """Adds a row, or moves it where it belongs now."""
        old = self.get(row["id"])
        if old is not None:
            del self._keys[bisect_left(self._keys, (self._stamp_of(old), row["id"]))]
        self._rows[row["id"]] = packed(row) if self._is_packed else row
        insort(self._keys, (self._stamp_of(row), row["id"]))

    def get(self, number: int | None) -> Row | None:
        """One row."""
        row = None if number is None else self._rows.get(number)
        if isinstance(row, bytes):
            unpacked: Row = json.loads(row)
            return unpacked
        return row

    def packed(self, number: int) -> bytes | None:
        """One row's bytes, where they are kept."""
        row = self._rows[number]
        return row if isinstance(row, bytes) else None

    def __iter__(self) -> Iterator[Row]:
        """All rows, in the order of the export."""
        return (row for _, number in self._keys if (row := self.get(number)) is not None)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def __contains__(self, number: object) -> bool:
        """Whether there is a row with this id."""
        return number in self._rows

    def ids(self) -> Iterator[int]:
        """All ids, in the order of the export."""
        return (number for _, number in self._keys)

    def behind(self, stamp: float, number: int, until: float, most: int) -> list[Key]:
        """Keys behind (stamp, number), up to and with the second `until`; `most` at most."""
        return self._slice(bisect_right(self._keys, (stamp, number)), until, most)

    def since(self, stamp: float, until: float, most: int) -> list[Key]:
        """Keys from the second `stamp` on, up to and with the second `until`; `most` at most."""
        return self._slice(bisect_left(self._keys, (stamp, -1)), until, most)

    def _slice(self, start: int, until: float, most: int) -> list[Key]:
        end = bisect_right(self._keys, (until, 1 << 62))
        return self._keys[start : min(end, start + most)]
