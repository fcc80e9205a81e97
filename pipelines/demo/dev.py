"""`make dev`: Dagster's own web page on the demo, until Ctrl-C.

Belongs here: starting the stand-ins, Dagster's web server and its daemon, and stopping them. Does not belong
here: what they show.

`dagster dev` would start both in one, but leaves them behind when it is stopped from a script; so each is a
process of its own here.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Annotated

import dagster as dg
import typer

from pipelines import terminal
from pipelines.demo.configuration import write_configuration
from pipelines.demo.folder import DemoFolder
from pipelines.demo.run import run_demo
from pipelines.demo.servers import running
from pipelines.run_job import run_job
from pipelines.settings import SettingsError

_WORKSPACE = """\
load_from:
  - python_module: {module_name: pipelines.definitions, location_name: deskbridge}
"""

SECONDS_TO_START = 120
SECONDS_TO_STOP = 15

_ASK_LOAD = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename } } } } }"


def main(
    folder: Annotated[
        Path, typer.Option(help="The demo's folder; the demo is run where it was not.")
    ] = Path(".demo"),
    port: Annotated[int, typer.Option(help="Of the web page; 0 takes a free one.")] = 3000,
    size: Annotated[
        float, typer.Option(help="Of a demo that is run now; 1.0 is a year of 3,100 tickets.")
    ] = 1.0,
) -> None:
    """Shows the demo in Dagster and waits for Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        serve(folder, port, size)
    except KeyboardInterrupt:
        terminal.say("stopped")
    except SettingsError as error:
        terminal.fail(str(error))
        sys.exit(2)


def serve(path: Path, port: int, size: float = 1.0) -> None:
    """Starts everything, prints the address, waits until it is stopped.

    Raises:
        SettingsError: the web server is not installed, the port is taken, or a process ended by itself.
        KeyboardInterrupt: stopped by the user; all processes were ended before.
    """
    if find_spec("dagster_webserver") is None:
        raise SettingsError("dagster-webserver is not installed: pip install 'deskbridge[ui]'")
    port = _free_port(port)
    folder = DemoFolder(path.resolve())
    if not any(folder.root.glob("reports/*.xlsx")):
        run_demo(path, size)
    with ExitStack() as stack:
        ports = stack.enter_context(running(folder))
        write_configuration(folder, ports)
        _materialise_the_rest(folder)
        (folder.root / "workspace.yaml").write_text(_WORKSPACE, "utf-8")
        environment = os.environ | {
            "DAGSTER_HOME": str(folder.dagster_home),
            "DESKBRIDGE_CONFIG": str(folder.config),
        }
        commands = {
            "web server": ["dagster_webserver", "-h", "127.0.0.1", "-p", str(port)],
            "daemon": ["dagster._daemon", "run"],
        }
        processes = {
            name: stack.enter_context(_process(command, folder, environment))
            for name, command in commands.items()
        }
        address = f"http://127.0.0.1:{port}"
        _wait_until_loaded(address, processes)
        terminal.say(f"Dagster shows the demo at {address}/asset-groups (stop with Ctrl-C)")
        terminal.say(
            "its schedules wait to be switched on: the demo's clock stands still, so they change nothing"
        )
        while True:
            _check_running(processes)
            time.sleep(0.5)


def _materialise_the_rest(folder: DemoFolder) -> None:
    """Clocks and workbook as Dagster's own runs: the demo itself rehearses thirty hours outside of it."""
    with dg.DagsterInstance.from_config(str(folder.dagster_home)) as instance:
        done = {
            job
            for job, asset in (
                ("sla_tick", "deliveries"),
                ("compliance_report", "compliance_workbook"),
            )
            if instance.get_latest_materialization_event(dg.AssetKey(asset)) is not None
        }
    for job in ("sla_tick", "compliance_report"):
        if job not in done:
            run_job(folder.config, job, None, folder.dagster_home)


@contextmanager
def _process(
    module: list[str], folder: DemoFolder, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module as a process of its own, that writes into a log file and is stopped at the end."""
    log = folder.root / f"{module[0].lstrip('_')}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - this very interpreter
            [
                sys.executable,
                "-m",
                *module,
                *("-w", "workspace.yaml"),
            ],
            cwd=folder.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_loaded(address: str, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    request = urllib.request.Request(  # noqa: S310 - our own server on 127.0.0.1
        f"{address}/graphql",
        json.dumps({"query": _ASK_LOAD}).encode(),
        {"Content-Type": "application/json"},
    )
    ends = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < ends:
        _check_running(processes)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                entries = json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
        except (OSError, urllib.error.URLError, KeyError, ValueError):
            entries = []
        if entries and all(one["loadStatus"] == "LOADED" for one in entries):
            if any(one["locationOrLoadError"]["__typename"] == "PythonError" for one in entries):
                raise SettingsError(
                    "Dagster could not load the definitions; its logs lie in the demo's folder"
                )
            return
        time.sleep(0.5)
    raise SettingsError(f"Dagster's web server did not answer within {SECONDS_TO_START} s")


def _check_running(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise SettingsError(
                f"Dagster's {name} ended with {process.returncode}; its log lies in the demo's folder"
            )


def _free_port(port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        SettingsError: something listens there already.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise SettingsError(
                f"port {port} is taken; name another one: "
                "python -m pipelines.demo.dev --folder .demo --port 3001"
            ) from None
        return int(probe.getsockname()[1])


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
