"""The peak of memory is that of a page and a batch, not of the account.

`python -m tests.bench.memory 20000 200000` is the long version.
"""

import pytest

from tests.bench.memory import line_of, measured

GROWTH_MEGABYTES = 12
"""More than the 8,000 tickets between the two sizes may add: their texts alone are 20 MB, and most of what little
is added is the warehouse's own cache. Kept records of people or tickets would be seen here at once."""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_account() -> None:
    small, large = measured(2_000, 1), measured(10_000, 1)
    print(f"\n{line_of(small)}\n{line_of(large)}")
    assert large.records == 20_000
    assert large.pulled_megabytes < 300
    assert large.pulled_megabytes - small.pulled_megabytes < GROWTH_MEGABYTES
