"""`deskbridge serve`: takes helpdesks' webhooks in, and works them off at once.

Belongs here: the receiver, the threads that work events off, their rhythm, the purge. Does not belong here: HTTP and
signatures (`connectors.webhooks`), what is done about an event (`hooks`), what is printed (`cli_serve`).

A thread per source, so that one helpdesk's limits and failures hold up no other's tickets. What is acknowledged lies in
the warehouse: a receiver that dies loses nothing, and any worker (here, elsewhere, `deskbridge watch`) goes on with it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from connectors.errors import ConnectorError
from connectors.warehouse import inbound
from connectors.warehouse.engine import writing
from connectors.warehouse.inbound import InboundEvent
from connectors.webhooks.contract import Place
from connectors.webhooks.http_server import Limits
from connectors.webhooks.receiver import Receiver
from pipelines.hooks import HookReport, HookWorker, hooks_of, workers_of
from pipelines.runtime import Runtime
from pipelines.settings import SettingsError
from pipelines.tick import TickReport, tick_client

LOOK_SECONDS = 2.0
"""How often a worker looks for events that it was not woken for: those of another receiver, and second tries."""

PURGE_SECONDS = 3_600.0

TELL_SECONDS = 60.0
"""Requests refused for the same reason are told of so often at most."""


@dataclass(slots=True)
class Worked:
    """What one pass over a source's events did."""

    hooks: HookReport
    tick: TickReport | None = None
    errors: list[str] = field(default_factory=list)


class Serve:
    """The receiver and its workers.

    Args:
        runtime: settings, engine, clocks.
        client_keys: whose webhooks are taken.
        is_working: False only receives; another process works the events off.
        on_worked: told of each pass that did something or failed; called from the workers' threads.
        on_refused: told why requests were refused, a line for a person; called from several threads.

    Raises:
        SettingsError: none of the clients' sources has a webhook, or a source's configuration is wrong.
    """

    def __init__(
        self,
        runtime: Runtime,
        client_keys: Sequence[str],
        *,
        is_working: bool = True,
        on_worked: Callable[[Worked], None] = lambda _worked: None,
        on_refused: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Wires everything; opens nothing."""
        self._runtime = runtime
        hooks = hooks_of(runtime.settings, client_keys)
        if not hooks:
            raise SettingsError(
                "no source has a webhook, expected 'webhook: {secret: \"${NAME}\"}' at a zendesk or freshdesk source; "
                "how to set one up: connectors/webhooks/README.md"
            )
        self.places = list(hooks)
        workers = (one for key in client_keys for one in workers_of(runtime, key))
        self._workers = {
            one.place: _Thread(runtime, one, on_worked) for one in workers if is_working
        }
        kept = runtime.settings.webhooks
        self._refusals = Refusals(on_refused, {place.path for place in hooks})
        self.receiver = Receiver(
            hooks,
            self._store,
            runtime.sending_clock,
            on_stored=self._wake,
            on_refused=self._refusals.note,
            limits=Limits(body_bytes=kept.largest_kb * 1_000),
        )
        self._kept = timedelta(days=kept.kept_days)

    def start(self, host: str, port: int) -> Self:
        """Listens and works; what was left pending is worked off first.

        Raises:
            ConfigurationError: the address cannot be listened on.
        """
        self.receiver.start(host, port)
        for thread in self._workers.values():
            thread.start()
        return self

    def stop(self) -> None:
        """Answers what is under way, lets the workers finish what they hold."""
        self.receiver.stop()
        for thread in self._workers.values():
            thread.stop()
        for thread in self._workers.values():
            thread.join()
        self._refusals.tell_rest()

    def wait(self, stop: threading.Event) -> None:
        """Waits until `stop` is set; meanwhile deletes events that are old enough."""
        next_purge = 0.0
        while not stop.wait(0.2):
            if time.monotonic() >= next_purge:
                self.purge()
                next_purge = time.monotonic() + PURGE_SECONDS

    def purge(self) -> int:
        """Deletes what was worked off longer ago than it is kept, in short transactions; returns how many."""
        before = self._runtime.sending_clock() - self._kept
        gone = 0
        try:
            while True:
                with writing(self._runtime.engine) as connection:
                    some = inbound.purge(connection, before)
                gone += some
                if not some:
                    return gone
        except ConnectorError:
            # The next hour's turn does it.
            return gone

    def __enter__(self) -> Self:
        """Itself, started or not."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self.stop()

    def _store(self, events: Sequence[InboundEvent]) -> int:
        with writing(self._runtime.engine) as connection:
            return inbound.store(connection, events)

    def _wake(self, places: set[Place]) -> None:
        for place in places & self._workers.keys():
            self._workers[place].wake()


class _Thread(threading.Thread):
    """Works one source's events off: when woken, and now and then."""

    def __init__(
        self, runtime: Runtime, worker: HookWorker, on_worked: Callable[[Worked], None]
    ) -> None:
        super().__init__(name=f"hooks {worker.place.path}")
        self._runtime = runtime
        self._worker = worker
        self._on_worked = on_worked
        self._woken = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    def join(self, timeout: float | None = None) -> None:
        if self.ident is not None:
            super().join(timeout)

    def run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            self._once()
            self._woken.wait(LOOK_SECONDS)

    def _once(self) -> None:
        place = self._worker.place
        worked = Worked(HookReport(place.client_key, place.source_key))
        try:
            worked.hooks = self._worker.run(self._stopping)
            worked.errors += map(str, worked.hooks.errors)
            if worked.hooks.stored:
                worked.tick = tick_client(self._runtime, place.client_key, self._runtime.now())
        except (ConnectorError, SettingsError) as error:
            worked.errors.append(str(error))
        except Exception as error:  # noqa: BLE001 - the thread must outlive it: its events have tries of their own
            worked.errors.append(
                f"client {place.client_key}, source {place.source_key}: {type(error).__name__}: {error}"
            )
        if worked.hooks.events or worked.errors:
            self._on_worked(worked)


class Refusals:
    """Tells of refused requests without letting a stranger fill the log: each reason at once, then once a minute."""

    def __init__(
        self,
        tell: Callable[[str], None],
        known_paths: set[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Tells lines to `tell`; paths that are not known share one place."""
        self._tell = tell
        self._known = known_paths
        self._clock = clock
        self._lock = threading.Lock()
        self._told_at: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def note(self, path: str, why: str) -> None:
        """Counts one refused request; tells of it where its time has come."""
        is_known = path in self._known or not path.startswith("/")
        # A stranger wrote this path: shown cut and in plain characters, and not counted by.
        shown = (
            path if is_known else f"{ascii(path)[1:-1][:80]} (a stranger's or a mistyped address)"
        )
        key = (path if is_known else "", why)
        with self._lock:
            now = self._clock()
            told_at = self._told_at.get(key)
            if told_at is not None and now - told_at < TELL_SECONDS:
                self._untold[key] = self._untold.get(key, 0) + 1
                return
            self._told_at[key] = now
            before = self._untold.pop(key, 0)
        more = f" (and {before} before it)" if before else ""
        self._tell(f"refused: {shown}: {why}{more}")

    def tell_rest(self) -> None:
        """Tells how many were not told of."""
        with self._lock:
            rest, self._untold = self._untold, {}
        for (path, why), count in rest.items():
            self._tell(f"refused: {path or 'elsewhere'}: {why} ({count} more)")
