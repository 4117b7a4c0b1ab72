"""The open binds of all links: whose they are, which of them carries what, and where a number was last heard."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import over_smpp
from .config import Link

if TYPE_CHECKING:
    from smpp.link import Link as Bind

HEARD_MAX = 100_000
"""Numbers whose last bind is remembered; the longest silent is forgotten first."""


class Binds:
    """What is bound now, in both roles."""

    def __init__(self) -> None:
        self._links: dict[Bind, Link] = {}
        self._heard: OrderedDict[str, Bind] = OrderedDict()

    def add(self, bind: Bind, link: Link) -> None:
        """A bind of this link may be used."""
        self._links[bind] = link

    def drop(self, bind: Bind) -> Link | None:
        """The bind is gone; its link, if it had one."""
        return self._links.pop(bind, None)

    def link_of(self, bind: Bind) -> Link | None:
        """The link that a bind belongs to."""
        return self._links.get(bind)

    def count(self, link: Link) -> int:
        """How many binds of a link are open."""
        return sum(each is link for each in self._links.values())

    def of(self, name: str) -> tuple[Bind, ...]:
        """The open binds of the link with this name."""
        return tuple(bind for bind, link in self._links.items() if link.name == name)

    def in_flight(self) -> dict[str, int]:
        """How many requests of ours wait for an answer, by link."""
        found: dict[str, int] = {}
        for bind, link in self._links.items():
            found[link.name] = found.get(link.name, 0) + bind.in_flight
        return found

    def heard(self, msisdn: str, bind: Bind) -> None:
        """A number spoke on this bind."""
        self._heard[msisdn] = bind
        self._heard.move_to_end(msisdn)
        if len(self._heard) > HEARD_MAX:
            self._heard.popitem(last=False)

    def for_screen(self, bind: Bind, link: Link) -> Bind | None:
        """The bind for a screen: that on which its input came, else another of the same link."""
        return bind if self._carries(bind) else self._any_of(link.name)

    def for_sms(self, msisdn: str, links: Iterable[str]) -> Bind | None:
        """The bind for an SMS: where the number was last heard, if the route has that link, else the first open one.

        A link that the route does not name never gets an SMS, whatever numbers it claims to be.
        """
        links = tuple(links)
        heard = self._heard.get(msisdn)
        link = self._links.get(heard) if heard is not None else None
        if heard is not None and link is not None and link.name in links and self._carries(heard):
            return heard
        return next((bind for name in links if (bind := self._any_of(name)) is not None), None)

    def _any_of(self, name: str) -> Bind | None:
        return next((bind for bind, link in self._links.items() if link.name == name and self._carries(bind)), None)

    def _carries(self, bind: Bind) -> bool:
        link = self._links.get(bind)
        return link is not None and bind.may_send and over_smpp.carries(link.role, bind.state)
