"""A stand-in for an OAuth 2.0 token endpoint: access tokens that expire, refresh tokens that work once.

Belongs here: giving out tokens and knowing which are good. Does not belong here: what a vendor's API does with them.

`TokenDesk` is the endpoint's memory and can be mounted into another stand-in (`ZendeskStandin(…, oauth=desk)`);
`OAuthStandin` is the endpoint alone, with one protected path to try a token on.

    desk = TokenDesk(refresh_token="seed-1")
    with OAuthStandin(desk) as server:
        OAuthCredential(token_url=server.token_url, client_id=desk.client_id, …)

Source: RFC 6749 §4.4, §5, §6; Zendesk "OAuth Tokens for Grant Types" (a refresh deletes the pair before it).
"""

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.standins.server import Request, Response, Route, StandIn, system_now


class TokenDesk:
    """Gives out tokens and remembers them. Handlers run one at a time, so it needs no lock.

    Args:
        client_id, client_secret: of the one client.
        refresh_token: the seed that a person's authorisation gave.
        expires_in_seconds: life of an access token, in seconds of `now`.
        now: gives aware UTC instants.
        rotates: a refresh gives a new refresh token and ends the pair before it (Zendesk); False keeps it (Google).
        has_own_right: whether the client may ask for itself (client credentials).
    """

    def __init__(
        self,
        *,
        client_id: str = "deskbridge",
        client_secret: str = "made-up-secret",  # noqa: S107 - the stand-in's own
        refresh_token: str = "seed-refresh-token",  # noqa: S107 - the stand-in's own
        expires_in_seconds: float = 7200,
        now: Callable[[], datetime] = system_now,
        rotates: bool = True,
        has_own_right: bool = False,
    ) -> None:
        """Knows the seed, and no access token yet."""
        self.client_id, self.client_secret = client_id, client_secret
        self.expires_in_seconds = expires_in_seconds
        self.rotates, self.has_own_right = rotates, has_own_right
        self.refreshes = 0
        """Refreshes that gave something out."""
        self.reused = 0
        """Refresh tokens that came a second time."""
        self._now = now
        self._refresh_token = refresh_token
        self._spent: set[str] = set()
        self._access: dict[str, datetime] = {}
        self._numbers = itertools.count(1)

    def accepts(self, access_token: str | None) -> bool:
        """Whether an access token is good now."""
        expires_at = self._access.get(access_token or "")
        return expires_at is not None and self._now() < expires_at

    def revoke(self) -> None:
        """A person takes the right back: nothing that was given out is good any more."""
        self._access.clear()
        self._spent.add(self._refresh_token)
        self._refresh_token = ""

    def authorise(self, refresh_token: str) -> None:
        """A person authorises the client again, with a new seed."""
        self._access.clear()
        self._refresh_token = refresh_token

    def expire_access(self) -> None:
        """Ends every access token now, before its time."""
        self._access.clear()

    def route(self, path: str = r"/oauth/tokens") -> Route:
        """The endpoint, at the path of the vendor."""
        return Route("oauth_token", "POST", path, self.answer)

    def answer(self, request: Request) -> Response:
        """One request for a token, as a form or as JSON."""
        is_json = "json" in request.headers.get("content-type", "")
        given: dict[str, Any] = request.json() if is_json else request.form()
        if (given.get("client_id"), given.get("client_secret")) != (
            self.client_id,
            self.client_secret,
        ):
            return _refusal("invalid_client", "Client authentication failed", 401)
        grant = given.get("grant_type")
        if grant == "client_credentials" and self.has_own_right:
            return self._give(None)
        if grant != "refresh_token":
            return _refusal("unsupported_grant_type", "The grant type is not supported", 400)
        shown = str(given.get("refresh_token") or "")
        if not shown or shown != self._refresh_token:
            self.reused += shown in self._spent
            return _refusal(
                "invalid_grant", "The refresh token is invalid, expired or revoked", 400
            )
        self.refreshes += 1
        if not self.rotates:
            return self._give(None)
        self._spent.add(shown)
        self._access.clear()
        self._refresh_token = f"refresh-{next(self._numbers)}"
        return self._give(self._refresh_token)

    def _give(self, refresh_token: str | None) -> Response:
        access = f"access-{next(self._numbers)}"
        self._access[access] = self._now() + timedelta(seconds=self.expires_in_seconds)
        body: dict[str, Any] = {
            "access_token": access,
            "token_type": "bearer",
            "scope": "read write",
            "expires_in": self.expires_in_seconds,
        }
        if refresh_token is not None:
            body["refresh_token"] = refresh_token
        return Response.json(body, headers={"Cache-Control": "no-store"})


class OAuthStandin(StandIn):
    """The endpoint alone at `/token`, and `/protected`, which answers those who bring a good token."""

    def __init__(self, desk: TokenDesk, **options: Any) -> None:
        """`options` are those of `StandIn`."""
        super().__init__(**options)
        self.desk = desk

    @property
    def token_url(self) -> str:
        """Where tokens are given out."""
        return f"{self.base_url}/token"

    def routes(self) -> Sequence[Route]:
        """The endpoint and one path to try a token on."""
        return [
            self.desk.route("/token"),
            Route("protected", "GET", "/protected", self._protected),
            Route("protected_write", "POST", "/protected", self._protected),
        ]

    def _protected(self, request: Request) -> Response:
        if not self.desk.accepts(request.bearer()):
            return Response.json({"error": "invalid_token"}, 401)
        return Response.json({"hello": "there"})


def _refusal(code: str, description: str, status: int) -> Response:
    return Response.json({"error": code, "error_description": description}, status)
