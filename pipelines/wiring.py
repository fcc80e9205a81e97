"""From settings to things that work: the one table of source types, and who is told what.

Belongs here: which connector and which transform belong to a `type`. Adding a helpdesk is one entry in
`_SOURCES` beside its connector and its transform. Does not belong here: what they do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from connectors.contract import Helpdesk, Notifier, Source
from connectors.errors import ConfigurationError
from connectors.file_export.layout import FileLayout
from connectors.file_export.mappings import mapping_text
from connectors.file_export.source import FileExportSource
from connectors.freshdesk.source import FreshdeskSource
from connectors.http import Policy, PolicySession
from connectors.mailbox import gmail_api, graph_api
from connectors.mailbox.eml import EmlSource
from connectors.mailbox.gmail import GmailSource
from connectors.mailbox.graph import GraphSource
from connectors.mailbox.imap import ImapSource
from connectors.mailbox.maildir import MaildirSource
from connectors.mailbox.mbox import MboxSource
from connectors.mailbox.msg import MsgSource
from connectors.mailbox.pst import PstSource
from connectors.oauth import OAuthCredential
from connectors.oauth_addresses import GOOGLE_TOKEN_URL
from connectors.pagerduty import PagerDutyNotifier
from connectors.slack import SlackNotifier
from connectors.warehouse.outbox import Lane
from connectors.zendesk.account import open_session
from connectors.zendesk.helpdesk import ZendeskHelpdesk
from connectors.zendesk.source import ZendeskSource
from pipelines.escalate import Destination
from pipelines.normalise import SourceTransform
from pipelines.normalise_articles import ArticleTransform
from pipelines.normalise_mail import MailTransform
from pipelines.settings import (
    ClientSettings,
    FileExportSettings,
    FreshdeskSettings,
    GmailSettings,
    GraphSettings,
    HttpSourceSettings,
    ImapSettings,
    MailFilesSettings,
    MailSettings,
    OAuthSettings,
    PagerDutySettings,
    Settings,
    SettingsError,
    SlackSettings,
    SourceSettings,
    ZendeskSettings,
)
from pipelines.stores import NoTokens, Stores
from sla_rules.rails_time_zones import ZONES
from transforms import file_export, freshdesk, freshdesk_articles, zendesk, zendesk_articles
from transforms.mail import MailboxPolicy
from transforms.mapping import FileMapping, load_mapping
from transforms.outlook.mapi import is_mail_class
from transforms.threads import ALL_STEPS, ThreadPolicy
from transforms.yaml_faults import did_you_mean

MAPPING_MARK = "+"
"""In a file export's transform version: what follows is the digest of its mapping."""


@dataclass(frozen=True, slots=True)
class Wired:
    """A source's connector and its transform."""

    source: Source
    transform: SourceTransform | MailTransform


def label_of(client_key: str, source: SourceSettings) -> str:
    """How errors name a source."""
    return f"client {client_key}, source {source.id}"


def wire(
    settings: Settings,
    client_key: str,
    source: SourceSettings,
    now: Callable[[], datetime],
    stores: Stores | None = None,
) -> Wired:
    """The connector and transform of one configured source; opens no connection.

    `stores`: where rate budgets and OAuth pairs live, for all processes; left out where nothing is to be called.

    Raises:
        SettingsError: something the source needs (a mapping file) is missing or wrong.
    """
    try:
        return _SOURCES[type(source)](settings, client_key, source, now, stores or Stores())
    except (ConfigurationError, ValueError) as error:
        raise SettingsError(f"{label_of(client_key, source)}: {error}") from None


def sources_of(
    settings: Settings, client_key: str, only: Sequence[str] = ()
) -> list[SourceSettings]:
    """A client's sources in the file's order, or those named.

    Raises:
        SettingsError: no source of that id; the message lists those there are.
    """
    all_sources = list(settings.client(client_key).sources)
    known = [source.id for source in all_sources]
    for name in only:
        if name not in known:
            raise SettingsError(
                f"client {client_key} has no source '{name}', expected one of {', '.join(known)}"
                f"{did_you_mean(name, known)}"
            )
    return [source for source in all_sources if not only or source.id in only]


