"""YAML documents: every fault has its place and its remedy, and no text can do harm."""

import time
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from transforms.yaml_document import (
    MAX_DEPTH,
    Document,
    DocumentError,
    load_document,
    reject_unknown_words,
)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cat(Part):
    type: Literal["cat"]
    name: str
    purposes: tuple[Literal["mice", "sofa"], ...] = Field(default=("mice",), alias="for")


class Dog(Part):
    type: Literal["dog"]
    name: str
    kilos: int = Field(default=10, ge=1, le=99)


class Home(Part):
    pets: Annotated[
        tuple[Annotated[Cat | Dog, Field(discriminator="type")], ...], Field(min_length=1)
    ]
    door: SecretStr | None = None
    open_at: str | None = None
    floors: dict[str, float] = {}
    heated: bool = False

    @field_validator("open_at")
    @classmethod
    def _evening(cls, value: str) -> str:
        if value == "night":
            raise ValueError("'night' is too late, expected morning")
        return value


GOOD = """\
pets:
  - {type: cat, name: Minka}
  - type: dog
    name: Rex
door: "secret"
"""


def refusal(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        load_document(text, "home.yaml", Home)
    return str(caught.value)


def test_a_good_document_becomes_its_model() -> None:
    home = load_document(GOOD, "home.yaml", Home)
    assert [pet.name for pet in home.pets] == ["Minka", "Rex"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("door:", "dor:", "home.yaml:5: dor: unknown key; did you mean 'door'?"),
        ("door:", "DOOR:", "home.yaml:5: DOOR: unknown key; did you mean 'door'?"),
        ("door:", "zzz:", "unknown key; known here: door, floors, heated, open_at, pets"),
        ("    name: Rex", "    nmae: Rex", "home.yaml:4: pets.1.nmae: unknown key; did you mean"),
        ("Minka}", "Minka, fro: [mice]}", "pets.0.fro: unknown key; did you mean 'for'?"),
        ("Minka}", "Minka, for: [mise]}", "home.yaml:2: pets.0.for.0: found 'mise', expected one"),
        ("Minka}", "Minka, for: [mise]}", "did you mean 'mice'?"),
        (", name: Minka", "", "home.yaml:2: pets.0: 'name' is missing"),
        ("type: dog", "type: dgo", "home.yaml:3: pets.1: found 'dgo', expected one of 'cat', 'dog'"),
        ("  - type: dog\n    name", "  - name", "home.yaml:3: pets.1: 'type' is missing"),
        ("name: Rex", "name: Rex\n    kilos: 100", "home.yaml:5: pets.1.kilos: found 100, expected"),
        ("name: Rex", "name: Rex\n    kilos: 100", "a number of at most 99"),
        ("name: Rex", "name: Rex\n    kilos: heavy", "found 'heavy', expected a whole number"),
        ("name: Rex", "name:", "home.yaml:4: pets.1.name: found nothing, expected text"),
        ("name: Rex", "name: [a]", "home.yaml:4: pets.1.name: found a list, expected text"),
        ("name: Rex", "name: no", "found true or false, expected text (put a number or yes/no in"),
        ("door:", "heated: warm\ndoor:", "heated: found 'warm', expected true or false"),
        ("door:", "floors: [1]\ndoor:", "floors: found a list, expected a mapping of names to"),
        ("door:", "floors: {a: b}\ndoor:", "home.yaml:5: floors.a: found 'b', expected a number"),
        ("door:", "open_at: night\ndoor:", "home.yaml:5: open_at: 'night' is too late, expected"),
        ("door:", "door: a\ndoor:", "home.yaml:6: the key 'door' stands twice; remove one of them"),
        ("    name: Rex", "\tname: Rex", "home.yaml:4: not valid YAML: a tab stands here; indent"),
        ("name: Minka}", "name: Minka", "home.yaml:3: not valid YAML:"),
        ('"secret"', '"secret', "home.yaml:6: not valid YAML: found unexpected end of stream"),
        ('"secret"', "!!python/name:os.system x", "home.yaml:5: not valid YAML: could not determine"),
        ('"secret"', "*gone", "home.yaml:5: not valid YAML: found undefined alias"),
        ('"secret"', "!!int abc", "home.yaml:5: 'abc' cannot be read as int; put it in quotes"),
        ("door:", "? [a, b]\n: c\ndoor:", "home.yaml:5: a key must be a word, found a list"),
        ("door:", "<<: 7\ndoor:", "home.yaml:5: << expects a mapping or a list of them"),
        ("Rex", "Re\0x", "home.yaml:4: the character U+0000 stands here; is this a text file?"),
    ],
)  # fmt: skip
def test_every_fault_names_file_line_place_and_remedy(old: str, new: str, told: str) -> None:
    assert old in GOOD
    assert told in refusal(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "home.yaml:1: the file is empty; expected a mapping of names to values"),
        ("# only a remark\n", "home.yaml:1: the file is empty"),
        ("- a\n- b\n", "home.yaml:1: found a list, expected a mapping of names to values"),
        ("pets", "home.yaml:1: found text, expected a mapping"),
        ("pets: []\n", "home.yaml:1: pets: found an empty list, expected at least 1 in it"),
        ("a: 1\n---\nb: 2\n", "home.yaml:2: not valid YAML: but found another document"),
    ],
)
def test_a_document_that_is_no_mapping_is_refused(text: str, told: str) -> None:
    assert refusal(text).startswith(told)


