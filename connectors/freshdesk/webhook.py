"""Freshdesk's webhooks: the shared secret, and which ticket a body names.

Belongs here: Freshdesk's headers and bodies. Does not belong here: receiving (`connectors.webhooks`), fetching.

A webhook is an action of an automation rule, and nothing is signed: the rule sends a secret in a header of its own, or as
basic authentication. A secret in the address is not taken: addresses stand in the logs of every proxy on the way.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime

from connectors.webhooks.contract import (
    HookEvent,
    HookRequest,
    UnverifiedError,
    is_one_of,
    json_object,
    part,
    short_text,
    ticket_ids,
)

HEADER = "X-Deskbridge-Secret"


class FreshdeskHook:
    """Verifies and reads one account's webhooks.

    Args:
        secrets: what the rule sends; two while one replaces the other.
        header: the header in which it may come.
    """

    provider = "freshdesk"

    def __init__(self, secrets: Sequence[str], header: str = HEADER) -> None:
        """Keeps the secrets."""
        self._secrets = tuple(secrets)
        self._header = header.lower()

    def verify(self, request: HookRequest, now: datetime) -> None:
        """Checks the secret: in the header, or as user or password of basic authentication.

        A rule's "API key" is sent as the user, its "username and password" as both.

        Raises:
            UnverifiedError: no or another secret.
        """
        told = [request.headers.get(self._header, ""), *_basic(request)]
        told = [one for one in told if one]
        if not told:
            raise UnverifiedError("it carries no secret")
        if not sum(is_one_of(one, self._secrets) for one in told):
            raise UnverifiedError("its secret is not the configured one")

    def read(self, request: HookRequest) -> HookEvent:
        """The ticket that a body names: the vendor's simple content, or JSON with `ticket_id`.

        Nothing in it says which delivery it is, and the same body comes for each change: every one counts as new.

        Source: https://support.freshdesk.com/support/solutions/articles/132589-using-webhooks-in-automation-rules
        """
        body = json_object(request.body)
        simple = part(body, "freshdesk_webhook")
        named = ticket_ids(
            simple.get("ticket_id"), body.get("ticket_id"), part(body, "ticket").get("id")
        )
        kind = short_text(simple.get("triggered_event") or body.get("event"))
        return HookEvent(None, kind, None, {"ticket_ids": named} if named else {})


def _basic(request: HookRequest) -> list[str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []
    return [user, password]
