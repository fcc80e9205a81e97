"""An item out of a PST written down as TNEF: a record that stands for itself, the same for the same item.

Belongs here: the writing, and what makes an item the same item. Does not belong here: reading TNEF
(`transforms.outlook.tnef`).

Everything that the file holds of the item is written: properties with their types as they are, named ones with their
names, recipients, attachments, enclosed items. Numbers that only mean something inside of the file are left out.

Source: [MS-OXTNEF].
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from connectors.mailbox.outlook.pst_heap import FIXED_SIZES, MULTIPLE, OBJECT, Value, several
from connectors.mailbox.outlook.pst_items import (
    ATTACH_DATA,
    STRING8,
    UNICODE,
    Name,
    PstItem,
)

MEDIA_TYPE = "application/ms-tnef"

_SIGNATURE = struct.pack("<IH", 0x223E9F78, 0)
_VERSION, _CODE_PAGE = 0x00089006, 0x00069007
_PROPERTIES, _RECIPIENTS = 0x00069003, 0x00069004
_RENDERING, _DATA, _ATTACHMENT = 0x00069002, 0x0006800F, 0x00069005
_RENDERING_OF_FILE = struct.pack("<HIHHI", 1, 0xFFFFFFFF, 0, 0, 0)
_ENCLOSED_INTERFACE = bytes.fromhex("0703020000000000c000000000000046")
_BINARY = 0x0102
_SIZES = {0x0002: 2, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 2, **FIXED_SIZES}
_VARIABLE = (STRING8, UNICODE, _BINARY, OBJECT)

_CHANGING = frozenset(
    {
        0x0E07,  # flags, such as read
        0x0E08,  # size
        0x0E17,  # status
        0x0E2B,  # flagged for follow-up
        0x0E69,  # read
        0x0E79,  # trust in its sender
        0x1080,  # icon: answered, forwarded
        0x1081,  # last thing done with it
        0x1082,  # … and when
        0x1090,  # flag
        0x1091,  # … done when
        0x1095,  # … its colour
        0x10F3,  # file name in web folders
        0x3008,  # last changed
        0x3FF8,
        0x3FF9,
        0x3FFA,  # … by whom
        0x3FFB,
        0x4022,
        0x4023,
        0x4024,
        0x4025,
    }
)
"""What mail programs change after a mail came: it never makes another mail of it."""


def to_tnef(item: PstItem, names: Mapping[int, Name]) -> bytes:
    """The item as a TNEF stream.

    Args:
        item: as read from the file.
        names: named properties of the file (`PstReader.names`).
    """
    parts = [
        _SIGNATURE,
        _attribute(1, _VERSION, struct.pack("<I", 0x00010000)),
        _attribute(1, _CODE_PAGE, struct.pack("<II", 1252, 0)),
        _attribute(1, _PROPERTIES, _properties(item.values, names)),
    ]
    if item.recipients:
        rows = [_properties(row, names) for row in item.recipients]
        parts.append(_attribute(1, _RECIPIENTS, struct.pack("<I", len(rows)) + b"".join(rows)))
    for attachment in item.attachments:
        parts.append(_attribute(2, _RENDERING, _RENDERING_OF_FILE))
        values = dict(attachment.values)
        if attachment.content is not None:
            parts.append(_attribute(2, _DATA, attachment.content))
        if attachment.item is not None:
            values[ATTACH_DATA] = Value(
                OBJECT, _ENCLOSED_INTERFACE + to_tnef(attachment.item, names)
            )
        parts.append(_attribute(2, _ATTACHMENT, _properties(values, names)))
    return b"".join(parts)


def lasting_digest(item: PstItem) -> bytes:
    """The sha256 of what an item says, without what mail programs change later (read, flagged, categories, …)."""
    digest = hashlib.sha256()
    _add(digest.update, item)
    return digest.digest()


def _add(update: Callable[[bytes], None], item: PstItem) -> None:
    groups = [item.values, *item.recipients, *(each.values for each in item.attachments)]
    for group in groups:
        for tag, value in _lasting(group):
            update(struct.pack("<HHI", tag, value.kind, len(value.raw)))
            update(value.raw)
        update(b"\xff")
    for attachment in item.attachments:
        update(struct.pack("<q", -1 if attachment.content is None else len(attachment.content)))
        update(attachment.content or b"")
        if attachment.item is not None:
            _add(update, attachment.item)


def _lasting(values: Mapping[int, Value]) -> Iterable[tuple[int, Value]]:
    return ((tag, value) for tag, value in _own(values) if tag < 0x8000 and tag not in _CHANGING)


def _own(values: Mapping[int, Value]) -> Iterable[tuple[int, Value]]:
    """Properties by tag, without those of the file itself (0x67F0 to 0x67FF)."""
    return ((tag, values[tag]) for tag in sorted(values) if not 0x67F0 <= tag <= 0x67FF)


def _attribute(level: int, attribute: int, data: bytes) -> bytes:
    checksum = int(np.frombuffer(data, np.uint8).sum(dtype=np.uint64)) & 0xFFFF
    return struct.pack("<BII", level, attribute, len(data)) + data + struct.pack("<H", checksum)


def _properties(values: Mapping[int, Value], names: Mapping[int, Name]) -> bytes:
    written = []
    for tag, value in _own(values):
        content = _content(value)
        name = _name(names[tag]) if tag in names else b""
        if content is not None and (tag < 0x8000 or name):
            written.append(struct.pack("<HH", value.kind, tag) + name + content)
    return struct.pack("<I", len(written)) + b"".join(written)


def _name(name: Name) -> bytes:
    guid, identity = name
    if isinstance(identity, int):
        return guid + struct.pack("<II", 0, identity)
    text = identity.encode("utf-16-le") + b"\x00\x00"
    return guid + struct.pack("<II", 1, len(text)) + _padded(text)


def _content(value: Value) -> bytes | None:
    """A value as TNEF keeps it, None where its bytes do not fit its type."""
    base = value.kind & ~MULTIPLE
    if not value.kind & MULTIPLE:
        if base in _SIZES:
            return _padded(value.raw[: _SIZES[base]].ljust(_SIZES[base], b"\x00"))
        return struct.pack("<I", 1) + _sized(base, value.raw) if base in _VARIABLE else None
    if base in _SIZES:
        size = _SIZES[base]
        parts = [value.raw[at : at + size] for at in range(0, len(value.raw) - size + 1, size)]
        return struct.pack("<I", len(parts)) + b"".join(map(_padded, parts))
    values = several(value.raw) if base in _VARIABLE else None
    if values is None:
        return None
    return struct.pack("<I", len(values)) + b"".join(_sized(base, each) for each in values)


def _sized(base: int, raw: bytes) -> bytes:
    end = {UNICODE: b"\x00\x00", STRING8: b"\x00"}.get(base, b"")
    return struct.pack("<I", len(raw) + len(end)) + _padded(raw + end)


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 4)
