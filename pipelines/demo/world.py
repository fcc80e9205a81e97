"""The demo's world: a year of acme's support in three sources, an old inbox, and what is known about them.

Belongs here: `generate`, which puts people, cases and shapes together. Does not belong here: writing files
(`write`), serving them (the stand-ins).

The same seed and the same end give the same bytes: chance comes from `random.Random(seed)` only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from pipelines.demo import facts
from pipelines.demo.arrivals import Arrivals, bad_week_start
from pipelines.demo.case import Case
from pipelines.demo.casebook import Casebook
from pipelines.demo.course import Course
from pipelines.demo.freshdesk_shape import FIRST_TICKET as FIRST_FRESHDESK_TICKET
from pipelines.demo.freshdesk_shape import FreshdeskShape
from pipelines.demo.hours import DAY, HOUR, BusinessHours, iso
from pipelines.demo.mail_noise import Noise
from pipelines.demo.mail_shape import INBOX, SENT, Mail, Mailer
from pipelines.demo.people import (
    LEGACY_ADDRESS,
    SHARED_ADDRESS,
    Customer,
    make_customers,
    make_organisations,
)
from pipelines.demo.planted import Pair, Planter
from pipelines.demo.zendesk_shape import FIRST_TICKET as FIRST_ZENDESK_TICKET
from pipelines.demo.zendesk_shape import ZendeskShape

__all__ = [
    "DEFAULT_AS_OF",
    "DEFAULT_SEED",
    "LEGACY_ADDRESS",
    "LIVE_BEFORE_END",
    "SHARED_ADDRESS",
    "World",
    "generate",
    "mail_places",
]

DEFAULT_AS_OF = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
"""A Monday at the desk's opening: of the clocks that started since going live only the critical ones have run.
An end on a working afternoon (2026-11-04T13:00Z) shows high tickets late and nearly late as well."""
DEFAULT_SEED = 7
LIVE_BEFORE_END = timedelta(hours=30)
TICKETS = {"zendesk": 1500, "freshdesk": 1000, "mail": 600, "legacy": 300}
FIRST_TICKET = {
    "zendesk": FIRST_ZENDESK_TICKET,
    "freshdesk": FIRST_FRESHDESK_TICKET,
    "mail": 1,
    "legacy": 1,
}
CLIENT = "acme"


@dataclass(frozen=True, slots=True)
class World:
    """Everything that the stand-ins serve. `mails` lie in `INBOX` or `Sent`; `legacy` is the old inbox, oldest first."""

    seed: int
    size: float
    as_of: datetime
    live_from: datetime
    zendesk: dict[str, Any]
    freshdesk: dict[str, Any]
    mails: list[Mail]
    legacy: list[Mail]
    facts: dict[str, Any]


@dataclass(slots=True)
class _Cases:
    """What was made, before it gets numbers."""

    all: list[Case]
    fresh: list[Case]
    old_open: list[Case]
    settled: list[Case]
    hostile: list[Case]
    pairs: list[Pair]


def generate(seed: int = DEFAULT_SEED, as_of: datetime = DEFAULT_AS_OF, size: float = 1.0) -> World:
    """A year of support ending at `as_of`.

    Args:
        seed: of all chance.
        as_of: aware instant; nothing in the world is later. Its seconds are kept, fractions dropped.
        size: 1.0 gives 3,100 tickets and a legacy inbox of 300; 0.02 gives some sixty and six. The twelve fresh
            open tickets and the hostile subjects are there in any size.

    Raises:
        ValueError: `as_of` carries no zone, or `size` is not above 0.
    """
    if as_of.tzinfo is None:
        raise ValueError(f"the demo's end needs a zone, got {as_of.isoformat()}")
    if size <= 0:
        raise ValueError(f"the demo's size must be above 0, got {size}")
    end = int(as_of.timestamp())
    live_from = int((as_of - LIVE_BEFORE_END).timestamp())
    rng = Random(seed)
    hours = BusinessHours(end - 800 * DAY, end)
    customers, two_channel = make_customers(rng, make_organisations(rng), size)
    last_day = datetime.fromtimestamp(live_from, UTC).date()
    bad_week = bad_week_start(as_of)
    arrivals = Arrivals(rng, last_day - timedelta(days=364), last_day, live_from, bad_week)
    course = Course(rng, hours)
    book = Casebook(rng, customers, arrivals, course, bad_week)
    planter = Planter(book, hours, live_from, end)
    made = _year(book, planter, two_channel, size, end)
    legacy = _legacy_cases(rng, customers, course, last_day, live_from, size)
    for source in FIRST_TICKET:
        _number([case for case in (*made.all, *legacy) if case.source == source], source)
    by_source = {
        source: sorted(
            (case for case in made.all if case.source == source), key=lambda case: case.number
        )
        for source in ("zendesk", "freshdesk", "mail")
    }
    opened_at = end - 400 * DAY
    mails = _mailbox(rng, by_source["mail"], SHARED_ADDRESS, size, end)
    old_mails = _mailbox(rng, legacy, LEGACY_ADDRESS, size, live_from - 340 * DAY)
    world = World(
        seed=seed,
        size=size,
        as_of=datetime.fromtimestamp(end, UTC),
        live_from=datetime.fromtimestamp(live_from, UTC),
        zendesk=ZendeskShape(by_source["zendesk"], opened_at, end).render(),
        freshdesk=FreshdeskShape(by_source["freshdesk"], hours, opened_at, end).render(),
        mails=[mail for mail in mails if mail.kind != "held"],
        legacy=old_mails,
        facts={},
    )
    world.facts.update(_facts(world, made, by_source, customers, hours, bad_week, end))
    return world


def mail_places(mails: Sequence[Mail]) -> list[str]:
    """Where each mail of the shared mailbox lies, e.g. `INBOX/00017.eml`; numbered by arrival in each folder."""
    counts = {INBOX: 0, SENT: 0}
    places = []
    for mail in mails:
        counts[mail.folder] += 1
        places.append(f"{mail.folder}/{counts[mail.folder]:05d}.eml")
    return places


def _year(
    book: Casebook, planter: Planter, two_channel: list[Customer], size: float, end: int
) -> _Cases:
    fresh = planter.fresh()
    settled = planter.settled_after_live(max(2, round(8 * size)))
    old_open = planter.old_open(max(5, round(25 * size)))
    hostile = planter.hostile()
    pairs = planter.pairs(two_channel, max(2, round(25 * size)))
    cases = [*fresh, *settled, *old_open, *hostile]
    for pair in pairs:
        cases += [pair.portal, pair.mail]
    ends = {
        "merged": max(1, round(8 * size)),
        "deleted": max(1, round(9 * size)),
        "spam": max(1, round(8 * size)),
    }
    for source in ("zendesk", "freshdesk", "mail"):
        planted = sum(case.source == source for case in cases)
        helpdesk = source != "mail"
        extra = ends["merged"] + ends["spam"] if helpdesk else 0
        wanted = max(3, round(TICKETS[source] * size) - planted - extra)
        natural = [book.finished(source, end - HOUR) for _ in range(wanted)]
        for case in natural:
            case.cut(end)
        if helpdesk:
            natural += _ends(book, planter, natural, ends)
        cases += natural
    for case in cases:
        case.cut(end)
    return _Cases(cases, fresh, old_open, settled, hostile, pairs)


def _ends(
    book: Casebook, planter: Planter, natural: list[Case], ends: dict[str, int]
) -> list[Case]:
    """Deletes some cases of one source; adds spam, and cases that are merged into others. Returns the added ones."""
    rng = book.rng
    chosen = rng.sample(natural, min(len(natural), ends["deleted"] + ends["merged"]))
    for case in chosen[: ends["deleted"]]:
        planter.delete(case)
    added = [planter.spam(natural[0].source) for _ in range(ends["spam"])]
    for target in chosen[ends["deleted"] :]:
        repeat = book.begin(
            target.source,
            at=target.created_at + rng.randint(5, 50) * 60,
            customer=target.customer,
            issue=target.issue,
            priority=target.priority,
        )
        planter.merge(repeat, target)
        added.append(repeat)
    return added


def _legacy_cases(
    rng: Random,
    customers: list[Customer],
    course: Course,
    last_day: date,
    live_from: int,
    size: float,
) -> list[Case]:
    """The old inbox: the year before the year."""
    first, last = last_day - timedelta(days=729), last_day - timedelta(days=366)
    arrivals = Arrivals(rng, first, last, live_from - 366 * DAY, None)
    book = Casebook(rng, customers, arrivals, course, None)
    count = max(6, round(TICKETS["legacy"] * size))
    cases = [book.finished("legacy", live_from - 345 * DAY) for _ in range(count)]
    return sorted(cases, key=lambda case: case.created_at)


def _number(cases: list[Case], source: str) -> None:
    for number, case in enumerate(
        sorted(cases, key=lambda one: (one.created_at, one.customer.number, one.subject)),
        start=FIRST_TICKET[source],
    ):
        case.number = number


def _mailbox(rng: Random, cases: list[Case], own: str, size: float, end: int) -> list[Mail]:
    """A mailbox's mails by arrival: the threads and the noise among them."""
    mailer = Mailer(rng, own)
    mails = [mail for case in cases for mail in mailer.thread(case)]
    noise = Noise(rng, mailer, own)
    few = max(1.0, 8 * size)
    extra = noise.copies(mails, round(1.5 * few)) + noise.auto_replies(mails, round(few))
    extra += noise.bounces(mails, round(0.4 * few) or 1)
    first = min(mail.at for mail in mails)
    extra += noise.excluded(first, end - DAY, max(2, round(1.6 * few)))
    extra.append(noise.undatable(first + DAY))
    mails += [mail for mail in extra if mail.at <= end]
    return sorted(mails, key=lambda mail: (mail.at, mail.message_id or "", mail.kind))


