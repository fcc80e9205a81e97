"""What the speed is measured by works: everything arrives, through HTTP, in both warehouses.

`python -m tests.bench.speed zendesk` is the long version, beside another connector. No rate is asserted here: a busy
machine is no fault.
"""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.bench.speed import pulled, served

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
