"""Hostile menu files: bombs of YAML, and our own menus changed at random; the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from strict_yaml import OCTETS_MAX

ENGINE: Final = "engine.yaml"
_HEAD: Final = b'menu: 1\nservice: hostile\nlanguages: {ru: "\xd0\xa0", en: E}\ndial: ["*199#"]\nstart: root\n'
_END: Final = b"  bye: {end: {ru: x, en: x}}\n"
_SIGNS: Final = b"{}[]:,&*!|>'\"%@`#-?\t\n\\$0<=\x00\x07\x7f\xff\xc3\xe2"
_PIECES: Final = (
    b"&a ", b"*a", b"<<: *a\n", b"!!python/object/apply:os.system ['true']", b"!!binary aGk=", b"!!js/function x",
    b"---\n", b"...\n", b"%YAML 1.1\n", b"? [a]\n: b\n", b"${refused.code|money|cut:0}", b"${__class__.__mro__}",
    b"null",
    b"go: home", b"go: back", b"go: wanted", b"secret: pin", b"requires: {trust: operator, else: bye}", b"999999999999",
    b"-1", b"1e400", b"0x7fffffff", b"2026-01-01", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"confidential: {}",
    b"when: a == 1 and b", b"__proto__", b"do: {call: wallet.confirm}", b"[[[[[[[[[[", b"{{{{{{{{{{", b"\r\n", b"\t",
)  # fmt: skip


class Hostile(NamedTuple):
    """A folder of menus that somebody could write: name → octets."""

    what: str
    files: Mapping[str, bytes]


def bombs(engine: bytes) -> Iterator[Hostile]:
    """Each has brought some reader of YAML down. `engine`: the file that no folder goes without."""
    for what, octets in _bombs():
        yield Hostile(what, {ENGINE: engine, "hostile.yaml": octets})


def _bombs() -> Iterator[tuple[str, bytes]]:  # long because: each bomb is a line
    laughs = b"a0: &a0 lol\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)
    )
    yield "billion laughs", laughs
    yield "quadratic blow-up", b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a, " * 20_000 + b"]\n"
    yield "an alias of itself", b"a: &a [*a]\n"
    yield "anchors", b"".join(b"k%d: &k%d v\n" % (n, n) for n in range(15_000))
    yield "merge keys", b"a: &a {b: c}\n" + b"".join(b"m%d: {<<: *a}\n" % n for n in range(10_000))
    for opened in (b"[", b"{a: ", b"- ", b"? ", b"[{a: "):
        yield f"nested {opened!r}", (opened * OCTETS_MAX)[: OCTETS_MAX - 1]
    yield "nested blocks", b"".join(b" " * n + b"a:\n" for n in range(700))
    yield "ten megabytes", b"a: " + b"x" * 10 * 1024 * 1024
    yield (
        "a scalar as large as a file may be",
        _HEAD + b'screens:\n  root: {end: {ru: x, en: "' + b"x" * 250_000 + b'"}}\n',
    )
    yield "a key as large as a file may be", _HEAD + b"x" * 250_000 + b": 1\n"
    yield "keys", b"".join(b"k%d: 1\n" % n for n in range(25_000))
    yield "one key again and again", b"a: 1\n" * 50_000
    yield "items", b"a:\n" + b"- 1\n" * 60_000
    yield "documents", b"---\n" * 60_000
    yield "quotes", b'"' * 250_000
    yield "a number without end", b"a: " + b"9" * 250_000
    yield "a fraction without end", b"a: 0." + b"0" * 250_000
    yield "zeros", b"\0" * 250_000
    yield "UTF-16", (_HEAD + _END).decode().encode("utf-16")
    yield "a mark of octets", b"\xef\xbb\xbf" + _HEAD
    yield "a surrogate", _HEAD + b"x: \xed\xa0\x80\n"
    yield "a byte that is none", _HEAD + b"x: \xff\n"
    for tag in (
        b"!!python/object/apply:os.system [id]",
        b"!!python/name:os.system",
        b"!!python/object/new:type [a]",
        b"!!binary aGk=",
        b"!!set {a}",
        b"!!timestamp 2026-01-01",
        b"!local x",
        b"!<tag:yaml.org,2002:str> x",
    ):
        yield f"tag {tag!r}", _HEAD + b"x: " + tag + b"\n"
    for control in (b"\x00", b"\x07", b"\x1b[2J", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8"):
        yield f"control {control!r}", _HEAD + b"screens:\n  root: {end: {ru: " + control + b", en: x}}\n"
    yield "a directive", b"%YAML 9.9\n---\n" + _HEAD
    yield "a tag directive", b"%TAG ! tag:evil,2026:\n---\n" + _HEAD
    yield "nothing", b""
    yield "a comment", b"#" * 250_000
    yield from _menus()


def _menus() -> Iterator[tuple[str, bytes]]:  # long because: each is a line
    """Those that are YAML, and want too much of a menu."""
    option = b"{id: o%d, text: {ru: x, en: x}, go: bye}"
    root = b"screens:\n  root: {menu: {ru: x, en: x}, options: [%s]}\n"
    yield "a thousand options", _HEAD + root % b", ".join(option % n for n in range(1_000)) + _END
    screens = b"".join(b"  s%d: {route: [{go: s%d}]}\n" % (n, n + 1) for n in range(5_000))
    yield (
        "a chain of routes",
        _HEAD + b"screens:\n  root: {route: [{go: s0}]}\n" + screens + b"  s5000: {route: [{go: bye}]}\n" + _END,
    )
    yield "routes in a circle", _HEAD + b"screens:\n  root: {route: [{go: a}]}\n  a: {route: [{go: root}]}\n" + _END
    deep = b"(" * 50_000 + b"a" + b")" * 50_000
    for when in (
        deep,
        b"a == 1 and " * 20_000 + b"a == 1",
        b"not " * 50_000 + b"a",
        b"a." * 50_000 + b"a",
        b"'" * 99_999,
    ):
        yield (
            f"condition {when[:8]!r}…",
            _HEAD + b'screens:\n  root: {route: [{when: "' + when + b'", go: bye}, {go: bye}]}\n' + _END,
        )
    for text in (
        b"${" * 50_000,
        b"${a|cut:99999999}" * 9_000,
        b"${" + b"a." * 60_000 + b"a}",
        b"$" * 200_000,
        b"x\\n" * 60_000,
    ):
        yield f"text {text[:8]!r}…", _HEAD + b'screens:\n  root: {end: {ru: x, en: "' + text + b'"}}\n'
    codes = b", ".join(b'"*199*%d#"' % n for n in range(8_000))
    yield "codes", _HEAD.replace(b'"*199#"', b'"*199#", ' + codes) + b"screens:\n  root: {end: {ru: x, en: x}}\n"
    yield (
        "uses",
        _HEAD + b"use: [" + b"{file: engine.yaml, as: e}, " * 5_000 + b"]\nscreens:\n  root: {end: {ru: x, en: x}}\n",
    )
    yield (
        "a use of a file elsewhere",
        _HEAD + b"use: {file: ../../../../etc/passwd, as: p}\nscreens:\n  root: {end: {ru: x, en: x}}\n",
    )
    yield "a use of itself", _HEAD + b"use: {file: hostile.yaml, as: h}\nscreens:\n  root: {end: {ru: x, en: x}}\n"
    items = b", ".join(b"{id: i%d, text: {ru: x, en: x}}" % n for n in range(4_000))
    yield "a list", _HEAD + b"lists: {many: [" + items + b"]}\nscreens:\n  root: {end: {ru: x, en: x}}\n"
    yield (
        "keys that are text",
        _HEAD + b"screens:\n" + b"".join(b'  "a%d b": {end: {ru: x, en: x}}\n' % n for n in range(6_000)),
    )
    unreached = b"".join(b"  s%d: {end: {ru: x, en: x}}\n" % n for n in range(6_000))
    yield "screens that nothing leads to", _HEAD + b"screens:\n  root: {end: {ru: x, en: x}}\n" + unreached


def mutated(menus: Mapping[str, bytes], chance: random.Random) -> Hostile:
    """One of our services with the files that it uses, and one of these changed."""
    parts = {name for name, octets in menus.items() if b"\npart: " in octets}
    name = chance.choice(sorted(menus.keys() - parts - {ENGINE}))
    files = {each: menus[each] for each in (name, ENGINE, *parts) if each not in parts or each.encode() in menus[name]}
    victim = chance.choice((name, name, name, *sorted(files)))
    octets = files[victim]
    changes = []
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        change = chance.choice(_CHANGES)
        octets = change(octets, chance)
        changes.append(change.__name__.removeprefix("_"))
    return Hostile(f"{victim}: {', '.join(changes)}", {**files, victim: octets})


def _flipped(octets: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(octets) or 1)
    return octets[:at] + bytes((chance.choice(_SIGNS),)) + octets[at + 1 :]


def _inserted(octets: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(octets) + 1)
    return octets[:at] + chance.choice(_PIECES) + octets[at:]


def _cut_short(octets: bytes, chance: random.Random) -> bytes:
    return octets[: chance.randrange(len(octets) + 1)]


def _line_gone(octets: bytes, chance: random.Random) -> bytes:
    lines = octets.splitlines(keepends=True)
    if lines:
        del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _line_again(octets: bytes, chance: random.Random) -> bytes:
    lines = octets.splitlines(keepends=True) or [b""]
    at = chance.randrange(len(lines))
    lines[at:at] = [lines[chance.randrange(len(lines))]] * chance.choice((1, 1, 2, 50))
    return b"".join(lines)


def _indented(octets: bytes, chance: random.Random) -> bytes:
    lines = octets.splitlines(keepends=True) or [b""]
    at = chance.randrange(len(lines))
    lines[at] = b" " * chance.randrange(1, 5) + lines[at] if chance.random() < 0.5 else lines[at].lstrip(b" ")
    return b"".join(lines)


def _word_changed(octets: bytes, chance: random.Random) -> bytes:
    words = octets.split(b" ")
    at = chance.randrange(len(words))
    words[at] = chance.choice((words[chance.randrange(len(words))], b"", b"x" * 300, b"0", b"true"))
    return b" ".join(words)


def _guard_gone(octets: bytes, chance: random.Random) -> bytes:
    """What stands before money is taken away."""
    lines = octets.splitlines(keepends=True)
    guards = [at for at, line in enumerate(lines) if b"requires:" in line]
    if guards:
        del lines[chance.choice(guards)]
    return b"".join(lines)


_CHANGES: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flipped, _inserted, _cut_short, _line_gone, _line_again, _indented, _word_changed, _word_changed, _guard_gone,
)  # fmt: skip
