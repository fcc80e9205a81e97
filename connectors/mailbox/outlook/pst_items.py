"""A PST's upper layer: its folders, and its items with recipients and attachments.

Belongs here: which nodes are folders and mails, and what hangs on a mail. Does not belong here: what its properties
mean (`transforms.outlook`), how it is written down (`tnef_writer`).

Folders and mails are found by the node tree, where each names the folder that it lies in, not by the folders' tables of
contents: a broken table then hides nothing.

Source: [MS-PST] §2.2.2.1 (kinds of nodes), §2.4.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from connectors.mailbox.outlook.pst_blocks import Node, PstError, PstFile
from connectors.mailbox.outlook.pst_heap import (
    OBJECT,
    Heap,
    Read,
    Value,
    read_properties,
    read_rows,
    several,
)

MESSAGE_CLASS = 0x001A
DISPLAY_NAME = 0x3001
ATTACH_DATA, ATTACH_METHOD = 0x3701, 0x3705
STRING8, UNICODE = 0x001E, 0x001F

MAX_DEPTH = 20
"""Items enclosed in one another more deeply than this are left out."""

_FOLDER, _MAIL, _ATTACHMENT = 0x02, 0x04, 0x05
_STORE, _ROOT_FOLDER, _NAMES, _RECIPIENTS = 0x21, 0x122, 0x61, 0x692
_ASIDE = {"drafts": 0x36D7, "outbox": 0x35E2}
_OTHER_ENTRIES, _JUNK = 0x36D8, 4
"""Entry ids of further folders, and which of them is that of junk. Source: [MS-OXOSFLD] §2.2.4."""
_EMBEDDED = 5
_MAPI = bytes.fromhex("2803020000000000c000000000000046")
_PUBLIC_STRINGS = bytes.fromhex("2903020000000000c000000000000046")

Name = tuple[bytes, int | str]
"""A named property's set (16 bytes) and its number or name in it."""


@dataclass(slots=True)
class PstAttachment:
    """An attachment; `content` is None where it has none, or where it cannot be read."""

    values: dict[int, Value]
    content: bytes | None = None
    item: "PstItem | None" = None


