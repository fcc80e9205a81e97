"""Secrets never stand in an error or a log line.

Belongs here: finding and hiding them in text. Does not belong here: who knows which secrets (`http`).
"""

import logging
import re
from collections.abc import Iterable

_SECRET = re.compile(
    r"(?i)(token|key|secret|password|authorization|signature)([\"']?\s*[:=]\s*[\"']?)"
    r"((?:basic|bearer|token)\s+)?[^\s\"'&,}]+"
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with known secrets and anything that looks like one replaced by `***`."""
    # The longest first: one secret may be a part of another.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return _SECRET.sub(r"\1\2\3***", text)


class _WithoutSecrets(logging.Filter):
    """urllib3 logs each address with its query at DEBUG: signed links and tokens among them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record through, redacted."""
        record.msg, record.args = redact(record.getMessage()), None
        return True


_FILTER = _WithoutSecrets()


def guard_logs() -> None:
    """Keeps secrets in addresses out of urllib3's own log lines; again is harmless."""
    logging.getLogger("urllib3.connectionpool").addFilter(_FILTER)
