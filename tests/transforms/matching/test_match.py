"""Scored matching by hand-worked pairs: what is one, what is doubtful, what stays apart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.matching.match import DECIDED_SAME, MEMBERS_DISAGREE, NAME_ALONE, match
from transforms.matching.records import (
    DOUBTFUL_BITS,
    MATCH_BITS,
    Matching,
    MatchRecord,
    PairDecision,
)

ANNA = MatchRecord(
    "a",
    given="Anna",
    family="Kowalczyk",
    emails=("anna@kowalczyk.example",),
    phones=("+493012345678",),
    street="Lindenweg 12",
    city="Ulm",
    postcode="89073",
)


def of(**fields: object) -> MatchRecord:
    return MatchRecord(**{"key": "b", **fields})  # type: ignore[arg-type]


def people(*records: MatchRecord, decisions: tuple[PairDecision, ...] = ()) -> Matching:
    return match(records, "person", decisions)


def is_one(*records: MatchRecord) -> bool:
    return len(people(*records).clusters) == 1


@pytest.mark.parametrize(
    "other",
    [
        of(given="Anna", family="Kowalczyk", emails=("anna@kowalczyk.example",)),
        of(given="Kowalczyk", family="Anna", phones=("+493012345678",)),
        of(name="Kowalczyk, Anna", phones=("030 12345678",)),
        of(
            given="Ana",
            family="Kowalczyk",
            emails=("anna@kowalczyk.exmaple",),
            phones=("+493012345678",),
        ),
        of(given="A.", family="Kowalczyk", emails=("anna@kowalczyk.example",)),
        of(
            given="Anna", family="Kowalcyk", street="Lindenweg", house_number="12", postcode="89073"
        ),
        of(
            given="ANNA", family="KOWALCZYK", emails=("A.K@other.example", "anna@kowalczyk.example")
        ),
    ],
)
def test_one_person(other: MatchRecord) -> None:
    assert is_one(ANNA, other)


@pytest.mark.parametrize(
    "other",
    [
        # Of one household: all but the given name agrees.
        of(
            given="Piotr",
            family="Kowalczyk",
            phones=ANNA.phones,
            street="Lindenweg 12",
            city="Ulm",
            postcode="89073",
        ),
        # The name alone.
        of(given="Anna", family="Kowalczyk"),
        of(given="Anna", family="Kowalczyk", city="Hamburg", phones=("+494012345678",)),
        # One box for two.
        of(given="Piotr", family="Nowak", emails=("anna@kowalczyk.example",)),
        # Nothing to go by.
        of(),
        of(city="Ulm"),
    ],
)
def test_two_people(other: MatchRecord) -> None:
    assert not is_one(ANNA, other)


def test_a_name_alone_is_doubtful_at_most_however_rare() -> None:
    result = people(
        MatchRecord("a", name="Xaverius Obermoosbichler"),
        MatchRecord("b", name="Xaverius Obermoosbichler"),
        *(MatchRecord(f"c{n}", name=f"Someone Else{n}") for n in range(20)),
    )
    assert len(result.clusters) == 22
    (pair,) = result.doubtful
    assert (pair.left_key, pair.right_key, pair.note) == ("a", "b", NAME_ALONE)
    assert DOUBTFUL_BITS <= pair.bits < MATCH_BITS
    assert "same family name 'obermoosbichler'" in pair.reason


def test_colleagues_with_one_switchboard_stay_apart() -> None:
    names = ("Anna Kaya", "Ben Vogel", "Cora Lind", "Dilek Arslan", "Emil Roth", "Fritz Haas")
    staff = [
        MatchRecord(
            f"{number}",
            name=name,
            emails=(f"{name.split()[0].lower()}@works.example",),
            phones=("+49301112220",),
            company="Works GmbH",
            street="Industriestr. 1",
            postcode="10115",
        )
        for number, name in enumerate(names)
    ]
    unnamed = MatchRecord("z", phones=("+49301112220",), company="Works GmbH")
    assert len(people(*staff, unnamed).clusters) == len(names) + 1


def test_a_shared_box_makes_no_person() -> None:
    boxes = ("info@works.example",)
    result = people(
        MatchRecord("a", name="Anna Kaya", emails=boxes),
        MatchRecord("b", name="Ben Vogel", emails=boxes),
        MatchRecord("c", emails=boxes),
    )
    assert len(result.clusters) == 3


def test_free_mail_domains_make_nobody_a_colleague_and_no_organisation() -> None:
    shops = [
        MatchRecord("a", name="Bakery Sun", emails=("sun@gmail.com",)),
        MatchRecord("b", name="Garage Moon", emails=("moon@gmail.com",)),
        MatchRecord("c", name="Bakery Sun", domain="gmail.com"),
    ]
    assert len(match(shops, "organisation").clusters) == 3


def test_one_organisation_by_name_address_and_number() -> None:
    result = match(
        [
            MatchRecord(
                "a",
                name="Müller & Söhne GmbH",
                street="Hauptstraße 5",
                postcode="50667",
                phones=("+492211234567",),
            ),
            MatchRecord(
                "b", name="MUELLER UND SOEHNE", street="Hauptstr. 5", phones=("0221 1234567",)
            ),
            MatchRecord(
                "c", name="Mueller Druck AG", street="Ringweg 9", phones=("+498912345678",)
            ),
        ],
        "organisation",
    )
    assert result.clusters == [("a", "b"), ("c",)]


def test_branches_of_one_chain_are_doubtful_at_most() -> None:
    result = match(
        [
            MatchRecord(
                "a", name="Sun Bakery North", domain="sun.example", street="Mill Road 1", city="Ulm"
            ),
            MatchRecord(
                "b",
                name="Sun Bakery South",
                domain="sun.example",
                street="Oak Road 70",
                city="Bonn",
            ),
        ],
        "organisation",
    )
    assert len(result.clusters) == 2


def chain() -> list[MatchRecord]:
    """Anna and Bert are two; a record between them looks like both."""
    return [
        MatchRecord(
            "a1",
            given="Anna",
            family="Lindholm",
            emails=("al@x.example",),
            born="1970-01-31",
            city="Ulm",
        ),
        MatchRecord(
            "a2", given="Anna", family="Lindholm", emails=("al@x.example",), born="1970-01-31"
        ),
        MatchRecord("m", family="Lindholm", emails=("al@x.example", "bl@x.example"), city="Ulm"),
        MatchRecord(
            "b1",
            given="Bert",
            family="Lindholm",
            emails=("bl@x.example",),
            born="1941-11-02",
            city="Ulm",
        ),
        MatchRecord(
            "b2", given="Bert", family="Lindholm", emails=("bl@x.example",), born="1941-11-02"
        ),
    ]


def test_strangers_are_not_chained() -> None:
    clusters = people(*chain()).clusters
    home = {key: members for members in clusters for key in members}
    assert home["a1"] == home["a1"]
    assert "b1" not in home["a1"]
    assert "a2" in home["a1"]
    assert "b2" in home["b1"]


def test_what_a_person_decided_goes_before_every_score() -> None:
    twin = of(given="Anna", family="Kowalczyk", emails=ANNA.emails, phones=ANNA.phones)
    stranger = MatchRecord("c", given="Zoe", family="Quint")
    result = people(
        ANNA,
        twin,
        stranger,
        decisions=(
            PairDecision("b", "a", "different"),
            PairDecision("a", "c", "same"),
            PairDecision("a", "gone", "same"),
        ),
    )
    assert result.clusters == [("a", "c"), ("b",)]
    assert [merge.note for merge in result.merges] == [DECIDED_SAME]
    assert result.doubtful == []


def test_a_decision_holds_for_whole_groups() -> None:
    records = [
        of(key=key, given="Anna", family="Kowalczyk", emails=ANNA.emails, phones=ANNA.phones)
        for key in ("a", "b", "c", "d")
    ]
    clusters = people(*records, decisions=(PairDecision("a", "d", "different"),)).clusters
    assert all(not {"a", "d"} <= set(members) for members in clusters)


def test_each_merge_has_its_reason_and_there_are_as_many_as_hold_a_cluster_together() -> None:
    result = people(
        ANNA, of(given="Ana", family="Kowalczyk", emails=ANNA.emails), of(key="z", name="Zoe Quint")
    )
    (merge,) = result.merges
    assert (merge.left_key, merge.right_key) == ("a", "b")
    assert merge.bits >= MATCH_BITS
    assert "same e-mail 'anna@kowalczyk.example'" in merge.reason
    assert "given name 'anna' / 'ana'" in merge.reason


def test_two_records_with_one_key_are_an_error() -> None:
    with pytest.raises(ValueError, match="have the key 'a'"):
        people(ANNA, ANNA)


def test_nobody_and_one_alone() -> None:
    assert people() == Matching()
    assert people(ANNA).clusters == [("a",)]


names = st.sampled_from(["Anna", "Ana", "Bert", "Kaya", "Vogel", "Vogl", "", "Öz", "O'Neill"])
records = st.lists(
    st.builds(
        MatchRecord,
        key=st.integers(0, 10_000).map(str),
        given=names,
        family=names,
        emails=st.lists(
            st.sampled_from(
                ["a@x.example", "b@x.example", "info@x.example", "ab@y.example", "broken", "@"]
            ),
            max_size=2,
        ).map(tuple),
        phones=st.lists(
            st.sampled_from(["+493012345678", "030 12345678", "555 0199 88", "1"]), max_size=2
        ).map(tuple),
        company=st.sampled_from([None, "X GmbH", "Y AG"]),
        street=st.sampled_from([None, "Lindenweg 12", "Lindenwg 12", "Oak Road"]),
        postcode=st.sampled_from([None, "89073", "10115"]),
        born=st.sampled_from([None, "1970-01-31", "1970-13-01", "31.1.1970"]),
        attributes=st.sampled_from([(), (("plan", "gold"),)]),
    ),
    max_size=14,
    unique_by=lambda record: record.key,
)


@settings(max_examples=25)
@given(records, st.randoms(use_true_random=False), st.sampled_from(["person", "organisation"]))
def test_order_and_batches_do_not_matter(
    batch: list[MatchRecord], source: object, kind: str
) -> None:
    shuffled = list(batch)
    source.shuffle(shuffled)  # type: ignore[attr-defined]
    result = match(batch, kind)  # type: ignore[arg-type]
    assert match(iter(shuffled), kind) == result  # type: ignore[arg-type]
    members = [key for cluster in result.clusters for key in cluster]
    assert sorted(members) == sorted(record.key for record in batch)
    assert len(result.merges) == len(batch) - len(result.clusters)


@settings(max_examples=25)
@given(records, st.data())
def test_two_called_different_are_never_one(batch: list[MatchRecord], data: st.DataObject) -> None:
    if len(batch) < 2:
        return
    left, right = data.draw(st.permutations([record.key for record in batch]))[:2]
    result = people(*batch, decisions=(PairDecision(left, right, "different"),))
    assert all(not {left, right} <= set(members) for members in result.clusters)
    assert (left, right) not in {(pair.left_key, pair.right_key) for pair in result.doubtful}


def test_the_notes_of_doubtful_pairs_are_different_sentences() -> None:
    assert len({NAME_ALONE, MEMBERS_DISAGREE, DECIDED_SAME}) == 3


HOME = {"street": "Lindenweg 12", "city": "Ulm", "postcode": "89073"}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (
            {"given": "John", "family": "Kowal", "born": "1979-11-03", "city": "Ulm"},
            {"given": "John", "family": "Kowal", "born": "1979-03-11"},
        ),
        (
            {"name": "Robert Kowal", "phones": ("+493012345678",)},
            {"name": "Bob Kowal", "phones": ("+493012345678",)},
        ),
        (
            {"name": "Иван Петров", "phones": ("+79161234567",)},
            {"name": "Ivan Petrov", "phones": ("8 916 1234567",)},
        ),
        (
            {"name": "Ayşe Öztürk", "emails": ("ayse+shop@o.example",)},
            {"name": "A. Ozturk", "emails": ("ayse@o.example",)},
        ),
        (
            {"name": "Xaverius Obermoosbichler", "company": "Acme Inc."},
            {"name": "Xaverius Obermoosbichler", "company": "ACME"},
        ),
        (
            {"name": "Anna Maier", "emails": ("anna77@x.example",)},
            {"name": "Anna Vogel", "emails": ("anna77@x.example",)},
        ),
    ],
)
def test_one_person_written_in_two_ways(left: dict[str, object], right: dict[str, object]) -> None:
    assert is_one(of(key="a", **left), of(key="b", **right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        # Two names, not a slip.
        (
            {"name": "Anna Maier", "phones": ("+493012345678",), **HOME},
            {"name": "Hanna Maier", "phones": ("+493012345678",), **HOME},
        ),
        # Father and son.
        (
            {"given": "John", "family": "Kowal", "born": "1951-05-06", **HOME},
            {"given": "John", "family": "Kowal", "born": "1979-11-23", **HOME},
        ),
        # Two addresses made of one common name.
        (
            {"name": "Anna Smith", "emails": ("anna.smith@gmail.com",)},
            {"name": "Anna Smith", "emails": ("anna.smith@gmx.de",)},
        ),
        # Numbered boxes.
        (
            {"name": "John Kowal", "emails": ("student101@uni.example",)},
            {"name": "Jana Kowal", "emails": ("student102@uni.example",)},
        ),
        # A number that somebody without a name has too.
        ({"name": "Anna Maier", "phones": ("+493012345678",)}, {"phones": ("+493012345678",)}),
        # A rare name in one city, all else different.
        (
            {"name": "Xaverius Obermoosbichler", "city": "Ulm", "phones": ("+4973112345678",)},
            {"name": "Xaverius Obermoosbichler", "city": "Ulm", "phones": ("+4915187654321",)},
        ),
        # A couple with one box.
        (
            {"name": "John Smith", "emails": ("smiths@x.example",)},
            {"name": "Mary Smith", "emails": ("smiths@x.example",)},
        ),
    ],
)
def test_two_people_who_look_alike(left: dict[str, object], right: dict[str, object]) -> None:
    assert not is_one(of(key="a", **left), of(key="b", **right))
