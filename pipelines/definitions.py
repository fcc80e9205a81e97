"""Dagster's entry: the definitions for `$DESKBRIDGE_CONFIG`, else `deskbridge.yaml` in the current folder.

Importing this module reads nothing; Dagster calls `defs` when it loads the code location.
"""

import os
from pathlib import Path

import dagster as dg

from pipelines.build import build_definitions
from pipelines.settings import CONFIGURATION_NAME


@dg.definitions
def defs() -> dg.Definitions:
    """The configured definitions."""
    return build_definitions(Path(os.environ.get("DESKBRIDGE_CONFIG", CONFIGURATION_NAME)))
