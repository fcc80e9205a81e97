"""The structure of a mail: bytes in, a tree of parts with their header fields out.

Belongs here: where headers end, where parts begin and end, transfer encodings. Does not belong here: what is text
and what is an attachment (`mail_parts`), what header fields say (`mail_headers`).

The standard library's parser goes through a mail line by line and, in nested parts, through all levels for each
line; its time is no longer bounded by the mail's size then, and enclosed messages come out rewritten. This one cuts
bytes at delimiters: its cost is the size times the depth, which is limited, and every part keeps its exact bytes.

Source: RFC 5322 §2.2, RFC 2045, RFC 2046 §5.1.
"""

import binascii
import quopri
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from transforms.mail_headers import decode_base64
from transforms.mail_parameters import Structured, parse_structured

MAX_DEPTH = 60
"""Parts nested deeper than this are left uncut."""

MAX_PARTS = 20_000
"""Parts of one mail; what is behind the last stays with it."""

MAX_FIELDS = 10_000
"""Header fields of one part that are kept: the rest is passed over."""

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_MEDIA_TYPE = re.compile(r"([a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127})(?=$|[\s(,])")
_KNOWN_FIELD = re.compile(
    rb"(?:from|to|cc|bcc|subject|date|sender|reply-to|message-id|in-reply-to|references|received"
    rb"|return-path|mime-version|content-[a-z-]+|x-[!-9;-~]+|list-[a-z-]+|delivered-to|user-agent"
    rb"|dkim-signature|authentication-results|thread-[a-z-]+|precedence|auto-submitted|importance"
    rb"|organi[sz]ation|status|lines)[ \t]*:",
    re.I,
)
_GUESSED_DELIMITER = re.compile(
    rb"^--([^\s-][^\r\n]{3,200}|-+[^\s-][^\r\n]{3,200}?)[ \t]*\r?\n"
    rb"(?=\r?\n|Content-[A-Za-z-]+[ \t]*:)",
    re.M,
)
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*\n", re.M)
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_ENCODINGS = {
    "base64": "base64",
    "b64": "base64",
    "quotedprintable": "quoted-printable",
    "qp": "quoted-printable",
    "uuencode": "uuencode",
    "xuuencode": "uuencode",
    "uue": "uuencode",
    "xuue": "uuencode",
}
"""Spelling without signs → the encoding; `base-64` and `quoted printable` occur."""

_SPACE = re.compile(rb"\s+")
_OUTSIDE_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]|(?<=[^\s]) (?=[^\s])")
_GUESS_LIMIT = 65_536
"""Bytes at a body's start in which a delimiter that no header names is looked for."""


