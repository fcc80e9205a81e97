"""`deskbridge thread`: mails that could belong to another conversation, and what somebody decides about them.

Belongs here: options and what is printed. Does not belong here: work (`threads`).
"""

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines import terminal
from pipelines.cli_options import Client, Config, Json, clients_of, one_client

thread_app = typer.Typer(
    help="Mails that may belong elsewhere; your decisions.", no_args_is_help=True
)

Mail = Annotated[str, typer.Argument(help="source/id of a mail, as `thread review` lists it.")]


@thread_app.command("review")
def review(
    config: Config = None,
    client: Client = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many mails.")] = 20,
    json: Json = False,
) -> None:
    """List mails that could belong to another conversation, the latest first.

    Decide with `thread join` or `thread apart`; a mail that was decided about is not listed again.
    """
    from connectors.warehouse.types import iso_utc
    from pipelines.runtime import opened
    from pipelines.threads import doubtful_threads

    with opened(config) as runtime:
        rows: list[dict[str, Any]] = [
            {"client": key} | row
            for key in clients_of(runtime.settings, client)
            for row in doubtful_threads(runtime.engine, key, limit)
        ]
    if json:
        terminal.as_json(rows)
        return
    if not rows:
        terminal.say("nothing is doubtful")
        return
    terminal.table(
        "May belong elsewhere",
        ["client", "mail", "sent", "subject", "in", "by", "or in", "what speaks for that"],
        [
            [
                row["client"],
                f"{row['source_key']}/{row['remote_id']}",
                iso_utc(row["created_at"]),
                (row["subject"] or "")[:60],
                row["number"],
                row["thread_reason"] or "–",
                row["other_number"] or "–",
                row["why"],
            ]
            for row in rows
        ],
    )
    terminal.say("decide: deskbridge thread join MAIL OTHER-MAIL, or thread apart MAIL")


@thread_app.command("join")
def join(
    mail: Mail,
    other: Annotated[str, typer.Argument(help="A mail of the conversation it belongs to.")],
    config: Config = None,
    client: Client = None,
) -> None:
    """Put a mail and its conversation into another mail's conversation.

    The decision is kept: neither new mails nor a rebuild undo it.
    """
    _decide(config, client, mail, other)
    terminal.say(f"{mail} is in the conversation of {other}")


@thread_app.command("apart")
def apart(mail: Mail, config: Config = None, client: Client = None) -> None:
    """Let a mail begin a conversation of its own.

    Its answers follow it. The decision is kept: neither new mails nor a rebuild undo it.
    """
    _decide(config, client, mail, None)
    terminal.say(f"{mail} begins a conversation of its own")


@thread_app.command("undecide")
def undecide(mail: Mail, config: Config = None, client: Client = None) -> None:
    """Take a decision back: the mail belongs where its evidence says."""
    _decide(config, client, mail, None, is_taken_back=True)
    terminal.say(f"{mail} is placed by its evidence again")


def _decide(
    config: Path | None,
    client: str | None,
    mail: str,
    other: str | None,
    *,
    is_taken_back: bool = False,
) -> None:
    from pipelines.normalise_mail import MailTransform
    from pipelines.runtime import opened
    from pipelines.settings import SettingsError
    from pipelines.threads import decide_thread, undecide_thread
    from pipelines.wiring import sources_of, wire

    source_key, _, remote_id = mail.partition("/")
    other_source, _, other_id = (other or "").partition("/")
    if other is not None and other_source != source_key:
        raise SettingsError(f"{other} is not of source {source_key}, expected a mail of the same")
    with opened(config) as runtime:
        client_key = one_client(runtime.settings, client)
        source = sources_of(runtime.settings, client_key, [source_key])[0]
        wired = wire(runtime.settings, client_key, source, runtime.now, runtime.stores)
        if not isinstance(wired.transform, MailTransform):
            raise SettingsError(f"source {source_key} is no mailbox: its conversations are its own")
        work = (runtime.engine, client_key, source_key, wired.transform, remote_id)
        try:
            if is_taken_back:
                undecide_thread(*work, runtime.now)
            else:
                decide_thread(*work, other_id or None, runtime.now, getpass.getuser())
        except ValueError as error:
            raise SettingsError(str(error)) from None
