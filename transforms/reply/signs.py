"""Whether a text can hold anything but its author's words at all: most comments cannot, and need not be taken apart.

Belongs here: tests that are cheap and never wrong when they say no. Does not belong here: the marks themselves
(`introductions`, `headers`, `signatures`); each test here asks for less than the rule that it stands for.
"""

import re

from transforms.reply.headers import PROCESSED
from transforms.reply.lines import visible
from transforms.reply.needles import holds_any, needles, with_plain_i
from transforms.reply.signatures import FOOTER_WORDS, TITLES, is_sent_from, names_a_program
from transforms.reply.words import (
    BANNER_CUES,
    BANNER_HEADS,
    FORWARD_MARKERS,
    FROM_LABELS,
    LEGAL_SURE,
    REPLY_ABOVE,
    WROTE,
)

LONGEST = 20_000
"""A longer text is taken apart at once."""

_ANYWHERE = needles(
    with_plain_i(words.casefold())
    for words in (
        *(*REPLY_ABOVE, *PROCESSED, "posted by ", *TITLES, *FOOTER_WORDS, *LEGAL_SURE),
        *("above", "intended", "confiden"),
    )
)
"""The last three are short for many of the others."""

_VERBS = needles(WROTE)
_FORWARDS = needles(FORWARD_MARKERS)
_CUES = needles(BANNER_CUES)
_SENDER_LABELS = frozenset(label.casefold() for label in FROM_LABELS)
_COLON = re.compile("[:：]")
_DRAWN = re.compile(r"[*_\s]*(?:[-_=—–~*]{2}|—\s*$)|\|")
_MARKED = re.compile(r"(?:\A|[\r\n])[^\r\n>]{0,7}>")
_DRAWN_BEGINNINGS = frozenset("*_-=—–~|")
_BEFORE_BANNER = "*_[(<⚠️!-= "
_DIGIT = re.compile(r"\d")


def may_have_parts(text: str) -> bool:
    """False where a text holds no mark of a quote, a forward, a signature, legal text or a server's warning.

    Then all of it is its author's. True says nothing: `split_reply` knows.
    """
    if len(text) > LONGEST:
        return True
    seen = visible(text)
    if ">" in seen and _MARKED.search(seen):
        return True
    if "\r" in seen:
        seen = seen.replace("\r", "\n")
    lines = [line for raw in seen.split("\n") if (line := raw.strip())]
    for line in lines:
        if line[0] in _DRAWN_BEGINNINGS and _DRAWN.match(line):
            return True
    flat = " ".join(seen.split()).casefold()
    if not flat or holds_any(with_plain_i(flat), _ANYWHERE) or _may_warn(flat):
        return True
    has_colon = ":" in flat or "：" in flat
    names = names_a_program(flat)
    if not (has_colon or names):
        return False
    for line in lines:
        if names and is_sent_from(" ".join(line.split()), is_last=True):
            return True
        if has_colon and (match := _COLON.search(line)) and _may_introduce(line, match, flat):
            return True
    return False


def _may_warn(flat: str) -> bool:
    return flat.lstrip(_BEFORE_BANNER).startswith(BANNER_HEADS) and holds_any(flat, _CUES)


def _may_introduce(line: str, colon: re.Match[str], flat: str) -> bool:
    """Whether a line with a colon may be a header or the end of what introduces a quote."""
    label = line[: colon.start()]
    if len(label) < 200 and " ".join(label.split()).strip("*_ ").casefold() in _SENDER_LABELS:
        return True
    if "@" in line and len(_COLON.findall(line)) >= 3:
        return True
    if not line.rstrip("*_- \t|").endswith((":", "：")) and ">" not in line:
        return False
    return (
        "@" in flat
        or holds_any(flat, _FORWARDS)
        or (_DIGIT.search(flat) is not None and holds_any(flat, _VERBS))
    )
