"""The configuration: one YAML file, validated, secrets by name only.

Belongs here: the file's shape, how it is found and read, `${NAME}`. Does not belong here: what a single value
may look like (`settings_values`), building sources or notifiers (`wiring`), the policies' own files.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.mailbox.api_addresses import GMAIL_URL, GRAPH_URL, graph_scope
from connectors.oauth_addresses import GOOGLE_TOKEN_URL, microsoft_token_url
from pipelines.settings_values import (
    HostName,
    HttpUrl,
    Instant,
    Key,
    MailHost,
    PriorityMap,
    StatusMap,
    Subdomain,
    TimeZone,
    WarehouseUrl,
)
from transforms.yaml_document import Document, DocumentError
from transforms.yaml_faults import did_you_mean

CONFIGURATION_NAME = "deskbridge.yaml"
"""Where a configuration is looked for when none is named: in the current folder."""

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class SettingsError(Exception):
    """The configuration is wrong or cannot be read; the message says file, line, found and expected."""


class Strict(BaseModel):
    """A part of the configuration: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SourceSettings(Strict):
    """What every source has: an id that survives renames, and maps of its own words."""

    id: Key
    """Names the source for ever: tickets hang on it. The host, the account and the file may change, this not."""
    status_map: StatusMap = Field(default_factory=dict)
    """The source's own words for a status: word → one of ours."""
    priority_map: PriorityMap = Field(default_factory=dict)
    """The source's own words for a priority: word → one of ours."""


class RemoteSettings(Strict):
    """How long a host may take before a call counts as lost."""

    connect_timeout_seconds: float = Field(default=10, gt=0, le=300)
    timeout_seconds: float = Field(default=60, gt=0, le=600)
    """How long the host may stay silent while it answers."""


class HttpSourceSettings(SourceSettings, RemoteSettings):
    """A helpdesk behind an HTTP API, and how patient we are with it."""

    tries: int = Field(default=6, ge=1, le=20)
    """How often a call is made that gets no usable answer."""
    deadline_seconds: float = Field(default=600, gt=0, le=86_400)
    """After this long a call is given up, waits for the rate limit included."""
    time_scale: float = Field(default=1, ge=1, le=100_000)
    """Documented seconds that pass in a real one: for demos and rehearsals against a stand-in only."""


class OAuthSettings(Strict):
    """A right to an API by OAuth 2.0: a person's, with a refresh token, or the client's own, without one.

    Refresh tokens that work once are replaced in the warehouse; the one written here is where they begin.
    """

    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    """Left out for a public client."""
    refresh_token: SecretStr | None = None
    """From the authorisation that a person gave. Left out: the client's own right (client credentials)."""
    token_url: HttpUrl | None = None
    """Where tokens are given out; known for most vendors."""
    scope: str | None = None

    def model_post_init(self, _context: Any) -> None:
        """Refuses a right without any secret."""
        if self.client_secret is None and self.refresh_token is None:
            raise ValueError(
                "oauth needs 'refresh_token', or 'client_secret' for the client's own right"
            )


class WebhookSettings(Strict):
    """A webhook by which a helpdesk tells of changed tickets at once, to `deskbridge serve`."""

    secret: Annotated[SecretStr, Field(min_length=16)]
    """Zendesk: the webhook's signing secret. Freshdesk: what the automation rule sends; make it up."""
    previous_secret: Annotated[SecretStr, Field(min_length=16)] | None = None
    """Accepted too, while one secret replaces the other."""


class FreshdeskWebhookSettings(WebhookSettings):
    """Freshdesk's, which is not signed: the rule sends the secret in a header, or as basic authentication."""

    header: str = Field(default="X-Deskbridge-Secret", pattern=r"^[A-Za-z0-9-]+$")
    """The header in which the secret comes."""


class ZendeskSettings(HttpSourceSettings):
    """A Zendesk account; export and import need an admin's right: `email` with `token`, or `oauth`."""

    type: Literal["zendesk"]
    tries: int = Field(default=4, ge=1, le=20)
    """Fewer: a page that times out is asked for again at half its size, with tries of its own."""
    email: str | None = None
    token: SecretStr | None = None
    oauth: OAuthSettings | None = None
    """Instead of email and token: an OAuth client of the account."""
    exports_per_minute: int = Field(default=10, ge=1, le=1_000)
    """Calls of the incremental exports; 30 with the High Volume add-on."""
    webhook: WebhookSettings | None = None
    subdomain: Subdomain | None = None
    """The first word of the account's address: acme for https://acme.zendesk.com."""
    base_url: HttpUrl | None = None

    def address(self) -> str:
        """The account's address; `base_url` wins over `subdomain`."""
        return self.base_url or f"https://{self.subdomain}.zendesk.com"

    def agent_address(self) -> str:
        """Where people open a ticket: the account's own name where it is given, else `base_url`."""
        return f"https://{self.subdomain}.zendesk.com" if self.subdomain else self.address()

    def model_post_init(self, _context: Any) -> None:
        """Refuses an account without any address, and one with no credential or two."""
        if not self.base_url and not self.subdomain:
            raise ValueError("a zendesk source needs 'subdomain' (or 'base_url')")
        given = [name for name in ("email", "token") if getattr(self, name) is not None]
        if self.oauth is not None and given:
            raise ValueError(
                f"'oauth' stands beside '{given[0]}', expected one of the two ways to log in"
            )
        if self.oauth is None and len(given) < 2:
            raise ValueError("a zendesk source needs 'email' and 'token' (or 'oauth')")