def mapping_of(settings: Settings, source: FileExportSettings) -> FileMapping:
    """The mapping of a file export, with the source's own words added."""
    name, text = mapping_text(source.mapping, settings.folder)
    return load_mapping(text, name)


def _file_export(
    settings: Settings,
    _client_key: str,
    source: Any,
    _now: Callable[[], datetime],
    _stores: Stores,
) -> Wired:
    mapping = mapping_of(settings, source)
    return Wired(
        FileExportSource(settings.path(source.path), FileLayout(**mapping.layout())),
        SourceTransform(
            f"{file_export.VERSION}{MAPPING_MARK}{_digest(mapping)}",
            ("rows",),
            (),
            lambda records: file_export.normalise(records["rows"], mapping),
            mapping=mapping,
        ),
    )


def _digest(mapping: FileMapping) -> str:
    """Changes with what a mapping says, not with how its file is written."""
    return sha256(mapping.model_dump_json().encode()).hexdigest()[:12]


def _mail_transform(source: MailSettings, also_own: Iterable[str] = ()) -> MailTransform:
    own = frozenset(address.casefold() for address in (*source.own_addresses, *also_own))
    agents = frozenset(address.casefold() for address in source.agent_addresses)
    domains = frozenset(domain.casefold().lstrip("@") for domain in source.agent_domains)
    return MailTransform(
        MailboxPolicy(
            own_addresses=own,
            agent_addresses=agents,
            agent_domains=domains,
            solved_after=timedelta(days=source.solved_after_days),
        ),
        ThreadPolicy(
            own_addresses=own | agents,
            own_domains=domains,
            window=timedelta(days=source.subject_days),
            steps=ALL_STEPS if source.subject_days else ALL_STEPS - {"subject"},
            new_after=timedelta(days=source.new_after_days) if source.new_after_days else None,
            splits_at_new_subject=source.split_at_new_subject,
        ),
    )


def _mail_files(
    settings: Settings,
    _client_key: str,
    source: Any,
    _now: Callable[[], datetime],
    _stores: Stores,
) -> Wired:
    path = settings.path(source.path)
    if source.type == "mbox":
        return Wired(MboxSource(str(path)), _mail_transform(source))
    if source.type == "pst":
        archive = PstSource(str(path), folders=source.folders, is_mail_class=is_mail_class)
        return Wired(archive, _mail_transform(source))
    kinds: dict[str, Callable[[Path], Source]] = {
        "maildir": MaildirSource,
        "eml": EmlSource,
        "msg": MsgSource,
    }
    return Wired(kinds[source.type](path), _mail_transform(source))


def _imap(
    _settings: Settings,
    client_key: str,
    source: Any,
    _now: Callable[[], datetime],
    stores: Stores,
) -> Wired:
    credential: dict[str, Any] = {}
    if source.oauth is not None:
        right = oauth_of(source.oauth, source.token_url(), label_of(client_key, source), stores)
        credential = {"access_token": right.access_token, "forget_token": right.invalidate}
    else:
        credential = {"password": source.password.get_secret_value()}
    reader = ImapSource(
        source.host,
        source.username,
        **credential,
        port=source.port,
        folders=source.folders,
        use_tls=source.tls is not False,
        use_starttls=source.tls == "starttls",
        connect_seconds=source.connect_timeout_seconds,
        read_seconds=source.timeout_seconds,
    )
    return Wired(
        reader, _mail_transform(source, [source.username] if "@" in source.username else [])
    )


def _graph(
    _settings: Settings,
    client_key: str,
    source: Any,
    _now: Callable[[], datetime],
    stores: Stores,
) -> Wired:
    label = label_of(client_key, source)
    right = oauth_of(
        source.oauth.model_copy(update={"scope": source.scope()}),
        source.token_url(),
        label,
        stores,
        "authorise the app registration again (Microsoft Entra admin center › App registrations) and set the new "
        "refresh_token or client_secret in the configuration",
    )
    session = graph_api.open_session(
        source.base_url,
        right,
        source.user,
        label=label,
        policy=_policy(source),
        budgets=stores.budgets,
        time_scale=source.time_scale,
    )
    own = [source.user] if "@" in source.user else []
    reader = GraphSource(session, source.user, folders=source.folders)
    return Wired(reader, _mail_transform(source, own))


