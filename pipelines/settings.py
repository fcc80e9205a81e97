"""The configuration: one YAML file, validated, secrets by name only.

Belongs here: the file's shape, how it is found and read, `${NAME}`. Does not belong here: building sources or
notifiers from it (`pipelines.wiring`), or the policies' own files.
"""

import difflib
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from transforms.model import PRIORITIES, STATUSES
from transforms.yaml_document import Document, DocumentError, reject_unknown_words

CONFIGURATION_NAME = "deskbridge.yaml"
"""Where a configuration is looked for when none is named: in the current folder."""

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SettingsError(Exception):
    """The configuration is wrong or cannot be read; the message says file, line, found and expected."""


def _zone(name: str) -> str:
    if name in available_timezones():
        return name
    close = difflib.get_close_matches(name, available_timezones(), n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise ValueError(f"'{name}' is no IANA time zone, such as Europe/Istanbul{hint}")


def _instant(value: Any) -> datetime:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(
            f"'{value}' is no instant; expected for instance 2026-12-01T00:00:00+03:00"
        ) from None
    if instant.tzinfo is None:
        raise ValueError(f"'{value}' has no zone; write for instance {value}+03:00")
    return instant


def _key(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        return name
    raise ValueError(
        f"'{name}' cannot be an id; expected small letters, digits, - and _, at most 63 of them"
    )


def _http_url(url: str) -> str:
    if re.match(r"https?://[^/\s@]+", url):
        return url.rstrip("/")
    raise ValueError(f"'{url}' is no address; expected https://HOST without user or password")


TimeZone = Annotated[str, AfterValidator(_zone)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Key = Annotated[str, AfterValidator(_key)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Strict(BaseModel):
    """A part of the configuration: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _status_map(words: dict[str, str]) -> dict[str, str]:
    reject_unknown_words(words, STATUSES, "status")
    return words


def _priority_map(words: dict[str, str]) -> dict[str, str]:
    reject_unknown_words(words, PRIORITIES, "priority")
    return words


class SourceSettings(Strict):
    """What every source has: an id that survives renames, and maps of its own words."""

    id: Key
    status_map: Annotated[dict[str, str], AfterValidator(_status_map)] = Field(default_factory=dict)
    priority_map: Annotated[dict[str, str], AfterValidator(_priority_map)] = Field(
        default_factory=dict
    )


class ZendeskSettings(SourceSettings):
    """A Zendesk account; export and import need an admin's API token."""

    type: Literal["zendesk"]
    email: str
    token: SecretStr
    subdomain: str | None = None
    base_url: HttpUrl | None = None

    def address(self) -> str:
        """The account's address; `base_url` wins over `subdomain`."""
        return self.base_url or f"https://{self.subdomain}.zendesk.com"

    def agent_address(self) -> str:
        """Where people open a ticket: the account's own name where it is given, else `base_url`."""
        return f"https://{self.subdomain}.zendesk.com" if self.subdomain else self.address()

    def model_post_init(self, _context: Any) -> None:
        """Refuses an account without any address."""
        if not self.base_url and not self.subdomain:
            raise ValueError("a zendesk source needs 'subdomain' (or 'base_url')")


class FreshdeskSettings(SourceSettings):
    """A Freshdesk account."""

    type: Literal["freshdesk"]
    api_key: SecretStr
    domain: str | None = None
    base_url: HttpUrl | None = None

    def address(self) -> str:
        """The account's address; `base_url` wins over `domain`."""
        return self.base_url or f"https://{self.domain}"

    def agent_address(self) -> str:
        """Where people open a ticket: the account's own domain where it is given, else `base_url`."""
        return f"https://{self.domain}" if self.domain else self.address()

    def model_post_init(self, _context: Any) -> None:
        """Refuses an account without any address."""
        if not self.base_url and not self.domain:
            raise ValueError("a freshdesk source needs 'domain' (or 'base_url')")


class MailSettings(SourceSettings):
    """What all mail sources share: who is ours, and when a quiet conversation counts as solved."""

    own_addresses: tuple[str, ...] = ()
    agent_addresses: tuple[str, ...] = ()
    agent_domains: tuple[str, ...] = ()
    solved_after_days: int = Field(default=7, ge=1, le=365)


class ImapSettings(MailSettings):
    """A mailbox on an IMAP server; it is read with PEEK and never changed."""

    type: Literal["imap"]
    host: str
    username: str
    password: SecretStr
    port: int | None = Field(default=None, ge=1, le=65_535)
    tls: bool = True
    folders: tuple[str, ...] = ("INBOX",)


class MailFilesSettings(MailSettings):
    """Mail that lies in files: mbox (also .gz), a Maildir, or a folder of .eml files."""

    type: Literal["mbox", "maildir", "eml"]
    path: str


class FileExportSettings(SourceSettings):
    """A CSV export with a mapping: a shipped one by name, or a path."""

    type: Literal["csv"]
    path: str
    mapping: str


AnySource = Annotated[
    ZendeskSettings | FreshdeskSettings | ImapSettings | MailFilesSettings | FileExportSettings,
    Field(discriminator="type"),
]

Purpose = Literal["page", "digest", "report"]


class PagerDutySettings(Strict):
    """PagerDuty, Events API v2."""

    type: Literal["pagerduty"]
    routing_key: SecretStr
    purposes: tuple[Purpose, ...] = Field(default=("page",), alias="for")
    base_url: HttpUrl = "https://events.pagerduty.com"


class SlackSettings(Strict):
    """A Slack workspace and channel."""

    type: Literal["slack"]
    token: SecretStr
    channel: str
    purposes: tuple[Purpose, ...] = Field(default=("page", "digest", "report"), alias="for")
    base_url: HttpUrl = "https://slack.com/api"


AnyNotifier = Annotated[PagerDutySettings | SlackSettings, Field(discriminator="type")]


class ReportSettings(Strict):
    """Where a client's reports lie and in which zone their months begin."""

    time_zone: TimeZone | None = None
    folder: str = "reports_out"
    target_pct: float = Field(default=90.0, gt=0, le=100)


class ExclusionSettings(Strict):
    """A named rule that leaves mails out of a migration; a mail must fit every condition given."""

    name: str
    senders: tuple[str, ...] = ()
    subject_words: tuple[str, ...] = ()
    automatic: bool | None = None


class MigrationSettings(Strict):
    """One move: a source of this client into a helpdesk of this client."""

    id: Key
    source: Key
    target: Key
    exclude: tuple[ExclusionSettings, ...] = ()


class ClientSettings(Strict):
    """One client: its sources, promises, people and reports."""

    time_zone: TimeZone
    live_from: Instant | None = None
    name: str | None = None
    sources: tuple[AnySource, ...] = Field(min_length=1)
    sla: tuple[str, ...] = ("standard.yaml",)
    escalation: str = "escalation.yaml"
    on_call: str = "follow_the_sun.yaml"
    notify: tuple[AnyNotifier, ...] = ()
    reports: ReportSettings = Field(default_factory=ReportSettings)
    migrations: tuple[MigrationSettings, ...] = ()

    def model_post_init(self, _context: Any) -> None:
        """Refuses two sources under one id (their records would mix) and moves from or to nowhere."""
        ids = [source.id for source in self.sources]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"two sources have the id '{twice[0]}'; each needs one of its own")
        for migration in self.migrations:
            for end in (migration.source, migration.target):
                if end not in ids:
                    raise ValueError(
                        f"migration '{migration.id}' names the source '{end}'; there is {', '.join(ids)}"
                    )


class Settings(Strict):
    """The whole file."""

    warehouse: str = "sqlite:///warehouse.db"
    blobs: str = "blobs"
    clients: dict[Key, ClientSettings] = Field(min_length=1)
    clock: Instant | None = None
    """A present that stands still, for demos and rehearsals. Never set it where real people are paged."""
    folder: Path = Field(default=Path(), exclude=True)

    def path(self, relative: str) -> Path:
        """A path of the file, relative to the file's own folder."""
        return self.folder / relative

    def client(self, client_key: str) -> ClientSettings:
        """One client's part.

        Raises:
            SettingsError: no such client; the message lists those there are.
        """
        if client_key not in self.clients:
            raise SettingsError(
                f"no client '{client_key}' in the configuration; there is {', '.join(self.clients)}"
            )
        return self.clients[client_key]

    def zone(self, client_key: str) -> ZoneInfo:
        """The zone in which a client's reports begin their days."""
        client = self.client(client_key)
        return ZoneInfo(client.reports.time_zone or client.time_zone)


def load_settings(
    path: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Reads the configuration file.

    Args:
        path: the file; `$DESKBRIDGE_CONFIG`, else `deskbridge.yaml` in the current folder when left out.
        environment: where `${NAME}` is looked up; the process environment when left out. `NAME_FILE` may
            name a file that holds the value instead; a file `.env` beside the configuration is asked last.

    Raises:
        SettingsError: every fault of the file, one a line.
    """
    environment = os.environ if environment is None else environment
    path = path or Path(environment.get("DESKBRIDGE_CONFIG", CONFIGURATION_NAME))
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"there is no configuration at {path}. Name one with --config or $DESKBRIDGE_CONFIG; "
            "deskbridge.example.yaml in the repository is a starting point"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    try:
        document = Document(text, path.name)
        _fill_in(document, {**_dot_env(path.parent / ".env"), **environment})
        settings = document.validate(Settings)
    except DocumentError as error:
        raise SettingsError(str(error)) from None
    return settings.model_copy(update={"folder": path.resolve().parent})


def _fill_in(document: Document, environment: Mapping[str, str]) -> None:
    faults: list[str] = []

    def replace(path: tuple[str | int, ...], text: str) -> str:
        def value(match: re.Match[str]) -> str:
            found = _secret(match[1], environment)
            if found is None:
                faults.append(
                    document.fault(
                        path,
                        f"the environment variable {match[1]} is not set (nor {match[1]}_FILE, nor in .env "
                        f"beside this file); set it before starting, for instance: export {match[1]}=…",
                    )
                )
                return ""
            return found

        return _PLACEHOLDER.sub(value, text)

    document.replace_texts(replace)
    if faults:
        raise DocumentError(faults)


def _dot_env(path: Path) -> dict[str, str]:
    """`NAME=value` lines; blank lines and those that begin with # are passed over."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def _secret(name: str, environment: Mapping[str, str]) -> str | None:
    value = environment.get(name)
    if value:
        return value
    file = environment.get(f"{name}_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text("utf-8").strip() or None
    except OSError:
        return None
