"""How a case goes: acknowledgement, first reply, questions, waiting, solution, reopening, rating, closing.

Belongs here: chance and the desk's habits. Does not belong here: the helpdesks' shapes, the planted cases.

A case's outcome is drawn first (its reply and its solution in time or not, by how much) and then laid out on
the clock of its priority, so that the year's compliance is what the demo wants it to be.
"""

from dataclasses import dataclass
from math import log
from random import Random

from pipelines.demo import phrases
from pipelines.demo.case import Case, File, Message, Rating
from pipelines.demo.files import make_file
from pipelines.demo.hours import DAY, HOUR, BusinessHours, after, elapsed, local
from pipelines.demo.issues import REPLY_TARGETS, RESOLUTION_TARGETS
from pipelines.demo.people import TEAMS, agent_on_shift
from transforms.model import PRIORITIES


@dataclass(frozen=True, slots=True)
class Temper:
    """How well the desk is doing: shares of replies and solutions in time, and of good ratings."""

    reply_in_time: float
    solved_in_time: float
    praise: float


ORDINARY = Temper(0.945, 0.93, 0.87)
BAD_WEEK = Temper(0.52, 0.55, 0.48)
_ONE_TOUCH = {"zendesk": 0.36, "freshdesk": 0.46, "mail": 0.46, "legacy": 0.7}
"""How many cases the first answer settles."""
_ROUNDS = {
    "zendesk": (42, 37, 16, 5),
    "freshdesk": (58, 32, 8, 2),
    "mail": (50, 36, 11, 3),
    "legacy": (68, 26, 5, 1),
}
"""How often an agent has to ask back, from never to three times, where the first answer does not settle it."""
_THANKED = {"zendesk": 0.22, "freshdesk": 0.12, "mail": 0.0, "legacy": 0.0}
"""How often the customer says thanks before the case is closed. In a mailbox thanks would open it again."""
CLOSE_AFTER = 5 * DAY
"""Solved cases close by an automation after this long."""


