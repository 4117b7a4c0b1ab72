"""What tests of the services speak with: a subscriber's telephone, and the core's operations of other askers.

Rules of this file:
- All that a telephone does and gets crosses SMPP; what an office or the network does is asked of the core.
- `dial` and `send` give the text of the last screen; `ended` says whether the service ended the dialogue with it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from billing.calls import Call, Done, Outcome, Refused
from billing.contract import OPERATIONS
from billing.http_client import HttpBilling
from ussd_engine.centres import SMS_SECONDS, Centres, Handset
from ussd_engine.phone import Lost

LANGUAGES = {"KZ": ("kk", "ru", "en"), "KG": ("ky", "ru", "en")}
COUNTRY = {"kcell": "KZ", "beeline-kz": "KZ", "megacom": "KG", "beeline-kg": "KG", "o": "KG"}
_FIRST = {
    "kcell": 77010000000,
    "beeline-kz": 77770000000,
    "megacom": 996555000000,
    "beeline-kg": 996777000000,
    "o": 996700000000,
}
_NOT_ACTIVE = (91, 92, 95, 97)  # of every hundred numbers: barred, barred, blocked, closed
_CONFIRMATION = re.compile(r"(?:аберите|Иә:|еріңіз|ype|onfirm:) ([0-9]{2})\b")
_FRESH_FROM = {"kcell": 3000}


def seeded(network: str, n: int) -> str:
    """The seeded number `n` of a network."""
    return str(_FIRST[network] + n)


def _fresh(network: str) -> Iterator[str]:
    for n in count(_FRESH_FROM.get(network, 200)):
        if n % 100 not in _NOT_ACTIVE and n % 10 != 3 and n % 3 != 2:
            yield seeded(network, n)


FRESH = {network: _fresh(network) for network in COUNTRY}
"""Active numbers of their network's first brand that no test has used; on kcell with the tariff 11 or Plenty.

They lie in the lower half of a network: the demo draws from the upper one.
"""


class Telephone:
    """A subscriber's telephone."""

    def __init__(self, handset: Handset) -> None:
        self.number = handset.msisdn
        self.network = handset.network
        self.shown = ""
        self.ended = False
        self._handset = handset

    @property
    def local(self) -> str:
        """The number as people of its country type it."""
        return self.number.removeprefix("7") if COUNTRY[self.network] == "KZ" else "0" + self.number.removeprefix("996")

    @property
    def printed(self) -> str:
        """The number as screens show it."""
        return (
            f"8 {self.number[1:4]} {self.number[4:7]} {self.number[7:]}"
            if COUNTRY[self.network] == "KZ"
            else (f"0{self.number[3:6]} {self.number[6:9]} {self.number[9:]}")
        )

    async def dial(self, code: str, *keys: str) -> str:
        """Dials, and types what follows, one answer a screen."""
        screen = await self._handset.dial(code)
        self.shown, self.ended = screen.text, screen.ends
        return await self.send(*keys)

    async def send(self, *keys: str) -> str:
        """Types, one answer a screen."""
        for key in keys:
            assert not self.ended, f"nothing can be typed after: {self.shown}"
            screen = await self._handset.send(key)
            self.shown, self.ended = screen.text, screen.ends
        return self.shown

    async def confirm(self) -> str:
        """Types back the two digits that the screen shows."""
        return await self.send(self.confirmation)

    @property
    def confirmation(self) -> str:
        """The two digits that the screen asks for."""
        found = _CONFIRMATION.search(self.shown)
        assert found, f"no digits to confirm with on: {self.shown}"
        return found[1]

    async def silence(self, seconds: float = 0.5) -> bool:
        """No SMS comes for so long."""
        with pytest.raises(Lost):
            await self._handset.sms(seconds)
        return True

    async def write(self, short_number: str, text: str) -> None:
        """Sends an SMS."""
        await self._handset.write(short_number, text)

    async def sms(self, about: str = "", seconds: float = SMS_SECONDS) -> str:
        """The next SMS with this text in it; those before it are passed over."""
        while True:
            message = await self._handset.sms(seconds)
            if about in message.text:
                return message.text

    async def sms_from(self, about: str = "") -> tuple[str, str]:
        """The same, with its sender."""
        while True:
            message = await self._handset.sms()
            if about in message.text:
                return message.sender, message.text


class Operators:
    """The core as offices, payment systems, the network and the web cabinet ask it."""

    def __init__(self, desk: HttpBilling, engine: HttpBilling) -> None:
        self._desk = desk
        self._engine = engine

    async def ask(self, operation: str, number: str, /, **arguments: Any) -> Outcome:
        """Performs an operation as whoever may."""
        who = self._engine if OPERATIONS[operation].asked_by == "subscriber" else self._desk
        return await who.perform(Call(str(uuid.uuid4()), operation, number, "ru", arguments), 5.0)

    async def do(self, operation: str, number: str, /, **arguments: Any) -> Any:
        """The same, and it must be done: its result."""
        outcome = await self.ask(operation, number, **arguments)
        assert isinstance(outcome, Done), outcome
        return outcome.result

    async def refused(self, operation: str, number: str, /, **arguments: Any) -> str:
        """The same, and it must be refused: the code."""
        outcome = await self.ask(operation, number, **arguments)
        assert isinstance(outcome, Refused), outcome
        return outcome.code


class Town:
    """All telephones of a test, and who else acts."""

    def __init__(self, centres: Centres, operators: Operators) -> None:
        self.operators = operators
        self._centres = centres

    def of(self, network: str, number: str) -> Telephone:
        """The telephone of this number."""
        return Telephone(self._centres.handset(network, number))

    async def somebody(self, network: str = "kcell", language: str | None = None) -> Telephone:
        """Somebody whom no test has met, who has chosen this language by the option."""
        phone = self.of(network, next(FRESH[network]))
        if language is not None:
            await self.speaks(phone, language)
        return phone

    async def speaks(self, phone: Telephone, language: str) -> None:
        """From now on, screens and SMS are in this language; it is chosen as everybody can choose it."""
        key = str(LANGUAGES[COUNTRY[phone.network]].index(language) + 1)
        if phone.network in ("kcell", "beeline-kz"):
            await phone.dial("*111#", "9", key)
        else:
            await self.operators.do("subscribers.set_language", phone.number, language=language)

    async def with_balance(self, phone: Telephone, whole: int) -> Telephone:
        """Sees to it that so much is on the account, and that the SMS of it are out of the way."""
        account = await self.operators.do("balances.get", phone.number)
        currency = account["balance"]["currency"]
        more = whole * 100 - account["balance"]["minor"]
        if more > 0:
            await self.operators.do(
                "balances.top_up", phone.number, sum={"minor": more, "currency": currency}, place="a-branch"
            )
            await phone.sms()
        elif more < 0:
            await self.operators.do(
                "balances.charge", phone.number, sum={"minor": -more, "currency": currency}, kind="internet"
            )
        return phone
