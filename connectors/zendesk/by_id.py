"""Zendesk's records by their ids, everything it holds by name, and what changed just now.

Belongs here: `fetch`, `inventory` and `newest` of the source (`contract.Reconcilable`, `contract.Hinting`). Does not
belong here: the streams' own pulls (`source`), paging (`pages`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from connectors.contract import Cursor, Hints, Listed, Page
from connectors.errors import (
    AuthError,
    ConfigurationError,
    NotFoundError,
    UnavailableError,
)
from connectors.http import PolicySession
from connectors.zendesk.beside import Now, audits_of, recently_updated
from connectors.zendesk.pages import FRESH_SECONDS, Rows, Walker, instant_of
from transforms.model import RawRecord

SHOWN_AT_ONCE = 100
MOST_DELETED_PAGES = 10
FIRST_HINTS_SECONDS = 300
"""How far back the first question for hints goes."""

SHOWN_MANY: Mapping[str, str] = {
    "tickets": "api/v2/tickets/show_many.json",
    "users": "api/v2/users/show_many.json",
    "organizations": "api/v2/organizations/show_many.json",
}
SINGLE: Mapping[str, str] = {"tickets": "ticket", "groups": "group"}
"""Streams whose records are asked for one by one, all of them or where they are missing among many."""

Record = Callable[[str, Any], RawRecord]


class ById:
    """Reads by id over one account's session.

    Args:
        session: of the account.
        record: (stream, row) → raw record, as a pull makes it.
        now: epoch seconds.
    """

    def __init__(self, session: PolicySession, record: Record, now: Now) -> None:
        """Keeps the settings; makes no call."""
        self._session = session
        self._record = record
        self._now = now

    def fetch(self, stream: str, remote_ids: Sequence[str]) -> Iterator[Page]:
        """The named records, 100 a call, each ticket with its whole history (a call per ticket).

        What the account does not give any more comes as a tombstone. Ids that are no numbers were never Zendesk's
        and are left out.

        Raises:
            ConfigurationError: the stream has no reads by id.
        """
        if stream not in SHOWN_MANY and stream not in SINGLE:
            raise ConfigurationError(
                f"{self._session.label}: records of {stream} cannot be read by their ids"
            )
        ids = [
            one for one in dict.fromkeys(map(str, remote_ids)) if one.isascii() and one.isdigit()
        ]
        for start in range(0, len(ids), SHOWN_AT_ONCE):
            yield from self._fetch_some(stream, ids[start : start + SHOWN_AT_ONCE])

    def newest(self, cursor: Cursor | None) -> Hints:
        """Tickets updated since the cursor, in one call as a rule."""
        state = dict(cursor or {})
        since = state.get("since", int(self._now()) - FIRST_HINTS_SECONDS)
        seen = set(state.get("seen", ()))
        rows = recently_updated(self._session, since)
        newest = max((_updated(row) for row in rows), default=since)
        hinted = dict.fromkeys(
            str(row["id"])
            for row in reversed(rows)
            if _updated(row) > since or row["id"] not in seen
        )
        at_edge = [row["id"] for row in rows if _updated(row) == newest]
        if newest == since:
            at_edge = sorted(seen.union(at_edge))
        return Hints(list(hinted), {"since": newest, "seen": at_edge})

    def _fetch_some(self, stream: str, ids: Sequence[str]) -> Iterator[Page]:
        calls, waited = self._session.calls, self._session.seconds_waited
        rows = self._shown(stream, ids)
        gone = [one for one in ids if one not in rows]
        records = [self._record(stream, row) for row in rows.values()]
        records += [self._record(stream, row) for row in self._tombstones(stream, gone)]
        yield self._page(records, calls, waited)
        if stream != "tickets":
            return
        for one, row in rows.items():
            if row.get("status") == "deleted":
                continue
            calls, waited = self._session.calls, self._session.seconds_waited
            for page in self._history(one):
                events = [self._record("ticket_events", event) for event in page.rows]
                yield self._page(events, calls, waited)
                calls, waited = self._session.calls, self._session.seconds_waited

    def _history(self, ticket: str) -> Iterator[Rows]:
        try:
            yield from audits_of(self._session, ticket, self._now)
        except NotFoundError:
            return

    def _shown(self, stream: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        if stream in SHOWN_MANY:
            params = {"ids": ",".join(ids)}
            if stream == "tickets":
                params["include"] = "comment_count"
            body = self._session.get_json(SHOWN_MANY[stream], params=params)
            told = body.get(stream) if isinstance(body, dict) else None
            if not isinstance(told, list):
                raise UnavailableError(
                    f"{self._session.label}: {SHOWN_MANY[stream]} answered without {stream}; is this a Zendesk account?"
                )
            rows = {str(row["id"]): row for row in told if isinstance(row, dict) and "id" in row}
        # What is missing among many is asked for alone before it counts as gone.
        for one in ids if stream in SINGLE else ():
            if one not in rows:
                row = self._single(stream, one)
                if row is not None:
                    rows[one] = row
        return {one: rows[one] for one in ids if one in rows}

    def _single(self, stream: str, remote_id: str) -> dict[str, Any] | None:
        try:
            body = self._session.get_json(f"api/v2/{stream}/{remote_id}.json")
        except NotFoundError:
            return None
        row = body.get(SINGLE[stream]) if isinstance(body, dict) else None
        return row if isinstance(row, dict) else None

    def _tombstones(self, stream: str, gone: Sequence[str]) -> list[dict[str, Any]]:
        """Rows that say that these are gone: of a ticket deleted in the last weeks, with when and its subject."""
        if not gone:
            return []
        if stream == "users":
            return [{"id": int(one), "active": False} for one in gone]
        if stream != "tickets":
            return [{"id": int(one), "deleted": True} for one in gone]
        told = self._deleted(set(gone))
        kept = ("subject", "deleted_at")
        return [
            {"id": int(one), "status": "deleted"}
            | {name: told[one][name] for name in kept if one in told and told[one].get(name)}
            for one in gone
        ]

    def _deleted(self, wanted: set[str]) -> dict[str, Mapping[str, Any]]:
        """Those of the tickets that the list of deleted ones still names; it is a nicety, so its end is not sought."""
        told: dict[str, Mapping[str, Any]] = {}
        walker = Walker(
            self._session, "deleted_tickets", "api/v2/deleted_tickets.json", now=self._now
        )
        try:
            for page in islice(walker.list(None), MOST_DELETED_PAGES):
                rows = [row for row in page.rows if isinstance(row, dict)]
                told.update((str(row.get("id")), row) for row in rows)
                if wanted <= told.keys():
                    break
        except (AuthError, NotFoundError):
            return told
        return told

    def _page(self, records: Sequence[RawRecord], calls: int, waited: float) -> Page:
        session = self._session
        return Page(
            records, {}, complete=False,
            calls=session.calls - calls, seconds_waited=session.seconds_waited - waited,
        )  # fmt: skip


def listed(stream: str, pages: Iterator[Rows], record: Record) -> Iterator[Sequence[Listed]]:
    """The rows of a walk as an inventory names them."""
    for page in pages:
        names = []
        for row in page.rows:
            if not isinstance(row, dict) or row.get("id") is None:
                continue
            count = row.get("comment_count")
            names.append(
                Listed(
                    remote_id=str(row["id"]),
                    is_tombstone=record(stream, row).is_tombstone,
                    updated_at=instant_of(row.get("updated_at")),
                    children=count if isinstance(count, int) else None,
                    # Whether the count leaves out notes is documented nowhere.
                    children_is_least=True,
                )
            )
        yield names


def fresh_tickets(session: PolicySession, now: Now) -> Iterator[Rows]:
    """The tickets of the last minute, which the export does not name yet."""
    yield Rows(recently_updated(session, now() - FRESH_SECONDS), {}, complete=True)


def _updated(row: Mapping[str, Any]) -> int:
    at = instant_of(row.get("updated_at"))
    return int((at or datetime(1970, 1, 1, tzinfo=UTC)).timestamp())
