"""When customers write: weekdays, hours, summer, holidays, and the bad week.

Belongs here: the rhythm of a year. Does not belong here: what happens to a case afterwards.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

from pipelines.demo.people import ZONES

_WEEKDAYS = (1.25, 1.15, 1.1, 1.05, 0.95, 0.34, 0.28)
_HOURS = (
    *(0.25, 0.15, 0.1, 0.1, 0.12, 0.3, 0.8, 2.0, 4.6, 6.4, 6.8, 6.0),
    *(4.4, 4.9, 5.8, 5.6, 5.0, 4.0, 2.9, 2.3, 2.2, 1.8, 1.1, 0.6),
)
_FIRST_DAY_OFF = {"en": "12-25", "de": "12-25", "tr": "01-01"}


def bad_week_start(as_of: datetime) -> date:
    """The Monday of the week of the outage, about seven weeks before the end."""
    day = (as_of - timedelta(days=49)).date()
    return day - timedelta(days=day.weekday())


class Arrivals:
    """Draws the instants at which customers of a language write, over a span of days."""

    def __init__(
        self, rng: Random, first: date, last: date, end: int, bad_week: date | None
    ) -> None:
        """`end` is the instant that no arrival may pass; `bad_week` the Monday of the outage, if any."""
        self._rng = rng
        self._end = end
        days = (last - first).days + 1
        self._days = [first + timedelta(number) for number in range(days)]
        self._bad_week = bad_week
        self._weights = {
            language: list(
                accumulate(
                    self._weight(day, language, number / days)
                    for number, day in enumerate(self._days)
                )
            )
            for language in ZONES
        }
        self._hour_weights = list(accumulate(_HOURS))

    def draw(self, language: str, *, late_evening: float = 1.0) -> int:
        """An instant, as epoch seconds. Consumers' weekends and evenings come from `late_evening` above 1."""
        zone = ZoneInfo(ZONES[language])
        while True:
            day = self._rng.choices(self._days, cum_weights=self._weights[language])[0]
            hour = self._rng.choices(range(24), cum_weights=self._hour_weights)[0]
            if late_evening > 1.0 and self._rng.random() < 0.2:
                hour = self._rng.randint(18, 23)
            minute, second = self._rng.randrange(60), self._rng.randrange(60)
            at = int(
                datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
                .astimezone(UTC)
                .timestamp()
            )
            if at <= self._end:
                return at

    def _weight(self, day: date, language: str, progress: float) -> float:
        weight = _WEEKDAYS[day.weekday()] * (0.9 + 0.2 * progress)
        month_day = f"{day:%m-%d}"
        if "07-10" <= month_day <= "08-25":
            weight *= 0.68
        if language != "tr" and (month_day >= "12-23" or month_day <= "01-02"):
            weight *= 0.4
        if "11-20" <= month_day <= "12-05":
            weight *= 1.3
        if month_day in (_FIRST_DAY_OFF[language], "01-01"):
            weight *= 0.4
        if is_bad_day(day, self._bad_week):
            weight *= 3.0
        return weight


def is_bad_day(day: date, bad_week: date | None) -> bool:
    """Whether a day lies in the five working days of the outage."""
    return bad_week is not None and 0 <= (day - bad_week).days < 5
