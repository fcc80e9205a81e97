"""Finds a client's rule files: policies, ladder, on-call plan; shipped ones by name, own ones by path.

Belongs here: reading these files at the edge. Does not belong here: what they mean (`sla_rules`).
"""

from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

from connectors.errors import ConfigurationError
from connectors.file_export.mappings import mapping_text
from pipelines.settings import FileExportSettings, Settings, SettingsError, read_text
from sla_rules.ladder import Ladder, load_ladder
from sla_rules.metrics import METRICS
from sla_rules.on_call import OnCallPlan, load_on_call
from sla_rules.policy import Policy, check_policies, load_policies, load_triage
from sla_rules.triage import TriageRule
from transforms.mapping import load_mapping
from transforms.yaml_faults import did_you_mean


@dataclass(frozen=True, slots=True)
class Rules:
    """A client's promises, ladder and people on call.

    `texts`: policy name → the file it came from. `without_messages`: sources that tell no public answers (an
    export of status changes, a plain list): whether somebody replied cannot be known, so no reply clock is judged.
    """

    policies: tuple[Policy, ...]
    ladder: Ladder
    on_call: OnCallPlan
    texts: dict[str, str]
    without_messages: frozenset[str] = frozenset()


def load_rules(settings: Settings, client_key: str, today: date) -> Rules:
    """Reads and checks everything a client's clocks and pages depend on.

    Raises:
        SettingsError: a file is missing or wrong; the message says file, line, found and expected.
    """
    client = settings.client(client_key)
    policies, texts = _policies(settings, client_key)
    ladder_text = _text_of(settings, client_key, "escalation", client.escalation)
    on_call_text = _text_of(settings, client_key, "on_call", client.on_call)
    try:
        ladder = load_ladder(ladder_text, client.escalation)
        on_call = load_on_call(on_call_text, client.on_call, today)
        _check_levels(client.escalation, ladder, client.on_call, on_call)
    except ValueError as error:
        raise SettingsError(f"client {client_key}: {error}") from None
    return Rules(policies, ladder, on_call, texts, _without_messages(settings, client_key))


def triage_rules(settings: Settings, client_key: str) -> tuple[TriageRule, ...]:
    """The triage rules of a client's policies, in their order. A wrong promise beside them does not matter here.

    Raises:
        SettingsError: a policy file is missing or no YAML, or a triage rule is wrong.
    """
    found: list[TriageRule] = []
    for name in settings.client(client_key).sla:
        text = _text_of(settings, client_key, "sla", name)
        try:
            found.extend(load_triage(text, name))
        except ValueError as error:
            raise SettingsError(f"client {client_key}: {error}") from None
    return tuple(found)


def _policies(settings: Settings, client_key: str) -> tuple[tuple[Policy, ...], dict[str, str]]:
    """A client's policies, and policy name → the text of its file."""
    policies: list[Policy] = []
    texts: dict[str, str] = {}
    for name in settings.client(client_key).sla:
        text = _text_of(settings, client_key, "sla", name)
        try:
            loaded = load_policies(text, name)
        except ValueError as error:
            raise SettingsError(f"client {client_key}: {error}") from None
        policies.extend(loaded)
        texts.update({policy.name: text for policy in loaded})
    try:
        check_policies(policies)
    except ValueError as error:
        raise SettingsError(f"client {client_key}: {error}") from None
    return tuple(policies), texts


def _text_of(settings: Settings, client_key: str, key: str, name: str) -> str:
    try:
        return rule_text(settings, name)
    except SettingsError as error:
        raise SettingsError(f"client {client_key}, {key}: {error}") from None


def is_reply_metric(metric: str) -> bool:
    """Whether a metric is judged by messages, so that a source without answers says nothing of it."""
    return metric in METRICS and METRICS[metric].kind == "message"


def _without_messages(settings: Settings, client_key: str) -> frozenset[str]:
    found = set()
    for source in settings.client(client_key).sources:
        if isinstance(source, FileExportSettings):
            try:
                name, text = mapping_text(source.mapping, settings.folder)
                mapping = load_mapping(text, name)
            except (ConfigurationError, ValueError) as error:
                raise SettingsError(f"client {client_key}, source {source.id}: {error}") from None
            # A description is the customer's own; without public answers nobody can be seen to reply.
            if mapping.columns.comment is None or not mapping.comments_are_public:
                found.add(source.id)
    return frozenset(found)


def _check_levels(ladder_name: str, ladder: Ladder, plan_name: str, on_call: OnCallPlan) -> None:
    """Raises ValueError where the ladder pages a level that nobody is on call for."""
    known = on_call.levels()
    for step in ladder.steps:
        if step.action == "page" and step.level not in known:
            raise ValueError(
                f"{ladder_name}: the step {step.name} pages the level {step.level}, for which {plan_name} has no "
                f"rotation; expected one of {', '.join(known)}, or a rotation more"
            )


def rule_text(settings: Settings, name: str) -> str:
    """The text of a rule file: a path relative to the configuration, else a shipped file of that name.

    Raises:
        SettingsError: neither exists.
    """
    return named_text(settings, name, "sla_rules", "policies")


def named_text(settings: Settings, name: str, package: str, folder: str) -> str:
    """A file of the client's own, or one that `package` ships in `folder`; see `rule_text`."""
    own = settings.path(name)
    if own.is_file():
        return read_text(own)
    shipped = resources.files(package).joinpath(folder, name)
    if "/" not in name and shipped.is_file():
        return shipped.read_text("utf-8")
    known = sorted(
        entry.name
        for entry in resources.files(package).joinpath(folder).iterdir()
        if Path(entry.name).suffix == ".yaml"
    )
    raise SettingsError(
        f"there is no file {own}, and none of that name is shipped; shipped are {', '.join(known)}"
        f"{did_you_mean(name, known)}"
    )
