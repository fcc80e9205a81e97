"""Bodies as the world writes them: broken structure, files in texts, signatures, forms of text, reports.

What is shown (`text`) holds all that a person should read; `plain` and `attachments` are only what MIME calls so.
"""

import base64
import binascii
import zlib

import pytest

from transforms.mail import ParsedMail, parse
from transforms.mail_embedded import signed_content
from transforms.model import RawRecord, Rejected

HEAD = "Subject: s\nFrom: a@x.example\nDate: Mon, 2 Mar 2026 10:00:00 +0000\n"


def parsed(payload: str | bytes) -> ParsedMail:
    content = payload.encode() if isinstance(payload, str) else payload
    mail = parse(RawRecord("mails", "m", content))
    assert isinstance(mail, ParsedMail), mail
    return mail


def mixed(*parts: str, kind: str = "mixed") -> str:
    body = "".join(f"--b\n{part}\n" for part in parts)
    return f"{HEAD}Content-Type: multipart/{kind}; boundary=b\n\n{body}--b--\n"


@pytest.mark.parametrize(
    ("payload", "text", "plain"),
    [
        (HEAD + "Hello there\nsecond\n\nthird", "Hello there\nsecond\nthird", "third"),
        (HEAD + "Content-Type: multipart/mixed; boundary=b\n\nonly text", "only text", ""),
        (
            HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo",
            *["one\ntwo"] * 2,
        ),
        (
            HEAD + "Content-Type: multipart/mixed; boundary=a b\n\n--a b\n\none\n--a b--",
            *["one"] * 2,
        ),
        (
            HEAD + 'Content-Type: multipart/mixed; boundary="b "\n\n--b  \n\none\n--b--',
            *["one"] * 2,
        ),
        (
            HEAD + "Content-Type: multipart/mixed; boundary=b\n\n--b junk\n\none\n--b--",
            *["one"] * 2,
        ),
        (HEAD + "X-A: 1\nno header\nContent-Type: text/plain\n\nbody", "no header\nbody", "body"),
        ("no header either\n" + HEAD + "\nbody", "body", "body"),
        (">From a Mon Mar  2 10:00:00 2026\n" + HEAD + "\nbody", "body", "body"),
        ((HEAD + "\nbody\nmore").replace("\n", "\r"), *["body\nmore"] * 2),
        ((HEAD + "\nbody\nmore").replace("\n", "\r\r\n"), *["body\nmore"] * 2),
        (HEAD + "\n\ufeffbody", "body", "body"),
        (HEAD + "Content-Type: text\n\nbody", "body", "body"),
        (HEAD + 'Content-Type: text/plain charset="utf-8"\n\nbody', "body", "body"),
        (HEAD + "Content-Transfer-Encoding: 8-bit\n\nGrüße", "Grüße", "Grüße"),
        (HEAD + "Content-Transfer-Encoding: BASE-64 (x)\n\nSGVsbG8=", "Hello", "Hello"),
        (
            HEAD + "Content-Transfer-Encoding: base64\n\nSGV!!sbG8g\nd29ybGQg d29ybGQ",
            *["Hello world world"] * 2,
        ),
        (
            HEAD + "Content-Transfer-Encoding: base64\n\nDear all, this is no base64.",
            *["Dear all, this is no base64."] * 2,
        ),
        (
            HEAD + "Content-Transfer-Encoding: quoted-printable\n\na=20b=ZZ =\nnext=C3=A4 x=",
            *["a b=ZZ nextä x"] * 2,
        ),
        (
            HEAD + "Content-Type: text/enriched\n\n<bold>Hi</bold> <<x>\nthere\n\nnext",
            "Hi <x> there\nnext",
            "",
        ),
        (HEAD + "Content-Type: text/markdown\n\n# hello", "# hello", ""),
        (
            HEAD + "Content-Type: text/plain; format=flowed\n\nlong \nline\n> q \n> r\n-- \nsig",
            "long line\n> q r\n--\nsig",
            None,
        ),
        (
            HEAD
            + "Content-Type: text/plain; format=flowed; delsp=yes\n\nlo \nng\n> a\n>> b\n stuffed",
            "long\n> a\n>> b\nstuffed",
            None,
        ),
    ],
)
def test_texts(payload: str, text: str, plain: str | None) -> None:
    mail = parsed(payload)
    assert mail.text == text
    assert plain is None or mail.plain == plain


