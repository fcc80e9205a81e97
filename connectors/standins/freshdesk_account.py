"""The account that the Freshdesk stand-in serves: its records, how they change, what a list of them gives.

Belongs here: state and its rules. Does not belong here: HTTP (`freshdesk`), checks of what is sent
(`freshdesk_writes`).
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.standins.freshdesk_index import TicketIndex

Record = dict[str, Any]

OTHER_LISTS = ("roles", "products", "sla_policies", "business_hours", "surveys")
"""Small lists that are given whole, as they were put in."""

CREATED_WITHIN = timedelta(days=30)
"""What a list of tickets without `updated_since` is cut to."""

_TICKET_DEFAULTS: Mapping[str, Any] = {
    "cc_emails": [],
    "fwd_emails": [],
    "reply_cc_emails": [],
    "fr_escalated": False,
    "spam": False,
    "deleted": False,
    "email_config_id": None,
    "group_id": None,
    "priority": 1,
    "requester_id": None,
    "responder_id": None,
    "source": 2,
    "company_id": None,
    "status": 2,
    "subject": "",
    "to_emails": None,
    "product_id": None,
    "type": None,
    "due_by": None,
    "fr_due_by": None,
    "is_escalated": False,
    "custom_fields": {},
    "tags": [],
    "attachments": [],
    "description": None,
    "description_text": None,
}

_STATS = (
    "agent_responded_at",
    "requester_responded_at",
    "first_responded_at",
    "status_updated_at",
    "reopened_at",
    "resolved_at",
    "closed_at",
    "pending_since",
)


FORMS: list[str] = []
"""Names of the forms in which tickets are kept as JSON; the routes add theirs."""


class FreshdeskAccount:
    """Records by kind and id. Every change goes through `apply`, so that a ledger can repeat it."""

    def __init__(self, data: Mapping[str, Any], now: Callable[[], datetime]) -> None:
        """Copies the data (`DATASET` shape: agents, groups, companies, contacts, tickets, conversations, …)."""
        self.now = now
        self.agents = _by_id(data.get("agents", ()))
        self.groups = _by_id(data.get("groups", ()))
        self.companies = _by_id(data.get("companies", ()))
        self.contacts = _by_id(data.get("contacts", ()))
        self.ratings = _by_id(data.get("satisfaction_ratings", ()))
        self.time_entries = _by_id(data.get("time_entries", ()))
        self.others = {name: _by_id(data.get(name, ())) for name in OTHER_LISTS}
        self.fields = [copy.deepcopy(dict(one)) for one in data.get("ticket_fields", ())]
        self.admin_fields = _by_id(data.get("admin_ticket_fields", ()))
        self.tickets = {
            int(one["id"]): _completed(one) for one in copy.deepcopy(list(data.get("tickets", ())))
        }
        self.archived = {
            number for number, one in self.tickets.items() if one.pop("archived", False)
        }
        self.conversations: dict[int, dict[int, Record]] = {}
        for one in copy.deepcopy(list(data.get("conversations", ()))):
            self.conversations.setdefault(int(one["ticket_id"]), {})[int(one["id"])] = one
        self.index = TicketIndex()
        for number, ticket in self.tickets.items():
            self.index.put(number, ticket, self._listed_as(number))
        self._written: dict[tuple[int, str], bytes] = {}
        self._last_ticket_id = max((0, *self.tickets))
        self._last_id = max(
            (
                0,
                *self.tickets,
                *self.contacts,
                *(number for known in self.conversations.values() for number in known),
            )
        )

    def next_ticket_id(self) -> int:
        """The number of the next ticket: tickets are numbered without gaps, apart from everything else."""
        self._last_ticket_id += 1
        return self._last_ticket_id

    def next_id(self) -> int:
        """An id that nothing has yet."""
        self._last_id += 1
        return self._last_id

    def stamp(self) -> str:
        """Now, as Freshdesk writes it."""
        return stamp(self.now())

    def apply(self, objects: Mapping[str, Iterable[Any]]) -> None:
        """Takes in changed or new records, whole, and ids.

        Records: `tickets`, `conversations`, `contacts`, `ratings`, `time_entries`; ids: `archived`, `purged`.
        """
        touched: set[int] = set()
        for one in copy.deepcopy(list(objects.get("tickets", ()))):
            self.tickets[int(one["id"])] = one
            touched.add(int(one["id"]))
            self._last_ticket_id = max(self._last_ticket_id, int(one["id"]))
        for one in copy.deepcopy(list(objects.get("conversations", ()))):
            self.conversations.setdefault(int(one["ticket_id"]), {})[int(one["id"])] = one
            touched.add(int(one["ticket_id"]))
            self._last_id = max(self._last_id, int(one["id"]))
        for one in copy.deepcopy(list(objects.get("contacts", ()))):
            self.contacts[int(one["id"])] = one
            self._last_id = max(self._last_id, int(one["id"]))
            self._written.clear()
        for name, known in (("ratings", self.ratings), ("time_entries", self.time_entries)):
            for one in copy.deepcopy(list(objects.get(name, ()))):
                known[int(one["id"])] = one
        for number in objects.get("archived", ()):
            self.archived.add(int(number))
            touched.add(int(number))
        for number in objects.get("purged", ()):
            self.tickets.pop(int(number), None)
            self.conversations.pop(int(number), None)
            touched.add(int(number))
        for number in touched:
            self.index.put(number, self.tickets.get(number), self._listed_as(number))
            for key in [(number, form) for form in FORMS]:
                self._written.pop(key, None)

    def written(self, number: int, form: str, make: Callable[[Record], Record]) -> bytes:
        """A ticket as JSON in one of `FORMS`; made once and kept until something of it changes."""
        key = (number, form)
        if key not in self._written:
            body = json.dumps(make(self.tickets[number]), ensure_ascii=False)
            self._written[key] = body.encode("utf-8", "surrogatepass")
        return self._written[key]

    def _listed_as(self, number: int) -> str | None:
        """The list that has a ticket; None: it is archived or gone."""
        ticket = self.tickets.get(number)
        return None if ticket is None or number in self.archived else _kind(ticket)

    def ticket(self, number: int) -> Record | None:
        """A copy of a ticket that can be read (deleted and spam ones can, archived ones cannot)."""
        found = None if number in self.archived else self.tickets.get(number)
        return copy.deepcopy(found) if found is not None else None

    def of_ticket(self, number: int) -> list[Record]:
        """A ticket's conversations, oldest first; not copies."""
        known = self.conversations.get(number, {}).values()
        return sorted(known, key=lambda one: (str(one["created_at"]), int(one["id"])))

    def requester(self, ticket: Record) -> Record | None:
        """What `include=requester` gives."""
        person = self.contacts.get(ticket.get("requester_id") or 0)
        if person is None:
            agent = self.agents.get(ticket.get("requester_id") or 0)
            person = {**agent.get("contact", {}), "id": agent["id"]} if agent else None
        if person is None:
            return None
        return {name: person.get(name) for name in ("id", "name", "email", "mobile", "phone")}

    def set_status(self, ticket: Record, status: int) -> None:
        """Changes a ticket's status and what its stats say of it; an equal status changes nothing."""
        before = ticket["status"]
        if status == before:
            return
        at, stats = self.stamp(), ticket["stats"]
        ticket["status"] = status
        stats["status_updated_at"] = at
        stats["pending_since"] = at if status == 3 else None
        if status in (4, 5):
            stats["resolved_at"] = stats.get("resolved_at") or at
            stats["closed_at"] = at if status == 5 else None
        elif before in (4, 5):
            stats["reopened_at"] = at
            stats["resolved_at"] = stats["closed_at"] = None


def stamp(at: datetime) -> str:
    """An instant as Freshdesk writes it: whole seconds, UTC, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _by_id(records: Iterable[Mapping[str, Any]]) -> dict[int, Record]:
    return {int(one["id"]): copy.deepcopy(dict(one)) for one in records}


def _completed(ticket: Record) -> Record:
    full = {**copy.deepcopy(dict(_TICKET_DEFAULTS)), **ticket}
    full["stats"] = {**dict.fromkeys(_STATS), **(ticket.get("stats") or {})}
    return full


def new_ticket(number: int, at: str) -> Record:
    """A ticket with Freshdesk's defaults."""
    return _completed({"id": number, "created_at": at, "updated_at": at})


def _kind(ticket: Record) -> str:
    if ticket.get("deleted"):
        return "deleted"
    return "spam" if ticket.get("spam") else "live"
