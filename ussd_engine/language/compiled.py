"""A service made ready to be walked, and its octets (pure).

Rules of this file:
- Making ready: screens without placeholders are rendered, and it is worked out which fields of a call's result any
  screen names: only these are kept in a session, and what a confidential screen shows is not kept at all.
- The octets are msgpack of `menu`'s records. They are made in the process that checks menus, and lie in Redis under the
  service's version; whoever reads them trusts that process, and nobody else writes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from . import menu
from .check_names import shown_once, uses_of
from .check_screens import without_unreached_parts
from .leads import calls_of, ways_in
from .menu import (
    Do,
    EndScreen,
    Face,
    ListScreen,
    MenuScreen,
    Option,
    Path,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    Words,
)

_writer = msgspec.msgpack.Encoder()
_reader = msgspec.msgpack.Decoder(Service)


class UnreadableService(Exception):
    """Octets that are no compiled service of this engine."""


def to_octets(service: Service) -> bytes:
    """The compiled service's octets."""
    return _writer.encode(service)


def from_octets(octets: bytes) -> Service:
    """The service in these octets. Raises UnreadableService."""
    try:
        return _reader.decode(octets)
    except msgspec.MsgspecError as error:
        raise UnreadableService(str(error)) from error


def ready(service: Service) -> Service:
    """The service as it is walked: rendered where that can be done now, and knowing what to keep of results."""
    service = without_unreached_parts(service)
    used = _used(service)
    once = shown_once(service)
    lists = {screen.items: screen for screen in service.screens.values() if isinstance(screen, ListScreen)}
    screens = {name: _screen(screen, used, once, lists) for name, screen in service.screens.items()}
    faces = {language: static_faces(service, screens, language) for language in service.languages}
    return menu.changed(service, screens=screens, faces=faces)


# --- what is kept of results ----------------------------------------------------------------------------------------


def _used(service: Service) -> set[Path]:
    """Every name that anything in the service uses."""
    used = {operand.path for lead in ways_in(service) for _, operand in lead.settings}
    used |= {path for need in service.needs.values() for path in need.when.names}
    for screen in service.screens.values():
        lists = {screen.items} if isinstance(screen, ListScreen) else set()
        used |= {use.path for use in uses_of(screen)} - lists
        used |= {operand.path for do in calls_of(screen) for _, operand in do.arguments}
    return used - {()}


def _screen(screen: Screen, used: set[Path], once: set[Path], lists: Mapping[Path, ListScreen]) -> Screen:
    replace = msgspec.structs.replace
    if isinstance(screen, MenuScreen | ShowScreen):
        options = tuple(_option(option, used, once, lists) for option in screen.options)
        return replace(screen, options=options)
    if isinstance(screen, EndScreen) or (not isinstance(screen, ListScreen) and screen.do is None):
        return screen
    do = _do(screen.do, used, once, lists) if screen.do else None
    if isinstance(screen, ListScreen):
        return replace(screen, do=do, keeps=_tree(_below((screen.save,), used)))
    return replace(screen, do=do)


def _option(option: Option, used: set[Path], once: set[Path], lists: Mapping[Path, ListScreen]) -> Option:
    return msgspec.structs.replace(option, do=_do(option.do, used, once, lists)) if option.do else option


def _do(do: Do, used: set[Path], once: set[Path], lists: Mapping[Path, ListScreen]) -> Do:
    wanted = _below((do.into,), used - once) if do.into else set()
    for items, screen in lists.items():
        if do.into and items[0] == do.into:
            shown = _below(("item",), used) if screen.item else {("text",)}
            kept = shown | (_below((screen.save,), used) if screen.save else set())
            wanted |= {items[1:] + each for each in kept}
    fields = tuple(sorted(path[1] for path in once if path[0] == do.into))
    return msgspec.structs.replace(do, keeps=_tree(wanted), once=fields)


def _below(head: Path, used: Iterable[Path]) -> set[Path]:
    """What is used below a name; the name itself is the empty path."""
    return {path[len(head) :] for path in used if path[: len(head)] == head}


def _tree(paths: set[Path]) -> dict[str, Any] | None:
    """Paths as a tree of names; None where all of a value is used."""
    if () in paths:
        return None
    found: dict[str, set[Path]] = {}
    for path in paths:
        found.setdefault(path[0], set()).add(path[1:])
    return {name: _tree(below) for name, below in sorted(found.items())}


def kept(value: Any, keeps: Mapping[str, Any] | None) -> Any:
    """What of a value is kept: the fields that the tree names, of lists as many items as can be shown and one more."""
    if keeps is None:
        return value
    if isinstance(value, list):
        return [kept(item, keeps) for item in value[: menu.OPTIONS_MAX + 1]]
    if not isinstance(value, Mapping):
        return value
    return {name: kept(value[name], below) for name, below in keeps.items() if name in value}


# --- faces ----------------------------------------------------------------------------------------------------------


def static_faces(service: Service, screens: Mapping[str, Screen], language: str) -> dict[str, Face]:
    """The faces of the screens that need no data, in a language."""
    found: dict[str, Face] = {}
    for screen in screens.values():
        if isinstance(screen, RouteScreen):
            continue
        title, lines = _static(screen.text, language), _static_lines(service, screen, language)
        if title is not None and None not in lines:
            found[screen.id] = Face(title, tuple(line for line in lines if line is not None))
    return found


def _static_lines(service: Service, screen: Screen, language: str) -> list[str | None]:
    if isinstance(screen, MenuScreen | ShowScreen):
        texts = [(option.key, _static(option.text, language)) for option in screen.options]
    elif not isinstance(screen, ListScreen):
        return []
    elif screen.item is not None or screen.items[0] != "lists":
        return [None]
    else:
        items = service.lists[screen.items[1]]
        texts = [(str(number), _static(item.text, language)) for number, item in enumerate(items, 1)]
    return [None if text is None else f"{key} {text}" for key, text in texts]


def _static(words: Words, language: str) -> str | None:
    template = words.by_language.get(language, ("",))
    return template[0] if len(template) == 1 and isinstance(template[0], str) else None
