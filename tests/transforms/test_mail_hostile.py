"""Hostile mails cost no more than their size: each of these once took minutes, or hundreds of megabytes."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.mail import ParsedMail, parse
from transforms.model import RawRecord
from transforms.text import clean_text, html_to_text

MANY = 100_000
HEAD = b"Subject: x\nFrom: a@x.example\n"
MIXED = b"Content-Type: multipart/mixed; boundary="
NESTED = HEAD + b"".join(MIXED + b"b%d\n\n--b%d\n" % (n, n) for n in range(5_000))
INVITATION = b"BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n"


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
        b"From: mailer-daemon@x.example\nSubject: " + b"delivery " * MANY + b"\n\nx",
        b"Return-Path: <>\n\n" + b"can not be " * MANY,
        HEAD + b"X-A: b\n" * 1_000_000 + b"\nx",
        HEAD + b"".join(b"X-%d: b\n" % n for n in range(MANY)) + b"\nx",
        HEAD + b" x\n" * 500_000 + b"\nx",
        HEAD + b"no colon here\n" * MANY + b"\nx",
        NESTED + b"line\n" * 500_000,
        HEAD + (MIXED + b"b\n\n--b\n") * 20_000 + b"line\n" * MANY,
        HEAD + MIXED + b"b\n\n" + b"--b\n\nx\n" * MANY,
        HEAD + MIXED + b"bbb\n\n" + b"--bb\n--bbbx\n" * MANY,
        HEAD + b"Content-Type: multipart/mixed\n\n" + (b"-" * 300 + b"\n") * 10_000,
        HEAD + b"Content-Type: message/rfc822\n\n" * MANY,
        HEAD + b"Content-Type: a/b; " + b"a " * MANY + b";" * MANY + b"\n\nx",
        HEAD + b"Date: " + b"(" * MANY + b"\n\nx",
        HEAD + b"To: " + b"<a@b> <c@d> " * MANY + b"\n\nx",
        HEAD + b"To: " + b"a@b.example " * MANY + b"\n\nx",
        HEAD + b"To: a@b.example\n" * MANY + b"\nx",
        HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"=" * 1_000_000,
        HEAD + b"\n" + b"begin 644 a\n" * MANY,
        HEAD + b"\n" + b"=ybegin line=1 size=1 name=a\n" * MANY,
        HEAD + b"\n" + b"-----BEGIN PGP SIGNED MESSAGE-----\n" * MANY,
        HEAD + b"Content-Type: text/plain; format=flowed\n\n" + b"a \n" * 500_000,
        HEAD + b"Content-Type: text/enriched\n\n" + b"<param>" * MANY,
        HEAD + b"Content-Type: text/calendar\n\n" + INVITATION * 50_000,
        HEAD + b"Content-Type: application/pkcs7-mime\n\n" + b"\x30\x80" * 1_000_000,
        HEAD + b"Content-Type: text/html\n\n<a " + b" hidden " * 50_000,
        HEAD + b"\n" + b"\x1b$B" * 500_000,
    ],
    ids=[
        *("half words", "open words", "comments", "long word before an address", "long bare id"),
        *("words in words", "prefixes", "parameters", "open styles", "open cells", "deep list"),
        *("quotes in a bounce", "subject of a bounce", "text of a bounce"),
        *("a million fields", "many names", "one long field", "stray lines"),
        *("nested", "nested alike", "many parts", "near delimiters", "guessed delimiters"),
        *("messages in messages", "words as parameters", "open comments"),
        *("mailboxes without commas", "addresses without commas", "many fields of addresses"),
        *("padding", "begins of uuencode", "begins of yenc", "begins of armor", "one flow"),
        *("open params", "many events", "open elements", "hidden hidden", "escapes"),
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


SHAPES = (
    HEAD + b"Content-Type: text/plain; charset=utf-8\n\nbegin 644 x\n#8F%R\n`\nend\n",
    HEAD + MIXED + b"b\n\n--b\n\none\n--b\nContent-Type: text/html\n\n<p>two</p>\n--b--\n",
    HEAD + MIXED + b"b\n\n--b\nContent-Type: message/rfc822\n\n" + HEAD + b"\nx\n--b--\n",
    HEAD + b'To: =?utf-8?Q?A=2C_B?= <a@x.example>, "C, D" <c@x.example>; g: e@x.example;\n\nx',
    HEAD + b"Content-Disposition: attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac\n\nx",
    HEAD + b'Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B$"\x1b(B',
    HEAD + b"Content-Type: text/calendar\n\n" + INVITATION,
    HEAD + b"Content-Type: text/plain; format=flowed; delsp=yes\n\n> a \n> b\n-- \nc\n",
    HEAD + b"Content-Type: application/pkcs7-mime\n\n\x30\x80\x06\x01\x00\xa0\x80",
    HEAD + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"
    b"Content-Type: message/delivery-status\n\nAction: failed\n--b--\n",
    HEAD
    + b"Date: Mon, 2 Mar 2026 10:00:00 +0300 (x)\nReceived: a; Mon, 2 Mar 2026 10:00:00 Z\n\nx",
)
PIECES = st.sampled_from(
    [
        *(
            b"=?",
            b"?=",
            b'"',
            b"<",
            b">",
            b"(",
            b")",
            b";",
            b"\n",
            b"\r",
            b"\n\n",
            b"--b",
            b"--b--",
        ),
        *(b"\x00", b"\xff", b"=", b"*0*=utf-8''", b"Content-Type: ", b"multipart/", b"message/"),
        *(b"base64", b"utf-7", b"utf-16", b"%", b"\xe2\x82", b"@", b":", b"\x1b$B", b"9999999999"),
        *(b"begin 644 x\n", b"=ybegin x name=\n", b"-----BEGIN PGP SIGNED MESSAGE-----\n\n"),
    ]
)
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(PIECES, st.binary(max_size=8))),
    min_size=1,
    max_size=8,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SHAPES), st.sampled_from(SHAPES), CHANGES)
def test_changed_mails_are_still_understood(
    shape: bytes, other: bytes, changes: list[tuple[float, int, bytes]]
) -> None:
    payload = shape + other
    for place, length, piece in changes:
        at = int(place * len(payload))
        payload = payload[:at] + piece + payload[at + length :]
    mail = parse(RawRecord("mails", "m", payload))
    if not isinstance(mail, ParsedMail):
        outlook = ("no mail", "Outlook item not understood")
        assert mail.reason in ("empty mail", "not a mail: no header", *outlook)
        return
    assert [warning for warning in mail.warnings if "not understood" in warning] == []
    files = (*mail.attachments, *mail.embedded)
    for name in (file.safe_name for file in files):
        assert name
        assert not set(name) & set("/\\:\x00\u202e")
    for text in (mail.text, mail.plain, mail.html or "", mail.subject, mail.kind_reason):
        text.encode()
    for text in (*mail.bounced_ids, *(f.media_type + f.file_name for f in files)):
        text.encode()
