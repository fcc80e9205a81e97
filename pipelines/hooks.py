"""Which sources have a webhook, how it is verified, and how its tickets get here.

Belongs here: the table of verifiers by source type, working off one source's inbound events. Does not belong here:
receiving (`serve`), signatures (`connectors`), the rows (`connectors.warehouse.inbound`).

An event is a hint: it names tickets, and these are fetched as they are now. So neither its order nor its age matters, a
second one costs a comparison, and one that is lost costs the minutes until the next sync, which stays the record.
"""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from os import getpid
from typing import Any

from connectors.contract import Reconcilable
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.freshdesk.webhook import FreshdeskHook
from connectors.warehouse import inbound, leases, raw
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.inbound import Claimed
from connectors.webhooks.contract import Hook, Place
from connectors.zendesk.webhook import ZendeskHook
from pipelines.fetched import Fetched, fetch_and_store
from pipelines.ingest import named, normalise
from pipelines.runtime import Runtime
from pipelines.settings import (
    FreshdeskSettings,
    Settings,
    SourceSettings,
    WebhookSettings,
    ZendeskSettings,
)
from pipelines.wiring import sources_of, wire

STREAM = "tickets"

EVENTS_AT_ONCE = 200
"""Events worked off in one go; their tickets are fetched together, each once."""

LEASE = timedelta(seconds=20)
"""How long a source's events wait for a worker that died over them; renewed with each page. Where a page takes longer
(a rate limit), a second worker may fetch the same: what is newer stays."""


def hook_of(source: SourceSettings) -> Hook | None:
    """The verifier of a source's webhook; None where it is not configured, or the type has none."""
    make = _HOOKS.get(type(source))
    told = getattr(source, "webhook", None)
    return make(told) if make and told else None


def hooks_of(settings: Settings, client_keys: Sequence[str]) -> dict[Place, Hook]:
    """The verifiers of all configured webhooks of some clients."""
    found = {}
    for client_key in client_keys:
        for source in sources_of(settings, client_key):
            hook = hook_of(source)
            if hook is not None:
                found[Place(client_key, source.id)] = hook
    return found


def _accepted(told: WebhookSettings) -> list[str]:
    """The secrets that are accepted: the present one, and the one that it replaces."""
    both = (told.secret, told.previous_secret)
    return [secret.get_secret_value() for secret in both if secret is not None]


_HOOKS: Mapping[type[Any], Callable[[Any], Hook]] = {
    FreshdeskSettings: lambda told: FreshdeskHook(_accepted(told), told.header),
    ZendeskSettings: lambda told: ZendeskHook(_accepted(told)),
}


@dataclass(slots=True)
class HookReport:
    """What working off a source's events did."""

    client_key: str
    source_key: str
    events: int = 0
    """Events that are done."""
    stored: int = 0
    tickets: int = 0
    calls: int = 0
    errors: list[ConnectorError] = field(default_factory=list)


