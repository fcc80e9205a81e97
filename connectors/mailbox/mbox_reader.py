"""Reads mails out of an mbox stream, one at a time, whatever variant wrote it.

Belongs here: where one mail ends and the next begins, and `>From` quoting. Does not belong here: files,
cursors, records.

Variants differ in how a body line that begins with `From ` is kept apart from a separator:

- `mboxo` (the default, and most writers): `From ` became `>From `. This cannot be undone with certainty (the
  line may have been `>From ` all along), so the bytes stay as they are.
- `mboxrd`: one `>` was added to every line of `>`s and `From `; reading takes one away.
- `mboxcl2`: nothing is quoted, `Content-Length` says where the body ends. This length is believed in every
  variant, but only where a separator or the end of the file follows exactly there; a wrong length is ignored.

A line is a separator only where it looks like one and a header line follows, so that prose such as "From
Russia with love" in an unquoted body does not cut a mail in two. In doubt, bytes stay with the mail before.

Source: RFC 4155; qmail's mbox(5) (mboxrd); "Configuring Netscape Mail on Unix: Why the Content-Length Format
is Bad" (jwz).
"""

import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from gzip import GzipFile
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

Variant = Literal["mboxo", "mboxrd", "mboxcl2"]

VARIANTS: tuple[Variant, ...] = ("mboxo", "mboxrd", "mboxcl2")

CONTENT_LENGTH_LIMIT = 128 * 1024 * 1024
"""A `Content-Length` beyond this is not tried: a lying one must not pull the rest of the file into memory."""

_BOM = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:")
_DATED = re.compile(rb"From .*\d\d:\d\d(?::\d\d)?.*\b(?:19|20)\d\d\b.*")
_DATED_FIRST = re.compile(rb"From .*\b(?:19|20)\d\d\b.*\d\d:\d\d.*")
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_DASH = re.compile(rb"From - ?")
_SHORT = re.compile(rb"From [^ \t]*[ \t]*")
_CONTENT_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?\n?", re.IGNORECASE)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_QUOTED_SEPARATOR = re.compile(rb">From .*\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class MboxMail:
    """One mail of an mbox: its bytes without the separator, where its separator begins and where it ends.

    `envelope` is the separator line without `From ` (sender and date, as the writer put them), "" where a
    file begins without one. `offset` and `end` count decompressed bytes from the start of the file.
    """

    payload: bytes
    envelope: str
    offset: int
    end: int


def read_mails(
    stream: BinaryIO | GzipFile, *, start: int = 0, variant: Variant = "mboxo"
) -> Iterator[MboxMail]:
    """The mails of an mbox, in order.

    Args:
        stream: readable bytes, positioned at `start`.
        start: 0, or the `offset` of a mail found earlier.
        variant: how `From ` lines in bodies were quoted by the writer.

    Yields:
        Each mail; bytes before the first separator are a mail too, unless they are blank.
    """
    lines = _Lines(stream, start)
    envelope, offset = "", start
    first = lines.peek(0)
    if start == 0 and first.startswith(_BOM):
        lines.drop_from_first(len(_BOM))
        first = lines.peek(0)
    if _is_separator(first, lines.peek(1), after_blank=True):
        envelope = _envelope(lines.next())
    body: list[bytes] = []
    after_blank = in_header = True
    length: int | None = None
    while line := lines.next():
        if line[:1] == b"\x00" and line.lstrip(b"\x00")[:5] == b"From ":
            # A hole that a crashed server or disk left in front of a separator.
            hole = len(line) - len(line.lstrip(b"\x00"))
            body.append(line[:hole] + b"\n")
            line, after_blank = line[hole:], True
        if line[:5] == b"From " and _is_separator(line, lines.peek(0), after_blank=after_blank):
            start_of_line = lines.position - len(line)
            yield from _mail(body, envelope, offset, start_of_line, variant)
            envelope, offset = _envelope(line), start_of_line
            body, in_header, length, after_blank = [], True, None, False
            continue
        body.append(line)
        after_blank = line in (b"\n", b"\r\n")
        if not in_header:
            continue
        if after_blank:
            in_header = False
            if length is not None:
                body.append(lines.take_exactly(length))
        elif (match := _CONTENT_LENGTH.fullmatch(line)) is not None:
            length = int(match[1])
    yield from _mail(body, envelope, offset, lines.position, variant)


