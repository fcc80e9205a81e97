"""Which mailbox's conversation is which ticket of another system, and why: `find_same`.

Belongs here: when a ticket number, a reply address or an answered Message-ID makes two tickets one. Does not belong here:
reading what mails name (`ticket_names`), which of the two counts (`duplicates`), the database.

Precision first, since a wrong link shows one customer another's words:

- a name counts only where such a ticket exists in another source of the same client;
- something else must agree: the ticket's requester takes part, or the subject is the same, or the mail went between the
  helpdesk's own address and ours; a number in a sentence needs the requester, one in the text the subject as well;
- a conversation that another customer began (other person, other company) is never linked;
- the mail must not be older than the ticket, nor much later than its last change, nor the conversation much older.

What exists but does not agree is a doubt for a person. Each conversation is linked to one ticket at most: the one that its
earliest mail names. Everything is judged from the set of facts alone, so the order in which they came cannot matter.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from transforms.identity_values import organisation_domain
from transforms.mail_addresses import mailbox_of
from transforms.text import base_subject, has_reply_prefix
from transforms.text_words import GENERIC_SUBJECTS

CLOCKS_APART = timedelta(days=1)
"""How much earlier than its ticket a mail may seem to be: its date is the sender's clock."""

LATEST = timedelta(days=365)
"""How long after a ticket's last change a mail may still belong to it."""

BEGUN_BEFORE = timedelta(days=7)
"""How much older than the ticket the conversation may be: one of long ago is more than this request."""

SHORTEST_SUBJECT = 8
"""Letters of a base subject below which it proves nothing."""

MOST_TICKETS_OF_A_MAIL = 3
"""Tickets in which one Message-ID may stand; one of more is some program's for all its mails."""

MOST_DOUBTS = 3
"""Doubts of one conversation that are listed."""

_ORDER = (
    "reply reference",
    "reply number",
    "answered",
    "number",
    "worded number",
    "number in text",
)


@dataclass(frozen=True, slots=True)
class Party:
    """A ticket as the other side of a comparison.

    `host` is where the helpdesk lives (its mails come from there), `person` the key that leads the requester's group,
    `address` one of the requester's. `stands_for` is the ticket that counts for it: what it was merged into, or the
    original of a migrated copy. `is_mailbox` says that it is a mailbox's conversation.
    """

    ticket_key: str
    source_key: str
    number: str
    subject: str
    created_at: datetime
    updated_at: datetime
    host: str | None = None
    person: str | None = None
    address: str | None = None
    stands_for: str | None = None
    is_mailbox: bool = False

    @property
    def counts_as(self) -> str:
        """The key of the ticket that it stands for."""
        return self.stands_for or self.ticket_key


@dataclass(frozen=True, slots=True)
class Naming:
    """One mail of a conversation names something (`ticket_names.Name`); participants are normalised addresses."""

    ticket_key: str
    comment_key: str
    kind: str
    value: str
    sent_at: datetime
    subject: str = ""
    participants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the warehouse knows, of one client, for looking up what mails name.

    Args:
        parties: tickets by key, the conversations and all that may be named.
        by_number: number → keys of helpdesks' tickets.
        by_reference: a helpdesk's reference → keys.
        by_mail: Message-ID → keys of the tickets that it stands in.
        persons: address → keys that lead the groups of contacts who have it.
        is_own: whether an address is the desk's: a mailbox's, an agent's.
    """

    parties: Mapping[str, Party]
    by_number: Mapping[str, Collection[str]] = field(default_factory=dict)
    by_reference: Mapping[str, Collection[str]] = field(default_factory=dict)
    by_mail: Mapping[str, Collection[str]] = field(default_factory=dict)
    persons: Mapping[str, Collection[str]] = field(default_factory=dict)
    is_own: Callable[[str], bool] = lambda _address: False


@dataclass(frozen=True, slots=True)
class Decisions:
    """What people decided: `joined` (conversation, ticket), `apart` the same, `alone` conversations begun by decision."""

    joined: frozenset[tuple[str, str]] = frozenset()
    apart: frozenset[tuple[str, str]] = frozenset()
    alone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Same:
    """The conversation `ticket_key` is the ticket `other_key`; `comment_key` is the mail that says so, if one does."""

    ticket_key: str
    other_key: str
    reason: str
    comment_key: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Links, and doubts of the same form: what may be the same."""

    links: list[Same]
    doubts: list[Same]


