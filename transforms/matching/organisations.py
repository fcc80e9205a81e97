"""What the names of two organisations say.

Belongs here: comparing them by their words. Does not belong here: normal forms (`values`), all other fields
(`scoring`).
"""

import numpy as np
from numpy.typing import NDArray

from transforms.matching.said import CLOSE, DIFFERENT, EXACT, LIKE, Said, slots
from transforms.matching.similarity import crossed, likeness
from transforms.matching.table import Table, Wide
from transforms.matching.word_lists import BRANCH_WORDS

_MOST_BITS = 14.0


class OrganisationName:
    """Compares names by the words they share, each as much as it is rare, and those they do not."""

    def __init__(self, table: Table) -> None:
        """Frequencies are those of the table's own names."""
        self._words = table.words
        self._branch = [
            frozenset(word for word in name.split() if word in BRANCH_WORDS or word.isdigit())
            for name in table.company.values
        ]
        owners = table.words.owners()
        count = np.zeros(len(table.words.values), np.float64)
        np.add.at(count, table.words.codes, table.company.counts[owners])
        self._bits = -np.log2((count + 1) / (len(table) + 300))
        self._whole = np.zeros(len(table.company.values))
        np.add.at(self._whole, owners, self._bits[table.words.codes])

    def compare(self, table: Table, a: Wide, b: Wide) -> Said:
        """The names of each pair."""
        said = Said.nothing("name", len(a))
        x, y = (table.company.codes[rows].astype(np.int64) for rows in (a, b))
        at = np.flatnonzero((x >= 0) & (y >= 0))
        x, y = x[at], y[at]
        shared = np.where(x == y, self._whole[x], 0.0)
        other = np.flatnonzero(x != y)
        shared[other] = self._shared(x[other], y[other])
        left, right = self._whole[x], self._whole[y]
        ratio = shared / np.maximum(left + right - shared, 0.1)
        within = shared / np.maximum(np.minimum(left, right), 0.1)
        worth = np.minimum(shared, _MOST_BITS)
        other_branch = slots(len(at))
        for i in np.flatnonzero((shared > 0) & (x != y)).tolist():
            one, two = self._branch[x[i]], self._branch[y[i]]
            other_branch[i] = bool(one) and bool(two) and one.isdisjoint(two)
        outcomes = (
            (other_branch, DIFFERENT, np.full(len(at), -3.0)),
            (ratio > 0.95, EXACT, worth + np.log2(0.5)),
            (ratio >= 0.6, CLOSE, worth * 0.9 + np.log2(0.2)),
            (within >= 0.8, CLOSE, worth * 0.9 + np.log2(0.15)),
            ((ratio >= 0.3) | (within >= 0.5), LIKE, worth * 0.7 + np.log2(0.12)),
            (shared > 0, DIFFERENT, np.maximum(worth * 0.4 + np.log2(0.06), -3.0)),
            (shared >= 0, DIFFERENT, np.full(len(at), np.log2(0.1 / 0.95))),
        )
        told = np.zeros(len(at), np.bool_)
        for where, level, bits in outcomes:
            chosen = where & ~told
            said.set(at[chosen], level, bits[chosen])
            told |= chosen
        return said

    def _shared(self, x: Wide, y: Wide) -> NDArray[np.float64]:
        """Bits of the words that two names share; a word with a slip counts two thirds."""
        pair, p, q = crossed(self._words, x, y)
        worth = np.where(p == q, self._bits[p], 0.0)
        at = np.flatnonzero(p != q)
        values = self._words.values
        left, right = [values[i] for i in p[at].tolist()], [values[i] for i in q[at].tolist()]
        like = likeness(left, right)
        slip = (like.shorter >= 5) & ((like.edits <= 1) | ((like.jaro >= 0.93) & (like.edits <= 3)))
        worth[at[slip]] = np.minimum(self._bits[p[at[slip]]], self._bits[q[at[slip]]]) * 0.67
        # Each word of the left one counts once, with its best counterpart.
        best = np.zeros(len(x))
        order = np.lexsort((worth, p, pair))
        last = np.append(
            (pair[order][1:] != pair[order][:-1]) | (p[order][1:] != p[order][:-1]), True
        )
        kept = order[last[: len(order)]]
        np.add.at(best, pair[kept], worth[kept])
        return np.minimum(best, np.minimum(self._whole[x], self._whole[y]))
