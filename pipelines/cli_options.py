"""What the parts of the `deskbridge` command share: options, instants, one client after the other, exit codes.

Belongs here: these. Does not belong here: commands (`cli`, `cli_migrate`, `cli_problems`), work.
"""

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from connectors.errors import ConfigurationError, ConnectorError
from pipelines import terminal
from pipelines.settings import CONFIGURATION_NAME, Settings, SettingsError
from pipelines.settings_values import read_instant

FAILED, WRONG_USE, STOPPED = 1, 2, 130
"""Exit codes: something failed; wrong use or configuration; stopped by the user."""

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

Result = TypeVar("Result")


def config_path(config: Path | None) -> Path:
    """The configuration file named, else the one a command looks for."""
    return config or Path(os.environ.get("DESKBRIDGE_CONFIG", CONFIGURATION_NAME))


def instant_of(text: str | None, option: str) -> datetime | None:
    """An option's instant in UTC; None where it is left out.

    Raises:
        SettingsError: no instant, or one without a zone.
    """
    if text is None:
        return None
    try:
        return read_instant(text).astimezone(UTC)
    except ValueError as error:
        raise SettingsError(f"{option}: {error}") from None


def month_of(text: str | None) -> str | None:
    """A month such as `2026-10`; None where it is left out.

    Raises:
        SettingsError: not a month.
    """
    if text is None or re.fullmatch(r"[12]\d{3}-(0[1-9]|1[0-2])", text):
        return text
    raise SettingsError(f"--month: '{text}' is no month, expected for instance 2026-10")


def clients_of(settings: Settings, client: str | None) -> list[str]:
    """The client named, else all of them.

    Raises:
        SettingsError: no such client.
    """
    if client is None:
        return list(settings.clients)
    settings.client(client)
    return [client]


def one_client(settings: Settings, client: str | None) -> str:
    """The client named, or the only one there is.

    Raises:
        SettingsError: no such client, or several to choose from.
    """
    clients = clients_of(settings, client)
    if len(clients) > 1:
        raise SettingsError(f"choose a client with --client: {', '.join(clients)}")
    return clients[0]


def each_client(clients: Sequence[str], work: Callable[[str], Result]) -> tuple[list[Result], int]:
    """Works for one client after the other; a failure is told and leaves the others alone.

    Returns:
        What came of those that went through, and the exit code.
    """
    done: list[Result] = []
    code = 0
    for client_key in clients:
        try:
            done.append(work(client_key))
        except (SettingsError, ConnectorError) as error:
            text = str(error)
            terminal.fail(
                text if f"client {client_key}" in text else f"client {client_key}: {text}"
            )
            code = max(code, exit_code(error))
    return done, code


def exit_code(error: Exception) -> int:
    """2 for what a person has to change here, 1 for what went wrong outside."""
    return WRONG_USE if isinstance(error, SettingsError | ConfigurationError) else FAILED


def leave(code: int) -> None:
    """Ends the command with an exit code other than 0."""
    if code:
        raise typer.Exit(code)
