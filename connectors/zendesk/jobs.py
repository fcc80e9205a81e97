"""Zendesk's background jobs: waits for them and reads what became of each item.

Belongs here: job statuses. Does not belong here: what the jobs do.

Source: Zendesk developer documentation, "Job statuses".
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zenpy import Zenpy

from connectors.errors import UnavailableError
from connectors.http import PolicySession
from connectors.zendesk.client import translated

UNFINISHED = frozenset({"queued", "working"})
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.25, 10.0


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item: its id, or why there is none."""

    remote_id: str | None
    reason: str = ""


class Jobs:
    """The account's jobs.

    Args:
        session: of the account.
        client: zenpy over it.
        deadline_seconds: how long a job is waited for.
        clock, sleep: monotonic seconds and sleeper (replaced in tests).
    """

    def __init__(
        self,
        session: PolicySession,
        client: Zenpy,
        *,
        deadline_seconds: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keeps the settings; makes no call."""
        self._session = session
        self._client = client
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._sleep = sleep

    def results(self, job: Any, count: int) -> Sequence[ItemResult] | None:
        """Waits until the job is done; one result per item, or None where the job failed as a whole.

        Raises:
            UnavailableError: not done by the deadline; the job may still go on.
        """
        job_id = job.id

        def finished() -> Any:
            nonlocal job
            if job.status in UNFINISHED:
                with translated(self._session, f"asking for job {job_id}"):
                    job = self._client.job_status(id=job_id)
            return None if job.status in UNFINISHED else job

        done = self._wait(finished, f"job {job_id} is not done")
        if done.status != "completed":
            return None
        return _in_order(done.results or (), count)

    def wait_for_all(self) -> None:
        """Waits until no job of the account is queued or at work.

        A process that was killed leaves its jobs running: what they will create cannot be found yet.

        Raises:
            UnavailableError: some are not done by the deadline.
        """

        def idle() -> bool | None:
            body = self._session.get_json("api/v2/job_statuses.json")
            jobs = body.get("job_statuses") or () if isinstance(body, dict) else ()
            return None if any(job.get("status") in UNFINISHED for job in jobs) else True

        self._wait(idle, "background jobs of the account are still at work")

    def _wait(self, ask: Callable[[], Any], late: str) -> Any:
        deadline = self._clock() + self._deadline_seconds
        pause = FIRST_WAIT_SECONDS
        while True:
            answer = ask()
            if answer is not None:
                return answer
            if self._clock() + pause > deadline:
                raise UnavailableError(
                    f"{self._session.label}: {late} after {self._deadline_seconds:.0f} s; "
                    "what it does is looked up by the next run"
                )
            self._sleep(pause)
            pause = min(LONGEST_WAIT_SECONDS, pause * 2)


def _in_order(results: Sequence[Any], count: int) -> list[ItemResult]:
    """Results by their `index`, else by their place."""
    ordered: list[ItemResult | None] = [None] * count
    for place, result in enumerate(results):
        body: Mapping[str, Any] = result if isinstance(result, dict) else result.to_dict()
        index = body.get("index")
        index = index if isinstance(index, int) and not isinstance(index, bool) else place
        if 0 <= index < count:
            ordered[index] = _result(body)
    return [one or ItemResult(None, "") for one in ordered]


def _result(body: Mapping[str, Any]) -> ItemResult:
    failed = body.get("success") is False or body.get("error") or body.get("errors")
    if body.get("id") is not None and not failed:
        return ItemResult(str(body["id"]))
    told = [body.get(name) for name in ("error", "errors", "details", "status")]
    reason = ": ".join(str(part) for part in told if part)
    return ItemResult(None, reason[:500] or "refused without a reason")
