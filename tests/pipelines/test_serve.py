"""From a helpdesk's webhook to the ticket in the warehouse: nothing lost, nothing undone, whatever the order."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine, func, select, update

from connectors.contract import Page
from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import Life
from connectors.standins.zendesk_sample import account
from connectors.standins.zendesk_webhooks import WebhookFaults, ZendeskWebhooks
from connectors.warehouse import inbound, leases
from connectors.warehouse.checksum import warehouse_checksums
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.inbound import InboundEvent
from connectors.warehouse.tables import comment, inbound_event, raw_record, ticket
from pipelines.check import check_everything
from pipelines.fetched import fetch_and_store
from pipelines.hooks import HookWorker
from pipelines.ingest import ingest_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.serve import Refusals, Serve, Worked
from pipelines.settings import SettingsError, load_settings
from pipelines.watch import Watch

SECRET = "a-signing-secret-made-up"


class WallClock:
    """The wall clock, set forward at will: signatures and exports both go by it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def recent(n: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=2) + timedelta(minutes=n)


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def zendesk(clock: WallClock) -> Iterator[ZendeskStandin]:
    with ZendeskStandin(account(20, recent), now=clock, time_scale=10_000) as running:
        yield running


CONFIGURATION = """\
warehouse: {warehouse}
clients:
  acme:
    time_zone: UTC
    sources:
      - {{id: zendesk, type: zendesk, base_url: '{address}', email: ops@acme.example, token: made-up-token,
         time_scale: 10000, tries: 1, webhook: {{secret: '{secret}'}}}}
"""


@pytest.fixture
def runtime(engine: Engine, tmp_path: Path, zendesk: ZendeskStandin, clock: WallClock) -> Runtime:
    file = tmp_path / "deskbridge.yaml"
    file.write_text(
        CONFIGURATION.format(
            warehouse="sqlite:///unused.db", address=zendesk.base_url, secret=SECRET
        )
    )
    made = runtime_on(engine, load_settings(file), clock)
    assert ingest_client(made, "acme").errors == []
    return made


def states(runtime: Runtime) -> dict[str, int]:
    with reading(runtime.engine) as connection:
        query = select(inbound_event.c.state, func.count()).group_by(inbound_event.c.state)
        return dict(connection.execute(query).all())


def until(condition: object, seconds: float = 20.0) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def here(runtime: Runtime) -> dict[str, tuple[str, str, int]]:
    """Ticket → subject, status, number of comments, as the warehouse has them."""
    with reading(runtime.engine) as connection:
        counts = dict(
            connection.execute(
                select(comment.c.ticket_key, func.count()).group_by(comment.c.ticket_key)
            ).all()
        )
        rows = connection.execute(
            select(ticket.c.ticket_key, ticket.c.remote_id, ticket.c.subject, ticket.c.status)
        ).all()
    return {row.remote_id: (row.subject, row.status, counts.get(row.ticket_key, 0)) for row in rows}


def there(zendesk: ZendeskStandin) -> dict[str, tuple[str, str, int]]:
    """The same, as the account has them."""
    with zendesk.lock:
        return {
            str(row["id"]): (row["subject"], row["status"], zendesk.state.comment_count(row["id"]))
            for row in zendesk.state.tickets
            if row["status"] != "deleted"
        }


