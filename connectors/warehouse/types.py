"""The column types that behave alike on SQLite and PostgreSQL.

Belongs here: aware UTC instants, JSON, text that both databases can hold. Nothing else.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from connectors.json_text import sorted_text

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite gives row ids to INTEGER primary keys only."""

_UNSAFE_TEXT = re.compile("[\x00\ud800-\udfff]")


def safe_text(text: str) -> str:
    """Text that both databases can hold: NUL and lone surrogates become U+FFFD (ARCHITECTURE §4)."""
    if text.isascii():
        return text.replace("\x00", "\ufffd")
    return _UNSAFE_TEXT.sub("\ufffd", text) if _UNSAFE_TEXT.search(text) else text


def safe_json(value: Any) -> Any:
    """The same value with every text in it made safe, mappings as dicts, tuples as lists, instants as ISO 8601."""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, dict) or hasattr(value, "items"):
        return {safe_text(str(name)): safe_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [safe_json(item) for item in items]
    return value


def canonical_json(value: Any) -> str:
    """One text for one value: sorted names, no blanks, UTF-8 letters as they are."""
    if not value and isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    return json.dumps(safe_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_parsed(value: Any) -> str:
    """The same for what JSON gave, many times faster: nothing is copied where every text is safe as it is.

    Written out, a NUL is escaped and a lone surrogate is refused; only values with either are made safe. Floating
    point may be written in another form than by `canonical_json`: keep to one of the two for one purpose.
    """
    text = sorted_text(value)
    return canonical_json(value) if text is None or "\\u0000" in text else text


def iso_utc(instant: datetime) -> str:
    """`2026-11-02T06:00:00Z`, with microseconds only where there are any; a naive instant raises ValueError."""
    if instant.tzinfo is None:
        raise ValueError(f"a time without a zone: {instant.isoformat()}")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC instant. SQLite keeps no zone by itself, so it is stored as naive UTC there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a naive datetime instead of guessing its zone."""
        if value is None:
            return None
        if value.tzinfo is None or value.utcoffset() is None:
            raise ValueError(f"a time without a zone was about to be stored: {value.isoformat()}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Gives the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON as JSONB on PostgreSQL and as canonical text on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """JSONB where it exists."""
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Makes every text inside safe for both databases."""
        if value is None:
            return None
        return safe_json(value) if dialect.name == "postgresql" else canonical_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Plain Python values on both."""
        if value is None or dialect.name == "postgresql":
            return value
        return json.loads(value)


class SafeText(TypeDecorator[str]):
    """Text in which NUL and lone surrogates have become U+FFFD before the database sees them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replaces what PostgreSQL refuses and SQLite cannot encode."""
        return None if value is None else safe_text(str(value))
