"""Reads a YAML document into a pydantic model and names file, line, what was found and what is expected.

Belongs here: text → validated model, with errors a person can act on. Does not belong here: any particular
document (configuration, policy, mapping), reading files, secrets' values.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from transforms.yaml_faults import Path, did_you_mean, explain_faults, kind_of, shown

Model = TypeVar("Model", bound=BaseModel)

MAX_VALUES = 100_000
"""Most values a document may hold once its aliases are written out; ten lines of them can stand for billions."""

MAX_DEPTH = 50
"""Deepest nesting; an alias that contains itself would never end."""

_LARGEST_INTEGER = 10**100
"""Python refuses to write out integers of several thousand digits, as every error would have to."""

_MERGE = "tag:yaml.org,2002:merge"


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
        DocumentError: not YAML, empty, not a mapping at the top, a key that stands twice, or aliases and
            nesting beyond reason.
    """

    def __init__(self, text: str, name: str) -> None:
        """Parses the text."""
        self.name = name
        self._lines: dict[Path, int] = {}
        self._values = 0
        try:
            loader = _Loader(text)
            try:
                node = loader.get_single_node()
                if node is None:
                    self._refuse(1, "the file is empty; expected a mapping of names to values")
                self.data: Any = self._build(loader, node, ())
            finally:
                loader.dispose()
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self._refuse(
                line, f"the character {_code(error.character)} stands here; is this a text file?"
            )
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._refuse(mark.line + 1 if mark else 1, f"not valid YAML: {_problem(error)}")
        except yaml.YAMLError as error:
            self._refuse(1, f"not valid YAML: {error}")
        except RecursionError:
            self._refuse(1, "nested beyond reason")
        if not isinstance(self.data, dict):
            self._refuse(1, f"found {kind_of(self.data)}, expected a mapping of names to values")

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
                [self.fault(*found) for found in explain_faults(faults, model, self.data)]
            ) from None

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise DocumentError([f"{self.name}:{line}: {message}"]) from None

    def _build(self, loader: yaml.SafeLoader, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        self._values += 1
        if self._values > MAX_VALUES or len(path) > MAX_DEPTH:
            self._refuse(line, "nested or repeated (by aliases) beyond reason")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(loader, node, path)
        if isinstance(node, yaml.SequenceNode):
            return [
                self._build(loader, item, (*path, number)) for number, item in enumerate(node.value)
            ]
        return self._scalar(loader, node)

    def _mapping(
        self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path
    ) -> dict[Any, Any]:
        """A mapping; what `<<` brings in gives way to the keys that stand here."""
        merged: dict[Any, Any] = {}
        own: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                for name, value in self._merged(loader, value_node, path).items():
                    merged.setdefault(name, value)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(line, f"a key must be a word, found {kind_of(key_node.value)}")
            key = self._scalar(loader, key_node)
            if not isinstance(key, str | int):
                key = str(key_node.value)
            if key in own:
                self._refuse(line, f"the key {shown(key)} stands twice; remove one of them")
            self._lines[(*path, key)] = line
            own[key] = self._build(loader, value_node, (*path, key))
        return {**merged, **own}

    def _merged(self, loader: yaml.SafeLoader, node: yaml.Node, path: Path) -> dict[Any, Any]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found: dict[Any, Any] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self._refuse(node.start_mark.line + 1, "<< expects a mapping or a list of them")
            # One step deeper than its place, so that a mapping which merges itself comes to an end.
            for name, value in self._build(loader, source, (*path, "<<")).items():
                found.setdefault(name, value)
                self._lines.setdefault((*path, name), self.line_of((*path, "<<", name)))
        return found

    def _scalar(self, loader: yaml.SafeLoader, node: yaml.Node) -> Any:
        if node.tag == "tag:yaml.org,2002:value":
            return str(node.value)
        try:
            value = loader.construct_object(node)  # type: ignore[no-untyped-call]
            if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
                raise OverflowError
            return value
        except yaml.YAMLError:
            raise
        except (ValueError, ArithmeticError, LookupError, TypeError):
            kind = node.tag.rsplit(":", 1)[-1]
            self._refuse(
                node.start_mark.line + 1,
                f"{shown(str(node.value))} cannot be read as {kind}; put it in quotes if it is text",
            )


def load_document(text: str, name: str, model: type[Model]) -> Model:
    """YAML text as a validated model; every fault in one `DocumentError`."""
    return Document(text, name).validate(model)


def _replaced(value: Any, path: Path, replace: Callable[[Path, str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, (*path, key), replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, (*path, n), replace) for n, item in enumerate(value)]
    return replace(path, value) if isinstance(value, str) else value


def _problem(error: yaml.MarkedYAMLError) -> str:
    """What the parser says, with the remedy for what people meet most, and where the open part begins."""
    problem = str(error.problem or error)
    if "'\\t'" in problem:
        return "a tab stands here; indent with spaces"
    begun = error.context_mark
    if error.context and begun and error.problem_mark and begun.line != error.problem_mark.line:
        problem += f" ({error.context}, which begins in line {begun.line + 1})"
    return problem


def _code(character: Any) -> str:
    return f"U+{character:04X}" if isinstance(character, int) else str(character)


def reject_unknown_words(given: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    """Raises ValueError naming the first value of `given` that is not one of `allowed`."""
    for key, value in given.items():
        if value not in allowed:
            raise ValueError(
                f"the {what} for '{key}' is {shown(value)}, expected one of {', '.join(allowed)}"
                f"{did_you_mean(str(value), list(allowed))}"
            )
