"""Runs one of Dagster's jobs in this process: seen in the UI, no daemon needed, a proper outcome.

Belongs here: execution through a Dagster instance. Does not belong here: jobs (`schedules`), assets.
"""

import os
from pathlib import Path

import dagster as dg

from pipelines.build import build_definitions
from pipelines.schedules import CLIENT_TAG, JOBS
from pipelines.settings import SettingsError, load_settings
from transforms.yaml_faults import did_you_mean

UNPARTITIONED = frozenset({"sla_tick", "purge_runs"})
"""Jobs that serve all clients in one run."""


def run_job(config: Path, job: str, client: str | None, home: Path | None = None) -> bool:
    """Runs a job for one client, or for each in turn; returns whether all runs succeeded.

    Args:
        config: the configuration file.
        job: its name.
        client: one client only.
        home: Dagster's folder; `$DAGSTER_HOME` when left out.

    Raises:
        SettingsError: no such job or client, or no usable Dagster folder.
    """
    known = [one.name for one in JOBS]
    if job not in known:
        raise SettingsError(
            f"there is no job '{job}', expected one of {', '.join(known)}{did_you_mean(job, known)}"
        )
    settings = load_settings(config)
    if client is not None:
        settings.client(client)
    keys = [client] if client is not None else list(settings.clients)
    partitions: list[str | None] = [None] if job in UNPARTITIONED else [*keys]
    with _instance(home) as instance:
        # Inside: Dagster looks for an open instance while it resolves definitions.
        definition = build_definitions(config).resolve_job_def(job)
        results = [
            definition.execute_in_process(
                instance=instance,
                partition_key=key,
                tags={CLIENT_TAG: key} if key else None,
                raise_on_error=False,
            )
            for key in partitions
        ]
    return all(result.success for result in results)


def _instance(home: Path | None) -> dg.DagsterInstance:
    folder = home or (Path(os.environ["DAGSTER_HOME"]) if "DAGSTER_HOME" in os.environ else None)
    if folder is None:
        raise SettingsError(
            "DAGSTER_HOME is not set; set it to the folder dagster_home of the repository, as a full path"
        )
    if not folder.is_dir() or not folder.is_absolute():
        raise SettingsError(
            f"DAGSTER_HOME is {folder}; expected the full path of a folder that exists"
        )
    return dg.DagsterInstance.from_config(str(folder))
