"""OAuth 2.0 access tokens that expire, and refresh tokens that work once.

Belongs here: who may refresh, when, and that a new pair is stored before it is used. Does not belong here: the stores
(`token_store`, `connectors.warehouse.oauth_tokens`), the call itself (`token_endpoint`).

The refresh token of the configuration is only the seed: vendors replace it at the first refresh, and the pair that
replaced it lives in the store, for all workers. A seed that was never used before begins a row of its own, so a newly
configured one wins and nothing has to be cleaned up.

    credential = OAuthCredential(token_url=…, client_id=…, client_secret=…, refresh_token=…, store=…)
    session = PolicySession(base_url, credential)                    # on every request, renewed after a 401
    imap = ImapSource(host, user, access_token=credential.access_token)

Source: RFC 6749; Zendesk "Working with OAuth refresh tokens" (a refresh deletes the pair before it).
"""

import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from requests.auth import AuthBase

from connectors.errors import (
    AuthError,
    ConfigurationError,
    ConnectorError,
    RateLimitedError,
    UnavailableError,
)
from connectors.http import Policy
from connectors.token_endpoint import Granted, TokenEndpoint
from connectors.token_store import MemoryTokenStore, StoredToken, TokenStore

TOKEN_POLICY = Policy(tries=3, deadline_seconds=60, wait_cap_seconds=30, read_timeout_seconds=30)
"""Patience with a token endpoint: well below the lease, so that nobody takes over from a worker that still waits."""

LEASE_SECONDS = 120
"""For how long one worker may refresh while the others wait."""

_MARGIN_SECONDS = 60.0
_POLL_SECONDS = 0.2


