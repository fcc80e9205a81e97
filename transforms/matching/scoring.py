"""The score of a pair: all its fields together, in bits of the odds that both are one.

Belongs here: which fields persons and organisations are compared by, the prior, what holds a high score back.
Does not belong here: single fields (`names`, `reach`, `places` and others), clusters (`clustering`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.matching.dates import Born
from transforms.matching.names import NameParts
from transforms.matching.organisations import OrganisationName
from transforms.matching.places import Streets, Words
from transforms.matching.reach import Emails, Phones
from transforms.matching.records import MATCH_BITS
from transforms.matching.said import CLOSE, EXACT, LIKE, Said
from transforms.matching.similarity import Bits, crossed
from transforms.matching.table import NONE, Column, Flags, Lists, Table, Wide
from transforms.matching.weights import (
    BUILDING,
    CHAIN,
    COLLEAGUES,
    HOUSEHOLD,
    OTHERWISE,
    RARE_NAME_BITS,
    RELATED_BITS,
)

NAMES = ("given name", "family name")

NO_IDENTITY = frozenset({*NAMES, "company", "domain", "city", "postcode", "region"})
"""Fields that make no match of a name, however rare they are: too many people share them."""

CHUNK = 400_000
"""Pairs compared at once: what bounds the memory."""

CONFLICT_BITS = -2.0
"""Below, what names, dates and places say makes two people of a pair."""

FAMILY_BITS = 4.0
"""By so much surer must it be that two are only of one household: a single other given name may be damaged."""

DAMAGED = 0.1
"""So many pairs of one person's own records conflict, since one of them is damaged or half empty."""

NOT_COMPARED = -99.0
"""Score of pairs that were left out at first sight."""

FEWEST = 2_000
"""Small tables count as if they had so many records: a coincidence there is not rarer than in the world."""


@dataclass(slots=True)
class Scores:
    """For each pair its score, how many bits its fields told at all, whether more than names agrees."""

    bits: Bits
    told: Bits
    is_beyond_names: Flags


@dataclass(slots=True)
class _Sums:
    """What several fields say together: against strangers, and against each kind of related people."""

    random: Bits
    related: list[Bits]
    told: Bits
    beyond: Flags
    names: Bits

    @property
    def apart(self) -> Bits:
        """How sure it is that the pair is one, by these fields, whether strangers or of one household or chain."""
        apart: Bits = np.minimum(self.random, self.related[0] + FAMILY_BITS)
        return apart


