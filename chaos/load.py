"""Payments and reservations at a rate: subscribers who read their screens, and remember what they were told.

Rules of this file:
- Everything is dialled and typed over SMPP; what a screen asks decides what is typed.
- An attempt is known by its number and a sum (or a reserved number) that this number uses once only, so that the
  ledger can be asked about it without anything that the engine or the core said.
- Whoever is not answered hangs on for a while, and dials again later, as people do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from chaos.people import FIRST_PAYER, FIRST_RESERVER, PIN
from chaos.stand import Stand
from smpp.fake_smsc import FakeSmsc, Handset, NotServed, Screen

Kind: TypeAlias = Literal["payment", "transfer", "reservation"]
Said: TypeAlias = Literal["done", "refused", "not_done", "checking", "dial_again", "busy", "nothing"]
"""What the last screen said of it: that it is done; that who would get it, or somebody faster, had it refused; that it
is not done, and nothing was taken; that it is being checked;
that the dialogue is over; that it cannot be begun now; or nothing at all."""

PAYMENTS_A_SECOND: Final = 50.0
RESERVATIONS_A_SECOND: Final = 20.0
PAYERS: Final = 600
RESERVERS: Final = 400
SCREEN_SECONDS: Final = 6.0
REST_SECONDS: Final = 1.0
"""Between two attempts of one number."""
STEPS_MAX: Final = 25
ACCEPTED_ACCOUNT, REFUSED_ACCOUNT = "01234567890100", "01234567890190"

_SAYS: Final[tuple[tuple[Said, re.Pattern[str]], ...]] = (
    ("done", re.compile(r"Готово: |Код \d{8}\n|Номер забронирован\.")),
    ("checking", re.compile(r"проверяется")),
    ("refused", re.compile(r"не принял|уже заняли")),
    ("busy", re.compile(r"Прошлый платёж|Ведутся работы|слишком много")),
    ("dial_again", re.compile(r"Сеанс завершён")),
    (
        "not_done",
        re.compile(
            r"не списаны|временно недоступен|не забронирован|не завершена|не хватает|Не хватает"
            r"|Свободных номеров"
        ),
    ),
)
_RESUME: Final = re.compile(r"места обрыва")
_DIGITS: Final = re.compile(r"Наберите (\d\d)\b")
_NUMBERS_ITEM: Final = re.compile(r"^(\d) 8 (\d{3}) (\d{3}) (\d{4})$", re.MULTILINE)


@dataclass
class Attempt:
    """One payment or reservation that somebody tried to make."""

    kind: Kind
    number: str
    key: str
    """The sum in whole units, or the number that is to be reserved."""
    confirmed: bool = False
    """The confirming answer has left the handset."""
    said: Said = "nothing"
    screen: str = ""
    began: float = field(default_factory=time.monotonic)
    handset: Handset | None = None


def said_by(text: str) -> Said | None:
    """What a screen says of an attempt; None: it asks for something."""
    return next((said for said, pattern in _SAYS if pattern.search(text)), None)


class Load:
    """Both kinds at their rates, until it is told to stop."""

    def __init__(self, stand: Stand, chance: random.Random) -> None:
        self.attempts: list[Attempt] = []
        self.unasked: Counter[str] = Counter()
        """Screens that nobody here can read: what they began with, and how often."""
        self._stand = stand
        self._chance = chance
        self.payments_a_second = PAYMENTS_A_SECOND
        self.reservations_a_second = RESERVATIONS_A_SECOND
        self.rest_seconds = REST_SECONDS
        self._payers = deque(str(FIRST_PAYER + n) for n in range(PAYERS))
        self._reservers = deque(str(FIRST_RESERVER + n) for n in range(RESERVERS))
        self._sums: Counter[str] = Counter()
        self._tried: set[tuple[str, str]] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Begins to offer both, at rates that may be changed meanwhile."""
        offers = (
            self._offer(lambda: self.payments_a_second, self._payers, self._pay),
            self._offer(lambda: self.reservations_a_second, self._reservers, self._reserve),
        )
        self._running = [asyncio.create_task(offer) for offer in offers]

    async def end(self) -> None:
        """Offers nothing more, and waits for those that are under way."""
        self._over.set()
        await asyncio.gather(*self._running)
        await asyncio.gather(*self._under_way)

    def hear_late_screens(self) -> None:
        """What came after somebody had given up waiting, and says something, counts as well."""
        for attempt in self.attempts:
            while attempt.handset is not None and not attempt.handset.arrived.empty():
                arrived = attempt.handset.arrived.get_nowait()
                if isinstance(arrived, Screen) and attempt.said == "nothing" and (said := said_by(arrived.text)):
                    attempt.said, attempt.screen = said, arrived.text

    # --- the rates ---

    async def _offer(
        self, a_second: Callable[[], float], free: deque[str], attempt: Callable[[str], Awaitable[None]]
    ) -> None:
        due, before = 0.0, time.monotonic()
        while not self._over.is_set():
            now = time.monotonic()
            due, before = due + (now - before) * a_second(), now
            while due >= 1 and free:
                due -= 1
                task = asyncio.create_task(self._one(free.popleft(), free, attempt))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            due = min(due, 1.0)  # what could not be offered is not made up for
            await asyncio.sleep(0.01)

    async def _one(self, number: str, free: deque[str], attempt: Callable[[str], Awaitable[None]]) -> None:
        with contextlib.suppress(NotServed):  # nobody is bound, or no screen: the attempt says how far it came
            await attempt(number)
        await asyncio.sleep(self.rest_seconds)
        free.append(number)

    # --- paying ---

    async def _pay(self, number: str) -> None:
        self._sums[number] += 1
        whole = str(10 + self._sums[number])
        if self._chance.random() < 0.7:
            account = ACCEPTED_ACCOUNT if self._chance.random() < 0.8 else REFUSED_ACCOUNT
            attempt = Attempt("payment", number, whole)
            await self._talk(attempt, self._stand.centres["megacom"], f"*900*3*3*14*14*{account}*{whole}#", _payment)
            return
        to = number
        while to == number:
            to = str(FIRST_PAYER + self._chance.randrange(PAYERS))
        attempt = Attempt("transfer", number, whole)
        await self._talk(attempt, self._stand.centres["megacom"], "*900#", _Transfer(to, whole))

    # --- reserving ---

    async def _reserve(self, number: str) -> None:
        attempt = Attempt("reservation", number, "")
        await self._talk(attempt, self._stand.centres["kcell"], "*222#", _Reserving(self._chance, self._tried))

    async def _talk(
        self, attempt: Attempt, centre: FakeSmsc, code: str, answers: Callable[[Attempt, str], str | None]
    ) -> None:
        handset = attempt.handset = centre.handset(attempt.number)
        screen = await handset.dial(code, SCREEN_SECONDS)
        self.attempts.append(attempt)
        for _ in range(STEPS_MAX):
            attempt.screen = screen.text
            if said := said_by(screen.text):
                attempt.said = said
                return
            typed = "2" if _RESUME.search(screen.text) else answers(attempt, screen.text)
            if typed is None or screen.ends:
                self.unasked[screen.text[:60]] += 1
                return
            screen = await handset.send(typed, SCREEN_SECONDS)


