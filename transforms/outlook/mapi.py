"""Outlook items as MAPI knows them: properties, recipients, attachments. The shape that all its formats share.

Belongs here: the item, its property tags, and how the bytes of one property are read. Does not belong here: any file
format (`msg`, `tnef`), what an item becomes (`mime`).

A property is kept as the bytes that the format held and is decoded when it is asked for: what nobody asks for cannot
do harm.

Source: [MS-OXCDATA] §2.11 (types), [MS-OXPROPS] (tags).
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

INTEGER16, INTEGER32, BOOLEAN, OBJECT = 0x0002, 0x0003, 0x000B, 0x000D
STRING8, UNICODE, TIME, BINARY = 0x001E, 0x001F, 0x0040, 0x0102

FIXED_SIZES = {
    INTEGER16: 2,
    INTEGER32: 4,
    0x0004: 4,
    0x0005: 8,
    0x0006: 8,
    0x0007: 8,
    0x000A: 4,
    BOOLEAN: 2,
    0x0014: 8,
    TIME: 8,
    0x0048: 16,
}
"""Type → size in bytes of its values, for types whose values are all of one size."""

MULTIPLE = 0x1000
"""Flag of a type with several values."""

MESSAGE_CLASS = 0x001A
SUBJECT = 0x0037
CLIENT_SUBMIT_TIME = 0x0039
REPRESENTING_NAME, REPRESENTING_TYPE, REPRESENTING_ADDRESS = 0x0042, 0x0064, 0x0065
REPRESENTING_ENTRY_ID = 0x0041
CONVERSATION_TOPIC, CONVERSATION_INDEX = 0x0070, 0x0071
TRANSPORT_HEADERS = 0x007D
SENDER_ENTRY_ID, SENDER_NAME, SENDER_TYPE, SENDER_ADDRESS = 0x0C19, 0x0C1A, 0x0C1E, 0x0C1F
RECIPIENT_TYPE = 0x0C15
DISPLAY_BCC, DISPLAY_CC, DISPLAY_TO = 0x0E02, 0x0E03, 0x0E04
DELIVERY_TIME = 0x0E06
NORMALISED_SUBJECT, SUBJECT_PREFIX = 0x0E1D, 0x003D
BODY, RTF_COMPRESSED, HTML = 0x1000, 0x1009, 0x1013
REPORT_TEXT = 0x1001
MESSAGE_ID, REFERENCES, IN_REPLY_TO = 0x1035, 0x1039, 0x1042
ORIGINAL_MESSAGE_ID = 0x1046
ENTRY_ID, DISPLAY_NAME, ADDRESS_TYPE, EMAIL_ADDRESS = 0x0FFF, 0x3001, 0x3002, 0x3003
CREATION_TIME, MODIFICATION_TIME = 0x3007, 0x3008
ATTACH_DATA, ATTACH_EXTENSION, ATTACH_FILE_NAME, ATTACH_METHOD = 0x3701, 0x3703, 0x3704, 0x3705
ATTACH_LONG_FILE_NAME, ATTACH_PATH_NAME, ATTACH_LONG_PATH_NAME = 0x3707, 0x3708, 0x370D
ATTACH_MIME_TAG, ATTACH_CONTENT_ID, ATTACH_CONTENT_LOCATION = 0x370E, 0x3712, 0x3713
ATTACH_FLAGS, ATTACHMENT_HIDDEN = 0x3714, 0x7FFE
SMTP_ADDRESS = 0x39FE
INTERNET_CODE_PAGE, MESSAGE_CODE_PAGE = 0x3FDE, 0x3FFD
SENDER_SMTP_ADDRESS, REPRESENTING_SMTP_ADDRESS = 0x5D01, 0x5D02

BY_VALUE, BY_REFERENCE, EMBEDDED, OLE = 1, 2, 5, 6
"""Ways in which an attachment's content is kept (`ATTACH_METHOD`); 3, 4 and 7 are references too."""

MAX_DEPTH = 20
"""Items enclosed in one another more deeply than this are left out, with a word about it."""

_WINDOWS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_CODE_PAGES = {
    932: "cp932",
    936: "gb18030",
    949: "cp949",
    950: "big5hkscs",
    1200: "utf-16-le",
    20127: "cp1252",
    20866: "koi8-r",
    20932: "euc-jp",
    21866: "koi8-u",
    28591: "cp1252",
    28599: "cp1254",
    50220: "iso2022_jp_ext",
    50221: "iso2022_jp_ext",
    50222: "iso2022_jp_ext",
    51932: "euc-jp",
    51949: "cp949",
    52936: "hz",
    54936: "gb18030",
    65000: "utf-7",
    65001: "utf-8",
}
"""Code page number → codec, where `cp<number>` is not its name. 8859-1 and -9 are read as Windows' own pages."""

_DEFAULT_CODEC = "cp1252"


class OutlookError(ValueError):
    """Bytes that are no Outlook item, or one too damaged to be read; the message says what was seen."""


