"""node-smpp and Net::SMPP, which know nothing of us, and the running engine: they bind to it, and it binds to them.

Each test is told four times: either peer in either role. A peer stays bound from one test to the next.
"""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from smpp import constants as c
from stack.settings import Settings
from tests.conftest import RunningStack

from .conftest import Centres, missing
from .driven_peer import NODE, PERL, DrivenPeer, driven, text_of

NUMBERS = (str(77010000000 + n) for n in range(400, 100_000) if n % 7 == 5 and n % 10 != 3 and n % 100 < 90)
"""Active subscribers of the first brand who read Kazakh (`billing_core/seeding/subscribers.py`)."""
CLIENT, CENTRE = "client", "centre"


class Bound(NamedTuple):
    """A peer that is bound to an engine, or to which one is."""

    peer: DrivenPeer
    role: str
    engine: Settings

    @property
    def to_us(self) -> str:
        """The command that carries the words of subscribers."""
        return "submit_sm" if self.role == CLIENT else "deliver_sm"

    @property
    def from_us(self) -> str:
        """The command that carries the engine's."""
        return "deliver_sm" if self.role == CLIENT else "submit_sm"

    async def bind(self, **fields: object) -> None:
        """Binds to the engine, or waits until the engine has bound."""
        if self.role == CENTRE:
            await self.peer.request("bind_transceiver")
            return
        address = self.engine.engine_smpp
        account = {"system_id": "ussdc", "password": "secret", "interface_version": 0x34}
        self.peer.do("connect", host=address.host, port=address.port, bind="bind_transceiver", fields=account | fields)
        assert (await self.peer.event("bound"))["status"] == 0

    async def ask(self, command: str, **fields: object) -> dict[str, Any]:
        """Sends a request; the response."""
        self.peer.do("send", command=command, fields=fields, tag=1)
        pdu: dict[str, Any] = (await self.peer.event("response"))["pdu"]
        return pdu

    async def say(self, number: str, text: str, code: str = "111", **fields: object) -> int:
        """Sends a subscriber's words; the status of the answer."""
        addresses = {"source_addr": number, "source_addr_ton": 1, "source_addr_npi": 1, "destination_addr": code}
        message = {"short_message": {"hex": text.encode("ascii").hex()}, "data_coding": 0}
        status: int = (await self.ask(self.to_us, **addresses, **message, **fields))["command_status"]
        return status

    async def type(self, number: str, text: str, op: int, session_info: str) -> None:
        """Says something in a dialogue."""
        tlvs = {"ussd_service_op": op, "its_session_info": {"hex": session_info}}
        assert await self.say(number, text, "*111#", service_type="USSD", **tlvs) == 0

    async def screen(self, number: str) -> tuple[int, str]:
        """The next screen: its op and its text."""
        pdu = await self.peer.request(self.from_us)
        assert (pdu["source_addr"], pdu["destination_addr"]) == ("*111#", number)
        return pdu["ussd_service_op"], text_of(pdu)

    async def sms(self) -> dict[str, Any]:
        """The next SMS."""
        pdu = await self.peer.request(self.from_us)
        assert "ussd_service_op" not in pdu
        return pdu

    async def receipt(self, number: str, message_id: str) -> int:
        """Says that a message has arrived; the status of the answer. A client says it by data_sm."""
        text = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 text:"
        )
        parameters = {"receipted_message_id": message_id, "message_state": 2}
        if self.role == CENTRE:
            return await self.say(number, text, esm_class=4, **parameters)
        addresses = {"source_addr": number, "source_addr_ton": 1, "destination_addr": "111"}
        payload = {"message_payload": {"hex": text.encode().hex()}}
        status: int = (await self.ask("data_sm", **addresses, esm_class=4, **payload, **parameters))["command_status"]
        return status

    async def id_given_to(self, request: dict[str, Any]) -> str:
        """Under which id the peer took a message of the engine."""
        while True:
            answer = (await self.peer.event("answered"))["pdu"]
            if answer["sequence_number"] == request["sequence_number"]:
                return str(answer["message_id"])

    async def counted(self, name: str) -> float:
        """A counter of the engine."""

        def metrics() -> str:
            with urllib.request.urlopen(f"http://{self.engine.engine_http}/metrics", timeout=5) as answer:
                return str(answer.read().decode())

        begin = re.escape(name.removesuffix("}"))  # of all links, where the metric has one
        found = re.findall(rf"^{begin}[^ ]* (.*)$", await asyncio.to_thread(metrics), re.MULTILINE)
        return sum(map(float, found))

    async def until_counted(self, name: str, number: float) -> None:
        """Waits until a counter stands where it should."""
        async with asyncio.timeout(5):
            while await self.counted(name) != number:
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=[(name, role) for name in (NODE, PERL) for role in (CLIENT, CENTRE)],
    ids=lambda param: f"{param[0]} as {param[1]}",
)  # fmt: skip
async def bound(running_stack: RunningStack, centres: Centres, request: pytest.FixtureRequest) -> AsyncIterator[Bound]:
    """A peer in a role."""
    name, role = request.param
    if name not in centres.peers:
        missing(f"{name} is not here")
    if role == CENTRE:
        bound = Bound(centres.peers[name], role, centres.engine)
        await bound.bind()
        yield bound
        return
    async with driven(name) as peer:
        bound = Bound(peer, role, running_stack.settings)
        await bound.bind()
        yield bound


