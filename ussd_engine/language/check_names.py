"""Whether the names of a service are set before they are used, and whether what is shown and compared can be (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from billing import contract
from strict_yaml import Mistake, Place, did_you_mean

from .leads import calls_of, leads_of, ways_in
from .menu import (
    WITH_OPTIONS,
    Again,
    AskScreen,
    EndScreen,
    Fill,
    Lead,
    ListScreen,
    Operand,
    Path,
    RouteScreen,
    Screen,
    Service,
    ShowScreen,
    Words,
)
from .shapes import Known, Many, Names, NoSuchName, Record, Shape, Shapes, find, item_names, kind_of, notice_names

OWN_NAMES = ("subscriber", "refused", "item", "lists", "language", "acting_for")
"""Names that the engine itself sets."""


class _Use(NamedTuple):
    """One place where a name is used."""

    path: Path
    place: Place
    fill: Fill | None = None
    """The placeholder, when it is shown: it must name one value, and its filter must suit it."""


def secrets_of(service: Service) -> set[str]:
    """The names of answers that live for one turn."""
    typed = {screen.secret for screen in service.screens.values() if isinstance(screen, AskScreen) and screen.secret}
    return typed | {pattern.secret for pattern in service.sms.patterns if pattern.secret} if service.sms else typed


def names(service: Service, known: Names, *, whole: bool = True) -> Iterator[Mistake]:
    """Every name that is used and not there, or is not of the kind that its use wants.

    `whole`: every screen could be read. Else one of those that could not may set the name that is missing.
    """
    secrets = secrets_of(service)
    yield from _own_names(service, secrets)
    for use, local in _all_uses(service, known):
        if whole or use.path[0] in local:
            yield from _use(use, local, secrets)


def _all_uses(service: Service, known: Names) -> Iterator[tuple[_Use, Names]]:
    """Every use of a name in the service, with the names that can be used there."""
    for screen in service.screens.values():
        local = item_names(screen, known, service) if isinstance(screen, ListScreen) else known
        yield from ((use, local) for use in uses_of(screen))
    for lead in ways_in(service):
        yield from ((use, known) for use in _settings(lead))
    for need in service.needs.values():
        yield from ((_Use(path, need.place), known) for path in need.when.names)
    for event, words in service.notices.items():
        yield from ((use, notice_names(event)) for use in _texts(words))


def uses_of(screen: Screen) -> Iterator[_Use]:
    """Every use of a name on a screen: shown, compared, counted with, kept."""
    for words in texts_of(screen):
        yield from _texts(words)
    for lead in leads_of(screen):
        if isinstance(lead, Lead):
            yield from _settings(lead)
    if isinstance(screen, RouteScreen):
        for case in screen.cases:
            yield from (_Use(path, case.place) for path in (case.when.names if case.when else ()))
    if isinstance(screen, AskScreen):
        for check in screen.checks:
            yield from _operand_use(check.least)
            yield from _operand_use(check.most)
    if isinstance(screen, ListScreen) and screen.items[0] != "lists":
        yield _Use(screen.items, screen.place)


def texts_of(screen: Screen) -> Iterator[Words]:
    """Every text of a screen in which a name can stand."""
    if not isinstance(screen, RouteScreen):
        yield screen.text
    if isinstance(screen, WITH_OPTIONS):
        yield from (option.text for option in screen.options)
    if isinstance(screen, ListScreen) and screen.item:
        yield screen.item
    if isinstance(screen, AskScreen):
        yield from (check.reason for check in screen.checks)
    yield from (lead.reason for lead in leads_of(screen) if isinstance(lead, Again))


def _texts(words: Words) -> Iterator[_Use]:
    for template in words.by_language.values():
        yield from (_Use(part.path, words.place, part) for part in template if isinstance(part, Fill))


def _settings(lead: Lead) -> Iterator[_Use]:
    for _name, operand in lead.settings:
        yield from _operand_use(operand)


def _operand_use(operand: Operand | None) -> Iterator[_Use]:
    if operand and operand.path:
        yield _Use(operand.path, operand.place)


def _own_names(service: Service, secrets: set[str]) -> Iterator[Mistake]:
    for screen in service.screens.values():
        saved = screen.save if isinstance(screen, ListScreen | AskScreen) else ""
        kept = [(do.into, do.place) for do in calls_of(screen)] + [(saved, screen.place)]
        leads = [lead for lead in leads_of(screen) if isinstance(lead, Lead)]
        # `set: {language: …}` and `set: {acting_for: …}` change the dialogue, and are the only way to
        own = ("language", "acting_for")
        by_set = [(name, lead.place) for lead in leads for name, _ in lead.settings if name not in own]
        for name, place in kept + by_set:
            if name in OWN_NAMES:
                yield Mistake(place, f"'{name}' is the engine's own name", "Choose another.")
        if saved in secrets:
            yield Mistake(screen.place, f"'{saved}' is a secret elsewhere, and kept here", "Give it another name.")
        for lead in leads:
            yield from _language_set(lead, service)


def _language_set(lead: Lead, service: Service) -> Iterator[Mistake]:
    """`set: {language: …}` to a language that the service speaks; what a name holds is looked at when it is walked."""
    for name, operand in lead.settings:
        if name == "language" and not operand.path and operand.constant not in service.languages:
            what = f"the service does not speak '{operand.constant}'"
            yield Mistake(operand.place, what, did_you_mean(str(operand.constant), service.languages))


def _use(use: _Use, known: Names, secrets: set[str]) -> Iterator[Mistake]:
    name = use.path[0]
    try:
        found = find(use.path, known)
    except NoSuchName as error:
        if name in secrets and name not in known:
            cure = "Only a secret argument of the call on its own screen can take it."
            yield Mistake(use.place, f"'{name}' is a secret: it is shown, kept and compared nowhere", cure)
        else:
            yield Mistake(use.place, str(error), _meant(use, known, error))
        return
    if use.fill is not None and use.path[-1] == "minor" and _is_of_money(use.path, known):
        name = ".".join(use.path[:-1])
        yield Mistake(use.place, f"'{name}.minor' is for programs: hundredths", f"Write ${{{name}|money}}.")
    elif use.fill is not None:
        yield from _shown(use.fill, found, use.place)


def _is_of_money(path: Path, known: Names) -> bool:
    return len(path) > 1 and any(isinstance(shape, contract.Money) for shape in find(path[:-1], known))


def _meant(use: _Use, known: Names, error: NoSuchName) -> str:
    """What whoever wrote a name that is not there may have meant."""
    name = use.path[0]
    if name == "language":
        return "Write subscriber.language."
    cure = did_you_mean(use.path[-1] if name in known else name, error.known)
    return cure if use.fill is not None else f"{cure}{text_meant(use.path, known)}"


def text_meant(path: Path, known: Names) -> str:
    """What to write if a word that names nothing was meant as it stands."""
    return "" if len(path) > 1 or path[0] in known else f" If the text itself is meant, write \"'{path[0]}'\"."


_TEXTUAL = (
    contract.Text, contract.Digits, contract.Id, contract.Choice, contract.Msisdn, contract.Inn, contract.Secret, Known,
)  # fmt: skip
_SUITS: dict[str, tuple[type, ...]] = {
    "money": (contract.Money,),
    "date": (contract.Day, contract.Instant),
    "time": (contract.Instant,),
    "phone": (contract.Msisdn,),
    **dict.fromkeys(("cut", "upper", "mask"), _TEXTUAL),
}
_NEEDS_FILTER: dict[type, tuple[str, ...]] = {contract.Instant: ("date", "time"), contract.Day: ("date",)}


def _shown(fill: Fill, shapes: Shapes, place: Place) -> Iterator[Mistake]:
    """What is shown is one value, and its filter suits it; a secret is shown as it is or not at all."""
    for shape in shapes:
        mistake = _wrong_to_show(fill, shape)
        if mistake is not None:
            yield Mistake(place, *mistake)
            return


def _wrong_to_show(fill: Fill, shape: Shape) -> tuple[str, str] | None:
    name = ".".join(fill.path)
    if isinstance(shape, Record):
        return f"'{name}' is a record", f"Name one of {', '.join(f'{name}.{each}' for each in sorted(shape.fields))}."
    if isinstance(shape, Many):
        return f"'{name}' is a list", "Show it with a `list` screen."
    if isinstance(shape, contract.Secret):
        return (f"a filter on the secret '{name}'", "Remove the filter.") if fill.filters else None
    if isinstance(shape, contract.Flag):
        return f"'{name}' is true or false", "Let a `route` choose between two texts."
    if type(shape) in _NEEDS_FILTER and not fill.filters:
        wanted = " or ".join(f"${{{name}|{each}}}" for each in _NEEDS_FILTER[type(shape)])
        return f"'{name}' is {kind_of(shape)}, and is shown as programs write it", f"Write {wanted}."
    for each in fill.filters:
        if each.name in _SUITS and not isinstance(shape, _SUITS[each.name]):
            return f"filter '{each.name}' on '{name}', which is {kind_of(shape)}", "Use another filter."
    return None


# --- what is shown once ---------------------------------------------------------------------------------------------


def shown_once(service: Service) -> set[Path]:
    """The names that a confidential screen shows: they are never stored."""
    found: set[Path] = set()
    for screen in service.screens.values():
        if isinstance(screen, ShowScreen | EndScreen) and screen.again:
            found |= {use.path for use in _texts(screen.text) if len(use.path) > 1 and use.path[0] != "subscriber"}
    return found


def confidential(service: Service) -> Iterator[Mistake]:
    """A confidential screen is led to by the call that gives the code, and nothing else names the code."""
    once = {path for path in shown_once(service) if _is_code(path, service)}
    for screen in service.screens.values():
        is_it = _is_confidential(screen)
        for use in uses_of(screen):
            if use.path in once and not (is_it and use.fill):
                what = f"'{'.'.join(use.path)}' is shown once, on a confidential screen, and is gone here"
                yield Mistake(use.place, what, "Leave it out here.")
        if is_it and not any(use.path in once for use in uses_of(screen)):
            what = f"screen '{screen.id}' is confidential, and shows nothing that a call gave it"
            yield Mistake(screen.place, what, "Remove `confidential:`.")
        for lead in leads_of(screen):
            if isinstance(lead, Lead) and _is_confidential(service.screens.get(lead.go)):
                yield from _led_to_late(lead, screen, service)


def _is_code(path: Path, service: Service) -> bool:
    return any(do.into == path[0] for screen in service.screens.values() for do in calls_of(screen))


def _is_confidential(screen: Screen | None) -> bool:
    return isinstance(screen, ShowScreen | EndScreen) and screen.again is not None


def _led_to_late(lead: Lead, screen: Screen, service: Service) -> Iterator[Mistake]:
    """Only `done` of the call, or a route right after it, leads to a confidential screen: later the code is gone."""
    by_done = any(do.done is lead or do.done == lead for do in calls_of(screen))
    by_route = isinstance(screen, RouteScreen) and not screen.do
    if not by_done and not by_route:
        what = f"'{lead.go}' is confidential: its code is gone when it is led to from here"
        yield Mistake(lead.place, what, "Lead to it from `done` of the call that gives the code.")
