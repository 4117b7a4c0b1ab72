"""Menus checked and compiled in a process of their own: a mistake, a bomb or a slow check costs the engine nothing.

The child is `python -m ussd_engine.compiler`: it reads what to check from its standard input, writes what came out to
its standard output, and ends. Its memory and its time are bounded. What it found green is kept (`compiled_folder`)
under a key made of everything that the verdict depends on: files, terms, and the sources of what checks.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import importlib.resources
import os
import resource
import sys
import time
import zoneinfo
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import yaml

from strict_yaml import Mistake, Place, StrictYamlError

from .compiled_folder import CompiledFolder
from .config import Settings
from .language import compiled, talk
from .language.catalog import Catalog, catalog_of
from .language.examine import MenuFolder, Terms, examine
from .language.menu import Service
from .language.pages import Limits
from .menu_folder import read_folder

_HOME = Path(__file__).resolve().parent.parent
SOURCES = ("*.py", "billing/**/*.py", "sessions/**/*.py", "smpp/**/*.py", "ussd_engine/**/*.py")
"""Whatever a check may run through, and some more: a start after an upgrade may be slow, never wrong."""
SECONDS_MAX = 60.0
NICENESS = 10
MEMORY_OCTETS_MAX = 1024 * 1024 * 1024
"""Of address space; what is really used is in `Compiled.memory_kib`."""
MISTAKES_MAX = 1000


class CompilerFailed(Exception):
    """The child did not end as it should: the text says how."""


class Job(msgspec.Struct, frozen=True):
    """What is to be checked, and against what."""

    folder: str
    networks: dict[str, tuple[str, str, str]]
    """Name → country, currency, time zone."""
    dialects: dict[str, Limits]
    in_force: list[str] = []
    """Versions of services that have been through everything on these terms …"""
    sources: str = ""
    """… as these sources check: `sources_digest` of the engine that asks."""


class Compiled(msgspec.Struct, frozen=True):
    """What came out: mistakes, or the compiled services; and what it took."""

    mistakes: list[Mistake]
    services: dict[str, bytes]
    """Version → octets; empty when there is a mistake."""
    counts: dict[str, int]
    seconds: float
    memory_kib: int
    key: str = ""
    """Of what was checked, `key_of`; "" when there is a mistake."""


def job_of(settings: Settings) -> Job:
    """What an engine with these settings has to check."""
    engine = settings.engine
    networks: dict[str, tuple[str, str, str]] = {
        name: (each.country, each.currency, each.time_zone) for name, each in engine.networks.items()
    }
    return Job(str(settings.path(engine.menus)), networks, dialects_of(settings), sources=sources_digest())


def folder_of(settings: Settings, tell: Callable[[str], None]) -> CompiledFolder | None:
    """Where compiled menus are kept, and who is told what is wrong there; None where the configuration wants none."""
    name = settings.engine.menus_compiled
    return CompiledFolder(settings.path(name), tell) if name else None


def dialects_of(settings: Settings) -> dict[str, Limits]:
    """What a screen may hold, by the dialects that links name; a link that sets limits of its own is named itself."""
    found: dict[str, Limits] = {}
    for link in settings.links.values():
        limits = link.dialect.screen
        known = found.setdefault(link.dialect.dialect, limits)
        if known != limits:
            found[f"{link.dialect.dialect} of {link.name}"] = limits
    return found


def terms_of(job: Job) -> Terms:
    """What the job's menus are checked against."""
    networks = {name: talk.Place(each[0], each[1], ZoneInfo(each[2])) for name, each in job.networks.items()}
    return Terms(networks, job.dialects)


@cache
def sources_digest() -> str:
    """Of all that checks, as it is when this process first asks: our sources, Python, what reads YAML and octets."""
    digest = hashlib.sha256(f"{sys.version} {msgspec.__version__} {yaml.__version__}".encode())
    for path in sorted(path for pattern in SOURCES for path in _HOME.glob(pattern)):
        octets = path.read_bytes()
        digest.update(f"\n{path.relative_to(_HOME)} {len(octets)}\n".encode() + octets)
    return digest.hexdigest()


def key_of(folder: MenuFolder, job: Job) -> str:
    """A digest of everything that the verdict on these files depends on. What the folder is called is none of it."""
    zones = {name: hashlib.sha256(_zone(name)).digest() for _, _, name in job.networks.values()}
    parts = (sources_digest(), job.networks, zones, job.dialects, folder.menus, folder.talks)
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()


