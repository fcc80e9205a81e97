"""One mail's bytes turned into what it says: `parse`.

Belongs here: the parsed mail and the guards around parsing. Does not belong here: tickets (`mail_batch`), threads.

The raw bytes are the record; everything here is derived from them and can be made again.
"""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_tz

from transforms.mail_addresses import parse_addresses
from transforms.mail_automatic import Kind, bounced_ids, kind_of, list_addresses
from transforms.mail_dates import parse_date, parse_instant
from transforms.mail_headers import (
    EPOCH,
    MailAddress,
    decode_base64,
    decode_text,
    parse_ids,
    parse_message_id,
    unfold,
)
from transforms.mail_mime import Part, parse_mime, split_header
from transforms.mail_parts import MailAttachment, MailBody, read_body
from transforms.mail_place import place_of
from transforms.mail_senders import forwarded_from, true_sender
from transforms.model import RawRecord, Rejected, utc
from transforms.outlook.convert import NotAMailError, convert, is_outlook
from transforms.outlook.mapi import OutlookError
from transforms.quoted_text import fingerprints, packed
from transforms.text import clean_text, one_line
from transforms.thread_model import MailHeaders
from transforms.thread_numbers import ticket_numbers

FUTURE_TOLERANCE = timedelta(days=2)
"""A Date this far behind the instant at which the mail arrived is not believed."""

SEPARATOR_TOLERANCE = timedelta(days=31)
"""The same where only an mbox separator tells the arrival: programs that export mails fill it in as they like."""

_FOLDER_DATA = "DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
"""Subject of what UW IMAP, Dovecot and Alpine write into an mbox file as its first mail."""

_ORIGINALS = (
    "X-Original-From",
    "X-Google-Original-From",
    "X-Original-Sender",
    "X-MailFrom-Original",
    "X-Envelope-Original-From",
)
"""Headers in which lists keep the writer, best first."""

_KNOWN_HEADER = re.compile(
    rb"^(?:from|to|cc|bcc|date|subject|received|message-id|mime-version|content-[a-z-]{1,40}|return-path|reply-to"
    rb"|sender|delivered-to|envelope-to|in-reply-to|references|resent-[a-z-]{1,20}|list-[a-z-]{1,30}|x-[!-9;-~]{1,60}"
    rb"|thread-(?:index|topic)|dkim-signature|arc-[a-z-]{1,40}|authentication-results|received-spf|auto-submitted"
    rb"|organi[sz]ation|user-agent|importance|precedence|newsgroups|path|status|lines|errors-to|apparently-to"
    rb"|disposition-notification-to|comments|keywords)[ \t]*:",
    re.M | re.I,
)
"""One of these tells a mail: any bytes may hold a line that has the form of a header."""


