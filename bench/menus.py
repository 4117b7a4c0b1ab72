"""What menus cost: the walk of one turn, and the check of two hundred services: `python -m bench.menus [--json]`.

- The walk: a session's octets in; the next session's octets and the screen's octets out, no I/O: a menu of six options
  in Russian. The second figure has the screen's PDU as well. The least of the rounds is the figure.
- The check: two hundred made-up services of thirty screens in three languages, with calls and a test each, read,
  linted, proved to fit, played and crawled in a child, as a live change is; and what the engine does with the result.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from sessions.session import Session, from_octets, to_octets
from smpp.codec import encode
from smpp.states import Role
from smpp.text import encode_gsm, encode_ucs2, septets
from ussd_engine import compiler, over_smpp
from ussd_engine.compiler import Job
from ussd_engine.dialect import Dialect, read_dialects
from ussd_engine.language import compiled, walk
from ussd_engine.language.menu import Service
from ussd_engine.language.menu_file import read_service
from ussd_engine.language.pages import Limits
from ussd_engine.language.walk import Show, Terms

ROUNDS: Final = 15
TURNS: Final = 5000
SERVICES: Final = 200
FOLDER: Final = Path(".build/bench/menus")


class Measured(NamedTuple):
    """Microseconds of a turn; seconds and KiB of a check, seconds of its swap in the engine."""

    turn_us: float
    turn_with_pdu_us: float
    services: int
    screens: int
    walks: int
    check_seconds: float
    check_with_start_seconds: float
    check_memory_mib: float
    compiled_mib: float
    swap_seconds: float


def measure(services: int = SERVICES) -> Measured:
    """Measures both."""
    turn, with_pdu = _turns()
    return Measured(round(turn, 2), round(with_pdu, 2), *asyncio.run(_check(services)))


# --- the walk -------------------------------------------------------------------------------------------------------

_OPTIONS = "\n".join(
    f"      - {{id: o{n}, text: {{ru: Пункт {n}, en: Item {n}}}, go: {'sub' if n == 1 else 'root'}}}"
    for n in range(1, 7)
)
_MENU = f"""menu: 1
service: bench
languages: {{ru: Русский, en: English}}
dial: ["*100#"]
start: root
screens:
  root:
    menu: {{ru: Моё меню, en: My menu}}
    options:
{_OPTIONS}
  sub:
    menu: {{ru: Ещё меню, en: Another menu}}
    options:
{_OPTIONS}
"""


def _turns() -> tuple[float, float]:
    reading = read_service(_MENU.encode(), "bench.yaml", {})
    assert reading.service is not None
    service = compiled.ready(reading.service)
    terms = Terms(Limits(), "KZ", "KZT", ZoneInfo("Asia/Almaty"))
    dialect = read_dialects(Path("dialects"))["standard"][0]
    session = Session(
        id="0b0f8e6a-9a1e-4d7e-8a55-4f2f3c1d9a10", msisdn="77010000007", link="kcell-ussdc", reference="",
        network="kcell", brand="Kcell", status="active", language="ru", service="bench", menu=service.version,
        started_at=1_764_000_000.0, at=1_764_000_000.0, code="*100#",
    )  # fmt: skip
    begun = walk.begin(service, session, (), terms)
    assert isinstance(begun, Show)
    octets = to_octets(replace(begun.session, version=1, input_mark="kcell-ussdc.1f2e3d.1/1-abcdef"))

    def turn() -> tuple[bytes, str]:
        return _turn(service, octets, terms)

    def with_pdu() -> tuple[bytes, bytes]:
        kept, text = _turn(service, octets, terms)
        return kept, _pdu(text, dialect)

    return _least(turn), _least(with_pdu)


def _turn(service: Service, octets: bytes, terms: Terms) -> tuple[bytes, str]:
    shown = walk.answer(service, from_octets(octets), "1", terms)
    assert isinstance(shown, Show)
    text = shown.text
    _ = encode_ucs2(text) if septets(text) is None else encode_gsm(text)
    return to_octets(replace(shown.session, version=2, input_mark="kcell-ussdc.1f2e3d.1/2-abcdef")), text


def _pdu(text: str, dialect: Dialect) -> bytes:
    return encode(over_smpp.screen_pdu(text, False, "77010000007", "*100#", dialect, Role.SERVER))


def _least(work: Callable[[], object]) -> float:
    """Microseconds, the least of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(TURNS):
            work()
        best = min(best, (time.perf_counter() - began) / TURNS * 1e6)
    return best


# --- the check ------------------------------------------------------------------------------------------------------


async def _check(services: int) -> tuple[int, int, int, float, float, float, float, float]:
    _write(services)
    network = {"kcell": ("KZ", "KZT", "Asia/Almaty")}
    began = time.perf_counter()
    result = await compiler.compile_apart(Job(str(FOLDER), network, {"standard": Limits()}))
    whole = time.perf_counter() - began
    if result.mistakes:
        raise AssertionError(f"the made-up menus have mistakes: {result.mistakes[:3]}")
    began = time.perf_counter()
    await compiler.catalog_from(result, {})
    swap = time.perf_counter() - began
    size = sum(map(len, result.services.values())) / 1024**2
    return (
        result.counts["services"], result.counts["screens"], result.counts["walks"], round(result.seconds, 2),
        round(whole, 2), round(result.memory_kib / 1024, 1), round(size, 1), round(swap, 3),
    )  # fmt: skip


