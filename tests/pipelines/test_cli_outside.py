"""The world outside fails: what was asked, of whom, what was seen, what to do; exit code 1; nothing half-done."""

import errno
import json
import os
import re
import resource
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import CONFIGURATION, EXPORT, CommandFolder

from connectors.standins.freshdesk import FreshdeskStandin
from connectors.standins.imap import ImapStandin
from connectors.standins.pagerduty import PagerDutyStandIn
from connectors.standins.slack import SlackStandIn
from connectors.standins.zendesk import ZendeskStandin
from connectors.warehouse.engine import make_engine
from pipelines import report

NAMES = ("zendesk", "freshdesk", "imap", "pagerduty", "slack")
SECRET = "wrong-5e1f"


def remote(host: str, ports: dict[str, int], notify_host: str | None = None) -> str:
    """One client whose five systems are at these ports, all asked with little patience."""
    silent = "timeout_seconds: 0.3"
    http = f"{silent}, connect_timeout_seconds: 1, tries: 1, deadline_seconds: 5"
    pager = notify_host or host
    return f"""\
clients:
  acme:
    time_zone: UTC
    sources:
      - {{id: zen, type: zendesk, email: ops@acme.example, token: {SECRET}, base_url: "http://{host}:{ports["zendesk"]}", {http}}}
      - {{id: fresh, type: freshdesk, api_key: {SECRET}, base_url: "http://{host}:{ports["freshdesk"]}", {http}}}
      - {{id: info, type: imap, host: {host}, port: {ports["imap"]}, tls: false, username: info@acme.example, password: {SECRET}, {silent}, connect_timeout_seconds: 1}}
    notify:
      - {{type: pagerduty, routing_key: "0123456789abcdef0123456789abcdee", base_url: "http://{pager}:{ports["pagerduty"]}", {silent}}}
      - {{type: slack, token: xoxb-{SECRET}, channel: "#support", base_url: "http://{host}:{ports["slack"]}/api", {silent}}}
"""


class Page(BaseHTTPRequestHandler):
    """Answers everything with somebody's log-in page."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<html>Sign in</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def html_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def locked_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The five stand-ins, none of which knows the configuration's credentials."""
    with ExitStack() as stack:
        servers: dict[str, Any] = {
            "zendesk": ZendeskStandin({}),
            "freshdesk": FreshdeskStandin({}),
            "imap": ImapStandin(tmp_path_factory.mktemp("mail"), {"info@acme.example": "right"}),
            "pagerduty": PagerDutyStandIn(routing_keys=["0" * 32]),
            "slack": SlackStandIn(tokens=["xoxb-right"]),
        }
        for server in servers.values():
            stack.enter_context(server)
        yield {
            name: server.port if name == "imap" else int(server.base_url.rsplit(":", 1)[1])
            for name, server in servers.items()
        }


REFUSED = "Is the address right and the host reachable from here?"
NOT_JSON = "which is not JSON. Is the address that of the API, without a proxy's or log-in page in between?"

