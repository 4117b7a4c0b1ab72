"""Where a service leads: every way in, every way out of a screen, every call (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .menu import (
    UNSEEN_OR_LAST,
    WITH_OPTIONS,
    AskScreen,
    Do,
    EndScreen,
    Guard,
    Lead,
    ListScreen,
    Outcome,
    RouteScreen,
    Screen,
    Service,
    Words,
)


def calls_of(screen: Screen) -> list[Do]:
    """Every call that a screen can make."""
    if isinstance(screen, WITH_OPTIONS):
        return [option.do for option in screen.options if option.do]
    if isinstance(screen, EndScreen):
        return []
    return [screen.do] if screen.do else []


def outcomes_of(do: Do) -> list[Outcome]:
    """Where each outcome of a call leads."""
    return [do.done, *do.refused.values(), do.unknown, do.not_made]


def guards_of(screen: Screen) -> Iterator[Guard]:
    """What stands before a screen and before its options."""
    if not isinstance(screen, EndScreen) and screen.guard:
        yield screen.guard
    if isinstance(screen, WITH_OPTIONS):
        yield from (option.guard for option in screen.options if option.guard)


def leads_of(screen: Screen) -> list[Outcome]:
    """Every way out of a screen except back and home."""
    found: list[Outcome] = [each for do in calls_of(screen) for each in outcomes_of(do)]
    if isinstance(screen, WITH_OPTIONS):
        found += [option.lead for option in screen.options if option.lead]
    elif isinstance(screen, ListScreen | AskScreen) and screen.lead:
        found.append(screen.lead)
    elif isinstance(screen, RouteScreen):
        found += [case.lead for case in screen.cases]
    if isinstance(screen, ListScreen):
        found += [Lead(name, screen.place) for name in (screen.empty, screen.narrow) if name]
    if not isinstance(screen, UNSEEN_OR_LAST) and screen.tries:
        found.append(Lead(screen.tries.then, screen.tries.place))
    found += [
        Lead(guard.requires.otherwise, guard.requires.place)
        for guard in guards_of(screen)
        if guard.requires is not None
    ]
    return found


def ways_in(service: Service) -> list[Lead]:
    """Every screen that a dialogue, an SMS or the engine itself can begin with."""
    found = [Lead(service.start, service.place)] if service.start else []
    found += [Lead(code.go, code.place) for code in service.dial if code.go]
    if service.open_to.otherwise:
        found.append(Lead(service.open_to.otherwise, service.open_to.place))
    if service.sms:
        found += [Lead(service.sms.otherwise, service.sms.place), *(each.lead for each in service.sms.patterns)]
    if service.guard and service.guard.requires:
        found.append(Lead(service.guard.requires.otherwise, service.guard.requires.place))
    return found


def needed_by(screen: Screen, service: Service) -> list[Lead]:
    """The screens that settle what this one needs."""
    if isinstance(screen, EndScreen) or screen.guard is None:
        return []
    needs = [service.needs[name] for name in screen.guard.needs if name in service.needs]
    return [Lead(need.settle, need.place) for need in needs]


def switches(service: Service) -> dict[str, Words]:
    """What can be switched off for maintenance, by its name: the service, a screen or an option; and its text."""
    found = {service.id: service.guard.maintenance} if service.guard and service.guard.maintenance else {}
    for screen in service.screens.values():
        if not isinstance(screen, EndScreen) and screen.guard and screen.guard.maintenance:
            found[f"{service.id}/{screen.id}"] = screen.guard.maintenance
        for option in screen.options if isinstance(screen, WITH_OPTIONS) else ():
            if option.guard and option.guard.maintenance:
                found[f"{service.id}/{option.step}"] = option.guard.maintenance
    return found


def seen_before(name: str, before: Mapping[str, set[str]], service: Service) -> set[str]:
    """The screens that a subscriber can have seen last before this one: a route is not seen, so it is what came before
    that. `before`: for each screen, those that lead to it."""
    seen: set[str] = set()
    passed, ahead = {name}, list(before[name])
    while ahead:
        each = ahead.pop()
        if each in passed:
            continue
        passed.add(each)
        if isinstance(service.screens[each], RouteScreen):
            ahead += before[each]
        else:
            seen.add(each)
    return seen