def _gmail(
    _settings: Settings,
    client_key: str,
    source: Any,
    _now: Callable[[], datetime],
    stores: Stores,
) -> Wired:
    label = label_of(client_key, source)
    right = oauth_of(
        source.oauth,
        GOOGLE_TOKEN_URL,
        label,
        stores,
        "authorise the OAuth client again (Google Cloud console › APIs and services › Credentials) and set the new "
        "refresh_token in the configuration",
    )
    session = gmail_api.open_session(
        source.base_url,
        right,
        label=label,
        policy=_policy(source),
        budgets=stores.budgets,
        time_scale=source.time_scale,
    )
    reader = GmailSource(session, source.user, labels=source.labels)
    return Wired(reader, _mail_transform(source, [source.user]))


def _zendesk(
    _settings: Settings,
    client_key: str,
    source: Any,
    now: Callable[[], datetime],
    stores: Stores,
) -> Wired:
    reader = ZendeskSource(
        email=source.email or "",
        token="",
        base_url=source.address(),
        session=_zendesk_session(client_key, source, stores),
        now=now,
    )
    return Wired(
        reader,
        SourceTransform(
            zendesk.VERSION,
            zendesk.TICKET_STREAMS,
            zendesk.REFERENCE_STREAMS,
            lambda records: zendesk.normalise(
                records,
                status_map=source.status_map,
                priority_map=source.priority_map,
                base_url=source.agent_address(),
                time_zones=ZONES,
            ),
            people_streams=("users", "organizations"),
            articles=ArticleTransform(
                zendesk_articles.VERSION,
                ("article_categories", "article_sections", "user_segments"),
                zendesk_articles.normalise_articles,
            ),
        ),
    )


def _zendesk_session(client_key: str, source: ZendeskSettings, stores: Stores) -> PolicySession:
    """The session of one Zendesk account, for its source and for moves into it."""
    label = label_of(client_key, source)
    options: dict[str, Any] = {
        "label": label,
        "policy": _policy(source),
        "budgets": stores.budgets,
        "time_scale": source.time_scale,
        "exports_per_minute": source.exports_per_minute,
    }
    if source.oauth is not None:
        auth = oauth_of(
            source.oauth,
            f"{source.address()}/oauth/tokens",
            label,
            stores,
            "authorise the OAuth client again in Zendesk (Admin Center › Apps and integrations › APIs › OAuth "
            "clients) and set the new refresh_token in the configuration",
        )
        return open_session(source.address(), auth=auth, **options)
    assert source.email is not None and source.token is not None, (
        "settings refuse an account without"
    )
    return open_session(source.address(), source.email, source.token.get_secret_value(), **options)


def oauth_of(
    settings: OAuthSettings, token_url: str, label: str, stores: Stores, how_to_renew: str = ""
) -> OAuthCredential:
    """A configured OAuth right whose pairs live in the warehouse; `token_url` where the file names none."""
    secret, seed = settings.client_secret, settings.refresh_token
    # Without a refresh token nothing is spent by asking: the right can be tried before the warehouse is there.
    is_alone = seed is None and isinstance(stores.tokens, NoTokens)
    return OAuthCredential(
        token_url=settings.token_url or token_url,
        client_id=settings.client_id,
        client_secret=secret.get_secret_value() if secret else "",
        refresh_token=seed.get_secret_value() if seed else None,
        scope=settings.scope,
        store=None if is_alone else stores.tokens,
        label=label,
        how_to_renew=how_to_renew,
    )


