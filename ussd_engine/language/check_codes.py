"""Codes: two that could mean the same, and dial-throughs that are printed and have to keep working (pure).

What is dialled after a code is followed through the screens as the walk would follow it, without values: an answer that
a screen might take counts as taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from strict_yaml import Mistake, Place

from . import answers, menu
from .menu import (
    AskScreen,
    Code,
    Do,
    EndScreen,
    ListScreen,
    Option,
    Path,
    RouteScreen,
    Screen,
    Service,
    share_networks,
)


class Stop(NamedTuple):
    """Where dialling through stops: after so many steps, on this screen, and why."""

    steps: int
    screen: str
    why: str


def promises(service: Service) -> Iterator[Mistake]:
    """Every printed dial-through that would stop before its end, and every variable that no screen takes."""
    for code in service.dial:
        if not code.steps:
            continue
        start = code.go or service.start
        if start not in service.screens:
            continue
        stop = follow(service, start, code.steps)
        if stop is not None:
            step = code.steps[stop.steps]
            what = f"{code} stops at '{step}', on screen '{stop.screen}': {stop.why}"
            yield Mistake(code.place, what, "Correct the code or the screens: what is printed has to work.")


def follow(service: Service, start: str, steps: Path) -> Stop | None:
    """Where what was dialled stops on its way from a screen; None when all of it is taken."""
    screens, last = _seen(service, {start}), start
    for at, step in enumerate(steps):
        following: set[str] = set()
        why = "it is the last one"
        for name in sorted(screens):
            taken = _taken(service.screens[name], step)
            if isinstance(taken, str):
                why, last = taken, name
            else:
                following |= _after(taken)
        if not following:
            return Stop(at, last, why)
        screens = _seen(service, following)
    return None


def _taken(screen: Screen, step: str) -> Option | ListScreen | AskScreen | str:
    """What takes this step on a screen, or why nothing does."""
    variable = step[1:-1] if menu.is_variable(step) else ""
    if isinstance(screen, menu.WITH_OPTIONS):
        option = next((each for each in screen.options if each.key == step), None)
        if option is None:
            return "it has no such option"
        return "the option changes something" if _typed(option.do) else option
    if isinstance(screen, EndScreen | RouteScreen):
        return "it is the last one"
    if isinstance(screen, AskScreen) and screen.secret:
        return "a secret cannot be dialled"
    if _typed(screen.do):
        return "its answer changes something"
    if variable and screen.save != variable:
        return f"it saves '{screen.save}', not '{variable}'"
    if variable:
        return screen
    if isinstance(screen, ListScreen):
        return screen if step.isdigit() and 1 <= int(step) <= menu.OPTIONS_MAX else "it has no such item"
    fits = all(
        answers.read(check, step, answers.Bounds(_constant(check.least), _constant(check.most)), answers.ANYWHERE)
        is not None
        for check in screen.checks
    )
    return screen if fits else "it is not what the screen asks for"


def _constant(operand: menu.Operand | None) -> object:
    return operand.constant if operand and not operand.path else None


def _typed(do: Do | None) -> bool:
    return do is not None and do.typed


def _after(taken: Option | ListScreen | AskScreen) -> set[str]:
    """The screens that follow: of a call, the one after it was done."""
    lead = taken.do.done if taken.do else taken.lead
    return {lead.go} if lead else set()


def _seen(service: Service, names: Iterable[str]) -> set[str]:
    """The screens that are shown when these are led to: routes lead on."""
    shown: set[str] = set()
    passed: set[str] = set()
    ahead = list(names)
    while ahead:
        name = service.start if (following := ahead.pop()) == menu.HOME else following
        screen = service.screens.get(name)
        if screen is None or name in passed:
            continue
        passed.add(name)
        if isinstance(screen, RouteScreen):
            ahead += (
                [screen.do.done.go] if screen.do and not screen.do.typed else [each.lead.go for each in screen.cases]
            )
        else:
            shown.add(name)
    return shown


# --- between services -----------------------------------------------------------------------------------------------


def collisions(services: Mapping[str, Service]) -> Iterator[Mistake]:
    """Two services with one code, short number or event on one network: which is meant could not be told."""
    claims: dict[str, list[tuple[Service, Place]]] = {}
    for service in services.values():
        for name, place in _claims(service):
            claims.setdefault(name, []).append((service, place))
    for name, claimants in claims.items():
        for at, (service, place) in enumerate(claimants):
            for other, _ in claimants[:at]:
                if share_networks(service, other):
                    what = f"{name} also belongs to service '{other.id}'"
                    yield Mistake(place, what, "Change one, or the networks under `open_to`.")
    yield from _hidden_options(services)


def _claims(service: Service) -> Iterator[tuple[str, Place]]:
    seen: set[Path] = set()
    for code in service.dial:
        if not code.is_promise and code.head not in seen:
            seen.add(code.head)
            yield _written(code.head), code.place
    if service.sms:
        yield from ((f"SMS to {number}", service.sms.place) for number in service.sms.to)
    yield from ((f"the notice of {event}", words.place) for event, words in service.notices.items())


def _hidden_options(services: Mapping[str, Service]) -> Iterator[Mistake]:
    """A longer code takes what a shorter one would have dialled through to: `*111*3#` and key 3 of `*111#`."""
    codes = [(service, code) for service in services.values() for code in service.dial if not code.is_promise]
    for service, code in codes:
        for other, shorter in codes:
            extends = len(code.head) > len(shorter.head) and code.head[: len(shorter.head)] == shorter.head
            if not extends or not share_networks(service, other):
                continue
            start = shorter.go or other.start
            steps = code.head[len(shorter.head) :]
            if start in other.screens and follow(other, start, steps) is None:
                what = f"{_written(code.head)} is also dialled through {_written(shorter.head)} of service '{other.id}'"
                yield Mistake(code.place, what, "Change the code, or the key of the option that it hides.")


def _written(head: Path) -> str:
    return f"*{'*'.join(head)}#"


def two_starts(service: Service) -> Iterator[Mistake]:
    """One code that begins with two screens."""
    begins: dict[Path, Code] = {}
    for code in service.dial:
        if code.is_promise:
            continue
        first = begins.setdefault(code.head, code)
        if first.go != code.go:
            what = f"{code} and {first} begin with the same code and with two screens"
            yield Mistake(code.place, what, "Change one.")
