"""A stand-in for a Freshdesk account: API v2 as documented, with its limits, paging and traps.

Belongs here: routes, credentials, limits, tickets. Does not belong here: other lists (`freshdesk_lists`), state
(`freshdesk_account`), writes (`freshdesk_writes`).

    with FreshdeskStandin(data, api_key="key") as freshdesk:
        source = FreshdeskSource(base_url=freshdesk.base_url, api_key="key")

Route names, for faults: tickets_list, ticket, conversations, archived_ticket, archived_conversations,
contacts_list, companies, agents, groups, roles, products, sla_policies, business_hours, surveys, ticket_fields,
admin_ticket_fields, admin_ticket_field, time_entries, ratings, ticket_create, ticket_update, ticket_delete,
ticket_restore, ticket_merge, note, reply, me.

Source: Freshdesk API v2 reference (authentication, pagination, errors, each list); support.freshdesk.com,
article 225439 (limits).
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.standins.freshdesk_account import (
    CREATED_WITHIN,
    FORMS,
    OTHER_LISTS,
    FreshdeskAccount,
    Record,
    stamp,
)
from connectors.standins.freshdesk_lists import FreshdeskLists
from connectors.standins.freshdesk_paging import (
    PAGING,
    as_json,
    bad_instant,
    names_of,
    no_feature,
    page_of,
    refusal,
)
from connectors.standins.freshdesk_solutions import Solutions
from connectors.standins.freshdesk_writes import FreshdeskWrites, invalid
from connectors.standins.server import (
    RateLimit,
    Request,
    Response,
    Route,
    StandIn,
    retry_after_text,
    system_now,
)

_TICKET_QUERY = PAGING | {
    "filter",
    "requester_id",
    "email",
    "unique_external_id",
    "company_id",
    "updated_since",
    "order_by",
    "order_type",
    "include",
}
_TICKET_FILTERS = ("new_and_my_open", "watching", "spam", "deleted")
_TICKET_ORDERS = ("created_at", "due_by", "updated_at", "status")
_LIST_INCLUDES = ("stats", "requester", "description", "company")
_VIEW_INCLUDES = ("stats", "requester", "conversations", "company")

_EMBEDDED = 10
"""Conversations that a ticket's own view gives at most."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a minute: of the account, and of the two lists that have a limit of their own (Enterprise plan)."""

    total: int = 700
    tickets_list: int = 200
    contacts_list: int = 200