def _freshdesk(
    _settings: Settings,
    client_key: str,
    source: Any,
    now: Callable[[], datetime],
    stores: Stores,
) -> Wired:
    reader = FreshdeskSource(
        api_key=source.api_key.get_secret_value(),
        base_url=source.address(),
        label=label_of(client_key, source),
        calls_at_once=source.calls_at_once,
        policy=_policy(source),
        now=now,
        budgets=stores.budgets,
        time_scale=source.time_scale,
    )
    return Wired(
        reader,
        SourceTransform(
            freshdesk.VERSION,
            ("tickets", "satisfaction_ratings", "time_entries"),
            ("ticket_fields", "agents", "groups", "companies", "products", "contacts"),
            lambda records: freshdesk.normalise(
                records,
                status_map=source.status_map,
                priority_map=source.priority_map,
                base_url=source.agent_address(),
            ),
            frozenset({"tickets"}),
            people_streams=("contacts", "companies"),
            articles=ArticleTransform(
                freshdesk_articles.VERSION,
                ("article_categories", "article_folders"),
                lambda records: freshdesk_articles.normalise_articles(
                    records, base_url=source.agent_address()
                ),
            ),
        ),
    )


def helpdesk_of(
    settings: Settings, client_key: str, source_key: str, stores: Stores | None = None
) -> Helpdesk:
    """The write side of a configured source; `stores` as for `wire`.

    Raises:
        SettingsError: the source is of a type that Deskbridge cannot write to yet.
    """
    (source,) = sources_of(settings, client_key, [source_key])
    if not isinstance(source, ZendeskSettings):
        raise SettingsError(
            f"{label_of(client_key, source)}: a {getattr(source, 'type', 'source')} source cannot be moved into; a "
            "zendesk source can"
        )
    return ZendeskHelpdesk(session=_zendesk_session(client_key, source, stores or Stores()))


def _policy(source: HttpSourceSettings) -> Policy:
    """How patient the source's calls are."""
    return Policy(
        tries=source.tries,
        deadline_seconds=source.deadline_seconds,
        connect_timeout_seconds=source.connect_timeout_seconds,
        read_timeout_seconds=source.timeout_seconds,
    )


def destinations_of(client: ClientSettings) -> list[Destination]:
    """The channels that pages and warnings go to, with the addresses their outbox lanes carry."""
    return [
        Destination(one.type, lane_of(one), wakes=one.type == "pagerduty")
        for one in client.notify
        if "page" in one.purposes
    ]


def lane_of(one: PagerDutySettings | SlackSettings) -> str:
    """The address of a notifier's lane: a channel's name, or the end of a routing key (never all of it)."""
    if isinstance(one, SlackSettings):
        return one.channel
    return f"…{one.routing_key.get_secret_value()[-4:]}"


@contextmanager
def open_notifiers(client: ClientSettings, purpose: str | None = None) -> Iterator[list[Notifier]]:
    """A client's notifiers, all or those for one purpose; connections are opened by the first message."""
    with ExitStack() as stack:
        notifiers: list[Notifier] = []
        for one in client.notify:
            if purpose is not None and purpose not in one.purposes:
                continue
            if isinstance(one, PagerDutySettings):
                key = one.routing_key.get_secret_value()
                pager = PagerDutyNotifier(
                    key,
                    destination=lane_of(one),
                    base_url=one.base_url,
                    timeout_seconds=one.timeout_seconds,
                )
                notifiers.append(stack.enter_context(pager))
            else:
                token = one.token.get_secret_value()
                notifiers.append(
                    SlackNotifier(
                        token,
                        one.channel,
                        base_url=one.base_url,
                        timeout_seconds=one.timeout_seconds,
                    )
                )
        yield notifiers


def fallback_of(client: ClientSettings) -> dict[Lane, Lane]:
    """Where a page goes that its pager does not take: the first channel for pages that is no pager."""
    destinations = destinations_of(client)
    pagers = [Lane(one.channel, one.address) for one in destinations if one.wakes]
    others = [Lane(one.channel, one.address) for one in destinations if not one.wakes]
    return dict.fromkeys(pagers, others[0]) if others else {}


_SOURCES: Mapping[type[Any], Callable[..., Wired]] = {
    FileExportSettings: _file_export,
    FreshdeskSettings: _freshdesk,
    GmailSettings: _gmail,
    GraphSettings: _graph,
    ImapSettings: _imap,
    MailFilesSettings: _mail_files,
    ZendeskSettings: _zendesk,
}
