"""Notices of the billing core as SMS: the core says what happened, a menu file has the words (async over ports)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from billing.notices import Notice

from .config import Network
from .language.wording import notice_text
from .outbox import NotSent, Sms
from .versions import Versions


class Sender(Protocol):
    """Sends an SMS; returns the peer's message id, or raises NotSent."""

    async def send(self, sms: Sms) -> str: ...


class Announcer:
    """Words notices and sends them. It keeps nothing: a notice that comes again is sent again."""

    def __init__(
        self,
        versions: Versions,
        networks: Mapping[str, Network],
        sender: Sender,
        wall_clock: Callable[[], float],
    ) -> None:
        """`wall_clock`: seconds since 1970."""
        self._versions = versions
        self._networks = networks
        self._sender = sender
        self._wall_clock = wall_clock

    async def tell(self, notice: Notice) -> str:
        """Sends the notice; the message id once the peer has accepted it. Raises NotSent."""
        left = datetime.fromisoformat(notice.not_after).timestamp() - self._wall_clock()
        if left <= 0:
            raise NotSent("its time is over", for_ever=True)
        service = self._versions.current.tells_of(notice.network, notice.event)
        network = self._networks.get(notice.network)
        if service is None or network is None:
            raise NotSent(f"no menu has words for {notice.event} on network '{notice.network}'", for_ever=True)
        wanted = (notice.language, network.language, next(iter(service.languages)))
        language = next(each for each in wanted if each in service.languages)
        text = notice_text(service, notice.event, notice.arguments, language, ZoneInfo(network.time_zone))
        return await self._sender.send(Sms(notice.msisdn, notice.network, service.id, text, left))
