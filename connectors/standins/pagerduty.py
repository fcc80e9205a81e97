"""A local PagerDuty: the Events API v2, and enough of the REST API to read incidents back.

Belongs here: what PagerDuty's documents say of events, keys, limits and answers. Does not belong here: its
escalation policies, schedules and people.

Source: developer.pagerduty.com, Events API v2 overview, Events API v2 rate limits, PagerDuty/api-schema.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.standins.server import (
    RateLimit,
    Request,
    Response,
    Route,
    StandIn,
    retry_after_text,
)

EVENTS_PER_MINUTE = 120
BODY_LIMIT_BYTES = 512 * 1024
SUMMARY_LIMIT = 1_024
KEY_LIMIT = 255
SEVERITIES = ("critical", "error", "warning", "info")
ACTIONS = ("trigger", "acknowledge", "resolve")


@dataclass(slots=True)
class Incident:
    """What one open alert became. `notifications` counts how often somebody was woken for it."""

    number: int
    routing_key: str
    dedup_key: str
    summary: str
    severity: str
    status: str = "triggered"
    notifications: int = 1
    log: list[str] = field(default_factory=lambda: ["trigger"])
    event: Mapping[str, Any] = field(default_factory=dict)


class PagerDutyStandIn(StandIn):
    """Takes events in, opens incidents, and rebuilds them from its ledger when it is started again.

    Args:
        routing_keys: the integration keys it knows; None takes every key of 32 characters.
        events_per_minute: per key, over a sliding (scaled) minute.
        tells_retry_after: whether its 429 carries `Retry-After`; the documents promise none.
        options: see `StandIn`.
    """

    def __init__(
        self,
        *,
        routing_keys: Collection[str] | None = None,
        events_per_minute: int = EVENTS_PER_MINUTE,
        tells_retry_after: bool = False,
        **options: Any,
    ) -> None:
        """Replays the ledger, if there is one."""
        super().__init__(**options)
        self._routing_keys = routing_keys
        self._limit = RateLimit(events_per_minute, 60, self.time_scale)
        self._tells_retry_after = tells_retry_after
        self.incidents: list[Incident] = []
        self.changes: list[Mapping[str, Any]] = []
        for entry in self.ledger.entries():
            if entry["kind"] == "event":
                self._apply(entry["event"])
            elif entry["kind"] == "change":
                self.changes.append(entry["event"])

    def routes(self) -> Sequence[Route]:
        """Events, change events, and incidents to read back."""
        return [
            Route("enqueue", "POST", r"/v2/enqueue", self._enqueue),
            Route("change", "POST", r"/v2/change/enqueue", self._change),
            Route("incidents", "GET", r"/incidents", self._list_incidents),
        ]

    def bad_request(self, request: Request, detail: str) -> Response:
        """The Events API's own form of a 400."""
        return _invalid(["JSON cannot be parsed"])

    def of_key(self, dedup_key: str) -> list[Incident]:
        """Every incident that this key opened, oldest first."""
        with self.lock:
            return [incident for incident in self.incidents if incident.dedup_key == dedup_key]

    def _enqueue(self, request: Request) -> Response:
        event = request.json()
        if len(request.body) > BODY_LIMIT_BYTES:
            return _invalid(["Event is too large"], 413)
        refused = self._refusal(event) or self._throttled(event)
        if refused is not None:
            return refused
        errors = _event_errors(event)
        if errors:
            return _invalid(errors)
        if not event.get("dedup_key"):
            event["dedup_key"] = f"generated-{self.ledger.count('event') + 1:032d}"
        self.ledger.append("event", event=event)
        self._apply(event)
        return Response.json(
            {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]},
            202,
        )

    def _change(self, request: Request) -> Response:
        event = request.json()
        refused = self._refusal(event)
        if refused is not None:
            return refused
        if str(event["routing_key"]).startswith("R"):
            return _invalid(["Change events are not accepted by rulesets"])
        errors = _summary_errors(event.get("payload"))
        if errors:
            return _invalid(errors)
        self.ledger.append("change", event=event)
        self.changes.append(event)
        return Response.json({"status": "success", "message": "Change event processed"}, 202)

    def _refusal(self, event: Any) -> Response | None:
        if not isinstance(event, dict):
            return _invalid(["Event is not an object"])
        key = event.get("routing_key")
        if not isinstance(key, str) or len(key) != 32:
            return _invalid(["Length of 'routing_key' is incorrect (should be 32 characters)"])
        if self._routing_keys is not None and key not in self._routing_keys:
            return _invalid(["Invalid routing key"])
        return None

    def _throttled(self, event: Mapping[str, Any]) -> Response | None:
        allowance = self._limit.take(event["routing_key"])
        if allowance.is_allowed:
            return None
        headers = {}
        if self._tells_retry_after:
            wait = retry_after_text(allowance.retry_after_seconds, self.time_scale)
            headers["Retry-After"] = wait
        body = {
            "status": "throttle exceeded",
            "message": "Requests for this service are arriving too quickly.  Please retry later.",
            "errors": ["Enhance Your Calm."],
        }
        return Response.json(body, 429, headers)

    def _apply(self, event: Mapping[str, Any]) -> None:
        """Same open key: a line in the log. After a resolve: a new alert, and ack or resolve are dropped."""
        incident = self._open_incident(event["routing_key"], event["dedup_key"])
        action = event["event_action"]
        if incident is not None:
            incident.log.append(action)
            if action != "trigger":
                incident.status = {"acknowledge": "acknowledged", "resolve": "resolved"}[action]
        elif action == "trigger":
            self.incidents.append(
                Incident(
                    number=len(self.incidents) + 1,
                    routing_key=event["routing_key"],
                    dedup_key=event["dedup_key"],
                    summary=event["payload"]["summary"],
                    severity=event["payload"]["severity"],
                    event=event,
                )
            )

    def _open_incident(self, routing_key: str, dedup_key: str) -> Incident | None:
        for incident in reversed(self.incidents):
            if (incident.routing_key, incident.dedup_key) == (routing_key, dedup_key):
                return None if incident.status == "resolved" else incident
        return None

    def _list_incidents(self, request: Request) -> Response:
        """`GET /incidents?incident_key=…&statuses[]=…&limit=…&offset=…`, newest first."""
        if not request.headers.get("authorization", "").startswith("Token token="):
            return Response.json({"error": {"code": 2006, "message": "Authentication failed"}}, 401)
        key = request.first("incident_key")
        statuses = request.query.get("statuses[]")
        limit = min(100, int(request.first("limit") or 25))
        offset = int(request.first("offset") or 0)
        found = [
            {
                "id": f"Q{incident.number:013d}",
                "type": "incident",
                "incident_number": incident.number,
                "title": incident.summary,
                "status": incident.status,
                # An incident made by an event carries its key on the alert, not on itself.
                "incident_key": None,
            }
            for incident in reversed(self.incidents)
            if key in (None, incident.dedup_key) and (not statuses or incident.status in statuses)
        ]
        page = found[offset : offset + limit]
        more = offset + limit < len(found)
        return Response.json({"incidents": page, "limit": limit, "offset": offset, "more": more})


