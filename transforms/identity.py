"""Which records of people are one person: by rule, with a reason each, precision first.

Belongs here: a person's identities, joining records into contacts (or agents), what survives of their values.
Does not belong here: normal forms (`identity_values`), reading or writing what is known.

The rules:
- An e-mail address and an external id are strong: who shares one is one person, across sources.
- An address of a function (info@) counts only for a record that has nothing stronger.
- A phone number counts only together with the same full name, only for a record without a strong identity,
  and not at all where more than `PHONE_SHARED_BY` names use it. Nothing is ever joined over two such steps.
- A name alone joins nobody.
- What a person decided (same, different) goes before all rules.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from transforms.identity_values import (
    is_role_address,
    normalise_email,
    normalise_name,
    normalise_phone,
    organisation_domain,
    region_of_zone,
)
from transforms.model import SourcePerson, key_of

__all__ = [
    "Decision",
    "PersonRow",
    "Resolution",
    "identities_of",
    "is_role_address",
    "known_keys_of",
    "normalise_email",
    "normalise_name",
    "normalise_phone",
    "organisation_domain",
    "region_of_zone",
    "resolve",
]

Kind = Literal["contact", "agent"]

Identity = tuple[str, str]
"""(kind, value): `email`, `external_id`, `phone_and_name` or `source` (`source id/remote id`)."""

STRONG = frozenset({"email", "external_id", "source"})

PHONE_SHARED_BY = 3
"""A number that more names than this use is a switchboard, not a person's."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about two contacts."""

    left_key: str
    right_key: str
    decision: Literal["same", "different"]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What is shown of a contact or an agent, after survivorship. `organisation` = (source id, remote id)."""

    key: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    time_zone: str | None = None
    is_active: bool = True
    organisation: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An identity and whose it is. `source_key` told it; `reason` says of which record."""

    kind: str
    value: str
    key: str
    source_key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Merge:
    """Two known contacts turned out to be one: everything of `loser_key` is now `winner_key`'s."""

    winner_key: str
    loser_key: str
    reason: str


@dataclass(frozen=True, slots=True)
class AliasRow:
    """A source's record → our key."""

    source_key: str
    remote_id: str
    key: str
    reason: str


@dataclass(slots=True)
class Resolution:
    """What `resolve` decided. `held_apart` lists links that a person's decision kept from joining."""

    people: list[PersonRow] = field(default_factory=list)
    identities: list[IdentityRow] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    aliases: list[AliasRow] = field(default_factory=list)
    held_apart: list[str] = field(default_factory=list)

    def key_of(self, source_key: str, remote_id: str) -> str | None:
        """The key of one of the records that were resolved."""
        for alias in self.aliases:
            if (alias.source_key, alias.remote_id) == (source_key, remote_id):
                return alias.key
        return None


def identities_of(
    person: SourcePerson, source_key: str, region: str | None = None
) -> tuple[Identity, ...]:
    """Everything by which this record can be known again, strongest first, each once.

    Args:
        person: as the source knows it.
        source_key: the source's id.
        region: country of phone numbers written without one (`region_of_zone` of the client).
    """
    found: dict[Identity, None] = {}
    emails = [email for text in person.emails if (email := normalise_email(text)) is not None]
    own = [email for email in emails if not is_role_address(email)]
    external = (person.external_id or "").strip()
    has_stronger = bool(own or external)
    found.update((("email", email), None) for email in (own if has_stronger else emails))
    # Agents are known by their address: the external id is a field that customers' systems fill.
    if external and not person.is_agent:
        found[("external_id", external)] = None
    found[("source", f"{source_key}/{person.remote_id}")] = None
    name = normalise_name(person.name or "")
    if " " in name and not person.is_agent and (has_stronger or not emails):
        for text in person.phones:
            phone = normalise_phone(text, region)
            if phone is not None:
                found[("phone_and_name", f"{phone} {name}")] = None
    return tuple(found)


def known_keys_of(
    known: Mapping[Identity, str],
    people: Iterable[tuple[str, SourcePerson]],
    region: str | None = None,
) -> set[str]:
    """Keys of the known contacts that these records touch; the caller reads their rows for `present`."""
    return {
        known[identity]
        for source_key, person in people
        for identity in identities_of(person, source_key, region)
        if identity in known
    }


