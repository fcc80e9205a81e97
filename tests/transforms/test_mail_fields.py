"""Header fields as the world writes them: encoded words, charsets, parameters, addresses, dates.

Expectations are worked out by hand from the standards that are named.
"""

from datetime import UTC, datetime

import pytest

from transforms.mail import ParsedMail, parse
from transforms.mail_addresses import parse_addresses
from transforms.mail_charsets import codec_of, decode_bytes
from transforms.mail_dates import parse_instant
from transforms.mail_headers import decode_text
from transforms.mail_parameters import parse_structured
from transforms.model import RawRecord
from transforms.text_files import NAME_BYTES, safe_file_name


def parsed(payload: bytes) -> ParsedMail:
    mail = parse(RawRecord("mails", "m", payload))
    assert isinstance(mail, ParsedMail), mail
    return mail


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("=?utf-8?B?4oI=?= =?utf-8?B?rDU=?=", "€5"),
        ("=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"),
        ("=?utf-8*en?Q?a=20b?=", "a b"),
        ("=?utf-8?B?w5ZmZm51bg?=", "Öffnun"),
        ("=?utf-8 ?Q?=C3=A4?=", "ä"),
        ("=?utf-8?Q?cut in the mid=C3=A4?=", "cut in the midä"),
        ("Umlaut =?utf-8?Q?=C3=A4=C3=B6", "Umlaut äö"),
        ("=?utf-8?B?w6Q=", "ä"),
        ("=?nonsense?Q?=C3=A4", "=?nonsense?Q?=C3=A4"),
        ("=?gb2312?B?yKXB1A==?=", "去猎"),
        ("=?iso-2022-jp?B?GyRCLSEbKEI=?=", "①"),
        ("=?iso-2022-jp?B?iXeWa4z7?=", "駅北口"),
        ("=?ISO-2022-JP?B?GyRCJCIbKEI=?= =?ISO-2022-JP?B?GyRCJCQbKEI=?=", "あい"),
        ("=?windows-31j?B?h0A=?=", "①"),
        ("=?ks_c_5601-1987?B?x9GxuQ==?=", "한국"),
        ("=?unicode-1-1-utf-7?Q?+AOQ-?=", "ä"),
        ("=?big5-hkscs?B?iFc=?=", "Á"),
        ("=?x-unknown?Q?=C3=A4?=", "ä"),
        ("=?iso-8859-8-i?B?+ezl7Q==?=", "שלום"),
        ("=?hz-gb-2312?Q?~{<:Ky2;~}?=", "己所不"),
        ("=?us-ascii?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=", "=?utf-8?Q?x?="),
    ],
)
def test_encoded_words(raw: str, text: str) -> None:
    assert decode_text(raw) == text


