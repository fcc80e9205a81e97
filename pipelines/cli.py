"""The `deskbridge` command.

Belongs here: options, what is printed, exit codes. Does not belong here: work (each command calls one
function of this folder).

Exit codes: 0 done; 1 something failed (a source, a delivery, sums that do not close); 2 wrong use or wrong
configuration, nothing was done; 130 stopped by the user.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from connectors.errors import ConfigurationError, ConnectorError
from pipelines import terminal
from pipelines.cli_problems import messages_app, quarantine
from pipelines.runtime import Runtime, opened
from pipelines.settings import CONFIGURATION_NAME, SettingsError

if TYPE_CHECKING:
    from pipelines.report import WrittenReport

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
migrate_app = typer.Typer(
    help="Move an inbox into a helpdesk, with a ledger.", no_args_is_help=True
)
db_app = typer.Typer(help="The warehouse's schema.", no_args_is_help=True)
app.add_typer(migrate_app, name="migrate")
app.add_typer(db_app, name="db")
app.add_typer(messages_app, name="messages")
app.command()(quarantine)

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


def _one_client(runtime: Runtime, client: str | None) -> str:
    clients = _clients(runtime, client)
    if len(clients) > 1:
        raise SettingsError(f"choose a client with --client: {', '.join(clients)}")
    return clients[0]


def _config_path(config: Path | None) -> Path:
    return config or Path(os.environ.get("DESKBRIDGE_CONFIG", CONFIGURATION_NAME))


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
    for report in reports:
        for outcome in report.sources:
            counted = (
                Counter(w.rule for w in outcome.normalise.warnings) if outcome.normalise else {}
            )
            for rule, count in sorted(counted.items()):
                terminal.warn(f"{report.client_key}, {outcome.source_key}: {count} × {rule}")
    for row in rows:
        if row["error"]:
            terminal.fail(str(row["error"]))
    if failed:
        raise typer.Exit(1)


@app.command()
def tick(
    config: Config = None,
    client: Client = None,
    as_of: AsOf = None,
    rehearse_from: Annotated[
        str | None,
        typer.Option(
            "--rehearse-from", help="Tick every minute that matters from this instant on."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Bring clocks up to date, settle escalation timers that are due, send what is waiting."""
    from dataclasses import asdict

    from pipelines.tick import rehearse_client, tick_client

    with _runtime(config) as runtime:
        instant = _instant(as_of, runtime)
        start = _instant(rehearse_from, runtime) if rehearse_from else None
        reports = [
            tick_client(runtime, key, instant)
            if start is None
            else rehearse_client(runtime, key, start, instant)
            for key in _clients(runtime, client)
        ]
    rows = [asdict(report) for report in reports]
    if json:
        terminal.as_json(rows)
    else:
        columns = [name for name in rows[0] if name != "client_key"]
        terminal.table(
            "",
            ["client", *(f"{name}#" for name in columns)],
            [[row["client_key"], *(str(row[name]) for name in columns)] for row in rows],
        )
    if any(row["dead"] for row in rows):
        terminal.fail("messages are dead: nobody took them. deskbridge messages list shows which")
        raise typer.Exit(1)


@app.command()
def report(
    config: Config = None,
    client: Client = None,
    month: Annotated[
        str | None, typer.Option("--month", help="e.g. 2026-10 [default: the last complete month].")
    ] = None,
    as_of: AsOf = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write [default: the client's folder].")
    ] = None,
    json: Json = False,
) -> None:
    """Write the compliance workbook; print the scoreboard."""
    from pipelines.report import write_compliance_report

    with _runtime(config) as runtime:
        clients = _clients(runtime, client)
        if out is not None and len(clients) > 1:
            raise SettingsError("--out names one file: choose a client with --client")
        written = [
            write_compliance_report(runtime, key, _instant(as_of, runtime), month, out)
            for key in clients
        ]
    if json:
        terminal.as_json(
            [{"path": str(w.path), "issue": w.issue, **w.workbook.summary} for w in written]
        )
        return
    for one in written:
        show_scoreboard(one)


def show_scoreboard(written: "WrittenReport") -> None:
    """A report's headline figures and where the workbook lies."""
    board = written.scoreboard
    terminal.table(
        board.title,
        ["figure", "value#", "target#", "change#", "n#", "status"],
        [
            [row.label, row.value, row.target, row.change, str(row.n), row.status]
            for row in board.rows
        ],
    )
    for sentence in board.sentences:
        terminal.say(sentence)
    terminal.say(f"workbook: {written.path} ({written.size_bytes:,} bytes, issue {written.issue})")


