"""The further streams of a Zendesk account: which they are, where they come from, whose ticket a record belongs to.

Each belongs to a product, a plan or a permission that an account may lack: 403 and 404 mean an empty stream, so that
tickets are pulled all the same.

Belongs here: the table, and what can be told of a record by its stream alone. Does not belong here: tickets, their
events and people (`source`), how windows are walked (`windows`), what is read beside a page (`companions`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Way = Literal["list", "window", "companion"]


@dataclass(frozen=True, slots=True)
class FurtherStream:
    """One stream: `path` below the account, and the way in which it is walked.

    - `list`: whole, with every pull. `tells_vanished`: what is not in it any more becomes a tombstone.
    - `window`: from an instant on that moves with what was seen (`windows`).
    - `companion`: no walk of its own; its records come beside the pages of another stream (`companions`).
    """

    path: str
    way: Way
    params: Mapping[str, Any] = field(default_factory=dict)
    tells_vanished: bool = False


REFERENCES: Mapping[str, FurtherStream] = {
    # Given in one piece; its documents know no paging.
    "custom_statuses": FurtherStream("api/v2/custom_statuses.json", "list", {"page[size]": None}),
    "ticket_fields": FurtherStream("api/v2/ticket_fields.json", "list"),
    "ticket_forms": FurtherStream("api/v2/ticket_forms.json", "list"),
    "brands": FurtherStream("api/v2/brands.json", "list"),
    "group_memberships": FurtherStream(
        "api/v2/group_memberships.json", "list", tells_vanished=True
    ),
}
"""Small lists that say what the tickets' ids mean; pulled before the tickets."""

OF_TICKETS: Mapping[str, FurtherStream] = {
    "side_conversations": FurtherStream("", "companion"),
    "conversation_log": FurtherStream("", "companion"),
}
"""Read for the tickets that a page of `ticket_events` or `tickets` names; listed before those."""

AFTERWARDS: Mapping[str, FurtherStream] = {
    "ticket_metric_events": FurtherStream(
        "api/v2/incremental/ticket_metric_events.json",
        "window",
        {"include_changes": "true"},
    ),
    "survey_responses": FurtherStream("api/v2/guide/survey_responses.json", "window"),
    "suspended_tickets": FurtherStream("api/v2/suspended_tickets.json", "list"),
}
"""What refers to tickets; pulled behind them."""

FURTHER: Mapping[str, FurtherStream] = {**REFERENCES, **OF_TICKETS, **AFTERWARDS}


def ticket_id_of(stream: str, body: Mapping[str, Any]) -> str | None:
    """The ticket that a record of a further stream belongs to, where it tells.

    A suspended ticket is a ticket of its own for us, whatever ticket its mail was meant for.
    """
    if stream == "ticket_metric_events":
        return _text(body.get("ticket_id"))
    if stream == "survey_responses":
        return ticket_of_survey(body)
    if stream == "suspended_tickets":
        number = _text(body.get("id"))
        return None if number is None else f"suspended-{number}"
    return None


def ticket_of_survey(body: Mapping[str, Any]) -> str | None:
    """The ticket that a survey response rates: from its subjects, else from their resource names.

    Source: Zendesk developer documentation, "CSAT Survey Responses": `zen:ticket:123`, older `zrn:ticket:123`.
    """
    subjects = body.get("subjects")
    for subject in subjects if isinstance(subjects, list) else ():
        if isinstance(subject, dict) and subject.get("type") in ("ticket", "zen:ticket"):
            return _text(subject.get("id"))
    names = body.get("subject_zrns")
    for name in names if isinstance(names, list) else ():
        kind, _, number = str(name).rpartition(":")
        if kind.rpartition(":")[2] == "ticket":
            return _text(number)
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)