def test_each_fault_of_the_list_and_the_end_is_what_the_account_has(
    runtime: Runtime, zendesk: ZendeskStandin, clock: WallClock
) -> None:
    """Doubled, shuffled, forged and stale: signed ones are taken once, the others not, and no newer state is undone."""
    refused: list[str] = []
    worked: list[Worked] = []
    with Serve(runtime, ["acme"], on_worked=worked.append, on_refused=refused.append).start(
        "127.0.0.1", 0
    ) as server:
        faults = WebhookFaults(repeated=0.5, forged=0.3, stale=0.3, is_shuffled=True)
        url = f"http://127.0.0.1:{server.receiver.port}/hooks/acme/zendesk"
        with ZendeskWebhooks(zendesk, url, SECRET, faults=faults, rng=random.Random(4)) as sender:
            life = Life(zendesk, random.Random(3))
            for _ in range(3):
                with zendesk.lock:
                    fresh = [life.new_ticket() for _ in range(4)]
                    for number in (*fresh, 1003, 1007, 1011):
                        life.comment(number)
                        life.change(number, status="pending")
                        life.change(number, status="solved", subject=f"Now {number}")
                sender.flush()
            events = sender.events
            answers = sender.answers
        until(lambda: states(runtime).get("pending", 0) == 0)

    assert {status for kind, status in answers if kind in ("forged", "stale")} == {401}
    assert {status for kind, status in answers if kind in ("good", "repeated")} == {202}
    assert min(answers[kind, 401] for kind in ("forged", "stale")) > 0
    assert answers["repeated", 202] > 0
    assert states(runtime) == {"done": events}, "each event once, however often it came"
    assert here(runtime) == there(zendesk)
    assert any("signature is not that of" in line for line in refused)
    assert [error for one in worked for error in one.errors] == []
    assert all(SECRET not in line for line in refused)

    # The record's own way brings the same later: as if there had been no webhook.
    clock.ahead += timedelta(minutes=10)
    ingest_client(runtime, "acme")
    with reading(runtime.engine) as connection:
        rows = connection.execute(
            select(raw_record.c.remote_id).where(raw_record.c.stream == "ticket_events")
        ).all()
        sums = warehouse_checksums(connection)
    assert len(rows) == len(set(rows))
    assert here(runtime) == there(zendesk)
    ingest_client(runtime, "acme")
    with reading(runtime.engine) as connection:
        assert warehouse_checksums(connection) == sums


def event(
    number: int, *tickets: int, at: datetime | None = None, is_understood: bool = True
) -> InboundEvent:
    return InboundEvent(
        provider="zendesk",
        event_id=f"acme/zendesk/{number}",
        client_key="acme",
        source_key="zendesk",
        event_type=None,
        payload={"ticket_ids": [str(one) for one in tickets]} if is_understood else {},
        body=b"{}",
        occurred_at=None,
        received_at=at or datetime.now(UTC),
        is_understood=is_understood,
    )


def tell(runtime: Runtime, *events: InboundEvent) -> None:
    with writing(runtime.engine) as connection:
        inbound.store(connection, events)


def worker_of(runtime: Runtime) -> HookWorker:
    return HookWorker(runtime, "acme", runtime.settings.client("acme").sources[0])


def test_what_a_dead_process_left_is_worked_off_by_the_next_one(
    runtime: Runtime, zendesk: ZendeskStandin, clock: WallClock
) -> None:
    life = Life(zendesk, random.Random(1))
    number = life.new_ticket()
    tell(runtime, event(1, number), event(2, number, 1004), event(3, is_understood=False))
    with writing(runtime.engine) as connection:
        # Another worker claimed both, holds the lease and died.
        now = runtime.sending_clock()
        assert leases.take(
            connection, "hooks acme zendesk", "dead", now, now + timedelta(seconds=20)
        )
        assert len(inbound.claim(connection, "acme", "zendesk", now, 10)) == 2
    worker = worker_of(runtime)
    assert worker.run().events == 0
    clock.ahead += timedelta(seconds=15)
    assert worker.run().events == 0, "the lease still stands"
    clock.ahead += timedelta(seconds=6)
    report = worker.run()
    assert (report.events, report.errors) == (2, [])
    assert str(number) in here(runtime)
    assert states(runtime) == {"done": 2, "ignored": 1}
    with reading(runtime.engine) as connection:
        assert connection.execute(select(func.count()).select_from(inbound_event)).scalar() == 3
        assert not inbound.are_due(connection, "acme", "zendesk", runtime.sending_clock())


def test_a_burst_about_few_tickets_asks_for_each_of_them_once(
    runtime: Runtime, zendesk: ZendeskStandin
) -> None:
    tell(runtime, *(event(n, 1000 + n % 5 + 1) for n in range(150)))
    before = zendesk.calls.copy()
    assert worker_of(runtime).run().events == 150
    calls = zendesk.calls - before
    assert calls["tickets_show_many"] == 1
    assert calls["audits"] <= 5