def test_parts_that_no_header_announces_are_shown_and_kept() -> None:
    parts = "pre\n--xyz123\nContent-Type: text/plain\n\nhello\n--xyz123\nContent-Type: a/b; name=f\n\ndata\n--xyz123--\n"
    without_boundary = parsed(HEAD + "Content-Type: multipart/mixed\n\n" + parts)
    behind_the_end = parsed(mixed("\nfirst") + "--b\nContent-Type: a/b; name=f\n\ndata\n--b--\n")
    assert (without_boundary.text, without_boundary.plain) == ("hello", "")
    assert behind_the_end.plain == "first"
    for mail in (without_boundary, behind_the_end):
        assert mail.attachments == ()
        assert [(f.file_name, f.content, f.origin) for f in mail.embedded] == [
            ("f", b"data", "guessed")
        ]
        assert "parts that no header announces" in mail.warnings


def test_an_outer_delimiter_ends_inner_parts() -> None:
    mail = parsed(
        mixed(
            "Content-Type: multipart/alternative; boundary=bb\n\n--bb\n\none\n--bb\n"
            "Content-Type: text/html\n\n<p>two",
            "Content-Type: a/b; name=f\n\nlog",
        )
    )
    assert (mail.plain, mail.html) == ("one", "<p>two")
    assert [(f.file_name, f.content) for f in mail.attachments] == [("f", b"log")]


def test_enclosed_messages_keep_their_bytes() -> None:
    inner = b"X-Odd:  folded\r\n\tvalue \r\nSubject: =?broken\r\n\r\nbody \xff\r\n"
    mail = parsed(mixed("Content-Type: message/rfc822\n\n@@").encode().replace(b"@@", inner))
    assert mail.attachments[0].content == inner
    digest = parsed(mixed("\nSubject: one\n\n1", "\nSubject: two\n\n2", kind="digest"))
    assert [f.content for f in digest.attachments] == [b"Subject: one\n\n1", b"Subject: two\n\n2"]
    assert {f.media_type for f in digest.attachments} == {"message/rfc822"}


def test_special_parts_are_attachments() -> None:
    mail = parsed(
        mixed(
            "Content-Type: message/partial; id=x; number=1; total=2\n\nSubject: x\n\ny",
            "Content-Type: message/external-body; access-type=URL\n\nContent-Type: image/gif\n",
            "Content-Type: multipart/appledouble; boundary=c\n\n--c\n"
            "Content-Type: application/applefile; name=a.jpg\n\nr\n--c\n"
            "Content-Type: image/jpeg; name=a.jpg\n\nd\n--c--",
            "Content-Type: application/ms-tnef; name=winmail.dat\n\nT",
            "Content-Type: application/pgp-encrypted\n\nVersion: 1",
            "Content-Type: application/octet-s\udce4; name=x\n\nT".replace("\udce4", "ä"),
        )
    )
    assert [(f.file_name, f.media_type) for f in mail.attachments] == [
        ("message.eml", "message/partial"),
        ("message.eml", "message/external-body"),
        ("a.jpg", "application/applefile"),
        ("a.jpg", "image/jpeg"),
        ("winmail.dat", "application/ms-tnef"),
        ("attachment.asc", "application/pgp-encrypted"),
        ("x", "application/octet-stream"),
    ]


