"""What each field of a pair says: bits for or against both being one.

Belongs here: comparing fields of pairs of a table. Does not belong here: which pairs (`blocking`), from bits to
clusters (`scoring`, `clustering`).

Two scores stand beside each other, after Fellegi and Sunter: against strangers, where any agreement counts as much
as it is rare, and against people who belong together (a household, colleagues; branches of a chain), where the
shared address, number or domain says little and the given name much. A pair is as sure as the worse of both.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.matching.similarity import (
    Bits,
    crossed,
    edits,
    is_close,
    is_similar,
    likeness,
)
from transforms.matching.table import NONE, Codes, Column, Flags, Table, Vocabulary, Wide
from transforms.matching.values import has_nickname, is_nickname

Small = NDArray[np.int8]

MISSING, DIFFERENT, LIKE, CLOSE, EXACT = 0, 1, 2, 3, 4
"""Levels of a field; LIKE is anything in between."""

SHARED_BY_TWO = 0.05
"""How often two colleagues share what nobody else of the company has."""


@dataclass(slots=True)
class Said:
    """What a field says of each pair.

    Attributes:
        field: its name.
        bits: for (positive) or against both being one rather than strangers; 0 where it is missing.
        level: its outcome.
        others: how many other people seem to have the value in which the pair agrees, where that is counted.
    """

    field: str
    bits: Bits
    level: Small
    others: Bits | None = None

    @classmethod
    def nothing(cls, field: str, size: int) -> "Said":
        """Missing everywhere."""
        return cls(field, np.zeros(size, np.float32), np.zeros(size, np.int8))

    def set(self, where: NDArray[np.int64] | Flags, level: int, bits: object) -> None:
        """Puts one outcome in place."""
        self.level[where] = level
        self.bits[where] = bits

    def taken(self, where: Wide) -> "Said":
        """The same of some of the pairs."""
        others = None if self.others is None else self.others[where]
        return Said(self.field, self.bits[where], self.level[where], others)

    def against(self, sharing: float, people: Bits | None = None) -> Bits:
        """Bits against people who belong together.

        They have the field in common so often, and then agree like records of one; else they are strangers in it.

        Args:
            sharing: how often.
            people: among how many of them the counted others are; None where that is not known.
        """
        share: float | Bits = sharing
        if self.others is not None and people is not None:
            share = np.clip(self.others / people, SHARED_BY_TWO, sharing)
        elif self.others is not None and self.field != "street":
            share = np.maximum(self.others / (self.others + 1), sharing)
        with np.errstate(over="ignore"):
            return -np.log2(share + (1 - share) * np.exp2(-self.bits))


def slots(size: int) -> Flags:
    """No pair has its outcome yet."""
    return np.zeros(size, np.bool_)


def _log2(values: object) -> Bits:
    return np.log2(np.asarray(values, np.float64)).astype(np.float32)


def shares(column: Column, prior: float, records: int) -> NDArray[np.float64]:
    """For each value how often a random record has it; `prior` stands in while there are few records."""
    return (column.counts + 1.0) / (records + 1.0 / prior)


def texts(values: list[str], codes: Codes | Wide) -> list[str]:
    """The texts of codes, none of which is NONE."""
    return [values[at] for at in codes.tolist()]


# Names of persons ---------------------------------------------------------------------------------------------


class NameParts:
    """Compares given and family names, also where they stand in each other's place."""

    def __init__(self, table: Table) -> None:
        """Frequencies are those of the table."""
        size = len(table)
        self._values = table.given.values
        self._loose = table.name_loose
        self._share_given = shares(table.given, 1 / 400, size)
        self._share_family = shares(table.family, 1 / 2_000, size)
        self._count = np.maximum(table.given.counts, table.family.counts) / (size + 5_000)
        self._share_any = np.maximum(self._share_given, self._share_family)
        self._sorted = ["".join(sorted(value)) for value in self._values]
        self._first = np.array([*(ord(value[0]) for value in self._values), 0], np.int32)
        self._has_blank = has_blank(self._values)
        self._has_nickname = np.array([has_nickname(value) for value in self._values], np.bool_)

    def compare(self, table: Table, a: Wide, b: Wide) -> tuple[Said, Said]:
        """(given, family) of each pair, whichever reading of the order fits better."""
        left = (table.given.codes[a], table.family.codes[a])
        right = (table.given.codes[b], table.family.codes[b])
        given = self._part("given name", left[0], right[0], self._share_given)
        family = self._part("family name", left[1], right[1], self._share_family)
        doubt = (
            ((given.level != EXACT) | (family.level != EXACT))
            & ((left[0] >= 0) | (left[1] >= 0))
            & ((right[0] >= 0) | (right[1] >= 0))
            # Where no part of one starts like the other part of the other, nothing was swapped.
            & (self._starts_like(left[0], right[1]) | self._starts_like(left[1], right[0]))
        )
        at = np.flatnonzero(doubt)
        first = self._part("given name", left[0][at], right[1][at], self._share_any)
        second = self._part("family name", left[1][at], right[0][at], self._share_any)
        swap = np.float32(np.log2(0.06))
        better = first.bits + second.bits + swap > given.bits[at] + family.bits[at]
        better &= (first.level >= LIKE) | (second.level >= LIKE)
        chosen = at[better]
        for said, other in ((given, first), (family, second)):
            said.level[chosen] = other.level[better]
            said.bits[chosen] = other.bits[better] + swap / 2
        return given, family

    def _starts_like(self, x: Codes, y: Codes) -> Flags:
        return (x >= 0) & (y >= 0) & (self._first[x] == self._first[y])

    def _part(self, field: str, x: Codes, y: Codes, share: NDArray[np.float64]) -> Said:
        """One part of the name."""
        said = Said.nothing(field, len(x))
        present = (x >= 0) & (y >= 0)
        same = present & (x == y)
        said.set(same, EXACT, _log2(0.80 / share[x[same]]))
        at = np.flatnonzero(present & ~same)
        if not len(at):
            return said
        p, q = x[at], y[at]
        seen = np.maximum(share[p], share[q])
        left, right = texts(self._values, p), texts(self._values, q)
        like = likeness(left, right)
        shorter = like.shorter
        told = slots(len(at))

        def put(
            where: Flags, level: int, one: float, strangers: NDArray[np.float64] | float
        ) -> None:
            where = where & ~told
            said.set(at[where], level, _log2(one / np.broadcast_to(strangers, where.shape)[where]))
            told[where] = True

        put(self._loose[p] == self._loose[q], CLOSE, 0.06, seen + 0.0003)
        # The rarer form decides: a slip makes a word that nearly nobody is called, Anna and Hanna are two names.
        rarer = np.minimum(self._count[p], self._count[q])
        put(is_close(like), CLOSE, 0.08, np.clip(rarer * 60, 2e-4, 0.3))
        put((shorter == 1) & (self._first[p] == self._first[q]), LIKE, 0.9, 0.08)
        put(shorter == 1, DIFFERENT, 0.06, 0.92)
        parts = ~told & (self._has_blank[p] | self._has_blank[q])
        put(where_true(parts, left, right, is_part), LIKE, 0.06, seen + 0.001)
        if field == "given name":
            nicks = ~told & self._has_nickname[p] & self._has_nickname[q]
            put(where_true(nicks, left, right, is_nickname), LIKE, 0.06, seen + 0.003)
        put(is_similar(like), LIKE, 0.03, np.clip(rarer * 500, 2e-3, 0.3))
        rest = np.flatnonzero(~told & (shorter >= 4))
        jumbled = slots(len(at))
        jumbled[rest] = edits(texts(self._sorted, p[rest]), texts(self._sorted, q[rest])) <= 1
        put(jumbled, LIKE, 0.015, 0.01)
        put(~told, DIFFERENT, 0.03, 0.97)
        return said


