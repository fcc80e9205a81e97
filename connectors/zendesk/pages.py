"""How Zendesk's three ways of paging are walked: cursor exports, time-based exports, lists.

Belongs here: cursors, page sizes, guards against endless walks. Does not belong here: what the rows mean.

Source: Zendesk developer documentation, "Using the incremental export API", "Pagination".
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from connectors.errors import (
    CursorExpiredError,
    PermanentError,
    RejectedError,
    UnavailableError,
)
from connectors.http import PolicySession

logger = logging.getLogger(__name__)

LARGEST_PAGE = 1_000
SMALLEST_PAGE = 50
LIST_PAGE = 100
FRESH_SECONDS = 61
"""An export refuses a start younger than a minute; one second more for rounding."""
RESTART_OVERLAP_SECONDS = 3_600
"""How far before the last row seen an export is taken up again when its opaque cursor is refused."""

TOO_MUCH_STATUSES = frozenset({500, 502, 504})
"""Answers of large accounts to large pages; half the size is tried."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One page as the walk gives it: rows, the cursor behind them, whether nothing more is there for now.

    `is_refused`: the account's clock is behind ours and it gave nothing; there may be more than is told.
    """

    rows: Sequence[Any]
    cursor: Mapping[str, Any]
    complete: bool
    is_refused: bool = False


class Aside(Protocol):
    """What a time-based export needs besides its pages: rows it cannot give, rows it gave in part.

    All of it lies in the stream's cursor, so that a killed walk goes on inside it; each step is one call.
    """

    def step(self, state: Mapping[str, Any]) -> tuple[Sequence[Any], dict[str, Any]] | None:
        """Does the next piece of the work that `state` names: its rows and the state behind it; None: no work."""
        ...

    def is_idle(self, state: Mapping[str, Any]) -> bool:
        """Whether `state` names no work."""
        ...

    def full_second(self, state: Mapping[str, Any], rows: Sequence[Any]) -> dict[str, Any]:
        """Names the work of a second, `state["start_time"]`, that holds more rows than a page; `rows`: some of them."""
        ...

    def after_page(
        self, state: Mapping[str, Any], rows: Sequence[Any], *, ended: bool
    ) -> dict[str, Any]:
        """Names the work that a page's rows ask for, and at the end of the stream what was put off."""
        ...


@dataclass(frozen=True, slots=True)
class _TimePage:
    rows: Sequence[Any]
    start_time: int
    """Where the next page starts."""
    ended: bool
    is_full_second: bool
    """The page and more holds one second alone: no start time gets past it."""


