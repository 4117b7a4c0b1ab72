"""The screens and lists of a menu file, read into records; their parts are `menu_parts`' matter (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from strict_yaml import Node, Place, did_you_mean

from . import grammar, menu
from .menu import (
    AskScreen,
    Case,
    EndScreen,
    Item,
    ListScreen,
    MenuScreen,
    Option,
    Path,
    RouteScreen,
    Screen,
    ShowScreen,
    Words,
)
from .menu_parts import SCREEN_NAME, Parts, TooManyMistakes

ALL_OF = ".*"
"""After a name in `broken`: all screens of that file."""
_KEY = re.compile(r"[1-9][0-9]?\Z")


class Screens(Parts):
    """Reads the screens of one file. `broken` names those that could not be read: nothing is said of them."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__(prefix)
        self.broken: set[str] = set()
        self._own_keys = menu.Keys()

    def screens(self, node: Node) -> dict[str, Screen]:
        """Every screen of the mapping, under its whole name."""
        if len(node.items) > menu.SCREENS_MAX:
            self._wrong(node.place, f"{len(node.items)} screens", f"At most {menu.SCREENS_MAX}: split the service.")
            raise TooManyMistakes(self.mistakes)  # what follows would be said of all of them
        found: dict[str, Screen] = {}
        for name, each in self._mapping(node, tuple(node.items)).items():
            if not SCREEN_NAME.match(name) or name in menu.RESERVED:
                what = f"'{name}' cannot be a screen's name"
                cure = f"Write small letters, digits, _ and dots; not {', '.join(menu.RESERVED)}."
                self._wrong(node.key_places[name], what, cure)
            before = len(self.mistakes)
            screen = self._screen(self._prefix + name, each)
            if screen:
                found[screen.id] = screen
            if len(self.mistakes) > before:
                self.broken.add(self._prefix + name)
        return found

    def lists(self, node: Node | None) -> dict[str, tuple[Item, ...]]:
        """The lists that stand in the file, by their whole names."""
        found: dict[str, tuple[Item, ...]] = {}
        for name, each in self._mapping(node, tuple(node.items)).items() if node else ():
            items = tuple(self._item(item) for item in self._list(each))
            if len(items) > menu.OPTIONS_MAX:
                self._wrong(each.place, f"{len(items)} items", f"At most {menu.OPTIONS_MAX}.")
            self._no_twins([(item.id, item.text.place) for item in items], "item")
            found[self._prefix + name] = items
        return found

    def _item(self, node: Node) -> Item:
        languages = tuple(self._languages)
        entries = self._mapping(node, ("id", *languages), ("id", *languages))
        name = self._text(entries.pop("id", None), "a name")
        return Item(name, self._plain_words(Node(node.place, entries)) or Words({}, node.place))

    def _screen(self, name: str, node: Node) -> Screen | None:
        if not isinstance(node.value, dict):
            self._wrong(node.place, f"{node.kind} where a screen is expected", "Write `end: {…}` or another kind.")
            return None
        kinds = [kind for kind in grammar.SCREENS if kind in node.items]
        if len(kinds) != 1:
            what = f"screen '{name}' has {'no kind' if not kinds else 'two kinds: ' + ', '.join(kinds)}"
            cure = f"Write one of {', '.join(grammar.SCREENS)} as its first key."
            near = [did_you_mean(key, grammar.SCREENS) for key in node.items if key not in grammar.SCREENS["list"]]
            self._wrong(
                node.place, what, next((each for each in near if "Did you" in each), cure) if not kinds else cure
            )
            return None
        kind = kinds[0]
        read: Mapping[str, Callable[[str, dict[str, Node], Place], Screen]] = {
            "menu": self._menu,
            "list": self._list_screen,
            "ask": self._ask,
            "show": self._show,
            "end": self._end,
            "route": self._route,
        }
        return read[kind](name, self._entries(node, grammar.SCREENS[kind]), node.key_places[kind])

    def _menu(self, name: str, entries: dict[str, Node], place: Place) -> MenuScreen:
        return MenuScreen(
            id=name,
            text=self.words(entries.get("menu"), place),
            options=self._options(name, entries.get("options")),
            tries=self._tries(entries),
            guard=self._guard(entries),
            resumes=self._resumes(entries),
            place=place,
        )

    def _show(self, name: str, entries: dict[str, Node], place: Place) -> ShowScreen:
        return ShowScreen(
            id=name,
            text=self.words(entries.get("show"), place),
            options=self._options(name, entries.get("options")),
            tries=self._tries(entries),
            again=self._again_words(entries),
            guard=self._guard(entries),
            resumes=self._resumes(entries) and "confidential" not in entries,
            place=place,
        )

    def _end(self, name: str, entries: dict[str, Node], place: Place) -> EndScreen:
        return EndScreen(name, self.words(entries.get("end"), place), self._again_words(entries), place)

    def _again_words(self, entries: Mapping[str, Node]) -> Words | None:
        node = entries.get("confidential")
        if node is None:
            return None
        inside = self._entries(node, grammar.CONFIDENTIAL)
        return self._plain_words(inside.get("again")) or Words({}, node.place)

    def _resumes(self, entries: Mapping[str, Node]) -> bool:
        node = entries.get("resume")
        if node is not None and node.value != "never":
            self._wrong(node.place, "`resume` of a screen can only be `never`", "Write `resume: never`, or remove it.")
        return node is None

    def _options(self, screen: str, node: Node | None) -> tuple[Option, ...]:
        nodes = self._list(node)
        if node and len(nodes) > menu.OPTIONS_MAX:
            self._wrong(node.place, f"{len(nodes)} options", f"At most {menu.OPTIONS_MAX}: use a `list`.")
            nodes = nodes[: menu.OPTIONS_MAX]  # there are no keys for more
        keys = [self._key(each) for each in nodes]
        taken = {*keys, *self._own_keys_of()}
        free = (str(number) for number in range(1, 1000) if str(number) not in taken)
        options = tuple(self._option(screen, each, key or next(free)) for each, key in zip(nodes, keys, strict=True))
        self._no_twins([(option.id, option.place) for option in options if option.id], "option")
        self._no_twins([(key, each.place) for key, each in zip(keys, nodes, strict=True) if key], "key")
        return options

    def _key(self, node: Node) -> str:
        """The key that an option has asked for, or ""."""
        key = node.items.get("key")
        if key is None:
            return ""
        text = self._text(key, "a key in quotes")
        if text and not _KEY.match(text) and text not in self._own_keys_of():
            self._wrong(key.place, f"'{text}' is no key", 'Write "1" to "97" in quotes.')
        return text

    def _own_keys_of(self) -> tuple[str, ...]:
        return (self._own_keys.back, self._own_keys.home, self._own_keys.more)

    def _option(self, screen: str, node: Node, key: str) -> Option:
        entries = self._entries(node, grammar.OPTION)
        lead, do = self._go_or_do(entries, node.place) if entries else (menu.Lead("", node.place), None)
        name = self._id(entries.get("id"))
        return Option(
            id=name,
            key=key,
            text=self.words(entries.get("text"), node.place),
            lead=lead,
            do=do,
            guard=self._guard(entries),
            step=f"{screen}/{name}",
            place=node.place,
        )

    def _list_screen(self, name: str, entries: dict[str, Node], place: Place) -> ListScreen:
        lead, do = self._go_or_do(entries, place)
        return ListScreen(
            id=name,
            text=self.words(entries.get("list"), place),
            items=self._items(entries.get("items")),
            item=self.words(entries["item"], place) if "item" in entries else None,
            save=self._id(entries.get("save")),
            keeps=None,
            lead=lead,
            do=do,
            empty=self._target(entries.get("empty")),
            narrow=self._target(entries.get("narrow")),
            tries=self._tries(entries),
            guard=self._guard(entries),
            resumes=self._resumes(entries),
            place=place,
        )

    def _items(self, node: Node | None) -> Path:
        """The path of a list: `lists.NAME` has two parts, whatever dots its name has."""
        path = self._operand(node).path if node else ()
        if node and not path:
            self._wrong(node.place, "`items` names no list", "Write lists.name, or the name of a call's list.")
        if path[:1] == ("lists",):
            return ("lists", self._prefix + ".".join(path[1:]))
        return path or ("lists", "")

    def _ask(self, name: str, entries: dict[str, Node], place: Place) -> AskScreen:
        if ("save" in entries) == ("secret" in entries):
            self._wrong(place, f"ask '{name}' needs one of `save` and `secret`", "Name what the answer becomes.")
        checks = tuple(self._check(each) for each in self._list(entries.get("check")))
        lead, do = self._go_or_do(entries, place)
        keys = (self._own_keys.back, self._own_keys.home)
        open_keys = tuple(key for key in keys if checks and not self._accepts(checks, key))
        return AskScreen(
            id=name,
            text=self.words(entries.get("ask"), place),
            save=self._id(entries.get("save")),
            secret=self._id(entries.get("secret")) if "save" not in entries else "",
            checks=checks,
            lead=lead,
            do=do,
            tries=self._tries(entries),
            open_keys=open_keys,
            guard=self._guard(entries),
            resumes=self._resumes(entries) and "secret" not in entries,
            place=place,
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
        for case in cases[:-1]:
            if case.when is None:
                self._wrong(case.place, "a case that always holds hides those below", "Move it to the end.")
        return RouteScreen(name, cases, do, self._guard(entries), place)

    def _case(self, node: Node) -> Case:
        entries = self._entries(node, grammar.CASE)
        return Case(self._condition(entries.get("when")), self._lead_from(entries, node.place), node.place)
