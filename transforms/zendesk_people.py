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
    objects_of,
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
            person = _person(reading, object_of(record))
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


def read_groups(
    reading: Reading, records: Iterable[RawRecord], memberships: Iterable[RawRecord] = ()
) -> None:
    """Adds the teams with their agents; a deleted group keeps its name, for the tickets that it had."""
    members = _members(reading, memberships)
    for record in records:
        try:
            body = object_of(record)
            remote_id = required_id(body, "id")
            name = text_of(body, "name") or f"Group {remote_id}"
            is_active = body.get("deleted") is not True
            own = None if members is None else tuple(members.get(remote_id, ()))
            reading.batch.teams.append(SourceTeam(remote_id, name, own, is_active))
        except UnreadableError as error:
            reading.reject(record, error)


def _members(reading: Reading, records: Iterable[RawRecord]) -> dict[str, list[str]] | None:
    """Group id → its agents' ids; None where memberships were not pulled."""
    found: dict[str, list[str]] | None = None
    for record in records:
        found = {} if found is None else found
        if record.is_tombstone:
            continue
        try:
            body = object_of(record)
            group, user = required_id(body, "group_id"), required_id(body, "user_id")
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        found.setdefault(group, []).append(user)
    return found


def _person(reading: Reading, body: dict[str, Any]) -> SourcePerson:
    return SourcePerson(
        remote_id=required_id(body, "id"),
        is_agent=str(body.get("role")).lower() in AGENT_ROLES,
        name=text_of(body, "name"),
        emails=_values(body, "email", "email"),
        phones=_values(body, "phone", "phone_number"),
        external_id=id_of(body, "external_id"),
        organisation_remote_id=id_of(body, "organization_id"),
        is_active=body.get("active") is not False and body.get("suspended") is not True,
        time_zone=_time_zone(reading, body),
        language=text_of(body, "locale"),
    )


def _values(body: dict[str, Any], name: str, kind: str) -> tuple[str, ...]:
    """The user's own address or number first, then those of the identities that came with the record.

    Zendesk gives an address to one user only, verified or not; so do we.
    """
    own = text_of(body, name)
    others = [
        value
        for one in objects_of(body, "identities")
        if one.get("type") == kind and (value := text_of(one, "value")) is not None
    ]
    found = [own, *others] if own is not None else others
    return tuple(dict.fromkeys(value.strip() for value in found))


def _time_zone(reading: Reading, body: dict[str, Any]) -> str | None:
    """IANA's name of the user's zone; the vendor's own name only where we know what it means."""
    told = text_of(body, "iana_time_zone")
    if told is not None:
        return told
    vendors = text_of(body, "time_zone")
    if vendors is None:
        return None
    return reading.time_zones.get(vendors.strip())
