"""One value has one canonical text, however fast it is made."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.warehouse.types import canonical_json, canonical_parsed

texts = st.text(alphabet=st.characters(), max_size=20) | st.sampled_from(
    ["\x00", "a\ud800b", "\\u0000", "\\\x00"]
)
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
def test_what_was_parsed_has_the_same_canonical_text_by_the_faster_way(value: object) -> None:
    parsed = json.loads(json.dumps(value))
    # Floating point may be written otherwise (1e16, 1e+16): such values are hashed one way only.
    assume(not any(mark in canonical_json(parsed) for mark in ("e+", "e-", "E", ".")))
    assert canonical_parsed(parsed) == canonical_json(parsed)
