"""Lines that introduce a quote: `On Monday, … wrote:`, in one line or broken into up to four.

Belongs here: finding them in any of the languages of `words`. Does not belong here: headers (`headers`), what follows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from transforms.reply.lines import Line, has_digit, next_written
from transforms.reply.needles import holds_any, needles
from transforms.reply.words import LEADS, WROTE

_LONGEST = 400
MOST_LINES = 4
"""An introduction is not broken into more."""
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
_ANY_VERB = needles(_VERBS)
_VERB_ENDS = frozenset(verb[-2:] for verb in _VERBS)
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


def may_close(content: str) -> bool:
    """Whether a line, not a blank one, may be the last of an introduction."""
    text = _before_marks(content)
    if text[-1] in "*_-|":
        text = text.rstrip("*_- \t|")
    return (
        text.endswith((*_COLONS, ">"))
        or (text[-2:].casefold()[-2:] in _VERB_ENDS and _ends_with_verb(text.casefold()))
        or text[:10].casefold() == "posted by "
    )


def introduction_at(lines: Sequence[Line], start: int) -> Introduction | None:
    """The introduction that begins at this line, if one does."""
    depth = lines[start].depth
    length = -1
    for end in range(start, min(start + MOST_LINES, len(lines))):
        line = lines[end]
        if line.depth != depth or line.is_blank:
            return None
        length += 1 + len(line.content)
        if length > _LONGEST:
            return None
        if may_close(line.content) and (end == start or _may_open(lines, start, end)):
            joined = " ".join([each.content for each in lines[start : end + 1]])
            found = _read(
                _before_marks(joined), is_quoted=_is_followed_by_quote(lines, end + 1, depth)
            )
            if found is not None:
                return Introduction(end + 1, found)
        if end == start and line.content[-1] in ".!?" and _SENTENCE_END.search(line.content):
            return None
    return None


def _before_marks(content: str) -> str:
    """A line without the quote that a program has put behind the introduction, `… wrote: > …`."""
    at = content.find(": >")
    return content if at < 0 or content.find("<", at) >= 0 else content[: at + 1]


def _ends_with_verb(folded: str) -> bool:
    if not folded.endswith(_VERBS):
        return False
    tail = folded[-_LONGEST_VERB - 1 :]
    return any(match.end() == len(tail) for match in _VERB.finditer(tail))


def _holds_verb(folded: str) -> bool:
    """What `_VERB` finds, by plain searches: the pattern would be tried at every letter."""
    if not holds_any(folded, _ANY_VERB):
        return False
    for verb in _VERBS:
        at = folded.find(verb)
        while at >= 0:
            end = at + len(verb)
            if verb[0] > "\u2e00" or not (
                _is_of_word(folded[at - 1 : at]) or _is_of_word(folded[end : end + 1])
            ):
                return True
            at = folded.find(verb, at + 1)
    return False


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _may_open(lines: Sequence[Line], start: int, end: int) -> bool:
    """Whether an introduction of several lines can begin here, rather than further down."""
    text = lines[start].content
    folded = text.casefold().lstrip("*_-\"' ")
    if _begins_like_one(folded):
        return True
    verb = _holds_verb(folded)
    if not (verb or "<" in text or "@" in text):
        return False
    if "@" in text and _IN_BRACKETS.search(text) and (verb or _DATE.search(folded)):
        return True
    later = " ".join([line.content for line in lines[start + 1 : end + 1]])
    is_quoted = _is_followed_by_quote(lines, end + 1, lines[start].depth)
    return _read(later, is_quoted=is_quoted) is None


def _begins_like_one(folded: str) -> bool:
    if _BEGINS_WITH_DATE.match(folded):
        return True
    lead = _LEAD.match(folded)
    return lead is not None and has_digit(folded[lead.end() :])


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
    if folded.startswith("posted") and _POSTED.fullmatch(folded):
        return True
    has_address = "@" in folded
    if not closes:
        if not is_quoted or not _DATE.search(folded):
            return None
        is_old_style = (
            has_address and _BEGINS_WITH_DATE.match(folded) and _ENDS_IN_BRACKETS.search(folded)
        )
        return False if is_old_style or _holds_verb(folded) else None
    verb = _holds_verb(folded)
    address = has_address and _ADDRESS.search(folded)
    in_brackets = has_address and _IN_BRACKETS.search(folded)
    if verb and (in_brackets or (address and len(folded.split()) <= _NAME_AND_VERB)):
        return True
    begins = _begins_like_one(folded)
    if begins and (verb or in_brackets) and _DAY_AND_TIME.search(folded):
        return True
    if not is_quoted:
        return None
    if has_address and _ENDS_IN_BRACKETS.search(folded.rstrip(":： ")):
        return False
    if (verb or address or begins) and _DATE.search(folded):
        return False
    if verb and len(folded.split()) <= _FEW_WORDS:
        return False if _VERB.sub("", folded).strip(" :：,.") else None
    return None
