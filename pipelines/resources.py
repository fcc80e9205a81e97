"""Dagster resources: the configured runtime, opened for the length of a step.

Belongs here: resources. Does not belong here: work or schedules.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from pipelines.runtime import Runtime, opened


class DeskbridgeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the configuration and the warehouse that it names."""

    config_path: str

    @contextmanager
    def runtime(self) -> Iterator[Runtime]:
        """Settings, engine and clock; the engine is disposed of at the end."""
        with opened(Path(self.config_path)) as runtime:
            yield runtime
