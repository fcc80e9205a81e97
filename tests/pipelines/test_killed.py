"""The whole job, killed at one write transaction after the other, ends as if it had run once."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from connectors.warehouse import audit
from connectors.warehouse.engine import reading
from connectors.warehouse.rate_budget import SqlBudgetStore
from pipelines.demo.folder import CLIENT
from pipelines.demo.servers import port_of


class Killed(BaseException):
    """The process is gone. No `except Exception` may hold it up."""


WORK, BUDGET = "work", "budget"
writer = ContextVar("writer", default=WORK)


class Killer:
    """Kills at a write transaction: before its commit took effect, or right after.

    The budget of calls is written at nearly every call and would take most of the kills, so its writes are counted
    apart from those of the work.
    """

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self._is_after = False
        self._of = WORK
        self.kills: Counter[str] = Counter()
        original = engine.begin

        @contextmanager
        def begin() -> Iterator[Connection]:
            with original() as connection:
                yield connection
                is_due = self._is_due()
                if is_due and not self._is_after:
                    self._kill()
            if is_due:
                self._kill()

        monkeypatch.setattr(engine, "begin", begin)
        for name in ("exchange", "block"):
            monkeypatch.setattr(SqlBudgetStore, name, _as_budget(getattr(SqlBudgetStore, name)))

    def arm(self, of: str, number: int, *, is_after: bool) -> None:
        """The next kill comes at the `number`-th write from now of the work, or of the budget."""
        self._of, self._left, self._is_after = of, number, is_after

    def disarm(self) -> None:
        """Lets everything live."""
        self._left = None

    def _is_due(self) -> bool:
        if self._left is None:
            return False
        if writer.get() == self._of:
            self._left -= 1
        # Where one thread was killed the others are dead too, whatever they write.
        return self._left <= 0

    def _kill(self) -> None:
        self.kills[self._of] += 1
        raise Killed


def _as_budget(method: Callable[..., Any]) -> Callable[..., Any]:
    def marked(*arguments: Any) -> Any:
        token = writer.set(BUDGET)
        try:
            return method(*arguments)
        finally:
            writer.reset(token)

    return marked


def run_killed(job: Callable[[], Any], killer: Killer, steps: Iterator[tuple[str, int]]) -> None:
    """Runs a job until an attempt gets through; the n-th is killed at the write that `steps` names."""
    for turn, (of, number) in enumerate(steps):
        killer.arm(of, number, is_after=turn % 2 == 1)
        try:
            job()
        except Killed:
            continue
        killer.disarm()
        return


def one_by_one() -> Iterator[tuple[str, int]]:
    """Each attempt gets one write of the work further: every write that does not repeat is hit.

    After each four of them another one is killed at a write of the budget, every second one in turn.
    """
    number = 1
    while True:
        yield WORK, 2 * number - 1
        yield WORK, 2 * number
        if number % 2:
            yield BUDGET, number
        number += 1


@pytest.mark.slow
def test_killed_at_each_write_the_job_ends_as_if_it_had_run_once(
    sqlite_engine, new_engine, open_desk, monkeypatch
):
    with open_desk(sqlite_engine) as calm:
        calm.run_job()
        sums, received = calm.checksums(), calm.received()
        ports = {name: port_of(server) for name, server in calm.servers.items()}
    engine = new_engine()
    # The same ports: the addresses of attachments stand in what the stand-ins answer.
    with open_desk(engine, ports=ports) as desk:
        killer = Killer(engine, monkeypatch)
        run_killed(desk.run_job, killer, one_by_one())

        assert killer.kills[WORK] >= 50
        assert killer.kills[BUDGET] >= 20
        assert desk.checksums() == sums
        pages, messages = desk.received()
        assert set(pages) == set(received[0])
        assert set(messages) == set(received[1])
        with reading(engine) as connection:
            assert audit.verify(connection, CLIENT).holds
        desk.run_job()
        assert desk.checksums() == sums
