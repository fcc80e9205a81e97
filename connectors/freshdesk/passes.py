"""The passes of one pull over all tickets: live, spam, deleted, and once the archive.

Belongs here: in which order what is walked, the stream's cursor. Does not belong here: the walks themselves (`walk`,
`crowd`), what becomes of the rows (`tickets`, `reconcile`).

The archive is in no list: a closed ticket without activity for 120 days can only be asked for by its id. So what the
lists did not give is gone through once, from the newest id down, a part of it with each pull, so that fresh tickets
never wait for old ones. What is archived later was known before.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.contract import Cursor
from connectors.freshdesk.api import PER_PAGE, FreshdeskApi
from connectors.freshdesk.crowd import MOST_SCANNED, read_crowd
from connectors.freshdesk.ids import IdRanges
from connectors.freshdesk.walk import PASSES, Row, Walk, read_by_time, read_walk, row_of

logger = logging.getLogger(__name__)

ARCHIVE = "archive"

SWEPT_PER_PULL = 1_000
"""Ids that one pull asks the archive for at most."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far the ids were gone through that no list gave; `known` are those that one gave."""

    known: IdRanges
    next_id: int | None = None
    """The next id to ask for, going down; None: not begun."""
    is_done: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the cursor keeps it; what is done needs no ids any more."""
        if self.is_done:
            return {"is_done": True}
        return {"known": self.known.to_text(), "next_id": self.next_id, "is_done": False}


@dataclass(slots=True)
class Position:
    """Where the passes stand. `current` is the pass to go on with; None: all are at their end for now."""

    walks: dict[str, Walk]
    current: str | None
    sweep: Sweep

    def to_json(self) -> dict[str, Any]:
        """As the cursor keeps it."""
        return {
            "pass": self.current,
            "walks": {name: walk.to_json() for name, walk in self.walks.items()},
            "sweep": self.sweep.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one step met: rows not known before, of one pass. `is_end`: nothing follows for now."""

    name: str
    rows: Sequence[Row]
    is_end: bool


def read_position(cursor: Cursor | None, start: datetime) -> Position:
    """The position that a cursor holds; its current pass is begun."""
    told = dict(cursor or {})
    walks = {name: read_walk((told.get("walks") or {}).get(name), start) for name in PASSES}
    swept = told.get("sweep") or {}
    sweep = Sweep(
        IdRanges(swept.get("known") or ""), swept.get("next_id"), bool(swept.get("is_done"))
    )
    current = told.get("pass")
    if current in PASSES or current == ARCHIVE:
        return Position(walks, str(current), sweep)
    walks["live"] = walks["live"].begun(start)
    return Position(walks, "live", sweep)


def walk_tickets(
    api: FreshdeskApi,
    position: Position,
    start: datetime,
    *,
    include: str = "",
    with_archive: bool = True,
) -> Iterator[Stretch]:
    """The rows of every pass from `position` on, step by step; `position` moves along.

    Args:
        api: the account.
        position: where to begin.
        start: nothing updated before is read.
        include: what the lists are to bring with each row.
        with_archive: whether ids that no list gave are looked for in the archive.

    Raises:
        RejectedError: a second holds so many tickets that not even their ids can be gone through.
    """
    if not with_archive:
        position.sweep = Sweep(IdRanges(), is_done=True)
    left = SWEPT_PER_PULL
    while position.current is not None:
        name = position.current
        if name == ARCHIVE:
            rows, left = _sweep(api, position, left, start)
        else:
            rows = _walk(api, position, name, start, include)
        yield Stretch(name, rows, position.current is None)


def _walk(
    api: FreshdeskApi, position: Position, name: str, start: datetime, include: str
) -> list[Row]:
    walk = position.walks[name]
    following: Walk | None
    if walk.crowd is None:
        rows, after, following = read_by_time(api, name, walk, include)
    else:
        rows, after, following = read_crowd(api, name, walk, walk.crowd)
    position.walks[name] = after
    if not position.sweep.is_done:
        for row in rows:
            if row.remote_id is not None and row.remote_id.isdigit():
                position.sweep.known.add(int(row.remote_id))
    if following is None:
        names = list(PASSES)
        place = names.index(name) + 1
        if place < len(names):
            position.current = names[place]
            position.walks[names[place]] = position.walks[names[place]].begun(start)
        else:
            position.current = _archive_or_end(api, position)
    return rows


def _archive_or_end(api: FreshdeskApi, position: Position) -> str | None:
    sweep = position.sweep
    if sweep.is_done:
        return None
    if sweep.next_id is None:
        sweep = replace(sweep, next_id=sweep.known.highest)
    position.sweep = sweep
    if (sweep.next_id or 0) - len(sweep.known) > MOST_SCANNED:
        logger.warning(
            "%s: ticket ids go up to %d, too many to look for archived tickets by their ids (at most %d)",
            api.session.label,
            sweep.next_id,
            MOST_SCANNED,
        )
        sweep = replace(sweep, is_done=True)
    if sweep.is_done or not sweep.next_id or next(_unknown(sweep), None) is None:
        # Before the first ticket there is nothing to look for, and nothing is settled either.
        position.sweep = replace(sweep, is_done=bool(sweep.known), next_id=None)
        return None
    return ARCHIVE


def _sweep(
    api: FreshdeskApi, position: Position, left: int, start: datetime
) -> tuple[list[Row], int]:
    """The archived ones among the next ids, and how many more this pull may ask for."""
    sweep = position.sweep
    ids = [number for number, _ in zip(_unknown(sweep), range(min(left, PER_PAGE)), strict=False)]
    # One first: it tells whether the plan has an archive at all.
    bodies = api.each(lambda number: api.archived(str(number)), ids[:1])
    if api.has_archive:
        bodies += api.each(lambda number: api.archived(str(number)), ids[1:])
    left -= len(ids)
    sweep = replace(sweep, next_id=ids[-1] - 1 if ids else 0)
    if not api.has_archive or next(_unknown(sweep), None) is None:
        sweep = replace(sweep, is_done=True)
    position.sweep = sweep
    position.current = ARCHIVE if left > 0 and not sweep.is_done else None
    rows = [row_of(body, "whole") for body in bodies if body is not None]
    return [row for row in rows if row.updated_at is None or row.updated_at >= start], left


def _unknown(sweep: Sweep) -> Iterator[int]:
    """The ids left to ask for, falling."""
    return sweep.known.missing_down(sweep.next_id or 0)
