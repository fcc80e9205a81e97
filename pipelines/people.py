"""Gives keys to a batch's people, organisations and teams, and writes them.

Belongs here: reading what is known, asking `transforms.identity`, writing what it decided. Does not belong
here: when two records are one person.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from connectors.warehouse import aliases, loading
from connectors.warehouse.watermarks import EVERY_SOURCE
from transforms.identity import Decision, PersonRow, Resolution, known_keys_of, resolve
from transforms.model import Batch, SourceOrganisation, SourcePerson, SourceTeam, key_of

Row = dict[str, Any]

_OWN_KEY = ""
"""Marks an organisation in a `PersonRow` that is named by our key already."""


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
        self._contacts: dict[tuple[str, str], str] | None = None
        self._decisions: list[Decision] = []

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
        changed += self._load_contacts(connection, [p for p in new if not p.is_agent])
        changed += self._load_agents(connection, [p for p in new if p.is_agent])
        self._agents.update(person.remote_id for person in new if person.is_agent)
        return changed + self._load_members(connection, new_teams)

    def _load_contacts(self, connection: Connection, people: Sequence[SourcePerson]) -> int:
        if not people:
            return 0
        if self._contacts is None:
            self._contacts = loading.known_identities(connection, self.client_key)
            self._decisions = [
                Decision(row["left_key"], row["right_key"], row["decision"])
                for row in loading.contact_decisions(connection, self.client_key)
            ]
        given = [(self.source_key, person) for person in people]
        touched = known_keys_of(self._contacts, given, self.region)
        result = resolve(
            self._contacts,
            given,
            self.client_key,
            self._decisions,
            present=_contacts_by_key(loading.read_contacts(connection, touched)),
            region=self.region,
        )
        for merge in result.merges:
            loading.repoint_contact(connection, merge.loser_key, merge.winner_key)
            self._forget(merge.loser_key, merge.winner_key)
        self._contacts.update({(one.kind, one.value): one.key for one in result.identities})
        self._note(connection, result, "contact")
        return loading.write_people(
            connection,
            contacts=[self._contact_row(person) for person in result.people],
            identities=[
                {
                    "client_key": self.client_key,
                    "kind": one.kind,
                    "value": one.value,
                    "contact_key": one.key,
                    "reason": one.reason,
                    "source_key": one.source_key,
                }
                for one in result.identities
            ],
        )

    def _load_agents(self, connection: Connection, people: Sequence[SourcePerson]) -> int:
        if not people:
            return 0
        known = {
            _identity(text): key
            for text, key in aliases.all_keys(
                connection, self.client_key, EVERY_SOURCE, "agent_identity"
            ).items()
        }
        given = [(self.source_key, person) for person in people]
        present = loading.read_agents(connection, known_keys_of(known, given, self.region))
        result = resolve(
            known,
            given,
            self.client_key,
            kind="agent",
            present={
                key: PersonRow(
                    key, row["name"], row["email"], None, None, row["time_zone"], row["is_active"]
                )
                for key, row in present.items()
            },
            region=self.region,
        )
        for merge in result.merges:
            loading.repoint_agent(connection, merge.loser_key, merge.winner_key)
            self._forget(merge.loser_key, merge.winner_key)
        self._note(connection, result, "agent")
        aliases.set_aliases(
            connection,
            self.client_key,
            EVERY_SOURCE,
            "agent_identity",
            {f"{one.kind}/{one.value}": one.key for one in result.identities},
            "agent",
        )
        return loading.write_people(
            connection,
            agents=[
                {
                    "agent_key": person.key,
                    "client_key": self.client_key,
                    "name": person.name,
                    "email": person.email,
                    "time_zone": person.time_zone,
                    "is_active": person.is_active,
                }
                for person in result.people
            ],
        )

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

    def _note(self, connection: Connection, result: Resolution, kind: str) -> None:
        # `result.aliases` holds only what is new: whoever was known before has a key all the same.
        self.person.update({remote_id: key for (_, remote_id), key in result.keys.items()})
        new = {alias.remote_id: alias.key for alias in result.aliases}
        aliases.set_aliases(
            connection, self.client_key, self.source_key, kind, new, "see contact_identity"
        )

    def _forget(self, loser_key: str, winner_key: str) -> None:
        self.person = {
            remote: winner_key if key == loser_key else key for remote, key in self.person.items()
        }
        if self._contacts is not None:
            self._contacts = {
                identity: winner_key if key == loser_key else key
                for identity, key in self._contacts.items()
            }

    def _contact_row(self, person: PersonRow) -> Row:
        organisation = None
        if person.organisation is not None:
            source_key, name = person.organisation
            organisation = name if source_key == _OWN_KEY else self.organisation.get(name)
        return {
            "contact_key": person.key,
            "client_key": self.client_key,
            "name": person.name,
            "email": person.email,
            "phone": person.phone,
            "language": person.language,
            "organisation_key": organisation,
        }

    def _organisation_row(self, key: str, one: SourceOrganisation) -> Row:
        return {
            "organisation_key": key,
            "client_key": self.client_key,
            "name": one.name,
            "domains": list(one.domains),
            "external_id": one.external_id,
        }


def _contacts_by_key(rows: Mapping[str, Row]) -> dict[str, PersonRow]:
    return {
        key: PersonRow(
            key=key,
            name=row["name"],
            email=row["email"],
            phone=row["phone"],
            language=row["language"],
            organisation=(_OWN_KEY, row["organisation_key"]) if row["organisation_key"] else None,
        )
        for key, row in rows.items()
    }


def _identity(text: str) -> tuple[str, str]:
    kind, _, value = text.partition("/")
    return kind, value


def _organisation_identities(one: SourceOrganisation) -> list[str]:
    """By which an organisation is known across sources: its domains; its name only where it has none."""
    domains: Iterable[str] = sorted({domain.strip().casefold() for domain in one.domains} - {""})
    found = [f"domain/{domain}" for domain in domains]
    return found or [f"name/{' '.join(one.name.casefold().split())}"]
