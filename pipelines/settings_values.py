"""What single values of the configuration may look like: zones, instants, ids, addresses.

Belongs here: types that check one value and say what is expected. Does not belong here: the file's shape
(`settings`).
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator

from transforms.model import PRIORITIES, STATUSES
from transforms.yaml_document import reject_unknown_words
from transforms.yaml_faults import did_you_mean, shown


def _zone(name: str) -> str:
    if name in available_timezones():
        return name
    raise ValueError(
        f"{shown(name)} is no time zone, expected an IANA name such as Europe/Istanbul"
        f"{did_you_mean(name, sorted(available_timezones()))}"
    )


def read_instant(value: Any) -> datetime:
    """An instant written with its zone, as aware time.

    Raises:
        ValueError: no instant, without a zone, or outside of the calendar; the message shows how to write it.
    """
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if instant.tzinfo is not None:
            instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{shown(value)} is no instant, expected for instance 2026-12-01T00:00:00+03:00"
        ) from None
    if instant.tzinfo is None:
        example = f"{instant.isoformat()}+03:00"
        raise ValueError(
            f"{shown(value)} has no zone, expected for instance {example} (or Z for UTC at the end)"
        )
    return instant


def _key(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        return name
    raise ValueError(
        f"{shown(name)} cannot be an id, expected small letters, digits, - and _, at most 63 of them"
    )


def _http_url(url: str) -> str:
    if "@" in url:
        raise ValueError("an address holds no user or password, expected https://HOST")
    if re.fullmatch(r"https?://[^/\s]+(/\S*)?", url) and _has_host(url):
        return url.rstrip("/")
    raise ValueError(f"{shown(url)} is no address, expected https://HOST")


def _mail_host(name: str) -> str:
    """A mail server's name or IP address: it may lie in the own network, so that a name needs no dot."""
    is_ipv6 = name.count(":") > 1
    if re.fullmatch(r"[^\s/@\[\]]+", name) and (is_ipv6 or ":" not in name):
        return name
    bare = re.sub(r"^[a-z]+://", "", name.strip().rpartition("@")[2]).split("/")[0]
    host, _, port = bare.partition(":")
    hint = host if re.fullmatch(r"[A-Za-z0-9.-]+", host) else "imap.acme.example"
    also = f", with port: {port}" if port.isdigit() else ""
    raise ValueError(
        f"{shown(name)} is no host name, expected the name alone, such as {hint}{also}"
    )


def _subdomain(name: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", name):
        return name
    host = re.fullmatch(r"(?:https?://)?([A-Za-z0-9-]+)\.zendesk\.com(?:/\S*)?", name)
    example = host.group(1) if host else "acme"
    raise ValueError(
        f"{shown(name)} is no subdomain, expected the first word of the address only, such as {example} for "
        f"https://{example}.zendesk.com"
    )


def _host_name(name: str) -> str:
    if re.fullmatch(
        r"([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?", name
    ):
        return name
    bare = re.sub(r"^https?://", "", name).split("/")[0]
    example = bare if "." in bare else f"{bare or 'acme'}.freshdesk.com"
    hint = example if re.fullmatch(r"[A-Za-z0-9.-]+", example) else "acme.freshdesk.com"
    raise ValueError(
        f"{shown(name)} is no host name, expected it without https:// and path, such as {hint}"
    )


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _warehouse(url: str) -> str:
    # Imported here: SQLAlchemy would cost `deskbridge --help` a good part of a second.
    from connectors.errors import ConfigurationError
    from connectors.warehouse.engine import warehouse_url

    try:
        warehouse_url(url)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    return url


def _status_map(words: dict[str, str]) -> dict[str, str]:
    reject_unknown_words(words, STATUSES, "status")
    return words


def _priority_map(words: dict[str, str]) -> dict[str, str]:
    reject_unknown_words(words, PRIORITIES, "priority")
    return words


TimeZone = Annotated[str, AfterValidator(_zone)]
Instant = Annotated[datetime, BeforeValidator(read_instant)]
Key = Annotated[str, AfterValidator(_key)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Subdomain = Annotated[str, AfterValidator(_subdomain)]
HostName = Annotated[str, AfterValidator(_host_name)]
MailHost = Annotated[str, AfterValidator(_mail_host)]
StatusMap = Annotated[dict[str, str], AfterValidator(_status_map)]
PriorityMap = Annotated[dict[str, str], AfterValidator(_priority_map)]
WarehouseUrl = Annotated[str, AfterValidator(_warehouse)]
