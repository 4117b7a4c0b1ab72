"""Whether what changes something is kept from links that are not trusted to say whose number it is (pure).

Rules of this file:
- A call that changes something or takes a secret is made over an operator's link alone, unless the contract opens it to
  any (`Operation.by_any_link`): whoever speaks over another link may say any number.
- What counts is every way from outside, whatever else it depends on: one way that asks for no trust is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing import contract
from strict_yaml import Mistake

from . import menu
from .leads import leads_of, needed_by, outcomes_of, ways_in
from .menu import WITH_OPTIONS, Again, Do, EndScreen, Guard, Lead, Outcome, RouteScreen, Screen, Service
from .menu_parts import TRUSTS

_TRUSTED = TRUSTS[-1]


def untrusted_calls(service: Service) -> Iterator[Mistake]:
    """Every call that somebody could make in another's name."""
    for name in sorted(reached_untrusted(service)):
        for do in calls_untrusted(service.screens[name]):
            operation = contract.OPERATIONS.get(do.call)
            if operation is not None and operation.needs_trust:
                what = f"'{do.call}' could be asked for over a link that is not trusted to say whose number it is"
                cure = f"Add `requires: {{trust: {_TRUSTED}, else: …}}` here, or before every way here."
                yield Mistake(do.place, what, cure)


def calls_untrusted(screen: Screen) -> Iterator[Do]:
    """The calls that a screen makes once it is shown, over a link that is not an operator's."""
    if isinstance(screen, WITH_OPTIONS):
        yield from (option.do for option in screen.options if option.do and not _stops(option.guard))
    elif not isinstance(screen, EndScreen) and screen.do:
        yield screen.do


def reached_untrusted(service: Service) -> set[str]:
    """The screens that are entered over a link that is not an operator's."""
    stopped = service.guard.requires if service.guard is not None and _stops(service.guard) else None
    ahead = [stopped.otherwise] if stopped else [lead.go for lead in ways_in(service)]
    reached: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name in menu.RESERVED and name != menu.BY_NOTICE:
            name = service.start  # `back` and `wanted` lead there when there is nothing else
        screen = service.screens.get(name)
        if screen is None or name in reached or isinstance(screen, EndScreen):
            continue
        if screen.guard is not None and _stops(screen.guard):
            assert screen.guard.requires is not None  # noqa: S101 - that is what stops
            ahead.append(screen.guard.requires.otherwise)
            continue
        reached.add(name)
        ahead += [lead.go for lead in _onward(screen, service)]
        if not isinstance(screen, RouteScreen):
            ahead.append(service.start)  # by the key
    return reached


def _onward(screen: Screen, service: Service) -> Iterator[Lead]:
    beyond = {id(each) for each in _behind_guards(screen)}
    for lead in leads_of(screen):
        if not isinstance(lead, Again) and id(lead) not in beyond:
            yield lead
    yield from needed_by(screen, service)


def _behind_guards(screen: Screen) -> Iterator[Outcome]:
    """Where the options lead that nobody can choose over such a link."""
    for option in screen.options if isinstance(screen, WITH_OPTIONS) else ():
        if _stops(option.guard):
            yield from ([option.lead] if option.lead else outcomes_of(option.do) if option.do else ())


def _stops(guard: Guard | None) -> bool:
    return guard is not None and guard.requires is not None and guard.requires.trust == _TRUSTED
