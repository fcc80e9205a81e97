"""Contacts are joined by rule, precision first: the same people whatever the order, nobody joined by chance."""

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.identity import (
    Decision,
    PersonRow,
    Resolution,
    identities_of,
    is_role_address,
    known_keys_of,
    normalise_email,
    normalise_name,
    normalise_phone,
    organisation_domain,
    region_of_zone,
    resolve,
)
from transforms.model import SourcePerson

Told = tuple[str, SourcePerson]


def person(
    remote_id: str,
    name: str | None = None,
    emails: Sequence[str] = (),
    phones: Sequence[str] = (),
    external_id: str | None = None,
    source: str = "zendesk",
    is_agent: bool = False,
    organisation: str | None = None,
) -> Told:
    return source, SourcePerson(
        remote_id=remote_id,
        is_agent=is_agent,
        name=name,
        emails=tuple(emails),
        phones=tuple(phones),
        external_id=external_id,
        organisation_remote_id=organisation,
    )


def groups_of(resolution: Resolution) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for (_, remote_id), key in resolution.keys.items():
        found.setdefault(key, set()).add(remote_id)
    return {frozenset(members) for members in found.values()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Anna.Berg@ACME.example ", "anna.berg@acme.example"),
        ("<mailto:anna@acme.example>", "anna@acme.example"),
        ("A.n.n.a+shop@GoogleMail.com", "anna@gmail.com"),
        ("anna+shop@acme.example", "anna+shop@acme.example"),
        ("anna@müller.example", "anna@xn--mller-kva.example"),
        ("anna＠acme．example", "anna@acme.example"),
        ('"anna berg"@acme.example', '"anna berg"@acme.example'),
        ("+tag@gmail.com", None),
        ("anna@acme", None),
        ("anna@@acme.example", None),
        ("anna berg@acme.example", None),
        ("anna@acme.example, bob@acme.example", None),
        ("=cmd|calc@x", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_addresses_have_one_form(text: str, expected: str | None) -> None:
    assert normalise_email(text) == expected


def test_plus_addresses_of_a_named_domain_are_one() -> None:
    assert normalise_email("anna+x@acme.example", {"acme.example"}) == "anna@acme.example"


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("0532 123 45 67", "TR", "+905321234567"),
        ("+90 (532) 123-4567", None, "+905321234567"),
        ("030 901820", "DE", "+4930901820"),
        ("0532 123 45 67", None, None),
        ("12", "DE", None),
        ("call me", "DE", None),
        ("", "DE", None),
    ],
)
def test_phone_numbers_have_one_form(text: str, region: str | None, expected: str | None) -> None:
    assert normalise_phone(text, region) == expected


def test_the_country_of_a_zone() -> None:
    zones = ("Europe/Istanbul", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "UTC")
    assert [region_of_zone(zone) for zone in zones] == ["TR", "DE", "GB", "IN", None]


@pytest.mark.parametrize(
    ("left", "right", "are_one"),
    [
        ("Öztürk, Ayşe", "ayse ozturk", True),
        ("IŞIK Işıl", "isil isik", True),
        ("Müller-Weiß Jörg", "Jorg Muller Weiss", True),
        ("Anna Berg", "Anna Bergmann", False),
    ],
)
def test_names_are_compared_without_accents_and_order(left: str, right: str, are_one: bool) -> None:
    assert (normalise_name(left) == normalise_name(right)) is are_one


def test_which_domains_tell_a_company_and_which_addresses_a_function() -> None:
    free = (
        "a@gmail.com",
        "a@yahoo.co.uk",
        "a@hotmail.com",
        "a@gmx.de",
        "a@web.de",
        "a@live.com.tr",
    )
    assert [organisation_domain(email) for email in free] == [None] * len(free)
    own = ("a@acme.example", "a@yahoo.acme.example", "a@outlook-partners.example")
    assert [organisation_domain(email) for email in own] == [e.partition("@")[2] for e in own]
    assert is_role_address("info@acme.example")
    assert is_role_address("noreply-123@acme.example")
    assert not is_role_address("information.desk.anna@acme.example")


def test_an_address_joins_across_sources_and_the_fullest_name_survives() -> None:
    result = resolve(
        {},
        [
            person("1", "Anna", ["anna@acme.example"], source="zendesk", organisation="o1"),
            person("9", "Anna Maria Berg", ["ANNA@acme.example"], ["030 901820"], source="mail"),
            person("2", "Anna Berg", ["anna.berg@acme.example"], source="zendesk"),
        ],
        "acme",
        region="DE",
    )
    assert groups_of(result) == {frozenset({"1", "9"}), frozenset({"2"})}
    joined = result.keys[("zendesk", "1")]
    (row,) = [one for one in result.people if one.key == joined]
    assert row == PersonRow(
        joined,
        name="Anna Maria Berg",
        email="anna@acme.example",
        phone="030 901820",
        organisation=("zendesk", "o1"),
    )
    reasons = {(a.source_key, a.remote_id): a.reason for a in result.aliases}
    assert reasons[("mail", "9")] == "first seen"
    assert reasons[("zendesk", "1")] == "zendesk 1 has the e-mail address anna@acme.example"
    assert {(i.kind, i.value) for i in result.identities if i.key == joined} == {
        ("email", "anna@acme.example"),
        ("phone_and_name", "+4930901820 anna berg maria"),
        ("source", "zendesk/1"),
        ("source", "mail/9"),
    }
    assert all(identity.reason for identity in result.identities)


