"""The escalation ladder as a file: which steps there are, what starts, times and stops each one.

Belongs here: the file's shape and its checks. Does not belong here: when a step fires for a ticket
(`escalation`) and who is on call (`on_call`).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from transforms.model import PRIORITIES, Priority, Status
from transforms.yaml_document import Document, DocumentError

Action = Literal["page", "message", "warn"]
"""`page` wakes the level's on-call; `message` tells the channel; `warn` tells it before a promise breaks."""
ClockName = Literal["business", "24x7"]
Until = Literal["acknowledged", "replied", "solved"]
Metric = Literal[
    "first_reply",
    "next_reply",
    "periodic_update",
    "pausable_update",
    "agent_work",
    "requester_wait",
    "resolution",
    "first_resolution",
    "total_resolution",
]
When = Literal["elapsed", "at_risk", "breached"]

NUMBERED_METRICS = frozenset({"next_reply", "periodic_update", "pausable_update"})
"""Metrics with many instances in one ticket: each instance has its own timer."""

_PAUSES: Mapping[str, tuple[Status, ...]] = {
    "resolution": ("pending", "on_hold"),
    "agent_work": ("pending", "on_hold"),
    "requester_wait": ("pending",),
    "pausable_update": ("pending",),
}
_UNITS = {"h": 3_600, "m": 60, "s": 1}


def _seconds(value: Any) -> int:
    if isinstance(value, str):
        match = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,5})s)?", value.strip())
        if match and any(match.groups()):
            return sum(
                int(n or 0) * _UNITS[unit] for n, unit in zip(match.groups(), "hms", strict=True)
            )
    raise ValueError(f"found {value!r}, expected a duration such as 15m, 1h or 1h30m")


def _step_name(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_]{0,39}", value):
        return value
    raise ValueError(
        f"found {value!r}, expected small letters, digits and _ (the name is part of every page's key)"
    )


def _seconds_by_priority(value: Any) -> Any:
    if not isinstance(value, dict):
        return _seconds(value)
    return {_priority(name): _seconds(one) for name, one in value.items()}


def _clock_by_priority(value: Any) -> Any:
    if not isinstance(value, dict):
        return _clock(value)
    return {_priority(name): _clock(one) for name, one in value.items()}


def _priority(value: Any) -> Any:
    if value in PRIORITIES:
        return value
    raise ValueError(f"found {value!r}, expected one of {', '.join(PRIORITIES)}")


def _clock(value: Any) -> Any:
    if value in ("business", "24x7"):
        return value
    raise ValueError(f"found {value!r}, expected business, 24x7 or one of them per priority")


