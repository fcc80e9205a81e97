"""Pages people through PagerDuty's Events API v2, with PagerDuty's own client.

Belongs here: a `Message` as an event, PagerDuty's limits, its answers as our errors. Does not belong here:
retries (the outbox does them), who is on call, the REST API.

Source: developer.pagerduty.com, Events API v2 overview and rate limits.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from httpx2 import Response
from pagerduty import Error, EventsApiV2Client, HttpError

from connectors.contract import CheckResult, Message, Receipt
from connectors.errors import (
    AuthError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from connectors.text_limits import clean, cut, key_within, one_line

SUMMARY_LIMIT = 1_024
"""Characters of `payload.summary`; longer ones are refused with 400."""
KEY_LIMIT = 255
"""Characters of `dedup_key`."""
BODY_LIMIT_BYTES = 500_000
"""Of a request; PagerDuty refuses more than 512 KB."""
DETAIL_LIMIT = 8_000
DETAILS_LIMIT = 60
TEXT_LIMIT = 20_000
LINKS_LIMIT = 10
TIMEOUT_SECONDS = 10

SEVERITIES: Mapping[str, str] = {
    "critical": "critical",
    "error": "error",
    "warning": "warning",
    "info": "info",
    "high": "error",
    "medium": "warning",
    "low": "info",
}
"""Our severities, and our priorities where a caller has only those, as PagerDuty's."""

