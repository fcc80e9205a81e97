"""A case: one customer's matter as it went, before any helpdesk's shape is put on it.

Belongs here: the records and the recorder that keeps status, team and assignee in step with the history.
Does not belong here: chance, texts, JSON, mail.

Instants are whole epoch seconds, UTC.
"""

from dataclasses import dataclass, field

from pipelines.demo.issues import Issue
from pipelines.demo.people import Agent, Customer

Person = Agent | Customer


@dataclass(frozen=True, slots=True)
class File:
    """Something attached to a message."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody wrote. `author` None is the helpdesk's own automation."""

    author: Person | None
    is_public: bool
    text: str
    files: tuple[File, ...] = ()
    kind: str = "message"


@dataclass(frozen=True, slots=True)
class Change:
    """A field that got another value. Assignees are `Agent`s, teams keys of `TEAMS`."""

    field: str
    old: object
    new: object


@dataclass(frozen=True, slots=True)
class Step:
    """Everything that one update did. `rule` names the automation that did it."""

    at: int
    actor: Person | None
    message: Message | None = None
    changes: tuple[Change, ...] = ()
    rule: str | None = None
    other_case: "Case | None" = None
    """The case that a merge came from or went to."""


@dataclass(frozen=True, slots=True)
class Rating:
    """A customer's verdict: 1 (worst) to 5."""

    at: int
    score: int
    comment: str | None


@dataclass(slots=True, eq=False)
class Case:
    """One matter in one source."""

    source: str
    channel: str
    customer: Customer
    issue: Issue
    subject: str
    values: dict[str, str]
    priority: str
    created_at: int
    steps: list[Step] = field(default_factory=list)
    rating: Rating | None = None
    number: int = 0
    status: str = "new"
    team: str = "support"
    assignee: Agent | None = None
    planted: set[str] = field(default_factory=set)
    merged_into: "Case | None" = None
    is_spam: bool = False
    is_deleted: bool = False

    @property
    def language(self) -> str:
        """The customer's language: all messages are in it."""
        return self.customer.language

    @property
    def address(self) -> str:
        """The address that the customer writes from here."""
        return self.customer.address(self.source)

    @property
    def updated_at(self) -> int:
        """The last step's instant."""
        return self.steps[-1].at

    def add(
        self,
        at: int,
        actor: Person | None,
        message: Message | None = None,
        *,
        rule: str | None = None,
        other_case: "Case | None" = None,
        **new_values: object,
    ) -> int:
        """Records one update, never before or at the one before it; returns its instant.

        `new_values` are fields with the value they get (`status="open"`); what stays the same is no change.
        """
        if self.steps:
            at = max(at, self.steps[-1].at + 1)
        changes = []
        for name, new in new_values.items():
            old = getattr(self, name)
            if old != new:
                changes.append(Change(name, old, new))
                setattr(self, name, new)
        self.steps.append(Step(at, actor, message, tuple(changes), rule, other_case))
        return at

    def cut(self, as_of: int) -> None:
        """Forgets everything after the instant, and undoes the changes it made."""
        while self.steps and self.steps[-1].at > as_of:
            for change in reversed(self.steps.pop().changes):
                setattr(self, change.field, change.old)
        if self.rating and self.rating.at > as_of:
            self.rating = None

    def text_of(self, step: Step) -> str:
        """A step's message with the numbers that the cases have got since."""
        text = step.message.text if step.message else ""
        if step.message and step.message.kind == "acknowledgement":
            return text.replace("{number}", str(self.number))
        if step.other_case is not None:
            other = step.other_case
            return text.replace("{other}", str(other.number)).replace(
                "{other_subject}", other.subject
            )
        return text

    def first(self, status: str) -> int | None:
        """When the case first got a status; None if it never did."""
        return next((step.at for step in self.steps if _sets(step, status)), None)

    def last(self, status: str) -> int | None:
        """When the case last got a status; None if it never did."""
        return next((step.at for step in reversed(self.steps) if _sets(step, status)), None)

    def first_reply_at(self) -> int | None:
        """When an agent first answered in public."""
        for step in self.steps:
            if step.message and step.message.is_public and isinstance(step.message.author, Agent):
                return step.at
        return None


def _sets(step: Step, status: str) -> bool:
    return any(change.field == "status" and change.new == status for change in step.changes)
