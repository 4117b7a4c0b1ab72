"""The menus in force, and the older versions that dialogues still go on with.

Rules of this file (async over ports only):
- A dialogue goes on with the version of its service that it began with, in whichever engine process its next input
  arrives: every version in use lies on the shelf, compiled, under its hash.
- A version lives as long as a dialogue can: it is put on the shelf anew while it is in force or in use, and leaves this
  process and the shelf when no dialogue has asked for it for `lifetime_seconds`.
- The catalog is swapped as a whole, between two turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessions.shelf import Shelf
from sessions.store import StoreAway

from .language import compiled
from .language.catalog import Catalog
from .language.menu import Service

MARGIN_SECONDS = 60.0
KEEP_SHARE = 0.25
"""After this share of a lifetime, what is used is put on the shelf again."""


class Versions:
    """The catalog in force and the versions before it. `current` is read once a turn."""

    def __init__(self, catalog: Catalog, shelf: Shelf, now: Callable[[], float], idle_seconds: float) -> None:
        """`now`: monotonic seconds; `idle_seconds`: how long a dialogue can be silent."""
        self.current = catalog
        self._shelf = shelf
        self._now = now
        self._idle_seconds = idle_seconds
        self._octets: dict[str, bytes] = {}
        self._older: dict[str, Service] = {}
        self._used: dict[str, float] = {}
        """Version → when a dialogue last asked for it."""

    @property
    def count(self) -> int:
        """How many versions there are in this process."""
        return len(self.current.services) + len(self._older)

    @property
    def lifetime_seconds(self) -> float:
        """How long after its last turn a dialogue can still need its version, with room to spare."""
        longest = max((each.resume_seconds for each in self.current.services.values()), default=0)
        return 2 * max(self._idle_seconds, longest) + MARGIN_SECONDS

    def in_force(self, service: str, version: str) -> Service | None:
        """The service if this is its version now: what nearly every turn asks."""
        found = self.current.services.get(service)
        return found if found is not None and found.version == version else None

    async def of(self, service: str, version: str) -> Service | None:
        """The service in this version, from wherever it is; None when it is gone. Raises StoreAway."""
        found = self.in_force(service, version)
        if found is not None:
            return found
        self._used[version] = self._now()
        if version not in self._older:
            octets = await self._shelf.get(version)
            if octets is None:
                return None
            try:
                self._older[version] = compiled.from_octets(octets)
            except compiled.UnreadableService:
                return None  # another release of the engine has put it there
            self._octets[version] = octets
        return self._older[version]

    async def swap(self, catalog: Catalog) -> None:
        """Puts a new catalog in force. Dialogues of the one before go on with it."""
        before, self.current = self.current, catalog
        now = self._now()
        for service in before.services.values():
            if self.in_force(service.id, service.version) is None:
                self._older[service.version] = service
                self._used[service.version] = now
        for service in catalog.services.values():
            self._older.pop(service.version, None)
        await self.keep()

    async def keep(self) -> None:
        """Puts everything in use on the shelf for another lifetime, and lets go of what is not. Without a shelf nothing
        is lost but dialogues that move to another process."""
        lifetime, now = self.lifetime_seconds, self._now()
        for version in [each for each in self._older if self._used.get(each, 0.0) + lifetime < now]:
            del self._older[version]
        live = {**{each.version: each for each in self.current.services.values()}, **self._older}
        self._used = {version: used for version, used in self._used.items() if version in self._older}
        self._octets = {
            version: self._octets.get(version) or compiled.to_octets(each) for version, each in live.items()
        }
        try:
            await self._shelf.put(self._octets, lifetime)
        except StoreAway:
            return  # the next time will do

    async def keep_on(self) -> None:
        """Keeps what is used for as long as the engine runs."""
        while True:
            await self.keep()
            await asyncio.sleep(self.lifetime_seconds * KEEP_SHARE)
