"""Freshdesk's agents, contacts, companies and groups in the unified model.

Belongs here: people, organisations, teams. Does not belong here: tickets and what people wrote in them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from transforms.freshdesk_words import Reading
from transforms.model import RawRecord, SourceOrganisation, SourcePerson, SourceTeam
from transforms.payload import UnreadableError, id_of, object_of, required_id, text_of, texts_of


def read_agents(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds the agents; name, addresses and numbers lie in the agent's `contact`."""

    def read(body: dict[str, Any]) -> None:
        remote_id = required_id(body, "id")
        contact = body.get("contact")
        told = contact if isinstance(contact, dict) else body
        reading.agents.add(remote_id)
        _note_groups(reading, remote_id, body.get("group_ids"))
        is_active = told.get("active") is not False and not body.get("deactivated")
        reading.batch.people.append(_person(remote_id, told, is_agent=True, is_active=is_active))

    _each(reading, records, read)


def read_contacts(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds the contacts that are no agents. `active` there means that the address was confirmed, no more."""

    def read(body: dict[str, Any]) -> None:
        remote_id = required_id(body, "id")
        if remote_id in reading.agents:
            return
        reading.contacts.add(remote_id)
        is_active = not (body.get("deleted") or body.get("blocked"))
        reading.batch.people.append(_person(remote_id, body, is_agent=False, is_active=is_active))

    _each(reading, records, read)


def read_requester(reading: Reading, ticket: Mapping[str, Any]) -> None:
    """Adds the requester that came with a ticket, where neither list has that person."""
    told = ticket.get("requester")
    if not isinstance(told, dict):
        return
    remote_id = id_of(told, "id")
    if remote_id is None or remote_id in reading.agents or remote_id in reading.contacts:
        return
    reading.contacts.add(remote_id)
    reading.batch.people.append(_person(remote_id, told, is_agent=False, is_active=True))


def read_companies(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds the companies with their mail domains."""

    def read(body: dict[str, Any]) -> None:
        remote_id = required_id(body, "id")
        domains = tuple(dict.fromkeys(d.strip().lower() for d in texts_of(body, "domains")))
        name = text_of(body, "name") or remote_id
        reading.batch.organisations.append(SourceOrganisation(remote_id, name, domains))

    _each(reading, records, read)


def read_groups(reading: Reading, records: Iterable[RawRecord]) -> None:
    """Adds the groups with their agents.

    A group's own `agent_ids` come first; lists of groups may leave them out, then the agents tell their `group_ids`.

    Source: Freshdesk API v2 reference, "Groups", "Agents".
    """

    def read(body: dict[str, Any]) -> None:
        remote_id = required_id(body, "id")
        told = body.get("agent_ids")
        if not isinstance(told, list):
            told = None if reading.members is None else reading.members.get(remote_id, ())
        members = None if told is None else tuple(dict.fromkeys(map(str, told)))
        name = text_of(body, "name") or remote_id
        reading.batch.teams.append(SourceTeam(remote_id, name, members))

    _each(reading, records, read)


def _note_groups(reading: Reading, agent_id: str, group_ids: object) -> None:
    if not isinstance(group_ids, list):
        return
    reading.members = {} if reading.members is None else reading.members
    for group_id in group_ids:
        reading.members.setdefault(str(group_id), []).append(agent_id)


def _each(
    reading: Reading, records: Iterable[RawRecord], read: Callable[[dict[str, Any]], None]
) -> None:
    for record in records:
        try:
            read(object_of(record))
        except UnreadableError as error:
            reading.reject(record.stream, record.remote_id, error)


def _person(
    remote_id: str, body: Mapping[str, Any], *, is_agent: bool, is_active: bool
) -> SourcePerson:
    emails = [text_of(body, "email"), *texts_of(body, "other_emails")]
    zone = text_of(body, "time_zone")
    return SourcePerson(
        remote_id=remote_id,
        is_agent=is_agent,
        name=text_of(body, "name"),
        emails=tuple(dict.fromkeys(email.strip().lower() for email in emails if email)),
        phones=tuple(dict.fromkeys(filter(None, (_phone(body, "mobile"), _phone(body, "phone"))))),
        external_id=id_of(body, "unique_external_id") or id_of(body, "external_id"),
        organisation_remote_id=id_of(body, "company_id"),
        is_active=is_active,
        # Freshdesk names zones as Rails does ("Chennai"); only names of the time zone database are taken over.
        time_zone=zone if zone and "/" in zone else None,
        language=text_of(body, "language"),
    )


def _phone(body: Mapping[str, Any], name: str) -> str | None:
    """The number as it was typed; some accounts give it as a JSON number."""
    value = id_of(body, name)
    return value.strip() or None if value else None
