"""Reading a source's JSON records: ids, texts and instants, with faults that say what was found.

Belongs here: what is the same for every source. Does not belong here: one vendor's field names.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from transforms.model import RawRecord

_LONG_NUMBER = b"0" * 19
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")


class UnreadableError(ValueError):
    """A record, or a part of one, cannot be understood; `reason` is short and stable, `detail` what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Cuts the detail to 500 characters."""
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail[:500]


def object_of(record: RawRecord) -> dict[str, Any]:
    """The record's JSON object.

    Raises:
        UnreadableError: not JSON, or not an object.
    """
    try:
        body = _json_of(record.payload)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("not JSON", str(error)) from None
    if not isinstance(body, dict):
        raise UnreadableError("not an object", type(body).__name__)
    return body


def _json_of(payload: bytes) -> Any:
    """By orjson where it agrees with the standard library: it makes floating point of numbers beyond 64 bits."""
    if _LONG_NUMBER not in payload.translate(_DIGITS_AS_ZERO):
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError:
            pass
    return json.loads(payload)


def id_of(body: Mapping[str, Any], name: str) -> str | None:
    """A remote id as text; None where it is absent, null, empty or of a kind that is no id."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)


def required_id(body: Mapping[str, Any], name: str) -> str:
    """A remote id that must be there.

    Raises:
        UnreadableError: it is not.
    """
    value = id_of(body, name)
    if value is None:
        raise UnreadableError(f"missing {name}", f"{name}={body.get(name)!r}")
    return value


def text_of(body: Mapping[str, Any], name: str) -> str | None:
    """A text that says something; None for null, blanks and other types."""
    value = body.get(name)
    return value if isinstance(value, str) and value.strip() else None


def objects_of(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list; what is no object is left out, what is no list gives none."""
    value = body.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts_of(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of a list that say something."""
    value = body.get(name)
    if not isinstance(value, list):
        return ()
    return tuple(one for one in value if isinstance(one, str) and one.strip())


def instant_of(body: Mapping[str, Any], name: str) -> datetime | None:
    """An ISO 8601 instant in UTC; None where absent.

    Raises:
        UnreadableError: it is there and is no instant, or carries no zone.
    """
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError(f"unreadable {name}", f"{name}={value!r}") from None
    raise UnreadableError(f"{name} without a zone", f"{name}={value!r}")


def required_instant(body: Mapping[str, Any], name: str) -> datetime:
    """An instant that must be there.

    Raises:
        UnreadableError: it is not, or is unreadable.
    """
    at = instant_of(body, name)
    if at is None:
        raise UnreadableError(f"missing {name}", f"{name}={body.get(name)!r}")
    return at
