"""Subscriber numbers as addresses carry them and as people type them."""

from __future__ import annotations

import pytest

from ussd_engine import msisdn


@pytest.mark.parametrize(
    "text", ["7010000007", "77010000007", "87010000007", "+77010000007", "8 701 000 00 07", "8(701)000-00-07"]
)
def test_kazakh_numbers_as_people_type_them(text: str) -> None:
    assert msisdn.typed(text, "KZ") == "77010000007"


@pytest.mark.parametrize("text", ["555123456", "0555123456", "996555123456", "+996555123456", "0555 123 456"])
def test_kyrgyz_numbers_as_people_type_them(text: str) -> None:
    assert msisdn.typed(text, "KG") == "996555123456"


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("701000000", "KZ"), ("97010000007", "KZ"), ("770100000077", "KZ"), ("996555123456", "KZ"), ("x", "KZ"),
        ("", "KZ"), ("+", "KZ"), ("٧٠١٠٠٠٠٠٠٧", "KZ"), ("0055512345", "KG"), ("77010000007", "KG"),
        ("1555123456", "KG"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str, country: str) -> None:
    assert msisdn.typed(text, country) is None


@pytest.mark.parametrize(
    ("digits", "ton"), [("77010000007", 1), ("7010000007", 2), ("87010000007", 0), ("77010000007", 0)]
)
def test_addresses_of_every_type_of_number(digits: str, ton: int) -> None:
    assert msisdn.from_address(digits, ton, "KZ") == "77010000007"


@pytest.mark.parametrize("country", msisdn.COUNTRIES)
def test_the_example_of_each_country_is_a_number_there(country: str) -> None:
    assert msisdn.typed(msisdn.EXAMPLES[country], country)


def test_shown_as_people_write_it() -> None:
    assert msisdn.shown("77010000007") == "8 701 000 0007"
    assert msisdn.shown("996555123456") == "0555 123 456"
    assert msisdn.shown("12025550123") == "+12025550123"


@pytest.mark.parametrize(("number", "country"), [("77010000007", "KZ"), ("996555123456", "KG")])
def test_what_is_shown_can_be_typed_back(number: str, country: str) -> None:
    assert msisdn.typed(msisdn.shown(number), country) == number
