"""`deskbridge migrate`: moving an inbox into a helpdesk, step by step.

Belongs here: options and what is printed. Does not belong here: work (`migrate`).
"""

from typing import Annotated

import typer

from pipelines import terminal
from pipelines.cli_options import FAILED, Client, Config, Json, leave, one_client

Migration = Annotated[str, typer.Argument(help="Its id in the configuration.")]

migrate_app = typer.Typer(
    help="Move an inbox into a helpdesk, with a ledger that has to close.\n\n"
    "The steps are plan, move, verify, reconcile; each can be run again at any time.",
    short_help="Move an inbox into a helpdesk, with a ledger.",
    no_args_is_help=True,
)


@migrate_app.command("plan")
def migrate_plan(
    migration: Migration, config: Config = None, client: Client = None, json: Json = False
) -> None:
    """Decide what becomes of every record; nothing moves.

    Prints how many mails and conversations will be moved, merged, held back or left out, and what the target
    cannot keep.
    """
    from dataclasses import asdict

    from pipelines.migrate import migration_of, plan_migration
    from pipelines.runtime import opened
    from pipelines.wiring import helpdesk_of

    with opened(config) as runtime:
        key = one_client(runtime.settings, client)
        target = migration_of(runtime, key, migration).target
        cannot_keep = helpdesk_of(runtime.settings, key, target).cannot_keep
        plan = plan_migration(runtime, key, migration)
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
    migration: Migration, config: Config = None, client: Client = None, json: Json = False
) -> None:
    """Move what is planned; run again, it goes on."""
    from pipelines.migrate import move_migration
    from pipelines.runtime import opened

    with opened(config) as runtime, terminal.reporter() as progress:
        key = one_client(runtime.settings, client)
        moved = move_migration(
            runtime,
            key,
            migration,
            lambda step, done, total: progress(migration, step, done, total),
        )
    if json:
        terminal.as_json({"moved": moved})
        return
    terminal.say(f"{moved} tickets moved")


@migrate_app.command("verify")
def migrate_verify(
    migration: Migration, config: Config = None, client: Client = None, json: Json = False
) -> None:
    """Read back what was moved and compare it.

    Every comment, time, author and file of every moved ticket; exit code 1 where one differs.
    """
    from pipelines.migrate import verify_migration
    from pipelines.runtime import opened

    with opened(config) as runtime, terminal.reporter() as progress:
        key = one_client(runtime.settings, client)
        differing = verify_migration(
            runtime,
            key,
            migration,
            lambda step, done, total: progress(migration, step, done, total),
        )
    if json:
        terminal.as_json({"differing": differing})
    else:
        terminal.say(f"{differing} tickets differ")
    leave(FAILED if differing else 0)


@migrate_app.command("reconcile")
def migrate_reconcile(
    migration: Migration, config: Config = None, client: Client = None, json: Json = False
) -> None:
    """Close the ledger, or say what keeps it open.

    Source, ledger and target have to agree; exit code 1 where they do not.
    """
    from dataclasses import asdict

    from pipelines.migrate import reconcile_migration
    from pipelines.runtime import opened

    with opened(config) as runtime:
        key = one_client(runtime.settings, client)
        result = reconcile_migration(runtime, key, migration)
    if json:
        terminal.as_json({**asdict(result), "closes": result.closes})
    else:
        for line in result.lines():
            terminal.say(line)
        if result.closes:
            terminal.say("the sums close")
    for fault in result.faults:
        terminal.fail(fault)
    leave(0 if result.closes else FAILED)
