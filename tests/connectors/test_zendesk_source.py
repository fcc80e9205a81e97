"""The Zendesk source against its stand-in: every stream, cuts, limits, faults, odd accounts."""

import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from connectors.contract import Hinting, Listed, Page, Reconcilable, Source
from connectors.errors import (
    AuthError,
    ConfigurationError,
    CursorExpiredError,
    PermanentError,
    RateLimitedError,
    UnavailableError,
)
from connectors.http import Policy
from connectors.oauth import OAuthCredential
from connectors.standins.oauth import TokenDesk
from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_life import Life
from connectors.standins.zendesk_sample import NOW, Clock, account, stamp
from connectors.warehouse.raw import store_page, stream_state
from connectors.warehouse.tables import raw_record
from connectors.zendesk.account import open_session
from connectors.zendesk.source import STREAMS, ZendeskSource
from transforms.model import Batch, RawRecord
from transforms.zendesk import normalise

Slept = list[float]


@contextmanager
def source_of(
    zendesk: ZendeskStandin, clock: Clock, *, slept: Slept | None = None, **options: Any
) -> Iterator[ZendeskSource]:
    """A source whose waits are noted instead of waited for."""
    moved = [0.0]

    def sleep(seconds: float) -> None:
        moved[0] += seconds
        if slept is not None:
            slept.append(seconds)

    session = open_session(
        options.pop("base_url", zendesk.base_url),
        zendesk.email,
        options.pop("token", zendesk.token),
        label="client acme, source zendesk",
        policy=options.pop("policy", None),
        clock=lambda: moved[0],
        sleep=sleep,
        wall_clock=clock,
    )
    with session:
        yield ZendeskSource(
            base_url=zendesk.base_url, email="", token="", session=session, now=clock, **options
        )


def standin(data: dict[str, Any], clock: Clock, **options: Any) -> ZendeskStandin:
    return ZendeskStandin(
        data, now=clock, exports_per_minute=1_000, calls_per_minute=10_000, **options
    )


def ids(pages: list[Page]) -> list[str]:
    return [record.remote_id for page in pages for record in page.records]


def small_pages(source: ZendeskSource, size: int) -> None:
    for walker in source._walkers.values():
        walker._size = size


def test_full_pull_when_streams_are_pulled_in_order_then_all_is_there_and_normalises() -> None:
    clock = Clock()
    with standin(account(30), clock) as zendesk, source_of(zendesk, clock) as source:
        assert isinstance(source, Source)
        assert tuple(source.streams) == STREAMS
        pulled = {stream: list(source.pull(stream, None)) for stream in source.streams}
        counts = {stream: len(set(ids(pages))) for stream, pages in pulled.items()}
        assert {stream: count for stream, count in counts.items() if count} == {
            "users": 3,
            "organizations": 2,
            "groups": 1,
            "tickets": 30,
            "ticket_events": 30,
            "satisfaction_ratings": 1,
        }
        assert all(pages[-1].complete for pages in pulled.values())
        records = {s: [r for page in pages for r in page.records] for s, pages in pulled.items()}
        assert records["ticket_events"][0].ticket_remote_id == "1001"
        assert records["satisfaction_ratings"][0].ticket_remote_id == "1001"
        batch = normalise(records, base_url=source.address)
        assert (len(batch.tickets), len(batch.comments), len(batch.ratings)) == (30, 30, 1)
        assert (batch.rejected, batch.warnings) == ([], [])


@pytest.mark.parametrize("stream", ["users", "organizations", "tickets", "ticket_events"])
def test_pull_when_cut_after_any_page_then_goes_on_behind_it(stream: str) -> None:
    clock = Clock()
    with standin(account(13), clock) as zendesk, source_of(zendesk, clock) as source:
        small_pages(source, 3)
        whole = list(source.pull(stream, None))
        for cut in range(len(whole)):
            cursor = json.loads(json.dumps(whole[cut].cursor))
            rest = [] if whole[cut].complete else list(source.pull(stream, cursor))
            assert set(ids(whole[: cut + 1])) | set(ids(rest)) == set(ids(whole))
            if rest:
                assert ids(rest[:1]) == ids(whole[cut + 1 : cut + 2])


def test_page_when_pulled_twice_from_one_cursor_then_has_the_same_records() -> None:
    clock = Clock()
    with standin(account(9), clock) as zendesk, source_of(zendesk, clock) as source:
        small_pages(source, 4)
        first = next(source.pull("tickets", None))
        twice = [next(source.pull("tickets", first.cursor)) for _ in range(2)]
        assert twice[0].records == twice[1].records
        assert twice[0].cursor == twice[1].cursor


@pytest.mark.parametrize("stream", STREAMS)
def test_finished_stream_when_pulled_again_then_brings_nothing_new_in_one_page(stream: str) -> None:
    clock = Clock()
    with standin(account(5), clock) as zendesk, source_of(zendesk, clock) as source:
        first = list(source.pull(stream, None))
        again = list(source.pull(stream, first[-1].cursor))
        assert len(again) == 1
        assert again[0].complete
        assert set(ids(again)) <= set(ids(first))
        third = list(source.pull(stream, again[-1].cursor))
        assert third[0].cursor == again[0].cursor


