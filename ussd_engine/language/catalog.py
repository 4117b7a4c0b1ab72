"""The services in force: read from a folder's files, checked together, found by network and code (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import PurePath as FilePath
from typing import NamedTuple

from billing.contract import LANGUAGES
from strict_yaml import Mistake, Node, Place

from . import check, check_codes, compiled, fit, menu_file
from .menu import Path, Service, serves
from .menu_file import Files
from .pages import Limits


class Found(NamedTuple):
    """The service behind a dialled string, the screen to begin with ("": its start), and what was dialled after."""

    service: Service
    code: Path
    go: str
    rest: tuple[str, ...]


class Catalog(NamedTuple):
    """All services, one version each; `version` stands for all of them together."""

    services: Mapping[str, Service]
    by_code: Mapping[Path, tuple[tuple[Service, str], ...]]
    version: str

    def find(self, network: str, dialled: tuple[str, ...]) -> Found | None:
        """The service with the longest declared code that begins what was dialled, on this network."""
        for length in range(len(dialled), 0, -1):
            for service, go in self.by_code.get(dialled[:length], ()):
                if _is_open(service, network):
                    return Found(service, dialled[:length], go, dialled[length:])
        return None

    def takes_sms(self, network: str, short_number: str) -> Service | None:
        """The service that answers SMS to this number, on this network."""
        return next(
            (
                service
                for service in self.services.values()
                if service.sms and short_number in service.sms.to and serves(service, network)
            ),
            None,
        )

    @property
    def addresses(self) -> frozenset[str]:
        """Every service code and short number."""
        numbers = (number for service in self.services.values() if service.sms for number in service.sms.to)
        return frozenset({code[0] for code in self.by_code} | set(numbers))

    def tells_of(self, network: str, event: str) -> Service | None:
        """The service that words this event of the core, on this network."""
        return next((each for each in self.services.values() if event in each.notices and serves(each, network)), None)

    def words(self, screen: str, language: str) -> str:
        """A screen of the engine's own: `unknown_code`, `try_again`, …"""
        engine = self.services[check.ENGINE]
        own = language if language in engine.languages else next(iter(engine.languages))
        return engine.faces[own][screen].title


def _is_open(service: Service, network: str) -> bool:
    """Whether a code of the service is known here, be it to be told that it is for others."""
    return serves(service, network) or bool(service.open_to.otherwise)


def catalog_of(services: Iterable[Service]) -> Catalog:
    """The catalog of these services, which have been checked together."""
    listed = {service.id: service for service in services}
    by_code: dict[Path, tuple[tuple[Service, str], ...]] = {}
    for service in listed.values():
        for code in service.dial:
            known = by_code.get(code.head, ())
            if not code.is_promise and all(each is not service for each, _ in known):
                by_code[code.head] = (*known, (service, code.go))
    versions = "\n".join(sorted(service.version for service in listed.values()))
    return Catalog(listed, by_code, hashlib.sha256(versions.encode()).hexdigest()[:16])


class Checked(NamedTuple):
    """What became of a set of menu files: what is wrong, and the services that could be read, with their trees."""

    services: Mapping[str, Service]
    sources: Mapping[str, Node]
    mistakes: tuple[Mistake, ...]
    notes: tuple[check.Note, ...]
    whole: bool = True
    """Every file could be read."""

    @property
    def catalog(self) -> Catalog:
        """The services, ready to be walked. Only of a set without mistakes."""
        return catalog_of(compiled.ready(service) for service in self.services.values())


def check_files(files: Files, folder: str, networks: Iterable[str], dialects: Mapping[str, Limits]) -> Checked:
    """Reads and checks all files together. `folder` is shown before their names; `dialects`: what a screen may hold."""
    readings = {name: menu_file.read_service(files[name], f"{folder}/{name}", files) for name in files}
    used = {use for reading in readings.values() for use in reading.uses}
    readable = all(reading.node is not None for reading in readings.values())
    mistakes: list[Mistake] = []
    services: dict[str, Service] = {}
    sources: dict[str, Node] = {}
    whole = True
    for name, reading in readings.items():
        if reading.node is not None and menu_file.is_part(reading.node):
            if name not in used and readable:  # else what cannot be read may use it
                what = "no service uses this file"
                mistakes.append(Mistake(reading.node.place, what, "Write `use:` in a service, or remove the file."))
            continue
        found = list(reading.mistakes)
        service = reading.service
        if service is not None and reading.node is not None:
            found += check.check(service, reading.broken)
            if service.id in services:
                other = FilePath(sources[service.id].place.file).name
                place = reading.node.items["service"].place
                found.append(Mistake(place, f"service '{service.id}' stands in {other} too", "Rename one."))
            services[service.id], sources[service.id] = service, reading.node
            if not reading.mistakes:
                found += fit.mistakes([service], dialects)
        whole = whole and service is not None
        mistakes += found
    start = Place(folder, 1, 1)
    mistakes += _together(services, start, tuple(networks), whole=whole)
    notes = tuple(note for service in services.values() for note in check.notes(service))
    return Checked(services, sources, tuple(sorted(set(mistakes))), notes, whole and readable)


def _together(
    services: Mapping[str, Service], start: Place, networks: tuple[str, ...], *, whole: bool
) -> Iterable[Mistake]:
    """What a set of services must be, besides what each must be. `whole`: all files could be read."""
    if check.ENGINE in services:
        yield from check.check_engine(services[check.ENGINE])
        yield from _engine_languages(services)
    elif whole:
        cure = "Copy `menus/engine.yaml` here: what the engine itself says."
        yield Mistake(start, f"no service '{check.ENGINE}'", cure)
    for service in services.values():
        for name in service.open_to.networks:
            if name not in networks:
                cure = f"The configuration has {', '.join(networks)}."
                yield Mistake(service.open_to.place, f"there is no network '{name}'", cure)
    yield from check_codes.collisions(services)


def _engine_languages(services: Mapping[str, Service]) -> Iterable[Mistake]:
    engine = services[check.ENGINE]
    needed = {language for service in services.values() for language in service.languages}
    for language in (each for each in LANGUAGES if each in needed and each not in engine.languages):
        yield Mistake(engine.place, f"the engine's own words lack '{language}'", "Add it to every text of the file.")
