"""FreshdeskSource against the stand-in: everything comes, nothing twice without need, whatever goes wrong."""

import base64
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.contract import Hinting, Page, Reconcilable, Source
from connectors.errors import (
    AuthError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from connectors.freshdesk.source import FreshdeskSource
from connectors.http import Policy
from connectors.standins.freshdesk import FreshdeskStandin, Limits
from connectors.warehouse import raw
from connectors.warehouse.engine import writing
from transforms import freshdesk
from transforms.model import RawRecord

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
START = datetime(2025, 6, 1, 8, tzinfo=UTC)
KEY = "s3cret-key"
NO_LIMITS = Limits(1_000_000, 1_000_000, 1_000_000)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ticket(number: int, at: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "subject": f"ticket {number}",
        "status": 2,
        "priority": 2,
        "source": 1,
        "requester_id": 50,
        "description": f"<p>{number}</p>",
        "description_text": f"{number}",
        "created_at": stamp(at),
        "updated_at": stamp(at),
        **fields,
    }


def conversation(number: int, ticket_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "ticket_id": ticket_id,
        "body": "<p>hi</p>",
        "body_text": "hi",
        "incoming": False,
        "private": False,
        "user_id": 900,
        "source": 0,
        "created_at": stamp(START + timedelta(seconds=number)),
        "attachments": [],
        **fields,
    }


def spread(count: int, every: timedelta = timedelta(minutes=10)) -> list[dict[str, Any]]:
    return [ticket(number, START + number * every) for number in range(1, count + 1)]


class Clock:
    """A clock that the stand-in and the source share, and that sleeping moves."""

    def __init__(self) -> None:
        self.now = NOW
        self.seconds = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        self.now += timedelta(seconds=seconds)


@contextmanager
def account(
    clock: Clock | None = None, policy: Policy | None = None, **options: Any
) -> Iterator[tuple[FreshdeskStandin, FreshdeskSource]]:
    clock = clock or Clock()
    data: dict[str, Any] = {
        name: options.pop(name)
        for name in (
            "tickets",
            "conversations",
            "contacts",
            "companies",
            "agents",
            "groups",
            "ticket_fields",
            "admin_ticket_fields",
            "products",
            "roles",
            "time_entries",
            "satisfaction_ratings",
        )
        if name in options
    }
    start = options.pop("start", None)
    with FreshdeskStandin(
        data, now=clock, api_key=KEY, limits=options.pop("limits", NO_LIMITS), **options
    ) as standin:
        source = FreshdeskSource(
            base_url=standin.base_url,
            api_key=KEY,
            label="client acme, source freshdesk",
            policy=policy or Policy(tries=3, backoff_seconds=0.01),
            now=clock,
            clock=clock.monotonic,
            sleep=clock.sleep,
            wall_clock=clock,
            **({"start": start} if start else {}),
        )
        try:
            yield standin, source
        finally:
            source.close()


def pull(
    source: FreshdeskSource, stream: str = "tickets", cursor: Mapping[str, Any] | None = None
) -> list[Page]:
    """All pages; each cursor goes through JSON, as the warehouse keeps it."""
    pages = list(source.pull(stream, cursor))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    return [
        Page(p.records, json.loads(json.dumps(p.cursor)), p.complete, p.calls, p.seconds_waited)
        for p in pages
    ]


def bodies(pages: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(record.payload) for page in pages for record in page.records]


def ids(pages: list[Page]) -> list[int]:
    return [body["id"] for body in bodies(pages)]


def test_it_is_a_source_and_names_its_streams_in_order() -> None:
    with account() as (_, source):
        assert isinstance(source, Source)
        assert source.streams == (
            "ticket_fields",
            "agents",
            "groups",
            "companies",
            "products",
            "roles",
            "contacts",
            "tickets",
            "satisfaction_ratings",
            "time_entries",
            "article_categories",
            "article_folders",
            "articles",
        )
        with pytest.raises(ValueError, match="no stream 'solutions'"):
            source.pull("solutions", None)


def test_empty_account_gives_complete_empty_pages_twice() -> None:
    with account() as (_, source):
        for stream in source.streams:
            first = pull(source, stream)
            again = pull(source, stream, first[-1].cursor)
            assert ids(first) == ids(again) == []


def test_a_year_comes_whole_although_the_list_defaults_to_thirty_days() -> None:
    with account(tickets=spread(250)) as (standin, source):
        pages = pull(source)
        assert sorted(ids(pages)) == list(range(1, 251))
        assert len(ids(pages)) == 250
        assert standin.calls["tickets_list"] == 3 + 2
        assert all(len(page.records) <= 100 for page in pages)
        assert sum(page.calls for page in pages) == sum(standin.calls.values())


def test_second_pull_brings_only_what_changed() -> None:
    clock = Clock()
    with account(clock, tickets=spread(120)) as (standin, source):
        cursor = pull(source)[-1].cursor
        clock.now += timedelta(minutes=2)
        assert ids(pull(source, cursor=cursor)) == []
        standin.touch([3, 70], priority=4)
        clock.now += timedelta(minutes=2)
        pages = pull(source, cursor=cursor)
        assert sorted(ids(pages)) == [3, 70]
        assert {body["priority"] for body in bodies(pages)} == {4}
        calls = standin.calls["ticket"]
        assert ids(pull(source, cursor=pages[-1].cursor)) == []
        assert standin.calls["ticket"] == calls


def test_row_that_changes_again_within_its_second_comes_again() -> None:
    clock = Clock()
    with account(clock, tickets=spread(3)) as (standin, source):
        standin.touch([2], priority=3)
        cursor = pull(source)[-1].cursor
        standin.touch([2], priority=4)
        pages = pull(source, cursor=cursor)
        assert [body["priority"] for body in bodies(pages) if body["id"] == 2] == [4]


@pytest.mark.parametrize("includes_own_second", [True, False])
def test_more_than_a_page_in_one_second_comes_whole(includes_own_second: bool) -> None:
    crowd = [ticket(number, START) for number in range(1, 351)]
    later = [ticket(number, START + timedelta(seconds=1)) for number in range(351, 501)]
    rest = [ticket(number, START + timedelta(hours=number)) for number in range(501, 650)]
    with account(tickets=crowd + later + rest, includes_own_second=includes_own_second) as (
        standin,
        source,
    ):
        pages = pull(source)
        assert sorted(ids(pages)) == list(range(1, 650))
        assert standin.calls["ticket"] == 649


def test_thirty_thousand_rows_never_reach_the_last_page() -> None:
    with account(tickets=spread(1_500, timedelta(seconds=7)), last_page=3) as (_, source):
        assert sorted(ids(pull(source))) == list(range(1, 1_501))


def crowd_of(count: int, every: timedelta = timedelta(minutes=1)) -> list[dict[str, Any]]:
    """Tickets made one after the other and changed in one second by a bulk edit, among others."""
    edited = START + timedelta(days=30)
    crowd = [
        ticket(number, START + number * every, updated_at=stamp(edited))
        for number in range(1, count + 1)
    ]
    before = [ticket(count + n, edited - timedelta(hours=n)) for n in range(1, 30)]
    after = [ticket(count + n, edited + timedelta(seconds=n - 30)) for n in range(30, 60)]
    return crowd + before + after


@pytest.mark.parametrize("includes_own_second", [True, False])
def test_second_that_holds_more_than_freshdesk_lists_is_read_by_other_orders(
    includes_own_second: bool,
) -> None:
    tickets = crowd_of(480)
    with account(tickets=tickets, last_page=3, includes_own_second=includes_own_second) as (
        standin,
        source,
    ):
        pages = pull(source)
        assert sorted(ids(pages)) == list(range(1, 540))
        assert len(ids(pages)) == 539
        assert standin.calls["ticket"] == 539
        calls = standin.calls["tickets_list"]
        assert ids(pull(source, cursor=pages[-1].cursor)) == []
        assert standin.calls["tickets_list"] - calls <= 6


@pytest.mark.parametrize("includes_own_second", [True, False])
def test_second_that_no_order_proves_is_gone_through_by_id(includes_own_second: bool) -> None:
    crowd = [ticket(number, START) for number in range(1, 402)]
    behind = [ticket(number, START + timedelta(seconds=number - 401)) for number in range(402, 420)]
    gone = [ticket(420, START, deleted=True)]
    with account(
        tickets=crowd + behind + gone, last_page=3, includes_own_second=includes_own_second
    ) as (standin, source):
        pages = pull(source)
        assert sorted(ids(pages)) == list(range(1, 421))
        assert len(ids(pages)) == 420
        # One call a ticket; the scan alone met those behind the second too, and did not take them.
        assert standin.calls["ticket"] <= 420 + 20
        again = pull(source, cursor=pages[-1].cursor)
        assert ids(again) == []


def test_second_whose_ids_cannot_be_gone_through_fails_loudly_and_keeps_what_came() -> None:
    crowd = [ticket(3_000_000 + number, START) for number in range(1, 402)]
    with account(tickets=crowd, last_page=3) as (_, source):
        pages: list[Page] = []
        with pytest.raises(RejectedError) as caught:
            for page in source.pull("tickets", None):
                pages.append(page)  # noqa: PERF402 - the pages before the error are wanted
        for words in ("in any order", "2025-06-01T08:00:00Z", "client acme", "3000401"):
            assert words in str(caught.value)
        assert KEY not in str(caught.value)
        assert set(ids(pages)) == {one["id"] for one in crowd}


@pytest.mark.parametrize("tickets", [crowd_of(380), [ticket(n, START) for n in range(1, 420)]])
def test_crowded_second_resumes_after_a_cut_at_every_page(tickets: list[dict[str, Any]]) -> None:
    with account(tickets=tickets, last_page=3) as (_, source):
        wanted = {one["id"] for one in tickets}
        found: set[int] = set()
        cursor: Mapping[str, Any] | None = None
        for _number in range(200):
            page = next(iter(source.pull("tickets", cursor)))
            found.update(ids([page]))
            cursor = json.loads(json.dumps(page.cursor))
            if page.complete:
                break
        assert page.complete and found == wanted


def test_rows_that_leave_a_crowded_second_while_it_is_read_are_not_lost() -> None:
    clock = Clock()
    tickets = crowd_of(480)
    with account(clock, tickets=tickets, last_page=3) as (standin, source):
        leaving = iter(range(3, 480, 11))

        def move(number: int) -> None:
            clock.now += timedelta(seconds=2)
            if number <= 36:
                one = next(leaving)
                standin.touch([one], **({"deleted": True} if one % 2 else {"priority": 4}))

        standin.after_list = move
        pages = pull(source)
        standin.after_list = None
        clock.now += timedelta(minutes=3)
        pages += pull(source, cursor=pages[-1].cursor)
        last = {body["id"]: body for body in bodies(pages)}
        assert set(last) == {one["id"] for one in tickets}
        for number, body in last.items():
            now = standin.account.tickets[number]
            assert (body["priority"], body["deleted"]) == (now["priority"], now["deleted"])


def test_resumes_after_a_cut_at_every_page() -> None:
    crowd = [ticket(number, START + timedelta(days=9)) for number in range(1_000, 1_130)]
    gone = [ticket(number, START, deleted=True) for number in range(2_000, 2_003)]
    spam = [ticket(3_000, START, spam=True)]
    everything = spread(210) + crowd + gone + spam
    with account(tickets=everything) as (_, source):
        whole = pull(source)
        wanted = {one["id"] for one in everything}
        for cut in range(1, len(whole)):
            before: list[Page] = []
            for page in source.pull("tickets", None):
                before.append(page)
                if len(before) == cut:
                    break
            after = pull(source, cursor=json.loads(json.dumps(before[-1].cursor)))
            assert set(ids(before)) | set(ids(after)) == wanted
            again = pull(source, cursor=json.loads(json.dumps(before[-1].cursor)))
            assert [p.records for p in after] == [p.records for p in again]


def test_one_page_at_a_time_from_its_own_cursor_ends_and_loses_nothing() -> None:
    crowd = [ticket(number, START + timedelta(days=1)) for number in range(500, 750)]
    with account(tickets=spread(210) + crowd) as (_, source):
        cursor: Mapping[str, Any] | None = None
        found: set[int] = set()
        for _number in range(40):
            page = next(iter(source.pull("tickets", cursor)))
            found.update(ids([page]))
            cursor = json.loads(json.dumps(page.cursor))
            if page.complete:
                break
        assert page.complete and len(found) == 460


def test_rows_that_move_while_paging_lose_nothing() -> None:
    clock = Clock()
    with account(clock, tickets=spread(600)) as (standin, source):
        moved = iter(range(1, 600, 40))

        def move(_number: int) -> None:
            clock.now += timedelta(seconds=3)
            standin.touch([next(moved)], priority=4) if _number < 12 else None

        standin.after_list = move
        pages = pull(source)
        assert set(ids(pages)) == set(range(1, 601))
        last = {body["id"]: body["priority"] for body in bodies(pages)}
        standin.after_list = None
        last |= {b["id"]: b["priority"] for b in bodies(pull(source, cursor=pages[-1].cursor))}
        assert last == {n: standin.account.tickets[n]["priority"] for n in range(1, 601)}


def test_rows_that_move_out_of_a_crowded_second_lose_nothing() -> None:
    """With page numbers alone, the row that slides onto the page before would be missed."""
    clock = Clock()
    crowd = [ticket(number, START) for number in range(1, 401)]
    with account(clock, tickets=crowd) as (standin, source):
        early = iter([5, 6, 150, 7])

        def move(number: int) -> None:
            clock.now += timedelta(seconds=3)
            if number in (1, 2, 3, 4):
                standin.touch([next(early)], priority=4)

        standin.after_list = move
        assert set(ids(pull(source))) == set(range(1, 401))


def test_conversations_come_with_their_ticket_however_many() -> None:
    many = [conversation(number, 2) for number in range(1, 251)]
    ten = [conversation(1_000 + number, 3) for number in range(10)]
    files = [{"id": 9, "name": "a.txt", "size": 3, "attachment_url": "https://files.example/9"}]
    with account(
        tickets=[ticket(1, START), ticket(2, START), ticket(3, START, attachments=files)],
        conversations=many + ten,
    ) as (standin, source):
        known = {body["id"]: body for body in bodies(pull(source))}
        assert known[1]["conversations"] == []
        assert [one["id"] for one in known[2]["conversations"]] == list(range(1, 251))
        assert len(known[3]["conversations"]) == 10
        assert known[3]["attachments"] == files
        assert standin.calls["ticket"] == 3
        assert standin.calls["conversations"] == 3 + 1
        assert known[1]["stats"]["resolved_at"] is None and known[1]["description_text"] == "1"


def test_list_that_carries_attachments_needs_no_view_of_the_ticket() -> None:
    with account(tickets=spread(5), list_has_attachments=True) as (standin, source):
        assert all("conversations" in body for body in bodies(pull(source)))
        assert standin.calls["ticket"] == 0 and standin.calls["conversations"] == 5


def test_conversation_of_a_megabyte() -> None:
    text = "ü" * 600_000
    with account(
        tickets=[ticket(1, START)], conversations=[conversation(1, 1, body=text, body_text=text)]
    ) as (_, source):
        (body,) = bodies(pull(source))
        assert body["conversations"][0]["body_text"] == text


def test_ticket_that_is_archived_between_list_and_children_keeps_what_is_known() -> None:
    with account(tickets=spread(3), conversations=[conversation(1, 2)]) as (standin, source):
        standin.after_list = lambda number: standin.archive(2) if number == 1 else None
        known = {body["id"]: body for body in bodies(pull(source))}
        assert set(known) == {1, 2, 3}
        assert "conversations" not in known[2] and "conversations" in known[3]


def test_ticket_that_is_archived_meanwhile_is_read_from_the_archive() -> None:
    with account(tickets=spread(3), conversations=[conversation(1, 2)], has_archive=True) as (
        standin,
        source,
    ):
        standin.after_list = lambda number: standin.archive(2) if number == 1 else None
        pages = pull(source)
        known = {body["id"]: body for body in bodies(pages)}
        assert known[2]["archived"] is True and known[2]["conversations"][0]["id"] == 1
        assert known[2]["stats"] is not None
        unlisted = [r.remote_id for page in pages for r in page.records if r.location]
        assert unlisted == ["2"] and standin.calls["archived_ticket"] == 1


def test_archive_is_gone_through_once_a_part_with_each_pull(monkeypatch: Any) -> None:
    monkeypatch.setattr("connectors.freshdesk.passes.SWEPT_PER_PULL", 150)
    clock = Clock()
    tickets = spread(500)
    for one in tickets[:400]:
        one |= {"status": 5, "archived": one["id"] % 3 != 0}
    del tickets[:3]
    said = [conversation(1_000 + n, n) for n in (5, 7)]
    with account(clock, tickets=tickets, conversations=said, has_archive=True) as (
        standin,
        source,
    ):
        found: list[int] = []
        cursor: Mapping[str, Any] | None = None
        for _pull in range(2):
            pages = pull(source, cursor=cursor)
            found += ids(pages)
            cursor = pages[-1].cursor
        assert cursor is not None and cursor["sweep"] == {"is_done": True}
        assert sorted(found) == list(range(4, 501))
        assert standin.calls["archived_ticket"] == 265 + 3
        clock.now += timedelta(hours=1)
        calls = sum(standin.calls.values())
        assert ids(pull(source, cursor=cursor)) == []
        assert sum(standin.calls.values()) - calls == 3
        archived = {body["id"]: body for body in bodies(pages) if body.get("archived")}
        assert archived[5]["conversations"][0]["id"] == 1_005


def test_plan_without_an_archive_is_asked_for_it_once() -> None:
    with account(tickets=[ticket(n, START) for n in (1, 900)]) as (standin, source):
        cursor = pull(source)[-1].cursor
        assert standin.calls["archived_ticket"] == 1
        pull(source, cursor=cursor)
        assert standin.calls["archived_ticket"] == 1


def test_inventory_names_every_ticket_of_the_lists() -> None:
    tickets = [*crowd_of(480), ticket(600, START, spam=True), ticket(601, START, deleted=True)]
    with account(tickets=tickets, last_page=3) as (standin, source):
        assert isinstance(source, Reconcilable)
        pages = list(source.inventory("tickets"))
        listed = {one.remote_id: one for page in pages for one in page}
        assert set(listed) == {str(one["id"]) for one in tickets}
        assert all(len(page) <= 100 for page in pages)
        assert {k for k, one in listed.items() if one.is_tombstone} == {"600", "601"}
        assert listed["600"].updated_at == START and listed["600"].children is None
        assert standin.calls["ticket"] == 0
        with pytest.raises(ValueError, match="not 'contacts'"):
            source.inventory("contacts")


def test_inventory_that_cannot_be_read_to_its_end_is_an_error() -> None:
    with account(tickets=spread(150)) as (standin, source):
        standin.faults.add("tickets_list", "status", status=500, times=None, after=1)
        with pytest.raises(UnavailableError):
            list(source.inventory("tickets"))


def test_fetched_tickets_are_as_a_pull_gives_them() -> None:
    tickets = [*spread(130), ticket(200, START, deleted=True), ticket(201, START, spam=True)]
    said = [conversation(1_000 + n, 7) for n in range(23)]
    with account(tickets=tickets, conversations=said, has_archive=True) as (_, source):
        pulled = {r.remote_id: r for page in pull(source) for r in page.records}
        wanted = [str(one["id"]) for one in tickets]
        pages = list(source.fetch("tickets", wanted))
        assert [len(page.records) for page in pages] == [100, 32]
        assert [page.complete for page in pages] == [False, True]
        assert all(page.cursor == {} and page.calls >= 32 for page in pages)
        for record in (r for page in pages for r in page.records):
            before = pulled[record.remote_id]
            assert record.is_tombstone == before.is_tombstone
            if record.remote_id != "201":
                assert raw.content_sha256(record, ()) == raw.content_sha256(before, ())


def test_fetched_ticket_that_is_archived_comes_from_there_and_one_that_is_gone_as_tombstone() -> (
    None
):
    clock = Clock()
    with account(
        clock, tickets=spread(3), conversations=[conversation(1, 2)], has_archive=True
    ) as (standin, source):
        standin.archive(2)
        standin.purge(3)
        (page,) = source.fetch("tickets", ["1", "2", "3", "4"])
        records = {record.remote_id: record for record in page.records}
        assert {k: r.is_tombstone for k, r in records.items()} == {
            "1": False,
            "2": False,
            "3": True,
            "4": True,
        }
        assert records["2"].location == {"is_unlisted": True}
        assert json.loads(records["2"].payload)["conversations"][0]["id"] == 1
        clock.now += timedelta(days=1)
        (later,) = source.fetch("tickets", ["3"])
        volatile = source.volatile_fields["tickets"]
        assert raw.content_sha256(later.records[0], volatile) == raw.content_sha256(
            records["3"], volatile
        )


def test_nothing_is_gone_where_the_account_does_not_answer() -> None:
    with account(tickets=spread(2)) as (standin, source):
        for route in ("ticket", "archived_ticket", "tickets_list"):
            standin.faults.add(route, "status", status=404, times=None)
        with pytest.raises(NotFoundError):
            list(source.fetch("tickets", ["1"]))


def test_newest_tells_what_changed_since_it_was_asked_last_in_one_call() -> None:
    clock = Clock()
    with account(clock, tickets=spread(5)) as (standin, source):
        assert isinstance(source, Hinting)
        first = source.newest(None)
        assert first.ticket_remote_ids == ()
        standin.touch([4, 2], priority=4)
        hints = source.newest(first.cursor)
        assert set(hints.ticket_remote_ids) == {"2", "4"}
        standin.touch([5], priority=4)
        again = source.newest(json.loads(json.dumps(hints.cursor)))
        assert again.ticket_remote_ids == ("5",)
        assert source.newest(again.cursor).ticket_remote_ids == ()
        clock.now += timedelta(seconds=4)
        standin.touch([2], priority=1)
        assert source.newest(again.cursor).ticket_remote_ids == ("2",)
        assert sum(standin.calls.values()) == 5


def test_spam_and_deleted_are_tombstones_and_may_come_back() -> None:
    clock = Clock()
    tickets = [ticket(1, START), ticket(2, START, spam=True), ticket(3, START, deleted=True)]
    said = [conversation(10 + number, number) for number in (1, 2, 3)]
    with account(clock, tickets=tickets, conversations=said) as (standin, source):
        pages = pull(source)
        records = {r.remote_id: r for page in pages for r in page.records}
        assert {k: r.is_tombstone for k, r in records.items()} == {"1": False, "2": True, "3": True}
        known = {k: json.loads(r.payload) for k, r in records.items()}
        assert known["2"]["spam"] is True and "conversations" not in known["2"]
        assert known["3"]["deleted"] is True and known["3"]["conversations"][0]["id"] == 13
        clock.now += timedelta(minutes=10)
        standin.touch([3], deleted=False)
        standin.touch([1], deleted=True)
        pages = pull(source, cursor=pages[-1].cursor)
        records = {r.remote_id: r for page in pages for r in page.records}
        assert {k: r.is_tombstone for k, r in records.items()} == {"1": True, "3": False}


def test_signed_addresses_of_attachments_do_not_make_new_versions() -> None:
    def file(signature: str) -> list[dict[str, Any]]:
        url = f"https://s3.example/a.png?X-Amz-Date=1&X-Amz-Signature={signature}"
        return [{"id": 1, "attachment_url": url, "thumb_url": "https://files.example/t?size=2"}]

    payloads = []
    for signature in ("aaa", "bbb"):
        tickets = [ticket(1, START, attachments=file(signature))]
        with account(tickets=tickets) as (_, source):
            payloads.append(pull(source)[0].records[0].payload)
    assert payloads[0] == payloads[1]
    attachment = json.loads(payloads[0])["attachments"][0]
    assert attachment["attachment_url"] == "https://s3.example/a.png"
    assert attachment["thumb_url"] == "https://files.example/t?size=2"


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [("7", 7.0), ("2.5", 2.5), ("Fri, 20 Mar 2026 12:00:09 GMT", 9.0), (None, None)],
)
def test_waits_as_long_as_it_is_told(retry_after: str | None, waited: float | None) -> None:
    clock = Clock()
    with account(clock, tickets=spread(2)) as (standin, source):
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        standin.faults.add("tickets_list", "status", status=429, headers=headers)
        pages = pull(source)
        assert sorted(ids(pages)) == [1, 2]
        assert len(clock.slept) == 1
        if waited is not None:
            assert clock.slept == [pytest.approx(waited, abs=0.01)]
            assert pages[0].seconds_waited == pytest.approx(waited, abs=0.01)


