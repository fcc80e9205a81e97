"""The compliance report from warehouse to workbook, in one call.

Belongs here: reading, computing and building, in that order. Does not belong here: where the bytes go.
"""

from datetime import datetime

import pandas as pd
from sqlalchemy import Connection

from connectors.warehouse.report_queries import (
    read_migration_items,
    read_report_rows,
)
from reports.figures import Goals, ReportFigures, compute
from reports.migration import migration_ledger
from reports.period import Period
from reports.workbook import WorkbookResult, build_workbook


def compliance_figures(
    connection: Connection,
    client_key: str,
    period: Period,
    as_of: datetime,
    *,
    goals: Goals | None = None,
    clocks: pd.DataFrame | None = None,
) -> ReportFigures:
    """All figures of a client's period.

    Args:
        connection: in a transaction; only read from.
        client_key: whose.
        period: what the report is about, with its time zone.
        as_of: aware instant up to which the data count.
        goals: what was promised.
        clocks: clock rows evaluated for `as_of` (`report_queries.clocks_frame`); the stored ones when left
            out, which are exact for an `as_of` at or after their last evaluation.

    Raises:
        ValueError: `as_of` is naive or before the period.
    """
    rows = read_report_rows(connection, client_key)
    if clocks is not None:
        rows = rows.with_clocks(clocks)
    return compute(rows, period, as_of, goals)


def compliance_report(
    connection: Connection,
    client_key: str,
    period: Period,
    as_of: datetime,
    *,
    client_name: str | None = None,
    goals: Goals | None = None,
    clocks: pd.DataFrame | None = None,
    migration_run_key: str | None = None,
) -> WorkbookResult:
    """The workbook of a client's period; arguments as in `compliance_figures`.

    Args:
        connection: in a transaction; only read from.
        client_key: whose.
        period: what the report is about, with its time zone.
        as_of: aware instant up to which the data count.
        client_name: how the client is called on paper.
        goals: what was promised.
        clocks: clock rows evaluated for `as_of`, instead of the stored ones.
        migration_run_key: adds the ledger of this migration run as a sheet.
    """
    report = compliance_figures(connection, client_key, period, as_of, goals=goals, clocks=clocks)
    ledger = None
    if migration_run_key is not None:
        items = read_migration_items(connection, client_key, migration_run_key)
        ledger = migration_ledger(migration_run_key, items)
    return build_workbook(report, client_name, migration_ledger=ledger)
