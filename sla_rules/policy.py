"""Policies: what was promised, for which tickets, by which rules.

Belongs here: the validated policy and `load_policies`. Does not belong here: how a file is read
(`policy_yaml.py`, `policy_reading.py`), how a promise is measured (`engine.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from sla_rules.calendar import Calendar
from sla_rules.history import TicketFacts
from sla_rules.matching import Match
from sla_rules.metrics import METRICS
from sla_rules.triage import TriageRule

ALWAYS = "24x7"
"""Name of the calendar that every policy has: absolute time."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One promise: target in seconds of the named calendar.

    `follows_business_hours`: a ticket that is given another calendar takes this promise along to it.
    """

    target_seconds: int
    calendar: str
    follows_business_hours: bool


@dataclass(frozen=True, slots=True)
class AtRisk:
    """When an open clock counts as at risk: a share of the target, or a rest of its own time."""

    percent: int | None = 80
    seconds_left: int | None = None

    def threshold(self, target_seconds: int) -> int:
        """Elapsed seconds from which on a clock with that target is at risk."""
        if self.seconds_left is not None:
            return max(0, target_seconds - self.seconds_left)
        return -(-target_seconds * (self.percent or 0) // 100)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of SLA.md, each with its default; `no_priority` None means no clock."""

    priority_change: str = "keep_elapsed"
    stopped_target: str = "at_stop"
    reopen: str = "resume_exclude_solved"
    calendar_change: str = "cumulative"
    equal: str = "met"
    due_at_closing: str = "closing"
    merge: str = "cancelled"
    policy_edit: str = "versioned"
    due_while_paused: str = "null"
    no_priority: str | None = "medium"
    at_risk: AtRisk = field(default=AtRisk())


RULE_WORDS: Mapping[str, tuple[str, ...]] = {
    "priority_change": ("keep_elapsed", "restart", "frozen"),
    "stopped_target": ("at_stop", "at_start"),
    "reopen": ("resume_exclude_solved", "resume_include_solved", "new_cycle", "first_only"),
    "calendar_change": ("cumulative", "last", "at_start"),
    "equal": ("met", "breached"),
    "due_at_closing": ("closing", "next_opening"),
    "merge": ("cancelled", "stop"),
    "policy_edit": ("versioned", "recompute"),
    "due_while_paused": ("null", "projected"),
}
"""Values of the rules that take one word; the default stands first."""

Matrix = Mapping[str, Mapping[str, Cell]]
"""Priority → metric → promise."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Promises of their own for some tickets; cells it leaves out fall through to the matrix."""

    name: str
    match: Match
    cells: Matrix
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def holds_at(self, instant: datetime) -> bool:
        """Whether the contract is in force: from `valid_from` on, until before `valid_to`."""
        return (self.valid_from is None or self.valid_from <= instant) and (
            self.valid_to is None or instant < self.valid_to
        )


@dataclass(frozen=True, eq=False)
class Policy:
    """A validated policy in one version; two that say the same have the same `version`."""

    name: str
    calendars: Mapping[str, Calendar]
    business_hours: str
    matrix: Matrix
    pausing: Mapping[str, frozenset[str]]
    rules: Rules = Rules()
    match: Match = Match()  # noqa: RUF009 - frozen, safe to share
    contracts: tuple[Contract, ...] = ()
    triage: tuple[TriageRule, ...] = ()
    effective_from: datetime | None = None

    @cached_property
    def version(self) -> str:
        """Twelve hex digits of the sha256 of what the policy says, however it was written."""
        text = json.dumps(
            self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=True
        )
        return sha256(text.encode("ascii")).hexdigest()[:12]

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics this policy measures, in the order of their table."""
        named = {metric for row in self.matrix.values() for metric in row}
        for contract in self.contracts:
            named.update(metric for row in contract.cells.values() for metric in row)
        return tuple(metric for metric in METRICS if metric in named)

    @cached_property
    def ranked_contracts(self) -> tuple[Contract, ...]:
        """The contracts, most specific first, ties by their order in the file."""
        return tuple(sorted(self.contracts, key=lambda contract: -contract.match.specificity))

    def canonical(self) -> dict[str, Any]:
        """All that the policy says, as JSON-ready data: what its version is taken of."""
        rules = {item.name: getattr(self.rules, item.name) for item in fields(Rules)}
        rules["at_risk"] = [self.rules.at_risk.percent, self.rules.at_risk.seconds_left]
        return {
            "name": self.name,
            "effective_from": _iso(self.effective_from),
            "calendars": {name: cal.canonical() for name, cal in self.calendars.items()},
            "business_hours": self.business_hours,
            "matrix": _canonical_matrix(self.matrix),
            "pausing": {metric: sorted(words) for metric, words in self.pausing.items()},
            "rules": rules,
            "match": self.match.canonical(),
            "contracts": [
                {
                    "name": contract.name,
                    "match": contract.match.canonical(),
                    "cells": _canonical_matrix(contract.cells),
                    "valid_from": _iso(contract.valid_from),
                    "valid_to": _iso(contract.valid_to),
                }
                for contract in self.contracts
            ],
            "triage": [rule.canonical() for rule in self.triage],
        }

    def fits(self, ticket: TicketFacts) -> bool:
        """Whether the policy is for this ticket."""
        return self.match.fits(ticket)


def load_policies(text: str, name: str) -> tuple[Policy, ...]:
    """Validated policies from the text of a policy file.

    Args:
        text: YAML; one policy, or `policies: [...]` with `calendars` shared by them.
        name: The file's name, for errors.

    Returns:
        The policies in the order of the file, which is the order in which they are tried.

    Raises:
        PolicyError: a ValueError that says file, line, what was found and what is expected.
    """
    from sla_rules.policy_reading import read_policies

    return read_policies(text, name)


def load_triage(text: str, name: str) -> tuple[TriageRule, ...]:
    """The triage rules of a policy file alone: tickets are read by them, whatever is wrong with the promises.

    Args:
        text: as for `load_policies`.
        name: The file's name, for errors.

    Raises:
        PolicyError: a ValueError: the text is no YAML, or a triage rule is not as expected.
    """
    from sla_rules.policy_reading import read_triage

    return read_triage(text, name)


def check_policies(policies: Sequence[Policy]) -> None:
    """Check that policies of several files, in the order in which they are tried, make sense together.

    Raises:
        ValueError: none at all; one that can never be reached; or no last one that takes every ticket.
    """
    if not policies:
        raise ValueError("no SLA policy at all; name at least one, for instance standard.yaml")
    catch_all: str | None = None
    for policy in policies:
        if catch_all is not None and policy.name != catch_all:
            raise ValueError(
                f"the policy {policy.name} can never be reached: {catch_all} before it has no condition"
            )
        if policy.match.is_empty:
            catch_all = policy.name
    if catch_all is None:
        raise ValueError(
            f"the last policy, {policies[-1].name}, has conditions, so that some tickets would have none; "
            "put one without conditions last"
        )


def _canonical_matrix(matrix: Matrix) -> dict[str, Any]:
    return {
        priority: {
            metric: [cell.target_seconds, cell.calendar, cell.follows_business_hours]
            for metric, cell in row.items()
        }
        for priority, row in matrix.items()
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