def test_resolving_the_same_people_again_brings_nothing_new() -> None:
    people = [
        person("1", "Anna Berg", ["anna@acme.example"], ["030 901820"]),
        person("2", "Anna Berg", [], ["030 901820"], source="phone"),
        person("3", "Bob", external_id="77"),
    ]
    first = resolve({}, people, "acme", region="DE")
    known = {(i.kind, i.value): i.key for i in first.identities}
    present = {row.key: row for row in first.people}
    again = resolve(known, people[::-1], "acme", present=present, region="DE")
    assert (again.identities, again.aliases, again.merges) == ([], [], [])
    assert again.keys == first.keys
    assert {row.key: row for row in again.people} == present
    assert known_keys_of(known, people[:1], "DE") == {first.keys[("zendesk", "1")]}


def test_a_record_that_shows_two_contacts_to_be_one_merges_them_with_a_reason() -> None:
    first = resolve({}, [person("1", "Anna", ["a@acme.example"])], "acme")
    second = resolve({}, [person("5", "Anna Berg", ["b@acme.example"], source="mail")], "acme")
    known = {(i.kind, i.value): i.key for i in [*first.identities, *second.identities]}
    present = {row.key: row for row in [*first.people, *second.people]}
    bridge = person("8", None, ["a@acme.example", "b@acme.example"], source="freshdesk")
    result = resolve(known, [bridge], "acme", present=present)
    (merge,) = result.merges
    assert {merge.winner_key, merge.loser_key} == set(known.values())
    assert merge.reason == "freshdesk 8 has the e-mail address b@acme.example"
    assert result.keys[("freshdesk", "8")] == merge.winner_key
    assert [(row.key, row.name) for row in result.people] == [(merge.winner_key, "Anna Berg")]


def test_an_external_id_joins_and_an_agents_does_not() -> None:
    customers = [
        person("1", "Anna", ["a@acme.example"], external_id="77"),
        person("2", "A. Berg", ["b@acme.example"], external_id="77", source="freshdesk"),
    ]
    assert len(groups_of(resolve({}, customers, "acme"))) == 1
    agents = [
        person("1", "Ann", ["ann@desk.example"], external_id="77", is_agent=True),
        person("2", "Bob", ["bob@desk.example"], external_id="77", is_agent=True),
        person("9", "Ann", ["Ann@desk.example"], source="freshdesk", is_agent=True),
    ]
    result = resolve({}, agents, "acme", kind="agent")
    assert groups_of(result) == {frozenset({"1", "9"}), frozenset({"2"})}
    assert all(key.startswith("agent-") for key in result.keys.values())


def test_a_function_address_joins_only_records_that_have_nothing_else() -> None:
    result = resolve(
        {},
        [
            person("1", "Anna", ["anna@acme.example", "info@acme.example"]),
            person("2", "Bob", ["info@acme.example", "bob@acme.example"]),
            person("3", "Carl", ["info@acme.example"], external_id="77"),
            person("4", "Info Desk", ["info@acme.example"]),
            person("5", "Dora Lang", ["INFO@acme.example"], ["030 901820"], source="mail"),
            person("6", "Dora Lang", [], ["030 901820"], source="mail"),
        ],
        "acme",
        region="DE",
    )
    assert groups_of(result) == {frozenset(x) for x in ("1", "2", "3", "6", ("4", "5"))}


def test_a_name_alone_joins_nobody() -> None:
    people = [person("1", "Anna Berg"), person("2", "Anna Berg"), person("3", "Anna Berg", ["x"])]
    assert len(groups_of(resolve({}, people, "acme"))) == 3


def test_a_phone_number_needs_the_same_full_name_and_no_stronger_identity() -> None:
    number = ["030 901820"]
    result = resolve(
        {},
        [
            person("1", "Anna Berg", ["anna@acme.example"], number),
            person("2", "Berg, Anna", [], number, source="phone"),
            person("3", "Anna Berg", ["other@acme.example"], number, source="mail"),
            person("4", "Bob Stein", [], number, source="phone"),
            person("5", "Anna", [], number, source="phone"),
        ],
        "acme",
        region="DE",
    )
    with_two = [group for group in groups_of(result) if "2" in group]
    assert with_two in ([frozenset({"1", "2"})], [frozenset({"3", "2"})])
    assert len(groups_of(result)) == 4


