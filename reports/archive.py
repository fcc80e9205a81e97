"""A workbook as bytes that are the same for the same content.

Belongs here: saving. Does not belong here: sheets. An .xlsx file is a zip that holds the instants at which
its parts were written; here they are the instant of the report's data.
"""

import io
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.writer.excel import ExcelWriter

from transforms.model import utc

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""The first instant a zip can name."""

_CORE = "docProps/core.xml"
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")


class _FixedTimeZip(zipfile.ZipFile):
    """A zip whose entries all carry one instant, and whose core properties say so too."""

    def __init__(self, file: io.BytesIO, instant: datetime) -> None:
        super().__init__(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True)
        self._instant = max(utc(instant), EARLIEST)

    def writestr(
        self,
        zinfo_or_arcname: Any,
        data: Any,
        compress_type: int | None = None,
        compresslevel: int | None = None,
    ) -> None:
        name = str(zinfo_or_arcname)
        content = data.encode() if isinstance(data, str) else data
        if name == _CORE:
            stamp = self._instant.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
            content = _MODIFIED.sub(rb"\g<1>" + stamp + rb"\g<2>", content)
        super().writestr(self._entry(name), content, zipfile.ZIP_DEFLATED)

    def write(self, filename: Any, arcname: Any = None, *_args: Any, **_options: Any) -> None:
        with Path(filename).open("rb") as source, self.open(self._entry(str(arcname)), "w") as to:
            while chunk := source.read(1 << 20):
                to.write(chunk)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self._instant.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o600 << 16
        return entry


def workbook_bytes(workbook: Workbook, instant: datetime) -> bytes:
    """The saved workbook; the same workbook and instant always give the same bytes.

    Args:
        workbook: not saved before.
        instant: aware; becomes created, modified and the time of every part.
    """
    stamp = max(utc(instant), EARLIEST).replace(tzinfo=None, microsecond=0)
    workbook.properties.created = stamp
    workbook.properties.modified = stamp
    target = io.BytesIO()
    ExcelWriter(workbook, _FixedTimeZip(target, instant)).save()
    return target.getvalue()
