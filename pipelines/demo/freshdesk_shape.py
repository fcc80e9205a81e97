"""The cases as Freshdesk gives them: agents, groups, companies, contacts, tickets, conversations, ratings, fields.

Belongs here: Freshdesk's names, codes and objects. Does not belong here: what happened (`course`, `planted`).

Source: Freshdesk API v2 reference: Tickets (with stats and description), Conversations, Contacts, Companies,
Agents, Groups, Satisfaction ratings, Ticket fields.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from pipelines.demo import knowledge
from pipelines.demo.case import Case, File, Message, Step
from pipelines.demo.hours import BusinessHours, after, iso
from pipelines.demo.issues import REPLY_TARGETS, RESOLUTION_TARGETS
from pipelines.demo.people import AGENTS, TEAMS, Agent, Customer, Organisation

SUPPORT_ADDRESS = "support@acme.freshdesk.com"
FIRST_TICKET = 4001
STATUS = {"new": 2, "open": 2, "pending": 3, "solved": 4, "closed": 5, "on_hold": 6}
PRIORITY = {"low": 1, "medium": 2, "high": 3, "critical": 4}
SOURCE = {"email": 1, "portal": 2, "phone": 3, "chat": 7, "widget": 9}
SCORES = {5: 103, 4: 102, 3: 100, 2: -102, 1: -103}
GROUPS = {team: 43_000_100_000 + number for number, team in enumerate(TEAMS, start=1)}
_AGENT_IDS, _CONTACT_IDS, _COMPANY_IDS = 43_000_200_000, 43_000_300_000, 43_000_400_000
_REPLY, _NOTE = 0, 2


def user_id(person: Agent | Customer) -> int:
    """The Freshdesk id of an agent or a contact."""
    return (_AGENT_IDS if isinstance(person, Agent) else _CONTACT_IDS) + person.number


class FreshdeskShape:
    """Gives the whole account as JSON objects."""

    def __init__(
        self, cases: Sequence[Case], hours: BusinessHours, opened_at: int, as_of: int
    ) -> None:
        """`cases` are numbered already; `hours` is the calendar of the account's own SLA policy."""
        self._cases, self._hours = cases, hours
        self._opened_at, self._opened, self._as_of = opened_at, iso(opened_at), as_of
        self._next_id = 43_100_000_000

    def render(self) -> dict[str, Any]:
        """Everything, sorted by id or by time."""
        customers = {case.customer.number: case.customer for case in self._cases}
        since: dict[int, int] = {}
        for case in self._cases:
            number = case.customer.number
            since[number] = min(case.created_at, since.get(number, case.created_at))
        companies = {
            one.organisation.number: one.organisation
            for one in customers.values()
            if one.organisation
        }
        return {
            "agents": [self._agent(agent) for agent in AGENTS],
            "groups": [self._group(team) for team in TEAMS],
            "companies": [self._company(companies[number]) for number in sorted(companies)],
            "contacts": [self._contact(customers[one], since[one]) for one in sorted(customers)],
            "tickets": [self._ticket(case) for case in self._cases],
            "conversations": self._conversations(),
            "satisfaction_ratings": [self._rating(case) for case in self._cases if case.rating],
            "ticket_fields": self._fields(),
            **knowledge.solutions(self._opened_at, [user_id(one) for one in AGENTS]),
        }

    def _ticket(self, case: Case) -> dict[str, Any]:
        first = case.steps[0].message
        text = first.text if first else ""
        # A deleted ticket keeps the status it had; only the flag says that it is gone.
        status = case.status if case.status != "deleted" else "open"
        reply_due = after(self._hours, case.priority, case.created_at, REPLY_TARGETS[case.priority])
        due = after(self._hours, case.priority, case.created_at, RESOLUTION_TARGETS[case.priority])
        replied, solved = case.first_reply_at(), case.last("solved")
        return {
            "id": case.number,
            "subject": case.subject,
            "description": _html(text),
            "description_text": text,
            "status": STATUS[status],
            "priority": PRIORITY[case.priority],
            "source": SOURCE[case.channel],
            "type": case.issue.freshdesk_type,
            "requester_id": user_id(case.customer),
            "responder_id": user_id(case.assignee) if case.assignee else None,
            "group_id": GROUPS[case.team],
            "company_id": _company_id(case.customer.organisation),
            "product_id": None,
            "email_config_id": None,
            "to_emails": [SUPPORT_ADDRESS] if case.channel == "email" else None,
            "cc_emails": [],
            "fwd_emails": [],
            "reply_cc_emails": [],
            "ticket_cc_emails": [],
            "fr_escalated": (replied or self._as_of) > reply_due,
            "is_escalated": (solved or self._as_of) > due,
            "fr_due_by": iso(reply_due),
            "due_by": iso(due),
            "spam": case.is_spam,
            "deleted": case.is_deleted,
            "tags": [case.issue.key, case.issue.category],
            "custom_fields": {"cf_category": case.issue.category, "cf_language": case.language},
            "attachments": [
                self._attachment(file, case.created_at) for file in (first.files if first else ())
            ],
            "created_at": iso(case.created_at),
            "updated_at": iso(max(case.updated_at, case.rating.at if case.rating else 0)),
            "association_type": None,
            "nr_due_by": None,
            "nr_escalated": False,
            "support_email": SUPPORT_ADDRESS if case.channel == "email" else None,
            "sentiment_score": None,
            "structured_description": None,
            "stats": _stats(case),
            "requester": {
                "id": user_id(case.customer),
                "name": case.customer.name,
                "email": case.address,
                "mobile": None,
                "phone": case.customer.phone,
            },
        }

    def _conversations(self) -> list[dict[str, Any]]:
        order = sorted(
            (step.at, case.number, index, case, step)
            for case in self._cases
            for index, step in enumerate(case.steps)
            if index > 0 and step.message
        )
        return [
            self._conversation(case, step, step.message)
            for _, _, _, case, step in order
            if step.message
        ]

    def _conversation(self, case: Case, step: Step, message: Message) -> dict[str, Any]:
        text = case.text_of(step)
        author = message.author
        incoming = isinstance(author, Customer)
        is_mail = message.is_public and not incoming
        return {
            "id": self._take_id(),
            "ticket_id": case.number,
            "body": _html(text),
            "body_text": text,
            "incoming": incoming,
            "private": not message.is_public,
            "user_id": user_id(author) if author else None,
            "support_email": SUPPORT_ADDRESS if is_mail else None,
            "source": _REPLY if message.is_public else _NOTE,
            "category": 1 if incoming else 3 if message.is_public else 2,
            "to_emails": [case.address] if is_mail else [],
            "from_email": f"acme Support <{SUPPORT_ADDRESS}>"
            if is_mail
            else case.address
            if incoming
            else None,
            "cc_emails": [],
            "bcc_emails": [],
            "email_failure_count": None,
            "outgoing_failures": None,
            "thread_id": None,
            "thread_message_id": None,
            "created_at": iso(step.at),
            "updated_at": iso(step.at),
            "last_edited_at": None,
            "last_edited_user_id": None,
            "attachments": [self._attachment(file, step.at) for file in message.files],
            "automation_id": 43_000_500_001 if step.rule else None,
            "automation_type_id": 1 if step.rule else None,
            "auto_response": step.rule is not None,
            "source_additional_info": None,
        }

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _attachment(self, file: File, at: int) -> dict[str, Any]:
        number = self._take_id()
        return {
            "id": number,
            "name": file.name,
            "content_type": file.media_type,
            "size": len(file.content),
            "attachment_url": f"https://acme.freshdesk.com/data/attachments/{number}/original/{file.name}",
            "created_at": iso(at),
            "updated_at": iso(at),
        }

    def _rating(self, case: Case) -> dict[str, Any]:
        rating = case.rating
        assert rating is not None
        return {
            "id": 43_000_600_000 + case.number,
            "survey_id": 43_000_000_001,
            "user_id": user_id(case.customer),
            "agent_id": user_id(case.assignee) if case.assignee else None,
            "group_id": GROUPS[case.team],
            "ticket_id": case.number,
            "feedback": rating.comment,
            "ratings": {"default_question": SCORES[rating.score]},
            "created_at": iso(rating.at),
            "updated_at": iso(rating.at),
        }

    def _agent(self, agent: Agent) -> dict[str, Any]:
        return {
            "id": user_id(agent),
            "available": True,
            "available_since": None,
            "occasional": False,
            "signature": None,
            "ticket_scope": 1,
            "type": "support_agent",
            "group_ids": [GROUPS[agent.team]],
            "role_ids": [],
            "skill_ids": [],
            "created_at": self._opened,
            "updated_at": self._opened,
            "contact": {
                "active": True,
                "email": agent.email,
                "job_title": TEAMS[agent.team],
                "language": "en",
                "last_login_at": None,
                "mobile": None,
                "name": agent.name,
                "phone": None,
                "time_zone": agent.zone.rpartition("/")[2],
                "created_at": self._opened,
                "updated_at": self._opened,
            },
        }

    def _contact(self, customer: Customer, since: int) -> dict[str, Any]:
        return {
            "id": user_id(customer),
            "active": True,
            "address": None,
            "company_id": _company_id(customer.organisation),
            "description": None,
            "email": customer.address("freshdesk"),
            "other_emails": [],
            "job_title": None,
            "language": customer.language,
            "mobile": None,
            "name": customer.name,
            "phone": customer.phone,
            "time_zone": customer.zone.rpartition("/")[2],
            "twitter_id": None,
            "unique_external_id": None,
            "view_all_tickets": False,
            "deleted": False,
            "tags": [],
            "custom_fields": {},
            "created_at": iso(since),
            "updated_at": iso(since),
        }

    def _company(self, organisation: Organisation) -> dict[str, Any]:
        return {
            "id": _company_id(organisation),
            "name": organisation.name,
            "description": None,
            "note": None,
            "domains": [organisation.domain],
            "health_score": None,
            "account_tier": organisation.tier.capitalize(),
            "renewal_date": None,
            "industry": None,
            "custom_fields": {},
            "created_at": self._opened,
            "updated_at": self._opened,
        }

    def _group(self, team: str) -> dict[str, Any]:
        return {
            "id": GROUPS[team],
            "name": TEAMS[team],
            "description": None,
            "business_hour_id": None,
            "escalate_to": None,
            "unassigned_for": None,
            "agent_ids": [user_id(agent) for agent in AGENTS if agent.team == team],
            "auto_ticket_assign": 0,
            "created_at": self._opened,
            "updated_at": self._opened,
        }

    def _fields(self) -> list[dict[str, Any]]:
        status = {
            "2": ["Open", "Being Processed"],
            "3": ["Pending", "Awaiting your Reply"],
            "4": ["Resolved", "This ticket has been Resolved"],
            "5": ["Closed", "This ticket has been Closed"],
            "6": ["Waiting on Third Party", "Waiting on Third Party"],
        }
        fields: tuple[tuple[str, str, str, Any], ...] = (
            ("status", "Status", "default_status", status),
            (
                "priority",
                "Priority",
                "default_priority",
                {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4},
            ),
            (
                "source",
                "Source",
                "default_source",
                {
                    "Email": 1,
                    "Portal": 2,
                    "Phone": 3,
                    "Chat": 7,
                    "Feedback Widget": 9,
                    "Outbound Email": 10,
                },
            ),
            (
                "ticket_type",
                "Type",
                "default_ticket_type",
                ["Question", "Incident", "Problem", "Feature Request", "Refund"],
            ),
            ("cf_category", "Category", "custom_dropdown", {}),
        )
        return [
            {
                "id": 43_000_700_000 + position,
                "name": name,
                "label": label,
                "description": "",
                "position": position,
                "required_for_closure": False,
                "required_for_agents": False,
                "type": kind,
                "default": kind.startswith("default_"),
                "customers_can_edit": False,
                "label_for_customers": label,
                "displayed_to_customers": True,
                "choices": choices,
                "created_at": self._opened,
                "updated_at": self._opened,
            }
            for position, (name, label, kind, choices) in enumerate(fields, start=1)
        ]