def has_blank(values: list[str]) -> Flags:
    """For each value whether it is of several words."""
    return np.fromiter((" " in value for value in values), np.bool_, len(values))


def where_true(
    asked: Flags, left: list[str], right: list[str], test: Callable[[str, str], bool]
) -> Flags:
    """Which of the pairs asked for pass a test that only looks at one pair at a time."""
    found = np.zeros(len(asked), np.bool_)
    for at in np.flatnonzero(asked).tolist():
        found[at] = test(left[at], right[at])
    return found


def is_part(left: str, right: str) -> bool:
    """Whether the words of the one are among the other's: `Anna`, `Anna Maria`; or only a blank differs."""
    one, other = set(left.split()), set(right.split())
    return one <= other or other <= one or left.replace(" ", "") == right.replace(" ", "")


# Dates of birth -----------------------------------------------------------------------------------------------


class Born:
    """Compares dates of birth."""

    def __init__(self, table: Table) -> None:
        """Frequencies are those of the table."""
        self._values = table.born.values
        self._share = shares(table.born, 1 / 20_000, len(table))
        number = table.born_numbers.astype(np.int64)
        self._year, self._month, self._day = number // 10_000, number // 100 % 100, number % 100
        self._days = self._year * 365.25 + self._month * 30.44 + self._day

    def compare(self, table: Table, a: Wide, b: Wide) -> Said:
        """The dates of each pair."""
        x, y = table.born.codes[a], table.born.codes[b]
        said = Said.nothing("date of birth", len(a))
        present = (x >= 0) & (y >= 0)
        same = np.flatnonzero(present & (x == y))
        share = self._share[x[same]]
        said.set(same, EXACT, _log2(0.82 / share))
        at = np.flatnonzero(present & (x != y))
        p, q = x[at], y[at]
        apart = edits(texts(self._values, p), texts(self._values, q))
        year, month, day = (part[p] == part[q] for part in (self._year, self._month, self._day))
        turned = year & (self._month[p] == self._day[q]) & (self._day[p] == self._month[q])
        days = np.abs(self._days[p] - self._days[q])
        outcomes = (
            (turned, CLOSE, 0.02, 0.0004),
            (apart <= 1, CLOSE, 0.08, 0.0016),
            ((year & month) | (month & day), LIKE, 0.02, 0.0035),
            (days <= 31, LIKE, 0.015, 0.0025),
            (apart == 2, LIKE, 0.02, 0.012),
            (days <= 366, LIKE, 0.02, 0.03),
            (days >= 0, DIFFERENT, 0.045, 0.95),
        )
        told = np.zeros(len(at), np.bool_)
        for where, level, same_rate, u in outcomes:
            chosen = where & ~told
            said.set(at[chosen], level, _log2(same_rate / u))
            told |= chosen
        return said


