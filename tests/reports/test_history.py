"""Statuses over time: where histories are whole, partial or missing."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.warehouse.report_queries import instants
from reports.history import ENDED, GONE, moves_of, status_at, status_segments, value_at
from transforms.model import STATUSES

START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def tickets(*rows: tuple[str, str, float, float, float | None]) -> pd.DataFrame:
    """(key, status, created, updated, solved) with instants in hours."""
    frame = pd.DataFrame(
        [
            (k, s, hours(c), hours(u), None if d is None else hours(d), None)
            for k, s, c, u, d in rows
        ],
        columns=["ticket_key", "status", "created_at", "updated_at", "solved_at", "closed_at"],
        dtype=object,
    )
    for name in ("created_at", "updated_at", "solved_at", "closed_at"):
        frame[name] = instants(frame[name])
    return frame


def changes(*rows: tuple[str, str, str | None, str | None, float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(k, f, o, n, hours(at)) for k, f, o, n, at in rows],
        columns=["ticket_key", "field", "old_value", "new_value", "occurred_at"],
        dtype=object,
    )
    frame["occurred_at"] = instants(frame["occurred_at"])
    return frame


def kinds(ticket_rows: pd.DataFrame, change_rows: pd.DataFrame) -> list[tuple[str, float]]:
    moves = moves_of(status_segments(ticket_rows, change_rows))
    return [
        (row.kind, (row.from_at - pd.Timestamp(START)).total_seconds() / 3_600)
        for row in moves.itertuples()
        if row.kind != "other"
    ]


@pytest.mark.parametrize(
    ("ticket", "history", "expected"),
    [
        pytest.param(("a", "open", 0, 0, None), [], [("created", 0)], id="never changed"),
        pytest.param(
            ("a", "solved", 0, 9, 5),
            [],
            [("created", 0), ("solved", 5)],
            id="no history, solved_at known",
        ),
        pytest.param(
            ("a", "solved", 0, 9, None),
            [],
            [("created", 0), ("solved", 9)],
            id="no history, only updated_at",
        ),
        pytest.param(
            ("a", "spam", 0, 9, None), [], [("created", 0), ("removed", 9)], id="no history, spam"
        ),
        pytest.param(
            ("a", "solved", 0, 9, 3),
            [("a", "status", "solved", "open", 5), ("a", "status", "open", "solved", 6)],
            [("created", 0), ("solved", 0), ("reopened", 5), ("solved", 6)],
            id="created as solved",
        ),
        pytest.param(
            ("a", "solved", 5, 9, 6),
            [("a", "status", "new", "solved", 2)],
            [("created", 5), ("solved", 5)],
            id="a change before the creation counts from the creation",
        ),
        pytest.param(
            ("a", "open", 0, 9, None),
            [("a", "status", "open", "deleted", 2), ("a", "status", "deleted", "open", 4)],
            [("created", 0), ("removed", 2), ("restored", 4)],
            id="deleted and restored",
        ),
        pytest.param(
            ("a", "closed", 0, 9, 3),
            [("a", "status", "new", "solved", 3), ("a", "status", "solved", "closed", 8)],
            [("created", 0), ("solved", 3)],
            id="closing what is solved is no second solution",
        ),
    ],
)
def test_moves(ticket, history, expected) -> None:
    assert kinds(tickets(ticket), changes(*history)) == expected


def test_status_and_values_just_before_an_instant() -> None:
    own = tickets(("a", "solved", 0, 9, 5), ("b", "open", 6, 6, None))
    segments = status_segments(own, changes(("a", "status", "new", "solved", 5)))
    assert status_at(segments, pd.Timestamp(hours(5))).to_dict() == {"a": "new"}
    assert status_at(segments, pd.Timestamp(hours(7))).to_dict() == {
        "a": "solved",
        "b": "open",
    }
    wanted = pd.DataFrame(
        {"ticket_key": ["a", "a", "b"], "at": instants([hours(1), hours(4), hours(9)])}
    )
    wanted["ticket_key"] = wanted["ticket_key"].astype(object)
    moved = changes(("a", "assignee", "x", "y", 2), ("a", "assignee", "y", None, 8))
    present = pd.Series({"a": None, "b": "z"}, dtype=object)
    assert value_at(moved, "assignee", wanted, present).tolist() == ["x", "y", "z"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(STATUSES),
            st.integers(0, 50),
            st.integers(0, 50),
            st.lists(
                st.tuples(st.sampled_from(STATUSES), st.sampled_from(STATUSES), st.integers(0, 60)),
                max_size=5,
            ),
        ),
        max_size=6,
    ),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_the_backlog_identity_holds_for_any_history(histories, one: int, other: int) -> None:
    rows, moved = [], []
    for number, (status, created, later, steps) in enumerate(histories):
        rows.append((f"t{number}", status, created, created + later, None))
        moved += [
            (f"t{number}", "status", o, n, at) for o, n, at in sorted(steps, key=lambda s: s[2])
        ]
    segments = status_segments(tickets(*rows), changes(*moved))
    moves = moves_of(segments)
    start, end = (pd.Timestamp(hours(h)) for h in sorted((one, other)))

    def open_at(instant: pd.Timestamp) -> int:
        return int((~status_at(segments, instant).isin(ENDED + GONE)).sum())

    inside = moves.loc[(moves["from_at"] >= start) & (moves["from_at"] < end), "kind"]
    counts = inside.value_counts().to_dict()
    gained = sum(counts.get(kind, 0) for kind in ("created", "reopened", "restored"))
    lost = sum(counts.get(kind, 0) for kind in ("solved", "removed"))
    assert open_at(start) + gained - lost == open_at(end)
    assert (moves["kind"] == "created").sum() == len(rows)
    for key, status in zip([r[0] for r in rows], [r[1] for r in rows], strict=True):
        assert segments[segments["ticket_key"] == key]["status"].iloc[-1] == status
