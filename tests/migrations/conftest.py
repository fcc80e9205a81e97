"""The small demo world of the pipelines' tests, for migrations."""

import importlib.util
import sys
from pathlib import Path

# Tests are no package: the other folder's fixtures are read as the file that they are.
_SPEC = importlib.util.spec_from_file_location(
    "desks", Path(__file__).parent.parent / "pipelines" / "conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_desks = importlib.util.module_from_spec(_SPEC)
sys.modules["desks"] = _desks
_SPEC.loader.exec_module(_desks)

small_world = _desks.small_world
open_desk = _desks.open_desk
desk = _desks.desk
sqlite_desk = _desks.sqlite_desk
new_engine = _desks.new_engine
