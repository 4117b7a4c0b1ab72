"""Menus that somebody hostile has written: each is refused at once, and nobody who is served feels it.

They go through what a live change goes through (`compiler.compile_here`), in a process of its own; some of them over a
real engine that looks at its folder.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from chaos.attacks.menu_mutations import ENGINE, Hostile, bombs, mutated
from chaos.attacks.siege import Siege, page_of
from chaos.stand import REPOSITORY
from ussd_engine.compiler import Job, compile_here, job_of
from ussd_engine.config import read_settings
from ussd_engine.language import check_trust, compiled, menu_file

FILES: Final = 1_000
REFUSED_SECONDS_MAX: Final = 0.2
"""Of a processor, until the linter has refused a menu."""
WORSE_SECONDS_MAX: Final = 30.0
"""What passes the linter is played and walked: half of the time that the engine gives it."""
TOLD_SECONDS_MAX: Final = 30.0
SHOWN_TO_ENGINE: Final = ("billion laughs", "nested b'{a: '", "ten megabytes", "tag b'!!python/name:os.system'")


async def run(siege: Siege) -> None:
    """In a process of its own, and over the engine."""
    await asyncio.gather(judged(siege), over_the_engine(siege))


# --- in a process of its own ------------------------------------------------------------------------------------------


async def judged(siege: Siege) -> None:
    """Every bomb, and our menus changed at random."""
    work = partial(judge, seed=siege.terms.seed, count=siege.terms.times(FILES, 15))
    folder = siege.stand.folder / "hostile"
    figures, failures = await siege.apart(work, str(siege.stand.config), str(REPOSITORY / "menus"), str(folder))
    siege.report.figures |= figures
    siege.report.failures += failures


def judge(config: str, menus: str, scratch: str, *, seed: int, count: int) -> tuple[dict[str, Any], list[str]]:
    """Figures and failures of so many hostile menus."""
    ours = {path.name: path.read_bytes() for path in Path(menus).glob("*.yaml")}
    job = replace(job_of(read_settings(Path(config))), folder=scratch)
    chance, failures = random.Random(f"{seed} menus"), list[str]()
    refused, later, accepted = list[float](), list[float](), 0
    compile_with(job, {ENGINE: ours[ENGINE]})  # what is loaded once is no part of a check
    hostile = [*bombs(ours[ENGINE]), *(mutated(ours, chance) for _ in range(count))]
    for each in hostile:
        menu_file.tree.cache_clear()
        began = time.process_time()
        try:
            result = compile_with(job, each.files)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the check has not told of it
            failures.append(f"{each.what}: {type(error).__name__}: {error}")
            continue
        seconds = time.process_time() - began
        if not result.mistakes:
            accepted += 1
            failures += [f"{each.what}: {what}" for what in _not_valid(result.services)]
        elif "walks" in result.counts:
            later.append(seconds)
        else:
            refused.append(seconds)
            if seconds > REFUSED_SECONDS_MAX:
                failures.append(f"{each.what} was refused after {1000 * seconds:.0f} ms of a processor")
    if max(later, default=0.0) > WORSE_SECONDS_MAX:
        failures.append(f"a menu was walked for {max(later):.0f} s before it was refused")
    shutil.rmtree(scratch, ignore_errors=True)
    figures = {
        "hostile menus": len(hostile), "refused by the linter": len(refused),
        "slowest of these, ms of a processor": round(1000 * max(refused), 1),
        "median of these, ms": round(1000 * sorted(refused)[len(refused) // 2], 1),
        "refused by tests or walks": len(later), "valid all the same": accepted,
    }  # fmt: skip
    return figures, failures


def compile_with(job: Job, files: Mapping[str, bytes]) -> Any:
    """What a live change would come to with these files."""
    folder = Path(job.folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    return compile_here(job)


def _not_valid(services: Mapping[str, bytes]) -> list[str]:
    """What would be wrong with a menu that was accepted, as far as can be seen from outside of the check."""
    found = []
    for version, octets in services.items():
        service = compiled.from_octets(octets)
        if service.version != version:
            found.append(f"service {service.id} is not the one that was checked")
        found += [str(each) for each in check_trust.untrusted_calls(service)]
    return found


# --- over the engine --------------------------------------------------------------------------------------------------


async def over_the_engine(siege: Siege) -> None:
    """A hostile file is put into the engine's own folder: `/health` tells of it, and nothing else happens."""
    menus = siege.stand.folder / "menus"
    engine = (menus / ENGINE).read_bytes()
    began, version = time.monotonic(), (await _health(siege))["version"]
    for what in SHOWN_TO_ENGINE if siege.terms.scale >= 1 else SHOWN_TO_ENGINE[:1]:
        hostile = next(each for each in bombs(engine) if each.what == what)
        await _shown(siege, menus, hostile, version)
    siege.check((await _health(siege))["version"] == version, "other menus are in force than before")
    p99 = siege.pulse.p99(began)
    siege.report.figures["p99 of turns while menus are refused, ms"] = round(p99, 1)
    siege.check(p99 < siege.p99_ms_max, f"while menus were refused, the p99 of a screen was {p99:.0f} ms")


async def _shown(siege: Siege, menus: Path, hostile: Hostile, version: str) -> None:
    path = menus / "hostile.yaml"
    part = path.with_name(".hostile.part")
    part.write_bytes(hostile.files["hostile.yaml"])
    part.rename(path)  # as a whole: what is half written is not what is tried here
    try:
        told = await _until(siege, refused=True)
        siege.check("hostile.yaml" in json.dumps(told), f"/health tells nothing of {hostile.what}: {told}")
        siege.check(told["version"] == version, f"after {hostile.what} other menus are in force")
    finally:
        path.unlink()
    await _until(siege, refused=False)


async def _until(siege: Siege, *, refused: bool) -> dict[str, Any]:
    until = time.monotonic() + TOLD_SECONDS_MAX
    while True:
        told = await _health(siege)
        if bool(told["refused"]) is refused:
            return told
        if time.monotonic() > until:
            siege.check(False, f"after {TOLD_SECONDS_MAX:g} s /health still says {told}")
            return told
        await asyncio.sleep(0.1)


async def _health(siege: Siege) -> dict[str, Any]:
    page = await asyncio.to_thread(page_of, siege.stand.settings().engine_http, "/health")
    told: dict[str, Any] = json.loads(page)["menus"]
    return told
