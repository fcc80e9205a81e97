"""What people see and decide of who is one person: doubtful pairs, one person's records, decisions.

Belongs here: finding somebody, the work behind `deskbridge contact`. Does not belong here: who is one person
(`same_people`), options and printing (`cli_contact`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection

from connectors.warehouse import audit, erasures, persons
from connectors.warehouse.engine import reading, writing
from pipelines.people import Row
from pipelines.runtime import Runtime
from pipelines.same_people import SamePeople, match_people_of
from pipelines.settings import SettingsError
from transforms.identity_values import normalise_email

Word = Literal["same", "different", "undecided"]


@dataclass(frozen=True, slots=True)
class Person:
    """A contact, an agent or an organisation (`kind`), by its key."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A pair that may be one: both rows as they are shown, the score in bits, what speaks for and against."""

    kind: str
    left: Row
    right: Row
    bits: float | None
    reason: str


@dataclass(slots=True)
class Shown:
    """Everything that is known of who somebody is.

    `leader` is the row that is shown for the whole group; `records` what sources say, `links` why they are one or
    may be, `tickets` how many tickets each key asked for (or, of an agent, is assigned).
    """

    person: Person
    leader: Row
    keys: list[str]
    records: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)
    tickets: dict[str, int] = field(default_factory=dict)
    erased: str | None = None
    """When and by whom the person was erased, in words."""


def doubts(
    runtime: Runtime, client_key: str, kind: str | None = None, limit: int | None = None
) -> list[Doubt]:
    """A client's doubtful pairs, surest first; those that somebody decided are not among them."""
    with reading(runtime.engine) as connection:
        decided = {
            (row["left_key"], row["right_key"]) for row in persons.decisions(connection, client_key)
        }
        rows = [
            row
            for row in persons.matches(connection, client_key, verdict="doubtful")
            if (row["left_key"], row["right_key"]) not in decided
            and (kind is None or row["kind"] == kind)
        ][:limit]
        shown: dict[str, Row] = {}
        for one in persons.TABLES:
            keys = [row[side] for row in rows if row["kind"] == one for side in _SIDES]
            shown |= persons.shown(connection, one, keys)
    return [
        Doubt(
            row["kind"], shown[row["left_key"]], shown[row["right_key"]], row["bits"], row["reason"]
        )
        for row in rows
        if row["left_key"] in shown and row["right_key"] in shown
    ]


_SIDES = ("left_key", "right_key")


def find(connection: Connection, client_key: str, who: str) -> Person:
    """Somebody by our key, by an e-mail address, or by `source/id` as the source calls them.

    Raises:
        SettingsError: nobody is known by that.
    """
    kind = who.partition("-")[0]
    if kind in persons.TABLES and who in persons.shown(connection, kind, [who]):
        return Person(kind, who)
    found = persons.find(connection, client_key, who, normalise_email(who))
    if found is None:
        raise SettingsError(
            f"{client_key}: nobody is known by {who!r}; give a key (contact-…), an e-mail address, or source/id"
        )
    return Person(*found)


def show(runtime: Runtime, client_key: str, who: str) -> Shown:
    """Who somebody is, and why.

    Raises:
        SettingsError: nobody is known by that.
    """
    with reading(runtime.engine) as connection:
        person = find(connection, client_key, who)
        ((leader, keys),) = persons.groups_of(connection, person.kind, [person.key]).items()
        links = {
            (row["left_key"], row["right_key"]): row
            for key in keys
            for row in persons.matches(connection, client_key, key=key)
        }
        return Shown(
            person=person,
            leader=persons.shown(connection, person.kind, [leader])[leader],
            keys=sorted(keys),
            records=persons.records_of(connection, keys),
            links=list(links.values()),
            decisions=[
                row
                for row in persons.decisions(connection, client_key)
                if row["left_key"] in keys or row["right_key"] in keys
            ],
            tickets=persons.tickets_by_key(connection, person.kind, keys),
            erased=erased_words(connection, leader),
        )


def erased_words(connection: Connection, key: str) -> str | None:
    """When and by whom a person or a ticket was erased, in words; None where it was not."""
    row = erasures.erased_entities(connection, [key]).get(key)
    if row is None:
        return None
    return (
        f"erased at {row['erased_at']:%Y-%m-%d %H:%M} UTC by {row['author']} ({row['erasure_key']})"
    )


def decide(
    runtime: Runtime, client_key: str, whos: Sequence[str], word: Word, author: str
) -> SamePeople:
    """Remembers that two are the same, or different, or takes such a decision back; matches people anew.

    `different` undoes a merge, and it stays undone: a decision goes before every rule and every score.

    Raises:
        SettingsError: nobody is known by one of them, they are of two kinds, they are the same key, or there is
            no decision to take back.
    """
    now = runtime.now()
    with writing(runtime.engine) as connection:
        left, right = (find(connection, client_key, who) for who in whos)
        if left.kind != right.kind:
            raise SettingsError(
                f"{whos[0]} is of kind {left.kind}, {whos[1]} of kind {right.kind}: "
                "only two of a kind can be the same"
            )
        if left.key == right.key:
            raise SettingsError(
                f"{whos[0]} and {whos[1]} are one record key ({left.key}): they were first known by the same "
                "address, which cannot be told apart"
            )
        pair = (left.key, right.key)
        if word == "undecided":
            if not persons.forget_decisions(connection, client_key, [pair]):
                raise SettingsError(f"nothing was decided about {left.key} and {right.key}")
        else:
            persons.decide(connection, client_key, [pair], word, author, now)
        persons.note_change(connection, client_key)
        audit.append(
            connection,
            client_key,
            [
                audit.AuditItem(
                    "people decided", min(pair), now, {"other": max(pair), "as": word, "by": author}
                )
            ],
        )
    return match_people_of(runtime, client_key)
