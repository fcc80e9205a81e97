"""Ticket numbers in mails: `ticket_numbers`.

Belongs here: the forms in which helpdesks write a ticket's number into subjects and texts. Does not belong here:
whether such a ticket exists, and what a number joins (`threads`).

A number is `certain` where its form says that a helpdesk wrote it (`[#123]`, `[Ticket#123]`, `[## 123 ##]`, the
reference of Zendesk's mails); words such as `ticket 123` in a sentence may mean anybody's ticket.

Source: the subject formats in the documents of Freshdesk (`[#{{ticket.id}}]`), Zendesk (`[Request received]`, encoded
id `[ABC123-4DE5]`), Zammad, OTRS and Znuny (`[Ticket#…]`), Request Tracker (`[name #…]`), osTicket, Zoho Desk.
"""

import re
from dataclasses import dataclass

MOST_NUMBERS = 10
"""Numbers of one mail that are kept: a list of tickets in a report is no evidence."""

SCANNED = 20_000
"""Letters of a text that are looked through."""

_BRACKETED = re.compile(
    r"\[(?:[^\[\]#\n]{0,40}?[\s:])?(?:ticket|case|request|anfrage|talep|fall|vorgang|sr|ref)?\s*(?:#{1,2}|no\.?|nr\.?|id)"
    r"\s*:?\s*(\d{1,17})\s*(?:##)?\s*\]"
    r"|\[\s*(?:ticket|case|request|anfrage|talep|vorgang)\s*[:#-]?\s*(\d{1,17})\s*\]",
    re.I,
)
_WORDED = re.compile(
    r"\b(?:ticket|case|request|support request|anfrage|vorgang|vorgangsnummer|ticketnummer|talep|bilet|destek talebi"
    r"|demande|solicitud|richiesta|zgłoszenie)\s*(?:number|nummer|numarası|no\.?|nr\.?|id|n°|#|№)?\s*[:#]?\s*#?(\d{1,17})\b",
    re.I,
)
_ZENDESK = re.compile(r"\[([A-Z0-9]{6}-[A-Z0-9]{4,5})\]")


@dataclass(frozen=True, slots=True)
class TicketNumbers:
    """Numbers that a mail carries, as written and without leading zeros, each once."""

    certain: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()
    in_text: tuple[str, ...] = ()


def ticket_numbers(subject: str, text: str) -> TicketNumbers:
    """The ticket numbers that a mail names: certain ones, possible ones of the subject, and those in the text.

    The text may quote anything and speak of any ticket; only Zendesk's reference is certain there: nobody types it.
    """
    text = text[:SCANNED]
    certain = [*_numbers(_BRACKETED, subject), *_ZENDESK.findall(subject), *_ZENDESK.findall(text)]
    possible = _numbers(_WORDED, subject)
    in_text = [*_numbers(_BRACKETED, text), *_numbers(_WORDED, text)]
    known = dict.fromkeys(certain)
    others = [each for each in dict.fromkeys(possible) if each not in known]
    rest = [each for each in dict.fromkeys(in_text) if each not in known and each not in others]
    return TicketNumbers(
        tuple(known)[:MOST_NUMBERS], tuple(others[:MOST_NUMBERS]), tuple(rest[:MOST_NUMBERS])
    )


def _numbers(pattern: re.Pattern[str], text: str) -> list[str]:
    found = (next(filter(None, match.groups())) for match in pattern.finditer(text))
    return [number.lstrip("0") or "0" for number in found]