@pytest.fixture(autouse=True)
def _from_here(bound: Bound) -> None:
    bound.peer.forget()


@pytest.fixture
def number() -> str:
    """A subscriber whom no test has met."""
    return next(NUMBERS)


async def test_a_dialogue_begins_asks_is_answered_and_ends(bound: Bound, number: str) -> None:
    await bound.type(number, "*111#", c.USSD_PSSR_INDICATION, "0700")
    op, text = await bound.screen(number)
    assert (op, text.splitlines()[:2]) == (c.USSD_USSR_REQUEST, ["Мәзір", "1 Тариф/қызмет"])
    await bound.type(number, "9", c.USSD_USSR_CONFIRM, "0702")
    op, text = await bound.screen(number)
    assert (op, text.splitlines()[:2]) == (c.USSD_USSR_REQUEST, ["Тіл", "1 Қазақша"])
    await bound.type(number, "3", c.USSD_USSR_CONFIRM, "0704")
    op, text = await bound.screen(number)
    assert (op, text.splitlines()[:2]) == (c.USSD_USSR_REQUEST, ["Menu", "1 Tariff and services"])
    await bound.type(number, "3", c.USSD_USSR_CONFIRM, "0706")
    op, text = await bound.screen(number)
    assert (op, text.partition(":")[0]) == (c.USSD_PSSR_RESPONSE, "Balance")


async def test_the_end_bit_of_its_session_info_ends_the_dialogue_without_a_screen(bound: Bound, number: str) -> None:
    await bound.type(number, "*111#", c.USSD_PSSR_INDICATION, "0800")
    await bound.screen(number)
    await bound.type(number, "", c.USSD_USSR_CONFIRM, "0803")
    await asyncio.sleep(0.2)  # an answer that meets the end on its way is never answered
    await bound.type(number, "9", c.USSD_USSR_CONFIRM, "0804")
    assert await bound.screen(number) == (c.USSD_PSSR_RESPONSE, "Сеанс аяқталды. Кодты қайта теріңіз.")


async def test_an_sms_is_answered_and_the_receipt_of_the_answer_is_counted(bound: Bound, number: str) -> None:
    delivered = 'ussd_receipts_total{state="delivered"}'
    before = await bound.counted(delivered)
    assert await bound.say(number, "BAL") == 0
    sms = await bound.sms()
    assert (sms["source_addr"], sms["destination_addr"]) == ("111", number)
    assert text_of(sms).startswith("Баланс: ")

    assert await bound.receipt(number, await bound.id_given_to(sms)) == 0
    await bound.until_counted(delivered, before + 1)