def test_wait_beyond_the_patience_ends_the_pull_and_the_next_goes_on() -> None:
    with account(tickets=spread(250)) as (standin, source):
        standin.faults.add(
            "tickets_list", "status", status=429, headers={"Retry-After": "3600"}, after=1
        )
        pages: list[Page] = []
        with pytest.raises(RateLimitedError) as caught:
            for page in source.pull("tickets", None):
                pages.append(page)  # noqa: PERF402 - the pages before the error are wanted
        assert caught.value.retry_after_seconds == pytest.approx(3600, abs=1)
        assert len(ids(pages)) == 100
    with account(tickets=spread(250)) as (_, source):
        rest = pull(source, cursor=pages[-1].cursor)
        assert sorted(ids(pages) + ids(rest)) == list(range(1, 251))


def test_limit_of_the_ticket_list_does_not_hold_up_the_other_calls() -> None:
    clock = Clock()
    limits = Limits(total=10_000, tickets_list=2, contacts_list=2)
    with account(clock, tickets=spread(5), limits=limits) as (_, source):
        source.session.budget("tickets list").blocked_until = clock.monotonic() + 60
        pull(source, "agents")
        source.session.request("GET", "api/v2/tickets/1")
        assert clock.slept == []
        next(iter(source.pull("tickets", None)))
        assert clock.slept == [60]


