"""The Zendesk stand-in, proven with zenpy as an independent client and with plain requests."""

import base64
import json
import os
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User
from zenpy.lib.exception import APIException, RecordNotFoundException

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import REDACTED, Life, dump
from connectors.standins.zendesk_sample import (
    ADMIN,
    AGENT,
    CUSTOMER,
    NOW,
    Clock,
    account,
    stamp,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zendesk(clock: Clock) -> Iterator[ZendeskStandin]:
    with ZendeskStandin(account(25), now=clock, time_scale=1000) as standin:
        yield standin


@pytest.fixture
def zenpy(zendesk: ZendeskStandin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zenpy]:
    """zenpy with its own session, pointed at the stand-in by its own environment variables."""
    monkeypatch.setitem(os.environ, "ZENPY_FORCE_NETLOC", urlsplit(zendesk.base_url).netloc)
    monkeypatch.setitem(os.environ, "ZENPY_FORCE_SCHEME", "http")
    with requests.Session() as session:
        yield Zenpy(
            subdomain="acme",
            email=zendesk.email,
            token=zendesk.token,
            session=session,
            disable_cache=True,
        )


def get(zendesk: ZendeskStandin, path: str, **params: Any) -> requests.Response:
    return requests.get(
        f"{zendesk.base_url}/api/v2/{path}",
        params=params,
        auth=(f"{zendesk.email}/token", zendesk.token),
        timeout=10,
    )


def test_zenpy_when_walking_the_cursor_export_then_sees_each_ticket_once(zenpy: Zenpy) -> None:
    walk = zenpy.tickets.incremental(start_time=0, per_page=10)
    assert sorted(ticket.id for ticket in walk) == [1000 + n for n in range(1, 26)]
    assert walk.end_of_stream is True


def test_zenpy_when_walking_users_and_events_then_reads_them(zenpy: Zenpy) -> None:
    assert sorted(user.id for user in zenpy.users.incremental(start_time=0)) == [
        ADMIN,
        CUSTOMER,
        AGENT,
    ]
    events = list(zenpy.tickets.events(start_time=0, include=["comment_events"]))
    assert len(events) == 25
    assert next(iter(zenpy.groups())).name == "Support"
    assert zenpy.users.me().role == "admin"


def test_zenpy_when_creating_and_answering_a_ticket_then_both_come_back_in_the_exports(
    zenpy: Zenpy, zendesk: ZendeskStandin, clock: Clock
) -> None:
    audit = zenpy.tickets.create(
        Ticket(subject="New one", comment=Comment(body="Hello"), priority="high")
    )
    ticket = zenpy.tickets(id=audit.ticket.id)
    assert (ticket.subject, ticket.priority) == ("New one", "high")
    ticket.status = "solved"
    ticket.comment = Comment(body="Done", public=True)
    zenpy.tickets.update(ticket)
    assert [c.body for c in zenpy.tickets.comments(ticket.id)] == ["Hello", "Done"]
    assert len(zendesk.notifications) == 2
    assert (
        get(zendesk, "incremental/tickets/cursor", start_time=0).json()["tickets"][-1]["id"] == 1025
    )
    clock.move(61)
    exported = get(zendesk, "incremental/tickets/cursor", start_time=0).json()["tickets"][-1]
    assert (exported["id"], exported["status"]) == (ticket.id, "solved")
    history = get(zendesk, "incremental/ticket_events", start_time=int(NOW.timestamp())).json()
    assert history["ticket_events"][-1]["child_events"][1]["status"] == "solved"
    audits = list(zenpy.tickets.audits(ticket.id))
    assert audits[-1].events[1]["field_name"] == "status"


def test_zenpy_when_importing_many_then_a_job_makes_them_and_nobody_is_told(
    zenpy: Zenpy, zendesk: ZendeskStandin
) -> None:
    zendesk.writes.job_seconds = 0.2
    old = {"created_at": "2019-01-01T10:00:00Z", "updated_at": "2019-02-01T10:00:00Z"}
    comments = [{"body": "Old", "author_id": CUSTOMER, "created_at": "2019-01-01T10:00:00Z"}]
    wrong = Ticket(subject="bad", comments=[{"body": "x", "author_id": 987654}], **old)
    good = [
        Ticket(subject=f"Old {n}", external_id=f"x-{n}", requester_id=CUSTOMER, comments=comments, status="closed", **old)
        for n in range(3)
    ]  # fmt: skip
    job = zenpy.ticket_import.create([*good, wrong])
    seen = [job.status]
    while seen[-1] != "completed":
        time.sleep(0.02)
        job = zenpy.job_status(id=job.id)
        seen.append(job.status)
    assert list(dict.fromkeys(seen)) == ["queued", "working", "completed"]
    assert [result.index for result in job.results] == [0, 1, 2, 3]
    assert "author" in job.results[3].details.lower()
    found = zenpy.tickets(id=job.results[0].id)
    assert found.created_at == "2019-01-01T10:00:00Z"
    (same,) = zenpy.tickets(external_id="x-0", cursor_pagination=False)
    assert same.id == found.id
    assert zendesk.notifications == []
    assert len(zendesk.imported) == 3


def test_zenpy_when_importing_one_then_it_is_there_at_once(
    zenpy: Zenpy, zendesk: ZendeskStandin
) -> None:
    made = zenpy.ticket_import.create(
        Ticket(
            subject="Old",
            requester_id=CUSTOMER,
            comments=[{"body": "1"}, {"body": "2", "public": False}],
        )
    )
    assert [c.public for c in zenpy.tickets.comments(made.id)] == [True, False]
    assert zendesk.notifications == []
    with pytest.raises(APIException, match="future"):
        zenpy.ticket_import.create(
            Ticket(subject="x", comments=[{"body": "1", "created_at": "2031-01-01T00:00:00Z"}])
        )


def test_zenpy_when_uploading_then_the_bytes_come_back(zenpy: Zenpy, tmp_path: Path) -> None:
    upload = zenpy.attachments.upload(
        b"\x00bytes", target_name="f%C3%BC.bin", content_type="application/x-made-up"
    )
    made = zenpy.ticket_import.create(
        Ticket(subject="Old", comments=[{"body": "see file", "uploads": [upload.token]}])
    )
    (comment,) = zenpy.tickets.comments(made.id)
    (attachment,) = comment.attachments
    assert attachment.file_name == "fü.bin"
    assert zenpy.attachments.download(attachment.id).getvalue() == b"\x00bytes"


def test_zenpy_when_creating_users_then_the_address_is_the_key(zenpy: Zenpy) -> None:
    known = zenpy.users.create_or_update(User(name="Ayşe Ü.", email="AYSE@customer.example"))
    assert known.id == CUSTOMER
    new = zenpy.users.create_or_update(User(name="New", email="new@customer.example"))
    assert new.id not in (CUSTOMER, AGENT, ADMIN)
    with pytest.raises(RecordNotFoundException):
        zenpy.users(id=555_555)


def test_cursor_has_the_documented_form_and_the_last_minute_is_hidden(
    zendesk: ZendeskStandin, clock: Clock
) -> None:
    body = get(zendesk, "incremental/tickets/cursor.json", start_time=0, per_page=10).json()
    seconds, _, rest = base64.b64decode(body["after_cursor"]).decode().partition("||")
    assert float(seconds) == body["tickets"][-1]["generated_timestamp"]
    assert rest == "1010|"
    assert not body["end_of_stream"]
    zendesk.touch(1001)
    end = get(zendesk, "incremental/tickets/cursor.json", cursor=body["after_cursor"]).json()
    assert [t["id"] for t in end["tickets"]] == list(range(1011, 1026))
    clock.move(60)
    later = get(zendesk, "incremental/tickets/cursor.json", cursor=end["after_cursor"]).json()
    (again,) = later["tickets"]
    assert again["id"] == 1001
    assert again["updated_at"] < "2026-06-01"
    assert again["generated_timestamp"] == int(NOW.timestamp())


def test_time_based_pages_repeat_their_edge_and_stick_in_a_full_second() -> None:
    data = account(7, step=lambda n: NOW.replace(hour=1, minute=min(n, 4)))
    with ZendeskStandin(data, now=Clock(), time_scale=1000) as zendesk:
        first = get(zendesk, "incremental/tickets", start_time=0, per_page=4).json()
        assert [t["id"] for t in first["tickets"]] == [1001, 1002, 1003, 1004]
        second = get(
            zendesk, "incremental/tickets", start_time=first["end_time"], per_page=3
        ).json()
        assert [t["id"] for t in second["tickets"]] == [1004, 1005, 1006]
        assert second["end_time"] == first["end_time"]
        assert not second["end_of_stream"]


def test_fresh_start_time_and_wrong_token_and_agent_are_refused(clock: Clock) -> None:
    with ZendeskStandin(account(1), now=clock) as zendesk:
        fresh = get(zendesk, "incremental/tickets/cursor", start_time=int(NOW.timestamp()) - 59)
        assert (fresh.status_code, fresh.json()["error"]) == (400, "StartTimeTooRecent")
        assert get(zendesk, "incremental/tickets/cursor", cursor="not-one").status_code == 400
        assert (
            requests.get(f"{zendesk.base_url}/api/v2/users/me.json", timeout=5).json()["user"][
                "name"
            ]
            == "Anonymous user"
        )
        wrong = requests.get(f"{zendesk.base_url}/api/v2/tickets", auth=("a/token", "b"), timeout=5)
        assert wrong.status_code == 401
    with ZendeskStandin(account(1), now=clock, email="boris@acme.example") as zendesk:
        assert get(zendesk, "tickets/1001").status_code == 200
        assert get(zendesk, "incremental/ticket_events", start_time=0).status_code == 403


def test_export_limit_is_apart_and_tells_when_to_come_back(clock: Clock) -> None:
    with ZendeskStandin(account(1), now=clock, time_scale=60, exports_per_minute=2) as zendesk:
        answers = [get(zendesk, "incremental/tickets/cursor", start_time=0) for _ in range(3)]
        assert [a.status_code for a in answers] == [200, 200, 429]
        assert 0 < float(answers[2].headers["Retry-After"]) <= 1
        assert (
            answers[0]
            .headers["zendesk-ratelimit-incremental-exports"]
            .startswith("total=2; remaining=1")
        )
        assert answers[0].headers["X-Rate-Limit"] == "700"
        assert get(zendesk, "tickets/1001").status_code == 200


def test_search_lags_and_the_list_by_external_id_does_not(
    zenpy: Zenpy, zendesk: ZendeskStandin, clock: Clock
) -> None:
    zenpy.ticket_import.create(Ticket(subject="Old", external_id="k-1", comments=[{"body": "1"}]))
    assert get(zendesk, "search", query="type:ticket external_id:k-1").json()["count"] == 0
    assert len(get(zendesk, "tickets", external_id="k-1").json()["tickets"]) == 1
    clock.move(61)
    assert get(zendesk, "search", query="type:ticket external_id:k-1").json()["count"] == 1


def test_deleted_and_scrubbed_tickets_stay_in_the_export_alone(
    zendesk: ZendeskStandin, clock: Clock
) -> None:
    requests.delete(
        f"{zendesk.base_url}/api/v2/tickets/1001.json",
        auth=(f"{zendesk.email}/token", zendesk.token),
        timeout=5,
    )
    zendesk.scrub(1002)
    clock.move(61)
    rows = {
        t["id"]: t
        for t in get(zendesk, "incremental/tickets/cursor", start_time=0).json()["tickets"]
    }
    assert (rows[1001]["status"], rows[1002]["subject"]) == ("deleted", "SCRUBBED")
    assert 1001 not in {t["id"] for t in get(zendesk, "tickets").json()["tickets"]}


def test_restarted_standin_answers_as_before_and_finishes_its_jobs(
    tmp_path: Path, clock: Clock
) -> None:
    def opened() -> ZendeskStandin:
        return ZendeskStandin(account(2), folder=tmp_path, now=clock, time_scale=1000)

    with opened() as zendesk:
        auth = (f"{zendesk.email}/token", zendesk.token)
        api = f"{zendesk.base_url}/api/v2"
        upload = requests.post(
            f"{api}/uploads.json?filename=a.txt", data=b"abc", auth=auth, timeout=5
        ).json()["upload"]
        ticket = {
            "subject": "Old",
            "external_id": "e",
            "comments": [{"body": "1", "uploads": [upload["token"]]}],
        }
        made = requests.post(
            f"{api}/imports/tickets.json", json={"ticket": ticket}, auth=auth, timeout=5
        ).json()["ticket"]
        zendesk.writes.job_seconds = 3600
        job = requests.post(
            f"{api}/imports/tickets/create_many.json",
            json={"tickets": [{**ticket, "external_id": "later"}]}, auth=auth, timeout=5,
        ).json()["job_status"]  # fmt: skip
    with opened() as zendesk:
        assert get(zendesk, f"tickets/{made['id']}").json()["ticket"] == made
        (comment,) = get(zendesk, f"tickets/{made['id']}/comments").json()["comments"]
        assert (
            requests.get(comment["attachments"][0]["content_url"], auth=auth, timeout=5).content
            == b"abc"
        )
        time.sleep(0.01)
        done = get(zendesk, f"job_statuses/{job['id']}").json()["job_status"]
        assert done["status"] == "completed"
        assert done["results"][0]["id"] > made["id"]
        assert len(get(zendesk, "tickets", external_id="later").json()["tickets"]) == 1


def test_lists_page_by_cursor_and_refuse_large_pages(zendesk: ZendeskStandin) -> None:
    params: dict[str, Any] = {"page[size]": 10}
    seen = []
    while True:
        body = get(zendesk, "tickets", **params).json()
        seen += [t["id"] for t in body["tickets"]]
        if not body["meta"]["has_more"]:
            break
        params["page[after]"] = body["meta"]["after_cursor"]
    assert seen == list(range(1001, 1026))
    assert get(zendesk, "tickets", **{"page[size]": 101}).status_code == 400


def test_zenpy_when_reading_by_ids_and_deleted_ones_then_agrees_with_the_account(
    zenpy: Zenpy, zendesk: ZendeskStandin, clock: Clock
) -> None:
    zendesk.writes.change_row(1_003, status="deleted", updated_at=stamp(clock()))
    zendesk.state.archived.add(1_004)
    shown = zenpy.tickets(ids=[1_001, 1_003, 1_004, 77])
    assert sorted(ticket.id for ticket in shown) == [1_001, 1_004]
    assert [ticket.id for ticket in zenpy.tickets.deleted()] == [1_003]
    with pytest.raises(RecordNotFoundException):
        zenpy.tickets(id=1_003)
    with pytest.raises(RecordNotFoundException):
        list(zenpy.tickets.audits(1_003))
    assert "meta" not in get(zendesk, "tickets/1004/audits", **{"page[size]": 1}).json()
    listed = {ticket["id"] for ticket in get(zendesk, "tickets").json()["tickets"]}
    assert not listed & {1_003, 1_004}


def test_list_when_sorted_by_updated_at_then_the_freshest_comes_first(
    zendesk: ZendeskStandin,
) -> None:
    with zendesk.lock:
        Life(zendesk, random.Random(1)).comment(1_005)
    body = get(zendesk, "tickets", sort_by="updated_at", sort_order="desc", per_page=2).json()
    assert [ticket["id"] for ticket in body["tickets"]] == [1_005, 1_025]
    assert body["tickets"][0]["updated_at"] > body["tickets"][1]["updated_at"]


def test_packed_account_when_asked_then_answers_as_an_unpacked_one() -> None:
    clock = Clock()
    asked: list[tuple[str, dict[str, Any]]] = [
        ("incremental/tickets/cursor", {"start_time": 0, "include": "comment_count,users"}),
        ("incremental/ticket_events", {"start_time": 0, "include": "comment_events"}),
        ("incremental/ticket_events", {"start_time": 0}),
        ("incremental/users/cursor", {"start_time": 0}),
        ("tickets", {"page[size]": 5}),
        ("tickets/show_many", {"ids": "1002,1004", "include": "comment_count"}),
        ("tickets/1002/comments", {}),
        ("tickets/1002/audits", {}),
    ]
    answers = []
    for is_packed in (False, True):
        data = account(12)
        for event in data["ticket_events"]:
            event["child_events"][0]["attachments"] = [
                {
                    "id": event["id"] + 7,
                    "file_name": "a.txt",
                    "content_url": "/attachments/7/?name=a",
                }
            ]
        with ZendeskStandin(data, now=clock, is_packed=is_packed) as zendesk:
            life = Life(zendesk, random.Random(5))
            with zendesk.lock:
                life.comment(1_002)
                life.change(1_004, status="pending")
                life.redact(1_002, zendesk.state.comments_of(1_002)[0]["id"])
                life.new_ticket()
            later = Clock(clock() + timedelta(minutes=2))
            zendesk.now = zendesk.state.now = later
            told = []
            for path, params in asked:
                text = get(zendesk, path, **params).text.replace(zendesk.base_url, "")
                answer = json.loads(text)
                # A packed account knows a comment as its event tells it, without the list's own extras.
                for row in answer.get("comments", ()):
                    row.pop("ticket_id", None)
                    row.pop("metadata", None)
                    row.pop("via_reference_id", None)
                told.append(answer)
            answers.append(told)
    for (path, params), one, other in zip(asked, *answers, strict=True):
        assert one == other, (path, params)


def test_redaction_and_new_company_when_opened_again_then_are_still_there(tmp_path: Path) -> None:
    clock = Clock()
    with ZendeskStandin(account(3), folder=tmp_path, now=clock) as zendesk, zendesk.lock:
        life = Life(zendesk, random.Random(5))
        life.redact(1_002, zendesk.state.comments_of(1_002)[0]["id"])
        zendesk.state.record(
            "organization", organization={"id": 77, "name": "New", "updated_at": stamp(clock())}
        )
        before = {
            stream: dict(dump(zendesk, stream)) for stream in ("ticket_events", "organizations")
        }
    with ZendeskStandin(account(3), folder=tmp_path, now=clock) as zendesk:
        after = {
            stream: dict(dump(zendesk, stream)) for stream in ("ticket_events", "organizations")
        }
    assert after == before
    assert REDACTED in json.dumps(after["ticket_events"], ensure_ascii=False)
