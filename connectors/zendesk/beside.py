"""What Zendesk's time-based exports cannot give, read beside them: full seconds, mutilated events.

Belongs here: which tickets have to be read one by one and why, how far that is (`pages.Aside`). Does not belong
here: paging itself (`pages`), what makes two shapes of one event the same record (`events`).

A time-based export cannot get past a second that holds more rows than a page. Its rows are then read another way:
- ticket events by `/tickets/{id}/audits`, for every ticket that can have an event in that second: one that was
  there by then and was updated in or after it. The tickets come from the cursor export, from that second on; a
  ticket that changed within the last minute is hidden from it, so the list of the tickets updated last is asked
  too, and the end of the export once more when that minute is over;
- organizations by their plain list.

Events that came in part (a comment without its body) or were changed afterwards (a redaction) are read again with
their ticket's audits. Nothing else costs a call per ticket.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.errors import NotFoundError
from connectors.http import PolicySession
from connectors.zendesk.events import is_mutilated, tells_redaction
from connectors.zendesk.pages import FRESH_SECONDS, Rows, Walker, whole

logger = logging.getLogger(__name__)

RECENT_PAGE = 100
MOST_RECENT_PAGES = 10
"""Pages of the tickets updated last that are asked for at most; the export brings the rest a minute later."""
COVERED_SECONDS = 300
"""How far behind a full second its tickets are taken along: a bulk change fills many seconds, one walk serves them."""
IMPORT_SPREAD_SECONDS = 2
"""An event whose own time is that far from the export's was imported: its ticket's `updated_at` proves nothing."""

Now = Callable[[], float]


class ByTicket:
    """The work beside the event export, in the cursor under `tickets`, `after`, `second`, `covered`, `late`, `mended`.

    - `tickets`, `after`: tickets whose audits are to be read now, and the page of the first one.
    - `second`: the full second that is being read: `at`, `until` (the seconds behind it that are read with it),
      `export` (the walk through the tickets), `imported`.
    - `covered`: the seconds that the last such walk has read, if they too turn out to be full.
    - `late`: full seconds whose hidden minute is to be looked at from `due` on.
    - `mended`: events of the export's edge that were read again already; the edge comes again with each pull.

    Args:
        session: of the account.
        tickets: the walker of the tickets' cursor export.
        now: epoch seconds.
    """

    def __init__(self, session: PolicySession, tickets: Walker, now: Now) -> None:
        """Keeps the settings; makes no call."""
        self._session = session
        self._tickets = tickets
        self._now = now

    def is_idle(self, state: Mapping[str, Any]) -> bool:
        """Whether no ticket and no second waits (late seconds wait for their time)."""
        return not state.get("tickets") and not state.get("second")

    def step(self, state: Mapping[str, Any]) -> tuple[Sequence[Any], dict[str, Any]] | None:
        """One call: a page of a ticket's audits, or a page of the tickets that may have some in the full second."""
        if state.get("tickets"):
            return self._audits(dict(state))
        if state.get("second"):
            return (), self._candidates(dict(state))
        return None

    def full_second(self, state: Mapping[str, Any], rows: Sequence[Any]) -> dict[str, Any]:
        """Starts to read the second by its tickets."""
        at = int(state["start_time"])
        imported = any(
            abs(_seconds(row.get("created_at"), at) - at) >= IMPORT_SPREAD_SECONDS
            for row in rows
            if isinstance(row, dict)
        )
        covered = state.get("covered")
        if covered and at <= covered["until"] and covered["imported"] >= imported:
            return {**state, "start_time": at + 1}
        logger.warning(
            "%s: ticket_events: more than %d rows in the second %d; they are read ticket by ticket",
            self._session.label,
            len(rows),
            at,
        )
        # An audit that is read from now on tells everything up to now.
        until = min(at + COVERED_SECONDS, int(self._now()) - FRESH_SECONDS)
        second = {"at": at, "until": max(at, until), "imported": imported, "export": None}
        return {**state, "second": second}

    def after_page(
        self, state: Mapping[str, Any], rows: Sequence[Any], *, ended: bool
    ) -> dict[str, Any]:
        """Names the tickets of mutilated events; at the end, a late second whose time has come."""
        state = dict(state)
        broken = [row for row in rows if is_mutilated(row) or tells_redaction(row)]
        known = set(state.pop("mended", ()))
        if int(state["start_time"]) > state.get("covered", {"until": 0})["until"]:
            state.pop("covered", None)
        wanted = [row for row in broken if row.get("id") not in known]
        tickets = list(dict.fromkeys(row.get("ticket_id") for row in wanted))
        if tickets:
            state["tickets"] = [ticket for ticket in tickets if ticket is not None]
        # The rows of the edge come again with the next page; those behind it never do.
        edge = int(state["start_time"])
        mended = [row.get("id") for row in broken if _seconds(row.get("timestamp"), edge) >= edge]
        if mended:
            state["mended"] = mended
        if ended:
            self._take_up_late(state)
        return state

    def _take_up_late(self, state: dict[str, Any]) -> None:
        late = list(state.get("late", ()))
        due = next((one for one in late if one["due"] <= self._now()), None)
        if due is None:
            return
        late.remove(due)
        state["second"] = {**due, "is_late": True}
        state["late"] = late
        if not late:
            del state["late"]

    def _audits(self, state: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
        ticket, *others = state["tickets"]
        rows: Sequence[Any] = ()
        after = None
        try:
            page = next(audits_of(self._session, ticket, self._now, state.get("after")))
            rows, after = page.rows, page.cursor["after"]
        except NotFoundError:
            # Deleted: its history is gone with it; the tickets' export brings the tombstone.
            logger.warning("%s: ticket %s was deleted meanwhile", self._session.label, ticket)
        if after is not None:
            return rows, {**state, "after": after}
        state = {**state, "tickets": others}
        state.pop("after", None)
        if not others:
            del state["tickets"]
        return rows, state

    def _candidates(self, state: dict[str, Any]) -> dict[str, Any]:
        """The next page of tickets that may have an event in the second; behind the last one, the export goes on."""
        second = dict(state["second"])
        at = int(second["at"])
        # Taken before the call: what changed while it waits for its turn is hidden from it as well.
        hidden_since = self._now() - FRESH_SECONDS
        walk = self._tickets.cursor_export(second["export"] or {"start_time": at})
        page = next(whole(walk, self._session.label))
        rows, second["export"] = list(page.rows), dict(page.cursor)
        state["second"] = second
        if page.complete:
            rows += recently_updated(self._session, hidden_since)
            self._end(state, second, at)
        found = dict.fromkeys(row["id"] for row in rows if _may_have_events(row, second))
        if found:
            state["tickets"] = list(found)
        return state

    def _end(self, state: dict[str, Any], second: dict[str, Any], at: int) -> None:
        del state["second"]
        if second.pop("is_late", False):
            return
        state["start_time"] = at + 1
        state["covered"] = {"until": second["until"], "imported": second["imported"]}
        due = int(self._now()) + FRESH_SECONDS
        state["late"] = [*state.get("late", ()), {**second, "due": due}]


class ByList:
    """Organizations of a full second, by the list of all of them; in the cursor under `second`.

    Args:
        organizations: the walker of the plain list.
    """

    def __init__(self, organizations: Walker) -> None:
        """Keeps the walker; makes no call."""
        self._organizations = organizations

    def is_idle(self, state: Mapping[str, Any]) -> bool:
        """Whether no second is being read."""
        return not state.get("second")

    def step(self, state: Mapping[str, Any]) -> tuple[Sequence[Any], dict[str, Any]] | None:
        """One page of the list: its rows of that second. One that changed since comes with the export."""
        second = state.get("second")
        if not second:
            return None
        at = int(second["at"])
        page = next(self._organizations.list(second["after"]))
        rows = [
            row
            for row in page.rows
            if isinstance(row, dict) and _seconds(row.get("updated_at"), at) == at
        ]
        if not page.complete:
            return rows, {**state, "second": {"at": at, "after": page.cursor["after"]}}
        behind = {**state, "start_time": at + 1}
        del behind["second"]
        return rows, behind

    def full_second(self, state: Mapping[str, Any], rows: Sequence[Any]) -> dict[str, Any]:
        """Starts to read the list."""
        return {**state, "second": {"at": int(state["start_time"]), "after": None}}

    def after_page(
        self, state: Mapping[str, Any], rows: Sequence[Any], *, ended: bool
    ) -> dict[str, Any]:
        """Nothing to mend."""
        return dict(state)


def audits_of(
    session: PolicySession, ticket: int | str, now: Now, after: str | None = None
) -> Iterator[Rows]:
    """A ticket's history, page by page from the cursor `after` on; an archived ticket's comes in one page.

    Raises:
        NotFoundError: the ticket is deleted or was never there.
    """
    walker = Walker(session, "audits", f"api/v2/tickets/{ticket}/audits.json", now=now)
    return walker.list(after)


def recently_updated(
    session: PolicySession, since: float, most_pages: int = MOST_RECENT_PAGES
) -> list[dict[str, Any]]:
    """Tickets updated at or after `since` (epoch seconds), newest first, without the export's lag of a minute.

    Left out are archived and deleted ones and changes that do not move `updated_at`; more than `most_pages` of 100
    rows too.

    Source: Zendesk developer documentation, "List tickets": `sort_by`, `sort_order` (with offset paging).
    """
    found: list[dict[str, Any]] = []
    for number in range(1, most_pages + 1):
        body = session.get_json(
            "api/v2/tickets.json",
            params={
                "sort_by": "updated_at",
                "sort_order": "desc",
                "per_page": RECENT_PAGE,
                "page": number,
            },
        )
        rows = body.get("tickets") if isinstance(body, dict) else None
        rows = [row for row in rows or () if isinstance(row, dict) and row.get("id") is not None]
        fresh = [row for row in rows if _seconds(row.get("updated_at"), 0) >= since]
        found += fresh
        if len(fresh) < len(rows) or len(rows) < RECENT_PAGE:
            break
    return found


def _may_have_events(row: Any, second: Mapping[str, Any]) -> bool:
    """Whether a ticket can have an event in these seconds: every event moves `updated_at`, but those of imports."""
    if not isinstance(row, dict) or row.get("id") is None or row.get("status") == "deleted":
        return False
    at, until = second["at"], second["until"]
    if _seconds(row.get("created_at"), at) > until:
        return False
    return bool(second["imported"]) or _seconds(row.get("updated_at"), at) >= at


def _seconds(value: Any, otherwise: float) -> float:
    """Epoch seconds of an instant or a number; `otherwise` where it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return otherwise
