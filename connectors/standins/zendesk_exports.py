"""The Zendesk stand-in's exports and lists: everything that only reads.

Belongs here: incremental exports, lists, single reads, search. Does not belong here: writes, limits.

Source: Zendesk developer documentation, "Incremental exports", "Pagination", "Search".
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from connectors.standins.server import Request, Response
from connectors.standins.zendesk_shelf import Row, Shelf, packed
from connectors.standins.zendesk_state import ZendeskState, epoch, opaque, read_opaque

HIDDEN_SECONDS = 60
"""The most recent minute is left out of exports."""
LARGEST_EXPORT, LARGEST_LIST, SEARCH_CAP = 1_000, 100, 1_000

Render = Callable[[Row], Row]


def error(status: int, name: str, description: str, **more: Any) -> Response:
    """An error in the vendor's shape."""
    return Response.json({"error": name, "description": description, **more}, status)


class Reads:
    """The reading routes' handlers.

    Args:
        state: the account.
        base_url: gives the stand-in's own address.
        settings: `largest_page` (more rows asked for at once are answered 504) and `search_lag_seconds`.
    """

    def __init__(
        self, state: ZendeskState, base_url: Callable[[], str], settings: Mapping[str, Any]
    ) -> None:
        """Keeps what it reads from."""
        self._state = state
        self._base_url = base_url
        self._settings = settings

    def cursor_export(self, key: str, shelf: Shelf, request: Request) -> Response:
        """`/incremental/{key}/cursor`: `start_time` first, then `cursor`."""
        size = self._export_size(request)
        if isinstance(size, Response):
            return size
        until = int(self._state.now().timestamp()) - HIDDEN_SECONDS
        cursor = request.first("cursor")
        if cursor is not None:
            place = read_opaque(cursor)
            if place is None:
                return error(400, "InvalidValue", "cursor is invalid")
            keys = shelf.behind(*place, until, size + 1)
        else:
            start = self._start_time(request)
            if isinstance(start, Response):
                return start
            keys = shelf.since(start, until, size + 1)
        page = keys[:size]
        after = opaque(*page[-1]) if page else cursor
        path = f"{self._base_url()}/api/v2/incremental/{key}/cursor.json"
        tail = {
            "after_cursor": after,
            "after_url": f"{path}?{urlencode({'cursor': after, 'per_page': size})}"
            if after
            else None,
            "before_cursor": None,
            "before_url": None,
            "end_of_stream": len(keys) <= size,
        }
        wanted = set((request.first("include") or "").split(","))
        rows = [self._row_bytes(shelf, number) for _, number in page]
        if "comment_count" in wanted and shelf is self._state.tickets:
            rows = [
                row[:-1] + b',"comment_count":%d}' % self._state.comment_count(number)
                for row, (_, number) in zip(rows, page, strict=True)
            ]
        if wanted & {"users", "groups"}:
            shown = [shelf.get(number) or {} for _, number in page]
            tail.update(self._sideloads(wanted, shown))
        return _page(key, rows, tail)

    def time_export(
        self, key: str, shelf: Shelf, request: Request, render: Render | None = None
    ) -> Response:
        """`/incremental/{key}`: from `start_time` on, the rows of that second again with each page."""
        size = self._export_size(request)
        if isinstance(size, Response):
            return size
        start = self._start_time(request)
        if isinstance(start, Response):
            return start
        until = int(self._state.now().timestamp()) - HIDDEN_SECONDS
        keys = shelf.since(start, until, size + 1)
        page = keys[:size]
        end_time = int(page[-1][0]) if page else None
        asked = {name: values[-1] for name, values in request.query.items() if name != "start_time"}
        url = f"{self._base_url()}{request.path}?{urlencode({**asked, 'start_time': end_time or int(start)})}"
        if render is None:
            rows = [self._row_bytes(shelf, number) for _, number in page]
        else:
            rows = [packed(render(shelf.get(number) or {})) for _, number in page]
        return _page(
            key,
            rows,
            {
                "count": len(page),
                "end_time": end_time,
                "next_page": url if page else None,
                "end_of_stream": len(keys) <= size,
            },
        )

    def ticket_events(self, request: Request) -> Response:
        """The event export; comment bodies only with `include=comment_events`."""
        with_comments = "comment_events" in (request.first("include") or "")
        render = None if with_comments else _without_comments
        return self.time_export("ticket_events", self._state.events, request, render)

    def list(self, key: str, rows: Iterable[Row], request: Request) -> Response:
        """A list with cursor paging (`page[size]`), or offset paging where none is asked for."""
        ordered = list(rows)
        size_text = request.first("page[size]")
        if size_text is None:
            return self._offset_list(key, ordered, request)
        size = int(size_text) if size_text.isdigit() else 0
        if not 1 <= size <= LARGEST_LIST:
            return Response.json(
                {
                    "errors": [
                        {
                            "code": "InvalidPaginationParameter",
                            "title": "Invalid pagination parameter",
                            "detail": f"page[size] parameter should be between 1-{LARGEST_LIST}",
                        }
                    ]
                },
                400,
            )
        after = request.first("page[after]")
        start = 0
        if after is not None:
            place = read_opaque(after)
            if place is None:
                return error(400, "InvalidPaginationParameter", "page[after] is not valid")
            start = int(place[1])
        page = ordered[start : start + size]
        more = start + size < len(ordered)
        following = opaque(0, start + size) if more else None
        query = urlencode({"page[after]": following, "page[size]": size})
        return Response.json(
            {
                key: [self.render(row) for row in page],
                "meta": {
                    "has_more": more,
                    "after_cursor": following,
                    "before_cursor": None,
                },
                "links": {
                    "next": f"{self._base_url()}{request.path}?{query}" if more else None,
                    "prev": None,
                },
            }
        )

    def show_many(self, key: str, shelf: Shelf, request: Request) -> Response:
        """Rows by `ids`, 100 at most; deleted tickets are left out."""
        wanted = (request.first("ids") or "").split(",")
        ids = [int(part) for part in wanted if part.strip().isdigit()]
        if len(ids) > LARGEST_LIST:
            return error(400, "TooManyIds", f"at most {LARGEST_LIST} ids")
        rows = [self.render(row) for row in map(shelf.get, ids) if row]
        if shelf is self._state.tickets:
            rows = [row for row in rows if row.get("status") != "deleted"]
            if "comment_count" in (request.first("include") or ""):
                rows = [
                    {**row, "comment_count": self._state.comment_count(row["id"])} for row in rows
                ]
        return Response.json(
            {key: rows, "count": len(rows), "next_page": None, "previous_page": None}
        )

    def ticket(self, request: Request) -> Response:
        """One ticket; a deleted one is not found."""
        row = self._state.tickets.get(int(request.params["id"]))
        return self.one("ticket", None if row is None or row.get("status") == "deleted" else row)

    def one(self, key: str, row: Row | None) -> Response:
        """One row, or the vendor's 404."""
        if row is None:
            return error(404, "RecordNotFound", "Not found")
        return Response.json({key: self.render(row)})

    def tickets(self, request: Request) -> Response:
        """The list of tickets; `external_id` narrows it at once, unlike the search. No deleted, no archived ones."""
        state = self._state
        wanted = request.first("external_id")
        rows: Iterable[Row] = state.ticket_rows()
        if wanted is not None:
            numbers = state.by_external_id.get(wanted, [])
            found = (state.tickets.get(number) for number in numbers)
            rows = (
                row
                for row in found
                if row and row.get("status") != "deleted" and row["id"] not in state.archived
            )
        if request.first("sort_by") == "updated_at":
            is_falling = request.first("sort_order") == "desc"
            rows = sorted(
                rows, key=lambda row: (epoch(row.get("updated_at")), row["id"]), reverse=is_falling
            )
        return self.list("tickets", rows, request)

    def deleted_tickets(self, request: Request) -> Response:
        """Tickets that can be restored: deleted, but not for good, and not archived."""
        rows = [
            {
                "id": row["id"],
                "subject": row.get("subject"),
                "deleted_at": row.get("updated_at"),
                "previous_state": "open",
            }
            for row in self._state.tickets
            if row.get("status") == "deleted"
            and row.get("subject") != "SCRUBBED"
            and row["id"] not in self._state.archived
        ]
        return self.list("deleted_tickets", rows, request)

    def comments(self, request: Request) -> Response:
        """A ticket's comments, oldest first."""
        number = int(request.params["id"])
        if not self._is_readable(number):
            return error(404, "RecordNotFound", "Not found")
        return self.list("comments", self._state.comments_of(number), request)

    def audits(self, request: Request) -> Response:
        """A ticket's audits: the events of the export in the shape of this endpoint; an archived one's unpaged."""
        number = int(request.params["id"])
        if not self._is_readable(number):
            return error(404, "RecordNotFound", "Not found")
        rows = [_audit(self.render(event)) for event in self._state.events_of(number)]
        if number in self._state.archived:
            return Response.json({"audits": rows})
        return self.list("audits", rows, request)

    def _is_readable(self, number: int) -> bool:
        row = self._state.tickets.get(number)
        return row is not None and row.get("status") != "deleted"

    def ratings(self, request: Request) -> Response:
        """The legacy satisfaction ratings, narrowed by `start_time`."""
        start = float(request.first("start_time") or 0)
        rows = [
            row
            for row in self._state.ratings.values()
            if epoch(row.get("updated_at") or row.get("created_at")) >= start
        ]
        return self.list("satisfaction_ratings", rows, request)

    def search_users(self, request: Request) -> Response:
        """Users by `query=email:…`, from an index that lags."""
        wanted = _terms(request.first("query") or "").get("email", "").lower()
        found = self._state.find_user(wanted) if wanted else None
        rows = (
            [found] if found and self._is_indexed(self._state.user_created_at, found["id"]) else []
        )
        return self.list("users", rows, request)

    def search(self, request: Request) -> Response:
        """Tickets by `external_id:…` or words of the subject, from an index that lags; at most 1000."""
        terms = _terms(request.first("query") or "")
        if terms.get("type", "ticket") != "ticket":
            return Response.json({"results": [], "count": 0, "next_page": None})
        words = terms.get("", "").lower()
        rows = [
            {**self.render(ticket), "result_type": "ticket"}
            for ticket in self._state.tickets
            if ticket.get("status") != "deleted"
            and self._is_indexed(self._state.ticket_created_at, ticket["id"])
            and terms.get("external_id") in (None, ticket.get("external_id"))
            and words in str(ticket.get("subject", "")).lower()
        ]
        page = int(request.first("page") or 1)
        if page * LARGEST_LIST > SEARCH_CAP:
            return error(422, "invalid", "Search response size limits exceeded")
        cut = rows[(page - 1) * LARGEST_LIST : page * LARGEST_LIST]
        return Response.json({"results": cut, "count": len(rows), "next_page": None})

    def attachment(self, request: Request) -> Response:
        """One attachment's description."""
        found = self._state.attachments.get(int(request.params["id"]))
        return self.one("attachment", None if found is None else self._file(found))

    def content(self, request: Request) -> Response:
        """One attachment's bytes."""
        found = self._state.attachments.get(int(request.params["id"]))
        if found is None:
            return error(404, "RecordNotFound", "Not found")
        media_type = str(found.get("content_type") or "application/octet-stream")
        return Response(200, self._state.content_of(found), media_type=media_type)

    def render(self, row: Row) -> Row:
        """A row as it is answered: links to attachments carry the address that the stand-in has now."""
        if row.get("child_events"):
            row = {**row, "child_events": [self.render(child) for child in row["child_events"]]}
        files = row.get("attachments")
        if not files:
            return row
        return {**row, "attachments": [self._file(attachment) for attachment in files]}

    def _row_bytes(self, shelf: Shelf, number: int) -> bytes:
        """A row as it is answered, from its kept bytes where there are some and no link in them needs the address."""
        kept = shelf.packed(number)
        if kept is not None and b'"content_url":"/' not in kept:
            return kept
        return packed(self.render(shelf.get(number) or {}))

    def _file(self, attachment: Row) -> Row:
        shown = {name: value for name, value in attachment.items() if name != "sha256"}
        url = str(attachment.get("content_url") or "")
        return {**shown, "content_url": self._base_url() + url if url.startswith("/") else url}

    def _offset_list(self, key: str, rows: Sequence[Row], request: Request) -> Response:
        size = min(LARGEST_LIST, int(request.first("per_page") or LARGEST_LIST))
        page = max(1, int(request.first("page") or 1))
        if page * size > 10_000:
            return error(400, "InvalidPaginationDepth", "Limit exceeded: 10,000 rows")
        cut = rows[(page - 1) * size : page * size]
        asked = {name: values[-1] for name, values in request.query.items()}
        query = urlencode({**asked, "page": page + 1, "per_page": size})
        more = page * size < len(rows)
        return Response.json(
            {
                key: [self.render(row) for row in cut],
                "next_page": f"{self._base_url()}{request.path}?{query}" if more else None,
                "previous_page": None,
                "count": len(rows),
            }
        )

    def _export_size(self, request: Request) -> int | Response:
        asked = int(request.first("per_page") or LARGEST_EXPORT)
        largest = self._settings.get("largest_page")
        if largest is not None and asked > largest:
            return Response(504, b"upstream request timeout", media_type="text/plain")
        return max(1, min(asked, LARGEST_EXPORT))

    def _start_time(self, request: Request) -> float | Response:
        text = request.first("start_time")
        try:
            start = float(text or "")
        except ValueError:
            return error(400, "InvalidValue", "start_time must be epoch seconds")
        if start > self._state.now().timestamp() - HIDDEN_SECONDS:
            return error(
                400,
                "StartTimeTooRecent",
                "Too recent start_time. Use a start_time older than 60 seconds",
            )
        return start

    def _sideloads(self, wanted: Collection[str], rows: Sequence[Row]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "users" in wanted:
            ids = {
                row.get(n) for row in rows for n in ("requester_id", "assignee_id", "submitter_id")
            }
            found["users"] = [u for u in map(self._state.users.get, ids - {None}) if u]
        if "groups" in wanted:
            ids = {row.get("group_id") for row in rows}
            found["groups"] = [self._state.groups[i] for i in ids if i in self._state.groups]
        return found

    def _is_indexed(self, created_at: Mapping[int, float], number: int) -> bool:
        lag = float(self._settings.get("search_lag_seconds", 0))
        written = created_at.get(number)
        return written is None or self._state.now().timestamp() - written >= lag


def _page(key: str, rows: Sequence[bytes], tail: Mapping[str, Any]) -> Response:
    """A page put together from rows that are bytes already."""
    end = json.dumps(tail, ensure_ascii=False).encode()[1:]
    return Response(200, b'{"' + key.encode() + b'":[' + b",".join(rows) + b"]," + end)


def _without_comments(event: Row) -> Row:
    return {**event, "child_events": [_presence(c) for c in event.get("child_events", ())]}


def _presence(child: Row) -> Row:
    if child.get("event_type") != "Comment":
        return child
    return {
        "id": child.get("id"),
        "via": child.get("via"),
        "comment_present": True,
        "comment_public": child.get("public") is not False,
        "event_type": "Comment",
    }


def _audit(event: Row) -> Row:
    children = []
    for child in event.get("child_events", ()):
        kind = child.get("event_type")
        passed = ("event_type", "created_at")
        shape = {name: value for name, value in child.items() if name not in passed}
        if kind in ("Create", "Change"):
            known = {"id", "via", "via_reference_id", "previous_value"}
            field = next((name for name in shape if name not in known), None)
            shape = {"id": child.get("id"), "field_name": field, "value": child.get(field or "")}
            if kind == "Change":
                shape["previous_value"] = child.get("previous_value")
        children.append({**shape, "type": kind})
    return {
        "id": event["id"],
        "ticket_id": event["ticket_id"],
        "created_at": event.get("created_at"),
        "author_id": event.get("updater_id"),
        "via": {"channel": "api" if event.get("via") == "Web service" else "web", "source": {}},
        "metadata": event.get("metadata") or {"system": event.get("system") or {}, "custom": {}},
        "events": children,
    }


def _terms(query: str) -> dict[str, str]:
    """`name:value` and `name:"value"` of a search query; the remaining words under the empty name."""
    terms = {
        name: quoted or plain
        for name, quoted, plain in re.findall(r'(\w+):(?:"([^"]*)"|(\S+))', query)
    }
    terms[""] = re.sub(r'\w+:(?:"[^"]*"|\S+)', "", query).strip()
    return terms
