"""The whole system, every part the real one: what `make run` promises to somebody who tries it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from stack.programs import is_ready

if TYPE_CHECKING:
    from conftest import RunningStack

ENGINE = Path(sys.prefix) / "bin" / "ussd-engine"


async def test_all_parts_run_and_say_that_they_are_ready(running_stack: RunningStack) -> None:
    assert [child.name for child in running_stack.children] == ["PostgreSQL", "Redis", "billing-core", "ussd-engine"]
    assert [child.poll() for child in running_stack.children] == [None] * 4
    assert await asyncio.to_thread(is_ready, running_stack.settings.engine_http)
    assert await asyncio.to_thread(is_ready, running_stack.settings.core_http)


async def test_the_dial_that_it_tells_to_try_shows_a_balance(running_stack: RunningStack) -> None:
    command = [str(ENGINE), "dial", "*111*3#", "--from", "77010000007", "--config", str(running_stack.config)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Баланс: [0-9\s]+,[0-9]{2}\sтг", done.stdout), done.stdout


async def test_the_subscribers_to_try_with_are_there(running_stack: RunningStack) -> None:
    connection = await asyncpg.connect(running_stack.postgres_url)
    try:
        numbers = await connection.fetchval(
            "SELECT count(*) FROM subscribers WHERE msisdn BETWEEN '77010000000' AND '77010009999'"
        )
    finally:
        await connection.close()
    assert numbers == 10_000