@dataclass(slots=True)
class Properties:
    """Properties by tag id, as (type, bytes); of one id met twice the first that holds anything counts."""

    values: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def put(self, tag: int, kind: int, value: bytes) -> None:
        """Keeps a property, unless its id is known with a value."""
        known = self.values.get(tag)
        if known is None or not known[1]:
            self.values[tag] = (kind, value)

    def text(self, tag: int, codec: str = _DEFAULT_CODEC) -> str:
        """A text, without the NUL that ends it; "" where there is none."""
        kind, value = self.values.get(tag, (UNICODE, b""))
        if kind == UNICODE:
            return value.decode("utf-16-le", "replace").rstrip("\x00")
        if kind == STRING8 and _is_wide(value):
            return value.decode("utf-16-le", "replace").rstrip("\x00")
        if kind in (STRING8, BINARY):
            return decode8(value, codec).rstrip("\x00")
        return ""

    def number(self, tag: int) -> int | None:
        """An integer or a flag."""
        kind, value = self.values.get(tag, (0, b""))
        if kind not in (INTEGER16, INTEGER32, BOOLEAN) or len(value) < FIXED_SIZES[kind]:
            return None
        return int.from_bytes(value[: FIXED_SIZES[kind]], "little", signed=kind != BOOLEAN)

    def binary(self, tag: int) -> bytes | None:
        """The bytes of a binary property (or of a text, as they were kept)."""
        kind, value = self.values.get(tag, (0, b""))
        return value if kind in (BINARY, OBJECT, STRING8, UNICODE) else None

    def time(self, tag: int) -> datetime | None:
        """An instant in UTC, to the second; None where it is missing or beyond reason."""
        kind, value = self.values.get(tag, (0, b""))
        if kind != TIME or len(value) < 8:
            return None
        ticks = int.from_bytes(value[:8], "little")
        if not 0 < ticks < 2**63:
            return None
        try:
            instant = _WINDOWS_EPOCH + timedelta(seconds=ticks // 10_000_000)
        except OverflowError:
            return None
        return instant if 1970 <= instant.year <= 2200 else None

    @property
    def codec(self) -> str:
        """The codec of 8-bit texts, by the item's code pages."""
        for tag in (MESSAGE_CODE_PAGE, INTERNET_CODE_PAGE):
            codec = codec_of_page(self.number(tag))
            if codec and codec != "utf-16-le":
                return codec
        return _DEFAULT_CODEC


@dataclass(slots=True)
class Attachment:
    """A file or an enclosed item, by its properties. `content` is None where it holds no bytes of its own."""

    properties: Properties
    content: bytes | None = None
    item: "Item | None" = None


@dataclass(slots=True)
class Item:
    """One Outlook item. `problems` says what of it could not be read."""

    properties: Properties = field(default_factory=Properties)
    recipients: list[Properties] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def codec(self) -> str:
        """The codec of its 8-bit texts."""
        return self.properties.codec

    def text(self, tag: int) -> str:
        """A text of the item itself."""
        return self.properties.text(tag, self.codec)

    @property
    def message_class(self) -> str:
        """`IPM.Note` and its like; "" where the item does not tell."""
        return self.text(MESSAGE_CLASS).strip()

    def all_problems(self) -> Iterator[str]:
        """What could not be read of this item and of those enclosed in it."""
        yield from self.problems
        for attachment in self.attachments:
            if attachment.item is not None:
                yield from attachment.item.all_problems()


_MAIL_CLASSES = (
    "ipm.note",
    "ipm.schedule.meeting",
    "ipm.post",
    "ipm.taskrequest",
    "ipm.recall",
    "ipm.outlook.recall",
    "ipm.sharing",
    "ipm.replication",
    "ipm.microsoft mail",
    "ipm.microsoft schedule",
    "ipm.infopathform",
    "ipm.voicenotes",
    "report",
)
"""Classes (and all classes below them) whose items are sent from one person to another."""

_NO_MAIL_CLASSES = ("ipm.post.rss", "ipm.note.rules", "ipm.note.storagequotawarning.rules")


def is_mail_class(message_class: str) -> bool:
    """Whether items of a class are mails: notes, meeting requests, reports, posts; not contacts, tasks or appointments.

    An item that names no class is taken for a note, as Outlook does. Source: [MS-OXCMSG] §2.2.1.3, [MS-OXOCAL].
    """
    name = message_class.strip().casefold()
    if name in ("", "ipm"):
        return True

    def is_below(parents: tuple[str, ...]) -> bool:
        return any(name == parent or name.startswith(f"{parent}.") for parent in parents)

    return is_below(_MAIL_CLASSES) and not is_below(_NO_MAIL_CLASSES)


def codec_of_page(page: int | None) -> str | None:
    """The Python codec of a Windows code page; None where it is unknown."""
    if page is None or page <= 0:
        return None
    try:
        return codecs.lookup(_CODE_PAGES.get(page, f"cp{page}")).name
    except LookupError:
        return None


def _is_wide(value: bytes) -> bool:
    """Whether text that is told to be 8-bit is UTF-16 of Latin letters, as some programs write it."""
    return len(value) >= 4 and not any(value[1:64:2]) and all(value[:62:2])


def decode8(value: bytes, codec: str) -> str:
    """8-bit text: by its code page where it fits, else UTF-8, else its code page with losses."""
    for candidate in (codec, "utf-8"):
        try:
            return value.decode(candidate)
        except (UnicodeError, LookupError):
            continue
    return value.decode(codec if codec != "utf-16-le" else _DEFAULT_CODEC, "replace")
