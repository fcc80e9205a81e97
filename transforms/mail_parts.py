"""The body of a mail: its readable text, its HTML, its attachments.

Belongs here: which part is text, which is a file. Does not belong here: where parts begin and end (`mail_mime`),
files inside text (`mail_embedded`), header fields, what a mail means.

An attachment is every leaf except text/plain and text/html parts that have no file name and are not marked
`attachment`; an enclosed message (`message/…`) is one attachment and is not looked into.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

from transforms.mail_charsets import codec_of, decode_bytes
from transforms.mail_embedded import EmbeddedFile, signed_content, take_files
from transforms.mail_headers import unfold
from transforms.mail_mime import Part, is_base64, parse_mime, split_header
from transforms.mail_parameters import parse_structured
from transforms.outlook.mapi import OutlookError
from transforms.outlook.mime import to_mail
from transforms.outlook.tnef import MAGIC as TNEF_MAGIC
from transforms.outlook.tnef import read_tnef
from transforms.text import clean_text, html_to_text, one_line
from transforms.text_files import safe_file_name
from transforms.text_forms import calendar_to_text, enriched_to_text, unflow, without_armor

_META_CHARSET = re.compile(rb"<meta[^>]{0,500}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.I)

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
    "application/pgp-encrypted": ".asc",
    "application/pgp-signature": ".asc",
    "application/pgp-keys": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/ms-tnef": ".dat",
}
_TEXTS = frozenset({"text/plain", "text/html"})
_WRAPPED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_UNREADABLE_TEXTS = frozenset(
    {
        "text/rtf",
        "text/xml",
        "text/css",
        "text/javascript",
        "text/csv",
        "text/vcard",
        "text/x-vcard",
    }
    | {"text/x-amp-html", "text/rfc822-headers", "text/directory", "text/watch-html", *_TEXTS}
)
_REPORTS = frozenset({"message/delivery-status", "message/feedback-report"})

MAX_OTHERWISE = 20
"""Most texts of other types that are shown where there is no plain text and no HTML."""

Origin = Literal["part", "guessed", "uuencode", "yenc", "signed", "tnef"]
"""How a file hangs in its mail: as a MIME part; as a part that no header announces; written into
the text; inside of an S/MIME signature; inside of winmail.dat."""


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
    origin: Origin = "part"

    @property
    def safe_name(self) -> str:
        """The name as one that any file system takes and that hides nothing from the reader."""
        return safe_file_name(self.file_name, default="attachment")


@dataclass(slots=True)
class MailBody:
    """What was found in a mail's body. `plain` is only what was sent as plain text, as it was sent."""

    text: str = ""
    plain: str = ""
    html: str | None = None
    attachments: list[MailAttachment] = field(default_factory=list)
    embedded: list[MailAttachment] = field(default_factory=list)
    """Files that are no MIME parts of the mail as it was sent (see `Origin`)."""
    enclosed: list[Part] = field(default_factory=list)
    """Enclosed messages, their headers read, for bounces."""
    reports: list[bytes] = field(default_factory=list)
    """Delivery reports and complaints for machines (`message/delivery-status`, `message/feedback-report`)."""
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


def read_body(message: Part) -> MailBody:
    """The body of a parsed mail; each leaf ends up in the text, the HTML or the attachments."""
    reader = _Reader()
    found = reader.read(message)
    body = reader.body
    body.plain = clean_text("\n".join(found.plain))
    body.html = "\n".join(found.html) if found.html else None
    shown = [html_to_text(text) if is_html else text for is_html, text in found.shown]
    shown = [text for text in shown if text.strip()] or reader.otherwise[:MAX_OTHERWISE]
    body.text = clean_text("\n".join(shown))
    return body


