"""Joining conversations by what is likely, under guards: Outlook's index, ticket numbers, quoted text, subjects.

Belongs here: what joins the start of a conversation to an earlier one where no id does. Does not belong here: ids
(`thread_links`).

Only the first mail of what ids joined is guessed about, and only earlier mails are looked at, in the order of time.
Merging too much shows one customer another's words. So, but for quoted text, both sides must share a participant
other than our own addresses and lists; two conversations with different ticket numbers are never joined; and what
is likely but not likely enough stays apart and becomes a doubt for a person to look at.
"""

from collections.abc import Iterable

from transforms.mail_addresses import mailbox_of
from transforms.mail_headers import EPOCH
from transforms.quoted_text import unpacked
from transforms.text import base_subject, has_reply_prefix, is_forward
from transforms.text_words import GENERIC_SUBJECTS
from transforms.thread_links import Linked, in_time
from transforms.thread_model import MailHeaders, ThreadPolicy

COMMON = 3
"""Conversations in which the same words prove nothing any more: signatures, disclaimers, canned answers."""

LEAST_PRINTS = 2
"""Fingerprints (a dozen words in a row, about) that a quote must share where somebody takes part in both."""

LEAST_SHARE = 0.5
"""Share of what is quoted that must stand in that conversation where the subject is another."""

LEAST_PRINTS_OF_STRANGERS = 4

LEAST_SHARE_OF_STRANGERS = 0.5

RIVAL = 0.6
"""A conversation that has this share of the best one's fingerprints is an alternative."""


