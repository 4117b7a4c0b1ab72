"""One message of a dialogue and what has become of it: worked on, its screen on its way, or over."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .config import Link
from .dialect import Kind
from .over_smpp import Message, counted
from .queues import Leave
from .repeats import KEPT_SECONDS, NUMBERS_MAX, Repeat
from .taking import Taking
from .turn import NOTHING_OVER, Over, Reply

if TYPE_CHECKING:
    from smpp.link import Link as Bind

BUDGET_SHARE = 0.8
"""Of the time that the network waits for us, this much is a turn's; the rest is the way back."""


class Fate(Enum):
    """What has become of the first screen of a push."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """By the peer, with a status."""
    SILENT = "silent"
    """The peer said nothing in time: it may have been seen."""
    NO_LINK = "no_link"
    OVERTAKEN = "overtaken"
    """The subscriber has dialled meanwhile, or somebody else was faster."""
    FAILED = "failed"
    """A fault of ours, or too slow: nothing was sent."""


class Pushed(NamedTuple):
    """The end of a push's first screen. `status`: of a refusal."""

    fate: Fate
    status: int = 0


class Exchange:
    """One message of a dialogue and what has become of it: being worked on, or its screen sent and not accepted yet."""

    __slots__ = (
        "alone",
        "bind",
        "code",
        "following",
        "kind",
        "like",
        "link",
        "mark",
        "msisdn",
        "on_its_way",
        "overtaken",
        "past",
        "pushed",
        "reply",
        "sent",
        "started",
        "taking",
        "thread",
        "until",
        "waits",
    )

    def __init__(self, bind: Bind, link: Link, message: Message, now: float) -> None:
        self.bind = bind
        self.link = link
        self.kind = message.kind
        self.msisdn = message.msisdn or ""
        self.code = message.code
        self.thread = message.thread
        self.mark = f"{link.name if message.counted else bind.name}/{message.mark}"  # two peers may count alike
        self.like = "" if message.counted else message.mark[message.mark.rfind("-") :]
        """How the marks of all inputs end that say the same."""
        begins = message.counted and message.kind is Kind.BEGIN
        self.past = f"{link.name}/{counted(self.thread.reference)}" if begins else ""
        """How the marks begin of what its session number has said before, when it meant another dialogue."""
        self.started = now
        self.until = now + link.dialect.waits.application_seconds * BUDGET_SHARE
        self.reply: Reply | None = None
        self.taking: Taking | None = None
        self.sent = False
        """Its screen has gone out once: what is sent from now on is a repeat."""
        self.on_its_way = 0
        """How often its screen was sent and has no answer of the peer's yet."""
        self.following: tuple[Exchange, Message, Repeat] | None = None
        """What came while it was being worked on: it is taken if this one turns out to be a repeat."""
        self.overtaken = False
        self.waits: tuple[Bind, Leave] | None = None
        """Its screen waits for room in this bind's window."""
        self.alone = False
        """Its screen is said beside the number's dialogue, which goes on."""
        self.pushed: asyncio.Future[Pushed] | None = None
        """Of a push: who waits for what becomes of it."""

    @property
    def dead_at(self) -> float:
        """When the network has given up waiting for the screen, or for its acceptance."""
        return self.started + self.link.dialect.waits.application_seconds

    @property
    def reference(self) -> str:
        """The peer's session number in hex; "" for none."""
        return self.thread.reference

    def remember(self, dialogue: Taking | Exchange) -> None:
        """What the input did not say, the dialogue remembers: its session number, and the code that was dialled."""
        if not self.thread.reference and dialogue.reference:
            self.thread = self.thread._replace(reference=dialogue.reference)
        if not self.code and dialogue.code:
            self.code = f"*{dialogue.code.strip('*#').split('*')[0]}#"

    def conclude(self, fate: Fate, status: int = 0) -> None:
        """Who waits for a push is told what has become of it; the first word counts."""
        if self.pushed is not None and not self.pushed.done():
            self.pushed.set_result(Pushed(fate, status))

    def repeats(self, other: Exchange) -> bool:
        """Whether this begin is the other one again: on the same connection, or what says the same on another one."""
        if self.mark == other.mark:
            return True
        alike = bool(self.like) and self.like == other.like and other.kind is self.kind and other.pushed is None
        return alike and self.link.name == other.link.name and self.thread.reference == other.thread.reference

    def answers_push(self, before: Exchange) -> bool:
        """Whether this says that the first screen of a push has been seen, though its acceptance has not come yet."""
        seen = self.kind in (Kind.REPLY, Kind.UNKNOWN, Kind.NOTIFIED)
        return seen and before.pushed is not None and before.sent and self.is_of(before)

    def is_of(self, other: Exchange) -> bool:
        """Whether both can be of one dialogue: a session number that is missing says nothing."""
        mine, others = self.thread.reference, other.thread.reference
        return self.link.name == other.link.name and (mine == others or not mine or not others)


class GivenUp:
    """Messages with whose screen, an apology, a dialogue has ended: the last one of each number."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[Exchange, Over]] = OrderedDict()

    def note(self, exchange: Exchange, began: float) -> None:
        """The apology is on its way. `began`: when the message came, seconds since 1970."""
        taking = exchange.taking
        self._of[exchange.msisdn] = exchange, Over(taking.session_id if taking else "", began)
        self._of.move_to_end(exchange.msisdn)
        if len(self._of) > NUMBERS_MAX:
            self._of.popitem(last=False)

    def forget_old(self, now: float) -> None:
        """Of what can come no more nothing is kept: each holds a whole turn."""
        while self._of:
            number, (exchange, _) = next(iter(self._of.items()))
            if exchange.started + KEPT_SECONDS >= now:
                return
            del self._of[number]

    def before(self, exchange: Exchange) -> Exchange | None:
        """The number's message before this one that was apologised for, if anything of its dialogue can still come."""
        before, _ = self._of.get(exchange.msisdn, (None, None))
        return before if before is not None and before.started + KEPT_SECONDS >= exchange.started else None

    def over(self, exchange: Exchange) -> Over:
        """What of the number is over, whatever the store has of it."""
        before = self.before(exchange)
        return self._of[exchange.msisdn][1] if before is not None and exchange.is_of(before) else NOTHING_OVER
