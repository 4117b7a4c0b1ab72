"""A relay between engines and core that is slow for some numbers: whatever is asked for them waits on its way.

The octets of a call are looked at for the number that it is about (`billing.wire`); nothing is changed in them.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

_OCTETS = 65_536


class SlowCore:
    """Use it as `async with SlowCore() as core`; `to` is set before anybody connects."""

    def __init__(self) -> None:
        self.to = ("127.0.0.1", 0)
        self.waits: dict[str, float] = {}
        """Seconds that each call for this number waits."""
        self.delayed = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where engines reach it."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> SlowCore:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, forth = await asyncio.open_connection(*self.to)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._carry(reader, forth, slowly=True))
                    both.create_task(self._carry(back, writer, slowly=False))
            finally:
                forth.close()
        except (OSError, asyncio.CancelledError):
            pass  # the core is away, or the campaign is over
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slowly: bool) -> None:
        with contextlib.suppress(OSError):
            while octets := await reader.read(_OCTETS):
                wait = max((seconds for number, seconds in self.waits.items() if number.encode() in octets), default=0)
                if slowly and wait:
                    self.delayed += 1
                    await asyncio.sleep(wait)
                writer.write(octets)
                await writer.drain()
            writer.write_eof()
