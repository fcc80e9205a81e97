"""What a figure is: a value with its name, formula, counts, exclusions and goal, and how it is judged.

Belongs here: the record, the traffic light, the Wilson interval, quantiles. Does not belong here: any
particular figure. A share is always one sum over another sum: shares are never averaged.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Unit = Literal["share", "seconds", "count"]
Verdict = Literal["met", "close", "missed", "too few", "no data", "no goal"]

SMALL_N = 10
"""Below this many cases a figure is grey: one case more or less would change the verdict."""

CLOSE_SHARE = 0.05
"""How far under the goal a share is still amber: 5 points."""

CLOSE_SECONDS = 0.10
"""How far over the goal a duration is still amber: a tenth of the goal."""

SYMBOLS: Mapping[Verdict, str] = {
    "met": "✔",
    "close": "▲",
    "missed": "✖",
    "too few": "○",
    "no data": "–",
    "no goal": "",
}
"""A sign beside the word and the colour, for whoever prints in grey or does not see red."""

NORMAL_95 = 1.959963984540054
"""The two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One named figure of one period.

    `value` is a share 0–1, seconds or a count; None when nothing was there to measure. `n` is how many cases
    it rests on; for a share, `numerator` / `n`. `excluded` says what was left out and how often. `interval`
    is the Wilson 95 % interval of a share.
    """

    key: str
    title: str
    unit: Unit
    value: float | None
    n: int
    definition: str
    numerator: int | None = None
    excluded: Mapping[str, int] = field(default_factory=dict)
    goal: float | None = None
    is_higher_better: bool = True
    interval: tuple[float, float] | None = None

    @property
    def verdict(self) -> Verdict:
        """Against the goal; amber is 5 points (a duration: a tenth) on the wrong side of it."""
        if self.value is None or (self.n == 0 and self.unit != "count"):
            return "no data"
        if self.goal is None:
            return "no goal"
        if self.n < SMALL_N:
            return "too few"
        return judge(self.value, self.goal, self.is_higher_better, self.unit)


def judge(value: float, goal: float, is_higher_better: bool, unit: Unit) -> Verdict:
    """Green, amber or red as a word, with an allowance for the noise of floating point."""
    allowance = CLOSE_SHARE if unit == "share" else goal * CLOSE_SECONDS
    distance = value - goal if is_higher_better else goal - value
    if distance >= -1e-9:
        return "met"
    return "close" if distance >= -allowance - 1e-9 else "missed"


def share(
    key: str,
    title: str,
    numerator: int,
    n: int,
    definition: str,
    *,
    excluded: Mapping[str, int] | None = None,
    goal: float | None = None,
    is_higher_better: bool = True,
) -> Figure:
    """A share from its two sums, with its Wilson interval; no value when the denominator is 0."""
    return Figure(
        key=key,
        title=title,
        unit="share",
        value=numerator / n if n else None,
        n=int(n),
        numerator=int(numerator),
        definition=definition,
        excluded=dict(excluded or {}),
        goal=goal,
        is_higher_better=is_higher_better,
        interval=wilson(int(numerator), int(n)),
    )


def duration(
    key: str,
    title: str,
    values: Iterable[float],
    quantile: float | Literal["mean"],
    definition: str,
    *,
    excluded: Mapping[str, int] | None = None,
    goal: float | None = None,
) -> Figure:
    """A quantile (or the mean) of seconds, floored to whole seconds; no value when there are none."""
    array = np.asarray(list(values), dtype=float)
    value = mean(array) if quantile == "mean" else quantile_of(array, quantile)
    return Figure(
        key=key,
        title=title,
        unit="seconds",
        value=value,
        n=int(array.size),
        definition=definition,
        excluded=dict(excluded or {}),
        goal=goal,
        is_higher_better=False,
    )


def count(
    key: str,
    title: str,
    value: int,
    definition: str,
    *,
    excluded: Mapping[str, int] | None = None,
) -> Figure:
    """A plain number of cases."""
    return Figure(key, title, "count", float(value), int(value), definition, None, excluded or {})


def wilson(successes: int, n: int) -> tuple[float, float] | None:
    """The 95 % interval of a share that stays sensible for few cases and near 0 or 1; None for n = 0.

    Source: E. B. Wilson, "Probable Inference", JASA 22 (1927), without continuity correction.
    """
    if n == 0:
        return None
    z2 = NORMAL_95**2
    p = successes / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return (low, high)


def quantile_of(values: Iterable[float], quantile: float) -> float | None:
    """The quantile with linear interpolation between neighbours, floored to whole seconds; None for no values."""
    array = np.asarray(list(values) if not isinstance(values, np.ndarray) else values, dtype=float)
    array = array[~np.isnan(array)]
    return float(math.floor(np.quantile(array, quantile))) if array.size else None


def mean(values: Iterable[float]) -> float | None:
    """The arithmetic mean, floored to whole seconds; None for no values."""
    array = np.asarray(list(values) if not isinstance(values, np.ndarray) else values, dtype=float)
    array = array[~np.isnan(array)]
    return float(math.floor(float(np.mean(array)))) if array.size else None
