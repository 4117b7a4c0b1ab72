"""A relay between engines and core that is slow for some numbers: whatever is asked for them waits on its way.

The octets of a call are looked at for the number that it is about (`billing.wire`); nothing is changed in them.
"""

from __future__ import annotations

from types import TracebackType

from chaos.relay import Relay


class SlowCore:
    """Use it as `async with SlowCore() as core`; `relay.target` is set before anybody connects."""

    def __init__(self) -> None:
        self.waits: dict[str, float] = {}
        """Seconds that each call for this number waits."""
        self.delayed = 0
        self.relay = Relay(0)
        self.relay.waits = self._wait

    async def __aenter__(self) -> SlowCore:
        await self.relay.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.relay.close()

    def _wait(self, octets: bytes) -> float:
        seconds = max((seconds for number, seconds in self.waits.items() if number.encode() in octets), default=0.0)
        self.delayed += seconds > 0
        return seconds
