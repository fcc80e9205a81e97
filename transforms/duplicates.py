"""Tickets that are the same request twice: the same mail, or the same words from the same person at once.

Belongs here: when a ticket is a duplicate of an older one, and why. Does not belong here: merges that the
source itself made, reading tickets or writing links.

A duplicate points to its primary, the older ticket. A primary is never itself a duplicate, so there are no
chains and no cycles; nothing is ever linked across clients.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rapidfuzz import fuzz

ACROSS_SOURCES = timedelta(minutes=60)
"""How far apart two tickets of different sources may be opened and still be one request."""

IN_ONE_SOURCE = timedelta(minutes=5)
"""The same within one source: a form sent twice, not the same trouble again."""

ALIKE_ACROSS_SOURCES = 90.0
"""How alike subject and text must be, 0 to 100 (share of letters in the same order)."""

ALIKE_IN_ONE_SOURCE = 97.0

ALIKE_SAME_MAIL = 60.0
"""Words that two tickets with one Message-ID must share: some programs give one id to all their mails."""

SHORTEST = 20
"""Letters of subject and text below which words prove nothing ("help", "question")."""

LONGEST = 1_000
"""Letters of the text that are compared: what follows is mostly quotation and signature."""

MOST_COMPARED = 200
"""Earlier tickets of one requester that a ticket is compared with, newest first: a monitoring system may open
thousands within the hour."""

_REPLY_MARKS = re.compile(r"^(?:\s*(?:re|aw|fwd?|wg|sv|ynt|ilt|tr|antw)\s*(?:\[\d+\])?\s*:)+", re.I)
_BLANKS = re.compile(r"\s+")
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class TicketText:
    """What is compared of a ticket. `text` is the first message; `message_id` that mail's, if it was one."""

    ticket_key: str
    client_key: str
    source_key: str
    requester_key: str | None
    subject: str
    text: str
    created_at: datetime
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """`ticket_key` is the same request as the older `duplicate_of_key`. `score` is 0 to 100."""

    ticket_key: str
    duplicate_of_key: str
    reason: str
    score: float


def find_duplicates(
    tickets: Iterable[TicketText],
    candidates: Iterable[TicketText] = (),
    known: Mapping[str, str] | None = None,
) -> list[Duplicate]:
    """The duplicates among `tickets`, and between them and `candidates`.

    Call it with all tickets, or with the new ones and, as candidates, those that were looked at before and
    could match: the same client, the same requester within an hour, or the same Message-ID. Tickets that
    have ended as merged, deleted or spam are for the caller to leave out.

    Args:
        tickets: those to be looked at; what was known of them as duplicates is found anew or falls away.
        candidates: those that were looked at before; two of them are not compared again. One that is also
            in `tickets` counts as a ticket.
        known: duplicate → primary, as found before. A known duplicate among the candidates stays one.

    Returns:
        Links in the order in which their duplicates were opened. Where an older ticket comes in late, the
        former primary becomes its duplicate, and links of `known` that pointed to it are given anew: each
        `ticket_key` here replaces the link it had.
    """
    known = known or {}
    new = {ticket.ticket_key: ticket for ticket in tickets}
    every = {ticket.ticket_key: ticket for ticket in candidates} | new
    dependents: dict[str, list[str]] = {}
    for duplicate, primary in known.items():
        dependents.setdefault(primary, []).append(duplicate)
    found: list[Duplicate] = []
    primaries = _Primaries()
    for ticket in sorted(every.values(), key=lambda one: (one.created_at, one.ticket_key)):
        if ticket.ticket_key in known and ticket.ticket_key not in new:
            continue
        one = _Compared.of(ticket, is_new=ticket.ticket_key in new)
        link = primaries.match(one)
        if link is None:
            primaries.add(one)
            continue
        found.append(link)
        for key in sorted(dependents.get(ticket.ticket_key, ())):
            if key not in new:
                reason = f"duplicate of {ticket.ticket_key}, which is one itself: {link.reason}"
                found.append(Duplicate(key, link.duplicate_of_key, reason, link.score))
    return found


