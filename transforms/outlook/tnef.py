"""TNEF (`winmail.dat`): an Outlook item as a stream of attributes.

Belongs here: the stream, its old attributes and its MAPI properties. Does not belong here: what becomes of the item
(`mime`).

A stream that is cut off or has a wrong checksum gives what was read before and after, with a word about it.

Source: [MS-OXTNEF].
"""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime

from transforms.outlook.mapi import (
    ATTACH_DATA,
    ATTACH_FILE_NAME,
    ATTACH_LONG_FILE_NAME,
    BODY,
    CLIENT_SUBMIT_TIME,
    DELIVERY_TIME,
    FIXED_SIZES,
    MAX_DEPTH,
    MESSAGE_CLASS,
    MESSAGE_CODE_PAGE,
    MULTIPLE,
    OBJECT,
    SENDER_ADDRESS,
    SENDER_NAME,
    SENDER_TYPE,
    STRING8,
    SUBJECT,
    TIME,
    UNICODE,
    Attachment,
    Item,
    OutlookError,
    Properties,
)

MAGIC = b"\x78\x9f\x3e\x22"

_OEM_CODE_PAGE = 0x9007
_FROM, _DATE_SENT, _DATE_RECEIVED = 0x8000, 0x8005, 0x8006
_RENDERING, _DATA, _TITLE, _MAPI_ATTACHMENT = 0x9002, 0x800F, 0x8010, 0x9005
_MAPI_PROPERTIES, _RECIPIENTS = 0x9003, 0x9004
_OLD_SUBJECT, _OLD_BODY, _OLD_CLASS = 0x8004, 0x800C, 0x8008
_OLD_CLASSES = {
    "IPM.Microsoft Mail.Note": "IPM.Note",
    "IPM.Microsoft Mail.Read Receipt": "REPORT.IPM.Note.IPNRN",
    "IPM.Microsoft Mail.Non-Delivery": "REPORT.IPM.Note.NDR",
    "IPM.Microsoft Schedule.MtgReq": "IPM.Schedule.Meeting.Request",
    "IPM.Microsoft Schedule.MtgRespP": "IPM.Schedule.Meeting.Resp.Pos",
    "IPM.Microsoft Schedule.MtgRespN": "IPM.Schedule.Meeting.Resp.Neg",
    "IPM.Microsoft Schedule.MtgRespA": "IPM.Schedule.Meeting.Resp.Tent",
    "IPM.Microsoft Schedule.MtgCncl": "IPM.Schedule.Meeting.Canceled",
}
_VARIABLE = frozenset({STRING8, UNICODE, OBJECT, 0x0102})
_MAX_VALUES = 1_000_000


def read_tnef(data: bytes, depth: int = 0) -> Item:
    """The item in a TNEF stream.

    Raises:
        OutlookError: no TNEF stream, or nothing of it can be read.
    """
    if len(data) < 6 or not data.startswith(MAGIC):
        raise OutlookError("no TNEF stream: its first bytes are others")
    item = Item()
    old = Properties()
    current: Attachment | None = None
    was_read = False
    for is_of_file, attribute, value in _attributes(data, item):
        was_read = True
        if is_of_file and _takes_file(attribute):
            if current is None or attribute == _RENDERING:
                current = Attachment(Properties())
                item.attachments.append(current)
            if attribute != _RENDERING:
                _read_file_attribute(attribute, value, current, item, depth)
        elif attribute == _MAPI_PROPERTIES:
            reader = _Reader(value)
            _keep(item, reader, item.properties)
        elif attribute == _RECIPIENTS:
            _read_recipients(item, value)
        else:
            _read_old_attribute(attribute, value, old)
    if not was_read:
        raise OutlookError("TNEF stream without a whole attribute")
    for tag, (kind, content) in old.values.items():
        item.properties.put(tag, kind, content)
    return item


def _takes_file(attribute: int) -> bool:
    return attribute in (_RENDERING, _DATA, _TITLE, _MAPI_ATTACHMENT)


def _attributes(data: bytes, item: Item) -> Iterator[tuple[bool, int, bytes]]:
    """Whether it is of a file, id and value of each attribute; what is cut off or has a wrong checksum is told."""
    position = 6
    while position + 9 <= len(data):
        # The upper half of an id is its type, which writers get wrong; the lower half tells all ids apart.
        level, attribute, length = struct.unpack_from("<BH2xI", data, position)
        start, end = position + 9, position + 9 + length
        if level not in (1, 2) or end > len(data):
            item.problems.append(f"TNEF stream damaged at byte {position}")
        if level not in (1, 2):
            return
        value = data[start:end]
        if end + 2 <= len(data):
            (told,) = struct.unpack_from("<H", data, end)
            if sum(value) & 0xFFFF != told:
                item.problems.append(f"TNEF attribute {attribute:04X} has a wrong checksum")
        yield level == 2, attribute, value
        position = end + 2


