"""The Zendesk write side against its stand-in: imports that survive being killed, read-back, hand-over."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import (
    Helpdesk,
    ImportedAttachment,
    ImportedComment,
    ImportedTicket,
    RejectedImport,
)
from connectors.errors import (
    AuthError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    RejectedError,
    UnavailableError,
)
from connectors.http import PolicySession
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import AGENT, CUSTOMER, Clock, account
from connectors.zendesk.account import open_session
from connectors.zendesk.client import zenpy_over
from connectors.zendesk.helpdesk import ZendeskHelpdesk
from connectors.zendesk.source import ZendeskSource
from transforms.zendesk import normalise

OLD = datetime(2019, 3, 1, 9, tzinfo=UTC)
FILE = b"\x89PNG made up"


@contextmanager
def helpdesk_of(zendesk: ZendeskStandin, **options: Any) -> Iterator[ZendeskHelpdesk]:
    session = open_session(
        zendesk.base_url,
        zendesk.email,
        options.pop("token", zendesk.token),
        label="client acme, target zendesk",
        sleep=lambda seconds: None,
        clock=iter(range(10**9)).__next__,
    )
    with session:
        yield ZendeskHelpdesk(session=session, **{"sleep": lambda seconds: None, **options})


@pytest.fixture
def zendesk() -> Iterator[ZendeskStandin]:
    with ZendeskStandin(
        account(2), now=Clock(), time_scale=10_000, calls_per_minute=100_000
    ) as standin:
        yield standin


def old_ticket(number: int, **fields: Any) -> ImportedTicket:
    at = OLD + timedelta(hours=number)
    return ImportedTicket(
        **{
            "external_id": f"legacy:{number}",
            "subject": f"Old question {number}",
            "status": "solved",
            "priority": "critical",
            "requester_email": "ayse@customer.example",
            "requester_name": "Somebody else's spelling",
            "created_at": at,
            "updated_at": at + timedelta(days=1),
            "solved_at": at + timedelta(hours=3),
            "tags": ("legacy",),
            "comments": (
                ImportedComment("ayse@customer.example", "Ayşe", False, True, "It is\nbroken", at),
                ImportedComment(
                    "boris@acme.example", "Boris", True, True, "Fixed", at + timedelta(hours=2),
                    attachments=(
                        ImportedAttachment("sığ & yol.png", "image/png", FILE, hashlib.sha256(FILE).hexdigest()),
                    ),
                ),
                ImportedComment("new.agent@old.example", None, True, False, "", at + timedelta(hours=3)),
            ),
            **fields,
        }
    )  # fmt: skip


def test_import_when_read_back_then_everything_is_as_it_was_and_nobody_was_told(
    zendesk: ZendeskStandin,
) -> None:
    with helpdesk_of(zendesk) as helpdesk:
        checked: Helpdesk = helpdesk
        outcome = checked.import_tickets([old_ticket(n) for n in range(3)])
        assert list(outcome) == ["legacy:0", "legacy:1", "legacy:2"]
        remote_id = outcome["legacy:1"]
        assert isinstance(remote_id, str)
        back = checked.read_back(remote_id)
        assert (back.external_id, back.subject, back.status) == (
            "legacy:1",
            "Old question 1",
            "solved",
        )
        assert back.created_at == OLD + timedelta(hours=1)
        assert back.requester_email == "ayse@customer.example"
        assert back.tags == ("legacy",)
        assert [(c.text, c.is_public, c.author_email) for c in back.comments] == [
            ("It is\nbroken", True, "ayse@customer.example"),
            ("Fixed", True, "boris@acme.example"),
            ("", False, "new.agent@old.example"),
        ]
        assert back.comments[1].created_at == OLD + timedelta(hours=3)
        assert back.comments[1].attachment_sha256 == (hashlib.sha256(FILE).hexdigest(),)
        assert zendesk.notifications == []
        (first, *_) = zendesk.imported
        assert (first["priority"], first["requester_id"]) == ("urgent", CUSTOMER)
        assert zendesk.ledger.count("upload") == 3


def test_known_people_when_imported_then_keep_name_and_role_and_new_ones_are_made_once(
    zendesk: ZendeskStandin,
) -> None:
    before = len(zendesk.state.users)
    nameless = old_ticket(
        1,
        requester_email=None,
        requester_name="Walk-in",
        comments=(ImportedComment(None, None, False, True, "Hello", OLD),),
    )
    with helpdesk_of(zendesk) as helpdesk:
        helpdesk.import_tickets([old_ticket(0), nameless])
    with helpdesk_of(zendesk) as helpdesk:
        helpdesk.import_tickets([old_ticket(2), replace(nameless, external_id="legacy:3")])
    users = {user.get("email"): user for user in zendesk.state.users}
    assert users["ayse@customer.example"]["name"] == "Ayşe"
    assert users["boris@acme.example"]["role"] == "agent"
    assert users["new.agent@old.example"]["role"] == "end-user"
    assert len(zendesk.state.users) == before + 2
    walk_in = next(user for user in zendesk.state.users if user["name"] == "Walk-in")
    assert zendesk.imported[1]["requester_id"] == walk_in["id"]
    assert zendesk.imported[3]["requester_id"] == walk_in["id"]


def test_import_when_one_of_many_is_refused_then_the_others_stand(zendesk: ZendeskStandin) -> None:
    future = ImportedComment(
        "ayse@customer.example", None, False, True, "x", datetime(2031, 1, 1, tzinfo=UTC)
    )
    huge = ImportedAttachment("a.bin", "x/y", b"0" * 50_000_001, "")
    bad_file = ImportedComment(
        "ayse@customer.example", None, False, True, "x", OLD, attachments=(huge,)
    )
    batch = [
        old_ticket(0),
        old_ticket(1, comments=(future,)),
        old_ticket(2, comments=(bad_file,)),
        old_ticket(3, comments=(), status="merged"),
    ]
    with helpdesk_of(zendesk) as helpdesk:
        outcome = helpdesk.import_tickets(batch)
        assert isinstance(outcome["legacy:0"], str)
        refused = outcome["legacy:1"]
        assert isinstance(refused, RejectedImport)
        assert "future" in refused.reason
        too_large = outcome["legacy:2"]
        assert isinstance(too_large, RejectedImport)
        assert "larger" in too_large.reason
        empty = outcome["legacy:3"]
        assert isinstance(empty, str)
        assert helpdesk.read_back(empty).status == "closed"
        assert dict(helpdesk.find_imported([t.external_id for t in batch])) == {
            "legacy:0": outcome["legacy:0"],
            "legacy:3": empty,
        }


def test_job_that_fails_as_a_whole_when_importing_then_each_is_done_alone_and_none_twice(
    zendesk: ZendeskStandin,
) -> None:
    with helpdesk_of(zendesk) as helpdesk:
        helpdesk.import_tickets([old_ticket(9)])
        body = {"job_status": {"id": "V3-0", "status": "failed", "message": "no", "results": None}}
        zendesk.faults.add("import_tickets", "status", status=200, body=body)
        outcome = helpdesk.import_tickets([old_ticket(0), old_ticket(9)])
    assert [t["external_id"] for t in zendesk.imported] == ["legacy:9", "legacy:0"]
    assert outcome["legacy:9"] == str(zendesk.imported[0]["id"])


def test_archive_immediately_when_asked_for_then_is_sent(zendesk: ZendeskStandin) -> None:
    with helpdesk_of(zendesk, archive_immediately=True) as helpdesk:
        helpdesk.import_tickets([old_ticket(0, status="closed")])
    entries = [e for e in zendesk.ledger.entries("ticket") if e["operation"] == "import"]
    assert [entry["archive_immediately"] for entry in entries] == [True]
    assert entries[0]["solved_at"] == "2019-03-01T12:00:00Z"


def test_find_when_ids_are_odd_then_matches_them_exactly(zendesk: ZendeskStandin) -> None:
    odd = ["a&external_id=b", "ü ç%20", 'q"uote', "a,b", "#1", "<x@y.example>"]
    with helpdesk_of(zendesk) as helpdesk:
        made = helpdesk.import_tickets(
            [old_ticket(n, external_id=key) for n, key in enumerate(odd)]
        )
        found = helpdesk.find_imported([*odd, "a", "A,B", "b"])
        assert found == made
        assert helpdesk.find_imported([]) == {}
        with pytest.raises(ValueError, match="at most 100"):
            helpdesk.find_imported(["x"] * 101)
        with pytest.raises(ValueError, match="twice"):
            helpdesk.import_tickets([old_ticket(1), old_ticket(1)])


def test_archived_ticket_when_the_list_leaves_it_out_then_the_search_finds_it(
    zendesk: ZendeskStandin,
) -> None:
    zendesk.settings["search_lag_seconds"] = 0
    with helpdesk_of(zendesk) as helpdesk:
        made = helpdesk.import_tickets([old_ticket(1)])
        empty = {"tickets": [], "next_page": None, "count": 0}
        zendesk.faults.add("tickets", "status", status=200, body=empty)
        assert helpdesk.find_imported(["legacy:1"]) == made


def test_find_when_a_job_still_runs_then_waits_for_what_it_will_create(tmp_path: Path) -> None:
    with ZendeskStandin(account(1), now=Clock(), job_seconds=0.4) as zendesk:
        session = open_session(zendesk.base_url, zendesk.email, zendesk.token)
        with session:
            response = session.request(
                "POST",
                "api/v2/imports/tickets/create_many.json",
                json={"tickets": [{"external_id": "k", "comments": [{"body": "x"}]}]},
            )
            assert response.json()["job_status"]["status"] == "queued"
            assert list(ZendeskHelpdesk(session=session).find_imported(["k"])) == ["k"]


def test_job_that_never_ends_when_waited_for_then_says_so(zendesk: ZendeskStandin) -> None:
    body = {"job_statuses": [{"id": "V3-1", "status": "working"}]}
    zendesk.faults.add("jobs", "status", status=200, body=body, times=None)
    ticks = iter(range(0, 10**6, 50)).__next__
    with (
        helpdesk_of(zendesk, clock=ticks) as helpdesk,
        pytest.raises(UnavailableError, match="still at work"),
    ):
        helpdesk.find_imported(["x"])


@pytest.mark.parametrize("route", ["users_search", "users_many", "upload", "import_tickets", "job"])
@pytest.mark.parametrize("kind", ["drop_request", "drop_reply", "truncate"])
def test_import_when_the_line_is_cut_anywhere_then_looking_up_first_makes_each_ticket_once(
    zendesk: ZendeskStandin, route: str, kind: Any
) -> None:
    tickets = [old_ticket(n) for n in range(4)]
    zendesk.faults.add(route, kind, times=5)
    with helpdesk_of(zendesk) as helpdesk:
        done = _until_done(helpdesk, tickets)
    assert sorted(t["external_id"] for t in zendesk.imported) == [t.external_id for t in tickets]
    assert {str(t["id"]) for t in zendesk.imported} == set(done.values())
    assert zendesk.notifications == []


def _until_done(helpdesk: ZendeskHelpdesk, tickets: list[ImportedTicket]) -> dict[str, Any]:
    """What a caller does: look up what is not known, import what is missing."""
    for _ in range(20):
        try:
            done = dict(helpdesk.find_imported([t.external_id for t in tickets]))
            missing = [t for t in tickets if t.external_id not in done]
            return {**done, **helpdesk.import_tickets(missing)}
        except ConnectorError:
            continue
    raise AssertionError("twenty tries were not enough")


MOVER = """
    import sys
    from datetime import UTC, datetime
    from connectors.contract import ImportedAttachment, ImportedComment, ImportedTicket
    from connectors.zendesk.helpdesk import ZendeskHelpdesk

    at = datetime(2019, 3, 1, tzinfo=UTC)
    file = ImportedAttachment("a.txt", "text/plain", b"abc", "")
    tickets = [
        ImportedTicket(f"k{n:03}", "s", "closed", None, f"p{n % 5}@customer.example", None, at, at, None,
            (ImportedComment(None, None, False, True, "x", at, attachments=(file,)),))
        for n in range(90)
    ]
    helpdesk = ZendeskHelpdesk(base_url=sys.argv[1], email=sys.argv[2], token=sys.argv[3])
    for start in range(0, len(tickets), 30):
        batch = tickets[start : start + 30]
        done = helpdesk.find_imported([t.external_id for t in batch])
        helpdesk.import_tickets([t for t in batch if t.external_id not in done])
    print("closed")
