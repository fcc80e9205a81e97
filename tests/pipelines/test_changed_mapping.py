"""A mapping that was changed: what it read before is told, and read anew by a rebuild."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from command_runner import EXPORT, MAPPING, CommandFolder

TWO = EXPORT + "INC2,2026-10-02T08:00:00Z,Closed,Printer again\n"
HINT = "deskbridge rebuild --client acme --source export"


def test_a_changed_mapping_points_to_the_rebuild_until_it_is_made(tmp_path: Path) -> None:
    folder = CommandFolder(tmp_path)
    folder.write({"incidents.csv": TWO})
    assert HINT not in folder.run("sync").err
    assert (folder.rows("ticket"), folder.rows("quarantine")) == (1, 1)

    # Another way to write the same mapping is no other mapping.
    folder.write({"mine.yaml": "# ours\n" + MAPPING})
    assert HINT not in folder.run("sync").err

    folder.write({"mine.yaml": MAPPING.replace("Closed: closed", "Closed: pending")})
    ran = folder.run("sync")
    assert ran.code == 0
    assert (
        "acme, export: 2 tickets or records in quarantine were read by another mapping" in ran.err
    )
    assert HINT in ran.err
    (row,) = json.loads(folder.run("sync", "--json").out)
    assert row["made_otherwise"] == 2

    assert folder.run(*HINT.split()[1:]).code == 0
    assert (folder.rows("ticket"), folder.rows("quarantine")) == (2, 0)
    assert HINT not in folder.run("sync").err
