"""The one HTTP policy: every connector's requests go through a `PolicySession`.

Belongs here: budget per (credential, endpoint class) learned from headers, waits for `Retry-After`, retries,
deadlines, credentials only to their own host, redaction, status → error. Does not belong here: any vendor's
paths. zenpy is given the same session, so that its calls share budget and waits.

From the environment come proxies (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`; never used for this machine itself) and
certificate authorities (`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` or `SSL_CERT_FILE`), which company networks need.
Nothing else does: a `.netrc` would put somebody else's password into a request.
"""

import base64
import ipaddress
import math
import os
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
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from connectors.network_faults import reason_of, tls_fault

RETRY_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers worth another try. Zendesk documents 409 and 503 as such; 429 always is."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent again after a lost answer. POST is sent again on 429 and 503 only: those answers
say that nothing was taken in."""

_SECRET = re.compile(
    r"(?i)(token|key|secret|password|authorization|signature)([\"']?\s*[:=]\s*[\"']?)"
    r"((?:basic|bearer|token)\s+)?[^\s\"'&,}]+"
)
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text with known secrets and anything that looks like one replaced by `***`."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return _SECRET.sub(r"\1\2\3***", text)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds to wait as told by `Retry-After`: an integer, a decimal or an HTTP date; None where it tells nothing.

    Source: RFC 9110 §10.2.3; decimals are seen in the field.
    """
    if not value:
        return None
    try:
        seconds = float(value.strip())
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


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
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 60.0


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
    `UnavailableError` when no usable answer came, `ConfigurationError` when the host cannot be trusted,
    `RejectedError` when anything but a GET is sent on elsewhere. Other answers are returned as they are; `check_status`
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
        self.verify = next(
            (os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), True
        )
        self._own_auth = auth
        self._secrets = (*secrets, *_basic_secrets(auth))
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
        policy = self.policy
        options.setdefault("timeout", (policy.connect_timeout_seconds, policy.read_timeout_seconds))
        options.setdefault("proxies", proxies_for(url))
        # A redirected POST would be sent on as a GET, or with its body to another host.
        options.setdefault("allow_redirects", method in ("GET", "HEAD"))
        path = urlsplit(url).path
        budget = self.budget(self._classify(method, path))
        deadline = self._clock() + policy.deadline_seconds
        failures = limits = 0
        while True:
            self._wait_for(budget, deadline, method, path)
            response, failure = self._try(method, url, options)
            if response is not None and response.status_code not in RETRY_STATUSES:
                self._learn(budget, response)
                return self._not_redirected(response, method)
            # A limit is no failure: it is waited for until the deadline, however many workers share it.
            if response is not None and response.status_code == 429:
                limits += 1
            else:
                failures += 1
            is_late = self._clock() >= deadline
            if not self._may_repeat(method, response) or failures >= policy.tries or is_late:
                return self._give_up(response, failure, method, path, failures + limits)
            self._block(budget, response, failures + limits)

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
            kind = (
                response.headers.get("Content-Type", "").partition(";")[0].strip()
                or "nothing known"
            )
            place = _place(response)
            if response.history:
                place += f" on {urlsplit(response.url).netloc} (redirected there)"
            raise UnavailableError(
                f"{self.label}: {place} answered {response.status_code} with {kind} of {len(response.content)} "
                "bytes, which is not JSON. Is the address that of the API, without a proxy's or log-in page in "
                "between?"
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
        except requests.exceptions.SSLError as error:
            raise ConfigurationError(
                f"{self.label}: no trusted connection to {urlsplit(url).netloc}: {tls_fault(error)}"
            ) from None
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            return None, error
        except OSError as error:
            # All other errors of requests are such; so is a bundle of authorities that is not there.
            raise UnavailableError(
                f"{self.label}: {method} {urlsplit(url).path}: {redact(str(error), self._secrets)}"
            ) from None

    def rebuild_proxies(self, prepared_request: Any, proxies: Any) -> Any:
        """A redirect to another host has a proxy of its own, or none."""
        own = proxies_for(str(prepared_request.url))
        return super().rebuild_proxies(prepared_request, own)  # type: ignore[no-untyped-call]

    def _not_redirected(self, response: requests.Response, method: str) -> requests.Response:
        if not response.is_redirect:
            return response
        goal = urlsplit(urljoin(str(response.url), response.headers["Location"]))
        raise RejectedError(
            f"{self.label}: {_place(response)} is sent on to {goal.scheme}://{goal.netloc}{goal.path}; a {method} "
            "is never repeated elsewhere. If that is the right address, set it as base_url",
            response.status_code,
        )

    def _may_repeat(self, method: str, response: requests.Response | None) -> bool:
        if method in _SAFE_METHODS:
            return True
        return response is not None and response.status_code in (429, 503)

    def _wait_for(self, budget: Budget, deadline: float, method: str, path: str) -> None:
        while True:
            now = self._clock()
            with budget.lock:
                wait = budget.blocked_until - now
            if wait <= 0:
                return
            longest = min(self.policy.wait_cap_seconds, deadline - now)
            if wait > longest:
                raise RateLimitedError(
                    f"{self.label}: {method} {path} has to wait {wait:.0f} s for the rate limit, longer than this "
                    f"call may ({max(longest, 0):.0f} s); the next run goes on from here",
                    wait,
                )
            # Asked again afterwards: another worker may have been told to wait for longer.
            self._sleep(wait)
            with budget.lock:
                budget.seconds_waited += wait

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
        times = "1 try" if tries == 1 else f"{tries} tries"
        if response is None:
            host = urlsplit(self.base_url).netloc
            reason = redact(
                reason_of(
                    failure, self.policy.connect_timeout_seconds, self.policy.read_timeout_seconds
                ),
                self._secrets,
            )
            unknown = (
                ""
                if method in _SAFE_METHODS
                else " Whether it arrived is not known, so it is not sent again."
            )
            raise UnavailableError(
                f"{what} got no answer from {host} in {times} ({reason}). Is the address right and the host "
                f"reachable from here?{unknown}"
            ) from None
        if response.status_code == 429:
            told = retry_after_seconds(response.headers.get("Retry-After"), self._wall_clock())
            raise RateLimitedError(
                f"{what} was refused by the rate limit in {times}; the next run goes on from here",
                told,
            )
        if response.status_code in (409, 425):
            return response
        status = response.status_code
        raise UnavailableError(
            f"{what} answered {status} in {times}. The fault is on the other side; try again later",
            status,
        )


def _basic_secrets(auth: Any) -> tuple[str, ...]:
    """A Basic password as it is, and as it stands in the header."""
    if not isinstance(auth, tuple) or len(auth) != 2:
        return ()
    user, password = str(auth[0]), str(auth[1])
    header = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    # Freshdesk's password is always X, which hides nothing.
    return (header, password) if len(password) > 3 else (header,)


def proxies_for(url: str) -> dict[str, str]:
    """The proxies that the environment names for a URL, by scheme; none for this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
    return {} if is_local else dict(requests.utils.get_environ_proxies(url))


def _place(response: requests.Response) -> str:
    request = response.request
    return f"{request.method} {urlsplit(str(request.url)).path}"
