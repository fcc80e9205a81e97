"""Runs the real command in this process on a folder of its own, for the tests of `deskbridge`."""

import contextlib
import io
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import cli

CONFIGURATION = """\
warehouse: sqlite:///warehouse.db
clients:
  acme:
    time_zone: Europe/Istanbul
    live_from: 2026-11-01T00:00:00+03:00
    sources:
      - {id: export, type: csv, path: incidents.csv, mapping: mine.yaml}
    sla: [standard.yaml]
    notify:
      - {type: pagerduty, routing_key: "0123456789abcdef0123456789abcdef", for: [page], base_url: "http://127.0.0.1:9"}
"""

MAPPING = """\
rows: ticket
columns: {ticket: Number, created_at: Opened, status: State, subject: Title}
statuses: {New: new, Closed: closed}
"""

EXPORT = "Number,Opened,State,Title\nINC1,2026-10-01T08:00:00Z,New,Printer\n"


@dataclass(frozen=True)
class Ran:
    """What came of one call; `<folder>` stands for the test's own folder in both texts."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> str:
        """What stands on stderr, without the word in front."""
        return self.err.strip().removeprefix("error ")


class CommandFolder:
    """A folder with a configuration of one client, an export and its mapping."""

    def __init__(self, folder: Path, configuration: str | bytes | None = CONFIGURATION) -> None:
        self.folder = folder
        self.write({"mine.yaml": MAPPING, "incidents.csv": EXPORT})
        self.write({"deskbridge.yaml": configuration})
        self.given = self.files()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Writes files; None takes one away."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink(missing_ok=True)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content, "utf-8")
        self.given = self.files()

    def files(self) -> set[str]:
        """All files there are, by their path in the folder."""
        return {str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file()}

    def new_files(self) -> set[str]:
        """What the commands have made."""
        return self.files() - self.given

    def run(self, *arguments: str) -> Ran:
        """Runs `deskbridge ARGUMENTS --config` this folder's."""
        return run(*arguments, "--config", str(self.folder / "deskbridge.yaml"), folder=self.folder)

    def rows(self, table: str) -> int:
        """How many rows a table of the embedded warehouse has."""
        connection = sqlite3.connect(self.folder / "warehouse.db")
        try:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(count)
        finally:
            connection.close()


def run(*arguments: str, folder: Path | None = None) -> Ran:
    """Runs `deskbridge ARGUMENTS`; anything but an orderly end fails the test with its traceback."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int), "the command ends with a code"

    def shown(text: str) -> str:
        return text.replace(str(folder), "<folder>") if folder else text

    return Ran(code, shown(out.getvalue()), shown(err.getvalue()))
