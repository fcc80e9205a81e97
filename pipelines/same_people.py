"""Finds out which of a client's people and organisations are one, and writes who leads each group.

Belongs here: reading records and decisions, asking `transforms.persons`, writing groups and reasons. Does not
belong here: when two are one; loading what sources say (`people`); decisions and how they are shown
(`cli_contact`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from connectors.warehouse import persons, watermarks
from connectors.warehouse.engine import reading, writing
from pipelines.people import Row, person_record_of, show_people
from pipelines.runtime import Runtime
from transforms.identity_values import region_of_zone
from transforms.matching.match import match
from transforms.matching.records import Kind, Matching, MatchRecord, PairDecision
from transforms.persons import Grouping, unite, unite_people

PEOPLE = ("contact", "agent")


@dataclass(frozen=True, slots=True)
class SamePeople:
    """What matching a client's people came to: how many are somebody else as well, how many may be."""

    contacts_merged: int = 0
    agents_merged: int = 0
    organisations_merged: int = 0
    doubtful: int = 0
    is_fresh: bool = False
    """False where nothing had changed since the last time, so that nothing was done."""


MANY = 20_000
"""From so many records people are matched once in `MANY_WAIT`, not with each sync: it takes a second per 30,000."""

MANY_WAIT = timedelta(hours=1)


def match_people(
    engine: Engine,
    client_key: str,
    now: datetime,
    region: str | None = None,
    *,
    at_once: bool = True,
) -> SamePeople:
    """Groups a client's contacts, agents and organisations; nothing where nothing changed since.

    Killed anywhere, the next call does it again and ends with the same groups.

    Args:
        engine: the warehouse.
        client_key: whose.
        now: aware instant.
        region: country (ISO 3166 code) of phone numbers written without one.
        at_once: False lets a large client wait until an hour has passed since the last time.
    """
    with reading(engine) as connection:
        due = persons.to_match(connection, client_key)
        if due is None:
            return SamePeople()
        number, matched_at = due
        is_early = matched_at is not None and now < matched_at + MANY_WAIT
        if is_early and not at_once and persons.count_records(connection, client_key) >= MANY:
            return SamePeople()
        decided = _decisions(persons.decisions(connection, client_key))
        organisations = {
            row["organisation_key"]: row
            for row in persons.all_organisations(connection, client_key)
        }
        together = persons.wrote_together(connection, client_key)
        records = {
            kind: [
                person_record_of(row) for row in persons.all_records(connection, client_key, kind)
            ]
            for kind in PEOPLE
        }
    names = {key: row["name"] for key, row in organisations.items()}
    groupings = {
        "organisation": unite(
            organisations,
            lambda key: _organisation_record(organisations[key]),
            decided,
            scored=partial(_scored, kind="organisation"),
        )
    }
    for kind in PEOPLE:
        groupings[kind] = unite_people(
            records[kind],
            decided,
            partial(_scored, kind="person"),
            is_agent=kind == "agent",
            region=region,
            organisation_names=names,
            wrote_together=together if kind == "contact" else (),
        )
    with writing(engine) as connection:
        # Syncs write the same rows, in another order.
        watermarks.hold(connection, client_key, watermarks.REVISIONS)
        for kind, grouping in groupings.items():
            _write(connection, client_key, kind, grouping)
        persons.mark_matched(connection, client_key, number, now)
    return SamePeople(
        contacts_merged=_merged(groupings["contact"]),
        agents_merged=_merged(groupings["agent"]),
        organisations_merged=_merged(groupings["organisation"]),
        doubtful=sum(
            link.verdict == "doubtful" for one in groupings.values() for link in one.links
        ),
        is_fresh=True,
    )


def match_people_of(runtime: Runtime, client_key: str, *, at_once: bool = True) -> SamePeople:
    """`match_people` of a configured client, now, with the country of its time zone."""
    region = region_of_zone(runtime.settings.client(client_key).time_zone)
    return match_people(runtime.engine, client_key, runtime.now(), region, at_once=at_once)


def _write(connection: Connection, client_key: str, kind: str, grouping: Grouping) -> None:
    before = persons.leaders_of(connection, client_key, kind)
    moved = {key: leader for key, leader in grouping.leader.items() if before.get(key) != leader}
    persons.write_leaders(connection, kind, moved)
    persons.write_matches(
        connection,
        client_key,
        kind,
        [
            {
                "client_key": client_key,
                "left_key": link.left_key,
                "right_key": link.right_key,
                "kind": kind,
                "verdict": link.verdict,
                "basis": link.basis,
                "bits": link.bits,
                "reason": link.reason,
            }
            for link in grouping.links
        ],
    )
    if kind in PEOPLE:
        touched = {*moved, *moved.values(), *(before[key] for key in moved if key in before)}
        show_people(connection, client_key, kind, touched)


def _scored(told: Sequence[MatchRecord], held: Sequence[PairDecision], *, kind: Kind) -> Matching:
    return match(told, kind, held)


def _decisions(rows: Sequence[Row]) -> list[PairDecision]:
    return [PairDecision(row["left_key"], row["right_key"], row["decision"]) for row in rows]


def _organisation_record(row: Mapping[str, str]) -> MatchRecord:
    domains = list(row["domains"] or ())
    return MatchRecord(
        row["organisation_key"],
        name=row["name"],
        domain=domains[0] if domains else None,
        attributes=(("external id", row["external_id"]),) if row["external_id"] else (),
    )


def _merged(grouping: Grouping) -> int:
    return sum(key != leader for key, leader in grouping.leader.items())