@dataclass(frozen=True, slots=True)
class _Compared:
    """A ticket with its words in the form in which they are compared."""

    ticket: TicketText
    is_new: bool
    words: str
    numbers: frozenset[str]

    @classmethod
    def of(cls, ticket: TicketText, *, is_new: bool) -> "_Compared":
        subject = _REPLY_MARKS.sub("", ticket.subject)
        words = _BLANKS.sub(" ", f"{subject} {ticket.text[: 2 * LONGEST]}").strip().casefold()
        words = words[:LONGEST]
        return cls(ticket, is_new, words, frozenset(_NUMBERS.findall(words)))


class _Primaries:
    """The primaries so far, by client and requester, and by client and Message-ID."""

    def __init__(self) -> None:
        self._of_requester: dict[tuple[str, str], list[_Compared]] = {}
        self._of_mail: dict[tuple[str, str], list[_Compared]] = {}

    def add(self, one: _Compared) -> None:
        """Makes a ticket one that later ones may be duplicates of."""
        ticket = one.ticket
        if ticket.requester_key is not None:
            self._of_requester.setdefault((ticket.client_key, ticket.requester_key), []).append(one)
        if ticket.message_id:
            self._of_mail.setdefault((ticket.client_key, ticket.message_id), []).append(one)

    def match(self, one: _Compared) -> Duplicate | None:
        """The link to the primary that the ticket repeats: the same mail first, then the most alike."""
        links = [*self._same_mail(one)] or [*self._same_words(one)]
        # The first of the best: the oldest.
        return max(links, key=lambda link: link.score, default=None)

    def _same_mail(self, one: _Compared) -> Iterator[Duplicate]:
        ticket = one.ticket
        for primary in self._of_mail.get((ticket.client_key, ticket.message_id or ""), ()):
            if not (one.is_new or primary.is_new):
                continue
            score = fuzz.token_set_ratio(primary.words, one.words)
            if primary.words == one.words or score >= ALIKE_SAME_MAIL:
                key = primary.ticket.ticket_key
                where = _where(primary.ticket, ticket)
                yield Duplicate(ticket.ticket_key, key, f"same Message-ID {where}", round(score, 1))

    def _same_words(self, one: _Compared) -> Iterator[Duplicate]:
        ticket = one.ticket
        if ticket.requester_key is None or len(one.words) < SHORTEST:
            return
        earlier = self._of_requester.get((ticket.client_key, ticket.requester_key), [])
        links = []
        for primary in earlier[: -MOST_COMPARED - 1 : -1]:
            apart = ticket.created_at - primary.ticket.created_at
            if apart > ACROSS_SOURCES:
                break
            is_one_source = primary.ticket.source_key == ticket.source_key
            if (is_one_source and apart > IN_ONE_SOURCE) or not (one.is_new or primary.is_new):
                continue
            # Two orders, two invoices, two machines: texts that differ in a number are two requests.
            if primary.numbers != one.numbers:
                continue
            cutoff = ALIKE_IN_ONE_SOURCE if is_one_source else ALIKE_ACROSS_SOURCES
            score = fuzz.ratio(primary.words, one.words, score_cutoff=cutoff)
            if score:
                minutes = int(apart.total_seconds() // 60)
                where = _where(primary.ticket, ticket)
                reason = (
                    f"same requester, {score:.0f} % the same words {where}, {minutes} min later"
                )
                links.append(
                    Duplicate(ticket.ticket_key, primary.ticket.ticket_key, reason, round(score, 1))
                )
        yield from reversed(links)


def _where(primary: TicketText, ticket: TicketText) -> str:
    if primary.source_key == ticket.source_key:
        return f"in {ticket.source_key}"
    return f"in {primary.source_key} and {ticket.source_key}"
