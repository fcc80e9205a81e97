"""Bytes of mails turned into text, whatever their label says.

Belongs here: charset names as mail programs misspell them, and what to do where the label is wrong or
missing. Does not belong here: headers, MIME parts.
"""

import codecs
import re

_ALIASES = {
    **dict.fromkeys(("ansi", "x-ansi", "ansi_x3.110-1983", "windows-latin1"), "cp1252"),
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e", "logical", "visual"), "iso-8859-8"),
    **dict.fromkeys(("iso-8859-6-i", "iso-8859-6-e"), "iso-8859-6"),
    **dict.fromkeys(("ks_c_5601-1987", "ks_c_5601-1989", "ks_c_5601", "ksc5601"), "cp949"),
    **dict.fromkeys(("korean", "x-euc-kr", "csksc56011987", "ks_x_1001"), "cp949"),
    **dict.fromkeys(("x-gbk", "gb_2312-80", "gb2312-80", "cn-gb", "x-gb2312"), "gb18030"),
    **dict.fromkeys(("gb18030-2000", "gb18030-2005", "chinese", "csgb2312"), "gb18030"),
    **dict.fromkeys(("hz-gb-2312", "hz-gb"), "hz"),
    **dict.fromkeys(("chinesebig5", "x-x-big5", "cn-big5", "big5-eten", "x-big5"), "big5hkscs"),
    **dict.fromkeys(("x-sjis", "sjis", "ms_kanji", "windows-31j", "cswindows31j"), "cp932"),
    **dict.fromkeys(("x-ms-cp932", "cp943", "cp943c", "shift_jisx0213", "shiftjis"), "cp932"),
    **dict.fromkeys(("x-euc-jp", "euc-jp-ms", "eucjp-ms", "eucjpms", "cp51932"), "euc_jp"),
    **dict.fromkeys(("iso-2022-jp", "csiso2022jp", "iso-2022-jp-ms"), "iso2022_jp_ext"),
    **dict.fromkeys(("cp50220", "cp50221", "cp50222", "jis"), "iso2022_jp_ext"),
    **dict.fromkeys(("macintosh", "mac", "x-mac-roman"), "mac_roman"),
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ukrainian": "mac_cyrillic",
    "x-mac-ce": "mac_latin2",
    "x-mac-greek": "mac_greek",
    "x-mac-turkish": "mac_turkish",
    "x-mac-icelandic": "mac_iceland",
    "koi8-ru": "koi8_u",
    "koi": "koi8_r",
    "koi8": "koi8_r",
    "tis-620": "cp874",
    "dos-874": "cp874",
    **dict.fromkeys(("unicode-1-1-utf-7", "x-unicode-2-0-utf-7", "csunicode11utf7"), "utf-7"),
    **dict.fromkeys(
        ("unicode-1-1-utf-8", "utf-8-mac", "utf8mb3", "utf8mb4", "unicode-2-0-utf-8"), "utf-8"
    ),
    **dict.fromkeys(("iso-10646-ucs-2", "ucs-2", "unicode", "csunicode"), "utf-16"),
    **dict.fromkeys(("iso-10646-ucs-4", "ucs-4"), "utf-32"),
    **dict.fromkeys(("us-ascii", "ascii", "ansi_x3.4-1968", "ansi_x3.4-1986", "us"), "ascii"),
    **dict.fromkeys(("iso646-us", "iso_646.irv:1991", "7bit"), "ascii"),
    **dict.fromkeys(("x-unknown", "unknown-8bit", "x-user-defined", "unknown", "binary"), ""),
    **dict.fromkeys(
        ("8bit", "_autodetect", "_autodetect_all", "none", "default", "default_charset"), ""
    ),
}
"""Label in lower case → Python codec; "" means that the label says nothing."""

_WIDER = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift_jis_2004": "cp932",
    "shift_jisx0213": "cp932",
    "iso2022_jp": "iso2022_jp_ext",
}
"""Codec → one that reads the same and more. ISO 8859-1 and -9 are read as the Windows code pages that contain
them, as browsers do (WHATWG Encoding): what lies in 0x80-0x9F was meant so."""

_KIN = {
    "iso2022_jp_ext": ("cp932", "euc_jp"),
    "iso2022_jp_2004": ("cp932", "euc_jp"),
    "iso2022_kr": ("cp949",),
    "hz": ("gb18030",),
    "euc_jp": ("cp932",),
    "cp932": ("euc_jp",),
}
"""What text is likely to be in that does not fit its label: its writers mix these up."""

_JIS_ESCAPE = re.compile(rb"\x1b(\$[@B]|\$\([@BD]|\([BJI])")
_PAGES = {
    "cp65000": "utf-7",
    "cp65001": "utf-8",
    "cp28591": "cp1252",
    "cp28599": "cp1254",
    "cp936": "gb18030",
    "cp54936": "gb18030",
    "cp51949": "cp949",
    "cp20127": "ascii",
    "cp20866": "koi8_r",
    "cp21866": "koi8_u",
    "cp950": "big5hkscs",
    "cp10000": "mac_roman",
    "cp31": "cp932",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "cp50222": "iso2022_jp_ext",
    "cp51932": "euc_jp",
}

