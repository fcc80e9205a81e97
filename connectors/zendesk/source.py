"""Zendesk as a source: users, organizations, groups, tickets, their events and ratings, as raw records.

Belongs here: streams, what identifies a row, what a tombstone is, the check. Does not belong here: paging
(`pages`), what the rows mean (`transforms.zendesk`).

Tickets are never bookmarked on `updated_at`: system changes do not move it, and rows were lost that way by
others. The cursor export is followed by its own opaque cursor; comments and field history come in bulk from
the event export, never by a call per ticket.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from connectors.contract import CheckResult, Cursor, Hints, Listed, Page
from connectors.errors import (
    AuthError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    RejectedError,
)
from connectors.http import Policy, PolicySession
from connectors.json_text import written
from connectors.zendesk import articles, windows
from connectors.zendesk.account import address_of, open_session
from connectors.zendesk.beside import ByList, ByTicket
from connectors.zendesk.by_id import ById, fresh_tickets, listed
from connectors.zendesk.companions import Companions, UsersWalker
from connectors.zendesk.events import version_key
from connectors.zendesk.files import file_of
from connectors.zendesk.further import FurtherStreams
from connectors.zendesk.pages import (
    FRESH_SECONDS,
    Aside,
    Rows,
    Walker,
    instant_of,
    whole,
)
from connectors.zendesk.streams import AFTERWARDS, FURTHER, OF_TICKETS, REFERENCES, ticket_id_of
from transforms.model import RawRecord

STREAMS = (
    "users",
    "organizations",
    "groups",
    *REFERENCES,
    *OF_TICKETS,
    "tickets",
    "ticket_events",
    "satisfaction_ratings",
    *AFTERWARDS,
    *articles.STREAMS,
)

OPTIONAL_STREAMS = frozenset({"satisfaction_ratings"})
"""Products that an account may lack: 403 and 404 mean an empty stream there, not a failure."""

_TICKET_FIELD: Mapping[str, str] = {
    "tickets": "id",
    "ticket_events": "ticket_id",
    "satisfaction_ratings": "ticket_id",
}


class ZendeskSource:
    """The read side of a Zendesk account (`contract.Source`, `contract.Reconcilable`, `contract.Hinting`).

    Args:
        subdomain: the word before `.zendesk.com`; or
        base_url: the whole address.
        email, token: login and API token of an administrator (the exports are theirs alone).
        label: how errors name the source, e.g. `client acme, source zendesk`.
        start_at: aware instant; nothing that last changed before it is exported. None: everything.
        session: shared with the write side; None opens one.
        policy: patience of a session that is opened here.
        now: aware UTC now (replaced in tests).
    """

    streams: Sequence[str] = STREAMS
    article_streams: Sequence[str] = articles.STREAMS
    reconciled_streams: Sequence[str] = ("users", "organizations", "groups", "tickets")
    volatile_fields: Mapping[str, Sequence[str]] = {
        "users": ("last_login_at",),
        "tickets": ("generated_timestamp", "satisfaction_probability"),
        **articles.VOLATILE,
    }

    def __init__(
        self,
        *,
        email: str,
        token: str,
        subdomain: str | None = None,
        base_url: str | None = None,
        label: str = "",
        start_at: datetime | None = None,
        session: PolicySession | None = None,
        policy: Policy | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Keeps the settings; makes no call."""
        self.address = address_of(subdomain, base_url)
        self.session = session or open_session(
            self.address, email, token, label=label, policy=policy
        )
        start = 0 if start_at is None else int(start_at.timestamp())

        self._now = now

        def walker(stream: str, path: str, **params: Any) -> Walker:
            return Walker(
                self.session,
                stream,
                path,
                params=params,
                start_at=start,
                now=self._seconds,
            )

        self._start = start
        self._help_center = articles.HelpCenter(
            self.session, now=now, is_signed_in=self._is_signed_in
        )
        self._walkers = {
            "users": UsersWalker(
                self.session,
                "users",
                "api/v2/incremental/users/cursor.json",
                params={"include": "identities"},
                start_at=start,
                now=self._seconds,
            ),
            "organizations": walker("organizations", "api/v2/incremental/organizations.json"),
            "groups": walker("groups", "api/v2/groups.json", exclude_deleted="false"),
            "tickets": walker(
                "tickets", "api/v2/incremental/tickets/cursor.json", include="comment_count"
            ),
            "ticket_events": walker(
                "ticket_events",
                "api/v2/incremental/ticket_events.json",
                include="comment_events",
            ),
            "satisfaction_ratings": walker(
                "satisfaction_ratings", "api/v2/satisfaction_ratings.json"
            ),
        }
        self._asides: dict[str, Aside] = {
            "organizations": ByList(walker("organizations", "api/v2/organizations.json")),
            "ticket_events": ByTicket(self.session, self._walkers["tickets"], self._seconds),
        }
        self._by_id = ById(self.session, _record, self._seconds)
        self._companions = Companions(self.session, self._seconds)
        self._further = FurtherStreams(
            self.session,
            _record,
            now=self._seconds,
            start_at=start,
            is_signed_in=self._is_signed_in,
        )

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of one stream from `cursor` on.

        Raises:
            ConfigurationError: no such stream.
            ConnectorError: as the calls fail; the pages given so far stay good.
        """
        if stream in articles.STREAMS:
            yield from self._help_center.pull(stream, cursor)
            return
        if stream in FURTHER:
            yield from self._further.pull(stream, cursor)
            return
        walk = self._walk(stream, cursor)
        calls, waited = self.session.calls, self.session.seconds_waited
        while True:
            try:
                rows = next(walk)
            except StopIteration:
                return
            except (AuthError, NotFoundError):
                if stream not in OPTIONAL_STREAMS or not self._is_signed_in():
                    raise
                rows = Rows((), dict(cursor or {}), complete=True)
                walk = iter(())
            yield Page(
                records=[
                    *(_record(stream, row) for row in rows.rows),
                    *self._companions.beside(stream, rows.rows),
                ],
                cursor=rows.cursor,
                complete=rows.complete,
                calls=self.session.calls - calls,
                seconds_waited=self.session.seconds_waited - waited,
            )
            calls, waited = self.session.calls, self.session.seconds_waited

    def inventory(self, stream: str) -> Iterator[Sequence[Listed]]:
        """Everything the account holds in a stream: tickets by their export, with the archived, deleted and freshest.

        Raises:
            ConfigurationError: the stream is none of `reconciled_streams`.
            ConnectorError: the list could not be read to its end.
        """
        if stream not in self.reconciled_streams:
            raise ConfigurationError(
                f"{self.session.label}: {stream} cannot be listed whole; can be: {', '.join(self.reconciled_streams)}"
            )
        yield from listed(stream, whole(self._walk(stream, None), self.session.label), _record)
        if stream == "tickets":
            yield from listed(stream, fresh_tickets(self.session, self._seconds), _record)

    def fetch(self, stream: str, remote_ids: Sequence[str]) -> Iterator[Page]:
        """The named records as `pull` gives them, tickets with all their events; what is gone as tombstones.

        Raises:
            ConfigurationError: the stream has no reads by id.
            ConnectorError: as the calls fail.
        """
        return self._by_id.fetch(stream, remote_ids)

    def newest(self, cursor: Cursor | None) -> Hints:
        """Tickets updated since `cursor`, by the list sorted by `updated_at`: no lag, and none of the exports' calls.

        Raises:
            ConnectorError: as the call fails.
        """
        return self._by_id.newest(cursor)

    def file(self, ticket_remote_id: str, remote_url: str) -> Iterator[bytes]:
        """A file of a comment (`contract.FileReading`)."""
        return file_of(self.session, remote_url)

    def check(self) -> CheckResult:
        """Asks who the token acts for, and whether that login may export."""
        name = self.session.label
        try:
            user = self._me()
            if _is_stranger(user):
                # Said to a token that has run out too. A call that a stranger may not make renews an OAuth right.
                self._try_export()
                user = self._me()
            role = str(user.get("role") or "")
            if _is_stranger(user):
                return CheckResult(
                    name,
                    works=False,
                    detail="Zendesk answers as to a stranger: the credential is wrong. "
                    "Check it in the Admin Center under Apps and integrations, APIs",
                )
            who = f"signed in as {user.get('name')} ({role or 'no role told'})"
            if role == "admin":
                return CheckResult(name, works=True, detail=who)
            if role != "agent":
                return CheckResult(
                    name, works=False, detail=f"{who}; the exports need an administrator's token"
                )
            return self._check_agent(name, who)
        except NotFoundError as error:
            detail = f"{error} Is there such an account? Check 'subdomain' or 'base_url'"
            return CheckResult(name, works=False, detail=detail)
        except ConnectorError as error:
            return CheckResult(name, works=False, detail=str(error))

    def _check_agent(self, name: str, who: str) -> CheckResult:
        """Custom roles may allow what the plain agent role does not: one row of the export tells."""
        try:
            self._try_export()
        except AuthError:
            detail = (
                f"{who}; the exports are refused to this login and need an administrator's token"
            )
            return CheckResult(name, works=False, detail=detail)
        return CheckResult(name, works=True, detail=f"{who}; the exports are allowed")

    def _try_export(self) -> None:
        start = int(self._now().timestamp()) - FRESH_SECONDS
        self.session.get_json(
            "api/v2/incremental/tickets/cursor.json",
            params={"start_time": start, "per_page": 1},
        )

    def _seconds(self) -> float:
        return self._now().timestamp()

    def _me(self) -> Mapping[str, Any]:
        body = self.session.get_json("api/v2/users/me.json")
        user = body.get("user") if isinstance(body, dict) else None
        if not isinstance(user, dict):
            raise RejectedError(
                f"{self.session.label}: the answer to /users/me has no user; is this a Zendesk account?"
            )
        return user

    def _is_signed_in(self) -> bool:
        """Whether a refusal is about one product only, not about the credential."""
        try:
            return self._me().get("id") is not None
        except AuthError:
            return False

    def _walk(self, stream: str, cursor: Cursor | None) -> Iterator[Rows]:
        walker = self._walkers.get(stream)
        if walker is None:
            raise ConfigurationError(
                f"{self.session.label}: there is no stream {stream!r}; known are {', '.join(STREAMS)}"
            )
        if stream in ("users", "tickets"):
            return walker.cursor_export(cursor)
        if stream in self._asides:
            return walker.time_export(cursor, self._asides[stream])
        if stream == "satisfaction_ratings":
            return windows.ratings(walker, cursor, self._start)
        return walker.list((cursor or {}).get("after"))


def _record(stream: str, row: Any) -> RawRecord:
    payload = written(row)
    body = row if isinstance(row, dict) else {}
    remote_id = body.get("id")
    ticket_field = _TICKET_FIELD.get(stream)
    ticket_id = body.get(ticket_field) if ticket_field else ticket_id_of(stream, body)
    return RawRecord(
        stream=stream,
        remote_id=f"unreadable-{sha256(payload).hexdigest()[:20]}"
        if remote_id is None
        else str(remote_id),
        payload=payload,
        ticket_remote_id=None if ticket_id is None else str(ticket_id),
        is_tombstone=_is_tombstone(stream, body),
        source_updated_at=instant_of(body.get("updated_at") or body.get("created_at")),
        version_key=version_key(body) if stream == "ticket_events" and body else None,
    )


def _is_stranger(user: Mapping[str, Any]) -> bool:
    return user.get("id") is None or user.get("name") == "Anonymous user"


def _is_tombstone(stream: str, body: Mapping[str, Any]) -> bool:
    if stream == "tickets":
        return body.get("status") == "deleted"
    if stream == "users":
        return body.get("active") is False
    return bool(body.get("deleted") or body.get("deleted_at"))
