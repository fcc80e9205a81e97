"""Whether a person wrote a mail: automatic answers, bounces, bulk mail, loops.

Belongs here: verdicts from headers. Does not belong here: what is done about them (an automatic mail stays part
of the history; the verdict only keeps it from counting as an answer).

Source: RFC 3834 (Auto-Submitted), RFC 3464 (delivery reports), RFC 2919/2369 (list headers).
"""

import re
from collections.abc import Callable
from typing import Literal

from transforms.mail_headers import MailAddress, parse_ids, parse_message_id
from transforms.mail_mime import Part
from transforms.mail_parts import MailBody

Kind = Literal["person", "auto_reply", "bounce", "bulk"]
"""`bulk` is a newsletter or a notification that a program sends; discussion lists are persons' mail."""

Header = Callable[[str], str]
"""Gives the unfolded value of a header by its name, "" where the mail has none."""

_DISCUSSION_MARKS = (
    "List-Post",
    "X-Mailman-Version",
    "X-BeenThere",
    "Mailing-List",
    "X-Mailing-List",
    "X-ML-Name",
)
"""Headers of lists that people write to; newsletters have List-Unsubscribe without them."""

_MAILER = re.compile(
    r"^(?:mailer-?daemon|postmaster|mail-daemon|mdaemon|mail\.daemon|mail delivery (?:sub)?system)(?:@|$)",
    re.I,
)
_NO_REPLY = re.compile(r"^(?:no-?_?reply|do-?not-?reply)\b", re.I)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|undelivered|delivery (?:status|failure|has failed|report|notification)|delivery.*fail"
    r"|returned mail|mail (?:delivery|system error)|failure notice|(?:could|can) ?not be delivered"
    r"|nicht zustellbar|unzustellbar|teslim edilemedi|iletilemedi|non remis|[ée]chec de (?:la )?remise"
    r"|no se (?:ha podido|pudo|puede) entregar|no entregado|n[ãa]o (?:p[ôo]de ser )?entregue|mancata consegna"
    r"|onbestelbaar|niet bezorgd|nie dostarczon|недоставлен|не доставлен"
    r"|メールエラー|配信.{0,6}(?:でき|失敗)|配送エラー|退信|投递失败|未能送达|無法傳遞",
    re.I,
)
_BOUNCE_TEXT = re.compile(
    r"(?:could|can|was|were)(?: ?not|n't) (?:be )?delivered|unable to deliver|delivery (?:has )?failed"
    r"|undeliverable|permanent (?:fatal )?error|mailbox (?:is )?full|over ?quota|user unknown|unknown user"
    r"|no such (?:user|mailbox)|address(?:es)? had (?:permanent|delivery|problems)|address rejected"
    r"|(?:konnte|wurde) nicht zugestellt|n'a pas pu être (?:remis|distribu|livr)|no se ha podido entregar"
    r"|teslim edilemedi|送信できませんでした|配信できませんでした|届けられませんでした|无法投递|退回",
    re.I,
)
_COMPLAINT_SUBJECT = re.compile(r"complaint about message from ", re.I)
_LOOP_SUBJECT = re.compile(r"loop alert|mail loop", re.I)
_NOTICE = re.compile(
    r"\\?\"(?:notification|event)Type\\?\"\s*:\s*\\?\"(?:Bounce|Complaint|Delivery)", re.I
)
_NOTICE_ID = re.compile(
    r"\\?\"Message-ID\\?\"\s*,\s*\\?\"value\\?\"\s*:\s*\\?\"(<[^<>\s\"]+>)", re.I
)
SUBJECT_LIMIT = 500
"""Letters of a subject that are looked at: the patterns take their square."""

LOOP_DELIVERIES = 4
"""Deliveries to one mailbox that no forwarding explains."""

LOOP_HOPS = 50
"""Servers after which mail systems themselves give up (Postfix: `hopcount_limit`)."""