@dataclass(slots=True)
class PstItem:
    """An item as the file holds it. `problems` says what of it could not be read."""

    values: dict[int, Value]
    recipients: list[dict[int, Value]] = field(default_factory=list)
    attachments: list[PstAttachment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """An item's node and the folder that it lies in, by its path."""

    node: Node
    folder: str


class PstReader:
    """The folders and items of an open PST."""

    def __init__(self, file: PstFile) -> None:
        """Nothing is read yet."""
        self.file = file

    @cached_property
    def names(self) -> dict[int, Name]:
        """Tag → set and name of the named properties (tags from 0x8000 on); none where the list is damaged."""
        try:
            self.file.begin_item()
            values = read_properties(Heap(self.file, self.file.node(_NAMES))).values
        except PstError:
            return {}
        parts = (values.get(tag, Value(0, b"")).raw for tag in (2, 3, 4))
        return _names(*parts)

    @cached_property
    def folders(self) -> dict[int, str]:
        """Node → path, `/Top of Personal Folders/Inbox`; a folder whose name cannot be read goes by its number."""
        parents: dict[int, int] = {}
        names: dict[int, str] = {}
        for node in self.file.nodes():
            if node.nid & 0x1F == _FOLDER:
                parents[node.nid] = node.parent
                names[node.nid] = self._folder_name(node)
        return {nid: _path(nid, parents, names) for nid in parents}

    @cached_property
    def set_aside(self) -> dict[int, str]:
        """Folders of what was not sent or not wanted, whatever they are called: node → `drafts`, `outbox`, `junk`."""
        found: dict[int, str] = {}
        inboxes = (nid for nid, path in self.folders.items() if path.count("/") == 2)
        for nid in (_STORE, _ROOT_FOLDER, *inboxes):
            try:
                self.file.begin_item()
                values = read_properties(Heap(self.file, self.file.node(nid))).values
            except PstError:
                continue
            entries = {name: values.get(tag, Value(0, b"")).raw for name, tag in _ASIDE.items()}
            others = several(values.get(_OTHER_ENTRIES, Value(0, b"")).raw) or []
            entries["junk"] = others[_JUNK] if len(others) > _JUNK else b""
            for name, entry in entries.items():
                if len(entry) >= 24:
                    found[int.from_bytes(entry[20:24], "little")] = name
        return found

    def mails(self, behind: int = 0) -> Iterator[Found]:
        """Nodes of items of all folders, by ascending number from `behind` on."""
        for node in self.file.nodes():
            if node.nid & 0x1F == _MAIL and node.nid > behind:
                yield Found(node, self.folders.get(node.parent, f"/folder {node.parent:#x}"))

    def message_class(self, node: Node) -> str:
        """An item's class, without reading the rest of it.

        Raises:
            PstError: its properties are damaged.
        """
        self.file.begin_item()
        values = read_properties(Heap(self.file, node)).values
        return text_of(values.get(MESSAGE_CLASS))

    def item(self, node: Node) -> PstItem:
        """An item with all that hangs on it; what of it is damaged is left out and told.

        Raises:
            PstError: its own properties are damaged, so that nothing is left of it.
        """
        self.file.begin_item()
        return self._item(node, depth=0)

    def _item(self, node: Node, depth: int) -> PstItem:
        heap = Heap(self.file, node)
        read = read_properties(heap)
        item = PstItem(read.values)
        _tell(item, read, "property")
        try:
            subnodes = heap.subnodes
        except PstError as error:
            item.problems.append(f"recipients and attachments: {error}")
            return item
        recipients = subnodes.get(_RECIPIENTS)
        if recipients is not None:
            self._add_recipients(item, recipients)
        for nid in sorted(nid for nid in subnodes if nid & 0x1F == _ATTACHMENT):
            self._add_attachment(item, subnodes[nid], depth)
        return item

    def _add_recipients(self, item: PstItem, node: Node) -> None:
        try:
            for row in read_rows(Heap(self.file, node)):
                item.recipients.append(row.values)
                _tell(item, row, "a recipient's property")
        except PstError as error:
            item.problems.append(f"recipients: {error}")

    def _add_attachment(self, item: PstItem, node: Node, depth: int) -> None:
        number = len(item.attachments) + 1
        attachment = PstAttachment({})
        item.attachments.append(attachment)
        try:
            heap = Heap(self.file, node)
            read = read_properties(heap)
        except PstError as error:
            item.problems.append(f"attachment {number}: {error}")
            return
        attachment.values = read.values
        content = read.values.pop(ATTACH_DATA, None)
        _tell(item, read, f"attachment {number}: property")
        if content is None:
            return
        if content.kind != OBJECT:
            attachment.content = content.raw
            return
        try:
            self._add_object(attachment, heap, content.raw, depth)
        except PstError as error:
            item.problems.append(f"attachment {number}: {error}")

    def _add_object(
        self, attachment: PstAttachment, heap: Heap, reference: bytes, depth: int
    ) -> None:
        """An enclosed item, or the bytes of an OLE object: both lie in a subnode that the reference names."""
        node = heap.subnode(int.from_bytes(reference[:4], "little"))
        method = attachment.values.get(ATTACH_METHOD)
        if method is None or int.from_bytes(method.raw, "little") != _EMBEDDED:
            attachment.content = self.file.data_of(node.data)
        elif depth >= MAX_DEPTH:
            raise PstError("items enclosed too deeply")
        else:
            attachment.item = self._item(node, depth + 1)

    def _folder_name(self, node: Node) -> str:
        try:
            self.file.begin_item()
            values = read_properties(Heap(self.file, node)).values
        except PstError as error:
            self.file.problems.append(f"folder {node.nid:#x}: {error}")
            return f"folder {node.nid:#x}"
        return text_of(values.get(DISPLAY_NAME))


def text_of(value: Value | None) -> str:
    """A text property for people, "" where there is none."""
    if value is None:
        return ""
    if value.kind == UNICODE:
        return value.raw.decode("utf-16-le", "replace").rstrip("\x00")
    return value.raw.decode("cp1252", "replace").rstrip("\x00")


def _tell(item: PstItem, read: Read, what: str) -> None:
    item.problems += [f"{what} {tag:04X}: {reason}" for tag, reason in read.unread.items()]


def _path(nid: int, parents: dict[int, int], names: dict[int, str]) -> str:
    """The names from below the root down to a folder; a circle of parents is cut."""
    parts: list[str] = []
    met: set[int] = set()
    while nid in parents and nid != _ROOT_FOLDER and nid not in met:
        met.add(nid)
        parts.append(names[nid].replace("/", "\u2215") or f"folder {nid:#x}")
        nid = parents[nid]
    return "/" + "/".join(reversed(parts))


def _names(sets: bytes, entries: bytes, strings: bytes) -> dict[int, Name]:
    """The map of named properties out of its three streams. Source: [MS-PST] §2.4.7."""
    found: dict[int, Name] = {}
    for start in range(0, len(entries) - 7, 8):
        number, which, index = struct.unpack_from("<IHH", entries, start)
        set_number = which >> 1
        if set_number < 3:
            guid = (bytes(16), _MAPI, _PUBLIC_STRINGS)[set_number]
        else:
            guid = sets[(set_number - 3) * 16 : (set_number - 2) * 16]
        name: int | str = number
        if which & 1:
            size = int.from_bytes(strings[number : number + 4], "little")
            name = strings[number + 4 : number + 4 + size].decode("utf-16-le", "replace")
        if len(guid) == 16 and index < 0x8000:
            found[0x8000 + index] = (guid, name)
    return found
