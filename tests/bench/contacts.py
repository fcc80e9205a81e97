"""Precision and recall over pairs on published sets, beside splink on the same sets in the same run.

    python -m tests.bench.contacts [--alone]

Ours: one call of `match` with the product's fixed bounds. Splink: installed into `.bench/` once, configured as its
documentation shows, at one threshold for all sets (0.95), and at the threshold that is best for it on each set,
which only the truth can tell.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.alternatives import FOLDER, UnavailableError
from tests.bench.labelled_contacts import SETS, Labelled, precision_and_recall
from transforms.matching.match import match
from transforms.matching.records import MatchRecord

SPLINK = "splink==4.0.17"
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999)
_COLUMNS = (
    "key",
    "given",
    "family",
    "name",
    "born",
    "email",
    "phone",
    "street",
    "postcode",
    "city",
)


def splink_python() -> Path:
    """The interpreter of splink's own environment, installed when it is not there yet.

    Raises:
        UnavailableError: it cannot be installed.
    """
    place = FOLDER / "splink"
    python = place / "bin" / "python"
    if not any(place.glob("lib/python*/site-packages/splink")):
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            [str(python), "-m", "pip", "install", "--quiet", SPLINK],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UnavailableError(f"{SPLINK}: {done.stderr.strip()[-300:]}")
    return python


def write_table(records: Iterable[MatchRecord], path: Path) -> None:
    """The records as splink reads them; house number and street in one column, as it has no other use for it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for one in records:
            street = " ".join(part for part in (one.house_number, one.street) if part)
            writer.writerow(
                (
                    *(one.key, one.given, one.family, one.name, one.born),
                    *("".join(one.emails[:1]).lower(), "".join(one.phones[:1])),
                    *(street, one.postcode, one.city),
                )
            )


def splink_figures(table: Path, kind: str, thresholds: Sequence[float]) -> dict[str, Any]:
    """What splink finds in a table: seconds, megabytes, clusters for each threshold.

    Raises:
        UnavailableError: it cannot be installed, or fails.
    """
    out = table.with_suffix(".json")
    done = subprocess.run(
        [
            *(
                str(splink_python()),
                str(Path(__file__).parent / "splink_peer.py"),
                str(table),
                kind,
            ),
            *(str(out), "--threshold", *map(str, thresholds)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnavailableError(f"{SPLINK} failed: {done.stderr.strip()[-600:]}")
    figures: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return figures


def ours(labelled: Labelled, records: Sequence[MatchRecord], truth: dict[str, str]) -> str:
    """Our line for a set."""
    began = time.perf_counter()
    result = match(records, labelled.kind)
    seconds = time.perf_counter() - began
    precision, recall = precision_and_recall(truth, result.clusters)
    kept = precision >= labelled.precision and recall >= labelled.recall
    return (
        f"  deskbridge        precision {precision:.4f}  recall {recall:.4f}  {seconds:5.1f} s"
        f"  {len(result.doubtful)} doubtful  {'kept' if kept else 'NOT KEPT'}"
    )


def theirs(labelled: Labelled, records: Sequence[MatchRecord], truth: dict[str, str]) -> list[str]:
    """Splink's lines for a set."""
    with tempfile.TemporaryDirectory() as at:
        table = Path(at) / "table.csv"
        write_table(records, table)
        try:
            figures = splink_figures(table, labelled.kind, THRESHOLDS)
        except UnavailableError as error:
            return [f"  splink            {error}"]
    scores = {
        threshold: precision_and_recall(truth, figures["clusters"][str(threshold)])
        for threshold in THRESHOLDS
    }

    def harmonic(threshold: float) -> float:
        precision, recall = scores[threshold]
        return 2 * precision * recall / max(precision + recall, 1e-9)

    best = max(THRESHOLDS, key=harmonic)
    return [
        f"  splink at {threshold:<7} precision {scores[threshold][0]:.4f}  recall {scores[threshold][1]:.4f}"
        f"  {figures['seconds']:5.1f} s{note}"
        for threshold, note in ((0.95, ""), (best, "  (its best here)"))
    ]


def main() -> None:
    """Prints a block for each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alone", action="store_true", help="without splink")
    options = parser.parse_args()
    repository = Path(__file__).parent.parent.parent
    shared = Path(os.environ.get("DESKBRIDGE_SHARED_DATA", repository.parent / "shared" / "data"))
    for labelled in SETS:
        if not shared.is_dir():
            print(f"{labelled.name}: not at {shared}; set DESKBRIDGE_SHARED_DATA")
            continue
        rows = labelled.rows(shared)
        records, truth = [labelled.record(row) for row in rows], labelled.truths(rows)
        print(
            f"{labelled.name}: {len(records)} records; at least {labelled.precision}, {labelled.recall}"
        )
        print(ours(labelled, records, truth))
        if not options.alone:
            print("\n".join(theirs(labelled, records, truth)))


if __name__ == "__main__":
    main()
