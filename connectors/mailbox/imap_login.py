"""Logging in to an IMAP server: by password or by an OAuth 2 token, and what a refusal means for people.

Belongs here: which mechanism, the error challenge, what to check. Does not belong here: connections
(`imap_session`), how tokens are refreshed (`connectors.oauth`).

Source: RFC 3501 §6.2.3 (LOGINDISABLED), RFC 4616 (PLAIN), RFC 7628 (OAUTHBEARER), Google "OAuth 2.0 Mechanism"
(XOAUTH2 and its error challenge).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from connectors.errors import AuthError, ConfigurationError, UnavailableError
from connectors.mailbox.imap_answers import passing_fault, plain


class TokenRefusedError(AuthError):
    """The server refuses an access token; a fresh one may be taken."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in. With `access_token` the password is not used.

    `access_token` gives the token to use now; `forget_token` is told which one was refused, so that it gives another
    one the next time.
    """

    username: str
    password: str = field(default="", repr=False)
    access_token: Callable[[], str] | None = None
    forget_token: Callable[[str], object] | None = None


def log_in(client: IMAPClient, login: Login, address: str) -> None:
    """Logs in on an open connection.

    Raises:
        TokenRefusedError: the access token is refused.
        AuthError: the password is refused.
        ConfigurationError: the server takes no such log-in on this connection.
        RateLimitedError: too many log-ins.
        UnavailableError: the server is busy or cut the line.
    """
    if login.access_token is not None:
        _by_token(client, login, address, login.access_token())
    else:
        _by_password(client, login, address)


def _by_password(client: IMAPClient, login: Login, address: str) -> None:
    is_plain = not (login.username + login.password).isascii()
    if client.has_capability("LOGINDISABLED"):
        raise ConfigurationError(
            f"{address} takes no password on an unencrypted connection; set 'tls: starttls' (or 'tls: true' with "
            "the port for TLS, usually 993)"
        )
    if is_plain and not client.has_capability("AUTH=PLAIN"):
        raise ConfigurationError(
            f"{address}: the user name or the password of {login.username} has letters outside ASCII, which LOGIN "
            "cannot carry, and the server offers no AUTH=PLAIN; choose an ASCII password"
        )
    try:
        if is_plain:
            client.plain_login(login.username, login.password)
        else:
            client.login(login.username, login.password)
    except IMAPClientError as error:
        text = plain(str(error), [login.password])
        raise _refusal(error, text, address, login.username) or AuthError(
            f"{address} refuses the log-in of {login.username}: {text}; check user name and password"
            " (some providers want an app password or OAuth)"
        ) from error


def _by_token(client: IMAPClient, login: Login, address: str, token: str) -> None:
    offered = [name for name in _MECHANISMS if client.has_capability(f"AUTH={name}")]
    if not offered:
        raise ConfigurationError(
            f"{address} offers no log-in by OAuth (neither XOAUTH2 nor OAUTHBEARER); configure a password"
        )
    name = offered[0]
    answer = _MECHANISMS[name](login.username, token)
    try:
        client.sasl_login(name, answer)
    except IMAPClientError as error:
        text = plain(str(error), [token])
        passing = _refusal(error, text, address, login.username)
        if passing is None and login.forget_token is not None:
            login.forget_token(token)
        raise passing or TokenRefusedError(
            f"{address} refuses the access token of {login.username} ({name}): "
            f"{answer.said() or text}; check that the token was given for this mailbox with the scope for IMAP"
        ) from error


class _Answer:
    """A SASL answer: the token first, then what ends a refusal whose reason came as a challenge."""

    def __init__(self, first: str, last: bytes) -> None:
        self._first, self._last = first, last
        self._challenge = b""
        self._is_sent = False

    def __call__(self, challenge: bytes) -> bytes:
        if not self._is_sent:
            self._is_sent = True
            return self._first.encode()
        self._challenge = challenge or b""
        return self._last

    def said(self) -> str:
        """The challenge in words: `status 400, scope https://mail.google.com/`; empty where there was none."""
        try:
            found = json.loads(self._challenge)
        except ValueError:
            return plain(self._challenge.decode("utf-8", "replace"))
        if not isinstance(found, dict):
            return ""
        words = [f"{name} {value}" for name, value in found.items() if name != "schemes" and value]
        expired = str(found.get("status")) in ("400", "401", "invalid_token")
        return plain(", ".join(words)) + (" (expired, revoked or not for IMAP)" if expired else "")


def _xoauth2(username: str, token: str) -> _Answer:
    return _Answer(f"user={username}\1auth=Bearer {token}\1\1", b"")


def _oauthbearer(username: str, token: str) -> _Answer:
    name = username.replace("=", "=3D").replace(",", "=2C")
    return _Answer(f"n,a={name},\1auth=Bearer {token}\1\1", b"\1")


_MECHANISMS: Mapping[str, Callable[[str, str], _Answer]] = {
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
}
"""In the order in which they are taken: the older one is the one that every provider has."""


def _refusal(error: IMAPClientError, text: str, address: str, username: str) -> Exception | None:
    """The error where the refusal says nothing about the credential."""
    message = f"{address} as {username}: logging in: {text}"
    passing = passing_fault(text, message)
    if passing is not None:
        return passing
    causes = (error, error.__context__, error.__cause__)
    if any(isinstance(cause, IMAPClientAbortError) for cause in causes):
        return UnavailableError(f"{address} cut the line during log-in: {text}")
    return None
