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
    """List mails that may belong to another conversation or ticket.

    Decide with `thread join` or `thread apart`; a mail that was decided about is not listed again.
    """
    from connectors.warehouse.types import iso_utc
    from pipelines.conversations import doubtful_conversations
    from pipelines.own_addresses import own_addresses
    from pipelines.runtime import opened
    from pipelines.threads import doubtful_threads

    rows: list[dict[str, Any]] = []
    with opened(config) as runtime:
        for key in clients_of(runtime.settings, client):
            found = doubtful_threads(runtime.engine, key, limit)
            is_own = own_addresses(runtime.settings, key)
            found += doubtful_conversations(runtime.engine, key, is_own, limit)
            found.sort(key=lambda row: row["created_at"], reverse=True)
            rows += [{"client": key} | row for row in found[:limit]]
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
    other: Annotated[
        str, typer.Argument(help="A mail of the conversation, or source/id of another's ticket.")
    ],
    config: Config = None,
    client: Client = None,
) -> None:
    """Put a mail and its conversation into another mail's conversation.

    Given another source's ticket, the conversation is linked with it as the same request. The decision is kept: neither new mails nor a rebuild undo it.
    """
    _decide(config, client, mail, other)
    terminal.say(f"{mail} is in the conversation of {other}")


Other = Annotated[str | None, typer.Argument(help="source/id of another source's ticket.")]


@thread_app.command("apart")
def apart(mail: Mail, other: Other = None, config: Config = None, client: Client = None) -> None:
    """Let a mail begin a conversation of its own.

    Its answers follow it, and no evidence links it with another system's ticket. Given such a ticket, only that one is
    held apart from the mail's conversation. The decision is kept: neither new mails nor a rebuild undo it.
    """
    _decide(config, client, mail, other, kind="apart")
    what = "begins a conversation of its own" if other is None else f"is not {other}"
    terminal.say(f"{mail} {what}")


@thread_app.command("undecide")
def undecide(mail: Mail, other: Other = None, config: Config = None, client: Client = None) -> None:
    """Take a decision back: the mail belongs where its evidence says."""
    _decide(config, client, mail, other, kind="evidence")
    terminal.say(f"{mail} is placed by its evidence again")


def _decide(
    config: Path | None,
    client: str | None,
    mail: str,
    other: str | None,
    *,
    kind: str = "with",
) -> None:
    from pipelines.conversations import decide_conversation
    from pipelines.duplicates import link_duplicates
    from pipelines.normalise_mail import MailTransform
    from pipelines.own_addresses import own_addresses
    from pipelines.runtime import opened
    from pipelines.settings import SettingsError
    from pipelines.threads import decide_thread, undecide_thread
    from pipelines.wiring import sources_of, wire

    source_key, _, remote_id = mail.partition("/")
    other_source, _, other_id = (other or "").partition("/")
    if other is not None and kind != "with" and other_source == source_key:
        raise SettingsError(f"{other} is of the same source; expected another source's ticket")
    with opened(config) as runtime:
        client_key = one_client(runtime.settings, client)
        source = sources_of(runtime.settings, client_key, [source_key])[0]
        wired = wire(runtime.settings, client_key, source, runtime.now, runtime.stores)
        if not isinstance(wired.transform, MailTransform):
            raise SettingsError(f"source {source_key} is no mailbox: its conversations are its own")
        work = (runtime.engine, client_key, source_key, wired.transform, remote_id)
        try:
            if other is not None and other_source != source_key:
                sources_of(runtime.settings, client_key, [other_source])
                decide_conversation(
                    runtime.engine,
                    client_key,
                    (source_key, remote_id),
                    (other_source, other_id),
                    kind,
                    runtime.now,
                    getpass.getuser(),
                )
            elif kind == "evidence":
                undecide_thread(*work, runtime.now)
            else:
                decide_thread(*work, other_id or None, runtime.now, getpass.getuser())
        except ValueError as error:
            raise SettingsError(str(error)) from None
        link_duplicates(runtime.engine, client_key, own_addresses(runtime.settings, client_key))
