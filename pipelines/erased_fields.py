"""What of a source's tickets is structure and stays when a person is erased: chosen options, columns of an export.

Belongs here: reading the lists of fields and the mapping. Does not belong here: erasing.
"""

from typing import Any

from sqlalchemy import Connection

from connectors.warehouse import raw
from pipelines.normalise import SourceTransform
from pipelines.wiring import Wired
from transforms.mapping import FileMapping
from transforms.payload import UnreadableError, object_of, objects_of

FIELD_STREAM = "ticket_fields"

TEXT_ROLES = frozenset(
    {"subject", "description", "comment", "requester", "requester_email", "requester_phone", "url"}
)
"""Columns of an export that hold a person's words or say who it is; every other column of the mapping is structure."""

WHO_ROLES = ("requester", "requester_phone")
"""Columns that say who it is besides the address."""

_CHOICES = ("custom_field_options", "system_field_options", "choices", "nested_ticket_fields")


def kept_of(
    connection: Connection, client_key: str, source_key: str, wired: Wired | None
) -> dict[str, Any]:
    """`fields`, `columns` and `address_column` for the rule of a source's tickets (`connectors.erasing.rules`)."""
    mapping = (
        wired.transform.mapping if wired and isinstance(wired.transform, SourceTransform) else None
    )
    if mapping is not None:
        return columns_of(mapping)
    fields: set[str] = set()
    for record in raw.latest_records(connection, client_key, source_key, FIELD_STREAM):
        try:
            body = object_of(record)
        except UnreadableError:
            continue
        if any(objects_of(body, name) or body.get(name) for name in _CHOICES):
            fields |= {str(body[name]) for name in ("id", "name") if body.get(name) is not None}
    return {"fields": sorted(fields)} if fields else {}


def columns_of(mapping: FileMapping) -> dict[str, Any]:
    """The columns that stay, and the one that gets the address that is nobody's."""
    named = mapping.columns.named()
    kept = {column for role, column in named.items() if role not in TEXT_ROLES}
    kept |= {*mapping.track, *mapping.known_afterwards}
    kept -= {column for role, column in named.items() if role in TEXT_ROLES}
    return {
        "columns": sorted(kept),
        "blank_columns": sorted(named[role] for role in WHO_ROLES if role in named),
        "address_column": named.get("requester_email") or named.get("requester"),
    }
