"""Records as columns of numbers: every value once, each record its number, so that a million records stay small.

Belongs here: the table, its columns and lists, how frequent each value is. Does not belong here: reading records into
it (`reading`), choosing pairs (`blocking`), comparing (`scoring`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from transforms.matching.records import Kind

Codes = NDArray[np.int32]
Wide = NDArray[np.int64]
Flags = NDArray[np.bool_]

NONE = -1
"""Code of a missing value."""


SINGLE = (
    *("given", "family", "company", "domains", "street", "second", "house"),
    *("city", "postcode", "region", "born"),
)
"""The fields of a table that hold one value for each record."""


class Vocabulary:
    """Values and their numbers; `made` turns what was written into the compared form, once for each spelling."""

    def __init__(
        self, made: Callable[[str], str] | None = None, *, is_remembered: bool = True
    ) -> None:
        """`is_remembered` is for values that come often: spellings are looked up instead of made again."""
        self._made = made
        self._spellings: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._is_remembered = is_remembered and made is not None
        self.values: list[str] = []

    def code(self, text: str | None) -> int:
        """The number of a value; NONE for a missing one or one of which nothing is left."""
        if not text:
            return NONE
        if self._is_remembered:
            known = self._spellings.get(text)
            if known is None:
                known = self._spellings[text] = self.code_of(
                    self._made(text) if self._made else text
                )
            return known
        return self.code_of(self._made(text) if self._made else text)

    def code_of(self, value: str) -> int:
        """The number of a value in its compared form."""
        if not value:
            return NONE
        known = self._codes.get(value)
        if known is None:
            known = self._codes[value] = len(self.values)
            self.values.append(value)
        return known

    def closed(self) -> "Vocabulary":
        """Itself without what is only for reading further records."""
        self._spellings = {}
        self._codes = {}
        return self


@dataclass(slots=True)
class Column:
    """One value for each record: `codes` into `values`, and how many records have each value."""

    values: list[str]
    codes: Codes
    counts: Codes

    def taken(self, rows: Wide) -> "Column":
        """Those of some records."""
        return replace(self, codes=self.codes[rows])

    def derived(self, made: Callable[[str], str]) -> Codes:
        """For each value the number of what is made of it."""
        other = Vocabulary()
        return np.fromiter(
            (other.code_of(made(value)) for value in self.values), np.int32, len(self.values)
        )


@dataclass(slots=True)
class Lists:
    """Any number of values for each record: those of record i are `codes[start[i]:start[i + 1]]`."""

    values: list[str]
    codes: Codes
    start: Wide
    counts: Codes

    def taken(self, rows: Wide) -> "Lists":
        """Those of some records."""
        sizes = np.diff(self.start)[rows]
        start = np.append(0, np.cumsum(sizes)).astype(np.int64)
        at = np.arange(start[-1]) + np.repeat(self.start[rows] - start[:-1], sizes)
        return replace(self, codes=self.codes[at], start=start)

    def owners(self) -> Wide:
        """For each entry the record it belongs to."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


@dataclass(slots=True)
class Table:
    """All records in the order of their keys.

    Attributes:
        kind: persons or organisations.
        keys: of the records.
        columns: the fields of `SINGLE`; given and family names share their values, so do the lines of an address.
        name_sound: for each name value the number of how it sounds.
        name_loose: the number of its form without differences of transliteration.
        words: words of each company value, not of each record.
        emails: addresses.
        email_local: for each address the number of its local part.
        email_domain: the number of its domain where that is a company's.
        email_is_role: whether it is a function's.
        locals: local parts.
        phones: numbers.
        phone_tail: the last seven digits of each number.
        address_others: for each record how many further ones than two have its street and house number.
        born_numbers: for each date `YYYYMMDD`.
        attributes: anything else, by name.
    """

    kind: Kind
    keys: list[str]
    columns: dict[str, Column]
    name_sound: Codes
    name_loose: Codes
    words: Lists
    emails: Lists
    email_local: Codes
    email_domain: Codes
    email_is_role: Flags
    locals: list[str]
    phones: Lists
    phone_tail: Wide
    address_others: NDArray[np.float32]
    born_numbers: Codes
    attributes: dict[str, Column]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def given(self) -> Column:
        """Given names of persons."""
        return self.columns["given"]

    @property
    def family(self) -> Column:
        """Family names of persons."""
        return self.columns["family"]

    @property
    def company(self) -> Column:
        """Employers of persons, names of organisations."""
        return self.columns["company"]

    @property
    def domains(self) -> Column:
        """Domains of companies."""
        return self.columns["domains"]

    @property
    def street(self) -> Column:
        """Streets, first lines of addresses."""
        return self.columns["street"]

    @property
    def second(self) -> Column:
        """Second lines."""
        return self.columns["second"]

    @property
    def house(self) -> Column:
        """House numbers."""
        return self.columns["house"]

    @property
    def city(self) -> Column:
        """Cities."""
        return self.columns["city"]

    @property
    def postcode(self) -> Column:
        """Postcodes."""
        return self.columns["postcode"]

    @property
    def region(self) -> Column:
        """Regions."""
        return self.columns["region"]

    @property
    def born(self) -> Column:
        """Dates of birth."""
        return self.columns["born"]

    def taken(self, rows: Wide) -> "Table":
        """Some of the records, in this order; values and their frequencies stay those of all."""
        return replace(
            self,
            keys=[self.keys[row] for row in rows.tolist()],
            columns={name: column.taken(rows) for name, column in self.columns.items()},
            emails=self.emails.taken(rows),
            phones=self.phones.taken(rows),
            address_others=self.address_others[rows],
            attributes={name: column.taken(rows) for name, column in self.attributes.items()},
        )
