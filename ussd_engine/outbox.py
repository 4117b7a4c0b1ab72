"""SMS out: chosen bind, parts sent in order, and the answer only when the peer has accepted all of them.

Rules of this file:
- Nothing is kept here: what must survive is a row of the billing core, which hands it over again until it is accepted.
- A number gets its SMS one at a time, in the order in which they were asked for: parts of two texts never mix.
- A full window is waited for in the bind's queue, among the screens (`queues`). A peer that is busy is tried again with
  a growing wait while there is time. What may have been taken (no answer came, or the bind was lost) is not sent again
  from here, and nothing waits for a bind.
- A refusal that no later try can mend says so: people must look at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

import failpoints
from smpp import constants
from smpp.errors import TooFast, WindowFull, WrongState
from smpp.pdu import DeliverSmResp, Pdu, SubmitSmResp
from smpp.receipt import Expected, Receipt
from smpp.segments import TextTooLong

from . import over_sms
from .binds import Binds
from .config import Link
from .metrics import Metrics
from .peer_config import RouteConfig
from .queues import Queues
from .record import SmsRecord, sms_record

if TYPE_CHECKING:
    from smpp.link import Link as Bind

RECEIPT_SECONDS_MAX = 48 * 3600.0
TRY_SECONDS_MAX = 25.0
"""How long after it was asked for an SMS may wait for its turn, and a part of it be tried again."""
ANSWER_SECONDS_MAX = 38.0
"""How long after that an answer of the peer is waited for: less than the core waits for ours before it asks anew."""
WAIT_SECONDS_MIN = 0.5
WAIT_SECONDS_MAX = 4.0
"""Between two tries of a part; each wait is twice as long as the last one, or up to a half less: not all at once."""

TRY_AGAIN = frozenset({constants.ESME_RTHROTTLED, constants.ESME_RMSGQFUL, constants.ESME_RX_T_APPN})
"""The peer is busy: the same message will be taken a moment later (SMPP 3.4 section 5.1.3)."""
NEVER = frozenset(
    {
        constants.ESME_RINVMSGLEN, constants.ESME_RINVESMCLASS, constants.ESME_RINVSRCADR, constants.ESME_RINVDSTADR,
        constants.ESME_RINVSRCTON, constants.ESME_RINVSRCNPI, constants.ESME_RINVDSTTON, constants.ESME_RINVDSTNPI,
        constants.ESME_RX_P_APPN, constants.ESME_RX_R_APPN,
    }
)  # fmt: skip
"""What the peer will say of this message whenever it comes: its form, its addresses, or it for good."""


class Sms(NamedTuple):
    """An SMS to send. `valid_seconds`: how long it is worth sending; None: as long as the SMSC likes."""

    msisdn: str
    network: str
    service: str
    text: str
    valid_seconds: float | None = None


class NotSent(Exception):
    """The SMS was not accepted; the text says why, without number or words. `for_ever`: no later try will help."""

    def __init__(self, why: str, *, for_ever: bool = False) -> None:
        self.for_ever = for_ever
        super().__init__(why)


class Part:
    """A part on its way: who waits for its answer, and while it has not left, why."""

    __slots__ = ("answer", "why")

    def __init__(self, answer: asyncio.Future[Pdu | None]) -> None:
        self.answer = answer
        self.why = "others wait before it"


class _Deadlines(NamedTuple):
    """Until when a part may leave, and until when an answer is waited for; on the loop's clock."""

    retry: float
    answer: float


