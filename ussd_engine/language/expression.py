"""The conditions of menus: bare dotted names, literals, and `and or not == != < <= > >= in` (pure).

No calls, no arithmetic, no indexing: a condition can only look at what the dialogue already holds. A compiled service
holds its text; it becomes closures over a lookup of names when it is first tested.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from .menu import Expression

Lookup: TypeAlias = Callable[[tuple[str, ...]], Any]
Test: TypeAlias = Callable[[Lookup], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+)|(?P<text>"[^"]*"|'[^']*')|(?P<name>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)"""
    r"""|(?P<sign>==|!=|<=|>=|<|>|[()\[\],]))"""
)
_WORDS = {"true": True, "false": False, "null": None}
DEPTH_MAX = 20
CHARACTERS_MAX = 500


class BadExpression(Exception):
    """A condition that cannot be read; the text says why, in an author's words."""


def _compare(sign: str, left: Any, right: Any) -> bool:
    if sign == "==":
        return bool(left == right)
    if sign == "!=":
        return bool(left != right)
    if sign == "in":
        return left in right if isinstance(right, tuple | list) else isinstance(right, str) and str(left) in right
    left, right = _number(left), _number(right)
    if left is None or right is None:
        return False
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign])


def _number(value: Any) -> int | None:
    """What can be ordered: a whole number, or an amount of money by its minor units."""
    if isinstance(value, dict):
        value = value.get("minor")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class _Parser:
    def __init__(self, text: str) -> None:
        self.names: list[tuple[str, ...]] = []
        self.constants: list[int | str] = []
        self._tokens: list[tuple[str, str]] = []
        self._depth = 0
        position = 0
        text = text.rstrip()
        if len(text) > CHARACTERS_MAX:
            raise BadExpression(f"a condition of {len(text)} characters, at most {CHARACTERS_MAX}")
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise BadExpression(f"'{text[position:].strip()[:12]}' is not understood in a condition")
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()

    def _peek(self) -> str:
        return self._tokens[0][1] if self._tokens else ""

    def _take(self) -> tuple[str, str]:
        if not self._tokens:
            raise BadExpression("the condition ends too early")
        return self._tokens.pop(0)

    def whole(self) -> Test:
        test = self._either()
        if self._tokens:
            raise BadExpression(f"'{self._peek()}' stands where the condition should end")
        return test

    def _either(self) -> Test:
        self._deeper()
        left = self._both()
        while self._peek() == "or":
            self._take()
            left = _or(left, self._both())
        self._depth -= 1
        return left

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise BadExpression(f"the condition is more than {DEPTH_MAX} levels deep")

    def _both(self) -> Test:
        left = self._negated()
        while self._peek() == "and":
            self._take()
            left = _and(left, self._negated())
        return left

    def _negated(self) -> Test:
        if self._peek() == "not":
            self._take()
            self._deeper()
            inner = self._negated()
            return lambda look: not inner(look)
        return self._comparison()

    def _comparison(self) -> Test:
        left = self._operand()
        if self._peek() in ("==", "!=", "<", "<=", ">", ">=", "in"):
            sign = self._take()[1]
            right = self._operand()
            return lambda look: _compare(sign, left(look), right(look))
        return left

    def _operand(self) -> Test:
        kind, word = self._take()
        if word == "(":
            inner = self._either()
            self._expect(")")
            return inner
        if word == "[":
            return self._list()
        if kind == "number":
            return self._literal(int(word))
        if kind == "text":
            return self._literal(word[1:-1])
        if kind == "name" and word in _WORDS:
            return _constant(_WORDS[word])
        if kind == "name" and word not in ("and", "or", "not", "in"):
            path = tuple(word.split("."))
            self.names.append(path)
            return lambda look: look(path)
        raise BadExpression(f"'{word}' stands where a name or a value should")

    def _literal(self, value: int | str) -> Test:
        self.constants.append(value)
        return _constant(value)

    def _list(self) -> Test:
        self._deeper()
        items = [self._operand()]
        while self._peek() == ",":
            self._take()
            items.append(self._operand())
        self._expect("]")
        return lambda look: tuple(item(look) for item in items)

    def _expect(self, sign: str) -> None:
        if self._take()[1] != sign:
            raise BadExpression(f"a '{sign}' is missing")


def _constant(value: Any) -> Test:
    return lambda _look: value


def _or(left: Test, right: Test) -> Test:
    return lambda look: left(look) or right(look)


def _and(left: Test, right: Test) -> Test:
    return lambda look: left(look) and right(look)


def parse(text: str) -> Expression:
    """Reads a condition. Raises BadExpression."""
    parser = _Parser(text)
    parser.whole()
    return Expression(text, tuple(parser.names), tuple(parser.constants))


def holds(expression: Expression, look: Lookup) -> bool:
    """Whether the condition holds for what `look` finds."""
    return bool(_test(expression.text)(look))


@functools.lru_cache(maxsize=65_536)
def _test(text: str) -> Test:
    """The condition as closures: made once, when it is first tested."""
    return _Parser(text).whole()
