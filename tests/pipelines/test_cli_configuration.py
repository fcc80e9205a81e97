"""Wrong files and wrong use: one sentence with file, line, found and expected; exit code 2; nothing made."""

import re
import sys
from importlib import resources
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import CONFIGURATION, EXPORT, MAPPING, CommandFolder, run

SHIPPED = resources.files("sla_rules").joinpath("policies")
POLICY = SHIPPED.joinpath("standard.yaml").read_text("utf-8")
LADDER = SHIPPED.joinpath("escalation.yaml").read_text("utf-8")
ON_CALL = SHIPPED.joinpath("follow_the_sun.yaml").read_text("utf-8")


def edited(old: str, new: str, text: str = CONFIGURATION) -> str:
    assert old in text, old
    return text.replace(old, new, 1)


def added(line: str) -> str:
    return CONFIGURATION + line


CONFIGURATIONS: dict[str, tuple[str | bytes | None, str]] = {
    "misspelt at the top": (
        edited("warehouse:", "warehuse:"),
        "deskbridge.yaml:1: warehuse: unknown key; did you mean 'warehouse'?",
    ),
    "misspelt in a client": (
        edited("live_from", "live_form"),
        "deskbridge.yaml:5: clients.acme.live_form: unknown key; did you mean 'live_from'?",
    ),
    "misspelt in a source": (
        edited("mapping: mine", "maping: mine"),
        "deskbridge.yaml:7: clients.acme.sources.0.maping: unknown key; did you mean 'mapping'?",
    ),
    "misspelt in a notifier": (
        edited("routing_key", "routing_kye"),
        "deskbridge.yaml:10: clients.acme.notify.0.routing_kye: unknown key; did you mean "
        "'routing_key'?",
    ),
    "an unset secret": (
        edited('"0123456789abcdef0123456789abcdef"', '"${ACME_KEY}"'),
        "deskbridge.yaml:10: clients.acme.notify.0.routing_key: the environment variable ACME_KEY is not "
        "set (nor ACME_KEY_FILE, nor in .env beside this file); set it before starting, for instance: "
        "export ACME_KEY=…",
    ),
    "a bad time zone": (
        edited("Europe/Istanbul", "Europe/Istambul"),
        "deskbridge.yaml:4: clients.acme.time_zone: 'Europe/Istambul' is no time zone, expected an IANA "
        "name such as Europe/Istanbul; did you mean 'Europe/Istanbul'?",
    ),
    "no file": (
        None,
        "there is no configuration at <folder>/deskbridge.yaml. Name one with --config or "
        "$DESKBRIDGE_CONFIG; deskbridge.example.yaml in the repository is a starting point",
    ),
    "not YAML": (
        "warehouse: [a\nclients: }",
        "deskbridge.yaml:2: not valid YAML: expected ',' or ']', but got ':' (while parsing a flow "
        "sequence, which begins in line 1)",
    ),
    "tabs": (
        "clients:\n\tacme:\n\t\ttime_zone: UTC\n",
        "deskbridge.yaml:2: not valid YAML: a tab stands here; indent with spaces",
    ),
    "a key twice": (
        added("    time_zone: UTC\n"),
        "deskbridge.yaml:11: the key 'time_zone' stands twice; remove one of them",
    ),
    "an empty file": (
        "",
        "deskbridge.yaml:1: the file is empty; expected a mapping of names to values",
    ),
    "a binary file": (
        b"\x89PNG\r\n\x1a\n\x00\xff\xfe",
        "<folder>/deskbridge.yaml:1: the byte 0x89 stands here, expected a text file in UTF-8; save it as "
        "UTF-8, or name the right file",
    ),
    "a source id twice": (
        edited(
            "    sla:",
            "      - {id: export, type: csv, path: a.csv, mapping: mine.yaml}\n    sla:",
        ),
        "deskbridge.yaml:8: clients.acme.sources.1.id: a second source has the id 'export', expected an "
        "id of its own for each",
    ),
    "live_from without zone": (
        edited("2026-11-01T00:00:00+03:00", "2026-11-01"),
        "deskbridge.yaml:5: clients.acme.live_from: '2026-11-01' has no zone, expected for instance "
        "2026-11-01T00:00:00+03:00 (or Z for UTC at the end)",
    ),
    "an unknown source type": (
        edited("type: csv", "type: zendsk"),
        "deskbridge.yaml:7: clients.acme.sources.0: found 'zendsk', expected one of 'zendesk', "
        "'freshdesk', 'imap', 'graph', 'gmail', 'mbox', 'maildir', 'eml', 'msg', 'pst', 'csv'; did you mean 'zendesk'?",
    ),
    "a wrong status word": (
        edited("mapping: mine.yaml", "mapping: mine.yaml, status_map: {Waiting: pendng}"),
        "deskbridge.yaml:7: clients.acme.sources.0.status_map: the status for 'Waiting' is 'pendng', "
        "expected one of new, open, pending, on_hold, solved, closed, deleted, spam, merged; did you mean "
        "'pending'?",
    ),
    "a password in an address": (
        edited("http://127.0.0.1:9", "https://me:geheim@pager.example"),
        "deskbridge.yaml:10: clients.acme.notify.0.base_url: an address holds no user or password, "
        "expected https://HOST",
    ),
    "a number for a secret": (
        edited('"0123456789abcdef0123456789abcdef"', "12345678"),
        "deskbridge.yaml:10: clients.acme.notify.0.routing_key: found a number, expected text (put a "
        "number or yes/no in quotes)",
    ),
    "a migration from nowhere": (
        added("    migrations:\n      - {id: move, source: exprt, target: export}\n"),
        "deskbridge.yaml:12: clients.acme.migrations.0.source: found 'exprt', expected the id of a source "
        "of this client: export; did you mean 'export'?",
    ),
    "an unknown warehouse": (
        edited("sqlite:///warehouse.db", "mysql://me:geheim@host/desk"),
        "deskbridge.yaml:1: warehouse: the warehouse cannot live in mysql; expected sqlite:///FILE or "
        "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
    ),
    "an unknown driver": (
        edited("sqlite:///warehouse.db", "postgresql+pgx://me:geheim@host/desk"),
        "deskbridge.yaml:1: warehouse: the warehouse cannot live in postgresql+pgx; expected "
        "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
    ),
    "no warehouse URL": (
        edited("sqlite:///warehouse.db", "postgresql://me:geheim@host:port/desk"),
        "deskbridge.yaml:1: warehouse: the warehouse URL cannot be read; expected sqlite:///FILE or "
        "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
    ),
    "a timeout that is none": (
        added("    reports: {target_pct: 101}\n"),
        "deskbridge.yaml:11: clients.acme.reports.target_pct: found 101, expected a number of at most "
        "100.0",
    ),
}


