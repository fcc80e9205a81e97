"""`transforms.reply.signs`: what it waves through without a look is the author's to the last word."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.replies import short_comments, support_mails
from tests.reply_cases import CASES, ReplyCase
from transforms.reply import introductions, words
from transforms.reply.needles import holds_any, needles
from transforms.reply.signatures import FOOTER_WORDS, TITLES
from transforms.reply.signs import may_have_parts
from transforms.reply.split import split_reply
from transforms.reply.view import reply_text

_LISTED = sorted(
    {word for group in vars(words).values() if isinstance(group, tuple) for word in group}
    | {*FOOTER_WORDS, *TITLES}
)
_BITS = (
    *("> ", ">", "--", "-- ", "—", "***", "| ", ": ", ":", "：", "@", "<a@b.example>", "2026", "10:00", "3 Mar"),
    *("On", "```", "\u200b", "\xa0", "\r\n", "\r", "\n", "\n\n", "\x0b", "\x85", "\u2028", "https://x.example"),
    *("-----", "===", "From: ", "To: x", "Subject: y", "iPhone", "İ", "ı", "ſ", "\u212a", "Title. ", "ok "),
)  # fmt: skip
_CASES = st.sampled_from((str, str.upper, str.capitalize, str.title))
_PIECES = st.one_of(
    st.builds(lambda how, word: how(word), _CASES, st.sampled_from(_LISTED)),
    st.sampled_from(_BITS),
    st.sampled_from([line for case in CASES for line in case.text.splitlines(keepends=True)]),
    st.text(max_size=6),
)
_TEXTS = st.builds(
    lambda pieces, joint: joint.join(pieces),
    st.lists(_PIECES, max_size=12),
    st.sampled_from(["", " ", "\n"]),
)


def _looked_at(text: str) -> str | None:
    """What `reply_text` says of a text that is taken apart in any case."""
    reply = split_reply(text).reply
    return None if reply.split() == text.split() else reply


@settings(max_examples=600)
@given(_TEXTS)
def test_what_is_not_looked_at_is_all_the_authors(text: str) -> None:
    assert reply_text(text) == _looked_at(text)
    if not may_have_parts(text):
        assert {part.kind for part in split_reply(text).parts} == {"reply"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_case_is_waved_through_and_no_paragraph_of_one_wrongly(case: ReplyCase) -> None:
    text = case.text
    for part in (text, *re.split(r"\n\s*\n", text), *text.split("\n")):
        assert reply_text(part) == _looked_at(part)


@pytest.mark.real_data
def test_mails_are_read_the_same_with_and_without_the_look_before(shared_data: Path) -> None:
    passed = 0
    for text, _ in support_mails(shared_data)[::5]:
        for part in (text, *re.split(r"\n\s*\n", text)[:8]):
            passed += not may_have_parts(part)
            assert reply_text(part) == _looked_at(part)
    assert passed > 100


def test_plain_comments_are_waved_through() -> None:
    assert not any(may_have_parts(text) for text, _ in short_comments(50, marked=False))
    assert all(may_have_parts(text) for text, _ in short_comments(50, marked=True))


@given(st.lists(st.text("abı ", min_size=1, max_size=4)), st.text("abı ", max_size=12))
def test_needles_find_what_a_search_for_each_word_finds(searched: list[str], text: str) -> None:
    assert holds_any(text, needles(searched)) == any(word in text for word in searched)


@given(
    st.lists(
        st.sampled_from(words.WROTE) | st.sampled_from(["a", " ", "_", "(", "é", "写", "1"]),
        max_size=6,
    ).map("".join)
)
def test_verbs_are_found_as_their_pattern_finds_them(text: str) -> None:
    folded = text.casefold()
    assert introductions._holds_verb(folded) == (introductions._VERB.search(folded) is not None)
