"""Issued reports: which figures were given to whom, and in which cell a clock stands.

Belongs here: `report_issue`. Does not belong here: computing figures, writing files.
"""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connectors.warehouse.bulk import upsert
from connectors.warehouse.tables import report_issue
from connectors.warehouse.types import canonical_json


def record_issue(
    connection: Connection,
    client_key: str,
    report: str,
    period_start: str,
    period_end: str,
    as_of: datetime,
    figures: dict[str, Any],
    file_name: str,
    issued_at: datetime,
) -> int:
    """Notes that a report was issued; the same figures again are the same issue.

    Returns:
        The issue's number, from 1; it grows when figures of the same period are restated.
    """
    # The same figures with later data behind them are no restatement.
    compared = {name: value for name, value in figures.items() if name != "as_of"}
    digest = hashlib.sha256(canonical_json(compared).encode()).hexdigest()
    latest = connection.execute(
        select(report_issue.c.issue, report_issue.c.figures_sha256)
        .where(
            report_issue.c.client_key == client_key,
            report_issue.c.report == report,
            report_issue.c.period_start == period_start,
            report_issue.c.period_end == period_end,
        )
        .order_by(report_issue.c.issue.desc())
        .limit(1)
    ).first()
    if latest is not None and latest.figures_sha256 == digest:
        return int(latest.issue)
    number = int(latest.issue) + 1 if latest is not None else 1
    row = {
        "client_key": client_key,
        "report": report,
        "period_start": period_start,
        "period_end": period_end,
        "issue": number,
        "as_of": as_of,
        "figures": figures,
        "figures_sha256": digest,
        "file_name": file_name,
        "issued_at": issued_at,
    }
    upsert(connection, report_issue, [row])
    return number


def cells_of(connection: Connection, client_key: str, ticket_key: str) -> list[dict[str, Any]]:
    """Where the latest issue of each period shows a ticket: file, cell, metric."""
    rows = connection.execute(
        select(report_issue.c.file_name, report_issue.c.issue, report_issue.c.figures)
        .where(report_issue.c.client_key == client_key)
        .order_by(report_issue.c.period_start, report_issue.c.issue)
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        for entry, cell in (row.figures.get("cells") or {}).items():
            key, _, metric = entry.partition("/")
            if key == ticket_key:
                found[row.file_name, metric] = {
                    "file_name": row.file_name,
                    "issue": row.issue,
                    "metric": metric,
                    "cell": cell,
                }
    return list(found.values())
