"""The names of a service: what sets them, what they hold, and whether what is shown and compared can be (pure).

Types are followed by name, not by path: a name has the fields of everything in the file that sets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from billing import contract
from billing.notices import EVENTS
from strict_yaml import Mistake, Place, did_you_mean

from .menu import (
    Again,
    AskScreen,
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


class _Use(NamedTuple):
    """One place where a name is used."""

    path: Path
    place: Place
    fill: Fill | None = None
    """The placeholder, when it is shown: it must name one value, and its filter must suit it."""


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
    return field.type


def _item_shape(screen: ListScreen, shapes: Mapping[str, Shape]) -> Shape:
    if screen.items[0] == "lists":
        return {"id": contract.Id(), "text": contract.Text(80)}
    shape = find(screen.items, shapes)
    return shape if isinstance(shape, Mapping) else None


def find(path: Path, shapes: Mapping[str, Shape]) -> Shape | str:
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


def names(screen: Screen, service: Service, shapes: Mapping[str, Shape]) -> Iterator[Mistake]:
    for use in _uses(screen, service):
        local: Mapping[str, Shape] = shapes
        if isinstance(screen, ListScreen):
            local = {**shapes, "item": _item_shape(screen, shapes)}
        wrong = find(use.path, local)
        if isinstance(wrong, str):
            yield Mistake(use.place, wrong, did_you_mean(use.path[0], local) if use.path[0] not in local else "")
        elif use.fill is not None:
            yield from _shown(use.fill, wrong, use.place)
    if isinstance(screen, ListScreen) and screen.items[0] == "lists" and screen.items[1:] not in _named(service):
        yield Mistake(
            screen.place, f"there is no list '{'.'.join(screen.items)}'", did_you_mean(screen.items[-1], service.lists)
        )


_SUITS: Mapping[str, tuple[type, ...]] = {
    "money": (contract.Money,),
    "date": (contract.Day, contract.Instant),
    "time": (contract.Instant,),
    "phone": (contract.Msisdn,),
}


def _shown(fill: Fill, shape: Shape, place: Place) -> Iterator[Mistake]:
    """What is shown is one value, and its filter suits it; a secret is shown as it is or not at all."""
    name = ".".join(fill.path)
    if isinstance(shape, Mapping):
        fields = ", ".join(f"{name}.{each}" for each in sorted(shape))
        yield Mistake(place, f"'{name}' is a record", f"Name one of {fields}.")
    elif isinstance(shape, contract.Secret) and fill.filters:
        yield Mistake(place, f"a filter on the secret '{name}'", "Remove the filter.")
    elif shape is not None:
        for each in fill.filters:
            if each.name in _SUITS and not isinstance(shape, _SUITS[each.name]):
                what = f"filter '{each.name}' on '{name}', which is {type(shape).__name__.lower()}"
                yield Mistake(place, what, "Use another filter.")


def _named(service: Service) -> set[Path]:
    return {(name,) for name in service.lists}


def _uses(screen: Screen, service: Service) -> Iterator[_Use]:
    for words in _words_of(screen, service):
        for template in words.by_language.values():
            yield from (_Use(part.path, words.place, part) for part in template if isinstance(part, Fill))
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


def notice_names(service: Service) -> Iterator[Mistake]:
    for event, words in service.notices.items():
        arguments: Mapping[str, Shape] = {name: _shape(field) for name, field in EVENTS[event].arguments.items()}
        fills = [part for template in words.by_language.values() for part in template if isinstance(part, Fill)]
        for fill in fills:
            wrong = find(fill.path, arguments)
            if isinstance(wrong, str):
                yield Mistake(words.place, wrong, did_you_mean(fill.path[0], arguments))
            else:
                yield from _shown(fill, wrong, words.place)
