"""Structured header values: `text/plain; charset="utf-8"; name*0*=UTF-8''…`, read leniently.

Belongs here: a value and its parameters, RFC 2231 put together. Does not belong here: what a parameter means.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from transforms.mail_charsets import decode_bytes
from transforms.mail_headers import decode_text, raw_bytes

PARAMETERS_LIMIT = 10_000
"""Letters of a value that are read: no honest one is longer."""

_BETWEEN = re.compile(r"[\s;]*")
_NAME = re.compile(r"([^\s=;\"]+)\s*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SECTION = re.compile(r"(.+?)\*(\d{1,4})?(\*?)")
_MISSING_SEMICOLON = re.compile(r"\s*([^\s/=]+/[^\s/=]+)\s+[^\s=]+\s*=")
_ESCAPED = re.compile(r'\\(["\\])')
_COMMENT_BEHIND = re.compile(r"\s*\([^()]*\)\s*$")


@dataclass(frozen=True, slots=True)
class Structured:
    """A value in lower case, without what follows, and its parameters under their names in lower case."""

    value: str = ""
    raw_parameters: Mapping[str, str] = field(default_factory=dict)

    def token(self, name: str) -> str:
        """A parameter that is a word for programs (`charset`, `boundary`): no decoding, no comment behind it."""
        raw = self.raw_parameters.get(name)
        if raw is None and f"{name}*0" in self.raw_parameters:
            raw = self.text(name) or ""
        if raw is None:
            raw = self.raw_parameters.get(f"{name}*", "").rpartition("'")[2]
        return _COMMENT_BEHIND.sub("", raw).rstrip()

    def text(self, name: str, charset: str | None = None) -> str | None:
        """A parameter for people, decoded from RFC 2231, from RFC 2047 (not allowed there, but common) or 8-bit text.

        The extended form (`name*=`) is preferred to the plain one, which stands beside it for old readers.
        """
        sections = self._sections(name)
        if sections:
            return _joined(sections, charset)
        raw = self.raw_parameters.get(name)
        return decode_text(raw, charset) if raw is not None else None

    def _sections(self, name: str) -> list[tuple[bool, str]]:
        """The RFC 2231 pieces of a parameter in order: (is percent-encoded, text)."""
        whole = self.raw_parameters.get(f"{name}*")
        if whole is not None:
            return [(True, whole)]
        found: list[tuple[bool, str]] = []
        while True:
            key = f"{name}*{len(found)}"
            if f"{key}*" in self.raw_parameters:
                found.append((True, self.raw_parameters[f"{key}*"]))
            elif key in self.raw_parameters:
                found.append((False, self.raw_parameters[key]))
            else:
                return found


def parse_structured(raw: str) -> Structured:
    """Reads a value such as that of Content-Type; never an error, the first of equal names counts.

    Source: RFC 2045 §5.1, RFC 2231.
    """
    raw = raw[:PARAMETERS_LIMIT]
    value, _, rest = raw.partition(";")
    if "=" in value and "/" not in value.partition("=")[0]:
        value, rest = "", raw  # `Content-Type: charset=utf-8`, without any type
    elif match := _MISSING_SEMICOLON.match(value):
        value, rest = match[1], raw[match.end(1) :]
    parameters: dict[str, str] = {}
    position = 0
    while position < len(rest):
        between = _BETWEEN.match(rest, position)
        position = between.end() if between else position
        match = _NAME.match(rest, position)
        if match is None:
            position = rest.find(";", position)
            if position < 0:
                break
            continue
        name = match[1].lower()
        content, position = _value_at(rest, match.end())
        if (section := _SECTION.fullmatch(name)) and section[2] is not None:
            name = f"{section[1]}*{int(section[2])}{section[3]}"
        parameters.setdefault(name, content)
    return Structured(value.strip().lower(), parameters)


def _value_at(text: str, start: int) -> tuple[str, int]:
    """The value that begins here, and where the next parameter may begin."""
    if quoted := _QUOTED.match(text, start):
        return _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    end = text.find(";", start)
    end = len(text) if end < 0 else end
    return text[start:end].strip().strip('"'), end + 1


def _joined(sections: list[tuple[bool, str]], charset: str | None) -> str:
    is_encoded, first = sections[0]
    if is_encoded and first.count("'") >= 2:
        label, _, first = first.split("'", 2)
        charset = label or charset
        sections = [(True, first), *sections[1:]]
    plain = "".join(text for _, text in sections)
    if "=?" in plain and "?=" in plain:
        return decode_text(plain, charset)
    data = b"".join(
        unquote_to_bytes(raw_bytes(text)) if encoded else raw_bytes(text)
        for encoded, text in sections
    )
    return decode_text(decode_bytes(data, charset))
