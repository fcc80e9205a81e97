"""`deskbridge quarantine` and `deskbridge messages`: what waits for a person.

Belongs here: options and what is printed. Does not belong here: work (`problems`).
"""

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines import terminal
from pipelines.cli_options import Client, Config, Json, clients_of
from pipelines.settings import SettingsError

Keys = Annotated[list[str] | None, typer.Argument(help="Keys from `messages list`; none: all.")]

messages_app = typer.Typer(
    help="Pages and messages that did not leave: list, try again, drop.", no_args_is_help=True
)


def quarantine(
    config: Config = None,
    client: Client = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Newest records to list.")] = 20,
    json: Json = False,
) -> None:
    """List records that could not be understood, and why.

    They are kept raw; nothing is lost.
    """
    from connectors.warehouse.types import iso_utc
    from pipelines.problems import quarantined, quarantined_records
    from pipelines.runtime import opened

    with opened(config) as runtime:
        keys = clients_of(runtime.settings, client)
        counts = [(key, one) for key in keys for one in quarantined(runtime, key)]
        records = [
            {"client": key} | row
            for key in keys
            for row in quarantined_records(runtime, key, limit)
        ]
    if json:
        terminal.as_json(records)
        return
    if not counts:
        terminal.say("nothing is in quarantine")
        return
    terminal.table(
        "Quarantine",
        ["client", "source", "stream", "reason", "records#"],
        [[key, c.source_key, c.stream, c.reason, str(c.records)] for key, c in counts],
    )
    terminal.table(
        f"Newest records, at most {limit} a client",
        ["client", "source", "id", "seen", "bytes#", "reason", "detail"],
        [
            [
                row["client"],
                row["source_key"],
                row["remote_id"][:70],
                iso_utc(row["seen_at"]) if row["seen_at"] else "–",
                str(row["size_bytes"] or 0),
                row["reason"],
                (row["detail"] or "")[:200],
            ]
            for row in records
        ],
    )


@messages_app.command("list")
def messages_list(config: Config = None, client: Client = None, json: Json = False) -> None:
    """List messages that are dead or wait for another try.

    Exit code 1 where one is dead.
    """
    from connectors.warehouse.types import iso_utc
    from pipelines.problems import undelivered
    from pipelines.runtime import opened

    with opened(config) as runtime:
        rows = [
            {"client": key} | row
            for key in clients_of(runtime.settings, client)
            for row in undelivered(runtime, key)
        ]
    if json:
        terminal.as_json(rows)
    elif not rows:
        terminal.say("every message has left")
    else:
        terminal.table(
            "",
            ["key", "client", "to", "state", "tries#", "since", "ticket", "what the provider said"],
            [
                [
                    row["delivery_key"],
                    row["client"],
                    f"{row['channel']} {row['destination']}",
                    row["state"],
                    str(row["attempts"]),
                    iso_utc(row["created_at"]),
                    f"{row['source_key']}/{row['number']}" if row["number"] else "–",
                    row["outcome"] or "–",
                ]
                for row in rows
            ],
        )
    if any(row["state"] == "dead" for row in rows):
        raise typer.Exit(1)


@messages_app.command("retry")
def messages_retry(keys: Keys = None, config: Config = None, client: Client = None) -> None:
    """Put dead messages back; the next tick sends them.

    They keep their keys, so that a provider who has one already wakes nobody twice.
    """
    _settle(config, client, keys, "retry", "put back; the next tick sends")


@messages_app.command("drop")
def messages_drop(keys: Keys = None, config: Config = None, client: Client = None) -> None:
    """Let dead messages be: somebody was told otherwise.

    The audit trail keeps who said so.
    """
    _settle(config, client, keys, "drop", "dropped")


def _settle(
    config: Path | None,
    client: str | None,
    keys: list[str] | None,
    decision: Literal["retry", "drop"],
    word: str,
) -> None:
    from pipelines.problems import settle_dead
    from pipelines.runtime import opened

    with opened(config) as runtime:
        count = sum(
            settle_dead(runtime, key, keys or (), decision, getpass.getuser())
            for key in clients_of(runtime.settings, client)
        )
    if keys and count < len(set(keys)):
        raise SettingsError(
            f"{count} of {len(set(keys))} messages {word}; the others are no dead messages: "
            "deskbridge messages list shows those there are"
        )
    terminal.say(f"{count} messages {word}")
