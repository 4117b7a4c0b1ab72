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
SYSTEM_ID = "ussdc"
"""Of the link in our `config.yaml`."""


class Step(NamedTuple):
    """What a handset sends, and the beginnings of the screens that may come back (as the octets on the wire)."""

    text: str
    expects: tuple[bytes, ...]


class Scenario(NamedTuple):
    """A dialogue: the code dialled and what is typed. `numbers` makes the handsets, for ever."""

    name: str
    steps: tuple[Step, ...]
    numbers: Callable[[], Iterator[int]]


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


@dataclass
class Tally:
    """What was seen while `counting`."""

    counting: bool = False
    turns: int = 0
    dialogues: int = 0
    wrong_screens: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Counts from now on, and from nothing."""
        self.counting = True
        self.turns = self.dialogues = self.wrong_screens = 0
        self.seconds = []

    def add(self, step: Step, sent: float, body: bytes) -> None:
        """Counts the screen that came to what was sent then."""
        if self.counting:
            self.turns += 1
            self.seconds.append(time.perf_counter() - sent)
            if not any(each in body for each in step.expects):
                self.wrong_screens += 1

    def result(self, name: str, in_flight: int, lasted: float, cpu: float) -> Result:
        """The row of the table, of so many seconds and so many of the engine's processor."""
        times = sorted(self.seconds) or [0.0]
        return Result(
            name, in_flight, self.turns / lasted, self.dialogues / lasted,
            times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000, times[-1] * 1000,
            cpu / max(1, self.turns) * 1e6, cpu / lasted, self.wrong_screens, self.refused,
        )  # fmt: skip


def octets_of(scenario: Scenario) -> list[tuple[bytes, bytes]]:
    """What a handset sends at each step, as octets before and after its number."""
    code = scenario.steps[0].text
    return [_body(step, _BEGIN if at == 0 else _REPLY, code) for at, step in enumerate(scenario.steps)]


def _body(step: Step, op: int, code: str) -> tuple[bytes, bytes]:
    """The octets of a submit_sm before and after its number."""
    before = b"USSD\0\x01\x01"
    text = step.text.encode()
    after = b"\0\0\x01" + code.encode() + b"\0" + bytes(3) + b"\0\0" + bytes(4)
    return before, after + bytes((len(text),)) + text + b"\x05\x01\x00\x01" + bytes((op,))


class Wire(asyncio.Protocol):
    """One bind of the driver as octets; who is asked for what, and what a screen leads to, is of those made from it."""

    def __init__(self, tally: Tally, system_id: str = SYSTEM_ID) -> None:
        self._tally = tally
        self._system_id = system_id
        self._sequence = 1
        self._left = b""
        self._transport: asyncio.Transport | None = None
        self.bound: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour, not by birth
        body = self._system_id.encode() + b"\0secret\0\0\x34\0\0\0"
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
        self.write(out)

    def write(self, out: list[bytes]) -> None:
        """Sends what has been put together."""
        if out and self._transport and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    def submit(self, number: bytes, body: tuple[bytes, bytes], out: list[bytes]) -> None:
        """Puts a submit_sm together: its octets before and after the number, as `octets_of` makes them."""
        before, after = body
        self._sequence += 1
        out.append(_HEADER.pack(16 + len(before) + len(number) + len(after), _SUBMIT_SM, 0, self._sequence))
        out += (before, number, after)

    def close(self) -> None:
        """Ends the bind without an unbind: the handsets stop in the middle."""
        if self._transport:
            self._transport.abort()

    def _screen(self, body: bytes, out: list[bytes]) -> None:
        raise NotImplementedError


def number_in(body: bytes) -> bytes:
    """Whose screen a deliver_sm is, by its octets without the header."""
    # service_type "USSD", ton, npi, source, ton, npi, then the number
    start = body.index(b"\0", 7) + 3
    return body[start : body.index(b"\0", start)]


class Bind(Wire):
    """One bind of the driver, and the handsets that talk over it."""

    def __init__(self, scenario: Scenario, numbers: Iterator[int], handsets: int, tally: Tally) -> None:
        super().__init__(tally)
        self._scenario = scenario
        self._numbers = numbers
        self._handsets = handsets
        self._bodies = octets_of(scenario)
        self._talks: dict[bytes, tuple[int, float]] = {}

    def begin_all(self) -> None:
        """All handsets dial."""
        out: list[bytes] = []
        for _ in range(self._handsets):
            self._send(b"%d" % next(self._numbers), 0, out)
        self.write(out)

    def _send(self, number: bytes, step: int, out: list[bytes]) -> None:
        self.submit(number, self._bodies[step], out)
        self._talks[number] = (step, time.perf_counter())

    def _screen(self, body: bytes, out: list[bytes]) -> None:
        number = number_in(body)
        step, sent = self._talks.pop(number)
        tally, steps = self._tally, self._scenario.steps
        tally.add(steps[step], sent, body)
        if step + 1 < len(steps):
            self._send(number, step + 1, out)
            return
        tally.dialogues += tally.counting
        if not self.stopping:
            self._send(b"%d" % next(self._numbers), 0, out)


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
    return tally.result(scenario.name, in_flight, lasted, cpu)


def _shares(in_flight: int) -> list[int]:
    """Handsets per bind: one bind for a few, four for many."""
    binds = 4 if in_flight >= 64 else 1
    return [in_flight // binds] * binds