def test_real_limits_are_kept_to_by_several_workers_at_once() -> None:
    """The Growth plan's figures: after the first answer every limit is known, the list's own too."""
    limits, scale = Limits(total=200, tickets_list=20, contacts_list=20), 60
    with FreshdeskStandin(
        {"tickets": spread(200)}, api_key=KEY, limits=limits, time_scale=scale
    ) as standin:
        source = FreshdeskSource(base_url=standin.base_url, api_key=KEY, time_scale=scale)
        pages = pull(source)
        for _ in range(3):
            list(source.inventory("tickets"))
        source.close()
        assert sorted(ids(pages)) == list(range(1, 201))
        refused = sum(status == 429 for *_, status in standin.recent)
        # A hundredth on a machine at rest; time that is scaled by 60 makes a hiccup of it look like seconds.
        assert refused <= 0.03 * len(standin.recent)
        assert source.session.seconds_waited > 0


@pytest.mark.parametrize("kind", ["drop_request", "drop_reply", "truncate"])
def test_cut_lines_are_tried_again(kind: Any) -> None:
    with account(tickets=spread(20)) as (standin, source):
        for route in ("tickets_list", "ticket"):
            standin.faults.add(route, kind)
        assert sorted(ids(pull(source))) == list(range(1, 21))


def test_failure_among_the_children_loses_the_page_not_the_stream() -> None:
    with account(tickets=spread(150)) as (standin, source):
        standin.faults.add("ticket", "status", status=500, times=None, after=120)
        pages: list[Page] = []
        with pytest.raises(UnavailableError):
            for page in source.pull("tickets", None):
                pages.append(page)  # noqa: PERF402
        assert len(ids(pages)) == 100
        standin.faults.clear()
        rest = pull(source, cursor=pages[-1].cursor)
        assert sorted(ids(pages) + ids(rest)) == list(range(1, 151))


