"""Which mails belong to one conversation, and why: `place`.

Belongs here: threading of mails by their headers. Does not belong here: parsing mails, making tickets.

The order of evidence: References and In-Reply-To (parents that are not in the mailbox included), the mail that
a bounce returns, a ticket number of our own in the subject, and last the subject itself, guarded: the later
mail's subject must begin like an answer, both mails must share a participant other than our own addresses, at
most `window` must lie between them, the subject must not be a short generic one, and neither conversation may
carry another ticket number.

**The result depends only on the set of mails**, not on the order or the batches in which they came. A
conversation's id is `thread:` and the sha256 of its root Message-ID: the first reference of its earliest mail,
or that mail's own id where it refers to nothing. A mail without any id is its own root: the ticket has the
mail's remote id. So a late mail may give a conversation an older root, or join two conversations: the
earliest mail's root wins, the mails of the other one move, and their placements are given again with the
ticket that they had before in `previous_ticket_remote_id`. Loading then keeps the key that was given first.

Of several ids in In-Reply-To only the last counts: older programs put the sender's address in angles before it
(`Message from <someone@example.com> … <id>`).

Source: RFC 5256 (THREAD=REFERENCES); jwz, "message threading".
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from transforms.mail_headers import EPOCH
from transforms.text import base_subject, has_reply_prefix
from transforms.text_words import GENERIC_SUBJECTS

COPY_TOLERANCE = timedelta(minutes=2)
"""Mails of one Message-ID sent further apart than this are different mails of a broken writer, not copies."""


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """What threading needs to know of a mail. Ids are `<…>`; participants are normalised addresses."""

    remote_id: str
    message_id: str | None
    in_reply_to: tuple[str, ...]
    reference_ids: tuple[str, ...]
    subject: str
    participants: tuple[str, ...]
    sent_at: datetime
    bounced_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a mail belongs.

    `reason` is `first mail`, `refs`, `in-reply-to`, `bounce`, `ticket number`, `subject+participant`, `copy`, or
    `referred to` (nothing in the mail itself, but other mails of the ticket refer to it).
    """

    remote_id: str
    ticket_remote_id: str
    reason: str
    copy_of_remote_id: str | None = None
    previous_ticket_remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadPolicy:
    """The settings of threading.

    Args:
        own_addresses: the mailbox's addresses and those of agents and lists: taking part through them proves
            nothing about two mails.
        ticket_number: pattern whose first group is a ticket number of our own in a subject; None: there is none.
        window: most time between two mails that only their subject joins.
        joins_by_subject: whether subjects join at all.
        shortest_subject: letters that a base subject must have to join.
    """

    own_addresses: frozenset[str] = frozenset()
    ticket_number: str | None = r"\[#(\d{1,12})\]"
    window: timedelta = timedelta(days=30)
    joins_by_subject: bool = True
    shortest_subject: int = 8


@dataclass(slots=True)
class ThreadIndex:
    """The mails already placed, and how. `place` adds to it."""

    mails: dict[str, MailHeaders] = field(default_factory=dict)
    placements: dict[str, Placement] = field(default_factory=dict)

    @classmethod
    def of(cls, known: Iterable[tuple[MailHeaders, Placement]]) -> "ThreadIndex":
        """An index of what the warehouse holds."""
        index = cls()
        for headers, placement in known:
            index.mails[headers.remote_id] = headers
            index.placements[headers.remote_id] = placement
        return index


def place(
    new: Sequence[MailHeaders], known: ThreadIndex, policy: ThreadPolicy | None = None
) -> list[Placement]:
    """Places new mails, and those known ones that move because of them.

    Args:
        new: mails that came; known ones may be among them and then change nothing.
        known: the mails placed before; updated in place.
        policy: the settings; None takes the defaults.

    Returns:
        Placements that are new or differ from what was known, in the order of the mails' times. A known mail
        whose ticket or leading copy changed is given again. 30,000 mails take about two seconds, whatever
        the number of new ones.
    """
    known.mails.update((mail.remote_id, mail) for mail in new)
    changed: list[Placement] = []
    for placement in _Threading(known.mails.values(), policy or ThreadPolicy()).placements():
        before = known.placements.get(placement.remote_id)
        if before is None or _differs(before, placement):
            known.placements[placement.remote_id] = placement
            moved = before is not None and before.ticket_remote_id != placement.ticket_remote_id
            changed.append(
                Placement(
                    placement.remote_id,
                    placement.ticket_remote_id,
                    placement.reason,
                    placement.copy_of_remote_id,
                    before.ticket_remote_id if before is not None and moved else None,
                )
            )
    return changed


def _differs(before: Placement, now: Placement) -> bool:
    return (
        before.ticket_remote_id != now.ticket_remote_id
        or before.copy_of_remote_id != now.copy_of_remote_id
    )


def _order(mail: MailHeaders) -> tuple[bool, datetime, str]:
    """By time; mails without any (`mail_headers.EPOCH`) come last, since they say nothing of who was first."""
    return mail.sent_at == EPOCH, mail.sent_at, mail.remote_id


