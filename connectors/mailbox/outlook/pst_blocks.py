"""A PST's lowest layer: its header, its two trees, its blocks.

Belongs here: where bytes lie and whether they are whole. Does not belong here: what they mean (`pst_heap`, `pst_items`).

Three forms: ANSI (Outlook 97–2002), Unicode (since 2003), and Unicode with pages of 4 KiB and deflated blocks (OST
since 2013). Nothing of a file is believed: each page and block is checked, trees are walked downwards only, and what is
read for one item is bounded.

Source: [MS-PST] §2.2.2; for 4 KiB pages the description of the format by the libpff project.
"""

import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from connectors.errors import DataError
from connectors.mailbox.file_patterns import is_instead
from connectors.mailbox.outlook.pst_crypt import cycled, unpermuted

MAGIC = b"!BDN"

PAGES_KEPT = 512
"""Pages of the trees that are kept in memory."""

ITEM_LIMIT = 600_000_000
"""Most bytes that are read for one item; Outlook itself stops at a fraction of it."""

READ_RATIO = 50
"""Blocks are shared by next to nothing; a file of which many times its size is read is forged."""

MAX_LEVELS = 12

_BLOCK_TREE, _NODE_TREE = 0x80, 0x81


class PstError(DataError):
    """A part of a PST that cannot be read; the message says which and what was seen."""


class NoPstError(PstError):
    """The file is something else; no repair helps."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What differs between the three forms of a PST."""

    name: str
    id_bytes: int
    page: int
    entries: int
    """Bytes of a tree's page that hold entries; counts and the trailer follow."""
    align: int
    trailer: int
    index_bits: int
    """Bits of a heap id that number an allocation; the rest numbers its block."""


ANSI = Layout("ANSI", 4, 512, 496, 64, 12, 11)
UNICODE = Layout("Unicode", 8, 512, 488, 64, 16, 11)
UNICODE_4K = Layout("Unicode, 4 KiB pages", 8, 4096, 4056, 512, 24, 14)


@dataclass(frozen=True, slots=True)
class Node:
    """An entry of the node tree: an item, its block of data, its block of subnodes, the folder that it lies in."""

    nid: int
    data: int
    subnodes: int
    parent: int


