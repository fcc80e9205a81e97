"""The one HTTP policy: every connector's requests go through a `PolicySession`.

Belongs here: budget per (credential, endpoint class) learned from headers, waits for `Retry-After`, retries,
deadlines, credentials only to their own host, redaction, status → error. Does not belong here: any vendor's
paths. zenpy is given the same session, so that its calls share budget and waits.
"""

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from connectors.errors import (
    AuthError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = (10.0, 60.0)
"""Connect and read timeout of one try."""

RETRY_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers worth another try. Zendesk documents 409 and 503 as such; 429 always is."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent again after a lost answer. POST is sent again on 429 and 503 only: those answers
say that nothing was taken in."""

_SECRET = re.compile(
    r"(?i)(token|key|secret|password|authorization|signature)([\"']?\s*[:=]\s*[\"']?)[^\s\"'&,}]+"
)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text with known secrets and anything that looks like one replaced by `***`."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return _SECRET.sub(r"\1\2***", text)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds to wait as told by `Retry-After`: an integer, a decimal or an HTTP date; None where it tells nothing.

    Source: RFC 9110 §10.2.3; decimals are seen in the field.
    """
    if not value:
        return None
    try:
        return max(0.0, float(value.strip()))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


@dataclass(slots=True)
class Budget:
    """What is known of one rate limit; shared by every thread that uses the credential."""

    remaining: float | None = None
    blocked_until: float = 0.0
    seconds_waited: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a session is. All durations in seconds."""

    tries: int = 6
    wait_cap_seconds: float = 120.0
    deadline_seconds: float = 600.0
    backoff_seconds: float = 0.5


class PolicySession(requests.Session):
    """A requests session that keeps to one host's limits and never sends its credential elsewhere.

    Args:
        base_url: scheme and host (and path prefix) that the credential belongs to.
        auth: Basic credentials or a requests auth object; sent to the host of `base_url` only.
        secrets: texts that must never appear in an error or a log line.
        label: how errors name the other side, e.g. `client acme, source zendesk`.
        policy: patience.
        classify: (method, path) → endpoint class, each with a budget of its own.
        clock, sleep, wall_clock: monotonic seconds, sleeper and aware UTC now (replaced in tests).

    Raises, from `request`: `RateLimitedError` when the wait would go beyond the policy's cap or deadline,
    `UnavailableError` when no usable answer came. Other answers are returned as they are; `check_status`
    and `get_json` turn them into errors.
    """

    def __init__(
        self,
        base_url: str,
        auth: Any = None,
        *,
        secrets: tuple[str, ...] = (),
        label: str = "",
        policy: Policy | None = None,
        classify: Callable[[str, str], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Keeps the settings; opens no connection."""
        super().__init__()
        self.base_url = base_url.rstrip("/") + "/"
        self.label = label or urlsplit(base_url).netloc
        self.policy = policy or Policy()
        self.calls = 0
        self.headers["User-Agent"] = "deskbridge"
        self.trust_env = False
        self._own_auth = auth
        self._secrets = secrets
        self._classify = classify or (lambda _method, _path: "default")
        self._clock = clock
        self._sleep = sleep
        self._wall_clock = wall_clock
        self._budgets: dict[str, Budget] = {}

    @property
    def seconds_waited(self) -> float:
        """Seconds spent waiting for limits so far, over all endpoint classes."""
        return sum(budget.seconds_waited for budget in self._budgets.values())

    def budget(self, endpoint_class: str) -> Budget:
        """The budget of one endpoint class."""
        return self._budgets.setdefault(endpoint_class, Budget())

    def is_own(self, url: str) -> bool:
        """Whether a URL lies on the host that the credential belongs to."""
        own, other = urlsplit(self.base_url), urlsplit(url)
        return (own.scheme, own.netloc.lower()) == (other.scheme, other.netloc.lower())

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """One request under the policy: waits, retries, keeps the credential at home."""
        url = urljoin(self.base_url, url)
        method = method.upper()
        if self.is_own(url):
            options.setdefault("auth", self._own_auth)
        else:
            options["auth"] = None
        options.setdefault("timeout", TIMEOUT_SECONDS)
        path = urlsplit(url).path
        budget = self.budget(self._classify(method, path))
        deadline = self._clock() + self.policy.deadline_seconds
        tries = 0
        while True:
            self._wait_for(budget, deadline, method, path)
            response, failure = self._try(method, url, options)
            if response is not None and response.status_code not in RETRY_STATUSES:
                self._learn(budget, response)
                return response
            # A limit is no failure: it is waited for until the deadline, however many workers share it.
            is_limit = response is not None and response.status_code == 429
            tries += not is_limit
            is_late = self._clock() >= deadline
            if not self._may_repeat(method, response) or tries >= self.policy.tries or is_late:
                return self._give_up(response, failure, method, path, max(tries, 1))
            self._block(budget, response, tries)

    def get_json(self, url: str, **options: Any) -> Any:
        """The JSON body of a GET that succeeded; other answers become errors of `connectors.errors`."""
        response = self.request("GET", url, **options)
        self.check_status(response)
        return self.json_of(response)

    def json_of(self, response: requests.Response) -> Any:
        """The answer's JSON.

        Raises:
            UnavailableError: the body is not JSON (a proxy's page, a cut answer).
        """
        try:
            return response.json()
        except ValueError as error:
            raise UnavailableError(
                f"{self.label}: {_place(response)} answered {response.status_code} with a body that is not "
                f"JSON ({len(response.content)} bytes)"
            ) from error

    def check_status(self, response: requests.Response) -> None:
        """Turns a refused request into the error that says what the caller should do."""
        status = response.status_code
        if status < 400:
            return
        body = redact(response.text[:300], self._secrets)
        what = f"{self.label}: {_place(response)} answered {status}"
        if status in (401, 403):
            raise AuthError(
                f"{what}: the credential is refused. Check user, token and their permissions. {body}".rstrip()
            )
        if status in (404, 410):
            raise NotFoundError(f"{what}: not found. {body}".rstrip())
        raise RejectedError(f"{what}: {body}", status, body)

    def _try(
        self, method: str, url: str, options: Mapping[str, Any]
    ) -> tuple[requests.Response | None, Exception | None]:
        self.calls += 1
        try:
            return super().request(method, url, **options), None
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            return None, error
        except requests.RequestException as error:
            raise UnavailableError(f"{self.label}: {redact(str(error), self._secrets)}") from None

    def _may_repeat(self, method: str, response: requests.Response | None) -> bool:
        if method in _SAFE_METHODS:
            return True
        return response is not None and response.status_code in (429, 503)

    def _wait_for(self, budget: Budget, deadline: float, method: str, path: str) -> None:
        with budget.lock:
            wait = budget.blocked_until - self._clock()
        if wait <= 0:
            return
        if wait > self.policy.wait_cap_seconds or self._clock() + wait > deadline:
            raise RateLimitedError(
                f"{self.label}: {method} {path} has to wait {wait:.0f} s for the rate limit, longer than this "
                f"run may ({self.policy.wait_cap_seconds:.0f} s); the next run goes on from here",
                wait,
            )
        budget.seconds_waited += wait
        self._sleep(wait)

    def _learn(self, budget: Budget, response: requests.Response) -> None:
        headers = response.headers
        told = headers.get("ratelimit-remaining") or headers.get("X-Rate-Limit-Remaining")
        told = told or headers.get("X-RateLimit-Remaining")
        try:
            remaining = float(told) if told is not None else None
            reset = float(headers.get("ratelimit-reset", "nan"))
        except ValueError:
            return
        with budget.lock:
            budget.remaining = remaining
            if remaining is not None and remaining <= 0 and reset == reset:
                budget.blocked_until = max(
                    budget.blocked_until,
                    self._clock() + min(reset, self.policy.wait_cap_seconds),
                )

    def _block(self, budget: Budget, response: requests.Response | None, number: int) -> None:
        told = None
        if response is not None:
            told = retry_after_seconds(response.headers.get("Retry-After"), self._wall_clock())
            response.close()
        wait = told
        if wait is None:
            ceiling = min(self.policy.wait_cap_seconds, self.policy.backoff_seconds * 2**number)
            wait = random.uniform(0, ceiling)
        with budget.lock:
            budget.blocked_until = max(budget.blocked_until, self._clock() + wait)

    def _give_up(
        self,
        response: requests.Response | None,
        failure: Exception | None,
        method: str,
        path: str,
        tries: int,
    ) -> requests.Response:
        what = f"{self.label}: {method} {path}"
        if response is None:
            host = urlsplit(self.base_url).netloc
            reason = redact(_root_cause(failure), self._secrets)
            raise UnavailableError(
                f"{what} got no answer from {host} in {tries} tries ({reason}). Is the address right and the "
                "host reachable from here?"
            ) from None
        if response.status_code == 429:
            told = retry_after_seconds(response.headers.get("Retry-After"), self._wall_clock())
            raise RateLimitedError(f"{what} was rate limited {tries} times", told)
        if response.status_code in (409, 425):
            return response
        status = response.status_code
        raise UnavailableError(f"{what} answered {status} in {tries} tries", status)


def _place(response: requests.Response) -> str:
    request = response.request
    return f"{request.method} {urlsplit(str(request.url)).path}"


def _root_cause(error: BaseException | None) -> str:
    """The innermost reason in a few words: requests wraps urllib3 wraps the socket's own error."""
    if error is None:
        return "no reason given"
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if not isinstance(inner, BaseException) or inner is seen:
            break
        seen = inner
    text = str(seen) or type(seen).__name__
    return text if len(text) <= 200 else text[:200] + "…"
