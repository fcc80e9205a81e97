"""Imports tickets into Zendesk: files up first, then a job of at most 100, then each item's result.

Belongs here: how one of our tickets becomes one of theirs, and what a refused one says. Does not belong
here: finding what was imported before (`helpdesk`).

Source: Zendesk developer documentation, "Ticket import".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from zenpy import Zenpy
from zenpy.lib.api_objects import Ticket

from connectors.contract import ImportedComment, ImportedTicket, RejectedImport
from connectors.errors import NotFoundError, RejectedError
from connectors.http import PolicySession
from connectors.zendesk.client import translated
from connectors.zendesk.jobs import ItemResult, Jobs
from connectors.zendesk.people import People, Person

LARGEST_FILE_BYTES = 50_000_000
"""Zendesk's limit per attachment."""

NO_TEXT = "(no text)"
"""Stands for a comment without text, which Zendesk refuses; read back as nothing."""

STATUS_WORDS: Mapping[str, str] = {
    "new": "new",
    "open": "open",
    "pending": "pending",
    "on_hold": "hold",
    "solved": "solved",
    "closed": "closed",
    "deleted": "closed",
    "spam": "closed",
    "merged": "closed",
}
PRIORITY_WORDS: Mapping[str, str] = {
    "critical": "urgent",
    "high": "high",
    "medium": "normal",
    "low": "low",
}


class Importer:
    """Creates tickets silently."""

    def __init__(
        self,
        session: PolicySession,
        client: Zenpy,
        jobs: Jobs,
        people: People,
        *,
        archive_immediately: bool = False,
    ) -> None:
        """Keeps the settings; makes no call."""
        self._session = session
        self._client = client
        self._jobs = jobs
        self._people = people
        self._archive = archive_immediately

    def run(
        self, tickets: Sequence[ImportedTicket]
    ) -> tuple[dict[str, str | RejectedImport], list[ImportedTicket]]:
        """Imports a batch: (outcome by external id, tickets whose job failed as a whole)."""
        ids, refused = self._people.ensure(
            person for ticket in tickets for person in _people_of(ticket)
        )
        outcome: dict[str, str | RejectedImport] = {}
        ready: list[ImportedTicket] = []
        bodies: list[Ticket] = []
        for ticket in tickets:
            reason = _unfit(ticket, refused)
            if reason is None:
                try:
                    bodies.append(self._body(ticket, ids))
                    ready.append(ticket)
                    continue
                except RejectedError as error:
                    reason = str(error)
            outcome[ticket.external_id] = RejectedImport(reason)
        if not ready:
            return outcome, []
        with translated(self._session, f"importing {len(ready)} tickets"):
            job = self._post_many(bodies)
        results = self._jobs.results(job, len(ready))
        if results is None:
            return outcome, ready
        for ticket, result in zip(ready, results, strict=True):
            outcome[ticket.external_id] = _outcome(result)
        return outcome, []

    def one(self, ticket: ImportedTicket) -> str | RejectedImport:
        """Imports one ticket at once, for what a failed job left over."""
        ids, refused = self._people.ensure(_people_of(ticket))
        reason = _unfit(ticket, refused)
        if reason is not None:
            return RejectedImport(reason)
        try:
            body = self._body(ticket, ids)
            with translated(self._session, f"importing ticket {ticket.external_id}"):
                made = self._post_one(body)
        except (RejectedError, NotFoundError) as error:
            return RejectedImport(str(error)[:500])
        return str(made.id)

    def _post_many(self, bodies: list[Ticket]) -> Any:
        api = self._client.ticket_import
        if not self._archive:
            return api.create(bodies)
        url = api._build_url(api.endpoint(create_many=True))
        payload = {"tickets": api._serialize(bodies)}
        return api._post(f"{url}?archive_immediately=true", payload)

    def _post_one(self, body: Ticket) -> Any:
        api = self._client.ticket_import
        if not self._archive:
            return api.create(body)
        url = api._build_url(api.endpoint())
        return api._post(f"{url}?archive_immediately=true", {"ticket": api._serialize(body)})

    def _body(self, ticket: ImportedTicket, ids: Mapping[str, str]) -> Ticket:
        requester = ids[_requester(ticket).key]
        fields: dict[str, Any] = {
            "external_id": ticket.external_id,
            "subject": ticket.subject,
            "status": STATUS_WORDS.get(ticket.status, "open"),
            "requester_id": int(requester),
            "submitter_id": int(requester),
            "created_at": _iso(ticket.created_at),
            "updated_at": _iso(ticket.updated_at),
            "tags": list(ticket.tags),
            "comments": [self._comment(ticket, comment, ids) for comment in ticket.comments],
        }
        if ticket.priority:
            fields["priority"] = PRIORITY_WORDS.get(ticket.priority, "normal")
        if ticket.solved_at is not None:
            fields["solved_at"] = _iso(ticket.solved_at)
        custom = [
            {"id": int(name), "value": value}
            for name, value in ticket.fields.items()
            if name.isdigit()
        ]
        if custom:
            fields["custom_fields"] = custom
        if not ticket.comments:
            fields["comments"] = [
                {
                    "body": NO_TEXT,
                    "author_id": int(requester),
                    "created_at": _iso(ticket.created_at),
                }
            ]
        return Ticket(**fields)

    def _comment(
        self, ticket: ImportedTicket, comment: ImportedComment, ids: Mapping[str, str]
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "body": comment.text if comment.text.strip() else NO_TEXT,
            "author_id": int(ids[_author(ticket, comment).key]),
            "public": comment.is_public,
            "created_at": _iso(comment.created_at),
        }
        tokens = [self._upload(ticket, comment, n) for n in range(len(comment.attachments))]
        if tokens:
            body["uploads"] = tokens
        return body

    def _upload(self, ticket: ImportedTicket, comment: ImportedComment, place: int) -> str:
        attachment = comment.attachments[place]
        doing = f"uploading file {place + 1} of a comment of ticket {ticket.external_id}"
        with translated(self._session, doing):
            upload = self._client.attachments.upload(
                attachment.content,
                target_name=quote(attachment.file_name or "attachment", safe=""),
                content_type=attachment.media_type or "application/octet-stream",
            )
            return str(upload.token)


def _people_of(ticket: ImportedTicket) -> list[Person]:
    return [_requester(ticket), *(_author(ticket, comment) for comment in ticket.comments)]


def _requester(ticket: ImportedTicket) -> Person:
    return Person(ticket.requester_email, ticket.requester_name)


def _author(ticket: ImportedTicket, comment: ImportedComment) -> Person:
    """A customer's comment without an author is the requester's."""
    if comment.author_email or comment.author_name or comment.is_agent:
        return Person(comment.author_email, comment.author_name)
    return _requester(ticket)


def _unfit(ticket: ImportedTicket, refused: Mapping[str, str]) -> str | None:
    """Why a ticket cannot even be tried."""
    for person in _people_of(ticket):
        if person.key in refused:
            return f"the person {person.key} was refused: {refused[person.key]}"
    for comment in ticket.comments:
        for attachment in comment.attachments:
            if len(attachment.content) > LARGEST_FILE_BYTES:
                return f"a file of {len(attachment.content)} bytes is larger than Zendesk takes ({LARGEST_FILE_BYTES})"
    return None


def _outcome(result: ItemResult) -> str | RejectedImport:
    return RejectedImport(result.reason) if result.remote_id is None else result.remote_id


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
