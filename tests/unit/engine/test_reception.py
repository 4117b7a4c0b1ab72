"""An SMS is accepted on the wire when the core has done what it asks for, and not a moment before."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from billing.calls import Call, Done, NotMade, Outcome, Unknown
from masking import Masker
from sessions.store import Store
from smpp import constants as c
from smpp.pdu import DeliverSm, Pdu, SubmitSm
from tests.menus_for_tests import Notes, versions_of
from tests.phone_for_tests import CATALOG, HELLO, LINK, NUMBER
from ussd_engine.binds import Binds
from ussd_engine.greeting import Greetings
from ussd_engine.metrics import Metrics
from ussd_engine.reception import Reception
from ussd_engine.sms_turn import SmsTurns
from ussd_engine.turn import Ports, Turns
from ussd_engine.work import Work

NOTED = Done({"inbox_id": "6f2b1f0e-6a2b-4a51-9a52-0a6f4f6f0001", "repeated": False})


class SlowCore:
    """Answers a change when it is let; everything else at once."""

    def __init__(self, outcome: Outcome) -> None:
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self._outcome = outcome

    async def perform(self, call: Call, seconds_max: float) -> Outcome:
        if call.operation == "delegation.confirm":
            self.asked.set()
            await self.let.wait()
            return self._outcome
        return {"subscribers.hello": HELLO, "inbox.accept": NOTED}[call.operation]


class Bind:
    """The bind by which it came; keeps what was answered."""

    name, role, state = "kcell.1", None, None

    def __init__(self) -> None:
        self.answers: list[int] = []

    def respond(self, _request: Pdu, response: Pdu | int) -> None:
        self.answers.append(response if isinstance(response, int) else response.command_status)


def reception(core: SlowCore, bind: Bind, work: Work) -> Reception:
    now = asyncio.get_running_loop().time
    greetings = Greetings(core, now, lambda: "id", 0.5, 60, 100)
    ports = Ports(
        versions_of(CATALOG), cast(Store, None), core, greetings, Notes(), now, lambda: 0.0, lambda: "id", 180
    )
    binds = Binds()
    binds.add(cast(Any, bind), LINK)
    told = SimpleNamespace(sms=lambda _record: None)
    rest: Any = None
    return Reception(
        rest, SmsTurns(ports, Turns(ports)), rest, binds, {LINK.name: LINK}, cast(Any, told), rest, work, Metrics(),
        rest, rest, {}, "p", Masker(b"k" * 32),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "carrier", "status"),
    [
        (Done({}), DeliverSm, c.ESME_ROK),
        (Done({}), SubmitSm, c.ESME_ROK),
        (Unknown("no answer"), DeliverSm, c.ESME_RX_T_APPN),
        (Unknown("no answer"), SubmitSm, c.ESME_RSYSERR),
        (NotMade("no connection"), DeliverSm, c.ESME_RX_T_APPN),
    ],
)
async def test_an_sms_is_answered_after_the_cores_commit_and_kept_by_the_smsc_without_one(
    outcome: Outcome, carrier: type[DeliverSm | SubmitSm], status: int
) -> None:
    core, bind, work = SlowCore(outcome), Bind(), Work(Metrics(), 10)
    sms = carrier(source_addr_ton=1, source_addr=NUMBER, destination_addr="4259", short_message=b"48210375")
    reception(core, bind, work).request(cast(Any, bind), sms)
    await asyncio.wait_for(core.asked.wait(), 5)
    assert bind.answers == []
    core.let.set()
    await work.drain(5)
    assert bind.answers == [status]
