"""What the talks of a service have been through, and what not: screens, options, outcomes of calls (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .menu import WITH_OPTIONS, RouteScreen, Service
from .talk import Seen


class Coverage(NamedTuple):
    """Of one service: how much there is of each kind, and what no talk has been through."""

    service: str
    screens: int
    options: int
    outcomes: int
    missed: tuple[str, ...]
    missed_screens: int
    missed_options: int
    missed_outcomes: int

    def __str__(self) -> str:
        parts = (
            (self.screens - self.missed_screens, self.screens, "screens"),
            (self.options - self.missed_options, self.options, "options"),
            (self.outcomes - self.missed_outcomes, self.outcomes, "outcomes"),
        )
        return f"{self.service}: " + ", ".join(f"{met} of {all_of} {what}" for met, all_of, what in parts)


def coverage(service: Service, seen: Iterable[Seen]) -> Coverage:
    """What of a service was met. An outcome is met when a call ended so; `*` by any refusal without a line."""
    met = {each.what for each in seen if each.service == service.id}
    screens = [name for name, screen in service.screens.items() if not isinstance(screen, RouteScreen)]
    screens += [f"notice {event}" for event in service.notices]
    options, outcomes = [], []
    for screen in service.screens.values():
        choices = screen.options if isinstance(screen, WITH_OPTIONS) else ()
        options += [option.step for option in choices]
        calls = [(option.step, option.do) for option in choices if option.do]
        if not choices and (do := getattr(screen, "do", None)):
            calls.append((screen.id, do))
        for where, do in calls:
            named = [code for code in do.refused if code != "*"]
            outcomes += [f"{where} {do.call} {word}" for word in ("done", *named, "unknown", "not_made")]
            others = any(
                each.startswith(f"{where} {do.call} ")
                and each.split()[-1] not in ("done", "unknown", "not_made", *named)
                for each in met
            )
            outcomes += [] if others else [f"{where} {do.call} *"]
            met |= {f"{where} {do.call} *"} if others else set()
    missed = [[name for name in names if name not in met] for names in (screens, options, outcomes)]
    return Coverage(
        service.id, len(screens), len(options), len(outcomes), tuple(name for names in missed for name in names),
        *(len(names) for names in missed),
    )  # fmt: skip
