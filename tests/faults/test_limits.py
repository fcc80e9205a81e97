"""Limits kept to and used: at most 1 % of calls refused, at least 95 % of the budget used while there is work.

`DESKBRIDGE_LIMIT_WINDOWS` says for how many windows beyond the first each case runs (default 1.2; 20 is a long run, and
more than 3 adds cases), `DESKBRIDGE_LIMIT_SCALE` how many documented seconds pass in a real one (default 60; 1 is real
time; 10 is a good long run). Run with `-s` for the figures. In the short run a window lasts a second, of which a busy
machine takes its share, so that 90 % of the budget are enough there; the long run asks for 95 %.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.budget import BudgetStore
from connectors.freshdesk.limits import ACCOUNT, limits_of
from connectors.freshdesk.limits import endpoint_class as freshdesk_class
from connectors.freshdesk.source import FreshdeskSource
from connectors.http import Policy, PolicySession
from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.standins.server import RateLimit, Request, Response, Route
from connectors.standins.zendesk import ZendeskStandin
from connectors.warehouse.engine import make_engine
from connectors.warehouse.rate_budget import SqlBudgetStore
from connectors.zendesk.account import open_session

WINDOWS = float(os.environ.get("DESKBRIDGE_LIMIT_WINDOWS", "1.2"))
SCALE = float(os.environ.get("DESKBRIDGE_LIMIT_SCALE", "60"))
IS_LONG = WINDOWS > 3
KEY = "freshdesk-key"

DATA = {
    "groups": [{"id": 1, "name": "Support", "created_at": "2026-01-01T00:00:00Z"}],
    "tickets": [],
}
FRESHDESK_TICKET = {
    "id": 1,
    "subject": "printer",
    "status": 2,
    "priority": 1,
    "source": 1,
    "requester_id": 1,
    "created_at": "2026-11-01T08:00:00Z",
    "updated_at": "2026-11-01T08:00:00Z",
}
PATHS = {
    "zendesk export": "api/v2/incremental/tickets/cursor.json?start_time=0",
    "zendesk account": "api/v2/groups.json",
    "freshdesk list": "api/v2/tickets?updated_since=2026-01-01T00:00:00Z",
    "freshdesk account": "api/v2/tickets/1",
}
LIMITS = {
    "zendesk export": 10,
    "zendesk account": 700,
    "freshdesk list": 20,
    "freshdesk account": 200,
}


def scale_of(case: str) -> float:
    """A few hundred calls in a real second are more than two processors serve."""
    return SCALE if LIMITS[case] < 100 else SCALE / 2


def window_of(case: str) -> float:
    return 60 / scale_of(case)


def seconds_of(case: str) -> float:
    return window_of(case) * (1 + WINDOWS)


class SilentZendesk(ZendeskStandin):
    """As the real one: no header tells the exports' limit."""

    def _handle(self, route: Route, request: Request) -> Response:
        answer = super()._handle(route, request)
        headers = {
            name: value for name, value in answer.headers.items() if "incremental" not in name
        }
        return Response(answer.status, answer.content, headers, answer.media_type)


def standin_of(case: str) -> Any:
    if case.startswith("zendesk"):
        return SilentZendesk(DATA, time_scale=scale_of(case))
    limits = Limits(total=200, tickets_list=20, contacts_list=20)
    data = {"tickets": [FRESHDESK_TICKET]}
    return FreshdeskStandin(data, api_key=KEY, limits=limits, time_scale=scale_of(case))


def session_of(case: str, base_url: str, budgets: BudgetStore | None = None) -> PolicySession:
    shared: dict[str, Any] = {"budgets": budgets, "time_scale": scale_of(case)}
    if case.startswith("zendesk"):
        return open_session(base_url, "ops@acme.example", "made-up-token", **shared)
    return PolicySession(
        base_url,
        (KEY, "X"),
        classify=freshdesk_class,
        limits=limits_of,
        account_class=ACCOUNT,
        **shared,
    )


def work(session: PolicySession, path: str, threads: int, seconds: float) -> int:
    """Calls as fast as the limit lets it; gives the number of calls answered with 200."""
    done: list[int] = []
    until = time.monotonic() + seconds

    def one() -> None:
        count = 0
        while time.monotonic() < until:
            count += session.request("GET", path).status_code == 200
        done.append(count)

    workers = [threading.Thread(target=one) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done)


@dataclass(frozen=True)
class Measured:
    case: str
    calls: int
    refused: int
    use: float

    @property
    def refused_share(self) -> float:
        return self.refused / self.calls

    def shown(self, how: str) -> str:
        return (
            f"\n{self.case}, {LIMITS[self.case]} a minute, {how}: {self.calls} calls, {self.refused} refused "
            f"({self.refused_share:.2%}), {self.use:.1%} of the budget used (scale {scale_of(self.case):g})"
        )