def _read_old_attribute(attribute: int, value: bytes, old: Properties) -> None:
    """The attributes of the time before MAPI; they count where no property says the same."""
    if attribute == _OLD_BODY:
        old.put(BODY, STRING8, value.rstrip(b"\x00"))
    elif attribute == _OLD_SUBJECT:
        old.put(SUBJECT, STRING8, value.split(b"\x00", 1)[0])
    elif attribute == _OLD_CLASS:
        name = value.split(b"\x00", 1)[0].decode("latin-1")
        old.put(MESSAGE_CLASS, STRING8, _OLD_CLASSES.get(name, name).encode("latin-1"))
    elif attribute == _OEM_CODE_PAGE and len(value) >= 4:
        old.put(MESSAGE_CODE_PAGE, 0x0003, value[:4])
    elif attribute in (_DATE_SENT, _DATE_RECEIVED):
        tag = CLIENT_SUBMIT_TIME if attribute == _DATE_SENT else DELIVERY_TIME
        ticks = _ticks(value)
        if ticks is not None:
            old.put(tag, TIME, ticks.to_bytes(8, "little"))
    elif attribute == _FROM and len(value) >= 8:
        _, _, name_length, address_length = struct.unpack_from("<4H", value)
        address = value[8 + name_length : 8 + name_length + address_length]
        kind, _, path = address.rstrip(b"\x00").partition(b":")
        old.put(SENDER_NAME, STRING8, value[8 : 8 + name_length].rstrip(b"\x00"))
        old.put(SENDER_TYPE, STRING8, kind)
        old.put(SENDER_ADDRESS, STRING8, path)


def _ticks(value: bytes) -> int | None:
    """A date of seven 16-bit numbers as 100 ns since 1601; it has no zone and is taken for UTC."""
    if len(value) < 12:
        return None
    year, month, day, hour, minute, second = struct.unpack_from("<6H", value)
    try:
        instant = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    if year < 1970:
        return None
    return int((instant - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000


def _read_file_attribute(
    attribute: int, value: bytes, current: Attachment, item: Item, depth: int
) -> None:
    if attribute == _DATA:
        current.content = value
    elif attribute == _TITLE:
        current.properties.put(ATTACH_FILE_NAME, STRING8, value.rstrip(b"\x00"))
    elif attribute == _MAPI_ATTACHMENT:
        title = current.properties.values.pop(ATTACH_FILE_NAME, None)
        _keep(item, _Reader(value), current.properties)
        if title is not None and ATTACH_LONG_FILE_NAME not in current.properties.values:
            current.properties.put(ATTACH_LONG_FILE_NAME, *title)
        content = current.properties.values.pop(ATTACH_DATA, None)
        if content is None:
            return
        # An object is led by the 16 bytes of its interface.
        inner = content[1][16:] if content[0] == OBJECT else content[1]
        if not inner.startswith(MAGIC):
            current.content = inner
        elif depth >= MAX_DEPTH:
            item.problems.append("items enclosed too deeply")
        else:
            try:
                current.item = read_tnef(inner, depth + 1)
            except OutlookError as error:
                current.content = inner
                item.problems.append(f"enclosed item: {error}")


def _read_recipients(item: Item, value: bytes) -> None:
    reader = _Reader(value)
    try:
        for _ in range(min(reader.number(), _MAX_VALUES)):
            recipient = Properties()
            item.recipients.append(recipient)
            reader.read_properties(recipient)
    except OutlookError as error:
        item.problems.append(f"recipients: {error}")


def _keep(item: Item, reader: "_Reader", properties: Properties) -> None:
    try:
        reader.read_properties(properties)
    except OutlookError as error:
        item.problems.append(f"properties: {error}")


class _Reader:
    """Walks over a list of MAPI properties, each at a multiple of four bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise OutlookError(
                f"{size} bytes are told, {len(self._data) - self._position} are there"
            )
        value = self._data[self._position : end]
        self._position = self._position + -(-size // 4) * 4
        return value

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def read_properties(self, properties: Properties) -> None:
        """Reads a list of properties; named ones and those of several values are passed over.

        Raises:
            OutlookError: the list is cut off or has a type that is not known; what came before is kept.
        """
        for _ in range(min(self.number(), _MAX_VALUES)):
            kind, tag = struct.unpack("<HH", self.take(4))
            if tag >= 0x8000:
                self._skip_name()
            base = kind & ~MULTIPLE
            if base in _VARIABLE:
                values = [self.take(self.number()) for _ in range(min(self.number(), _MAX_VALUES))]
            elif base in FIXED_SIZES:
                count = min(self.number(), _MAX_VALUES) if kind & MULTIPLE else 1
                values = [self.take(FIXED_SIZES[base]) for _ in range(count)]
            elif base in (0, 1):
                values = []
            else:
                raise OutlookError(f"property {tag:04X} has the unknown type {kind:04X}")
            if len(values) == 1 and not kind & MULTIPLE and tag < 0x8000:
                properties.put(tag, kind, values[0])

    def _skip_name(self) -> None:
        self.take(16)
        if self.number() == 0:
            self.take(4)
        else:
            self.take(self.number())
