"""What addresses and single words (a city, a postcode, a domain, an attribute) say.

Belongs here: fields of one value, streets with house numbers. Does not belong here: names, ways to reach somebody.
"""

import numpy as np

from transforms.matching.said import (
    CLOSE,
    DIFFERENT,
    EXACT,
    LIKE,
    Said,
    has_blank,
    is_part,
    log2_of,
    shares,
    slots,
    texts,
    where_true,
)
from transforms.matching.similarity import edits, is_close, is_similar, likeness
from transforms.matching.table import Codes, Column, Table, Wide


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
        said.set(same, EXACT, log2_of(exact / self._share[x[same]]))
        at = np.flatnonzero(present & (x != y))
        p, q = x[at], y[at]
        left, right = texts(self._values, p), texts(self._values, q)
        like = likeness(left, right)
        near = is_close(like) | (is_similar(like) & (like.shorter >= 5))
        asked = ~near & (like.shorter >= 4) & (self._has_blank[p] | self._has_blank[q])
        near |= where_true(asked, left, right, is_part)
        share = np.maximum(self._share[p], self._share[q])[near]
        said.set(at[near], CLOSE, log2_of(close / (share + 0.004)))
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
        said.others = np.where(
            said.level == EXACT, np.maximum(table.address_others[a], table.address_others[b]), 0
        )
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
            said.set(at[chosen], level, log2_of(rate / strangers[chosen]))
            told |= chosen
