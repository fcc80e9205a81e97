"""Pair precision and recall of the rules on labelled records; the figures are printed with `pytest -s`."""

import csv
import gzip
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest

from transforms.identity import resolve
from transforms.model import SourcePerson

pytestmark = pytest.mark.real_data


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pairs_of(group_of: Mapping[str, str]) -> set[tuple[str, str]]:
    groups: dict[str, list[str]] = {}
    for member, group in group_of.items():
        groups.setdefault(group, []).append(member)
    return {pair for members in groups.values() for pair in combinations(sorted(members), 2)}


def score(truth: Mapping[str, str], found: Mapping[str, str]) -> tuple[float, float]:
    """(precision, recall) over pairs."""
    true_pairs, found_pairs = pairs_of(truth), pairs_of(found)
    hits = len(true_pairs & found_pairs)
    return hits / len(found_pairs), hits / len(true_pairs)


def test_people_of_the_splink_set(shared_data: Path) -> None:
    rows = read(shared_data / "tickets" / "dedup" / "splink_fake_1000.csv.gz")
    people = [
        (
            "crm",
            SourcePerson(
                row["unique_id"],
                is_agent=False,
                name=f"{row['first_name']} {row['surname']}",
                emails=(row["email"],) if row["email"] else (),
            ),
        )
        for row in rows
    ]
    result = resolve({}, people, "acme")
    found = {remote_id: key for (_, remote_id), key in result.keys.items()}
    precision, recall = score({row["unique_id"]: row["cluster"] for row in rows}, found)
    print(f"\nsplink_fake_1000: precision {precision:.3f}, recall {recall:.3f}")
    assert precision == 1.0
    assert recall == pytest.approx(0.538, abs=0.001)


def test_sites_of_the_childcare_set_by_number_and_name(shared_data: Path) -> None:
    rows = read(shared_data / "tickets" / "dedup" / "chicago_childcare_sites.csv.gz")
    people = [
        (
            row["Source"],
            SourcePerson(
                row["Id"],
                is_agent=False,
                name=row["Site name"],
                phones=(f"312{row['Phone']}",) if row["Phone"] else (),
            ),
        )
        for row in rows
    ]
    result = resolve({}, people, "acme", region="US")
    found = {remote_id: key for (_, remote_id), key in result.keys.items()}
    precision, recall = score({row["Id"]: row["True Id"] for row in rows}, found)
    print(f"\nchicago_childcare_sites: precision {precision:.3f}, recall {recall:.3f}")
    # By the number alone precision is 0.84: the name is what the rule adds.
    assert precision > 0.97
    assert recall > 0.15
