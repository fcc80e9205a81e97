"""Commands around helpdesks' webhooks: `serve` takes them in, `hooks` shows what became of them.

Belongs here: options, what is printed, exit codes. Does not belong here: work (`serve`, `hooks`).
"""

import signal
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines import terminal
from pipelines.cli_options import FAILED, Client, Config, Json, clients_of, leave

if TYPE_CHECKING:
    from connectors.warehouse.inbound import HookState
    from pipelines.serve import Worked

PORT = 8480


def serve(
    config: Config = None,
    client: Client = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; a reverse proxy ends TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: a free one.")] = PORT,
    receive_only: Annotated[
        bool, typer.Option("--receive-only", help="Store only; deskbridge watch works them off.")
    ] = False,
    json: Json = False,
) -> None:
    """Take helpdesks' webhooks in, fetch their tickets, and tick.

    Until stopped. A webhook is a hint: the ticket is fetched, and the scheduled sync stays the record. Needs `webhook`
    at a source; set-up: connectors/webhooks/README.md. Safe beside `watch`, Dagster's jobs and another `serve`.
    """
    from pipelines.runtime import opened
    from pipelines.serve import Serve

    stop = threading.Event()

    def worked(done: "Worked") -> None:
        figures = {
            "client": done.hooks.client_key,
            "source": done.hooks.source_key,
            "events": done.hooks.events,
            "fetched": done.hooks.stored,
            "tickets": done.hooks.tickets,
            "fired": done.tick.fired if done.tick else 0,
            "delivered": done.tick.delivered if done.tick else 0,
            "errors": done.errors,
        }
        if json:
            terminal.as_json(figures)
        elif done.hooks.events:
            names = ("events", "fetched", "tickets", "fired", "delivered")
            said = ", ".join(f"{figures[name]} {name}" for name in names if figures[name])
            terminal.say(f"{figures['client']}/{figures['source']}: {said}")
        for error in done.errors:
            terminal.fail(error)

    with opened(config) as runtime:
        keys = clients_of(runtime.settings, client)
        server = Serve(
            runtime, keys, is_working=not receive_only, on_worked=worked, on_refused=terminal.warn
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with server.start(host, port):
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{server.receiver.port}"
            paths = [place.path for place in server.places]
            if json:
                terminal.as_json({"address": address, "paths": paths})
            else:
                terminal.say(f"listening on {address}")
                for path in paths:
                    terminal.say(f"  {path}")
            server.wait(stop)


def hooks(
    config: Config = None,
    client: Client = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try the failed ones once more.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Events listed.")] = 20,
    json: Json = False,
) -> None:
    """Show what webhooks told, what waits, what failed and why.

    Nothing is lost with a failed one: the scheduled sync brings what it was about.
    """
    from connectors.warehouse import inbound
    from connectors.warehouse.engine import reading, writing
    from pipelines.runtime import opened

    states: list[tuple[str, HookState]] = []
    failures: list[dict[str, Any]] = []
    tried = 0
    with opened(config) as runtime:
        for key in clients_of(runtime.settings, client):
            if retry:
                with writing(runtime.engine) as connection:
                    tried += inbound.try_again(connection, key, runtime.sending_clock())
            with reading(runtime.engine) as connection:
                states += [(key, one) for one in inbound.states(connection, key).values()]
                failures += [
                    {"client": key, **one} for one in inbound.failures(connection, key, limit)
                ]
    rows = [_row(key, state) for key, state in states]
    if json:
        terminal.as_json({"sources": rows, "failures": failures, "tried_again": tried})
    else:
        _show(rows, failures)
        if retry:
            terminal.say(f"{tried} events are tried once more")
    leave(FAILED if any(row["failed"] for row in rows) else 0)


def _row(client_key: str, state: "HookState") -> dict[str, Any]:
    seconds = state.seconds
    return {
        "client": client_key,
        "source": state.source_key,
        "pending": state.pending,
        "done": state.done,
        "ignored": state.ignored,
        "failed": state.failed,
        "latest_at": state.latest_at,
        "median_seconds": _at(seconds, 0.5),
        "p95_seconds": _at(seconds, 0.95),
    }


def _at(rising: Any, share: float) -> float | None:
    return round(rising[int((len(rising) - 1) * share)], 2) if rising else None


def _show(rows: list[dict[str, Any]], failures: list[dict[str, Any]]) -> None:
    if not rows:
        terminal.say("no webhook has told anything yet")
        return
    names = ["pending", "done", "ignored", "failed", "median_seconds", "p95_seconds"]
    terminal.table(
        "",
        ["client", "source", "latest", *(f"{name}#" for name in names)],
        [
            [row["client"], row["source"], _clock(row["latest_at"]), *(_cell(row[name]) for name in names)]
            for row in rows
        ],
    )  # fmt: skip
    for one in failures:
        terminal.say(
            f"{one['event_id']} ({one['event_type'] or 'no type'}, {one['attempts']} tries, {one['state']}): "
            f"{one['failure']}"
        )


def _clock(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
