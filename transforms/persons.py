"""Which keys are one person, or one organisation: decided, by rule, by score; with a reason for each.

Belongs here: joining keys into groups, the list of the doubtful. Does not belong here: a record's key
(`identity`), how alike two records are (`matching`), what is shown of a group (`person_rows`).

The rules:
- What a person decided (same, different) goes before everything.
- An e-mail address and an external id are strong: who shares one is one person, across sources. An address
  of a function (info@) counts only for a record that has nothing stronger.
- Everything else is a score (`matching`); what is high but not high enough goes on the list of the doubtful. So
  does a pair whose names differ by more than a slip, however high: families and offices share numbers, and a
  merge shows one customer what another wrote.

The result is a function of all records and decisions together: their order, and the batches in which they
came, change nothing. Keys are never changed: a group is led by its smallest key.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rapidfuzz.distance import OSA

from transforms.identity import Identity, identities_of, spoken
from transforms.identity_values import (
    is_role_address,
    normalise_email,
    normalise_name,
    normalise_phone,
    organisation_domain,
)
from transforms.matching.records import Matching, MatchRecord, PairDecision, ScoredPair
from transforms.model import SourcePerson
from transforms.person_rows import PersonRecord, fullest_name

Scored = Callable[[Iterable[MatchRecord], Sequence[PairDecision]], Matching]
"""Scored matching of one kind, as `matching.match` gives it."""

_LONG_WORD = 5
"""Letters from which one letter may be a slip: in shorter words it makes another name (Jan, Jon)."""

Verdict = Literal["same", "doubtful", "apart"]
Basis = Literal["identity", "score", "decision"]


@dataclass(frozen=True, slots=True)
class Link:
    """Why two keys are one (`same`), may be one (`doubtful`), or are held apart though a rule says one.

    `left_key` < `right_key`. `bits` is the log2 of the odds that both are one, where it was scored.
    """

    left_key: str
    right_key: str
    verdict: Verdict
    basis: Basis
    reason: str
    bits: float | None = None


@dataclass(slots=True)
class Grouping:
    """Who is one: `leader` has every key with the key that leads its group (itself, where it is alone)."""

    leader: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)


def unite_people(
    records: Sequence[PersonRecord],
    decisions: Sequence[PairDecision],
    scored: Scored | None,
    *,
    is_agent: bool = False,
    region: str | None = None,
    organisation_names: Mapping[str, str] | None = None,
    wrote_together: Collection[tuple[str, str]] = (),
) -> Grouping:
    """Groups the keys of all records of one client and kind.

    Args:
        records: all of them contacts, or all agents.
        decisions: what people decided about pairs of keys; keys that are gone are passed over.
        scored: scored matching of people; None leaves it out.
        is_agent: what they are; an external id says nothing of an agent.
        region: country of phone numbers written without one.
        organisation_names: organisation key → name, as evidence.
        wrote_together: pairs of keys (smaller first) that wrote in one ticket: of one full name they are one.
    """
    by_key: dict[str, list[PersonRecord]] = {}
    for record in sorted(records, key=lambda one: (one.key, one.source_key, one.remote_id)):
        by_key.setdefault(record.key, []).append(record)
    names = organisation_names or {}
    return unite(
        by_key,
        lambda key: _match_record(key, by_key[key], region, names),
        decisions,
        _shared_identities(records, is_agent),
        scored,
        Doubts(is_of_people=True, together=wrote_together),
    )


@dataclass(frozen=True, slots=True)
class Doubts:
    """What makes a score of two people doubtful though it is high, or sure though it is not.

    `together` are the pairs of keys (smaller first) that wrote in one ticket.
    """

    is_of_people: bool = False
    together: Collection[tuple[str, str]] = ()


def unite(
    keys: Iterable[str],
    record_of: Callable[[str], MatchRecord],
    decisions: Sequence[PairDecision],
    shared: Iterable[Link] = (),
    scored: Scored | None = None,
    doubts: Doubts = Doubts(),
) -> Grouping:
    """Groups keys by decisions, then by the links of the rules, then by score.

    Args:
        keys: of one kind.
        record_of: what is known by a key; made when it is needed and kept by nobody, since there may be millions.
        decisions: what people decided.
        shared: links by rule, in the order in which they are to be tried.
        scored: scored matching; None leaves it out.
        doubts: what else is known of scores; of people only.
    """
    ordered = sorted(keys)
    known = set(ordered)
    alive = [one for one in decisions if known.issuperset((one.left_key, one.right_key))]
    forest = _Forest(ordered, (one for one in alive if one.decision == "different"))
    for decision in sorted(alive, key=lambda one: (one.left_key, one.right_key)):
        if decision.decision == "same":
            left, right = sorted((decision.left_key, decision.right_key))
            forest.join(Link(left, right, "same", "decision", "a person decided that they are one"))
    for link in shared:
        forest.join(link)
    if scored is not None and len(ordered) > 1:
        held = [
            PairDecision(one.left_key, one.right_key, "same")
            for one in forest.links()
            if one.verdict == "same"
        ]
        apart = [PairDecision(*pair, "different") for pair in sorted(forest.apart)]
        found = scored((record_of(key) for key in ordered), [*held, *apart])
        for pair in found.merges:
            _take(forest, pair, record_of, doubts, is_match=True)
        for pair in found.doubtful:
            _take(forest, pair, record_of, doubts, is_match=False)
    return Grouping({key: forest.root(key) for key in ordered}, forest.links())


def _take(
    forest: "_Forest",
    pair: ScoredPair,
    record_of: Callable[[str], MatchRecord],
    doubts: Doubts,
    *,
    is_match: bool,
) -> None:
    """Joins a scored pair, or lists it as doubtful."""
    left, right, reason = pair.left_key, pair.right_key, pair.reason
    if doubts.is_of_people and (is_match or (left, right) in doubts.together):
        why_not = why_unsure(record_of(left), record_of(right))
        if why_not:
            reason = f"{reason}; {why_not}" if is_match else reason
            is_match = False
        elif not is_match:
            reason, is_match = f"{reason}; both wrote in one ticket", True
    if is_match:
        forest.join(Link(left, right, "same", "score", reason, pair.bits))
    else:
        forest.note(Link(left, right, "doubtful", "score", reason, pair.bits))


def why_unsure(left: MatchRecord, right: MatchRecord) -> str:
    """Why a high score is not enough to make these two people one without asking; empty where it is.

    Their full names have to be the same but for their order, accents, and one slip in a long word. A name of one
    word ("Anna", "Support") does only where one of the two has no address that could be another person's.
    """
    names = [normalise_name(one.name or "") for one in (left, right)]
    if not all(names):
        return "one of them has no name"
    if names[0] != names[1] and not _is_slip(names[0].split(), names[1].split()):
        return "their names differ"
    if " " not in names[0] and left.emails and right.emails:
        return "a name of one word and two addresses"
    return ""


def _is_slip(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether two names differ in one long word only, by one letter that is not its last (Mario, Maria)."""
    ours = sorted(set(left) - set(right))
    theirs = sorted(set(right) - set(left))
    if len(left) != len(right) or len(left) < 2 or len(ours) != 1 or len(theirs) != 1:
        return False
    one, two = ours[0], theirs[0]
    if min(len(one), len(two)) < _LONG_WORD or (len(one) == len(two) and one[:-1] == two[:-1]):
        return False
    return OSA.distance(one, two, score_cutoff=1) <= 1


