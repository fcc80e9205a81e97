"""The author's own words of a comment, as the warehouse keeps them beside the full text.

Belongs here: choosing between a comment's text and its HTML. Does not belong here: how either is taken apart.
"""

import re

from transforms.reply.html import has_wrappers, split_html_reply
from transforms.reply.parts import Part, ReplyParts
from transforms.reply.signs import may_have_parts
from transforms.reply.split import split_reply

_MARKED_LINE = re.compile(r"^[ \t]{0,3}>", re.M)


def reply_parts(text: str, html: str | None = None) -> ReplyParts:
    """The parts of a comment. Its HTML is taken where its tags tell more than its text, in which quotes lost their marks."""
    if html and _tells_more(text, html):
        parts = split_html_reply(html)
        if parts.text.strip():
            return parts
    parts = split_reply(text)
    if html and not parts.reply and not parts.quoted:
        # A list's footer may be all that is plain text in a message.
        shown = split_html_reply(html)
        return shown if shown.reply else parts
    return parts


def reply_text(text: str, html: str | None = None) -> str | None:
    """The author's own words, or None where the whole text is: `coalesce(reply_text, body_text)` is always right.

    An empty string says that the author wrote nothing: all is quoted, forwarded below a note, or signed.
    """
    if not may_have_parts(text) and not (html and _tells_more(text, html)):
        return None
    parts = reply_parts(text, html)
    if parts.text == text and not any(_has_words(text, part) for part in parts.parts):
        return None
    reply = parts.reply
    return None if reply.split() == text.split() else reply


def _tells_more(text: str, html: str) -> bool:
    return has_wrappers(html) and not _MARKED_LINE.search(text)


def _has_words(text: str, part: Part) -> bool:
    """Whether a part holds words that are not the author's."""
    return part.kind != "reply" and not text[part.start : part.end].isspace()
