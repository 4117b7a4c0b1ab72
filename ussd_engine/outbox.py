"""SMS out: chosen bind, parts sent in order, and the answer only when the peer has accepted all of them.

Nothing is kept here: what must survive is a row of the billing core, which hands it over again until it is accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from smpp import constants
from smpp.errors import WindowFull, WrongState
from smpp.pdu import DeliverSmResp, Pdu, SubmitSmResp
from smpp.receipt import Expected, IdPolicy, Receipt
from smpp.segments import TextTooLong

from . import over_sms
from .binds import Binds
from .config import Link, RouteConfig
from .metrics import Metrics
from .record import SmsRecord, sms_record

if TYPE_CHECKING:
    from smpp.link import Link as Bind

RECEIPT_SECONDS_MAX = 48 * 3600.0


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


class Part(NamedTuple):
    """A part on its way: who waits for its answer."""

    answer: asyncio.Future[Pdu | None]


class Outbox:
    """Sends SMS over open binds, and matches their delivery receipts."""

    def __init__(
        self,
        binds: Binds,
        routes: Mapping[str, RouteConfig],
        metrics: Metrics,
        now: Callable[[], float],
        wall_clock: Callable[[], float],
        record: Callable[[Callable[[int], SmsRecord]], None],
    ) -> None:
        """`now`: monotonic seconds; `wall_clock`: seconds since 1970; `record` takes the record of each SMS."""
        self._wall_clock = wall_clock
        self._record = record
        self._binds = binds
        self._routes = routes
        self._metrics = metrics
        self._now = now
        self._reference = 0
        self._expected: dict[str, Expected[str]] = {}

    async def send(self, sms: Sms) -> str:
        """Sends all parts and waits for their answers; the first part's message id, "" where the peer gives none.

        Raises NotSent.
        """
        route = self._routes.get(sms.network)
        if route is None:
            raise NotSent(f"there is no route to network '{sms.network}'", for_ever=True)
        bind = self._binds.for_sms(sms.msisdn, route.links)
        link = self._binds.link_of(bind) if bind is not None else None
        if bind is None or link is None:
            raise NotSent("no link of the route is bound")
        self._reference = (self._reference + 1) & 0xFF
        sender = route.senders.get(sms.service, route.sender)
        outcome, ids = "accepted", [""]
        try:
            ids = await self._send_parts(sms, sender, bind, link)
        except NotSent as error:
            outcome = str(error)
            raise
        finally:
            at, parts = self._wall_clock(), len(ids)
            self._record(
                sms_record("mt", sms.msisdn, sms.network, link.name, sender, sms.service, at, parts, outcome, ids[0])
            )
        self._metrics.sms_sent.inc()
        for message_id in filter(None, ids):
            for receipt in self._receipts(link.name).sent(message_id, message_id, self._now()):
                self._count(receipt)
        return ids[0]

    async def _send_parts(self, sms: Sms, sender: str, bind: Bind, link: Link) -> list[str]:
        """Sends the parts in order, each when the last one was taken; their message ids. Raises NotSent."""
        try:
            pdus = over_sms.sms_pdus(
                sms.text, sender, sms.msisdn, link.dialect, link.role, self._reference, sms.valid_seconds
            )
            return [await self._part(bind, pdu) for pdu in pdus]
        except TextTooLong as error:
            raise NotSent(str(error), for_ever=True) from None
        except (WindowFull, WrongState) as error:
            self._metrics.sms_refused.inc()
            raise NotSent(f"the link does not take it: {error}") from None

    async def _part(self, bind: Bind, pdu: Pdu) -> str:
        """Sends one part; its message id. Raises NotSent when the peer refuses it or says nothing."""
        part = Part(asyncio.get_running_loop().create_future())
        bind.send(pdu, part)
        answer = await part.answer
        if answer is None or answer.command_status:
            self._metrics.sms_refused.inc()
            status = constants.status_name(answer.command_status) if answer else "no answer in time"
            raise NotSent(f"the peer said {status}")
        return answer.message_id if isinstance(answer, SubmitSmResp | DeliverSmResp) else ""

    def answered(self, part: Part, response: Pdu | None) -> None:
        """The peer's answer to a part; None: there will be none."""
        if not part.answer.done():
            part.answer.set_result(response)

    def receipt(self, link: str, receipt: Receipt) -> None:
        """A delivery receipt came in on this link."""
        if self._receipts(link).came(receipt, self._now()) is not None:
            self._count(receipt)

    def _receipts(self, link: str) -> Expected[str]:
        if link not in self._expected:
            self._expected[link] = Expected(IdPolicy(), RECEIPT_SECONDS_MAX)
        return self._expected[link]

    def _count(self, receipt: Receipt) -> None:
        self._metrics.receipts.labels(receipt.state.name.lower()).inc()
