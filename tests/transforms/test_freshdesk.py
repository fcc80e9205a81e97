"""Freshdesk's raw records in the unified model: hand-worked tickets, and what holds for any history."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transforms import freshdesk
from transforms.freshdesk_history import UNKNOWN_BEFORE
from transforms.model import STATUSES, Batch, RawRecord, SourceChange

DAY = "2026-03-02T"
FIELDS = [
    {
        "id": 1,
        "type": "default_status",
        "choices": {
            "2": ["Open", "Being Processed"],
            "3": ["Pending", "Awaiting your Reply"],
            "6": ["Waiting on Customer", "Awaiting your Reply"],
            "7": ["Waiting on Third Party", "Being Processed"],
            "8": ["With the lab", "Being Processed"],
        },
    },
    {"id": 2, "type": "default_source", "choices": {"Email": 1, "WhatsApp Business": 112}},
]
AGENT = {
    "id": 900,
    "contact": {"name": "Ayşe Demir", "email": "Ayse@Help.example", "mobile": 5551, "active": True},
}


def record(stream: str, body: Mapping[str, Any], *, is_tombstone: bool = False) -> RawRecord:
    remote_id = str(body.get("id"))
    return RawRecord(stream, remote_id, json.dumps(body).encode(), is_tombstone=is_tombstone)


def ticket(**fields: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "subject": "Printer on fire",
        "status": 2,
        "priority": 2,
        "source": 1,
        "requester_id": 50,
        "responder_id": None,
        "group_id": None,
        "created_at": DAY + "08:00:00Z",
        "updated_at": DAY + "08:00:00Z",
        "description": "<p>It burns</p>",
        "description_text": "It burns",
        "stats": {},
        "conversations": [],
        **fields,
    }


def conversation(number: int, at: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "body": f"<p>message {number}</p>",
        "body_text": f"message {number}",
        "incoming": False,
        "private": False,
        "user_id": 900,
        "source": 0,
        "created_at": DAY + at,
        "attachments": [],
        **fields,
    }


def read(*versions: Mapping[str, Any], **options: Any) -> Batch:
    return freshdesk.normalise(
        {
            "ticket_fields": [record("ticket_fields", one) for one in FIELDS],
            "agents": [record("agents", AGENT)],
            "tickets": [record("tickets", one) for one in versions],
        },
        **options,
    )


def changes(batch: Batch, field: str = "status") -> list[tuple[str, str | None, str | None, bool]]:
    return [
        (f"{one.occurred_at:%d %H:%M:%S}", one.old_value, one.new_value, one.is_observed)
        for one in batch.changes
        if one.field == field
    ]


def rules(batch: Batch) -> list[str]:
    return [warning.rule for warning in batch.warnings]


def test_ticket_nobody_touched_is_new_and_its_description_is_the_first_comment() -> None:
    batch = read(ticket(), base_url="https://acme.freshdesk.example/")
    (one,) = batch.tickets
    assert (one.status, one.source_status, one.priority, one.channel) == (
        "new",
        "2 Open",
        "medium",
        "email",
    )
    assert one.url == "https://acme.freshdesk.example/a/tickets/7"
    (first,) = batch.comments
    assert (first.remote_id, first.author_kind, first.author_remote_id, first.is_public) == (
        "7:description",
        "customer",
        "50",
        True,
    )
    assert (first.text, first.html, first.created_at) == (
        "It burns",
        "<p>It burns</p>",
        datetime(2026, 3, 2, 8, tzinfo=UTC),
    )
    assert changes(batch) == [("02 08:00:00", None, "new", False)]
    assert batch.warnings == [] and batch.rejected == []


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (3, "pending", "3 Pending"),
        (4, "solved", "4"),
        (5, "closed", "5"),
        (6, "pending", "6 Waiting on Customer"),
        (7, "on_hold", "7 Waiting on Third Party"),
    ],
)
def test_status_codes_of_the_default_set(code: int, status: str, words: str) -> None:
    (one,) = read(ticket(status=code)).tickets
    assert (one.status, one.source_status) == (status, words)


def test_account_defined_status_is_open_with_a_warning_until_the_configuration_names_it() -> None:
    batch = read(ticket(status=8))
    assert batch.tickets[0].status == "open"
    assert "unknown status" in rules(batch)
    for key in ("8", "With the lab"):
        batch = read(ticket(status=8), status_map={key: "on_hold"})
        assert batch.tickets[0].status == "on_hold"
        assert "unknown status" not in rules(batch)
    assert read(ticket(status=3), status_map={"3": "on_hold"}).tickets[0].status == "on_hold"


@pytest.mark.parametrize(
    ("code", "priority"), [(1, "low"), (2, "medium"), (3, "high"), (4, "critical"), (None, None)]
)
def test_priority_codes(code: int | None, priority: str | None) -> None:
    assert read(ticket(priority=code)).tickets[0].priority == priority


def test_unknown_priority_is_none_with_a_warning_and_the_configuration_wins() -> None:
    batch = read(ticket(priority=9))
    assert batch.tickets[0].priority is None and "unknown priority" in rules(batch)
    assert read(ticket(priority=1), priority_map={"1": "high"}).tickets[0].priority == "high"


@pytest.mark.parametrize(
    ("source", "channel"),
    [(1, "email"), (3, "phone"), (9, "web"), (112, "whatsapp"), (99, "unknown")],
)
def test_channels_by_code_and_by_the_accounts_own_names(source: int, channel: str) -> None:
    assert read(ticket(source=source)).tickets[0].channel == channel


def test_authors_and_visibility_of_conversations() -> None:
    batch = read(
        ticket(
            conversations=[
                conversation(11, "08:10:00Z"),
                conversation(12, "08:11:00Z", private=True, source=2),
                conversation(13, "08:12:00Z", incoming=True, user_id=50),
                conversation(14, "08:13:00Z", incoming=True, user_id=900),
                conversation(15, "08:14:00Z", user_id=None),
                conversation(16, "08:15:00Z", user_id=777),
                conversation(17, "08:16:00Z", user_id=50),
                conversation(18, "08:17:00Z", source=8),
                conversation(19, "08:18:00Z", user_id=901),
                conversation(20, "08:19:00Z", user_id=902),
                conversation(21, "08:20:00Z", automation_id=5),
                conversation(22, "08:21:00Z", auto_response=True, incoming=True, user_id=50),
                conversation(23, "08:22:00Z", auto_response=False, automation_id=None),
            ]
        ),
        bot_user_ids=["901"],
        bridge_user_ids=["902"],
    )
    seen = [(c.remote_id, c.author_kind, c.is_public, c.is_automatic) for c in batch.comments[1:]]
    assert seen == [
        ("11", "agent", True, False),
        ("12", "agent", False, False),
        ("13", "customer", True, False),
        ("14", "customer", True, False),
        ("15", "bot", True, True),
        ("16", "agent", True, False),
        ("17", "customer", True, False),
        ("18", "agent", False, False),
        ("19", "bot", True, True),
        ("20", "bridge", True, False),
        ("21", "bot", True, True),
        ("22", "customer", True, True),
        ("23", "agent", True, False),
    ]
    assert batch.comments[1].raw_stream == "tickets" and batch.comments[1].raw_remote_id == "7"


def test_outbound_email_begins_with_an_agents_words_and_is_never_new() -> None:
    batch = read(ticket(source=10, responder_id=900))
    assert batch.comments[0].author_kind == "agent"
    assert batch.comments[0].author_remote_id == "900"
    assert read(ticket(source=10)).tickets[0].status == "open"


def test_first_message_of_a_chat_is_a_copy_of_its_description() -> None:
    first = conversation(11, "08:00:01Z", incoming=True, user_id=50, body_text=" It  burns\n")
    assert (
        read(ticket(source=7, conversations=[first])).comments[1].copy_of_remote_id
        == "7:description"
    )
    assert read(ticket(source=1, conversations=[first])).comments[1].copy_of_remote_id is None


def test_missing_description_is_an_empty_comment_with_a_warning() -> None:
    body = ticket()
    del body["description"], body["description_text"]
    batch = read(body)
    assert batch.comments[0].text == "" and rules(batch) == ["missing description"]
    assert rules(read(ticket(description=None, description_text=None))) == []


def test_text_is_made_of_html_where_the_plain_text_is_missing() -> None:
    body = conversation(11, "08:10:00Z", body="<p>Hello <b>you</b></p>")
    del body["body_text"]
    assert read(ticket(conversations=[body])).comments[1].text == "Hello you"


def test_attachments_of_description_and_conversation() -> None:
    file = {
        "id": 3,
        "name": "../../etc/passwd",
        "content_type": "text/plain",
        "size": 12,
        "attachment_url": "https://files.example/3",
    }
    batch = read(
        ticket(
            attachments=[file],
            conversations=[conversation(11, "08:10:00Z", attachments=[file, {}])],
        )
    )
    for comment in batch.comments:
        (one,) = comment.attachments
        assert (one.remote_id, one.file_name, one.size_bytes) == ("3", "../../etc/passwd", 12)


def test_history_is_rebuilt_from_the_instants_that_the_account_tells() -> None:
    batch = read(
        ticket(
            status=5,
            responder_id=900,
            updated_at=DAY + "17:00:00Z",
            stats={
                "first_responded_at": DAY + "08:30:00Z",
                "pending_since": DAY + "09:00:00Z",
                "reopened_at": DAY + "14:00:00Z",
                "resolved_at": DAY + "15:00:00Z",
                "closed_at": DAY + "16:00:00Z",
                "status_updated_at": DAY + "16:00:00Z",
            },
        )
    )
    assert changes(batch) == [
        ("02 08:00:00", None, "open", False),
        ("02 09:00:00", "open", "pending", False),
        ("02 14:00:00", "pending", "open", False),
        ("02 15:00:00", "open", "solved", False),
        ("02 16:00:00", "solved", "closed", False),
    ]
    assert rules(batch) == [UNKNOWN_BEFORE]
    assert changes(batch, "assignee") == [("02 17:00:00", None, "900", True)]
    assert changes(batch, "priority") == [("02 08:00:00", None, "medium", False)]


def test_status_without_any_told_instant_is_observed_at_the_update() -> None:
    body = ticket(status=4, updated_at=DAY + "17:00:00Z")
    del body["stats"]
    batch = read(body)
    assert changes(batch) == [
        ("02 08:00:00", None, "open", False),
        ("02 17:00:00", "open", "solved", True),
    ]
    assert UNKNOWN_BEFORE in rules(batch)


def test_ticket_that_was_created_as_pending_has_no_change() -> None:
    body = ticket(
        status=3,
        responder_id=900,
        updated_at=DAY + "08:30:00Z",
        stats={"status_updated_at": DAY + "08:00:00Z"},
    )
    batch = read(body)
    assert changes(batch) == [("02 08:00:00", None, "pending", False)]
    assert UNKNOWN_BEFORE not in rules(batch)


def test_snapshots_show_what_the_account_does_not_tell() -> None:
    batch = read(
        ticket(),
        ticket(responder_id=900, group_id=4, updated_at=DAY + "08:20:00Z"),
        ticket(responder_id=901, group_id=4, priority=4, updated_at=DAY + "09:00:00Z"),
        ticket(
            responder_id=901,
            group_id=4,
            priority=4,
            status=4,
            updated_at=DAY + "10:00:05Z",
            stats={"resolved_at": DAY + "10:00:00Z", "status_updated_at": DAY + "10:00:00Z"},
        ),
    )
    assert changes(batch) == [
        ("02 08:00:00", None, "new", False),
        ("02 08:20:00", "new", "open", True),
        ("02 10:00:00", "open", "solved", False),
    ]
    assert changes(batch, "assignee") == [
        ("02 08:20:00", None, "900", True),
        ("02 09:00:00", "900", "901", True),
    ]
    assert changes(batch, "team") == [("02 08:20:00", None, "4", True)]
    assert changes(batch, "priority") == [
        ("02 08:00:00", None, "medium", False),
        ("02 09:00:00", "medium", "critical", True),
    ]
    assert rules(batch) == []


def test_first_response_ends_new_at_its_own_instant() -> None:
    reply = conversation(11, "08:12:00Z")
    batch = read(
        ticket(),
        ticket(
            updated_at=DAY + "08:15:00Z",
            conversations=[reply],
            stats={"first_responded_at": DAY + "08:12:00Z"},
        ),
    )
    assert changes(batch)[1:] == [("02 08:12:00", "new", "open", False)]
    assert batch.tickets[0].status == "open"


def test_earlier_solve_that_the_account_forgot_stays_known_from_its_version() -> None:
    solved = ticket(
        status=4,
        responder_id=900,
        updated_at=DAY + "09:00:00Z",
        stats={"resolved_at": DAY + "09:00:00Z"},
    )
    again = ticket(
        status=2,
        responder_id=900,
        updated_at=DAY + "11:00:00Z",
        stats={"reopened_at": DAY + "11:00:00Z"},
    )
    batch = read(ticket(), solved, again)
    assert [new for _, _, new, _ in changes(batch)] == ["new", "solved", "open"]


@pytest.mark.parametrize("end", ["deleted", "spam"])
def test_ends_and_a_way_back_keep_the_conversation(end: str) -> None:
    reply = conversation(11, "08:10:00Z")
    live = ticket(responder_id=900, updated_at=DAY + "08:10:00Z", conversations=[reply])
    gone = ticket(responder_id=900, updated_at=DAY + "09:00:00Z", **{end: True})
    del gone["conversations"]
    batch = read(live, gone)
    assert batch.tickets[0].status == end
    assert changes(batch)[-1] == ("02 09:00:00", "open", end, True)
    assert [c.remote_id for c in batch.comments] == ["7:description", "11"]
    assert "conversations kept" in rules(batch)
    back = ticket(responder_id=900, updated_at=DAY + "10:00:00Z", conversations=[reply])
    assert changes(read(live, gone, back))[-1] == ("02 10:00:00", end, "open", True)


def test_tombstone_without_a_flag_counts_as_deleted() -> None:
    tombstone = record("tickets", ticket(), is_tombstone=True)
    assert freshdesk.normalise({"tickets": [tombstone]}).tickets[0].status == "deleted"


def test_ticket_whose_conversations_were_never_read_says_so() -> None:
    body = ticket()
    del body["conversations"]
    assert rules(read(body)) == ["conversations unknown"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"created_at": None}, "missing created_at"),
        ({"created_at": "2026-03-02T08:00:00"}, "created_at without a zone"),
        ({"created_at": "yesterday"}, "unreadable created_at"),
        ({"status": None}, "missing status"),
        ({"id": None}, "missing id"),
        ({"updated_at": 12}, "unreadable updated_at"),
    ],
)
def test_ticket_that_cannot_be_understood_is_quarantined_alone(
    change: dict[str, Any], reason: str
) -> None:
    bad = record("tickets", ticket(**change))
    fine = record("tickets", ticket(id=8))
    batch = freshdesk.normalise({"tickets": [bad, fine]})
    assert [(one.stream, one.reason) for one in batch.rejected] == [("tickets", reason)]
    assert [one.remote_id for one in batch.tickets] == ["8"]
    assert {one.ticket_remote_id for one in batch.comments} == {"8"}


@pytest.mark.parametrize("payload", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_payload_that_is_no_object_is_quarantined(payload: bytes) -> None:
    streams = ("tickets", "agents", "groups", "companies", "contacts", "satisfaction_ratings")
    batch = freshdesk.normalise({name: [RawRecord(name, "1", payload)] for name in streams})
    assert sorted(one.stream for one in batch.rejected) == sorted(streams)


def test_one_bad_conversation_does_not_take_the_ticket_with_it() -> None:
    broken = conversation(11, "x")
    batch = read(ticket(conversations=[broken, "text", conversation(12, "09:00:00Z")]))
    assert [one.remote_id for one in batch.comments] == ["7:description", "12"]
    assert [one.reason for one in batch.rejected] == [
        "conversation: unreadable created_at",
        "conversation: not an object",
    ]
    assert "conversation 11" in batch.rejected[0].detail


def test_people_organisations_and_teams() -> None:
    batch = freshdesk.normalise(
        {
            "agents": [record("agents", AGENT)],
            "groups": [
                record("groups", {"id": 4, "name": "Second line", "agent_ids": [900, 901, 900]}),
                record("groups", {"id": 5, "name": "Nobody", "agent_ids": []}),
                record("groups", {"id": 6, "name": "Untold", "agent_ids": None}),
            ],
            "companies": [
                record("companies", {"id": 5, "name": "Nova", "domains": ["Nova.example", None]})
            ],
            "contacts": [
                record(
                    "contacts",
                    {
                        "id": 50,
                        "name": "Bo",
                        "email": "bo@nova.example",
                        "other_emails": ["BO@nova.example", "bo@home.example"],
                        "mobile": "+90 555",
                        "phone": "+90 555",
                        "company_id": 5,
                        "active": False,
                        "unique_external_id": "crm-1",
                        "time_zone": "Brisbane",
                        "language": "tr",
                    },
                ),
                record("contacts", {"id": 51, "name": "Gone", "deleted": True}),
                record("contacts", {"id": 900, "name": "the agent again"}),
            ],
            "tickets": [
                record("tickets", ticket(requester={"id": 50, "name": "short"})),
                record(
                    "tickets",
                    ticket(id=8, requester_id=60, requester={"id": 60, "email": "new@x.example"}),
                ),
            ],
        }
    )
    people = {one.remote_id: one for one in batch.people}
    assert list(people) == ["900", "50", "51", "60"]
    assert people["900"].is_agent and people["900"].emails == ("ayse@help.example",)
    assert people["900"].phones == ("5551",)
    assert people["50"].emails == ("bo@nova.example", "bo@home.example")
    assert people["50"].phones == ("+90 555",)
    assert people["50"].organisation_remote_id == "5" and people["50"].external_id == "crm-1"
    assert people["50"].is_active and people["50"].time_zone is None
    assert not people["51"].is_active
    assert people["60"].emails == ("new@x.example",)
    assert batch.organisations[0].domains == ("nova.example",)
    assert [(team.name, team.member_remote_ids) for team in batch.teams] == [
        ("Second line", ("900", "901")),
        ("Nobody", ()),
        ("Untold", None),
    ]


def test_agents_tell_their_groups_where_the_groups_do_not() -> None:
    agents = [
        {"id": 1, "contact": {"name": "Ada"}, "group_ids": [4, 5]},
        {"id": 2, "contact": {"name": "Bo"}, "group_ids": [4]},
        {"id": 3, "contact": {"name": "Cy"}, "group_ids": None},
    ]
    groups = [{"id": number, "name": f"Group {number}"} for number in (4, 5, 6)]
    batch = freshdesk.normalise(
        {
            "agents": [record("agents", one) for one in agents],
            "groups": [record("groups", one) for one in (*groups, {"id": 7, "agent_ids": [3]})],
        }
    )
    members = {team.remote_id: team.member_remote_ids for team in batch.teams}
    assert members == {"4": ("1", "2"), "5": ("1",), "6": (), "7": ("3",)}


@pytest.mark.parametrize(
    ("value", "score"), [(103, 5), (102, 4), (101, 4), (100, 3), (-101, 2), (-102, 2), (-103, 1)]
)
def test_ratings(value: int, score: int) -> None:
    body = {
        "id": 1,
        "ticket_id": 7,
        "ratings": {"default_question": value, "question_2": -103},
        "feedback": "=HYPERLINK(1)",
        "created_at": DAY + "10:00:00Z",
    }
    (rating,) = freshdesk.normalise(
        {"satisfaction_ratings": [record("satisfaction_ratings", body)]}
    ).ratings
    assert (rating.score, rating.source_score, rating.ticket_remote_id) == (score, str(value), "7")


def test_rating_of_an_unknown_step_is_quarantined() -> None:
    body = {
        "id": 1,
        "ticket_id": 7,
        "ratings": {"default_question": 99},
        "created_at": DAY + "10:00:00Z",
    }
    batch = freshdesk.normalise({"satisfaction_ratings": [record("satisfaction_ratings", body)]})
    assert [one.reason for one in batch.rejected] == ["unknown rating"]


def test_verdict_of_the_source_and_custom_fields_are_kept() -> None:
    (one,) = read(
        ticket(
            is_escalated=True, due_by=DAY + "12:00:00Z", custom_fields={"cf_a": "x", "cf_b": None}
        )
    ).tickets
    assert one.source_verdict["is_escalated"] is True and "due_by" in one.source_verdict
    assert one.fields == {"cf_a": "x"}


MOMENTS = st.integers(0, 40).map(
    lambda n: (
        datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(minutes=n // 2, seconds=n % 2)
    ).isoformat()
)
STATS = st.fixed_dictionaries(
    {},
    optional={
        name: st.none() | MOMENTS
        for name in (
            "first_responded_at",
            "status_updated_at",
            "reopened_at",
            "resolved_at",
            "closed_at",
            "pending_since",
        )
    },
)
VERSIONS = st.builds(
    lambda status, priority, who, at, stats, end: ticket(
        status=status, priority=priority, responder_id=who, updated_at=at, stats=stats, **end
    ),
    st.integers(2, 8),
    st.integers(1, 4),
    st.sampled_from([None, 900, 901]),
    MOMENTS,
    st.none() | STATS,
    st.sampled_from([{}, {}, {"deleted": True}, {"spam": True}]),
)


@given(st.lists(VERSIONS, min_size=1, max_size=5))
def test_any_history_is_a_chain_that_ends_in_what_the_ticket_is(
    bodies: list[dict[str, Any]],
) -> None:
    batch = read(*bodies)
    (one,) = batch.tickets
    ends = {"status": one.status, "priority": one.priority, "assignee": one.assignee_remote_id}
    for field, end in ends.items():
        current: str | None = None
        history = [change for change in batch.changes if change.field == field]
        for change in history:
            assert change.old_value == current != change.new_value
            current = change.new_value
        assert current == end
    assert {change.new_value for change in batch.changes if change.field == "status"} <= set(
        STATUSES
    )
    order = [(change.occurred_at, change.position) for change in batch.changes]
    assert order == sorted(set(order))
    assert len({change.remote_id for change in batch.changes}) == len(batch.changes)
    told = _instants(bodies)
    assert {change.occurred_at for change in batch.changes} <= told


@given(st.lists(VERSIONS, min_size=2, max_size=5))
@example(
    [
        ticket(stats={"resolved_at": DAY + "08:01:00Z"}),
        # `updated_at` stands still, the instant goes back: solved since then, so 08:01 solves nothing anew.
        ticket(stats={"resolved_at": DAY + "08:00:01Z"}),
    ]
)
@example(
    [
        ticket(stats={"closed_at": DAY + "08:01:00Z"}),
        ticket(stats={"closed_at": DAY + "08:00:01Z"}),
    ]
)
def test_exact_changes_known_from_earlier_versions_are_never_lost(
    bodies: list[dict[str, Any]],
) -> None:
    before = [one for one in read(*bodies[:-1]).changes if _is_told(one)]
    after = [one for one in read(*bodies).changes if one.field == "status"]
    for told in before:
        until = [one.new_value for one in after if one.occurred_at < told.occurred_at]
        entering = until[-1] if until else None
        at_that_instant = {one.new_value for one in after if one.occurred_at == told.occurred_at}
        # A later version may tell that it was so even before: then that instant changes nothing any more.
        is_kept = told.new_value in {entering, *at_that_instant}
        # A first reply ends `new`, where another change has not done so before.
        is_reply = (told.old_value, told.new_value) == ("new", "open")
        assert is_kept or (is_reply and entering != "new"), told


def test_instant_that_goes_back_while_the_update_stands_still_takes_nothing_along() -> None:
    later, sooner = DAY + "08:01:00Z", DAY + "08:00:01Z"
    for name, status in (("resolved_at", "solved"), ("closed_at", "closed")):
        batch = read(ticket(stats={name: later}), ticket(stats={name: sooner}))
        assert changes(batch) == [
            ("02 08:00:00", None, "new", False),
            ("02 08:00:01", "new", status, False),
            ("02 08:01:00", status, "new", True),
        ]


def _is_told(change: SourceChange) -> bool:
    return change.field == "status" and not change.is_observed


def _instants(bodies: list[dict[str, Any]]) -> set[datetime]:
    texts = {text for body in bodies for text in (body["created_at"], body["updated_at"])}
    texts |= {text for body in bodies for text in (body["stats"] or {}).values() if text}
    return {datetime.fromisoformat(text) for text in texts}


@pytest.mark.real_data
def test_recorded_payloads_of_a_real_client_are_understood(shared_data: Any) -> None:
    folder = shared_data / "tickets" / "api" / "freshdesk_python_client" / "v2"
    if not folder.is_dir():
        pytest.skip(f"no recorded Freshdesk payloads at {folder}")

    def load(name: str) -> Any:
        return json.loads((folder / name).read_text())

    body = {**load("ticket_1.json"), "conversations": load("conversations.json")}
    batch = freshdesk.normalise(
        {
            "agents": [record("agents", one) for one in load("agents.json")],
            "groups": [record("groups", one) for one in load("groups.json")],
            "companies": [record("companies", one) for one in load("companies.json")],
            "contacts": [record("contacts", one) for one in load("contacts.json")],
            "tickets": [record("tickets", body)],
        }
    )
    assert batch.rejected == []
    assert [(c.author_kind, c.is_public) for c in batch.comments] == [
        ("customer", True),
        ("agent", False),
        ("agent", True),
    ]
    assert batch.comments[0].attachments[0].size_bytes == 44_115
    assert len(batch.teams) == 2 and len(batch.organisations) == 2


def merge_note(number: int, at: str, into: int, **fields: Any) -> dict[str, Any]:
    text = f"This ticket is closed and merged into ticket {into}"
    return conversation(number, at, body_text=text, private=True, source=2, **fields)


def test_ticket_whose_note_says_so_was_merged_and_never_counts_as_solved() -> None:
    stats = {
        "status_updated_at": DAY + "09:00:00Z",
        "resolved_at": DAY + "09:00:00Z",
        "closed_at": DAY + "09:00:00Z",
    }
    batch = read(
        ticket(responder_id=900),
        ticket(
            responder_id=900,
            status=5,
            updated_at=DAY + "09:00:00Z",
            stats=stats,
            conversations=[merge_note(1, "09:00:00Z", 12)],
        ),
    )
    (one,) = batch.tickets
    assert (one.status, one.merged_into_remote_id) == ("merged", "12")
    assert changes(batch) == [
        ("02 08:00:00", None, "open", False),
        ("02 09:00:00", "open", "merged", False),
    ]


def test_ticket_that_was_opened_again_after_a_merge_stands_for_itself() -> None:
    batch = read(ticket(status=2, responder_id=900, conversations=[merge_note(1, "09:00:00Z", 12)]))
    assert batch.tickets[0].status == "open" and batch.tickets[0].merged_into_remote_id is None


@pytest.mark.parametrize(
    "note",
    [
        merge_note(1, "09:00:00Z", 12, incoming=True),
        merge_note(1, "09:00:00Z", 7),
        {**merge_note(1, "09:00:00Z", 12), "source": 0},
        conversation(
            1, "09:00:00Z", body_text="see: this ticket is closed and merged into ticket 9"
        ),
    ],
)
def test_words_of_a_merge_from_anybody_else_merge_nothing(note: dict[str, Any]) -> None:
    batch = read(ticket(status=5, updated_at=DAY + "09:00:00Z", conversations=[note]))
    assert batch.tickets[0].status == "closed" and batch.tickets[0].merged_into_remote_id is None


def test_ticket_deleted_for_good_keeps_what_was_known_and_ends_as_deleted() -> None:
    said = [conversation(1, "08:30:00Z")]
    whole = ticket(updated_at=DAY + "08:30:00Z", responder_id=900, conversations=said)
    gone = {"id": 7, "deleted": True, "is_gone": True, "missing_since": DAY + "20:00:00Z"}
    batch = freshdesk.normalise(
        {"tickets": [record("tickets", whole), record("tickets", gone, is_tombstone=True)]}
    )
    (one,) = batch.tickets
    assert (one.status, one.subject) == ("deleted", "Printer on fire")
    assert [comment.text for comment in batch.comments] == ["It burns", "message 1"]
    assert changes(batch)[-1] == ("02 08:30:00", "open", "deleted", True)
    assert batch.rejected == []


def test_ticket_deleted_for_good_before_it_was_read_is_no_ticket_and_no_fault() -> None:
    gone = {"id": 8, "deleted": True, "is_gone": True, "missing_since": DAY + "20:00:00Z"}
    batch = freshdesk.normalise({"tickets": [record("tickets", gone, is_tombstone=True)]})
    assert (batch.tickets, batch.rejected) == ([], [])
    assert rules(batch) == ["gone before it was read"]


def test_archived_version_keeps_the_instants_that_the_archive_does_not_tell() -> None:
    stats = {"status_updated_at": DAY + "10:00:00Z", "closed_at": DAY + "10:00:00Z"}
    closed = ticket(status=5, responder_id=900, updated_at=DAY + "10:00:00Z", stats=stats)
    archived = {**closed, "archived": True}
    del archived["stats"]
    before, after = read(closed), read(closed, archived)
    assert after.tickets == before.tickets
    assert changes(after) == changes(before)


def status_field(**choice: Any) -> dict[str, Any]:
    """The older list's choices, and beside them those of the administrators' view."""
    names = {"2": ["Open", "Being Processed"], "9": ["With the lab", "Being Processed"]}
    return {"id": 1, "type": "default_status", "choices": names, "admin_choices": [choice]}


@pytest.mark.parametrize(
    ("choice", "status"),
    [
        ({"id": 9, "value": "With the lab", "stop_sla_timer": True}, "on_hold"),
        ({"id": 4711, "value": "With the lab", "stop_sla_timer": True}, "on_hold"),
        ({"status_id": 9, "name": "With the lab", "stop_sla_timer": True}, "on_hold"),
        ({"id": 9, "value": "With the lab", "stop_sla_timer": False}, "open"),
        ({"id": 9, "value": "With the lab"}, "open"),
    ],
)
def test_own_status_that_stops_the_accounts_timer_is_on_hold(
    choice: dict[str, Any], status: str
) -> None:
    records = {
        "ticket_fields": [record("ticket_fields", status_field(**choice))],
        "tickets": [record("tickets", ticket(status=9, responder_id=900))],
    }
    batch = freshdesk.normalise(records)
    assert (batch.tickets[0].status, batch.tickets[0].source_status) == (status, "9 With the lab")
    assert rules(batch).count("unknown status") == 1
    configured = freshdesk.normalise(records, status_map={"with the lab": "pending"})
    assert configured.tickets[0].status == "pending"


def test_administrators_list_alone_names_statuses() -> None:
    choices = [
        {"id": 6, "value": "Waiting on Customer", "label_for_customers": "Awaiting your Reply"}
    ]
    field = {"id": 1, "type": "default_status", "admin_choices": choices}
    batch = freshdesk.normalise(
        {
            "ticket_fields": [record("ticket_fields", field)],
            "tickets": [record("tickets", ticket(status=6))],
        }
    )
    assert batch.tickets[0].status == "pending"
    assert batch.tickets[0].source_status == "6 Waiting on Customer"


def test_images_of_the_html_are_inline_files() -> None:
    inline = "https://attachment.freshdesk.example/inline/attachment?id=2040061"
    stored = "https://s3.example/data/helpdesk/attachments/production/501/original/a.png"
    html = f'<p>see <img src="{inline}"> <img width=1 src=\'{stored}\'> <img src="https://x.example/b.gif">'
    listed = {"id": 501, "name": "a.png", "content_type": "image/png", "attachment_url": stored}
    batch = read(
        ticket(
            description=html,
            attachments=[listed],
            conversations=[conversation(1, "08:30:00Z", body=f'<img src="{inline}">')],
        )
    )
    first, second = batch.comments
    assert [(a.remote_id, a.file_name, a.is_inline) for a in first.attachments] == [
        ("501", "a.png", True),
        ("2040061", "inline-2040061", True),
    ]
    assert [a.remote_url for a in second.attachments] == [inline]


def test_time_entries_and_the_product_are_fields_of_the_ticket() -> None:
    entries = [
        {"id": 1, "ticket_id": 7, "time_spent": "01:20"},
        {"id": 2, "ticket_id": 7, "time_spent": "00:15"},
        {"id": 3, "ticket_id": 7, "time_spent": "soon"},
    ]
    batch = freshdesk.normalise(
        {
            "products": [record("products", {"id": 3, "name": "Ovens"})],
            "tickets": [record("tickets", ticket(product_id=3, custom_fields={"cf_a": 1}))],
            "time_entries": [record("time_entries", one) for one in entries],
        }
    )
    assert batch.tickets[0].fields == {"cf_a": 1, "product": "Ovens", "time_spent_minutes": 95}
    assert [one.remote_id for one in batch.rejected] == ["3"]


@pytest.mark.parametrize(("value", "score"), [(1, 5), (2, 3), (3, 1), (103, 5), (-103, 1)])
def test_ratings_of_the_classic_survey_count_the_other_way_round(value: int, score: int) -> None:
    rating = {
        "id": 1,
        "ticket_id": 7,
        "ratings": {"default_question": value},
        "created_at": DAY + "09:00:00Z",
    }
    batch = freshdesk.normalise({"satisfaction_ratings": [record("satisfaction_ratings", rating)]})
    assert batch.ratings[0].score == score
