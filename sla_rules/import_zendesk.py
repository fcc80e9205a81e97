"""From an account's SLA policies and schedules in Zendesk to a starting point for our own policy file.

Belongs here: what each of Zendesk's rules becomes, and what cannot be carried over. Does not belong here: reading
the account (`connectors`), the file's form (`policy_draft.py`).

Decisions:
- A policy never becomes wider than it was: one whose conditions cannot all be expressed waits for a tag
  (`deskbridge_sla_…`) that a Zendesk trigger with the same conditions can set. Channels alone are coarser here,
  with a finding.
- `any` over several fields becomes several policies with the same promises, one for each field.
- A priority without a target has none here either, and so has a ticket without a priority.

Source: Zendesk developer documentation, "SLA Policies", "Group SLA Policies", "Schedules"; Zendesk Help,
"Defining SLA policies".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

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
    "urgent": "critical",
    "high": "high",
    "normal": "medium",
    "low": "low",
}
"""Zendesk's priorities → ours."""

METRICS: Mapping[str, str] = {
    "first_reply_time": "first_reply",
    "next_reply_time": "next_reply",
    "periodic_update_time": "periodic_update",
    "pausable_update_time": "pausable_update",
    "requester_wait_time": "requester_wait",
    "agent_work_time": "agent_work",
    "total_resolution_time": "total_resolution",
}
"""Zendesk's metrics → ours. `group_ownership_time` has no like."""

CHANNELS: Mapping[str, str] = {
    "0": "web",
    "web_form": "web",
    "web": "web",
    "4": "email",
    "mail": "email",
    "email": "email",
    "5": "api",
    "web_service": "api",
    "api": "api",
    "29": "chat",
    "chat": "chat",
    "33": "phone",
    "34": "phone",
    "35": "phone",
    "voicemail": "phone",
    "phone_call_inbound": "phone",
    "phone_call_outbound": "phone",
}
"""`via_id` by number or name → our channel. Source: Zendesk developer documentation, "Via types"."""

RULES: Mapping[str, str] = {"no_priority": "no_clock", "calendar_change": "last"}
"""Zendesk's own ways where they differ from our defaults."""

LONGEST_HOLIDAY_DAYS = 400
FIRST_DAY_SHIFT = 6 * DAY_MINUTES
"""Zendesk counts from Sunday's midnight, we from Monday's: Sunday is the week's last day here."""

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ZendeskRules:
    """What an account has, as plain objects in Zendesk's shape; schedules carry their `holidays`.

    `organisations` names the organisations that conditions refer to, by id. `notes` say what could not be read.
    """

    policies: Sequence[Mapping[str, Any]] = ()
    group_policies: Sequence[Mapping[str, Any]] = ()
    schedules: Sequence[Mapping[str, Any]] = ()
    organisations: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def draft_of(rules: ZendeskRules, account: str, source_key: str | None = None) -> Draft:
    """A draft of a policy file.

    Args:
        rules: what was read.
        account: the account's address, for the heading.
        source_key: the policies are for this source only; None where the client has no other.

    Returns:
        A draft whose text loads with `load_policies`, unless the account has no policy that can be carried over
        (then `policies` is empty).
    """
    draft = Draft(
        heading=[
            f"Taken over from the SLA policies and schedules of {account}.",
            "A starting point, to be read and edited: what Zendesk has and this file has not stands in the comments.",
        ]
    )
    for note in rules.notes:
        draft.find(account, note)
    ordered = sorted(rules.policies, key=_position)
    if any(cell.get("business_hours") for policy in ordered for cell in _metrics(policy)):
        _calendars(draft, rules.schedules)
    usual = draft.calendars[0].name if draft.calendars else ALWAYS
    for policy in ordered:
        _policy(draft, policy, usual, rules.organisations, source_key)
    for policy in rules.group_policies:
        title = f"group SLA policy {_title(policy)}"
        text = "group ownership time has no counterpart here, a group's promise to another is not measured"
        draft.find(title, text)
        draft.left_out.append(f"{title}: {text}. {_filter_shown(policy)} {_targets_shown(policy)}")
    return draft