def _stats(case: Case) -> dict[str, str | None]:
    agent_at = customer_at = reopened_at = None
    status_at = case.created_at
    for index, step in enumerate(case.steps):
        if index and step.message and step.message.is_public:
            if isinstance(step.message.author, Agent):
                agent_at = step.at
            elif isinstance(step.message.author, Customer):
                customer_at = step.at
        for change in step.changes:
            if change.field == "status" and {change.old, change.new} != {"new", "open"}:
                status_at = step.at
                if change.old == "solved" and change.new == "open":
                    reopened_at = step.at
    done = case.status in ("solved", "closed")
    moments = {
        "agent_responded_at": agent_at,
        "requester_responded_at": customer_at,
        "first_responded_at": case.first_reply_at(),
        "status_updated_at": status_at,
        "reopened_at": reopened_at,
        "resolved_at": (case.last("solved") or case.last("closed")) if done else None,
        "closed_at": case.last("closed") if case.status == "closed" else None,
        "pending_since": case.last("pending") if case.status == "pending" else None,
    }
    return {name: iso(at) if at is not None else None for name, at in moments.items()}


def _company_id(organisation: Organisation | None) -> int | None:
    return _COMPANY_IDS + organisation.number if organisation else None


def _html(text: str) -> str:
    paragraphs = escape(text, quote=False).split("\n\n")
    return (
        "<div>"
        + "".join(f"<p>{part.replace(chr(10), '<br>')}</p>" for part in paragraphs)
        + "</div>"
    )