class FreshdeskSettings(HttpSourceSettings):
    """A Freshdesk account."""

    type: Literal["freshdesk"]
    api_key: SecretStr
    calls_at_once: int = Field(default=34, ge=1, le=64)
    """The most tickets asked for beside each other; fewer while the account is slow or its limit is used up."""
    webhook: FreshdeskWebhookSettings | None = None
    domain: HostName | None = None
    """The account's host: acme.freshdesk.com."""
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
    """Addresses of the mailbox itself; an IMAP user name that is an address is one of them."""
    agent_addresses: tuple[str, ...] = ()
    """Addresses from which your people answer."""
    agent_domains: tuple[str, ...] = ()
    """Domains whose addresses are all your people's."""
    solved_after_days: int = Field(default=7, ge=1, le=365)
    """A conversation counts as solved when the customer is silent for so long after an answer."""
    new_after_days: int | None = Field(default=None, ge=1, le=3_650)
    """A reply that comes so long after a conversation's last mail opens a new one; left out: never."""
    split_at_new_subject: bool = False
    """Whether a reply with another subject opens a new conversation."""
    subject_days: int = Field(default=30, ge=0, le=365)
    """Two mails that only their subject and a participant join may lie so far apart; 0: subjects join nothing."""


class ImapSettings(MailSettings, RemoteSettings):
    """A mailbox on an IMAP server; it is read with PEEK and never changed."""

    type: Literal["imap"]
    host: MailHost
    username: str
    password: SecretStr | None = None
    oauth: OAuthSettings | None = None
    """Instead of a password: an OAuth right to the mailbox (Gmail, Microsoft 365)."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """Left out: 993, and 143 without TLS or with STARTTLS."""
    tls: bool | Literal["starttls"] = True
    folders: tuple[str, ...] = Field(default=("INBOX",), min_length=1)
    r"""Names (`INBOX`, `Support/2026`), uses (`\Sent`, `\All`; `Sent` where no folder has that name) or patterns (`*`); a slash stands for any separator."""

    def token_url(self) -> str | None:
        """Where tokens for the mailbox are given out; None where it is not known."""
        if self.oauth is not None and self.oauth.token_url:
            return self.oauth.token_url
        host, domain = self.host.casefold(), self.username.rpartition("@")[2]
        if host.endswith((".gmail.com", ".googlemail.com")):
            return GOOGLE_TOKEN_URL
        if host.endswith((".office365.com", ".outlook.com")) and domain:
            return microsoft_token_url(domain)
        return None

    def model_post_init(self, _context: Any) -> None:
        """Refuses a mailbox with no credential or two, and a right whose tokens come from nobody knows where."""
        if (self.password is None) == (self.oauth is None):
            raise ValueError(
                "an imap source needs 'password' or 'oauth'"
                + (", found both" if self.password is not None else "")
            )
        if self.oauth is not None and self.token_url() is None:
            raise ValueError(f"oauth for {self.host} needs 'token_url'")


class GraphSettings(MailSettings, HttpSourceSettings):
    """A Microsoft 365 mailbox over Microsoft Graph; read only, permission Mail.Read."""

    type: Literal["graph"]
    user: str = Field(min_length=1)
    """The mailbox's address or id; an address is one of the own addresses."""
    oauth: OAuthSettings
    """The app's own right (`client_secret` alone), or a person's (`refresh_token`)."""
    tenant: str | None = None
    """The tenant's id or domain; left out, the domain of `user`."""
    folders: tuple[str, ...] = Field(default=("Inbox", "Sent Items"), min_length=1)
    """Well-known names in any language (`Inbox`, `Sent Items`, `Archive`), paths (`Inbox/Support`) or patterns (`*`)."""
    base_url: HttpUrl = GRAPH_URL

    def token_url(self) -> str:
        """Where the tenant gives out tokens."""
        tenant = self.tenant or self.user.rpartition("@")[2]
        return self.oauth.token_url or microsoft_token_url(tenant)

    def scope(self) -> str:
        """What is asked for."""
        is_own_right = self.oauth.refresh_token is None
        return self.oauth.scope or graph_scope(self.base_url, is_own_right=is_own_right)

    def model_post_init(self, _context: Any) -> None:
        """Refuses a mailbox whose tokens come from nobody knows where."""
        if not self.tenant and "@" not in self.user and not self.oauth.token_url:
            raise ValueError("a graph source needs 'tenant' where 'user' is no address")


