"""Tickets that are the same request twice: the same mail, or the same words from the same person at once.

Belongs here: when a ticket is a duplicate of an older one, and why. Does not belong here: merges that the
source itself made, reading tickets or writing links.

A duplicate points to its primary, the older ticket. A primary is never itself a duplicate, so there are no
chains and no cycles; nothing is ever linked across clients.

Who asked is known by our key, by the mailbox of an address (`+tag` and Gmail's dots left out), and, where somebody
forwarded a customer's mail, by the address that the forward names. Words are compared without what stands around
them in one copy and not in the other: reply and forward headers, quotes, signatures, punctuation.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rapidfuzz import fuzz, process

from transforms.mail_addresses import mailbox_of, normalise_address
from transforms.quote_headers import QuoteHeader, forwarded_original, quote_headers
from transforms.text import base_subject
from transforms.text_words import FUNCTION_WORDS

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

FORWARDED_WITHIN = timedelta(hours=24)
"""How far apart a customer's ticket and a forward that names the customer may be opened."""

CONTAINED = 97.0
"""How alike the shorter text and its place in the longer one must be, 0 to 100."""

SHORTEST_CONTAINED = 40
"""Letters of a text that may be found inside of another."""

MOST_ADDED = 3.0
"""How many times as long as the shorter text the longer one may be."""

MOST_TICKETS_OF_A_MAIL = 3
"""Tickets that one mail may stand in; an id that more of them have is some program's for all its mails."""

SHORTEST_THING = 4
"""Letters of a word that may name what a request is about."""

SAME_WORD = 75.0
"""How alike two words are that are one, mistyped."""

_NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "without",
        "t",
        "nicht",
        "kein",
        "keine",
        "keinen",
        "nie",
        "ohne",
        "değil",
        "yok",
        "hayır",
        "asla",
        "pas",
        "jamais",
        "sans",
        "niet",
        "geen",
        "nooit",
        "nunca",
        "sin",
        "non",
        "mai",
        "senza",
        "não",
        "sem",
        "inte",
        "aldrig",
        "ikke",
        "aldri",
        "nie",
    ]
)
"""Words that turn a request into its opposite; `t` is what is left of `don't`."""

_SMALL = frozenset().union(*FUNCTION_WORDS.values())
_WORDS = re.compile(r"\w+")
_NUMBERS = re.compile(r"\d+")
_SIGNATURE = re.compile(
    r"^(?:--\s*|_{8,}|(?:sent from my|get outlook for|von meinem .{2,40} gesendet|gesendet von|envoyé de(?:puis)? mon"
    r"|enviado desde mi|inviato da|.{2,20}(?:umdan|ümden|imden|ımdan) gönderildi)\b.*)$",
    re.I,
)
_CLOSING = re.compile(
    r"^(?:(?:with )?(?:best|kind|warm|many)?\s*(?:regards|wishes|thanks)|best|cheers|sincerely|yours \w+|thank you"
    r"|(?:mit )?(?:freundlichen|besten|vielen|liebe|viele|herzliche)n? (?:gr(?:ü|ue)(?:ß|ss)en?|dank)|mfg|lg|vg|danke"
    r"|sayg(?:ı|i)lar(?:(?:ı|i)m(?:la|(?:ı|i)zla))?|te(?:ş|s)ekk(?:ü|u)r(?:ler| ederim)|iyi (?:günler|çalışmalar)"
    r"|(?:bien )?cordialement|merci(?: d.avance)?|saludos(?: cordiales)?|(?:muchas )?gracias|(?:cordiali )?saluti|grazie"
    r"|met vriendelijke groeten?|atenciosamente|obrigad[oa]|med vänliga hälsningar|pozdrawiam)\b[\s,.!]*(?:\S+[\s,.!]*){0,3}$",
    re.I,
)
_QUOTED = re.compile(r"^\s*>")


