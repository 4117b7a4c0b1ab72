"""The load: USSD centres as octets, leaner than the engine, so that it is the engine that is measured.

A driver plays many handsets over a few binds. Each handset walks its steps: every screen that comes is accepted with
deliver_sm_resp and answered with the next step; after the last, the next number begins. The time of a turn runs from
the write of our submit_sm to the arrival of the screen.

PDUs are put together from octets here, not by the codec: this file is also a second opinion on its layout.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, cast

_HEADER = struct.Struct(">IIII")
_BIND_TRANSCEIVER, _SUBMIT_SM, _DELIVER_SM, _DELIVER_SM_RESP = 0x09, 0x04, 0x05, 0x80000005
_SUBMIT_SM_RESP, _BIND_RESP, _ENQUIRE_LINK = 0x80000004, 0x80000009, 0x15
_BEGIN, _REPLY = 1, 18
BIND_SECONDS_MAX = 10.0


class Step(NamedTuple):
    """What a handset sends, and the beginnings of the screens that may come back (as the octets on the wire)."""

    text: str
    expects: tuple[bytes, ...]


class Scenario(NamedTuple):
    """A dialogue: the code dialled and what is typed. `numbers` makes the handsets, for ever."""

    name: str
    steps: tuple[Step, ...]
    numbers: Callable[[], Iterator[int]]


@dataclass
class Tally:
    """What was seen while `counting`."""

    counting: bool = False
    turns: int = 0
    dialogues: int = 0
    wrong_screens: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)


def _body(step: Step, op: int, code: str) -> tuple[bytes, bytes]:
    """The octets of a submit_sm before and after the 11 digits of its number."""
    before = b"USSD\0\x01\x01"
    text = step.text.encode()
    after = b"\0\0\x01" + code.encode() + b"\0" + bytes(3) + b"\0\0" + bytes(4)
    return before, after + bytes((len(text),)) + text + b"\x05\x01\x00\x01" + bytes((op,))


class Bind(asyncio.Protocol):
    """One bind of the driver, and the handsets that talk over it."""

    def __init__(self, scenario: Scenario, numbers: Iterator[int], handsets: int, tally: Tally) -> None:
        self._scenario = scenario
        self._numbers = numbers
        self._handsets = handsets
        self._tally = tally
        self._bodies = [
            _body(step, _BEGIN if at == 0 else _REPLY, scenario.steps[0].text) for at, step in enumerate(scenario.steps)
        ]
        self._talks: dict[bytes, tuple[int, float]] = {}
        self._sequence = 1
        self._left = b""
        self._transport: asyncio.Transport | None = None
        self.bound: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour, not by birth
        body = b"ussdc\0secret\0\0\x34\0\0\0"
        self._transport.write(_HEADER.pack(16 + len(body), _BIND_TRANSCEIVER, 0, 1) + body)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.bound.done():
            self.bound.set_exception(ConnectionError("the bind was closed"))

    def data_received(self, data: bytes) -> None:
        data = self._left + data
        out: list[bytes] = []
        position, size = 0, len(data)
        while size - position >= 16:
            length, command, status, sequence = _HEADER.unpack_from(data, position)
            if size - position < length:
                break
            if command == _DELIVER_SM:
                out.append(_HEADER.pack(17, _DELIVER_SM_RESP, 0, sequence) + b"\0")
                self._screen(data[position + 16 : position + length], out)
            elif command == _SUBMIT_SM_RESP:
                self._tally.refused += status != 0
            elif command == _BIND_RESP and not self.bound.done():
                self.bound.set_result(None)
            elif command == _ENQUIRE_LINK:
                out.append(_HEADER.pack(16, 0x80000015, 0, sequence))
            position += length
        self._left = data[position:]
        if out and self._transport:
            self._transport.write(b"".join(out))

    def begin_all(self) -> None:
        """All handsets dial."""
        out: list[bytes] = []
        for _ in range(self._handsets):
            self._send(b"%d" % next(self._numbers), 0, out)
        assert self._transport is not None
        self._transport.write(b"".join(out))

    def close(self) -> None:
        """Ends the bind without an unbind: the handsets stop in the middle."""
        if self._transport:
            self._transport.abort()

    def _send(self, number: bytes, step: int, out: list[bytes]) -> None:
        before, after = self._bodies[step]
        self._sequence += 1
        out.append(_HEADER.pack(16 + len(before) + 11 + len(after), _SUBMIT_SM, 0, self._sequence))
        out += (before, number, after)
        self._talks[number] = (step, time.perf_counter())

    def _screen(self, body: bytes, out: list[bytes]) -> None:
        # service_type "USSD", ton, npi, source, ton, npi, then the number
        start = body.index(b"\0", 7) + 3
        number = body[start : start + 11]
        step, sent = self._talks.pop(number)
        tally, steps = self._tally, self._scenario.steps
        if tally.counting:
            tally.turns += 1
            tally.seconds.append(time.perf_counter() - sent)
            if not any(each in body for each in steps[step].expects):
                tally.wrong_screens += 1
        if step + 1 < len(steps):
            self._send(number, step + 1, out)
            return
        tally.dialogues += tally.counting
        if not self.stopping:
            self._send(b"%d" % next(self._numbers), 0, out)


class Result(NamedTuple):
    """One row of the table. Times in milliseconds; `cpu_microseconds` is the engine's, a turn."""

    scenario: str
    in_flight: int
    turns_per_second: float
    dialogues_per_second: float
    p50: float
    p99: float
    most: float
    cpu_microseconds: float
    engine_cores: float
    wrong_screens: int
    refused: int


async def run(
    scenario: Scenario,
    host: str,
    port: int,
    in_flight: int,
    warm_seconds: float,
    seconds: float,
    engine_cpu: Callable[[], float],
) -> Result:
    """Drives one scenario and measures it. `engine_cpu`: seconds of processor that the engine has used so far."""
    loop = asyncio.get_running_loop()
    tally, numbers = Tally(), scenario.numbers()
    binds = []
    for share in _shares(in_flight):
        _, bind = await loop.create_connection(partial(Bind, scenario, numbers, share, tally), host, port)
        binds.append(bind)
        await asyncio.wait_for(bind.bound, BIND_SECONDS_MAX)
    for bind in binds:
        bind.begin_all()
    await asyncio.sleep(warm_seconds)
    cpu, started = engine_cpu(), time.perf_counter()
    tally.counting = True
    await asyncio.sleep(seconds)
    tally.counting = False
    lasted, cpu = time.perf_counter() - started, engine_cpu() - cpu
    for bind in binds:
        bind.stopping = True
    await asyncio.sleep(0.3)
    for bind in binds:
        bind.close()
    times = sorted(tally.seconds) or [0.0]
    return Result(
        scenario.name, in_flight, tally.turns / lasted, tally.dialogues / lasted,
        times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000, times[-1] * 1000,
        cpu / max(1, tally.turns) * 1e6, cpu / lasted, tally.wrong_screens, tally.refused,
    )  # fmt: skip


def _shares(in_flight: int) -> list[int]:
    """Handsets per bind: one bind for a few, four for many."""
    binds = 4 if in_flight >= 64 else 1
    return [in_flight // binds] * binds
