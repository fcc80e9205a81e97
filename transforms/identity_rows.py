"""People as `identity` takes and gives them: identities, decisions, rows, and which values survive.

Belongs here: the records of `identity.resolve`, a record's identities, survivorship. Does not belong here:
joining records (`identity`), normal forms (`identity_values`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from transforms.identity_values import (
    is_role_address,
    normalise_email,
    normalise_name,
    normalise_phone,
)
from transforms.model import SourcePerson

Kind = Literal["contact", "agent"]

Identity = tuple[str, str]
"""(kind, value): `email`, `external_id`, `phone_and_name` or `source` (`source id/remote id`)."""

STRONG = frozenset({"email", "external_id", "source"})

PHONE_SHARED_BY = 3
"""A number that more names than this use is a switchboard, not a person's."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about two contacts."""

    left_key: str
    right_key: str
    decision: Literal["same", "different"]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What is shown of a contact or an agent, after survivorship. `organisation` = (source id, remote id)."""

    key: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    time_zone: str | None = None
    is_active: bool = True
    organisation: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An identity and whose it is. `source_key` told it; `reason` says of which record."""

    kind: str
    value: str
    key: str
    source_key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Merge:
    """Two known contacts turned out to be one: everything of `loser_key` is now `winner_key`'s."""

    winner_key: str
    loser_key: str
    reason: str


@dataclass(frozen=True, slots=True)
class AliasRow:
    """A source's record → our key."""

    source_key: str
    remote_id: str
    key: str
    reason: str


@dataclass(slots=True)
class Resolution:
    """What `resolve` decided; `identities` and `aliases` hold only what was not known before.

    `people` has a row for each person that a record was about, and for each that others were merged into.
    `held_apart` lists links that a person's decision kept from joining.
    """

    people: list[PersonRow] = field(default_factory=list)
    identities: list[IdentityRow] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    aliases: list[AliasRow] = field(default_factory=list)
    held_apart: list[str] = field(default_factory=list)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    """(source id, remote id) → key, of every record that was resolved."""


def identities_of(
    person: SourcePerson, source_key: str, region: str | None = None
) -> tuple[Identity, ...]:
    """Everything by which this record can be known again, strongest first, each once.

    Args:
        person: as the source knows it.
        source_key: the source's id.
        region: country of phone numbers written without one (`region_of_zone` of the client).
    """
    found: dict[Identity, None] = {}
    emails = [email for text in person.emails if (email := normalise_email(text)) is not None]
    own = [email for email in emails if not is_role_address(email)]
    external = (person.external_id or "").strip()
    has_stronger = bool(own or external)
    found.update((("email", email), None) for email in (own if has_stronger else emails))
    # Agents are known by their address: the external id is a field that customers' systems fill.
    if external and not person.is_agent:
        found[("external_id", external)] = None
    found[("source", f"{source_key}/{person.remote_id}")] = None
    name = normalise_name(person.name or "")
    if " " in name and not person.is_agent and (has_stronger or not emails):
        for text in person.phones:
            phone = normalise_phone(text, region)
            if phone is not None:
                found[("phone_and_name", f"{phone} {name}")] = None
    return tuple(found)


def spoken(identity: Identity) -> str:
    """An identity in words, for reasons."""
    kind, value = identity
    words = {
        "email": "e-mail address",
        "external_id": "external id",
        "phone_and_name": "phone number and name",
        "source": "record",
    }
    return f"{words[kind]} {value}"


def survivor(
    key: str, shown: Sequence[PersonRow], records: Sequence[tuple[str, SourcePerson]]
) -> PersonRow:
    """What is shown of one person: the fullest name, else what was shown first, then the first of the records.

    Args:
        key: the person's.
        shown: the rows of the known ones who are now this person.
        records: (source id, record) in a fixed order.
    """
    people = [person for _, person in records]
    emails = [email.strip().lower() for person in people for email in person.emails]
    valid = [email for email in emails if normalise_email(email)]
    own = [email for email in valid if not is_role_address(email)]
    organisations = [
        (source_key, person.organisation_remote_id)
        for source_key, person in records
        if person.organisation_remote_id
    ]
    return PersonRow(
        key=key,
        name=_fullest([row.name for row in shown] + [person.name for person in people]),
        email=_first([row.email for row in shown], own or valid),
        phone=_first([row.phone for row in shown], [p for one in people for p in one.phones]),
        language=_first([row.language for row in shown], [one.language for one in people]),
        time_zone=_first([row.time_zone for row in shown], [one.time_zone for one in people]),
        is_active=any(
            [one.is_active for one in people] if people else [row.is_active for row in shown]
        ),
        organisation=next(
            (one for one in (*(row.organisation for row in shown), *organisations) if one), None
        ),
    )


def _first(shown: Iterable[str | None], told: Iterable[str | None]) -> str | None:
    return next((value for value in (*shown, *told) if value and value.strip()), None)


def _without_suffix(name: str) -> str:
    return re.sub(r"(?<=\S)\s+\([^()]*\)$", "", name) or name


def _fullest(names: Iterable[str | None]) -> str | None:
    """The name with the most words, then the longest, then the first by letter; an address is no name.

    What stands in brackets behind a name ("Ada Byron (acme Support)") is the desk's or the list's, not hers.
    """
    real = {_without_suffix(name.strip()) for name in names if name and name.strip()}
    best = sorted(real, key=lambda name: ("@" in name, -len(name.split()), -len(name), name))
    return best[0] if best else None
