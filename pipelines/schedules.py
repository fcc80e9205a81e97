"""Jobs and when they run.

Belongs here: jobs, schedules. Does not belong here: assets, work. No `from __future__ import annotations`
in this module: Dagster reads the annotations.
"""

from collections.abc import Sequence

import dagster as dg

CLIENT_TAG = "deskbridge/client"
"""Run tag by which `dagster.yaml` lets one run of a client work at a time."""

sync = dg.define_asset_job(
    "sync",
    selection=["raw_records", "tickets"],
    description="Pull what is new from a client's sources and normalise it. One run, one client.",
)
sla_tick = dg.define_asset_job(
    "sla_tick",
    selection=["sla_clocks"],
    description="Clocks, escalation timers and the outbox, for all clients, a transaction each.",
)
compliance_report = dg.define_asset_job(
    "compliance_report",
    selection=["compliance_workbook"],
    description="The compliance workbook of a client.",
)
migration = dg.define_asset_job(
    "migration",
    selection=["migration_ledger"],
    description="Plan, move, verify and reconcile a client's configured moves; run again it goes on.",
)

JOBS = [sync, sla_tick, compliance_report, migration]


def build_schedules(
    client_keys: Sequence[str], time_zone: str, *, armed: bool
) -> list[dg.ScheduleDefinition]:
    """When the jobs run.

    Args:
        client_keys: a run of `sync` and `compliance_report` for each.
        time_zone: IANA zone of the report schedules.
        armed: whether the schedules run as soon as a daemon does (production), or wait to be switched on
            (the demo, whose clock stands still).
    """
    status = dg.DefaultScheduleStatus.RUNNING if armed else dg.DefaultScheduleStatus.STOPPED

    def per_client(prefix: str) -> list[dg.RunRequest]:
        return [
            dg.RunRequest(partition_key=key, tags={CLIENT_TAG: key, "deskbridge/job": prefix})
            for key in client_keys
        ]

    @dg.schedule(
        cron_schedule="*/5 * * * *", job=sync, default_status=status, name="every_five_minutes"
    )
    def every_five_minutes() -> list[dg.RunRequest]:
        return per_client("sync")

    @dg.schedule(
        cron_schedule="* * * * *", job=sla_tick, default_status=status, name="every_minute"
    )
    def every_minute() -> dg.RunRequest:
        return dg.RunRequest()

    @dg.schedule(
        cron_schedule="0 6 * * 1",
        job=compliance_report,
        execution_timezone=time_zone,
        default_status=status,
        name="monday_mornings",
    )
    def monday_mornings() -> list[dg.RunRequest]:
        return per_client("weekly report")

    @dg.schedule(
        cron_schedule="0 6 1 * *",
        job=compliance_report,
        execution_timezone=time_zone,
        default_status=status,
        name="first_of_the_month",
    )
    def first_of_the_month() -> list[dg.RunRequest]:
        return per_client("monthly report")

    return [every_five_minutes, every_minute, monday_mornings, first_of_the_month]