def test_change_without_an_update_when_polled_later_then_is_seen() -> None:
    clock = Clock()
    with standin(account(5), clock) as zendesk, source_of(zendesk, clock) as source:
        cursor = list(source.pull("tickets", None))[-1].cursor
        zendesk.touch(1002)
        assert ids(list(source.pull("tickets", cursor))) == []
        clock.move(60)
        (page,) = source.pull("tickets", cursor)
        assert ids([page]) == ["1002"]


def test_deleted_and_scrubbed_tickets_when_pulled_then_are_tombstones() -> None:
    clock = Clock()
    data = account(3)
    data["tickets"][0]["status"] = "deleted"
    data["users"][1]["active"] = False
    data["organizations"][0]["deleted_at"] = "2026-01-01T00:00:00Z"
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        zendesk.scrub(1002)
        clock.move(61)
        dead = {
            stream: [
                r.remote_id for p in source.pull(stream, None) for r in p.records if r.is_tombstone
            ]
            for stream in ("tickets", "users", "organizations", "groups")
        }
        assert dead == {
            "tickets": ["1001", "1002"],
            "users": ["11"],
            "organizations": ["31"],
            "groups": [],
        }


def test_twelve_hundred_rows_in_one_second_when_exported_by_cursor_then_all_come_once() -> None:
    clock = Clock()
    data = account(1_200, step=lambda n: NOW - timedelta(days=1), events=False)
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        pages = list(source.pull("tickets", None))
        assert [len(page.records) for page in pages] == [1_000, 200]
        assert len(set(ids(pages))) == 1_200


def crowded(n: int) -> datetime:
    """Three tickets, then all others a day later within one second."""
    return NOW - timedelta(days=2 if n <= 3 else 1)


def test_twelve_hundred_events_in_one_second_when_exported_by_time_then_all_come() -> None:
    clock = Clock()
    data = account(1_203, step=crowded)
    data["archived_ticket_ids"] = [1_900, 1_901]
    data["tickets"][1_100]["status"] = "deleted"
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        pages = list(source.pull("ticket_events", None))
        missed = set(ids(list(pages))) ^ {str(event["id"]) for event in data["ticket_events"]}
        # A deleted ticket's history is not to be had ticket by ticket.
        assert missed == {str(data["ticket_events"][1_100]["id"])}
        assert pages[-1].complete
        assert zendesk.calls["events_export"] == 3
        assert zendesk.calls["tickets_export"] == 2
        assert zendesk.calls["audits"] == 1_199
        cursor = pages[-1].cursor
        assert cursor["late"][0]["at"] == int((NOW - timedelta(days=1)).timestamp())
        clock.move(62)
        again = list(source.pull("ticket_events", cursor))
        assert again[-1].complete
        assert "late" not in again[-1].cursor
        assert zendesk.calls["tickets_export"] == 3


def test_full_second_when_read_by_tickets_then_both_shapes_of_an_event_are_one_version(
    sqlite_engine: Engine,
) -> None:
    clock = Clock()
    data = account(1_203, step=crowded)
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        with sqlite_engine.begin() as connection:
            for number, page in enumerate(source.pull("ticket_events", None)):
                store_page(
                    connection, "acme", "zendesk", "ticket_events", page, sequence=number,
                    fetched_at=clock(),
                )  # fmt: skip
            rows = connection.execute(
                select(func.count(), func.max(raw_record.c.version)).select_from(raw_record)
            ).one()
        assert tuple(rows) == (1_203, 1)


def test_full_second_when_a_ticket_hides_in_the_last_minute_then_its_events_come_too() -> None:
    clock = Clock()
    data = account(1_203, step=crowded)
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        updated, touched = 2_202, 2_203
        with zendesk.lock:
            row = dict(zendesk.state.tickets.get(updated) or {})
            row |= {"updated_at": stamp(NOW), "generated_timestamp": int(NOW.timestamp())}
            zendesk.state.record("ticket", operation="system", ticket=row, comments=[], events=[])
        zendesk.touch(touched)
        pages = list(source.pull("ticket_events", None))
        tickets = {r.ticket_remote_id for page in pages for r in page.records}
        assert str(updated) in tickets
        # Touched by the system alone, it stands in no list until the minute is over.
        assert str(touched) not in tickets
        clock.move(62)
        later = list(source.pull("ticket_events", pages[-1].cursor))
        assert str(touched) in {r.ticket_remote_id for page in later for r in page.records}
        assert later[-1].complete
        assert "late" not in later[-1].cursor


