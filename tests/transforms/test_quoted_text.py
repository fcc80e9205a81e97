"""Quoted words are found whatever was done to their lines; headers of quotes are known in many languages."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.quote_headers import forwarded_original, quote_headers
from transforms.quoted_text import RUN, WINDOW, fingerprints, packed, unpacked
from transforms.thread_numbers import TicketNumbers, ticket_numbers

WORDS = st.lists(
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=3, max_size=9),
    min_size=RUN + WINDOW + 8,
    max_size=80,
)


@given(WORDS, st.integers(20, 90), st.integers(1, 3), st.sampled_from([">", "> ", " > "]))
def test_a_quote_wrapped_anew_and_indented_is_found(
    words: list[str], width: int, depth: int, mark: str
) -> None:
    own = fingerprints("\n".join(textwrap.wrap(" ".join(words), 70))).own
    lines = textwrap.wrap(" ".join(words).capitalize(), width)
    quoted = fingerprints("I see.\n\n" + "\n".join(f"{mark * depth} {line}" for line in lines))
    assert set(quoted.quoted) == set(own)
    assert unpacked(packed(quoted.quoted)) == quoted.quoted


@given(WORDS, st.data())
def test_as_many_words_as_a_run_and_a_window_are_enough(
    words: list[str], data: st.DataObject
) -> None:
    size = RUN + WINDOW - 1
    start = data.draw(st.integers(0, len(words) - size))
    own = fingerprints(" ".join(words)).own
    some = " ".join(words[start : start + size])
    assert set(fingerprints(f"> {some}").quoted) & set(own)


def test_signatures_and_list_footers_are_no_words() -> None:
    long = "we sell lamps and chairs and tables and beds in our shop in the old town every day"
    assert fingerprints(f"Hello\n-- \n{long}").own == ()
    assert fingerprints(f"Hello\n{'_' * 47}\n{long}").own == ()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("On Mon, 2 Mar 2026 at 09:00, Ada <ada@x.example> wrote:", "ada@x.example"),
        ("On Mon, 2 Mar 2026 at 09:00, Ada\n<ada@x.example> wrote:", "ada@x.example"),
        ("Am 02.03.2026 um 09:00 schrieb Ada <ada@x.example>:", "ada@x.example"),
        ("Le lun. 2 mars 2026 à 09:00, Ada <ada@x.example> a écrit :", "ada@x.example"),
        ("Ada <ada@x.example>, 2 Mar 2026 Pzt, 09:00 tarihinde şunu yazdı:", "ada@x.example"),
        ("2026年3月2日(月) 9:00 Ada <ada@x.example>:", "ada@x.example"),
        ("> El lun, 2 mar 2026 a las 9:00, Ada (<ada@x.example>) escribió:", "ada@x.example"),
        ("*From:* Ada <ada@x.example>\n*Sent:* Monday\n*To:* us\n*Subject:* Lamp", "ada@x.example"),
        ("Fra: Ada <ada@x.example>\nSendt: 2. mars 2026\nTil: oss\nEmne: Lampe", "ada@x.example"),
        (
            "发件人: Ada <ada@x.example>\n发送时间: 2026年3月2日\n收件人: us\n主题: 灯",
            "ada@x.example",
        ),
    ],
)
def test_whose_words_are_quoted(text: str, address: str) -> None:
    found = quote_headers(f"Thanks.\n\n{text}\n\nMy lamp broke.")
    assert [one.sender.address for one in found if one.sender] == [address]
    assert found[0].kind == "reply"


@pytest.mark.parametrize(
    "text",
    [
        "Please note:",
        "I wrote:",
        "From: here to there",
        "To: do\nDate: tomorrow",
        "My address is ada@x.example:",
        "Error from module: x\nsent: 5\nfailed: 7",
    ],
)
def test_what_only_looks_like_a_header(text: str) -> None:
    assert quote_headers(f"{text}\nand more") == []


def test_a_forward_inside_of_an_answer_is_no_forward() -> None:
    forward = "From: Ada <ada@x.example>\nDate: today\nSubject: Lamp\nTo: us\n\nIt broke."
    assert forwarded_original(forward, "Re: Lamp") is None
    assert forwarded_original(forward, "Fwd: Lamp") is not None


@pytest.mark.parametrize(
    ("subject", "text", "wanted"),
    [
        ("Re: [#123] Lamp", "", TicketNumbers(certain=("123",))),
        ("[Acme] [Ticket#2015071510000015] x", "", TicketNumbers(certain=("2015071510000015",))),
        ("[shop.example #0042] x", "", TicketNumbers(certain=("42",))),
        ("[## 77 ##] x", "", TicketNumbers(certain=("77",))),
        ("Ticket 123: Lamp", "see case no. 9", TicketNumbers(possible=("123",), in_text=("9",))),
        ("x", "[G5EYL2-7Q3E]", TicketNumbers(certain=("G5EYL2-7Q3E",))),
        ("Invoice 2026-03, order 55 [draft]", "room 12", TicketNumbers()),
    ],
)
def test_ticket_numbers(subject: str, text: str, wanted: TicketNumbers) -> None:
    assert ticket_numbers(subject, text) == wanted
