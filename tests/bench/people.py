"""Contacts through the warehouse: loaded from two sources, matched, with what is shown and why.

    python -m tests.bench.people [SIZE …]

Each size is a process of its own on an embedded warehouse: seconds to load, seconds to match (rules, scores, groups and
reasons written), the process's peak memory, and how the groups compare with who the invented contacts are. An empty
second match tells what a sync pays where nothing changed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select

from connectors.warehouse.bulk import chunks
from connectors.warehouse.engine import make_engine, reading, writing
from connectors.warehouse.schema import prepare
from connectors.warehouse.tables import contact, person_record
from pipelines.people import PeopleLoader
from pipelines.same_people import match_people
from tests.bench.generated_contacts import Contact, contacts
from tests.bench.labelled_contacts import precision_and_recall
from tests.bench.peak import peak_megabytes
from transforms.model import Batch, SourcePerson

SIZES = (10_000, 100_000)
AT = datetime(2026, 11, 2, 8, tzinfo=UTC)


def loaded(engine: Engine, size: int) -> dict[str, str]:
    """Loads so many contacts, as pages of two sources; gives (source/id) → who it is."""
    truth: dict[str, str] = {}
    loaders = {name: PeopleLoader("shop", name, "DE") for name in ("desk", "phone")}
    for page in chunks(contacts(size), 1_000):
        people: dict[str, list[SourcePerson]] = {name: [] for name in loaders}
        for one in page:
            source = "desk" if len(truth) % 2 else "phone"
            truth[f"{source}/{one.key}"] = one.person
            people[source].append(_person(one))
        with writing(engine) as connection:
            for source, told in people.items():
                loaders[source].load(connection, Batch(people=told))
    return truth


def _person(one: Contact) -> SourcePerson:
    return SourcePerson(
        one.key,
        is_agent=False,
        name=f"{one.given} {one.family}".strip() or None,
        emails=(one.email,) if one.email else (),
        phones=(one.phone,) if one.phone else (),
    )


def found(engine: Engine) -> list[list[str]]:
    """The groups, each a list of (source/id)."""
    statement = select(
        person_record.c.source_key,
        person_record.c.remote_id,
        contact.c.contact_key,
        contact.c.merged_into_key,
    ).select_from(person_record.join(contact, contact.c.contact_key == person_record.c.person_key))
    groups: dict[str, list[str]] = {}
    with reading(engine) as connection:
        for row in connection.execute(statement):
            leader = row.merged_into_key or row.contact_key
            groups.setdefault(leader, []).append(f"{row.source_key}/{row.remote_id}")
    return list(groups.values())


def measure(size: int, folder: Path) -> str:
    """One size, as a line."""
    engine = make_engine(f"sqlite:///{folder / 'people.db'}")
    try:
        prepare(engine)
        begun = time.monotonic()
        truth = loaded(engine, size)
        load_seconds = time.monotonic() - begun
        begun = time.monotonic()
        done = match_people(engine, "shop", AT, "DE")
        match_seconds = time.monotonic() - begun
        begun = time.monotonic()
        match_people(engine, "shop", AT, "DE")
        again_seconds = time.monotonic() - begun
        precision, recall = precision_and_recall(truth, found(engine))
    finally:
        engine.dispose()
    peak = peak_megabytes()
    return (
        f"{size:>9,} contacts: loaded in {load_seconds:.1f} s, matched in {match_seconds:.1f} s "
        f"(again, nothing new: {again_seconds * 1000:.0f} ms), {peak:.0f} MB; merged {done.contacts_merged:,}, "
        f"doubtful {done.doubtful:,}; precision {precision:.4f}, recall {recall:.4f}"
    )


def main() -> None:
    """Measures each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for size in given.sizes:
        if given.here:
            with tempfile.TemporaryDirectory() as folder:
                print(measure(size, Path(folder)))
        else:
            own = [sys.executable, "-m", "tests.bench.people", str(size), "--here"]
            subprocess.run(own, check=True)


if __name__ == "__main__":
    main()
