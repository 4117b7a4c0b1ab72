"""A menu file read into a `Service`: shapes and words are checked here, what hangs together is checked in `check`.

Rules of this file (pure: octets come from whoever asks):
- Every mistake has its place and a cure, and all mistakes of a file are collected before any is reported; what could
  not be read is named in `Reading.broken`, so that nothing false is said of the rest.
- A file with `part:` in place of `service:` holds screens that services `use:`; they are read anew for each user, under
  the user's name for them.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from billing.contract import LANGUAGES
from billing.events import EVENTS
from strict_yaml import Mistake, Node, Place, did_you_mean, read_tree

from .. import dial_string
from . import answers, grammar, menu
from .menu import Code, Item, Keys, Lead, Need, OpenTo, Path, Pattern, Screen, Service, Sms, Words
from .menu_parts import NAME, TooManyMistakes
from .menu_screens import ALL_OF, Screens

FORMAT = 2
"""Of compiled services: a change of `menu`'s records, or of what they mean, is a new one, and new versions of all."""
VARIABLE = re.compile(r"\{[a-z][a-z0-9_]*\}\Z")
_ENGINE_KEY = re.compile(r"0[0-9]?|9[89]|\*|#")
RESUME_SECONDS_MAX = 3600
CODES_MAX = 200
"""Of one service; each is compared with each."""

Files = Mapping[str, bytes]
"""The menu files of a folder: name → octets."""


class Reading(NamedTuple):
    """What became of a file: the service (None: nothing could be made of it) and its tree, and what is wrong."""

    service: Service | None
    node: Node | None
    mistakes: tuple[Mistake, ...]
    broken: frozenset[str]
    """Screens that could not be read, or not rightly."""
    uses: tuple[str, ...] = ()
    """The files of screens that it uses."""


def is_part(node: Node) -> bool:
    """Whether a file holds screens for others."""
    return "part" in node.items and "service" not in node.items


@functools.lru_cache(maxsize=1024)
def tree(octets: bytes, file: str) -> tuple[Node | None, tuple[Mistake, ...]]:
    """The tree of a file and the mistakes of its YAML; a file that several services use is parsed once."""
    mistakes: list[Mistake] = []
    node = read_tree(octets, file, mistakes)
    return node, tuple(mistakes)


def read_service(octets: bytes, file: str, beside: Files) -> Reading:
    """Reads the octets of a menu; `file` is the name that mistakes carry, `beside`: the files that it can use."""
    node, mistakes = tree(octets, file)
    if node is None:
        return Reading(None, None, mistakes, frozenset())
    reader = _File(octets, beside)
    try:
        service = reader.service(node)
    except TooManyMistakes as error:
        return Reading(None, node, (*mistakes, *error.mistakes), frozenset(reader.broken), tuple(reader.uses))
    unreadable = {mistake.place for mistake in mistakes}  # what is said of such a place is said once
    found = (*mistakes, *(each for each in reader.mistakes if each.place not in unreadable))
    return Reading(service, node, found, frozenset(reader.broken), tuple(reader.uses))


