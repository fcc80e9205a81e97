"""People as records and rows: what one source says of a person, and what is shown of one person.

Belongs here: the record, the row, survivorship. Does not belong here: keys (`identity`), who is one
(`persons`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transforms.identity_values import is_role_address, normalise_email


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """What one source says of a contact or an agent. `key` is ours, `organisation_key` too."""

    key: str
    source_key: str
    remote_id: str
    name: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    external_id: str | None = None
    organisation_key: str | None = None
    language: str | None = None
    time_zone: str | None = None
    is_active: bool = True

    @property
    def label(self) -> str:
        """The record in words, for reasons: its source and what that calls it."""
        return f"{self.source_key} {self.remote_id}"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What is shown of a contact or an agent, after survivorship."""

    key: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    time_zone: str | None = None
    is_active: bool = True
    organisation_key: str | None = None


def survivor(key: str, records: Sequence[PersonRecord]) -> PersonRow:
    """What is shown of one person, made of all records that are this person, whatever their order.

    The fullest name; of all else the first value that is there, records in use before those that are not, then
    by source and id. An address of a function is shown only where there is no other.
    """
    ordered = sorted(records, key=lambda one: (not one.is_active, one.source_key, one.remote_id))
    emails = [email.strip().lower() for one in ordered for email in one.emails]
    valid = [email for email in emails if normalise_email(email)]
    own = [email for email in valid if not is_role_address(email)]
    return PersonRow(
        key=key,
        name=fullest_name(one.name for one in ordered),
        email=_first(own or valid),
        phone=_first(phone for one in ordered for phone in one.phones),
        language=_first(one.language for one in ordered),
        time_zone=_first(one.time_zone for one in ordered),
        is_active=any(one.is_active for one in ordered),
        organisation_key=_first(one.organisation_key for one in ordered),
    )


def fullest_name(names: Iterable[str | None]) -> str | None:
    """The name with the most words, then one written in its own order, then the longest, then the first by letter; an address is no name.

    What stands in brackets behind a name ("Ada Byron (acme Support)") is the desk's or the list's, not hers.
    """
    real = {_without_suffix(name.strip()) for name in names if name and name.strip()}
    best = sorted(
        real, key=lambda name: ("@" in name, -len(name.split()), "," in name, -len(name), name)
    )
    return best[0] if best else None


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value and value.strip()), None)


def _without_suffix(name: str) -> str:
    return re.sub(r"(?<=\S)\s+\([^()]*\)$", "", name) or name
