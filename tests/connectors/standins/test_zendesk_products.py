"""The Zendesk stand-in's further products, asked with plain requests."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_product_sample import SIDE_ID, rich_account
from connectors.standins.zendesk_sample import NOW, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zendesk(clock: Clock) -> Iterator[ZendeskStandin]:
    with ZendeskStandin(rich_account(), now=clock, time_scale=1000) as standin:
        yield standin


def get(zendesk: ZendeskStandin, path: str, **params: Any) -> requests.Response:
    return requests.get(
        f"{zendesk.base_url}/api/v2/{path}",
        params=params,
        auth=(f"{zendesk.email}/token", zendesk.token),
        timeout=10,
    )


def test_metric_events_when_paged_then_come_in_order_each_once(zendesk: ZendeskStandin) -> None:
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"start_time": 0, "page[size]": 4}
    while True:
        body = get(zendesk, "incremental/ticket_metric_events", **params).json()
        found += body["ticket_metric_events"]
        if not body["meta"]["has_more"]:
            break
        params["page[after]"] = body["meta"]["after_cursor"]
    assert sorted(row["id"] for row in found) == list(range(501, 510))
    assert [row["time"] for row in found] == sorted(row["time"] for row in found)


def test_metric_events_when_recorded_late_then_show_later_under_their_old_time(
    zendesk: ZendeskStandin, clock: Clock
) -> None:
    late = {**zendesk.products.rows["ticket_metric_events"][2], "id": 900}
    late["recorded_at"] = NOW.timestamp()
    zendesk.products.rows["ticket_metric_events"].append(late)
    path = "incremental/ticket_metric_events.json"
    before = get(zendesk, path, start_time=0).json()["ticket_metric_events"]
    clock.move(61)
    after = get(zendesk, path, start_time=0).json()["ticket_metric_events"]
    assert 900 not in {row["id"] for row in before}
    assert next(row for row in after if row["id"] == 900)["time"] == late["time"]
    assert all("recorded_at" not in row for row in after)


def test_metric_events_when_the_account_keeps_to_the_documents_then_large_pages_are_refused(
    clock: Clock,
) -> None:
    with ZendeskStandin(rich_account(), now=clock, has_large_metric_pages=False) as zendesk:
        params = {"start_time": 0, "page[size]": 1_000}
        assert get(zendesk, "incremental/ticket_metric_events", **params).status_code == 400
        params["page[size]"] = 100
        assert get(zendesk, "incremental/ticket_metric_events", **params).status_code == 200


def test_metric_events_count_against_the_exports_limit(clock: Clock) -> None:
    with ZendeskStandin(rich_account(), now=clock, exports_per_minute=2) as zendesk:
        answers = [get(zendesk, "incremental/ticket_metric_events", start_time=0) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_surveys_when_asked_from_an_instant_on_then_are_those_offered_since(
    zendesk: ZendeskStandin,
) -> None:
    def asked(since: float) -> list[str]:
        params = {"filter[created_at_start]": int(since * 1_000), "page[size]": 50, "sort": "id"}
        body = get(zendesk, "guide/survey_responses", **params).json()
        assert all("offered_at" not in row for row in body["survey_responses"])
        return [row["id"][-1] for row in body["survey_responses"]]

    offered = [row["offered_at"] for row in zendesk.products.rows["survey_responses"]]
    assert asked(0) == ["W", "X", "Y"]
    assert asked(max(offered)) == ["X"]
    assert asked(max(offered) + 1) == []


def test_side_conversations_when_asked_with_events_then_these_stand_beside(
    zendesk: ZendeskStandin,
) -> None:
    plain = get(zendesk, "tickets/1001/side_conversations").json()
    assert [row["id"] for row in plain["side_conversations"]] == [SIDE_ID]
    assert "events" not in plain and "events" not in plain["side_conversations"][0]
    whole = get(zendesk, "tickets/1001/side_conversations.json", include="events").json()
    assert [event["id"] for event in whole["events"]] == ["e1", "e2", "e3"]
    assert get(zendesk, "tickets/1002/side_conversations").json()["side_conversations"] == []
    assert get(zendesk, "tickets/9/side_conversations").status_code == 404


def test_conversation_log_is_of_one_ticket(zendesk: ZendeskStandin) -> None:
    body = get(zendesk, "tickets/1002/conversation_log").json()
    assert [event["type"].partition(":")[0] for event in body["events"]] == [
        "Messaging",
        "Messaging",
        "Comment",
    ]
    assert get(zendesk, "tickets/1003/conversation_log").json()["events"] == []


def test_users_when_identities_are_asked_for_then_stand_beside(zendesk: ZendeskStandin) -> None:
    path = "incremental/users/cursor"
    assert "identities" not in get(zendesk, path, start_time=0).json()
    body = get(zendesk, path, start_time=0, include="identities").json()
    assert [one["id"] for one in body["identities"]] == [71, 72, 73]
    assert len(body["users"]) == 3


def test_small_lists_are_paged_but_those_that_the_documents_give_whole(
    zendesk: ZendeskStandin,
) -> None:
    members = get(zendesk, "group_memberships", **{"page[size]": 1}).json()
    assert (len(members["group_memberships"]), members["meta"]["has_more"]) == (1, True)
    statuses = get(zendesk, "custom_statuses", **{"page[size]": 1}).json()
    assert (len(statuses["custom_statuses"]), statuses["next_page"]) == (3, None)
    assert "meta" not in statuses


def test_product_that_the_account_lacks_is_refused(clock: Clock) -> None:
    lacks = ["survey_responses", "side_conversations"]
    with ZendeskStandin(rich_account(), now=clock, lacks=lacks) as zendesk:
        assert get(zendesk, "guide/survey_responses").status_code == 403
        assert get(zendesk, "tickets/1001/side_conversations").status_code == 403
        assert get(zendesk, "suspended_tickets").status_code == 200


def test_deleted_ticket_has_no_conversations(zendesk: ZendeskStandin) -> None:
    zendesk.scrub(1001)
    assert get(zendesk, "tickets/1001/side_conversations").status_code == 404
