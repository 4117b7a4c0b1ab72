"""Files of talks, and expectations rewritten where a screen is another now (pure: octets in, octets out).

A file of talks is `talks/NAME.yaml` beside the menus: `{talks: 1, service: …, tests: […]}`. Only the scalars that say
what a screen is are rewritten; comments and everything else stay.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from strict_yaml import Mistake, Node, did_you_mean, read_tree

from .catalog import Checked
from .menu_file import Files
from .talk import Difference, Talk, talks_in

VERSION = 1
_KEYS = ("talks", "service", "tests")
_PLAIN = re.compile(r"[a-z_]\w*(?:\.\w+)*", re.ASCII | re.IGNORECASE)


def read_talks(files: Files, folder: str, checked: Checked) -> tuple[list[Talk], list[Mistake]]:
    """The talks of these files, and what is wrong with the files."""
    talks: list[Talk] = []
    mistakes: list[Mistake] = []
    for name, octets in files.items():
        node = read_tree(octets, f"{folder}/{name}", mistakes)
        if node is not None:
            talks += _talks(node, checked, mistakes)
    return talks, mistakes


def _talks(node: Node, checked: Checked, mistakes: list[Mistake]) -> list[Talk]:
    for key in node.items:
        if key not in _KEYS:
            mistakes.append(Mistake(node.key_places[key], f"unknown key '{key}'", did_you_mean(key, _KEYS)))
    missing = [key for key in _KEYS if key not in node.items]
    mistakes += [Mistake(node.place, f"'{key}' is missing", f"Add `{key}:` here.") for key in missing]
    if missing:
        return []
    service = node.items["service"]
    if service.value not in checked.services:
        if checked.whole:  # else it may stand in a file that cannot be read
            what = f"there is no service '{service.value}'"
            mistakes.append(Mistake(service.place, what, did_you_mean(str(service.value), checked.services)))
        return []
    return talks_in(node, str(service.value))


def written(service: str, tests: list[dict[str, Any]]) -> str:
    """A file of talks that holds these tests."""
    head = f"talks: {VERSION}\nservice: {service}\ntests:\n"
    return head + "".join(_item(test) for test in tests)


def _item(test: Mapping[str, Any]) -> str:
    """A step of the talk and a call have a line each."""
    rows: list[str] = []
    for key, value in test.items():
        if key == "talk":
            rows += [f"{key}:", *(f"  - {_flow(step)}" for step in value)]
        elif isinstance(value, dict):
            rows += [f"{key}:", *(f"  {_name(name)}: {_flow(each)}" for name, each in value.items())]
        else:
            rows.append(f"{key}: {_flow(value)}")
    return "".join(f"  {'- ' if at == 0 else '  '}{row}\n" for at, row in enumerate(rows))


def _flow(value: object) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_name(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _name(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def updated(octets: bytes, differences: Iterable[Difference]) -> bytes:
    """The file with each expectation that differs put right; `differences` are of this file."""
    rows = octets.decode().split("\n")
    for difference in sorted(differences, key=lambda each: each.node.place, reverse=True):
        place, (end_row, end_column) = difference.node.place, difference.node.end
        first = rows[place.line - 1]
        text = first[: place.column - 1] + json.dumps(difference.shown, ensure_ascii=False)
        if first[place.column - 1] in "|>":  # a block ends before the line that follows it
            rows[place.line - 1 : end_row - 1] = [text]
        else:
            rows[place.line - 1 : end_row] = [text + rows[end_row - 1][end_column - 1 :]]
    return "\n".join(rows).encode()


def difference(before: bytes, after: bytes, name: str) -> str:
    """What was rewritten, as a unified diff."""
    lines = difflib.unified_diff(
        before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True), name, name
    )
    return "".join(lines)