def _facts(
    world: World,
    made: _Cases,
    by_source: dict[str, list[Case]],
    customers: list[Customer],
    hours: BusinessHours,
    bad_week: date,
    end: int,
) -> dict[str, Any]:
    seen: dict[int, set[str]] = {}
    for case in made.all:
        seen.setdefault(case.customer.number, set()).add(case.source)
    helpdesks = [*by_source["zendesk"], *by_source["freshdesk"]]
    in_bad_week = [
        case
        for case in helpdesks
        if 0 <= (datetime.fromtimestamp(case.created_at, UTC).date() - bad_week).days < 5
    ]
    return {
        "client": CLIENT,
        "seed": world.seed,
        "size": world.size,
        "as_of": iso(end),
        "live_from": iso(int(world.live_from.timestamp())),
        "bad_week": {
            "from": f"{bad_week}",
            "to": f"{bad_week + timedelta(days=4)}",
            "tickets": len(in_bad_week),
        },
        "zendesk": facts.of_cases(by_source["zendesk"]),
        "freshdesk": facts.of_cases(by_source["freshdesk"]),
        "sla": facts.of_sla(helpdesks, hours, end),
        "sla_zendesk": facts.of_sla(by_source["zendesk"], hours, end),
        "sla_freshdesk": facts.of_sla(by_source["freshdesk"], hours, end),
        "sla_bad_week": facts.of_sla(in_bad_week, hours, end),
        "fresh_open": facts.of_open(made.fresh, hours, end),
        "old_open": facts.of_open(made.old_open, hours, end),
        "settled_after_live": facts.of_open(made.settled, hours, end),
        "hostile": [
            {"source": case.source, "number": case.number, "subject": case.subject}
            for case in made.hostile
        ],
        "duplicates": facts.of_pairs(made.pairs),
        "people": facts.of_people(customers, seen),
        "mail": facts.of_mailbox(world.mails, mail_places(world.mails)),
        "legacy": facts.of_mailbox(
            world.legacy, [f"archive.mbox:{number}" for number in range(len(world.legacy))]
        ),
    }
