"""People in the warehouse: who turns out to be one person, and everything that follows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from connectors.warehouse import aliases, persons
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import (
    agent,
    comment,
    contact,
    entity_match,
    organisation,
    ticket,
    ticket_change,
)
from pipelines import same_people
from pipelines.normalise import write_batch
from pipelines.people import PeopleLoader
from pipelines.same_people import match_people
from transforms.model import (
    Batch,
    SourceChange,
    SourceComment,
    SourceOrganisation,
    SourcePerson,
    SourceTicket,
)
from transforms.rows import Origin

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)


def person(remote_id, *, is_agent=False, emails=(), **values):
    """A person as a source knows them."""
    return SourcePerson(remote_id=remote_id, is_agent=is_agent, emails=tuple(emails), **values)


def request(remote_id, requester, agent_id):
    """A ticket with a comment of each, and two changes by the agent."""
    return Batch(
        tickets=[
            SourceTicket(
                remote_id=remote_id,
                subject="A question",
                status="open",
                source_status="open",
                priority="low",
                source_priority="low",
                created_at=AT,
                updated_at=AT,
                requester_remote_id=requester,
                assignee_remote_id=agent_id,
            )
        ],
        comments=[
            SourceComment(f"{remote_id}-1", remote_id, AT, "customer", True, "Hello", requester),
            SourceComment(f"{remote_id}-2", remote_id, AT, "agent", True, "Hello", agent_id),
        ],
        changes=[
            SourceChange(
                f"{remote_id}-{field}",
                remote_id,
                field,
                None,
                value,
                AT,
                actor_kind="agent",
                actor_remote_id=agent_id,
            )
            for field, value in (("assignee", agent_id), ("requester", requester))
        ],
    )


def load(engine, source_key, *people, batch=None, organisations=()):
    """Writes a batch as one run of a source does."""
    batch = batch or Batch()
    batch.people = list(people)
    batch.organisations = list(organisations)
    with writing(engine) as connection:
        origin = Origin("shop", source_key, "test-1", AT)
        write_batch(connection, batch, {}, origin, PeopleLoader("shop", source_key))


def rows(engine, table):
    """All rows."""
    with reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]


@pytest.mark.parametrize("is_agent", [True, False])
def test_two_records_that_turn_out_to_be_one_person(engine, is_agent):
    """Known under two addresses in two systems, until one system tells both of them."""
    other = "8" if is_agent else "7"
    first = person(
        "7" if is_agent else "8", is_agent=is_agent, emails=["eve@shop.example"], name="Eve"
    )
    second = person("1", is_agent=is_agent, emails=["eve.adams@shop.example"])
    bystander = person(other, is_agent=not is_agent, emails=["bob@shop.example"])
    numbers = (other, first.remote_id) if is_agent else (first.remote_id, other)
    load(engine, "alpha", first, bystander, batch=request("a", *numbers))
    their = ("2", "1") if is_agent else ("1", "2")
    stranger = person("2", is_agent=not is_agent, emails=["bob@shop.example"])
    load(engine, "beta", second, stranger, batch=request("b", *their))
    table = agent if is_agent else contact
    assert len(rows(engine, table)) == 2

    load(
        engine,
        "beta",
        person(
            "1",
            is_agent=is_agent,
            emails=["eve.adams@shop.example", "eve@shop.example"],
            name="Eve Adams",
        ),
    )

    assert len(rows(engine, table)) == 2
    same = match_people(engine, "shop", AT)
    assert (same.contacts_merged, same.agents_merged) == ((0, 1) if is_agent else (1, 0))
    assert not match_people(engine, "shop", AT).is_fresh

    (leader,) = [row for row in rows(engine, table) if row["merged_into_key"] is None]
    key = leader[f"{table.name}_key"]
    members = {row[f"{table.name}_key"] for row in rows(engine, table)}
    assert {row["merged_into_key"] for row in rows(engine, table)} == {None, key}
    (other_key,) = {
        row["contact_key" if is_agent else "agent_key"]
        for row in rows(engine, contact if is_agent else agent)
    }
    (link,) = rows(engine, entity_match)
    assert {link["left_key"], link["right_key"]} == members
    assert (link["verdict"], link["basis"]) == ("same", "identity")
    assert link["reason"].endswith("have the same e-mail address eve@shop.example")
    assert {f"alpha {first.remote_id}", "beta 1"} == set(
        link["reason"].partition(" have")[0].split(" and ")
    )
    assert leader["name"] == "Eve Adams"

    # No ticket, comment or change was written anew: keys stay, and so a merge can be taken back.
    asked = {row["requester_key"] for row in rows(engine, ticket)}
    assigned = {row["assignee_key"] for row in rows(engine, ticket)}
    assert (asked, assigned) == (({other_key}, members) if is_agent else (members, {other_key}))
    with writing(engine) as connection:
        persons.decide(connection, "shop", [tuple(members)], "different", "ops", AT)
        persons.note_change(connection, "shop")
    match_people(engine, "shop", AT)
    assert {row["merged_into_key"] for row in rows(engine, table)} == {None}
    assert {row["name"] for row in rows(engine, table)} == {"Eve", "Eve Adams"}
    (link,) = rows(engine, entity_match)
    assert (link["verdict"], link["basis"]) == ("apart", "decision")


def test_whoever_is_known_keeps_their_place_in_later_runs(engine):
    """A ticket that changes keeps its requester, though nothing about the person is new."""
    people = (person("8", emails=["ada@buyer.example"]), person("7", is_agent=True))
    load(engine, "alpha", *people, batch=request("a", "8", "7"))
    before = [rows(engine, table) for table in (comment, ticket_change, contact, agent)]
    (first,) = rows(engine, ticket)
    assert first["requester_key"] is not None
    assert first["assignee_key"] is not None

    load(engine, "alpha", *people, batch=request("a", "8", "7"))

    assert [rows(engine, table) for table in (comment, ticket_change, contact, agent)] == before
    (second,) = rows(engine, ticket)
    assert second["history_revision"] > first["history_revision"]
    assert {**second, "history_revision": 0} == {**first, "history_revision": 0}


def test_an_organisation_of_two_sources_does_not_depend_on_who_came_last(engine):
    alpha = SourceOrganisation("5", "Bakery", domains=("bakery.example", "cakes.example"))
    beta = SourceOrganisation("9", "Bakery Ltd", domains=("bakery.example",))
    load(engine, "alpha", organisations=[alpha])
    load(engine, "beta", organisations=[beta])
    after_beta = rows(engine, organisation)
    load(engine, "alpha", organisations=[alpha])
    after_alpha = rows(engine, organisation)

    assert after_alpha == after_beta
    (row,) = after_beta
    assert row["domains"] == ["bakery.example", "cakes.example"]


def test_keys_of_people_are_found_by_each_source_alone(engine):
    """The same number in two sources is two people."""
    load(engine, "alpha", person("8", emails=["ada@buyer.example"]))
    load(engine, "beta", person("8", emails=["ben@buyer.example"]))
    with reading(engine) as connection:
        keys = [
            aliases.known_keys(connection, "shop", source, "contact", ["8"])["8"]
            for source in ("alpha", "beta")
        ]
    assert len(set(keys)) == 2


def test_a_large_client_is_matched_once_an_hour(engine, monkeypatch):
    monkeypatch.setattr(same_people, "MANY", 2)
    load(engine, "alpha", person("1", emails=["a@x.example"]), person("2", emails=["b@x.example"]))
    assert match_people(engine, "shop", AT, at_once=False).is_fresh
    load(engine, "beta", person("1", emails=["a@x.example", "b@x.example"]))
    early = AT + timedelta(minutes=59)
    assert not match_people(engine, "shop", early, at_once=False).is_fresh
    late = match_people(engine, "shop", AT + timedelta(hours=1), at_once=False)
    assert (late.is_fresh, late.contacts_merged) == (True, 1)
    load(engine, "beta", person("3", emails=["c@x.example"]))
    assert match_people(engine, "shop", AT + timedelta(hours=1, minutes=1)).is_fresh
