"""Finds secrets in octets, however they may have got there: plain, hex, base64, UCS-2, packed septets and the like.

Rules of this file (pure):
- Octets are read in every coding; what comes out is looked up. Codings lie in one another (UCS-2 in a hex dump).
- A secret of eight characters or more is looked for everywhere, as any part of anything. A find inside a run of hex
  digits as long as a UUID is chance.
- Four digits are everywhere: a PIN is looked for as a whole value (quoted, dialled, behind the word PIN, behind its
  length), and in what has a structure as a word of its own (`traces_in`).
- Of each secret the usual digests are looked for, too: four or eight digits are found from them by trying.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from chaos.secrecy.septets import Packed

LONG: Final = 8
"""Characters of the shortest secret that is looked for as any part of anything."""
_AS_IT_IS: Final = "as it is"
_COMPRESSED: Final = "compressed"
_SHOWN: Final = 24
_CHANCE_CHARACTERS: Final = 24
_DIGITS: Final = re.compile(rb"[0-9]{8,}")
_WORDS: Final = re.compile(rb"[0-9A-Za-z]{10,}")
_HEX: Final = re.compile(rb"[0-9a-fA-F]{8,}")
_HEX_WORD: Final = re.compile(rb"[0-9a-fA-F-]*\Z")
_HEX_REST: Final = re.compile(rb"[0-9a-fA-F-]*")
_DIGITS_BEFORE: Final = re.compile(rb"[0-9]*\Z")
_DIGITS_AFTER: Final = re.compile(rb"[0-9]*")
_TELEPHONE: Final = re.compile(rb"(?:77[0-9]{9}|996[0-9]{9})\Z")
_DIGEST: Final = re.compile(rb"[0-9a-f]{32,}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{6,}")
_BIG: Final = re.compile(rb"(?:\x00[ -~]){4,}")
_LITTLE: Final = re.compile(rb"(?:[ -~]\x00){4,}")
_PERCENT: Final = re.compile(rb"[A-Za-z0-9._~*-]*(?:%[0-9a-fA-F]{2}[A-Za-z0-9._~*-]*)+")
_ESCAPE: Final = re.compile(rb"\\u00([0-9a-fA-F]{2})|\\x([0-9a-fA-F]{2})")
_ZLIB: Final = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_QUOTED: Final = re.compile(rb"[\"'*]([0-9]{4})(?![0-9A-Za-z])")
_NAMED: Final = re.compile(rb"(?:[Pp][Ii][Nn]|code)[\"']?[ :=.]{1,3}([0-9]{4})(?![0-9])")
_COUNTED: Final = re.compile(rb"(?:[\x04\x0b\xa4]|\$4\r\n)([0-9]{4})")
"""Behind its length: in a PDU, in a row of PostgreSQL, in msgpack, in Redis' protocol."""
_SAID: Final = re.compile(rb": ([0-9]{4})\.(?![0-9])")
"""As an SMS ends: `Новый PIN кошелька: 8305.`"""
_WORD: Final = re.compile(r"(?<![0-9A-Za-z])[0-9]{4}(?![0-9A-Za-z])")
_ANY_WORD: Final = re.compile(rb"(?<![0-9A-Za-z])[0-9]{4}(?![0-9A-Za-z])")
_NO_WORD: Final = re.compile(
    r"….{4}/[0-9a-f]{8}|…[0-9]{4}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}\.[0-9]{2}\.[0-9]{4}|:[0-9]{2}\.[0-9]+|0x[0-9a-f]{4}"
    r"|8 7[0-9]{2} [0-9]{3} [0-9]{4}|0[0-9]{3} [0-9]{3} [0-9]{3}|\.[0-9a-f]{6}\.[0-9]+"
)
"""What has four digits of its own: masks, UUIDs, days and moments, tags, telephone numbers as they are shown, binds."""


class Coding(NamedTuple):
    """How octets are read, and which codings are looked for in what comes out."""

    read: Callable[[bytes], Iterator[bytes]]
    inside: tuple[str, ...] = ()


class Secret(NamedTuple):
    """A secret, and what it is: `wallet.confirm.pin`."""

    text: str
    what: str


class Trace(NamedTuple):
    """A secret that was found: where, in which coding."""

    secret: Secret
    place: str
    coding: str
    around: str

    def __str__(self) -> str:
        return f"{self.secret.what} ({self.secret.text}) in {self.place}, {self.coding}: {self.around}"


