"""Every command on a small demo with its stand-ins: exit codes, JSON, words, and that again changes nothing."""

import json
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import Ran, run

from connectors.warehouse.tables import metadata
from pipelines import terminal
from pipelines.demo.configuration import write_configuration
from pipelines.demo.folder import AFTER_MIGRATION, BEFORE_MIGRATION, LIVE_FROM, DemoFolder
from pipelines.demo.folder import AS_OF as DEMO_NOW
from pipelines.demo.servers import port_of, stand_ins
from pipelines.demo.world import generate
from pipelines.demo.write import write
from pipelines.explain import _Teller

SIZE = 0.03


@dataclass
class Demo:
    """A demo folder with running stand-ins, and what each command gave, in the order of the job."""

    folder: DemoFolder
    servers: dict[str, Any]
    ran: dict[str, Ran] = field(default_factory=dict)

    def run(self, *arguments: str) -> Ran:
        return run(*arguments, "--config", str(self.folder.config), folder=self.folder.root)

    def json(self, *arguments: str) -> Any:
        ran = self.run(*arguments, "--json")
        assert ran.err == ""
        return json.loads(ran.out)

    def keep(self, name: str, *arguments: str) -> None:
        self.ran[name] = self.run(*arguments)

    def given(self, name: str) -> Any:
        return json.loads(self.ran[name].out)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo's job, each step by its command."""
    folder = DemoFolder(tmp_path_factory.mktemp("demo"))
    folder.servers.mkdir()
    write(generate(7, DEMO_NOW, SIZE), folder.world)
    folder.set_clock(BEFORE_MIGRATION)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(server) for name, server in stand_ins(folder, {})}
        write_configuration(folder, {name: port_of(server) for name, server in servers.items()})
        demo = Demo(folder, servers)
        demo.keep("check", "check", "--json")
        demo.keep("check in words", "check")
        assert not (folder.root / "warehouse.db").exists(), "a check makes nothing"
        demo.keep("sync", "sync", "--json")
        demo.keep("plan", "migrate", "plan", "old-inbox", "--json")
        demo.keep("early verify", "migrate", "reconcile", "old-inbox", "--json")
        demo.keep("move", "migrate", "move", "old-inbox", "--json")
        demo.keep("verify", "migrate", "verify", "old-inbox", "--json")
        demo.keep("reconcile", "migrate", "reconcile", "old-inbox", "--json")
        folder.set_clock(AFTER_MIGRATION)
        demo.keep("sync again", "sync", "--json")
        demo.keep("tick", "tick", "--rehearse-from", LIVE_FROM.isoformat(), "--json")
        demo.keep("report", "report", "--json")
        yield demo


def test_check_says_that_everything_works(demo: Demo) -> None:
    assert demo.ran["check"].code == 0
    rows = demo.given("check")
    assert [row["kind"] for row in rows] == [
        "warehouse", "rules", "zendesk", "freshdesk", "imap", "mbox", "pagerduty", "slack", "reports"
    ]  # fmt: skip
    assert all(row["works"] for row in rows)
    assert {"client", "kind", "name", "works", "detail"} == set(rows[0])
    told = {row["kind"]: row["detail"] for row in rows}
    assert told["warehouse"] == "not there yet; the first sync makes it"
    assert told["zendesk"].startswith("signed in as ")
    assert told["pagerduty"].endswith("; for page")
    assert demo.json("check")[0]["detail"].startswith("sqlite, revision ")


def test_check_in_words_has_a_line_for_each(demo: Demo) -> None:
    ran = demo.ran["check in words"]
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("│ works │") == 9
    assert "FAILS" not in ran.out


def test_check_wakes_nobody_and_writes_nothing(demo: Demo) -> None:
    before = len(demo.servers["pagerduty"].incidents), len(demo.servers["slack"].posts)
    demo.run("check")
    assert (len(demo.servers["pagerduty"].incidents), len(demo.servers["slack"].posts)) == before


def test_sync_tells_figures_for_each_source(demo: Demo) -> None:
    rows = demo.given("sync")
    assert demo.ran["sync"].code == 0
    assert [row["source"] for row in rows] == ["zendesk", "freshdesk", "info", "archive"]
    assert all(row["error"] is None for row in rows)
    assert all(row["new"] > 0 and row["tickets"] > 0 for row in rows)
    third = demo.json("sync", "--source", "info", "--source", "archive")
    assert [(row["source"], row["new"], row["tickets"], row["rows_changed"]) for row in third] == [
        ("info", 0, 0, 0),
        ("archive", 0, 0, 0),
    ]


def test_sync_in_words_is_a_table(demo: Demo) -> None:
    ran = demo.run("sync", "--source", "archive")
    assert ran.code == 0
    assert "quarantined" in ran.out
    assert "archive" in ran.out


