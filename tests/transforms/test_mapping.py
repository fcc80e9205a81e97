"""A mapping file is either understood whole or refused with file, line, what was found and what is expected."""

import pytest

from transforms.mapping import FileMapping, load_mapping
from transforms.yaml_document import DocumentError

GOOD = """\
rows: change
delimiter: ";"
time_formats: ["%d.%m.%Y %H:%M"]
time_zone: Europe/Berlin
columns:
  ticket: id
  changed_at: changed
  status: state
statuses: {Neu: new, 2: open, Fertig: solved}
known_afterwards: [done_on]
track: [floor]
"""


def refusal_of(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        load_mapping(text, "mine.yaml")
    return str(caught.value)


def test_a_good_mapping_gives_the_layout_the_connector_needs() -> None:
    mapping = load_mapping(GOOD, "mine.yaml")
    assert mapping.layout() == {
        "ticket_column": "id",
        "needed_columns": ("id", "changed", "state", "done_on", "floor"),
        "encoding": "utf-8",
        "encoding_errors": "strict",
        "delimiter": ";",
        "missing": ("",),
    }
    assert mapping.statuses == {"Neu": "new", "2": "open", "Fertig": "solved"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rows: change", "rows: changes", "mine.yaml:1: rows: found 'changes', expected one of"),
        ("Fertig: solved", "Fertig: done", "mine.yaml:9: statuses.Fertig: found 'done', expected"),
        ("Europe/Berlin", "Berlin", "mine.yaml:4: time_zone: found 'Berlin', expected an IANA"),
        ("%d.%m.%Y %H:%M", "%d.%m. %H:%M", "mine.yaml:3: time_formats: found '%d.%m. %H:%M'"),
        ('";"', '"; "', "mine.yaml:2: delimiter: found '; '"),
        ('";"', "'\"'", "mine.yaml:2: delimiter: found '\"', expected one character"),
        ("  status: state", "  state: state", "mine.yaml:8: columns.state: unknown key; did you"),
        ("  ticket: id\n", "", "mine.yaml:5: columns: 'ticket' is missing"),
        ("  changed_at: changed\n", "", "columns.changed_at is missing"),
        ("rows: change", "rows: ticket", "columns.created_at is missing"),
        ("Neu: new", "Yes: new", "mine.yaml:9: statuses: YAML reads this word as yes or no"),
        ("[done_on]", "[state]", "'state' is known only afterwards and cannot be columns.status"),
        ("track: [floor]", "reject_statuses: [neu]", "'neu' stands in both statuses and"),
        ("rows: change", "rows: change\nencoding: utf-9", "mine.yaml:2: encoding: found 'utf-9'"),
        ("rows: change", "rows: [", "mine.yaml:3: not valid YAML"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(old: str, new: str, told: str) -> None:
    assert old in GOOD
    assert told in refusal_of(GOOD.replace(old, new, 1))


def test_the_offered_choices_are_listed() -> None:
    told = refusal_of(GOOD.replace("Fertig: solved", "Fertig: done"))
    for choice in ("new", "open", "pending", "on_hold", "solved", "closed"):
        assert f"'{choice}'" in told


def test_every_fault_is_told_at_once() -> None:
    text = GOOD.replace("Neu: new", "Neu: neu").replace("Europe/Berlin", "Berlin")
    assert len(refusal_of(text).splitlines()) == 2


def test_a_mapping_cannot_be_altered() -> None:
    mapping = load_mapping(GOOD, "mine.yaml")
    assert isinstance(mapping, FileMapping)
    with pytest.raises(ValueError, match="frozen"):
        mapping.rows = "ticket"
