"""Published sets of people and organisations with known duplicates, as records to be matched.

Belongs here: thin readers, pairwise precision and recall. Does not belong here: matching. No reader makes up or
repairs a value; `soc_sec_id` of the FEBRL sets is left out, since it alone would tell the truth.
"""

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transforms.matching.records import Kind, MatchRecord

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A set: its records as they stand in the file, how they are read, which column is the truth."""

    name: str
    file: str
    kind: Kind
    key: str
    truth: Callable[[Row], str]
    record: Callable[[Row], MatchRecord]
    precision: float
    """What the product promises on it at least."""
    recall: float

    def rows(self, shared_data: Path) -> list[Row]:
        """The file's rows with keys of the records."""
        path = shared_data / "tickets" / "dedup" / self.file
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, skipinitialspace=True))

    def truths(self, rows: Iterable[Row]) -> dict[str, str]:
        """Record's key → who it really is."""
        return {self.record(row).key: self.truth(row) for row in rows}


def _or_none(text: str) -> str | None:
    return text.strip() or None


def _many(text: str) -> tuple[str, ...]:
    return (text.strip(),) if text.strip() else ()


def _splink_fake(row: Row) -> MatchRecord:
    return MatchRecord(
        key=row["unique_id"],
        given=_or_none(row["first_name"]),
        family=_or_none(row["surname"]),
        born=_or_none(row["dob"]),
        city=_or_none(row["city"]),
        emails=_many(row["email"]),
    )


def _febrl(row: Row) -> MatchRecord:
    return MatchRecord(
        key=row["rec_id"],
        given=_or_none(row["given_name"]),
        family=_or_none(row["surname"]),
        born=_or_none(row["date_of_birth"]),
        street=_or_none(row["address_1"]),
        house_number=_or_none(row["street_number"]),
        second_line=_or_none(row["address_2"]),
        city=_or_none(row["suburb"]),
        postcode=_or_none(row["postcode"]),
        region=_or_none(row["state"]),
    )


def _site(row: Row) -> MatchRecord:
    # The file's columns are shifted in part: what stands under e-mail may be a date.
    email = row["Email Address"]
    return MatchRecord(
        key=row["Id"],
        name=_or_none(row["Site name"]),
        street=_or_none(row["Address"]),
        postcode=_or_none(row["Zip"]),
        phones=_many(row["Phone"]),
        emails=_many(email) if "@" in email else (),
        domain=_or_none(row["Website"]),
    )


def _person_of(row: Row) -> str:
    return row["rec_id"].split("-")[1]


SETS = (
    Labelled(
        "splink_fake_1000",
        "splink_fake_1000.csv.gz",
        "person",
        "unique_id",
        lambda row: row["cluster"],
        _splink_fake,
        0.99,
        0.95,
    ),
    Labelled(
        "febrl_1", "febrl_dataset1.csv.gz", "person", "rec_id", _person_of, _febrl, 0.99, 0.90
    ),
    Labelled(
        "febrl_3", "febrl_dataset3.csv.gz", "person", "rec_id", _person_of, _febrl, 0.99, 0.90
    ),
    Labelled(
        "chicago_sites",
        "chicago_childcare_sites.csv.gz",
        "organisation",
        "Id",
        lambda row: row["True Id"],
        _site,
        0.97,
        0.80,
    ),
)


def precision_and_recall(
    truth: Mapping[str, str], clusters: Iterable[Sequence[str]]
) -> tuple[float, float]:
    """Of all pairs of one cluster the share that is right; of all right pairs the share that was found."""
    found = right = 0
    for members in clusters:
        found += len(members) * (len(members) - 1) // 2
        right += sum(n * (n - 1) // 2 for n in Counter(truth[key] for key in members).values())
    true = sum(n * (n - 1) // 2 for n in Counter(truth.values()).values())
    return right / found if found else 1.0, right / true
