"""`deskbridge contact`: who is one person over two sources, why, and what somebody decides of it."""

import json
from pathlib import Path

import pytest

from tests.pipelines.command_runner import CommandFolder

CONFIGURATION = """\
warehouse: sqlite:///warehouse.db
clock: 2026-11-04T13:00:00Z
clients:
  acme:
    time_zone: Europe/Berlin
    sources:
      - {id: desk, type: csv, path: desk.csv, mapping: people.yaml}
      - {id: phone, type: csv, path: phone.csv, mapping: people.yaml}
"""

MAPPING = """\
rows: ticket
columns:
  ticket: Number
  created_at: Opened
  status: State
  subject: Title
  requester: Who
  requester_email: Mail
  requester_phone: Phone
statuses: {New: new}
"""

HEADER = "Number,Opened,State,Title,Who,Mail,Phone\n"
DESK = """\
D1,2026-10-01T08:00:00Z,New,Printer,Anna Berg,anna.berg@acme.example,030 901820
D2,2026-10-02T08:00:00Z,New,Screen,Maria Lopez,maria@cafe.example,0911 5678901
D3,2026-10-02T09:00:00Z,New,Mouse,Tom Stone,tom@stone.example,
"""
PHONE = """\
P1,2026-10-03T08:00:00Z,New,Printer again,"Berg, Anna",anna@home.example,+49 30 901820
P2,2026-10-03T09:00:00Z,New,Coffee,M. Lopez,m.lopez@cafe.example,0911 5678901
P3,2026-10-03T10:00:00Z,New,=1+1,Tom Stone,stone@other.example,
"""


@pytest.fixture
def folder(tmp_path: Path) -> CommandFolder:
    """Two exports of a client, pulled."""
    made = CommandFolder(tmp_path, CONFIGURATION)
    made.write({"people.yaml": MAPPING, "desk.csv": HEADER + DESK, "phone.csv": HEADER + PHONE})
    ran = made.run("sync")
    assert ran.code == 0, ran.err
    return made


def shown(folder: CommandFolder, who: str) -> dict[str, object]:
    """What `contact show` says for scripts."""
    ran = folder.run("contact", "show", who, "--json")
    assert ran.code == 0, ran.err
    told: dict[str, object] = json.loads(ran.out)
    return told


def test_one_person_in_two_sources_and_a_merge_that_is_taken_back(folder: CommandFolder) -> None:
    anna = shown(folder, "anna@home.example")
    assert anna["kind"] == "contact"
    assert len(anna["keys"]) == 2
    assert anna["leader"]["name"] == "Anna Berg"
    assert (
        anna
        == shown(folder, "desk/requester:anna.berg@acme.example")
        == shown(folder, anna["keys"][1])
    )
    (link,) = anna["links"]
    assert (link["verdict"], link["basis"]) == ("same", "score")
    assert "same phone" in link["reason"]
    assert sorted(anna["tickets"].values()) == [1, 1]
    explained = folder.run("explain", "P1")
    assert "as 1 other contact: deskbridge contact show contact-" in explained.out

    ran = folder.run(
        "contact", "different", "desk/requester:anna.berg@acme.example", "anna@home.example"
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("acme: remembered; merged: 0 contacts")
    for rounds in (1, 2):  # also after everything was made again
        apart = shown(folder, "anna@home.example")
        assert apart["leader"]["name"] == "Berg, Anna", rounds
        assert len(apart["keys"]) == 1
        assert apart["links"] == []
        assert [one["decision"] for one in apart["decisions"]] == ["different"]
        assert folder.run("rebuild").code == 0
    assert "same person" not in folder.run("explain", "P1").out

    assert (
        folder.run(
            "contact", "undecide", "desk/requester:anna.berg@acme.example", "anna@home.example"
        ).code
        == 0
    )
    assert shown(folder, "anna@home.example") == anna
    again = folder.run(
        "contact", "undecide", "desk/requester:anna.berg@acme.example", "anna@home.example"
    )
    assert again.code == 2
    assert again.errors.startswith("nothing was decided about contact-")


def test_one_request_of_one_person_under_two_addresses_is_linked(tmp_path: Path) -> None:
    """Two contacts share a telephone number: what they sent within minutes is one request."""
    made = CommandFolder(tmp_path, CONFIGURATION)
    title = "The printer in room seven prints only blank pages since the update"
    desk = f"D1,2026-10-01T08:00:00Z,New,{title},Anna Berg,anna.berg@acme.example,030 901820\n"
    phone = f'P1,2026-10-01T08:20:00Z,New,{title},"Berg, Anna",anna@home.example,030 901820\n'
    mapping = MAPPING.replace("  subject: Title\n", "  subject: Title\n  description: Title\n")
    made.write({"people.yaml": mapping, "desk.csv": HEADER + desk, "phone.csv": HEADER + phone})
    assert made.run("sync").code == 0
    assert "duplicate of: desk/D1" in made.run("explain", "P1").out


def test_doubts_are_listed_until_somebody_decides(folder: CommandFolder) -> None:
    ran = folder.run("contact", "review", "--json")
    doubts = json.loads(ran.out)
    assert len(doubts) == 2
    assert all(one["client"] == "acme" and one["kind"] == "contact" for one in doubts)
    assert "similar given name" in doubts[0]["reason"]
    told = folder.run("contact", "review", "--kind", "contact")
    assert "Maria Lopez" in told.out
    assert "Tom Stone" in told.out
    assert "Anna" not in told.out
    assert folder.run("contact", "review", "--kind", "agent").out == "nothing is doubtful\n"

    pair = (doubts[1]["left"], doubts[1]["right"])
    assert folder.run("contact", "same", *pair).code == 0
    assert (
        folder.run("contact", "different", "maria@cafe.example", "m.lopez@cafe.example").code == 0
    )
    assert folder.run("contact", "review").out == "nothing is doubtful\n"
    tom = shown(folder, "tom@stone.example")
    assert sorted(pair) == tom["keys"]
    assert tom["links"][0]["reason"] == "a person decided that they are one"


def test_wrong_use_changes_nothing(folder: CommandFolder) -> None:
    before = folder.run("checksum", "--json").out
    for arguments, error in (
        (("show", "nobody@acme.example"), "acme: nobody is known by 'nobody@acme.example'"),
        (
            ("same", "desk/requester:anna.berg@acme.example", "anna.berg@acme.example"),
            "are one record key",
        ),
        (
            ("different", "desk/requester:anna.berg@acme.example", "desk/9"),
            "nobody is known by 'desk/9'",
        ),
        (("review", "--kind", "firm"), "--kind: 'firm' is none of contact, agent, organisation"),
    ):
        ran = folder.run("contact", *arguments)
        assert ran.code == 2, arguments
        assert error in ran.errors
    assert folder.run("checksum", "--json").out == before
