"""Keeps texts and keys within the lengths that providers accept, without breaking a character in two.

Belongs here: cutting, cleaning, shortening keys. Does not belong here: any provider's own limits or markup.
"""

import hashlib
import re
import unicodedata

_UNSENDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_JOINERS = "\u200d\ufe0e\ufe0f\u20e3"
"""Zero-width joiner, variation selectors and keycap: what follows or precedes them is one character to a reader."""


def clean(text: object) -> str:
    """Text that can go into JSON and onto a screen: control characters and lone surrogates become U+FFFD."""
    return _UNSENDABLE.sub("\ufffd", str(text).replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: object) -> str:
    """Clean text with every run of white space as one blank."""
    return " ".join(clean(text).split())


def length(text: str) -> int:
    """Length in UTF-16 units: the longest any provider counts (an emoji is two)."""
    return len(text) + sum(1 for letter in text if letter > "\uffff")


def cut(text: str, limit: int, mark: str = "…") -> str:
    """The text itself where it fits into `limit` UTF-16 units, else its beginning with `mark` at the end.

    Never ends within an emoji sequence, a flag or before a combining mark.
    """
    if length(text) <= limit:
        return text
    room = limit - length(mark)
    end, used = 0, 0
    for letter in text:
        used += 2 if letter > "\uffff" else 1
        if used > room:
            break
        end += 1
    while end > 0 and _is_joined(text, end):
        end -= 1
    return text[:end].rstrip() + mark


def _is_joined(text: str, position: int) -> bool:
    """Whether a cut before `text[position]` would part what a reader sees as one character."""
    before, after = text[position - 1], text[position]
    if after in _JOINERS or before == "\u200d" or unicodedata.combining(after):
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if not _is_flag_letter(after) or not _is_flag_letter(before):
        return False
    run = 0
    while run < position and _is_flag_letter(text[position - 1 - run]):
        run += 1
    return run % 2 == 1


def _is_flag_letter(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def key_within(key: str, limit: int) -> str:
    """The key itself where it fits, else its beginning and the sha256 of all of it; stable and distinct."""
    key = clean(key)
    if length(key) <= limit:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{cut(key, limit - len(digest) - 1, '')}:{digest}"
