"""Single mails in files of their own, `.eml`, as a source: a folder with all folders below it, files, or a pattern.

Belongs here: which files are mails, by their ending. Does not belong here: which of them are new (`mail_files`), what
they say (`transforms.mail`).

People overwrite such files, so size and time count as part of the name; one that was only touched comes again under
its id.
"""

from collections import Counter
from pathlib import Path

from connectors.errors import ConfigurationError
from connectors.mailbox.file_patterns import matches_of, reason_of
from connectors.mailbox.mail_files import FilesSource, MailFile, files_in, folders_below, key_of

ENDINGS_SHOWN = 6


class EmlSource(FilesSource):
    """`.eml` files."""

    kind = "folder of mails"
    suffix = ".eml"

    def _listed(self, unreadable: list[str]) -> dict[str, list[MailFile]]:
        found: dict[str, list[MailFile]] = {}
        for folder, files in self._files(unreadable).items():
            mails = [self._mail_file(file, unreadable) for file in files if self._is_mail(file)]
            if mails:
                found[folder] = [file for file in mails if file is not None]
        if not found and not self._root.is_dir():
            raise ConfigurationError(
                f"no {self.suffix} file matches {self._root}; check 'path' in the configuration"
            )
        return found or {".": []}

    def _files(self, unreadable: list[str]) -> dict[str, list[Path]]:
        """Folder name → all files in it, whatever they are: the path may be a folder, a file or a pattern."""
        if self._root.is_dir():
            return {
                path.relative_to(self._root).as_posix(): files_in(path, unreadable)
                for path in sorted(folders_below(self._root, unreadable))
            }
        found: dict[str, list[Path]] = {}
        for match in matches_of(str(self._root)):
            for path in sorted(folders_below(match, unreadable)) if match.is_dir() else ():
                found.setdefault(path.as_posix(), []).extend(files_in(path, unreadable))
            if not match.is_dir():
                found.setdefault(match.parent.as_posix(), []).append(match)
        return {folder: list(dict.fromkeys(files)) for folder, files in found.items()}

    def _is_mail(self, path: Path) -> bool:
        return path.suffix.lower() == self.suffix

    def _mail_file(self, path: Path, unreadable: list[str]) -> MailFile | None:
        """None: it was taken away since it was listed, or cannot be looked at."""
        try:
            stat = path.stat()
        except OSError as error:
            if not isinstance(error, FileNotFoundError) or path.is_symlink():
                unreadable.append(f"{path}: {reason_of(path, error)}")
            return None
        return MailFile(path, key_of(f"{path.name}\x00{stat.st_size}\x00{stat.st_mtime_ns}"))

    def _passed_over(self) -> str:
        others = Counter(
            file.suffix.lower() or "none"
            for files in self._files([]).values()
            for file in files
            if not self._is_mail(file)
        )
        if not others:
            return ""
        told = ", ".join(f"{name} {count}" for name, count in others.most_common(ENDINGS_SHOWN))
        more = ", …" if len(others) > ENDINGS_SHOWN else ""
        return f"; not read, for they do not end in {self.suffix}: {others.total():,} files ({told}{more})"
