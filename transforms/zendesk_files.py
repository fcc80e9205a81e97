"""The files of Zendesk's comments: attached ones, images inside the text, recordings of calls.

Belongs here: what a file is called, what it is, where its bytes are. Does not belong here: fetching bytes.

A file that Zendesk deleted or an agent redacted is none any more. One that its malware scan found is kept by name, but
without an address: nobody fetches it by following ours.

Source: Zendesk developer documentation, "Ticket attachments", "Ticket comments" (voice comments).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from transforms.model import RawRecord, SourceAttachment
from transforms.payload import UnreadableError, id_of, text_of
from transforms.zendesk_words import Reading

MALWARE = "malware_found"
UNKNOWN_TYPE = "application/octet-stream"

_IMAGE = re.compile(r"<img\b[^>]*?\bsrc\s*=\s*[\"']([^\"'<>]{1,2000})[\"']", re.IGNORECASE)
_INLINE_PATH = "/attachments/token/"
_MOST_IMAGES = 200
_TYPES: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}


def attachments_of(
    reading: Reading, record: RawRecord, values: Any, *, redacted: frozenset[str] = frozenset()
) -> tuple[SourceAttachment, ...]:
    """The files of an `attachments` list; one without an id is rejected, on the record that carries it.

    Args:
        reading: collects rejections.
        record: the raw record that the list stands in.
        values: the list as it came.
        redacted: ids of files that were redacted since.
    """
    found: list[SourceAttachment] = []
    for value in values if isinstance(values, list) else ():
        remote_id = id_of(value, "id") if isinstance(value, dict) else None
        if remote_id is None:
            reading.reject(record, UnreadableError("attachment without id", repr(value)))
            continue
        if value.get("deleted") is True or remote_id in redacted:
            continue
        size = value.get("size")
        is_bad = value.get("malware_scan_result") == MALWARE
        found.append(
            SourceAttachment(
                remote_id=remote_id,
                file_name=text_of(value, "file_name") or f"attachment-{remote_id}",
                media_type=text_of(value, "content_type") or UNKNOWN_TYPE,
                size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
                remote_url=None if is_bad else _address(value),
                content_id=text_of(value, "content_id"),
                is_inline=value.get("inline") is True,
            )
        )
    return tuple(found)


def inline_images(
    html: str | None, attached: Iterable[SourceAttachment]
) -> tuple[SourceAttachment, ...]:
    """Images that stand in the text alone: the export lists no inline files, their addresses are in the HTML.

    Only Zendesk's own attachment addresses count; a picture on somebody else's server is no file of the ticket.
    """
    if not html or _INLINE_PATH not in html:
        return ()
    known = {_token(one.remote_url) for one in attached if one.remote_url}
    found: dict[str, SourceAttachment] = {}
    for match in _IMAGE.finditer(html):
        url = match.group(1).replace("&amp;", "&")
        token = _token(url)
        if token is None or token in known or token in found or len(found) >= _MOST_IMAGES:
            continue
        name = _file_name(url) or "image"
        found[token] = SourceAttachment(
            remote_id=f"inline-{hashlib.sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}",
            file_name=name,
            media_type=_TYPES.get(name.rpartition(".")[2].lower(), UNKNOWN_TYPE),
            remote_url=url,
            is_inline=True,
        )
    return tuple(found.values())


def recording_of(remote_id: str, child: Mapping[str, Any]) -> tuple[SourceAttachment, ...]:
    """The recording of a voice comment, where there is one."""
    data = child.get("data")
    url = text_of(data, "recording_url") if isinstance(data, dict) else None
    if url is None:
        return ()
    return (
        SourceAttachment(
            remote_id=f"recording-{remote_id}",
            file_name="recording.mp3",
            media_type="audio/mpeg",
            remote_url=url,
        ),
    )


def _address(value: Mapping[str, Any]) -> str | None:
    return text_of(value, "mapped_content_url") or text_of(value, "content_url")


def _token(url: str | None) -> str | None:
    """What names the file in an attachment's address; None for any other address."""
    try:
        path = urlsplit(url or "").path
    except ValueError:
        return None
    before, place, rest = path.partition(_INLINE_PATH)
    del before
    return (rest.strip("/") or None) if place else None


def _file_name(url: str) -> str | None:
    try:
        names = parse_qs(urlsplit(url).query).get("name")
    except ValueError:
        return None
    return names[0][:255] if names else None
