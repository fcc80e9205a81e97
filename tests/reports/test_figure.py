"""The traffic light, the interval and the quantiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.figure import Figure, count, duration, quantile_of, share, wilson


@pytest.mark.parametrize(
    ("numerator", "n", "goal", "is_higher_better", "verdict"),
    [
        (90, 100, 0.9, True, "met"),
        (89, 100, 0.9, True, "close"),
        (85, 100, 0.9, True, "close"),
        (84, 100, 0.9, True, "missed"),
        (9, 9, 0.9, True, "too few"),
        (0, 0, 0.9, True, "no data"),
        (1, 100, None, True, "no goal"),
        (10, 100, 0.1, False, "met"),
        (15, 100, 0.1, False, "close"),
        (16, 100, 0.1, False, "missed"),
    ],
)
def test_verdict(numerator, n, goal, is_higher_better, verdict) -> None:
    figure = share("k", "t", numerator, n, "d", goal=goal, is_higher_better=is_higher_better)
    assert figure.verdict == verdict


def test_a_duration_is_amber_up_to_a_tenth_over_its_goal() -> None:
    def verdict(seconds: float) -> str:
        return duration("k", "t", [seconds] * 10, 0.5, "d", goal=100).verdict

    assert [verdict(s) for s in (100, 110, 111)] == ["met", "close", "missed"]


def test_a_count_of_nothing_is_a_value() -> None:
    assert count("k", "t", 0, "d").value == 0
    assert count("k", "t", 0, "d").verdict == "no goal"
    assert Figure("k", "t", "seconds", None, 0, "d").verdict == "no data"


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Published values of the Wilson score interval without continuity correction.
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson_against_published_values(successes, n, low, high) -> None:
    found = wilson(successes, n)
    assert found is not None
    assert found == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_stays_within_bounds(successes: int, n: int) -> None:
    successes = min(successes, n)
    found = wilson(successes, n)
    assert found is not None
    assert 0 <= found[0] <= successes / n <= found[1] <= 1


def test_quantiles_interpolate_and_floor() -> None:
    assert quantile_of([1, 2], 0.5) == 1
    assert quantile_of([0, 10, 20, 30], 0.9) == 27
    assert quantile_of([float("nan"), 5], 0.5) == 5
    assert quantile_of([], 0.5) is None
