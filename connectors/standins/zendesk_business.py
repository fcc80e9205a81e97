"""The Zendesk stand-in's business rules: SLA policies, group SLA policies, schedules with their holidays.

Belongs here: these read-only lists. Does not belong here: credentials and limits (`zendesk`), what rules do.

Source: Zendesk developer documentation, "SLA Policies", "Group SLA Policies", "Schedules".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.standins.server import Request, Response, Route

Row = Mapping[str, Any]
PAGE_ROWS = 100


class Business:
    """The account's rules.

    Args:
        data: `sla_policies`, `group_sla_policies`, `schedules` (objects in the vendor's shape) and `holidays`:
            schedule id → list of holidays.
        base_url: gives the stand-in's own address.
    """

    def __init__(self, data: Mapping[str, Any], base_url: Callable[[], str]) -> None:
        """Keeps the rules."""
        self.sla_policies: list[Row] = list(data.get("sla_policies", ()))
        self.group_sla_policies: list[Row] = list(data.get("group_sla_policies", ()))
        self.schedules: list[Row] = list(data.get("schedules", ()))
        self.holidays: dict[int, list[Row]] = {
            int(number): list(rows) for number, rows in dict(data.get("holidays", {})).items()
        }
        self.lacks: set[str] = set()
        """Names of routes that answer 403, as on a plan without them."""
        self._base_url = base_url

    def routes(self) -> Sequence[Route]:
        """The documented paths, each with and without `.json`."""
        schedules = r"/api/v2/business_hours/schedules"
        return [
            self._route("sla_policies", r"/api/v2/slas/policies", self._sla_policies),
            self._route(
                "group_sla_policies", r"/api/v2/group_slas/policies", self._group_sla_policies
            ),
            self._route("schedules", schedules, self._schedules),
            self._route("holidays", rf"{schedules}/(?P<id>\d+)/holidays", self._holidays),
        ]

    def _route(self, name: str, path: str, handler: Callable[[Request], Response]) -> Route:
        def answer(request: Request) -> Response:
            if name in self.lacks:
                return Response.json(
                    {"error": "Forbidden", "description": "Not part of this plan"}, 403
                )
            return handler(request)

        return Route(name, "GET", rf"{path}(?:\.json)?", answer)

    def _sla_policies(self, request: Request) -> Response:
        return self._page("sla_policies", self.sla_policies, request)

    def _group_sla_policies(self, request: Request) -> Response:
        return self._page("group_sla_policies", self.group_sla_policies, request)

    def _schedules(self, request: Request) -> Response:
        return Response.json(
            {"schedules": self.schedules, "url": f"{self._base_url()}{request.path}"}
        )

    def _holidays(self, request: Request) -> Response:
        number = int(request.params["id"])
        if number not in {schedule["id"] for schedule in self.schedules}:
            return Response.json({"error": "RecordNotFound", "description": "Not found"}, 404)
        return Response.json({"holidays": self.holidays.get(number, [])})

    def _page(self, key: str, rows: Sequence[Row], request: Request) -> Response:
        """Offset paging: `page`, `per_page`, `next_page`."""
        number = int(request.first("page", "1") or 1)
        size = min(int(request.first("per_page", str(PAGE_ROWS)) or PAGE_ROWS), PAGE_ROWS)
        start = (number - 1) * size
        more = start + size < len(rows)
        url = f"{self._base_url()}{request.path}?page={number + 1}&per_page={size}"
        return Response.json(
            {
                key: rows[start : start + size],
                "next_page": url if more else None,
                "previous_page": None,
                "count": len(rows),
            }
        )
