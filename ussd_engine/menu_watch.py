"""Live change: the folder of menus is looked at, checked in a child when it has changed, and swapped when it is green.

Rules of this file (a shell):
- A change is waited out: only when two looks in a row find the same files are they read. What an editor has half
  written is no edit.
- Red changes nothing: the old catalog serves on, and `state` tells of it to `/health`, the metrics and whoever asked.
- One check at a time; who asks for another meanwhile (SIGHUP, `ussd-engine reload`) gets the outcome of the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog
from msgspec.structs import replace

from strict_yaml import Mistake, Place, StrictYamlError

from . import compiler, switches
from .compiler import Compiled, CompilerFailed
from .config import Settings
from .menu_folder import Fingerprint, fingerprint
from .versions import Versions

MISTAKES_SHOWN = 20


class State(NamedTuple):
    """What is in force, and what was refused after it: shown in `/health`."""

    version: str
    since: float
    """Seconds since 1970."""
    refused_at: float | None = None
    refused: tuple[str, ...] = ()
    """The first mistakes of the newest files, when these are not in force."""


class MenuWatch:
    """Looks at the menus and the switches of one engine."""

    def __init__(
        self,
        settings: Settings,
        versions: Versions,
        switch_off: Callable[[frozenset[str]], None],
        wall_clock: Callable[[], float],
    ) -> None:
        """`switch_off` is told what is switched off; `wall_clock`: seconds since 1970."""
        self._job = compiler.job_of(settings)
        self._folder = settings.path(settings.engine.menus)
        self._switches = settings.path(settings.engine.maintenance_file)
        self._look_seconds = settings.engine.menus_watch_seconds
        self._versions = versions
        self._switch_off = switch_off
        self._wall_clock = wall_clock
        self._read: Fingerprint | None = None
        self._switches_read: tuple[int, int] | None = (-1, -1)
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger()
        self._kept = compiler.folder_of(settings, self._log.warning)
        self.state = State(versions.current.version, wall_clock())
        self.swaps = 0
        self.refusals = 0

    def begin_with(self, read: Fingerprint) -> None:
        """These are the files that are in force already."""
        self._read = read

    async def watch(self) -> None:
        """Looks for as long as the engine runs; never, where the configuration says 0 seconds."""
        before = self._read
        while True:
            await asyncio.sleep(self._look_seconds or 1.0)
            self.look_at_switches()
            now = fingerprint(self._folder)
            if self._look_seconds and now != self._read and now == before:
                await self.reload()
            before = now

    async def reload(self) -> list[Mistake]:
        """Checks the files as they are now and puts them in force if they are green; else what is wrong with them."""
        async with self._turn:
            self._read = fingerprint(self._folder)
            try:
                in_force = [service.version for service in self._versions.current.services.values()]
                result = await compiler.compile_once(replace(self._job, in_force=in_force), self._kept)
            except CompilerFailed as error:
                return self._refuse([Mistake(Place(self._job.folder, 1, 1), str(error), "Look at the engine's log.")])
            if result.mistakes:
                return self._refuse(result.mistakes)
            await self._put_in_force(result)
            return []

    async def _put_in_force(self, result: Compiled) -> None:
        current = self._versions.current
        known = {service.version: service for service in current.services.values()}
        catalog = await compiler.catalog_from(result, known)
        if catalog.version != current.version:
            await self._versions.swap(catalog)
            self.swaps += 1
            self._log.info(
                "menus in force",
                version=catalog.version,
                services=len(catalog.services),
                seconds=round(result.seconds, 2),
            )
        self.state = State(
            catalog.version, self.state.since if catalog.version == current.version else self._wall_clock()
        )

    def _refuse(self, mistakes: list[Mistake]) -> list[Mistake]:
        shown = tuple(str(each) for each in mistakes[:MISTAKES_SHOWN])
        self.refusals += 1
        since = self.state.refused_at if self.state.refused else None
        self.state = self.state._replace(refused_at=since or self._wall_clock(), refused=shown)
        self._log.error("menus refused", mistakes=len(mistakes), first=shown)
        return mistakes

    def look_at_switches(self) -> None:
        """Reads what is switched off, if that has changed; a file that cannot be read changes nothing."""
        try:
            found = self._switches.stat()
            state: tuple[int, int] | None = (found.st_ino, found.st_mtime_ns)
        except OSError:
            state = None
        if state == self._switches_read:
            return
        self._switches_read = state
        try:
            names = switches.read_switches(self._switches)
        except (StrictYamlError, OSError) as error:
            self._log.error("maintenance file refused", reason=str(error))
            return
        for what in switches.unknown(names, self._versions.current.services):
            self._log.warning("maintenance", reason=what)
        self._switch_off(names)
        self._log.info("switched off", names=sorted(names))
