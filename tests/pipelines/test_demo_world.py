"""The demo's data: the same bytes every time, believable, and understood by the pipeline as its facts say."""

import email
import email.policy
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.mailbox.mbox_reader import read_mails
from pipelines.demo.hours import BusinessHours, iso
from pipelines.demo.people import SHARED_ADDRESS
from pipelines.demo.phrases import LANGUAGES, texts
from pipelines.demo.world import DEFAULT_AS_OF, World, generate
from pipelines.demo.write import write
from sla_rules.calendar import Calendar
from sla_rules.engine import Event, TicketFacts, evaluate
from sla_rules.policy import load_policies
from transforms import threads, zendesk
from transforms.mail import parse
from transforms.model import RawRecord

REPOSITORY = Path(__file__).parents[2]
WORKING_AFTERNOON = datetime(2026, 11, 4, 13, 0, tzinfo=UTC)


def sha256_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def world() -> World:
    return generate()


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dataset")
    write(world, target)
    return target


@pytest.fixture(scope="module")
def small() -> World:
    return generate(7, DEFAULT_AS_OF, 0.02)


def test_same_seed_gives_the_same_bytes_whatever_the_process(tmp_path: Path) -> None:
    """Another process with another hash seed, so that no set's order leaks into the files."""
    script = (
        "import sys; from pathlib import Path; from pipelines.demo.world import *; "
        "from pipelines.demo.write import write; "
        "write(generate(7, DEFAULT_AS_OF, 0.02), Path(sys.argv[1]))"
    )
    for hash_seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / hash_seed)],
            check=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            timeout=60,
        )
    write(generate(7, DEFAULT_AS_OF, 0.02), tmp_path / "here")
    write(generate(8, DEFAULT_AS_OF, 0.02), tmp_path / "other seed")
    assert sha256_of(tmp_path / "1") == sha256_of(tmp_path / "2") == sha256_of(tmp_path / "here")
    assert sha256_of(tmp_path / "other seed") != sha256_of(tmp_path / "here")


def test_writing_again_replaces_what_lay_there(small: World, tmp_path: Path) -> None:
    write(generate(8, DEFAULT_AS_OF, 0.03), tmp_path / "a")
    (tmp_path / "a" / "kept.txt").write_text("mine")
    write(small, tmp_path / "a")
    assert (tmp_path / "a" / "kept.txt").read_text() == "mine"
    (tmp_path / "a" / "kept.txt").unlink()
    write(small, tmp_path / "b")
    assert sha256_of(tmp_path / "a") == sha256_of(tmp_path / "b")


def test_a_wrong_end_or_size_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        generate(7, datetime(2026, 11, 2))  # noqa: DTZ001 - the naive time is the point
    with pytest.raises(ValueError, match="above 0"):
        generate(7, DEFAULT_AS_OF, 0)


def test_the_year_has_the_promised_counts(world: World, folder: Path) -> None:
    facts = json.loads((folder / "facts.json").read_text())
    zendesk_data = json.loads((folder / "zendesk.json").read_text())
    freshdesk_data = json.loads((folder / "freshdesk.json").read_text())
    assert len(zendesk_data["tickets"]) == 1500
    assert len(freshdesk_data["tickets"]) == 1000
    assert facts["mail"]["totals"]["tickets"] == 600
    assert facts["legacy"]["totals"]["tickets"] == 300
    assert 800 <= facts["legacy"]["totals"]["mails"] <= 950
    boxes = Counter(path.parent.name for path in (folder / "mail").rglob("*.eml"))
    assert sum(boxes.values()) == facts["mail"]["totals"]["mails"]
    assert min(boxes["INBOX"], boxes["Sent"]) > 600
    with (folder / "legacy" / "archive.mbox").open("rb") as stream:
        assert sum(1 for _ in read_mails(stream, variant="mboxrd")) == len(world.legacy)


