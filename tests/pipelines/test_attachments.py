"""Files of helpdesks' comments: fetched once, named by their content, with the credential at home."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from connectors.errors import AuthError, UnavailableError
from connectors.http import PolicySession
from connectors.standins.freshdesk import FreshdeskStandin
from connectors.standins.server import Request, Response, Route, StandIn
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import NOW, account
from connectors.warehouse.engine import reading
from connectors.warehouse.tables import attachment, attachment_content
from connectors.zendesk.files import file_of
from pipelines.attachments import fetch_files, store_of
from pipelines.ingest import ingest_client
from pipelines.rebuild import rebuild_client
from pipelines.runtime import Runtime, runtime_on
from pipelines.settings import SettingsError, load_settings

PICTURE = b"\x89PNG made up"


class FileHost(StandIn):
    """Where Freshdesk's signed addresses lead: another host, which must never see a credential."""

    def __init__(self) -> None:
        super().__init__()
        self.signature = "first"
        self.content: bytes | None = PICTURE
        self.credentials: list[str] = []

    def routes(self) -> list[Route]:
        return [Route("file", "GET", r"/\w+\.png", self._file)]

    def _file(self, request: Request) -> Response:
        if "authorization" in request.headers:
            self.credentials.append(request.headers["authorization"])
        if request.first("X-Amz-Signature") != self.signature:
            return Response(403, b"<Error>expired</Error>", {"Content-Type": "application/xml"})
        if self.content is None:
            return Response(404, b"", {})
        return Response(200, self.content, {"Content-Type": "image/png"})


class Desk:
    def __init__(self, zendesk: ZendeskStandin, freshdesk: FreshdeskStandin, host: FileHost):
        self.zendesk, self.freshdesk, self.host = zendesk, freshdesk, host

    def sign(self, signature: str) -> None:
        """From now on addresses are signed otherwise, and the old ones have run out."""
        self.host.signature = signature
        url = f"{self.host.base_url}/a.png?X-Amz-Date=1&X-Amz-Signature={signature}"
        ticket = self.freshdesk.account.tickets[1]
        ticket["attachments"] = [
            {
                "id": 9,
                "name": "a.png",
                "content_type": "image/png",
                "size": 12,
                "attachment_url": url,
            }
        ]


@pytest.fixture
def desk() -> Iterator[Desk]:
    data = account(3)
    child = data["ticket_events"][0]["child_events"][0]
    child["attachments"] = [
        {"id": 77, "file_name": "log.txt", "content_type": "text/plain", "size": 40,
         "content_url": "/attachments/77/?name=log.txt"},
        {"id": 78, "file_name": "gone.txt", "content_type": "text/plain", "size": 4,
         "content_url": "/attachments/9999/?name=gone.txt"},
    ]  # fmt: skip
    ticket = {
        "id": 1, "subject": "a picture", "description": "<p>see</p>", "description_text": "see",
        "status": 2, "priority": 1, "source": 1, "requester_id": 5,
        "created_at": "2026-05-30T08:00:00Z", "updated_at": "2026-05-30T08:00:00Z",
    }  # fmt: skip
    with (
        ZendeskStandin(data, now=lambda: NOW, time_scale=10_000) as zendesk,
        FreshdeskStandin({"tickets": [ticket]}, now=lambda: NOW, time_scale=10_000) as freshdesk,
        FileHost() as host,
    ):
        made = Desk(zendesk, freshdesk, host)
        made.sign("first")
        yield made


@pytest.fixture
def runtime_at(engine: Engine, tmp_path: Path, desk: Desk) -> Callable[..., Runtime]:
    file = tmp_path / "deskbridge.yaml"

    def made(now: datetime = NOW, **options: Any) -> Runtime:
        told = {"fetch": "true", "store": "files", **options}
        wanted = ", ".join(f"{name}: {value}" for name, value in told.items())
        file.write_text(
            "warehouse: sqlite:///unused.db\n"
            "clients:\n"
            "  acme:\n"
            "    time_zone: Europe/Istanbul\n"
            f"    attachments: {{{wanted}}}\n"
            "    sources:\n"
            f"      - {{id: zendesk, type: zendesk, base_url: '{desk.zendesk.base_url}', "
            "email: ops@acme.example, token: made-up-token, time_scale: 10000}\n"
            f"      - {{id: freshdesk, type: freshdesk, base_url: '{desk.freshdesk.base_url}', "
            "api_key: freshdesk-key, time_scale: 10000}\n"
        )
        return runtime_on(engine, load_settings(file), lambda: now)

    return made


