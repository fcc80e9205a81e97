"""Rows of one ticket, in order → its change history.

Belongs here: changes from row to row, statuses that only a time column tells. Does not belong here: reading
a row (`file_export_rows`), its values (`file_export_values`), the ticket itself (`file_export`).

As of: a change stands at the instant of the row that brought it, so rows that come later never alter it.
The first row's values hold from the ticket's creation and are no changes: they are the old value of a field's
first change, or today's. Only a status that no ticket begins with (pending, solved …) is a change from `new`
at the row's own instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from transforms.file_export_rows import Row, RowReader
from transforms.file_export_values import ValueReader, Values
from transforms.mapping import FileMapping
from transforms.model import END_STATUSES, DataWarning, SourceChange

UPDATE = "update"
"""The change of a row that changes no field we keep a history of: from None to None. So each row can be
followed into the history, and the sums over rows close."""

RESPONDED = "responded"
"""The first time a ticket is in one of the mapping's `responded_when` statuses."""

ENDED = frozenset({"solved", "closed"})

_BEGINNINGS = ("new", "open")


class UntimedEndError(Exception):
    """A `rows: ticket` row says solved, closed, deleted, spam or merged, and nothing says when."""


@dataclass(slots=True)
class TicketHistory:
    """What the rows of one ticket tell of its course."""

    ticket: str
    created_at: datetime
    values: Values = field(default_factory=dict)
    """The values after the last row."""
    changes: list[SourceChange] = field(default_factory=list)
    warnings: dict[DataWarning, None] = field(default_factory=dict)

    def warn(self, rule: str, detail: str) -> None:
        """Notes something a person may want to know, once."""
        self.warnings[DataWarning(self.ticket, rule, detail[:500])] = None