# Addresses and numbers ----------------------------------------------------------------------------------------


class Emails:
    """Compares e-mail addresses: every one of the one with every one of the other, the best counts."""

    def __init__(self, table: Table, size: int) -> None:
        """Frequencies are those of the table, counted as if it had at least `size` records."""
        self._size = size
        lists = table.emails
        count = np.bincount(table.email_local, lists.counts, len(table.locals))
        self._share_local = (count + 1) / (size + 20_000)
        self._flat = [value.replace("@", "").replace(".", "") for value in lists.values]
        self._length = np.fromiter(map(len, self._flat), np.int32, len(self._flat))
        self._local_length = np.fromiter(map(len, table.locals), np.int32, len(table.locals))
        domains, digits = Vocabulary(), Vocabulary()
        self._domain = np.fromiter(
            (domains.code_of(value.rpartition("@")[2]) for value in lists.values),
            np.int32,
            len(lists.values),
        )
        self._domain_texts = domains.values
        self._digits = np.fromiter(
            (digits.code_of("".join(filter(str.isdigit, local))) for local in table.locals),
            np.int32,
            len(table.locals),
        )

    def compare(self, table: Table, a: Wide, b: Wide, sharers: NDArray[np.float64]) -> Said:
        """The addresses of each pair; `sharers`: how many other people use each address."""
        said = Said.nothing("e-mail", len(a))
        pair, x, y = crossed(table.emails, a, b)
        if not len(pair):
            return said
        said.others = np.zeros(len(a), np.float32)
        role = table.email_is_role[x] | table.email_is_role[y]
        one = Said.nothing("", len(pair))
        others = np.where(x == y, sharers[x], 0.0) + np.where(role, 2.0, 0.0)
        same = np.flatnonzero(x == y)
        one.set(same, EXACT, _log2(0.65 / ((others[same] + 0.02) / self._size)))
        at = np.flatnonzero(x != y)
        is_colleague = self._domain[x[at]] == self._domain[y[at]]
        # One of a company seldom has two addresses there.
        one.set(at, DIFFERENT, np.where(is_colleague, np.log2(0.08 / 0.99), np.log2(0.2 / 0.99)))
        at = at[~role[at]]
        self._alike(table, one, at, (x[at], y[at]), (a[pair[at]], b[pair[at]]))
        best = _best(said, pair, one)
        said.others[pair[best]] = others[best]
        return said

    def _alike(
        self, table: Table, one: Said, at: Wide, codes: tuple[Wide, Wide], rows: tuple[Wide, Wide]
    ) -> None:
        """Puts in place the addresses that are not the same, but like each other."""
        p, q = codes
        flat = edits(texts(self._flat, p), texts(self._flat, q))
        shorter, longer = np.minimum(*(self._length[c] for c in codes)), np.maximum(*(self._length[c] for c in codes))
        lp, lq = table.email_local[p], table.email_local[q]
        kept = np.flatnonzero((lp == lq) | ((flat * 4 <= longer) & (shorter >= 10)))
        at, p, q, lp, lq = at[kept], p[kept], q[kept], lp[kept], lq[kept]
        flat, shorter = flat[kept], shorter[kept]
        local = edits(texts(table.locals, lp), texts(table.locals, lq))
        local_shorter, local_longer = (
            pick(self._local_length[lp], self._local_length[lq]) for pick in (np.minimum, np.maximum)
        )
        domain = edits(*(self._domains_of(c) for c in (p, q)))
        share = np.maximum(self._share_local[lp], self._share_local[lq])
        digits = self._digits[lp] == self._digits[lq]
        is_long = shorter >= 10
        slip = digits & (flat <= 2) & is_long & (local <= 2)
        messy = digits & is_long & (local * 2 <= local_longer)
        messy &= (domain > 0) | (local * 4 <= local_longer)
        named = self._is_made_of_name(table, rows[0][kept], rows[1][kept], lp, lq)
        outcomes = (
            (slip & (local == 0) & (domain <= 2), CLOSE, 0.05, share * 1e-2 + 1e-6, 4.0),
            (slip & (local == 1) & (local_shorter >= 4), CLOSE, 0.06, 3e-6, 4.0),
            (slip & (domain > 2), CLOSE, 0.06, 3e-6, 4.0),
            ((local == 0) & (local_shorter >= 4), LIKE, 0.07, share + 1e-5, 1.0),
            (messy, LIKE, 0.03, 2e-5, 1.0),
        )
        told = slots(len(at))
        for where, level, rate, strangers, most in outcomes:
            chosen = where & ~told
            bits = _log2(rate / np.broadcast_to(strangers, where.shape))
            # A local part made of the name says little beyond the name.
            one.set(at[chosen], level, np.where(named, np.minimum(bits, most), bits)[chosen])
            told |= chosen

    def _domains_of(self, codes: Wide) -> list[str]:
        """Domains as texts; empty where there is none."""
        values = self._domain_texts
        return [values[at] if at >= 0 else "" for at in self._domain[codes].tolist()]

    def _is_made_of_name(self, table: Table, a: Wide, b: Wide, lp: Codes, lq: Codes) -> Flags:
        """Whether a local part of two contains a name of either record."""
        values, locals_ = table.given.values, table.locals
        names = [
            codes[side].tolist()
            for side in (a, b)
            for codes in (table.given.codes, table.family.codes)
        ]
        found = slots(len(lp))
        for at, (one, other) in enumerate(zip(lp.tolist(), lq.tolist(), strict=True)):
            both = f"{locals_[one]} {locals_[other]}"
            found[at] = any(
                codes[at] >= 0 and len(values[codes[at]]) >= 3 and values[codes[at]] in both
                for codes in names
            )
        return found


