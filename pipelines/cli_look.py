"""Commands that only look: `check`, `explain`, `on-call`, `checksum`.

Belongs here: options and what is printed. Does not belong here: work (`check`, `explain`, `sla_rules`).
"""

from datetime import UTC
from typing import Annotated

import typer

from pipelines import terminal
from pipelines.cli_options import (
    FAILED,
    AsOf,
    Client,
    Config,
    Json,
    clients_of,
    each_client,
    instant_of,
    leave,
)


def check(config: Config = None, client: Client = None, json: Json = False) -> None:
    """Check every connection, credential and rule file.

    Reads only, changes nothing, wakes nobody. Each line says what works, what does not, and why; exit code 1
    where one does not.
    """
    from pipelines.check import check_everything
    from pipelines.settings import load_settings

    settings = load_settings(config)
    results = list(check_everything(settings, clients_of(settings, client)))
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
    leave(0 if all(one.result.works for one in results) else FAILED)


def explain(
    ticket: Annotated[
        str, typer.Argument(help="Number, source/number, our key, or a mail's Message-ID.")
    ],
    config: Config = None,
    client: Client = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Follow one ticket from raw record to page and report.

    Shows its raw records, its history, its clocks with every interval, the steps of the ladder, the messages
    and the cell in the workbook.
    """
    from pipelines.explain import explain_ticket
    from pipelines.runtime import opened

    instant = instant_of(as_of, "--as-of")
    with opened(config) as runtime:
        if client is not None:
            runtime.settings.client(client)
        sections = explain_ticket(runtime, ticket, client, instant or runtime.now())
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
        columns, rows = section.shown()
        width = terminal.STACKED_WIDTH if section.stacks else None
        terminal.table(section.title, columns, rows, width=width)


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
    from pipelines.runtime import clock_of
    from pipelines.settings import load_settings
    from sla_rules.on_call import who

    settings = load_settings(config)
    instant = instant_of(at, "--at") or clock_of(settings)()

    def shown(client_key: str) -> str:
        return instant.astimezone(settings.zone(client_key)).isoformat(timespec="minutes")

    def one(client_key: str) -> list[dict[str, str]]:
        plan = load_rules(settings, client_key, instant.date()).on_call
        answers = [who(plan, level, instant) for level in plan.levels()]
        return [
            {
                "client": client_key,
                "at": shown(client_key),
                "level": answer.level,
                "primary": answer.primary.name if answer.primary else "nobody",
                "secondary": answer.secondary.name if answer.secondary else "–",
                "why": answer.why,
            }
            for answer in answers
        ]

    found, code = each_client(clients_of(settings, client), one)
    rows = [row for of_client in found for row in of_client]
    if json:
        terminal.as_json(rows)
    elif rows:
        zones = {str(settings.zone(row["client"])): row["at"] for row in rows}
        local = ", ".join(f"{at[11:16]} {zone}" for zone, at in zones.items() if zone != "UTC")
        columns = [name for name in rows[0] if name != "at"]
        terminal.table(
            f"on call at {instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC{f' ({local})' if local else ''}",
            columns,
            [[row[name] for name in columns] for row in rows],
        )
    leave(code)


def checksum(config: Config = None, json: Json = False) -> None:
    """Print a checksum for each table: equal sums, equal history.

    Over the columns that say what happened; those that say when we read it, or who holds a lease, are left out.
    """
    from connectors.warehouse.checksum import warehouse_checksums
    from connectors.warehouse.engine import reading
    from pipelines.runtime import opened

    with opened(config) as runtime, reading(runtime.engine) as connection:
        sums = warehouse_checksums(connection)
    if json:
        terminal.as_json(
            {name: {"rows": rows, "sha256": digest} for name, (rows, digest) in sums.items()}
        )
        return
    terminal.table("", ["table", "rows#", "sha256"], [[n, str(r), d] for n, (r, d) in sums.items()])