class Guesses:
    """What was joined by guessing: `reasons` by mail, and `doubts` (mail → a mail of the alternative, why)."""

    def __init__(self, linked: Linked, policy: ThreadPolicy) -> None:
        """Joins what is likely to be one conversation.

        Args:
            linked: the mails, joined by ids; joined further here.
            policy: the settings.
        """
        self.reasons: dict[str, str] = {}
        self.doubts: dict[str, tuple[MailHeaders, str]] = {}
        self._linked = linked
        self._policy = policy
        self._lists = {each for mail in linked.mails for each in mail.list_addresses}
        self._people_of = {mail.remote_id: self._people(mail) for mail in linked.mails}
        self._bases = {mail.remote_id: base_subject(mail.subject) for mail in linked.mails}
        self._trusted = self._trusted_numbers()
        self._numbers: dict[str, set[str]] = {}
        self._members: dict[str, set[str]] = {}
        self._senders: dict[str, set[str]] = {}
        self._join_by_decision()
        self._first: dict[str, MailHeaders] = {}
        self._cuts: dict[str, list[MailHeaders]] = {}
        for mail in linked.mails:
            root = linked.root(mail)
            self._numbers.setdefault(root, set()).update(self._certain(mail))
            self._first.setdefault(root, mail)
            if mail.remote_id in linked.cuts:
                self._cuts.setdefault(root, []).append(mail)
        if "ticket number" in policy.steps:
            self._join_by_number()
        self._walk()

    def _people(self, mail: MailHeaders) -> frozenset[str]:
        return frozenset(
            mailbox
            for person in mail.participants
            if person not in self._lists
            and not self._policy.is_own(person)
            and not self._policy.is_own(mailbox := mailbox_of(person))
        )

    def _join_by_decision(self) -> None:
        mails = {mail.remote_id: mail for mail in self._linked.mails}
        for each in self._policy.decisions:
            mail, other = mails.get(each.remote_id), mails.get(each.other_remote_id or "")
            if each.kind == "with" and mail is not None and other is not None:
                atoms = self._linked.atoms
                self._linked.joined.join(atoms[mail.remote_id], atoms[other.remote_id])
                self.reasons[mail.remote_id] = "joined by a person"

    def _trusted_numbers(self) -> frozenset[str]:
        """Numbers that exist: those the warehouse knows, and those that the desk itself wrote as a helpdesk does."""
        written = (
            number
            for mail in self._linked.mails
            if mail.sender is not None and self._policy.is_own(mail.sender)
            for number in mail.numbers
        )
        return frozenset({*(self._policy.known_numbers or ()), *written})

    def _certain(self, mail: MailHeaders) -> list[str]:
        is_known = self._policy.known_numbers is not None
        return [one for one in mail.numbers if not is_known or one in self._trusted]

    def _join_by_number(self) -> None:
        """A ticket number joins mails that share a participant, so that a stranger cannot write into a ticket."""
        latest: dict[tuple[str, str], MailHeaders] = {}
        any_latest: dict[str, MailHeaders] = {}
        for mail in self._linked.mails:
            certain = self._certain(mail)
            worded = [one for one in mail.possible_numbers if one in self._trusted]
            if has_reply_prefix(mail.subject):
                worded += [one for one in mail.text_numbers if one in self._trusted]
            # A mail that names several tickets belongs to none of them by that.
            named = certain or (worded if len(set(worded)) == 1 else [])
            for number in dict.fromkeys(named):
                is_known = False
                for person in sorted(self._people_of[mail.remote_id]):
                    other = latest.get((number, person))
                    is_known = is_known or other is not None
                    if other is not None:
                        self._join(mail, other, "ticket number")
                    if certain or other is not None:
                        latest[number, person] = mail
                if number in any_latest and not is_known:
                    self._doubt(mail, any_latest[number], f"it names ticket number {number}")
                if certain:
                    any_latest[number] = mail

    def _walk(self) -> None:
        linked, steps = self._linked, self._policy.steps
        starts = {mail.remote_id for mail in linked.starts()}
        indexed = _ByIndex() if "thread index" in steps else None
        quotes = _Quotes(linked, starts) if "quoted text" in steps else None
        subjects = _BySubject(self._policy) if "subject" in steps else None
        for mail in linked.mails:
            if mail.remote_id in starts and mail.remote_id not in linked.cuts:
                _ = (
                    (indexed is not None and self._by_index(mail, indexed))
                    or (quotes is not None and self._by_quote(mail, quotes))
                    or (subjects is not None and self._by_subject(mail, subjects))
                )
            root = linked.root(mail)
            self._members.setdefault(root, set()).update(self._people_of[mail.remote_id])
            if mail.sender:
                self._senders.setdefault(root, set()).add(mailbox_of(mail.sender))
            base = self._bases[mail.remote_id]
            if indexed is not None:
                indexed.add(mail, base)
            if quotes is not None:
                quotes.add(mail)
            if subjects is not None:
                subjects.add(mail, base, self._people_of[mail.remote_id])

    def _shares_people(self, mail: MailHeaders, root: str) -> bool:
        return not self._people_of[mail.remote_id].isdisjoint(self._members.get(root, ()))

    def _by_index(self, mail: MailHeaders, indexed: "_ByIndex") -> bool:
        other = indexed.find(mail, self._bases[mail.remote_id])
        if other is None:
            return False
        if not self._shares_people(mail, self._linked.root(other)):
            self._doubt(mail, other, "it has the same conversation index and nobody in common")
            return False
        return self._join(mail, other, "thread index")

    def _by_quote(self, mail: MailHeaders, quotes: "_Quotes") -> bool:
        found, of_all = quotes.find(mail)
        if not found:
            return False
        known = [one for one in found if self._shares_people(mail, one.root)]
        others = [one for one in found if one not in known]
        for candidates, is_known in ((known, True), (others, False)):
            best = self._best_quote(mail, candidates, of_all, is_known=is_known)
            if best is None:
                continue
            rivals = [
                one for one in candidates if one is not best and one.prints >= RIVAL * best.prints
            ]
            if rivals and not is_known and not self._has_subject(mail, best):
                break
            if self._join(mail, best.mail, "quoted text"):
                for rival in rivals[:1]:
                    self._doubt(
                        mail, rival.mail, f"it quotes {rival.prints} passages of that one too"
                    )
                return True
        for one in found[:1]:
            if one.prints >= LEAST_PRINTS_OF_STRANGERS:
                self._doubt(mail, one.mail, f"it quotes {one.prints} passages of that one")
        return False

    def _best_quote(
        self, mail: MailHeaders, candidates: list["_Quoted"], of_all: int, *, is_known: bool
    ) -> "_Quoted | None":
        """The conversation that a mail quotes most of, if that is enough; of equals the one with its subject."""
        most = max((one.prints for one in candidates), default=0)
        near = [one for one in candidates if one.prints >= RIVAL * most]
        best = max(
            near,
            key=lambda one: (self._has_subject(mail, one), one.prints, one.mail.sent_at, one.root),
            default=None,
        )
        if best is None:
            return None
        has_subject = self._has_subject(mail, best)
        share = best.prints / of_all
        if is_known:
            # The same person pastes the same log into two requests: another subject needs more.
            answers = has_reply_prefix(mail.subject) or is_forward(mail.subject)
            is_near = mail.sent_at - best.mail.sent_at <= self._policy.window
            enough = has_subject or (share >= LEAST_SHARE and answers and is_near)
            return best if enough and best.prints >= LEAST_PRINTS else None
        is_named = not self._senders.get(best.root, set()).isdisjoint(
            map(mailbox_of, mail.quoted_people)
        )
        enough = best.prints >= LEAST_PRINTS_OF_STRANGERS and share >= LEAST_SHARE_OF_STRANGERS
        return (
            best if enough and (is_named or has_subject) and not is_forward(mail.subject) else None
        )

    def _has_subject(self, mail: MailHeaders, one: "_Quoted") -> bool:
        base = self._bases[mail.remote_id]
        return bool(base) and base == self._bases[one.mail.remote_id] and not _is_generic(base)

    def _by_subject(self, mail: MailHeaders, subjects: "_BySubject") -> bool:
        if mail.sent_at == EPOCH or not has_reply_prefix(mail.subject):
            return False
        base, people = self._bases[mail.remote_id], self._people_of[mail.remote_id]
        candidates = subjects.find(mail, base, people)
        if not candidates:
            return False
        if not subjects.may_join(base):
            self._doubt(mail, candidates[0], "the same person, but a subject that many mails have")
            return False
        if not self._join(mail, candidates[0], "subject+participant"):
            return False
        for other in candidates[1:]:
            self._doubt(mail, other, "an earlier conversation of the same subject and person")
        return True

    def _join(self, mail: MailHeaders, other: MailHeaders, reason: str) -> bool:
        """Joins two mails' conversations, unless their ticket numbers or a person keep them apart."""
        linked = self._linked
        left, right = linked.root(mail), linked.root(other)
        if left == right:
            return True
        both = self._numbers.get(left, set()) | self._numbers.get(right, set())
        if len(both) > 1 and reason != "ticket number":
            self._doubt(mail, other, f"{reason}, but another ticket number")
            return False
        if self._is_cut_off(left, right) or self._is_cut_off(right, left):
            return False
        root = linked.joined.join(left, right)
        self._first[root] = min(self._first[left], self._first[right], key=in_time)
        self._cuts[root] = [*self._cuts.get(left, ()), *self._cuts.get(right, ())]
        self._numbers[root] = both
        for sets in (self._members, self._senders):
            sets[root] = sets.get(left, set()) | sets.get(right, set())
        self.reasons.setdefault(mail.remote_id, reason)
        return True

    def _is_cut_off(self, root: str, other: str) -> bool:
        """Whether a conversation begins by a cut and the other one is older: a later mail must not undo it."""
        first = in_time(self._first[other])
        return any(first < in_time(cut) for cut in self._cuts.get(root, ()))

    def _doubt(self, mail: MailHeaders, other: MailHeaders, why: str) -> None:
        self.doubts.setdefault(mail.remote_id, (other, why))


