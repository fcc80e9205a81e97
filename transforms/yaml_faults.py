"""What pydantic found wrong in a document, in words a person can act on.

Belongs here: from pydantic's errors to (path, what was found, what is expected), suggestions for misspelt words.
Does not belong here: YAML, lines (`yaml_document`), any particular document.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

Path = tuple[str | int, ...]
Fault = dict[str, Any]
"""One entry of `ValidationError.errors()`."""

MAX_SHOWN = 80
"""Characters of a wrong value that an error shows."""

_EXPECTED = {
    "string_type": "text (put a number or yes/no in quotes)",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "dict_type": "a mapping of names to values",
    "mapping_type": "a mapping of names to values",
    "model_type": "a mapping of names to values",
    "model_attributes_type": "a mapping of names to values",
    "list_type": "a list",
    "tuple_type": "a list",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "too_short": "at least {min_length} in it",
    "too_long": "at most {max_length} in it",
    "string_too_short": "at least {min_length} character(s)",
    "string_too_long": "at most {max_length} character(s)",
}
"""What to write instead, by the kind of pydantic's error."""


def explain_faults(
    faults: list[Fault], model: type[BaseModel], data: Any
) -> Iterator[tuple[Path, str]]:
    """The place in `data` and the words for each fault that is not merely the result of another."""
    for fault in faults:
        if not _follows(fault, faults, model):
            path = _real_path(fault["loc"], data)
            yield path, _words(fault, path, model)


def kind_of(value: Any) -> str:
    """What sort of thing a value is, for people; never the value."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text" if value else "empty text"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return "a mapping"


def shown(value: Any) -> str:
    """A value for people, on one line and not too long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # Python refuses to write out integers of several thousand digits.
        return "a very large number" if abs(value) > 10**18 else str(value)
    if not isinstance(value, str):
        return kind_of(value)
    line = "".join(char if char.isprintable() else " " for char in value)
    return f"'{line[:MAX_SHOWN]}…'" if len(line) > MAX_SHOWN else f"'{line}'"


def did_you_mean(name: str, known: list[str]) -> str:
    """A hint at the known word that is meant; begins with `; ` or is empty."""
    close = _close(name, known)
    return f"; did you mean '{close}'?" if close else ""


def nearest(name: str, known: list[str]) -> str:
    """A hint at the known word that is meant, else at all of them; begins with `; ` or is empty."""
    return did_you_mean(name, known) or (f"; known here: {', '.join(known)}" if known else "")


def _close(name: str, known: list[str]) -> str | None:
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name[:MAX_SHOWN].casefold(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def _words(fault: Fault, path: Path, model: type[BaseModel]) -> str:
    kind, given, context = fault["type"], fault.get("input"), fault.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(path[-1]), _known_names(model, fault['loc'][:-1]))}"
    if kind == "missing":
        return f"'{fault['loc'][-1]}' is missing"
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags") or "")
        found = context.get("tag", given)
        hint = did_you_mean(shown(found).strip("'"), re.findall(r"'([^']*)'", expected))
        return f"found {shown(found)}, expected one of {expected}{hint}"
    if kind == "union_tag_not_found":
        is_mapping = isinstance(given, dict)
        return (
            "'type' is missing"
            if is_mapping
            else f"found {kind_of(given)}, expected {_EXPECTED['dict_type']}"
        )
    if kind in _EXPECTED:
        # Where text is wanted it may be a secret: only what sort of thing stands there is told.
        found = kind_of(given) if kind == "string_type" else shown(given)
        return f"found {found}, expected {_EXPECTED[kind].format(**context)}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    is_told = kind == "value_error" or isinstance(given, dict | list)
    return message if is_told else f"found {shown(given)}: {message}"


def _real_path(loc: Path, data: Any) -> Path:
    """Pydantic's location without the parts that name a union's member."""
    path: Path = ()
    for part in loc:
        if _has(data, part):
            data = data[part]
            path = (*path, part)
    return path


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _known_names(model: type[BaseModel], path: Path) -> list[str]:
    """Keys of the model that sits at `path`, following mappings, lists and tagged unions."""
    found: list[Any] = [model]
    for part in path:
        found = _step(found, part)
    return sorted(
        {
            field.alias or name
            for item in found
            if _is_model(item)
            for name, field in item.model_fields.items()
        }
    )


def _step(items: list[Any], part: str | int) -> list[Any]:
    inner = [
        member
        for item in items
        if _is_model(item)
        for name, field in item.model_fields.items()
        if part in (name, field.alias)
        for member in _members(field.annotation)
    ]
    if inner:
        return inner
    tagged = [item for item in items if _is_model(item) and part in _tags(item)]
    return tagged or items


def _tags(model: Any) -> tuple[Any, ...]:
    tag = model.model_fields.get("type")
    return tuple(getattr(tag.annotation, "__args__", ())) if tag is not None else ()


def _members(annotation: Any) -> list[Any]:
    if _is_model(annotation):
        return [annotation]
    return [inner for part in getattr(annotation, "__args__", ()) for inner in _members(part)]


def _follows(fault: Fault, faults: list[Fault], model: type[BaseModel]) -> bool:
    """Whether another fault is the cause of this one: one cause, one message.

    A list is "too short" only because its items were refused; a key is "missing" because it is misspelt.
    """
    loc = fault["loc"]
    if fault["type"] == "too_short":
        return any(other is not fault and other["loc"][: len(loc)] == loc for other in faults)
    if fault["type"] != "missing":
        return False
    return any(
        other["type"] == "extra_forbidden"
        and other["loc"][:-1] == loc[:-1]
        and _close(str(other["loc"][-1]), _known_names(model, loc[:-1])) == loc[-1]
        for other in faults
    )


def _is_model(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, BaseModel)
