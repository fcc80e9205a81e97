"""What stands below (or above) the author's words: signatures, lines of phones, footers of lists, legal text, warnings.

Belongs here: telling them apart from words in one stretch of unquoted lines. Does not belong here: quotes.
"""

import re
from collections.abc import Iterator, Sequence

from transforms.reply.headers import is_rule
from transforms.reply.lines import Line, next_written
from transforms.reply.needles import holds_any, needles, with_plain_i
from transforms.reply.parts import PartKind
from transforms.reply.words import (
    BANNER_CUES,
    BANNER_HEADS,
    DEVICES,
    LEGAL_CUES,
    LEGAL_SURE,
    SENT_FROM,
    SENT_FROM_ENDS,
)

Label = tuple[PartKind, str]

_DELIMITER = re.compile(r"\s?(?:--|—|––|—-|-—|__)[ \t\u00a0]*")
_DELIMITING = "-—–_"
_STANDARD_DELIMITER = "-- "
_LONGEST_SIGNATURE = 12
_LONGEST_STANDARD = 40
_LONGEST_CONTACT = 9
_SHORT_RULES = ("---", "___", "===", "~~~", "***")
_LONGEST_BANNER = 6
_HEAD_WORDS = 4
_LONGEST_FOOTER = 40
_LINK = re.compile(r"[<(\[]?(?:https?://|mailto:|www\.)[^\s>)\]]+[>)\]]?")
_WORD = re.compile(r"[^\W_]+")
_CONTACT = re.compile(r"\+?\d[\d\s()./-]{6,}\d|[^\s@]+@[^\s@]+\.[^\s@]")
"""A telephone number or an address; a link alone may be what somebody answers with."""
_FROM_A_DEVICE = re.compile(r"(?:[^\W\d_]+ ){0,2}(?:from|via|von|de|från|fra) ((?:\w+[ -]?){1,4})")
_DEVICES = frozenset(DEVICES)
_UNSPACED_DEVICES = tuple(device for device in DEVICES if ord(device[0]) > 0x2E00)
_LONG_DEVICES = (
    "mobilger",
    "mobiltel",
    "smartphone",
    "android",
    "iphone",
    "ipad",
    "telefon",
    "handy",
)
_SENT_FROM_BEGINNINGS = frozenset(words[0] for words in SENT_FROM)
_TRIGGERS = _DEVICES | {"sent", "gesendet", "envoyé"}
_DEVICE_PARTS = needles((*_LONG_DEVICES, *_UNSPACED_DEVICES))
_NAME_LINE = re.compile(r"[^.!?]{1,60}|.*\b\S+\.\S+.*")
_FOOTER = re.compile(
    r"\W*(?:to unsubscribe|unsubscribe from|you (?:have )?received this (?:message|e-?mail) because"
    r"|you(?:'re| are) receiving this (?:message |e-?mail |because)|reply to this (?:e-?mail|message) directly"
    r"|to (?:view this discussion|respond, reply to this|stop receiving (?:emails|these))"
    r"|(?:manage|update|change) your (?:subscription|preferences|e-?mail preferences)"
    r"|[\w.+-]{2,40} mailing list(?: -- \S+@\S+)?$|(?:um sich|zum) .{0,20}abmelde|se désinscrire"
    r"|(?:please )?consider the environment|bitte denken sie an die umwelt"
    r"|pensez? à l'environnement|antes de imprimir|lütfen .{0,40}yazdırmadan"
    r"|this (?:e-?mail|message) (?:has been|was|is) (?:scanned|checked)|scanned by |virus-free|virenfrei)",
    re.I,
)
_NEEDS_NO_LINK = re.compile(
    r"environment|umwelt|environnement|imprimir|yazdır|scanned|checked|virus|virenfrei", re.I
)
FOOTER_WORDS = (
    "unsubscribe", "received this ", "receiving this ", "reply to this ", "view this discussion", "stop receiving ",
    "your subscription", "your preferences", "your e-mail pref", "your email pref", " mailing list", "abmelde",
    "se désinscrire", "the environment", "an die umwelt", "l'environnement", "antes de imprimir", "yazdırmadan",
    "been scanned", "was scanned", "is scanned", "been checked", "was checked", "is checked", "scanned by ",
    "virus-free", "virenfrei",
)  # fmt: skip
"""One of these, in lower case, stands in every such line."""

TITLES = (
    "disclaimer", "confidentiality notice", "haftungsausschluss", "rechtlicher hinweis", "avertissement",
    "aviso legal", "yasal uyarı",
)  # fmt: skip
_ANY_FOOTER = needles(map(with_plain_i, FOOTER_WORDS))
_TITLE = re.compile(rf"\W*(?:legal )?(?:{'|'.join(TITLES)})\W*", re.I)


