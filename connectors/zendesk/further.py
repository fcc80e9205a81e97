"""Pulls the further streams of a Zendesk account; one that the account lacks is empty.

Belongs here: which walk a stream of `streams.FURTHER` takes, and what a refusal means. Does not belong here: the
table itself (`streams`), walking (`windows`, `pages`).
"""

from collections.abc import Callable, Iterator
from typing import Any

from connectors.contract import Cursor, Page
from connectors.errors import AuthError, NotFoundError
from connectors.http import PolicySession
from connectors.zendesk import windows
from connectors.zendesk.pages import Rows, Walker
from connectors.zendesk.streams import FURTHER
from transforms.model import RawRecord


class FurtherStreams:
    """The further streams of one account.

    Args:
        session: of the account.
        record: (stream, row) → raw record.
        now: epoch seconds.
        start_at: epoch seconds from which windows go.
        is_signed_in: whether the credential is good at all; asked only where a stream is refused.
    """

    def __init__(
        self,
        session: PolicySession,
        record: Callable[[str, Any], RawRecord],
        *,
        now: Callable[[], float],
        start_at: int,
        is_signed_in: Callable[[], bool],
    ) -> None:
        """Keeps what it asks with; makes no call."""
        self._session = session
        self._record = record
        self._now = now
        self._start_at = start_at
        self._is_signed_in = is_signed_in

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of one of `FURTHER`; a companion's is one empty page, without a call.

        Raises:
            ConnectorError: as the calls fail; a product that the account lacks is no failure.
        """
        calls, waited = self._session.calls, self._session.seconds_waited
        walk = self._walk(stream, cursor)
        while True:
            try:
                rows = next(walk)
            except StopIteration:
                return
            except (AuthError, NotFoundError):
                if not self._is_signed_in():
                    raise
                rows = Rows((), dict(cursor or {}), complete=True)
                walk = iter(())
            yield Page(
                records=[self._record(stream, row) for row in rows.rows],
                cursor=rows.cursor,
                complete=rows.complete,
                calls=self._session.calls - calls,
                seconds_waited=self._session.seconds_waited - waited,
            )
            calls, waited = self._session.calls, self._session.seconds_waited

    def _walk(self, stream: str, cursor: Cursor | None) -> Iterator[Rows]:
        one = FURTHER[stream]
        if one.way == "companion":
            return iter([Rows((), dict(cursor or {}), complete=True)])
        walker = Walker(
            self._session,
            stream,
            one.path,
            params=one.params,
            start_at=self._start_at,
            now=self._now,
        )
        if stream == "ticket_metric_events":
            return windows.metric_events(walker, cursor, self._start_at)
        if stream == "survey_responses":
            return windows.surveys(walker, cursor, self._start_at, self._now())
        return windows.whole_list(walker, cursor, tells_vanished=one.tells_vanished)
