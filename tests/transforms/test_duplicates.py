"""A request that came twice is linked once, to the older ticket, and two requests are never made one."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.duplicates import measure, precision_and_recall
from transforms.duplicates import Duplicate, TicketText, find_duplicates

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEXT = "The printer on the second floor is on fire again, please send somebody quickly."


def ticket(
    key: str,
    minute: float = 0,
    source: str = "zendesk",
    requester: str | None = "anna",
    subject: str = "Printer on fire",
    text: str = TEXT,
    message_id: str | None = None,
    client: str = "acme",
) -> TicketText:
    at = NOON + timedelta(minutes=minute)
    return TicketText(key, client, source, requester, subject, text, at, message_id)


def links(found: list[Duplicate]) -> list[tuple[str, str]]:
    return [(one.ticket_key, one.duplicate_of_key) for one in found]


def test_the_same_words_in_two_sources_within_the_hour() -> None:
    found = find_duplicates(
        [
            ticket("b", 20, "mail", subject="Re: AW: printer on fire", text=TEXT + "\n\nAnna"),
            ticket("a", 0),
        ]
    )
    assert links(found) == [("b", "a")]
    assert found[0].score > 90
    assert found[0].reason == (
        f"same requester, {found[0].score:.0f} % the same words in zendesk and mail, 20 min later"
    )


@pytest.mark.parametrize(
    "second",
    [
        ticket("b", 61, "mail"),
        ticket("b", 6),
        ticket("b", 1, text=TEXT[:-25]),
        ticket("b", 1, "mail", requester="bob"),
        ticket("b", 1, "mail", requester=None),
        ticket("b", 1, "mail", client="other"),
        ticket("b", 1, "mail", text="Please tell me how I can change the password of my account."),
        ticket("b", 1, "mail", text=TEXT.replace("second floor", "floor 22")),
    ],
)
def test_what_differs_in_more_than_words_is_another_request(second: TicketText) -> None:
    assert find_duplicates([ticket("a"), second]) == []


def test_numbers_and_short_words_prove_two_requests() -> None:
    first = ticket(
        "a", subject="Order 4711", text="My order 4711 has not arrived yet, where is it?"
    )
    other = ticket(
        "b", 3, "mail", first.requester_key, "Order 4712", first.text.replace("11", "12")
    )
    assert find_duplicates([first, other]) == []
    assert (
        find_duplicates(
            [
                ticket("a", subject="Help", text="hi"),
                ticket("b", 1, "mail", subject="Help", text="hi"),
            ]
        )
        == []
    )


def test_a_form_sent_twice_in_one_source() -> None:
    found = find_duplicates([ticket("a"), ticket("b", 4.9), ticket("c", 4.95)])
    assert links(found) == [("b", "a"), ("c", "a")]
    assert found[0].reason == "same requester, 100 % the same words in zendesk, 4 min later"


def test_the_same_mail_in_two_sources_whoever_asked_and_whenever() -> None:
    found = find_duplicates(
        [
            ticket("a", 0, "info", requester=None, message_id="<1@acme.example>"),
            ticket("b", 9_000, "zendesk", requester="x", message_id="<1@acme.example>"),
        ]
    )
    assert links(found) == [("b", "a")]
    assert found[0].reason == "same Message-ID in info and zendesk"


def test_one_message_id_for_all_mails_proves_nothing() -> None:
    assert (
        find_duplicates(
            [
                ticket("a", message_id="<0@scanner>", text="Scan of the contract with Brown Ltd."),
                ticket(
                    "b",
                    90,
                    "mail",
                    subject="Fault",
                    text="No toner in tray two",
                    message_id="<0@scanner>",
                ),
            ]
        )
        == []
    )


def test_nothing_chains_over_a_duplicate() -> None:
    found = find_duplicates([ticket("a"), ticket("b", 50, "mail"), ticket("c", 100)])
    assert links(found) == [("b", "a")], "c came more than an hour after a, and b is no primary"


def test_new_tickets_are_compared_with_candidates_and_known_links_stay() -> None:
    first, second = ticket("a"), ticket("b", 10, "mail")
    assert find_duplicates([], [first, second]) == []
    third = ticket("c", 20, "chat")
    assert links(find_duplicates([third], [first, second], {"b": "a"})) == [("c", "a")]
    assert links(find_duplicates([third], [second], {"b": "a"})) == []


def test_an_older_ticket_that_comes_late_becomes_the_primary_of_all() -> None:
    first, second, late = ticket("a", 10), ticket("b", 20, "mail"), ticket("z", 0, "chat")
    found = find_duplicates([late], [first, second], {"b": "a"})
    assert links(found) == [("a", "z"), ("b", "z")]
    assert found[1].reason.startswith("duplicate of a, which is one itself: same requester")


def test_thousands_of_tickets_of_one_requester_stay_cheap() -> None:
    many = [
        ticket(f"t{n:05}", n / 100, "mail", text=f"{TEXT} Host number {n} of the rack is down.")
        for n in range(5_000)
    ]
    started = time.perf_counter()
    assert find_duplicates(many) == []
    assert time.perf_counter() - started < 10


TICKETS = st.lists(
    st.builds(
        lambda minute, source, requester, client, text, mail: (
            minute,
            source,
            requester,
            client,
            text,
            mail,
        ),
        st.integers(0, 150),
        st.sampled_from(["zendesk", "mail"]),
        st.sampled_from(["anna", "bob", None]),
        st.sampled_from(["acme", "other"]),
        st.sampled_from([TEXT, TEXT + " Thanks", "Where is my invoice for the month of May?"]),
        st.sampled_from([None, None, "<1@x>", "<2@x>"]),
    ),
    max_size=14,
).map(
    lambda drawn: [
        ticket(f"t{n}", minute, source, requester, text=text, client=client, message_id=mail)
        for n, (minute, source, requester, client, text, mail) in enumerate(drawn)
    ]
)


def assert_sound(by_key: dict[str, TicketText], found: dict[str, str]) -> None:
    for duplicate, primary in found.items():
        assert primary not in found, "a primary is never itself a duplicate"
        assert by_key[duplicate].client_key == by_key[primary].client_key
        older, younger = by_key[primary], by_key[duplicate]
        assert older.rank < younger.rank


@settings(max_examples=200, deadline=None)
@given(TICKETS, st.randoms(use_true_random=False))
def test_links_are_sound_and_the_order_does_not_matter(tickets: list[TicketText], chance) -> None:  # type: ignore[no-untyped-def]
    found = find_duplicates(tickets)
    assert len({one.ticket_key for one in found}) == len(found)
    assert_sound({one.ticket_key: one for one in tickets}, dict(links(found)))
    shuffled = tickets[:]
    chance.shuffle(shuffled)
    assert find_duplicates(shuffled) == found


@settings(max_examples=200, deadline=None)
@given(TICKETS, st.integers(0, 14), st.booleans())
def test_links_found_in_two_steps_are_sound(
    tickets: list[TicketText], cut: int, in_order: bool
) -> None:
    ordered = sorted(tickets, key=lambda one: (one.created_at, one.ticket_key))
    first, second = (
        (ordered if in_order else tickets)[:cut],
        (ordered if in_order else tickets)[cut:],
    )
    known = dict(links(find_duplicates(first)))
    both = known | dict(links(find_duplicates(second, first, known)))
    assert_sound({one.ticket_key: one for one in tickets}, both)
    if in_order:
        assert both == dict(links(find_duplicates(tickets)))


def test_a_ticket_among_both_counts_once() -> None:
    one = ticket("a")
    assert find_duplicates([one], [one, replace(one, subject="old")]) == []


LONG = (
    "Hello, since this morning the blue lamp in our entrance does not switch on any more. We have changed the bulb"
    " twice and looked at the fuse, it is not that. Could you please send somebody before Friday?"
)


@pytest.mark.parametrize(
    "second",
    [
        replace(
            ticket("b", 20, "mail", text=LONG),
            requester_key="other",
            requester_address="ada+shop@x.example",
        ),
        ticket("b", 20, "chat", subject="Conversation with Ada", text=LONG),
        ticket("b", 20, "mail", text=f"{LONG}\n\nSent from my iPhone"),
        ticket(
            "b", 20, "mail", text=f"{LONG}\n-- \nAda Lovelace\nAnalytical Engines, phone 555 0101"
        ),
        ticket("b", 20, "mail", text=f"{LONG}\n\nBest regards\nAda Lovelace\nphone 555 0101"),
        ticket("b", 20, "mail", text=LONG.replace(". ", ".\n\n* ").replace("'", "’")),
        ticket(
            "b",
            20,
            "mail",
            text=f"{LONG}\n\nOn 1 March 2026 Kim <kim@shop.example> wrote:\n> old things",
        ),
        replace(
            ticket(
                "b",
                600,
                "mail",
                requester="inbox",
                subject="Fwd: Printer on fire",
                text=f"---------- Forwarded message ---------\nFrom: Ada <ada@x.example>\n"
                f"Date: Mon, Mar 2, 2026\nSubject: Printer on fire\nTo: <info@shop.example>\n\n{LONG}",
            ),
            requester_address="info@shop.example",
        ),
    ],
    ids=["plus", "chat", "phone", "signature", "closing", "layout", "quote", "forward"],
)
def test_the_same_request_in_another_dress(second: TicketText) -> None:
    first = replace(ticket("a", text=LONG), requester_address="Ada@x.example")
    assert links(find_duplicates([second, first])) == [("b", "a")]
    assert links(find_duplicates([second], [first])) == [("b", "a")]
    assert links(find_duplicates([first], [second])) == [("b", "a")]


@pytest.mark.parametrize(
    "second",
    [
        replace(
            ticket("b", 20, "mail", text=LONG, requester="bob"), requester_address="bob@x.example"
        ),
        ticket(
            "b",
            20,
            "mail",
            text=LONG.replace("blue lamp", "washing machine").replace("bulb", "hose"),
        ),
        ticket(
            "b",
            20,
            "mail",
            text=f"Thank you! It works.\n\nOn 2 March 2026 Ada <ada@x.example> wrote:\n> {LONG}",
        ),
        ticket(
            "b",
            20,
            "mail",
            requester="bob",
            subject="Fwd: Printer on fire",
            text=f"---------- Forwarded message ---------\nFrom: Eve <eve@y.example>\nDate: Mon, Mar 2, 2026\n"
            f"Subject: Printer on fire\nTo: <info@shop.example>\n\n{LONG}",
        ),
    ],
    ids=["other person", "other trouble", "thanks", "another one's forward"],
)
def test_what_looks_alike_and_is_not(second: TicketText) -> None:
    first = replace(ticket("a", text=LONG), requester_address="ada@x.example")
    assert find_duplicates([first, second]) == []


def test_a_conversation_that_goes_on_in_the_new_helpdesk_is_one() -> None:
    old = replace(
        ticket("a", source="info", text="first"), message_id="<1@x>", later_message_ids=("<2@x>",)
    )
    new = replace(ticket("b", 9_000, requester=None, text="and now?"), message_id="<2@x>")
    found = find_duplicates([old, new])
    assert links(found) == [("b", "a")]
    assert found[0].reason == "one begins with a mail of the other in info and zendesk"
    in_one = replace(new, source_key="info")
    assert find_duplicates([old, in_one]) == []


def test_an_id_that_many_tickets_have_joins_none_of_them() -> None:
    many = [
        replace(
            ticket(n, 90 * i, f"s{i}", requester=None, text=f"about {n} and {n} alone"),
            later_message_ids=("<0@scanner>",),
        )
        for i, n in enumerate(["lamp", "chair", "table"])
    ]
    last = replace(ticket("b", 900, requester=None, text="x"), message_id="<0@scanner>")
    assert find_duplicates([*many, last]) == []


def test_the_labelled_pairs_are_told_without_one_wrong_link() -> None:
    outcomes = measure()
    precision, recall = precision_and_recall(outcomes)
    assert [one.case.name for one in outcomes if one.reason and not one.case.is_same] == []
    assert precision == 1.0
    assert recall >= 0.9
