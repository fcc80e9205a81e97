"""`deskbridge check`: connects to everything that is configured and says what works, what does not and why.

Belongs here: the list of results. Does not belong here: the checks of single systems (their connectors).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.contract import CheckResult
from connectors.errors import ConnectorError
from connectors.warehouse import schema
from pipelines.rules import load_rules
from pipelines.runtime import Runtime
from pipelines.settings import SettingsError
from pipelines.wiring import open_notifiers, wire


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of the table."""

    client_key: str
    kind: str
    result: CheckResult


def check_everything(runtime: Runtime) -> Iterator[Checked]:
    """Results one by one, so that a slow host does not hold back the others' lines."""
    engine = runtime.engine
    yield Checked(
        "-",
        "warehouse",
        CheckResult(
            engine.url.render_as_string(hide_password=True),
            works=True,
            detail=f"{engine.dialect.name}, revision {schema.current_revision(engine)}",
        ),
    )
    for client_key, client in runtime.settings.clients.items():
        yield Checked(client_key, "rules", _rules(runtime, client_key))
        told: set[tuple[str, str]] = set()
        for source in client.sources:
            yield Checked(client_key, source.type, _source(runtime, client_key, source))  # type: ignore[attr-defined]
        for purpose in ("page", "digest", "report"):
            with open_notifiers(client, purpose) as notifiers:
                for one in notifiers:
                    if (one.channel, one.destination) not in told:
                        told.add((one.channel, one.destination))
                        yield Checked(client_key, one.channel, one.check())


def _rules(runtime: Runtime, client_key: str) -> CheckResult:
    try:
        rules = load_rules(runtime.settings, client_key, runtime.now().date())
    except SettingsError as error:
        return CheckResult("policies, ladder, on-call", works=False, detail=str(error))
    names = ", ".join(f"{policy.name} ({policy.version})" for policy in rules.policies)
    live = runtime.settings.client(client_key).live_from
    detail = f"{names}; live from {live.isoformat() if live else 'never: nobody is paged'}"
    return CheckResult("policies, ladder, on-call", works=True, detail=detail)


def _source(runtime: Runtime, client_key: str, source: object) -> CheckResult:
    name = getattr(source, "id", "source")
    try:
        wired = wire(runtime.settings, client_key, source, runtime.now)  # type: ignore[arg-type]
        result = wired.source.check()
    except (SettingsError, ConnectorError) as error:
        return CheckResult(name, works=False, detail=str(error))
    return CheckResult(name, result.works, result.detail)
