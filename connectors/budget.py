"""How much of one rate limit is left: the arithmetic, on plain state, and a store for one process.

Belongs here: what is counted, until when, and what a vendor's figures change. Does not belong here: headers
(`budget_headers`), waiting (`pacing`), the store of all workers (`connectors.warehouse.rate_budget`).

Nobody documents whether a window is fixed or slides, so calls are counted over the window that ends now: that is
within the limit either way. Two lower bounds of what is left are known, and the larger one holds:

- the limit, less our own calls of the last window, less what others were seen to use;
- the vendor's last "remaining", less every call that may have come after it.

A call counts from the latest instant at which it can have reached the vendor. All instants are seconds of one clock.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

HOLD_SHARE = 0.01
"""For how much of a window a block of calls may be held, and how late a call counts at most."""

_MERGE_SHARE = 0.005
_FOREIGN_SHARE = 0.02
_KEPT_WINDOWS = 1.5
_MANY_ENTRIES = 64
_UNKNOWN_SHARE = 10.0
"""Calls that a worker takes at once where no limit is known."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limit:
    """A documented limit of one class of endpoints.

    Args:
        calls: how many in a window; None: not known before the vendor tells.
        window_seconds: documented seconds.
        header: the response header that tells this limit (`total=…; remaining=…; resets=…`).
        is_apart: the class has a counter of its own and is not counted against the account's.
    """

    calls: float | None = None
    window_seconds: float = 60.0
    header: str | None = None
    is_apart: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What a vendor said of a limit in its answer to a call sent at `sent_at`. None: not said.

    `used` is what that call itself cost, `reset_at` when at least one call more fits.
    """

    sent_at: float
    limit: float | None = None
    remaining: float | None = None
    reset_at: float | None = None
    used: float | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a block: how many calls were made of it, and the latest instant at which one counts."""

    block: str
    used: float
    counts_at: float


@dataclass(frozen=True, slots=True)
class Ask:
    """What a worker brings to the store (settled blocks, the vendor's last words) and what it wants."""

    block: str
    now: float
    window: float
    minimum: float
    share: float = 0.0
    """How much of the limit to take at once, where plenty remains; the minimum at least."""
    limit: float | None = None
    """The documented limit, until the vendor tells another one."""
    settled: Sequence[Settled] = ()
    told: Told | None = None

    @property
    def hold(self) -> float:
        """For how long a block may be used."""
        return self.window * HOLD_SHARE

    def shifted(self, by: float) -> "Ask":
        """The same on another clock."""
        told = self.told
        if told is not None:
            reset_at = None if told.reset_at is None else told.reset_at + by
            told = replace(told, sent_at=told.sent_at + by, reset_at=reset_at)
        settled = [replace(one, counts_at=one.counts_at + by) for one in self.settled]
        return replace(self, now=self.now + by, settled=settled, told=told)


@dataclass(frozen=True, slots=True)
class Given:
    """The store's answer: `count` calls that may start before `until`, or none and when to ask again."""

    count: float
    until: float
    ask_again_at: float = 0.0
    limit: float | None = None

    def shifted(self, by: float) -> "Given":
        """The same on another clock."""
        return replace(self, until=self.until + by, ask_again_at=self.ask_again_at + by)


