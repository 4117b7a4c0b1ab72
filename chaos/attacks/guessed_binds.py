"""Passwords of links, guessed from many addresses: few are looked at, nobody learns anything, and peers come back.

Also what an allow-list is worth that cannot be read, and an address that is on none.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any, Final

import yaml

from chaos.attacks.siege import ALLOWED, PASSWORD, SECOND, TRUSTED, Siege
from chaos.attacks.stranger import Stranger, bind_octets
from smpp import constants as c
from smpp.dial import dial
from smpp.errors import BindRefused
from smpp.limits import Limits
from smpp.link import Link
from smpp.pdu import BindTransceiver, Pdu
from smpp.reactor import reactor_on
from stack.programs import installed_programs
from strict_yaml import StrictYamlError
from ussd_engine.accounts import EVALUATIONS_PER_SECOND, FAILURES_MAX
from ussd_engine.config import read_settings

GUESSES: Final = 10_000
GUESSES_PER_SECOND: Final = 125
"""So that the whole takes longer than a right password is known without being looked at."""
ADDRESSES: Final = 400
ANSWER_SECONDS_MAX: Final = 8.0
START_SECONDS_MAX: Final = 15.0
REBIND_SECONDS_MAX: Final = 2.0
TIMES_DIFFER_SECONDS_MAX: Final = 0.05
NOBODY: Final = "nobody"
NOT_ALLOWED: Final = "127.9.0.1"
EVALUATED: Final = "smpp_passwords_evaluated_total"
BROKEN_LISTS: Final[tuple[Any, ...]] = (
    ..., None, "127.0.0.1", 7, {"any": True}, ["10.1.2.300/24"], ["10.1.2.3/24"], ["*"], [""], [None], ["0.0.0.0/0/0"],
    [["127.0.0.1/32"]], ["127.0.0.1/32", "everybody"],
)  # fmt: skip
"""What stands where addresses should; `...`: nothing at all."""


class Peer:
    """The owner of a link that only wants to be bound."""

    def request(self, link: Link, pdu: Pdu) -> None:
        link.respond(pdu, c.ESME_ROK)

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None: ...
    def quirk(self, link: Link, kind: str) -> None: ...
    def bound(self, link: Link) -> None: ...
    def gone(self, link: Link, reason: str) -> None: ...


async def rebind(siege: Siege, account: str) -> float:
    """Binds and unbinds as a peer that is served; how long it took to be bound. Raises BindRefused, ConnectionError."""
    began = time.monotonic()
    request = BindTransceiver(system_id=account, password=PASSWORD, interface_version=0x34)
    reactor = reactor_on(asyncio.get_running_loop())
    link = await dial(reactor, siege.smpp.reached_at, siege.smpp.port, request, Peer(), Limits())
    took = time.monotonic() - began
    link.unbind()
    return took


async def run(siege: Siege) -> None:
    """All of it, one after the other: each would disturb the other's figures."""
    await refused_lists(siege)
    await not_allowed(siege)
    await rebind(siege, TRUSTED)
    await banned(siege)
    await guessed(siege)


# --- addresses --------------------------------------------------------------------------------------------------------


