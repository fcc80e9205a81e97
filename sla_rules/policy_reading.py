"""From a policy file's data to validated policies.

Belongs here: each section of a policy file, read and checked. Does not belong here: YAML
(`policy_yaml.py`), the policy itself (`policy.py`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from sla_rules.calendar import Calendar, CalendarError
from sla_rules.calendar_mapping import shown, suggest
from sla_rules.durations import read_duration
from sla_rules.matching import MATCH_KEYS, Match
from sla_rules.metrics import ACTIVE_STATUSES, MATRIX_NAMES, METRICS
from sla_rules.policy import ALWAYS, RULE_WORDS, AtRisk, Cell, Contract, Matrix, Policy, Rules
from sla_rules.policy_yaml import Found, read_document
from sla_rules.triage import WHERE, TriageRule
from transforms.model import PRIORITIES

POLICY_KEYS = (
    "name",
    "effective_from",
    "calendars",
    "business_hours",
    "matrix",
    "pausing",
    "rules",
    "match",
    "contracts",
    "triage",
)
"""What a policy may hold."""

ROW_KEYS = (*MATRIX_NAMES, *METRICS, "calendar")
"""What a row of the matrix may hold."""

BUSINESS = ("business_hours", "business hours")
"""Words for the calendar that the policy names as its business hours."""

NO_TARGET = "none"
"""Says that a row of the matrix promises nothing for a metric that other rows have."""

Calendars = dict[str, Calendar]


def read_policies(text: str, name: str) -> tuple[Policy, ...]:
    """All policies of a file.

    Raises:
        PolicyError: anything that is not as expected.
    """
    document = read_document(text, name)
    top = Found(document, document.data)
    if not isinstance(document.data, Mapping) or "policies" not in document.data:
        return (_policy(top, {}),)
    parts = top.fields(("calendars", "policies"), ("policies",))
    shared = _calendars(parts["calendars"]) if "calendars" in parts else {}
    found = tuple(_policy(item, shared) for item in parts["policies"].items())
    if not found:
        raise parts["policies"].error("expected at least one policy, found an empty list")
    _check_order(parts["policies"], found)
    return found


def read_triage(text: str, name: str) -> tuple[TriageRule, ...]:
    """The triage rules of all policies of a file, whatever else is wrong with it.

    Raises:
        PolicyError: it is no YAML, or a triage rule is not as expected.
    """
    document = read_document(text, name)
    parts = Found(document, document.data).entries()
    policies = (
        [one.entries() for one in parts["policies"].items()] if "policies" in parts else [parts]
    )
    return tuple(rule for policy in policies for rule in _triage(policy.get("triage")))


def _check_order(place: Found, policies: tuple[Policy, ...]) -> None:
    items = place.items()
    seen: set[tuple[str, datetime | None]] = set()
    catch_all: str | None = None
    for item, policy in zip(items, policies, strict=True):
        key = (policy.name, policy.effective_from)
        if key in seen:
            raise item.error(
                f"{policy.name} stands here twice with the same effective_from; a new version needs a later one"
            )
        seen.add(key)
        if catch_all is not None and policy.name != catch_all:
            raise item.error(
                f"{policy.name} can never be reached: {catch_all} before it has no match"
            )
        if policy.match.is_empty:
            catch_all = policy.name


def _policy(place: Found, shared: Calendars) -> Policy:
    parts = place.fields(POLICY_KEYS, ("name", "matrix"))
    calendars: Calendars = {ALWAYS: Calendar.always_open(), **shared}
    if "calendars" in parts:
        calendars.update(_calendars(parts["calendars"]))
    business_hours = _business_hours(place, parts.get("business_hours"), calendars)
    zone: tzinfo = calendars[business_hours].spec.zone or UTC
    reader = _Cells(calendars, business_hours)
    return Policy(
        name=parts["name"].text(),
        calendars=calendars,
        business_hours=business_hours,
        matrix=reader.matrix(parts["matrix"]),
        pausing=_pausing(parts.get("pausing")),
        rules=_rules(parts.get("rules")),
        match=_match(parts.get("match")),
        contracts=_contracts(parts.get("contracts"), reader, zone),
        triage=_triage(parts.get("triage")),
        effective_from=parts["effective_from"].instant(zone) if "effective_from" in parts else None,
    )


def _calendars(place: Found) -> Calendars:
    found: Calendars = {}
    for name, item in place.entries().items():
        if name == ALWAYS:
            raise item.error(
                f"{ALWAYS} is there already: absolute time; give this one another name"
            )
        try:
            found[name] = Calendar.from_mapping(item.value)
        except CalendarError as error:
            raise item.document.error((*item.path, *error.path), error.reason) from None
    return found


def _business_hours(place: Found, named: Found | None, calendars: Calendars) -> str:
    if named is not None:
        name = named.text()
        if name not in calendars:
            raise named.error(
                f"no calendar is called {shown(name)}; {suggest(name, list(calendars))}"
            )
        return name
    own = [name for name in calendars if name != ALWAYS]
    if len(own) > 1:
        if "business_hours" in own:
            return "business_hours"
        raise place.error(f"business_hours is missing; expected one of {', '.join(own)}")
    return own[0] if own else ALWAYS


class _Cells:
    """Reads promises; knows the calendars they may name."""

    def __init__(self, calendars: Calendars, business_hours: str) -> None:
        self.calendars = calendars
        self.business_hours = business_hours

    def matrix(self, place: Found) -> Matrix:
        """The policy's matrix: every priority has a row, every row the same metrics."""
        rows = place.fields(PRIORITIES)
        missing = [priority for priority in PRIORITIES if priority not in rows]
        if missing:
            raise place.error(
                f"the row {missing[0]} is missing, found {', '.join(rows) or 'none'}; "
                f"expected a row for each of {', '.join(PRIORITIES)}"
            )
        read = {priority: self._promises(rows[priority]) for priority in PRIORITIES}
        named = {metric for row in read.values() for metric in row}
        for priority, row in read.items():
            lacking = [metric for metric in METRICS if metric in named and metric not in row]
            if lacking:
                raise rows[priority].error(
                    f"no target for {lacking[0]}, which other rows have; expected one in every row, or "
                    f"{NO_TARGET}"
                )
        if not any(cell for row in read.values() for cell in row.values()):
            raise place.error("expected at least one target, found none")
        return {
            priority: {metric: cell for metric, cell in row.items() if cell is not None}
            for priority, row in read.items()
        }

    def partial(self, place: Found) -> Matrix:
        """A contract's promises: any priorities, any metrics."""
        rows = place.fields(PRIORITIES)
        if not rows:
            raise place.error("expected at least one priority with a target, found none")
        return {priority: self.row(row) for priority, row in rows.items()}

    def row(self, place: Found) -> dict[str, Cell]:
        """A contract's row: what it leaves out falls through to the matrix."""
        cells: dict[str, Cell] = {}
        for metric, cell in self._promises(place).items():
            if cell is None:
                raise place.error(
                    f"{metric}: {NO_TARGET} belongs to the matrix; leave the target out here"
                )
            cells[metric] = cell
        return cells

    def _promises(self, place: Found) -> dict[str, Cell | None]:
        parts = place.fields(ROW_KEYS)
        named = self._calendar(parts.get("calendar"))
        cells: dict[str, Cell | None] = {}
        for key, item in parts.items():
            if key == "calendar":
                continue
            metric = MATRIX_NAMES.get(key, key)
            if metric in cells:
                raise item.error(
                    f"a second target for {metric} in this row; response means first_reply"
                )
            cells[metric] = None if item.value == NO_TARGET else self._cell(item, named)
        if not cells:
            raise place.error("expected a target such as response: 15 min, found none")
        return cells

    def _cell(self, place: Found, calendar: str) -> Cell:
        amount = place.value
        if isinstance(amount, Mapping):
            rest = {key: value for key, value in amount.items() if key != "calendar"}
            if "calendar" in amount:
                calendar = self._calendar(place.entries()["calendar"])
            amount = rest.get("target") if set(rest) == {"target"} else rest
        try:
            duration = read_duration(amount)
        except ValueError as error:
            raise place.error(str(error)) from None
        day = self.calendars[calendar].longest_day_seconds
        if duration.business_days and day == 0:
            raise place.error(
                f"{calendar} has no weekly hours, so that a business day has no length"
            )
        return Cell(duration.in_seconds(day), calendar, calendar == self.business_hours != ALWAYS)

    def _calendar(self, place: Found | None) -> str:
        if place is None:
            return self.business_hours
        name = place.text()
        if name in self.calendars:
            return name
        if name in BUSINESS:
            return self.business_hours
        known = [*self.calendars, BUSINESS[0]]
        raise place.error(f"no calendar is called {shown(name)}; {suggest(name, known)}")


