"""What threading is told and what it says: mails' headers, settings, people's decisions, placements.

Belongs here: the records that `threads` takes and gives. Does not belong here: how mails are placed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Step = Literal["bare id", "thread index", "ticket number", "quoted text", "subject"]
"""Evidence besides References, In-Reply-To and returned mails, which always count."""

ALL_STEPS: frozenset[Step] = frozenset(
    {"bare id", "thread index", "ticket number", "quoted text", "subject"}
)


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """What threading needs to know of a mail. Participants are normalised addresses.

    Ids are `<…>`; one in `in_reply_to` or `reference_ids` that was written without angles stands without them.
    `sender` is who wrote the mail. `thread_index` is what all mails of an Outlook conversation share.
    `numbers` are ticket numbers whose form only a helpdesk writes, `possible_numbers` those in sentences of the
    subject, `text_numbers` those in the text. `own_prints` and `quoted_prints` are fingerprints of the words that
    are the mail's own and that it quotes (`quoted_text.packed`), `quoted_people` the addresses that it names as writers
    of what it quotes, `list_addresses` those of the mailing lists that handed it on.
    """

    remote_id: str
    message_id: str | None
    in_reply_to: tuple[str, ...]
    reference_ids: tuple[str, ...]
    subject: str
    participants: tuple[str, ...]
    sent_at: datetime
    bounced_ids: tuple[str, ...] = ()
    sender: str | None = None
    thread_index: str | None = None
    numbers: tuple[str, ...] = ()
    possible_numbers: tuple[str, ...] = ()
    text_numbers: tuple[str, ...] = ()
    own_prints: bytes = b""
    quoted_prints: bytes = b""
    quoted_people: tuple[str, ...] = ()
    list_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """Another conversation that a mail could belong to, and what speaks for it."""

    ticket_remote_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a mail belongs.

    `reason` is `first mail`, `refs`, `in-reply-to`, `in-reply-to without angles`, `bounce`, `thread index`,
    `ticket number`, `quoted text`, `subject+participant`, `copy`, `joined by a person`, `set apart by a person`,
    `changed subject`, `long silence` (the last two begin a conversation of their own by policy), or `referred to`
    (nothing in the mail itself, but other mails of the ticket refer to it). `doubt` names the alternative where
    there is one.
    """

    remote_id: str
    ticket_remote_id: str
    reason: str
    copy_of_remote_id: str | None = None
    previous_ticket_remote_id: str | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class ThreadDecision:
    """What a person decided about a mail; it wins over all evidence and is never forgotten.

    `apart`: the mail begins a conversation of its own, and its answers follow it. `with`: the mail belongs where
    `other_remote_id` is.
    """

    remote_id: str
    kind: Literal["apart", "with"]
    other_remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadPolicy:
    """The settings of threading.

    Args:
        own_addresses: the mailbox's addresses and those of agents and lists: taking part through them proves
            nothing about two mails.
        own_domains: domains whose addresses are all agents'.
        known_numbers: ticket numbers that exist for this client, in any of its helpdesks; None: nobody can tell, then
            a number counts where its form is a helpdesk's.
        window: most time between two mails that only their subject joins.
        steps: which evidence counts besides references.
        shortest_subject: letters that a base subject must have to join.
        new_after: a reply that comes so long after the conversation's last mail begins a new one; None: never.
        splits_at_new_subject: whether a reply with another subject begins a new conversation.
        decisions: what people decided.
    """

    own_addresses: frozenset[str] = frozenset()
    own_domains: frozenset[str] = frozenset()
    known_numbers: frozenset[str] | None = None
    window: timedelta = timedelta(days=30)
    steps: frozenset[Step] = ALL_STEPS
    shortest_subject: int = 8
    new_after: timedelta | None = None
    splits_at_new_subject: bool = False
    decisions: tuple[ThreadDecision, ...] = ()

    def is_own(self, address: str) -> bool:
        """Whether an address is the desk's: its mailbox's, an agent's, a list's."""
        return address in self.own_addresses or address.rpartition("@")[2] in self.own_domains
