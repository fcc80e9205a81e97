"""Faults to inject into a stand-in: the things that really happen between a client and a server.

Belongs here: the queue of faults per route. How each one is carried out is the server's business.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FaultKind = Literal["status", "delay", "drop_request", "drop_reply", "truncate"]
"""What goes wrong.

- `status`: the request is answered with `status`, `headers` and `body`, and not handled.
- `delay`: handled after `delay_seconds`.
- `drop_request`: read, not handled, the connection is cut.
- `drop_reply`: handled (it took effect), then the connection is cut before a byte of the answer.
- `truncate`: handled, the answer is cut in the middle of its body.
"""

EVERY_ROUTE = "*"


@dataclass(slots=True)
class Fault:
    """One fault; `times` None means for ever, `after` lets that many requests pass first."""

    kind: FaultKind
    times: int | None = 1
    after: int = 0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    delay_seconds: float = 0.0


class Faults:
    """Faults waiting for requests, by the name of a route (`*`: any route), first in, first out."""

    def __init__(self) -> None:
        """Starts without faults."""
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Fault]] = {}

    def add(self, route: str, kind: FaultKind, **options: Any) -> None:
        """Queues a fault for a route; `options` are the fields of `Fault`."""
        with self._lock:
            self._waiting.setdefault(route, []).append(Fault(kind, **options))

    def clear(self) -> None:
        """Forgets every fault that still waits."""
        with self._lock:
            self._waiting.clear()

    def take(self, route: str) -> Fault | None:
        """The fault that this request meets, if any; used up by it."""
        with self._lock:
            for name in (route, EVERY_ROUTE):
                queue = self._waiting.get(name)
                if not queue:
                    continue
                fault = queue[0]
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        queue.pop(0)
                return fault
        return None
