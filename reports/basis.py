"""What every figure starts from: which tickets count, their statuses over time, replies and decided clocks.

Belongs here: exclusions, the cut at `as_of`, the outcome of each clock instance. Does not belong here: any
period or any figure. The basis is made once a report and read by all figures.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from connectors.warehouse.history import UNDATED
from connectors.warehouse.report_queries import ReportRows
from reports.history import GONE, look_up, moves_of, status_at, status_segments
from transforms.model import utc

COPY_KINDS = ("duplicate_of", "merged_into", "migrated_to")
"""Links that leave a ticket out: it is a second copy of one that counts."""

EXCLUSIONS: dict[str, str] = {
    "duplicate_of": "Duplicate of another ticket",
    "merged_into": "Merged into another ticket",
    "migrated_to": "Copy made by a migration (the original counts)",
    "merged": "Merged (status)",
    "deleted": "Deleted",
    "spam": "Spam",
    "automatic": "Automatic mail only (newsletters, bounces)",
    "undated": "Without any readable date",
}
"""Why a ticket is left out, in the order in which the reasons are tried."""

AT_RISK_SHARE = 0.8
"""Used share of a target from which an open clock is at risk (SLA.md)."""

FIGURE_ONLY = ("acknowledgement",)
"""Metrics that are no promise (SLA.md): an automatic message stops them, so nothing is judged by them."""

SLA_METRICS: dict[str, str] = {
    "first_reply": "First reply",
    "next_reply": "Next reply",
    "resolution": "Resolution",
    "periodic_update": "Periodic update",
    "pausable_update": "Pausable update",
    "agent_work": "Agent work",
    "requester_wait": "Requester wait",
    "agent_wait": "Agent wait",
    "on_hold": "On hold",
    "first_resolution": "First resolution",
    "total_resolution": "Total resolution",
    "close": "Close",
    "acknowledgement": "Acknowledgement",
}
"""Clock metrics in the order in which a report shows them, with their names for people."""


@dataclass(frozen=True, slots=True)
class Basis:
    """The prepared frames of one report.

    `tickets`: every ticket created before `as_of`, with `excluded_as` (None: it counts), `status_then`,
    `is_agent_started`, `first_reply_at`. `moves`: see `history.moves_of`, of all tickets but copies and automatic mail, up to
    `as_of`. `replies`: public human replies of counted tickets. `clocks`: instances of all tickets with
    `outcome`, `decided_at`, `overdue_seconds`, `used_share`, `is_counted`.
    """

    rows: ReportRows
    as_of: pd.Timestamp
    tickets: pd.DataFrame
    moves: pd.DataFrame
    replies: pd.DataFrame
    clocks: pd.DataFrame
    comments: pd.DataFrame

    @property
    def counted(self) -> pd.DataFrame:
        """The tickets that count."""
        return self.tickets[self.tickets["excluded_as"].isna()]

    @property
    def counted_clocks(self) -> pd.DataFrame:
        """The clock instances of tickets that count."""
        return self.clocks[self.clocks["is_counted"]]


def prepare(rows: ReportRows, as_of: datetime) -> Basis:
    """Cuts everything at `as_of`, says which tickets count and how each clock instance stands.

    Args:
        rows: all frames of one client.
        as_of: aware instant; nothing that happened at or after it takes part.

    Raises:
        ValueError: `as_of` is naive.
    """
    cut = pd.Timestamp(utc(as_of))
    tickets = rows.tickets[rows.tickets["created_at"] < cut].reset_index(drop=True)
    copies = _copies(rows.links)
    segments = status_segments(tickets, rows.changes)
    segments = segments[segments["from_at"] < cut]
    status_then = status_at(segments, cut)
    comments = rows.comments[rows.comments["created_at"] < cut]
    replies = _human_replies(comments)
    tickets["status_then"] = look_up(tickets["ticket_key"], status_then).astype(object)
    tickets["excluded_as"] = _exclusions(tickets, copies)
    tickets["is_agent_started"] = _agent_started(tickets, comments)
    tickets["first_reply_at"] = _first_replies(tickets, replies)
    counted = set(tickets.loc[tickets["excluded_as"].isna(), "ticket_key"])
    # Neither copies nor automatic mail were ever work that waited, and of what has no date nobody knows when.
    is_never = tickets["is_automatic"] | _is_undated(tickets)
    never = set(copies) | set(tickets.loc[is_never, "ticket_key"])
    moves = moves_of(segments[~segments["ticket_key"].isin(never)].reset_index(drop=True))
    return Basis(
        rows=rows,
        as_of=cut,
        tickets=tickets,
        moves=moves,
        replies=replies[replies["ticket_key"].isin(counted)].reset_index(drop=True),
        clocks=_judged_clocks(rows.clocks, counted, cut),
        comments=comments,
    )


def _copies(links: pd.DataFrame) -> dict[str, str]:
    """Ticket → why it is a copy. Of a migration it is the new ticket that is left out, else the linked one."""
    found: dict[str, str] = {}
    for kind in COPY_KINDS:
        own = links[links["kind"] == kind]
        column = "other_key" if kind == "migrated_to" else "ticket_key"
        for key in own[column]:
            found.setdefault(key, kind)
    return found


def _is_undated(tickets: pd.DataFrame) -> "pd.Series[Any]":
    return tickets["created_at"] <= pd.Timestamp(UNDATED)


def _exclusions(tickets: pd.DataFrame, copies: dict[str, str]) -> "pd.Series[Any]":
    by_link = tickets["ticket_key"].map(copies).astype(object)
    status = tickets["status_then"]
    by_status = status.where(status.isin(GONE), None)
    reason = by_link.where(by_link.notna(), by_status)
    reason = reason.where(reason.notna() | ~tickets["is_automatic"], "automatic")
    reason = reason.where(reason.notna() | ~_is_undated(tickets), "undated")
    return reason.where(reason.notna(), None)


def _human_replies(comments: pd.DataFrame) -> pd.DataFrame:
    is_reply = (
        (comments["author_kind"] == "agent") & comments["is_public"] & ~comments["is_automatic"]
    )
    return comments.loc[is_reply, ["ticket_key", "created_at"]].reset_index(drop=True)


def _agent_started(tickets: pd.DataFrame, comments: pd.DataFrame) -> "pd.Series[Any]":
    """Whether the conversation began with an agent's own message (outbound)."""
    first = comments.drop_duplicates("ticket_key").set_index("ticket_key")
    started = (first["author_kind"] == "agent") & ~first["is_automatic"]
    return look_up(tickets["ticket_key"], started).eq(True)