class HookWorker:
    """Works off one source's inbound events; safe beside others on any machine, of whom one works at a time."""

    def __init__(self, runtime: Runtime, client_key: str, settings: SourceSettings) -> None:
        """Wires the source; makes no call.

        Raises:
            SettingsError: the source's configuration is wrong.
        """
        self._runtime = runtime
        self._client_key = client_key
        self._settings = settings
        self._wired = wire(runtime.settings, client_key, settings, runtime.now, runtime.stores)
        source = self._wired.source
        assert isinstance(source, Reconcilable), (
            "the table names only types that can be asked by id"
        )
        self._owner = f"{socket.gethostname()}:{getpid()}:{secrets.token_hex(4)}"
        self._place = (client_key, settings.id)
        self._leased_at = runtime.sending_clock()

    @property
    def place(self) -> Place:
        """Whose events."""
        return Place(*self._place)

    def run(self, stop: threading.Event | None = None) -> HookReport:
        """Works off what is due; a call that fails is reported, and its events are tried again later.

        Args:
            stop: ends it behind the events under way.
        """
        report = HookReport(*self._place)
        while not (stop and stop.is_set()):
            if not self._are_due():
                break
            with self._lease() as is_ours:
                if not is_ours:
                    break
                claimed = self._claim()
                if not claimed:
                    break
                self._work_off(claimed, report)
        return report

    def _are_due(self) -> bool:
        with reading(self._runtime.engine) as connection:
            return inbound.are_due(connection, *self._place, self._runtime.sending_clock())

    def _claim(self) -> list[Claimed]:
        now = self._runtime.sending_clock()
        with writing(self._runtime.engine) as connection:
            return inbound.claim(connection, *self._place, now, EVENTS_AT_ONCE)

    def _work_off(self, claimed: Sequence[Claimed], report: HookReport) -> None:
        wanted = dict.fromkeys(
            ticket for event in claimed for ticket in event.payload.get("ticket_ids", ())
        )
        refused: dict[str, str] = {}
        # Nothing was ever pulled: the first sync brings all, and until then there is nothing to add to.
        if self._was_synced():
            try:
                done = self._fetch(list(wanted), refused)
            except ConnectorError as error:
                told = named(error, self._client_key, self._settings)
                report.errors.append(told)
                self._put_back(claimed, str(told))
                return
            report.calls += done.calls
            report.stored += done.stored
            # Whatever was stored: who stored it before may have died ahead of this.
            batch = normalise(self._runtime, *self._place, self._wired.transform)
            report.tickets += batch.tickets
        good = [one for one in claimed if not refused.keys() & set(one.payload["ticket_ids"])]
        bad = [one for one in claimed if one not in good]
        with writing(self._runtime.engine) as connection:
            inbound.finish(connection, good, self._runtime.sending_clock())
        report.events += len(good)
        if bad:
            self._put_back(bad, "; ".join(list(refused.values())[:3]))
            first = next(iter(refused.values()))
            report.errors.append(named(PermanentError(first), self._client_key, self._settings))

    def _was_synced(self) -> bool:
        with reading(self._runtime.engine) as connection:
            return raw.stream_state(connection, *self._place, STREAM).sequence > 0

    def _fetch(self, ids: Sequence[str], refused: dict[str, str]) -> Fetched:
        """Fetches tickets; one that the source does not give for its own sake leaves the others alone."""
        source: Any = self._wired.source
        try:
            return fetch_and_store(
                self._runtime, *self._place, source, STREAM, ids, lambda _done: self._stay()
            )
        except AuthError:
            raise
        except PermanentError as error:
            if len(ids) <= 1:
                refused.update(dict.fromkeys(ids, str(error)))
                return Fetched()
        half = len(ids) // 2
        first, second = self._fetch(ids[:half], refused), self._fetch(ids[half:], refused)
        return Fetched(
            first.stored + second.stored,
            first.calls + second.calls,
            first.answered | second.answered,
        )

    def _put_back(self, events: Sequence[Claimed], failure: str) -> None:
        with writing(self._runtime.engine) as connection:
            inbound.put_back(connection, events, failure, self._runtime.sending_clock())

    @contextmanager
    def _lease(self) -> Iterator[bool]:
        is_ours = self._renew()
        try:
            yield is_ours
        finally:
            if is_ours:
                with writing(self._runtime.engine) as connection:
                    leases.give_back(connection, self._lease_name, self._owner)

    @property
    def _lease_name(self) -> str:
        return f"hooks {self._client_key} {self._settings.id}"

    def _stay(self) -> None:
        """Renews the lease where a good part of it is over: a page may take milliseconds."""
        if self._runtime.sending_clock() >= self._leased_at + LEASE / 4:
            self._renew()

    def _renew(self) -> bool:
        now = self._leased_at = self._runtime.sending_clock()
        with writing(self._runtime.engine) as connection:
            return leases.take(connection, self._lease_name, self._owner, now, now + LEASE)


def workers_of(runtime: Runtime, client_key: str) -> list[HookWorker]:
    """A worker for each of a client's sources with a webhook.

    Raises:
        SettingsError: a source's configuration is wrong.
    """
    return [
        HookWorker(runtime, client_key, source)
        for source in sources_of(runtime.settings, client_key)
        if hook_of(source) is not None
    ]