def _payment(attempt: Attempt, screen: str) -> str | None:
    if "PIN" not in screen:
        return None
    attempt.confirmed = True
    return PIN


class _Transfer:
    """Types what sends a sum from one wallet to another."""

    def __init__(self, to: str, whole: str) -> None:
        self._to = "0" + to.removeprefix("996")
        self._whole = whole

    def __call__(self, attempt: Attempt, screen: str) -> str | None:
        if "1 Перевод" in screen:
            return "1"
        if "получателя" in screen:
            return self._to
        return self._whole if "Сколько сомов" in screen else _payment(attempt, screen)


class _Reserving:
    """Types what reserves any number that this subscriber has not tried before."""

    def __init__(self, chance: random.Random, tried: set[tuple[str, str]]) -> None:
        self._chance = chance
        self._tried = tried
        self._numbers: list[str] = []

    def __call__(self, attempt: Attempt, screen: str) -> str | None:
        if digits := _DIGITS.search(screen):
            attempt.confirmed = True
            return digits[1]
        if found := _NUMBERS_ITEM.findall(screen):
            return self._choose(attempt, found)
        for asked, typed in (("1 Kcell", "1"), ("Префикс", "1"), ("Как искать", "3"), ("1 Выбрать", "1"),
                             ("Город офиса", "1"), ("1 Забронировать", "1"), ("98 Ещё", "98"),
                             ("не откроется", "1"), ("Таких свободных номеров нет", "1")):  # fmt: skip
            if asked in screen:
                return typed
        return f"{self._chance.randrange(100, 1000)}" if "Какие цифры" in screen else None

    def _choose(self, attempt: Attempt, found: list[tuple[str, ...]]) -> str | None:
        for key, *parts in self._chance.sample(found, len(found)):
            chosen = "7" + "".join(parts)
            if (attempt.number, chosen) not in self._tried:
                self._tried.add((attempt.number, chosen))
                attempt.key = chosen
                return key
        return None
