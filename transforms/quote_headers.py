"""Where a mail's text quotes or forwards another mail, and whose: `quote_headers`.

Belongs here: the lines that programs write above a quoted or forwarded mail, in the languages they write them in.
Does not belong here: cutting replies for display, matching quoted text (`quoted_text`), who the customer is.

Two shapes are known: a sentence that names the writer and ends in a colon (`On … NAME <address> wrote:`, in any
language, told by the address or the date in it), and a block of header lines (`From: … Sent: … To: … Subject: …`)
whose labels are known words, with or without a line such as `-----Original Message-----` above it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from transforms.mail_headers import MailAddress
from transforms.text import is_forward, one_line

SCANNED_LINES = 5_000
"""Lines of a text that are looked at."""

LONGEST_LINE = 400
"""Letters above which a line is nobody's header."""

ATTRIBUTION_LINES = 4
"""Lines over which programs break a sentence such as `On … wrote:`."""

_FROM = (
    "from|von|de|da|van|fra|från|fran|kimden|gönderen|gonderen|od|od koho|lähettäjä|feladó|от|від|од|από|מאת|من|"
    "发件人|寄件者|寄件人|差出人|送信者|보낸 사람|보낸사람|từ|dari|expéditeur|remitente|mittente|avsändare|afsender|"
    "absender|nadawca|odesílatel|odosielateľ|expeditor|отправитель|pošiljatelj|saatja|no|nuo|de la"
)
_SENT = (
    "sent|date|gesendet|datum|envoyé|envoyé le|enviado|enviado el|enviado em|fecha|data|inviato|data invio|verzonden|"
    "sendt|dato|skickat|gönderme tarihi|gönderildi|tarih|wysłano|odesláno|odoslané|dátum|lähetetty|päivämäärä|"
    "elküldve|küldve|дата|отправлено|надіслано|ημερομηνία|στάλθηκε|נשלח|تاريخ|تم الإرسال|发送时间|日期|时间|寄件日期|"
    "日付|日時|送信日時|보낸 날짜|날짜|đã gửi|ngày|terkirim|tanggal|trimis|poslano|saadetud"
)
_SUBJECT = (
    "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|emne|ämne|konu|temat|předmět|predmet|aihe|tárgy|тема|"
    "θέμα|נושא|الموضوع|主题|主旨|件名|제목|chủ đề|subjek|perihal|subiect|zadeva|teema|assunto"
)
_TO = "to|an|à|a|para|aan|til|till|kime|alıcı|do|komu|vastaanottaja|címzett|кому|προς|אל|إلى|收件人|宛先|받는 사람|đến|kepada|către"
_REPLY_TO = "reply-to|antwort an|répondre à|responder a|yanıtla"