def _calendars(draft: Draft, schedules: Rows) -> None:
    for schedule in schedules:
        name = unused_name(
            str(schedule.get("name") or ""),
            [ALWAYS, *(calendar.name for calendar in draft.calendars)],
            f"schedule {schedule.get('id')}",
        )
        draft.calendars.append(_calendar(draft, schedule, name))
    if not draft.calendars:
        draft.find(
            "schedules",
            "targets count in business hours, but the account has no schedule: they count around the clock here",
        )
    if len(draft.calendars) > 1:
        draft.find(
            "schedules",
            f"there are several; targets in business hours go by the first, {draft.calendars[0].name}. Zendesk gives "
            "a ticket another one by a trigger: name it in the policy's business_hours where all its tickets have it",
        )


def _calendar(draft: Draft, schedule: Mapping[str, Any], name: str) -> DraftCalendar:
    place = f"schedule {name}"
    told = str(schedule.get("time_zone") or "")
    zone = iana_zone(told)
    notes = [f"Schedule {schedule.get('id')}, {one_line(told) or 'no zone told'}."]
    if zone is None:
        zone = "UTC"
        text = f"the time zone {told!r} is not known: UTC stands here, put the right one"
        draft.find(place, text)
        notes.append(f"Check: {text}.")
    hours = week_of(_weekly(draft, schedule, place))
    holidays = tuple(_holidays(draft, schedule, place))
    if is_always_open(hours) and not holidays:
        return DraftCalendar(name, None, notes=(*notes, "Open around the clock."))
    if not any(hours):
        draft.find(place, "it is never open: targets in it never run out")
    return DraftCalendar(name, zone, hours, holidays, tuple(notes))


def _weekly(draft: Draft, schedule: Mapping[str, Any], place: str) -> Iterable[tuple[int, int]]:
    """Intervals in minutes since Monday's midnight; those that cannot be are left out, with a finding."""
    for interval in _objects(schedule.get("intervals")):
        start, end = _integer(interval.get("start_time")), _integer(interval.get("end_time"))
        if start is None or end is None or not 0 <= start < end <= start + 7 * DAY_MINUTES:
            draft.find(
                place,
                f"the interval {dict(interval)!r} was left out: it does not end after it starts",
            )
            continue
        yield start + FIRST_DAY_SHIFT, end + FIRST_DAY_SHIFT


def _holidays(draft: Draft, schedule: Mapping[str, Any], place: str) -> Iterable[tuple[date, str]]:
    """Each day of each holiday; both ends of Zendesk's are inside."""
    for holiday in _objects(schedule.get("holidays")):
        label = str(holiday.get("name") or "")
        try:
            first = date.fromisoformat(str(holiday.get("start_date")))
            last = date.fromisoformat(str(holiday.get("end_date") or holiday.get("start_date")))
        except ValueError:
            draft.find(place, f"the holiday {label!r} was left out: its dates cannot be read")
            continue
        days = (last - first).days + 1
        if not 1 <= days <= LONGEST_HOLIDAY_DAYS:
            draft.find(place, f"the holiday {label!r} was left out: it covers {days} days")
            continue
        for offset in range(days):
            yield first + timedelta(days=offset), label


