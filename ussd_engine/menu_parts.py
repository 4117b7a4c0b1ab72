"""The parts that screens of a menu file are made of: texts, names, ways on, calls, checks.

Shapes and words are checked here; what hangs together is checked in `check`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing.contract import OPERATIONS
from strict_yaml import Mistake, Node, Place, did_you_mean

from . import answers, menu, wording
from .menu import Again, Check, Do, Lead, Operand, Outcome, Tries, Words

DO_KEYS = ("call", "with", "into", "done", "refused", "unknown", "not_made")
LEAD_KEYS = ("go", "set")
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class Parts:
    """Reads the parts of one file; what is wrong gathers in `mistakes`, and a harmless stand-in goes on."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._languages: dict[str, str] = {}

    def _wrong(self, place: Place, what: str, cure: str) -> None:
        self.mistakes.append(Mistake(place, what, cure))

    # --- small parts ----------------------------------------------------------------------------------------------

    def _mapping(self, node: Node, known: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            self._wrong(node.place, f"{node.kind} where a mapping is expected", "Write `key: value` lines.")
            return {}
        for key in node.items:
            if key not in known:
                self._wrong(node.key_places[key], f"unknown key '{key}'", did_you_mean(key, known))
        for key in required:
            if key not in node.items:
                self._wrong(node.place, f"'{key}' is missing", f"Add `{key}:` here.")
        return node.items

    def _list(self, node: Node) -> list[Node]:
        if isinstance(node.value, list):
            return node.value
        self._wrong(node.place, f"{node.kind} where a list is expected", "Write `- …` lines, or [a, b].")
        return []

    def _text(self, node: Node, what: str = "text") -> str:
        if isinstance(node.value, str):
            return node.value
        self._wrong(node.place, f"{node.kind} where {what} is expected", f'Write it in quotes: "{node.value}".')
        return ""

    def _id(self, node: Node) -> str:
        word = self._text(node, "a name")
        if word and not NAME.match(word):
            self._wrong(node.place, f"'{word}' is no name", "Write small letters, digits and _, a letter first.")
        return word

    def _count(self, node: Node, least: int, most: int) -> int:
        if type(node.value) is int and least <= node.value <= most:
            return node.value
        self._wrong(node.place, f"{node.kind} where a number is expected", f"Write {least} to {most}.")
        return least

    def words(self, node: Node) -> Words:
        """One text in every language of the service."""
        by_language: dict[str, menu.Template] = {}
        languages = tuple(self._languages)
        for language, text in self._mapping(node, languages, languages).items():
            by_language[language] = self._template(text)
        self._same_placeholders(by_language, node)
        return Words({language: by_language.get(language, ("",)) for language in languages}, node.place)

    def _template(self, node: Node) -> menu.Template:
        text = self._text(node)
        if len(text) > menu.TEXT_CHARACTERS_MAX:
            self._wrong(node.place, f"a text of {len(text)} characters", f"At most {menu.TEXT_CHARACTERS_MAX}.")
        try:
            return wording.parse_template(text)
        except wording.BadTemplate as error:
            self._wrong(node.place, str(error), "Write ${name} or ${name|filter}.")
            return ("",)

    def _same_placeholders(self, by_language: Mapping[str, menu.Template], node: Node) -> None:
        names = {
            language: {part.path for part in template if isinstance(part, menu.Fill)}
            for language, template in by_language.items()
        }
        everywhere = set().union(*names.values()) if names else set()
        for language, found in names.items():
            for path in sorted(everywhere - found):
                name = ".".join(path)
                cure = f"Add ${{{name}}} to it, or take it from the others."
                self._wrong(
                    node.items[language].place, f"'{language}' lacks ${{{name}}}, other languages have it", cure
                )

    def _operand(self, node: Node) -> Operand:
        """A bare dotted name, or a constant; text in quotes cannot be told from a name, so `'text'` marks it."""
        value = node.value
        if isinstance(value, str) and value.startswith("'") and value.endswith("'") and len(value) > 1:
            return Operand((), value[1:-1], node.place)
        if isinstance(value, str):
            if not all(map(NAME.match, value.split("."))):
                self._wrong(node.place, f"'{value}' is no name", "Write a dotted name; text as \"'text'\".")
            return Operand(tuple(value.split(".")), None, node.place)
        if isinstance(value, list | dict | Decimal):
            self._wrong(
                node.place, f"{node.kind} where a name or a value is expected", "Write a name or a whole number."
            )
            value = None
        return Operand((), value, node.place)

    def _operands(self, node: Node) -> tuple[tuple[str, Operand], ...]:
        return tuple((name, self._operand(value)) for name, value in self._mapping(node, tuple(node.items)).items())

    # --- where things lead ----------------------------------------------------------------------------------------

    def _lead(self, node: Node) -> Lead:
        """`screen`, or `{set: {…}, go: screen}`."""
        if isinstance(node.value, str):
            return Lead(node.value, node.place)
        entries = self._mapping(node, LEAD_KEYS, ("go",))
        return self._lead_from(entries, node.place)

    def _lead_from(self, entries: Mapping[str, Node], place: Place) -> Lead:
        settings = self._operands(entries["set"]) if "set" in entries else ()
        go = entries.get("go")
        return Lead(self._text(go, "a screen's name") if go else "", go.place if go else place, settings)

    def _outcome(self, node: Node) -> Outcome:
        if "again" in node.items:
            entries = self._mapping(node, ("again",))
            return Again(self.words(entries["again"]), node.place)
        return self._lead(node)

    def _do(self, node: Node) -> Do:
        entries = self._mapping(node, DO_KEYS, ("call", "done", "refused", "unknown", "not_made"))
        nowhere = Lead("", node.place)
        call = self._text(entries["call"], "a call's name") if "call" in entries else ""
        operation = OPERATIONS.get(call)
        refused = entries.get("refused")
        return Do(
            call,
            self._operands(entries["with"]) if "with" in entries else (),
            self._id(entries["into"]) if "into" in entries else "",
            self._lead(entries["done"]) if "done" in entries else nowhere,
            self._refusals(refused) if refused else {},
            self._outcome(entries["unknown"]) if "unknown" in entries else nowhere,
            self._outcome(entries["not_made"]) if "not_made" in entries else nowhere,
            operation is not None and operation.changes,
            entries["call"].place if "call" in entries else node.place,
        )

    def _refusals(self, node: Node) -> dict[str, Outcome]:
        found = {code: self._outcome(value) for code, value in self._mapping(node, tuple(node.items)).items()}
        if "*" not in found:
            self._wrong(node.place, "a refusal with another code has no place to go", 'Add `"*": screen`.')
        return found

    def _go_or_do(self, entries: Mapping[str, Node], place: Place) -> tuple[Lead | None, Do | None]:
        if ("go" in entries) == ("do" in entries):
            what = "both `go` and `do`" if "go" in entries else "neither `go` nor `do`"
            self._wrong(place, what, "Write one: `go: screen`, or `do: {call: …}`.")
            return (Lead("", place), None)
        if "do" in entries:
            return None, self._do(entries["do"])
        return self._lead_from(entries, place), None

    def _tries(self, entries: Mapping[str, Node]) -> Tries | None:
        node = entries.get("tries")
        if node is None:
            return None
        parts = self._mapping(node, ("max", "then"), ("max", "then"))
        if len(parts) < 2:
            return None
        return Tries(
            self._count(parts["max"], 1, 20), self._text(parts["then"], "a screen's name"), parts["then"].place
        )

    def _bound(self, node: Node) -> Operand:
        """`min` and `max` of a check: a name, or a whole number (of money: whole units of the currency)."""
        operand = self._operand(node)
        if not operand.path and (type(operand.constant) is not int or operand.constant < 0):
            self._wrong(node.place, "a bound that is no whole number", "Write a whole number, or a name.")
        return operand

    def _check(self, node: Node) -> Check:
        """`{kind: {min:, max:}, else: {…}}`, or `{kind: , else: {…}}` without bounds."""
        entries = self._mapping(node, (*answers.KINDS, "else"), ("else",))
        kinds = [kind for kind in entries if kind != "else"]
        if len(kinds) != 1:
            self._wrong(node.place, "a check needs one kind", f"Write one of {', '.join(answers.KINDS)}.")
        kind = kinds[0] if kinds else "text"
        bounds = entries.get(kind)
        limits = self._mapping(bounds, ("min", "max")) if bounds and bounds.value is not None else {}
        return Check(
            kind,
            self._bound(limits["min"]) if "min" in limits else None,
            self._bound(limits["max"]) if "max" in limits else None,
            self.words(entries["else"]) if "else" in entries else Words({}, node.place),
            node.place,
        )

    @staticmethod
    def _accepts(checks: tuple[Check, ...], key: str) -> bool:
        """Whether the key could be an answer; bounds that are only known later are taken as open."""

        def bound(operand: Operand | None) -> Any:
            return operand.constant if operand and not operand.path else None

        return all(
            answers.read(check.kind, key, answers.Bounds(bound(check.least), bound(check.most)), "KZ", "KZT")
            is not None
            for check in checks
        )

    def _no_twins(self, names: list[tuple[str, Place]], what: str) -> None:
        seen: dict[str, Place] = {}
        for name, place in names:
            if name in seen:
                self._wrong(place, f"{what} '{name}' stands twice, first on line {seen[name].line}", "Change one.")
            seen.setdefault(name, place)
