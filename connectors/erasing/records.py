"""Raw records as they are kept of somebody erased: vendors' JSON, rows of exports, mails.

Belongs here: which of the three a record is, and what of it is no payload (location, version). Does not belong here:
which records are affected.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.erasing.rules import ADDRESS, ERASED, Rule
from connectors.erasing.vendor_json import erased_json
from connectors.json_text import parsed, written
from transforms.model import RawRecord

ROWS = "rows"
"""The stream of file exports."""

MAILS = "mails"
"""The stream of mailboxes."""

NEVER_CHANGE = frozenset({ROWS, MAILS, "ticket_events", "conversation_log"})
"""Streams whose records are what they were when they came: erased once, the source has nothing to add to them."""

_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^<>\r\n]+>)", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 65_536


def erased(record: RawRecord, rule: Rule) -> RawRecord:
    """The record as it is kept. The same rule twice gives what it gave once.

    Args:
        record: as the source gave it, or as it was kept already.
        rule: what goes.
    """
    whole = replace(
        record,
        payload=_payload(record, rule),
        location=_location(record.location),
        version_key=ERASED if record.stream in NEVER_CHANGE else None,
    )
    if record.stream == MAILS and rule.mail is not None:
        return replace(whole, media_type="message/rfc822")
    return whole


def message_id_of(record: RawRecord) -> str | None:
    """A mail's Message-ID, as its header has it."""
    if record.stream != MAILS:
        return None
    found = _MESSAGE_ID.search(record.payload[:_HEADER_BYTES])
    return found.group(1).decode("utf-8", "replace") if found else None


def parts_of(record: RawRecord) -> list[str]:
    """Ids of the messages that a ticket's record carries, for streams that carry them."""
    if record.stream != "tickets" or b'"conversations"' not in record.payload:
        return []
    try:
        body = parsed(record.payload)
    except ValueError:
        return []
    told = body.get("conversations") if isinstance(body, dict) else None
    return [str(one["id"]) for one in told or () if isinstance(one, dict) and "id" in one]


def addresses_in(payload: bytes) -> set[str]:
    """Everything that looks like an e-mail address, in small letters."""
    if b"@" not in payload:
        return set()
    return {one.lower() for one in ADDRESS.findall(payload.decode("utf-8", "replace"))}


def _payload(record: RawRecord, rule: Rule) -> bytes:
    if not record.payload:
        return record.payload
    if record.stream == MAILS:
        if rule.mail is not None:
            return rule.mail.encode("utf-8")
        return _replaced(record.payload, rule)
    if record.stream == ROWS and rule.is_whole:
        return _row(record.payload, rule)
    return erased_json(record.payload, rule)


def _row(payload: bytes, rule: Rule) -> bytes:
    """A row of an export: the columns that are structure, the pseudonym, and nothing else."""
    try:
        body = parsed(payload)
    except ValueError:
        return b"{}"
    cells: dict[str, Any] = body if isinstance(body, dict) else {}
    found = {
        column: cell if column in rule.columns else _cell(column, cell, rule)
        for column, cell in cells.items()
    }
    # As the source writes it, so that equal rows are equal bytes.
    return written(dict(sorted(found.items())))


def _cell(column: str, cell: Any, rule: Rule) -> Any:
    if not isinstance(cell, str) or not cell.strip():
        return cell if isinstance(cell, str) else []
    if column == rule.address_column:
        return rule.pseudonym or ""
    return "" if column in rule.blank_columns else ERASED


def _replaced(payload: bytes, rule: Rule) -> bytes:
    """A mail of somebody else's: addresses of erased people go where they stand in plain sight, with their names."""
    text = payload.decode("latin-1")

    def other(found: "re.Match[str]") -> str:
        return rule.replaced(found["address"]) or ""

    named = re.compile(
        rf'(?P<name>(?:"[^"\r\n]*"|[^\s<>",;:@]+(?: [^\s<>",;:@]+)*)\s*)?<(?P<address>{ADDRESS.pattern})>'
    )
    text = named.sub(lambda found: f"<{new}>" if (new := other(found)) else found.group(), text)
    text = ADDRESS.sub(lambda found: rule.replaced(found.group()) or found.group(), text)
    return text.encode("latin-1")


def _location(location: Mapping[str, Any]) -> dict[str, Any]:
    """Where it was found, without the sender that an mbox separator names."""
    found = dict(location)
    envelope = found.get("envelope")
    if isinstance(envelope, str):
        found["envelope"] = f"- {envelope.partition(' ')[2]}"
    return found
