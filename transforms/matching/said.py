"""What a field says of pairs: bits for or against both being one, and the outcome.

Belongs here: how fields answer, and what all comparisons of fields need. Does not belong here: any field.

Two scores stand beside each other, after Fellegi and Sunter: against strangers, where any agreement counts as much
as it is rare, and against people who belong together (a household, colleagues; branches of a chain), where the
shared address, number or domain says little and the given name much. A pair is as sure as the worst of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.matching.similarity import Bits
from transforms.matching.table import Codes, Column, Flags, Wide

Small = NDArray[np.int8]

MISSING, DIFFERENT, LIKE, CLOSE, EXACT = 0, 1, 2, 3, 4
"""Levels of a field; LIKE is anything in between."""

SHARED_BY_TWO = 0.05
"""How often two colleagues share what nobody else of the company has."""


@dataclass(slots=True)
class Said:
    """What a field says of each pair.

    Attributes:
        field: its name.
        bits: for (positive) or against both being one rather than strangers; 0 where it is missing.
        level: its outcome.
        others: how many other people seem to have the value in which the pair agrees, where that is counted.
    """

    field: str
    bits: Bits
    level: Small
    others: Bits | None = None

    @classmethod
    def nothing(cls, field: str, size: int) -> "Said":
        """Missing everywhere."""
        return cls(field, np.zeros(size, np.float32), np.zeros(size, np.int8))

    def set(self, where: NDArray[np.int64] | Flags, level: int, bits: ArrayLike) -> None:
        """Puts one outcome in place."""
        self.level[where] = level
        self.bits[where] = np.asarray(bits, np.float32)

    def taken(self, where: Wide) -> "Said":
        """The same of some of the pairs."""
        others = None if self.others is None else self.others[where]
        return Said(self.field, self.bits[where], self.level[where], others)

    def against(self, sharing: float, people: Bits | None = None) -> Bits:
        """Bits against people who belong together.

        They have the field in common so often, and then agree like records of one; else they are strangers in it.

        Args:
            sharing: how often.
            people: among how many of them the counted others are; None where that is not known.
        """
        share: float | Bits = sharing
        if self.others is not None and people is not None:
            share = np.clip(self.others / people, SHARED_BY_TWO, sharing)
        elif self.others is not None and self.field != "street":
            share = np.maximum(self.others / (self.others + 1), sharing)
        with np.errstate(over="ignore"):
            return -np.log2(share + (1 - share) * np.exp2(-self.bits))


def slots(size: int) -> Flags:
    """No pair has its outcome yet."""
    return np.zeros(size, np.bool_)


def log2_of(values: ArrayLike) -> Bits:
    """Bits of odds."""
    return np.log2(np.asarray(values, np.float64)).astype(np.float32)


def shares(column: Column, prior: float, records: int) -> NDArray[np.float64]:
    """For each value how often a random record has it; `prior` stands in while there are few records."""
    return np.asarray((column.counts + 1.0) / (records + 1.0 / prior), np.float64)


def texts(values: list[str], codes: Codes | Wide) -> list[str]:
    """The texts of codes, none of which is NONE."""
    return [values[at] for at in codes.tolist()]


def has_blank(values: list[str]) -> Flags:
    """For each value whether it is of several words."""
    return np.fromiter((" " in value for value in values), np.bool_, len(values))


def where_true(
    asked: Flags, left: list[str], right: list[str], test: Callable[[str, str], bool]
) -> Flags:
    """Which of the pairs asked for pass a test that only looks at one pair at a time."""
    found = np.zeros(len(asked), np.bool_)
    for at in np.flatnonzero(asked).tolist():
        found[at] = test(left[at], right[at])
    return found


def is_part(left: str, right: str) -> bool:
    """Whether the words of the one are among the other's: `Anna`, `Anna Maria`; or only a blank differs."""
    one, other = set(left.split()), set(right.split())
    return one <= other or other <= one or left.replace(" ", "") == right.replace(" ", "")


def best_of(said: Said, pair: Wide, one: Said) -> Wide:
    """Takes of several comparisons of one pair the one that speaks most for it; gives which these are."""
    order = np.lexsort((one.level, one.bits, pair))
    kept: Wide = order[np.append(pair[order][1:] != pair[order][:-1], True)]
    said.bits[pair[kept]] = one.bits[kept]
    said.level[pair[kept]] = one.level[kept]
    return kept
