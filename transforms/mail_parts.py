"""The body of a mail: its readable text, its HTML, its attachments.

Belongs here: MIME structure, read leniently. Does not belong here: header fields, what a mail means.

An attachment is every leaf except text/plain and text/html parts that have no file name and are not marked
`attachment`; an enclosed message (`message/…`) is one attachment and is not looked into.
"""

import hashlib
import io
import quopri
import re
from dataclasses import dataclass, field
from email import message_from_bytes
from email._policybase import Compat32
from email.generator import BytesGenerator
from email.message import Message

from transforms.mail_charsets import codec_of, decode_bytes
from transforms.mail_headers import decode_base64, decode_text, unfold
from transforms.text import clean_text, html_to_text, one_line

PARAMETERS_LIMIT = 10_000
"""Letters of a Content-… header that are read: each parameter asked for costs a pass over all of them."""


class _RawPolicy(Compat32):
    """Gives header values as they were sent (8-bit bytes as surrogate escapes) instead of guessing at them."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        if name.lower().startswith("content-"):
            value = value[:PARAMETERS_LIMIT]
        return value.replace("\r", "").replace("\n", "")


RAW_POLICY = _RawPolicy()
"""The policy with which mails are parsed here; the standard ones raise on headers of real mails."""

_META_CHARSET = re.compile(rb"<meta[^>]*charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.I)

MAX_DEPTH = 60
"""Parts nested deeper than this are taken as one attachment."""

_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/calendar": ".ics",
    "text/x-vcard": ".vcf",
    "text/vcard": ".vcf",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/json": ".json",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/ms-tnef": ".dat",
}


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A file of a mail. `file_name` is as sent, decoded and cleaned, never to be used as a path; `content` decoded."""

    file_name: str
    is_named: bool
    media_type: str
    content: bytes
    sha256: str
    content_id: str | None
    is_inline: bool


@dataclass(slots=True)
class MailBody:
    """What was found in a mail's body. `plain` is only what was sent as plain text."""

    text: str = ""
    plain: str = ""
    html: str | None = None
    attachments: list[MailAttachment] = field(default_factory=list)
    enclosed: list[Message] = field(default_factory=list)
    """Enclosed messages and delivery reports, for bounces."""
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """What a part holds: all plain texts, all HTML, and what a person is to read, in order (is HTML, content)."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    shown: list[tuple[bool, str]] = field(default_factory=list)

    def add(self, other: "_Found", *, is_shown: bool = True) -> None:
        self.plain += other.plain
        self.html += other.html
        if is_shown:
            self.shown += other.shown


def read_body(message: Message) -> MailBody:
    """The body of a parsed mail; each leaf ends up in the text, the HTML or the attachments."""
    body = MailBody()
    found = _read(message, body, depth=0)
    body.plain = clean_text("\n".join(found.plain))
    body.html = "\n".join(found.html) if found.html else None
    shown = (html_to_text(text) if is_html else text for is_html, text in found.shown)
    body.text = clean_text("\n".join(text for text in shown if text.strip()))
    return body


def _read(part: Message, body: MailBody, depth: int) -> _Found:
    if part.get_content_maintype() == "multipart":
        parts = _children(part)
        if not parts:
            return _text(part, body, is_html=False)
        if depth < MAX_DEPTH:
            return _read_all(part, parts, body, depth)
        body.warnings.append("parts nested too deeply")
        body.attachments.append(_attachment(part, flatten(part), "message.eml"))
        return _Found()
    if part.get_content_maintype() == "message":
        _enclose(part, body)
        return _Found()
    is_text = part.get_content_type() in ("text/plain", "text/html")
    if is_text and not file_name(part) and _disposition(part) != "attachment":
        return _text(part, body, is_html=part.get_content_subtype() == "html")
    body.attachments.append(_attachment(part, content_of(part), ""))
    return _Found()


def _read_all(part: Message, parts: list[Message], body: MailBody, depth: int) -> _Found:
    found = _Found()
    if part.get_content_subtype() != "alternative":
        for each in parts:
            found.add(_read(each, body, depth + 1))
        return found
    choices = [_read(each, body, depth + 1) for each in parts]
    readable = [choice for choice in choices if any(text.strip() for _, text in choice.shown)]
    chosen = next(
        (choice for choice in readable if choice.plain), readable[0] if readable else None
    )
    for choice in choices:
        found.add(choice, is_shown=choice is chosen)
    return found


def _text(part: Message, body: MailBody, *, is_html: bool) -> _Found:
    content = content_of(part)
    label = parameter(part, "charset")
    if is_html and not label:
        match = _META_CHARSET.search(content[:4096])
        label = match[1].decode("ascii") if match else None
    if label and codec_of(label) is None:
        body.warnings.append(f"unknown charset {one_line(label)[:40]}")
    text = decode_bytes(content, label)
    if not text.strip():
        return _Found()
    return (
        _Found(html=[text], shown=[(True, text)])
        if is_html
        else _Found([text], [], [(False, text)])
    )


def _enclose(part: Message, body: MailBody) -> None:
    """Takes an enclosed message as one attachment, and keeps it for who looks for a bounced mail's id."""
    inner = _children(part)
    content = b"\n".join(flatten(each) for each in inner) if inner else content_of(part)
    if inner and _encoding(part) in ("base64", "quoted-printable"):
        decode = decode_base64 if _encoding(part) == "base64" else quopri.decodestring
        content = decode(content)
        inner = [message_from_bytes(content, policy=RAW_POLICY)]
    body.enclosed += inner
    body.attachments.append(_attachment(part, content, "message.eml"))


