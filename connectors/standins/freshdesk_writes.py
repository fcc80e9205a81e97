"""What can be written to the Freshdesk stand-in: tickets, replies, notes; each leaves an entry in the ledger.

Belongs here: the checks and effects of writes. Does not belong here: reads and limits (`freshdesk`).

Source: Freshdesk API v2 reference, "Create a ticket", "Update a ticket", "Reply", "Create a note"; that
`created_at` is refused with `invalid_field`, that another agent's `user_id` is refused and that an agent who is
not in the assigned group is silently taken off was measured by others on live accounts (August 2026).
"""

import html
import re
from collections.abc import Mapping
from typing import Any

from connectors.standins.freshdesk_account import FreshdeskAccount, Record, new_ticket
from connectors.standins.ledger import Ledger
from connectors.standins.server import Request, Response

_SETTABLE: Mapping[str, type | tuple[type, ...]] = {
    "subject": str,
    "description": str,
    "type": str,
    "status": int,
    "priority": int,
    "source": int,
    "responder_id": int,
    "group_id": int,
    "company_id": int,
    "email_config_id": int,
    "product_id": int,
    "tags": list,
    "custom_fields": dict,
    "due_by": str,
    "fr_due_by": str,
}
_ON_CREATE: Mapping[str, type | tuple[type, ...]] = {
    **_SETTABLE,
    "email": str,
    "name": str,
    "phone": str,
    "requester_id": int,
    "unique_external_id": str,
    "cc_emails": list,
}


