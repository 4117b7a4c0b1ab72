"""One message of a dialogue and what has become of it: worked on, its screen on its way, or over."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .config import Link
from .over_smpp import Message
from .taking import Taking
from .turn import Reply

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
        "has_waited",
        "kind",
        "like",
        "link",
        "mark",
        "msisdn",
        "on_its_way",
        "overtaken",
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
        self.started = now
        self.until = now + link.dialect.waits.application_seconds * BUDGET_SHARE
        self.reply: Reply | None = None
        self.taking: Taking | None = None
        self.sent = False
        """Its screen has gone out once: what is sent from now on is a repeat."""
        self.following: tuple[Exchange, Message, bool] | None = None
        """What came while it was being worked on, and whether it had come before: taken if this one is a repeat."""
        self.on_its_way = 0
        """How often its screen was sent and has no answer of the peer's yet."""
        self.overtaken = False
        self.waits = False
        """Its screen waits for room in a window."""
        self.has_waited = False
        """It waited before, and stands before those that came later."""
        self.alone = False
        """Its screen is said beside the number's dialogue, which goes on."""
        self.pushed: asyncio.Future[Pushed] | None = None
        """Of a push: who waits for what becomes of it."""

    @property
    def dead_at(self) -> float:
        """When the network has given up waiting for the screen, or for its acceptance."""
        return self.started + self.link.dialect.waits.application_seconds

    def remember(self, taking: Taking) -> None:
        """What the input did not say, the dialogue remembers: its session number, and the code that was dialled."""
        if not self.thread.reference and taking.reference:
            self.thread = self.thread._replace(reference=taking.reference)
        if not self.code and taking.code:
            self.code = f"*{taking.code.strip('*#').split('*')[0]}#"

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

    def is_of(self, other: Exchange) -> bool:
        """Whether both can be of one dialogue: a session number that is missing says nothing."""
        mine, others = self.thread.reference, other.thread.reference
        return self.link.name == other.link.name and (mine == others or not mine or not others)
