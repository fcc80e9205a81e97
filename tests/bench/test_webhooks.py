"""What webhooks are measured by works: every event is answered, done once, and its ticket is here.

`python -m tests.bench.webhooks` is the long version. No time is asserted here: a busy machine is no fault.
"""

from pathlib import Path

from sqlalchemy import Engine

from tests.bench.webhooks import measured, report


def test_every_event_is_taken_and_its_ticket_is_here(engine: Engine, tmp_path: Path) -> None:
    paced, burst = measured(engine, tmp_path, changes=5, burst=150)
    assert len(paced.seconds) == 5
    assert burst.answers == {202: 150}
    assert burst.tickets == 50 + 150
    assert burst.transactions <= 75, "32 connections share transactions"
    assert burst.calls <= 150 + 10, "one history each, a hundred tickets a call"
    print("\n" + report(engine.dialect.name, paced, burst))
