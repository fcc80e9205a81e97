"""Takes a helpdesk's own SLA rules over as a policy file: reads the account, drafts the file, writes it.

Belongs here: which source is asked, the file. Does not belong here: what the rules become (`sla_rules`).
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from connectors.freshdesk import business_rules as freshdesk_rules
from connectors.freshdesk.api import FreshdeskApi
from connectors.freshdesk.source import FreshdeskSource
from connectors.zendesk import business_rules as zendesk_rules
from connectors.zendesk.source import ZendeskSource
from pipelines.runtime import is_first_start
from pipelines.settings import Settings, SettingsError, SourceSettings
from pipelines.stores import opened_stores
from pipelines.wiring import label_of, sources_of, wire
from sla_rules import import_freshdesk, import_zendesk
from sla_rules.policy import check_policies, load_policies
from sla_rules.policy_draft import Draft, Finding, draft_text

Helpdesk = Literal["zendesk", "freshdesk"]


@dataclass(frozen=True, slots=True)
class ImportedRules:
    """What was taken over: the file's text, how much it holds, and what a person has to know."""

    text: str
    source_key: str
    calendars: int
    policies: int
    findings: tuple[Finding, ...]


def import_rules(
    settings: Settings,
    client_key: str,
    helpdesk: Helpdesk,
    source_key: str | None,
    now: Callable[[], datetime],
) -> ImportedRules:
    """Reads a source's SLA rules and drafts a policy file; the text loads with our own loader.

    Args:
        settings: the configuration.
        client_key: whose.
        helpdesk: the type of source.
        source_key: the source's id; None where the client has one of that type only.
        now: aware UTC now.

    Raises:
        SettingsError: no such source, or several to choose from; or the account has no rules to take over.
        ConnectorError: the account could not be read.
    """
    source = _source(settings, client_key, helpdesk, source_key)
    only = None if len(settings.client(client_key).sources) == 1 else source.id
    draft = _draft(settings, client_key, source, only, now)
    if not draft.policies:
        reasons = "; ".join(f"{one.place}: {one.detail}" for one in draft.findings)
        raise SettingsError(
            f"{label_of(client_key, source)}: there is no SLA policy that can be taken over"
            + (f" ({reasons})" if reasons else "")
            + ". Start from the shipped standard.yaml instead"
        )
    text = draft_text(draft)
    try:
        policies = load_policies(text, f"sla-{source.id}.yaml")
    except ValueError as error:
        raise SettingsError(
            f"{label_of(client_key, source)}: the rules were read, but the file made of them is wrong, so that nothing "
            f"was written: {error}"
        ) from None
    try:
        check_policies(policies)
    except ValueError:
        draft.find(
            "the whole file",
            "tickets that no policy fits have no promise in the helpdesk; here the client's last policy must take "
            "every ticket: name one without conditions behind it, e.g. sla: [this file, standard.yaml]",
        )
        text = draft_text(draft)
    return ImportedRules(
        text, source.id, len(draft.calendars), len(policies), tuple(draft.findings)
    )


def write_rules(path: Path, text: str, *, force: bool) -> None:
    """Writes a policy file whole or not at all.

    Raises:
        SettingsError: the file is there already and `force` is false; its folder is not there.
    """
    if not path.parent.is_dir():
        raise SettingsError(f"--output: there is no folder {path.parent}")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        made.chmod(0o644)
        if force:
            made.replace(path)
        else:
            _place(made, path)
    except FileExistsError:
        raise SettingsError(
            f"{path} is there already and was left as it is; choose another --output, or --force to replace it"
        ) from None
    finally:
        made.unlink(missing_ok=True)


def _place(made: Path, path: Path) -> None:
    """Gives a finished file its name unless the name is taken; without hard links the name is taken first."""
    try:
        path.hardlink_to(made)
    except FileExistsError:
        raise
    except OSError:
        path.open("x").close()
        made.replace(path)


def _source(
    settings: Settings, client_key: str, helpdesk: Helpdesk, source_key: str | None
) -> SourceSettings:
    named = sources_of(settings, client_key, [source_key] if source_key else [])
    found = [source for source in named if getattr(source, "type", None) == helpdesk]
    if len(found) == 1:
        return found[0]
    if found:
        known = ", ".join(source.id for source in found)
        raise SettingsError(
            f"client {client_key} has several {helpdesk} sources, choose with --source: {known}"
        )
    if source_key:
        raise SettingsError(
            f"client {client_key}, source {source_key}: this is no {helpdesk} source"
        )
    raise SettingsError(f"client {client_key} has no {helpdesk} source")


def _draft(
    settings: Settings,
    client_key: str,
    source: SourceSettings,
    only: str | None,
    now: Callable[[], datetime],
) -> Draft:
    with opened_stores(settings, is_there=not is_first_start(settings)) as stores:
        reader = wire(settings, client_key, source, now, stores).source
        if isinstance(reader, ZendeskSource):
            with reader.session as session:
                zendesk = zendesk_rules.read_business_rules(
                    session, import_zendesk.organisations_named
                )
            given = import_zendesk.ZendeskRules(**asdict(zendesk))
            return import_zendesk.draft_of(given, reader.address, only)
        assert isinstance(reader, FreshdeskSource), "the source was chosen by its type"
        with reader.session as session:
            freshdesk = freshdesk_rules.read_business_rules(
                FreshdeskApi(session, now), import_freshdesk.companies_named
            )
        address = reader.session.base_url.rstrip("/")
        rules = import_freshdesk.FreshdeskRules(**asdict(freshdesk))
        return import_freshdesk.draft_of(rules, address, only)
