"""The further streams of the Zendesk source against its stand-in: late rows, what vanished, what an account lacks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.contract import Page
from connectors.errors import AuthError, UnavailableError
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_product_sample import SIDE_ID, rich_account
from connectors.standins.zendesk_sample import AGENT, NOW, Clock, account, stamp
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.raw import latest_records, store_page, stream_state
from connectors.zendesk.account import open_session
from connectors.zendesk.source import ZendeskSource
from connectors.zendesk.streams import FURTHER, ticket_of_survey


@contextmanager
def opened(clock: Clock, data: dict[str, Any] | None = None, **options: Any) -> Iterator[Any]:
    """A stand-in and a source of it, whose waits take no time."""
    token = options.pop("source_token", None)
    with ZendeskStandin(
        rich_account() if data is None else data,
        now=clock,
        exports_per_minute=10_000,
        calls_per_minute=10_000,
        **options,
    ) as zendesk:
        session = open_session(
            zendesk.base_url,
            zendesk.email,
            token or zendesk.token,
            label="client acme, source zendesk",
            sleep=lambda _seconds: None,
            wall_clock=clock,
        )
        with session:
            yield (
                zendesk,
                ZendeskSource(
                    base_url=zendesk.base_url, email="", token="", session=session, now=clock
                ),
            )


def pulled(source: ZendeskSource, stream: str, cursor: Any = None) -> tuple[list[str], Any]:
    """Remote ids of a stream's own records, and the cursor behind them (as it comes back from the database)."""
    pages = list(source.pull(stream, cursor))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    own = [r.remote_id for page in pages for r in page.records if r.stream == stream]
    return own, json.loads(json.dumps(pages[-1].cursor))


def bodies(page: Page) -> list[dict[str, Any]]:
    return [json.loads(record.payload) for record in page.records]


def test_metric_events_when_recorded_late_or_withdrawn_then_come_with_a_later_pull() -> None:
    clock = Clock(NOW - timedelta(days=2) + timedelta(hours=2))
    with opened(clock) as (zendesk, source):
        rows = zendesk.products.rows["ticket_metric_events"]
        first, cursor = pulled(source, "ticket_metric_events")
        assert len(first) == 9
        rows.append(
            {**rows[3], "id": 910, "type": "pause", "recorded_at": clock().timestamp() + 600}
        )
        rows[2]["deleted"] = True
        clock.move(1_000)
        (page,) = source.pull("ticket_metric_events", cursor)
        again = {body["id"]: body for body in bodies(page)}
        assert 910 in again
        assert again[503]["deleted"] is True
        assert {record.ticket_remote_id for record in page.records} == {"1001"}


def test_metric_events_when_large_pages_are_refused_then_are_read_in_small_ones() -> None:
    data = rich_account()
    first = data["ticket_metric_events"][0]
    data["ticket_metric_events"] += [{**first, "id": 2_000 + n} for n in range(300)]
    clock = Clock()
    with opened(clock, data, has_large_metric_pages=False) as (zendesk, source):
        found, cursor = pulled(source, "ticket_metric_events")
        assert len(set(found)) == 309
        # Refused once, then four pages of a hundred.
        assert zendesk.calls["metric_events_export"] == 5
    with opened(clock, data) as (zendesk, source):
        assert pulled(source, "ticket_metric_events")[0] == found
        assert zendesk.calls["metric_events_export"] == 1
        del cursor


def test_metric_events_when_cut_after_any_page_then_go_on_behind_it() -> None:
    data = rich_account()
    first = data["ticket_metric_events"][0]
    data["ticket_metric_events"] += [{**first, "id": 2_000 + n} for n in range(300)]
    with opened(Clock(), data, has_large_metric_pages=False) as (_zendesk, source):
        whole = list(source.pull("ticket_metric_events", None))
        assert len(whole) == 4
        for cut in range(3):
            cursor = json.loads(json.dumps(whole[cut].cursor))
            rest = list(source.pull("ticket_metric_events", cursor))
            seen = [r.remote_id for p in (*whole[: cut + 1], *rest) for r in p.records]
            assert len(seen) == len(set(seen)) == 309