def test_a_small_world_has_everything_once(small: World) -> None:
    facts = small.facts
    assert facts["legacy"]["totals"]["tickets"] == 6
    assert len(facts["fresh_open"]) == 12
    assert len(facts["duplicates"]) >= 2
    assert facts["people"]["two_channel"]
    kinds = facts["legacy"]["totals"]
    assert all(kinds[kind] for kind in ("copy", "auto_reply", "bounce", "excluded", "held"))
    assert facts["zendesk"]["merged"]
    assert facts["zendesk"]["deleted"]
    assert facts["freshdesk"]["spam"]


def test_the_year_looks_like_one(world: World) -> None:
    facts = world.facts
    tickets = [facts["zendesk"], facts["freshdesk"]]
    total = sum(one["tickets"] for one in tickets)
    shares = {
        name: sum(one["by_priority"][name] for one in tickets) / total
        for name in ("critical", "high", "medium", "low")
    }
    wanted = {"critical": 0.04, "high": 0.16, "medium": 0.55, "low": 0.25}
    for name, share in wanted.items():
        assert shares[name] == pytest.approx(share, abs=0.04), shares
    assert 0.04 < sum(one["reopened"] for one in tickets) / total < 0.08
    assert 0.18 < sum(one["ratings"] for one in tickets) / total < 0.26
    assert 88 <= facts["sla"]["all"]["pct"] <= 94
    assert facts["sla_bad_week"]["all"]["pct"] < facts["sla"]["all"]["pct"] - 20
    assert facts["bad_week"]["tickets"] > 2.3 * total / 52
    assert all(min(one["by_language"].values()) > 0.2 * one["tickets"] for one in tickets)
    assert all(len(one["by_category"]) == 6 for one in tickets)


def test_every_issue_has_all_its_words_in_three_languages() -> None:
    english = texts("customer_en")
    assert len(english) >= 25
    for language in LANGUAGES:
        customer, agent = texts(f"customer_{language}"), texts(f"agent_{language}")
        assert customer.keys() == english.keys() == agent["issues"].keys()
        assert agent["everyday"].keys() == texts("agent_en")["everyday"].keys()
        for issue, words in customer.items():
            assert len(words["subjects"]) >= 3, issue
            assert len(words["bodies"]) >= 4, issue
            assert len(agent["issues"][issue]) == 3


def test_nothing_is_later_than_the_end_or_earlier_than_its_ticket(world: World) -> None:
    end = iso(int(world.as_of.timestamp()))
    created = {ticket["id"]: ticket["created_at"] for ticket in world.zendesk["tickets"]}
    for ticket in world.zendesk["tickets"]:
        assert ticket["created_at"] <= ticket["updated_at"] <= end
        assert ticket["generated_timestamp"] <= world.as_of.timestamp()
    stamps = [event["timestamp"] for event in world.zendesk["ticket_events"]]
    assert stamps == sorted(stamps)
    ids = [event["id"] for event in world.zendesk["ticket_events"]]
    assert ids == sorted(set(ids))
    for comment in world.zendesk["comments"]:
        assert created[comment["ticket_id"]] <= comment["created_at"] <= end
    created = {ticket["id"]: ticket["created_at"] for ticket in world.freshdesk["tickets"]}
    for ticket in world.freshdesk["tickets"]:
        moments = [moment for moment in ticket["stats"].values() if moment is not None]
        assert all(ticket["created_at"] <= moment <= ticket["updated_at"] for moment in moments)
        assert ticket["updated_at"] <= end
    for one in world.freshdesk["conversations"]:
        assert created[one["ticket_id"]] <= one["created_at"] <= end
    assert all(mail.at <= world.as_of.timestamp() for mail in (*world.mails, *world.legacy))


def test_freshdesk_stats_agree_with_the_conversation(world: World) -> None:
    agents = {agent["id"] for agent in world.freshdesk["agents"]}
    replies: dict[int, list[str]] = defaultdict(list)
    for one in world.freshdesk["conversations"]:
        if one["user_id"] in agents and not one["private"]:
            replies[one["ticket_id"]].append(one["created_at"])
    statuses = Counter(ticket["status"] for ticket in world.freshdesk["tickets"])
    assert {2, 3, 4, 5, 6} == statuses.keys()
    for ticket in world.freshdesk["tickets"]:
        stats, told = ticket["stats"], replies[ticket["id"]]
        assert stats["first_responded_at"] == (min(told) if told else None)
        assert stats["agent_responded_at"] == (max(told) if told else None)
        assert (stats["resolved_at"] is not None) == (ticket["status"] in (4, 5))
        assert (stats["closed_at"] is not None) == (ticket["status"] == 5)
        assert (stats["pending_since"] is not None) == (ticket["status"] == 3)


