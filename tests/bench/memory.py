"""Peak memory of one process that pulls and normalises: `python -m tests.bench.memory 20000 200000`.

    python -m tests.bench.memory TICKETS … [--comments N]

The stand-in serves from a process of its own; each size is measured in a fresh process with an empty SQLite
warehouse, so that a peak is that of one sync, its normalisation and the search for duplicates, and of nothing else.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pipelines.duplicates import link_duplicates
from tests.bench.peak import peak_megabytes
from tests.bench.speed import empty_warehouse, pulled, served


@dataclass(frozen=True, slots=True)
class Peak:
    """What one size took."""

    tickets: int
    records: int
    pulled_megabytes: float
    """Peak of sync and normalisation."""
    megabytes: float
    """Peak with the search for duplicates behind them."""
    seconds: float


def measured(tickets: int, comments: int) -> Peak:
    """The peak for an account of that size, in a process of its own."""
    with served("zendesk", tickets, comments) as base_url:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.memory", "--of", base_url, str(tickets)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"the measured process failed: {done.stderr[-2_000:]}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def _measure_here(base_url: str, tickets: int) -> None:
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as at,
        empty_warehouse("sqlite", Path(at), None) as engine,
    ):
        done = pulled("zendesk", base_url, engine, Path(at))
        pulled_megabytes = peak_megabytes()
        link_duplicates(engine, "acme")
    figures = {
        "tickets": tickets,
        "records": done.records,
        "pulled_megabytes": pulled_megabytes,
        "megabytes": peak_megabytes(),
        "seconds": time.perf_counter() - began,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def line_of(peak: Peak) -> str:
    """One size's figures for people."""
    return (
        f"{peak.tickets:8,d} tickets  {peak.records:9,d} tickets and comments  "
        f"peak {peak.pulled_megabytes:6.1f} MB, with duplicates {peak.megabytes:6.1f} MB  {peak.seconds:6.1f} s"
    )


def main() -> None:
    """Prints a line for each size."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("tickets", type=int, nargs="+")
    arguments.add_argument("--comments", type=int, default=1)
    arguments.add_argument("--of", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.of:
        _measure_here(chosen.of, chosen.tickets[0])
        return
    for tickets in chosen.tickets:
        sys.stdout.write(line_of(measured(tickets, chosen.comments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
