"""The parts that screens of a menu file are made of: texts, names, ways on, calls, checks, guards (pure).

Shapes and words are checked here; what hangs together is checked in `check`. What is wrong gathers in `mistakes`, and
a harmless stand-in goes on, so that all mistakes of a file come at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from billing.contract import OPERATIONS, STATUSES
from strict_yaml import Mistake, Node, Place, did_you_mean

from . import answers, expression, grammar, menu, wording
from .grammar import Key
from .menu import Again, Check, Do, Expression, Guard, Lead, Operand, Outcome, Requires, Tries, Words

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
SCREEN_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\Z")
TRUSTS = ("none", "partner", "operator")
"""How far a link is trusted to say whose number it is, least first."""

MISTAKES_MAX = 200
"""In one file: what a file with more says of the rest helps nobody, and takes its time."""


class TooManyMistakes(Exception):
    """The file is read no further: `mistakes` are those of it so far."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(f"{len(mistakes)} mistakes")


def _near(name: str, others: Iterable[str]) -> str:
    """The name among these that this one may be a misspelling of, or ""."""
    return next(iter(difflib.get_close_matches(name, list(others), n=1)), "")


class Parts:
    """Reads the parts of one file. `prefix` stands before the names of screens and lists that a used file has."""

    def __init__(self, prefix: str = "") -> None:
        self.mistakes: list[Mistake] = []
        self._languages: dict[str, str] = {}
        self._prefix = prefix

    def _wrong(self, place: Place, what: str, cure: str) -> None:
        self.mistakes.append(Mistake(place, what, cure))
        if len(self.mistakes) >= MISTAKES_MAX:
            raise TooManyMistakes(self.mistakes)

    # --- small parts ----------------------------------------------------------------------------------------------

    def _entries(self, node: Node, keys: Mapping[str, Key]) -> dict[str, Node]:
        """The entries of a mapping that the grammar knows."""
        return self._mapping(node, tuple(keys), grammar.required(keys))

    def _mapping(self, node: Node, known: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            self._wrong(node.place, f"{node.kind} where a mapping is expected", "Write `key: value` lines.")
            return {}
        meant = set()
        for key, value in node.items.items():
            if key not in known:
                cure = did_you_mean(key, known)
                meant |= {word for word in required if cure == did_you_mean(word, (word,))}
                if value.value is None and not NAME.match(key):
                    cure = "A text with a comma in it goes in quotes."
                self._wrong(node.key_places[key], f"unknown key '{key}'", cure)
        for key in required:
            if key not in node.items and key not in meant:
                self._wrong(node.place, f"'{key}' is missing", f"Add `{key}:` here.")
        return {key: value for key, value in node.items.items() if key in known}

    def _list(self, node: Node | None) -> list[Node]:
        if node is None:
            return []
        if isinstance(node.value, list):
            return node.value
        self._wrong(node.place, f"{node.kind} where a list is expected", "Write `- …` lines, or [a, b].")
        return []

    def _text(self, node: Node | None, what: str = "text") -> str:
        if node is None:
            return ""
        if isinstance(node.value, str):
            return node.value
        written = str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
        cure = f'Write it in quotes: "{written}".' if isinstance(node.value, int | Decimal) else f"Write {what}."
        self._wrong(node.place, f"{node.kind} where {what} is expected", cure)
        return ""

    def _texts(self, node: Node | None, what: str = "text") -> tuple[str, ...]:
        return tuple(self._text(each, what) for each in self._list(node))

    def _id(self, node: Node | None) -> str:
        word = self._text(node, "a name")
        if node and word and not NAME.match(word):
            self._wrong(node.place, f"'{word}' is no name", "Write small letters, digits and _, a letter first.")
        return word

    def _count(self, node: Node, least: int, most: int) -> int:
        if type(node.value) is int and least <= node.value <= most:
            return node.value
        found = str(node.value) if type(node.value) is int else node.kind
        self._wrong(node.place, f"{found} where a whole number is expected", f"Write {least} to {most}.")
        return least

    def _one_of(self, node: Node, words: tuple[str, ...]) -> str:
        word = self._text(node, "a word")
        if word and word not in words:
            self._wrong(node.place, f"'{word}' is none of the words here", did_you_mean(word, words))
        return word

    def words(self, node: Node | None, place: Place) -> Words:
        """One text in every language of the service."""
        if node is None:
            return Words({}, place)
        by_language: dict[str, menu.Template] = {}
        languages = tuple(self._languages)
        before = len(self.mistakes)
        for language, text in self._mapping(node, languages, languages).items():
            by_language[language] = self._template(text)
        if len(self.mistakes) == before:  # else what could not be read may hold what seems to be missing
            self._same_placeholders(by_language, node)
        return Words({language: by_language.get(language, ("",)) for language in languages}, node.place)

    def _plain_words(self, node: Node | None) -> Words | None:
        """Words without placeholders: they are said where nothing is known yet."""
        if node is None:
            return None
        words = self.words(node, node.place)
        for language, template in words.by_language.items():
            if any(isinstance(part, menu.Fill) for part in template):
                self._wrong(node.items[language].place, "a placeholder in a text that has none", "Write plain words.")
        return words

    def _template(self, node: Node) -> menu.Template:
        text = self._text(node)
        if len(text) > menu.TEXT_CHARACTERS_MAX:
            self._wrong(node.place, f"a text of {len(text)} characters", f"At most {menu.TEXT_CHARACTERS_MAX}.")
        if isinstance(node.value, str) and not text.strip():
            self._wrong(node.place, "an empty text", "Write what the subscriber reads.")
        try:
            return wording.parse_template(text)
        except wording.BadTemplate as error:
            self._wrong(node.place, str(error), "Write ${name} or ${name|filter}.")
            return ("",)

    def _same_placeholders(self, by_language: Mapping[str, menu.Template], node: Node) -> None:
        """Each name stands in the text of every language. One that few have is wrong there, and perhaps misspelt."""
        names = {
            language: {".".join(part.path) for part in template if isinstance(part, menu.Fill)}
            for language, template in by_language.items()
        }
        misspelt: set[tuple[str, str]] = set()
        for language, found in names.items():
            for name in sorted(found):
                others = [other for other in names if name not in names[other]]
                near = _near(name, [each for other in others for each in names[other] - found])
                is_tie = 2 * len(others) == len(names) and near and (language, near) not in misspelt
                if 2 * len(others) > len(names) or is_tie:
                    what = f"'{language}' has ${{{name}}}, and other languages do not"
                    cure = f"Did you mean ${{{near}}}?" if near else "Take it out, or add it to the others."
                    self._wrong(node.items[language].place, what, cure)
                    misspelt |= {(language, near), *((other, name) for other in others)}
        for language, found in names.items():
            for name in sorted(set().union(*names.values()) - found):
                if (language, name) not in misspelt:
                    what = f"'{language}' lacks ${{{name}}}, other languages have it"
                    cure = f"Add ${{{name}}} to it, or take it from the others."
                    self._wrong(node.items[language].place, what, cure)

    def _operand(self, node: Node) -> Operand:
        """A bare dotted name, or a constant; text in quotes cannot be told from a name, so `'text'` marks it."""
        value = node.value
        if isinstance(value, str) and value.startswith("'") and value.endswith("'") and len(value) > 1:
            return Operand((), value[1:-1], node.place)
        if isinstance(value, str):
            if not all(map(NAME.match, value.split("."))):
                number = f"Write {value} without quotes." if value.isdecimal() else ""
                self._wrong(node.place, f"'{value}' is no name", number or "Write a dotted name; text as \"'text'\".")
            return Operand(tuple(value.split(".")), None, node.place)
        if isinstance(value, list | dict | Decimal):
            self._wrong(
                node.place, f"{node.kind} where a name or a value is expected", "Write a name or a whole number."
            )
            return Operand((), None, node.place)
        return Operand((), value, node.place)

    def _operands(self, node: Node | None) -> tuple[tuple[str, Operand], ...]:
        if node is None:
            return ()
        return tuple((name, self._operand(value)) for name, value in self._mapping(node, tuple(node.items)).items())

    def _condition(self, node: Node | None) -> Expression | None:
        if node is None:
            return None
        try:
            return expression.parse(self._text(node, "a condition"))
        except expression.BadExpression as error:
            self._wrong(node.place, str(error), "Write for example: subscriber.status == 'active'.")
            return Expression("true", ())

    # --- where things lead ----------------------------------------------------------------------------------------

    def _target(self, node: Node | None) -> str:
        """The name of a screen; inside a used file, of a screen of that file."""
        word = self._text(node, "a screen's name")
        return self._prefix + word if word and word not in menu.RESERVED else word

    def _lead(self, node: Node) -> Lead:
        """`screen`, or `{set: {…}, go: screen}`."""
        if isinstance(node.value, str):
            return Lead(self._target(node), node.place)
        return self._lead_from(self._entries(node, grammar.LEAD), node.place)

    def _lead_from(self, entries: Mapping[str, Node], place: Place) -> Lead:
        go = entries.get("go")
        return Lead(self._target(go), go.place if go else place, self._operands(entries.get("set")))

    def _outcome(self, node: Node) -> Outcome:
        if "again" in node.items:
            entries = self._entries(node, grammar.AGAIN)
            return Again(self.words(entries.get("again"), node.place), node.place)
        return self._lead(node)

    def _do(self, node: Node) -> Do:
        entries = self._entries(node, grammar.DO)
        call = entries.get("call")
        name = self._text(call, "a call's name")
        operation = OPERATIONS.get(name)
        gone = Lead("", node.place)
        return Do(
            call=name,
            arguments=self._operands(entries.get("with")),
            into=self._id(entries.get("into")),
            done=self._lead(entries["done"]) if "done" in entries else gone,
            refused=self._refusals(entries["refused"]) if "refused" in entries else {},
            unknown=self._outcome(entries["unknown"]) if "unknown" in entries else gone,
            not_made=self._outcome(entries["not_made"]) if "not_made" in entries else gone,
            changes=operation is not None and operation.changes,
            typed=operation is not None and operation.changes and not operation.by_dialling,
            by_manager=operation is not None and operation.by_manager,
            place=call.place if call else node.place,
        )

    def _refusals(self, node: Node) -> dict[str, Outcome]:
        found = {code: self._outcome(value) for code, value in self._mapping(node, tuple(node.items)).items()}
        if isinstance(node.value, dict) and "*" not in found:
            self._wrong(node.place, "a refusal with another code has no place to go", 'Add `"*": screen`.')
        return found

    def _go_or_do(self, entries: Mapping[str, Node], place: Place) -> tuple[Lead | None, Do | None]:
        if ("go" in entries) == ("do" in entries):
            what = "both `go` and `do`" if "go" in entries else "neither `go` nor `do`"
            self._wrong(place, what, "Write one: `go: screen`, or `do: {call: …}`.")
            return (Lead("", place), None)
        if "do" in entries:
            if "set" in entries:
                self._wrong(entries["set"].place, "`set` beside `do`", "Set it where an outcome leads on.")
            return None, self._do(entries["do"])
        return self._lead_from(entries, place), None

    def _tries(self, entries: Mapping[str, Node]) -> Tries | None:
        node = entries.get("tries")
        if node is None:
            return None
        parts = self._entries(node, grammar.TRIES)
        if len(parts) < len(grammar.TRIES):
            return None
        return Tries(self._count(parts["max"], 1, 20), self._target(parts["then"]), parts["then"].place)

    def _guard(self, entries: Mapping[str, Node]) -> Guard | None:
        needs = self._texts(entries.get("needs"), "a name")
        requires = self._requires(entries["requires"]) if "requires" in entries else None
        maintenance = self._plain_words(entries.get("maintenance"))
        return Guard(requires, maintenance, needs) if needs or requires or maintenance else None

    def _requires(self, node: Node) -> Requires:
        entries = self._entries(node, grammar.REQUIRES)
        trust = self._one_of(entries["trust"], TRUSTS[1:]) if "trust" in entries else ""
        statuses = tuple(self._one_of(each, STATUSES) for each in self._list(entries.get("status")))
        if not trust and not statuses and entries:
            self._wrong(node.place, "`requires` asks for nothing", "Add `trust:` or `status:`.")
        return Requires(trust, statuses, self._target(entries.get("else")), node.place)

    # --- checks of answers ----------------------------------------------------------------------------------------

    def _check(self, node: Node) -> Check:
        """`{kind: {min:, max:}, else: {…}}`, or `{kind: , else: {…}}` without bounds."""
        entries = self._entries(node, grammar.CHECK)
        kinds = [kind for kind in entries if kind != "else"]
        if len(kinds) != 1 and not node.items.keys() - grammar.CHECK.keys():
            self._wrong(node.place, "a check needs one kind", f"Write one of {', '.join(answers.KINDS)}.")
        kind = kinds[0] if kinds else "text"
        value = entries.get(kind)
        least, most = self._bounds(value) if grammar.CHECK[kind].takes == "bounds" else (None, None)
        return Check(
            kind, least, most, self._words_of(kind, value), self.words(entries.get("else"), node.place), node.place
        )

    def _bounds(self, node: Node | None) -> tuple[Operand | None, Operand | None]:
        limits = self._entries(node, grammar.BOUNDS) if node and node.value is not None else {}
        least = self._bound(limits["min"]) if "min" in limits else None
        most = self._bound(limits["max"]) if "max" in limits else None
        bounds = [each.constant for each in (least, most) if each and isinstance(each.constant, int)]
        if most and len(bounds) == 2 and bounds[0] > bounds[1]:
            self._wrong(most.place, f"{bounds[1]} is less than `min`", "No answer could be right.")
        return least, most

    def _bound(self, node: Node) -> Operand:
        """`min` and `max` of a check: a name, or a whole number (of money: whole units of the currency)."""
        if isinstance(node.value, str) or (type(node.value) is int and node.value >= 0):
            return self._operand(node)
        self._wrong(node.place, "a bound that is no whole number", "Write a whole number, or a name.")
        return Operand((), None, node.place)

    def _words_of(self, kind: str, node: Node | None) -> tuple[str, ...]:
        """What a `choice` chooses from, and the form of an `inn`."""
        if kind == "inn":
            return (self._one_of(node, answers.INN_FORMS),) if node and node.value is not None else (answers.INN_ANY,)
        if kind == "choice":
            words = self._texts(node, "a word")
            if node and not words:
                self._wrong(node.place, "a choice of nothing", "Write the words: [yes, no].")
            return words
        if node and node.value is not None and grammar.CHECK[kind].takes == "nothing":
            self._wrong(node.place, f"{node.kind} after `{kind}:`", "Leave it empty.")
        return ()

    @staticmethod
    def _accepts(checks: tuple[Check, ...], key: str) -> bool:
        """Whether the key could be an answer; bounds that are only known later are taken as open."""

        def bound(operand: Operand | None) -> Any:
            return operand.constant if operand and not operand.path else None

        return all(
            answers.read(check, key, answers.Bounds(bound(check.least), bound(check.most)), answers.ANYWHERE)
            is not None
            for check in checks
        )

    def _no_twins(self, names: list[tuple[str, Place]], what: str) -> None:
        seen: dict[str, Place] = {}
        for name, place in names:
            if name in seen:
                self._wrong(place, f"{what} '{name}' stands twice, first on line {seen[name].line}", "Change one.")
            seen.setdefault(name, place)