@dataclass(frozen=True, slots=True)
class TicketText:
    """What is compared of a ticket. `text` is the first message; `message_id` that mail's, if it was one.

    `later_message_ids` are those of its other mails; `requester_address` an address of who asked.
    """

    ticket_key: str
    client_key: str
    source_key: str
    requester_key: str | None
    subject: str
    text: str
    created_at: datetime
    message_id: str | None = None
    requester_address: str | None = None
    later_message_ids: tuple[str, ...] = ()
    is_left_out: bool = False
    """Whether no figure counts it anyway (automatic, undated): then it is nobody's primary as long as another can be."""

    @property
    def rank(self) -> tuple[bool, datetime, str, str]:
        """Of two that are the same request the one of the smaller rank counts."""
        return (self.is_left_out, self.created_at, self.source_key, self.ticket_key)


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
    same: Mapping[str, tuple[str, str]] | None = None,
    apart: Collection[tuple[str, str]] = (),
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
        same: ticket → the one that it is for sure and why (`conversations`). All that hang together so are one request,
            whose members are given in `tickets` where one of them is.
        apart: pairs that people keep apart.

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
    held = frozenset(map(frozenset, apart))
    primaries = _Primaries(held)
    requests = Requests(same or {}, held)
    for ticket in sorted(every.values(), key=lambda one: one.rank):
        if ticket.ticket_key in known and ticket.ticket_key not in new:
            continue
        link = requests.link(ticket.ticket_key)
        if link is None:
            one = _Compared.of(ticket, is_new=ticket.ticket_key in new)
            link = primaries.match(one)
            if link is None:
                primaries.add(one)
            requests.note(ticket.ticket_key, link)
        if link is None:
            continue
        found.append(link)
        for key in sorted(dependents.get(ticket.ticket_key, ())):
            if key not in new:
                reason = f"duplicate of {ticket.ticket_key}, which is one itself: {link.reason}"
                found.append(Duplicate(key, link.duplicate_of_key, reason, link.score))
    return found


class Requests:
    """Tickets that are one request for sure, and the primary of each such request once it is known."""

    def __init__(
        self, same: Mapping[str, tuple[str, str]], apart: frozenset[frozenset[str]] = frozenset()
    ) -> None:
        """Puts together what hangs together.

        Args:
            same: ticket → the one that it is, and why.
            apart: pairs that are never put together, not even over a third.
        """
        self._members: dict[str, set[str]] = {}
        self._reasons: dict[str, str] = {}
        self._primaries: dict[int, str] = {}
        for key, (other, reason) in sorted(same.items()):
            ours = self._members.setdefault(key, {key})
            theirs = self._members.setdefault(other, {other})
            if any(frozenset((left, right)) in apart for left in ours for right in theirs):
                continue
            for one in (key, other):
                self._reasons[one] = min(reason, self._reasons.get(one, reason))
            ours |= theirs
            self._members.update(dict.fromkeys(theirs, ours))

    def members(self, ticket_key: str) -> frozenset[str]:
        """All tickets that are one request with this one, itself included."""
        return frozenset(self._members.get(ticket_key, {ticket_key}))

    def link(self, ticket_key: str) -> Duplicate | None:
        """The link to the request's primary, where that is known."""
        primary = self._primaries.get(id(self._members.get(ticket_key)))
        if primary is None or ticket_key not in self._reasons:
            return None
        return Duplicate(ticket_key, primary, self._reasons[ticket_key], 100.0)

    def note(self, ticket_key: str, link: Duplicate | None) -> None:
        """Says what became of the request's first ticket: a primary, or a duplicate of another request's."""
        members = self._members.get(ticket_key)
        if members is not None:
            self._primaries[id(members)] = link.duplicate_of_key if link else ticket_key


