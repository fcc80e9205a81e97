"""Freshdesk as a source: its streams, and a check that proves address, key and permission.

Belongs here: wiring. Does not belong here: how a stream is read (`tickets`, `lists`), what records mean.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.contract import CheckResult, Cursor, Hints, Listed, Page
from connectors.errors import AuthError, ConfigurationError, ConnectorError, NotFoundError
from connectors.freshdesk import articles
from connectors.freshdesk.api import CALLS_AT_ONCE, FreshdeskApi
from connectors.freshdesk.files import Files
from connectors.freshdesk.limits import ACCOUNT, endpoint_class, limits_of
from connectors.freshdesk.lists import (
    DATED_LISTS,
    WHOLE_LISTS,
    pull_contacts,
    pull_dated,
    pull_whole,
)
from connectors.freshdesk.reconcile import fetch, inventory, newest
from connectors.freshdesk.tickets import pull_tickets
from connectors.http import Policy, PolicySession

EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
"""Before the first Freshdesk account. Asked for outright: without a date the list ends 30 days back."""


class FreshdeskSource:
    """The read side of one Freshdesk account (`connectors.contract.Source`).

    Args:
        api_key: an agent's API key; it reads what that agent may see, so the agent needs global access.
        domain: `acme` or `acme.freshdesk.com` (never the vanity address, which has no API).
        base_url: wins over `domain`, for tests and proxies.
        label: how errors name this account, e.g. `client acme, source freshdesk`.
        start: nothing updated before this instant is read.
        with_archive: whether tickets that no list gives are looked for in the archive, once.
        calls_at_once: how many tickets are asked for beside each other at most; see `connectors.workers`.
        policy: how patient the session is.
        now: aware UTC now.
        session_options: `budgets` of `PolicySession`, which all that share the key give; `time_scale`, `clock`,
            `sleep`, `wall_clock` of it, for tests.

    Raises:
        ConfigurationError: neither `domain` nor `base_url` is given.
    """

    streams: Sequence[str] = (
        *WHOLE_LISTS,
        "contacts",
        "tickets",
        *DATED_LISTS,
        *articles.STREAMS,
    )
    volatile_fields: Mapping[str, Sequence[str]] = {
        "agents": ("available", "available_since", "last_active_at"),
        "tickets": ("missing_since",),
        **articles.VOLATILE,
    }
    article_streams: Sequence[str] = articles.STREAMS
    reconciled_streams: Sequence[str] = ("tickets",)

    def __init__(
        self,
        *,
        api_key: str,
        domain: str | None = None,
        base_url: str | None = None,
        label: str = "",
        start: datetime = EARLIEST,
        with_archive: bool = True,
        calls_at_once: int = CALLS_AT_ONCE,
        policy: Policy | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        **session_options: Any,
    ) -> None:
        """Keeps the settings; opens no connection."""
        address = base_url or _address(domain)
        self.session = PolicySession(
            address,
            auth=(api_key, "X"),
            secrets=(api_key,),
            label=label or f"freshdesk account {address.partition('://')[2]}",
            policy=policy,
            classify=endpoint_class,
            limits=limits_of,
            account_class=ACCOUNT,
            **session_options,
        )
        self._api = FreshdeskApi(self.session, now, calls_at_once)
        self._files = Files(self._api)
        self._solutions = articles.Solutions(self._api, now)
        self._start = start.astimezone(UTC)
        self._with_archive = with_archive
        self._now = now

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of a stream from `cursor` on (None: from the beginning); see `Source.pull`.

        Raises:
            ConnectorError: one of the family in `connectors.errors`.
            ValueError: there is no such stream.
        """
        if stream in WHOLE_LISTS:
            return pull_whole(self._api, stream, cursor, self._now)
        if stream == "contacts":
            return pull_contacts(self._api, cursor, self._start)
        if stream == "tickets":
            return pull_tickets(self._api, cursor, self._start, with_archive=self._with_archive)
        if stream in DATED_LISTS:
            return pull_dated(self._api, stream, cursor, self._start, self._now)
        if stream in articles.STREAMS:
            return self._solutions.pull(stream, cursor)
        raise ValueError(f"Freshdesk has no stream {stream!r}; it has {', '.join(self.streams)}")

    def inventory(self, stream: str) -> Iterator[Sequence[Listed]]:
        """Every ticket that the lists give; see `Reconcilable.inventory`.

        Raises:
            ConnectorError: a list could not be read to its end.
            ValueError: the stream is not `tickets`.
        """
        self._only_tickets(stream)
        return inventory(self._api, self._start)

    def fetch(self, stream: str, remote_ids: Sequence[str]) -> Iterator[Page]:
        """The named tickets with their conversations; see `Reconcilable.fetch`.

        Raises:
            ConnectorError: one could not be read; whether it is there is not known.
            ValueError: the stream is not `tickets`.
        """
        self._only_tickets(stream)
        return fetch(self._api, remote_ids)

    def newest(self, cursor: Cursor | None) -> Hints:
        """Tickets changed since `cursor`, in one call; see `Hinting.newest`.

        Raises:
            ConnectorError: the list was not given.
        """
        return newest(self._api, cursor, self._now())

    def file(self, ticket_remote_id: str, remote_url: str) -> Iterator[bytes]:
        """A file of a ticket (`contract.FileReading`)."""
        return self._files.read(ticket_remote_id, remote_url)

    def check(self) -> CheckResult:
        """Asks for one ticket, and whose key it is: an agent with less than global access is shown fewer tickets.

        Source: Freshdesk API v2 reference, "View the currently authenticated agent" (`ticket_scope`).
        """
        name = self.session.label
        try:
            self._api.list_page("tickets", {"per_page": 1})
            try:
                agent = self.session.get_json("api/v2/agents/me")
            except (AuthError, NotFoundError):
                # Not every role may see agents; the tickets came.
                agent = None
        except NotFoundError as error:
            detail = f"{error} Is there such an account? Check 'domain' or 'base_url'"
            return CheckResult(name, False, detail)
        except ConnectorError as error:
            return CheckResult(name, False, str(error))
        if not isinstance(agent, dict):
            return CheckResult(name, True, "the key reads tickets")
        contact = agent.get("contact")
        who = (contact.get("name") if isinstance(contact, dict) else None) or "an agent"
        scope = _NARROW_SCOPES.get(str(agent.get("ticket_scope")))
        if scope is not None:
            detail = (
                f"the key of {who} has {scope} access: tickets outside of it would be missing. Give the agent global "
                "access in Freshdesk (Admin › Agents › Scope), or take another agent's key"
            )
            return CheckResult(name, False, detail)
        return CheckResult(name, True, f"the key of {who} reads tickets")

    def close(self) -> None:
        """Ends the workers and closes the session's connections."""
        self._api.close()
        self.session.close()

    def _only_tickets(self, stream: str) -> None:
        if stream != "tickets":
            raise ValueError(f"only tickets can be listed whole or by id, not {stream!r}")


_NARROW_SCOPES = {"2": "group", "3": "restricted"}
"""`ticket_scope` of agents who do not see all tickets; 1 is global access."""


def _address(domain: str | None) -> str:
    if not domain:
        raise ConfigurationError(
            "a freshdesk source needs 'domain' (acme.freshdesk.com) or 'base_url'; neither is given"
        )
    host = domain.strip().removeprefix("https://").strip("/")
    return f"https://{host if '.' in host else f'{host}.freshdesk.com'}"
