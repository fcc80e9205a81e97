"""The author's own words of a comment, as the warehouse keeps them beside the full text.

Belongs here: choosing between a comment's text and its HTML. Does not belong here: how either is taken apart.
"""

import re

from transforms.reply.html import has_wrappers, split_html_reply
from transforms.reply.parts import ReplyParts
from transforms.reply.split import split_reply

_MARKED_LINE = re.compile(r"^[ \t]{0,3}>", re.M)
_SPACE = re.compile(r"\s+")


def reply_parts(text: str, html: str | None = None) -> ReplyParts:
    """The parts of a comment. Its HTML is taken where its tags tell more than its text, in which quotes lost their marks."""
    if html and has_wrappers(html) and not _MARKED_LINE.search(text):
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
    parts = reply_parts(text, html)
    reply = parts.reply
    return None if _SPACE.sub(" ", reply).strip() == _SPACE.sub(" ", text).strip() else reply