def test_references_between_objects_hold(world: World) -> None:
    data = world.zendesk
    users = {user["id"] for user in data["users"]} | {-1}
    groups = {group["id"] for group in data["groups"]}
    organisations = {one["id"] for one in data["organizations"]} | {None}
    for ticket in data["tickets"]:
        assert ticket["requester_id"] in users
        assert ticket["assignee_id"] in users | {None}
        assert ticket["group_id"] in groups
        assert ticket["organization_id"] in organisations
    assert all(comment["author_id"] in users for comment in data["comments"])
    assert len({user["email"].lower() for user in data["users"]}) == len(data["users"])
    other = world.freshdesk
    people = {one["id"] for one in (*other["contacts"], *other["agents"])} | {None}
    companies = {one["id"] for one in other["companies"]} | {None}
    for ticket in other["tickets"]:
        assert {ticket["requester_id"], ticket["responder_id"]} <= people
        assert ticket["company_id"] in companies
    assert all(one["user_id"] in people for one in other["conversations"])


def raw_of(stream: str, body: dict[str, Any]) -> RawRecord:
    ticket = body.get("ticket_id", body["id"])
    return RawRecord(
        stream, str(body["id"]), json.dumps(body).encode(), ticket_remote_id=str(ticket)
    )


def test_zendesk_history_ends_where_the_ticket_is_and_the_engine_agrees(world: World) -> None:
    streams = (
        "users",
        "organizations",
        "groups",
        "tickets",
        "ticket_events",
        "satisfaction_ratings",
    )
    batch = zendesk.normalise(
        {name: [raw_of(name, one) for one in world.zendesk[name]] for name in streams}
    )
    facts = world.facts["zendesk"]
    assert batch.rejected == []
    assert Counter(warning.rule for warning in batch.warnings) == {}
    assert len(batch.comments) == facts["comments"] == len(world.zendesk["comments"])
    assert len(batch.ratings) == facts["ratings"]
    merged = {
        one.remote_id: one.merged_into_remote_id for one in batch.tickets if one.status == "merged"
    }
    assert merged == {key: str(target) for key, target in facts["merged"].items()}
    policy = (REPOSITORY / "sla_rules" / "policies" / "standard.yaml").read_text()
    events = [
        *(
            Event(
                one.ticket_remote_id,
                one.occurred_at,
                one.field,
                old_value=one.old_value,
                new_value=one.new_value,
                actor_kind=one.actor_kind,
                position=one.position,
            )
            for one in batch.changes
            if one.old_value is not None or one.new_value is not None
        ),
        *(
            Event(
                one.ticket_remote_id,
                one.created_at,
                "comment",
                actor_kind=one.author_kind,
                is_public=one.is_public,
            )
            for one in batch.comments
        ),
    ]
    first: dict[tuple[str, str], str | None] = {}
    for change in batch.changes:
        first.setdefault((change.ticket_remote_id, change.field), change.new_value)
    gone = {*facts["merged"], *map(str, (*facts["deleted"], *facts["spam"]))}
    tickets = [
        TicketFacts(
            ticket_key=one.remote_id,
            created_at=one.created_at,
            priority=first[one.remote_id, "priority"],
            status=first[one.remote_id, "status"],
        )
        for one in batch.tickets
        if one.remote_id not in gone
    ]
    known = {one.ticket_key for one in tickets}
    rows = evaluate(
        tickets,
        [event for event in events if event.ticket_key in known],
        load_policies(policy, "standard.yaml"),
        world.as_of,
    )
    found: Counter[str] = Counter()
    for row in rows:
        if row.state in ("met", "breached"):
            found.update({f"{row.metric} decided": 1, f"{row.metric} met": row.state == "met"})
    for metric in ("first_reply", "resolution"):
        expected = world.facts["sla_zendesk"][metric]
        assert found[f"{metric} decided"] == expected["decided"]
        assert found[f"{metric} met"] == expected["met"]