class Phones:
    """Compares numbers: every one of the one with every one of the other, the best counts."""

    def __init__(self, table: Table, size: int, *, other_number: float) -> None:
        """`other_number`: how often one person (or organisation) is known by two numbers."""
        self._values = table.phones.values
        self._tail = table.phone_tail
        self._other = other_number
        self._size = size

    def same_number(self, x: Wide, y: Wide) -> Flags:
        """Whether two numbers are one, with or without the country's and the area's digits."""
        at = np.flatnonzero((x != y) & (self._tail[x] == self._tail[y]))
        same = x == y
        values = self._values
        for i in at.tolist():
            one, other = sorted((values[x[i]], values[y[i]]), key=len)
            same[i] = other.endswith(one)
        return same

    def compare(self, table: Table, a: Wide, b: Wide, sharers: NDArray[np.float64]) -> Said:
        """The numbers of each pair; `sharers`: how many other people use each number."""
        said = Said.nothing("phone", len(a))
        pair, x, y = crossed(table.phones, a, b)
        if not len(pair):
            return said
        said.others = np.zeros(len(a), np.float32)
        one = Said.nothing("", len(pair))
        one.set(np.ones(len(pair), np.bool_), DIFFERENT, _log2(self._other))
        same = self.same_number(x, y)
        others = np.where(same, np.maximum(sharers[x], sharers[y]), 0.0)
        one.set(same, EXACT, _log2(0.6 / ((others[same] + 0.2) / self._size)))
        at = np.flatnonzero(~same)
        tails = [[f"{self._tail[code]:07d}" for code in codes[at]] for codes in (x, y)]
        one.set(at[edits(*tails) == 1], CLOSE, _log2(0.05 / 3e-4))
        best = _best(said, pair, one)
        said.others[pair[best]] = others[best]
        return said


