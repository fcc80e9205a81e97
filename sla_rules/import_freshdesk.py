"""From an account's SLA policies and business hours in Freshdesk to a starting point for our own policy file.

Belongs here: what each of Freshdesk's rules becomes, and what cannot be carried over. Does not belong here: reading
the account (`connectors`), the file's form (`policy_draft.py`).

Decisions:
- A policy never becomes wider than it was: one with conditions that cannot be expressed waits for a tag
  (`deskbridge_sla_…`) that an automation in Freshdesk can set. Channels alone are coarser here, with a finding.
- Freshdesk's API tells neither holidays nor the statuses in which a timer stands still: both are findings.

Source: Freshdesk API v2 reference, "SLA Policies", "Business Hours".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sla_rules.calendar_mapping import WEEKDAYS
from sla_rules.policy import ALWAYS
from sla_rules.policy_draft import (
    DAY_MINUTES,
    Draft,
    DraftCalendar,
    DraftCell,
    DraftPolicy,
    is_always_open,
    one_line,
    unused_name,
    week_of,
)
from sla_rules.rails_time_zones import iana_zone

PRIORITIES: Mapping[str, str] = {
    "priority_4": "critical",
    "priority_3": "high",
    "priority_2": "medium",
    "priority_1": "low",
}
"""Freshdesk's rows (4 is urgent) → our priorities."""

METRICS: Mapping[str, str] = {
    "respond_within": "first_reply",
    "next_respond_within": "next_reply",
    "resolve_within": "resolution",
}
"""Freshdesk's targets, in seconds → our metrics."""

CHANNELS: Mapping[str, str] = {
    "1": "email",
    "2": "web",
    "3": "phone",
    "5": "twitter",
    "6": "facebook",
    "7": "chat",
    "9": "web",
    "10": "email",
}
"""Freshdesk's documented sources → our channel, as tickets carry it."""

_TIME = re.compile(r"(\d{1,2}):(\d{2})\s*([ap])\.?m\.?", re.IGNORECASE)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class FreshdeskRules:
    """What an account has, as plain objects in Freshdesk's shape; `companies` names those that conditions name."""

    policies: Sequence[Mapping[str, Any]] = ()
    business_hours: Sequence[Mapping[str, Any]] = ()
    companies: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def draft_of(rules: FreshdeskRules, account: str, source_key: str | None = None) -> Draft:
    """A draft of a policy file; see `import_zendesk.draft_of`."""
    draft = Draft(
        heading=[
            f"Taken over from the SLA policies and business hours of {account}.",
            "A starting point, to be read and edited: what Freshdesk has and this file has not stands in the comments.",
        ]
    )
    for note in rules.notes:
        draft.find(account, note)
    for hours in sorted(rules.business_hours, key=lambda one: not one.get("is_default")):
        draft.calendars.append(_calendar(draft, hours))
    if draft.calendars:
        draft.find(
            "business hours", "Freshdesk's API does not tell holidays: add them to each calendar"
        )
    if len(draft.calendars) > 1:
        draft.find(
            "business hours",
            f"there are several; targets go by the default ones, {draft.calendars[0].name}. In Freshdesk a ticket's "
            "group has its own: name others in the policy's business_hours where all its tickets have them",
        )
    draft.find(
        "timers",
        "Freshdesk's API does not tell in which statuses a timer stands still: resolution pauses in pending and "
        "on_hold here; say otherwise under pausing",
    )
    usual = draft.calendars[0].name if draft.calendars else ALWAYS
    for policy in sorted(rules.policies, key=_order):
        _policy(draft, policy, usual, rules.companies, source_key)
    return draft


