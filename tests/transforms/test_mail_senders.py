"""Whose mail it is: lists, forwarders, forms and agents who hand a customer's mail on."""

from datetime import UTC, datetime

import pytest

from transforms.mail import MailboxPolicy, ParsedMail, build, parse
from transforms.mail_senders import unfolded_address
from transforms.model import Batch, RawRecord
from transforms.threads import ThreadIndex, place

OWN = MailboxPolicy(
    own_addresses=frozenset({"help@shop.example"}),
    agent_addresses=frozenset({"kim@shop.example"}),
)
LIST = "List-Post: <mailto:users@list.example>\n"


def read(headers: str, body: str = "It does not work.") -> ParsedMail:
    content = f"Date: Mon, 2 Mar 2026 09:00:00 +0000\nMessage-ID: <m@x>\n{headers}\n\n{body}\n"
    found = parse(RawRecord("mails", "m", content.encode()))
    assert isinstance(found, ParsedMail)
    return found


def built(mail: ParsedMail) -> Batch:
    places = {one.remote_id: one for one in place([mail.headers], ThreadIndex())}
    record = RawRecord("mails", "m", b"x")
    return build([(record, mail, places["m"])], OWN, datetime(2026, 3, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("headers", "name", "address"),
    [
        (
            "From: \"'Ada L.' via Help\" <help@shop.example>\nX-Original-From: Ada L. <ada@x.example>",
            *("Ada L.", "ada@x.example"),
        ),
        (
            "From: Ada über Hilfe <help@shop.example>\nX-Original-Sender: ada@x.example",
            *("Ada", "ada@x.example"),
        ),
        (
            f"{LIST}From: Ada <users@list.example>\nReply-To: users@list.example\nCc: Ada <ada@x.example>",
            *("Ada", "ada@x.example"),
        ),
        (
            f"{LIST}From: Ada via Users <users@list.example>\nX-MailFrom: prvs=00abcd12ef=ada@x.example",
            *("Ada", "ada@x.example"),
        ),
        (f"{LIST}From: Ada via Users <users@list.example>", "Ada", ""),
        (
            f"{LIST}From: Ada via Users <users@list.example>\nX-MailFrom: users-bounces@list.example",
            *("Ada", ""),
        ),
        (
            "From: Ada <SRS0=Xy1z=AB=x.example=ada@relay.example>",
            *("Ada", "ada@x.example"),
        ),
        ("From: Ada <ada=40x.example@dmarc.ietf.example>", "Ada", "ada@x.example"),
        (
            "From: Shop <noreply@forms.example>\nReply-To: Ada <ada@x.example>",
            *("Ada", "ada@x.example"),
        ),
        (
            "From: News <noreply@news.example>\nReply-To: ada@x.example\nList-Unsubscribe: <http://n>",
            *("News", "noreply@news.example"),
        ),
        (
            "From: No Reply <noreply@shop.example>\nReply-To: care@mail.shop.example",
            *("No Reply", "noreply@shop.example"),
        ),
        (
            "From: Ada <ada@x.example>\nReply-To: Boss <boss@y.example>",
            *("Ada", "ada@x.example"),
        ),
        (
            "From: Ada <ada@x.example>\nResent-From: Kim <kim@shop.example>\nResent-To: help@shop.example",
            *("Ada", "ada@x.example"),
        ),
    ],
)
def test_the_writer_behind_what_from_says(headers: str, name: str, address: str) -> None:
    mail = read(headers)
    assert mail.sender is not None
    assert (mail.sender.name, mail.sender.address) == (name, address)


@pytest.mark.parametrize(
    ("folded", "address"),
    [
        ("srs0=hhhh=tt=x.example=ada@relay.example", "ada@x.example"),
        ("srs0+hhhh=tt=x.example=ada@relay.example", "ada@x.example"),
        ("srs1=gggg=relay.example==hhhh=tt=x.example=ada@other.example", "ada@x.example"),
        ("prvs=1234567890=ada@x.example", "ada@x.example"),
        ("prvs=ada=1234567890@x.example", "ada@x.example"),
        ("ada@x.example", None),
        ("a=b@x.example", None),
    ],
)
def test_addresses_that_forwarders_fold(folded: str, address: str | None) -> None:
    assert unfolded_address(folded) == address


FORWARDS = {
    "gmail": (
        "Fwd: Broken lamp",
        "see below\n\n---------- Forwarded message ---------\nFrom: Ada L. <ada@x.example>\n"
        "Date: Mon, Mar 2, 2026 at 9:00 AM\nSubject: Broken lamp\nTo: <kim@shop.example>\n\nMy lamp broke.",
    ),
    "outlook, German": (
        "WG: Lampe kaputt",
        "bitte übernehmen\n\n-----Ursprüngliche Nachricht-----\nVon: Ada L. [mailto:ada@x.example]\n"
        "Gesendet: Montag, 2. März 2026 09:00\nAn: Kim\nBetreff: Lampe kaputt\n\nMeine Lampe ist kaputt.",
    ),
    "outlook, Turkish": (
        "İLT: Lamba bozuk",
        "\n________________________________\nKimden: Ada L. <ada@x.example>\n"
        "Gönderildi: 2 Mart 2026 Pazartesi 09:00\nKime: Kim <kim@shop.example>\nKonu: Lamba bozuk\n\nLambam bozuldu.",
    ),
    "outlook, French": (
        "TR: Lampe",
        "De : Ada L. <ada@x.example>\nEnvoyé : lundi 2 mars 2026 09:00\nÀ : Kim\nObjet : Lampe\n\nMa lampe est cassée.",
    ),
    "apple": (
        "Fwd: Broken lamp",
        "Begin forwarded message:\n\n> From: Ada L. <ada@x.example>\n> Subject: Broken lamp\n"
        "> Date: 2 March 2026 at 09:00\n> To: kim@shop.example\n>\n> My lamp broke.",
    ),
    "Japanese": (
        "転送: ランプ",
        "---------- 転送されたメッセージ ---------\n差出人: Ada L. <ada@x.example>\n日付: 2026年3月2日 9:00\n件名: ランプ\n宛先: kim\n\n壊れました。",
    ),
    "Russian": (
        "Fwd: Лампа",
        "-------- Пересылаемое сообщение --------\nОт: Ada L. <ada@x.example>\nДата: 02.03.2026 09:00\n"
        "Тема: Лампа\nКому: kim\n\nЛампа сломалась.",
    ),
}


@pytest.mark.parametrize("name", FORWARDS)
def test_a_customer_whose_mail_an_agent_forwards_is_the_requester(name: str) -> None:
    subject, body = FORWARDS[name]
    mail = read(
        "From: Kim <kim@shop.example>\nTo: help@shop.example\nMIME-Version: 1.0\n"
        f"Content-Type: text/plain; charset=utf-8\nSubject: {subject}",
        body,
    )
    batch = built(mail)
    assert batch.tickets[0].requester_remote_id == "ada@x.example"
    assert (batch.comments[0].author_kind, batch.comments[0].author_remote_id) == (
        "customer",
        "ada@x.example",
    )
    names = {person.remote_id: (person.name, person.is_agent) for person in batch.people}
    assert names["ada@x.example"] == ("Ada L.", False)


def test_an_attached_original_tells_the_customer_too() -> None:
    body = (
        "--b\nContent-Type: text/plain\n\nplease take over\n--b\nContent-Type: message/rfc822\n\n"
        "From: Ada <ada@x.example>\nSubject: Lamp\n\nMy lamp broke.\n--b--"
    )
    mail = read(
        "From: kim@shop.example\nTo: help@shop.example\nSubject: Fwd: Lamp\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b"',
        body,
    )
    assert built(mail).tickets[0].requester_remote_id == "ada@x.example"


def test_what_an_agent_answers_or_sends_outside_stays_the_agents() -> None:
    subject, body = FORWARDS["gmail"]
    outside = read(f"From: kim@shop.example\nTo: vendor@y.example\nSubject: {subject}", body)
    assert built(outside).comments[0].author_kind == "agent"
    answer = read(
        "From: kim@shop.example\nTo: help@shop.example\nSubject: Re: Broken lamp",
        "done\n\nOn Mon, 2 Mar 2026 at 09:00 Ada <ada@x.example> wrote:\n> My lamp broke.",
    )
    assert built(answer).comments[0].author_kind == "agent"


def test_a_customer_who_forwards_another_ones_mail_is_the_requester() -> None:
    subject, body = FORWARDS["gmail"]
    mail = read(f"From: bob@y.example\nTo: help@shop.example\nSubject: {subject}", body)
    assert built(mail).tickets[0].requester_remote_id == "bob@y.example"


def test_a_form_on_our_own_site_names_the_customer_in_reply_to() -> None:
    form = read(
        "From: Shop <help@shop.example>\nTo: help@shop.example\nReply-To: Ada <ada@x.example>\nSubject: Contact"
    )
    assert built(form).tickets[0].requester_remote_id == "ada@x.example"
    answer = read(
        "From: help@shop.example\nTo: bob@y.example\nReply-To: ada@x.example\nSubject: Contact"
    )
    assert built(answer).tickets[0].requester_remote_id == "bob@y.example"


def test_a_mail_that_runs_in_circles_is_automatic_and_kept() -> None:
    again = "Delivered-To: help@shop.example\n" * 4
    mail = read(f"{again}From: ada@x.example\nTo: help@shop.example\nSubject: Lamp")
    assert (mail.kind, mail.kind_reason) == (
        "auto_reply",
        "a loop: delivered 4 times to the same mailbox",
    )
    assert built(mail).comments[0].author_kind == "bot"