def _best(said: Said, pair: Wide, one: Said) -> Wide:
    """Takes of several comparisons of one pair the one that speaks most for it; gives which these are."""
    order = np.lexsort((one.level, one.bits, pair))
    kept = order[np.append(pair[order][1:] != pair[order][:-1], True)]
    said.bits[pair[kept]] = one.bits[kept]
    said.level[pair[kept]] = one.level[kept]
    return kept


# Places -------------------------------------------------------------------------------------------------------


class Words:
    """Compares a field of one value: a city, a postcode, an attribute."""

    def __init__(
        self,
        field: str,
        column: Column,
        size: int,
        *,
        prior: float,
        same: tuple[float, float, float],
    ) -> None:
        """`same`: how often records of one agree, nearly agree, differ."""
        self.field = field
        self._values = column.values
        self._has_blank = has_blank(column.values)
        self._share = shares(column, prior, size)
        self._same = same

    def compare(self, column: Column, a: Wide, b: Wide) -> Said:
        """The values of each pair."""
        said = Said.nothing(self.field, len(a))
        if self._values:
            self.pairs(said, column.codes[a], column.codes[b])
        return said

    def pairs(self, said: Said, x: Codes, y: Codes) -> None:
        """The values with these codes."""
        present = (x >= 0) & (y >= 0)
        same = np.flatnonzero(present & (x == y))
        exact, close, differ = self._same
        said.set(same, EXACT, _log2(exact / self._share[x[same]]))
        at = np.flatnonzero(present & (x != y))
        p, q = x[at], y[at]
        left, right = texts(self._values, p), texts(self._values, q)
        like = likeness(left, right)
        near = is_close(like) | (is_similar(like) & (like.shorter >= 5))
        asked = ~near & (like.shorter >= 4) & (self._has_blank[p] | self._has_blank[q])
        near |= where_true(asked, left, right, is_part)
        share = np.maximum(self._share[p], self._share[q])[near]
        said.set(at[near], CLOSE, _log2(close / (share + 0.004)))
        said.set(at[~near], DIFFERENT, np.log2(differ / 0.95))


