"""When a clock starts and stops: a ticket's history cut into cycles, per metric.

Belongs here: starts, stops, reopenings and cancellations. Does not belong here: targets, calendars,
elapsed time (`clocks.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sla_rules.history import History, Message, Moment
from sla_rules.metrics import METRICS, SOLVED_STATUSES
from sla_rules.policy import Rules
from transforms.model import END_STATUSES


@dataclass(slots=True)
class Cycle:
    """One run of a clock. `stop` None: it has not stopped. Seconds are epoch seconds.

    The indices are those of the events that start and stop it; `is_cancelled` says that a merge, a
    deletion or spam ended it.
    """

    instance: int
    start: int
    start_index: int
    stop: int | None = None
    stop_index: int | None = None
    is_cancelled: bool = False
    why_stopped: str = ""


def cycles_of(metric: str, history: History, rules: Rules) -> list[Cycle]:
    """The cycles of a metric in a history, in order, numbered from 1."""
    kind = METRICS[metric].kind
    if kind == "message":
        return _MESSAGE_CYCLES[metric](history, rules)
    if kind == "work":
        return _work_cycles(history, rules, SOLVED_STATUSES, rules.reopen)
    if kind == "once":
        return _work_cycles(history, rules, SOLVED_STATUSES, "first_only")
    if kind == "whole":
        return _work_cycles(history, rules, SOLVED_STATUSES, "resume_include_solved")
    return _work_cycles(history, rules, frozenset({"closed"}), "resume_include_solved")


def statuses_left_out(metric: str, rules: Rules) -> frozenset[str]:
    """Statuses that a metric's cycles never count, beside those that pause it."""
    if METRICS[metric].kind == "work" and rules.reopen != "resume_include_solved":
        return END_STATUSES | SOLVED_STATUSES
    return END_STATUSES


def _work_cycles(history: History, rules: Rules, stops: frozenset[str], reopen: str) -> list[Cycle]:
    cycle = Cycle(1, history.start, 0)
    found = [cycle]
    for moment in history.moments:
        if moment.status in END_STATUSES:
            _end(cycle, moment, rules)
        elif moment.status in stops:
            _stop(cycle, moment, moment.status)
        elif cycle.is_cancelled:
            _resume(cycle)
        elif cycle.stop is not None:
            if reopen == "first_only":
                break
            if reopen == "new_cycle":
                cycle = Cycle(cycle.instance + 1, moment.second, moment.index)
                found.append(cycle)
            else:
                _resume(cycle)
    return found


def _first_reply(history: History, rules: Rules) -> list[Cycle]:
    def answers(message: Message) -> bool:
        return message.actor_kind == "agent" and message.is_after_start

    return [_from_creation(history, rules, answers, "first public reply")]


def _acknowledgement(history: History, rules: Rules) -> list[Cycle]:
    def answers(message: Message) -> bool:
        return message.actor_kind in ("agent", "bot", "bridge")

    return [_from_creation(history, rules, answers, "first message to the customer")]


def _from_creation(
    history: History, rules: Rules, answers: Callable[[Message], bool], why: str
) -> Cycle:
    """The one cycle from creation to the first message that answers, or to solved without one."""
    cycle = Cycle(1, history.start, 0)
    for step in _steps(history):
        if isinstance(step, Message):
            if not cycle.is_cancelled and answers(step):
                _stop(cycle, step, why)
        elif step.status in END_STATUSES:
            _end(cycle, step, rules)
        elif step.status in SOLVED_STATUSES:
            _stop(cycle, step, f"{step.status} without a reply")
        elif cycle.is_cancelled:
            _resume(cycle)
        if cycle.stop is not None and not cycle.is_cancelled:
            break
    return cycle


def _next_reply(history: History, rules: Rules) -> list[Cycle]:
    """Cycles from the oldest unanswered customer comment, once the first reply's clock has stopped.

    A comment on a solved ticket waits for an answer only once the ticket is reopened, and then from the
    comment on: many helpdesks leave a ticket solved after a word of thanks.
    """
    found: list[Cycle] = []
    current: Cycle | None = None
    waiting: Message | None = None
    had_reply = is_solved = is_ended = False
    for step in _steps(history):
        if isinstance(step, Message):
            if is_ended:
                continue
            if step.actor_kind == "agent":
                had_reply = had_reply or step.is_after_start
                waiting = None
                if current is not None:
                    _stop(current, step, "public reply")
                    current = None
            elif step.actor_kind == "customer" and had_reply and current is None:
                waiting = waiting or step
        elif step.status in END_STATUSES:
            is_ended, waiting = True, None
            if current is not None:
                _end(current, step, rules)
        elif step.status in SOLVED_STATUSES:
            waiting = waiting if is_solved else None
            had_reply = is_solved = True
            if current is not None:
                _stop(current, step, step.status)
                current = None
        else:
            is_solved = is_ended = False
            current = _restored(current)
        if waiting is not None and not is_solved and current is None:
            current = Cycle(len(found) + 1, waiting.second, waiting.index)
            found.append(current)
            waiting = None
    return found


def _updates(history: History, rules: Rules) -> list[Cycle]:
    """Cycles from each public agent comment to the next one, or to solved."""
    found: list[Cycle] = []
    current: Cycle | None = None
    is_solved = is_ended = False
    for step in _steps(history):
        if isinstance(step, Message):
            if is_ended or step.actor_kind != "agent":
                continue
            if current is not None:
                _stop(current, step, "next public comment")
                current = None
            if not is_solved:
                current = Cycle(len(found) + 1, step.second, step.index)
                found.append(current)
        elif step.status in END_STATUSES:
            is_ended = True
            if current is not None:
                _end(current, step, rules)
        elif step.status in SOLVED_STATUSES:
            is_solved = True
            if current is not None:
                _stop(current, step, step.status)
                if current.stop == current.start:
                    # The comment came in the update that solved the ticket: no update was owed after it.
                    found.pop()
                current = None
        else:
            is_solved = is_ended = False
            current = _restored(current)
    return found


_MESSAGE_CYCLES: dict[str, Callable[[History, Rules], list[Cycle]]] = {
    "acknowledgement": _acknowledgement,
    "first_reply": _first_reply,
    "next_reply": _next_reply,
    "periodic_update": _updates,
    "pausable_update": _updates,
}


def _steps(history: History) -> Iterator[Moment | Message]:
    """Moments and messages in the order of their events."""
    moments, messages = history.moments, history.messages
    position = 0
    for moment in moments:
        while position < len(messages) and messages[position].index < moment.index:
            yield messages[position]
            position += 1
        yield moment
    yield from messages[position:]


def _stop(cycle: Cycle, step: Moment | Message, why: str) -> None:
    if cycle.stop is None:
        cycle.stop, cycle.stop_index, cycle.why_stopped = step.second, step.index, why


def _end(cycle: Cycle, moment: Moment, rules: Rules) -> None:
    """A merge, a deletion or spam ends an open cycle: cancelled, or stopped where the rule says so."""
    if cycle.stop is None:
        _stop(cycle, moment, moment.status)
        cycle.is_cancelled = not (moment.status == "merged" and rules.merge == "stop")


def _restored(cycle: Cycle | None) -> Cycle | None:
    """The open cycle of a ticket that is in service: one that its end had cancelled goes on."""
    if cycle is not None and cycle.is_cancelled:
        _resume(cycle)
    return cycle if cycle is not None and cycle.stop is None else None


def _resume(cycle: Cycle) -> None:
    cycle.stop = cycle.stop_index = None
    cycle.is_cancelled = False
    cycle.why_stopped = ""
