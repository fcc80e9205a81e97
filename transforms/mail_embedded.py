"""What is hidden inside of a mail's parts: files written into the text, and mails inside of S/MIME signatures.

Belongs here: uuencode and yEnc blocks in plain text, the content of a CMS SignedData. Does not belong here: MIME,
checking of signatures, decryption.
"""

import re
from dataclasses import dataclass
from typing import Literal

from transforms.mail_mime import decode_uu_lines
from transforms.text import one_line

_UU_BEGIN = re.compile(r"^begin(?:-base64)? [0-7]{3,4} ([^\n]{1,255})\n", re.M)
_UU_LINE = re.compile(r"[ -`]{1,90}[ ]*")
_Y_BEGIN = re.compile(rb"^=ybegin ([^\r\n]{1,500})\r?\n(?:=ypart [^\r\n]{1,200}\r?\n)?", re.M)
_Y_END = re.compile(rb"^=yend[^\r\n]*\r?\n?", re.M)
_Y_ESCAPE = re.compile(rb"=(.)", re.S)
_Y_TEXT = re.compile(r"^=ybegin [^\n]*\n.*?^=yend[^\n]*\n?", re.M | re.S)
_Y_SHIFT = bytes((value - 42) % 256 for value in range(256))
_MIN_UNENDED_LINES = 3
"""Lines of a uuencoded file that a missing `end` must not hide: fewer may be prose."""

FILES_LIMIT = 1_000
"""Most files that are taken out of one text."""

_SIGNED_DATA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
_CMS_DEPTH = 12


@dataclass(frozen=True, slots=True)
class EmbeddedFile:
    """A file that was written into a text."""

    file_name: str
    content: bytes
    encoding: Literal["uuencode", "yenc"]


def take_files(text: str, content: bytes) -> tuple[str, list[EmbeddedFile]]:
    """The text without the files that are written into it, and these files.

    Args:
        text: the decoded text.
        content: the bytes that it was decoded from; yEnc is told from these.

    Source: POSIX uuencode; yEnc draft 1.3 (yenc.org).
    """
    files: list[EmbeddedFile] = []
    if b"=ybegin " in content:
        found = _yenc_files(content)
        if found:
            files += found
            text = _Y_TEXT.sub("", text.replace("\r\n", "\n"))
    if "begin " in text:
        text = _take_uu(text.replace("\r\n", "\n"), files)
    return text, files


def _take_uu(text: str, files: list[EmbeddedFile]) -> str:
    kept: list[str] = []
    position = 0
    while len(files) < FILES_LIMIT and (match := _UU_BEGIN.search(text, position)):
        lines, after = _uu_block(text, match.end())
        if lines is None:
            kept.append(text[position : match.end()])
        else:
            kept.append(text[position : match.start()])
            content = decode_uu_lines(line.encode("ascii") for line in lines)
            files.append(EmbeddedFile(one_line(match[1]), content, "uuencode"))
        position = after
    kept.append(text[position:])
    return "".join(kept)


def _uu_block(text: str, start: int) -> tuple[list[str] | None, int]:
    """The data lines from here to `end` and where the text goes on; None where this is no such block."""
    lines: list[str] = []
    position = start
    while position < len(text):
        stop = text.find("\n", position)
        stop = len(text) if stop < 0 else stop
        line = text[position:stop]
        if line.rstrip() == "end":
            return lines, min(stop + 1, len(text))
        if line.strip() and not _is_uu(line):
            break
        lines.append(line)
        position = stop + 1
    data = sum(_is_uu(line) and len(line) > 1 for line in lines)
    return (lines, min(position, len(text))) if data >= _MIN_UNENDED_LINES else (None, start)


def _is_uu(line: str) -> bool:
    """Whether a line is as long as its first letter says, give or take padding and blanks lost at its end."""
    if not _UU_LINE.fullmatch(line):
        return False
    wanted = -(-((ord(line[0]) - 32) & 63) // 3) * 4
    return len(line.rstrip()) - 1 <= wanted + 2 and (len(line) - 1 >= wanted - 3 or wanted == 0)


def _yenc_files(content: bytes) -> list[EmbeddedFile]:
    files: list[EmbeddedFile] = []
    position = 0
    while len(files) < FILES_LIMIT and (begin := _Y_BEGIN.search(content, position)):
        end = _Y_END.search(content, begin.end())
        if end is None:
            break
        data = content[begin.end() : end.start()].replace(b"\r", b"").replace(b"\n", b"")
        data = _Y_ESCAPE.sub(lambda pair: bytes([(pair[1][0] - 64) % 256]), data)
        _, _, name = begin[1].partition(b"name=")
        label = one_line(name.decode("utf-8", "replace"))
        files.append(EmbeddedFile(label, data.translate(_Y_SHIFT), "yenc"))
        position = end.end()
    return files


def signed_content(data: bytes) -> bytes | None:
    """The content that an S/MIME message (`application/pkcs7-mime`) signs; None where it is something else.

    The signature is not checked. Source: RFC 5652 §5, X.690 (BER).
    """
    try:
        if data[:1] != b"\x30":
            return None
        _, kind, _ = _element(data, 0)  # ContentInfo
        _, start, end = _element(data, kind)
        if data[start:end] != _SIGNED_DATA:
            return None
        _, signed, _ = _element(data, _behind(data, kind, 0))  # [0] content
        _, position, _ = _element(data, signed)  # SignedData
        position = _behind(data, position, 0)  # its version
        position = _behind(data, position, 0)  # its digest algorithms
        _, kind, inner_end = _element(data, position)  # encapsulated content: type, [0] octets
        position = _behind(data, kind, 0)
        if (inner_end is not None and position >= inner_end) or data[position] != 0xA0:
            return None
        _, octets, _ = _element(data, position)
        return b"".join(_octets(data, octets, 0)) or None
    except (IndexError, RecursionError):
        return None


def _element(data: bytes, position: int) -> tuple[int, int, int | None]:
    """(tag, where the content starts, where it ends: None for the indefinite form)."""
    tag, length = data[position], data[position + 1]
    start = position + 2
    if length == 0x80:
        return tag, start, None
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > len(data):
        raise IndexError("an element that ends behind the data")
    return tag, start, start + length


def _behind(data: bytes, position: int, depth: int) -> int:
    """Where the next element begins."""
    if depth > _CMS_DEPTH:
        raise IndexError("elements nested too deeply")
    _, start, end = _element(data, position)
    if end is not None:
        return end
    while data[start : start + 2] != b"\x00\x00":
        start = _behind(data, start, depth + 1)
    return start + 2


def _octets(data: bytes, position: int, depth: int) -> list[bytes]:
    """The pieces of an octet string, which may be built of others."""
    tag, start, end = _element(data, position)
    if depth > _CMS_DEPTH or tag & 0x1F != 0x04:
        raise IndexError("no octet string")
    if not tag & 0x20:
        return [data[start:end]]
    pieces: list[bytes] = []
    while (end is None and data[start : start + 2] != b"\x00\x00") or (end or 0) > start:
        pieces += _octets(data, start, depth + 1)
        start = _behind(data, start, depth)
    return pieces
