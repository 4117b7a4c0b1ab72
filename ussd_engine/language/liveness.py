"""What a dialogue holds that can still make a difference from a screen on (pure).

A name makes a difference on a screen when a way leads from it to where the name is used, and nothing sets the name anew
on that way. Two dialogues on one screen that differ in other names only will never show different things.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from . import menu
from .leads import calls_of, leads_of, needed_by, seen_before
from .menu import AskScreen, EndScreen, Lead, ListScreen, Outcome, Path, RouteScreen, Screen, Service


class _Way(NamedTuple):
    """A way from a screen to another, and the names that are set on it."""

    to: str
    sets: frozenset[str]


def live(service: Service, used: Mapping[str, frozenset[Path]]) -> Mapping[str, frozenset[Path]]:
    """For each screen: what can still be used from it on. `used`: what is used on the screen itself."""
    screens = service.screens
    ways = {name: list(_ways(screen, service)) for name, screen in screens.items()}
    before: dict[str, set[str]] = {name: set() for name in screens}
    for name, onward in ways.items():
        for way in onward:
            if way.to != service.start:  # nothing leads back from there
                before[way.to].add(name)
    for name, screen in screens.items():
        if not isinstance(screen, EndScreen | RouteScreen):
            ways[name] += [_Way(each, frozenset()) for each in _around(name, before, service)]
    found = {name: used.get(name, frozenset()) for name in screens}
    ahead = list(screens)
    while ahead:
        name = ahead.pop()
        beyond = found[name] | {path for way in ways[name] for path in found[way.to] if path[0] not in way.sets}
        if beyond != found[name]:
            found[name] = beyond
            ahead += list(screens)
    return found


def leading_to(service: Service, targets: Collection[str]) -> frozenset[str]:
    """The screens from which a way leads to one of these, and these; back and home are no ways here."""
    before: dict[str, set[str]] = {name: set() for name in service.screens}
    for name, screen in service.screens.items():
        for way in _ways(screen, service):
            before[way.to].add(name)
    found, ahead = set[str](), [name for name in targets if name in before]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += before[name]
    return frozenset(found)


def _ways(screen: Screen, service: Service) -> Iterator[_Way]:
    """Every way on from a screen; back is not among them."""
    saved = {screen.save} - {""} if isinstance(screen, ListScreen | AskScreen) else set[str]()
    by_calls: list[Outcome] = []
    for do in calls_of(screen):
        yield from _way(do.done, saved | ({do.into} - {""}), service)
        for each in do.refused.values():
            yield from _way(each, saved | {"refused"}, service)
        yield from _way(do.unknown, saved, service)
        yield from _way(do.not_made, saved, service)
        by_calls += [do.done, *do.refused.values(), do.unknown, do.not_made]
    chosen = getattr(screen, "lead", None)
    for lead in [*leads_of(screen), *needed_by(screen, service)]:
        if not any(lead is each for each in by_calls):
            yield from _way(lead, saved if lead is chosen else set(), service)


def _way(lead: Outcome, sets: set[str], service: Service) -> Iterator[_Way]:
    if not isinstance(lead, Lead):
        return
    names = frozenset(sets | {name for name, _ in lead.settings})
    anywhere = lead.go in (menu.BACK, menu.WANTED)
    for target in service.screens if anywhere else [service.start if lead.go == menu.HOME else lead.go]:
        if target in service.screens:
            yield _Way(target, names)


def _around(name: str, before: Mapping[str, set[str]], service: Service) -> set[str]:
    """Where back and home lead."""
    return seen_before(name, before, service) | ({service.start} & service.screens.keys())