@dataclass(slots=True)
class Part:
    """A mail or a part of one.

    `fields` holds header values by their names in lower case, unfolded, as sent: 8-bit bytes are surrogate
    escapes. `body` is what stands behind the header, still encoded. `stray` are lines in the header that are no
    header lines. `is_guessed` says that the part was cut at a delimiter that no header names, or behind the closing
    one; `is_uncut` that it was nested too deeply to be cut.
    """

    fields: dict[str, list[str]]
    body: bytes
    stray: bytes = b""
    parts: list["Part"] = field(default_factory=list)
    is_guessed: bool = False
    is_uncut: bool = False
    media_type: str = "text/plain"
    content_type: Structured = field(default_factory=Structured)

    def get(self, name: str) -> str:
        """The first value of a header field, "" where there is none."""
        values = self.fields.get(name.lower())
        return values[0] if values else ""

    def get_all(self, name: str) -> list[str]:
        """All values of a header field, in order."""
        return self.fields.get(name.lower(), [])

    @property
    def encoding(self) -> str:
        """The transfer encoding in lower case, in its proper spelling where we know it; "" where none is named."""
        raw = self.get("content-transfer-encoding").partition(";")[0].partition("(")[0]
        name = raw.strip(" \t'\",.").lower()
        return _ENCODINGS.get(_NOT_WORD.sub("", name), name)

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding."""
        return decode_transfer(self.body, self.encoding)


def parse_mime(data: bytes, *, default_type: str = "text/plain") -> Part:
    """The tree of a mail's parts; never an error.

    Args:
        data: the mail, in any line ends.
        default_type: what it is where it does not say.
    """
    if b"\r\r\n" in data[:_GUESS_LIMIT]:
        data = data.replace(b"\r\r\n", b"\r\n")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return _Cutter().part(data, default_type, 0)


class _Cutter:
    """Counts the parts of one mail while it is cut."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def part(self, data: bytes, default_type: str, depth: int) -> Part:
        part = split_header(data, default_type)
        if not part.media_type.startswith("multipart/"):
            return part
        if depth >= MAX_DEPTH or self._left <= 0:
            part.is_uncut = True
            return part
        boundary = part.content_type.token("boundary").encode("utf-8", "surrogateescape")
        pieces = _pieces(part.body, boundary, self._left) if boundary else []
        if not pieces and part.encoding in ("base64", "quoted-printable"):
            pieces = _pieces(part.content, boundary, self._left) if boundary else []
        if not pieces and (guess := _GUESSED_DELIMITER.search(part.body[:_GUESS_LIMIT])):
            guessed = _pieces(part.body, guess[1], self._left)
            pieces = [(piece, True) for piece, _ in guessed]
        self._left -= len(pieces)
        default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
        for piece, is_guessed in pieces:
            child = self.part(piece, default, depth + 1)
            child.is_guessed = is_guessed
            part.parts.append(child)
        return part


def split_header(data: bytes, default_type: str = "text/plain") -> Part:
    """A part with its header read and its body left whole."""
    fields, stray, start = _header(data)
    part = Part(fields, data[start:], b"\n".join(stray))
    raw = part.get("content-type")
    part.content_type = parse_structured(raw)
    if match := _MEDIA_TYPE.match(part.content_type.value):
        part.media_type = match[1]
    elif not raw or part.content_type.value.count("/") != 1:
        # RFC 2045 §5.2: what is no type is plain text.
        part.media_type = "text/plain" if raw else default_type
    else:
        part.media_type = "application/octet-stream"
    return part


def _header(data: bytes) -> tuple[dict[str, list[str]], list[bytes], int]:
    """Header fields by name, stray lines, and where the body starts."""
    fields: dict[str, list[str]] = {}
    stray: list[bytes] = []
    position, count = 0, 0
    values: list[str] | None = None
    pieces: list[bytes] = []
    end = len(data)

    def close() -> None:
        if values is not None:
            joined = b"".join(pieces).replace(b"\r", b"")
            values.append(joined.decode("ascii", "surrogateescape").strip())

    while position < end:
        stop = data.find(b"\n", position)
        stop = end if stop < 0 else stop
        line = data[position:stop]
        if not line or line == b"\r":
            close()
            return fields, stray, min(stop + 1, end)
        if line[:1] in b" \t" and (values is not None or fields):
            pieces.append(line)
        elif (match := _FIELD.match(line)) and not (stray and not _KNOWN_FIELD.match(line)):
            close()
            count += 1
            pieces = [line[match.end() :]]
            if count <= MAX_FIELDS:
                values = fields.setdefault(match[1].decode("ascii").lower(), [])
            else:
                values = None
        elif not fields and not line.startswith((b"From ", b">From ")):
            if position or not _KNOWN_FIELD.match(data, stop + 1):
                return fields, stray, position  # no header at all: all of it is the body
        elif fields:
            if line.startswith(b"--") and not stray:
                close()
                return fields, stray, position  # a delimiter: the blank line before it is missing
            close()
            values, pieces = None, []
            stray.append(line.rstrip(b"\r"))
        position = stop + 1
    close()
    return fields, stray, end


