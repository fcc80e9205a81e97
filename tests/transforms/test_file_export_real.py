"""The real incident log: 70,986 rows of 12,438 tickets, against sums that pandas makes by its own way."""

import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from connectors.file_export.layout import FileLayout
from connectors.file_export.mappings import mapping_text
from connectors.file_export.source import FileExportSource
from transforms.file_export import count_rows, normalise
from transforms.mapping import FileMapping, load_mapping
from transforms.model import Batch, RawRecord

pytestmark = pytest.mark.real_data

CANONICAL = {
    "New": "new",
    "Active": "open",
    "Awaiting User Info": "pending",
    "Awaiting Vendor": "on_hold",
    "Awaiting Problem": "on_hold",
    "Awaiting Evidence": "on_hold",
    "Resolved": "solved",
    "Closed": "closed",
}


@pytest.fixture(scope="module")
def log_file(shared_data: Path) -> Path:
    return shared_data / "tickets" / "process" / "uci_incident_events_A.csv.gz"


@pytest.fixture(scope="module")
def mapping() -> FileMapping:
    name, text = mapping_text("uci_incidents", Path())
    return load_mapping(text, name)


@pytest.fixture(scope="module")
def records(log_file: Path, mapping: FileMapping) -> list[RawRecord]:
    source = FileExportSource(log_file, FileLayout(**mapping.layout()))
    started = time.perf_counter()
    found = [record for page in source.pull("rows", None) for record in page.records]
    assert time.perf_counter() - started < 10
    return found


@pytest.fixture(scope="module")
def batch(records: list[RawRecord], mapping: FileMapping) -> Batch:
    started = time.perf_counter()
    made = normalise(records, mapping)
    assert time.perf_counter() - started < 20
    return made


@pytest.fixture(scope="module")
def frame(log_file: Path) -> pd.DataFrame:
    rows = pd.read_csv(log_file, dtype=str, keep_default_na=False)
    for column in ("sys_updated_at", "opened_at"):
        rows[column] = pd.to_datetime(rows[column], format="%d/%m/%Y %H:%M", utc=True)
    rows["status"] = rows["incident_state"].map(CANONICAL)
    rows["modified"] = rows["sys_mod_count"].astype(int)
    rows["line"] = range(len(rows))
    return rows.sort_values(["number", "sys_updated_at", "modified", "line"])


def test_every_row_is_in_the_history(records: list[RawRecord], batch: Batch) -> None:
    count = count_rows(records, batch)
    assert (count.rows, count.in_history, count.rejected) == (70_986, 70_986, 0)
    assert len(batch.tickets) == 12_438
    assert len({change.remote_id for change in batch.changes}) == len(batch.changes)


def test_changes_are_as_many_as_pandas_counts(batch: Batch, frame: pd.DataFrame) -> None:
    found = Counter(change.field for change in batch.changes)
    before = frame.groupby("number")
    is_first = ~frame.duplicated("number")
    changed = {}
    for field, column in {
        "team": "assignment_group",
        "assignee": "assigned_to",
        "category": "category",
        "priority": "priority",
        "requester": "caller_id",
        "channel": "contact_type",
        "fields.subcategory": "subcategory",
        "fields.u_symptom": "u_symptom",
        "fields.impact": "impact",
        "fields.urgency": "urgency",
        "fields.location": "location",
    }.items():
        changed[field] = (frame[column] != before[column].shift()) & ~is_first
    earlier = before["status"].shift().where(~is_first, "new")
    is_begun_open = is_first & frame["status"].isin(["new", "open"])
    changed["status"] = (frame["status"] != earlier) & ~is_begun_open
    expected = {field: int(flags.sum()) for field, flags in changed.items()}
    without = ~pd.concat(changed.values(), axis=1).any(axis=1)
    expected["update"] = int(without.sum())
    assert expected == dict(found)
    # Figures of this very file, so that a change of both sides shows.
    assert (found["status"], found["team"], found["assignee"]) == (32_955, 11_909, 7_120)
    assert (found["priority"], found["update"]) == (238, 25_875)


def test_solved_and_closed_are_the_first_and_last_rows_of_their_kind(
    batch: Batch, frame: pd.DataFrame
) -> None:
    for status, how in (("solved", "first"), ("closed", "last")):
        entered = frame[
            (frame["status"] == status)
            & (frame.groupby("number")["status"].shift().fillna("new") != status)
        ]
        expected = entered.groupby("number")["sys_updated_at"].agg(how).to_dict()
        found = {}
        for change in batch.changes:
            is_entry = change.field == "status" and change.new_value == status
            if is_entry and not (how == "first" and change.ticket_remote_id in found):
                found[change.ticket_remote_id] = pd.Timestamp(change.occurred_at)
        assert found == expected
        assert len(found) == (12_434 if status == "solved" else 12_438)
    assert not any(change.is_observed for change in batch.changes)


def test_tickets_begin_when_opened_and_end_as_their_last_row(
    batch: Batch, frame: pd.DataFrame
) -> None:
    rows = frame.groupby("number")
    opened = rows[["opened_at", "sys_updated_at"]].first().min(axis=1)
    last = rows.last()
    tickets = {ticket.remote_id: ticket for ticket in batch.tickets}
    assert {n: pd.Timestamp(t.created_at) for n, t in tickets.items()} == opened.to_dict()
    assert Counter(ticket.status for ticket in batch.tickets) == {"closed": 12_438}
    assert {n: t.source_priority for n, t in tickets.items()} == last["priority"].to_dict()
    assert {n: t.assignee_remote_id or "?" for n, t in tickets.items()} == last[
        "assigned_to"
    ].to_dict()
    kept = last["made_sla"].map({"true": True, "false": False})
    assert {n: t.source_verdict["is_sla_met"] for n, t in tickets.items()} == kept.to_dict()
    assert [w.rule for w in batch.warnings] == ["created after its first change"] * 3


def test_a_file_cut_at_an_instant_tells_the_same_past(
    records: list[RawRecord], batch: Batch, frame: pd.DataFrame, mapping: FileMapping
) -> None:
    instants = frame.sort_values("line")["sys_updated_at"].tolist()
    for text in ("2016-03-15T12:00Z", "2016-05-01T00:00Z"):
        until = pd.Timestamp(text)
        cut = normalise(
            [r for r, at in zip(records, instants, strict=True) if at <= until], mapping
        )
        assert cut.changes
        assert cut.changes == [c for c in batch.changes if c.occurred_at <= until]
        open_tickets = [t for t in cut.tickets if t.status not in ("solved", "closed")]
        assert open_tickets
        assert not any("closed_code" in t.fields or t.source_verdict for t in open_tickets)