@dataclass(frozen=True, slots=True)
class _Verdict:
    naming: Naming
    party: Party
    objection: str | None
    """None where it is the same."""
    words: str
    has_subject: bool


def find_same(namings: Iterable[Naming], known: Known, decisions: Decisions | None = None) -> Found:
    """The tickets of other sources that conversations are, and those that they may be.

    Args:
        namings: what the mails of mailboxes' conversations name, in any order.
        known: what the warehouse knows of one client.
        decisions: what people decided; it wins.

    Returns:
        At most one link for each conversation, by key; doubts where there is none, at most `MOST_DOUBTS` each. No chains:
        a link's `other_key` counts for what was named. The cost grows with the namings.
    """
    decisions = decisions or Decisions()
    found = Found([], [])
    joined = dict(sorted(decisions.joined, reverse=True))
    for ticket_key, other_key in sorted(joined.items()):
        found.links.append(Same(ticket_key, other_key, "joined by a person"))
    for ticket_key, own in groupby(sorted(namings, key=_by_time), key=lambda one: one.ticket_key):
        conversation = known.parties.get(ticket_key)
        if conversation is None or ticket_key in decisions.alone or ticket_key in joined:
            continue
        verdicts = [
            verdict
            for verdict in _verdicts(conversation, [*own], known)
            if not decisions.apart & _pairs(conversation, verdict.party)
        ]
        _decide(conversation, verdicts, found)
    found.links.sort(key=lambda link: link.ticket_key)
    return found


def _by_time(one: Naming) -> tuple[str, datetime, str, int, str]:
    return (one.ticket_key, one.sent_at, one.comment_key, _ORDER.index(one.kind), one.value)


def _pairs(conversation: Party, party: Party) -> set[tuple[str, str]]:
    return {(conversation.ticket_key, key) for key in (party.ticket_key, party.counts_as)}


def _decide(conversation: Party, verdicts: Sequence[_Verdict], found: Found) -> None:
    """Links to what the earliest mail that agrees names; what else it may be is doubtful."""
    agreed = [one for one in verdicts if one.objection is None]
    chosen: _Verdict | None = None
    if agreed:
        first = agreed[0].naming
        rivals = [one for one in agreed if one.naming.comment_key == first.comment_key]
        chosen = _only(rivals) or _only([one for one in rivals if one.has_subject])
    if chosen is not None:
        found.links.append(
            Same(
                conversation.ticket_key,
                chosen.party.counts_as,
                chosen.words,
                chosen.naming.comment_key,
            )
        )
        verdicts = [one for one in agreed if one.party.counts_as != chosen.party.counts_as]
    doubts: dict[str, Same] = {}
    for one in verdicts:
        key = one.party.counts_as
        why = f"{one.words}, {one.objection or 'and another ticket as well'}"
        doubts.setdefault(key, Same(conversation.ticket_key, key, why, one.naming.comment_key))
    found.doubts.extend([*doubts.values()][:MOST_DOUBTS])


def _only(verdicts: Sequence[_Verdict]) -> _Verdict | None:
    return verdicts[0] if len({one.party.counts_as for one in verdicts}) == 1 else None


def _verdicts(conversation: Party, namings: Sequence[Naming], known: Known) -> Iterator[_Verdict]:
    for naming in namings:
        for party in _named(conversation, naming, known):
            verdict = _judge(conversation, naming, party, known)
            if verdict is not None:
                yield verdict


def _named(conversation: Party, naming: Naming, known: Known) -> list[Party]:
    """The tickets of other sources that a mail names, in the order of their keys."""
    host, _, value = naming.value.rpartition("|")
    if naming.kind == "answered":
        keys = known.by_mail.get(naming.value, ())
        keys = keys if len(keys) <= MOST_TICKETS_OF_A_MAIL else ()
    elif naming.kind == "reply reference":
        keys = known.by_reference.get(value, ())
    else:
        keys = known.by_number.get(value, ()) or known.by_reference.get(value, ())
    parties = [known.parties[key] for key in sorted(keys) if key in known.parties]
    return [
        party
        for party in parties
        if party.source_key != conversation.source_key
        and conversation.ticket_key not in (party.ticket_key, party.counts_as)
        and (not host or host == party.host)
        and (naming.kind == "answered" or not party.is_mailbox)
    ]


