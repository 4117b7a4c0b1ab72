"""What was dialled, in all the forms in which networks and handsets send it."""

from __future__ import annotations

import pytest

from ussd_engine.dial_string import Dialled, joined, parse


@pytest.mark.parametrize(
    "text",
    ["*111*3#", "111*3#", "*111*3", "*111*3##", " *111*3# ", "*111*3#\r\n", "*111*3#\0\0", "*111*3#@@", "*1 11*3 #"],
)
def test_odd_forms_of_one_string_are_one_string(text: str) -> None:
    assert parse(text) == Dialled(("111", "3"))


@pytest.mark.parametrize("text", ["**21*7701#", "##002#", "*#06#", "#31#", "", "*", "#", "*#", "*11-1#", "*111*é#"])
def test_what_is_not_a_service_string_is_not_ours(text: str) -> None:
    assert parse(text) is None


def test_an_empty_part_is_kept() -> None:
    assert parse("*111**3#") == Dialled(("111", "", "3"))


def test_1113_is_not_111_3() -> None:
    assert parse("*1113#") == Dialled(("1113",))


def test_it_prints_as_dialled() -> None:
    assert str(parse("111*3")) == "*111*3#"


def test_a_string_of_very_many_parts_is_refused() -> None:
    assert parse("*1" * 100 + "#") is None


@pytest.mark.parametrize(
    ("destination", "text"),
    [
        ("*111#", "*111*3#"),
        ("111", "*111*3#"),
        ("111", "111*3#"),
        ("*111#", "3"),
        ("111", "3#"),
        ("*111*3#", ""),
        ("any", "*111*3#"),
    ],
)
def test_code_and_rest_come_together_or_apart(destination: str, text: str) -> None:
    assert joined(destination, text) == Dialled(("111", "3"))


def test_a_supplementary_service_in_the_text_is_not_ours_whatever_the_address() -> None:
    assert joined("*111#", "*#06#") is None