def mail_records(folder: Path, facts: dict[str, Any], box: str) -> Iterator[RawRecord]:
    if box == "legacy":
        with (folder / "legacy" / "archive.mbox").open("rb") as stream:
            for number, mail in enumerate(read_mails(stream, variant="mboxrd")):
                where = {"envelope": mail.envelope}
                yield RawRecord(
                    "mails", f"{number}", mail.payload, "message/rfc822", location=where
                )
        return
    for row in facts["mails"]:
        content = (folder / "mail" / row["place"]).read_bytes()
        yield RawRecord("mails", str(row["index"]), content, "message/rfc822")


@pytest.mark.parametrize("box", ["legacy", "mail"])
def test_mails_thread_into_the_tickets_that_they_are(world: World, folder: Path, box: str) -> None:
    facts = world.facts[box]
    mails = [parse(record) for record in mail_records(folder, facts, box)]
    own = frozenset(world.facts["people"]["own_addresses"])
    placed = threads.place(
        [mail.headers for mail in mails],
        threads.ThreadIndex(),
        threads.ThreadPolicy(own_addresses=own),
    )
    found: dict[str, set[int]] = defaultdict(set)
    for placement in placed:
        found[placement.ticket_remote_id].add(int(placement.remote_id))
    expected = {frozenset(ticket["mails"]) for ticket in facts["tickets"]}
    alone = {frozenset({row["index"]}) for row in facts["mails"] if row["ticket"] is None}
    assert {frozenset(members) for members in found.values()} == expected | alone
    for mail, row in zip(mails, facts["mails"], strict=True):
        assert mail.message_id == row["message_id"]
        kind = row["kind"] if row["kind"] in ("auto_reply", "bounce") else None
        assert kind is None or mail.kind == kind
        undatable = row["kind"] == "held"
        assert (mail.date_basis == "none") == undatable
        assert undatable or mail.sent_at <= world.as_of


def test_mails_parse_with_the_standard_library_and_are_as_mixed_as_promised(
    world: World, folder: Path
) -> None:
    charsets: Counter[str] = Counter()
    types: Counter[str] = Counter()
    for path in sorted((folder / "mail").rglob("*.eml")):
        raw = path.read_bytes()
        assert raw.count(b"\n") == raw.count(b"\r\n")
        mail = email.message_from_bytes(raw, policy=email.policy.compat32)
        assert mail.defects == []
        for part in mail.walk():
            assert part.defects == []
            types[part.get_content_type()] += 1
            if part.get_content_maintype() == "text":
                charset = part.get_content_charset() or "us-ascii"
                charsets[charset] += 1
                part.get_payload(decode=True).decode(charset)
    for charset in ("us-ascii", "utf-8", "iso-8859-9", "windows-1252", "windows-1254"):
        assert charsets[charset] > 5, charsets
    for kind in (
        "text/html",
        "multipart/related",
        "multipart/report",
        "image/png",
        "application/pdf",
    ):
        assert types[kind] > 0, types
    traits = Counter(trait for row in world.facts["legacy"]["mails"] for trait in row["traits"])
    for trait in (
        "no Message-ID",
        "no reference headers",
        "changed subject",
        "html only",
        "attachment",
    ):
        assert traits[trait] > 0, traits


def test_every_legacy_mail_has_one_fate(world: World) -> None:
    facts = world.facts["legacy"]
    for row in facts["mails"]:
        assert (row["kind"] == "copy") == (row["copy_of"] is not None)
        assert (row["kind"] in ("excluded", "held")) == (row["ticket"] is None)
        if row["kind"] == "excluded":
            assert row["rule"] in facts["exclusion_rules"]
    totals = facts["totals"]
    assert sum(ticket["messages"] for ticket in facts["tickets"]) == (
        totals["message"] + totals["auto_reply"] + totals["bounce"]
    )
    assert sum(len(ticket["mails"]) for ticket in facts["tickets"]) + totals["excluded"] + totals[
        "held"
    ] == len(facts["mails"])


