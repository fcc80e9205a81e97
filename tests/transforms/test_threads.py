"""Conversations: placed by evidence, never by a guess that joins strangers, whatever order mails come in."""

import hashlib
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.quoted_text import fingerprints, packed
from transforms.thread_links import in_time
from transforms.thread_numbers import ticket_numbers
from transforms.threads import (
    Doubt,
    MailHeaders,
    Placement,
    ThreadDecision,
    ThreadIndex,
    ThreadPolicy,
    place,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
INFO = "info@acme.example"
POLICY = ThreadPolicy(own_addresses=frozenset({INFO}))


def mail(
    name: str,
    *,
    hours: float = 0,
    subject: str = "Printer in room four is broken",
    people: tuple[str, ...] = ("ada@customer.example", INFO),
    references: tuple[str, ...] = (),
    in_reply_to: tuple[str, ...] = (),
    message_id: str | None = "own",
    bounced: tuple[str, ...] = (),
) -> MailHeaders:
    return MailHeaders(
        remote_id=name,
        message_id=f"<{name}>" if message_id == "own" else message_id,
        in_reply_to=in_reply_to,
        reference_ids=references,
        subject=subject,
        participants=people,
        sent_at=START + timedelta(hours=hours),
        bounced_ids=bounced,
        sender=people[0] if people else None,
        numbers=ticket_numbers(subject, "").certain,
    )


def thread(root: str) -> str:
    return f"thread:{hashlib.sha256(root.encode()).hexdigest()}"


def placed(*mails: MailHeaders, policy: ThreadPolicy = POLICY) -> dict[str, Placement]:
    return {each.remote_id: each for each in place(mails, ThreadIndex(), policy)}


def together(*mails: MailHeaders, policy: ThreadPolicy = POLICY) -> bool:
    return len({each.ticket_remote_id for each in placed(*mails, policy=policy).values()}) == 1


def test_references_join_and_the_root_gives_the_id() -> None:
    found = placed(
        mail("a"),
        mail("b", hours=1, references=("<a>",)),
        mail("c", hours=2, in_reply_to=("<b>",)),
        mail("d", hours=3, subject="Something quite different"),
    )
    assert {name: each.reason for name, each in found.items()} == {
        "a": "first mail",
        "b": "refs",
        "c": "in-reply-to",
        "d": "first mail",
    }
    assert {found[name].ticket_remote_id for name in "abc"} == {thread("<a>")}
    assert found["d"].ticket_remote_id == thread("<d>")


def test_a_parent_that_is_not_in_the_mailbox_joins_its_answers() -> None:
    found = placed(
        mail("b", references=("<ghost>",), subject="One thing"),
        mail("c", hours=1, references=("<ghost>",), subject="Another thing"),
    )
    assert {each.ticket_remote_id for each in found.values()} == {thread("<ghost>")}


def test_a_mail_without_any_id_is_its_own_root() -> None:
    assert placed(mail("a", message_id=None))["a"].ticket_remote_id == "a"


def test_of_several_ids_in_in_reply_to_the_last_counts() -> None:
    address_first = mail("b", hours=1, in_reply_to=("<ada@customer.example>", "<a>"), subject="x")
    assert together(mail("a"), address_first)


def test_a_bounce_belongs_to_the_mail_that_came_back() -> None:
    found = placed(
        mail("a"), mail("b", hours=1, bounced=("<a>",), subject="Undelivered", people=(INFO,))
    )
    assert found["b"] == Placement("b", thread("<a>"), "bounce")


def test_the_same_mail_again_is_a_copy_of_the_first() -> None:
    first = mail("x2", hours=0)
    copy = replace(mail("x1", hours=0.01, message_id="<x2>"), subject="[list] Printer")
    found = placed(copy, first)
    assert found["x1"] == Placement("x1", thread("<x2>"), "copy", "x2")
    assert found["x2"].copy_of_remote_id is None


def test_the_same_id_on_other_mails_is_no_copy_and_joins_nothing() -> None:
    found = placed(*[mail(name, hours=n, message_id="<always>") for n, name in enumerate("abc")])
    assert {each.copy_of_remote_id for each in found.values()} == {None}
    assert [found[n].ticket_remote_id for n in "abc"] == [thread("<always>"), "b", "c"]


@pytest.mark.parametrize(
    ("later", "joins"),
    [
        (mail("b", hours=5, subject="Re: Printer in room four is broken"), True),
        (mail("b", hours=5, subject="YNT: [Acme] printer in  room four is BROKEN"), True),
        (mail("b", hours=5), False),
        (mail("b", hours=5, subject="Fwd: Printer in room four is broken"), False),
        (mail("b", hours=5, subject="Re: Printer in room five is broken"), False),
        (
            mail(
                "b",
                hours=5,
                subject="Re: Printer in room four is broken",
                people=("eve@x.example", INFO),
            ),
            False,
        ),
        (mail("b", hours=24 * 31, subject="Re: Printer in room four is broken"), False),
        (mail("b", hours=24 * 29, subject="Re: Printer in room four is broken"), True),
        (mail("b", hours=-5, subject="Re: Printer in room four is broken"), False),
        (
            mail(
                "b", hours=5, subject="Re: Printer in room four is broken", references=("<gone>",)
            ),
            True,
        ),
    ],
    ids=[
        *("reply", "Turkish reply", "no reply prefix", "forward", "other subject"),
        *(
            "stranger",
            "too late",
            "just in time",
            "earlier",
            "reference to a mail that is not there",
        ),
    ],
)
def test_the_subject_joins_only_within_its_guards(later: MailHeaders, joins: bool) -> None:
    assert together(mail("a"), later) == joins
    if joins:
        assert placed(mail("a"), later)["b"].reason == "subject+participant"
        off = replace(POLICY, steps=frozenset())
        assert not together(mail("a"), later, policy=off)


@pytest.mark.parametrize("subject", ["Help", "Rechnung", "Yardım", "Hi", "Sorun", "", "no subject"])
def test_short_generic_subjects_join_nobody(subject: str) -> None:
    first, later = mail("a", subject=subject), mail("b", hours=1, subject=f"Re: {subject}")
    assert not together(first, later)


def test_an_answer_joins_the_latest_conversation_of_its_subject() -> None:
    found = placed(
        mail("a"),
        mail("b", hours=10),
        mail("c", hours=20, subject="Re: Printer in room four is broken"),
    )
    assert found["c"].ticket_remote_id == found["b"].ticket_remote_id != found["a"].ticket_remote_id


def test_a_ticket_number_joins_mails_that_share_a_participant() -> None:
    first = mail("a", subject="[#123] Printer")
    later = mail("b", hours=900, subject="still broken [#123]")
    stranger = mail("c", hours=1, subject="Re: [#123] free money", people=("eve@x.example", INFO))
    found = placed(first, later, stranger)
    assert found["b"] == Placement("b", thread("<a>"), "ticket number")
    assert found["c"].ticket_remote_id == thread("<c>")


def test_a_subject_never_joins_across_ticket_numbers() -> None:
    first = mail("a", subject="[#1] Printer in room four is broken")
    later = mail("b", hours=1, subject="Re: [#2] Printer in room four is broken")
    assert not together(first, later)


def test_a_late_mail_joins_two_conversations_and_the_others_move() -> None:
    index = ThreadIndex()
    place([mail("a"), mail("c", hours=2, references=("<b>",), subject="x")], index, POLICY)
    assert index.placements["c"].ticket_remote_id == thread("<b>")
    late = place([mail("b", hours=1, references=("<a>",), subject="x")], index, POLICY)
    assert late == [
        Placement("b", thread("<a>"), "refs"),
        Placement("c", thread("<a>"), "refs", previous_ticket_remote_id=thread("<b>")),
    ]
    assert place([mail("b", hours=1, references=("<a>",), subject="x")], index, POLICY) == []


def test_an_index_from_the_warehouse_goes_on_where_it_stood() -> None:
    index = ThreadIndex()
    place([mail("a")], index, POLICY)
    again = ThreadIndex.of((index.mails[name], index.placements[name]) for name in index.mails)
    assert place([mail("b", hours=1, references=("<a>",))], again, POLICY) == [
        Placement("b", thread("<a>"), "refs")
    ]


NAMES = st.sampled_from("abcde")
HOURS = st.sampled_from([0, 1, 2, 20])
SENTENCES = [
    "the printer in room four prints blank pages since monday morning although the toner is new",
    "please send the invoice for january again because the file that came cannot be opened here",
    "our parcel with two blue lamps arrived broken and we would like to have it replaced soon",
]
SUBJECTS = [
    "Printer is broken now",
    "Re: Printer is broken now",
    "Re: Lamps came broken today",
    "Fwd: Printer is broken now",
    "Re: [#1] x",
    "[#1] x",
    "Re: [#2] x",
]


def quoting(own: str, quoted: str, writer: str) -> dict[str, object]:
    """What a mail says and quotes, as marks."""
    above = f"On 3 March 2026 10:00 {writer} wrote:\n" if quoted else ""
    lines = "\n".join(f"> {line}" for line in textwrap.wrap(quoted, 40))
    prints = fingerprints(f"{own}\n\n{above}{lines}\n")
    return {
        "own_prints": packed(prints.own),
        "quoted_prints": packed(prints.quoted),
        "quoted_people": prints.quoted_people,
    }


@st.composite
def some_mail(draw: st.DrawFn) -> MailHeaders:
    name, hours = draw(NAMES), draw(HOURS)
    people = st.sampled_from(["ada@x.example", "bob@x.example", INFO])
    person, other = draw(people), draw(people)
    own, quoted = draw(st.sampled_from(["", *SENTENCES])), draw(st.sampled_from(["", *SENTENCES]))
    references = tuple(f"<{each}>" for each in draw(st.lists(NAMES, max_size=2, unique=True)))
    made = mail(
        f"{name}{hours}",
        hours=hours,
        subject=draw(st.sampled_from(SUBJECTS)),
        people=tuple(dict.fromkeys((person, other, INFO))),
        references=references,
        in_reply_to=draw(st.sampled_from([(), (), ("a",), ("<b>",), ("<ada@x.example>",)])),
        message_id=f"<{name}>" if draw(st.integers(0, 3)) else None,
    )
    return replace(
        made,
        sent_at=made.sent_at if draw(st.integers(0, 9)) else datetime(1970, 1, 1, tzinfo=UTC),
        thread_index=draw(st.sampled_from([None, None, "index"])),
        text_numbers=draw(st.sampled_from([(), (), ("1",)])),
        **quoting(own, quoted, other),  # type: ignore[arg-type]
    )


MAILS = st.lists(some_mail(), max_size=12, unique_by=lambda each: each.remote_id)
DECISIONS = st.builds(
    lambda name, hours, kind, other: ThreadDecision(f"{name}{hours}", kind, other),
    NAMES,
    HOURS,
    st.sampled_from(["apart", "with"]),
    st.builds(lambda name, hours: f"{name}{hours}", NAMES, HOURS),
)
POLICIES = st.builds(
    lambda new_after, splits, decisions: replace(
        POLICY, new_after=new_after, splits_at_new_subject=splits, decisions=tuple(decisions)
    ),
    st.sampled_from([None, timedelta(hours=10)]),
    st.booleans(),
    st.lists(DECISIONS, max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(MAILS, POLICIES, st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_batches_change_nothing(
    mails: list[MailHeaders], policy: ThreadPolicy, random: object, size: int
) -> None:
    wanted = {each.remote_id: each for each in place(mails, ThreadIndex(), policy)}
    shuffled = list(mails)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    index, emitted = ThreadIndex(), {}
    for start in range(0, len(shuffled), size):
        for each in place(shuffled[start : start + size], index, policy):
            before = emitted.get(each.remote_id)
            moved = before is not None and before.ticket_remote_id != each.ticket_remote_id
            expected = before.ticket_remote_id if before is not None and moved else None
            assert each.previous_ticket_remote_id == expected
            emitted[each.remote_id] = each
    told = {name: replace(each, previous_ticket_remote_id=None) for name, each in emitted.items()}
    assert told == wanted
    assert set(wanted) == {each.remote_id for each in mails}


@settings(max_examples=200, deadline=None)
@given(st.lists(some_mail(), min_size=1, max_size=12, unique_by=lambda each: each.remote_id))
def test_a_mail_set_apart_has_nothing_that_ties_it_upwards(mails: list[MailHeaders]) -> None:
    """It stands with no earlier mail but those that name it, as if it named, quoted and was called nothing."""
    mails = [replace(each, sent_at=max(each.sent_at, START)) for each in mails]
    one = mails[0]
    bare = replace(
        one,
        in_reply_to=(),
        reference_ids=(),
        subject="",
        numbers=(),
        text_numbers=(),
        thread_index=None,
        quoted_prints=b"",
        participants=(),
    )
    without = placed(bare, *mails[1:])
    policy = replace(POLICY, decisions=(ThreadDecision(one.remote_id, "apart"),))
    found = placed(*mails, policy=policy)
    beside = {
        name
        for name, each in found.items()
        if each.ticket_remote_id == found[one.remote_id].ticket_remote_id
    }
    allowed = {
        name
        for name, each in without.items()
        if each.ticket_remote_id == without[one.remote_id].ticket_remote_id
    }
    later = {each.remote_id for each in mails if in_time(each) > in_time(one)}
    assert beside <= allowed | later


@given(MAILS)
def test_a_copy_is_of_a_leader_in_the_same_conversation(mails: list[MailHeaders]) -> None:
    found = placed(*mails)
    for each in found.values():
        if each.copy_of_remote_id is not None:
            leader = found[each.copy_of_remote_id]
            assert leader.copy_of_remote_id is None
            assert leader.ticket_remote_id == each.ticket_remote_id


def test_thirty_thousand_mails_are_placed_in_seconds() -> None:
    mails = [
        mail(
            f"{number}",
            hours=number / 10,
            subject=f"{'Re: ' if number % 5 else ''}Order {number // 5} came broken",
            people=(f"p{number // 5}@x.example", INFO),
            references=(f"<{number - 1}>",) if number % 5 in (1, 2) else (),
        )
        for number in range(30_000)
    ]
    began = datetime.now(UTC)
    found = place(mails, ThreadIndex(), POLICY)
    assert len({each.ticket_remote_id for each in found}) == 6_000
    assert datetime.now(UTC) - began < timedelta(seconds=20)


def test_an_id_without_angles_counts_where_that_mail_is_here() -> None:
    answer = mail("b", hours=1, subject="x", in_reply_to=("a",))
    assert placed(mail("a"), answer)["b"].reason == "in-reply-to without angles"
    lost = [mail(name, subject=name * 9, in_reply_to=("gone@x.example",)) for name in "bc"]
    assert not together(*lost)
    assert not together(mail("a"), answer, policy=replace(POLICY, steps=frozenset()))


def test_an_address_is_no_id() -> None:
    answers = [
        mail(
            name, hours=n, subject=name * 9, in_reply_to=("<ada@customer.example>",), people=(who,)
        )
        for n, (name, who) in enumerate([("a", "ada@customer.example"), ("b", "bob@x.example")])
    ]
    assert not together(*answers)


def test_a_list_that_hands_mails_on_joins_nobody() -> None:
    first, later = (
        replace(one, list_addresses=("users@list.example",))
        for one in (
            mail("a", people=("ada@x.example", "users@list.example")),
            mail(
                "b",
                hours=1,
                subject="Re: Printer in room four is broken",
                people=("eve@x.example", "users@list.example"),
            ),
        )
    )
    assert not together(first, later)


def test_outlooks_index_joins_people_who_share_it_and_the_subject() -> None:
    def indexed(name: str, hours: float, who: str) -> MailHeaders:
        return replace(mail(name, hours=hours, people=(who, INFO)), thread_index="0f" * 16)

    found = placed(
        indexed("a", 0, "ada@x.example"),
        indexed("b", 900, "ada@x.example"),
        indexed("c", 901, "eve@x.example"),
    )
    assert found["b"] == Placement("b", thread("<a>"), "thread index")
    assert found["c"].ticket_remote_id == thread("<c>")
    assert found["c"].doubt == Doubt(
        thread("<a>"), "it has the same conversation index and nobody in common"
    )


def quoter(
    name: str, hours: float, who: str, subject: str, quoted: str, own: str = ""
) -> MailHeaders:
    made = mail(name, hours=hours, subject=subject, people=(who, INFO))
    return replace(made, **quoting(own, quoted, "ada@x.example"))  # type: ignore[arg-type]


ASKED = quoter("a", 0, "ada@x.example", "Lamp", "", SENTENCES[0])


@pytest.mark.parametrize(
    ("later", "joins"),
    [
        (quoter("b", 900, "ada@x.example", "Re: Lamp", SENTENCES[0]), True),
        (quoter("b", 9, "ada@x.example", "Re: what else", SENTENCES[0]), True),
        (quoter("b", 900, "ada@x.example", "Re: what else", SENTENCES[0]), False),
        (quoter("b", 9, "ada@x.example", "New trouble", SENTENCES[0]), False),
        (quoter("b", 9, "bob@x.example", "Re: Lamp", SENTENCES[0]), True),
        (quoter("b", 9, "bob@x.example", "Fwd: Lamp", SENTENCES[0]), False),
        (quoter("b", 9, "bob@x.example", "Re: Lamp", SENTENCES[0][:40]), False),
        (
            quoter(
                "b", 9, "bob@x.example", "Re: Lamp", SENTENCES[0] + " " + " ".join(SENTENCES[1:])
            ),
            False,
        ),
        (quoter("b", 9, "ada@x.example", "Re: [#5] what else", SENTENCES[0]), True),
    ],
    ids=[
        *("same subject", "other subject", "other subject, late", "no reply", "named stranger"),
        *("stranger's forward", "few words", "small share", "number"),
    ],
)
def test_quoted_text_joins_within_its_guards(later: MailHeaders, joins: bool) -> None:
    found = placed(ASKED, later)
    assert (found["a"].ticket_remote_id == found["b"].ticket_remote_id) == joins
    assert not joins or found["b"].reason == "quoted text"


def test_words_that_many_conversations_hold_join_nobody() -> None:
    canned = [
        quoter(f"a{n}", n, f"p{n}@x.example", f"Case {n}", "", SENTENCES[0]) for n in range(4)
    ]
    later = quoter("b", 9, "p1@x.example", "Re: something", SENTENCES[0])
    assert not together(canned[1], later, *canned)
    assert placed(*canned, later)["b"].reason == "first mail"


def test_a_reply_to_a_long_silent_conversation_may_begin_a_new_one() -> None:
    policy = replace(POLICY, new_after=timedelta(days=30))
    found = placed(
        mail("a"),
        mail("b", hours=24 * 29, references=("<a>",)),
        mail("c", hours=24 * 70, references=("<a>", "<b>")),
        mail("d", hours=24 * 71, references=("<a>", "<b>", "<c>")),
        policy=policy,
    )
    assert [found[name].ticket_remote_id for name in "abcd"] == [
        *(thread("<a>"), thread("<a>"), thread("<c>"), thread("<c>"))
    ]
    assert found["c"].reason == "long silence"


def test_a_changed_subject_may_begin_a_new_conversation() -> None:
    policy = replace(POLICY, splits_at_new_subject=True)
    mails = [
        mail("a"),
        mail("b", hours=1, references=("<a>",), subject="Re: Printer in room four is broken"),
        mail("c", hours=2, references=("<a>", "<b>"), subject="Lamp in room five"),
        mail("d", hours=3, references=("<a>", "<c>"), subject="Re: Lamp in room five"),
    ]
    found = placed(*mails, policy=policy)
    assert found["c"].reason == "changed subject"
    assert [found[name].ticket_remote_id for name in "abcd"] == [
        *(thread("<a>"), thread("<a>"), thread("<c>"), thread("<c>"))
    ]
    assert together(*mails)
