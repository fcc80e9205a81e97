"""Calls beside each other: as many as the account bears, results in order, no page failed by our own crowd."""

import threading
import time
from collections.abc import Iterator

import pytest

from connectors.errors import RateLimitedError, UnavailableError
from connectors.workers import CALM, Workers


class Account:
    """Answers after a while; remembers how many calls were there at once."""

    def __init__(self, workers: Workers, seconds: float = 0.01) -> None:
        self.workers, self.seconds = workers, seconds
        self.now = self.most = self.calls = 0
        self.lock = threading.Lock()

    def ask(self, number: int) -> int:
        with self.lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        self.workers.called(self.seconds, 200, 0)
        return number * 2


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(32)
    yield made
    made.close()


def within(workers: Workers, *calls: tuple[float, int | None, float]) -> int:
    """The number of workers after calls that went so."""
    workers.each(lambda call: workers.called(*call), calls)
    return workers.limit


def good(count: int, seconds: float = 0.1) -> list[tuple[float, int | None, float]]:
    return [(seconds, 200, 0.0)] * count


def test_results_stand_in_the_order_of_the_things(workers: Workers) -> None:
    account = Account(workers, 0.001)
    assert workers.each(account.ask, range(300)) == [number * 2 for number in range(300)]
    assert workers.each(account.ask, []) == []
    assert account.calls == 300


def test_the_number_rises_to_the_most_and_not_beyond(workers: Workers) -> None:
    account = Account(workers)
    workers.each(account.ask, range(300))
    assert account.most == 32
    few = Workers(3)
    account = Account(few)
    few.each(account.ask, range(60))
    few.close()
    assert account.most == 3


@pytest.mark.parametrize("status", [429, 503, None])
def test_a_refusal_or_fault_halves_it_once_for_all_calls_under_way(
    workers: Workers, status: int | None
) -> None:
    assert within(workers, *good(60)) == 32
    assert within(workers, *[(0.1, status, 0.0)] * 20) == 16
    assert within(workers, *good(13)) == 16
    assert within(workers, (0.1, status, 0.0)) == 8


def test_it_rises_slowly_after_it_was_lowered(workers: Workers) -> None:
    within(workers, *good(60))
    assert within(workers, (0.1, 503, 0.0)) == 16
    assert within(workers, *good(14)) == 16
    assert within(workers, *good(40)) == 19


def test_waiting_for_our_own_budget_lowers_it_to_the_calm_number_and_no_further(
    workers: Workers,
) -> None:
    assert within(workers, *good(60)) == 32
    assert within(workers, *[(0.1, 200, 1.0)] * 500) == CALM


def test_slow_answers_lower_it_until_they_are_quick_again(workers: Workers) -> None:
    assert within(workers, *good(60)) == 32
    slowed = within(workers, *good(200, seconds=1.0))
    assert slowed < 28
    assert within(workers, *good(400)) == 32


def test_calls_outside_of_each_say_nothing(workers: Workers) -> None:
    before = workers.limit
    for _ in range(100):
        workers.called(0.1, 503, 0.0)
    assert workers.limit == before


def test_what_the_limit_refused_in_the_crowd_is_asked_for_once_more_alone(workers: Workers) -> None:
    account = Account(workers)
    workers.each(account.ask, range(100))
    starved: set[int] = set()

    def ask(number: int) -> int:
        answer = account.ask(number)
        if number % 25 == 24 and number not in starved:
            starved.add(number)
            raise RateLimitedError("starved", 1.0)
        return answer

    assert workers.each(ask, range(1, 101)) == [number * 2 for number in range(1, 101)]
    assert len(starved) == 4


def test_a_limit_that_holds_for_one_alone_is_told(workers: Workers) -> None:
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        raise RateLimitedError("an hour", 3600.0)

    with pytest.raises(RateLimitedError, match="an hour"):
        workers.each(ask, range(100))
    assert len(asked) <= 10


def test_the_first_failure_ends_the_rest(workers: Workers) -> None:
    account = Account(workers)

    def ask(number: int) -> int:
        if number == 20:
            raise UnavailableError("down")
        return account.ask(number)

    with pytest.raises(UnavailableError, match="down"):
        workers.each(ask, range(1_000))
    assert account.calls < 100
    assert account.now == 0, "somebody is still at it"
    assert workers.each(account.ask, range(5)) == [0, 2, 4, 6, 8]