@pytest.mark.parametrize("command", [["sync"], ["check"], ["db", "upgrade"]], ids=lambda c: c[0])
@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_wrong_configuration_stops_everything(
    case: str, command: list[str], tmp_path: Path
) -> None:
    configuration, told = CONFIGURATIONS[case]
    folder = CommandFolder(tmp_path, configuration)
    ran = folder.run(*command)
    assert ran.errors == told
    assert (ran.code, ran.out, folder.new_files()) == (2, "", set())
    assert "geheim" not in ran.err


NO_LOW = "\n".join(line for line in POLICY.splitlines() if not line.strip().startswith("low:"))

RULE_FILES: dict[str, tuple[str, dict[str, str | bytes | None], str]] = {
    "a policy without a row": (
        edited("[standard.yaml]", "[own.yaml]"),
        {"own.yaml": NO_LOW},
        "client acme: own.yaml:10: matrix: the row low is missing, found critical, high, medium; expected "
        "a row for each of critical, high, medium, low",
    ),
    "a policy that is not there": (
        edited("[standard.yaml]", "[standart.yaml]"),
        {},
        "client acme, sla: there is no file <folder>/standart.yaml, and none of that name is shipped; "
        "shipped are escalation.yaml, follow_the_sun.yaml, standard.yaml; did you mean 'standard.yaml'?",
    ),
    "a duration that is none": (
        edited("[standard.yaml]", "[own.yaml]"),
        {"own.yaml": re.sub(r"response: [^,}]+", "response: 15 minits", POLICY, count=1)},
        "client acme: own.yaml:11: matrix.critical.response: expected an amount such as 15 min, 4 h or 1 "
        "business day, found '15 minits'",
    ),
    "a day of no kind": (
        edited("[standard.yaml]", "[own.yaml]"),
        {"own.yaml": re.sub(r"response: [^,}]+", "response: 1 day", POLICY, count=1)},
        "client acme: own.yaml:11: matrix.critical.response: expected an amount that says which days are "
        "meant: 1 business day, or 24 h; found '1 day'",
    ),
    "a policy with an unknown key": (
        edited("[standard.yaml]", "[own.yaml]"),
        {"own.yaml": edited("matrix:", "matrx:", POLICY)},
        "client acme: own.yaml:10: matrx: unknown key; did you mean matrix?",
    ),
    "a policy in another encoding": (
        edited("[standard.yaml]", "[own.yaml]"),
        {"own.yaml": b"name: x\nmatrix: \xfd\n"},
        "client acme, sla: <folder>/own.yaml:2: the byte 0xfd stands here, expected a text file in UTF-8; "
        "save it as UTF-8, or name the right file",
    ),
    "no policy": (
        edited("[standard.yaml]", "[]"),
        {},
        "client acme: no SLA policy at all; name at least one, for instance standard.yaml",
    ),
    "a ladder with an unknown level": (
        added("    escalation: own.yaml\n"),
        {"own.yaml": edited("level: L2", "level: L9", LADDER)},
        "client acme: own.yaml:53: steps.2.level: found 'L9', expected one of L1, L2, L3, CTO, management",
    ),
    "a ladder that pages where nobody is on call": (
        added("    escalation: own.yaml\n"),
        {"own.yaml": LADDER.replace("L3", "L4")},
        "client acme: own.yaml: the step l3 pages the level L4, for which follow_the_sun.yaml has no "
        "rotation; expected one of L1, L2, L3, CTO, management, or a rotation more",
    ),
    "a mapping with an unknown key": (
        CONFIGURATION,
        {"mine.yaml": MAPPING + "colums: {}\n"},
        "client acme, source export: mine.yaml:4: colums: unknown key; did you mean 'columns'?",
    ),
    "a mapping that is not there": (
        CONFIGURATION,
        {"mine.yaml": None},
        "client acme, source export: mapping <folder>/mine.yaml: No such file or directory. Give a path, "
        "or one of the shipped mappings: ticket_list.yaml, uci_incidents.yaml",
    ),
}