@dataclass(slots=True)
class BudgetState:
    """All that is known of one limit, by everybody who shares it."""

    limit: float | None = None
    """The one in force: as the vendor told it, else as documented by whoever asked last."""
    told_limit: float | None = None
    spent: list[tuple[float, float]] = field(default_factory=list)
    """(counts from, calls), oldest first."""
    open: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Blocks in somebody's hands: (counts from at the latest, calls)."""
    told: Told | None = None
    foreign: float = 0.0
    """Calls of others that the vendor counted, until `foreign_until`."""
    foreign_until: float = 0.0
    blocked_until: float = 0.0
    promised_at: float | None = None
    """When the vendor said that a call fits, whatever we counted; one call uses it up."""

    def block(self, until: float) -> None:
        """Lets nobody call before an instant (`Retry-After`); the vendor takes one call then."""
        if until >= self.blocked_until:
            self.blocked_until = until
            self.promised_at = until

    def exchange(self, ask: Ask) -> Given:
        """Takes in what a worker brings and gives it as many calls as fit."""
        # A worker that has not heard of the limit yet must not undo what another one knows.
        self.limit = self.told_limit or ask.limit or self.limit
        self._settle(ask)
        if ask.told is not None:
            self._learn(ask.told, ask.window)
        if ask.now < self.blocked_until:
            return Given(0, 0, self.blocked_until, self.limit)
        minimum = ask.minimum if self.limit is None else min(ask.minimum, self.limit)
        free = self._free(ask.now, ask.window)
        share = (
            _UNKNOWN_SHARE if self.limit is None and ask.share else ask.share * (self.limit or 0)
        )
        count = min(free, max(minimum, share // 1))
        if count < minimum:
            if not self._use_promise(ask.now):
                return Given(0, 0, self._next_event(ask.now, ask.window), self.limit)
            count = minimum
        elif self.promised_at is not None and ask.now >= self.promised_at:
            self.promised_at = None
        until = ask.now + ask.hold
        self.open[ask.block] = (until + ask.hold, count)
        return Given(count, until, limit=self.limit)

    def remaining(self, now: float, window: float) -> float | None:
        """How many calls are left now; None: no limit is known."""
        free = self._free(now, window)
        return None if free == float("inf") else max(0.0, free)

    def _settle(self, ask: Ask) -> None:
        for one in ask.settled:
            self.open.pop(one.block, None)
            if one.used > 0:
                self.spent.append((one.counts_at, one.used))
        # A block whose worker died counts as used.
        for block, (at, count) in list(self.open.items()):
            if at + ask.window < ask.now or count <= 0:
                del self.open[block]
        kept_from = ask.now - _KEPT_WINDOWS * ask.window
        kept = sorted(one for one in self.spent if one[0] > kept_from)
        self.spent = _merged(kept, ask.window * _MERGE_SHARE) if len(kept) > _MANY_ENTRIES else kept

    def _learn(self, told: Told, window: float) -> None:
        if told.limit is not None and told.limit > 0:
            self.limit = self.told_limit = told.limit
        if told.remaining is None or (self.told and told.sent_at < self.told.sent_at):
            return
        self.told = told
        self.foreign = 0.0
        if self.limit is None:
            return
        unexplained = self.limit - self._counted(told.sent_at, window) - told.remaining
        if unexplained > max(1.0, self.limit * _FOREIGN_SHARE):
            self.foreign = unexplained
            self.foreign_until = told.reset_at or told.sent_at + window

    def _counted(self, at: float, window: float) -> float:
        """Our calls that may stand in the vendor's window at an instant."""
        spent = sum(count for since, count in self.spent if since + window > at)
        return spent + sum(count for since, count in self.open.values() if since + window > at)

    def _free(self, now: float, window: float) -> float:
        free = float("inf")
        if self.limit is not None:
            free = self.limit - self._counted(now, window)
            if now < self.foreign_until:
                free -= self.foreign
        told = self.told
        if told is None or told.remaining is None:
            return free
        if self.limit is None and told.reset_at is None:
            return free
        is_fresh = now < (told.reset_at or told.sent_at + window / 2)
        if not is_fresh:
            return free
        since = sum(count for at, count in self.spent if at >= told.sent_at)
        since += sum(count for at, count in self.open.values() if at >= told.sent_at)
        by_vendor = told.remaining - since
        return by_vendor if self.limit is None else max(free, by_vendor)

    def _use_promise(self, now: float) -> bool:
        if self.promised_at is not None and now >= self.promised_at:
            self.promised_at = None
            return True
        told = self.told
        if told is not None and told.reset_at is not None and now >= told.reset_at:
            # Used up: the answer to this call tells anew.
            self.told = None
            return True
        return False

    def _next_event(self, now: float, window: float) -> float:
        events = [at + window for at, _ in self.spent]
        events += [at + window for at, _ in self.open.values()]
        events += [self.foreign_until]
        if self.promised_at is not None:
            events.append(self.promised_at)
        if self.told is not None and self.told.reset_at is not None:
            events.append(self.told.reset_at)
        return min((event for event in events if event > now), default=now + window * HOLD_SHARE)


def _merged(entries: Sequence[tuple[float, float]], grid: float) -> list[tuple[float, float]]:
    """Fewer entries: those of one cell of the grid count from the latest of them."""
    merged: list[tuple[float, float]] = []
    for at, count in entries:
        if merged and at // grid == merged[-1][0] // grid:
            merged[-1] = (at, merged[-1][1] + count)
        else:
            merged.append((at, count))
    return merged


class BudgetStore(Protocol):
    """Where budgets live, by (credential, endpoint class); shared by all who are given the same one."""

    share: float
    """How much of a limit a worker takes at once, so that it need not come back for each call."""

    def exchange(self, credential: str, endpoint_class: str, ask: Ask) -> Given:
        """See `BudgetState.exchange`."""
        ...

    def block(self, credential: str, endpoint_class: str, until: float, now: float) -> None:
        """See `BudgetState.block`; `now` is the caller's clock."""
        ...


class MemoryBudgetStore:
    """Budgets of one process."""

    share = 0.0

    def __init__(self) -> None:
        """Starts with nothing known."""
        self._lock = threading.Lock()
        self._states: dict[tuple[str, str], BudgetState] = {}

    def exchange(self, credential: str, endpoint_class: str, ask: Ask) -> Given:
        """See `BudgetStore`."""
        return self._with(credential, endpoint_class, lambda state: state.exchange(ask))

    def block(self, credential: str, endpoint_class: str, until: float, now: float) -> None:
        """See `BudgetStore`."""
        self._with(credential, endpoint_class, lambda state: state.block(until))

    def _with(
        self, credential: str, endpoint_class: str, do: Callable[[BudgetState], Result]
    ) -> Result:
        with self._lock:
            state = self._states.setdefault((credential, endpoint_class), BudgetState())
            return do(state)
