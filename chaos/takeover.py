"""An engine of the version before takes over dialogues of this one, and gives them back: upgrades, and the way back.

Rules of this file:
- The version before is a commit of this repository, unpacked beside the stand, and run by the same interpreter.
- Both versions serve the same links from the same Redis and core. A dialogue goes from one to the other at each of its
  screens, beginning with either.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Final

from chaos.people import FIRST_PAYER, FIRST_RESERVER, PIN, add_people
from chaos.report import Report, Terms
from chaos.stand import BINDS, BOUND_SECONDS_MAX, REPOSITORY, Stand
from smpp.fake_smsc import NotServed
from smpp.link import Link

BEFORE: Final = "baa35733c667"
"""The version before: the last commit that was handed over."""
ROUNDS: Final = 40
_TALKS: Final[tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]] = (
    # network, code, and what is typed with what the screen before it says
    ("kcell", "*111#", (("Меню|1 ", "9"), ("Язык|1 ", "0"), ("Меню|1 ", "9"), ("Язык|1 ", "0"))),
    ("kcell", "*222#", (("Новый номер", "1"), ("Префикс", "1"), ("Как искать", "1"), ("Номер", "1"), ("офисе", "1"),
                        ("Город", "1"), ("500 тг", "98"), ("Удостоверение", "98"), ("Срок", "1"), ("Наберите", "=")) ),
    ("megacom", "*900#", (("Перевод", "1"), ("Номер получателя", "0555900001"), ("Сколько", "11"), ("PIN", PIN))),
)  # fmt: skip
_ENDS: Final = {"*111#": "1 ", "*222#": r"Код \d{8}", "*900#": "Готово: 11 сом"}
_DIGITS: Final = re.compile(r"Наберите (\d\d)")


async def run(terms: Terms) -> Report:
    """The campaign."""
    report = Report("takeover", terms.seed)
    before = terms.folder / "before"
    await asyncio.to_thread(unpack, BEFORE, before)
    sources = {"ussd-engine-2": before}
    async with Stand(terms.folder, terms.say, engines=2, sources=sources) as stand:
        await add_people(stand, ROUNDS + 2, ROUNDS + 2)
        binds = await _binds_of_each(stand)
        taken_over = 0
        for nth, (network, code, steps) in itertools.product(range(terms.times(ROUNDS)), _TALKS):
            first = FIRST_PAYER + 2 if network == "megacom" else FIRST_RESERVER
            try:
                shown = await _talk(stand, binds[network], nth % 2, network, str(first + nth), code, steps)
            except NotServed as error:
                report.failures.append(f"{code}, dialogue {nth}: {error}")
                continue
            taken_over += len(steps)
            report.check(bool(re.search(_ENDS[code], shown)), f"{code}, dialogue {nth} ended with '{shown}'")
        report.figures |= {"version before": BEFORE, "screens answered by the other version": taken_over}
        owner = await stand.owner()
        posted = await owner.fetchval("SELECT count(*) FROM postings WHERE kind IN ('wallet.transfer', 'reservation')")
        await owner.close()
        report.check(posted == 2 * terms.times(ROUNDS), f"{posted} postings of {2 * terms.times(ROUNDS)} dialogues")
        await stand.core_command("verify")
    return report


def unpack(revision: str, folder: Path) -> None:
    """The files of a revision of this repository. Raises CalledProcessError when it is not in the history."""
    command = ["git", "-C", str(REPOSITORY), "archive", revision]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


async def _binds_of_each(stand: Stand) -> dict[str, tuple[Link, Link]]:
    """By network: a bind of this version, and one of the version before. The second engine is started anew for it."""
    old = stand.engines[1]
    await asyncio.to_thread(stand.kill, old)
    for centre in stand.centres.values():
        await centre.until_bound(BINDS, BOUND_SECONDS_MAX)
    of_this = {network: centre.links[0] for network, centre in stand.centres.items()}
    await stand.start(old)
    for centre in stand.centres.values():
        await centre.until_bound(2 * BINDS, BOUND_SECONDS_MAX)
    return {network: (link, stand.centres[network].links[-1]) for network, link in of_this.items()}


async def _talk(
    stand: Stand, binds: tuple[Link, Link], first: int, network: str, number: str, code: str,
    steps: tuple[tuple[str, str], ...],
) -> str:  # fmt: skip
    """One dialogue, each of its inputs on a bind of the other version. Raises NotServed."""
    handset = stand.centres[network].handset(number)
    handset.begin(code, binds[first])
    screen = await handset.screen()
    for nth, (expected, typed) in enumerate(steps, 1):
        if not re.search(expected, screen.text):
            raise NotServed(f"before '{typed}' it shows '{screen.text}'")
        handset.link = binds[(first + nth) % 2]
        digits = _DIGITS.search(screen.text)
        screen = await handset.send(digits[1] if typed == "=" and digits else typed)
    return screen.text
