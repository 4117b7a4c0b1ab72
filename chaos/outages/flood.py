"""A centre that floods, as a process of its own: octets of SMPP, put together without our codec, as fast as is asked.

python -m chaos.outages.flood PORT SYSTEM_ID SECONDS PER_SECOND FIRST_NUMBER NUMBERS CODE

PER_SECOND 0: one dialogue after the other of 256 numbers, to see how many the engine can do. Any other: so many begins
a second, whether anything comes back or not. What was seen is printed as a line of JSON.

Rules of this file:
- It keeps the protocol: every screen is accepted, every enquire_link answered.
- What TCP does not take is not sent, and counted: an engine that reads slowly holds a flood up, and may.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, cast

import uvloop

_HEADER: Final = struct.Struct(">IIII")
_BIND_TRANSCEIVER, _SUBMIT_SM, _DELIVER_SM, _ENQUIRE_LINK = 0x09, 0x04, 0x05, 0x15
_RESPONSE: Final = 0x80000000
NICENESS: Final = 5
"""The engine goes before: it is the engine that is tried, and it shares the machine with us."""
BINDS: Final = 2
AT_A_TIME: Final = 256
TICK_SECONDS: Final = 0.01
UNSENT_OCTETS_MAX: Final = 262_144
DRAIN_SECONDS: Final = 1.5
BIND_SECONDS_MAX: Final = 10.0


class Flood:
    """What is sent, and what comes back."""

    def __init__(self, numbers: Iterator[int], code: str, closed: bool) -> None:
        self.statuses: Counter[int] = Counter()
        self.screens: Counter[bytes] = Counter()
        self.sent = 0
        self.held_up = 0
        self.closed = closed
        self._numbers = numbers
        op = b"\x05\x01\x00\x01\x01"
        text = code.encode()
        self._before = b"USSD\0\x01\x01"
        self._after = b"\0\0\x01" + text + b"\0" + bytes(3) + b"\0\0" + bytes(4) + bytes((len(text),)) + text + op

    def begin(self, sequence: int) -> bytes:
        """The next number dials."""
        self.sent += 1
        body = self._before + b"%d" % next(self._numbers) + self._after
        return _HEADER.pack(16 + len(body), _SUBMIT_SM, 0, sequence) + body


class Bind(asyncio.Protocol):
    """One bind of the flood."""

    def __init__(self, flood: Flood, system_id: str) -> None:
        self._flood = flood
        self._system_id = system_id
        self._sequence = 1
        self._left = b""
        self.transport: asyncio.Transport
        self.bound: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stopped = False
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        body = self._system_id.encode() + b"\0secret\0\0\x34\0\0\0"
        self.transport.write(_HEADER.pack(16 + len(body), _BIND_TRANSCEIVER, 0, 1) + body)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if not self.bound.done():
            self.bound.set_exception(ConnectionError("the bind was closed"))

    def begin(self, count: int) -> None:
        """So many numbers dial."""
        if self.is_lost or self.transport.get_write_buffer_size() > UNSENT_OCTETS_MAX:
            self._flood.held_up += count
            return
        out = []
        for _ in range(count):
            self._sequence = self._sequence % 0x7FFFFFFF + 1
            out.append(self._flood.begin(self._sequence))
        self.transport.write(b"".join(out))

    def data_received(self, data: bytes) -> None:
        data, out, position = self._left + data, list[bytes](), 0
        while len(data) - position >= 16:
            length, command, status, sequence = _HEADER.unpack_from(data, position)
            if len(data) - position < length:
                break
            if command == _DELIVER_SM:
                out.append(_HEADER.pack(17, _DELIVER_SM | _RESPONSE, 0, sequence) + b"\0")
                self._screen(data[position + 16 : position + length])
            elif command == _SUBMIT_SM | _RESPONSE:
                self._flood.statuses[status] += 1
                if status and self._flood.closed and not self.stopped:
                    self.begin(1)
            elif command == _ENQUIRE_LINK:
                out.append(_HEADER.pack(16, _ENQUIRE_LINK | _RESPONSE, 0, sequence))
            elif command == _BIND_TRANSCEIVER | _RESPONSE and not self.bound.done():
                self.bound.set_result(None)
            position += length
        self._left = data[position:]
        if out and not self.is_lost:
            self.transport.write(b"".join(out))

    def _screen(self, body: bytes) -> None:
        self._flood.screens[_text_of(body)] += 1
        if self._flood.closed and not self.stopped:
            self.begin(1)


def _text_of(body: bytes) -> bytes:
    """The first octets of a screen's text, enough to tell one kind of screen from another."""
    at = body.index(b"\0", body.index(b"\0", 7) + 3) + 1  # past service_type, our address and the number
    at += 3 + 1 + 1 + 3  # esm_class … priority_flag, two empty times, registered_delivery … data_coding
    return body[at + 2 : at + 2 + min(body[at + 1], 16)]


async def flood(
    port: int, system_id: str, seconds: float, per_second: float, first: int, numbers: int, code: str
) -> dict[str, Any]:
    """Floods, and says what came of it."""
    each = itertools.cycle(range(first, first + numbers))
    played = Flood(each, code, closed=not per_second)
    loop = asyncio.get_running_loop()
    binds = []
    for _ in range(BINDS):
        _, bind = await loop.create_connection(lambda: Bind(played, system_id), "127.0.0.1", port)
        await asyncio.wait_for(bind.bound, BIND_SECONDS_MAX)
        binds.append(bind)
    began = time.monotonic()
    if not per_second:
        for bind in binds:
            bind.begin(AT_A_TIME // BINDS)
        await asyncio.sleep(seconds)
    else:
        await _offer(binds, began, seconds, per_second)
    lasted, screens = time.monotonic() - began, sum(played.screens.values())
    for bind in binds:
        bind.stopped = True
    await asyncio.sleep(DRAIN_SECONDS)
    lost = sum(bind.is_lost for bind in binds)
    for bind in binds:
        bind.transport.abort()
    return {
        "seconds": lasted, "sent": played.sent, "held_up": played.held_up, "binds_lost": lost,
        "statuses": {str(status): count for status, count in played.statuses.items()},
        "screens": {text.hex(): count for text, count in played.screens.items()},
        "screens_per_second": screens / lasted,
    }  # fmt: skip


async def _offer(binds: list[Bind], began: float, seconds: float, per_second: float) -> None:
    offered, each = 0, itertools.cycle(binds)
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * per_second) - offered
        next(each).begin(due)
        offered += due
        await asyncio.sleep(TICK_SECONDS)


def main() -> None:
    """See the head of this file."""
    os.nice(NICENESS)
    port, system_id, seconds, per_second, first, numbers, code = sys.argv[1:]
    work = flood(int(port), system_id, float(seconds), float(per_second), int(first), int(numbers), code)
    print(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    main()
