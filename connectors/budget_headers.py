"""What vendors' headers say of a rate limit, in every spelling that is known.

Belongs here: header names and their forms. Does not belong here: what is done with the figures (`budget`).

Source: Zendesk "Rate limits" and "Best practices for avoiding rate limiting"; Freshdesk API reference, "Rate Limit";
RFC 9110 §10.2.3. `X-RateLimit-Reset` is a Unix time at Intercom and an ISO time at Jira.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.budget import Told

_LIMITS = ("ratelimit-limit", "X-Rate-Limit", "X-RateLimit-Limit", "X-RateLimit-Total")
_REMAINING = ("ratelimit-remaining", "X-Rate-Limit-Remaining", "X-RateLimit-Remaining")
_RESETS = ("ratelimit-reset", "X-Rate-Limit-Reset", "X-RateLimit-Reset")
_USED = ("X-RateLimit-Used-CurrentRequest",)
_PAIR = re.compile(r"(\w+)\s*=\s*([^;,]+)")
_UNIX_TIMES_FROM = 1e9
"""A reset beyond this is an instant, not a number of seconds."""


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds to wait as told by `Retry-After`: an integer, a decimal or an HTTP date; None where it tells nothing.

    Source: RFC 9110 §10.2.3; decimals are seen in the field.
    """
    if not value:
        return None
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def told_in_general(
    headers: Mapping[str, str], sent_at: float, received_at: float, now: datetime
) -> Told | None:
    """The figures of the account's own limit, or None where the answer has none.

    Args:
        headers: of the answer; names in any case.
        sent_at: when the call left, by the budget's clock.
        received_at: when its answer was there, by the same.
        now: the aware instant of `received_at`.
    """
    reset = _reset_seconds(_first(headers, _RESETS), now)
    return _told(
        sent_at,
        received_at,
        _number(_first(headers, _LIMITS)),
        _number(_first(headers, _REMAINING)),
        reset,
        _number(_first(headers, _USED)),
    )


def told_by_name(
    headers: Mapping[str, str], name: str, sent_at: float, received_at: float, now: datetime
) -> Told | None:
    """The figures of one endpoint's limit, from a header such as `total=100; remaining=99; resets=41`."""
    pairs = {key.lower(): value.strip() for key, value in _PAIR.findall(headers.get(name) or "")}
    return _told(
        sent_at,
        received_at,
        _number(pairs.get("total") or pairs.get("limit")),
        _number(pairs.get("remaining")),
        _reset_seconds(pairs.get("resets") or pairs.get("reset"), now),
        None,
    )


def _told(
    sent_at: float,
    received_at: float,
    limit: float | None,
    remaining: float | None,
    reset_seconds: float | None,
    used: float | None,
) -> Told | None:
    if limit is None and remaining is None:
        return None
    reset_at = None if reset_seconds is None else received_at + reset_seconds
    return Told(sent_at, limit, remaining, reset_at, used)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((headers[name] for name in names if headers.get(name)), None)


def _number(text: str | None) -> float | None:
    try:
        number = float((text or "").strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _reset_seconds(text: str | None, now: datetime) -> float | None:
    number = _number(text)
    if number is not None:
        return max(0.0, number - now.timestamp() if number > _UNIX_TIMES_FROM else number)
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return max(0.0, (at - now).total_seconds()) if at.tzinfo else None
