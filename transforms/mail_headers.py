"""Header fields of mails made readable: encoded words, 8-bit text, Message-IDs.

Belongs here: one field's raw text in, one value out, never an error. Does not belong here: MIME structure, what
a mail means.
"""

import base64
import quopri
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from transforms.mail_charsets import codec_of, decode_bytes
from transforms.text import one_line

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_ENCODED_WORD = re.compile(r"=\?[ \t]?([^?\s]*)[ \t]?\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*)*)\?=")
_CUT_WORD = re.compile(r"=\?([A-Za-z0-9_-]{3,40})\?([bBqQ])\?([^?\s]{1,200})$")
_ID = re.compile(r"<([^<>]*)>")
_NOT_IN_ID = re.compile(r"[\s<>,;\"()]+")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/\s]|[A-Za-z]\s+[A-Za-z]+\s+[a-z]+\s")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_ID_LIMIT = 990
"""Longer ids are cut: RFC 5322 lines end at 998."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A name and an address. `address` is lower case, "" where there was only a name."""

    name: str
    address: str


def unfold(raw: str) -> str:
    """A header's value on one line, as the parser gave it (8-bit bytes as surrogate escapes)."""
    return _FOLD.sub("", raw).replace("\r", " ").replace("\n", " ").strip()


def decode_text(raw: str, charset: str | None = None) -> str:
    """An unstructured header for people: encoded words and 8-bit text decoded, on one line.

    Args:
        raw: the value as the parser gave it.
        charset: what 8-bit text is taken for if it is no UTF-8 (the body's charset is a good guess).

    Source: RFC 2047; words in the middle of text, with blanks inside or split in the middle of a letter are
    read too, as mail programs send them.
    """
    text = unfold(raw)
    if "=?" not in text and text.isascii():
        return one_line(text)
    return one_line(_decode_words(text, charset))


def _decode_words(text: str, charset: str | None) -> str:
    out: list[str] = []
    waiting: list[tuple[str, bytes]] = []
    end = 0
    for match in _ENCODED_WORD.finditer(text):
        between = text[end : match.start()]
        if between.strip() or not waiting:
            out.append(_joined(waiting))
            waiting = []
            out.append(_plain(between, charset))
        waiting.append((match[1].split("*", 1)[0], _word_bytes(match[2], match[3])))
        end = match.end()
    rest = text[end:]
    cut = _CUT_WORD.search(rest[-300:]) if "=?" in rest else None
    if cut and codec_of(cut[1]):
        # Somebody cut the header at a fixed length, in the middle of a word.
        rest = rest[: len(rest) - len(cut[0])]
        if rest.strip() or not waiting:
            out += [_joined(waiting), _plain(rest, charset)]
            waiting = []
        waiting.append((cut[1], _word_bytes(cut[2], cut[3])))
        rest = ""
    out.append(_joined(waiting))
    out.append(_plain(rest, charset))
    return "".join(out)


def _joined(words: list[tuple[str, bytes]]) -> str:
    """Neighbouring words of one charset are decoded together: some writers split a letter between them."""
    out: list[str] = []
    index = 0
    while index < len(words):
        label, data = words[index]
        index += 1
        while index < len(words) and words[index][0].lower() == label.lower():
            data += words[index][1]
            index += 1
        out.append(decode_bytes(data, label))
    return "".join(out)


def raw_bytes(text: str) -> bytes:
    """The bytes of text whose 8-bit bytes are surrogate escapes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _word_bytes(encoding: str, content: str) -> bytes:
    data = raw_bytes(content)
    if encoding in "qQ":
        return quopri.decodestring(data.replace(b"_", b" ").replace(b"\n", b""), header=False)
    return decode_base64(data)


def decode_base64(data: bytes) -> bytes:
    """Base64 with anything that does not belong there left out and missing padding supplied.

    Padding ends the data, unless only more base64 follows: list servers put plain text behind it.
    """
    pieces: list[bytes] = []
    for piece in data.split(b"="):
        if pieces and _FOREIGN.search(piece):
            break
        clean = _NOT_BASE64.sub(b"", piece)
        if len(clean) % 4 == 1:
            clean = clean[:-1]
        pieces.append(base64.b64decode(clean + b"=" * (-len(clean) % 4)))
    return b"".join(pieces)


def _plain(text: str, charset: str | None) -> str:
    if not _has_escapes(text):
        return text
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode()  # RFC 6532: 8-bit text in headers is UTF-8, whatever the body is in
    except UnicodeDecodeError:
        return decode_bytes(data, charset)


def _has_escapes(text: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in text) and _encodable(text)


def _encodable(text: str) -> bool:
    return not any(
        "\ud800" <= letter <= "\udc7f" or "\udd00" <= letter <= "\udfff" for letter in text
    )


def parse_ids(raw: str) -> tuple[str, ...]:
    """Message-IDs of a header, cleaned, as `<…>`, in order, each once.

    Blanks inside an id (broken folding) go; text around ids is left out. Without any `<…>`, words with an `@`
    are taken.
    """
    text = decode_text(raw) if "=?" in raw else unfold(raw)
    found = [re.sub(r"\s+", "", each) for each in _ID.findall(text)]
    if not any(found):
        found = [word for word in _NOT_IN_ID.split(text) if "@" in word.strip("@")]
    return tuple(dict.fromkeys(f"<{_safe_id(each)}>" for each in found if each))


def parse_message_id(raw: str) -> str | None:
    """The one id of a Message-ID header; a bare word is taken as it is. None where there is none."""
    ids = parse_ids(raw)
    if ids:
        return ids[0]
    word = "".join(unfold(raw).strip("<>").split())
    return f"<{_safe_id(word)}>" if word else None


def _safe_id(text: str) -> str:
    return one_line(
        text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if _encodable(text)
        else text
    )[:_ID_LIMIT]
