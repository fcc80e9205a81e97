"""Lists that are asked for from an instant on, and lists that are read whole each time.

Belongs here: where the next pull starts, so that late and changed rows are seen; what vanished from a list. Does
not belong here: paging (`pages`), what the rows mean.

- Ratings (legacy): the next pull starts at the newest one seen, which comes again.
- Metric events are recorded minutes after the change that made them, stamped with that change's time, and a breach
  may be withdrawn later: the next pull starts an hour before the newest one seen.
- Survey responses can be asked for by the instant at which they were sent only, and are answered or changed for
  weeks: they are read again from 30 days before the last reading on, at most once an hour.

Source: Zendesk developer documentation, "Ticket metric events", "CSAT survey responses"; how late metric events
come was measured by others.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.errors import RejectedError
from connectors.zendesk.pages import LIST_PAGE, Rows, Walker, instant_of

METRIC_PAGE = 1_000
"""The documents promise 100 rows a page; accounts give as many as an export. What refuses is asked for 100."""
METRIC_OVERLAP_SECONDS = 3_600
SURVEY_PAGE = 50
SURVEY_EDIT_SECONDS = 30 * 86_400
SURVEY_PAUSE_SECONDS = 3_600
MOST_KNOWN = 50_000
"""Ids that a cursor carries at most to tell what vanished; a longer list tells nothing."""

Cursor = Mapping[str, Any]


def ratings(walker: Walker, cursor: Cursor | None, start_at: int) -> Iterator[Rows]:
    """Legacy ratings from the newest one seen on."""
    return _from_newest(walker, cursor, start_at, ("updated_at",), 0, {})


def metric_events(walker: Walker, cursor: Cursor | None, start_at: int) -> Iterator[Rows]:
    """Metric events from an hour before the newest one seen on."""
    moments = ("time", "updated_at")
    walked = False
    try:
        for page in _from_newest(
            walker, cursor, start_at, moments, METRIC_OVERLAP_SECONDS, {"page[size]": METRIC_PAGE}
        ):
            walked = True
            yield page
    except RejectedError as error:
        if walked or error.status not in (400, 422):
            raise
        yield from _from_newest(
            walker, cursor, start_at, moments, METRIC_OVERLAP_SECONDS, {"page[size]": LIST_PAGE}
        )


def surveys(walker: Walker, cursor: Cursor | None, start_at: int, now: float) -> Iterator[Rows]:
    """Survey responses sent since 30 days before the last reading; no call within an hour of it."""
    state = dict(cursor or {})
    if "after" not in state:
        last = state.get("read_at")
        if last is not None and now - float(last) < SURVEY_PAUSE_SECONDS:
            yield Rows((), state, complete=True)
            return
        start = start_at if last is None else max(start_at, int(last) - SURVEY_EDIT_SECONDS)
        state = {"start_time": start, "began_at": int(now), "after": None}
    start, began_at = int(state["start_time"]), int(state["began_at"])
    params = {
        "page[size]": SURVEY_PAGE,
        "sort": "id",
        "filter[created_at_start]": start * 1_000,
    }
    for page in walker.list(state["after"], params):
        behind: dict[str, Any] = {"read_at": began_at}
        if not page.complete:
            behind = {"start_time": start, "began_at": began_at, "after": page.cursor["after"]}
        yield Rows(page.rows, behind, page.complete)


def whole_list(walker: Walker, cursor: Cursor | None, *, tells_vanished: bool) -> Iterator[Rows]:
    """A list from its beginning to its end; with `tells_vanished` what it had the last time comes as deleted."""
    state = dict(cursor or {})
    after = state.get("after")
    known = state.get("known") if tells_vanished else None
    seen: list[Any] = list(state.get("seen", ())) if after is not None else []
    for page in walker.list(after):
        rows = list(page.rows)
        if not tells_vanished:
            yield page
            continue
        seen += [row["id"] for row in rows if isinstance(row, dict) and "id" in row]
        if page.complete:
            gone = dict.fromkeys(known or ()).keys() - set(seen)
            rows += [{"id": number, "deleted": True} for number in sorted(gone, key=str)]
            ids = sorted(set(seen), key=str)
            behind: dict[str, Any] = {"after": None}
            if len(ids) <= MOST_KNOWN:
                behind["known"] = ids
        else:
            behind = {"after": page.cursor["after"], "known": known or [], "seen": seen}
        yield Rows(rows, behind, page.complete)


def _from_newest(
    walker: Walker,
    cursor: Cursor | None,
    start_at: int,
    moments: Sequence[str],
    overlap: int,
    params: Mapping[str, Any],
) -> Iterator[Rows]:
    state = dict(cursor or {})
    start = int(state.get("start_time", start_at))
    newest = int(state.get("newest", 0))
    for page in walker.list(state.get("after"), {**params, "start_time": start}):
        newest = max(newest, _newest(page.rows, moments))
        behind: dict[str, Any] = {"start_time": max(start, newest - overlap)}
        if not page.complete:
            behind = {"start_time": start, "newest": newest, "after": page.cursor["after"]}
        yield Rows(page.rows, behind, page.complete)


def _newest(rows: Sequence[Any], moments: Sequence[str]) -> int:
    """Epoch seconds of the newest row by the first of the fields that it has; 0 where none tells."""
    newest = 0
    for row in rows:
        if not isinstance(row, dict):
            continue
        for name in moments:
            at = instant_of(row.get(name))
            if at is not None:
                newest = max(newest, int(at.timestamp()))
                break
    return newest
