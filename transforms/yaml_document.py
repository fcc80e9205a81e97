"""Reads a YAML document into a pydantic model and names file, line, what was found and what is expected.

Belongs here: text → validated model, with errors a person can act on. Does not belong here: any particular
document (configuration, policy, mapping), reading files, secrets' values.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class DocumentError(ValueError):
    """A document is wrong. The message lists every fault as `name:line: place: what is wrong`."""

    def __init__(self, faults: list[str]) -> None:
        """Keeps the faults, one line each."""
        super().__init__("\n".join(faults))
        self.faults = faults


class _Loader(yaml.SafeLoader):
    """Safe YAML that keeps times and dates as the text they were written as: their zone is ours to judge."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Document:
    """Parsed YAML that remembers the line of every value.

    Args:
        text: the YAML.
        name: how errors name it (a file name).

    Raises:
        DocumentError: not YAML, not a mapping at the top, or a key that stands twice.
    """

    def __init__(self, text: str, name: str) -> None:
        """Parses the text."""
        self.name = name
        self._lines: dict[Path, int] = {}
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            self.data: Any = {} if node is None else self._build(loader, node, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise DocumentError([f"{name}:{line}: not valid YAML: {error.problem}"]) from None
        except yaml.YAMLError as error:
            raise DocumentError([f"{name}:1: not valid YAML: {error}"]) from None
        finally:
            loader.dispose()
        if not isinstance(self.data, dict):
            raise DocumentError([f"{name}:1: expected a mapping of names to values at the top"])

    def line_of(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest enclosing value."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, path: Path, message: str) -> str:
        """One fault in the usual form."""
        place = ".".join(str(part) for part in path)
        return f"{self.name}:{self.line_of(path)}: {place + ': ' if place else ''}{message}"

    def replace_texts(self, replace: Callable[[Path, str], str]) -> None:
        """Passes every text value through `replace` (used for `${NAME}`)."""
        self.data = _replaced(self.data, (), replace)

    def validate(self, model: type[Model]) -> Model:
        """The document as `model`.

        Raises:
            DocumentError: every fault pydantic found, each with line, found and expected.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            faults = [dict(fault) for fault in error.errors(include_url=False)]
            raise DocumentError(
                [self._explain(fault, model) for fault in faults if not _follows(fault, faults)]
            ) from None

    def _build(self, loader: yaml.SafeLoader, node: yaml.Node, path: Path) -> Any:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            loader.flatten_mapping(node)
            built: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = loader.construct_object(key_node)  # type: ignore[no-untyped-call]
                key = key if isinstance(key, str | int) else str(key)
                if key in built:
                    line = key_node.start_mark.line + 1
                    raise DocumentError([f"{self.name}:{line}: the key '{key}' stands twice"])
                self._lines[(*path, key)] = key_node.start_mark.line + 1
                built[key] = self._build(loader, value_node, (*path, key))
            return built
        if isinstance(node, yaml.SequenceNode):
            return [
                self._build(loader, item, (*path, number)) for number, item in enumerate(node.value)
            ]
        return loader.construct_object(node)  # type: ignore[no-untyped-call]

    def _explain(self, fault: dict[str, Any], model: type[BaseModel]) -> str:
        path = self._real_path(fault["loc"])
        kind, given = fault["type"], fault.get("input")
        if kind == "extra_forbidden":
            known = _known_names(model, fault["loc"][:-1])
            return self.fault(path, f"unknown key{_nearest(str(path[-1]), known)}")
        if kind == "missing":
            name = fault["loc"][-1]
            return self.fault(path, f"'{name}' is missing")
        if kind in ("literal_error", "enum", "union_tag_invalid"):
            context = fault.get("ctx", {})
            expected = context.get("expected") or context.get("expected_tags") or ""
            found = context.get("tag", given)
            return self.fault(path, f"found {found!r}, expected one of {expected}")
        if kind == "union_tag_not_found":
            return self.fault(path, "'type' is missing")
        message = str(fault["msg"]).removeprefix("Value error, ")
        shown = (
            "" if kind == "value_error" or isinstance(given, dict | list) else f"found {given!r}: "
        )
        return self.fault(path, f"{shown}{message}")

    def _real_path(self, loc: Path) -> Path:
        """Pydantic's location without the parts that name a union's member."""
        path: Path = ()
        value = self.data
        for part in loc:
            if _has(value, part):
                value = value[part]
                path = (*path, part)
        return path


def load_document(text: str, name: str, model: type[Model]) -> Model:
    """YAML text as a validated model; every fault in one `DocumentError`."""
    return Document(text, name).validate(model)


def _replaced(value: Any, path: Path, replace: Callable[[Path, str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, (*path, key), replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, (*path, n), replace) for n, item in enumerate(value)]
    return replace(path, value) if isinstance(value, str) else value


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(known)}" if known else ""


def _known_names(model: type[BaseModel], path: Path) -> list[str]:
    """Field names of the model that sits at `path`, following mappings, lists and tagged unions."""
    found: list[Any] = [model]
    for part in path:
        found = _step(found, part)
    return sorted({name for item in found if _is_model(item) for name in item.model_fields})


def _step(items: list[Any], part: str | int) -> list[Any]:
    inner = [
        member
        for item in items
        if _is_model(item) and part in item.model_fields
        for member in _members(item.model_fields[str(part)].annotation)
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


def _follows(fault: dict[str, Any], faults: list[dict[str, Any]]) -> bool:
    """Whether a list is only "too short" because its items were refused: one cause, one message."""
    loc = fault["loc"]
    return fault["type"] == "too_short" and any(
        other is not fault and other["loc"][: len(loc)] == loc for other in faults
    )


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _is_model(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, BaseModel)


def reject_unknown_words(given: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    """Raises ValueError naming the first value of `given` that is not one of `allowed`."""
    for key, value in given.items():
        if value not in allowed:
            raise ValueError(
                f"{what} '{key}' maps to {value!r}{_nearest(str(value), list(allowed))}; "
                f"expected one of {', '.join(allowed)}"
            )
