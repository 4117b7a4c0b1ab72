"""PINs of wallets: four digits, how they are made, which are too easy, and which INN is a person's (pure)."""

from __future__ import annotations

import datetime
import re
import secrets
from typing import Final

DIGITS: Final = 4
_PIN: Final = re.compile(r"[0-9]{4}\Z", re.ASCII)
_INN: Final = re.compile(r"[12]([0-9]{2})([0-9]{2})([0-9]{4})[0-9]{5}\Z", re.ASCII)
_ROW: Final = "01234567890"
_FIRST_BIRTH_YEAR: Final = 1900


def make_pin(msisdn: str, today: datetime.date) -> str:
    """A random PIN that is not trivial."""
    while True:
        pin = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        if not is_trivial(pin, msisdn, today):
            return pin


def is_trivial(pin: str, msisdn: str, today: datetime.date) -> bool:
    """Whether a PIN is none, or what is tried first: one digit, a row of digits, the number's end, a birth year."""
    if not _PIN.match(pin) or len(set(pin)) == 1 or pin == msisdn[-DIGITS:]:
        return True
    return pin in _ROW or pin in _ROW[::-1] or _FIRST_BIRTH_YEAR <= int(pin) <= today.year


def is_personal_inn(inn: str, today: datetime.date) -> bool:
    """Whether these are the 14 digits of a person: 1 or 2, a past date as DDMMYYYY, and five digits."""
    found = _INN.match(inn)
    if found is None:
        return False
    day, month, year = (int(part) for part in found.groups())
    try:
        return datetime.date(_FIRST_BIRTH_YEAR, 1, 1) <= datetime.date(year, month, day) < today
    except ValueError:
        return False
