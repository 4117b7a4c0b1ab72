"""Our side of `bench.pairs`, a process of its own on the first processor: codec, connection and Twisted, no engine.

`python -m bench.one_core listen` answers every submit_sm with a message_id; `… dial PORT WINDOW` keeps so many
submit_sm unanswered. It says `ready PORT` when it is, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count, cycle
from typing import Final

import uvloop

from bench.codec import sample_pdus
from smpp.constants import ESME_ROK
from smpp.dial import dial
from smpp.limits import Limits
from smpp.link import Link
from smpp.listen import listen
from smpp.pdu import BindPdu, BindTransceiver, Outbind, Pdu, SubmitSm, SubmitSmResp
from smpp.reactor import reactor_on

PROCESSOR: Final = 0
LIMITS: Final = Limits(window_out=1000)


class Answering:
    """Lets everybody in, and takes every message."""

    def __init__(self) -> None:
        self._numbers = count()

    def connected(self, peer_ip: str) -> bool:
        return True

    async def bind(self, link: Link, request: BindPdu) -> int:
        return ESME_ROK

    def outbind(self, link: Link, request: Outbind) -> BindPdu | None:
        return None

    def refused(self, link: Link, status: int) -> None: ...

    def request(self, link: Link, pdu: Pdu) -> None:
        link.respond(pdu, SubmitSmResp(f"{next(self._numbers):08x}"))

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None: ...

    def quirk(self, link: Link, kind: str) -> None: ...

    def bound(self, link: Link) -> None: ...

    def gone(self, link: Link, reason: str) -> None: ...


class Sending(Answering):
    """Sends a message for every answer that comes."""

    def __init__(self) -> None:
        super().__init__()
        self._messages = cycle([pdu for pdu in sample_pdus() if isinstance(pdu, SubmitSm)])

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        if response is not None:
            self.send(link)

    def send(self, link: Link) -> None:
        """The next message."""
        link.send(next(self._messages))


async def _input_ended() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


async def serve() -> None:
    """Our side listens."""
    listener = await listen(reactor_on(asyncio.get_running_loop()), "127.0.0.1", 0, Answering(), LIMITS)
    print("ready", listener.port, flush=True)
    await _input_ended()


async def call(port: int, window: int) -> None:
    """Our side dials."""
    owner = Sending()
    reactor = reactor_on(asyncio.get_running_loop())
    link = await dial(reactor, "127.0.0.1", port, BindTransceiver("bench"), owner, LIMITS)
    print("ready", port, flush=True)
    for _ in range(window):
        owner.send(link)
    await _input_ended()


if __name__ == "__main__":
    os.sched_setaffinity(0, {PROCESSOR})
    if sys.argv[1] == "listen":
        uvloop.run(serve())
    else:
        uvloop.run(call(int(sys.argv[2]), int(sys.argv[3])))
    os._exit(0)  # its sockets are left open, and nobody waits for them