def test_wrong_key_is_an_auth_error_without_the_key() -> None:
    with account(tickets=spread(1)) as (standin, _):
        source = FreshdeskSource(base_url=standin.base_url, api_key="wr0ng-key")
        with pytest.raises(AuthError) as caught:
            list(source.pull("agents", None))
        result = source.check()
        source.close()
        for text in (str(caught.value), result.detail):
            assert "credential is refused" in text and "wr0ng-key" not in text
        assert not result.works


def test_host_that_is_down_says_which_host() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source = FreshdeskSource(
        base_url=f"http://127.0.0.1:{port}",
        api_key=KEY,
        policy=Policy(tries=2, backoff_seconds=0.01),
    )
    result = source.check()
    source.close()
    assert not result.works and f"127.0.0.1:{port}" in result.detail


def test_page_of_a_proxy_is_no_list() -> None:
    with account(tickets=spread(1)) as (standin, source):
        standin.faults.add("agents", "status", status=200, body="<html>sign in</html>")
        with pytest.raises(UnavailableError, match="not JSON"):
            list(source.pull("agents", None))
        standin.faults.add("agents", "status", status=200, body={"message": "hello"})
        with pytest.raises(UnavailableError, match="where a list was expected"):
            list(source.pull("agents", None))


def test_check_when_there_is_no_such_account_names_the_setting() -> None:
    with account(tickets=spread(3)) as (standin, source):
        standin.faults.add("tickets_list", "status", status=404)
        result = source.check()
        assert not result.works and "Check 'domain'" in result.detail


