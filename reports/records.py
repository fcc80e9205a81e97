"""Rows of a frame as plain records.

Belongs here: the one way in which rows leave a frame for code that reads them one by one. Does not belong
here: figures.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd


def records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Each row as column → value, in order; anything missing (NaN, NaT, None) is None."""
    columns = [frame[name].astype(object).where(frame[name].notna(), None) for name in frame]
    for values in zip(*(column.tolist() for column in columns), strict=True):
        yield dict(zip(frame.columns, values, strict=True))
