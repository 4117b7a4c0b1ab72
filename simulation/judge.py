"""What must hold in every run, whatever goes wrong in it: looked at while it happens, and once more at the end.

Rules of this file:
- Only what peers, the store, the core and the log were told counts, never what the engine means by it.
- The first thing that does not hold ends the run.
- Who heard nothing may only have heard nothing because a process died, a connection broke, or the dialogue was over.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import msgspec

from billing.calls import Call
from billing.contract import OPERATIONS
from sessions.session import from_octets
from ussd_engine.config import Link
from ussd_engine.dialect import Kind
from ussd_engine.exchange import Exchange
from ussd_engine.language.pages import fits
from ussd_engine.record import USER_ABORT
from ussd_engine.repeats import KEPT_SECONDS

from .loop import PROCESS, Process
from .trace import Trace

SLACK_SECONDS = 0.5
"""On the way of a message, in either direction."""
ABORT_SECONDS = 9.0
"""Longer than a turn may take that is overtaken by it."""
KEPT_SECONDS_MAX = 3600.0
SECRET_SCREENS = ("pin", "pin_of_phone", "pin_again")
SPLIT_SECONDS = 2.0
"""A number that is heard by two processes at a time may be answered by one and wait for the other."""
_UNTIED = re.compile(r"[^0-9A-Za-z-]+")


class Broken(Exception):
    """Something does not hold."""


@dataclass(slots=True)
class Input:
    """A message of a dialogue as one process has heard it, once or more often."""

    mark: str
    msisdn: str
    kind: Kind
    link: Link
    text: str
    process: Process
    at: float
    order: int
    heard: int = 1
    screens: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    """Operation → the id under which it was called for this."""
    again: str = ""
    """What a repeat shows in place of a confidential screen."""


@dataclass(slots=True)
class Number:
    """What happened to a number, in order."""

    inputs: dict[tuple[str, str], Input] = field(default_factory=dict)
    heard: list[tuple[int, str]] = field(default_factory=list)
    """Each message, and the process that heard it."""
    last: dict[str, str] = field(default_factory=dict)
    """Process → the mark that it heard last."""
    begins: list[tuple[int, float]] = field(default_factory=list)
    aborts: list[tuple[int, float, str]] = field(default_factory=list)
    sent: list[tuple[float, str]] = field(default_factory=list)
    """Each screen, and the process that sent it."""
    ended: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    """Process and session number → when a screen ended the dialogue."""
    waited: float = -1.0
    """A screen had to wait for room in a window."""


INPUT: ContextVar[Input | None] = ContextVar("input", default=None)
"""What is being worked on."""


class Judge:
    """Of one run."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, trace: Trace, own_words: frozenset[str], refusals: frozenset[str]
    ) -> None:
        """`own_words`: texts of the engine's own, which stand in place of any screen; `refusals`: those of them that
        end nothing but a begin."""
        self._loop = loop
        self._trace = trace
        self._own_words = own_words
        self._refusals = refusals
        self._order = 0
        self._numbers: dict[str, Number] = defaultdict(Number)
        self._secrets: set[str] = set()
        self._ids: dict[str, Call] = {}
        self._deaths: list[float] = []
        self._cuts: list[tuple[float, str]] = []
        self._store_lost_at: list[float] = []
        self._records: dict[str, str] = {}
        self._calls_of: dict[tuple[str, str], str] = {}
        self.trusts_store = False
        """Every request of the store is answered in this run."""
        self.goes_on: Callable[[str], bool] = lambda _msisdn: False
        """Whether the store has a dialogue of a number that goes on."""
        self.counts_records = False
        """Each dialogue has one record. Two processes that both knew one may tell of it twice, once it is replaced."""
        self.broken: asyncio.Future[str] = loop.create_future()

    def breaks(self, what: str) -> None:
        """An invariant does not hold."""
        if not self.broken.done():
            self._trace.note("JUDGE", what)
            self.broken.set_result(what)

    def _next(self) -> int:
        self._order += 1
        return self._order

    # --- faults that excuse something ---

    def died(self) -> None:
        """A process was killed."""
        self._deaths.append(self._loop.time())

    def cut(self, link: str) -> None:
        """A connection of a link is gone."""
        self._cuts.append((self._loop.time(), link))

    def store_lost(self) -> None:
        """The store has lost what it had acknowledged."""
        self._store_lost_at.append(self._loop.time())

    @property
    def store_is_sound(self) -> bool:
        """It has never lost anything in this run."""
        return not self._store_lost_at

    @property
    def nobody_died(self) -> bool:
        """No process was killed in this run."""
        return not self._deaths

    # --- what is said ---

    def heard(self, mark: str, msisdn: str, kind: Kind, link: Link, text: str) -> None:
        """A process takes a message of a dialogue."""
        process = PROCESS.get()
        assert process is not None  # noqa: S101 - whoever listens is one
        number, now, order = self._numbers[msisdn], self._loop.time(), self._next()
        key = process.name, mark
        known = number.inputs.get(key)
        if known is not None and number.last[process.name] != mark:
            return  # it comes again, after others
        number.last[process.name] = mark
        number.heard.append((order, process.name))
        if kind in (Kind.ABORT, Kind.NETWORK_ABORT):
            number.aborts.append((order, now, process.name))
            self._loop.call_at(now + ABORT_SECONDS, self._expects_end, msisdn, order, now)
        if known is not None:
            known.heard += 1
        else:
            known = number.inputs[key] = Input(mark, msisdn, kind, link, text, process, now, order)
        INPUT.set(known)
        if kind is Kind.BEGIN:
            number.begins.append((order, now))
        if kind in (Kind.BEGIN, Kind.REPLY) and known.heard == 1:
            due = now + link.dialect.waits.application_seconds + SLACK_SECONDS
            self._loop.call_at(due, self._expects, known, now, order)

    def _expects(self, heard: Input, at: float, order: int) -> None:
        """By now there has been a screen, or there is a reason why not."""
        number = self._numbers[heard.msisdn]
        excuses = (
            any(each >= at for each, _ in number.sent),
            any(each >= at - SPLIT_SECONDS and name != heard.process.name for each, name in number.sent),
            any(each[0] > order for each in number.begins),
            any(each[1] >= at - SLACK_SECONDS for each in number.aborts),
            any(each >= at - SLACK_SECONDS for each in self._deaths),
            any(each >= at - SLACK_SECONDS and link == heard.link.name for each, link in self._cuts),
            number.waited >= at,
            len(self._store_lost_at) > 1,  # a dialogue of before the one before can stand there
        )
        if not any(excuses):
            self.breaks(f"…{heard.msisdn[-4:]} got no screen for {heard.kind.value} {heard.mark}, heard at {at:.6f}")

    def _expects_end(self, msisdn: str, order: int, at: float) -> None:
        """What was hung up is over in the store, if nothing more was heard of the number and the store did its work."""
        number = self._numbers[msisdn]
        others = number.heard[-1][0] > order or any(each >= at - ABORT_SECONDS for each in self._deaths)
        if self.trusts_store and self.store_is_sound and not others and self.goes_on(msisdn):
            self.breaks(f"…{msisdn[-4:]} has hung up at {at:.6f}, and its dialogue goes on")

    def waits(self, msisdn: str) -> None:
        """A screen waits for room in a window."""
        self._numbers[msisdn].waited = self._loop.time()

    def sent(self, exchange: Exchange, text: str, ends: bool) -> None:
        """A process sends a screen."""
        process = PROCESS.get()
        assert process is not None  # noqa: S101 - whoever speaks is one
        number, now, order = self._numbers[exchange.msisdn], self._loop.time(), self._next()
        number.sent.append((now, process.name))
        where = f"screen {text!r} to …{exchange.msisdn[-4:]} for {exchange.mark}"
        if not fits(text, exchange.link.dialect.screen):
            self.breaks(f"{where} does not fit")
        if not text:
            self.breaks(f"{where} is empty")
        if now > exchange.dead_at + SLACK_SECONDS:
            self.breaks(f"{where} comes {now - exchange.started:.3f} s after its input")
        answered = number.inputs.get((process.name, exchange.mark))
        if answered is None:
            if exchange.pushed is None:
                self.breaks(f"{where} answers nothing")
            return
        self._is_wanted(number, answered, process, where)
        self._is_the_same(answered, exchange, text, where)
        dialogue = process.name, exchange.thread.reference
        ended = number.ended.get(dialogue)
        begun = (
            any(each[0] > ended[0] or each[1] >= ended[1] - SPLIT_SECONDS for each in number.begins) if ended else True
        )
        if ended is not None and not ends and not begun and now - ended[1] < KEPT_SECONDS - SPLIT_SECONDS * 2:
            if any(each >= ended[1] for each in self._store_lost_at):
                return  # the store has it still, or again
            self.breaks(f"{where} follows the screen that ended the dialogue")
        if ends and text not in self._refusals:
            number.ended[dialogue] = order, now

    def _is_wanted(self, number: Number, answered: Input, process: Process, where: str) -> None:
        """Once for each message of the number since, and never after the dialogue was ended from elsewhere."""
        repeats = sum(order > answered.order and name == process.name for order, name in number.heard)
        if len(answered.screens) > repeats:
            self.breaks(f"{where} is sent {len(answered.screens) + 1} times, for {repeats + 1} messages")
        if answered.heard == 1:
            if any(order > answered.order and name == process.name for order, _, name in number.aborts):
                self.breaks(f"{where} follows an abort")
            later = [each for each in number.inputs.values() if each.kind is Kind.BEGIN and each.process is process]
            others = [each for each in later if not _says_the_same(each, answered)]  # else it is a repeat
            if any(each.order > answered.order and each.link is answered.link for each in others) and not self._alone(
                answered
            ):
                self.breaks(f"{where} belongs to a dialogue before this one")

    @staticmethod
    def _alone(answered: Input) -> bool:
        """An answer to an old session is turned away beside the new one, where the dialect can tell them apart."""
        return answered.link.dialect.session is not None

    def _is_the_same(self, answered: Input, exchange: Exchange, text: str, where: str) -> None:
        """A repeat gets the screen that was sent before, or the engine's own words."""
        own = text in self._own_words
        before = [each for each in answered.screens if each not in self._own_words]
        if before and not own and text not in (before[0], answered.again):
            self.breaks(f"{where} repeats {before[0]!r} otherwise")
        answered.screens.append(text)
        if exchange.reply is not None and exchange.reply.again:
            answered.again = exchange.reply.again

    # --- calls ---

    def asked(self, call: Call, seconds_max: float, process: Process) -> None:
        """A process makes a call."""
        if seconds_max <= 0:
            self.breaks(f"{call} has no time")
        known = self._ids.setdefault(call.id, call)
        if known.operation != call.operation or known.msisdn != call.msisdn:
            self.breaks(f"{known} and {call} have one id")
        heard, operation = INPUT.get(), OPERATIONS[call.operation]
        if heard is None or heard.msisdn != call.msisdn or call.by_sms or not operation.changes:
            return
        first = heard.changed.setdefault(call.operation, call.id)
        if first != call.id and not operation.by_dialling and self.store_is_sound:
            self.breaks(f"{heard.mark} makes {call} twice, first as {first}")

    def other_call(self, known: Call, call: Call) -> None:
        """The core was asked for something else under an id that it knows."""
        if self.store_is_sound:
            self.breaks(f"{known} and {call} are made under one id")

    def same_call(self, known: Call, call: Call) -> None:
        """The core was asked again. With a secret it never is, but for an SMS that comes again."""
        if OPERATIONS[call.operation].takes_secret and not call.by_sms and self.store_is_sound:
            self.breaks(f"{call} was made twice, with a secret")

    # --- secrets ---

    def secret(self, text: str) -> None:
        """Nobody may write this down."""
        self._secrets.add(text)

    def kept(self, octets: bytes, seconds: float, before: bytes | None) -> None:
        """Something is stored. Who types a secret on a screen that asks for something else has told it to everybody."""
        if not 0 < seconds <= KEPT_SECONDS_MAX:
            self.breaks(f"a dialogue is stored for {seconds} s")
        session, old = from_octets(octets), None if before is None else from_octets(before)
        found = self._secrets_in(msgspec.to_builtins(session))
        if old is not None and old.id == session.id and old.screen not in SECRET_SCREENS:
            typed = INPUT.get()
            self._secrets -= found if typed is None else found | {typed.text}  # in the store, a sum is no text
        elif found:
            self.breaks(f"the secrets {sorted(found)} stand in the store, on {session.service}/{session.screen}")

    def _secrets_in(self, what: Any) -> set[str]:
        return (
            {word for text in _texts(what) for word in _UNTIED.split(text)} & self._secrets if self._secrets else set()
        )

    def written(self, where: str, what: Any) -> None:
        """Something is written down, where no secret may be."""
        for found in sorted(self._secrets_in(what)):
            self.breaks(f"the secret {found} stands in {where}: {what}")

    # --- the log ---

    def logged(self, event: Mapping[str, Any]) -> None:
        """A line of the log."""
        process = PROCESS.get()
        if process is not None and not process.is_alive:
            return
        self.written("the log", dict(event))
        name = event.get("event")
        if name == "a fault of ours":
            self.breaks(f"a fault of ours: {event.get('exception', event)}")
        if name == "dialogue":
            self._recorded(str(event["id"]), str(event["cause"]))

    def _recorded(self, dialogue: str, cause: str) -> None:
        before = self._records.get(dialogue)
        raced = USER_ABORT in (before, cause)  # a turn may be kept while its dialogue is hung up
        if before is not None and self.counts_records and self.store_is_sound and not raced:
            self.breaks(f"dialogue {dialogue} has two records: {before}, {cause}")
        self._records[dialogue] = cause

    # --- the end ---

    def check(self, what: str, holds: Callable[[], bool]) -> None:
        """One thing that must be so at the end."""
        if not holds():
            self.breaks(f"at the end, {what}")


def _says_the_same(one: Input, other: Input) -> bool:
    """Whether two messages differ in their sequence numbers and connections at most."""
    return one.mark.rpartition("-")[2] == other.mark.rpartition("-")[2]


def _texts(what: Any) -> Iterator[str]:
    """Every text in it."""
    if isinstance(what, str):
        yield what
    elif isinstance(what, int):
        yield str(what)
    elif isinstance(what, Mapping):
        for each in what.values():
            yield from _texts(each)
    elif isinstance(what, list | tuple | set | frozenset):
        for each in what:
            yield from _texts(each)