def test_full_second_when_cut_after_any_page_then_at_most_one_call_is_made_again() -> None:
    clock = Clock()
    data = account(1_050, step=lambda n: NOW - timedelta(days=1))
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        whole = list(source.pull("ticket_events", None))
        calls = sum(page.calls for page in whole)
        cursor, cuts, made, seen = None, 0, 0, set()
        rng = random.Random(7)
        while True:
            before = source.session.calls
            walk = source.pull("ticket_events", cursor)
            for page in walk:
                seen.update(record.remote_id for record in page.records)
                cursor = json.loads(json.dumps(page.cursor))
                if page.complete or rng.random() < 0.02:
                    break
            made += source.session.calls - before
            if page.complete:
                break
            cuts += 1
        assert cuts >= 5
        assert seen == set(ids(whole))
        assert made <= calls + cuts


def test_full_seconds_when_they_follow_each_other_then_their_tickets_are_read_once() -> None:
    clock = Clock()
    start = NOW - timedelta(days=1)
    data = account(3_600, step=lambda n: start + timedelta(seconds=(n - 1) // 1_200))
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        pages = list(source.pull("ticket_events", None))
        assert len(set(ids(pages))) == 3_600
        assert zendesk.calls["audits"] == 3_600
        assert zendesk.calls["tickets_export"] == 4
        assert zendesk.calls["events_export"] == 5


def test_refused_walk_when_something_hangs_on_its_end_then_nothing_is_concluded() -> None:
    clock = Clock()
    data = account(1_203, step=crowded)
    refusal = {"error": "StartTimeTooRecent", "description": "Too recent start_time"}
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        zendesk.faults.add("tickets_export", "status", status=400, body=refusal, times=2)
        pages = []
        with pytest.raises(UnavailableError, match="clock"):
            pages.extend(source.inventory("tickets"))
        walk = source.pull("ticket_events", None)
        read: list[Page] = []
        with pytest.raises(UnavailableError, match="clock"):
            read.extend(walk)
        read += source.pull("ticket_events", read[-1].cursor)
        assert len(set(ids(read))) == 1_203
        for stream in ("organizations", "users"):
            fault = "users_export" if stream == "users" else "organizations_export"
            zendesk.faults.add(fault, "status", status=400, body=refusal)
            with pytest.raises(UnavailableError, match="clock"):
                list(source.inventory(stream))


def test_full_second_of_an_import_when_its_tickets_say_they_are_old_then_all_come() -> None:
    clock = Clock()
    data = account(1_203, step=crowded)
    for ticket, event in zip(data["tickets"], data["ticket_events"], strict=True):
        ticket["generated_timestamp"] = event["timestamp"]
        ticket["created_at"] = ticket["updated_at"] = "2025-03-01T00:00:00Z"
        event["created_at"] = "2025-03-01T00:00:00Z"
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        pages = list(source.pull("ticket_events", None))
        assert len(set(ids(pages))) == 1_203


def test_small_pages_and_504_when_a_second_is_full_then_the_walk_ends() -> None:
    clock = Clock()
    data = account(300, step=lambda n: NOW - timedelta(days=1))
    with (
        standin(data, clock, largest_page=100) as zendesk,
        source_of(zendesk, clock) as source,
    ):
        pages = list(source.pull("ticket_events", None))
        assert len(set(ids(pages))) == 300
        assert pages[-1].complete


def test_twelve_hundred_organizations_in_one_second_when_pulled_then_all_come_by_the_list() -> None:
    clock = Clock()
    data = account(1)
    data["organizations"] = [
        {"id": n, "name": f"O{n}", "created_at": stamp(at), "updated_at": stamp(at)}
        for n, at in (
            (n, NOW - timedelta(days=3 if n < 5 else 1 if n > 1_210 else 2))
            for n in range(1, 1_216)
        )
    ]
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        pages = list(source.pull("organizations", None))
        assert {int(one) for one in ids(pages)} == set(range(1, 1_216))
        assert zendesk.calls["organizations"] == 13
        middle = pages[4].cursor
        rest = list(source.pull("organizations", middle))
        assert set(ids(pages[:5])) | set(ids(rest)) == set(ids(pages))


def test_comment_without_body_when_exported_then_is_read_from_its_ticket_once() -> None:
    clock = Clock()
    data = account(4)
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        source._walkers["ticket_events"]._params.pop("include")
        pages = list(source.pull("ticket_events", None))
        latest = {r.remote_id: r for page in pages for r in page.records}
        batch = normalise({"ticket_events": latest.values(), "tickets": _tickets(source)})
        assert sorted(c.text for c in batch.comments) == [f"Question {n}?" for n in range(1, 5)]
        calls = zendesk.calls["audits"]
        assert calls == 4
        list(source.pull("ticket_events", pages[-1].cursor))
        assert zendesk.calls["audits"] == calls


def test_redaction_when_told_then_the_earlier_comment_comes_again_without_its_words() -> None:
    clock = Clock()
    with standin(account(3), clock) as zendesk, source_of(zendesk, clock) as source:
        cursor = list(source.pull("ticket_events", None))[-1].cursor
        with zendesk.lock:
            comment = zendesk.state.comments_of(1_002)[0]
            Life(zendesk, random.Random(1)).redact(1_002, comment["id"])
        clock.move(62)
        records = [r for p in source.pull("ticket_events", cursor) for r in p.records]
        batch = normalise({"ticket_events": records, "tickets": _tickets(source)})
        assert "▇▇▇" in {c.text for c in batch.comments if c.ticket_remote_id == "1002"}
        assert zendesk.calls["audits"] == 1


def _tickets(source: ZendeskSource) -> list[RawRecord]:
    return [r for page in source.pull("tickets", None) for r in page.records]


def test_fetch_when_tickets_are_named_then_gives_them_with_their_events_and_tombstones() -> None:
    clock = Clock()
    data = account(120)
    data["tickets"][4]["status"] = "deleted"
    data["archived_ticket_ids"] = [1_007]
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        wanted = [str(n) for n in range(1_001, 1_121)] + ["99999", "unreadable-1"]
        records = [r for page in source.fetch("tickets", wanted) for r in page.records]
        tickets = {r.remote_id: r for r in records if r.stream == "tickets"}
        assert set(tickets) == {*wanted[:-1]}
        assert {one for one, r in tickets.items() if r.is_tombstone} == {"1005", "99999"}
        assert json.loads(tickets["1005"].payload)["deleted_at"] == data["tickets"][4]["updated_at"]
        events = [r for r in records if r.stream == "ticket_events"]
        assert {r.ticket_remote_id for r in events} == set(wanted[:-2]) - {"1005"}
        assert zendesk.calls["tickets_show_many"] == 2
        pulled = {r.remote_id: r for p in source.pull("ticket_events", None) for r in p.records}
        assert all(pulled[r.remote_id].version_key == r.version_key for r in events)
        rows = {r.remote_id: json.loads(r.payload) for r in _tickets(source)}
        volatile = source.volatile_fields["tickets"]
        for one, record in tickets.items():
            if not record.is_tombstone:
                row = {n: v for n, v in rows[one].items() if n not in volatile}
                told = {n: v for n, v in json.loads(record.payload).items() if n not in volatile}
                assert told == row


def test_audits_when_read_instead_of_exported_events_then_the_history_is_the_same() -> None:
    clock = Clock()
    with standin(account(6), clock) as zendesk, source_of(zendesk, clock) as source:
        life = Life(zendesk, random.Random(11))
        with zendesk.lock:
            for number in (1_001, 1_002, 1_003):
                clock.move(1)
                life.comment(number, is_public=number != 1_002)
                life.change(number, status="pending", priority="urgent", additional_tags=["x"])
            clock.move(1)
            life.merge(1_003, 1_004)
            life.change(1_001, status="solved")
        clock.move(62)
        common = {
            stream: [r for p in source.pull(stream, None) for r in p.records]
            for stream in ("users", "organizations", "groups", "tickets")
        }
        exported = [r for p in source.pull("ticket_events", None) for r in p.records]
        names = [str(n) for n in range(1_001, 1_007)]
        fetched = [r for p in source.fetch("tickets", names) for r in p.records]
        audits = [r for r in fetched if r.stream == "ticket_events"]
        assert {r.payload for r in exported}.isdisjoint(r.payload for r in audits)
        of_export = normalise({**common, "ticket_events": exported})
        of_audits = normalise({**common, "ticket_events": audits})

        def said(batch: Batch) -> Any:
            comments = [
                (c.remote_id, c.created_at, c.author_remote_id, c.author_kind, c.is_public, c.text)
                for c in batch.comments
            ]
            changes = [
                (c.remote_id, c.field, c.old_value, c.new_value, c.occurred_at, c.position)
                for c in batch.changes
            ]
            links = [(t.remote_id, t.status, t.merged_into_remote_id) for t in batch.tickets]
            return sorted(comments), sorted(changes, key=str), sorted(links)

        assert said(of_audits) == said(of_export)
        assert ("1003", "merged", "1004") in said(of_audits)[2]
        versions = {r.remote_id: r.version_key for r in exported}
        assert versions == {r.remote_id: r.version_key for r in audits}


def test_ticket_whose_comments_are_fewer_than_counted_when_fetched_then_has_them_all() -> None:
    clock = Clock()
    with standin(account(4), clock) as zendesk, source_of(zendesk, clock) as source:
        with zendesk.lock:
            Life(zendesk, random.Random(1)).comment(1_002, is_public=False)
        clock.move(62)
        events = [r for p in source.pull("ticket_events", None) for r in p.records]
        # As if the export had left out an event; nothing else would ever bring it.
        kept = [r for r in events if r.ticket_remote_id != "1002"][:3]
        tickets = _tickets(source)
        batch = normalise({"tickets": tickets, "ticket_events": kept})
        assert {w.ticket_remote_id for w in batch.warnings if w.rule == "no history yet"} == {
            "1002"
        }
        here = Counter(c.ticket_remote_id for c in batch.comments)
        names = [one for page in source.inventory("tickets") for one in page]
        short = [one.remote_id for one in names if one.counts_otherwise(here[one.remote_id])]
        assert short == ["1002"]
        calls = source.session.calls
        fetched = [r for p in source.fetch("tickets", short) for r in p.records]
        assert source.session.calls - calls == 2
        mended = normalise(
            {
                "tickets": tickets,
                "ticket_events": [*kept, *(r for r in fetched if r.stream == "ticket_events")],
            }
        )
        here = Counter(c.ticket_remote_id for c in mended.comments)
        assert not [one for one in names if one.counts_otherwise(here[one.remote_id])]


def test_count_that_may_leave_out_notes_when_more_is_here_then_is_no_difference() -> None:
    assert not Listed("1", children=2, children_is_least=True).counts_otherwise(3)
    assert Listed("1", children=2, children_is_least=True).counts_otherwise(1)
    assert Listed("1", children=2).counts_otherwise(3)
    assert not Listed("1").counts_otherwise(3)


def test_gone_ticket_when_only_its_id_is_known_then_ends_with_its_history() -> None:
    clock = Clock()
    with standin(account(2), clock) as zendesk, source_of(zendesk, clock) as source:
        events = [r for p in source.pull("ticket_events", None) for r in p.records]
        with zendesk.lock:
            zendesk.scrub(1_001)
            zendesk.writes.change_row(1_002, status="deleted", updated_at=stamp(clock()))
        tombstones = [r for p in source.fetch("tickets", ["1001", "1002"]) for r in p.records]
        batch = normalise({"tickets": tombstones, "ticket_events": events})
        assert batch.rejected == []
        created = NOW - timedelta(days=2) + timedelta(minutes=1)
        assert [(t.remote_id, t.status, t.created_at, t.updated_at) for t in batch.tickets] == [
            ("1001", "deleted", created, created),
            ("1002", "deleted", created + timedelta(minutes=1), NOW),
        ]
        zendesk.faults.add("deleted_tickets", "status", status=403)
        (plain,) = [r for p in source.fetch("tickets", ["1002"]) for r in p.records]
        assert json.loads(plain.payload) == {"id": 1002, "status": "deleted"}
        ends = [c for c in batch.changes if c.new_value == "deleted"]
        assert {c.ticket_remote_id for c in ends} == {"1001", "1002"}


def test_fetch_when_people_and_teams_are_named_then_the_gone_ones_are_tombstones() -> None:
    clock = Clock()
    with standin(account(1), clock) as zendesk, source_of(zendesk, clock) as source:
        told = {
            (stream, r.remote_id): r.is_tombstone
            for stream, names in (("users", ["11", "12"]), ("organizations", ["31", "39"]), ("groups", ["41", "42"]))
            for page in source.fetch(stream, names)
            for r in page.records
        }  # fmt: skip
        assert told == {
            ("users", "11"): False, ("users", "12"): True,
            ("organizations", "31"): False, ("organizations", "39"): True,
            ("groups", "41"): False, ("groups", "42"): True,
        }  # fmt: skip
        with pytest.raises(ConfigurationError, match="by their ids"):
            list(source.fetch("ticket_events", ["1"]))


def test_inventory_when_listed_then_names_archived_deleted_and_fresh_tickets_with_counts() -> None:
    clock = Clock()
    data = account(5)
    data["tickets"][1]["status"] = "deleted"
    data["archived_ticket_ids"] = [1_001]
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        assert isinstance(source, Reconcilable)
        with zendesk.lock:
            fresh = Life(zendesk, random.Random(3)).new_ticket()
        names = {one.remote_id: one for page in source.inventory("tickets") for one in page}
        assert set(names) == {"1001", "1002", "1003", "1004", "1005", str(fresh)}
        assert [n for n, one in names.items() if one.is_tombstone] == ["1002"]
        assert names["1003"].children == 1
        for stream, count in (("users", 3), ("organizations", 2), ("groups", 1)):
            assert len({one.remote_id for p in source.inventory(stream) for one in p}) == count
        with pytest.raises(ConfigurationError, match="listed whole"):
            list(source.inventory("ticket_events"))


def test_newest_when_asked_again_then_hints_at_changes_only_in_one_call_each() -> None:
    clock = Clock()
    with standin(account(5), clock) as zendesk, source_of(zendesk, clock) as source:
        assert isinstance(source, Hinting)
        life = Life(zendesk, random.Random(3))
        first = source.newest(None)
        assert first.ticket_remote_ids == []
        with zendesk.lock:
            life.comment(1_002)
            life.comment(1_004)
        second = source.newest(json.loads(json.dumps(first.cursor)))
        assert sorted(second.ticket_remote_ids) == ["1002", "1004"]
        assert source.newest(second.cursor).ticket_remote_ids == []
        with zendesk.lock:
            life.comment(1_003)
        third = source.newest(second.cursor)
        assert third.ticket_remote_ids == ["1003"]
        clock.move(5)
        with zendesk.lock:
            life.comment(1_002)
        fourth = source.newest(third.cursor)
        assert fourth.ticket_remote_ids == ["1002"]
        assert source.newest(fourth.cursor).ticket_remote_ids == []
        assert zendesk.calls["tickets"] == 6
        assert zendesk.calls["tickets_export"] == 0


def test_full_second_when_pages_had_been_halved_then_is_passed_with_a_large_page() -> None:
    clock = Clock()
    data = account(200, step=lambda n: NOW - timedelta(days=1))
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        small_pages(source, 100)
        pages = list(source.pull("ticket_events", None))
        assert len(set(ids(pages))) == 200
        assert pages[-1].complete


def test_large_page_when_answered_504_then_is_halved_and_nothing_is_lost() -> None:
    clock = Clock()
    with (
        standin(account(700), clock, largest_page=250) as zendesk,
        source_of(zendesk, clock) as source,
    ):
        pages = list(source.pull("tickets", None))
        assert [len(page.records) for page in pages] == [250, 250, 200]
        assert len(set(ids(pages))) == 700
        assert pages[0].calls > 1


def test_504_at_every_size_when_pulled_then_gives_up_as_unavailable() -> None:
    clock = Clock()
    with (
        standin(account(1), clock, largest_page=1) as zendesk,
        source_of(zendesk, clock) as source,
        pytest.raises(UnavailableError, match="answered 504"),
    ):
        list(source.pull("tickets", None))


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda at: "7", 7, 7),
        (lambda at: "2.5", 2.5, 2.5),
        (lambda at: format_datetime(at + timedelta(seconds=9), usegmt=True), 9, 9),
        (lambda at: None, 0, 2),
    ],
    ids=["integer", "decimal", "date", "absent"],
)
def test_429_when_told_how_long_then_waits_just_that(
    header: Callable[[datetime], str | None], least: float, most: float
) -> None:
    clock = Clock()
    slept: Slept = []
    with standin(account(3), clock) as zendesk, source_of(zendesk, clock, slept=slept) as source:
        told = header(clock())
        headers = {} if told is None else {"Retry-After": told}
        zendesk.faults.add("tickets_export", "status", status=429, headers=headers)
        (page,) = source.pull("tickets", None)
        assert len(page.records) == 3
        assert least <= sum(slept) <= most
        assert page.seconds_waited == pytest.approx(sum(slept))
        assert page.calls == 2


