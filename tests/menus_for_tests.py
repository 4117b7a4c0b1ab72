"""Small menus for tests: a file's text in, the checked service out; and a walk that is easy to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from billing.calls import Call, Outcome
from sessions.session import Session
from strict_yaml import StrictYamlError
from ussd_engine import check, walk
from ussd_engine.menu import Service
from ussd_engine.menu_file import service_from
from ussd_engine.walk import Make, Show, Step, Terms
from ussd_engine.wording import Limits

TERMS = Terms(Limits(), "KZ", "KZT", ZoneInfo("Asia/Almaty"))
HEAD = 'menu: 1\nservice: test\nlanguages: {ru: Русский, en: English}\ndial: ["*100#"]\nstart: root\n'


def service(screens: str, head: str = HEAD) -> Service:
    """The service of a menu file's text. Raises StrictYamlError as the catalog would."""
    found, _ = service_from((head + screens).encode(), "test.yaml")
    mistakes = check.check(found)
    if mistakes:
        raise StrictYamlError(mistakes)
    return found


def mistakes_of(screens: str, head: str = HEAD) -> str:
    """Every mistake of a menu file's text, a line each; "" when there is none."""
    try:
        service(screens, head)
    except StrictYamlError as error:
        return str(error)
    return ""


class Dialogue:
    """One dialogue, told in a line a turn: `dial`, `send`, and what the last screen was."""

    def __init__(self, menu: Service, outcomes: Mapping[str, Outcome] | None = None, terms: Terms = TERMS) -> None:
        self.menu = menu
        self.terms = terms
        self.outcomes = dict(outcomes or {})
        self.calls: list[Call] = []
        self.makes: list[Make] = []
        self.sessions: list[Session] = []
        self.ended = False

    def dial(self, *parts: str, **fields: Any) -> str:
        return self._to_screen(walk.begin(self.menu, self._session(fields), parts, self.terms))

    def sms(self, text: str, **fields: Any) -> str:
        return self._to_screen(walk.take_sms(self.menu, self._session(fields), text, self.terms))

    def _session(self, fields: dict[str, Any]) -> Session:
        fields = {"language": "en", "network": "kcell", **fields}
        return Session(
            id="s1", msisdn="77010000007", link="l", reference="", brand="Kcell", status="active",
            service=self.menu.id, menu=self.menu.version, started_at=0.0, **fields,
        )  # fmt: skip

    def send(self, text: str) -> str:
        return self._to_screen(walk.answer(self.menu, self.sessions[-1], text, self.terms))

    def _to_screen(self, step: Step) -> str:
        while not isinstance(step, Show):
            self.calls.append(step.call)
            self.makes.append(step)
            self.sessions.append(step.session)
            step = walk.resume(self.menu, step.session, self.outcomes[step.call.operation], self.terms)
        self.sessions.append(step.session)
        self.ended = step.ends
        return step.text
