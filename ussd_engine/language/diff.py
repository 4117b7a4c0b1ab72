"""What a change of menus does to subscribers: screens, options, codes, and what is dialled through (pure).

A change breaks something when what worked before does not, or does something else: a code that is printed, a key that
people know, a language. What is new breaks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from .leads import calls_of
from .menu import (
    WITH_OPTIONS,
    AskScreen,
    Do,
    EndScreen,
    ListScreen,
    Option,
    RouteScreen,
    Screen,
    Service,
)

STEPS_MAX = 8
STRINGS_MAX = 5000


class Change(NamedTuple):
    """One thing that is another now. `breaks`: something that worked does not any more."""

    service: str
    what: str
    breaks: bool


def changes(old: Mapping[str, Service], new: Mapping[str, Service]) -> list[Change]:
    """Everything that is another, what breaks first."""
    found = [Change(name, f"service '{name}' is gone", True) for name in old.keys() - new.keys()]
    found += [Change(name, f"service '{name}' is new", False) for name in new.keys() - old.keys()]
    for name in old.keys() & new.keys():
        if old[name].version != new[name].version:
            found += _of_service(old[name], new[name])
    found += _dialled(old, new)
    return sorted(set(found), key=lambda each: (not each.breaks, each.service, each.what))


def _of_service(old: Service, new: Service) -> Iterator[Change]:
    def both(what: str, before: Iterable[str], after: Iterable[str]) -> Iterator[Change]:
        gone, come = set(before) - set(after), set(after) - set(before)
        yield from (Change(old.id, f"{what} '{each}' is gone", True) for each in gone)
        yield from (Change(old.id, f"{what} '{each}' is new", False) for each in come)

    yield from both("language", old.languages, new.languages)
    before, after = set(map(str, old.dial)), set(map(str, new.dial))
    yield from (Change(old.id, f"code {each} is new", False) for each in after - before)
    printed = {str(code) for code in old.dial if code.is_promise}
    yield from (Change(old.id, f"code {each} is not promised any more", False) for each in printed - after)
    yield from both("screen", old.screens, new.screens)
    yield from both("notice", old.notices, new.notices)
    yield from both("network", old.open_to.networks, new.open_to.networks) if old.open_to.networks else ()
    if old.sms or new.sms:
        yield from both("SMS number", old.sms.to if old.sms else (), new.sms.to if new.sms else ())
        yield from both("SMS word", _words(old), _words(new))
    for name in old.screens.keys() & new.screens.keys():
        yield from _of_screen(old.id, old.screens[name], new.screens[name])


def _words(service: Service) -> list[str]:
    return [word for pattern in service.sms.patterns for word in pattern.words] if service.sms else []


def _of_screen(service: str, old: Screen, new: Screen) -> Iterator[Change]:
    if type(old) is not type(new):
        yield Change(service, f"screen '{old.id}' is of another kind", False)
        return
    if isinstance(old, WITH_OPTIONS) and isinstance(new, WITH_OPTIONS):
        before, after = ({option.id: option for option in screen.options} for screen in (old, new))
        yield from (
            Change(service, f"option '{before[name].step}' is gone", True) for name in before.keys() - after.keys()
        )
        yield from (
            Change(service, f"option '{after[name].step}' is new", False) for name in after.keys() - before.keys()
        )
        for name in before.keys() & after.keys():
            yield from _of_option(service, before[name], after[name])
    if not isinstance(old, EndScreen | RouteScreen) and not isinstance(new, EndScreen | RouteScreen):
        if old.text.by_language != new.text.by_language:
            yield Change(service, f"screen '{old.id}' has another text", False)
    elif isinstance(old, EndScreen) and isinstance(new, EndScreen) and old.text.by_language != new.text.by_language:
        yield Change(service, f"screen '{old.id}' has another text", False)
    before_calls, after_calls = ([do.call for do in calls_of(screen)] for screen in (old, new))
    if before_calls != after_calls:
        yield Change(service, f"screen '{old.id}' makes other calls", False)


def _of_option(service: str, old: Option, new: Option) -> Iterator[Change]:
    if old.key != new.key:
        yield Change(service, f"option '{old.step}' has key {new.key}, it had {old.key}", True)
    if _target(old.lead, old.do) != _target(new.lead, new.do):
        what = f"option '{old.step}' leads to {_target(new.lead, new.do)}, it led to {_target(old.lead, old.do)}"
        yield Change(service, what, False)
    if old.text.by_language != new.text.by_language:
        yield Change(service, f"option '{old.step}' has another text", False)


def _target(lead: object, do: Do | None) -> str:
    return f"the call {do.call}" if do else f"'{getattr(lead, 'go', '')}'"


# --- what can be dialled --------------------------------------------------------------------------------------------


def _dialled(old: Mapping[str, Service], new: Mapping[str, Service]) -> Iterator[Change]:
    """Dial strings that no longer lead where they led, by the ids on their way."""
    before, after = _strings(old), _strings(new)
    for string, (service, way) in before.items():
        if string not in after:
            yield Change(service, f"{string} leads nowhere, it led to {way[-1]}", True)
        elif after[string][1][-1] != way[-1]:
            yield Change(service, f"{string} leads to {after[string][1][-1]}, it led to {way[-1]}", True)
        elif after[string][1] != way:
            passes, passed = next(pair for pair in zip(after[string][1], way, strict=False) if pair[0] != pair[1])
            yield Change(service, f"{string} passes {passes}, it passed {passed}", False)


def _strings(services: Mapping[str, Service]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Each string that can be dialled, with its service and the ids of the steps that it takes."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for service in services.values():
        for code in service.dial:
            if not code.is_promise:
                start = code.go or service.start
                _follow(service, code.head, start, (f"{service.id}: {start}",), found)
    return found


def _follow(
    service: Service, parts: tuple[str, ...], name: str, way: tuple[str, ...],
    found: dict[str, tuple[str, tuple[str, ...]]],
) -> None:  # fmt: skip
    string = f"*{'*'.join(parts)}#"
    if string in found or len(found) >= STRINGS_MAX or len(way) > STEPS_MAX:
        return
    found[string] = (service.id, way)
    screen = service.screens.get(name)
    for part, step, lead in _steps(screen) if screen else ():
        _follow(service, (*parts, part), lead, (*way, step), found)


def _steps(screen: Screen) -> Iterator[tuple[str, str, str]]:
    """What can be dialled on a screen: the part, the step's name, and the screen that follows."""
    if isinstance(screen, WITH_OPTIONS):
        for option in screen.options:
            if option.do is None or not option.do.typed:
                yield option.key, option.step, _after(option.lead, option.do)
    elif isinstance(screen, ListScreen | AskScreen):
        secret = isinstance(screen, AskScreen) and bool(screen.secret)
        if not secret and (screen.do is None or not screen.do.typed):
            yield f"{{{screen.save or screen.id}}}", screen.id, _after(screen.lead, screen.do)


def _after(lead: object, do: Do | None) -> str:
    return do.done.go if do else str(getattr(lead, "go", ""))
