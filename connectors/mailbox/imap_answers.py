"""What an IMAP server's answers say: mails by UID, sets of UIDs, reasons for a NO.

Belongs here: pure reading of answers. Does not belong here: sockets and commands (`imap_line`), what to fetch.

Source: RFC 3501 §7 and §9; RFC 7162 (MODSEQ, VANISHED); RFC 5530 (response codes); Gmail IMAP extensions.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imapclient.datetime_util import parse_to_datetime
from imapclient.exceptions import ProtocolError
from imapclient.imap_utf7 import decode as decode_name
from imapclient.response_parser import gen_parsed_response

from connectors.errors import ConnectorError, RateLimitedError, UnavailableError

_BUSY = re.compile(
    r"\[(UNAVAILABLE|INUSE|SERVERBUG)\]|too many|try again|temporar|server unavailable|server busy",
    re.I,
)
_THROTTLED = re.compile(
    r"\[(LIMIT|OVERQUOTA|THROTTLED)\]|throttl|bandwidth|rate limit|exceeded command", re.I
)
_BACKOFF = re.compile(r"backoff time:\s*(\d+)\s*(milliseconds|ms|seconds|s)\b", re.I)

MARKS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
"""System flags that are remembered of a mail, lowest bit first (RFC 3501 §2.3.2)."""


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What one FETCH response says of one mail; None: it does not say."""

    uid: int
    size: int | None = None
    flags: tuple[str, ...] | None = None
    internal_date: datetime | None = None
    body: bytes | None = None
    gmail_message: int | None = None
    gmail_thread: int | None = None
    labels: tuple[str, ...] | None = None

    @property
    def marks(self) -> int:
        """The system flags as bits, in the order of `MARKS`."""
        flags = {flag.casefold() for flag in self.flags or ()}
        return sum(1 << bit for bit, flag in enumerate(MARKS) if flag.casefold() in flags)


def mails_in(data: Sequence[Any]) -> dict[int, MailFacts]:
    """UID → what the FETCH responses say of it together, whatever their order.

    Responses without a UID are news about some other mail that nobody asked for (RFC 3501 §7.4.2) and are left out:
    their sequence number may already count differently.

    Raises:
        ProtocolError: this is no FETCH response.
    """
    if not data or data == [None]:
        return {}
    found: dict[int, dict[str, Any]] = {}
    tokens = gen_parsed_response(list(data))
    for _sequence in tokens:
        attributes = next(tokens, None)
        if not isinstance(attributes, tuple) or len(attributes) % 2:
            raise ProtocolError(f"no FETCH response: {str(attributes)[:80]}")
        facts = _facts(attributes)
        if "uid" in facts:
            found.setdefault(facts["uid"], {}).update(facts)
    return {uid: MailFacts(**facts) for uid, facts in found.items()}


def _facts(attributes: Sequence[Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        word = bytes(name).upper() if isinstance(name, bytes) else b""
        if word == b"UID":
            facts["uid"] = int(value)
        elif word == b"RFC822.SIZE":
            facts["size"] = int(value)
        elif word == b"FLAGS" and isinstance(value, tuple):
            facts["flags"] = tuple(_word(each) for each in value if each is not None)
        elif word == b"INTERNALDATE":
            facts["internal_date"] = _date(value)
        elif word.startswith(b"BODY[]") and isinstance(value, bytes):
            facts["body"] = value
        elif word == b"X-GM-MSGID":
            facts["gmail_message"] = int(value)
        elif word == b"X-GM-THRID":
            facts["gmail_thread"] = int(value)
        elif word == b"X-GM-LABELS" and isinstance(value, tuple):
            facts["labels"] = tuple(_label(each) for each in value if each is not None)
    return facts


def _word(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _label(value: Any) -> str:
    # A label named 2026 is read as a number.
    return str(decode_name(value)) if isinstance(value, bytes) else str(value)


def _date(value: Any) -> datetime | None:
    try:
        found = parse_to_datetime(value, normalise=False)
    except (ValueError, TypeError, AttributeError):
        return None
    return found if isinstance(found, datetime) and found.tzinfo is not None else None


def vanished_in(data: Sequence[Any]) -> list[range]:
    """UIDs that `VANISHED (EARLIER)` names. Without EARLIER it may speak of the folder that was open before.

    Source: RFC 7162 §3.2.10, §3.2.11.
    """
    found: list[range] = []
    for line in data:
        text = bytes(line or b"").decode("ascii", "replace").strip()
        if text.upper().startswith("(EARLIER)"):
            found.extend(ranges_of(text[len("(EARLIER)") :]))
    return found


def ranges_of(text: str) -> list[range]:
    """`41,43:116` as ranges; pieces that are none are left out."""
    found = []
    for piece in text.strip().split(","):
        match = re.fullmatch(r"(\d+)(?::(\d+))?", piece.strip())
        if match:
            ends = sorted((int(match[1]), int(match[2] or match[1])))
            found.append(range(ends[0], ends[1] + 1))
    return found


def uid_set(uids: Iterable[int]) -> str:
    """UIDs as a set for a command, neighbours drawn together: `1:200,205`."""
    return ",".join(
        str(first) if first == last else f"{first}:{last}" for first, last in _runs(sorted(uids))
    )


def _runs(uids: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = -1
    for uid in uids:
        if uid == last + 1 and first >= 0:
            last = uid
            continue
        if first >= 0:
            yield first, last
        first = last = uid
    if first >= 0:
        yield first, last


def passing_fault(text: str, message: str) -> ConnectorError | None:
    """The error where a NO, BAD or BYE says that waiting helps; None where it says anything else.

    Source: RFC 5530; Gmail "bandwidth limits"; Exchange Online "Request is throttled. Suggested Backoff Time".
    """
    if _THROTTLED.search(text):
        backoff = _BACKOFF.search(text)
        seconds = None
        if backoff:
            is_milli = backoff[2].casefold().startswith("m")
            seconds = int(backoff[1]) / (1_000 if is_milli else 1)
        return RateLimitedError(message, seconds)
    return UnavailableError(message) if _BUSY.search(text) else None


def plain(text: str, secrets: Iterable[str] = ()) -> str:
    """A server's text for people: one line, not too long, without a secret that it echoes."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    # IMAPClient shows the bytes of an answer as Python writes them.
    bare = re.sub(r"^b(['\"])(.*)\1$", r"\2", text.strip(), flags=re.S)
    return " ".join(bare.split())[:300]
