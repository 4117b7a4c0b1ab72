"""What must hang together in a service: screens that exist and are reached, names that are known, calls that keep the
billing contract (pure). Shapes and words were checked when the file was read; here the whole is looked at.

Types are followed by name, not by path: a name has the fields of everything in the file that sets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from billing import contract
from billing.notices import EVENTS
from strict_yaml import Mistake, Place, did_you_mean

from .menu import (
    BY_NOTICE,
    Again,
    AskScreen,
    Do,
    EndScreen,
    Fill,
    Lead,
    ListScreen,
    MenuScreen,
    Operand,
    Path,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    Words,
    calls_of,
    leads_of,
)

Shape: TypeAlias = "contract.Type | Mapping[str, Shape] | None"
"""What a name holds: a type of the contract, a record of such, or None where it is not known."""

_SUBSCRIBER: Mapping[str, Shape] = {
    "msisdn": contract.Msisdn(),
    "network": contract.Choice(contract.NETWORKS),
    "brand": contract.Text(20),
    "status": contract.Choice(contract.STATUSES),
    "language": contract.Choice(contract.LANGUAGES),
}
_TYPED: Mapping[str, Shape] = {
    "text": contract.Text(160),
    "digits": contract.Text(160),
    "count": contract.Count(10**12),
    "money": contract.Money(),
    "msisdn": contract.Msisdn(),
}
_TARGETS = ("back", "home", BY_NOTICE)


class _Use(NamedTuple):
    """One place where a name is used."""

    path: Path
    place: Place


def check(service: Service) -> list[Mistake]:
    """Every mistake in how the service hangs together, in no order."""
    mistakes: list[Mistake] = []
    mistakes += _targets(service)
    mistakes += _notice_names(service)
    if service.sms:
        mistakes += _sms(service)
    mistakes += _unreached(service)
    shapes = shapes_of(service)
    for screen in service.screens.values():
        for do in calls_of(screen):
            mistakes += _call(do, shapes, _secret_of(screen))
        mistakes += _names(screen, service, shapes)
        mistakes += _exits(screen)
        mistakes += _keys(screen, service)
    return mistakes


# --- screens --------------------------------------------------------------------------------------------------------


def _targets(service: Service) -> Iterator[Mistake]:
    goals = [Lead(service.start, service.place)] if service.start else []
    if service.sms:
        goals += [Lead(service.sms.otherwise, service.sms.place), *(each.lead for each in service.sms.patterns)]
    if service.open_to.otherwise:
        goals.append(Lead(service.open_to.otherwise, service.open_to.place))
    for screen in service.screens.values():
        goals += [each for each in leads_of(screen) if isinstance(each, Lead)]
    for lead in goals:
        if lead.go not in service.screens and lead.go not in _TARGETS:
            yield Mistake(lead.place, f"there is no screen '{lead.go}'", did_you_mean(lead.go, service.screens))


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


def _notice_names(service: Service) -> Iterator[Mistake]:
    for event, words in service.notices.items():
        arguments: Mapping[str, Shape] = {name: _shape(field) for name, field in EVENTS[event].arguments.items()}
        fills = [part for template in words.by_language.values() for part in template if isinstance(part, Fill)]
        for fill in fills:
            wrong = _find(fill.path, arguments)
            if isinstance(wrong, str):
                yield Mistake(words.place, wrong, did_you_mean(fill.path[0], arguments))
    for screen in service.screens.values():
        for lead in leads_of(screen):
            if isinstance(lead, Lead) and lead.go == BY_NOTICE and not service.sms:
                yield Mistake(lead.place, "a notice can answer an SMS only", "Lead to a screen.")


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


# --- names ----------------------------------------------------------------------------------------------------------


def shapes_of(service: Service) -> dict[str, Shape]:
    """Every name of the service's dialogues and what it can hold."""
    shapes: dict[str, Shape] = {"subscriber": _SUBSCRIBER}
    for screen in service.screens.values():
        for do in calls_of(screen):
            operation = contract.OPERATIONS.get(do.call)
            if operation is None:
                continue
            if do.into:
                _merge(shapes, do.into, {name: _shape(field) for name, field in operation.results.items()})
            details = {name: _shape(field) for name, field in operation.details.items()}
            _merge(shapes, "refused", {"code": contract.Id(), **details})
        for lead in leads_of(screen):
            for name, _operand in lead.settings if isinstance(lead, Lead) else ():
                shapes.setdefault(name, None)
        if isinstance(screen, AskScreen) and screen.save:
            kinds = [check.kind for check in screen.checks]
            shapes[screen.save] = _TYPED[kinds[-1]] if kinds else _TYPED["text"]
    for screen in service.screens.values():
        if isinstance(screen, ListScreen) and screen.save:
            shapes[screen.save] = _item_shape(screen, shapes)
    for pattern in service.sms.patterns if service.sms else ():
        if pattern.save:
            shapes[pattern.save] = _TYPED["text"]
    return shapes


