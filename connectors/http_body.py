"""Reading an answer's body: bounded in size and in time, and seen to be whole.

Belongs here: what can go wrong between the head of an answer and its end. Does not belong here: what it means.
"""

from collections.abc import Callable

import requests
import urllib3

_PIECE = 1 << 16


class BodyTooLargeError(Exception):
    """The body, unpacked, goes beyond the cap. `size`: bytes read so far."""

    def __init__(self, size: int) -> None:
        """Keeps the size."""
        super().__init__(size)
        self.size = size


class CutBodyError(Exception):
    """The body ended too early, could not be unpacked, or took too long."""


def read_body(response: requests.Response, cap_bytes: int, is_late: Callable[[], bool]) -> None:
    """Reads the whole body into the response, as `response.content` gives it.

    Read piece by piece: a host that sends a byte a minute meets the deadline, and a few kilobytes that unpack to
    gigabytes meet the cap.

    Raises:
        BodyTooLargeError: beyond `cap_bytes`, unpacked.
        CutBodyError: not whole.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := response.raw.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > cap_bytes:
                raise BodyTooLargeError(size)
            if is_late():
                raise CutBodyError(f"not complete after {size} bytes when the time was up")
        pieces.append(response.raw.read(decode_content=True))
    except urllib3.exceptions.HTTPError as error:
        response.close()
        raise CutBodyError(error) from error
    except (BodyTooLargeError, CutBodyError):
        response.close()
        raise
    response._content = b"".join(pieces)
    response._content_consumed = True  # type: ignore[attr-defined]


def is_cut_json(response: requests.Response) -> bool:
    """Whether a body that begins as JSON does not end as such; a look at both ends, not a parse.

    A proxy that cuts an answer gives it a fitting Content-Length, so nobody else notices.
    """
    if "json" not in response.headers.get("Content-Type", "").lower():
        return False
    text = response.content.strip()
    if not text:
        return response.status_code == 200
    closing = {b"{": b"}", b"[": b"]"}.get(text[:1])
    return closing is not None and text[-1:] != closing