AGENTS = [{"id": 21, "ticket_scope": 1, "contact": {"name": "Boris"}}]


def test_check_works_and_names_the_agent() -> None:
    with account(tickets=spread(3), agents=AGENTS) as (standin, source):
        assert source.check().works
        assert "Boris" in source.check().detail
        standin.faults.add("me", "status", status=403)
        assert source.check().works, "a key that may not see agents may see tickets"
        assert sum(standin.calls.values()) == 6


@pytest.mark.parametrize(("scope", "word"), [(1, None), (2, "group"), (3, "restricted")])
def test_check_when_the_agent_sees_some_tickets_only_then_says_so(
    scope: int, word: str | None
) -> None:
    agent = {**AGENTS[0], "ticket_scope": scope}
    with account(tickets=spread(3), agents=[agent]) as (_, source):
        result = source.check()
        assert result.works is (word is None)
        assert word is None or f"has {word} access" in result.detail


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ("acme", "https://acme.freshdesk.com/"),
        ("acme.freshdesk.com", "https://acme.freshdesk.com/"),
        ("https://acme.freshdesk.com/", "https://acme.freshdesk.com/"),
    ],
)
def test_address_of_a_domain(domain: str, url: str) -> None:
    source = FreshdeskSource(domain=domain, api_key=KEY)
    assert source.session.base_url == url
    source.close()


