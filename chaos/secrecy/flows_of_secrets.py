"""What people, offices and the web cabinet do with secrets, from the SMS that brings one to its use and its end.

Rules of this file:
- A flow is one story of one or two people that no other has met. Each secret is told to `Town.keeps` before it is used,
  under the name that it has in the contract: `wallet.confirm.pin`, or that of the event that brings it.
- What does not go as the story wants raises `Astray`, in which no secret stands.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from billing.calls import Call, Done, Outcome
from billing.contract import OPERATIONS
from billing.http_client import HttpBilling
from billing_core.pins import is_trivial
from chaos.secrecy.traces_of_secrets import Secret
from smpp.fake_smsc import FakeSmsc, Handset, NotServed, Screen

SMS_SECONDS: Final = 10.0
LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
KCELL, MEGACOM = "kcell", "megacom"
FIRST: Final = {KCELL: 77010000000, MEGACOM: 996555000000}
WITH_IDENTITY: Final = 200
"""So many of kcell's first numbers have holders that are known."""
DOSTEK: Final = ("3", "3", "14", "14")
PAYER: Final = "01234567890123"
PUBLIC: Final = frozenset({"4259", *(f"{number:04}" for number in range(100))})
"""What stands in places by other right: a short number, and the numbers of migrations."""
_NOT_ACTIVE: Final = (91, 92, 95, 97)
_CODE: Final = re.compile(r"(?<![0-9])([0-9]{8})(?![0-9])")
_PIN: Final = re.compile(r"PIN[^0-9]*: ([0-9]{4})\b")
_PASSWORD: Final = re.compile(r": ([a-z0-9]{10})\.")
_NUMBER: Final = re.compile(r"8 7[0-9]{2} [0-9]{3} [0-9]{4}")
_CONFIRM: Final = re.compile(r"(?:аберите|еріңіз|ype) ([0-9]{2})\b")


class Astray(Exception):
    """The story does not go as it should: the text says where, and holds no secret."""


class Phone:
    """A subscriber's telephone, and what came to it."""

    def __init__(self, centre: FakeSmsc, number: str) -> None:
        self.number = number
        self.centre = centre
        self.handset: Handset = centre.handset(number)
        self.shown = ""

    @property
    def local(self) -> str:
        """The number as people of Kazakhstan type it."""
        return self.number.removeprefix("7")

    async def dial(self, code: str, *keys: str) -> str:
        """Dials, and types what follows, one answer a screen."""
        return await self._type(await self.handset.dial(code), keys)

    async def send(self, *keys: str) -> str:
        """Types, one answer a screen."""
        return await self._type(await self.handset.send(keys[0]), keys[1:])

    async def _type(self, screen: Screen, keys: tuple[str, ...]) -> str:
        for key in keys:
            if screen.ends:
                raise Astray(f"after {screen.text.splitlines()[0]!r} nothing can be typed")
            screen = await self.handset.send(key)
        self.shown = screen.text
        return screen.text

    async def write(self, short_number: str, text: str) -> None:
        """Sends an SMS, and returns when the engine has taken it."""
        await self.centre.send_sms(self.number, short_number, text)

    async def sms(self, pattern: re.Pattern[str]) -> str:
        """What the pattern holds in the next SMS in which it is; those before it are passed over."""
        while True:
            found = pattern.search((await self.centre.sms_to(self.number, SMS_SECONDS)).text)
            if found:
                return found[1]


class Town:
    """All telephones, the core's askers, and all secrets that were ever in use."""

    def __init__(
        self,
        centres: Mapping[str, FakeSmsc],
        engine: HttpBilling,
        desk: HttpBilling,
        vouchers: list[str],
        holders: Mapping[str, Mapping[str, str]],
        chance: random.Random,
    ) -> None:
        """`engine`, `desk`: the core as each asks it. `holders`: who the holders of numbers are."""
        self.centres = centres
        self.chance = chance
        self.secrets: list[Secret] = []
        self.numbers: set[str] = set()
        self.reserving = asyncio.Lock()
        """Of two who look for a number at once, both find the same."""
        self._engine, self._desk = engine, desk
        self._vouchers = iter(vouchers)
        self._holders = iter(holders.items())
        self._fresh = {KCELL: _fresh(KCELL, WITH_IDENTITY), MEGACOM: _fresh(MEGACOM, 20)}
        self._serials = iter(range(20_001, 99_999))
        self._pins: set[str] = set()

    # --- secrets ---

    def keeps(self, text: str, *whats: str) -> str:
        """Notes a secret under the names that it has where it is used; returns it."""
        self.secrets += (Secret(text, what) for what in whats)
        return text

    def pin(self, number: str) -> str:
        """A PIN that nobody else has or had, and that is not trivial for this number."""
        while True:
            pin = f"{self.chance.randrange(10_000):04}"
            if pin not in self._pins | PUBLIC and not is_trivial(pin, number, _TODAY):
                self._pins.add(pin)
                return pin

    def code(self) -> str:
        """Eight digits that are nobody's code."""
        return f"{self.chance.randrange(10**8):08}"

    def password(self) -> str:
        """One that holds more than letters: whatever escapes texts has something to do."""
        return "".join(self.chance.choices(LETTERS, k=12)) + ' "ключ" %7\\'

    def voucher(self) -> str:
        """The digits of a voucher that nobody has used."""
        return next(self._vouchers)

    # --- people ---

    def somebody(self, network: str = KCELL) -> Phone:
        """Somebody whom nobody has met."""
        return self._phone(network, next(self._fresh[network]))

    def holder(self) -> tuple[Phone, Mapping[str, str]]:
        """Somebody of whom it is known who they are, and that."""
        number, identity = next(self._holders)
        return self._phone(KCELL, number), identity

    def inn(self) -> str:
        """The INN of a person who has no wallet."""
        return f"215031985{next(self._serials)}"

    def _phone(self, network: str, number: str) -> Phone:
        self.numbers.add(number)
        return Phone(self.centres[network], number)

    # --- who asks the core ---

    async def ask(self, operation: str, number: str, /, **arguments: Any) -> Outcome:
        """Performs an operation as whoever may."""
        who = self._engine if OPERATIONS[operation].asked_by == "subscriber" else self._desk
        return await who.perform(Call(str(uuid.uuid4()), operation, number, "ru", arguments), 5.0)

    async def do(self, operation: str, number: str, /, **arguments: Any) -> Mapping[str, Any]:
        """The same, and it must be done."""
        outcome = await self.ask(operation, number, **arguments)
        if not isinstance(outcome, Done):
            raise Astray(f"{operation} came to {type(outcome).__name__} {getattr(outcome, 'code', '')}")
        return outcome.result


