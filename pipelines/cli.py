"""The `deskbridge` command.

Belongs here: options, what is printed, exit codes. Does not belong here: work (each command calls one
function of this folder); commands that only look (`cli_look`), or belong to `migrate` (`cli_migrate`) or to what
waits for a person (`cli_problems`).

Exit codes: 0 done; 1 something failed (a source, a delivery, sums that do not close); 2 wrong use or wrong
configuration, nothing was done (with several clients: for that client); 130 stopped by the user.

Everything that takes time to import is imported by the command that needs it: `--help` answers at once.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from connectors.errors import ConnectorError
from pipelines import terminal
from pipelines.cli_contact import contact_app
from pipelines.cli_look import check, checksum, explain, on_call
from pipelines.cli_migrate import migrate_app
from pipelines.cli_options import (
    FAILED,
    STOPPED,
    WRONG_USE,
    AsOf,
    Client,
    Config,
    Json,
    clients_of,
    config_path,
    each_client,
    exit_code,
    instant_of,
    leave,
    month_of,
)
from pipelines.cli_problems import messages_app, quarantine
from pipelines.cli_serve import hooks, serve
from pipelines.cli_sla import sla_app
from pipelines.cli_sources import attachments, reconcile, watch
from pipelines.cli_thread import thread_app
from pipelines.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.ingest import IngestReport
    from pipelines.report import WrittenReport
    from pipelines.tick import TickReport
    from transforms.model import DataWarning

_UsageError: type[Any] = typer.BadParameter.__mro__[1]
"""What typer raises for a wrong command, option or value; it has no public name of its own."""

app = typer.Typer(
    name="deskbridge",
    help="Tickets from the helpdesks you run: one clean history, every SLA promise measured, the right "
    "person paged, inboxes moved with proof, reports in Excel.",
    epilog="Exit codes: 0 done; 1 something failed; 2 wrong use or configuration, nothing was done; "
    "130 stopped. Start with: deskbridge demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=TyperGroup,
)
db_app = typer.Typer(help="Bring the warehouse's schema up to date.", no_args_is_help=True)
app.command()(check)


@app.command()
def sync(
    config: Config = None,
    client: Client = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="One source only; may be repeated.")
    ] = None,
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start", help="Read everything once more; for what an earlier version left out."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Pull what is new from every source and normalise it.

    Links duplicates across sources too. A source that fails is reported and leaves the others alone; run
    again, it goes on behind the last page that was kept. With --from-start all is read once more, which takes
    as long as the first sync; what is here already stays as it is.
    """
    from pipelines.ingest import ingest_client
    from pipelines.runtime import opened

    def one(client_key: str) -> "IngestReport":
        with terminal.reporter() as progress:
            return ingest_client(runtime, client_key, source or (), progress, from_start)

    with opened(config) as runtime:
        reports, code = each_client(_having(runtime.settings, client, source or []), one)
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
            "articles": outcome.normalise.articles if outcome.normalise else 0,
            "quarantined": outcome.normalise.quarantined if outcome.normalise else 0,
            "rows_changed": outcome.normalise.rows_changed if outcome.normalise else 0,
            "warnings": len(outcome.normalise.warnings) if outcome.normalise else 0,
            "made_otherwise": outcome.made_otherwise,
            "error": str(outcome.error)
            if outcome.error and not outcome.is_left_to_another
            else None,
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
            "articles",
            "quarantined",
            "rows_changed",
            "warnings",
        ]
        if rows:
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
            place = f"{report.client_key}, {outcome.source_key}"
            for line in _warned(outcome.normalise.warnings if outcome.normalise else []):
                terminal.warn(f"{place}: {line}")
            if outcome.made_otherwise:
                terminal.warn(
                    f"{place}: {outcome.made_otherwise} tickets or records in quarantine were read by another "
                    f"mapping than it is now. To read them by this one: deskbridge rebuild --client "
                    f"{report.client_key} --source {outcome.source_key}"
                )
            for stream in outcome.sync.streams if outcome.sync else ():
                for note in stream.notes:
                    terminal.warn(f"{place}: {note}")
            if outcome.is_left_to_another:
                terminal.warn(str(outcome.error))
    for row in rows:
        if row["error"]:
            code = max(code, FAILED)
            terminal.fail(str(row["error"]))
    leave(code)


