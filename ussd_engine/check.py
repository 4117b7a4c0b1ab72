"""What must hang together in a service: screens that exist and are reached, calls that keep the contract (pure).

Shapes and words were checked when the file was read; here the whole is looked at. Names are `check_names`' matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from billing import contract
from strict_yaml import Mistake, did_you_mean

from .check_names import Shape, find, names, notice_names, shapes_of
from .menu import (
    BY_NOTICE,
    Again,
    AskScreen,
    Do,
    EndScreen,
    Lead,
    ListScreen,
    MenuScreen,
    Operand,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    calls_of,
    leads_of,
)


def check(service: Service) -> list[Mistake]:
    """Every mistake in how the service hangs together, in no order."""
    mistakes: list[Mistake] = []
    mistakes += _targets(service)
    mistakes += notice_names(service)
    mistakes += _notice_targets(service)
    if service.sms:
        mistakes += _sms(service)
    mistakes += _unreached(service)
    shapes = shapes_of(service)
    for screen in service.screens.values():
        for do in calls_of(screen):
            mistakes += _call(do, shapes, _secret_of(screen))
            mistakes += _again(do, screen)
        mistakes += names(screen, service, shapes)
        mistakes += _exits(screen)
        mistakes += _keys(screen, service)
    return mistakes


# --- screens --------------------------------------------------------------------------------------------------------


def _targets(service: Service) -> Iterator[Mistake]:
    """Every screen that is led to exists. `back` and `home` are ways out of a screen that somebody has seen."""
    ways_in = [Lead(service.start, service.place)] if service.start else []
    if service.open_to.otherwise:
        ways_in.append(Lead(service.open_to.otherwise, service.open_to.place))
    if service.sms:
        ways_in += [Lead(service.sms.otherwise, service.sms.place), *(each.lead for each in service.sms.patterns)]
    ways_in += [
        Lead(screen.empty, screen.place)
        for screen in service.screens.values()
        if isinstance(screen, ListScreen) and screen.empty
    ]
    ways_on = [each for screen in service.screens.values() for each in leads_of(screen) if isinstance(each, Lead)]
    allowed = (BY_NOTICE,) if service.sms else ("back", "home", BY_NOTICE)
    for lead in ways_in:
        if lead.go not in service.screens:
            yield Mistake(lead.place, f"there is no screen '{lead.go}'", did_you_mean(lead.go, service.screens))
    for lead in ways_on:
        if lead.go not in service.screens and lead.go not in allowed and lead not in ways_in:
            yield Mistake(lead.place, f"there is no screen '{lead.go}'", did_you_mean(lead.go, service.screens))
    for screen in service.screens.values():
        if isinstance(screen, ListScreen) and screen.empty == screen.id:
            yield Mistake(screen.place, f"list '{screen.id}' is its own `empty`", "Lead to another screen.")


def _unreached(service: Service) -> Iterator[Mistake]:
    reached: set[str] = set()
    ahead = [service.start, service.open_to.otherwise, *(ENGINE_SCREENS if service.id == ENGINE else ())]
    if service.sms:
        ahead += [service.sms.otherwise, *(each.lead.go for each in service.sms.patterns)]
    while ahead:
        name = ahead.pop()
        screen = service.screens.get(name)
        if screen is None or name in reached:
            continue
        reached.add(name)
        ahead += [lead.go for lead in leads_of(screen) if isinstance(lead, Lead)]
    for name in service.screens.keys() - reached:
        yield Mistake(service.screens[name].place, f"nothing leads to screen '{name}'", "Lead to it, or remove it.")


def _sms(service: Service) -> Iterator[Mistake]:
    """An SMS is one question and one answer: no screen of its service can wait, and only there a notice can answer."""
    for screen in service.screens.values():
        if not isinstance(screen, EndScreen | RouteScreen):
            cure = "An SMS gets one answer: write an `end` or a `route`."
            yield Mistake(screen.place, f"screen '{screen.id}' waits for an answer", cure)


def _exits(screen: Screen) -> Iterator[Mistake]:
    if isinstance(screen, MenuScreen) and not screen.options:
        yield Mistake(screen.place, f"menu '{screen.id}' has no option", "Add one, or make it an `end`.")


def _keys(screen: Screen, service: Service) -> Iterator[Mistake]:
    """An option under one of the engine's own keys would never be reached."""
    if not isinstance(screen, MenuScreen | ShowScreen):
        return
    for option in screen.options:
        if option.key in service.keys:
            yield Mistake(option.place, f"key '{option.key}' is taken by the engine", "Choose another key.")


