"""How patient HTTP is, which answers are worth another try, and what refusals mean.

Belongs here: the policy's figures and its judgement of one answer. Does not belong here: sending (`http`), waiting for
limits (`pacing`).
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import urllib3

from connectors.errors import AuthError, ConnectorError, NotFoundError, RejectedError

RETRY_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers worth another try. Zendesk documents 409 and 503 as such; 429 always is."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent again after a lost answer. POST is sent again on 429 and 503 only (those answers say that
nothing was taken in), and where no connection was made."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a session is. All durations in seconds."""

    tries: int = 6
    wait_cap_seconds: float = 120.0
    deadline_seconds: float = 600.0
    backoff_seconds: float = 0.5
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 60.0
    body_cap_bytes: int = 256 * 1024 * 1024
    """The largest body, unpacked, that is taken in whole; several times what any vendor's page or file may be."""


def may_repeat(
    method: str, response: requests.Response | None, failure: Exception | None = None
) -> bool:
    """Whether sending again cannot do a thing twice."""
    if method in SAFE_METHODS:
        return True
    if response is not None:
        return response.status_code in (429, 503)
    return failure is not None and not _was_sent(failure)


def refusal(
    response: requests.Response, label: str, body: str, credential_advice: str = ""
) -> ConnectorError | None:
    """The error that says what the caller should do about an answer of 400 and above; None for all others.

    Args:
        response: the answer.
        label: how errors name the other side.
        body: the start of its text, without secrets.
        credential_advice: what to do about a refused credential, where something better is known.
    """
    status = response.status_code
    if status < 400:
        return None
    what = f"{label}: {place_of(response)} answered {status}"
    if status in (401, 403):
        advice = credential_advice or "Check user, token and their permissions."
        return AuthError(f"{what}: the credential is refused. {advice} {body}".rstrip())
    if status in (404, 410):
        return NotFoundError(f"{what}: not found. {body}".rstrip())
    return RejectedError(f"{what}: {body}", status, body)


def place_of(response: requests.Response) -> str:
    """Method and path, without the query: that may hold secrets."""
    request = response.request
    return f"{request.method} {urlsplit(str(request.url)).path}"


def _was_sent(failure: Exception) -> bool:
    """False where no connection was made, so that not a byte can have arrived."""
    if isinstance(failure, requests.ConnectTimeout):
        return False
    cause = failure.args[0] if failure.args else None
    reason = getattr(cause, "reason", cause)
    return not isinstance(reason, urllib3.exceptions.NewConnectionError)