"""


@pytest.mark.slow
def test_mover_when_killed_at_random_points_then_each_ticket_is_there_exactly_once(
    tmp_path: Path,
) -> None:
    """A real process, a real SIGKILL, jobs that go on after it."""
    chance = random.Random(7)
    kills = 0
    with ZendeskStandin(
        account(1), now=Clock(), folder=tmp_path, job_seconds=1.2, calls_per_minute=100_000
    ) as zendesk:
        command = [sys.executable, "-c", textwrap.dedent(MOVER), zendesk.base_url, zendesk.email, zendesk.token]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        for _ in range(60):
            with subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as mover:
                calls, jobs = sum(zendesk.calls.values()), zendesk.calls["import_tickets"]
                allowed = chance.randrange(20, 250)
                is_hasty = chance.random() < 0.5
                while mover.poll() is None and sum(zendesk.calls.values()) < calls + allowed:
                    if is_hasty and zendesk.calls["import_tickets"] > jobs:
                        break
                    time.sleep(0.002)
                if mover.poll() is None:
                    mover.send_signal(signal.SIGKILL)
                    kills += 1
                    mover.communicate()
                    continue
                output, errors = mover.communicate()
                assert output == b"closed\n", errors.decode()
                break
        else:
            raise AssertionError("never came to an end")
        assert kills >= 3
        assert sorted(t["external_id"] for t in zendesk.imported) == [f"k{n:03}" for n in range(90)]
        assert zendesk.notifications == []


def test_update_when_handed_over_then_one_audit_carries_all_and_comes_back_as_the_bridge(
    zendesk: ZendeskStandin,
) -> None:
    clock = zendesk.now
    assert isinstance(clock, Clock)
    with helpdesk_of(zendesk) as helpdesk:
        helpdesk.update(
            "1001", status="pending", priority="critical", assignee_remote_id=str(AGENT), team_remote_id="41",
            add_tags=["l2"], remove_tags=["made_up"], comment="What happened so far", key="step-1",
        )  # fmt: skip
        clock.move(5)
        helpdesk.reply("1002", "We are on it", key="ack-1")
        helpdesk.add_note("1002", "For the team")
        assert helpdesk.was_written("1002", "ack-1")
        assert not helpdesk.was_written("1002", "ack-2")
    row = zendesk.state.tickets.get(1001)
    assert row is not None
    assert (row["status"], row["priority"], row["tags"]) == ("pending", "urgent", ["l2"])
    assert [n["ticket_id"] for n in zendesk.notifications] == [1002]
    clock.move(61)
    source = ZendeskSource(
        base_url=zendesk.base_url, email=zendesk.email, token=zendesk.token, now=clock
    )
    with source.session:
        records = {
            s: [r for page in source.pull(s, None) for r in page.records] for s in source.streams
        }
    batch = normalise(records)
    written = [c for c in batch.comments if c.author_kind == "bridge"]
    assert [(c.ticket_remote_id, c.is_public, c.text) for c in written] == [
        ("1001", False, "What happened so far"),
        ("1002", True, "We are on it"),
        ("1002", False, "For the team"),
    ]
    ours = [c for c in batch.changes if c.actor_kind == "bridge"]
    assert [(c.field, c.old_value, c.new_value) for c in ours] == [
        ("status", "open", "pending"),
        ("priority", "medium", "critical"),
    ]
    assert (batch.rejected, batch.warnings) == ([], [])


@pytest.mark.parametrize("kind", ["drop_reply", "truncate"])
def test_reply_when_its_answer_gets_lost_then_the_customer_hears_it_once(
    zendesk: ZendeskStandin, kind: Any
) -> None:
    with helpdesk_of(zendesk) as helpdesk:
        zendesk.faults.add("update_ticket", kind)
        helpdesk.reply("1001", "We are on it", key="ack-1")
    assert len(zendesk.notifications) == 1
    assert len(zendesk.state.comments[1001]) == 2


def test_update_when_somebody_else_was_quicker_then_is_tried_on_the_new_state(
    zendesk: ZendeskStandin,
) -> None:
    conflict = {"error": "UpdateConflict", "description": "outdated"}
    zendesk.faults.add("update_ticket", "status", status=409, body=conflict, times=4)
    with helpdesk_of(zendesk) as helpdesk:
        helpdesk.add_note("1001", "note", key="n-1")
    assert len(zendesk.state.comments[1001]) == 2


def test_update_when_refused_then_says_why(zendesk: ZendeskStandin) -> None:
    zendesk.writes.change_row(1001, status="closed")
    with helpdesk_of(zendesk) as helpdesk:
        with pytest.raises(RejectedError, match="closed prevents"):
            helpdesk.add_note("1001", "too late")
        with pytest.raises(NotFoundError):
            helpdesk.add_note("999", "nobody")
        with pytest.raises(NotFoundError, match="ticket 999"):
            helpdesk.read_back("999")
    with helpdesk_of(zendesk, token="wr0ng-s3cret") as helpdesk:
        with pytest.raises(AuthError) as caught:
            helpdesk.add_note("1001", "no")
        assert "wr0ng-s3cret" not in str(caught.value)


def test_file_on_another_host_when_read_back_then_no_credential_goes_there(
    zendesk: ZendeskStandin,
) -> None:
    with ZendeskStandin({}, now=Clock()) as elsewhere:
        zendesk.state.comments[1001][0]["attachments"] = [
            {"id": 7, "file_name": "a", "content_url": f"{elsewhere.base_url}/attachments/7/"}
        ]
        with (
            helpdesk_of(zendesk) as helpdesk,
            pytest.raises(RejectedError, match="another host"),
        ):
            helpdesk.read_back("1001")
        assert not elsewhere.recent


def test_client_when_the_address_has_a_path_or_one_word_then_is_right_or_refused() -> None:
    with PolicySession("https://proxy.example/zendesk") as session:
        client = zenpy_over(session)
        for api in (
            client.tickets,
            client.ticket_import,
            client.users.identities,
            client.help_center.articles,
        ):
            url = api._build_url(api.endpoint(id=1))
            assert url.startswith("https://proxy.example/zendesk/api/v2/")
    with (
        PolicySession("http://localhost:8000") as session,
        pytest.raises(ConfigurationError, match="no dot"),
    ):
        zenpy_over(session)
