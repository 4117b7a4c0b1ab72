"""What the names of a service hold: which types, how long they can get (pure).

Types are followed by name, not by path through the menu: a name holds whatever anything in the file sets it to, so it
has a tuple of shapes. What is shown is measured by the longest of them, what goes into a call has to fit with all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from billing import contract
from billing.events import EVENTS
from billing.operations.subscribers import MANAGED_MOST

from .leads import calls_of, leads_of, ways_in
from .menu import AskScreen, Check, Do, Lead, ListScreen, Operand, Path, Screen, Service, Template

ANSWER_CHARACTERS_MAX = 160
"""What can be typed on one screen."""
COUNT_MOST = 10**12 - 1
_PASSES_MAX = 8


class Known(NamedTuple):
    """One of the texts that stand in the file: language → texts."""

    texts: Mapping[str, tuple[str, ...]]


class Record(NamedTuple):
    """A value with named fields."""

    fields: Mapping[str, Shapes]


class Many(NamedTuple):
    """A list of records, at most so many."""

    fields: Mapping[str, Shapes]
    most: int


Shape: TypeAlias = "contract.Type | Known | Record | Many"
Shapes: TypeAlias = "tuple[Shape, ...]"
"""What a name can hold; () when nothing is known of it."""
Names: TypeAlias = Mapping[str, Shapes]

_SUBSCRIBER = Record(
    {
        "msisdn": (contract.Msisdn(),),
        "network": (contract.Choice(contract.NETWORKS),),
        "brand": (contract.Text(20),),
        "status": (contract.Choice(contract.STATUSES),),
        "language": (contract.Choice(contract.LANGUAGES),),
        "manages": (contract.Count(MANAGED_MOST),),
        "acting_for": (contract.Msisdn(),),
    }
)


class NoSuchName(Exception):
    """A dotted name that nothing has; the text says what is missing. `known`: what could be meant."""

    def __init__(self, what: str, known: tuple[str, ...] = ()) -> None:
        self.known = known
        super().__init__(what)


def names_of(service: Service, broken: Collection[str] = ()) -> Names:
    """Every name of the service's dialogues and what it can hold. `broken`: screens that could not be read, of whose
    answers nothing is known."""
    names: dict[str, Shapes] = {"subscriber": (_SUBSCRIBER,)}
    for pattern in service.sms.patterns if service.sms else ():
        if pattern.save:
            choices = tuple(dict.fromkeys(pattern.choices.values()))
            _add(names, pattern.save, contract.Choice(choices) if choices else contract.Text(ANSWER_CHARACTERS_MAX))
        if pattern.number:
            _add(names, pattern.number, contract.Msisdn())
    for screen in service.screens.values():
        for do in calls_of(screen):
            _results(names, do)
        if isinstance(screen, AskScreen) and screen.save and screen.id in broken:
            _add(names, screen.save)
        elif isinstance(screen, AskScreen) and screen.save and not _has_named_bounds(screen):
            _add(names, screen.save, _typed(screen.checks, names))
    for _ in range(_PASSES_MAX):  # what is set from a name that is set later needs another look
        before = dict(names)
        for screen in service.screens.values():
            _saved_items(names, screen, service)
            for lead in leads_of(screen):
                if isinstance(lead, Lead):
                    _settings(names, lead)
        for lead in ways_in(service):
            _settings(names, lead)
        if names == before:
            break
    for screen in service.screens.values():  # what bounds them is known now
        if isinstance(screen, AskScreen) and screen.save and screen.id not in broken and _has_named_bounds(screen):
            _add(names, screen.save, _typed(screen.checks, names))
    return names


def notice_names(event: str) -> Names:
    """What the arguments of an event hold."""
    return {name: (_shape(field),) for name, field in EVENTS[event].arguments.items()}


def item_names(screen: ListScreen, names: Names, service: Service) -> Names:
    """The names on a list's lines: those of the service, and `item`."""
    return {**names, "item": _items(screen, names, service)}


def find(path: Path, names: Names) -> Shapes:
    """What a dotted name holds. Raises NoSuchName."""
    if path[0] not in names:
        raise NoSuchName(f"nothing sets '{path[0]}'", tuple(names))
    shapes = names[path[0]]
    for at, name in enumerate(path[1:], 1):
        if not shapes:
            return ()
        shapes = _field(shapes, name, ".".join(path[:at]))
    return shapes


def _field(shapes: Shapes, name: str, of: str) -> Shapes:
    found: list[Shape] = []
    known: set[str] = set()
    has = False
    for shape in shapes:
        if isinstance(shape, Many):
            raise NoSuchName(f"'{of}' is a list")
        if isinstance(shape, Record):
            known |= shape.fields.keys()
            has = has or name in shape.fields
            found += shape.fields.get(name, ())
        elif isinstance(shape, contract.Money) and name in ("minor", "currency"):
            has = True
            found.append(contract.Count(COUNT_MOST) if name == "minor" else contract.Choice(contract.CURRENCIES))
    if not has:
        listed = f" (it has {', '.join(sorted(known))})" if known else ""
        raise NoSuchName(f"'{of}' has no '{name}'{listed}", tuple(known))
    return tuple(shape for at, shape in enumerate(found) if shape not in found[:at])