def labels_of(lines: Sequence[Line], *, is_first: bool, is_below_quote: bool) -> list[Label | None]:
    """What each line of a stretch without quotes is; None for the author's words (and blank lines).

    Args:
        lines: the stretch.
        is_first: whether it begins the text, where warnings of servers stand.
        is_below_quote: whether the author's words stand above a quote and this below it: then a block of contact
            data is a signature also without a delimiter.
    """
    labels: list[Label | None] = [None] * len(lines)
    paragraphs = list(_paragraphs(lines))
    if is_first:
        _label_banner(lines, paragraphs, labels)
    _label_programs(lines, paragraphs, labels)
    _label_delimited(lines, labels)
    _label_ruled(lines, labels)
    _label_tail(lines, paragraphs, labels)
    if is_below_quote:
        _label_contact(lines, labels)
    return labels


def is_sent_from(content: str, *, is_last: bool) -> bool:
    """Whether a line is what a phone or a program adds, `Sent from my iPhone`."""
    text = (_LINK.sub("", content) if ":" in content or "www." in content else content).strip(
        "()[]<>*_-–—.!\"'„“ "
    )
    if len(text) > 120:
        return False
    folded = text.casefold()
    short = _FROM_A_DEVICE.fullmatch(folded)
    begins = folded[:1] in _SENT_FROM_BEGINNINGS and folded.startswith(SENT_FROM)
    if short is None and not begins and not folded.endswith(SENT_FROM_ENDS):
        return False
    words = _WORD.findall(folded)
    if not words or len(words) > 16:
        return False
    if short is not None and any(map(_is_device, _WORD.findall(short[1]))):
        return True
    if not begins and not folded.endswith(SENT_FROM_ENDS):
        return False
    if any(map(_is_device, words)) or any(device in folded for device in _UNSPACED_DEVICES):
        return "," not in text or any(map(_is_device, words[:7]))
    return (
        is_last
        and len(words) <= 9
        and "," not in text
        and words[0] in ("sent", "gesendet", "envoyé")
    )


def names_a_program(folded: str) -> bool:
    """Whether anything in a text, its case folded, may make one of its lines what a phone or a program adds."""
    words = _WORD.findall(folded)
    return (
        not _TRIGGERS.isdisjoint(words)
        or holds_any(folded, _DEVICE_PARTS)
        or any(sign in folded for sign in ("://", "mailto:", "www."))
    )


def _is_device(word: str) -> bool:
    return word in _DEVICES or word.startswith(_LONG_DEVICES)


def _paragraphs(lines: Sequence[Line], begin: int = 0) -> Iterator[range]:
    start = None
    for i in range(begin, len(lines)):
        line = lines[i]
        if line.is_blank and start is not None:
            yield range(start, i)
            start = None
        elif not line.is_blank and start is None:
            start = i
    if start is not None:
        yield range(start, len(lines))


def _words(lines: Sequence[Line], paragraph: range) -> str:
    return " ".join(lines[i].content for i in paragraph).casefold()


def _put(labels: list[Label | None], where: range, label: Label) -> None:
    for i in where:
        if labels[i] is None:
            labels[i] = label


def _label_banner(
    lines: Sequence[Line], paragraphs: Sequence[range], labels: list[Label | None]
) -> None:
    """Label what a mail server put on top; its head may stand in a paragraph of its own."""
    head = ""
    for paragraph in paragraphs[:3]:
        words = f"{head} {_words(lines, paragraph)}".strip()
        first = words.lstrip("*_[(<⚠️!-= ")
        if not first.startswith(BANNER_HEADS) or len(paragraph) > _LONGEST_BANNER:
            return
        if len(words.split()) <= _HEAD_WORDS:
            head = words
            continue
        if sum(cue in words for cue in BANNER_CUES) < (1 if len(words) < 400 else 2):
            return
        _put(
            labels,
            range(paragraphs[0].start, paragraph.stop),
            ("disclaimer", "warning of a server"),
        )
        head = ""


def _label_programs(
    lines: Sequence[Line], paragraphs: Sequence[range], labels: list[Label | None]
) -> None:
    for number, paragraph in enumerate(paragraphs):
        last = number == len(paragraphs) - 1
        for i in paragraph:
            ends = i == paragraph.stop - 1
            begins = i == paragraph.start or labels[i - 1] is not None
            if (begins or (ends and last)) and is_sent_from(
                lines[i].content, is_last=ends and last
            ):
                labels[i] = ("signature", "line of a program")
            elif (
                i > paragraph.start
                and labels[i - 1] == ("signature", "line of a program")
                and _LINK.fullmatch(lines[i].content)
            ):
                labels[i] = labels[i - 1]


def _label_delimited(lines: Sequence[Line], labels: list[Label | None]) -> None:
    below = 0
    found = None
    for i in range(len(lines) - 1, -1, -1):
        if below > _LONGEST_STANDARD:
            break
        if (
            lines[i].content[:1] in _DELIMITING
            and _DELIMITER.fullmatch(lines[i].raw)
            and (
                lines[i].raw == _STANDARD_DELIMITER
                or below <= _LONGEST_SIGNATURE
                or any(_is_legal(_words(lines, p)) for p in _paragraphs(lines, i + 1))
            )
        ):
            found = i
        below += not lines[i].is_blank
    if found is not None:
        _put(labels, range(found, len(lines)), ("signature", "delimiter"))


