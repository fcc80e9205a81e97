"""The Excel workbook of a report: which sheets, in which order, and what a caller gets back.

Belongs here: putting sheets together. Does not belong here: the content of a sheet (`sheets/`), figures or
files: the caller gets bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openpyxl import Workbook

from connectors.warehouse.types import iso_utc
from reports.archive import workbook_bytes
from reports.figures import ReportFigures
from reports.migration import MigrationLedger
from reports.sheet_writer import Letterhead, SheetWriter
from reports.sheets import (
    at_risk,
    backlog,
    breaches,
    contact,
    csat,
    definitions,
    escalations,
    matrix,
    migration,
    reconciliation,
    source_verdicts,
    summary,
    volume,
    weekly,
)
from reports.styles import StyleBook


@dataclass(frozen=True, slots=True)
class WorkbookResult:
    """A finished workbook.

    `content`: the bytes of the .xlsx file. `index`: (ticket_key, metric) → the cell that shows it, e.g.
    `Breaches!A17`. `summary`: the headline figures as plain data, for the record of issued reports.
    `numbers`: ticket number → ticket_key, of the tickets in the index.
    """

    content: bytes
    index: Mapping[tuple[str, str], str]
    summary: Mapping[str, Any]
    numbers: Mapping[str, str] = field(default_factory=dict)

    def cell_of(self, ticket: str, metric: str) -> str | None:
        """The cell that shows a ticket's clock; the ticket by its number or our key. None when it is not listed."""
        return self.index.get((self.numbers.get(ticket, ticket), metric))


def build_workbook(
    report: ReportFigures,
    client_name: str | None = None,
    *,
    migration_ledger: MigrationLedger | None = None,
) -> WorkbookResult:
    """The whole workbook; the same figures always give the same bytes.

    Args:
        report: all figures of one client and period.
        client_name: how the client is called on paper; its key when left out.
        migration_ledger: adds the sheet Migration.
    """
    workbook = Workbook(write_only=True)
    name = client_name or report.client_key
    workbook.properties.creator = "Deskbridge"
    workbook.properties.title = f"{name}: support report, {report.period.label()}"
    letterhead = Letterhead(name, report.period, report.as_of)
    styles = StyleBook()

    def sheet(
        title: str,
        widths: Sequence[float],
        note: str,
        *,
        freeze: str | None = None,
        is_one_page: bool = False,
    ) -> SheetWriter:
        return SheetWriter(
            workbook,
            styles,
            letterhead,
            title,
            widths,
            note=note,
            freeze=freeze,
            is_one_page=is_one_page,
        )

    first = sheet(summary.TITLE, summary.WIDTHS, summary.NOTE, is_one_page=True)
    matrix.write(sheet(matrix.TITLE, matrix.WIDTHS, matrix.NOTE, is_one_page=True), report)
    trend = sheet(weekly.TITLE, weekly.WIDTHS, weekly.NOTE, is_one_page=True)
    summary.write(first, report, weekly.write(trend, report))
    broken = breaches.write(
        sheet(breaches.TITLE, breaches.WIDTHS, breaches.NOTE, freeze=breaches.FREEZE), report
    )
    risky = at_risk.write(
        sheet(at_risk.TITLE, at_risk.WIDTHS, at_risk.NOTE, freeze=at_risk.FREEZE), report
    )
    escalations.write(
        sheet(
            escalations.TITLE,
            escalations.WIDTHS,
            escalations.note(report),
            freeze=escalations.FREEZE,
        ),
        report,
    )
    plain: tuple[tuple[Any, Callable[[SheetWriter, ReportFigures], None]], ...] = (
        (backlog, backlog.write),
        (contact, contact.write),
        (csat, csat.write),
        (volume, volume.write),
        (source_verdicts, source_verdicts.write),
        (definitions, definitions.write),
        (reconciliation, reconciliation.write),
    )
    for module, write in plain:
        write(sheet(module.TITLE, module.WIDTHS, module.NOTE), report)
    if migration_ledger is not None:
        migration.write(sheet(migration.TITLE, migration.WIDTHS, migration.NOTE), migration_ledger)
    return WorkbookResult(
        content=workbook_bytes(workbook, report.as_of),
        index={**risky, **broken},
        summary=headline_data(report),
        numbers=_numbers(report),
    )


def headline_data(report: ReportFigures) -> dict[str, Any]:
    """The headline figures as plain JSON data: what `report_issue.figures` keeps."""
    return {
        "client": report.client_key,
        "period": {
            "label": report.period.label(),
            "start": iso_utc(report.period.start),
            "end": iso_utc(report.period.end),
            "time_zone": report.period.time_zone,
        },
        "as_of": iso_utc(report.as_of),
        "is_complete": report.is_complete,
        "reconciles": report.reconciliation.is_ok,
        "breaches": len(report.breaches),
        "at_risk": len(report.at_risk),
        "figures": {
            figure.key: {
                "value": figure.value,
                "unit": figure.unit,
                "numerator": figure.numerator,
                "n": figure.n,
                "goal": figure.goal,
                "verdict": figure.verdict,
            }
            for figure in report.figures.values()
        },
    }


def _numbers(report: ReportFigures) -> dict[str, str]:
    found: dict[str, str] = {}
    for frame in (report.at_risk, report.breaches):
        found.update(zip(frame["number"], frame["ticket_key"], strict=True))
    return found
