"""Who is one person: decided, by rule, by score; the same whatever the order; nothing that can't be undone."""

import random
from collections.abc import Iterable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.identity import first_key, identities_of
from transforms.matching.match import match
from transforms.matching.records import Matching, MatchRecord, PairDecision, ScoredPair
from transforms.model import SourcePerson
from transforms.person_rows import PersonRecord, PersonRow, survivor
from transforms.persons import Grouping, Link, unite_people, why_unsure

Told = tuple[str, SourcePerson]


def record(
    remote_id: str,
    name: str | None = None,
    emails: Sequence[str] = (),
    external_id: str | None = None,
    source: str = "zendesk",
    *,
    is_agent: bool = False,
    is_active: bool = True,
    phones: Sequence[str] = (),
    organisation: str | None = None,
) -> PersonRecord:
    """A record with the key that it gets at first sight."""
    told = SourcePerson(remote_id, is_agent, name, tuple(emails), external_id=external_id)
    kind = "agent" if is_agent else "contact"
    return PersonRecord(
        first_key("acme", kind, source, told),
        source,
        remote_id,
        name,
        tuple(emails),
        tuple(phones),
        external_id,
        organisation,
        is_active=is_active,
    )


def groups(records: Sequence[PersonRecord], leader: Mapping[str, str]) -> set[frozenset[str]]:
    """Remote ids by group."""
    found: dict[str, set[str]] = {}
    for one in records:
        found.setdefault(leader[one.key], set()).add(one.remote_id)
    return {frozenset(members) for members in found.values()}


ANNA = record("1", "Anna Berg", ["a@x.example"])
ANNA_TOO = record("5", "Anna Berg", ["b@x.example"], source="mail")
BRIDGE = record("8", None, ["a@x.example", "b@x.example"], source="freshdesk")


def test_a_record_with_both_addresses_shows_two_keys_to_be_one() -> None:
    found = unite_people([ANNA, ANNA_TOO, BRIDGE], [], None)
    assert groups([ANNA, ANNA_TOO, BRIDGE], found.leader) == {frozenset("158")}
    first, second = sorted([ANNA.key, ANNA_TOO.key])
    assert found.leader == {first: first, second: first}
    assert [(link.left_key, link.right_key, link.verdict, link.basis) for link in found.links] == [
        (first, second, "same", "identity")
    ]
    assert found.links[0].reason.endswith("have the same e-mail address b@x.example")


def test_an_external_id_joins_contacts_and_no_agents() -> None:
    for is_agent in (False, True):
        two = [
            record("1", "Anna", ["a@x.example"], "77", is_agent=is_agent),
            record("2", "A. Berg", ["b@x.example"], "77", source="freshdesk", is_agent=is_agent),
        ]
        found = unite_people(two, [], None, is_agent=is_agent)
        assert len(groups(two, found.leader)) == (2 if is_agent else 1)


def test_a_function_address_joins_only_records_that_have_nothing_else() -> None:
    told = [
        record("1", "Anna", ["anna@acme.example", "info@acme.example"]),
        record("2", "Bob", ["info@acme.example", "bob@acme.example"]),
        record("3", "Carl", ["info@acme.example"], external_id="77"),
        record("4", "Info Desk", ["info@acme.example"]),
        record("5", "Dora Lang", ["INFO@acme.example"], source="mail"),
    ]
    found = unite_people(told, [], None)
    assert groups(told, found.leader) == {frozenset(x) for x in ("1", "2", "3", "45")}


def test_what_a_person_decided_goes_before_identities() -> None:
    apart = PairDecision(ANNA_TOO.key, ANNA.key, "different")
    found = unite_people([ANNA, ANNA_TOO, BRIDGE], [apart], None)
    assert groups([ANNA, ANNA_TOO, BRIDGE], found.leader) == {frozenset("18"), frozenset("5")}
    (link,) = found.links
    assert (link.verdict, link.basis) == ("apart", "decision")
    assert link.reason.endswith("b@x.example; a person decided that they are two")

    ben = record("9", "Ben", ["ben@x.example"])
    same = PairDecision(ben.key, ANNA.key, "same")
    found = unite_people([ANNA, ben], [same], None)
    assert len(groups([ANNA, ben], found.leader)) == 1
    gone = PairDecision("contact-gone", ANNA.key, "same")
    assert unite_people([ANNA, ben], [gone], None).links == []


