"""What the fast way reads and writes is what the standard library does."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.json_text import parsed, sorted_text, written

texts = st.text(alphabet=st.characters(), max_size=20) | st.sampled_from(["\x00", "a\ud800b", "é"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
@example(2**64)
@example({"id": 12345678901234567890123})
@example([1e16, 1e-7, -0.0, 5e-324])
@example({"\ud800": "\udfff"})
def test_what_is_written_is_read_again(value: Any) -> None:
    assert json.loads(written(value).decode("utf-8", "surrogatepass")) == value
    assert parsed(json.dumps(value)) == value
    assert parsed(json.dumps(value).encode()) == value
    assert parsed(written(value).decode("utf-8", "surrogatepass")) == value


@given(values)
def test_sorted_text_is_the_same_for_the_same_value(value: Any) -> None:
    text = sorted_text(value)
    if text is not None:
        assert json.loads(text) == value
        assert text == sorted_text(json.loads(json.dumps(value, sort_keys=True)))


def test_whole_numbers_stay_whole() -> None:
    assert parsed(b'{"id": 98765432109876543210987}')["id"] == 98765432109876543210987


def test_what_is_no_json_number_is_written_as_nothing() -> None:
    assert written(parsed(b"[NaN, 1e999]")) == b"[null,null]"


@pytest.mark.parametrize("text", [b"", b"<html>", b'{"a": ', b"\xff"])
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        parsed(text)
