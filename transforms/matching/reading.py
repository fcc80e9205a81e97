"""Records read into columns of numbers.

Belongs here: from records to a `table.Table`. Does not belong here: the table itself, normal forms (`values`).
"""

from array import array
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from transforms.identity_values import is_role_address
from transforms.matching.records import Kind, MatchRecord
from transforms.matching.table import NONE, Codes, Column, Lists, Table, Vocabulary, Wide
from transforms.matching.values import (
    born_number,
    email_text,
    loose,
    name_word,
    organisation_words,
    own_domain,
    phone_digits,
    place_word,
    sound,
    split_name,
    street_parts,
)


def table_of(records: Iterable[MatchRecord], kind: Kind) -> Table:
    """Columns of the records, sorted by key.

    Raises:
        ValueError: two records have one key.
    """
    reader = _Reader(kind)
    for record in records:
        reader.take(record)
    return reader.finish()


class _Reader:
    """Takes one record after the other; nothing of a record is kept but its values' numbers."""

    def __init__(self, kind: Kind) -> None:
        self._kind: Kind = kind
        self._keys: list[str] = []
        self._names = Vocabulary(name_word)
        self._split: dict[str, tuple[int, int]] = {}
        self._companies = Vocabulary(lambda text: " ".join(organisation_words(text)))
        self._emails = Vocabulary(email_text, is_remembered=False)
        self._domains = Vocabulary(own_domain)
        self._phones = Vocabulary(phone_digits, is_remembered=False)
        self._streets, self._houses = Vocabulary(), Vocabulary()
        self._places = {name: Vocabulary(place_word) for name in ("city", "postcode", "region")}
        self._born = Vocabulary(
            lambda text: f"{born_number(text):08d}" if born_number(text) > 0 else ""
        )
        self._attributes: dict[str, tuple[Vocabulary, array[int], array[int]]] = {}
        self._single = {
            name: array("i")
            for name in (
                *("given", "family", "company", "domain", "street", "second", "house"),
                *("city", "postcode", "region", "born"),
            )
        }
        self._many = {name: (array("i"), array("i")) for name in ("emails", "phones")}

    def take(self, record: MatchRecord) -> None:
        row = self._single
        number = len(self._keys)
        self._keys.append(record.key)
        given, family, company = self._names_of(record)
        row["given"].append(given)
        row["family"].append(family)
        row["company"].append(company)
        row["domain"].append(self._domains.code(record.domain))
        street, house = (
            street_parts(record.street, record.house_number) if record.street else ("", "")
        )
        row["street"].append(self._streets.code_of(street))
        row["house"].append(self._houses.code_of(house))
        second = street_parts(record.second_line, "-")[0] if record.second_line else ""
        row["second"].append(self._streets.code_of(second))
        row["city"].append(self._places["city"].code(record.city))
        row["postcode"].append(self._places["postcode"].code(record.postcode))
        row["region"].append(self._places["region"].code(record.region))
        row["born"].append(self._born.code(record.born))
        for name, vocabulary, texts in (
            ("emails", self._emails, record.emails),
            ("phones", self._phones, record.phones),
        ):
            if texts:
                owners, codes = self._many[name]
                for code in dict.fromkeys(map(vocabulary.code, texts)):
                    if code != NONE:
                        owners.append(number)
                        codes.append(code)
        for name, text in record.attributes:
            known = self._attributes.get(name)
            if known is None:
                known = self._attributes[name] = (Vocabulary(place_word), array("i"), array("i"))
            known[1].append(number)
            known[2].append(known[0].code(text))

    def _names_of(self, record: MatchRecord) -> tuple[int, int, int]:
        """(given, family, company)."""
        if self._kind == "organisation":
            return NONE, NONE, self._companies.code(record.name or record.company)
        company = self._companies.code(record.company) if record.company else NONE
        if record.given or record.family or not record.name:
            return self._names.code(record.given), self._names.code(record.family), company
        known = self._split.get(record.name)
        if known is None:
            given, family = split_name(record.name)
            known = (self._names.code_of(given), self._names.code_of(family))
            self._split[record.name] = known
        return *known, company

    def finish(self) -> Table:
        order = np.array(sorted(range(len(self._keys)), key=self._keys.__getitem__), dtype=np.int64)
        keys = [self._keys[at] for at in order]
        twice = next((a for a, b in pairwise(keys) if a == b), None)
        if twice is not None:
            raise ValueError(f"two records to be matched have the key {twice!r}")
        self._split = {}
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        single = {
            name: np.frombuffer(codes, np.int32)[order] if codes else np.empty(0, np.int32)
            for name, codes in self._single.items()
        }
        both, (given, family) = _ordered(self._names, single.pop("given"), single.pop("family"))
        names = Column(both, given, _counts(given, len(both)))
        families = Column(both, family, _counts(family, len(both)))
        both, (street, second) = _ordered(self._streets, single.pop("street"), single.pop("second"))
        streets, seconds = (
            Column(both, codes, _counts(codes, len(both))) for codes in (street, second)
        )
        house = _column(self._houses, single.pop("house"))
        company = _column(self._companies, single.pop("company"))
        emails = self._lists("emails", self._emails, rank)
        phones = self._lists("phones", self._phones, rank)
        locals_, own = Vocabulary(), Vocabulary()
        local_codes, domain_codes = array("i"), array("i")
        is_role = np.zeros(len(emails.values), np.bool_)
        for at, value in enumerate(emails.values):
            local, _, domain = value.rpartition("@")
            local_codes.append(locals_.code_of(local or value))
            domain_codes.append(own.code_of(own_domain(domain)) if local else NONE)
            is_role[at] = is_role_address(value)
        domains = self._record_domains(single.pop("domain"), emails, domain_codes, own)
        born = _column(self._born, single.pop("born"))
        columns = {"given": names, "family": families, "company": company, "domains": domains}
        columns |= {"street": streets, "second": seconds, "house": house, "born": born}
        columns |= {name: _column(self._places[name], single.pop(name)) for name in self._places}
        return Table(
            kind=self._kind,
            keys=keys,
            columns=columns,
            name_sound=names.derived(sound),
            name_loose=names.derived(loose),
            words=_words_of(company.values),
            emails=emails,
            email_local=_array(local_codes),
            email_domain=_array(domain_codes),
            email_is_role=is_role,
            locals=locals_.values,
            phones=phones,
            phone_tail=np.fromiter(
                (int(value[-7:]) for value in phones.values), np.int64, len(phones.values)
            ),
            address_others=_address_others(streets, house),
            born_numbers=np.fromiter(map(int, born.values), np.int32, len(born.values)),
            attributes=self._attribute_columns(rank),
        )

    def _lists(self, name: str, vocabulary: Vocabulary, rank: Wide) -> Lists:
        owners, codes = (_array(part) for part in self._many.pop(name))
        places = rank[owners] if len(owners) else np.empty(0, np.int64)
        order = np.argsort(places, kind="stable")
        values, (ordered,) = _ordered(vocabulary, codes[order])
        start = np.zeros(len(self._keys) + 1, np.int64)
        np.cumsum(np.bincount(places, minlength=len(self._keys)), out=start[1:])
        return Lists(values, ordered, start, _counts(ordered, len(values)))

    def _record_domains(
        self, own: Codes, emails: Lists, domain_codes: "array[int]", known: Vocabulary
    ) -> Column:
        """The domain of each record: what it says itself, else its first address's."""
        codes = np.full(len(self._keys), NONE, np.int32)
        if len(emails.codes):
            has = np.flatnonzero(np.diff(emails.start))
            codes[has] = _array(domain_codes)[emails.codes[emails.start[has]]]
        if len(self._domains.values):
            place = np.array([known.code_of(v) for v in self._domains.values], np.int32)
            told = own != NONE
            codes[told] = place[own[told]]
        return Column(known.values, codes, _counts(codes, len(known.values)))

    def _attribute_columns(self, rank: Wide) -> dict[str, Column]:
        columns = {}
        for name, (vocabulary, owners, codes) in sorted(self._attributes.items()):
            whole = np.full(len(self._keys), NONE, np.int32)
            whole[rank[_array(owners)]] = _array(codes)
            columns[name] = _column(vocabulary, whole)
        return columns