class Scorer:
    """Scores the candidate pairs of one table."""

    def __init__(self, table: Table) -> None:
        """Frequencies are those of the table."""
        self._table = table
        person = self._is_person = table.kind == "person"
        size = max(len(table), FEWEST)
        self._prior = float(-np.log2(size))
        self._circles: tuple[Mapping[str, float], ...] = (
            (HOUSEHOLD, COLLEAGUES) if person else (CHAIN, BUILDING)
        )
        self._emails = Emails(table, size)
        self._phones = Phones(table, size, other_number=0.35 if person else 0.45)
        self._streets = Streets(
            table, size, moved=0.2 if person else 0.08, other_house=0.08 if person else 0.02
        )
        area = (0.75, 0.1, 0.15) if person else (0.85, 0.07, 0.08)
        self._area = [
            Words("postcode", table.postcode, size, prior=1 / 500, same=area),
            Words("city", table.city, size, prior=1 / 100, same=area),
            Words("region", table.region, size, prior=1 / 10, same=(0.9, 0.02, 0.08)),
        ]
        domain = (0.5, 0.0001, 0.5) if person else (0.7, 0.0001, 0.3)
        self._domain = Words("domain", table.domains, size, prior=1 / 500, same=domain)
        self._attributes = [
            Words(name, column, size, prior=1 / 20, same=(0.8, 0.05, 0.15))
            for name, column in table.attributes.items()
        ]
        self._born = Born(table)
        self._name = NameParts(table)
        self._organisation = OrganisationName(table)
        self._people = [_people(table, column) for column in (table.domains, table.company)]
        self._email_sharers = np.zeros(len(table.emails.values))
        self._phone_sharers = np.zeros(len(table.phones.values))

    def score(self, a: Wide, b: Wide) -> Bits:
        """The score of each candidate pair, computed in pieces.

        First all fields but addresses and numbers; where these tell two people apart, an address that both have is a
        shared one, and counts less in every pair.
        """
        pieces = [slice(at, at + CHUNK) for at in range(0, len(a), CHUNK)]
        kept = np.concatenate(
            [np.zeros(0, np.bool_), *(self._may_be_one(a[p], b[p]) for p in pieces)]
        )
        conflict = ~kept
        rows = np.flatnonzero(kept)
        chunks = [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
        sums = [self._steady_sums(self._table, a[at], b[at]) for at in chunks]
        for at, one in zip(chunks, sums, strict=True):
            conflict[at] = one.apart < CONFLICT_BITS
        self._email_sharers = _sharers(self._table.emails, a, b, conflict)
        self._phone_sharers = _sharers(self._table.phones, a, b, conflict)
        bits = np.full(len(a), NOT_COMPARED, np.float32)
        for at, one in zip(chunks, sums, strict=True):
            bits[at] = self._together(one, self._table, a[at], b[at]).bits
        return bits

    def _may_be_one(self, a: Wide, b: Wide) -> Flags:
        """Leaves out people whose names conflict so that neither address nor number could make up for it.

        Against people of one household only dates of birth, an address of their own or further attributes could.
        """
        table = self._table
        if not self._is_person or table.attributes:
            return np.ones(len(a), np.bool_)
        names = np.sum(
            [said.against(HOUSEHOLD[said.field]) for said in self._name.compare(table, a, b)],
            axis=0,
        )
        born = (table.born.codes[a] >= 0) & (table.born.codes[b] >= 0)
        kept: Flags = (names > CONFLICT_BITS - 1) | born
        asked = np.flatnonzero(~kept)
        pair, x, y = crossed(table.emails, a[asked], b[asked])
        kept[asked[pair[x == y]]] = True
        return kept

    def further(self, a: Wide, b: Wide, table: Table | None = None) -> Scores:
        """The score of any other pairs, with what the candidates told of shared addresses.

        Args:
            a: rows.
            b: rows.
            table: where other values stand in the rows than in the scorer's own table.
        """
        table = table or self._table
        return self._together(self._steady_sums(table, a, b), table, a, b)

    def said(self, a: Wide, b: Wide, table: Table | None = None) -> list[Said]:
        """What each field says of each pair."""
        table = table or self._table
        return [*self._steady(table, a, b), *self._reachable(table, a, b)]

    def _steady_sums(self, table: Table, a: Wide, b: Wide) -> _Sums:
        return self._sums(self._steady(table, a, b), self._colleagues(table, a, b))

    def _steady(self, table: Table, a: Wide, b: Wide) -> list[Said]:
        """All fields but addresses and numbers."""
        if self._is_person:
            fields = [*self._name.compare(table, a, b), self._born.compare(table, a, b)]
            if table.company.values:
                company = self._organisation.compare(table, a, b)
                company.field = "company"
                fields.append(company)
        else:
            fields = [self._organisation.compare(table, a, b)]
        fields.append(self._streets.compare(table, a, b))
        fields += self._area_said(table, a, b)
        fields += [words.compare(table.attributes[words.field], a, b) for words in self._attributes]
        return fields

    def _reachable(self, table: Table, a: Wide, b: Wide) -> list[Said]:
        """Addresses, numbers, domains."""
        emails = self._emails.compare(table, a, b, self._email_sharers)
        domain = self._domain.compare(table.domains, a, b)
        if self._is_person:
            # An address that agrees has told its domain; other domains are no news to other addresses.
            untold = (emails.level >= LIKE) | (domain.level < EXACT)
            domain.bits[untold] = 0
            domain.level[untold] = 0
        return [emails, self._phones.compare(table, a, b, self._phone_sharers), domain]

    def _area_said(self, table: Table, a: Wide, b: Wide) -> list[Said]:
        """Postcode, city and region: one tells much of the others, so the strongest counts whole."""
        columns = (table.postcode, table.city, table.region)
        found = [
            words.compare(column, a, b) for words, column in zip(self._area, columns, strict=True)
        ]
        bits = np.stack([said.bits for said in found])
        main = ((bits == bits.max(axis=0)) & (bits > 0)) | ((bits == bits.min(axis=0)) & (bits < 0))
        for at, said in enumerate(found):
            said.bits = np.where(main[at], bits[at], bits[at] * 0.4).astype(np.float32)
        return found

    def _sums(self, fields: list[Said], colleagues: Bits) -> _Sums:
        beyond = np.zeros(len(fields[0].bits), np.bool_)
        for said in fields:
            if said.field not in NO_IDENTITY:
                least = LIKE if said.field in ("e-mail", "street", "date of birth") else CLOSE
                # Dates a few months apart are no agreement, but more than a name.
                worth = -1 if said.field == "date of birth" else 1
                beyond |= (said.level >= least) & (said.bits > worth)
        names = [said.bits for said in fields if said.field in NAMES]
        return _Sums(
            np.sum([said.bits for said in fields], axis=0),
            [
                np.sum(
                    [
                        said.against(
                            circle.get(said.field, OTHERWISE),
                            np.maximum(colleagues, 1) if circle is COLLEAGUES else None,
                        )
                        for said in fields
                    ],
                    axis=0,
                )
                for circle in self._circles
            ],
            np.sum([np.abs(said.bits) for said in fields], axis=0),
            beyond,
            np.sum(names, axis=0) if names else np.zeros(len(beyond), np.float32),
        )

    def _together(self, steady: _Sums, table: Table, a: Wide, b: Wide) -> Scores:
        """One score from all fields: as sure as the worst of what else the pair might be."""
        colleagues = self._colleagues(table, a, b)
        rest = self._sums(self._reachable(table, a, b), colleagues)
        bits = -(steady.random + rest.random + self._prior)
        for circle, one, other in zip(self._circles, steady.related, rest.related, strict=True):
            against = one + other + RELATED_BITS
            if circle is COLLEAGUES:
                with np.errstate(divide="ignore"):
                    against = against - np.log2(colleagues)
            bits = np.logaddexp2(bits, -against)
        bits = -bits
        beyond = steady.beyond | rest.beyond
        if self._is_person:
            beyond |= (colleagues > 0) & (steady.names + self._prior >= RARE_NAME_BITS)
            bits = np.where(beyond, bits, np.minimum(bits, MATCH_BITS - 0.1))
        return Scores(bits.astype(np.float32), (steady.told + rest.told).astype(np.float32), beyond)

    def _colleagues(self, table: Table, a: Wide, b: Wide) -> Bits:
        """How many others the company has of which both are; 0 where they are of none or of two."""
        found = np.zeros(len(a), np.float32)
        for column, people in zip((table.domains, table.company), self._people, strict=True):
            x, y = column.codes[a], column.codes[b]
            same = (x == y) & (x >= 0)
            found[same] = np.maximum(found[same], np.maximum(people[x[same]] - 1, 1))
        return found


def _people(table: Table, company: Column) -> NDArray[np.int64]:
    """For each company how many people it seems to have: the fewest different names or addresses of its records."""
    fewest = np.full(len(company.values), np.iinfo(np.int64).max)
    sounds = np.append(table.name_sound, NONE)
    first = np.full(len(table), NONE, np.int32)
    has = np.flatnonzero(np.diff(table.emails.start))
    first[has] = table.emails.codes[table.emails.start[has]]
    for codes in (sounds[table.given.codes], sounds[table.family.codes], first):
        at = np.flatnonzero((codes >= 0) & (company.codes >= 0))
        if len(at):
            width = int(codes.max()) + 1
            pairs = np.unique(company.codes[at].astype(np.int64) * width + codes[at])
            count = np.bincount(pairs // width, minlength=len(company.values))
            fewest = np.where(count > 0, np.minimum(fewest, count), fewest)
    people: NDArray[np.int64] = np.minimum(fewest, company.counts)
    return people


def _sharers(lists: Lists, a: Wide, b: Wide, conflict: Flags) -> NDArray[np.float64]:
    """For each value how many other people use it: its records times how often two of them are told apart."""
    pair, x, y = crossed(lists, a, b)
    same = x == y
    codes = x[same]
    pairs = np.bincount(codes, minlength=len(lists.values))
    against = np.bincount(codes, conflict[pair[same]], len(lists.values))
    rate = np.maximum(against / np.maximum(pairs, 1) - DAMAGED, 0)
    others: NDArray[np.float64] = rate * np.maximum(lists.counts - 1, 0)
    return others
