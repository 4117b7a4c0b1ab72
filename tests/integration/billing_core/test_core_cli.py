"""`billing-core` as an operator runs it: a process, its lines and its exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from billing.calls import Call, Done, NotMade
from billing.http_client import HttpBilling

from .running_core import KEY, NOTICE_KEY, PEPPER
from .stand_in_engine import RELAY_KEY


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def configured(
    folder: Path,
    database_url: str,
    owner_url: str | None = None,
    listen: str = "127.0.0.1:0",
    engine_url: str = "http://127.0.0.1:9",
    log_level: str = "info",
) -> Path:
    keys = {"engine": KEY, "pepper": PEPPER, "seals": PEPPER, "notices": NOTICE_KEY, "billing-core": RELAY_KEY}
    for name, key in keys.items():
        (folder / name).write_bytes(key)
    path = folder / "config.yaml"
    path.write_text(
        "billing_core:\n"
        f'  http_listen: "{listen}"\n'
        f'  database_url: "{database_url}"\n'
        f'  owner_database_url: "{owner_url or database_url}"\n'
        "  clients: {engine: {key_file: engine, may: [subscriber, office, payments, network]}}\n"
        "  pepper_file: pepper\n"
        "  seal_key_file: seals\n"
        "  notice_key_file: notices\n"
        "  relay_key_file: billing-core\n"
        f"  engine_url: {engine_url}\n"
        f"  log_level: {log_level}\n"
    )
    return path


async def started(*arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "billing_core.cli", *arguments]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


async def ran(*arguments: str) -> Ended:
    process = await started(*arguments)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def test_migrate_seed_serve_and_a_clean_end(postgres_url: str, serving_url: str, tmp_path: Path) -> None:
    config = str(configured(tmp_path, serving_url, postgres_url))
    too_early = await ran("serve", "--config", config)
    assert (too_early.code, "run `billing-core migrate`" in too_early.err) == (1, True)
    assert "applied 0001_subscribers.sql" in (await ran("migrate", "--config", config)).out
    assert (await ran("migrate", "--config", config)).out == "nothing to apply\n"
    assert (
        await ran("seed", "--config", config, "--numbers", "50", "--free-numbers", "100")
    ).out == "added 4050 subscribers\n"

    for number in (signal.SIGTERM, signal.SIGINT):
        process = await started("serve", "--config", config)
        assert process.stderr is not None
        serving = json.loads(await asyncio.wait_for(process.stderr.readline(), 30))
        assert serving["event"] == "serving"
        billing = HttpBilling(f"http://{serving['listen']}", "engine", KEY)
        await billing.start()
        call = Call("6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "subscribers.hello", "77010000007", "kk", {})
        assert isinstance(await billing.perform(call, 2.0), Done)
        process.send_signal(number)
        _, err = await asyncio.wait_for(process.communicate(), 20)
        await billing.close()
        assert process.returncode == 0
        assert [json.loads(line)["event"] for line in err.splitlines()] == ["ended"]


async def test_a_port_that_is_taken_is_one_line(postgres_url: str, serving_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = await ran("serve", "--config", str(configured(tmp_path, serving_url, postgres_url, listen)))
    assert ended == Ended(1, "", f"billing-core: cannot listen at {listen}: Address already in use\n")


@pytest.mark.parametrize("command", ["serve", "migrate", "seed"])
async def test_a_database_that_is_away_is_one_line_without_its_password(tmp_path: Path, command: str) -> None:
    url = "postgresql://ussd:hunter2@/billing?host=/nonexistent/run&port=5432"
    ended = await ran(command, "--config", str(configured(tmp_path, url)))
    assert ended.code == 1
    assert re.fullmatch(r"billing-core: the database at /nonexistent/run/billing does not serve: .*\n", ended.err)
    assert "hunter2" not in ended.err


async def test_a_mistake_in_the_configuration_is_one_line_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("billing_core:\n  clients: {}\n  pool_maks: 5\n")
    ended = await ran("serve", "--config", str(path))
    assert ended == Ended(2, "", f"billing-core: {path}:3:3: unknown key 'pool_maks'. Did you mean 'pool_max'?\n")


@pytest.mark.parametrize("numbers", ["0", "1000001"])
async def test_a_number_of_numbers_that_makes_no_sense_is_one_line(
    postgres_url: str, serving_url: str, tmp_path: Path, numbers: str
) -> None:
    ended = await ran("seed", "--numbers", numbers, "--config", str(configured(tmp_path, serving_url, postgres_url)))
    assert ended == Ended(1, "", "billing-core: --numbers must be 1 to 1000000\n")


async def test_money_that_comes_and_calls_that_were_missed_are_commands(
    postgres_url: str, serving_url: str, tmp_path: Path
) -> None:
    config = ("--config", str(configured(tmp_path, serving_url, postgres_url)))
    await ran("migrate", *config)
    await ran("seed", "--numbers", "100", "--free-numbers", "100", *config)
    payment = "6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0002"
    topup = ("topup", "77010000007", "499.5", "--id", payment, *config)
    balance = "2288.33 KZT on the account of 77010000007 then\n"
    assert await ran(*topup) == Ended(0, f"499.50 KZT came under {payment}: {balance}", "")
    assert await ran(*topup) == Ended(0, f"499.50 KZT came under {payment}: {balance}", "")
    missed = ("missed-call", "77010000007", "--from", "77010000008", "--times", "2", *config)
    assert await ran(*missed) == Ended(0, "77010000007 will be told\n", "")
    connection = await asyncpg.connect(postgres_url)
    rows = await connection.fetch("SELECT event, arguments FROM notices ORDER BY position")
    await connection.execute("TRUNCATE notices")
    await connection.close()
    assert [row["event"] for row in rows] == ["account.topped_up", "calls.missed"]
    assert json.loads(rows[0]["arguments"])["balance"] == {"minor": 228833, "currency": "KZT"}
    assert json.loads(rows[1]["arguments"]).items() >= {"caller": "77010000008", "count": 2}.items()


async def test_a_command_that_is_refused_says_why_in_one_line(
    postgres_url: str, serving_url: str, tmp_path: Path
) -> None:
    config = ("--config", str(configured(tmp_path, serving_url, postgres_url)))
    await ran("migrate", *config)
    await ran("seed", "--numbers", "100", "--free-numbers", "100", *config)
    for arguments, line in (
        (("topup", "77019999999", "5"), "the core has no subscriber with this number"),
        (("topup", "77010000097", "5"), "the number is closed"),
        (("missed-call", "77010000097", "--from", "77010000008"), "the number is closed"),
        (
            ("perform", "balances.gett", "77010000007"),
            "there is no operation 'balances.gett': docs/billing-operations.md lists them",
        ),
        (
            ("perform", "tariffs.quote", "77010000007", "tariff=none"),
            "NO_SUCH_TARIFF: the network does not offer it",
        ),
    ):
        assert await ran(*arguments, *config) == Ended(1, "", f"billing-core: {line}\n")


async def test_a_call_that_was_not_served_is_a_line_of_log_with_the_number_masked(
    postgres_url: str, serving_url: str, tmp_path: Path
) -> None:
    config = str(configured(tmp_path, serving_url, postgres_url))
    await ran("migrate", "--config", config)
    process = await started("serve", "--config", config)
    assert process.stderr is not None
    serving = json.loads(await asyncio.wait_for(process.stderr.readline(), 30))
    billing = HttpBilling(f"http://{serving['listen']}", "engine", KEY)
    await billing.start()
    call = Call("6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "subscribers.hello", "77010000007", "kk", {})
    connection = await asyncpg.connect(postgres_url)
    async with connection.transaction():
        await connection.execute("LOCK TABLE subscribers")
        assert isinstance(await billing.perform(call, 2.0), NotMade)
    await connection.close()
    process.terminate()
    _, err = await asyncio.wait_for(process.communicate(), 20)
    await billing.close()
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines] == ["not served", "ended"]
    assert re.fullmatch(r"…0007/[0-9a-f]{8}", lines[0]["msisdn"])
    assert b"77010000007" not in err
