"""Lanes of the outbox: one per channel and destination, so that one provider's limit never delays another's.

Belongs here: which lane rests, and until when. Does not belong here: the messages (`outbox`).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from connectors.warehouse.bulk import upsert
from connectors.warehouse.tables import rate_budget

_LANE = "deliver"
_EVERY_CLIENT = "*"


@dataclass(frozen=True, slots=True)
class Lane:
    """One channel and destination. Lanes never wait for each other."""

    channel: str
    destination: str


def hold_lane(
    connection: Connection,
    lane: Lane,
    now: datetime,
    until: datetime,
    client_key: str | None = None,
) -> None:
    """Lets a lane rest until the provider's limit has room again; other lanes and clients go on."""
    row = {
        "credential": _lane_name(lane, client_key),
        "endpoint_class": _LANE,
        "remaining": 0,
        "resets_at": until,
        "seen_at": now,
    }
    upsert(connection, rate_budget, [row])


def held_lanes(connection: Connection, now: datetime, client_key: str | None) -> set[Lane]:
    """Lanes that rest at `now` because their provider said so."""
    rows = connection.execute(
        select(rate_budget.c.credential).where(
            rate_budget.c.endpoint_class == _LANE, rate_budget.c.resets_at > now
        )
    )
    names = [row.credential.split(" ", 2) for row in rows]
    return {
        Lane(channel, destination)
        for holder, channel, destination in names
        if holder == (client_key or _EVERY_CLIENT)
    }


def _lane_name(lane: Lane, client_key: str | None) -> str:
    """`CLIENT CHANNEL DESTINATION`; neither of the first two has a blank in it."""
    return f"{client_key or _EVERY_CLIENT} {lane.channel} {lane.destination}"
