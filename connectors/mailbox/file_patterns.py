"""Which files the patterns of a configuration name."""

import glob
from collections.abc import Iterable
from pathlib import Path

from connectors.errors import ConfigurationError


def files_of(patterns: Iterable[str], kind: str) -> list[Path]:
    """The files, each once, in the order of the patterns.

    Raises:
        ConfigurationError: a pattern matches no file; `kind` says of what.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207
        files = [match for match in matches if match.is_file()]
        if not files:
            raise ConfigurationError(f"no {kind} file matches {pattern}")
        found.update(dict.fromkeys(files))
    return list(found)
