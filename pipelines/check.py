"""`deskbridge check`: connects to everything that is configured and says what works, what does not and why.

Belongs here: the list of results. Does not belong here: the checks of single systems (their connectors).

Nothing is changed: not even an embedded warehouse is made where there is none yet.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DatabaseError

from connectors.contract import CheckResult
from connectors.errors import ConnectorError
from connectors.warehouse import inbound, schema
from connectors.warehouse.engine import make_engine, reading, shown_url, warehouse_url
from connectors.webhooks.contract import Place
from pipelines.hooks import hook_of
from pipelines.rules import load_rules
from pipelines.runtime import clock_of, is_first_start
from pipelines.settings import ClientSettings, Settings, SettingsError, SourceSettings
from pipelines.stores import opened_stores
from pipelines.wiring import destinations_of, open_notifiers, wire

AT_ONCE = 8
"""Systems asked at the same time, so that a silent host does not hold up the others."""

HOOKS_WAIT_AT_MOST = timedelta(minutes=15)
"""How long an event may wait (a helpdesk may be down for some minutes) before it looks as if nobody cares."""

PATIENCE = {
    "connect_timeout_seconds": 5.0,
    "timeout_seconds": 15.0,
    "tries": 2,
    "deadline_seconds": 40.0,
}
"""A check is for somebody who waits: it gives up sooner than a sync, never later than configured."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of the table."""

    client_key: str
    kind: str
    result: CheckResult


