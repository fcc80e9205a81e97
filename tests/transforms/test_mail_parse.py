"""`parse` understands anything a mail can be, and never fails."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.mail import MailAddress, ParsedMail, parse
from transforms.model import RawRecord, Rejected


def record(payload: bytes | str, location: Mapping[str, Any] | None = None) -> RawRecord:
    content = payload.encode() if isinstance(payload, str) else payload
    return RawRecord("mails", "m1", content, "message/rfc822", location=location or {})


def parsed(payload: bytes | str, location: Mapping[str, Any] | None = None) -> ParsedMail:
    mail = parse(record(payload, location))
    assert isinstance(mail, ParsedMail), mail
    return mail


def test_a_plain_mail() -> None:
    mail = parsed(
        "From: Ada Lovelace <Ada@Customer.example>\r\nTo: info@acme.example, Bob <bob@acme.example>\r\n"
        "Cc: c@x.example\r\nReply-To: ada+1@customer.example\r\nSubject: Printer\r\n broken\r\n"
        "Message-ID: <1@customer.example>\r\nIn-Reply-To: <0@acme.example>\r\n"
        "References: <00@acme.example>\r\n\t<0@acme.example>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0300\r\n"
        "\r\nHello,\r\nit is broken.\r\n"
    )
    assert mail.from_ == mail.sender == MailAddress("Ada Lovelace", "ada@customer.example")
    assert mail.to == (
        MailAddress("", "info@acme.example"),
        MailAddress("Bob", "bob@acme.example"),
    )
    assert mail.cc == (MailAddress("", "c@x.example"),)
    assert mail.reply_to == (MailAddress("", "ada+1@customer.example"),)
    assert mail.subject == "Printer broken"
    assert mail.message_id == "<1@customer.example>"
    assert mail.in_reply_to == ("<0@acme.example>",)
    assert mail.reference_ids == ("<00@acme.example>", "<0@acme.example>")
    assert (mail.sent_at, mail.date_basis) == (datetime(2026, 3, 2, 7, 0, tzinfo=UTC), "date")
    assert mail.text == mail.plain == "Hello,\nit is broken."
    assert (mail.html, mail.attachments, mail.warnings) == (None, (), ())
    assert not mail.is_automatic
    assert mail.headers.participants == (
        *("ada@customer.example", "info@acme.example", "bob@acme.example", "c@x.example"),
        "ada+1@customer.example",
    )


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?utf-8?B?w5ZmZm51bmc=?=", "Öffnung"),
        (b"=?UTF-8?Q?=C5=9Eikayet_?= =?UTF-8?Q?var?=", "Şikayet var"),
        (b"=?utf-8?Q?halv?= word =?utf-8?q?e=C3?= =?utf-8?q?=B6?=", "halv word eö"),
        (b"=?iso-8859-9?Q?=DEikayet?=", "Şikayet"),
        (b"=?utf-8?Q?with blanks inside?=", "with blanks inside"),
        (b"=?no-such-charset?Q?=C3=B6l?=", "öl"),
        (b"=?utf-8?B?w5ZmZg=?=", "Öff"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        ("Şikayet ışığı".encode("cp1254"), "Şikayet ışığı"),
        (b"a\x00b", "a\ufffdb"),
        (b"=?utf-8?Q?a=00b?=", "a\ufffdb"),
        (b"=?broken", "=?broken"),
    ],
)
def test_subjects(raw: bytes, subject: str) -> None:
    assert parsed(b"Subject: " + raw + b"\n\nx").subject == subject


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('"Doe, John" <j@x.example>', [("Doe, John", "j@x.example")]),
        ("j@x.example (John Doe)", [("John Doe", "j@x.example")]),
        (
            "=?utf-8?q?A=2C_B?= <a@b.example>, c@d.example",
            [("A, B", "a@b.example"), ("", "c@d.example")],
        ),
        ('"=?utf-8?q?J=C3=B6rg?=" <j@x.example>', [("Jörg", "j@x.example")]),
        ("team: a@x.example, b@x.example;", [("", "a@x.example"), ("", "b@x.example")]),
        ("undisclosed-recipients:;", []),
        ("'j@x.example' <J@X.example>", [("j@x.example", "j@x.example")]),
        ("John <j@x.example", [("John", "j@x.example")]),
        ('"John <j@x.example>', [("John", "j@x.example")]),
        ("a@x.example; b@x.example", [("", "a@x.example"), ("", "b@x.example")]),
        ("<mailto:j@x.example>", [("", "j@x.example")]),
        ("ｊohn＠x．example", [("", "ｊohn@x.example")]),
        ("Nobody", [("Nobody", "")]),
        ("", []),
        ("<>", []),
    ],
)
def test_addresses(raw: str, expected: list[tuple[str, str]]) -> None:
    found = parsed(f"To: {raw}\nSubject: x\n\nx").to
    assert [(each.name, each.address) for each in found] == expected


@pytest.mark.parametrize(
    ("head", "message_id", "in_reply_to"),
    [
        ("Message-ID: <a@b>", "<a@b>", ()),
        ("Message-ID: a@b", "<a@b>", ()),
        ("Message-ID:\n <a\n @b>", "<a@b>", ()),
        ("Message-ID: <>", None, ()),
        ("In-Reply-To: Your message of Monday <a@b>", None, ("<a@b>",)),
        ("In-Reply-To: a@b", None, ("<a@b>",)),
        ("In-Reply-To: Ada's message", None, ()),
    ],
)
def test_ids(head: str, message_id: str | None, in_reply_to: tuple[str, ...]) -> None:
    mail = parsed(head + "\nSubject: x\n\nx")
    assert (mail.message_id, mail.in_reply_to) == (message_id, in_reply_to)


RECEIVED = "Received: from a by b; Mon, 2 Mar 2026 12:00:00 +0000\n"
INTERNAL = {"internal_date": "2026-03-02T13:00:00+00:00"}


@pytest.mark.parametrize(
    ("head", "location", "sent_at", "basis"),
    [
        ("Date: Mon, 2 Mar 2026 10:00:00 GMT\n", {}, "2026-03-02T10:00", "date"),
        ("Date: Mon, 2 Mar 2026 10:00:00 (EET) +0200\n", {}, "2026-03-02T08:00", "date"),
        ("Date: Mon, 2 Mar 26 10:00:00 -2000\n", {}, "2026-03-02T10:00", "date"),
        ("Date: Sat, 1 Jan 0102 10:00:00 +0000\n", INTERNAL, "2026-03-02T13:00", "internal_date"),
        ("Date: nonsense\n" + RECEIVED, {}, "2026-03-02T12:00", "received"),
        ("Date: Mon, 2 Mar 2037 10:00:00 +0000\n" + RECEIVED, {}, "2026-03-02T12:00", "received"),
        ("Date: Mon, 2 Mar 2037 10:00:00 +0000\n", {}, "2037-03-02T10:00", "date"),
        (
            "",
            {"envelope": "ada@x.example Mon Mar  2 14:00:00 2026"},
            "2026-03-02T14:00",
            "envelope",
        ),
        (
            "Date: Tue, 9 Jun 2009 23:58:45 -0400\n",
            {"envelope": "sender Mon Jun 01 10:00:00 2009"},
            "2009-06-10T03:58:45",
            "date",
        ),
        (
            "Date: Fri, 13 Mar 2026 10:00:00 +0000\n" + RECEIVED,
            {"envelope": "sender Mon Mar  2 12:00:00 2026"},
            "2026-03-02T12:00",
            "received",
        ),
        (
            "Date: Mon, 2 Mar 2037 10:00:00 +0000\n",
            {"envelope": "sender Mon Jun 01 10:00:00 2009"},
            "2009-06-01T10:00",
            "envelope",
        ),
        ("", {"envelope": "x@localhost Thu Jan  1 00:00:00 1970"}, "1970-01-01T00:00", "none"),
        ("", {"internal_date": "yesterday"}, "1970-01-01T00:00", "none"),
        ("Date: Mon, 31 Feb 2026 10:00:00 +0000\n", {}, "1970-01-01T00:00", "none"),
    ],
)
def test_dates(head: str, location: dict[str, str], sent_at: str, basis: str) -> None:
    mail = parsed(head + "Subject: x\n\nx", location)
    assert mail.sent_at == datetime.fromisoformat(sent_at).replace(tzinfo=UTC)
    assert mail.date_basis == basis
    assert (basis == "date") == (not [w for w in mail.warnings if "taken" in w])


def multipart(kind: str, *parts: str) -> str:
    body = "".join(f"--b\n{part}\n" for part in parts)
    return f'Subject: x\nContent-Type: multipart/{kind}; boundary="b"\n\n{body}--b--\n'


PLAIN = "Content-Type: text/plain\n\nplain text"
HTML = "Content-Type: text/html\n\n<p>html <b>text</b></p>"


def test_the_plain_text_of_alternatives_is_read_and_the_html_kept() -> None:
    mail = parsed(multipart("alternative", PLAIN, HTML))
    assert (mail.text, mail.html) == ("plain text", "<p>html <b>text</b></p>")


def test_html_is_read_where_there_is_no_plain_text() -> None:
    assert (
        parsed(multipart("alternative", "Content-Type: text/plain\n\n \n", HTML)).text
        == "html text"
    )
    assert parsed("Subject: x\n" + HTML).text == "html text"


def test_texts_around_each_other_are_read_in_order() -> None:
    mail = parsed(multipart("mixed", PLAIN, HTML, PLAIN.replace("\nplain", "\nsecond")))
    assert mail.text.split() == ["plain", "text", "html", "text", "second", "text"]


def test_attachments_are_decoded_and_named() -> None:
    content = bytes(range(256))
    encoded = base64.encodebytes(content).decode()
    mail = parsed(
        multipart(
            "mixed",
            PLAIN,
            "Content-Type: application/pdf\nContent-Disposition: attachment;\n"
            " filename*=UTF-8''%C5%9Fikayet.pdf\nContent-Transfer-Encoding: base64\n\n" + encoded,
            'Content-Type: image/png; name="=?utf-8?Q?=C3=B6l.png?="\nContent-ID: <logo@x>\n'
            "Content-Disposition: inline\nContent-Transfer-Encoding: base64\n\n" + encoded,
            "Content-Type: text/plain\nContent-Disposition: attachment\n\nnotes",
            'Content-Type: text/csv; name="../../etc/passwd"\n\na;b',
            "Content-Type: image/gif\n\nGIF",
        )
    )
    found = [(each.file_name, each.media_type, each.is_inline) for each in mail.attachments]
    assert found == [
        ("şikayet.pdf", "application/pdf", False),
        ("öl.png", "image/png", True),
        ("attachment.txt", "text/plain", False),
        ("../../etc/passwd", "text/csv", False),
        ("attachment.gif", "image/gif", False),
    ]
    assert mail.attachments[0].content == mail.attachments[1].content == content
    assert mail.attachments[1].content_id == "logo@x"
    assert mail.text == "plain text"


def test_an_enclosed_mail_is_one_attachment() -> None:
    inner = "Subject: inner\nMessage-ID: <inner@x>\n\ninner text\n"
    mail = parsed(multipart("mixed", PLAIN, "Content-Type: message/rfc822\n\n" + inner))
    coded = base64.b64encode(inner.encode()).decode()
    head = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
    mail_in_base64 = parsed(multipart("mixed", PLAIN, head + coded))
    for each in (mail, mail_in_base64):
        assert [(a.file_name, a.content.strip()) for a in each.attachments] == [
            ("message.eml", inner.encode().strip())
        ]
        assert each.text == "plain text"


@pytest.mark.parametrize(
    ("label", "content", "text"),
    [
        ("utf-8", "Grüße", "Grüße"),
        ("iso-8859-9", "Şikayet", "Şikayet"),
        ("us-ascii", "Grüße", "Grüße"),
        ("no-such", "Grüße", "Grüße"),
        ("windows-1254", "“ığşİ”", "“ığşİ”"),
        ("iso-2022-jp", "日本語", "日本語"),
        ("gb2312", "打印机", "打印机"),
        ("koi8-r", "принтер", "принтер"),
    ],
)
def test_charsets(label: str, content: str, text: str) -> None:
    codec = label if label not in ("us-ascii", "no-such") else "utf-8"
    head = f"Subject: x\nContent-Type: text/plain; charset={label}\n\n".encode()
    assert parsed(head + content.encode(codec)).text == text


def test_a_wrong_label_does_not_lose_the_text() -> None:
    head = b"Subject: x\nContent-Type: text/plain; charset=utf-8\n\n"
    assert parsed(head + "Grüße aus Köln".encode("latin-1")).text == "Grüße aus Köln"
    assert parsed(head + "Şikayetim için".encode("cp1254")).text == "Şikayetim için"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("Subject: Printer", "person"),
        ("Auto-Submitted: no", "person"),
        ("Auto-Submitted: auto-replied (vacation)", "auto_reply"),
        ("Auto-Submitted: auto-generated", "bulk"),
        ("X-Autoreply: yes", "auto_reply"),
        ("Precedence: auto_reply", "auto_reply"),
        ("Subject: Out of Office: Printer", "auto_reply"),
        ("Subject: Automatische Antwort: Drucker", "auto_reply"),
        ("Subject: Otomatik yanıt: Yazıcı", "auto_reply"),
        ("Subject: Office supplies", "person"),
        ("X-Auto-Response-Suppress: All", "person"),
        (
            "X-Auto-Response-Suppress: All\nX-MS-Exchange-Inbox-Rules-Loop: a@x.example",
            "auto_reply",
        ),
        ("Precedence: bulk", "bulk"),
        ("Precedence: bulk\nIn-Reply-To: <a@b>", "person"),
        ("Precedence: list\nList-Id: <l.x.example>\nList-Post: <mailto:l@x.example>", "person"),
        ("List-Unsubscribe: <https://x.example>", "bulk"),
        ("X-Failed-Recipients: a@x.example", "bounce"),
        ("From: MAILER-DAEMON@x.example\nSubject: failure notice", "bounce"),
        ("Return-Path: <>\nSubject: Undeliverable: Printer", "bounce"),
        ("Return-Path: <>\nSubject: Printer", "person"),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", "bounce"),
        (
            "Content-Type: multipart/report; report-type=disposition-notification; boundary=b",
            "person",
        ),
    ],
)
def test_automatic_mail(head: str, kind: str) -> None:
    mail = parsed(head + "\nX-Other: y\n\nx")
    assert mail.kind == kind
    assert mail.is_automatic == (kind != "person")
    assert bool(mail.kind_reason) == mail.is_automatic


@pytest.mark.parametrize(
    "returned",
    [
        "Content-Type: message/rfc822\n\nSubject: Printer\nMessage-ID: <sent@acme.example>\n\nx",
        "Content-Type: text/rfc822-headers\n\nSubject: Printer\nMessage-ID: <sent@acme.example>\n",
        "Content-Type: text/plain\n\nIt said:\n> Message-Id: <sent@acme.example>\n",
    ],
)
def test_a_bounce_names_the_mail_that_came_back(returned: str) -> None:
    mail = parsed(
        "Subject: x\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        f"--b\n\nNot delivered.\n--b\n{returned}\n--b--\n"
    )
    assert mail.bounced_ids == mail.headers.bounced_ids == ("<sent@acme.example>",)


@pytest.mark.parametrize(
    ("head", "sender"),
    [
        (
            '"Ada via Users" <users@list.example>\nReply-To: Ada <ada@x.example>, users@list.example',
            ("Ada", "ada@x.example"),
        ),
        (
            '"Ada L. via Users" <users@list.example>\nReply-To: users@list.example\n'
            "Cc: Bob <b@x.example>, Ada L. <ada@x.example>",
            ("Ada L.", "ada@x.example"),
        ),
        (
            "Ada via Users <users@list.example>\nX-Original-From: Ada <ada@x.example>",
            ("Ada", "ada@x.example"),
        ),
        ("Ada via Users <users@list.example>", ("Ada via Users", "users@list.example")),
        (
            "Via Rail <info@via.example>\nReply-To: other@x.example",
            ("Via Rail", "info@via.example"),
        ),
        ("Ada <ada@x.example>\nReply-To: <ticket@x.example>", ("Ada", "ada@x.example")),
    ],
)
def test_a_sender_rewritten_by_a_list_is_found(head: str, sender: tuple[str, str]) -> None:
    mail = parsed(f"From: {head}\nSubject: x\n\nx")
    assert mail.sender == MailAddress(*sender)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty mail"),
        (b" \r\n", "empty mail"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not a mail: no header"),
        (b"\x00\x81\nq!z:\x99\x03\nnote: it is\n\xff", "not a mail: no header"),
    ],
)
def test_what_is_no_mail_is_rejected_with_its_reason(payload: bytes, reason: str) -> None:
    mail = parse(record(payload, {"folder": "INBOX", "uid": 7}))
    assert isinstance(mail, Rejected)
    assert (mail.reason, mail.remote_id) == (reason, "m1")
    assert "folder INBOX, uid 7" in mail.detail


def test_a_tombstone_is_rejected() -> None:
    withdrawn = RawRecord("mails", "m1", b"", is_tombstone=True)
    assert parse(withdrawn) == Rejected("mails", "m1", "withdrawn by the source")


def test_bombs_are_mails_too() -> None:
    nested = "Subject: x\n"
    for level in range(1_500):
        nested += f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
    assert parsed(nested + "\ndeep text").subject == "x"
    many = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 5_000
    assert len(parsed(many).text.split()) == 5_000
    addresses = ", ".join(f"a{n}@x.example" for n in range(5_000))
    assert len(parsed(f"To: {addresses}\nSubject: x\n\nx").to) == 5_000
    quotes = "To: " + '"(<' * 20_000 + "\nSubject: x\n\nx"
    assert parsed(quotes).subject == "x"
    assert parsed("Subject: " + "=?" * 50_000 + "\n\nx").subject


HEAD = st.sampled_from(
    [
        *("Subject", "From", "To", "Date", "Message-ID", "References", "Content-Type", "Received"),
        *("Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "Reply-To", "Cc"),
    ]
)
VALUE = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            *(b"multipart/mixed; boundary=b", b"message/rfc822", b"text/html; charset=utf-16"),
            *(b"base64", b"quoted-printable", b"=?utf-8?Q?=C3?=", b"attachment; filename*0*=x''%"),
            *(
                b"<a@b> <",
                b'"',
                b"Mon, 99 Foo 99999 99:99 +99999",
                b"multipart/report",
                b"x-uuencode",
            ),
        ]
    ),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(HEAD, VALUE), max_size=6), st.binary(max_size=300), st.booleans())
def test_any_mail_is_parsed_to_storable_text(
    heads: list[tuple[str, bytes]], body: bytes, in_parts: bool
) -> None:
    lines = b"".join(name.encode() + b": " + value + b"\n" for name, value in heads)
    content = b"--b\n" + lines + b"\n" + body + b"\n--b--" if in_parts else body
    mail = parse(record(b"X-First: 1\n" + lines + b"\n" + content))
    assert isinstance(mail, ParsedMail)
    people = [p for p in (mail.sender, *mail.to, *mail.cc, *mail.reply_to) if p]
    names = [each.file_name for each in mail.attachments]
    for text in (mail.subject, mail.text, *(p.name for p in people), *names):
        text.encode()
        assert "\x00" not in text
    for text in (*(p.address for p in people), mail.message_id or "", *mail.reference_ids):
        text.encode("utf-8")
    assert mail.sent_at.tzinfo is UTC
