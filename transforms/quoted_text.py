"""What a mail's text repeats of other mails, as fingerprints: `fingerprints`.

Belongs here: which words are quoted, and numbers by which the same words are found again in another mail. Does
not belong here: which conversation a mail belongs to (`threads`).

Words, not lines, are compared: a quote is wrapped anew, indented with `>` and cut. Each run of `RUN` words gives
a number; of `WINDOW` neighbouring ones only the least is kept. So two texts that share `RUN + WINDOW - 1` words
in a row share a fingerprint, and a text of n words has some 2n / (WINDOW + 1) of them.

Source: Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document fingerprinting" (SIGMOD 2003).
"""

import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from transforms.quote_headers import QuoteHeader, quote_headers

RUN = 6
"""Words that a fingerprint is made of."""

WINDOW = 4
"""Neighbouring runs of which one is kept."""

MOST_WORDS = 600
"""Words of a mail's own text, and of what it quotes, that are fingerprinted: the newest stand first."""

LONGEST_TEXT = 60_000
"""Letters of a text that are read."""

_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r"^[ \t]*(?:>|\|[ \t]|[A-Za-z]{1,3}>[ \t])")
_DEPTH = re.compile(r"^[\s>|]+|^[ \t]*[A-Za-z]{1,3}>[ \t]")
_SIGNATURE = re.compile(r"^-- ?$")
_LIST_FOOTER = re.compile(r"^_{20,}\s*$")
_LINK = re.compile(r"<?\b(?:https?|mailto):[^\s>]*>?", re.I)


_PRIME = (1 << 61) - 1
_BASE = 1_000_003_141_592_653
_HIGHEST = pow(_BASE, RUN - 1, _PRIME)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Of the mail's own words, of the words that it quotes, and the addresses that it names as their writers."""

    own: tuple[int, ...] = ()
    quoted: tuple[int, ...] = ()
    quoted_people: tuple[str, ...] = ()


def fingerprints(text: str, headers: Sequence[QuoteHeader] | None = None) -> Fingerprints:
    """The fingerprints of a mail's readable text.

    Quoted is what begins with `>`, and all that follows a header such as `From: … Sent: …` or `On … wrote:`.
    Signatures behind `-- ` and the footers of lists are left out: they stand in too many mails.

    Args:
        text: the mail as people read it.
        headers: what `quote_headers` found in it; None looks for them.
    """
    text = text[:LONGEST_TEXT]
    headers = quote_headers(text) if headers is None else headers
    own: list[str] = []
    quoted: list[str] = []
    in_header = {n for one in headers for n in range(one.first_line, one.end_line)}
    first_header = headers[0].first_line if headers else None
    is_below = is_signature = False
    for number, line in enumerate(text.split("\n")):
        if number == first_header:
            is_below, is_signature = _is_unmarked(text, headers[0]), False
        if number in in_header:
            continue
        is_marked = bool(_QUOTED.match(line))
        bare = _DEPTH.sub("", line)
        if _SIGNATURE.match(bare) or _LIST_FOOTER.match(bare):
            is_signature = True
        elif is_marked or is_below:
            # A signature in a quote hides the rest of what is quoted there no longer than the next header.
            quoted.append(bare)
        elif not is_signature:
            own.append(bare)
    people = (one.sender.address for one in headers if one.sender and one.sender.address)
    return Fingerprints(
        tuple(_winnowed(own)), tuple(_winnowed(quoted)), tuple(dict.fromkeys(people))[:5]
    )


def _is_unmarked(text: str, header: QuoteHeader) -> bool:
    """Whether what follows a header is quoted as it is, without `>`."""
    following = text.split("\n")[header.end_line : header.end_line + 6]
    return not any(_QUOTED.match(line) for line in following)


def _winnowed(lines: Sequence[str]) -> list[int]:
    words: list[str] = []
    for line in lines:
        words += _WORD.findall(_LINK.sub(" ", line).casefold())
        if len(words) >= MOST_WORDS:
            break
    del words[MOST_WORDS:]
    runs = _run_hashes(words)
    if len(runs) <= WINDOW:
        return [min(runs)] if runs else []
    kept = (min(runs[start : start + WINDOW]) for start in range(len(runs) - WINDOW + 1))
    return list(dict.fromkeys(kept))


def _run_hashes(words: Sequence[str]) -> list[int]:
    """A number for each run of `RUN` words, by a rolling hash modulo a Mersenne prime."""
    numbers = [zlib.crc32(word.encode("utf-8", "surrogatepass")) + 1 for word in words]
    hashes: list[int] = []
    current = 0
    for position, number in enumerate(numbers):
        if position >= RUN:
            current -= numbers[position - RUN] * _HIGHEST
        current = (current * _BASE + number) % _PRIME
        if position >= RUN - 1:
            hashes.append(current)
    return hashes


def packed(numbers: Sequence[int]) -> bytes:
    """Fingerprints as 8 bytes each: a mailbox holds millions of them."""
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def unpacked(content: bytes) -> tuple[int, ...]:
    """Fingerprints that `packed` packed."""
    return struct.unpack(f"<{len(content) // 8}Q", content)
