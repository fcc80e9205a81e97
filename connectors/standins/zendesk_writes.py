"""The Zendesk stand-in's writes: imports with their jobs, users, uploads, ticket updates.

Belongs here: everything that changes the account over the API. Does not belong here: reading, limits.
Imports notify nobody; an ordinary ticket and a public reply do, and are listed as notifications.

Source: Zendesk developer documentation, "Ticket import", "Job statuses", "Users", "Attachments", "Tickets".
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from connectors.standins.server import Request, Response
from connectors.standins.zendesk_compose import Composer, ConflictError, RefusedError
from connectors.standins.zendesk_exports import error
from connectors.standins.zendesk_shelf import Row
from connectors.standins.zendesk_state import ZendeskState, iso

MOST_PER_JOB = 100
MOST_JOBS = 30


class Writes:
    """The writing routes' handlers.

    Args:
        state: the account.
        base_url: gives the stand-in's own address.
        me: gives the user that the credential acts for.
        job_seconds: real seconds until a job is done; half of its items are there after half of them.
    """

    def __init__(
        self,
        state: ZendeskState,
        base_url: Callable[[], str],
        me: Callable[[], Row],
        job_seconds: float,
    ) -> None:
        """Keeps the settings; jobs that an earlier process left go on."""
        self._state = state
        self._base_url = base_url
        self._composer = Composer(state, base_url, me)
        self.job_seconds = job_seconds
        self._started = {job_id: time.monotonic() for job_id in state.jobs}

    def advance_jobs(self) -> None:
        """Does the part of each job that its time has come for, whether anybody asks for it or not."""
        for job_id, started in list(self._started.items()):
            job = self._state.jobs[job_id]
            total = len(job["items"])
            age = time.monotonic() - started
            due = (
                total
                if age >= self.job_seconds
                else total // 2
                if age >= self.job_seconds / 2
                else 0
            )
            for index in range(len(job["results"]), due):
                self._do_item(job, index)
            if len(job["results"]) >= total:
                del self._started[job_id]

    def import_one(self, request: Request) -> Response:
        """`POST /imports/tickets`: one ticket, at once, nobody is notified."""
        ticket = _object(request, "ticket")
        try:
            entry = self._composer.imported(ticket, request.first("archive_immediately") == "true")
        except RefusedError as refused:
            return _invalid(refused)
        self._state.record("ticket", **entry)
        return Response.json({"ticket": entry["ticket"]}, 201)

    def import_many(self, request: Request) -> Response:
        """`POST /imports/tickets/create_many`: at most 100, as a job."""
        options = {"archive_immediately": request.first("archive_immediately") == "true"}
        return self._queue(request, "tickets", "Bulk Import Ticket", options)

    def users_many(self, request: Request) -> Response:
        """`POST /users/create_or_update_many`: at most 100, as a job."""
        return self._queue(request, "users", "Bulk Create User", {})

    def user_one(self, request: Request) -> Response:
        """`POST /users/create_or_update`: 201 for a new user, 200 for a known one."""
        try:
            user, is_new = self._composer.user(_object(request, "user"))
        except RefusedError as refused:
            return _invalid(refused)
        self._state.record("user", user=user)
        self._verify(_object(request, "user"), user, is_new)
        return Response.json({"user": user}, 201 if is_new else 200)

    def job(self, request: Request) -> Response:
        """`GET /job_statuses/{id}`."""
        job = self._state.jobs.get(request.params["id"])
        if job is None:
            return error(404, "RecordNotFound", "Not found")
        return Response.json({"job_status": self._job_status(job)})

    def jobs(self, request: Request) -> Response:
        """`GET /job_statuses`."""
        rows = [self._job_status(job) for job in self._state.jobs.values()]
        return Response.json(
            {
                "job_statuses": rows[-100:],
                "meta": {"has_more": False, "after_cursor": None, "before_cursor": None},
                "links": {"next": None, "prev": None},
            }
        )

    def upload(self, request: Request) -> Response:
        """`POST /uploads?filename=…`: bytes in, a token out; a `token` adds to an upload."""
        name = request.first("filename")
        if not name:
            return error(400, "AttachmentUnprocessable", "filename is missing")
        sha256 = self._state.keep_content(request.body)
        # Not the vendor's way, whose ids say nothing: derived from name and bytes, an upload that is repeated
        # after a crash leaves no trace in other ids, and two runs can be compared.
        number = int(hashlib.sha256(f"{name}/{sha256}".encode()).hexdigest()[:11], 16)
        token = request.first("token") or f"upload-{uuid.uuid4().hex}"
        url = f"/attachments/{number}/?name={quote(name, safe='')}"
        attachment = {
            "id": number,
            "file_name": name,
            "content_type": request.headers.get("content-type", "application/octet-stream"),
            "size": len(request.body),
            "inline": False,
            "deleted": False,
            "sha256": sha256,
            "content_url": url,
        }
        self._state.record("upload", token=token, attachment=attachment)
        shown = {k: v for k, v in attachment.items() if k != "sha256"}
        shown["content_url"] = self._base_url() + url
        return Response.json(
            {"upload": {"token": token, "attachment": shown, "attachments": [shown]}}, 201
        )

    def create_ticket(self, request: Request) -> Response:
        """`POST /tickets`: an ordinary ticket; business rules run, so people are notified."""
        body = _object(request, "ticket")
        now = iso(self._state.now())
        first = {**(body.get("comment") or {}), "created_at": now}
        made = {k: v for k, v in body.items() if k not in ("comment", "created_at", "updated_at")}
        try:
            entry = self._composer.imported(
                {**made, "comments": [first], "created_at": now, "updated_at": now}, False
            )
        except RefusedError as refused:
            return _invalid(refused)
        entry["operation"] = "create"
        self._state.record("ticket", **entry)
        self._state.record("notification", ticket_id=entry["ticket"]["id"], why="ticket created")
        return Response.json({"ticket": entry["ticket"], "audit": _short_audit(entry)}, 201)

    def update_ticket(self, request: Request) -> Response:
        """`PUT /tickets/{id}`: fields, tags and a comment in one audit."""
        ticket = self._state.tickets.get(int(request.params["id"]))
        if ticket is None or ticket.get("status") == "deleted":
            return error(404, "RecordNotFound", "Not found")
        body = _object(request, "ticket")
        try:
            if ticket.get("status") == "closed":
                raise RefusedError("status", "closed prevents ticket update")
            entry = self._composer.updated(ticket, body)
        except RefusedError as refused:
            return _invalid(refused)
        except ConflictError:
            return error(
                409,
                "UpdateConflict",
                "Safe Update prevented the update due to outdated ticket data",
            )
        self._state.record("ticket", **entry)
        if any(comment["public"] for comment in entry["comments"]):
            self._state.record("notification", ticket_id=ticket["id"], why="public reply")
        return Response.json({"ticket": entry["ticket"], "audit": _short_audit(entry)})

    def delete_ticket(self, request: Request) -> Response:
        """`DELETE /tickets/{id}`: the row stays in the exports as deleted."""
        ticket = self._state.tickets.get(int(request.params["id"]))
        if ticket is None or ticket.get("status") == "deleted":
            return error(404, "RecordNotFound", "Not found")
        self.change_row(ticket["id"], status="deleted", updated_at=iso(self._state.now()))
        return Response(204)

    def change_row(self, ticket_id: int, **fields: Any) -> None:
        """A change without an event (deleting, scrubbing, a system's update): the generated timestamp moves."""
        ticket = self._state.tickets.get(ticket_id)
        if ticket is None:
            raise KeyError(ticket_id)
        now = int(self._state.now().timestamp())
        row = {**ticket, **fields, "generated_timestamp": now}
        self._state.record("ticket", operation="system", ticket=row, comments=[], events=[])

    def _verify(self, told: Mapping[str, Any], user: Row, is_new: bool) -> None:
        """A new user with an address is mailed, unless the caller says otherwise."""
        if is_new and user.get("email") and not told.get("skip_verify_email"):
            self._state.record("notification", user_id=user["id"], why="verify your address")

    def _queue(
        self, request: Request, key: str, job_type: str, options: Mapping[str, Any]
    ) -> Response:
        items = request.json().get(key)
        if not isinstance(items, list) or not items:
            return error(400, "InvalidRequest", f"{key} must be a list")
        if len(items) > MOST_PER_JOB:
            return error(400, "TooManyValues", f"{key} takes at most {MOST_PER_JOB}")
        if len(self._started) >= MOST_JOBS:
            return error(429, "TooManyJobs", f"at most {MOST_JOBS} jobs at once")
        job_id = f"V3-{uuid.uuid4().hex}"
        self._state.record("job", job_id=job_id, job_type=job_type, items=items, options=options)
        self._started[job_id] = time.monotonic()
        return Response.json({"job_status": self._job_status(self._state.jobs[job_id])})

    def _job_status(self, job: Row) -> Row:
        total, done = len(job["items"]), len(job["results"])
        status = "completed" if done == total else "working" if done else "queued"
        return {
            "id": job["id"],
            "job_type": job["job_type"],
            "url": f"{self._base_url()}/api/v2/job_statuses/{job['id']}.json",
            "total": total,
            "progress": done or None,
            "status": status,
            "message": f"Completed at {iso(self._state.now())}" if status == "completed" else None,
            "results": [job["results"][i] for i in range(total)] if status == "completed" else None,
        }

    def _do_item(self, job: Row, index: int) -> None:
        item = job["items"][index]
        place = {"job_id": job["id"], "index": index}
        try:
            if job["job_type"] == "Bulk Create User":
                user, is_new = self._composer.user(item)
                result: Row = {
                    "index": index,
                    "id": user["id"],
                    "status": "Created" if is_new else "Updated",
                }
                self._state.record("user", user=user, result=result, **place)
                self._verify(item, user, is_new)
                return
            entry = self._composer.imported(item, bool(job["options"].get("archive_immediately")))
            result = {
                "index": index,
                "id": entry["ticket"]["id"],
                "status": "Created",
                "success": True,
            }
            self._state.record("ticket", **entry, result=result, **place)
        except RefusedError as refused:
            result = {
                "index": index,
                "error": "RecordInvalid",
                "details": str(refused),
                "success": False,
            }
            self._state.record("job_result", result=result, **place)


def _object(request: Request, key: str) -> dict[str, Any]:
    body = request.json()
    value = body.get(key) if isinstance(body, dict) else None
    return value if isinstance(value, dict) else {}


def _short_audit(entry: Mapping[str, Any]) -> Row:
    event = entry["events"][-1] if entry["events"] else {}
    return {
        "id": event.get("id", 0),
        "ticket_id": entry["ticket"]["id"],
        "created_at": entry["ticket"]["updated_at"],
        "author_id": event.get("updater_id"),
        "metadata": event.get("metadata", {}),
        "events": [],
    }


def _invalid(refused: RefusedError) -> Response:
    details = {refused.field: [{"description": str(refused), "error": "InvalidValue"}]}
    return error(422, "RecordInvalid", "Record validation errors", details=details)
