"""What Zendesk's further products say of tickets: hand-worked, and with everything mangled."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.standins.zendesk_product_sample import WAITING, rich_account
from connectors.zendesk.source import STREAMS
from connectors.zendesk.streams import ticket_id_of
from transforms.model import STATUSES, Batch, RawRecord, SourceTicket
from transforms.zendesk import REFERENCE_STREAMS, TICKET_STREAMS, normalise


def records_of(data: Mapping[str, Any]) -> dict[str, list[RawRecord]]:
    """The data set as raw records, as the source makes them."""
    found: dict[str, list[RawRecord]] = {}
    for stream in (*TICKET_STREAMS, *REFERENCE_STREAMS):
        for body in data.get(stream, ()):
            number = body.get("ticket_id")
            if number is None:
                number = ticket_id_of(stream, body) or (
                    body.get("id") if stream == "tickets" else None
                )
            if stream == "conversation_log":
                body = {name: value for name, value in body.items() if name != "ticket_id"}
            found.setdefault(stream, []).append(
                RawRecord(
                    stream,
                    str(body.get("id")),
                    json.dumps(body).encode(),
                    ticket_remote_id=None if number is None else str(number),
                )
            )
    return found


def ticket_of(batch: Batch, number: str) -> SourceTicket:
    return next(one for one in batch.tickets if one.remote_id == number)


@pytest.fixture(scope="module")
def batch() -> Batch:
    return normalise(records_of(rich_account()))


def test_streams_of_the_transform_are_streams_of_the_source() -> None:
    assert set(TICKET_STREAMS) | set(REFERENCE_STREAMS) <= set(STREAMS)


def test_everything_is_understood(batch: Batch) -> None:
    assert batch.rejected == []
    assert {one.rule for one in batch.warnings} == {"rated in both products"}


def test_sla_events_when_a_breach_was_withdrawn_then_it_is_none(batch: Batch) -> None:
    told = [(e.metric, e.type) for e in batch.sla_events if e.type in ("breach", "fulfill")]
    assert told == [("reply_time", "breach"), ("reply_time", "fulfill")]
    by_type = {(e.metric, e.type): e.detail for e in batch.sla_events}
    assert by_type["reply_time", "apply_sla"]["target_seconds"] == 3_600
    assert by_type["agent_work_time", "apply_sla"] == {
        "policy": "Gold",
        "policy_remote_id": "25",
        "target_seconds": 600,
        "in_business_hours": True,
    }
    assert by_type["reply_time", "update_status"]["calendar_seconds"] == 66 * 60
    assert {e.ticket_remote_id for e in batch.sla_events} == {"1001"}


def test_verdict_holds_what_was_promised_alone(batch: Batch) -> None:
    # Ticket 1001 was created at 12:01 two days before; promised an hour; answered after 4,000 s.
    assert ticket_of(batch, "1001").source_verdict == {
        "sla": {
            "reply_time 1": {
                "policy": "Gold",
                "target_seconds": 3_600,
                "in_business_hours": False,
                "breached_at": "2026-05-30T13:01:00+00:00",
                "fulfilled_at": "2026-05-30T13:07:40+00:00",
            },
            "agent_work_time 1": {
                "policy": "Gold",
                "target_seconds": 600,
                "in_business_hours": True,
            },
        }
    }
    assert ticket_of(batch, "1002").source_verdict == {}


def test_ratings_when_rated_in_both_products_then_the_survey_counts_once(batch: Batch) -> None:
    told = {one.ticket_remote_id: (one.score, one.source_score) for one in batch.ratings}
    assert told == {"1001": (4, "4 (good)"), "1003": (2, "2 (bad)")}
    assert len(batch.ratings) == 2
    assert next(r for r in batch.ratings if r.score == 4).comment == "Quick"


@pytest.mark.parametrize(
    ("rating", "category", "options", "expected"),
    [
        (1, "bad", [1, 2, 3, 4, 5], 1),
        (4, "good", [1, 2, 3, 4, 5], 4),
        (2, "neutral", [1, 2, 3], 3),
        (1, "good", [0, 1], 5),
        (0, "bad", [0, 1], 1),
        (7, "good", [1, 4, 7, 10], 4),
        (5, "good", [], 5),
        (9, "good", [], 5),
        (None, "bad", [], 1),
        ("3", None, [1, 2, 3, 4, 5], 3),
    ],
)
def test_survey_scale_when_of_any_length_then_is_one_to_five(
    rating: Any, category: str | None, options: list[int], expected: int
) -> None:
    data = rich_account()
    (answer, *_) = data["survey_responses"][0]["answers"]
    answer |= {"rating": rating, "rating_category": category}
    answer["question"]["options"] = [{"rating": step} for step in options]
    made = normalise(records_of(data))
    assert [r.score for r in made.ratings if r.ticket_remote_id == "1001"] == [expected]


def test_survey_with_a_rating_of_no_known_scale_is_quarantined() -> None:
    data = rich_account()
    data["survey_responses"][0]["answers"][0] |= {"rating": 11, "rating_category": "superb"}
    made = normalise(records_of(data))
    assert [(r.stream, r.reason) for r in made.rejected] == [("survey_responses", "unknown score")]
    # The ticket's legacy rating is all there is then.
    assert [r.source_score for r in made.ratings if r.ticket_remote_id == "1001"] == ["good"]


def test_ids_become_names_and_options_labels(batch: Batch) -> None:
    assert ticket_of(batch, "1001").fields == {
        "Card": "Visa",
        "Sizes": ["Small", "Huge"],
        "899": "of a field that nobody told us",
        "brand": "Acme Home",
        "form": "Complaint",
    }


def test_fields_that_share_a_title_carry_their_ids() -> None:
    data = rich_account()
    data["ticket_fields"][1]["title"] = "Card"
    fields = ticket_of(normalise(records_of(data)), "1001").fields
    assert (fields["Card (801)"], fields["Card (802)"]) == ("Visa", ["Small", "Huge"])


def test_custom_status_when_nothing_is_configured_then_its_category_counts(batch: Batch) -> None:
    one = ticket_of(batch, "1001")
    assert (one.status, one.source_status) == ("open", "Waiting for parts")
    changes = [
        (c.field, c.old_value, c.new_value) for c in batch.changes if c.ticket_remote_id == "1001"
    ]
    assert ("custom_status", "Open", "Waiting for parts") in changes
    assert [c for c in changes if c[0] == "status"] == [("status", None, "open")]


def test_custom_status_when_configured_then_status_and_its_history_follow_the_label() -> None:
    made = normalise(records_of(rich_account()), status_map={"Waiting for Parts ": "on_hold"})
    one = ticket_of(made, "1001")
    assert (one.status, one.source_status) == ("on_hold", "Waiting for parts")
    history = [
        (c.old_value, c.new_value)
        for c in made.changes
        if c.ticket_remote_id == "1001" and c.field == "status"
    ]
    assert history == [(None, "open"), ("open", "on_hold")]
    assert not [w for w in made.warnings if "differs from history" in w.rule]


def test_custom_status_when_of_another_category_or_unknown_then_the_vendors_word_counts() -> None:
    data = rich_account()
    # A closed ticket keeps the custom status it had; an id may be of a status that was not pulled yet.
    data["tickets"][0] |= {"status": "closed", "custom_status_id": WAITING}
    data["tickets"][1] |= {"status": "hold", "custom_status_id": 999}
    made = normalise(records_of(data))
    assert ticket_of(made, "1001").status == "closed"
    assert ticket_of(made, "1001").source_status == "closed"
    assert ticket_of(made, "1002").status == "on_hold"
    assert ticket_of(made, "1002").fields["custom_status_id"] == 999


def test_custom_status_that_is_inactive_still_has_its_name() -> None:
    data = rich_account()
    data["tickets"][3] |= {"status": "hold", "custom_status_id": 703}
    one = ticket_of(normalise(records_of(data)), "1004")
    assert (one.status, one.source_status) == ("on_hold", "At the lawyers")


def test_people_when_identities_came_then_all_addresses_are_known(batch: Batch) -> None:
    customer = next(one for one in batch.people if one.remote_id == "11")
    assert customer.emails == ("ayse@customer.example",)
    data = rich_account()
    data["users"][1]["identities"] = data["user_identities"]
    customer = next(one for one in normalise(records_of(data)).people if one.remote_id == "11")
    assert customer.emails == ("ayse@customer.example", "ayse.privately@home.example")
    assert customer.phones == ("+902120000000",)


def test_time_zone_when_only_the_vendors_name_is_told_then_is_the_known_iana_one() -> None:
    data = rich_account()
    data["users"][2]["time_zone"] = "Eastern Time (US & Canada)"
    data["users"][0] |= {"time_zone": "Atlantis", "iana_time_zone": "Europe/Berlin"}
    data["users"][1]["time_zone"] = "Atlantis"
    zones = {"Eastern Time (US & Canada)": "America/New_York"}
    people = normalise(records_of(data), time_zones=zones).people
    assert [one.time_zone for one in people] == ["Europe/Berlin", None, "America/New_York"]


def test_teams_have_their_agents_and_deleted_ones_their_names(batch: Batch) -> None:
    assert [(t.name, t.member_remote_ids, t.is_active) for t in batch.teams] == [
        ("Support", ("21", "1"), True),
        ("Fax desk", (), False),
    ]


def test_suspended_mail_is_kept_as_spam_with_its_text_and_reason(batch: Batch) -> None:
    one = ticket_of(batch, "suspended-435")
    assert (one.status, one.source_status, one.subject) == (
        "spam",
        "suspended",
        "Where is my order",
    )
    assert one.fields["cause"] == "Detected as spam"
    (said,) = [c for c in batch.comments if c.ticket_remote_id == "suspended-435"]
    assert (said.text, said.participants) == ("It never came.", ("lost@customer.example",))
    assert one.requester_remote_id is None


def test_side_conversation_is_private_and_never_the_customers(batch: Batch) -> None:
    sides = [c for c in batch.comments if c.remote_id.startswith("side-")]
    assert [(c.author_kind, c.is_public, c.text) for c in sides] == [
        ("agent", False, "Do you have the part?"),
        ("unknown", False, "Next week."),
    ]
    assert sides[1].participants == ("sales@parts.example",)
    assert {c.raw_stream for c in sides} == {"side_conversations"}


def test_messages_are_public_and_the_transcript_repeats_them_unheard() -> None:
    data = rich_account()
    # The comment of ticket 1002 came over messaging: the transcript.
    for child in data["ticket_events"][1]["child_events"]:
        child["via"] = {"channel": "native_messaging"}
    made = [c for c in normalise(records_of(data)).comments if c.ticket_remote_id == "1002"]
    told = {c.text: (c.author_kind, c.is_public, c.is_automatic) for c in made}
    assert told == {
        "Hello?": ("customer", True, False),
        "Hi, what is it?": ("agent", True, False),
        "Question 2?": ("customer", True, True),
    }


def test_redacted_file_is_gone_whatever_its_event_says() -> None:
    data = rich_account()
    history = data["ticket_events"]
    history[0]["child_events"][0]["attachments"] = [
        {"id": 5, "file_name": "passport.png", "content_type": "image/png", "content_url": "https://acme.example/5"},
        {"id": 6, "file_name": "a.txt", "content_type": "text/plain", "deleted": True},
        {"id": 7, "file_name": "b.exe", "content_url": "https://acme.example/7", "malware_scan_result": "malware_found"},
    ]  # fmt: skip
    redaction = {"id": 9, "event_type": "AttachmentRedactionEvent", "attachment_id": 5}
    history.append({**history[-1], "id": 300_000, "child_events": [redaction]})
    made = normalise(records_of(data))
    (first, *_) = [c for c in made.comments if c.ticket_remote_id == "1001"]
    assert [(a.file_name, a.remote_url) for a in first.attachments] == [("b.exe", None)]


def test_inline_image_of_the_html_is_a_file_and_a_foreign_picture_is_none() -> None:
    data = rich_account()
    child = data["ticket_events"][0]["child_events"][0]
    own = "https://acme.example/attachments/token/abc/?name=screen.png"
    child["html_body"] = (
        f'<p>See <img alt="x" src="{own}"><img src="{own}&amp;x=1">'
        '<img src="https://tracker.example/p.gif"></p>'
    )
    made = normalise(records_of(data))
    (first, *_) = [c for c in made.comments if c.ticket_remote_id == "1001"]
    (image,) = first.attachments
    assert (image.file_name, image.media_type, image.is_inline) == ("screen.png", "image/png", True)
    assert image.remote_url == own


def test_voice_comment_has_its_recording_and_what_was_said() -> None:
    data = rich_account()
    data["ticket_events"][0]["child_events"][0] = {
        "id": 77,
        "event_type": "VoiceComment",
        "author_id": 11,
        "body": "Call from +90 212",
        "public": False,
        "data": {"recording_url": "https://acme.example/r.mp3", "transcription_text": "It burns."},
    }
    made = normalise(records_of(data))
    (first, *_) = [c for c in made.comments if c.ticket_remote_id == "1001"]
    assert first.text == "Call from +90 212\n\nIt burns."
    assert [(a.media_type, a.remote_url) for a in first.attachments] == [
        ("audio/mpeg", "https://acme.example/r.mp3")
    ]
    assert not first.is_public


def test_ticket_deleted_for_good_keeps_its_history_without_texts() -> None:
    data = rich_account()
    data["tickets"][0] |= {"status": "deleted", "subject": "SCRUBBED", "description": "SCRUBBED"}
    made = normalise(records_of(data))
    own = [c for c in made.comments if c.ticket_remote_id == "1001"]
    assert len(own) == 3
    assert {(c.text, c.html, c.subject, c.participants, c.attachments) for c in own} == {
        ("SCRUBBED", None, None, (), ())
    }
    assert {c.created_at for c in own} >= {datetime(2026, 5, 30, 12, 1, tzinfo=UTC)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "value", "rating", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything inside a JSON value."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found.extend(_places(inner))
    return found


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_transform_when_payloads_are_mangled_then_never_raises(data: st.DataObject) -> None:
    account = rich_account(4)
    stream = data.draw(st.sampled_from([*TICKET_STREAMS, *REFERENCE_STREAMS]))
    body = data.draw(st.sampled_from(account[stream]))
    for _ in range(data.draw(st.integers(1, 4))):
        places = _places(body)
        if not places:
            break
        container, key = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()):
            container[key] = data.draw(JSON)
        elif isinstance(container, dict):
            container.pop(key, None)
    made = normalise(records_of(account))
    assert {one.status for one in made.tickets} <= set(STATUSES)
    assert all(1 <= one.score <= 5 for one in made.ratings)
    assert len({(r.stream, r.remote_id) for r in made.rejected}) == len(made.rejected)
