"""Small PST files for tests, written from the format's description: all three forms, hidden in each way, of any size.

Only what readers need: header, both trees, blocks, heaps. Allocation maps are left out, as repair tools do.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.mailbox.outlook.pst_blocks import ANSI, UNICODE, UNICODE_4K, Layout, checksum
from connectors.mailbox.outlook.pst_crypt import cycled, permuted

INTEGER, OBJECT, TIME, BINARY = 0x0003, 0x000D, 0x0040, 0x0102
ROOT, INBOX, DRAFTS = 0x122, 0x8022, 0x8042

Values = Mapping[int, Any]
"""Tag → str, int, bytes or datetime; a pair (type, bytes) says exactly what is written."""


@dataclass
class File:
    """An attachment: its properties with its content (bytes, or the enclosed mail)."""

    values: Values
    content: "bytes | Mail | None" = None


@dataclass
class Mail:
    """A mail to be written."""

    values: Values
    recipients: Sequence[Values] = ()
    files: Sequence[File] = ()


@dataclass
class PstBuilder:
    """Collects blocks and nodes; `build` gives the file."""

    layout: Layout = UNICODE
    crypt: int = 1
    deflate: bool = False
    block_limit: int = 4096
    """Most bytes of a block of data: small ones make deep lists of blocks."""
    list_limit: int = 100
    """Most blocks in a list."""
    content: bytearray = field(default_factory=lambda: bytearray(1024))
    blocks: dict[int, tuple[int, int]] = field(default_factory=dict)
    nodes: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    next_id: int = 4
    next_nid: int = 0x10000

    def __post_init__(self) -> None:
        """Makes the root and two folders."""
        self.folder(ROOT, "", ROOT)
        self.folder(INBOX, "Inbox", ROOT)

    def folder(self, nid: int, name: str, parent: int, more: Values | None = None) -> None:
        """Adds a folder."""
        self.nodes[nid] = (*self.properties({0x3001: name, **(more or {})}), parent)

    def add(self, mail: Mail, folder: int = INBOX) -> int:
        """Adds a mail; gives its node's number."""
        nid = self._nid(4)
        self.nodes[nid] = (*self._mail(mail), folder)
        return nid

    def build(self) -> bytes:
        """The file."""
        leaves = [self._block_entry(block_id) for block_id in sorted(self.blocks)]
        block_root = self._tree(leaves, 0x80)
        node_root = self._tree([self._node_entry(nid) for nid in sorted(self.nodes)], 0x81)
        header = bytearray(self.content[:1024])
        version = {ANSI.name: 14, UNICODE.name: 23, UNICODE_4K.name: 36}[self.layout.name]
        header[:12] = struct.pack("<4sI2sH", b"!BDN", 0, b"SM", version)
        if self.layout is ANSI:
            struct.pack_into("<I4xI", header, 188, node_root, block_root)
            header[461] = self.crypt
        else:
            struct.pack_into("<Q8xQ", header, 224, node_root, block_root)
            header[513] = self.crypt
        self.content[:1024] = header
        return bytes(self.content)

    def _mail(self, mail: Mail) -> tuple[int, int]:
        subnodes: dict[int, tuple[int, int]] = {}
        if mail.recipients:
            subnodes[0x692] = self._table(mail.recipients)
        for each in mail.files:
            subnodes[self._nid(5)] = self._file(each)
        return self.properties(mail.values, subnodes)

    def _file(self, file: File) -> tuple[int, int]:
        values, subnodes = dict(file.values), {}
        if isinstance(file.content, Mail):
            nid = self._nid(4)
            subnodes[nid] = self._mail(file.content)
            values |= {0x3705: 5, 0x3701: (OBJECT, struct.pack("<II", nid, 1))}
        elif file.content is not None:
            values |= {0x3705: 1, 0x3701: file.content}
        return self.properties(values, subnodes)

    def properties(
        self, values: Values, subnodes: dict[int, tuple[int, int]] | None = None
    ) -> tuple[int, int]:
        """Blocks of data and of subnodes of a node that holds properties."""
        subnodes = dict(subnodes or {})
        allocations: list[bytes] = []
        records = b""
        for tag, value in sorted(values.items()):
            kind, raw = self._raw(value)
            cell = raw.ljust(4, b"\0")
            if kind not in (INTEGER, 0x000B):
                cell = struct.pack("<I", self._reference(raw, allocations, subnodes, 2))
            records += struct.pack("<HH", tag, kind) + cell
        tree = struct.pack("<BBBBI", 0xB5, 2, 6, 0, self._heap_id(1))
        return self._heap(0xBC, [tree, records, *allocations], subnodes)

    def _table(self, rows: Sequence[Values]) -> tuple[int, int]:
        """A table of the rows; each column is of four bytes."""
        subnodes: dict[int, tuple[int, int]] = {}
        allocations: list[bytes] = []
        tags = sorted({tag for row in rows for tag in row})
        kinds: dict[int, int] = {}
        written = b""
        for row in rows:
            bits = bytearray(-(-len(tags) // 8))
            cells = b""
            for number, tag in enumerate(tags):
                if tag not in row:
                    cells += bytes(4)
                    continue
                kinds[tag], raw = self._raw(row[tag])
                bits[number // 8] |= 0x80 >> number % 8
                is_inline = kinds[tag] == INTEGER
                reference = 0 if is_inline else self._reference(raw, allocations, subnodes, 4)
                cells += raw if is_inline else struct.pack("<I", reference)
            written += cells + bytes(bits)
        width = 4 * len(tags)
        row_bytes = width + -(-len(tags) // 8)
        rows_nid = self._nid(0x1F)
        subnodes[rows_nid] = (self.data(written, keep=row_bytes), 0)
        header = struct.pack("<BB4H", 0x7C, len(tags), width, width, width, row_bytes)
        header += struct.pack("<III", self._heap_id(1), rows_nid, 0)
        for number, tag in enumerate(tags):
            header += struct.pack("<HHHBB", kinds[tag], tag, 4 * number, 4, number)
        size = 2 if self.layout is ANSI else 4
        index = b"".join(
            struct.pack("<I", n + 1) + n.to_bytes(size, "little") for n in range(len(rows))
        )
        tree = struct.pack("<BBBBI", 0xB5, 4, size, 0, self._heap_id(2))
        return self._heap(0x7C, [header, tree, index, b"", *allocations], subnodes)

    def _reference(
        self,
        raw: bytes,
        allocations: list[bytes],
        subnodes: dict[int, tuple[int, int]],
        before: int,
    ) -> int:
        """A place for a value: on the heap, or, where it is large, in a subnode."""
        used = sum(map(len, allocations))
        if len(raw) <= 500 and used < 2500:
            allocations.append(raw)
            return self._heap_id(before + len(allocations) - 1)
        nid = self._nid(0x1F)
        subnodes[nid] = (self.data(raw), 0)
        return nid

    def _heap_id(self, number: int) -> int:
        return (number + 1) << 5

    def _heap(
        self, client: int, allocations: list[bytes], subnodes: dict[int, tuple[int, int]]
    ) -> tuple[int, int]:
        starts = [12]
        for each in allocations:
            starts.append(starts[-1] + len(each))
        head = struct.pack("<HBBI4x", starts[-1], 0xEC, client, self._heap_id(0))
        index = struct.pack(f"<HH{len(starts)}H", len(allocations), 0, *starts)
        return self.block(head + b"".join(allocations) + index), self.subnodes(subnodes)

    def subnodes(self, nodes: dict[int, tuple[int, int]]) -> int:
        """A list of subnodes, in two levels where it is long."""
        if not nodes:
            return 0
        form = "<III" if self.layout is ANSI else "<QQQ"
        entries = [struct.pack(form, nid, *nodes[nid]) for nid in sorted(nodes)]
        pad = b"" if self.layout is ANSI else bytes(4)

        def listed(level: int, content: Sequence[bytes]) -> int:
            head = struct.pack("<BBH", 2, level, len(content)) + pad
            return self.block(head + b"".join(content), is_internal=True)

        if len(entries) <= 10:
            return listed(0, entries)
        above = "<II" if self.layout is ANSI else "<QQ"
        groups = [entries[at : at + 10] for at in range(0, len(entries), 10)]
        size = self.layout.id_bytes
        return listed(
            1,
            [
                struct.pack(above, int.from_bytes(group[0][:size], "little"), listed(0, group))
                for group in groups
            ],
        )

    def data(self, raw: bytes, keep: int = 1) -> int:
        """The block, list of blocks or list of lists that holds data; rows of `keep` bytes stay whole."""
        limit = self.block_limit // keep * keep
        ids = [self.block(raw[at : at + limit]) for at in range(0, len(raw), limit)]
        if len(ids) <= 1:
            return ids[0] if ids else 0
        lists = [
            self._list(1, ids[at : at + self.list_limit], len(raw))
            for at in range(0, len(ids), self.list_limit)
        ]
        return lists[0] if len(lists) == 1 else self._list(2, lists, len(raw))

    def _list(self, level: int, ids: Sequence[int], size: int) -> int:
        width = self.layout.id_bytes
        head = struct.pack("<BBHI", 1, level, len(ids), size)
        return self.block(
            head + b"".join(i.to_bytes(width, "little") for i in ids), is_internal=True
        )

    def block(self, raw: bytes, *, is_internal: bool = False) -> int:
        """Writes a block; gives its id."""
        block_id = self.next_id | (2 if is_internal else 0)
        self.next_id += 4
        size = len(raw)
        if not is_internal and self.crypt == 1:
            raw = permuted(raw)
        elif not is_internal and self.crypt == 2:
            raw = cycled(raw, block_id)
        deflated = zlib.compress(raw) if self.deflate else raw
        is_deflated = len(deflated) < len(raw)
        raw = deflated if is_deflated else raw
        layout = self.layout
        offset = self._aligned(layout.align)
        whole = -(-(len(raw) + layout.trailer) // layout.align) * layout.align
        crc = checksum(raw)
        if layout is ANSI:
            trailer = struct.pack("<HHII", len(raw), 0, block_id, crc)
        else:
            trailer = struct.pack("<HHIQ", len(raw), 0, crc, block_id)
        if layout is UNICODE_4K:
            trailer += struct.pack("<HHI", 2, size if is_deflated else 0, 0)
        self.content += raw + bytes(whole - len(raw) - layout.trailer) + trailer
        self.blocks[block_id] = (offset, len(raw))
        return block_id

    def _block_entry(self, block_id: int) -> bytes:
        offset, size = self.blocks[block_id]
        form = "<IIHH" if self.layout is ANSI else "<QQHH4x"
        return struct.pack(form, block_id, offset, size, 1)

    def _node_entry(self, nid: int) -> bytes:
        form = "<IIII" if self.layout is ANSI else "<QQQI4x"
        return struct.pack(form, nid, *self.nodes[nid])

    def _tree(self, entries: list[bytes], kind: int, level: int = 0) -> int:
        """Pages of a tree from its leaves up; gives the root's place."""
        most = self.layout.entries // len(entries[0])
        size = self.layout.id_bytes
        parents = []
        for at in range(0, len(entries), most):
            offset = self._page(entries[at : at + most], kind, level)
            parents.append(
                entries[at][:size].ljust(size, b"\0")
                + bytes(size)
                + offset.to_bytes(size, "little")
            )
        if len(parents) == 1:
            return int.from_bytes(parents[0][2 * size :], "little")
        return self._tree(parents, kind, level + 1)

    def _page(self, entries: list[bytes], kind: int, level: int) -> int:
        layout = self.layout
        offset = self._aligned(layout.page)
        form = "<HHBB" if layout is UNICODE_4K else "<BBBB"
        page = b"".join(entries).ljust(layout.entries, b"\0")
        page += struct.pack(
            form, len(entries), layout.entries // len(entries[0]), len(entries[0]), level
        )
        page = page.ljust(layout.page - layout.trailer, b"\0")
        crc = checksum(page)
        if layout is ANSI:
            page += struct.pack("<BBHII", kind, kind, 0, offset, crc)
        else:
            page += struct.pack("<BBHIQ", kind, kind, 0, crc, offset)
        self.content += page.ljust(layout.page, b"\0")
        return offset

    def _aligned(self, size: int) -> int:
        self.content += bytes(-len(self.content) % size)
        return len(self.content)

    def _nid(self, kind: int) -> int:
        self.next_nid += 32
        return self.next_nid | kind

    def _raw(self, value: Any) -> tuple[int, bytes]:
        match value:
            case (int(kind), bytes(raw)):
                return kind, raw
            case str():
                if self.layout is ANSI:
                    return 0x001E, value.encode("cp1252")
                return 0x001F, value.encode("utf-16-le")
            case int():
                return INTEGER, struct.pack("<i", value)
            case datetime():
                ticks = int((value - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
                return TIME, struct.pack("<Q", ticks)
        return BINARY, value
