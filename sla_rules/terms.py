"""Which promise is in force for a ticket at a moment of its life.

Belongs here: choosing the policy, its version, the contract, the row and the calendar. Does not belong
here: measuring (`clocks.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from sla_rules.calendar import Calendar
from sla_rules.history import Moment, TicketFacts
from sla_rules.policy import Policy


@dataclass(frozen=True, slots=True)
class Term:
    """One promise in force: target in seconds of a calendar, by a policy, for a priority.

    `source` names the contract, or `matrix`.
    """

    policy: Policy
    priority: str
    target_seconds: int
    calendar_name: str
    calendar: Calendar
    source: str


class PolicyBook:
    """The policies in the order in which they are tried, several versions of one under one name."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        """Group the versions of each policy by its name, in the order of their first appearance."""
        groups: dict[str, list[Policy]] = {}
        for policy in policies:
            groups.setdefault(policy.name, []).append(policy)
        self._groups = [sorted(group, key=_effective_second) for group in groups.values()]
        self._static = tuple(group[0] for group in self._groups)
        self._terms: dict[tuple[Policy, str, str, str | None], Term] = {}
        self.is_static = all(
            len(group) == 1 and group[0].effective_from is None for group in self._groups
        )
        self.is_timeless = self.is_static and not any(
            contract.valid_from or contract.valid_to
            for policy in policies
            for contract in policy.contracts
        )

    def policy_for(self, ticket: TicketFacts, at: int, as_of: int) -> Policy | None:
        """The first policy that fits the ticket, in the version in force at `at` (epoch seconds).

        A policy that says `recompute` is taken in the version in force at `as_of` instead.
        """
        if self.is_static:
            return next((policy for policy in self._static if policy.fits(ticket)), None)
        for group in self._groups:
            latest = _in_force(group, as_of)
            if latest is None:
                continue
            is_recomputed = latest.rules.policy_edit == "recompute"
            policy = latest if is_recomputed else _in_force(group, at)
            if policy is not None and policy.fits(ticket):
                return policy
        return None

    def next_change(self, after: int) -> int | None:
        """The next instant, in epoch seconds, at which a version that is recomputed takes hold."""
        if self.is_static:
            return None
        starts = [
            ceil(policy.effective_from.timestamp())
            for group in self._groups
            for policy in group
            if policy.effective_from is not None and policy.rules.policy_edit == "recompute"
        ]
        return min((start for start in starts if start > after), default=None)

    def term(
        self, policy: Policy, metric: str, ticket: TicketFacts, moment: Moment, priority: str | None
    ) -> Term | None:
        """The promise of that policy for a metric of the ticket at a moment; None where there is none."""
        row = priority if priority is not None else policy.rules.no_priority
        if row is None:
            return None
        if policy.contracts:
            found = self._contract_term(policy, metric, ticket, moment, row)
            if found is not None:
                return found
        key = (policy, row, metric, moment.calendar)
        term = self._terms.get(key)
        if term is None:
            cell = policy.matrix[row].get(metric)
            if cell is None:
                return None
            name = _calendar_name(policy, cell.calendar, cell.follows_business_hours, moment)
            term = Term(policy, row, cell.target_seconds, name, policy.calendars[name], "matrix")
            self._terms[key] = term
        return term

    def _contract_term(
        self, policy: Policy, metric: str, ticket: TicketFacts, moment: Moment, row: str
    ) -> Term | None:
        at = datetime.fromtimestamp(moment.second, UTC)
        for contract in policy.ranked_contracts:
            cell = contract.cells.get(row, {}).get(metric)
            if cell is None or not contract.holds_at(at):
                continue
            if contract.match.fits(ticket, moment.contract):
                name = _calendar_name(policy, cell.calendar, cell.follows_business_hours, moment)
                calendar = policy.calendars[name]
                return Term(policy, row, cell.target_seconds, name, calendar, contract.name)
        return None


def _calendar_name(policy: Policy, name: str, follows: bool, moment: Moment) -> str:
    """The cell's calendar, or the ticket's own where the cell goes by business hours."""
    if follows and moment.calendar is not None and moment.calendar in policy.calendars:
        return moment.calendar
    return name


def _effective_second(policy: Policy) -> float:
    return float("-inf") if policy.effective_from is None else policy.effective_from.timestamp()


def _in_force(group: Sequence[Policy], at: int) -> Policy | None:
    found = None
    for policy in group:
        if _effective_second(policy) <= at:
            found = policy
    return found
