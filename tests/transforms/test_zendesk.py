"""Zendesk's raw records in the unified model: hand-worked tickets, faults in the data, speed."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.model import PRIORITIES, STATUSES, Batch, RawRecord
from transforms.zendesk import normalise

CUSTOMER, AGENT, ADMIN = 11, 21, 22


def raw(stream: str, *bodies: Mapping[str, Any]) -> list[RawRecord]:
    return [
        RawRecord(
            stream,
            str(body.get("id")),
            json.dumps(body).encode(),
            ticket_remote_id=str(body.get("ticket_id", body.get("id"))),
        )
        for body in bodies
    ]


USERS = raw(
    "users",
    {"id": CUSTOMER, "role": "end-user", "name": "Ayşe Ünal", "email": "ayse@customer.example",
     "phone": "+90 212 000 00 00", "iana_time_zone": "Europe/Istanbul", "organization_id": 31},
    {"id": AGENT, "role": "agent", "name": "Boris", "email": "boris@acme.example"},
    {"id": ADMIN, "role": "admin", "name": "Root", "active": False},
)  # fmt: skip


def ticket(**fields: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "subject": "No network",
        "status": "open",
        "priority": "urgent",
        "created_at": "2026-03-02T08:00:00Z",
        "updated_at": "2026-03-02T10:00:00Z",
        "requester_id": CUSTOMER,
        "group_id": 41,
        "assignee_id": AGENT,
        "via": {"channel": "email"},
        "tags": ["network"],
        **fields,
    }


def event(
    number: int, at: str, *children: Mapping[str, Any], updater: int = AGENT, **more: Any
) -> dict[str, Any]:
    return {
        "id": number,
        "ticket_id": 1,
        "created_at": at,
        "timestamp": 0,
        "updater_id": updater,
        "via": "Web form",
        "event_type": "Audit",
        "child_events": [
            {"id": number * 100 + index, **child} for index, child in enumerate(children)
        ],
        **more,
    }


def comment(text: str, **fields: Any) -> dict[str, Any]:
    return {
        "event_type": "Comment",
        "type": "Comment",
        "body": text,
        "html_body": f"<p>{text}</p>",
        "public": True,
        "author_id": CUSTOMER,
        "attachments": [],
        **fields,
    }


def run(
    tickets: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]] = (), **options: Any
) -> Batch:
    streams = {
        "users": USERS,
        "tickets": raw("tickets", *tickets),
        "ticket_events": raw("ticket_events", *events),
        "satisfaction_ratings": options.pop("ratings", []),
    }
    return normalise(streams, base_url="https://acme.zendesk.example", **options)


CREATION = event(
    100,
    "2026-03-02T08:00:00Z",
    comment("It is down"),
    {"event_type": "Create", "status": "new"},
    {"event_type": "Create", "priority": "normal"},
    updater=CUSTOMER,
    via="Mail",
)
ANSWER = event(
    200,
    "2026-03-02T08:30:00Z",
    comment("On it", author_id=AGENT, attachments=[
        {"id": 7, "file_name": "log.txt", "content_type": "text/plain", "size": 12,
         "content_url": "https://acme.zendesk.example/attachments/7"}]),
    {"event_type": "Change", "status": "open", "previous_value": "new"},
    {"event_type": "Change", "priority": "urgent", "previous_value": "normal"},
    {"event_type": "Change", "assignee_id": str(AGENT), "previous_value": None},
    {"event_type": "Change", "group_id": "41", "previous_value": None, "via": "Rule"},
)  # fmt: skip


def test_ticket_with_history_gives_the_hand_worked_records() -> None:
    batch = run([ticket()], [ANSWER, CREATION])
    (only,) = batch.tickets
    assert (only.status, only.source_status, only.priority) == ("open", "open", "critical")
    assert (only.channel, only.url) == ("email", "https://acme.zendesk.example/agent/tickets/1")
    assert only.created_at == datetime(2026, 3, 2, 8, tzinfo=UTC)
    first, second = batch.comments
    assert (first.author_kind, first.text, first.is_public) == ("customer", "It is down", True)
    assert (second.author_kind, second.remote_id) == ("agent", "20000")
    assert second.attachments[0].file_name == "log.txt"
    assert second.attachments[0].remote_url == "https://acme.zendesk.example/attachments/7"
    assert [
        (c.field, c.old_value, c.new_value, c.occurred_at.minute, c.position, c.actor_kind)
        for c in batch.changes
    ] == [
        ("status", None, "new", 0, 0, "customer"),
        ("priority", None, "medium", 0, 1, "customer"),
        ("status", "new", "open", 30, 0, "agent"),
        ("priority", "medium", "critical", 30, 1, "agent"),
        ("assignee", None, "21", 30, 2, "agent"),
        ("team", None, "41", 30, 3, "bot"),
    ]
    assert not batch.warnings
    assert not batch.rejected


def test_audit_shape_of_changes_gives_the_same_as_the_export_shape() -> None:
    child = {"type": "Change", "field_name": "status", "value": "hold", "previous_value": "open"}
    batch = run([ticket(status="hold")], [CREATION, event(300, "2026-03-02T09:00:00Z", child)])
    assert [(c.old_value, c.new_value) for c in batch.changes if c.field == "status"] == [
        (None, "new"),
        ("open", "on_hold"),
    ]


def test_people_organisations_and_teams_when_read_then_keep_role_and_activity() -> None:
    batch = normalise(
        {
            "users": USERS,
            "organizations": raw("organizations", {"id": 31, "name": "Ünal A.Ş.", "domain_names": ["customer.example"]}),
            "groups": raw("groups", {"id": 41, "name": "Support"}),
        }
    )  # fmt: skip
    assert [(p.is_agent, p.is_active) for p in batch.people] == [
        (False, True),
        (True, True),
        (True, False),
    ]
    assert batch.people[0].time_zone == "Europe/Istanbul"
    assert batch.organisations[0].domains == ("customer.example",)
    assert batch.teams[0].name == "Support"


@pytest.mark.parametrize(
    ("fields", "updater", "more", "kind"),
    [
        ({"author_id": -1}, AGENT, {}, "bot"),
        ({"author_id": AGENT, "via": {"channel": "rule", "source": {"rel": "trigger"}}}, AGENT, {}, "bot"),
        ({"author_id": AGENT}, AGENT, {"metadata": {"custom": {"deskbridge": "1"}}}, "bridge"),
        ({"author_id": AGENT}, AGENT, {"metadata": {"custom": {"other": "1"}}}, "agent"),
        ({"author_id": ADMIN}, ADMIN, {}, "agent"),
        ({"author_id": 999}, 999, {}, "unknown"),
    ],
)  # fmt: skip
def test_author_kind(fields: dict[str, Any], updater: int, more: dict[str, Any], kind: str) -> None:
    batch = run(
        [ticket()], [event(300, "2026-03-02T09:00:00Z", comment("x", **fields), updater=updater, **more)]
    )  # fmt: skip
    assert batch.comments[0].author_kind == kind
    assert batch.comments[0].is_automatic is (kind in ("bot", "bridge"))


def test_own_login_over_the_api_when_named_then_is_the_bridge_and_else_an_agent() -> None:
    by_api = event(
        300,
        "2026-03-02T09:00:00Z",
        comment("x", author_id=ADMIN, via={"channel": "api"}),
        updater=ADMIN,
        via="Web service",
    )
    assert run([ticket()], [by_api]).comments[0].author_kind == "agent"
    own = run([ticket()], [by_api], bridge_user_ids=[ADMIN])
    assert own.comments[0].author_kind == "bridge"


def test_requester_who_is_an_agent_when_writing_on_the_own_ticket_then_is_the_customer() -> None:
    batch = run(
        [ticket(requester_id=AGENT)],
        [event(300, "2026-03-02T09:00:00Z", comment("x", author_id=AGENT))],
    )
    assert batch.comments[0].author_kind == "customer"


def test_unknown_words_when_met_then_count_as_open_and_none_with_a_warning() -> None:
    batch = run([ticket(status="waiting_for_godot", priority="whenever")])
    assert (batch.tickets[0].status, batch.tickets[0].priority) == ("open", None)
    assert batch.tickets[0].source_status == "waiting_for_godot"
    assert {w.rule for w in batch.warnings} >= {"unknown status", "unknown priority"}
    mapped = run([ticket(status="waiting_for_godot")], status_map={"waiting_for_godot": "on_hold"})
    assert mapped.tickets[0].status == "on_hold"
    assert "unknown status" not in {w.rule for w in mapped.warnings}


def test_merged_ticket_when_the_other_ticket_tells_then_points_to_it() -> None:
    closing = event(
        300,
        "2026-03-02T09:00:00Z",
        comment(
            "This request was closed and merged into request #9", public=False, author_id=AGENT
        ),
        {"event_type": "Change", "status": "closed", "previous_value": "open"},
        via={"channel": "web", "source": {"rel": "merge", "from": {}}},
    )
    merged = ticket(status="closed", tags=["closed_by_merge"])
    alone = run([merged], [CREATION, closing])
    assert (alone.tickets[0].status, alone.tickets[0].merged_into_remote_id) == ("merged", "9")
    assert alone.changes[-1].new_value == "merged"
    other = {
        **event(400, "2026-03-02T09:00:00Z", comment("Request #1 was closed", author_id=AGENT, via={
            "channel": "web", "source": {"rel": "merge", "from": {"ticket_ids": [1]}}})),
        "ticket_id": 10,
    }  # fmt: skip
    both = run([merged, ticket(id=10)], [CREATION, closing, other])
    assert both.tickets[0].merged_into_remote_id == "10"
    assert both.tickets[1].merged_into_remote_id is None


def test_customer_text_about_merging_when_not_a_merge_event_then_is_ignored() -> None:
    lie = event(250, "2026-03-02T08:50:00Z", comment("merged into request #666"), updater=CUSTOMER)
    closing = event(
        300,
        "2026-03-02T09:00:00Z",
        {"event_type": "Change", "status": "closed", "previous_value": "open"},
        via="Merge",
        via_reference_id=9,
    )
    batch = run([ticket(status="closed", tags=["closed_by_merge"])], [CREATION, lie, closing])
    assert batch.tickets[0].merged_into_remote_id == "9"


def test_deleted_ticket_without_an_event_when_read_then_its_history_ends() -> None:
    batch = run([ticket(status="deleted", priority="normal")], [CREATION])
    last = batch.changes[-1]
    assert (last.old_value, last.new_value, last.is_observed) == ("new", "deleted", True)
    assert last.occurred_at == batch.tickets[0].updated_at
    assert not batch.warnings


def test_row_without_events_when_the_export_lags_then_no_comment_is_invented() -> None:
    batch = run([ticket(description="It is down")])
    assert batch.tickets
    assert not batch.comments
    assert [w.rule for w in batch.warnings] == ["no history yet"]


def test_events_without_row_when_read_then_give_a_warning_only() -> None:
    batch = run([], [CREATION])
    assert (batch.comments, batch.changes) == ([], [])
    assert [w.rule for w in batch.warnings] == ["history before ticket"]


def test_row_and_history_when_they_disagree_then_warn() -> None:
    batch = run([ticket(status="solved", priority="low", comment_count=5)], [CREATION, ANSWER])
    assert {w.rule for w in batch.warnings} == {
        "status differs from history",
        "priority differs from history",
        "comments missing",
    }


def test_comment_made_private_later_when_read_then_is_private() -> None:
    change = event(
        300,
        "2026-03-02T09:00:00Z",
        {"event_type": "CommentPrivacyChange", "comment_id": 10000, "public": False},
    )
    assert [c.is_public for c in run([ticket()], [CREATION, change]).comments] == [False]


def test_presence_flags_without_bodies_when_read_then_warn() -> None:
    flags = {"event_type": "Comment", "comment_present": True, "comment_public": True}
    batch = run([ticket()], [event(300, "2026-03-02T09:00:00Z", flags)])
    assert not batch.comments
    assert "comment without text" in {w.rule for w in batch.warnings}


def test_malformed_records_when_met_then_are_rejected_and_the_rest_stays() -> None:
    streams = {
        "users": [RawRecord("users", "1", b"{"), RawRecord("users", "2", b"[]"), *USERS],
        "tickets": raw(
            "tickets",
            ticket(),
            ticket(id=2, created_at=None),
            ticket(id=3, updated_at="yesterday"),
            ticket(id=4, created_at="2026-03-02T08:00:00"),
        ),
        "ticket_events": [
            *raw("ticket_events", CREATION, {**ANSWER, "child_events": None}),
            *raw("ticket_events", event(300, "2026-03-02T09:00:00Z", comment("a", created_at="?"), comment("b", created_at="?"))),
        ],
        "satisfaction_ratings": raw(
            "satisfaction_ratings",
            {"id": 5, "ticket_id": 1, "score": "meh", "created_at": "2026-03-03T00:00:00Z"},
        ),
    }  # fmt: skip
    batch = normalise(streams)
    assert [(r.stream, r.remote_id, r.reason) for r in batch.rejected] == [
        ("users", "1", "not JSON"),
        ("users", "2", "not an object"),
        ("ticket_events", "200", "missing child_events"),
        ("satisfaction_ratings", "5", "unknown score"),
        ("ticket_events", "300", "unreadable created_at"),
        ("tickets", "2", "missing created_at"),
        ("tickets", "3", "unreadable updated_at"),
        ("tickets", "4", "created_at without a zone"),
    ]
    assert len(batch.tickets) == 1
    assert len(batch.comments) == 1


def test_ratings_when_read_then_good_is_five_and_offers_are_none() -> None:
    ratings = raw(
        "satisfaction_ratings",
        {"id": 1, "ticket_id": 1, "score": "good", "comment": "Thanks", "created_at": "2026-03-03T00:00:00Z", "updated_at": "2026-03-04T00:00:00Z"},
        {"id": 2, "ticket_id": 1, "score": "offered", "created_at": "2026-03-03T00:00:00Z"},
        {"id": 3, "ticket_id": 1, "score": "bad", "created_at": "2026-03-03T00:00:00Z"},
    )  # fmt: skip
    batch = run([ticket(satisfaction_rating={"id": 1, "score": "good"})], ratings=ratings)
    assert [(r.score, r.rated_at.day, r.comment) for r in batch.ratings] == [
        (5, 4, "Thanks"),
        (1, 3, None),
    ]


def test_rating_on_the_row_alone_when_the_list_is_not_to_be_had_then_is_taken() -> None:
    scored = event(
        300,
        "2026-03-02T09:00:00Z",
        {"event_type": "Change", "satisfaction_score": "bad", "previous_value": "offered"},
        updater=CUSTOMER,
    )
    batch = run([ticket(satisfaction_rating={"score": "bad"})], [CREATION, ANSWER, scored])
    assert [(r.score, r.rated_at.hour) for r in batch.ratings] == [(1, 9)]
    assert not batch.warnings


def test_one_megabyte_comment_when_read_then_stays_whole() -> None:
    text = "ü" * 1_000_000
    batch = run([ticket()], [event(300, "2026-03-02T09:00:00Z", comment(text))])
    assert batch.comments[0].text == text


def test_html_only_comment_when_read_then_text_is_derived() -> None:
    child = comment("", html_body="<p>Hello<br>there</p>")
    batch = run([ticket()], [event(300, "2026-03-02T09:00:00Z", child)])
    assert batch.comments[0].text.split() == ["Hello", "there"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "via", "source", "from", "rel", "ticket_ids", "channel", "custom", "value", "score"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    changed=st.dictionaries(st.sampled_from([*sorted(set(ticket()) - {'id', 'created_at', 'updated_at'}), "custom_fields", "satisfaction_rating", "comment_count"]), json_values, max_size=4),
    children=st.lists(st.dictionaries(st.sampled_from(["id", "event_type", "type", "status", "priority", "public", "body", "html_body", "attachments", "created_at", "author_id", "via", "data", "field_name", "value", "previous_value", "comment_id"]), json_values | st.sampled_from(["Create", "Change", "Comment"]), max_size=6), max_size=3),
    more=st.dictionaries(st.sampled_from(["updater_id", "via", "metadata", "created_at", "timestamp", "via_reference_id"]), json_values, max_size=3),
)  # fmt: skip
def test_any_payload_when_read_then_never_raises_and_stays_canonical(
    changed: dict[str, Any], children: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    body = {**event(300, "2026-03-02T09:00:00Z", **more), "child_events": children}
    batch = run([{**ticket(), **changed}], [CREATION, body])
    for one in batch.tickets:
        assert one.status in STATUSES
        assert one.priority is None or one.priority in PRIORITIES
    for change in batch.changes:
        if change.field == "status":
            assert change.new_value is None or change.new_value in STATUSES


@pytest.mark.real_data
def test_real_payloads_when_read_then_none_is_rejected(shared_data: Path) -> None:
    folder = shared_data / "tickets" / "api" / "zendesk_go_client" / "GET"

    def bodies(name: str, key: str) -> list[RawRecord]:
        return raw(key, *json.loads((folder / name).read_text("utf-8"))[key])

    audits = json.loads((folder / "ticket_audits.json").read_text("utf-8"))["audits"]
    tickets = bodies("tickets.json", "tickets")
    batch = normalise(
        {
            "users": bodies("users.json", "users"),
            "organizations": bodies("organizations.json", "organizations"),
            "groups": bodies("groups.json", "groups"),
            "tickets": [*tickets, *raw("tickets", ticket(id=666))],
            "ticket_events": raw("ticket_events", *audits),
        }
    )
    assert not batch.rejected
    assert [t.channel for t in batch.tickets[:2]] == ["email", "web"]
    assert len(batch.comments) == 1
    assert [(c.old_value, c.new_value, c.actor_kind) for c in batch.changes] == [
        ("new", "open", "bot")
    ]


@pytest.mark.slow
def test_thirty_thousand_tickets_when_normalised_then_take_less_than_a_minute() -> None:
    tickets = raw("tickets", *({**ticket(), "id": n} for n in range(30_000)))
    children = (
        comment("text " * 40, author_id=AGENT),
        {"event_type": "Change", "status": "open", "previous_value": "pending"},
        {"event_type": "Change", "assignee_id": str(AGENT), "previous_value": None},
    )
    events = raw(
        "ticket_events",
        *(
            {**event(n * 10 + k, f"2026-03-02T09:0{k}:00Z", *children), "ticket_id": n}
            for n in range(30_000)
            for k in range(10)
        ),
    )
    started = time.process_time()
    batch = normalise({"users": USERS, "tickets": tickets, "ticket_events": events})
    seconds = time.process_time() - started
    assert (len(batch.tickets), len(batch.comments)) == (30_000, 300_000)
    assert seconds < 60, f"{seconds:.1f} s"
