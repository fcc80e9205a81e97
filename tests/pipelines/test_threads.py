"""Conversations in the warehouse: any order and any syncs give the same ones; a person's decision stays."""

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.mailbox.mbox import MboxSource
from connectors.warehouse import threads
from connectors.warehouse.engine import reading, writing
from connectors.warehouse.tables import comment, ticket, ticket_link
from pipelines.demo.folder import CLIENT
from pipelines.duplicates import link_duplicates
from pipelines.normalise_mail import MailTransform, normalise_mailbox
from pipelines.settings import load_settings
from pipelines.sync import sync_source
from pipelines.threads import decide_thread, doubtful_threads, undecide_thread
from pipelines.wiring import sources_of, wire
from tests.pipelines.test_mailbox import NOW, TRANSFORM, Box, mail

QUESTION = (
    "Since this morning the blue lamp in our entrance does not switch on any more, and we have changed the bulb twice"
    " and looked at the fuse, so it cannot be that; please send somebody before Friday."
)
QUOTE = "\n".join(f"> {QUESTION[start : start + 50]}" for start in range(0, len(QUESTION), 50))


def story() -> list[bytes]:
    """Some conversations whose mails only their ids, quotes, numbers and subjects tell together."""
    return [
        mail("lamp", 0, "Lamp in the entrance", body=QUESTION),
        mail(
            "lamp2",
            60,
            "Re: our lamp",
            body=f"Nobody came!\n\nAda <ada@buyer.example> wrote on 2 March 2026:\n{QUOTE}",
        ),
        mail("lamp3", 90, "Re: our lamp", references="lamp2"),
        mail("chair", 10, "Chair with three legs", sender="Bob <bob@buyer.example>"),
        mail("chair2", 200, "Re: Chair with three legs", sender="Bob <bob@buyer.example>"),
        mail("eve", 210, "Re: Chair with three legs", sender="Eve <eve@other.example>"),
        mail(
            "spy",
            220,
            "Re: hello there",
            sender="Eve <eve@other.example>",
            body=f"I read:\n\n{QUOTE}",
        ),
        mail("answer", 230, "[#77] Table", sender="help@shop.example", to="cy@buyer.example"),
        mail("cy", 300, "still broken [#77]", sender="Cy <cy@buyer.example>"),
        mail("late", 400, "Once more", references="ghost"),
        mail("ghost", 390, "Re: Chair with three legs", references="chair2"),
    ]


WANTED = [
    {"answer", "cy"},
    {"chair", "chair2", "ghost", "late"},
    {"eve"},
    {"lamp", "lamp2", "lamp3"},
    {"spy"},
]


def groups(box: Box) -> list[set[str]]:
    return sorted((set(names) for names in box.conversations().values()), key=min)


def reasons(box: Box) -> dict[str, tuple[str, object]]:
    rows = box.rows(select(comment.c.message_id, comment.c.thread_reason, comment.c.thread_doubt))
    return {row.message_id: (row.thread_reason, row.thread_doubt) for row in rows}


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_any_syncs_give_the_same_conversations(sqlite_engine, tmp_path, seed) -> None:
    mails = story()
    wanted: dict[str, tuple[str, object]] | None = None
    for order in ([mails], in_pieces(mails, seed)):
        box = Box(sqlite_engine, tmp_path / f"{seed}-{len(order)}.mbox")
        source = f"box{len(order)}"
        keys: dict[str, str] = {}
        for some in order:
            box.add(*some)
            sync_source(box.engine, CLIENT, source, MboxSource(str(box.path)), lambda: NOW)
            normalise_mailbox(box.engine, CLIENT, source, TRANSFORM, lambda: NOW)
        found = {
            name: (reason, doubt) for name, (reason, doubt) in of_source(box, source, keys).items()
        }
        assert sorted((names for names in by_key(keys).values()), key=min) == WANTED
        if wanted is not None:
            assert found == wanted
        wanted = found
    assert wanted is not None
    told = {name: reason for name, (reason, _) in wanted.items()}
    assert told["lamp2"] == "quoted text"
    assert told["chair2"] == "subject+participant"
    assert told["cy"] == "ticket number"
    assert told["late"] == "refs"
    assert wanted["spy"][1]["reason"].startswith("it quotes ")  # type: ignore[index]