class _Reader:
    """Goes through the tree of one mail, once."""

    def __init__(self) -> None:
        self.body = MailBody()
        self.otherwise: list[str] = []
        """What is shown where nothing else is: invitations and other texts for programs."""
        self._origin: Origin = "part"

    def read(self, part: Part) -> _Found:
        if part.is_guessed:
            self.body.warnings.append("parts that no header announces")
            outer, self._origin = self._origin, "guessed"
            found = self._read(part)
            self._origin, found.plain = outer, []
        else:
            found = self._read(part)
        if part.stray.strip():
            # Lines between header fields: where the blank line behind the header is missing, this is the text.
            self.body.warnings.append("lines in the header that are no header fields")
            stray = decode_bytes(part.stray, part.content_type.token("charset"))
            found.shown.insert(0, (part.media_type == "text/html", stray))
        return found

    def _read(self, part: Part) -> _Found:
        media_type = part.media_type
        if media_type.startswith("multipart/"):
            return self._multipart(part)
        if media_type.startswith("message/"):
            self._enclose(part)
            return _Found()
        if media_type in _TEXTS and disposition(part) != "attachment" and not file_name(part):
            return self._text(part)
        content = part.content
        self._attach(part, content)
        if content.startswith(TNEF_MAGIC) and self._origin != "tnef":
            return self._unpacked(content)
        if media_type in _WRAPPED and self._origin != "signed":
            return self._signed(content)
        if media_type.startswith("text/") and media_type not in _UNREADABLE_TEXTS:
            self._other_text(part, content)
        return _Found()

    def _multipart(self, part: Part) -> _Found:
        if part.is_uncut:
            self.body.warnings.append("parts nested too deeply")
            self._attach(part, part.body, default_name="message.eml")
            return _Found()
        if not part.parts:
            self.body.warnings.append("a multipart without parts")
            return _Found(shown=self._text(part).shown)
        found = _Found()
        if part.media_type != "multipart/alternative":
            for each in part.parts:
                found.add(self.read(each))
            return found
        choices = [self.read(each) for each in part.parts]
        readable = [choice for choice in choices if any(text.strip() for _, text in choice.shown)]
        chosen = next(
            (choice for choice in readable if choice.plain), readable[0] if readable else None
        )
        for choice in choices:
            found.add(choice, is_shown=choice is chosen)
        return found

    def _text(self, part: Part) -> _Found:
        content = part.content
        if part.encoding == "base64" and not is_base64(part.body):
            self.body.warnings.append("text labelled as base64 that is none")
            content = part.body
        is_html = part.media_type == "text/html"
        text = self._decoded(content, part.content_type.token("charset"), is_html=is_html)
        text = text.removeprefix("\ufeff")
        if not text.strip():
            return _Found()
        if is_html:
            return _Found(html=[text], shown=[(True, text)])
        shown, files = take_files(text, content)
        for each in files:
            self.body.embedded.append(_embedded(each))
        if "-----BEGIN PGP SIGNED" in shown:
            shown = without_armor(shown)
        if part.content_type.token("format").lower() == "flowed":
            shown = unflow(shown, is_delsp=part.content_type.token("delsp").lower() == "yes")
        return _Found([text], [], [(False, shown)])

    def _decoded(self, content: bytes, label: str, *, is_html: bool = False) -> str:
        if is_html and not label:
            match = _META_CHARSET.search(content[:4096])
            label = match[1].decode("ascii") if match else ""
        if label and codec_of(label) is None:
            self.body.warnings.append(f"unknown charset {one_line(label)[:40]}")
        return decode_bytes(content, label)

    def _other_text(self, part: Part, content: bytes) -> None:
        """Texts of other types: files too, and what a person reads where nothing else is readable.

        RFC 2046 §4.1.4: a type of text that is not known is to be treated like plain text.
        """
        if disposition(part) == "attachment":
            return
        if part.media_type in ("text/enriched", "text/richtext", "text/calendar"):
            text = self._decoded(content, part.content_type.token("charset"))
            is_calendar = part.media_type == "text/calendar"
            self.otherwise.append(calendar_to_text(text) if is_calendar else enriched_to_text(text))
        elif not file_name(part):
            self.otherwise.append(self._decoded(content, part.content_type.token("charset")))

    def _signed(self, content: bytes) -> _Found:
        """The mail inside of an S/MIME signature that wraps it; nothing of one that is encrypted."""
        inner = signed_content(content)
        if inner is None:
            return _Found()
        outer, self._origin = self._origin, "signed"
        found = self.read(parse_mime(inner))
        self._origin = outer
        return _Found([], found.html, found.shown)

    def _unpacked(self, content: bytes) -> _Found:
        """The files in winmail.dat, and its text, which is shown where the mail has none of its own."""
        try:
            item = read_tnef(content)
            inner = parse_mime(to_mail(item))
        except OutlookError as error:
            self.body.warnings.append(f"winmail.dat not unpacked: {error}")
            return _Found()
        self.body.warnings += dict.fromkeys(f"winmail.dat: {each}" for each in item.all_problems())
        outer, self._origin = self._origin, "tnef"
        found = self.read(inner)
        self._origin = outer
        self.otherwise += (html_to_text(text) if is_html else text for is_html, text in found.shown)
        return _Found([], found.html, [])

    def _enclose(self, part: Part) -> None:
        """Takes an enclosed message as one attachment, and keeps it for who looks for a bounced mail's id."""
        content = part.content
        if part.media_type in _REPORTS:
            self.body.reports.append(content)
        elif part.media_type in ("message/rfc822", "message/global", "message/partial"):
            self.body.enclosed.append(parse_header(content))
        self._attach(part, content, default_name="message.eml")

    def _attach(self, part: Part, content: bytes, default_name: str = "") -> None:
        name = file_name(part)
        extension = _EXTENSIONS.get(part.media_type, ".bin")
        content_id = one_line(unfold(part.get("content-id"))).strip("<> ")
        files = self.body.attachments if self._origin == "part" else self.body.embedded
        files.append(
            MailAttachment(
                file_name=name or default_name or f"attachment{extension}",
                is_named=bool(name),
                media_type=part.media_type,
                content=content,
                sha256=hashlib.sha256(content).hexdigest(),
                content_id=content_id or None,
                is_inline=disposition(part) != "attachment" and bool(content_id),
                origin=self._origin,
            )
        )


def parse_header(content: bytes) -> Part:
    """An enclosed message's header; blank lines before it are passed over."""
    return split_header(content.lstrip(b"\r\n"))


def _embedded(file: EmbeddedFile) -> MailAttachment:
    return MailAttachment(
        file_name=file.file_name or "attachment.bin",
        is_named=bool(file.file_name),
        media_type="application/octet-stream",
        content=file.content,
        sha256=hashlib.sha256(file.content).hexdigest(),
        content_id=None,
        is_inline=False,
        origin=file.encoding,
    )


def file_name(part: Part) -> str:
    """The decoded name of a part, "" where it has none, as sent."""
    raw = part.get("content-disposition")
    name = parse_structured(raw).text("filename") if raw else None
    if not name and part.content_type.raw_parameters:
        name = part.content_type.text("name")
    return one_line(name)[:255] if name else ""


def disposition(part: Part) -> str:
    """`attachment`, `inline`, …; "" where the part does not say."""
    raw = part.get("content-disposition")
    return raw.partition(";")[0].strip().lower() if raw else ""
