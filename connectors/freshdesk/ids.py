"""Sets of ticket ids as ranges: what a walk remembers of the rows that it met, small even for a hundred thousand.

Belongs here: the sets. Does not belong here: what is remembered, and for how long (`walk`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from connectors.freshdesk.api import text_of


class IdRanges:
    """A set of positive integers as sorted ranges; Freshdesk gives a ticket's id without gaps, so ranges are few."""

    def __init__(self, text: str = "") -> None:
        """From the form that `to_text` gives."""
        self._first: list[int] = []
        self._last: list[int] = []
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            self._first.append(int(first))
            self._last.append(int(last or first))

    def __contains__(self, number: int) -> bool:
        """Whether an id is in the set."""
        place = bisect_right(self._first, number) - 1
        return place >= 0 and number <= self._last[place]

    def __len__(self) -> int:
        """How many ids there are."""
        return sum(self._last) - sum(self._first) + len(self._first)

    @property
    def highest(self) -> int:
        """The highest id; 0 where there is none."""
        return self._last[-1] if self._last else 0

    def add(self, number: int) -> None:
        """Takes an id in; one that is there changes nothing."""
        place = bisect_right(self._first, number)
        if place and number <= self._last[place - 1]:
            return
        meets_before = place > 0 and self._last[place - 1] == number - 1
        meets_after = place < len(self._first) and self._first[place] == number + 1
        if meets_before and meets_after:
            self._last[place - 1] = self._last.pop(place)
            self._first.pop(place)
        elif meets_before:
            self._last[place - 1] = number
        elif meets_after:
            self._first[place] = number
        else:
            self._first.insert(place, number)
            self._last.insert(place, number)

    def missing(self, first: int, last: int) -> Iterator[int]:
        """The ids from `first` to `last` that are not in the set, rising."""
        number = first
        place = max(0, bisect_right(self._first, first) - 1)
        while number <= last:
            while place < len(self._first) and self._last[place] < number:
                place += 1
            if place < len(self._first) and self._first[place] <= number:
                number = self._last[place] + 1
                continue
            yield number
            number += 1

    def missing_down(self, first: int) -> Iterator[int]:
        """The ids from `first` down to 1 that are not in the set, falling."""
        number = first
        place = bisect_right(self._first, first) - 1
        while number >= 1:
            if place >= 0 and self._last[place] >= number:
                number = self._first[place] - 1
                place -= 1
                continue
            yield number
            number -= 1

    def to_text(self) -> str:
        """As a cursor keeps it, e.g. `1-350,402`."""
        pairs = zip(self._first, self._last, strict=True)
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in pairs)


class SeenRows:
    """The rows known of the seconds that may come again: second → ids; and seconds that are known whole.

    One second may hold tens of thousands of rows (a bulk edit): while such a second is read, its ids are held
    here, which is the one thing in a walk that is not bounded by a page.
    """

    def __init__(
        self, told: Mapping[str, str | list[str]] | None = None, whole: Iterable[str] = ()
    ) -> None:
        """From the forms that `to_json` and `whole` give; lists of ids are what older cursors hold."""
        self._ids: dict[str, IdRanges] = {}
        for second, ids in (told or {}).items():
            self._ids[second] = IdRanges(ids if isinstance(ids, str) else "")
            for number in ids if isinstance(ids, list) else ():
                if number.isdigit():
                    self._ids[second].add(int(number))
        self.whole = tuple(whole)
        """Seconds of which every row is known (a bulk edit that was read to its end)."""

    def knows(self, remote_id: str | None, at: datetime | None) -> bool:
        """Whether the row with this id and last change is known."""
        if remote_id is None or at is None or not remote_id.isdigit():
            return False
        second = text_of(at)
        return second in self.whole or int(remote_id) in self._ids.get(second, ())

    def add(self, remote_id: str, at: datetime) -> None:
        """Takes a row in; ids that are no numbers are not remembered (their rows come again)."""
        if remote_id.isdigit():
            self._ids.setdefault(text_of(at), IdRanges()).add(int(remote_id))

    def ids_between(self, since: datetime, until: datetime) -> IdRanges:
        """The ids known of the seconds from `since` to `until`, both included."""
        found = IdRanges()
        for second, ids in self._ids.items():
            if text_of(since) <= second <= text_of(until):
                for number in _numbers(ids):
                    found.add(number)
        return found

    def keep(self, since: datetime, most: int) -> None:
        """Forgets seconds before `since`, and the oldest ones where there are more than `most` rows."""
        room, border = most, text_of(since)
        for second in sorted(self._ids, reverse=True):
            room -= len(self._ids[second])
            if second < border or room < 0:
                del self._ids[second]
        self.whole = tuple(second for second in self.whole if second >= border)

    def close(self, since: datetime, until: datetime) -> None:
        """Notes that every row of the seconds from `since` to `until` is known, and forgets their ids."""
        seconds = []
        while since <= until:
            seconds.append(text_of(since))
            since += timedelta(seconds=1)
        for second in seconds:
            self._ids.pop(second, None)
        self.whole = (*self.whole, *seconds)

    def to_json(self) -> dict[str, str]:
        """Second → ids as ranges."""
        return {second: self._ids[second].to_text() for second in sorted(self._ids)}


def _numbers(ids: IdRanges) -> Iterator[int]:
    for part in filter(None, ids.to_text().split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
