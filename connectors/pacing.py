"""Which limits a call counts against, and how long it has to wait for them.

Belongs here: the budgets of one session and their waiting. Does not belong here: what is left of a limit (`budget`),
what a header says (`budget_headers`), sending (`http`).

Plenty left: a call costs no more than a look at the block in hand. A block is fetched from the store when the last
one is used up or too old, and what was used of it is brought back with the next one.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.budget import Ask, BudgetStore, Limit, MemoryBudgetStore, Settled, Told
from connectors.errors import ConnectorError

logger = logging.getLogger(__name__)

Limits = Mapping[str, Limit] | Callable[[float | None], Mapping[str, Limit]]
"""Endpoint class → its documented limit; or a function of the account's own limit, once that is told (else None)."""

_EPSILON = 1e-6


@dataclass(slots=True)
class _Block:
    """Calls in hand. `flying`: started and not back yet, by a number of their own."""

    name: str
    left: float
    until: float
    used: float = 0.0
    counts_at: float = 0.0
    flying: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class Budget:
    """One limit as one session sees it. Change it under the lock of its `Pacer` only.

    `blocked_until`: nobody calls before (seconds of the session's clock). `remaining`: as the vendor last told.
    """

    endpoint_class: str
    blocked_until: float = 0.0
    seconds_waited: float = 0.0
    remaining: float | None = None
    limit: float | None = None
    cost: dict[str, float] = field(default_factory=dict)
    """Endpoint class → what one call of it costs here, as the vendor last told."""
    block: _Block | None = None
    ended: list[_Block] = field(default_factory=list)
    told: Told | None = None
    """Not brought to the store yet."""


@dataclass(frozen=True, slots=True)
class Started:
    """A call on its way: what to give back when it has ended."""

    number: int
    endpoint_class: str
    at: float
    blocks: tuple[tuple[Budget, _Block], ...]