def test_two_workers_share_one_source_without_doing_it_twice(
    runtime: Runtime, zendesk: ZendeskStandin
) -> None:
    tell(runtime, *(event(n, 1001 + n % 20) for n in range(400)))
    workers = [worker_of(runtime) for _ in range(3)]
    done: list[int] = []

    def work(worker: HookWorker) -> None:
        while states(runtime).get("pending"):
            done.append(worker.run().events)
            time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 400
    assert states(runtime) == {"done": 400}
    with reading(runtime.engine) as connection:
        assert set(connection.scalars(select(inbound_event.c.attempts))) == {1}


def test_a_source_that_is_down_gets_its_events_later(
    runtime: Runtime, zendesk: ZendeskStandin, clock: WallClock
) -> None:
    tell(runtime, event(1, 1004))
    Life(zendesk, random.Random(1)).change(1004, subject="Changed meanwhile")
    worker = worker_of(runtime)
    zendesk.faults.add("*", "status", status=503, times=None)
    (error,) = worker.run().errors
    assert "client acme, source zendesk" in str(error)
    assert worker.run().events == 0, "not at once again"
    zendesk.faults.clear()
    clock.ahead += timedelta(seconds=3)
    assert worker.run().events == 1
    assert here(runtime)["1004"][0] == "Changed meanwhile"


def test_events_that_cannot_be_worked_off_fail_with_a_reason_and_can_be_tried_again(
    runtime: Runtime, zendesk: ZendeskStandin, clock: WallClock
) -> None:
    tell(runtime, event(1, 1004))
    worker = worker_of(runtime)
    zendesk.faults.add("*", "status", status=401, times=None)
    for _ in range(inbound.MOST_ATTEMPTS):
        assert worker.run().events == 0
        clock.ahead += timedelta(minutes=6)
    assert states(runtime) == {"failed": 1}
    assert worker.run().errors == []
    with reading(runtime.engine) as connection:
        (failure,) = inbound.failures(connection, "acme", 10)
    assert failure["failure"].startswith("client acme, source zendesk")
    assert "made-up-token" not in failure["failure"]
    zendesk.faults.clear()
    with writing(runtime.engine) as connection:
        assert inbound.try_again(connection, "acme", runtime.sending_clock()) == 1
    assert worker.run().events == 1


