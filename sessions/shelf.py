"""Octets kept under a name while anybody asks for them: the port (pure, only the promise)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Shelf(Protocol):
    """A place for what all engine processes share and may lose. All methods raise StoreAway."""

    async def put(self, octets: Mapping[str, bytes], seconds: float) -> None:
        """Keeps each under its name for so long from now; what is there already is kept longer."""

    async def get(self, name: str) -> bytes | None:
        """The octets of this name, or None when there are none any more."""
