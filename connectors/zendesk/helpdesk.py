"""Zendesk as a helpdesk: imports, looks up what was imported, reads back, and changes tickets.

Belongs here: the write side (`contract.Helpdesk`) and what a hand-over needs. Does not belong here: how a
ticket is composed (`imports`), people (`people`), jobs (`jobs`), bulk reads (`source`).

What makes it safe to be killed at any instant: a ticket's `external_id` is its key; nothing is found missing
while a job of the account may still create it; a ticket is found by list and, when archived, by search.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests
from zenpy.lib.api_objects import Comment, Ticket

from connectors.contract import (
    ImportedTicket,
    ReadBackComment,
    ReadBackTicket,
    RejectedImport,
)
from connectors.errors import RejectedError, UnavailableError
from connectors.http import Policy, PolicySession
from connectors.zendesk.account import address_of, open_session
from connectors.zendesk.client import translated, zenpy_over
from connectors.zendesk.imports import NO_TEXT, PRIORITY_WORDS, STATUS_WORDS, Importer
from connectors.zendesk.jobs import Jobs
from connectors.zendesk.people import People

logger = logging.getLogger(__name__)

MOST_PER_CALL = 100
MARKER = "deskbridge"
"""Custom metadata of each audit that we write; `transforms.zendesk` knows our own writes by it."""

_CANONICAL_STATUS: Mapping[str, str] = {"hold": "on_hold"}
_CONFLICT = 409
_UPDATE_TRIES = 3


class ZendeskHelpdesk:
    """The write side of a Zendesk account.

    Args:
        subdomain, base_url, email, token, label: as for `ZendeskSource`; the token must be an administrator's.
        session: shared with the source; None opens one.
        policy: patience of a session that is opened here.
        archive_immediately: closed tickets go straight to the archive (for very large histories).
        jobs: `deadline_seconds`, `clock`, `sleep` of `Jobs`.
    """

    cannot_keep: Mapping[str, str] = {
        "ticket number": "Zendesk gives a new one; the old identity is kept as external_id",
        "history": "changes of status, priority, assignee and team are not taken over, only how things stand",
        "html": "comments are kept as text; Zendesk renders it as Markdown",
        "agents": "an agent without a login in the target becomes an end user with the same address",
        "ratings": "satisfaction ratings cannot be imported",
        "status deleted, spam, merged": "become closed",
        "times before 1970": "Zendesk rounds them up to 1970",
        "comments without text": f"carry the text {NO_TEXT}",
        "fields": "only those given under a Zendesk field id",
        "sla": "Zendesk computes no metrics for imported history",
    }

    def __init__(
        self,
        *,
        email: str = "",
        token: str = "",
        subdomain: str | None = None,
        base_url: str | None = None,
        label: str = "",
        session: PolicySession | None = None,
        policy: Policy | None = None,
        archive_immediately: bool = False,
        **jobs: Any,
    ) -> None:
        """Keeps the settings; makes no call."""
        address = address_of(subdomain, base_url or (session.base_url if session else None))
        self.session = session or open_session(address, email, token, label=label, policy=policy)
        self._client = zenpy_over(self.session)
        self._jobs = Jobs(self.session, self._client, **jobs)
        self._people = People(self.session, self._client, self._jobs)
        self._importer = Importer(
            self.session,
            self._client,
            self._jobs,
            self._people,
            archive_immediately=archive_immediately,
        )

    def find_imported(self, external_ids: Sequence[str]) -> Mapping[str, str]:
        """Those of the ids that exist, with the ticket's id (the oldest, should there be several).

        Waits first for jobs that still run. The search is asked only for what the list does not have (the
        list leaves out archived tickets; the search lags): what either finds is there.

        Raises:
            ValueError: more than 100 ids.
            UnavailableError: jobs do not come to an end.
        """
        _at_most(external_ids)
        if not external_ids:
            return {}
        self._jobs.wait_for_all()
        found: dict[str, str] = {}
        for external_id in dict.fromkeys(external_ids):
            ids = self._listed(external_id) or self._searched(external_id)
            if len(ids) > 1:
                logger.warning("%s: %d tickets carry one external id", self.session.label, len(ids))
            if ids:
                found[external_id] = str(min(ids))
        return found

    def import_tickets(
        self, tickets: Sequence[ImportedTicket]
    ) -> Mapping[str, str | RejectedImport]:
        """Creates tickets silently; what a job fails to do as a whole is done one by one.

        Raises:
            ValueError: more than 100 tickets, or one external id twice.
            ConnectorError: the outcome of the batch is not known; `find_imported` tells it.
        """
        _at_most(tickets)
        if len({ticket.external_id for ticket in tickets}) != len(tickets):
            raise ValueError("one external_id comes twice in a batch")
        if not tickets:
            return {}
        outcome, left_over = self._importer.run(tickets)
        if left_over:
            done = self.find_imported([ticket.external_id for ticket in left_over])
            outcome.update(done)
            for ticket in left_over:
                if ticket.external_id not in done:
                    outcome[ticket.external_id] = self._importer.one(ticket)
        return outcome

    def read_back(self, remote_id: str) -> ReadBackTicket:
        """The ticket with its comments, oldest first, and the sha256 of every file's bytes.

        Raises:
            NotFoundError: there is no such ticket.
            RejectedError: a file lies on another host, to which no credential is sent.
        """
        with translated(self.session, f"reading ticket {remote_id}"):
            ticket = self._client.tickets(id=int(remote_id)).to_dict()
            comments = [
                comment.to_dict()
                for comment in self._client.tickets.comments(
                    int(remote_id), include_inline_images=True
                )
            ]
        users = [str(ticket["requester_id"]), *(str(comment["author_id"]) for comment in comments)]
        emails = self._people.emails(user for user in users if user.lstrip("-").isdigit())
        status = str(ticket["status"])
        return ReadBackTicket(
            remote_id=str(ticket["id"]),
            external_id=ticket.get("external_id"),
            subject=str(ticket.get("subject") or ""),
            status=_CANONICAL_STATUS.get(status, status),
            created_at=datetime.fromisoformat(ticket["created_at"]),
            requester_email=emails.get(str(ticket["requester_id"])),
            tags=tuple(ticket.get("tags") or ()),
            comments=tuple(
                self._read_comment(comment, emails.get(str(comment["author_id"])))
                for comment in comments
            ),
        )

    def update(
        self,
        remote_id: str,
        *,
        status: str | None = None,
        priority: str | None = None,
        assignee_remote_id: str | None = None,
        team_remote_id: str | None = None,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
        comment: str | None = None,
        is_public: bool = False,
        key: str = "1",
    ) -> None:
        """Changes a ticket in one audit: canonical status and priority, assignee, team, tags, a note or a reply.

        The update is guarded by the ticket's last change, so that an answer that got lost never makes a
        comment twice; where the guard refuses, the audits tell whether `key` was written already.

        Args:
            remote_id: the ticket.
            status: canonical word.
            priority: canonical word.
            assignee_remote_id: Zendesk's user id.
            team_remote_id: Zendesk's group id.
            add_tags: tags to add.
            remove_tags: tags to take away.
            comment: text; an internal note unless `is_public`.
            is_public: the customer is to read it.
            key: names this very update in the audit's metadata; the caller's own, unique per update.

        Raises:
            NotFoundError: no such ticket.
            RejectedError: Zendesk refuses it (a closed ticket cannot be changed, say).
        """
        doing = f"updating ticket {remote_id}"
        for number in range(1, _UPDATE_TRIES + 1):
            with translated(self.session, doing):
                current = self._client.tickets(id=int(remote_id))
            wanted: dict[str, Any] = {
                "id": int(remote_id),
                "safe_update": True,
                "updated_stamp": current.to_dict()["updated_at"],
                "metadata": {MARKER: key},
            }
            if status is not None:
                wanted["status"] = STATUS_WORDS[status]
            if priority is not None:
                wanted["priority"] = PRIORITY_WORDS[priority]
            if assignee_remote_id is not None:
                wanted["assignee_id"] = int(assignee_remote_id)
            if team_remote_id is not None:
                wanted["group_id"] = int(team_remote_id)
            if add_tags:
                wanted["additional_tags"] = list(add_tags)
            if remove_tags:
                wanted["remove_tags"] = list(remove_tags)
            if comment is not None:
                wanted["comment"] = Comment(body=comment, public=is_public)
            try:
                with translated(self.session, doing):
                    self._client.tickets.update(Ticket(**wanted))
                return
            except RejectedError as error:
                if error.status != _CONFLICT:
                    raise
                if key != "1" and self.was_written(remote_id, key):
                    return
                if number == _UPDATE_TRIES:
                    raise UnavailableError(
                        f"{self.session.label}: {doing}: somebody else changes it all the time"
                    ) from error

    def add_note(self, remote_id: str, text: str, *, key: str = "1") -> None:
        """An internal note."""
        self.update(remote_id, comment=text, key=key)

    def reply(self, remote_id: str, text: str, *, key: str = "1") -> None:
        """A public reply; the customer is told."""
        self.update(remote_id, comment=text, is_public=True, key=key)

    def was_written(self, remote_id: str, key: str) -> bool:
        """Whether an update of ours under this key is among the ticket's audits."""
        with translated(self.session, f"reading the audits of ticket {remote_id}"):
            for audit in self._client.tickets.audits(int(remote_id)):
                metadata = audit.to_dict().get("metadata") or {}
                if (metadata.get("custom") or {}).get(MARKER) == key:
                    return True
        return False

    def _listed(self, external_id: str) -> list[int]:
        with translated(self.session, f"looking for external id {external_id}"):
            tickets = self._client.tickets(
                external_id=quote(external_id, safe=""), cursor_pagination=False
            )
            return [ticket.id for ticket in tickets if ticket.external_id == external_id]

    def _searched(self, external_id: str) -> list[int]:
        quoted = external_id.replace('"', " ").replace("\\", " ")
        body = self.session.get_json(
            "api/v2/search.json", params={"query": f'type:ticket external_id:"{quoted}"'}
        )
        return [
            int(row["id"])
            for row in body.get("results") or ()
            if row.get("external_id") == external_id and row.get("status") != "deleted"
        ]

    def _read_comment(self, comment: Mapping[str, Any], email: str | None) -> ReadBackComment:
        text = str(comment.get("body") or "")
        return ReadBackComment(
            text="" if text == NO_TEXT else text,
            is_public=comment.get("public") is not False,
            created_at=datetime.fromisoformat(comment["created_at"]),
            attachment_sha256=tuple(
                self._sha256(attachment) for attachment in comment.get("attachments") or ()
            ),
            author_email=email,
        )

    def _sha256(self, attachment: Any) -> str:
        body = attachment if isinstance(attachment, dict) else attachment.to_dict()
        url = str(body.get("content_url") or "")
        what = f"{self.session.label}: reading attachment {body.get('id')}"
        if not self.session.is_own(url):
            raise RejectedError(f"{what}: it lies on another host and is not fetched")
        digest = hashlib.sha256()
        try:
            with self.session.request("GET", url, stream=True) as response:
                self.session.check_status(response)
                for chunk in response.iter_content(65_536):
                    digest.update(chunk)
        except requests.RequestException as error:
            raise UnavailableError(f"{what}: {type(error).__name__}") from error
        return digest.hexdigest()


def _at_most(things: Sequence[Any]) -> None:
    if len(things) > MOST_PER_CALL:
        raise ValueError(f"{len(things)} at once; at most {MOST_PER_CALL}")
