"""The whole system, every part the real one: what `make run` promises to somebody who tries it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import urllib.request
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


def test_a_link_that_nobody_has_bound_counts_as_down(running_stack: RunningStack) -> None:
    """Else no alarm would ring for a peer that was never there."""
    http = running_stack.settings.engine_http
    with urllib.request.urlopen(f"http://{http}/metrics", timeout=5) as answer:
        metrics = answer.read().decode()
    for line in ('smpp_binds{link="o-ussdc"} 0.0', 'smpp_dials_failed_total{link="o-ussdc"} 0.0'):
        assert line in metrics


def test_neither_program_leaves_its_memory_in_a_core_dump(running_stack: RunningStack) -> None:
    for child in running_stack.children[2:]:
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), child.name


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
