"""What scored matching takes and gives: records, decisions, clusters, merges with reasons, doubtful pairs.

Belongs here: the types and the three fixed bounds. Does not belong here: any computing (`match` is the door).
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["person", "organisation"]

MATCH_BITS = 5.0
"""From here on two records are one: odds of 32 to 1 (log2). Fixed for all data, fitted to none."""

DOUBTFUL_BITS = 0.0
"""From here on a pair is worth a person's look: as likely one as two."""


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """One record of a person or an organisation; every field but `key` may be missing, which counts neither way.

    A person's name comes as `given` and `family`, or as `name` in one string; an organisation's as `name`.
    Phone numbers are best given as E.164; national ones match by their last digits. `street` may hold the
    house number; `second_line` is the address's other line (building, district). `born` is `YYYY-MM-DD` or `YYYYMMDD`. `attributes` are (name, value) pairs of anything else
    that says something about identity, such as a customer's birthplace; values are compared as words.
    """

    key: str
    name: str | None = None
    given: str | None = None
    family: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    company: str | None = None
    domain: str | None = None
    street: str | None = None
    house_number: str | None = None
    second_line: str | None = None
    city: str | None = None
    postcode: str | None = None
    region: str | None = None
    born: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PairDecision:
    """What a person decided about two records: it goes before every score."""

    left_key: str
    right_key: str
    decision: Literal["same", "different"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one field says of a pair: `surname 'Muster', rare` and +9.3 bits; negative bits speak against."""

    field: str
    what: str
    bits: float


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A pair with its score: bits are log2 of the odds that both are one. `left_key` < `right_key`."""

    left_key: str
    right_key: str
    bits: float
    evidence: tuple[Evidence, ...] = ()
    note: str = ""
    """Why a pair is only doubtful although its score is high; empty where the score itself says so."""

    @property
    def reason(self) -> str:
        """The evidence as one line, strongest first."""
        parts = sorted(self.evidence, key=lambda one: (-abs(one.bits), one.field))
        told = ", ".join(f"{one.what} ({one.bits:+.1f})" for one in parts)
        told = f"{told}; {self.note}" if told and self.note else told or self.note
        return f"{self.bits:.1f} bits: {told}" if self.evidence else told


@dataclass(frozen=True, slots=True)
class Matching:
    """The whole result, the same for any order of the records.

    Attributes:
        clusters: every record's key in exactly one group; groups and keys sorted.
        merges: why: for a cluster of n records n - 1 pairs that hold it together.
        doubtful: pairs of different clusters for a person to look at, best first, one for two clusters.
    """

    clusters: list[tuple[str, ...]] = field(default_factory=list)
    merges: list[ScoredPair] = field(default_factory=list)
    doubtful: list[ScoredPair] = field(default_factory=list)
