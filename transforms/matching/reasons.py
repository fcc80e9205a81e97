"""Why two records or groups are one, or may be, in words for people.

Belongs here: evidence of pairs as text. Does not belong here: scores (`scoring`).
"""

from collections.abc import Callable

from transforms.matching.records import Evidence
from transforms.matching.said import CLOSE, DIFFERENT, EXACT, Said
from transforms.matching.table import Column, Lists, Table, Wide

_LONGEST = 60
"""Letters of a value that are shown."""

_Shown = Callable[[int, int], tuple[str, str]]


def evidence_of(
    table: Table, left: Wide, right: Wide, said: list[Said]
) -> list[tuple[Evidence, ...]]:
    """What each field says of each pair; fields that are missing on one side say nothing and are left out.

    Args:
        table: where the rows' values stand.
        left: rows.
        right: rows.
        said: the compared fields of these pairs.
    """
    shown = {one.field: _shown(table, one.field) for one in said}
    levels = [one.level.tolist() for one in said]
    bits = [one.bits.tolist() for one in said]
    found = []
    for at, (a, b) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        found.append(
            tuple(
                Evidence(
                    one.field,
                    _told(one.field, levels[number][at], *shown[one.field](a, b)),
                    round(bits[number][at], 1),
                )
                for number, one in enumerate(said)
                if levels[number][at]
            )
        )
    return found


def _told(field: str, level: int, one: str, other: str) -> str:
    if level == EXACT and one == other:
        return f"same {field} {one}"
    if level == DIFFERENT:
        return f"other {field} {one} / {other}"
    if level >= CLOSE:
        return f"nearly the same {field} {one} / {other}"
    return f"similar {field} {one} / {other}"


def _shown(table: Table, field: str) -> _Shown:
    """How a field's values of two rows are shown."""
    if field == "street":
        return lambda a, b: (_street(table, a), _street(table, b))
    if field in ("e-mail", "phone"):
        lists = table.emails if field == "e-mail" else table.phones
        return lambda a, b: _values(lists, a, b)
    column = _column(table, field)
    return lambda a, b: (_value(column, a), _value(column, b))


def _column(table: Table, field: str) -> Column:
    return {
        "given name": table.given,
        "family name": table.family,
        "name": table.company,
        "company": table.company,
        "date of birth": table.born,
        "postcode": table.postcode,
        "city": table.city,
        "region": table.region,
        "domain": table.domains,
    }.get(field) or table.attributes[field]


def _value(column: Column, row: int) -> str:
    code = int(column.codes[row])
    return f"'{column.values[code][:_LONGEST]}'" if code >= 0 else "none"


def _street(table: Table, row: int) -> str:
    parts = (_value(column, row).strip("'") for column in (table.house, table.street, table.second))
    return "'" + " ".join(part for part in parts if part != "none")[:_LONGEST] + "'"


def _values(lists: Lists, a: int, b: int) -> tuple[str, str]:
    one, other = (lists.codes[lists.start[row] : lists.start[row + 1]].tolist() for row in (a, b))
    shared = next((code for code in one if code in other), None)
    chosen = (shared, shared) if shared is not None else (one[0], other[0])
    left, right = (f"'{lists.values[code][:_LONGEST]}'" for code in chosen)
    return left, right
