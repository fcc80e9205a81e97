"""A mailbox's conversations become tickets: no mail is lost, the requester is the customer, the status is derived."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.mail import MailboxPolicy, ParsedMail, build, parse
from transforms.model import Batch, RawRecord, Rejected, SourceComment
from transforms.threads import ThreadIndex, ThreadPolicy, place

INFO, ADA, BOB = "info@acme.example", "ada@customer.example", "bob@acme.example"
POLICY = MailboxPolicy(own_addresses=frozenset({INFO}), agent_domains=frozenset({"acme.example"}))
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def mail(
    name: str,
    sender: str = ADA,
    to: str = INFO,
    *,
    days: float = 0,
    parent: str = "",
    head: str = "",
    body: str = "The printer in room four is broken.",
) -> RawRecord:
    at = START + timedelta(days=days)
    lines = [
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {'Re: ' if parent else ''}Printer broken",
        f"Message-ID: <{name}>",
        f"Date: {at:%a, %d %b %Y %H:%M:%S} +0000",
        *([f"References: <{parent}>"] if parent else []),
        *([head] if head else []),
    ]
    payload = "\n".join([*lines, "", body]).encode()
    return RawRecord("mails", name, payload, "message/rfc822")


def built(*records: RawRecord, policy: MailboxPolicy = POLICY, as_of_days: float = 3) -> Batch:
    rows = [(record, parse(record)) for record in records]
    headers = [parsed.headers for _, parsed in rows if isinstance(parsed, ParsedMail)]
    threads = ThreadPolicy(own_addresses=policy.own_addresses)
    places = {each.remote_id: each for each in place(headers, ThreadIndex(), threads)}
    return build(
        [(record, parsed, places.get(record.remote_id)) for record, parsed in rows],
        policy,
        START + timedelta(days=as_of_days),
    )


def days_of(changes: Iterable[object]) -> list[tuple[str, str, float]]:
    return [
        (c.old_value, c.new_value, (c.occurred_at - START) / timedelta(days=1))  # type: ignore[attr-defined]
        for c in changes
    ]


def by_id(batch: Batch) -> dict[str, SourceComment]:
    return {comment.remote_id: comment for comment in batch.comments}


QUESTION = mail("q", f"Ada Lovelace <{ADA}>")
ANSWER = mail("a", f"Bob <{BOB}>", ADA, days=1, parent="q")


def test_a_question_and_its_answer_are_one_ticket() -> None:
    batch = built(QUESTION, ANSWER)
    (ticket,) = batch.tickets
    assert (ticket.subject, ticket.status, ticket.requester_remote_id) == (
        "Printer broken",
        "pending",
        ADA,
    )
    assert (ticket.created_at, ticket.updated_at) == (START, START + timedelta(days=1))
    assert (ticket.channel, ticket.priority, ticket.language) == ("email", None, "en")
    assert ticket.fields == {"is_status_derived": True}
    question, answer = by_id(batch)["q"], by_id(batch)["a"]
    assert (question.author_kind, question.author_remote_id, question.thread_reason) == (
        *("customer", ADA, "first mail"),
    )
    assert (answer.author_kind, answer.author_remote_id, answer.thread_reason) == (
        "agent",
        BOB,
        "refs",
    )
    assert (answer.message_id, answer.reference_ids) == ("<a>", ("<q>",))
    assert (answer.raw_stream, answer.raw_remote_id) == ("mails", "a")
    people = {(p.remote_id, p.name, p.is_agent, p.emails) for p in batch.people}
    assert people == {(ADA, "Ada Lovelace", False, (ADA,)), (BOB, "Bob", True, (BOB,))}


@pytest.mark.parametrize(
    ("records", "as_of_days", "status", "changes"),
    [
        ([QUESTION], 0.5, "open", []),
        ([QUESTION], 90, "open", []),
        ([QUESTION, ANSWER], 3, "pending", [("open", "pending", 1)]),
        ([QUESTION, ANSWER], 7.9, "pending", [("open", "pending", 1)]),
        ([QUESTION, ANSWER], 8, "solved", [("open", "pending", 1), ("pending", "solved", 1)]),
        (
            [QUESTION, ANSWER, mail("q2", days=2, parent="q")],
            90,
            "open",
            [("open", "pending", 1), ("pending", "open", 2)],
        ),
        (
            [QUESTION, ANSWER, mail("q2", days=20, parent="q")],
            21,
            "open",
            [("open", "pending", 1), ("pending", "solved", 1), ("solved", "open", 20)],
        ),
        ([QUESTION, ANSWER], 0.5, "open", []),
        ([mail("s", BOB, ADA)], 1, "pending", []),
        ([mail("s", BOB, ADA)], 10, "solved", [("pending", "solved", 0)]),
        (
            [QUESTION, ANSWER, mail("o", days=2, parent="q", head="Auto-Submitted: auto-replied")],
            3,
            "pending",
            [("open", "pending", 1)],
        ),
        ([QUESTION, mail("n", BOB, INFO, days=1, parent="q")], 3, "open", []),
    ],
    ids=[
        *("new", "never answered", "answered", "not yet quiet enough", "quiet", "came back soon"),
        *("came back after silence", "before the answer", "begun by an agent", "begun, then quiet"),
        *("an automatic answer changes nothing", "a note changes nothing"),
    ],
)
def test_status(
    records: list[RawRecord], as_of_days: float, status: str, changes: list[tuple[str, str, float]]
) -> None:
    batch = built(*records, as_of_days=as_of_days)
    assert batch.tickets[0].status == status
    assert days_of(batch.changes) == changes
    assert all(change.is_observed for change in batch.changes)
    assert len({change.remote_id for change in batch.changes}) == len(batch.changes)


def test_the_policy_names_the_statuses_and_the_silence() -> None:
    policy = MailboxPolicy(
        own_addresses=frozenset({INFO}),
        agent_addresses=frozenset({BOB}),
        solved_after=None,
        agent_status="on_hold",
    )
    assert built(QUESTION, ANSWER, policy=policy, as_of_days=900).tickets[0].status == "on_hold"


def test_the_requester_of_a_ticket_that_an_agent_began_is_whom_he_wrote_to() -> None:
    ticket = built(mail("s", BOB, f"{INFO}, {ADA}")).tickets[0]
    assert ticket.requester_remote_id == ADA


def test_a_bounce_is_a_bots_comment_on_the_ticket_of_the_mail_that_came_back() -> None:
    bounce = mail(
        "b",
        "MAILER-DAEMON@mx.example",
        BOB,
        days=2,
        head="Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        body="--b\n\nfailed\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <a>\n\nx\n--b--",
    )
    batch = built(QUESTION, ANSWER, bounce)
    assert len(batch.tickets) == 1
    comment = by_id(batch)["b"]
    assert (comment.author_kind, comment.is_automatic, comment.thread_reason) == (
        "bot",
        True,
        "bounce",
    )
    assert batch.tickets[0].tags == ("bounce",)
    assert batch.tickets[0].status == "pending"


def test_a_ticket_that_no_person_wrote_is_tagged() -> None:
    (ticket,) = built(mail("n", "robot@shop.example", head="Precedence: bulk")).tickets
    assert (ticket.tags, ticket.requester_remote_id) == (("automatic",), "robot@shop.example")


def test_mails_among_agents_are_notes() -> None:
    batch = built(QUESTION, mail("n", BOB, f"carol@acme.example, {INFO}", days=1, parent="q"))
    assert [comment.is_public for comment in batch.comments] == [True, False]


def test_a_second_copy_is_kept_and_counts_for_nothing() -> None:
    copy = RawRecord("mails", "z", b"X-Folder: Sent\n" + ANSWER.payload)
    batch = built(QUESTION, copy, ANSWER)
    assert by_id(batch)["z"].copy_of_remote_id == "a"
    assert days_of(batch.changes) == [("open", "pending", 1)]


def test_attachments_come_with_their_bytes() -> None:
    record = mail(
        "q",
        head='Content-Type: text/csv; name="a.csv"',
        body="a;b",
    )
    (attachment,) = built(record).comments[0].attachments
    assert (attachment.remote_id, attachment.file_name, attachment.content) == (
        "q/1",
        "a.csv",
        b"a;b",
    )
    assert (attachment.size_bytes, attachment.media_type) == (3, "text/csv")


def test_a_mail_without_a_date_takes_the_time_of_the_last_dated_one_and_warns() -> None:
    undated = RawRecord("mails", "u", b"From: x@y.example\nReferences: <q>\nSubject: Re: x\n\nx")
    batch = built(QUESTION, ANSWER, undated)
    assert by_id(batch)["u"].created_at == START + timedelta(days=1)
    (warning,) = batch.warnings
    assert warning.rule.startswith("no Date header")
    assert warning.detail.endswith("(u)")
    assert batch.tickets[0].created_at == START


def test_the_language_of_a_ticket_is_that_of_its_authors_words() -> None:
    quoted = (
        "> Bonjour, la lampe ne s'allume plus depuis hier, et je ne sais pas pourquoi elle clignote.\n"
        * 4
    )
    own = "Hello, we have looked at the lamp and it is not the one that you have ordered from us."
    batch = built(mail("m", body=f"{own}\n\nOn 3 Mar 2026 A <a@b.example> wrote:\n{quoted}"))
    assert batch.tickets[0].language == "en"


def test_a_subject_that_is_missing_is_said_to_be() -> None:
    batch = built(RawRecord("mails", "q", b"From: ada@x.example\n\nhello"))
    assert batch.tickets[0].subject == "(no subject)"


RECORDS = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.builds(
            lambda name, sender, days, parent, head: (
                mail(name, sender, days=days, parent=parent, head=head).payload
            ),
            st.sampled_from("abcdef"),
            st.sampled_from([ADA, BOB, INFO, "", "eve@x.example"]),
            st.floats(0, 30),
            st.sampled_from(["", "", "a", "b", "ghost"]),
            st.sampled_from(["", "", "Auto-Submitted: auto-replied", "X-Failed-Recipients: x@y"]),
        ),
    ),
    max_size=12,
)


@given(RECORDS, st.floats(0, 60))
def test_every_mail_is_a_comment_or_rejected(payloads: list[bytes], as_of_days: float) -> None:
    records = [RawRecord("mails", f"m{n}", payload) for n, payload in enumerate(payloads)]
    batch = built(*records, as_of_days=as_of_days)
    comments = [comment.remote_id for comment in batch.comments]
    rejected = [each.remote_id for each in batch.rejected]
    assert sorted(comments + rejected) == sorted(record.remote_id for record in records)
    tickets = {ticket.remote_id: ticket for ticket in batch.tickets}
    assert len(tickets) == len(batch.tickets)
    assert {comment.ticket_remote_id for comment in batch.comments} == set(tickets)
    people = {person.remote_id for person in batch.people}
    assert {c.author_remote_id for c in batch.comments if c.author_remote_id} <= people
    for ticket in batch.tickets:
        history = [c for c in batch.changes if c.ticket_remote_id == ticket.remote_id]
        assert ticket.requester_remote_id is None or ticket.requester_remote_id in people
        assert not history or history[-1].new_value == ticket.status
        for before, after in pairwise(history):
            assert before.new_value == after.old_value
            assert before.occurred_at <= after.occurred_at


def test_a_mail_without_a_place_is_rejected_rather_than_lost() -> None:
    parsed = parse(QUESTION)
    assert isinstance(parsed, ParsedMail)
    batch = build([(QUESTION, parsed, None)], POLICY, START)
    assert batch.rejected == [Rejected("mails", "q", "mail without a place")]


def raw_mail(
    number: int, route: str, text: str, date: str = "Mon, 02 Mar 2026 09:00:00 +0000"
) -> RawRecord:
    payload = (
        f"Received: from {route} by mx.example.com; Mon, 02 Mar 2026 09:00:05 +0000\r\n"
        f"From: ada@customer.example\r\nTo: info@example.com\r\nSubject: Order 4711\r\nDate: {date}\r\n\r\n{text}\r\n"
    )
    return RawRecord("mails", f"sha256:{number}", payload.encode(), "message/rfc822")


def test_copies_without_a_message_id_are_known_by_what_was_written() -> None:
    batch = built(
        raw_mail(1, "a.example", "Where is it?"), raw_mail(2, "b.example", "Where is it?")
    )
    assert len(batch.tickets) == 1
    assert [c.copy_of_remote_id for c in batch.comments] == [None, "sha256:1"]


@pytest.mark.parametrize(
    "other",
    [
        raw_mail(2, "b.example", "Where is my order?"),
        raw_mail(2, "b.example", "Where is it?", "Mon, 02 Mar 2026 10:00:00 +0000"),
    ],
)
def test_mails_without_a_message_id_that_differ_are_no_copies(other: RawRecord) -> None:
    batch = built(raw_mail(1, "a.example", "Where is it?"), other)
    assert [c.copy_of_remote_id for c in batch.comments] == [None, None]


def test_an_empty_or_undated_mail_is_like_too_many_others_to_have_an_identity() -> None:
    for record in (raw_mail(1, "a.example", ""), raw_mail(1, "a.example", "Hello", "someday")):
        parsed = parse(record)
        assert isinstance(parsed, ParsedMail)
        assert parsed.identity is None
