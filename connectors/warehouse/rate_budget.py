"""Rate budgets in the warehouse: one for all processes that share a credential.

Belongs here: rows of `rate_budget`, one short transaction an exchange. Does not belong here: what fits into a limit
(`connectors.budget`), waiting (`connectors.pacing`).

A process comes here for a block of calls, not for each one. Its own clock is the monotonic one; rows hold seconds since
1970, so workers on several machines have to keep the time by the second, as any server does.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connectors.budget import Ask, BudgetState, Given, Told
from connectors.warehouse.engine import writing
from connectors.warehouse.tables import rate_budget

Result = TypeVar("Result")

BLOCK_SHARE = 0.05
"""How much of a limit one process takes at once. Two of them lose at most so much to each other at the very end."""


class SqlBudgetStore:
    """`connectors.budget.BudgetStore` over a warehouse; safe for threads and processes."""

    share = BLOCK_SHARE

    def __init__(self, engine: Engine, wall_seconds: Callable[[], float] = time.time) -> None:
        """Works on a prepared warehouse; `wall_seconds` gives seconds since 1970."""
        self._engine = engine
        self._wall_seconds = wall_seconds

    def exchange(self, credential: str, endpoint_class: str, ask: Ask) -> Given:
        """Takes in what a worker brings and gives it a block of calls, or when to ask again.

        Raises:
            ConnectorError: the warehouse cannot be used now.
        """

        def do(state: BudgetState, offset: float, wall: float) -> Given:
            present = replace(ask.shifted(offset), now=wall)
            return state.exchange(present).shifted(-offset)

        return self._with(credential, endpoint_class, ask.now, do)

    def block(self, credential: str, endpoint_class: str, until: float, now: float) -> None:
        """Lets nobody call before `until` (the caller's clock, which shows `now`).

        Raises:
            ConnectorError: the warehouse cannot be used now.
        """
        self._with(
            credential, endpoint_class, now, lambda state, offset, _: state.block(until + offset)
        )

    def _with(
        self,
        credential: str,
        endpoint_class: str,
        now: float,
        do: Callable[[BudgetState, float, float], Result],
    ) -> Result:
        """Runs `do` on (state, our clock less the caller's, the present by ours) under the row's lock."""
        offset = self._wall_seconds() - now
        table = rate_budget
        key = (table.c.credential == credential, table.c.endpoint_class == endpoint_class)
        with writing(self._engine) as connection:
            kind: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
            query = select(table.c.state).where(*key).with_for_update()
            row = connection.execute(query).one_or_none()
            if row is None:
                new = kind.insert(table).values(
                    credential=credential, endpoint_class=endpoint_class
                )
                connection.execute(new.on_conflict_do_nothing())
                row = connection.execute(query).one()
            state = _state_of(row.state)
            # The present is that under the lock, which may have been waited for.
            wall = self._wall_seconds()
            result = do(state, offset, wall)
            connection.execute(update(table).where(*key).values(_row_of(state, wall)))
        return result


def _state_of(stored: Mapping[str, Any] | None) -> BudgetState:
    if not stored:
        return BudgetState()
    told = stored.get("told")
    return BudgetState(
        **{
            **stored,
            "spent": [(at, count) for at, count in stored["spent"]],
            "open": {block: (at, count) for block, (at, count) in stored["open"].items()},
            "told": Told(**told) if told else None,
        }
    )


def _row_of(state: BudgetState, wall: float) -> dict[str, Any]:
    told = state.told
    return {
        "limit_per_window": _whole(state.limit),
        "remaining": _whole(told.remaining if told else None),
        "resets_at": _instant(max(state.blocked_until, (told and told.reset_at) or 0.0)),
        "seen_at": _instant(wall),
        "state": asdict(state),
    }


def _whole(number: float | None) -> int | None:
    return None if number is None or not math.isfinite(number) else int(number)


def _instant(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 1e11 else None
