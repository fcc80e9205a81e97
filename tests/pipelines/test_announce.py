"""A report is announced once for each issue, to channels for reports, never to a pager."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.standins.slack import SlackStandIn
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import delivery
from pipelines.announce import announce_report, is_live
from pipelines.ingest import ingest_client
from pipelines.report import write_compliance_report
from pipelines.runtime import Runtime, opened

MAPPING = """\
rows: change
time_zone: UTC
time_formats: ["%Y-%m-%d %H:%M"]
statuses: {New: new, Done: solved}
columns: {ticket: id, changed_at: at, status: state}
"""

CONFIG = """\
warehouse: sqlite:///warehouse.db
clock: 2026-11-04T13:00:00Z
clients:
  acme:
    name: Acme & <!channel>
    time_zone: UTC
    live_from: 2026-11-01T00:00:00Z
    sources:
      - {id: export, type: csv, path: export.csv, mapping: mapping.yaml}
    notify:
      - {type: pagerduty, routing_key: 0123456789abcdef0123456789abcdef, for: [page, report]}
      - {type: slack, token: xoxb-made-up, channel: "#support", for: [report], base_url: "URL/api"}
"""


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(time_scale=60) as slack:
        yield slack


@pytest.fixture
def runtime(tmp_path: Path, slack: SlackStandIn) -> Iterator[Runtime]:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "deskbridge.yaml").write_text(CONFIG.replace("URL", slack.base_url))
    (tmp_path / "export.csv").write_text("id,at,state\n7,2026-10-05 12:00,New\n")
    with opened(tmp_path / "deskbridge.yaml") as runtime:
        ingest_client(runtime, "acme")
        yield runtime


def test_an_issue_is_announced_once(runtime: Runtime, slack: SlackStandIn) -> None:
    assert is_live(runtime, "acme")
    for expected in (1, 0):
        written = write_compliance_report(runtime, "acme", runtime.now())
        assert announce_report(runtime, "acme", written) == expected
    (post,) = slack.posts
    assert post["text"] == "Acme &amp; &lt;!channel&gt;: support report, October 2026"
    with reading(runtime.engine) as connection:
        rows = connection.execute(select(delivery.c.channel, delivery.c.state)).all()
    assert rows == [("slack", "delivered")]


def test_a_restated_month_is_announced_again(runtime: Runtime, slack: SlackStandIn) -> None:
    announce_report(runtime, "acme", write_compliance_report(runtime, "acme", runtime.now()))
    export = runtime.settings.folder / "export.csv"
    export.write_text("id,at,state\n7,2026-10-05 12:00,New\n8,2026-10-06 12:00,New\n")
    ingest_client(runtime, "acme")
    written = write_compliance_report(runtime, "acme", runtime.now())
    assert written.issue == 2
    assert announce_report(runtime, "acme", written) == 1
    assert len(slack.posts) == 2