class Searcher:
    """Looks for a set of secrets. `ignored`: four digits that everybody has: short numbers, ends of phone numbers."""

    def __init__(self, secrets: Iterable[Secret], ignored: Iterable[str] = ()) -> None:
        known = list(dict.fromkeys(secrets))
        self.pins = {each.text.encode(): each for each in known if len(each.text) < LONG}
        for digits in ignored:
            self.pins.pop(digits.encode(), None)
        self._long: dict[bytes, tuple[Secret, str]] = {}
        self._raw: dict[bytes, Secret] = {}
        self._digests: dict[bytes, tuple[Secret, str]] = {}
        for secret in known:
            self._add(secret)
        self._lengths = sorted({len(each) for each in self._long})
        self._packed = Packed([text for text in self._long if not self._long[text][1]])

    def _add(self, secret: Secret) -> None:
        text = secret.text.encode()
        for name in ("sha256", "sha1", "md5"):
            digest = hashlib.new(name, text, usedforsecurity=False).hexdigest().encode()
            self._digests[digest] = (secret, f" {name}")
        core = max(re.findall(rb"[0-9A-Za-z]+", text), key=len, default=b"").lower()
        if len(core) < LONG or secret.text.encode() in self.pins:
            return
        self._long[core] = (secret, "")
        if core.isdigit():
            swapped = _swapped(core)
            self._long.setdefault(swapped, (secret, ", nibbles reversed"))
            octets = bytes.fromhex(swapped.decode() + "f" * (len(swapped) % 2))
            if not octets.isascii():
                self._raw[octets] = secret

    # --- octets ---

    def traces(self, place: str, octets: bytes, *, small: bool = True) -> list[Trace]:
        """Every secret in these octets, each once a coding. `small`: also codings so short that in tens of megabytes of
        anything they come by chance."""
        found: dict[tuple[Secret, str], Trace] = {}
        for trace in self._search(place, octets, _AS_IT_IS, tuple(CODINGS), small):
            found.setdefault((trace.secret, trace.coding), trace)
        return list(found.values())

    def _search(self, place: str, octets: bytes, coding: str, inside: Sequence[str], small: bool) -> Iterator[Trace]:
        yield from self._plain(place, octets, coding)
        for text, at in self._packed.found(octets):
            yield Trace(self._long[text][0], place, f"{coding}, packed septets", _around(octets, at))
        for pin, at in self._packed.found_pins(octets):
            if pin in self.pins:
                yield Trace(self.pins[pin], place, f"{coding}, packed septets", _around(octets, at))
        for raw, secret in self._raw.items():
            seldom = len(raw) > LONG // 2 or (small and coding in (_AS_IT_IS, _COMPRESSED))
            if seldom and (at := octets.find(raw)) >= 0:
                yield Trace(secret, place, f"{coding}, nibbles reversed", _around(octets, at))
        for name in inside:
            read_as = name if coding == _AS_IT_IS else f"{coding}, {name}"
            for read in CODINGS[name].read(octets):
                yield from self._search(place, read, read_as, CODINGS[name].inside, small)

    def _plain(self, place: str, octets: bytes, coding: str) -> Iterator[Trace]:
        for pattern in (_DIGITS, _WORDS):
            for run in set(pattern.findall(octets)):
                for text in self._windows(run.lower()):
                    secret, how = self._long[text]
                    for at in _places(octets, run):
                        if not (text.isdigit() and _is_chance(octets, at + run.lower().find(text), len(text))):
                            yield Trace(secret, place, coding + how, _around(octets, at))
                            break
        for run in set(_DIGEST.findall(octets)):
            if run in self._digests:
                secret, how = self._digests[run]
                yield Trace(secret, place, coding + how, run.decode())
        for pattern in (_QUOTED, _NAMED, _COUNTED, _SAID):
            for match in pattern.finditer(octets):
                if match[1] in self.pins:
                    yield Trace(self.pins[match[1]], place, coding, _around(octets, match.start()))
        if len(octets) == 4 and octets in self.pins:
            yield Trace(self.pins[octets], place, coding, octets.decode())

    def _windows(self, run: bytes) -> Iterator[bytes]:
        for length in self._lengths:
            for at in range(len(run) - length + 1):
                if run[at : at + length] in self._long:
                    yield run[at : at + length]

    # --- what has a structure ---

    def traces_in(self, place: str, value: Any) -> list[Trace]:
        """Every PIN that is a word of its own in a text of this value, be it a mapping of lists of anything."""
        return [
            Trace(self.pins[word.encode()], f"{place}{path}", "a word", text[:_SHOWN])
            for path, text in texts_in(value)
            for word in _WORD.findall(_NO_WORD.sub(" ", text))
            if word.encode() in self.pins
        ]

    def traces_in_lines(self, place: str, octets: bytes) -> list[Trace]:
        """The same for lines of JSON; a line that is none is a text. The moments of log lines are left out."""
        found: list[Trace] = []
        end = 0
        for match in _ANY_WORD.finditer(octets):
            if match.start() < end or match[0] not in self.pins:
                continue
            begin = octets.rfind(b"\n", 0, match.start()) + 1
            end = octets.find(b"\n", match.start())
            end = len(octets) if end < 0 else end
            found += self.traces_in(place, _value_of(octets[begin:end]))
        return found