def _invalid(errors: list[str], status: int = 400) -> Response:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return Response.json(body, status)


def _event_errors(event: Mapping[str, Any]) -> list[str]:
    errors = []
    action, key = event.get("event_action"), event.get("dedup_key")
    if action not in ACTIONS:
        errors.append(f"'event_action' is not one of: {', '.join(ACTIONS)}")
    if key is not None and (not isinstance(key, str) or len(key) > KEY_LIMIT):
        errors.append(
            f"Length of 'dedup_key' is incorrect (should be at most {KEY_LIMIT} characters)"
        )
    if action in ("acknowledge", "resolve") and not key:
        errors.append("'dedup_key' is missing or blank")
    if action == "trigger":
        payload = event.get("payload")
        errors += _summary_errors(payload)
        if isinstance(payload, dict):
            if not payload.get("source"):
                errors.append("'payload.source' is missing or blank")
            if payload.get("severity") not in SEVERITIES:
                errors.append(
                    f"'payload.severity' is invalid (must be one of the following: {SEVERITIES})"
                )
            if not isinstance(payload.get("custom_details", {}), dict | str):
                errors.append("'payload.custom_details' is invalid")
    for link in event.get("links") or ():
        if not isinstance(link, dict) or not str(link.get("href", "")).startswith(
            ("http://", "https://")
        ):
            errors.append("'links' is invalid (each needs a valid href)")
    return errors


def _summary_errors(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    summary = payload.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        return ["'payload.summary' is missing or blank"]
    if len(summary.encode("utf-16-le")) // 2 > SUMMARY_LIMIT:
        return [f"'payload.summary' is too long (maximum is {SUMMARY_LIMIT} characters)"]
    return []
