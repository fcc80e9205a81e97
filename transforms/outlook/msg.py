"""`.msg` files: an Outlook item in a compound file.

Belongs here: where a `.msg` keeps its properties, recipients and attachments. Does not belong here: the container
(`compound_file`), what becomes of the item (`mime`).

Source: [MS-OXMSG].
"""

import re

from transforms.outlook.compound_file import CompoundFile, Storage
from transforms.outlook.mapi import (
    ATTACH_DATA,
    FIXED_SIZES,
    MAX_DEPTH,
    MULTIPLE,
    OBJECT,
    Attachment,
    Item,
    OutlookError,
    Properties,
)

_VALUE = re.compile(r"__substg1\.0_([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})")
_PROPERTIES = "__properties_version1.0"
_ENCLOSED = f"__substg1.0_{ATTACH_DATA:04X}{OBJECT:04X}"


def read_msg(data: bytes) -> Item:
    """The item in a `.msg` file.

    Raises:
        OutlookError: no compound file, one without an Outlook item, or one too damaged to be read.
    """
    file = CompoundFile(data)
    if not any(_VALUE.fullmatch(name) for name in file.root.streams):
        raise OutlookError("compound file without an Outlook item (a document, or one cut off)")
    return _item(file, file.root, is_top=True, depth=0)


def _item(file: CompoundFile, storage: Storage, *, is_top: bool, depth: int) -> Item:
    item = Item(_properties(file, storage, header_bytes=32 if is_top else 24))
    for name, part in sorted(storage.storages.items()):
        if name.startswith("__recip_version1.0"):
            item.recipients.append(_properties(file, part, header_bytes=8))
        elif name.startswith("__attach_version1.0"):
            item.attachments.append(_attachment(file, part, item, depth))
    return item


def _attachment(file: CompoundFile, storage: Storage, item: Item, depth: int) -> Attachment:
    properties = _properties(file, storage, header_bytes=8)
    enclosed = storage.storages.get(_ENCLOSED)
    if enclosed is None:
        return Attachment(properties, properties.binary(ATTACH_DATA))
    if not any(_VALUE.fullmatch(name) for name in enclosed.streams):
        return Attachment(properties, _ole_content(file, enclosed))
    if depth >= MAX_DEPTH:
        item.problems.append("items enclosed too deeply")
        return Attachment(properties)
    return Attachment(properties, item=_item(file, enclosed, is_top=False, depth=depth + 1))


def _ole_content(file: CompoundFile, storage: Storage) -> bytes | None:
    """The content of an OLE object: the stream that its program wrote, which is the largest."""
    largest = max(storage.streams.values(), key=lambda stream: stream.size, default=None)
    return None if largest is None else file.read(largest)


def _properties(file: CompoundFile, storage: Storage, header_bytes: int) -> Properties:
    """Values of one size lie in one stream, all others in streams of their own, named by their tag."""
    properties = Properties()
    for name, stream in storage.streams.items():
        match = _VALUE.fullmatch(name)
        if match is not None:
            tag, kind = int(match[1], 16), int(match[2], 16)
            if not kind & MULTIPLE:
                properties.put(tag, kind, file.read(stream))
    fixed = storage.streams.get(_PROPERTIES)
    entries = file.read(fixed) if fixed is not None else b""
    for start in range(header_bytes, len(entries) - 15, 16):
        kind = int.from_bytes(entries[start : start + 2], "little")
        tag = int.from_bytes(entries[start + 2 : start + 4], "little")
        if kind in FIXED_SIZES and FIXED_SIZES[kind] <= 8:
            properties.put(tag, kind, entries[start + 8 : start + 8 + FIXED_SIZES[kind]])
    return properties
