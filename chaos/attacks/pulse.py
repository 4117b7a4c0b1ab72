"""Subscribers who are served all the while: dialogues over the centres, so many a second, and how long screens took.

What a campaign does to the system shows here first.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from types import TracebackType

from smpp.fake_smsc import FakeSmsc, NotServed

CODE = "*111#"
SCREEN_SECONDS_MAX = 10.0


class Pulse:
    """An async context, in which the dialogues go on."""

    def __init__(self, centre: FakeSmsc, numbers: Sequence[str], a_second: float) -> None:
        self.seconds: list[tuple[float, float]] = []
        """Of each screen: when it was asked for, and how long it took."""
        self.lost: list[str] = []
        self._centre = centre
        self._numbers = numbers
        self._a_second = a_second
        self._dialogues: set[asyncio.Task[None]] = set()
        self._speaking: set[str] = set()
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Pulse:
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await asyncio.gather(*self._dialogues)

    def p99(self, since: float = 0.0) -> float:
        """In milliseconds, of what was asked for since this moment of `time.monotonic`."""
        took = sorted(seconds for began, seconds in self.seconds if began >= since)
        return 1000 * took[int(0.99 * (len(took) - 1))] if took else 0.0

    async def _beat(self) -> None:
        for number in itertools.cycle(self._numbers):
            if number not in self._speaking:  # who dials again ends the dialogue before
                self._speaking.add(number)
                dialogue = asyncio.create_task(self._dialogue(number))
                self._dialogues.add(dialogue)
                dialogue.add_done_callback(self._dialogues.discard)
            await asyncio.sleep(1 / self._a_second)

    async def _dialogue(self, number: str) -> None:
        began = time.monotonic()
        try:
            await self._centre.handset(number).dial(CODE, SCREEN_SECONDS_MAX)
        except NotServed as error:
            self.lost.append(str(error))
        else:
            self.seconds.append((began, time.monotonic() - began))
        finally:
            self._speaking.discard(number)
