"""Whole dialogues over TCP with a running engine, in one dialect after the other, in both roles.

All that is said is recorded; in the end tshark, which knows nothing of us, finds nothing wrong in what the engine said.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from smpp import constants
from smpp.pdu import DataSm, DeliverSm, SubmitSm, find_tlv
from smpp.states import Role
from stack.programs import start_engine, stop_program
from stack.settings import Listen, read_settings
from tests.conftest import REPOSITORY, RunningStack, engine_like
from tests.peers import dissector
from tests.peers.conftest import missing
from tests.recording_relay import RecordingRelay
from tests.speaking_centre import SpeakingCentre, with_dialect_links
from ussd_engine import phone
from ussd_engine.centres import Centres, Peer
from ussd_engine.config import Address
from ussd_engine.dialect import read_dialects

DIALECTS = read_dialects(REPOSITORY / "dialects")
SPOKEN = ("standard", "spec", "tata", "mica", "sixdee", "smpp-plus", "glo-data-sm", "service-type", "comviva")
DIAL_AGAIN = "Сеанс аяқталды. Кодты қайта теріңіз."


@pytest.fixture(scope="module")
def ports(free_port: Callable[[], int]) -> dict[str, int]:
    """Where the centres listen to which the engine binds."""
    return {name: free_port() for name in SPOKEN}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def called(ports: dict[str, int]) -> AsyncIterator[dict[str, SpeakingCentre]]:
    """The centres to which the engine binds. They are there before it: it need not try again."""
    made = {name: SpeakingCentre(DIALECTS[name][0], Role.SERVER) for name in SPOKEN}
    for name, centre in made.items():
        await centre.listen(ports[name])
    yield made
    for centre in made.values():
        await centre.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relays(called: dict[str, SpeakingCentre], ports: dict[str, int]) -> AsyncIterator[dict[str, RecordingRelay]]:
    """Between the engine and the centres to which it binds."""
    async with AsyncExitStack() as stack:
        relays = {name: RecordingRelay("127.0.0.1", port) for name, port in ports.items()}
        for relay in relays.values():
            await stack.enter_async_context(relay)
        yield relays


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relay(engine: tuple[Path, Listen]) -> AsyncIterator[RecordingRelay]:
    """Between the centres that bind to the engine and the engine."""
    async with RecordingRelay(engine[1].host, engine[1].port) as relay:
        yield relay


@pytest.fixture(scope="module")
def engine(
    running_stack: RunningStack, relays: dict[str, RecordingRelay], free_port: Callable[[], int]
) -> Iterator[tuple[Path, Listen]]:
    """An engine that knows every dialect, as a server and as an ESME."""
    config = engine_like(running_stack, "talks", free_port)
    ports = {name: relay.port for name, relay in relays.items()}
    config.write_text(with_dialect_links(config.read_text(), ports, "talks.password"))
    (config.parent / "talks.password").write_text("secret\n")
    child = start_engine(config)
    yield config, read_settings(config).engine_smpp
    stop_program(child)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def centres(relay: RecordingRelay, called: dict[str, SpeakingCentre]) -> AsyncIterator[dict[str, SpeakingCentre]]:
    """The centres of all dialects: `they` have bound to us, `we` to them."""
    calling = {name: SpeakingCentre(DIALECTS[name][0], Role.CLIENT) for name in SPOKEN}
    for name, centre in calling.items():
        await centre.dial(Listen("relay", "127.0.0.1", relay.port), name)
    made = {f"{name}-we": called[name] for name in SPOKEN} | {f"{name}-they": calling[name] for name in SPOKEN}
    for centre in made.values():
        await asyncio.wait_for(centre.is_bound.wait(), 60)
    yield made
    for centre in calling.values():
        await centre.close()


@pytest.fixture(params=[f"{name}-{who}" for name in SPOKEN for who in ("they", "we")])
def centre(request: pytest.FixtureRequest, centres: dict[str, SpeakingCentre]) -> SpeakingCentre:
    """A centre of one dialect in one role, as if nothing had been said to it yet."""
    found = centres[request.param]
    for seen in (found.screens, found.pdus, found.statuses):
        seen.clear()
    return found


async def test_a_menu_is_walked_from_its_code_to_its_last_screen(centre: SpeakingCentre) -> None:
    phone = centre.telephone("77010000217")
    screen = await phone.dial("*111*9#")
    assert screen.text.startswith("Тіл\n1 Қазақша")
    assert not screen.ends
    screen = await phone.send("0")
    assert screen.text.startswith("Мәзір\n1 ")
    assert not screen.ends
    screen = await phone.send("3")
    assert screen.text.startswith("Баланс: ")
    assert screen.ends
    assert centre.statuses == [constants.ESME_ROK] * 3


async def test_who_hangs_up_is_sent_no_screen_and_has_no_dialogue_left(centre: SpeakingCentre) -> None:
    phone = centre.telephone("77010000218")
    assert not (await phone.dial("*111#")).ends
    phone.hang_up()
    await phone.hears_nothing()
    screen = await phone.send("9")
    assert (screen.text, screen.ends) == (DIAL_AGAIN, True)


async def test_a_begin_in_the_midst_of_a_dialogue_ends_the_old_one(centre: SpeakingCentre) -> None:
    phone = centre.telephone("77010000219")
    await phone.dial("*111*9#")
    old = phone.session
    assert (await phone.dial("*166#", "*166#")).text.startswith("Тариф")
    if old:  # an answer that bears the old session's number is none to the new dialogue's screen
        new, phone.session = phone.session, old
        assert (await phone.send("1")).text == DIAL_AGAIN
        phone.hang_up()
        await phone.hears_nothing(0.2)
        phone.session = new
    screen = await phone.send("1")
    assert screen.text != DIAL_AGAIN


async def test_two_peers_that_count_may_give_one_number_the_same_session(centres: dict[str, SpeakingCentre]) -> None:
    one, other = (centres[f"spec-{who}"].telephone("77010000223") for who in ("they", "we"))
    one.centre.sessions = other.centre.sessions = 511
    one.centre.accepts = False  # its screen is still on its way when the number is heard on the other link
    await one.dial("*111*9#")
    one.centre.accepts = True
    assert (await other.dial("*111*9#")).text.startswith("Тіл")
    other.hang_up()


async def test_a_screen_is_carried_as_the_dialect_has_it(centre: SpeakingCentre) -> None:
    phone = centre.telephone("77010000220")
    shown = await phone.dial("*111#")
    (pdu,) = centre.pdus[phone.number]
    spoken = centre.dialect
    ours = SubmitSm if centre.role is Role.SERVER else DeliverSm
    assert type(pdu) is (DataSm if spoken.pdu == "data_sm" else ours)
    assert isinstance(pdu, SubmitSm | DeliverSm | DataSm)
    assert pdu.source_addr == "*111#"
    assert (find_tlv(pdu, constants.TAG_MESSAGE_PAYLOAD) is not None) is spoken.in_payload
    assert (find_tlv(pdu, constants.TAG_USSD_SERVICE_OP) is not None) is (spoken.op_in == "ussd_service_op")
    assert shown.session[:1] == phone.session[:1]
    phone.hang_up()


@pytest.mark.parametrize("name", ["spec", "glo-data-sm", "service-type", "comviva"])
async def test_a_handset_in_the_terminal_speaks_the_dialect_of_its_link(engine: tuple[Path, Listen], name: str) -> None:
    command = [
        str(Path(sys.prefix) / "bin/ussd-engine"), "dial", "*111*9#", "--send", "0", "--send", "3", "--json",
        "--system-id", name, "--config", str(engine[0]), "--from", "77010000221", "--sms-seconds", "0",
    ]  # fmt: skip
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    talk = json.loads(done.stdout)
    assert [screen["ends"] for screen in talk["screens"]] == [False, False, True], done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["tata", "mica", "glo-data-sm", "service-type"])
async def test_the_centres_of_the_demo_speak_the_dialect_of_their_link(relay: RecordingRelay, name: str) -> None:
    address = Address("127.0.0.1", relay.port)
    account = phone.Account(address, name, "secret")
    async with Centres({"kcell": Peer(account, DIALECTS[name][0])}) as centres:
        handset = centres.handset("kcell", "77010000222")
        assert not (await handset.dial("*111*9#")).ends
        handset.hang_up()
        await asyncio.sleep(0.2)
        assert (await handset.send("0")).text == DIAL_AGAIN
        assert not (await handset.dial("*111*9#")).ends
        assert not (await handset.send("0")).ends
        assert (await handset.send("3")).ends


async def test_all_that_the_engine_said_in_these_talks_is_well_formed(
    centres: dict[str, SpeakingCentre], relay: RecordingRelay, relays: dict[str, RecordingRelay]
) -> None:
    if not dissector.is_here():
        missing("tshark is not here, and NOTHING that the engine said in these dialects is dissected")
    as_esme = [talk for each in relays.values() for talk in each.talks]
    assert len(relay.talks) >= len(SPOKEN) <= len(as_esme)
    assert dissector.complaints(relay.talks, from_dialler=False) == []
    assert dissector.complaints(as_esme, from_dialler=True) == []