def test_no_address_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="'domain'"):
        FreshdeskSource(api_key=KEY)


def test_whole_lists_come_by_page_once_an_hour() -> None:
    clock = Clock()
    companies = [{"id": number, "name": f"c{number}"} for number in range(1, 231)]
    with account(clock, companies=companies) as (standin, source):
        pages = pull(source, "companies")
        assert ids(pages) == list(range(1, 231)) and standin.calls["companies"] == 3
        idle = pull(source, "companies", pages[-1].cursor)
        assert ids(idle) == [] and standin.calls["companies"] == 3
        clock.now += timedelta(minutes=61)
        assert len(ids(pull(source, "companies", idle[-1].cursor))) == 230
        half = next(iter(source.pull("companies", None)))
        assert ids(pull(source, "companies", half.cursor)) == list(range(101, 231))


def test_fields_tell_which_statuses_stop_the_timer_where_the_key_may_see_it() -> None:
    names = {"6": ["With the lab", "Being Processed"]}
    fields = [
        {"id": 1, "type": "default_status", "choices": names},
        {"id": 2, "type": "custom_text"},
    ]
    choices = [{"id": 6, "value": "With the lab", "stop_sla_timer": True}]
    admin = [{**fields[0], "choices": choices}, fields[1]]
    with account(ticket_fields=fields, admin_ticket_fields=admin) as (standin, source):
        assert bodies(pull(source, "ticket_fields")) == fields
        standin.is_admin = True
        told = bodies(pull(source, "ticket_fields"))
        assert told == [{**fields[0], "admin_choices": choices}, fields[1]]
        standin.faults.add("ticket_fields", "status", status=404)
        (status, _) = bodies(pull(source, "ticket_fields"))
        assert status["admin_choices"] == choices and "choices" not in status


