"""What e-mail addresses and phone numbers say.

Belongs here: ways to reach somebody, of which a record may have several. Does not belong here: places (`places`).
"""

import numpy as np
from numpy.typing import NDArray

from transforms.matching.said import (
    CLOSE,
    DIFFERENT,
    EXACT,
    LIKE,
    Said,
    best_of,
    log2_of,
    slots,
    texts,
)
from transforms.matching.similarity import crossed, edits
from transforms.matching.table import Codes, Flags, Table, Vocabulary, Wide


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
        one.set(same, EXACT, log2_of(0.65 / ((others[same] + 0.005) / self._size)))
        at = np.flatnonzero(x != y)
        is_colleague = self._domain[x[at]] == self._domain[y[at]]
        # One of a company seldom has two addresses there.
        one.set(at, DIFFERENT, np.where(is_colleague, np.log2(0.08 / 0.99), np.log2(0.2 / 0.99)))
        at = at[~role[at]]
        self._alike(table, one, at, (x[at], y[at]), (a[pair[at]], b[pair[at]]))
        best = best_of(said, pair, one)
        said.others[pair[best]] = others[best]
        return said

    def _alike(
        self, table: Table, one: Said, at: Wide, codes: tuple[Wide, Wide], rows: tuple[Wide, Wide]
    ) -> None:
        """Puts in place the addresses that are not the same, but like each other."""
        p, q = codes
        flat = edits(texts(self._flat, p), texts(self._flat, q))
        shorter, longer = (
            np.minimum(*(self._length[c] for c in codes)),
            np.maximum(*(self._length[c] for c in codes)),
        )
        lp, lq = table.email_local[p], table.email_local[q]
        kept = np.flatnonzero((lp == lq) | ((flat * 4 <= longer) & (shorter >= 10)))
        at, p, q, lp, lq = at[kept], p[kept], q[kept], lp[kept], lq[kept]
        flat, shorter = flat[kept], shorter[kept]
        local = edits(texts(table.locals, lp), texts(table.locals, lq))
        local_shorter, local_longer = (
            pick(self._local_length[lp], self._local_length[lq])
            for pick in (np.minimum, np.maximum)
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
            bits = log2_of(rate / np.broadcast_to(strangers, where.shape))
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
        same: Flags = x == y
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
        one.set(np.ones(len(pair), np.bool_), DIFFERENT, log2_of(self._other))
        same = self.same_number(x, y)
        others = np.where(same, np.maximum(sharers[x], sharers[y]), 0.0)
        one.set(same, EXACT, log2_of(0.6 / ((others[same] + 0.2) / self._size)))
        at = np.flatnonzero(~same)
        tails = [[f"{self._tail[code]:07d}" for code in codes[at]] for codes in (x, y)]
        one.set(at[edits(*tails) == 1], CLOSE, log2_of(0.05 / 3e-4))
        best = best_of(said, pair, one)
        said.others[pair[best]] = others[best]
        return said