class FreshdeskStandin(StandIn):
    """One account.

    Args:
        data: `agents`, `groups`, `companies`, `contacts`, `tickets`, `conversations`, `satisfaction_ratings`,
            `ticket_fields`, each a list of records in the vendor's shape, times as `2026-03-02T08:00:00Z`.
        folder: keeps the ledger, from which everything written is there again after a restart.
        now: aware UTC now.
        time_scale: documented seconds that pass in a real one.
        port: 0 takes a free one.
        api_key: the one key that is accepted.
        limits: calls a minute.
        last_page: the page of the ticket list behind which there is a 400 (300 at Freshdesk).
        includes_own_second: whether `updated_since` gives rows of that very second (not documented).
        list_has_attachments: whether rows of the ticket list carry their attachments (not documented).
        has_surveys: False: the plan has none.
        has_archive: whether the plan has an archive; else it answers 403.
        is_admin: whether the key's agent may read what administrators may (`/admin/ticket_fields`).
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        folder: Path | None = None,
        now: Callable[[], datetime] = system_now,
        time_scale: float = 1.0,
        port: int = 0,
        api_key: str = "freshdesk-key",
        limits: Limits | None = None,
        last_page: int = 300,
        includes_own_second: bool = True,
        list_has_attachments: bool = False,
        has_surveys: bool = True,
        has_archive: bool = False,
        is_admin: bool = False,
    ) -> None:
        """Takes the data in, then what the ledger in `folder` says was written since."""
        super().__init__(folder=folder, now=now, time_scale=time_scale, port=port)
        limits = limits or Limits()
        self.api_key = api_key
        self.account = FreshdeskAccount(data or {}, now)
        self.writes = FreshdeskWrites(
            self.account, self.ledger, next(iter(self.account.agents), None)
        )
        self.solutions = Solutions(data or {}, now, lambda: self.base_url)
        self.last_page = last_page
        self.includes_own_second = includes_own_second
        self.list_has_attachments = list_has_attachments
        self.has_surveys = has_surveys
        self.has_archive = has_archive
        self.is_admin = is_admin
        self.after_list: Callable[[int], None] | None = None
        """Called after each answer of the ticket list with its number (1, 2, …): lets rows move while paging."""
        self.orders: Counter[str] = Counter()
        """Pages of the ticket list that were given, by the order that was asked for."""
        self._lists_given = 0
        self.lists = FreshdeskLists(self.account, self, lambda: self.base_url, self.writes.agent_id)
        self._budgets = {
            "": RateLimit(limits.total, 60, time_scale),
            "tickets_list": RateLimit(limits.tickets_list, 60, time_scale),
            "contacts_list": RateLimit(limits.contacts_list, 60, time_scale),
        }
        self._used = (0, 0, 0)
        for entry in self.ledger.entries():
            if "objects" in entry:
                self.account.apply(entry["objects"])

    def routes(self) -> Sequence[Route]:
        """The paths of API v2 that are served."""
        one = r"/api/v2/tickets/(?P<id>\d+)"
        writes, lists = self.writes, self.lists
        return [
            Route("tickets_list", "GET", r"/api/v2/tickets", self._counted(self._tickets)),
            Route("ticket", "GET", one, self._counted(self._ticket)),
            Route(
                "conversations", "GET", f"{one}/conversations", self._counted(self._conversations)
            ),
            Route(
                "archived_ticket",
                "GET",
                r"/api/v2/tickets/archived/(?P<id>\d+)",
                self._counted(self._archived),
            ),
            Route(
                "archived_conversations",
                "GET",
                r"/api/v2/tickets/archived/(?P<id>\d+)/conversations",
                self._counted(self._archived_conversations),
            ),
            Route("contacts_list", "GET", r"/api/v2/contacts", self._counted(lists.contacts)),
            Route(
                "companies",
                "GET",
                r"/api/v2/companies",
                self._counted(lists.whole(self.account.companies)),
            ),
            Route("company", "GET", r"/api/v2/companies/(?P<id>\d+)", self._counted(lists.company)),
            *self.solutions.routes(self._counted),
            Route("me", "GET", r"/api/v2/agents/me", self._counted(lists.me)),
            Route(
                "agents", "GET", r"/api/v2/agents", self._counted(lists.whole(self.account.agents))
            ),
            Route(
                "groups", "GET", r"/api/v2/groups", self._counted(lists.whole(self.account.groups))
            ),
            *(
                Route(
                    name,
                    "GET",
                    rf"/api/v2/{name}",
                    self._counted(lists.whole(self.account.others[name])),
                )
                for name in OTHER_LISTS
            ),
            Route("ticket_fields", "GET", r"/api/v2/ticket_fields", self._counted(lists.fields)),
            Route(
                "admin_ticket_fields",
                "GET",
                r"/api/v2/admin/ticket_fields",
                self._counted(lists.admin_fields),
            ),
            Route(
                "admin_ticket_field",
                "GET",
                r"/api/v2/admin/ticket_fields/(?P<id>\d+)",
                self._counted(lists.admin_field),
            ),
            Route(
                "time_entries", "GET", r"/api/v2/time_entries", self._counted(lists.time_entries)
            ),
            Route(
                "ratings",
                "GET",
                r"/api/v2/surveys/satisfaction_ratings",
                self._counted(lists.ratings),
            ),
            Route("ticket_create", "POST", r"/api/v2/tickets", self._counted(writes.create_ticket)),
            Route("ticket_update", "PUT", one, self._counted(writes.update_ticket)),
            Route("ticket_delete", "DELETE", one, self._counted(writes.delete_ticket)),
            Route("ticket_restore", "PUT", f"{one}/restore", self._counted(writes.restore_ticket)),
            Route(
                "ticket_merge",
                "PUT",
                r"/api/v2/tickets/merge",
                self._counted(writes.merge_tickets),
            ),
            Route("note", "POST", f"{one}/notes", self._counted(writes.add_note)),
            Route("reply", "POST", f"{one}/reply", self._counted(writes.add_reply)),
        ]

    def before(self, request: Request, route: Route) -> Response | None:
        """Refuses a wrong key, then calls beyond a limit (refused ones with a key are not free: they count)."""
        given = request.basic_auth()
        if given is None or given[0] != self.api_key:
            text = "You have to be logged in to perform this action."
            return Response.json({"code": "invalid_credentials", "message": text}, 401)
        cost = _cost(request, route)
        total = self._budgets[""].take(cost=cost)
        own = self._budgets.get(route.name)
        allowances = [total] if own is None else [total, own.take()]
        self._used = (total.limit, total.remaining, cost)
        late = max(one.retry_after_seconds for one in allowances)
        if all(one.is_allowed for one in allowances):
            return None
        return Response.json(
            {"message": "You have exceeded the limit of requests per minute"},
            429,
            {**self._limit_headers(), "Retry-After": retry_after_text(late, self.time_scale)},
        )

    def not_found(self, request: Request) -> Response:
        """404 without a body, as Freshdesk answers."""
        return Response(404)

    def bad_request(self, request: Request, detail: str) -> Response:
        """400 for a body that is not JSON."""
        return Response.json(
            {"code": "invalid_json", "message": "Request body has invalid json format"}, 400
        )

    def touch(self, ticket_ids: Iterable[int], **fields: Any) -> None:
        """Changes tickets as somebody in the product would: sets fields and moves `updated_at` to now."""
        with self.lock:
            changed = []
            for number in ticket_ids:
                ticket = self.account.tickets[number]
                status = fields.get("status")
                if status is not None:
                    self.account.set_status(ticket, status)
                changed.append({**ticket, **fields, "updated_at": self.account.stamp()})
            self._keep("touched", {"tickets": changed})

    def archive(self, ticket_id: int) -> None:
        """Moves a ticket out of all lists; its address answers 404 from now on, the archive's has it."""
        with self.lock:
            self._keep("archived", {"archived": [ticket_id]})

    def purge(self, ticket_id: int) -> None:
        """Deletes a ticket for good: it is nowhere any more."""
        with self.lock:
            self._keep("purged", {"purged": [ticket_id]})

    def dump(self) -> dict[str, dict[int, Record]]:
        """The whole state, as a client that misses nothing has it: kind → id → record.

        Tickets have `stats`, `requester` and all their `conversations`; archived ones `archived` true.
        """
        with self.lock:
            account = self.account
            tickets = {}
            for number, ticket in account.tickets.items():
                added = {"archived": True} if number in account.archived else {}
                tickets[number] = {
                    **ticket,
                    "requester": account.requester(ticket),
                    "conversations": account.of_ticket(number),
                    **added,
                }
            return copy.deepcopy(
                {
                    "tickets": tickets,
                    "contacts": account.contacts,
                    "companies": account.companies,
                    "agents": account.agents,
                    "groups": account.groups,
                    "satisfaction_ratings": account.ratings,
                    "time_entries": account.time_entries,
                }
            )

    def customer_reply(self, ticket_id: int, body: str) -> Record:
        """Lets the requester of a ticket write."""
        with self.lock:
            return self.writes.customer_reply(ticket_id, body)

    def quiet_note(self, ticket_id: int, body: str) -> None:
        """Adds a note that does not move its ticket's `updated_at` (not documented, and reported)."""
        with self.lock:
            ticket = self.account.tickets[ticket_id]
            said = self.writes.conversation_of(ticket, body, source=2, user_id=self.writes.agent_id)
            self._keep("quiet_note", {"conversations": [{**said, "private": True}]})

    def _keep(self, kind: str, objects: Mapping[str, list[Any]]) -> None:
        self.account.apply(objects)
        self.ledger.append(kind, objects=objects)

    def _counted(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """The handler's answer with the headers that tell the limit."""

        def answer(request: Request) -> Response:
            given = handler(request)
            headers = {**self._limit_headers(), **given.headers}
            return Response(given.status, given.content, headers, given.media_type)

        return answer

    def _limit_headers(self) -> dict[str, str]:
        """Freshdesk writes these as decimals on some accounts."""
        limit, remaining, used = self._used
        return {
            "X-RateLimit-Total": f"{limit:.1f}",
            "X-RateLimit-Remaining": f"{remaining:.1f}",
            "X-RateLimit-Used-CurrentRequest": str(used),
        }

    def _tickets(self, request: Request) -> Response:
        problem = refusal(request, _TICKET_QUERY) or self._refused_tickets(request)
        if problem:
            return problem
        since = request.first("updated_since")
        kind = request.first("filter")
        ids = self.account.index.select(
            kind if kind in ("spam", "deleted") else "live",
            request.first("order_by", "created_at") or "created_at",
            since=stamp(self.now() - CREATED_WITHIN)
            if since is None
            else stamp(datetime.fromisoformat(since)),
            field="created_at" if since is None else "updated_at",
            includes_own=since is None or self.includes_own_second,
            is_descending=request.first("order_type", "desc") == "desc",
        )
        self.orders[request.first("order_by", "created_at") or "created_at"] += 1
        includes = names_of(request, "include")
        form = _form("row", includes)
        answer = page_of(
            self.base_url,
            request,
            ids,
            lambda number: self.account.written(number, form, lambda one: self._row(one, includes)),
        )
        self._lists_given += 1
        if self.after_list is not None:
            self.after_list(self._lists_given)
        return answer

    def _refused_tickets(self, request: Request) -> Response | None:
        problems = []
        for name, allowed in (
            ("filter", _TICKET_FILTERS),
            ("order_by", _TICKET_ORDERS),
            ("order_type", ("asc", "desc")),
        ):
            if request.first(name) not in (None, *allowed):
                text = f"It should be one of these values: '{','.join(allowed)}'"
                problems.append((name, text, "invalid_value"))
        if not set(names_of(request, "include")) <= set(_LIST_INCLUDES):
            text = f"It should be one of these values: '{','.join(_LIST_INCLUDES)}'"
            problems.append(("include", text, "invalid_value"))
        problems += bad_instant(request, "updated_since")
        if not problems and int(request.first("page", "1") or 1) > self.last_page:
            text = f"You cannot access tickets beyond the {self.last_page}th page. Please provide a smaller page number."
            problems.append(("page", text, "invalid_value"))
        return invalid(problems) if problems else None

    def _row(self, ticket: Record, includes: Sequence[str]) -> Record:
        hidden = {"description", "description_text", "stats", "conversations"}
        if not self.list_has_attachments:
            hidden.add("attachments")
        row = {name: value for name, value in ticket.items() if name not in hidden}
        return {**row, **self._included(ticket, includes)}

    def _included(self, ticket: Record, includes: Sequence[str]) -> Record:
        added: Record = {}
        if "description" in includes:
            added |= {name: ticket.get(name) for name in ("description", "description_text")}
        if "stats" in includes:
            added["stats"] = ticket["stats"]
        if "requester" in includes:
            added["requester"] = self.account.requester(ticket)
        if "company" in includes:
            company = self.account.companies.get(ticket.get("company_id") or 0)
            added["company"] = {"id": company["id"], "name": company["name"]} if company else {}
        if "conversations" in includes:
            added["conversations"] = self.account.of_ticket(ticket["id"])[:_EMBEDDED]
        return added

    def _ticket(self, request: Request) -> Response:
        includes = names_of(request, "include")
        if not set(includes) <= set(_VIEW_INCLUDES):
            text = f"It should be one of these values: '{','.join(_VIEW_INCLUDES)}'"
            return invalid([("include", text, "invalid_value")])
        number = int(request.params["id"])
        if number not in self.account.tickets or number in self.account.archived:
            return Response(404)
        return Response(
            content=self.account.written(
                number,
                _form("view", includes),
                lambda one: {
                    **{name: value for name, value in one.items() if name != "stats"},
                    **self._included(one, includes),
                },
            )
        )

    def _conversations(self, request: Request) -> Response:
        number = int(request.params["id"])
        if number not in self.account.tickets or number in self.account.archived:
            return Response(404)
        rows = self.account.of_ticket(number)
        return refusal(request, PAGING) or page_of(self.base_url, request, rows, as_json)

    def _archived(self, request: Request) -> Response:
        number = int(request.params["id"])
        if not self.has_archive:
            return no_feature("Archive Tickets")
        if number not in self.account.archived or number not in self.account.tickets:
            return Response(404)
        return Response(
            content=self.account.written(
                number,
                _form("archived", ()),
                lambda one: {
                    **{name: value for name, value in one.items() if name != "stats"},
                    "archived": True,
                },
            )
        )

    def _archived_conversations(self, request: Request) -> Response:
        number = int(request.params["id"])
        if not self.has_archive:
            return no_feature("Archive Tickets")
        if number not in self.account.archived or number not in self.account.tickets:
            return Response(404)
        rows = self.account.of_ticket(number)
        return refusal(request, PAGING) or page_of(self.base_url, request, rows, as_json)


def _cost(request: Request, route: Route) -> int:
    """Calls that a request uses up: lists pay two for each include, a view one for its conversations.

    Source: API v2 reference, notes of "List All Tickets" and "View a Ticket".
    """
    includes = names_of(request, "include")
    if route.name == "tickets_list":
        return 1 + 2 * len(includes)
    return 2 if route.name == "ticket" and "conversations" in includes else 1


def _form(kind: str, includes: Iterable[str]) -> str:
    form = f"{kind}:{','.join(sorted(includes))}"
    if form not in FORMS:
        FORMS.append(form)
    return form
