"""Outlook's `.msg` files as a source: a folder with all folders below it, single files, or a pattern.

Belongs here: which files are read. Does not belong here: what they hold (`transforms.outlook`): the file's bytes are
the record.
"""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.errors import ConfigurationError
from connectors.mailbox.maildir import EmlSource, MailFile


class MsgSource(EmlSource):
    """`.msg` files."""

    kind = "folder of .msg files"
    suffix = ".msg"
    media_type = "application/vnd.ms-outlook"

    def _folders(self) -> dict[str, list[Path]]:
        if self._root.is_dir():
            return super()._folders()
        matches = self._matches()
        if not matches:
            raise ConfigurationError(f"no .msg file matches {self._root}")
        return {parent.as_posix(): [parent] for parent in sorted({each.parent for each in matches})}

    def _files(self, folder: str, directories: Sequence[Path]) -> Iterator[MailFile]:
        files = super()._files(folder, directories)
        if self._root.is_dir():
            return files
        matches = self._matches()
        return (file for file in files if file.path in matches)

    def _matches(self) -> frozenset[Path]:
        found = map(Path, glob.glob(str(self._root), recursive=True))  # noqa: PTH207
        return frozenset(path for path in found if path.suffix.lower() == self.suffix)
