"""Bytes of mails turned into text, whatever their label says.

Belongs here: charset names as mail programs misspell them, and what to do where the label is wrong or
missing. Does not belong here: headers, MIME parts.
"""

import codecs
import re

_ALIASES = {
    "ansi_x3.110-1983": "latin-1",
    "ansi": "cp1252",
    "x-ansi": "cp1252",
    "cp-850": "cp850",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5hkscs",
    "chinesebig5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "macintosh": "mac_roman",
    "x-mac-roman": "mac_roman",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf-8-mac": "utf-8",
    "utf8mb4": "utf-8",
    "iso-10646-ucs-2": "utf-16",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "us-ascii": "ascii",
    "ansi_x3.4-1968": "ascii",
    "ascii": "ascii",
    "x-unknown": "",
    "unknown-8bit": "",
    "x-user-defined": "",
    "unknown": "",
    "binary": "",
    "8bit": "",
    "_autodetect": "",
    "none": "",
}
"""Label in lower case → Python codec; "" means that the label says nothing. ISO 8859-1 and -9 are read as the
Windows code pages that contain them, as browsers do (WHATWG Encoding): what lies in 0x80-0x9F was meant so."""

_NUMBERED = re.compile(r"(?:cp|windows|win|ms|ibm|x-cp)[-_ ]?(\d{3,5})")
_ISO = re.compile(r"iso[-_ ]?8859[-_ ]?(\d{1,2})")
_WORD = re.compile(rb"[A-Za-z\xc0-\xff]+")
_TURKISH_ONLY = frozenset(b"\xd0\xdd\xde\xf0\xfd\xfe")
_TEXT_CODECS_ONLY = frozenset({"base64", "hex", "quopri", "uu", "zlib", "bz2", "rot13"})


def decode_bytes(data: bytes, label: str | None = None) -> str:
    """Text of bytes: by the label where it fits, else UTF-8, else a Windows code page; never an error.

    Unlabelled (or wrongly labelled) 8-bit text that is no UTF-8 is read as Windows-1254 where it holds letters
    that only Turkish has there, and as Windows-1252 otherwise; the two differ in six letters.
    """
    codec = codec_of(label)
    for candidate in (codec, "utf-8") if codec not in (None, "ascii") else ("utf-8",):
        try:
            return data.decode(str(candidate))
        except (UnicodeError, ValueError):
            continue
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
        name = {"cp65001": "utf-8", "cp28591": "cp1252", "cp936": "gb18030"}.get(name, name)
    elif match := _ISO.fullmatch(name):
        name = _ALIASES.get(f"iso-8859-{int(match[1])}", f"iso-8859-{int(match[1])}")
    elif name.replace("_", "-").startswith(("utf-8", "utf8")):
        name = "utf-8"
    if not name or not name.isascii() or "\x00" in name:
        return None
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return None if info.name in _TEXT_CODECS_ONLY else info.name


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