def test_decisions_hold_through_others() -> None:
    """A and C are two: B, who was decided to be both, can only be one of them."""
    three = [record(n, n, [f"{n}@x.example"]) for n in "abc"]
    a, b, c = (one.key for one in three)
    decided = [
        PairDecision(a, b, "same"),
        PairDecision(b, c, "same"),
        PairDecision(a, c, "different"),
    ]
    found = unite_people(three, decided, None)
    assert found.leader[a] != found.leader[c]
    assert found.leader[b] in (found.leader[a], found.leader[c])
    assert [link.verdict for link in found.links].count("apart") == 1


def test_scores_join_and_doubts_are_listed() -> None:
    """Scored matching sees one record for each key, and everything that is held already."""
    ben = record("9", "Berg, Anna", ["ben@x.example"])
    dora = record("4", "Dora", ["dora@x.example"])
    asked: list[tuple[list[MatchRecord], list[PairDecision]]] = []

    def scored(told: Iterable[MatchRecord], held: Sequence[PairDecision]) -> Matching:
        asked.append((list(told), list(held)))
        sure, unsure = sorted([ANNA.key, ben.key]), sorted([ben.key, dora.key])
        return Matching(
            merges=[ScoredPair(sure[0], sure[1], 9.5, note="the same shoes")],
            doubtful=[ScoredPair(unsure[0], unsure[1], 2.0, note="the same hat")],
        )

    everybody = [ANNA, ANNA_TOO, BRIDGE, ben, dora]
    different = PairDecision(ANNA.key, dora.key, "different")
    found = unite_people(everybody, [different], scored, organisation_names={})
    ((told, held),) = asked
    assert [one.key for one in told] == sorted({one.key for one in everybody})
    assert {(one.decision, frozenset((one.left_key, one.right_key))) for one in held} == {
        ("same", frozenset((ANNA.key, ANNA_TOO.key))),
        ("different", frozenset((ANNA.key, dora.key))),
    }
    assert groups(everybody, found.leader) == {frozenset("1589"), frozenset("4")}
    by_basis = {(link.verdict, link.basis): link for link in found.links}
    assert by_basis["same", "score"].bits == 9.5
    assert by_basis["same", "score"].reason == "the same shoes"
    assert by_basis["doubtful", "score"].reason == "the same hat"


@pytest.mark.parametrize(
    ("left", "right", "addresses", "expected"),
    [
        ("Anna Berg", "Bérg, Anna", (1, 1), ""),
        ("Priya Natarajan", "Priya Natarjan", (1, 1), ""),
        ("Priya Natarajan", "Priya Natarajna", (1, 1), ""),
        ("Maria Lopez", "Mario Lopez", (1, 1), "their names differ"),
        ("M. Lopez", "Maria Lopez", (1, 0), "their names differ"),
        ("Jan Berg", "Jon Berg", (1, 1), "their names differ"),
        ("Anna Berg", "Anna Berger Berg", (1, 1), "their names differ"),
        ("Anna", "Anna", (1, 0), ""),
        ("Support", "Support", (1, 1), "a name of one word and two addresses"),
        (None, "Anna Berg", (1, 1), "one of them has no name"),
    ],
)
def test_a_high_score_is_not_always_enough(
    left: str | None, right: str | None, addresses: tuple[int, int], expected: str
) -> None:
    one, two = (
        MatchRecord(name or "?", name=name, emails=(f"{count}@x.example",) * count)
        for name, count in zip((left, right), addresses, strict=True)
    )
    assert why_unsure(one, two) == why_unsure(two, one) == expected


def test_families_and_offices_share_a_number() -> None:
    """The real scores: a shared number joins no Maria with Mario, and nobody twice under one name."""
    number = ["+34911111111"]
    told = [
        record("1", "Maria Lopez", ["maria@cafe.example"], phones=number),
        record("2", "Mario Lopez", ["mario@cafe.example"], phones=number, source="mail"),
        record("3", "Lopez, Maria", [], phones=number, source="phone"),
        record("4", "Support", ["a@s.example"], phones=["+34922222222"]),
        record("5", "Support", ["b@s.example"], phones=["+34922222222"], source="mail"),
        record("6", "Anna Kaya", ["anna.kaya1@gmail.com"]),
        record("7", "Anna Kaya", ["anna.kaya2@gmail.com"], source="mail"),
    ]

    def scored(records: Iterable[MatchRecord], held: Sequence[PairDecision]) -> Matching:
        return match(records, "person", held)

    found = unite_people(told, [], scored)
    assert groups(told, found.leader) == {frozenset(x) for x in ("13", "2", "4", "5", "6", "7")}
    assert [link.verdict for link in found.links].count("doubtful") >= 2


