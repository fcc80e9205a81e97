"""Tells people that a run failed: through the pager and the channel of the clients it was for.

Belongs here: the sensor on failed runs and its message. Does not belong here: what failed. No
`from __future__ import annotations` in this module: Dagster reads the annotations.
"""

from collections.abc import Sequence

import dagster as dg

from connectors.contract import Message
from connectors.errors import ConnectorError
from connectors.warehouse import outbox
from connectors.warehouse.engine import writing
from connectors.warehouse.types import iso_utc
from pipelines.resources import DeskbridgeResource
from pipelines.runtime import Runtime
from pipelines.settings import ClientSettings, Settings
from pipelines.tick import TickReport, send
from pipelines.wiring import destinations_of, open_notifiers

RUNBOOK = "sync-failed.md"

LONGEST_REASON = 500
"""Characters of a failure that a message shows; Dagster's page has all of it."""


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor on failed runs; armed wherever the schedules are."""
    status = (
        dg.DefaultSensorStatus.RUNNING if settings.clock is None else dg.DefaultSensorStatus.STOPPED
    )

    @dg.run_failure_sensor(name="run_failed", default_status=status)
    def run_failed(context: dg.RunFailureSensorContext, deskbridge: DeskbridgeResource) -> None:
        run = context.dagster_run
        client_key = run.tags.get("dagster/partition")
        with deskbridge.runtime() as runtime:
            keys = [client_key] if client_key else list(runtime.settings.clients)
            tell_of_failure(runtime, keys, run.job_name, context.failure_event.message or "")

    return run_failed


def tell_of_failure(runtime: Runtime, client_keys: Sequence[str], job: str, reason: str) -> None:
    """Tells each client's people that a job failed, at most once an hour for each job.

    It goes through the outbox and is sent at once, without waiting for a tick: ticks may be what fails. Where
    not even the warehouse answers it is handed to the channels directly.
    """
    for client_key in client_keys:
        client = runtime.settings.client(client_key)
        body = _body(runtime, client_key, client, job, reason)
        key = f"run-failed:{client_key}:{job}:{runtime.now():%Y-%m-%dT%H}"
        try:
            _through_the_outbox(runtime, client_key, client, key, body)
        except ConnectorError:
            _directly(client, key, body)


def _through_the_outbox(
    runtime: Runtime, client_key: str, client: ClientSettings, key: str, body: dict[str, object]
) -> None:
    rows = [
        outbox.NewDelivery(
            client_key=client_key,
            channel=one.channel,
            destination=one.address,
            message_key=key,
            action="trigger",
            body=body,
            created_at=runtime.now(),
        )
        for one in destinations_of(client)
    ]
    with writing(runtime.engine) as connection:
        outbox.enqueue(connection, rows)
    send(runtime, client_key, TickReport(client_key))


def _directly(client: ClientSettings, key: str, body: dict[str, object]) -> None:
    with open_notifiers(client, "page") as notifiers:
        for one in notifiers:
            one.deliver(Message(key, "trigger", body))


def _body(
    runtime: Runtime, client_key: str, client: ClientSettings, job: str, reason: str
) -> dict[str, object]:
    return {
        "title": f"{job} failed for {client.name or client_key}",
        "text": reason[:LONGEST_REASON],
        "severity": "error",
        "source": "Deskbridge",
        "occurred_at": iso_utc(runtime.now()),
        "details": {
            "client": client_key,
            "job": job,
            "runbook": RUNBOOK,
            "closing": "nothing closes this by itself: resolve it when a run has succeeded",
        },
    }
