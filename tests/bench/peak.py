"""The most memory that this program held.

Belongs here: that. Does not belong here: what is measured.
"""

import re
import resource
import sys
from pathlib import Path


def peak_megabytes() -> float:
    """This program's own peak: `ru_maxrss` counts on from what its parent held when it was started."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text("utf-8"))
        if found:
            return int(found[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
