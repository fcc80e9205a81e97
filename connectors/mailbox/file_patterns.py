"""Which files the paths and patterns of a configuration name, and what a file is that is none of those expected.

Belongs here: paths, patterns, the first bytes of well-known formats. Does not belong here: what mail files hold.
"""

import glob
from collections.abc import Iterable
from pathlib import Path

from connectors.errors import ConfigurationError

_FORMATS = (
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"!BDN", "an Outlook PST or OST file; its type is pst"),
    (b"\xd0\xcf\x11\xe0", "an Outlook .msg file or a document; the type of such mails is msg"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF document"),
    (b"From ", "an mbox file; its type is mbox"),
)


def matches_of(pattern: str) -> list[Path]:
    """What a path or pattern names, by name: files, folders, and links that lead nowhere.

    What exists under the text as it stands is meant, also where it holds signs of a pattern (`mails [old]`).
    """
    literal = Path(pattern)
    if literal.exists() or literal.is_symlink():
        return [literal]
    return [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207


def files_of(patterns: Iterable[str], kind: str) -> list[Path]:
    """The files, each once, in the order of the patterns.

    A link that leads nowhere is among them, so that opening it says so. Of a folder `Inbox.mbox`, as Apple Mail
    exports mailboxes, the file `mbox` in it is meant.

    Raises:
        ConfigurationError: a pattern matches no file; `kind` says of what.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        files = []
        for match in matches_of(pattern):
            one = match / kind if kind == "mbox" and match.is_dir() else match
            if one.is_file() or (one.is_symlink() and not one.exists()):
                files.append(one)
        if not files:
            raise ConfigurationError(
                f"{_none_at(pattern, kind)}; check 'path' in the configuration"
            )
        found.update(dict.fromkeys(files))
    return list(found)


def reason_of(path: Path, error: Exception) -> str:
    """Why a file could not be read, for people."""
    if path.is_symlink() and not path.exists():
        return f"it is a link to {path.readlink()}, which is not there"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def is_instead(head: bytes) -> str:
    """What a file is that begins with these bytes and should be something else (`it is …`, `it begins with …`)."""
    if not head:
        return "it is empty"
    for magic, name in _FORMATS:
        if head.startswith(magic):
            return f"it is {name}"
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    first = head.lstrip().splitlines()[0][:40] if head.strip() else head[:8]
    text = first.decode("utf-8", "ignore")
    if text and text.isprintable():
        return f'it begins with "{text}"'
    return f"it begins with the bytes {head[:8].hex(' ')}"


def _none_at(pattern: str, kind: str) -> str:
    if Path(pattern).is_dir():
        return f"{pattern} is a folder, expected {kind} files, such as {Path(pattern) / '*'}"
    return f"no {kind} file matches {pattern}"
