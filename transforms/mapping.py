"""The mapping file of a file export: which column means what, and which word means which status.

Belongs here: the validated mapping and its errors (`load_mapping`). Does not belong here: reading files,
or what is made of the rows (`transforms.file_export`).
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from transforms.model import Priority, Status
from transforms.yaml_document import load_document


def _as_text(value: Any) -> Any:
    """A plain number as the text it was written as; YAML's yes/no words must be quoted."""
    if isinstance(value, bool):
        raise ValueError("YAML reads this word as yes or no; put it in quotes")
    return str(value) if isinstance(value, int | float) else value


def _texts_as_keys(value: Any) -> Any:
    return (
        {_as_text(key): item for key, item in value.items()} if isinstance(value, dict) else value
    )


Word = Annotated[str, BeforeValidator(_as_text)]
Column = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Part):
    """Our name for a thing → the name of the column that holds it. Only `ticket` is always needed."""

    ticket: Column
    """The ticket's id."""
    order: Column | None = None
    """A whole number that orders rows of one instant."""
    changed_at: Column | None = None
    created_at: Column | None = None
    resolved_at: Column | None = None
    closed_at: Column | None = None
    status: Column | None = None
    priority: Column | None = None
    subject: Column | None = None
    description: Column | None = None
    """The ticket's first message."""
    comment: Column | None = None
    requester: Column | None = None
    """The requester's name or code."""
    requester_email: Column | None = None
    requester_phone: Column | None = None
    organisation: Column | None = None
    assignee: Column | None = None
    team: Column | None = None
    channel: Column | None = None
    category: Column | None = None
    type: Column | None = None
    tags: Column | None = None
    url: Column | None = None
    actor: Column | None = None
    """Who made the change of this row."""
    sla_met: Column | None = None
    """The source's own verdict (true, yes, 1), read on closed tickets only."""

    def named(self) -> dict[str, str]:
        """The roles that have a column, with its name."""
        return {role: name for role, name in self if name is not None}


class RespondedWhen(_Part):
    """The statuses by which the source shows that somebody took the ticket up."""

    status: tuple[Word, ...] = Field(min_length=1)


class FileMapping(_Part):
    """A whole mapping file. `connectors/file_export/README.md` explains every entry."""

    rows: Literal["change", "ticket"]
    columns: Columns
    encoding: str = "utf-8"
    encoding_errors: Literal["strict", "replace"] = "strict"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    time_formats: tuple[str, ...] = ("iso",)
    time_zone: str = "UTC"
    missing: tuple[Word, ...] = ("",)
    statuses: Annotated[dict[str, Status], BeforeValidator(_texts_as_keys)] = {}
    reject_statuses: tuple[Word, ...] = ()
    priorities: Annotated[dict[str, Priority], BeforeValidator(_texts_as_keys)] = {}
    known_afterwards: tuple[Column, ...] = ()
    track: tuple[Column, ...] = ()
    ignore: tuple[Column, ...] = ()
    tag_separator: Annotated[str, Field(min_length=1)] = ","
    actor_kind: Literal["agent", "unknown"] = "unknown"
    automatic_actors: tuple[Word, ...] = ()
    comments_are_public: bool = False
    responded_when: RespondedWhen | None = None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"found {name!r}, expected an IANA zone, e.g. Europe/Berlin") from None
        return name

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(
                f"found {name!r}, expected a text encoding, e.g. utf-8, utf-16, windows-1254"
            ) from None
        return name

    @field_validator("time_formats")
    @classmethod
    def _usable_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if not formats:
            raise ValueError(
                "expected at least one format, e.g. '%d/%m/%Y %H:%M', or iso, or epoch"
            )
        for pattern in formats:
            if pattern not in ("iso", "epoch"):
                _try_format(pattern)
        return formats

    @field_validator("delimiter")
    @classmethod
    def _usable_delimiter(cls, delimiter: str) -> str:
        if delimiter in '"\r\n \0':
            raise ValueError(
                f"found {delimiter!r}, expected one character, e.g. ',', ';' or \"\\t\""
            )
        return delimiter

    @model_validator(mode="after")
    def _times_for_its_rows(self) -> "FileMapping":
        if self.rows == "change" and self.columns.changed_at is None:
            raise ValueError(
                "columns.changed_at is missing: with `rows: change` each row needs its time"
            )
        if self.rows == "ticket" and self.columns.created_at is None:
            raise ValueError("columns.created_at is missing: with `rows: ticket` each row needs it")
        clash = set(map(str.casefold, self.reject_statuses)) & {s.casefold() for s in self.statuses}
        if clash:
            raise ValueError(f"{sorted(clash)[0]!r} stands in both statuses and reject_statuses")
        used = self.columns.named()
        known = {"resolved_at", "closed_at", "sla_met"}
        for role, name in used.items():
            if name in self.known_afterwards and role not in known:
                raise ValueError(
                    f"column {name!r} is known only afterwards and cannot be columns.{role}, "
                    "which makes history"
                )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone of times that carry none."""
        return ZoneInfo(self.time_zone)

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Every column the mapping names; a file without one of them is refused."""
        named = [*self.columns.named().values(), *self.known_afterwards, *self.track]
        return tuple(dict.fromkeys(named))

    def layout(self) -> dict[str, Any]:
        """What the connector needs to read the file, as keywords of `connectors.file_export`'s `FileLayout`."""
        return {
            "ticket_column": self.columns.ticket,
            "needed_columns": self.needed_columns,
            "encoding": self.encoding,
            "encoding_errors": self.encoding_errors,
            "delimiter": self.delimiter,
            "missing": self.missing,
        }


def load_mapping(text: str, name: str) -> FileMapping:
    """A mapping file's text, validated.

    Args:
        text: the YAML.
        name: how errors name it (the file's name).

    Raises:
        transforms.yaml_document.DocumentError: every fault, each as `name:line: place: found, expected`.
    """
    return load_document(text, name, FileMapping)


def _try_format(pattern: str) -> None:
    """Raises ValueError unless a time written in this format can be read again, to the day at least."""
    sample = datetime(2016, 2, 29, 13, 5, 7, tzinfo=UTC)
    try:
        read = datetime.strptime(sample.strftime(pattern), pattern)  # noqa: DTZ007 - only a trial
    except ValueError as error:
        raise ValueError(f"found {pattern!r}, expected a strptime format: {error}") from None
    if (read.year, read.month, read.day) != (sample.year, sample.month, sample.day):
        raise ValueError(
            f"found {pattern!r}, expected a strptime format that has year, month and day"
        )
