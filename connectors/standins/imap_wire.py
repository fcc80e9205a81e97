"""Words of the IMAP protocol: arguments, number sets, folder names.

Belongs here: pure text. Does not belong here: sockets, mails.

Source: RFC 3501 §4 (data formats), §5.1.3 (folder names), §9 (grammar).
"""

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any

_TOKEN = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|(\()|(\))|([^\s()"\[\]]+(?:\[[^\]]*\](?:<[^>]*>)?)?)|(\[[^\]]*\]))'
)


def parse(text: str, literals: Sequence[bytes]) -> list[Any]:
    """Arguments of a command: words and quoted strings as text, literals as bytes, parentheses as lists."""
    stack: list[list[Any]] = [[]]
    for match in _TOKEN.finditer(text):
        string, opening, closing, word, bracket = match.groups()
        if opening:
            stack.append([])
        elif closing:
            inner = stack.pop()
            stack[-1].append(inner)
        elif string is not None:
            stack[-1].append(re.sub(r"\\(.)", r"\1", string))
        else:
            word = word or bracket
            literal = re.fullmatch(r"\x00(\d+)\x00", word)
            stack[-1].append(literals[int(literal[1])] if literal else word)
    return stack[0]


def as_text(value: Any) -> str:
    """A word, a quoted string or a literal as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def quoted(text: str) -> str:
    """Text as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def numbers(text: str, known: Sequence[int]) -> set[int]:
    """The known numbers in a set such as `1,4:7,9:*`; `n:*` always has the last one, even below n."""
    last = max(known, default=0)
    found: set[int] = set()
    for piece in text.split(","):
        first, colon, second = piece.partition(":")
        low = last if first == "*" else int(first)
        high = (last if second == "*" else int(second)) if colon else low
        low, high = min(low, high), max(low, high)
        found.update(number for number in known if low <= number <= high)
    return found


def number_set(found: Iterable[int]) -> str:
    """Numbers as a set, neighbours drawn together: `1:3,7`."""
    runs: list[list[int]] = []
    for number in sorted(found):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in runs)


def encode_name(name: str) -> str:
    """A folder's name in modified UTF-7 (RFC 3501 §5.1.3)."""

    def encoded(match: re.Match[str]) -> str:
        if match[0] == "&":
            return "&-"
        code = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=")
        return f"&{code.replace('/', ',')}-"

    return re.sub(r"&|[^\x20-\x7e]+", encoded, name)


def decode_name(name: str) -> str:
    """The plain name of a folder in modified UTF-7; anything else is left as it is."""

    def decoded(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        code = match[1].replace(",", "/")
        return base64.b64decode(code + "=" * (-len(code) % 4)).decode("utf-16-be", "replace")

    return re.sub(r"&([A-Za-z0-9+,]*)-", decoded, name)
