"""Clusters out of pair scores, without chaining strangers together.

Belongs here: joining groups step by step. Does not belong here: scores of pairs (`scoring`).

Two groups are joined when each is the other's best counterpart, two of their members or their consolidated values
score as a match, and neither these values nor the average of all scores between members speaks against it. So a record that resembles two strangers joins one of
them, not both with each other. What people decided goes before: the same are joined first, the different never.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from transforms.matching.grouping import consolidate, working_copy
from transforms.matching.reasons import evidence_of
from transforms.matching.records import DOUBTFUL_BITS, MATCH_BITS, Evidence
from transforms.matching.scoring import Scorer
from transforms.matching.similarity import Bits
from transforms.matching.table import Flags, Table, Wide

KEPT_BITS = -8.0
"""Pairs below are not looked at again: no further member could make a match of them."""

HELD_BITS = 0.1
"""By so much a pair that is held back stays below a match."""

AGREED_BITS = 0.0
"""What the scores between members of two groups must reach on average."""

_TOLD = 30.0
"""Bits for and against that a pair must tell to count whole in the average; sparse records say less."""

_SAMPLE = 12
"""Members of a large group whose scores stand for all."""


@dataclass(slots=True)
class Joined:
    """Two groups that were joined: their rows, the score and the fields' evidence at that time."""

    left: int
    right: int
    bits: float
    evidence: tuple[Evidence, ...] = ()
    is_decided: bool = False


@dataclass(slots=True)
class Clusters:
    """The end of it.

    Attributes:
        root: for each record the row of its cluster's first record.
        joined: what was joined, in order.
        left: clusters of the pairs that stayed open, by their roots.
        right: as above.
        bits: their scores.
    """

    root: Wide
    joined: list[Joined]
    left: Wide
    right: Wide
    bits: Bits


def cluster(
    table: Table,
    scorer: Scorer,
    pairs: tuple[Wide, Wide, Bits],
    same: NDArray[np.int64],
    different: NDArray[np.int64],
) -> Clusters:
    """Clusters of all records.

    Args:
        table: the records.
        scorer: what scores them.
        pairs: candidate pairs, left < right, and their scores.
        same: rows of pairs that people called one, shape (n, 2).
        different: rows of pairs that people called two, shape (n, 2).
    """
    left, right, bits = pairs
    is_moving = np.zeros(len(table), np.bool_)
    strong = bits >= MATCH_BITS
    for rows in (left[strong], right[strong], same.ravel()):
        is_moving[rows] = True
    kept = (bits >= KEPT_BITS) & (is_moving[left] | is_moving[right])
    # Only records of these pairs can be joined or see a group grow; the rest stay as they are.
    is_moving[left[kept]] = is_moving[right[kept]] = True
    is_moving[different.ravel()] = True
    rows = np.flatnonzero(is_moving)
    place = np.full(len(table), -1, np.int64)
    place[rows] = np.arange(len(rows))
    work = _Clustering(table.taken(rows), scorer, place[different])
    near, far, worth = work.run(place[left[kept]], place[right[kept]], bits[kept], place[same])
    root = np.arange(len(table), dtype=np.int64)
    root[rows] = rows[work.root]
    joined = [
        replace(one, left=int(rows[one.left]), right=int(rows[one.right])) for one in work.joined
    ]
    still = ~kept & (bits >= DOUBTFUL_BITS)
    ends = (np.concatenate([rows[near], left[still]]), np.concatenate([rows[far], right[still]]))
    near, far, worth = _between(root, *ends, np.concatenate([worth, bits[still]]))
    open_pairs = ~_are_refused(root, different, near, far)
    return Clusters(root, joined, near[open_pairs], far[open_pairs], worth[open_pairs])


def _between(root: Wide, left: Wide, right: Wide, bits: Bits) -> tuple[Wide, Wide, Bits]:
    """Pairs of records as pairs of their groups, each once with its best score."""
    a, b = root[left], root[right]
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((-bits, high, low))
    low, high, bits = low[order], high[order], bits[order]
    first = np.append(True, (low[1:] != low[:-1]) | (high[1:] != high[:-1]))[: len(low)]
    first &= low != high
    return low[first], high[first], bits[first]


def _are_refused(root: Wide, different: NDArray[np.int64], left: Wide, right: Wide) -> Flags:
    """Which pairs of groups have members that a person called two."""
    if not len(different):
        return np.zeros(len(left), np.bool_)
    a, b = root[different[:, 0]], root[different[:, 1]]
    held = np.minimum(a, b) * len(root) + np.maximum(a, b)
    return np.isin(left * len(root) + right, held)