async def test_a_long_sms_comes_in_parts_and_an_answer_goes_back(bound: Bound, number: str) -> None:
    pieces = ["BAL" + " " * 57, " " * 60, " "]
    for at, piece in enumerate(pieces, 1):
        message = {"hex": f"05000311{len(pieces):02x}{at:02x}" + piece.encode().hex()}
        fields = {"source_addr": number, "source_addr_ton": 1, "destination_addr": "111", "esm_class": 0x40}
        answer = await bound.ask(bound.to_us, **fields, short_message=message)
        assert answer["command_status"] == 0
    assert text_of(await bound.sms()).startswith("Баланс: ")


async def test_a_text_that_looks_like_a_receipt_is_an_sms(bound: Bound, number: str) -> None:
    assert await bound.say(number, "id:1 stat:DELIVRD") == 0
    assert "111 нөміріне жіберіңіз" in text_of(await bound.sms())


async def test_an_sms_to_a_number_that_is_none_of_ours_is_refused_with_a_bare_header(bound: Bound, number: str) -> None:
    assert await bound.say(number, "BAL", "999") == c.ESME_RINVDSTADR


async def test_a_refusal_of_its_is_read_with_a_body_or_without(bound: Bound, number: str) -> None:
    body = 'smpp_quirks_total{kind="body_on_error"}'
    refused = 'ussd_sms_total{outcome="not_accepted"}'
    bodies, refusals = await bound.counted(body), await bound.counted(refused)
    bound.peer.do("answer", status=c.ESME_RINVDSTADR)
    assert await bound.say(number, "BAL") == 0
    await bound.sms()
    await bound.until_counted(refused, refusals + 1)
    assert await bound.counted(body) == bodies + (bound.peer.name == PERL)  # which always writes one
    bound.peer.do("answer", status=c.ESME_ROK)
    assert await bound.say(next(NUMBERS), "BAL") == 0
    assert text_of(await bound.sms()).startswith("Баланс: ")


async def test_what_we_do_not_serve_is_refused_and_the_bind_stays(bound: Bound) -> None:
    answer = await bound.ask("query_sm", message_id="17", source_addr="111")
    status = c.ESME_RQUERYFAIL if bound.role == CLIENT else c.ESME_RINVBNDSTS  # a centre has nothing to ask of us
    assert (answer["command"], answer["command_status"]) == ("query_sm_resp", status)
    assert (await bound.ask("enquire_link"))["command_status"] == 0


async def test_a_command_that_smpp_3_4_does_not_know_is_nacked_and_the_bind_stays(bound: Bound) -> None:
    answer = await bound.ask("broadcast_sm")
    assert (answer["command"], answer["command_status"]) == ("generic_nack", c.ESME_RINVCMDID)
    assert (await bound.ask("enquire_link"))["command_status"] == 0


async def test_enquire_link_is_answered(bound: Bound) -> None:
    answer = await bound.ask("enquire_link")
    assert (answer["command"], answer["command_status"]) == ("enquire_link_resp", 0)


async def test_it_unbinds_and_is_bound_again(bound: Bound, number: str) -> None:
    bound.peer.do("unbind")
    await bound.peer.event("closed")
    await bound.bind()
    await bound.type(number, "*111#", c.USSD_PSSR_INDICATION, "0900")
    assert (await bound.screen(number))[0] == c.USSD_USSR_REQUEST


async def test_it_is_cut_off_and_bound_again(bound: Bound, number: str) -> None:
    bound.peer.do("cut")
    await bound.peer.event("closed")
    await bound.bind(interface_version=34)  # a client that took 34 for a decimal number
    await bound.type(number, "*111#", c.USSD_PSSR_INDICATION, "0a00")
    assert (await bound.screen(number))[0] == c.USSD_USSR_REQUEST
