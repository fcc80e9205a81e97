"""The headline figures as rows for a terminal.

Belongs here: which rows, and their texts. Does not belong here: printing or colours of a terminal.
"""

from dataclasses import dataclass

from reports.figure import SYMBOLS, Verdict
from reports.figures import ReportFigures
from reports.verdict import change_text, sentences, share_text, value_text


@dataclass(frozen=True, slots=True)
class ScoreboardRow:
    """One figure as text. `verdict` is the word behind `status` (sign and word)."""

    label: str
    value: str
    target: str
    status: str
    change: str
    n: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """A title, the rows and the same sentences as on the workbook's first sheet."""

    title: str
    rows: tuple[ScoreboardRow, ...]
    sentences: tuple[str, ...]


def scoreboard(report: ReportFigures) -> Scoreboard:
    """The scoreboard of one report."""
    rows = []
    for headline in report.headlines():
        figure = headline.figure
        sign = SYMBOLS[figure.verdict]
        rows.append(
            ScoreboardRow(
                label=figure.title,
                value=value_text(figure),
                target="–" if figure.goal is None else share_text(figure.goal),
                status=f"{sign} {figure.verdict}" if sign else "–",
                change=change_text(headline.change, figure.unit),
                n=figure.n,
                verdict=figure.verdict,
            )
        )
    return Scoreboard(
        title=f"{report.client_key} · {report.period.label()}",
        rows=tuple(rows),
        sentences=tuple(sentences(report)),
    )
