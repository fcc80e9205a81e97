"""Whether a text holds any of many words, faster than a pattern of them all.

Belongs here: the plain search. Does not belong here: the words.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Needles(NamedTuple):
    """Words to look for: those that a text of ASCII may hold, and the others."""

    ascii: tuple[str, ...]
    others: tuple[str, ...]


def needles(words: Iterable[str]) -> Needles:
    """The words, without those that hold another of them: whoever holds them holds that one, too."""
    kept: list[str] = []
    for word in sorted(set(words), key=len):
        if not any(shorter in word for shorter in kept):
            kept.append(word)
    return Needles(
        tuple(word for word in kept if word.isascii()),
        tuple(word for word in kept if not word.isascii()),
    )


def holds_any(text: str, words: Needles) -> bool:
    """Whether any of the words stands anywhere in the text, also within a longer word."""
    # Loops rather than any(…): a generator costs as much again as the searches.
    for word in words.ascii:
        if word in text:
            return True
    if not text.isascii():
        for word in words.others:
            if word in text:
                return True
    return False


def with_plain_i(folded: str) -> str:
    """A text whose dotless i is a plain one, for patterns that ignore case take them for the same."""
    return folded if folded.isascii() else folded.replace("i̇", "i").replace("ı", "i")