CHECKS: dict[str, dict[str, str]] = {
    "refused": {
        "zendesk": "client acme, source zen: GET /api/v2/users/me.json got no answer from 127.0.0.1:PORT in "
        f"1 try (Connection refused). {REFUSED}",
        "freshdesk": "client acme, source fresh: GET /api/v2/tickets got no answer from 127.0.0.1:PORT in 1 "
        f"try (Connection refused). {REFUSED}",
        "imap": "127.0.0.1:PORT cannot be reached: Connection refused; check host and port, then try again",
        "pagerduty": "checking the routing key at 127.0.0.1:PORT: no answer (Connection refused). Is the "
        "address right and reachable from here?",
        "slack": "checking the token: no answer from Slack (Connection refused). Is it reachable from here?",
    },
    "no such name": {
        "zendesk": "client acme, source zen: GET /api/v2/users/me.json got no answer from "
        f"nowhere.invalid:PORT in 1 try (the name does not resolve). {REFUSED}",
        "freshdesk": "client acme, source fresh: GET /api/v2/tickets got no answer from "
        f"nowhere.invalid:PORT in 1 try (the name does not resolve). {REFUSED}",
        "imap": "nowhere.invalid:PORT cannot be reached: the name does not resolve; check host and port, "
        "then try again",
    },
    "silent": {
        "zendesk": "client acme, source zen: GET /api/v2/users/me.json got no answer from 127.0.0.1:PORT in "
        f"1 try (silent for 0.3 s). {REFUSED}",
        "freshdesk": "client acme, source fresh: GET /api/v2/tickets got no answer from 127.0.0.1:PORT in 1 "
        f"try (silent for 0.3 s). {REFUSED}",
        "imap": "127.0.0.1:PORT cannot be reached: silent for 0.3 s (is IMAP spoken there, with TLS as "
        "configured?); check host and port, then try again",
        "pagerduty": "checking the routing key at 127.0.0.1:PORT: no answer (timed out). Is the address "
        "right and reachable from here?",
        "slack": "checking the token: no answer from Slack (timed out). Is it reachable from here?",
    },
    "a log-in page": {
        "zendesk": "client acme, source zen: GET /api/v2/users/me.json answered 200 with text/html of 20 "
        f"bytes, {NOT_JSON}",
        "freshdesk": "client acme, source fresh: GET /api/v2/tickets answered 200 with text/html of 20 "
        f"bytes, {NOT_JSON}",
        "imap": "127.0.0.1:PORT cannot be reached: silent for 0.3 s (is IMAP spoken there, with TLS as "
        "configured?); check host and port, then try again",
        "pagerduty": "checking the routing key at 127.0.0.1:PORT: what answered (200) is not PagerDuty: "
        "<html>Sign in</html>. Is base_url right, and no proxy or log-in page in between?",
        "slack": "checking the token: Slack answered 200 Received a response in a non-JSON format: "
        "<html>Sign in</html>",
    },
    "wrong credentials": {
        "zendesk": "client acme, source zen: GET /api/v2/users/me.json answered 401: the credential is "
        'refused. Check user, token and their permissions. {"error": "Couldn\'t authenticate you"}',
        "freshdesk": "client acme, source fresh: GET /api/v2/tickets answered 401: the credential is "
        'refused. Check user, token and their permissions. {"code": "invalid_credentials", "message": "You '
        'have to be logged in to perform this action."}',
        "imap": "127.0.0.1:PORT refuses the log-in of info@acme.example: [AUTHENTICATIONFAILED] invalid "
        "credentials; check user name and password (some providers want an app password or OAuth)",
        "pagerduty": "checking the routing key at 127.0.0.1:PORT: the routing key is refused (400): "
        '{"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing '
        'key"]}. Check the integration key of the service',
        "slack": "checking the token: Slack refuses the token (invalid_auth). Check the token, its scopes, "
        "and that the app is installed",
    },
}  # fmt: skip


@pytest.fixture
def configured(request: pytest.FixtureRequest, case: str) -> str:
    """The case's configuration."""
    if case == "refused":
        return remote("127.0.0.1", dict.fromkeys(NAMES, 9))
    if case == "no such name":
        return remote("nowhere.invalid", dict.fromkeys(NAMES, 9), "127.0.0.1")
    if case == "wrong credentials":
        return remote("127.0.0.1", request.getfixturevalue("locked_doors"))
    fixture = "silent_port" if case == "silent" else "html_port"
    return remote("127.0.0.1", dict.fromkeys(NAMES, request.getfixturevalue(fixture)))


@pytest.mark.parametrize("case", CHECKS)
def test_check_says_of_every_system_why_it_fails(
    case: str, configured: str, tmp_path: Path
) -> None:
    folder = CommandFolder(tmp_path, configured)
    ran = folder.run("check", "--json")
    assert (ran.code, ran.err, folder.new_files()) == (1, "", set())
    rows = {row["kind"]: row for row in json.loads(ran.out)}
    assert list(rows) == ["warehouse", "rules", *NAMES, "reports"], "every line, whatever fails"
    told = {
        kind: re.sub(r"(127\.0\.0\.1|invalid):\d+", r"\1:PORT", row["detail"])
        for kind, row in rows.items()
        if not row["works"]
    }
    for kind, expected in CHECKS[case].items():
        assert told[kind] == expected
    assert SECRET not in ran.out
    shown = folder.run("check")
    assert shown.code == 1
    assert shown.out.count("FAILS") == 5
    assert all(len(line) <= 130 for line in shown.out.splitlines())
    assert SECRET not in shown.out


