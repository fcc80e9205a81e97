"""The stand-ins for Microsoft Graph and Gmail behave as the vendors' documents say, by plain requests."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.standins.gmail import GmailStandin
from connectors.standins.graph import GraphStandin

USER = "info@acme.example"
IMMUTABLE = 'IdType="ImmutableId"'


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def graph() -> Iterator[GraphStandin]:
    with GraphStandin(USER) as running:
        yield running


@pytest.fixture
def gmail() -> Iterator[GmailStandin]:
    with GmailStandin(USER) as running:
        yield running


class Delta:
    """Reads a folder's changes as the documents say."""

    def __init__(self, http: requests.Session, graph: GraphStandin, folder: str) -> None:
        self.http = http
        self.link = f"{graph.base_url}/v1.0/users/{USER}/mailFolders/{folder}/messages/delta"

    def round(self, prefer: str = IMMUTABLE) -> list[list[dict[str, Any]]]:
        """The pages of one round."""
        pages = []
        while True:
            page = self.http.get(self.link, headers={"Prefer": prefer}).json()
            pages.append(page["value"])
            if "@odata.deltaLink" in page:
                self.link = page["@odata.deltaLink"]
                return pages
            self.link = page["@odata.nextLink"]


def test_graph_pages_hold_ten_unless_asked(http: requests.Session, graph: GraphStandin) -> None:
    for number in range(25):
        graph.deliver(graph.folder("inbox"), b"%d" % number)
    assert [len(page) for page in Delta(http, graph, "inbox").round()] == [10, 10, 5]
    wide = Delta(http, graph, "inbox").round(f"{IMMUTABLE}, odata.maxpagesize=20")
    assert [len(page) for page in wide] == [20, 5]


def test_graph_tells_changes_moves_and_removals(
    http: requests.Session, graph: GraphStandin
) -> None:
    inbox, archive = graph.folder("inbox"), graph.folder("archive")
    kept, moved, removed = (graph.deliver(inbox, b"%d" % number) for number in range(3))
    here, there = Delta(http, graph, "inbox"), Delta(http, graph, "archive")
    here.round()
    there.round()
    assert here.round() == [[]]
    graph.change(kept)
    graph.move(moved, archive)
    graph.remove(removed)
    (rows,) = here.round()
    assert {row["id"]: "@removed" in row for row in rows} == {
        kept.id: False,
        moved.id: True,
        removed.id: True,
    }
    assert [[row["id"] for row in page] for page in there.round()] == [[moved.id]]
    # Back again before anybody looks: removed there, and here it is told as any new one.
    graph.move(moved, inbox)
    graph.move(moved, archive)
    assert there.round() == [[{"id": moved.id, "@removed": {"reason": "deleted"}}]]


def test_graph_ids_change_with_a_move_unless_immutable(
    http: requests.Session, graph: GraphStandin
) -> None:
    mail = graph.deliver(graph.folder("inbox"), b"content")
    ((before,),) = Delta(http, graph, "inbox").round("")
    graph.move(mail, graph.folder("archive"))
    ((after,),) = Delta(http, graph, "archive").round("")
    assert before["id"] != after["id"]
    ((immutable,),) = Delta(http, graph, "archive").round()
    assert immutable["id"] == mail.id
    value = f"{graph.base_url}/v1.0/users/{USER}/messages/%s/$value"
    quote = requests.utils.quote  # type: ignore[attr-defined]
    assert http.get(value % quote(before["id"], safe="")).status_code == 404
    assert http.get(value % quote(after["id"], safe="")).content == b"content"
    assert http.get(value % quote(mail.id, safe="")).content == b"content"
    swapped = mail.id.swapcase()
    assert http.get(value % quote(swapped, safe="")).status_code == 404


def test_graph_forgets_state_with_410(http: requests.Session, graph: GraphStandin) -> None:
    delta = Delta(http, graph, "inbox")
    delta.round()
    graph.forget_state()
    answer = http.get(delta.link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "SyncStateNotFound")


