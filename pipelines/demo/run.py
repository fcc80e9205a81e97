"""`deskbridge demo`: the main job from nothing, and what a stranger is shown of it.

Belongs here: the demo's words on screen. Does not belong here: the job (`job`), the servers (`servers`).
"""

import shutil
import sys
import time
from pathlib import Path

import typer
from sqlalchemy import select

from connectors.warehouse.engine import reading
from connectors.warehouse.tables import delivery, ticket
from pipelines import terminal
from pipelines.demo.configuration import write_configuration
from pipelines.demo.folder import AS_OF, CLIENT, TIME_SCALE, DemoFolder
from pipelines.demo.job import JobResult, run_job
from pipelines.demo.prepare import prepare
from pipelines.demo.received import received
from pipelines.demo.servers import running
from pipelines.report import WrittenReport
from pipelines.runtime import opened


def run_demo(path: Path, size: float) -> None:
    """Prepares the folder, starts the stand-ins, runs the job, shows what came of it.

    Raises:
        SettingsError: the stand-ins do not start.
        typer.Exit: the migration's sums do not close.
    """
    started = time.monotonic()
    folder = DemoFolder(path.resolve())
    terminal.say(f"demo in {path}: a year of Acme's support, seen on {AS_OF:%d %B %Y, %H:%M} UTC")
    prepare(folder, size)
    with running(folder) as ports:
        write_configuration(folder, ports)
        terminal.say(
            "stand-ins: "
            + ", ".join(f"{name} :{port}" for name, port in ports.items())
            + f" (a documented minute of their rate limits passes in {60 / TIME_SCALE:g} s)"
        )
        result = run_job(folder, terminal.say)
        told = received(folder)
    _show(folder, path, result, told, time.monotonic() - started)


def _show(
    folder: DemoFolder, path: Path, result: JobResult, told: list[str], seconds: float
) -> None:
    from pipelines.cli import show_scoreboard

    assert result.report is not None
    assert result.running is not None
    assert result.migration is not None
    show_scoreboard(result.report)
    terminal.say(f"the running month so far: {result.running.path}")
    for line in told:
        terminal.say(line)
    for line in result.migration.lines():
        terminal.say(f"migration {line}")
    terminal.say(
        "migration sums close" if result.migration.closes else "migration SUMS DO NOT CLOSE"
    )
    terminal.say(f"done in {seconds:.1f} s; run it again: nothing is added")
    example = _breached_and_paged(folder, result.running)
    if example:
        terminal.say("follow one breached ticket from its raw record to its page and its cell:")
        terminal.say(f"  {_command()} explain {example} --config {path}/deskbridge.yaml")
    if not result.migration.closes:
        for fault in result.migration.faults:
            terminal.fail(fault)
        raise typer.Exit(1)


def _command() -> str:
    """How this very command is called from the present folder."""
    called = Path(sys.argv[0])
    if shutil.which("deskbridge") == str(called.absolute()):
        return "deskbridge"
    return str(called)


def _breached_and_paged(folder: DemoFolder, report: WrittenReport) -> str | None:
    """A ticket that stands among the workbook's breaches and was paged about; one only paged otherwise."""
    breaches = {key for (key, _), cell in report.workbook.index.items() if "Breaches" in cell}
    with opened(folder.config) as runtime, reading(runtime.engine) as connection:
        rows = connection.execute(
            select(ticket.c.ticket_key, ticket.c.source_key, ticket.c.number)
            .join(delivery, delivery.c.ticket_key == ticket.c.ticket_key)
            .where(ticket.c.client_key == CLIENT, delivery.c.action == "trigger")
            .order_by(delivery.c.channel, delivery.c.message_key)
        ).all()
    paged = [f"{row.source_key}/{row.number}" for row in rows]
    both = [f"{row.source_key}/{row.number}" for row in rows if row.ticket_key in breaches]
    return next(iter(both or paged), None)
