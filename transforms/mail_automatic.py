"""Who really wrote a mail, and whether a person did: automatic answers, bounces, bulk mail, rewritten senders.

Belongs here: verdicts from headers. Does not belong here: what is done about them (an automatic mail stays part
of the history; the verdict only keeps it from counting as an answer).

Source: RFC 3834 (Auto-Submitted), RFC 3464 (delivery reports), RFC 2919/2369 (list headers).
"""

import re
from collections.abc import Callable, Sequence
from email.message import Message
from typing import Literal

from transforms.mail_headers import MailAddress, parse_ids, parse_message_id
from transforms.mail_parts import MailBody

Kind = Literal["person", "auto_reply", "bounce", "bulk"]
"""`bulk` is a newsletter or a notification that a program sends; discussion lists are persons' mail."""

Header = Callable[[str], str]
"""Gives the unfolded value of a header by its name, "" where the mail has none."""

_DISCUSSION_MARKS = (
    "List-Post",
    "X-Mailman-Version",
    "X-BeenThere",
    "Mailing-List",
    "X-Mailing-List",
    "X-ML-Name",
)
"""Headers of lists that people write to; newsletters have List-Unsubscribe without them."""

_MAILER = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|mdaemon|mail\.daemon)(?:@|$)", re.I)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|undelivered|delivery (?:status|failure|has failed|report)|delivery.*fail"
    r"|returned mail|mail (?:delivery|system error)|failure notice|could not be delivered"
    r"|nicht zustellbar|unzustellbar|teslim edilemedi|iletilemedi|non remis",
    re.I,
)
_AUTO_SUBJECT = re.compile(
    r"^\W*(?:auto(?:matic)?[ -]?(?:reply|response|matische antwort)|automatische (?:antwort|r[üu]ckantwort)"
    r"|out of (?:the )?office|abwesenheit|otomatik (?:yan[ıi]t|cevap)|ofis d[ıi][şs][ıi]|vacation (?:reply|notice)"
    r"|r[ée]ponse automatique|absence du bureau|respuesta autom[áa]tica|risposta automatica|autosvar"
    r"|automatisch antwoord)",
    re.I,
)
_VIA = re.compile(r"^(?P<name>.+?)[\"']?\s+via\s+\S.*$", re.I)
_RETURNED_ID = re.compile(r"^[>\s]*message-id:\s*(<[^<>\s]+>)", re.I | re.M)


def kind_of(
    header: Header, message: Message, sender: MailAddress | None, subject: str
) -> tuple[Kind, str]:
    """What sort of mail it is, and the header or words that say so ("" for a person's).

    X-Auto-Response-Suppress alone proves nothing: it asks *us* not to answer and stands in many persons' mail.
    """
    bounce = _bounce_sign(header, message, sender, subject)
    if bounce:
        return "bounce", bounce
    auto = _auto_sign(header, subject)
    if auto:
        return "auto_reply", auto
    bulk = _bulk_sign(header)
    return ("bulk", bulk) if bulk else ("person", "")


def _bounce_sign(header: Header, message: Message, sender: MailAddress | None, subject: str) -> str:
    if message.get_content_type() == "multipart/report":
        report = str(message.get_param("report-type") or "").lower()
        if report != "disposition-notification":
            return f"multipart/report {report}".strip()
    if header("X-Failed-Recipients"):
        return "X-Failed-Recipients"
    is_mailer = sender is not None and bool(_MAILER.match(sender.address or sender.name))
    is_null = header("Return-Path").strip() == "<>"
    if (is_mailer or is_null) and _BOUNCE_SUBJECT.search(subject):
        return "a mail system's report"
    if is_mailer and sender is not None and not sender.address.startswith("postmaster"):
        return "sent by a mail system"
    return ""


def _auto_sign(header: Header, subject: str) -> str:
    submitted = header("Auto-Submitted").partition(";")[0].strip().lower()
    if submitted.startswith(("auto-replied", "auto-notified")):
        return f"Auto-Submitted: {submitted}"
    for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponse", "X-Auto-Reply-From"):
        value = header(name).lower()
        if value and value not in ("no", "false"):
            return name
    if header("Precedence").lower() in ("auto_reply", "auto-reply"):
        return "Precedence: auto_reply"
    if (
        header("X-MS-Exchange-Inbox-Rules-Loop")
        and "all" in header("X-Auto-Response-Suppress").lower()
    ):
        return "X-Auto-Response-Suppress: All, made by a mailbox rule"
    if _AUTO_SUBJECT.match(subject):
        return "its subject is an automatic answer's"
    return ""


def _bulk_sign(header: Header) -> str:
    """A program's mail that answers nothing; what a discussion list hands on is a person's."""
    submitted = header("Auto-Submitted").partition(";")[0].strip().lower()
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted}"
    if any(map(header, (*_DISCUSSION_MARKS, "In-Reply-To", "References"))):
        return ""
    precedence = header("Precedence").lower()
    if precedence in ("bulk", "junk"):
        return f"Precedence: {precedence}"
    return "List-Unsubscribe" if header("List-Unsubscribe") else ""


def true_sender(
    header: Header,
    sender: MailAddress | None,
    reply_to: Sequence[MailAddress],
    cc: Sequence[MailAddress],
    originals: Sequence[MailAddress],
) -> MailAddress | None:
    """Who wrote the mail, where a list or a forwarder put its own address into From ("NAME via LIST").

    Tries X-Original-From and its like, then the first Reply-To that is not the rewriter, then a Cc entry of
    the same name. None where nothing tells: the From address itself would be wrong.
    """
    if sender is None:
        return reply_to[0] if reply_to else None
    name = _via_name(sender.name)
    original = next(
        (each for each in originals if each.address and each.address != sender.address), None
    )
    if name is None:
        return original if original is not None and _is_list_address(header, sender) else sender
    if original is not None:
        return MailAddress(original.name or name, original.address)
    others = [each for each in reply_to if each.address and each.address != sender.address]
    if others:
        return MailAddress(others[0].name or name, others[0].address)
    same = [each for each in cc if each.address and each.name.casefold() == name.casefold()]
    return same[0] if same else sender


def _via_name(name: str) -> str | None:
    match = _VIA.match(name)
    return match["name"].strip(" \"'") if match else None


def _is_list_address(header: Header, sender: MailAddress) -> bool:
    return bool(sender.address) and sender.address in header("List-Post").lower()


def bounced_ids(kind: Kind, body: MailBody) -> tuple[str, ...]:
    """Message-IDs of the mails that a bounce returns: from the enclosed message or headers, else quoted in the text."""
    if kind != "bounce":
        return ()
    ids: list[str] = []
    for message in body.enclosed:
        found = parse_message_id(message.get("Message-ID", ""))
        if found:
            ids.append(found)
    for attachment in body.attachments:
        if attachment.media_type in ("text/rfc822-headers", "message/rfc822-headers"):
            ids += _quoted_ids(attachment.content.decode("utf-8", "replace"))
    if not ids:
        ids = _quoted_ids(body.plain or body.text)
    return tuple(dict.fromkeys(ids))


def _quoted_ids(text: str) -> list[str]:
    return [each for raw in _RETURNED_ID.findall(text) for each in parse_ids(raw)]
