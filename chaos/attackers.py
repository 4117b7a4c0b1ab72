"""Strangers and partners who guess, flood, forge, stall and write hostile menus, while subscribers are served."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import ModuleType

from chaos.attacks import forged_requests, guessed_binds, guessed_codes, hostile_menus, stalled_sockets, untrusted_links
from chaos.attacks.pulse import Pulse
from chaos.attacks.siege import Siege, besieged, number
from chaos.attacks.stranger import many_sockets
from chaos.report import Report, Terms
from chaos.stand import Stand

SERVED = 40
"""Subscribers who are served meanwhile, and how many dialogues a second they begin."""
DIALOGUES_A_SECOND = 20.0
CALM_SECONDS = 10.0
"""Before the first attack: with what the figures of attacks can be compared."""


async def run(terms: Terms) -> Report:
    """All attacks on one system; those that would spoil one another's figures, one after the other."""
    report = Report("attackers", terms.seed)
    many_sockets()
    async with Stand(terms.folder, terms.say, change=partial(besieged, terms.folder)) as stand:
        served = [number("kcell", at) for at in range(SERVED)]
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
            async with Pulse(stand.centres["kcell"], served, DIALOGUES_A_SECOND) as pulse:
                await _attack(Siege(stand, terms, report, pulse, processes))
    report.figures["dialogues begun"] = len(pulse.seconds)
    report.figures["p99 of turns in all, ms"] = round(pulse.p99(), 1)
    report.check(not pulse.lost, f"{len(pulse.lost)} dialogues had no screen: {pulse.lost[:3]}")
    return report


async def _attack(siege: Siege) -> None:
    """The whole one by one, so that each has figures of its own; less than that together, to be soon over."""
    calm, busy = (guessed_binds,), (untrusted_links, guessed_codes, forged_requests, hostile_menus)
    if siege.terms.scale >= 1:
        await asyncio.sleep(CALM_SECONDS)
        siege.report.figures["p99 of turns before any attack, ms"] = round(siege.pulse.p99(), 1)
        await _one_by_one(siege, *calm, stalled_sockets, *busy)
    else:
        await asyncio.gather(*(_one_by_one(siege, *parts) for parts in (calm, (stalled_sockets,), busy)))


async def _one_by_one(siege: Siege, *parts: ModuleType) -> None:
    for part in parts:
        name, began = part.__name__.removeprefix("chaos.").replace("_", " "), time.monotonic()
        siege.terms.say(f"{name} …")
        await part.run(siege)
        siege.report.figures[f"{name}, seconds"] = round(time.monotonic() - began, 1)