def _policy(
    draft: Draft,
    policy: Mapping[str, Any],
    usual: str,
    organisations: Mapping[str, str],
    source_key: str | None,
) -> None:
    title = _title(policy)
    place = f"policy {title}"
    if any(one.match.keys() <= {"sources"} for one in draft.policies):
        text = "a policy before it has no condition, so that it is never reached in Zendesk either"
        draft.find(place, text)
        draft.left_out.append(f"{place}: {text}. {_filter_shown(policy)} {_targets_shown(policy)}")
        return
    cells = _cells(draft, policy, usual, place)
    if not cells:
        text = "it has no target that can be carried over"
        draft.find(place, text)
        draft.left_out.append(f"{place}: {text}. {_filter_shown(policy)} {_targets_shown(policy)}")
        return
    notes = [f"SLA policy {policy.get('id')} of Zendesk, at position {policy.get('position')}."]
    if one_line(str(policy.get("description") or "")):
        notes.append(f"Described as: {policy['description']}")
    notes += [_filter_shown(policy), *_settings(draft, policy, place)]
    for match, remarks in _matches(draft, policy, organisations, place):
        if "channels" in match:
            draft.find(
                place,
                f"its ways of contact are kept as the channels {', '.join(match['channels'])}, which are coarser "
                "(calls in and out and voicemail are all phone)",
            )
        if source_key is not None:
            match = {"sources": (source_key,), **match}
        name = unused_name(title, [one.name for one in draft.policies], str(policy.get("id")))
        draft.policies.append(DraftPolicy(name, usual, cells, match, RULES, (*notes, *remarks)))


def _cells(
    draft: Draft, policy: Mapping[str, Any], usual: str, place: str
) -> dict[str, dict[str, DraftCell]]:
    cells: dict[str, dict[str, DraftCell]] = {}
    for target in _metrics(policy):
        told, word = str(target.get("metric")), str(target.get("priority"))
        metric, priority = METRICS.get(told), PRIORITIES.get(word)
        seconds = _integer(target.get("target_in_seconds"))
        if seconds is None:
            minutes = _integer(target.get("target"))
            seconds = None if minutes is None else minutes * 60
        if metric is None or priority is None or seconds is None or seconds <= 0:
            draft.find(
                place,
                f"the target {told} of priority {word} was left out: "
                + (
                    "this metric has no counterpart here" if metric is None else "it cannot be read"
                ),
            )
            continue
        calendar = usual if target.get("business_hours") else ALWAYS
        cells.setdefault(priority, {})[metric] = DraftCell(seconds, calendar)
    return cells


def _settings(draft: Draft, policy: Mapping[str, Any], place: str) -> list[str]:
    """Advanced settings that were switched on: notes or agents' tickets that start or stop a clock."""
    told = policy.get("metric_settings")
    on = [
        f"{metric}.{name}"
        for metric, settings in (told.items() if isinstance(told, Mapping) else ())
        if isinstance(settings, Mapping)
        for name, value in settings.items()
        if value is True
    ]
    if not on:
        return []
    draft.find(place, f"advanced settings are not carried over: {', '.join(on)}")
    return [f"Not carried over, advanced settings: {', '.join(on)}."]


Match = dict[str, tuple[str, ...]]


def _matches(
    draft: Draft, policy: Mapping[str, Any], organisations: Mapping[str, str], place: str
) -> list[tuple[Match, tuple[str, ...]]]:
    """The policy's conditions as ours: one set of them, or several where `any` reaches over several fields."""
    told = policy.get("filter")
    told = told if isinstance(told, Mapping) else {}
    fits: Match = {}
    unclear: list[str] = []
    for condition in _objects(told.get("all")):
        found = _condition(condition, organisations)
        narrowed = None if found is None else _narrowed(fits, *found)
        if narrowed is None:
            unclear.append(_shown(condition))
        else:
            fits = narrowed
    choices: dict[str, tuple[str, ...]] = {}
    listed = _objects(told.get("any"))
    for condition in listed:
        found = _condition(condition, organisations)
        if found is None or _narrowed(fits, *found) is None:
            unclear.append("any of: " + "; ".join(_shown(one) for one in listed))
            choices = {}
            break
        choices[found[0]] = tuple(dict.fromkeys((*choices.get(found[0], ()), *found[1])))
    if unclear:
        return [_waiting(draft, policy, fits, unclear, place)]
    alternatives = [_narrowed(fits, key, words) for key, words in choices.items()]
    if not alternatives:
        return [(fits, ())]
    remark = "Zendesk asks for any of them; here that is one policy for each field."
    remarks = (remark,) if len(choices) > 1 else ()
    return [(one, remarks) for one in alternatives if one is not None]


