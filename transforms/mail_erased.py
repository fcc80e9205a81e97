"""A mail without anybody's words: who took part, when, in which conversation, and what sort of mail it was.

Belongs here: the bytes that stand for a mail of somebody who was erased. Does not belong here: which mails these are.

What is written parses to the same conversation, the same instant, the same kind and the same writer as the mail did, so
that no figure moves: ids, references and date stay, a bounce stays a bounce of the same mails. Subjects become one word
per conversation (a subject joins mails), and the reference to the conversation's first mail stands even where that mail
had been found by words that are gone.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from email.utils import format_datetime, formataddr

from transforms.mail_headers import MailAddress
from transforms.mail_message import ParsedMail

ERASED = "[erased]"

BOUNDARY = "erased"

Replace = Callable[[str], str | None]
"""Address → what stands for it; None: it stays."""


def erased_mail(
    mail: ParsedMail,
    ticket_remote_id: str,
    root: str | None,
    replaced: Replace,
    is_own: Callable[[str], bool],
) -> str:
    """The text of the mail that is kept.

    Args:
        mail: what it said.
        ticket_remote_id: its conversation.
        root: the Message-ID of the conversation's first mail; None where this one is it.
        replaced: addresses of erased people and what stands for them.
        is_own: whether an address is the desk's own or an agent's: their names stay, nobody else's does.
    """
    lines: list[str] = []

    def add(name: str, value: str | None) -> None:
        if value:
            lines.append(f"{name}: {value}")

    sender = mail.sender if mail.sender is not None and mail.sender.address else mail.from_
    answers = (mail.forwarded_from,) if mail.forwarded_from is not None else mail.reply_to
    add("Message-ID", mail.identity)
    add("Date", format_datetime(mail.sent_at) if mail.date_basis != "none" else None)
    add("From", _people([sender] if sender else [], replaced, is_own))
    add("To", _people(mail.to, replaced, is_own))
    add("Cc", _people(mail.cc, replaced, is_own))
    add("Reply-To", _people([one for one in answers if one], replaced, is_own))
    add("In-Reply-To", " ".join(mail.headers.in_reply_to))
    references = mail.headers.reference_ids
    if root is not None and root != mail.identity and root not in references:
        references = (root, *references)
    add("References", " ".join(references))
    add("Subject", f"{ERASED} {_word(ticket_remote_id)}")
    add("Thread-Index", _thread_index(mail.thread_index))
    add("List-Post", ", ".join(f"<mailto:{address}>" for address in mail.list_addresses))
    if mail.kind == "auto_reply":
        add("Auto-Submitted", "auto-replied")
    elif mail.kind == "bulk":
        add("Auto-Submitted", "auto-generated")
    add("MIME-Version", "1.0")
    if mail.kind == "bounce":
        return "\n".join([*lines, *_report(mail.bounced_ids)])
    return "\n".join([*lines, "Content-Type: text/plain; charset=utf-8", "", ERASED, ""])


def _report(bounced_ids: Sequence[str]) -> list[str]:
    """A delivery report (RFC 3464) that names the mails that came back, and says nothing of them."""
    told = [
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{BOUNDARY}"',
        "",
        f"--{BOUNDARY}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        ERASED,
    ]
    for message_id in bounced_ids:
        told += [
            f"--{BOUNDARY}",
            "Content-Type: text/rfc822-headers",
            "",
            f"Message-ID: {message_id}",
            "",
        ]
    return [*told, f"--{BOUNDARY}--", ""]


def _people(people: Sequence[MailAddress], replaced: Replace, is_own: Callable[[str], bool]) -> str:
    return ", ".join(_person(one, replaced, is_own) for one in people if one.address)


def _person(person: MailAddress, replaced: Replace, is_own: Callable[[str], bool]) -> str:
    address = replaced(person.address) or person.address
    if person.name and address.isascii() and is_own(address):
        return formataddr((person.name, address))
    return f"<{address}>"


def _word(ticket_remote_id: str) -> str:
    """A word that all mails of a conversation share and no other has; letters alone, so that it is no number."""
    digest = hashlib.sha256(ticket_remote_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return digest.translate(str.maketrans("0123456789", "ghijklmnop"))


def _thread_index(guid: str | None) -> str | None:
    return base64.b64encode(bytes(6) + bytes.fromhex(guid)).decode() if guid else None
