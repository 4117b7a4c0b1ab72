"""The guided tour of `ussd-engine demo`, as data: chapters of steps. The numbers of who plays are drawn each time.

Rules of this file:
- What is typed may name what came before: `{a}` is the number of person a as its country types it, `{digits}` the two
  digits that the last screen shows to confirm with, `{code}` what the last SMS with a code brought; `{pin}` is of a
  seeded wallet, `{inn}` and `{new_pin}` are drawn for a newcomer.
- A step says with `sees` what its screen must have. Where it has something else (the number has a wallet already, its
  account is empty), the chapter is played again with other people: on any database, however often it was toured.
- A dialogue ends before the next one begins.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias


class Person(NamedTuple):
    """Who plays: somebody of this network. `language`: which one is chosen beforehand; "" leaves what it is.

    `kind`: `any` active number; a `newcomer` to the wallet; one with a `wallet` of the seed; one that is `blocked`.
    """

    network: str
    language: str = ""
    kind: str = "any"


class Dial(NamedTuple):
    """A code is dialled."""

    who: str
    code: str
    sees: str = ""


class Type(NamedTuple):
    """Something is typed into the dialogue."""

    who: str
    text: str
    sees: str = ""
    secret: bool = False  # shown as stars


class Write(NamedTuple):
    """An SMS is sent to a short number."""

    who: str
    to: str
    text: str


class Receive(NamedTuple):
    """SMS come; those before the one with `about` (a regular expression) in it are shown too. Its group is `{code}`."""

    who: str
    about: str = ""


class Late(NamedTuple):
    """An SMS that comes some time later, of which `why` tells; not waited for when there are no pauses."""

    who: str
    why: str


Step: TypeAlias = Dial | Type | Write | Receive | Late


class Chapter(NamedTuple):
    """A service. People are the same in all chapters that have them under the same name."""

    service: str
    title: str
    steps: tuple[Step, ...]


PEOPLE: Final = {
    "aigerim": Person("kcell", "ru"),
    "bolat": Person("kcell", "kk"),
    "carl": Person("beeline-kz", "en"),
    "dinara": Person("megacom", kind="newcomer"),
    "emil": Person("beeline-kg", "en", "wallet"),
    "farida": Person("o"),
    "galym": Person("kcell", kind="blocked"),
}
PINS: Final = ("5821", "6938", "8055", "9172", "1289", "2406", "3523", "4640", "5757", "6874")
"""Of the seeded wallets, by the last digit of their number."""
EIGHT_DIGITS: Final = r"\b([0-9]{8})\b"
PIN: Final = r"PIN: ([0-9]{4})\b"


def _typed(who: str, *texts: str) -> tuple[Type, ...]:
    return tuple(Type(who, text) for text in texts)


CHAPTERS: Final = (
    Chapter(
        "self_service",
        "Self-service: *111#",
        (
            Dial("aigerim", "*111#", "3 Баланс"),
            Type("aigerim", "3", "Баланс: "),
            Dial("bolat", "*111*3#", "Баланс: "),
            Dial("carl", "*111#", "3 Balance"),
            *_typed("carl", "9", "0"),
            Type("carl", "3", "Balance: "),
        ),
    ),
    Chapter(
        "cabinet",
        "A password for the cabinet: *245#",
        (Dial("aigerim", "*245#", "придёт по SMS"), Receive("aigerim", "пароль кабинета")),
    ),
    Chapter(
        "tariff",
        "Tariffs: *166#",
        (
            Dial("aigerim", "*166*2#", "Остаток: "),
            Dial("aigerim", "*166#", "1 Сменить"),
            *_typed("aigerim", "1", "3"),
            Type("aigerim", "1", "наберите"),
            Type("aigerim", "{digits}", "Новый тариф"),
            Receive("aigerim", "Новый тариф"),
        ),
    ),
    Chapter(
        "services",
        "Services, a voucher and the extra balance, under *111#",
        (
            Dial("carl", "*111*1#", "4 New services"),
            *_typed("carl", "4", "2"),
            Type("carl", "1", "onfirm"),
            Type("carl", "{digits}", "Connected: "),
            Receive("carl", "Connected: "),
            Dial("carl", "*111*2#", "1 Voucher"),
            Type("carl", "1"),
            Type("carl", "20000000000000", "There is no such card"),
            Dial("carl", "*111*2#"),
            Type("carl", "2", "1 Get it now"),
            *_typed("carl", "1", "2"),
            Type("carl", "1", "onfirm"),
            Type("carl", "{digits}", "was lent to you"),
            Receive("carl", "Extra balance: "),
        ),
    ),
    Chapter(
        "requests",
        "Call me, free SMS, a fault, the next office",
        (
            Dial("aigerim", "*111*5#", "1 Перезвони мне"),
            Type("aigerim", "1"),
            Type("aigerim", "{bolat}", "Просьба отправлена"),
            Receive("bolat", "қоңырау"),
            Dial("aigerim", "*111*5#"),
            *_typed("aigerim", "3", "{bolat}"),
            Type("aigerim", "Встретимся в семь", "SMS отправлено"),
            Receive("bolat", "Встретимся"),
            Dial("aigerim", "*111*6#"),
            *_typed("aigerim", "6", "1"),
            Type("aigerim", "3", "Заявка "),
            Receive("aigerim", "Ваша заявка"),
            Dial("aigerim", "*111*6#"),
            *_typed("aigerim", "6", "2", "1", "1"),
            Type("aigerim", "2", "Адрес отправлен"),
            Receive("aigerim", "Алматы"),
        ),
    ),
    Chapter(
        "numbers",
        "A new number: *222#",
        (
            Dial("aigerim", "*222#", "2 activ"),
            *_typed("aigerim", "2", "1", "3", "77", "1", "1"),
            Type("aigerim", "1", "Сейчас "),
            *_typed("aigerim", "98", "98"),
            Type("aigerim", "1", "без возврата"),
            Type("aigerim", "{digits}", "Код "),
            Receive("aigerim", "забронирован"),
            Dial("aigerim", "*222*3#", "Мои брони"),
        ),
    ),
    Chapter(
        "delegation",
        "Letting somebody else manage a number: 4259",
        (
            Dial("bolat", "*4259#"),
            *_typed("bolat", "1", "1"),
            Type("bolat", "{aigerim}", "сұралды"),
            Receive("aigerim", EIGHT_DIGITS),
            Write("aigerim", "4259", "{code}"),
            Receive("aigerim", EIGHT_DIGITS),
            Dial("bolat", "*4259*1*2#"),
            Type("bolat", "1"),
            Type("bolat", "{code}", "басқарасыз", secret=True),
            Receive("aigerim", "управляет"),
            Dial("bolat", "*111#"),
            *_typed("bolat", "8", "1"),
            Type("bolat", "3", "Баланс: "),
            Write("aigerim", "4259", "СТОП {bolat}"),
            Receive("aigerim", "прекращено"),
            Receive("bolat", "тоқтатылды"),
        ),
    ),
    Chapter(
        "sms",
        "By SMS to 111, in any language",
        (
            Write("bolat", "111", "ТЕҢГЕРІМ"),
            Receive("bolat"),
            Write("aigerim", "111", " тариф "),
            Receive("aigerim"),
            Write("carl", "111", "LANG RU"),
            Receive("carl"),
            Write("carl", "111", "как дела?"),
            Receive("carl"),
        ),
    ),
    Chapter(
        "wallet",
        "The wallet ELSOM: *900#",
        (
            Dial("dinara", "*900#", "Тил / Язык / Language"),
            *_typed("dinara", "2", "1", "Динара", "Асанова"),
            Type("dinara", "{inn}", "1 Верно"),
            Type("dinara", "1"),
            Type("dinara", "1", "Кошелёк открыт"),
            Receive("dinara", PIN),
            Dial("dinara", "*900#", "ELSOM"),
            *_typed("dinara", "8", "3"),
            Type("dinara", "{code}", "Новый PIN", secret=True),
            Type("dinara", "{new_pin}", "ещё раз", secret=True),
            Type("dinara", "{new_pin}", "PIN изменён", secret=True),
            Receive("dinara", "PIN кошелька изменён"),
            Dial("emil", "*900#", "1 Transfer"),
            *_typed("emil", "1", "{dinara}"),
            Type("emil", "300", "PIN"),
            Type("emil", "{pin}", "Done: ", secret=True),
            Receive("dinara", "300"),
            Receive("emil", "was sent to"),
            Dial("dinara", "*900#", "ELSOM"),
            *_typed("dinara", "3", "3", "14", "14", "01234567890123"),
            Type("dinara", "120", "PIN"),
            Type("dinara", "{new_pin}", "Готово: ", secret=True),
            Receive("dinara", "Код платежа"),
            Dial("dinara", "*900#"),
            *_typed("dinara", "3", "1", "1", "1234592"),
            Type("dinara", "50", "PIN"),
            Type("dinara", "{new_pin}", "проверяется", secret=True),
            Dial("dinara", "*900#", "не платите снова"),
            Type("dinara", "8"),
            Type("dinara", "1", "В кошельке: "),
        ),
    ),
    Chapter(
        "refused",
        "Who may not: a network without the wallet, a number that its owner has blocked",
        (
            Dial("farida", "*900#", "elsom.kg"),
            Dial("galym", "*111#", "1 "),
            Type("galym", "1"),
            Late("dinara", "the slow biller answers 20 seconds after the payment, and the outcome follows by SMS"),
        ),
    ),
)
