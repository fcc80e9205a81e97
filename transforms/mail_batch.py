"""Threaded mails turned into tickets, comments and people of the unified model: `build`.

Belongs here: what a conversation of mails means as a ticket. Does not belong here: parsing, threading.

A mailbox has no status. It is derived by the policy, and its changes are marked as observed: a customer's mail
makes a ticket `open`, an agent's answer `pending`; when nothing follows an answer for `solved_after`, the
ticket counts as `solved` since that answer. A customer who writes later opens it again. Automatic mails, copies
and mails among agents change nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from transforms.mail_headers import MailAddress
from transforms.mail_message import ParsedMail
from transforms.mail_senders import writer_of
from transforms.model import (
    ActorKind,
    Batch,
    DataWarning,
    RawRecord,
    Rejected,
    SourceAttachment,
    SourceChange,
    SourceComment,
    SourcePerson,
    SourceTicket,
)
from transforms.reply.view import reply_text
from transforms.text import language, normalise_subject
from transforms.thread_marks import marks_of
from transforms.threads import Placement


@dataclass(frozen=True, slots=True)
class MailboxPolicy:
    """How a mailbox's conversations become tickets.

    Args:
        own_addresses: the mailbox's own addresses (lower case); who writes from them is an agent.
        agent_addresses: agents' personal addresses (lower case).
        agent_domains: domains (lower case, without `@`) whose people are all agents.
        solved_after: silence after an agent's answer that counts as solved; None: never.
        customer_status: a ticket's status after a customer's mail.
        agent_status: a ticket's status after an agent's answer.
    """

    own_addresses: frozenset[str] = frozenset()
    agent_addresses: frozenset[str] = frozenset()
    agent_domains: frozenset[str] = frozenset()
    solved_after: timedelta | None = timedelta(days=7)
    customer_status: str = "open"
    agent_status: str = "pending"

    def is_agent(self, address: str) -> bool:
        """Whether mails from this address are the desk's own."""
        return (
            address in self.own_addresses
            or address in self.agent_addresses
            or address.rpartition("@")[2] in self.agent_domains
        )


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail with where it belongs and who wrote it: `writer` is a customer behind a form or a forward, too."""

    parsed: ParsedMail
    placement: Placement
    writer: MailAddress | None
    author_kind: ActorKind
    is_public: bool

    @property
    def counts(self) -> bool:
        """Whether it can be an answer or a question: public, by a person, no second copy."""
        return (
            self.is_public
            and self.author_kind in ("customer", "agent")
            and self.placement.copy_of_remote_id is None
        )


def build(
    mails: Iterable[tuple[RawRecord, ParsedMail | Rejected, Placement | None]],
    policy: MailboxPolicy,
    as_of: datetime,
) -> Batch:
    """Tickets of a mailbox.

    Every mail given is a comment of the batch or stands in its `rejected`. A ticket is right only when all of
    its mails are given; give whole tickets, some at a time, where a mailbox is large.

    Args:
        mails: raw record, what `parse` made of it, and where `threads.place` put it (None for rejected ones).
        policy: whose addresses are the desk's, and how the status is derived.
        as_of: aware instant against which silence is measured; what was sent after it changes no status.
    """
    batch = Batch()
    tickets: dict[str, list[_Mail]] = {}
    people = _People(policy)
    for record, parsed, placement in mails:
        if isinstance(parsed, Rejected):
            batch.rejected.append(parsed)
        elif placement is None:
            batch.rejected.append(Rejected(record.stream, record.remote_id, "mail without a place"))
        else:
            mail = _read(parsed, placement, policy)
            tickets.setdefault(placement.ticket_remote_id, []).append(mail)
            people.saw(parsed)
    for remote_id, members in tickets.items():
        in_order = sorted(
            _dated(members), key=lambda mail: (mail.parsed.sent_at, mail.parsed.remote_id)
        )
        _add_ticket(batch, remote_id, in_order, policy, as_of, people)
    batch.people = people.all()
    return batch


def _dated(mails: list[_Mail]) -> list[_Mail]:
    """Mails that carry no time at all get that of the ticket's last dated one, where there is one."""
    known = [mail.parsed.sent_at for mail in mails if mail.parsed.date_basis != "none"]
    if not known or len(known) == len(mails):
        return mails
    return [
        replace(mail, parsed=replace(mail.parsed, sent_at=max(known)))
        if mail.parsed.date_basis == "none"
        else mail
        for mail in mails
    ]