def _write(services: int) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    shutil.copy("menus/engine.yaml", FOLDER)
    for number in range(services):
        (FOLDER / f"service_{number:03}.yaml").write_text(made_up(number))


def made_up(number: int) -> str:  # long because: it is a file of YAML, line by line
    """A service of thirty screens: menus, questions, a list, calls, ends; in three languages, with a test."""
    rows = [
        f"menu: 1\nservice: service_{number:03}\nlanguages: {{kk: Қазақша, ru: Русский, en: English}}",
        f'dial: ["*{500 + number}#"]\nopen_to: {{networks: [kcell]}}\nstart: root\nlists:\n  city:',
        *(f"    - {{id: c{n}, kk: Қала {n}, ru: Город {n}, en: Town {n}}}" for n in range(14)),
        "screens:\n  root:",
        _text("menu", "Бөлім", "Раздел", "Section", number),
        "    options:",
        *(f"      - {{id: m{n}, {_words('text', 'Тармақ', 'Пункт', 'Item', n)}, go: menu{n}}}" for n in range(6)),
    ]
    for n in range(6):
        rows += [
            f"  menu{n}:", _text("menu", "Мәзір", "Меню", "Menu", n), "    options:",
            f"      - {{id: ask, {_words('text', 'Сұрақ', 'Вопрос', 'Question', n)}, go: ask{n}}}",
            f"      - {{id: list, {_words('text', 'Қала', 'Город', 'Town', n)}, go: list{n % 3}}}",
            f"      - id: balance\n        {_words('text', 'Баланс', 'Баланс', 'Balance', n)}",
            "        do: {call: balances.get, into: account, done: told, refused: {BLOCKED: blocked, \"*\": sorry},"
            " unknown: sorry, not_made: sorry}",
            f"  ask{n}:", _text("ask", "Сомасы?", "Сумма?", "Sum?", n),
            f"    save: sum{n}\n    check: [{{count: {{min: 1, max: 5000}}, "
            "else: {kk: 1-ден 5000-ға дейін., ru: От 1 до 5000., en: From 1 to 5000.}}]",
            f"    tries: {{max: 3, then: sorry}}\n    go: sum{n}",
            f"  sum{n}: {{end: {{kk: \"Сома ${{sum{n}}}\", ru: \"Сумма ${{sum{n}}}\", en: \"Sum ${{sum{n}}}\"}}}}",
        ]  # fmt: skip
    for n in range(3):
        rows += [
            f"  list{n}:", _text("list", "Қайсы?", "Какой?", "Which?", n),
            f"    items: lists.city\n    save: city{n}\n    go: city{n}",
            f"  city{n}: {{end: {{kk: \"${{city{n}.text}}\", ru: \"${{city{n}.text}}\", en: \"${{city{n}.text}}\"}}}}",
        ]  # fmt: skip
    rows += [
        "  told: {end: {kk: \"${account.balance|money}\", ru: \"${account.balance|money}\", "
        "en: \"${account.balance|money}\"}}",
        "  blocked: {end: {kk: Бұғатталған., ru: Заблокирован., en: Blocked.}}",
        "  sorry: {end: {kk: Кейінірек., ru: Позже., en: Later.}}",
        "  about: {end: {kk: Бұл қызмет., ru: Это сервис., en: A service.}}",
        "tests:\n  - name: a sum",
        f"    talk: [{{dial: \"*{500 + number}*1*1#\", sees: Сомасы}}, {{send: \"7\", screen: Сома 7, ends: true}}]",
    ]  # fmt: skip
    return (
        "\n".join(rows).replace(
            "      - {id: m5,", "      - {id: about, text: {kk: О, ru: О, en: O}, go: about}\n      - {id: m5,"
        )
        + "\n"
    )


def _words(key: str, kk: str, ru: str, en: str, number: int) -> str:
    return f"{key}: {{kk: {kk} {number}, ru: {ru} {number}, en: {en} {number}}}"


def _text(key: str, kk: str, ru: str, en: str, number: int) -> str:
    return f"    {_words(key, kk, ru, en, number)}"


def table(measured: Measured) -> str:
    """The figures for people."""
    m = measured
    return (
        f"walk of a turn, 6 options in Russian          {m.turn_us:8.2f} µs, with its PDU {m.turn_with_pdu_us:.2f} µs\n"
        f"check of {m.services} services, {m.screens:,} screens, {m.walks:,} inputs\n"
        f"  in the child                               {m.check_seconds:8.2f} s,"
        f" {m.check_with_start_seconds:.2f} s with its start, {m.check_memory_mib:.0f} MiB\n"
        f"  reading {m.compiled_mib:.1f} MiB of compiled services      {m.swap_seconds:8.3f} s in the engine"
    )


def main() -> None:
    """Prints the figures, as a table or as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.menus", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--services", type=int, default=SERVICES, help=f"(default: {SERVICES})")
    options = parser.parse_args()
    measured = measure(options.services)
    print(json.dumps(measured._asdict()) if options.json else table(measured))


if __name__ == "__main__":
    main()
