"""Zendesk's users, organizations, groups and fields of the demo, and everybody's ids there.

Belongs here: who and what the account consists of. Does not belong here: tickets and their events
(`zendesk_shape`).

Source: Zendesk developer documentation: Users, Organizations, Groups, Ticket fields.
"""

from typing import Any

from pipelines.demo.people import TEAMS, Agent, Customer, Organisation

BASE = "https://acme.zendesk.com"
GROUPS = {team: 360_001_000_000 + number for number, team in enumerate(TEAMS, start=1)}
CATEGORY_FIELD, LANGUAGE_FIELD = 360_002_000_001, 360_002_000_002
SYSTEM_USER = -1
"""Author of what the product itself does."""
_AGENT_IDS, _USER_IDS, _ORGANISATION_IDS = 380_000_000_000, 390_000_000_000, 370_000_000_000
_MEMBERSHIP_IDS = 360_004_000_000


def user_id(person: Agent | Customer | None) -> int:
    """The Zendesk id of a person; the product itself is -1."""
    if person is None:
        return SYSTEM_USER
    return (_AGENT_IDS if isinstance(person, Agent) else _USER_IDS) + person.number


def organisation_id(organisation: Organisation | None) -> int | None:
    """The Zendesk id of a company."""
    return _ORGANISATION_IDS + organisation.number if organisation else None


def agent(agent: Agent, since: str) -> dict[str, Any]:
    """One of acme's people as a Zendesk user."""
    return {
        **_person(user_id(agent), agent.name, agent.email, agent.zone, since),
        "role": "admin" if agent.number == 2 else "agent",
        "default_group_id": GROUPS[agent.team],
        "locale": "en-GB",
        "two_factor_auth_enabled": True,
        "tags": [agent.shift],
    }


def customer(customer: Customer, since: str) -> dict[str, Any]:
    """A customer as a Zendesk user, under the address used there."""
    address = customer.address("zendesk")
    return {
        **_person(user_id(customer), customer.name, address, customer.zone, since),
        "phone": customer.phone,
        "locale": {"de": "de", "en": "en-GB", "tr": "tr"}[customer.language],
        "organization_id": organisation_id(customer.organisation),
    }


def _person(number: int, name: str, email: str, zone: str, since: str) -> dict[str, Any]:
    return {
        "id": number,
        "url": f"{BASE}/api/v2/users/{number}.json",
        "name": name,
        "email": email,
        "created_at": since,
        "updated_at": since,
        "time_zone": zone.rpartition("/")[2],
        "iana_time_zone": zone,
        "phone": None,
        "shared_phone_number": None,
        "photo": None,
        "locale_id": 1,
        "locale": "en-GB",
        "organization_id": None,
        "role": "end-user",
        "verified": True,
        "external_id": None,
        "tags": [],
        "alias": None,
        "active": True,
        "shared": False,
        "shared_agent": False,
        "last_login_at": None,
        "two_factor_auth_enabled": False,
        "signature": None,
        "details": None,
        "notes": None,
        "role_type": None,
        "custom_role_id": None,
        "moderator": False,
        "ticket_restriction": None,
        "only_private_comments": False,
        "restricted_agent": False,
        "suspended": False,
        "default_group_id": None,
        "report_csv": False,
        "user_fields": {},
    }


def organisation(organisation: Organisation, since: str) -> dict[str, Any]:
    """A customer's company."""
    number = organisation_id(organisation)
    return {
        "url": f"{BASE}/api/v2/organizations/{number}.json",
        "id": number,
        "name": organisation.name,
        "shared_tickets": False,
        "shared_comments": False,
        "external_id": None,
        "created_at": since,
        "updated_at": since,
        "domain_names": [organisation.domain],
        "details": None,
        "notes": None,
        "group_id": None,
        "tags": [organisation.tier],
        "organization_fields": {"tier": organisation.tier},
    }


def group(team: str, since: str) -> dict[str, Any]:
    """A team."""
    return {
        "url": f"{BASE}/api/v2/groups/{GROUPS[team]}.json",
        "id": GROUPS[team],
        "name": TEAMS[team],
        "description": "",
        "default": team == "support",
        "is_public": True,
        "deleted": False,
        "created_at": since,
        "updated_at": since,
    }


def membership(agent: Agent, since: str) -> dict[str, Any]:
    """An agent's place in a team."""
    number = _MEMBERSHIP_IDS + agent.number
    return {
        "url": f"{BASE}/api/v2/group_memberships/{number}.json",
        "id": number,
        "user_id": user_id(agent),
        "group_id": GROUPS[agent.team],
        "default": True,
        "created_at": since,
        "updated_at": since,
    }


def ticket_fields(since: str) -> list[dict[str, Any]]:
    """The account's own fields."""
    wanted = (("Category", "tagger", CATEGORY_FIELD), ("Language", "text", LANGUAGE_FIELD))
    return [
        {
            "url": f"{BASE}/api/v2/ticket_fields/{number}.json",
            "id": number,
            "type": kind,
            "title": title,
            "raw_title": title,
            "description": "",
            "position": position,
            "active": True,
            "required": False,
            "removable": True,
            "created_at": since,
            "updated_at": since,
        }
        for position, (title, kind, number) in enumerate(wanted)
    ]
