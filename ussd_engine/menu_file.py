"""A menu file read into a `Service`: shapes and words are checked here, what hangs together is checked in `check`.

Every mistake has its place and a cure, and all mistakes of a file are collected before any is reported. The tables
below say which keys each part may have; `docs/menu-language.md` shows them to authors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath

from billing.notices import EVENTS
from strict_yaml import Node, Place, StrictYamlError, read_text

from . import answers, dial_string, expression, menu, wording
from .menu import (
    AskScreen,
    Case,
    EndScreen,
    Item,
    Keys,
    ListScreen,
    MenuScreen,
    OpenTo,
    Option,
    Path,
    Pattern,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    Sms,
    Words,
)
from .menu_parts import LEAD_KEYS, NAME, Parts

VERSION = 1
SERVICE_KEYS = (
    "menu", "service", "languages", "dial", "open_to", "start", "keys", "sms", "patterns", "notices", "lists",
    "screens", "tests",
)  # fmt: skip
SMS_KEYS = ("to", "else")
PATTERN_KEYS = ("words", "save", "choices", *LEAD_KEYS)
SCREEN_KEYS: Mapping[str, tuple[str, ...]] = {
    "menu": ("options", "tries"),
    "list": ("items", "item", "save", "go", "do", "empty", "tries"),
    "ask": ("save", "secret", "check", "go", "do", "tries"),
    "show": ("options", "tries"),
    "end": (),
    "route": ("do",),
}
OPTION_KEYS = ("id", "key", "text", "go", "set", "do")


def read_service(path: FilePath) -> tuple[Service, Node]:
    """Reads a menu file: the service, and the tree it came from. Raises StrictYamlError with every mistake found."""
    return service_from(path.read_bytes(), str(path))


def service_from(octets: bytes, file: str) -> tuple[Service, Node]:
    """The service in these octets; `file` is the name mistakes carry. Raises StrictYamlError."""
    node = read_text(octets, file)
    reader = _Reader(hashlib.sha256(octets).hexdigest()[:16])
    service = reader.service(node)
    if reader.mistakes or service is None:
        raise StrictYamlError(reader.mistakes)
    return service, node


class _Reader(Parts):
    """Reads one file."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version
        self._own_keys = Keys()

    # --- screens --------------------------------------------------------------------------------------------------

    def _screen(self, name: str, node: Node) -> Screen | None:
        kinds = [kind for kind in SCREEN_KEYS if kind in node.items]
        if len(kinds) != 1:
            what = f"screen '{name}' has {'no kind' if not kinds else 'two kinds: ' + ', '.join(kinds)}"
            self._wrong(node.place, what, f"Write one of {', '.join(SCREEN_KEYS)} as its first key.")
            return None
        kind = kinds[0]
        entries = self._mapping(node, (kind, *SCREEN_KEYS[kind]))
        read: Mapping[str, Callable[[str, dict[str, Node], Place], Screen]] = {
            "menu": self._menu,
            "list": self._list_screen,
            "ask": self._ask,
            "show": self._show,
            "end": lambda name, entries, place: EndScreen(name, self.words(entries["end"]), place),
            "route": self._route,
        }
        return read[kind](name, entries, node.key_places[kind])

    def _menu(self, name: str, entries: dict[str, Node], place: Place) -> MenuScreen:
        if "options" not in entries:
            self._wrong(place, f"menu '{name}' has no options", "Add `options:`.")
        options = self._options(entries.get("options"))
        return MenuScreen(name, self.words(entries["menu"]), options, self._tries(entries), place)

    def _show(self, name: str, entries: dict[str, Node], place: Place) -> ShowScreen:
        options = self._options(entries.get("options"))
        return ShowScreen(name, self.words(entries["show"]), options, self._tries(entries), place)

    def _options(self, node: Node | None) -> tuple[Option, ...]:
        nodes = self._list(node) if node else []
        if node and len(nodes) > menu.OPTIONS_MAX:
            self._wrong(node.place, f"{len(nodes)} options", f"At most {menu.OPTIONS_MAX}: use a `list`.")
        read = [self._option(each) for each in nodes]
        taken = {option.key for option in read if option.key}
        free = (str(number) for number in range(1, 1000) if str(number) not in taken)
        options = tuple(option if option.key else option._replace(key=next(free)) for option in read)
        self._no_twins([(option.id, option.place) for option in options], "option")
        self._no_twins([(option.key, option.place) for option in options], "key")
        return options

    def _option(self, node: Node) -> Option:
        entries = self._mapping(node, OPTION_KEYS, ("id", "text"))
        lead, do = self._go_or_do(entries, node.place)
        key = entries.get("key")
        key_text = self._text(key, "a key in quotes") if key else ""
        if key and not re.fullmatch(r"[1-9][0-9]?|\*|#", key_text):
            self._wrong(key.place, f"'{key_text}' is no key", 'Write "1" to "97" in quotes.')
        return Option(
            self._id(entries["id"]) if "id" in entries else "",
            key_text,
            self.words(entries["text"]) if "text" in entries else Words({}, node.place),
            lead,
            do,
            node.place,
        )

    def _list_screen(self, name: str, entries: dict[str, Node], place: Place) -> ListScreen:
        if "items" not in entries:
            self._wrong(place, f"list '{name}' has no items", "Add `items: lists.name` or the name of a call's list.")
        items = self._operand(entries["items"]).path if "items" in entries else ("lists", "")
        if not items:
            self._wrong(
                entries["items"].place, "`items` names no list", "Write lists.name, or the name of a call's list."
            )
            items = ("lists", "")
        lead, do = self._go_or_do(entries, place)
        return ListScreen(
            name,
            self.words(entries["list"]),
            items,
            self.words(entries["item"]) if "item" in entries else None,
            self._id(entries["save"]) if "save" in entries else "",
            lead,
            do,
            self._text(entries["empty"], "a screen's name") if "empty" in entries else "",
            self._tries(entries),
            place,
        )

    def _ask(self, name: str, entries: dict[str, Node], place: Place) -> AskScreen:
        if ("save" in entries) == ("secret" in entries):
            self._wrong(place, f"ask '{name}' needs one of `save` and `secret`", "Name what the answer becomes.")
        checks = tuple(self._check(each) for each in (self._list(entries["check"]) if "check" in entries else ()))
        lead, do = self._go_or_do(entries, place)
        back_keys = bool(checks) and not any(
            self._accepts(checks, key) for key in (self._own_keys.back, self._own_keys.home)
        )
        return AskScreen(
            name,
            self.words(entries["ask"]),
            self._id(entries["save"]) if "save" in entries else "",
            self._id(entries["secret"]) if "secret" in entries else "",
            checks,
            lead,
            do,
            self._tries(entries),
            back_keys,
            place,
        )

    def _route(self, name: str, entries: dict[str, Node], place: Place) -> RouteScreen:
        node = entries["route"]
        do = self._do(entries["do"]) if "do" in entries else None
        nodes = [] if do and node.value is None else self._list(node)
        cases = tuple(self._case(each) for each in nodes)
        if do and cases:
            self._wrong(place, f"route '{name}' has cases and a call", "Leave `route:` empty beside `do:`.")
        if not do and (not cases or cases[-1].when is not None):
            self._wrong(place, f"route '{name}' can end nowhere", "Let its last line be `- {go: screen}`.")
        return RouteScreen(name, cases, do, place)

    def _case(self, node: Node) -> Case:
        entries = self._mapping(node, ("when", *LEAD_KEYS), ("go",))
        when: expression.Expression | None = None
        if "when" in entries:
            try:
                when = expression.parse(self._text(entries["when"], "a condition"))
            except expression.BadExpression as error:
                self._wrong(entries["when"].place, str(error), "Write for example: subscriber.status == 'active'.")
        return Case(when, self._lead_from(entries, node.place), node.place)

    # --- the whole file -------------------------------------------------------------------------------------------

    def service(self, node: Node) -> Service | None:
        wanted = ("start", "screens") if "dial" in node.items or "screens" in node.items else ()
        if "sms" in node.items:
            wanted = ("screens", "patterns")
        if "sms" in node.items and "dial" in node.items:
            self._wrong(node.key_places["sms"], "`sms` beside `dial`", "Make them two services.")
        entries = self._mapping(node, SERVICE_KEYS, ("menu", "service", "languages", *wanted))
        if "menu" in entries and entries["menu"].value != VERSION:
            self._wrong(entries["menu"].place, "another version of the menu language", f"Write `menu: {VERSION}`.")
        self._read_languages(entries.get("languages"))
        if not self._languages:
            return None
        self._own_keys = self._keys(entries.get("keys"))
        screens_node = entries.get("screens")
        screens = self._screens(screens_node) if screens_node else {}
        return Service(
            self._text(entries["service"], "the service's name") if "service" in entries else "",
            self._version,
            self._languages,
            self._codes(entries.get("dial")),
            self._open_to(entries.get("open_to"), node.place),
            self._text(entries["start"], "a screen's name") if "start" in entries else "",
            self._lists(entries.get("lists")),
            screens,
            self._own_keys,
            self._sms(entries),
            self._notices(entries.get("notices")),
            static_faces(screens, tuple(self._languages)),
            entries["start"].place if "start" in entries else node.place,
        )

    def _read_languages(self, node: Node | None) -> None:
        if node is None:
            return
        for code, name in self._mapping(node, wording.LANGUAGES).items():
            self._languages[code] = self._text(name, "the language's own name")
        if not self._languages:
            self._wrong(node.place, "no language", f"Write some of {', '.join(wording.LANGUAGES)} with their names.")

    def _screens(self, node: Node) -> dict[str, Screen]:
        if len(node.items) > menu.SCREENS_MAX:
            self._wrong(node.place, f"{len(node.items)} screens", f"At most {menu.SCREENS_MAX}: split the service.")
        found: dict[str, Screen] = {}
        for name, each in self._mapping(node, tuple(node.items)).items():
            if not NAME.match(name) or name in ("back", "home"):
                what = f"'{name}' cannot be a screen's name"
                self._wrong(node.key_places[name], what, "Write small letters, digits and _; not back or home.")
            screen = self._screen(name, each)
            if screen:
                found[name] = screen
        return found

    def _codes(self, node: Node | None) -> tuple[Path, ...]:
        found = []
        for each in self._list(node) if node else []:
            text = self._text(each, "a code in quotes")
            dialled = dial_string.parse(text)
            if dialled is None or str(dialled) != text:
                self._wrong(each.place, f"'{text}' is no service code", 'Write it as dialled: "*111#".')
            else:
                found.append(dialled.parts)
        return tuple(found)

    def _open_to(self, node: Node | None, place: Place) -> OpenTo:
        if node is None:
            return OpenTo((), "", place)
        entries = self._mapping(node, ("networks", "else"), ("networks",))
        networks = tuple(self._text(each) for each in self._list(entries["networks"])) if "networks" in entries else ()
        if "networks" in entries and not networks:
            self._wrong(entries["networks"].place, "no network", "Name one, or leave `open_to` out.")
        return OpenTo(networks, self._text(entries["else"], "a screen's name") if "else" in entries else "", node.place)

    def _sms(self, entries: Mapping[str, Node]) -> Sms | None:
        node, patterns = entries.get("sms"), entries.get("patterns")
        if node is None:
            if patterns is not None:
                self._wrong(patterns.place, "patterns without `sms`", "Add `sms: {to: [...], else: screen}`.")
            return None
        parts = self._mapping(node, SMS_KEYS, SMS_KEYS)
        to = tuple(self._text(each, "a number in quotes") for each in self._list(parts["to"])) if "to" in parts else ()
        otherwise = self._text(parts["else"], "a screen's name") if "else" in parts else ""
        found = tuple(self._pattern(each) for each in (self._list(patterns) if patterns else ()))
        self._no_twins([(word, each.place) for each in found for word in each.words], "word")
        return Sms(to, found, otherwise, node.place)

    def _pattern(self, node: Node) -> Pattern:
        entries = self._mapping(node, PATTERN_KEYS, ("words", "go"))
        words = [self._text(each) for each in self._list(entries["words"])] if "words" in entries else []
        for word in words:
            if len(word.split()) != 1:
                self._wrong(entries["words"].place, f"'{word}' is not one word", "Write single words.")
        choices = entries["choices"].items if "choices" in entries else {}
        return Pattern(
            tuple(answers.folded(word) for word in words),
            self._id(entries["save"]) if "save" in entries else "",
            {answers.folded(word): self._text(value) for word, value in choices.items()},
            self._lead_from(entries, node.place),
            node.place,
        )

    def _notices(self, node: Node | None) -> dict[str, Words]:
        found: dict[str, Words] = {}
        for event, words in self._mapping(node, tuple(EVENTS)).items() if node else ():
            found[event] = self.words(words)
        return found

    def _keys(self, node: Node | None) -> Keys:
        if node is None:
            return Keys()
        entries = self._mapping(node, Keys._fields)
        found = {key: self._text(entries[key], "a key in quotes") for key in Keys._fields if key in entries}
        for key, word in found.items():
            if not re.fullmatch(r"0[0-9]?|9[89]|\*|#", word):
                self._wrong(
                    entries[key].place, f"'{word}' could be an answer", 'Write "0" to "09", "98", "99", "*" or "#".'
                )
        if len({*Keys()._replace(**found)}) < len(Keys._fields):
            self._wrong(node.place, "two keys alike", "Give each its own.")
        return Keys()._replace(**found)

    def _lists(self, node: Node | None) -> dict[str, tuple[Item, ...]]:
        found: dict[str, tuple[Item, ...]] = {}
        for name, each in self._mapping(node, tuple(node.items)).items() if node else ():
            items = tuple(self._item(item) for item in self._list(each))
            if len(items) > menu.OPTIONS_MAX:
                self._wrong(each.place, f"{len(items)} items", f"At most {menu.OPTIONS_MAX}.")
            self._no_twins([(item.id, item.text.place) for item in items], "item")
            found[name] = items
        return found

    def _item(self, node: Node) -> Item:
        entries = dict(self._mapping(node, ("id", *self._languages), ("id", *self._languages)))
        name = entries.pop("id", None)
        texts = Node(node.place, {key: value for key, value in entries.items() if key in self._languages})
        return Item(self._text(name, "a name") if name else "", self.words(texts))


def static_faces(screens: Mapping[str, Screen], languages: tuple[str, ...]) -> dict[tuple[str, str], menu.Face]:
    """The faces of the screens that need no data: rendered once, here."""
    found: dict[tuple[str, str], menu.Face] = {}
    for screen in screens.values():
        if isinstance(screen, ListScreen | RouteScreen):
            continue
        options = screen.options if isinstance(screen, MenuScreen | ShowScreen) else ()
        for language in languages:
            title = _static(screen.text, language)
            texts = [_static(option.text, language) for option in options]
            if title is None or None in texts:
                continue
            lines = tuple(f"{option.key} {text}" for option, text in zip(options, texts, strict=True))
            found[screen.id, language] = menu.Face(title, lines)
    return found


def _static(words: Words, language: str) -> str | None:
    template = words.by_language.get(language, ("",))
    return template[0] if len(template) == 1 and isinstance(template[0], str) else None
