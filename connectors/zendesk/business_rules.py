"""An account's SLA policies and schedules, as plain objects in Zendesk's shape.

Belongs here: what is asked for and what an account may lack. Does not belong here: what the rules mean
(`sla_rules.import_zendesk`).

zenpy reads the policies and organisations; it has no call for schedules, holidays and group policies, which are
read over the same session.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from zenpy import Zenpy

from connectors.errors import AuthError, NotFoundError, UnavailableError
from connectors.http import PolicySession
from connectors.zendesk.client import translated, zenpy_over

MOST_PAGES = 100
"""Pages of one list: business rules are few, an endless list is a fault."""


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What the account has. `notes` say what it lacks or does not show to this login."""

    policies: list[dict[str, Any]] = field(default_factory=list)
    group_policies: list[dict[str, Any]] = field(default_factory=list)
    schedules: list[dict[str, Any]] = field(default_factory=list)
    """Each with its `holidays`."""
    organisations: dict[str, str] = field(default_factory=dict)
    """Id → name of the organisations that were asked for."""
    notes: list[str] = field(default_factory=list)


def read_business_rules(
    session: PolicySession,
    organisations_named: Callable[[Iterable[Mapping[str, Any]]], Iterable[str]],
) -> AccountRules:
    """Reads policies, group policies, schedules with holidays, and the organisations that conditions name.

    Args:
        session: of the account; its login must be an administrator's.
        organisations_named: ids of the organisations that policies refer to.

    Raises:
        ConnectorError: the policies themselves could not be read. What an account's plan leaves out (group
            policies, schedules) is a note, not a failure.
    """
    client = zenpy_over(session)
    rules = AccountRules(policies=_policies(session, client))
    rules.group_policies.extend(
        _listed(session, rules, "group_sla_policies", "api/v2/group_slas/policies.json")
    )
    for schedule in _listed(session, rules, "schedules", "api/v2/business_hours/schedules.json"):
        path = f"api/v2/business_hours/schedules/{schedule.get('id')}/holidays.json"
        rules.schedules.append(
            {**schedule, "holidays": list(_listed(session, rules, "holidays", path))}
        )
    for remote_id in organisations_named(rules.policies):
        name = _organisation(session, client, remote_id)
        if name is None:
            rules.notes.append(
                f"the organisation {remote_id}, which a policy names, is not there any more"
            )
        else:
            rules.organisations[remote_id] = name
    return rules


def _policies(session: PolicySession, client: Zenpy) -> list[dict[str, Any]]:
    with translated(session, "reading the SLA policies"):
        return [dict(policy.to_dict()) for policy in client.sla_policies()]


def _organisation(session: PolicySession, client: Zenpy, remote_id: str) -> str | None:
    if not remote_id.isdigit():
        return None
    try:
        with translated(session, f"reading organisation {remote_id}"):
            return cast("str", client.organizations(id=int(remote_id)).name)
    except NotFoundError:
        return None


def _listed(
    session: PolicySession, rules: AccountRules, key: str, path: str
) -> Iterator[dict[str, Any]]:
    """The rows of a short list that a plan may lack."""
    url: str | None = path
    for _ in range(MOST_PAGES):
        try:
            body = session.get_json(cast("str", url))
        except (AuthError, NotFoundError):
            rules.notes.append(
                f"{path.removeprefix('api/v2/').removesuffix('.json')} is not shown to this login, or not part of "
                "the account's plan"
            )
            return
        rows = body.get(key) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise UnavailableError(f"{session.label}: {path} answered without {key}")
        yield from (row for row in rows if isinstance(row, dict))
        url = body.get("next_page")
        if not url or not session.is_own(url):
            return
    raise UnavailableError(f"{session.label}: {path} has no end")
