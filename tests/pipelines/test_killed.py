"""The whole job, killed at one write transaction after the other, ends as if it had run once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from connectors.warehouse import audit
from connectors.warehouse.engine import reading
from pipelines.demo.folder import CLIENT
from pipelines.demo.servers import port_of


class Killed(BaseException):
    """The process is gone. No `except Exception` may hold it up."""


class Killer:
    """Kills at a write transaction: before its commit took effect, or right after."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self._is_after = False
        self.kills = 0
        self.commits = 0
        original = engine.begin

        @contextmanager
        def begin() -> Iterator[Connection]:
            with original() as connection:
                yield connection
                self.commits += 1
                is_due = self._is_due()
                if is_due and not self._is_after:
                    self._kill()
            if is_due:
                self._kill()

        monkeypatch.setattr(engine, "begin", begin)

    def arm(self, number: int, *, is_after: bool) -> None:
        """The next kill comes at the `number`-th write from now."""
        self._left, self._is_after = number, is_after

    def disarm(self) -> None:
        """Lets everything live."""
        self._left = None

    def _is_due(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left <= 0

    def _kill(self) -> None:
        self.kills += 1
        raise Killed


def run_killed(job: Callable[[], Any], killer: Killer, steps: Iterator[int]) -> None:
    """Runs a job until an attempt gets through; the n-th is killed at the write that `steps` names."""
    for turn, number in enumerate(steps):
        killer.arm(number, is_after=turn % 2 == 1)
        try:
            job()
        except Killed:
            continue
        killer.disarm()
        return


def one_by_one(start: int = 1) -> Iterator[int]:
    """Each attempt gets one write further: every write of the job that does not repeat is hit."""
    number = start
    while True:
        yield number
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

        assert killer.kills >= 50
        assert desk.checksums() == sums
        pages, messages = desk.received()
        assert set(pages) == set(received[0])
        assert set(messages) == set(received[1])
        with reading(engine) as connection:
            assert audit.verify(connection, CLIENT).holds
        desk.run_job()
        assert desk.checksums() == sums
