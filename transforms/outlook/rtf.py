r"""RTF bodies read: the HTML or the plain text that Outlook wrapped in RTF, else the words of the RTF itself.

Belongs here: RTF in, text out. Does not belong here: its compression (`compressed_rtf`).

One pass without recursion, so that deep nesting costs nothing but memory in proportion to the input.

Source: [MS-OXRTFEX]; Rich Text Format 1.9.1 (charsets, `\uc`, destinations).
"""

import re
from dataclasses import dataclass, field, replace

from transforms.outlook.mapi import codec_of_page, decode8

_TOKEN = re.compile(
    rb"\\([A-Za-z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9A-Fa-f]{2})|\\([^A-Za-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)",
    re.S,
)
_SKIPPED = re.compile(
    r"fonttbl|colortbl|stylesheet|info|pict|header|headerl|headerr|headerf|"
    r"footer|footerl|footerr|footerf|objdata|listtable|listoverridetable|"
    r"revtbl|rsidtbl|generator|xmlnstbl|themedata|colorschememapping|datastore|"
    r"latentstyles|filetbl|template|operator|fldinst|bkmkstart|bkmkend|xe|tc|"
    r"shppict|nonshppict"
)
"""Destinations that hold no words of the text."""

_LETTERS = {
    "tab": "\t",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "endash": "–",
    "emdash": "—",
    "emspace": "\u2003",
    "enspace": "\u2002",
    "par": "\n",
    "line": "\n",
    "sect": "\n",
    "page": "\n",
    "row": "\n",
    "cell": "\t",
}
_SYMBOLS = {b"~": "\u00a0", b"_": "\u2011", b"\r": "\n", b"\n": "\n"}
_CHARSETS = {
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    134: "gb18030",
    136: "big5hkscs",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}
"""`\\fcharset` → codec; the others (0 ANSI, 1 default, 2 symbols) leave the document's own."""


@dataclass(frozen=True, slots=True)
class RtfBody:
    """What an RTF holds: `html` where it was made from HTML, else `text`; `is_encapsulated` where from either."""

    text: str
    is_html: bool
    is_encapsulated: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """What a `{` saves and a `}` brings back."""

    is_skipped: bool = False
    is_tag: bool = False
    is_hidden: bool = False
    is_font_table: bool = False
    skip_after_unicode: int = 1
    font: int | None = None


@dataclass(slots=True)
class _State:
    """The reader's place."""

    is_html: bool
    codec: str = "cp1252"
    group: _Group = field(default_factory=_Group)
    stack: list[_Group] = field(default_factory=list)
    fonts: dict[int, str] = field(default_factory=dict)
    default_font: int | None = None
    out: list[str] = field(default_factory=list)
    pending: bytearray = field(default_factory=bytearray)
    pending_codec: str = ""
    to_skip: int = 0
    is_star: bool = False
    """Whether `\\*` was just met: the next word names a destination that may be passed over."""

    @property
    def is_shown(self) -> bool:
        group = self.group
        if group.is_skipped:
            return False
        return group.is_tag or not (self.is_html and group.is_hidden)

    def add_bytes(self, data: bytes) -> None:
        """8-bit text; neighbours of one code page are decoded together, since a letter may have two bytes."""
        data, self.to_skip = data[self.to_skip :], max(0, self.to_skip - len(data))
        if not data or not self.is_shown:
            return
        font = self.group.font if self.group.font is not None else self.default_font
        codec = (
            self.codec if self.group.is_tag or font is None else self.fonts.get(font, self.codec)
        )
        if codec != self.pending_codec:
            self.flush()
            self.pending_codec = codec
        self.pending += data

    def add_text(self, text: str) -> None:
        if self.to_skip:
            self.to_skip -= 1
        elif self.is_shown:
            self.flush()
            self.out.append(text)

    def flush(self) -> None:
        if self.pending:
            self.out.append(decode8(bytes(self.pending), self.pending_codec))
            self.pending.clear()


def read_rtf(data: bytes) -> RtfBody:
    """The body in an RTF document; any bytes give a body, an empty one where there are no words.

    Args:
        data: the RTF, decompressed.
    """
    head = data[:4096]
    is_html, is_text = b"\\fromhtml" in head, b"\\fromtext" in head
    state = _State(is_html)
    position = 0
    while (match := _TOKEN.match(data, position)) is not None:
        position = match.end()
        word, number, code, symbol, brace, text = match.groups()
        if word is not None:
            value = int(number) if number is not None else None
            if word == b"bin":
                position += min(max(value or 0, 0), len(data))
            else:
                _read_word(word.decode("ascii"), value, state)
        elif brace is not None:
            _read_brace(brace, state)
        elif code is not None:
            state.add_bytes(bytes([int(code, 16)]))
        elif symbol is not None:
            _read_symbol(symbol, state)
        elif text is not None:
            state.add_bytes(text)
    state.flush()
    joined = "".join(state.out)
    safe = joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    safe = safe.rstrip("\x00")
    return RtfBody(safe, is_html, is_html or is_text)


def _read_brace(brace: bytes, state: _State) -> None:
    state.to_skip, state.is_star = 0, False
    if brace == b"{":
        state.stack.append(state.group)
    elif state.stack:
        state.group = state.stack.pop()


def _read_symbol(symbol: bytes, state: _State) -> None:
    if symbol == b"*":
        state.is_star = True
    elif symbol in b"{}\\":
        state.add_bytes(symbol)
    elif symbol in _SYMBOLS:
        state.add_text(_SYMBOLS[symbol])


def _read_word(word: str, value: int | None, state: _State) -> None:
    is_star, state.is_star = state.is_star, False
    if word == "u" and value is not None:
        if state.to_skip:
            state.to_skip -= 1
            return
        state.add_text(chr(value % 0x10000))
        state.to_skip = state.group.skip_after_unicode
    elif word in _LETTERS:
        state.add_text(_LETTERS[word])
    elif is_star or _SKIPPED.fullmatch(word) or (state.is_html and word == "pntext"):
        is_tag = word == "htmltag" and state.is_html and not state.group.is_skipped
        state.group = replace(
            state.group,
            is_tag=is_tag,
            is_skipped=not is_tag,
            is_font_table=word == "fonttbl",
        )
    else:
        _read_setting(word, value, state)


def _read_setting(word: str, value: int | None, state: _State) -> None:
    if word == "htmlrtf":
        state.group = replace(state.group, is_hidden=value != 0)
    elif word == "uc" and value is not None:
        state.group = replace(state.group, skip_after_unicode=min(max(value, 0), 100))
    elif word in ("f", "af") and value is not None:
        if word == "f" or state.group.is_font_table:
            state.group = replace(state.group, font=value)
    elif word == "plain":
        state.group = replace(state.group, font=None)
    elif word == "fcharset" and state.group.is_font_table and state.group.font is not None:
        if value in _CHARSETS:
            state.fonts[state.group.font] = _CHARSETS[value]
    elif word == "ansicpg":
        state.codec = codec_of_page(value) or state.codec
    elif word == "deff":
        state.default_font = value
    elif word == "mac" and state.codec == "cp1252":
        state.codec = "mac_roman"
