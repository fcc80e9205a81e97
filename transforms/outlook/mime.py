"""An Outlook item as the mail that it is: bytes as RFC 5322 and MIME know them, always the same for the same item.

Belongs here: which headers, texts and files a mail is made of. Does not belong here: file formats (`msg`, `tnef`),
reading mails (`mail_message`, which reads these like any other).

Headers with which the mail came are kept as they are, but for those that described its parts; what they do not say
comes from the item's properties.
"""

import base64
import re
from collections.abc import Iterator
from datetime import datetime

from transforms.outlook import mapi
from transforms.outlook.compressed_rtf import decompress_rtf
from transforms.outlook.mapi import Attachment, Item, OutlookError, codec_of_page, decode8
from transforms.outlook.media_types import media_type_of
from transforms.outlook.people import Person, everybody
from transforms.outlook.rtf import RtfBody, read_rtf

_HEADER = re.compile(r"([!-9;-~]{1,200}):[ \t]*(.*)", re.S)
_FOLDED = re.compile(r"\r?\n(?=[^ \t])")
_SPACES = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_MAIL_ADDRESS = re.compile(r"[^\s<>@]@[^\s<>@]+\.[^\s<>@]")
_DATE_WORDS = re.compile(r"\d{1,2}\s+[A-Za-z]{3}\s+\d{4}.*\d\d:\d\d")
_META_CHARSET = re.compile(rb"<meta[^>]*charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.I)
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

TRANSPORT_LIMIT = 500_000
"""Letters of transport headers that are read."""


def to_mail(item: Item, depth: int = 0) -> bytes:
    """The mail of an item, in ASCII but for headers that came with 8-bit text.

    What could not be read is added to the `problems` of the item.
    """
    headers = _transport_headers(item)
    names = {name.casefold() for name, _ in headers}
    head = [f"{name}: {value}" for name, value in headers]
    head += [
        f"{name}: {value}"
        for name, value in _own_headers(item, headers)
        if name.casefold() not in names
    ]
    signed = _signed_entity(item)
    content = signed if signed is not None else _entity(item, depth)
    lines = "\r\n".join(head).encode("utf-8", "surrogatepass")
    return lines + b"\r\nMIME-Version: 1.0\r\n" + content


def _transport_headers(item: Item) -> list[tuple[str, str]]:
    """The headers with which it came, without those of its parts, and those that say less than the properties."""
    text = (
        item.text(mapi.TRANSPORT_HEADERS)[:TRANSPORT_LIMIT]
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )
    found: list[tuple[str, str]] = []
    for line in _FOLDED.split(text.lstrip("\n").partition("\n\n")[0]):
        match = _HEADER.fullmatch(line)
        if match is None:
            continue
        name, value = match[1], match[2].rstrip().replace("\x00", "").replace("\n", "\r\n")
        low = name.casefold()
        if low.startswith("content-") or low == "mime-version" or not value.strip():
            continue
        if low == "from" and not _MAIL_ADDRESS.search(value):
            continue
        if low == "subject" and not value.isascii() and item.text(mapi.SUBJECT):
            continue
        if low == "date" and not _DATE_WORDS.search(value):
            continue
        found.append((name, value))
    return found


def _own_headers(item: Item, headers: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Headers out of the properties; the caller takes those that the mail did not bring."""
    for name, people in everybody(item):
        # The table of recipients that a mail with headers of its own has is the same, with less of it.
        if name in ("From", "Sender") or not any(each.casefold() == "to" for each, _ in headers):
            written = ", ".join(_person(person) for person in people if person)
            if written:
                yield name, written
    yield "Subject", _words(subject_of(item))
    instant = sent_at(item)
    if instant is not None:
        yield "Date", _date(instant)
    ids = {
        "Message-ID": mapi.MESSAGE_ID,
        "In-Reply-To": mapi.IN_REPLY_TO,
        "References": mapi.REFERENCES,
    }
    for name, tag in ids.items():
        value = _SPACES.sub(" ", item.text(tag)[:50_000]).strip()
        if value:
            yield name, value
    topic = _SPACES.sub(" ", item.text(mapi.CONVERSATION_TOPIC)).strip()
    if topic:
        yield "Thread-Topic", _words(topic)
    index = item.properties.binary(mapi.CONVERSATION_INDEX)
    if index:
        yield "Thread-Index", base64.b64encode(index[:700]).decode("ascii")
    if report_type(item) is not None:
        yield "Auto-Submitted", "auto-replied"


def subject_of(item: Item) -> str:
    """The subject; a PST leads it with two letters that say how long its prefix is."""
    text = item.text(mapi.SUBJECT)
    if text.startswith("\x01"):
        text = text[2:]
    if not text.strip():
        text = item.text(mapi.SUBJECT_PREFIX) + item.text(mapi.NORMALISED_SUBJECT)
    return _SPACES.sub(" ", text).strip()


def sent_at(item: Item) -> datetime | None:
    """When it was sent; else when it came; for what was never sent, when it was made."""
    tags = (
        mapi.CLIENT_SUBMIT_TIME,
        mapi.DELIVERY_TIME,
        mapi.CREATION_TIME,
        mapi.MODIFICATION_TIME,
    )
    return next(filter(None, map(item.properties.time, tags)), None)


def report_type(item: Item) -> str | None:
    """The kind of report that an item is: `delivery-status`, `disposition-notification`; None for all else."""
    name = item.message_class.casefold()
    if not name.startswith("report."):
        return None
    return "delivery-status" if name.endswith((".ndr", ".dr")) else "disposition-notification"


def _entity(item: Item, depth: int) -> bytes:
    """Content headers, blank line and content."""
    texts = [_text_part(text, subtype) for subtype, text in _texts(item)]
    body = _multipart("alternative", texts, f"{depth}a") if len(texts) > 1 else texts[0]
    files = [part for each in item.attachments if (part := _file(each, item, depth)) is not None]
    returned = _returned_headers(item)
    if returned is not None:
        files.append(returned)
    report = report_type(item)
    if report is not None and (item.message_class.casefold().endswith(".ndr")):
        return _multipart(f"report; report-type={report}", [body, *files], f"{depth}m")
    return _multipart("mixed", [body, *files], f"{depth}m") if files else body


def _multipart(kind: str, parts: list[bytes], mark: str) -> bytes:
    # Enclosed mails carry another depth in theirs, and all else is base64, which has no underscore.
    boundary = f"=_deskbridge_{mark}"
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'
    joined = b"".join(f"--{boundary}\r\n".encode("ascii") + part + b"\r\n" for part in parts)
    return head.encode("ascii") + joined + f"--{boundary}--\r\n".encode("ascii")


def _text_part(text: str, subtype: str) -> bytes:
    head = (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode("ascii") + base64.encodebytes(text.encode("utf-8", "replace"))


def _texts(item: Item) -> list[tuple[str, str]]:
    """Plain text and HTML of the body, each where there is one; at least an empty plain text."""
    plain, html = item.text(mapi.BODY), _html(item)
    rtf = None if html else _rtf(item)
    if rtf is not None:
        if rtf.is_html:
            html = rtf.text
        elif not plain:
            plain = rtf.text
    plain = plain or item.text(mapi.REPORT_TEXT)
    found = [("plain", plain)] if plain.strip() else []
    if html.strip():
        found.append(("html", html))
    return found or [("plain", "")]


def _rtf(item: Item) -> RtfBody | None:
    compressed = item.properties.binary(mapi.RTF_COMPRESSED)
    if not compressed:
        return None
    try:
        return read_rtf(decompress_rtf(compressed))
    except OutlookError as error:
        item.problems.append(f"formatted body: {error}")
        return None


def _html(item: Item) -> str:
    kind, value = item.properties.values.get(mapi.HTML, (0, b""))
    if kind == mapi.UNICODE:
        return item.text(mapi.HTML)
    if kind not in (mapi.BINARY, mapi.STRING8):
        return ""
    if value.startswith((b"\xff\xfe", b"<\x00")):
        return (
            value.decode("utf-16", "replace")
            if value[:1] == b"\xff"
            else value.decode("utf-16-le", "replace")
        )
    codec = codec_of_page(item.properties.number(mapi.INTERNET_CODE_PAGE))
    match = _META_CHARSET.search(value[:4096])
    if codec is None and match is not None:
        name = match[1].decode("ascii").lower()
        codec = "utf-8" if name == "utf-8" else None
    return decode8(value, codec or item.codec).rstrip("\x00")


def _file(attachment: Attachment, item: Item, depth: int) -> bytes | None:
    """An attachment as a part; None, with a word about it, where it has no content."""
    name = file_name_of(attachment, item.codec)
    if attachment.item is not None:
        inner = to_mail(attachment.item, depth + 1)
        title = name or subject_of(attachment.item) or "message"
        head = (
            "Content-Type: message/rfc822\r\n"
            f"Content-Disposition: attachment; {_parameter('filename', f'{title}.eml')}\r\n\r\n"
        )
        return head.encode("ascii") + inner
    if attachment.content is None:
        path = attachment.properties.text(mapi.ATTACH_LONG_PATH_NAME, item.codec)
        path = path or attachment.properties.text(mapi.ATTACH_PATH_NAME, item.codec)
        told = f"is a link to {path[:200]}" if path else "has no content"
        item.problems.append(f"attachment {name[:100] or 'without a name'} {told}")
        return None
    told_type = attachment.properties.text(mapi.ATTACH_MIME_TAG, item.codec).strip()
    media_type = media_type_of(name)
    if _TOKEN.fullmatch(told_type) and not told_type.lower().startswith(("multipart/", "message/")):
        media_type = told_type
    content_id = _SPACES.sub("", attachment.properties.text(mapi.ATTACH_CONTENT_ID, item.codec))
    is_inline = bool(content_id) and (
        bool(attachment.properties.number(mapi.ATTACHMENT_HIDDEN))
        or bool((attachment.properties.number(mapi.ATTACH_FLAGS) or 0) & 4)
        or media_type.lower().startswith("image/")
    )
    head = f"Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n"
    named = f"; {_parameter('filename', name)}" if name else ""
    head += f"Content-Disposition: {'inline' if is_inline else 'attachment'}{named}\r\n"
    if content_id.isascii() and content_id:
        head += f"Content-ID: <{content_id.strip('<>')[:500]}>\r\n"
    return head.encode("ascii") + b"\r\n" + base64.encodebytes(attachment.content)


def file_name_of(attachment: Attachment, codec: str) -> str:
    """The name that people see: the long one, else the short one, else the display name; "" where there is none."""
    for tag in (mapi.ATTACH_LONG_FILE_NAME, mapi.ATTACH_FILE_NAME, mapi.DISPLAY_NAME):
        name = _SPACES.sub(" ", attachment.properties.text(tag, codec)).strip()
        if name:
            return name[:255]
    return ""


def _returned_headers(item: Item) -> bytes | None:
    """For a report, the id of the mail that it is about, as a bounce would return it."""
    returned = _SPACES.sub("", item.text(mapi.ORIGINAL_MESSAGE_ID)) or _SPACES.sub(
        "", item.text(mapi.IN_REPLY_TO)
    )
    if report_type(item) is None or not returned.startswith("<") or not returned.isascii():
        return None
    return (
        b"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: "
        + returned[:990].encode("ascii")
        + b"\r\n"
    )


def _signed_entity(item: Item) -> bytes | None:
    """The whole MIME entity of a mail with a clear signature, which Outlook keeps as its only attachment."""
    if not item.message_class.casefold().endswith(".smime.multipartsigned"):
        return None
    contents = [each.content for each in item.attachments if each.content]
    if len(contents) != 1 or contents[0].lstrip()[:13].lower() != b"content-type:":
        return None
    return contents[0].lstrip()


def _person(person: Person) -> str:
    name, address = _SPACES.sub(" ", person.name).strip(), person.address
    if not address:
        # A name that holds an @ would be read as an address.
        name = name.replace("@", " at ")
        return f'"{_quoted(name)}"' if name.isascii() else _words(name)
    if not address.isascii():
        address = _words(address)
    if not name or name.casefold() == address.casefold():
        return f"<{address}>"
    return f'"{_quoted(name)}" <{address}>' if name.isascii() else f"{_words(name)} <{address}>"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _words(text: str) -> str:
    """Text for a header: as it is where it is plain ASCII, else in encoded words of whole letters."""
    text = _SPACES.sub(" ", text).strip()
    if text.isascii() and "=?" not in text:
        return text
    pieces = [text[start : start + 12] for start in range(0, len(text), 12)]
    words = (base64.b64encode(piece.encode("utf-8", "replace")).decode("ascii") for piece in pieces)
    return "\r\n ".join(f"=?utf-8?B?{word}?=" for word in words)


def _parameter(name: str, value: str) -> str:
    """A parameter of a header, in RFC 2231's form where it is no plain ASCII."""
    if value.isascii() and not set(value) & set('"\\\r\n\x00'):
        return f'{name}="{value}"'
    encoded = "".join(
        chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in value.encode("utf-8", "replace")
    )
    return f"{name}*=utf-8''{encoded}"


def _date(instant: datetime) -> str:
    return (
        f"{_DAYS[instant.weekday()]}, {instant.day:02} {_MONTHS[instant.month - 1]} {instant.year} "
        f"{instant:%H:%M:%S} +0000"
    )
