"""YAML that means what it says: a small, strict part of YAML 1.2, every value with its place in the file.

Rules of this file (a leaf: it imports nothing of ours):
- Scalars: `true`, `false`, `null` and decimal numbers are special; everything else is text. Mapping keys are always
  text, so `no:`, `00:` and `0:` stay three different words. `0123`, which YAML 1.1 reads in octal, is refused.
- Aliases, anchors, tags, merge keys, duplicate keys and a second document are refused; 256 KiB and 12,000 values a
  file, 20 levels deep.
- Every mistake has a place and a cure, and all mistakes of a file come at once; one with a hundred is read no further.

`read_text` makes a tree of `Node`; `into` turns such a tree into frozen dataclasses, whose annotations are the schema.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import types
import typing
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import yaml

OCTETS_MAX = 256 * 1024
SPLIT_IT = f"At most {OCTETS_MAX}: split it."
DEPTH_MAX = 20
VALUES_MAX = 12_000
"""Twice what our largest file has."""
MISTAKES_MAX = 100
NUMBER_CHARACTERS_MAX = 18

_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "": None}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_ZERO_LED = re.compile(r"-?0[0-9]+\Z")
_SURPRISES = re.compile(r"(0x[0-9a-fA-F]+|0o[0-7]+|[0-9]+(:[0-5]?[0-9])+|-?[0-9.]+[eE][-+]?[0-9]+)\Z")

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Scalar: TypeAlias = "str | int | Decimal | bool | None"
T = TypeVar("T")


class Place(NamedTuple):
    """Where something stands: line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Mistake(NamedTuple):
    """One mistake of an author: where, what is wrong, and what to write instead."""

    place: Place
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}. {self.cure}"