def test_a_raw_header_is_read_as_utf_8_and_else_as_the_first_text_is() -> None:
    head = b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n'
    text = b"Content-Type: text/plain; charset=%s\n\nx\n--b--\n"
    for label, encoded in (("koi8-r", "Счёт"), ("iso-2022-jp", "ツール"), ("koi8-r", "Grüße")):
        codec = {"Grüße": "utf-8", "ツール": "cp932"}.get(encoded, label)
        subject = b"Subject: " + encoded.encode(codec) + b"\n"
        assert parsed(subject + head + text % label.encode()).subject == encoded


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("windows-874", "cp874"),
        ("x-windows-949", "cp949"),
        ("cp50220", "iso2022_jp_ext"),
        ("ISO-2022-JP-MS", "iso2022_jp_ext"),
        ("gb18030-2000", "gb18030"),
        ("GBK", "gb18030"),
        ("latin1", "cp1252"),
        ("iso-8859-9", "cp1254"),
        ("'utf-8'", "utf-8"),
        ("UTF8", "utf-8"),
        ("utf-8*en", "utf-8"),
        ("cp65001", "utf-8"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("base64", None),
        ("rot13", None),
        ("unicode_escape", None),
        ("x-unknown", None),
        ("no such", None),
        ("a\x00b", None),
        ("", None),
        (None, None),
    ],
)
def test_charset_labels(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        ("日本語".encode("iso2022_jp"), None, "日本語"),
        ("日本語".encode("euc_jp"), "iso-2022-jp", "日本語"),
        (b"\x1b$B-!\x1b(B and \x1b(I1\x1b(B", "iso-2022-jp", "① and ｱ"),
        ("Grüße".encode("utf-16"), "utf-16", "Grüße"),
        (b"plain after all", "utf-16", "plain after all"),
        ("Grüße".encode(), "utf-16le", "Grüße"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”"),
        (b"\xff\xfe", "us-ascii", "ÿþ"),
    ],
)
def test_bytes_become_text_whatever_their_label_says(
    data: bytes, label: str | None, text: str
) -> None:
    assert decode_bytes(data, label) == text


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("attachment; filename*=utf-8'en'%e2%82%ac%20rates", "€ rates"),
        ("attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac; filename*2=\".pdf\"", "€.pdf"),
        ("attachment; filename*1=b.pdf; filename*0=a", "ab.pdf"),
        ("attachment; filename=plain.pdf; filename*=utf-8''%C3%A4.pdf", "ä.pdf"),
        ('attachment; filename="=?utf-8?B?w6Q=?= =?utf-8?B?LnBkZg==?="', "ä.pdf"),
        ('attachment; filename*0="=?utf-8?Q?=C3"; filename*1="=A4.pdf?="', "ä.pdf"),
        ("attachment; filename==?utf-8?Q?=C3=A4.pdf?=", "ä.pdf"),
        ("attachment; filename=my file.pdf", "my file.pdf"),
        ('attachment; filename="C:\\temp\\a.pdf"', "C:\\temp\\a.pdf"),
        ('attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
        ('attachment; filename="unterminated.pdf', "unterminated.pdf"),
        ('attachment; x; filename="a;b.pdf"; y', "a;b.pdf"),
        ("attachment; FILENAME=Up.PDF", "Up.PDF"),
        ("filename=x.pdf", "x.pdf"),
        ('attachment; filename="first"; filename="second"', "first"),
        ("attachment; filename*=gb2312''%D6%D0.pdf", "中.pdf"),
        ("attachment; filename*=%C3%A4.pdf", "ä.pdf"),
        ("attachment", None),
    ],
)
def test_names_of_files(raw: str, name: str | None) -> None:
    assert parse_structured(raw).text("filename") == name


def test_a_type_without_semicolon_keeps_its_parameters() -> None:
    value = parse_structured('Text/Plain charset="utf-8"; format=flowed')
    assert (value.value, value.token("charset"), value.token("format")) == (
        *("text/plain", "utf-8"),
        "flowed",
    )
    assert parse_structured("text/plain; charset=us-ascii (plain)").token("charset") == "us-ascii"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\temp\\a.exe", "C_temp_a.exe"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\x00b\nc", "a_b_c"),
        ("CON", "_CON"),
        ("aux.txt.", "_aux.txt"),
        ("com1.log", "_com1.log"),
        ("console.log", "console.log"),
        (".htaccess", "htaccess"),
        ("şikayet 2026.pdf", "şikayet 2026.pdf"),
        ("..", "file"),
        ("", "file"),
        ("<script>|*?.html", "script_.html"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_file_name(name) == safe


def test_a_long_safe_name_keeps_its_extension() -> None:
    name = safe_file_name("ş" * 500 + ".pdf")
    assert name.endswith("ş.pdf")
    assert NAME_BYTES - 1 <= len(name.encode()) <= NAME_BYTES


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("A <a@x.example> B <b@x.example>", [("A", "a@x.example"), ("B", "b@x.example")]),
        ("a@x.example b@x.example", [("", "a@x.example"), ("", "b@x.example")]),
        ("a@x.example <a@x.example>", [("a@x.example", "a@x.example")]),
        ('"quoted local"@x.example', [("", '"quoted local"@x.example')]),
        (
            '"a\\"b"@x.example, "x,y"@z.example',
            [("", '"a\\"b"@x.example'), ("", '"x,y"@z.example')],
        ),
        ("<<a@x.example>>", [("", "a@x.example")]),
        ("Ada [mailto:a@x.example]", [("", "a@x.example")]),
        ("a@[IPv6:::1], <b@[127.0.0.1]>", [("", "a@[ipv6:::1]"), ("", "b@[127.0.0.1]")]),
        ("=?utf-8?q?J=C3=B6rg_=3Cj=40x=2Eexample=3E?=", [("Jörg", "j@x.example")]),
        ("jörg@exämple.example", [("", "jörg@exämple.example")]),
        ("pete(his account)@x.example(his host)", [("his host", "pete@x.example")]),
        ("<@a.example,@b.example:joe@c.example>", [("", "joe@c.example")]),
        ("A: B <b@x.example>,c@x.example;, D <d@x.example>", None),
        ('"Müller\\, Hans" <h@x.example>', [("Müller, Hans", "h@x.example")]),
        ("Ada @ Work <a@x.example>", [("Ada @ Work", "a@x.example")]),
        (";;,,", []),
    ],
)
def test_address_lists(raw: str, found: list[tuple[str, str]] | None) -> None:
    wanted = found or (
        [] if found == [] else [("B", "b@x.example"), ("", "c@x.example"), ("D", "d@x.example")]
    )
    assert [(each.name, each.address) for each in parse_addresses(raw)] == wanted


