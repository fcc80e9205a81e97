"""How like two texts are, for many pairs at once.

Belongs here: distances over columns of texts, lists of several values per record. Does not belong here: what a
likeness is worth (`scoring`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from transforms.matching.table import Flags, Lists, Wide

Bits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Likeness:
    """For each pair: edits apart (OSA), share of letters that agree in place (Jaro-Winkler), lengths."""

    edits: NDArray[np.int32]
    jaro: Bits
    shorter: NDArray[np.int32]
    longer: NDArray[np.int32]


def likeness(left: list[str], right: list[str]) -> Likeness:
    """Likeness of `left[i]` and `right[i]`."""
    if not left:
        none, zero = np.empty(0, np.int32), np.empty(0, np.float32)
        return Likeness(none, zero, none, none)
    sizes = (
        np.fromiter(map(len, left), np.int32, len(left)),
        np.fromiter(map(len, right), np.int32, len(right)),
    )
    return Likeness(
        edits(left, right),
        cpdist(left, right, scorer=JaroWinkler.normalized_similarity, dtype=np.float32),
        np.minimum(*sizes),
        np.maximum(*sizes),
    )


def edits(left: list[str], right: list[str]) -> NDArray[np.int32]:
    """Letters inserted, left out, changed or swapped with their neighbour between `left[i]` and `right[i]`."""
    if not left:
        return np.empty(0, np.int32)
    return cpdist(left, right, scorer=OSA.distance, dtype=np.int32)


def is_close(like: Likeness) -> Flags:
    """One slip of the pen, two in a long word; short words (Tim, Tom) are too easily another one."""
    one = (like.edits <= 1) & (like.shorter >= 3) & (like.longer >= 4)
    return one | ((like.edits <= 2) & (like.shorter >= 7))


def is_similar(like: Likeness) -> Flags:
    """More alike than chance makes two words, yet not a slip."""
    return ((like.jaro >= 0.88) & (like.shorter >= 3)) | (
        (like.edits * 3 <= like.longer) & (like.shorter >= 4)
    )


def crossed(lists: Lists, left: Wide, right: Wide) -> tuple[Wide, Wide, Wide]:
    """Every value of the one record with every value of the other: (number of the pair, code, code)."""
    sizes = np.diff(lists.start)
    of_left, of_right = sizes[left], sizes[right]
    times = of_left * of_right
    pair = np.repeat(np.arange(len(left)), times)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(times) - times, times)
    width = of_right[pair]
    return (
        pair,
        lists.codes[lists.start[left[pair]] + within // np.maximum(width, 1)].astype(np.int64),
        lists.codes[lists.start[right[pair]] + within % np.maximum(width, 1)].astype(np.int64),
    )