class StrictYamlError(Exception):
    """A file that cannot be used; `mistakes` holds all that was found in it, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__("\n".join(map(str, self.mistakes)))


class Node:
    """A value with its place. `value` is a scalar, a list of nodes, or a dict from text to node."""

    __slots__ = ("end", "key_places", "place", "value")

    def __init__(
        self, place: Place, value: Scalar | list[Node] | dict[str, Node], end: tuple[int, int] = (0, 0)
    ) -> None:
        self.place = place
        self.value = value
        self.end = end
        """Of a scalar: the line and column after it, counted as in `place`."""
        self.key_places: dict[str, Place] = {}

    @property
    def items(self) -> dict[str, Node]:
        """The mapping's entries; empty when the node is not a mapping."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def kind(self) -> str:
        """The value's kind in an author's words."""
        return kind_of(self.value)

    def plain(self) -> Any:
        """The same value without places: dict, list and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def __repr__(self) -> str:
        return f"Node({self.place}, {self.value!r})"


def kind_of(value: object) -> str:
    """What an author would call the value: text, number, true/false, list, mapping, nothing."""
    names = ((bool, "true/false"), (int, "a number"), (Decimal, "a number"), (str, "text"), (list, "a list"))
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return "a mapping" if isinstance(value, dict) else "nothing"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A cure for a misspelt word: the nearest known one, or all of them when none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(known) or 'nothing'}."


def read_file(path: Path, shown_as: str | None = None) -> Node:
    """Reads one strict YAML file. Raises StrictYamlError (with all mistakes) and OSError."""
    return read_text(path.read_bytes(), shown_as or str(path))


def read_text(octets: bytes, file: str) -> Node:
    """Reads strict YAML from octets in UTF-8; `file` is the name that mistakes carry. Raises StrictYamlError."""
    mistakes: list[Mistake] = []
    node = read_tree(octets, file, mistakes)
    if mistakes or node is None:
        raise StrictYamlError(mistakes)
    return node


def read_tree(octets: bytes, file: str, mistakes: list[Mistake]) -> Node | None:
    """As `read_text`, for a reader that has more to say: what is wrong goes to `mistakes`, and what can be read is
    returned all the same; None when it is no YAML at all."""
    start = Place(file, 1, 1)
    if len(octets) > OCTETS_MAX:
        mistakes.append(Mistake(start, f"the file has {len(octets)} octets", SPLIT_IT))
        return None
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        mistakes.append(Mistake(Place(file, line, 1), "an octet that is not UTF-8", "Save the file as UTF-8."))
        return None
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        place = Place(file, line, control.start() - text.rfind("\n", 0, control.start()))
        mistakes.append(Mistake(place, f"a control character (U+{ord(control[0]):04X})", "Remove it."))
        return None
    try:
        return _Reader(text, file, mistakes).document()
    except StrictYamlError as error:
        mistakes[:] = error.mistakes
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else start
        if mark and any(line.startswith("\t") for line in text.split("\n")[mark.line : mark.line + 1]):
            mistakes.append(Mistake(place, "a tab at the beginning of a line", "Write spaces."))
            return None
        mistakes.append(Mistake(place, f"not YAML: {error.problem or error.context}", "Check indentation and quotes."))
    except yaml.YAMLError as error:
        what = str(error).splitlines()[0]
        mistakes.append(Mistake(start, f"not YAML: {what}", "Remove the character."))
    return None


class _Reader:
    """Builds nodes from libyaml's events, and notes what strict YAML refuses."""

    def __init__(self, text: str, file: str, mistakes: list[Mistake]) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=loader))
        self._file = file
        self._mistakes = mistakes
        self._values = 0

    def document(self) -> Node:
        next(self._events)  # stream start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Node(Place(self._file, 1, 1), None)
        node = self._node(next(self._events), 1)
        next(self._events)  # document end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._refuse(event, "a second document in one file", "Remove everything from '---' on, or make it a file.")
        return node

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _refuse(self, event: Any, what: str, cure: str) -> None:
        self._mistakes.append(Mistake(self._place(event), what, cure))
        if len(self._mistakes) >= MISTAKES_MAX:
            raise StrictYamlError(self._mistakes)

    def _node(self, event: Any, depth: int) -> Node:
        place = self._place(event)
        self._values += 1
        if self._values > VALUES_MAX:
            raise StrictYamlError(
                [*self._mistakes, Mistake(place, f"more than {VALUES_MAX} values", "Split the file.")]
            )
        if isinstance(event, yaml.AliasEvent):
            self._refuse(
                event, f"an alias (*{event.anchor})", "Write the value out, or move it to a file and `use:` it."
            )
            return Node(place, None)
        if event.anchor:
            self._refuse(event, f"an anchor (&{event.anchor})", "Remove it; aliases are not read here.")
        if event.tag:
            self._refuse(event, f"a tag ({event.tag})", "Remove it; quote the value if it is text.")
        if depth > DEPTH_MAX:
            mistake = Mistake(place, f"more than {DEPTH_MAX} levels deep", "Flatten the structure.")
            raise StrictYamlError([*self._mistakes, mistake])
        if isinstance(event, yaml.ScalarEvent):
            return Node(place, self._scalar(event), self._end(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(place, self._list(depth))
        return self._mapping(place, depth)

    @staticmethod
    def _end(event: Any) -> tuple[int, int]:
        return event.end_mark.line + 1, event.end_mark.column + 1

    def _list(self, depth: int) -> list[Node]:
        found: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, depth + 1))
        return found

    def _mapping(self, place: Place, depth: int) -> Node:
        entries: dict[str, Node] = {}
        node = Node(place, entries)
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, "a key that is not a word", "Write a plain word before the colon.")
                self._node(event, depth + 1)
                self._node(next(self._events), depth + 1)
                continue
            key = str(event.value)
            if key == "<<":
                self._refuse(event, "a merge key (<<)", "Write the entries out.")
            if event.anchor or event.tag:
                self._refuse(event, "an anchor or tag on a key", "Remove it.")
            if key in entries:
                first = node.key_places[key]
                self._refuse(event, f"'{key}' stands twice, first on line {first.line}", "Keep one of them.")
            node.key_places.setdefault(key, self._place(event))
            entries.setdefault(key, self._node(next(self._events), depth + 1))
        return node

    def _scalar(self, event: Any) -> Scalar:
        word: str = event.value
        if event.style is not None and event.style != "":
            return word
        if word in _WORDS:
            return _WORDS[word]
        if _NUMBER.match(word) and len(word) > NUMBER_CHARACTERS_MAX:
            self._refuse(
                event, f"a number of {len(word)} characters", f"Write at most {NUMBER_CHARACTERS_MAX}, or quotes."
            )
        elif number := _NUMBER.match(word):
            return Decimal(word) if number[2] else int(word)
        elif _ZERO_LED.match(word):
            self._refuse(event, f"{word} begins with 0 and could be read as octal", f'Write "{word}" in quotes.')
        elif _SURPRISES.match(word):
            self._refuse(event, f"{word} is a number only in some readers", f'Write "{word}" in quotes.')
        return word


