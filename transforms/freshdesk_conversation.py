"""A Freshdesk ticket's description and conversations as comments.

Belongs here: who wrote what, who could read it, which files hang on it. Does not belong here: the ticket's state.

Rules:
- The description is the first comment, by the requester, or by an agent where the source is outbound e-mail.
- `incoming` says customer, whoever the author is (an agent may be a requester); else the lists of agents and
  contacts decide; an unknown author of something outgoing is an agent who left; none at all is an automation.
- What names an automation (`automation_id`) or calls itself an `auto_response` is automatic, and a bot's where it
  is outgoing, whoever's name it carries.
- A forward (source 8) goes to a third party and never to the requester: it is not public, so that it is no reply.
- Images in the HTML are files of their comment, `is_inline`; Freshdesk lists them nowhere else.
- Chats repeat their description as the first message; that one is a copy.

Source: Freshdesk API v2 reference, "Conversations" (source codes 0 reply, 2 note, 5 tweet, 6 survey feedback,
7 Facebook, 8 forwarded e-mail, 9 phone, 10 Mobihelp, 11 e-commerce).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from typing import Any

from inscriptis import get_text

from transforms.freshdesk_words import CHAT_SOURCES, OUTBOUND_SOURCE, Reading
from transforms.model import ActorKind, SourceAttachment, SourceComment
from transforms.payload import (
    UnreadableError,
    id_of,
    objects_of,
    required_id,
    required_instant,
    text_of,
)

FORWARD_SOURCE = "8"

_IMAGE = re.compile(r"<img\b[^>]*?\bsrc\s*=\s*[\"'](?P<link>https?://[^\"']+)", re.IGNORECASE)
_INLINE_ID = re.compile(r"/inline/attachment\?id=(\d+)")
_STORED_ID = re.compile(r"/(?:helpdesk/)?attachments/(?:production/)?(\d+)/")
"""Where an image's id stands in its address; the connector has put it in place of the token."""


def comments_of(
    reading: Reading, ticket: Mapping[str, Any], conversations: Sequence[Any] | None
) -> list[SourceComment]:
    """The whole conversation, oldest first.

    Args:
        reading: who is an agent, which users are bots.
        ticket: the ticket's object.
        conversations: its conversations; None where they are unknown.

    Raises:
        UnreadableError: the ticket has no id or no creation instant.
    """
    first = _description(reading, ticket)
    comments = [first]
    for one in conversations or ():
        try:
            if not isinstance(one, dict):
                raise UnreadableError("not an object", repr(one))
            comments.append(_comment(reading, ticket, one, first))
        except UnreadableError as error:
            reason = f"conversation: {error.reason}"
            detail = (
                f"conversation {one.get('id') if isinstance(one, dict) else None}: {error.detail}"
            )
            reading.reject("tickets", first.ticket_remote_id, UnreadableError(reason, detail))
    comments.sort(key=lambda comment: comment.created_at)
    return comments


def is_agent_reply(comment: SourceComment) -> bool:
    """Whether a person on our side wrote to the customer."""
    return comment.is_public and comment.author_kind == "agent"


def _description(reading: Reading, ticket: Mapping[str, Any]) -> SourceComment:
    ticket_id = required_id(ticket, "id")
    is_outbound = str(ticket.get("source")) == OUTBOUND_SOURCE
    author_id = id_of(ticket, "responder_id" if is_outbound else "requester_id")
    if "description" not in ticket and "description_text" not in ticket:
        detail = "the ticket came without its description (include=description)"
        reading.warn(ticket_id, "missing description", detail)
    return SourceComment(
        remote_id=f"{ticket_id}:description",
        ticket_remote_id=ticket_id,
        created_at=required_instant(ticket, "created_at"),
        author_kind="agent" if is_outbound else "customer",
        author_remote_id=author_id,
        is_public=True,
        text=_text(ticket, "description_text", "description"),
        html=text_of(ticket, "description"),
        subject=text_of(ticket, "subject"),
        raw_stream="tickets",
        raw_remote_id=ticket_id,
        attachments=_attachments(ticket, text_of(ticket, "description")),
    )


def _comment(
    reading: Reading, ticket: Mapping[str, Any], body: Mapping[str, Any], first: SourceComment
) -> SourceComment:
    remote_id = required_id(body, "id")
    author_id = id_of(body, "user_id")
    kind = _author_kind(reading, ticket, body, author_id)
    text = _text(body, "body_text", "body")
    is_copy = (
        str(ticket.get("source")) in CHAT_SOURCES
        and kind == first.author_kind
        and text.split() == first.text.split()
    )
    return SourceComment(
        remote_id=remote_id,
        ticket_remote_id=first.ticket_remote_id,
        created_at=required_instant(body, "created_at"),
        author_kind=kind,
        author_remote_id=author_id,
        is_public=not body.get("private") and str(body.get("source")) != FORWARD_SOURCE,
        text=text,
        html=text_of(body, "body"),
        is_automatic=kind == "bot" or _is_automatic(body),
        copy_of_remote_id=first.remote_id if is_copy else None,
        raw_stream="tickets",
        raw_remote_id=first.ticket_remote_id,
        attachments=_attachments(body, text_of(body, "body")),
    )


def _author_kind(
    reading: Reading, ticket: Mapping[str, Any], body: Mapping[str, Any], author_id: str | None
) -> ActorKind:
    if author_id is not None and author_id in reading.bridge_user_ids:
        return "bridge"
    if author_id is not None and author_id in reading.bot_user_ids:
        return "bot"
    if body.get("incoming"):
        return "customer"
    if author_id is None or _is_automatic(body):
        return "bot"
    if author_id in reading.agents:
        return "agent"
    if author_id in reading.contacts or author_id == id_of(ticket, "requester_id"):
        return "customer"
    return "agent"


def _is_automatic(body: Mapping[str, Any]) -> bool:
    return body.get("automation_id") is not None or body.get("auto_response") is True


def _text(body: Mapping[str, Any], plain: str, html: str) -> str:
    told = body.get(plain)
    if isinstance(told, str):
        return told
    markup = text_of(body, html)
    return get_text(markup).strip() if markup else ""


def _attachments(body: Mapping[str, Any], html: str | None) -> tuple[SourceAttachment, ...]:
    """The files of a list, then the images that the HTML shows and no list has."""
    found = []
    for one in objects_of(body, "attachments"):
        remote_id = id_of(one, "id")
        if remote_id is None:
            continue
        size = one.get("size", one.get("file_size"))
        link = text_of(one, "attachment_url")
        found.append(
            SourceAttachment(
                remote_id=remote_id,
                file_name=text_of(one, "name") or f"attachment-{remote_id}",
                media_type=text_of(one, "content_type") or "application/octet-stream",
                size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
                remote_url=link,
                is_inline=one.get("inline") is True or bool(link and html and link in html),
            )
        )
    known = {one.remote_id for one in found} | {one.remote_url for one in found}
    for link, number in _inline_images(html or ""):
        if number in known or link in known:
            continue
        known |= {number, link}
        found.append(
            SourceAttachment(
                remote_id=number,
                file_name=f"inline-{number}",
                media_type="image/*",
                remote_url=link,
                is_inline=True,
            )
        )
    return tuple(found)


def _inline_images(html: str) -> Iterator[tuple[str, str]]:
    """(address, id) of the images in some HTML that lie with Freshdesk."""
    for match in _IMAGE.finditer(html):
        link = unescape(match["link"])
        numbered = _INLINE_ID.search(link) or _STORED_ID.search(link)
        if numbered is not None:
            yield link, numbered[1]