@pytest.mark.parametrize("case", RULE_FILES)
def test_a_wrong_rule_or_mapping_file_makes_no_warehouse(case: str, tmp_path: Path) -> None:
    configuration, files, told = RULE_FILES[case]
    folder = CommandFolder(tmp_path, configuration)
    folder.write(files)
    ran = folder.run("sync")
    assert ran.errors == told
    assert (ran.code, ran.out, folder.new_files()) == (2, "", set())


@pytest.mark.parametrize("case", RULE_FILES)
def test_check_tells_it_beside_everything_else(case: str, tmp_path: Path) -> None:
    configuration, files, told = RULE_FILES[case]
    folder = CommandFolder(tmp_path, configuration)
    folder.write(files)
    ran = folder.run("check")
    assert ran.code == 1
    assert folder.new_files() == set()
    kinds = [line.split("│")[2].strip() for line in ran.out.splitlines() if line.startswith("│")]
    assert [k for k in kinds if k] == ["warehouse", "rules", "csv", "pagerduty", "reports"]
    cells = [line.split("│")[5].strip() for line in ran.out.splitlines() if line.startswith("│")]
    words = told.removeprefix("client acme: ").replace("<folder>", "").split()
    assert set(words[-6:]) <= set(" ".join(cells).split())


def test_a_gap_in_the_on_call_plan_is_told_for_each_level(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path, added("    on_call: own.yaml\n"))
    folder.write({"own.yaml": re.sub(r'to: "08:00"', 'to: "07:00"', ON_CALL, count=1)})
    ran = folder.run("tick")
    lines = ran.errors.splitlines()
    assert (ran.code, len(lines), folder.new_files()) == (2, 5, set())
    assert re.fullmatch(
        r"client acme: own\.yaml:41: rotations\.0: level L1: nobody from \S+T07:00\+03:00 to "
        r"\S+T08:00\+03:00; expected somebody at every instant",
        lines[0],
    )


