"""Twisted as a guest on a running asyncio loop.

Rules of this file: the reactor is made here and handed on as an argument. It is never installed as the global one
(nothing of ours imports `twisted.internet.reactor`), it sets no signal handlers, and it never runs: the loop does.
"""

from __future__ import annotations

import asyncio

from twisted.internet.asyncioreactor import AsyncioSelectorReactor


def reactor_on(loop: asyncio.AbstractEventLoop) -> AsyncioSelectorReactor:
    """A reactor whose sockets and timers are those of `loop` (asyncio's or uvloop's); one a loop is enough.

    It needs no `run`: `startRunning` marks it started, and the loop serves its descriptors from then on.
    """
    reactor = AsyncioSelectorReactor(loop)
    reactor.startRunning(installSignalHandlers=False)
    return reactor
