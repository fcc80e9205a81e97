"""Deletes old runs from Dagster's storage, which grows for ever otherwise: 1,440 ticks a day.

Belongs here: this job. Does not belong here: the warehouse, from which nothing is purged. No
`from __future__ import annotations` in this module: Dagster reads the annotations.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

KEPT = {
    "sla_tick": timedelta(days=2),
    "sync": timedelta(days=7),
    "attachments": timedelta(days=7),
}
"""How long runs of the frequent jobs stay to be looked at."""

KEPT_ELSE = timedelta(days=90)

PURGED = (*KEPT, "reconcile", "compliance_report", "migration", "purge_runs")
"""Every job there is: a job that is missing here would keep its runs for ever."""

FAILED_KEPT = timedelta(days=30)
"""Runs that failed stay at least this long, whatever their job."""

BATCH = 200


@dg.op(
    description="Deletes runs that nobody will look at again; the assets' own history stays short with them."
)
def delete_old_runs(context: dg.OpExecutionContext) -> None:
    """Deletes in batches until no run is too old."""
    now = datetime.now(UTC)
    for job in PURGED:
        for status in (
            DagsterRunStatus.SUCCESS,
            DagsterRunStatus.FAILURE,
            DagsterRunStatus.CANCELED,
        ):
            kept = KEPT.get(job, KEPT_ELSE)
            if status != DagsterRunStatus.SUCCESS:
                kept = max(kept, FAILED_KEPT)
            count = _delete(context.instance, job, status, now - kept)
            if count:
                context.log.info(
                    f"{job}: {count} runs ({status.value}) older than {kept.days} days"
                )


def _delete(
    instance: dg.DagsterInstance, job: str, status: DagsterRunStatus, before: datetime
) -> int:
    wanted = RunsFilter(job_name=job, statuses=[status], created_before=before)
    count = 0
    while runs := instance.get_runs(wanted, limit=BATCH):
        for run in runs:
            instance.delete_run(run.run_id)
        count += len(runs)
    return count


@dg.job(
    tags={"deskbridge/job": "purge_runs"},
    description="Deletes old runs from Dagster's storage; the warehouse is left alone.",
)
def purge_runs() -> None:
    """The job."""
    delete_old_runs()
