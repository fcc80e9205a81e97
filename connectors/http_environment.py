"""What HTTP takes from the environment: proxies and certificate authorities, which company networks need.

`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` (never used for this machine itself); `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` or
`SSL_CERT_FILE`. Nothing else is taken: a `.netrc` would put somebody else's password into a request.
"""

import functools
import ipaddress
import os
from urllib.parse import urlsplit

import requests

_PROXY_VARIABLES = tuple(
    spelt
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for spelt in (name, name.upper())
)
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def proxies_for(url: str) -> dict[str, str]:
    """The proxies that the environment names for a URL, by scheme; none for this machine itself."""
    parts = urlsplit(url)
    named = tuple(os.environ.get(name) for name in _PROXY_VARIABLES)
    return dict(_proxies_of(f"{parts.scheme}://{parts.netloc}/", parts.hostname or "", named))


@functools.lru_cache(maxsize=64)
def _proxies_of(url: str, host: str, _named: tuple[str | None, ...]) -> dict[str, str]:
    """Looked up once for each host, as long as the environment names the same."""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
    return {} if is_local else dict(requests.utils.get_environ_proxies(url))


def authorities() -> str | bool:
    """The file of certificate authorities that is named, or True for those that requests brings."""
    return next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), True)