Duration = Annotated[int, BeforeValidator(_seconds)]
DurationByPriority = Annotated[int | dict[Priority, int], BeforeValidator(_seconds_by_priority)]
ClockByPriority = Annotated[
    ClockName | dict[Priority, ClockName], BeforeValidator(_clock_by_priority)
]
StepName = Annotated[str, AfterValidator(_step_name)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """One step. Exactly one of `metric`, `status`, `at_level` says what it waits for.

    - `metric` with `when: elapsed`: `after` since the ticket was opened (or opened again; for numbered
      metrics since that instance began), not counting time in the statuses of `pauses_in`.
    - `metric` with `when: at_risk` or `breached`: the instant at which the ticket's own SLA clock of that
      metric reaches 80 % of its target, or its target.
    - `status`: `after` in one of these statuses without leaving them.
    - `at_level`: `after` since the ticket stands at that level, by a step or by hand.

    `after` and `clock` may differ by priority: a mapping instead of one value.
    """

    name: StepName
    level: str
    action: Action
    until: Until
    metric: Metric | None = None
    when: When = "elapsed"
    status: tuple[Status, ...] = ()
    at_level: str | None = None
    after: DurationByPriority = 0
    clock: ClockByPriority = "24x7"
    only: Annotated[tuple[Priority, ...], Field(min_length=1)] = PRIORITIES  # type: ignore[assignment]
    pauses_in: tuple[Status, ...] | None = None
    hand_over: bool = False

    @model_validator(mode="after")
    def _one_condition(self) -> "Step":
        conditions = [self.metric is not None, bool(self.status), self.at_level is not None]
        if sum(conditions) != 1:
            raise ValueError("expected exactly one of metric, status and at_level")
        if self.when != "elapsed" and self.metric is None:
            raise ValueError(f"when: {self.when} needs a metric")
        if self.when != "elapsed" and self.after != 0:
            raise ValueError(f"when: {self.when} has its own instant; expected no 'after'")
        for name in ("after", "clock"):
            value = getattr(self, name)
            missing = [p for p in self.only if isinstance(value, dict) and p not in value]
            if missing:
                raise ValueError(f"'{name}' says nothing for {', '.join(missing)}")
        return self

    def after_for(self, priority: str) -> int:
        """Seconds to wait, for a ticket of this priority."""
        return self.after if isinstance(self.after, int) else self.after[priority]  # type: ignore[index]

    def clock_for(self, priority: str) -> ClockName:
        """Which clock counts, for a ticket of this priority."""
        return self.clock if isinstance(self.clock, str) else self.clock[priority]  # type: ignore[index]

    def pausing_statuses(self) -> tuple[str, ...]:
        """Statuses in which `after` does not count: the file's, else those of the metric (SLA.md, Clocks)."""
        if self.pauses_in is not None:
            return self.pauses_in
        return _PAUSES.get(self.metric or "", ())


class Ladder(_Part):
    """A validated ladder; made by `load_ladder`."""

    name: str
    levels: Annotated[tuple[str, ...], Field(min_length=1)]
    """From the first to be called to the last."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    no_priority: Priority = "medium"
    at_risk_percent: Annotated[int, Field(ge=1, le=99)] = 80
    late_after: Duration = 120
    calendar: str | None = None
    """Calendar of `clock: business`; none means the one of the ticket's own SLA clock."""
    version: str = ""
    """`name@` and the first digits of the file's sha256; set when it is loaded."""

    def step(self, name: str) -> Step | None:
        """The step with this name."""
        return next((step for step in self.steps if step.name == name), None)

    def rank(self, level: str) -> int:
        """Place of a level, 0 for the first; -1 for one that is not in the ladder."""
        return self.levels.index(level) if level in self.levels else -1


def load_ladder(text: str, name: str) -> Ladder:
    """A ladder from YAML.

    Raises:
        DocumentError: every fault with file, line, what was found and what is expected.
    """
    document = Document(text, name)
    ladder = document.validate(Ladder)
    faults = [document.fault(path, message) for path, message in _faults(ladder)]
    if faults:
        raise DocumentError(faults)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return ladder.model_copy(update={"version": f"{ladder.name}@{digest}"})


def _faults(ladder: Ladder) -> Iterator[tuple[tuple[str | int, ...], str]]:
    levels = ", ".join(ladder.levels)
    if len(set(ladder.levels)) != len(ladder.levels):
        yield ("levels",), f"found {levels}; expected each level once"
    if ladder.version:
        yield ("version",), "is computed from the file; leave it out"
    seen: set[str] = set()
    highest_page = -1
    for number, step in enumerate(ladder.steps):
        path = ("steps", number)
        if step.name in seen:
            yield (*path, "name"), f"found '{step.name}' a second time; expected each name once"
        seen.add(step.name)
        for field in ("level", "at_level"):
            value = getattr(step, field)
            if value is not None and value not in ladder.levels:
                yield (*path, field), f"found '{value}', expected one of {levels}"
        if step.action == "page":
            rank = ladder.rank(step.level)
            if 0 <= rank < highest_page:
                yield (
                    (*path, "level"),
                    f"found a page to {step.level} after one to {ladder.levels[highest_page]}; expected "
                    "pages in the order of the levels",
                )
            highest_page = max(rank, highest_page)
