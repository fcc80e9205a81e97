"""What a ticket's status, priority or owner was at an instant, read from its changes.

Belongs here: status segments, moves in and out of the backlog, the value of a field at an instant. Does not
belong here: which tickets count, or any figure.
"""

from typing import Any

import numpy as np
import pandas as pd

ENDED = ("solved", "closed")
"""Statuses in which the work is done."""

GONE = ("deleted", "spam", "merged")
"""Ends outside the service: such a ticket never counts as solved."""

_SEGMENT_COLUMNS = ["ticket_key", "status", "from_at", "order"]


def status_segments(tickets: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """The statuses each ticket went through: ticket_key, status, from_at, order; by ticket and time.

    Every ticket begins open: one that was created in an end (its first change says so) gets a `new` segment
    of no length before it, one of a source that keeps no history begins as `new`. Where the known
    changes do not lead to the ticket's present status, that one begins at `solved_at`, `closed_at` or
    `updated_at`, the first that fits. A change dated before the creation counts from the creation.
    """
    status_changes = changes.loc[
        (changes["field"] == "status") & changes["ticket_key"].isin(tickets["ticket_key"])
    ]
    created = tickets.set_index("ticket_key")["created_at"]
    moves = pd.DataFrame(
        {
            "ticket_key": status_changes["ticket_key"].to_numpy(),
            "status": status_changes["new_value"].to_numpy(),
            "from_at": np.maximum(
                status_changes["occurred_at"].array,
                created.reindex(status_changes["ticket_key"]).array,
            ),
            "order": 2,
        }
    )
    first = _first_statuses(tickets, status_changes)
    missing = _missing_last_moves(tickets, moves, first)
    parts = [part for part in (first, moves, missing) if len(part)]
    if not parts:
        return _empty_segments()
    # pandas infers its own text type from arrays of text; the warehouse's frames hold objects.
    segments = pd.concat(parts, ignore_index=True).astype({"ticket_key": object, "status": object})
    segments = segments.sort_values(["ticket_key", "from_at", "order"], kind="stable")
    return segments.reset_index(drop=True)[_SEGMENT_COLUMNS]


def _empty_segments() -> pd.DataFrame:
    empty = pd.DataFrame({name: pd.Series(dtype=object) for name in _SEGMENT_COLUMNS})
    empty["from_at"] = pd.to_datetime(empty["from_at"], utc=True).astype("datetime64[us, UTC]")
    return empty


def _first_statuses(tickets: pd.DataFrame, status_changes: pd.DataFrame) -> pd.DataFrame:
    earliest = status_changes.drop_duplicates("ticket_key").set_index("ticket_key")["old_value"]
    known = look_up(tickets["ticket_key"], earliest)
    has_changes = tickets["ticket_key"].isin(earliest.index)
    is_end = known.isin(ENDED + GONE)
    status = known.where(has_changes & ~is_end, None).fillna("new")
    is_untouched = ~has_changes & ~tickets["status"].isin(ENDED + GONE)
    status = status.where(~is_untouched, tickets["status"])
    begun = pd.DataFrame(
        {
            "ticket_key": tickets["ticket_key"].to_numpy(),
            "status": status.to_numpy(),
            "from_at": tickets["created_at"].array,
            "order": 0,
        }
    )
    ended = begun[is_end.to_numpy()].assign(status=known[is_end].to_numpy(), order=1)
    return pd.concat([begun, ended], ignore_index=True)


def _missing_last_moves(
    tickets: pd.DataFrame, moves: pd.DataFrame, first: pd.DataFrame
) -> pd.DataFrame:
    """A move into the present status for each ticket whose changes do not lead there."""
    begun = first.drop_duplicates("ticket_key", keep="last").set_index("ticket_key")
    last, last_at = begun["status"].copy(), begun["from_at"].copy()
    if len(moves):
        newest = moves.drop_duplicates("ticket_key", keep="last").set_index("ticket_key")
        last.update(newest["status"])
        last_at.update(newest["from_at"])
    keys = tickets["ticket_key"]
    reached_at = look_up(keys, last_at)
    at = tickets["updated_at"].where(tickets["updated_at"] >= reached_at, reached_at)
    for status, column in (("closed", "closed_at"), ("solved", "solved_at")):
        fits = tickets[column].notna() & (tickets[column] >= reached_at)
        wanted = tickets["status"].isin(ENDED if column == "solved_at" else (status,))
        at = at.where(~(fits & wanted), tickets[column])
    wrong = (look_up(keys, last) != tickets["status"]).to_numpy()
    return pd.DataFrame(
        {
            "ticket_key": keys[wrong].to_numpy(),
            "status": tickets["status"][wrong].to_numpy(),
            "from_at": at[wrong].array,
            "order": 3,
        }
    )


def look_up(keys: "pd.Series[Any]", values: "pd.Series[Any]") -> "pd.Series[Any]":
    """The value of each key, in the type of `values` even when nothing matches (`Series.map` loses it)."""
    return pd.Series(values.reindex(keys.to_numpy()).array, index=keys.index)


def moves_of(segments: pd.DataFrame) -> pd.DataFrame:
    """Each segment with the status before it and its kind of move.

    `kind`: created, solved (open to an end), reopened (from an end to open), removed (open to deleted, spam
    or merged), restored (back from those), other (everything that neither enters nor leaves the backlog).
    """
    moves = segments.copy()
    before = moves.groupby("ticket_key", sort=False)["status"].shift()
    was_done, was_gone = before.isin(ENDED), before.isin(GONE)
    was_open = before.notna() & ~was_done & ~was_gone
    now_done, now_gone = moves["status"].isin(ENDED), moves["status"].isin(GONE)
    now_open = ~now_done & ~now_gone
    moves["before"] = before
    moves["kind"] = np.select(
        [
            before.isna(),
            was_open & now_done,
            was_done & now_open,
            was_open & now_gone,
            was_gone & now_open,
        ],
        ["created", "solved", "reopened", "removed", "restored"],
        default="other",
    )
    return moves


def status_at(segments: pd.DataFrame, instant: pd.Timestamp) -> "pd.Series[Any]":
    """Ticket → status just before the instant; tickets that did not exist yet are left out."""
    before = segments[segments["from_at"] < instant]
    return before.drop_duplicates("ticket_key", keep="last").set_index("ticket_key")["status"]


def value_at(
    changes: pd.DataFrame, field: str, wanted: pd.DataFrame, present: "pd.Series[Any]"
) -> "pd.Series[Any]":
    """The value of a ticket's field at an instant of its own, for each row of `wanted`.

    The last change up to the instant decides; before the first change, what that change says was there; with
    no change at all, the present value.

    Args:
        changes: rows of `ticket_change` in order.
        field: `assignee`, `priority`, …
        wanted: ticket_key and `at` (an instant), with a unique index.
        present: ticket → the value it has now.

    Returns:
        One value a row, under the index of `wanted`.
    """
    own = changes[changes["field"] == field].sort_values("occurred_at", kind="stable")
    first = own.drop_duplicates("ticket_key").set_index("ticket_key")["old_value"]
    key = wanted["ticket_key"]
    result = look_up(key, present).astype(object)
    result = result.where(~key.isin(first.index), look_up(key, first).astype(object))
    rows = wanted[["ticket_key", "at"]].dropna(subset=["at"])
    rows = rows.assign(row=rows.index).sort_values("at", kind="stable")
    if len(rows) and len(own):
        found = pd.merge_asof(
            rows,
            own[["ticket_key", "occurred_at", "new_value"]].assign(is_found=True),
            left_on="at",
            right_on="occurred_at",
            by="ticket_key",
        ).set_index("row")
        hit = found[found["is_found"].eq(True)]
        result.loc[hit.index] = hit["new_value"].astype(object)
    return result.where(result.notna(), None)