class CarriageReturns(io.RawIOBase):
    """A stream whose lines end with CR alone, as old Macs wrote them, with LF instead: offsets stay the same."""

    def __init__(self, stream: BinaryIO | GzipFile) -> None:
        """Takes the stream, which stays the caller's to close."""
        self._stream = stream

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """Fills the buffer."""
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view)).replace(b"\r", b"\n")
        view[: len(data)] = data
        return len(data)


def line_stream(stream: BinaryIO | GzipFile, head: bytes) -> BinaryIO | GzipFile:
    """The stream itself, or with its line ends made readable where its head has none but CR."""
    if b"\n" in head or b"\r" not in head:
        return stream
    return io.BufferedReader(CarriageReturns(stream))  # type: ignore[return-value]


def _mail(
    body: list[bytes], envelope: str, offset: int, end: int, variant: Variant
) -> Iterator[MboxMail]:
    if len(body) > 1 and body[-1] in (b"\n", b"\r\n"):
        body.pop()
    payload = b"".join(body)
    if not payload.strip() and not envelope:
        return
    if variant == "mboxrd":
        payload = _QUOTED.sub(rb"\1", payload)
    yield MboxMail(payload, envelope, offset, end)


def _is_separator(line: bytes, following: bytes, *, after_blank: bool) -> bool:
    text = line.rstrip(b"\r\n")
    if not text.startswith(b"From "):
        return False
    if not (_HEADER.match(following) or _QUOTED_SEPARATOR.match(following)):
        return after_blank and not following.strip() and bool(_DATED.fullmatch(text))
    if _DATED.fullmatch(text) or _DASH.fullmatch(text):
        return True
    return after_blank and bool(_SHORT.fullmatch(text) or _DATED_FIRST.fullmatch(text))


def _envelope(line: bytes) -> str:
    return line[5:].strip().decode("utf-8", "replace")


class _Lines:
    """Lines with a look ahead of two and a count of the bytes given."""

    def __init__(self, stream: BinaryIO | GzipFile, position: int) -> None:
        self._stream = stream
        self._ahead: deque[bytes] = deque()
        self.position = position

    def next(self) -> bytes:
        """The next line with its end; b"" at the end of the stream."""
        line = self._ahead.popleft() if self._ahead else self._stream.readline()
        self.position += len(line)
        return line

    def peek(self, index: int) -> bytes:
        """The line `index` lines ahead, without taking it."""
        while len(self._ahead) <= index:
            self._ahead.append(self._stream.readline())
        return self._ahead[index]

    def drop_from_first(self, count: int) -> None:
        """Leaves out the first bytes of the next line (a byte order mark)."""
        self._ahead[0] = self._ahead[0][count:]
        self.position += count

    def take_exactly(self, length: int) -> bytes:
        """The next `length` bytes, if a separator or the end follows there; else b"" and nothing is taken.

        Blank lines before the separator are taken too and left out.
        """
        if not 0 < length <= CONTENT_LENGTH_LIMIT:
            return b""
        ahead = b"".join(self._ahead)
        content = ahead + self._stream.read(max(0, length - len(ahead)))
        content, rest = content[:length], content[length:]
        self._ahead = self._split(rest)
        blank = 0
        while blank < 3 and self.peek(blank) in (b"\n", b"\r\n"):
            blank += 1
        line = self.peek(blank)
        ends_line = content.endswith(b"\n") or blank > 0 or not line
        at_end = not line or _is_separator(line, self.peek(blank + 1), after_blank=True)
        if len(content) < length or not ends_line or not at_end:
            self._ahead = self._split(content + b"".join(self._ahead))
            return b""
        self.position += length
        for _ in range(blank):
            self.next()
        return content

    def _split(self, content: bytes) -> deque[bytes]:
        lines = deque(_LINES.findall(content))
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += self._stream.readline()
        return lines
