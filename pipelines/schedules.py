"""Jobs and when they run.

Belongs here: jobs over assets, schedules. Does not belong here: assets, work. No `from __future__ import
annotations` in this module: Dagster reads the annotations.
"""

from collections.abc import Iterator

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from pipelines.purge import purge_runs
from pipelines.report import month_period_at
from pipelines.settings import Settings

CLIENT_TAG = "deskbridge/client"
"""Run tag that names the client of a run."""

WORK_TAG = "deskbridge/work"
"""Run tag of job and client, by which `dagster.yaml` lets one such run work at a time."""

JOB_TAG = "deskbridge/job"
"""Run tag by which `dagster.yaml` keeps long work from taking every place, so that ticks never wait for it."""

_TICK = ["sla_clocks", "escalations", "deliveries"]

sync = dg.define_asset_job(
    "sync",
    selection=["raw_records", "tickets"],
    tags={JOB_TAG: "sync"},
    description="Pull what is new from a client's sources and normalise it. One run, one client.",
)
reconcile = dg.define_asset_job(
    "reconcile",
    selection=["source_comparison"],
    tags={JOB_TAG: "reconcile"},
    description="Compare what a client's sources hold with what is here; fetch and mark what differs.",
)
attachments = dg.define_asset_job(
    "attachments",
    selection=["attachment_files"],
    tags={JOB_TAG: "attachments"},
    description="Fetch the files of helpdesks' comments that were not fetched before.",
)
sla_tick = dg.define_asset_job(
    "sla_tick",
    selection=_TICK,
    tags={JOB_TAG: "sla_tick"},
    description="Clocks, escalation timers and the outbox, for all clients, a transaction each.",
)
compliance_report = dg.define_asset_job(
    "compliance_report",
    selection=["compliance_workbook"],
    tags={JOB_TAG: "compliance_report"},
    description="The compliance workbook of a client: the last complete month, or the month configured.",
)
migration = dg.define_asset_job(
    "migration",
    selection=["migration_ledger"],
    tags={JOB_TAG: "migration"},
    description="Plan, move, verify and reconcile a client's configured moves; run again it goes on.",
)

JOBS = [sync, reconcile, attachments, sla_tick, compliance_report, migration, purge_runs]

_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """When the jobs run.

    They run as soon as a daemon does, unless the configuration's clock stands still (the demo): then they wait
    to be switched on. The report's mornings are those of the first client's zone.
    """
    armed = settings.clock is None
    status = dg.DefaultScheduleStatus.RUNNING if armed else dg.DefaultScheduleStatus.STOPPED
    clients = list(settings.clients)
    zone = str(settings.zone(clients[0]))

    @dg.schedule(
        cron_schedule="*/5 * * * *",
        job=sync,
        default_status=status,
        description="What is new, a run for each client whose last one has ended.",
    )
    def every_five_minutes(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        busy = _clients_of_unfinished(context, "sync")
        yield from (_request(context, "sync", key) for key in clients if key not in busy)

    @dg.schedule(
        cron_schedule="* * * * *",
        job=sla_tick,
        default_status=status,
        description="Clocks, pages, messages: one run for all clients.",
    )
    def every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if _unfinished(context, "sla_tick"):
            return dg.SkipReason("the last tick has not ended; the next one does its work as well")
        return dg.RunRequest()

    @dg.schedule(
        cron_schedule="0 6 * * 1",
        job=compliance_report,
        execution_timezone=zone,
        default_status=status,
        description="The running month so far.",
    )
    def monday_mornings(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        for key in clients:
            month = month_period_at(context.scheduled_execution_time, str(settings.zone(key)))
            config = {"month": f"{month.first_day:%Y-%m}"}
            yield _request(
                context,
                "compliance_report",
                key,
                {"ops": {"compliance_workbook": {"config": config}}},
            )

    @dg.schedule(
        cron_schedule="0 6 1 * *",
        job=compliance_report,
        execution_timezone=zone,
        default_status=status,
        description="The month that has just ended.",
    )
    def first_of_the_month(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        yield from (_request(context, "compliance_report", key) for key in clients)

    @dg.schedule(
        cron_schedule="30 3 * * *",
        job=purge_runs,
        execution_timezone=zone,
        default_status=status,
        description="Old runs out of Dagster's own storage.",
    )
    def every_night() -> dg.RunRequest:
        return dg.RunRequest()

    @dg.schedule(
        cron_schedule="30 2 * * *",
        job=reconcile,
        execution_timezone=zone,
        default_status=status,
        description="Ids and counts against every source, a run for each client.",
    )
    def early_mornings(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        busy = _clients_of_unfinished(context, "reconcile")
        yield from (_request(context, "reconcile", key) for key in clients if key not in busy)

    @dg.schedule(
        cron_schedule="40 * * * *",
        job=attachments,
        default_status=status,
        description="New files, for the clients that want them.",
    )
    def every_hour(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        busy = _clients_of_unfinished(context, "attachments")
        for key in clients:
            if settings.client(key).attachments.fetch and key not in busy:
                yield _request(context, "attachments", key)

    return [
        every_five_minutes,
        early_mornings,
        every_hour,
        every_minute,
        monday_mornings,
        first_of_the_month,
        every_night,
    ]


def _request(
    context: dg.ScheduleEvaluationContext,
    job: str,
    client_key: str,
    run_config: dict[str, object] | None = None,
) -> dg.RunRequest:
    return dg.RunRequest(
        # Dagster wants a key of each request where there are several.
        run_key=f"{job} {client_key} {context.scheduled_execution_time.isoformat()}",
        partition_key=client_key,
        run_config=run_config or {},
        tags={CLIENT_TAG: client_key, WORK_TAG: f"{job} {client_key}"},
    )


def _unfinished(context: dg.ScheduleEvaluationContext, job: str) -> list[dg.DagsterRun]:
    """Runs of a job that wait or work: a first sync may take hours, and nothing must pile up behind it."""
    return list(
        context.instance.get_runs(RunsFilter(job_name=job, statuses=_UNFINISHED), limit=1000)
    )


def _clients_of_unfinished(context: dg.ScheduleEvaluationContext, job: str) -> set[str]:
    return {run.tags.get(CLIENT_TAG, "") for run in _unfinished(context, job)}