def _pausing(place: Found | None) -> dict[str, frozenset[str]]:
    """Per metric the statuses in which its clock stands still."""
    found = {name: metric.pausing for name, metric in METRICS.items()}
    if place is None:
        return found
    names = {**MATRIX_NAMES, **{metric: metric for metric in METRICS}}
    for key, item in place.fields(tuple(names)).items():
        statuses = [] if item.value in (None, []) else item.words()
        for status in statuses:
            if status not in ACTIVE_STATUSES:
                raise item.error(
                    f"{shown(status)} cannot pause a clock; {suggest(status, ACTIVE_STATUSES)}"
                )
        found[names[key]] = frozenset(statuses)
    return found


def _rules(place: Found | None) -> Rules:
    if place is None:
        return Rules()
    chosen: dict[str, Any] = {}
    for key, item in place.fields((*RULE_WORDS, "no_priority", "at_risk")).items():
        if key == "at_risk":
            chosen[key] = _at_risk(item)
        elif key == "no_priority":
            word = item.one_of((*PRIORITIES, "no_clock"))
            chosen[key] = None if word == "no_clock" else word
        elif key == "due_while_paused" and item.value is None:
            chosen[key] = "null"
        else:
            chosen[key] = item.one_of(RULE_WORDS[key])
    return Rules(**chosen)


