"""Who is on call at an instant, and why.

Belongs here: `who`, and the rota made of it. Does not belong here: the plan's file (`on_call_plan`), when somebody
is called (`escalation`), how they are reached (`connectors`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sla_rules.on_call_plan import (
    NOBODY,
    ROLES,
    Cover,
    OnCallPlan,
    Role,
    check_cover,
    covers,
    in_turn,
    load_on_call,
    shown,
)

__all__ = [
    "OnCall",
    "OnCallPerson",
    "OnCallPlan",
    "check_cover",
    "hand_overs",
    "load_on_call",
    "person",
    "who",
]


@dataclass(frozen=True, slots=True)
class OnCallPerson:
    """A person with their id in the plan."""

    key: str
    name: str
    contacts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OnCall:
    """The answer of `who`. `why` is for people: shift, week of the rotation, override and its author."""

    level: str
    instant: datetime
    primary: OnCallPerson | None
    secondary: OnCallPerson | None
    why: str
    shift: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nobody is on call."""
        return self.primary is None


def who(plan: OnCallPlan, level: str, instant: datetime) -> OnCall:
    """Primary and secondary of a level at an instant, and why.

    An empty primary is taken by the secondary. The plan's `fallback` is not used here: the escalation
    ladder turns to it when no level has anybody left.

    Raises:
        ValueError: `instant` has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"a time without a zone: {instant.isoformat()}")
    instant = instant.astimezone(UTC)
    cover = _cover_at(plan, level, instant)
    places: dict[Role, str] = dict.fromkeys(ROLES, NOBODY)
    reasons = []
    if cover is None:
        known = level in plan.levels()
        reasons.append(
            f"no shift of level {level} covers this instant"
            if known
            else f"the plan {plan.name} has no rotation for level {level}"
        )
    else:
        week = (cover.first_day - cover.rotation.starts_on).days // 7
        places = {role: in_turn(getattr(cover.rotation, role), week) for role in ROLES}
        reasons.append(
            f"shift {cover.shift} of level {level}, week {week} of the rotation since "
            f"{cover.rotation.starts_on}"
        )
    for override in plan.overrides:
        if override.level == level and override.start <= instant < override.end:
            places[override.role] = override.person
            reason = f" ({override.reason})" if override.reason else ""
            reasons.append(
                f"{override.role} overridden by {override.author} until "
                f"{shown(override.end, plan)}{reason}"
            )
    if places["primary"] == NOBODY and places["secondary"] != NOBODY:
        places = {"primary": places["secondary"], "secondary": NOBODY}
        reasons.append("nobody is primary, so the secondary takes it")
    if places["secondary"] == places["primary"]:
        places["secondary"] = NOBODY
    return OnCall(
        level=level,
        instant=instant,
        primary=person(plan, places["primary"]),
        secondary=person(plan, places["secondary"]),
        why="; ".join(reasons),
        shift=cover.shift if cover else None,
    )


def person(plan: OnCallPlan, key: str | None) -> OnCallPerson | None:
    """The person with this id; None for `nobody` and for an id that is not there."""
    found = plan.people.get(key or NOBODY)
    if found is None or key is None:
        return None
    return OnCallPerson(key, found.name, found.contacts.by_channel())


def hand_overs(plan: OnCallPlan, level: str, start: datetime, end: datetime) -> list[OnCall]:
    """Who is on call from `start` on and after each change until `end`, oldest first (a printed rota)."""
    edges = {start.astimezone(UTC)}
    for cover in covers(plan, level, start.date(), (end - start).days + 2):
        edges |= {cover.start, cover.end}
    for override in plan.overrides:
        edges |= {override.start, override.end}
    rota: list[OnCall] = []
    for edge in sorted(edge for edge in edges if start <= edge < end):
        found = who(plan, level, edge)
        if not rota or (found.primary, found.secondary) != (rota[-1].primary, rota[-1].secondary):
            rota.append(found)
    return rota


def _cover_at(plan: OnCallPlan, level: str, instant: datetime) -> Cover | None:
    today = instant.astimezone(ZoneInfo(plan.time_zone)).date()
    for cover in covers(plan, level, today, 1):
        if cover.start <= instant < cover.end:
            return cover
    return None
