"""First-contact resolution and reopened tickets.

Belongs here: how many replies a solution took, and whether it held. Does not belong here: what customers
said about it (`satisfaction.py`).
"""

from dataclasses import dataclass

import pandas as pd

from reports.basis import Basis
from reports.figure import Figure, count, share
from reports.history import ENDED, look_up
from reports.period import Period

REOPEN_WINDOW = pd.Timedelta(days=7)
"""How long a solution must hold before it counts as first contact (SLA.md)."""

FIRST_CONTACT = (
    "rule strict: tickets first solved in the period with exactly one public reply by a person, in one team, "
    "not reopened within 7 days / tickets first solved in the period whose 7 days are over. Left out: begun "
    "by an agent, solved without any reply (a slice of its own), 7 days not over."
)
REOPEN_RATE = (
    "tickets with at least one move from solved or closed back to open in the period / tickets solved at "
    "least once in the period."
)
ZERO_REPLY = "tickets first solved in the period without any public reply by a person."

SLICES = (
    "one reply, held",
    "one reply, reopened within 7 days",
    "one reply, changed team",
    "two replies",
    "three or more replies",
    "no reply",
    "begun by an agent",
    "7 days not over",
)
"""Into which every ticket first solved in a period falls, exactly one each."""


@dataclass(frozen=True, slots=True)
class Contact:
    """The figures, the slices (slice → tickets) and the reopened tickets, the latest first."""

    first_contact: Figure
    reopen_rate: Figure
    resolved_again_without_reply: Figure
    slices: dict[str, int]
    reopened: pd.DataFrame


def contact(
    basis: Basis, period: Period, goal: float | None = None, reopen_goal: float | None = None
) -> Contact:
    """First contact by the strict rule, and what came back."""
    keys = set(basis.counted["ticket_key"])
    moves = basis.moves[basis.moves["ticket_key"].isin(keys)]
    slices = _slices(basis, moves, period)
    counts = {name: int((slices == name).sum()) for name in SLICES}
    held = counts["one reply, held"]
    left_out = {name: counts[name] for name in ("no reply", "begun by an agent", "7 days not over")}
    inside = moves[(moves["from_at"] >= period.start) & (moves["from_at"] < period.end)]
    solved = inside.loc[inside["kind"] == "solved", "ticket_key"].nunique()
    reopenings = inside[inside["kind"] == "reopened"]
    reopened = _reopened(basis, moves, reopenings)
    return Contact(
        first_contact=share(
            "first_contact",
            "First-contact resolution (strict)",
            held,
            len(slices) - sum(left_out.values()),
            FIRST_CONTACT,
            excluded=left_out,
            goal=goal,
        ),
        reopen_rate=share(
            "reopen_rate",
            "Reopen rate",
            int(reopenings["ticket_key"].nunique()),
            int(solved),
            REOPEN_RATE,
            goal=reopen_goal,
            is_higher_better=False,
        ),
        resolved_again_without_reply=count(
            "reopened_without_reply",
            "Reopenings solved again without a reply",
            int(reopened["is_solved_without_reply"].sum()),
            "reopenings of the period after which the ticket was solved again and no person replied in "
            "between: mostly a customer's thanks.",
        ),
        slices=counts,
        reopened=reopened,
    )


def _slices(basis: Basis, moves: pd.DataFrame, period: Period) -> "pd.Series[str]":
    """Ticket first solved in the period → its slice."""
    first = moves[moves["kind"] == "solved"].drop_duplicates("ticket_key")
    first = first[(first["from_at"] >= period.start) & (first["from_at"] < period.end)]
    solved_at = first.set_index("ticket_key")["from_at"]
    window_end = solved_at + REOPEN_WINDOW
    keys = solved_at.index.to_series()
    replies = basis.replies[basis.replies["ticket_key"].isin(solved_at.index)]
    in_window = replies["created_at"] < look_up(replies["ticket_key"], window_end)
    reply_count = look_up(keys, replies[in_window].groupby("ticket_key").size()).fillna(0)
    back = moves[(moves["kind"] == "reopened") & moves["ticket_key"].isin(solved_at.index)]
    back = back[back["from_at"] < look_up(back["ticket_key"], window_end)]
    agent_started = basis.tickets.set_index("ticket_key")["is_agent_started"]
    slices = pd.Series("one reply, held", index=keys.index, dtype=object)
    slices[reply_count == 2] = "two replies"
    slices[reply_count >= 3] = "three or more replies"
    one = reply_count == 1
    slices[one & keys.isin(_changed_team(basis, solved_at))] = "one reply, changed team"
    slices[one & keys.isin(back["ticket_key"])] = "one reply, reopened within 7 days"
    slices[reply_count == 0] = "no reply"
    slices[window_end > basis.as_of] = "7 days not over"
    slices[look_up(keys, agent_started).eq(True)] = "begun by an agent"
    return slices


def _changed_team(basis: Basis, solved_at: "pd.Series[pd.Timestamp]") -> set[str]:
    """Tickets that went from one team to another before they were first solved; a first assignment is no change."""
    changes = basis.rows.changes
    moved = changes[
        (changes["field"] == "team")
        & changes["old_value"].notna()
        & changes["new_value"].notna()
        & changes["ticket_key"].isin(solved_at.index)
    ]
    before = moved["occurred_at"] <= look_up(moved["ticket_key"], solved_at)
    return set(moved.loc[before, "ticket_key"])


def _reopened(basis: Basis, moves: pd.DataFrame, reopenings: pd.DataFrame) -> pd.DataFrame:
    """The reopenings with their tickets, when each was solved again and whether a person replied meanwhile."""
    following = moves[moves["status"].isin(ENDED)].sort_values("from_at", kind="stable")
    rows = reopenings[["ticket_key", "from_at"]].sort_values("from_at", kind="stable")
    if rows.empty:
        rows = rows.assign(solved_again_at=rows["from_at"], is_solved_without_reply=False)
    else:
        again = following[["ticket_key", "from_at"]].rename(columns={"from_at": "solved_again_at"})
        rows = pd.merge_asof(
            rows,
            again,
            left_on="from_at",
            right_on="solved_again_at",
            by="ticket_key",
            direction="forward",
        )
        replies = basis.replies.sort_values("created_at", kind="stable")
        rows = pd.merge_asof(
            rows,
            replies.rename(columns={"created_at": "next_reply_at"}),
            left_on="from_at",
            right_on="next_reply_at",
            by="ticket_key",
            direction="forward",
        )
        replied = rows["next_reply_at"] <= rows["solved_again_at"]
        rows["is_solved_without_reply"] = rows["solved_again_at"].notna() & ~replied
    names = ["ticket_key", "number", "url", "subject", "organisation_name", "requester_name"]
    rows = rows.merge(basis.tickets[names], on="ticket_key", how="left")
    return rows.sort_values(["from_at", "ticket_key"], ascending=[False, True]).reset_index(
        drop=True
    )
