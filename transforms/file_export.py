"""Rows of a file export → the unified model: tickets with their history, people, teams, first messages.

Belongs here: putting a ticket together from its rows, and the sums over rows. Does not belong here: reading a
row (`file_export_rows`), the changes (`file_export_history`), files (`connectors.file_export`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from transforms.file_export_history import ENDED, HistoryReader, TicketHistory, UntimedEndError
from transforms.file_export_rows import Row, RowReader
from transforms.file_export_values import ValueReader
from transforms.mapping import FileMapping
from transforms.model import (
    Batch,
    RawRecord,
    Rejected,
    SourceComment,
    SourceOrganisation,
    SourcePerson,
    SourceTeam,
    SourceTicket,
)

VERSION = "file_export-1"
"""Goes onto every derived row; grows when the same raw rows would give other results."""

_YES = frozenset({"true", "yes", "y", "1", "t"})
_NO = frozenset({"false", "no", "n", "0", "f"})


@dataclass(frozen=True, slots=True)
class RowCount:
    """The sums over rows: `rows` = `in_history` + `rejected`, else rows were lost."""

    rows: int
    in_history: int
    rejected: int

    @property
    def closes(self) -> bool:
        """Whether every row is accounted for."""
        return self.rows == self.in_history + self.rejected


def normalise(records: Iterable[RawRecord], mapping: FileMapping) -> Batch:
    """The unified model of some tickets' rows.

    Args:
        records: all rows of the tickets in question, in the order in which they were stored; rows of several
            tickets may be mixed. Rows without a ticket are rejected.
        mapping: what the columns mean.

    Returns:
        One ticket per ticket id that has a row which can be understood; its changes, each naming its raw row;
        every other row in `rejected` with a reason.
    """
    reader = RowReader(mapping)
    batch = Batch()
    tickets: dict[str, list[Row]] = {}
    for record in records:
        row = reader.read(record)
        if isinstance(row, Rejected):
            batch.rejected.append(row)
        else:
            tickets.setdefault(row.ticket, []).append(row)
    assembler = _Assembler(mapping, reader, batch)
    for rows in tickets.values():
        assembler.add(rows)
    assembler.finish()
    return batch


def count_rows(records: Iterable[RawRecord], batch: Batch) -> RowCount:
    """How many of the rows stand in the batch's history and how many in its rejected list.

    Args:
        records: the records that `normalise` was given.
        batch: what it gave.
    """
    followed = {change.raw_remote_id for change in batch.changes}
    rejected = {rejection.remote_id for rejection in batch.rejected}
    given = {record.remote_id for record in records}
    return RowCount(len(given), len(given & followed), len(given & rejected))


_END_TIMES = ("resolved_at", "closed_at", "changed_at")
"""Roles of the columns that tell when a ticket ended."""


class _Assembler:
    """Puts tickets into a batch, and each person, team and organisation once."""

    def __init__(self, mapping: FileMapping, reader: RowReader, batch: Batch) -> None:
        self._mapping = mapping
        self._reader = reader
        self._values = ValueReader(mapping)
        self._histories = HistoryReader(mapping, reader, self._values)
        self._batch = batch
        self._people: dict[tuple[bool, str], SourcePerson] = {}
        self._organisations: dict[str, SourceOrganisation] = {}
        self._teams: dict[str, SourceTeam] = {}
        used = {*mapping.columns.named().values(), *mapping.ignore}
        self._unnamed = used - set(mapping.track)
        self._afterwards = frozenset(mapping.known_afterwards)

    def add(self, rows: list[Row]) -> None:
        """Adds one ticket with its history, or rejects its rows."""
        try:
            if self._mapping.rows == "change":
                rows.sort(key=lambda row: row.sort_key)
                history = self._histories.of_change_rows(rows)
            else:
                # Later exports of one ticket: lines of different files say nothing, their arrival does.
                rows.sort(key=lambda row: row.changed_at)
                history = self._histories.of_ticket_rows(rows)
        except UntimedEndError as error:
            self._batch.rejected += [
                Rejected(
                    row.record.stream,
                    row.record.remote_id,
                    "ended without a time",
                    f"{error}; {self._empty_times(row)}",
                )
                for row in rows
            ]
            return
        self._batch.tickets.append(self._ticket(rows[-1], history))
        self._batch.changes += history.changes
        self._batch.warnings += history.warnings
        self._add_comments(rows, history)
        for row in rows:
            self._meet(row)

    def _empty_times(self, row: Row) -> str:
        """Which columns could have told when the ticket ended, and do not in this row."""
        named = self._mapping.columns.named()
        columns = [named[role] for role in _END_TIMES if role in named]
        empty = [column for column in columns if column not in row.cells]
        if not empty:
            return f"the mapping names no column for the time ({', '.join(_END_TIMES)})"
        plural = "s" if len(empty) > 1 else ""
        return f"since when stands in no cell: empty column{plural} {', '.join(map(repr, empty))}"

    def finish(self) -> None:
        """Hands over those met in the rows."""
        self._batch.people += self._people.values()
        self._batch.organisations += self._organisations.values()
        self._batch.teams += self._teams.values()

    def _ticket(self, last: Row, history: TicketHistory) -> SourceTicket:
        cell = self._values.cell
        values = history.values
        updated_at = max(last.changed_at, history.changes[-1].occurred_at)
        return SourceTicket(
            remote_id=history.ticket,
            number=history.ticket,
            subject=cell(last, "subject") or "",
            status=str(values["status"]),
            source_status=cell(last, "status") or "",
            priority=values["priority"],
            source_priority=cell(last, "priority"),
            created_at=history.created_at,
            updated_at=updated_at,
            channel=(cell(last, "channel") or "unknown").lower(),
            type=cell(last, "type"),
            category=cell(last, "category"),
            requester_remote_id=self._values.requester(last),
            organisation_remote_id=cell(last, "organisation"),
            assignee_remote_id=cell(last, "assignee"),
            team_remote_id=cell(last, "team"),
            url=cell(last, "url"),
            tags=self._tags(last),
            fields=self._fields(last, has_ended=values["status"] in ENDED),
            source_verdict=self._verdict(last, is_closed=values["status"] == "closed"),
        )

    def _tags(self, row: Row) -> tuple[str, ...]:
        parts = (self._values.cell(row, "tags") or "").split(self._mapping.tag_separator)
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def _fields(self, row: Row, *, has_ended: bool) -> dict[str, str]:
        """The columns that have no place of their own; those known only afterwards on ended tickets only."""
        return {
            column: text
            for column, text in row.cells.items()
            if column not in self._unnamed and (has_ended or column not in self._afterwards)
        }

    def _verdict(self, row: Row, *, is_closed: bool) -> dict[str, bool]:
        """The source's verdict; before a ticket is closed, logs say kept whatever will come of it."""
        word = (self._values.cell(row, "sla_met") or "").casefold()
        return {"is_sla_met": word in _YES} if is_closed and word in _YES | _NO else {}

    def _add_comments(self, rows: Sequence[Row], history: TicketHistory) -> None:
        """The description as the requester's first message, and each text that is new in `comment`."""
        described = before = None
        for row in rows:
            description = self._values.cell(row, "description")
            if description is not None and described is None:
                described = description
                self._batch.comments.append(
                    SourceComment(
                        remote_id=f"{row.ticket}:description",
                        ticket_remote_id=row.ticket,
                        created_at=history.created_at if row is rows[0] else row.changed_at,
                        author_kind="customer",
                        author_remote_id=self._values.requester(row),
                        is_public=True,
                        text=description,
                        subject=self._values.cell(row, "subject"),
                        raw_stream=row.record.stream,
                        raw_remote_id=row.record.remote_id,
                    )
                )
            comment = self._values.cell(row, "comment")
            if comment is not None and comment != before:
                kind, actor = self._values.actor(row)
                self._batch.comments.append(
                    SourceComment(
                        remote_id=f"{row.record.remote_id}:comment",
                        ticket_remote_id=row.ticket,
                        created_at=max(row.changed_at, history.created_at),
                        author_kind=kind,
                        author_remote_id=actor,
                        is_public=self._mapping.comments_are_public,
                        text=comment,
                        raw_stream=row.record.stream,
                        raw_remote_id=row.record.remote_id,
                    )
                )
            before = comment

    def _meet(self, row: Row) -> None:
        cell = self._values.cell
        if (name := cell(row, "team")) is not None and name not in self._teams:
            self._teams[name] = SourceTeam(name, name)
        organisation = cell(row, "organisation")
        if organisation is not None and organisation not in self._organisations:
            self._organisations[organisation] = SourceOrganisation(organisation, organisation)
        if (requester := self._values.requester(row)) is not None:
            email, phone = cell(row, "requester_email"), cell(row, "requester_phone")
            self._add_person(
                SourcePerson(
                    remote_id=requester,
                    is_agent=False,
                    name=cell(row, "requester"),
                    emails=() if email is None else (email,),
                    phones=() if phone is None else (phone,),
                    organisation_remote_id=organisation,
                )
            )
        kind, actor = self._values.actor(row)
        for agent in (cell(row, "assignee"), actor if kind == "agent" else None):
            if agent is not None and (True, agent) not in self._people:
                is_address = "@" in agent and " " not in agent
                self._add_person(
                    SourcePerson(
                        remote_id=agent,
                        is_agent=True,
                        name=None if is_address else agent,
                        emails=(agent,) if is_address else (),
                    )
                )

    def _add_person(self, person: SourcePerson) -> None:
        """Keeps one record per person: the longest name, every address and number that was met."""
        key = (person.is_agent, person.remote_id)
        known = self._people.get(key)
        if known is None:
            self._people[key] = person
        elif known != person:
            self._people[key] = replace(
                known,
                name=max(known.name or "", person.name or "", key=len) or None,
                emails=tuple(dict.fromkeys((*known.emails, *person.emails))),
                phones=tuple(dict.fromkeys((*known.phones, *person.phones))),
                organisation_remote_id=person.organisation_remote_id
                or known.organisation_remote_id,
            )