def test_one_ticket_that_the_source_refuses_leaves_the_others_alone(
    runtime: Runtime, zendesk: ZendeskStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = worker_of(runtime)
    life = Life(zendesk, random.Random(1))
    for number in (1001, 1002, 1003):
        life.change(number, subject=f"New {number}")
    tell(runtime, event(1, 1001), event(2, 1002), event(3, 1003, 1002), event(4, 1003))
    handle = zendesk._handle

    def refuse(route: object, request: object) -> object:
        if "1002" in request.first("ids", ""):  # type: ignore[attr-defined]
            from connectors.standins.server import Response

            return Response.json({"error": "made up"}, 400)
        return handle(route, request)  # type: ignore[arg-type]

    monkeypatch.setattr(zendesk, "_handle", refuse)
    report = worker.run()
    assert report.events == 2
    assert len(report.errors) == 1
    now = here(runtime)
    assert [now[number][0] for number in ("1001", "1002", "1003")] == [
        "New 1001",
        "Question 2",
        "New 1003",
    ]
    assert states(runtime) == {"done": 2, "pending": 2}


def test_who_asked_first_and_stores_last_does_not_undo_what_is_newer(
    runtime: Runtime, zendesk: ZendeskStandin, clock: WallClock
) -> None:
    """Two workers at once: the slow one holds an answer from before the change."""
    worker = worker_of(runtime)
    source = worker._wired.source
    life = Life(zendesk, random.Random(1))
    life.change(1005, subject="First")
    old = list(source.fetch("tickets", ["1005"]))
    clock.ahead += timedelta(seconds=2)
    life.change(1005, subject="Second")

    class Slow:
        volatile_fields = source.volatile_fields

        def fetch(self, _stream: str, _ids: Sequence[str]) -> Iterator[Page]:
            yield from old

    tell(runtime, event(1, 1005))
    worker.run()
    assert here(runtime)["1005"][0] == "Second"
    fetch_and_store(runtime, "acme", "zendesk", Slow(), "tickets", ["1005"])
    tell(runtime, event(2, 1001))
    worker.run()
    assert here(runtime)["1005"][0] == "Second"


def test_a_deleted_ticket_becomes_a_tombstone(runtime: Runtime, zendesk: ZendeskStandin) -> None:
    with zendesk.lock:
        zendesk.writes.change_row(
            1009, status="deleted", updated_at=recent(2880).strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    tell(runtime, event(1, 1009))
    worker_of(runtime).run()
    with reading(runtime.engine) as connection:
        status = connection.scalar(select(ticket.c.status).where(ticket.c.remote_id == "1009"))
    assert status == "deleted"


def test_watch_works_off_what_a_receiver_elsewhere_took_in(
    runtime: Runtime, zendesk: ZendeskStandin
) -> None:
    number = Life(zendesk, random.Random(1)).new_ticket()
    with Serve(runtime, ["acme"], is_working=False).start("127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.receiver.port}/hooks/acme/zendesk"
        with ZendeskWebhooks(zendesk, url, SECRET) as sender:
            sender.tell(json.dumps({"ticket_id": number}).encode())
            sender.flush()
            assert sender.answers == {("good", 202): 1}
    assert states(runtime) == {"pending": 1}
    watch = Watch(runtime, ["acme"], 15)
    assert watch.hooked == {"acme": ["zendesk"]}
    (done,) = watch.round()
    assert [report.events for report in done.hooks] == [1]
    assert done.errors == []
    assert str(number) in here(runtime)


def test_old_events_are_deleted_and_pending_ones_stay(runtime: Runtime) -> None:
    old = datetime.now(UTC) - timedelta(days=31)
    tell(
        runtime,
        event(1, 1001, at=old),
        event(2, 1002, at=old),
        event(3, is_understood=False, at=old),
    )
    tell(runtime, event(4, is_understood=False))
    with writing(runtime.engine) as connection:
        connection.execute(
            update(inbound_event)
            .where(inbound_event.c.event_id == "acme/zendesk/1")
            .values(state="done")
        )
    with Serve(runtime, ["acme"], is_working=False) as server:
        assert server.purge() == 2
        assert server.purge() == 0
    assert states(runtime) == {"pending": 1, "ignored": 1}


def test_check_says_what_waits_and_what_failed(runtime: Runtime, clock: WallClock) -> None:
    def line() -> tuple[bool, str]:
        (found,) = [one for one in check_everything(settings, ["acme"]) if one.kind == "webhook"]
        return found.result.works, found.result.detail

    url = runtime.engine.url.render_as_string(hide_password=False)
    settings = runtime.settings.model_copy(update={"warehouse": url})
    assert line() == (True, "/hooks/acme/zendesk: nothing was told yet")
    tell(runtime, event(1, 1001))
    works, detail = line()
    assert works
    assert detail.startswith("/hooks/acme/zendesk: 1 wait, 0 failed, latest 20")
    tell(runtime, event(2, 1001, at=datetime.now(UTC) - timedelta(minutes=20)))
    works, detail = line()
    assert not works
    assert detail.endswith("Nobody works them off: run deskbridge serve, or deskbridge watch")


def test_serving_nothing_is_refused_with_what_to_write(
    engine: Engine, tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    file = tmp_path / "deskbridge.yaml"
    text = CONFIGURATION.format(warehouse="sqlite:///x.db", address=zendesk.base_url, secret=SECRET)
    file.write_text(re.sub(r",\s+webhook: \{[^}]*\}", "", text.replace("tries: 1", "tries: 1")))
    with pytest.raises(SettingsError, match="no source has a webhook, expected 'webhook:"):
        Serve(runtime_on(engine, load_settings(file)), ["acme"])


def test_a_stranger_does_not_fill_the_log() -> None:
    now = [0.0]
    lines: list[str] = []
    refusals = Refusals(lines.append, {"/hooks/acme/zendesk"}, lambda: now[0])
    for n in range(1_000):
        refusals.note(f"/hooks/{n}/\x1b[31m", "no source has a webhook here")
        refusals.note("/hooks/acme/zendesk", "it is not signed")
    assert len(lines) == 2
    assert "\x1b" not in lines[0]
    now[0] = 61
    refusals.note("/hooks/acme/zendesk", "it is not signed")
    assert lines[2] == "refused: /hooks/acme/zendesk: it is not signed (and 999 before it)"
    refusals.tell_rest()
    assert lines[3:] == ["refused: elsewhere: no source has a webhook here (999 more)"]


@pytest.mark.slow
def test_the_command_takes_webhooks_until_it_is_told_to_end_and_keeps_what_it_answered(
    tmp_path: Path, zendesk: ZendeskStandin
) -> None:
    """The real process: killed without warning, started again, ended in order."""
    (tmp_path / "deskbridge.yaml").write_text(
        CONFIGURATION.format(
            warehouse="sqlite:///w.db", address=zendesk.base_url, secret="${HOOK_SECRET}"
        )
    )
    command = [sys.executable, "-m", "pipelines.cli"]
    environment = {
        **os.environ,
        "HOOK_SECRET": SECRET,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DESKBRIDGE_CONFIG": str(tmp_path / "deskbridge.yaml"),
    }
    subprocess.run(
        [*command, "sync"], env=environment, cwd=tmp_path, check=True, capture_output=True
    )

    def started() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0"], env=environment, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        return process, line.split()[-1]

    process, address = started()
    life = Life(zendesk, random.Random(1))
    with ZendeskWebhooks(zendesk, f"{address}/hooks/acme/zendesk", SECRET) as sender:
        number = life.new_ticket()
        sender.flush()
        process.kill()
        process.communicate()
        assert sender.answers == {("good", 202): 1}
    process, address = started()
    try:
        until(lambda: str(number) in _sqlite_tickets(tmp_path / "w.db"), 90)
        assert requests.get(f"{address}/healthz", timeout=5).status_code == 200
        assert (
            requests.post(f"{address}/hooks/acme/zendesk", data=b"{}", timeout=5).status_code == 401
        )
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "refused: /hooks/acme/zendesk: it is not signed" in err
    assert SECRET not in out + err
    shown = subprocess.run(
        [*command, "hooks", "--json"],
        env=environment,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    (row,) = json.loads(shown.stdout)["sources"]
    assert (row["pending"], row["done"], row["failed"]) == (0, 1, 0)


def _sqlite_tickets(file: Path) -> set[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(file)) as connection:
        return {row[0] for row in connection.execute("SELECT remote_id FROM ticket")}


def test_a_secret_that_is_too_short_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "deskbridge.yaml"
    file.write_text(
        CONFIGURATION.format(
            warehouse="sqlite:///x.db", address="http://127.0.0.1:9", secret="${HOOK}"
        )
    )
    with pytest.raises(SettingsError, match=r"deskbridge.yaml:\d+") as refused:
        load_settings(file, {"HOOK": "short-one"})
    assert "short-one" not in str(refused.value)
    settings = load_settings(file, {"HOOK": "long-enough-and-made-up"})
    assert "long-enough" not in repr(settings)
    assert "long-enough" not in settings.model_dump_json()


FRESHDESK = """\
warehouse: sqlite:///unused.db
clients:
  acme:
    time_zone: UTC
    sources:
      - {{id: desk, type: freshdesk, base_url: '{address}', api_key: freshdesk-key,
         webhook: {{secret: '{secret}', previous_secret: 'the-secret-of-before'}}}}
  other:
    time_zone: UTC
    sources:
      - {{id: desk, type: freshdesk, base_url: '{address}', api_key: freshdesk-key,
         webhook: {{secret: 'the-other-clients-secret'}}}}
"""


def test_freshdesk_tells_of_a_ticket_by_its_rule(engine: Engine, tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    at = (now - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    row = {
        "requester_id": 50,
        "status": 2,
        "description_text": "x",
        "created_at": at,
        "updated_at": at,
    }
    people = [{"id": 50, "name": "Bo", "email": "bo@x.example", "updated_at": at}]
    tickets = [{**row, "id": number, "subject": f"ticket {number}"} for number in (1, 2, 3)]
    with FreshdeskStandin(
        {"tickets": tickets, "contacts": people}, limits=Limits(10**6, 10**6, 10**6)
    ) as desk:
        file = tmp_path / "deskbridge.yaml"
        file.write_text(FRESHDESK.format(address=desk.base_url, secret=SECRET))
        runtime = runtime_on(engine, load_settings(file))
        assert ingest_client(runtime, "acme").errors == []
        api = {"auth": ("freshdesk-key", "X"), "timeout": 10}
        asked = {
            "subject": "fresh",
            "description": "x",
            "requester_id": 50,
            "status": 2,
            "priority": 1,
        }
        made = requests.post(f"{desk.base_url}/api/v2/tickets", json=asked, **api)
        assert (made.status_code, made.json()["id"]) == (201, 4)
        put = requests.put(f"{desk.base_url}/api/v2/tickets/2", json={"status": 3}, **api)
        assert put.status_code == 200
        with Serve(runtime, ["acme", "other"]).start("127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.receiver.port}/hooks/acme/desk"

            def post(body: dict[str, object], secret: str, **options: object) -> int:
                headers = {"X-Deskbridge-Secret": secret} if secret else {}
                return requests.post(
                    url, json=body, headers=headers, timeout=10, **options
                ).status_code  # type: ignore[arg-type]

            assert post({"ticket_id": "4"}, SECRET) == 202
            simple = {
                "freshdesk_webhook": {"ticket_id": 2, "triggered_event": "{status:{from:2,to:2}}"}
            }
            assert post(simple, "the-secret-of-before") == 202
            assert post({"ticket_id": 3}, "", auth=("deskbridge", SECRET)) == 202
            assert post({"hello": "there"}, SECRET) == 202
            assert post({"ticket_id": 1}, "the-other-clients-secret") == 401
            assert post({"ticket_id": 1}, "") == 401
            until(lambda: states(runtime) == {"done": 3, "ignored": 1})
        now_here = {number: told[:2] for number, told in here(runtime).items()}
        assert now_here["4"][0] == "fresh"
        assert now_here["2"] == ("ticket 2", "pending")
        assert set(now_here) == {"1", "2", "3", "4"}
        with reading(engine) as connection:
            assert set(connection.scalars(select(inbound_event.c.client_key))) == {"acme"}
            assert inbound.states(connection, "other") == {}


def test_webhooks_beside_syncs_end_in_what_the_account_has(
    runtime: Runtime, zendesk: ZendeskStandin, clock: WallClock
) -> None:
    """Both store and normalise the same source at the same time, as they do in production."""
    errors: list[str] = []
    stop = threading.Event()

    def sync() -> None:
        while not stop.is_set():
            # Another run may have moved a cursor; nothing else may go wrong.
            report = ingest_client(runtime, "acme")
            errors.extend(str(one) for one in report.errors if "another run" not in str(one))
            clock.ahead += timedelta(seconds=5)

    worked: list[Worked] = []
    with Serve(runtime, ["acme"], on_worked=worked.append).start("127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.receiver.port}/hooks/acme/zendesk"
        with ZendeskWebhooks(zendesk, url, SECRET) as sender:
            syncing = threading.Thread(target=sync)
            syncing.start()
            try:
                life = Life(zendesk, random.Random(8))
                for _ in range(80):
                    with zendesk.lock:
                        number = life.new_ticket()
                        life.comment(number)
                        life.change(life.changeable(10)[number % 10], subject=f"Now {number}")
                    time.sleep(0.02)
                sender.flush()
                until(lambda: states(runtime).get("pending", 0) == 0, 60)
            finally:
                stop.set()
                syncing.join()
    assert errors == []
    assert [error for one in worked for error in one.errors] == []
    clock.ahead += timedelta(minutes=5)
    assert ingest_client(runtime, "acme").errors == []
    assert here(runtime) == there(zendesk)