def test_wait_that_is_too_long_when_told_then_the_run_ends_as_rate_limited() -> None:
    clock = Clock()
    with standin(account(3), clock) as zendesk, source_of(zendesk, clock) as source:
        zendesk.faults.add("tickets_export", "status", status=429, headers={"Retry-After": "900"})
        with pytest.raises(RateLimitedError) as caught:
            list(source.pull("tickets", None))
        assert caught.value.retry_after_seconds == pytest.approx(900)


def test_export_limit_when_used_up_then_the_pull_waits_and_other_calls_do_not() -> None:
    clock = Clock()
    with ZendeskStandin(account(40), now=clock, time_scale=300, exports_per_minute=2) as zendesk:
        source = ZendeskSource(
            base_url=zendesk.base_url, email=zendesk.email, token=zendesk.token, now=clock
        )
        small_pages(source, 10)
        with source.session as session:
            pages = list(source.pull("tickets", None))
            assert source.check().works
            assert len(set(ids(pages))) == 40
            assert session.budget("incremental").seconds_waited > 0
            assert session.budget("default").seconds_waited == 0


@pytest.mark.parametrize("kind", ["drop_reply", "drop_request", "truncate"])
def test_cut_line_when_pulling_then_is_asked_again(kind: Any) -> None:
    clock = Clock()
    with standin(account(3), clock) as zendesk, source_of(zendesk, clock) as source:
        zendesk.faults.add("events_export", kind)
        assert len(ids(list(source.pull("ticket_events", None)))) == 3


