"""How the Zendesk stand-in makes rows of what it is told: users, tickets, comments, events; and what it refuses.

Belongs here: composing and validating one thing. Does not belong here: requests, answers, jobs.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.standins.zendesk_shelf import Row
from connectors.standins.zendesk_state import SETTABLE, ZendeskState, child_events, epoch, iso

STATUSES = frozenset({"new", "open", "pending", "hold", "solved", "closed"})
PRIORITIES = frozenset({"low", "normal", "high", "urgent", None})


class RefusedError(Exception):
    """One item is not taken in; `field` and the text say why."""

    def __init__(self, field: str, text: str) -> None:
        """Keeps both."""
        super().__init__(text)
        self.field = field


class ConflictError(Exception):
    """A guarded update meets a ticket that changed since."""


class Composer:
    """Makes the ledger's entries; changes nothing but to add a requester who is not known yet.

    Args:
        state: the account.
        base_url: gives the stand-in's own address.
        me: gives the user that the credential acts for.
    """

    def __init__(
        self, state: ZendeskState, base_url: Callable[[], str], me: Callable[[], Row]
    ) -> None:
        """Keeps what it composes from."""
        self._state = state
        self._base_url = base_url
        self._me = me

    def user(self, body: Mapping[str, Any]) -> tuple[Row, bool]:
        """The user after create-or-update, and whether it is new."""
        email, external_id = body.get("email"), body.get("external_id")
        known = self._state.find_user(email) if email else None
        if known is None and external_id:
            known = next(
                (u for u in self._state.users if u.get("external_id") == external_id), None
            )
        if known is None and not body.get("name"):
            raise RefusedError("name", "Name: is too short (minimum is 1 character)")
        now = iso(self._state.now())
        base = known or {
            "id": self._state.new_id(),
            "role": "end-user",
            "active": True,
            "created_at": now,
        }
        return {**base, **body, "id": base["id"], "updated_at": now}, known is None

    def imported(self, body: Mapping[str, Any], archive: bool) -> dict[str, Any]:
        """The ledger entry of a new ticket."""
        comments = body.get("comments") or ([body["comment"]] if body.get("comment") else [])
        if not comments and not body.get("description"):
            raise RefusedError("description", "Description: cannot be blank")
        if not comments:
            comments = [{"body": body["description"], "created_at": body.get("created_at")}]
        requester = self._requester(body)
        _check_words(body)
        now = self._state.now()
        created_at = _time(body.get("created_at"), now)
        number = self._state.new_id()
        made = [self._comment(number, comment, requester["id"], created_at) for comment in comments]
        ticket = {
            "id": number,
            "url": f"{self._base_url()}/api/v2/tickets/{number}.json",
            "external_id": body.get("external_id"),
            "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": created_at,
            "updated_at": _time(body.get("updated_at"), now),
            "generated_timestamp": int(now.timestamp()),
            "type": body.get("type"),
            "subject": body.get("subject") or "",
            "raw_subject": body.get("subject") or "",
            "description": made[0]["body"],
            "priority": body.get("priority"),
            "status": body.get("status") or "open",
            "requester_id": requester["id"],
            "submitter_id": body.get("submitter_id") or requester["id"],
            "organization_id": requester.get("organization_id"),
            "assignee_id": body.get("assignee_id"),
            "group_id": body.get("group_id"),
            "tags": sorted(set(body.get("tags") or ())),
            "custom_fields": body.get("custom_fields") or [],
            "satisfaction_rating": None,
        }
        fields = ("subject", "status", "priority", "requester_id", "assignee_id", "group_id")
        settings = {n: (None, ticket[n]) for n in fields if ticket[n] is not None}
        events = []
        for index, comment in enumerate(made):
            children = [_comment_child(comment)]
            if index == 0:
                children += child_events(settings, "Create", self._state.new_id)
            events.append(
                self._event(number, children, comment["created_at"], body.get("metadata"))
            )
        return {
            "operation": "import",
            "archive_immediately": archive,
            "solved_at": body.get("solved_at"),
            "ticket": ticket,
            "comments": made,
            "events": events,
        }

    def updated(self, ticket: Row, body: Mapping[str, Any]) -> dict[str, Any]:
        """The ledger entry of a changed ticket."""
        _check_words(body)
        if body.get("safe_update") and body.get("updated_stamp") != ticket["updated_at"]:
            raise ConflictError
        now = self._state.now()
        row = dict(ticket)
        changes = {
            name: (ticket.get(name), body[name])
            for name in SETTABLE
            if name in body and body[name] != ticket.get(name)
        }
        row.update({name: new for name, (_, new) in changes.items()})
        children = child_events(changes, "Change", self._state.new_id)
        before = set(ticket.get("tags") or ())
        tags = set(body["tags"]) if "tags" in body else set(before)
        tags = (tags | set(body.get("additional_tags") or ())) - set(body.get("remove_tags") or ())
        if tags != before:
            row["tags"] = sorted(tags)
            children.append(
                {
                    "id": self._state.new_id(),
                    "via": "Web service",
                    "tags": sorted(tags),
                    "added_tags": sorted(tags - before),
                    "removed_tags": sorted(before - tags),
                    "event_type": "Change",
                }
            )
        comments = []
        if body.get("comment"):
            told = {**body["comment"], "created_at": iso(now)}
            author = told.get("author_id") or self._me()["id"]
            comments = [self._comment(ticket["id"], told, author, iso(now))]
            children.insert(0, _comment_child(comments[0]))
        row["updated_at"] = iso(now)
        row["generated_timestamp"] = int(now.timestamp())
        event = self._event(ticket["id"], children, iso(now), body.get("metadata"))
        return {
            "operation": "update",
            "ticket": row,
            "comments": comments,
            "events": [event] if children else [],
        }

    def _event(self, ticket_id: int, children: list[Row], at: str, custom: Any) -> Row:
        return {
            "id": self._state.new_id(),
            "ticket_id": ticket_id,
            "timestamp": int(self._state.now().timestamp()),
            "created_at": at,
            "updater_id": self._me()["id"],
            "via": "Web service",
            "system": {"client": "deskbridge", "location": None},
            "metadata": {"system": {}, "custom": custom or {}},
            "event_type": "Audit",
            "child_events": children,
        }

    def _comment(self, ticket_id: int, told: Mapping[str, Any], author: int, at: str) -> Row:
        text = told.get("body") or told.get("value") or told.get("html_body") or ""
        author_id = told.get("author_id") or author
        if self._state.users.get(author_id) is None:
            raise RefusedError("author_id", f"Author: {author_id} does not exist")
        created_at = _time(told.get("created_at") or at, self._state.now())
        if epoch(created_at) > self._state.now().timestamp():
            raise RefusedError("created_at", "Comment: created_at cannot be in the future")
        attachments: list[Row] = []
        for token in told.get("uploads") or ():
            upload = self._state.uploads.get(token)
            if upload is None:
                raise RefusedError("uploads", f"Upload: token {token} is not valid")
            attachments += upload["attachments"]
        return {
            "id": self._state.new_id(),
            "type": "Comment",
            "ticket_id": ticket_id,
            "author_id": author_id,
            "body": text,
            "html_body": told.get("html_body") or f'<div class="zd-comment">{_escaped(text)}</div>',
            "plain_body": text,
            "public": told.get("public") is not False,
            "attachments": attachments,
            "created_at": created_at,
            "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
            "metadata": {"system": {}, "custom": {}},
        }

    def _requester(self, body: Mapping[str, Any]) -> Row:
        if body.get("requester_id") is not None:
            user = self._state.users.get(int(body["requester_id"]))
            if user is None:
                raise RefusedError("requester_id", "Requester: does not exist")
            return user
        told = body.get("requester")
        if isinstance(told, dict) and told.get("email"):
            user, is_new = self.user(told)
            if is_new:
                self._state.record("user", user=user)
            return user
        return self._me()


def _check_words(body: Mapping[str, Any]) -> None:
    if "status" in body and body["status"] not in STATUSES:
        raise RefusedError("status", f"Status: {body['status']} is not valid")
    if body.get("priority") not in PRIORITIES:
        raise RefusedError("priority", f"Priority: {body['priority']} is not valid")
    subject = body.get("subject")
    if isinstance(subject, str) and len(subject) > 65_535:
        raise RefusedError("subject", "Subject: is too long")


def _comment_child(comment: Row) -> Row:
    kept = ("id", "type", "author_id", "body", "html_body", "plain_body", "public", "attachments")
    return {
        **{name: comment[name] for name in kept},
        "via": comment["via"],
        "via_reference_id": None,
        "created_at": comment["created_at"],
        "event_type": "Comment",
    }


def _time(value: Any, now: datetime) -> str:
    """The given time, rounded up to 1970 as documented; now where none is given."""
    if not value:
        return iso(now)
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise RefusedError("created_at", f"{value!r} is not a time") from None
    return iso(max(at if at.tzinfo else at.replace(tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
