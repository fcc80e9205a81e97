"""Writes a client's compliance workbook to its folder and records what was issued.

Belongs here: which period, the file at the edge, the record of issue. Does not belong here: figures and
sheets (`reports`).
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connectors.errors import UnavailableError
from connectors.warehouse import issues, ledger
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.report_queries import (
    clocks_frame,
    read_migration_items,
    tickets_from_to,
)
from connectors.warehouse.types import iso_utc
from pipelines.measure import clocks_as_of
from pipelines.rules import load_rules
from pipelines.runtime import Runtime
from pipelines.settings import SettingsError, reason_of
from reports.compliance import compliance_figures
from reports.figures import Goals
from reports.migration import migration_ledger
from reports.period import Period, month_period
from reports.scoreboard import Scoreboard, scoreboard
from reports.workbook import WorkbookResult, build_workbook


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A workbook on disk."""

    path: Path
    size_bytes: int
    issue: int
    period: Period
    scoreboard: Scoreboard
    workbook: WorkbookResult
    known_from_to: tuple[datetime, datetime] | None = None
    """When the client's first and last ticket were created; None where there is none."""

    def emptiness(self) -> str | None:
        """Why no figure counts anything, in a sentence for people; None where one does."""
        if any(row.n for row in self.scoreboard.rows):
            return None
        if self.known_from_to is None:
            return "the workbook is empty: no ticket was synced yet. Start with deskbridge sync"
        first, last = (one.astimezone(self.period.zone) for one in self.known_from_to)
        return (
            f"the workbook is empty: nothing counts in {self.period.label()}. Tickets here were created from "
            f"{first:%Y-%m-%d} to {last:%Y-%m-%d}; another month: --month {last:%Y-%m}"
        )

    def markdown(self) -> str:
        """The scoreboard as a Markdown table."""
        lines = ["| figure | value | target | n | status |", "|---|---|---|---|---|"]
        lines.extend(
            f"| {row.label} | {row.value} | {row.target} | {row.n} | {row.status} |"
            for row in self.scoreboard.rows
        )
        return "\n".join(lines)


def period_of(month: str | None, as_of: datetime, time_zone: str) -> Period:
    """The month named (`2026-10`), else the last complete month before `as_of`, in the report's zone.

    Raises:
        SettingsError: not a month.
    """
    if month is None:
        first = month_period_at(as_of, time_zone).start
        return month_period_at(first - timedelta(days=1), time_zone)
    try:
        year, number = (int(part) for part in month.split("-"))
        return month_period(year, number, time_zone)
    except ValueError:
        raise SettingsError(f"--month: '{month}' is no month; expected e.g. 2026-10") from None


def month_period_at(instant: datetime, time_zone: str) -> Period:
    """The calendar month of a zone that holds an instant."""
    local = instant.astimezone(Period(instant, instant + timedelta(1), time_zone).zone)
    return month_period(local.year, local.month, time_zone)


def write_compliance_report(
    runtime: Runtime,
    client_key: str,
    as_of: datetime,
    month: str | None = None,
    out: Path | None = None,
) -> WrittenReport:
    """Computes and writes the workbook of a month.

    Clocks are evaluated afresh for `as_of`, so that the figures do not depend on when the last tick was.

    Args:
        runtime: settings, warehouse, clock.
        client_key: whose report.
        as_of: aware instant up to which data count.
        month: `2026-10`; the last complete month when left out.
        out: the file to write; the client's report folder when left out.

    Raises:
        SettingsError: an unknown client, a wrong rule file or month.
    """
    client = runtime.settings.client(client_key)
    zone = str(runtime.settings.zone(client_key))
    period = period_of(month, as_of, zone)
    if as_of <= period.start:
        raise SettingsError(
            f"{period.label()} has not begun at {as_of:%Y-%m-%d %H:%M} UTC, expected a month that has"
        )
    rules = load_rules(runtime.settings, client_key, as_of.date())
    clocks = clocks_frame(list(clocks_as_of(runtime.engine, client_key, rules, as_of)))
    goals = Goals(compliance=client.reports.target_pct / 100)
    with reading(runtime.engine) as connection:
        figures = compliance_figures(
            connection, client_key, period, as_of, goals=goals, clocks=clocks
        )
        known_from_to = tickets_from_to(connection, client_key)
        run_keys = [run["run_key"] for run in ledger.runs(connection, client_key)]
        moved = (
            migration_ledger(
                run_keys[-1], read_migration_items(connection, client_key, run_keys[-1])
            )
            if run_keys
            else None
        )
    workbook = build_workbook(figures, client.name, migration_ledger=moved)
    name = f"{client_key}_compliance_{period.first_day:%Y-%m}.xlsx"
    path = out or runtime.settings.path(client.reports.folder) / name
    write_file(path, workbook.content)
    with writing(runtime.engine) as connection:
        cells = {f"{key}/{metric}": cell for (key, metric), cell in workbook.index.items()}
        issue = issues.record_issue(
            connection,
            client_key,
            "compliance",
            iso_utc(period.start),
            iso_utc(period.end),
            as_of,
            {**workbook.summary, "cells": cells},
            path.name,
            runtime.now(),
        )
    return WrittenReport(
        path,
        len(workbook.content),
        issue,
        period,
        scoreboard(figures),
        workbook,
        known_from_to,
    )


def write_file(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: a reader never sees half of it, and one that is there stays.

    Raises:
        UnavailableError: the folder cannot be written to, or the disk is full.
    """
    # Made with the modes of any other file: a workbook is read by others than the user who runs the pipeline.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be written: {reason_of(error)}. Name another place with --out or reports.folder, or "
            "make room and run again; nothing was issued"
        ) from None