def test_refused_cursor_when_the_last_row_is_known_then_goes_on_from_it() -> None:
    clock = Clock()
    with standin(account(20), clock) as zendesk, source_of(zendesk, clock) as source:
        small_pages(source, 5)
        pages = list(source.pull("tickets", None))
        expired = {**pages[2].cursor, "after_cursor": "Z2FyYmxlZA=="}
        rest = list(source.pull("tickets", expired))
        assert set(ids(pages[:3])) | set(ids(rest)) == set(ids(pages))
        assert rest[-1].cursor == pages[-1].cursor


def test_refused_cursor_when_nothing_else_is_known_then_says_expired() -> None:
    clock = Clock()
    with (
        standin(account(2), clock) as zendesk,
        source_of(zendesk, clock) as source,
        pytest.raises(CursorExpiredError, match="from its beginning"),
    ):
        list(source.pull("tickets", {"after_cursor": "garbled"}))


def test_cursor_that_comes_again_when_not_ended_then_stops_loudly() -> None:
    clock = Clock()
    with standin(account(2), clock) as zendesk, source_of(zendesk, clock) as source:
        body = {"tickets": [{"id": 1}], "after_cursor": "same", "end_of_stream": False}
        zendesk.faults.add("tickets_export", "status", status=200, body=body, times=5)
        walk = source.pull("tickets", None)
        next(walk)
        with pytest.raises(PermanentError, match="a second time"):
            next(walk)


