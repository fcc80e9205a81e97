"""zenpy over our own session: pointed at any address, its errors turned into ours.

Belongs here: how zenpy is made and what its failures mean. Does not belong here: what is asked of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from zenpy import Zenpy
from zenpy.lib.api import BaseApi
from zenpy.lib.exception import APIException, RecordNotFoundException, ZenpyException

from connectors.errors import (
    AuthError,
    ConfigurationError,
    NotFoundError,
    RejectedError,
    UnavailableError,
)
from connectors.http import PolicySession


def zenpy_over(session: PolicySession) -> Zenpy:
    """A zenpy client whose calls go through `session`: its budget, waits, credential and retries.

    zenpy builds its addresses from a subdomain and a domain and assumes https; both are set here on the
    client itself, never through the environment. Its object cache is off: a read-back must be a read.

    Raises:
        ConfigurationError: the host is one word, which zenpy cannot address.
    """
    parts = urlsplit(session.base_url)
    first, dot, rest = parts.netloc.partition(".")
    if not dot:
        raise ConfigurationError(
            f"{session.label}: the host {parts.netloc!r} has no dot; name it in full (127.0.0.1 for this machine)"
        )
    client = Zenpy(
        domain=rest, subdomain=first, session=session, anonymous=True, disable_cache=True
    )
    prefix = "/".join(filter(None, (parts.path.strip("/"), "api/v2")))
    _point(client, parts.scheme, prefix)
    return client


@contextmanager
def translated(session: PolicySession, doing: str) -> Iterator[None]:
    """Turns zenpy's errors into those of `connectors.errors`; `doing` says what was being done on which thing."""
    what = f"{session.label}: {doing}"
    try:
        yield
    except RecordNotFoundException as error:
        raise NotFoundError(f"{what}: not found") from error
    except APIException as error:
        raise _from_status(what, error.response, str(error)) from error
    except ZenpyException as error:
        raise UnavailableError(f"{what}: {str(error)[:200]}") from error
    except requests.HTTPError as error:
        raise _from_status(what, error.response, str(error)) from error
    except requests.RequestException as error:
        raise UnavailableError(f"{what}: {type(error).__name__}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UnavailableError(
            f"{what}: the answer could not be read ({type(error).__name__})"
        ) from error


def _from_status(what: str, response: Any, text: str) -> Exception:
    status = getattr(response, "status_code", None)
    if status in (401, 403):
        return AuthError(
            f"{what}: refused ({status}). Check user, token and that it is an administrator's"
        )
    if status in (404, 410):
        return NotFoundError(f"{what}: not found")
    return RejectedError(f"{what}: refused ({status}): {text[:300]}", status, text)


def _point(holder: Any, scheme: str, prefix: str, depth: int = 0) -> None:
    """Sets scheme and path on every API object of the client, the nested ones included."""
    for value in vars(holder).values():
        if isinstance(value, BaseApi):
            value.protocol = scheme
            value.api_prefix = prefix
            if depth < 3:
                _point(value, scheme, prefix, depth + 1)