def test_two_of_one_name_who_wrote_in_one_ticket_are_one() -> None:
    """A customer who goes on from home: a name alone is doubtful, the same ticket makes it sure."""
    told = [
        record("1", "Tom Stone", ["tom@stone.example"]),
        record("2", "Tom Stone", ["t.stone@home.example"], source="mail"),
        record("3", "Tim Stone", ["tim@stone.example"], source="mail"),
    ]
    one, two, three = (one.key for one in told)
    together = [(min(one, other), max(one, other)) for other in (two, three)]

    def scored(records: Iterable[MatchRecord], held: Sequence[PairDecision]) -> Matching:
        return match(records, "person", held)

    alone = unite_people(told, [], scored)
    assert len(groups(told, alone.leader)) == 3
    found = unite_people(told, [], scored, wrote_together=together)
    assert groups(told, found.leader) == {frozenset("12"), frozenset("3")}
    (link,) = [link for link in found.links if link.verdict == "same"]
    assert link.reason.endswith("both wrote in one ticket")


def test_what_is_evidence() -> None:
    told: list[MatchRecord] = []

    def scored(records: Iterable[MatchRecord], held: Sequence[PairDecision]) -> Matching:
        told.extend(records)
        return Matching()

    records = [
        record(
            "1",
            "Anna Berg",
            ["info@acme.example", "Anna@Acme.example"],
            "77",
            phones=["030 901820", "x"],
            organisation="o1",
        ),
        record("2", "A. Berg", ["anna@acme.example"], source="mail"),
        record("3", "Ben", ["ben@gmail.com"]),
    ]
    unite_people(records, [], scored, region="DE", organisation_names={"o1": "Acme Ltd"})
    by_name = {one.name: one for one in told}
    assert by_name["Anna Berg"] == MatchRecord(
        records[0].key,
        name="Anna Berg",
        emails=("anna@acme.example",),
        phones=("+4930901820", "x"),
        company="Acme Ltd",
        domain="acme.example",
        attributes=(("external id", "77"),),
    )
    assert by_name["Ben"].domain is None


def test_survivorship() -> None:
    records = [
        record("9", "Anna", ["info@acme.example"], source="a", is_active=False, phones=["1"]),
        record("1", "Anna Maria Berg (acme Support)", ["A@acme.example"], organisation="o1"),
        record("2", "anna@acme.example", ["b@acme.example"], phones=["2"]),
    ]
    expected = PersonRow(
        "k", "Anna Maria Berg", "a@acme.example", "2", None, None, True, organisation_key="o1"
    )
    assert survivor("k", records) == survivor("k", records[::-1]) == expected


PEOPLE = st.lists(
    st.tuples(
        st.lists(st.sampled_from([f"{letter}@x.example" for letter in "abcdef"]), max_size=2),
        st.sampled_from([None, None, "1", "2"]),
        st.sampled_from(["zendesk", "mail"]),
    ),
    max_size=9,
).map(
    lambda drawn: [
        record(str(n), f"Name {n}", emails, external, source)
        for n, (emails, external, source) in enumerate(drawn)
    ]
)


def components(records: Sequence[PersonRecord]) -> set[frozenset[str]]:
    """The strong identities' connected components, made the slow and plain way."""
    found: list[tuple[set[str], set[tuple[str, str]]]] = []
    for one in records:
        told = SourcePerson(one.remote_id, False, emails=one.emails, external_id=one.external_id)
        members, ids = {one.remote_id}, set(identities_of(told, one.source_key))
        apart = []
        for other_members, other_ids in found:
            if ids & other_ids:
                members, ids = members | other_members, ids | other_ids
            else:
                apart.append((other_members, other_ids))
        found = [*apart, (members, ids)]
    return {frozenset(members) for members, _ in found}


@settings(max_examples=200, deadline=None)
@given(PEOPLE, st.data(), st.randoms(use_true_random=False))
def test_order_does_not_matter(
    people: list[PersonRecord], data: st.DataObject, chance: random.Random
) -> None:
    keys = sorted({one.key for one in people})
    decided = [
        PairDecision(left, right, data.draw(st.sampled_from(["same", "different"])))
        for left, right in data.draw(
            st.lists(st.tuples(st.sampled_from(keys), st.sampled_from(keys)), max_size=3)
            if keys
            else st.just([])
        )
        if left < right
    ]
    decided = list({(one.left_key, one.right_key): one for one in decided}.values())
    first = unite_people(people, decided, None)
    shuffled, others = people[:], decided[:]
    chance.shuffle(shuffled)
    chance.shuffle(others)
    assert unite_people(shuffled, others, None) == first
    if not decided:
        assert groups(people, first.leader) == components(people)
    for one in decided:
        if one.decision == "different":
            assert first.leader[one.left_key] != first.leader[one.right_key]
    assert isinstance(first, Grouping)
    assert all(isinstance(link, Link) and link.left_key < link.right_key for link in first.links)