def test_duplicates_say_the_same_on_two_channels_within_twenty_minutes(world: World) -> None:
    pairs = world.facts["duplicates"]
    assert len(pairs) == 25
    texts_of = {("zendesk", one["id"]): one["description"] for one in world.zendesk["tickets"]} | {
        ("freshdesk", one["id"]): one["description_text"] for one in world.freshdesk["tickets"]
    }
    threads_of = {one["number"]: one for one in world.facts["mail"]["tickets"]}
    for pair in pairs:
        assert pair["seconds_apart"] <= 20 * 60
        first = world.mails[threads_of[pair["mail_thread"]]["mails"][0]]
        record = RawRecord("mails", "x", first.raw, "message/rfc822")
        said = parse(record)
        assert said.subject == pair["subject"]
        assert said.text.split() == texts_of[pair["source"], pair["ticket"]].split()


def test_two_channel_customers_appear_under_spellings_of_one_address(world: World) -> None:
    rows = world.facts["people"]["two_channel"]
    assert len(rows) > 40
    varied = [row for row in rows if len(row["addresses"]) > 1]
    assert len(varied) > 10
    for row in varied:
        plain = {
            f"{address.partition('@')[0].partition('+')[0]}@{address.partition('@')[2]}".lower()
            for address in row["addresses"]
        }
        assert len(plain) == 1


@pytest.mark.parametrize("as_of", [DEFAULT_AS_OF, WORKING_AFTERNOON])
def test_fresh_open_tickets_give_escalation_something_to_do(as_of: datetime) -> None:
    facts = generate(7, as_of, 0.02).facts
    rows = facts["fresh_open"]
    assert all(row["created_at"] >= facts["live_from"] for row in rows)
    assert all(row["created_at"] < facts["live_from"] for row in facts["old_open"])
    critical = [row for row in rows if row["priority"] == "critical"]
    assert [row["first_reply"]["state"] for row in critical] == ["breached", "breached"]
    assert {row["status"] for row in critical} == {"new", "open"}
    late = next(row for row in critical if row["status"] == "open")
    asked = datetime.fromisoformat(late["created_at"])
    assert as_of - asked == timedelta(hours=2, minutes=40)
    assert late["first_reply"]["elapsed_seconds"] > 40 * 60
    high = Counter(row["first_reply"]["state"] for row in rows if row["priority"] == "high")
    if as_of == WORKING_AFTERNOON:
        assert high["breached"] == 2
        assert high["at_risk"] == 1
        assert "at_risk" in {
            row["resolution"]["state"] for row in rows if row["priority"] == "high"
        }
    assert any(row["first_reply"]["state"] == "breached" for row in facts["old_open"])


def test_hostile_subjects_and_names_are_there(world: World) -> None:
    subjects = [row["subject"] for row in world.facts["hostile"]]
    for start in ("=HYPERLINK(", "+1+1", "@here", "<!channel>", "<script>"):
        assert any(subject.startswith(start) for subject in subjects)
    assert max(map(len, subjects)) == 5000
    assert any("\u202e" in subject for subject in subjects)
    names = {user["name"] for user in (*world.zendesk["users"], *world.freshdesk["contacts"])}
    assert any(name.startswith("=cmd|") for name in names)
    senders = {mail.sender for mail in world.mails}
    assert SHARED_ADDRESS in senders


def test_the_demo_counts_business_time_as_the_calendar_does() -> None:
    start, end = 1_750_000_000, 1_793_000_000
    ours = BusinessHours(start, end)
    theirs = Calendar.from_mapping(
        {
            "time_zone": "Europe/Istanbul",
            "hours": {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
            "holidays": {"country": "TR"},
        }
    )
    for number in range(400):
        first = start + number * 97_001
        last = first + number * 1_733
        a, b = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
        assert ours.between(first, last) == theirs.between(a, b)
        assert ours.add(first, 5_000) == theirs.add(a, 5_000).timestamp()
        assert ours.subtract(last, 5_000) == theirs.subtract(b, 5_000).timestamp()