_MARK = r"^[\s>|*_]*"
_FROM_LINE = re.compile(rf"{_MARK}(?:{_FROM})[ \u00a0*_]*[:：][\s*_]*(?P<value>\S.*)$", re.I)
_SENT_LINE = re.compile(rf"{_MARK}(?:{_SENT})[ \u00a0*_]*[:：]", re.I)
_SUBJECT_LINE = re.compile(rf"{_MARK}(?:{_SUBJECT})[ \u00a0*_]*[:：][\s*_]*(?P<value>.*)$", re.I)
_TO_LINE = re.compile(rf"{_MARK}(?:{_TO})[ \u00a0*_]*[:：]", re.I)
_REPLY_LINE = re.compile(rf"{_MARK}(?:{_REPLY_TO})[ \u00a0*_]*[:：][\s*_]*(?P<value>\S.*)$", re.I)
_RULED = re.compile(
    r"^[\s>|]*(?:[-_=*]{2,}|—{1,})\s*(?P<words>[^-_=*\n]{3,80}?)\s*(?:[-_=*]{2,}|—{1,}|:)\s*$"
)
_BEGINS = re.compile(r"^[\s>|]*(?P<words>\S[^\n]{3,60}?)\s*:?\s*$")
_FORWARD_WORDS = re.compile(
    r"forwarded (?:message|mail|by)|begin forwarded|weitergeleitet|message transf|transféré|courriel transf"
    r"|mensaje reenviado|reenviad|mensagem (?:re)?encaminhada|encaminhad|messaggio inoltrato|inoltrat"
    r"|doorgestuurd|videresend|vidarebefordra|iletilen|iletilmiş|przekazan|przesłan|přeposlan|továbbított|välitetty"
    r"|пересылаем|переслан|προωθημ|הועבר|מועבר|معاد توجيه|转发|轉寄|転送|전달된",
    re.I,
)
_ORIGINAL_WORDS = re.compile(
    r"original (?:message|mail|appointment)|ursprüngliche nachricht|originalnachricht|original-nachricht|message d.origine"
    r"|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|ursprungligt meddelande"
    r"|oprindelig meddelelse|opprinnelig melding|orijinal (?:ileti|mesaj|e-?posta)|özgün ileti|wiadomość oryginalna"
    r"|původní zpráva|eredeti üzenet|alkuperäinen viesti|исходное сообщение|оригинальное сообщение|αρχικό μήνυμα"
    r"|הודעה מקורית|الرسالة الأصلية|原始邮件|原邮件|原始郵件|元のメッセージ|원본 메시지|tin nhắn gốc|reply message",
    re.I,
)
_ADDRESS = re.compile(r"[\w.+'=&/-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_WHEN = re.compile(
    r"\b\d{1,2}[:.h]\d{2}\b|\b(?:19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\d{4}年|\d{1,2}月"
)
_WROTE = re.compile(
    r"\b(?:wrote|writes|said|schrieb|a écrit|ha scritto|escribió|escreveu|schreef|skrev|yazdı|napisał\(?a?\)?|"
    r"napsala?\(?a?\)?|kirjoitti|írta|пишет|писал\(?а?\)?|написала?\(?а?\)?|έγραψε|scris|napísala?|sanoi)\b"
    r"|כתב|كتب|写道|寫道|のメッセージ|さんは書きました|님이 작성|đã viết|menulis",
    re.I,
)
_COLON = re.compile(r"[:：]")
_QUOTE_MARKS = re.compile(r"^[\s>|]+")


@dataclass(frozen=True, slots=True)
class QuoteHeader:
    """What stands above another mail's text.

    `first_line` and `end_line` (exclusive) count lines of the text from 0. `kind` is `reply` or `forward`.
    `sender` is who wrote what follows, where that is told; its address is "" where only a name is.
    """

    first_line: int
    end_line: int
    kind: Literal["reply", "forward"]
    sender: MailAddress | None = None
    reply_to: MailAddress | None = None
    subject: str | None = None


def quote_headers(text: str) -> list[QuoteHeader]:
    """The headers of quoted and forwarded mails in a text, from top to bottom.

    Lines that are themselves quoted with `>` count too: their headers name older mails.
    """
    return list(_headers(text.split("\n", SCANNED_LINES)[:SCANNED_LINES]))


def _headers(lines: Sequence[str]) -> Iterator[QuoteHeader]:
    number = 0
    ruled: tuple[int, Literal["reply", "forward"]] | None = None
    while number < len(lines):
        line = lines[number]
        if not line.strip() or len(line) > LONGEST_LINE:
            number += 1
            continue
        kind = _announced(line)
        if kind is not None:
            ruled = number, kind
            number += 1
            continue
        is_ruled = ruled is not None and number - ruled[0] <= 3
        block = _block(lines, number, is_announced=is_ruled) if _COLON.search(line[:60]) else None
        if block is not None:
            first, kind = ruled if ruled is not None and is_ruled else (number, "reply")
            yield QuoteHeader(
                first, block.end_line, kind, block.sender, block.reply_to, block.subject
            )
            number, ruled = block.end_line, None
            continue
        sentence = _sentence(lines, number)
        if sentence is not None:
            yield sentence
            number, ruled = sentence.end_line, None
            continue
        if ruled is not None and not is_ruled:
            ruled = None
        number += 1


