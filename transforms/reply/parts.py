"""The parts of a message's text: the author's own words, what is quoted, forwarded, signed.

Belongs here: what `split_reply` gives. Does not belong here: how a text is taken apart.
"""

import re
from dataclasses import dataclass
from typing import Literal

PartKind = Literal["reply", "quoted", "forwarded", "signature", "disclaimer"]
"""`reply`: the author's own words. `quoted`: words of earlier messages and the lines that introduce them.
`forwarded`: a message passed on. `signature`: what a program adds below (also footers of lists). `disclaimer`: legal
text, and warnings that a mail server put on top."""

_MANY_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the text, from `start` up to but not including `end` (offsets in characters).

    `reason` says what told it, for instance `wrote line`, `header block`, `marks`; empty for the reply.
    """

    kind: PartKind
    start: int
    end: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """A text and its parts in order; joined they are the text, character by character."""

    text: str
    parts: tuple[Part, ...]

    @property
    def reply(self) -> str:
        """The author's own words, blank lines at both ends and runs of them taken away; may be empty."""
        return _tidy(self.of("reply"))

    @property
    def quoted(self) -> tuple[Part, ...]:
        """The quoted parts, in order."""
        return tuple(part for part in self.parts if part.kind == "quoted")

    @property
    def signature(self) -> str:
        """What a program added below the words; may be empty."""
        return _tidy(self.of("signature"))

    @property
    def disclaimer(self) -> str:
        """Legal text and warnings of servers; may be empty."""
        return _tidy(self.of("disclaimer"))

    @property
    def forwarded(self) -> str:
        """The message that was passed on, with its headers; may be empty.

        Where the author wrote nothing above it, its own text counts as the reply, and this holds its headers.
        """
        return _tidy(self.of("forwarded"))

    def of(self, kind: PartKind) -> str:
        """All stretches of one kind, as they stand in the text, each beginning a line."""
        return "\n".join(
            self.text[part.start : part.end] for part in self.parts if part.kind == kind
        )


def _tidy(text: str) -> str:
    # Line by line: a pattern for blanks at line ends takes quadratic time on long runs of blanks.
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return _MANY_BLANK_LINES.sub("\n\n", lines).strip("\n")
