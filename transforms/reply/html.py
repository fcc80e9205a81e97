"""The parts of an HTML message: what programs wrap as quoted or signed is told by its tags, the rest by its text.

Belongs here: the wrappers of mail programs and helpdesks. Does not belong here: turning HTML into text (`text`),
making it safe to show (`text_display`).

Source: the tags are those that the programs were seen to write: Gmail, Apple Mail, Outlook and its web and phone
versions, Thunderbird, Yahoo, Zimbra, GMX, Proton, Tutanota, Roundcube, Freshdesk, Zendesk.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from transforms.reply.lines import Line, lines_of
from transforms.reply.needles import holds_any, needles
from transforms.reply.parts import ReplyParts
from transforms.reply.split import split_lines
from transforms.text import html_to_text

_Mark = Literal["quoted", "signed", "cut"]

_OPEN: dict[_Mark, str] = {"quoted": "\U0010fff0", "signed": "\U0010fff1", "cut": "\U0010fff2"}
_CLOSE: dict[_Mark, str] = {"quoted": "\U0010fff3", "signed": "\U0010fff4"}
_ANY_MARK = re.compile("[\U0010fff0-\U0010fff4]")

_DEEPEST = 60
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_UNREAD = re.compile(r"<(style|script|head)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]{0,14})\b((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>", re.I)
_ATTRIBUTE = re.compile(
    r"\b(class|id|name|type|style|data-marker|data-smartmail|data-signatureblock)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)",
    re.I,
)
_NO_BORDER = re.compile(r"border(?:-left)?\s*:\s*(?:none|0)", re.I)

_QUOTED_CLASSES = frozenset(
    {"yahoo_quoted", "protonmail_quote", "tutanota_quote", "freshdesk_quote", "zmail_extra", "gmail_quote_inner"}
    | {"quoted-text", "quoted_text", "zd-quoted", "zendesk_quote", "helpscout-quote", "front-blockquote"}
)  # fmt: skip
_QUOTED_IDS = ("olk_src_body_section", "mail-editor-reference-message-container", "reply_quote")
_SIGNED_CLASSES = frozenset(
    {"gmail_signature", "moz-signature", "applemailsignature", "protonmail_signature_block"}
    | {"zmail_signature", "freshdesk_signature", "signature", "x_gmail_signature"}
)  # fmt: skip
_SIGNED_IDS = ("signature", "ms-outlook-mobile-signature", "applemailsignature", "mobile-signature")
_CUT_CLASSES = frozenset({"outlookmessageheader"})
_CUT_IDS = ("divrplyfwdmsg", "stopspelling", "zwchr", "__zwchr")
_PREFIX = re.compile(r"^(?:x_|m_-?\d*_?|yiv\d+_?)+", re.I)
_HINT = re.compile(
    r"<blockquote|yahoo_quoted|_quote\b|zmail_extra|quoted|olk_src_body|reference-message|quote\b|__quoted_text__"
    r"|signature|outlookmessageheader|divrplyfwdmsg|stopspelling|zwchr",
    re.I,
)
_HINT_PARTS = needles(
    ("quote", "zmail_extra", "olk_src_body", "reference-message", "signature", "outlookmessageheader",
     "divrplyfwdmsg", "stopspelling", "zwchr")
)  # fmt: skip
_MAY_MARK = re.compile(
    r"<blockquote|quot|signature|zmail_extra|olk_src|reference-message|outlookmessageheader|divrply|stopspelling|zwchr|sig_pre",
    re.I,
)
"""Stands in every tag that marks something: what is before the first is not read tag by tag."""


@dataclass(slots=True)
class _Region:
    """A wrapper that is open: its tag's name, how many of that name are open within it, and what it marks."""

    name: str
    mark: _Mark
    level: int = 1


def has_wrappers(html: str) -> bool:
    """Whether an HTML message may hold quotes or signatures that its tags tell."""
    lower = html.lower()
    if not html.isascii():
        # As a pattern that ignores case takes them.
        lower = lower.replace("ſ", "s").replace("ı", "i").replace("i̇", "i")
    return holds_any(lower, _HINT_PARTS) and _HINT.search(html) is not None


