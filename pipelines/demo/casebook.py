"""Makes the year's cases: who writes about what, in which source, how urgent.

Belongs here: drawing the beginnings of cases and letting them run. Does not belong here: the cases that are
planted on purpose (`planted`), shapes.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from random import Random

from pipelines.demo import phrases
from pipelines.demo.arrivals import Arrivals, is_bad_day
from pipelines.demo.case import Case
from pipelines.demo.course import BAD_WEEK, ORDINARY, Course
from pipelines.demo.issues import BY_KEY, ISSUES, PRIORITY_SHARES, Issue
from pipelines.demo.people import Customer

CHANNELS: dict[str, tuple[tuple[str, float], ...]] = {
    "zendesk": (("email", 46), ("web", 34), ("chat", 9), ("whatsapp", 6), ("voice", 5)),
    "freshdesk": (("email", 44), ("portal", 36), ("phone", 8), ("chat", 7), ("widget", 5)),
    "mail": (("email", 1),),
    "legacy": (("email", 1),),
}
_OUTAGE_ISSUES = ("outage", "api_error", "slow_pages", "payment_failed", "emails_not_sent")
_OUTAGE_WEIGHTS = (45, 20, 15, 12, 8)
_NEIGHBOURS = {"high": ("medium",), "medium": ("high", "low", "low"), "low": ("medium",)}
_MAX_TRIES = 200


class Casebook:
    """Draws cases; remembers what was said, so that no two cases of a customer look the same in a mailbox."""

    def __init__(
        self,
        rng: Random,
        customers: Sequence[Customer],
        arrivals: Arrivals,
        course: Course,
        bad_week: date | None,
    ) -> None:
        """`arrivals` says when, `course` lays out the rest."""
        self.rng = rng
        self.course = course
        self._arrivals = arrivals
        self._bad_week = bad_week
        self._subjects: set[tuple[int, str]] = set()
        self._pools: dict[str, tuple[list[Customer], list[float]]] = {}
        for source in CHANNELS:
            pool = [customer for customer in customers if source in customer.sources]
            weights = list(
                accumulate(1.0 / (1 + number % 40) ** 0.45 for number in range(len(pool)))
            )
            self._pools[source] = (pool, weights)
        self._issue_weights = list(accumulate(issue.weight for issue in ISSUES))

    def customer(self, source: str) -> Customer:
        """Someone who writes there; some write much more often than others."""
        pool, weights = self._pools[source]
        return self.rng.choices(pool, cum_weights=weights)[0]

    def begin(
        self,
        source: str,
        *,
        at: int | None = None,
        customer: Customer | None = None,
        issue: Issue | None = None,
        priority: str | None = None,
        subject: str | None = None,
        text: str | None = None,
        channel: str | None = None,
    ) -> Case:
        """A case with its first message (and acknowledgement); what is not given is drawn."""
        rng = self.rng
        customer = customer or self.customer(source)
        if at is None:
            private = customer.organisation is None
            at = self._arrivals.draw(customer.language, late_evening=1.3 if private else 1.0)
        is_bad = self.is_bad(at)
        issue = issue or self._issue(is_bad)
        values = phrases.slots(rng, customer, at)
        drawn = priority or self._priority(source, issue)
        names, weights = zip(*CHANNELS[source], strict=True)
        case = Case(
            source=source,
            channel=channel or rng.choices(names, weights)[0],
            customer=customer,
            issue=issue,
            subject=subject or self._subject(issue, customer, values),
            values=values,
            priority=drawn,
            created_at=at,
        )
        if priority is None and source in ("zendesk", "freshdesk"):
            self._misjudge(case)
        self.course.open(case, text or phrases.first_message(rng, issue.key, customer, values))
        return case

    def finished(self, source: str, before: int, **given: object) -> Case:
        """A case that was solved before the instant."""
        for _ in range(_MAX_TRIES):
            case = self.begin(source, **given)  # type: ignore[arg-type]
            self.course.run(case, BAD_WEEK if self.is_bad(case.created_at) else ORDINARY)
            solved_at = case.last("solved")
            if solved_at is not None and solved_at < before:
                return case
        raise ValueError(
            f"no case of {source} could be solved before {datetime.fromtimestamp(before, UTC).isoformat()}; "
            "give it an earlier start"
        )

    def is_bad(self, at: int) -> bool:
        """Whether the instant lies in the bad week."""
        return is_bad_day(datetime.fromtimestamp(at, UTC).date(), self._bad_week)

    def _issue(self, is_bad: bool) -> Issue:
        if is_bad and self.rng.random() < 0.62:
            return BY_KEY[self.rng.choices(_OUTAGE_ISSUES, _OUTAGE_WEIGHTS)[0]]
        return self.rng.choices(ISSUES, cum_weights=self._issue_weights)[0]

    def _priority(self, source: str, issue: Issue) -> str:
        if source in ("mail", "legacy"):
            # Mails carry no priority. An outage is answered as fast as a critical ticket all the same.
            return "critical" if issue.key == "outage" else "medium"
        shares = dict(PRIORITY_SHARES)
        # The factors bring the year's shares back to the table's, whatever the issues' own urgency does.
        shares["critical"] *= issue.urgency * 1.12
        shares["high"] *= issue.urgency * 1.06
        shares["low"] /= max(issue.urgency, 0.5) * 1.12
        return self.rng.choices(list(shares), list(shares.values()))[0]

    def _misjudge(self, case: Case) -> None:
        """A few come in with another priority than the one that triage gives them."""
        if case.priority in _NEIGHBOURS and self.rng.random() < 0.055:
            case.planted.add("triaged")
            case.values["final_priority"] = case.priority
            case.priority = self.rng.choice(_NEIGHBOURS[case.priority])

    def _subject(self, issue: Issue, customer: Customer, values: dict[str, str]) -> str:
        text = phrases.subject(self.rng, issue.key, customer.language, values)
        seen = (customer.number, text.lower())
        if seen in self._subjects:
            text = f"{text} ({values['order']})"
            seen = (customer.number, text.lower())
        self._subjects.add(seen)
        return text