def _address_others(street: Column, house: Column) -> NDArray[np.float32]:
    where = street.codes.astype(np.int64) * (len(house.values) + 1) + house.codes
    _, place, counts = np.unique(where, return_inverse=True, return_counts=True)
    others: NDArray[np.float32] = np.maximum(counts[place] - 2, 0).astype(np.float32)
    return others


def _array(values: "array[int]") -> Codes:
    return np.frombuffer(values, np.int32) if len(values) else np.empty(0, np.int32)


def _ordered(vocabulary: Vocabulary, *columns: Codes) -> tuple[list[str], list[Codes]]:
    """Values numbered by their first use in the sorted records, so that the order of reading leaves no trace."""
    used = np.concatenate([np.stack(columns, axis=1).ravel()]) if len(columns) > 1 else columns[0]
    found, first = np.unique(used, return_index=True)
    first, found = first[found != NONE], found[found != NONE]
    by_use = found[np.argsort(first, kind="stable")]
    place = np.full(len(vocabulary.values) + 1, NONE, np.int32)
    place[by_use] = np.arange(len(by_use), dtype=np.int32)
    values = vocabulary.closed().values
    return [values[at] for at in by_use], [place[column] for column in columns]


def _column(vocabulary: Vocabulary, codes: Codes) -> Column:
    values, (ordered,) = _ordered(vocabulary, codes)
    return Column(values, ordered, _counts(ordered, len(values)))


def _counts(codes: Codes, values: int) -> Codes:
    return np.bincount(codes[codes != NONE], minlength=values).astype(np.int32)


def _words_of(names: list[str]) -> Lists:
    words = Vocabulary()
    codes, start = array("i"), np.zeros(len(names) + 1, np.int64)
    for at, name in enumerate(names):
        for word in name.split():
            codes.append(words.code_of(word))
        start[at + 1] = len(codes)
    every = _array(codes)
    return Lists(words.values, every, start, _counts(every, len(words.values)))
