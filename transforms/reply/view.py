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
    return split_reply(text)


def reply_text(text: str, html: str | None = None) -> str | None:
    """The author's own words, or None where the whole text is: `coalesce(reply_text, body_text)` is always right.

    An empty string says that the author wrote nothing: all is quoted, forwarded below a note, or signed.
    """
    parts = reply_parts(text, html)
    if all(part.kind == "reply" for part in parts.parts):
        return None
    reply = parts.reply
    return None if _SPACE.sub(" ", reply).strip() == _SPACE.sub(" ", text).strip() else reply