@pytest.mark.parametrize("case", ["refused", "wrong credentials", "a log-in page"])
def test_sync_tells_each_sources_failure_and_keeps_nothing_of_it(
    case: str, configured: str, tmp_path: Path
) -> None:
    folder = CommandFolder(tmp_path, configured)
    ran = folder.run("sync", "--source", "zen", "--source", "fresh", "--json")
    assert ran.code == 1
    rows = json.loads(ran.out)
    assert [row["error"].split(":")[0] for row in rows] == [
        "client acme, source zen",
        "client acme, source fresh",
    ]
    assert [line for line in ran.err.splitlines() if line] == [
        f"error {row['error']}" for row in rows
    ]
    assert folder.rows("raw_record") == folder.rows("sync_cursor") == folder.rows("ticket") == 0
    assert SECRET not in ran.out + ran.err


def test_a_wrong_imap_password_in_sync(locked_doors: dict[str, int], tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path, remote("127.0.0.1", locked_doors))
    ran = folder.run("sync", "--source", "info")
    assert ran.code == 1
    assert "client acme, source info: 127.0.0.1:" in ran.errors
    assert "refuses the log-in of info@acme.example: [AUTHENTICATIONFAILED]" in ran.errors
    assert SECRET not in ran.out + ran.err


EXPORTS: dict[str, tuple[dict[str, str | bytes | None], str]] = {
    "a column that is missing": (
        {"incidents.csv": EXPORT.replace("State", "Status")},
        "column 'State' of the mapping is not there (nearest: 'Status'). Columns found: Number, Opened, "
        "Status, Title",
    ),
    "an empty file": (
        {"incidents.csv": ""},
        "the file is empty, there is not even a header",
    ),
    "another encoding": (
        {"incidents.csv": EXPORT.replace("Printer", "Yazıcı").encode("windows-1254")},
        "not readable as utf-8 (invalid start byte, found bytes fd 63 fd 0a, line 2); set `encoding` in the "
        "mapping to the file's own (often windows-1252, windows-1254 for Turkish, utf-16), or "
        "`encoding_errors: replace` to go on with U+FFFD in the place of what cannot be read",
    ),
    "another delimiter": (
        {"incidents.csv": EXPORT.replace(",", ";")},
        "the header has no ',' between columns, but ';'; set `delimiter: \";\"` in the mapping. Columns "
        "found: Number;Opened;State;Title",
    ),
}


@pytest.mark.parametrize("case", EXPORTS)
def test_an_export_that_cannot_be_read_brings_no_row(case: str, tmp_path: Path) -> None:
    files, told = EXPORTS[case]
    folder = CommandFolder(tmp_path)
    folder.write(files)
    checked = folder.run("check", "--json")
    assert [row["detail"] for row in json.loads(checked.out) if row["kind"] == "csv"] == [
        f"file export incidents.csv: {told}"
    ]
    assert folder.new_files() == set()
    ran = folder.run("sync")
    assert ran.errors == f"client acme, source export: file export incidents.csv: {told}"
    assert ran.code == 1
    assert folder.rows("raw_record") == folder.rows("ticket") == folder.rows("sync_cursor") == 0