def companies_named(policies: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of the companies that the policies' conditions refer to, so that their names can be read."""
    named = (
        _values(_mapping(policy.get("applicable_to")).get("company_ids")) for policy in policies
    )
    return list(dict.fromkeys(number for numbers in named for number in numbers))


def _calendar(draft: Draft, told: Mapping[str, Any]) -> DraftCalendar:
    name = unused_name(
        str(told.get("name") or ""),
        [ALWAYS, *(calendar.name for calendar in draft.calendars)],
        f"business hours {told.get('id')}",
    )
    place = f"business hours {name}"
    zone_told = str(told.get("time_zone") or "")
    notes = [f"Business hours {told.get('id')}, {one_line(zone_told) or 'no zone told'}."]
    zone = iana_zone(zone_told)
    if zone is None:
        zone = "UTC"
        text = f"the time zone {zone_told!r} is not known: UTC stands here, put the right one"
        draft.find(place, text)
        notes.append(f"Check: {text}.")
    hours = week_of(_weekly(draft, _mapping(told.get("business_hours")), place))
    if is_always_open(hours):
        return DraftCalendar(name, None, notes=(*notes, "Open around the clock."))
    if not any(hours):
        draft.find(place, "no opening hours were told: targets in it never run out")
    return DraftCalendar(name, zone, hours, (), tuple(notes))


def _weekly(draft: Draft, told: Mapping[str, Any], place: str) -> Iterable[tuple[int, int]]:
    for number, day in enumerate(_DAYS):
        span = _mapping(told.get(day))
        if not span:
            continue
        start, end = _minute(span.get("start_time")), _minute(span.get("end_time"))
        if start is None or end is None:
            draft.find(
                place,
                f"the hours of {WEEKDAYS[number]} were left out: {dict(span)!r} cannot be read",
            )
            continue
        if end == DAY_MINUTES - 1:
            draft.find(place, "a day that ends at 11:59 pm was taken to end at midnight")
            end = DAY_MINUTES
        if end <= start:
            end += DAY_MINUTES
        yield number * DAY_MINUTES + start, number * DAY_MINUTES + end


def _minute(value: Any) -> int | None:
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= 12 or int(match[2]) > 59:
        return None
    return (int(match[1]) % 12 + (12 if match[3].lower() == "p" else 0)) * 60 + int(match[2])


def _policy(
    draft: Draft,
    policy: Mapping[str, Any],
    usual: str,
    companies: Mapping[str, str],
    source_key: str | None,
) -> None:
    title = one_line(str(policy.get("name") or "")) or f"policy {policy.get('id')}"
    place = f"policy {title}"
    cells = _cells(draft, policy, usual, place)
    fault = None
    if policy.get("active") is False:
        fault = "it is switched off"
    elif any(one.match.keys() <= {"sources"} for one in draft.policies):
        fault = "a policy before it has no condition, so that it is never reached"
    elif not cells:
        fault = "it has no target that can be carried over"
    if fault is not None:
        draft.find(place, f"{fault}: it stands at the end, as a comment")
        draft.left_out.append(
            f"{place}: {fault}. {_conditions_shown(policy)} {_targets_shown(policy)}"
        )
        return
    if policy.get("escalation"):
        draft.find(place, "its reminders and escalations are not carried over: see escalation.yaml")
    match, unclear = _match(policy, companies)
    if "channels" in match:
        draft.find(
            place,
            f"its sources are kept as the channels {', '.join(match['channels'])}, which are coarser (the portal and "
            "the feedback widget are both web, mail that came and mail that went out both email)",
        )
    notes = [f"SLA policy {policy.get('id')} of Freshdesk.", _conditions_shown(policy)]
    if unclear:
        tag = f"deskbridge_sla_{policy.get('id')}"
        match["tags"] = (tag,)
        text = (
            f"conditions that cannot be expressed here: {', '.join(unclear)}. No ticket fits the policy until it "
            f"has the tag {tag}"
        )
        draft.find(place, f"{text}; an automation in Freshdesk with the same conditions can set it")
        notes.append(
            f"Not carried over, {text}: let an automation in Freshdesk set it, or edit the match."
        )
    if source_key is not None:
        match = {"sources": (source_key,), **match}
    name = unused_name(title, [one.name for one in draft.policies], str(policy.get("id")))
    draft.policies.append(DraftPolicy(name, usual, cells, match, {}, tuple(notes)))


def _cells(
    draft: Draft, policy: Mapping[str, Any], usual: str, place: str
) -> dict[str, dict[str, DraftCell]]:
    cells: dict[str, dict[str, DraftCell]] = {}
    for word, row in _mapping(policy.get("sla_target")).items():
        priority = PRIORITIES.get(str(word))
        for told, seconds in _mapping(row).items():
            metric = METRICS.get(str(told))
            if metric is None or seconds is None:
                continue
            if (
                priority is None
                or isinstance(seconds, bool)
                or not isinstance(seconds, int)
                or seconds <= 0
            ):
                draft.find(place, f"the target {told} of {word} was left out: it cannot be read")
                continue
            calendar = usual if _mapping(row).get("business_hours") else ALWAYS
            cells.setdefault(priority, {})[metric] = DraftCell(seconds, calendar)
    return cells


def _match(
    policy: Mapping[str, Any], companies: Mapping[str, str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Our conditions, and those that cannot be expressed. All must hold, each by any of its values."""
    match: dict[str, tuple[str, ...]] = {}
    unclear: list[str] = []
    for name, value in _mapping(policy.get("applicable_to")).items():
        values = _values(value)
        if not values:
            continue
        table = {"company_ids": companies, "sources": CHANNELS}.get(str(name), {})
        words = tuple(dict.fromkeys(one_line(table.get(one, "")) for one in values))
        if all(words):
            match["organisations" if name == "company_ids" else "channels"] = words
        else:
            unclear.append(f"{name} {', '.join(values)}")
    return match, unclear


def _conditions_shown(policy: Mapping[str, Any]) -> str:
    parts = [
        f"{name} {', '.join(_values(value))}"
        for name, value in _mapping(policy.get("applicable_to")).items()
        if _values(value)
    ]
    return (
        f"Freshdesk's conditions, all of: {'; '.join(parts)}." if parts else "Without conditions."
    )


def _targets_shown(policy: Mapping[str, Any]) -> str:
    parts = [
        f"{priority} {', '.join(f'{name} {value}' for name, value in _mapping(row).items())}"
        for priority, row in _mapping(policy.get("sla_target")).items()
    ]
    return f"Targets: {'; '.join(parts) or 'none'}."


def _order(policy: Mapping[str, Any]) -> tuple[bool, int]:
    """By position; the default policy takes what no other one does."""
    position = policy.get("position")
    return bool(policy.get("is_default")), position if isinstance(position, int) else 1 << 30


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _values(value: Any) -> list[str]:
    many = value if isinstance(value, list) else [value]
    return [str(one).strip() for one in many if one is not None and str(one).strip()]
