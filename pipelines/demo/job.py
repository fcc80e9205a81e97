"""The demo's job, from sources to workbook: what runs again after each kill.

Belongs here: the order of the steps. Does not belong here: the steps (all of them are the product's own),
servers, what is printed at the end. Run alone: `python -m pipelines.demo.job FOLDER` (servers must be running).
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from migrations.reconcile import Reconciliation
from pipelines.build import build_definitions
from pipelines.demo.folder import AFTER_MIGRATION, AS_OF, CLIENT, LIVE_FROM, DemoFolder
from pipelines.migrate import reconcile_migration
from pipelines.report import WrittenReport, write_compliance_report
from pipelines.runtime import opened
from pipelines.tick import TickReport, rehearse_client, take_back_leases

Say = Callable[[str], None]

MIGRATION = "old-inbox"

_DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
python_logs: {python_log_level: WARNING}
"""


@dataclass(slots=True)
class JobResult:
    """What the job did, for the last lines on screen."""

    seconds: dict[str, float] = field(default_factory=dict)
    tick: TickReport | None = None
    migration: Reconciliation | None = None
    report: WrittenReport | None = None
    """The last complete month: what a manager takes into the review."""
    running: WrittenReport | None = None
    """The running month so far: where the pages of the last hours stand."""


def run_job(folder: DemoFolder, say: Say) -> JobResult:
    """Sync, migrate, sync again, clocks and pages of the last thirty hours, workbook.

    Every step goes on where it was killed; what is done already changes nothing.
    """
    result = JobResult()
    steps: list[tuple[str, Callable[[], None]]] = [
        ("sync", lambda: _dagster(folder, "sync")),
        ("migrate", lambda: _dagster(folder, "migration")),
        ("sync again", lambda: _sync_again(folder)),
        ("clocks and pages", lambda: _rehearse(folder, result)),
        ("report", lambda: _report(folder, result)),
    ]
    for name, step in steps:
        started = time.monotonic()
        step()
        result.seconds[name] = time.monotonic() - started
        say(f"{name}: {result.seconds[name]:.1f} s")
    with opened(folder.config) as runtime:
        result.migration = reconcile_migration(runtime, CLIENT, MIGRATION)
    return result


def _dagster(folder: DemoFolder, job: str) -> None:
    """One job by Dagster, in this process, recorded in the demo's own instance."""
    folder.dagster_home.mkdir(parents=True, exist_ok=True)
    settings = folder.dagster_home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(_DAGSTER_YAML, "utf-8")
    definitions = build_definitions(folder.config)
    with dg.DagsterInstance.from_config(str(folder.dagster_home)) as instance:
        definitions.resolve_job_def(job).execute_in_process(
            instance=instance, partition_key=None if job == "sla_tick" else CLIENT
        )


def _sync_again(folder: DemoFolder) -> None:
    """What was moved shows in the target's export a minute later; then it is pulled from its new home."""
    folder.set_clock(AFTER_MIGRATION)
    _dagster(folder, "sync")


def _rehearse(folder: DemoFolder, result: JobResult) -> None:
    with opened(folder.config) as runtime:
        take_back_leases(runtime, CLIENT)
        result.tick = rehearse_client(runtime, CLIENT, LIVE_FROM, AS_OF)


def _report(folder: DemoFolder, result: JobResult) -> None:
    with opened(folder.config) as runtime:
        result.report = write_compliance_report(runtime, CLIENT, AS_OF)
        result.running = write_compliance_report(runtime, CLIENT, AS_OF, f"{AS_OF:%Y-%m}")


if __name__ == "__main__":
    run_job(DemoFolder(Path(sys.argv[1])), lambda line: print(line, flush=True))  # noqa: T201