def _add(names: dict[str, Shapes], name: str, *shapes: Shape) -> None:
    held = list(names.get(name, ()))
    held += [shape for shape in shapes if shape not in held]
    names[name] = tuple(held)


def _results(names: dict[str, Shapes], do: Do) -> None:
    operation = contract.OPERATIONS.get(do.call)
    if operation is None:
        if do.into:
            _add(names, do.into)
        return
    if do.into:
        _add(names, do.into, Record({name: (_shape(field),) for name, field in operation.results.items()}))
    details = {name: (_shape(field),) for name, field in operation.details.items()}
    _add(names, "refused", Record({"code": (contract.Choice(tuple(operation.refusals)),), **details}))


def _shape(field: contract.Field) -> Shape:
    if isinstance(field.type, contract.ListOf):
        return Many({name: (_shape(each),) for name, each in field.type.fields.items()}, field.type.items_max)
    return field.type


def _typed(checks: tuple[Check, ...], names: Names) -> Shape:
    """What an answer is that has passed these checks: the last one says its kind, and how long it can be."""
    if not checks:
        return contract.Text(ANSWER_CHARACTERS_MAX)
    check = checks[-1]
    most = _bound(check.most, names, largest=True)
    match check.kind:
        case "digits":
            least = _bound(check.least, names, largest=False)
            return contract.Digits(min(most or ANSWER_CHARACTERS_MAX, ANSWER_CHARACTERS_MAX), least or 1)
        case "count":
            return contract.Count(COUNT_MOST if most is None else most)
        case "money":
            return contract.Money(contract.MONEY_MINOR_MOST if most is None else 100 * most, 0)
        case "msisdn":
            return contract.Msisdn()
        case "day":
            return contract.Day()
        case "inn":
            return contract.Inn()
        case "choice":
            return contract.Choice(check.words)
    return contract.Text(min(most or ANSWER_CHARACTERS_MAX, ANSWER_CHARACTERS_MAX))


def _bound(operand: Operand | None, names: Names, *, largest: bool) -> int | None:
    """The bound of a check: as it stands in the file, or the largest (or least) that the name can hold."""
    if operand is None:
        return None
    if not operand.path:
        return operand.constant if isinstance(operand.constant, int) else None
    shapes = _operand(operand, names)
    counts = [shape.most for shape in shapes if isinstance(shape, contract.Count)]
    counts += [-(-shape.most // 100) for shape in shapes if isinstance(shape, contract.Money)]
    return (max(counts) if largest else 1) if counts else None


def _has_named_bounds(screen: AskScreen) -> bool:
    return any(bound is not None and bound.path for check in screen.checks for bound in (check.least, check.most))


def _saved_items(names: dict[str, Shapes], screen: Screen, service: Service) -> None:
    if isinstance(screen, ListScreen) and screen.save:
        _add(names, screen.save, *_items(screen, names, service))


def _items(screen: ListScreen, names: Names, service: Service) -> Shapes:
    """What one item of the list holds."""
    if screen.items[0] == "lists":
        items = service.lists.get(screen.items[1], ())
        texts = {each: tuple(_plain(item.text.by_language[each]) for item in items) for each in service.languages}
        return (Record({"id": (contract.Choice(tuple(item.id for item in items)),), "text": (Known(texts),)}),)
    try:
        shapes = find(screen.items, names)
    except NoSuchName:
        return ()
    return tuple(Record(shape.fields) for shape in shapes if isinstance(shape, Many))


def _plain(template: Template) -> str:
    return "".join(part for part in template if isinstance(part, str))


def _settings(names: dict[str, Shapes], lead: Lead) -> None:
    for name, operand in lead.settings:
        _add(names, name, *_operand(operand, names))


def _operand(operand: Operand, names: Names) -> Shapes:
    if operand.path:
        try:
            return find(operand.path, names)
        except NoSuchName:
            return ()
    if isinstance(operand.constant, bool):
        return (contract.Flag(),)
    if isinstance(operand.constant, int):
        return (contract.Count(abs(operand.constant)),)
    return (contract.Choice((operand.constant,)),) if isinstance(operand.constant, str) else ()


def many_at(path: Path, names: Names) -> Iterator[Many]:
    """The lists that a dotted name holds."""
    try:
        yield from (shape for shape in find(path, names) if isinstance(shape, Many))
    except NoSuchName:
        return


def kind_of(shape: Shape) -> str:
    """What a shape is, in an author's words."""
    words = {
        contract.Text: "text", contract.Msisdn: "a number of a subscriber", contract.Money: "money",
        contract.Count: "a count", contract.Day: "a day", contract.Instant: "a moment", contract.Id: "an id",
        contract.Digits: "digits",
        contract.Inn: "an INN", contract.Choice: "a choice", contract.Secret: "a secret",
        contract.Flag: "true or false", Record: "a record", Many: "a list",
    }  # fmt: skip
    return words.get(type(shape), "text")