def in_pieces(mails: Sequence[bytes], seed: int) -> list[list[bytes]]:
    chance = random.Random(seed)
    shuffled = list(mails)
    chance.shuffle(shuffled)
    return [shuffled[start : start + 2] for start in range(0, len(shuffled), 2)]


def of_source(box: Box, source: str, keys: dict[str, str]) -> dict[str, tuple[str, object]]:
    statement = select(comment).where(comment.c.source_key == source)
    found = {}
    for row in box.rows(statement):
        name = row.message_id.strip("<").partition("@")[0]
        keys[name] = row.ticket_key
        found[name] = (row.thread_reason, row.thread_doubt)
    return found


def by_key(keys: dict[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, key in keys.items():
        found.setdefault(key, set()).add(name)
    return found


def test_a_key_stays_while_the_conversation_grows(sqlite_engine, tmp_path) -> None:
    box = Box(sqlite_engine, tmp_path / "box.mbox")
    mails = story()
    box.add(mails[2])
    box.take_in()
    first = box.key_of("lamp3")
    for one in (mails[1], mails[0]):
        box.add(one)
        box.take_in()
    assert set(box.conversations()[box.key_of("lamp3")]) == {"lamp", "lamp2", "lamp3"}
    assert box.key_of("lamp3") == first


def test_a_person_sets_a_mail_apart_and_it_stays_so(engine, tmp_path) -> None:
    box = Box(engine, tmp_path / "box.mbox")
    mails = story()
    box.add(*mails[:2])
    box.take_in()
    old = box.key_of("lamp")
    assert box.key_of("lamp2") == old
    wrong = box.rows(select(comment).where(comment.c.message_id == "<lamp2@buyer.example>"))[0]
    decide_thread(engine, CLIENT, "box", TRANSFORM, wrong.remote_id, None, lambda: NOW, "kim")
    assert groups(box) == [{"lamp"}, {"lamp2"}]
    assert box.key_of("lamp") == old
    apart = box.key_of("lamp2")
    box.add(*mails[2:])
    box.take_in()
    assert box.key_of("lamp3") == box.key_of("lamp2") == apart != old
    assert groups(box)[-2] == {"lamp2", "lamp3"}
    before = box.checksums()
    normalise_mailbox(engine, CLIENT, "box", TRANSFORM, lambda: NOW, is_decided=True)
    assert box.checksums() == before


def test_a_person_joins_two_mails_and_the_doubt_is_gone(sqlite_engine, tmp_path) -> None:
    box = Box(sqlite_engine, tmp_path / "box.mbox")
    box.add(*story())
    box.take_in()
    doubts = {row["subject"]: row for row in doubtful_threads(sqlite_engine, CLIENT, 10)}
    spy = doubts["Re: hello there"]
    assert spy["other_key"] == box.key_of("lamp")
    assert spy["ticket_key"] == box.key_of("spy")
    lamp = box.rows(select(comment).where(comment.c.message_id == "<lamp@buyer.example>"))[0]
    decide_thread(
        *(sqlite_engine, CLIENT, "box", TRANSFORM, spy["remote_id"], lamp.remote_id),
        *(lambda: NOW, "kim"),
    )
    assert box.key_of("spy") == box.key_of("lamp")
    left = {row["subject"] for row in doubtful_threads(sqlite_engine, CLIENT, 10)}
    assert left == set(doubts) - {"Re: hello there"}


def test_a_number_counts_where_such_a_ticket_exists(sqlite_engine, tmp_path) -> None:
    box = Box(sqlite_engine, tmp_path / "box.mbox")
    ours = [
        mail("a", 0, "Table [#99] wobbles"),
        mail("b", 60, "what about [#99] then"),
    ]
    box.add(*ours)
    box.take_in()
    assert groups(box) == [{"a"}, {"b"}]
    with writing(sqlite_engine) as connection:
        row = box.rows(select(ticket).limit(1))[0]
        made = dict(vars(row)) | {"ticket_key": "ticket-z", "source_key": "zendesk", "number": "99"}
        connection.execute(ticket.insert().values(**made | {"remote_id": "99"}))
    normalise_mailbox(sqlite_engine, CLIENT, "box", TRANSFORM, lambda: NOW, is_decided=True)
    assert box.key_of("a") == box.key_of("b")


def test_a_mail_in_the_old_and_in_the_new_inbox_counts_once(engine, tmp_path) -> None:
    boxes = {name: Box(engine, tmp_path / f"{name}.mbox") for name in ("old", "new")}
    forward = (
        "---------- Forwarded message ---------\nFrom: Ada <ada@buyer.example>\nDate: Mon, Mar 2, 2026 at 9:00\n"
        f"Subject: Lamp in the entrance\nTo: <info@shop.example>\n\n{QUESTION}"
    )
    boxes["old"].add(
        mail("same", 0, "Chair with three legs", sender="Bob <bob@buyer.example>"),
        mail("lamp", 10, "Lamp in the entrance", body=QUESTION),
        mail(
            "desk",
            20,
            "Desk",
            sender="Cy <cy@buyer.example>",
            body=QUESTION.replace("lamp", "desk"),
        ),
    )
    boxes["new"].add(
        mail("same", 0, "Chair with three legs", sender="Bob <bob@buyer.example>"),
        mail(
            "fwd", 300, "Fwd: Lamp in the entrance", sender="Info <info@shop.example>", body=forward
        ),
        mail(
            "plus",
            40,
            "Desk",
            sender="Cy <cy+shop@buyer.example>",
            body=QUESTION.replace("lamp", "desk"),
        ),
    )
    for name in ("new", "old"):
        box = boxes[name]
        sync_source(engine, CLIENT, name, MboxSource(str(box.path)), lambda: NOW)
        normalise_mailbox(engine, CLIENT, name, TRANSFORM, lambda: NOW)
        link_duplicates(engine, CLIENT)
    assert linked(boxes["old"]) == {("same", "same"), ("fwd", "lamp"), ("plus", "desk")}
    assert link_duplicates(engine, CLIENT) == 0


def linked(box: Box) -> set[tuple[str, str]]:
    names: dict[str, str] = {}
    for row in box.rows(select(comment)):
        names[row.ticket_key] = row.message_id.strip("<").partition("@")[0]
    rows = box.rows(select(ticket_link).where(ticket_link.c.kind == "duplicate_of"))
    return {(names[row.ticket_key], names[row.other_key]) for row in rows}


def test_decisions_can_be_taken_back(sqlite_engine, tmp_path) -> None:
    box = Box(sqlite_engine, tmp_path / "box.mbox")
    box.add(*story()[:2])
    box.take_in()
    second = box.rows(select(comment).where(comment.c.message_id == "<lamp2@buyer.example>"))[0]
    decide_thread(sqlite_engine, CLIENT, "box", TRANSFORM, second.remote_id, None, lambda: NOW, "k")
    undecide_thread(sqlite_engine, CLIENT, "box", TRANSFORM, second.remote_id, lambda: NOW)
    assert groups(box) == [{"lamp", "lamp2"}]
    with reading(sqlite_engine) as connection:
        assert threads.decisions(connection, CLIENT, "box") == []


def test_a_mail_that_is_not_here_cannot_be_decided_about(sqlite_engine, tmp_path: Path) -> None:
    Box(sqlite_engine, tmp_path / "box.mbox")
    with pytest.raises(ValueError, match=r"source box of client .* has no mail 'nothing'"):
        decide_thread(sqlite_engine, CLIENT, "box", TRANSFORM, "nothing", None, lambda: NOW, "kim")


def test_a_mailbox_says_when_a_reply_begins_anew(tmp_path) -> None:
    config = tmp_path / "deskbridge.yaml"
    (tmp_path / "box.mbox").write_bytes(b"")
    choices = "new_after_days: 90, split_at_new_subject: true, subject_days: 0, agent_domains: [shop.example]"
    source = f"{{id: box, type: mbox, path: box.mbox, {choices}}}"
    config.write_text(f"clients: {{{CLIENT}: {{time_zone: Etc/UTC, sources: [{source}]}}}}")
    settings = load_settings(config)
    wired = wire(settings, CLIENT, sources_of(settings, CLIENT)[0], lambda: NOW)
    assert isinstance(wired.transform, MailTransform)
    policy = wired.transform.threads
    assert (policy.new_after, policy.splits_at_new_subject) == (timedelta(days=90), True)
    assert "subject" not in policy.steps
    assert policy.is_own("kim@shop.example")
