"""The outbox: at least once and never a storm, through real stand-ins and on both databases."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from connectors.contract import CheckResult, Message, Notifier, Receipt
from connectors.errors import RateLimitedError, UnavailableError
from connectors.outbox_sender import DeliveryReport, deliver_due
from connectors.pagerduty import PagerDutyNotifier
from connectors.slack import SlackNotifier
from connectors.standins.pagerduty import PagerDutyStandIn
from connectors.standins.slack import SlackStandIn
from connectors.warehouse import audit, outbox
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.outbox import Lane, NewDelivery
from connectors.warehouse.tables import delivery

KEY = "0123456789abcdef0123456789abcdef"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAGES = Lane("pagerduty", "ops")
CHAT = Lane("slack", "#support")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> None:
        self.at += timedelta(**span)


class Killed(BaseException):
    """The process ends here: nothing after it runs."""


class Around:
    """A real notifier with something done before or after each delivery."""

    def __init__(
        self,
        inner: Notifier,
        after: Callable[[], None] = lambda: None,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self.inner, self.after, self.before = inner, after, before
        self.channel, self.destination = inner.channel, inner.destination

    def deliver(self, message: Message) -> Receipt:
        self.before()
        receipt = self.inner.deliver(message)
        self.after()
        return receipt

    def check(self) -> CheckResult:
        return self.inner.check()


@pytest.fixture
def pager() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn(events_per_minute=100_000) as server:
        yield server


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(posts_per_second=100_000) as server:
        yield server


@pytest.fixture
def pages(pager: PagerDutyStandIn) -> Iterator[PagerDutyNotifier]:
    with PagerDutyNotifier(KEY, base_url=pager.base_url, destination="ops") as notifier:
        yield notifier


@pytest.fixture
def chat(slack: SlackStandIn) -> SlackNotifier:
    return SlackNotifier("xoxb-1", "#support", base_url=slack.api_url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def new(
    number: int = 1, action: Any = "trigger", lane: Lane = PAGES, **options: Any
) -> NewDelivery:
    values = {
        "client_key": "acme",
        "channel": lane.channel,
        "destination": lane.destination,
        "message_key": f"v1:acme:t{number}:1:l2",
        "action": action,
        "body": {"title": f"ticket {number}", "severity": "critical", "source": "acme"},
        "created_at": NOON,
        "ticket_key": f"t{number}",
    }
    return NewDelivery(**(values | options))


def put(engine: Engine, *rows: NewDelivery) -> int:
    with writing(engine) as connection:
        return outbox.enqueue(connection, rows)


def send(
    engine: Engine,
    clock: Clock,
    *notifiers: Notifier,
    owner: str = "a",
    jitter: float = 0.5,
    **options: Any,
) -> DeliveryReport:
    return deliver_due(engine, notifiers, clock, owner, lambda: jitter, **options)


def states(engine: Engine) -> dict[tuple[str, str, str], tuple[str, int]]:
    with reading(engine) as connection:
        rows = connection.execute(select(delivery))
        return {
            (row.channel, row.message_key, row.action): (row.state, row.attempts) for row in rows
        }


def test_enqueueing_twice_changes_nothing_and_sending_twice_sends_once(
    engine: Engine, clock: Clock, pager: PagerDutyStandIn, pages: PagerDutyNotifier
) -> None:
    assert put(engine, new(1), new(2)) == 2
    assert put(engine, new(1), new(2), new(3)) == 1
    report = send(engine, clock, pages)
    assert report.delivered == 3
    assert send(engine, clock, pages).delivered == 0
    assert put(engine, new(1)) == 0
    assert send(engine, clock, pages).delivered == 0
    assert pager.calls["enqueue"] == 3
    with reading(engine) as connection:
        assert outbox.counts(connection) == {("pagerduty", "delivered"): 3}
        assert outbox.counts(connection, "another client") == {}
        found = audit.verify(connection, "acme")
        assert (found.holds, found.entries) == (True, 3)


def test_messages_of_one_kind_leave_in_order_of_age(
    sqlite_engine: Engine, clock: Clock, pager: PagerDutyStandIn, pages: PagerDutyNotifier
) -> None:
    rows = [new(n, created_at=NOON - timedelta(seconds=n)) for n in range(100)]
    put(sqlite_engine, *rows)
    assert send(sqlite_engine, clock, pages).delivered == 100
    assert [i.dedup_key for i in pager.incidents] == [
        f"v1:acme:t{n}:1:l2" for n in reversed(range(100))
    ]


def test_what_is_critical_overtakes_what_waits(
    engine: Engine, clock: Clock, pager: PagerDutyStandIn, pages: PagerDutyNotifier
) -> None:
    low = {"title": "later", "severity": "warning"}
    put(engine, *(new(n, body=low, created_at=NOON - timedelta(hours=1)) for n in range(30)))
    put(engine, new(77, body={"title": "high", "severity": "error"}), new(99))
    send(engine, clock, pages)
    assert [i.dedup_key for i in pager.incidents][:2] == ["v1:acme:t99:1:l2", "v1:acme:t77:1:l2"]


def test_a_storm_stays_below_the_providers_limit_and_the_critical_ones_come_through_it_first(
    sqlite_engine: Engine,
) -> None:
    started = time.monotonic()

    def scaled_now() -> datetime:  # a minute passes in a second, for us as for the provider
        return NOON + timedelta(seconds=(time.monotonic() - started) * 60)

    low = {"title": "storm", "severity": "warning"}
    with (
        PagerDutyStandIn(events_per_minute=120, time_scale=60) as limited,
        PagerDutyNotifier(KEY, base_url=limited.base_url, destination="ops") as notifier,
    ):
        put(
            sqlite_engine,
            *(new(n, body=low) for n in range(400)),
            *(new(1_000 + n) for n in range(20)),
        )
        refused = 0
        while time.monotonic() - started < 60 and len(limited.incidents) < 420:
            report = deliver_due(
                sqlite_engine, [notifier], scaled_now, "a", random.Random(1).random
            )
            refused += sum(lane.retried for lane in report.lanes.values())
            time.sleep(0.02)
        assert len(limited.incidents) == 420
        assert {i.dedup_key for i in limited.incidents[:20]} == {
            f"v1:acme:t{1_000 + n}:1:l2" for n in range(20)
        }
        assert refused < 100, "a refusal rests the lane: it is not hammered"


def test_a_sender_killed_between_send_and_record_two_hundred_times_opens_each_incident_once(
    sqlite_engine: Engine,
    clock: Clock,
    pager: PagerDutyStandIn,
    pages: PagerDutyNotifier,
    slack: SlackStandIn,
    chat: SlackNotifier,
) -> None:
    chance = random.Random(7)
    kills = 0

    def maybe_die() -> None:
        nonlocal kills
        if kills < 200 and chance.random() < 0.7:
            kills += 1
            raise Killed

    put(sqlite_engine, *(new(n) for n in range(40)), *(new(n, lane=CHAT) for n in range(40)))
    deadly = [Around(pages, maybe_die, maybe_die), Around(chat, maybe_die, maybe_die)]
    repeats = 0
    for turn in range(2_000):
        try:
            report = send(sqlite_engine, clock, *deadly, owner=f"w{turn}")
            repeats += sum(lane.possible_repeats for lane in report.lanes.values())
        except Killed:
            pass
        clock.pass_(seconds=outbox.LEASE_SECONDS + 1)
        if set(states(sqlite_engine).values()) and all(
            s == "delivered" for s, _ in states(sqlite_engine).values()
        ):
            break
    assert kills == 200
    assert {s for s, _ in states(sqlite_engine).values()} == {"delivered"}
    assert len(pager.incidents) == 40, "the key makes a repeat harmless"
    assert all(i.notifications == 1 for i in pager.incidents)
    posts = Counter(p["metadata"]["event_payload"]["key"] for p in slack.posts)
    assert set(posts) == {f"v1:acme:t{n}:1:l2" for n in range(40)}
    assert max(posts.values()) == 1, "Slack was asked before each possible repeat"
    with reading(sqlite_engine) as connection:
        found = audit.verify(connection, "acme")
        assert (found.holds, found.entries) == (True, 80), "each message is written down once"


def test_a_lease_keeps_other_workers_away_until_it_ends(engine: Engine, clock: Clock) -> None:
    put(engine, new(1))
    with writing(engine) as connection:
        (first,) = outbox.claim(connection, clock(), "a", 5, PAGES)
    with writing(engine) as connection:
        assert outbox.claim(connection, clock(), "b", 5, PAGES) == []
    clock.pass_(seconds=outbox.LEASE_SECONDS)
    with writing(engine) as connection:
        (second,) = outbox.claim(connection, clock(), "b", 5, PAGES)
    assert not first.message.is_possible_repeat
    assert second.message.is_possible_repeat
    with writing(engine) as connection:
        assert outbox.record_retry(connection, first, clock(), "late", jitter=1) is None, (
            "its lease is gone"
        )
        assert outbox.record_delivered(connection, first, clock(), "id", "accepted")
    with writing(engine) as connection:
        assert not outbox.record_delivered(connection, second, clock(), "id", "accepted")
    assert states(engine)[("pagerduty", "v1:acme:t1:1:l2", "trigger")] == ("delivered", 2)


def test_released_rows_are_as_if_never_claimed(engine: Engine, clock: Clock) -> None:
    put(engine, new(1))
    with writing(engine) as connection:
        claimed = outbox.claim(connection, clock(), "a", 5, PAGES)
        outbox.release(connection, claimed)
    with writing(engine) as connection:
        (again,) = outbox.claim(connection, clock(), "b", 5, PAGES)
    assert again.attempts == 1
    assert not again.message.is_possible_repeat


def test_workers_at_once_never_claim_the_same_row(engine: Engine, clock: Clock) -> None:
    put(engine, *(new(n) for n in range(60)))
    claimed: list[str] = []
    failures: list[Exception] = []

    def work(name: str) -> None:
        try:
            while True:
                with writing(engine) as connection:
                    batch = outbox.claim(connection, clock(), name, 3, PAGES)
                if not batch:
                    return
                claimed.extend(one.delivery_key for one in batch)
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(claimed) == len(set(claimed)) == 60


def test_a_resolve_waits_for_its_trigger(
    engine: Engine, clock: Clock, pager: PagerDutyStandIn, pages: PagerDutyNotifier
) -> None:
    put(engine, new(1))
    pager.faults.add("enqueue", "drop_reply")
    send(engine, clock, pages)
    with writing(engine) as connection:  # another worker is sending the trigger again
        clock.pass_(minutes=1)
        (held,) = outbox.claim(connection, clock(), "b", 1, PAGES)
    put(engine, new(1, "resolve"), new(1, "acknowledge"))
    assert send(engine, clock, pages).delivered == 0
    with writing(engine) as connection:
        outbox.record_delivered(connection, held, clock(), "v1:acme:t1:1:l2", "accepted")
    send(engine, clock, pages)
    assert pager.incidents[0].log[-1] == "resolve"
    assert {s for s, _ in states(engine).values()} <= {"delivered", "cancelled"}


def test_a_trigger_that_is_resolved_before_it_was_sent_wakes_nobody(
    engine: Engine, clock: Clock, pager: PagerDutyStandIn, pages: PagerDutyNotifier
) -> None:
    put(engine, new(1), new(1, "acknowledge"), new(1, "resolve"), new(2))
    assert send(engine, clock, pages).delivered == 1
    assert [i.dedup_key for i in pager.incidents] == ["v1:acme:t2:1:l2"]
    found = states(engine)
    assert {
        found[("pagerduty", "v1:acme:t1:1:l2", a)][0] for a in ("trigger", "acknowledge", "resolve")
    } == {"cancelled"}


def test_a_trigger_whose_result_is_unknown_is_resolved_for_sure(
    engine: Engine, clock: Clock, pager: PagerDutyStandIn, pages: PagerDutyNotifier
) -> None:
    put(engine, new(1))
    pager.faults.add("enqueue", "drop_reply")
    send(engine, clock, pages)
    assert pager.incidents[0].status == "triggered"
    put(engine, new(1, "resolve"))
    clock.pass_(minutes=1)
    send(engine, clock, pages)
    assert pager.incidents[0].log == ["trigger", "resolve"]
    assert states(engine)[("pagerduty", "v1:acme:t1:1:l2", "trigger")][0] == "cancelled"


def test_answers_in_a_thread_know_their_post(
    engine: Engine, clock: Clock, slack: SlackStandIn, chat: SlackNotifier
) -> None:
    put(engine, new(1, lane=CHAT))
    send(engine, clock, chat)
    put(engine, new(1, "resolve", lane=CHAT))
    send(engine, clock, chat)
    assert slack.posts[1]["thread_ts"] == slack.posts[0]["ts"]


@pytest.mark.parametrize("retry_after", ["30", None])
def test_a_long_429_on_slack_rests_its_own_lane_and_delays_no_page(
    engine: Engine,
    clock: Clock,
    pager: PagerDutyStandIn,
    pages: PagerDutyNotifier,
    slack: SlackStandIn,
    chat: SlackNotifier,
    retry_after: str | None,
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    slack.faults.add(
        "chat.postMessage",
        "status",
        status=429,
        headers=headers,
        times=None,
        body={"ok": False, "error": "ratelimited"},
    )
    put(engine, *(new(n) for n in range(20)), *(new(n, lane=CHAT) for n in range(20)))
    report = send(engine, clock, pages, chat)
    assert report.lanes[PAGES].delivered == 20
    assert (report.lanes[CHAT].delivered, report.lanes[CHAT].retried) == (0, 1)
    wait = (report.lanes[CHAT].held_until or NOON) - clock()
    assert wait == timedelta(seconds=30 if retry_after else 2)
    assert slack.calls["chat.postMessage"] == 1, "one 429 is enough for the whole lane"
    clock.pass_(seconds=1)
    send(engine, clock, pages, chat)
    assert slack.calls["chat.postMessage"] == 1
    for _ in range(20):  # ten minutes of it
        clock.pass_(seconds=31)
        send(engine, clock, pages, chat)
    assert slack.calls["chat.postMessage"] <= 21
    slack.faults.clear()
    clock.pass_(minutes=1)
    assert send(engine, clock, pages, chat).delivered == 20
    assert len(slack.posts) == 20
    assert slack.calls["conversations.history"] == 0, (
        "what was surely not taken in is no possible repeat"
    )


def test_a_page_on_429_for_three_minutes_goes_to_another_channel_once_and_is_tried_on(
    engine: Engine,
    clock: Clock,
    pager: PagerDutyStandIn,
    pages: PagerDutyNotifier,
    slack: SlackStandIn,
    chat: SlackNotifier,
) -> None:
    pager.faults.add("enqueue", "status", status=429, times=None)
    put(engine, new(1))
    told_at = None
    for _ in range(60):  # ten minutes
        send(engine, clock, pages, chat, fallback={PAGES: CHAT})
        if slack.posts and told_at is None:
            told_at = clock() - NOON
        clock.pass_(seconds=10)
    assert told_at is not None
    assert timedelta(minutes=3) <= told_at <= timedelta(minutes=3, seconds=10)
    (post,) = slack.posts
    assert post["metadata"]["event_payload"]["key"] == "dead:v1:acme:t1:1:l2"
    assert "Undelivered page: ticket 1" in post["text"]
    pager.faults.clear()
    clock.pass_(minutes=1)
    send(engine, clock, pages, chat, fallback={PAGES: CHAT})
    assert len(pager.incidents) == 1
    assert len(slack.posts) == 1


def test_a_refused_page_is_dead_at_once_and_told_elsewhere_in_the_same_pass(
    engine: Engine,
    clock: Clock,
    pager: PagerDutyStandIn,
    pages: PagerDutyNotifier,
    slack: SlackStandIn,
    chat: SlackNotifier,
) -> None:
    pager.faults.add(
        "enqueue", "status", status=400, body={"status": "invalid event", "errors": ["no"]}
    )
    put(engine, new(1), new(2))
    report = send(engine, clock, pages, chat, fallback={PAGES: CHAT})
    assert (report.lanes[PAGES].dead, report.lanes[PAGES].delivered, report.dead_letters) == (
        1,
        1,
        1,
    )
    assert len(slack.posts) == 1
    assert "PagerDuty refused it (400)" in str(slack.posts[0]["blocks"])
    for _ in range(3):
        clock.pass_(minutes=5)
        send(engine, clock, pages, chat, fallback={PAGES: CHAT})
    assert len(slack.posts) == 1
    put(engine, new(1, "resolve"))
    clock.pass_(seconds=1)
    assert send(engine, clock, pages, chat).lanes[PAGES].delivered == 1, (
        "a dead trigger holds nothing up"
    )


def test_a_message_that_cannot_be_rendered_dies_alone(
    engine: Engine, clock: Clock, slack: SlackStandIn, chat: SlackNotifier
) -> None:
    put(engine, new(1, lane=CHAT, body={"title": "x", "details": 5}), new(2, lane=CHAT))
    report = send(engine, clock, chat)
    assert (report.lanes[CHAT].dead, report.lanes[CHAT].delivered) == (1, 1)
    with reading(engine) as connection:
        outcome = connection.scalar(select(delivery.c.outcome).where(delivery.c.state == "dead"))
    assert outcome is not None
    assert outcome.startswith("refused: AttributeError")


def test_an_unreachable_provider_costs_two_tries_a_pass_and_waits_longer_each_time(
    engine: Engine, clock: Clock, pager: PagerDutyStandIn, pages: PagerDutyNotifier
) -> None:
    put(engine, *(new(n) for n in range(30)))
    pager.stop()
    report = send(engine, clock, pages, jitter=1.0)
    assert report.lanes[PAGES].retried == 2
    attempts = sorted(count for _, count in states(engine).values())
    assert attempts == [0] * 28 + [1, 1]
    pager.start()
    clock.pass_(seconds=5)
    assert send(engine, clock, pages).delivered == 30


def test_the_wait_is_the_providers_or_full_jitter_below_a_minute() -> None:
    assert [outbox.retry_seconds(n, 1.0) for n in range(1, 8)] == [4, 8, 16, 32, 60, 60, 60]
    assert outbox.retry_seconds(3, 0.25) == 4
    assert outbox.retry_seconds(1, 0.9, 12.5) == 12.5
    assert outbox.retry_seconds(1, 0.9, 86_400) == outbox.RETRY_AFTER_CAP_SECONDS


def test_a_message_is_given_up_after_a_day(engine: Engine, clock: Clock) -> None:
    class Down:
        channel, destination = CHAT.channel, CHAT.destination

        def deliver(self, message: Message) -> Receipt:
            raise UnavailableError("no answer")

        def check(self) -> CheckResult:
            return CheckResult("x", False, "")

    put(engine, new(1, lane=CHAT))
    for hour in (0, 12, 23.9):
        clock.at = NOON + timedelta(hours=hour)
        send(engine, clock, Down())
        assert {s for s, _ in states(engine).values()} == {"pending"}
    clock.at = NOON + timedelta(hours=24)
    send(engine, clock, Down())
    assert {s for s, _ in states(engine).values()} == {"dead"}


def test_once_unknown_stays_unknown_over_a_429(engine: Engine, clock: Clock) -> None:
    seen: list[bool] = []
    answers = iter([UnavailableError("cut"), RateLimitedError("slow", 1.0), None])

    class Moody:
        channel, destination = CHAT.channel, CHAT.destination

        def deliver(self, message: Message) -> Receipt:
            seen.append(message.is_possible_repeat)
            answer = next(answers)
            if answer is not None:
                raise answer
            return Receipt("1", "posted")

        def check(self) -> CheckResult:
            return CheckResult("x", True, "")

    put(engine, new(1, lane=CHAT))
    for _ in range(3):
        send(engine, clock, Moody())
        clock.pass_(minutes=2)
    assert seen == [False, True, True]


def test_two_clients_with_a_channel_of_one_name_never_share_it(
    engine: Engine, clock: Clock, slack: SlackStandIn, chat: SlackNotifier
) -> None:
    with SlackStandIn() as elsewhere:
        theirs = SlackNotifier("xoxb-2", "#support", base_url=elsewhere.api_url)
        elsewhere.faults.add("chat.postMessage", "status", status=429)
        put(
            engine,
            new(1, lane=CHAT),
            new(2, lane=CHAT, client_key="globex", message_key="v1:globex:t2:1:l2"),
        )
        assert send(engine, clock, theirs, client_key="globex").lanes[CHAT].retried == 1
        assert send(engine, clock, chat, client_key="acme").delivered == 1, (
            "nor each other's limits"
        )
        clock.pass_(minutes=2)
        assert send(engine, clock, chat, client_key="acme").delivered == 0
        assert send(engine, clock, theirs, client_key="globex").delivered == 1
        assert [p["metadata"]["event_payload"]["key"] for p in slack.posts] == ["v1:acme:t1:1:l2"]
        assert [p["metadata"]["event_payload"]["key"] for p in elsewhere.posts] == [
            "v1:globex:t2:1:l2"
        ]


def test_lanes_without_a_notifier_are_named(
    engine: Engine, clock: Clock, chat: SlackNotifier
) -> None:
    put(engine, new(1))
    assert send(engine, clock, chat).without_notifier == [PAGES]


def test_nothing_is_sent_inside_a_transaction(
    sqlite_engine: Engine, clock: Clock, pages: PagerDutyNotifier
) -> None:
    def write_meanwhile() -> None:
        with writing(sqlite_engine) as connection:
            outbox.enqueue(connection, [new(99, created_at=NOON + timedelta(days=1))])

    put(sqlite_engine, new(1))
    assert send(sqlite_engine, clock, Around(pages, write_meanwhile)).delivered == 1
