"""A subscriber who presses anything and a core that answers anything that the contract allows: seeded, for tests."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from billing import contract
from billing.calls import Done, NotMade, Outcome, Refused, Unknown
from billing.events import EVENTS
from sessions.session import Session, from_octets, to_octets
from ussd_engine.language import walk
from ussd_engine.language.menu import AskScreen, ListScreen, Service, ShowScreen
from ussd_engine.language.walk import Make, Show, Step, Terms

ALPHABETS = ("abc XYZ 019", "€[]{}|~^", "Қазақша ѣ", "aЖ€ 5", "W")
TURNS = 8


class Chance:
    """Everything random of one walk."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def fields(self, fields: Mapping[str, contract.Field]) -> dict[str, Any]:
        """A record with these fields; one that may be left out sometimes is."""
        return {
            name: self.value(field.type)
            for name, field in fields.items()
            if not field.optional or self.random.random() < 0.7
        }

    def value(self, kind: contract.Type) -> Any:
        """A value of the type, often one of the longest."""
        pick = self.random
        match kind:
            case contract.Text() | contract.Secret():
                length = pick.choice((1, kind.characters_max, pick.randint(1, kind.characters_max)))
                letters = pick.choice(ALPHABETS)
                return "".join(pick.choice(letters) for _ in range(length)).strip() or "x"
            case contract.Id():
                return "".join(pick.choice("abcXYZ019{}`") for _ in range(pick.choice((1, contract.ID_CHARACTERS_MAX))))
            case contract.Money():
                minor = pick.choice((kind.least, kind.most, pick.randint(kind.least, kind.most)))
                return {"minor": minor, "currency": pick.choice(contract.CURRENCIES)}
            case contract.Digits():
                return "".join(pick.choice("0123456789") for _ in range(pick.choice((kind.least, kind.most))))
            case contract.Count():
                return pick.choice((0, kind.most, pick.randint(0, kind.most)))
            case contract.Choice():
                return pick.choice(kind.values)
            case contract.Flag():
                return pick.random() < 0.5
            case contract.Msisdn():
                return pick.choice(("77010000008", "996555000008", "9" * 15))
            case contract.Day():
                return f"20{pick.randint(10, 99)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}"
            case contract.Instant():
                return f"2026-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}T{pick.randint(0, 23):02}:59:59.123456Z"
            case contract.Inn():
                return "22812199000123"
            case contract.ListOf():
                count = pick.choice((0, 1, 7, kind.items_max))
                return [self.fields(kind.fields) for _ in range(min(count, kind.items_max))]

    def outcome(self, name: str) -> Outcome:
        """Any outcome of a call."""
        operation = contract.OPERATIONS[name]
        roll = self.random.random()
        if roll < 0.6:
            return Done(self.fields(operation.results))
        if roll < 0.8 and operation.refusals:
            return Refused(self.random.choice(list(operation.refusals)), self.fields(operation.details))
        return self.random.choice((Unknown("chance"), NotMade("chance")))

    def notice(self, event: str) -> dict[str, Any]:
        """The arguments of an event."""
        return self.fields(EVENTS[event].arguments)

    def input(self, service: Service, session: Session) -> str:
        """Something to press or to type on the screen that the session stands on."""
        screen = service.screens[session.screen]
        keys = service.keys
        anything = [keys.more, keys.back, keys.home, "", "77777", "x" * 182, "ПИН"]
        if isinstance(screen, ListScreen):
            anything += [str(self.random.randint(1, 97))] * 8
        elif isinstance(screen, AskScreen):
            anything += ["7", "1234", "500", "7010000008", "22812199000123", "Ж" * 20, "W" * 160] * 2
        elif options := getattr(screen, "options", ()):
            anything += [self.random.choice(options).key for _ in range(12)]
        if isinstance(screen, ShowScreen):
            anything += [keys.more] * 4
        return self.random.choice(anything)


def walks(service: Service, session: Session, terms: Terms, chance: Chance) -> Iterator[Show]:
    """Every screen of one dialogue; each session goes through its octets, as in the store."""
    step: Step = walk.begin(service, session, (), terms)
    for _ in range(TURNS):
        while isinstance(step, Make):
            kept = from_octets(to_octets(step.session))
            step = walk.resume(service, kept, chance.outcome(step.call.operation), terms)
        yield step
        if step.ends:
            return
        kept = from_octets(to_octets(step.session))
        step = walk.answer(service, kept, chance.input(service, kept), terms)
