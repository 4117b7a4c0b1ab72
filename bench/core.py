"""The billing core under load: a process of its own with PostgreSQL beside it, driven over signed HTTP on this machine.

Measured with as many numbers as the bench has: seeding; balance reads; transfers between wallets with a PIN hash that
costs nothing (quote and confirmation each); confirmations with real argon2id, more asked for than can be hashed;
balance reads at a steady rate beside a full queue of PINs; search for free numbers by digits.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import uvloop

from bench.numbers import FIRST_NUMBER
from bench.own import own_settings
from bench.wallets import FIRST_WALLET, PIN, make_wallets
from billing.calls import Call
from billing.signing import key_from_file, sign
from billing.wire import PATH, request_octets
from billing_core.seeding import FREE_NUMBERS
from stack import places, postgres_server, programs
from stack.settings import Settings

FOLDER: Final = Path(".build/bench/core")
PORTS_FROM: Final = 20300
WALLETS: Final = 400
SECONDS: Final = 8.0
WARM_SECONDS: Final = 1.0
READS_A_SECOND: Final = 1000
BUSY_SECONDS: Final = 0.2
"""How long a client that was told "busy" stays away; a subscriber would longer."""
_COST: Final = (("memory_kib: 19456", "memory_kib: 8"), ("passes: 2", "passes: 1"))


class Row(NamedTuple):
    """One measurement: answers a second, and how long they took in milliseconds. `busy`: refused with 429."""

    name: str
    per_second: float
    p50: float
    p99: float
    most: float
    busy: int
    failed: int
    target: str


class Connection:
    """One HTTP connection that is kept, as lean as can be: the driver must not be what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    async def ask(self, operation: str, msisdn: str, arguments: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer."""
        path = PATH + operation
        body = request_octets(Call(str(uuid.uuid4()), operation, msisdn, "ru", arguments))
        signature = sign("engine", self._key, "POST", path, body, time.time())["Authorization"]
        head = (
            f"POST {path} HTTP/1.1\r\nhost: core\r\nauthorization: {signature}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(answer[9:12]), msgspec.json.decode(await self._reader.readexactly(length))

    def close(self) -> None:
        """Closes it."""
        self._writer.close()


class Tally:
    """What the answers came to, once it is warm."""

    def __init__(self) -> None:
        self.from_then = time.perf_counter() + WARM_SECONDS
        self.took: list[float] = []
        self.busy = self.failed = 0

    def add(self, began: float, status: int, body: dict[str, Any]) -> None:
        """Counts one answer that was asked for at `began`."""
        now = time.perf_counter()
        if now < self.from_then:
            return
        if status == 429:
            self.busy += 1
        elif status != 200 or "done" not in body:
            self.failed += 1
        else:
            self.took.append((now - began) * 1000)

    def row(self, name: str, target: str) -> Row:
        """The measurement."""
        took = sorted(self.took) or [0.0]
        seconds = time.perf_counter() - self.from_then
        p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
        return Row(name, len(self.took) / seconds, p50, p99, took[-1], self.busy, self.failed, target)


Client = Callable[[Connection, Tally], Awaitable[None]]
"""One thing that a client does again and again."""


def measure(numbers: int) -> tuple[float, list[Row]]:
    """Seconds that seeding took, and a row a measurement."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    settings = own_settings(FOLDER, PORTS_FROM)
    places.make_folders(settings.data_folder)
    postgres = postgres_server.start_postgres(settings.data_folder)
    try:
        programs.migrate(settings.config)
        began = time.monotonic()
        programs.seed(settings.config, numbers)
        seeded = time.monotonic() - began
        rows = [*_with_cheap_pins(settings, numbers), *_with_real_pins(settings, numbers)]
    finally:
        postgres_server.stop_postgres(postgres)
    return seeded, rows


def _with_cheap_pins(settings: Settings, numbers: int) -> Iterator[Row]:
    text = settings.config.read_text()
    cheap = text
    for real, cost in _COST:
        cheap = cheap.replace(real, cost)
    settings.config.write_text(cheap)
    uvloop.run(make_wallets(settings, WALLETS, memory_kib=8, passes=1))
    with _serving(settings) as core:
        yield uvloop.run(core.closed("balances.get", 16, _balance(numbers), "≥ 4,000/s"))
        yield uvloop.run(core.closed("transfer, cheap PIN", 16, _transfer(), "≥ 400/s"))
        yield uvloop.run(core.closed("numbers.search by digits", 4, _search(), "p99 < 100 ms"))
    settings.config.write_text(text)


def _with_real_pins(settings: Settings, numbers: int) -> Iterator[Row]:
    uvloop.run(make_wallets(settings, WALLETS))
    with _serving(settings) as core:
        yield uvloop.run(core.closed("transfer, argon2id", 64, _transfer(), "≥ 25/s"))
        yield uvloop.run(core.beside("balances.get beside PINs", 64, _transfer(), _balance(numbers), "p99 < 50 ms"))


class Core:
    """A running core, and how it is driven."""

    def __init__(self, settings: Settings) -> None:
        self._listen = settings.core_http
        self._key = key_from_file(places.key_file(settings.data_folder, "engine").read_bytes())

    async def closed(self, name: str, clients: int, client: Client, target: str) -> Row:
        """So many clients, each asking anew when it was answered."""
        tally = Tally()
        await self._run(clients, client, tally)
        return tally.row(name, target)

    async def beside(self, name: str, clients: int, client: Client, steady: Client, target: str) -> Row:
        """One thing at a steady rate, while clients do another as fast as they can."""
        tally, other = Tally(), Tally()
        connections = [await self._connect() for _ in range(64)]
        load = asyncio.create_task(self._run(clients, client, other))
        began, asking = time.perf_counter(), set()
        for at in itertools.count():
            due = began + at / READS_A_SECOND
            if due > tally.from_then + SECONDS:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if connections:
                asking.add(asyncio.create_task(_one(connections, steady, tally)))
        await asyncio.gather(load, *asking)
        for connection in connections:
            connection.close()
        return tally.row(name, target)

    async def _run(self, clients: int, client: Client, tally: Tally) -> None:
        async def again() -> None:
            connection = await self._connect()
            while time.perf_counter() < tally.from_then + SECONDS:
                await client(connection, tally)
            connection.close()

        await asyncio.gather(*(again() for _ in range(clients)))

    async def _connect(self) -> Connection:
        reader, writer = await asyncio.open_connection(self._listen.host, self._listen.port)
        return Connection(reader, writer, self._key)


async def _one(connections: list[Connection], client: Client, tally: Tally) -> None:
    connection = connections.pop()
    await client(connection, tally)
    connections.append(connection)


def _balance(numbers: int) -> Client:
    chance = random.Random(1)

    async def read(connection: Connection, tally: Tally) -> None:
        at = chance.randrange(numbers) // 100 * 100  # the first of each hundred is served
        began = time.perf_counter()
        tally.add(began, *await connection.ask("balances.get", str(FIRST_NUMBER + at), {}))

    return read


def _transfer() -> Client:
    chance = random.Random(2)
    wallets = [str(FIRST_WALLET + n) for n in range(WALLETS)]

    async def transfer(connection: Connection, tally: Tally) -> None:
        payer, to = chance.sample(wallets, 2)
        began = time.perf_counter()
        status, body = await connection.ask("wallet.quote_transfer", payer, {"to": to, "sum": 10})
        if status != 200 or "done" not in body:
            tally.add(began, status, body)
            return
        arguments = {"intent": body["done"]["intent"], "pin": PIN}
        status, body = await connection.ask("wallet.confirm", payer, arguments)
        tally.add(began, status, body)
        if status == 429:
            await asyncio.sleep(BUSY_SECONDS)

    return transfer


def _search() -> Client:
    chance = random.Random(3)

    async def search(connection: Connection, tally: Tally) -> None:
        digits = str(chance.randrange(10 ** chance.randint(2, 7) // 10, 10**7))[: chance.randint(2, 7)].rjust(2, "0")
        arguments = {"brand": "Kcell", "prefix": chance.choice(("701", "702")), "digits": digits}
        began = time.perf_counter()
        tally.add(began, *await connection.ask("numbers.search", str(FIRST_NUMBER), arguments))

    return search


@contextmanager
def _serving(settings: Settings) -> Iterator[Core]:
    core = programs.start_billing_core(settings.config)
    try:
        yield Core(settings)
    finally:
        programs.stop_program(core)


def table(seeded: float, numbers: int, rows: list[Row]) -> str:
    """The figures, for people."""
    head = (
        f"\nbilling core: {numbers:,} numbers and {FREE_NUMBERS:,} free ones seeded in {seeded:.0f} s (target 180 s)\n"
    )
    lines = [
        f"{'what':<26} {'a second':>9} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'busy':>6} {'failed':>6}  target"
    ]
    lines += [
        f"{r.name:<26} {r.per_second:>9,.0f} {r.p50:>8.2f} {r.p99:>8.2f} {r.most:>8.2f} {r.busy:>6} {r.failed:>6}"
        f"  {r.target}"
        for r in rows
    ]
    return head + "\n".join(lines)
