"""`transforms.reply.html` and `view`: whose words are whose in HTML, and what the warehouse keeps of them."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.reply.html import split_html_reply
from transforms.reply.view import reply_parts, reply_text
from transforms.text import html_to_text

CASES = {
    "gmail": (
        '<div dir="ltr">It works.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Tue, Mar 3,'
        ' 2026 at 4:05 PM A &lt;<a href="mailto:a@b.example">a@b.example</a>&gt; wrote:<br></div><blockquote'
        ' class="gmail_quote" style="border-left:1px solid #ccc">Does it?</blockquote></div>',
        "It works.",
    ),
    "gmail_inline": (
        '<div class="gmail_quote"><div class="gmail_attr">On Tue, Mar 3, 2026 at 4:05 PM A &lt;a@b.example&gt;'
        ' wrote:<br></div><blockquote class="gmail_quote">Which one?</blockquote><div>The red one.</div><blockquote'
        ' class="gmail_quote">How many?</blockquote><div>Two.</div></div>',
        "The red one.\n\nTwo.",
    ),
    "gmail_signature": (
        '<div>Thanks!</div><div class="gmail_signature" data-smartmail="gmail_signature"><b>Pat</b><br>CFO</div>',
        "Thanks!",
    ),
    "apple": (
        "<body>Yes.<div><blockquote type=cite><div>On 3 Mar 2026, at 10:00, A &lt;a@b.example&gt; wrote:</div><div>So?"
        "</div></blockquote></div></body>",
        "Yes.",
    ),
    "outlook_web": (
        '<div>Done.</div><div id="Signature"><p>Pat Sample<br>CFO</p></div><div id="appendonsend"></div><hr>'
        '<div id="divRplyFwdMsg" dir="ltr"><b>From:</b> A &lt;a@b.example&gt;<br><b>Sent:</b> Monday, March 2, 2026<br>'
        "<b>To:</b> P<br><b>Subject:</b> x</div><div>Is it done?</div>",
        "Done.",
    ),
    "outlook_web_in_a_language_of_no_list": (
        '<div>Done.</div><hr><div id="x_divRplyFwdMsg"><b>Zut:</b> A<br><b>Bla:</b> Monday</div><div>Is it?</div>',
        "Done.",
    ),
    "outlook_desktop": (
        '<div class=WordSection1><p class=MsoNormal>Fine.<o:p></o:p></p><div style="border:none;border-top:solid'
        ' #E1E1E1 1.0pt"><p class=MsoNormal><b>Von:</b> A &lt;a@b.example&gt; <br><b>Gesendet:</b> Montag, 2. März'
        " 2026 10:00<br><b>An:</b> P<br><b>Betreff:</b> x</p></div><p class=MsoNormal>Passt es?</p></div>",
        "Fine.",
    ),
    "outlook_express": (
        '<p>Ok.</p><div class="OutlookMessageHeader">Someone said this at some time</div><p>Old.</p>',
        "Ok.",
    ),
    "yahoo": (
        '<div>Got it.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, A wrote:</div><div>Got'
        " it?</div></div>",
        "Got it.",
    ),
    "thunderbird": (
        '<p>No.</p><div class="moz-cite-prefix">Am 02.03.26 um 10:00 schrieb A:<br></div><blockquote type="cite"'
        ' cite="mid:1@b.example"><p>Ja?</p></blockquote><p>Sorry.</p><div class="moz-signature">-- <br>Pat</div>',
        "No.\n\nSorry.",
    ),
    "gmx": (
        '<div>Danke.</div><div name="quote" style="border-left:2px solid #C3D9E5"><div><b>Gesendet:</b> heute</div>'
        "Alt.</div>",
        "Danke.",
    ),
    "zimbra": (
        '<div>Merci.</div><hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__"><b>De: </b>A</div>'
        '<div data-marker="__QUOTED_TEXT__">Alors ?</div>',
        "Merci.",
    ),
    "proton": (
        '<div>Secret.</div><div class="protonmail_signature_block">Sent with Proton Mail</div><div class='
        '"protonmail_quote">On Monday, A wrote:<blockquote class="protonmail_quote" type="cite">What?</blockquote></div>',
        "Secret.",
    ),
    "freshdesk": ('<div>Hi.</div><div class="freshdesk_quote"><blockquote>Old.</blockquote></div>', "Hi."),
    "zendesk_agent_signature": (
        '<div class="zd-comment"><p>Please restart.</p><div class="signature"><p>Kim<br>Support</p></div></div>',
        "Please restart.",
    ),
    "indented_is_not_quoted": (
        '<div>Steps:</div><blockquote style="margin:0 0 0 40px;border:none;padding:0px"><div>one</div></blockquote>',
        "Steps:\none",
    ),
    "nested_tags_of_one_name": (
        '<div>A</div><div class="yahoo_quoted"><div><div>x</div></div><div>y</div></div><div>B</div>',
        "A\n\nB",
    ),
    "unclosed": ('<div>A</div><blockquote type="cite"><div>x', "A"),
    "in_a_comment": ("<div>A</div><!-- <blockquote> --><div>B</div>", "A\nB"),
}  # fmt: skip


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("name", CASES)
def test_what_programs_wrap(name: str) -> None:
    html, reply = CASES[name]
    parts = split_html_reply(html)
    assert bare(parts.reply) == bare(reply)
    assert "".join(parts.text[part.start : part.end] for part in parts.parts) == parts.text


def test_no_word_of_the_html_is_missing_from_the_parts() -> None:
    for html, _ in CASES.values():
        assert split_html_reply(html).text.split() == html_to_text(html).split()


_PIECES = st.sampled_from(
    [
        *("<div>", "</div>", "<blockquote>", "</blockquote>", '<blockquote type="cite">', "<p>", "</p>", "<br>"),
        *('<div class="yahoo_quoted">', '<div id="divRplyFwdMsg">', '<span class="gmail_signature">', "</span>"),
        *("<hr>", "word ", "more words. ", "<!-- ", " -->", "<", ">", '<div class="', "\U0010fff0", "\U0010fff3"),
        *("<table><tr><td>", "</td></tr></table>", "<style>p{}</style>", "&gt; x", "\n"),
    ]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=25).map("".join))
def test_any_html_is_taken_and_its_parts_are_its_text(html: str) -> None:
    parts = split_html_reply(html)
    assert "".join(parts.text[part.start : part.end] for part in parts.parts) == parts.text
    assert not re.search("[\U0010fff0-\U0010fff4]", parts.text)


@pytest.mark.parametrize(
    "html",
    [
        "<blockquote>" * 20_000,
        '<div class="yahoo_quoted">' * 5_000 + "</div>" * 5_000,
        "<div" * 50_000,
        "<!--" * 50_000,
        "<style>" * 30_000,
        '<div class="' * 30_000,
    ],
    ids=lambda html: html[:16],
)
def test_hostile_html_takes_no_longer_than_its_length(html: str) -> None:
    began = time.perf_counter()
    split_html_reply(html)
    assert time.perf_counter() - began < 30


def test_the_html_is_taken_where_the_text_has_lost_its_marks() -> None:
    html = CASES["gmail_inline"][0]
    lost = html_to_text(html)
    assert reply_parts(lost, html).reply.split() == ["The", "red", "one.", "Two."]
    # A text with marks says enough itself, and is the one that is kept.
    marked = "Yes.\n\nOn 3/3/2026 10:00, A <a@b.example> wrote:\n> x\n"
    assert reply_parts(marked, html).text == marked


def test_the_view_is_none_where_all_is_the_authors_and_empty_where_nothing_is() -> None:
    assert reply_text("Hello,\n\nit is broken.") is None
    assert reply_text("") is None
    assert reply_text("Hello\n\n-- \nPat") == "Hello"
    assert reply_text("> only\n> quotes") == ""
    assert reply_text("Hi \n\n\n\nthere", "<p>Hi</p><p>there</p>") is None


def test_a_message_whose_plain_text_is_a_footer_is_read_from_its_html() -> None:
    footer = "_____\nShop mailing list -- shop@lists.example\nTo unsubscribe write to shop-leave@lists.example"
    assert reply_text(footer, "<p>Where is my lamp?</p>") == "Where is my lamp?"
    assert reply_text(footer) == ""