def test_a_migration_goes_step_by_step_and_closes(demo: Demo) -> None:
    plan = demo.given("plan")
    moved = plan["tickets"]["moved"]
    assert moved > 0
    assert plan["cannot_keep"]
    early = demo.given("early verify")
    assert demo.ran["early verify"].code == 1
    assert not early["closes"]
    assert early["faults"]
    assert demo.ran["early verify"].err.count("error ") == len(early["faults"])
    assert demo.given("move") == {"moved": moved}
    assert demo.given("verify") == {"differing": 0}
    closed = demo.given("reconcile")
    assert [demo.ran[step].code for step in ("plan", "move", "verify", "reconcile")] == [0] * 4
    assert closed["closes"]
    assert closed["tickets_in_target"] == closed["tickets_verified"] == moved
    assert demo.json("migrate", "move", "old-inbox") == {"moved": 0}


def test_a_migration_in_words(demo: Demo) -> None:
    assert "What zendesk cannot keep" in demo.run("migrate", "plan", "old-inbox").out
    assert demo.run("migrate", "move", "old-inbox").out == "0 tickets moved\n"
    assert demo.run("migrate", "verify", "old-inbox").out == "0 tickets differ\n"
    assert demo.run("migrate", "reconcile", "old-inbox").out.endswith("the sums close\n")
    ran = demo.run("migrate", "move", "new-inbox")
    assert ran.errors == "client acme has no migration 'new-inbox' configured; there is old-inbox"
    assert ran.code == 2


def test_tick_settles_timers_and_sends(demo: Demo) -> None:
    (row,) = demo.given("tick")
    assert demo.ran["tick"].code == 0
    assert row["client_key"] == "acme"
    assert row["fired"] > 0
    assert row["delivered"] > 0
    assert (row["dead"], row["pending"]) == (0, 0)
    (again,) = demo.json("tick")
    assert (again["fired"], again["queued"], again["delivered"]) == (0, 0, 0)
    assert "delivered" in demo.run("tick").out


def test_report_writes_a_workbook_and_says_where(demo: Demo) -> None:
    (summary,) = demo.given("report")
    assert demo.ran["report"].code == 0
    path = demo.folder.root / summary["path"].removeprefix("<folder>/")
    assert path.name == "acme_compliance_2026-10.xlsx"
    assert path.read_bytes()[:2] == b"PK"
    assert summary["issue"] == 1
    out = demo.folder.root / "elsewhere" / "september.xlsx"
    ran = demo.run("report", "--month", "2026-09", "--out", str(out))
    assert ran.code == 0
    assert "SLA compliance, all targets" in ran.out
    assert f"workbook: <folder>/elsewhere/september.xlsx ({out.stat().st_size:,} bytes" in ran.out


def test_explain_follows_a_ticket_to_its_page(demo: Demo) -> None:
    connection = sqlite3.connect(demo.folder.root / "warehouse.db")
    with closing(connection):
        source, number, key = connection.execute(
            "SELECT t.source_key, t.number, t.ticket_key FROM ticket t JOIN delivery d USING (ticket_key) "
            "WHERE d.channel = 'pagerduty' ORDER BY d.message_key LIMIT 1"
        ).fetchone()
    explained = demo.json("explain", f"{source}/{number}")
    assert explained == demo.json("explain", key)
    titles = " | ".join(explained)
    for part in ("Raw records", "clocks", "Messages", "Audit"):
        assert part.lower() in titles.lower(), titles
    assert all(isinstance(row, dict) for rows in explained.values() for row in rows)
    assert "pagerduty" in json.dumps(explained)
    shown = demo.run("explain", f"{source}/{number}").out
    assert str(number) in shown
    (clocks,) = re.findall(r"SLA clocks *\n(.*?┘)", shown, re.S)
    assert max(map(len, clocks.splitlines())) <= 100
    words = Counter(re.findall(r"[^\s│┃]+", clocks))
    told = Counter(
        word
        for row in explained["SLA clocks"]
        for column, cell in row.items()
        for word in f"{column} {cell}".split()
    )
    names = Counter(list(explained["SLA clocks"][0]) * (len(explained["SLA clocks"]) - 1))
    assert told - names <= words, "a cell is missing"