def _waiting(
    draft: Draft, policy: Mapping[str, Any], fits: Match, unclear: Sequence[str], place: str
) -> tuple[Match, tuple[str, ...]]:
    """Conditions of which some cannot be expressed: the policy waits for a tag, so that it takes no ticket wrongly."""
    tag = f"deskbridge_sla_{policy.get('id')}"
    text = (
        f"conditions that cannot be expressed here: {'; '.join(unclear)}. No ticket fits the policy until it has "
        f"the tag {tag}"
    )
    draft.find(place, f"{text}; a trigger in Zendesk with the same conditions can set it")
    remark = f"Not carried over, {text}: let a trigger in Zendesk with the same conditions set it, or edit the match."
    return {**{key: words for key, words in fits.items() if key != "tags"}, "tags": (tag,)}, (
        remark,
    )


def _narrowed(fits: Match, key: str, words: tuple[str, ...]) -> Match | None:
    """The conditions with one more; None where two of the same key cannot hold together in ours.

    A ticket has one organisation and one channel, so that two lists of them leave what both have; of tags it has
    many, and ours means any of a list.
    """
    if key not in fits:
        return {**fits, key: words}
    if set(fits[key]) == set(words):
        return fits
    common = tuple(word for word in fits[key] if word in words)
    return {**fits, key: common} if common and key != "tags" else None


def _condition(
    condition: Mapping[str, Any], organisations: Mapping[str, str]
) -> tuple[str, tuple[str, ...]] | None:
    """(our key, words) of one condition; None where it cannot be expressed."""
    name, operator = str(condition.get("field")), str(condition.get("operator"))
    values = _values(condition.get("value"))
    if not values or operator not in ("is", "includes"):
        return None
    if name == "organization_id":
        names = tuple(one_line(organisations.get(value, "")) for value in values)
        return ("organisations", names) if all(names) else None
    if name in ("via_id", "via_type"):
        channels = tuple(dict.fromkeys(CHANNELS.get(value, "") for value in values))
        return ("channels", channels) if all(channels) else None
    if name == "current_tags" and operator == "includes":
        return "tags", tuple(tag for value in values for tag in value.split())
    return None


def organisations_named(policies: Rows) -> list[str]:
    """Ids of the organisations that the policies' conditions refer to, so that their names can be read."""
    found: dict[str, None] = {}
    for policy in policies:
        told = policy.get("filter")
        for conditions in told.values() if isinstance(told, Mapping) else ():
            for condition in _objects(conditions):
                if condition.get("field") == "organization_id":
                    found.update(dict.fromkeys(_values(condition.get("value"))))
    return list(found)


def _values(value: Any) -> list[str]:
    many = value if isinstance(value, list) else [value]
    return [str(one).strip() for one in many if one is not None and str(one).strip()]


def _filter_shown(policy: Mapping[str, Any]) -> str:
    told = policy.get("filter")
    parts = [
        f"{name} of: {'; '.join(_shown(one) for one in _objects(told.get(name)))}"
        for name in ("all", "any")
        if isinstance(told, Mapping) and _objects(told.get(name))
    ]
    return f"Zendesk's conditions, {', and '.join(parts)}." if parts else "Without conditions."


def _targets_shown(policy: Mapping[str, Any]) -> str:
    targets = "; ".join(
        f"{one.get('metric')} {one.get('priority')} {one.get('target')} min"
        + (" in business hours" if one.get("business_hours") else "")
        for one in _metrics(policy)
    )
    return f"Targets: {targets or 'none'}."


def _shown(condition: Mapping[str, Any]) -> str:
    return one_line(
        f"{condition.get('field')} {condition.get('operator')} {', '.join(_values(condition.get('value'))) or 'nothing'}"
    )


def _metrics(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _objects(policy.get("policy_metrics"))


def _title(policy: Mapping[str, Any]) -> str:
    return one_line(str(policy.get("title") or "")) or f"policy {policy.get('id')}"


def _position(policy: Mapping[str, Any]) -> tuple[int, int]:
    position = _integer(policy.get("position"))
    return (1 << 30 if position is None else position, _integer(policy.get("id")) or 0)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