@dataclass(frozen=True, slots=True)
class _Compared:
    """A ticket with its words in the form in which they are compared, and by what its requester is known."""

    ticket: TicketText
    is_new: bool
    is_forward: bool
    words: str
    body: str
    numbers: frozenset[str]
    people: tuple[str, ...]

    @classmethod
    def of(cls, ticket: TicketText, *, is_new: bool) -> "_Compared":
        text = ticket.text[: 4 * LONGEST]
        forward = forwarded_original(text, ticket.subject)
        body = _plain(_own_text(text, forward))
        words = f"{_plain(base_subject(ticket.subject))} {body}".strip()[:LONGEST]
        people = [f"key {ticket.requester_key}"] if ticket.requester_key else []
        addresses = [ticket.requester_address] if ticket.requester_address else []
        if forward is not None and forward.sender is not None:
            addresses.append(forward.sender.address)
        people += [f"mailbox {mailbox_of(normalise_address(each))}" for each in addresses]
        numbers = frozenset(_NUMBERS.findall(words))
        is_forward = forward is not None
        return cls(
            ticket, is_new, is_forward, words, body[:LONGEST], numbers, tuple(dict.fromkeys(people))
        )


def _tell_apart(left: str, right: str) -> bool:
    """Whether both texts name things that the other one does not: a lamp here, a washing machine there.

    Or one says no where the other does not: to cancel, and not to cancel.
    Small words do not count, nor what is only written otherwise.
    """
    if set(left.split()) & _NEGATIONS != set(right.split()) & _NEGATIONS:
        return True
    ours, theirs = _things(left), _things(right)
    only_ours, only_theirs = ours - theirs, theirs - ours
    if not only_ours or not only_theirs:
        return False
    return any(_is_new(word, theirs) for word in only_ours) and any(
        _is_new(word, ours) for word in only_theirs
    )


def _things(text: str) -> set[str]:
    return {word for word in text.split() if len(word) >= SHORTEST_THING and word not in _SMALL}


def _is_new(word: str, words: set[str]) -> bool:
    return process.extractOne(word, words, scorer=fuzz.ratio, score_cutoff=SAME_WORD) is None


def _own_text(text: str, forward: QuoteHeader | None) -> str:
    """A forward's original, else what was written above quotes and signatures; all of it where that is nothing."""
    lines = text.split("\n")
    if forward is not None:
        lines = lines[forward.end_line :]
    else:
        headers = quote_headers(text)
        lines = lines[: headers[0].first_line] if headers else lines
    kept: list[str] = []
    for line in lines:
        bare = line.strip()
        if kept and (_SIGNATURE.match(bare) or (len(bare) <= 60 and _CLOSING.match(bare))):
            break
        if forward is not None or not _QUOTED.match(line):
            kept.append(line)
    own = "\n".join(kept)
    return own if own.strip() else text


def _plain(text: str) -> str:
    return " ".join(_WORDS.findall(text.casefold()))


class _Primaries:
    """The primaries so far, by client and requester, and by client and Message-ID."""

    def __init__(self, apart: frozenset[frozenset[str]]) -> None:
        self._apart = apart
        self._of_person: dict[tuple[str, str], list[_Compared]] = {}
        self._of_mail: dict[tuple[str, str], list[_Compared]] = {}

    def add(self, one: _Compared) -> None:
        """Makes a ticket one that later ones may be duplicates of."""
        ticket = one.ticket
        for person in one.people:
            self._of_person.setdefault((ticket.client_key, person), []).append(one)
        for message_id in _message_ids(ticket):
            self._of_mail.setdefault((ticket.client_key, message_id), []).append(one)

    def match(self, one: _Compared) -> Duplicate | None:
        """The link to the primary that the ticket repeats: the same mail first, then the most alike."""
        links = [*filter(self._may_be, self._same_mail(one))]
        links = links or [*filter(self._may_be, self._same_words(one))]
        # The first of the best: the oldest.
        return max(links, key=lambda link: link.score, default=None)

    def _may_be(self, link: Duplicate) -> bool:
        return frozenset((link.ticket_key, link.duplicate_of_key)) not in self._apart

    def _same_mail(self, one: _Compared) -> Iterator[Duplicate]:
        """Tickets that begin with the same mail, and those of other sources in which the mail stands further on."""
        ticket = one.ticket
        for message_id in _message_ids(ticket):
            primaries = self._of_mail.get((ticket.client_key, message_id), [])
            is_common = len(primaries) >= MOST_TICKETS_OF_A_MAIL
            for primary in primaries:
                if not (one.is_new or primary.is_new):
                    continue
                key = primary.ticket.ticket_key
                where = _where(primary.ticket, ticket)
                if message_id == ticket.message_id == primary.ticket.message_id:
                    score = fuzz.token_set_ratio(primary.words, one.words)
                    if primary.words == one.words or score >= ALIKE_SAME_MAIL:
                        reason = f"same Message-ID {where}"
                        yield Duplicate(ticket.ticket_key, key, reason, round(score, 1))
                elif (
                    message_id in (ticket.message_id, primary.ticket.message_id)
                    and not is_common
                    and primary.ticket.source_key != ticket.source_key
                ):
                    reason = f"one begins with a mail of the other {where}"
                    yield Duplicate(ticket.ticket_key, key, reason, 100.0)

    def _same_words(self, one: _Compared) -> Iterator[Duplicate]:
        ticket = one.ticket
        if len(one.words) < SHORTEST:
            return
        found: dict[str, Duplicate] = {}
        for person in one.people:
            earlier = self._of_person.get((ticket.client_key, person), [])
            for primary in earlier[: -MOST_COMPARED - 1 : -1]:
                if abs(ticket.created_at - primary.ticket.created_at) > FORWARDED_WITHIN:
                    continue
                if primary.ticket.ticket_key not in found:
                    link = _same_request(primary, one)
                    if link is not None:
                        found[primary.ticket.ticket_key] = link
        yield from reversed(found.values())


