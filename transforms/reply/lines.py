"""A text's lines as the other modules of this folder read them: where they stand, how deep they are quoted.

Belongs here: cutting into lines, quote marks, code fences. Does not belong here: what a line means.
"""

import re
from collections.abc import Sequence

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_MARKS = re.compile(r"[ \t\u00a0]{0,3}(?:>[ \t]?)+")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_ESCAPED_FROM = re.compile(r">From ")
_PROMPT = re.compile(r"\s{0,3}>>> [^\s>]")
_OPEN_BRACKET = re.compile(r"<[^<>]*@[^<>]*$")
_DIGIT = re.compile("[0-9]")
_BROKEN_FROM = 66
_BROKEN_TO = 40
_FEW_MARKED = 2


class Line:
    """One line: `start` to `end` in the text (its line end included), `depth` of quote marks, and what it says.

    `raw` is the line without its end; `content` lacks the marks, invisible characters and needless blanks; `is_blank`
    where nothing is left then. Never changed once made. A plain class, since a mail has many lines and only few of
    them are read: the last two are made at the first look.
    """

    __slots__ = ("_said_from", "content", "depth", "end", "is_blank", "raw", "start")

    content: str
    is_blank: bool

    def __init__(self, start: int, end: int, depth: int, raw: str, said_from: int = 0) -> None:
        """What it says begins at `said_from` of `raw`, invisible characters not counted."""
        self.start = start
        self.end = end
        self.depth = depth
        self.raw = raw
        self._said_from = said_from

    def __getattr__(self, name: str) -> str | bool:
        """Read the line, at the first look at what it says."""
        self._say(" ".join(visible(self.raw)[self._said_from :].split()))
        return object.__getattribute__(self, name)  # type: ignore[no-any-return]

    def _say(self, content: str) -> None:
        self.content = content
        self.is_blank = not content

    def at_depth(self, depth: int, content: str | None = None) -> "Line":
        """The same line quoted so deep; it says the same unless told otherwise."""
        line = Line(self.start, self.end, depth, self.raw)
        line._say(self.content if content is None else content)
        return line


def lines_of(text: str) -> list[Line]:
    """All lines of a text; joined they are the text.

    A line that begins three marks deep is Python's prompt, a lone `>From` an escape of mailboxes, and a single marked
    line in the middle of a paragraph a program's output: all are no quotes. Nor is what stands in a fenced block of
    code.
    """
    lines: list[Line] = []
    start = 0
    is_marked = False
    for ended in _LINE.findall(text):
        end = start + len(ended)
        raw = ended.rstrip("\r\n")
        marks = _marks(raw) if ">" in raw[:8] else None
        if marks is None:
            lines.append(Line(start, end, 0, raw))
        else:
            lines.append(Line(start, end, marks[0].count(">"), raw, marks.end()))
            is_marked = True
        start = end
    return _without_false_marks(lines) if is_marked else lines


def next_written(lines: Sequence[Line], start: int) -> int:
    """The first line from `start` on that is not blank; the number of lines where there is none."""
    while start < len(lines) and lines[start].is_blank:
        start += 1
    return start


def fenced(lines: Sequence[Line]) -> frozenset[int]:
    """The lines of fenced blocks of code that are opened and closed outside of quotes."""
    marks = [
        i
        for i, line in enumerate(lines)
        if ("```" in line.raw or "~~~" in line.raw) and not line.depth and _FENCE.match(line.raw)
    ]
    if not marks:
        return frozenset()
    found: set[int] = set()
    for first, last in zip(marks[::2], marks[1::2], strict=False):
        found.update(range(first, last + 1))
    return frozenset(found)


def visible(text: str) -> str:
    """A text without the characters that nobody sees."""
    return text if text.isascii() else _UNSEEN.sub("", text)


def has_digit(text: str) -> bool:
    """Whether a digit of any script stands in a text."""
    return _DIGIT.search(text) is not None or (not text.isascii() and any(map(str.isdigit, text)))


def _marks(raw: str) -> re.Match[str] | None:
    return _MARKS.match(visible(raw))


def _unmarked(line: Line) -> Line:
    return Line(line.start, line.end, 0, line.raw)


def _without_false_marks(lines: list[Line]) -> list[Line]:
    code = fenced(lines)
    out = (
        [_unmarked(line) if i in code else line for i, line in enumerate(lines)] if code else lines
    )
    few = sum(line.depth > 0 for line in out) <= _FEW_MARKED
    before = 0
    for i, line in enumerate(out):
        if not line.depth:
            if before and _is_broken_off(out, i):
                out[i] = line.at_depth(before)
        elif line.depth == before + 1 and i > 0 and _closes_bracket(out[i - 1], line):
            out[i] = line.at_depth(before, f">{line.content}")
        elif (
            not before
            and (_is_no_quote(out, i) or (few and _is_in_the_middle(out, i)))
            and not (i > 0 and out[i - 1].content.endswith((":", "：")))
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
    return line.content.endswith((":", "：")) and bool(_OPEN_BRACKET.search(above.content))


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
