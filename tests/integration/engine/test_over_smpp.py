"""The whole way: a USSD centre's octets in, real Redis, billing core and PostgreSQL, and octets back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from smpp import constants
from smpp.errors import BindRefused
from smpp.pdu import (
    BindReceiver,
    BindTransmitter,
    CancelSm,
    DataSm,
    Pdu,
    QuerySm,
    ReplaceSm,
    SmeAddress,
    SubmitMulti,
    SubmitSm,
    Tlv,
)
from tests.centre_for_tests import NUMBER, Centre
from tests.conftest import RunningStack


@pytest.fixture
async def centre(running_stack: RunningStack) -> AsyncIterator[Centre]:
    centre = Centre()
    link = await centre.bind(running_stack)
    yield centre
    link.close("the test is over")
    await asyncio.sleep(0.05)


async def test_the_balance_comes_back_on_one_closing_screen(centre: Centre) -> None:
    centre.type("*111*3#", 1)
    text, op = await centre.screen()
    assert (text, op) == ("Баланс: 1 788,83 тг\nБонус: 258,39 тг", 17)
    assert (await centre.answers.get()).command_status == 0


async def test_a_dialogue_goes_on_where_it_was(centre: Centre) -> None:
    centre.type("*111#", 1)
    assert (await centre.screen())[1] == 2
    centre.type("9", 18)
    assert (await centre.screen())[0].startswith("Тіл\n1 Қазақша")
    centre.type("0", 18)
    assert (await centre.screen())[0].startswith("Мәзір\n1 ")


async def test_a_language_chosen_stays_chosen(centre: Centre) -> None:
    number = "77010000107"
    centre.type("*111*9#", 1, number)
    await centre.screen()
    centre.type("3", 18, number)
    assert (await centre.screen())[0].startswith("Menu\n1 Tariff and services")
    centre.type("*111#", 1, number)
    assert (await centre.screen())[0].startswith("Menu\n1 Tariff and services")


async def test_an_unknown_code_gets_a_closing_screen(centre: Centre) -> None:
    centre.type("*7777#", 1)
    assert await centre.screen() == ("Мұндай код жоқ. Тексеріп, қайта теріңіз.", 17)
    centre.type("*#06#", 1)
    assert (await centre.screen())[1] == 17


async def test_an_answer_without_a_dialogue_is_told_to_dial_again(centre: Centre) -> None:
    centre.type("1", 18, "77010000201")
    assert await centre.screen() == ("Сеанс аяқталды. Кодты қайта теріңіз.", 17)


async def test_the_service_code_is_our_address_in_every_screen(centre: Centre) -> None:
    centre.type("*111*3#", 1, code="*111#")
    pdu = await asyncio.wait_for(centre.screens.get(), 5)
    assert (pdu.source_addr, pdu.destination_addr) == ("*111#", NUMBER)


async def test_a_number_that_nobody_knows_gets_a_screen(centre: Centre) -> None:
    centre.type("*111#", 1, "77019999999")
    assert await centre.screen() == ("Бұл нөмірге қызмет көрсетілмейді.", 17)


async def test_a_number_of_another_country_is_refused_on_the_wire(centre: Centre) -> None:
    centre.type("*111#", 1, "12025550123")
    assert (await asyncio.wait_for(centre.answers.get(), 5)).command_status == constants.ESME_RINVSRCADR


async def test_an_sms_that_no_service_takes_is_refused_with_a_status(centre: Centre) -> None:
    assert centre.link is not None
    centre.link.send(SubmitSm(source_addr_ton=1, source_addr=NUMBER, destination_addr="999", short_message=b"BAL"))
    assert (await asyncio.wait_for(centre.answers.get(), 5)).command_status == constants.ESME_RINVDSTADR


async def test_a_second_answer_on_one_prompt_gets_the_same_screen_and_is_walked_once(centre: Centre) -> None:
    number = "77010000301"
    centre.type("*111#", 1, number)
    await centre.screen()
    centre.accepts = False
    centre.type("9", 18, number)
    first, _ = await centre.screen()
    centre.type("1", 18, number)
    assert (await centre.screen())[0] == first


async def test_an_abort_ends_the_dialogue_without_a_screen(centre: Centre) -> None:
    number = "77010000302"
    centre.type("*111#", 1, number)
    await centre.screen()
    centre.type("", 129, number)
    await asyncio.sleep(0.2)
    assert centre.screens.empty()
    centre.type("9", 18, number)
    assert (await centre.screen())[1] == 17


async def test_a_new_begin_ends_the_old_dialogue(centre: Centre) -> None:
    number = "77010000303"
    centre.type("*111*9#", 1, number)
    await centre.screen()
    centre.type("*166#", 1, number, "*166#")
    assert (await centre.screen())[0].startswith("Тариф")
    centre.type("2", 18, number)
    assert (await centre.screen())[1] == 17


async def test_a_centre_with_two_binds_gets_its_screens_on_the_receiving_one(running_stack: RunningStack) -> None:
    transmitter, receiver = Centre(), Centre()
    one = await transmitter.bind(running_stack, BindTransmitter)
    two = await receiver.bind(running_stack, BindReceiver)
    transmitter.type("*111*3#", 1)
    assert (await receiver.screen())[0].startswith("Баланс")
    one.close("over")
    two.close("over")
    await asyncio.sleep(0.05)


async def test_a_wrong_password_and_an_unknown_account_get_the_same_answer(running_stack: RunningStack) -> None:
    with pytest.raises(BindRefused) as caught:
        await Centre().bind(running_stack, password="wrong")
    assert caught.value.status == constants.ESME_RBINDFAIL
    await Centre().bind(running_stack)  # and the right one is still let in


async def test_a_hundred_dialogues_at_once_each_get_their_own_screen(centre: Centre) -> None:
    numbers = [f"7701000{n:04}" for n in range(400, 500)]
    for number in numbers:
        centre.type("*111*3#", 1, number)
    pdus = [await asyncio.wait_for(centre.screens.get(), 5) for _ in numbers]
    assert sorted(pdu.destination_addr for pdu in pdus) == numbers


# --- the commands ---------------------------------------------------------------------------------------------------


@pytest.fixture
def dial_command(running_stack: RunningStack) -> Callable[..., Awaitable[subprocess.CompletedProcess[str]]]:
    program = str(Path(sys.prefix) / "bin" / "ussd-engine")

    async def run(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [program, "dial", *arguments, "--config", str(running_stack.config)]
        return await asyncio.to_thread(
            subprocess.run, command, input=typed, capture_output=True, text=True, timeout=20, check=False
        )

    return run


async def test_dial_shows_the_screen_as_a_phone_does(dial_command: Callable[..., Awaitable[object]]) -> None:
    done = await dial_command("*111*3#", "--from", NUMBER)
    assert done.returncode == 0
    assert "│ Баланс: 1 788,83 тг" in done.stdout
    assert "36 of 80 UCS-2 units" in done.stdout
    assert "ended by the service" in done.stdout


async def test_dial_is_interactive_and_an_empty_line_hangs_up(dial_command: Callable[..., Awaitable[object]]) -> None:
    done = await dial_command("*111#", typed="9\n\n")
    assert "Тіл" in done.stdout
    assert "you hung up" in done.stdout
    assert done.returncode == 1


async def test_dial_plays_a_fixed_talk_and_speaks_json(dial_command: Callable[..., Awaitable[object]]) -> None:
    done = await dial_command("*111#", "--send", "3", "--send", "0", "--json")
    talk = json.loads(done.stdout)
    assert done.returncode == 0
    assert talk["ok"] is True
    assert [screen["ends"] for screen in talk["screens"]] == [False, True]
    assert talk["sent"] == ["3"]


async def test_dial_says_in_one_line_that_nobody_answers(dial_command: Callable[..., Awaitable[object]]) -> None:
    done = await dial_command("*111#", "--smpp", "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_health_ready_and_metrics_answer(running_stack: RunningStack) -> None:
    base = f"http://{running_stack.settings.engine_http}"
    for path, expected in (("/health", "ok"), ("/ready", '"ready": true'), ("/metrics", "ussd_inputs_total")):
        with urllib.request.urlopen(base + path, timeout=5) as answer:
            assert expected in answer.read().decode()


async def test_an_address_that_our_screens_could_not_carry_is_refused_and_poisons_nothing(centre: Centre) -> None:
    number = "77010000305"
    code, op = "*111*3*1234567890123#", Tlv(constants.TAG_USSD_SERVICE_OP, b"\x01")  # data_sm carries up to 64
    assert centre.link is not None
    centre.link.send(DataSm(source_addr_ton=1, source_addr=number, destination_addr=code, tlvs=(op,)))
    assert (await asyncio.wait_for(centre.answers.get(), 5)).command_status == constants.ESME_RINVDSTADR
    centre.type("*111#", 1, number)
    assert (await centre.screen())[1] == 2


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (QuerySm("1", source_addr=NUMBER), constants.ESME_RQUERYFAIL),
        (CancelSm("USSD", "1", source_addr=NUMBER), constants.ESME_RCANCELFAIL),
        (ReplaceSm("1", source_addr=NUMBER, short_message=b"5"), constants.ESME_RREPLACEFAIL),
        (SubmitMulti(source_addr=NUMBER, dest_address=(SmeAddress(0, 1, "111"),)), constants.ESME_RSUBMITFAIL),
    ],
)
async def test_what_only_a_message_centre_can_do_is_refused_and_the_bind_stays(
    centre: Centre, asked: Pdu, status: int
) -> None:
    assert centre.link is not None
    centre.link.send(asked)
    answer = await asyncio.wait_for(centre.answers.get(), 5)
    assert (answer.command_id, answer.command_status) == (asked.command_id | constants.RESPONSE, status)
    centre.type("*111*3#", 1)
    assert (await centre.screen())[1] == 17
