"""Small `.msg` files and TNEF streams for tests, written from the formats' descriptions."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

FREE, END = 0xFFFFFFFF, 0xFFFFFFFE

Values = Mapping[int, Any]
"""Tag → str (Unicode), bytes (binary), int, datetime, or a pair (type, bytes)."""


@dataclass
class Item:
    """An item to be written."""

    values: Values
    recipients: Sequence[Values] = ()
    files: Sequence["File"] = ()


@dataclass
class File:
    """An attachment."""

    values: Values
    content: "bytes | Item | None" = None


def raw(value: Any) -> tuple[int, bytes]:
    """Type and bytes of a value."""
    match value:
        case (int(kind), bytes(content)):
            return kind, content
        case str():
            return 0x001F, value.encode("utf-16-le")
        case int():
            return 0x0003, struct.pack("<i", value)
        case datetime():
            ticks = int((value - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
            return 0x0040, struct.pack("<Q", ticks)
    return 0x0102, value


Tree = dict[str, "bytes | Tree"]
"""Name → a stream's bytes, or a storage."""


def msg(item: Item) -> bytes:
    """A `.msg` file."""
    return compound_file(_tree(item, header=32))


def _tree(item: Item, header: int) -> Tree:
    tree = _streams(item.values, header)
    for number, recipient in enumerate(item.recipients):
        tree[f"__recip_version1.0_#{number:08X}"] = _streams(recipient, 8)
    for number, file in enumerate(item.files):
        values = dict(file.values)
        enclosed: Tree = {}
        if isinstance(file.content, Item):
            values[0x3705] = 5
            enclosed["__substg1.0_3701000D"] = _tree(file.content, header=24)
        elif file.content is not None:
            values |= {0x3705: 1, 0x3701: file.content}
        tree[f"__attach_version1.0_#{number:08X}"] = _streams(values, 8) | enclosed
    return tree


def _streams(values: Values, header: int) -> Tree:
    tree: Tree = {}
    fixed = bytes(header)
    for tag, value in values.items():
        kind, content = raw(value)
        if kind in (0x001E, 0x001F, 0x0102):
            tree[f"__substg1.0_{tag:04X}{kind:04X}"] = content
            fixed += struct.pack("<HHIII", kind, tag, 6, len(content), 0)
        else:
            fixed += struct.pack("<HHI", kind, tag, 6) + content.ljust(8, b"\0")
    tree["__properties_version1.0"] = fixed
    return tree


@dataclass
class _Compound:
    sectors: list[bytes] = field(default_factory=list)
    fat: list[int] = field(default_factory=list)
    mini: bytes = b""
    mini_fat: list[int] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)

    def chain(self, content: bytes) -> int:
        """Writes whole sectors; gives the first."""
        count = -(-len(content) // 512)
        first = len(self.sectors)
        for number in range(count):
            self.sectors.append(content[number * 512 : number * 512 + 512].ljust(512, b"\0"))
            self.fat.append(first + number + 1 if number + 1 < count else END)
        return first if count else END

    def small(self, content: bytes) -> int:
        """Writes into the mini stream; gives the first mini sector."""
        count = -(-len(content) // 64)
        first = len(self.mini_fat)
        self.mini += content.ljust(count * 64, b"\0")
        self.mini_fat += [first + n + 1 if n + 1 < count else END for n in range(count)]
        return first if count else END

    def add(self, tree: Tree) -> int:
        """Writes what is in a storage; gives the root of its tree of siblings (a list to the right)."""
        following = FREE
        for name, content in sorted(
            tree.items(), key=lambda each: (len(each[0]), each[0]), reverse=True
        ):
            number = len(self.entries)
            self.entries.append(b"")
            if isinstance(content, dict):
                child = self.add(content)
                self.entries[number] = _entry(name, 1, 0, 0, following, child)
            else:
                start = self.chain(content) if len(content) >= 4096 else self.small(content)
                self.entries[number] = _entry(name, 2, start, len(content), following, FREE)
            following = number
        return following


def _entry(name: str, kind: int, start: int, size: int, right: int, child: int) -> bytes:
    written = name.encode("utf-16-le") + b"\0\0"
    head = written.ljust(64, b"\0") + struct.pack(
        "<HBBIII", len(written), kind, 1, FREE, right, child
    )
    return head.ljust(116, b"\0") + struct.pack("<IQ", start, size)


def compound_file(tree: Tree) -> bytes:
    """A compound file of version 3 with this tree."""
    file = _Compound()
    file.entries.append(b"")
    child = file.add(tree)
    mini = file.chain(file.mini)
    file.entries[0] = _entry("Root Entry", 5, mini, len(file.mini), FREE, child)
    mini_fat = file.chain(struct.pack(f"<{len(file.mini_fat)}I", *file.mini_fat))
    directory = file.chain(b"".join(file.entries))
    fat_count = 1
    while (len(file.fat) + fat_count) * 4 > fat_count * 512:
        fat_count += 1
    assert fat_count <= 109
    first_fat = len(file.sectors)
    fat = file.fat + [0xFFFFFFFD] * fat_count
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(fat_count * 512, b"\xff")
    names = [first_fat + number for number in range(fat_count)]
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        fat_count,
        directory,
        0,
        4096,
        mini_fat,
        -(-len(file.mini_fat) // 128),
        END,
        0,
        *names[:1],
    )
    header += struct.pack(f"<{len(names) - 1}I", *names[1:])
    return header.ljust(512, b"\xff") + b"".join(file.sectors) + table


def tnef(item: Item) -> bytes:
    """A TNEF stream."""
    parts = [
        struct.pack("<IH", 0x223E9F78, 1),
        attribute(1, 0x00089006, struct.pack("<I", 0x10000)),
    ]
    parts.append(attribute(1, 0x00069003, properties(item.values)))
    if item.recipients:
        rows = b"".join(properties(each) for each in item.recipients)
        parts.append(attribute(1, 0x00069004, struct.pack("<I", len(item.recipients)) + rows))
    for file in item.files:
        values = dict(file.values)
        parts.append(attribute(2, 0x00069002, bytes(14)))
        if isinstance(file.content, Item):
            interface = bytes.fromhex("0703020000000000c000000000000046")
            values[0x3701] = (0x000D, interface + tnef(file.content))
        elif file.content is not None:
            parts.append(attribute(2, 0x0006800F, file.content))
        parts.append(attribute(2, 0x00069005, properties(values)))
    return b"".join(parts)


def attribute(level: int, number: int, content: bytes) -> bytes:
    """One attribute with its checksum."""
    head = struct.pack("<BII", level, number, len(content))
    return head + content + struct.pack("<H", sum(content) & 0xFFFF)


def properties(values: Values) -> bytes:
    """A list of properties."""
    written = struct.pack("<I", len(values))
    for tag, value in values.items():
        kind, content = raw(value)
        written += struct.pack("<HH", kind, tag)
        if kind in (0x000D, 0x001E, 0x001F, 0x0102):
            written += struct.pack("<II", 1, len(content))
        written += content + bytes(-len(content) % 4)
    return written
