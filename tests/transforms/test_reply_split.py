"""`transforms.reply.split`: whose words are whose, in plain text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reply_cases import CASES, ReplyCase
from transforms.reply.parts import ReplyParts
from transforms.reply.split import LONGEST, split_reply


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def kinds(parts: ReplyParts) -> list[tuple[str, str]]:
    return [(part.kind, part.reason) for part in parts.parts]


def joined(parts: ReplyParts) -> str:
    at = 0
    for part in parts.parts:
        assert part.start == at
        assert part.end > part.start
        at = part.end
    return "".join(parts.text[part.start : part.end] for part in parts.parts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_authors_words_in_many_languages_and_programs(case: ReplyCase) -> None:
    parts = split_reply(case.text)
    assert bare(parts.reply) == bare(case.reply)
    assert joined(parts) == case.text


_FRAGMENTS = st.sampled_from(
    [
        *("Hello there.", "", "", " ", "> quoted", ">> deeper", ">", ">>> x = 1", "-- ", "--", "—", "____________"),
        *("On Tue, Mar 3, 2026 at 4:05 PM A <a@b.example> wrote:", "wrote:", "On 3 March", "A <", "a@b.example>:"),
        *("From: A <a@b.example>", "Sent: Monday", "To: c@d.example", "Subject: x", "Von: A", "*From:* A <a@b.example>"),
        *("-----Original Message-----", "Begin forwarded message:", "##- Please type your reply above this line -##"),
        *("Sent from my iPhone", "```", "| a | b |", "| quoted", "-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA1"),
        *("-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----", "2026年3月3日 写道：", "\u202bמאת A <a@b.example>:"),
        *("X mailing list -- x@lists.example", "To unsubscribe send an email to x@lists.example", "CAUTION: external email"),
    ]
)  # fmt: skip
_ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\x0b", "\u2028", "\x85"])
_TEXTS = st.lists(
    st.tuples(_FRAGMENTS | st.text(max_size=30), _ENDS).map("".join), max_size=25
).map("".join)


@given(_TEXTS)
def test_the_parts_are_the_text_and_the_reply_is_of_it(text: str) -> None:
    parts = split_reply(text)
    assert joined(parts) == text
    assert parts.text == text
    assert len(bare(parts.reply)) <= len(bare(text))
    lines = {bare(line) for line in text.splitlines()}
    assert {bare(line) for line in parts.reply.splitlines()} <= lines | {""}
    for before, after in zip(parts.parts, parts.parts[1:], strict=False):
        assert (before.kind, before.reason) != (after.kind, after.reason)


@given(_TEXTS, st.text(alphabet="abc .\n", max_size=40).filter(str.strip))
def test_words_above_any_marker_are_never_lost(rest: str, words: str) -> None:
    parts = split_reply(f"{words}\n\n-----Original Message-----\n{rest}")
    assert bare(words) == bare(parts.reply)


def test_each_part_says_its_kind_its_reason_and_where_it_stands() -> None:
    text = "Yes.\n\n-- \nPat\n\nOn Tue, Mar 3, 2026 at 4:05 PM A <a@b.example> wrote:\n> Really?\n"
    parts = split_reply(text)
    assert kinds(parts) == [("reply", ""), ("signature", "delimiter"), ("quoted", "wrote line")]
    assert parts.reply == "Yes."
    assert parts.signature == "--\nPat"
    (quoted,) = parts.quoted
    assert text[quoted.start :].startswith("On Tue")
    assert quoted.end == len(text)


@pytest.mark.parametrize(
    "text",
    [
        "On Monday I wrote to you about the lamp.\nNobody answered.",
        "In your mail of 12.11.2026 you wrote:\nwe refund everything.\n\nWhen?",
        "My colleague bob@customer.example asked in 2026 and you wrote:\n\nNo.\n\nIs that still so with all of it?",
        "The form says:\n\nFrom: Berlin\nTo: Paris\nDate: Monday\n\nWhy is there no train?",
        "These settings fail:\n\nname: a\nsubject: b\nto: c\n",
        "I want to unsubscribe from your newsletter.",
        "How do I unsubscribe? The link is broken.",
        "This would be a question for the other mailing list.",
        "Please delete this account. The data are confidential.",
        ">>> import shop\n>>> shop.open()\nTypeError: closed\n\nWhat does that mean?",
        "[0.01 start]\n> [0.02 power state 4]\n[0.03 ready]\nIs that right?",
        ">From the start it was broken.",
        "Measured:\n\n------\n1. fast\n2. slow\n------\n\nWhich one is right, do you think?",
        "Look here\n\n-----\nhttps://docs.example/page",
        "```\nOn Tue, Mar 3, 2026 at 4:05 PM A <a@b.example> wrote:\n> x\n```\nWhy is this shown?",
        "Sent from my desk, which is easier than the phone.",
        "The call was sent from my phone. Is that a problem?",
        "We got it from mobile users, too, and they are angry.",
        "| name | count |\n| a | 12 |",
        "a\n\n-- \n" + "\n".join(f"line {n} of a long list of things" for n in range(60)),
    ],
)  # fmt: skip
def test_words_that_only_look_like_marks_are_the_authors(text: str) -> None:
    assert bare(split_reply(text).reply) == bare(text)


@pytest.mark.parametrize(
    "introduction",
    [
        "2026-10-24 15:36 GMT+02:00 Ann Bee <ann@shop.example>:",
        "2013/10/2 Ann <ann@shop.example>",
        "At 6/16/2026 08:32 PM, you wrote:",
        "Ann Bee via Forum <ann@shop.example> schrieb am Di., 16. Aug. 2026\num 12:52 Uhr:",
        'Am 21.04.2026 17:48 schrieb "Ann Bee" <ann.bee@shop.example\n>:',
        "Wade <wade@shop.example>, 21 Eki 2026 Cum, 20:34 tarihinde şunu\nyazdı:",
        "pe 20. lokakuuta 2026 klo 17.50 Ann Bee\n<ann@shop.example> kirjoitti:",
        "Marta <m@shop.example> ezt írta (időpont: 2026. márc. 3., K, 10:00):",
        "Στις Τρί 3 Μαρ 2026 στις 10:00 π.μ., ο χρήστης Ann <ann@shop.example> έγραψε:",
        "Vào Th 3, 3 thg 3, 2026 vào lúc 10:00 Ann <ann@shop.example> đã viết:",
        "mar., 3 mar. 2026 la 10:00, Ann <ann@shop.example> a scris:",
        "30 серп. 2026 р. 20:45 «Ann» ann@shop.example пише:",
        "---- On Tue, 22 Dec 2026 14:17:36 +0530 Ann<ann@shop.example> wrote ----",
        "* Ann Bee <ann@shop.example> [2026-03-03 10:00]:",
        "Zitat von Ann Bee <ann@shop.example>:",
        "Ann wrote:",
    ],
)
def test_introductions_of_a_marked_quote(introduction: str) -> None:
    parts = split_reply(f"Thanks a lot.\n\n{introduction}\n\n> Some question?\n> \n")
    assert parts.reply == "Thanks a lot."
    assert kinds(parts) == [("reply", ""), ("quoted", "wrote line")]


def test_a_quote_on_the_line_of_its_introduction_is_quoted() -> None:
    head = "On Tue, 3 Mar 2026, 10:00 Ann, <ann@shop.example> wrote: > Is it? > > Ann"
    assert split_reply(f"Yes it is.\n\n{head}").reply == "Yes it is."
    assert split_reply("The ratio: > 5 is bad.").reply == "The ratio: > 5 is bad."


@pytest.mark.parametrize(
    "piece", ["wrote:\n", "wrote: ", "a@b.example wrote\n", "x <a@b.example> wrote\n", "wrote:\n> x\n", "From: a@b\n"]
)  # fmt: skip
def test_time_grows_with_the_length_of_a_text_made_of_marks(piece: str) -> None:
    def seconds(letters: int) -> float:
        text = piece * (letters // len(piece))
        taken = []
        for _ in range(3):
            began = time.process_time()
            split_reply(text)
            taken.append(time.process_time() - began)
        return min(taken)

    # Four times the text takes four times as long; were it quadratic, sixteen times.
    assert seconds(80_000) < 9 * seconds(20_000) + 0.02


def test_answers_between_and_below_quotes_are_kept_and_what_they_answer_is_not() -> None:
    between = "> Is it on?\n\nYes.\n\n> Does it blink?\n\nNo.\n"
    assert split_reply(between).reply == "Yes.\n\nNo."
    assert split_reply("> Is it on?\n\nYes.\n").reply == "Yes."


def test_names_and_numbers_below_a_short_rule_are_a_signature_and_a_list_is_not() -> None:
    assert split_reply("Great.\n\n---\nPat Sample\n+1 555 123 4567").reply == "Great."
    listed = "Which one?\n\n---\nLinux\nWindows"
    assert split_reply(listed).reply == listed


def test_an_unmarked_message_below_an_unmistakable_introduction_is_quoted() -> None:
    head = "On Tue, Mar 3, 2026 at 4:05 PM Ann <ann@shop.example> wrote:\n\nDoes it work?\n"
    assert split_reply(f"It does.\n\n{head}").reply == "It does."
    # With nothing above it, what is below can only be the author's.
    assert split_reply(head).reply == "Does it work?"


def test_a_forwarded_message_without_own_words_counts_as_the_words() -> None:
    text = (
        "---------- Forwarded message ----------\nFrom: Ann <ann@shop.example>\nDate: Monday\n"
        "Subject: A subject that\nspans two lines\nTo: me@shop.example\n\nThis is the message.\n"
    )
    parts = split_reply(text)
    assert parts.reply == "This is the message."
    assert parts.forwarded.startswith("---------- Forwarded")
    with_words = split_reply(f"See below.\n\n{text}")
    assert with_words.reply == "See below."
    assert with_words.forwarded.endswith("This is the message.")


@pytest.mark.parametrize(
    ("line", "is_signature"),
    [
        ("Sent from my iPhone", True),
        ("Sent from Yahoo Mail on Android", True),
        ("Get Outlook for iOS<https://aka.example/o0ukef>", True),
        ("<<sent by galaxy>>", True),
        ("(sent from a phone)", True),
        ("Nik from mobile", True),
        ("Von meinem Mobilgerät gesendet", True),
        ("Diese Nachricht wurde von meinem Android-Mobiltelefon mit K-9 Mail gesendet.", True),
        ("Envoyé de mon téléphone", True),
        ("Enviado desde mi iPhone", True),
        ("Verstuurd vanaf mijn iPad", True),
        ("Skickat från min iPhone", True),
        ("Wysłano z iPhone'a", True),
        ("Отправлено с iPhone", True),
        ("iPhone'umdan gönderildi", True),
        ("從我的 iPhone 傳送", True),
        ("iPhoneから送信", True),
        ("나의 iPhone에서 보냄", True),
        ("Sent from Berlin to Paris, it took a week.", False),
        ("Mobile: +1 555 0100 is my number", False),
        ("Enviado ayer, todavía nada.", False),
    ],
)
def test_lines_of_programs(line: str, is_signature: bool) -> None:
    parts = split_reply(f"All good.\n\n{line}\n")
    assert (parts.signature != "") == is_signature
    assert (parts.reply == "All good.") == is_signature


def test_legal_text_warnings_and_footers_are_told_from_words() -> None:
    text = (
        "CAUTION: This email originated from outside of the organization. Do not click links.\n\n"
        "The order is wrong.\n\nLee\n\n________________________________\n"
        "The information in this e-mail is confidential and intended solely for the addressee. "
        "If you are not the intended recipient, please notify the sender and delete it.\n\n"
        "_______________________________________________\nShop mailing list -- shop@lists.example\n"
        "To unsubscribe send an email to shop-leave@lists.example\n"
    )
    parts = split_reply(text)
    assert parts.reply == "The order is wrong.\n\nLee"
    assert parts.disclaimer.startswith("CAUTION")
    assert "intended recipient" in parts.disclaimer
    assert "To unsubscribe" in parts.signature


def test_a_warning_whose_head_stands_alone_is_one() -> None:
    text = "CAUTION:\n\nThis email originated from outside of Customer Ltd. Be careful.\n\nHello.\n"
    assert split_reply(text).reply == "Hello."
    assert split_reply("Caution!\n\nThe lamp is hot.\n").reply == "Caution!\n\nThe lamp is hot."


def test_a_contact_block_below_the_quote_is_a_signature_and_an_answer_is_not() -> None:
    top = "Yes.\n\nOn 3/3/2026 10:00, Ann wrote:\n> Left or right?\n\n"
    assert split_reply(f"{top}Pat Sample\nCustomer Ltd\n+1 555 010 0100\n").reply == "Yes."
    answer = split_reply(f"{top}The left one.\nhttps://shop.example/left\n")
    assert answer.reply == "Yes.\n\nThe left one.\nhttps://shop.example/left"


def test_lines_that_a_program_broke_off_a_quote_stay_quoted() -> None:
    long = "> a quoted line that is so very long that the program broke it and the end"
    parts = split_reply(f"{long}\nlost its mark\n> and went on.\n\nFine with me.")
    assert parts.reply == "Fine with me."


def test_signed_text_is_freed_of_its_armor() -> None:
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nReally me.\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEB\n=abcd\n-----END PGP SIGNATURE-----\n"
    )
    parts = split_reply(text)
    assert parts.reply == "Really me."
    assert {reason for kind, reason in kinds(parts) if kind == "signature"} == {"OpenPGP"}


def test_a_message_of_quotes_alone_has_no_words() -> None:
    assert split_reply("> On Tue, Mar 3, 2026, A <a@b.example> wrote:\n>\n>> x\n").reply == ""
    assert split_reply("").parts == ()
    assert split_reply("\n \n").reply == ""


@pytest.mark.parametrize(
    "text",
    [
        ">" * 200_000,
        "> " * 100_000,
        " " * 300_000,
        "-" * 300_000,
        "From: a\n" * 40_000,
        "Cc: a@b.example,\n" * 30_000,
        "On 3/3/2026 10:00 <\n" * 30_000,
        "wrote:\n" * 20_000,
        "-- \n" * 60_000,
        "Sent from my iPhone\n" * 20_000,
        "confidential intended recipient " * 10_000,
        ("confidential intended recipient addressee\n" * 5_000),
        "a@" * 100_000 + ":",
        "```\n" * 60_000,
        "-----BEGIN PGP SIGNATURE-----\n" * 10_000,
        "_____\n\n" * 30_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    began = time.perf_counter()
    parts = split_reply(text)
    assert time.perf_counter() - began < 30
    assert joined(parts) == text


def test_a_longer_text_goes_with_the_part_that_was_reached() -> None:
    text = "Hello.\n" + "x" * (LONGEST + 10)
    parts = split_reply(text)
    assert joined(parts) == text
