"""Dagster's side: definitions load for every kind of configuration, each schedule and each job runs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from sqlalchemy import update

from connectors.warehouse.engine import make_engine, writing
from connectors.warehouse.schema import upgrade
from connectors.warehouse.tables import delivery
from pipelines import purge
from pipelines.assets import NO_CHECK
from pipelines.build import build_definitions
from pipelines.demo.configuration import write_configuration
from pipelines.demo.folder import AFTER_MIGRATION, CLIENT, DemoFolder
from pipelines.run_job import run_job
from pipelines.schedules import CLIENT_TAG, JOB_TAG, JOBS, WORK_TAG
from pipelines.settings import SettingsError

REPOSITORY = Path(__file__).parents[2]

ONE_CLIENT = """\
clients:
  solo:
    time_zone: Europe/Berlin
    sources: [{id: archive, type: mbox, path: archive.mbox}]
"""
TWO_CLIENTS = """\
clients:
  north:
    time_zone: Europe/Istanbul
    reports: {time_zone: America/New_York}
    sources: [{id: archive, type: mbox, path: north.mbox}]
  south:
    time_zone: Pacific/Auckland
    sources: [{id: export, type: csv, path: south.csv, mapping: ticket_list.yaml}]
"""
PORTS = {"zendesk": 1, "freshdesk": 2, "imap": 3, "pagerduty": 4, "slack": 5}


def write_config(folder: Path, kind: str) -> Path:
    if kind == "demo":
        demo = DemoFolder(folder)
        write_configuration(demo, PORTS)
        return demo.config
    path = folder / "deskbridge.yaml"
    path.write_text({"one client": ONE_CLIENT, "two clients": TWO_CLIENTS}[kind], "utf-8")
    return path


@pytest.fixture(params=["demo", "one client", "two clients"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_config(tmp_path, request.param)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "instance"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def requests_of(
    config: Path, name: str, instance: dg.DagsterInstance, now: datetime
) -> list[dg.RunRequest]:
    repository = build_definitions(config).get_repository_def()
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=now, repository_def=repository
    )
    return list(repository.get_schedule_def(name).evaluate_tick(context).run_requests or [])


def test_definitions_load_and_fit_together(config: Path) -> None:
    definitions = build_definitions(config)
    dg.Definitions.validate_loadable(definitions)
    assert {job.name for job in JOBS} == {
        "sync",
        "reconcile",
        "attachments",
        "sla_tick",
        "compliance_report",
        "migration",
        "purge_runs",
    }


def test_every_asset_is_described_owned_and_checked_or_says_why_not(config: Path) -> None:
    graph = build_definitions(config).resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    assert len(keys) > 7
    for key in keys:
        node = graph.get(key)
        assert node.description, key
        assert node.group_name not in (None, "default"), key
        assert node.owners, key
        checks = graph.get_check_keys_for_assets({key})
        assert bool(checks) != bool(node.metadata.get(NO_CHECK)), key


def test_the_graph_leads_from_the_sources_to_the_report(config: Path) -> None:
    graph = build_definitions(config).resolve_asset_graph()
    workbook = dg.AssetKey("compliance_workbook")
    above = {key.to_user_string() for key in graph.get_ancestor_asset_keys(workbook)}
    assert above >= {"raw_records", "tickets", "sla_clocks", "escalations", "migration_ledger"}
    sources = graph.get(dg.AssetKey("raw_records")).parent_keys
    assert sources
    assert {graph.get(key).group_name for key in sources} == {"sources"}


def test_schedules_are_armed_unless_the_clock_stands_still(tmp_path: Path) -> None:
    states = {}
    for kind in ("demo", "one client"):
        folder = tmp_path / kind
        folder.mkdir()
        definitions = build_definitions(write_config(folder, kind))
        states[kind] = {one.default_status for one in definitions.schedules or []}  # type: ignore[union-attr]
    assert states == {
        "demo": {dg.DefaultScheduleStatus.STOPPED},
        "one client": {dg.DefaultScheduleStatus.RUNNING},
    }


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("every_five_minutes", ["north", "south"]),
        ("early_mornings", ["north", "south"]),
        ("every_hour", []),
        ("every_minute", [None]),
        ("monday_mornings", ["north", "south"]),
        ("first_of_the_month", ["north", "south"]),
        ("every_night", [None]),
    ],
)
def test_every_schedule_asks_for_its_runs(
    tmp_path: Path, instance: dg.DagsterInstance, name: str, runs: list[str | None]
) -> None:
    config = write_config(tmp_path, "two clients")
    requests = requests_of(config, name, instance, datetime(2026, 11, 2, 11, 0, tzinfo=UTC))
    assert [one.partition_key for one in requests] == runs
    assert [one.tags.get(CLIENT_TAG) for one in requests] == runs
    assert len({one.tags.get(WORK_TAG) for one in requests}) == len(runs)


def test_no_schedule_is_left_out_above(config: Path) -> None:
    definitions = build_definitions(config)
    assert {one.name for one in definitions.schedules or []} == {  # type: ignore[union-attr]
        "every_five_minutes",
        "early_mornings",
        "every_hour",
        "every_minute",
        "monday_mornings",
        "first_of_the_month",
        "every_night",
    }


def test_monday_asks_for_the_month_that_runs_in_each_clients_own_zone(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """2026-11-30 23:30 UTC is December in Auckland, November in New York."""
    config = write_config(tmp_path, "two clients")
    now = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    requests = requests_of(config, "monday_mornings", instance, now)
    months = {
        one.partition_key: one.run_config["ops"]["compliance_workbook"]["config"]["month"]
        for one in requests
    }
    assert months == {"north": "2026-11", "south": "2026-12"}


@pytest.mark.parametrize(
    ("job", "schedule", "left"),
    [
        ("sync", "every_five_minutes", ["south"]),
        ("reconcile", "early_mornings", ["south"]),
        ("sla_tick", "every_minute", []),
    ],
)
def test_nothing_piles_up_behind_a_run_that_has_not_ended(
    tmp_path: Path, instance: dg.DagsterInstance, job: str, schedule: str, left: list[str]
) -> None:
    config = write_config(tmp_path, "two clients")
    definitions = build_definitions(config)
    instance.create_run_for_job(
        definitions.resolve_job_def(job),
        tags={CLIENT_TAG: "north"},
        status=dg.DagsterRunStatus.STARTED,
    )
    requests = requests_of(config, schedule, instance, datetime(2026, 11, 3, tzinfo=UTC))
    assert [one.partition_key for one in requests] == left


def test_old_runs_are_purged_and_the_rest_stays(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = build_definitions(write_config(tmp_path, "one client")).resolve_job_def("sla_tick")
    for status in (
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.STARTED,
    ):
        instance.create_run_for_job(job, status=status)
    assert purge.purge_runs.execute_in_process(instance=instance).success
    assert len(list(instance.get_runs(dg.RunsFilter(job_name="sla_tick")))) == 3

    monkeypatch.setitem(purge.KEPT, "sla_tick", timedelta(days=-1))
    assert purge.purge_runs.execute_in_process(instance=instance).success

    left = list(instance.get_runs(dg.RunsFilter(job_name="sla_tick")))
    assert {run.status for run in left} == {
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.STARTED,
    }


def metadata_of(instance: dg.DagsterInstance, asset: str) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None, asset
    assert event.asset_materialization is not None
    return {name: one.value for name, one in event.asset_materialization.metadata.items()}


def test_every_job_runs_and_shows_its_figures(
    tmp_path: Path,
    open_desk: Callable[..., Any],
    small_world: Path,
) -> None:
    """On a small demo, as `deskbridge run` and the demo do it: in this process, recorded in a Dagster folder."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    engine = make_engine(f"sqlite:///{tmp_path / 'jobs.db'}")
    try:
        upgrade(engine)
        with open_desk(engine, world=small_world) as desk:
            config = desk.folder.config
            assert run_job(config, "sync", CLIENT, home)
            assert run_job(config, "migration", None, home)
            desk.folder.set_clock(AFTER_MIGRATION)
            assert run_job(config, "sync", None, home)
            assert run_job(config, "sla_tick", None, home)
            assert run_job(config, "compliance_report", None, home)
            assert run_job(config, "purge_runs", None, home)
            with dg.DagsterInstance.from_config(str(home)) as instance:
                tickets = metadata_of(instance, "tickets")
                ledger = metadata_of(instance, "migration_ledger")
                assert tickets["dagster/row_count"] > 0
                assert tickets["quarantined"] == 0
                assert ledger["tickets_in_target"] == ledger["tickets_verified"] > 0
                assert metadata_of(instance, "sla_clocks")["tickets_measured"] > 150
                assert metadata_of(instance, "deliveries")["dead"] == 0
                workbook = metadata_of(instance, "compliance_workbook")
                assert Path(workbook["path"]).is_file()
                assert "SLA compliance" in workbook["scoreboard"]
                checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
                    build_definitions(config).resolve_asset_graph().asset_check_keys
                )
                assert len(checks) == 5
                assert {one.status.value for one in checks.values()} == {"SUCCEEDED"}

            with writing(engine) as connection:
                connection.execute(
                    update(delivery).values(state="dead", outcome="refused: no such channel")
                )
            assert run_job(config, "sla_tick", None, home)
            with dg.DagsterInstance.from_config(str(home)) as instance:
                assert metadata_of(instance, "deliveries")["dead"] > 0
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("job", "client", "words"),
    [("sink", None, "there is no job 'sink'"), ("sync", "nobody", "no client 'nobody'")],
)
def test_a_wrong_name_is_told_before_anything_runs(
    tmp_path: Path, job: str, client: str | None, words: str
) -> None:
    config = write_config(tmp_path, "one client")
    with pytest.raises(SettingsError, match=words):
        run_job(config, job, client, tmp_path)


