"""Matching contacts grows in proportion to them. `python -m tests.bench.contacts_scale` is the long version."""

from pathlib import Path

import pytest

from tests.bench.contacts_scale import exponent, ours, table_of


@pytest.mark.slow
def test_time_and_memory_grow_with_the_contacts_and_not_with_their_square(tmp_path: Path) -> None:
    measured = []
    for size in (5_000, 40_000):
        table = tmp_path / f"{size}.csv"
        truth = table_of(size, table)
        measured.append(ours(table, size, truth))
        print(f"\n{measured[-1].line('deskbridge')}")
    small, large = measured
    assert exponent(small, large) <= 1.15
    assert large.megabytes < 250
    assert all(one.precision >= 0.99 and one.recall >= 0.85 for one in measured)