_ROUTING_KEY = re.compile(r"[0-9A-Za-z]{32}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DEFAULT_URL = "https://events.pagerduty.com"


class _Client(EventsApiV2Client):
    """The official client with its retries off, and plain HTTP on the loopback only.

    Left alone it repeats a 429 for ever (3 h 25 min after 12 tries, `Retry-After` unread) and sleeps up to
    189 s on a 503, in the calling thread.
    """

    max_network_attempts = 0

    def __init__(self, routing_key: str, base_url: str | None, timeout_seconds: float) -> None:
        local = base_url is not None and urlsplit(base_url).hostname in _LOOPBACK
        options = {"trust_env": False} if local else {}
        super().__init__(routing_key, base_url=base_url, **options)
        self.timeout = timeout_seconds  # type: ignore[assignment]
        self.retry = {}

    @property
    def url(self) -> str:
        return str(self._url)

    @url.setter
    def url(self, new_base_url: str) -> None:
        parts = urlsplit(new_base_url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ConfigurationError(
                f"the PagerDuty address {new_base_url} is not https; pages carry customers' words"
            )
        self._url = new_base_url.rstrip("/")

    def postprocess(self, response: Response) -> None:
        """Raises on 429 before the client's own loop can begin to sleep."""
        if response.status_code == 429:
            raise HttpError("rate limited", response)


class PagerDutyNotifier:
    """A PagerDuty service, by the routing (integration) key of its Events API v2 integration.

    The message's key is the dedup key: sent twice it adds a line to the open alert and wakes nobody.
    While an alert is acknowledged, further triggers of its key notify nobody either; so the level has to be
    part of the key. Close it after use (or use it as a context manager).

    Args:
        routing_key: 32 letters and digits.
        destination: names the lane in the outbox and in errors; the key's last four where left out.
        base_url: the EU region's address, or a stand-in's on the loopback.
        client_name: shown as the sender.
        timeout_seconds: how long PagerDuty may stay silent.
    """

    channel = "pagerduty"

    def __init__(
        self,
        routing_key: str,
        *,
        destination: str | None = None,
        base_url: str | None = None,
        client_name: str = "Deskbridge",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Opens no connection yet.

        Raises:
            ConfigurationError: the key has the wrong form, or the address is not https.
        """
        if not _ROUTING_KEY.fullmatch(routing_key):
            raise ConfigurationError(
                "the PagerDuty routing key has the wrong form; expected the 32 letters and digits of an "
                "Events API v2 integration"
            )
        self.destination = destination or f"…{routing_key[-4:]}"
        self._client_name = client_name
        self._client = _Client(routing_key, base_url, timeout_seconds)
        self._host = urlsplit(self._client.url).netloc

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes."""
        self.close()

    def deliver(self, message: Message) -> Receipt:
        """Sends one event. PagerDuty takes it in and works on it later: `accepted` is not yet `paged`.

        A `note` is a change event: shown on the service's page, notifies nobody.

        Raises:
            RateLimitedError: 429, with `retry_after_seconds` where told.
            UnavailableError: 5xx, no answer, a cut line: the result may be unknown; the key makes a repeat harmless.
            AuthError, NotFoundError, RejectedError: trying again does not help.
        """
        doing = f"sending {message.action} {message.key} to PagerDuty ({self.destination})"
        key = key_within(message.key, KEY_LIMIT)
        try:
            if message.action == "note":
                event = _change(message)
                self._client.send_change_event(event["payload"], event.get("links"))
                return Receipt(provider_id=None, status="accepted")
            properties = self._event(message) if message.action == "trigger" else {}
            dedup_key = self._client.send_event(message.action, dedup_key=key, **properties)
        except Error as error:
            raise _error_of(error, doing) from error
        return Receipt(provider_id=dedup_key, status="accepted")

    def check(self) -> CheckResult:
        """Resolves an alert that never existed: PagerDuty drops it, after it has looked at the key."""
        name = f"pagerduty {self.destination}"
        try:
            self._client.send_event("resolve", dedup_key="deskbridge-check")
        except Error as error:
            doing = f"checking the routing key at {self._host}"
            return CheckResult(name, False, str(_error_of(error, doing)))
        return CheckResult(
            name, True, "the routing key is accepted; whom it wakes is the service's own set-up"
        )

    def _event(self, message: Message) -> dict[str, Any]:
        body = message.body
        payload: dict[str, Any] = {
            "summary": _summary(body),
            "source": cut(one_line(body.get("source") or self._client_name), SUMMARY_LIMIT),
            "severity": SEVERITIES.get(str(body.get("severity", "")).lower(), "error"),
            "custom_details": _details(message),
        }
        if body.get("occurred_at"):
            payload["timestamp"] = str(body["occurred_at"])
        event: dict[str, Any] = {"payload": payload, "client": self._client_name}
        links = _links(body)
        if links:
            event["links"] = links
            event["client_url"] = links[0]["href"]
        if len(json.dumps(event).encode()) > BODY_LIMIT_BYTES:
            payload["custom_details"] = {
                "note": "The details were too long for PagerDuty; they are on the ticket."
            }
        return event


def _summary(body: Mapping[str, Any]) -> str:
    title = one_line(body.get("title") or body.get("text") or "")
    return cut(title or "(no title)", SUMMARY_LIMIT)


def _change(message: Message) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "summary": _summary(message.body),
        "source": cut(one_line(message.body.get("source") or "Deskbridge"), SUMMARY_LIMIT),
        "custom_details": _details(message),
    }
    if message.body.get("occurred_at"):
        payload["timestamp"] = str(message.body["occurred_at"])
    links = _links(message.body)
    return {"payload": payload, "links": links} if links else {"payload": payload}


def _details(message: Message) -> dict[str, str]:
    details: dict[str, str] = {}
    for name, value in list((message.body.get("details") or {}).items())[:DETAILS_LIMIT]:
        details[cut(one_line(name), 200)] = cut(clean(value), DETAIL_LIMIT)
    text = message.body.get("text")
    if text:
        details["text"] = cut(clean(text), TEXT_LIMIT)
    details["key"] = clean(message.key)
    return details


def _links(body: Mapping[str, Any]) -> list[dict[str, str]]:
    given = [{"href": body.get("url"), "text": "Ticket"}, *(body.get("links") or ())]
    links: dict[str, dict[str, str]] = {}
    for link in given:
        entry = {"href": link} if isinstance(link, str) else link
        href = clean(entry.get("href") or "").strip()
        if urlsplit(href).scheme in ("http", "https"):
            text = cut(one_line(entry.get("text") or href), 200)
            links.setdefault(href, {"href": href, "text": text})
    return list(links.values())[:LINKS_LIMIT]


def _error_of(error: Error, doing: str) -> ConnectorError:
    response = error.response
    if response is None:
        reason = error.__cause__ or error.__context__
        cause = re.sub(r"^\[Errno -?\d+\] ", "", str(reason or "")) or type(reason).__name__
        return UnavailableError(
            f"{doing}: no answer ({cut(one_line(cause), 200)}). Is the address right and reachable from here?"
        )
    status = response.status_code
    said = cut(one_line(response.text), 300)
    if status == 429:
        return RateLimitedError(
            f"{doing}: too many events for this key (429); it is tried again later",
            _seconds(response.headers.get("Retry-After"), response.headers.get("ratelimit-reset")),
        )
    if status in (401, 403) or "routing key" in said.lower() or "routing_key" in said:
        return AuthError(
            f"{doing}: the routing key is refused ({status}): {said}. Check the integration key of the service"
        )
    if status in (404, 410):
        return NotFoundError(f"{doing}: no such address ({status}); check base_url")
    if status < 300 and status != 202:
        return UnavailableError(
            f"{doing}: what answered ({status}) is not PagerDuty: {said}. Is base_url right, and no proxy or "
            "log-in page in between?"
        )
    if status >= 500 or status in (202, 408) or status // 100 == 3:
        return UnavailableError(f"{doing}: PagerDuty answered {status}: {said}")
    return RejectedError(f"{doing}: PagerDuty refused it ({status}): {said}", status, said)


def _seconds(*values: str | None) -> float | None:
    for value in values:
        try:
            if value is not None:
                return max(0.0, float(value))
        except ValueError:
            continue
    return None