class _File(Screens):
    """Reads one file, and the files that it uses."""

    def __init__(self, octets: bytes, beside: Files) -> None:
        super().__init__()
        self.uses: list[str] = []
        self._beside = beside
        self._digest = hashlib.sha256(b"%d\n" % FORMAT + octets)

    def service(self, node: Node) -> Service | None:
        """The service in this tree; None when it has no language, for then nothing can be read."""
        wanted = ("start", "screens") if "dial" in node.items or "screens" in node.items else ()
        if "sms" in node.items:
            wanted = ("screens", "patterns")
        if "sms" in node.items and "dial" in node.items:
            self._wrong(node.key_places["sms"], "`sms` beside `dial`", "Make them two services.")
        entries = self._mapping(node, tuple(grammar.SERVICE), (*grammar.required(grammar.SERVICE), *wanted))
        self._version_of_language(entries)
        self._read_languages(entries.get("languages"))
        if not self._languages:
            return None
        self._own_keys = self._keys(entries.get("keys"))
        lists = self.lists(entries.get("lists"))
        screens = self.screens(entries["screens"]) if "screens" in entries else {}
        for use in self._uses(entries.get("use")):
            self._use(use, lists, screens)
        start = entries.get("start")
        return Service(
            id=self._id(entries.get("service")),
            version=self._digest.hexdigest()[:16],
            languages=self._languages,
            dial=self._codes(entries.get("dial")),
            open_to=self._open_to(entries.get("open_to"), node.place),
            start=self._target(start),
            needs=self._needs(entries.get("needs")),
            guard=self._guard({key: entries[key] for key in ("requires", "maintenance") if key in entries}),
            resume_seconds=self._resume(entries.get("resume")),
            lists=lists,
            screens=screens,
            keys=self._own_keys,
            sms=self._sms(entries),
            notices=self._notices(entries.get("notices")),
            faces={},
            place=start.place if start else node.place,
        )

    def _version_of_language(self, entries: Mapping[str, Node]) -> None:
        if "menu" in entries and entries["menu"].value != grammar.VERSION:
            cure = f"Write `menu: {grammar.VERSION}`."
            self._wrong(entries["menu"].place, "another version of the menu language", cure)

    def _read_languages(self, node: Node | None) -> None:
        if node is None:
            return
        for code, name in self._mapping(node, LANGUAGES).items():
            self._languages[code] = self._text(name, "the language's own name")
        if not self._languages:
            self._wrong(node.place, "no language", f"Write some of {', '.join(LANGUAGES)} with their names.")

    # --- files of screens that are used ---------------------------------------------------------------------------

    def _uses(self, node: Node | None) -> list[Node]:
        if node is None:
            return []
        return [node] if isinstance(node.value, dict) else self._list(node)

    def _use(self, node: Node, lists: dict[str, tuple[Item, ...]], screens: dict[str, Screen]) -> None:
        entries = self._entries(node, grammar.USE)
        name, prefix = self._text(entries.get("file"), "a file's name"), self._id(entries.get("as"))
        if not name or not prefix:
            return
        octets = self._beside.get(name)
        if octets is None:
            what = f"there is no file '{name}' beside this one"
            self._wrong(entries["file"].place, what, did_you_mean(name, self._beside))
            self.broken.add(f"{prefix}{ALL_OF}")
            return
        self.uses.append(name)
        self._digest.update(b"\n%s %s\n" % (prefix.encode(), octets))
        taken = [each for each in screens if each.startswith(f"{prefix}.")]
        if taken:
            self._wrong(node.place, f"screen '{taken[0]}' is named as if it came from '{name}'", "Rename one.")
        part = _Part(prefix, self._languages, entries["file"].place)
        its_lists, its_screens = part.read(octets, name, node.place.file)
        self.mistakes += part.mistakes
        self.broken |= part.broken
        lists |= its_lists
        screens |= its_screens

    # --- the head -------------------------------------------------------------------------------------------------

    def _codes(self, node: Node | None) -> tuple[Code, ...]:
        found: list[Code] = []
        nodes = self._list(node)
        if node and len(nodes) > CODES_MAX:
            self._wrong(node.place, f"{len(nodes)} codes", f"At most {CODES_MAX}: make more services.")
        for each in nodes[:CODES_MAX]:
            entries = self._entries(each, grammar.CODE) if each.items else {"code": each}
            text = self._text(entries.get("code"), "a code in quotes")
            go = self._target(entries.get("go"))
            parts = self._parts_of(text)
            if parts is None:
                if text:
                    self._wrong(each.place, f"'{text}' is no service code", 'Write it as dialled: "*111#".')
                continue
            head = self._head_of(parts, go, found)
            if head is None:
                cure = f'Write the code before it, or {{code: "{text}", go: screen}}.'
                self._wrong(each.place, f"'{text}' has a variable, and extends no code of this service", cure)
                continue
            found.append(Code(head, parts[len(head) :], go, each.place))
        self._no_twins([(f"{code} {code.go}".strip(), code.place) for code in found], "code")
        return tuple(found)

    @staticmethod
    def _head_of(parts: Path, go: str, before: list[Code]) -> Path | None:
        """Which parts are the code itself: up to the first variable, or the longest code that it extends."""
        variable = next((at for at, part in enumerate(parts) if menu.is_variable(part)), len(parts))
        if go:
            return parts[:variable] or None
        heads = [code.head for code in before if not code.is_promise and parts[: len(code.head)] == code.head]
        return max(heads, key=len) if heads else (parts if variable == len(parts) else None)

    @staticmethod
    def _parts_of(text: str) -> Path | None:
        """The parts of a code as it is dialled; None when it is none."""
        if not text.startswith("*") or not text.endswith("#"):
            return None
        parts = tuple(text[1:-1].split("*"))
        plain = dial_string.parse("*" + "*".join("1" if VARIABLE.match(part) else part for part in parts) + "#")
        if plain is None or not all(parts) or menu.is_variable(parts[0]):
            return None
        if not all(menu.is_variable(part) or (part.isascii() and part.isdecimal()) for part in parts):
            return None
        return parts

    def _open_to(self, node: Node | None, place: Place) -> OpenTo:
        if node is None:
            return OpenTo((), "", place)
        entries = self._entries(node, grammar.OPEN_TO)
        networks = self._texts(entries.get("networks"))
        if "networks" in entries and entries["networks"].value == []:
            self._wrong(entries["networks"].place, "no network", "Name one, or leave `open_to` out.")
        return OpenTo(networks, self._target(entries.get("else")), node.place)

    def _needs(self, node: Node | None) -> dict[str, Need]:
        found: dict[str, Need] = {}
        for name, each in self._mapping(node, tuple(node.items)).items() if node else ():
            if not NAME.match(name):
                self._wrong(each.place, f"'{name}' is no name", "Write small letters, digits and _, a letter first.")
            entries = self._entries(each, grammar.NEED)
            when = self._condition(entries.get("when"))
            if when is not None:
                settle = entries.get("settle")
                found[name] = Need(when, self._target(settle), settle.place if settle else each.place)
        return found

    def _resume(self, node: Node | None) -> int:
        if node is None:
            return 0
        entries = self._entries(node, grammar.RESUME)
        return self._count(entries["seconds"], 1, RESUME_SECONDS_MAX) if "seconds" in entries else 0

    def _sms(self, entries: Mapping[str, Node]) -> Sms | None:
        node, patterns = entries.get("sms"), entries.get("patterns")
        if node is None:
            if patterns is not None:
                self._wrong(patterns.place, "patterns without `sms`", "Add `sms: {to: [...], else: screen}`.")
            return None
        parts = self._entries(node, grammar.SMS)
        found = tuple(self._pattern(each) for each in self._list(patterns))
        self._no_twins([(word, each.place) for each in found for word in each.words], "word")
        return Sms(
            self._texts(parts.get("to"), "a number in quotes"), found, self._target(parts.get("else")), node.place
        )

    def _pattern(self, node: Node) -> Pattern:
        entries = self._entries(node, grammar.PATTERN)
        words = self._texts(entries.get("words"))
        for word in words:
            if len(word.split()) != 1:
                self._wrong(entries["words"].place, f"'{word}' is not one word", "Write single words.")
        choices = entries["choices"].items if "choices" in entries else {}
        if choices and "save" not in entries:
            self._wrong(entries["choices"].place, "`choices` without `save`", "Name what the second word becomes.")
        if entries and ("words" in entries) == ("code" in entries):
            self._wrong(node.place, "a pattern needs one of `words` and `code`", "Say what such an SMS begins with.")
        if ("code" in entries) != ("digits" in entries):
            self._wrong(node.place, "`code` and `digits` go together", "Write `code: name, digits: 8`.")
        if "number" in entries and ("save" in entries or "words" not in entries):
            self._wrong(entries["number"].place, "`number` stands after words, without `save`", "Remove one.")
        return Pattern(
            words=tuple(answers.folded(word) for word in words),
            save=self._id(entries.get("save")),
            choices={answers.folded(word): self._text(value) for word, value in choices.items()},
            number=self._id(entries.get("number")),
            secret=self._id(entries.get("code")),
            digits=self._count(entries["digits"], 1, 20) if "digits" in entries else 0,
            lead=self._lead_from(entries, node.place) if entries else Lead("", node.place),
            place=node.place,
        )

    def _notices(self, node: Node | None) -> dict[str, Words]:
        entries = self._mapping(node, tuple(EVENTS)).items() if node else ()
        return {event: self.words(words, words.place) for event, words in entries}

    def _keys(self, node: Node | None) -> Keys:
        if node is None:
            return Keys()
        entries = self._entries(node, grammar.KEYS)
        given = {key: self._text(each, "a key in quotes") for key, each in entries.items()}
        for key, word in given.items():
            if word and not _ENGINE_KEY.fullmatch(word):
                cure = 'Write "0" to "09", "98", "99", "*" or "#".'
                self._wrong(entries[key].place, f"'{word}' could be an answer", cure)
        default = Keys()
        keys = Keys(
            given.get("back") or default.back, given.get("home") or default.home, given.get("more") or default.more
        )
        if len({keys.back, keys.home, keys.more}) < len(grammar.KEYS):
            self._wrong(node.place, "two keys alike", "Give each its own.")
        return keys