def test_surveys_when_answered_weeks_later_then_are_read_again_once_an_hour() -> None:
    clock = Clock()
    with opened(clock) as (zendesk, source):
        first, cursor = pulled(source, "survey_responses")
        assert len(first) == 3
        calls = zendesk.calls["survey_responses"]
        assert pulled(source, "survey_responses", cursor) == ([], cursor)
        assert zendesk.calls["survey_responses"] == calls

        # Nobody pulls for three weeks; the one that was sent and not answered is answered on the last day.
        clock.move(21 * 86_400)
        waiting = zendesk.products.rows["survey_responses"][2]
        waiting["answers"] = [{"type": "rating_scale", "rating": 5, "updated_at": stamp(clock())}]
        (page,) = source.pull("survey_responses", cursor)
        answered = next(body for body in bodies(page) if body["id"] == waiting["id"])
        assert answered["answers"] == waiting["answers"]

        # Sent longer ago than it can be changed: asked for no more.
        clock.move(32 * 86_400)
        later, cursor = pulled(source, "survey_responses", page.cursor)
        clock.move(3_601)
        assert (len(later), pulled(source, "survey_responses", cursor)[0]) == (3, [])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"subjects": [{"type": "conversation", "id": "c"}, {"type": "ticket", "id": 7}]}, "7"),
        ({"subject_zrns": ["zen:conversation:4295a81b", "zen:ticket:123"]}, "123"),
        ({"subject_zrns": ["zrn:ticket:99"]}, "99"),
        ({"subject_zrns": ["zen:ticket_event:5", None, 3]}, None),
        ({"subjects": None, "subject_zrns": "zen"}, None),
    ],
)
def test_survey_belongs_to_the_ticket_among_its_subjects(
    body: dict[str, Any], expected: str | None
) -> None:
    assert ticket_of_survey(body) == expected


def test_membership_when_it_vanishes_from_the_list_then_is_a_tombstone_once() -> None:
    with opened(Clock()) as (zendesk, source):
        first, cursor = pulled(source, "group_memberships")
        assert first == ["61", "62"]
        del zendesk.products.rows["group_memberships"][1]
        (page,) = source.pull("group_memberships", cursor)
        assert [(r.remote_id, r.is_tombstone) for r in page.records] == [
            ("61", False),
            ("62", True),
        ]
        assert pulled(source, "group_memberships", page.cursor)[0] == ["61"]


def test_memberships_when_cut_between_pages_then_nothing_is_taken_for_vanished() -> None:
    data = rich_account()
    data["group_memberships"] = [{"id": n, "group_id": 41, "user_id": AGENT} for n in range(250)]
    with opened(Clock(), data) as (_zendesk, source):
        whole = list(source.pull("group_memberships", None))
        assert len(whole) == 3
        for cut in range(2):
            rest = list(source.pull("group_memberships", json.loads(json.dumps(whole[cut].cursor))))
            assert not any(r.is_tombstone for page in rest for r in page.records)
            assert sorted(rest[-1].cursor["known"]) == list(range(250))


def test_suspended_ticket_when_forgotten_by_the_vendor_then_is_no_deletion() -> None:
    with opened(Clock()) as (zendesk, source):
        first, cursor = pulled(source, "suspended_tickets")
        assert first == ["435"]
        (page,) = source.pull("suspended_tickets", None)
        assert page.records[0].ticket_remote_id == "suspended-435"
        zendesk.products.rows["suspended_tickets"].clear()
        assert pulled(source, "suspended_tickets", cursor)[0] == []


def test_small_lists_are_read_whole_inactive_rows_too() -> None:
    with opened(Clock()) as (_zendesk, source):
        found = {name: pulled(source, name)[0] for name in ("custom_statuses", "ticket_fields")}
        assert found == {"custom_statuses": ["701", "702", "703"], "ticket_fields": ["801", "802"]}


def test_users_carry_their_identities() -> None:
    with opened(Clock()) as (_zendesk, source):
        (page,) = source.pull("users", None)
        by_id = {body["id"]: body["identities"] for body in bodies(page)}
        assert [one["value"] for one in by_id[11]] == [
            "ayse@customer.example",
            "ayse.privately@home.example",
            "+902120000000",
        ]
        assert by_id[AGENT] == []


def test_ordinary_tickets_when_synced_then_cost_no_call_of_their_own() -> None:
    with opened(Clock(), account(400)) as (zendesk, source):
        for stream in source.streams:
            list(source.pull(stream, None))
        own = ("side_conversations", "conversation_log", "audits", "comments", "ticket")
        assert {name: zendesk.calls[name] for name in own} == dict.fromkeys(own, 0)