class Course:
    """Lays out whole cases."""

    def __init__(self, rng: Random, hours: BusinessHours) -> None:
        """`hours` is the calendar of everything that is not critical."""
        self._rng = rng
        self._hours = hours

    def open(self, case: Case, text: str) -> None:
        """The customer's first message, and the automatic acknowledgement where the source has one."""
        rng = self._rng
        files: tuple[File, ...] = ()
        if case.issue.attachment and rng.random() < 0.55:
            files = (make_file(rng, case.issue.attachment),)
        case.steps.clear()
        case.add(case.created_at, case.customer, Message(case.customer, True, text, files))
        if case.source in ("zendesk", "freshdesk") and rng.random() < 0.92:
            text = phrases.everyday(rng, "acknowledgement", case.language, number="{number}")
            case.add(
                case.created_at + rng.randint(4, 45),
                None,
                Message(None, True, text, kind="acknowledgement"),
                rule="Notify requester: received",
            )

    def run(self, case: Case, temper: Temper) -> None:
        """Everything from the first reply to the closing. The case must be open already."""
        reply_at = self._reply_at(case, temper)
        self._assign(case, reply_at)
        one_touch = self._rng.random() < _ONE_TOUCH[case.source]
        if one_touch:
            solved_at = self._agent(case, reply_at, "solution", status="solved")
        else:
            solved_at = self._work(case, reply_at, temper)
        if self._rng.random() < 0.06:
            solved_at = self._reopen(case, solved_at)
        self._rate(case, solved_at, temper)
        if case.source in ("zendesk", "freshdesk"):
            case.add(
                solved_at + CLOSE_AFTER,
                None,
                rule="Close solved tickets after 5 days",
                status="closed",
            )

    def reply(self, case: Case, at: int, kind: str, status: str | None = None) -> int:
        """An agent's public answer of a kind, with the status that the case gets; returns its instant."""
        return self._agent(case, at, kind, status)

    def nudge(self, case: Case, at: int) -> int:
        """The customer asks again."""
        text = phrases.customer_says(
            self._rng, "customer_nudges", case.issue.key, case.customer, case.values
        )
        return case.add(at, case.customer, Message(case.customer, True, text))

    def assign(self, case: Case, at: int) -> int:
        """Someone of the case's team takes it; no public word yet."""
        agent = agent_on_shift(self._rng, at, case.team)
        return case.add(at, agent, assignee=agent, status="open")

    def _reply_at(self, case: Case, temper: Temper) -> int:
        rng, target = self._rng, REPLY_TARGETS[final_priority(case)]
        in_time = rng.random() < temper.reply_in_time
        if in_time:
            share = 0.03 + 0.93 * rng.betavariate(1.3, 3.0)
        else:
            share = 1.04 + min(rng.expovariate(1.1), 6.0)
        at_night = case.priority != "critical" and not self._hours.is_open(case.created_at)
        if in_time and at_night and rng.random() < 0.3:
            return case.created_at + rng.randint(240, 2 * HOUR)
        at = after(self._hours, case.priority, case.created_at, int(share * target))
        if in_time and share < 0.96 and case.priority != "critical":
            # The first people in take what came overnight one after the other, not all at nine sharp.
            at += rng.randint(0, int(0.03 * target))
        return max(at, case.created_at + 60)

    def _assign(self, case: Case, reply_at: int) -> None:
        rng = self._rng
        if case.source in ("mail", "legacy"):
            return
        wait = reply_at - case.created_at
        if rng.random() < 0.62 and wait > 240:
            agent = agent_on_shift(rng, case.created_at, "support")
            at = case.created_at + int(wait * rng.uniform(0.2, 0.7))
            case.add(at, agent, assignee=agent, status="open")
        if case.issue.specialist and rng.random() < 0.45 and wait > 240:
            self._hand_over(case, case.created_at + int(wait * rng.uniform(0.72, 0.95)))
        if "triaged" in case.planted and wait > 120:
            agent = agent_on_shift(rng, case.created_at, "support")
            at = case.created_at + int(min(wait * 0.5, 1200))
            wanted = final_priority(case)
            is_raised = PRIORITIES.index(wanted) < PRIORITIES.index(case.priority)
            text = phrases.note(rng, "raised" if is_raised else "lowered")
            note = Message(agent, False, text)
            case.add(at, agent, note, priority=wanted)

    def _hand_over(self, case: Case, at: int) -> int:
        team = case.issue.specialist or "support"
        if team == case.team:
            return at
        sender = case.assignee or agent_on_shift(self._rng, at, case.team)
        taker = agent_on_shift(self._rng, at, team)
        text = phrases.note(self._rng, "handover", team=TEAMS[team])
        return case.add(
            at, sender, Message(sender, False, text), team=team, assignee=taker, status="open"
        )

    def _work(self, case: Case, reply_at: int, temper: Temper) -> int:
        """From the first reply to the solution; returns the instant of the latter."""
        rng, hours, priority = self._rng, self._hours, case.priority
        target = RESOLUTION_TARGETS[priority]
        in_time = rng.random() < temper.solved_in_time
        share = (
            rng.betavariate(1.6, 2.4) * 0.94 if in_time else 1.05 + min(rng.expovariate(1.3), 3.0)
        )
        used = elapsed(hours, priority, case.created_at, reply_at)
        left = max(int(share * target) - used, int(target * rng.uniform(0.01, 0.04)))
        rounds = rng.choices((0, 1, 2, 3), _ROUNDS[case.source])[0]
        at = self._agent(
            case,
            reply_at,
            "question" if rounds else "answer",
            status="pending" if rounds else "open",
        )
        for number in range(rounds):
            at = self._customer(case, at)
            part = int(left * rng.uniform(0.2, 0.6))
            left -= part
            at = after(hours, priority, at, part)
            at = self._note(case, at)
            last = number == rounds - 1
            kind = (
                rng.choice(("answer", "progress")) if last else rng.choice(("question", "answer"))
            )
            at = self._agent(case, at, kind, status="open" if last else "pending")
        if rounds == 0 and left > target * 0.4 and rng.random() < 0.35:
            part = int(left * rng.uniform(0.3, 0.6))
            left -= part
            at = self._agent(case, after(hours, priority, at, part), "progress")
        if case.issue.specialist and case.team == "support" and rng.random() < 0.12:
            part = left // 3
            left -= part
            at = self._hand_over(case, after(hours, priority, at, part))
        if case.source in ("zendesk", "freshdesk") and rng.random() < 0.07:
            at = self._hold(case, at)
        if rng.random() < 0.12 and case.status == "open" and left > HOUR:
            part = left // 2
            left -= part
            at = self.nudge(case, after(hours, priority, at, part))
        at = max(after(hours, priority, at, left), at + 30)
        if rng.random() < _THANKED[case.source]:
            return self._thanked(case, self._agent(case, at, "solution", status="pending"))
        return self._agent(case, at, "solution", status="solved")

    def _thanked(self, case: Case, at: int) -> int:
        """The customer says thanks, and somebody closes the matter without another word."""
        rng = self._rng
        at = self._awake(case, at + rng.randint(600, 20 * HOUR))
        text = phrases.customer_says(
            rng, "customer_thanks", case.issue.key, case.customer, case.values
        )
        at = case.add(at, case.customer, Message(case.customer, True, text), status="open")
        done = after(self._hours, case.priority, at, rng.randint(120, 1800))
        return case.add(done, case.assignee, status="solved")

    def _reopen(self, case: Case, solved_at: int) -> int:
        rng = self._rng
        at = self._awake(case, solved_at + rng.randint(HOUR, 4 * DAY))
        text = phrases.customer_says(
            rng, "customer_reopens", case.issue.key, case.customer, case.values
        )
        at = case.add(at, case.customer, Message(case.customer, True, text), status="open")
        at = self._agent(
            case, after(self._hours, case.priority, at, rng.randint(600, HOUR)), "again"
        )
        wait = rng.randint(1200, 3 * HOUR)
        return self._agent(
            case, after(self._hours, case.priority, at, wait), "solution", status="solved"
        )

    def _agent(self, case: Case, at: int, kind: str, status: str | None = None) -> int:
        agent = case.assignee
        if agent is None or self._rng.random() < 0.25:
            agent = agent_on_shift(self._rng, at, case.team)
        text = phrases.agent_says(
            self._rng, kind, case.issue.key, case.customer, agent, case.values
        )
        files: tuple[File, ...] = ()
        if case.issue.key in ("invoice_missing", "return_label") and kind == "answer":
            files = (make_file(self._rng, "document.pdf"),)
        message = Message(agent, True, text, files)
        return case.add(at, agent, message, assignee=agent, status=status or case.status)

    def _customer(self, case: Case, at: int) -> int:
        rng = self._rng
        wait = int(min(max(rng.lognormvariate(log(3 * HOUR), 1.0), 300), 5 * DAY))
        at = self._awake(case, at + wait)
        text = phrases.customer_says(
            rng, "customer_answers", case.issue.key, case.customer, case.values
        )
        files: tuple[File, ...] = ()
        if rng.random() < 0.1:
            files = (make_file(rng, case.issue.attachment or "screenshot.png"),)
        return case.add(at, case.customer, Message(case.customer, True, text, files), status="open")

    def _awake(self, case: Case, at: int) -> int:
        """Moves what a customer would write at night to the next morning."""
        there = local(at, case.customer.zone)
        if there.hour < 7:
            at += (7 - there.hour) * HOUR + self._rng.randint(0, 3 * HOUR)
        return at

    def _note(self, case: Case, at: int) -> int:
        if case.source in ("mail", "legacy") or self._rng.random() > 0.3:
            return at
        author = case.assignee or agent_on_shift(self._rng, at, case.team)
        case.add(at, author, Message(author, False, phrases.note(self._rng, "work")))
        return at + self._rng.randint(30, 400)

    def _hold(self, case: Case, at: int) -> int:
        rng = self._rng
        at = self._agent(case, at + rng.randint(60, 900), "on_hold", status="on_hold")
        author = case.assignee or agent_on_shift(rng, at, case.team)
        text = phrases.note(rng, "on_hold")
        case.add(at + 30, author, Message(author, False, text))
        until = self._hours.add(at, rng.randint(4 * HOUR, 18 * HOUR))
        taker = agent_on_shift(rng, until, case.team)
        return case.add(until, taker, status="open")

    def _rate(self, case: Case, solved_at: int, temper: Temper) -> None:
        rng = self._rng
        if case.source not in ("zendesk", "freshdesk") or rng.random() > 0.22:
            return
        is_good = rng.random() < temper.praise
        score = (
            rng.choices((5, 4, 3), (70, 22, 8))[0] if is_good else rng.choices((1, 2), (65, 35))[0]
        )
        comment = None
        if rng.random() < 0.4:
            comment = phrases.everyday(rng, "praise" if score > 3 else "blame", case.language)
        at = self._awake(case, solved_at + rng.randint(HOUR, 3 * DAY))
        case.rating = Rating(at, score, comment)


def final_priority(case: Case) -> str:
    """The priority that triage will give the case, or has given it."""
    return case.values.get("final_priority", case.priority)