def _label_ruled(lines: Sequence[Line], labels: list[Label | None]) -> None:
    """Label a short block of names and contact data below the last rule."""
    rules = [
        i
        for i, line in enumerate(lines)
        if labels[i] is None and (is_rule(line) or line.content in _SHORT_RULES)
    ]
    if not rules:
        return
    below = [i for i in range(rules[-1] + 1, len(lines)) if labels[i] is None]
    contents = [lines[i].content for i in below if not lines[i].is_blank]
    if not 0 < len(contents) <= _LONGEST_SIGNATURE or rules[-1] == next_written(lines, 0):
        return
    if all(_NAME_LINE.fullmatch(text) and len(text.split()) <= 8 for text in contents) and any(
        _CONTACT.search(text) or _FOOTER.match(text) for text in contents
    ):
        _put(labels, range(rules[-1], below[-1] + 1), ("signature", "rule"))


def _is_legal(words: str) -> bool:
    if len(words) <= 80:
        return False
    sure = sum([cue in words for cue in LEGAL_SURE])
    return sure > 0 and sure + sum([cue in words for cue in LEGAL_CUES]) >= 2


def _is_footer(lines: Sequence[Line], paragraph: range, words: str) -> bool:
    """Whether a paragraph is one of a list or a scanner, which say how to leave them by a link, or stand below a rule."""
    if not holds_any(with_plain_i(words), _ANY_FOOTER):
        return False
    found = next((i for i in paragraph if _FOOTER.match(lines[i].content)), None)
    if found is None:
        return False
    if found > 0 and is_rule(lines[found - 1]):
        return True
    text = " ".join(
        lines[i].content for i in range(found, min(found + _LONGEST_FOOTER, len(lines)))
    )
    return bool(_NEEDS_NO_LINK.search(text) or "@" in text or "://" in text)


def _label_tail(
    lines: Sequence[Line], paragraphs: Sequence[range], labels: list[Label | None]
) -> None:
    """Label legal text and footers at the end, from the last paragraph upwards until one of the author's."""
    pending: list[range] = []
    for paragraph in reversed(paragraphs):
        words = _words(lines, paragraph)
        label: Label | None = None
        if all(labels[i] is not None for i in paragraph):
            _put(labels, paragraph, ("signature", "footer"))
            if _is_legal(words):
                for i in paragraph:
                    labels[i] = ("disclaimer", "legal text")
            continue
        if _is_legal(words) or _TITLE.fullmatch(words):
            label = ("disclaimer", "legal text")
        elif len(words) < 500 and _is_footer(lines, paragraph, words):
            label = ("signature", "footer")
        elif all(is_rule(lines[i]) for i in paragraph):
            pending.append(paragraph)
            continue
        if label is None:
            return
        start = paragraph.start
        if label[1] == "footer":
            start = next((i for i in paragraph if _begins_footer(lines[i])), paragraph.start)
        else:
            start = _start_of_legal(lines, paragraph)
        _put(labels, range(start, paragraph.stop), label)
        for rule in pending:
            _put(labels, rule, label)
        pending.clear()
        if start > paragraph.start:
            return
    # A rule above all that was labelled belongs to it; one at the very end says nothing and stays.


def _begins_footer(line: Line) -> bool:
    return is_rule(line) or bool(_FOOTER.match(line.content))


def _start_of_legal(lines: Sequence[Line], paragraph: range) -> int:
    """Where legal text begins in a paragraph whose first lines may be the author's name."""
    for i in paragraph[:_LONGEST_FOOTER]:
        rest = " ".join(lines[j].content for j in range(i, paragraph.stop)).casefold()
        long_line = len(lines[i].content.split()) >= 6 or is_rule(lines[i])
        if _TITLE.fullmatch(lines[i].content) or (long_line and _is_legal(rest)):
            return i
    return paragraph.start


def _label_contact(lines: Sequence[Line], labels: list[Label | None]) -> None:
    own = [i for i, label in enumerate(labels) if label is None and not lines[i].is_blank]
    if not own or len(own) > _LONGEST_CONTACT or own[-1] - own[0] >= len(own):
        return
    contents = [lines[i].content for i in own]
    if any(len(text.split()) > 8 or text.endswith(("?", "!")) for text in contents):
        return
    if _is_name(contents[0]) and any(_CONTACT.search(text) for text in contents):
        _put(labels, range(own[0], own[-1] + 1), ("signature", "contact data"))


def _is_name(text: str) -> bool:
    words = _WORD.findall(text)
    return 0 < len(words) <= 5 and all(word[0].isupper() or word[0].isdigit() for word in words)