def test_conversations_when_a_row_names_them_then_come_in_its_page_one_call_a_ticket() -> None:
    with opened(Clock()) as (zendesk, source):
        (events,) = source.pull("ticket_events", None)
        (side,) = [r for r in events.records if r.stream == "side_conversations"]
        assert (side.remote_id, side.ticket_remote_id) == (SIDE_ID, "1001")
        assert [e["id"] for e in json.loads(side.payload)["events"]] == ["e1", "e2", "e3"]
        (tickets,) = source.pull("tickets", None)
        log = [r for r in tickets.records if r.stream == "conversation_log"]
        assert [(r.remote_id, r.ticket_remote_id) for r in log] == [("m1", "1002"), ("m2", "1002")]
        assert zendesk.calls["side_conversations"] == zendesk.calls["conversation_log"] == 1
        assert (events.calls, tickets.calls) == (2, 2)
        assert [page.records for page in source.pull("side_conversations", None)] == [[]]


def test_side_conversations_when_many_then_every_page_is_read() -> None:
    data = rich_account()
    (one,) = data["side_conversations"]
    data["side_conversations"] = [{**one, "id": f"side-{n}", "events": []} for n in range(230)]
    with opened(Clock(), data) as (zendesk, source):
        (page,) = source.pull("ticket_events", None)
        found = {r.remote_id for r in page.records if r.stream == "side_conversations"}
        assert (len(found), zendesk.calls["side_conversations"]) == (230, 3)


def test_conversations_when_they_fail_for_now_then_the_page_is_not_given() -> None:
    with opened(Clock()) as (zendesk, source):
        zendesk.faults.add("side_conversations", "status", status=503, times=None)
        with pytest.raises(UnavailableError):
            list(source.pull("ticket_events", None))
    with opened(Clock()) as (zendesk, source):
        zendesk.faults.add("side_conversations", "status", status=404, times=1)
        (page,) = source.pull("ticket_events", None)
        assert {r.stream for r in page.records} == {"ticket_events"}


def test_account_without_any_further_product_has_empty_streams() -> None:
    lacks = [*FURTHER, "ticket_metric_events"]
    with opened(Clock(), lacks=lacks, has_ratings=False) as (zendesk, source):
        for stream in FURTHER:
            if stream != "ticket_fields":
                assert pulled(source, stream)[0] == [], stream
        assert pulled(source, "tickets")[0]
        assert pulled(source, "ticket_events")[0]
        # Refused once, the product is not asked for again.
        assert zendesk.calls["conversation_log"] == zendesk.calls["side_conversations"] == 1
        list(source.pull("ticket_events", None))
        assert zendesk.calls["side_conversations"] == 1


@pytest.mark.parametrize("stream", ["survey_responses", "ticket_metric_events", "brands"])
def test_wrong_token_is_no_missing_product(stream: str) -> None:
    with (
        opened(Clock(), source_token="wrong") as (_zendesk, source),
        pytest.raises(AuthError),
    ):
        list(source.pull(stream, None))


def test_page_with_records_of_other_streams_when_stored_then_all_are_there(engine: Engine) -> None:
    """Also where the other stream was never pulled; and a second time nothing is new."""
    with opened(Clock()) as (_zendesk, source):
        (page,) = source.pull("ticket_events", None)
        stored = []
        for sequence in range(2):
            with writing(engine) as connection:
                done = store_page(
                    connection,
                    "acme",
                    "zendesk",
                    "ticket_events",
                    page,
                    sequence=sequence,
                    fetched_at=NOW,
                )
            stored.append((done.seen, done.stored))
        assert stored == [(10, 10), (10, 0)]
        with reading(engine) as connection:
            (side,) = latest_records(connection, "acme", "zendesk", "side_conversations")
            state = stream_state(connection, "acme", "zendesk", "side_conversations")
        assert side.remote_id == SIDE_ID
        (empty,) = source.pull("side_conversations", state.cursor)
        with writing(engine) as connection:
            store_page(
                connection,
                "acme",
                "zendesk",
                "side_conversations",
                empty,
                sequence=state.sequence,
                fetched_at=NOW,
            )
