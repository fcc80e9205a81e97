"""The asset graph: each asset calls one plain function and reports its figures as metadata.

Belongs here: assets and their checks, thin. Does not belong here: work, jobs, schedules, the form of the figures
(`materialisations`). No `from __future__ import annotations` in this module: Dagster reads the annotations.

    sources ─► raw_records ─► tickets ─► sla_clocks ─► escalations ─► deliveries
                                 │                          │
                    │            └─► migration_ledger ──────┴──────► compliance_workbook
                    └─► source_comparison
"""

from collections.abc import Iterator

import dagster as dg

from pipelines import materialisations as shown
from pipelines.announce import announce_report, is_live
from pipelines.attachments import fetch_files
from pipelines.ingest import ingest_client
from pipelines.migrate import migrate_client
from pipelines.problems import quarantined
from pipelines.reconcile import reconcile_client
from pipelines.report import write_compliance_report
from pipelines.resources import DeskbridgeResource
from pipelines.settings import Settings
from pipelines.tick import tick_all

OWNERS = ["team:support-operations"]

NO_CHECK = "deskbridge/no_check"
"""Metadata of an asset without a check: why it needs none."""

_SOURCES = {
    "zendesk": "Zendesk accounts: tickets with their events, people, ratings; read through the export API.",
    "freshdesk": "Freshdesk accounts: tickets with their conversations, people, ratings.",
    "imap": "Mailboxes on IMAP servers; read with PEEK, never changed.",
    "graph": "Microsoft 365 mailboxes over Microsoft Graph; read only.",
    "gmail": "Gmail mailboxes over the Gmail API; read only.",
    "mbox": "Mail archives in mbox files.",
    "maildir": "Mail archives in Maildir folders.",
    "eml": "Folders of single mails.",
    "msg": "Folders of Outlook's .msg files.",
    "pst": "Outlook's archives: PST and OST files.",
    "csv": "Exports of other systems, read with a column mapping.",
}
"""Type of a source → what stands in the graph."""


class WorkbookMonth(dg.Config):
    """Which month a workbook is about."""

    month: str = ""
    """For instance 2026-10; the last complete month when empty."""


