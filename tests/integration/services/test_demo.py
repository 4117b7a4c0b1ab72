"""`ussd-engine demo`: the guided tour runs to its end on the whole system, and can be run again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ussd_engine.commands import tour

if TYPE_CHECKING:
    from conftest import RunningStack

ENGINE = Path(sys.prefix) / "bin" / "ussd-engine"


async def demo(stack: RunningStack, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(ENGINE), "demo", "--config", str(stack.config), "--pause", "0", *options]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)


async def test_every_service_is_played_with_the_sms_that_arrive(running_stack: RunningStack) -> None:
    done = await demo(running_stack)
    assert done.returncode == 0, done.stdout + done.stderr
    for chapter in tour.CHAPTERS:
        assert f"━━ {chapter.title} ━" in done.stdout
    for sms in ("Временный пароль кабинета", "Новый тариф", "забронирован, код", "4259", "PIN: ", "Код платежа"):
        assert any("✉" in line and sms in line for line in done.stdout.splitlines()), sms


async def test_it_can_be_run_again_and_tells_each_step_as_json(running_stack: RunningStack) -> None:
    done = await demo(running_stack, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["service"] for each in steps} == {chapter.service for chapter in tour.CHAPTERS}
    assert {each["network"] for each in steps} == {"kcell", "beeline-kz", "megacom", "beeline-kg", "o"}
    assert all(each["screen"] for each in steps if each["did"] in ("dials", "types"))


async def test_one_chapter_alone(running_stack: RunningStack) -> None:
    done = await demo(running_stack, "--only", "sms", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {json.loads(line)["service"] for line in done.stdout.splitlines()} == {"sms"}


async def test_without_the_system_it_says_what_to_do(running_stack: RunningStack, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    address = str(running_stack.settings.engine_smpp)
    config.write_text(running_stack.config.read_text().replace(address, "127.0.0.1:9"))
    command = [str(ENGINE), "demo", "--config", str(config)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "make run" in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_handset_of_the_other_country_binds_as_the_account_of_that_country(running_stack: RunningStack) -> None:
    command = [str(ENGINE), "dial", "*900#", "--send", "8", "--send", "1", "--from", "996555000008", "--json"]
    command += ["--config", str(running_stack.config), "--sms-seconds", "0"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["screens"][-1]["text"].replace("\xa0", " ") == "В кошельке: 5 000 сом"
