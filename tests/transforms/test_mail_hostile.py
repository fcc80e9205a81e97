"""Hostile mails cost no more than their size: each of these once took minutes, or hundreds of megabytes."""

import time

import pytest

from transforms.mail import ParsedMail, parse
from transforms.model import RawRecord
from transforms.text import clean_text, html_to_text

MANY = 100_000


@pytest.mark.parametrize(
    "payload",
    [
        b"Subject: x\nTo: " + b"=?" * MANY + b"\n\nx",
        b"Subject: x\nTo: " + b"=?a?b?" * MANY + b"\n\nx",
        b"Subject: x\nTo: " + b"(," * MANY + b"\n\nx",
        b"Subject: x\nTo: " + b"a" * MANY + b"(a@b.example\n\nx",
        b"Subject: x\nReferences: " + b"a" * MANY + b"\n\nx",
        b"Subject: " + b"=?a?q?" * MANY + b"\n\nx",
        b"Subject: " + b"Re: [a] " * MANY + b"\n\nx",
        b"Content-Type: text/plain" + b"; a=b" * MANY + b"\n\nx",
        b"Content-Type: text/html\n\n" + b'<p style="' * MANY,
        b"Content-Type: text/html\n\n" + b"<td " * MANY,
        b"Content-Type: text/html\n\n" + b"<ul>" * 200 + b"<li>x" * 20_000,
        b"From: mailer-daemon@x.example\n\n" + b"> " * MANY,
    ],
    ids=[
        *("half words", "open words", "comments", "long word before an address", "long bare id"),
        *("words in words", "prefixes", "parameters", "open styles", "open cells", "deep list"),
        "quotes in a bounce",
    ],
)
def test_time_grows_with_size(payload: bytes) -> None:
    began = time.process_time()
    assert isinstance(parse(RawRecord("mails", "m", payload)), ParsedMail)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "html",
    [
        '<div style="padding-left:99999999em; margin-top:999999em">a</div>',
        "<table>" + "<tr><td>a</td></tr>" * 2_000 + f"<tr><td>{'w' * MANY}</td></tr></table>",
        "<table><tr><td colspan=99999999>a</td></tr></table>",
    ],
    ids=["padding", "one wide cell", "column span"],
)
def test_layout_never_blows_up(html: str) -> None:
    assert len(html_to_text(html)) < 3 * len(html)


def test_hidden_text_stays_hidden_where_styles_are_left_out() -> None:
    html = '<p style="color:red;display:none">secret</p><p style="color:red">shown</p>'
    assert html_to_text(html).strip() == "shown"


def test_long_runs_of_blanks_are_cleaned_in_no_time() -> None:
    began = time.process_time()
    assert clean_text(" " * 1_000_000 + "x").endswith("x")
    assert time.process_time() - began < 2