class _Clustering:
    """Joins the records of one table."""

    def __init__(self, table: Table, scorer: Scorer, different: NDArray[np.int64]) -> None:
        self._table = table
        self._grouped = working_copy(table)
        self._scorer = scorer
        self._different = different
        self._size = len(table)
        self.root = np.arange(self._size, dtype=np.int64)
        self._members: dict[int, list[int]] = {}
        self.joined: list[Joined] = []

    def run(
        self, left: Wide, right: Wide, bits: Bits, same: NDArray[np.int64]
    ) -> tuple[Wide, Wide, Bits]:
        """Joins all that is to be joined; gives the pairs of groups that stay open, and their scores."""
        if self._join_decided(same):
            left, right, bits = self._again(left, right, bits, np.unique(self.root[same.ravel()]))
        while len(bits):
            best = self._mutual(left, right, bits)
            if not len(best):
                break
            agreed = self._agree(left[best], right[best])
            # The others stay a pair to look at, and may be joined when one of them has grown.
            bits = bits.copy()
            bits[best[~agreed]] = np.minimum(bits[best[~agreed]], MATCH_BITS - HELD_BITS)
            chosen = best[agreed]
            if len(chosen):
                self._join_chosen(left[chosen], right[chosen], bits[chosen])
                changed = np.unique(self.root[np.concatenate([left[chosen], right[chosen]])])
                left, right, bits = self._again(left, right, bits, changed)
        still = (bits >= DOUBTFUL_BITS) & ~_are_refused(self.root, self._different, left, right)
        return left[still], right[still], bits[still]

    def _join_decided(self, same: NDArray[np.int64]) -> bool:
        """Joins what people called one, unless that would join what they called two."""
        before = len(self.joined)
        for a, b in same.tolist():
            one, other = sorted((int(self.root[a]), int(self.root[b])))
            refused = _are_refused(
                self.root, self._different, np.array([one]), np.array([other])
            ).any()
            if not refused and self._join(a, b):
                self.joined.append(Joined(one, other, np.inf, is_decided=True))
        return len(self.joined) > before

    def _join_chosen(self, left: Wide, right: Wide, bits: Bits) -> None:
        told = evidence_of(
            self._grouped, left, right, self._scorer.said(left, right, self._grouped)
        )
        rows = zip(left.tolist(), right.tolist(), bits.tolist(), told, strict=True)
        for a, b, worth, evidence in rows:
            self._join(a, b)
            self.joined.append(Joined(a, b, worth, evidence))

    def _join(self, a: int, b: int) -> bool:
        one, other = sorted((int(self.root[a]), int(self.root[b])))
        if one == other:
            return False
        moved = self._members.pop(other, [other])
        self._members.setdefault(one, [one]).extend(moved)
        self.root[moved] = one
        return True

    def _mutual(self, left: Wide, right: Wide, bits: Bits) -> Wide:
        """Edges that are the best of both their ends and a match."""
        at = np.flatnonzero(
            (bits >= MATCH_BITS) & ~_are_refused(self.root, self._different, left, right)
        )
        order = at[np.lexsort((right[at], left[at], -bits[at]))]
        rank = np.arange(len(order))
        best = np.full(self._size, len(order), np.int64)
        np.minimum.at(best, left[order], rank)
        np.minimum.at(best, right[order], rank)
        mutual: Wide = order[(best[left[order]] == rank) & (best[right[order]] == rank)]
        return mutual

    def _agree(self, left: Wide, right: Wide) -> Flags:
        """Whether the members of two groups are in favour on average, each pair by how much it can tell."""
        agreed = np.ones(len(left), np.bool_)
        pairs: list[tuple[int, int, int]] = []
        for at, (a, b) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            if a in self._members or b in self._members:
                pairs += [
                    (at, one, other)
                    for one in _some(self._members.get(a, [a]))
                    for other in _some(self._members.get(b, [b]))
                ]
        if pairs:
            which, one, other = np.array(pairs, np.int64).T
            scores = self._scorer.further(one, other, self._table)
            weight = np.minimum(scores.told / _TOLD, 1)
            bits = np.clip(scores.bits, -20, 20) * weight
            agreed = np.bincount(which, bits, len(left)) >= AGREED_BITS * np.bincount(
                which, weight, len(left)
            )
        return agreed

    def _again(self, left: Wide, right: Wide, bits: Bits, changed: Wide) -> tuple[Wide, Wide, Bits]:
        """Edges between groups after some have grown, their scores computed anew where an end has."""
        consolidate(self._table, self._grouped, self.root, changed)
        low, high, bits = _between(self.root, left, right, bits)
        has_grown = np.zeros(self._size, np.bool_)
        has_grown[changed] = True
        at = np.flatnonzero(has_grown[low] | has_grown[high])
        together = self._scorer.further(low[at], high[at], self._grouped).bits
        bits[at] = np.where(together >= AGREED_BITS, np.maximum(together, bits[at]), together)
        return low, high, bits


def _some(members: list[int]) -> list[int]:
    """Members that stand for all: the first of them in order."""
    return members if len(members) <= _SAMPLE else sorted(members)[:_SAMPLE]
