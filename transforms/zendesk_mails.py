"""By what Zendesk's mails are known outside of Zendesk: `message_id_of` an update, `references_of` a ticket.

Belongs here: ids that stand in mails' headers, texts and addresses. Does not belong here: the updates
(`zendesk_history`), which mails elsewhere carry the ids (`ticket_names`, `conversations`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from transforms.payload import text_of
from transforms.ticket_names import reply_name

_MESSAGE_ID = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_ENCODED_ID = re.compile(r"[A-Z0-9]{6}-[A-Z0-9]{4,5}")

Body = Mapping[str, Any]


def message_id_of(update: Body) -> str | None:
    """The Message-ID of the mail that an update came as; None where it came otherwise.

    Source: audits carry it in `metadata.system.message_id`; events of the incremental export have `system` at the top.
    """
    for holder in (update.get("metadata"), update):
        system = holder.get("system") if isinstance(holder, dict) else None
        found = text_of(system, "message_id") if isinstance(system, dict) else None
        if found is not None and _MESSAGE_ID.fullmatch(found):
            return found
    return None


def references_of(ticket: Body, updates: Iterable[Body]) -> tuple[str, ...]:
    """A ticket's encoded id, where its row or an address to which somebody answered tells it.

    Source: Zendesk help, "How are incoming emails threaded to tickets" (`support+id1G7EOR-0Q2J@….zendesk.com`).
    """
    told = text_of(ticket, "encoded_id")
    found = {told: None} if told is not None and _ENCODED_ID.fullmatch(told) else {}
    for update in updates:
        name = reply_name(_recipient(update.get("via")) or "")
        if name is not None and name.kind == "reply reference":
            found[name.value.partition("|")[2]] = None
    return tuple(found)


def _recipient(via: Any) -> str | None:
    source = via.get("source") if isinstance(via, dict) else None
    to = source.get("to") if isinstance(source, dict) else None
    return text_of(to, "address") if isinstance(to, dict) else None