def test_files_written_into_the_text_are_taken_out() -> None:
    content = bytes(range(256)) * 3
    lines = [binascii.b2a_uu(content[at : at + 45]).decode() for at in range(0, len(content), 45)]
    uu = parsed(HEAD + "\nhi\nbegin 644 a b.bin\n" + "".join(lines) + "`\nend\nbye\n")
    shifted = bytes((byte + 42) % 256 for byte in content)
    for special in (b"=", b"\x00", b"\n", b"\r"):
        shifted = shifted.replace(special, b"=" + bytes([(special[0] + 64) % 256]))
    yenc = parsed(
        (HEAD + "\nhi\n=ybegin line=128 size=768 name=a b.bin\n").encode()
        + b"\r\n".join(shifted[at : at + 127] for at in range(0, len(shifted), 127))
        + b"\n=yend size=768 crc32=%08x\nbye\n" % zlib.crc32(content)
    )
    for mail, origin in ((uu, "uuencode"), (yenc, "yenc")):
        assert [(f.file_name, f.origin) for f in mail.embedded] == [("a b.bin", origin)]
        assert mail.embedded[0].content == content
        assert (mail.text, mail.attachments) == ("hi\nbye", ())
        assert "begin" in mail.plain


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 lines of code\nand then we see\nend of story",
        "begin 777 x\n#not uu at all, too long for its first letter\nend",
        "=ybegin line=1 size=1 name=x\nnothing ends it",
    ],
)
def test_prose_is_no_file(text: str) -> None:
    mail = parsed(HEAD + "\n" + text)
    assert (mail.text, mail.embedded) == (text, ())


def der(tag: int, *pieces: bytes) -> bytes:
    content = b"".join(pieces)
    size = len(content).to_bytes(2, "big")
    return bytes([tag, 0x82]) + size + content


def ber(tag: int, *pieces: bytes) -> bytes:
    return bytes([tag, 0x80]) + b"".join(pieces) + b"\x00\x00"


OID_SIGNED = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
OID_ENVELOPED = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
OID_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
INNER = mixed("\nsigned text", "Content-Type: application/pdf; name=a.pdf\n\nPDF").encode()


def signed(wrap: object, octets: bytes, kind: bytes = OID_SIGNED) -> bytes:
    assert callable(wrap)
    content = wrap(0x30, OID_DATA, wrap(0xA0, octets))
    data: bytes = wrap(
        0x30, kind, wrap(0xA0, wrap(0x30, b"\x02\x01\x01", der(0x31), content, der(0x31)))
    )
    return data


@pytest.mark.parametrize(
    "data",
    [
        signed(der, der(0x04, INNER)),
        signed(ber, ber(0x24, der(0x04, INNER[:50]), der(0x04, INNER[50:]))),
        signed(ber, der(0x24, der(0x04, INNER[:50]), der(0x04, INNER[50:]))),
    ],
    ids=["definite lengths", "streamed", "pieces"],
)
def test_a_mail_inside_of_an_smime_signature_is_read(data: bytes) -> None:
    head = HEAD + (
        "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n"
        "Content-Transfer-Encoding: base64\n\n"
    )
    mail = parsed(head.encode() + base64.encodebytes(data))
    assert (mail.text, mail.plain) == ("signed text", "")
    assert [f.file_name for f in mail.attachments] == ["smime.p7m"]
    assert [(f.file_name, f.content, f.origin) for f in mail.embedded] == [
        ("a.pdf", b"PDF", "signed")
    ]


def test_what_is_encrypted_or_cut_short_is_only_an_attachment() -> None:
    whole = signed(der, der(0x04, INNER))
    assert signed_content(signed(der, der(0x04, INNER), OID_ENVELOPED)) is None
    assert {signed_content(whole[:size]) for size in range(len(whole) - 4)} == {None}
    assert signed_content(b"\x30\x80" * 10_000) is None


def test_the_armor_of_a_signed_text_is_not_shown() -> None:
    mail = parsed(
        HEAD + "\nbefore\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n- - dash\n"
        "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\nafter\n"
    )
    assert mail.text == "before\nHello\n- dash\nafter"
    cut = "-----BEGIN PGP SIGNED MESSAGE-----\n\nHello"
    assert parsed(HEAD + "\n" + cut).text == cut


