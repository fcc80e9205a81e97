"""Builds the wheel, installs it alone in a new environment, imports every folder, runs the demo from it.

Run from the repository: `python -m tests.wheel_check [--size 0.05]`. The new environment gets the wheel and what
the wheel asks for, nothing of the test dependencies; the demo runs in an empty folder, so that no file of the
repository can help it.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
ROOMS = ("pipelines", "connectors", "transforms", "sla_rules", "migrations", "reports")

IMPORT_ALL = """
import importlib, pkgutil, sys
rooms = {rooms!r}
count = 0
for room in rooms:
    package = importlib.import_module(room)
    assert "site-packages" in package.__file__, package.__file__
    for module in pkgutil.walk_packages(package.__path__, room + "."):
        if ".revisions.env" in module.name:
            continue
        importlib.import_module(module.name)
        count += 1
print(f"imported {{count}} modules of {{len(rooms)}} folders from the wheel")
"""


def call(*command: str, cwd: Path, quiet: bool = True) -> None:
    done = subprocess.run(
        command, cwd=cwd, capture_output=quiet, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:4])} … ended with {done.returncode}\n{done.stderr or ''}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="0.05", help="of the demo; 1.0 is the whole year")
    size = parser.parse_args().size
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        call(
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "-w",
            "wheels",
            str(REPOSITORY),
            cwd=folder,
        )
        (wheel,) = (folder / "wheels").glob("deskbridge-*.whl")
        print(f"built {wheel.name} ({wheel.stat().st_size:,} bytes)")
        call(sys.executable, "-m", "venv", "venv", cwd=folder)
        python = folder / "venv" / "bin" / "python"
        constraints = folder / "constraints.txt"
        constraints.write_text(pins(), "utf-8")
        started = time.monotonic()
        call(
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "-c",
            str(constraints),
            str(wheel),
            cwd=folder,
        )
        print(f"installed it alone in {time.monotonic() - started:.0f} s")
        call(str(python), "-c", IMPORT_ALL.format(rooms=ROOMS), cwd=folder, quiet=False)
        call(
            str(folder / "venv/bin/deskbridge"),
            "demo",
            "--folder",
            "demo",
            "--size",
            size,
            cwd=folder,
            quiet=False,
        )
    print("the wheel alone imports every folder and runs the demo")


def pins() -> str:
    """The lock's versions without hashes, so that the wheel is tried with what was tested."""
    lines = (REPOSITORY / "requirements.lock").read_text("utf-8").splitlines()
    pinned = [line.rstrip(" \\") for line in lines if re.match(r"[A-Za-z0-9]", line)]
    return "\n".join(re.sub(r"\[[^]]*\]", "", line) for line in pinned) + "\n"


if __name__ == "__main__":
    main()
