"""Dialogues as they go over the wire: one answer per prompt, screens on their way, what is a repeat and what is late.

Rules of this file (a shell around `turn`):
- While a number's turn is being worked on, its further answers are duplicates; until the peer has accepted our
  screen, a further answer gets the same screen again. A new begin takes the number over.
- What comes on the heels of an abort is taken when the abort has been: it finds the dialogue ended.
- A message is walked once. One that comes again gets its screen, and nothing once others have come since (`repeats`).
- A begin that says the same as the one before it, before our screen was accepted, is a repeat on whatever bind it
  comes.
- What comes while a turn is being worked on that turns out to be a repeat, is taken then: the subscriber has seen the
  screen that another process has sent.
- What this process has on its way it tells the others, when they ask (`standing`).
- A dialogue that ended with an apology is over, whatever the store has of it: what is said to it later
  is told so, and what was apologised for gets its apology again.
- A screen leaves on the bind on which its input came, a repeated one on the bind of the repeat; if that is gone or
  cannot carry it, on another of the same link.
- What another link says of a number touches no dialogue of this one; nor does what bears another session number, where
  the dialect has one: it belongs to a dialogue that is gone.
- A turn that outlives its deadline is apologised for once, and its own screen is never sent.
- A push begins a dialogue from our side. Its first screen is never sent twice: the peer would begin two. An answer to
  it says that it was accepted, also where the response comes later.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import failpoints
from sessions.neighbours import Standing
from smpp.errors import WrongState
from smpp.pdu import Pdu

from . import over_smpp
from .binds import Binds
from .config import Link
from .dial_string import Dialled
from .dialect import Kind
from .exchange import Exchange, Fate, GivenUp, Pushed
from .metrics import Metrics
from .over_smpp import Message
from .queues import Queues
from .record import NETWORK_ABORT, USER_ABORT
from .repeats import Heard, Repeat, Sameness
from .taking import Taking
from .turn import Answer, Begin, Reply, Turns
from .work import Work

if TYPE_CHECKING:
    from smpp.link import Link as Bind

LATE_SECONDS = 0.25
"""So long after its deadline a turn is apologised for."""
SWEEP_SECONDS = 0.25
_OVER = {Kind.ABORT: USER_ABORT, Kind.NETWORK_ABORT: NETWORK_ABORT}
"""What ends a dialogue without a screen, and what is told of its end."""


class Dialogues:
    """The exchanges of all links."""

    def __init__(self, turns: Turns, binds: Binds, queues: Queues, work: Work, metrics: Metrics) -> None:
        self._turns = turns
        self._now = turns.ports.now
        self._binds = binds
        self._queues = queues
        self._work = work
        self._metrics = metrics
        self._exchanges: dict[str, Exchange] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        """By number, the abort that is being worked on."""
        self._heard = Heard()
        self._given_up = GivenUp()

    @property
    def has_work(self) -> bool:
        """Whether a message waits for its screen, or a screen for its acceptance."""
        return bool(self._exchanges)

    def heard(self, bind: Bind, link: Link, message: Message) -> None:
        """A message of a dialogue, accepted on the wire."""
        exchange = Exchange(bind, link, message, self._now())
        repeat = self._heard.hears(exchange.msisdn, exchange.mark, exchange.started, exchange.past)
        if repeat is Repeat.OUTDATED or (repeat is Repeat.AGAIN and message.kind in _OVER):
            self._metrics.duplicates.inc()
            return
        before = self._exchanges.get(exchange.msisdn)
        if before is not None and before.reply is not None and before.dead_at < exchange.started:
            before.conclude(Fate.SILENT)
            self._forget(before)  # its acceptance was lost: whoever speaks now has seen it, or has dialled again
            before = None
        if before is not None and exchange.answers_push(before):
            before.conclude(Fate.ACCEPTED)
            self._forget(before)
            before = None
        if message.kind is Kind.NOTIFIED:
            self._metrics.answers.inc()  # a notification is over as soon as it is seen
        elif message.kind in _OVER:
            self._aborted(exchange, before if before is None or exchange.is_of(before) else None, _OVER[message.kind])
        elif before is None or (message.kind is Kind.BEGIN and not exchange.repeats(before)):
            if not self._is_told_again(exchange):
                self._overtake(before)
                self._take(exchange, message, repeat)
        elif exchange.is_of(before):
            self._metrics.duplicates.inc()
            before.following = (exchange, message, repeat)
            self._say_again(before, bind)
        elif link.name == before.link.name:
            self._turn_away(exchange)
        else:
            self._metrics.duplicates.inc()

    def _aborted(self, exchange: Exchange, before: Exchange | None, cause: str) -> None:
        self._metrics.aborts.inc()
        self._overtake(before)
        number = exchange.msisdn
        ending = self._work.begin(self._turns.hang_up(number, exchange.link, cause, exchange.thread.reference))
        self._ending[number] = ending
        ending.add_done_callback(partial(self._has_ended, number))

    def _has_ended(self, number: str, ending: asyncio.Task[None]) -> None:
        if self._ending.get(number) is ending:
            del self._ending[number]

    def has_room_on(self, bind: Bind) -> bool:
        """Whether no screen waits for room on this bind."""
        return not self._queues.holds_screens(bind)

    def too_much(self, bind: Bind, link: Link, message: Message) -> None:
        """A begin, accepted on the wire, for which there is no room."""
        self._say(Exchange(bind, link, message, self._now()), "busy")

    def _turn_away(self, exchange: Exchange) -> None:
        """An answer to an old dialogue, while another of the number is being worked on."""
        self._metrics.answers.inc()
        self._say(exchange, "dial_again")

    def _say(self, exchange: Exchange, screen: str) -> None:
        """The engine's own words, beside whatever dialogue the number has."""
        exchange.reply = self._turns.own_words(screen, exchange.link)
        exchange.alone = True
        self._send(exchange)

    def _say_again(self, before: Exchange, bind: Bind) -> None:
        """The screen of `before`, if there is one, leaves once more, on this bind; one that waits here, in its turn."""
        if before.reply is None or before.pushed is not None:
            return
        before.bind = bind
        if before.waits is not None and before.waits[0] is not self._binds.for_screen(bind, before.link):
            self._queues.withdraw(*before.waits)
            before.waits = None
        self._send(before)

    def _take(self, exchange: Exchange, message: Message, repeat: Repeat) -> None:
        again = repeat is Repeat.AGAIN
        self._binds.heard(exchange.msisdn, exchange.bind)
        kinds = self._metrics.begins if message.kind is Kind.BEGIN else self._metrics.answers
        (self._metrics.duplicates if again else kinds).inc()
        self._exchanges[exchange.msisdn] = exchange
        request = _request(exchange, message, again)
        if isinstance(request, Answer):
            request = request._replace(over=self._given_up.over(exchange))
        exchange.taking = Taking(self._turns, request)
        self._work.begin(self._serve(exchange, exchange.taking), exchange.link.name)

    def _is_told_again(self, exchange: Exchange) -> bool:
        """Whether this was apologised for before it came again: then it gets the apology again, and is not walked."""
        before = self._given_up.before(exchange)
        if before is None or before.mark != exchange.mark:
            return False
        self._metrics.duplicates.inc()
        exchange.reply = before.reply
        exchange.remember(before)
        exchange.alone = True
        self._send(exchange)
        return True

    def _give_up(self, exchange: Exchange) -> None:
        """The dialogue is over for who holds the phone: an apology is on its way."""
        self._given_up.note(exchange, self._turns.ports.wall_clock() - (self._now() - exchange.started))

    def is_busy(self, msisdn: str) -> bool:
        """Whether a message of the number is being worked on here, or a screen is on its way to it."""
        before = self._exchanges.get(msisdn)
        return before is not None and (before.reply is None or before.dead_at >= self._now())

    def standing(self, msisdn: str, link: str, age_seconds: float) -> Standing:
        """How it stands with the number's last input here, for the process that has heard the next one, so many
        seconds ago."""
        before, now = self._exchanges.get(msisdn), self._now()
        if before is None or before.link.name != link:
            came_before = self._heard.was_accepted(msisdn, link, now - age_seconds)
            return Standing.WORKING if came_before else Standing.SETTLED
        if before.reply is None:
            return Standing.WORKING
        return Standing.UNSEEN if before.pushed is None and before.dead_at >= now else Standing.SETTLED

    def push(self, bind: Bind, link: Link, message: Message, first: Dialled | Reply) -> asyncio.Future[Pushed]:
        """Begins a dialogue from our side, of a number that is not busy; the result is what becomes of its first
        screen. `message`: as if the number had dialled; `first`: what it dialled, or the text of a notification.
        """
        exchange = Exchange(bind, link, message, self._now())
        pushed = exchange.pushed = asyncio.get_running_loop().create_future()
        before = self._exchanges.get(exchange.msisdn)
        if before is not None:
            before.conclude(Fate.SILENT)  # the network has given up on it
        self._exchanges[exchange.msisdn] = exchange
        if isinstance(first, Reply):
            exchange.reply = first
            self._send(exchange)
        else:
            exchange.taking = Taking(
                self._turns,
                Begin(
                    exchange.msisdn, link, first, exchange.mark, exchange.until, exchange.thread.reference, by_us=True
                ),
            )
            self._work.begin(self._serve(exchange, exchange.taking), link.name)
        return pushed

    async def _serve(self, exchange: Exchange, taking: Taking) -> None:
        await failpoints.written("pdu_answered")
        if exchange.msisdn in self._ending:
            await asyncio.wait([self._ending[exchange.msisdn]])
        reply = await self._work.safely(taking.reply(), taking.broken, exchange.msisdn)
        if exchange.overtaken or exchange.reply is not None:
            self._metrics.screens_late.inc()
            if not exchange.overtaken:
                self._not_pushed(exchange)
        elif reply is None:
            if taking.is_repeat:
                self._metrics.duplicates.inc()
            exchange.conclude(Fate.OVERTAKEN)
            self._forget(exchange)
            if exchange.following is not None:
                self._take(*exchange.following)
        elif exchange.pushed is not None and taking.overdue:
            exchange.conclude(Fate.FAILED)
            self._forget(exchange)
        else:
            self._metrics.turn_seconds.observe(self._now() - exchange.started)
            exchange.reply = reply
            exchange.remember(taking)
            if taking.overdue:
                self._give_up(exchange)
            self._send(exchange)
            await failpoints.written("screen_submitted")

    def _overtake(self, exchange: Exchange | None) -> None:
        if exchange is not None:
            exchange.overtaken = True
            if exchange.taking is not None:
                exchange.taking.overtaken = True
            exchange.conclude(Fate.OVERTAKEN)
            self._forget(exchange)

    def _forget(self, exchange: Exchange) -> None:
        if self._exchanges.get(exchange.msisdn) is exchange:
            del self._exchanges[exchange.msisdn]

    # --- screens --------------------------------------------------------------------------------------------------

    def _send(self, exchange: Exchange) -> None:
        """Sends the exchange's screen; one that has to wait for room leaves when there is some."""
        if exchange.waits is not None:
            return
        bind = self._binds.for_screen(exchange.bind, exchange.link)
        if bind is None:
            self._lost(exchange)
        else:
            leave = partial(self._leave, exchange, bind)
            exchange.waits = None if self._queues.screen(bind, leave) else (bind, leave)

    def _leave(self, exchange: Exchange, bind: Bind) -> bool:
        """The screen leaves on this bind; False when it does not, and need not wait. Raises WindowFull."""
        if not self._stands(exchange) or (exchange.waits and not self._still_leaves(exchange, bind)):
            return False
        link, reply = exchange.link, exchange.reply
        assert reply is not None  # noqa: S101 - there is a screen
        text = reply.again if reply.again and exchange.sent else reply.text
        try:
            bind.send(
                over_smpp.screen_pdu(
                    text, reply.ends, exchange.msisdn, exchange.code, link.dialect, link.role, exchange.thread,
                    exchange.pushed is not None,
                ),
                exchange,
            )  # fmt: skip
        except (WrongState, ValueError):  # the bind ends, or the link's dialect has a field that cannot be written
            self._lost(exchange)
            return False
        exchange.waits = None
        exchange.sent = True
        exchange.on_its_way += 1
        self._metrics.screens_sent.inc()
        return True

    def _still_leaves(self, exchange: Exchange, bind: Bind) -> bool:
        """Whether a screen that has waited can still be seen, and leaves on this bind."""
        if exchange.dead_at < self._now():
            self._lost(exchange)
        elif self._binds.for_screen(exchange.bind, exchange.link) is not bind:
            exchange.waits = None
            self._send(exchange)  # on another bind of the link, behind those that wait there
        else:
            return True
        return False

    def _lost(self, exchange: Exchange) -> None:
        exchange.waits = None
        self._metrics.screens_homeless.inc()
        exchange.conclude(Fate.NO_LINK)
        self._forget(exchange)
        self._not_pushed(exchange)

    def _not_pushed(self, exchange: Exchange) -> None:
        """A push that nobody has seen leaves no dialogue behind."""
        if exchange.pushed is None or exchange.taking is None or exchange.overtaken:
            return
        if exchange.pushed.done() and exchange.pushed.result().fate is Fate.ACCEPTED:
            return
        self._work.begin(self._turns.hang_up(exchange.msisdn, exchange.link, NETWORK_ABORT, begun_by=exchange.mark))

    def answered(self, bind: Bind, exchange: Exchange, response: Pdu | None) -> None:
        """The peer's word on a screen; None: it gave none in time, or is gone. A screen is never sent again for it. The
        last word counts of a screen that was sent more than once, unless one is that it was accepted."""
        exchange.on_its_way -= 1
        accepted = response is not None and not response.command_status
        if accepted:
            self._heard.accepts(exchange.msisdn, exchange.link.name, self._now())
        if response is None:
            self._metrics.screens_expired.inc()
            exchange.conclude(Fate.SILENT)
        elif response.command_status:
            self._metrics.screens_refused.inc()
            exchange.conclude(Fate.REFUSED, response.command_status)
            self._not_pushed(exchange)
        elif exchange.pushed is not None:
            self._push_accepted(exchange, response)
        if exchange.waits is None and (
            accepted or exchange.on_its_way <= 0
        ):  # else it has to be said again to who has asked again, and waits for room
            self._forget(exchange)
        self._queues.room(bind)

    def _stands(self, exchange: Exchange) -> bool:
        """Whether its screen is still wanted."""
        return exchange.alone or self._exchanges.get(exchange.msisdn) is exchange

    def _push_accepted(self, exchange: Exchange, response: Pdu) -> None:
        """The session number that the peer has given the dialogue is the one under which its answers come."""
        exchange.conclude(Fate.ACCEPTED)
        reference = over_smpp.allotted(response, exchange.link.dialect)
        if reference and exchange.taking is not None:
            self._work.begin(self._turns.refer(exchange.msisdn, exchange.mark, reference))

    def gone(self, bind: Bind) -> None:
        """A bind has ended: screens that waited for room on it try another of its link."""
        self._queues.gone(bind)

    # --- time -----------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Apologises for turns past their deadline, for as long as the engine runs."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._work.count()
            now = self._now()
            self._given_up.forget_old(now)
            for dead in [each for each in self._exchanges.values() if each.waits and each.dead_at < now]:
                self._lost(dead)  # nobody has made room for it
            late = [each for each in self._exchanges.values() if each.reply is None and each.until + LATE_SECONDS < now]
            for exchange in late:
                self._metrics.apologies.inc()
                assert exchange.taking is not None  # noqa: S101 - what is late is being worked on
                exchange.reply = exchange.taking.too_late()
                if exchange.pushed is not None:
                    exchange.conclude(Fate.FAILED)
                    self._forget(exchange)
                    continue
                exchange.remember(exchange.taking)
                self._give_up(exchange)
                self._send(exchange)


def _request(exchange: Exchange, message: Message, again: bool) -> Begin | Answer:
    """What is asked of the turn."""
    link, reference = exchange.link, exchange.thread.reference
    dialled = None if message.kind is Kind.REPLY else over_smpp.dialled(message, link.dialect)
    if not exchange.code and dialled is not None:
        exchange.code = f"*{dialled.parts[0]}#"[: over_smpp.CODE_CHARACTERS_MAX]
    msisdn, mark, until = exchange.msisdn, exchange.mark, exchange.until
    sequence = exchange.thread.sequence if message.counted else None
    sameness = Sameness(again, exchange.like, sequence, exchange.started)
    if message.kind is Kind.BEGIN:
        return Begin(msisdn, link, dialled, mark, until, reference, sameness=sameness)
    return Answer(msisdn, link, message.text, mark, until, dialled, reference, sameness=sameness)
