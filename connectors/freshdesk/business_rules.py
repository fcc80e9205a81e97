"""An account's SLA policies and business hours, as plain objects in Freshdesk's shape.

Belongs here: what is asked for and what an account may lack. Does not belong here: what the rules mean
(`sla_rules.import_freshdesk`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import AuthError, NotFoundError
from connectors.freshdesk.api import PER_PAGE, FreshdeskApi


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What the account has. `notes` say what it lacks or does not show to this key."""

    policies: list[dict[str, Any]] = field(default_factory=list)
    business_hours: list[dict[str, Any]] = field(default_factory=list)
    companies: dict[str, str] = field(default_factory=dict)
    """Id → name of the companies that were asked for."""
    notes: list[str] = field(default_factory=list)


def read_business_rules(
    api: FreshdeskApi, companies_named: Callable[[Iterable[Mapping[str, Any]]], Iterable[str]]
) -> AccountRules:
    """Reads policies, business hours, and the names of the companies that conditions name.

    Raises:
        ConnectorError: the policies could not be read. Business hours that the key may not see are a note.
    """
    rules = AccountRules(policies=_whole(api, "sla_policies"))
    try:
        rules.business_hours.extend(_whole(api, "business_hours"))
    except (AuthError, NotFoundError):
        rules.notes.append("business_hours is not shown to this key, or not part of the plan")
    for remote_id in companies_named(rules.policies):
        name = _company(api, remote_id)
        if name is None:
            rules.notes.append(
                f"the company {remote_id}, which a policy names, is not there any more"
            )
        else:
            rules.companies[remote_id] = name
    return rules


def _whole(api: FreshdeskApi, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        listing = api.list_page(path, {"per_page": PER_PAGE, "page": page})
        new = [row for row in listing.rows if isinstance(row, dict) and row not in rows]
        rows += new
        # A list that ignores page numbers gives the same rows for ever.
        if listing.is_last or not new:
            return rows
        page += 1


def _company(api: FreshdeskApi, remote_id: str) -> str | None:
    if not remote_id.isdigit():
        return None
    try:
        body = api.session.get_json(f"api/v2/companies/{remote_id}")
    except NotFoundError:
        return None
    name = body.get("name") if isinstance(body, dict) else None
    return name if isinstance(name, str) and name.strip() else None
