"""What threading keeps of a mail besides its ids, as one JSON object: `marks_of` and `headers_of`.

Belongs here: the stored form. Does not belong here: what the marks mean (`thread_model`), the database.
"""

import base64
from collections.abc import Mapping
from typing import Any

from transforms.thread_model import MailHeaders

Row = Mapping[str, Any]

_LISTS = ("numbers", "possible_numbers", "text_numbers", "quoted_people", "list_addresses")
_PRINTS = ("own_prints", "quoted_prints")


def marks_of(mail: MailHeaders) -> dict[str, Any]:
    """The marks that are no columns of their own; what is empty is left out."""
    marks: dict[str, Any] = {name: list(getattr(mail, name)) for name in _LISTS}
    marks |= {name: base64.b64encode(getattr(mail, name)).decode("ascii") for name in _PRINTS}
    marks |= {"sender": mail.sender, "thread_index": mail.thread_index}
    return {name: value for name, value in marks.items() if value}


def headers_of(row: Row) -> MailHeaders:
    """A stored mail as threading reads it. Rows of before there were marks have none.

    Args:
        row: a comment's `remote_id`, `message_id`, `in_reply_to`, `reference_ids`, `bounced_ids`, `participants`,
            `subject`, `created_at`, `thread_marks`.
    """
    marks: Row = row["thread_marks"] or {}
    participants = tuple(row["participants"] or ())
    return MailHeaders(
        remote_id=row["remote_id"],
        message_id=row["message_id"],
        in_reply_to=tuple(row["in_reply_to"] or ()),
        reference_ids=tuple(row["reference_ids"] or ()),
        subject=row["subject"] or "",
        participants=participants,
        sent_at=row["created_at"],
        bounced_ids=tuple(row["bounced_ids"] or ()),
        sender=marks.get("sender"),
        thread_index=marks.get("thread_index"),
        numbers=_texts(marks, "numbers"),
        possible_numbers=_texts(marks, "possible_numbers"),
        text_numbers=_texts(marks, "text_numbers"),
        own_prints=base64.b64decode(marks.get("own_prints", "")),
        quoted_prints=base64.b64decode(marks.get("quoted_prints", "")),
        quoted_people=_texts(marks, "quoted_people"),
        list_addresses=_texts(marks, "list_addresses"),
    )


def _texts(marks: Row, name: str) -> tuple[str, ...]:
    return tuple(marks.get(name, ()))
