"""The cases as Zendesk gives them: users, organizations, groups, tickets, comments, ticket events, ratings.

Belongs here: Zendesk's names, ids and objects. Does not belong here: what happened (`course`, `planted`).

Source: Zendesk developer documentation: Tickets, Users, Organizations, Groups, Satisfaction ratings, "Incremental
ticket event export" with the `comment_events` side-load, "Via object reference".
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from pipelines.demo import knowledge, zendesk_people
from pipelines.demo.case import Case, Change, File, Message, Step
from pipelines.demo.hours import DAY, iso
from pipelines.demo.people import AGENTS, TEAMS, Customer
from pipelines.demo.zendesk_people import (
    BASE,
    CATEGORY_FIELD,
    GROUPS,
    LANGUAGE_FIELD,
    organisation_id,
    user_id,
)

SUPPORT_ADDRESS = "support@acme.zendesk.com"
FIRST_TICKET = 20001
STATUS = {"on_hold": "hold"}
PRIORITY = {"critical": "urgent", "high": "high", "medium": "normal", "low": "low"}
_BRAND, _FORM = 360_003_000_001, 360_003_000_002
_VIA_WORDS = {
    "email": "Mail",
    "web": "Web form",
    "chat": "Chat",
    "whatsapp": "WhatsApp",
    "voice": "Phone call (incoming)",
}
_SYSTEM = {
    "client": "Mozilla/5.0",
    "location": "Istanbul, Türkiye",
    "latitude": 41.01,
    "longitude": 28.97,
}


class ZendeskShape:
    """Gives the whole account as JSON objects."""

    def __init__(self, cases: Sequence[Case], opened_at: int, as_of: int) -> None:
        """`cases` are numbered already; `opened_at` is when the account was set up."""
        self._cases = cases
        self._as_of = as_of
        self._opened_at, self._opened = opened_at, iso(opened_at)
        self._audit_ids: dict[tuple[int, int], int] = {}
        self._next_id = 810_000_000_000

    def render(self) -> dict[str, Any]:
        """Everything, sorted by id or by time, as `DATASET` of the stand-in wants it."""
        customers = {case.customer.number: case.customer for case in self._cases}
        since: dict[int, int] = {}
        for case in self._cases:
            number = case.customer.number
            since[number] = min(case.created_at, since.get(number, case.created_at))
        organisations = {
            one.organisation.number: one.organisation
            for one in customers.values()
            if one.organisation
        }
        events, comments = self._events()
        return {
            "users": [zendesk_people.agent(agent, self._opened) for agent in AGENTS]
            + [
                zendesk_people.customer(customers[number], iso(since[number]))
                for number in sorted(customers)
            ],
            "organizations": [
                zendesk_people.organisation(organisations[one], self._opened)
                for one in sorted(organisations)
            ],
            "groups": [zendesk_people.group(team, self._opened) for team in TEAMS],
            "group_memberships": [zendesk_people.membership(one, self._opened) for one in AGENTS],
            "tickets": [self._ticket(case) for case in self._cases],
            "comments": comments,
            "ticket_events": events,
            "satisfaction_ratings": [
                rating for case in self._cases if (rating := self._rating(case)) is not None
            ],
            "ticket_fields": zendesk_people.ticket_fields(self._opened),
            **knowledge.help_center(self._opened_at, [user_id(one) for one in AGENTS]),
        }

    def _events(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        order = sorted(
            (step.at, case.number, index, case, step)
            for case in self._cases
            for index, step in enumerate(_with_rating(case))
        )
        events, comments = [], []
        for at, _, index, case, step in order:
            audit_id = self._take_id()
            children: list[dict[str, Any]] = []
            if step.message:
                comment = self._comment(case, step, step.message, audit_id, is_first=index == 0)
                children.append({**comment, "event_type": "Comment", "via_reference_id": None})
                comments.append({"ticket_id": case.number, **comment})
            children += self._set_fields(case, step) if index == 0 else self._changed_fields(step)
            events.append(
                {
                    "id": audit_id,
                    "ticket_id": case.number,
                    "timestamp": at,
                    "created_at": iso(at),
                    "updater_id": user_id(step.actor),
                    "via": _via_word(case, step),
                    "via_reference_id": _reference(step),
                    "system": _SYSTEM if isinstance(step.actor, Customer) else {},
                    "metadata": {},
                    "event_type": "Audit",
                    "child_events": children,
                    "merged_ticket_ids": [],
                }
            )
        return events, comments

    def _take_id(self) -> int:
        self._next_id += 10
        return self._next_id

    def _comment(
        self, case: Case, step: Step, message: Message, audit_id: int, *, is_first: bool
    ) -> dict[str, Any]:
        text = case.text_of(step)
        return {
            "id": self._take_id(),
            "type": "Comment",
            "author_id": user_id(message.author),
            "body": text,
            "html_body": f'<div class="zd-comment" dir="auto">{_html(text)}</div>',
            "plain_body": text,
            "public": message.is_public,
            "attachments": [self._attachment(file) for file in message.files],
            "audit_id": audit_id,
            "via": self._via(case, step, is_first=is_first),
            "created_at": iso(step.at),
            "metadata": {"system": {}, "custom": {}},
        }

    def _via(self, case: Case, step: Step, *, is_first: bool) -> dict[str, Any]:
        source: dict[str, Any] = {"from": {}, "to": {}, "rel": None}
        if step.rule:
            rel = "automation" if step.rule.startswith("Close") else "trigger"
            source = {"from": {"id": 360_004_000_001, "title": step.rule}, "to": {}, "rel": rel}
            return {"channel": "rule", "source": source}
        if step.other_case is not None:
            if case.merged_into is step.other_case:
                source = {"from": {}, "to": {"ticket_id": step.other_case.number}, "rel": "merge"}
            else:
                origin = {
                    "ticket_id": step.other_case.number,
                    "ticket_ids": [step.other_case.number],
                }
                source = {"from": origin, "to": {}, "rel": "merge"}
            return {"channel": "web", "source": source}
        if not isinstance(step.actor, Customer):
            return {"channel": "web", "source": source}
        if case.channel == "email" or (not is_first and case.channel == "web"):
            source["from"] = {"address": case.address, "name": case.customer.name}
            source["to"] = {"address": SUPPORT_ADDRESS, "name": "acme"}
            return {"channel": "email", "source": source}
        return {"channel": case.channel, "source": source}

    def _attachment(self, file: File) -> dict[str, Any]:
        number = self._take_id()
        return {
            "id": number,
            "url": f"{BASE}/api/v2/attachments/{number}.json",
            "file_name": file.name,
            "content_url": f"{BASE}/attachments/token/t{number}/?name={file.name}",
            "mapped_content_url": f"{BASE}/attachments/token/t{number}/?name={file.name}",
            "content_type": file.media_type,
            "size": len(file.content),
            "width": 1 if file.media_type == "image/png" else None,
            "height": 1 if file.media_type == "image/png" else None,
            "inline": False,
            "deleted": False,
            "malware_access_override": False,
            "malware_scan_result": "malware_not_found",
            "thumbnails": [],
        }

    def _set_fields(self, case: Case, step: Step) -> list[dict[str, Any]]:
        first = _at_start(case)
        values: dict[str, Any] = {
            "subject": case.subject,
            "requester_id": user_id(case.customer),
            "organization_id": organisation_id(case.customer.organisation),
            "status": first["status"],
            "priority": PRIORITY[first["priority"]],
            "group_id": GROUPS[first["team"]],
            "type": _type(case),
            "tags": _tags(case)[:3],
            "custom_ticket_fields": {str(CATEGORY_FIELD): case.issue.category},
        }
        return [
            {
                "id": self._take_id(),
                "via": _via_word(case, step),
                "via_reference_id": None,
                name: value,
                "event_type": "Create",
            }
            for name, value in values.items()
            if value is not None
        ]

    def _changed_fields(self, step: Step) -> list[dict[str, Any]]:
        return [
            {
                "id": self._take_id(),
                "via": "Rule" if step.rule else "Web form",
                "via_reference_id": 360_004_000_001 if step.rule else None,
                name: new,
                "previous_value": old,
                "event_type": "Change",
            }
            for name, old, new in (_in_words(change) for change in step.changes)
        ]

    def _ticket(self, case: Case) -> dict[str, Any]:
        first = case.steps[0]
        last_step = _with_rating(case)[-1]
        description = first.message.text if first.message else ""
        public = [step for step in case.steps if step.message and step.message.is_public]
        ticket = {
            "url": f"{BASE}/api/v2/tickets/{case.number}.json",
            "id": case.number,
            "external_id": None,
            "via": self._via(case, first, is_first=True),
            "created_at": iso(case.created_at),
            "updated_at": iso(last_step.at),
            "generated_timestamp": last_step.at + self._system_delay(case),
            "type": _type(case),
            "subject": case.subject,
            "raw_subject": case.subject,
            "description": description,
            "priority": PRIORITY[case.priority],
            "status": STATUS.get(case.status, case.status),
            "custom_status_id": None,
            "recipient": SUPPORT_ADDRESS if case.channel == "email" else None,
            "requester_id": user_id(case.customer),
            "submitter_id": user_id(case.customer),
            "assignee_id": user_id(case.assignee) if case.assignee else None,
            "organization_id": organisation_id(case.customer.organisation),
            "group_id": GROUPS[case.team],
            "collaborator_ids": [],
            "follower_ids": [],
            "email_cc_ids": [],
            "forum_topic_id": None,
            "problem_id": None,
            "has_incidents": False,
            "is_public": bool(public),
            "due_at": None,
            "tags": _tags(case),
            "custom_fields": [
                {"id": CATEGORY_FIELD, "value": case.issue.category},
                {"id": LANGUAGE_FIELD, "value": case.language},
            ],
            "satisfaction_rating": _row_rating(case),
            "sharing_agreement_ids": [],
            "fields": [],
            "followup_ids": [],
            "ticket_form_id": _FORM,
            "brand_id": _BRAND,
            "allow_channelback": False,
            "allow_attachments": True,
            "from_messaging_channel": case.channel in ("chat", "whatsapp"),
        }
        ticket["fields"] = ticket["custom_fields"]
        return ticket

    def _system_delay(self, case: Case) -> int:
        """Now and then the product itself touches a closed ticket later: the export moves, `updated_at` does not."""
        quiet = self._as_of - _with_rating(case)[-1].at
        return min(quiet, 40 * DAY) if case.number % 37 == 0 and case.status == "closed" else 0

    def _rating(self, case: Case) -> dict[str, Any] | None:
        if case.rating is None:
            return None
        number = 450_000_000_000 + case.number
        return {
            "id": number,
            "url": f"{BASE}/api/v2/satisfaction_ratings/{number}.json",
            "ticket_id": case.number,
            "requester_id": user_id(case.customer),
            "assignee_id": user_id(case.assignee),
            "group_id": GROUPS[case.team],
            "score": _score(case),
            "comment": case.rating.comment,
            "reason": None,
            "reason_id": None,
            "created_at": iso(case.rating.at),
            "updated_at": iso(case.rating.at),
        }


def _with_rating(case: Case) -> list[Step]:
    """The case's steps, with the customer's rating as an update among them."""
    if case.rating is None:
        return case.steps
    change = Change("satisfaction_score", "offered", _score(case))
    rated = Step(case.rating.at, case.customer, None, (change,))
    return sorted([*case.steps, rated], key=lambda step: step.at)


def _score(case: Case) -> str:
    return "good" if case.rating is not None and case.rating.score >= 3 else "bad"


def _row_rating(case: Case) -> dict[str, Any]:
    if case.rating is None:
        return {"score": "offered" if case.status in ("solved", "closed") else "unoffered"}
    return {
        "id": 450_000_000_000 + case.number,
        "score": _score(case),
        "comment": case.rating.comment,
    }


def _at_start(case: Case) -> dict[str, Any]:
    """Status, priority and team as they were when the case came."""
    values: dict[str, Any] = {"status": case.status, "priority": case.priority, "team": case.team}
    for step in reversed(case.steps):
        for change in step.changes:
            if change.field in values:
                values[change.field] = change.old
    return values


def _in_words(change: Change) -> tuple[str, Any, Any]:
    names = {"assignee": "assignee_id", "team": "group_id"}
    return (
        names.get(change.field, change.field),
        _word(change.field, change.old),
        _word(change.field, change.new),
    )


def _word(field: str, value: Any) -> Any:
    if value is None:
        return None
    if field == "assignee":
        return user_id(value)
    if field == "team":
        return GROUPS[value]
    if field == "priority":
        return PRIORITY[value]
    return STATUS.get(value, value)


def _via_word(case: Case, step: Step) -> str:
    if step.rule:
        return "Rule"
    if step.other_case is not None:
        return "Merge"
    return _VIA_WORDS[case.channel] if isinstance(step.actor, Customer) else "Web form"


def _reference(step: Step) -> int | None:
    if step.rule:
        return 360_004_000_001
    return step.other_case.number if step.other_case is not None else None


def _type(case: Case) -> str:
    kinds = {"Incident": "incident", "Problem": "problem"}
    return kinds.get(case.issue.freshdesk_type, "question")


def _tags(case: Case) -> list[str]:
    tags = [case.issue.key, case.issue.category, f"lang_{case.language}"]
    if case.merged_into is not None:
        tags.append("closed_by_merge")
    return tags


def _html(text: str) -> str:
    paragraphs = escape(text, quote=False).split("\n\n")
    return "".join(f'<p dir="auto">{part.replace(chr(10), "<br>")}</p>' for part in paragraphs)