def test_clock_that_runs_ahead_when_the_start_is_too_fresh_then_ends_without_rows() -> None:
    clock = Clock()
    ahead = Clock(NOW + timedelta(minutes=10))
    with standin(account(3), clock) as zendesk, source_of(zendesk, ahead) as source:
        fresh = int(NOW.timestamp())
        for stream in ("tickets", "ticket_events"):
            (page,) = source.pull(stream, {"start_time": fresh})
            assert (page.records, page.complete, page.cursor) == ([], True, {"start_time": fresh})


def test_fresh_start_when_the_clock_is_right_then_is_held_a_minute_back() -> None:
    clock = Clock()
    with standin(account(3), clock) as zendesk:
        with source_of(zendesk, clock, start_at=NOW + timedelta(days=1)) as source:
            for stream in ("users", "tickets", "organizations", "ticket_events"):
                (page,) = source.pull(stream, None)
                assert (page.records, page.complete) == ([], True)
        with source_of(
            zendesk, clock, start_at=NOW - timedelta(days=1, hours=23, minutes=58)
        ) as source:
            assert ids(list(source.pull("tickets", None))) == ["1002", "1003"]


def test_empty_account_when_pulled_then_each_stream_is_one_empty_complete_page() -> None:
    clock = Clock()
    with standin({}, clock) as zendesk, source_of(zendesk, clock) as source:
        for stream in source.streams:
            (page,) = source.pull(stream, None)
            assert page.complete
            assert ids([page]) == (["1"] if stream == "users" else [])
            (again,) = source.pull(stream, page.cursor)
            assert again.complete


