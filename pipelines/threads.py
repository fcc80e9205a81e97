"""What a person decides about a mail's conversation, and what waits for such a decision.

Belongs here: keeping a decision, placing mails by it at once, its entry in the audit trail. Does not belong here:
threading (`transforms.threads`), the decisions' rows (`connectors.warehouse.threads`).
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, Engine

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
            _require(connection, client_key, source_key, one)
        threads.decide(
            *(connection, client_key, source_key, remote_id, kind, with_remote_id, at, decided_by)
        )
        detail = {"source": source_key, "with": with_remote_id}
        item = audit.AuditItem(f"thread set {kind}", remote_id, at, detail)
        audit.append(connection, client_key, [item])
    return normalise_mailbox(engine, client_key, source_key, transform, now, is_decided=True)


def undecide_thread(
    engine: Engine,
    client_key: str,
    source_key: str,
    transform: MailTransform,
    remote_id: str,
    now: Callable[[], datetime],
) -> NormaliseReport:
    """Takes a decision about a mail back, and places the mailbox's mails by their evidence.

    Raises:
        ValueError: the source has no such mail.
    """
    with writing(engine) as connection:
        _require(connection, client_key, source_key, remote_id)
        threads.forget_decision(connection, client_key, source_key, remote_id)
        item = audit.AuditItem("thread undecided", remote_id, now(), {"source": source_key})
        audit.append(connection, client_key, [item])
    return normalise_mailbox(engine, client_key, source_key, transform, now, is_decided=True)


def _require(connection: Connection, client_key: str, source_key: str, remote_id: str) -> None:
    if not threads.has_mail(connection, client_key, source_key, remote_id):
        raise ValueError(
            f"source {source_key} of client {client_key} has no mail '{remote_id}'; "
            "deskbridge thread review lists the ids of doubtful ones"
        )