def files_of(runtime: Runtime) -> dict[str, str | None]:
    with reading(runtime.engine) as connection:
        rows = connection.execute(select(attachment.c.file_name, attachment.c.sha256))
        return {name: sha256 for name, sha256 in rows}  # noqa: C416


def test_files_are_fetched_once_and_named_by_their_content(
    runtime_at: Callable[..., Runtime], desk: Desk, tmp_path: Path
) -> None:
    runtime = runtime_at()
    assert ingest_client(runtime, "acme").errors == []
    report = fetch_files(runtime, "acme")
    assert report.errors == []
    log = (b"attachment 77\n" * 4)[:40]
    digests = {"log.txt": log, "a.png": PICTURE}
    assert files_of(runtime) == {
        "gone.txt": None,
        **{name: hashlib.sha256(content).hexdigest() for name, content in digests.items()},
    }
    assert report.counts == {"stored": 2, "in_mail": 0, "failed": 1, "waiting": 0}
    store = store_of(runtime, "acme")
    for content in digests.values():
        assert b"".join(store.read(hashlib.sha256(content).hexdigest())) == content
    assert not list((tmp_path / "files" / "acme" / "incoming").iterdir())
    assert desk.host.credentials == []

    calls = sum(desk.zendesk.calls.values()) + sum(desk.host.calls.values())
    again = fetch_files(runtime, "acme")
    assert [one.stored for one in again.sources] == [0, 0]
    assert sum(desk.zendesk.calls.values()) + sum(desk.host.calls.values()) == calls


def test_an_address_that_has_run_out_is_asked_for_anew(
    runtime_at: Callable[..., Runtime], desk: Desk
) -> None:
    runtime = runtime_at()
    ingest_client(runtime, "acme")
    desk.sign("second")
    fetch_files(runtime, "acme", ["freshdesk"])
    assert files_of(runtime)["a.png"] == hashlib.sha256(PICTURE).hexdigest()


def test_what_was_fetched_is_known_after_a_rebuild(
    runtime_at: Callable[..., Runtime], desk: Desk
) -> None:
    runtime = runtime_at()
    ingest_client(runtime, "acme")
    fetch_files(runtime, "acme")
    before = files_of(runtime)
    rebuild_client(runtime, "acme", None, lambda *_: None)
    assert files_of(runtime) == before
    assert [one.stored for one in fetch_files(runtime, "acme").sources] == [0, 0]


def test_a_host_that_is_down_is_tried_again_later(
    runtime_at: Callable[..., Runtime], desk: Desk
) -> None:
    runtime = runtime_at()
    ingest_client(runtime, "acme")
    desk.host.faults.add("file", "status", status=400)
    report = fetch_files(runtime, "acme", ["freshdesk"])
    assert [(one.stored, one.later) for one in report.sources] == [(0, 1)]
    assert fetch_files(runtime, "acme", ["freshdesk"]).sources[0].later == 0, "not before its time"
    desk.host.faults.clear()
    later = runtime_at(NOW + timedelta(minutes=11))
    assert fetch_files(later, "acme", ["freshdesk"]).sources[0].stored == 1


def test_a_page_that_comes_instead_of_a_file_is_not_stored(
    runtime_at: Callable[..., Runtime], desk: Desk
) -> None:
    runtime = runtime_at()
    ingest_client(runtime, "acme")
    desk.host.content = b"\n<!DOCTYPE html><html><title>Sign in</title></html>"
    (done,) = fetch_files(runtime, "acme", ["freshdesk"]).sources
    assert (done.stored, done.later) == (0, 1)
    assert done.reasons == [
        "ticket 1, file 'a.png': a web page of 51 bytes came instead of the file (image/png, 12 bytes). "
        "Is a proxy or a sign-in page in between?"
    ]
    assert files_of(runtime)["a.png"] is None
    desk.host.content = PICTURE
    later = runtime_at(NOW + timedelta(minutes=11))
    assert fetch_files(later, "acme", ["freshdesk"]).sources[0].stored == 1