def _warned(warnings: "Sequence[DataWarning]") -> "Iterator[str]":
    """A line for each rule that spoke: how often, and one example."""
    by_rule: dict[str, list[DataWarning]] = {}
    for warning in warnings:
        by_rule.setdefault(warning.rule, []).append(warning)
    for rule, found in sorted(by_rule.items()):
        first = found[0]
        example = (
            f"{first.ticket_remote_id}: {first.detail}"
            if first.detail
            else f"{first.ticket_remote_id}"
        )
        yield f"{len(found)} × {rule}, for instance {example[:300]}"


def _having(settings: Settings, client: str | None, sources: list[str]) -> list[str]:
    """The clients to sync: of all of them, those that have the sources named."""
    clients = clients_of(settings, client)
    if client is not None or not sources:
        return clients
    having = [
        key for key in clients if set(sources) <= {one.id for one in settings.client(key).sources}
    ]
    return having or clients[:1]


@app.command()
def rebuild(
    config: Config = None,
    client: Client = None,
    source: Annotated[str | None, typer.Option("--source", help="One source only.")] = None,
    json: Json = False,
) -> None:
    """Make tickets, people and links again from the raw records.

    After a transform was mended or a mapping changed. Nothing is pulled; ids, decisions, timers, the ledger and
    the audit trail stay. Records in quarantine are read again.
    """
    from pipelines.rebuild import RebuildReport, rebuild_client
    from pipelines.runtime import opened

    def one(client_key: str) -> RebuildReport:
        with terminal.reporter() as progress:
            return rebuild_client(runtime, client_key, source, progress)

    with opened(config) as runtime:
        reports, code = each_client(clients_of(runtime.settings, client), one)
    rows = [
        {
            "client": report.client_key,
            "tickets": sum(each.tickets for each in report.sources),
            "comments": sum(each.comments for each in report.sources),
            "changes": sum(each.changes for each in report.sources),
            "articles": sum(each.articles for each in report.sources),
            "quarantined": sum(each.quarantined for each in report.sources),
            "removed": report.removed,
            "links_changed": report.duplicates,
        }
        for report in reports
    ]
    if json:
        terminal.as_json(rows)
    elif rows:
        columns = [name for name in rows[0] if name != "client"]
        terminal.table(
            "",
            ["client", *(f"{name.replace('_', ' ')}#" for name in columns)],
            [[str(value) for value in row.values()] for row in rows],
        )
    leave(code)


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
    """Update the SLA clocks, settle due timers, send messages.

    Runs each minute in production. A client whose rules are wrong is reported and leaves the others' pages
    alone; exit code 1 where a message is dead.
    """
    from dataclasses import asdict

    from pipelines.runtime import opened
    from pipelines.tick import refuse_to_go_back, rehearse_client, tick_client

    instant = instant_of(as_of, "--as-of")
    start = instant_of(rehearse_from, "--rehearse-from")

    def one(client_key: str) -> "TickReport":
        end = instant or runtime.now()
        if start is None:
            refuse_to_go_back(runtime, client_key, end)
            return tick_client(runtime, client_key, end)
        return rehearse_client(runtime, client_key, start, end)

    with opened(config) as runtime:
        reports, code = each_client(clients_of(runtime.settings, client), one)
    rows = [asdict(report) for report in reports]
    if json:
        terminal.as_json(rows)
    elif rows:
        columns = [name for name in rows[0] if name != "client_key"]
        terminal.table(
            "",
            ["client", *(f"{name}#" for name in columns)],
            [[row["client_key"], *(str(row[name]) for name in columns)] for row in rows],
        )
    if any(row["dead"] for row in rows):
        code = max(code, FAILED)
        terminal.fail("messages are dead: nobody took them. deskbridge messages list shows which")
    leave(code)