def _fresh(network: str, first: int) -> Iterator[str]:
    n = first
    while True:
        if n % 100 not in _NOT_ACTIVE and n % 10 != 3:
            yield str(FIRST[network] + n)
        n += 1


def _want(holds: object, where: str) -> None:
    if not holds:
        raise Astray(where)


# --- the wallet ---


async def opened(town: Town) -> tuple[Phone, str]:
    """A new wallet with some money in it, and its PIN."""
    phone = town.somebody(MEGACOM)
    await phone.dial("*900#", "2", "1", "Айгуль", "Асанова", town.inn(), "1", "1")
    pin = town.keeps(await phone.sms(_PIN), "wallet.registered.pin", "wallet.confirm.pin")
    await town.do("wallet.top_up", phone.number, sum={"minor": 30_000, "currency": "KGS"}, place="x")
    return phone, pin


async def payment(town: Town) -> None:
    """The wallet is opened, and pays after a wrong PIN."""
    phone, pin = await opened(town)
    wrong = town.keeps(town.pin(phone.number), "wallet.confirm.pin")
    shown = await phone.dial("*900#", *DOSTEK, PAYER, "50", wrong, pin)
    _want("50" in shown and wrong not in shown, "a payment to a biller")
    other, _ = await opened(town)
    await phone.dial("*900#", "1", "0" + other.number.removeprefix("996"), "20", pin)


async def new_pin(town: Town) -> None:
    """The PIN is changed, not without mistakes; then an office gives another one, and it pays."""
    phone, pin = await opened(town)
    number = phone.number
    wrong = town.keeps(town.pin(number), "wallet.begin_pin_change.old")
    new = town.keeps(town.pin(number), "wallet.choose_pin.new", "wallet.confirm_pin.again")
    differs = town.keeps(town.pin(number), "wallet.confirm_pin.again")
    town.keeps(pin, "wallet.begin_pin_change.old", "wallet.choose_pin.new")
    await phone.dial("*900#", "8", "3", wrong, pin, pin)  # the old one is no new one
    shown = await phone.send(new, differs, new, new)
    _want("PIN изменён" in shown, f"a PIN is changed, and not {shown!r}")
    await phone.dial("*900#", *DOSTEK, PAYER, "30", new)
    await town.do("wallet.reset_pin", number, document="ID AB")
    given = town.keeps(await phone.sms(_PIN), "wallet.pin_reset.pin", "wallet.confirm.pin")
    _want("40" in await phone.dial("*900#", *DOSTEK, PAYER, "40", given), "the PIN of an office pays")


async def locked(town: Town) -> None:
    """Three wrong PINs lock the wallet; the right one is typed in vain."""
    phone, pin = await opened(town)
    wrong = [town.keeps(town.pin(phone.number), "wallet.confirm.pin") for _ in range(3)]
    await phone.dial("*900#", *DOSTEK, PAYER, "60", *wrong)
    await phone.dial("*900#", "8", "3", pin)


# --- passwords, codes, vouchers ---


