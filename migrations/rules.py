"""Named rules that leave mails out of a migration, each with the reason that the ledger shows.

Belongs here: which mail a rule fits. Does not belong here: the ledger, the target.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What a rule may look at."""

    sender: str
    subject: str
    is_automatic: bool
    is_alone: bool
    """Whether the mail is the only one of its conversation that is no copy."""


@dataclass(frozen=True, slots=True)
class ExclusionRule:
    """Leaves out the mails that fit every condition given; a rule without conditions fits nothing.

    `senders` are addresses or `@domain`; `subject_words` are looked for anywhere, without regard to case.
    A mail that somebody answered is never left out: a conversation stays whole.
    """

    name: str
    senders: tuple[str, ...] = ()
    subject_words: tuple[str, ...] = ()
    automatic: bool | None = None

    def fits(self, mail: MailFacts) -> bool:
        """Whether this rule leaves the mail out."""
        if not (self.senders or self.subject_words or self.automatic is not None):
            return False
        if not mail.is_alone:
            return False
        if self.senders and not _is_from(mail.sender, self.senders):
            return False
        subject = mail.subject.casefold()
        if self.subject_words and not any(w.casefold() in subject for w in self.subject_words):
            return False
        return self.automatic is None or mail.is_automatic is self.automatic


def first_fit(rules: Iterable[ExclusionRule], mail: MailFacts) -> ExclusionRule | None:
    """The first rule that leaves the mail out; None where it moves."""
    return next((rule for rule in rules if rule.fits(mail)), None)


def _is_from(sender: str, wanted: Iterable[str]) -> bool:
    sender = sender.casefold()
    for one in wanted:
        one = one.casefold()
        if sender == one or (one.startswith("@") and sender.endswith(one)):
            return True
    return False
