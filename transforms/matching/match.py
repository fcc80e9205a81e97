"""Which records of people or of organisations are one, by score: the door to scored matching.

Belongs here: from records to clusters, merges with reasons and doubtful pairs. Does not belong here: rules that
need no score (`transforms.identity`, which come first), reading or writing what is known.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from transforms.matching.blocking import candidate_pairs
from transforms.matching.clustering import HELD_BITS, Clusters, Joined, cluster
from transforms.matching.grouping import grouped_rows
from transforms.matching.reading import table_of
from transforms.matching.reasons import evidence_of
from transforms.matching.records import (
    MATCH_BITS,
    Kind,
    Matching,
    MatchRecord,
    PairDecision,
    ScoredPair,
)
from transforms.matching.scoring import Scorer
from transforms.matching.table import Table

DECIDED_SAME = "a person decided that they are one"
NAME_ALONE = "a name alone joins nobody"
MEMBERS_DISAGREE = "members of the two groups contradict each other"


def match(
    records: Iterable[MatchRecord], kind: Kind, decisions: Sequence[PairDecision] = ()
) -> Matching:
    """Clusters of records that are one, the same for any order of the records.

    The result depends on all records together (how rare a name is, who shares a number), so that batches are put
    together before matching, not after. Cost grows nearly in proportion to the records.

    Args:
        records: persons or organisations, never both; read once, none is kept.
        kind: which of them they are.
        decisions: what people decided about pairs; those about unknown keys are passed over.

    Raises:
        ValueError: two records have one key.
    """
    table = table_of(records, kind)
    left, right = candidate_pairs(table)
    scorer = Scorer(table)
    result = cluster(
        table,
        scorer,
        (left, right, scorer.score(left, right)),
        _rows(table, decisions, "same"),
        _rows(table, decisions, "different"),
    )
    return Matching(
        _clusters(table, result.root),
        [_merge(table, joined) for joined in result.joined],
        _doubtful(table, scorer, result),
    )


def _rows(table: Table, decisions: Sequence[PairDecision], decision: str) -> NDArray[np.int64]:
    """Rows of the pairs with that decision, shape (n, 2)."""
    wanted = [one for one in decisions if one.decision == decision]
    if not wanted:
        return np.empty((0, 2), np.int64)
    named = {key for one in wanted for key in (one.left_key, one.right_key)}
    row_of = {key: row for row, key in enumerate(table.keys) if key in named}
    pairs = {
        tuple(sorted((row_of[one.left_key], row_of[one.right_key])))
        for one in wanted
        if one.left_key in row_of and one.right_key in row_of and one.left_key != one.right_key
    }
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _clusters(table: Table, root: NDArray[np.int64]) -> list[tuple[str, ...]]:
    if not len(root):
        return []
    order = np.argsort(root, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(root[order]) != 0))
    ends = np.append(starts[1:], len(order))
    rows = order.tolist()
    return [
        tuple(table.keys[row] for row in rows[start:end])
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _merge(table: Table, joined: Joined) -> ScoredPair:
    left, right = table.keys[joined.left], table.keys[joined.right]
    if joined.is_decided:
        return ScoredPair(left, right, MATCH_BITS, (), DECIDED_SAME)
    return ScoredPair(left, right, round(joined.bits, 1), joined.evidence)


def _doubtful(table: Table, scorer: Scorer, result: Clusters) -> list[ScoredPair]:
    """The pairs that stayed open, best first, by the consolidated values of their clusters."""
    if not len(result.bits):
        return []
    order = np.lexsort((result.right, result.left, -result.bits))
    left, right, bits = result.left[order], result.right[order], result.bits[order]
    grouped = grouped_rows(table, result.root, np.concatenate([left, right]))
    evidence = evidence_of(grouped, left, right, scorer.said(left, right, grouped))
    beyond = scorer.further(left, right, grouped).is_beyond_names
    notes = np.where(
        ~beyond & (table.kind == "person"),
        NAME_ALONE,
        np.where(bits >= MATCH_BITS - 2 * HELD_BITS, MEMBERS_DISAGREE, ""),
    )
    return [
        ScoredPair(table.keys[a], table.keys[b], round(worth, 1), told, note)
        for a, b, worth, told, note in zip(
            left.tolist(), right.tolist(), bits.tolist(), evidence, notes.tolist(), strict=True
        )
    ]
