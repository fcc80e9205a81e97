"""The values of a ticket's fields as one row of a file export has them.

Belongs here: which fields have a history, source words → canonical words, warnings about unknown ones. Does
not belong here: what changed from row to row (`file_export_history`).
"""

from collections.abc import Callable, Mapping

from transforms.file_export_rows import Row
from transforms.mapping import FileMapping
from transforms.model import ActorKind

FIELD_PREFIX = "fields."
"""Before the name of a tracked column, so that it is never taken for a field that means something to us."""

REQUESTER_PREFIX = "requester:"
"""Before a requester's identity: in a company's own service desk the same name or address is an agent's too."""

Values = Mapping[str, str | None]
"""Field → value; `status` and `priority` in canonical words."""

Warn = Callable[[str, str], None]
"""Takes a rule and what was found."""

_PLAIN_ROLES = (
    "assignee",
    "team",
    "organisation",
    "channel",
    "category",
    "type",
    "tags",
    "subject",
)


class ValueReader:
    """Reads values by one mapping."""

    def __init__(self, mapping: FileMapping) -> None:
        """Prepares the look-ups; words are matched whatever their case."""
        self._columns = mapping.columns
        self._statuses = {word.casefold(): status for word, status in mapping.statuses.items()}
        self._priorities = {word.casefold(): given for word, given in mapping.priorities.items()}
        self._automatic = frozenset(mapping.automatic_actors)
        self._actor_kind: ActorKind = mapping.actor_kind
        columns = mapping.columns.named()
        self._plain = {role: columns[role] for role in _PLAIN_ROLES if role in columns}
        self._plain |= {FIELD_PREFIX + column: column for column in mapping.track}

    def values(self, row: Row, before: Values, warn: Warn) -> dict[str, str | None]:
        """Every field's value in this row. A missing status means: as `before`."""
        values: dict[str, str | None] = {
            "status": self._status(row, before.get("status"), warn),
            "priority": self._priority(row, warn),
            "requester": self.requester(row),
        }
        for name, column in self._plain.items():
            values[name] = row.cells.get(column)
        return values

    def requester(self, row: Row) -> str | None:
        """The requester's identity in this file: the e-mail address in small letters, else name or code."""
        email = self.cell(row, "requester_email")
        name = self.cell(row, "requester") if email is None else email.lower()
        return None if name is None else REQUESTER_PREFIX + name

    def actor(self, row: Row) -> tuple[ActorKind, str | None]:
        """Who made the row's change."""
        name = self.cell(row, "actor")
        if name is None:
            return "unknown", None
        return ("bot" if name in self._automatic else self._actor_kind), name

    def cell(self, row: Row, role: str) -> str | None:
        """The text in the column of this role."""
        column = getattr(self._columns, role)
        return row.cells.get(column) if column else None

    def _status(self, row: Row, before: str | None, warn: Warn) -> str:
        if self._columns.status is None:
            return before or "new"
        word = row.cells.get(self._columns.status)
        if word is None and before is not None:
            return before
        status = self._statuses.get(word.casefold()) if word is not None else None
        if status is None:
            warn("unknown status", f"{word!r} counts as open" if word else "none counts as open")
            return "open"
        return status

    def _priority(self, row: Row, warn: Warn) -> str | None:
        word = self.cell(row, "priority")
        if word is None:
            return None
        priority = self._priorities.get(word.casefold())
        if priority is None:
            warn("unknown priority", f"{word!r} counts as none")
        return priority
