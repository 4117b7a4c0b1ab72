"""The conditions of menus."""

from __future__ import annotations

from typing import Any

import pytest

from ussd_engine.language.expression import BadExpression, holds, parse

VALUES: dict[str, Any] = {
    "a": {"n": 5, "word": "x", "sum": {"minor": 500, "currency": "KZT"}, "flag": True},
    "b": {"n": 7, "sum": {"minor": 700, "currency": "KZT"}},
}


def look(path: tuple[str, ...]) -> Any:
    value: Any = VALUES
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.n == 5", True), ("a.n != 5", False), ("a.n < b.n", True), ("a.n >= b.n", False), ("a.sum <= b.sum", True),
        ("a.word == 'x'", True), ('a.word == "y"', False), ("a.flag", True), ("not a.flag", False),
        ("a.flag and a.n == 6", False), ("a.n == 6 or a.flag", True), ("not (a.n == 6) and a.flag", True),
        ("a.word in ['x', 'y']", True), ("a.word in ['z']", False), ("a.none == null", True), ("a.none < 3", False),
        ("a.flag or a.n == 1 and a.n == 2", True), ("true", True), ("-1 < 0", True),
    ],
)  # fmt: skip
def test_it_holds_or_not(text: str, expected: bool) -> None:
    assert holds(parse(text), look) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.n ==",
        "a.n == 5 6",
        "(a.n",
        "a.n()",
        "a['x']",
        "a.n + 1",
        "__import__",
        "a..b",
        "[1",
        "and",
        "5 = 5",
        "a.n;b",
    ],
)
def test_anything_more_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        parse(text)


def test_depth_has_a_limit() -> None:
    with pytest.raises(BadExpression):
        parse("(" * 50 + "a" + ")" * 50)


def test_the_names_it_looks_at_are_known() -> None:
    assert parse("a.n == b.n and not c").names == (("a", "n"), ("b", "n"), ("c",))