async def cabinet(town: Town) -> None:
    """A temporary password by SMS; the web cabinet tries a wrong one, the temporary one, and sets one of its own."""
    phone, ask = town.somebody(), town.ask
    await phone.dial("*245#")
    sent = town.keeps(await phone.sms(_PASSWORD), "cabinet.temporary_password.password", "cabinet.login.password")
    wrong = town.keeps(town.password(), "cabinet.login.password", "cabinet.change_password.old")
    new = town.keeps(town.password(), "cabinet.change_password.new", "cabinet.login.password")
    weak = town.keeps("a" * 9 + town.code(), "cabinet.change_password.new")
    town.keeps(sent, "cabinet.change_password.old")
    await ask("cabinet.login", phone.number, password=wrong)
    await town.do("cabinet.login", phone.number, password=sent)
    await ask("cabinet.change_password", phone.number, old=wrong, new=new)
    await ask("cabinet.change_password", phone.number, old=sent, new=weak[:9])
    await town.do("cabinet.change_password", phone.number, old=sent, new=new)
    await town.do("cabinet.login", phone.number, password=new)


async def delegation(town: Town) -> None:
    """A asks for B's number; wrong codes and right ones, by SMS and by USSD; B ends it."""
    a, b = town.somebody(), town.somebody()
    await a.dial("*4259#", "1", "1", b.local)
    code = town.keeps(await b.sms(_CODE), "delegation.asked.code", "delegation.confirm.code")
    wrong = town.keeps(town.code(), "delegation.confirm.code", "delegation.activate.code")
    await b.write("4259", f"{wrong[:4]} {wrong[4:]}")
    await b.write("4259", code)
    activation = town.keeps(await _other_code(b, code), "delegation.activation.code", "delegation.activate.code")
    await a.dial("*4259*1*2#", "1", wrong, activation)
    managed = await town.do("delegation.managed", a.number)
    _want(managed["managed"], "a number is managed")
    await b.write("4259", f"STOP {a.number}")


async def _other_code(phone: Phone, than: str) -> str:
    while (code := await phone.sms(_CODE)) == than:
        pass
    return code


async def reservation(town: Town) -> None:
    """A number is reserved; the code stands on the screen and in an SMS; an office takes it after a wrong one."""
    phone = town.somebody()
    await town.do("balances.top_up", phone.number, sum={"minor": 100_000, "currency": "KZT"}, place="x")
    await town.do("subscribers.set_language", phone.number, language="ru")
    async with town.reserving:
        number = _NUMBER.search(await phone.dial("*222#", "1", "1", "2", "1"))
        shown = await phone.send("1", "1", "1")
        if "!" in shown:  # no office of the city opens in time
            await phone.send("1")
        confirm = _CONFIRM.search(await phone.send("1"))
        _want(number and confirm, "a number is confirmed by digits")
        assert number is not None  # as was wanted
        assert confirm is not None
        found = _CODE.search(await phone.send(confirm[1]))
    _want(found, "the code of a reservation is shown")
    assert found is not None
    code = town.keeps(found[1], "numbers.reserve.code", "numbers.reserved.code", "numbers.register.code")
    wrong = town.keeps(town.code(), "numbers.register.code")
    cities = (await town.do("service_points.cities", phone.number))["cities"]
    told = {"number": "7" + re.sub(r"\D", "", number[0])[1:], "document": "ID AB", "city": cities[0]["id"]}
    await town.ask("numbers.register", phone.number, code=wrong, **told)
    await town.do("numbers.register", phone.number, code=code, **told)


async def voucher(town: Town) -> None:
    """A voucher after a wrong one; used again it is refused."""
    phone = town.somebody()
    wrong = town.keeps(f"9{town.chance.randrange(10**13):013}", "vouchers.redeem.voucher")
    right = town.keeps(town.voucher(), "vouchers.redeem.voucher")
    await phone.dial("*111#", "2", "1", wrong, right)
    await phone.dial("*111#", "2", "1", right)


async def statement(town: Town) -> None:
    """The holder proves who they are, and opens the itemised statement with the code from the SMS."""
    phone, identity = town.holder()
    await town.do("statements.request", phone.number, **identity)
    code = town.keeps(await phone.sms(_CODE), "statements.code.code", "statements.get.code")
    wrong = town.keeps(town.code(), "statements.get.code")
    await town.ask("statements.get", phone.number, code=wrong)
    await town.do("statements.get", phone.number, code=code)


async def blocked(town: Town) -> None:
    """Who is blocked, by whatever they had, tries their secrets in vain."""
    phone, pin = await opened(town)
    quote = await town.do("wallet.quote_payment", phone.number, service="dostek", account=PAYER, sum=35)
    await town.do("subscribers.set_status", phone.number, status="closed")
    await town.ask("wallet.confirm", phone.number, intent=quote["intent"], pin=pin)
    other = town.somebody()
    await town.do("blocking.block", other.number, last_digits=other.number[-4:])
    secrets = {"password": town.keeps(town.password(), "cabinet.login.password")}
    await town.ask("cabinet.login", other.number, **secrets)
    await other.write("4259", town.keeps(town.code(), "delegation.confirm.code"))


_TODAY: Final = datetime.datetime.now(tz=datetime.UTC).date()

Flow = Callable[[Town], Awaitable[None]]
FLOWS: Final[tuple[Flow, ...]] = (
    payment, new_pin, locked, cabinet, delegation, reservation, voucher, statement, blocked,
)  # fmt: skip
LOST: Final = (Astray, NotServed)