def test_clocks_with_long_names_fit_a_hundred_columns_too() -> None:
    clocks = _Teller({}, ZoneInfo("Europe/Istanbul")).clocks(
        [
            SimpleNamespace(
                metric="next_reply",
                instance=12,
                policy="Gold [bold]plan[/] of Kadıköy",
                policy_version="92ecc8a06bd1",
                priority="critical",
                calendar="weekdays_without_school_holidays",
                target_seconds=1_000_000,
                elapsed_seconds=-1_000_000,
                due_at=DEMO_NOW,
                stopped_at=DEMO_NOW,
                breached_at=DEMO_NOW,
                state="running",
                is_at_risk=True,
            )
        ]
    )
    with terminal.out.capture() as captured:
        terminal.table(clocks.title, *clocks.shown(), width=terminal.STACKED_WIDTH)
    shown = captured.get()
    assert max(map(len, shown.splitlines())) <= 100
    letters = Counter(re.sub(r"[^\w()[\]:/-]", "", shown))
    assert Counter("".join("".join(cell.split()) for cell in clocks.rows[0])) <= letters


def test_explain_wants_a_ticket_that_there_is(demo: Demo) -> None:
    ran = demo.run("explain", "zendesk/999999")
    assert ran.errors.startswith("there is no ticket 'zendesk/999999', expected its number")
    assert ran.code == 2
    ran = demo.run("explain", "1", "--client", "beta")
    assert ran.errors == "there is no client 'beta' in the configuration, expected one of acme"


def test_on_call_says_who_and_why(demo: Demo) -> None:
    rows = demo.json("on-call", "--at", "2026-11-04T03:00:00Z")
    assert [row["level"] for row in rows] == ["L1", "L2", "L3", "CTO", "management"]
    assert all(row["primary"] != "nobody" and row["why"] for row in rows)
    assert rows != demo.json("on-call", "--at", "2026-11-04T15:00:00Z")
    assert {row["at"] for row in rows} == {"2026-11-04T06:00+03:00"}
    shown = demo.run("on-call", "--at", "2026-11-04T03:00:00Z").out
    assert shown.startswith("on call at 2026-11-04 03:00 UTC (06:00 Europe/Istanbul)")
    assert "secondary" in shown
    # Without an instant it speaks of the configured present.
    assert demo.run("on-call").out.startswith("on call at 2026-11-04 13:00 UTC")


def test_checksum_is_the_same_after_doing_it_all_again(demo: Demo) -> None:
    before = demo.json("checksum")
    assert set(before) <= {table.name for table in metadata.sorted_tables}
    assert before["ticket"]["rows"] > 0
    for arguments in (["sync"], ["tick"], ["migrate", "move", "old-inbox"]):
        assert demo.run(*arguments).code == 0
    assert demo.json("checksum") == before
    assert before["ticket"]["sha256"] in demo.run("checksum").out


def test_what_waits_for_a_person_is_listed(demo: Demo) -> None:
    records = demo.json("quarantine")
    assert all(row["client"] == "acme" and row["reason"] for row in records)
    assert demo.json("messages", "list") == []
    assert demo.run("messages", "list").out == "every message has left\n"
    ran = demo.run("messages", "drop", "no-such-key")
    assert ran.code == 2
    assert "0 of 1 messages dropped" in ran.errors


def test_db_upgrade_has_nothing_to_do(demo: Demo) -> None:
    told = demo.json("db", "upgrade")
    assert told["before"] == told["after"]
    assert demo.run("db", "upgrade").out == f"revision {told['after']} (nothing to do)\n"


def test_a_dead_message_makes_tick_and_list_fail(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused key: the page goes through Slack, the dead one is listed until somebody settles it."""
    text = demo.folder.config.read_text("utf-8").replace(
        "sqlite:///warehouse.db", f"sqlite:///{tmp_path}/w.db"
    )
    config = demo.folder.root / "dead.yaml"
    config.write_text(text, "utf-8")
    monkeypatch.setenv("ACME_PAGERDUTY_KEY", "f" * 32)
    assert run("sync", "--config", str(config)).code == 0
    ran = run("tick", "--rehearse-from", LIVE_FROM.isoformat(), "--json", "--config", str(config))
    (row,) = json.loads(ran.out)
    assert row["dead"] > 0
    assert ran.code == 1
    assert ran.err.startswith("error messages are dead: nobody took them. deskbridge messages list")
    listed = run("messages", "list", "--json", "--config", str(config))
    assert listed.code == 1
    dead = [one for one in json.loads(listed.out) if one["state"] == "dead"]
    assert len(dead) == row["dead"]
    assert all("routing key is refused" in one["outcome"] for one in dead)
    assert run("messages", "drop", "--config", str(config)).out == f"{len(dead)} messages dropped\n"
    assert run("messages", "list", "--config", str(config)).code == 0


def test_run_records_a_job_in_dagster(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert demo.run("run", "sync").code == 0
    assert (tmp_path / "history").is_dir()


def test_run_fails_when_the_job_does(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ACME_FRESHDESK_KEY", "wrong")
    ran = demo.run("run", "sync", "--client", "acme")
    assert ran.code == 1
    assert ran.errors.splitlines()[-1].endswith(
        "sync failed; what went wrong stands above and in Dagster's event log"
    )
