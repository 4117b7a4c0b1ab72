"""People who do one thing each, and go on with it however often a part dies under them.

Rules of this file:
- A number is used by one story alone, so that everything that the ledger and the centres have of it belongs to it.
- A message that was not answered comes again as the peer would send it (the same content, on a new link), or the
  subscriber dials again: which of the two is drawn for each story.
- Nobody pays again who was told that it is done, or being checked; whoever was told nothing dials the same again, and
  believes the screen.
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
from chaos.load import ACCEPTED_ACCOUNT, Attempt, Kind, said_by
from chaos.people import PIN
from chaos.report import Report
from chaos.stand import Stand
from smpp.fake_smsc import FakeSmsc, Handset, NotServed, Screen

SCREEN_SECONDS: Final = 8.0
REST_SECONDS: Final = 0.1
"""Between two tries of somebody who was not served."""
GIVEN_UP_SECONDS: Final = 60.0
TOLD_SECONDS_MAX: Final = 10.0
"""What is done is told by SMS so soon after a part has started again."""
SETTLED_SECONDS_MAX: Final = 30.0
TWICE_SECONDS: Final = 0.3
"""How long is waited for what comes twice."""

_POSTED: Final = """
SELECT count(*) FROM postings p JOIN intents i ON i.intent_id = p.cause JOIN subscribers s USING (subscriber_id)
WHERE s.msisdn = $1 AND p.kind IN ('wallet.transfer', 'wallet.paid', 'reservation')
"""
_OPEN: Final = """
SELECT count(*) FROM intents JOIN subscribers USING (subscriber_id)
WHERE msisdn = $1 AND (state = 'reserved' OR (state = 'quoted' AND asked_at IS NOT NULL))
"""
_OF_CAUSE: Final = "SELECT count(*) FROM postings WHERE cause = $1"
_LANGUAGE: Final = "SELECT language FROM subscribers WHERE msisdn = $1 AND held_until IS NULL"
_NEXT_KEY: Final[tuple[tuple[str, str], ...]] = (
    *(("1 Kcell", "1"), ("Префикс", "1"), ("Как искать", "1"), ("1 Выбрать", "1"), ("Город офиса", "1")),
    *(("1 Забронировать", "1"), ("не откроется", "1"), ("98 Ещё", "98")),
)
_FREE_NUMBER: Final = re.compile(r"^(\d) 8 (\d{3}) (\d{3}) (\d{4})$", re.MULTILINE)
_DIGITS: Final = re.compile(r"Наберите (\d\d)\b")


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
        """The points that processes have died at while this one acted; "confirming" follows where it was at that."""
        self.confirming = False
        self._centre: FakeSmsc = scene.stand.centres[network]
        self._deaths = scene.deaths

    def __str__(self) -> str:
        return f"{self.kind} of {self.number} ({'redelivered' if self.redelivers else 'dialled again'}), {self.met}"

    async def live(self) -> None:
        """From the first word to the last SMS."""
        try:
            async with asyncio.timeout(GIVEN_UP_SECONDS):
                await self._act()
        except TimeoutError:
            self._check(False, "came to no end")
        self.acted.set()
        await self._told()

    async def _act(self) -> None:
        raise NotImplementedError

    async def _told(self) -> None:
        raise NotImplementedError

    def _check(self, holds: bool, failure: str) -> None:
        self.scene.report.check(holds, f"{self}: {failure}")

    def _sms(self, pattern: str) -> int:
        return sum(each.destination == self.number and bool(re.search(pattern, each.text)) for each in self._centre.sms)

    async def _is_told(self, pattern: str, seconds: float = TOLD_SECONDS_MAX) -> None:
        """The SMS comes in time, and comes once, or once more for each death that it may have met."""

        async def is_there() -> bool:
            return bool(self._sms(pattern))

        came = await self.scene.within(seconds, is_there)
        self._check(came, f"no SMS '{pattern}' within {seconds:g} s")
        await asyncio.sleep(TWICE_SECONDS)
        most = 1 + self.scene.deaths - self._deaths
        self._check(self._sms(pattern) <= most, f"{self._sms(pattern)} SMS '{pattern}', at most {most} may come")

    async def _ask(self, question: str, *arguments: Any) -> Any:
        return await self.scene.owner.fetchval(question, *arguments)


class Purchase(Story):
    """Somebody who dials, is quoted, and confirms."""

    def __init__(self, scene: Scene, number: str, network: str, *, redelivers: bool) -> None:
        super().__init__(scene, number, network, redelivers=redelivers)
        self.attempt = Attempt(self._what(), number, "")
        self._handset: Handset = self._centre.handset(number)
        self.attempt.handset = self._handset

    def _what(self) -> Kind:
        raise NotImplementedError

    async def _act(self) -> None:
        self.scene.attempts.append(self.attempt)
        screen: Screen | None = await self._dial(self._code())
        while (said := self._said(screen)) is None:
            screen = await self._go_on(screen)
        self.attempt.said, self.attempt.screen = said, screen.text if screen else ""

    def _code(self) -> str:
        raise NotImplementedError

    def _said(self, screen: Screen | None) -> Any:
        """What the screen means for the whole; None when there is more to do."""
        raise NotImplementedError

    async def _go_on(self, screen: Screen | None) -> Screen | None:
        raise NotImplementedError

    async def _dial(self, code: str) -> Screen:
        """Dials until a screen comes."""
        while True:
            await self.scene.whole.wait()
            if (screen := await self._heard(lambda: self._handset.begin(code))) is not None:
                return screen
            await asyncio.sleep(REST_SECONDS)

    async def _confirm(self, typed: str) -> Screen | None:
        """Types what confirms; when no screen comes, the peer sends it once more, where it does that."""
        self.confirming = self.attempt.confirmed = True
        screen = await self._heard(lambda: self._handset.reply(typed))
        if screen is None and self.redelivers:
            await self.scene.whole.wait()
            screen = await self._heard(lambda: self._handset.reply(typed))
        self.confirming = False
        return screen

    async def _heard(self, speak: Callable[[], None]) -> Screen | None:
        """The screen that follows; None when none comes: the engine has died, or nobody was bound."""
        handset, engine = self._handset, self.scene.stand.children[self.scene.stand.engines[0]]
        while not handset.arrived.empty():
            handset.arrived.get_nowait()
        try:
            speak()
        except NotServed:
            return None
        until = time.monotonic() + SCREEN_SECONDS
        while time.monotonic() < until:
            is_dead = engine.poll() is not None
            await asyncio.sleep(0.005)  # what it wrote before it died is here by now
            if not handset.arrived.empty():
                arrived = handset.arrived.get_nowait()
                return arrived if isinstance(arrived, Screen) else None
            if is_dead:
                return None
        return None

    async def _told(self) -> None:
        said = self.attempt.said

        async def is_settled() -> bool:
            if said == "checking" and self.not_done and not self._sms(self.not_done):
                return bool(await self._ask(_POSTED, self.number))
            return not await self._ask(_OPEN, self.number)

        settled = await self.scene.within(SETTLED_SECONDS_MAX, is_settled)
        self._check(settled, f"open for over {SETTLED_SECONDS_MAX:g} s")
        posted = await self._ask(_POSTED, self.number)
        self._check(posted == {"done": 1, "not_done": 0}.get(said, posted), f"told '{said}', posted {posted} times")
        self._check(posted <= 1, f"charged {posted} times")
        if posted:
            await self._is_told(self.receipt)
        elif said == "checking" and self.not_done:
            await self._is_told(self.not_done)
        promised = self._promised()
        self._check(promised is None or posted == promised, f"posted {posted} times, told '{said}'")

    receipt = ""
    not_done = ""

    def _promised(self) -> int | None:
        """How often it must have been charged, where one death alone decides it: at a confirmation."""
        if len(self.met) != 1 or not self.met[0].endswith(" confirming"):
            return None
        point = self.met[0].split()[0]
        return PROMISED.get((point, self.kind), PROMISED.get((point, "")))


PROMISED: Final = {
    ("core_answered", ""): 1,
    ("screen_submitted", ""): 1,
    ("claimed", ""): 0,
    ("committed", "transfer"): 1,
    ("committed", "reservation"): 1,
    ("committed", "payment"): 0,  # held; the biller, who has never heard of it, says no
    ("biller_asked", "payment"): 1,
    ("notice_row", "transfer"): 0,
    ("notice_row", "reservation"): 0,
    ("notice_row", "payment"): 1,  # the biller has it: asked by id, it says so
}
"""By the point and the kind of purchase ("" for any): how often it is charged in the end. Of a confirmation that was sent,
it is for the core to say: a core that finds nobody there any more may not begin with it."""


class _OfWallet(Purchase):
    """Of money from a wallet, confirmed by the PIN."""

    receipt = r"Код платежа \d{10}"
    not_done = r"Платёж не прошёл"

    def _said(self, screen: Screen | None) -> Any:
        if screen is None:
            return None
        text = screen.text
        if "Такой платёж уже был" in text:
            return "done"
        if "не платите снова" in text or "Прошлый платёж ещё" in text:
            return "checking"
        said = said_by(text)
        served = said not in ("dial_again", "busy") and "временно недоступен" not in text
        return said if said and (served and (self.attempt.confirmed or said != "not_done")) else None

    async def _go_on(self, screen: Screen | None) -> Screen | None:
        if screen is not None and "PIN" in screen.text:
            return await self._confirm(PIN)
        if screen is not None and "места обрыва" in screen.text:
            return await self._heard(lambda: self._handset.reply("2"))
        await asyncio.sleep(REST_SECONDS)
        return await self._dial(self._code())


class Transfer(_OfWallet):
    """To another wallet."""

    kind = "transfer"

    def __init__(self, scene: Scene, number: str, to: str, whole: int, *, redelivers: bool) -> None:
        super().__init__(scene, number, "megacom", redelivers=redelivers)
        self._to = to
        self.attempt.key = str(whole)

    def _what(self) -> Kind:
        return "transfer"

    def _code(self) -> str:
        return f"*900*1*0{self._to.removeprefix('996')}*{self.attempt.key}#"


class Payment(_OfWallet):
    """To a biller."""

    kind = "payment"

    def __init__(self, scene: Scene, number: str, whole: int, *, redelivers: bool) -> None:
        super().__init__(scene, number, "megacom", redelivers=redelivers)
        self.attempt.key = str(whole)

    def _what(self) -> Kind:
        return "payment"

    def _code(self) -> str:
        return f"*900*3*3*14*14*{ACCEPTED_ACCOUNT}*{self.attempt.key}#"


class Reservation(Purchase):
    """Of a new number, confirmed by two digits that are shown; `nth` of those that are offered."""

    kind = "reservation"
    receipt = r"забронирован, код \d{8}"

    def __init__(self, scene: Scene, number: str, nth: int, *, redelivers: bool) -> None:
        super().__init__(scene, number, "kcell", redelivers=redelivers)
        self._nth = nth

    def _what(self) -> Kind:
        return "reservation"

    def _code(self) -> str:
        return "*222*3#" if self.attempt.confirmed else "*222#"

    def _said(self, screen: Screen | None) -> Any:
        if screen is None:
            return None
        if self.attempt.confirmed and "Забронированных номеров нет" in screen.text:
            return "not_done"
        if self.attempt.confirmed and "Мои брони" in screen.text:
            return "done"
        said = said_by(screen.text)
        return said if self.attempt.confirmed and said not in (None, "dial_again", "busy") else None

    async def _go_on(self, screen: Screen | None) -> Screen | None:
        text = "" if screen is None or screen.ends else screen.text
        if digits := _DIGITS.search(text):
            return await self._confirm(digits[1])
        typed = next((typed for shown, typed in _NEXT_KEY if shown in text), None)
        if found := _FREE_NUMBER.findall(text):
            typed, *parts = found[self._nth % len(found)]
            self.attempt.key = "7" + "".join(parts)
        if typed is None:
            await asyncio.sleep(REST_SECONDS)
            return await self._dial(self._code())
        return await self._heard(lambda: self._handset.reply(typed))


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
        self._check(isinstance(await answered(self._desk, call), Done), "refused")

    async def _told(self) -> None:
        self._check(await self._ask(_OF_CAUSE, uuid.UUID(self._id)) == 1, "not posted once")
        await self._is_told(f"пополнен на {self._whole} тг")


class Word(Story):
    """An SMS that changes something, sent again by the SMSC until it is taken."""

    kind = "SMS"

    def __init__(self, scene: Scene, number: str) -> None:
        super().__init__(scene, number, "kcell", redelivers=True)

    async def _act(self) -> None:
        while True:
            await self.scene.whole.wait()
            try:
                return await self._centre.send_sms(self.number, "111", "LANG EN")
            except NotServed:
                await asyncio.sleep(REST_SECONDS)

    async def _told(self) -> None:
        self._check(await self._ask(_LANGUAGE, self.number) == "en", "taken, and not done")
        await self._is_told("From now on we answer you in English")


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
        self._check(isinstance(told, Done) and told.result["outcome"] == "pending", f"told {told}")

    async def _told(self) -> None:
        await self._is_told("Платёж не прошёл", SETTLED_SECONDS_MAX)
        self._check(await self._ask(_POSTED, self.number) == 0, "posted, and never confirmed")


async def answered(billing: HttpBilling, call: Call) -> Outcome:
    """The answer to a call that is made under its id until there is one."""
    while True:
        outcome = await billing.perform(call, 2.0)
        if not isinstance(outcome, Unknown | NotMade):
            return outcome
        await asyncio.sleep(REST_SECONDS)