class GmailSettings(MailSettings, HttpSourceSettings):
    """A Gmail mailbox over the Gmail API; read only, scope gmail.readonly."""

    type: Literal["gmail"]
    user: str = Field(pattern="@")
    """The mailbox's address, which is one of the own addresses."""
    oauth: OAuthSettings
    """A person's right: `refresh_token` with the client's id and secret."""
    labels: tuple[str, ...] = ()
    """Messages under any of these labels, by name; none named takes all mail but junk and trash."""
    base_url: HttpUrl = GMAIL_URL

    def model_post_init(self, _context: Any) -> None:
        """Refuses a right that Google does not know."""
        if self.oauth.refresh_token is None:
            raise ValueError(
                "oauth for Gmail needs 'refresh_token': there is no client's own right"
            )


class MailFilesSettings(MailSettings):
    """Mail that lies in files: mbox (also .gz), a Maildir, a folder of .eml or .msg files, PST or OST files."""

    type: Literal["mbox", "maildir", "eml", "msg", "pst"]
    path: str
    folders: tuple[str, ...] = ()
    """PST only: the folders to read, with those below them (`Inbox`, `Inbox/2024`); none named takes all but drafts, junk
    and the outbox."""

    def model_post_init(self, _context: Any) -> None:
        """Refuses folders where they would be passed over."""
        if self.folders and self.type != "pst":
            raise ValueError(f"'folders' goes with type pst, not with {self.type}")


class FileExportSettings(SourceSettings):
    """A CSV export with a mapping: a shipped one by name, or a path."""

    type: Literal["csv"]
    path: str
    mapping: str


AnySource = Annotated[
    ZendeskSettings
    | FreshdeskSettings
    | ImapSettings
    | GraphSettings
    | GmailSettings
    | MailFilesSettings
    | FileExportSettings,
    Field(discriminator="type"),
]

Purpose = Literal["page", "digest", "report"]


class NotifierSettings(Strict):
    """What every notifier has."""

    timeout_seconds: float = Field(default=10, gt=0, le=60)
    """How long the provider may stay silent; an unsent message is tried again by the outbox."""


class PagerDutySettings(NotifierSettings):
    """PagerDuty, Events API v2."""

    type: Literal["pagerduty"]
    routing_key: SecretStr
    purposes: tuple[Purpose, ...] = Field(default=("page",), alias="for", min_length=1)
    base_url: HttpUrl = "https://events.pagerduty.com"


class SlackSettings(NotifierSettings):
    """A Slack workspace and channel."""

    type: Literal["slack"]
    token: SecretStr
    channel: str
    purposes: tuple[Purpose, ...] = Field(
        default=("page", "digest", "report"), alias="for", min_length=1
    )
    base_url: HttpUrl = "https://slack.com/api"


AnyNotifier = Annotated[PagerDutySettings | SlackSettings, Field(discriminator="type")]


class ReportSettings(Strict):
    """Where a client's reports lie and in which zone their months begin."""

    time_zone: TimeZone | None = None
    folder: str = "reports_out"
    target_pct: float = Field(default=90.0, gt=0, le=100)


class AttachmentSettings(Strict):
    """Whether the files of helpdesks' comments are fetched, and where they lie. Mails carry theirs themselves."""

    fetch: bool = False
    """Fetch files too: they may be most of what an account holds."""
    store: str = "attachments"
    """A folder, relative to this file, or an object store's URL, such as s3://bucket/prefix (by fsspec)."""
    largest_mb: int = Field(default=100, ge=1, le=1_000)
    """A larger file stays at its source, with that reason."""


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
    """IANA zone, such as Europe/Istanbul; also the country in which phone numbers without a prefix are read."""
    live_from: Instant | None = None
    """Before this instant nobody is paged or told. Left out: nobody ever is."""
    name: str | None = None
    """How the client is called in messages and on paper; its key when left out."""
    sources: tuple[AnySource, ...] = Field(min_length=1)
    sla: tuple[str, ...] = ("standard.yaml",)
    """Files of promises: a shipped one by name, or a path. The first policy that fits a ticket holds."""
    escalation: str = "escalation.yaml"
    """The escalation ladder: the shipped one by name, or a path."""
    on_call: str = "follow_the_sun.yaml"
    """Who is on call: the shipped example by name, or a path."""
    notify: tuple[AnyNotifier, ...] = ()
    reports: ReportSettings = Field(default_factory=ReportSettings)
    attachments: AttachmentSettings = Field(default_factory=AttachmentSettings)
    migrations: tuple[MigrationSettings, ...] = ()