def test_products_and_roles_may_be_missing_and_other_lists_may_not() -> None:
    clock = Clock()
    products = [{"id": 3, "name": "Ovens"}]
    with account(clock, products=products) as (standin, source):
        assert bodies(pull(source, "products")) == products
        standin.faults.add("roles", "status", status=403, body={"code": "access_denied"})
        pages = pull(source, "roles")
        assert ids(pages) == [] and pull(source, "roles", pages[-1].cursor)[0].calls == 0
        standin.faults.add("groups", "status", status=403, body={"code": "access_denied"})
        with pytest.raises(AuthError):
            pull(source, "groups")


def test_time_entries_belong_to_their_ticket_and_are_read_again_for_two_weeks() -> None:
    clock = Clock()
    entries = [
        {
            "id": n,
            "ticket_id": 5,
            "time_spent": "00:10",
            "executed_at": stamp(NOW - timedelta(days=n)),
        }
        for n in range(1, 31)
    ]
    with account(clock, time_entries=entries) as (standin, source):
        pages = pull(source, "time_entries")
        assert sorted(ids(pages)) == list(range(1, 31))
        assert {r.ticket_remote_id for page in pages for r in page.records} == {"5"}
        clock.now += timedelta(hours=2)
        standin.account.time_entries[9]["time_spent"] = "03:00"
        again = {b["id"]: b for b in bodies(pull(source, "time_entries", pages[-1].cursor))}
        assert again[9]["time_spent"] == "03:00" and 29 not in again


def test_tokens_of_inline_images_are_not_stored_and_their_ids_are() -> None:
    def token(signature: str) -> str:
        claims = base64.urlsafe_b64encode(b'{"id":2040061,"domain":"acme"}').decode().rstrip("=")
        return f"eyJhbGciOiJIUzI1NiJ9.{claims}.{signature}"

    payloads = []
    for signature in ("aaa-1", "bbb_2"):
        host = "https://attachment.freshdesk.example/inline/attachment"
        signed = f"https://s3.example/i.png?X-Amz-Date=1&amp;X-Amz-Signature={signature}"
        html = f'<img src="{host}?token={token(signature)}"><img src="{signed}"> a=b?c'
        tickets = [ticket(1, START, description=html)]
        said = [conversation(1, 1, body=html)]
        with account(tickets=tickets, conversations=said) as (_, source):
            payloads.append(pull(source)[0].records[0].payload)
    assert payloads[0] == payloads[1]
    body = json.loads(payloads[0])
    wanted = (
        '<img src="https://attachment.freshdesk.example/inline/attachment?id=2040061">'
        '<img src="https://s3.example/i.png"> a=b?c'
    )
    assert body["description"] == body["conversations"][0]["body"] == wanted


def test_ticket_fields_and_agents_come_as_they_are() -> None:
    fields = [{"id": 1, "type": "default_status", "choices": {"6": ["Waiting", "Waiting"]}}]
    agents = [{"id": 900, "available": True, "contact": {"name": "A"}}]
    with account(ticket_fields=fields, agents=agents) as (_, source):
        assert bodies(pull(source, "ticket_fields")) == fields
        (page,) = pull(source, "agents")
        before = page.records[0]
        after = RawRecord("agents", "900", before.payload.replace(b"true", b"false"))
        volatile = source.volatile_fields["agents"]
        assert raw.content_sha256(before, volatile) == raw.content_sha256(after, volatile)


