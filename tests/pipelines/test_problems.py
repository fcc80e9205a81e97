"""What waits for a person: dead messages and quarantine, on both databases; settled once, by the right client."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from connectors.contract import Page
from connectors.warehouse import audit, outbox, problems
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.loading import write_quarantine
from connectors.warehouse.raw import store_page
from connectors.warehouse.tables import audit_entry, delivery
from pipelines.problems import Quarantined, quarantined, settle_dead, undelivered
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import load_settings
from transforms.model import RawRecord, Rejected

NOW = datetime(2026, 11, 4, 13, tzinfo=UTC)

CONFIG = """\
clients:
  acme: {time_zone: UTC, sources: [{id: inbox, type: mbox, path: a.mbox}]}
  other: {time_zone: UTC, sources: [{id: inbox, type: mbox, path: b.mbox}]}
"""


@pytest.fixture
def runtime(engine: Engine, tmp_path: Path) -> Runtime:
    path = tmp_path / "deskbridge.yaml"
    path.write_text(CONFIG, "utf-8")
    return runtime_on(engine, load_settings(path), lambda: NOW)


def message(client_key: str, key: str) -> outbox.NewDelivery:
    return outbox.NewDelivery(
        client_key=client_key,
        channel="slack",
        destination="#support",
        message_key=key,
        action="trigger",
        body={"title": key},
        created_at=NOW - timedelta(hours=1),
    )


def key_of(one: outbox.NewDelivery) -> str:
    return outbox.delivery_key(one.channel, one.destination, one.message_key, one.action, one.order)


@pytest.fixture
def dead(runtime: Runtime) -> dict[str, str]:
    """Two dead messages of acme, one of the other client, one of acme that was delivered: name → key."""
    rows = {
        "a1": message("acme", "a1"),
        "a2": message("acme", "a2"),
        "b1": message("other", "b1"),
        "fine": message("acme", "fine"),
    }
    with writing(runtime.engine) as connection:
        outbox.enqueue(connection, rows.values())
        connection.execute(
            update(delivery)
            .where(delivery.c.message_key != "fine")
            .values(state="dead", attempts=3, outcome="refused: channel_not_found")
        )
        connection.execute(
            update(delivery).where(delivery.c.message_key == "fine").values(state="delivered")
        )
    return {name: key_of(row) for name, row in rows.items()}


def states(runtime: Runtime) -> dict[str, str]:
    with reading(runtime.engine) as connection:
        rows = connection.execute(select(delivery.c.message_key, delivery.c.state))
        return {row.message_key: row.state for row in rows}


def audited(runtime: Runtime, client_key: str) -> list[str]:
    with reading(runtime.engine) as connection:
        assert audit.verify(connection, client_key).holds
        return list(
            connection.scalars(
                select(audit_entry.c.action)
                .where(audit_entry.c.client_key == client_key)
                .order_by(audit_entry.c.sequence)
            )
        )


def test_dead_messages_are_listed_with_what_the_provider_said(
    runtime: Runtime, dead: dict[str, str]
) -> None:
    listed = undelivered(runtime, "acme")
    assert {row["delivery_key"] for row in listed} == {dead["a1"], dead["a2"]}
    assert {row["outcome"] for row in listed} == {"refused: channel_not_found"}


def test_a_dropped_message_is_over_and_written_down_once(
    runtime: Runtime, dead: dict[str, str]
) -> None:
    assert settle_dead(runtime, "acme", [dead["a1"]], "drop", "mei") == 1
    assert settle_dead(runtime, "acme", [dead["a1"]], "drop", "mei") == 0
    assert states(runtime) == {"a1": "cancelled", "a2": "dead", "b1": "dead", "fine": "delivered"}
    assert audited(runtime, "acme") == ["message dropped"]


def test_a_retried_message_is_due_at_once_under_its_old_key(
    runtime: Runtime, dead: dict[str, str]
) -> None:
    assert settle_dead(runtime, "acme", [], "retry", "mei") == 2
    with writing(runtime.engine) as connection:
        lane = outbox.Lane("slack", "#support")
        claimed = outbox.claim(connection, NOW, "worker", 10, lane, "acme")
    assert {one.message.key for one in claimed} == {"a1", "a2"}
    assert audited(runtime, "acme") == ["message tried again"] * 2


def test_another_clients_messages_cannot_be_settled(runtime: Runtime, dead: dict[str, str]) -> None:
    assert settle_dead(runtime, "acme", [dead["b1"], dead["fine"]], "drop", "mei") == 0
    assert states(runtime)["b1"] == "dead"
    assert states(runtime)["fine"] == "delivered"
    assert audited(runtime, "acme") == audited(runtime, "other") == []


def test_quarantine_is_listed_with_reason_and_size_until_the_record_is_readable(
    runtime: Runtime,
) -> None:
    records = [
        RawRecord(stream="mails", remote_id=f"m{n}", payload=b"x" * n, media_type="message/rfc822")
        for n in (1, 20)
    ]
    with writing(runtime.engine) as connection:
        page = Page(records, {"at": 1}, complete=True)
        store_page(connection, "acme", "inbox", "mails", page, sequence=0, fetched_at=NOW)
        rejected = [Rejected("mails", one.remote_id, "not a mail", "no header") for one in records]
        write_quarantine(connection, "acme", "inbox", rejected, {}, "mail-1", NOW)
    assert quarantined(runtime, "acme") == [Quarantined("inbox", "mails", "not a mail", 2)]
    assert quarantined(runtime, "other") == []
    with reading(runtime.engine) as connection:
        rows = problems.quarantined_records(connection, "acme", 10)
        assert {row["remote_id"]: row["size_bytes"] for row in rows} == {"m1": 1, "m20": 20}
        assert len(problems.quarantined_records(connection, "acme", 1)) == 1

    with writing(runtime.engine) as connection:
        write_quarantine(connection, "acme", "inbox", [], {"mails": ["m1"]}, "mail-1", NOW)
    assert quarantined(runtime, "acme") == [Quarantined("inbox", "mails", "not a mail", 1)]
