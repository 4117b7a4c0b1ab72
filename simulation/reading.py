"""How a subscriber knows a screen: by its words, whatever stands in its gaps."""

from __future__ import annotations

import re
from functools import cache

from ussd_engine.language import check
from ussd_engine.language.catalog import Catalog
from ussd_engine.language.menu import EndScreen, RouteScreen, Template

LETTERS_MIN = 4
"""Fewer letters of its own do not tell a screen from others."""


class Reader:
    """Knows the screens of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        found: dict[str, list[tuple[int, re.Pattern[str], str]]] = {}
        for service in catalog.services.values():
            for name, screen in service.screens.items():
                if isinstance(screen, RouteScreen):
                    continue
                for template in screen.text.by_language.values():
                    letters = sum(len(part) for part in template if isinstance(part, str))
                    if letters >= LETTERS_MIN:
                        known = (letters, _pattern(template, whole=isinstance(screen, EndScreen)), name)
                        found.setdefault(service.id, []).append(known)
        self._known = {name: sorted(each, key=lambda one: -one[0]) for name, each in found.items()}
        engine = catalog.services[check.ENGINE]
        self.own_words = frozenset(
            engine.faces[language][name].title for language in engine.languages for name in engine.screens
        )
        self.refusals = frozenset(engine.faces[language]["too_often"].title for language in engine.languages)
        """What a begin that is not taken is told, beside the dialogue that goes on."""
        self.screen = cache(self._screen)

    def _screen(self, service: str, text: str) -> str:
        """The name of a screen of this service, or of the engine's own; "" for one that nobody knows."""
        for name in (service, check.ENGINE):
            for _, pattern, screen in self._known.get(name, ()):
                if pattern.search(text):
                    return screen if name == service else f"engine.{screen}"
        return ""


def _pattern(template: Template, *, whole: bool) -> re.Pattern[str]:
    """What the words of a screen look like. A last screen is nothing else; above others a reason may stand, and options
    below."""
    words = "".join(re.escape(part) if isinstance(part, str) else ".*?" for part in template)
    return re.compile(
        rf"\A{words}\Z" if whole else rf"^{words}(?:\n|$)", re.DOTALL | re.MULTILINE if not whole else re.DOTALL
    )
