"""The local PagerDuty answers as the documents say: keys, limits, refusals, and it remembers over a restart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.standins.pagerduty import PagerDutyStandIn

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as client:
        client.trust_env = False
        yield client


def event(action: str = "trigger", key: str | None = "k1", **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"routing_key": KEY, "event_action": action}
    if key is not None:
        body["dedup_key"] = key
    if action == "trigger":
        body["payload"] = {"summary": "down", "source": "acme", "severity": "critical"}
    return body | changes


def payload(**changes: Any) -> dict[str, Any]:
    return {"summary": "down", "source": "acme", "severity": "critical"} | changes


def test_an_open_key_gets_log_entries_and_a_resolved_one_a_new_incident(
    session: requests.Session,
) -> None:
    with PagerDutyStandIn() as pager:
        url = f"{pager.base_url}/v2/enqueue"
        for action in (
            "trigger",
            "trigger",
            "acknowledge",
            "trigger",
            "resolve",
            "acknowledge",
            "trigger",
        ):
            answer = session.post(url, json=event(action))
            assert answer.status_code == 202
            assert answer.json()["dedup_key"] == "k1"
        session.post(url, json=event(routing_key=OTHER))
        first, second, elsewhere = pager.of_key("k1")
        assert first.log == ["trigger", "trigger", "acknowledge", "trigger", "resolve"]
        assert (first.status, first.notifications) == ("resolved", 1)
        assert (second.log, second.status) == (["trigger"], "triggered")
        assert elsewhere.routing_key == OTHER
        generated = session.post(url, json=event(key=None)).json()["dedup_key"]
        assert pager.of_key(generated)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (event(routing_key="short"), "32 characters"),
        (event(event_action="note"), "event_action"),
        (event("resolve", key=None), "dedup_key"),
        (event(key="k" * 256), "dedup_key"),
        (event(payload=payload(summary="x" * 1_025)), "summary"),
        (event(payload=payload(summary="😀" * 513)), "summary"),
        (event(payload=payload(summary=" ")), "summary"),
        (event(payload=payload(severity="high")), "severity"),
        (event(payload=payload(source="")), "source"),
        (event(payload=None), "payload"),
        (event(links=[{"href": "javascript:alert(1)"}]), "links"),
        ([], "object"),
    ],
)
def test_what_the_documents_forbid_is_a_400_that_says_why(
    session: requests.Session, body: Any, error: str
) -> None:
    with PagerDutyStandIn() as pager:
        answer = session.post(f"{pager.base_url}/v2/enqueue", json=body)
        assert answer.status_code == 400
        assert answer.json()["status"] == "invalid event"
        assert error in answer.json()["errors"][0]
        assert pager.incidents == []


def test_edges_of_the_limits_are_taken(session: requests.Session) -> None:
    with PagerDutyStandIn(routing_keys=[KEY]) as pager:
        url = f"{pager.base_url}/v2/enqueue"
        assert session.post(url, json=event(key="k" * 255, payload=payload(summary="x" * 1_024))).ok
        assert session.post(url, json=event(routing_key=OTHER)).json()["errors"] == [
            "Invalid routing key"
        ]
        big = event(payload=payload(custom_details={"x": "y" * 600_000}))
        assert session.post(url, json=big).status_code == 413
        assert session.post(url, data=b"{").status_code == 400


def test_the_hundred_and_twenty_first_event_of_a_minute_is_throttled(
    session: requests.Session,
) -> None:
    with PagerDutyStandIn(time_scale=60, events_per_minute=5, tells_retry_after=True) as pager:
        url = f"{pager.base_url}/v2/enqueue"
        statuses = [session.post(url, json=event(key=f"k{n}")).status_code for n in range(6)]
        assert statuses == [202] * 5 + [429]
        refused = session.post(url, json=event(key="k9"))
        assert refused.json()["status"] == "throttle exceeded"
        assert 0 < float(refused.headers["Retry-After"]) <= 1
        assert session.post(url, json=event(routing_key=OTHER)).status_code == 202
        assert len(pager.incidents) == 6
    with PagerDutyStandIn(events_per_minute=1) as silent:
        url = f"{silent.base_url}/v2/enqueue"
        session.post(url, json=event())
        assert "Retry-After" not in session.post(url, json=event()).headers


def test_incidents_survive_a_restart_and_can_be_read_back(
    tmp_path: Path, session: requests.Session
) -> None:
    with PagerDutyStandIn(folder=tmp_path) as pager:
        for action in ("trigger", "acknowledge"):
            session.post(f"{pager.base_url}/v2/enqueue", json=event(action))
        session.post(
            f"{pager.base_url}/v2/change/enqueue",
            json={"routing_key": KEY, "payload": {"summary": "moved"}},
        )
    with PagerDutyStandIn(folder=tmp_path) as again:
        assert [i.status for i in again.incidents] == ["acknowledged"]
        assert [c["payload"]["summary"] for c in again.changes] == ["moved"]
        session.post(f"{again.base_url}/v2/enqueue", json=event())
        assert again.of_key("k1")[0].log == ["trigger", "acknowledge", "trigger"]
        url = f"{again.base_url}/incidents"
        assert session.get(url).status_code == 401
        found = session.get(
            url, params={"incident_key": "k1"}, headers={"Authorization": "Token token=x"}
        )
        assert [i["status"] for i in found.json()["incidents"]] == ["acknowledged"]