def test_an_invitation_says_what_when_and_where() -> None:
    calendar = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Visit\\, at\n  last\nDTSTART;TZID=Europe/Berlin:20260302T100000\n"
        'DTEND:20260302T110000Z\nLOCATION:Room 1\nORGANIZER;CN="Ada L":mailto:ada@x.example\n'
        "DESCRIPTION:one\\ntwo\nBEGIN:VALARM\nDESCRIPTION:alarm\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR"
    )
    mail = parsed(HEAD + "Content-Type: text/calendar; method=REQUEST\n\n" + calendar)
    assert mail.text.split("\n") == [
        *("Visit, at last", "When: 2026-03-02 10:00 (Europe/Berlin) – 2026-03-02 11:00 UTC"),
        *("Where: Room 1", "Organizer: Ada L <ada@x.example>", "one", "two"),
    ]
    assert [f.media_type for f in mail.attachments] == ["text/calendar"]
    beside_text = parsed(mixed("\nplease come", "Content-Type: text/calendar\n\n" + calendar))
    assert beside_text.text == "please come"


def test_hidden_html_is_not_shown() -> None:
    mail = parsed(
        HEAD + "Content-Type: text/html\n\n<title>t</title><style>s{}</style><script>1</script>"
        '<div style="display:none">no</div><span style="visibility: hidden">no</span>'
        '<div style="max-height:0px; overflow:hidden">no</div><p hidden>no</p>'
        '<p style="mso-hide:all">no</p><p style="opacity:0">no</p><!-- no -->'
        '<p style="line-height:0;opacity:0.5">Hello <a href="https://x.example">there</a>'
        '<img src="cid:1" alt=""></p><table><tr><td>a</td><td>b</td></tr></table>'
    )
    assert mail.text.split() == ["Hello", "there", "a", "b"]


def test_what_mail_servers_keep_in_a_folder_is_no_mail() -> None:
    subject = "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
    notes = parse(RawRecord("mails", "m", (subject + "X-IMAP: 1 2\n\nx").encode()))
    assert isinstance(notes, Rejected)
    assert notes.reason == "no mail: a mail server's notes on the folder"


NOTICE = '{"notificationType":"Bounce","mail":{"headers":[{"name":"Message-ID","value":"<sent@x.example>"}]}}'
RETURNED = "Content-Type: message/rfc822\n\nMessage-ID: <sent@x.example>\n\nx"


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (
            mixed("\nsorry", "Content-Type: message/delivery-status\n\nAction: failed", RETURNED),
            "bounce",
        ),
        ("Return-Path: <>\n" + mixed("\nMailbox is full", RETURNED), "bounce"),
        (mixed("\nMailbox is full", RETURNED), "person"),
        (mixed("\nCould not be delivered", RETURNED).replace("a@x.", "no-reply@x."), "bounce"),
        (mixed("\nSee the old mail", RETURNED).replace("a@x.", "no-reply@x."), "person"),
        ("Return-Path: <>\n" + HEAD + "\nI am on holiday", "person"),
        ("X-Amz-Sns-Message-Id: 1\n" + HEAD + "\n" + NOTICE, "bounce"),
        ("X-Amz-Sns-Message-Id: 1\n" + HEAD + "\nnews", "bulk"),
        (
            mixed("\nx", RETURNED).replace(
                "Subject: s", "Subject: complaint about message from 1.2"
            ),
            "bounce",
        ),
        (HEAD.replace("Subject: s", "Subject: 自動返信：出張中") + "\nx", "auto_reply"),
        (HEAD.replace("Subject: s", "Subject: Undeliverable: x") + "\nwhat is this?", "person"),
    ],
)
def test_reports_without_the_marks_of_one(payload: str, kind: str) -> None:
    mail = parsed(payload)
    assert mail.kind == kind
    if kind == "bounce":
        assert mail.bounced_ids == ("<sent@x.example>",)


def test_a_part_whose_boundary_is_the_outer_one_and_two_dashes_is_read() -> None:
    """Its delimiter looks like the end of the outer part, and its own end like a line that is neither."""
    payload = (
        HEAD + 'Content-Type: multipart/mixed; boundary="b"\n\n'
        '--b\nContent-Type: multipart/mixed; boundary="b--"\n\n'
        "--b--\n\none\n--b--\n\ntwo\n--b----\n"
        "--b\n\nthree\n--b--\n"
    )
    assert parsed(payload).text == "one\ntwo\nthree"
    # Said in a text and not in a header, it does no harm.
    told = parsed(mixed("\nSay boundary=b--", "\ntwo"))
    assert told.text == "Say boundary=b--\ntwo"