def _at_risk(place: Found) -> AtRisk:
    """`80 %` of the target, or `30 min left` in the clock's own time."""
    text = " ".join(str(place.value).split())
    number = text.removesuffix("%").strip()
    if text.endswith("%") and number.isdigit() and 1 <= int(number) <= 100:
        return AtRisk(percent=int(number))
    try:
        if not text.endswith(" left"):
            raise ValueError(text)
        amount = read_duration(text.removesuffix(" left"))
        if amount.business_days:
            raise ValueError(text)
    except ValueError:
        raise place.error(
            f"expected a share such as 80 % (1 to 100) or a rest such as 30 min left, found {shown(place.value)}"
        ) from None
    return AtRisk(percent=None, seconds_left=amount.seconds)


def _match(place: Found | None) -> Match:
    if place is None:
        return Match()
    return Match(**{key: item.words() for key, item in place.fields(MATCH_KEYS).items()})


def _contracts(place: Found | None, reader: _Cells, zone: tzinfo) -> tuple[Contract, ...]:
    found: list[Contract] = []
    for item in [] if place is None else place.items():
        keys = ("name", "match", "targets", "valid_from", "valid_to")
        parts = item.fields(keys, ("name", "match", "targets"))
        valid_from, valid_to = (
            parts[key].instant(zone) if key in parts else None for key in ("valid_from", "valid_to")
        )
        if valid_from is not None and valid_to is not None and valid_to <= valid_from:
            raise parts["valid_to"].error("valid_to is not after valid_from")
        match = _match(parts["match"])
        if match.is_empty:
            raise parts["match"].error(
                "a contract needs a condition; one for all is the matrix itself"
            )
        cells = reader.partial(parts["targets"])
        found.append(Contract(parts["name"].text(), match, cells, valid_from, valid_to))
    return tuple(found)


def _triage(place: Found | None) -> tuple[TriageRule, ...]:
    found: list[TriageRule] = []
    conditions = ("words", "channels", "sources", "senders", "organisations", "categories", "tags")
    for item in [] if place is None else place.items():
        keys = ("name", "priority", "where", "may_raise", *conditions)
        parts = item.fields(keys, ("name", "priority"))
        named = {key: parts[key].words() for key in conditions if key in parts}
        if not named:
            raise item.error(f"expected a condition ({', '.join(conditions)}), found none")
        for word in named.get("words", ()):
            if not word.strip("* "):
                raise parts["words"].error(f"{shown(word)} would fit every text")
        name = parts["name"].text()
        if any(rule.name == name for rule in found):
            raise parts["name"].error(f"a second rule is called {shown(name)}")
        found.append(
            TriageRule(
                name=name,
                priority=parts["priority"].one_of(PRIORITIES),
                where=parts["where"].one_of(WHERE) if "where" in parts else WHERE[0],
                may_raise=parts["may_raise"].flag() if "may_raise" in parts else False,
                **named,
            )
        )
    return tuple(found)
