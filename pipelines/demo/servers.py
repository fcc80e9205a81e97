"""The demo's stand-in servers in a process of their own: `python -m pipelines.demo.servers FOLDER`.

Belongs here: starting them on the demo's data set, keeping their ports, stopping with the parent. Does not
belong here: what they answer (`connectors.standins`).

The process says `ready` on its output once all of them listen, and ends when its input is closed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from connectors.standins.freshdesk import FreshdeskStandin
from connectors.standins.imap import ImapStandin
from connectors.standins.pagerduty import PagerDutyStandIn
from connectors.standins.slack import SlackStandIn
from connectors.standins.zendesk import ZendeskStandin
from pipelines.demo.folder import SECRETS, TIME_SCALE, DemoFolder
from pipelines.demo.people import SHARED_ADDRESS
from pipelines.settings import SettingsError

NAMES = ("zendesk", "freshdesk", "imap", "pagerduty", "slack")

SECONDS_TO_STOP = 10


@contextmanager
def running(folder: DemoFolder) -> Iterator[Mapping[str, int]]:
    """The stand-ins as a child process; gives name → port, and stops them at the end.

    Raises:
        SettingsError: they did not start (a port is taken by another demo of the same folder, for instance).
    """
    process = subprocess.Popen(  # noqa: S603 - this very interpreter and module
        [sys.executable, "-m", "pipelines.demo.servers", str(folder.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            process.wait(SECONDS_TO_STOP)
            assert process.stderr is not None
            lines = process.stderr.read().strip().splitlines()
            raise SettingsError(
                f"the stand-in servers did not start: {lines[-1] if lines else 'no reason given'}. "
                f"Is another demo running in {folder.root}?"
            )
        yield json.loads(folder.ports.read_text("utf-8"))
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def serve(folder: DemoFolder) -> None:
    """Runs the stand-ins until standard input is closed."""
    ports = json.loads(folder.ports.read_text("utf-8")) if folder.ports.exists() else {}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(server) for name, server in stand_ins(folder, ports)}
        taken = {name: port_of(server) for name, server in servers.items()}
        folder.ports.write_text(json.dumps(taken), "utf-8")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


def stand_ins(folder: DemoFolder, ports: Mapping[str, int]) -> Iterator[tuple[str, Any]]:
    """The stand-ins by name, not started yet, on the demo's data set and clock."""

    def options(name: str) -> dict[str, Any]:
        kept = folder.servers / name
        kept.mkdir(parents=True, exist_ok=True)
        return {
            "folder": kept,
            "now": folder.read_clock,
            "time_scale": TIME_SCALE,
            "port": ports.get(name, 0),
        }

    def data(name: str) -> Any:
        return json.loads((folder.world / f"{name}.json").read_text("utf-8"))

    yield (
        "zendesk",
        ZendeskStandin(data("zendesk"), token=SECRETS["ACME_ZENDESK_TOKEN"], **options("zendesk")),
    )
    yield (
        "freshdesk",
        FreshdeskStandin(
            data("freshdesk"), api_key=SECRETS["ACME_FRESHDESK_KEY"], **options("freshdesk")
        ),
    )
    yield (
        "imap",
        ImapStandin(
            folder.world / "mail",
            {SHARED_ADDRESS: SECRETS["ACME_IMAP_PASSWORD"]},
            port=ports.get("imap", 0),
        ),
    )
    yield (
        "pagerduty",
        PagerDutyStandIn(routing_keys=[SECRETS["ACME_PAGERDUTY_KEY"]], **options("pagerduty")),
    )
    yield "slack", SlackStandIn(tokens=[SECRETS["ACME_SLACK_TOKEN"]], **options("slack"))


def port_of(server: Any) -> int:
    """Where a started stand-in listens."""
    if isinstance(server, ImapStandin):
        return server.port
    return int(server.base_url.rsplit(":", 1)[1])


if __name__ == "__main__":
    serve(DemoFolder(Path(sys.argv[1])))