# --- from nodes to frozen dataclasses -------------------------------------------------------------------------------


def laid_over(below: Node, above: Node) -> Node:
    """`below` with what `above` says in its place, mapping by mapping; each part keeps the place it came from."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = laid_over(merged[key], node) if key in merged else node
    result = Node(above.place, merged)
    result.key_places = {**below.key_places, **above.key_places}
    return result


class Range(NamedTuple):
    """Bounds of a number, both included, for `Annotated[int, Range(1, 65535)]`."""

    least: int | float
    most: int | float


def into(cls: type[T], node: Node, mistakes: list[Mistake]) -> T | None:
    """Builds the dataclass `cls` from a mapping; its annotations are the schema, its defaults the optional keys.

    Understood annotations: str, int, float, bool, `X | None`, Literal, tuple[X, ...], dict[str, X], dataclasses,
    `Annotated[number, Range]`, and any class with a classmethod `from_yaml(node, mistakes)`.
    What does not fit goes to `mistakes`; then the result is None.
    """
    before = len(mistakes)
    if not isinstance(node.value, dict):
        mistakes.append(Mistake(node.place, f"{node.kind} where a mapping is expected", "Write `key: value` lines."))
        return None
    hints, fields = _schema(typing.cast(typing.Hashable, cls))
    for key in node.items:
        if key not in fields:
            mistakes.append(Mistake(node.key_places[key], f"unknown key '{key}'", did_you_mean(key, fields)))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in node.items:
            values[name] = _value(hints[name], node.items[name], mistakes)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            mistakes.append(Mistake(node.place, f"'{name}' is missing", f"Add `{name}:` here."))
    return cls(**values) if len(mistakes) == before else None


@functools.cache
def _schema(cls: typing.Any) -> tuple[dict[str, Any], dict[str, dataclasses.Field[Any]]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return hints, {field.name: field for field in dataclasses.fields(cls) if field.init}


def _value(hint: Any, node: Node, mistakes: list[Mistake]) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _bounded(arguments, node, mistakes)
    if origin is Literal:
        return _choice(arguments, node, mistakes)
    if origin in (typing.Union, types.UnionType):
        if node.value is None and type(None) in arguments:
            return None
        return _value(next(a for a in arguments if a is not type(None)), node, mistakes)
    if origin is tuple:
        return tuple(_value(arguments[0], item, mistakes) for item in _items(node, mistakes))
    if origin is dict:
        if not isinstance(node.value, dict):
            _expected("a mapping", node, mistakes)
        return {key: _value(arguments[1], item, mistakes) for key, item in node.items.items()}
    if hasattr(hint, "from_yaml"):
        return hint.from_yaml(node, mistakes)
    if dataclasses.is_dataclass(hint):
        return into(typing.cast(type[Any], hint), node, mistakes)
    return _scalar_value(hint, node, mistakes)


def _scalar_value(hint: Any, node: Node, mistakes: list[Mistake]) -> Any:
    value = node.value
    if hint is float and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return float(value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    _expected(names.get(hint, str(hint)), node, mistakes)
    return None


def _expected(what: str, node: Node, mistakes: list[Mistake]) -> None:
    cure = f'Write "{node.value}" in quotes.' if what == "text" and not isinstance(node.value, list | dict) else ""
    mistakes.append(Mistake(node.place, f"{node.kind} where {what} is expected", cure or f"Write {what}."))


def _items(node: Node, mistakes: list[Mistake]) -> list[Node]:
    if isinstance(node.value, list):
        return node.value
    _expected("a list", node, mistakes)
    return []


def _bounded(arguments: tuple[Any, ...], node: Node, mistakes: list[Mistake]) -> Any:
    value = _value(arguments[0], node, mistakes)
    for bound in arguments[1:]:
        if isinstance(bound, Range) and value is not None and not bound.least <= value <= bound.most:
            mistakes.append(
                Mistake(node.place, f"{node.value} is out of range", f"Write {bound.least} to {bound.most}.")
            )
    return value


def _choice(choices: tuple[Any, ...], node: Node, mistakes: list[Mistake]) -> Any:
    if not isinstance(node.value, list | dict) and node.value in choices:
        return node.value
    mistakes.append(
        Mistake(node.place, f"'{node.value}' is not one of the choices", f"Write {' or '.join(map(str, choices))}.")
    )
    return None
