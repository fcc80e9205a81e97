"""Commands that keep the warehouse true to its sources between syncs: `reconcile` and `watch`.

Belongs here: options, what is printed, exit codes. Does not belong here: work.
"""

import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines import terminal
from pipelines.cli_options import FAILED, Client, Config, Json, clients_of, each_client, leave

if TYPE_CHECKING:
    from pipelines.reconcile import Reconciled
    from pipelines.watch import Round


def reconcile(
    config: Config = None,
    client: Client = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="One source only; may be repeated.")
    ] = None,
    many_vanished: Annotated[
        bool,
        typer.Option(
            "--many-vanished", help="Mark records as gone even where suspiciously many are."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Compare the sources with what is here, mend what differs.

    Syncs first; fetches what is missing here and marks what vanished there. Exit code 1 where a source could
    not be compared or something still differs.
    """
    from pipelines.reconcile import reconcile_client
    from pipelines.runtime import opened

    def one(client_key: str) -> "Reconciled":
        with terminal.reporter() as progress:
            return reconcile_client(
                runtime, client_key, source or (), many_vanished=many_vanished, progress=progress
            )

    with opened(config) as runtime:
        reports, code = each_client(clients_of(runtime.settings, client), one)
    rows = [row for report in reports for row in _rows(report)]
    if json:
        terminal.as_json(rows)
    else:
        for report in reports:
            _show_differences(report.client_key, _rows(report))
    for report in reports:
        for error in report.errors:
            terminal.fail(str(error))
        if not report.agrees:
            code = max(code, FAILED)
    leave(code)


_FIGURES = (
    *("listed", "here", "arrived", "missing", "differing"),
    *("vanished", "fetched", "remaining", "disputed"),
)
"""A comparison's columns of figures."""


def _show_differences(client_key: str, rows: list[dict[str, Any]]) -> None:
    compared = [row for row in rows if row["note"] is None]
    if compared:
        terminal.table(
            client_key,
            ["source", *(f"{name}#" for name in _FIGURES)],
            [
                [f"{row['source']} {row['stream']}", *(str(row[name]) for name in _FIGURES)]
                for row in compared
            ],
            is_dense=True,
        )
    for row in rows:
        if row["note"] is not None:
            terminal.say(f"{client_key}, {row['source']}: {row['note']}")
        for example in row["examples"]:
            terminal.say(f"{client_key}, {row['source']}, {row['stream']} {example}")


def _rows(report: "Reconciled") -> list[dict[str, Any]]:
    from dataclasses import asdict

    rows: list[dict[str, Any]] = []
    for one in report.sources:
        place = {"client": report.client_key, "source": one.source_key}
        if not one.is_comparable or one.error is not None:
            note = "cannot list what it holds" if one.error is None else "not compared"
            rows.append({**place, "stream": None, "examples": [], "note": note})
        rows += [{**place, **asdict(stream), "note": None} for stream in one.streams]
    return rows


def attachments(
    config: Config = None,
    client: Client = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="One source only; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Fetch the files that hang on helpdesks' comments.

    Those that were not fetched before, into the client's store. Exit code 1 where a source could not be read.
    """
    from pipelines.attachments import FilesReport, fetch_files
    from pipelines.runtime import opened

    def one(client_key: str) -> FilesReport:
        with terminal.reporter() as progress:
            return fetch_files(runtime, client_key, source or (), progress)

    with opened(config) as runtime:
        clients = clients_of(runtime.settings, client)
        if client is None:
            fetching = [key for key in clients if runtime.settings.client(key).attachments.fetch]
            clients = fetching or clients
        reports, code = each_client(clients, one)
    rows = [
        {
            "client": report.client_key,
            "source": each.source_key,
            "stored": each.stored,
            "known": each.known,
            "megabytes": round(each.size_bytes / 1_000_000, 1),
            "gone": each.gone,
            "later": each.later,
            "reasons": each.reasons,
            "error": None if each.error is None else str(each.error),
        }
        for report in reports
        for each in report.sources
    ]
    if json:
        totals = {report.client_key: report.counts for report in reports}
        terminal.as_json({"sources": rows, "attachments": totals})
    elif reports:
        names = ["stored", "known", "megabytes", "gone", "later"]
        terminal.table(
            "",
            ["client", "source", *(f"{name}#" for name in names)],
            [[str(row[name]) for name in ("client", "source", *names)] for row in rows],
        )
        for report in reports:
            said = ", ".join(
                f"{count} {name.replace('_', ' ')}" for name, count in report.counts.items()
            )
            terminal.say(f"{report.client_key}: attachments in all: {said}")
            for each in report.sources:
                for reason in each.reasons:
                    terminal.warn(f"{report.client_key}, {each.source_key}: {reason}")
    for report in reports:
        for error in report.errors:
            code = max(code, FAILED)
            terminal.fail(str(error))
    leave(code)


def watch(
    config: Config = None,
    client: Client = None,
    every_seconds: Annotated[
        float, typer.Option("--every", min=1, max=300, help="Seconds between rounds.")
    ] = 15,
    once: Annotated[bool, typer.Option("--once", help="One round, then end.")] = False,
    json: Json = False,
) -> None:
    """Fetch fresh tickets every few seconds, and tick.

    Until stopped. For what cannot wait for the scheduled sync, which stays the record. Safe beside Dagster's
    jobs. Rounds that did nothing print nothing.
    """
    from pipelines.runtime import opened
    from pipelines.watch import Watch

    stop = threading.Event()
    seen: Counter[str] = Counter()
    with opened(config) as runtime:
        watcher = Watch(runtime, clients_of(runtime.settings, client), every_seconds)
        if not json:
            for key, sources in watcher.lanes.items():
                asked = ", ".join(sources) or "no source that can be asked"
                told = watcher.hooked[key]
                hooked = f"; webhooks of {', '.join(told)}" if told else ""
                terminal.say(f"{key}: {asked}; every {every_seconds:g} s{hooked}")
        if once:
            _show(watcher.round(), json, seen)
        else:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            watcher.run(stop, lambda rounds: _show(rounds, json, seen))
    leave(FAILED if once and seen["errors"] else 0)


def _show(rounds: "list[Round]", json: bool, seen: Counter[str]) -> None:
    for done in rounds:
        seen["errors"] += len(done.errors)
        figures = {
            "client": done.client_key,
            "fetched": done.fetched,
            "tickets": done.tickets,
            "fired": done.tick.fired if done.tick else 0,
            "delivered": done.tick.delivered if done.tick else 0,
            "dead": done.tick.dead if done.tick else 0,
            "errors": done.errors,
        }
        if json:
            terminal.as_json(figures)
        elif any(value for name, value in figures.items() if name not in ("client", "errors")):
            said = ", ".join(
                f"{value} {name}"
                for name, value in figures.items()
                if name not in ("client", "errors") and value
            )
            terminal.say(f"{done.client_key}: {said}")
        for error in done.errors:
            terminal.fail(error)