def test_one_cause_gives_one_fault() -> None:
    assert refusal(GOOD.replace("name: Rex", "nmae: Rex")).count("\n") == 0
    only_wrong = "pets:\n  - {type: cat, nam: Minka}\n"
    assert refusal(only_wrong) == "home.yaml:2: pets.0.nam: unknown key; did you mean 'name'?"


def test_all_faults_are_told_at_once() -> None:
    text = GOOD.replace("door:", "dor:").replace("name: Rex", "name: [a]")
    assert [fault.split(": ")[0] for fault in refusal(text).splitlines()] == [
        "home.yaml:4",
        "home.yaml:5",
    ]


@pytest.mark.parametrize("value", ["12345678", "true", "[hidden-word]", "{hidden-word: 1}"])
def test_a_secret_of_the_wrong_kind_is_not_shown(value: str) -> None:
    told = refusal(GOOD.replace('"secret"', value))
    assert "12345678" not in told
    assert "hidden-word" not in told
    assert "door: found " in told


def test_a_long_wrong_value_is_cut_and_stays_on_its_line() -> None:
    told = refusal(GOOD.replace("type: dog", f'type: "{"x" * 5_000}\\nforged.yaml:1: all is well"'))
    assert len(told) < 300
    assert told.count("\n") == 0


def test_times_and_dates_stay_the_text_that_was_written() -> None:
    text = "a: 2026-12-01T00:00:00+03:00\nb: 2026-12-01\nc: 2026-12-01 10:00\n"
    assert Document(text, "x").data == {
        "a": "2026-12-01T00:00:00+03:00",
        "b": "2026-12-01",
        "c": "2026-12-01 10:00",
    }


def test_anchors_and_merges_mean_what_yaml_says() -> None:
    text = """\
base: &base {a: 1, b: 2}
more: &more {b: 3, c: 4}
one:
  <<: *base
  b: 9
two:
  <<: [*base, *more]
list: &list [1, 2]
again: *list
"""
    data = Document(text, "x").data
    assert data["one"] == {"a": 1, "b": 9}, "what stands here wins over what is merged"
    assert data["two"] == {"a": 1, "b": 2, "c": 4}, "the first merged mapping wins"
    assert data["again"] == [1, 2]


def test_a_fault_in_a_merged_value_names_the_line_where_it_stands() -> None:
    text = "pets:\n  - &p {type: cat, name: Minka,\n      kilos: 3}\n  - {<<: *p, name: Mo}\n"
    assert refusal(text).splitlines() == [
        "home.yaml:3: pets.0.kilos: unknown key; known here: for, name, type",
        "home.yaml:3: pets.1.kilos: unknown key; known here: for, name, type",
    ]


