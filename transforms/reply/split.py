"""A message's text taken apart: what its author wrote, what is quoted, forwarded, signed.

Belongs here: the order in which the marks are looked at and what each of them ends. Does not belong here: the marks
themselves (`introductions`, `headers`, `signatures`), HTML (`html`).

Rules, in short. What stands below a marker, a block of headers, or an unmistakable `… wrote:` is quoted to the end,
if the author wrote something above it; with nothing above only the marker goes, for then the message itself is below
it. Marked lines (`>`) are quoted where they stand, and text between and below them is the author's.
"""

from collections.abc import Iterator, Sequence

from transforms.reply.headers import asks_to_reply_above, block_at, is_reply_marker, may_begin_block
from transforms.reply.introductions import MOST_LINES, introduction_at, is_piped, may_close
from transforms.reply.lines import Line, fenced, lines_of, next_written
from transforms.reply.parts import Part, PartKind, ReplyParts
from transforms.reply.signatures import Label, labels_of

LONGEST = 1_000_000
"""A longer text is looked at up to here; the rest counts as the part that was reached."""


def split_reply(text: str) -> ReplyParts:
    """The parts of a message's text; joined they are the text, character by character.

    Any text is taken, in time linear in its length.
    """
    parts = split_lines(text, lines_of(text[:LONGEST])).parts
    if len(text) > LONGEST:
        last = parts[-1]
        parts = (*parts[:-1], Part(last.kind, last.start, len(text), last.reason))
    return ReplyParts(text, parts)


def split_lines(
    text: str,
    lines: Sequence[Line],
    *,
    cuts: frozenset[int] = frozenset(),
    signed: frozenset[int] = frozenset(),
) -> ReplyParts:
    """The parts of a text whose lines are read already.

    Args:
        text: the text.
        lines: its lines, their depth possibly told by tags.
        cuts: lines at which an earlier message is known to begin.
        signed: lines that are known to be a signature.
    """
    if not lines:
        return ReplyParts(text, ())
    labels = _Splitter(
        lines, has_marker=asks_to_reply_above(text[:LONGEST]), cuts=cuts, signed=signed
    ).labels()
    return ReplyParts(text, tuple(_joined(lines, labels)))


_LONGEST_ARMOR = 200


class _Splitter:
    """One pass over the lines; `_own_from` is where the stretch of unquoted lines begins that is being read."""

    def __init__(
        self,
        lines: Sequence[Line],
        *,
        has_marker: bool,
        cuts: frozenset[int],
        signed: frozenset[int],
    ) -> None:
        self._lines = lines
        self._has_marker = has_marker
        self._cuts = cuts
        self._signed = signed
        self._labels: list[Label | None] = [None] * len(lines)
        self._fenced = fenced(lines)
        self._own_from = 0
        self._has_own_words = False
        self._has_quote = False
        self._looked_to = 0
        self._closes_at = -1

    def labels(self) -> list[Label | None]:
        """What each line is; None for the author's words."""
        at = 0
        while at < len(self._lines):
            at = self._step(at)
        self._close(len(self._lines))
        return self._labels

    def _step(self, at: int) -> int:
        line = self._lines[at]
        if line.depth:
            return self._quote(at, self._end_of_marked(at), "marks")
        if line.is_blank or at in self._fenced:
            return at + 1
        if at in self._cuts:
            block = block_at(self._lines, at)
            return self._cut(at, at + 1 if block is None else block.end, "quoted", "tags")
        if line.content.startswith("-----BEGIN PGP "):
            return self._armor(at)
        if self._has_marker and is_reply_marker(line):
            return self._cut(at, at + 1, "quoted", "reply marker")
        if may_begin_block(line.content):
            block = block_at(self._lines, at)
            if block is not None:
                return self._cut(at, block.end, block.kind, block.reason)
        introduction = introduction_at(self._lines, at) if self._may_introduce(at) else None
        if introduction is None:
            return at + 1
        after = next_written(self._lines, introduction.end)
        if after < len(self._lines) and self._lines[after].depth:
            return self._quote(at, self._end_of_marked(after), "wrote line")
        if after < len(self._lines) and is_piped(self._lines[after]):
            return self._quote(at, self._end_of_piped(after), "wrote line")
        if introduction.is_certain:
            return self._cut(at, introduction.end, "quoted", "wrote line")
        return at + 1

    def _may_introduce(self, at: int) -> bool:
        """Whether an introduction may end on this line or so soon that it may begin here; looks once at each line."""
        for i in range(max(at, self._looked_to), min(at + MOST_LINES, len(self._lines))):
            self._looked_to = i + 1
            if not self._lines[i].is_blank and may_close(self._lines[i].content):
                self._closes_at = i
        return self._closes_at >= at

    def _armor(self, at: int) -> int:
        """Take the lines of OpenPGP around signed text; a key or an encrypted message stays as it is."""
        ends = {
            "-----BEGIN PGP SIGNED MESSAGE-----": "",
            "-----BEGIN PGP SIGNATURE-----": "-----END PGP SIGNATURE-----",
        }
        last = ends.get(self._lines[at].content)
        end = at + 1
        while last is not None and end < min(len(self._lines), at + _LONGEST_ARMOR):
            end += 1
            if self._lines[end - 1].content == last:
                self._close(at)
                self._set(at, end, ("signature", "OpenPGP"))
                self._own_from = end
                return end
        return at + 1

    def _end_of_marked(self, at: int) -> int:
        """The end of a run of marked lines; blank lines between two of them belong to it."""
        end = at
        while at < len(self._lines):
            if self._lines[at].depth:
                end = at + 1
            elif not self._lines[at].is_blank:
                break
            at += 1
        return end

    def _end_of_piped(self, at: int) -> int:
        while at < len(self._lines) and self._lines[at].content.startswith("|"):
            at += 1
        return at

    def _quote(self, start: int, end: int, reason: str) -> int:
        self._close(start)
        self._set(start, end, ("quoted", reason))
        self._own_from, self._has_quote = end, True
        return end

    def _cut(self, start: int, end: int, kind: PartKind, reason: str) -> int:
        """Take a marker: with words above it everything below is quoted, without them it alone is."""
        self._close(start)
        if self._has_own_words:
            end = len(self._lines)
        self._set(start, end, (kind, reason))
        self._own_from = end
        return end

    def _set(self, start: int, end: int, label: Label) -> None:
        self._labels[start:end] = [label] * (end - start)

    def _close(self, end: int) -> None:
        """End the stretch of unquoted lines: tell signatures and the like from words in it."""
        start = self._own_from
        if start >= end:
            return
        found = labels_of(
            self._lines[start:end],
            is_first=start == 0,
            is_below_quote=self._has_quote and self._has_own_words,
        )
        for i in self._signed.intersection(range(start, end)):
            found[i - start] = found[i - start] or ("signature", "tags")
        self._labels[start:end] = found
        self._own_from = end
        self._has_own_words = self._has_own_words or any(
            label is None and not line.is_blank
            for label, line in zip(found, self._lines[start:end], strict=True)
        )


def _joined(lines: Sequence[Line], labels: Sequence[Label | None]) -> Iterator[Part]:
    """Neighbouring lines of one kind and reason as one part; blank lines go with what they follow."""
    start, current = 0, labels[0]
    for line, label in zip(lines, labels, strict=True):
        if label != current and not (label is None and line.is_blank):
            yield _part(start, line.start, current)
            start, current = line.start, label
    yield _part(start, lines[-1].end, current)


def _part(start: int, end: int, label: Label | None) -> Part:
    kind, reason = label if label is not None else ("reply", "")
    return Part(kind, start, end, reason)