class _Joined:
    """Disjoint sets of atoms (Message-IDs, ticket numbers, single mails)."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def root(self, atom: str) -> str:
        parents = self._parents
        parent = parents.setdefault(atom, atom)
        while parent != atom:
            parents[atom] = parents[parent]
            atom, parent = parent, parents[parent]
        return atom

    def join(self, left: str, right: str) -> None:
        left, right = self.root(left), self.root(right)
        if left != right:
            self._parents[max(left, right)] = min(left, right)


class _Threading:
    """One threading of a set of mails, in the order of their times."""

    def __init__(self, mails: Iterable[MailHeaders], policy: ThreadPolicy) -> None:
        self._mails = sorted(mails, key=_order)
        self._policy = policy
        self._number = re.compile(policy.ticket_number) if policy.ticket_number else None
        self._joined = _Joined()
        self._atoms: dict[str, str] = {}
        self._copies: dict[str, str] = {}
        self._by_subject: set[str] = set()
        self._by_number: set[str] = set()

    def placements(self) -> Iterator[Placement]:
        self._give_atoms()
        for mail in self._mails:
            for evidence in (*mail.reference_ids, *mail.in_reply_to[-1:], *mail.bounced_ids):
                self._joined.join(self._atoms[mail.remote_id], evidence)
        self._join_by_number()
        if self._policy.joins_by_subject:
            self._join_by_subject()
        tickets: dict[str, str] = {}
        for mail in self._mails:
            root = self._joined.root(self._atoms[mail.remote_id])
            is_first = root not in tickets
            if is_first:
                tickets[root] = _ticket_id(mail, self._atoms[mail.remote_id])
            copy_of = self._copies.get(mail.remote_id)
            reason = "copy" if copy_of else self._reason(mail, is_first=is_first)
            yield Placement(mail.remote_id, tickets[root], reason, copy_of)

    def _give_atoms(self) -> None:
        """A mail's atom is its Message-ID; one whose id another mail used long before stands alone."""
        leaders: dict[str, MailHeaders] = {}
        for mail in self._mails:
            message_id = mail.message_id
            if message_id is None:
                self._atoms[mail.remote_id] = mail.remote_id
                continue
            leader = leaders.setdefault(message_id, mail)
            if leader is mail:
                self._atoms[mail.remote_id] = message_id
            elif mail.sent_at - leader.sent_at <= COPY_TOLERANCE:
                self._atoms[mail.remote_id] = message_id
                self._copies[mail.remote_id] = leader.remote_id
            else:
                self._atoms[mail.remote_id] = mail.remote_id

    def _join_by_number(self) -> None:
        """A ticket number joins mails that share a participant, so that a stranger cannot write into a ticket."""
        latest: dict[tuple[str, str], str] = {}
        for mail in self._mails:
            number = self._number_of(mail)
            if number is None:
                continue
            for person in self._people(mail):
                other = latest.setdefault((number, person), mail.remote_id)
                if other != mail.remote_id:
                    if not self._is_joined(mail.remote_id, other):
                        self._by_number.add(mail.remote_id)
                    self._joined.join(self._atoms[mail.remote_id], self._atoms[other])

    def _join_by_subject(self) -> None:
        """Joins the start of a conversation that begins like an answer to the latest mail that it may answer."""
        numbers = self._numbers()
        latest: dict[tuple[str, str], MailHeaders] = {}
        started: set[str] = set()
        for mail in self._mails:
            base = base_subject(mail.subject)
            root = self._joined.root(self._atoms[mail.remote_id])
            is_start = root not in started
            started.add(root)
            if not self._may_join(base):
                continue
            people = self._people(mail)
            if is_start and has_reply_prefix(mail.subject) and mail.sent_at != EPOCH:
                candidates = [latest[key] for key in ((base, p) for p in people) if key in latest]
                parent = max(candidates, key=_order, default=None)
                if parent is not None and mail.sent_at - parent.sent_at <= self._policy.window:
                    self._join_to_parent(mail, parent, numbers, started)
            for person in people:
                latest[(base, person)] = mail

    def _join_to_parent(
        self,
        mail: MailHeaders,
        parent: MailHeaders,
        numbers: dict[str, set[str]],
        started: set[str],
    ) -> None:
        left = self._joined.root(self._atoms[mail.remote_id])
        right = self._joined.root(self._atoms[parent.remote_id])
        both = numbers.get(left, set()) | numbers.get(right, set())
        if len(both) > 1:
            return
        self._joined.join(left, right)
        root = self._joined.root(left)
        started.add(root)
        if both:
            numbers[root] = both
        self._by_subject.add(mail.remote_id)

    def _may_join(self, base: str) -> bool:
        return (
            len(base) >= self._policy.shortest_subject
            and " " in base
            and base.strip(" .!?") not in GENERIC_SUBJECTS
        )

    def _numbers(self) -> dict[str, set[str]]:
        numbers: dict[str, set[str]] = {}
        for mail in self._mails:
            number = self._number_of(mail)
            if number is not None:
                root = self._joined.root(self._atoms[mail.remote_id])
                numbers.setdefault(root, set()).add(number)
        return numbers

    def _number_of(self, mail: MailHeaders) -> str | None:
        match = self._number.search(mail.subject) if self._number else None
        return match[1] if match else None

    def _people(self, mail: MailHeaders) -> list[str]:
        own = self._policy.own_addresses
        return [person for person in mail.participants if person not in own]

    def _is_joined(self, left: str, right: str) -> bool:
        return self._joined.root(self._atoms[left]) == self._joined.root(self._atoms[right])

    def _reason(self, mail: MailHeaders, *, is_first: bool) -> str:
        if is_first:
            return "first mail"
        if mail.remote_id in self._by_subject:
            return "subject+participant"
        if mail.remote_id in self._by_number:
            return "ticket number"
        if mail.bounced_ids:
            return "bounce"
        if mail.reference_ids:
            return "refs"
        return "in-reply-to" if mail.in_reply_to else "referred to"


def _ticket_id(mail: MailHeaders, atom: str) -> str:
    """The id of the conversation that begins with this mail."""
    evidence = (*mail.reference_ids, *mail.in_reply_to[-1:], *mail.bounced_ids)
    root = evidence[0] if evidence else atom
    if root == mail.remote_id:
        return mail.remote_id
    return f"thread:{hashlib.sha256(root.encode('utf-8', 'surrogatepass')).hexdigest()}"