class OAuthCredential(AuthBase):
    """One right to call an API, as a requests auth object and as a bare token; safe for several threads.

    With a refresh token it is a person's right (refresh-token grant), without one the client's own
    (client-credentials grant).

    Args:
        token_url: the vendor's token endpoint.
        client_id, client_secret: of the registered client; a public client has no secret.
        refresh_token: the seed. It is used until the store holds its successor.
        scope: what is asked for; Microsoft's client-credentials grant needs `https://graph.microsoft.com/.default`.
        store: where pairs live; in memory when left out.
        label: how errors name the credential, e.g. `client acme, source zendesk`.
        how_to_renew: what a person has to do where the right has ended.
        policy: patience with the token endpoint.
        wall_clock, sleep: aware UTC now and sleeper (replaced in tests).

    Raises:
        ConfigurationError: neither a refresh token nor a client secret is given.
    """

    def __init__(
        self,
        *,
        token_url: str,
        client_id: str,
        client_secret: str = "",
        refresh_token: str | None = None,
        scope: str | None = None,
        store: TokenStore | None = None,
        label: str = "",
        how_to_renew: str = "",
        policy: Policy = TOKEN_POLICY,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keeps the settings; opens no connection."""
        self.label = label or f"OAuth client {client_id}"
        seed = refresh_token or client_secret
        if not seed:
            raise ConfigurationError(
                f"{self.label}: OAuth needs a refresh_token, or a client_secret for the client's own right"
            )
        how = how_to_renew or (
            "authorise the client again with the vendor and set the new refresh_token in the configuration"
            if refresh_token
            else "make a new client secret with the vendor and set it in the configuration"
        )
        self._endpoint = TokenEndpoint(
            token_url, client_id, client_secret, scope, self.label, how, policy
        )
        self._seed = seed
        self._refresh_token = refresh_token
        self._seed_sha256 = hashlib.sha256(seed.encode()).hexdigest()
        named = "\n".join((token_url, client_id, scope or "", seed))
        self._key = hashlib.sha256(named.encode()).hexdigest()
        self._store = store or MemoryTokenStore()
        self._now, self._sleep = wall_clock, sleep
        self._lock = threading.RLock()
        self._token: StoredToken | None = None
        self._unsaved: tuple[StoredToken, str] | None = None
        self._refused: str | None = None

    def __call__(self, request: Any) -> Any:
        """Puts the token on a request."""
        request.headers["Authorization"] = f"Bearer {self.access_token()}"
        return request

    def __repr__(self) -> str:
        """Without secrets."""
        return f"OAuthCredential({self.label})"

    def identity(self) -> str:
        """Names this right for budgets: a hash that stays while tokens come and go."""
        return self._key

    def secrets(self) -> tuple[str, ...]:
        """Every secret that is known now, for redaction."""
        known = [self._seed, self._endpoint.client_secret, self._refused or ""]
        for one in (self._token, self._unsaved[0] if self._unsaved else None):
            if one is not None:
                known += [one.access_token, one.refresh_token or ""]
        return tuple(secret for secret in dict.fromkeys(known) if len(secret) > 3)

    def access_token(self) -> str:
        """A token that is good now; refreshed, or read from the store, where the last one is not.

        Raises:
            AuthError: the right has ended; the message says how to authorise again.
            ConnectorError: the token endpoint or the store cannot be used now.
        """
        with self._lock:
            if self._unsaved is not None:
                self._keep(*self._unsaved)
            if self._token is None or not self._is_usable(self._token):
                self._token = self._renewed()
            return self._token.access_token

    def invalidate(self, refused: str | None = None) -> None:
        """Says that the API refused a token (401): the next `access_token` gives another one.

        Args:
            refused: the token; the present one when left out. One that was replaced meanwhile changes nothing.
        """
        with self._lock:
            self._refused = refused or (self._token.access_token if self._token else None)

    def _is_usable(self, token: StoredToken) -> bool:
        if token.access_token == self._refused:
            return False
        if token.expires_at is None:
            return True
        lifetime = (token.expires_at - token.rotated_at).total_seconds()
        margin = timedelta(seconds=min(_MARGIN_SECONDS, max(lifetime, 0.0) / 10))
        return self._now() < token.expires_at - margin

    def _renewed(self) -> StoredToken:
        """The store's pair where it is good, else a new one; while another worker refreshes, its outcome."""
        started = self._now()
        waited = 0.0
        owner = (
            f"{socket.gethostname()}, process {os.getpid()}, begun {started:%Y-%m-%d %H:%M:%S} UTC"
        )
        owner = f"{owner} ({uuid.uuid4().hex[:8]})"
        while True:
            token = self._store.load(self._key)
            if token is not None and self._is_usable(token):
                return token
            now = self._now()
            turn = self._store.begin(self._key, owner, now, now + timedelta(seconds=LEASE_SECONDS))
            if turn.is_ours:
                return self._refreshed(owner, turn.abandoned_by)
            if waited > 2 * LEASE_SECONDS:
                raise UnavailableError(
                    f"{self.label}: other workers have been refreshing the access token for {waited:.0f} s without "
                    "an outcome; the next run tries again"
                )
            self._sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS

    def _refreshed(self, owner: str, abandoned_by: str | None) -> StoredToken:
        """A pair given out under the lease; the lease left behind says how it went."""
        # Read again: the one before us may just have finished.
        token = self._store.load(self._key)
        if token is not None and self._is_usable(token):
            self._store.release(self._key, owner)
            return token
        before = self._refresh_token
        if token is not None and token.refresh_token:
            before = token.refresh_token
        try:
            granted = self._endpoint.ask(before, abandoned_by)
        except (AuthError, ConfigurationError, RateLimitedError):
            # Nothing was given out. What somebody abandoned before us is told again by the next run.
            if abandoned_by is None:
                self._store.release(self._key, owner)
            else:
                self._store.abandon(self._key, owner, self._now(), abandoned_by)
            raise
        except ConnectorError:
            self._store.abandon(self._key, owner, self._now())
            raise
        fresh = self._pair(granted, before)
        self._keep(fresh, owner)
        return fresh

    def _pair(self, granted: Granted, before: str | None) -> StoredToken:
        now = self._now()
        seconds = granted.expires_in_seconds
        return StoredToken(
            seed_sha256=self._seed_sha256,
            access_token=granted.access_token,
            refresh_token=granted.refresh_token or before,
            expires_at=None if seconds is None else now + timedelta(seconds=seconds),
            rotated_at=now,
        )

    def _keep(self, token: StoredToken, owner: str) -> None:
        """Stores a pair before anybody uses it; where that fails it waits here for the next call."""
        self._unsaved = (token, owner)
        try:
            self._store.finish(self._key, owner, token)
        except ConnectorError as error:
            raise UnavailableError(
                f"{self.label}: the vendor gave out a new OAuth pair and it could not be stored: {error}. This "
                "process holds it and stores it with its next call; if it ends before, the pair is lost: "
                f"{self._endpoint.how_to_renew}"
            ) from error
        self._unsaved = None
        self._token = token