def test_list_that_ignores_page_numbers_does_not_go_on_for_ever() -> None:
    with account() as (standin, source):
        rows = [{"id": number} for number in range(100)]
        standin.faults.add("agents", "status", status=200, body=rows, times=None)
        with pytest.raises(UnavailableError, match="ignores page numbers"):
            list(source.pull("agents", None))


def test_contacts_come_by_update_and_deleted_ones_as_tombstones() -> None:
    clock = Clock()
    old = stamp(START)
    contacts = [{"id": n, "name": f"p{n:03}", "updated_at": old} for n in range(1, 151)]
    contacts.append({"id": 200, "name": "gone", "deleted": True, "updated_at": old})
    with account(clock, contacts=contacts) as (standin, source):
        pages = pull(source, "contacts")
        assert sorted(ids(pages)) == [*range(1, 151), 200]
        assert [r.is_tombstone for p in pages for r in p.records if r.remote_id == "200"] == [True]
        assert ids(pull(source, "contacts", pages[-1].cursor)) == []
        clock.now += timedelta(hours=2)
        standin.account.apply(
            {"contacts": [{"id": 3, "name": "new name", "updated_at": stamp(clock.now)}]}
        )
        assert ids(pull(source, "contacts", pages[-1].cursor)) == [3]
        for cut in range(1, len(pages)):
            rest = pull(source, "contacts", pages[cut - 1].cursor)
            assert set(ids(pages[:cut])) | set(ids(rest)) == {*range(1, 151), 200}


def test_ratings_of_two_weeks_are_read_again_once_an_hour() -> None:
    clock = Clock()
    ratings = [
        {
            "id": number,
            "ticket_id": 1,
            "ratings": {"default_question": 103},
            "created_at": stamp(NOW - timedelta(days=number)),
        }
        for number in range(1, 121)
    ]
    with account(clock, satisfaction_ratings=ratings) as (_, source):
        pages = pull(source, "satisfaction_ratings")
        assert len(ids(pages)) == 120 and pages[0].records[0].ticket_remote_id == "1"
        soon = pull(source, "satisfaction_ratings", pages[-1].cursor)
        assert ids(soon) == [1]
        clock.now += timedelta(hours=1)
        later = pull(source, "satisfaction_ratings", soon[-1].cursor)
        assert sorted(ids(later)) == list(range(1, 16))
        assert len(ids(pull(source, "satisfaction_ratings", pages[0].cursor))) == 20


def test_plan_without_surveys_has_no_ratings() -> None:
    with account(has_surveys=False) as (_, source):
        assert ids(pull(source, "satisfaction_ratings")) == []


def test_rows_without_id_or_time_are_kept_raw() -> None:
    strange = [{"subject": "no id"}, "text", {"id": 5}]
    with account() as (standin, source):
        standin.faults.add("tickets_list", "status", status=200, body=strange)
        pages = pull(source)
        records = [record for page in pages for record in page.records]
        assert len({record.remote_id for record in records}) == 3
        batch = freshdesk.normalise({"tickets": records})
        assert len(batch.rejected) == 3 and batch.tickets == []


def test_lone_surrogates_and_nul_pass_through() -> None:
    with account(tickets=[]) as (standin, source):
        body = b'[{"id":1,"subject":"a\\ud800\\u0000b","updated_at":"2025-06-01T08:00:00Z","attachments":[]}]'
        standin.faults.add("tickets_list", "status", status=200, body=body)
        record = pull(source)[0].records[0]
        assert json.loads(record.payload)["subject"] == "a\ud800\x00b"


def test_pages_commit_with_their_cursor_and_again_stores_nothing(engine: Engine) -> None:
    clock = Clock()

    def sync(source: FreshdeskSource, cursor_of: Callable[[], Any]) -> int:
        state = cursor_of()
        sequence, stored = state.sequence, 0
        for page in source.pull("tickets", state.cursor):
            with writing(engine) as connection:
                result = raw.store_page(
                    connection,
                    "acme",
                    "freshdesk",
                    "tickets",
                    page,
                    sequence=sequence,
                    fetched_at=clock(),
                )
            sequence, stored = sequence + 1, stored + result.stored
        return stored

    def state() -> Any:
        with writing(engine) as connection:
            return raw.stream_state(connection, "acme", "freshdesk", "tickets")

    with account(clock, tickets=spread(130)) as (standin, source):
        assert sync(source, state) == 130
        assert sync(source, state) == 0
        standin.touch([7], status=4)
        clock.now += timedelta(minutes=3)
        assert sync(source, state) == 1
        with writing(engine) as connection:
            latest = list(
                raw.latest_records(
                    connection, "acme", "freshdesk", "tickets", ticket_remote_ids=["7"]
                )
            )
        batch = freshdesk.normalise({"tickets": latest})
        assert batch.tickets[0].status == "solved"
        assert [c.new_value for c in batch.changes if c.field == "status"] == ["open", "solved"]
