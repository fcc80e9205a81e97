"""Runs a configured migration: plan, move, verify, reconcile; each step can be run alone and again.

Belongs here: from settings to `migrations`. Does not belong here: the steps.
"""

from collections.abc import Callable

from migrations.move import move
from migrations.plan import Plan, make_plan, run_key_of
from migrations.reconcile import Reconciliation, reconcile
from migrations.rules import ExclusionRule
from migrations.verify import verify
from pipelines.runtime import Runtime
from pipelines.settings import MigrationSettings, SettingsError
from pipelines.wiring import helpdesk_of

Progress = Callable[[str, int, int], None]
"""(step, done, of how many)"""


def _silent(_step: str, _done: int, _total: int) -> None:
    """No progress."""


def migration_of(runtime: Runtime, client_key: str, migration_id: str) -> MigrationSettings:
    """The configured migration.

    Raises:
        SettingsError: none of that id; the message lists those there are.
    """
    migrations = runtime.settings.client(client_key).migrations
    for one in migrations:
        if one.id == migration_id:
            return one
    known = ", ".join(one.id for one in migrations) or "none"
    raise SettingsError(
        f"client {client_key} has no migration '{migration_id}' configured; there is {known}"
    )


def plan_migration(runtime: Runtime, client_key: str, migration_id: str) -> Plan:
    """Decides what becomes of every mail of the source; see `migrations.plan`."""
    one = migration_of(runtime, client_key, migration_id)
    rules = [
        ExclusionRule(rule.name, rule.senders, rule.subject_words, rule.automatic)
        for rule in one.exclude
    ]
    return make_plan(runtime.engine, client_key, one.source, one.target, rules, runtime.now())


def move_migration(
    runtime: Runtime, client_key: str, migration_id: str, progress: Progress = _silent
) -> int:
    """Moves what is planned; returns how many tickets arrived in this call."""
    one = migration_of(runtime, client_key, migration_id)
    return move(
        runtime.engine,
        run_key_of(client_key, one.source, one.target),
        client_key,
        one.source,
        one.target,
        helpdesk_of(runtime.settings, client_key, one.target, runtime.stores),
        lambda done, total: progress("move", done, total),
    )


def verify_migration(
    runtime: Runtime, client_key: str, migration_id: str, progress: Progress = _silent
) -> int:
    """Reads back what was moved; returns how many tickets differ."""
    one = migration_of(runtime, client_key, migration_id)
    return verify(
        runtime.engine,
        run_key_of(client_key, one.source, one.target),
        client_key,
        one.source,
        helpdesk_of(runtime.settings, client_key, one.target, runtime.stores),
        lambda done, total: progress("verify", done, total),
    )


def reconcile_migration(runtime: Runtime, client_key: str, migration_id: str) -> Reconciliation:
    """Closes the ledger, or says what keeps it open."""
    one = migration_of(runtime, client_key, migration_id)
    return reconcile(
        runtime.engine,
        run_key_of(client_key, one.source, one.target),
        client_key,
        one.source,
        helpdesk_of(runtime.settings, client_key, one.target, runtime.stores),
        runtime.now(),
    )


def migrate_client(
    runtime: Runtime, client_key: str, migration_id: str, progress: Progress = _silent
) -> Reconciliation:
    """All four steps in order. Killed anywhere, the next call goes on."""
    plan_migration(runtime, client_key, migration_id)
    move_migration(runtime, client_key, migration_id, progress)
    verify_migration(runtime, client_key, migration_id, progress)
    return reconcile_migration(runtime, client_key, migration_id)
