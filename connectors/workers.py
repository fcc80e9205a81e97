"""How many calls of one account run beside each other: more while they succeed, fewer when they do not.

Belongs here: the number, and running things by it. Does not belong here: limits and waiting for them (`pacing`), what a
call is (`http`).

The number rises by one a call up to the most that is allowed, and by one a round of calls once something went wrong. It
is halved when the vendor refuses or fails, goes down to `CALM` while calls wait for our own budget (more callers would
only wait longer), and goes down by one a round while answers take several times as long as they can (more calls would
only queue up over there, or here for the processor). Known as AIMD from networks.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connectors.errors import RateLimitedError

T = TypeVar("T")
R = TypeVar("R")

CALM = 8
"""Enough for 700 calls a minute of half a second each."""

_START = 4
_LEAST = 1
_TIMES_SLOWER = 4.0
_SLACK_SECONDS = 0.005
"""An answer is slow beyond so many times the fastest and this."""
_FORGET = 1.001
"""By how much the fastest answer is taken to be slower with each call, so that one lucky answer does not rule."""


@dataclass(slots=True)
class _Work:
    """The things of one `each`."""

    ask: Callable[[Any], Any]
    things: list[Any]
    waiting: deque[int]
    results: list[Any]
    active: int = 0
    again: set[int] = field(default_factory=set)
    failure: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Workers:
    """Threads that ask for many things of one account; `called` tells them how calls went."""

    def __init__(self, most: int) -> None:
        """Starts no thread. `most`: never more calls at once."""
        self._most = max(1, most)
        self._lock = threading.Lock()
        self._limit = float(min(_START, self._most))
        self._is_starting = True
        self._left_alone = 0
        """Calls whose bad news is old: they were on their way when the number went down."""
        self._fastest = math.inf
        self._pool: ThreadPoolExecutor | None = None
        self._own = threading.local()

    @property
    def limit(self) -> int:
        """How many run at once now."""
        return max(1, int(self._limit))

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def each(self, ask: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """What `ask` gives for each thing, in their order, several at once; the first failure ends the rest.

        What was refused by the rate limit while others were at it is asked for once more, alone.
        """
        given = list(things)
        if not given:
            return []
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="calls")
        work = _Work(ask, given, deque(range(len(given))), [None] * len(given), active=1)
        self._pool.submit(self._run, self._pool, work)
        try:
            work.done.wait()
        except BaseException as error:
            work.failure = error
            raise
        if work.failure is not None:
            raise work.failure
        return work.results

    def called(self, seconds: float, status: int | None, seconds_waited: float) -> None:
        """One call is over. Counted are those of `each` alone: others are of another kind.

        Args:
            seconds: it took, without waiting.
            status: of the answer; None where none came.
            seconds_waited: for our own budget, before.
        """
        if not getattr(self._own, "is_worker", False):
            return
        with self._lock:
            self._fastest = min(self._fastest * _FORGET, max(seconds, 1e-6))
            if self._left_alone > 0:
                self._left_alone -= 1
            is_old = self._left_alone > 0
            if status is None or status == 429 or status >= 500:
                self._is_starting = False
                self._lower(self._limit / 2, _LEAST, is_old=is_old)
            elif seconds_waited > 0:
                self._lower(self._limit * 0.75, CALM, is_old=is_old)
            elif seconds > _TIMES_SLOWER * self._fastest + _SLACK_SECONDS:
                self._is_starting = False
                self._limit = max(_START, self._limit - 1 / self._limit)
            else:
                more = 1.0 if self._is_starting else 1 / self._limit
                self._limit += more
            self._limit = min(self._limit, float(self._most))

    def _lower(self, to: float, least: float, *, is_old: bool) -> None:
        if not is_old and self._limit > least:
            self._left_alone = self.limit
            self._limit = max(to, least)

    def _run(self, pool: ThreadPoolExecutor, work: _Work) -> None:
        self._own.is_worker = True
        while True:
            with self._lock:
                if work.failure is not None or not work.waiting or work.active > self.limit:
                    work.active -= 1
                    if not work.active:
                        work.done.set()
                    return
                place = work.waiting.popleft()
                has_help = bool(work.waiting) and work.active < self.limit
                work.active += has_help
            if has_help:
                pool.submit(self._run, pool, work)
            try:
                work.results[place] = work.ask(work.things[place])
            except RateLimitedError as error:
                self._refused(work, place, error)
            except BaseException as error:  # noqa: BLE001 - raised by `each`
                work.failure = work.failure or error

    def _refused(self, work: _Work, place: int, error: RateLimitedError) -> None:
        with self._lock:
            if place in work.again or work.active == 1:
                work.failure = work.failure or error
                return
            work.again.add(place)
            work.waiting.appendleft(place)
            self._is_starting = False
            self._limit = _LEAST
