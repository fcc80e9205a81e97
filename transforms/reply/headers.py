"""Blocks of headers and marker lines by which programs begin a quoted or forwarded message.

Belongs here: `From/Sent/To/Subject` blocks, `-----Original Message-----`, `Begin forwarded message:`, markers of
helpdesks, in the languages of `words`. Does not belong here: `On … wrote:` (`introductions`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from transforms.reply.lines import Line, has_digit, next_written
from transforms.reply.needles import holds_any, needles
from transforms.reply.words import (
    DATE_LABELS,
    FORWARD_MARKERS,
    FROM_LABELS,
    ORIGINAL_MARKERS,
    OTHER_LABELS,
    REPLY_ABOVE,
    SUBJECT_LABELS,
    TO_LABELS,
)

_Label = Literal["from", "date", "to", "subject", "other"]


def _labels() -> dict[str, frozenset[_Label]]:
    found: dict[str, set[_Label]] = {}
    lists: Mapping[_Label, tuple[str, ...]] = {
        "from": FROM_LABELS,
        "date": DATE_LABELS,
        "to": TO_LABELS,
        "subject": SUBJECT_LABELS,
        "other": OTHER_LABELS,
    }
    for kind, words in lists.items():
        for word in words:
            found.setdefault(word.casefold(), set()).add(kind)
    return {word: frozenset(kinds) for word, kinds in found.items()}


_LABELS = _labels()
_LONGEST_LABEL = max(map(len, _LABELS))
_LABELLED = re.compile(r"[*_\s]{0,4}([^:：]{1,40}?)[\s*_]*[:：][*_]*\s*(.*)")
_RULE = re.compile(r"[*_\s]*[-_=—–~*]{4,}\s*")
_DECORATED = re.compile(r"[*_\s]*[-_=—–]{2,}[>\s]*([^-_=—–].{1,78}?)[<\s]*[-_=—–]*[*_\s]*")
_DECORATION = "-_=—–~*"
_ABOVE = needles([words for words in REPLY_ABOVE if "above" in words])
_NOT_ABOVE = needles([words for words in REPLY_ABOVE if "above" not in words])
_MORE_ADDRESSES = re.compile(r"[,;]\s*$|^\s*<|@")
_BEFORE_COLON = re.compile(r"(?<![^\s*])(?:[^\W\d_]{2,12} )?([^\W\d_]{1,14})(?=\*?\s?[:：])")
_MOST_WRAPPED = 12
_MOST_HEADER_LINES = 120

PROCESSED = ("original message processed by", "originalnachricht bearbeitet von")
"""Markers of a mail program for phones, which end in a date."""

_BEFORE_MARKER = _DECORATION + "<> "
_MARKER_BEGINNINGS = frozenset(
    marker[:3] for marker in (*PROCESSED, *FORWARD_MARKERS, *ORIGINAL_MARKERS)
)

BlockKind = Literal["quoted", "forwarded"]


@dataclass(frozen=True, slots=True)
class Block:
    """Marker lines and headers that end before line `end`; what follows is the message itself."""

    end: int
    kind: BlockKind
    reason: str


def may_begin_block(content: str) -> bool:
    """Whether `block_at` is worth asking about a line, not a blank one: it may be a marker, a rule, or a header."""
    return (
        content[0] in _BEFORE_MARKER
        or ":" in content[:44]
        or "：" in content[:44]
        or content[:3].casefold()[:3] in _MARKER_BEGINNINGS
    )


def block_at(lines: Sequence[Line], start: int) -> Block | None:
    """The block that begins at this line: a marker with or without headers, a rule and headers, or headers."""
    line = lines[start]
    kind, is_sure = _marker(line.content)
    if kind is None and line.content[:1] not in _DECORATION:
        headers = _headers_at(lines, start)
        return Block(headers, "quoted", "header block") if headers is not None else None
    after = next_written(lines, start + 1)
    if kind is not None:
        headers = _headers_at(lines, after) if after < len(lines) else None
        if headers is not None:
            return Block(headers, kind, "forward marker" if kind == "forwarded" else "marker")
        return (
            Block(start + 1, kind, "forward marker" if kind == "forwarded" else "marker")
            if is_sure
            else None
        )
    if _RULE.fullmatch(line.content) or _DECORATED.fullmatch(line.content):
        headers = _headers_at(lines, after) if after < len(lines) and after <= start + 3 else None
        return Block(headers, "quoted", "header block") if headers is not None else None
    headers = _headers_at(lines, start)
    return Block(headers, "quoted", "header block") if headers is not None else None


def is_reply_marker(line: Line) -> bool:
    """Whether the line asks to write above it, as helpdesks put it into their notices."""
    return len(line.content) < 160 and asks_to_reply_above(line.content)


def asks_to_reply_above(text: str) -> bool:
    """Whether such words stand anywhere in a text."""
    folded = text.casefold()
    return ("above" in folded and holds_any(folded, _ABOVE)) or holds_any(folded, _NOT_ABOVE)


def is_rule(line: Line) -> bool:
    """Whether the line is a drawn rule."""
    return line.content[:1] in _DECORATION and bool(_RULE.fullmatch(line.content))


def _marker(content: str) -> tuple[BlockKind | None, bool]:
    """What a marker line begins, and whether it says so by itself, without headers below it."""
    if len(content) > 120:
        return None, False
    decorated = _DECORATED.fullmatch(content) if content[:1] in _DECORATION else None
    words = (decorated[1] if decorated else content).strip("*_ <>").casefold()
    is_sure = decorated is not None
    if words.endswith((":", "：")):
        is_sure = is_sure or words.rstrip(":： ") in FORWARD_MARKERS
        words = words.rstrip(":： ")
    if words[:3] not in _MARKER_BEGINNINGS:
        return None, False
    if words.startswith(PROCESSED):
        return "quoted", True
    if words.startswith(FORWARD_MARKERS):
        return "forwarded", is_sure
    if words.startswith(ORIGINAL_MARKERS):
        return "quoted", is_sure
    return None, False


def _headers_at(lines: Sequence[Line], start: int) -> int | None:
    """The end of the headers that begin here; None where too few of them stand together."""
    if _label(lines[start]) is None:
        return None
    depth = lines[start].depth
    if start and lines[start - 1].depth == depth and _label(lines[start - 1]) is not None:
        return None  # It was read with the line above, and did not suffice.
    seen: list[frozenset[_Label]] = []
    has_sender = has_address = is_mail = False
    end = at = start
    wrapped = 0
    while at < min(len(lines), start + _MOST_HEADER_LINES) and lines[at].depth == depth:
        line = lines[at]
        label = _label(line)
        if label is not None:
            kinds, value = label
            seen.append(kinds)
            has_sender = has_sender or ("from" in kinds and bool(value))
            has_address = has_address or "@" in value
            is_mail = is_mail or _is_of_mail(kinds, value)
            end, wrapped = at + 1, 0
        elif line.is_blank:
            following = next_written(lines, at)
            if following > at + 1 or following == len(lines) or _label(lines[following]) is None:
                break
        elif wrapped == _MOST_WRAPPED:
            break
        else:
            wrapped += 1
            if wrapped == at - end + 1 and _continues(lines[at - 1], line):
                end, wrapped = at + 1, 0
        at += 1
    if len(seen) == 1:
        return start + 1 if _is_in_one_line(lines[start].content) else None
    if not is_mail:
        return None
    return end if _suffices(seen, has_sender=has_sender, has_address=has_address) else None


def _is_of_mail(kinds: frozenset[_Label], value: str) -> bool:
    """Whether a header is a mail's rather than a form's: an address, a subject, a date in figures."""
    return "@" in value or "subject" in kinds or ("date" in kinds and has_digit(value))


def _suffices(seen: Sequence[frozenset[_Label]], *, has_sender: bool, has_address: bool) -> bool:
    if not has_sender:
        return False
    others = sum(bool(kinds - {"from", "other"}) for kinds in seen)
    distinct = len({kind for kinds in seen for kind in kinds} - {"other"})
    return (distinct >= 3 and others >= 2) or (
        others >= 1 and has_address and "other" not in seen[0]
    )


def _continues(above: Line, line: Line) -> bool:
    """Whether a line carries on the addresses of the one above."""
    return bool(_MORE_ADDRESSES.search(above.content[-2:]) and "@" in line.content) or (
        line.content.startswith("<") and "@" in line.content
    )


def _label(line: Line) -> tuple[frozenset[_Label], str] | None:
    content = line.content
    if ":" not in content[:44] and "：" not in content[:44]:
        return None
    match = _LABELLED.match(content)
    if match is None or len(match[1]) > _LONGEST_LABEL:
        return None
    kinds = _LABELS.get(match[1].strip("*_ ").casefold())
    return None if kinds is None else (kinds, match[2].strip("*_ "))


def _is_in_one_line(content: str) -> bool:
    """Whether all headers stand in one line, as a conversion from HTML may leave them."""
    found = [
        kinds
        for match in _BEFORE_COLON.finditer(content)
        if (kinds := _LABELS.get(match[0].casefold()) or _LABELS.get(match[1].casefold()))
    ]
    return (
        "@" in content and len(found) >= 3 and _suffices(found, has_sender=True, has_address=False)
    )
