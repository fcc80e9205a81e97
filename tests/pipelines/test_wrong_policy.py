"""A policy file that goes wrong concerns what is promised; what the sources hold is pulled all the same."""

import sys
from importlib import resources
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import CONFIGURATION, EXPORT, CommandFolder

POLICY = resources.files("sla_rules").joinpath("policies", "standard.yaml").read_text("utf-8")
TRIAGE = "triage:\n  - {name: printers, words: [printer], priority: high}\n"
SECOND = "INC2,2026-10-02T08:00:00Z,New,Printer again\n"


def folder_with(tmp_path: Path, policy: str) -> CommandFolder:
    folder = CommandFolder(tmp_path, CONFIGURATION.replace("standard.yaml", "own.yaml"))
    folder.write({"own.yaml": POLICY + TRIAGE})
    assert folder.run("sync").code == 0
    folder.write({"own.yaml": policy, "incidents.csv": EXPORT + SECOND})
    return folder


def test_a_wrong_promise_stops_the_tick_and_the_report_and_no_sync(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, POLICY.replace("matrix:", "matirx:") + TRIAGE)
    ran = folder.run("sync")
    assert (ran.code, ran.err) == (0, "")
    assert folder.rows("ticket") == 2
    assert folder.rows("ticket WHERE priority = 'high'") == 2
    for command in ("tick", "report"):
        ran = folder.run(command)
        assert ran.code == 2
        assert ran.errors == ("client acme: own.yaml:10: matirx: unknown key; did you mean matrix?")


def test_where_triage_cannot_be_read_what_is_new_waits_and_is_not_lost(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, POLICY + TRIAGE.replace("high", "hihg"))
    for _ in range(2):
        ran = folder.run("sync")
        assert ran.code == 1
        assert "own.yaml" in ran.errors and "'hihg'" in ran.errors
        assert "what was pulled is kept" in ran.errors
        assert (folder.rows("raw_record"), folder.rows("ticket")) == (2, 1)
    folder.write({"own.yaml": POLICY + TRIAGE})
    assert folder.run("sync").code == 0
    assert folder.rows("ticket WHERE priority = 'high'") == 2