@app.command()
def explain(
    ticket: Annotated[str, typer.Argument(help="Number, source/number, or our key.")],
    config: Config = None,
    client: Client = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Follow one ticket from its raw records to its clocks, its pages and its cell in the workbook."""
    from pipelines.explain import explain_ticket

    with _runtime(config) as runtime:
        sections = explain_ticket(runtime, ticket, client, _instant(as_of, runtime))
    if json:
        terminal.as_json(
            {
                section.title: [
                    dict(zip((c.rstrip("#") for c in section.columns), row, strict=True))
                    for row in section.rows
                ]
                for section in sections
            }
        )
        return
    for section in sections:
        terminal.table(section.title, section.columns, section.rows)


@app.command("on-call")
def on_call(
    config: Config = None,
    client: Client = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Instant with zone [default: now].")
    ] = None,
    json: Json = False,
) -> None:
    """Say who is on call, on every level, and why."""
    from pipelines.rules import load_rules
    from sla_rules.on_call import who

    rows = []
    with _runtime(config) as runtime:
        instant = _instant(at, runtime)
        for key in _clients(runtime, client):
            plan = load_rules(runtime.settings, key, instant.date()).on_call
            for level in plan.levels():
                answer = who(plan, level, instant)
                rows.append(
                    {
                        "client": key,
                        "level": level,
                        "primary": answer.primary.name if answer.primary else "nobody",
                        "secondary": answer.secondary.name if answer.secondary else "–",
                        "why": answer.why,
                    }
                )
    if json:
        terminal.as_json(rows)
        return
    terminal.table("", list(rows[0]), [list(row.values()) for row in rows])


@app.command()
def checksum(config: Config = None, json: Json = False) -> None:
    """Print a checksum over the domain columns of each table: equal sums, equal history."""
    from connectors.warehouse.checksum import warehouse_checksums
    from connectors.warehouse.engine import reading

    with _runtime(config) as runtime, reading(runtime.engine) as connection:
        sums = warehouse_checksums(connection)
    if json:
        terminal.as_json(
            {name: {"rows": rows, "sha256": digest} for name, (rows, digest) in sums.items()}
        )
        return
    terminal.table("", ["table", "rows#", "sha256"], [[n, str(r), d] for n, (r, d) in sums.items()])


@app.command()
def run(
    job: Annotated[
        str, typer.Argument(help="sync, sla_tick, compliance_report, migration or purge_runs.")
    ],
    config: Config = None,
    client: Client = None,
) -> None:
    """Run one of Dagster's jobs here and now, recorded in $DAGSTER_HOME; no daemon needed."""
    from pipelines.run_job import run_job

    path = _config_path(config)
    if not run_job(path, job, client):
        terminal.fail(f"{job} failed; what went wrong stands above and in Dagster's event log")
        raise typer.Exit(1)


@migrate_app.command("plan")
def migrate_plan(
    migration: Annotated[str, typer.Argument(help="Its id in the configuration.")],
    config: Config = None,
    client: Client = None,
    json: Json = False,
) -> None:
    """Decide what becomes of every record, before anything moves."""
    from dataclasses import asdict

    from pipelines.migrate import migration_of, plan_migration
    from pipelines.wiring import helpdesk_of

    with _runtime(config) as runtime:
        key = _one_client(runtime, client)
        plan = plan_migration(runtime, key, migration)
        target = migration_of(runtime, key, migration).target
        cannot_keep = helpdesk_of(runtime.settings, key, target).cannot_keep
    if json:
        terminal.as_json({**asdict(plan), "cannot_keep": dict(cannot_keep)})
        return
    terminal.table(
        "Mails",
        ["what becomes of them", "mails#"],
        [[reason, str(count)] for reason, count in sorted(plan.reasons.items())],
    )
    terminal.table(
        "Conversations", ["decision", "tickets#"], [[k, str(v)] for k, v in plan.tickets.items()]
    )
    terminal.table(
        f"What {target} cannot keep", ["what", "instead"], [[k, v] for k, v in cannot_keep.items()]
    )


@migrate_app.command("move")
def migrate_move(
    migration: Annotated[str, typer.Argument(help="Its id in the configuration.")],
    config: Config = None,
    client: Client = None,
) -> None:
    """Move what is planned; run again it goes on."""
    from pipelines.migrate import move_migration

    with _runtime(config) as runtime, terminal.reporter() as progress:
        key = _one_client(runtime, client)
        moved = move_migration(
            runtime,
            key,
            migration,
            lambda step, done, total: progress(migration, step, done, total),
        )
    terminal.say(f"{moved} tickets moved")


@migrate_app.command("verify")
def migrate_verify(
    migration: Annotated[str, typer.Argument(help="Its id in the configuration.")],
    config: Config = None,
    client: Client = None,
) -> None:
    """Read back what was moved and compare every comment, time, author and file."""
    from pipelines.migrate import verify_migration

    with _runtime(config) as runtime, terminal.reporter() as progress:
        key = _one_client(runtime, client)
        differing = verify_migration(
            runtime,
            key,
            migration,
            lambda step, done, total: progress(migration, step, done, total),
        )
    terminal.say(f"{differing} tickets differ")
    if differing:
        raise typer.Exit(1)


@migrate_app.command("reconcile")
def migrate_reconcile(
    migration: Annotated[str, typer.Argument(help="Its id in the configuration.")],
    config: Config = None,
    client: Client = None,
) -> None:
    """Close the ledger: source, ledger and target agree, or the reasons why not."""
    from pipelines.migrate import reconcile_migration

    with _runtime(config) as runtime:
        result = reconcile_migration(runtime, _one_client(runtime, client), migration)
    for line in result.lines():
        terminal.say(line)
    for fault in result.faults:
        terminal.fail(fault)
    if not result.closes:
        raise typer.Exit(1)
    terminal.say("the sums close")


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the demo lives; run again it changes nothing.")
    ] = Path(".demo"),
    size: Annotated[float, typer.Option("--size", help="1.0 is a year of 3,100 tickets.")] = 1.0,
) -> None:
    """The main job from nothing, on stand-in servers: tickets, clocks, pages, a migration, the workbook."""
    from pipelines.demo.run import run_demo

    run_demo(folder, size)


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
