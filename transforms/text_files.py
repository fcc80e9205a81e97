"""File names from outside, made into names that any file system takes and any person reads as they are.

Belongs here: names. Does not belong here: paths, contents.
"""

import re
import unicodedata

NAME_BYTES = 200
"""Most bytes of a safe name in UTF-8: file systems take 255, and tools like to add to a name."""

_DIRECTION = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]+')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.I)
_EXTENSION = re.compile(r"\.[^.\s]{1,20}$")


def safe_file_name(name: str, *, default: str = "file") -> str:
    """A name without path separators, control and direction marks, not reserved anywhere, of bounded length.

    `../../etc/passwd` gives `etc_passwd`, `invoice<U+202E>fdp.exe` gives `invoicefdp.exe`, `CON.txt` gives
    `_CON.txt`. A name of which nothing is left gives `default`.

    Source: Microsoft, "Naming Files, Paths, and Namespaces"; Unicode TR 36 §3.
    """
    text = unicodedata.normalize("NFC", _DIRECTION.sub("", name))
    text = " ".join(_UNSAFE.sub("_", text).split()).lstrip("._ ").rstrip(". ")
    if not text:
        return default
    if _RESERVED.fullmatch(text.partition(".")[0].strip()):
        text = f"_{text}"
    return _shortened(text)


def _shortened(text: str) -> str:
    """At most `NAME_BYTES` long, its extension kept."""
    if len(text.encode()) <= NAME_BYTES:
        return text
    match = _EXTENSION.search(text)
    extension = match[0] if match else ""
    room = NAME_BYTES - len(extension.encode())
    stem = text[: len(text) - len(extension)].encode()[:room].decode("utf-8", "ignore")
    return stem.rstrip(". ") + extension
