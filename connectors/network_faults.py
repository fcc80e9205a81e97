"""Why a host gave no answer, in a few words for people.

Belongs here: what the exceptions of requests, urllib3 and sockets mean. Does not belong here: what is done about
it (`http`), any vendor.
"""

import socket
import ssl

import requests


def reason_of(error: BaseException | None, connect_seconds: float, read_seconds: float) -> str:
    """Why there was no answer, in a few words."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {connect_seconds:g} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy: {_text_of(_root_cause(error))}"
    if isinstance(error, requests.ReadTimeout) or "Read timed out" in str(error):
        return f"silent for {read_seconds:g} s"
    cause = _root_cause(error)
    return "the name does not resolve" if isinstance(cause, socket.gaierror) else _text_of(cause)


def tls_fault(error: BaseException) -> str:
    """Why a host cannot be trusted, and what to do."""
    cause = _root_cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"{cause.verify_message}. Check the host's name; behind a company's own authority set "
            f"REQUESTS_CA_BUNDLE to its file"
        )
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return f"{cause.reason.replace('_', ' ').lower()}. Does this port speak https?"
    return _text_of(cause)


def _root_cause(error: BaseException | None) -> BaseException | None:
    """The innermost reason: requests wraps urllib3 wraps the socket's own error."""
    seen = error
    while seen is not None:
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((one for one in seen.args if isinstance(one, BaseException)), None)
        inner = inner or seen.__cause__ or seen.__context__
        if inner is None or inner is seen:
            return seen
        seen = inner
    return None


def _text_of(error: BaseException | None) -> str:
    if error is None:
        return "no reason given"
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip()
    return text if len(text) <= 200 else text[:200] + "…"
