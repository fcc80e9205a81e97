"""Outlook's items are the mails that they were: senders, texts, files; and bytes of any kind give a mail or our error."""

import base64
import struct
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from msg_builder import File, Item, attribute, compound_file, msg, tnef

from transforms.mail import ParsedMail, parse
from transforms.model import RawRecord, Rejected
from transforms.outlook.compound_file import CompoundFile
from transforms.outlook.compressed_rtf import decompress_rtf
from transforms.outlook.convert import convert, read_item
from transforms.outlook.mapi import OutlookError, is_mail_class
from transforms.outlook.mime import to_mail
from transforms.outlook.rtf import read_rtf

SENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ONE_OFF = bytes.fromhex("00000000812b1fa4bea310199d6e00dd010f5402") + struct.pack("<HH", 0, 0x8000)
EXCHANGE = "/o=Acme/ou=Site/cn=Recipients/cn=ada"

formats = pytest.mark.parametrize("write", [msg, tnef])


def note(**more: Any) -> dict[int, Any]:
    """The properties of a mail; `t0037=…` sets the one of this tag."""
    values: dict[int, Any] = {
        0x001A: "IPM.Note",
        0x0037: "Printer",
        0x0039: SENT,
        0x0C1A: "Ada Böhm",
        0x0C1E: "SMTP",
        0x0C1F: "ada@customer.example",
        0x1000: "It burns.",
    }
    return values | {int(tag.removeprefix("t"), 16): value for tag, value in more.items()}


def mail_of(payload: bytes) -> ParsedMail:
    found = parse(RawRecord("mails", "m1", payload))
    assert isinstance(found, ParsedMail), found
    return found


@formats
def test_a_whole_mail(write: Callable[[Item], bytes]) -> None:
    inner = Item(note(t0037="Inner", t1000="Deep."), files=[File({0x3707: "x.txt"}, b"deep")])
    mail = mail_of(
        write(
            Item(
                note(
                    t1035="<1@customer.example>",
                    t1039="<a@x> <b@x>",
                    t1013=b"<p>It <b>burns</b>.</p>",
                ),
                [
                    {0x0C15: 1, 0x3001: "Help", 0x3003: "help@shop.example"},
                    {
                        0x0C15: 2,
                        0x3001: "'Bo, B.'",
                        0x39FE: "bo@shop.example",
                        0x3003: "/o=x/cn=bo",
                    },
                ],
                [
                    File({0x3707: "Größe.pdf", 0x3704: "GRE~1.PDF"}, b"%PDF" * 3000),
                    File({0x3707: "logo.png", 0x3712: "logo@x"}, b"\x89PNG"),
                    File({0x3001: "Inner"}, inner),
                ],
            )
        )
    )
    assert mail.subject == "Printer"
    assert mail.message_id == "<1@customer.example>"
    assert mail.reference_ids == ("<a@x>", "<b@x>")
    assert (mail.sent_at, mail.date_basis) == (SENT, "date")
    assert mail.from_ is not None
    assert (mail.from_.name, mail.from_.address) == ("Ada Böhm", "ada@customer.example")
    assert [(each.name, each.address) for each in mail.to] == [("Help", "help@shop.example")]
    assert [(each.name, each.address) for each in mail.cc] == [("Bo, B.", "bo@shop.example")]
    assert mail.plain == "It burns."
    assert mail.html == "<p>It <b>burns</b>.</p>"
    pdf, logo, enclosed = mail.attachments
    assert (pdf.file_name, pdf.media_type, pdf.content) == (
        "Größe.pdf",
        "application/pdf",
        b"%PDF" * 3000,
    )
    assert (logo.content_id, logo.is_inline) == ("logo@x", True)
    assert (enclosed.file_name, enclosed.media_type) == ("Inner.eml", "message/rfc822")
    again = mail_of(enclosed.content)
    assert (again.subject, again.text, again.attachments[0].content) == ("Inner", "Deep.", b"deep")
    assert mail.warnings == ()


