"""The workbook as LibreOffice draws and recalculates it. Skips where LibreOffice is not installed."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine

from connectors.warehouse.engine import reading
from reports.compliance import compliance_report
from reports.figures import Goals

SOFFICE = shutil.which("soffice")
PDF_TO_TEXT = shutil.which("pdftotext")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        SOFFICE is None or PDF_TO_TEXT is None,
        reason="the workbook was NOT looked at: install libreoffice-calc and poppler-utils",
    ),
]


@pytest.fixture
def workbook(sqlite_engine: Engine, story, october, as_of, tmp_path: Path) -> Path:
    story.write(sqlite_engine)
    with reading(sqlite_engine) as connection:
        result = compliance_report(
            connection, "acme", october, as_of, goals=Goals(0.9, 0.7, 0.1, 0.85)
        )
    path = tmp_path / "report.xlsx"
    path.write_bytes(result.content)
    return path


def convert(path: Path, to: str, folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(
        [
            str(SOFFICE),
            f"-env:UserInstallation=file://{folder}/profile",
            "--headless",
            "--convert-to",
            to,
            "--outdir",
            str(folder),
            str(path),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder / f"{path.stem}.{to.partition(':')[0]}"


def test_pages_show_whole_values_and_the_summary_is_one_page(
    workbook: Path, tmp_path: Path
) -> None:
    pdf = convert(workbook, "pdf", tmp_path / "pdf")
    text = subprocess.run(
        [str(PDF_TO_TEXT), "-layout", str(pdf), "-"], check=True, capture_output=True, timeout=60
    ).stdout.decode()
    pages = text.split("\f")
    assert "Backlog at the end" in pages[0]
    assert "SLA compliance, last 12 complete weeks" in pages[0]
    assert "Priority × metric" in pages[1]
    # A number or date wider than its column is drawn as ###.
    assert "###" not in text
    assert "#NAME?" not in text
    assert "#REF!" not in text


def test_recalculating_changes_no_value(workbook: Path, tmp_path: Path) -> None:
    copy = convert(workbook, "xlsx:Calc MS Excel 2007 XML", tmp_path / "copy")
    ours = load_workbook(io.BytesIO(workbook.read_bytes()))
    theirs = load_workbook(copy, data_only=True)
    assert theirs.sheetnames == ours.sheetnames
    for sheet in ours.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                other = theirs[sheet.title][cell.coordinate].value
                if isinstance(cell.value, int | float):
                    assert other == pytest.approx(cell.value), (sheet.title, cell.coordinate)
                elif isinstance(cell.value, str) and cell.value:
                    assert other == cell.value, (sheet.title, cell.coordinate)
