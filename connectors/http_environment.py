"""What HTTP takes from the environment: proxies and certificate authorities, which company networks need.

`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` (never used for this machine itself); `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` or
`SSL_CERT_FILE`. Nothing else is taken: a `.netrc` would put somebody else's password into a request.
"""

import ipaddress
import os
from urllib.parse import urlsplit

import requests

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def proxies_for(url: str) -> dict[str, str]:
    """The proxies that the environment names for a URL, by scheme; none for this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost" or host.endswith(".localhost")
    return {} if is_local else dict(requests.utils.get_environ_proxies(url))


def authorities() -> str | bool:
    """The file of certificate authorities that is named, or True for those that requests brings."""
    return next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), True)