USE: dict[str, tuple[list[str], str]] = {
    "client": (
        ["sync", "--client", "acmee"],
        "there is no client 'acmee' in the configuration, expected one of acme; did you mean 'acme'?",
    ),
    "source": (
        ["sync", "--source", "exprt"],
        "client acme has no source 'exprt', expected one of export; did you mean 'export'?",
    ),
    "month": (
        ["report", "--month", "2026-13"],
        "--month: '2026-13' is no month, expected for instance 2026-10",
    ),
    "as-of": (
        ["tick", "--as-of", "2026-11-02T06:00:00"],
        "--as-of: '2026-11-02T06:00:00' has no zone, expected for instance 2026-11-02T06:00:00+03:00 (or "
        "Z for UTC at the end)",
    ),
    "as-of out of time": (
        ["tick", "--as-of", "0001-01-01T00:00:00+03:00"],
        "--as-of: '0001-01-01T00:00:00+03:00' is no instant, expected for instance "
        "2026-12-01T00:00:00+03:00",
    ),
    "at": (
        ["on-call", "--at", "2026-11-02"],
        "--at: '2026-11-02' has no zone, expected for instance 2026-11-02T00:00:00+03:00 (or Z for UTC at "
        "the end)",
    ),
    "rehearse-from": (
        ["tick", "--rehearse-from", "yesterday"],
        "--rehearse-from: 'yesterday' is no instant, expected for instance 2026-12-01T00:00:00+03:00",
    ),
    "ticket": (
        ["explain", "4711"],
        "there is no ticket '4711', expected its number, source/number, our key, or a mail's Message-ID. Has it been "
        "synced "
        "since it came in?",
    ),
    "migration": (
        ["migrate", "plan", "inbox"],
        "client acme has no migration 'inbox' configured; there is none",
    ),
    "future month": (
        ["report", "--month", "2026-10", "--as-of", "2026-09-30T00:00:00Z"],
        "client acme: October 2026 has not begun at 2026-09-30 00:00 UTC, expected a month that has",
    ),
    "job": (
        ["run", "synk"],
        "there is no job 'synk', expected one of sync, reconcile, attachments, sla_tick, compliance_report, "
        "migration, purge_runs; did you mean 'sync'?",
    ),
    "no DAGSTER_HOME": (
        ["run", "sync"],
        "DAGSTER_HOME is not set; set it to the folder dagster_home of the repository, as a full path",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", USE)
def test_wrong_use_is_answered_in_a_sentence(case: str, tmp_path: Path) -> None:
    arguments, told = USE[case]
    folder = CommandFolder(tmp_path)
    ran = folder.run(*arguments)
    assert ran.errors == told
    assert (ran.code, ran.out) == (2, "")
    if "--" in told:
        assert folder.new_files() == set()


@pytest.mark.parametrize("home", ["dagster_home", "/nowhere/dagster_home"])
def test_a_dagster_home_that_is_none_is_refused(home: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", home)
    ran = CommandFolder(tmp_path).run("run", "sync")
    assert ran.errors == f"DAGSTER_HOME is {home}; expected the full path of a folder that exists"
    assert ran.code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["synk"], "No such command 'synk'. Did you mean 'sync'?"),
        (["sync", "--clinet", "a"], "No such option: --clinet"),
        (["explain"], "Missing argument 'ticket'."),
        (["sync", "-c"], "Option '-c' requires an argument."),
        (["demo", "--size", "big"], "Invalid value for '--size'"),
        (["demo", "--size", "0"], "Invalid value for '--size'"),
        (["migrate", "pln"], "No such command 'pln'. Did you mean 'plan'?"),
    ],
)
def test_wrong_words_on_the_command_line(arguments: list[str], told: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_an_ambiguous_ticket_lists_its_candidates(tmp_path: Path) -> None:
    folder = CommandFolder(
        tmp_path,
        edited(
            "    sla:",
            "      - {id: other, type: csv, path: other.csv, mapping: mine.yaml}\n    sla:",
        ),
    )
    folder.write({"other.csv": EXPORT})
    assert folder.run("sync").code == 0
    ran = folder.run("explain", "INC1")
    assert (
        ran.errors
        == "several tickets are called 'INC1': export/INC1, other/INC1. Name one of these"
    )
    assert ran.code == 2
    assert folder.run("explain", "other/INC1").code == 0


def test_a_client_whose_rules_break_later_leaves_the_others_alone(tmp_path: Path) -> None:
    second = CONFIGURATION[CONFIGURATION.index("  acme:") :].replace("acme:", "beta:")
    folder = CommandFolder(tmp_path, CONFIGURATION + second.replace("[standard", "[own"))
    folder.write({"own.yaml": POLICY})
    assert folder.run("sync").code == 0
    folder.write({"own.yaml": POLICY.replace("matrix:", "matrx:")})
    ran = folder.run("tick", "--json")
    assert ran.errors == "client beta: own.yaml:10: matrx: unknown key; did you mean matrix?"
    assert ran.code == 2
    assert '"client_key": "acme"' in ran.out
    assert "beta" not in ran.out


def test_one_source_may_be_named_where_only_one_client_has_it(tmp_path: Path) -> None:
    second = CONFIGURATION[CONFIGURATION.index("  acme:") :].replace("acme:", "beta:")
    folder = CommandFolder(tmp_path, CONFIGURATION + second.replace("id: export", "id: other"))
    ran = folder.run("sync", "--source", "other", "--json")
    assert ran.code == 0
    assert '"client": "beta"' in ran.out
    assert '"client": "acme"' not in ran.out


def test_what_is_in_quarantine_is_explained_as_that(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    folder.write({"incidents.csv": EXPORT + "INC7,2026-10-02T08:00:00Z,Closed,Gone\n"})
    assert folder.run("sync").code == 0
    for name in ("INC7", "export/INC7"):
        ran = folder.run("explain", name)
        assert (ran.code, ran.out) == (2, "")
        assert ran.errors.startswith(
            f"'{name}' is no ticket yet, it is in quarantine. export, rows INC7"
        )
        assert (
            "(file incidents.csv, line 3): ended without a time: column 'State' says 'Closed'"
            in ran.errors
        )
        assert "deskbridge quarantine" in ran.errors
    assert folder.run("explain", "other/INC7").errors.startswith("there is no ticket")
    assert folder.run("explain", "INC8").errors.startswith("there is no ticket")


def test_an_empty_month_says_so_and_which_months_are_not(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    late = ("report", "--as-of", "2026-11-05T00:00:00Z", "--month")
    ran = folder.run(*late, "2026-10")
    assert (ran.code, ran.err) == (
        0,
        "note the workbook is empty: no ticket was synced yet. Start with deskbridge sync\n",
    )
    assert folder.run("sync").code == 0
    ran = folder.run(*late, "2026-08")
    assert ran.code == 0
    assert ran.err == (
        "note the workbook is empty: nothing counts in August 2026. Tickets here were created from 2026-10-01 "
        "to 2026-10-01; another month: --month 2026-10\n"
    )
    assert "empty" not in folder.run(*late, "2026-10").err
