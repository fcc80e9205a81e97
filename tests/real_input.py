"""Real input, one command each, from file to workbook: `python -m tests.real_input incidents` or `mails`.

The files are read where they lie (`DESKBRIDGE_SHARED_DATA`, else `shared/data` beside the repository's folder);
nothing of them is copied into the repository. What the product says is counted again here, from the file itself.
Ends with exit 1 where a row or mail is neither in the history nor in quarantine.
"""

import csv
import gzip
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, select

from connectors.warehouse.engine import reading
from connectors.warehouse.tables import comment, quarantine, raw_record, ticket, ticket_change
from pipelines.ingest import ingest_client
from pipelines.report import write_compliance_report
from pipelines.runtime import opened

REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Input:
    """A real file, how it is configured, and how it is counted without the product."""

    name: str
    file: str
    source: str
    time_zone: str
    as_of: datetime
    month: str
    followed: Callable[[Connection], int]
    counted: Callable[[Path], int]
    unit: str


def rows_in(path: Path) -> int:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def mails_in(path: Path) -> int:
    """Messages of an mbox: lines that begin with `From ` at the start or after a blank line."""
    count, blank = 0, True
    with gzip.open(path, "rb") as file:
        for line in file:
            count += blank and line.startswith(b"From ")
            blank = not line.strip()
    return count


def rows_followed(connection: Connection) -> int:
    return connection.scalar(select(func.count(func.distinct(ticket_change.c.raw_remote_id)))) or 0


def mails_followed(connection: Connection) -> int:
    return connection.scalar(select(func.count(func.distinct(comment.c.raw_remote_id)))) or 0


INPUTS = {
    "incidents": Input(
        "incidents",
        "tickets/process/uci_incident_events_A.csv.gz",
        "{{id: export, type: csv, path: {path}, mapping: uci_incidents.yaml}}",
        "Europe/Lisbon",
        datetime(2017, 3, 1, tzinfo=UTC),
        "2016-04",
        rows_followed,
        rows_in,
        "rows",
    ),
    "mails": Input(
        "mails",
        "tickets/mail/spamassassin_easy_ham_2.mbox.gz",
        "{{id: box, type: mbox, path: {path}}}",
        "Europe/London",
        datetime(2003, 1, 1, tzinfo=UTC),
        "2002-08",
        mails_followed,
        mails_in,
        "mails",
    ),
}


def run(one: Input, shared: Path) -> bool:
    path = shared / one.file
    if not path.is_file():
        print(f"SKIPPED {one.name}: {path} is not there; set DESKBRIDGE_SHARED_DATA")
        return True
    folder = REPOSITORY / ".demo" / f"real-{one.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = folder / "deskbridge.yaml"
    source = one.source.format(path=path)
    config.write_text(
        f"warehouse: sqlite:///warehouse.db\nclock: {one.as_of.isoformat()}\nclients:\n  real:\n"
        f"    time_zone: {one.time_zone}\n    sources:\n      - {source}\n",
        "utf-8",
    )
    started = time.monotonic()
    with opened(config) as runtime:
        report = ingest_client(runtime, "real")
        ingested = time.monotonic() - started
        written = write_compliance_report(runtime, "real", one.as_of, one.month)
        seconds = time.monotonic() - started
        with reading(runtime.engine) as connection:
            stored = connection.scalar(select(func.count()).select_from(raw_record)) or 0
            held = connection.scalar(select(func.count()).select_from(quarantine)) or 0
            tickets = connection.scalar(select(func.count()).select_from(ticket)) or 0
            followed = one.followed(connection)
            reasons = connection.execute(
                select(quarantine.c.reason, func.count()).group_by(quarantine.c.reason)
            ).all()
    expected = one.counted(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{one.name}: {path.name}")
    print(f"  in the file (counted apart)  {expected:>7} {one.unit}")
    print(f"  raw records                  {stored:>7}")
    print(f"  in the history               {followed:>7}")
    print(f"  in quarantine                {held:>7}  {dict(map(tuple, reasons)) or ''}")
    print(f"  tickets                      {tickets:>7}")
    print(
        f"  sync and normalise {ingested:.1f} s, with workbook {seconds:.1f} s, peak {peak:.0f} MB"
    )
    print(f"  workbook: {written.path} ({written.size_bytes:,} bytes)")
    closes = expected == stored == followed + held and not report.errors
    print("  every one is in the history or in quarantine" if closes else "  SUMS DO NOT CLOSE")
    return closes


def main() -> None:
    shared = Path(os.environ.get("DESKBRIDGE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if len(sys.argv) != 2 or sys.argv[1] not in INPUTS:
        sys.exit(f"usage: python -m tests.real_input {'|'.join(INPUTS)}")
    sys.exit(0 if run(INPUTS[sys.argv[1]], shared) else 1)


if __name__ == "__main__":
    main()
