"""Rows of an export become histories: every row followed, nothing from later leaking into earlier."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.file_export import RowCount, count_rows, normalise
from transforms.mapping import FileMapping, load_mapping
from transforms.model import Batch, RawRecord, SourceChange

CHANGES = load_mapping(
    """\
rows: change
time_formats: ["%d/%m/%Y %H:%M"]
missing: ["?", ""]
columns:
  {ticket: id, order: n, changed_at: at, created_at: opened, resolved_at: resolved, closed_at: closed,
   status: state, priority: prio, assignee: who, team: team, requester: caller, requester_email: mail,
   category: cat, actor: by, comment: note, description: text, sla_met: kept}
known_afterwards: [resolved, closed, code, kept]
track: [floor]
statuses: {New: new, Active: open, Waiting: pending, Vendor: on_hold, Resolved: solved, Closed: closed}
reject_statuses: ["-100"]
priorities: {1 - Critical: critical, 3 - Moderate: medium}
actor_kind: agent
automatic_actors: [robot]
responded_when: {status: [active]}
""",
    "changes.yaml",
)

TICKETS = load_mapping(
    """\
rows: ticket
columns:
  {ticket: id, created_at: opened, changed_at: at, resolved_at: resolved, closed_at: closed,
   status: state, priority: prio, team: team, tags: tags, organisation: company}
