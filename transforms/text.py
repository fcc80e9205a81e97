"""Text as people read it: HTML turned into text, subjects without their reply prefixes, the language.

Belongs here: pure functions on text. Does not belong here: mails, tickets, anything with a vendor.
"""

import html as html_entities
import re
import unicodedata

from inscriptis import get_text
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_properties import Display
from inscriptis.model.config import ParserConfig
from inscriptis.model.html_element import HtmlElement
from lxml.etree import LxmlError

from transforms.text_words import FUNCTION_WORDS, FURTHER_FUNCTION_WORDS, REPLY_PREFIXES, SCRIPTS

HTML_LIMIT = 500_000
"""Longer HTML is stripped of its tags plainly instead of being laid out."""

LAYOUT_LIMIT = 30_000_000
"""Lines times letters beyond which HTML is stripped plainly: a table pads every line to its widest cell, so that
140 KB of hostile HTML was seen to become 200 MB of blanks."""

_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_MANY_BLANK_LINES = re.compile(r"\n{4,}")
_SPACE = re.compile(r"\s+")
_INVISIBLE_HTML = re.compile(r"<(script|style|head|title)\b.*?(</\1\s*>|\Z)", re.I | re.S)
_COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.S)
_BREAKING_TAG = re.compile(
    r"<(?:br|hr|/?(?:p|div|tr|li|h[1-6]|table|blockquote|pre|[uo]l|section|article))\b[^<>]*>", re.I
)
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")
_STYLE = re.compile(r"\sstyle\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", re.I)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    r"|(?<![\w-])(?:max-height|opacity)\s*:\s*0(?:\.0+)?(?:px|em|pt|%)?\s*(?:!\s*important\s*)?(?:[;\"']|$)",
    re.I,
)
_SHORTEST_STYLED = len("<a hidden>")
_HIDES = re.compile(r"<[^<>]{0,2000}?\s(?:style\s*=|hidden[\s=>/])", re.I)
_HIDDEN_ATTRIBUTE = re.compile(r"<[a-z][a-z0-9]*(?:\s[^<>]*?)?\shidden(?=[\s>=/])", re.I)
_CELL_TAG = re.compile(r"</?t[dh]\b[^<>]*>", re.I)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>", re.I)
_LEAST_SHARE = 0.05
_LEAST_SHARE_OF_FURTHER = 0.2
_SCRIPTS = {code: re.compile(pattern) for code, pattern in SCRIPTS.items()}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

_PREFIX = re.compile(
    r"\s*(?:" + "|".join(sorted(map(re.escape, REPLY_PREFIXES), key=len, reverse=True)) + r")"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\*\d{1,3}|\^\d{1,3}|\d{1,2})?\s*[:：]\s*",
    re.I,
)
_TAG_BRACKET = re.compile(r"\s*\[[^\]\[]{1,40}\]\s*")
_FORWARD_TRAILER = re.compile(r"\s*\(fwd\)\s*$", re.I)


_LAYOUT = ParserConfig(
    css={**STRICT_CSS_PROFILE, "hr": HtmlElement(display=Display.block)}, display_images=True
)
"""As a browser lays it out: no indent for a `div`, no blank around a `span`; pictures by their `alt`."""

_FILLER = re.compile(
    "[\u034f\u00ad\u200b-\u200d\u2007\u2060\ufeff](?:[\u034f\u00ad\u200b-\u200d\u2007\u2060\ufeff\u00a0 ]{2,})"
)
"""Runs of characters that nobody sees, by which newsletters push their text out of a mailbox's preview."""


def clean_text(text: str) -> str:
    """Text with plain line ends and nothing that a database, a terminal or a spreadsheet chokes on.

    NUL, other control characters and lone surrogates become U+FFFD; blanks at line ends and runs of more
    than two empty lines go. Letters are left as they are, in NFC.
    """
    text = _UNSAFE.sub("\ufffd", _LINE_ENDS.sub("\n", text))
    # Line by line: a pattern for blanks at line ends takes quadratic time on long runs of blanks.
    text = "\n".join(line.rstrip(" \t\u00a0") for line in text.split("\n"))
    text = _MANY_BLANK_LINES.sub("\n\n\n", text)
    return unicodedata.normalize("NFC", text).strip("\n")


def one_line(text: str) -> str:
    """The same text on one line, white space collapsed, safe as in `clean_text`."""
    return unicodedata.normalize("NFC", _SPACE.sub(" ", _UNSAFE.sub("\ufffd", text)).strip())


