"""`deskbridge sla`: the promises themselves; `sla import` takes a helpdesk's own rules over.

Belongs here: options and what is printed. Does not belong here: work (`sla_import`).
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import terminal
from pipelines.cli_options import Client, Config, Json, one_client

if TYPE_CHECKING:
    from pipelines.sla_import import Helpdesk

sla_app = typer.Typer(help="The promises: take a helpdesk's SLA rules over.", no_args_is_help=True)
import_app = typer.Typer(
    help="Write a policy file from a helpdesk's own SLA policies and business hours.",
    no_args_is_help=True,
)
sla_app.add_typer(import_app, name="import")

Source = Annotated[
    str | None,
    typer.Option("--source", help="The source's id [default: the only one of this type]."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        help="File to write; - prints it [default: sla-SOURCE.yaml beside the configuration].",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file where it is there already.")]


@import_app.command("zendesk")
def import_zendesk(
    config: Config = None,
    client: Client = None,
    source: Source = None,
    output: Output = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Take over a Zendesk account's SLA policies and schedules.

    A starting point, to be read and edited: comments say where each part came from, and each thing that could
    not be carried over is printed as a warning. Reads only; needs an administrator's login.
    """
    _import("zendesk", config, client, source, output, force, json)


@import_app.command("freshdesk")
def import_freshdesk(
    config: Config = None,
    client: Client = None,
    source: Source = None,
    output: Output = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Take over a Freshdesk account's SLA policies and business hours.

    A starting point, to be read and edited: comments say where each part came from, and each thing that could
    not be carried over is printed as a warning. Reads only; needs an administrator's key.
    """
    _import("freshdesk", config, client, source, output, force, json)


def _import(
    helpdesk: "Helpdesk",
    config: Path | None,
    client: str | None,
    source: str | None,
    output: Path | None,
    force: bool,
    json: bool,
) -> None:
    from pipelines.settings import load_settings
    from pipelines.sla_import import import_rules, write_rules

    settings = load_settings(config)
    client_key = one_client(settings, client)
    done = import_rules(settings, client_key, helpdesk, source, lambda: datetime.now(UTC))
    printed = output == Path("-")
    path = output or settings.path(f"sla-{done.source_key}.yaml")
    if not printed:
        write_rules(path, done.text, force=force)
    if json:
        terminal.as_json(
            {
                "client": client_key,
                "source": done.source_key,
                "path": None if printed else str(path),
                "text": done.text if printed else None,
                "calendars": done.calendars,
                "policies": done.policies,
                "findings": [asdict(one) for one in done.findings],
            }
        )
        return
    for one in done.findings:
        terminal.warn(f"{one.place}: {one.detail}")
    if printed:
        typer.echo(done.text, nl=False)
    else:
        terminal.say(
            f"{path}: policies: {done.policies}, calendars: {done.calendars}. Read it, edit it, then name it, for "
            f"instance sla: [{path.name}, standard.yaml]; deskbridge check reads it"
        )