def check_everything(settings: Settings, clients: Sequence[str]) -> Iterator[Checked]:
    """Results for the warehouse and some clients, in their order; one that fails leaves the others alone."""
    checks = [("-", "warehouse", lambda: _warehouse(settings))]
    for client_key in clients:
        client = settings.client(client_key)
        checks += [(client_key, *check) for check in _of_client(settings, client_key, client)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = [pool.submit(check) for _, _, check in checks]
        for (client_key, kind, _), result in zip(checks, results, strict=True):
            yield Checked(client_key, kind, result.result())


def _of_client(
    settings: Settings, client_key: str, client: ClientSettings
) -> Iterator[tuple[str, Callable[[], CheckResult]]]:
    yield "rules", lambda: _rules(settings, client_key)
    for source in client.sources:
        yield source.type, lambda source=source: _source(settings, client_key, source)  # type: ignore[misc]
        if hook_of(source) is not None:
            yield "webhook", lambda source=source: _webhook(settings, client_key, source)  # type: ignore[misc]
    for one in client.notify:
        yield one.type, lambda one=one: _notifier(client, one)  # type: ignore[misc]
    yield "reports", lambda: _reports(settings, client)


def _warehouse(settings: Settings) -> CheckResult:
    url = warehouse_url(settings.warehouse, settings.folder)
    name = shown_url(url)
    if is_first_start(settings):
        fault = _cannot_write(Path(str(url.database)).parent)
        return CheckResult(name, not fault, fault or "not there yet; the first sync makes it")
    try:
        engine = make_engine(url)
        try:
            current, newest = schema.current_revision(engine), schema.newest_revision()
            schema.refuse_unknown(engine, current)
        finally:
            engine.dispose()
    except ConnectorError as error:
        return CheckResult(name, works=False, detail=str(error))
    if current == newest:
        return CheckResult(name, works=True, detail=f"{url.get_backend_name()}, revision {current}")
    found = f"revision {current}" if current else "no tables yet"
    if url.get_backend_name() == "sqlite":
        return CheckResult(name, works=True, detail=f"{found}; the next run brings it to {newest}")
    return CheckResult(
        name, works=False, detail=f"{found}, {newest} is needed. Run: deskbridge db upgrade"
    )


def _rules(settings: Settings, client_key: str) -> CheckResult:
    name = "policies, ladder, on-call"
    try:
        rules = load_rules(settings, client_key, clock_of(settings)().date())
    except SettingsError as error:
        return CheckResult(name, works=False, detail=str(error))
    names = ", ".join(f"{policy.name} ({policy.version})" for policy in rules.policies)
    client = settings.client(client_key)
    live = client.live_from
    if live and not destinations_of(client):
        detail = (
            f"live from {live.isoformat()}, and no channel for pages: nobody would be told of anything. "
            "Add an entry to `notify` with `for: [page]`"
        )
        return CheckResult(name, works=False, detail=detail)
    invented = (
        " (the shipped plan: its people are invented)"
        if live and _is_shipped(settings, client)
        else ""
    )
    detail = f"{names}; {f'live from {live.isoformat()}' if live else 'not live yet: nobody is paged'}{invented}"
    return CheckResult(name, works=True, detail=detail)


def _is_shipped(settings: Settings, client: ClientSettings) -> bool:
    return not settings.path(client.on_call).is_file()


def _source(settings: Settings, client_key: str, source: Any) -> CheckResult:
    try:
        with opened_stores(settings, is_there=not is_first_start(settings)) as stores:
            wired = wire(settings, client_key, _impatient(source), clock_of(settings), stores)
            result = wired.source.check()
    except (SettingsError, ConnectorError) as error:
        return CheckResult(source.id, works=False, detail=str(error))
    return CheckResult(source.id, result.works, result.detail)


def _webhook(settings: Settings, client_key: str, source: SourceSettings) -> CheckResult:
    """Whether the source tells of changes by itself, and whether what it told was worked off."""
    path = Place(client_key, source.id).path
    if is_first_start(settings):
        return CheckResult(source.id, works=True, detail=f"deskbridge serve takes it at {path}")
    try:
        engine = make_engine(settings.warehouse, settings.folder)
        try:
            with reading(engine) as connection:
                state = inbound.states(connection, client_key).get(source.id)
        finally:
            engine.dispose()
    except (ConnectorError, DatabaseError):
        # The warehouse has a line of its own that says why.
        return CheckResult(source.id, works=False, detail=f"{path}: what it told cannot be read")
    if state is None:
        return CheckResult(source.id, works=True, detail=f"{path}: nothing was told yet")
    told = f"{path}: {state.pending} wait, {state.failed} failed, latest {state.latest_at:%Y-%m-%d %H:%M:%S}Z"
    oldest = state.oldest_pending_at
    if oldest is not None and clock_of(settings)() - oldest > HOOKS_WAIT_AT_MOST:
        told += ". Nobody works them off: run deskbridge serve, or deskbridge watch"
        return CheckResult(source.id, works=False, detail=told)
    # Nothing is lost with a failed one: the sync brings what it was about.
    why = ". Why: deskbridge hooks" if state.failed else ""
    return CheckResult(source.id, works=True, detail=told + why)


def _notifier(client: ClientSettings, one: Any) -> CheckResult:
    alone = client.model_copy(update={"notify": (one,)})
    try:
        with open_notifiers(alone, one.purposes[0]) as (notifier,):
            result = notifier.check()
    except ConnectorError as error:
        return CheckResult(one.type, works=False, detail=str(error))
    told = f"{result.detail}; for {', '.join(one.purposes)}" if result.works else result.detail
    return CheckResult(result.name, result.works, told)


def _reports(settings: Settings, client: ClientSettings) -> CheckResult:
    folder = settings.path(client.reports.folder)
    fault = _cannot_write(folder)
    return CheckResult(str(folder), not fault, fault or "can be written to")


def _impatient(source: Any) -> Any:
    """The source with a check's patience where it would have more."""
    limits = {
        name: min(getattr(source, name), limit)
        for name, limit in PATIENCE.items()
        if hasattr(source, name)
    }
    return source.model_copy(update=limits)


def _cannot_write(folder: Path) -> str:
    """Why nothing can be written to a folder (that may be still to be made); empty where it can."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{nearest} is a file, expected a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"this user may not write to {nearest}"
    return ""
