"""Tells a client's channels that a report was written: its headline, once for each issue.

Belongs here: the message and to whom it goes. Does not belong here: writing the report (`report`), sending
(`tick`).
"""

from connectors.warehouse import outbox
from connectors.warehouse.engine import writing
from connectors.warehouse.types import iso_utc
from pipelines.report import WrittenReport
from pipelines.runtime import Runtime
from pipelines.tick import TickReport, send
from pipelines.wiring import lane_of

KPIS_SHOWN = 8
"""Rows of the scoreboard in the message: what fits one look; the workbook has all."""


def announce_report(runtime: Runtime, client_key: str, written: WrittenReport) -> int:
    """Queues the message for every channel with the purpose `report` and sends what is due.

    Announced again, the same issue says nothing. A pager is never used: a report wakes nobody.

    Returns:
        How many messages were new.
    """
    client = runtime.settings.client(client_key)
    board = written.scoreboard
    body = {
        "title": f"{client.name or client_key}: support report, {written.period.label()}",
        "text": "\n".join(board.sentences),
        "severity": "info",
        "source": f"Deskbridge · {written.path.name}, issue {written.issue}",
        "occurred_at": iso_utc(runtime.now()),
        "details": {row.label: f"{row.value}  {row.status}" for row in board.rows[:KPIS_SHOWN]},
    }
    key = f"report:{client_key}:{iso_utc(written.period.start)}:{iso_utc(written.period.end)}:{written.issue}"
    rows = [
        outbox.NewDelivery(
            client_key=client_key,
            channel=one.type,
            destination=lane_of(one),
            message_key=key,
            action="trigger",
            body=body,
            created_at=runtime.now(),
        )
        for one in client.notify
        if "report" in one.purposes and one.type != "pagerduty"
    ]
    with writing(runtime.engine) as connection:
        new = outbox.enqueue(connection, rows)
    send(runtime, client_key, TickReport(client_key))
    return new


def is_live(runtime: Runtime, client_key: str) -> bool:
    """Whether a client's people may be told anything unasked."""
    live_from = runtime.settings.client(client_key).live_from
    return live_from is not None and live_from <= runtime.now()
