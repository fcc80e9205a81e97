"""What a run shows of each asset in Dagster: figures as metadata, and the outcome of its checks.

Belongs here: the form of the figures. Does not belong here: work, and the assets' own descriptions (`assets`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import dagster as dg

from migrations.plan import DECISIONS
from migrations.reconcile import Reconciliation
from pipelines.attachments import FilesReport
from pipelines.ingest import IngestReport
from pipelines.problems import Quarantined
from pipelines.reconcile import Reconciled
from pipelines.report import WrittenReport
from pipelines.tick import TickReport


def raw_records(report: IngestReport) -> dg.MaterializeResult:
    """Pages, records and calls by stream; which sources failed."""
    synced = [outcome.sync for outcome in report.sources if outcome.sync is not None]
    streams = [(one.source_key, stream) for one in synced for stream in one.streams]
    rows = [
        (source, s.stream, s.pages, s.seen, s.stored, s.calls, round(s.seconds_waited, 1))
        for source, s in streams
    ]
    return dg.MaterializeResult(
        asset_key="raw_records",
        metadata={
            "dagster/row_count": sum(s.stored for _, s in streams),
            "records_read": sum(s.seen for _, s in streams),
            "pages": sum(s.pages for _, s in streams),
            "api_calls": sum(s.calls for _, s in streams),
            "seconds_waited_for_limits": round(sum(s.seconds_waited for _, s in streams), 1),
            "streams": _table(
                ("source", "stream", "pages", "read", "new", "calls", "waited s"), rows
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_source_answered",
                asset_key="raw_records",
                passed=not report.errors,
                metadata={"errors": _listed([str(error) for error in report.errors])},
            )
        ],
    )


def tickets(report: IngestReport, waiting: Sequence[Quarantined]) -> dg.MaterializeResult:
    """Tickets and what hangs on them; `waiting` is all that is in the client's quarantine, not this run's only."""
    done = [outcome.normalise for outcome in report.sources if outcome.normalise is not None]
    rows = [
        (one.source_key, one.tickets, one.comments, one.articles, one.rows_changed) for one in done
    ]
    records = sum(one.records for one in waiting)
    return dg.MaterializeResult(
        asset_key="tickets",
        metadata={
            "dagster/row_count": sum(one.tickets for one in done),
            "comments": sum(one.comments for one in done),
            "changes": sum(one.changes for one in done),
            "articles": sum(one.articles for one in done),
            "rows_changed": sum(one.rows_changed for one in done),
            "duplicates_linked": report.duplicates,
            "quarantined": records,
            "warnings": sum(len(one.warnings) for one in done),
            "sources": _table(("source", "tickets", "comments", "articles", "rows changed"), rows),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="nothing_in_quarantine",
                asset_key="tickets",
                passed=records == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "records": records,
                    "reasons": _table(
                        ("source", "stream", "reason", "records"),
                        [(w.source_key, w.stream, w.reason, w.records) for w in waiting],
                    ),
                },
            )
        ],
    )


def source_comparison(report: Reconciled) -> dg.MaterializeResult:
    """What the sources hold against what is here, by stream; whether they agree, and whether syncs had lost anything."""
    streams = [(one.source_key, stream) for one in report.sources for stream in one.streams]
    names = ("listed", "here", "arrived", "missing", "differing", "vanished", "remaining")
    rows = [
        (key, s.stream, *(getattr(s, name) for name in names), s.disputed) for key, s in streams
    ]
    lost = sum(s.lost for _, s in streams)
    examples = [f"{key} {s.stream} {example}" for key, s in streams for example in s.examples]
    return dg.MaterializeResult(
        asset_key="source_comparison",
        metadata={
            "dagster/row_count": report.total("listed"),
            "missing_here": report.total("missing"),
            "vanished_there": report.total("vanished"),
            "fetched": report.total("fetched"),
            "remaining": report.total("remaining"),
            "not_comparable": [one.source_key for one in report.sources if not one.is_comparable],
            "streams": _table(
                ("source", "stream", *names, "counted otherwise"),
                rows,
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="matches_the_sources",
                asset_key="source_comparison",
                passed=report.agrees,
                metadata={
                    "remaining": report.total("remaining"),
                    "errors": _listed([str(error) for error in report.errors]),
                },
            ),
            dg.AssetCheckResult(
                check_name="syncs_lost_nothing",
                asset_key="source_comparison",
                passed=lost == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"records": lost, "examples": _listed(examples)},
            ),
        ],
    )


def attachment_files(report: FilesReport) -> dg.MaterializeResult:
    """Files and bytes by source, and how many are stored, waiting or gone."""
    waiting = report.counts.get("waiting", 0)
    return dg.MaterializeResult(
        asset_key="attachment_files",
        metadata={
            "dagster/row_count": sum(one.stored for one in report.sources),
            **report.counts,
            "sources": _table(
                ("source", "stored", "known content", "bytes", "gone", "later"),
                [
                    (one.source_key, one.stored, one.known, one.size_bytes, one.gone, one.later)
                    for one in report.sources
                ],
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_file_stored",
                asset_key="attachment_files",
                passed=not report.errors and waiting == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "waiting": waiting,
                    "errors": _listed([str(error) for error in report.errors]),
                },
            )
        ],
    )


def ticks(reports: Sequence[TickReport], as_of: datetime) -> Iterator[dg.MaterializeResult]:
    """Clocks, escalations and deliveries of one tick of all clients."""
    at = as_of.isoformat()
    dead = sum(one.dead for one in reports)
    yield dg.MaterializeResult(
        asset_key="sla_clocks",
        metadata={
            "as_of": at,
            "dagster/row_count": sum(one.clocks for one in reports),
            "tickets_measured": sum(one.tickets for one in reports),
            "clients": _table(
                ("client", "tickets", "clocks"),
                [(one.client_key, one.tickets, one.clocks) for one in reports],
            ),
        },
    )
    yield dg.MaterializeResult(
        asset_key="escalations",
        metadata={
            "as_of": at,
            "fired": sum(one.fired for one in reports),
            "skipped": sum(one.skipped for one in reports),
            "cancelled": sum(one.cancelled for one in reports),
            "messages_queued": sum(one.queued for one in reports),
        },
    )
    yield dg.MaterializeResult(
        asset_key="deliveries",
        metadata={
            "as_of": at,
            "delivered": sum(one.delivered for one in reports),
            "to_be_tried_again": sum(one.pending for one in reports),
            "dead": dead,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="nothing_undelivered",
                asset_key="deliveries",
                passed=dead == 0,
                metadata={one.client_key: one.dead for one in reports},
            )
        ],
    )


def compliance_workbook(written: WrittenReport) -> dg.MaterializeResult:
    """The scoreboard, where the file lies, and whether its sums agree."""
    return dg.MaterializeResult(
        metadata={
            "period": written.period.label(),
            "issue": written.issue,
            "path": dg.MetadataValue.path(str(written.path)),
            "bytes": written.size_bytes,
            "scoreboard": dg.MetadataValue.md(written.markdown()),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="sums_agree",
                passed=bool(written.workbook.summary["reconciles"]),
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"sheet": "Reconciliation"},
            )
        ],
    )


def migration_ledger(closed: Mapping[str, Reconciliation]) -> dg.MaterializeResult:
    """The sums of every configured move, by its id, and what keeps one from closing."""
    rows = [
        (name, kind, sum(counts.values()), *(counts.get(one, 0) for one in DECISIONS))
        for name, one in closed.items()
        for kind, counts in (("mails", one.mails), ("tickets", one.tickets))
    ]
    faults = [f"{name}: {fault}" for name, one in closed.items() for fault in one.faults]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(one.source_mails for one in closed.values()),
            "tickets_in_target": sum(one.tickets_in_target for one in closed.values()),
            "tickets_verified": sum(one.tickets_verified for one in closed.values()),
            "sums": _table(("migration", "of", "all", *DECISIONS), rows),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="sums_close", passed=not faults, metadata={"faults": _listed(faults)}
            )
        ],
    )


def _listed(lines: Sequence[str]) -> str:
    """What went wrong, or that nothing did."""
    return "\n".join(lines) or "none"


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """A short Markdown table; cells are counted figures and names of our own configuration, or escaped."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines.extend(f"| {' | '.join(_cell(value) for value in row)} |" for row in rows)
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    for sign in "\\|`*_<>[]":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())
