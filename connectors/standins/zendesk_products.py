"""The Zendesk stand-in's further products: small lists, metric events, surveys, suspended mails, conversations.

Belongs here: their rows and how they are asked for. Does not belong here: tickets and events (`zendesk_exports`).

Source: Zendesk developer documentation, "Ticket metric events", "CSAT survey responses", "Custom ticket statuses",
"Ticket forms", "Brands", "Group memberships", "Suspended tickets", "Side conversations", "Conversation log",
"Side-loading" (users with identities).
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from connectors.standins.server import Request, Response, Route
from connectors.standins.zendesk_exports import HIDDEN_SECONDS, Reads, error
from connectors.standins.zendesk_shelf import Row
from connectors.standins.zendesk_state import epoch, opaque, read_opaque

LISTS = ("custom_statuses", "ticket_forms", "brands", "group_memberships", "suspended_tickets")
UNPAGED = frozenset({"custom_statuses", "ticket_forms"})
"""Lists that the documents give in one piece, with `next_page: null`."""
OF_TICKETS = ("side_conversations", "conversation_log")
LARGEST_METRIC_PAGE, DOCUMENTED_METRIC_PAGE, LARGEST_PAGE = 1_000, 100, 100

OWN_FIELDS = frozenset({"recorded_at", "offered_at"})
"""What a data set tells the stand-in about a row and the vendor does not show."""


class Products:
    """Rows of the products, by name; tests may change them in place.

    Args:
        data: the data set: the names of `LISTS`, `ticket_metric_events` (with `recorded_at`, epoch seconds, where an
            event is told later than it happened), `survey_responses` (with `offered_at`, epoch seconds),
            `user_identities`, `side_conversations` (each with `ticket_id` and `events`), and `conversation_log`
            (each event with `ticket_id`).
        now: aware UTC now.
        base_url: gives the stand-in's own address.
        reads: the common lists and the users' export.
        has_ticket: whether a ticket of that id is there and was not deleted.
        lacks: products that the account does not have: 403.
        has_large_metric_pages: False refuses more than the documented 100 metric events a page.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        now: Callable[[], datetime],
        base_url: Callable[[], str],
        reads: Reads,
        has_ticket: Callable[[int], bool],
        *,
        lacks: Collection[str] = (),
        has_large_metric_pages: bool = True,
    ) -> None:
        """Takes copies of the rows."""
        names = (*LISTS, *OF_TICKETS, "ticket_metric_events", "survey_responses", "user_identities")
        self.rows: dict[str, list[Row]] = {
            name: [dict(row) for row in data.get(name, ())] for name in names
        }
        self.lacks = set(lacks)
        self._now = now
        self._base_url = base_url
        self._reads = reads
        self._has_ticket = has_ticket
        self._largest_metric_page = (
            LARGEST_METRIC_PAGE if has_large_metric_pages else DOCUMENTED_METRIC_PAGE
        )

    def routes(self, get: Callable[..., Route]) -> list[Route]:
        """The products' paths; `get` makes a route from name, path and handler."""
        number = r"(?P<id>\d+)"
        return [
            get("metric_events_export", "incremental/ticket_metric_events", self._metric_events),
            get("survey_responses", "guide/survey_responses", self._surveys),
            get("side_conversations", rf"tickets/{number}/side_conversations", self._sides),
            get("conversation_log", rf"tickets/{number}/conversation_log", self._log),
            *(get(name, name, self._list_of(name)) for name in LISTS),
        ]

    def with_identities(self, response: Response, request: Request) -> Response:
        """The users' export with `identities` beside the users, where they were asked for."""
        wanted = (request.first("include") or "").split(",")
        if response.status != 200 or "identities" not in wanted:
            return response
        body = json.loads(response.content)
        users = {user["id"] for user in body["users"]}
        body["identities"] = [
            row for row in self.rows["user_identities"] if row["user_id"] in users
        ]
        return Response.json(body, 200, response.headers)

    def _refused(self, name: str) -> Response | None:
        if name in self.lacks:
            return error(403, "Forbidden", f"{name} are not part of this plan")
        return None

    def _list_of(self, name: str) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            refused = self._refused(name)
            if refused is not None:
                return refused
            rows = self.rows[name]
            if name in UNPAGED:
                return Response.json(
                    {name: rows, "next_page": None, "previous_page": None, "count": len(rows)}
                )
            return self._reads.list(name, rows, request)

        return answer

    def _metric_events(self, request: Request) -> Response:
        """From `start_time` on, oldest first, without the last minute."""
        refused = self._refused("ticket_metric_events")
        if refused is not None:
            return refused
        start = request.first("start_time")
        if start is None or not start.isdigit():
            return error(400, "InvalidValue", "start_time must be epoch seconds")
        until = self._now().timestamp() - HIDDEN_SECONDS
        rows = [
            row
            for row in self.rows["ticket_metric_events"]
            if int(start) <= epoch(row.get("time"))
            and max(epoch(row.get("time")), float(row.get("recorded_at") or 0)) <= until
        ]
        rows.sort(key=lambda row: (epoch(row.get("time")), row["id"]))
        return self._paged("ticket_metric_events", rows, request, self._largest_metric_page)

    def _surveys(self, request: Request) -> Response:
        """Responses offered since `filter[created_at_start]` (milliseconds), by id."""
        refused = self._refused("survey_responses")
        if refused is not None:
            return refused
        since = float(request.first("filter[created_at_start]") or 0) / 1_000
        rows = [
            row
            for row in self.rows["survey_responses"]
            if float(row.get("offered_at") or 0) >= since
        ]
        rows.sort(key=lambda row: str(row["id"]))
        return self._paged("survey_responses", rows, request, LARGEST_PAGE)

    def _sides(self, request: Request) -> Response:
        """A ticket's side conversations, with numbered pages; `include=events` gives their messages beside them."""
        ticket_id = int(request.params["id"])
        refused = self._refused("side_conversations") or self._missing(ticket_id)
        if refused is not None:
            return refused
        rows = [r for r in self.rows["side_conversations"] if r["ticket_id"] == ticket_id]
        size = max(1, min(LARGEST_PAGE, int(request.first("per_page") or LARGEST_PAGE)))
        page = max(1, int(request.first("page") or 1))
        cut = rows[(page - 1) * size : page * size]
        body: Row = {
            "side_conversations": [
                {name: value for name, value in row.items() if name != "events"} for row in cut
            ],
            "count": len(rows),
            "next_page": f"{self._base_url()}{request.path}?{urlencode({'page': page + 1})}"
            if page * size < len(rows)
            else None,
        }
        if "events" in (request.first("include") or "").split(","):
            body["events"] = [event for row in cut for event in row.get("events", ())]
        return Response.json(body)

    def _log(self, request: Request) -> Response:
        """A ticket's conversation log, oldest first."""
        ticket_id = int(request.params["id"])
        refused = self._refused("conversation_log") or self._missing(ticket_id)
        if refused is not None:
            return refused
        rows = [
            {name: value for name, value in row.items() if name != "ticket_id"}
            for row in self.rows["conversation_log"]
            if row["ticket_id"] == ticket_id
        ]
        return self._paged("events", rows, request, LARGEST_PAGE)

    def _missing(self, ticket_id: int) -> Response | None:
        return None if self._has_ticket(ticket_id) else error(404, "RecordNotFound", "Not found")

    def _paged(self, key: str, rows: Iterable[Row], request: Request, largest: int) -> Response:
        size_text = request.first("page[size]") or str(largest)
        size = int(size_text) if size_text.isdigit() else 0
        if not 1 <= size <= largest:
            detail = f"page[size] parameter should be between 1-{largest}"
            return error(400, "InvalidPaginationParameter", detail)
        after = request.first("page[after]")
        place = None if after is None else read_opaque(after)
        if after is not None and place is None:
            return error(400, "InvalidPaginationParameter", "page[after] is not valid")
        ordered = list(rows)
        start = 0 if place is None else place[1]
        more = start + size < len(ordered)
        following = opaque(0, start + size) if more else None
        return Response.json(
            {
                key: [_shown(row) for row in ordered[start : start + size]],
                "meta": {"has_more": more, "after_cursor": following, "before_cursor": None},
            }
        )


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in OWN_FIELDS}
