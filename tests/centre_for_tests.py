"""A USSD centre that binds to a running engine, for tests: sends what handsets type, keeps what comes."""

from __future__ import annotations

import asyncio

import pytest

from smpp import constants
from smpp.dial import dial
from smpp.limits import Limits
from smpp.link import Link
from smpp.pdu import BindTransceiver, DeliverSm, DeliverSmResp, Pdu, SubmitSm, Tlv
from smpp.reactor import reactor_on
from smpp.text import decode_text
from stack.settings import Listen
from tests.conftest import RunningStack

NUMBER = "77010000007"


class Centre:
    """One bind of the centre."""

    def __init__(self) -> None:
        self.screens: asyncio.Queue[DeliverSm] = asyncio.Queue()
        self.answers: asyncio.Queue[Pdu] = asyncio.Queue()
        self.accepts = True
        self.link: Link | None = None

    def request(self, link: Link, pdu: Pdu) -> None:
        assert isinstance(pdu, DeliverSm)
        if self.accepts:
            link.respond(pdu, DeliverSmResp())
        self.screens.put_nowait(pdu)

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        assert response is not None
        self.answers.put_nowait(response)

    def quirk(self, link: Link, kind: str) -> None: ...

    def bound(self, link: Link) -> None: ...

    def gone(self, link: Link, reason: str) -> None: ...

    async def bind(self, stack: RunningStack, pdu: type = BindTransceiver, password: str = "secret") -> Link:
        return await self.bind_at(stack.settings.engine_smpp, pdu, password)

    async def bind_at(self, listen: Listen, pdu: type = BindTransceiver, password: str = "secret") -> Link:
        request = pdu(system_id="ussdc", password=password, interface_version=0x34)
        reactor = reactor_on(asyncio.get_running_loop())
        self.link = await dial(reactor, listen.host, listen.port, request, self, Limits(window_out=10_000))
        return self.link

    def type(self, text: str, op: int, number: str = NUMBER, code: str = "*111#", link: Link | None = None) -> None:
        pdu = SubmitSm(
            service_type="USSD", source_addr_ton=1, source_addr_npi=1, source_addr=number, destination_addr=code,
            short_message=text.encode(), tlvs=(Tlv(constants.TAG_USSD_SERVICE_OP, bytes((op,))),),
        )  # fmt: skip
        (link or self.link or pytest.fail("not bound")).send(pdu)

    async def screen(self) -> tuple[str, int]:
        pdu = await asyncio.wait_for(self.screens.get(), 5)
        op = next(tlv.value[0] for tlv in pdu.tlvs if tlv.tag == constants.TAG_USSD_SERVICE_OP)
        return decode_text(pdu.short_message, pdu.data_coding, "gsm"), op
