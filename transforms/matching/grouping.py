"""Groups of records as rows of their own: of each field the value that most members have, of lists all values.

Belongs here: consolidating groups in a copy of a table. Does not belong here: which records form a group
(`clustering`).
"""

from dataclasses import replace

import numpy as np

from transforms.matching.table import NONE, SINGLE, Column, Lists, Table, Wide

_VOTED = tuple(name for name in SINGLE if name not in ("given", "family"))


def working_copy(table: Table) -> Table:
    """A table whose rows may be overwritten; values and frequencies are shared with the first."""

    def copied(column: Column) -> Column:
        return replace(column, codes=column.codes.copy())

    return replace(
        table,
        columns={name: copied(column) for name, column in table.columns.items()},
        emails=replace(table.emails),
        phones=replace(table.phones),
        attributes={name: copied(column) for name, column in table.attributes.items()},
    )


def grouped_rows(table: Table, root: Wide, roots: Wide) -> Table:
    """A table whose rows `roots` hold their groups' values; single records stay as they are."""
    sizes = np.bincount(root, minlength=len(root))
    changed = np.unique(roots)
    changed = changed[sizes[changed] > 1]
    if not len(changed):
        return table
    target = working_copy(table)
    consolidate(table, target, root, changed)
    return target


def consolidate(source: Table, target: Table, root: Wide, changed: Wide) -> None:
    """Writes groups into the rows of their roots.

    Args:
        source: the records.
        target: a working copy of it.
        root: for each record the row of its group.
        changed: roots of the groups to be written.
    """
    is_changed = np.zeros(len(root), np.bool_)
    is_changed[changed] = True
    members = np.flatnonzero(is_changed[root])
    for name in _VOTED:
        _most_frequent(source.columns[name], target.columns[name], root, members)
    _best_name(source, target, root, members)
    for name, column in source.attributes.items():
        _most_frequent(column, target.attributes[name], root, members)
    _all_values(source.emails, target.emails, root)
    _all_values(source.phones, target.phones, root)


def _most_frequent(source: Column, target: Column, root: Wide, members: Wide) -> None:
    """The value of most members; of equals the one that is more frequent everywhere, since slips are rare."""
    has = members[source.codes[members] != NONE]
    if not len(has):
        return
    pairs, counts = np.unique(
        root[has] * len(source.values) + source.codes[has], return_counts=True
    )
    roots, codes = pairs // len(source.values), pairs % len(source.values)
    order = np.lexsort((codes, -source.counts[codes], -counts, roots))
    roots, codes = roots[order], codes[order]
    first = np.append(True, roots[1:] != roots[:-1])
    target.codes[roots[first]] = codes[first]


def _best_name(source: Table, target: Table, root: Wide, members: Wide) -> None:
    """Given and family name of the member whose parts most others have too, in whichever place.

    Both of one member: parts chosen apart would mix names that stand in each other's place.
    """
    width = len(source.given.values) + 1
    both = [
        source.given.codes[members].astype(np.int64),
        source.family.codes[members].astype(np.int64),
    ]
    keys = [root[members] * width + codes for codes in both]
    present = [codes >= 0 for codes in both]
    votes, counts = np.unique(
        np.concatenate([keys[0][present[0]], keys[1][present[1]]]), return_counts=True
    )
    if not len(votes):
        return
    support = np.zeros(len(members), np.int64)
    frequent = np.zeros(len(members), np.int64)
    for codes, key, has, column in zip(
        both, keys, present, (source.given, source.family), strict=True
    ):
        support[has] += counts[np.searchsorted(votes, key[has])]
        frequent[has] += column.counts[codes[has]]
    order = np.lexsort((members, -frequent, -support, root[members]))
    chosen = members[order][np.append(True, np.diff(root[members][order]) != 0)]
    target.given.codes[root[chosen]] = source.given.codes[chosen]
    target.family.codes[root[chosen]] = source.family.codes[chosen]


def _all_values(source: Lists, target: Lists, root: Wide) -> None:
    """Every value of every member, each once."""
    if not len(source.codes):
        return
    width = len(source.values)
    pairs = np.unique(root[source.owners()] * width + source.codes)
    target.codes = (pairs % width).astype(np.int32)
    start = np.zeros(len(root) + 1, np.int64)
    np.cumsum(np.bincount(pairs // width, minlength=len(root)), out=start[1:])
    target.start = start