statuses: {New: new, Open: open, Pending: pending, Solved: solved, Closed: closed, Spam: spam}
priorities: {High: high, Low: low}
""",
    "tickets.yaml",
)


def record(number: int, cells: dict[str, Any], ticket: str | None = "T1") -> RawRecord:
    return RawRecord(
        stream="rows",
        remote_id=f"{ticket}:{number}",
        payload=json.dumps(cells).encode(),
        ticket_remote_id=ticket,
        location={"file": "a.csv", "line": number + 2},
    )


def batch_of(mapping: FileMapping, rows: Iterable[dict[str, Any]]) -> Batch:
    return normalise([record(n, cells) for n, cells in enumerate(rows)], mapping)


def row(at: str, state: str, **cells: Any) -> dict[str, Any]:
    return {"id": "T1", "at": f"1/3/2016 {at}", "state": state, "opened": "1/3/2016 08:00"} | cells


def short(changes: Iterable[SourceChange]) -> list[tuple[str, str | None, str | None, str]]:
    return [(c.field, c.old_value, c.new_value, f"{c.occurred_at:%H:%M}") for c in changes]


def at(text: str) -> datetime:
    return datetime.strptime(f"2016-03-01 {text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def test_rows_become_changes_at_their_own_instants() -> None:
    batch = batch_of(
        CHANGES,
        [
            row("08:05", "New", prio="3 - Moderate", who="?", team="Desk", by="Ann", floor="1"),
            row(
                "08:20", "Active", prio="1 - Critical", who="Bob", team="Desk", by="Ann", floor="1"
            ),
            row(
                "08:20", "Active", prio="1 - Critical", who="Bob", team="Desk", by="Ann", floor="1"
            ),
            row("09:00", "Vendor", prio="1 - Critical", who="?", team="Lab", by="Bob", floor="2"),
            row("10:00", "Resolved", prio="1 - Critical", who="?", team="Lab", by="Bob", floor="2"),
            row("23:00", "Closed", prio="1 - Critical", team="Lab", by="robot", floor="2"),
        ],
    )
    (ticket,) = batch.tickets
    assert ticket.created_at == at("08:00")
    assert ticket.updated_at == at("23:00")
    assert (ticket.status, ticket.source_status) == ("closed", "Closed")
    assert (ticket.priority, ticket.source_priority) == ("critical", "1 - Critical")
    assert short(batch.changes) == [
        ("update", None, None, "08:05"),
        ("status", "new", "open", "08:20"),
        ("priority", "medium", "critical", "08:20"),
        ("assignee", None, "Bob", "08:20"),
        ("responded", None, "Active", "08:20"),
        ("update", None, None, "08:20"),
        ("status", "open", "on_hold", "09:00"),
        ("assignee", "Bob", None, "09:00"),
        ("team", "Desk", "Lab", "09:00"),
        ("fields.floor", "1", "2", "09:00"),
        ("status", "on_hold", "solved", "10:00"),
        ("status", "solved", "closed", "23:00"),
    ]
    assert [change.position for change in batch.changes] == list(range(12))
    assert [(c.actor_kind, c.actor_remote_id) for c in batch.changes[-2:]] == [
        ("agent", "Bob"),
        ("bot", "robot"),
    ]
    assert not any(change.is_observed for change in batch.changes)
    assert {person.remote_id for person in batch.people} == {"Ann", "Bob"}
    assert {team.remote_id for team in batch.teams} == {"Desk", "Lab"}


def test_rows_of_one_instant_follow_the_order_column_then_the_line() -> None:
    rows = [
        row("09:00", "Closed", n="3"),
        row("09:00", "New", n="1"),
        row("09:00", "Active", n="2"),
    ]
    statuses = [c.new_value for c in batch_of(CHANGES, rows).changes if c.field == "status"]
    assert statuses == ["open", "closed"]
    rows = [row("09:00", "New"), row("09:00", "Active"), row("09:00", "Waiting")]
    records = [record(n, cells) for n, cells in enumerate(rows)]
    forward, backward = normalise(records, CHANGES), normalise(records[::-1], CHANGES)
    assert [c.new_value for c in forward.changes if c.field == "status"] == ["open", "pending"]
    assert forward.changes == backward.changes


def test_a_ticket_whose_log_begins_solved_was_new_until_then() -> None:
    batch = batch_of(CHANGES, [row("08:30", "Resolved")])
    assert short(batch.changes) == [("status", "new", "solved", "08:30")]


def test_a_creation_after_the_first_change_is_moved_to_it_and_told() -> None:
    batch = batch_of(CHANGES, [row("07:30", "New"), row("09:00", "Active")])
    assert batch.tickets[0].created_at == at("07:30")
    assert [w.rule for w in batch.warnings] == ["created after its first change"]


def test_unknown_words_are_told_once_and_a_missing_status_stays_as_it_was() -> None:
    batch = batch_of(
        CHANGES,
        [
            row("09:00", "New", prio="7 - Odd"),
            row("09:10", "Waiting", prio="7 - Odd"),
            row("09:20", "?", prio="?"),
            row("09:30", "Parked"),
        ],
    )
    assert [(w.rule, w.detail) for w in batch.warnings] == [
        ("unknown priority", "'7 - Odd' counts as none"),
        ("unknown status", "'Parked' counts as open"),
    ]
    assert [c.new_value for c in batch.changes if c.field == "status"] == ["pending", "open"]
    assert batch.tickets[0].source_status == "Parked"
    assert batch.tickets[0].priority is None


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"id": "T1", "state": "New"}, "missing changed_at"),
        ({"id": "T1", "state": "New", "at": "?"}, "missing changed_at"),
        ({"id": "T1", "state": "New", "at": "31/2/2016 10:00"}, "unreadable changed_at"),
        ({"id": "T1", "state": "New", "at": "2016-03-01T10:00"}, "unreadable changed_at"),
        ({"id": "T1", "state": "New", "at": "1/1/1900 00:00"}, "unreadable changed_at"),
        (row("09:00", "-100"), "rejected status"),
        (row("09:00", "New", __extra__=["x"]), "too many fields"),
        (row("09:00", "New", __missing__=["who"]), "too few fields"),
    ],
)
def test_a_row_that_cannot_be_understood_is_rejected_and_the_ticket_goes_on(
    cells: dict[str, Any], reason: str
) -> None:
    records = [record(0, row("09:00", "New")), record(1, cells)]
    batch = normalise(records, CHANGES)
    assert [(r.remote_id, r.reason) for r in batch.rejected] == [("T1:1", reason)]
    assert len(batch.tickets) == 1
    assert count_rows(records, batch) == RowCount(rows=2, in_history=1, rejected=1)


def test_rows_without_ticket_or_sense_are_rejected() -> None:
    records = [
        record(0, row("09:00", "New"), ticket=None),
        RawRecord("rows", "T1:9", b"{broken", ticket_remote_id="T1"),
        RawRecord("rows", "T1:8", b"[1]", ticket_remote_id="T1"),
    ]
    batch = normalise(records, CHANGES)
    reasons = [r.reason for r in batch.rejected]
    assert reasons == ["missing ticket id", "unreadable row", "unreadable row"]
    assert not batch.tickets


def test_empty_cells_beyond_the_header_do_no_harm() -> None:
    assert len(batch_of(CHANGES, [row("09:00", "New", __extra__=["", " "])]).tickets) == 1


def test_what_is_known_only_afterwards_stays_out_until_the_end() -> None:
    known = {"resolved": "1/3/2016 11:00", "closed": "1/3/2016 12:00", "code": "x", "kept": "true"}
    rows = [row("08:10", "New", floor="1", **known), row("11:00", "Resolved", floor="1", **known)]
    (open_ticket,) = batch_of(CHANGES, rows[:1]).tickets
    assert open_ticket.status == "new"
    assert open_ticket.fields == {"floor": "1"}
    (solved,) = batch_of(CHANGES, rows).tickets
    assert solved.fields == {"floor": "1", "code": "x"}
    assert solved.source_verdict == {}
    (closed,) = batch_of(CHANGES, [*rows, row("12:00", "Closed", kept="false", code="x")]).tickets
    assert closed.source_verdict == {"is_sla_met": False}


def test_a_solve_that_the_log_left_out_comes_from_its_column_as_observed() -> None:
    rows = [row("08:10", "Active"), row("12:00", "Closed", resolved="1/3/2016 11:00")]
    batch = batch_of(CHANGES, rows)
    statuses = [change for change in batch.changes if change.field == "status"]
    assert short(statuses) == [
        ("status", "open", "solved", "11:00"),
        ("status", "solved", "closed", "12:00"),
    ]
    assert [change.is_observed for change in statuses] == [True, False]
    assert len({change.remote_id for change in batch.changes}) == len(batch.changes)


@pytest.mark.parametrize("resolved", ["1/3/2016 13:00", "1/3/2016 07:00", "1/3/2016 08:00"])
def test_a_resolved_time_that_does_not_fit_is_told_and_left_out(resolved: str) -> None:
    rows = [row("08:10", "New"), row("08:30", "Active"), row("12:00", "Closed", resolved=resolved)]
    batch = batch_of(CHANGES, rows)
    assert [c.new_value for c in batch.changes if c.field == "status"] == ["open", "closed"]
    assert [w.rule for w in batch.warnings] == ["resolved_at does not fit"]


def test_description_and_comments_become_messages_once() -> None:
    batch = batch_of(
        CHANGES,
        [
            row("08:10", "New", text="=1+1", caller="Eve", mail="Eve@Example.com", by="Ann"),
            row("08:20", "New", text="=1+1", note="on it", mail="Eve@Example.com", by="Ann"),
            row("08:30", "New", text="other", note="on it", mail="Eve@Example.com", by="robot"),
        ],
    )
    assert [
        (c.author_kind, c.text, c.is_public, f"{c.created_at:%H:%M}") for c in batch.comments
    ] == [
        ("customer", "=1+1", True, "08:00"),
        ("agent", "on it", False, "08:20"),
    ]
    (eve,) = [person for person in batch.people if not person.is_agent]
    assert (eve.remote_id, eve.name, eve.emails) == (
        "requester:eve@example.com",
        "Eve",
        ("Eve@Example.com",),
    )
    assert batch.tickets[0].requester_remote_id == eve.remote_id


def test_an_agent_who_asks_is_two_people_of_the_file() -> None:
    batch = batch_of(CHANGES, [row("08:10", "New", caller="Ann", who="Ann")])
    assert {(p.is_agent, p.remote_id) for p in batch.people} == {
        (False, "requester:Ann"),
        (True, "Ann"),
    }


def test_local_times_follow_pep_495_fold_0() -> None:
    berlin = CHANGES.model_copy(update={"time_zone": "Europe/Berlin", "time_formats": ("iso",)})
    rows = [
        {"id": "T1", "state": "New", "at": text}
        for text in ("2016-03-27T02:30", "2016-10-30T02:30", "2016-10-30T02:30+01:00")
    ]
    instants = [c.occurred_at.isoformat() for c in batch_of(berlin, rows).changes]
    assert instants == [
        "2016-03-27T01:30:00+00:00",  # never happened: moved on to 03:30 summer time
        "2016-10-30T00:30:00+00:00",  # happened twice: the first
        "2016-10-30T01:30:00+00:00",  # told with its offset
    ]


def test_epoch_seconds_and_milliseconds() -> None:
    epoch = CHANGES.model_copy(update={"time_formats": ("epoch",)})
    rows = [{"id": "T1", "state": "New", "at": text} for text in ("1456819200", "1456819200500")]
    assert [c.occurred_at for c in batch_of(epoch, rows).changes] == [
        at("08:00"),
        at("08:00") + timedelta(milliseconds=500),
    ]


def ticket_row(**cells: str) -> dict[str, str]:
    return {"id": "T1", "opened": "2016-03-01T08:00Z"} | cells


def test_one_row_per_ticket_tells_created_solved_and_closed() -> None:
    batch = batch_of(
        TICKETS,
        [
            ticket_row(
                state="Closed",
                resolved="2016-03-01T10:00Z",
                closed="2016-03-01T12:00Z",
                at="2016-03-01T13:00Z",
                tags="a, b,,a",
                company="Acme",
            )
        ],
    )
    assert short(batch.changes) == [
        ("status", "new", "solved", "10:00"),
        ("status", "solved", "closed", "12:00"),
    ]
    assert not any(change.is_observed for change in batch.changes)
    (ticket,) = batch.tickets
    assert (ticket.tags, ticket.updated_at) == (("a", "b"), at("13:00"))
    assert [o.name for o in batch.organisations] == ["Acme"]


@pytest.mark.parametrize(
    ("cells", "changes", "rules"),
    [
        ({"state": "Open"}, [("update", None, None, "08:00")], []),
        (
            {"state": "Pending", "at": "2016-03-01T09:00Z"},
            [("status", "new", "pending", "09:00")],
            [],
        ),
        ({"state": "Pending"}, [("update", None, None, "08:00")], ["status without a time"]),
        (
            {"state": "Open", "resolved": "2016-03-01T09:00Z"},
            [("update", None, None, "08:00")],
            ["resolved_at on an open ticket"],
        ),
        (
            {"state": "Solved", "resolved": "2016-03-01T07:00Z"},
            [("status", "new", "solved", "08:00")],
            ["resolved_at before created_at"],
        ),
        (
            {"state": "Spam", "closed": "2016-03-01T09:30Z"},
            [("status", "new", "spam", "09:30")],
            [],
        ),
    ],
)
def test_one_row_per_ticket_claims_no_more_than_its_columns_tell(
    cells: dict[str, str], changes: list[tuple[str, str | None, str | None, str]], rules: list[str]
) -> None:
    batch = batch_of(TICKETS, [ticket_row(**cells)])
    assert short(batch.changes) == changes
    assert [w.rule for w in batch.warnings] == rules


def test_an_end_without_any_time_is_rejected_not_guessed() -> None:
    records = [record(0, ticket_row(state="Solved"))]
    batch = normalise(records, TICKETS)
    assert not batch.tickets
    assert [(r.reason, r.detail) for r in batch.rejected] == [
        (
            "ended without a time",
            "column 'state' says 'Solved' (solved); since when stands in no cell: empty columns 'resolved', "
            "'closed', 'at'",
        )
    ]
    assert count_rows(records, batch).closes


def test_an_end_that_no_column_could_time_is_rejected_with_the_mappings_fault() -> None:
    mapping = load_mapping(
        "rows: ticket\ncolumns: {ticket: id, created_at: opened, status: state}\n"
        "statuses: {New: new, Gone: closed}\n",
        "list.yaml",
    )
    cells = {"id": "T1", "opened": "2016-03-01T08:00Z", "state": "Gone"}
    batch = normalise([record(0, cells)], mapping)
    assert [r.detail for r in batch.rejected] == [
        "column 'state' says 'Gone' (closed); the mapping names no column for the time "
        "(resolved_at, closed_at, changed_at)"
    ]


def test_later_exports_of_a_ticket_give_observed_changes() -> None:
    batch = batch_of(
        TICKETS,
        [
            ticket_row(state="Open", prio="Low", team="A", at="2016-03-01T08:30Z"),
            ticket_row(state="Open", prio="High", team="A", at="2016-03-01T09:00Z"),
            ticket_row(
                state="Solved",
                prio="High",
                team="B",
                resolved="2016-03-01T09:45Z",
                at="2016-03-01T10:00Z",
            ),
        ],
    )
    assert [
        (*entry, c.is_observed)
        for entry, c in zip(short(batch.changes), batch.changes, strict=True)
    ] == [
        ("update", None, None, "08:30", True),
        ("priority", "low", "high", "09:00", True),
        ("status", "open", "solved", "09:45", False),
        ("team", "A", "B", "10:00", True),
    ]


STATES = ("New", "Active", "Waiting", "Vendor", "Resolved", "Closed")
CELLS = st.fixed_dictionaries(
    {
        "minute": st.integers(0, 30),
        "state": st.sampled_from((*STATES, "?", "Odd", "-100")),
        "prio": st.sampled_from(("1 - Critical", "3 - Moderate", "?")),
        "who": st.sampled_from(("Ann", "Bob", "?")),
        "ticket": st.sampled_from(("T1", "T2", None)),
        "at_is_broken": st.booleans(),
    }
)


def as_records(drawn: list[dict[str, Any]]) -> list[RawRecord]:
    """A log as a helpdesk writes it: the end of each ticket is repeated on all of its rows."""
    ends: dict[tuple[str, str], int] = {}
    for cells in drawn:
        if not cells["at_is_broken"]:
            key = (str(cells["ticket"]), cells["state"])
            ends[key] = max(ends.get(key, 0), cells["minute"])
    records = []
    for number, cells in enumerate(drawn):
        columns = {"resolved": "Resolved", "closed": "Closed"}
        known = {
            column: f"1/3/2016 09:{ends[(str(cells['ticket']), state)]:02}"
            for column, state in columns.items()
            if (str(cells["ticket"]), state) in ends
        }
        minute = "broken" if cells["at_is_broken"] else f"09:{cells['minute']:02}"
        named = {name: cells[name] for name in ("prio", "who")}
        records.append(
            record(number, row(minute, cells["state"], **named, **known), cells["ticket"])
        )
    return records


@settings(max_examples=150, deadline=None)
@given(st.lists(CELLS, max_size=12))
def test_every_row_is_in_the_history_or_rejected(drawn: list[dict[str, Any]]) -> None:
    records = as_records(drawn)
    batch = normalise(records, CHANGES)
    count = count_rows(records, batch)
    assert count.closes
    assert count.rows == len(records)
    assert len({change.remote_id for change in batch.changes}) == len(batch.changes)


@settings(max_examples=150, deadline=None)
@given(st.lists(CELLS, max_size=12), st.integers(0, 30))
def test_rows_that_come_later_never_alter_what_came_before(
    drawn: list[dict[str, Any]], minute: int
) -> None:
    records = as_records(drawn)
    until = at(f"09:{minute:02}")
    by_then = [
        r
        for r, cells in zip(records, drawn, strict=True)
        if cells["at_is_broken"] or cells["minute"] <= minute
    ]
    whole, cut = normalise(records, CHANGES), normalise(by_then, CHANGES)
    # Tickets come in the order of their first rows, which may lie later: only the changes are compared.
    kept = [change for change in whole.changes if change.occurred_at <= until]
    assert sorted(kept, key=lambda c: c.remote_id) == sorted(cut.changes, key=lambda c: c.remote_id)
    born = {ticket.remote_id: ticket.created_at for ticket in whole.tickets}
    for ticket in cut.tickets:
        assert ticket.created_at == born[ticket.remote_id]


@settings(max_examples=100, deadline=None)
@given(st.lists(CELLS, max_size=10))
def test_the_history_ends_in_the_present_state(drawn: list[dict[str, Any]]) -> None:
    batch = normalise(as_records(drawn), CHANGES)
    for ticket in batch.tickets:
        values: dict[str, str | None] = {}
        for change in batch.changes:
            if change.ticket_remote_id == ticket.remote_id and change.field != "update":
                assert values.get(change.field, change.old_value) == change.old_value
                values[change.field] = change.new_value
        assert values.get("status", ticket.status) == ticket.status
        assert values.get("priority", ticket.priority) == ticket.priority
        assert values.get("assignee", ticket.assignee_remote_id) == ticket.assignee_remote_id