CONTENT_DOMAIN = "content.deskbridge.invalid"
"""Domain of the identities that we make for mails without a Message-ID; no real id can end so (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """What one mail says. All text is decoded and safe, all instants are UTC.

    `from_` is the header's sender, `sender` the person who wrote (a list's rewriting undone). `text` is for
    reading: plain text where the mail has it, else its HTML as text; `plain` only what was sent as plain text.
    `date_basis` says where `sent_at` comes from: `date`, `internal_date` (the server's), `received`,
    `envelope` (an mbox separator), or `none` (1970-01-01, with a warning; in a ticket it takes the time of the
    last dated mail). `header_date` is what the Date header says, believed or not. `attachments` are MIME parts;
    `embedded` are files that were written into the text, wrapped in a signature or in parts that no header announces.
    """

    remote_id: str
    message_id: str | None
    in_reply_to: tuple[str, ...]
    reference_ids: tuple[str, ...]
    from_: MailAddress | None
    sender: MailAddress | None
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    reply_to: tuple[MailAddress, ...]
    subject: str
    sent_at: datetime
    date_basis: str
    header_date: datetime | None
    text: str
    plain: str
    html: str | None
    attachments: tuple[MailAttachment, ...]
    embedded: tuple[MailAttachment, ...]
    kind: Kind
    kind_reason: str
    bounced_ids: tuple[str, ...]
    warnings: tuple[str, ...]
    place: str = ""
    """Where the mail lay when it was read, in words."""
    bare_ids: tuple[str, ...] = ()
    """Those of `in_reply_to` and `reference_ids` that were written without angles: no ids by RFC 5322."""
    thread_index: str | None = None
    list_addresses: tuple[str, ...] = ()
    forwarded_from: MailAddress | None = None
    """Who wrote the mail that this one hands on, where it is a forward that tells."""

    @property
    def is_automatic(self) -> bool:
        """Whether a program wrote it: it never counts as anybody's answer."""
        return self.kind != "person"

    @property
    def identity(self) -> str | None:
        """By which the same mail is known again: its Message-ID; one made from its content where it has none.

        Copies that came by other ways differ in their Received lines, not in what was written. A mail without
        a date of its own or without any content is like too many others: it has no identity.
        """
        if self.message_id is not None:
            return self.message_id
        if self.date_basis != "date" or not (self.text.strip() or self.attachments):
            return None
        parts = [
            self.sender.address if self.sender else "",
            *sorted(person.address for person in (*self.to, *self.cc)),
            self.sent_at.isoformat(),
            self.subject,
            " ".join(self.text.split()),
            *(attachment.sha256 for attachment in self.attachments),
        ]
        digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
        return f"<{digest[:32]}@{CONTENT_DOMAIN}>"

    @property
    def participants(self) -> tuple[str, ...]:
        """Addresses that take part, the writer's first; lists do not take part, they only hand on."""
        people = [self.sender, self.from_, *self.to, *self.cc, *self.reply_to, self.forwarded_from]
        found = dict.fromkeys(p.address for p in people if p and p.address)
        return tuple(each for each in found if each not in self.list_addresses)

    @property
    def headers(self) -> MailHeaders:
        """What threading needs to know. Made anew at each call: fingerprints take a millisecond or so."""
        prints = fingerprints(self.text)
        numbers = ticket_numbers(self.subject, self.text)
        return MailHeaders(
            remote_id=self.remote_id,
            message_id=self.identity,
            in_reply_to=self._as_written(self.in_reply_to),
            reference_ids=self._as_written(self.reference_ids),
            bounced_ids=self.bounced_ids,
            subject=self.subject,
            participants=self.participants,
            sent_at=self.sent_at,
            sender=self.sender.address if self.sender and self.sender.address else None,
            thread_index=self.thread_index,
            numbers=numbers.certain,
            possible_numbers=numbers.possible,
            text_numbers=numbers.in_text,
            own_prints=packed(prints.own),
            quoted_prints=packed(prints.quoted),
            quoted_people=prints.quoted_people,
            list_addresses=self.list_addresses,
        )

    def _as_written(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.strip("<>") if each in self.bare_ids else each for each in ids)


def parse(record: RawRecord) -> ParsedMail | Rejected:
    """What a mail says; never an exception.

    Outlook's items (`.msg` files, TNEF) are read as the mails that they are. Rejected are only a tombstone, an empty
    payload, bytes without a single header that mails have, Outlook's items that are no mails (contacts, tasks) or too damaged.
    All else gives a mail, with warnings where something had to be guessed.
    """
    if record.is_tombstone:
        return _rejected(record, "withdrawn by the source")
    if not record.payload.strip():
        return _rejected(record, "empty mail", str(record.location.get("problem", "")))
    warnings: list[str] = []
    payload = record.payload.lstrip()
    if is_outlook(record.payload):
        try:
            converted = convert(record.payload)
        except NotAMailError as error:
            return _rejected(record, "no mail", str(error))
        except OutlookError as error:
            return _rejected(record, "Outlook item not understood", str(error))
        except Exception as error:  # noqa: BLE001 - one item never stops a run
            return _rejected(
                record, "Outlook item not understood", f"{type(error).__name__}: {error}"
            )
        payload = converted.mail
        warnings += converted.problems
    elif not _KNOWN_HEADER.search(record.payload[:65_536]):
        return _rejected(
            record,
            "not a mail: no header",
            f"no From, To, Date, Subject or other header of a mail; it begins with {record.payload[:60]!r}",
        )
    try:
        message = parse_mime(payload)
        body = read_body(message)
    except Exception as error:  # noqa: BLE001 - whatever the standard library trips over, the mail is kept
        warnings.append(f"body not understood ({type(error).__name__}), kept as plain text")
        message, body = _plainly(payload)
    if message.get("Subject").startswith(_FOLDER_DATA):
        return _rejected(record, "no mail: a mail server's notes on the folder")
    try:
        return _parsed(record, message, body, warnings)
    except Exception as error:  # noqa: BLE001 - the last guard: one mail never stops a run
        return _rejected(record, "mail not understood", f"{type(error).__name__}: {error}")


def _plainly(payload: bytes) -> tuple[Part, MailBody]:
    """Headers parsed alone, the rest taken as text."""
    message = split_header(payload)
    text = clean_text(message.body.decode("utf-8", "replace"))
    return message, MailBody(text=text, plain=text)


def _rejected(record: RawRecord, reason: str, detail: str = "") -> Rejected:
    where = place_of(record.location)
    told = f"{detail} ({where})" if where else detail
    return Rejected(record.stream, record.remote_id, reason, told.strip()[:500])


def _parsed(record: RawRecord, message: Part, body: MailBody, warnings: list[str]) -> ParsedMail:
    def header(name: str) -> str:
        return unfold(message.get(name))

    charset = header_charset(message)

    def addresses(name: str) -> tuple[MailAddress, ...]:
        values = message.get_all(name)
        return tuple(entry for value in values for entry in parse_addresses(value, charset))

    def first_ids(name: str) -> tuple[str, ...]:
        # RFC 5322 §3.6: these stand once; where they stand again, the first that says something counts.
        return next(filter(None, map(parse_ids, message.get_all(name))), ())

    senders = addresses("From") or addresses("Sender")
    from_ = next((each for each in senders if each.address), senders[0] if senders else None)
    cc, reply_to = addresses("Cc"), addresses("Reply-To")
    originals = tuple(each for name in _ORIGINALS for each in addresses(name))
    lists = list_addresses(header)
    sender = true_sender(header, from_, reply_to, cc, originals, lists, addresses("X-MailFrom"))
    subject = decode_text(message.get("Subject"), charset)
    kind, kind_reason = kind_of(header, message, from_, subject, body)
    sent_at, basis = _sent_at(message, record, warnings)
    if sender is None or not sender.address:
        warnings.append("no sender address")
    return ParsedMail(
        remote_id=record.remote_id,
        message_id=next(filter(None, map(parse_message_id, message.get_all("Message-ID"))), None),
        in_reply_to=first_ids("In-Reply-To"),
        reference_ids=first_ids("References"),
        from_=from_,
        sender=sender,
        to=addresses("To"),
        cc=cc,
        reply_to=reply_to,
        subject=subject,
        sent_at=sent_at,
        date_basis=basis,
        header_date=next(filter(None, map(parse_instant, message.get_all("Date"))), None),
        text=body.text,
        plain=body.plain,
        html=body.html,
        attachments=tuple(body.attachments),
        embedded=tuple(body.embedded),
        kind=kind,
        kind_reason=one_line(kind_reason)[:200],
        bounced_ids=bounced_ids(kind, body),
        warnings=tuple(dict.fromkeys([*warnings, *body.warnings])),
        place=place_of(record.location),
        bare_ids=tuple(
            each
            for name in ("In-Reply-To", "References")
            for raw in message.get_all(name)[:1]
            if "<" not in raw and "=?" not in raw
            for each in parse_ids(raw)
        ),
        thread_index=thread_index(header("Thread-Index")),
        list_addresses=lists,
        forwarded_from=forwarded_from(subject, body.text, body.enclosed, charset)
        if kind == "person"
        else None,
    )


def thread_index(raw: str) -> str | None:
    """What all mails of an Outlook conversation share of their Thread-Index: 16 bytes, as hex digits.

    Source: MS-OXOMSG §2.2.1.3 (PidTagConversationIndex): a reserved byte, five of time, a GUID, then five bytes
    for each answer.
    """
    content = decode_base64(raw.encode("ascii", "replace"))[:22]
    guid = content[6:]
    return guid.hex() if len(guid) == 16 and any(guid) else None


def header_charset(message: Part) -> str | None:
    """What 8-bit text in headers is likely to be in: the charset of the mail's first text."""
    pending = [message]
    while pending:
        part = pending.pop(0)
        label = part.content_type.token("charset")
        if label:
            return label
        pending = part.parts[:10] + pending[:100]
    return None


def _sent_at(message: Part, record: RawRecord, warnings: list[str]) -> tuple[datetime, str]:
    """When the mail was sent, and by what: the Date header, unless it is missing, absurd or of the future."""
    arrived = list(_arrivals(message, record))
    raw = message.get("Date")
    date = parse_date(raw) if raw else None
    latest = max((instant for instant, _ in arrived), default=None)
    only_separator = all(basis == "envelope" for _, basis in arrived)
    tolerance = SEPARATOR_TOLERANCE if only_separator else FUTURE_TOLERANCE
    if date is not None and (latest is None or date <= latest + tolerance):
        return date, "date"
    found = "no Date header" if not raw else f"Date {decode_text(raw)[:60]!r} is not believable"
    if arrived:
        warnings.append(f"{found}; its arrival is taken")
        return arrived[0]
    warnings.append(f"{found} and nothing else tells; 1970-01-01 is taken")
    return EPOCH, "none"


def _arrivals(message: Part, record: RawRecord) -> list[tuple[datetime, str]]:
    found: list[tuple[datetime, str]] = []
    internal = record.location.get("internal_date")
    if isinstance(internal, str):
        with suppress(ValueError):
            found.append((utc(datetime.fromisoformat(internal)), "internal_date"))
    for value in message.get_all("Received")[:1]:
        instant = parse_date(value.rpartition(";")[2])
        if instant is not None:
            found.append((instant, "received"))
    envelope = record.location.get("envelope")
    if isinstance(envelope, str):
        instant = _envelope_date(envelope)
        if instant is not None and instant > EPOCH:
            found.append((instant, "envelope"))
    return found


def _envelope_date(envelope: str) -> datetime | None:
    """The instant in an mbox separator, `sender Mon Sep 17 00:00:00 2001` (UTC by RFC 4155)."""
    _, _, rest = envelope.partition(" ")
    return parse_date(rest) if parsedate_tz(rest) else None