def _judge(conversation: Party, naming: Naming, party: Party, known: Known) -> _Verdict | None:
    """What a naming is worth; None where it is not even doubtful: another helpdesk's number, most likely."""
    if naming.sent_at < party.created_at - CLOCKS_APART:
        return None
    people = [
        each
        for each in naming.participants
        if not known.is_own(each) and each.rpartition("@")[2] != party.host
    ]
    is_requester = any(_is(each, party, known) for each in people) or _is_same_person(
        conversation, party, known
    )
    is_from_host = any(each.rpartition("@")[2] == party.host for each in naming.participants)
    has_subject = _has_subject(naming, conversation, party)
    objection = _too_far(conversation, naming, party) or _stranger(
        conversation, people, party, known
    )
    agrees = is_requester or has_subject or is_from_host
    if naming.kind in ("worded number", "number in text"):
        agrees = is_requester if naming.kind == "worded number" else is_requester and has_subject
        agrees = agrees or (naming.kind == "worded number" and is_from_host)
        is_told = has_reply_prefix(naming.subject) and naming.kind == "worded number"
        if not agrees and not is_requester and not is_told:
            return None
    elif naming.kind in ("answered", "reply number", "reply reference"):
        agrees = True
    if not agrees:
        objection = objection or "but neither its requester nor its subject"
    return _Verdict(
        naming, party, objection, _words(naming, party, is_requester, has_subject), has_subject
    )


def _too_far(conversation: Party, naming: Naming, party: Party) -> str | None:
    if naming.sent_at > party.updated_at + LATEST:
        return "but more than a year after its last change"
    before = party.created_at - conversation.created_at
    if before > BEGUN_BEFORE:
        return f"but the conversation began {before.days} days before the ticket"
    return None


def _stranger(conversation: Party, people: Sequence[str], party: Party, known: Known) -> str | None:
    """Whether somebody who is neither the requester nor of the same company began the conversation or wrote along."""
    began = conversation.address
    others = [] if began is None or known.is_own(began) else [began]
    if began is not None and began.rpartition("@")[2] == party.host:
        others = []
    others = others or list(people)
    if not others or party.address is None or known.is_own(party.address):
        return None
    company = organisation_domain(party.address)
    if any(
        _is(each, party, known) or (company is not None and organisation_domain(each) == company)
        for each in others
    ) or _is_same_person(conversation, party, known):
        return None
    return "but another customer's"


def _is(address: str, party: Party, known: Known) -> bool:
    if party.address is not None and mailbox_of(address) == mailbox_of(party.address):
        return True
    return party.person is not None and party.person in known.persons.get(address, ())


def _is_same_person(conversation: Party, party: Party, known: Known) -> bool:
    address = conversation.address
    if address is not None and known.is_own(address):
        return False
    if conversation.person is not None and conversation.person == party.person:
        return True
    return address is not None and _is(address, party, known)


def _has_subject(naming: Naming, conversation: Party, party: Party) -> bool:
    wanted = base_subject(party.subject)
    if len(wanted) < SHORTEST_SUBJECT or wanted.strip(" .!?") in GENERIC_SUBJECTS:
        return False
    return wanted in (base_subject(naming.subject), base_subject(conversation.subject))


def _words(naming: Naming, party: Party, is_requester: bool, has_subject: bool) -> str:
    """The reason, without a word or an address of anybody: it outlives an erasure."""
    ticket = f"ticket {party.number[:40]} of {party.source_key}"
    words = {
        "answered": f"answers a mail of {ticket}",
        "reply number": f"goes to the reply address of {ticket}",
        "reply reference": f"goes to the reply address of {ticket}",
        "number": f"names {ticket}",
        "worded number": f"names {ticket} in its subject",
        "number in text": f"names {ticket} in its text",
    }[naming.kind]
    facts = [
        *(["its requester"] if is_requester else []),
        *(["the same subject"] if has_subject else []),
    ]
    return f"{words} ({', '.join(facts)})" if facts else words
