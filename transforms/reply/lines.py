"""A text's lines as the other modules of this folder read them: where they stand, how deep they are quoted.

Belongs here: cutting into lines, quote marks, code fences. Does not belong here: what a line means.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_MARKS = re.compile(r"[ \t\u00a0]{0,3}(?:>[ \t]?)+")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_ESCAPED_FROM = re.compile(r">From ")
_PROMPT = re.compile(r"\s{0,3}>>> [^\s>]")
_OPEN_BRACKET = re.compile(r"<[^<>]*@[^<>]*$")
_BROKEN_FROM = 66
_BROKEN_TO = 40
_FEW_MARKED = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `start` to `end` in the text (its line end included), `depth` of quote marks, and what it says.

    `raw` is the line without its end; `content` lacks the marks, invisible characters and needless blanks.
    """

    start: int
    end: int
    depth: int
    raw: str
    content: str

    @property
    def is_blank(self) -> bool:
        """Whether nothing is on it besides marks."""
        return not self.content


def lines_of(text: str) -> list[Line]:
    """All lines of a text; joined they are the text.

    A line that begins three marks deep is Python's prompt, a lone `>From` an escape of mailboxes, and a single marked
    line in the middle of a paragraph a program's output: all are no quotes. Nor is what stands in a fenced block of
    code.
    """
    lines = [_line(match[0], match.start()) for match in _LINE.finditer(text)]
    if any(line.depth for line in lines):
        lines = _without_false_marks(lines)
    return lines


def next_written(lines: Sequence[Line], start: int) -> int:
    """The first line from `start` on that is not blank; the number of lines where there is none."""
    while start < len(lines) and lines[start].is_blank:
        start += 1
    return start


def fenced(lines: Sequence[Line]) -> frozenset[int]:
    """The lines of fenced blocks of code that are opened and closed outside of quotes."""
    marks = [i for i, line in enumerate(lines) if not line.depth and _FENCE.match(line.raw)]
    found: set[int] = set()
    for first, last in zip(marks[::2], marks[1::2], strict=False):
        found.update(range(first, last + 1))
    return frozenset(found)


def plain(text: str) -> str:
    """A line's words: without invisible characters, blanks collapsed."""
    return " ".join((text if text.isascii() else _UNSEEN.sub("", text)).split())


def _line(raw: str, start: int) -> Line:
    end = start + len(raw)
    raw = raw.rstrip("\r\n")
    if ">" not in raw[:8]:
        return Line(start, end, 0, raw, plain(raw))
    marks = _MARKS.match(_UNSEEN.sub("", raw))
    if marks is None:
        return Line(start, end, 0, raw, plain(raw))
    return Line(start, end, marks[0].count(">"), raw, plain(_UNSEEN.sub("", raw)[marks.end() :]))


def _unmarked(line: Line) -> Line:
    return Line(line.start, line.end, 0, line.raw, plain(line.raw))


def _without_false_marks(lines: list[Line]) -> list[Line]:
    code = fenced(lines)
    out = [_unmarked(line) if i in code else line for i, line in enumerate(lines)]
    few = sum(line.depth > 0 for line in out) <= _FEW_MARKED
    before = 0
    for i, line in enumerate(out):
        introduces = i > 0 and out[i - 1].content.endswith((":", "："))
        if not line.depth and before and _is_broken_off(out, i):
            out[i] = Line(line.start, line.end, before, line.raw, line.content)
        elif line.depth == before + 1 and i > 0 and _closes_bracket(out[i - 1], line):
            out[i] = Line(line.start, line.end, before, line.raw, f">{line.content}")
        elif (
            not before
            and not introduces
            and (_is_no_quote(out, i) or (few and _is_in_the_middle(out, i)))
        ):
            out[i] = _unmarked(line)
        before = out[i].depth
    return out


def _is_no_quote(lines: Sequence[Line], i: int) -> bool:
    raw = lines[i].raw
    return bool(_PROMPT.match(raw) or (_ESCAPED_FROM.match(raw) and not _is_marked(lines, i + 1)))


def _is_in_the_middle(lines: Sequence[Line], i: int) -> bool:
    """Whether a marked line stands directly between two that are not, as in the output of a program."""
    return (
        0 < i < len(lines) - 1
        and not lines[i - 1].is_blank
        and not lines[i + 1].is_blank
        and not lines[i + 1].depth
    )


def _closes_bracket(above: Line, line: Line) -> bool:
    """Whether a line's first mark closes the `<` of an address that was broken from it."""
    return bool(_OPEN_BRACKET.search(above.content)) and line.content.endswith((":", "："))


def _is_marked(lines: Sequence[Line], i: int) -> bool:
    return i < len(lines) and lines[i].depth > 0


def _is_broken_off(lines: Sequence[Line], i: int) -> bool:
    """Whether a line is the end of the quoted one above, which a program broke without a mark of its own."""
    line, above = lines[i], lines[i - 1]
    return (
        _is_marked(lines, i + 1)
        and len(above.raw) >= _BROKEN_FROM
        and 0 < len(line.raw) <= _BROKEN_TO
        and (line.content[:1].islower() or line.content[:1] in "<(/,.;)=")
        and above.content[-1:] not in ".!?:"
    )
