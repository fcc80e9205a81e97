"""A mailbox's conversation is another system's ticket where a name and something else agree, and only then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from transforms.conversations import Decisions, Found, Known, Naming, Party, find_same
from transforms.model import SourceComment
from transforms.ticket_names import Name, names_of, reply_name
from transforms.zendesk_mails import message_id_of, references_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ADA, BOB, COLLEAGUE = "ada@buyer.example", "bob@other.example", "eve@buyer.example"
HOST = "acme.zendesk.com"
SUPPORT = f"support@{HOST}"
OWN = "help@shop.example"

TICKET = Party(
    *("T", "zendesk", "123", "Lamp in the entrance", START, START + timedelta(days=2)),
    *(HOST, "person-ada", ADA),
)
TALK = Party(
    *("M", "box", "M", "still broken", START + timedelta(hours=3), START + timedelta(hours=3)),
    *(None, "person-ada", ADA),
)


def naming(kind: str = "number", value: str = "123", *people: str, **changes: object) -> Naming:
    made = Naming("M", "c1", kind, value, START + timedelta(hours=3), "still broken", people)
    return replace(made, **changes)  # type: ignore[arg-type]


def judged(
    one: Naming,
    talk: Party = TALK,
    ticket: Party = TICKET,
    decisions: Decisions | None = None,
    *more: Naming,
) -> Found:
    known = Known(
        parties={"M": talk, "T": ticket, "U": replace(ticket, ticket_key="U", number="9")},
        by_number={"123": ["T"], "9": ["U"]},
        by_reference={"1G7EOR-0Q2J": ["T"]},
        by_mail={"<a@x>": ["T"]},
        persons={"ada@private.example": ["person-ada"]},
        is_own=lambda address: address == OWN,
    )
    return find_same([one, *more], known, decisions)


@pytest.mark.parametrize(
    ("one", "talk", "reason"),
    [
        (naming("number", "123", ADA, OWN), TALK, "names ticket 123 of zendesk (its requester)"),
        (
            naming("number", "123", "ada@private.example"),
            replace(TALK, person=None, address="ada@private.example"),
            "names ticket 123 of zendesk (its requester)",
        ),
        (
            naming("number", "123", "ada+shop@buyer.example"),
            replace(TALK, person=None, address="ada+shop@buyer.example"),
            "names ticket 123 of zendesk (its requester)",
        ),
        (
            naming("number", "123", COLLEAGUE, subject="Re: [#123] Lamp in the entrance"),
            replace(TALK, person="person-eve", address=COLLEAGUE),
            "names ticket 123 of zendesk (the same subject)",
        ),
        (
            naming("number", "123", SUPPORT, OWN),
            replace(TALK, person="robot", address=SUPPORT),
            "names ticket 123 of zendesk",
        ),
        (naming("number", "1G7EOR-0Q2J", ADA), TALK, "names ticket 123 of zendesk (its requester)"),
        (
            naming("reply number", f"{HOST}|123", ADA),
            TALK,
            "goes to the reply address of ticket 123 of zendesk (its requester)",
        ),
        (
            naming("reply reference", f"{HOST}|1G7EOR-0Q2J", OWN),
            replace(TALK, person=None, address=OWN),
            "goes to the reply address of ticket 123 of zendesk",
        ),
        (
            naming("answered", "<a@x>", COLLEAGUE),
            replace(TALK, person="person-eve", address=COLLEAGUE),
            "answers a mail of ticket 123 of zendesk",
        ),
        (
            naming("worded number", "123", ADA),
            TALK,
            "names ticket 123 of zendesk in its subject (its requester)",
        ),
        (
            naming("number in text", "123", ADA, subject="Re: Lamp in the entrance"),
            TALK,
            "names ticket 123 of zendesk in its text (its requester, the same subject)",
        ),
    ],
)
def test_a_name_and_something_that_agrees(one: Naming, talk: Party, reason: str) -> None:
    found = judged(one, talk)
    assert [(link.other_key, link.reason) for link in found.links] == [("T", reason)]
    assert found.doubts == []


STRANGER = replace(TALK, person="person-bob", address=BOB)


@pytest.mark.parametrize(
    ("one", "talk", "why"),
    [
        (naming("number", "123", BOB), STRANGER, "but another customer's"),
        (
            naming("number", "123", BOB, subject="[#123] Lamp in the entrance"),
            STRANGER,
            "but another customer's",
        ),
        (naming("number", "123", BOB, SUPPORT), STRANGER, "but another customer's"),
        (naming("number", "123", BOB, ADA), STRANGER, "but another customer's"),
        (naming("answered", "<a@x>", BOB), STRANGER, "but another customer's"),
        (naming("reply number", f"{HOST}|123", BOB), STRANGER, "but another customer's"),
        (
            naming("number", "123", COLLEAGUE),
            replace(TALK, person="person-eve", address=COLLEAGUE),
            "but neither its requester nor its subject",
        ),
        (
            naming("number", "123", ADA, sent_at=START + timedelta(days=400)),
            TALK,
            "but more than a year after its last change",
        ),
        (
            naming("number", "123", ADA),
            replace(TALK, created_at=START - timedelta(days=30)),
            "but the conversation began 30 days before the ticket",
        ),
        (
            naming("number in text", "123", ADA),
            TALK,
            "but neither its requester nor its subject",
        ),
    ],
)
def test_what_exists_but_does_not_agree_is_a_doubt(one: Naming, talk: Party, why: str) -> None:
    found = judged(one, talk)
    assert found.links == []
    assert [doubt.other_key for doubt in found.doubts] == ["T"]
    assert why in found.doubts[0].reason


@pytest.mark.parametrize(
    "one",
    [
        naming("number", "124", ADA),
        naming("number", "123", ADA, sent_at=START - timedelta(days=2)),
        naming("number", "123", ADA, sent_at=datetime(1970, 1, 1, tzinfo=UTC)),
        naming("worded number", "123", BOB, subject="My ticket 123 for the concert"),
        naming("number in text", "123", BOB),
        naming("reply number", "other.zendesk.com|123", ADA),
        naming("answered", "<b@x>", ADA),
    ],
)
def test_what_is_somebody_elses_number_is_not_even_a_doubt(one: Naming) -> None:
    talk = TALK if ADA in one.participants else STRANGER
    assert judged(one, talk) == Found([], [])


def test_nothing_within_one_mailbox_and_no_number_of_a_mailbox() -> None:
    assert judged(naming("number", "123", ADA), replace(TALK, source_key="zendesk")).links == []
    assert judged(naming("number", "123", ADA), TALK, replace(TICKET, is_mailbox=True)).links == []


def test_what_was_merged_or_moved_counts_as_the_other_one() -> None:
    moved = replace(TICKET, stands_for="original")
    assert judged(naming("number", "123", ADA), TALK, moved).links[0].other_key == "original"
    itself = replace(TICKET, stands_for="M")
    assert judged(naming("number", "123", ADA), TALK, itself) == Found([], [])


def test_a_mail_that_names_two_tickets_names_none_unless_the_subject_tells() -> None:
    both = judged(naming("number", "123", ADA), TALK, TICKET, None, naming("number", "9", ADA))
    assert both.links == []
    assert {doubt.other_key for doubt in both.doubts} == {"T", "U"}
    later = naming("number", "9", ADA, comment_key="c2", sent_at=START + timedelta(hours=5))
    first = judged(naming("number", "123", ADA), TALK, TICKET, None, later)
    assert [link.other_key for link in first.links] == ["T"]
    assert [doubt.other_key for doubt in first.doubts] == ["U"]


def test_people_win() -> None:
    sure, wrong = naming("number", "123", ADA), naming("number", "123", BOB)
    pair = ("M", "T")
    assert judged(sure, decisions=Decisions(apart=frozenset({pair}))) == Found([], [])
    assert judged(sure, decisions=Decisions(alone=frozenset({"M"}))) == Found([], [])
    joined = judged(wrong, STRANGER, decisions=Decisions(joined=frozenset({pair})))
    assert [(one.other_key, one.reason) for one in joined.links] == [("T", "joined by a person")]
    assert joined.doubts == []


def test_names_in_mails() -> None:
    mail = SourceComment(
        *("m", "t", START, "customer", True, "text"),
        message_id="<own@x>",
        in_reply_to=("<ghost@x>",),
        reference_ids=("<own@x>", "<older@x>"),
        participants=(ADA, "support+id00123@Acme.zendesk.com"),
        thread_marks={"numbers": ["123"], "possible_numbers": ["7"], "text_numbers": ["8"]},
    )
    assert [name for _, name in names_of([mail])] == [
        Name("number", "123"),
        Name("worded number", "7"),
        Name("number in text", "8"),
        Name("reply number", f"{HOST}|123"),
        Name("answered", "<older@x>"),
        Name("answered", "<ghost@x>"),
    ]
    assert reply_name(f"support+id1g7eor-0q2j@{HOST}") == Name(
        "reply reference", f"{HOST}|1G7EOR-0Q2J"
    )
    assert reply_name("ada+idea@buyer.example") is None
    copy = replace(mail, copy_of_remote_id="other")
    assert [*names_of([copy, replace(mail, thread_marks={})])] == []


def test_by_what_zendesks_mails_are_known() -> None:
    update = {
        "metadata": {"system": {"message_id": "<a@mail.example>"}},
        "via": {"channel": "email", "source": {"to": {"address": f"support+id1G7EOR-0Q2J@{HOST}"}}},
    }
    assert message_id_of(update) == "<a@mail.example>"
    assert message_id_of({"system": {"message_id": "<b@mail.example>"}}) == "<b@mail.example>"
    assert message_id_of({"metadata": {"system": {"message_id": "none"}}}) is None
    assert references_of({}, [update]) == ("1G7EOR-0Q2J",)
    assert references_of({"encoded_id": "ABC123-XY7Z"}, []) == ("ABC123-XY7Z",)
    assert references_of({"encoded_id": 7}, [{"via": "Mail"}, {}]) == ()