_BOUNCE_TEXT_LIMIT = 4_000
"""Letters at a text's start in which a mail system says why the mail came back."""

_AUTO_SUBJECT = re.compile(
    r"^\W*(?:auto(?:matic)?[ -]?(?:reply|response|matische antwort)|automatische (?:antwort|r[üu]ckantwort)"
    r"|out of (?:the )?office|abwesenheit|otomatik (?:yan[ıi]t|cevap)|ofis d[ıi][şs][ıi]|vacation (?:reply|notice)"
    r"|r[ée]ponse automatique|absence du bureau|respuesta autom[áa]tica|resposta autom[áa]tica"
    r"|risposta automatica|fuori (?:sede|ufficio)|autosvar|automat(?:iskt|isk) svar|automaattinen vastaus"
    r"|automatisch antwoord|afwezig|automatyczna odpowied|automatick[áa] odpove?[ďd]|автоответ|автоматический ответ"
    r"|αυτόματη απάντηση|自動返信|自動応答|自动回复|自動回覆|자동 ?회신|자동 ?응답)",
    re.I,
)
_RETURNED_ID = re.compile(r"^[>\s]*(?:x-)?(?:original-)?message-id:\s*(<[^<>\s]+>)", re.I | re.M)


def kind_of(
    header: Header, message: Part, sender: MailAddress | None, subject: str, body: MailBody
) -> tuple[Kind, str]:
    """What sort of mail it is, and the header or words that say so ("" for a person's).

    X-Auto-Response-Suppress alone proves nothing: it asks *us* not to answer and stands in many persons' mail.
    """
    subject = subject[:SUBJECT_LIMIT]
    bounce = _bounce_sign(header, message, sender, subject, body)
    if bounce:
        return "bounce", bounce
    auto = _auto_sign(header, subject) or _loop_sign(message)
    if auto:
        return "auto_reply", auto
    bulk = _bulk_sign(header)
    return ("bulk", bulk) if bulk else ("person", "")


def _bounce_sign(
    header: Header, message: Part, sender: MailAddress | None, subject: str, body: MailBody
) -> str:
    if message.media_type == "multipart/report":
        report = message.content_type.token("report-type").lower()
        if report != "disposition-notification":
            return f"multipart/report {report}".strip()
    if header("X-Failed-Recipients"):
        return "X-Failed-Recipients"
    if any(
        b"action:" in report.lower() or b"feedback-type:" in report.lower()
        for report in body.reports
    ):
        return "a delivery report in it"
    is_mailer = sender is not None and any(map(_MAILER.match, (sender.address, sender.name)))
    is_null = header("Return-Path").strip() == "<>" or header("From").strip() == "<>"
    if (is_mailer or is_null) and _BOUNCE_SUBJECT.search(subject):
        return "a mail system's report"
    if is_mailer and sender is not None and not sender.address.startswith("postmaster"):
        return "sent by a mail system"
    return _bounce_words(header, sender, subject, body, is_null=is_null)


def _bounce_words(
    header: Header, sender: MailAddress | None, subject: str, body: MailBody, *, is_null: bool
) -> str:
    """What says that a mail without the marks of a report is one."""
    if header("X-Amz-Sns-Message-Id") and _NOTICE.search(body.plain[:_BOUNCE_TEXT_LIMIT]):
        return "a notice of Amazon SES"
    if body.enclosed and _COMPLAINT_SUBJECT.match(subject):
        return "a complaint handed on by a provider"
    if header("X-MLServer") and _LOOP_SUBJECT.match(subject):
        return "a list server's report"
    is_program = sender is not None and bool(_NO_REPLY.match(sender.address)) and body.enclosed
    if (is_null or is_program) and _BOUNCE_TEXT.search(body.text[:_BOUNCE_TEXT_LIMIT]):
        return "its text says that a mail came back"
    return ""