class _Part(Screens):
    """Reads a file of screens under the name by which a service uses it."""

    def __init__(self, prefix: str, languages: Mapping[str, str], used_at: Place) -> None:
        super().__init__(f"{prefix}.")
        self._wanted = languages
        self._used_at = used_at

    def read(self, octets: bytes, name: str, user: str) -> tuple[dict[str, tuple[Item, ...]], dict[str, Screen]]:
        """The lists and screens in the octets of `name`, which stands beside the file `user`."""
        folder, slash, _ = user.rpartition("/")
        node, mistakes = tree(octets, f"{folder}{slash}{name}")
        self.mistakes += mistakes
        if node is None or not is_part(node) or "screens" not in node.items:
            self.broken.add(f"{self._prefix}*")  # nothing is said of screens that it may have
        if node is None:
            return {}, {}
        if not is_part(node):
            self._wrong(self._used_at, f"'{name}' is a service of its own", "Use a file that begins with `part:`.")
            return {}, {}
        entries = self._entries(node, grammar.PART)
        spoken = entries["languages"].items if "languages" in entries else {}
        for language in self._wanted:
            if language not in spoken:
                self._wrong(self._used_at, f"'{name}' has no texts in '{language}'", "Add them there.")
        self._languages = {language: "" for language in spoken if language in LANGUAGES}
        return self.lists(entries.get("lists")), self.screens(entries["screens"]) if "screens" in entries else {}

    def words(self, node: Node | None, place: Place) -> Words:
        """The text in the languages of the service that uses it."""
        words = super().words(node, place)
        return Words({each: words.by_language.get(each, ("",)) for each in self._wanted}, words.place)