def _attachment(part: Message, content: bytes, default_name: str) -> MailAttachment:
    name = file_name(part)
    media_type = part.get_content_type()
    content_id = one_line(unfold(part.get("Content-ID", ""))).strip("<> ")
    return MailAttachment(
        file_name=name or default_name or f"attachment{_EXTENSIONS.get(media_type, '.bin')}",
        is_named=bool(name),
        media_type=media_type,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        content_id=content_id or None,
        is_inline=_disposition(part) != "attachment" and bool(content_id),
    )


def content_of(part: Message) -> bytes:
    """The decoded bytes of a leaf."""
    inner = _children(part)
    if inner:
        return b"\n".join(flatten(each) for each in inner)
    # get_payload() would decode 8-bit text by its label, with losses where the label is wrong.
    payload = part._payload  # type: ignore[attr-defined]
    data = text_bytes(payload if isinstance(payload, str) else "")
    encoding = _encoding(part)
    if encoding == "quoted-printable":
        return quopri.decodestring(data)
    if encoding == "base64":
        return decode_base64(data)
    if encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        decoded = part.get_payload(decode=True)
        return decoded if isinstance(decoded, bytes) else data
    return data


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return (
        [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []
    )


def text_bytes(text: str) -> bytes:
    """The bytes of text that the parser gave."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def flatten(message: Message) -> bytes:
    """The bytes of an enclosed message, as near to the original as the parser kept them."""
    out = io.BytesIO()
    try:
        BytesGenerator(out, mangle_from_=False, maxheaderlen=0).flatten(message)
    except (UnicodeError, ValueError, TypeError, LookupError, AttributeError, IndexError):
        head = "".join(f"{name}: {value}\n" for name, value in message.raw_items())
        return text_bytes(head) + b"\n" + content_of(message)
    return out.getvalue()


def file_name(part: Message) -> str:
    """The decoded name of a part, "" where it has none; path separators and control characters are no names."""
    name = parameter(part, "filename", "content-disposition") or parameter(part, "name")
    return one_line(name)[:255] if name else ""


def parameter(part: Message, name: str, header: str = "content-type") -> str | None:
    """A parameter of a header, decoded from RFC 2231, RFC 2047 (not allowed there, but common) or 8-bit text."""
    try:
        value = part.get_param(name, header=header)
    except (ValueError, IndexError, TypeError, LookupError, AttributeError):
        match = re.search(rf"{name}\*?=\"?([^\";]+)", unfold(part.get(header, "")), re.I)
        value = match[1] if match else None
    if isinstance(value, tuple):
        charset, _, text = value
        try:
            return decode_bytes(text.encode("latin-1"), charset)
        except UnicodeEncodeError:
            return decode_text(text, charset)
    return decode_text(value) if value else None


def _disposition(part: Message) -> str:
    return unfold(part.get("Content-Disposition", "")).partition(";")[0].strip().lower()


def _encoding(part: Message) -> str:
    return unfold(part.get("Content-Transfer-Encoding", "")).partition(";")[0].strip(" '\"").lower()
