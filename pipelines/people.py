"""Gives keys to a batch's people, organisations and teams, and writes them.

Belongs here: giving keys to records (`transforms.identity`), writing them and what is shown of them. Does not
belong here: when two keys are one person (`same_people`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from connectors.warehouse import aliases, erasures, loading, persons
from connectors.warehouse.watermarks import EVERY_SOURCE
from transforms.identity import first_key, identities_of, spoken
from transforms.model import Batch, SourceOrganisation, SourcePerson, SourceTeam, key_of
from transforms.person_rows import PersonRecord, PersonRow, survivor

Row = dict[str, Any]


class PeopleLoader:
    """Keys of everybody seen in one run of a source; each record is written once, however often it comes.

    Args:
        client_key: whose people.
        source_key: where they come from.
        region: country (ISO 3166 code) of phone numbers written without one.
    """

    def __init__(self, client_key: str, source_key: str, region: str | None = None) -> None:
        """Knows nobody yet."""
        self.client_key = client_key
        self.source_key = source_key
        self.region = region
        self.person: dict[str, str] = {}
        self._names: dict[str, str | None] = {}
        """Remote id → the name last told: a mailbox tells somebody's name in one batch and not in another."""
        self.organisation: dict[str, str] = {}
        self.team: dict[str, str] = {}
        self._agents: set[str] = set()

    def load(self, connection: Connection, batch: Batch) -> int:
        """Writes those of the batch that this run has not seen yet, or not by that name; returns how many rows changed."""
        changed = self._load_organisations(connection, batch.organisations)
        new_teams = [team for team in batch.teams if team.remote_id not in self.team]
        changed += self._load_teams(connection, batch.teams)
        new = [
            person
            for person in batch.people
            if person.remote_id not in self.person
            or (person.name and person.name != self._names.get(person.remote_id))
        ]
        self._names.update((person.remote_id, person.name) for person in new)
        changed += self._load_persons(connection, [p for p in new if not p.is_agent], "contact")
        changed += self._load_persons(connection, [p for p in new if p.is_agent], "agent")
        self._agents.update(person.remote_id for person in new if person.is_agent)
        return changed + self._load_members(connection, new_teams)

    def _load_persons(
        self, connection: Connection, people: Sequence[SourcePerson], kind: str
    ) -> int:
        if not people:
            return 0
        remote_ids = [person.remote_id for person in people]
        known = aliases.known_keys(connection, self.client_key, self.source_key, kind, remote_ids)
        new = {
            person.remote_id: first_key(self.client_key, kind, self.source_key, person)
            for person in people
            if person.remote_id not in known
        }
        new = _not_erased(connection, self.client_key, kind, new)
        keys = known | new
        self.person.update(keys)
        aliases.set_aliases(
            connection, self.client_key, self.source_key, kind, new, "its first identity"
        )
        changed = persons.write_records(
            connection,
            [self._record_row(person, keys[person.remote_id], kind) for person in people],
        )
        if kind == "contact":
            changed += loading.write_people(
                connection, identities=self._identity_rows(people, keys)
            )
        if changed:
            persons.note_change(connection, self.client_key)
        return changed + show_people(connection, self.client_key, kind, set(keys.values()))

    def _record_row(self, person: SourcePerson, key: str, kind: str) -> Row:
        organisation = person.organisation_remote_id
        return {
            "client_key": self.client_key,
            "source_key": self.source_key,
            "remote_id": person.remote_id,
            "kind": kind,
            "person_key": key,
            "name": person.name,
            "emails": list(person.emails),
            "phones": list(person.phones),
            "external_id": person.external_id,
            "organisation_key": self.organisation.get(organisation) if organisation else None,
            "language": person.language,
            "time_zone": person.time_zone,
            "is_active": person.is_active,
        }

    def _identity_rows(self, people: Sequence[SourcePerson], keys: Mapping[str, str]) -> list[Row]:
        return [
            {
                "client_key": self.client_key,
                "kind": kind,
                "value": value,
                "contact_key": keys[person.remote_id],
                "reason": f"{spoken((kind, value))} of {self.source_key} {person.remote_id}",
                "source_key": self.source_key,
            }
            for person in sorted(people, key=lambda one: one.remote_id)
            for kind, value in identities_of(person, self.source_key)
        ]

    def _load_organisations(
        self, connection: Connection, organisations: Sequence[SourceOrganisation]
    ) -> int:
        new = [one for one in organisations if one.remote_id not in self.organisation]
        if not new:
            return 0
        identities = {one.remote_id: _organisation_identities(one) for one in new}
        every = [identity for own in identities.values() for identity in own]
        known = aliases.known_keys(
            connection, self.client_key, EVERY_SOURCE, "organisation_identity", every
        )
        rows = self._organisations_of_others(connection, known.values())
        for one in sorted(new, key=lambda o: o.remote_id):
            own = identities[one.remote_id]
            key = next((known[i] for i in own if i in known), None)
            key = key or key_of("organisation", self.client_key, EVERY_SOURCE, own[0])
            known.update(dict.fromkeys(own, key))
            self.organisation[one.remote_id] = key
            row = rows.setdefault(key, self._organisation_row(key, one))
            row["name"] = max(row["name"], one.name, key=lambda n: (len(n.split()), len(n), n))
            row["domains"] = sorted({*row["domains"], *one.domains})
            row["external_id"] = row["external_id"] or one.external_id
        aliases.set_aliases(
            connection,
            self.client_key,
            EVERY_SOURCE,
            "organisation_identity",
            known,
            "same domain or name",
        )
        aliases.set_aliases(
            connection,
            self.client_key,
            self.source_key,
            "organisation",
            {one.remote_id: self.organisation[one.remote_id] for one in new},
            "same domain or name",
        )
        return loading.write_people(connection, organisations=list(rows.values()))

    def _organisations_of_others(
        self, connection: Connection, keys: Iterable[str]
    ) -> dict[str, Row]:
        """Present rows of organisations that other sources know as well: none of them overwrites another.

        One that this source alone knows is as this source tells it now.
        """
        sources = aliases.sources_of(connection, self.client_key, "organisation", keys)
        shared = [key for key, known_to in sources.items() if known_to - {self.source_key}]
        rows = loading.read_organisations(connection, shared)
        return {key: {**row, "domains": list(row["domains"] or ())} for key, row in rows.items()}

    def _load_teams(self, connection: Connection, teams: Sequence[SourceTeam]) -> int:
        new = [one for one in teams if one.remote_id not in self.team]
        if not new:
            return 0
        self.team.update(
            aliases.keys_for(
                connection, self.client_key, self.source_key, "team", [t.remote_id for t in new]
            )
        )
        return loading.write_people(
            connection,
            teams=[
                {
                    "team_key": self.team[one.remote_id],
                    "client_key": self.client_key,
                    "source_key": self.source_key,
                    "name": one.name,
                    "is_active": one.is_active,
                }
                for one in new
            ],
        )

    def _load_members(self, connection: Connection, teams: Sequence[SourceTeam]) -> int:
        """Who belongs to a team, where its source tells; agents alone, whoever else was once in it."""
        members = {
            self.team[one.remote_id]: [
                self.person[number] for number in one.member_remote_ids if number in self._agents
            ]
            for one in teams
            if one.member_remote_ids is not None
        }
        return loading.write_members(connection, self.client_key, members) if members else 0

    def _organisation_row(self, key: str, one: SourceOrganisation) -> Row:
        return {
            "organisation_key": key,
            "client_key": self.client_key,
            "name": one.name,
            "domains": list(one.domains),
            "external_id": one.external_id,
        }


