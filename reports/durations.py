"""How long customers waited: first response and resolution, in calendar and in business time.

Belongs here: durations of conversations. Does not belong here: whether a promise was kept (`sla.py`).
Calendar time is the difference of two instants. Business time is what the ticket's own clock measured by
its calendar; a clock that runs around the clock (24x7) has none and takes no part in it.
"""

from typing import Any

import pandas as pd

from reports.basis import Basis
from reports.figure import Figure, duration
from reports.history import look_up
from reports.period import Period

ALWAYS_OPEN = "24x7"
"""The calendar without closing hours: its clock measures calendar time."""

_STATISTICS: tuple[tuple[str, str, Any], ...] = (
    ("median", "median", 0.5),
    ("p90", "90th percentile", 0.9),
    ("mean", "mean", "mean"),
)

FIRST_RESPONSE = (
    "creation to the first public reply by a person, for tickets whose first reply lies in the period. Never: "
    "automatic messages, bots, private notes. Left out: conversations that an agent began."
)
RESOLUTION = "creation to the first time solved, for tickets first solved in the period; every status counts."
FULL_RESOLUTION = (
    "creation to the last time solved, for tickets whose last solve lies in the period and that are still "
    "solved at its end; every status counts."
)
BUSINESS_RESPONSE = (
    "the first-reply clock's own time by the calendar of its policy, for the same tickets; clocks that run "
    "24x7 are left out."
)
BUSINESS_RESOLUTION = (
    "the resolution clock's own time by the calendar of its policy, pauses left out, for clocks that stopped "
    "in the period; clocks that run 24x7 are left out."
)


ACKNOWLEDGEMENT = (
    "creation to the first message of any kind sent to the customer, the automatic acknowledgement included, "
    "by the acknowledgement clock; for clocks that stopped in the period. No promise hangs on it."
)


def response_figures(basis: Basis, period: Period) -> list[Figure]:
    """Median, 90th percentile and mean of the first response, in calendar and in business time."""
    counted = basis.counted
    replied = counted[_inside(counted["first_reply_at"], period)]
    own = replied[~replied["is_agent_started"]]
    calendar = (own["first_reply_at"] - own["created_at"]).dt.total_seconds()
    clocks = basis.counted_clocks
    clocks = clocks[(clocks["metric"] == "first_reply") & clocks["met_at"].notna()]
    clocks = clocks.drop_duplicates("ticket_key")
    clocks = clocks[clocks["ticket_key"].isin(own["ticket_key"])]
    business = clocks[clocks["calendar"] != ALWAYS_OPEN]
    return _figures(
        "first_response_calendar",
        "First response, calendar time",
        calendar,
        FIRST_RESPONSE,
        {"begun by an agent": int(replied["is_agent_started"].sum())},
    ) + _figures(
        "first_response_business",
        "First response, business time",
        business["elapsed_seconds"],
        BUSINESS_RESPONSE,
        {"clock runs 24x7": len(clocks) - len(business), "no clock": len(own) - len(clocks)},
    )


def acknowledgement_figures(basis: Basis, period: Period) -> list[Figure]:
    """How soon customers heard anything at all; nothing where no policy measures it."""
    clocks = basis.counted_clocks
    clocks = clocks[clocks["metric"] == "acknowledgement"]
    if clocks.empty:
        return []
    own = clocks[_inside(clocks["met_at"], period)]
    return _figures(
        "acknowledgement", "Acknowledgement", own["elapsed_seconds"], ACKNOWLEDGEMENT, {}
    )


def resolution_figures(basis: Basis, period: Period) -> list[Figure]:
    """Median, 90th percentile and mean of first and full resolution (calendar) and of the business clock."""
    created = basis.counted.set_index("ticket_key")["created_at"]
    moves = basis.moves[basis.moves["ticket_key"].isin(created.index)]
    solves = moves[moves["kind"] == "solved"]
    first = solves.drop_duplicates("ticket_key")
    first = first[_inside(first["from_at"], period)]
    before_end = moves[moves["from_at"] < period.end]
    newest = before_end[before_end["kind"].isin(["created", "solved", "reopened", "restored"])]
    newest = newest.drop_duplicates("ticket_key", keep="last")
    last = newest[(newest["kind"] == "solved") & _inside(newest["from_at"], period)]
    clocks = basis.counted_clocks
    clocks = clocks[(clocks["metric"] == "resolution") & _inside(clocks["met_at"], period)]
    business = clocks[clocks["calendar"] != ALWAYS_OPEN]
    return [
        *_figures(
            "first_resolution_calendar",
            "First resolution, calendar time",
            (first["from_at"] - look_up(first["ticket_key"], created)).dt.total_seconds(),
            RESOLUTION,
            {},
        ),
        *_figures(
            "full_resolution_calendar",
            "Full resolution, calendar time",
            (last["from_at"] - look_up(last["ticket_key"], created)).dt.total_seconds(),
            FULL_RESOLUTION,
            {},
        ),
        *_figures(
            "resolution_business",
            "Resolution, business time without pauses",
            business["elapsed_seconds"],
            BUSINESS_RESOLUTION,
            {"clock runs 24x7": len(clocks) - len(business)},
        ),
    ]


def _figures(
    key: str, title: str, values: "pd.Series[Any]", definition: str, excluded: dict[str, int]
) -> list[Figure]:
    seconds = values.to_numpy(dtype=float)
    return [
        duration(f"{key}_{name}", f"{title}, {word}", seconds, how, definition, excluded=excluded)
        for name, word, how in _STATISTICS
    ]


def _inside(instants: "pd.Series[Any]", period: Period) -> "pd.Series[Any]":
    return (instants >= period.start) & (instants < period.end)
