"""A failed run tells somebody, once an hour for each job, also when nothing ticks."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from connectors.errors import UnavailableError
from connectors.standins.slack import SlackStandIn
from pipelines import alerts
from pipelines.alerts import build_sensor, tell_of_failure
from pipelines.build import build_definitions
from pipelines.resources import DeskbridgeResource
from pipelines.runtime import Runtime, opened
from pipelines.settings import load_settings

CONFIG = """\
warehouse: sqlite:///warehouse.db
CLOCKclients:
  acme:
    time_zone: UTC
    sources:
      - {id: export, type: csv, path: absent.csv, mapping: ticket_list.yaml}
    notify:
      - {type: slack, token: xoxb-made-up, channel: "#support", for: [page], base_url: "URL/api"}
"""


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn(time_scale=60) as slack:
        yield slack


def write_config(folder: Path, slack: SlackStandIn, clock: str = "") -> Path:
    path = folder / "deskbridge.yaml"
    path.write_text(CONFIG.replace("URL", slack.base_url).replace("CLOCK", clock))
    return path


@pytest.fixture
def runtime(tmp_path: Path, slack: SlackStandIn) -> Iterator[Runtime]:
    with opened(write_config(tmp_path, slack, "clock: 2026-11-04T13:00:00Z\n")) as runtime:
        yield runtime


def test_a_failure_is_told_once_an_hour(runtime: Runtime, slack: SlackStandIn) -> None:
    for reason in ("no answer from <!channel>", "again"):
        tell_of_failure(runtime, ["acme"], "sync", reason)
    (post,) = slack.posts
    assert post["text"] == "sync failed for acme"
    assert "<!channel>" not in str(post["blocks"])


def test_another_jobs_failure_is_told_too(runtime: Runtime, slack: SlackStandIn) -> None:
    for job in ("sync", "sla_tick"):
        tell_of_failure(runtime, ["acme"], job, "")
    assert len(slack.posts) == 2


def test_without_a_warehouse_it_is_told_all_the_same(
    runtime: Runtime, slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise UnavailableError("the warehouse is gone")

    monkeypatch.setattr(alerts, "_through_the_outbox", gone)
    tell_of_failure(runtime, ["acme"], "sync", "the warehouse is gone")
    assert [post["text"] for post in slack.posts] == ["sync failed for acme"]


def test_a_failed_run_reaches_the_channel(tmp_path: Path, slack: SlackStandIn) -> None:
    config = write_config(tmp_path, slack)
    sensor = build_sensor(load_settings(config))
    with dg.instance_for_test() as instance:
        job = build_definitions(config).resolve_job_def("sync")
        result = job.execute_in_process(
            instance=instance, partition_key="acme", raise_on_error=False
        )
        assert not result.success
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failed",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
            resources={"deskbridge": DeskbridgeResource(config_path=str(config))},
        ).for_run_failure()
        sensor(context)
    (post,) = slack.posts
    assert post["text"] == "sync failed for acme"


def test_the_sensor_is_armed_where_the_clock_runs(tmp_path: Path, slack: SlackStandIn) -> None:
    running = build_sensor(load_settings(write_config(tmp_path, slack)))
    standing = build_sensor(
        load_settings(write_config(tmp_path, slack, "clock: 2026-11-04T13:00:00Z\n"))
    )
    assert running.default_status == dg.DefaultSensorStatus.RUNNING
    assert standing.default_status == dg.DefaultSensorStatus.STOPPED
