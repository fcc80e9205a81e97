"""A Zendesk account: its address and the one session that every call to it goes through.

Belongs here: address, credential, endpoint classes. Does not belong here: streams, tickets.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.budget import Limit
from connectors.errors import ConfigurationError
from connectors.http import Policy, PolicySession

EXPORT_POLICY = Policy(tries=4)
"""Fewer tries than usual: a page that times out is asked for again at half its size, with tries of its own."""

INCREMENTAL, TICKET_UPDATE, DEFAULT = "incremental", "ticket_update", "default"
"""Endpoint classes: exports have 10 calls a minute of their own, ticket updates 100; the rest shares the plan's."""
HELP_CENTER = "help_center"
"""Endpoint class of the knowledge base, which has a counter of its own."""
EXPORTS_PER_MINUTE = 10
"""Calls of the incremental exports; 30 with the High Volume add-on. No header is documented to tell which."""


def limits_of(exports_per_minute: float = EXPORTS_PER_MINUTE) -> Mapping[str, Limit]:
    """What is documented by endpoint class; the account's own limit is the plan's and told with every answer."""
    return {
        INCREMENTAL: Limit(exports_per_minute, header="zendesk-ratelimit-incremental-exports"),
        TICKET_UPDATE: Limit(100, header="zendesk-ratelimit-tickets-update"),
        HELP_CENTER: Limit(is_apart=True),
    }


def address_of(subdomain: str | None, base_url: str | None) -> str:
    """The account's address: `base_url` where given, else `https://{subdomain}.zendesk.com`.

    Raises:
        ConfigurationError: neither is given, or the address has no scheme or host.
    """
    if base_url:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"Zendesk's base_url is {base_url!r}; expected an address such as https://acme.zendesk.com"
            )
        return base_url.rstrip("/")
    if not subdomain or not subdomain.replace("-", "").isalnum():
        raise ConfigurationError(
            f"Zendesk's subdomain is {subdomain!r}; expected the word before .zendesk.com, e.g. acme"
        )
    return f"https://{subdomain}.zendesk.com"


def endpoint_class(method: str, path: str) -> str:
    """The rate limit that a call counts against.

    Source: Zendesk developer documentation, "Rate limits".
    """
    if "/help_center/" in path:
        return HELP_CENTER
    if "/incremental/" in path:
        return INCREMENTAL
    if method == "PUT" and "/tickets" in path:
        return TICKET_UPDATE
    return DEFAULT


def open_session(
    address: str,
    email: str = "",
    token: str = "",
    *,
    auth: Any = None,
    exports_per_minute: float = EXPORTS_PER_MINUTE,
    label: str = "",
    policy: Policy | None = None,
    **options: Any,
) -> PolicySession:
    """A session for one account and one credential.

    Args:
        address: as `address_of` gives it.
        email: the login that the token acts for.
        token: an API token; never appears in errors.
        auth: instead of email and token, e.g. `connectors.oauth.OAuthCredential`.
        exports_per_minute: more than 10 for accounts with the High Volume add-on.
        label: how errors name the account.
        policy: patience; None takes `EXPORT_POLICY`.
        options: `budgets` and `time_scale` of `PolicySession`, and its `clock`, `sleep`, `wall_clock` for tests.
    """
    return PolicySession(
        address,
        auth or (f"{email}/token", token),
        secrets=(token,),
        label=label or f"Zendesk {urlsplit(address).netloc}",
        policy=policy or EXPORT_POLICY,
        classify=endpoint_class,
        limits=limits_of(exports_per_minute),
        account_class=DEFAULT,
        **options,
    )