@formats
def test_the_same_item_gives_the_same_bytes(write: Callable[[Item], bytes]) -> None:
    payload = write(Item(note(), files=[File({0x3707: "a.bin"}, b"1"), File({}, Item(note()))]))
    assert convert(payload) == convert(payload)


def test_headers_that_came_with_it_are_kept_but_for_those_of_its_parts() -> None:
    headers = (
        "Microsoft Mail Internet Headers Version 2.0\r\n"
        "Received: from mx.customer.example by mx.shop.example; Mon, 2 Mar 2026 09:31:00 +0000\r\n"
        "From: Ada <ada@customer.example>\r\nTo: help@shop.example\r\nSubject: =?utf-8?q?Dr=C3=BCcker?=\r\n"
        "Message-ID: <h@customer.example>\r\nIn-Reply-To: <0@shop.example>\r\n"
        "Date: Mon, 2 Mar 2026 10:30:00 +0100\r\nAuto-Submitted: auto-replied\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary="b"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\nSubject: of another part\r\n"
    )
    mail = mail_of(
        msg(Item(note(t007D=headers, t1035="<p@customer.example>", t0039=SENT.replace(year=2020))))
    )
    assert (mail.subject, mail.message_id, mail.in_reply_to) == (
        "Drücker",
        "<h@customer.example>",
        ("<0@shop.example>",),
    )
    assert (mail.sent_at, mail.kind, mail.text) == (SENT, "auto_reply", "It burns.")


@pytest.mark.parametrize(
    ("more", "recipients", "expected"),
    [
        ({"t5D01": "ada@acme.example"}, [], "ada@acme.example"),
        (
            {"t0C19": ONE_OFF + "Ada\0SMTP\0ada@acme.example\0".encode("utf-16-le")},
            [],
            "ada@acme.example",
        ),
        (
            {},
            [{0x3003: EXCHANGE.upper(), 0x39FE: "ada@acme.example", 0x3001: "Ada"}],
            "ada@acme.example",
        ),
        ({"t0C1A": "ada@acme.example"}, [], "ada@acme.example"),
        ({"t0042": "Help", "t0065": "help@shop.example"}, [], "help@shop.example"),
        ({}, [], ""),
    ],
    ids=["SMTP property", "entry id", "recipient", "name", "in whose name", "nowhere"],
)
def test_the_address_of_somebody_on_exchange(
    more: dict[str, Any], recipients: list[dict[int, Any]], expected: str
) -> None:
    values = note(t0C1E="EX", t0C1F=EXCHANGE, **({"t0C1A": "Ada"} | more))
    mail = mail_of(msg(Item(values, recipients)))
    assert mail.from_ is not None
    assert mail.from_.address == expected
    assert EXCHANGE.casefold() not in str(mail).casefold()


def test_a_name_with_an_at_is_no_address() -> None:
    mail = mail_of(msg(Item(note(t0C1A="Ada @ Acme, Ltd.", t0C1F=EXCHANGE))))
    assert mail.from_ is not None
    assert (mail.from_.name, mail.from_.address) == ("Ada at Acme, Ltd.", "")


HTML_IN_RTF = rb"""{\rtf1\ansi\ansicpg1251\fromhtml1 \deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fnil\fcharset161 Gr;}}
{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Caf\'c3 {\htmlrtf\f1\htmlrtf0 \f1 \'e1} \u8364 ? &amp; \{x\}{\*\htmltag84 &nbsp;}\htmlrtf\'a0\htmlrtf0
{\*\htmltag240 <!-- \par -->}{\*\mhtmltag72 <p>}{\pntext\f0 1.}\par{\*\htmltag72 </p>}\htmlrtf}\htmlrtf0}"""


def test_html_wrapped_in_rtf() -> None:
    body = read_rtf(HTML_IN_RTF)
    assert body.is_html
    assert body.text == "<p>CafГ α € &amp; {x}&nbsp;<!-- \n-->\n</p>"


