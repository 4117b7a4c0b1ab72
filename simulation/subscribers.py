"""The subscribers of a run: people who read a screen, and press what they have come for; or anything else.

Rules of this file:
- Everybody pays a sum, and reserves a number, that nobody else has: what was told of it and what the core has of it
  can be held against one another.
- What a screen has told is believed for ever: `paid` and `not paid` are looked up when the run is over.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ussd_engine.dialect import Kind

from .judge import SECRET_SCREENS
from .loop import Chance
from .peers import Centre, Handset, Heard

if TYPE_CHECKING:
    from .world import World

PATIENCE_SECONDS = 11.0
"""How long somebody looks at an empty screen: a little longer than the network does."""
PRESSES_MAX = 14
NONSENSE = ("", "0", "00", "98", "1", "2", "3", "9", "77777", "x" * 182, "ПИН", "*111#", "€[]", "12", "555123456")
_DIGITS = re.compile(r"(?<![0-9])([1-9][0-9])\Z", re.MULTILINE)
_PHONE = re.compile(r"8 (702 [0-9]{3} [0-9]{4})")
_PAID = re.compile(r": ([0-9]{2,6}) (?:сом|KGS)\.")
_SUM = re.compile(r"^([0-9]{2,6}) ?\+", re.MULTILINE)
PAID = ("common.paid", "common.paid_by_sms")
NOT_PAID = (
    "common.nothing_paid", "common.expired", "common.not_accepted", "common.no_money", "common.sorry",
    "common.locked_until", "common.locked_for_good", "common.no_wallet", "common.barred", "common.blocked",
    "common.closed", "engine.try_again",
)  # fmt: skip
RESERVED = ("code",)
NOT_RESERVED = (
    "taken", "no_money", "too_many", "given_up", "not_reserved", "common.sorry", "common.barred", "common.blocked",
    "common.closed", "engine.try_again",
)  # fmt: skip


class Subscriber:
    """One number, and who holds it."""

    def __init__(self, world: World, centre: Centre, number: str, pin: str, chance: Chance) -> None:
        self.number = number
        self.pin = pin
        self._world = world
        self._centre = centre
        self._chance = chance
        self._sums = iter(range(11, 3900))
        self._code = ""
        self._service = ""
        self._session = b""
        self._sum = ""
        self._typed = ""
        self._is_blind = False
        """A screen did not come: something that was pressed may have been done."""
        self._wanted = ""
        """What this dialogue will have paid or reserved: a sum, or a number."""
        self._confirmed = ""
        """What was confirmed in it: the next word counts."""
        self._done: set[str] = set()
        """Of what a last word was heard: nobody confirms it again."""
        self.told: dict[str, str] = {}
        """Sum or number → what was said of it last on a screen."""
        self.by_sms: dict[str, set[str]] = {}
        """Sum or number → the events told of by SMS."""
        self.handset = Handset(number)
        centre.handsets[number] = self.handset
        world.judge.secret(pin)

    async def live(self) -> None:
        """Dials, reads, presses, and dials again, until the run comes to its end."""
        while not self._world.is_ending:
            await asyncio.sleep(self._chance.between(0.2, 5.0))
            if self._world.is_ending:
                return
            if self._chance.hits(0.2) and self._centre.link.name == "kcell":
                self._send_sms()
            else:
                await self._dialogue()

    # --- dialogues ---

    async def _dialogue(self) -> None:
        """One dialogue, as far as its holder goes with it."""
        code, presses = self._errand()
        self._service = {"*900#": "wallet", "*222#": "numbers"}.get(f"*{code.strip('*#').split('*')[0]}#", "")
        self._code = f"*{code.strip('*#').split('*')[0]}#"
        self._session, self._wanted, self._confirmed = self._centre.new_session(), "", ""
        self._typed = self._sum = ""
        self._is_blind = False
        while not self.handset.screens.empty():
            self.handset.screens.get_nowait()
        if not self._say(Kind.BEGIN, code):
            return
        for _ in range(PRESSES_MAX):
            seen = await self._screen()
            if seen is None and self._typed and self._chance.hits(0.6):
                self._is_blind = True  # an apology for this says nothing of what was pressed before
                self._press(self._typed)
                seen = await self._screen()
            if seen is None or seen.ends:
                return
            await asyncio.sleep(self._chance.pick((0.05, 0.3, 1.0, 4.0)))
            if not self.handset.screens.empty():
                continue  # another screen stands there by now
            if self._chance.hits(self._world.weather.impatient) and not await self._is_odd():
                return
            self._press(presses(seen.text))
        if self._chance.hits(0.5):
            self._say(Kind.ABORT, "")

    async def _is_odd(self) -> bool:
        """Somebody does what a menu does not expect; False: it was the end of the dialogue."""
        match self._chance.whole(1, 5):
            case 1:
                self._say(Kind.ABORT, "")
                return False
            case 2:
                return False  # the phone is put away
            case 3:
                await asyncio.sleep(self._chance.between(20.0, 70.0))
            case 4:
                text = self._chance.pick(NONSENSE)
                self._press(text)
                self._press(text)
            case _:
                self._press(self._chance.pick(NONSENSE))
        return True

    async def _screen(self) -> Heard | None:
        """The next screen, read; None when the network gives up."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                seen = await self.handset.screens.get()
        except TimeoutError:
            return None
        self._session = seen.session or self._session
        self._believe(self._world.reader.screen(self._service, seen.text), seen)
        return seen

    def _believe(self, screen: str, seen: Heard) -> None:
        self._world.trace.note(f"…{self.number[-4:]}", f"sees {screen or '?'}: {seen.text!r}")
        if not self._confirmed:
            return
        word = ""
        if screen == "engine.try_again" and (self._is_blind or not self._world.apologies_count):
            return
        if screen in PAID or screen in RESERVED:
            word = "done"
        elif screen in (NOT_PAID if self._service == "wallet" else NOT_RESERVED):
            word = "not done"
        elif screen == "common.checking":
            word = "checking"
        if word:
            paid = _PAID.search(seen.text) if screen in PAID else None
            self._confirmed = paid[1] if paid is not None else self._confirmed
            self.told[self._confirmed] = word
            self._done.add(self._confirmed)
            self._world.trace.note(f"…{self.number[-4:]}", f"is told: {self._confirmed} {word}")
            self._confirmed = ""

    def _say(self, kind: Kind, text: str) -> bool:
        engine = self._centre.say(self.handset, kind, self._code, text, self._session)
        if engine:
            shown = "****" if text == self.pin else repr(text[:20])
            self._world.trace.note(f"…{self.number[-4:]}", f"{kind.value} {shown} to {engine}")
        return bool(engine)

    def _press(self, text: str) -> None:
        self._typed = text
        self._say(Kind.REPLY, text)
        if self._chance.hits(self._world.weather.impatient):
            self._say(Kind.REPLY, text)

    # --- what they come for ---

    def _errand(self) -> tuple[str, Callable[[str], str]]:
        """What is dialled, and what is pressed on each screen."""
        if self._world.core.networks[self.number] == "kcell":
            if self._chance.hits(0.5):
                return "*222#", self._reserves
            return self._chance.pick(("*111#", "*111*3#", "*245#", "*4259#", "*000#", "*111**3#")), self._browses
        if self._chance.hits(0.15):
            return "*900#", self._browses
        if self._chance.hits(0.2):
            self._sum = str(next(self._sums))
            return f"*900*3*3*14*14*22812199000123*{self._sum}#", self._pays
        return "*900#", self._pays

    def _browses(self, _text: str) -> str:
        return str(self._chance.pick((*NONSENSE, "1", "2", "3", "4", "5", "6", "7", "8", "9")))

    def _pays(self, text: str) -> str:
        screen = self._world.reader.screen("wallet", text)
        if screen in SECRET_SCREENS:
            found = _SUM.search(text)
            self._wanted = found[1] if found is not None else self._wanted
            if found is not None and self._wanted in self._done:
                return "00"  # it comes from a message that came twice, and was paid
            wrong = self._chance.hits(0.1)
            self._confirmed = self._confirmed if wrong else self._wanted
            return self._chance.digits(3) + "4" if wrong else self.pin
        steps = {
            "engine.resume": self._chance.pick(("1", "2")), "root": self._chance.pick(("1", "1", "3", "4")),
            "transfer_to": "0555123456", "payments": self._chance.pick(("1", "2", "3")), "mobile": "1",
            "account": "1234567", "account_inn": "22812199000123", "account_number": "996555123456",
            "once_more": "1", "category": "1", "service": "1",
        }  # fmt: skip
        if screen in ("transfer_sum", "mobile_sum", "sum"):
            self._sum = str(next(self._sums))
            return self._sum
        return steps.get(screen) or self._browses(text)

    def _reserves(self, text: str) -> str:
        screen = self._world.reader.screen("numbers", text)
        if screen == "confirm":
            digits, number = _DIGITS.search(text), _PHONE.search(text)
            if number is not None:
                self._wanted = f"7{number[1].replace(' ', '')}"
            if digits is not None and not self._chance.hits(0.1):
                self._confirmed = self._wanted
                return digits[1]
            return "10"
        steps = {"reservations": "0", "reservation": "0", "digits": "12", "none_found": "1"}
        return steps.get(screen, "1")

    # --- SMS ---

    def _send_sms(self) -> None:
        choices = (("111", "BAL"), ("111", "LANG RU"), ("111", "HELP"), ("4259", self._chance.digits(8)), ("4259", "x"))
        short_number, text = self._chance.pick(choices)
        if text.isdigit():
            self._world.judge.secret(text)
        self._world.trace.note(f"…{self.number[-4:]}", f"sends an SMS to {short_number}")
        self._centre.say_sms(self.handset, short_number, text)

    def reads_sms(self, event: str, what: str) -> None:
        """An SMS has come that tells of something; `what`: the sum or the number it is about."""
        self.by_sms.setdefault(what, set()).add(event)


def pins(chance: Chance) -> Iterator[str]:
    """A PIN for each, none of which is anything else: no sum, no account, no part of a number."""
    while True:
        yield chance.pick("6789") + chance.pick("4689") + chance.pick("2468") + chance.pick("1357")
