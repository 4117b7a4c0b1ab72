"""What subscribers type, read against the types of the billing contract (pure)."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .. import msisdn
from .menu import Check, Pattern

NO_SUCH_OPTION = {
    "kk": "Ондай тармақ жоқ",
    "ky": "Мындай пункт жок",
    "ru": "Нет такого пункта",
    "en": "No such option",
}
NOTHING_TYPED = {
    "kk": "Жауап енгізіңіз",
    "ky": "Жооп жазыңыз",
    "ru": "Введите ответ",
    "en": "Type an answer",
}

INN_ANY, INN_PERSON, INN_COMPANY = "kg-any", "kg-person", "kg-company"
INN_FORMS = (INN_ANY, INN_PERSON, INN_COMPANY)
"""A taxpayer's number of Kyrgyzstan: a person's begins with 1 or 2 and the day of birth, a company's with 0."""

_PADDING = "\r\n\0@ \t"
_SUM = re.compile(r"(\d{1,9})(?:[.,](\d{1,2}))?\Z", re.ASCII)
_DAY = re.compile(r"(\d{2})[. /-]?(\d{2})[. /-]?(\d{4})\Z", re.ASCII)
_INN = re.compile(r"([0-2])(\d{8})\d{5}\Z", re.ASCII)
_COUNT_DIGITS_MAX = 12


class Bounds(NamedTuple):
    """`min` and `max` of a check: of the length of a text or digits, of the value of a count or sum."""

    least: Any = None
    most: Any = None


class Where(NamedTuple):
    """Where and when something is typed: the network's country and currency, and its local day."""

    country: str
    currency: str
    today: datetime.date


ANYWHERE = Where("KZ", "KZT", datetime.date.max)
"""For questions about an answer that do not depend on where it is typed."""


def tidy(text: str) -> str:
    """The input without padding, full-width and other digits as ASCII ones."""
    text = text.strip(_PADDING)
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.digit(sign)) if unicodedata.category(sign) == "Nd" else sign
        for sign in unicodedata.normalize("NFKC", text)
    )


_LOOK_ALIKES = str.maketrans("АВЕКМНОРСТУХІЅЈ", "ABEKMHOPCTYXISJ")


def folded(text: str) -> str:
    """A word as SMS patterns compare it: capitals, without spaces around, Cyrillic look-alikes as Latin letters."""
    return tidy(text).upper().translate(_LOOK_ALIKES)


_DASHES = re.compile("[-\u2010-\u2015\u2212]")


def matched(pattern: Pattern, words: Sequence[str], country: str) -> str | None:
    """What a pattern reads from the folded words of an SMS: its code, the number or second word after its word, or "";
    None when it does not match."""
    if pattern.secret:
        code = _DASHES.sub("", "".join(words))
        return code if _is_digits(code) and len(code) == pattern.digits else None
    if pattern.number:
        return msisdn.typed("".join(words[1:]), country) if words[0] in pattern.words else None
    if words[0] not in pattern.words or len(words) > (2 if pattern.save else 1):
        return None
    if not pattern.save:
        return ""
    second = words[1] if len(words) > 1 else None
    return pattern.choices.get(second or "") if pattern.choices else second


def read(check: Check, text: str, bounds: Bounds, where: Where) -> Any:
    """The typed value, or None when the text is not of the check's kind or out of bounds.

    A count is an int; money is `{"minor", "currency"}` in whole minor units; an msisdn is E.164 digits; a day is
    ISO 8601.
    """
    return _READERS[check.kind](check, text, bounds, where)


def _text(_check: Check, text: str, bounds: Bounds, _where: Where) -> str | None:
    return text if _within(len(text), bounds) else None


def _digits(_check: Check, text: str, bounds: Bounds, _where: Where) -> str | None:
    return text if _is_digits(text) and _within(len(text), bounds) else None


def _count(_check: Check, text: str, bounds: Bounds, _where: Where) -> int | None:
    value = int(text) if _is_digits(text) and len(text) <= _COUNT_DIGITS_MAX else None
    return value if value is not None and _within(value, bounds) else None


def _msisdn(_check: Check, text: str, _bounds: Bounds, where: Where) -> str | None:
    return msisdn.typed(text, where.country)


def _money(_check: Check, text: str, bounds: Bounds, where: Where) -> dict[str, Any] | None:
    match = _SUM.match(text.replace(" ", ""))
    if match is None:
        return None
    minor = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
    whole_units = Bounds(*(bound * 100 if isinstance(bound, int) else bound for bound in bounds))
    return {"minor": minor, "currency": where.currency} if minor and _within(minor, whole_units) else None


def _day(_check: Check, text: str, _bounds: Bounds, _where: Where) -> str | None:
    match = _DAY.match(text)
    found = _calendar_day(match[1] + match[2] + match[3]) if match else None
    return found.isoformat() if found else None


def _inn(check: Check, text: str, _bounds: Bounds, where: Where) -> str | None:
    match = _INN.match(text)
    if match is None:
        return None
    is_company = match[1] == "0"
    if check.words[0] != INN_ANY and is_company != (check.words[0] == INN_COMPANY):
        return None
    born = None if is_company else _calendar_day(match[2])
    return text if is_company or (born is not None and born < where.today) else None


def _choice(check: Check, text: str, _bounds: Bounds, _where: Where) -> str | None:
    wanted = folded(text)
    return next((word for word in check.words if folded(word) == wanted), None)


_READERS: Mapping[str, Callable[[Check, str, Bounds, Where], Any]] = {
    "text": _text,
    "digits": _digits,
    "count": _count,
    "money": _money,
    "msisdn": _msisdn,
    "day": _day,
    "inn": _inn,
    "choice": _choice,
}
KINDS = tuple(_READERS)
"""The words of `check:`; each is a type of the contract or a part of one."""


def _calendar_day(digits: str) -> datetime.date | None:
    """DDMMYYYY as a day of the calendar."""
    try:
        return datetime.date(int(digits[4:]), int(digits[2:4]), int(digits[:2]))
    except ValueError:
        return None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _within(value: int, bounds: Bounds) -> bool:
    least, most = _plain(bounds.least), _plain(bounds.most)
    return (least is None or value >= least) and (most is None or value <= most)


def _plain(bound: Any) -> int | None:
    if isinstance(bound, dict):
        bound = bound.get("minor")
    return bound if isinstance(bound, int) else None
