"""A link that offers ten times what the engine can do, and numbers that dial without end: what the others notice.

Rules of this campaign:
- What the engine can do is measured first, on this machine, as it is just now; the flood is then offered whether
  anything comes back or not, by a process of its own.
- What is too much is refused with ESME_RTHROTTLED and in no other way; who is on another link is served.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from copy import deepcopy
from typing import Any, Final

from chaos.outages.crowd import Load, Seen, numbers_of, p99, turn
from chaos.outages.gauges import Gauges
from chaos.outages.words import BALANCE, ENGINE, ENGINE_AT_FAULT, TOO_OFTEN, WALLET_AWAY
from chaos.report import Report, Terms
from chaos.stand import Stand
from smpp import constants
from smpp.fake_smsc import Account, FakeSmsc
from smpp.reactor import reactor_on

FLOOD_SECONDS: Final = 60
FLOOD_SECONDS_MIN: Final = 6
CAPACITY_SECONDS: Final = 10
CAPACITY_SECONDS_MIN: Final = 2
TIMES_CAPACITY: Final = 10
FIRST_NUMBER, NUMBERS = 996555000000, 1000
OTHERS_PER_SECOND: Final = 50
OTHERS_SHARE_MIN: Final = 0.99
OTHERS_P99_SECONDS_MAX: Final = 1.0
NORMAL_SECONDS_MAX: Final = 2.0
GROWTH_OCTETS_MAX: Final = 16 * 1024 * 1024
STARTS_A_MINUTE: Final = 10
RATE: Final = 50
RATED_SECONDS: Final = 2.0


async def run(terms: Terms) -> Report:
    """Brings the system up, and floods it."""
    report = Report("floods", terms.seed)
    async with FakeSmsc(reactor_on(asyncio.get_running_loop()), Account("engine", "secret")) as strict:

        def change(config: dict[str, Any]) -> None:
            engine, centre = config["engine"], config["engine"]["links"]["centre-kcell"]
            engine["log_level"] = "warning"
            engine["links"] |= {
                "strict": deepcopy({key: value for key, value in centre.items() if key != "floods"})
                | {"address": f"127.0.0.1:{strict.port}", "binds": 1},
                "rated": deepcopy(engine["links"]["kcell-ussdc"])
                | {"system_id": "rated", "floods": {**centre["floods"], "per_second": RATE}},
            }  # fmt: skip

        async with Stand(terms.folder, terms.say, change=change) as stand:
            await _Floods(stand, strict, terms, report).all()
    return report


class _Floods:
    """The parts of the campaign."""

    def __init__(self, stand: Stand, strict: FakeSmsc, terms: Terms, report: Report) -> None:
        self._stand = stand
        self._strict = strict
        self._terms = terms
        self._report = report
        self._gauges = Gauges(stand)
        self._port = stand.settings().engine_smpp.port

    async def all(self) -> None:
        """One after the other."""
        self._kcell = await numbers_of(self._stand, "kcell")
        await self._link_that_floods()
        self._terms.say("a number dials without end, and a link beyond its rate")
        await asyncio.gather(self._number_without_end(), self._link_beyond_its_rate())

    async def _link_that_floods(self) -> None:
        terms, report = self._terms, self._report
        terms.say("what can be done")
        seconds = terms.times(CAPACITY_SECONDS, CAPACITY_SECONDS_MIN)
        capacity = (await self._flood("ussdc-mega", seconds, 0, "*900#"))["screens_per_second"]
        report.figures["capacity, screens/s"] = round(capacity)
        seconds, offered = terms.times(FLOOD_SECONDS, FLOOD_SECONDS_MIN), capacity * TIMES_CAPACITY
        terms.say(f"{offered:,.0f} begins a second for {seconds} s")
        centre = self._stand.centres["kcell"]
        before = (await self._gauges.read()).resident_octets
        flood = asyncio.ensure_future(self._flood("ussdc-mega", seconds, offered, "*900#"))
        others = Load(centre, itertools.cycle(self._kcell[20:]), "*111*3#", OTHERS_PER_SECOND)
        await asyncio.sleep(seconds / 3)
        early = (await self._gauges.read()).resident_octets
        await asyncio.sleep(seconds - seconds / 3)
        late = (await self._gauges.read()).resident_octets
        seen = await others.end()
        done = await flood
        self._others_were_served(seen)
        self._flood_was_refused(done, seconds)
        report.figures["resident, MiB before, early and late"] = " ".join(
            f"{each / 2**20:.1f}" for each in (before, early, late)
        )
        report.check(late - early < GROWTH_OCTETS_MAX, f"the engine grew by {(late - early) / 2**20:.1f} MiB")
        await self._is_normal()

    async def _flood(
        self, system_id: str, seconds: float, per_second: float, code: str, first: int = FIRST_NUMBER
    ) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chaos.outages.flood", str(self._port), system_id, str(seconds), str(per_second),
            str(first), str(NUMBERS), code, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise RuntimeError(f"the flood ended with {process.returncode}")
        done: dict[str, Any] = json.loads(out)
        return done

    def _others_were_served(self, seen: list[Seen]) -> None:
        report = self._report
        good = [each for each in seen if not each.trouble and any(word in each.text for word in BALANCE)]
        report.figures["others: dialogues"] = len(seen)
        report.figures["others: served, percent"] = round(100 * len(good) / max(1, len(seen)), 2)
        report.figures["others: p99 ms"] = round(p99(seen) * 1000)
        bad = Counter(each.trouble or each.text[:40] for each in seen if each not in good)
        report.check(len(good) >= OTHERS_SHARE_MIN * len(seen) > 0, f"others were not served: {bad.most_common(3)}")
        report.check(p99(seen) < OTHERS_P99_SECONDS_MAX, f"others waited: p99 {p99(seen):.2f} s")

    def _flood_was_refused(self, done: dict[str, Any], seconds: float) -> None:
        report, statuses = self._report, {int(status): count for status, count in done["statuses"].items()}
        refused = statuses.get(constants.ESME_RTHROTTLED, 0)
        report.figures["flood: offered/s"] = round((done["sent"] + done["held_up"]) / seconds)
        report.figures["flood: taken by TCP/s"] = round(done["sent"] / seconds)
        report.figures["flood: accepted/s"] = round(statuses.get(constants.ESME_ROK, 0) / seconds)
        report.figures["flood: ESME_RTHROTTLED/s"] = round(refused / seconds)
        report.figures["flood: screens/s"] = round(done["screens_per_second"])
        others = set(statuses) - {constants.ESME_ROK, constants.ESME_RTHROTTLED}
        report.check(refused > 0, "nothing was refused")
        report.check(not others, f"refused otherwise: {sorted(constants.status_name(each) for each in others)}")
        report.check(not done["binds_lost"], f"{done['binds_lost']} binds of the flood were cut")
        screens = {_decoded(octets): count for octets, count in done["screens"].items()}
        faults = {
            text: count
            for text, count in screens.items()
            if any(words.startswith(text) for words in ENGINE_AT_FAULT | WALLET_AWAY)
        }
        report.check(not faults, f"screens that tell of a fault: {faults}")

    async def _is_normal(self) -> None:
        """Ten in a row are served at once."""
        back, served, centre = time.monotonic(), 0, self._stand.centres["kcell"]
        for number in itertools.cycle(self._kcell[:10]):
            seen = await turn(centre.handset(number), "*111*3#", begins=True)
            good = not seen.trouble and seen.text not in ENGINE and seen.seconds < OTHERS_P99_SECONDS_MAX
            served = served + 1 if good else 0
            if served == 10 or time.monotonic() - back > 10 * NORMAL_SECONDS_MAX:
                break
        seconds = time.monotonic() - back
        self._report.figures["normal again after s"] = round(seconds, 2)
        self._report.check(seconds <= NORMAL_SECONDS_MAX, f"normal again only after {seconds:.1f} s")

    async def _number_without_end(self) -> None:
        """Ten dialogues a minute, and then words; nobody else is the worse for it."""
        report, eager, other = self._report, self._strict.handset(self._kcell[0]), self._strict.handset(self._kcell[1])
        seen = [await turn(eager, "*111#", begins=True) for _ in range(STARTS_A_MINUTE + 5)]
        told = [each.text in TOO_OFTEN for each in seen]
        report.figures["a number without end: dialogues"] = told.count(False)
        report.check(
            told == [False] * STARTS_A_MINUTE + [True] * 5, f"a number dialled without end, and saw {seen[-1]}"
        )
        calm = await turn(other, "*111#", begins=True)
        report.check(not calm.trouble and calm.text not in TOO_OFTEN, f"another number saw {calm}")

    async def _link_beyond_its_rate(self) -> None:
        """A link of fifty dialogues a second that offers ten times as many."""
        done = await self._flood("rated", RATED_SECONDS, 10 * RATE, "*111*3#", int(self._kcell[0]))
        accepted, most = done["statuses"].get("0", 0), RATE * (RATED_SECONDS + 2)
        self._report.figures["a link of 50/s: accepted/s"] = round(accepted / RATED_SECONDS)
        self._report.check(0 < accepted <= most, f"a link of {RATE} a second: {accepted} in {RATED_SECONDS:g} s")
        others = set(done["statuses"]) - {"0", str(int(constants.ESME_RTHROTTLED))}
        self._report.check(not others, f"a link beyond its rate is refused with {others}")


def _decoded(octets: str) -> str:
    """The beginning of a screen, which the flood did not decode."""
    raw = bytes.fromhex(octets)
    return raw.decode("utf-16-be") if raw[:1] in (b"\x00", b"\x04") and len(raw) % 2 == 0 else raw.decode("latin-1")
