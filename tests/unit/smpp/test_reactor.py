"""A loop that stops watching a socket and tells nobody: the connection is lost all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol

from smpp import reactor as guest
from smpp.reactor import reactor_on


class Forgetful:
    """A loop that has let go of every socket: what uvloop does with one that was reset."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_reader(self, *_arguments: Any) -> None:
        raise RuntimeError("unable to perform operation on <UVPoll closed=True>; the handler is closed")

    add_writer = add_reader


@pytest.mark.parametrize("writes", [True, False], ids=["at a write", "without one"])
async def test_a_socket_that_the_loop_has_let_go_of_is_a_lost_connection(
    writes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest, "LOOK_SECONDS", 0.05)
    reactor = reactor_on(asyncio.get_running_loop())
    made: list[Protocol] = []
    lost = asyncio.Event()

    class Ours(Protocol):
        def connectionMade(self) -> None:
            made.append(self)

        def connectionLost(self, reason: Any = None) -> None:
            lost.set()

    port = reactor.listenTCP(0, Factory.forProtocol(Ours), interface="127.0.0.1")
    _reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    while not made:
        await asyncio.sleep(0.01)
    port.stopListening()
    await asyncio.sleep(0.02)
    forgetful = Forgetful(asyncio.get_running_loop())
    monkeypatch.setattr(reactor, "_asyncioEventloop", forgetful)
    if writes:
        made[0].transport.write(b"anybody there?")
    else:
        monkeypatch.setattr(reactor, "_loop", forgetful)
    await asyncio.wait_for(lost.wait(), 2)
    writer.close()


async def test_a_socket_that_is_watched_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "LOOK_SECONDS", 0.02)
    reactor = reactor_on(asyncio.get_running_loop())
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ours(Protocol):
        def dataReceived(self, data: bytes) -> None:
            heard.put_nowait(data)

    port = reactor.listenTCP(0, Factory.forProtocol(Ours), interface="127.0.0.1")
    _reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
    await asyncio.sleep(0.1)  # it was looked at several times
    writer.write(b"here")
    assert await asyncio.wait_for(heard.get(), 2) == b"here"
    writer.close()
    port.stopListening()
    await asyncio.sleep(0.02)
