"""Pair precision and recall of scored matching on published sets; the figures are printed with `pytest -s`.

The bounds are one and the same for all sets and for the product: nothing here is passed to `match` but records.
"""

from pathlib import Path

import pytest

from tests.bench.labelled_contacts import SETS, Labelled, precision_and_recall
from transforms.matching.match import match

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize("labelled", SETS, ids=lambda one: one.name)
def test_pairs_of_a_labelled_set(labelled: Labelled, shared_data: Path) -> None:
    rows = labelled.rows(shared_data)
    result = match([labelled.record(row) for row in rows], labelled.kind)
    precision, recall = precision_and_recall(labelled.truths(rows), result.clusters)
    print(f"\n{labelled.name}: precision {precision:.4f}, recall {recall:.4f}")
    assert precision >= labelled.precision
    assert recall >= labelled.recall
