"""Zendesk's metric events: what its own SLA says of a ticket, kept beside our clocks.

Belongs here: the events in the unified model, and their summary per metric. Does not belong here: our own clocks.

A breach that Zendesk withdrew (`deleted: true`: the policy or its target was changed afterwards) is no breach and
is left out. Targets and elapsed times come in minutes, newer targets in seconds as well; ours are seconds.

Source: Zendesk developer documentation, "Ticket metric event types reference".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transforms.model import RawRecord, SourceSlaEvent
from transforms.payload import (
    UnreadableError,
    id_of,
    object_of,
    required_id,
    required_instant,
    text_of,
)
from transforms.zendesk_words import Reading

APPLY_TYPES = frozenset({"apply_sla", "apply_group_sla"})
NO_TICKET_METRIC = "measure"
"""Tells only whether a metric is measured at all; it starts and ends nothing."""

_POLICY_PLACES = ("sla", "group_sla")


def read_metric_events(
    reading: Reading, records: Iterable[RawRecord]
) -> dict[str, list[SourceSlaEvent]]:
    """Adds the events; gives them by ticket, oldest first."""
    by_ticket: dict[str, list[SourceSlaEvent]] = {}
    for record in records:
        try:
            body = object_of(record)
            if body.get("deleted") is True:
                continue
            event = _event(body)
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        by_ticket.setdefault(event.ticket_remote_id, []).append(event)
    for events in by_ticket.values():
        events.sort(key=lambda e: (e.occurred_at, len(e.remote_id), e.remote_id))
        reading.batch.sla_events.extend(events)
    return by_ticket


def verdict_of(events: Sequence[SourceSlaEvent]) -> dict[str, Any]:
    """Per metric and instance: the policy in force last, its target, when it was breached and fulfilled.

    Instances without a policy are left out: Zendesk counts their time, but promised nothing.
    """
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        name = f"{event.metric} {event.instance}"
        one = found.setdefault(name, {})
        if event.type in APPLY_TYPES:
            one.update(
                (key, event.detail[key])
                for key in ("policy", "target_seconds", "in_business_hours")
                if key in event.detail
            )
            one["is_promised"] = True
        elif event.type == "breach":
            one["breached_at"] = event.occurred_at.isoformat()
            one["is_promised"] = True
        elif event.type == "fulfill":
            one["fulfilled_at"] = event.occurred_at.isoformat()
        elif event.type == "activate":
            one.pop("fulfilled_at", None)
    return {
        name: {key: value for key, value in one.items() if key != "is_promised"}
        for name, one in found.items()
        if one.get("is_promised")
    }


def _event(body: Mapping[str, Any]) -> SourceSlaEvent:
    metric, kind = text_of(body, "metric"), text_of(body, "type")
    if metric is None or kind is None:
        raise UnreadableError(
            "missing metric or type", f"metric={body.get('metric')!r}, type={body.get('type')!r}"
        )
    instance = body.get("instance_id")
    if isinstance(instance, bool) or not isinstance(instance, int):
        # `measure` and some newer kinds belong to the metric as a whole.
        instance = 0
    return SourceSlaEvent(
        remote_id=required_id(body, "id"),
        ticket_remote_id=required_id(body, "ticket_id"),
        metric=metric,
        instance=instance,
        type=kind,
        occurred_at=required_instant(body, "time"),
        detail=_detail(body),
    )


def _detail(body: Mapping[str, Any]) -> dict[str, Any]:
    detail: dict[str, Any] = {}
    for place in _POLICY_PLACES:
        sla = body.get(place)
        if isinstance(sla, dict):
            detail.update(_policy(sla))
    status = body.get("status")
    if isinstance(status, dict):
        for name in ("calendar", "business"):
            minutes = _number(status.get(name))
            if minutes is not None:
                detail[f"{name}_seconds"] = minutes * 60
    return detail


def _policy(sla: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    policy = sla.get("policy")
    if isinstance(policy, dict):
        found["policy"] = text_of(policy, "title") or id_of(policy, "id")
        found["policy_remote_id"] = id_of(policy, "id")
    seconds, minutes = _number(sla.get("target_in_seconds")), _number(sla.get("target"))
    if seconds is not None:
        found["target_seconds"] = seconds
    elif minutes is not None:
        found["target_seconds"] = minutes * 60
    if isinstance(sla.get("business_hours"), bool):
        found["in_business_hours"] = sla["business_hours"]
    return {name: value for name, value in found.items() if value is not None}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
