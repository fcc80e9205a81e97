"""Budgets: what is left of a limit, what headers change, bodies that are too large, waits that are shared."""

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from connectors.budget import Ask, BudgetState, Limit, MemoryBudgetStore, Settled, Told
from connectors.errors import UnavailableError
from connectors.http import Policy, PolicySession
from connectors.standins.server import Response, Route, StandIn
from connectors.warehouse.engine import reading
from connectors.warehouse.rate_budget import SqlBudgetStore
from connectors.warehouse.tables import rate_budget


def ask(now: float, **options: Any) -> Ask:
    settings: dict[str, Any] = {"block": f"b{now}", "window": 60.0, "minimum": 1, "limit": 10}
    return Ask(now=now, **(settings | options))


def test_a_documented_limit_is_kept_to_before_anything_is_told() -> None:
    state = BudgetState()
    assert [state.exchange(ask(float(n))).count for n in range(10)] == [1] * 10
    refused = state.exchange(ask(10.0))
    assert refused.count == 0
    assert refused.ask_again_at == pytest.approx(0 + 2 * 0.6 + 60), "the oldest call's place"
    assert state.exchange(ask(refused.ask_again_at)).count == 1


def test_calls_of_others_are_taken_into_account_until_the_window_ends() -> None:
    state = BudgetState()
    given_first = state.exchange(ask(0.0, limit=700))
    told = Told(sent_at=0.0, limit=700, remaining=100, reset_at=30)
    state.exchange(ask(1.0, limit=None, told=told, settled=[Settled("b0.0", 1, 0.1)]))
    assert given_first.count == 1
    assert 90 <= (state.remaining(2.0, 60.0) or 0) <= 100
    assert (state.remaining(31.0, 60.0) or 0) > 690


def test_a_window_that_began_anew_is_used_though_we_counted_otherwise() -> None:
    state = BudgetState()
    for n in range(10):
        state.exchange(ask(float(n)))
    fresh = Told(sent_at=20.0, limit=10, remaining=9, reset_at=80)
    assert state.exchange(ask(21.0, told=fresh)).count == 1


def test_a_worker_that_knows_no_limit_yet_keeps_to_what_another_knows() -> None:
    state = BudgetState()
    assert sum(state.exchange(ask(n / 10, limit=10)).count for n in range(9)) == 9
    assert state.exchange(ask(1.0, block="blind", limit=None)).count == 1
    assert state.exchange(ask(1.1, limit=None)).count == 0


def test_a_block_that_comes_back_unused_costs_nothing() -> None:
    state = BudgetState()
    block = state.exchange(ask(0.0, limit=100, share=0.5))
    assert block.count == 50
    state.exchange(ask(1.0, limit=100, settled=[Settled("b0.0", 3, 0.5)]))
    assert state.remaining(1.0, 60.0) == 100 - 3 - 1


@given(
    st.lists(st.tuples(st.floats(0.001, 20), st.integers(1, 3), st.floats(0, 0.5)), max_size=120),
    st.integers(3, 40),
)
def test_no_window_ever_holds_more_than_the_limit(
    steps: list[tuple[float, int, float]], limit: int
) -> None:
    """However calls come and however late they arrive (within what a block is held): the vendor never sees too many."""
    state, now, arrivals = BudgetState(), 0.0, []
    settled: list[Settled] = []
    for number, (pause, wanted, delay) in enumerate(steps):
        now += pause
        given_calls = state.exchange(
            ask(now, block=str(number), minimum=wanted, limit=limit, settled=settled)
        )
        settled = []
        if given_calls.count:
            arrived = now + delay
            arrivals += [arrived] * int(given_calls.count)
            settled = [Settled(str(number), given_calls.count, arrived)]
    for start in arrivals:
        assert sum(start <= at < start + 60 for at in arrivals) <= limit


def test_a_block_is_shared_through_the_warehouse(engine: Engine) -> None:
    clock = {"now": 1_000_000.0}
    one = SqlBudgetStore(engine, lambda: clock["now"])
    other = SqlBudgetStore(engine, lambda: clock["now"])
    # Monotonic clocks of two processes have nothing in common.
    assert one.exchange("host c", "export", ask(5.0, block="x", minimum=7)).count == 7
    assert other.exchange("host c", "export", ask(900.0, block="y", minimum=4)).count == 0
    assert other.exchange("host c", "export", ask(900.0, block="z", minimum=3)).count == 3
    one.block("host c", "export", until=35.0, now=5.0)
    blocked = other.exchange("host c", "export", ask(900.0, minimum=1))
    assert (blocked.count, blocked.ask_again_at) == (0, pytest.approx(930.0))
    assert other.exchange("host d", "export", ask(900.0, minimum=1)).count == 1
    with reading(engine) as connection:
        row = connection.execute(select(rate_budget).order_by("credential")).mappings().first()
    assert row is not None and row["limit_per_window"] == 10 and row["seen_at"] is not None


class Vendor(StandIn):
    """Answers with what a test has put there."""

    answers: dict[str, Response]

    def routes(self) -> list[Route]:
        return [Route("any", "GET", r"/.*", lambda request: self.answers[request.path])]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as standin:
        standin.answers = {"/a": Response.json({"ok": True})}
        yield standin


def test_what_unpacks_to_far_too_much_is_thrown_away(vendor: Vendor) -> None:
    bomb = gzip.compress(b"0" * 30_000_000)
    vendor.answers["/bomb"] = Response(200, bomb, {"Content-Encoding": "gzip"})
    with (
        PolicySession(vendor.base_url, policy=Policy(body_cap_bytes=1_000_000)) as session,
        pytest.raises(UnavailableError, match="more than 1000000 bytes") as caught,
    ):
        session.get_json("/bomb")
    assert caught.value.status == 504, "a pager asks for less"
    assert vendor.calls["any"] == 1


def test_json_that_a_proxy_cut_short_is_asked_for_again(vendor: Vendor) -> None:
    vendor.faults.add("any", "status", status=200, body=b'{"tickets": [{"id": 1}, {"i')
    vendor.answers["/cut"] = Response(200, b'{"tickets": [', {}, "application/json")
    with PolicySession(vendor.base_url, policy=Policy(tries=2, backoff_seconds=0.01)) as session:
        vendor.faults.clear()
        with pytest.raises(UnavailableError, match="in 2 tries"):
            session.get_json("/cut")
        assert vendor.calls["any"] == 2


def test_a_slow_trickle_meets_the_deadline(vendor: Vendor) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 3.0
        return now[0]

    with (
        PolicySession(
            vendor.base_url, policy=Policy(deadline_seconds=5), clock=clock, sleep=lambda _: None
        ) as session,
        pytest.raises(UnavailableError, match="the time was up"),
    ):
        session.get_json("/a")


def test_a_class_and_its_account_both_count(vendor: Vendor) -> None:
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    with PolicySession(
        vendor.base_url,
        classify=lambda _method, _path: "export",
        limits={"export": Limit(100), "account": Limit(2)},
        account_class="account",
        budgets=MemoryBudgetStore(),
        clock=lambda: now[0],
        sleep=sleep,
    ) as session:
        for _ in range(3):
            session.get_json("/a")
    assert sum(slept) == pytest.approx(60, abs=1)
