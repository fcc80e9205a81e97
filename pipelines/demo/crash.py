"""`make demo-crash`: kills the main job again and again and shows that the sums still agree.

Two folders with the same data and the same stand-ins: in one the job runs undisturbed, in the other it is
killed (SIGKILL) at random moments and started again each time. At the end the checksums over the domain columns
of every table are compared, and what PagerDuty and Slack received.

    python -m pipelines.demo.crash --folder .demo-crash --kills 20 --seed 1
"""

import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import reading
from pipelines import terminal
from pipelines.demo.configuration import write_configuration
from pipelines.demo.folder import DemoFolder
from pipelines.demo.prepare import prepare
from pipelines.demo.received import alerts, posts
from pipelines.demo.servers import running
from pipelines.runtime import opened

SHORTEST_SECONDS = 1.0
"""Before this a job has only begun to import its modules."""


def main(
    folder: Annotated[Path, typer.Option(help="Made anew.")] = Path(".demo-crash"),
    kills: Annotated[int, typer.Option(min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Of the moments; the same seed kills alike.")] = 1,
    size: Annotated[float, typer.Option(help="1.0 is a year of 3,100 tickets.")] = 1.0,
) -> None:
    """Runs the job twice, once undisturbed and once killed; exits with 1 where anything differs."""
    shutil.rmtree(folder, ignore_errors=True)
    calm, killed = DemoFolder(folder.resolve() / "calm"), DemoFolder(folder.resolve() / "killed")
    prepare(calm, size)
    terminal.say(f"seed {seed}: an undisturbed run first, then {kills} kills")
    with running(calm) as ports:
        write_configuration(calm, ports)
        seconds = _undisturbed(calm)
    terminal.say(f"undisturbed run: {seconds:.1f} s")
    prepare(killed, size)
    # The same addresses: they stand in what the stand-ins answer.
    shutil.copy(calm.ports, killed.ports)
    with running(killed) as ports:
        write_configuration(killed, ports)
        _kill_again_and_again(killed, kills, seconds, random.Random(seed))
        _undisturbed(killed)
    sys.exit(0 if _compare(calm, killed) else 1)


def _start(folder: DemoFolder) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this very interpreter and module
        [sys.executable, "-u", "-m", "pipelines.demo.job", str(folder.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _undisturbed(folder: DemoFolder) -> float:
    started = time.monotonic()
    process = _start(folder)
    output, _ = process.communicate()
    if process.returncode != 0:
        terminal.fail(f"the job failed undisturbed:\n{output[-3000:]}")
        sys.exit(1)
    return time.monotonic() - started


def _kill_again_and_again(
    folder: DemoFolder, kills: int, seconds: float, rng: random.Random
) -> None:
    """Kills after a random part of the time that some three kills' work takes, so that all steps are hit."""
    longest = SHORTEST_SECONDS + max(seconds * 4 / kills, 3.0)
    for number in range(1, kills + 1):
        wait = rng.uniform(SHORTEST_SECONDS, longest)
        process = _start(folder)
        try:
            output, _ = process.communicate(timeout=wait)
            terminal.say(
                f"kill {number:2}: came too late, the job had ended after less than {wait:.1f} s"
            )
            if process.returncode != 0:
                terminal.fail(f"the job failed after being resumed:\n{output[-3000:]}")
                sys.exit(1)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            done = [line.partition(":")[0] for line in output.splitlines() if line.endswith(" s")]
            where = f"after '{done[-1]}'" if done else "in the first step"
            terminal.say(f"kill {number:2}: SIGKILL after {wait:4.1f} s, {where}")


def _compare(calm: DemoFolder, killed: DemoFolder) -> bool:
    first, second = _checksums(calm), _checksums(killed)
    rows = [
        [
            name,
            str(first[name][0]),
            str(second[name][0]),
            first[name][1][:16],
            _word(first[name] == second[name]),
        ]
        for name in first
        if first[name][0] or second[name][0]
    ]
    terminal.table(
        "Checksums over the domain columns", ["table", "calm#", "killed#", "sha256", ""], rows
    )
    same = first == second
    pages, paged = Counter(alerts(calm)), Counter(alerts(killed))
    told, heard = Counter(posts(calm)), Counter(posts(killed))
    same_alerts = set(pages) == set(paged)
    same_posts = set(told) == set(heard)
    terminal.say(
        f"PagerDuty alerts: {len(pages)} and {len(paged)}, {_word(same_alerts)}; "
        f"triggers sent again under the same key: {paged.total() - len(paged)}"
    )
    terminal.say(
        f"Slack messages: {len(told)} and {len(heard)}, {_word(same_posts)}; "
        f"posted twice: {heard.total() - len(heard)}"
    )
    lost = set(pages) - set(paged)
    if lost:
        terminal.fail(f"pages lost: {json.dumps(sorted(lost))}")
    terminal.say("the sums agree" if same and same_alerts and same_posts else "THE SUMS DIFFER")
    return same and same_alerts and same_posts


def _checksums(folder: DemoFolder) -> dict[str, tuple[int, str]]:
    with opened(folder.config) as runtime, reading(runtime.engine) as connection:
        return warehouse_checksums(connection)


def _word(same: bool) -> str:
    return "equal" if same else "DIFFERENT"


if __name__ == "__main__":
    typer.run(main)