async def refused_lists(siege: Siege) -> None:
    """An allow-list that cannot be read is no open door: the engine does not start."""
    for at, listed in enumerate(BROKEN_LISTS):
        path = siege.stand.folder / f"allow-list-{at}.yaml"
        _write(siege, path, listed)
        try:
            await asyncio.to_thread(read_settings, path)
        except StrictYamlError as error:
            told = str(error)
            siege.check("allowed_from" in told or "address range" in told or "list" in told, f"{listed}: {told}")
        else:
            siege.check(False, f"an allow-list that reads {listed} is taken")
    serve = installed_programs().ussd_engine
    engine = await asyncio.create_subprocess_exec(
        *serve, "serve", "--config", str(siege.stand.folder / "allow-list-0.yaml"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            _, said = await engine.communicate()
        siege.check(bool(engine.returncode) and b"allowed_from" in said, f"without an allow-list: {said!r}")
    except TimeoutError:
        siege.check(False, "an engine without an allow-list has started")
        engine.kill()
    siege.report.figures["allow-lists refused"] = len(BROKEN_LISTS)


def _write(siege: Siege, path: Path, listed: object) -> None:
    config = yaml.safe_load(siege.stand.config.read_text())
    link = config["engine"]["links"]["kcell-ussdc"]
    if listed is ...:
        del link["allowed_from"]
    else:
        link["allowed_from"] = listed
    path.write_text(yaml.safe_dump(config, allow_unicode=True))


async def not_allowed(siege: Siege) -> None:
    """From an address that is on no list, the right password is not looked at, and not an octet is answered."""
    before = await siege.metric(EVALUATED)
    for _ in range(20):
        answered = await _octets(siege, NOT_ALLOWED, bind_octets(TRUSTED, PASSWORD.encode()))
        siege.check(answered == 0, f"{answered} octets were sent to an address that is not in {ALLOWED}")
    evaluated = await siege.metric(EVALUATED) - before
    siege.check(evaluated == 0, f"{evaluated:g} passwords of an address that is on no list were looked at")


async def _octets(siege: Siege, address: str, sent: bytes) -> int:
    try:
        stranger = await Stranger.call(siege.smpp, address)
    except ConnectionError:
        return 0
    stranger.send(sent)
    try:
        return await stranger.octets_until_closed(2.0)
    finally:
        stranger.close()


# --- passwords --------------------------------------------------------------------------------------------------------


async def banned(siege: Siege) -> None:
    """Five wrong ones ban their address, and tell nothing of which accounts there are."""
    took: dict[str, list[float]] = {TRUSTED: [], NOBODY: []}
    addresses = ("127.0.200.1", "127.0.200.2")[: 2 if siege.terms.scale >= 1 else 1]
    for guess, account in enumerate([TRUSTED, NOBODY] * FAILURES_MAX):
        if guess == FAILURES_MAX * len(addresses):
            break
        await asyncio.sleep(1 / EVALUATIONS_PER_SECOND + 0.05)  # so that what is measured is no waiting
        address = addresses[guess // FAILURES_MAX]
        began = time.monotonic()
        answer = await _guess(siege, address, account, b"wrong")
        took[account].append(time.monotonic() - began)
        siege.check(answer == c.ESME_RBINDFAIL, f"guess {guess + 1} at {account} was answered {answer}")
    for address in addresses:
        answer = await _guess(siege, address, TRUSTED, PASSWORD.encode())
        siege.check(answer == "closed", f"after {FAILURES_MAX} failures {address} was answered {answer}")
    differ = abs(statistics.median(took[TRUSTED]) - statistics.median(took[NOBODY]))
    siege.check(differ <= TIMES_DIFFER_SECONDS_MAX, f"an unknown system_id is told by {1000 * differ:.0f} ms")
    siege.report.figures["known and unknown system_id differ by, ms"] = round(1000 * differ, 1)


async def guessed(siege: Siege) -> None:
    """Thousands of guesses from hundreds of addresses, while a peer loses its bind again and again."""
    total = siege.terms.times(GUESSES)
    chance = siege.terms.chance("guesses")
    answers: Counter[tuple[bool, object]] = Counter()
    evaluated, began = await siege.metric(EVALUATED), time.monotonic()
    rebinding = asyncio.create_task(_rebind_on(siege))

    async def one(at: int) -> None:
        known, address = at % 2 == 0, f"127.0.{1 + at % ADDRESSES // 200}.{1 + at % 200}"
        octets = chance.choice((3, 6, 9, 64, 65, 200, 3000))
        password = bytes(chance.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(octets))
        if at % 7 == 0:
            password = PASSWORD.encode() + password  # what is too long is never cut
        answers[known, await _guess(siege, address, TRUSTED if known else NOBODY, password)] += 1

    going = []
    for at in range(total):
        going.append(asyncio.create_task(one(at)))
        await asyncio.sleep(max(0.0, began + at / GUESSES_PER_SECOND - time.monotonic()))
    await asyncio.gather(*going)
    rebinding.cancel()
    seconds = time.monotonic() - began
    looked_at = await siege.metric(EVALUATED) - evaluated
    figures = siege.report.figures
    figures["guesses"], figures["guesses, seconds"] = total, round(seconds, 1)
    figures["passwords looked at a second"] = round(looked_at / seconds, 2)
    siege.check(
        looked_at <= EVALUATIONS_PER_SECOND * seconds + 2, f"{looked_at:g} passwords were looked at in {seconds:.1f} s"
    )
    known, unknown = ({what for is_known, what in answers if is_known is each} for each in (True, False))
    allowed = {c.ESME_RBINDFAIL, c.ESME_RTHROTTLED, "closed"}
    siege.check(known | unknown <= allowed, f"a guess was answered otherwise: {answers}")
    took = [each for each in await asyncio.gather(rebinding, return_exceptions=True) if not isinstance(each, float)]
    siege.check(len(took) <= 1, f"{took}")
    p99 = siege.pulse.p99(began)
    figures["p99 of turns while passwords are guessed, ms"] = round(p99, 1)
    siege.check(p99 < siege.p99_ms_max, f"while passwords were guessed, the p99 of a screen was {p99:.0f} ms")
    figures["guesses, by answer"] = dict(Counter(str(what) for _, what in answers.elements()))


async def _rebind_on(siege: Siege) -> None:
    """A peer that was bound before loses its bind and comes back, each time with another account of its address."""
    took: list[float] = []
    figures = siege.report.figures
    for account in ((SECOND, TRUSTED)[at % 2] for at in count()):
        await asyncio.sleep(1.0)
        try:
            took.append(await rebind(siege, account))
        except (BindRefused, ConnectionError) as error:
            siege.check(False, f"while passwords were guessed, a peer was not bound: {error}")
            continue
        siege.check(took[-1] <= REBIND_SECONDS_MAX, f"a peer was bound again after {took[-1]:.1f} s")
        figures["rebinds"], figures["slowest rebind, s"] = len(took), round(max(took), 2)


async def _guess(siege: Siege, address: str, account: str, password: bytes) -> int | str:
    """The status that a guess is answered with, or `closed`."""
    try:
        stranger = await Stranger.call(siege.smpp, address)
    except ConnectionError:
        return "closed"
    try:
        stranger.send(bind_octets(account, password))
        answer = await stranger.answer(ANSWER_SECONDS_MAX)
    except TimeoutError:
        return f"nothing in {ANSWER_SECONDS_MAX:g} s"
    finally:
        stranger.close()
    return "closed" if answer is None else answer[1]
