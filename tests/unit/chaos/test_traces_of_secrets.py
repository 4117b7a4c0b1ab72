"""The search for secrets is not blind: planted in every kind of place in every coding, each is found."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import urllib.parse
import uuid
import zlib
from collections.abc import Callable

import msgspec
import pytest

from chaos.secrecy.septets import packed
from chaos.secrecy.traces_of_secrets import Searcher, Secret

PIN, CODE, VOUCHER, PASSWORD = "8305", "48210375", "90271846550318", "wolf7tree9lamps ключ"
SECRETS = [Secret(PIN, "pin"), Secret(CODE, "code"), Secret(VOUCHER, "voucher"), Secret(PASSWORD, "password")]
LONG = [VOUCHER, CODE, "wolf7tree9lamps"]
SEARCHER = Searcher(SECRETS)
_CHANCE = random.Random(1)
NOISE = bytes(_CHANCE.randrange(256) for _ in range(4000))


def swapped(digits: str) -> str:
    return "".join(digits[at + 1] + digits[at] for at in range(0, len(digits), 2))


CODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "upper case": lambda text: text.upper().encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "hex of UCS-2": lambda text: text.encode("utf-16-be").hex().encode(),
    "hex of packed septets": lambda text: packed(b"ab " + text.encode(), 3).hex().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one octet before it": lambda text: base64.b64encode(b"x" + text.encode()),
    "base64, two octets before it": lambda text: base64.urlsafe_b64encode(b"x>" + text.encode()),
    "UCS-2": lambda text: text.encode("utf-16-be"),
    "UCS-2, the other way round": lambda text: text.encode("utf-16-le"),
    **{f"septets at bit {bit}": lambda text, bit=bit: packed(text.encode(), bit) for bit in range(8)},
    "septets after a user data header": lambda text: b"\x05\0\3\7\2\1" + packed(text.encode(), 1),
    "URL-encoded": lambda text: urllib.parse.quote(f"key {text}").encode(),
    "all of it URL-encoded": lambda text: "".join(f"%{octet:02x}" for octet in text.encode()).encode(),
    "JSON escapes": lambda text: "".join(f"\\u{ord(each):04x}" for each in text).encode(),
    "escapes of Python": lambda text: "".join(f"\\x{ord(each):02x}" for each in text).encode(),
    "SHA-256": lambda text: hashlib.sha256(text.encode()).hexdigest().encode(),
    "MD5": lambda text: hashlib.md5(text.encode()).hexdigest().encode(),
}
PLACES: dict[str, Callable[[bytes], bytes]] = {
    "alone": lambda octets: octets,
    "noise": lambda octets: NOISE + octets + b";" + NOISE,
    "a line of log": lambda octets: b'{"event": "call", "seconds": 0.1, "why": "' + octets + b'", "level": "info"}\n',
    "a dump": lambda octets: b"12\t2026-11-25 14:00:00+00\t" + octets + b"\t\\\\x00\n",
    "an append-only file": lambda octets: b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n" % (len(octets), octets),
    "compressed": lambda octets: b"1 id 7 mark\n" + zlib.compress(NOISE[:100] + b'"' + octets + b'"' + NOISE[:100]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("text", LONG)
def test_a_planted_secret_is_found(text: str, coding: str, place: str) -> None:
    if coding.startswith(("SHA", "MD5")) and text not in (CODE, VOUCHER):
        text = PASSWORD  # a digest is one of the whole
    found = SEARCHER.traces("x", PLACES[place](CODINGS[coding](text)))
    assert any(trace.secret.text.startswith(text) for trace in found), found


@pytest.mark.parametrize("digits", [CODE, VOUCHER])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("as_octets", [True, False])
def test_digits_with_their_nibbles_reversed_are_found(digits: str, place: str, as_octets: bool) -> None:
    octets = bytes.fromhex(swapped(digits)) if as_octets else swapped(digits).encode()
    if as_octets and octets.isascii():
        pytest.skip("it reads as any four letters")
    assert SEARCHER.traces("x", PLACES[place](octets))


PINS = {
    "quoted": b'"8305"', "with its name": b"{'pin': '8305'}", "a number of JSON": b'{"pin":8305}',
    "typed": b"pin=8305&x", "dialled": b"*900*3*8305#", "dialled further": b"*900*8305*100#", "said": b"PIN: 8305",
    "in an append-only file": b"$4\r\n8305\r\n",
    "msgpack": msgspec.msgpack.encode({"pin": "8305"}), "a row of PostgreSQL": b"\x0b8305", "a PDU": b"\0\x048305",
    "a PDU in hex": b"\0\x048305".hex().encode(), "hex": b"octets: 38333035 ", "base64": base64.b64encode(b"8305"),
    "base64 of a field": base64.b64encode(b'{"pin":"8305"}'), "UCS-2": b"\x08" + "8305".encode("utf-16-be"),
    "an SMS in UCS-2": "Новый PIN кошелька: 8305. Смените его".encode("utf-16-be"),
    "an SMS in UTF-8": "Новый PIN кошелька: 8305. Смените его".encode(),
    **{f"an SMS in septets at bit {bit}": packed(b"Your PIN: 8305.", bit) for bit in range(8)},
    "URL-encoded": b"pin%3D%38305", "SHA-256": hashlib.sha256(b"8305").hexdigest().encode(),
    "escapes": b'"pin": "\\u0038305"',
}  # fmt: skip


@pytest.mark.parametrize("how", PINS)
@pytest.mark.parametrize("place", ["alone", "noise", "a line of log", "a dump"])
def test_a_pin_is_found_as_a_whole_value(how: str, place: str) -> None:
    assert SEARCHER.traces("x", PLACES[place](PINS[how]))


@pytest.mark.parametrize(
    "value",
    [
        "8305", {"why": ["PIN 8305 is wrong"]}, {"a": {"8305": 1}}, [{"x": b"pin 8305"}], ("typed=8305",),
        "a PIN (8305)", "*900*8305#",
    ],
)  # fmt: skip
def test_in_what_has_a_structure_a_pin_is_found_as_a_word(value: object) -> None:
    [trace] = SEARCHER.traces_in("log", value)
    assert trace.secret.text == PIN


@pytest.mark.parametrize(
    "text",
    [
        f"{uuid.UUID(int=0x8305_8305_8305_8305_8305_8305_8305_8305)}", "…8305/3f9a1c2b", "…8305", "183054", "x8305",
        "8305-11-25", "0x8305", 8305, 1.8305, "10:00:01.8305", "8 701 000 8305", "0830 583 058", "kcell.a1b2c3.8305",
    ],
)  # fmt: skip
def test_what_has_four_digits_of_its_own_is_no_pin(text: object) -> None:
    assert SEARCHER.traces_in("log", {"text": text}) == []


def test_digits_in_a_uuid_or_a_hash_are_chance_and_between_other_digits_are_not() -> None:
    assert SEARCHER.traces("x", f"{CODE}-aaaa-4aaa-8aaa-aaaaaaaaaaaa".encode()) == []
    assert SEARCHER.traces("x", f"aaaa{CODE}{'b' * 20}".encode()) == []
    for text in (f"00{CODE}", f"{CODE}7", f"77{CODE}99", f"abc{CODE}x"):
        assert SEARCHER.traces("x", text.encode()), text


def test_digits_in_a_telephone_number_are_chance() -> None:
    assert SEARCHER.traces("x", f"77{CODE}1".encode()) == []
    assert SEARCHER.traces("x", f"996{CODE}1".encode()) == []


def test_lines_of_json_are_looked_through_but_for_their_moments() -> None:
    lines = (
        '{"timestamp": "2026-11-25T10:00:00.8305", "why": "all is well"}\n{"sum": 8305, "id": "183054"}\n'
        '{"event": "x", "told": {"pin": "8305"}}\nno JSON, but 8305 of it\n'
    )
    assert [trace.place for trace in SEARCHER.traces_in_lines("log", lines.encode())] == ["log.told.pin", "log"]


def test_a_session_that_keeps_a_secret_is_found_in_its_octets() -> None:
    from sessions.session import Session, to_octets

    session = Session("i", "77010000007", "l", "", "kcell", "Kcell", "active", "ru", "s", "v", 0.0, values={"x": CODE})
    large = msgspec.structs.replace(session, values={"x": CODE, "list": ["a long text, as lists are"] * 200})
    assert len(to_octets(large)) < 2000  # compressed
    for each in (session, large):
        assert SEARCHER.traces("redis", to_octets(each))


def test_nothing_is_found_where_nothing_is() -> None:
    others = json.dumps({"id": str(uuid.uuid4()), "code": "11111111", "pin": "0001", "seconds": 1.25, "at": 1764082800})
    assert SEARCHER.traces("x", others.encode() + os.urandom(100_000)) == []


def test_of_a_place_each_secret_is_told_once_a_coding() -> None:
    [trace] = SEARCHER.traces("x", f"{CODE} {CODE} {CODE}".encode())
    assert trace.coding == "as it is"


def test_what_is_ignored_is_not_looked_for() -> None:
    assert Searcher(SECRETS, ignored=[PIN]).traces("x", b'"8305"') == []