def laughs(merge: bool) -> str:
    lines = ["a0: &a0 {x: lol, y: lol}" if merge else "a0: &a0 [lol, lol]"]
    for level in range(1, 12):
        copies = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(
            f"a{level}: &a{level} {{<<: [{copies}]}}"
            if merge
            else f"a{level}: &a{level} [{copies}]"
        )
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        laughs(merge=False),
        laughs(merge=True),
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "a: &a\n  <<: *a\n",
        "a: " + "[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5),
        "a: " + "[" * 50_000,
        "".join(f"{' ' * level}a:\n" for level in range(3_000)),
    ],
    ids=["aliases", "merges", "self", "self-key", "self-merge", "deep", "very deep", "deep keys"],
)
def test_small_texts_that_stand_for_huge_data_are_refused_at_once(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(DocumentError, match="beyond reason"):
        Document(text, "bomb.yaml")
    assert time.monotonic() - started < 20


def test_many_plain_values_are_no_bomb() -> None:
    text = "floors:\n" + "".join(f"  f{number}: {number}\n" for number in range(20_000))
    assert len(Document(text, "x").data["floors"]) == 20_000


@pytest.mark.parametrize("number", ["9" * 5_000, "0x" + "f" * 5_000, "1.0e+999", ".nan", "-.inf"])
@pytest.mark.parametrize("place", ["kilos: {}", "{}: 3", "name: {}", "type: {}"])
def test_monstrous_numbers_are_refused_in_words(number: str, place: str) -> None:
    text = "pets:\n  - type: dog\n    " + place.format(number) + "\n"
    assert refusal(text.replace("- type: dog\n    type", "- type")).startswith("home.yaml:")


def test_replaced_texts_are_validated_in_their_place() -> None:
    document = Document(GOOD, "home.yaml")
    seen: list[tuple[str | int, ...]] = []

    def replace(path: tuple[str | int, ...], text: str) -> str:
        seen.append(path)
        return "wolf" if path == ("pets", 1, "type") else text

    document.replace_texts(replace)
    assert ("pets", 0, "name") in seen
    with pytest.raises(DocumentError, match=r"home\.yaml:3: pets\.1: found 'wolf'"):
        document.validate(Home)


def test_unknown_words_are_named_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match="the status for 'Waiting' is 'pendng', expected one of"):
        reject_unknown_words({"Waiting": "pendng"}, ("open", "pending"), "status")
    with pytest.raises(ValueError, match="did you mean 'pending'"):
        reject_unknown_words({"Waiting": "pendng"}, ("open", "pending"), "status")
    reject_unknown_words({"Waiting": "pending"}, ("open", "pending"), "status")


yaml_like = st.lists(
    st.sampled_from(
        [
            *"{}[]:,-?!&*#|>@%`'\"~<=.\\ \n\t\r",
            *(
                "a",
                "b",
                "pets",
                "type",
                "cat",
                "<<",
                "&x",
                "*x",
                "!!int ",
                "!!binary ",
                "0b_",
                "1:2",
            ),
            *("---\n", "...\n", "- ", ": ", "\n  ", "yes", "null", "2026-01-01", "\x85", "\ufeff"),
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=600, deadline=None)
@given(st.text(max_size=60) | yaml_like | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
def test_whatever_the_text_is_nothing_but_a_document_error_comes_of_it(text: str) -> None:
    try:
        load_document(text, "any.yaml", Home)
    except DocumentError as error:
        assert error.faults
        assert all(fault.startswith("any.yaml:") for fault in error.faults)
        assert all(int(fault.split(":")[1]) >= 1 for fault in error.faults)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries({"pets": json_like}, optional={"door": json_like, "floors": json_like})
)
def test_whatever_the_values_are_each_fault_has_its_place(data: dict[str, object]) -> None:
    import json

    try:
        load_document(json.dumps(data), "any.yaml", Home)
    except DocumentError as error:
        assert all(fault.startswith("any.yaml:1: ") for fault in error.faults)