class Walker:
    """Walks one stream. The page size it learned holds for its life.

    Args:
        session: of the account.
        stream: its name, for messages; also the key of the rows in the answer.
        path: below the account's address.
        params: sent with each call.
        start_at: epoch seconds from which a first export goes.
        now: epoch seconds now.
    """

    def __init__(
        self,
        session: PolicySession,
        stream: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        start_at: int = 0,
        now: Callable[[], float],
    ) -> None:
        """Keeps the settings; makes no call."""
        self._session = session
        self._stream = stream
        self._path = path
        self._params = dict(params or {})
        self._start_at = start_at
        self._now = now
        self._size = LARGEST_PAGE

    def cursor_export(self, cursor: Mapping[str, Any] | None) -> Iterator[Rows]:
        """Pages of a cursor export.

        Args:
            cursor: `{"after_cursor"}` or `{"start_time"}`, with `seen_until`: the newest row so far.

        Raises:
            CursorExpiredError: the cursor is refused and nothing tells where to take up again.
            PermanentError: the export gives the same cursor again without having ended.
        """
        state = dict(cursor or {})
        walked: set[str] = set()
        while True:
            where = self._where(state)
            try:
                body = self._fetch(where)
            except RejectedError as error:
                if _is_too_fresh(error):
                    yield Rows((), state, complete=True, is_refused=True)
                    return
                state = self._restart(state, error)
                continue
            rows = self._rows(body)
            after, ended = body.get("after_cursor"), body.get("end_of_stream")
            ended = (not rows or not after) if ended is None else bool(ended)
            if after and not ended and (after in walked or after == where.get("cursor")):
                raise self._stuck(f"gave the cursor {after!r} a second time without having ended")
            if not after and not ended:
                raise self._stuck("gave no cursor for the next page")
            newest = max(filter(None, (state.get("seen_until"), newest_of(rows))), default=None)
            if after:
                walked.add(after)
                state = {"after_cursor": after}
            if newest is not None:
                state["seen_until"] = newest
            yield Rows(rows, dict(state), complete=ended)
            if ended:
                return

    def time_export(self, cursor: Mapping[str, Any] | None, aside: Aside) -> Iterator[Rows]:
        """Pages of a time-based export; its pages repeat the rows of their edge.

        No start time gets past a second that holds more rows than a page: `aside` reads it in another way, then
        the export goes on behind it.

        Args:
            cursor: `{"start_time"}` and what `aside` keeps beside it.
            aside: the work besides the pages.

        Raises:
            PermanentError: the export says that more is there and gives nothing.
        """
        state: dict[str, Any] = {"start_time": self._start_at, **(cursor or {})}
        ended = False
        while True:
            done = aside.step(state)
            if done is not None:
                rows, state = done
            else:
                page = self._time_page(int(state["start_time"]))
                if page is None:
                    is_refused = int(state["start_time"]) <= self._now() - FRESH_SECONDS
                    yield Rows((), state, complete=True, is_refused=is_refused)
                    return
                rows, ended = page.rows, page.ended
                state = {**state, "start_time": page.start_time}
                if page.is_full_second:
                    state = aside.full_second(state, rows)
                else:
                    state = aside.after_page(state, rows, ended=ended)
            is_complete = ended and aside.is_idle(state)
            yield Rows(rows, dict(state), complete=is_complete)
            if is_complete:
                return

    def list(self, after: str | None, params: Mapping[str, Any] | None = None) -> Iterator[Rows]:
        """Pages of a list with cursor paging; the cursor of a page is `{"after"}`, None behind the last.

        A refused cursor starts the list again: rows that come twice change nothing.
        """
        walked: set[str] = set()
        while True:
            asked = {"page[size]": LIST_PAGE, **self._params, **(params or {})}
            if after is not None:
                asked["page[after]"] = after
            try:
                body = self._session.get_json(self._path, params=asked)
            except RejectedError as error:
                if after is None or error.status not in (400, 422):
                    raise
                logger.warning("%s: %s starts again", self._session.label, self._stream)
                after = None
                continue
            meta = body.get("meta") if isinstance(body, dict) else None
            if meta is None and isinstance(body, dict) and body.get("next_page"):
                raise self._stuck("pages by number where it was asked to page by cursor")
            more = bool(meta.get("has_more")) if isinstance(meta, dict) else False
            after = meta.get("after_cursor") if isinstance(meta, dict) and more else None
            if more and (after is None or after in walked):
                raise self._stuck(f"gave the cursor {after!r} a second time without having ended")
            if after is not None:
                walked.add(after)
            yield Rows(self._rows(body), {"after": after}, complete=not more)
            if not more:
                return

    def _time_page(self, start: int) -> _TimePage | None:
        """The page from the second `start` on; None where that second is too fresh to be given."""
        if start > int(self._now()) - FRESH_SECONDS:
            return None
        may_grow = True
        while True:
            try:
                body = self._fetch({"start_time": start})
            except RejectedError as error:
                if not _is_too_fresh(error):
                    raise
                return None
            rows = self._rows(body)
            told, ended = body.get("end_time"), body.get("end_of_stream")
            ended = len(rows) < self._size if ended is None else bool(ended)
            end_time = int(told) if told else start
            if ended or end_time > start:
                return _TimePage(rows, max(end_time, start), ended, is_full_second=False)
            if not rows:
                raise self._stuck(f"has more from the second {start} on and gives nothing")
            if self._size < LARGEST_PAGE and may_grow:
                # The size was halved elsewhere; this second may fit into a page as large as can be.
                self._size, may_grow = LARGEST_PAGE, False
                continue
            return _TimePage(rows, start, ended=False, is_full_second=True)

    def _where(self, state: Mapping[str, Any]) -> dict[str, Any]:
        if state.get("after_cursor"):
            return {"cursor": state["after_cursor"]}
        start = int(state.get("start_time", self._start_at))
        return {"start_time": min(start, int(self._now()) - FRESH_SECONDS)}

    def _restart(self, state: Mapping[str, Any], error: RejectedError) -> dict[str, Any]:
        """Where to take up again when a cursor is refused; once only, since the new state has none."""
        if not state.get("after_cursor") or error.status not in (400, 422):
            raise error
        seen = state.get("seen_until")
        if not isinstance(seen, int | float):
            raise CursorExpiredError(
                f"{self._session.label}: {self._stream}: the cursor is not accepted any more ({error}). "
                "Pull this stream from its beginning; rows that are known already change nothing"
            ) from None
        start = max(0, int(seen) - RESTART_OVERLAP_SECONDS)
        logger.warning(
            "%s: %s: the cursor is not accepted any more; goes on from %d",
            self._session.label,
            self._stream,
            start,
        )
        return {"start_time": start, "seen_until": seen}

    def _fetch(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """One page, at half the size where the account cannot give so much at once."""
        while True:
            try:
                body = self._session.get_json(
                    self._path, params={**self._params, **params, "per_page": self._size}
                )
            except UnavailableError as error:
                if error.status not in TOO_MUCH_STATUSES or self._size <= SMALLEST_PAGE:
                    raise
                self._size = max(SMALLEST_PAGE, self._size // 2)
                logger.warning(
                    "%s: %s: pages of %d from here on",
                    self._session.label,
                    self._stream,
                    self._size,
                )
                continue
            if not isinstance(body, dict):
                raise UnavailableError(f"{self._session.label}: {self._path} gave no object")
            return body

    def _rows(self, body: Any) -> Sequence[Any]:
        rows = body.get(self._stream) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise UnavailableError(
                f"{self._session.label}: {self._path} answered without {self._stream}; is this a Zendesk account?"
            )
        return rows

    def _stuck(self, what: str) -> PermanentError:
        return PermanentError(f"{self._session.label}: {self._stream} {what}")


def _is_too_fresh(error: RejectedError) -> bool:
    return error.status == 400 and "toorecent" in error.body.lower().replace(" ", "")


def whole(pages: Iterator[Rows], label: str) -> Iterator[Rows]:
    """The pages of a walk that must reach its end, because something is concluded from what it did not give.

    Raises:
        UnavailableError: the account refused to give what is there.
    """
    for page in pages:
        if page.is_refused:
            raise UnavailableError(
                f"{label}: Zendesk calls a start time too recent that is more than a minute old; this machine's clock "
                "is ahead of it. Nothing was concluded; the next run goes on from here"
            )
        yield page


def newest_of(rows: Sequence[Any]) -> int | None:
    """Epoch seconds of the newest row: by `generated_timestamp`, the export's own order, else `updated_at`."""
    newest: int | None = None
    for row in rows:
        if not isinstance(row, dict):
            continue
        stamp = row.get("generated_timestamp")
        if not isinstance(stamp, int | float):
            at = instant_of(row.get("updated_at"))
            stamp = None if at is None else at.timestamp()
        if stamp is not None and (newest is None or stamp > newest):
            newest = int(stamp)
    return newest


def instant_of(value: Any) -> datetime | None:
    """The instant of an ISO 8601 text with a zone; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