def build_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """All assets, partitioned by client where a run serves one client."""
    clients = dg.StaticPartitionsDefinition(list(settings.clients))
    sources = _sources(settings)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                "raw_records",
                deps=[one.key for one in sources],
                group_name="raw",
                owners=OWNERS,
                kinds={"table"},
                description="Every payload as its source gave it, append-only. A page and its cursor are one "
                "transaction, so a run that dies loses nothing and the next one goes on behind it.",
            ),
            dg.AssetSpec(
                "tickets",
                deps=["raw_records"],
                group_name="unified",
                owners=OWNERS,
                kinds={"table"},
                description="Tickets, comments, changes, contacts and links between duplicates: one model for every "
                "source. Can be rebuilt from the raw records.",
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "every_source_answered",
                asset="raw_records",
                description="No source failed in this run. Runbook: sync-failed.md",
            ),
            dg.AssetCheckSpec(
                "nothing_in_quarantine",
                asset="tickets",
                description="Every record of the client could be understood. Those that could not are kept raw and "
                "listed with a reason. Runbook: quarantine.md",
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
            waiting = quarantined(runtime, context.partition_key)
        yield shown.raw_records(report)
        yield shown.tickets(report, waiting)
        if report.errors:
            raise dg.Failure("; ".join(str(error) for error in report.errors), allow_retries=False)

    @dg.asset(
        deps=["raw_records", *(one.key for one in sources)],
        partitions_def=clients,
        group_name="raw",
        owners=OWNERS,
        kinds={"table"},
        description="Each source's own list of ids and counts against what is here; what is missing was fetched, what "
        "vanished there was marked. Nightly.",
        check_specs=[
            dg.AssetCheckSpec(
                "matches_the_sources",
                asset="source_comparison",
                description="After the pass nothing differs any more. Runbook: source-differs.md",
            ),
            dg.AssetCheckSpec(
                "syncs_lost_nothing",
                asset="source_comparison",
                description="The pass found nothing that the syncs should have brought. Runbook: source-differs.md",
            ),
        ],
    )
    def source_comparison(
        context: dg.AssetExecutionContext, deskbridge: DeskbridgeResource
    ) -> dg.MaterializeResult:
        with deskbridge.runtime() as runtime:
            report = reconcile_client(runtime, context.partition_key)
        return shown.source_comparison(report)

    @dg.asset(
        deps=["tickets"],
        partitions_def=clients,
        group_name="unified",
        owners=OWNERS,
        kinds={"file"},
        description="Files of helpdesks' comments, by the sha256 of their content, for clients that want them.",
        check_specs=[
            dg.AssetCheckSpec(
                "every_file_stored",
                asset="attachment_files",
                description="Every file that the source still has lies in the store. Runbook: files-missing.md",
            )
        ],
    )
    def attachment_files(
        context: dg.AssetExecutionContext, deskbridge: DeskbridgeResource
    ) -> dg.MaterializeResult:
        with deskbridge.runtime() as runtime:
            report = fetch_files(runtime, context.partition_key)
        return shown.attachment_files(report)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                "sla_clocks",
                deps=["tickets"],
                group_name="sla",
                owners=OWNERS,
                kinds={"table"},
                description="What each promise has used, when it is due, whether it was met: computed as of now from "
                "the tickets' histories and the policies.",
                metadata={
                    NO_CHECK: "The clocks are computed from tickets and policies alone; the workbook checks their sums."
                },
            ),
            dg.AssetSpec(
                "escalations",
                deps=["sla_clocks"],
                group_name="sla",
                owners=OWNERS,
                kinds={"table"},
                description="Steps of the ladder that came due, and what was decided: told to whom, or skipped and why.",
                metadata={
                    NO_CHECK: "A decision and its message are one transaction; deliveries checks that it left."
                },
            ),
            dg.AssetSpec(
                "deliveries",
                deps=["escalations"],
                group_name="sla",
                owners=OWNERS,
                kinds={"table"},
                description="Pages and messages handed to PagerDuty and Slack, at least once, under a key by which a "
                "repeat is not heard.",
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "nothing_undelivered",
                asset="deliveries",
                description="No page or message is dead. Runbook: messages-dead.md",
            )
        ],
        name="tick",
        can_subset=False,
    )
    def tick(deskbridge: DeskbridgeResource) -> Iterator[dg.MaterializeResult]:
        with deskbridge.runtime() as runtime:
            as_of = runtime.now()
            reports, failures = tick_all(runtime, as_of)
        yield from shown.ticks(reports, as_of)
        if failures:
            raise dg.Failure(
                "; ".join(f"client {key}: {error}" for key, error in failures.items()),
                allow_retries=False,
            )

    @dg.asset(
        deps=["escalations", "migration_ledger"],
        partitions_def=clients,
        group_name="reports",
        owners=OWNERS,
        kinds={"excel"},
        description="The compliance workbook of one month, in Excel: the last complete month, or the one configured.",
        check_specs=[
            dg.AssetCheckSpec(
                "sums_agree",
                asset="compliance_workbook",
                description="Sheet Reconciliation: figures that were counted in two ways agree. "
                "Runbook: report-sums-differ.md",
            )
        ],
    )
    def compliance_workbook(
        context: dg.AssetExecutionContext, config: WorkbookMonth, deskbridge: DeskbridgeResource
    ) -> dg.MaterializeResult:
        with deskbridge.runtime() as runtime:
            written = write_compliance_report(
                runtime, context.partition_key, runtime.now(), config.month or None
            )
            if is_live(runtime, context.partition_key):
                announce_report(runtime, context.partition_key, written)
        return shown.compliance_workbook(written)

    @dg.asset(
        deps=["tickets"],
        partitions_def=clients,
        group_name="migrations",
        owners=OWNERS,
        kinds={"table"},
        description="Inboxes moved into a helpdesk: what became of every mail, and that it arrived.",
        check_specs=[
            dg.AssetCheckSpec(
                "sums_close",
                asset="migration_ledger",
                blocking=True,
                description="Every source record is moved, merged, held or excluded, and the target has what moved, "
                "read back and equal. Runbook: migration-does-not-close.md",
            )
        ],
    )
    def migration_ledger(
        context: dg.AssetExecutionContext, deskbridge: DeskbridgeResource
    ) -> dg.MaterializeResult:
        with deskbridge.runtime() as runtime:
            client = runtime.settings.client(context.partition_key)
            closed = {
                one.id: migrate_client(runtime, context.partition_key, one.id)
                for one in client.migrations
            }
        return shown.migration_ledger(closed)

    return [
        *sources,
        ingest,
        source_comparison,
        attachment_files,
        tick,
        compliance_workbook,
        migration_ledger,
    ]


def _sources(settings: Settings) -> list[dg.AssetSpec]:
    """What lies outside: one asset for each type of source that is configured."""
    used: dict[str, list[str]] = {}
    for client_key, client in settings.clients.items():
        for source in client.sources:
            used.setdefault(source.type, []).append(f"{client_key}/{source.id}")
    return [
        dg.AssetSpec(
            kind,
            group_name="sources",
            owners=OWNERS,
            kinds={kind},
            description=_SOURCES[kind],
            metadata={
                "sources": names,
                NO_CHECK: "It lies outside; raw_records checks that it answered.",
            },
        )
        for kind, names in used.items()
    ]
