"""The base of the stand-ins: routing, faults, ledger and limits do what the stand-ins' tests rely on."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from connectors.standins.server import (
    Ledger,
    RateLimit,
    Request,
    Response,
    Route,
    StandIn,
    retry_after_text,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Notes(StandIn):
    """A tiny vendor: notes by name, that survive a restart."""

    def __init__(self, **options: object) -> None:
        super().__init__(now=lambda: NOON, **options)  # type: ignore[arg-type]
        self.notes = {entry["name"]: entry["text"] for entry in self.ledger.entries("note")}

    def routes(self) -> list[Route]:
        return [
            Route("read", "GET", r"/notes/(?P<name>[^/]+)", self._read),
            Route("write", "PUT", r"/notes/(?P<name>[^/]+)", self._write),
            Route("who", "GET", r"/who", self._who),
            Route("form", "POST", r"/form", lambda r: Response.json(r.form())),
            Route("gone", "DELETE", r"/notes/(?P<name>[^/]+)", lambda r: Response(204)),
            Route("crash", "GET", r"/crash", self._crash),
        ]

    def _read(self, request: Request) -> Response:
        name = request.params["name"]
        if name not in self.notes:
            return self.not_found(request)
        return Response.json({"text": self.notes[name], "q": request.first("q")})

    def _write(self, request: Request) -> Response:
        name, text = request.params["name"], request.json()["text"]
        self.notes[name] = text
        self.ledger.append("note", name=name, text=text)
        return Response.json({"ok": True}, 201)

    def _who(self, request: Request) -> Response:
        return Response.json({"basic": request.basic_auth(), "bearer": request.bearer()})

    def _crash(self, request: Request) -> Response:
        raise KeyError("a bug of the stand-in")


@pytest.fixture
def notes() -> Iterator[Notes]:
    with Notes() as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as client:
        client.trust_env = False
        yield client


def test_routes_answer_by_method_and_path(notes: Notes, session: requests.Session) -> None:
    url = f"{notes.base_url}/notes/caf%C3%A9%20x"
    assert session.put(url, json={"text": "süß 🎉"}).status_code == 201
    answer = session.get(url, params={"q": "1"})
    assert answer.json() == {"text": "süß 🎉", "q": "1"}
    assert notes.notes == {"café x": "süß 🎉"}
    assert session.get(f"{notes.base_url}/elsewhere").status_code == 404
    assert session.put(url, data=b"{not json").status_code == 400
    deleted = session.delete(url)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert session.head(f"{notes.base_url}/who").status_code == 404
    assert answer.headers["Date"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert notes.calls == {"write": 2, "read": 1, "gone": 1}


def test_credentials_and_forms_are_read(notes: Notes, session: requests.Session) -> None:
    url = f"{notes.base_url}/who"
    assert session.get(url, auth=("ann@example.com/token", "s:ecret")).json() == {
        "basic": ["ann@example.com/token", "s:ecret"],
        "bearer": None,
    }
    assert session.get(url, headers={"Authorization": "Bearer abc"}).json()["bearer"] == "abc"
    assert session.get(url, headers={"Authorization": "Basic %%%"}).json()["basic"] is None
    assert session.post(f"{notes.base_url}/form", data={"a": "x&y", "b": ""}).json() == {
        "a": "x&y",
        "b": "",
    }


def test_chunked_bodies_are_read(notes: Notes, session: requests.Session) -> None:
    body = (part for part in (b'{"text"', b': "in parts"}'))
    assert session.put(f"{notes.base_url}/notes/a", data=body).status_code == 201
    assert notes.notes["a"] == "in parts"


def test_drop_reply_takes_effect_and_drop_request_does_not(
    notes: Notes, session: requests.Session
) -> None:
    notes.faults.add("write", "drop_request")
    notes.faults.add("write", "drop_reply")
    with pytest.raises(requests.ConnectionError):
        session.put(f"{notes.base_url}/notes/a", json={"text": "1"})
    assert notes.notes == {}
    with pytest.raises(requests.ConnectionError):
        session.put(f"{notes.base_url}/notes/a", json={"text": "2"})
    assert notes.notes == {"a": "2"}
    assert session.put(f"{notes.base_url}/notes/a", json={"text": "3"}).status_code == 201


def test_a_truncated_answer_is_seen_as_broken(notes: Notes, session: requests.Session) -> None:
    session.put(f"{notes.base_url}/notes/a", json={"text": "x" * 500})
    notes.faults.add("read", "truncate")
    with pytest.raises(
        (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)
    ):
        session.get(f"{notes.base_url}/notes/a")
    assert session.get(f"{notes.base_url}/notes/a").json()["text"] == "x" * 500


def test_status_faults_wait_repeat_and_end(notes: Notes, session: requests.Session) -> None:
    notes.faults.add(
        "read", "status", status=429, headers={"Retry-After": "7"}, times=2, after=1, body="slow"
    )
    statuses = [session.get(f"{notes.base_url}/notes/a").status_code for _ in range(4)]
    assert statuses == [404, 429, 429, 404]
    notes.faults.add("*", "status", status=500, times=None)
    assert session.get(f"{notes.base_url}/who").status_code == 500
    notes.faults.clear()
    assert session.get(f"{notes.base_url}/who").status_code == 200


def test_a_delay_outlasts_the_client_but_not_a_stop(session: requests.Session) -> None:
    notes = Notes().start()
    notes.faults.add("write", "delay", delay_seconds=30)
    with pytest.raises(requests.exceptions.ReadTimeout):
        session.put(f"{notes.base_url}/notes/a", json={"text": "late"}, timeout=0.2)
    started = threading.Timer(5, lambda: None)
    started.start()
    notes.stop()
    assert started.is_alive(), "stopping waited for the delay"
    started.cancel()
    assert notes.notes == {"a": "late"}, "a client that gave up does not undo the request"


def test_state_survives_a_restart_and_a_torn_line(
    tmp_path: Path, session: requests.Session
) -> None:
    with Notes(folder=tmp_path) as first:
        session.put(f"{first.base_url}/notes/a", json={"text": "kept"})
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(b'{"at":"2026-03-01T12:00')
    with Notes(folder=tmp_path) as second:
        assert second.notes == {"a": "kept"}
        session.put(f"{second.base_url}/notes/b", json={"text": "after"})
    assert [e["name"] for e in Ledger(tmp_path, lambda: NOON).entries()] == ["a", "b"]


def test_the_same_port_is_taken_again_after_a_stop(session: requests.Session) -> None:
    notes = Notes().start()
    url = notes.base_url
    session.get(f"{url}/who")
    notes.stop()
    with pytest.raises(requests.ConnectionError):
        session.get(f"{url}/who")
    with notes:
        assert notes.base_url == url
        assert session.get(f"{url}/who").status_code == 200


def test_a_bug_of_the_stand_in_never_passes_for_a_vendors_error(session: requests.Session) -> None:
    notes = Notes().start()
    assert session.get(f"{notes.base_url}/crash").status_code == 500
    with pytest.raises(RuntimeError, match="a bug of the stand-in"):
        notes.stop()


def test_many_clients_at_once(notes: Notes) -> None:
    def write(number: int) -> None:
        with requests.Session() as own:
            own.trust_env = False
            for turn in range(5):
                own.put(f"{notes.base_url}/notes/{number}-{turn}", json={"text": "x"})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notes.notes) == 40
    assert notes.ledger.count("note") == 40


def test_rate_limit_slides_and_tells_when_to_come_back() -> None:
    time = [0.0]
    limit = RateLimit(3, 60, clock=lambda: time[0])
    answers = []
    for second in (0, 10, 20, 30):
        time[0] = second
        answers.append(limit.take("key"))
    assert [a.is_allowed for a in answers] == [True, True, True, False]
    assert [a.remaining for a in answers] == [2, 1, 0, 0]
    assert answers[-1].retry_after_seconds == 30
    assert limit.take("another key").is_allowed
    time[0] = 60
    assert limit.peek("key").remaining == 1
    assert limit.take("key").is_allowed
    assert not limit.take("key").is_allowed


def test_rate_limit_in_scaled_time() -> None:
    time = [0.0]
    limit = RateLimit(2, 60, time_scale=60, clock=lambda: time[0])
    limit.take()
    limit.take()
    refused = limit.take()
    assert refused.retry_after_seconds == pytest.approx(1.0)
    assert retry_after_text(refused.retry_after_seconds, 60) == "1.000"
    assert retry_after_text(0.2) == "1"
    time[0] = 1.0
    assert limit.take().is_allowed
