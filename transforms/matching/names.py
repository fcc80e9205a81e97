"""What the names of two persons say.

Belongs here: given and family names. Does not belong here: names of organisations (`organisations`).
"""

import numpy as np
from numpy.typing import NDArray

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
from transforms.matching.table import Codes, Flags, Table, Wide
from transforms.matching.values import has_nickname, is_known_name, is_nickname


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
        self._is_known = np.array([is_known_name(value) for value in self._values], np.bool_)
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
        starts_like: Flags = (x >= 0) & (y >= 0) & (self._first[x] == self._first[y])
        return starts_like

    def _part(self, field: str, x: Codes, y: Codes, share: NDArray[np.float64]) -> Said:
        """One part of the name."""
        said = Said.nothing(field, len(x))
        present = (x >= 0) & (y >= 0)
        same = present & (x == y)
        said.set(same, EXACT, log2_of(0.80 / share[x[same]]))
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
            said.set(
                at[where], level, log2_of(one / np.broadcast_to(strangers, where.shape)[where])
            )
            told[where] = True

        put(self._loose[p] == self._loose[q], CLOSE, 0.06, seen + 0.0003)
        if field == "given name":
            both_known = self._is_known[p] & self._is_known[q]
            nicks = ~told & self._has_nickname[p] & self._has_nickname[q]
            put(where_true(nicks, left, right, is_nickname), LIKE, 0.06, seen + 0.003)
            put(both_known & (shorter > 1), DIFFERENT, 0.03, 0.97)
        # The rarer form decides: a slip makes a word that nearly nobody is called, Anna and Hanna are two names.
        rarer = np.minimum(self._count[p], self._count[q])
        put(is_close(like), CLOSE, 0.08, np.clip(rarer * 60, 2e-4, 0.3))
        put((shorter == 1) & (self._first[p] == self._first[q]), LIKE, 0.9, 0.08)
        put(shorter == 1, DIFFERENT, 0.06, 0.92)
        parts = ~told & (self._has_blank[p] | self._has_blank[q])
        put(where_true(parts, left, right, is_part), LIKE, 0.06, seen + 0.001)
        put(is_similar(like), LIKE, 0.03, np.clip(rarer * 500, 2e-3, 0.3))
        rest = np.flatnonzero(~told & (shorter >= 4))
        jumbled = slots(len(at))
        jumbled[rest] = edits(texts(self._sorted, p[rest]), texts(self._sorted, q[rest])) <= 1
        put(jumbled, LIKE, 0.015, 0.01)
        put(~told, DIFFERENT, 0.03, 0.97)
        return said