def _merge(shapes: dict[str, Shape], name: str, more: Mapping[str, Shape]) -> None:
    held = shapes.get(name)
    shapes[name] = {**held, **more} if isinstance(held, Mapping) else more


def _shape(field: contract.Field) -> Shape:
    if isinstance(field.type, contract.ListOf):
        return {name: _shape(each) for name, each in field.type.fields.items()}
    if isinstance(field.type, contract.Money):
        return field.type
    return field.type


def _item_shape(screen: ListScreen, shapes: Mapping[str, Shape]) -> Shape:
    if screen.items[0] == "lists":
        return {"id": contract.Id(), "text": contract.Text(80)}
    shape = _find(screen.items, shapes)
    return shape if isinstance(shape, Mapping) else None


def _find(path: Path, shapes: Mapping[str, Shape]) -> Shape | str:
    """The shape of a dotted name; a text says what is wrong with it."""
    if path[0] not in shapes:
        return f"nothing sets '{path[0]}'"
    shape = shapes[path[0]]
    for at, name in enumerate(path[1:], 1):
        if shape is None:
            return None
        if isinstance(shape, contract.Money) and name in ("minor", "currency"):
            return contract.Count(10**12) if name == "minor" else contract.Choice(contract.CURRENCIES)
        if not isinstance(shape, Mapping) or name not in shape:
            known = f" (it has {', '.join(sorted(shape))})" if isinstance(shape, Mapping) else ""
            return f"'{'.'.join(path[:at])}' has no '{name}'{known}"
        shape = shape[name]
    return shape


def _names(screen: Screen, service: Service, shapes: Mapping[str, Shape]) -> Iterator[Mistake]:
    for use in _uses(screen, service):
        local: Mapping[str, Shape] = shapes
        if isinstance(screen, ListScreen):
            local = {**shapes, "item": _item_shape(screen, shapes)}
        wrong = _find(use.path, local)
        if isinstance(wrong, str):
            yield Mistake(use.place, wrong, did_you_mean(use.path[0], local) if use.path[0] not in local else "")
    if isinstance(screen, ListScreen) and screen.items[0] == "lists" and screen.items[1:] not in _named(service):
        yield Mistake(
            screen.place, f"there is no list '{'.'.join(screen.items)}'", did_you_mean(screen.items[-1], service.lists)
        )


def _named(service: Service) -> set[Path]:
    return {(name,) for name in service.lists}


def _uses(screen: Screen, service: Service) -> Iterator[_Use]:
    for words in _words_of(screen, service):
        for template in words.by_language.values():
            yield from (_Use(part.path, words.place) for part in template if isinstance(part, Fill))
    for lead in leads_of(screen):
        for _name, operand in lead.settings if isinstance(lead, Lead) else ():
            yield from _operand_use(operand)
    if isinstance(screen, RouteScreen):
        for case in screen.cases:
            yield from (_Use(path, case.place) for path in (case.when.names if case.when else ()))
    if isinstance(screen, AskScreen):
        for check in screen.checks:
            yield from _operand_use(check.least)
            yield from _operand_use(check.most)
    if isinstance(screen, ListScreen) and screen.items[0] != "lists":
        yield _Use(screen.items, screen.place)


def _operand_use(operand: Operand | None) -> Iterator[_Use]:
    if operand and operand.path:
        yield _Use(operand.path, operand.place)


def _words_of(screen: Screen, service: Service) -> Iterator[Words]:
    if not isinstance(screen, RouteScreen):
        yield screen.text
    if isinstance(screen, MenuScreen | ShowScreen):
        yield from (option.text for option in screen.options)
    if isinstance(screen, ListScreen):
        if screen.item:
            yield screen.item
        elif screen.items[0] == "lists":
            yield from (item.text for item in service.lists.get(screen.items[1] if screen.items[1:] else "", ()))
    if isinstance(screen, AskScreen):
        yield from (check.reason for check in screen.checks)
    yield from (lead.reason for lead in leads_of(screen) if isinstance(lead, Again))


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
    shape = _find(operand.path, shapes)
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