def split_html_reply(html: str) -> ReplyParts:
    """The parts of an HTML message; `text` of the result is its text, and the parts joined are that text."""
    marked = html_to_text("".join(_marked(_ANY_MARK.sub("\ufffd", html))))
    text, marks = _without_marks(marked)
    lines: list[Line] = []
    cuts: set[int] = set()
    signed: set[int] = set()
    for i, (line, (depth, is_signed, is_cut)) in enumerate(
        zip(lines_of(text), marks, strict=False)
    ):
        lines.append(line.at_depth(line.depth + depth) if depth else line)
        if is_signed:
            signed.add(i)
        if is_cut:
            cuts.add(i)
    return split_lines(text, lines, cuts=frozenset(cuts), signed=frozenset(signed))


def _marked(html: str) -> Iterator[str]:
    """The HTML with a line of its own before and after each wrapper."""
    html = _UNREAD.sub("", _COMMENT.sub("", html))
    regions: list[_Region] = []
    at = 0
    first = _MAY_MARK.search(html)
    if first is None:
        yield html
        return
    for tag in _TAG.finditer(html, max(html.rfind("<", 0, first.start() + 1), 0)):
        name = tag[2].lower()
        if tag[1]:
            yield html[at : tag.end()]
            at = tag.end()
            for region in reversed(regions):
                if region.name == name:
                    region.level -= 1
            while regions and regions[-1].level <= 0:
                yield f"<div>{_CLOSE[regions.pop().mark]}</div>"
            continue
        for region in regions:
            region.level += region.name == name
        may_mark = name == "blockquote" or (tag[3] and _MAY_MARK.search(tag[3]))
        mark = _mark_of(name, tag[3]) if may_mark else None
        if mark is not None and len(regions) < _DEEPEST:
            yield f"{html[at : tag.start()]}<div>{_OPEN[mark]}</div>"
            at = tag.start()
            if mark != "cut":
                regions.append(_Region(name, mark))
    yield html[at:]
    for region in reversed(regions):
        yield f"<div>{_CLOSE[region.mark]}</div>"


def _mark_of(name: str, attributes: str) -> _Mark | None:
    found = {key.lower(): value.strip("\"'") for key, value in _ATTRIBUTE.findall(attributes)}
    if name == "blockquote":
        is_indented = bool(_NO_BORDER.search(found.get("style", ""))) and "class" not in found
        return None if is_indented and found.get("type") != "cite" else "quoted"
    classes = {_PREFIX.sub("", word.lower()) for word in found.get("class", "").split()}
    identity = _PREFIX.sub("", found.get("id", "").lower())
    if classes & _CUT_CLASSES or identity in _CUT_IDS:
        return "cut"
    if name in ("hr", "br", "img", "meta", "input"):
        return None
    if classes & _QUOTED_CLASSES or identity in _QUOTED_IDS or found.get("name") == "quote":
        return "quoted"
    if found.get("data-marker") == "__QUOTED_TEXT__":
        return "quoted"
    if (
        classes & _SIGNED_CLASSES
        or identity in _SIGNED_IDS
        or found.get("data-marker") == "__SIG_PRE__"
        or "data-signatureblock" in found
        or found.get("data-smartmail") == "gmail_signature"
    ):
        return "signed"
    return None


def _without_marks(marked: str) -> tuple[str, list[tuple[int, bool, bool]]]:
    """The text without the marks, and for each line how deep it is quoted, whether it is signed, whether it cuts."""
    lines: list[str] = []
    marks: list[tuple[int, bool, bool]] = []
    quoted = signed = 0
    is_cut = False
    for line in marked.split("\n"):
        opens = False
        for sign in _ANY_MARK.findall(line):
            quoted += (sign == _OPEN["quoted"]) - (sign == _CLOSE["quoted"])
            signed += (sign == _OPEN["signed"]) - (sign == _CLOSE["signed"])
            is_cut = is_cut or sign == _OPEN["cut"]
            opens = True
        rest = _ANY_MARK.sub("", line).rstrip() if opens else line
        if opens and not rest.strip():
            continue
        lines.append(rest)
        marks.append((max(quoted, 0), signed > 0, is_cut and bool(rest.strip())))
        is_cut = is_cut and not rest.strip()
    return "\n".join(lines), marks