def _first_replies(tickets: pd.DataFrame, replies: pd.DataFrame) -> "pd.Series[Any]":
    created = look_up(replies["ticket_key"], tickets.set_index("ticket_key")["created_at"])
    later = replies[replies["created_at"] > created]
    first = later.drop_duplicates("ticket_key").set_index("ticket_key")["created_at"]
    return look_up(tickets["ticket_key"], first)


def _judged_clocks(clocks: pd.DataFrame, counted: set[str], cut: pd.Timestamp) -> pd.DataFrame:
    """Adds the outcome at `cut`: met, breached, open, cancelled or no target; drops what started later.

    A running clock that is past due counts as breached at its due instant, even where the stored row was
    evaluated before that.
    """
    judged = clocks[clocks["started_at"] < cut].reset_index(drop=True)
    state = judged["state"]
    stopped_before = judged["stopped_at"] < cut
    breached_at = judged["breached_at"].where(judged["breached_at"].notna(), judged["due_at"])
    is_breached = (state == "breached") & (breached_at.isna() | (breached_at < cut))
    # A paused clock whose stored due instant is a projection is not past due: its time stands still.
    ran_out = (state == "running") & (judged["due_at"] < cut)
    judged["outcome"] = np.select(
        [
            state == "cancelled",
            judged["target_seconds"].isna() | judged["metric"].isin(FIGURE_ONLY),
            (state == "met") & stopped_before,
            is_breached | ran_out,
        ],
        ["cancelled", "no target", "met", "breached"],
        default="open",
    )
    is_met = judged["outcome"] == "met"
    decided_at = judged["stopped_at"].where(is_met, breached_at)
    judged["decided_at"] = decided_at.where(judged["outcome"].isin(["met", "breached"]))
    over = judged["elapsed_seconds"].astype(float) - judged["target_seconds"].astype(float)
    judged["overdue_seconds"] = over.where((judged["outcome"] == "breached") & (over > 0))
    judged["met_at"] = judged["stopped_at"].where(stopped_before)
    target = judged["target_seconds"].astype(float)
    judged["used_share"] = judged["elapsed_seconds"].astype(float) / target.where(target > 0)
    judged["is_counted"] = judged["ticket_key"].isin(counted)
    return judged
