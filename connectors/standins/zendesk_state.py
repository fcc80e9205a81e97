"""What the Zendesk stand-in knows: people, tickets, comments, events, files, jobs, and how writes change it.

Belongs here: state, ids, and the one way in which state changes: an entry of the ledger that is applied, so
that a restarted stand-in is the same again. Does not belong here: HTTP.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.standins.ledger import Ledger
from connectors.standins.zendesk_shelf import Row, Shelf

SETTABLE = (
    "status",
    "priority",
    "assignee_id",
    "group_id",
    "subject",
    "type",
    "external_id",
    "custom_status_id",
    "requester_id",
    "organization_id",
)
"""Fields of a ticket whose changes make child events."""


def epoch(value: Any) -> float:
    """Epoch seconds of an ISO 8601 text; 0 for anything else."""
    if not isinstance(value, str):
        return 0.0
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return 0.0


def iso(at: datetime) -> str:
    """An instant as Zendesk writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class ZendeskState:
    """The account. Every change goes through `record`, which writes the ledger and then applies the entry.

    Packed, tickets and events are kept as bytes, the data set's lists of them may be generators, and comments are
    those of the events.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        ledger: Ledger,
        folder: Path | None,
        now: Callable[[], datetime],
        *,
        is_packed: bool = False,
    ) -> None:
        """Loads the data set and everything that the ledger says was written since."""
        self.now = now
        self.observers: list[Callable[[str, Mapping[str, Any]], None]] = []
        """Told of each change behind it, its kind and its entry (webhooks)."""
        self.is_packed = is_packed
        self._ledger = ledger
        self._folder = None if folder is None else folder / "attachments"
        self._contents: dict[str, bytes] = {}
        self.users = Shelf(_updated, map(dict, data.get("users", ())))
        self.organizations = Shelf(_updated, map(dict, data.get("organizations", ())))
        self.groups: dict[int, Row] = {row["id"]: dict(row) for row in data.get("groups", ())}
        self.by_external_id: dict[str, list[int]] = {}
        self._events_of: dict[int, list[int]] = {}
        self._comment_counts: dict[int, int] = {}
        self._last_id = 0
        self.archived: set[int] = set(data.get("archived_ticket_ids", ()))
        """Tickets that the list of tickets leaves out and whose audits come unpaged."""
        self.tickets = Shelf(
            _generated,
            map(self._indexed_ticket, map(_with_stamp, data.get("tickets", ()))),
            is_packed=is_packed,
        )
        self.events = Shelf(
            _occurred,
            map(self._indexed_event, map(dict, data.get("ticket_events", ()))),
            is_packed=is_packed,
        )
        self.ratings: dict[int, Row] = {
            row["id"]: dict(row) for row in data.get("satisfaction_ratings", ())
        }
        self.fields: list[Row] = [dict(row) for row in data.get("ticket_fields", ())]
        self.comments: dict[int, list[Row]] = {}
        self.by_email: dict[str, int] = {}
        self.uploads: dict[str, Row] = {}
        self.attachments: dict[int, Row] = {}
        self.jobs: dict[str, Row] = {}
        self.user_created_at: dict[int, float] = {}
        self.ticket_created_at: dict[int, float] = {}
        """When a row was written here, for the index that lags."""
        self._index(data)
        for entry in ledger.entries():
            self._apply(entry)

    def record(self, kind: str, **fields: Any) -> None:
        """Writes one change to the ledger and carries it out."""
        entry = self._ledger.append(kind, **fields)
        self._apply(entry)
        for observer in self.observers:
            observer(kind, entry)

    def new_id(self) -> int:
        """An id that nothing has yet. Taken when the next entry is applied; ask once for each thing."""
        self._last_id += 1
        return self._last_id

    def events_of(self, ticket_id: int) -> list[Row]:
        """A ticket's events, oldest first."""
        rows = (self.events.get(number) for number in self._events_of.get(ticket_id, ()))
        return sorted((row for row in rows if row), key=lambda row: (_occurred(row), row["id"]))

    def comments_of(self, ticket_id: int) -> list[Row]:
        """A ticket's comments, oldest first."""
        rows = self.comments.get(ticket_id, [])
        if self.is_packed:
            rows = [
                {**{name: child[name] for name in child if name != "event_type"}}
                for event in self.events_of(ticket_id)
                for child in event["child_events"]
                if child.get("event_type") == "Comment" and "body" in child
            ]
        return sorted(rows, key=lambda row: (epoch(row.get("created_at")), row["id"]))

    def comment_count(self, ticket_id: int) -> int:
        """How many comments a ticket has."""
        if self.is_packed:
            return self._comment_counts.get(ticket_id, 0)
        return len(self.comments.get(ticket_id, ()))

    def ticket_rows(self) -> Iterator[Row]:
        """Tickets as the lists know them: without deleted and archived ones."""
        return (
            row
            for row in self.tickets
            if row.get("status") != "deleted" and row["id"] not in self.archived
        )

    def live_organizations(self) -> Iterator[Row]:
        """Organizations as the list knows them: by id, without deleted ones."""
        rows = sorted(self.organizations, key=lambda row: int(row["id"]))
        return (row for row in rows if not row.get("deleted_at"))

    def find_user(self, email: str) -> Row | None:
        """The user with this address."""
        number = self.by_email.get(email.strip().lower())
        return None if number is None else self.users.get(number)

    def keep_content(self, content: bytes) -> str:
        """Puts a file's bytes away; gives their sha256."""
        digest = hashlib.sha256(content).hexdigest()
        if self._folder is None:
            self._contents[digest] = content
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / digest).write_bytes(content)
        return digest

    def content_of(self, attachment: Mapping[str, Any]) -> bytes:
        """A file's bytes; for one of the data set, which has none, a made-up pattern of its size."""
        digest = str(attachment.get("sha256") or "")
        if not digest:
            pattern: bytes = f"attachment {attachment['id']}\n".encode()
            size: int = int(attachment.get("size") or 0)
            made: bytes = pattern * (size // len(pattern) + 1)
            return made[:size]
        if self._folder is None:
            return self._contents[digest]
        return (self._folder / digest).read_bytes()

    def _indexed_ticket(self, ticket: Row) -> Row:
        self._seen_ids(ticket["id"])
        if ticket.get("external_id"):
            self.by_external_id.setdefault(str(ticket["external_id"]), []).append(ticket["id"])
        return ticket

    def _indexed_event(self, event: Row) -> Row:
        children = event.get("child_events", ())
        number = event["ticket_id"]
        self._events_of.setdefault(number, []).append(event["id"])
        comments = sum(child.get("event_type") == "Comment" for child in children)
        self._comment_counts[number] = self._comment_counts.get(number, 0) + comments
        ids = (child.get("id") for child in children)
        self._seen_ids(event["id"], *(one for one in ids if isinstance(one, int)))
        return event

    def _index(self, data: Mapping[str, Any]) -> None:
        self._seen_ids(0, *self.groups, *self.ratings, *self.users.ids(), *self.organizations.ids())
        for user in self.users:
            if user.get("email"):
                self.by_email[user["email"].strip().lower()] = user["id"]
        for comment in data.get("comments", ()):
            self.comments.setdefault(comment["ticket_id"], []).append(dict(comment))
            self._seen_ids(comment["id"])
        if self.is_packed:
            return
        for event in self.events:
            self._comments_from(event)
        for comments in self.comments.values():
            for comment in comments:
                self._keep_attachments(comment)

    def _comments_from(self, event: Row) -> None:
        """A data set may give comments in its events alone."""
        known = self.comments.setdefault(event["ticket_id"], [])
        ids = {comment["id"] for comment in known}
        for child in event.get("child_events", ()):
            if (
                child.get("event_type") == "Comment"
                and child.get("id") not in ids
                and "body" in child
            ):
                known.append({name: child[name] for name in child if name != "event_type"})

    def _keep_attachments(self, comment: Row) -> None:
        for attachment in comment.get("attachments") or ():
            self.attachments[attachment["id"]] = attachment

    def _apply(self, entry: Mapping[str, Any]) -> None:
        handler = getattr(self, f"_apply_{entry['kind']}", None)
        if handler is not None:
            handler(entry)

    def _apply_user(self, entry: Mapping[str, Any]) -> None:
        user = dict(entry["user"])
        if self.users.get(user["id"]) is None:
            self.user_created_at[user["id"]] = epoch(entry["at"])
        self.users.put(user)
        if user.get("email"):
            self.by_email[user["email"].strip().lower()] = user["id"]
        self._seen_ids(user["id"])
        self._job_result(entry)

    def _apply_organization(self, entry: Mapping[str, Any]) -> None:
        self.organizations.put(dict(entry["organization"]))
        self._seen_ids(entry["organization"]["id"])

    def _apply_group(self, entry: Mapping[str, Any]) -> None:
        self.groups[entry["group"]["id"]] = dict(entry["group"])
        self._seen_ids(entry["group"]["id"])

    def _apply_redaction(self, entry: Mapping[str, Any]) -> None:
        """Puts other words into an earlier comment; the event that holds it keeps its place in the export."""
        for event in self.events_of(entry["ticket_id"]):
            for child in event["child_events"]:
                if child.get("id") == entry["comment_id"]:
                    child.update(entry["texts"])
                    self.events.put(event)
        for comment in self.comments.get(entry["ticket_id"], ()):
            if comment["id"] == entry["comment_id"]:
                comment.update(entry["texts"])

    def _apply_upload(self, entry: Mapping[str, Any]) -> None:
        self.uploads.setdefault(entry["token"], {"attachments": []})["attachments"].append(
            dict(entry["attachment"])
        )

    def _apply_ticket(self, entry: Mapping[str, Any]) -> None:
        ticket = dict(entry["ticket"])
        number = ticket["id"]
        old = self.tickets.get(number)
        if old is None:
            self.ticket_created_at[number] = epoch(entry["at"])
        elif old.get("external_id"):
            self.by_external_id[str(old["external_id"])].remove(number)
        if ticket.get("external_id"):
            self.by_external_id.setdefault(str(ticket["external_id"]), []).append(number)
        self.tickets.put(ticket)
        self._seen_ids(number)
        if entry.get("archive_immediately") and ticket.get("status") == "closed":
            self.archived.add(number)
        for comment in entry.get("comments", ()):
            comment = dict(comment)
            self.comments.setdefault(number, []).append(comment)
            self._keep_attachments(comment)
            self._seen_ids(comment["id"])
        for event in entry.get("events", ()):
            event = dict(event)
            if event["id"] not in self.events:
                self._indexed_event(event)
            self.events.put(event)
        self._job_result(entry)

    def _apply_job(self, entry: Mapping[str, Any]) -> None:
        self.jobs[entry["job_id"]] = {
            "id": entry["job_id"],
            "job_type": entry["job_type"],
            "items": entry["items"],
            "options": entry.get("options", {}),
            "results": {},
        }

    def _apply_job_result(self, entry: Mapping[str, Any]) -> None:
        self._job_result(entry)

    def _job_result(self, entry: Mapping[str, Any]) -> None:
        if entry.get("job_id"):
            self.jobs[entry["job_id"]]["results"][entry["index"]] = entry["result"]

    def _seen_ids(self, *numbers: int) -> None:
        self._last_id = max(self._last_id, *numbers)


def child_events(
    changes: Mapping[str, tuple[Any, Any]], kind: str, new_id: Callable[[], int]
) -> list[Row]:
    """Child events of a change: field → (old, new), in the shape of the event export."""
    children = []
    for name, (old, new) in changes.items():
        child: Row = {
            "id": new_id(),
            "via": "Web service",
            "via_reference_id": None,
            name: new,
            "event_type": kind,
        }
        if kind == "Change":
            child["previous_value"] = old
        children.append(child)
    return children


def opaque(stamp: float, number: int) -> str:
    """A cursor of the export: base64 of `<float seconds>||<id>|`.

    Source: the sample cursor in Zendesk's documentation decodes to this form.
    """
    return base64.b64encode(f"{float(stamp)}||{number}|".encode()).decode()


def read_opaque(cursor: str) -> tuple[float, int] | None:
    """(seconds, id) of a cursor; None where it is garbled."""
    try:
        stamp, _, rest = base64.b64decode(cursor, validate=True).decode().partition("||")
        return float(stamp), int(rest.rstrip("|"))
    except ValueError:
        return None


def _updated(row: Row) -> float:
    return epoch(row.get("updated_at") or row.get("created_at"))


def _generated(row: Row) -> float:
    return float(row["generated_timestamp"])


def _occurred(row: Row) -> float:
    stamp = row.get("timestamp")
    return float(stamp) if isinstance(stamp, int | float) else epoch(row.get("created_at"))


def _with_stamp(row: Mapping[str, Any]) -> Row:
    return {"generated_timestamp": int(_updated(dict(row))), **row}
