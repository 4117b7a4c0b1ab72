"""The relay of the core: hands notices to whichever engine there is, until one says that the peer has the SMS."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from billing.events import EVENTS
from billing.notices import Notice
from ussd_engine.language.wording import notice_text
from ussd_engine.outbox import NotSent

from .given import Given

if TYPE_CHECKING:
    from .world import World

ANSWER_SECONDS_MAX = 40.0
NOT_AFTER = "2027-01-17T08:00:00Z"
"""A day after a run begins."""
WAIT_SECONDS_MAX = 10.0


class Relay:
    """One at a time for a number, in order."""

    def __init__(self, world: World, given: Given) -> None:
        self._world = world
        self._given = given
        self._waiting: dict[str, asyncio.Queue[Notice]] = {}
        self._texts: dict[tuple[str, str], Notice] = {}
        self.left = 0
        """Notices that no peer has yet."""

    def tell(self, msisdn: str, event: str, arguments: Mapping[str, Any]) -> None:
        """The core writes a notice."""
        world, core = self._world, self._world.core
        notice = Notice(
            world.new_id(), msisdn, core.networks[msisdn], event, core.languages[msisdn], arguments, NOT_AFTER
        )
        for name in sorted(EVENTS[event].secrets):
            world.judge.secret(str(arguments[name]))
        self._note_texts(notice)
        if msisdn not in self._waiting:
            self._waiting[msisdn] = asyncio.Queue()
            world.loop.create_task(self._relay(self._waiting[msisdn]))
        self.left += 1
        self._waiting[msisdn].put_nowait(notice)

    def _note_texts(self, notice: Notice) -> None:
        """All words that it can have."""
        service = self._given.catalog.tells_of(notice.network, notice.event)
        zone = ZoneInfo(self._given.settings.engine.networks[notice.network].time_zone)
        for language in service.languages if service is not None else ():
            assert service is not None  # noqa: S101 - there are languages
            text = notice_text(service, notice.event, notice.arguments, language, zone)
            self._texts[notice.msisdn, text] = notice

    async def _relay(self, waiting: asyncio.Queue[Notice]) -> None:
        while True:
            notice = await waiting.get()
            wait = 1.0
            while not await self._handed_over(notice):
                await asyncio.sleep(wait)
                wait = min(2 * wait, WAIT_SECONDS_MAX)
            self.left -= 1

    async def _handed_over(self, notice: Notice) -> bool:
        task = self._world.tells(notice)
        if task is None:
            return False
        await asyncio.wait((task,), timeout=ANSWER_SECONDS_MAX)
        if not task.done() or task.cancelled():
            task.cancel()
            return False
        error = task.exception()
        if isinstance(error, NotSent) and error.for_ever:
            self._world.judge.breaks(f"{notice} will never be sent: {error}")
        elif error is not None and not isinstance(error, NotSent):
            self._world.judge.breaks(f"{notice} is not sent: {error!r}")
        told = "sent" if error is None else str(error)
        self._world.trace.note("relay", f"{notice.event} to …{notice.msisdn[-4:]}: {told}")
        return error is None

    def is_read(self, number: str, text: str) -> None:
        """An SMS has reached a handset."""
        notice = self._texts.get((number, text))
        self._world.trace.note(f"…{number[-4:]}", f"reads an SMS: {notice.event if notice else 'an answer'}")
        if notice is None:
            return
        money: Any = notice.arguments.get("sum")
        what = str(money["minor"] // 100) if money is not None else str(notice.arguments.get("number", ""))
        self._world.subscribers[number].reads_sms(notice.event, what)