def test_an_export_that_is_not_there(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    folder.write({"incidents.csv": None})
    ran = folder.run("sync")
    assert ran.errors == (
        "client acme, source export: file export: no file at <folder>/incidents.csv; check `path` "
        "(relative paths start at the configuration file)"
    )
    assert ran.code == 1


def test_a_fault_in_the_middle_keeps_whole_pages_only(tmp_path: Path) -> None:
    rows = "".join(f"INC{n},2026-10-01T08:00:00Z,New,Printer\n" for n in range(3_000))
    broken = (EXPORT + rows).encode() + b"INC9999,2026-10-01T08:00:00Z,New,\xff\n"
    folder = CommandFolder(tmp_path)
    folder.write({"incidents.csv": broken})
    ran = folder.run("sync")
    assert ran.code == 1
    assert ", line 3003)" in ran.errors
    assert folder.rows("raw_record") == 2_000, "one page and its cursor, and nothing of the next"
    folder.write({"incidents.csv": broken.replace(b"\xff", b"x")})
    assert folder.run("sync").code == 0
    assert folder.rows("ticket") == 3_001


WAREHOUSES: dict[str, tuple[str, int, str]] = {
    "PostgreSQL refused": (
        "postgresql://desk:geheim@127.0.0.1:9/desk",
        1,
        "the warehouse postgresql+psycopg://desk:***@127.0.0.1:9/desk cannot be reached: Connection refused. "
        "Is the server running, and are host and port right?",
    ),
    "PostgreSQL nowhere": (
        "postgresql://desk@nowhere.invalid/desk?password=geheim",
        1,
        "the warehouse postgresql+psycopg://desk@nowhere.invalid/desk cannot be reached: failed to resolve "
        "host 'nowhere.invalid': [Errno -2] Name or service not known. Is the server running, and are host "
        "and port right?",
    ),
    "a folder that cannot be": (
        "sqlite:///mine.yaml/warehouse.db",
        1,
        "the warehouse's folder <folder>/mine.yaml cannot be made: File exists; name another in "
        "`warehouse`",
    ),
    "a folder instead of a file": (
        "sqlite:///.",
        1,
        "the warehouse <folder>: unable to open database file; is it a file, and may this user read and "
        "write it and its folder?",
    ),
    "a file that is no database": (
        "sqlite:///mine.yaml",
        2,
        "the warehouse <folder>/mine.yaml: file is not a database; it is another kind of file. Name another "
        "in `warehouse`, or move this one away",
    ),
}


@pytest.mark.parametrize("command", [["sync"], ["checksum"], ["db", "upgrade"]], ids=lambda c: c[0])
@pytest.mark.parametrize("case", WAREHOUSES)
def test_a_warehouse_that_cannot_be_used(case: str, command: list[str], tmp_path: Path) -> None:
    url, code, told = WAREHOUSES[case]
    folder = CommandFolder(tmp_path, CONFIGURATION.replace("sqlite:///warehouse.db", url))
    before = (tmp_path / "mine.yaml").read_bytes()
    ran = folder.run(*command)
    assert ran.errors == told
    assert (ran.code, ran.out, folder.new_files()) == (code, "", set())
    assert (tmp_path / "mine.yaml").read_bytes() == before


@pytest.mark.parametrize("case", WAREHOUSES)
def test_check_tells_of_the_warehouse_and_goes_on(case: str, tmp_path: Path) -> None:
    url, _, told = WAREHOUSES[case]
    folder = CommandFolder(tmp_path, CONFIGURATION.replace("sqlite:///warehouse.db", url))
    ran = folder.run("check", "--json")
    rows = json.loads(ran.out)
    assert ran.code == 1
    assert [row["works"] for row in rows if row["kind"] in ("warehouse", "csv")] == [False, True]
    if "folder that" not in case:
        assert rows[0]["detail"].replace(str(tmp_path), "<folder>") == told
    assert "geheim" not in ran.out


def test_a_postgresql_that_is_not_upgraded_names_the_command(
    postgres_url: str, tmp_path: Path
) -> None:
    admin = make_engine(postgres_url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE deskbridge_cli"))
    url = admin.url.set(database="deskbridge_cli").render_as_string(hide_password=False)
    folder = CommandFolder(tmp_path, CONFIGURATION.replace("sqlite:///warehouse.db", url))
    try:
        ran = folder.run("sync")
        assert ran.code == 2
        assert "has no tables yet, this version needs" in ran.errors
        assert ran.errors.endswith("Run: deskbridge db upgrade")
        row = json.loads(folder.run("check", "--json").out)[0]
        assert not row["works"]
        assert row["detail"].endswith("Run: deskbridge db upgrade")
        assert folder.run("db", "upgrade").out.endswith(", was empty\n")
        assert folder.run("db", "upgrade").out.endswith(" (nothing to do)\n")
        assert json.loads(folder.run("check", "--json").out)[0]["works"]
        assert folder.run("sync").code == 0
        absent = CommandFolder(tmp_path, CONFIGURATION.replace(
            "sqlite:///warehouse.db", url.replace("deskbridge_cli", "deskbridge_none")))  # fmt: skip
        ran = absent.run("sync")
        assert ran.code == 2
        assert ran.errors.endswith(
            '"deskbridge_none" does not exist; create it, or name another in `warehouse`'
        )
    finally:
        with admin.connect() as connection:
            connection.execute(text("DROP DATABASE deskbridge_cli WITH (FORCE)"))
        admin.dispose()


@pytest.mark.parametrize("command", [["sync"], ["check"], ["db", "upgrade"]], ids=lambda c: c[0])
def test_a_warehouse_of_a_newer_version_is_left_alone(command: list[str], tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    assert folder.run("sync").code == 0
    engine = make_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    ran = folder.run(*command)
    assert ran.code == (1 if command == ["check"] else 2)
    shown = " ".join(re.sub("[│┃]", " ", ran.out + ran.err).split())
    assert "revision 9999" in shown
    assert "newer Deskbridge made it" in shown or command == ["check"]


@pytest.mark.parametrize("command", [["sync"], ["check"], ["db", "upgrade"]], ids=lambda c: c[0])
def test_another_programs_database_is_left_alone(command: list[str], tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        connection.execute("CREATE TABLE ticket (id)")
    ran = folder.run(*command)
    assert ran.code == (1 if command == ["check"] else 2)
    if command != ["check"]:
        assert ran.errors == (
            "<folder>/warehouse.db is the database of another program: it has tables (ticket) but no revision "
            "of ours. Name another in `warehouse`"
        )
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("ticket",)]


def test_a_silent_postgresql_is_given_up(silent_port: int, tmp_path: Path) -> None:
    url = f"postgresql://desk@127.0.0.1:{silent_port}/desk?connect_timeout=2"
    folder = CommandFolder(tmp_path, CONFIGURATION.replace("sqlite:///warehouse.db", url))
    started = time.monotonic()
    ran = folder.run("sync")
    assert time.monotonic() - started < 8
    assert (ran.code, folder.new_files()) == (1, set())
    assert "timeout" in ran.errors
    assert ran.errors.endswith("Is the server running, and are host and port right?")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_warehouse_in_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path, CONFIGURATION.replace("warehouse.db", "shut/warehouse.db"))
    (tmp_path / "shut").mkdir(mode=0o500)
    ran = folder.run("sync")
    assert ran.code == 1
    assert "may this user read and write it and its folder?" in ran.errors


def with_workbook(tmp_path: Path) -> tuple[CommandFolder, Path]:
    """A folder whose October was reported once."""
    folder = CommandFolder(tmp_path)
    assert folder.run("sync").code == 0
    path = tmp_path / "out" / "october.xlsx"
    assert folder.run("report", "--month", "2026-10", "--out", str(path)).code == 0
    return folder, path


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_is_full_leaves_the_old_workbook(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path = with_workbook(tmp_path)
    before, issued = path.read_bytes(), folder.rows("report_issue")

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(report.os, "fsync", full)
    ran = folder.run("report", "--month", "2026-10", "--out", str(path))
    assert ran.errors == (
        f"client acme: <folder>/out/october.xlsx cannot be written: {os.strerror(number).lower()}. Name another "
        "place with --out or reports.folder, or make room and run again; nothing was issued"
    )
    assert ran.code == 1
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["october.xlsx"], "no partial file"
    assert folder.rows("report_issue") == issued


@pytest.mark.parametrize(
    ("place", "reason"), [("incidents.csv/october.xlsx", "file exists"), (".", "is a directory")]
)
def test_a_workbook_that_cannot_be_put_there(place: str, reason: str, tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    ran = folder.run("report", "--month", "2026-10", "--out", str(tmp_path / place))
    assert (
        f"cannot be written: {reason}. Name another place with --out"
        in ran.errors.lower().replace("name another", "Name another")
    )
    assert ran.code == 1
    assert folder.rows("report_issue") == 0
    assert (tmp_path / "incidents.csv").read_text() == EXPORT


def test_a_report_folder_that_is_a_file_shows_in_check(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path, CONFIGURATION + "    reports: {folder: incidents.csv}\n")
    ran = folder.run("check", "--json")
    row = json.loads(ran.out)[-1]
    assert (row["kind"], row["works"]) == ("reports", False)
    assert row["detail"] == "<folder>/incidents.csv is a file, expected a folder"


def test_a_disk_that_fills_up_during_a_sync_keeps_whole_pages(tmp_path: Path) -> None:
    rows = "".join(f"INC{n},2026-10-01T08:00:00Z,New,Printer\n" for n in range(6_000))
    folder = CommandFolder(tmp_path)
    folder.write({"incidents.csv": EXPORT.splitlines()[0] + "\n" + rows})

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))

    ran = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "sync", "-c", str(tmp_path / "deskbridge.yaml")],
        capture_output=True,
        text=True,
        preexec_fn=small_files,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "the warehouse " in ran.stderr
    assert folder.rows("raw_record") % 2_000 == 0
    assert folder.run("sync").code == 0, "once there is room it goes on"
    assert folder.rows("ticket") == 6_000


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    assert folder.run("sync").code == 0
    command = f"{sys.executable} -m pipelines.cli checksum -c {tmp_path}/deskbridge.yaml | head -1"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    assert ran.returncode == 0


def test_a_stopped_command_says_that_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CommandFolder(tmp_path)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.ingest.sync_source", stop)
    ran = folder.run("sync")
    assert ran.code == 130
    assert ran.err == "note stopped; what was committed stays, the next run goes on from there\n"