class PstFile:
    """An open PST; give it one item at a time (`begin_item`)."""

    def __init__(self, stream: BinaryIO) -> None:
        """Reads the header.

        Args:
            stream: readable and seekable; the caller closes it.

        Raises:
            PstError: no PST, or a form that is not known.
        """
        self._stream = stream
        self._file_size = stream.seek(0, 2)
        header = self._read_at(0, min(1024, self._file_size))
        if len(header) < 564 or not header.startswith(MAGIC):
            cut = "it ends within its header" if header.startswith(MAGIC) else is_instead(header)
            raise NoPstError(f"no PST file: {cut}")
        (version,) = struct.unpack_from("<H", header, 10)
        if version in (14, 15):
            self.layout = ANSI
            self._node_root, self._block_root = struct.unpack_from("<I4xI", header, 188)
            self._crypt = header[461]
        elif 20 <= version <= 40:
            self.layout = UNICODE_4K if version >= 36 else UNICODE
            self._node_root, self._block_root = struct.unpack_from("<Q8xQ", header, 224)
            self._crypt = header[513]
        else:
            raise PstError(f"PST of the unknown version {version}")
        if self._crypt not in (0, 1, 2):
            how = (
                "protected by Windows (WIP)"
                if self._crypt == 0x10
                else f"hidden in the unknown way {self._crypt}"
            )
            raise PstError(f"the file's content is {how}; export it again without protection")
        self._pages: OrderedDict[int, tuple[int, list[bytes]]] = OrderedDict()
        self._budget = ITEM_LIMIT
        self._total_budget = READ_RATIO * self._file_size + ITEM_LIMIT
        self.problems: list[str] = []
        """Pages of the trees that cannot be read; what lies behind them is missing."""

    def begin_item(self) -> None:
        """Gives the next item its share of reading."""
        self._budget = ITEM_LIMIT

    def node(self, nid: int) -> Node:
        """The node of an id.

        Raises:
            PstError: there is none, or the tree is damaged on the way to it.
        """
        return self._node_of(self._find(self._node_root, _NODE_TREE, nid))

    def nodes(self) -> Iterator[Node]:
        """All nodes, by ascending id; pages that cannot be read are noted in `problems`."""
        for entry in self._leaves(self._node_root, _NODE_TREE, MAX_LEVELS, set()):
            yield self._node_of(entry)

    def blocks_of(self, block_id: int) -> Iterator[bytes]:
        """The data of a node, block by block.

        Raises:
            PstError: a block is missing or damaged, or there is more than an item may have.
        """
        if not block_id & ~1:
            return
        if not block_id & 2:
            yield self._block(block_id)
            return
        yield from self._tree_of_blocks(block_id, levels=2)

    def data_of(self, block_id: int) -> bytes:
        """The data of a node in one piece.

        Raises:
            PstError: as `blocks_of`.
        """
        return b"".join(self.blocks_of(block_id))

    def subnodes(self, block_id: int) -> dict[int, Node]:
        """The nodes that belong to a node, by id.

        Raises:
            PstError: the list is damaged.
        """
        found: dict[int, Node] = {}
        if block_id & ~1:
            self._add_subnodes(block_id, found, levels=2)
        return found

    def _add_subnodes(self, block_id: int, found: dict[int, Node], levels: int) -> None:
        content = self._block(block_id)
        if len(content) < 8 or content[0] != 2 or content[1] >= levels:
            raise PstError(f"block {block_id:#x} is no list of subnodes")
        (count,) = struct.unpack_from("<H", content, 2)
        start, form = (4, "<II") if self.layout is ANSI else (8, "<QQ")
        if content[1] == 0:
            form = "<III" if self.layout is ANSI else "<QQQ"
        width = struct.calcsize(form)
        count = min(count, (len(content) - start) // width)
        for entry in struct.iter_unpack(form, content[start : start + count * width]):
            if content[1] == 0:
                nid = entry[0] & 0xFFFFFFFF
                found[nid] = Node(nid, entry[1], entry[2], 0)
            else:
                self._add_subnodes(entry[1], found, content[1])

    def _tree_of_blocks(self, block_id: int, levels: int) -> Iterator[bytes]:
        content = self._block(block_id)
        if len(content) < 8 or content[0] != 1 or not 1 <= content[1] <= levels:
            raise PstError(f"block {block_id:#x} is no list of blocks")
        (count,) = struct.unpack_from("<H", content, 2)
        size = self.layout.id_bytes
        for start in range(8, min(8 + count * size, len(content) - size + 1), size):
            child = int.from_bytes(content[start : start + size], "little")
            if content[1] == 1 and child & 2:
                raise PstError(f"block {block_id:#x} lists a list of blocks where data belong")
            if content[1] == 1:
                yield self._block(child)
            else:
                yield from self._tree_of_blocks(child, 1)

    def _block(self, block_id: int) -> bytes:
        """A block's bytes, whole and readable."""
        layout = self.layout
        entry = self._find(self._block_root, _BLOCK_TREE, block_id & ~1)
        offset = int.from_bytes(entry[layout.id_bytes : 2 * layout.id_bytes], "little")
        (size,) = struct.unpack_from("<H", entry, 2 * layout.id_bytes)
        whole = -(-(size + layout.trailer) // layout.align) * layout.align
        self._spend(whole)
        raw = self._read_at(offset, whole)
        if len(raw) < whole:
            raise PstError(f"block {block_id:#x} lies behind the end of the file")
        data, trailer = raw[:size], raw[whole - layout.trailer :]
        told_size, crc, told_id = _trailer(trailer, layout)
        if told_size != size or (told_id | 1) != (block_id | 1):
            raise PstError(f"block {block_id:#x} is not where the tree says")
        if crc not in (0, checksum(data)):
            raise PstError(f"block {block_id:#x} has a wrong checksum")
        if layout is UNICODE_4K:
            data = self._inflated(data, trailer, block_id)
        if block_id & 2 or self._crypt == 0:
            return data
        return unpermuted(data) if self._crypt == 1 else cycled(data, block_id & 0xFFFFFFFF)

    def _inflated(self, data: bytes, trailer: bytes, block_id: int) -> bytes:
        (size,) = struct.unpack_from("<H", trailer, 18)
        if size in (0, len(data)):
            return data
        self._spend(size)
        try:
            inflated = zlib.decompressobj().decompress(data, size)
        except zlib.error as error:
            raise PstError(f"block {block_id:#x} cannot be inflated: {error}") from None
        if len(inflated) != size:
            raise PstError(f"block {block_id:#x} is {len(inflated)} bytes long instead of {size}")
        return inflated

    def _spend(self, size: int) -> None:
        self._budget -= size
        self._total_budget -= size
        if self._budget < 0:
            raise PstError(f"more than {ITEM_LIMIT // 1_000_000} MB in one item")
        if self._total_budget < 0:
            raise PstError(f"the file hands out more than {READ_RATIO} times its size")

    def _node_of(self, entry: bytes) -> Node:
        if self.layout is ANSI:
            nid, data, subnodes, parent = struct.unpack_from("<IIII", entry)
        else:
            nid, data, subnodes, parent = struct.unpack_from("<I4xQQI", entry)
        return Node(nid, data, subnodes, parent)

    def _key(self, entry: bytes) -> int:
        return int.from_bytes(entry[: self.layout.id_bytes], "little")

    def _child(self, entry: bytes) -> int:
        size = self.layout.id_bytes
        return int.from_bytes(entry[2 * size : 3 * size], "little")

    def _find(self, root: int, kind: int, key: int) -> bytes:
        """The leaf entry of a key."""
        offset = root
        above = MAX_LEVELS + 1
        while True:
            level, entries = self._page(offset, kind)
            if level >= above:
                raise PstError(f"page at {offset:#x} is not below its parent")
            low, high = 0, len(entries)
            while low < high:
                middle = (low + high) // 2
                low, high = (
                    (middle + 1, high) if self._key(entries[middle]) <= key else (low, middle)
                )
            entry = entries[low - 1] if low else b""
            if level and entry:
                offset, above = self._child(entry), level
                continue
            if not entry or self._key(entry) != key:
                what = "node" if kind == _NODE_TREE else "block"
                raise PstError(f"{what} {key:#x} is missing")
            return entry

    def _leaves(self, offset: int, kind: int, above: int, met: set[int]) -> Iterator[bytes]:
        try:
            if offset in met:
                raise PstError(f"page at {offset:#x} is met twice")
            met.add(offset)
            level, entries = self._page(offset, kind)
            if level >= above:
                raise PstError(f"page at {offset:#x} is not below its parent")
        except PstError as error:
            self.problems.append(str(error))
            return
        for entry in entries:
            if level:
                yield from self._leaves(self._child(entry), kind, level, met)
            else:
                yield entry

    def _page(self, offset: int, kind: int) -> tuple[int, list[bytes]]:
        """Level and entries of a tree's page."""
        known = self._pages.get(offset)
        if known is not None:
            self._pages.move_to_end(offset)
            return known
        layout = self.layout
        raw = self._read_at(offset, layout.page)
        if len(raw) < layout.page:
            raise PstError(f"page at {offset:#x} lies behind the end of the file")
        form = "<HHBB" if layout is UNICODE_4K else "<BBBB"
        count, _, size, level = struct.unpack_from(form, raw, layout.entries)
        content = layout.page - layout.trailer
        told_kind, crc = raw[content], _page_checksum(raw, layout)
        least = layout.id_bytes * 3
        if level == 0:
            least = 2 * layout.id_bytes + 4 if kind == _BLOCK_TREE else 16 if layout is ANSI else 28
        if told_kind != kind or level > MAX_LEVELS or size < least or count * size > layout.entries:
            raise PstError(f"page at {offset:#x} is no page of the tree")
        if crc not in (0, checksum(raw[:content])):
            raise PstError(f"page at {offset:#x} has a wrong checksum")
        page = level, [raw[start : start + size] for start in range(0, count * size, size)]
        self._pages[offset] = page
        if len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)
        return page

    def _read_at(self, offset: int, size: int) -> bytes:
        if offset >= self._file_size:
            return b""
        self._stream.seek(offset)
        return self._stream.read(size)


def checksum(data: bytes) -> int:
    """A PST's checksum: CRC-32 without the usual inversions. Source: [MS-PST] §5.3."""
    return ~zlib.crc32(data, 0xFFFFFFFF) & 0xFFFFFFFF


def _trailer(trailer: bytes, layout: Layout) -> tuple[int, int, int]:
    """Size, checksum and id that a block's trailer tells."""
    if layout is ANSI:
        size, block_id, crc = struct.unpack_from("<H2xII", trailer)
    else:
        size, crc, block_id = struct.unpack_from("<H2xIQ", trailer)
    return size, crc, block_id


def _page_checksum(raw: bytes, layout: Layout) -> int:
    start = layout.page - layout.trailer + (8 if layout is ANSI else 4)
    return int.from_bytes(raw[start : start + 4], "little")
