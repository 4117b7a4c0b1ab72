"""Menus that are edited while the engine runs: green ones are in force at once, red ones change nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from bench import swaps
from stack.programs import start_engine, stop_program
from stack.settings import read_settings
from tests.centre_for_tests import Centre
from tests.conftest import RunningStack, engine_like
from tests.own_engine import OwnEngine, own_engine

SMALL = Path(__file__).resolve().parents[2] / "data/small_self_service.yaml"
"""What is edited here: small, so that its checks are quick."""


def edit(menus: Path, number: int) -> None:
    swaps.edit(menus, number, SMALL)


@pytest.fixture(scope="module")
def engine(running_stack: RunningStack, free_port: Callable[[], int]) -> Iterator[OwnEngine]:
    with own_engine(running_stack, "live", free_port, checks_anew=True) as engine:
        edit(engine.menus, 0)
        engine.command("reload")
        yield engine


@pytest_asyncio.fixture(loop_scope="session")
async def centre(engine: OwnEngine) -> AsyncIterator[Centre]:
    centre = Centre()
    link = await centre.bind_at(engine.settings.engine_smpp)
    yield centre
    link.close("the test is over")
    await asyncio.sleep(0.05)


async def test_a_changed_file_is_noticed_and_in_force_and_an_open_dialogue_goes_on_as_it_was(
    engine: OwnEngine, centre: Centre
) -> None:
    centre.type("*111#", 1)
    assert (await centre.screen())[0].startswith("Нөмір 0\n")
    before = engine.health()["version"]
    edit(engine.menus, 1)
    await engine.until(lambda menus: menus["version"] != before)
    centre.type("9", 18)
    assert (await centre.screen())[0].startswith("Тіл 0\n")  # the version that it began with
    centre.type("*111#", 1, "77010000107")
    assert "1\n" in (await centre.screen())[0]


async def test_a_red_edit_changes_nothing_and_is_told_of_until_it_is_mended(engine: OwnEngine, centre: Centre) -> None:
    version = engine.health()["version"]
    path = engine.menus / "self_service.yaml"
    good = path.read_text()
    path.write_text(good.replace("go: language", "go: langauge"))
    menus = await engine.until(lambda menus: menus["refused"] is not None)
    assert menus["version"] == version
    assert "there is no screen 'langauge'. Did you mean 'language'?" in menus["refused"]["mistakes"][0]
    await asyncio.sleep(1.1)
    assert "ussd_menus_refused 1.0" in engine.metrics()
    centre.type("*111*9#", 1)
    assert (await centre.screen())[0].startswith("Тіл 1\n")
    told = engine.command("reload")
    assert told.returncode == 1
    assert "langauge" in told.stdout
    path.write_text(good)
    await engine.until(lambda menus: menus["refused"] is None)


async def test_reload_and_sighup_put_an_edit_in_force(engine: OwnEngine, centre: Centre) -> None:
    edit(engine.menus, 2)
    told = engine.command("reload", "--json")
    assert json.loads(told.stdout)["ok"]
    assert told.returncode == 0
    centre.type("*111*9#", 1)
    assert (await centre.screen())[0].startswith("Тіл 2\n")
    version = engine.health()["version"]
    edit(engine.menus, 3)
    os.kill(engine.child.pid, signal.SIGHUP)
    await engine.until(lambda menus: menus["version"] != version)


async def test_a_dialogue_goes_on_in_another_engine_process_with_its_own_version(
    engine: OwnEngine, centre: Centre, running_stack: RunningStack, free_port: Callable[[], int]
) -> None:
    edit(engine.menus, 4)
    engine.command("reload")
    centre.type("*111#", 1, "77010000209")
    assert "4\n" in (await centre.screen())[0]
    other = engine_like(running_stack, "other", free_port)  # it has the repository's own menus
    child = start_engine(other)
    try:
        elsewhere = Centre()
        link = await elsewhere.bind_at(read_settings(other).engine_smpp)
        elsewhere.type("9", 18, "77010000209")
        first = (await elsewhere.screen())[0].split("\n")[0]
        assert first.endswith(" 4")  # a version that this process has never had in force
        link.close("the test is over")
        await asyncio.sleep(0.05)
    finally:
        stop_program(child)


async def test_many_swaps_under_load_show_no_wrong_screen(engine: OwnEngine) -> None:
    listen = engine.settings.engine_smpp
    edit(engine.menus, 0)
    engine.command("reload")
    result = await swaps.swap_under_load(
        engine.settings.config, listen.host, listen.port, 5, 600, partial(edit, engine.menus)
    )
    assert (result.wrong_screens, result.unanswered, result.refused) == (0, 0, 0)
    assert result.marks == 6
    assert result.turns > 300
