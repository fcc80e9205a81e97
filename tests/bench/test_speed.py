"""What the speed is measured by works: everything arrives, through HTTP, in both warehouses.

`python -m tests.bench.speed zendesk` is the long version, beside another connector. No rate is asserted here, a busy
machine is no fault; only that calls which take long are waited for beside each other.
"""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.bench.speed import empty_warehouse, pulled, served

TICKETS, COMMENTS = 300, 4


@pytest.mark.parametrize("system", ["zendesk", "freshdesk"])
def test_everything_arrives(system: str, engine: Engine, tmp_path: Path) -> None:
    with served(system, TICKETS, COMMENTS) as base_url:
        done = pulled(system, base_url, engine, tmp_path)
    assert done.records == TICKETS * (1 + COMMENTS)
    print(
        f"\n{system}, {engine.dialect.name}: raw {done.records / done.raw_seconds:,.0f}, "
        f"to tickets {done.records / done.seconds:,.0f} records a second"
    )


def test_late_answers_are_waited_for_beside_each_other(tmp_path: Path) -> None:
    late_ms = 50
    with (
        served("freshdesk", TICKETS, COMMENTS, late_ms) as base_url,
        empty_warehouse("sqlite", tmp_path, None) as engine,
    ):
        done = pulled("freshdesk", base_url, engine, tmp_path)
    one_by_one = TICKETS * late_ms / 1_000
    print(
        f"\nfreshdesk, {late_ms} ms an answer: {done.raw_seconds:.1f} s, one by one {one_by_one:.0f} s"
    )
    assert done.records == TICKETS * (1 + COMMENTS)
    assert done.raw_seconds < one_by_one / 2