_NUMBERED = re.compile(r"(?:x-)?(?:cp|windows|win|ms|ibm)[-_ ]?(\d{3,5})")
_ISO = re.compile(r"iso[-_ ]?8859[-_ ]?(\d{1,2})")
_WORD = re.compile(rb"[A-Za-z\xc0-\xff]+")
_TURKISH_ONLY = frozenset(b"\xd0\xdd\xde\xf0\xfd\xfe")
_NO_CHARSETS = frozenset(
    {"base64", "hex", "quopri", "uu", "zlib", "bz2", "rot-13", "idna", "punycode", "undefined"}
    | {"unicode-escape", "raw-unicode-escape", "mbcs", "oem", "charmap"}
)


def decode_bytes(data: bytes, label: str | None = None) -> str:
    """Text of bytes: by the label where it fits, else UTF-8, else a Windows code page; never an error.

    Unlabelled (or wrongly labelled) 8-bit text that is no UTF-8 is read as Windows-1254 where it holds letters
    that only Turkish has there, and as Windows-1252 otherwise; the two differ in six letters.
    """
    codec = codec_of(label)
    if codec in (None, "ascii") and b"\x1b$" in data:
        codec = "iso2022_jp_ext"  # 7-bit Japanese does not need a label to be told
    elif codec is not None and codec[:6] in ("utf-16", "utf-32") and b"\x00" not in data:
        codec = "utf-8"  # the label is of a text that was converted later
    candidates = ("utf-8",) if codec in (None, "ascii") else (codec, "utf-8", *_KIN.get(codec, ()))
    if codec == "iso2022_jp_ext" and data.isascii():
        candidates = (codec,)  # 7-bit data would be valid UTF-8 with its escapes left in
    for candidate in candidates:
        try:
            return data.decode(candidate)
        except (UnicodeError, ValueError):
            continue
    if codec == "iso2022_jp_ext":
        return _decode_jis(data)
    if codec is not None and codec not in ("ascii", "utf-8") and not _is_single_byte(codec):
        return data.decode(codec, "replace")
    if codec in (None, "utf-8") and _is_mostly_utf8(data):
        return data.decode("utf-8", "replace")
    fallback = codec if codec and _is_single_byte(codec) else _windows_page(data)
    return data.decode(fallback, "replace")


def codec_of(label: str | None) -> str | None:
    """The Python codec for a charset label as found in mails; None where the label is unknown or says nothing."""
    if not label:
        return None
    name = label.strip().strip("'\"").lower().split("*", 1)[0]
    name = _ALIASES.get(name, name)
    if match := _NUMBERED.fullmatch(name):
        name = f"cp{match[1]}"
        name = _PAGES.get(name, name)
    elif match := _ISO.fullmatch(name):
        name = f"iso-8859-{int(match[1])}"
    elif name.replace("_", "-").startswith(("utf-8", "utf8")):
        name = "utf-8"
    if not name or not name.isascii() or "\x00" in name:
        return None
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return None if info.name in _NO_CHARSETS else _WIDER.get(info.name, info.name)


def _decode_jis(data: bytes) -> str:
    """ISO-2022-JP with what Windows adds to it (① ㈱, half-width kana), which the strict codec refuses.

    Each piece is shifted into the code page that has the same characters. Source: Microsoft code pages 50220-50222.
    """
    out: list[str] = []
    mode = b"(B"
    for index, piece in enumerate(_JIS_ESCAPE.split(data)):
        if index % 2:
            mode = piece
        elif mode == b"(I":
            out.append(bytes(byte | 0x80 for byte in piece).decode("cp932", "replace"))
        elif mode == b"$(D":
            out.append(
                b"".join(b"\x8f%c%c" % pair for pair in _pairs(piece)).decode("euc_jp", "replace")
            )
        elif mode[:1] == b"$":
            for line_end in re.split(rb"([\r\n]+)", piece):
                is_break = line_end[:1] in (b"\r", b"\n")
                out.append(line_end.decode() if is_break else _jis_row(line_end))
        else:
            out.append(piece.decode("cp932", "replace"))
    return "".join(out)


def _pairs(piece: bytes) -> list[tuple[int, int]]:
    return [(high | 0x80, low | 0x80) for high, low in zip(piece[::2], piece[1::2], strict=False)]


def _jis_row(piece: bytes) -> str:
    """Two-byte JIS as Shift JIS."""
    shifted = bytearray()
    for high, low in zip(piece[::2], piece[1::2], strict=False):
        row, cell = (high & 0x7F) - 0x21, (low & 0x7F) - 0x21
        lead = (row >> 1) + (0x81 if row < 0x3E else 0xC1)
        trail = cell + (0x9F if row & 1 else 0x40 if cell < 0x3F else 0x41)
        shifted += bytes((lead & 0xFF, trail & 0xFF))
    return shifted.decode("cp932", "replace")


def _is_single_byte(codec: str) -> bool:
    return codec.startswith(("cp12", "cp8", "cp4", "iso8859", "koi8", "mac", "latin", "tis"))


def _is_mostly_utf8(data: bytes) -> bool:
    """Whether UTF-8 with a few broken bytes is likelier than a code page: most 8-bit bytes decode."""
    broken = data.decode("utf-8", "replace").count("\ufffd")
    high = sum(byte >= 0x80 for byte in data)
    return broken * 4 <= high


def _windows_page(data: bytes) -> str:
    """Windows-1254 where most words with letters that only Turkish has there are Latin otherwise, else -1252."""
    words = [word for word in _WORD.findall(data) if not _TURKISH_ONLY.isdisjoint(word)]
    latin = sum(re.search(rb"[A-Za-z]", word) is not None for word in words)
    return "cp1254" if words and 2 * latin >= len(words) else "cp1252"
