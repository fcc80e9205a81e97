"""A PST's middle layer: properties and tables out of the blocks of a node.

Belongs here: heap, tree on the heap, property context, table context. Does not belong here: what an item is
(`pst_items`).

Source: [MS-PST] §2.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from connectors.mailbox.outlook.pst_blocks import Node, PstError, PstFile

INLINE_SIZES = {0x0002: 2, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 1}
"""Type → size of values that stand in the property's own four bytes."""

FIXED_SIZES = {0x0005: 8, 0x0006: 8, 0x0007: 8, 0x0014: 8, 0x0040: 8, 0x0048: 16}
OBJECT = 0x000D
MULTIPLE = 0x1000
_TABLE, _PROPERTIES, _TREE = 0x7C, 0xBC, 0xB5
_MAX_ROWS = 200_000
_MAX_RECORDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Value:
    """A property's value: its type, and its bytes as the file holds them."""

    kind: int
    raw: bytes


@dataclass(slots=True)
class Read:
    """Properties by tag, and those that could not be read, with the reason."""

    values: dict[int, Value] = field(default_factory=dict)
    unread: dict[int, str] = field(default_factory=dict)


class Heap:
    """A node's blocks as a heap of small allocations, with the node's subnodes for the large ones."""

    def __init__(self, file: PstFile, node: Node) -> None:
        """Reads the node's blocks and its list of subnodes.

        Raises:
            PstError: a block is missing or damaged, or is no heap.
        """
        self.file = file
        self.node = node
        self._blocks = list(file.blocks_of(node.data))
        first = self._blocks[0] if self._blocks else b""
        if len(first) < 12 or first[2] != 0xEC:
            raise PstError(f"node {node.nid:#x} is no heap")
        self.client = first[3]
        (self.root,) = struct.unpack_from("<I", first, 4)
        self._subnodes: dict[int, Node] | None = None

    @property
    def subnodes(self) -> dict[int, Node]:
        """The node's subnodes by id."""
        if self._subnodes is None:
            self._subnodes = self.file.subnodes(self.node.subnodes)
        return self._subnodes

    def get(self, heap_id: int) -> bytes:
        """An allocation; id 0 is empty.

        Raises:
            PstError: there is none of this id.
        """
        if heap_id == 0:
            return b""
        bits = self.file.layout.index_bits
        index, number = heap_id >> 5 & (1 << bits) - 1, heap_id >> 5 + bits
        if number >= len(self._blocks) or not index:
            raise PstError(f"node {self.node.nid:#x} has no allocation {heap_id:#x}")
        block = self._blocks[number]
        map_offset = int.from_bytes(block[:2], "little")
        place = map_offset + 4 + 2 * (index - 1)
        if place + 4 > len(block) or index > int.from_bytes(
            block[map_offset : map_offset + 2], "little"
        ):
            raise PstError(f"node {self.node.nid:#x} has no allocation {heap_id:#x}")
        start, end = struct.unpack_from("<HH", block, place)
        if not start <= end <= len(block):
            raise PstError(f"node {self.node.nid:#x} has a broken allocation {heap_id:#x}")
        return block[start:end]

    def get_any(self, reference: int) -> bytes:
        """An allocation of the heap, or the data of a subnode, as the reference says."""
        if not reference & 0x1F:
            return self.get(reference)
        return self.file.data_of(self.subnode(reference).data)

    def subnode(self, nid: int) -> Node:
        """The subnode of an id.

        Raises:
            PstError: there is none.
        """
        try:
            return self.subnodes[nid]
        except KeyError:
            raise PstError(f"node {self.node.nid:#x} has no subnode {nid:#x}") from None

    def records(self, header_id: int, key_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Key and content of each record of a tree on the heap.

        Raises:
            PstError: the tree is damaged.
        """
        header = self.get(header_id)
        if len(header) < 8 or header[0] != _TREE or header[1] != key_bytes:
            raise PstError(f"node {self.node.nid:#x} has a broken tree on its heap")
        _, _, size, levels, root = struct.unpack_from("<BBBBI", header)
        left = _MAX_RECORDS
        waiting = [(root, levels)]
        while waiting:
            place, level = waiting.pop()
            content = self.get(place)
            width = key_bytes + (size if level == 0 else 4)
            left -= len(content) // width
            if left < 0 or level > 8:
                raise PstError(f"node {self.node.nid:#x} has a tree without end on its heap")
            children = []
            for start in range(0, len(content) - width + 1, width):
                key = int.from_bytes(content[start : start + key_bytes], "little")
                record = content[start + key_bytes : start + width]
                if level == 0:
                    yield key, record
                else:
                    children.append((int.from_bytes(record, "little"), level - 1))
            waiting.extend(reversed(children))


def read_properties(heap: Heap) -> Read:
    """The properties of a node; one that cannot be read leaves the others.

    Raises:
        PstError: the node holds no properties, or their list is damaged.
    """
    if heap.client != _PROPERTIES:
        raise PstError(f"node {heap.node.nid:#x} holds no properties")
    read = Read()
    for tag, record in heap.records(heap.root, 2):
        if len(record) < 6:
            continue
        (kind,) = struct.unpack_from("<H", record)
        try:
            read.values[tag] = Value(kind, _value(heap, kind, record[2:6]))
        except PstError as error:
            read.unread[tag] = str(error)
    return read


def _value(heap: Heap, kind: int, raw: bytes) -> bytes:
    if kind in INLINE_SIZES:
        return raw[: INLINE_SIZES[kind]]
    return heap.get_any(int.from_bytes(raw, "little"))


def several(raw: bytes) -> list[bytes] | None:
    """The values of a property of several: their number, where each begins, and they themselves; None if broken."""
    count = int.from_bytes(raw[:4], "little")
    if len(raw) < 4 or count > (len(raw) - 4) // 4:
        return None
    starts = [*struct.unpack_from(f"<{count}I", raw, 4), len(raw)]
    return [raw[begin:end] for begin, end in pairwise(starts)]


def read_rows(heap: Heap) -> Iterator[Read]:
    """The rows of a table.

    Raises:
        PstError: the node holds no table, or it is damaged.
    """
    header = heap.get(heap.root)
    if heap.client != _TABLE or len(header) < 22 or header[0] != _TABLE:
        raise PstError(f"node {heap.node.nid:#x} holds no table")
    bits_at, row_bytes, index_id, rows_id = struct.unpack_from("<HHII", header, 6)
    columns = [
        struct.unpack_from("<HHHBB", header, start)
        for start in range(22, min(22 + 8 * header[1], len(header) - 7), 8)
    ]
    if row_bytes == 0 or bits_at > row_bytes:
        raise PstError(f"node {heap.node.nid:#x} holds a table of broken rows")
    alive = (
        {int.from_bytes(number, "little") for _, number in heap.records(index_id, 4)}
        if index_id
        else set()
    )
    for number, row in enumerate(_raw_rows(heap, rows_id, row_bytes)):
        if number >= _MAX_ROWS:
            raise PstError(f"node {heap.node.nid:#x} holds more than {_MAX_ROWS} rows")
        if number not in alive:
            continue
        read = Read()
        for kind, tag, start, size, bit in columns:
            has_bit = bits_at + bit // 8 < len(row) and row[bits_at + bit // 8] >> 7 - bit % 8 & 1
            if has_bit and start + size <= len(row):
                _read_cell(heap, read, tag, kind, row[start : start + size])
        yield read


def _read_cell(heap: Heap, read: Read, tag: int, kind: int, cell: bytes) -> None:
    try:
        if kind in INLINE_SIZES or kind in FIXED_SIZES:
            read.values[tag] = Value(kind, cell)
        else:
            read.values[tag] = Value(kind, heap.get_any(int.from_bytes(cell, "little")))
    except PstError as error:
        read.unread[tag] = str(error)


def _raw_rows(heap: Heap, rows_id: int, row_bytes: int) -> Iterator[bytes]:
    """Rows never cross the end of a block."""
    if rows_id == 0:
        return
    blocks = (
        heap.file.blocks_of(heap.subnode(rows_id).data) if rows_id & 0x1F else [heap.get(rows_id)]
    )
    for block in blocks:
        for start in range(0, len(block) - row_bytes + 1, row_bytes):
            yield block[start : start + row_bytes]
