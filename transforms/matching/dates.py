"""What two dates of birth say.

Belongs here: dates. Does not belong here: reading them (`values`).
"""

import numpy as np

from transforms.matching.said import (
    CLOSE,
    DIFFERENT,
    EXACT,
    LIKE,
    Said,
    log2_of,
    shares,
    texts,
)
from transforms.matching.similarity import edits
from transforms.matching.table import Table, Wide


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
        said.set(same, EXACT, log2_of(0.82 / share))
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
            (days >= 0, DIFFERENT, 0.02, 0.95),
        )
        told = np.zeros(len(at), np.bool_)
        for where, level, same_rate, u in outcomes:
            chosen = where & ~told
            said.set(at[chosen], level, log2_of(same_rate / u))
            told |= chosen
        return said
