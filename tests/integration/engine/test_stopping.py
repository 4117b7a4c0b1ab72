"""An engine is asked to stop while people talk and SMS go out: who was heard gets a screen, and no SMS is sent twice.

A few stops are tried here; `make stops` tries many.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import aiohttp
import pytest

from billing import notices
from billing.signing import key_from_file, sign
from smpp import constants as c
from smpp.dial import dial
from smpp.errors import WindowFull, WrongState
from smpp.limits import Limits
from smpp.link import Link
from smpp.pdu import BindTransceiver, DeliverSm, DeliverSmResp, Pdu, SubmitSm, Tlv
from smpp.reactor import reactor_on
from stack.programs import start_engine
from tests.conftest import RunningStack
from tests.own_engine import OwnEngine, own_engine

STOPS = int(os.environ.get("ENGINE_STOPS", "2"))
TALKERS = 100
SECONDS_OF_LOAD = 1.0
TOP_UP = {"sum": {"minor": 10000, "currency": "KZT"}, "balance": {"minor": 20000, "currency": "KZT"}}


class Crowd:
    """Many handsets on one bind that dial again as soon as they have a screen (`smpp.link.LinkOwner`)."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()  # heard by the engine, and without a screen yet
        self.screens = 0
        self.refused: Counter[int] = Counter()
        self.sms: Counter[str] = Counter()  # by the number that they are for
        self.gone_for = asyncio.Event()
        self.reason = ""
        self._link: Link | None = None
        self._early: set[str] = set()  # whose screen came before the response to their input

    async def begin(self, engine: OwnEngine) -> None:
        request = BindTransceiver(system_id="ussdc", password="secret", interface_version=0x34)
        reactor, listen = reactor_on(asyncio.get_running_loop()), engine.settings.engine_smpp
        self._link = await dial(reactor, listen.host, listen.port, request, self, Limits(window_out=1000))
        for number in range(TALKERS):
            self._dial(f"7701000{number + 600:04}")

    def _dial(self, number: str) -> None:
        assert self._link is not None
        pdu = SubmitSm(
            service_type="USSD", source_addr_ton=1, source_addr_npi=1, source_addr=number, destination_addr="*111#",
            short_message=b"*111*3#", tlvs=(Tlv(c.TAG_USSD_SERVICE_OP, b"\x01"),),
        )  # fmt: skip
        with suppress(WrongState, WindowFull):  # it ends, or has told us to be slower
            self._link.send(pdu, number)

    def request(self, link: Link, pdu: Pdu) -> None:
        assert isinstance(pdu, DeliverSm)
        link.respond(pdu, DeliverSmResp())
        number = pdu.destination_addr
        if not any(tlv.tag == c.TAG_USSD_SERVICE_OP for tlv in pdu.tlvs):
            self.sms[number] += 1
            return
        self.screens += 1
        if number in self.accepted:
            self.accepted.discard(number)
        else:
            self._early.add(number)
        self._dial(number)

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        number = str(context)
        if response is None:
            return  # never taken: the link ended first
        if response.command_status:
            self.refused[response.command_status] += 1
        elif number in self._early:
            self._early.discard(number)
        else:
            self.accepted.add(number)

    def quirk(self, link: Link, kind: str) -> None: ...

    def bound(self, link: Link) -> None: ...

    def gone(self, link: Link, reason: str) -> None:
        self.reason = reason
        self.gone_for.set()


class Relay:
    """Hands notices over, as the core does, one after the other; each to a number of its own."""

    def __init__(self, engine: OwnEngine) -> None:
        self._key = key_from_file((engine.settings.config.parent / ".data/keys/billing-core").read_bytes())
        self._url = f"http://{engine.settings.engine_http}{notices.PATH}"
        self.answers: dict[str, int] = {}  # number: status; 0 for none

    async def run(self, first: int) -> None:
        async with aiohttp.ClientSession() as session:
            for number in range(first, first + 10_000):
                msisdn = f"7702{number:07}"
                self.answers[msisdn] = 0
                with suppress(aiohttp.ClientError):
                    async with session.post(self._url, **self._signed(msisdn)) as answer:
                        self.answers[msisdn] = answer.status
                await asyncio.sleep(0.005)

    def _signed(self, msisdn: str) -> dict[str, object]:
        not_after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
        notice = notices.Notice(str(uuid.uuid4()), msisdn, "kcell", "account.topped_up", "ru", TOP_UP, not_after)
        body = notices.to_octets(notice)
        return {"data": body, "headers": sign("billing-core", self._key, "POST", notices.PATH, body, time.time())}


@pytest.fixture(scope="module")
def engine(running_stack: RunningStack, free_port: Callable[[], int]) -> Iterator[OwnEngine]:
    with own_engine(running_stack, "stopping", free_port) as engine:
        yield engine


def started(engine: OwnEngine) -> OwnEngine:
    """The engine, started again if it has ended."""
    if engine.child.poll() is None:
        return engine
    return engine._replace(child=start_engine(engine.settings.config))


async def test_whoever_was_heard_gets_a_screen_and_no_sms_is_lost_or_doubled(engine: OwnEngine) -> None:
    for stop in range(STOPS):
        running = await asyncio.to_thread(started, engine)
        crowd, relay = Crowd(), Relay(running)
        await crowd.begin(running)
        relaying = asyncio.ensure_future(relay.run(stop * 10_000))
        await asyncio.sleep(SECONDS_OF_LOAD + stop * 0.037 % 0.5)
        begun = time.monotonic()
        assert await asyncio.to_thread(running.child.stop, signal.SIGTERM, 20), "it had to be killed"
        seconds = time.monotonic() - begun
        await asyncio.wait_for(crowd.gone_for.wait(), 5)
        relaying.cancel()
        assert crowd.reason == "unbound_by_peer"
        assert crowd.screens > TALKERS
        assert crowd.accepted == set(), f"stop {stop}: heard, and without a screen"
        assert set(crowd.refused) <= {c.ESME_RTHROTTLED}
        sent = {number for number, status in relay.answers.items() if status == 200}
        assert sent
        assert {number: crowd.sms[number] for number in sent} == dict.fromkeys(sent, 1)
        assert crowd.sms.keys() <= sent, f"stop {stop}: sent, and the core was not told"
        assert seconds < 12, f"stop {stop} took {seconds:.1f} s"
        print(json.dumps({"stop": stop, "seconds": round(seconds, 2), "screens": crowd.screens, "sms": len(sent)}))


async def test_a_second_signal_ends_it_at_once(engine: OwnEngine) -> None:
    running = await asyncio.to_thread(started, engine)
    listen = running.settings.engine_smpp
    reader, writer = await asyncio.open_connection(listen.host, listen.port)
    writer.write(bytes.fromhex("00000022 00000009 00000000 00000001") + b"ussdc\0secret\0\0\x34\0\0\0")
    await asyncio.wait_for(reader.readexactly(16), 5)  # bound, and never going to answer an unbind
    os.kill(running.child.pid, signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert running.child.poll() is None
    os.kill(running.child.pid, signal.SIGTERM)
    for _ in range(100):
        if running.child.poll() is not None:
            break
        await asyncio.sleep(0.01)
    assert running.child.poll() == 3
    writer.close()