app.command()(watch)
app.command()(serve)
app.command()(hooks)
app.command()(reconcile)
app.command()(attachments)


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
    send: Annotated[
        bool, typer.Option("--send", help="Post the headline to the channels for reports.")
    ] = False,
    json: Json = False,
) -> None:
    """Write the compliance workbook; print the scoreboard."""
    from pipelines.announce import announce_report
    from pipelines.report import write_compliance_report
    from pipelines.runtime import opened

    instant, wanted = instant_of(as_of, "--as-of"), month_of(month)

    def one(client_key: str) -> "WrittenReport":
        at = instant or runtime.now()
        done = write_compliance_report(runtime, client_key, at, wanted, out)
        if send:
            announce_report(runtime, client_key, done)
        return done

    with opened(config) as runtime:
        clients = clients_of(runtime.settings, client)
        if out is not None and len(clients) > 1:
            raise SettingsError("--out names one file: choose a client with --client")
        written, code = each_client(clients, one)
    if json:
        terminal.as_json(
            [{"path": str(w.path), "issue": w.issue, **w.workbook.summary} for w in written]
        )
    else:
        for each in written:
            show_scoreboard(each)
    leave(code)


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
    emptiness = written.emptiness()
    if emptiness:
        terminal.warn(emptiness)
    terminal.say(f"workbook: {written.path} ({written.size_bytes:,} bytes, issue {written.issue})")


app.command()(explain)
app.command("on-call")(on_call)
app.command()(quarantine)
app.add_typer(contact_app, name="contact")
app.add_typer(messages_app, name="messages")
app.add_typer(migrate_app, name="migrate")
app.add_typer(sla_app, name="sla")
app.add_typer(thread_app, name="thread")
app.command()(checksum)


@app.command()
def run(
    job: Annotated[
        str,
        typer.Argument(
            help="sync, reconcile, attachments, sla_tick, compliance_report, migration or purge_runs."
        ),
    ],
    config: Config = None,
    client: Client = None,
) -> None:
    """Run one of Dagster's jobs here and now; no daemon needed.

    The run is recorded in $DAGSTER_HOME, where Dagster's web page shows it.
    """
    from pipelines.run_job import run_job

    if not run_job(config_path(config), job, client):
        terminal.fail(f"{job} failed; what went wrong stands above and in Dagster's event log")
        leave(FAILED)


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the demo lives; run again it changes nothing.")
    ] = Path(".demo"),
    size: Annotated[
        float, typer.Option("--size", min=0.01, max=20, help="1.0 is a year of 3,100 tickets.")
    ] = 1.0,
) -> None:
    """Show the main job from nothing, on stand-in servers.

    Tickets, clocks, pages, a migration and the workbook, all on this machine; nothing is sent anywhere.
    """
    from pipelines.demo.run import run_demo

    run_demo(folder, size)


@db_app.command("upgrade")
def db_upgrade(config: Config = None, json: Json = False) -> None:
    """Bring the warehouse's schema to the version needed."""
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
    if json:
        terminal.as_json({"before": before, "after": after})
        return
    terminal.say(
        f"revision {after}"
        + (" (nothing to do)" if before == after else f", was {before or 'empty'}")
    )


app.add_typer(db_app, name="db")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command; a user's mistake gives a sentence and an exit code, never a traceback."""
    code = _run(lambda: app(args=arguments, prog_name="deskbridge", standalone_mode=False))
    if code == STOPPED:
        terminal.warn("stopped; what was committed stays, the next run goes on from there")
    sys.exit(code)


def _run(call: Callable[[], Any]) -> int:
    try:
        result = call()
    except (SettingsError, ConnectorError) as error:
        terminal.fail(str(error))
        return exit_code(error)
    except typer.Exit as error:
        return int(error.exit_code)
    except _UsageError as error:
        error.show()
        return WRONG_USE
    except (KeyboardInterrupt, typer.Abort):
        return STOPPED
    except BrokenPipeError:
        # The reader had seen enough (`| head`); Python would complain once more when it flushes at its end.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        terminal.fail(f"{place}{error.strerror or error}")
        return FAILED
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