def _add_ticket(
    batch: Batch,
    remote_id: str,
    mails: Sequence[_Mail],
    policy: MailboxPolicy,
    as_of: datetime,
    people: "_People",
) -> None:
    first = mails[0].parsed
    requester = _requester(mails, policy)
    if requester is not None:
        people.want(requester)
    changes, status = _changes(remote_id, mails, policy, as_of)
    batch.tickets.append(
        SourceTicket(
            remote_id=remote_id,
            number=_number(remote_id),
            subject=normalise_subject(first.subject) or "(no subject)",
            status=status,
            source_status="",
            priority=None,
            source_priority=None,
            created_at=first.sent_at,
            updated_at=mails[-1].parsed.sent_at,
            channel="email",
            requester_remote_id=requester.address if requester else None,
            language=next(filter(None, (_language(mail.parsed) for mail in mails)), None),
            is_automatic="automatic" in _tags(mails),
            tags=_tags(mails),
            fields={"is_status_derived": True},
        )
    )
    batch.changes += changes
    batch.comments += [_comment(mail) for mail in mails]
    for mail in mails:
        people.want(mail.writer)
        batch.warnings += [
            DataWarning(
                remote_id,
                _rule(warning),
                f"{warning} ({mail.parsed.place or mail.parsed.remote_id})",
            )
            for warning in mail.parsed.warnings
        ]


def _language(mail: ParsedMail) -> str | None:
    """The language of what its author wrote: quotes and signatures may be in another."""
    return language(reply_text(mail.text, mail.html) or mail.text)


def _rule(warning: str) -> str:
    """The kind of a warning, by which it is counted: without what one mail alone says."""
    return re.sub(r"'[^']*'|(?<=charset )\S+", "…", warning)


def _number(remote_id: str) -> str:
    """A name for people: `M-` and ten digits of the conversation's id. A mailbox has no ticket numbers."""
    return f"M-{remote_id.rpartition(':')[2][:10]}"


def _read(parsed: ParsedMail, placement: Placement, policy: MailboxPolicy) -> _Mail:
    writer = writer_of(
        parsed.sender,
        parsed.reply_to,
        (*parsed.to, *parsed.cc),
        parsed.forwarded_from,
        policy.is_agent,
    )
    kind = _author_kind(parsed, writer, policy)
    return _Mail(parsed, placement, writer, kind, _is_public(parsed, writer, policy))


def _author_kind(mail: ParsedMail, writer: MailAddress | None, policy: MailboxPolicy) -> ActorKind:
    if mail.is_automatic:
        return "bot"
    if writer is None or not writer.address:
        return "unknown"
    return "agent" if policy.is_agent(writer.address) else "customer"


def _is_public(mail: ParsedMail, writer: MailAddress | None, policy: MailboxPolicy) -> bool:
    """Whether somebody outside the desk wrote or got it; mails among agents are notes."""
    addresses = [person.address for person in (writer, *mail.to, *mail.cc) if person]
    known = [address for address in addresses if address]
    return not known or any(not policy.is_agent(address) for address in known)


def _requester(mails: Sequence[_Mail], policy: MailboxPolicy) -> MailAddress | None:
    """The customer: the first person outside who wrote, else whom an agent wrote to, else any outside sender."""
    senders = [mail.writer for mail in mails if mail.author_kind == "customer"]
    written_to = [
        person for mail in mails if mail.author_kind == "agent" for person in mail.parsed.to
    ]
    programs = [mail.writer for mail in mails if mail.author_kind == "bot"]
    for person in (*senders, *written_to, *programs):
        if person is not None and person.address and not policy.is_agent(person.address):
            return person
    return None


