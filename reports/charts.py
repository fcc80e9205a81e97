"""Native charts: lines of compliance with a dashed goal, columns of volume.

Belongs here: how a chart looks and which cells it reads. Does not belong here: the numbers, which stand in
cells. openpyxl hides axes and bends lines unless told not to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from openpyxl.chart import BarChart, LineChart, Reference, Series
from openpyxl.chart.layout import Layout, ManualLayout
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.text import (
    CharacterProperties,
    Font,
    Paragraph,
    ParagraphProperties,
)
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from reports.styles import FONT, INK, LINE, MUTED

EMU_PER_POINT = 12_700


@dataclass(frozen=True, slots=True)
class Block:
    """Where a table's rows of data lie on a sheet."""

    sheet: WriteOnlyWorksheet
    first_row: int
    last_row: int

    def column(self, number: int) -> Reference:
        """The data of one column (1 is A)."""
        return Reference(self.sheet, min_col=number, min_row=self.first_row, max_row=self.last_row)


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its column, name, colour (RRGGBB) and whether it is a dashed goal."""

    column: int
    name: str
    colour: str
    is_goal: bool = False


def line_chart(
    title: str,
    block: Block,
    lines: Sequence[Line],
    *,
    lowest: float,
    width_cm: float,
    height_cm: float,
) -> LineChart:
    """Shares over time; the axis begins at `lowest` (a share) so that differences can be seen, and says so."""
    chart = LineChart()
    _frame(chart, title, width_cm, height_cm)
    for line in lines:
        series = Series(block.column(line.column), title=line.name)
        series.smooth = False
        series.graphicalProperties.line.solidFill = line.colour
        series.graphicalProperties.line.width = int((1.5 if line.is_goal else 2.25) * EMU_PER_POINT)
        if line.is_goal:
            series.graphicalProperties.line.dashStyle = "dash"
            series.marker.symbol = "none"
        else:
            series.marker.symbol = "circle"
            series.marker.size = 5
            series.marker.graphicalProperties = GraphicalProperties(solidFill=line.colour)
            series.marker.graphicalProperties.line.solidFill = line.colour
        chart.series.append(series)
    chart.set_categories(block.column(1))
    chart.y_axis.number_format = "0%"
    chart.y_axis.scaling.min = lowest
    chart.y_axis.scaling.max = 1.0
    chart.y_axis.majorUnit = 0.05 if lowest >= 0.75 else 0.1
    chart.dispBlanksAs = "gap"
    _axes(chart)
    return chart


def column_chart(
    title: str,
    block: Block,
    lines: Sequence[Line],
    *,
    width_cm: float,
    height_cm: float,
    is_stacked: bool = False,
) -> BarChart:
    """Counts side by side, or on top of each other."""
    chart = BarChart()
    chart.type = "col"
    chart.grouping = "stacked" if is_stacked else "clustered"
    chart.overlap = 100 if is_stacked else -5
    chart.gapWidth = 60
    _frame(chart, title, width_cm, height_cm)
    for line in lines:
        series = Series(block.column(line.column), title=line.name)
        series.graphicalProperties.solidFill = line.colour
        series.graphicalProperties.line.noFill = True
        series.invertIfNegative = False
        chart.series.append(series)
    chart.set_categories(block.column(1))
    chart.y_axis.number_format = "#,##0"
    chart.y_axis.scaling.min = 0
    _axes(chart)
    if len(lines) == 1:
        chart.legend = None
    return chart


def _frame(chart: LineChart | BarChart, title: str, width_cm: float, height_cm: float) -> None:
    chart.title = title
    chart.title.overlay = False
    chart.title.tx.rich.p[0].pPr = ParagraphProperties(defRPr=_letters(1200, INK, is_bold=True))
    for run in chart.title.tx.rich.p[0].r:
        run.rPr = _letters(1200, INK, is_bold=True)
    chart.width, chart.height = width_cm, height_cm
    chart.legend.position = "b"
    chart.legend.txPr = _text(900)
    chart.roundedCorners = False
    chart.graphical_properties = GraphicalProperties(ln=LineProperties(solidFill=LINE))
    chart.layout = Layout(manualLayout=ManualLayout(x=0.07, y=0.14, w=0.90, h=0.64))


def _axes(chart: LineChart | BarChart) -> None:
    for axis in (chart.x_axis, chart.y_axis):
        axis.delete = False
        axis.txPr = _text(900)
        axis.majorTickMark = "none"
        axis.title = None
    chart.x_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=LINE))
    chart.y_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(noFill=True))
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill=LINE))
    chart.x_axis.tickLblPos = "low"


def _letters(size: int, colour: str, *, is_bold: bool = False) -> CharacterProperties:
    return CharacterProperties(sz=size, b=is_bold, solidFill=colour, latin=Font(typeface=FONT))


def _text(size: int) -> RichText:
    letters = _letters(size, MUTED)
    return RichText(p=[Paragraph(pPr=ParagraphProperties(defRPr=letters), endParaRPr=letters)])
