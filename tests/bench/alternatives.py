"""Connectors of others, each in an environment of its own, run against the same server as ours.

Belongs here: installing them (from the package registry, once, into `.bench/`), sending them to the local server,
counting what they print. They address the vendor's host by a fixed name; a hook in their process sends the requests
for that name to the stand-in. What they print goes to a pipe and is counted, not stored: they get no warehouse.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent.parent / ".bench"

_HOOK = """
import os
import requests.sessions as sessions

send = sessions.Session.send


def redirected(self, request, **options):
    host = "https://" + os.environ["BENCH_HOST"]
    if request.url.startswith(host):
        request.url = os.environ["BENCH_BASE_URL"] + request.url[len(host):]
    return send(self, request, **options)


sessions.Session.send = redirected
"""


_RECORD = re.compile(r'\{"type": ?"RECORD", ?"(?:record|stream)": ?')
_CATALOG = re.compile(r'\{"type": ?"CATALOG"')


class UnavailableError(Exception):
    """The alternative cannot be installed or run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One connector: what to install, how it is run, which of its streams are compared."""

    name: str
    requirement: str
    program: str
    host: str
    config: dict[str, Any]
    streams: tuple[str, ...]
    is_tap: bool = False
    """Whether it speaks Singer's protocol, not Airbyte's."""


AIRBYTE_ZENDESK = Alternative(
    "airbyte-source-zendesk-support",
    "airbyte-source-zendesk-support==4.9.1",
    "source-zendesk-support",
    "bench.zendesk.com",
    {
        "subdomain": "bench",
        "start_date": "2020-01-01T00:00:00Z",
        "credentials": {
            "credentials": "api_token",
            "email": "ops@acme.example",
            "api_token": "made-up-token",
        },
    },
    ("tickets", "ticket_comments"),
)
AIRBYTE_FRESHDESK = Alternative(
    "airbyte-source-freshdesk",
    "airbyte-source-freshdesk==3.0.7",
    "source-freshdesk",
    "bench.freshdesk.com",
    {
        "domain": "bench.freshdesk.com",
        "api_key": "freshdesk-key",
        "start_date": "2020-01-01T00:00:00Z",
        "requests_per_minute": 1_000_000,
    },
    ("tickets", "conversations"),
)
TAP_FRESHDESK = Alternative(
    "tap-freshdesk",
    "tap-freshdesk==1.0.1",
    "tap-freshdesk",
    "bench.freshdesk.com",
    {
        "domain": "bench",
        "api_key": "freshdesk-key",
        "start_date": "2020-01-01T00:00:00Z",
        "user_agent": "bench",
    },
    ("tickets", "conversations"),
    is_tap=True,
)
ALTERNATIVES = {
    "zendesk": (AIRBYTE_ZENDESK,),
    "freshdesk": (AIRBYTE_FRESHDESK, TAP_FRESHDESK),
}


def installed(alternative: Alternative) -> Path:
    """The folder of its programs, installed when it is not there yet.

    Raises:
        UnavailableError: it cannot be installed.
    """
    place = FOLDER / alternative.name
    program = place / "bin" / alternative.program
    if not program.exists():
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            [str(place / "bin" / "pip"), "install", "--quiet", alternative.requirement],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UnavailableError(f"{alternative.requirement}: {done.stderr.strip()[-300:]}")
    (FOLDER / "hook").mkdir(exist_ok=True)
    (FOLDER / "hook" / "sitecustomize.py").write_text(_HOOK, "utf-8")
    return place / "bin"


def measure(alternative: Alternative, base_url: str) -> tuple[int, float]:
    """(records, seconds) of one full read; its start is not counted.

    Raises:
        UnavailableError: it cannot be installed, or its read fails.
    """
    programs = installed(alternative)
    config = FOLDER / f"{alternative.name}.json"
    config.write_text(json.dumps(alternative.config), "utf-8")
    catalog = FOLDER / f"{alternative.name}.catalog.json"
    catalog.write_text(json.dumps(_catalog(alternative, programs, config, base_url)), "utf-8")
    command = ["--config", str(config), "--catalog", str(catalog)]
    if not alternative.is_tap:
        command.insert(0, "read")
    records, began, last = 0, None, ""
    with subprocess.Popen(
        [str(programs / alternative.program), *command],
        env=_environment(alternative, base_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            # Its own start, several seconds, is its framework's; counted is from its first word on.
            began = began or time.perf_counter()
            if _RECORD.match(line):
                records += 1
            else:
                last = line
    if running.returncode or not records or began is None:
        raise UnavailableError(f"{alternative.name} read {records} records: {last[:300]}")
    return records, time.perf_counter() - began


def _catalog(
    alternative: Alternative, programs: Path, config: Path, base_url: str
) -> dict[str, Any]:
    discover = "--discover" if alternative.is_tap else "discover"
    done = subprocess.run(
        [str(programs / alternative.program), discover, "--config", str(config)],
        env=_environment(alternative, base_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if alternative.is_tap and done.returncode == 0:
        return _selected(json.loads(done.stdout), alternative.streams)
    for line in done.stdout.splitlines():
        if _CATALOG.match(line):
            found = {one["name"]: one for one in json.loads(line)["catalog"]["streams"]}
            return {
                "streams": [
                    {
                        "stream": found[name],
                        "sync_mode": "incremental"
                        if "incremental" in found[name]["supported_sync_modes"]
                        else "full_refresh",
                        "destination_sync_mode": "append",
                        "cursor_field": found[name].get("default_cursor_field", []),
                    }
                    for name in alternative.streams
                ]
            }
    raise UnavailableError(
        f"{alternative.name} gave no catalog: {done.stdout[-300:]} {done.stderr[-300:]}"
    )


def _selected(catalog: dict[str, Any], streams: Sequence[str]) -> dict[str, Any]:
    """Singer's way to choose: a mark in each stream's metadata."""
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in streams
    return catalog


def _environment(alternative: Alternative, base_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(FOLDER / "hook"),
        "BENCH_HOST": alternative.host,
        "BENCH_BASE_URL": base_url,
    }
