"""What operators do with a running engine: maintenance, histories, records, a conversation saved as a test."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from billing.signing import key_from_file, sign
from strict_yaml import read_file
from tests.centre_for_tests import Centre
from tests.conftest import RunningStack
from tests.own_engine import OwnEngine, own_engine
from ussd_engine.operator_side import HISTORY_PATH

NUMBER = "77010000311"


@pytest.fixture(scope="module")
def engine(running_stack: RunningStack, free_port: Callable[[], int]) -> Iterator[OwnEngine]:
    with own_engine(running_stack, "operated", free_port) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="session")
async def centre(engine: OwnEngine) -> AsyncIterator[Centre]:
    centre = Centre()
    link = await centre.bind_at(engine.settings.engine_smpp)
    yield centre
    link.close("the test is over")
    await asyncio.sleep(0.05)


async def command(engine: OwnEngine, *arguments: str) -> tuple[int, str]:
    """Runs the command while this process goes on answering the engine."""
    done = await asyncio.to_thread(engine.command, *arguments)
    return done.returncode, done.stdout + done.stderr


async def test_a_service_is_switched_off_and_on_while_the_engine_runs(engine: OwnEngine, centre: Centre) -> None:
    assert (await command(engine, "maintenance", "off", "tariff"))[0] == 0
    await asyncio.sleep(1.3)
    centre.type("*166#", 1, NUMBER)
    assert (await centre.screen())[1] == 17
    centre.type("*111#", 1, NUMBER)
    assert (await centre.screen())[1] == 2
    code, told = await command(engine, "maintenance")
    assert code == 0
    assert "OFF  tariff" in told
    assert "on   self_service" in told
    await command(engine, "maintenance", "on", "tariff")
    await asyncio.sleep(1.3)
    centre.type("*166#", 1, NUMBER)
    assert (await centre.screen())[1] == 2


async def test_a_name_that_switches_nothing_is_refused(engine: OwnEngine) -> None:
    code, told = await command(engine, "maintenance", "off", "tarif")
    assert code == 1
    assert "'tarif' switches nothing" in told
    assert "Did you mean 'tariff'?" in told


async def test_customer_care_sees_the_last_dialogues_and_the_question_is_logged(
    engine: OwnEngine, centre: Centre
) -> None:
    centre.type("*111#", 1, NUMBER)
    await centre.screen()
    centre.type("3", 18, NUMBER)
    balance = (await centre.screen())[0]
    await asyncio.sleep(0.5)
    code, told = await command(engine, "history", NUMBER)
    assert code == 0
    assert "self_service" in told
    assert "> *111#" in told
    assert "> 3" in told
    assert all(line in told for line in balance.split("\n"))
    log = engine.child.log.read_text()
    asked = [json.loads(line) for line in log.splitlines() if "asked by an operator" in line]
    assert asked[-1]["what"] == HISTORY_PATH
    assert asked[-1]["by"]
    assert asked[-1]["msisdn"].startswith("…0311/")
    assert NUMBER not in log


def asked(engine: OwnEngine, client: str, body: bytes, method: str = "POST", more: str = "") -> tuple[int, str]:
    """The status of a request that is signed for the path alone, and as what it is told."""
    key = key_from_file((engine.settings.data_folder / "keys" / client).read_bytes())
    headers = sign(client, key, method, HISTORY_PATH, body, time.time())
    url = f"http://{engine.settings.engine_http}{HISTORY_PATH}{more}"
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type()


QUESTION = json.dumps({"by": "test", "msisdn": NUMBER}).encode()


@pytest.mark.parametrize(("client", "status"), [("billing-core", 401), ("engine", 401), ("operations", 200)])
def test_only_an_operators_key_opens_a_history(engine: OwnEngine, client: str, status: int) -> None:
    assert asked(engine, client, QUESTION)[0] == status


def test_whatever_is_refused_is_told_as_a_problem_and_a_query_is_signed_as_well(engine: OwnEngine) -> None:
    for status, body, method, more in (
        (401, QUESTION, "POST", "?by=another"),
        (405, QUESTION, "GET", ""),
        (404, QUESTION, "POST", "/of/nobody"),
        (413, b" " * 100_000, "POST", ""),
    ):
        assert asked(engine, "operations", body, method, more) == (status, "application/problem+json")


async def test_a_dialogue_and_its_sms_are_records_and_a_line_of_the_log(engine: OwnEngine, centre: Centre) -> None:
    number = "77010000317"
    centre.type("*245#", 1, number)
    await centre.screen()
    centre.type("*111#", 1, number)
    await centre.screen()
    centre.type("", 129, number)
    await asyncio.sleep(0.8)
    (part,) = (engine.menus.parent / "records").glob("operated.*.part")
    records = [json.loads(line) for line in part.read_text().splitlines()]
    mine = [record for record in records if record.get("msisdn") == number]
    assert [(record["service"], record["cause"], record["path"]) for record in mine] == [
        ("cabinet", "ended", ["sent"]), ("self_service", "user_abort", ["root"]),
    ]  # fmt: skip
    assert mine[0]["charges"][0]["call"] == "cabinet.temporary_password"
    lines = [json.loads(line) for line in engine.child.log.read_text().splitlines() if '"event": "dialogue"' in line]
    assert any(line["msisdn"].startswith("…0317/") and line["cause"] == "user_abort" for line in lines)


async def test_a_conversation_is_saved_as_a_test_that_passes(engine: OwnEngine) -> None:
    code, told = await command(
        engine,
        "dial",
        "*111#",
        "--from",
        "77010000318",
        "--send",
        "3",
        "--save",
        "balance_of_318",
        "--sms-seconds",
        "0",
    )
    assert code == 0, told
    path = engine.menus / "talks/balance_of_318.yaml"
    assert str(path) in told
    (test,) = read_file(path).plain()["tests"]
    assert list(test["calls"]) == ["balances.get"]
    assert [list(step) for step in test["talk"]] == [["dial", "screen"], ["send", "screen", "ends"]]
    code, told = await command(engine, "test", str(engine.menus))
    assert code == 0, told
    path.write_text(path.read_text().replace("Баланс", "Остаток").replace("Balance", "Remainder"))
    code, told = await command(engine, "test", str(engine.menus))
    assert code == 1
    assert "--update writes what screens are now" in told
    code, told = await command(engine, "test", str(engine.menus), "--update")
    assert code == 0, told
    assert f"--- {path}" in told
    path.unlink()


async def test_diff_tells_what_breaks_and_who_is_on_it(engine: OwnEngine, centre: Centre) -> None:
    centre.type("*111*9#", 1, NUMBER)
    await centre.screen()
    edited = engine.menus.parent / "edited"
    edited.mkdir()
    for path in engine.menus.glob("*.yaml"):
        text = path.read_text()
        if path.name == "self_service.yaml":
            text = text.partition("\ntests:")[0].replace('key: "9"', 'key: "7"') + "\n"
        (edited / path.name).write_text(text)
    code, told = await command(engine, "diff", str(engine.menus), str(edited))
    assert code == 1
    assert "BREAKS  self_service: option 'root/language' has key 7, it had 9" in told
    assert "running  self_service: " in told
    assert "on screen 'language': they go on with the old version" in told
    code, told = await command(engine, "diff", str(engine.menus), str(engine.menus), "--json")
    assert code == 0
    assert json.loads(told)["changes"] == []


# --- links ---


async def test_links_shows_which_are_bound_since_when_and_what_failed(engine: OwnEngine, centre: Centre) -> None:
    with pytest.raises(ConnectionError):
        await Centre().bind_at(engine.settings.engine_smpp, password="wrong")
    code, told = await command(engine, "links", "--json")
    links = {each["link"]: each for each in json.loads(told)["links"]}
    assert code == 1  # the other links are down
    assert links["o-ussdc"]["state"] == "down"
    ours = links["kcell-ussdc"]
    assert (ours["state"], ours["binds"], ours["traced"]) == ("bound", 1, False)
    assert ours["since"] <= ours["last_error_at"]
    assert ours["last_error"] == "bind from 127.0.0.1 refused: ESME_RBINDFAIL"
    code, told = await command(engine, "links")
    assert "kcell-ussdc       bound since" in told


async def test_a_trace_shows_every_pdu_of_a_link_and_no_word_of_it(engine: OwnEngine, centre: Centre) -> None:
    assert (await command(engine, "trace", "kcell-ussdc", "on", "--seconds", "60"))[0] == 0
    centre.type("*111*9#", 1, "77010000377")
    await centre.screen()
    centre.type("737373", 18, "77010000377")
    await centre.screen()
    assert (await command(engine, "trace", "kcell-ussdc", "off"))[0] == 0
    centre.type("0", 18, "77010000377")
    await centre.screen()
    lines = [json.loads(line) for line in engine.child.log.read_text().splitlines() if '"event": "pdu"' in line]
    shown = [(line["direction"], line["command"]) for line in lines if line["command"] != "enquire_link"]
    assert shown.count(("in", "submit_sm")) == 2
    assert shown.count(("out", "deliver_sm")) == 2
    asked = next(line for line in lines if line["command"] == "submit_sm" and line["short_message"] == "<6 octets>")
    assert asked["tlvs"] == ["0x0501=12"]
    assert asked["source_addr"] == "…0377"
    text = json.dumps(lines)
    for secret in ("737373", b"737373".hex(), "77010000377", "Тіл"):
        assert secret not in text
    assert (await command(engine, "trace", "kcell", "on"))[1].count("kcell-ussdc") == 1


async def test_the_traffic_of_a_link_is_in_the_metrics(engine: OwnEngine, centre: Centre) -> None:
    centre.type("*111*9#", 1, "77010000378")
    await centre.screen()
    metrics = engine.metrics()
    for expected in (
        'smpp_pdus_total{command="submit_sm",direction="in",link="kcell-ussdc",status="ESME_ROK"}',
        'smpp_response_seconds_bucket{le="+Inf",link="kcell-ussdc"}',
        'smpp_window_depth_bucket{le="10.0",link="kcell-ussdc"}',
        'smpp_wrong_account{link="kcell-ussdc"} 0.0',
        "ussd_loop_lag_seconds_bucket",
    ):
        assert expected in metrics
