"""Dates of mails: what a Date header says, as programs of forty years write it.

Belongs here: one header's text in, one instant out. Does not belong here: whether the date is believed
(`mail_message`).
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from transforms.mail_headers import EPOCH, decode_text, unfold

DATE_LIMIT = 400
"""Letters of a Date header that are read."""

_MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen oca janv",
            "feb fév fev şub",
            "mar mär mrz maa",
            "apr avr abr nis",
            "may mai mei mag maj",
            "jun juin giu haz",
            "jul juil lug tem",
            "aug aoû aou ago ağu",
            "sep set eyl",
            "oct okt out ott eki",
            "nov kas",
            "dec dez déc dic des ara",
        ),
        start=1,
    )
    for name in names.split()
}
"""First letters of a month → its number: English, and what programs write that translate it though they must not."""

_ZONES: dict[str, int] = {
    **dict.fromkeys(("ut", "utc", "gmt", "wet"), 0),
    **{"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7},
    **{"ast": -4, "adt": -3, "akst": -9, "akdt": -8, "hst": -10, "brt": -3, "art": -3},
    **{"bst": 1, "west": 1, "cet": 1, "met": 1, "mez": 1, "cest": 2, "mest": 2, "mesz": 2},
    **{"eet": 2, "sast": 2, "eest": 3, "msk": 3, "trt": 3, "msd": 4, "hkt": 8, "sgt": 8},
    **{"jst": 9, "kst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13},
}
"""Zone names → hours east: those of RFC 5322 §4.3, and such as mean one thing only. Any other name is UTC there."""

_DATE = re.compile(
    r"^(?:[^\d,]{0,20}[,.\s]\s*)?(\d{1,2})[\s./-]*([^\W\d_]{3,12})\.?[\s,./-]*(\d{2,4})(?!\d)[\s,T]+"
    r"(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?(?:[.,]\d{1,9})?\s*([AaPp]\.?[Mm]\b\.?)?\s*(.*)$"
)
_ISO_DATE = re.compile(
    r"^\s*(\d{4}-\d\d-\d\d)[T ]+(\d\d:\d\d:\d\d)(?:\.\d+)?\s*([Zz]|[+-]\d\d:?\d\d)?\s*$"
)
_OFFSET = re.compile(r"([+-])\s?(?:(\d{1,2}):?(\d\d)|(\d{1,2}))(?!\d)")
_ZONE_NAME = re.compile(r"[\"']?([A-Za-z]{1,5})\b[\"']?")
_HALF_DAY = re.compile(r"\d\s*([AaPp])\.?[Mm]\b")
_MAX_OFFSET = timedelta(hours=16)


def parse_date(raw: str) -> datetime | None:
    """The instant of a Date header in UTC; None where it is no date, or one before 1970 or beyond reason."""
    instant = parse_instant(raw)
    return None if instant is None or instant < EPOCH or instant.year > 2200 else instant


def parse_instant(raw: str) -> datetime | None:
    """The instant that a Date header names, in UTC, however absurd; None where it is no date.

    A missing or unknown zone and an offset of more than 16 hours are read as UTC.

    Source: RFC 5322 §3.3, §4.3 (years of two and three digits, zones by name), RFC 3339.
    """
    text = unfold(raw)[:DATE_LIMIT]
    text = _without_comments(decode_text(text) if "=?" in text else text).strip(" \0\"'")
    if match := _DATE.match(text):
        return _instant(match)
    if match := _ISO_DATE.match(text):
        return _iso_instant(match)
    return _by_library(text)


def _instant(match: re.Match[str]) -> datetime | None:
    name = match[2].casefold()
    month = _MONTHS.get(name[:4]) or _MONTHS.get(name[:3])
    year, hour = int(match[3]), int(match[4])
    if len(match[3]) == 2:
        year += 2000 if year < 50 else 1900
    elif len(match[3]) == 3:
        year += 1900
    if match[7] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if match[7][0] in "pP" else 0)
    minute, second = int(match[5]), int(match[6] or 0)
    if month is None or hour > 24 or minute > 59:
        return None
    try:
        # A leap second is the second before: it must not become the next day.
        clock = timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
        return _shifted(datetime(year, month, int(match[1])) + clock, match[8])  # noqa: DTZ001
    except (ValueError, OverflowError):
        return None


def _shifted(local: datetime, zone: str) -> datetime | None:
    """A local time in UTC."""
    try:
        return (local - _offset(zone)).replace(tzinfo=UTC)
    except OverflowError:
        return None


def _offset(zone: str) -> timedelta:
    zone = zone.strip()
    name = _ZONE_NAME.match(zone)
    base = _ZONES.get(name[1].lower()) if name else None
    if base:
        return timedelta(hours=base)
    found = _OFFSET.match(zone[name.end() :].lstrip() if name and base == 0 else zone)
    if found is None:
        return timedelta(0)
    hours = int(found[2] or found[4])
    offset = timedelta(hours=hours, minutes=int(found[3] or 0))
    if offset > _MAX_OFFSET:
        return timedelta(0)
    return -offset if found[1] == "-" else offset


def _iso_instant(match: re.Match[str]) -> datetime | None:
    try:
        return _shifted(datetime.fromisoformat(f"{match[1]}T{match[2]}"), match[3] or "")
    except ValueError:
        return None


def _by_library(text: str) -> datetime | None:
    """Orders that RFC 5322 never knew: `Mon Mar  2 10:00:00 2026`, `March 2, 2026 10:00 PM`."""
    try:
        fields = parsedate_tz(text)
    except (ValueError, IndexError, TypeError, OverflowError, AttributeError):
        return None
    if fields is None:
        return None
    year, month, day, hour, minute, second = fields[:6]
    offset = timedelta(seconds=fields[9] or 0)
    if (half := _HALF_DAY.search(text)) and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half[1] in "pP" else 0)
    if hour > 24 or minute > 59:
        return None
    try:
        clock = timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
        whole = datetime(year, month, day, tzinfo=UTC) + clock
        return whole - offset if abs(offset) <= _MAX_OFFSET else whole
    except (ValueError, OverflowError):
        return None


def _without_comments(text: str) -> str:
    """Text without what stands in parentheses, nested ones too."""
    if "(" not in text:
        return text
    kept: list[str] = []
    depth = 0
    for letter in text:
        if letter == "(":
            depth += 1
        elif letter == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(letter)
            continue
        kept.append(" ")
    return "".join(kept)
