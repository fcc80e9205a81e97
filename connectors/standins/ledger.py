"""What a stand-in was told, in order and on disk, so that it can be counted and survives a restart.

Belongs here: the append-only list. Does not belong here: what an entry means to one vendor.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]


class Ledger:
    """Append-only entries: JSON lines in `folder/name.jsonl`, or in memory where no folder is given.

    Each entry has `at` (ISO 8601, by the stand-in's clock), `kind` and whatever fields the stand-in adds
    (JSON values only; bytes are for the stand-in to put into files or base64). One line is one write, so a
    process that is killed leaves at most one torn last line, which is cut off when the ledger is opened again.
    """

    def __init__(
        self, folder: Path | None, now: Callable[[], datetime], name: str = "ledger"
    ) -> None:
        """Opens or creates the ledger; `now` gives aware UTC instants."""
        self._now = now
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._path = None if folder is None else folder / f"{name}.jsonl"
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(self._path)

    def append(self, kind: str, **fields: Any) -> Entry:
        """Adds one entry and returns it; it is on disk (or in memory) when the call returns."""
        entry = {"at": self._now().isoformat(), "kind": kind, **fields}
        with self._lock:
            if self._path is None:
                self._entries.append(entry)
            else:
                line = json.dumps(entry, separators=(",", ":")) + "\n"
                with self._path.open("ab", buffering=0) as file:
                    file.write(line.encode("ascii"))
        return entry

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """All entries, oldest first, or those of one kind. Read from disk a line at a time."""
        if self._path is None:
            with self._lock:
                snapshot = list(self._entries)
            yield from (entry for entry in snapshot if kind in (None, entry["kind"]))
            return
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                entry = json.loads(line)
                if kind in (None, entry["kind"]):
                    yield entry

    def count(self, kind: str | None = None) -> int:
        """How many entries there are, or of one kind."""
        return sum(1 for _ in self.entries(kind))


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        position = end
        while position > 0:
            step = min(65_536, position)
            file.seek(position - step)
            found = file.read(step).rfind(b"\n")
            if found >= 0:
                position = position - step + found + 1
                break
            position -= step
        if position < end:
            file.truncate(position)
