"""Subscriber numbers: E.164 digits everywhere, one pure function per country for what addresses and people say.

Kazakhstan: 10 digits, or 11 beginning with 7 or 8. Kyrgyzstan: 9 digits, 10 with a leading 0, or 12 (996…).
The network of a number is never read from its prefix: numbers are ported.
"""

from __future__ import annotations

import re
from collections.abc import Callable

TON_UNKNOWN, TON_INTERNATIONAL, TON_NATIONAL = 0, 1, 2
"""Types of number, SMPP 3.4 section 5.2.5."""

EXAMPLES = {"KZ": "7010000007", "KG": "0555123456"}
"""What a person is shown who typed something else."""

_SEPARATORS = re.compile(r"[\s().\-\u00a0]")


def _kazakhstan(digits: str) -> str | None:
    if len(digits) == 11 and digits[0] in "78":
        digits = digits[1:]
    return "7" + digits if len(digits) == 10 and digits[0] in "67" else None


def _kyrgyzstan(digits: str) -> str | None:
    if len(digits) == 12 and digits.startswith("996"):
        return digits
    if len(digits) == 10 and digits[0] == "0":
        digits = digits[1:]
    return "996" + digits if len(digits) == 9 and digits[0] != "0" else None


_COUNTRIES: dict[str, Callable[[str], str | None]] = {"KZ": _kazakhstan, "KG": _kyrgyzstan}
_INTERNATIONAL = {"KZ": re.compile(r"7[67][0-9]{9}\Z"), "KG": re.compile(r"996[1-9][0-9]{8}\Z")}
COUNTRIES = tuple(_COUNTRIES)


def typed(text: str, country: str) -> str | None:
    """The E.164 digits of what a person typed in `country` ("KZ", "KG"); None when it is no number there."""
    text = _SEPARATORS.sub("", text)
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if text.startswith("+"):
        return digits if _INTERNATIONAL[country].match(digits) else None
    return _COUNTRIES[country](digits)


def from_address(digits: str, ton: int, country: str) -> str | None:
    """The E.164 digits of an SMPP address; None when it is not a number of `country`.

    TON 1 says international, 2 national; 0 leaves it open and any form of the country is taken.
    """
    digits = digits.removeprefix("+")
    if ton == TON_INTERNATIONAL and _INTERNATIONAL[country].match(digits):
        return digits
    return typed(digits, country)


def shown(msisdn: str) -> str:
    """The number as people of its country write it: `8 701 000 0007`, `0555 123 456`; others as `+…`."""
    if _INTERNATIONAL["KZ"].match(msisdn):
        return f"8 {msisdn[1:4]} {msisdn[4:7]} {msisdn[7:]}"
    if _INTERNATIONAL["KG"].match(msisdn):
        return f"0{msisdn[3:6]} {msisdn[6:9]} {msisdn[9:]}"
    return f"+{msisdn}"
