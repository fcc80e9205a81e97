"""What is to be erased in one raw record, and what of it is kept: pure data, and the pseudonym.

Belongs here: the rule that `records.erased` follows. Does not belong here: which records are affected
(`connectors.warehouse.erasures`), how a payload is rewritten (`vendor_json`, `records`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

ERASED = "[erased]"
"""Stands where text was."""

DOMAIN = "erased.invalid"
"""Of the addresses that stand where a person's were; RFC 2606 keeps `.invalid` from ever being anybody's."""

ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
"""Something that may be an e-mail address, in any text."""


def pseudonym(contact_key: str) -> str:
    """The address by which an erased person is known from then on: of the key alone, the same in every source."""
    return f"erased-{contact_key.rpartition('-')[2][:12]}@{DOMAIN}"


def _nobody(_address: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to one record.

    `is_whole`: every text goes that is not structure; else only the listed `parts` (ids of objects in its lists),
    and addresses of erased people where they stand. `kept_fields` are ids or names of a helpdesk's own fields, and
    `columns` those of an export, whose words are structure (chosen options, statuses). Of its other columns `address_column` gets
    the pseudonym, and `blank_columns`, which say who it is in other ways, get nothing. `mail` is the whole text that stands for a mail. `pseudonym` is given to the record of a person, and
    `replaced` says for any address whether it is an erased person's and what stands for it.
    """

    is_whole: bool = True
    parts: frozenset[str] = frozenset()
    kept_fields: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    blank_columns: frozenset[str] = frozenset()
    address_column: str | None = None
    mail: str | None = None
    pseudonym: str | None = None
    replaced: Callable[[str], str | None] = field(default=_nobody)