def test_a_page_that_was_attached_is_stored(runtime_at: Callable[..., Runtime], desk: Desk) -> None:
    page = b"<html>my error page</html>"
    desk.host.content = page
    desk.freshdesk.account.tickets[1]["attachments"][0] |= {"size": len(page)}
    runtime = runtime_at()
    ingest_client(runtime, "acme")
    assert fetch_files(runtime, "acme", ["freshdesk"]).sources[0].stored == 1


class PrivateFiles(StandIn):
    """An account that sends strangers to its sign-in page, which answers with 200."""

    def routes(self) -> list[Route]:
        away = {"Location": f"{self.base_url}/access/unauthenticated"}
        page = {"Content-Type": "text/html"}
        return [
            Route("file", "GET", r"/attachments/1", lambda _: Response(302, b"", away)),
            Route("page", "GET", r"/access/.*", lambda _: Response(200, b"<html>", page)),
        ]


def test_a_sign_in_page_is_not_taken_for_a_file() -> None:
    with PrivateFiles() as private, PolicySession(private.base_url, label="acme") as session:
        with pytest.raises(AuthError, match="asks to sign in"):
            list(file_of(session, f"{private.base_url}/attachments/1"))
        with pytest.raises(UnavailableError, match="neither https nor on"):
            list(file_of(session, "file:///etc/passwd"))


def test_a_host_that_is_down_ends_the_sources_run_after_a_few_files(
    runtime_at: Callable[..., Runtime], desk: Desk
) -> None:
    ticket = desk.freshdesk.account.tickets[1]
    (file,) = ticket["attachments"]
    ticket["attachments"] = [
        {
            **file,
            "id": number,
            "attachment_url": file["attachment_url"].replace("/a.png", f"/{number}.png"),
        }
        for number in range(10)
    ]
    runtime = runtime_at()
    ingest_client(runtime, "acme")
    desk.host.faults.add("*", "status", times=None, status=400)
    report = fetch_files(runtime, "acme", ["freshdesk"])
    assert [one.later for one in report.sources] == [3]
    assert len(report.errors) == 1
    assert report.counts["waiting"] == 12


def test_too_large_a_file_stays_where_it_is(
    runtime_at: Callable[..., Runtime], desk: Desk, tmp_path: Path
) -> None:
    desk.host.content = b"x" * 1_000_001
    runtime = runtime_at(largest_mb=1)
    ingest_client(runtime, "acme")
    report = fetch_files(runtime, "acme", ["freshdesk"])
    assert report.sources[0].gone == 1
    assert not list((tmp_path / "files").rglob("*/*/*"))
    with reading(runtime.engine) as connection:
        failure = connection.scalar(select(attachment_content.c.failure))
    assert failure == "more than 1000000 bytes"


def test_a_place_that_cannot_be_written_ends_the_run_and_notes_nothing(
    runtime_at: Callable[..., Runtime], desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "files").write_text("in the way")
    runtime = runtime_at()
    ingest_client(runtime, "acme")
    report = fetch_files(runtime, "acme")
    assert all("cannot be stored under" in str(error) for error in report.errors)
    assert len(report.errors) == 2
    with reading(runtime.engine) as connection:
        assert connection.execute(select(attachment_content)).all() == []


def test_files_lie_in_an_object_store_by_its_url(
    runtime_at: Callable[..., Runtime], desk: Desk
) -> None:
    runtime = runtime_at(store="memory://deskbridge-test")
    ingest_client(runtime, "acme")
    fetch_files(runtime, "acme")
    assert store_of(runtime, "acme").has(hashlib.sha256(PICTURE).hexdigest())


def test_nothing_is_fetched_unasked(runtime_at: Callable[..., Runtime], desk: Desk) -> None:
    with pytest.raises(SettingsError, match=r"attachments: \{fetch: true\}"):
        fetch_files(runtime_at(fetch="false"), "acme")