def test_graph_has_folders_in_folders_and_hidden_ones(
    http: requests.Session, graph: GraphStandin
) -> None:
    below = graph.add_folder("Support", graph.folder("inbox"))
    graph.add_folder("Secret", is_hidden=True)
    url = f"{graph.base_url}/v1.0/users/{USER}/mailFolders"
    names = [row["displayName"] for row in http.get(f"{url}?$top=100").json()["value"]]
    assert "Inbox" in names and "Secret" not in names and "Support" not in names
    shown = http.get(f"{url}?$top=100&includeHiddenFolders=true").json()["value"]
    assert "Secret" in [row["displayName"] for row in shown]
    children = http.get(f"{url}/inbox/childFolders").json()["value"]
    assert [row["id"] for row in children] == [below.id]
    first = http.get(f"{url}?$top=3").json()
    assert len(first["value"]) == 3
    assert len(http.get(first["@odata.nextLink"]).json()["value"]) == 3
    assert http.get(f"{url}/nowhere").status_code == 404


def get(http: requests.Session, gmail: GmailStandin, path: str, **params: Any) -> Any:
    return http.get(f"{gmail.base_url}/gmail/v1/users/me/{path}", params=params).json()


def test_gmail_lists_newest_first_without_junk_and_trash(
    http: requests.Session, gmail: GmailStandin
) -> None:
    old = gmail.deliver(b"old")
    draft = gmail.deliver(b"draft", {"DRAFT"})
    gmail.deliver(b"junk", {"SPAM"})
    new = gmail.deliver(b"new", {"INBOX", "STARRED"})
    first = get(http, gmail, "messages", maxResults=2)
    assert [row["id"] for row in first["messages"]] == [new.id, draft.id]
    token = first["nextPageToken"]
    gmail.deliver(b"newer")
    second = get(http, gmail, "messages", pageToken=token)
    assert [row["id"] for row in second["messages"]] == [old.id]
    assert "nextPageToken" not in second
    both = get(http, gmail, "messages", labelIds=["INBOX", "STARRED"])
    assert [row["id"] for row in both["messages"]] == [new.id]
    gmail.forget_tokens()
    assert get(http, gmail, "messages", pageToken=token)["error"]["code"] == 400


def test_gmail_gives_bytes_in_base64url(http: requests.Session, gmail: GmailStandin) -> None:
    mail = gmail.deliver(bytes(range(256)))
    raw = get(http, gmail, f"messages/{mail.id}", format="raw")["raw"]
    assert not set(raw) & set("+/=")
    assert base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)) == mail.content
    assert "raw" not in get(http, gmail, f"messages/{mail.id}", format="minimal")


def test_gmail_tells_the_history_in_order_and_forgets_it(
    http: requests.Session, gmail: GmailStandin
) -> None:
    start = get(http, gmail, "profile")["historyId"]
    mail = gmail.deliver(b"hello")
    gmail.relabel(mail, add={"TRASH"})
    gmail.remove(mail)
    page = get(http, gmail, "history", startHistoryId=start, maxResults=2)
    kinds = [set(record) - {"id", "messages"} for record in page["history"]]
    assert kinds == [{"messagesAdded"}, {"labelsAdded"}]
    rest = get(http, gmail, "history", startHistoryId=start, pageToken=page["nextPageToken"])
    assert [set(record) - {"id", "messages"} for record in rest["history"]] == [{"messagesDeleted"}]
    assert rest["historyId"] == str(gmail.history_id)
    assert "history" not in get(http, gmail, "history", startHistoryId=rest["historyId"])
    gmail.forget_history()
    assert get(http, gmail, "history", startHistoryId=rest["historyId"])["error"]["code"] == 404


@pytest.mark.parametrize(("refuses_as", "status"), [("429", 429), ("403", 403), ("sentence", 429)])
def test_gmail_counts_units(http: requests.Session, refuses_as: Any, status: int) -> None:
    with GmailStandin(USER, units_per_minute=11) as gmail:
        gmail.refuses_as = refuses_as
        url = f"{gmail.base_url}/gmail/v1/users/me"
        codes = [
            http.get(f"{url}/{one}").status_code for one in ("messages", "messages", "profile")
        ]
        assert codes == [200, 200, 200]
        refused = http.get(f"{url}/profile")
        assert refused.status_code == status
        reason = refused.json()["error"]["errors"][0]["reason"]
        assert reason.endswith("ateLimitExceeded")
        assert ("Retry-After" in refused.headers) == (refuses_as == "429")
