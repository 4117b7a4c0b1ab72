"""People who do one thing each, and go on with it however often a part dies under them.

Rules of this file:
- A number is used by one story alone, so that everything that the ledger and the centres have of it belongs to it.
- A message that was not answered comes again as the peer would send it (the same content, on a new link), or the
  subscriber dials again: which of the two is drawn for each story.
- What a story was promised is looked for within the times of the promise, counted from the last start of a part.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg

from billing.calls import Call, Done, NotMade, Outcome, Unknown
from billing.contract import Value
from billing.http_client import HttpBilling
from chaos.load import Attempt
from chaos.report import Report
from chaos.stand import Stand
from smpp.fake_smsc import FakeSmsc, NotServed

REST_SECONDS: Final = 0.1
"""Between two tries of somebody who was not served."""
GIVEN_UP_SECONDS: Final = 60.0
TOLD_SECONDS_MAX: Final = 10.0
"""What is done is told by SMS so soon after a part has started again."""
SETTLED_SECONDS_MAX: Final = 30.0
TWICE_SECONDS: Final = 0.3
"""How long is waited for what comes twice."""

POSTED: Final = """
SELECT count(*) FROM postings p JOIN intents i ON i.intent_id = p.cause JOIN subscribers s USING (subscriber_id)
WHERE s.msisdn = $1 AND p.kind IN ('wallet.transfer', 'wallet.paid', 'reservation')
"""
"""How often somebody has been charged for what they confirmed."""
_OF_CAUSE: Final = "SELECT count(*) FROM postings WHERE cause = $1"
_LANGUAGE: Final = "SELECT language FROM subscribers WHERE msisdn = $1 AND held_until IS NULL"


class Scene:
    """What stories share: the system, since when it is whole, and how often a part of it has died."""

    def __init__(self, stand: Stand, owner: asyncpg.Pool[Any], report: Report) -> None:
        self.stand = stand
        self.owner = owner
        self.report = report
        self.attempts: list[Attempt] = []
        self.deaths = 0
        self.whole = asyncio.Event()
        self.whole_since = 0.0

    async def within(self, seconds: float, holds: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it comes to hold while the system has been whole for no longer than this, and we have waited no
        longer."""
        began = time.monotonic()
        while not await holds():
            if self.whole.is_set() and time.monotonic() - max(began, self.whole_since) > seconds:
                return False
            await asyncio.sleep(0.05)
        return True


class Story:
    """Somebody's. `acted` is set once nothing is done any more but waiting for SMS."""

    kind = "story"

    def __init__(self, scene: Scene, number: str, network: str, *, redelivers: bool) -> None:
        self.scene = scene
        self.number = number
        self.redelivers = redelivers
        self.acted = asyncio.Event()
        self.met: list[str] = []
        """The points that processes have died at while this one acted; "confirming": while it, alone, was at that."""
        self.confirming = False
        self.centre: FakeSmsc = scene.stand.centres[network]
        self._deaths = scene.deaths

    def __str__(self) -> str:
        return f"{self.kind} of {self.number} ({'redelivered' if self.redelivers else 'dialled again'}), {self.met}"

    async def live(self) -> None:
        """From the first word to the last SMS."""
        try:
            async with asyncio.timeout(GIVEN_UP_SECONDS):
                await self._act()
        except TimeoutError:
            self.check(False, "came to no end")
        self.acted.set()
        await self._told()

    async def _act(self) -> None:
        raise NotImplementedError

    async def _told(self) -> None:
        raise NotImplementedError

    def check(self, holds: bool, failure: str) -> None:
        self.scene.report.check(holds, f"{self}: {failure}")

    def sms(self, pattern: str) -> int:
        return sum(each.destination == self.number and bool(re.search(pattern, each.text)) for each in self.centre.sms)

    async def is_told(self, pattern: str, seconds: float = TOLD_SECONDS_MAX) -> None:
        """The SMS comes in time, and comes once, or once more for each death that it may have met."""

        async def is_there() -> bool:
            return bool(self.sms(pattern))

        came = await self.scene.within(seconds, is_there)
        self.check(came, f"no SMS '{pattern}' within {seconds:g} s")
        await asyncio.sleep(TWICE_SECONDS)
        most = 1 + self.scene.deaths - self._deaths
        self.check(self.sms(pattern) <= most, f"{self.sms(pattern)} SMS '{pattern}', at most {most} may come")

    async def ask(self, question: str, *arguments: Any) -> Any:
        return await self.scene.owner.fetchval(question, *arguments)


class TopUp(Story):
    """Money that a terminal takes for a number, and asks for under its id until it is told that it is there."""

    kind = "top-up"

    def __init__(self, scene: Scene, number: str, whole: int, desk: HttpBilling) -> None:
        super().__init__(scene, number, "kcell", redelivers=True)
        self._whole = whole
        self._desk = desk
        self._id = str(uuid.uuid4())

    async def _act(self) -> None:
        given: dict[str, Value] = {"sum": {"minor": self._whole * 100, "currency": "KZT"}, "place": "terminal"}
        call = Call(self._id, "balances.top_up", self.number, "ru", given)
        self.check(isinstance(await answered(self._desk, call), Done), "refused")

    async def _told(self) -> None:
        self.check(await self.ask(_OF_CAUSE, uuid.UUID(self._id)) == 1, "not posted once")
        await self.is_told(f"пополнен на {self._whole} тг")


class Word(Story):
    """An SMS that changes something, sent again by the SMSC until it is taken."""

    kind = "SMS"

    def __init__(self, scene: Scene, number: str) -> None:
        super().__init__(scene, number, "kcell", redelivers=True)

    async def _act(self) -> None:
        while True:
            await self.scene.whole.wait()
            try:
                return await self.centre.send_sms(self.number, "111", "LANG EN")
            except NotServed:
                await asyncio.sleep(REST_SECONDS)

    async def _told(self) -> None:
        self.check(await self.ask(_LANGUAGE, self.number) == "en", "taken, and not done")
        await self.is_told("From now on we answer you in English")


class Asked(Story):
    """A quote whose confirmation has never come to the core, and that somebody asks about."""

    kind = "question"

    def __init__(self, scene: Scene, number: str, to: str, whole: int, engine: HttpBilling) -> None:
        super().__init__(scene, number, "megacom", redelivers=True)
        self._given: dict[str, Value] = {"to": to, "sum": whole}
        self._engine = engine

    async def _act(self) -> None:
        quote = Call(str(uuid.uuid4()), "wallet.quote_transfer", self.number, "ru", self._given)
        quoted = await answered(self._engine, quote)
        arguments = {"call": str(uuid.uuid4()), "intent": quoted.result["intent"] if isinstance(quoted, Done) else ""}
        told = await answered(self._engine, Call(str(uuid.uuid4()), "wallet.outcome", self.number, "ru", arguments))
        self.check(isinstance(told, Done) and told.result["outcome"] == "pending", f"told {told}")

    async def _told(self) -> None:
        await self.is_told("Платёж не прошёл", SETTLED_SECONDS_MAX)
        self.check(await self.ask(POSTED, self.number) == 0, "posted, and never confirmed")


async def answered(billing: HttpBilling, call: Call) -> Outcome:
    """The answer to a call that is made under its id until there is one."""
    while True:
        outcome = await billing.perform(call, 2.0)
        if not isinstance(outcome, Unknown | NotMade):
            return outcome
        await asyncio.sleep(REST_SECONDS)