def _message_ids(ticket: TicketText) -> list[str]:
    first = [ticket.message_id] if ticket.message_id else []
    return list(dict.fromkeys([*first, *ticket.later_message_ids]))


def _same_request(primary: _Compared, one: _Compared) -> Duplicate | None:
    """The link between two tickets of one requester, where their words and times say that they are one request."""
    if not (one.is_new or primary.is_new):
        return None
    apart = abs(one.ticket.created_at - primary.ticket.created_at)
    is_one_source = primary.ticket.source_key == one.ticket.source_key
    is_forward = primary.is_forward != one.is_forward
    most = IN_ONE_SOURCE if is_one_source else ACROSS_SOURCES
    if apart > (FORWARDED_WITHIN if is_forward else most):
        return None
    # Two orders, two invoices, two machines: texts that both name numbers of their own are two requests.
    if primary.numbers - one.numbers and one.numbers - primary.numbers:
        return None
    score = _alike(primary, one, is_strict=is_one_source and not is_forward)
    if not score:
        return None
    minutes = int(apart.total_seconds() // 60)
    how = "forwarded" if is_forward else "same requester"
    where = _where(primary.ticket, one.ticket)
    reason = f"{how}, {score:.0f} % the same words {where}, {minutes} min later"
    return Duplicate(one.ticket.ticket_key, primary.ticket.ticket_key, reason, round(score, 1))


def _alike(primary: _Compared, one: _Compared, *, is_strict: bool) -> float:
    """How alike two requests are, 0 where not enough: as wholes, or one inside of the other."""
    if _tell_apart(primary.body, one.body):
        return 0.0
    has_same_numbers = primary.numbers == one.numbers
    if has_same_numbers:
        cutoff = ALIKE_IN_ONE_SOURCE if is_strict else ALIKE_ACROSS_SOURCES
        score = fuzz.ratio(primary.words, one.words, score_cutoff=cutoff)
        if score or is_strict:
            return score
    elif is_strict:
        return 0.0
    short, long = sorted((primary.body, one.body), key=len)
    if len(short) < SHORTEST_CONTAINED or len(long) > MOST_ADDED * len(short):
        return 0.0
    if has_same_numbers:
        score = fuzz.ratio(short, long, score_cutoff=ALIKE_ACROSS_SOURCES)
        if score:
            return score
    if fuzz.token_set_ratio(short, long) < ALIKE_ACROSS_SOURCES:
        return 0.0
    return fuzz.partial_ratio(short, long, score_cutoff=CONTAINED)


def _where(primary: TicketText, ticket: TicketText) -> str:
    if primary.source_key == ticket.source_key:
        return f"in {ticket.source_key}"
    return f"in {primary.source_key} and {ticket.source_key}"
