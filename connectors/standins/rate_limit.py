"""A vendor's call limit as a sliding or a fixed window, on a clock that can be sped up.

Belongs here: counting and the figures for a vendor's headers. Does not belong here: header names.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """The answer to one call: is it within the limit, and the figures that vendors put into headers.

    Seconds are seconds of the caller's wall clock, already divided by `time_scale`.
    """

    is_allowed: bool
    limit: int
    remaining: int
    reset_seconds: float
    """Until the oldest call leaves the window (0 where the window is empty)."""
    retry_after_seconds: float
    """Until one more call fits; 0 where it fits already."""


class RateLimit:
    """At most `limit` calls per `window_seconds`, counted apart for each key.

    The window slides, or is fixed: all calls of a window leave it at once, when the next one begins. No vendor
    documents which it is.

    Counts by the monotonic clock, not by the stand-in's (possibly fixed) `now`. With `time_scale` 60 a
    documented minute passes in one second. A refused call does not count against the limit.
    """

    def __init__(
        self,
        limit: int,
        window_seconds: float,
        time_scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        *,
        is_fixed: bool = False,
    ) -> None:
        """`limit` calls in `window_seconds` documented seconds; `clock` gives rising seconds."""
        if limit < 1 or window_seconds <= 0 or time_scale <= 0:
            raise ValueError("limit, window_seconds and time_scale must be positive")
        self.limit = limit
        self.window_seconds = window_seconds / time_scale
        self._clock = clock
        self._is_fixed = is_fixed
        self._lock = threading.Lock()
        self._calls: dict[str, deque[float]] = {}

    def take(self, key: str = "", cost: int = 1) -> Allowance:
        """Counts a call of `key`, if it fits, and says how things stand after it."""
        with self._lock:
            now = self._clock()
            calls = self._recent(key, now)
            fits = len(calls) + cost <= self.limit
            if fits:
                calls.extend([self._counts_from(now)] * cost)
            return self._allowance(calls, now, fits, cost)

    def peek(self, key: str = "") -> Allowance:
        """How things stand for `key`, without counting a call."""
        with self._lock:
            now = self._clock()
            calls = self._recent(key, now)
            return self._allowance(calls, now, len(calls) < self.limit, 1)

    def _counts_from(self, now: float) -> float:
        return now // self.window_seconds * self.window_seconds if self._is_fixed else now

    def _recent(self, key: str, now: float) -> deque[float]:
        calls = self._calls.setdefault(key, deque())
        while calls and calls[0] <= now - self.window_seconds:
            calls.popleft()
        return calls

    def _allowance(self, calls: deque[float], now: float, fits: bool, cost: int) -> Allowance:
        oldest = calls[0] + self.window_seconds - now if calls else 0.0
        wait = 0.0
        if not fits:
            frees_it = min(len(calls), max(1, len(calls) + cost - self.limit))
            wait = calls[frees_it - 1] + self.window_seconds - now if calls else self.window_seconds
        return Allowance(fits, self.limit, max(0, self.limit - len(calls)), oldest, wait)


def retry_after_text(seconds: float, time_scale: float = 1.0) -> str:
    """A `Retry-After` value: whole seconds, rounded up, as vendors send it; a decimal when time is sped up."""
    if time_scale == 1.0:
        return str(max(1, math.ceil(seconds)))
    return f"{max(0.001, math.ceil(seconds * 1000) / 1000):.3f}"