def _is_generic(base: str) -> bool:
    return base.strip(" .!?") in GENERIC_SUBJECTS


class _ByIndex:
    """Mails by Outlook's conversation index and subject."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], MailHeaders] = {}

    def find(self, mail: MailHeaders, base: str) -> MailHeaders | None:
        return self._latest.get((mail.thread_index, base)) if mail.thread_index else None

    def add(self, mail: MailHeaders, base: str) -> None:
        if mail.thread_index:
            self._latest[mail.thread_index, base] = mail


class _Quoted:
    """A conversation that a mail quotes: how many fingerprints they share, and the latest mail that has some."""

    __slots__ = ("mail", "prints", "root")

    def __init__(self, root: str, mail: MailHeaders) -> None:
        self.root, self.mail, self.prints = root, mail, 0


class _Quotes:
    """Where words stood before. Only words that some start of a conversation quotes are remembered."""

    def __init__(self, linked: Linked, starts: set[str]) -> None:
        self._linked = linked
        self._wanted = {
            each
            for mail in linked.mails
            if mail.remote_id in starts
            for each in unpacked(mail.quoted_prints)
        }
        self._where: dict[int, list[MailHeaders]] = {}

    def add(self, mail: MailHeaders) -> None:
        """Remembers a mail's words, its own and those it quotes: another answer to the same mail is as good."""
        root_of = self._linked.joined.root
        atoms = self._linked.atoms
        root = self._linked.root(mail)
        for each in self._wanted.intersection(unpacked(mail.own_prints + mail.quoted_prints)):
            places = self._where.setdefault(each, [])
            for number, one in enumerate(places):
                if root_of(atoms[one.remote_id]) == root:
                    places[number] = mail
                    break
            else:
                if len(places) <= COMMON:
                    places.append(mail)

    def find(self, mail: MailHeaders) -> tuple[list[_Quoted], int]:
        """Conversations that a mail quotes, most first, and how many of its fingerprints could tell."""
        found: dict[str, _Quoted] = {}
        of_all = 0
        for each in unpacked(mail.quoted_prints):
            roots = {self._linked.root(one): one for one in self._where.get(each, ())}
            if len(roots) > COMMON:
                continue
            of_all += 1
            for root, place in roots.items():
                one = found.setdefault(root, _Quoted(root, place))
                one.prints += 1
                if place.sent_at > one.mail.sent_at:
                    one.mail = place
        return sorted(found.values(), key=lambda one: (-one.prints, one.root)), of_all


class _BySubject:
    """Mails by subject and person: the latest of each conversation, a few conversations back."""

    def __init__(self, policy: ThreadPolicy) -> None:
        self._policy = policy
        self._latest: dict[tuple[str, str], list[MailHeaders]] = {}

    def may_join(self, base: str) -> bool:
        """Whether a subject is long and special enough to say anything."""
        return len(base) >= self._policy.shortest_subject and " " in base and not _is_generic(base)

    def find(self, mail: MailHeaders, base: str, people: Iterable[str]) -> list[MailHeaders]:
        """Mails that it may answer, the latest first."""
        found = {
            one.remote_id: one
            for person in people
            for one in self._latest.get((base, person), ())
            if mail.sent_at - one.sent_at <= self._policy.window
        }
        return sorted(found.values(), key=lambda one: (one.sent_at, one.remote_id), reverse=True)

    def add(self, mail: MailHeaders, base: str, people: Iterable[str]) -> None:
        if not base or mail.sent_at == EPOCH:
            return
        for person in people:
            places = self._latest.setdefault((base, person), [])
            places.append(mail)
            del places[:-2]