def measure(standin: Any, case: str) -> Measured:
    """Use: a window's length over how long it took until as many calls again were accepted."""
    limit = LIMITS[case]
    with standin.lock:
        answers = list(standin.recent)
    accepted = sorted(at.timestamp() for at, _, _, status in answers if status == 200)
    gaps = [later - at for at, later in zip(accepted, accepted[limit:], strict=False)]
    assert len(gaps) >= limit / 2, "too few calls for a measurement"
    refused = sum(status == 429 for *_, status in answers)
    return Measured(case, len(answers), refused, window_of(case) / (sum(gaps) / len(gaps)))


def check(measured: Measured) -> None:
    if IS_LONG:
        assert measured.refused_share <= 0.01
        assert measured.use >= 0.95
    else:
        assert measured.refused <= max(4, 0.01 * measured.calls)
        assert measured.use >= 0.9


@pytest.mark.parametrize("case", [case for case in PATHS if IS_LONG or "list" not in case])
def test_one_worker_keeps_to_the_limit_and_uses_it(case: str) -> None:
    with standin_of(case) as standin, session_of(case, standin.base_url) as session:
        standin.recent = deque()
        work(session, PATHS[case], 4 if "account" in case else 2, seconds_of(case))
        measured = measure(standin, case)
    print(measured.shown("one process, sliding window"))
    check(measured)


@pytest.mark.parametrize("case", ["zendesk account", *(["zendesk export"] if IS_LONG else [])])
def test_windows_that_are_fixed_are_kept_to_as_well(case: str) -> None:
    with standin_of(case) as standin, session_of(case, standin.base_url) as session:
        standin._account_limit = RateLimit(700, 60, scale_of(case), is_fixed=True)
        standin._export_limit = RateLimit(10, 60, scale_of(case), is_fixed=True)
        standin.recent = deque()
        work(session, PATHS[case], 4 if "account" in case else 1, seconds_of(case))
        measured = measure(standin, case)
    print(measured.shown("one process, fixed window"))
    check(measured)


def test_a_crowd_of_callers_fails_no_page_of_a_slow_account() -> None:
    """With 32 callers all the time some get no turn within their deadline."""
    scale = 120.0
    tickets = [{**FRESHDESK_TICKET, "id": number} for number in range(1, 101)]
    patience = Policy(
        deadline_seconds=600 / scale,
        wait_cap_seconds=120 / scale,
        backoff_seconds=0.5 / scale,
    )
    slow = Limits(total=10, tickets_list=10, contacts_list=10)
    with (
        FreshdeskStandin(
            {"tickets": tickets}, api_key=KEY, limits=slow, time_scale=scale
        ) as standin,
        contextlib.closing(
            FreshdeskSource(
                api_key=KEY, base_url=standin.base_url, policy=patience, time_scale=scale
            )
        ) as source,
    ):
        standin.recent = deque()
        (page,) = source.fetch("tickets", [str(one["id"]) for one in tickets])
        with standin.lock:
            answers = [status for *_, status in standin.recent]
    print(f"\nfreshdesk, 10 a minute, {len(answers)} calls, {answers.count(429)} refused")
    assert [record.remote_id for record in page.records] == [str(one["id"]) for one in tickets]
    assert answers.count(429) <= 10, "before the limit was told"


@pytest.mark.parametrize("case", list(PATHS) if IS_LONG else ["freshdesk account"])
def test_two_processes_share_one_budget(case: str, engine: Engine) -> None:
    if engine.dialect.name == "postgresql" and not IS_LONG:
        pytest.skip("on PostgreSQL in the long run; set DESKBRIDGE_LIMIT_WINDOWS")
    with standin_of(case) as standin:
        standin.recent = deque()
        shares = run_processes(case, standin.base_url, engine, 2)
        measured = measure(standin, case)
    total = sum(shares)
    print(
        measured.shown(f"two processes, {engine.dialect.name}")
        + f", shares {' and '.join(f'{share / total:.0%}' for share in shares)}"
    )
    check(measured)
    assert min(shares) > 0.2 * total, "one of them is starved"


def run_processes(case: str, base_url: str, engine: Engine, count: int) -> Sequence[int]:
    """Workers in processes of their own, on one warehouse; how many calls each of them had answered."""
    arguments = json.dumps(
        {
            "case": case,
            "base_url": base_url,
            "warehouse": engine.url.render_as_string(hide_password=False),
            "starts_at": time.time() + 2,
        }
    )
    command = [sys.executable, "-W", "error", str(Path(__file__)), arguments]
    started = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        for _ in range(count)
    ]
    answers = []
    for process in started:
        out, err = process.communicate(timeout=seconds_of(case) + 60)
        assert process.returncode == 0, err
        answers.append(int(out))
    return answers


def main(arguments: str) -> None:
    given = json.loads(arguments)
    engine = make_engine(given["warehouse"])
    try:
        with session_of(given["case"], given["base_url"], SqlBudgetStore(engine)) as session:
            time.sleep(max(0.0, given["starts_at"] - time.time()))
            print(work(session, PATHS[given["case"]], 2, seconds_of(given["case"])))
    finally:
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