def html_to_text(html: str) -> str:
    """Readable text of an HTML document or fragment: tables laid out, lists marked, pictures by their `alt`.

    Nothing is executed or fetched. Left out are what is hidden and the filling of previews.

    Any input gives text: what the layout engine refuses, or loses more than half of (it gives up at deep
    nesting without a word), is stripped of its tags.
    """
    html = _XML_DECLARATION.sub("", _UNSAFE.sub("\ufffd", html))
    if not html.strip():
        return ""
    stripped = _stripped(html)
    lines = sum(1 for _ in _BREAKING_TAG.finditer(html))
    if len(html) > HTML_LIMIT or lines * len(stripped) > LAYOUT_LIMIT:
        return stripped
    try:
        text = _laid_out(_TAG.sub(_without_style, html))
        if not _holds(text, stripped) and _HIDES.search(html):
            # Either the engine lost something, or most of the text is hidden, as it should be: see it unhidden.
            shown = _laid_out(_TAG.sub(_without_hiding, html))
            return text if _holds(shown, stripped) else stripped
    except (LxmlError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return stripped
    return text if _holds(text, stripped) else stripped


def _laid_out(html: str) -> str:
    return clean_text(_FILLER.sub(" ", get_text(html, _LAYOUT)))


def _holds(text: str, stripped: str) -> bool:
    """Whether a layout has at least half of the words."""
    return 2 * len(text.split()) >= len(stripped.split())


def _without_hiding(tag: re.Match[str]) -> str:
    """A tag that hides nothing."""
    return re.sub(r"(?i)\s(?:style|hidden)(?=[\s=>/])", " data-x", tag[0])


def _without_style(tag: re.Match[str]) -> str:
    """A tag whose style says at most that it is hidden: widths and paddings could ask for gigabytes of blanks."""

    def kept(style: re.Match[str]) -> str:
        return ' style="display:none"' if _HIDDEN.search(style[0]) else ""

    text = tag[0]
    if len(text) < _SHORTEST_STYLED:
        return text
    lower = text.lower()
    if "hidden" in lower and (match := _HIDDEN_ATTRIBUTE.match(text)):
        return f'{text[: match.end()]} style="display:none"{_STYLE.sub("", text[match.end() :])}'
    return _STYLE.sub(kept, text) if "style" in lower else text


def _stripped(html: str) -> str:
    text = _COMMENT.sub("", _INVISIBLE_HTML.sub("", html))
    text = _TAG.sub("", _CELL_TAG.sub(" ", _BREAKING_TAG.sub("\n", text)))
    return clean_text(_FILLER.sub(" ", html_entities.unescape(text)))


def has_reply_prefix(subject: str) -> bool:
    """Whether a subject begins like an answer (`Re:`, `AW:`, `[list] YNT:`); forwards do not count."""
    return any(_is_reply(prefix) for prefix in _without_prefixes(subject)[1])


def is_forward(subject: str) -> bool:
    """Whether the outermost prefix of a subject is a forward's (`Fwd:`, `WG:`, `İLT:`)."""
    found = _without_prefixes(subject)[1]
    return bool(found) and not _is_reply(found[0])


def base_subject(subject: str) -> str:
    """A subject's stem: prefixes of answers and forwards, list tags and white space removed, letters folded.

    Turkish dotted and dotless i count as one letter, since capitals mix them up.
    `[list] Re: AW[2]: Fwd: Drucker  defekt` gives `drucker defekt`. Ticket numbers such as `[#12]` go with
    the tags. Source: RFC 5256 §2.1, with the prefixes of some twenty languages.
    """
    rest, _ = _without_prefixes(subject)
    return _folded(one_line(rest))


def normalise_subject(subject: str) -> str:
    """A subject for people: without the prefixes of answers and forwards, its letters and tags kept."""
    rest = one_line(subject)
    while match := _PREFIX.match(rest):
        rest = rest[match.end() :]
    return rest or one_line(subject)


def language(text: str) -> str | None:
    """The language of a text as ISO 639-1, by its function words or its script; None where they do not tell clearly.

    Told are those of `FUNCTION_WORDS`, `FURTHER_FUNCTION_WORDS` and `SCRIPTS`; a text of another, of two at once or of few words gives
    None rather than a guess. Norwegian is not told from Danish.
    """
    text = text[:20_000]
    by_script = _language_of_script(text)
    if by_script is not None:
        return by_script
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(text)]
    if len(words) < 3:
        return None
    scores = {code: sum(word in known for word in words) for code, known in FUNCTION_WORDS.items()}
    longer = [word for word in words if len(word) > 1]
    for code, known in FURTHER_FUNCTION_WORDS.items():
        found = [word for word in longer if word in known]
        is_clear = len(set(found)) >= 2 and len(found) >= _LEAST_SHARE_OF_FURTHER * len(words)
        scores[code] = len(found) if is_clear else 0
    (best, most), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    if most < 2 or most / len(words) < _LEAST_SHARE or most < 1.5 * second:
        return None
    return best


def _language_of_script(text: str) -> str | None:
    """The language whose own letters make up most of the letters; any kana make a text of them Japanese."""
    letters = sum(letter.isalpha() for letter in text)
    counts = {code: len(pattern.findall(text)) for code, pattern in _SCRIPTS.items()}
    counts["zh"] += counts["ja"]
    code, most = max(counts.items(), key=lambda item: item[1])
    if most < 4 or most <= 0.5 * letters:
        return None
    return "ja" if code == "zh" and counts["ja"] > 0.05 * most else code


def _without_prefixes(subject: str) -> tuple[str, list[str]]:
    rest = _FORWARD_TRAILER.sub("", one_line(subject))
    found: list[str] = []
    while True:
        if match := _PREFIX.match(rest):
            found.append(match[0])
        elif not (match := _TAG_BRACKET.match(rest)) or match.end() == len(rest):
            return rest, found
        rest = rest[match.end() :]


def _is_reply(prefix: str) -> bool:
    word = re.split(r"[\s\[(*^:：\d]", prefix.strip(), maxsplit=1)[0]
    return _KINDS.get(_folded(word)) == "reply"


def _folded(text: str) -> str:
    return text.casefold().replace("i\u0307", "i").replace("ı", "i")


_KINDS = {_folded(prefix).split()[0]: kind for prefix, kind in REPLY_PREFIXES.items()}
