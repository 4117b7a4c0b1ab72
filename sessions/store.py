"""The port through which dialogues are kept: what any store must promise (pure, only the promise)."""

from __future__ import annotations

from typing import Protocol

from .session import Session, Stamp


class StoreAway(Exception):
    """The store did not answer in time, or refused: the subscriber is asked to try again."""


class Store(Protocol):
    """One dialogue a number; every entry expires by itself. All methods raise StoreAway."""

    async def load(self, msisdn: str) -> Session | None:
        """The number's dialogue, or None. Raises UnreadableSession."""

    async def begin(self, session: Session, seconds: float, like: str = "") -> Session | None:
        """Keeps a new dialogue and ends whatever the number had.

        Returns None; or the stored dialogue, untouched, when its last input was this very one (its `input_mark`), or
        one whose mark ends like this and that another process than the session's `owner` has taken.
        """

    async def save(self, session: Session, expected: Stamp, seconds: float) -> bool:
        """Keeps the session if the stored one is in the expected state; False when another turn came between."""

    async def forget(self, msisdn: str, session_id: str) -> None:
        """Ends the number's dialogue if it is still this one."""

    async def remove(self, msisdn: str, expected: Stamp) -> bool:
        """Ends the number's dialogue if it is in the expected state; False when it is not."""

    async def is_first(self, name: str, seconds: float) -> bool:
        """Whether nobody, in any process, has asked this of the name within so many seconds."""
