"""How Zendesk's three ways of paging are walked: cursor exports, time-based exports, lists.

Belongs here: cursors, page sizes, guards against endless walks. Does not belong here: what the rows mean.

Source: Zendesk developer documentation, "Using the incremental export API", "Pagination".
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """One page as the walk gives it: rows, the cursor behind them, whether nothing more is there for now."""

    rows: Sequence[Any]
    cursor: Mapping[str, Any]
    complete: bool


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

    def cursor_export(
        self, cursor: Mapping[str, Any] | None, seen_until: Callable[[Sequence[Any]], int | None]
    ) -> Iterator[Rows]:
        """Pages of a cursor export.

        Args:
            cursor: `{"after_cursor"}` or `{"start_time"}`, with `seen_until`: the newest row so far.
            seen_until: rows → epoch seconds of the newest in the order of the export.

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
                    yield Rows((), state, complete=True)
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
            newest = max(filter(None, (state.get("seen_until"), seen_until(rows))), default=None)
            if after:
                walked.add(after)
                state = {"after_cursor": after}
            if newest is not None:
                state["seen_until"] = newest
            yield Rows(rows, dict(state), complete=ended)
            if ended:
                return

    def time_export(self, cursor: Mapping[str, Any] | None) -> Iterator[Rows]:
        """Pages of a time-based export; its pages repeat the rows of their edge.

        Raises:
            PermanentError: more rows share one second than a page holds, so that no start time gets past it.
        """
        start = int((cursor or {}).get("start_time", self._start_at))
        while True:
            ask = min(start, int(self._now()) - FRESH_SECONDS)
            try:
                body = self._fetch({"start_time": ask})
            except RejectedError as error:
                if not _is_too_fresh(error):
                    raise
                yield Rows((), {"start_time": start}, complete=True)
                return
            rows = self._rows(body)
            told, ended = body.get("end_time"), body.get("end_of_stream")
            ended = len(rows) < self._size if ended is None else bool(ended)
            end_time = int(told) if told else ask
            if not ended and end_time <= ask:
                if self._size < LARGEST_PAGE:
                    self._size = LARGEST_PAGE
                    continue
                raise self._stuck(
                    f"has more than {len(rows)} rows in the second {ask}; a time-based export cannot get past "
                    "it. Nothing was lost: the cursor stays before it. Ask Zendesk's support to move the rows "
                    "(saving them again gives them a new time)"
                )
            start = max(end_time, ask)
            yield Rows(rows, {"start_time": start}, complete=ended)
            if ended:
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
            more = bool(meta.get("has_more")) if isinstance(meta, dict) else False
            after = meta.get("after_cursor") if isinstance(meta, dict) and more else None
            if more and (after is None or after in walked):
                raise self._stuck(f"gave the cursor {after!r} a second time without having ended")
            if after is not None:
                walked.add(after)
            yield Rows(self._rows(body), {"after": after}, complete=not more)
            if not more:
                return

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
