"""The one HTTP session: every connector's requests go through a `PolicySession`.

Belongs here: one request from the first try to the answer or the error, credentials only to their own host. Does not
belong here: any vendor's paths; how a request leaves (`http_adapter`), how long to wait for limits (`pacing`, `budget`),
how patient to be and what an answer means (`http_policy`), bodies (`http_body`), hiding secrets (`redaction`), proxies (`http_environment`), tokens that
expire (`oauth`). zenpy is given the same session, so that its calls share budget and waits.
"""

import base64
import hashlib
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urljoin, urlsplit

import requests

from connectors.budget import BudgetStore, Told
from connectors.budget_headers import retry_after_seconds, told_by_name, told_in_general
from connectors.errors import (
    ConfigurationError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from connectors.http_adapter import LeanSession
from connectors.http_body import BodyTooLargeError, CutBodyError, is_cut_json, read_body
from connectors.http_environment import authorities, proxies_for
from connectors.http_policy import (
    RETRY_STATUSES,
    SAFE_METHODS,
    Policy,
    may_repeat,
    place_of,
    refusal,
)
from connectors.json_text import parsed
from connectors.network_faults import reason_of, tls_fault
from connectors.pacing import Budget, Limits, Pacer, Started
from connectors.redaction import guard_logs, redact

__all__ = [
    "RETRY_STATUSES",
    "Policy",
    "PolicySession",
    "proxies_for",
    "redact",
    "retry_after_seconds",
]

_NO_WAIT = 0.001
"""Seconds until a call has its place in the budget, where it waits for nothing but a lock."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
"""Paths that the address needs only be put before."""


@runtime_checkable
class RenewableAuth(Protocol):
    """A requests auth object whose secret is replaced while it is in use (`connectors.oauth.OAuthCredential`)."""

    def invalidate(self, refused: str | None = None) -> None:
        """The host refused this secret (401): the next request carries another one."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """Secrets known now, for redaction."""
        ...

    def identity(self) -> str:
        """A hash that stays while secrets come and go."""
        ...


class PolicySession(LeanSession):
    """A requests session that keeps to one host's limits and never sends its credential elsewhere.

    Args:
        base_url: scheme and host (and path prefix) that the credential belongs to.
        auth: Basic credentials or a requests auth object; sent to the host of `base_url` only. One that can be
            renewed (`RenewableAuth`) is, once for each request, where the host answers 401.
        secrets: texts that must never appear in an error or a log line.
        label: how errors name the other side, e.g. `client acme, source zendesk`.
        policy: patience.
        classify: (method, path) → endpoint class, each with a budget of its own.
        limits: documented limits by endpoint class, kept to before (and where) no header tells them.
        account_class: the class whose limit every other class counts against too.
        budgets: where budgets live; give the same one to all that share a credential. Of this session when left out.
        time_scale: documented seconds that pass in a real one; 1 but for a stand-in.
        amend: puts a vendor's odd answer, read whole, into the standard form before it is judged (Gmail tells a limit
            as 403, and the time to wait in a sentence).
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
        limits: Limits | None = None,
        account_class: str | None = None,
        budgets: BudgetStore | None = None,
        time_scale: float = 1.0,
        amend: Callable[[requests.Response], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Keeps the settings; opens no connection."""
        super().__init__()
        guard_logs()
        self.base_url = base_url.rstrip("/") + "/"
        self.label = label or urlsplit(base_url).netloc
        self.policy = policy or Policy()
        self.calls = 0
        self.headers["User-Agent"] = "deskbridge"
        self.trust_env = False
        self.verify = authorities()
        self._own_auth = auth
        self._is_renewable = isinstance(auth, RenewableAuth)
        self._secrets = (*secrets, *_basic_secrets(auth))
        self.on_call: Callable[[float, int | None, float], None] | None = None
        """Told of each call: seconds it took, its status (None: no answer), seconds it had waited for a limit."""
        self._amend = amend
        self._classify = classify or (lambda _method, _path: "default")
        self._clock = clock
        self._sleep = sleep
        self._wall_clock = wall_clock
        self._pacer = Pacer(
            _credential_key(self.base_url, auth),
            store=budgets,
            limits=limits,
            account_class=account_class,
            time_scale=time_scale,
        )

    @property
    def seconds_waited(self) -> float:
        """Seconds spent waiting for limits so far, over all endpoint classes."""
        return self._pacer.seconds_waited

    def budget(self, endpoint_class: str) -> Budget:
        """The budget of one endpoint class, as this session sees it."""
        return self._pacer.budget(endpoint_class)

    def close(self) -> None:
        """Closes connections; calls taken out of the shared budget and not made go back."""
        self._pacer.close(self._clock())
        super().close()

    def is_own(self, url: str) -> bool:
        """Whether a URL lies on the host that the credential belongs to."""
        own, other = urlsplit(self.base_url), urlsplit(url)
        return (own.scheme, own.netloc.lower()) == (other.scheme, other.netloc.lower())

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """One request under the policy: waits, retries, keeps the credential at home."""
        url = self.base_url + url if _PLAIN_PATH.fullmatch(url) else urljoin(self.base_url, url)
        method = method.upper()
        is_own = self.is_own(url)
        if is_own:
            options.setdefault("auth", self._own_auth)
        else:
            options["auth"] = None
        policy = self.policy
        options.setdefault("timeout", (policy.connect_timeout_seconds, policy.read_timeout_seconds))
        options.setdefault("proxies", proxies_for(url))
        # A redirected POST would be sent on as a GET, or with its body to another host.
        options.setdefault("allow_redirects", method in ("GET", "HEAD"))
        path = urlsplit(url).path
        # Other hosts have limits of their own: a file server's files cost nothing of the account's.
        endpoint_class = self._classify(method, path) if is_own else urlsplit(url).netloc.lower()
        deadline = self._clock() + policy.deadline_seconds
        failures = limits = 0
        may_renew = options["auth"] is self._own_auth and self._is_renewable
        while True:
            came = self._clock()
            started = self._wait_for(endpoint_class, deadline, method, path, is_own)
            response, failure = self._try(method, url, options, deadline)
            self._account_for(started, response)
            if self.on_call is not None:
                status = None if response is None else response.status_code
                self.on_call(self._clock() - started.at, status, started.at - came - _NO_WAIT)
            if response is not None and response.status_code == 401 and may_renew:
                may_renew = False
                options["auth"].invalidate(_bearer_of(response))
                response.close()
                continue
            if response is not None and response.status_code not in RETRY_STATUSES:
                return self._not_redirected(response, method)
            # A limit is no failure: it is waited for until the deadline, however many workers share it.
            if response is not None and response.status_code == 429:
                limits += 1
            else:
                failures += 1
            is_late = self._clock() >= deadline
            if not may_repeat(method, response, failure) or failures >= policy.tries or is_late:
                return self._give_up(response, failure, method, url, failures + limits)
            self._back_off(endpoint_class, response, failures + limits)

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
            return _json_in(response)
        except ValueError as error:
            kind = (
                response.headers.get("Content-Type", "").partition(";")[0].strip()
                or "nothing known"
            )
            place = place_of(response)
            if response.history:
                place += f" on {urlsplit(response.url).netloc} (redirected there)"
            raise UnavailableError(
                f"{self.label}: {place} answered {response.status_code} with {kind} of {len(response.content)} "
                "bytes, which is not JSON. Is the address that of the API, without a proxy's or log-in page in "
                "between?"
            ) from error

    def check_status(self, response: requests.Response) -> None:
        """Turns a refused request into the error that says what the caller should do."""
        if response.status_code >= 400:
            advice = ""
            if self._is_renewable:
                advice = (
                    "A fresh OAuth token is refused too: check what the client may do (scopes)."
                )
            error = refusal(response, self.label, self._redacted(response.text[:300]), advice)
            assert error is not None
            raise error

    def rebuild_proxies(self, prepared_request: Any, proxies: Any) -> Any:
        """A redirect to another host has a proxy of its own, or none."""
        own = proxies_for(str(prepared_request.url))
        return super().rebuild_proxies(prepared_request, own)  # type: ignore[no-untyped-call]

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        """A redirect carries the credential only on its own host, by the same test as a request."""
        if not self.is_own(str(prepared_request.url)):
            prepared_request.headers.pop("Authorization", None)

    def _try(
        self, method: str, url: str, options: Mapping[str, Any], deadline: float
    ) -> tuple[requests.Response | None, Exception | None]:
        self.calls += 1
        wants_stream = bool(options.get("stream"))
        try:
            response = self.start(method, url, options)
            if not wants_stream:
                read_body(response, self.policy.body_cap_bytes, lambda: self._clock() >= deadline)
                if method == "GET" and is_cut_json(response):
                    raise CutBodyError(f"JSON that ends after {len(response.content)} bytes")
                if self._amend is not None:
                    self._amend(response)
            return response, None
        except requests.exceptions.SSLError as error:
            raise ConfigurationError(
                f"{self.label}: no trusted connection to {urlsplit(url).netloc}: {tls_fault(error)}"
            ) from None
        except BodyTooLargeError as error:
            # As a 504 does, the status tells a pager to ask for less at once.
            raise UnavailableError(
                f"{self.label}: {method} {urlsplit(url).path} answered with more than "
                f"{self.policy.body_cap_bytes} bytes; what came was thrown away",
                504,
            ) from error
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
            CutBodyError,
        ) as error:
            return None, error
        except OSError as error:
            # All other errors of requests are such; so is a bundle of authorities that is not there.
            raise UnavailableError(
                f"{self.label}: {method} {urlsplit(url).path}: {self._redacted(str(error))}"
            ) from None

    def _not_redirected(self, response: requests.Response, method: str) -> requests.Response:
        if not response.is_redirect:
            return response
        goal = urlsplit(urljoin(str(response.url), response.headers["Location"]))
        raise RejectedError(
            f"{self.label}: {place_of(response)} is sent on to {goal.scheme}://{goal.netloc}{goal.path}; a {method} "
            "is never repeated elsewhere. If that is the right address, set it as base_url",
            response.status_code,
        )

    def _wait_for(
        self, endpoint_class: str, deadline: float, method: str, path: str, is_own: bool
    ) -> Started:
        while True:
            now = self._clock()
            started = self._pacer.start(endpoint_class, now, is_apart=not is_own)
            if isinstance(started, Started):
                return started
            wait = started - now
            longest = min(self.policy.wait_cap_seconds, deadline - now)
            if wait > longest:
                raise RateLimitedError(
                    f"{self.label}: {method} {path} has to wait {wait:.0f} s for the rate limit, longer than this "
                    f"call may ({max(longest, 0):.0f} s); the next run goes on from here",
                    wait,
                )
            # Asked again afterwards: another worker may have been told to wait for longer, or was first.
            self._sleep(wait)
            self._pacer.waited(endpoint_class, wait)

    def _account_for(self, started: Started, response: requests.Response | None) -> None:
        """Tells the budgets how the call went."""
        now, wall = self._clock(), self._wall_clock()
        general: Told | None = None
        own: Told | None = None
        if response is not None:
            general = told_in_general(response.headers, started.at, now, wall)
            header = self._pacer.limit_of(started.endpoint_class).header
            if header:
                own = told_by_name(response.headers, header, started.at, now, wall)
        self._pacer.ended(started, now, general, own)
        if response is None or response.status_code != 429:
            return
        wait = retry_after_seconds(response.headers.get("Retry-After"), wall)
        if wait is not None:
            self._pacer.refused(started, now + wait, general, now)

    def _back_off(
        self, endpoint_class: str, response: requests.Response | None, number: int
    ) -> None:
        """Holds this session back after a failure; a 429 that told a time is held back already."""
        wait = None
        if response is not None:
            wait = retry_after_seconds(response.headers.get("Retry-After"), self._wall_clock())
            response.close()
        if wait is None:
            ceiling = min(self.policy.wait_cap_seconds, self.policy.backoff_seconds * 2**number)
            wait = random.uniform(0, ceiling)
        self._pacer.pause(endpoint_class, self._clock() + wait)

    def _give_up(
        self,
        response: requests.Response | None,
        failure: Exception | None,
        method: str,
        url: str,
        tries: int,
    ) -> requests.Response:
        what = f"{self.label}: {method} {urlsplit(url).path}"
        times = "1 try" if tries == 1 else f"{tries} tries"
        if response is None:
            host = urlsplit(url).netloc
            reason = self._redacted(
                reason_of(
                    failure, self.policy.connect_timeout_seconds, self.policy.read_timeout_seconds
                )
            )
            unknown = (
                ""
                if method in SAFE_METHODS
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

    def _redacted(self, text: str) -> str:
        secrets = self._secrets
        if isinstance(self._own_auth, RenewableAuth):
            secrets += self._own_auth.secrets()
        return redact(text, secrets)


def _basic_secrets(auth: Any) -> tuple[str, ...]:
    """A Basic password as it is, and as it stands in the header."""
    if not isinstance(auth, tuple) or len(auth) != 2:
        return ()
    user, password = str(auth[0]), str(auth[1])
    header = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    # Freshdesk's password is always X, which hides nothing.
    return (header, password) if len(password) > 3 else (header,)


def _credential_key(base_url: str, auth: Any) -> str:
    """Names host and credential without giving either secret away; the same in every process."""
    if isinstance(auth, RenewableAuth):
        named = auth.identity()
    else:
        named = "\n".join(map(str, auth)) if isinstance(auth, tuple) else type(auth).__name__
    host = urlsplit(base_url).netloc.lower()
    digest = hashlib.sha256(f"{host}\n{named}".encode()).hexdigest()
    return f"{host} {digest[:32]}"


def _json_in(response: requests.Response) -> Any:
    """Read from the bytes, several times faster; what is no UTF-8 is read by the charset that the answer names."""
    try:
        return parsed(response.content)
    except ValueError:
        return response.json()


def _bearer_of(response: requests.Response) -> str | None:
    sent = response.request.headers.get("Authorization", "") if response.request else ""
    return str(sent).removeprefix("Bearer ") or None
