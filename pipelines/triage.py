"""Gives tickets of a batch the priority that the client's triage rules say.

Belongs here: what triage is told about a ticket, and how its answer enters the history. Does not belong here:
the rules (`sla_rules.triage`).
"""

from collections.abc import Sequence
from dataclasses import replace

from sla_rules.triage import TriageRule, TriageTicket, triage
from transforms.model import Batch, SourceChange, SourceComment, SourceTicket

RULE_FIELD = "triage_rule"
"""Entry of a ticket's `fields` that names the rule which set its priority."""

_AFTER_THE_SOURCE = 1_000
"""Position of a raise among the changes of the instant of creation: behind the source's own."""


def triaged(batch: Batch, rules: Sequence[TriageRule], source_key: str) -> Batch:
    """The batch with priorities set or raised, each by a change of the bridge at the ticket's creation.

    What people change later stands: only the priority that a ticket begins with is judged. Conversations in
    which no person wrote are left alone.
    """
    if not rules:
        return batch
    teller = _Teller(batch, source_key)
    tickets, changes = [], list(batch.changes)
    for ticket in batch.tickets:
        own = teller.priority_changes(ticket)
        given = _opening(ticket, own)
        outcome = triage(rules, teller.told(ticket, given))
        if ticket.is_automatic or outcome.rule is None:
            tickets.append(ticket)
            continue
        changes.append(
            SourceChange(
                remote_id="triage",
                ticket_remote_id=ticket.remote_id,
                field="priority",
                old_value=given,
                new_value=outcome.priority,
                occurred_at=ticket.created_at,
                position=_AFTER_THE_SOURCE if given is not None else 0,
                actor_kind="bridge",
            )
        )
        was_changed = any(change.occurred_at > ticket.created_at for change in own)
        tickets.append(
            replace(
                ticket,
                priority=ticket.priority if was_changed else outcome.priority,
                fields={**ticket.fields, RULE_FIELD: outcome.rule},
            )
        )
    return replace(batch, tickets=tickets, changes=changes)


class _Teller:
    """What a batch says of its tickets beyond the ticket itself."""

    def __init__(self, batch: Batch, source_key: str) -> None:
        self._source_key = source_key
        self._emails = {person.remote_id: person.emails for person in batch.people}
        self._organisations = {one.remote_id: one.name for one in batch.organisations}
        self._first: dict[str, SourceComment] = {}
        for comment in sorted(batch.comments, key=lambda c: (c.author_kind == "bot", c.created_at)):
            self._first.setdefault(comment.ticket_remote_id, comment)
        self._priorities: dict[str, list[SourceChange]] = {}
        for change in sorted(batch.changes, key=lambda c: (c.occurred_at, c.position)):
            if change.field == "priority":
                self._priorities.setdefault(change.ticket_remote_id, []).append(change)

    def priority_changes(self, ticket: SourceTicket) -> list[SourceChange]:
        """Changes of the ticket's priority, in order."""
        return self._priorities.get(ticket.remote_id, [])

    def told(self, ticket: SourceTicket, given: str | None) -> TriageTicket:
        """A ticket as triage looks at it: with its first message by a person."""
        first = self._first.get(ticket.remote_id)
        emails = self._emails.get(ticket.requester_remote_id or "", ())
        return TriageTicket(
            subject=ticket.subject,
            body=first.text if first else "",
            channel=ticket.channel,
            source_key=self._source_key,
            sender=emails[0] if emails else None,
            organisation_name=self._organisations.get(ticket.organisation_remote_id or ""),
            category=ticket.category,
            tags=ticket.tags,
            priority=given,
        )


def _opening(ticket: SourceTicket, changes: Sequence[SourceChange]) -> str | None:
    """The priority that the source gave a ticket at its creation."""
    if not changes:
        return ticket.priority
    first = changes[0]
    if first.old_value is None and first.occurred_at <= ticket.created_at:
        return first.new_value
    return first.old_value
