"""What a person decides about a mail's conversation, and what waits for such a decision.

Belongs here: keeping a decision, placing mails by it at once, its entry in the audit trail. Does not belong here:
threading (`transforms.threads`), the decisions' rows (`connectors.warehouse.threads`).
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from connectors.warehouse import audit, threads
from connectors.warehouse.engine import reading, writing
from pipelines.normalise import NormaliseReport
from pipelines.normalise_mail import MailTransform, normalise_mailbox


def doubtful_threads(engine: Engine, client_key: str, limit: int) -> list[threads.Row]:
    """Mails that could belong elsewhere, as `connectors.warehouse.threads.doubtful` gives them."""
    with reading(engine) as connection:
        return threads.doubtful(connection, client_key, limit)


def decide_thread(
    engine: Engine,
    client_key: str,
    source_key: str,
    transform: MailTransform,
    remote_id: str,
    with_remote_id: str | None,
    now: Callable[[], datetime],
    decided_by: str,
) -> NormaliseReport:
    """Sets a mail apart, or beside another one, and places the mailbox's mails by it.

    A mail set apart begins a conversation of its own and its answers follow it. The decision is kept: neither
    new mails nor a rebuild undo it. Killed before the mails are placed, the next sync that brings a mail does it.

    Args:
        engine: the warehouse.
        client_key: whose.
        source_key: the mailbox.
        transform: how its mails are read.
        remote_id: the mail's id within the source.
        with_remote_id: a mail of the conversation that it belongs to; None sets it apart.
        now: the clock.
        decided_by: who decides.

    Raises:
        ValueError: the source has no such mail.
    """
    kind = "apart" if with_remote_id is None else "with"
    at = now()
    with writing(engine) as connection:
        for one in filter(None, (remote_id, with_remote_id)):
            if not threads.has_mail(connection, client_key, source_key, one):
                raise ValueError(
                    f"source {source_key} of client {client_key} has no mail '{one}'; ids are listed with the"
                    " doubtful ones"
                )
        threads.decide(
            *(connection, client_key, source_key, remote_id, kind, with_remote_id, at, decided_by)
        )
        detail = {"source": source_key, "with": with_remote_id}
        item = audit.AuditItem(f"thread set {kind}", remote_id, at, detail)
        audit.append(connection, client_key, [item])
    return normalise_mailbox(engine, client_key, source_key, transform, now, is_decided=True)
