"""What a mailbox's conversation names of other systems: `names_of`.

Belongs here: ticket numbers, reply addresses and answered Message-IDs of a conversation's mails, in the form in which they
are kept and looked up. Does not belong here: whether such a ticket exists and is the same (`conversations`), numbers
within one mailbox (`thread_guesses`).

Source: Zendesk help, "How are incoming emails threaded to tickets": an encoded id such as `[1G7EOR-0Q2J]` in the text, or
within the receiving address `support+id1G7EOR-0Q2J@….zendesk.com`; accounts of before that have `support+id123@`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from transforms.model import SourceComment

Kind = Literal[
    "number", "worded number", "number in text", "reply number", "reply reference", "answered"
]
"""`number`: in a form that only helpdesks write, or a helpdesk's reference; `worded number`: in a sentence of the subject;
`reply …`: in an address to which the helpdesk wants the answer, as `host|number`; `answered`: a Message-ID that is none of
the conversation's own mails'."""

MOST_ANSWERED = 20
"""Message-IDs of one mail that are kept, the last ones: the nearest ancestors."""

_REPLY_ADDRESS = re.compile(
    r"[^@+\s]+\+id(?:(?P<reference>[A-Z0-9]{6}-[A-Z0-9]{4,5})|(?P<number>\d{1,17}))@(?P<host>[a-z0-9.-]+)",
    re.I,
)
_MARKS: Sequence[tuple[str, Kind]] = (
    ("numbers", "number"),
    ("possible_numbers", "worded number"),
    ("text_numbers", "number in text"),
)


@dataclass(frozen=True, slots=True)
class Name:
    """A name of some ticket elsewhere, as one mail gives it."""

    kind: Kind
    value: str


def names_of(comments: Sequence[SourceComment]) -> Iterator[tuple[SourceComment, Name]]:
    """What the mails of one conversation name, each once per mail; nothing for comments that are no mails.

    Args:
        comments: all comments of one ticket.
    """
    own = {comment.message_id for comment in comments}
    for comment in comments:
        if comment.copy_of_remote_id is not None or not comment.thread_marks:
            continue
        found = dict.fromkeys((*_numbers(comment), *_addresses(comment), *_answered(comment, own)))
        yield from ((comment, name) for name in found)


def reply_name(address: str) -> Name | None:
    """The ticket that a helpdesk's reply address stands for."""
    match = _REPLY_ADDRESS.fullmatch(address)
    if match is None:
        return None
    host = match["host"].casefold()
    if match["number"]:
        return Name("reply number", f"{host}|{match['number'].lstrip('0') or '0'}")
    return Name("reply reference", f"{host}|{match['reference'].upper()}")


def _numbers(comment: SourceComment) -> Iterator[Name]:
    for mark, kind in _MARKS:
        for number in comment.thread_marks.get(mark, ()):
            yield Name(kind, number)


def _addresses(comment: SourceComment) -> Iterator[Name]:
    yield from filter(None, map(reply_name, comment.participants))


def _answered(comment: SourceComment, own: set[str | None]) -> Iterable[Name]:
    ids = dict.fromkeys((*comment.reference_ids, *comment.in_reply_to[-1:], *comment.bounced_ids))
    away = [each for each in ids if each.startswith("<") and each not in own]
    return [Name("answered", each) for each in away[-MOST_ANSWERED:]]
