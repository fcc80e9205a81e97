"""SIGKILL at random instants of a sync of helpdesks and mailboxes: nothing lost, nothing twice, little read again.

The mailboxes are read over IMAP, Microsoft Graph and the Gmail API, each by a path of its own. DESKBRIDGE_KILLS sets how many kills (6 by default, 100 for
`make faults`), DESKBRIDGE_KILL_SEED their instants.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.standins.gmail import GmailStandin
from connectors.standins.graph import GraphStandin
from connectors.standins.oauth import TokenDesk
from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import make_engine, reading
from pipelines.demo.configuration import write_configuration
from pipelines.demo.folder import AS_OF, CLIENT, DemoFolder
from pipelines.demo.servers import port_of, stand_ins
from pipelines.demo.world import generate
from pipelines.demo.write import write

KILLS = int(os.environ.get("DESKBRIDGE_KILLS", "6"))
SEED = int(os.environ.get("DESKBRIDGE_KILL_SEED", "20261124"))
SIZE = float(os.environ.get("DESKBRIDGE_KILL_SIZE", "0.15"))
SOURCES = ("zendesk", "freshdesk", "info", "graph", "gmail")
OAUTH = "client_id: deskbridge, client_secret: made-up-secret"

Page = tuple[str, str, int, str]


class Sync:
    """Syncs of one configuration into warehouses of their own, each in a child process."""

    def __init__(self, folder: DemoFolder) -> None:
        self.folder = folder
        self.number = 0
        self.fresh()

    def fresh(self) -> None:
        """Another empty warehouse and log."""
        self.number += 1
        self.database = self.folder.root / f"killed-{self.number}.db"
        self.log = self.folder.root / f"killed-{self.number}.log"
        text = self.folder.config.read_text("utf-8")
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("warehouse:"))
        lines[at] = f"warehouse: sqlite:///{self.database.name}"
        self.folder.config.write_text("\n".join(lines) + "\n", "utf-8")

    def run(self, kill_after_seconds: float | None = None) -> bool:
        """Runs a sync; kills it so long after its work began. Returns whether it had ended by itself."""
        begun = self.words().count("begun")
        with subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults.logged_sync",
                str(self.folder.config),
                CLIENT,
                str(self.log),
                *SOURCES,
            ],
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            if kill_after_seconds is not None:
                while child.poll() is None and self.words().count("begun") == begun:
                    time.sleep(0.002)
                time.sleep(kill_after_seconds)
                child.send_signal(signal.SIGKILL)
            _, errors = child.communicate()
        if child.returncode == -signal.SIGKILL:
            return False
        assert child.returncode == 0, errors[-2000:]
        return True

    def _lines(self) -> list[list[Any]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def words(self) -> list[str]:
        """`begun` and `ended`, as often as they were written."""
        return [line[0] for line in self._lines() if len(line) == 1]

    def pages(self) -> list[Page]:
        """Every page that a source gave, in order."""
        return [tuple(line) for line in self._lines() if len(line) > 1]  # type: ignore[misc]

    def checksums(self) -> dict[str, Any]:
        engine = make_engine(f"sqlite:///{self.database}")
        try:
            with reading(engine) as connection:
                return warehouse_checksums(connection)
        finally:
            engine.dispose()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[DemoFolder, Mapping[str, Any]]]:
    folder = DemoFolder(tmp_path)
    folder.servers.mkdir()
    write(generate(7, AS_OF, SIZE), folder.world)
    folder.set_clock(AS_OF)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(server) for name, server in stand_ins(folder, {})}
        write_configuration(folder, {name: port_of(one) for name, one in servers.items()})
        graph, gmail = stack.enter_context(graph_server()), stack.enter_context(gmail_server())
        for folder_name, place in (("INBOX", "inbox"), ("Sent", "sentitems")):
            for path in sorted((folder.world / "mail" / folder_name).iterdir()):
                graph.deliver(graph.folder(place), path.read_bytes(), received_at=AS_OF)
                gmail.deliver(path.read_bytes(), {folder_name.upper()}, at=AS_OF)
        add_sources(folder.config, graph, gmail)
        yield folder, servers


def graph_server() -> GraphStandin:
    return GraphStandin("graph@acme.example", oauth=TokenDesk(has_own_right=True), time_scale=60)


def gmail_server() -> GmailStandin:
    # A refresh token that stays, as Google's do: a killed refresh leaves the next run its own.
    return GmailStandin("gmail@acme.example", oauth=TokenDesk(rotates=False), time_scale=60)


def add_sources(path: Path, graph: GraphStandin, gmail: GmailStandin) -> None:
    """The two mailboxes beside the demo's sources."""
    added = (
        f"      - {{id: graph, type: graph, user: {graph.user}, tenant: acme.example, "
        f"base_url: '{graph.base_url}/v1.0', time_scale: 60, oauth: {{{OAUTH}, token_url: '{graph.token_url()}'}}}}\n"
        f"      - {{id: gmail, type: gmail, user: {gmail.user}, base_url: '{gmail.base_url}/gmail/v1', "
        f"time_scale: 60, oauth: {{{OAUTH}, refresh_token: seed-refresh-token, token_url: '{gmail.token_url}'}}}}\n"
    )
    text = path.read_text("utf-8")
    assert text.count("    sources:\n") == 1
    path.write_text(text.replace("    sources:\n", f"    sources:\n{added}"), "utf-8")


@pytest.mark.slow
def test_killed_at_random_instants_the_sync_ends_as_if_it_had_run_once(
    servers: tuple[DemoFolder, Mapping[str, Any]],
) -> None:
    folder, _ = servers
    sync = Sync(folder)
    began = time.monotonic()
    assert sync.run()
    usual_seconds = time.monotonic() - began
    expected = sync.checksums()
    calm_pages = len(sync.pages())
    chance = random.Random(SEED)
    kills, rounds, again = 0, 0, Counter[str]()
    kills_of_stream: Counter[str] = Counter()
    while kills < KILLS:
        sync.fresh()
        rounds += 1
        of_round = 0
        while True:
            # A few kills in each warehouse: early and late instants come alike.
            wait = chance.uniform(0, usual_seconds / 3) if kills < KILLS else None
            if sync.run(wait):
                break
            kills += 1
            of_round += 1
        assert sync.checksums() == expected, f"seed {SEED}, after {kills} kills"
        seen: Counter[Page] = Counter(page for page in sync.pages() if page[2])
        for page, times in seen.items():
            again[f"{page[0]} {page[1]}"] += times - 1
        for stream in {f"{page[0]} {page[1]}" for page in seen}:
            kills_of_stream[stream] += of_round
    print(
        f"\nseed {SEED}: {kills} kills in {rounds} syncs of {calm_pages} pages "
        f"({usual_seconds:.1f} s undisturbed, start included)"
    )
    assert {stream.partition(" ")[0] for stream in again} == set(SOURCES)
    for stream, times in sorted(again.items()):
        print(f"  {stream:34s} {times:4d} pages again, {kills_of_stream[stream]} kills")
        assert times <= kills_of_stream[stream]