@pytest.mark.parametrize(
    ("raw", "instant"),
    [
        ("Mon, 02 Mar 2026 10:00:00 +0300", "2026-03-02T07:00:00"),
        ("2 Mar 2026 10:00 EST", "2026-03-02T15:00:00"),
        ("Mon, 2 Mar 2026 10:00:00 CET", "2026-03-02T09:00:00"),
        ("Mon, 2 Mar 2026 10:00:00 XYZ", "2026-03-02T10:00:00"),
        ("Mon, 2 Mar 2026 10:00:00", "2026-03-02T10:00:00"),
        ("Mon, 2 Mar 2026 10:00:00 -0000", "2026-03-02T10:00:00"),
        ("Mon, 2 Mar 2026 10:00:00 +3", "2026-03-02T07:00:00"),
        ("Mon, 2 Mar 2026 10:00:00 GMT+03:00", "2026-03-02T07:00:00"),
        ("Mon Mar  2 10:00:00 2026", "2026-03-02T10:00:00"),
        ("2026-03-02T10:00:00.5+03:00", "2026-03-02T07:00:00"),
        ("2026-03-02 10:00:00", "2026-03-02T10:00:00"),
        ("2-Mar-2026 10:00:00 GMT", "2026-03-02T10:00:00"),
        ("Mon, 2 Mar 26 10:00:00 GMT", "2026-03-02T10:00:00"),
        ("Mon, 2 Mar 99 10:00:00 GMT", "1999-03-02T10:00:00"),
        ("Mon, 2 Mar 102 10:00:00 GMT", "2002-03-02T10:00:00"),
        ("Mon, 2 Mar 2026 23:59:60 +0000", "2026-03-02T23:59:59"),
        ("Mon, 2 (day (x) ) Mar 2026 10:00:00 (c) +0100", "2026-03-02T09:00:00"),
        ("Mo, 2 Mrz 2026 10:00:00 +0100", "2026-03-02T09:00:00"),
        ("Pzt, 2 Şub 2026 10:00:00 +0300", "2026-02-02T07:00:00"),
        ("ven., 2 juil. 2026 10:00:00 +0100", "2026-07-02T09:00:00"),
        ("March 2, 2026 10:00:00 PM", "2026-03-02T22:00:00"),
        ("2 Mar 2026 12:30 am +0000", "2026-03-02T00:30:00"),
        ("=?utf-8?Q?Mon,_2_Mar_2026_10:00:00_+0000?=", "2026-03-02T10:00:00"),
        ("Mon, 2 Mar 2026 10:00:00 +9999", "2026-03-02T10:00:00"),
        ("Tue, 0 Jan 2026 10:00:00 +0000", None),
        ("31 Feb 2026 10:00:00 +0000", None),
        ("2026-13-02T10:00:00Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(raw: str, instant: str | None) -> None:
    wanted = datetime.fromisoformat(instant).replace(tzinfo=UTC) if instant else None
    assert parse_instant(raw) == wanted


def test_of_fields_that_stand_twice_the_first_counts() -> None:
    mail = parsed(
        b"Subject: one\nSubject: two\nMessage-ID: <>\nMessage-ID: <a@b>\nReferences: <1@b>\n"
        b"References: <2@b>\nTo: a@x.example\nTo: b@x.example\nFrom: c@x.example\nFrom: d@x.example\n"
        b"Content-Type: text/plain\nContent-Type: text/html\n\n<b>x</b>"
    )
    assert (mail.subject, mail.message_id, mail.reference_ids) == ("one", "<a@b>", ("<1@b>",))
    assert mail.from_ is not None
    assert mail.from_.address == "c@x.example"
    assert [person.address for person in mail.to] == ["a@x.example", "b@x.example"]
    assert mail.plain == "<b>x</b>"