def _pieces(body: bytes, boundary: bytes, limit: int) -> list[tuple[bytes, bool]]:
    """What stands between delimiter lines, and whether it stands behind the closing one, where nothing should.

    The line end before a delimiter belongs to it. Where no line is exactly the delimiter, lines that begin with it
    count (RFC 2046 §5.1.1 allows both readings).
    """
    marks = _delimiters(body, boundary, limit + 1, is_exact=True)
    if all(is_end for _, _, is_end in marks):
        marks = _delimiters(body, boundary, limit + 1, is_exact=False)
    marks = _without_inner(body, boundary, marks)
    pieces: list[tuple[bytes, bool]] = []
    is_closed = False
    for index, (_, after, is_end) in enumerate(marks):
        if is_end:
            is_closed = bool(pieces)
            continue
        stop = marks[index + 1][0] if index + 1 < len(marks) else len(body)
        pieces.append((body[after : max(stop, after)], is_closed))
    return pieces


def _without_inner(
    body: bytes, boundary: bytes, marks: list[tuple[int, int, bool]]
) -> list[tuple[int, int, bool]]:
    """The delimiters without those of a part whose own boundary is ours and two dashes: they look like our end."""
    inner = boundary + b"--"
    declared = re.search(
        rb'(?im)^content-type:(?:[^\n]|\n[ \t])*?boundary\s*=\s*"?'
        + re.escape(inner)
        + rb'"?\s*[;\r\n]',
        body,
    )
    if declared is None:
        return marks
    closing = body.find(b"\n--" + inner + b"--", declared.end())
    until = len(body) if closing < 0 else closing + 1
    return [mark for mark in marks if not declared.start() < mark[0] < until]


def _delimiters(
    body: bytes, boundary: bytes, limit: int, *, is_exact: bool
) -> list[tuple[int, int, bool]]:
    """(where its line end begins, where what follows begins, whether it closes) of each delimiter line."""
    mark = b"--" + boundary
    found: list[tuple[int, int, bool]] = []
    position = body.find(mark)
    while position >= 0 and len(found) < limit:
        after = position + len(mark)
        if position == 0 or body[position - 1 : position] == b"\n":
            stop = body.find(b"\n", after, after + 1_000)
            stop = (
                (len(body) if len(body) - after <= 1_000 else after + 1_000) if stop < 0 else stop
            )
            rest = body[after:stop].strip(b" \t\r")
            is_end = rest.startswith(b"--")
            if not rest or rest == b"--" or not is_exact:
                before = position - 1 if position else 0
                if before and body[before - 1 : before] == b"\r":
                    before -= 1
                found.append((before, min(stop + 1, len(body)), is_end))
                after = stop
        position = body.find(mark, after)
    return found


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """Bytes without their transfer encoding; an unknown encoding changes nothing."""
    if encoding == "quoted-printable":
        return quopri.decodestring(data)
    if encoding == "base64":
        return decode_base64(data)
    if encoding == "uuencode":
        return decode_uu(data)
    return data


def is_base64(data: bytes) -> bool:
    """Whether data labelled as base64 can be: text that was never encoded is full of other letters and blanks."""
    head = data[:4_000]
    return 6 * len(_OUTSIDE_BASE64.findall(head)) <= len(_SPACE.sub(b"", head))


def decode_uu(data: bytes) -> bytes:
    """What stands between `begin` and `end`, uudecoded; the data itself where there is no `begin`."""
    start = _UU_BEGIN.search(data)
    return decode_uu_lines(data[start.end() :].splitlines()) if start else data


def decode_uu_lines(lines: Iterable[bytes]) -> bytes:
    """Uuencoded lines decoded, up to `end`."""
    out: list[bytes] = []
    for line in lines:
        if line.strip() in (b"end", b"`"):
            break
        out.append(_uu_line(line))
    return b"".join(out)


def _uu_line(line: bytes) -> bytes:
    if not line:
        return b""
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders count or pad wrongly; the length in the first letter is what tells.
        length = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:length])
        except binascii.Error:
            return b""
