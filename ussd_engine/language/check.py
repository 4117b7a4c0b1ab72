"""The linter: what hangs together in a service, and what a set of services must be (pure).

Shapes and words were checked when the file was read; the parts are `check_screens`, `check_names`, `check_calls`,
`check_trust`, `check_codes` and `fit`. What is told here are mistakes: a service with one is not served. Notes are only
told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from strict_yaml import Mistake, Place

from . import check_calls, check_codes, check_names, check_screens, check_trust
from .menu import AskScreen, EndScreen, Service
from .shapes import names_of

ENGINE = "engine"
"""The service that holds what the engine itself has to say; every one of its screens is an `end`."""
ENGINE_SCREENS = (
    "unknown_code",
    "try_again",
    "dial_again",
    "being_checked",
    "not_served",
    "switched_off",
    "resume",
    "too_often",
    "busy",
)


class Note(NamedTuple):
    """Something that an author should know, and that is no mistake."""

    place: Place
    what: str

    def __str__(self) -> str:
        return f"{self.place}: note: {self.what}"


def check(service: Service, broken: frozenset[str] = frozenset()) -> list[Mistake]:
    """Every mistake in how the service hangs together, in no order. `broken`: screens that could not be read."""
    names = names_of(service, broken)
    screens = list(check_screens.screens(service, names, broken, ENGINE_SCREENS if service.id == ENGINE else ()))
    whole = not broken and not screens  # else what is said of the ways through it would be a consequence
    return [
        *screens,
        *check_screens.dialled_changes(service),
        *check_calls.calls(service, names),
        *check_trust.untrusted_calls(service),
        *check_names.names(service, names, whole=not broken),
        *(check_names.confidential(service) if whole else ()),
        *check_codes.two_starts(service),
        *(check_codes.promises(service) if whole else ()),
    ]


def notes(service: Service) -> Iterator[Note]:
    """What the engine does with the service that its author may not expect."""
    for screen in service.screens.values():
        if isinstance(screen, AskScreen):
            off = [key for key in (service.keys.back, service.keys.home) if key not in screen.open_keys]
            if off:
                keys = " and ".join(f"'{key}'" for key in off)
                yield Note(screen.place, f"an answer to '{screen.id}' could be {keys}: off as a key there")


def check_engine(service: Service) -> Iterable[Mistake]:
    """What the engine's own service must have, besides what every service must."""
    for name in ENGINE_SCREENS:
        screen = service.screens.get(name)
        if screen is None:
            yield Mistake(service.place, f"the engine needs a screen '{name}'", "Add it as an `end`.")
        elif not isinstance(screen, EndScreen) or not _is_plain(screen):
            yield Mistake(screen.place, f"'{name}' must be an `end` without placeholders", "Write plain words.")


def _is_plain(screen: EndScreen) -> bool:
    return all(isinstance(part, str) for template in screen.text.by_language.values() for part in template)
