"""A stand-in for a Zendesk Support account: exports, lists, imports, updates, limits, as documented.

Belongs here: routes, credentials, rate limits. Does not belong here: state (`zendesk_state`), reading
(`zendesk_exports`), writing (`zendesk_writes`).

What it does where the documentation is silent is listed in `connectors/zendesk/README.md`.

    with ZendeskStandin(data, now=clock) as zendesk:
        ZendeskSource(base_url=zendesk.base_url, email=zendesk.email, token=zendesk.token)
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from connectors.standins.oauth import TokenDesk
from connectors.standins.server import (
    Allowance,
    RateLimit,
    Request,
    Response,
    Route,
    StandIn,
    retry_after_text,
    system_now,
)
from connectors.standins.zendesk_business import Business
from connectors.standins.zendesk_exports import Reads, error
from connectors.standins.zendesk_help_center import HelpCenter
from connectors.standins.zendesk_products import Products
from connectors.standins.zendesk_shelf import Row
from connectors.standins.zendesk_state import ZendeskState
from connectors.standins.zendesk_writes import Writes

EXPORTS = frozenset(
    {
        "users_export",
        "organizations_export",
        "tickets_export",
        "tickets_time_export",
        "events_export",
        "metric_events_export",
    }
)
ADMIN_ONLY = EXPORTS | {"import_ticket", "import_tickets"}
FIRST_ADMIN: Row = {
    "id": 1,
    "name": "Deskbridge",
    "role": "admin",
    "active": True,
    "created_at": "2020-01-01T00:00:00Z",
    "updated_at": "2020-01-01T00:00:00Z",
}


class ZendeskStandin(StandIn):
    """A Zendesk account on 127.0.0.1.

    Args:
        data: the data set: `users`, `organizations`, `groups`, `tickets`, `comments`, `ticket_events`,
            `satisfaction_ratings`, `ticket_fields` and those of `zendesk_products`, each a list of objects in the
            vendor's shape.
        folder: keeps the ledger and uploaded files; a stand-in opened on it again answers as before.
        now: gives aware UTC instants; exports hide the last minute before it.
        time_scale: how many documented seconds pass in one real second.
        email, token: the one credential that is accepted; it acts for the user with that address.
        calls_per_minute: of the plan (Team 200, Professional 400, Enterprise 700).
        exports_per_minute: of the incremental exports.
        job_seconds: documented seconds that a job takes.
        search_lag_seconds: by the stand-in's clock, until the search knows a new row.
        largest_page: exports asked for more rows at once answer 504; None: never.
        has_ratings: False answers the ratings with 403, as a plan without them.
        lacks: further products that are answered so: names of `zendesk_products`.
        has_large_metric_pages: False refuses more than the documented 100 metric events a page.
        strangers_are_anonymous: a wrong token gets 200 and the anonymous user from `/users/me`, not 401.
        is_packed: keeps tickets and events as bytes, for accounts of a hundred thousand tickets; the data set's
            lists of them may be generators then.
        oauth: gives out tokens at `/oauth/tokens`, which are accepted beside the API token.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        folder: Path | None = None,
        now: Callable[[], datetime] = system_now,
        time_scale: float = 1.0,
        email: str = "ops@acme.example",
        token: str = "made-up-token",  # noqa: S107 - the stand-in's own
        calls_per_minute: int = 700,
        exports_per_minute: int = 10,
        job_seconds: float = 1.0,
        search_lag_seconds: float = 60.0,
        largest_page: int | None = None,
        has_ratings: bool = True,
        lacks: Collection[str] = (),
        has_large_metric_pages: bool = True,
        strangers_are_anonymous: bool = False,
        is_packed: bool = False,
        oauth: TokenDesk | None = None,
        port: int = 0,
    ) -> None:
        """Loads the data set and what the folder's ledger adds to it."""
        super().__init__(folder=folder, now=now, time_scale=time_scale, port=port)
        self.email = email
        self.token = token
        self.oauth = oauth
        self.has_ratings = has_ratings
        self.strangers_are_anonymous = strangers_are_anonymous
        self.settings: dict[str, Any] = {
            "largest_page": largest_page,
            "search_lag_seconds": search_lag_seconds,
        }
        self.state = ZendeskState(
            _with_login(data, email), self.ledger, folder, now, is_packed=is_packed
        )
        self.reads = Reads(self.state, lambda: self.base_url, self.settings)
        self.business = Business(data, lambda: self.base_url)
        self.help_center = HelpCenter(
            data,
            now,
            lambda: self.base_url,
            self.reads.list,
            calls_per_minute=calls_per_minute,
            time_scale=time_scale,
        )
        self.products = Products(
            data,
            now,
            lambda: self.base_url,
            self.reads,
            self._has_ticket,
            lacks=lacks,
            has_large_metric_pages=has_large_metric_pages,
        )
        self.writes = Writes(self.state, lambda: self.base_url, self.me, job_seconds / time_scale)
        self._account_limit = RateLimit(calls_per_minute, 60, time_scale)
        self._export_limit = RateLimit(exports_per_minute, 60, time_scale)
        self._update_limit = RateLimit(100, 60, time_scale)
        self._ticket_limit = RateLimit(30, 600, time_scale)
        self._headers: dict[str, str] = {}

    @property
    def notifications(self) -> list[Mapping[str, Any]]:
        """What people would have been told. Imports add nothing to it."""
        return list(self.ledger.entries("notification"))

    @property
    def imported(self) -> list[Mapping[str, Any]]:
        """The tickets that imports created, oldest first."""
        return [
            entry["ticket"]
            for entry in self.ledger.entries("ticket")
            if entry["operation"] == "import"
        ]

    def me(self) -> Row:
        """The user that the credential acts for."""
        user = self.state.find_user(self.email)
        assert user is not None
        return user

    def touch(self, ticket_id: int) -> None:
        """A system's update: the ticket is exported again, its `updated_at` stays."""
        with self.lock:
            self.writes.change_row(ticket_id)

    def scrub(self, ticket_id: int) -> None:
        """Deletes a ticket for good: the row stays in the exports without its texts."""
        with self.lock:
            self.writes.change_row(
                ticket_id,
                status="deleted",
                subject="SCRUBBED",
                raw_subject="SCRUBBED",
                description="SCRUBBED",
            )

    def routes(self) -> Sequence[Route]:
        """The documented paths, each with and without `.json`."""
        reads, writes, state = self.reads, self.writes, self.state

        def get(name: str, path: str, handler: Callable[[Request], Response]) -> Route:
            return Route(name, "GET", rf"/api/v2/{path}(?:\.json)?", handler)

        def post(name: str, path: str, handler: Callable[[Request], Response]) -> Route:
            return Route(name, "POST", rf"/api/v2/{path}(?:\.json)?", handler)

        def show(key: str, find: Callable[[int], Row | None]) -> Callable[[Request], Response]:
            return lambda request: reads.one(key, find(int(request.params["id"])))

        number = r"(?P<id>\d+)"
        ticket = rf"/api/v2/tickets/{number}(?:\.json)?"
        return [
            *([self.oauth.route()] if self.oauth else []),
            get("users_export", "incremental/users/cursor", self._users_export),
            get("organizations_export", "incremental/organizations", partial(reads.time_export, "organizations", state.organizations)),
            get("tickets_export", "incremental/tickets/cursor", partial(reads.cursor_export, "tickets", state.tickets)),
            get("tickets_time_export", "incremental/tickets", partial(reads.time_export, "tickets", state.tickets)),
            get("events_export", "incremental/ticket_events", reads.ticket_events),
            *self.products.routes(get),
            get("me", "users/me", self._me),
            get("users_search", "users/search", reads.search_users),
            get("users_show_many", "users/show_many", partial(reads.show_many, "users", state.users)),
            get("user", rf"users/{number}", show("user", state.users.get)),
            get("users", "users", lambda request: reads.list("users", state.users, request)),
            get("organizations_show_many", "organizations/show_many", partial(reads.show_many, "organizations", state.organizations)),
            get("organization", rf"organizations/{number}", show("organization", state.organizations.get)),
            get("organizations", "organizations", lambda request: reads.list("organizations", state.live_organizations(), request)),
            get("group", rf"groups/{number}", show("group", state.groups.get)),
            get("groups", "groups", lambda request: reads.list("groups", state.groups.values(), request)),
            get("ticket_fields", "ticket_fields", lambda request: reads.list("ticket_fields", state.fields, request)),
            get("comments", rf"tickets/{number}/comments", reads.comments),
            get("audits", rf"tickets/{number}/audits", reads.audits),
            get("tickets_show_many", "tickets/show_many", partial(reads.show_many, "tickets", state.tickets)),
            get("deleted_tickets", "deleted_tickets", reads.deleted_tickets),
            get("ticket", rf"tickets/{number}", reads.ticket),
            get("tickets", "tickets", reads.tickets),
            get("ratings", "satisfaction_ratings", self._ratings),
            get("search", "search", reads.search),
            get("job", r"job_statuses/(?P<id>[\w-]+?)", writes.job),
            get("jobs", "job_statuses", writes.jobs),
            get("attachment", rf"attachments/{number}", reads.attachment),
            Route("content", "GET", rf"/attachments/{number}/?", reads.content),
            *self.business.routes(),
            *self.help_center.routes(),
            post("import_tickets", "imports/tickets/create_many", writes.import_many),
            post("import_ticket", "imports/tickets", writes.import_one),
            post("create_ticket", "tickets", writes.create_ticket),
            post("users_many", "users/create_or_update_many", writes.users_many),
            post("user_create_or_update", "users/create_or_update", writes.user_one),
            post("user_create", "users", writes.user_one),
            post("upload", "uploads", writes.upload),
            Route("update_ticket", "PUT", ticket, writes.update_ticket),
            Route("delete_ticket", "DELETE", ticket, writes.delete_ticket),
        ]  # fmt: skip

    def before(self, request: Request, route: Route) -> Response | None:
        """Jobs go on, then credentials, then limits, then permissions."""
        self.writes.advance_jobs()
        self._headers = {}
        if route.name == "oauth_token":
            return None
        by_oauth = self.oauth is not None and self.oauth.accepts(request.bearer())
        if not by_oauth and request.basic_auth() != (f"{self.email}/token", self.token):
            is_unnamed = request.basic_auth() is None and request.bearer() is None
            is_stranger = is_unnamed or self.strangers_are_anonymous
            if route.name == "me" and is_stranger:
                return Response.json(
                    {"user": {"id": None, "name": "Anonymous user", "role": "end-user"}}
                )
            if request.bearer() is not None:
                return error(
                    401,
                    "invalid_token",
                    "The access token provided is expired, revoked, malformed or invalid for other reasons.",
                )
            return Response.json({"error": "Couldn't authenticate you"}, 401)
        refused = self._limit(request, route)
        if refused is not None:
            return refused
        if route.name in ADMIN_ONLY and self.me().get("role") != "admin":
            return error(
                403,
                "Forbidden",
                "You do not have access to this page. Please contact the account owner",
            )
        return None

    def not_found(self, request: Request) -> Response:
        """The vendor's answer to an unknown path."""
        return error(404, "InvalidEndpoint", "Not found")

    def _handle(self, route: Route, request: Request) -> Response:
        response = super()._handle(route, request)
        headers = {**self._headers, **response.headers}
        return Response(response.status, response.content, headers, response.media_type)

    def _limit(self, request: Request, route: Route) -> Response | None:
        if route.name.startswith("help_center_"):
            return None
        account = self._account_limit.take()
        self._headers = _account_headers(account)
        if not account.is_allowed:
            return self._too_many(account, "Number of allowed API requests per minute exceeded")
        limits: list[tuple[str, Allowance]] = []
        if route.name in EXPORTS:
            limits.append(("incremental-exports", self._export_limit.take()))
        if route.name == "update_ticket":
            limits.append(("tickets-update", self._update_limit.take()))
            limits.append(("tickets-update-ticket", self._ticket_limit.take(request.params["id"])))
        for name, allowance in limits:
            self._headers[f"zendesk-ratelimit-{name}"] = (
                f"total={allowance.limit}; remaining={allowance.remaining}; "
                f"resets={_seconds_text(allowance.reset_seconds)}"
            )
            if not allowance.is_allowed:
                return self._too_many(allowance, f"{name}: limit exceeded")
        return None

    def _too_many(self, allowance: Allowance, description: str) -> Response:
        wait = retry_after_text(allowance.retry_after_seconds, self.time_scale)
        body = {"error": "APIRateLimitExceeded", "description": description}
        return Response.json(body, 429, {"Retry-After": wait})

    def _me(self, request: Request) -> Response:
        return Response.json({"user": self.me()})

    def _users_export(self, request: Request) -> Response:
        answer = self.reads.cursor_export("users", self.state.users, request)
        return self.products.with_identities(answer, request)

    def _has_ticket(self, number: int) -> bool:
        ticket = self.state.tickets.get(number)
        return ticket is not None and ticket.get("status") != "deleted"

    def _ratings(self, request: Request) -> Response:
        if not self.has_ratings:
            return error(403, "Forbidden", "Satisfaction ratings are not part of this plan")
        return self.reads.ratings(request)


def _account_headers(allowance: Allowance) -> dict[str, str]:
    limit, remaining = str(allowance.limit), str(allowance.remaining)
    return {
        "X-Rate-Limit": limit,
        "X-Rate-Limit-Remaining": remaining,
        "ratelimit-limit": limit,
        "ratelimit-remaining": remaining,
        "ratelimit-reset": _seconds_text(allowance.reset_seconds),
    }


def _seconds_text(seconds: float) -> str:
    """Seconds as sent: whole ones look whole; scaled time needs the decimals."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _with_login(data: Mapping[str, Any], email: str) -> Mapping[str, Any]:
    """The data set, with an administrator of that address where it has none."""
    users = list(data.get("users", ()))
    if any(str(user.get("email", "")).lower() == email.lower() for user in users):
        return data
    taken = {user["id"] for user in users}
    number = next(n for n in range(1, len(taken) + 2) if n not in taken)
    return {**data, "users": [*users, {**FIRST_ADMIN, "id": number, "email": email}]}
