"""Small menus for tests: a file's text in, the checked service out; and a walk that is easy to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from billing.calls import Call, Outcome
from sessions.session import Session
from sessions.shelf import Shelf
from strict_yaml import StrictYamlError
from ussd_engine.language import check, compiled, walk
from ussd_engine.language.catalog import Catalog, check_files
from ussd_engine.language.menu import Service
from ussd_engine.language.menu_file import read_service
from ussd_engine.language.pages import Limits
from ussd_engine.language.talk import Place
from ussd_engine.language.walk import Make, Mark, Show, Step, Terms
from ussd_engine.menu_folder import read_folder
from ussd_engine.metrics import OUTCOMES
from ussd_engine.versions import Versions

TERMS = Terms(Limits(), "KZ", "KZT", ZoneInfo("Asia/Almaty"))
HEAD = 'menu: 1\nservice: test\nlanguages: {ru: Русский, en: English}\ndial: ["*100#"]\nstart: root\n'


def service(screens: str, head: str = HEAD, **parts: str) -> Service:
    """The compiled service of a menu's text. Raises StrictYamlError as the catalog would; `parts`: files it uses."""
    files = {f"{name}.yaml": text.encode() for name, text in parts.items()}
    reading = read_service((head + screens).encode(), "test.yaml", files)
    mistakes = list(reading.mistakes)
    if reading.service is not None:
        mistakes += check.check(reading.service, reading.broken)
    if mistakes or reading.service is None:
        raise StrictYamlError(mistakes)
    return compiled.ready(reading.service)


def mistakes_of(screens: str, head: str = HEAD, **parts: str) -> str:
    """Every mistake of a menu file's text, a line each; "" when there is none."""
    try:
        service(screens, head, **parts)
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
        fields = {"language": "en", "network": "kcell", "status": "active", **fields}
        return Session(
            id="s1", msisdn="77010000007", link="l", reference="", brand="Kcell",
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


NETWORKS = {
    "kcell": Place("KZ", "KZT", ZoneInfo("Asia/Almaty")),
    "beeline-kz": Place("KZ", "KZT", ZoneInfo("Asia/Almaty")),
    "megacom": Place("KG", "KGS", ZoneInfo("Asia/Bishkek")),
    "beeline-kg": Place("KG", "KGS", ZoneInfo("Asia/Bishkek")),
    "o": Place("KG", "KGS", ZoneInfo("Asia/Bishkek")),
}
LIMITS = {"standard": Limits()}


def catalog_in(folder: Path, networks: Iterable[str] = NETWORKS) -> Catalog:
    """The catalog of a folder of menus, linted. Raises StrictYamlError with every mistake."""
    read = read_folder(folder)
    checked = check_files(read.menus, read.name, networks, LIMITS)
    if checked.mistakes:
        raise StrictYamlError(checked.mistakes)
    return checked.catalog


class Cupboard:
    """A `Shelf` in memory, for tests of what stands around it."""

    def __init__(self) -> None:
        self.octets: dict[str, bytes] = {}

    async def put(self, octets: Mapping[str, bytes], seconds: float) -> None:
        self.octets |= octets

    async def get(self, name: str) -> bytes | None:
        return self.octets.get(name)


def versions_of(catalog: Catalog, shelf: Shelf | None = None) -> Versions:
    """The catalog in force in an engine that has no time."""
    return Versions(catalog, shelf or Cupboard(), lambda: 0.0, 180.0)


class Notes:
    """A witness that writes down."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.ended_as: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self.marks: list[tuple[str, str, str]] = []
        self.told: list[tuple[str, str]] = []

    def call_made(self, call: Call, outcome: Outcome, seconds: float) -> None:
        self.calls.append((call.operation, OUTCOMES[type(outcome)]))

    def records(self, msisdn: str) -> bool:
        return False

    def happened(self, service: str, marks: tuple[Mark, ...]) -> None:
        self.marks += [(service, kind, name) for kind, name in marks]

    def turn_kept(self, session: Session, typed: str, *, secret: bool) -> None:
        self.told.append((typed, session.shown))

    def ended(self, session: Session, cause: str) -> None:
        self.ended_as.append((session.service, cause))

    def failed(self, what: str, msisdn: str) -> None:
        self.faults.append(what)