def _notice_targets(service: Service) -> Iterator[Mistake]:
    for screen in service.screens.values():
        for lead in leads_of(screen):
            if isinstance(lead, Lead) and lead.go == BY_NOTICE and not service.sms:
                yield Mistake(lead.place, "a notice can answer an SMS only", "Lead to a screen.")


# --- calls ----------------------------------------------------------------------------------------------------------


def _secret_of(screen: Screen) -> str:
    return screen.secret if isinstance(screen, AskScreen) else ""


def _call(do: Do, shapes: Mapping[str, Shape], secret: str) -> Iterator[Mistake]:
    operation = contract.OPERATIONS.get(do.call)
    if operation is None:
        yield Mistake(
            do.place, f"the billing contract has no call '{do.call}'", did_you_mean(do.call, contract.OPERATIONS)
        )
        return
    given = dict(do.arguments)
    for name, field in operation.arguments.items():
        if name not in given and not field.optional:
            yield Mistake(
                do.place, f"'{do.call}' needs the argument '{name}' ({field.means})", f"Add `{name}:` to `with`."
            )
    for name, operand in given.items():
        if name not in operation.arguments:
            yield Mistake(
                operand.place, f"'{do.call}' has no argument '{name}'", did_you_mean(name, operation.arguments)
            )
        else:
            yield from _argument(name, operand, operation.arguments[name].type, shapes, secret)
    for code, outcome in do.refused.items():
        if code not in operation.refusals and code != "*":
            yield Mistake(
                outcome.place, f"'{do.call}' is never refused with '{code}'", did_you_mean(code, operation.refusals)
            )


def _again(do: Do, screen: Screen) -> Iterator[Mistake]:
    """Where the same screen once more would be a second change, or is no screen at all."""
    if do.changes and isinstance(do.unknown, Again):
        what = f"'{do.call}' may have happened: asked again, it could happen twice"
        yield Mistake(do.unknown.place, what, "Lead to a screen that says it is being checked.")
    if isinstance(screen, RouteScreen):
        for outcome in (do.unknown, do.not_made, *do.refused.values()):
            if isinstance(outcome, Again):
                yield Mistake(outcome.place, "a route has no screen to repeat", "Lead to a screen.")


def _argument(
    name: str, operand: Operand, wanted: contract.Type, shapes: Mapping[str, Shape], secret: str
) -> Iterator[Mistake]:
    is_secret = bool(secret) and operand.path == (secret,)
    if is_secret != isinstance(wanted, contract.Secret):
        what = "a secret can only go into a secret argument" if is_secret else f"'{name}' takes only a secret"
        yield Mistake(operand.place, what, "Name an `ask` answer marked `secret:` on this screen, and nothing else.")
        return
    if is_secret:
        return
    if not operand.path:
        wrong = wanted.wrong(operand.constant)
        if wrong:
            yield Mistake(operand.place, f"'{name}' {wrong}", "Write another value.")
        return
    shape = find(operand.path, shapes)
    if isinstance(shape, str):
        yield Mistake(operand.place, shape, "Set it before this call.")
    elif shape is not None and not _goes_into(shape, wanted):
        found = "a record" if isinstance(shape, Mapping) else type(shape).__name__.lower()
        cure = f"Give it {type(wanted).__name__.lower()}."
        yield Mistake(operand.place, f"'{name}' is {type(wanted).__name__.lower()}, this is {found}", cure)


def _goes_into(shape: Shape, wanted: contract.Type) -> bool:
    if isinstance(shape, Mapping):
        return False
    if isinstance(wanted, contract.Text | contract.Id | contract.Choice):
        return not isinstance(shape, contract.Money | contract.Count | contract.Flag)
    return type(shape) is type(wanted)


# --- the engine's own screens ---------------------------------------------------------------------------------------

ENGINE = "engine"
"""The service that holds what the engine itself has to say; every one of its screens is an `end`."""
ENGINE_SCREENS = ("unknown_code", "try_again", "dial_again", "being_checked", "not_served")


def check_engine(service: Service) -> Iterable[Mistake]:
    """What the engine's own service must have, besides what every service must."""
    for name in ENGINE_SCREENS:
        screen = service.screens.get(name)
        if screen is None:
            yield Mistake(service.place, f"the engine needs a screen '{name}'", "Add it as an `end`.")
        elif not isinstance(screen, EndScreen) or any((name, each) not in service.faces for each in service.languages):
            yield Mistake(screen.place, f"'{name}' must be an `end` without placeholders", "Write plain words.")
