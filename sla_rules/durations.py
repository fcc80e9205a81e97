"""Amounts of time as policies write them: `15 min`, `1 h 30 min`, `1 business day`.

Belongs here: reading such an amount. Does not belong here: calendars beyond the length of their day.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PART = re.compile(r"(\d+)\s*([a-z]+(?: days?)?)")
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
}
_EXPECTED = "expected an amount such as 15 min, 4 h or 1 business day"


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds, plus working days whose length only a calendar knows."""

    seconds: int = 0
    business_days: int = 0

    def in_seconds(self, day_seconds: int) -> int:
        """Whole seconds, for a working day of that many seconds."""
        return self.seconds + self.business_days * day_seconds


def read_duration(value: Any) -> Duration:
    """An amount from text, or from a mapping such as `{hours: 1, minutes: 30}` or `{business_days: 1}`.

    Raises:
        ValueError: it is neither, is not positive, or names a day without saying which kind.
    """
    if isinstance(value, Mapping):
        text = " ".join(f"{amount} {str(unit).replace('_', ' ')}" for unit, amount in value.items())
    elif isinstance(value, str):
        text = value
    else:
        raise ValueError(f"{_EXPECTED}, found {value!r}")
    text = " ".join(text.lower().split())
    parts = _PART.findall(text)
    if not parts or " ".join(f"{amount} {unit}" for amount, unit in parts) != _spaced(text):
        raise ValueError(f"{_EXPECTED}, found {value!r}")
    seconds = days = 0
    for amount, unit in parts:
        if unit in ("business day", "business days"):
            days += int(amount)
        elif unit in _UNITS:
            seconds += int(amount) * _UNITS[unit]
        elif unit in ("d", "day", "days"):
            hours = int(amount) * 24
            raise ValueError(
                "expected an amount that says which days are meant: "
                f"{amount} business day{'s' if int(amount) != 1 else ''}, or {hours} h; found {value!r}"
            )
        else:
            raise ValueError(f"{_EXPECTED}, found {value!r}")
    if seconds + days <= 0:
        raise ValueError(f"{_EXPECTED}, more than nothing, found {value!r}")
    return Duration(seconds, days)


def _spaced(text: str) -> str:
    """The text with one space between number and unit, so that `15min` reads as `15 min`."""
    return re.sub(r"(\d)([a-z])", r"\1 \2", text)


def shown_duration(seconds: int) -> str:
    """Seconds for a person: `4 h`, `1 h 30 min`, `45 s`; a minus in front of an overdue amount."""
    if seconds == 0:
        return "0 s"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if n]
    return ("-" if seconds < 0 else "") + " ".join(parts)
