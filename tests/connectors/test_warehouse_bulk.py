"""Bulk writes change what differs and nothing else; pages and cursors commit together."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError

from connectors.contract import Page
from connectors.warehouse import bulk, raw
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import contact, raw_record, ticket_link
from transforms.model import RawRecord

NOW = datetime(2026, 11, 2, 6, tzinfo=UTC)


def rows(count: int, name: str = "Ada") -> list[dict]:
    return [
        {"contact_key": f"contact-{n}", "client_key": "acme", "name": name} for n in range(count)
    ]


def test_upsert_counts_only_what_really_changed(engine: Engine) -> None:
    with writing(engine) as connection:
        assert bulk.upsert(connection, contact, rows(5_000)) == 5_000
        assert bulk.upsert(connection, contact, rows(5_000)) == 0
        assert bulk.upsert(connection, contact, rows(3, "Grace")) == 3
        assert bulk.upsert(connection, contact, rows(4, "Joan"), update=False) == 0


def test_upsert_takes_the_last_of_two_rows_with_one_key(engine: Engine) -> None:
    with writing(engine) as connection:
        bulk.upsert(connection, contact, [*rows(1, "first"), *rows(1, "last")])
        assert connection.scalar(select(contact.c.name)) == "last"


@pytest.mark.parametrize("count", [3, 120, 4_500])
def test_insert_keeps_the_order_and_every_value(engine: Engine, count: int) -> None:
    locations: list = [None, {}, {"a": [1, 2.5, "é\x00", None]}, {"big": 2**70}]
    given = [
        {
            "client_key": "acme",
            "source_key": "desk",
            "stream": "tickets",
            "remote_id": f"{(n * 7919) % count}\ttab \\N é",
            "version": 1 + n % 2,
            "ticket_remote_id": None if n % 3 else "a\x00b",
            "media_type": "application/json",
            "payload": bytes([n % 256, 0, 92, 10]),
            "payload_sha256": "",
            "content_sha256": "",
            "is_tombstone": n % 2 == 0,
            "source_updated_at": None if n % 5 else NOW,
            "location": locations[n % 4],
            "fetched_at": NOW,
        }
        for n in range(count)
    ]
    with writing(engine) as connection:
        assert bulk.insert(connection, raw_record, given) == count
    with reading(engine) as connection:
        names = [getattr(raw_record.c, name) for name in given[0]]
        found = connection.execute(select(*names).order_by(raw_record.c.raw_id)).all()
    expected = [
        {
            **row,
            "ticket_remote_id": row["ticket_remote_id"] and "a\ufffdb",
            "location": {"a": [1, 2.5, "é\ufffd", None]} if n % 4 == 2 else row["location"],
        }
        for n, row in enumerate(given)
    ]
    assert [dict(row._mapping) for row in found] == expected


@pytest.mark.parametrize("count", [3, 120])
def test_insert_of_a_known_key_fails_whole(engine: Engine, count: int) -> None:
    with writing(engine) as connection:
        bulk.insert(connection, contact, rows(1))
    with pytest.raises(IntegrityError), writing(engine) as connection:
        bulk.insert(connection, contact, list(reversed(rows(count))))
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(contact)) == 1


def test_rows_may_lack_columns_that_others_have(engine: Engine) -> None:
    given = rows(200)
    given[7].pop("name")
    with writing(engine) as connection:
        bulk.insert(connection, contact, given[:100])
        bulk.upsert(connection, contact, given)
        named = connection.scalar(select(func.count(contact.c.name)))
    assert named == 199


def test_text_that_databases_refuse_is_made_safe(engine: Engine) -> None:
    with writing(engine) as connection:
        bulk.upsert(connection, contact, rows(1, "a\x00b\ud800c"))
        assert connection.scalar(select(contact.c.name)) == "a\ufffdb\ufffdc"


def test_unknown_column_is_named(engine: Engine) -> None:
    with writing(engine) as connection, pytest.raises(KeyError, match="colour"):
        bulk.upsert(connection, contact, [{"contact_key": "x", "colour": "red"}])


def test_replace_children_deletes_only_the_same_parents_rows(engine: Engine) -> None:
    def links(parent: str, *others: str) -> list[dict]:
        return [
            {
                "client_key": "acme",
                "ticket_key": parent,
                "other_key": other,
                "kind": "duplicate_of",
                "reason": "test",
            }
            for other in others
        ]

    with writing(engine) as connection:
        bulk.upsert(connection, ticket_link, links("a", "1", "2") + links("b", "1"))
        assert (
            bulk.replace_children(connection, ticket_link, "ticket_key", ["a"], links("a", "2"))
            == 1
        )
        assert (
            bulk.replace_children(connection, ticket_link, "ticket_key", ["a"], links("a", "2"))
            == 0
        )
        left = connection.execute(select(ticket_link.c.ticket_key, ticket_link.c.other_key))
        assert {tuple(row) for row in left} == {("a", "2"), ("b", "1")}


def page(*payloads: bytes, complete: bool = True) -> Page:
    records = [
        RawRecord("tickets", str(n), payload, ticket_remote_id=str(n))
        for n, payload in enumerate(payloads)
    ]
    return Page(records, {"at": len(payloads)}, complete)


def store(engine: Engine, given: Page, sequence: int, **options) -> raw.StoredPage:
    with writing(engine) as connection:
        return raw.store_page(
            connection,
            "acme",
            "zendesk",
            "tickets",
            given,
            sequence=sequence,
            fetched_at=NOW,
            **options,
        )


def test_a_record_gets_a_new_version_only_when_its_content_differs(engine: Engine) -> None:
    assert store(engine, page(b'{"a": 1, "seen": 1}'), 0, volatile=["seen"]).stored == 1
    assert store(engine, page(b'{"seen": 2, "a": 1}'), 1, volatile=["seen"]).stored == 0
    assert store(engine, page(b'{"a": 2}'), 2, volatile=["seen"]).stored == 1
    with reading(engine) as connection:
        (latest,) = raw.latest_records(connection, "acme", "zendesk", "tickets")
        assert latest.payload == b'{"a": 2}'
        assert connection.scalar(select(func.max(raw_record.c.version))) == 2


def test_a_page_whose_cursor_another_run_moved_is_left_out_whole(engine: Engine) -> None:
    store(engine, page(b"{}"), 0)
    with pytest.raises(raw.CursorMovedError):
        store(engine, page(b"{}", b"{}"), 0)
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(raw_record)) == 1
        assert raw.stream_state(connection, "acme", "zendesk", "tickets").sequence == 1


def test_latest_records_can_be_asked_for_some_tickets(engine: Engine) -> None:
    store(engine, page(*(b"{}" for _ in range(1_200))), 0)
    with reading(engine) as connection:
        found = raw.latest_records(
            connection, "acme", "zendesk", "tickets", ticket_remote_ids=map(str, range(700))
        )
        assert len(list(found)) == 700
