"""Freshdesk's limits: which of them a request counts against, and how large they are.

Belongs here: the endpoint classes and the vendor's table. Does not belong here: counting and waiting
(`connectors.pacing`).

Source: API v2 reference, "Rate Limit" (account-wide calls a minute by plan, and limits per endpoint within them).
"""

from collections.abc import Mapping

from connectors.budget import Limit

ACCOUNT = "account"
TICKETS_LIST = "tickets list"
CONTACTS_LIST = "contacts list"
TICKET_CREATE = "ticket create"
TICKET_UPDATE = "ticket update"

_PER_ENDPOINT: Mapping[float, tuple[float, float]] = {
    50: (50, 50),
    200: (20, 80),
    400: (100, 160),
    700: (200, 280),
    1000: (300, 400),
    2000: (400, 800),
}
"""The account's limit (trial, Growth, Pro, Enterprise, two add-ons) → that of each list, that of each write."""


def endpoint_class(method: str, path: str) -> str:
    """Which budget a request uses: some lists and writes have their own within the account's."""
    path = path.rstrip("/")
    if path.endswith("/api/v2/tickets"):
        return {"GET": TICKETS_LIST, "POST": TICKET_CREATE}.get(method, ACCOUNT)
    if path.endswith("/api/v2/contacts"):
        return CONTACTS_LIST if method == "GET" else ACCOUNT
    head, _, last = path.rpartition("/")
    if method == "PUT" and last.isdigit() and head.endswith("/api/v2/tickets"):
        return TICKET_UPDATE
    return ACCOUNT


def limits_of(account_limit: float | None) -> Mapping[str, Limit]:
    """The limits within the account's own, as the vendor's table has them; none where it is not in there."""
    known = _PER_ENDPOINT.get(account_limit or 0)
    if known is None:
        return {}
    of_list, of_write = known
    return {
        TICKETS_LIST: Limit(of_list),
        CONTACTS_LIST: Limit(of_list),
        TICKET_CREATE: Limit(of_write),
        TICKET_UPDATE: Limit(of_write),
    }
