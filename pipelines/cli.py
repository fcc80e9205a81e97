"""The `deskbridge` command.

Belongs here: options, what is printed, exit codes. Does not belong here: work (each command calls one
function of this folder).

Exit codes: 0 done; 1 something failed (a source, a delivery, sums that do not close); 2 wrong use or wrong
configuration, nothing was done; 130 stopped by the user.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from connectors.errors import ConfigurationError, ConnectorError
from pipelines import terminal
from pipelines.runtime import Runtime, opened
from pipelines.settings import SettingsError

app = typer.Typer(
    name="deskbridge",
    help="Tickets from the helpdesks you run: one clean history, every SLA promise measured, the right "
    "person paged, inboxes moved with proof, reports in Excel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=TyperGroup,
)
sla_app = typer.Typer(help="The promises: the signable matrix.", no_args_is_help=True)
migrate_app = typer.Typer(
    help="Move an inbox into a helpdesk, with a ledger.", no_args_is_help=True
)
db_app = typer.Typer(help="The warehouse's schema.", no_args_is_help=True)
app.add_typer(sla_app, name="sla")
app.add_typer(migrate_app, name="migrate")
app.add_typer(db_app, name="db")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file [default: $DESKBRIDGE_CONFIG or deskbridge.yaml].",
    ),
]
Client = Annotated[str | None, typer.Option("--client", help="One client only.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="Instant with zone, e.g. 2026-11-02T06:00:00Z [default: now]."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@contextmanager
def _runtime(config: Path | None) -> Iterator[Runtime]:
    with opened(config) as runtime:
        yield runtime


def _instant(text: str | None, runtime: Runtime) -> datetime:
    if text is None:
        return runtime.now()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"--as-of: '{text}' is no instant; expected e.g. 2026-11-02T06:00:00Z"
        ) from None
    if instant.tzinfo is None:
        raise SettingsError(f"--as-of: '{text}' has no zone; write for instance {text}Z")
    return instant.astimezone(UTC)


def _clients(runtime: Runtime, client: str | None) -> list[str]:
    if client is not None:
        runtime.settings.client(client)
        return [client]
    return list(runtime.settings.clients)


@app.command()
def check(config: Config = None, json: Json = False) -> None:
    """Connect to everything configured; print what works, what does not and why."""
    from pipelines.check import check_everything

    with _runtime(config) as runtime:
        results = list(check_everything(runtime))
    if json:
        terminal.as_json(
            [
                {
                    "client": one.client_key,
                    "kind": one.kind,
                    "name": one.result.name,
                    "works": one.result.works,
                    "detail": one.result.detail,
                }
                for one in results
            ]
        )
    else:
        terminal.table(
            "",
            ["client", "kind", "name", "", "detail"],
            [
                [
                    one.client_key,
                    one.kind,
                    one.result.name,
                    "works" if one.result.works else "FAILS",
                    one.result.detail,
                ]
                for one in results
            ],
        )
    if not all(one.result.works for one in results):
        raise typer.Exit(1)


@app.command()
def sync(
    config: Config = None,
    client: Client = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="One source only; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Pull what is new from every source, normalise it, link duplicates."""
    from pipelines.ingest import ingest_client

    failed = False
    with _runtime(config) as runtime:
        reports = []
        for client_key in _clients(runtime, client):
            with terminal.reporter() as progress:
                report = ingest_client(runtime, client_key, source or (), progress)
            reports.append(report)
            failed = failed or bool(report.errors)
    rows = [
        {
            "client": report.client_key,
            "source": outcome.source_key,
            "read": int(outcome.sync.total("seen")) if outcome.sync else 0,
            "new": int(outcome.sync.total("stored")) if outcome.sync else 0,
            "calls": int(outcome.sync.total("calls")) if outcome.sync else 0,
            "waited_seconds": round(outcome.sync.total("seconds_waited"), 1)
            if outcome.sync
            else 0.0,
            "tickets": outcome.normalise.tickets if outcome.normalise else 0,
            "quarantined": outcome.normalise.quarantined if outcome.normalise else 0,
            "rows_changed": outcome.normalise.rows_changed if outcome.normalise else 0,
            "warnings": len(outcome.normalise.warnings) if outcome.normalise else 0,
            "error": str(outcome.error) if outcome.error else None,
        }
        for report in reports
        for outcome in report.sources
    ]
    if json:
        terminal.as_json(rows)
    else:
        columns = [
            "client",
            "source",
            "read",
            "new",
            "calls",
            "waited_seconds",
            "tickets",
            "quarantined",
            "rows_changed",
            "warnings",
        ]
        terminal.table(
            "",
            [
                name if name in ("client", "source") else f"{name.replace('_', ' ')}#"
                for name in columns
            ],
            [[str(row[name]) for name in columns] for row in rows],
        )
    for row in rows:
        if row["error"]:
            terminal.fail(str(row["error"]))
    if failed:
        raise typer.Exit(1)


@db_app.command("upgrade")
def db_upgrade(config: Config = None) -> None:
    """Bring the warehouse's schema to the version this program needs."""
    from connectors.warehouse import schema
    from connectors.warehouse.engine import make_engine
    from pipelines.settings import load_settings

    settings = load_settings(config)
    engine = make_engine(settings.warehouse, settings.folder)
    try:
        before = schema.current_revision(engine)
        schema.upgrade(engine)
        after = schema.current_revision(engine)
    finally:
        engine.dispose()
    terminal.say(
        f"revision {after}"
        + (" (nothing to do)" if before == after else f", was {before or 'empty'}")
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command; a user's mistake gives a sentence and an exit code, never a traceback."""
    sys.exit(_run(lambda: app(args=arguments, standalone_mode=False)))


def _run(call: Callable[[], Any]) -> int:
    import click

    try:
        result = call()
    except (SettingsError, ConfigurationError) as error:
        terminal.fail(str(error))
        return 2
    except ConnectorError as error:
        terminal.fail(str(error))
        return 1
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        terminal.warn("stopped; what was committed stays, the next run goes on from there")
        return 130
    except BrokenPipeError:
        return 0
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
