"""A request that came twice is linked once, to the older ticket, and two requests are never made one."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        assert (older.created_at, primary) < (younger.created_at, duplicate)


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
