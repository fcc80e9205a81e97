"""Zendesk's users, organizations and groups in the unified model.

Belongs here: people, companies, teams. Does not belong here: tickets and what happens on them.
"""

from collections.abc import Iterable
from typing import Any

from transforms.model import RawRecord, SourceOrganisation, SourcePerson, SourceTeam
from transforms.payload import (
    UnreadableError,
    id_of,
    object_of,
    required_id,
    text_of,
    texts_of,
)
from transforms.zendesk_words import (
    Reading,
)

AGENT_ROLES = frozenset({"agent", "admin"})


def read_users(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds people and remembers who is an agent, for the tickets that are read afterwards."""
    for record in records:
        try:
            person = _person(object_of(record))
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        reading.roles[person.remote_id] = person.is_agent
        reading.batch.people.append(person)


def read_organizations(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds the customers' companies."""
    for record in records:
        try:
            body = object_of(record)
            remote_id = required_id(body, "id")
            reading.batch.organisations.append(
                SourceOrganisation(
                    remote_id=remote_id,
                    name=text_of(body, "name") or f"Organization {remote_id}",
                    domains=texts_of(body, "domain_names"),
                    external_id=id_of(body, "external_id"),
                )
            )
        except UnreadableError as error:
            reading.reject(record, error)


def read_groups(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds the teams."""
    for record in records:
        try:
            body = object_of(record)
            remote_id = required_id(body, "id")
            name = text_of(body, "name") or f"Group {remote_id}"
            reading.batch.teams.append(SourceTeam(remote_id, name))
        except UnreadableError as error:
            reading.reject(record, error)


def _person(body: dict[str, Any]) -> SourcePerson:
    email, phone = text_of(body, "email"), text_of(body, "phone")
    return SourcePerson(
        remote_id=required_id(body, "id"),
        is_agent=str(body.get("role")).lower() in AGENT_ROLES,
        name=text_of(body, "name"),
        emails=(email.strip(),) if email else (),
        phones=(phone.strip(),) if phone else (),
        external_id=id_of(body, "external_id"),
        organisation_remote_id=id_of(body, "organization_id"),
        is_active=body.get("active") is not False and body.get("suspended") is not True,
        time_zone=text_of(body, "iana_time_zone"),
        language=text_of(body, "locale"),
    )
