"""What customers said: CSAT with its interval, its distribution and the comments.

Belongs here: figures over satisfaction ratings. Does not belong here: anything measured by clocks.
"""

from dataclasses import dataclass

import pandas as pd

from reports.basis import Basis
from reports.figure import Figure, share
from reports.period import Period

CSAT = (
    "ratings of 4 or 5 (of 5) / ratings given in the period, the last one of each ticket; with the Wilson "
    "95% interval."
)
RESPONSE_RATE = "tickets rated in the period / tickets solved at least once in the period."
SATISFIED = 4
"""The lowest score that counts as satisfied (top two of five)."""

SCORES = (5, 4, 3, 2, 1)
"""The scale, best first."""


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """CSAT, its response rate, score → ratings, and the rated tickets, worst and latest first."""

    csat: Figure
    response_rate: Figure
    distribution: dict[int, int]
    rated: pd.DataFrame


def satisfaction(basis: Basis, period: Period, goal: float | None = None) -> Satisfaction:
    """CSAT of the tickets that count."""
    ratings = basis.rows.ratings
    inside = ratings[
        (ratings["kind"] == "csat")
        & (ratings["rated_at"] >= period.start)
        & (ratings["rated_at"] < min(pd.Timestamp(period.end), basis.as_of))
    ]
    counted = inside[inside["ticket_key"].isin(set(basis.counted["ticket_key"]))]
    last = counted.drop_duplicates("ticket_key", keep="last")
    moves = basis.moves
    solved = moves.loc[
        (moves["kind"] == "solved")
        & (moves["from_at"] >= period.start)
        & (moves["from_at"] < period.end)
        & moves["ticket_key"].isin(set(basis.counted["ticket_key"])),
        "ticket_key",
    ].nunique()
    names = [
        "ticket_key",
        "number",
        "url",
        "subject",
        "organisation_name",
        "requester_name",
        "assignee_name",
    ]
    rated = last.merge(basis.tickets[names], on="ticket_key", how="left")
    rated = rated.sort_values(["score", "rated_at"], ascending=[True, False], kind="stable")
    return Satisfaction(
        csat=share(
            "csat",
            "Customer satisfaction (CSAT)",
            int((last["score"] >= SATISFIED).sum()),
            len(last),
            CSAT,
            excluded={
                "earlier ratings of the same ticket": len(counted) - len(last),
                "of tickets that are left out": len(inside) - len(counted),
            },
            goal=goal,
        ),
        response_rate=share(
            "csat_response_rate", "CSAT response rate", len(last), int(solved), RESPONSE_RATE
        ),
        distribution={score: int((last["score"] == score).sum()) for score in SCORES},
        rated=rated.reset_index(drop=True),
    )