class Streets:
    """Compares street with house number, and the address's second line, also where they changed places."""

    def __init__(self, table: Table, size: int, *, moved: float, other_house: float) -> None:
        """`moved`: how often one person (or organisation) is known at two addresses; `other_house`: in one street."""
        self._values, self._numbers = table.street.values, table.house.values
        self._has_blank = has_blank(self._values)
        self._has_second = bool((table.second.counts > 0).any())
        self._share_street = np.maximum(
            shares(table.street, 1 / 3_000, size), shares(table.second, 1 / 3_000, size)
        )
        # The last entry is that of a missing number.
        self._share_house = np.append(shares(table.house, 1 / 200, size), 1.0)
        self._moved, self._other_house = moved, other_house
        self._lines = Words("", table.second, size, prior=1 / 3_000, same=(0.7, 0.1, 0.2))

    def compare(self, table: Table, a: Wide, b: Wide) -> Said:
        """The streets of each pair."""
        said = Said.nothing("street", len(a))
        if not self._values:
            return said
        left, right = table.street.codes[a], table.street.codes[b]
        house = (table.house.codes[a], table.house.codes[b])
        self._streets(said, left, right, house)
        said.others = np.where(said.level == EXACT, np.maximum(table.address_others[a], table.address_others[b]), 0)
        if not self._has_second:
            return said
        other_left, other_right = table.second.codes[a], table.second.codes[b]
        second = Said.nothing("", len(a))
        self._lines.pairs(second, other_left, other_right)
        at = np.flatnonzero(
            (said.level < LIKE)
            & (((left >= 0) & (other_right >= 0)) | ((other_left >= 0) & (right >= 0)))
        )
        crosswise = [Said.nothing("", len(at)) for _ in range(2)]
        numbers = (house[0][at], house[1][at])
        self._streets(crosswise[0], left[at], other_right[at], numbers)
        self._streets(crosswise[1], other_left[at], right[at], numbers)
        bits = np.where(crosswise[0].bits > crosswise[1].bits, *(one.bits for one in crosswise))
        level = np.where(crosswise[0].bits > crosswise[1].bits, *(one.level for one in crosswise))
        bits = bits - 3
        better = (level >= LIKE) & (bits > said.bits[at] + second.bits[at])
        second.bits[at[better]] = 0
        said.set(at[better], LIKE, bits[better])
        said.bits += second.bits
        said.level = np.maximum(said.level, second.level)
        return said

    def _streets(self, said: Said, x: Codes, y: Codes, house: tuple[Codes, Codes]) -> None:
        at = np.flatnonzero((x >= 0) & (y >= 0))
        p, q, m, n = x[at], y[at], house[0][at], house[1][at]
        left, right = texts(self._values, p), texts(self._values, q)
        like = likeness(left, right)
        same, near = like.edits == 0, is_close(like) | is_similar(like)
        asked = ~near & (self._has_blank[p] | self._has_blank[q])
        near |= where_true(asked, left, right, is_part)
        share = np.maximum(self._share_street[p], self._share_street[q])
        agree, differ = (m >= 0) & (m == n), (m >= 0) & (n >= 0) & (m != n)
        number = np.where(agree, self._share_house[m], 1.0)
        slip = np.ones(len(at), np.bool_)
        slip[differ] = edits(texts(self._numbers, m[differ]), texts(self._numbers, n[differ])) <= 1
        outcomes = (
            (same & agree, EXACT, 0.6, np.maximum(share * number, 1e-6)),
            (near & agree, EXACT, 0.12, np.maximum((share + 0.003) * number, 1e-6)),
            (same & ~differ, CLOSE, 0.5, share),
            (near & ~differ, CLOSE, 0.08, share + 0.006),
            (same & slip, LIKE, self._other_house, share),
            (same, LIKE, self._other_house / 3, share),
            (near & slip, LIKE, self._other_house / 3, share + 0.006),
            (near, LIKE, self._other_house / 9, share + 0.006),
            (agree, DIFFERENT, self._moved, np.full(len(at), 0.6)),
            (~same, DIFFERENT, self._moved, np.ones(len(at))),
        )
        told = slots(len(at))
        for where, level, rate, strangers in outcomes:
            chosen = where & ~told
            said.set(at[chosen], level, _log2(rate / strangers[chosen]))
            told |= chosen
