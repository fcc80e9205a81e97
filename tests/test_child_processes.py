"""A process that a test starts runs the code that the test lies beside, not a tree that happens to be installed."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOMS = ("connectors", "migrations", "pipelines", "reports", "sla_rules", "transforms")


@pytest.mark.parametrize("room", ROOMS)
def test_child_in_any_folder_imports_this_repository(room: str, tmp_path: Path) -> None:
    # Without `site` nothing that is installed can be found, so it is the environment that names the repository.
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import {room}; print({room}.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == REPOSITORY / room / "__init__.py"
