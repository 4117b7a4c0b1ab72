"""Purchases: somebody dials, is quoted, and confirms; and then a part dies.

Rules of this file: nobody pays again who was told that it is done, or being checked; whoever was told nothing dials the
same again, and believes the screen.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Final

from chaos.load import ACCEPTED_ACCOUNT, Attempt, Kind, said_by
from chaos.people import PIN
from chaos.stories import POSTED, REST_SECONDS, SETTLED_SECONDS_MAX, Scene, Story
from smpp.fake_smsc import Handset, NotServed, Screen

SCREEN_SECONDS: Final = 8.0

_OPEN: Final = """
SELECT count(*) FROM intents JOIN subscribers USING (subscriber_id)
WHERE msisdn = $1 AND (state = 'reserved' OR (state = 'quoted' AND asked_at IS NOT NULL))
"""
_NEXT_KEY: Final[tuple[tuple[str, str], ...]] = (
    *(("1 Kcell", "1"), ("Префикс", "1"), ("Как искать", "1"), ("1 Выбрать", "1"), ("Город офиса", "1")),
    *(("1 Забронировать", "1"), ("не откроется", "1"), ("98 Ещё", "98")),
)
_FREE_NUMBER: Final = re.compile(r"^(\d) 8 (\d{3}) (\d{3}) (\d{4})$", re.MULTILINE)
_DIGITS: Final = re.compile(r"Наберите (\d\d)\b")


class Purchase(Story):
    """Somebody who dials, is quoted, and confirms."""

    def __init__(self, scene: Scene, number: str, network: str, *, redelivers: bool) -> None:
        super().__init__(scene, number, network, redelivers=redelivers)
        self.attempt = Attempt(self._what(), number, "")
        self._handset: Handset = self.centre.handset(number)
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
            if said == "checking" and self.not_done and not self.sms(self.not_done):
                return bool(await self.ask(POSTED, self.number))
            return not await self.ask(_OPEN, self.number)

        settled = await self.scene.within(SETTLED_SECONDS_MAX, is_settled)
        self.check(settled, f"open for over {SETTLED_SECONDS_MAX:g} s")
        posted = await self.ask(POSTED, self.number)
        self.check(posted == {"done": 1, "not_done": 0}.get(said, posted), f"told '{said}', posted {posted} times")
        self.check(posted <= 1, f"charged {posted} times")
        if posted:
            await self.is_told(self.receipt)
        elif said == "checking" and self.not_done:
            await self.is_told(self.not_done)
        promised = self._promised()
        self.check(promised is None or posted == promised, f"posted {posted} times, told '{said}'")

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
"""By the point and the kind of purchase ("" for any): how often it is charged in the end. Of a confirmation that was
sent, it is for the core to say: a core that finds nobody there any more may not begin with it."""


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
