"""Lines that introduce a quote: `On Monday, … wrote:`, in one line or broken into up to four.

Belongs here: finding them in any of the languages of `words`. Does not belong here: headers (`headers`), what follows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from transforms.reply.lines import Line, next_written
from transforms.reply.words import LEADS, WROTE

_LONGEST = 400
_MOST_LINES = 4
_FEW_WORDS = 14
_NAME_AND_VERB = 4

_COLONS = (":", "：")


def _any_of(words: Sequence[str]) -> str:
    """A pattern for any of the words; letters of alphabets with blanks between words are not cut in two."""
    ordered = sorted(set(words), key=len, reverse=True)
    return "|".join(
        re.escape(word) if ord(word[0]) > 0x2E00 else rf"(?<!\w){re.escape(word)}(?!\w)"
        for word in ordered
    )


_VERBS = tuple(WROTE)
_LONGEST_VERB = max(map(len, WROTE))
_VERB = re.compile(_any_of(WROTE))
_LEAD = re.compile(
    r"(?:" + "|".join(
        re.escape(word) + (r"(?=\W|\d)" if ord(word[0]) < 0x2E00 and len(word) > 1 else "")
        for word in sorted(LEADS, key=len, reverse=True)
    ) + r")"
)  # fmt: skip
_ADDRESS = re.compile(r"[^\s<>()@\"\[\],;:]+@[^\s<>()@\"\[\],;:]+")
_IN_BRACKETS = re.compile(r"[<(\[]\s*(?:mailto:)?\S+@[^<>()\[\]]+[>)\]]")
_DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d(?!\d)"
    r"|(?<!\d)\d{1,2}[.:h]\d\d(?!\d)"
    r"|(?<!\d)\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?!\d)"
    r"|(?<!\d)\d{1,2}\.? (?:[^\W\d]{3,10})\.?(?!\w)"
    r"|(?<!\w)[^\W\d]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?(?!\d)"
)
_DAY_AND_TIME = re.compile(r"(?<!\d)\d{1,2}(?!\d).*(?<!\d)(?:(?:19|20)\d\d|\d{1,2}[.:h]\d\d)(?!\d)")
_BEGINS_WITH_DATE = re.compile(
    r"\W{0,3}(?:[^\W\d]{2,13}[.,]{1,2}\s*|[^\W\d]{2,4}\s+)?(?:[^\W\d]{3,10}\.?\s+)?\d"
)
_ENDS_IN_BRACKETS = re.compile(r"[<(\[]\s*\S+@[^<>()\[\]]+[>)\]]$")
_POSTED = re.compile(r"posted by .{1,80} (?:on|at) .{0,20}\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.{0,20}")
_SENTENCE_END = re.compile(r"[^\W\d]{4,}[.!?]$")


@dataclass(frozen=True, slots=True)
class Introduction:
    """An introduction that ends before line `end`.

    `is_certain` where it could be nothing else, so that what follows is quoted even without marks.
    """

    end: int
    is_certain: bool


def introduction_at(lines: Sequence[Line], start: int) -> Introduction | None:
    """The introduction that begins at this line, if one does."""
    depth = lines[start].depth
    joined = ""
    for end in range(start, min(start + _MOST_LINES, len(lines))):
        line = lines[end]
        if line.is_blank or line.depth != depth:
            return None
        joined = f"{joined} {line.content}" if joined else line.content
        if len(joined) > _LONGEST:
            return None
        if _may_close(line) and (end == start or _may_open(lines, start, end)):
            found = _read(
                _before_marks(joined), is_quoted=_is_followed_by_quote(lines, end + 1, depth)
            )
            if found is not None:
                return Introduction(end + 1, found)
        if end == start and _SENTENCE_END.search(line.content):
            return None
    return None


def _before_marks(content: str) -> str:
    """A line without the quote that a program has put behind the introduction, `… wrote: > …`."""
    at = content.find(": >")
    return content if at < 0 or "<" in content[at:] else content[: at + 1]


def _may_close(line: Line) -> bool:
    text = _before_marks(line.content).rstrip("*_- \t|")
    return (
        text.endswith((*_COLONS, ">"))
        or _ends_with_verb(text.casefold())
        or text[:10].casefold() == "posted by "
    )


def _ends_with_verb(folded: str) -> bool:
    if not folded.endswith(_VERBS):
        return False
    tail = folded[-_LONGEST_VERB - 1 :]
    return any(match.end() == len(tail) for match in _VERB.finditer(tail))


def _holds_verb(folded: str) -> bool:
    # The plain search first: it is many times faster than the pattern, and mostly finds nothing.
    return any(verb in folded for verb in _VERBS) and _VERB.search(folded) is not None


def _may_open(lines: Sequence[Line], start: int, end: int) -> bool:
    """Whether an introduction of several lines can begin here, rather than further down."""
    text = lines[start].content
    folded = text.casefold().lstrip("*_-\"' ")
    if _begins_like_one(folded):
        return True
    if _IN_BRACKETS.search(text) and (_holds_verb(folded) or _DATE.search(folded)):
        return True
    later = " ".join(line.content for line in lines[start + 1 : end + 1])
    if (
        _read(later, is_quoted=_is_followed_by_quote(lines, end + 1, lines[start].depth))
        is not None
    ):
        return False
    return bool("<" in text or "@" in text or _holds_verb(folded))


def _begins_like_one(folded: str) -> bool:
    if _BEGINS_WITH_DATE.match(folded):
        return True
    lead = _LEAD.match(folded)
    return lead is not None and any(letter.isdigit() for letter in folded[lead.end() :])


def _is_followed_by_quote(lines: Sequence[Line], end: int, depth: int) -> bool:
    after = next_written(lines, end)
    if after == len(lines):
        return False
    return lines[after].depth > depth or is_piped(lines[after])


def is_piped(line: Line) -> bool:
    """Whether a line is quoted by a bar at its front, rather than a table's row."""
    return line.content.startswith("|") and not line.content.rstrip().endswith("|")


def _read(joined: str, *, is_quoted: bool) -> bool | None:
    """Whether the words are an introduction: True certainly, False probably, None not."""
    is_ruled = joined.startswith("--") and joined.endswith("--")
    text = joined.strip("*_- \t|")
    closes = text.endswith(_COLONS) or is_ruled
    folded = text.casefold()
    verb = _holds_verb(folded)
    date = _DATE.search(folded)
    address = _ADDRESS.search(folded)
    begins = _begins_like_one(folded)
    if _POSTED.fullmatch(folded):
        return True
    if not closes:
        is_old_style = bool(_BEGINS_WITH_DATE.match(folded) and _ENDS_IN_BRACKETS.search(folded))
        return False if is_quoted and date and (verb or is_old_style) else None
    if verb and (
        _IN_BRACKETS.search(folded) or (address and len(folded.split()) <= _NAME_AND_VERB)
    ):
        return True
    if begins and _DAY_AND_TIME.search(folded) and (verb or _IN_BRACKETS.search(folded)):
        return True
    if not is_quoted:
        return None
    if _ENDS_IN_BRACKETS.search(folded.rstrip(":： ")) or (date and (verb or address or begins)):
        return False
    if verb and closes and len(folded.split()) <= _FEW_WORDS:
        return False if _VERB.sub("", folded).strip(" :：,.") else None
    return None
