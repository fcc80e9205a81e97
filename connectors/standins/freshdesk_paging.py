"""What all lists of the Freshdesk stand-in share: pages, filters by instant, refusals.

Belongs here: forms of answers. Does not belong here: any one list (`freshdesk`, `freshdesk_lists`).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from connectors.standins.freshdesk_account import Record
from connectors.standins.freshdesk_writes import invalid
from connectors.standins.server import Request, Response

PAGING = frozenset({"page", "per_page"})
_REQUIRE_FEATURE = (
    "The {} feature(s) is/are not supported in your plan. Please upgrade your account to use it."
)


def page_of(
    base_url: str, request: Request, rows: Sequence[Any], write: Callable[[Any], bytes]
) -> Response:
    """One page of a list, with a `Link` to the next one where there is one."""
    page = int(request.first("page", "1") or 1)
    per_page = int(request.first("per_page", "30") or 30)
    start = (page - 1) * per_page
    headers = {}
    if start + per_page < len(rows):
        query = {name: values[0] for name, values in request.query.items()}
        address = f"{base_url}{request.path}?{urlencode({**query, 'page': page + 1})}"
        headers["Link"] = f'<{address}>; rel="next"'
    content = b",".join(write(one) for one in rows[start : start + per_page])
    return Response(content=b"[" + content + b"]", headers=headers)


def as_json(record: Record) -> bytes:
    """A record as it is sent."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")


def no_feature(name: str) -> Response:
    """403: the plan lacks it."""
    return Response.json({"code": "require_feature", "message": _REQUIRE_FEATURE.format(name)}, 403)


def denied() -> Response:
    """403: the agent lacks the right."""
    text = "You are not authorized to perform this action."
    return Response.json({"code": "access_denied", "message": text}, 403)


def names_of(request: Request, name: str) -> list[str]:
    """The words of a parameter, separated by commas."""
    return [word for word in (request.first(name) or "").split(",") if word]


def keeps(field: str, since: str, includes_own: bool) -> Callable[[Record], bool]:
    """Whether a record's instant is `since` or later."""
    if includes_own:
        return lambda one: str(one.get(field) or "") >= since
    return lambda one: str(one.get(field) or "") > since


def refusal(request: Request, allowed: Iterable[str]) -> Response | None:
    """400 for a parameter that the list does not know, or a page or size out of range."""
    known = set(allowed)
    problems = [
        (name, "Unexpected/invalid field in request", "invalid_field")
        for name in request.query
        if name not in known
    ]
    for name, most in (("page", None), ("per_page", 100)):
        text = request.first(name)
        if name not in known or text is None:
            continue
        if not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
            limit = f"a positive number not above {most}" if most else "a positive number"
            problems.append((name, f"It should be {limit}", "invalid_value"))
    return invalid(problems) if problems else None


def bad_instant(request: Request, name: str) -> list[tuple[str, str, str]]:
    """What is wrong with a parameter that has to be an instant."""
    text = request.first(name)
    try:
        if text is not None and datetime.fromisoformat(text).tzinfo is None:
            raise ValueError(text)
    except ValueError:
        return [
            (name, "It should be in the 'combined date and time ISO8601' format", "invalid_date")
        ]
    return []