def test_plan_without_ratings_when_pulled_then_the_stream_is_empty_but_a_wrong_token_is_not() -> (
    None
):
    clock = Clock()
    with standin(account(2), clock, has_ratings=False) as zendesk:
        with source_of(zendesk, clock) as source:
            (page,) = source.pull("satisfaction_ratings", None)
            assert (page.records, page.complete) == ([], True)
        with source_of(zendesk, clock, token="wrong") as source, pytest.raises(AuthError):
            list(source.pull("satisfaction_ratings", None))


def test_ratings_when_one_changes_later_then_comes_again() -> None:
    clock = Clock()
    data = account(2)
    data["satisfaction_ratings"] = [
        {
            "id": n,
            "ticket_id": 1001,
            "score": "good",
            "updated_at": stamp(NOW - timedelta(days=300 - n)),
        }
        for n in range(1, 251)
    ]
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        pages = list(source.pull("satisfaction_ratings", None))
        assert [len(page.records) for page in pages] == [100, 100, 50]
        rest = list(source.pull("satisfaction_ratings", pages[0].cursor))
        assert ids(rest) == ids(pages[1:])
        zendesk.state.ratings[7]["updated_at"] = stamp(NOW)
        assert set(ids(list(source.pull("satisfaction_ratings", pages[-1].cursor)))) == {"7", "250"}


def test_one_megabyte_comment_and_lone_surrogate_when_pulled_then_payload_is_whole() -> None:
    clock = Clock()
    data = account(1)
    text = "ü" * 1_000_000
    data["ticket_events"][0]["child_events"][0]["body"] = text
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        (page,) = source.pull("ticket_events", None)
        assert json.loads(page.records[0].payload)["child_events"][0]["body"] == text
        body = {
            "tickets": [{"id": 1, "subject": "x"}, "nonsense", {"subject": "no id"}],
            "after_cursor": None,
            "end_of_stream": True,
        }
        raw = json.dumps(body).replace('"x"', r'"\ud83d broken"')
        zendesk.faults.add("tickets_export", "status", status=200, body=raw)
        (page,) = source.pull("tickets", None)
        assert json.loads(page.records[0].payload)["subject"] == "\ud83d broken"
        assert [r.remote_id.partition("-")[0] for r in page.records] == [
            "1",
            "unreadable",
            "unreadable",
        ]
        batch = normalise({"tickets": page.records})
        assert [r.reason for r in batch.rejected] == [
            "missing created_at",
            "not an object",
            "missing id",
        ]


def test_unknown_status_word_when_pulled_then_counts_as_open() -> None:
    clock = Clock()
    data = account(1)
    data["tickets"][0]["status"] = "waiting_on_vendor"
    with standin(data, clock) as zendesk, source_of(zendesk, clock) as source:
        (page,) = source.pull("tickets", None)
        batch = normalise({"tickets": page.records})
        assert batch.tickets[0].status == "open"
        assert "unknown status" in {w.rule for w in batch.warnings}


def test_page_of_another_product_when_pulled_then_says_so() -> None:
    clock = Clock()
    with standin(account(1), clock) as zendesk, source_of(zendesk, clock) as source:
        zendesk.faults.add("tickets_export", "status", status=200, body={"hello": 1})
        with pytest.raises(UnavailableError, match="is this a Zendesk account"):
            list(source.pull("tickets", None))
        with pytest.raises(ConfigurationError, match="known are users"):
            list(source.pull("macros", None))


