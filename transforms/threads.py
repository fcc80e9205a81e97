"""Which mails belong to one conversation, and why: `place`.

Belongs here: the order of evidence and the ids of conversations. Does not belong here: parsing mails, making
tickets.

The order of evidence: References and In-Reply-To (parents that are not in the mailbox included) and the mail that a
bounce returns (`thread_links`); then what is only likely, under guards and step by step (`thread_guesses`):
Outlook's conversation index, ticket numbers, quoted text, and last the subject. People's decisions stand above all.

**The result depends only on the set of mails**, not on the order or the batches in which they came. A
conversation's id is `thread:` and the sha256 of its root Message-ID: the first reference of its earliest mail,
or that mail's own id where it refers to nothing. A mail without any id is its own root: the ticket has the
mail's remote id. So a late mail may give a conversation an older root, or join two conversations: the
earliest mail's root wins, the mails of the other one move, and their placements are given again with the
ticket that they had before in `previous_ticket_remote_id`. Loading then keeps the key that was given first.

Source: RFC 5256 (THREAD=REFERENCES); jwz, "message threading".
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from transforms.thread_guesses import Guesses
from transforms.thread_links import COPY_TOLERANCE, Linked
from transforms.thread_model import (
    ALL_STEPS,
    Doubt,
    MailHeaders,
    Placement,
    Step,
    ThreadDecision,
    ThreadPolicy,
)

__all__ = [
    "ALL_STEPS",
    "COPY_TOLERANCE",
    "Doubt",
    "MailHeaders",
    "Placement",
    "Step",
    "ThreadDecision",
    "ThreadIndex",
    "ThreadPolicy",
    "place",
]


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
        whose ticket, reason, doubt or leading copy changed is given again. 30,000 mails take some seconds,
        whatever the number of new ones.
    """
    known.mails.update((mail.remote_id, mail) for mail in new)
    changed: list[Placement] = []
    for placement in _placements(known.mails.values(), policy or ThreadPolicy()):
        before = known.placements.get(placement.remote_id)
        if before is not None and replace(before, previous_ticket_remote_id=None) == placement:
            continue
        known.placements[placement.remote_id] = placement
        moved = before is not None and before.ticket_remote_id != placement.ticket_remote_id
        previous = before.ticket_remote_id if before is not None and moved else None
        changed.append(replace(placement, previous_ticket_remote_id=previous))
    return changed


def _placements(mails: Iterable[MailHeaders], policy: ThreadPolicy) -> Iterator[Placement]:
    linked = Linked(mails, policy)
    guesses = Guesses(linked, policy)
    tickets: dict[str, str] = {}
    for mail in linked.mails:
        tickets.setdefault(linked.root(mail), _ticket_id(mail, linked))
    seen: set[str] = set()
    for mail in linked.mails:
        root = linked.root(mail)
        is_first = root not in seen
        seen.add(root)
        copy_of = linked.copies.get(mail.remote_id)
        reason = "copy" if copy_of else _reason(mail, linked, guesses, is_first=is_first)
        yield Placement(
            mail.remote_id,
            tickets[root],
            reason,
            copy_of,
            doubt=_doubt(mail, tickets, linked, guesses),
        )


def _ticket_id(mail: MailHeaders, linked: Linked) -> str:
    """The id of the conversation that begins with this mail."""
    evidence = linked.evidence[mail.remote_id]
    root = evidence[0] if evidence else linked.atoms[mail.remote_id]
    if root == mail.remote_id:
        return mail.remote_id
    return f"thread:{hashlib.sha256(root.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _reason(mail: MailHeaders, linked: Linked, guesses: Guesses, *, is_first: bool) -> str:
    if mail.remote_id in linked.cuts:
        return linked.cuts[mail.remote_id]
    if is_first:
        return "first mail"
    if mail.remote_id in guesses.reasons:
        return guesses.reasons[mail.remote_id]
    evidence = linked.evidence[mail.remote_id]
    if mail.bounced_ids and mail.bounced_ids[0] in evidence:
        return "bounce"
    if not evidence:
        return "referred to"
    if any(each in evidence for each in mail.reference_ids):
        return "refs"
    return "in-reply-to without angles" if mail.remote_id in linked.bare else "in-reply-to"


def _doubt(
    mail: MailHeaders, tickets: dict[str, str], linked: Linked, guesses: Guesses
) -> Doubt | None:
    found = guesses.doubts.get(mail.remote_id)
    if found is None:
        return None
    other, why = found
    root = linked.root(other)
    return None if root == linked.root(mail) else Doubt(tickets[root], why)