class Pacer:
    """The budgets that the calls of one session count against; safe for several threads.

    Args:
        credential: names the credential and its host, never a secret itself.
        store: shared with all who use the credential; of this session alone when left out.
        limits: documented limits of endpoint classes.
        account_class: the class whose limit all others count against too, unless `is_apart`.
        time_scale: documented seconds that pass in a real one (1, except with a stand-in).
    """

    def __init__(
        self,
        credential: str,
        *,
        store: BudgetStore | None = None,
        limits: Limits | None = None,
        account_class: str | None = None,
        time_scale: float = 1.0,
    ) -> None:
        """Starts with what is documented; the store may know more."""
        self._credential = credential
        self._store = store or MemoryBudgetStore()
        self._spare = MemoryBudgetStore()
        self._limits = limits or {}
        self._account_class = account_class
        self._time_scale = time_scale
        self._lock = threading.RLock()
        self._budgets: dict[str, Budget] = {}
        self._number = 0

    @property
    def seconds_waited(self) -> float:
        """Seconds waited so far, over all classes."""
        with self._lock:
            return sum(budget.seconds_waited for budget in self._budgets.values())

    def budget(self, endpoint_class: str) -> Budget:
        """The budget of one class."""
        with self._lock:
            return self._budgets.setdefault(endpoint_class, Budget(endpoint_class))

    def limit_of(self, endpoint_class: str) -> Limit:
        """What is documented of a class."""
        limits = self._limits
        if callable(limits):
            account = self.budget(self._account_class).limit if self._account_class else None
            limits = limits(account)
        return limits.get(endpoint_class, Limit())

    def start(self, endpoint_class: str, now: float, *, is_apart: bool = False) -> Started | float:
        """Takes one call out of each budget it counts against, or the instant at which to ask again.

        `is_apart`: the call does not go to the account's host, so it counts against its own class alone.
        """
        with self._lock:
            budgets = [self.budget(endpoint_class)] if is_apart else self._counting(endpoint_class)
            # First all, then take: a call that one limit refuses must cost nothing at another.
            for one in budgets:
                ready_at = self._ready_at(one, endpoint_class, now)
                if ready_at > now:
                    return ready_at
            self._number += 1
            blocks: list[tuple[Budget, _Block]] = []
            for one in budgets:
                block = one.block
                assert block is not None
                cost = self._cost(one, endpoint_class)
                block.left -= cost
                block.used += cost
                block.flying[self._number] = now + self._hold(one)
                blocks.append((one, block))
            return Started(self._number, endpoint_class, now, tuple(blocks))

    def waited(self, endpoint_class: str, seconds: float) -> None:
        """Adds to what is reported as waited for limits."""
        with self._lock:
            self.budget(endpoint_class).seconds_waited += seconds

    def ended(self, started: Started, now: float, general: Told | None, own: Told | None) -> None:
        """The call is back, with what the vendor told of the account's limit and of the class's own."""
        with self._lock:
            for _, block in started.blocks:
                at = block.flying.pop(started.number, None)
                if at is not None:
                    block.counts_at = max(block.counts_at, min(now, at))
            budgets = [budget for budget, _ in started.blocks]
            if general is not None:
                self._learn(budgets[-1], general, started.endpoint_class)
            if own is not None and len(budgets) > 1:
                self._learn(budgets[0], own, started.endpoint_class)

    def refused(self, started: Started, until: float, general: Told | None, now: float) -> None:
        """429: nobody calls before `until`, in no process. Which limit it was, the figures tell; else the class's own."""
        with self._lock:
            budgets = [budget for budget, _ in started.blocks]
            is_account = general is not None and (general.remaining or 0.0) <= 0
            hit = budgets[-1] if is_account and general is not None else budgets[0]
            self._hold_back(hit, until)
            try:
                self._store.block(self._credential, hit.endpoint_class, until, now)
            except ConnectorError as error:
                logger.warning("the shared rate budget cannot be written: %s", error)
            self._spare.block(self._credential, hit.endpoint_class, until, now)

    def pause(self, endpoint_class: str, until: float) -> None:
        """Lets this session's threads wait before they call again (a host in trouble)."""
        with self._lock:
            self._hold_back(self.budget(endpoint_class), until)

    def close(self, now: float) -> None:
        """Gives unused calls back."""
        with self._lock:
            for budget in self._budgets.values():
                if budget.block is not None and budget.block.left > 0 and self._store.share > 0:
                    self._fetch(budget, 0.0, now)

    def _counting(self, endpoint_class: str) -> list[Budget]:
        """The class's own budget first, the account's last."""
        own = self.budget(endpoint_class)
        account = self._account_class
        if account is None or account == endpoint_class or self.limit_of(endpoint_class).is_apart:
            return [own]
        return [own, self.budget(account)]

    def _cost(self, budget: Budget, endpoint_class: str) -> float:
        return budget.cost.get(endpoint_class, 1.0)

    def _window(self, budget: Budget) -> float:
        return self.limit_of(budget.endpoint_class).window_seconds / self._time_scale

    def _hold(self, budget: Budget) -> float:
        return Ask("", 0.0, self._window(budget), 0.0).hold

    def _hold_back(self, budget: Budget, until: float) -> None:
        budget.blocked_until = max(budget.blocked_until, until)
        if budget.block is not None:
            budget.block.until = 0.0

    def _ready_at(self, budget: Budget, endpoint_class: str, now: float) -> float:
        if budget.blocked_until > now + _EPSILON:
            return budget.blocked_until
        cost = self._cost(budget, endpoint_class)
        block = budget.block
        # A block from before the limit was known may be larger than the limit.
        is_blind = budget.limit is None and self.limit_of(budget.endpoint_class).calls is not None
        if block is not None and block.left >= cost and now <= block.until and not is_blind:
            return now
        return self._fetch(budget, cost, now)

    def _fetch(self, budget: Budget, cost: float, now: float) -> float:
        """Brings back what is known and takes a new block; the instant at which to ask again where there is none."""
        if budget.block is not None:
            budget.ended.append(budget.block)
            budget.block = None
        documented = self.limit_of(budget.endpoint_class)
        ask = Ask(
            block=uuid.uuid4().hex[:12],
            now=now,
            window=self._window(budget),
            minimum=cost,
            share=self._store.share if cost else 0.0,
            limit=documented.calls,
            settled=[
                Settled(one.name, one.used, max([one.counts_at, *one.flying.values()]))
                for one in budget.ended
            ],
            told=budget.told,
        )
        try:
            given = self._store.exchange(self._credential, budget.endpoint_class, ask)
        except ConnectorError as error:
            # A limit that cannot be shared for now is no reason to stop: the vendor still says 429.
            logger.warning("the shared rate budget cannot be used: %s", error)
            given = self._spare.exchange(self._credential, budget.endpoint_class, ask)
        budget.ended.clear()
        budget.told = None
        budget.limit = given.limit
        if given.count < cost or not given.count:
            return max(given.ask_again_at, now + _EPSILON)
        budget.block = _Block(ask.block, given.count, given.until)
        return now

    def _learn(self, budget: Budget, told: Told, endpoint_class: str) -> None:
        if told.limit is not None:
            budget.limit = told.limit
        if told.remaining is not None:
            budget.remaining = told.remaining
        if told.used is not None and told.used > 0:
            budget.cost[endpoint_class] = told.used
        if budget.told is None or told.sent_at >= budget.told.sent_at:
            budget.told = told
        # Others use the account too, or it is used up: the block in hand may not be there any more.
        block = budget.block
        if block is not None and told.remaining is not None and told.remaining < block.left:
            block.until = 0.0
