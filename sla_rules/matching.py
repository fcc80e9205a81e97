"""Which tickets a policy, a contract or a triage rule is for.

Belongs here: the conditions and how they are tested. Does not belong here: reading them from a file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from sla_rules.history import TicketFacts


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions on a ticket: all that are named must hold, each by any one of its words.

    `organisations` may name a key or a name. Words are compared without regard to case.
    """

    sources: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()

    @property
    def specificity(self) -> int:
        """How many conditions are named: the more, the more specific."""
        return sum(1 for name in MATCH_KEYS if getattr(self, name))

    @property
    def is_empty(self) -> bool:
        """Whether every ticket fits."""
        return self.specificity == 0

    def fits(self, ticket: TicketFacts, contract: str | None = None) -> bool:
        """Whether the ticket fits, under the contract that is in force for it."""
        return (
            _any(self.sources, (ticket.source_key,))
            and _any(self.channels, (ticket.channel,))
            and _any(self.organisations, (ticket.organisation_key, ticket.organisation_name))
            and _any(self.requesters, (ticket.requester_key,))
            and _any(self.tags, ticket.tags)
            and _any(self.categories, (ticket.category,))
            and _any(self.contracts, (contract if contract is not None else ticket.contract,))
        )

    def canonical(self) -> dict[str, Any]:
        """The conditions as JSON-ready data, in an order of their own."""
        return {
            name: sorted(word.casefold() for word in getattr(self, name))
            for name in MATCH_KEYS
            if getattr(self, name)
        }


MATCH_KEYS = tuple(item.name for item in fields(Match))
"""Names of the conditions."""


def _any(wanted: tuple[str, ...], found: Iterable[str | None]) -> bool:
    if not wanted:
        return True
    known = {word.casefold() for word in found if word}
    return any(word.casefold() in known for word in wanted)
