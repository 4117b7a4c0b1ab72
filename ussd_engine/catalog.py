"""The services in force: read from a folder, checked together, found by network and code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import NamedTuple

from strict_yaml import Mistake, Node, Place, StrictYamlError

from . import check
from .menu import Path, Service, serves
from .menu_file import read_service
from .wording import LANGUAGES


class Found(NamedTuple):
    """The service behind a dialled string, and what was dialled after its code."""

    service: Service
    code: Path
    rest: tuple[str, ...]


class Catalog(NamedTuple):
    """All services, one version each; `sources` are the trees they came from, for the tests that stand beside them."""

    services: Mapping[str, Service]
    by_code: Mapping[Path, tuple[Service, ...]]
    sources: Mapping[str, Node]

    def find(self, network: str, dialled: tuple[str, ...]) -> Found | None:
        """The service with the longest declared code that begins what was dialled, on this network."""
        for length in range(len(dialled), 0, -1):
            for service in self.by_code.get(dialled[:length], ()):
                if _is_open(service, network):
                    return Found(service, dialled[:length], dialled[length:])
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

    def tells_of(self, network: str, event: str) -> Service | None:
        """The service that words this event of the core, on this network."""
        return next((each for each in self.services.values() if event in each.notices and serves(each, network)), None)

    def words(self, screen: str, language: str) -> str:
        """A screen of the engine's own: `unknown_code`, `try_again`, …"""
        engine = self.services[check.ENGINE]
        own = language if language in engine.languages else next(iter(engine.languages))
        return engine.faces[screen, own].title


def _is_open(service: Service, network: str) -> bool:
    """Whether a code of the service is known here, be it to be told that it is for others."""
    return serves(service, network) or bool(service.open_to.otherwise)


def read_catalog(folder: FilePath, networks: Iterable[str]) -> Catalog:
    """Reads every `*.yaml` of a folder. Raises StrictYamlError with the mistakes of all files."""
    start = Place(str(folder), 1, 1)
    if not folder.is_dir():
        raise StrictYamlError([Mistake(start, "there is no such folder", "Name the folder of the menus.")])
    mistakes: list[Mistake] = []
    services: dict[str, Service] = {}
    sources: dict[str, Node] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            service, node = read_service(path)
        except StrictYamlError as error:
            mistakes += error.mistakes
            continue
        mistakes += check.check(service)
        if service.id in services:
            mistakes.append(Mistake(service.place, f"service '{service.id}' stands in two files", "Rename one."))
        services[service.id], sources[service.id] = service, node
    if check.ENGINE in services:
        mistakes += check.check_engine(services[check.ENGINE])
        mistakes += _engine_languages(services)
    elif not mistakes:
        mistakes.append(
            Mistake(
                start, f"no service '{check.ENGINE}'", "Copy `menus/engine.yaml` here: what the engine itself says."
            )
        )
    mistakes += _networks(services, tuple(networks))
    mistakes += _collisions(services)
    if mistakes:
        raise StrictYamlError(mistakes)
    return Catalog(services, _by_code(services), sources)


def _engine_languages(services: Mapping[str, Service]) -> Iterable[Mistake]:
    engine = services[check.ENGINE]
    needed = {language for service in services.values() for language in service.languages}
    for language in (each for each in LANGUAGES if each in needed and each not in engine.languages):
        yield Mistake(engine.place, f"the engine's own words lack '{language}'", "Add it to every text of the file.")


def _networks(services: Mapping[str, Service], networks: tuple[str, ...]) -> Iterable[Mistake]:
    for service in services.values():
        for name in service.open_to.networks:
            if name not in networks:
                cure = f"The configuration has {', '.join(networks)}."
                yield Mistake(service.open_to.place, f"there is no network '{name}'", cure)


def _by_code(services: Mapping[str, Service]) -> dict[Path, tuple[Service, ...]]:
    found: dict[Path, tuple[Service, ...]] = {}
    for service in services.values():
        for code in service.dial:
            found[code] = (*found.get(code, ()), service)
    return found


def _collisions(services: Mapping[str, Service]) -> Iterable[Mistake]:
    """Two services with one code, short number or event on one network: which is meant could not be told."""
    claims: dict[str, list[Service]] = {}
    for service in services.values():
        named = [f"*{'*'.join(code)}#" for code in service.dial]
        named += [f"SMS to {number}" for number in (service.sms.to if service.sms else ())]
        named += [f"the notice of {event}" for event in service.notices]
        for name in named:
            claims.setdefault(name, []).append(service)
    for name, claimants in claims.items():
        for at, service in enumerate(claimants):
            for other in claimants[:at]:
                mine, theirs = set(service.open_to.networks), set(other.open_to.networks)
                if not mine or not theirs or mine & theirs:
                    what = f"{name} also belongs to service '{other.id}'"
                    yield Mistake(service.open_to.place, what, "Change one, or the networks under `open_to`.")