def _auto_sign(header: Header, subject: str) -> str:
    submitted = header("Auto-Submitted").partition(";")[0].strip().lower()
    if submitted.startswith(("auto-replied", "auto-notified")):
        return f"Auto-Submitted: {submitted}"
    for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponse", "X-Auto-Reply-From"):
        value = header(name).lower()
        if value and value not in ("no", "false"):
            return name
    if header("Precedence").lower() in ("auto_reply", "auto-reply"):
        return "Precedence: auto_reply"
    if (
        header("X-MS-Exchange-Inbox-Rules-Loop")
        and "all" in header("X-Auto-Response-Suppress").lower()
    ):
        return "X-Auto-Response-Suppress: All, made by a mailbox rule"
    if _AUTO_SUBJECT.match(subject):
        return "its subject is an automatic answer's"
    return ""


def _loop_sign(message: Part) -> str:
    """What says that a mail runs in circles: one mailbox got it again and again, or it came over too many servers.

    X-Loop alone proves nothing: lists set it on persons' mail.
    """
    delivered = [value.strip().lower() for value in message.get_all("Delivered-To")]
    most = max(map(delivered.count, delivered), default=0)
    if most >= LOOP_DELIVERIES:
        return f"a loop: delivered {most} times to the same mailbox"
    hops = len(message.get_all("Received"))
    return f"a loop: {hops} servers" if hops >= LOOP_HOPS else ""


def _bulk_sign(header: Header) -> str:
    """A program's mail that answers nothing; what a discussion list hands on is a person's."""
    submitted = header("Auto-Submitted").partition(";")[0].strip().lower()
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted}"
    if header("X-Amz-Sns-Message-Id"):
        return "X-Amz-Sns-Message-Id"
    if any(map(header, (*_DISCUSSION_MARKS, "In-Reply-To", "References"))):
        return ""
    precedence = header("Precedence").lower()
    if precedence in ("bulk", "junk"):
        return f"Precedence: {precedence}"
    return "List-Unsubscribe" if header("List-Unsubscribe") else ""


def list_addresses(header: Header) -> tuple[str, ...]:
    """Addresses of the mailing lists that handed the mail on: nobody's own.

    Source: RFC 2369 (List-Post), Mailman's X-BeenThere, ezmlm's Mailing-List.
    """
    found = (
        *_LIST_POST.findall(header("List-Post")),
        *_LIST_BARE.findall(header("X-BeenThere")),
        *_LIST_BARE.findall(header("Mailing-List")),
        *_LIST_BARE.findall(header("X-Mailing-List")),
    )
    return tuple(dict.fromkeys(each.lower() for each in found))


_LIST_POST = re.compile(r"<?mailto:([^\s<>?]{1,200}@[^\s<>?]{1,200})", re.I)
_LIST_BARE = re.compile(r"([\w.+=-]{1,100}@[\w-]+(?:\.[\w-]+)+)")


def bounced_ids(kind: Kind, body: MailBody) -> tuple[str, ...]:
    """Message-IDs of the mails that a bounce returns: from the enclosed message or headers, else quoted in the text."""
    if kind != "bounce":
        return ()
    ids: list[str] = []
    for message in body.enclosed:
        found = parse_message_id(message.get("Message-ID"))
        if found:
            ids.append(found)
    for attachment in (*body.attachments, *body.embedded):
        if attachment.media_type in ("text/rfc822-headers", "message/rfc822-headers"):
            ids += _quoted_ids(attachment.content.decode("utf-8", "replace"))
    if not ids:
        ids = _quoted_ids(body.text) or _NOTICE_ID.findall(body.plain)
    for report in body.reports:
        ids += _quoted_ids(report.decode("utf-8", "replace"))
    return tuple(dict.fromkeys(ids))


def _quoted_ids(text: str) -> list[str]:
    return [each for raw in _RETURNED_ID.findall(text) for each in parse_ids(raw)]