@pytest.mark.parametrize(
    ("rtf", "text"),
    [
        (rb"{\rtf1\ansi\fromtext \deff0{\fonttbl{\f0 A;}}Hello\par\tab there}", "Hello\n\tthere"),
        (rb"{\rtf1\ansi\ansicpg932 \'93\'fa\'96\'7b}", "日本"),
        (rb"{\rtf1\uc2 \u55357\'3f\'3f\u56832\'3f\'3f!}", "😀!"),
        (rb"{\rtf1{\pict\bin4 }}}}}ok}", "ok"),
        (
            rb"{\rtf1{\info{\title secret}}{\*\unknown secret}{\field{\*\fldinst x}{\fldrslt shown}}}",
            "shown",
        ),
        (rb"\'e4\'f6" + b"}" * 5 + b"{" * 5, "äö"),
        (b"", ""),
    ],
)
def test_words_of_rtf(rtf: bytes, text: str) -> None:
    assert read_rtf(rtf).text == text


def test_compressed_rtf_of_the_description() -> None:
    """The two examples of [MS-OXRTFCP] §3."""
    hello = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c"
        "090020627705b06c647d0a800fa0"
    )
    assert decompress_rtf(hello) == rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n"
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert decompress_rtf(crossing) == rb"{\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


def plain_rtf(rtf: bytes) -> bytes:
    """Compressed RTF that is not compressed."""
    return struct.pack("<IIII", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf


def test_html_in_rtf_stands_beside_the_plain_text_and_plain_rtf_does_not() -> None:
    mail = mail_of(msg(Item(note(t1009=plain_rtf(HTML_IN_RTF)))))
    assert mail.plain == "It burns."
    assert mail.html is not None
    assert "&amp;" in mail.html
    mail = mail_of(msg(Item(note(t1009=plain_rtf(rb"{\rtf1 other}")))))
    assert (mail.text, mail.html) == ("It burns.", None)
    mail = mail_of(msg(Item(note(t1000="", t1009=plain_rtf(rb"{\rtf1 other}")))))
    assert mail.text == "other"


def test_8_bit_texts_have_the_item_s_code_page() -> None:
    values = note(
        t3FFD=1251,
        t0037=(0x001E, "Принтер".encode("cp1251") + b"\0"),
        t1000=(0x001E, "Горит".encode("cp1251")),
        t1013="<p>日本</p>".encode("cp932"),
        t3FDE=932,
    )
    mail = mail_of(msg(Item(values)))
    assert (mail.subject, mail.plain, mail.html) == ("Принтер", "Горит", "<p>日本</p>")


@pytest.mark.parametrize(
    ("message_class", "is_mail"),
    [
        ("IPM.Note", True),
        ("ipm.note.SMIME.MultipartSigned", True),
        ("IPM.Schedule.Meeting.Request", True),
        ("REPORT.IPM.Note.NDR", True),
        ("", True),
        ("IPM.Contact", False),
        ("IPM.Appointment", False),
        ("IPM.Task", False),
        ("IPM.Post.Rss", False),
        ("IPM.Notebook", False),
    ],
)
def test_which_items_are_mails(message_class: str, is_mail: bool) -> None:
    assert is_mail_class(message_class) is is_mail
    found = parse(
        RawRecord("mails", "m1", msg(Item(note(t001A=message_class))), location={"file": "a.msg"})
    )
    assert isinstance(found, ParsedMail) is is_mail
    if isinstance(found, Rejected):
        assert found.reason == "no mail"
        assert message_class in found.detail
        assert "a.msg" in found.detail


def test_a_report_is_a_bounce_of_the_mail_that_it_names() -> None:
    values = note(
        t001A="REPORT.IPM.Note.NDR", t0037="Undeliverable: Printer", t1046="<sent@shop.example>"
    )
    mail = mail_of(msg(Item(values)))
    assert (mail.kind, mail.bounced_ids) == ("bounce", ("<sent@shop.example>",))
    assert mail_of(msg(Item(note(t001A="REPORT.IPM.Note.IPNRN")))).kind == "auto_reply"


def test_a_clear_signature_s_mail_is_the_entity_that_was_signed() -> None:
    entity = (
        b"Content-Type: multipart/signed; boundary=s; protocol=x\r\n\r\n--s\r\nContent-Type: text/plain\r\n\r\n"
        b"Signed words.\r\n--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nxx\r\n--s--\r\n"
    )
    values = note(t001A="IPM.Note.SMIME.MultipartSigned", t1000="")
    mail = mail_of(msg(Item(values, files=[File({0x3707: "smime.p7m"}, entity)])))
    assert mail.text == "Signed words."
    assert [each.file_name for each in mail.attachments] == ["smime.p7s"]
    assert mail.subject == "Printer"


def test_a_file_that_is_only_a_link_is_told() -> None:
    link = File({0x3707: "plan.docx", 0x3705: 7, 0x370D: "https://files.example/plan"})
    mail = mail_of(msg(Item(note(), files=[link])))
    assert mail.attachments == ()
    assert mail.warnings == ("attachment plan.docx is a link to https://files.example/plan",)


def test_untrusted_names_are_no_headers_and_no_paths() -> None:
    evil = 'a"\r\nX-Evil: 1\r\n\r\n<b>\\..\\x.exe'
    values = note(t0037=f"S\r\nBcc: {evil}", t0C1A=evil, t1035="<1@x>\r\nX-Evil: 1")
    mail = convert(
        msg(
            Item(
                values,
                files=[
                    File(
                        {0x3707: evil, 0x3712: "c>\r\nX-Evil: 1", 0x370E: "a/b\r\nX-Evil: 1"}, b"x"
                    )
                ],
            )
        )
    ).mail
    assert b"\nX-Evil" not in mail
    assert b"\nBcc" not in mail


def test_winmail_dat_gives_its_files_and_its_text_where_the_mail_has_none() -> None:
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "ada@customer.example", "Printer"
    outer.set_content("")
    packed = tnef(Item(note(t1000="Only here."), files=[File({0x3707: "plan.txt"}, b"plan")]))
    outer.add_attachment(packed, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    mail = mail_of(outer.as_bytes())
    assert mail.text == "Only here."
    assert [each.file_name for each in mail.attachments] == ["winmail.dat"]
    assert [(each.file_name, each.content, each.origin) for each in mail.embedded] == [
        ("plan.txt", b"plan", "tnef")
    ]


def test_a_tnef_stream_that_is_cut_off_or_wrong_gives_the_rest_with_a_word() -> None:
    whole = tnef(
        Item(
            note(), files=[File({0x3707: "a.bin"}, b"A" * 100), File({0x3707: "b.bin"}, b"B" * 100)]
        )
    )
    cut = mail_of(whole[: whole.index(b"B" * 100) + 50])
    assert [len(each.content) for each in cut.attachments] == [100, 50]
    assert any("damaged at byte" in each for each in cut.warnings)
    wrong = whole.replace(b"A" * 100, b"A" * 99 + b"C")
    assert "TNEF attribute 800F has a wrong checksum" in mail_of(wrong).warnings
    before_mapi = b"\x78\x9f\x3e\x22\0\0" + attribute(1, 0x00078008, b"IPM.Microsoft Mail.Note\0")
    before_mapi += attribute(1, 0x00018004, b"Old\0") + attribute(1, 0x0002800C, b"Words\0")
    before_mapi += attribute(1, 0x00038005, struct.pack("<7H", 1999, 12, 31, 23, 59, 58, 5))
    before_mapi += attribute(
        1, 0x00008000, struct.pack("<4H", 4, 24, 4, 18) + b"Ada\0SMTP:ada@x.example\0"
    )
    mail = mail_of(before_mapi)
    assert (mail.subject, mail.text, mail.sent_at.year) == ("Old", "Words", 1999)
    assert mail.from_ is not None
    assert mail.from_.address == "ada@x.example"


def test_items_enclosed_too_deeply_are_told() -> None:
    for write in (msg, tnef):
        inner = Item(note())
        for _ in range(30):
            inner = Item(note(), files=[File({0x3001: "deeper"}, inner)])
        assert "items enclosed too deeply" in convert(write(inner)).problems


def test_no_item_at_all() -> None:
    for payload, words in (
        (compound_file({"WordDocument": b"x" * 100}), "without an Outlook item"),
        (msg(Item(note()))[:700], "compound file"),
        (b"\x78\x9f\x3e\x22\0\0", "without a whole attribute"),
    ):
        found = parse(RawRecord("mails", "m1", payload))
        assert isinstance(found, Rejected)
        assert found.reason == "Outlook item not understood"
        assert words in found.detail


def test_a_forged_compound_file_costs_no_more_than_its_size_allows() -> None:
    tree = {f"__substg1.0_{0x8000 + n:04X}0102": b"" for n in range(2_000)}
    data = bytearray(compound_file({**tree, "big": b"x" * 1_000_000}))
    names = [at for at in range(512, len(data) - 128, 128) if data[at : at + 4] == b"_\0_\0"]
    big = next(
        at for at in range(512, len(data), 128) if data[at : at + 8] == "big\0".encode("utf-16-le")
    )
    for at in names:  # every stream is the big one
        data[at + 116 : at + 124] = data[big + 116 : big + 124]
    with pytest.raises(OutlookError, match="hands out more than"):
        read_item(bytes(data))
    circle = bytearray(compound_file({"a": b"x" * 5_000}))
    first = struct.unpack_from("<I", circle, 48)[0]
    fat = 512 * (1 + struct.unpack_from("<I", circle, 76)[0])
    struct.pack_into("<I", circle, fat + 4 * first, first)
    CompoundFile(bytes(circle))


seeds = [
    msg(
        Item(
            note(t1009=plain_rtf(HTML_IN_RTF)), [{0x3001: "B"}], [File({0x3707: "a"}, Item(note()))]
        )
    ),
    tnef(
        Item(
            note(t1009=plain_rtf(HTML_IN_RTF)), [{0x3001: "B"}], [File({0x3707: "a"}, Item(note()))]
        )
    ),
]


@settings(max_examples=400)
@given(
    st.sampled_from(seeds),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), max_size=30),
    st.integers(0, 100_000),
)
@example(seeds[0], [(30, 0)], 0)
def test_damaged_items_give_a_mail_or_our_error(
    seed: bytes, flips: list[tuple[int, int]], cut: int
) -> None:
    damaged = bytearray(seed)
    for at, value in flips:
        damaged[at % len(damaged)] = value
    if cut % 4 == 1:
        del damaged[cut % len(damaged) :]
    try:
        mail = to_mail(read_item(bytes(damaged)))
    except OutlookError:
        return
    assert b"\r\n\r\n" in mail


@given(st.binary(max_size=400))
def test_any_bytes_are_rtf(data: bytes) -> None:
    assert isinstance(read_rtf(b"{\\rtf1\\fromhtml1 " + data).text, str)
    expanded = decompress_rtf(struct.pack("<IIII", len(data) + 12, 2**32 - 1, 0x75465A4C, 0) + data)
    assert len(expanded) <= 17 * len(data)


def test_base64_of_a_large_file_is_whole() -> None:
    content = zlib.compress(bytes(range(256)) * 4_000, 0)
    mail = mail_of(msg(Item(note(), files=[File({0x3707: "large.bin"}, content)])))
    assert mail.attachments[0].content == content
    assert base64.b64encode(content)[:20] in to_mail(
        read_item(msg(Item(note(), files=[File({}, content)])))
    )
