"""The PagerDuty notifier over a real socket: limits kept, errors named by what to do, no retries of its own."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import Message
from connectors.errors import (
    AuthError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from connectors.pagerduty import PagerDutyNotifier
from connectors.standins.pagerduty import PagerDutyStandIn
from connectors.text_limits import cut, key_within, length

KEY = "0123456789abcdef0123456789abcdef"
FAMILY = "👩‍👩‍👧‍👦"


def message(action: Any = "trigger", key: str = "v1:acme:t1:1:l2", **body: Any) -> Message:
    base = {
        "title": "Critical: checkout is down",
        "text": "No human response 15 min after it was opened",
        "severity": "critical",
        "source": "acme",
        "url": "https://acme.example/tickets/1",
        "occurred_at": "2026-11-24T07:15:00Z",
        "details": {"level": "L2", "ticket": "1"},
    }
    return Message(key, action, base | body)


@pytest.fixture
def pager() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn(routing_keys=[KEY], events_per_minute=1_000) as server:
        yield server


@pytest.fixture
def notifier(pager: PagerDutyStandIn) -> Iterator[PagerDutyNotifier]:
    with PagerDutyNotifier(KEY, base_url=pager.base_url) as made:
        yield made


def test_a_trigger_carries_what_a_woken_person_needs(
    pager: PagerDutyStandIn, notifier: PagerDutyNotifier
) -> None:
    receipt = notifier.deliver(message())
    assert (receipt.provider_id, receipt.status) == ("v1:acme:t1:1:l2", "accepted")
    assert pager.incidents[0].event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "v1:acme:t1:1:l2",
        "client": "Deskbridge",
        "client_url": "https://acme.example/tickets/1",
        "links": [{"href": "https://acme.example/tickets/1", "text": "Ticket"}],
        "payload": {
            "summary": "Critical: checkout is down",
            "source": "acme",
            "severity": "critical",
            "timestamp": "2026-11-24T07:15:00Z",
            "custom_details": {
                "level": "L2",
                "ticket": "1",
                "text": "No human response 15 min after it was opened",
                "key": "v1:acme:t1:1:l2",
            },
        },
    }


def test_the_whole_life_of_a_page_and_a_note_that_wakes_nobody(
    pager: PagerDutyStandIn, notifier: PagerDutyNotifier
) -> None:
    for action in ("trigger", "trigger", "acknowledge", "note", "resolve"):
        notifier.deliver(message(action))
    (incident,) = pager.incidents
    assert incident.log == ["trigger", "trigger", "acknowledge", "resolve"]
    assert incident.notifications == 1
    assert [c["payload"]["summary"] for c in pager.changes] == ["Critical: checkout is down"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("critical", "critical"),
        ("error", "error"),
        ("high", "error"),
        ("medium", "warning"),
        ("low", "info"),
        ("nonsense", "error"),
    ],
)
def test_severities(
    pager: PagerDutyStandIn, notifier: PagerDutyNotifier, ours: str, theirs: str
) -> None:
    notifier.deliver(message(severity=ours))
    assert pager.incidents[0].severity == theirs


@pytest.mark.parametrize(
    "title",
    [
        "x" * 5_000,
        "😀" * 5_000,
        "a" + FAMILY * 900,
        "\ud800 lone \x00 \x1b[31m",
        "",
        "e\u0301" * 3_000,
        "🇹🇷" * 900,
    ],
)
def test_any_title_is_taken(
    pager: PagerDutyStandIn, notifier: PagerDutyNotifier, title: str
) -> None:
    details = {f"name {n}": "v" * 20_000 for n in range(100)}
    receipt = notifier.deliver(
        message(
            key="k" * 400,
            title=title,
            text=title,
            details=details,
            links=["javascript:x", "https://b.example/?q=1"],
        )
    )
    (incident,) = pager.incidents
    assert receipt.provider_id == incident.dedup_key
    assert len(incident.dedup_key) == 255
    assert incident.summary
    assert [link["href"] for link in incident.event["links"]] == [
        "https://acme.example/tickets/1",
        "https://b.example/?q=1",
    ]
    assert len(json.dumps(incident.event)) < 512 * 1024


def test_a_cut_never_parts_what_a_reader_sees_as_one_character() -> None:
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 11, 10) == "x" * 9 + "…"
    assert cut("a" + FAMILY * 2, 14) == "a" + FAMILY + "…"
    assert cut("a" + FAMILY * 2, 16) == "a" + FAMILY + "…"
    assert cut("👍🏽👍🏽", 6) == "👍🏽…"
    assert cut("🇹🇷🇩🇪🇸🇬", 11) == "🇹🇷🇩🇪…"
    assert cut("abe\u0301x", 4) == "ab…"


@given(
    text=st.text(alphabet=st.sampled_from("a é\u0301😀👩\u200d👧🇹🇷❤\ufe0f"), max_size=60),
    limit=st.integers(1, 40),
)
@settings(max_examples=200, deadline=None)
def test_a_cut_is_within_its_limit_and_a_beginning(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert length(short) <= max(limit, 1)
    assert short == text or text.startswith(short[:-1])


def test_long_keys_stay_apart_and_stable() -> None:
    one, other = "k" * 300 + "a", "k" * 300 + "b"
    assert key_within(one, 255) == key_within(one, 255) != key_within(other, 255)
    assert key_within("short", 255) == "short"


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (
            {"kind": "status", "status": 429, "headers": {"Retry-After": "12"}},
            RateLimitedError,
            "tried again later",
        ),
        ({"kind": "status", "status": 429}, RateLimitedError, "429"),
        ({"kind": "status", "status": 503}, UnavailableError, "503"),
        ({"kind": "status", "status": 500}, UnavailableError, "500"),
        ({"kind": "status", "status": 302, "headers": {"Location": "/x"}}, UnavailableError, "302"),
        ({"kind": "status", "status": 401}, AuthError, "401"),
        ({"kind": "status", "status": 403}, AuthError, "403"),
        ({"kind": "status", "status": 404}, NotFoundError, "base_url"),
        ({"kind": "status", "status": 413}, RejectedError, "413"),
        ({"kind": "status", "status": 202, "body": "<html>"}, UnavailableError, "202"),
        ({"kind": "drop_request"}, UnavailableError, "no answer"),
        ({"kind": "drop_reply"}, UnavailableError, "no answer"),
        ({"kind": "truncate"}, UnavailableError, "no answer"),
    ],
)
def test_each_fault_is_one_call_at_once_and_names_what_to_do(
    pager: PagerDutyStandIn,
    notifier: PagerDutyNotifier,
    fault: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    pager.faults.add("enqueue", fault.pop("kind"), **fault)
    started = time.monotonic()
    with pytest.raises(error) as caught:
        notifier.deliver(message())
    assert time.monotonic() - started < 2, "the outbox waits, not the client"
    assert pager.calls["enqueue"] == 1, "no retry of its own"
    assert text in str(caught.value)
    assert KEY not in str(caught.value)
    assert "v1:acme:t1:1:l2" in str(caught.value)
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after_seconds == (12 if fault.get("headers") else None)
    notifier.deliver(message())
    assert len(pager.incidents) == 1, "the key makes the repeat harmless"


def test_a_refused_event_says_why(pager: PagerDutyStandIn) -> None:
    with PagerDutyNotifier("f" * 32, base_url=pager.base_url, destination="ops") as stranger:
        with pytest.raises(AuthError, match=r"\(ops\): the routing key is refused \(400\)"):
            stranger.deliver(message())
        result = stranger.check()
    assert not result.works
    assert "refused" in result.detail


def test_check_proves_the_key_and_wakes_nobody(
    pager: PagerDutyStandIn, notifier: PagerDutyNotifier
) -> None:
    assert notifier.check().works
    assert notifier.check().name == "pagerduty …cdef"
    assert pager.incidents == []
    pager.stop()
    assert not notifier.check().works


def test_a_wrong_set_up_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="32 letters and digits"):
        PagerDutyNotifier("R123")
    with pytest.raises(ConfigurationError, match="not https"):
        PagerDutyNotifier(KEY, base_url="http://events.pager.example")
