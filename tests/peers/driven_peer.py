"""Peers that a test drives: node-smpp and Net::SMPP, each in a process of its own, spoken to alike."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = REPOSITORY / ".peers" / "node_modules"
PEERS = REPOSITORY / "peers"
NODE, PERL = "node-smpp", "Net::SMPP"
_COMMANDS = {
    NODE: ("node", str(PEERS / "centre.js")),
    PERL: (str(PEERS / "from_debian.sh"), "perl", str(PEERS / "net_smpp.pl")),
}
_PRESENCE = {
    NODE: ("node", "--print", "require('smpp')"),
    PERL: (str(PEERS / "from_debian.sh"), "perl", "-MNet::SMPP", "-e", "1"),
}


class DrivenPeer:
    """A peer in a process of its own, told what to do by lines of JSON (`peers/centre.js`, `peers/net_smpp.pl`)."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._events: list[dict[str, Any]] = []
        self._came = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._events.append(json.loads(line))
            self._came.set()

    def do(self, what: str, **order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what} | order).encode() + b"\n")

    def forget(self) -> None:
        """What it has told so far is of no interest any more."""
        self._events.clear()

    async def event(self, name: str, command: str = "", seconds: float = 5.0) -> dict[str, Any]:
        """The next event of this name, about this command if one is said; others stay where they are."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for number, event in enumerate(self._events):
                        if event["event"] == name and event.get("pdu", {}).get("command", "").startswith(command):
                            return self._events.pop(number)
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"no {name} {command} in {seconds:g} s; there is {self._events}") from None

    async def request(self, command: str) -> dict[str, Any]:
        """The fields of the next request of this command that it received."""
        pdu: dict[str, Any] = (await self.event("request", command))["pdu"]
        return pdu

    async def listening(self) -> int:
        """Makes it a centre with the account engine / secret; its port."""
        self.do("listen", host="127.0.0.1", port=0, system_id="engine", password="secret")
        port: int = (await self.event("listening"))["port"]
        return port

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 5)
        await self._reading


def text_of(pdu: dict[str, Any]) -> str:
    """The text of a message: node-smpp has read it already, Net::SMPP leaves that to us."""
    message = pdu["short_message"]
    if isinstance(message, dict):
        return str(message["message"])
    octets = bytes.fromhex(message)[6 if pdu["esm_class"] & 0x40 else 0 :]
    return octets.decode("utf-16-be" if pdu["data_coding"] == 8 else "ascii")


async def is_here(name: str) -> bool:
    """Whether this peer can be started."""
    try:
        return await (await _started(_PRESENCE[name])).wait() == 0
    except OSError:
        return False


@asynccontextmanager
async def driven(name: str) -> AsyncIterator[DrivenPeer]:
    """Starts the peer, and ends it."""
    peer = DrivenPeer(name, await _started(_COMMANDS[name]))
    try:
        yield peer
    finally:
        await peer.end()


async def _started(command: tuple[str, ...]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"NODE_PATH": str(MODULES)},
    )
