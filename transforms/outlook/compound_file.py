"""Compound files (OLE2), the container of `.msg`: storages and streams, read from bytes.

Belongs here: the container. Does not belong here: what its streams mean (`msg`).

Hostile files are bounded: chains are cut where they run in circles, the tree is walked once per entry, and all that
is read from a file together is at most `READ_RATIO` times its own size.

Source: [MS-CFB].
"""

import struct
from array import array
from dataclasses import dataclass, field

from transforms.outlook.mapi import OutlookError

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

READ_RATIO = 4
"""Streams share no sectors; a file that hands out several times its size is forged."""

_LAST_REGULAR = 0xFFFFFFF9
_NO_ENTRY = 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_ENTRY_BYTES = 128
_SMALL = 4096
"""Streams shorter than this lie in the mini stream, in sectors of 64 bytes."""


@dataclass(slots=True)
class Stream:
    """A stream: where it begins and how long it is."""

    start: int
    size: int


@dataclass(slots=True)
class Storage:
    """A folder of the container; names as they are kept, with the case that Outlook gave them."""

    streams: dict[str, Stream] = field(default_factory=dict)
    storages: dict[str, "Storage"] = field(default_factory=dict)


class CompoundFile:
    """A compound file held in memory. `root` is its tree."""

    def __init__(self, data: bytes) -> None:
        """Reads header, allocation table and tree.

        Raises:
            OutlookError: no compound file, or its header or directory is broken.
        """
        if len(data) < 512 or not data.startswith(MAGIC):
            raise OutlookError("no compound file: its first bytes are others")
        shift, mini_shift = struct.unpack_from("<HH", data, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise OutlookError(f"compound file with sectors of 2^{shift} and 2^{mini_shift} bytes")
        self._data = data
        self._size = 1 << shift
        self._budget = READ_RATIO * len(data) + 1_000_000
        directory, mini_fat = struct.unpack_from("<I8xI", data, 48)
        self._fat = self._table(self._fat_sectors())
        self._mini_fat = self._table(self._chain(mini_fat, self._fat))
        entries = self._joined(self._chain(directory, self._fat))
        if len(entries) < _ENTRY_BYTES:
            raise OutlookError("compound file without a directory")
        self._entries = entries
        _, root_start, root_size = self._entry(0)[1:4]
        self._mini = self._read_big(root_start, min(root_size, len(data)))
        self.root = self._tree()

    def read(self, stream: Stream) -> bytes:
        """A stream's bytes; shorter than it says where the file is cut off.

        Raises:
            OutlookError: the file hands out more than it can hold.
        """
        self._spend(min(stream.size, len(self._data)))
        if stream.size >= _SMALL:
            return self._read_big(stream.start, stream.size)
        sectors = self._chain(stream.start, self._mini_fat, -(-stream.size // 64))
        return b"".join(self._mini[each * 64 : each * 64 + 64] for each in sectors)[: stream.size]

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise OutlookError(
                f"compound file hands out more than {READ_RATIO} times its {len(self._data)} bytes"
            )

    def _read_big(self, start: int, size: int) -> bytes:
        size = min(size, len(self._data))
        return self._joined(self._chain(start, self._fat, -(-size // self._size)))[:size]

    def _fat_sectors(self) -> list[int]:
        """Sectors of the allocation table: 109 named in the header, the rest in a chain."""
        count, first, chained = struct.unpack_from("<I20xII", self._data, 44)
        sectors = [*struct.unpack_from("<109I", self._data, 76)]
        limit = len(self._data) // self._size + 1
        per_sector = self._size // 4 - 1
        for _ in range(min(chained, limit)):
            if first >= _LAST_REGULAR:
                break
            numbers = self._table([first])
            if len(numbers) <= per_sector:
                break
            sectors += numbers[:per_sector]
            first = numbers[per_sector]
        return [sector for sector in sectors if sector < _LAST_REGULAR][: min(count, limit)]

    def _table(self, sectors: list[int]) -> "array[int]":
        data = self._joined(sectors)
        numbers = array("I")
        numbers.frombytes(data[: len(data) // 4 * 4])
        if struct.pack("=I", 1) != struct.pack("<I", 1):
            numbers.byteswap()
        return numbers

    def _joined(self, sectors: list[int]) -> bytes:
        size, data = self._size, self._data
        return b"".join(data[(each + 1) * size : (each + 2) * size] for each in sectors)

    def _chain(self, start: int, table: "array[int]", most: int | None = None) -> list[int]:
        """The sectors of a chain; it ends where it leaves the table or runs in a circle."""
        found: list[int] = []
        in_file = len(self._data) // self._size + 1
        most = in_file if most is None else most
        while start < len(table) and len(found) < most:
            found.append(start)
            start = table[start]
        return found

    def _entry(self, number: int) -> tuple[str, int, int, int, int, int, int]:
        """Name, kind, first sector, size, left, right, child of a directory entry."""
        raw = self._entries[number * _ENTRY_BYTES : (number + 1) * _ENTRY_BYTES]
        name_bytes, kind, left, right, child = struct.unpack_from("<HBxIII", raw, 64)
        start, low, high = struct.unpack_from("<III", raw, 116)
        name = raw[: max(0, min(name_bytes, 64) - 2)].decode("utf-16-le", "replace")
        size = low if self._size == 512 else low | high << 32
        return name, kind, start, size, left, right, child

    def _tree(self) -> Storage:
        """All storages and streams, each entry once."""
        root = Storage()
        count = len(self._entries) // _ENTRY_BYTES
        met = {0}
        waiting = [(self._entry(0)[6], root)]
        while waiting:
            number, parent = waiting.pop()
            if number >= count or number in met:
                continue
            met.add(number)
            name, kind, start, size, left, right, child = self._entry(number)
            waiting += [(left, parent), (right, parent)]
            if kind == _STREAM:
                parent.streams.setdefault(name, Stream(start, size))
            elif kind == _STORAGE:
                storage = parent.storages.setdefault(name, Storage())
                waiting.append((child, storage))
        return root
