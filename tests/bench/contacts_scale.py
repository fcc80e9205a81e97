"""Time and memory of matching 10,000, 100,000 and 1,000,000 contacts with 10 % duplicates, beside splink.

    python -m tests.bench.contacts_scale [SIZE …] [--alone]

Each size and each of both is a process of its own that reads the same table (invented, seeded); counted are the
seconds from the read table to clusters with reasons, the processor's seconds, which other work on the machine
stretches less, and the process's peak memory, table included. The exponent is that of growth between the smallest
and the largest size.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path

from tests.bench.alternatives import UnavailableError
from tests.bench.contacts import splink_figures, write_table
from tests.bench.generated_contacts import contacts
from tests.bench.labelled_contacts import precision_and_recall
from tests.bench.peak import peak_megabytes
from transforms.matching.match import match
from transforms.matching.records import MatchRecord

SIZES = (10_000, 100_000, 1_000_000)
THRESHOLDS = (0.95, 0.999, 0.99999)
"""Splink is shown at whichever of them is best for it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one size took, and what was found."""

    records: int
    seconds: float
    cpu_seconds: float
    megabytes: float
    precision: float
    recall: float

    def line(self, name: str) -> str:
        """For people."""
        return (
            f"{name:10} {self.records:>9,}  {self.seconds:7.1f} s  {self.cpu_seconds:7.1f} s of processor"
            f"  {self.megabytes:6.0f} MB  precision {self.precision:.4f}  recall {self.recall:.4f}"
        )


def table_of(records: int, path: Path) -> dict[str, str]:
    """Writes so many contacts; gives key → person."""
    truth = {}

    def made() -> Iterator[MatchRecord]:
        for one in contacts(records):
            truth[one.key] = str(one.person)
            yield MatchRecord(
                one.key,
                given=one.given or None,
                family=one.family or None,
                emails=(one.email,) if one.email else (),
                phones=(one.phone,) if one.phone else (),
                company=one.company or None,
                street=one.street or None,
                city=one.city or None,
                postcode=one.postcode or None,
            )

    write_table(made(), path)
    return truth


def ours(table: Path, records: int, truth: dict[str, str]) -> Measured:
    """Our figures for a table, in a process of its own."""
    out = table.with_suffix(".ours.json")
    command = [sys.executable, "-m", "tests.bench.contacts_scale", "--of", str(table), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the measured process failed: {done.stderr[-2_000:]}")
    figures = json.loads(out.read_text("utf-8"))
    scores = precision_and_recall(truth, figures.pop("clusters"))
    return Measured(records, **figures, precision=scores[0], recall=scores[1])


def theirs(table: Path, records: int, truth: dict[str, str]) -> Measured:
    """Splink's figures for the same table."""
    figures = splink_figures(table, "person", THRESHOLDS)
    every = [precision_and_recall(truth, clusters) for clusters in figures["clusters"].values()]
    scores = max(every, key=lambda one: one[0] * one[1] / max(one[0] + one[1], 1e-9))
    times = (figures["seconds"], figures["cpu_seconds"], figures["megabytes"])
    return Measured(records, *times, precision=scores[0], recall=scores[1])


def exponent(small: Measured, large: Measured) -> float:
    """Of the growth of the processor's time with the records: 1 is in proportion, 2 the square."""
    return log(large.cpu_seconds / small.cpu_seconds) / log(large.records / small.records)


def _measure_here(table: Path, out: Path) -> None:
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    began, processor = time.perf_counter(), time.process_time()
    result = match(map(_record, rows), "person")
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - processor,
        "megabytes": peak_megabytes(),
        "clusters": [cluster for cluster in result.clusters if len(cluster) > 1],
    }
    out.write_text(json.dumps(figures), "utf-8")


def _record(row: dict[str, str]) -> MatchRecord:
    return MatchRecord(
        row["key"],
        given=row["given"] or None,
        family=row["family"] or None,
        emails=(row["email"],) if row["email"] else (),
        phones=(row["phone"],) if row["phone"] else (),
        street=row["street"] or None,
        city=row["city"] or None,
        postcode=row["postcode"] or None,
    )


def main() -> None:
    """Prints a line for each size and each of both, then the exponents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--alone", action="store_true", help="without splink")
    parser.add_argument("--of", nargs=2, metavar=("TABLE", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.of:
        _measure_here(*map(Path, options.of))
        return
    lines: dict[str, list[Measured]] = {"deskbridge": [], "splink": []}
    with tempfile.TemporaryDirectory() as at:
        for size in options.sizes:
            table = Path(at) / f"{size}.csv"
            truth = table_of(size, table)
            lines["deskbridge"].append(ours(table, size, truth))
            print(lines["deskbridge"][-1].line("deskbridge"), flush=True)
            if options.alone:
                continue
            try:
                lines["splink"].append(theirs(table, size, truth))
                print(lines["splink"][-1].line("splink"), flush=True)
            except UnavailableError as error:
                print(f"splink     {size:>9,}  {error}", flush=True)
    for name, measured in lines.items():
        if len(measured) > 1:
            print(f"{name:10} exponent {exponent(measured[0], measured[-1]):.2f}")


if __name__ == "__main__":
    main()
