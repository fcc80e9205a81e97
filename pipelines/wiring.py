"""From settings to things that work: the one table of source types, and who is told what.

Belongs here: which connector and which transform belong to a `type`. Adding a helpdesk is one entry in
`_SOURCES` beside its connector and its transform. Does not belong here: what they do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import Source
from connectors.errors import ConfigurationError
from connectors.file_export.layout import FileLayout
from connectors.file_export.mappings import mapping_text
from connectors.file_export.source import FileExportSource
from connectors.mailbox.mbox import MboxSource
from pipelines.normalise import Records, SourceTransform
from pipelines.normalise_mail import MailTransform
from pipelines.settings import (
    FileExportSettings,
    MailFilesSettings,
    MailSettings,
    Settings,
    SettingsError,
    SourceSettings,
)
from transforms import file_export
from transforms.mail import MailboxPolicy
from transforms.mapping import FileMapping, load_mapping
from transforms.model import Batch
from transforms.threads import ThreadPolicy


@dataclass(frozen=True, slots=True)
class StreamTransform:
    """A transform whose records name their ticket: everything but mail (`normalise.SourceTransform`)."""

    version: str
    ticket_streams: tuple[str, ...]
    reference_streams: tuple[str, ...]
    run: Callable[[Records], Batch]
    versioned_streams: frozenset[str] = frozenset()

    def normalise(self, records: Records) -> Batch:
        """See `SourceTransform`."""
        return self.run(records)


@dataclass(frozen=True, slots=True)
class Wired:
    """A source's connector and its transform."""

    source: Source
    transform: SourceTransform | MailTransform


def label_of(client_key: str, source: SourceSettings) -> str:
    """How errors name a source."""
    return f"client {client_key}, source {source.id}"


def wire(
    settings: Settings, client_key: str, source: SourceSettings, now: Callable[[], datetime]
) -> Wired:
    """The connector and transform of one configured source; opens no connection.

    Raises:
        SettingsError: something the source needs (a mapping file) is missing or wrong.
    """
    try:
        return _SOURCES[type(source)](settings, client_key, source, now)
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
                f"client {client_key} has no source '{name}'; there is {', '.join(known)}"
            )
    return [source for source in all_sources if not only or source.id in only]


def mapping_of(settings: Settings, source: FileExportSettings) -> FileMapping:
    """The mapping of a file export, with the source's own words added."""
    name, text = mapping_text(source.mapping, settings.folder)
    return load_mapping(text, name)


def _file_export(
    settings: Settings, _client_key: str, source: Any, _now: Callable[[], datetime]
) -> Wired:
    mapping = mapping_of(settings, source)
    return Wired(
        FileExportSource(settings.path(source.path), FileLayout(**mapping.layout())),
        StreamTransform(
            file_export.VERSION,
            ("rows",),
            (),
            lambda records: file_export.normalise(records["rows"], mapping),
        ),
    )


def _mail_transform(source: MailSettings, also_own: Iterable[str] = ()) -> MailTransform:
    own = frozenset(address.casefold() for address in (*source.own_addresses, *also_own))
    agents = frozenset(address.casefold() for address in source.agent_addresses)
    return MailTransform(
        MailboxPolicy(
            own_addresses=own,
            agent_addresses=agents,
            agent_domains=frozenset(d.casefold().lstrip("@") for d in source.agent_domains),
            solved_after=timedelta(days=source.solved_after_days),
        ),
        ThreadPolicy(own_addresses=own | agents),
    )


def _mail_files(
    settings: Settings, _client_key: str, source: Any, _now: Callable[[], datetime]
) -> Wired:
    path = settings.path(source.path)
    if source.type == "mbox":
        return Wired(MboxSource(str(path)), _mail_transform(source))
    kind = MaildirSource if source.type == "maildir" else EmlSource
    return Wired(kind(path), _mail_transform(source))


_SOURCES: Mapping[type[Any], Callable[..., Wired]] = {
    FileExportSettings: _file_export,
    MailFilesSettings: _mail_files,
}
