"""YAML that means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from strict_yaml import DEPTH_MAX, MISTAKES_MAX, OCTETS_MAX, Mistake, Range, StrictYamlError, into, read_text


def mistakes_in(text: str) -> list[str]:
    with pytest.raises(StrictYamlError) as caught:
        read_text(text.encode(), "f.yaml")
    return [str(mistake) for mistake in caught.value.mistakes]


def test_only_true_false_null_and_decimal_numbers_are_special() -> None:
    node = read_text(b"a: true\nb: yes\nc: No\nd: 12\ne: -3\nf: null\ng: ~x\nh: 1_000\ni: '5'", "f")
    assert node.plain() == {
        "a": True, "b": "yes", "c": "No", "d": 12, "e": -3, "f": None, "g": "~x", "h": "1_000", "i": "5",
    }  # fmt: skip


def test_keys_are_text_and_three_zeros_are_three_words() -> None:
    assert read_text(b"no: 1\n0: back\n00: home\n'0.0': x", "f").plain() == {
        "no": 1,
        "0": "back",
        "00": "home",
        "0.0": "x",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 0123", 'f.yaml:1:4: 0123 begins with 0 and could be read as octal. Write "0123" in quotes.'),
        ("a: 0x1F", 'f.yaml:1:4: 0x1F is a number only in some readers. Write "0x1F" in quotes.'),
        ("a: 1:30", 'f.yaml:1:4: 1:30 is a number only in some readers. Write "1:30" in quotes.'),
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: 'a' stands twice, first on line 1. Keep one of them."),
        ("a: &x 1", "f.yaml:1:4: an anchor (&x). Remove it; aliases are not read here."),
        ("a: !!str 1", "f.yaml:1:4: a tag (tag:yaml.org,2002:str). Remove it; quote the value if it is text."),
        ("a: {<<: {b: 1}}", "f.yaml:1:5: a merge key (<<). Write the entries out."),
        ("? [a]\n: 1", "f.yaml:1:3: a key that is not a word. Write a plain word before the colon."),
    ],
)
def test_what_surprises_is_refused_with_its_place_and_cure(text: str, line: str) -> None:
    assert mistakes_in(text) == [line]


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    found = mistakes_in("a: &x 0123\nb: *x\na: 1")
    assert [line.split(":")[1] for line in found] == ["1", "1", "2", "3"]


def test_a_second_document_is_refused() -> None:
    assert "second document" in mistakes_in("a: 1\n---\nb: 2")[0]


def test_depth_and_size_have_limits() -> None:
    deep = "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1)
    assert f"more than {DEPTH_MAX} levels deep" in mistakes_in(f"a: {deep}")[0]
    assert "octets" in mistakes_in("a: " + "x" * OCTETS_MAX)[0]


def test_an_alias_bomb_costs_nothing() -> None:
    bomb = "a: &a [x,x]\n" + "".join(f"{c}: &{c} [*{p},*{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))
    assert any("an alias" in line for line in mistakes_in(bomb))


@pytest.mark.parametrize("octets", [b"a: \xff", b"a: 'x", b"a: [1", b"\x00", b"a: b: c", b"%YAML 9\n---\na", b"\t- a"])
def test_what_is_not_yaml_is_one_mistake_with_a_place(octets: bytes) -> None:
    with pytest.raises(StrictYamlError) as caught:
        read_text(octets, "f.yaml")
    assert caught.value.mistakes[0].place.file == "f.yaml"


@dataclass(frozen=True)
class Tyre:
    bar: Annotated[float, Range(1, 10)]


@dataclass(frozen=True)
class Car:
    name: str
    doors: int
    fuel: Literal["petrol", "diesel"]
    tyres: tuple[Tyre, ...]
    owner: str | None = None
    electric: bool = False


def read_car(text: str) -> tuple[Car | None, list[Mistake]]:
    mistakes: list[Mistake] = []
    return into(Car, read_text(text.encode(), "car.yaml"), mistakes), mistakes


def test_a_mapping_becomes_the_record_that_its_annotations_describe() -> None:
    car, mistakes = read_car("name: x\ndoors: 4\nfuel: diesel\ntyres: [{bar: 2.5}, {bar: 3}]\nowner: null")
    assert not mistakes
    assert car == Car("x", 4, "diesel", (Tyre(2.5), Tyre(3.0)))


def test_every_misfit_of_a_record_is_told_with_its_place() -> None:
    car, mistakes = read_car("name: 5\ndoor: 4\nfuel: coal\ntyres: [{bar: 11}]\nelectric: maybe")
    assert car is None
    told = "\n".join(map(str, mistakes))
    for part in (
        'car.yaml:1:7: a number where text is expected. Write "5" in quotes.',
        "car.yaml:2:1: unknown key 'door'. Did you mean 'doors'?",
        "'doors' is missing",
        "'coal' is not one of the choices. Write petrol or diesel.",
        "11 is out of range. Write 1 to 10.",
        "car.yaml:5:11: text where true or false is expected",
    ):
        assert part in told


def test_a_file_with_a_hundred_mistakes_is_read_no_further() -> None:
    with pytest.raises(StrictYamlError) as caught:
        read_text(b"a: &a 1\n" * 9_000, "many.yaml")
    assert len(caught.value.mistakes) == MISTAKES_MAX
