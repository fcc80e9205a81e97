"""Reading a policy file's YAML so that every fault can name its file and line.

Belongs here: text to plain data with the line of each key, and small readers that check one value.
Does not belong here: what a policy means (`policy_reading.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any

import yaml

from sla_rules.calendar_mapping import shown, suggest

Path = tuple[str | int, ...]

MAX_NODES = 100_000
"""Most values a file may hold once its aliases are written out; a small file can otherwise explode."""

MAX_DEPTH = 30
"""Deepest nesting of a file; an alias that contains itself would never end."""


class PolicyError(ValueError):
    """A policy file that cannot be used; the message says file, line, what was found, what is expected."""

    def __init__(self, name: str, line: int, reason: str) -> None:
        """Keep the place beside the words for a person."""
        self.name = name
        self.line = line
        self.reason = reason
        super().__init__(f"{name}:{line}: {reason}")


class _Loader(yaml.SafeLoader):
    """YAML with plain meanings only: 17:00 and 2026-12-25 stay text, and `no` is a word."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?\d+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+\.\d+$"), list("-+0123456789")
)


@dataclass(frozen=True, slots=True)
class Document:
    """A file's plain data and the line on which each key stands."""

    name: str
    data: Any
    lines: Mapping[Path, int]

    def error(self, path: Path, reason: str) -> PolicyError:
        """The fault at a path, on its line or that of the nearest thing around it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        where = ".".join(str(key) for key in path)
        return PolicyError(
            self.name, self.lines.get(known, 1), f"{where}: {reason}" if where else reason
        )


def read_document(text: str, name: str) -> Document:
    """Plain data of a YAML text.

    Raises:
        PolicyError: it is no YAML, is empty, repeats a key, or is nested beyond reason.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise PolicyError(name, line, f"this is not YAML: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise PolicyError(name, 1, f"this is not YAML: {error}") from None
    if node is None:
        raise PolicyError(name, 1, "the file is empty; expected a policy")
    walk = _Walk(name)
    data = walk.plain(node, ())
    return Document(name, data, walk.lines)


class _Walk:
    """One pass over the nodes of a file: plain values, and the line of each path."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self.count = 0

    def plain(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.count += 1
        if self.count > MAX_NODES or len(path) > MAX_DEPTH:
            raise PolicyError(self.name, line, "the file is nested or repeated beyond reason")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, line)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise PolicyError(self.name, line, "a key must be a word")
            key = str(key_node.value)
            if key in found:
                raise PolicyError(
                    self.name, line, f"the key {shown(key)} stands here a second time"
                )
            self.lines[(*path, key)] = line
            found[key] = self.plain(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.Node, line: int) -> Any:
        value = str(node.value)
        kind = node.tag.rsplit(":", 1)[-1]
        if kind == "null":
            return None
        if kind == "bool":
            return value.lower() == "true"
        if kind == "int":
            return int(value)
        if kind == "float":
            return float(value)
        if kind == "str":
            return value
        raise PolicyError(self.name, line, f"the tag {node.tag} has no meaning here; remove it")


@dataclass(frozen=True, slots=True)
class Found:
    """One value of a file with its place, and the readers that check what it is."""

    document: Document
    value: Any
    path: Path = ()

    def error(self, reason: str) -> PolicyError:
        """A fault at this place, to be raised."""
        return self.document.error(self.path, reason)

    def fields(self, known: Sequence[str], required: Sequence[str] = ()) -> "dict[str, Found]":
        """The value as a mapping with known keys; keys whose value is empty are there with None.

        Raises:
            PolicyError: no mapping, an unknown key, or a required one missing.
        """
        if not isinstance(self.value, Mapping):
            raise self.error(
                f"expected a mapping with {', '.join(known)}, found {shown(self.value)}"
            )
        for key in self.value:
            if key not in known:
                raise self.document.error((*self.path, key), f"unknown key; {suggest(key, known)}")
        for key in required:
            if key not in self.value:
                raise self.error(f"{key} is missing; expected {', '.join(required)}")
        return self.entries()

    def entries(self) -> "dict[str, Found]":
        """The value as a mapping with free keys.

        Raises:
            PolicyError: it is none.
        """
        if not isinstance(self.value, Mapping):
            raise self.error(f"expected a mapping, found {shown(self.value)}")
        return {
            key: Found(self.document, value, (*self.path, key)) for key, value in self.value.items()
        }

    def items(self) -> "list[Found]":
        """The value as a list.

        Raises:
            PolicyError: it is none.
        """
        if not isinstance(self.value, list):
            raise self.error(f"expected a list, found {shown(self.value)}")
        return [
            Found(self.document, value, (*self.path, index))
            for index, value in enumerate(self.value)
        ]

    def text(self) -> str:
        """The value as text that is not empty.

        Raises:
            PolicyError: it is none.
        """
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error(f"expected text, found {shown(self.value)}")
        return self.value.strip()

    def words(self) -> tuple[str, ...]:
        """One text, or a list of them.

        Raises:
            PolicyError: neither, or an empty list.
        """
        if isinstance(self.value, str):
            return (self.text(),)
        found = tuple(item.text() for item in self.items())
        if not found:
            raise self.error("expected at least one word, found an empty list")
        return found

    def one_of(self, words: Sequence[str]) -> str:
        """The value as one of some words.

        Raises:
            PolicyError: it is another.
        """
        if self.value not in words:
            raise self.error(f"expected one of {', '.join(words)}, found {shown(self.value)}")
        return str(self.value)

    def flag(self) -> bool:
        """The value as true or false.

        Raises:
            PolicyError: it is neither.
        """
        if not isinstance(self.value, bool):
            raise self.error(f"expected true or false, found {shown(self.value)}")
        return self.value

    def instant(self, zone: tzinfo) -> datetime:
        """The value as an instant in UTC; a date alone is its midnight in `zone`.

        Raises:
            PolicyError: it is neither a date nor a time with its offset.
        """
        text = self.text()
        try:
            if len(text) <= len("2026-01-01"):
                day = date.fromisoformat(text)
                return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise self.error(
                f"expected a date or a time with its offset, such as 2026-01-01T00:00:00+03:00, found {shown(text)}"
            )
        return moment.astimezone(UTC)
