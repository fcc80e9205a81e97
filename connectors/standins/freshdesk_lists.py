"""The lists of the Freshdesk stand-in beside its tickets: people, companies, fields, ratings, time entries.

Belongs here: what each list filters by and gives. Does not belong here: tickets (`freshdesk`), state
(`freshdesk_account`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from connectors.standins.freshdesk_account import FreshdeskAccount, Record, stamp
from connectors.standins.freshdesk_paging import (
    PAGING,
    as_json,
    bad_instant,
    denied,
    keeps,
    no_feature,
    page_of,
    refusal,
)
from connectors.standins.freshdesk_writes import invalid
from connectors.standins.server import Request, Response


class Options(Protocol):
    """What the account's plan and the key's agent may; read at each call."""

    has_surveys: bool
    is_admin: bool


class FreshdeskLists:
    """The routes of one account's small lists."""

    def __init__(
        self,
        account: FreshdeskAccount,
        options: Options,
        base_url: Callable[[], str],
        agent_id: int | None,
    ) -> None:
        """`agent_id`: the agent whose key is used."""
        self._account = account
        self._options = options
        self._base_url = base_url
        self._agent_id = agent_id

    def contacts(self, request: Request) -> Response:
        """`GET /contacts`."""
        allowed = PAGING | {"_updated_since", "state", "email", "mobile", "phone", "company_id"}
        problems = bad_instant(request, "_updated_since")
        refused = refusal(request, allowed) or (invalid(problems) if problems else None)
        if refused:
            return refused
        since = request.first("_updated_since")
        wants_deleted = request.first("state") == "deleted"
        keep = keeps("updated_at", stamp(datetime.fromisoformat(since)) if since else "", True)
        rows = [
            one
            for one in self._account.contacts.values()
            if bool(one.get("deleted")) == wants_deleted and keep(one)
        ]
        return page_of(
            self._base_url(), request, sorted(rows, key=lambda one: str(one.get("name"))), as_json
        )

    def whole(self, records: Mapping[int, Record]) -> Callable[[Request], Response]:
        """A list that is given whole."""

        def answer(request: Request) -> Response:
            rows = [{k: v for k, v in one.items() if k != "agent_ids"} for one in records.values()]
            return refusal(request, PAGING) or page_of(self._base_url(), request, rows, as_json)

        return answer

    def company(self, request: Request) -> Response:
        """`GET /companies/{id}`."""
        company = self._account.companies.get(int(request.params["id"]))
        return Response(404) if company is None else Response.json(company)

    def fields(self, request: Request) -> Response:
        """`GET /ticket_fields`."""
        return refusal(request, {"type"}) or Response.json(self._account.fields)

    def admin_fields(self, request: Request) -> Response:
        """`GET /admin/ticket_fields`: without choices."""
        if not self._options.is_admin:
            return denied()
        rows = [
            {name: value for name, value in one.items() if name != "choices"}
            for one in self._account.admin_fields.values()
        ]
        return Response.json(rows)

    def admin_field(self, request: Request) -> Response:
        """`GET /admin/ticket_fields/{id}`."""
        if not self._options.is_admin:
            return denied()
        field = self._account.admin_fields.get(int(request.params["id"]))
        return Response(404) if field is None else Response.json(field)

    def time_entries(self, request: Request) -> Response:
        """`GET /time_entries`."""
        allowed = PAGING | {
            "company_id",
            "agent_id",
            "executed_after",
            "executed_before",
            "billable",
        }
        problems = bad_instant(request, "executed_after")
        refused = refusal(request, allowed)
        if refused or problems:
            return refused or invalid(problems)
        after = request.first("executed_after")
        keep = keeps("executed_at", stamp(datetime.fromisoformat(after)) if after else "", True)
        rows = [one for one in self._account.time_entries.values() if keep(one)]
        return page_of(
            self._base_url(),
            request,
            sorted(rows, key=lambda one: str(one["executed_at"])),
            as_json,
        )

    def me(self, request: Request) -> Response:
        """`GET /agents/me`."""
        agent = self._account.agents.get(self._agent_id or 0)
        return Response.json(agent) if agent else Response(404)

    def ratings(self, request: Request) -> Response:
        """`GET /surveys/satisfaction_ratings`."""
        if not self._options.has_surveys:
            return no_feature("Surveys")
        problems = bad_instant(request, "created_since")
        refused = refusal(request, PAGING | {"created_since", "user_id"})
        if refused or problems:
            return refused or invalid(problems)
        since = request.first("created_since")
        keep = keeps("created_at", stamp(datetime.fromisoformat(since)) if since else "", True)
        rows = [one for one in self._account.ratings.values() if keep(one)]
        return page_of(
            self._base_url(), request, sorted(rows, key=lambda one: str(one["created_at"])), as_json
        )
