"""One call to a vendor's OAuth token endpoint, and what its refusals mean.

Belongs here: the request, the answer, errors for people. Does not belong here: when to ask and where the answer is
kept (`oauth`).

Source: RFC 6749 §4.4 (client credentials), §5.2 (errors), §6 (refresh).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from connectors.errors import AuthError, ConfigurationError, UnavailableError
from connectors.http import Policy, PolicySession, redact

_WRONG_CLIENT = frozenset({"invalid_client", "unauthorized_client"})
_WRONG_QUESTION = frozenset({"invalid_scope", "unsupported_grant_type", "invalid_request"})


@dataclass(frozen=True, slots=True)
class Granted:
    """What the endpoint gave out. `refresh_token` None: the one before it stays good (Google)."""

    access_token: str
    refresh_token: str | None
    expires_in_seconds: float | None

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"Granted(expires_in_seconds={self.expires_in_seconds})"


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where tokens are given out, and the client that asks. `how_to_renew`: what a person does when the right ended."""

    url: str
    client_id: str
    client_secret: str
    scope: str | None
    label: str
    how_to_renew: str
    policy: Policy

    def __repr__(self) -> str:
        """Without the secret."""
        return f"TokenEndpoint({self.url}, client {self.client_id})"

    def ask(self, refresh_token: str | None, abandoned_by: str | None = None) -> Granted:
        """A new access token, for a refresh token or (None) for the client itself.

        Args:
            refresh_token: spent by this call wherever the vendor rotates.
            abandoned_by: the worker whose refresh with this same token never came to an end, to be told to people.

        Raises:
            AuthError: the right has ended, or the client is refused.
            ConfigurationError: the endpoint does not understand what is asked (scope, grant, address).
            UnavailableError: no usable answer; whether the token was spent is not known.
            RateLimitedError: refused by a limit; nothing was spent.
        """
        body = {"client_id": self.client_id, "client_secret": self.client_secret}
        if refresh_token is None:
            body["grant_type"] = "client_credentials"
        else:
            body |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if self.scope:
            body["scope"] = self.scope
        secrets = tuple(one for one in (self.client_secret, refresh_token or "") if len(one) > 3)
        with PolicySession(
            self.url, secrets=secrets, label=f"{self.label}, OAuth", policy=self.policy
        ) as session:
            response = session.request(
                "POST",
                self.url,
                data={name: value for name, value in body.items() if value},
                headers={"Accept": "application/json"},
            )
            answer = _object_of(response)
            if response.status_code >= 400:
                raise self._refusal(response.status_code, answer, secrets, abandoned_by)
            if not isinstance(answer.get("access_token"), str) or not answer["access_token"]:
                session.json_of(response)
                raise UnavailableError(
                    f"{self.label}: {self.url} answered {response.status_code} without an access_token. Is it the "
                    "token endpoint?"
                )
        refreshed = answer.get("refresh_token")
        return Granted(
            answer["access_token"],
            refreshed if isinstance(refreshed, str) and refreshed else None,
            _seconds(answer.get("expires_in")),
        )

    def _refusal(
        self,
        status: int,
        answer: Mapping[str, Any],
        secrets: tuple[str, ...],
        abandoned_by: str | None,
    ) -> Exception:
        code = str(answer.get("error") or "no reason given")
        told = redact(str(answer.get("error_description") or ""), secrets)[:300]
        said = f"{self.label}: {self.url} answered {status}, {redact(code, secrets)[:80]}"
        said = f"{said} ({told})" if told else said
        if code in _WRONG_CLIENT:
            return AuthError(
                f"{said}: the OAuth client is refused. Check client_id and client_secret in the configuration"
            )
        if code in _WRONG_QUESTION:
            return ConfigurationError(
                f"{said}: check token_url, scope and the grants allowed for client {self.client_id}"
            )
        if code == "invalid_grant" or status in (401, 403):
            lost = (
                ""
                if abandoned_by is None
                else f" A refresh by {abandoned_by} never came to an end: the vendor has most likely given out a new "
                "pair that was lost before it could be stored."
            )
            return AuthError(
                f"{said}: the refresh token has expired, was revoked or was used before.{lost} Nothing but a person "
                f"helps: {self.how_to_renew}"
            )
        return UnavailableError(f"{said}; the next run tries again", status)


def _object_of(response: requests.Response) -> Mapping[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < 1e9 else None
