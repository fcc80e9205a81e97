"""How a request of ours leaves: requests' own adapter without the work that is the same for every call.

Belongs here: making a plain GET ready, the connection pool of its host, its answer as a `requests.Response`. Does not
belong here: waits, retries, credentials (`http`), proxies (`http_environment`).

A Freshdesk account is read by a call a ticket, and two thirds of such a call's processor time went to what requests
does anew for each: taking the address apart six times, cookies, the key of the pool. What is not plain (another method,
a body, odd letters in the address, a proxy) goes requests' own way. Connections, TLS and errors are requests' and
urllib3's in both cases.
"""

import re
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

MOST_CONNECTIONS = 32
"""Connections to one host that are kept open for the next call; more may be open at once."""

_PLAIN_ADDRESS = re.compile(
    r"(https?://[a-z0-9.-]+(?::\d+)?)(/[A-Za-z0-9/_.-]*)(?:\?[A-Za-z0-9=&_.-]+)?"
)
"""Addresses that requests would leave as they are."""

_PLAIN_OPTIONS = frozenset({"allow_redirects", "auth", "params", "proxies", "stream", "timeout"})


class NoCookies(DefaultCookiePolicy):
    """Takes no cookie and sends none: an API's answer depends on the credential alone."""

    def __init__(self) -> None:
        """Allows no domain."""
        super().__init__(allowed_domains=[])


class LeanSession(requests.Session):
    """A requests session over `LeanAdapter`, without cookies."""

    def __init__(self) -> None:
        """Opens no connection."""
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, LeanAdapter())
        self.cookies.set_policy(NoCookies())

    def start(self, method: str, url: str, options: Mapping[str, Any]) -> requests.Response:
        """A request and what it is redirected to; its body is not read. `options` as of `requests.request`."""
        options = {**options, "stream": True}
        request = None
        if not self.params and not self.hooks["response"] and self.auth is None:
            request = plain_get(method, url, options, self.headers)
        if request is None:
            return super().request(method, url, **options)
        names = ("allow_redirects", "proxies", "stream", "timeout")
        chosen = {name: options[name] for name in names if name in options}
        return self.send(request, verify=self.verify, cert=self.cert, **chosen)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """One exchange and what it is redirected to, as requests does it but without cookies."""
        may_follow = options.pop("allow_redirects", True)
        if request.hooks["response"]:
            return super().send(request, allow_redirects=may_follow, **options)
        response = self.get_adapter(str(request.url)).send(request, **options)
        if not may_follow or not response.is_redirect:
            return response
        request._cookies = RequestsCookieJar(NoCookies())  # type: ignore[attr-defined]
        answers: list[requests.Response] = [
            response,
            *self.resolve_redirects(response, request, **options),
        ]
        answers[-1].history = answers[:-1]
        return answers[-1]


class LeanAdapter(HTTPAdapter):
    """requests' adapter that looks a host's pool up once, and leaves cookies alone."""

    def __init__(self, pool_maxsize: int = MOST_CONNECTIONS) -> None:
        """Keeps up to `pool_maxsize` connections to a host open."""
        super().__init__(pool_maxsize=pool_maxsize)
        self._pools: dict[tuple[str, Any], Any] = {}

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """The pool of the request's host, its TLS prepared."""
        if proxies or cert:
            its_pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._verify(its_pool, request.url, verify, cert)
            return its_pool
        origin = _origin_of(request.url)
        pool: Any = self._pools.get((origin, verify))
        # urllib3 closes the pool of a host that was not asked for long, where there are many hosts.
        if pool is None or pool.pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._verify(pool, request.url, verify, cert)
            self._pools[(origin, verify)] = pool
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: a pool is prepared when it is found."""

    def _verify(self, pool: Any, url: Any, verify: Any, cert: Any) -> None:
        super().cert_verify(pool, url, verify, cert)  # type: ignore[no-untyped-call]

    def request_url(self, request: Any, proxies: Any) -> str:
        """What stands in the request's first line."""
        url = request.url
        if proxies or "#" in url:
            return str(super().request_url(request, proxies))
        return str(url[len(_origin_of(url)) :]) or "/"

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """The answer, its body unread."""
        response = requests.Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url
        response.request = req
        response.connection = self  # type: ignore[attr-defined]
        return response

    def close(self) -> None:
        """Closes every connection."""
        self._pools.clear()
        super().close()


def plain_get(
    method: str, url: str, options: Mapping[str, Any], headers: Any
) -> requests.PreparedRequest | None:
    """A GET as requests would make it ready; None where only requests should.

    Args:
        method: upper case.
        url: absolute.
        options: as of `requests.request`.
        headers: the session's.
    """
    if method != "GET" or not _PLAIN_OPTIONS.issuperset(options):
        return None
    known = _PLAIN_ADDRESS.fullmatch(url)
    if known is None or ".." in url or "/." in url:
        return None
    params = options.get("params")
    if params:
        if "?" in url or not all(type(value) in (str, int) for value in params.values()):
            return None
        url = f"{url}?{urlencode(params)}"
    auth = options.get("auth")
    if isinstance(auth, tuple):
        auth = requests.auth.HTTPBasicAuth(*auth)
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url = method, url
    prepared.headers = CaseInsensitiveDict(headers)
    return prepared if auth is None else auth(prepared)  # type: ignore[no-any-return]


def _origin_of(url: str) -> str:
    end = url.find("/", 8)
    return url if end < 0 else url[:end]
