"""What promises stand on: who asks, about which numbers, and how an operation is asked.

Rules of this file:
- Who may ask for what is found out: each kind of asker is tried once, with a call about a number that nobody holds.
- A call that was turned away for the moment (429, 503) is made again under its id, as any caller may.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from billing.calls import Done, Refused
from billing.conformance import samples
from billing.conformance.asking import Answer, Asking, Client
from billing.conformance.judging import outcome
from billing.conformance.promise import Breach, Broken, NotTried
from billing.contract import OPERATIONS, Operation, Value
from billing.operation import ASKERS

AT_ONCE: Final = 8
"""So many things are looked at at a time, where there are many."""
TRIES_MAX: Final = 20
_PAUSE_SECONDS: Final = 0.25
_FOR_THE_MOMENT: Final = (429, 503)

T = TypeVar("T")


class Wallet(NamedTuple):
    """A wallet for trying. `to`: the wallet that transfers go to; "" when its own number is topped up from it."""

    number: str
    pin: str
    to: str = ""

    @property
    def wrong_pin(self) -> str:
        """A PIN that is not the right one."""
        return self.pin[:-1] + ("1" if self.pin[-1] != "1" else "2")

    def __repr__(self) -> str:
        return f"Wallet(…{self.number[-4:]})"


def new_id() -> str:
    """An id for a call."""
    return str(uuid.uuid4())


class Ground:
    """The core under test, and what it is tried with. `learn` comes before everything else."""

    def __init__(self, asking: Asking, clients: Iterable[Client], number: str, wallet: Wallet | None) -> None:
        """`clients`: the first one is the client, another one may ask for something else. `number`: one that is in
        use, for trying."""
        self.asking = asking
        self.clients = tuple(clients)
        self.number = number
        self.wallet = wallet
        self.may: dict[tuple[Client, str], bool] = {}

    async def learn(self) -> None:
        """Finds out who may ask for what. Raises Gone."""
        for asker in ASKERS:
            operation = next(each for each in OPERATIONS.values() if each.asked_by == asker)
            for client in self.clients:
                answer = await self.post(operation.name, envelope(operation), client)
                self.may[client, asker] = answer.status not in (0, 401, 403)

    def client_of(self, operation: Operation) -> Client | None:
        """Who may ask for the operation; None when nobody may."""
        return next((client for client in self.clients if self.may.get((client, operation.asked_by))), None)

    def asked(self) -> list[Operation]:
        """The operations that somebody may ask for. Raises NotTried when there are none."""
        if found := [each for each in OPERATIONS.values() if self.client_of(each)]:
            return found
        raise NotTried("no client given here may ask for anything")

    async def post(self, operation: str, body: Mapping[str, Any] | bytes, client: Client | None = None) -> Answer:
        """Sends a body, signed by who may ask for the operation. Raises NotTried when nobody may."""
        client = client or self.client_of(OPERATIONS[operation])
        if client is None:
            asker = OPERATIONS[operation].asked_by
            raise NotTried(f"no client given here may ask for what {asker} asks for: --other-client")
        octets = body if isinstance(body, bytes) else octets_of(body)
        return await self.asking.post(operation, octets, self.asking.signed(client, operation, octets))

    async def answer(
        self,
        operation: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        number: str | None = None,
        call_id: str | None = None,
        language: str = "ru",
    ) -> Answer:
        """Makes a call about a number, the test number unless another is given. What is turned away for the moment is
        made again."""
        body = envelope(OPERATIONS[operation], number or self.number, arguments or {}, call_id, language)
        for _ in range(TRIES_MAX - 1):
            answer = await self.post(operation, body)
            if answer.status not in _FOR_THE_MOMENT:
                return answer
            await asyncio.sleep(_PAUSE_SECONDS)
        return await self.post(operation, body)

    async def outcome(
        self,
        operation: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        number: str | None = None,
        call_id: str | None = None,
        language: str = "ru",
    ) -> Done | Refused:
        """What a call comes to. Raises Broken for an answer that is none by the contract."""
        answer = await self.answer(operation, arguments, number=number, call_id=call_id, language=language)
        judged = outcome(operation, answer)
        if isinstance(judged, str):
            raise Broken(asked(operation, number or self.number), judged, str(answer))
        return judged

    async def result(
        self, operation: str, arguments: Mapping[str, Value] | None = None, *, number: str | None = None
    ) -> Mapping[str, Any]:
        """The results of a call that must be done. Raises Broken."""
        came = await self.outcome(operation, arguments, number=number)
        if isinstance(came, Refused):
            raise Broken(asked(operation, number or self.number), "done", told(came))
        return came.result


def envelope(
    operation: Operation,
    number: str = samples.NOBODY,
    arguments: Mapping[str, Value] | None = None,
    call_id: str | None = None,
    language: str = "ru",
) -> dict[str, Any]:
    """The body of a call; without arguments, with ones that fit."""
    given = samples.arguments(operation) if arguments is None else dict(arguments)
    return {"id": call_id or new_id(), "msisdn": number, "language": language, "arguments": given}


def octets_of(body: Mapping[str, Any]) -> bytes:
    """A body as it is sent."""
    return json.dumps(body, ensure_ascii=False).encode()


def asked(operation: str, number: str, how: str = "") -> str:
    """What was asked, in words."""
    who = "a number that nobody holds" if number == samples.NOBODY else f"…{number[-4:]}"
    return f"{operation} of {who}{', ' + how if how else ''}"


def told(came: Done | Refused) -> str:
    """What came, in words."""
    if isinstance(came, Done):
        return f"done {json.dumps(came.result, ensure_ascii=False)}"
    return f"refused {came.code}" + (f" {json.dumps(came.details, ensure_ascii=False)}" if came.details else "")


async def of_each(look: Callable[[T], Awaitable[list[Breach]]], things: Iterable[T]) -> list[Breach]:
    """What is found by looking at each of them, a few at a time, in order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(thing: T) -> list[Breach]:
        async with gate:
            try:
                return await look(thing)
            except Broken as broken:
                return [broken.breach]

    tasks = [asyncio.create_task(one(thing)) for thing in things]
    try:
        return [breach for found in await asyncio.gather(*tasks) for breach in found]
    finally:
        for task in tasks:
            task.cancel()