def _announced(line: str) -> Literal["reply", "forward"] | None:
    """Whether a line announces another mail (`-----Original Message-----`, `Begin forwarded message:`)."""
    if line.lstrip(" \t>|")[:1] not in ("-", "_", "=", "*", "—"):
        if not line.rstrip().endswith(":"):
            return None
        match = _BEGINS.match(line)
    else:
        match = _RULED.match(line)
    if match is None:
        return None
    words = match["words"]
    is_ruled = match.re is _RULED
    found = _FORWARD_WORDS.search(words)
    if found and (is_ruled or (line.rstrip().endswith(":") and len(words) <= 40)):
        return "forward"
    return "reply" if is_ruled and _ORIGINAL_WORDS.search(words) else None


def _block(lines: Sequence[str], start: int, *, is_announced: bool) -> QuoteHeader | None:
    """A block of header lines that begins here; it must tell the sender and one of date, subject."""
    sender: MailAddress | None = None
    reply_to: MailAddress | None = None
    subject: str | None = None
    kinds: set[str] = set()
    number = end = start
    while number < len(lines) and number - start < 12:
        line = lines[number]
        if len(line) > 4 * LONGEST_LINE:
            break
        if not line.strip(" \t>|*"):
            if kinds and number - end >= 1:
                break
        elif (match := _FROM_LINE.match(line)) and "from" not in kinds:
            kinds.add("from")
            sender = _person(match["value"])
            end = number + 1
        elif match := _REPLY_LINE.match(line):
            reply_to = _person(match["value"])
            end = number + 1
        elif (match := _SUBJECT_LINE.match(line)) and "subject" not in kinds:
            kinds.add("subject")
            subject = match["value"].strip()
            end = number + 1
        elif _SENT_LINE.match(line):
            kinds.add("sent")
            end = number + 1
        elif _TO_LINE.match(line):
            kinds.add("to")
            end = number + 1
        elif not kinds or number - end >= 2:
            break
        number += 1
    if "from" not in kinds or not kinds & {"sent", "subject"}:
        return None
    if len(kinds) < 3 and not is_announced:
        return None
    return QuoteHeader(start, end, "reply", sender, reply_to, subject)


def _sentence(lines: Sequence[str], end: int) -> QuoteHeader | None:
    """A sentence such as `On … NAME <address> wrote:` that ends in this line and began in it or some lines before."""
    last = lines[end].rstrip(" *")
    if not last.endswith((":", "：")):
        return None
    whole = ""
    for number in range(end, max(end - ATTRIBUTION_LINES, -1), -1):
        line = _QUOTE_MARKS.sub("", lines[number]).strip()
        if not line or len(line) > LONGEST_LINE:
            return None
        whole = f"{line} {whole}".strip()
        address = _ADDRESS.search(whole) if "@" in whole else None
        if address is None and not _WHEN.search(whole):
            continue
        if _WROTE.search(whole) or (address and _WHEN.search(whole)):
            sender = MailAddress("", address[0].lower()) if address else None
            return QuoteHeader(number, end + 1, "reply", sender)
    return None


def _person(value: str) -> MailAddress | None:
    # Outlook writes `Ada [mailto:ada@x.example]`, HTML `Ada <ada@x.example<mailto:ada@x.example>>`.
    value = value.replace("mailto:", " ")
    found = _ADDRESS.search(value)
    name = (value[: found.start()] if found else value).strip(" *_\"'<>[]();,")
    if found is None:
        return MailAddress(name, "") if name else None
    return MailAddress(one_line(name), found[0].lower())


def forwarded_original(text: str, subject: str) -> QuoteHeader | None:
    """The first mail that this one hands on, where it is a forward; None where it is an answer.

    A forward is told by the line above the original or by the prefix of the subject. Only what stands at the top
    counts: a forward deep inside of an answer says nothing of this mail.
    """
    headers = quote_headers(text)
    first = headers[0] if headers else None
    if first is None or first.sender is None or not first.sender.address:
        return None
    if first.kind == "forward" or is_forward(subject):
        return first
    return None
