"""The small loop for what cannot wait for a schedule: fresh tickets, clocks, pages.

Belongs here: the order and rhythm of the steps. Does not belong here: the steps (`fast_lane`, `hooks`, `tick`).

It may run beside Dagster's own jobs and beside itself on another machine: cursors move by compare-and-set, messages
carry stable keys and leases. Either alone is enough.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.errors import ConnectorError
from pipelines.fast_lane import FastLane, FastLaneReport
from pipelines.hooks import HookReport, workers_of
from pipelines.runtime import Runtime
from pipelines.settings import SettingsError
from pipelines.tick import TickReport, tick_client

QUIET_SECONDS = 60.0
"""A source that failed is left alone for so long at most, doubling from the rhythm."""


@dataclass(slots=True)
class Round:
    """What one round did for one client."""

    client_key: str
    lane: FastLaneReport | None = None
    hooks: list[HookReport] = field(default_factory=list)
    tick: TickReport | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def fetched(self) -> int:
        """Records that were new or changed."""
        return sum(one.stored for one in (self.lane, *self.hooks) if one)

    @property
    def tickets(self) -> int:
        """Tickets that were made or made again."""
        return sum(one.tickets for one in (self.lane, *self.hooks) if one)


class Watch:
    """Rounds over some clients; one client's failure leaves the others alone."""

    def __init__(self, runtime: Runtime, client_keys: list[str], every_seconds: float) -> None:
        """Wires the clients' sources.

        Raises:
            SettingsError: a client's configuration is wrong.
        """
        self._runtime = runtime
        self._every_seconds = every_seconds
        self._lanes = {key: FastLane(runtime, key) for key in client_keys}
        self._workers = {key: workers_of(runtime, key) for key in client_keys}
        self._failures = dict.fromkeys(client_keys, 0)
        self._skip = dict.fromkeys(client_keys, 0)

    @property
    def lanes(self) -> dict[str, list[str]]:
        """Client → its sources that give hints."""
        return {key: lane.source_keys for key, lane in self._lanes.items()}

    @property
    def hooked(self) -> dict[str, list[str]]:
        """Client → its sources whose webhooks are worked off."""
        return {key: [one.place.source_key for one in some] for key, some in self._workers.items()}

    def round(self) -> list[Round]:
        """Works off every client's webhooks and asks its sources, then ticks the client."""
        return [self._one(client_key) for client_key in self._lanes]

    def run(
        self,
        stop: threading.Event,
        on_round: Callable[[list[Round]], None] = lambda _rounds: None,
    ) -> None:
        """Rounds until `stop` is set; a round that has begun is finished."""
        while not stop.is_set():
            on_round(self.round())
            stop.wait(self._every_seconds)

    def _one(self, client_key: str) -> Round:
        done = Round(client_key)
        if self._skip[client_key] > 0:
            self._skip[client_key] -= 1
        else:
            done.lane = self._lanes[client_key].run()
            done.errors += [str(error) for error in done.lane.errors]
            self._back_off(client_key, failed=bool(done.lane.errors))
        try:
            self._work_off_hooks(client_key, done)
            done.tick = tick_client(self._runtime, client_key, self._runtime.now())
        except (ConnectorError, SettingsError) as error:
            done.errors.append(str(error))
        return done

    def _work_off_hooks(self, client_key: str, done: Round) -> None:
        for worker in self._workers[client_key]:
            # Behind the question what is newest: its tickets are mostly here by then, and cost a comparison.
            report = worker.run()
            done.hooks.append(report)
            done.errors += [str(error) for error in report.errors]

    def _back_off(self, client_key: str, *, failed: bool) -> None:
        self._failures[client_key] = self._failures[client_key] + 1 if failed else 0
        if failed:
            most = QUIET_SECONDS / max(self._every_seconds, 0.1)
            self._skip[client_key] = int(min(2 ** self._failures[client_key] - 1, most))
