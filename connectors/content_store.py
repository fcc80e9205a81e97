"""Files by the sha256 of their content: a folder by default, an object store by URL.

Belongs here: putting content in, once, and giving it back. Does not belong here: what the content belongs to, and
who may see it.

A file lies under `client/ab/ab12…`. It appears there whole or not at all: it is written under a name of its own
and then renamed, so that a killed writer leaves nothing that looks like content. The name comes from the content
alone, never from what a sender called it.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.errors import ConfigurationError, DataError, UnavailableError

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
PIECE = 1 << 20
"""Bytes that are held in memory at once."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was put in: its name, how large it is, whether it was there before."""

    sha256: str
    size_bytes: int
    was_there: bool


class TooLargeError(DataError):
    """The content is larger than is taken in."""


class ContentStore:
    """One client's files.

    Args:
        place: a folder, or a URL that fsspec knows (`s3://bucket/prefix`, `gs://…`, `memory://…`).
        client_key: whose; part of every path, so that clients never share a file.

    Raises:
        ConfigurationError: the URL's protocol needs a package that is not installed.
    """

    def __init__(self, place: str | Path, client_key: str) -> None:
        """Makes nothing yet."""
        self._files, root = _file_system(str(place))
        self._root = f"{root.rstrip('/')}/{client_key}"
        self._is_local = "://" not in str(place)

    def put(self, pieces: Iterable[bytes], *, most_bytes: int | None = None) -> Stored:
        """Stores content that comes in pieces.

        Raises:
            TooLargeError: more than `most_bytes` came; nothing is kept.
            UnavailableError: the store cannot be written (full disk, no permission, not reached).
        """
        digest, size = hashlib.sha256(), 0
        temporary = f"{self._root}/incoming/{uuid.uuid4().hex}"
        try:
            self._files.makedirs(f"{self._root}/incoming", exist_ok=True)
            with self._files.open(temporary, "wb") as file:
                for piece in pieces:
                    size += len(piece)
                    if most_bytes is not None and size > most_bytes:
                        raise TooLargeError(f"more than {most_bytes} bytes")
                    digest.update(piece)
                    file.write(piece)
                if self._is_local:
                    file.flush()
                    os.fsync(file.fileno())
            return self._take_in(temporary, digest.hexdigest(), size)
        except OSError as error:
            raise UnavailableError(
                f"attachments cannot be stored under {self._root}: {error.strerror or error}"
            ) from error
        finally:
            with suppress(OSError):
                self._files.rm(temporary)

    def _take_in(self, temporary: str, sha256: str, size: int) -> Stored:
        path = self._path(sha256)
        was_there = bool(self._files.exists(path))
        if not was_there:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.mv(temporary, path)
        return Stored(sha256, size, was_there)

    def has(self, sha256: str) -> bool:
        """Whether the content is here."""
        return bool(self._files.exists(self._path(sha256)))

    def delete(self, sha256: str) -> bool:
        """Takes content away; false where it is not here. Whoever calls knows that nothing refers to it.

        Raises:
            UnavailableError: the store cannot be written.
        """
        path = self._path(sha256)
        if not self._files.exists(path):
            return False
        try:
            self._files.rm(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnavailableError(
                f"content {sha256} under {self._root} cannot be deleted: {error.strerror or error}"
            ) from error
        return True

    def read(self, sha256: str) -> Iterator[bytes]:
        """The content, in pieces.

        Raises:
            DataError: it is not here.
        """
        try:
            with self._files.open(self._path(sha256), "rb") as file:
                while piece := file.read(PIECE):
                    yield piece
        except FileNotFoundError:
            raise DataError(f"no content {sha256} under {self._root}") from None

    def _path(self, sha256: str) -> str:
        if not _SHA256.match(sha256):
            raise ValueError(f"not a sha256: {sha256[:70]!r}")
        return f"{self._root}/{sha256[:2]}/{sha256}"


def _file_system(place: str) -> tuple[Any, str]:
    import fsspec

    try:
        return fsspec.core.url_to_fs(place if "://" in place else str(Path(place).absolute()))
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"attachments: {place}: {error}") from None
