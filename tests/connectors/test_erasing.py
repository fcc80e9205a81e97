"""What is left of a record when somebody is erased, and that no column is forgotten."""

import json

from sqlalchemy import LargeBinary

from connectors.erasing.records import erased
from connectors.erasing.rules import ERASED, Rule, pseudonym
from connectors.warehouse.erased_columns import ERASED as TAKEN
from connectors.warehouse.erased_columns import WITHOUT_PERSONS
from connectors.warehouse.tables import metadata
from connectors.warehouse.types import Json, SafeText
from transforms.model import RawRecord


def test_every_column_that_can_hold_text_is_decided_on() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, SafeText | Json | LargeBinary)
    }
    taken = {f"{table}.{name}" for table, names in TAKEN.items() for name in names}
    kept = {f"{table}.{name}" for table, names in WITHOUT_PERSONS.items() for name in names}
    assert taken & kept == set()
    assert columns - taken - kept == set(), "say in erased_columns what becomes of these"
    assert (taken | kept) - columns == set()


def test_structure_of_an_event_stays_and_every_word_goes_twice_the_same() -> None:
    body = {
        "id": 1,
        "ticket_id": 2,
        "created_at": "2026-10-01T08:00:00Z",
        "via": "Web form",
        "system": {"location": "Ankara", "ip_address": "192.0.2.1"},
        "child_events": [
            {"id": 3, "event_type": "Comment", "body": "I am Anna", "unknown_field": "Anna"},
            {"id": 4, "event_type": "Change", "status": "open", "previous_value": "new"},
            {"id": 5, "event_type": "Change", "subject": "Anna", "previous_value": "Old Anna"},
            {"id": 6, "type": "Change", "field_name": "subject", "value": "Anna"},
            {"id": 7, "type": "Change", "field_name": "status", "value": "open"},
            {"id": 8, "event_type": "Comment", "body": "Anna: merged into request #77"},
        ],
    }
    record = RawRecord("ticket_events", "1", json.dumps(body).encode(), ticket_remote_id="2")
    once = erased(record, Rule())
    told = json.loads(once.payload)
    assert b"Anna" not in once.payload
    assert b"Ankara" not in once.payload
    comment, change, subject, audited, status, merge = told["child_events"]
    assert comment == {
        "id": 3, "event_type": "Comment", "body": ERASED, "unknown_field": ERASED
    }  # fmt: skip
    assert (change["status"], change["previous_value"]) == ("open", "new")
    assert (subject["subject"], subject["previous_value"]) == (ERASED, ERASED)
    assert (audited["value"], status["value"]) == (ERASED, "open")
    assert merge["body"] == "merged into request #77"
    assert told["created_at"] == body["created_at"]
    assert erased(once, Rule()).payload == once.payload


def test_of_somebody_elses_ticket_only_the_listed_messages_and_addresses_go() -> None:
    body = {
        "id": 9,
        "subject": "Olga asks",
        "cc_emails": ["Anna@acme.example", "olga@acme.example"],
        "conversations": [
            {"id": 1, "body_text": "mine", "body": "mine", "user_id": 5},
            {"id": 2, "body_text": "Olga's", "body": "Olga's", "user_id": 6},
        ],
    }
    record = RawRecord("tickets", "9", json.dumps(body).encode(), ticket_remote_id="9")
    stands = {"anna@acme.example": pseudonym("contact-0123456789abcdef")}
    rule = Rule(
        is_whole=False, parts=frozenset({"1"}), replaced=lambda one: stands.get(one.lower())
    )
    told = json.loads(erased(record, rule).payload)
    assert told["subject"] == "Olga asks"
    assert told["cc_emails"] == ["erased-0123456789ab@erased.invalid", "olga@acme.example"]
    assert told["conversations"][0]["body_text"] == f"{ERASED} 1"
    assert told["conversations"][1] == body["conversations"][1]