def _not_erased(
    connection: Connection, client_key: str, kind: str, new: dict[str, str]
) -> dict[str, str]:
    """Keys for people seen for the first time; who was erased and writes again is somebody new.

    A key is made of the first address: the erased person's own would hang name and address on what was erased.
    """
    erased = erasures.erased_entities(connection, new.values()) if new else {}
    return {
        remote_id: key_of(kind, client_key, erased[key]["erasure_key"], key)
        if key in erased
        else key
        for remote_id, key in new.items()
    }


def show_people(connection: Connection, client_key: str, kind: str, keys: Iterable[str]) -> int:
    """Makes the rows that are shown of some contacts or agents from all that sources say of them.

    Whoever leads a group is shown with what all of its records say; the others with what their own say.

    Returns:
        How many rows changed.
    """
    wanted = set(keys)
    groups = persons.groups_of(connection, kind, wanted)
    wanted |= {key for members in groups.values() for key in members}
    by_key: dict[str, list[PersonRecord]] = {}
    for row in persons.records_of(connection, wanted):
        by_key.setdefault(row["person_key"], []).append(person_record_of(row))
    rows: list[PersonRow] = []
    for key in sorted(wanted):
        told = [record for one in groups.get(key, [key]) for record in by_key.get(one, [])]
        if told:
            rows.append(survivor(key, told))
    written = [_shown_row(client_key, kind, row) for row in rows]
    if kind == "agent":
        return loading.write_people(connection, agents=written)
    return loading.write_people(connection, contacts=written)


def person_record_of(row: Mapping[str, Any]) -> PersonRecord:
    """A row of `person_record` as the transforms take it."""
    return PersonRecord(
        key=row["person_key"],
        source_key=row["source_key"],
        remote_id=row["remote_id"],
        name=row["name"],
        emails=tuple(row["emails"]),
        phones=tuple(row["phones"]),
        external_id=row["external_id"],
        organisation_key=row["organisation_key"],
        language=row["language"],
        time_zone=row["time_zone"],
        is_active=row["is_active"],
    )


def _shown_row(client_key: str, kind: str, person: PersonRow) -> Row:
    row = {"client_key": client_key, "name": person.name, "email": person.email}
    if kind == "agent":
        return {
            **row,
            "agent_key": person.key,
            "time_zone": person.time_zone,
            "is_active": person.is_active,
        }
    return {
        **row,
        "contact_key": person.key,
        "phone": person.phone,
        "language": person.language,
        "organisation_key": person.organisation_key,
    }


def _organisation_identities(one: SourceOrganisation) -> list[str]:
    """By which an organisation is known across sources: its domains; its name only where it has none."""
    domains: Iterable[str] = sorted({domain.strip().casefold() for domain in one.domains} - {""})
    found = [f"domain/{domain}" for domain in domains]
    return found or [f"name/{' '.join(one.name.casefold().split())}"]
