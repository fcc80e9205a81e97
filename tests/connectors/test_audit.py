"""The audit trail: whole chains verify, any change, gap or cut end shows, clients do not touch each other."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, update

from connectors.warehouse import audit
from connectors.warehouse.audit import AuditItem, Head
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import audit_entry

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def items(count: int, start: int = 0) -> list[AuditItem]:
    return [
        AuditItem(
            "timer fired",
            f"v1:acme:t{n}:1:l2",
            NOON + timedelta(seconds=n, microseconds=1),
            {
                "level": "L2",
                "late_seconds": n,
                "is_late": n > 2,
                "person": None,
                "word": "müde\x00🎉",
            },
        )
        for n in range(start, start + count)
    ]


def test_a_chain_grows_and_verifies_on_both_databases(engine: Engine) -> None:
    with writing(engine) as connection:
        assert audit.append(connection, "acme", []) == Head(0, audit.FIRST_HASH)
        first = audit.append(connection, "acme", items(3))
    with writing(engine) as connection:
        second = audit.append(connection, "acme", items(2, 3))
        audit.append(connection, "other", items(1))
    assert (first.sequence, second.sequence) == (3, 5)
    with reading(engine) as connection:
        assert audit.head(connection, "acme") == second
        for anchor in (None, first, second, Head(0, audit.FIRST_HASH)):
            found = audit.verify(connection, "acme", anchor)
            assert (found.holds, found.entries, found.head) == (True, 5, second)
        assert audit.verify(connection, "other").entries == 1
        assert audit.verify(connection, "nobody").holds


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"action": "nothing happened"}, "entry 3 was changed"),
        ({"subject": "v1:acme:t9:1:l2"}, "entry 3 was changed"),
        ({"detail": {"level": "L3"}}, "entry 3 was changed"),
        ({"occurred_at": NOON}, "entry 3 was changed"),
        ({"entry_hash": "0" * 64}, "entry 3 was changed"),
        ({"previous_hash": "0" * 64}, "entry 3 does not follow entry 2"),
    ],
)
def test_any_change_shows(engine: Engine, change: dict[str, object], fault: str) -> None:
    with writing(engine) as connection:
        audit.append(connection, "acme", items(5))
        audit.append(connection, "other", items(5))
        connection.execute(
            update(audit_entry)
            .where(audit_entry.c.client_key == "acme", audit_entry.c.sequence == 3)
            .values(**change)
        )
    with reading(engine) as connection:
        found = audit.verify(connection, "acme")
        assert not found.holds
        assert fault in str(found.fault)
        assert found.entries == 2
        assert audit.verify(connection, "other").holds


def test_a_gap_shows_and_a_cut_end_shows_by_its_anchor(engine: Engine) -> None:
    with writing(engine) as connection:
        anchor = audit.append(connection, "acme", items(5))
        connection.execute(delete(audit_entry).where(audit_entry.c.sequence == 5))
    with reading(engine) as connection:
        assert audit.verify(connection, "acme").holds, "without an anchor a cut end cannot be seen"
        assert "the anchored head 5 is gone: nothing" in str(
            audit.verify(connection, "acme", anchor).fault
        )
    with writing(engine) as connection:
        audit.append(connection, "acme", items(1, 77))
        assert "another entry" in str(audit.verify(connection, "acme", anchor).fault)
        connection.execute(delete(audit_entry).where(audit_entry.c.sequence == 2))
        assert audit.verify(connection, "acme").fault == "entry 2 is missing"


def test_what_databases_write_differently_is_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        for bad in (1.5, ["a"], {"a": 1}):
            with pytest.raises(ValueError, match="expected text, a whole number or a flag"):
                audit.append(connection, "acme", [AuditItem("a", "s", NOON, {"x": bad})])  # type: ignore[dict-item]
        with pytest.raises(ValueError, match="without a zone"):
            audit.append(connection, "acme", [AuditItem("a", "s", NOON.replace(tzinfo=None))])
        assert audit.head(connection, "acme").sequence == 0


def test_writers_at_once_make_one_chain(engine: Engine) -> None:
    failures = []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                with writing(engine) as connection:
                    audit.append(connection, "acme", items(2, number * 100 + turn))
        except Exception as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with reading(engine) as connection:
        found = audit.verify(connection, "acme")
        assert (found.holds, found.entries) == (True, 80)