def _shared_identities(records: Sequence[PersonRecord], is_agent: bool) -> list[Link]:
    """Links between keys whose records show the same strong identity; each key with the smallest that has it."""
    holders: dict[Identity, dict[str, PersonRecord]] = {}
    for record in sorted(records, key=lambda one: (one.source_key, one.remote_id)):
        person = SourcePerson(
            record.remote_id, is_agent, emails=record.emails, external_id=record.external_id
        )
        for identity in identities_of(person, record.source_key):
            holders.setdefault(identity, {}).setdefault(record.key, record)
    links: list[Link] = []
    for identity in sorted(holders):
        first, *others = sorted(holders[identity])
        for other in others:
            one, two = holders[identity][first], holders[identity][other]
            reason = f"{one.label} and {two.label} have the same {spoken(identity)}"
            links.append(Link(first, other, "same", "identity", reason))
    return links


def _match_record(
    key: str,
    records: Sequence[PersonRecord],
    region: str | None,
    organisation_names: Mapping[str, str],
) -> MatchRecord:
    """Everything that the records of one key say together, as evidence for matching."""
    emails = dict.fromkeys(
        email
        for one in records
        for text in one.emails
        if (email := normalise_email(text)) is not None and not is_role_address(email)
    )
    phones = dict.fromkeys(
        normalise_phone(text, region) or text for one in records for text in one.phones
    )
    organisation = next((one.organisation_key for one in records if one.organisation_key), None)
    domain = next((found for email in emails if (found := organisation_domain(email))), None)
    external = dict.fromkeys(one.external_id for one in records if one.external_id)
    return MatchRecord(
        key,
        name=fullest_name(one.name for one in records),
        emails=tuple(emails),
        phones=tuple(phones),
        company=organisation_names.get(organisation) if organisation else None,
        domain=domain,
        attributes=tuple(("external id", value) for value in external),
    )


class _Forest:
    """Groups of keys that grow link by link, none of them holding two keys that a person told apart."""

    def __init__(self, keys: Iterable[str], different: Iterable[PairDecision]) -> None:
        self._parent = {key: key for key in keys}
        self._members = {key: [key] for key in self._parent}
        self._links: dict[tuple[str, str], Link] = {}
        self.apart: set[tuple[str, str]] = set()
        self._opposed: dict[str, set[str]] = {}
        for one in different:
            left, right = sorted((one.left_key, one.right_key))
            self.apart.add((left, right))
            self._opposed.setdefault(left, set()).add(right)
            self._opposed.setdefault(right, set()).add(left)

    def root(self, key: str) -> str:
        """The smallest key of its group."""
        while self._parent[key] != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key

    def join(self, link: Link) -> None:
        """Joins the two groups, unless that would bring together what a person told apart."""
        first, second = sorted((self.root(link.left_key), self.root(link.right_key)))
        if first == second:
            return
        if self._is_held_apart(first, second):
            reason = f"{link.reason}; a person decided that they are two"
            self.note(Link(link.left_key, link.right_key, "apart", "decision", reason, link.bits))
            return
        self._links[(link.left_key, link.right_key)] = link
        self._members[first] += self._members.pop(second)
        self._parent[second] = first

    def note(self, link: Link) -> None:
        """Keeps a link that joins nobody, where none is known for the pair."""
        self._links.setdefault((link.left_key, link.right_key), link)

    def links(self) -> list[Link]:
        """All links by their keys."""
        return [self._links[pair] for pair in sorted(self._links)]

    def _is_held_apart(self, first: str, second: str) -> bool:
        if not self._opposed:
            return False
        small, large = sorted((self._members[first], self._members[second]), key=len)
        others = set(large)
        return any(not others.isdisjoint(self._opposed.get(key, ())) for key in small)