def resolve(
    known: Mapping[Identity, str],
    people: Sequence[tuple[str, SourcePerson]],
    client_key: str,
    decisions: Sequence[Decision] = (),
    *,
    kind: Kind = "contact",
    present: Mapping[str, PersonRow] | None = None,
    region: str | None = None,
) -> Resolution:
    """Joins records into contacts, or into agents.

    The order of `people` does not matter. Strong identities give the same grouping whatever the batches
    in which people come; a new key is derived from the group's smallest address, else its external id, else
    its first record.

    Args:
        known: identity → key of everybody of this client (and this kind) so far.
        people: (source id, record); all of them contacts, or all agents.
        client_key: whose.
        decisions: what people decided about pairs of known contacts.
        kind: what they are.
        present: rows of the known contacts that are touched; their values survive where they are fuller.
        region: country of phone numbers written without one.
    """
    return _Resolver(known, people, client_key, decisions, kind, present or {}, region).run()


@dataclass(slots=True)
class _Record:
    """One record with its identities."""

    source_key: str
    person: SourcePerson
    identities: tuple[Identity, ...]

    @property
    def label(self) -> str:
        return f"{self.source_key} {self.person.remote_id}"


class _Resolver:
    """One call of `resolve`: a forest over records and known keys, joined link by link."""

    def __init__(
        self,
        known: Mapping[Identity, str],
        people: Sequence[tuple[str, SourcePerson]],
        client_key: str,
        decisions: Sequence[Decision],
        kind: Kind,
        present: Mapping[str, PersonRow],
        region: str | None,
    ) -> None:
        self._known = known
        self._client_key = client_key
        self._kind = kind
        self._present = present
        self._records = sorted(
            (
                _Record(source_key, person, identities_of(person, source_key, region))
                for source_key, person in people
            ),
            key=lambda record: (record.source_key, record.person.remote_id),
        )
        self._decisions = decisions
        self._apart = {
            frozenset((d.left_key, d.right_key)) for d in decisions if d.decision == "different"
        }
        self._parent: dict[Any, Any] = {}
        self._members: dict[Any, list[Any]] = {}
        self._reasons: dict[Any, str] = {}
        self._owner: dict[Identity, Any] = {}
        self._result = Resolution()

    def run(self) -> Resolution:
        self._join_decided()
        self._join_strong()
        self._join_by_phone_and_name()
        groups: dict[Any, list[_Record]] = {}
        for number, record in enumerate(self._records):
            groups.setdefault(self._root(number), []).append(record)
        decided = {self._root(node) for node in self._parent if isinstance(node, str)}
        for root in [*groups, *sorted(decided - set(groups), key=str)]:
            self._settle(root, groups.get(root, []))
        return self._result

    def _join_decided(self) -> None:
        """Joins known contacts that a person called the same."""
        alive = set(self._known.values()) if self._decisions else set()
        for decision in self._decisions:
            pair = (decision.left_key, decision.right_key)
            if decision.decision == "same" and alive.issuperset(pair):
                self._join(*pair, "a person decided that they are one")

    def _join_strong(self) -> None:
        for number, record in enumerate(self._records):
            self._root(number)
            for identity in record.identities:
                if identity[0] in STRONG:
                    self._link(number, record, identity)

    def _join_by_phone_and_name(self) -> None:
        """Lets records with nothing stronger join whoever has the same number and full name.

        Those with something stronger only offer theirs: two of them are never joined by it.
        """
        shared = self._shared_phones()
        weak, strong = [], []
        for number, record in enumerate(self._records):
            has_strong = any(kind in ("email", "external_id") for kind, _ in record.identities)
            is_known = any(i in self._known for i in record.identities if i[0] == "source")
            (strong if has_strong or is_known else weak).append((number, record))
        for number, record in strong:
            for identity in _usable(record, shared):
                self._owner.setdefault(identity, self._known.get(identity, number))
        for number, record in weak:
            usable = _usable(record, shared)
            met = next((i for i in usable if i in self._known or i in self._owner), None)
            if met is not None:
                self._link(number, record, met)
                continue
            for identity in usable:
                self._owner[identity] = number

    def _shared_phones(self) -> set[str]:
        """Numbers that too many names use, among the known and the records together."""
        own = [i for record in self._records for i in record.identities if i[0] == "phone_and_name"]
        if not own:
            return set()
        names: dict[str, set[str]] = {value.partition(" ")[0]: set() for _, value in own}
        for kind, value in (*own, *self._known):
            phone, _, name = value.partition(" ")
            if kind == "phone_and_name" and phone in names:
                names[phone].add(name)
        return {phone for phone, users in names.items() if len(users) > PHONE_SHARED_BY}

    def _link(self, number: int, record: _Record, identity: Identity) -> None:
        """Joins a record with whoever has this identity already; else it is the record's own."""
        owner = self._known.get(identity, self._owner.get(identity))
        if owner is None:
            self._owner[identity] = number
        else:
            self._join(owner, number, f"{record.label} has the {_spoken(identity)}")

    def _join(self, left: Any, right: Any, reason: str) -> None:
        first, second = self._root(left), self._root(right)
        if first == second:
            return
        if self._is_held_apart(first, second):
            self._result.held_apart.append(f"{reason}; a person decided that they are two")
            return
        for member in self._members[second]:
            self._reasons.setdefault(member, reason)
        self._reasons.setdefault(first, reason)
        self._parent[second] = first
        self._members[first] += self._members.pop(second)

    def _is_held_apart(self, first: Any, second: Any) -> bool:
        if not self._apart:
            return False
        return any(
            frozenset((left, right)) in self._apart
            for left in self._members[first]
            if isinstance(left, str)
            for right in self._members[second]
            if isinstance(right, str)
        )

    def _root(self, node: Any) -> Any:
        if node not in self._parent:
            self._parent[node] = node
            self._members[node] = [node]
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def _settle(self, root: Any, records: list[_Record]) -> None:
        """Gives a group its key and writes down what became of it."""
        known = sorted(member for member in self._members[root] if isinstance(member, str))
        key = known[0] if known else self._new_key(records)
        self._result.merges += [
            Merge(key, loser, self._reasons.get(loser, "")) for loser in known[1:]
        ]
        for record in records:
            self._result.aliases.append(
                AliasRow(
                    record.source_key,
                    record.person.remote_id,
                    key,
                    self._reasons.get(self._records.index(record), "first seen"),
                )
            )
        self._note_identities(root, key, records)
        if records:
            rows = [self._present[one] for one in known if one in self._present]
            self._result.people.append(_survivor(key, rows, records))

    def _note_identities(self, root: Any, key: str, records: list[_Record]) -> None:
        noted: set[Identity] = set()
        for record in records:
            for identity in record.identities:
                owner = self._known.get(identity, self._owner.get(identity))
                is_ours = owner is not None and self._root(owner) == root
                if is_ours and identity not in noted and identity not in self._known:
                    noted.add(identity)
                    reason = f"{_spoken(identity)} of {record.label}"
                    self._result.identities.append(
                        IdentityRow(*identity, key, record.source_key, reason)
                    )

    def _new_key(self, records: list[_Record]) -> str:
        """Derived from what the group is best known by, so that two runs over the same people agree."""
        for kind in ("email", "external_id"):
            values = [value for r in records for k, value in r.identities if k == kind]
            if values:
                return key_of(self._kind, self._client_key, kind, min(values))
        return key_of(
            self._kind, self._client_key, records[0].source_key, records[0].person.remote_id
        )


