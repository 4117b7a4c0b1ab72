"""What subscribers type, read against the types of the billing contract (pure)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import msisdn
from .menu import Pattern

NO_SUCH_OPTION = {
    "kk": "Ондай тармақ жоқ",
    "ky": "Мындай пункт жок",
    "ru": "Нет такого пункта",
    "en": "No such option",
}

KINDS = ("text", "digits", "count", "money", "msisdn")
"""The words of `check:`; each is a type of the contract or a part of one."""

_PADDING = "\r\n\0@ \t"
_SUM = re.compile(r"(\d{1,9})(?:[.,](\d{1,2}))?\Z", re.ASCII)


class Bounds(NamedTuple):
    """`min` and `max` of a check: of the length of a text or digits, of the value of a count or sum."""

    least: Any = None
    most: Any = None


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


def matched(pattern: Pattern, words: Sequence[str]) -> str | None:
    """What a pattern reads from the folded words of an SMS: its second word or ""; None when it does not match."""
    if words[0] not in pattern.words or len(words) > (2 if pattern.save else 1):
        return None
    if not pattern.save:
        return ""
    second = words[1] if len(words) > 1 else None
    return pattern.choices.get(second or "") if pattern.choices else second


def read(kind: str, text: str, bounds: Bounds, country: str, currency: str) -> Any:
    """The typed value, or None when the text is not of that kind or out of bounds.

    A count is an int; money is `{"minor", "currency"}` in whole minor units; an msisdn is E.164 digits.
    """
    if kind == "text":
        return text if _within(len(text), bounds) else None
    if kind == "digits":
        return text if _is_digits(text) and _within(len(text), bounds) else None
    if kind == "count":
        value = int(text) if _is_digits(text) and len(text) <= 12 else None
        return value if value is not None and _within(value, bounds) else None
    if kind == "msisdn":
        return msisdn.typed(text, country)
    return _money(text, bounds, currency)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _within(value: int, bounds: Bounds) -> bool:
    least, most = _plain(bounds.least), _plain(bounds.most)
    return (least is None or value >= least) and (most is None or value <= most)


def _plain(bound: Any) -> int | None:
    if isinstance(bound, dict):
        bound = bound.get("minor")
    return bound if isinstance(bound, int) else None


def _money(text: str, bounds: Bounds, currency: str) -> dict[str, Any] | None:
    match = _SUM.match(text.replace(" ", ""))
    if match is None:
        return None
    minor = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
    whole_units = Bounds(*(bound * 100 if isinstance(bound, int) else bound for bound in bounds))
    return {"minor": minor, "currency": currency} if minor and _within(minor, whole_units) else None