class FreshdeskWrites:
    """The writing routes of one account."""

    def __init__(self, account: FreshdeskAccount, ledger: Ledger, agent_id: int | None) -> None:
        """`agent_id`: the agent whose key is used."""
        self.account = account
        self.ledger = ledger
        self.agent_id = agent_id

    def create_ticket(self, request: Request) -> Response:
        """`POST /tickets`: 201 with the ticket; makes a contact for an unknown address."""
        body = _object(request)
        problem = self._refusal(body, _ON_CREATE, required=("description", "subject"))
        if problem:
            return problem
        if not any(
            body.get(name) for name in ("email", "requester_id", "phone", "unique_external_id")
        ):
            return invalid(
                [("requester_id", "One of requester_id, email … must be given", "missing_field")]
            )
        at = self.account.stamp()
        ticket = new_ticket(self.account.next_ticket_id(), at)
        contacts = self._requester(ticket, body, at)
        self._set(ticket, body)
        ticket["cc_emails"] = list(body.get("cc_emails", ()))
        ticket["stats"]["status_updated_at"] = at
        self._keep("ticket_created", ticket, contacts=contacts)
        return Response.json(ticket, 201)

    def update_ticket(self, request: Request) -> Response:
        """`PUT /tickets/{id}`."""
        ticket = self.account.ticket(int(request.params["id"]))
        if ticket is None:
            return Response(404)
        body = _object(request)
        problem = self._refusal(body, _SETTABLE)
        if problem:
            return problem
        self._set(ticket, body)
        ticket["updated_at"] = self.account.stamp()
        self._keep("ticket_updated", ticket, changes=body)
        return Response.json(ticket)

    def delete_ticket(self, request: Request) -> Response:
        """`DELETE /tickets/{id}`: into the trash."""
        return self._flag(request, "ticket_deleted", deleted=True)

    def restore_ticket(self, request: Request) -> Response:
        """`PUT /tickets/{id}/restore`."""
        return self._flag(request, "ticket_restored", deleted=False)

    def merge_tickets(self, request: Request) -> Response:
        """`PUT /tickets/merge`: closes the secondary tickets, with a note in each and in the primary one.

        Nothing else tells of it afterwards. The wording of the default notes is as clients report it.
        """
        body = _object(request)
        primary = self.account.ticket(int(body.get("primary_id") or 0))
        if primary is None:
            return invalid([("primary_id", "There is no ticket matching it", "invalid_value")])
        given = [int(number) for number in body.get("ticket_ids") or ()]
        for number in given:
            ticket = self.account.ticket(number)
            if ticket is None or number == primary["id"]:
                continue
            text = f"This ticket is closed and merged into ticket {primary['id']}"
            told = self.conversation_of(ticket, text, source=2, user_id=self.agent_id)
            told["private"] = True
            self.account.set_status(ticket, 5)
            ticket["updated_at"] = told["created_at"]
            self._keep("merged_away", ticket, conversations=[told])
            text = f"Merged from ticket {number}: {ticket['subject']}"
            told = self.conversation_of(primary, text, source=2, user_id=self.agent_id)
            told["private"] = True
            primary["updated_at"] = told["created_at"]
            self._keep("merged_into", primary, conversations=[told])
        return Response(204)

    def add_note(self, request: Request) -> Response:
        """`POST /tickets/{id}/notes`: private unless the body says otherwise."""
        allowed = {
            "body": str,
            "private": bool,
            "incoming": bool,
            "user_id": int,
            "notify_emails": list,
        }
        return self._converse(request, "note", allowed, source=2)

    def add_reply(self, request: Request) -> Response:
        """`POST /tickets/{id}/reply`: public, by mail to the requester."""
        allowed = {
            "body": str,
            "from_email": str,
            "user_id": int,
            "cc_emails": list,
            "bcc_emails": list,
        }
        return self._converse(request, "reply", allowed, source=0)

    def customer_reply(self, ticket_id: int, body: str) -> Record:
        """What a customer's mail does: an incoming conversation; a waiting or ended ticket opens again."""
        ticket = self.account.ticket(ticket_id)
        if ticket is None:
            raise KeyError(ticket_id)
        at = self.account.stamp()
        said = self.conversation_of(ticket, body, source=0, user_id=ticket["requester_id"])
        said["incoming"] = True
        if ticket["status"] in (3, 4, 5):
            self.account.set_status(ticket, 2)
        ticket["updated_at"] = ticket["stats"]["requester_responded_at"] = at
        self._keep("customer_reply", ticket, conversations=[said])
        return said

    def _converse(
        self, request: Request, kind: str, allowed: Mapping[str, Any], *, source: int
    ) -> Response:
        ticket = self.account.ticket(int(request.params["id"]))
        if ticket is None:
            return Response(404)
        body = _object(request)
        problem = self._refusal(body, allowed, required=("body",))
        if problem:
            return problem
        author = body.get("user_id", self.agent_id)
        if author in self.account.agents and author != self.agent_id:
            text = "You are not authorized to perform this action on behalf of this user"
            return Response.json({"code": "invalid_user", "message": text}, 403)
        said = self.conversation_of(ticket, body["body"], source=source, user_id=author)
        said["private"] = kind == "note" and body.get("private", True)
        said["incoming"] = bool(body.get("incoming", False))
        ticket["updated_at"] = said["created_at"]
        if kind == "reply":
            stats = ticket["stats"]
            stats["agent_responded_at"] = said["created_at"]
            stats["first_responded_at"] = stats["first_responded_at"] or said["created_at"]
        self._keep(kind, ticket, conversations=[said])
        return Response.json(said, 201)

    def conversation_of(
        self, ticket: Record, body: str, *, source: int, user_id: int | None
    ) -> Record:
        """A new conversation of a ticket, not kept yet."""
        at = self.account.stamp()
        return {
            "id": self.account.next_id(),
            "ticket_id": ticket["id"],
            "body": body,
            "body_text": _plain(body),
            "incoming": False,
            "private": False,
            "user_id": user_id,
            "support_email": None,
            "source": source,
            "to_emails": [],
            "from_email": None,
            "cc_emails": [],
            "bcc_emails": [],
            "created_at": at,
            "updated_at": at,
            "attachments": [],
        }

    def _set(self, ticket: Record, body: Mapping[str, Any]) -> None:
        for name, value in body.items():
            if name == "status":
                self.account.set_status(ticket, value)
            elif name == "description":
                ticket["description"], ticket["description_text"] = value, _plain(value)
            elif name == "custom_fields":
                ticket["custom_fields"] = {**ticket["custom_fields"], **value}
            elif name in _SETTABLE:
                ticket[name] = value
        members = self.account.groups.get(ticket.get("group_id") or 0, {}).get("agent_ids")
        if members is not None and ticket["responder_id"] not in members:
            ticket["responder_id"] = None

    def _requester(self, ticket: Record, body: Mapping[str, Any], at: str) -> list[Record]:
        """Sets the requester; the contact that had to be made for it."""
        if body.get("requester_id") is not None:
            ticket["requester_id"] = body["requester_id"]
            return []
        address = body.get("email")
        for contact in self.account.contacts.values():
            if address is not None and str(contact.get("email")).lower() == address.lower():
                ticket["requester_id"] = contact["id"]
                ticket["company_id"] = contact.get("company_id")
                return []
        contact = {
            "id": self.account.next_id(),
            "name": body.get("name") or address or body.get("phone"),
            "email": address,
            "phone": body.get("phone"),
            "mobile": None,
            "active": False,
            "company_id": None,
            "unique_external_id": body.get("unique_external_id"),
            "created_at": at,
            "updated_at": at,
        }
        ticket["requester_id"] = contact["id"]
        return [contact]

    def _refusal(
        self, body: Mapping[str, Any], allowed: Mapping[str, Any], required: tuple[str, ...] = ()
    ) -> Response | None:
        problems = [
            (name, "Unexpected/invalid field in request", "invalid_field")
            for name in body
            if name not in allowed
        ]
        problems += [
            (name, "It should be a/an String", "missing_field")
            for name in required
            if not body.get(name)
        ]
        for name, value in body.items():
            expected = allowed.get(name)
            is_wrong = isinstance(value, bool) and expected is int
            if expected and value is not None and (is_wrong or not isinstance(value, expected)):
                problems.append(
                    (name, f"It should be a/an {expected.__name__}", "datatype_mismatch")
                )
        if body.get("priority", 1) not in (1, 2, 3, 4):
            problems.append(
                ("priority", "It should be one of these values: '1,2,3,4'", "invalid_value")
            )
        known = self._statuses()
        if "status" in body and str(body["status"]) not in known:
            text = f"It should be one of these values: '{','.join(sorted(known))}'"
            problems.append(("status", text, "invalid_value"))
        return invalid(problems) if problems else None

    def _statuses(self) -> set[str]:
        own = [
            one.get("choices") for one in self.account.fields if one.get("type") == "default_status"
        ]
        return {
            "2",
            "3",
            "4",
            "5",
            *(code for choices in own if isinstance(choices, dict) for code in choices),
        }

    def _flag(self, request: Request, kind: str, *, deleted: bool) -> Response:
        ticket = self.account.ticket(int(request.params["id"]))
        if ticket is None:
            return Response(404)
        ticket["deleted"] = deleted
        ticket["updated_at"] = self.account.stamp()
        self._keep(kind, ticket)
        return Response(204)

    def _keep(
        self,
        kind: str,
        ticket: Record,
        *,
        conversations: list[Record] | None = None,
        contacts: list[Record] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        objects = {
            "tickets": [ticket],
            "conversations": conversations or [],
            "contacts": contacts or [],
        }
        self.account.apply(objects)
        self.ledger.append(kind, ticket_id=ticket["id"], changes=changes or {}, objects=objects)


def invalid(problems: list[tuple[str, str, str]]) -> Response:
    """400 with (field, message, code) of all that is wrong."""
    errors = [{"field": f, "message": m, "code": c} for f, m, c in problems]
    return Response.json({"description": "Validation failed", "errors": errors}, 400)


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def _object(request: Request) -> dict[str, Any]:
    body = request.json()
    return body if isinstance(body, dict) else {}
