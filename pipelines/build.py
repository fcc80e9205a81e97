"""One factory builds the definitions for production, the demo and the tests.

Belongs here: putting assets, jobs, schedules and resources together. Does not belong here: anything else.
"""

from pathlib import Path

import dagster as dg

from pipelines.alerts import build_sensor
from pipelines.assets import build_assets
from pipelines.resources import DeskbridgeResource
from pipelines.schedules import JOBS, build_schedules
from pipelines.settings import load_settings


def build_definitions(config: Path) -> dg.Definitions:
    """All definitions for one configuration file.

    Steps run in-process: a process per step costs about three seconds. Parallelism comes from runs.

    Raises:
        SettingsError: the configuration is wrong.
    """
    settings = load_settings(config)
    return dg.Definitions(
        assets=build_assets(settings),
        jobs=JOBS,
        schedules=build_schedules(settings),
        sensors=[build_sensor(settings)],
        resources={"deskbridge": DeskbridgeResource(config_path=str(config.resolve()))},
        executor=dg.in_process_executor,
    )
