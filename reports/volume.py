"""How many tickets came in and were solved, and from where they came.

Belongs here: counts of tickets by source and channel. Does not belong here: the backlog's identity.
"""

import pandas as pd

from reports.basis import EXCLUSIONS, Basis
from reports.figure import Figure, count
from reports.period import Period

CREATED = "tickets created in the period, without copies, deleted ones and spam."
SOLVED = "tickets solved at least once in the period, without copies, deleted ones and spam; a ticket counts once."


def volume_figures(basis: Basis, period: Period) -> list[Figure]:
    """Tickets created and tickets solved in the period."""
    created = created_in(basis, period)
    everything = basis.tickets
    all_created = everything[_inside(everything, period)]
    moves = basis.moves
    solved = moves[
        (moves["kind"] == "solved")
        & (moves["from_at"] >= period.start)
        & (moves["from_at"] < period.end)
        & moves["ticket_key"].isin(set(basis.counted["ticket_key"]))
    ]
    return [
        count(
            "created",
            "Tickets created",
            len(created),
            CREATED,
            excluded={
                EXCLUSIONS[str(k)].lower(): int(v)
                for k, v in all_created["excluded_as"].value_counts().items()
            },
        ),
        count("solved", "Tickets solved", int(solved["ticket_key"].nunique()), SOLVED),
    ]


def created_in(basis: Basis, period: Period) -> pd.DataFrame:
    """The tickets that count and were created in the period."""
    counted = basis.counted
    return counted[_inside(counted, period)]


def volume_by_source(basis: Basis, period: Period) -> pd.DataFrame:
    """Source, channel, created, created in the period before, solved among them; the largest first."""
    now = created_in(basis, period)
    before = created_in(basis, period.previous())
    keys = ["source_key", "channel"]
    table = pd.DataFrame(
        {
            "created": now.groupby(keys).size(),
            "created_before": before.groupby(keys).size(),
            "ended": now[now["status_then"].isin(["solved", "closed"])].groupby(keys).size(),
        }
    )
    table = table.fillna(0).astype(int).reset_index()
    return table.sort_values(
        ["created", "source_key", "channel"], ascending=[False, True, True], kind="stable"
    ).reset_index(drop=True)


def _inside(tickets: pd.DataFrame, period: Period) -> "pd.Series[bool]":
    return (tickets["created_at"] >= period.start) & (tickets["created_at"] < period.end)