def _zone(name: str) -> bytes:
    """The rules of a time zone, from where Python takes them."""
    for place in zoneinfo.TZPATH:
        if (path := Path(place, name)).is_file():
            return path.read_bytes()
    return importlib.resources.files("tzdata").joinpath("zoneinfo", name).read_bytes()


def compile_here(job: Job) -> Compiled:
    """Checks and compiles in this process."""
    began = time.perf_counter()
    key, mistakes, catalog, counts = "", [], None, {}
    try:
        folder = read_folder(Path(job.folder))
        in_force = frozenset(job.in_force if job.sources == sources_digest() else ())
        verdict = examine(folder, terms_of(job), in_force)
        mistakes, catalog, counts = list(verdict.mistakes), verdict.catalog, dict(verdict.counts)
        key = key_of(folder, job) if catalog else ""
    except StrictYamlError as error:
        mistakes = list(error.mistakes)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Compiled(mistakes[:MISTAKES_MAX], _octets(catalog), counts, time.perf_counter() - began, memory, key)


def _octets(catalog: Catalog | None) -> dict[str, bytes]:
    return {each.version: compiled.to_octets(each) for each in catalog.services.values()} if catalog else {}


async def compile_once(job: Job, kept: CompiledFolder | None) -> Compiled:
    """What is kept of these files on these terms; else compiles in a child, and keeps that. Raises CompilerFailed."""
    found = await asyncio.to_thread(_found, job, kept)
    if found is None:
        found = await compile_apart(job)
        await asyncio.to_thread(_keep, found, kept)
    return found


def compile_once_here(job: Job, kept: CompiledFolder | None) -> Compiled:
    """The same without a child."""
    found = _found(job, kept)
    if found is None:
        found = compile_here(job)
        _keep(found, kept)
    return found


def _found(job: Job, kept: CompiledFolder | None) -> Compiled | None:
    began = time.perf_counter()
    try:
        octets = kept and kept.find(key_of(read_folder(Path(job.folder)), job))
        found = octets and msgspec.msgpack.decode(octets, type=Compiled)
    except (StrictYamlError, OSError, msgspec.MsgspecError):
        return None  # whoever checks will say what is wrong
    return msgspec.structs.replace(found, seconds=time.perf_counter() - began) if found else None


def _keep(result: Compiled, kept: CompiledFolder | None) -> None:
    if kept and result.key:
        kept.keep(result.key, msgspec.msgpack.encode(result))


async def compile_apart(job: Job) -> Compiled:
    """Checks and compiles in a child. Raises CompilerFailed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ussd_engine.compiler",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=_HOME,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS_MAX):
            out, err = await child.communicate(msgspec.msgpack.encode(job))
    except TimeoutError:
        raise CompilerFailed(f"the check of the menus took over {SECONDS_MAX:g} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise CompilerFailed(f"the check of the menus ended with {child.returncode}: {last[0]}")
    try:
        return msgspec.msgpack.decode(out, type=Compiled)
    except msgspec.MsgspecError as error:
        raise CompilerFailed(f"the check of the menus gave no result: {error}") from None


async def catalog_from(result: Compiled, known: Mapping[str, Service]) -> Catalog:
    """The catalog in a result; services that are known already are not read again, and turns go on meanwhile."""
    services = []
    for version, octets in result.services.items():
        services.append(known.get(version) or compiled.from_octets(octets))
        await asyncio.sleep(0)
    return catalog_of(services)


def main() -> None:
    """The child. It steps back behind an engine that serves meanwhile; at a start everybody waits for it."""
    gc.disable()  # what is made here leaves no cycles, and the process ends with its result
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_OCTETS_MAX, MEMORY_OCTETS_MAX))
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    if job.in_force:
        os.nice(NICENESS)
    try:
        result = compile_here(job)
    except (MemoryError, RecursionError) as error:
        place = Place(job.folder, 1, 1)
        mistake = Mistake(place, f"the menus are too much for the check: {type(error).__name__}", "Make them smaller.")
        result = Compiled([mistake], {}, {}, 0.0, 0)
    sys.stdout.buffer.write(msgspec.msgpack.encode(result))


if __name__ == "__main__":
    main()