class Outbox:
    """Sends SMS over open binds, and matches their delivery receipts."""

    def __init__(
        self,
        binds: Binds,
        queues: Queues,
        routes: Mapping[str, RouteConfig],
        metrics: Metrics,
        now: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
        record: Callable[[Callable[[int], SmsRecord]], None],
    ) -> None:
        """`now`: the loop's clock; `wall_clock`: seconds since 1970; `random`: from 0 to 1; `record` takes the record
        of each SMS.
        """
        self._wall_clock = wall_clock
        self._record = record
        self._binds = binds
        self._queues = queues
        self._random = random
        self._routes = routes
        self._metrics = metrics
        self._now = now
        self._reference = 0
        self._expected: dict[str, Expected[str]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by the number

    async def send(self, sms: Sms) -> str:
        """Sends all parts and waits for their answers; the first part's message id, "" where the peer gives none.

        Raises NotSent, at the latest `ANSWER_SECONDS_MAX` after the call.
        """
        route = self._routes.get(sms.network)
        if route is None:
            raise NotSent(f"there is no route to network '{sms.network}'", for_ever=True)
        asked_at = self._now()
        seconds = TRY_SECONDS_MAX if sms.valid_seconds is None else min(TRY_SECONDS_MAX, sms.valid_seconds)
        turn = self._turns.setdefault(sms.msisdn, asyncio.Lock())  # its waiters keep it; without them it is gone
        try:
            async with asyncio.timeout(seconds):
                await turn.acquire()
        except TimeoutError:
            raise NotSent("SMS to the same number are still being sent") from None
        try:
            return await self._send_now(sms, route, _Deadlines(asked_at + seconds, asked_at + ANSWER_SECONDS_MAX))
        finally:
            turn.release()

    async def _send_now(self, sms: Sms, route: RouteConfig, deadlines: _Deadlines) -> str:
        """It is this SMS's turn. Raises NotSent."""
        bind = self._binds.for_sms(sms.msisdn, route.links)
        link = self._binds.link_of(bind) if bind is not None else None
        if bind is None or link is None:
            raise NotSent("no link of the route is bound")
        sender = route.senders.get(sms.service, route.sender)
        outcome, ids = "broken off", [""]
        try:
            ids = await self._send_parts(sms, sender, bind, link, deadlines)
            outcome = "accepted"
        except NotSent as error:
            outcome = str(error)
            self._metrics.sms_refused.inc()
            raise
        finally:
            at, parts = self._wall_clock(), len(ids)
            self._record(
                sms_record("mt", sms.msisdn, sms.network, link.name, sender, sms.service, at, parts, outcome, ids[0])
            )
        self._metrics.sms_sent.inc()
        return ids[0]

    async def _send_parts(self, sms: Sms, sender: str, bind: Bind, link: Link, deadlines: _Deadlines) -> list[str]:
        """Sends the parts in order, each when the last one was taken; their message ids. Raises NotSent."""
        self._reference = (self._reference + 1) & 0xFFFF
        try:
            pdus = over_sms.sms_pdus(
                sms.text, sender, sms.msisdn, link.dialect, link.role, self._reference, sms.valid_seconds
            )
        except TextTooLong as error:
            raise NotSent(str(error), for_ever=True) from None
        ids: list[str] = []
        for pdu in pdus:
            ids.append(await self._part(bind, pdu, deadlines))
            self._expect_receipt(link, ids[-1])
        return ids

    async def _part(self, bind: Bind, pdu: Pdu, deadlines: _Deadlines) -> str:
        """Sends one part, again while the peer is busy; its message id. Raises NotSent."""
        wait = WAIT_SECONDS_MIN
        while True:
            answer = await self._try(bind, pdu, deadlines)
            if not answer.command_status:
                return answer.message_id if isinstance(answer, SubmitSmResp | DeliverSmResp) else ""
            why = f"the peer said {constants.status_name(answer.command_status)}"
            if answer.command_status not in TRY_AGAIN:
                raise NotSent(why, for_ever=answer.command_status in NEVER)
            if self._now() + wait > deadlines.retry:
                raise NotSent(why)
            self._metrics.sms_put_off.inc()
            await asyncio.sleep(wait * (1 - self._random() / 2))
            wait = min(2 * wait, WAIT_SECONDS_MAX)

    async def _try(self, bind: Bind, pdu: Pdu, deadlines: _Deadlines) -> Pdu:
        """The peer's answer to one part, which leaves when there is room. Raises NotSent when either is not in time."""
        if self._now() >= deadlines.answer:
            raise NotSent("there was no time for all parts")
        part = Part(asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout_at(deadlines.retry) as patience:
                if not self._queues.sms(bind, partial(self._leave, bind, pdu, part, deadlines, patience)):
                    self._metrics.sms_put_off.inc()
                else:
                    await failpoints.written("sms_submitted")
                answer = await part.answer
        except TimeoutError:
            raise NotSent(part.why or "the peer gave no answer") from None
        if answer is None:
            raise NotSent("the peer gave no answer")
        failpoints.passed("sms_accepted")
        return answer

    def _leave(self, bind: Bind, pdu: Pdu, part: Part, deadlines: _Deadlines, patience: asyncio.Timeout) -> bool:
        """The part leaves; False when it will not. Raises WindowFull when there is no room."""
        if part.answer.done():
            return False
        try:
            bind.send(pdu, part, bind.limits.sms_response_seconds)
        except TooFast as error:
            if self._now() + error.wait_seconds <= deadlines.retry:
                raise
            part.answer.set_exception(NotSent("the link's rate has no room in time"))
        except WindowFull as error:
            part.why = f"the link does not take it: {error}"
            raise
        except (WrongState, ValueError) as error:
            part.answer.set_exception(NotSent(f"the link does not take it: {error}"))
        else:
            part.why = ""
            patience.reschedule(deadlines.answer)
            return True
        return False

    def answered(self, bind: Bind, part: Part, response: Pdu | None) -> None:
        """The peer's answer to a part, which leaves its place in the window; None: there will be none."""
        if not part.answer.done():
            part.answer.set_result(response)
        self._queues.room(bind)

    def receipt(self, link: Link, receipt: Receipt) -> None:
        """A delivery receipt came in on this link."""
        if self._receipts(link).came(receipt, self._now()) is not None:
            self._count(receipt)

    def _expect_receipt(self, link: Link, message_id: str) -> None:
        """A part was taken under this id. Its receipt may have come before."""
        if message_id:
            for receipt in self._receipts(link).sent(message_id, message_id, self._now()):
                self._count(receipt)

    def _receipts(self, link: Link) -> Expected[str]:
        if link.name not in self._expected:
            self._expected[link.name] = Expected(link.dialect.sms.message_ids, RECEIPT_SECONDS_MAX)
        return self._expected[link.name]

    def _count(self, receipt: Receipt) -> None:
        self._metrics.receipts.labels(receipt.state.name.lower()).inc()
