"""`deskbridge contact erase`: what it shows first, what it says, what others say of somebody erased."""

import json
from pathlib import Path

import pytest

from tests.pipelines.command_runner import CommandFolder
from tests.pipelines.test_contacts import CONFIGURATION, DESK, HEADER, MAPPING, PHONE

ANNA = "anna.berg@acme.example"


@pytest.fixture
def folder(tmp_path: Path) -> CommandFolder:
    """Two exports of a client, pulled; Anna is in both."""
    made = CommandFolder(tmp_path, CONFIGURATION)
    made.write({"people.yaml": MAPPING, "desk.csv": HEADER + DESK, "phone.csv": HEADER + PHONE})
    ran = made.run("sync")
    assert ran.code == 0, ran.err
    return made


def words_in(folder: CommandFolder) -> list[str]:
    """What of Anna stands in the warehouse's files."""
    content = b"".join(path.read_bytes() for path in folder.folder.glob("warehouse.db*"))
    return [
        word
        for word in ("Anna", "Berg", "anna.berg", "anna@home", "901820", "Printer")
        if word.encode() in content
    ]


def test_without_yes_it_shows_what_would_go_and_changes_nothing(folder: CommandFolder) -> None:
    before = words_in(folder)
    ran = folder.run("contact", "erase", "anna@home.example", "--json")
    assert ran.code == 2
    told = json.loads(ran.out)
    assert told["counts"]["tickets"] == 2
    assert set(told["sources"]) == {"desk", "phone"}
    assert "--yes" in ran.err
    assert words_in(folder) == before
    assert "Anna" in before


def test_with_yes_both_sources_forget_and_the_ticket_says_so(folder: CommandFolder) -> None:
    ran = folder.run("contact", "erase", ANNA, "--yes")
    assert ran.code == 0, ran.err
    assert words_in(folder) == []
    explained = folder.run("explain", "P1")
    assert "erased at 2026-11-04 13:00 UTC" in explained.out
    key = json.loads(folder.run("explain", "P1", "--json").out)
    assert "Printer" not in str(key)
    shown = folder.run("contact", "show", "desk/requester:anna.berg@acme.example")
    assert shown.code != 0
    assert folder.run("contact", "erase", ANNA, "--yes").code != 0
    again = folder.run("sync", "--from-start")
    assert again.code == 0, again.err
    assert words_in(folder) == []
    others = folder.run("explain", "D2")
    assert "Maria Lopez" in others.out


def test_a_second_time_is_refused_with_when_it_was(folder: CommandFolder) -> None:
    key = json.loads(folder.run("contact", "show", ANNA, "--json").out)["leader"]["contact_key"]
    assert folder.run("contact", "erase", key, "--yes").code == 0
    told = json.loads(folder.run("contact", "show", key, "--json").out)
    assert told["erased"].startswith("erased at 2026-11-04")
    again = folder.run("contact", "erase", key, "--yes")
    assert again.code != 0
    assert "nothing came since" in again.errors


def test_what_is_written_afterwards_is_new_and_hangs_on_another_key(folder: CommandFolder) -> None:
    known = json.loads(folder.run("contact", "show", ANNA, "--json").out)["keys"]
    assert folder.run("contact", "erase", known[0], "--yes").code == 0
    later = f"D9,2026-11-01T08:00:00Z,New,Tablet,Anna Berg,{ANNA},030 901820\n"
    folder.write({"desk.csv": HEADER + DESK + later})
    assert folder.run("sync").code == 0
    assert "Tablet" in folder.run("explain", "D9").out
    new = json.loads(folder.run("contact", "show", ANNA, "--json").out)
    assert len(new["keys"]) == 1
    assert new["keys"][0] not in known
    assert sum(new["tickets"].values()) == 1
    old = folder.run("explain", "D1").out
    assert "Anna" not in old
