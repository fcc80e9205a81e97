"""Which records of people are one person: by rule, with a reason each, precision first.

Belongs here: joining records into contacts, or into agents. Does not belong here: normal forms
(`identity_values`), a record's identities and what survives of its values (`identity_rows`), reading or
writing what is known.

The rules:
- An e-mail address and an external id are strong: who shares one is one person, across sources.
- An address of a function (info@) counts only for a record that has nothing stronger.
- A phone number counts only together with the same full name, only for a record without a strong identity,
  and not at all where more than `PHONE_SHARED_BY` names use it. Nothing is ever joined over two such steps.
- A name alone joins nobody.
- What a person decided (same, different) goes before all rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from transforms.identity_rows import (
    PHONE_SHARED_BY,
    STRONG,
    AliasRow,
    Decision,
    Identity,
    IdentityRow,
    Kind,
    Merge,
    PersonRow,
    Resolution,
    identities_of,
    spoken,
    survivor,
)
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
    records = [
        _Record(source_key, person, identities_of(person, source_key, region))
        for source_key, person in people
    ]
    records.sort(key=lambda record: (record.source_key, record.person.remote_id))
    return _Resolver(known, records, client_key, decisions, kind, present or {}).run()


_Node = int | str
"""A record's number, or the key of somebody known."""


@dataclass(frozen=True, slots=True)
class _Record:
    """One record with its identities."""

    source_key: str
    person: SourcePerson
    identities: tuple[Identity, ...]

    @property
    def label(self) -> str:
        return f"{self.source_key} {self.person.remote_id}"

    @property
    def source_value(self) -> str:
        return f"{self.source_key}/{self.person.remote_id}"

    @property
    def is_weak(self) -> bool:
        return not any(kind in ("email", "external_id") for kind, _ in self.identities)

    def by_phone(self, shared: set[str]) -> list[Identity]:
        """Its numbers with the name, without those that are shared."""
        return [
            (kind, value)
            for kind, value in self.identities
            if kind == "phone_and_name" and value.partition(" ")[0] not in shared
        ]


class _Resolver:
    """One call of `resolve`: a forest over records (by number) and known keys, joined link by link."""

    def __init__(
        self,
        known: Mapping[Identity, str],
        records: Sequence[_Record],
        client_key: str,
        decisions: Sequence[Decision],
        kind: Kind,
        present: Mapping[str, PersonRow],
    ) -> None:
        self._known = known
        self._records = records
        self._client_key = client_key
        self._kind = kind
        self._present = present
        self._decisions = decisions
        self._apart = {
            frozenset((d.left_key, d.right_key)) for d in decisions if d.decision == "different"
        }
        self._parent: dict[_Node, _Node] = {}
        self._members: dict[_Node, list[_Node]] = {}
        self._reasons: dict[_Node, str] = {}
        self._merge_reasons: dict[_Node, str] = {}
        self._owner: dict[Identity, _Node] = {}
        self._result = Resolution()

    def run(self) -> Resolution:
        self._join_decided()
        self._join_strong()
        self._join_by_phone_and_name()
        groups: dict[_Node, list[int]] = {}
        for number in range(len(self._records)):
            groups.setdefault(self._root(number), []).append(number)
        for root in dict.fromkeys(self._root(node) for node in [*self._parent]):
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

        The others only offer theirs: two of them are never joined by it.
        """
        shared = self._shared_phones()
        weak: list[int] = []
        for number, record in enumerate(self._records):
            if record.is_weak and ("source", record.source_value) not in self._known:
                weak.append(number)
                continue
            for identity in record.by_phone(shared):
                self._owner.setdefault(identity, self._known.get(identity, number))
        for number in weak:
            record = self._records[number]
            offered = record.by_phone(shared)
            met = next((i for i in offered if i in self._known or i in self._owner), None)
            if met is not None:
                self._link(number, record, met)
            else:
                self._owner |= dict.fromkeys(offered, number)

    def _shared_phones(self) -> set[str]:
        """Numbers that too many names use, among the known and the records together."""
        own = [identity for record in self._records for identity in record.by_phone(set())]
        names: dict[str, set[str]] = {value.partition(" ")[0]: set() for _, value in own}
        for kind, value in (*own, *self._known) if own else ():
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
            self._join(owner, number, f"{record.label} has the {spoken(identity)}")

    def _join(self, left: _Node, right: _Node, reason: str) -> None:
        first, second = self._root(left), self._root(right)
        if first == second:
            return
        if self._is_held_apart(first, second):
            self._result.held_apart.append(f"{reason}; a person decided that they are two")
            return
        kept, joining = self._members[first], self._members.pop(second)
        for node in joining:
            self._reasons.setdefault(node, reason)
        if any(isinstance(n, str) for n in kept) and any(isinstance(n, str) for n in joining):
            for node in (*kept, *joining):
                self._merge_reasons.setdefault(node, reason)
        self._parent[second] = first
        self._members[first] += joining

    def _is_held_apart(self, first: _Node, second: _Node) -> bool:
        return bool(self._apart) and any(
            frozenset((left, right)) in self._apart
            for left in self._members[first]
            for right in self._members[second]
            if isinstance(left, str) and isinstance(right, str)
        )

    def _root(self, node: _Node) -> _Node:
        if node not in self._parent:
            self._parent[node] = node
            self._members[node] = [node]
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def _settle(self, root: _Node, numbers: Sequence[int]) -> None:
        """Gives a group its key and writes down what became of it."""
        known = sorted(node for node in self._members[root] if isinstance(node, str))
        records = [self._records[number] for number in numbers]
        key = known[0] if known else self._new_key(records)
        for loser in known[1:]:
            self._result.merges.append(Merge(key, loser, self._merge_reasons[loser]))
        for number, record in zip(numbers, records, strict=True):
            self._result.keys[(record.source_key, record.person.remote_id)] = key
            if self._known.get(("source", record.source_value)) != key:
                reason = self._reasons.get(number, "first seen")
                alias = AliasRow(record.source_key, record.person.remote_id, key, reason)
                self._result.aliases.append(alias)
        self._note_identities(root, key, records)
        if records or len(known) > 1:
            shown = [self._present[one] for one in known if one in self._present]
            told = [(record.source_key, record.person) for record in records]
            self._result.people.append(survivor(key, shown, told))

    def _note_identities(self, root: _Node, key: str, records: Sequence[_Record]) -> None:
        noted: set[Identity] = set()
        for record in records:
            for identity in record.identities:
                owner = self._owner.get(identity)
                is_ours = owner is not None and self._root(owner) == root
                if is_ours and identity not in self._known and identity not in noted:
                    noted.add(identity)
                    reason = f"{spoken(identity)} of {record.label}"
                    row = IdentityRow(*identity, key, record.source_key, reason)
                    self._result.identities.append(row)

    def _new_key(self, records: Sequence[_Record]) -> str:
        """Derived from what the group is best known by, so that two runs over the same people agree."""
        for kind in ("email", "external_id"):
            values = [value for r in records for k, value in r.identities if k == kind]
            if values:
                return key_of(self._kind, self._client_key, kind, min(values))
        first = records[0]
        return key_of(self._kind, self._client_key, first.source_key, first.person.remote_id)
