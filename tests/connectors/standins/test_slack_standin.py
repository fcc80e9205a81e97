"""The local Slack answers as the documents say: limits, metadata, threads, files, refusals with 200."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from slack_sdk import WebClient

from connectors.standins.slack import SlackStandIn

CHANNEL = "C0SUPPORT1"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as client:
        client.trust_env = False
        client.headers["Authorization"] = "Bearer xoxb-1"
        yield client


def call(
    session: requests.Session, slack: SlackStandIn, method: str, **arguments: Any
) -> dict[str, Any]:
    answer = session.post(f"{slack.api_url}{method}", json=arguments)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_post_has_a_rising_ts_and_metadata_comes_back_only_when_asked(
    session: requests.Session,
) -> None:
    with SlackStandIn(posts_per_second=100) as slack:
        metadata = {"event_type": "t", "event_payload": {"key": "k1", "action": "trigger"}}
        first = call(
            session, slack, "chat.postMessage", channel="#support", text="one", metadata=metadata
        )
        second = call(session, slack, "chat.postMessage", channel=CHANNEL, text="two")
        assert first["channel"] == CHANNEL
        assert first["ts"] < second["ts"]
        reply = call(
            session, slack, "chat.postMessage", channel=CHANNEL, text="r", thread_ts=first["ts"]
        )
        plain = call(session, slack, "conversations.history", channel=CHANNEL)
        assert [m["text"] for m in plain["messages"]] == ["two", "one"], (
            "newest first, no thread replies"
        )
        assert plain["messages"][1]["metadata"] == {"event_type": "t"}
        full = call(
            session,
            slack,
            "conversations.history",
            channel=CHANNEL,
            include_all_metadata=True,
            limit=1,
        )
        assert full["has_more"]
        rest = call(
            session,
            slack,
            "conversations.history",
            channel=CHANNEL,
            include_all_metadata=True,
            cursor=full["response_metadata"]["next_cursor"],
        )
        assert rest["messages"][0]["metadata"] == metadata
        thread = call(session, slack, "conversations.replies", channel=CHANNEL, ts=first["ts"])
        assert [m["ts"] for m in thread["messages"]] == [first["ts"], reply["ts"]]
        assert [p["text"] for p in slack.with_key("k1")] == ["one"]
        call(session, slack, "chat.update", channel=CHANNEL, ts=second["ts"], text="changed")
        assert slack.posts[1]["text"] == "changed"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        (
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2_001}]}]},
            "invalid_blocks",
        ),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_000}}] * 5},
            "msg_blocks_too_long",
        ),
        ({"text": "x", "metadata": {"event_type": "t"}}, "invalid_metadata_format"),
    ],
)
def test_refusals_are_ok_false_with_200(
    session: requests.Session, arguments: dict[str, Any], error: str
) -> None:
    with SlackStandIn() as slack:
        answer = call(session, slack, "chat.postMessage", **{"channel": CHANNEL, **arguments})
        assert (answer["ok"], answer["error"]) == (False, error)
        assert slack.posts == []


def test_tokens_and_scopes_are_checked(session: requests.Session) -> None:
    with SlackStandIn(tokens=["xoxb-1"], scopes=["chat:write"]) as slack:
        assert call(session, slack, "auth.test")["ok"]
        assert (
            call(session, slack, "conversations.history", channel=CHANNEL)["error"]
            == "missing_scope"
        )
        session.headers["Authorization"] = "Bearer xoxb-2"
        assert call(session, slack, "auth.test")["error"] == "invalid_auth"
        del session.headers["Authorization"]
        assert call(session, slack, "auth.test")["error"] == "not_authed"


def test_a_channel_takes_a_short_burst_and_then_one_a_second(session: requests.Session) -> None:
    with SlackStandIn(channels={CHANNEL: "support", "C0SUPPORT2": "other"}, time_scale=5) as slack:
        url = f"{slack.api_url}chat.postMessage"
        statuses = [
            session.post(url, json={"channel": CHANNEL, "text": "x"}).status_code for _ in range(6)
        ]
        assert statuses == [200] * 5 + [429]
        refused = session.post(url, json={"channel": CHANNEL, "text": "x"})
        assert refused.json() == {"ok": False, "error": "ratelimited"}
        assert 0 < float(refused.headers["Retry-After"]) <= 1
        assert session.post(url, json={"channel": "C0SUPPORT2", "text": "x"}).status_code == 200


def test_the_sdk_uploads_a_file_in_its_three_steps() -> None:
    with SlackStandIn() as slack:
        client = WebClient("xoxb-1", base_url=slack.api_url)
        client.files_upload_v2(
            channel=CHANNEL, filename="r.xlsx", title="Report", content=b"\x00\xffbytes"
        )
        assert [(f["name"], f["title"], f["content"], f["channel"]) for f in slack.files] == [
            ("r.xlsx", "Report", b"\x00\xffbytes", CHANNEL)
        ]


def test_posts_survive_a_restart_and_ts_goes_on_rising(
    tmp_path: Path, session: requests.Session
) -> None:
    with SlackStandIn(folder=tmp_path) as slack:
        first = call(session, slack, "chat.postMessage", channel=CHANNEL, text="one")
        call(session, slack, "chat.update", channel=CHANNEL, ts=first["ts"], text="one, changed")
    with SlackStandIn(folder=tmp_path) as again:
        second = call(session, again, "chat.postMessage", channel=CHANNEL, text="two")
        assert [p["text"] for p in again.posts] == ["one, changed", "two"]
        assert second["ts"] > first["ts"]
        lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
        assert [json.loads(line)["kind"] for line in lines] == ["post", "update", "post"]