class ReceivingSettings(Strict):
    """What `deskbridge serve` takes in."""

    largest_kb: int = Field(default=1_000, ge=16, le=16_000)
    """A larger body is refused."""
    kept_days: int = Field(default=30, ge=1, le=3_650)
    """How long events stay that were worked off."""


class Settings(Strict):
    """The whole file."""

    warehouse: WarehouseUrl = "sqlite:///warehouse.db"
    """sqlite:///FILE, relative to this file, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."""
    clients: dict[Key, ClientSettings] = Field(min_length=1)
    webhooks: ReceivingSettings = Field(default_factory=ReceivingSettings)
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
                f"there is no client '{client_key}' in the configuration, expected one of "
                f"{', '.join(self.clients)}{did_you_mean(client_key, list(self.clients))}"
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
    if not path.exists():
        raise SettingsError(
            f"there is no configuration at {path}. Name one with --config or $DESKBRIDGE_CONFIG; "
            "deskbridge.example.yaml in the repository is a starting point"
        )
    secrets: dict[str, str] = {}
    try:
        document = Document(read_text(path), path.name)
        secrets = _fill_in(document, {**_dot_env(path.parent / ".env"), **environment})
        settings = document.validate(Settings)
        faults = [document.fault(*fault) for fault in _reference_faults(settings)]
        if faults:
            raise DocumentError(faults)
    except DocumentError as error:
        raise SettingsError(_hidden(str(error), secrets)) from None
    return settings.model_copy(update={"folder": path.resolve().parent})


def read_text(path: Path) -> str:
    """A file of the user's that should be text in UTF-8, with or without a byte order mark.

    Raises:
        SettingsError: it cannot be opened or is no such text; the message says what to do.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}:{line}: the byte 0x{error.object[error.start]:02x} stands here, expected a text file in "
            "UTF-8; save it as UTF-8, or name the right file"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {reason_of(error)}") from None


def reason_of(error: OSError) -> str:
    """What the operating system says, for people."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def _reference_faults(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Two sources under one id (their records would mix), and moves from or to nowhere."""
    for client_key, client in settings.clients.items():
        ids = [source.id for source in client.sources]
        for number, one in enumerate(ids):
            if one in ids[:number]:
                yield (
                    ("clients", client_key, "sources", number, "id"),
                    f"a second source has the id '{one}', expected an id of its own for each",
                )
        moves = [migration.id for migration in client.migrations]
        for number, migration in enumerate(client.migrations):
            place = ("clients", client_key, "migrations", number)
            if migration.id in moves[:number]:
                yield (
                    (*place, "id"),
                    f"a second migration has the id '{migration.id}', expected an id of its own for each",
                )
            for end in ("source", "target"):
                name = getattr(migration, end)
                if name not in ids:
                    yield (
                        (*place, end),
                        f"found '{name}', expected the id of a source of this client: {', '.join(ids)}"
                        f"{did_you_mean(name, ids)}",
                    )


def _fill_in(document: Document, environment: Mapping[str, str]) -> dict[str, str]:
    """Puts values in the place of `${NAME}`; returns those used, by name."""
    faults: list[str] = []
    used: dict[str, str] = {}

    def replace(path: tuple[str | int, ...], text: str) -> str:
        def value(match: re.Match[str]) -> str:
            found, fault = _secret(match[1], environment)
            if fault:
                faults.append(document.fault(path, fault))
            used[match[1]] = found
            return found

        return _PLACEHOLDER.sub(value, text)

    document.replace_texts(replace)
    if faults:
        raise DocumentError(faults)
    return used


def _hidden(text: str, secrets: Mapping[str, str]) -> str:
    """The text with values that came from the environment put back to their names."""
    for name, value in secrets.items():
        # Shorter ones hide nothing, and would be found inside of other words.
        if len(value) > 3:
            text = text.replace(value, f"${{{name}}}")
    return text


def _dot_env(path: Path) -> dict[str, str]:
    """`NAME=value` lines; blank lines and those that begin with # are passed over."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    bare = (line.strip().removeprefix("export ") for line in lines)
    pairs = (line.split("=", 1) for line in bare if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def _secret(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The value of `${name}`, or why there is none."""
    value = environment.get(name)
    if value:
        return value, ""
    file = environment.get(f"{name}_FILE")
    if not file:
        return "", (
            f"the environment variable {name} is not set (nor {name}_FILE, nor in .env beside this file); "
            f"set it before starting, for instance: export {name}=…"
        )
    try:
        value = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "not UTF-8"
        return "", f"{name}_FILE names {file}, which cannot be read: {reason}"
    return value, "" if value else f"{name}_FILE names {file}, which is empty"
