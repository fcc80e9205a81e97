"""Triage: which priority a new ticket gets, and by which rule.

A mail carries no priority, and a shared inbox must still be able to wake someone. Belongs here: the rules
and how they are tried. Does not belong here: reading them from a file, writing the priority anywhere.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unicodedata import normalize

from transforms.model import PRIORITIES


@dataclass(frozen=True, slots=True)
class TriageTicket:
    """What triage looks at. `priority` is the source's own, None where it gave none."""

    subject: str = ""
    body: str = ""
    channel: str = "unknown"
    source_key: str = ""
    sender: str | None = None
    organisation_key: str | None = None
    organisation_name: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    priority: str | None = None


@dataclass(frozen=True, slots=True)
class TriageRule:
    """One rule: all conditions that are named must hold, each by any one of its words.

    `words` are whole words or phrases; a `*` at the end stands for any ending, which Turkish needs
    (`sunucu*` finds *sunucuya*). `senders` are addresses, or domains written `@example.com`.
    """

    name: str
    priority: str
    words: tuple[str, ...] = ()
    where: str = "anywhere"
    channels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    may_raise: bool = False

    def canonical(self) -> dict[str, Any]:
        """The rule as JSON-ready data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class TriageOutcome:
    """The priority a ticket ends up with, and the rule that gave it (None: the source's own, or none)."""

    priority: str | None
    rule: str | None = field(default=None)


WHERE = ("anywhere", "subject", "body")
"""Where a rule's words may stand."""


def triage(rules: Sequence[TriageRule], ticket: TriageTicket) -> TriageOutcome:
    """The priority of a ticket by the first rule that fits.

    A priority given by the source stays, unless a rule that may raise fits and asks for a more urgent one.
    """
    given = ticket.priority if ticket.priority in PRIORITIES else None
    for rule in rules:
        if given is not None and not (rule.may_raise and _is_more_urgent(rule.priority, given)):
            continue
        if _fits(rule, ticket):
            return TriageOutcome(rule.priority, rule.name)
    return TriageOutcome(given)


def _is_more_urgent(priority: str, than: str) -> bool:
    return PRIORITIES.index(priority) < PRIORITIES.index(than)


def _fits(rule: TriageRule, ticket: TriageTicket) -> bool:
    return (
        _one_of(rule.channels, (ticket.channel,))
        and _one_of(rule.sources, (ticket.source_key,))
        and _one_of(rule.organisations, (ticket.organisation_key, ticket.organisation_name))
        and _one_of(rule.categories, (ticket.category,))
        and _one_of(rule.tags, ticket.tags)
        and _sent_by(rule.senders, ticket.sender)
        and _says(rule, ticket)
    )


def _one_of(wanted: tuple[str, ...], found: Sequence[str | None]) -> bool:
    if not wanted:
        return True
    known = {folded(word) for word in found if word}
    return any(folded(word) in known for word in wanted)


def _sent_by(senders: tuple[str, ...], sender: str | None) -> bool:
    if not senders:
        return True
    address = folded(sender or "")
    domain = address[address.rfind("@") :] if "@" in address else None
    return any(folded(word) in (address, domain) for word in senders)


def _says(rule: TriageRule, ticket: TriageTicket) -> bool:
    if not rule.words:
        return True
    texts = {
        "anywhere": (ticket.subject, ticket.body),
        "subject": (ticket.subject,),
        "body": (ticket.body,),
    }[rule.where]
    pattern = _pattern(rule.words)
    return any(pattern.search(folded(text)) for text in texts)


@lru_cache(maxsize=512)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    choices = []
    for word in words:
        stem, is_prefix = folded(word).strip(), word.strip().endswith("*")
        inner = r"\s+".join(re.escape(part) for part in stem.rstrip("*").split())
        choices.append(inner + (r"\w*" if is_prefix else ""))
    return re.compile(rf"(?<!\w)(?:{'|'.join(choices)})(?!\w)")


def folded(text: str) -> str:
    """Text made comparable: compatibility forms, case and the Turkish dotted and dotless i set aside."""
    plain = normalize("NFKC", text).replace("İ", "i").replace("I", "i").casefold()
    return plain.replace("ı", "i")
