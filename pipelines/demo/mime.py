"""Mails as bytes, written by hand so that every oddity of real mail programs can be made on purpose.

Belongs here: headers, encodings, parts. Does not belong here: who writes what to whom.

Lines end with LF; `with_crlf` makes what goes over a wire. Source: RFC 5322, 2045-2047, 2231.
"""

import binascii
from base64 import b64encode, encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Part:
    """A MIME entity: its own headers and its encoded body, which ends with a line end."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


def text_part(text: str, subtype: str, charset: str, encoding: str) -> Part:
    """A text in a charset and a transfer encoding (`7bit`, `8bit`, `quoted-printable`, `base64`).

    What the charset does not have falls back to UTF-8, as mail programs do.
    """
    try:
        data = text.encode(charset)
    except UnicodeEncodeError:
        charset, data = "utf-8", text.encode("utf-8")
        encoding = "quoted-printable" if encoding == "7bit" else encoding
    if not data.endswith(b"\n"):
        data += b"\n"
    if encoding == "quoted-printable":
        data = binascii.b2a_qp(data, istext=True)
    elif encoding == "base64":
        data = encodebytes(data)
    return Part(
        (
            ("Content-Type", f"text/{subtype}; charset={charset}"),
            ("Content-Transfer-Encoding", encoding),
        ),
        data,
    )


def file_part(
    name: str,
    media_type: str,
    content: bytes,
    *,
    content_id: str | None = None,
    old_style: bool = False,
) -> Part:
    """An attachment, or with `content_id` a picture shown in the text. `old_style` hides the name in RFC 2047 words."""
    if name.isascii():
        named = f'filename="{name}"'
    elif old_style:
        named = f'filename="{encoded_word(name, "utf-8")}"'
    else:
        named = f"filename*=utf-8''{quote(name)}"
    disposition = "inline" if content_id else "attachment"
    headers = [
        ("Content-Type", media_type),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f"{disposition};\n {named}"),
    ]
    if content_id:
        headers.append(("Content-ID", f"<{content_id}>"))
    return Part(tuple(headers), encodebytes(content))


def raw_part(content_type: str, body: bytes) -> Part:
    """A part whose body is given as it is, for instance a delivery report."""
    return Part((("Content-Type", content_type),), body)


def multipart(subtype: str, parts: Sequence[Part], boundary: str, parameter: str = "") -> Part:
    """Several parts in one. `parameter` is added to the content type (`; type=…`)."""
    pieces = [b"--%s\n%s\n%s" % (boundary.encode(), _lines(one.headers), one.body) for one in parts]
    body = b"\n".join(pieces) + b"\n--%s--\n" % boundary.encode()
    kind = f'multipart/{subtype}; boundary="{boundary}"{parameter}'
    return Part((("Content-Type", kind),), body)


def message(headers: Headers, content: Part) -> bytes:
    """The whole mail: its headers, then the content's, then the body."""
    mime = [("MIME-Version", "1.0"), *content.headers]
    return _lines(headers) + _lines(mime) + b"\n" + content.body


def encoded_words(text: str, charset: str) -> str:
    """A header text: as it is where it is ASCII, else as folded RFC 2047 words."""
    if text.isascii():
        return fold(text)
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    words, chunk = [], ""
    for letter in text:
        if len((chunk + letter).encode(charset)) > 39:
            words.append(encoded_word(chunk, charset))
            chunk = ""
        chunk += letter
    return "\n ".join([*words, encoded_word(chunk, charset)])


def encoded_word(text: str, charset: str) -> str:
    """One RFC 2047 word in base64."""
    return f"=?{charset}?B?{b64encode(text.encode(charset)).decode()}?="


def fold(text: str, width: int = 72) -> str:
    """An ASCII header text folded at blanks; what has no blank stays long."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n ".join([*lines, line])


def address(name: str, email: str, charset: str = "utf-8") -> str:
    """`Name <email>`, the name quoted or encoded as it needs."""
    if not name:
        return email
    if not name.isascii():
        return f"{encoded_words(name, charset)} <{email}>"
    if any(letter in name for letter in "()<>[]:;@\\,.\"'=|/!"):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{email}>'
    return f"{name} <{email}>"


def with_crlf(mail: bytes) -> bytes:
    """The mail with the line ends of RFC 5322."""
    return mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _lines(headers: Headers) -> bytes:
    # surrogateescape lets a raw eight-bit header through, as broken mail programs send it.
    return b"".join(
        f"{name}: {value}\n".encode("utf-8", "surrogateescape") for name, value in headers
    )
