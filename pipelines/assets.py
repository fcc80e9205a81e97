"""The asset graph: each asset calls one plain function and reports its figures as metadata.

Belongs here: assets and their checks, thin. Does not belong here: work, jobs, schedules. No
`from __future__ import annotations` in this module: Dagster reads the annotations.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg

from pipelines.ingest import IngestReport, ingest_client
from pipelines.migrate import migrate_client
from pipelines.report import write_compliance_report
from pipelines.resources import DeskbridgeResource
from pipelines.tick import TickReport, tick_client

OWNERS = ["team:support-operations"]


def build_assets(client_keys: Sequence[str]) -> list[dg.AssetsDefinition]:
    """All assets, partitioned by client where a run serves one client."""
    clients = dg.StaticPartitionsDefinition(list(client_keys))

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                "raw_records",
                group_name="raw",
                owners=OWNERS,
                description="Every payload as its source gave it, append-only, a page and its cursor in one "
                "transaction.",
            ),
            dg.AssetSpec(
                "tickets",
                deps=["raw_records"],
                group_name="unified",
                owners=OWNERS,
                description="Tickets, comments, changes, contacts and links between duplicates, in one model for "
                "every source.",
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "every_source_answered",
                asset="raw_records",
                description="No source failed in this run.",
            ),
            dg.AssetCheckSpec(
                "nothing_in_quarantine",
                asset="tickets",
                description="Every record was understood; those that were not are kept raw and listed.",
            ),
        ],
        partitions_def=clients,
        name="ingest",
        can_subset=False,
    )
    def ingest(
        context: dg.AssetExecutionContext, deskbridge: DeskbridgeResource
    ) -> Iterator[dg.MaterializeResult]:
        with deskbridge.runtime() as runtime:
            report = ingest_client(runtime, context.partition_key)
        yield _raw_result(report)
        yield _ticket_result(report)
        if report.errors:
            raise dg.Failure("; ".join(str(error) for error in report.errors), allow_retries=False)

    @dg.asset(
        deps=["tickets"],
        group_name="sla",
        owners=OWNERS,
        description="SLA clocks as of now, escalation timers that came due, and what they send.",
        check_specs=[
            dg.AssetCheckSpec(
                "nothing_undelivered", asset="sla_clocks", description="No message is dead."
            )
        ],
    )
    def sla_clocks(deskbridge: DeskbridgeResource) -> dg.MaterializeResult:
        with deskbridge.runtime() as runtime:
            as_of = runtime.now()
            reports = [tick_client(runtime, key, as_of) for key in runtime.settings.clients]
        return _tick_result(reports, as_of)

    @dg.asset(
        deps=["sla_clocks"],
        partitions_def=clients,
        group_name="reports",
        owners=OWNERS,
        description="The compliance workbook of the running month, in Excel.",
    )
    def compliance_workbook(
        context: dg.AssetExecutionContext, deskbridge: DeskbridgeResource
    ) -> dg.MaterializeResult:
        with deskbridge.runtime() as runtime:
            written = write_compliance_report(runtime, context.partition_key, runtime.now())
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(written.path)),
                "scoreboard": dg.MetadataValue.md(written.markdown()),
                "bytes": written.size_bytes,
            }
        )

    @dg.asset(
        deps=["tickets"],
        partitions_def=clients,
        group_name="migrations",
        owners=OWNERS,
        description="Inboxes moved into a helpdesk, with a ledger whose sums close.",
        check_specs=[
            dg.AssetCheckSpec(
                "sums_close",
                asset="migration_ledger",
                blocking=True,
                description="Every source record is moved, merged, held or excluded, and the target has what moved.",
            )
        ],
    )
    def migration_ledger(
        context: dg.AssetExecutionContext, deskbridge: DeskbridgeResource
    ) -> dg.MaterializeResult:
        with deskbridge.runtime() as runtime:
            results = [
                migrate_client(runtime, context.partition_key, migration.id)
                for migration in runtime.settings.client(context.partition_key).migrations
            ]
        faults = [fault for result in results for fault in result.faults]
        lines = [line for result in results for line in result.lines()]
        return dg.MaterializeResult(
            metadata={"sums": dg.MetadataValue.md("\n".join(f"    {line}" for line in lines))},
            check_results=[
                dg.AssetCheckResult(
                    check_name="sums_close", passed=not faults, metadata={"faults": faults}
                )
            ],
        )

    return [ingest, sla_clocks, compliance_workbook, migration_ledger]


def _raw_result(report: IngestReport) -> dg.MaterializeResult:
    synced = [outcome.sync for outcome in report.sources if outcome.sync is not None]
    streams = [(one.source_key, stream) for one in synced for stream in one.streams]
    table = ["| source | stream | pages | read | new | calls |", "|---|---|---|---|---|---|"]
    table.extend(
        f"| {source} | {s.stream} | {s.pages} | {s.seen} | {s.stored} | {s.calls} |"
        for source, s in streams
    )
    return dg.MaterializeResult(
        asset_key="raw_records",
        metadata={
            "records_read": sum(s.seen for _, s in streams),
            "dagster/row_count": sum(s.stored for _, s in streams),
            "pages": sum(s.pages for _, s in streams),
            "api_calls": sum(s.calls for _, s in streams),
            "seconds_waited_for_limits": round(sum(s.seconds_waited for _, s in streams), 1),
            "streams": dg.MetadataValue.md("\n".join(table)),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_source_answered",
                asset_key="raw_records",
                passed=not report.errors,
                metadata={"errors": [str(error) for error in report.errors]},
            )
        ],
    )


def _ticket_result(report: IngestReport) -> dg.MaterializeResult:
    done = [outcome.normalise for outcome in report.sources if outcome.normalise is not None]
    quarantined = sum(one.quarantined for one in done)
    return dg.MaterializeResult(
        asset_key="tickets",
        metadata={
            "dagster/row_count": sum(one.tickets for one in done),
            "comments": sum(one.comments for one in done),
            "changes": sum(one.changes for one in done),
            "rows_changed": sum(one.rows_changed for one in done),
            "duplicates_linked": report.duplicates,
            "quarantined": quarantined,
            "warnings": sum(len(one.warnings) for one in done),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="nothing_in_quarantine",
                asset_key="tickets",
                passed=quarantined == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"quarantined": quarantined},
            )
        ],
    )


def _tick_result(reports: list[TickReport], as_of: datetime) -> dg.MaterializeResult:
    dead = sum(report.dead for report in reports)
    return dg.MaterializeResult(
        metadata={
            "as_of": as_of.isoformat(),
            "dagster/row_count": sum(report.clocks for report in reports),
            "tickets_evaluated": sum(report.tickets for report in reports),
            "escalations_fired": sum(report.fired for report in reports),
            "messages_delivered": sum(report.delivered for report in reports),
            "messages_dead": dead,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="nothing_undelivered", passed=dead == 0, metadata={"dead": dead}
            )
        ],
    )