def test_check_when_all_is_right_then_names_login_and_role() -> None:
    clock = Clock()
    with standin(account(1), clock) as zendesk, source_of(zendesk, clock) as source:
        result = source.check()
        assert result.works
        assert "Deskbridge (admin)" in result.detail


@pytest.mark.parametrize("anonymous", [False, True])
def test_check_and_pull_when_the_token_is_wrong_then_say_so_without_it(anonymous: bool) -> None:
    clock = Clock()
    data = account(1)
    with (
        standin(data, clock, strangers_are_anonymous=anonymous) as zendesk,
        source_of(zendesk, clock, token="wr0ng-s3cret") as source,
    ):
        result = source.check()
        assert not result.works
        assert "token" in result.detail
        assert "wr0ng-s3cret" not in result.detail
        with pytest.raises(AuthError) as caught:
            list(source.pull("tickets", None))
        assert "wr0ng-s3cret" not in str(caught.value)


def test_check_when_there_is_no_such_account_then_names_the_setting() -> None:
    clock = Clock()
    with standin(account(1), clock) as zendesk, source_of(zendesk, clock) as source:
        zendesk.faults.add("me", "status", status=404, body={"error": "No help desk"})
        result = source.check()
        assert not result.works
        assert "Check 'subdomain'" in result.detail


@pytest.mark.parametrize("anonymous", [False, True])
def test_check_when_the_oauth_token_ran_out_then_takes_a_fresh_one(anonymous: bool) -> None:
    clock, desk = Clock(), TokenDesk()
    options = {"oauth": desk, "strangers_are_anonymous": anonymous}
    with standin(account(1), clock, **options) as zendesk:
        right = OAuthCredential(
            token_url=f"{zendesk.base_url}/oauth/tokens",
            client_id="deskbridge",
            client_secret="made-up-secret",
            refresh_token="seed-refresh-token",
        )
        with open_session(zendesk.base_url, auth=right) as session:
            source = ZendeskSource(
                email="", token="", base_url=zendesk.base_url, session=session, now=clock
            )
            assert source.check().works
            desk.expire_access()
            assert source.check().works
            assert desk.refreshes == 2
            desk.revoke()
            result = source.check()
            assert not result.works
            assert "authorise" in result.detail


@pytest.mark.parametrize(
    ("email", "word"),
    [("boris@acme.example", "administrator"), ("ayse@customer.example", "administrator")],
)
def test_check_when_the_login_may_not_export_then_says_what_it_needs(email: str, word: str) -> None:
    clock = Clock()
    with standin(account(1), clock, email=email) as zendesk, source_of(zendesk, clock) as source:
        result = source.check()
        assert not result.works
        assert word in result.detail


def test_host_that_is_down_when_checked_and_pulled_then_says_so_without_a_traceback() -> None:
    clock = Clock()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with standin(account(1), clock) as zendesk:
            policy = Policy(tries=2)
            with source_of(zendesk, clock, base_url=nowhere, policy=policy) as source:
                result = source.check()
                assert not result.works
                assert "got no answer" in result.detail
                with pytest.raises(UnavailableError):
                    list(source.pull("tickets", None))


@pytest.mark.parametrize(
    "options", [{}, {"subdomain": "acme.zendesk.com"}, {"base_url": "acme.zendesk.com"}]
)
def test_wrong_address_when_configured_then_says_what_is_expected(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        ZendeskSource(email="a@acme.example", token="t", **options)


def test_subdomain_when_given_then_is_the_accounts_address() -> None:
    source = ZendeskSource(email="a@acme.example", token="t", subdomain="acme-2")
    assert source.address == "https://acme-2.zendesk.com"


def test_warehouse_when_everything_is_pulled_twice_then_the_second_time_stores_nothing(
    sqlite_engine: Engine,
) -> None:
    clock = Clock()

    def sync(source: ZendeskSource) -> int:
        stored = 0
        for stream in source.streams:
            with sqlite_engine.connect() as connection:
                state = stream_state(connection, "acme", "zendesk", stream)
            sequence = state.sequence
            for page in source.pull(stream, state.cursor):
                with sqlite_engine.begin() as connection:
                    stored += store_page(
                        connection, "acme", "zendesk", stream, page, sequence=sequence,
                        fetched_at=clock(), volatile=source.volatile_fields.get(stream, ()),
                    ).stored  # fmt: skip
                sequence += 1
        return stored

    with standin(account(12), clock) as zendesk, source_of(zendesk, clock) as source:
        small_pages(source, 5)
        assert sync(source) == 3 + 2 + 1 + 12 + 12 + 1
        assert sync(source) == 0
        zendesk.touch(1003)
        clock.move(61)
        assert sync(source) == 0
        zendesk.scrub(1003)
        clock.move(61)
        assert sync(source) == 1
