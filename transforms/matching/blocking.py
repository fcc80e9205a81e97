"""Which pairs of records are worth comparing: those that share a key, never all.

Belongs here: keys of persons and organisations, pairs of a key. Does not belong here: comparing them.

Several keys, so that damage to one field leaves others. A key that too many records share is no clue: it is left
out where narrower keys cover the same records, or only neighbours in the order of names are paired. So the pairs
of a key grow with the records, never with their square.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from transforms.matching.table import NONE, Codes, Column, Table, Wide

_MIX = np.uint64(0x9E3779B97F4A7C15)

_SMALL = 5_000
"""Up to so many records blocks may be eight times as large; towards a million that fades away."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of some records.

    Attributes:
        owners: records; one may stand here more than once.
        values: for each of them the key, hashed.
        most: largest block of which all pairs are taken.
        near: in larger blocks each is paired with so many that follow it; 0 leaves such blocks out.
    """

    owners: Wide
    values: Wide
    most: int
    near: int = 0


def candidate_pairs(table: Table) -> tuple[Wide, Wide]:
    """(left, right) of all pairs to compare, left < right, each once, sorted."""
    size = len(table)
    order = _name_order(table)
    keys = _person_keys(table) if table.kind == "person" else _organisation_keys(table)
    found = [np.empty(0, np.int64)]
    wider = 1 + 7 * min(1.0, _SMALL / max(size, 1))
    for key in keys:
        left, right = _pairs(key, order, int(key.most * wider))
        found.append(np.minimum(left, right) * size + np.maximum(left, right))
    pairs = np.unique(np.concatenate(found))
    return pairs // max(size, 1), pairs % max(size, 1)


def _name_order(table: Table) -> Wide:
    """For each record its place in the order of names, which decides who is whose neighbour."""
    sounds = np.append(table.name_sound, NONE)
    order = np.lexsort(
        (
            table.born.codes,
            table.company.codes,
            sounds[table.given.codes],
            sounds[table.family.codes],
        )
    )
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _pairs(key: Key, order: Wide, most: int) -> tuple[Wide, Wide]:
    """Pairs of the records with one key; `most` is the largest block of which all are taken."""
    by = np.lexsort((order[key.owners], key.values))
    owners, values = key.owners[by], key.values[by]
    is_first = np.append(True, values[1:] != values[:-1]) if len(values) else np.empty(0, np.bool_)
    starts = np.flatnonzero(is_first)
    sizes = np.diff(np.append(starts, len(values)))
    reach = np.where(sizes <= most, sizes - 1, key.near)
    ends = np.repeat(np.minimum(starts + sizes, len(values)), sizes)
    width = np.repeat(reach, sizes)
    left, right = [], []
    at = np.flatnonzero(width > 0)
    for step in range(1, int(width.max(initial=0)) + 1):
        at = at[(width[at] >= step) & (at + step < ends[at])]
        left.append(owners[at])
        right.append(owners[at + step])
    if not left:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    one, other = np.concatenate(left), np.concatenate(right)
    is_pair = one != other
    return one[is_pair], other[is_pair]


def _key(
    parts: tuple[Codes | Wide, ...], most: int, near: int = 0, owners: Wide | None = None
) -> Key:
    """A key of several parts, of the records that have them all."""
    has = np.logical_and.reduce([part >= 0 for part in parts])
    at = np.flatnonzero(has)
    mixed = np.zeros(len(at), np.uint64)
    for part in parts:
        mixed = (mixed ^ part[at].astype(np.uint64)) * _MIX
        mixed ^= mixed >> np.uint64(29)
    return Key(at if owners is None else owners[at], mixed.astype(np.int64), most, near)


def _both(given: Codes, family: Codes) -> Wide:
    """Two name parts in either order; NONE where one is missing."""
    low, high = (
        np.minimum(given, family).astype(np.int64),
        np.maximum(given, family).astype(np.int64),
    )
    return np.where(low >= 0, low * (int(high.max(initial=0)) + 1) + high, NONE)


def _prefix(column_values: list[str], length: int) -> Codes:
    """For each value the number of its first letters; NONE for shorter ones."""
    codes: dict[str, int] = {}
    return np.fromiter(
        (
            codes.setdefault(value[:length], len(codes)) if len(value) >= length else NONE
            for value in column_values
        ),
        np.int32,
        len(column_values),
    )


def _of(values: Codes, codes: Codes | Wide) -> Codes:
    """What stands for each code, NONE for NONE."""
    return np.append(values, np.int32(NONE))[codes]


def _list_keys(table: Table) -> Iterator[Key]:
    """Addresses and numbers, which persons and organisations share."""
    owners = table.emails.owners()
    codes = table.emails.codes
    if len(codes):
        yield _key((codes,), 12, 3, owners)
        local = np.append(table.email_local, NONE)[codes]
        is_own = ~table.email_is_role[codes] & (
            np.fromiter(map(len, table.locals), np.int32, len(table.locals))[local] >= 5
        )
        yield _key((np.where(is_own, local, NONE),), 6, 0, owners)
        start = np.append(_prefix(table.emails.values, 5), NONE)[codes]
        yield _key((start,), 5, 0, owners)
    if len(table.phones.codes):
        yield _key((table.phone_tail[table.phones.codes],), 12, 3, table.phones.owners())


def _address_keys(table: Table) -> Iterator[Key]:
    street = _of(_prefix(table.street.values, 4), table.street.codes)
    yield _key((table.street.codes, table.house.codes), 6)
    yield _key((table.postcode.codes, table.house.codes, street), 12, 2)


def _person_keys(table: Table) -> Iterator[Key]:
    yield from _list_keys(table)
    yield from _address_keys(table)
    given, family = (_of(table.name_sound, c.codes) for c in (table.given, table.family))
    both = _both(given, family)
    born, city, post = table.born.codes, table.city.codes, table.postcode.codes
    street, domain = table.street.codes, table.domains.codes
    yield _key((both,), 6)
    for other in (born, city, post, domain, table.company.codes):
        if (other >= 0).any():
            yield _key((both, other), 12, 2)
    # A name part alone with something else, in whichever field it stands.
    everybody = np.tile(np.arange(len(table)), 2)
    part = np.concatenate([given, family])
    for other in (born, post, street, city, domain):
        if (other >= 0).any():
            yield _key((part, np.tile(other, 2)), 5, 0, everybody)
    for other in (post, city):
        yield _key((born, other), 6)
    for other in (born, part):
        whose = everybody if len(other) > len(table) else None
        yield _key((other,), 4, 0, whose)
    first = _of(_prefix(table.given.values, 3), table.given.codes)
    last = _of(_prefix(table.family.values, 3), table.family.codes)
    yield _key((_both(first, last),), 4)
    for column in table.attributes.values():
        yield _key((column.codes,), 4)


def _organisation_keys(table: Table) -> Iterator[Key]:
    yield from _list_keys(table)
    yield from _address_keys(table)
    yield _key((table.domains.codes,), 12, 3)
    yield _key((table.company.codes,), 12, 3)
    owners, word, number = _rare_words(table)
    yield _key((word,), 5, 0, owners)
    for other in (table.postcode, table.city, table.street):
        yield _key((word, other.codes[owners]), 8, 0, owners)
    yield _key((table.house.codes, table.street.codes), 12, 3)
    yield _key((table.house.codes[owners], word), 8, 0, owners)
    del number
    for column in table.attributes.values():
        yield _key((column.codes,), 4)


def _rare_words(table: Table, most: int = 3) -> tuple[Wide, Codes, Codes]:
    """(records, word, its place) for the three rarest words of each organisation's name."""
    words, names = table.words, table.company
    of_name = words.owners()
    weight = np.zeros(len(words.values), np.int64)
    np.add.at(weight, words.codes, names.counts[of_name])
    order = np.lexsort((words.codes, weight[words.codes], of_name))
    place = np.arange(len(order)) - words.start[of_name[order]]
    kept = order[place < most]
    sizes = np.bincount(of_name[kept], minlength=len(names.values))
    start = np.append(0, np.cumsum(sizes))
    has = np.flatnonzero(names.codes >= 0)
    times = sizes[names.codes[has]]
    owners = np.repeat(has, times)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(times) - times, times)
    at = start[names.codes[owners]] + within
    return owners, words.codes[kept[at]], within.astype(np.int32)


def values_of(column: Column, codes: Codes | Wide) -> list[str]:
    """The texts for codes, none of which is NONE."""
    values = column.values
    return [values[at] for at in codes.tolist()]
