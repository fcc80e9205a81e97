"""Mails as raw records, gathered into pages of bounded size.

Belongs here: what IMAP, mbox and Maildir share about records and pages. Does not belong here: where mails
come from.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from connectors.mailbox.seen import PREFIX_BYTES, SeenMails
from transforms.model import RawRecord

STREAM = "mails"
"""The only stream of a mailbox."""

MEDIA_TYPE = "message/rfc822"

PAGE_MAILS = 200
"""Most mails in a page."""

PAGE_BYTES = 8_000_000
"""Most payload bytes in a page; a single larger mail is a page of its own."""


def mail_record(
    payload: bytes,
    container: str,
    key: int,
    seen: SeenMails,
    location: Mapping[str, Any],
    mark: int = 0,
    *,
    media_type: str = MEDIA_TYPE,
    digest: bytes | None = None,
) -> RawRecord:
    """The record of a mail, noted in `seen`: its id is the sha256 of its bytes, with `#2`, … for identical ones.

    `digest` is given where the bytes hold more than what was said (Outlook's items: read, flagged, …).
    """
    digest = hashlib.sha256(payload).digest() if digest is None else digest
    return RawRecord(
        stream=STREAM,
        remote_id=remote_id_of(digest, seen.add(container, key, digest, mark)),
        payload=payload,
        media_type=media_type,
        location=location,
    )


def remote_id_of(digest: bytes, occurrence: int) -> str:
    """`sha256:<hex>`, with `#<occurrence>` from the second identical mail on."""
    suffix = f"#{occurrence}" if occurrence > 1 else ""
    return f"sha256:{digest.hex()}{suffix}"


def digest_start_of(remote_id: str) -> tuple[bytes, int] | None:
    """The start of the digest in a mail's remote id, as `SeenMails` keeps it, and its occurrence number.

    None: the id is no mail's (`unfetched:…`).
    """
    match = re.fullmatch(r"sha256:([0-9a-f]{64})(?:#(\d+))?", remote_id)
    if match is None:
        return None
    return bytes.fromhex(match[1])[:PREFIX_BYTES], int(match[2] or 1)


def tombstone(remote_id: str, location: Mapping[str, Any]) -> RawRecord:
    """Says that what was given under this id was no whole mail after all."""
    return RawRecord(
        stream=STREAM,
        remote_id=remote_id,
        payload=b"",
        media_type=MEDIA_TYPE,
        is_tombstone=True,
        location=location,
    )


class PageFiller:
    """Gathers records until the next one would burst the page."""

    def __init__(self, page_mails: int = PAGE_MAILS, page_bytes: int = PAGE_BYTES) -> None:
        """Starts an empty page with these bounds."""
        self.page_mails = page_mails
        self.page_bytes = page_bytes
        self.records: list[RawRecord] = []
        self._bytes = 0

    def is_full_for(self, size: int) -> bool:
        """Whether a mail of `size` bytes has to wait for the next page."""
        return bool(self.records) and (
            len(self.records) >= self.page_mails or self._bytes + size > self.page_bytes
        )

    def add(self, record: RawRecord) -> None:
        """Puts a record into the page."""
        self.records.append(record)
        self._bytes += len(record.payload)

    def take(self) -> list[RawRecord]:
        """The page's records; the next page starts empty."""
        records, self.records, self._bytes = self.records, [], 0
        return records
