"""The Slack notifier over a real socket: nobody pinged by a title, limits kept, repeats looked up first."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Message
from connectors.errors import (
    AuthError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    TransientError,
    UnavailableError,
)
from connectors.slack import SlackNotifier
from connectors.standins.slack import SlackStandIn

CHANNEL = "C0SUPPORT1"
PING = "<!channel> <!here> <!subteam^S1> <@U0BOSS001> <#C0SUPPORT1> <https://evil.example|Open the ticket> & <"


def message(
    action: Any = "trigger",
    key: str = "v1:acme:t1:1:l2",
    repeat: bool = False,
    previous: str | None = None,
    **body: Any,
) -> Message:
    base = {
        "title": "Low: printer",
        "text": "first reply is breached",
        "severity": "warning",
        "source": "acme",
        "url": "https://acme.example/tickets/1?a=1&b=2",
        "details": {"level": "L2"},
    }
    return Message(key, action, base | body, previous, repeat)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(posts_per_second=1_000) as server:
        yield server


@pytest.fixture
def notifier(slack: SlackStandIn) -> SlackNotifier:
    return SlackNotifier("xoxb-1", "#support", base_url=slack.api_url)


def active_mentions(post: dict[str, Any]) -> list[str]:
    """Whatever Slack would read as markup in a post."""
    return re.findall(r"<[^>]*>", json.dumps([post["text"], post["blocks"]], ensure_ascii=False))


def test_a_post_carries_the_key_and_its_thread_the_rest(
    slack: SlackStandIn, notifier: SlackNotifier
) -> None:
    first = notifier.deliver(message())
    assert first.status == "posted"
    notifier.deliver(message("resolve", previous=first.provider_id))
    post, answer = slack.posts
    assert post["metadata"] == {
        "event_type": "deskbridge_message",
        "event_payload": {"key": "v1:acme:t1:1:l2", "action": "trigger"},
    }
    assert post["blocks"][0]["text"] == {
        "type": "plain_text",
        "text": "Low: printer",
        "emoji": False,
    }
    assert active_mentions(post) == ["<https://acme.example/tickets/1?a=1&amp;b=2|Open the ticket>"]
    assert answer["thread_ts"] == post["ts"]
    assert answer["text"] == "Resolved: Low: printer"


def test_untrusted_text_pings_nobody_and_a_mention_is_given_apart(
    slack: SlackStandIn, notifier: SlackNotifier
) -> None:
    notifier.deliver(
        message(
            title=PING,
            text=PING,
            source=PING,
            details={PING: PING},
            url="https://x.example/|a> <!channel>",
        )
    )
    assert active_mentions(slack.posts[0]) == []
    notifier.deliver(message(mention=["U0ANN0001", "<!channel>", "!here"], url=None))
    assert set(active_mentions(slack.posts[1])) == {"<@U0ANN0001>"}


@pytest.mark.parametrize(
    "text",
    ["x" * 5_000, "&" * 5_000, "<" * 5_000, "😀" * 5_000, "👩‍👩‍👧‍👦" * 900, "\ud800\x00\x1b", ""],
)
def test_any_length_is_taken(slack: SlackStandIn, notifier: SlackNotifier, text: str) -> None:
    notifier.deliver(
        message(
            title=text,
            text=text,
            source=text,
            key="k" * 400,
            details={f"{n}{text}": text for n in range(50)},
        )
    )
    assert len(slack.posts) == 1
    assert len(json.dumps(slack.posts[0]["blocks"], ensure_ascii=False)) < 11_000


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=400), times=st.integers(1, 12))
def test_whatever_the_title_slack_takes_it_and_it_is_no_markup(
    slack: SlackStandIn, notifier: SlackNotifier, text: str, times: int
) -> None:
    before = len(slack.posts)
    notifier.deliver(message(title=text * times, text=text * times, details={text: text}, url=None))
    assert len(slack.posts) == before + 1
    assert active_mentions(slack.posts[-1]) == []


def test_a_lost_reply_posts_once_because_the_repeat_looks_first(
    slack: SlackStandIn, notifier: SlackNotifier
) -> None:
    slack.faults.add("chat.postMessage", "drop_reply")
    with pytest.raises(UnavailableError):
        notifier.deliver(message())
    assert slack.calls["chat.postMessage"] == 1, "no retry of its own"
    again = notifier.deliver(message(repeat=True))
    assert (again.status, again.was_repeat) == ("found", True)
    assert again.provider_id == slack.posts[0]["ts"]
    assert len(slack.posts) == 1
    slack.faults.add("chat.postMessage", "drop_reply")
    with pytest.raises(UnavailableError):
        notifier.deliver(message("resolve", previous=again.provider_id))
    resolved = notifier.deliver(message("resolve", repeat=True, previous=again.provider_id))
    assert resolved.was_repeat
    assert len(slack.posts) == 2


def test_a_repeat_that_was_never_posted_is_posted_and_marked(
    slack: SlackStandIn, notifier: SlackNotifier
) -> None:
    slack.faults.add("chat.postMessage", "drop_request")
    with pytest.raises(UnavailableError):
        notifier.deliver(message())
    for number in range(250):
        notifier.deliver(message(key=f"other-{number}"))
    receipt = notifier.deliver(message(repeat=True))
    assert (receipt.status, receipt.was_repeat) == ("posted", False)
    assert "possible repeat" in json.dumps(slack.posts[-1]["blocks"])


def test_without_the_right_to_read_a_repeat_is_posted_and_marked() -> None:
    with SlackStandIn(scopes=["chat:write"]) as slack:
        notifier = SlackNotifier("xoxb-1", "#support", base_url=slack.api_url)
        notifier.deliver(message())
        assert not notifier.deliver(message(repeat=True)).was_repeat
        assert "possible repeat" in json.dumps(slack.posts[-1]["blocks"])


def test_when_slack_cannot_be_asked_nothing_is_posted_blindly(
    slack: SlackStandIn, notifier: SlackNotifier
) -> None:
    notifier.deliver(message())
    slack.faults.add("conversations.history", "status", status=503)
    with pytest.raises(TransientError):
        notifier.deliver(message(repeat=True))
    assert len(slack.posts) == 1


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (
            {
                "status": 429,
                "headers": {"Retry-After": "30"},
                "body": {"ok": False, "error": "ratelimited"},
            },
            RateLimitedError,
            "slow down",
        ),
        ({"status": 503}, UnavailableError, "503"),
        (
            {"status": 200, "body": {"ok": False, "error": "internal_error"}},
            UnavailableError,
            "internal_error",
        ),
        ({"status": 200, "body": "<html>"}, UnavailableError, "Slack"),
        (
            {"status": 200, "body": {"ok": False, "error": "token_revoked"}},
            AuthError,
            "token_revoked",
        ),
        (
            {
                "status": 200,
                "body": {"ok": False, "error": "missing_scope", "needed": "chat:write"},
            },
            AuthError,
            "needed: chat:write",
        ),
        (
            {"status": 200, "body": {"ok": False, "error": "is_archived"}},
            NotFoundError,
            "invite the bot",
        ),
        (
            {"status": 200, "body": {"ok": False, "error": "message_limit_exceeded"}},
            RateLimitedError,
            "message_limit_exceeded",
        ),
        (
            {"status": 200, "body": {"ok": False, "error": "msg_too_long"}},
            RejectedError,
            "msg_too_long",
        ),
    ],
)
def test_each_answer_is_named_by_what_to_do(
    slack: SlackStandIn,
    notifier: SlackNotifier,
    fault: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    slack.faults.add("chat.postMessage", "status", **fault)
    with pytest.raises(error) as caught:
        notifier.deliver(message())
    assert text in str(caught.value)
    assert "xoxb" not in str(caught.value)
    assert slack.calls["chat.postMessage"] == 1
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after_seconds == (30 if "headers" in fault else None)


@pytest.mark.parametrize("kind", ["drop_request", "drop_reply", "truncate"])
def test_a_cut_line_is_unavailable(slack: SlackStandIn, notifier: SlackNotifier, kind: Any) -> None:
    slack.faults.add("chat.postMessage", kind)
    with pytest.raises(UnavailableError):
        notifier.deliver(message())


def test_files_updates_and_the_check(slack: SlackStandIn, notifier: SlackNotifier) -> None:
    receipt = notifier.upload("report <1>.xlsx", b"bytes", "October", comment=PING)
    assert (receipt.status, slack.files[0]["name"], slack.files[0]["channel"]) == (
        "uploaded",
        "report <1>.xlsx",
        CHANNEL,
    )
    post = notifier.deliver(message())
    notifier.update(str(post.provider_id), message(title="changed"))
    assert slack.posts[0]["text"] == "changed"
    assert notifier.check().works
    assert len(slack.posts) == 1
    assert not SlackNotifier("wrong", "#support", base_url=slack.api_url).check().works
    with pytest.raises(NotFoundError, match="sees no channel #nowhere"):
        SlackNotifier("xoxb-1", "#nowhere", base_url=slack.api_url).upload("a", b"b", "c")
