"""Makes the demo's folder: the data set, the stand-ins' clock.

Belongs here: the set-up before anything runs. Does not belong here: the job.
"""

from pipelines.demo.folder import AS_OF, BEFORE_MIGRATION, DemoFolder
from pipelines.demo.world import DEFAULT_SEED, generate
from pipelines.demo.write import write


def prepare(folder: DemoFolder, size: float = 1.0) -> None:
    """Generates the data set where it is not there yet, and sets the stand-ins' clock."""
    folder.servers.mkdir(parents=True, exist_ok=True)
    done = folder.world / "facts.json"
    if not done.exists():
        write(generate(DEFAULT_SEED, AS_OF, size), folder.world)
    folder.set_clock(BEFORE_MIGRATION)
