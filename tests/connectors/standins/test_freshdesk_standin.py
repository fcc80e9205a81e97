"""The Freshdesk stand-in answers as the vendor documents: what a faithful client relies on, and its traps."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.standins.freshdesk import FreshdeskStandin, Limits

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
KEY = "key"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ticket(number: int, days_old: float, **fields: Any) -> dict[str, Any]:
    at = stamp(NOW - timedelta(days=days_old))
    return {
        "id": number,
        "subject": f"ticket {number}",
        "status": 2,
        "requester_id": 50,
        "description": "<p>x</p>",
        "description_text": "x",
        "created_at": at,
        "updated_at": at,
        **fields,
    }


DATA: dict[str, Any] = {
    "agents": [{"id": 900, "contact": {"name": "A"}}, {"id": 901, "contact": {"name": "B"}}],
    "groups": [{"id": 4, "name": "G", "agent_ids": [901]}],
    "companies": [{"id": 5, "name": "Nova"}],
    "contacts": [
        {"id": 50, "name": "Bo", "email": "Bo@x.example", "company_id": 5, "updated_at": stamp(NOW)}
    ],
    "ticket_fields": [{"id": 1, "type": "default_status", "choices": {"6": ["W", "W"]}}],
    "tickets": [
        ticket(1, 100),
        ticket(2, 3),
        ticket(3, 2, spam=True),
        ticket(4, 1, deleted=True),
        ticket(5, 40, status=6),
    ],
    "conversations": [
        {
            "id": 1_000 + number,
            "ticket_id": 2,
            "body": "b",
            "created_at": stamp(NOW - timedelta(days=2, seconds=-number)),
        }
        for number in range(45)
    ],
}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Client(requests.Session):
    """A plain client of the stand-in, logged in."""

    def __init__(self, standin: FreshdeskStandin) -> None:
        super().__init__()
        self.standin = standin
        self.auth = (standin.api_key, "X")

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.request(method, f"{self.standin.base_url}/api/v2/{path}", **options)

    def ids(self, path: str) -> list[int]:
        response = self.call("GET", path)
        assert response.status_code == 200, response.text
        return [row["id"] for row in response.json()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def standin(clock: Clock) -> Iterator[FreshdeskStandin]:
    with FreshdeskStandin(DATA, now=clock, api_key=KEY) as one:
        yield one


@pytest.fixture
def client(standin: FreshdeskStandin) -> Iterator[Client]:
    with Client(standin) as one:
        yield one


def codes(response: requests.Response) -> list[tuple[str, str]]:
    assert response.status_code == 400, response.text
    return [(one["field"], one["code"]) for one in response.json()["errors"]]


def test_wrong_key_is_401_with_a_code(standin: FreshdeskStandin) -> None:
    for auth in (None, ("other", "X")):
        response = requests.get(f"{standin.base_url}/api/v2/tickets", auth=auth, timeout=5)
        assert response.status_code == 401
        assert response.json()["code"] == "invalid_credentials"


def test_list_leaves_out_the_old_the_deleted_and_spam(client: Client) -> None:
    assert client.ids("tickets") == [2]
    assert client.ids("tickets?updated_since=2020-01-01T00:00:00Z") == [2, 5, 1]
    assert client.ids("tickets?filter=spam&updated_since=2020-01-01T00:00:00Z") == [3]
    assert client.ids("tickets?filter=deleted&updated_since=2020-01-01T00:00:00Z") == [4]
    order = "order_by=updated_at&order_type=asc"
    assert client.ids(f"tickets?updated_since=2020-01-01T00:00:00Z&{order}") == [1, 5, 2]


def test_own_second_of_updated_since_is_an_option(
    client: Client, standin: FreshdeskStandin
) -> None:
    since = standin.account.tickets[2]["updated_at"]
    assert client.ids(f"tickets?updated_since={since}") == [2]
    standin.includes_own_second = False
    assert client.ids(f"tickets?updated_since={since}") == []


def test_description_stats_and_requester_come_only_when_asked_for(client: Client) -> None:
    (plain,) = client.call("GET", "tickets").json()
    assert not {"description", "description_text", "stats", "requester", "attachments"} & set(plain)
    (full,) = client.call("GET", "tickets?include=description,stats,requester").json()
    assert full["description_text"] == "x" and full["stats"]["resolved_at"] is None
    assert full["requester"]["email"] == "Bo@x.example"


def test_paging_and_its_end(client: Client) -> None:
    first = client.call("GET", "tickets/2/conversations")
    assert len(first.json()) == 30
    second = client.get(first.links["next"]["url"])
    assert len(second.json()) == 15 and "next" not in second.links
    assert len(client.call("GET", "tickets/2/conversations?per_page=100").json()) == 45
    assert len(client.call("GET", "tickets/2?include=conversations").json()["conversations"]) == 10


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("per_page=101", ("per_page", "invalid_value")),
        ("page=0", ("page", "invalid_value")),
        ("page=301", ("page", "invalid_value")),
        ("_updated_since=2020-01-01T00:00:00Z", ("_updated_since", "invalid_field")),
        ("updated_since=yesterday", ("updated_since", "invalid_date")),
        ("order_by=id", ("order_by", "invalid_value")),
        ("include=conversations", ("include", "invalid_value")),
    ],
)
def test_what_the_list_refuses(client: Client, query: str, problem: tuple[str, str]) -> None:
    response = client.call("GET", f"tickets?{query}")
    assert codes(response) == [problem]
    if query == "page=301":
        assert "beyond the 300th page" in response.text
    assert client.call("GET", "tickets?page=300").json() == []


def test_limits_are_told_as_decimals_and_the_ticket_list_has_its_own(clock: Clock) -> None:
    limits = Limits(total=30, tickets_list=2, contacts_list=2)
    with (
        FreshdeskStandin(DATA, now=clock, api_key=KEY, limits=limits) as standin,
        Client(standin) as client,
    ):
        first = client.call("GET", "tickets?include=stats,requester")
        assert first.headers["X-RateLimit-Total"] == "30.0"
        assert first.headers["X-RateLimit-Remaining"] == "25.0"
        assert first.headers["X-RateLimit-Used-CurrentRequest"] == "5"
        client.call("GET", "tickets")
        refused = client.call("GET", "tickets")
        assert refused.status_code == 429 and 0 < int(refused.headers["Retry-After"]) <= 60
        assert client.call("GET", "agents").status_code == 200
        for _ in range(40):
            last = client.call("GET", "groups")
        assert last.status_code == 429


def test_archived_ticket_is_404_everywhere_but_in_the_archive(
    client: Client, standin: FreshdeskStandin
) -> None:
    standin.archive(2)
    assert client.ids("tickets") == []
    for path in ("tickets/2", "tickets/2/conversations"):
        assert client.call("GET", path).status_code == 404
    assert client.call("PUT", "tickets/2", json={"status": 4}).status_code == 404
    refused = client.call("GET", "tickets/archived/2")
    assert refused.status_code == 403 and refused.json()["code"] == "require_feature"
    standin.has_archive = True
    body = client.call("GET", "tickets/archived/2").json()
    assert body["archived"] is True and body["description_text"] == "x" and "stats" not in body
    said = client.call("GET", "tickets/archived/2/conversations?per_page=100").json()
    assert len(said) == 45
    assert client.call("GET", "tickets/archived/5").status_code == 404


def test_orders_are_sorted_in_both_directions_and_stay_so(
    client: Client, standin: FreshdeskStandin, clock: Clock
) -> None:
    since = "updated_since=2020-01-01T00:00:00Z"
    assert client.ids(f"tickets?{since}&order_by=created_at&order_type=asc") == [1, 5, 2]
    assert client.ids(f"tickets?{since}&order_by=status&order_type=desc") == [5, 2, 1]
    clock.now += timedelta(hours=1)
    standin.touch([1], status=3)
    assert client.ids(f"tickets?{since}&order_by=updated_at&order_type=desc") == [1, 2, 5]
    assert client.ids(f"tickets?updated_since={stamp(clock.now)}&order_by=created_at") == [1]
    assert client.ids(f"tickets?{since}&order_by=status&order_type=asc") == [2, 1, 5]
    standin.purge(2)
    assert client.ids(f"tickets?{since}&order_by=created_at") == [5, 1]


def test_merge_closes_the_secondary_with_a_note_and_tells_nothing_else(
    client: Client, standin: FreshdeskStandin
) -> None:
    body = {"primary_id": 2, "ticket_ids": [2, 5]}
    assert client.call("PUT", "tickets/merge", json=body).status_code == 204
    merged = client.call("GET", "tickets/5?include=conversations").json()
    assert merged["status"] == 5
    assert [one["body_text"] for one in merged["conversations"]] == [
        "This ticket is closed and merged into ticket 2"
    ]
    assert "merged_into" not in merged


def test_admin_fields_need_an_administrator_and_give_choices_one_by_one(
    client: Client, standin: FreshdeskStandin
) -> None:
    assert client.call("GET", "admin/ticket_fields").status_code == 403
    standin.is_admin = True
    choice = {"id": 6, "value": "W", "stop_sla_timer": True}
    standin.account.admin_fields[1] = {"id": 1, "type": "default_status", "choices": [choice]}
    assert client.call("GET", "admin/ticket_fields").json() == [{"id": 1, "type": "default_status"}]
    assert client.call("GET", "admin/ticket_fields/1").json()["choices"] == [choice]


def test_dump_is_the_whole_state(client: Client, standin: FreshdeskStandin) -> None:
    standin.archive(5)
    dump = standin.dump()["tickets"]
    assert sorted(dump) == [1, 2, 3, 4, 5]
    assert len(dump[2]["conversations"]) == 45
    assert dump[2]["requester"]["email"] == "Bo@x.example"
    assert dump[5]["archived"] is True and "archived" not in dump[1]


def test_create_makes_ticket_and_contact_and_refuses_original_times(client: Client) -> None:
    body = {
        "subject": "s",
        "description": "<b>d</b> &amp; e",
        "email": "new@x.example",
        "status": 2,
    }
    made = client.call("POST", "tickets", json=body)
    assert made.status_code == 201
    one = made.json()
    assert one["description_text"] == "d & e" and one["created_at"] == stamp(NOW)
    assert one["requester_id"] in client.ids("contacts")
    known = client.call("POST", "tickets", json={**body, "email": "bo@X.example"}).json()
    assert (known["requester_id"], known["company_id"]) == (50, 5)
    refused = client.call("POST", "tickets", json={**body, "created_at": stamp(NOW)})
    assert codes(refused) == [("created_at", "invalid_field")]
    assert ("description", "missing_field") in codes(
        client.call("POST", "tickets", json={"subject": "s", "email": "a@x.example"})
    )
    assert codes(client.call("POST", "tickets", json={**body, "priority": 9})) == [
        ("priority", "invalid_value")
    ]
    assert codes(client.call("POST", "tickets", json={**body, "status": 7})) == [
        ("status", "invalid_value")
    ]
    assert client.call("POST", "tickets", data="{").status_code == 400


def test_update_moves_updated_at_and_keeps_the_stats(client: Client, clock: Clock) -> None:
    def put(**changes: Any) -> dict[str, Any]:
        clock.now += timedelta(minutes=1)
        response = client.call("PUT", "tickets/2", json=changes)
        assert response.status_code == 200, response.text
        view: dict[str, Any] = client.call("GET", "tickets/2?include=stats").json()
        return view

    at = [stamp(NOW + timedelta(minutes=number)) for number in range(6)]
    assert put(status=3)["stats"]["pending_since"] == at[1]
    solved = put(status=4)
    assert (solved["stats"]["resolved_at"], solved["stats"]["pending_since"]) == (at[2], None)
    closed = put(status=5)
    assert (closed["stats"]["resolved_at"], closed["stats"]["closed_at"]) == (at[2], at[3])
    again = put(status=2)
    assert (again["stats"]["reopened_at"], again["stats"]["resolved_at"]) == (at[4], None)
    assert again["updated_at"] == at[4]
    assert put(tags=["a"])["stats"]["status_updated_at"] == at[4]


def test_agent_outside_the_group_is_silently_taken_off(client: Client) -> None:
    one = client.call("PUT", "tickets/2", json={"responder_id": 900, "group_id": 4}).json()
    assert (one["responder_id"], one["group_id"]) == (None, 4)
    assert client.call("PUT", "tickets/2", json={"responder_id": 901}).json()["responder_id"] == 901
    assert "agent_ids" not in client.call("GET", "groups").json()[0]


def test_note_reply_and_customer_reply(
    client: Client, standin: FreshdeskStandin, clock: Clock
) -> None:
    clock.now += timedelta(minutes=1)
    note = client.call("POST", "tickets/5/notes", json={"body": "<p>so far</p>"})
    assert note.status_code == 201 and note.json()["private"] is True
    assert (
        client.call("GET", "tickets/5?include=stats").json()["stats"]["first_responded_at"] is None
    )
    clock.now += timedelta(minutes=1)
    reply = client.call("POST", "tickets/5/reply", json={"body": "hello"}).json()
    assert (reply["private"], reply["incoming"], reply["user_id"]) == (False, False, 900)
    view = client.call("GET", "tickets/5?include=stats").json()
    assert view["stats"]["first_responded_at"] == view["updated_at"] == stamp(clock.now)
    client.call("PUT", "tickets/5", json={"status": 5})
    said = standin.customer_reply(5, "still broken")
    assert said["incoming"] and client.call("GET", "tickets/5").json()["status"] == 2
    assert len(client.ids("tickets/5/conversations")) == 3
    other = client.call("POST", "tickets/5/notes", json={"body": "x", "user_id": 901})
    assert (other.status_code, other.json()["code"]) == (403, "invalid_user")


def test_delete_and_restore(client: Client) -> None:
    assert client.call("DELETE", "tickets/2").status_code == 204
    assert client.ids("tickets") == []
    assert 2 in client.ids("tickets?filter=deleted&updated_since=2020-01-01T00:00:00Z")
    assert client.call("PUT", "tickets/2/restore").status_code == 204
    assert client.ids("tickets") == [2]


def test_everything_written_is_there_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    with (
        FreshdeskStandin(DATA, folder=tmp_path, now=clock, api_key=KEY) as one,
        Client(one) as client,
    ):
        body = {"subject": "s", "description": "d", "email": "new@x.example"}
        made = client.call("POST", "tickets", json=body).json()["id"]
        client.call("POST", f"tickets/{made}/notes", json={"body": "note"})
        client.call("PUT", "tickets/2", json={"priority": 4})
        client.call("DELETE", "tickets/1")
        one.archive(5)
        one.touch([2], status=4)
        before = {n: client.call("GET", f"tickets/{n}?include=stats").text for n in (1, 2, made)}
        said = client.call("GET", f"tickets/{made}/conversations").text
    with (
        FreshdeskStandin(DATA, folder=tmp_path, now=clock, api_key=KEY) as two,
        Client(two) as client,
    ):
        after = {n: client.call("GET", f"tickets/{n}?include=stats").text for n in (1, 2, made)}
        assert after == before
        assert client.call("GET", f"tickets/{made}/conversations").text == said
        assert client.call("GET", "tickets/5").status_code == 404
        assert two.ledger.count("note") == 1 and two.ledger.count("ticket_updated") == 1
        newer = client.call("POST", "tickets", json=body).json()["id"]
        assert newer > made


def test_unknown_path_is_404(client: Client) -> None:
    assert client.call("GET", "canned_responses").status_code == 404
