"""What the command shows: tables, progress, errors for people. Plain lines where there is no terminal.

Belongs here: rich. Does not belong here: what is shown.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

PIPE_WIDTH = 130
"""Columns where the output is no terminal: wide enough for the tables, and the same everywhere."""

STACKED_WIDTH = 100
"""Most columns of a table whose cells have several lines anyway."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPE_WIDTH)

SECONDS_BETWEEN_LINES = 5.0
"""How often long work says where it is when the output is no terminal."""


def say(text: str) -> None:
    """One line; square brackets in it are text, never markup."""
    out.print(escape(text), soft_wrap=True)


def fail(text: str) -> None:
    """An error for a person, on stderr, without a traceback."""
    err.print("[bold red]error[/]", escape(text), soft_wrap=True)


def warn(text: str) -> None:
    """Something a person may want to know, on stderr."""
    err.print("[yellow]note[/]", escape(text), soft_wrap=True)


def as_json(value: Any) -> None:
    """Machine-readable output: one JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    is_dense: bool = False,
    width: int | None = None,
) -> None:
    """A table; cells are text, never markup. Columns whose name ends in `#` are right-aligned numbers.

    Where it is wider than `width` or the terminal, the widest columns are folded. `is_dense` leaves out the lines
    between columns, for tables of many numbers.
    """
    shown = Table(
        title=escape(title) or None,
        title_justify="left",
        header_style="bold",
        box=box.HORIZONTALS if is_dense else box.HEAVY_HEAD,
        padding=(0, 1, 0, 0) if is_dense else (0, 1),
        pad_edge=not is_dense,
    )
    for column in columns:
        number = column.endswith("#")
        shown.add_column(column.rstrip("#"), justify="right" if number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(escape(str(cell)) for cell in row))
    out.print(shown, width=width)


class Reporter:
    """Progress of long work: a live line on a terminal, a plain line every few seconds elsewhere."""

    def __init__(self, live: Progress | None) -> None:
        """`live` is None where the output is no terminal."""
        self._live = live
        self._tasks: dict[tuple[str, str], Any] = {}
        self._started: dict[tuple[str, str], float] = {}
        self._said = time.monotonic()

    def __call__(self, source: str, what: str, count: int, total: int | None = None) -> None:
        """Says how far one piece of work is."""
        key = (source, what)
        started = self._started.setdefault(key, time.monotonic())
        seconds = time.monotonic() - started
        if self._live is not None:
            if key not in self._tasks:
                self._tasks[key] = self._live.add_task(escape(f"{source} {what}"), total=total)
            self._live.update(self._tasks[key], completed=count, total=total)
            return
        if time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            of = f" of {total}" if total else ""
            # Counted from the first report on: that one, and what follows at once, tells no rate.
            rate = f", {count / seconds:.0f}/s" if seconds >= 1 else ""
            left = (
                f", about {(total - count) * seconds / count:.0f} s left"
                if total and count and rate
                else ""
            )
            say(f"{source} {what}: {count}{of}{rate}{left}")


@contextmanager
def reporter() -> Iterator[Reporter]:
    """A reporter for the length of a piece of work."""
    if not out.is_terminal:
        yield Reporter(None)
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}"),
        TimeElapsedColumn(),
        console=out,
        transient=True,
    ) as live:
        yield Reporter(live)
