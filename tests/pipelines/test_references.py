"""A batch is given whom its records name, and nobody else."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from connectors.contract import Page
from connectors.warehouse import raw
from connectors.warehouse.engine import reading, writing
from pipelines.references import References
from transforms.model import RawRecord

NOW = datetime(2026, 11, 2, 6, tzinfo=UTC)


def store(engine: Engine, stream: str, **payloads: str) -> None:
    records = [
        RawRecord(stream, name.lstrip("n"), payload.encode()) for name, payload in payloads.items()
    ]
    with writing(engine) as connection:
        raw.store_page(
            connection, "acme", "desk", stream, Page(records, {}, True), sequence=0, fetched_at=NOW
        )


@pytest.fixture
def filled(engine: Engine) -> Engine:
    store(engine, "users", n7='{"id":7,"organization_id":70}', n8='{"id":8}', n9='{"id":9}')
    store(engine, "organizations", n70='{"id":70}', n71='{"id":71}')
    store(engine, "group_memberships", n1='{"id":1,"user_id":9}')
    return engine


def given(engine: Engine, ticket: str, **changed: list[str]) -> dict[str, set[str]]:
    with reading(engine) as connection:
        references = References(
            connection, "acme", "desk", ["group_memberships"], ["users", "organizations"]
        )
        records = {"tickets": [RawRecord("tickets", "5", ticket.encode())]}
        found = references.given_with(connection, records, changed)
    return {stream: {record.remote_id for record in some} for stream, some in found.items()}


def test_named_people_come_with_their_organisations_and_members_of_teams_always(
    filled: Engine,
) -> None:
    assert given(filled, '{"id":5,"requester_id":7}') == {
        "group_memberships": {"1"},
        "users": {"7", "9"},
        "organizations": {"70"},
    }


def test_a_name_inside_a_list_or_a_text_value_is_seen(filled: Engine) -> None:
    assert given(filled, '{"followers":[8],"previous":"7"}')["users"] == {"7", "8", "9"}


def test_a_part_of_a_number_names_nobody(filled: Engine) -> None:
    assert given(filled, '{"id":78}')["users"] == {"9"}


def test_changed_people_are_given_though_nothing_names_them(filled: Engine) -> None:
    assert given(filled, "{}", users=["8"])["users"] == {"8", "9"}