def _changes(
    remote_id: str, mails: Sequence[_Mail], policy: MailboxPolicy, as_of: datetime
) -> tuple[list[SourceChange], str]:
    """The derived history of the status and where it stands at `as_of`."""
    counting = [mail for mail in mails if mail.counts and mail.parsed.sent_at <= as_of]
    changes: list[SourceChange] = []
    status: str | None = None

    def change(mail: _Mail, new: str, position: int) -> None:
        nonlocal status
        if status is not None and status != new:
            changes.append(_change(remote_id, mail, status, new, position))
        status = new

    for index, mail in enumerate(counting):
        is_agent = mail.author_kind == "agent"
        change(mail, policy.agent_status if is_agent else policy.customer_status, 0)
        following = counting[index + 1].parsed.sent_at if index + 1 < len(counting) else as_of
        silence = following - mail.parsed.sent_at
        if is_agent and policy.solved_after is not None and silence >= policy.solved_after:
            change(mail, "solved", 1)
    return changes, status or policy.customer_status


def _change(remote_id: str, mail: _Mail, old: str, new: str, position: int) -> SourceChange:
    sender = mail.writer
    return SourceChange(
        remote_id=f"{mail.parsed.remote_id}:status:{position}",
        ticket_remote_id=remote_id,
        field="status",
        old_value=old,
        new_value=new,
        occurred_at=mail.parsed.sent_at,
        position=position,
        actor_kind=mail.author_kind if position == 0 else "bridge",
        actor_remote_id=sender.address if sender and position == 0 else None,
        is_observed=True,
        raw_stream="mails",
        raw_remote_id=mail.parsed.remote_id,
    )


def _tags(mails: Sequence[_Mail]) -> tuple[str, ...]:
    """`automatic` where no person wrote anything, and `bounce` where a mail came back."""
    kinds = {mail.parsed.kind for mail in mails}
    tags = [] if "person" in kinds else ["automatic"]
    return (*tags, *(["bounce"] if "bounce" in kinds else []))


def _comment(mail: _Mail) -> SourceComment:
    parsed, placement = mail.parsed, mail.placement
    sender = mail.writer
    headers = parsed.headers
    doubt = placement.doubt
    return SourceComment(
        remote_id=parsed.remote_id,
        ticket_remote_id=placement.ticket_remote_id,
        created_at=parsed.sent_at,
        author_kind=mail.author_kind,
        is_public=mail.is_public,
        text=parsed.text,
        author_remote_id=sender.address if sender and sender.address else None,
        html=parsed.html,
        is_automatic=parsed.is_automatic,
        subject=parsed.subject,
        message_id=parsed.identity,
        in_reply_to=headers.in_reply_to,
        reference_ids=headers.reference_ids,
        bounced_ids=parsed.bounced_ids,
        participants=parsed.participants,
        thread_reason=placement.reason,
        thread_marks=marks_of(headers),
        thread_doubt={"ticket_remote_id": doubt.ticket_remote_id, "reason": doubt.reason}
        if doubt
        else None,
        copy_of_remote_id=placement.copy_of_remote_id,
        raw_stream="mails",
        raw_remote_id=parsed.remote_id,
        attachments=tuple(
            SourceAttachment(
                remote_id=f"{parsed.remote_id}/{position}",
                file_name=attachment.safe_name,
                media_type=attachment.media_type,
                size_bytes=len(attachment.content),
                sha256=attachment.sha256,
                content_id=attachment.content_id,
                is_inline=attachment.is_inline,
                content=attachment.content,
            )
            for position, attachment in enumerate((*parsed.attachments, *parsed.embedded), start=1)
        ),
    )


class _People:
    """Everybody who wrote or asked, each once, under the name most often seen with the address."""

    def __init__(self, policy: MailboxPolicy) -> None:
        self._policy = policy
        self._names: dict[str, Counter[str]] = {}
        self._wanted: dict[str, None] = {}

    def saw(self, mail: ParsedMail) -> None:
        for person in (mail.sender, *mail.to, *mail.cc, *mail.reply_to, mail.forwarded_from):
            if person and person.address and person.name and person.name != person.address:
                self._names.setdefault(person.address, Counter())[person.name] += 1

    def want(self, person: MailAddress | None) -> None:
        if person is not None and person.address:
            self._wanted[person.address] = None

    def all(self) -> list[SourcePerson]:
        return [
            SourcePerson(
                remote_id=address,
                is_agent=self._policy.is_agent(address),
                name=self._name(address),
                emails=(address,),
            )
            for address in sorted(self._wanted)
        ]

    def _name(self, address: str) -> str | None:
        names = self._names.get(address)
        return min(names, key=lambda name: (-names[name], name)) if names else None
