"""Conversations as their ids join them: `Linked`.

Belongs here: Message-IDs, references, copies, returned mails, where a conversation is cut by policy or by a person.
Does not belong here: joining by what is only likely (`thread_guesses`).

A mail answers its parent, the last id that it refers to. Without cuts all ids that a mail names are one
conversation with it. Where a conversation is cut at a mail, its answers follow it: a mail whose parents lead to
the cut is joined to its parent alone, whatever older ids it names.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from transforms.mail_headers import EPOCH
from transforms.text import base_subject
from transforms.thread_model import MailHeaders, ThreadPolicy

COPY_TOLERANCE = timedelta(minutes=2)
"""Mails of one Message-ID sent further apart than this are different mails of a broken writer, not copies."""


def in_time(mail: MailHeaders) -> tuple[bool, datetime, str]:
    """By time; mails without any (`mail_headers.EPOCH`) come last, since they say nothing of who was first."""
    return mail.sent_at == EPOCH, mail.sent_at, mail.remote_id


class Joined:
    """Disjoint sets of atoms (Message-IDs, single mails)."""

    def __init__(self) -> None:
        """No atoms yet; each is a set of its own when first named."""
        self._parents: dict[str, str] = {}

    def root(self, atom: str) -> str:
        """The atom that stands for the whole set."""
        parents = self._parents
        parent = parents.setdefault(atom, atom)
        while parent != atom:
            parents[atom] = parents[parent]
            atom, parent = parent, parents[parent]
        return atom

    def join(self, left: str, right: str) -> str:
        """Makes two sets one; its root."""
        left, right = self.root(left), self.root(right)
        least = min(left, right)
        self._parents[max(left, right)] = least
        return least


class Linked:
    """Mails in the order of their times, joined by ids.

    `atoms` is each mail's Message-ID (its remote id where it has none of its own), `copies` the mails that came
    before, `evidence` the ids that a mail is joined with, `cuts` the mails that begin a conversation, with why.
    """

    def __init__(self, mails: Iterable[MailHeaders], policy: ThreadPolicy) -> None:
        """Joins the mails by their ids.

        Args:
            mails: in any order.
            policy: the settings.
        """
        self.mails = sorted(mails, key=in_time)
        self.joined = Joined()
        self.atoms: dict[str, str] = {}
        self.copies: dict[str, str] = {}
        self.evidence: dict[str, tuple[str, ...]] = {}
        self.bare: set[str] = set()
        self.cuts: dict[str, str] = {}
        self._policy = policy
        self._by_atom: dict[str, MailHeaders] = {}
        self._give_atoms()
        self._gather_evidence()
        self._cut_and_join()

    def root(self, mail: MailHeaders) -> str:
        """The conversation that a mail is in."""
        return self.joined.root(self.atoms[mail.remote_id])

    def _give_atoms(self) -> None:
        """A mail's atom is its Message-ID; one whose id another mail used long before stands alone."""
        leaders: dict[str, MailHeaders] = {}
        for mail in self.mails:
            message_id = mail.message_id
            atom = mail.remote_id
            if message_id is not None:
                leader = leaders.setdefault(message_id, mail)
                if leader is mail or mail.sent_at - leader.sent_at <= COPY_TOLERANCE:
                    atom = message_id
                if leader is not mail and atom == message_id:
                    self.copies[mail.remote_id] = leader.remote_id
            self.atoms[mail.remote_id] = atom
            self._by_atom.setdefault(atom, mail)

    def _gather_evidence(self) -> None:
        people = {f"<{person}>" for mail in self.mails for person in mail.participants}
        known = {mail.message_id for mail in self.mails if mail.message_id}
        named = {each for mail in self.mails for each in mail.reference_ids if each.startswith("<")}
        has_bare = "bare id" in self._policy.steps
        for mail in self.mails:
            found = []
            # Of several ids in In-Reply-To the last one counts: before it stand the writers' addresses.
            for each in (*mail.reference_ids, *mail.in_reply_to[-1:], *mail.bounced_ids):
                is_bare = not each.startswith("<")
                name = f"<{each}>" if is_bare else each
                if name in people and name not in known:
                    continue  # an address, not an id: all answers to one person would be one conversation
                if is_bare:
                    if not has_bare or not (name in known or name in named):
                        continue
                    self.bare.add(mail.remote_id)
                found.append(name)
            self.evidence[mail.remote_id] = tuple(dict.fromkeys(found))

    def _cut_and_join(self) -> None:
        apart = {each.remote_id for each in self._policy.decisions if each.kind == "apart"}
        latest: dict[str, datetime] = {}
        origins: dict[str, str | None] = {}
        for mail in self.mails:
            atom = self.atoms[mail.remote_id]
            parent = self._parent(mail)
            reason = self._cut(mail, parent, apart, latest)
            if mail.remote_id in self.copies and reason is None:
                parent_origin = origins.get(atom)
            elif reason is not None:
                self.cuts[mail.remote_id] = reason
                self.evidence[mail.remote_id] = ()
                parent_origin = atom
            else:
                parent_origin = origins.get(parent) if parent is not None else None
            origins.setdefault(atom, parent_origin)
            if reason is None and parent_origin is not None and parent is not None:
                self.evidence[mail.remote_id] = (parent,)
            for each in self.evidence[mail.remote_id]:
                self.joined.join(atom, each)
            if mail.sent_at != EPOCH:
                latest[self.joined.root(atom)] = mail.sent_at

    def _parent(self, mail: MailHeaders) -> str | None:
        """The nearest mail that it answers and that is here."""
        atom = self.atoms[mail.remote_id]
        ids = self.evidence[mail.remote_id]
        return next(
            (each for each in reversed(ids) if each in self._by_atom and each != atom), None
        )

    def _cut(
        self, mail: MailHeaders, parent: str | None, apart: set[str], latest: dict[str, datetime]
    ) -> str | None:
        if mail.remote_id in apart:
            return "set apart by a person"
        policy = self._policy
        if parent is None or mail.remote_id in self.copies or mail.bounced_ids:
            return None
        if policy.splits_at_new_subject:
            old, new = base_subject(self._by_atom[parent].subject), base_subject(mail.subject)
            if old and new and old != new:
                return "changed subject"
        if policy.new_after is not None and mail.sent_at != EPOCH:
            before = latest.get(self.joined.root(parent))
            if before is not None and mail.sent_at - before > policy.new_after:
                return "long silence"
        return None

    def starts(self) -> Iterator[MailHeaders]:
        """The first mail of each conversation."""
        seen: set[str] = set()
        for mail in self.mails:
            root = self.root(mail)
            if root not in seen:
                seen.add(root)
                yield mail