def _value_of(line: bytes) -> Any:
    try:
        value = json.loads(line)
    except ValueError:
        return line.decode(errors="replace")
    if isinstance(value, dict):
        value.pop("timestamp", None)
    return value


def texts_in(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a value with their places; names of fields count, numbers do not."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts_in(str(key), f"{path}.(key)")
            yield from texts_in(each, f"{path}.{key}")
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from texts_in(each, path)


# --- codings ---


def _of_hex(octets: bytes) -> Iterator[bytes]:
    """Runs of hex digits, read from their first digit and from their second; each run for itself."""
    runs = set(_HEX.findall(octets))
    for start in (0, 1):
        read = (bytes.fromhex(run[start : len(run) - (len(run) - start) % 2].decode()) for run in runs)
        kept = [each for each in read if any(0x20 <= octet < 0x7F for octet in each)]
        yield from (each for each in kept if len(each) == 4)
        yield b"\n".join(kept)


def _of_base64(octets: bytes) -> Iterator[bytes]:
    """Runs of base64 digits of both alphabets, read from each of their first four."""
    runs = {run.replace(b"-", b"+").replace(b"_", b"/") for run in set(_BASE64.findall(octets))}
    for start in range(4):
        read = [_unpadded(run[start:]) for run in runs]
        if not start:
            yield from (each for each in read if len(each) == 4)
        yield b"\n".join(read)


def _unpadded(run: bytes) -> bytes:
    whole = run[: len(run) - 1] if len(run) % 4 == 1 else run
    try:
        return base64.b64decode(whole + b"=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _of_ucs2(octets: bytes) -> Iterator[bytes]:
    for pattern, first in ((_BIG, 1), (_LITTLE, 0)):
        runs = {run[first::2] for run in pattern.findall(octets)}
        yield from (run for run in runs if len(run) == 4)
        yield b"\n".join(runs)


def _of_percent(octets: bytes) -> Iterator[bytes]:
    if b"%" in octets:
        yield b"\n".join(urllib.parse.unquote_to_bytes(run) for run in set(_PERCENT.findall(octets)))


def _of_escapes(octets: bytes) -> Iterator[bytes]:
    if b"\\u00" in octets or b"\\x" in octets:
        lines = (line for line in octets.split(b"\n") if _ESCAPE.search(line))
        yield b"\n".join(
            _ESCAPE.sub(lambda match: bytes.fromhex((match[1] or match[2]).decode()), each) for each in lines
        )


def _of_zlib(octets: bytes) -> Iterator[bytes]:
    for match in _ZLIB.finditer(octets):
        try:
            yield zlib.decompressobj().decompress(octets[match.start() :], 1 << 20)
        except zlib.error:
            continue


CODINGS: Final[Mapping[str, Coding]] = {
    "hex": Coding(_of_hex, ("UCS-2",)),
    "base64": Coding(_of_base64, ("UCS-2",)),
    "UCS-2": Coding(_of_ucs2),
    "URL-encoded": Coding(_of_percent),
    "escaped": Coding(_of_escapes),
    _COMPRESSED: Coding(_of_zlib, ("hex", "base64", "UCS-2", "URL-encoded", "escaped")),
}


def _swapped(digits: bytes) -> bytes:
    """Digits as a SIM card has them: the nibbles of each octet reversed."""
    even = digits + b"f" * (len(digits) % 2)
    return b"".join(even[at + 1 : at + 2] + even[at : at + 1] for at in range(0, len(even), 2))


def _places(octets: bytes, run: bytes) -> Iterator[int]:
    at = octets.find(run)
    while at >= 0:
        yield at
        at = octets.find(run, at + 1)


def _is_chance(octets: bytes, at: int, length: int) -> bool:
    """Whether it lies within a UUID, a hash, a telephone number, or a number longer than any in which a secret is."""
    digits = _DIGITS_BEFORE.search(octets[max(0, at - 16) : at]), _DIGITS_AFTER.match(octets, at + length)
    number = octets[at - len(digits[0][0]) : at + length + len(digits[1][0])] if digits[0] and digits[1] else b""
    if _TELEPHONE.match(number):
        return True
    before = _HEX_WORD.search(octets[max(0, at - 64) : at])
    after = _HEX_REST.match(octets, at + length)
    run = length + (len(before[0]) if before else 0) + (len(after[0]) if after else 0)
    return run >= _CHANCE_CHARACTERS


def _around(octets: bytes, at: int) -> str:
    return repr(octets[max(0, at - _SHOWN) : at + _SHOWN])
