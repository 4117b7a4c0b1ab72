"""Sockets that stall: half open by the thousand, a PDU that never ends, a peer that never reads.

Each is closed in its time, and who is bound is served meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from struct import pack
from typing import Final

import uvloop

from chaos.attacks.siege import PASSWORD, TRUSTED, Siege
from chaos.attacks.stranger import ENQUIRE_LINK, HEADER_OCTETS, Stranger, bind_octets, many_sockets
from smpp import constants as c
from smpp.limits import Limits
from stack.settings import Listen

SOCKETS: Final = 2_000
LIMITS: Final = Limits()
CALLS_A_SECOND: Final = 1_000
CALLS_AT_A_TIME: Final = 50
MARGIN_SECONDS: Final = 1.5
"""The engine looks at its timers four times a second; what is over that is the machine's."""
ENQUIRIES_AT_A_TIME: Final = 1_000
UNREAD_OCTETS_MAX: Final = 16 * 1024 * 1024
"""So much is asked for, and not read, before the peer is given up as never closed: systems buffer some of it."""


async def run(siege: Siege) -> None:
    """Small ones together; then the thousands, in the whole alone, because their figure is what others feel."""
    few = asyncio.gather(never_reads(siege), partial(siege), too_long_unbound(siege))
    if siege.terms.scale >= 1:
        await few
    await asyncio.gather(few, half_open(siege))


async def half_open(siege: Siege) -> None:
    """A third says nothing, a third sends an octet of a bind a second, a third asks whether we are there."""
    total, began = siege.terms.times(SOCKETS), time.monotonic()
    ages = await siege.apart(stall_all, siege.smpp, total)
    kept = [age for age in ages if age > LIMITS.session_init_seconds + MARGIN_SECONDS]
    p99 = siege.pulse.p99(began)
    siege.check(not kept, f"{len(kept)} of {total} half-open sockets were kept, up to {max(ages):.1f} s")
    siege.check(p99 < siege.p99_ms_max, f"with {total} half-open sockets, the p99 of a screen was {p99:.0f} ms")
    siege.report.figures |= {
        "half-open sockets": total, "the last was closed after, s": round(max(ages), 2),
        "p99 of turns meanwhile, ms": round(p99, 1),
    }  # fmt: skip


def stall_all(smpp: Listen, total: int) -> list[float]:
    """How old each was when it was closed. In a process of its own: what is measured is what the engine feels."""

    async def stall() -> list[float]:
        going = []
        for at in range(total):
            going.append(asyncio.create_task(_stall(smpp, at)))
            if at % CALLS_AT_A_TIME == CALLS_AT_A_TIME - 1:
                await asyncio.sleep(CALLS_AT_A_TIME / CALLS_A_SECOND)
        return await asyncio.gather(*going)

    many_sockets()
    return uvloop.run(stall())


async def _stall(smpp: Listen, at: int) -> float:
    """How old the socket was when it was closed; a minute, when it was not."""
    stranger = await Stranger.call(smpp, f"127.0.{64 + at // 250}.{1 + at % 250}")
    octets = (b"", bind_octets(TRUSTED, PASSWORD.encode()), ENQUIRE_LINK * 100)[at % 3]
    step = (1, 1, HEADER_OCTETS)[at % 3]

    async def drip() -> None:
        for position in range(0, len(octets), step):
            stranger.send(octets[position : position + step])
            await asyncio.sleep(1.0)

    dripping = asyncio.create_task(drip())
    try:
        await stranger.octets_until_closed(20.0)
    except TimeoutError:
        return 60.0
    else:
        return stranger.age
    finally:
        dripping.cancel()
        stranger.close()


async def too_long_unbound(siege: Siege) -> None:
    """Nothing longer than 4096 octets is waited for before the bind."""
    longest = LIMITS.pdu_octets_max_unbound
    for length in (longest + 1, 8192, 65_536, 2**31, 2**32 - 1, 0, 15):
        stranger = await Stranger.call(siege.smpp, "127.0.210.1")
        stranger.send(pack(">IIII", length, c.BIND_TRANSCEIVER, 0, 1) + b"x" * 4096)
        try:
            await stranger.octets_until_closed(2.0)
        except TimeoutError:
            siege.check(False, f"an unbound peer may announce {length} octets")
        stranger.close()
    stranger = await Stranger.call(siege.smpp, "127.0.210.1")
    stranger.send(pack(">IIII", longest, c.ENQUIRE_LINK, 0, 1) + b"\0" * (longest - HEADER_OCTETS))
    answer = await stranger.answer(2.0)
    siege.check(answer is not None, f"an unbound peer may not send {longest} octets")
    stranger.close()


async def _bound(siege: Siege, *, deaf: bool = False) -> Stranger:
    stranger = await Stranger.call(siege.smpp, "127.0.0.1", deaf=deaf)
    stranger.send(bind_octets(TRUSTED, PASSWORD.encode()))
    answer = await stranger.answer(5.0)
    siege.check(answer == (c.BIND_TRANSCEIVER_RESP, c.ESME_ROK), f"a peer was not bound: {answer}")
    return stranger


async def partial(siege: Siege) -> None:
    """A bound peer begins a PDU and does not end it, whether it is silent or drips."""

    async def one(octets: int, drips: bool) -> float:
        stranger = await _bound(siege)
        began = time.monotonic()
        stranger.send(pack(">IIII", 1000, c.SUBMIT_SM, 0, 2)[:octets])
        closed = asyncio.create_task(stranger.octets_until_closed(20.0))
        while drips and not closed.done():
            await asyncio.wait({closed}, timeout=1.0)
            stranger.send(b"x")
        try:
            await closed
        except TimeoutError:
            return 60.0
        finally:
            stranger.close()
        return time.monotonic() - began

    took = await asyncio.gather(*(one(octets, drips) for octets in (1, 15, 16) for drips in (False, True)))
    most = LIMITS.partial_pdu_seconds + MARGIN_SECONDS
    siege.check(max(took) <= most, f"a PDU that never ends was waited for {max(took):.1f} s")
    siege.report.figures["a PDU that never ends closes after, s"] = round(max(took), 2)


async def never_reads(siege: Siege) -> None:
    """A bound peer asks and asks, and reads no answer: it is closed when a mebibyte waits for it."""
    stranger = await _bound(siege, deaf=True)
    sent = 0
    try:
        while sent < UNREAD_OCTETS_MAX:
            stranger.send(ENQUIRE_LINK * ENQUIRIES_AT_A_TIME)
            await asyncio.wait_for(stranger.flushed(), 20.0)
            sent += HEADER_OCTETS * ENQUIRIES_AT_A_TIME
            await asyncio.sleep(0.01)
    except ConnectionError:
        pass
    except TimeoutError:
        siege.check(False, f"a peer that never reads was left alone after {sent} octets")
    siege.check(LIMITS.unsent_octets_max <= sent < UNREAD_OCTETS_MAX, f"a peer that never reads was sent {sent} octets")
    siege.report.figures["octets asked for by a peer that never reads"] = sent
    stranger.close()