class HistoryReader:
    """Makes histories by one mapping."""

    def __init__(self, mapping: FileMapping, rows: RowReader, values: ValueReader) -> None:
        """Prepares the look-ups."""
        self._rows = rows
        self._values = values
        self._status_column = mapping.columns.status
        self._responded = frozenset(
            word.casefold()
            for word in (mapping.responded_when.status if mapping.responded_when else ())
        )

    def of_change_rows(self, rows: Sequence[Row]) -> TicketHistory:
        """The history of a ticket with one row per change; `rows` in order, at least one."""
        first_at = rows[0].changed_at
        created_at = self._rows.time(rows[0], "created_at") or first_at
        history = TicketHistory(rows[0].ticket, min(created_at, first_at))
        if created_at > first_at:
            history.warn("created after its first change", created_at.isoformat())
        for row in rows:
            values = self._values.values(row, history.values, history.warn)
            if row is rows[0]:
                history.values = _at_birth(values)
            self._append(history, row, values, row.changed_at)
            self._note_response(history, row)
        if history.values["status"] == "closed":
            self._solve_before_close(history, rows[-1])
        return _numbered(history)

    def of_ticket_rows(self, rows: Sequence[Row]) -> TicketHistory:
        """The history of a ticket with one row per ticket; further rows are later exports of it.

        Changes between two exports are marked observed; so is an end whose own column is empty.

        Raises:
            UntimedEndError: the ticket has ended and no column says when.
        """
        created_at = self._rows.time(rows[0], "created_at") or rows[0].changed_at
        history = TicketHistory(rows[0].ticket, created_at)
        for row in rows:
            values = self._values.values(row, history.values, history.warn)
            if row is rows[0]:
                history.values = _at_birth(values)
            self._append_statuses(history, row, str(values["status"]))
            if not row.is_change_timed and values != history.values:
                history.warn("changed without a time", "the row tells no changed_at")
                history.values = values
            at = max(row.changed_at, created_at)
            self._append(history, row, values, at, is_observed=True)
        return _numbered(history)

    def _append(
        self,
        history: TicketHistory,
        row: Row,
        values: Values,
        at: datetime,
        *,
        is_observed: bool = False,
    ) -> None:
        """Goes on to `values`: a change for each field that differs, or an `update` for a row without any."""
        before = history.values
        for name, value in values.items():
            if before.get(name) != value:
                self._add(history, row, name, before.get(name), value, at, is_observed)
        history.values = values
        last = history.changes[-1] if history.changes else None
        if last is None or last.raw_remote_id != row.record.remote_id:
            self._add(history, row, UPDATE, None, None, at, is_observed)

    def _append_statuses(self, history: TicketHistory, row: Row, told: str) -> None:
        """Goes on to the status that the row tells, each step at the time its column tells."""
        before = str(history.values["status"])
        resolved_at = self._own_time(history, row, "resolved_at")
        closed_at = self._own_time(history, row, "closed_at")
        changed_at = max(row.changed_at, history.created_at) if row.is_change_timed else None
        has_ended = told in END_STATUSES | ENDED
        if told == "closed" and before not in ENDED and resolved_at is not None:
            at = min(resolved_at, closed_at or changed_at or resolved_at)
            self._add(history, row, "status", before, "solved", at)
            before = "solved"
        if resolved_at is not None and not has_ended:
            history.warn("resolved_at on an open ticket", resolved_at.isoformat())
        if told != before:
            own = {"solved": resolved_at, "closed": closed_at}.get(told)
            at_last = own or changed_at or (closed_at or resolved_at if has_ended else None)
            if at_last is not None:
                self._add(history, row, "status", before, told, at_last, own is None)
            elif has_ended:
                word = self._values.cell(row, "status")
                raise UntimedEndError(f"column {self._status_column!r} says {word!r} ({told})")
            else:
                history.warn("status without a time", f"since when it is {told} is not told")
        history.values = {**history.values, "status": told}

    def _own_time(self, history: TicketHistory, row: Row, role: str) -> datetime | None:
        """A time that the ticket's own column tells, never before its creation."""
        at = self._rows.time(row, role)
        if at is not None and at < history.created_at:
            history.warn(f"{role} before created_at", at.isoformat())
            return history.created_at
        return at

    def _solve_before_close(self, history: TicketHistory, last: Row) -> None:
        """Adds the solved status that the log left out, where the `resolved_at` column tells it.

        Only on a ticket that its last row calls closed: on an open one the column tells what lies ahead.
        """
        changes = history.changes
        places = [n for n, change in enumerate(changes) if change.field == "status"]
        at = self._rows.time(last, "resolved_at")
        if at is None or any(changes[n].new_value == "solved" for n in places):
            return
        place = next(n for n in places if changes[n].new_value == "closed")
        closing = changes[place]
        earlier = [changes[n].occurred_at for n in places if n < place]
        if not max([history.created_at, *earlier]) <= at <= closing.occurred_at:
            history.warn("resolved_at does not fit", at.isoformat())
            return
        self._add(history, last, "status", closing.old_value, "solved", at, is_observed=True)
        changes[place : place + 1] = [changes.pop(), replace(closing, old_value="solved")]

    def _note_response(self, history: TicketHistory, row: Row) -> None:
        word = self._values.cell(row, "status")
        if word is None or word.casefold() not in self._responded:
            return
        if not any(change.field == RESPONDED for change in history.changes):
            self._add(history, row, RESPONDED, None, word, row.changed_at)

    def _add(
        self,
        history: TicketHistory,
        row: Row,
        name: str,
        before: str | None,
        after: str | None,
        at: datetime,
        is_observed: bool = False,
    ) -> None:
        """Appends one change. A row may tell several statuses, so a status change names its own."""
        kind, actor = self._values.actor(row)
        part = f"status:{after}" if name == "status" else name
        change = SourceChange(
            remote_id=f"{row.record.remote_id}:{part}",
            ticket_remote_id=history.ticket,
            field=name,
            old_value=before,
            new_value=after,
            occurred_at=at,
            actor_kind=kind,
            actor_remote_id=actor,
            is_observed=is_observed,
            raw_stream=row.record.stream,
            raw_remote_id=row.record.remote_id,
        )
        history.changes.append(change)


def _at_birth(values: Values) -> Values:
    """The first row's values as they hold from the creation on."""
    return values if values["status"] in _BEGINNINGS else {**values, "status": "new"}


def _numbered(history: TicketHistory) -> TicketHistory:
    """Changes in order of their instants; those of one instant keep the order in which they were told."""
    ordered = sorted(history.changes, key=lambda change: change.occurred_at)
    history.changes = [replace(change, position=n) for n, change in enumerate(ordered)]
    return history