def test_a_switchboard_joins_nobody() -> None:
    names = ["Anna Berg", "Bob Stein", "Carl Otto", "Dora Lang"]
    people = [person(str(n), name, [], ["030 901820"]) for n, name in enumerate(names * 2)]
    assert len(groups_of(resolve({}, people, "acme", region="DE"))) == 8
    assert len(groups_of(resolve({}, people[:3] + people[4:7], "acme", region="DE"))) == 3


def test_two_numbers_never_chain() -> None:
    one, two = "030 901820", "030 901821"
    people = [
        person("1", "Anna Berg", [], [one]),
        person("2", "Anna Berg", [], [one, two]),
        person("3", "Anna Berg", [], [two]),
    ]
    assert groups_of(resolve({}, people, "acme", region="DE")) == {
        frozenset({"1", "2"}),
        frozenset({"3"}),
    }


def test_what_a_person_decided_goes_first() -> None:
    first = resolve({}, [person("1", "A", ["a@x.example"]), person("2", "B", ["b@x.example"])], "c")
    known = {(i.kind, i.value): i.key for i in first.identities}
    left, right = first.keys[("zendesk", "1")], first.keys[("zendesk", "2")]
    bridge = [person("3", "AB", ["a@x.example", "b@x.example"])]
    apart = resolve(known, bridge, "c", [Decision(left, right, "different")])
    assert not apart.merges
    assert apart.keys[("zendesk", "3")] == left
    assert apart.held_apart == [
        "zendesk 3 has the e-mail address b@x.example; a person decided that they are two"
    ]
    present = {row.key: row for row in first.people}
    same = resolve(known, [], "c", [Decision(left, right, "same")], present=present)
    (merge,) = same.merges
    assert {merge.winner_key, merge.loser_key} == {left, right}
    assert merge.reason == "a person decided that they are one"
    assert [row.key for row in same.people] == [merge.winner_key]
    gone = Decision(left, "contact-gone", "same")
    assert not resolve(known, [], "c", [gone]).merges


def test_clients_never_share_a_key() -> None:
    people = [person("1", "Anna", ["a@x.example"])]
    assert set(resolve({}, people, "acme").keys.values()).isdisjoint(
        resolve({}, people, "other").keys.values()
    )


PEOPLE = st.lists(
    st.builds(
        lambda emails, external, source: (emails, external, source),
        st.lists(st.sampled_from([f"{letter}@x.example" for letter in "abcdef"]), max_size=2),
        st.sampled_from([None, None, "1", "2"]),
        st.sampled_from(["zendesk", "mail"]),
    ),
    max_size=9,
).map(
    lambda drawn: [
        person(str(n), f"Name {n}", emails, external_id=external, source=source)
        for n, (emails, external, source) in enumerate(drawn)
    ]
)


def components(people: Iterable[Told]) -> set[frozenset[str]]:
    """The strong identities' connected components, made the slow and plain way."""
    groups: list[tuple[set[str], set[tuple[str, str]]]] = []
    for source, one in people:
        members, ids = {one.remote_id}, set(identities_of(one, source))
        apart = []
        for other_members, other_ids in groups:
            if ids & other_ids:
                members, ids = members | other_members, ids | other_ids
            else:
                apart.append((other_members, other_ids))
        groups = [*apart, (members, ids)]
    return {frozenset(members) for members, _ in groups}


@settings(max_examples=150, deadline=None)
@given(PEOPLE, st.randoms(use_true_random=False))
def test_order_does_not_matter(people: list[Told], chance: random.Random) -> None:
    first = resolve({}, people, "acme")
    shuffled = people[:]
    chance.shuffle(shuffled)
    assert resolve({}, shuffled, "acme") == first
    assert groups_of(first) == components(people)


@settings(max_examples=150, deadline=None)
@given(PEOPLE, st.randoms(use_true_random=False))
def test_batches_do_not_matter_for_who_is_one(people: list[Told], chance: random.Random) -> None:
    """As the loader does it: identities are kept, merges re-point what was the loser's."""
    known: dict[tuple[str, str], str] = {}
    keys: dict[tuple[str, str], str] = {}
    left = people[:]
    chance.shuffle(left)
    while left:
        size = chance.randint(1, 3)
        batch, left = left[:size], left[size:]
        result = resolve(known, batch, "acme")
        assert set(known) & {(i.kind, i.value) for i in result.identities} == set()
        moved = {merge.loser_key: merge.winner_key for merge in result.merges}
        assert not set(moved) & set(moved.values())
        known |= {(i.kind, i.value): i.key for i in result.identities}
        keys |= {(a.source_key, a.remote_id): a.key for a in result.aliases}
        known = {identity: moved.get(key, key) for identity, key in known.items()}
        keys = {record: moved.get(key, key) for record, key in keys.items()}
        assert all(keys[record] == key for record, key in result.keys.items())
    assert groups_of(Resolution(keys=keys)) == components(people)