def test_a_source_that_fails_fails_the_run_and_its_check(tmp_path: Path) -> None:
    """The mail file is missing."""
    home = tmp_path / "home"
    home.mkdir()
    config = write_config(tmp_path, "one client")
    assert not run_job(config, "sync", None, home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_runs(dg.RunsFilter(job_name="sync"))
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert run.tags[CLIENT_TAG] == "solo"
        key = dg.AssetCheckKey(dg.AssetKey("raw_records"), "every_source_answered")
        (check,) = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [key]
        ).values()
        assert check.status.value == "FAILED"


def test_importing_the_definitions_reads_nothing_and_warns_of_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import pipelines.definitions"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_dagsters_own_validation_passes(tmp_path: Path) -> None:
    config = write_config(tmp_path, "two clients")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dagster",
            *("definitions", "validate", "-m", "pipelines.definitions"),
        ],
        cwd=tmp_path,
        env={**os.environ, "DESKBRIDGE_CONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_shipped_instance_is_one_that_dagster_accepts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    text = (REPOSITORY / "dagster_home" / "dagster.yaml").read_text("utf-8")
    (home / "dagster.yaml").write_text(text, "utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled


def test_the_queue_always_has_a_place_for_the_tick() -> None:
    """Every other job has a limit of its own, and all of them together leave a place free."""
    text = (REPOSITORY / "dagster_home" / "dagster.yaml").read_text("utf-8")
    runs = yaml.safe_load(text)["concurrency"]["runs"]
    limits = {
        one["value"]: one["limit"]
        for one in runs["tag_concurrency_limits"]
        if one["key"] == JOB_TAG
    }
    assert set(limits) == {job.name for job in JOBS} - {"sla_tick"}
    assert sum(limits.values()) < runs["max_concurrent_runs"]
    assert {
        "key": WORK_TAG,
        "value": {"applyLimitPerUniqueValue": True},
        "limit": 1,
    } in runs["tag_concurrency_limits"]


def test_the_runs_of_every_job_bear_its_name_for_the_queue(tmp_path: Path) -> None:
    """A job whose tag is missing or another's would not be held to its limit."""
    definitions = build_definitions(write_config(tmp_path, "one client"))
    tags = {job.name: definitions.resolve_job_def(job.name).run_tags.get(JOB_TAG) for job in JOBS}
    assert tags == {job.name: job.name for job in JOBS}


def test_the_runs_of_every_job_are_purged() -> None:
    assert sorted(purge.PURGED) == sorted(job.name for job in JOBS)