def _usable(record: _Record, shared: set[str]) -> list[Identity]:
    return [
        (kind, value)
        for kind, value in record.identities
        if kind == "phone_and_name" and value.partition(" ")[0] not in shared
    ]


def _spoken(identity: Identity) -> str:
    kind, value = identity
    words = {
        "email": "e-mail address",
        "external_id": "external id",
        "phone_and_name": "phone number and name",
        "source": "record",
    }
    return f"{words[kind]} {value}"


def _survivor(key: str, rows: Sequence[PersonRow], records: Sequence[_Record]) -> PersonRow:
    """What is shown: the fullest name, the first of all else; values already shown stay before new ones."""
    people = [record.person for record in records]
    emails = [email for person in people for email in person.emails]
    own = [email for email in emails if not is_role_address(email.lower())] or emails
    return PersonRow(
        key=key,
        name=_fullest([row.name for row in rows] + [person.name for person in people]),
        email=_first(
            [row.email for row in rows],
            lambda: (normalise_email(email) for email in own),
        ),
        phone=_first(
            [row.phone for row in rows], lambda: (p for one in people for p in one.phones)
        ),
        language=_first([r.language for r in rows], lambda: (p.language for p in people)),
        time_zone=_first([r.time_zone for r in rows], lambda: (p.time_zone for p in people)),
        is_active=any(person.is_active for person in people),
        organisation=next(
            (row.organisation for row in rows if row.organisation),
            next(
                (
                    (record.source_key, record.person.organisation_remote_id)
                    for record in records
                    if record.person.organisation_remote_id
                ),
                None,
            ),
        ),
    )


def _first(shown: Iterable[str | None], told: Callable[[], Iterable[str | None]]) -> str | None:
    return next((v for v in shown if v), None) or next((v for v in told() if v), None)


def _fullest(names: Iterable[str | None]) -> str | None:
    """The name with the most words, then the longest, then the first by letter; an address is no name."""
    real = {name.strip() for name in names if name and name.strip()}
    best = sorted(real, key=lambda n: ("@" in n, -len(n.split()), -len(n), n))
    return best[0] if best else None
