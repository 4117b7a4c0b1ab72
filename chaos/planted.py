"""Plants known bugs in copies of the source, one at a time, and looks whether the tests named for each see it.

Rules of this file:
- The copy is what git knows, and what runs is the copy: that is looked at before anything is believed.
- First the tests must be green without a bug; then at least one of them red with it, in the time they have.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chaos.planted_bugs import PLANTED, Planted
from chaos.report import Report, Terms
from chaos.stand import REPOSITORY

AT_A_TIME: Final = 2
SECONDS_MAX: Final = 300.0
_PACKAGES: Final = ("smpp", "sessions", "billing", "billing_core", "ussd_engine", "stack", "masking", "json_logs")
_WHERE: Final = f"import {', '.join(_PACKAGES)}; print(*({', '.join(f'{name}.__file__' for name in _PACKAGES)}))"
_RED, _GREEN = 1, 0
"""Exit codes of pytest: some tests failed, none did. Any other says that nothing was tried."""


class NotPlanted(Exception):
    """A bug that cannot be planted: the text says why."""


async def run(terms: Terms) -> Report:
    """The campaign; at a smaller scale, a drawn part of the bugs."""
    report = Report("planted", terms.seed)
    chosen = terms.chance("bugs").sample(PLANTED, terms.times(len(PLANTED)))
    work = REPOSITORY / ".build" / "planted"
    shutil.rmtree(work, ignore_errors=True)
    try:
        await _whole(terms, report, work, chosen)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return report


async def _whole(terms: Terms, report: Report, work: Path, chosen: list[Planted]) -> None:
    sound = await copy_of(work / "sound")
    terms.say("the tests without a bug …")
    code, said = await tried(sound, sorted({test for bug in chosen for test in bug.tests}), len(chosen) * SECONDS_MAX)
    report.check(code == _GREEN, f"without a bug the tests are not green ({code}): {said}")
    at_a_time = asyncio.Semaphore(AT_A_TIME)
    caught: list[str] = []

    async def look(nth: int, bug: Planted) -> None:
        async with at_a_time:
            began = time.monotonic()
            copy = await copy_of(work / f"bug{nth}")
            plant(copy, bug)
            code, said = await tried(copy, bug.tests, SECONDS_MAX)
            shutil.rmtree(copy)
            seconds = time.monotonic() - began
            terms.say(f"{'caught' if code == _RED else 'NOT CAUGHT'} in {seconds:.0f} s: {bug.name}")
            if code == _RED:
                caught.append(bug.name)
            else:
                report.failures.append(f"{bug.name} ({bug.file}): not caught ({code}): {said}")

    await asyncio.gather(*(look(nth, bug) for nth, bug in enumerate(chosen)))
    report.figures |= {"planted": len(chosen), "caught": len(caught)}


async def copy_of(place: Path) -> Path:
    """A copy of what git knows of the working tree, checked to be what runs there. Raises NotPlanted."""
    listed = await _output("git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, place / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    # Our scripts in .venv find their modules as this does: by PYTHONPATH, and not by where they are started.
    found = (await _output(sys.executable, "-c", _WHERE, cwd=place.parent, environment=_environment(place))).split()
    if not all(Path(each).is_relative_to(place) for each in found):
        raise NotPlanted(f"what runs is not the copy: {found}")
    return place


def plant(copy: Path, bug: Planted) -> None:
    """Changes the copy. Raises NotPlanted when the old text does not stand there exactly once."""
    path = copy / bug.file
    text = path.read_text()
    if (times := text.count(bug.old)) != 1:
        raise NotPlanted(f"{bug.name}: the old text stands {times} times in {bug.file}, and not once")
    path.write_text(text.replace(bug.old, bug.new))


async def tried(copy: Path, tests: Iterable[str], seconds_max: float) -> tuple[int, str]:
    """Runs tests in a copy: pytest's exit code (or -1 when it took too long), and its last words."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=line", *tests,
        cwd=copy, env=_environment(copy), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), seconds_max)
    except TimeoutError:
        os.killpg(process.pid, 9)
        await process.wait()
        return -1, f"not ended after {seconds_max:g} s"
    lines = [line for line in out.decode(errors="replace").splitlines() if line.strip()]
    return process.returncode or 0, " / ".join(lines[-3:])[-400:]


def _environment(copy: Path) -> dict[str, str]:
    """In which the copy's modules come before those that are installed."""
    return {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


async def _output(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise NotPlanted(f"{command[0]} ended with {process.returncode}: {err.decode()[-200:]}")
    return out.decode()
