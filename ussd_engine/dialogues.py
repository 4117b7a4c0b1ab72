"""Dialogues as they go over the wire: one answer per prompt, screens on their way, what is a repeat and what is late.

Rules of this file (a shell around `turn`):
- While a number's turn is being worked on, its further answers are duplicates; until the peer has accepted our
  screen, a further answer gets the same screen again. A new begin takes the number over.
- A begin that says the same as the one before it, before our screen was accepted, is a repeat on whatever bind it
  comes.
- The same octets under the same sequence number of the same connection are a repeat for a minute, whatever has come
  since: what the dialogue has gone past gets nothing, and ends nothing.
- What comes while a turn is being worked on that turns out to be a repeat, is taken then: the subscriber has seen the
  screen that another process has sent.
- What this process has on its way it tells the others, when they ask (`standing`).
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
from collections import deque
from typing import TYPE_CHECKING

from sessions.neighbours import Standing
from smpp.errors import TooFast, WindowFull, WrongState
from smpp.pdu import Pdu

from . import over_smpp
from .binds import Binds
from .config import Link
from .dial_string import Dialled
from .dialect import Kind
from .exchange import Exchange, Fate, Pushed
from .lately import Lately
from .metrics import Metrics
from .over_smpp import Message
from .record import NETWORK_ABORT, USER_ABORT
from .taking import Taking
from .turn import REPEAT_SECONDS, Answer, Begin, Reply, Sameness, Turns
from .work import Work

if TYPE_CHECKING:
    from smpp.link import Link as Bind

LATE_SECONDS = 0.25
"""So long after its deadline a turn is apologised for."""
SWEEP_SECONDS = 0.25
ACCEPTED_SECONDS = 10.0
"""So long it is known when a screen was accepted: another process may ask of an input that came before that."""
RATE_LOOK_SECONDS = 0.01
"""So soon after a screen that waited for a link's rate the next one is tried; it says itself when it is too soon."""
_OVER = {Kind.ABORT: USER_ABORT, Kind.NETWORK_ABORT: NETWORK_ABORT}
"""What ends a dialogue without a screen, and what is told of its end."""


class Dialogues:
    """The exchanges of all links."""

    def __init__(self, turns: Turns, binds: Binds, work: Work, metrics: Metrics) -> None:
        self._turns = turns
        self._now = turns.ports.now
        self._binds = binds
        self._work = work
        self._metrics = metrics
        self._exchanges: dict[str, Exchange] = {}
        self._heard = Lately(REPEAT_SECONDS)
        """Inputs, by the octets that came under a sequence number of a connection."""
        self._accepted = Lately(ACCEPTED_SECONDS)
        """Screens, by the number and its link."""
        self._waiting: dict[Bind, deque[Exchange]] = {}
        self._rated: set[Bind] = set()
        """Binds for whose rate a timer runs."""

    @property
    def has_work(self) -> bool:
        """Whether a message waits for its screen, or a screen for its acceptance."""
        return bool(self._exchanges)

    def heard(self, bind: Bind, link: Link, message: Message) -> None:
        """A message of a dialogue, accepted on the wire."""
        exchange = Exchange(bind, link, message, self._now())
        came_as = f"{bind.name}/{message.came_as or message.mark}"
        repeated = self._heard.is_repeat((exchange.msisdn, came_as), exchange.started)
        before = self._exchanges.get(exchange.msisdn)
        if before is not None and before.reply is not None and before.dead_at < exchange.started:
            before.conclude(Fate.SILENT)
            self._forget(before)  # its acceptance was lost: whoever speaks now has seen it, or has dialled again
            before = None
        if before is not None and _answers_push(message, exchange, before):
            before.conclude(Fate.ACCEPTED)
            self._forget(before)
            before = None
        if message.kind is Kind.NOTIFIED:
            self._metrics.answers.inc()  # a notification is over as soon as it is seen
        elif message.kind in _OVER and repeated:
            self._metrics.duplicates.inc()
        elif message.kind in _OVER:
            self._aborted(exchange, before if before is None or exchange.is_of(before) else None, _OVER[message.kind])
        elif before is None:
            self._take(exchange, message, repeated)
        elif message.kind is Kind.BEGIN and not exchange.repeats(before):
            if repeated:
                self._metrics.duplicates.inc()  # of what the number has gone past
            else:
                self._overtake(before)
                self._take(exchange, message, repeated)
        elif exchange.is_of(before):
            self._metrics.duplicates.inc()
            before.following = (exchange, message, repeated)
            self._say_again(before, exchange.bind)
        elif link.name == before.link.name:
            self._turn_away(exchange)
        else:
            self._metrics.duplicates.inc()

    def _aborted(self, exchange: Exchange, before: Exchange | None, cause: str) -> None:
        self._metrics.aborts.inc()
        self._overtake(before)
        self._work.begin(self._turns.hang_up(exchange.msisdn, exchange.link, cause, exchange.thread.reference))

    def _turn_away(self, exchange: Exchange) -> None:
        """An answer to an old dialogue, while another of the number is being worked on."""
        self._metrics.answers.inc()
        exchange.reply = self._turns.own_words("dial_again", exchange.link)
        exchange.alone = True
        self._send(exchange)

    def _say_again(self, before: Exchange, bind: Bind) -> None:
        """The screen of `before` leaves once more, on this bind. What waits for room there leaves in its turn."""
        if before.reply is None or before.pushed is not None:
            return
        for busy, waiting in self._waiting.items() if before.waits else ():
            if before in waiting:
                if busy is bind:
                    return
                waiting.remove(before)
                before.waits = before.has_waited = False
                break
        before.bind = bind
        self._send(before)

    def _take(self, exchange: Exchange, message: Message, repeated: bool) -> None:
        self._binds.heard(exchange.msisdn, exchange.bind)
        (self._metrics.begins if message.kind is Kind.BEGIN else self._metrics.answers).inc()
        self._exchanges[exchange.msisdn] = exchange
        exchange.taking = Taking(self._turns, _request(exchange, message, repeated))
        self._work.begin(self._serve(exchange, exchange.taking))

    def is_busy(self, msisdn: str) -> bool:
        """Whether a message of the number is being worked on here, or a screen is on its way to it."""
        before = self._exchanges.get(msisdn)
        return before is not None and (before.reply is None or before.dead_at >= self._now())

    def standing(self, msisdn: str, link: str, age_seconds: float) -> Standing:
        """How it stands with the number's last input here, for the process that has heard the next one, so many
        seconds ago."""
        before = self._exchanges.get(msisdn)
        if before is None or before.link.name != link:
            now = self._now()
            accepted_at = self._accepted.when((msisdn, link), now)
            came_before = accepted_at is not None and now - age_seconds < accepted_at
            return Standing.WORKING if came_before else Standing.SETTLED
        if before.reply is None:
            return Standing.WORKING
        unseen = before.pushed is None and before.dead_at >= self._now()
        return Standing.UNSEEN if unseen else Standing.SETTLED

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
                Begin(exchange.msisdn, link, first, exchange.mark, exchange.until, exchange.thread.reference),
            )
            self._work.begin(self._serve(exchange, exchange.taking))
        return pushed

    async def _serve(self, exchange: Exchange, taking: Taking) -> None:
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
            self._send(exchange)

    def _overtake(self, exchange: Exchange | None) -> None:
        if exchange is not None:
            exchange.overtaken = True
            exchange.conclude(Fate.OVERTAKEN)
            self._forget(exchange)

    def _forget(self, exchange: Exchange) -> None:
        if self._exchanges.get(exchange.msisdn) is exchange:
            del self._exchanges[exchange.msisdn]

    # --- screens --------------------------------------------------------------------------------------------------

    def _send(self, exchange: Exchange) -> bool:
        """Sends the exchange's screen; False when it cannot be sent at all. One that waits for room is sent later."""
        link, reply = exchange.link, exchange.reply
        bind = self._binds.for_screen(exchange.bind, link)
        if bind is None or reply is None:
            self._lost(exchange)
            return False
        text = reply.again if reply.again and exchange.sent else reply.text
        try:
            bind.send(
                over_smpp.screen_pdu(
                    text, reply.ends, exchange.msisdn, exchange.code, link.dialect, link.role, exchange.thread,
                    exchange.pushed is not None,
                ),
                exchange,
            )  # fmt: skip
        except WindowFull as error:
            self._wait(exchange, bind, error)
            return True
        except (WrongState, ValueError):  # the bind ends, or the link's dialect has a field that cannot be written
            self._lost(exchange)
            return False
        exchange.sent = True
        exchange.on_its_way += 1
        self._metrics.screens_sent.inc()
        return True

    def _lost(self, exchange: Exchange) -> None:
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
        if response is None:
            self._metrics.screens_expired.inc()
            exchange.conclude(Fate.SILENT)
        elif response.command_status:
            self._metrics.screens_refused.inc()
            exchange.conclude(Fate.REFUSED, response.command_status)
            self._not_pushed(exchange)
        elif exchange.pushed is not None:
            self._push_accepted(exchange, response)
        if response is not None and not response.command_status:
            self._accepted.note((exchange.msisdn, exchange.link.name), self._now())
        if exchange.on_its_way <= 0 or (response is not None and not response.command_status):
            self._forget(exchange)
        self.send_waiting(bind)

    def _wait(self, exchange: Exchange, bind: Bind, error: WindowFull) -> None:
        """The screen leaves when a place in the window is free, or when the rate has room."""
        if not exchange.waits:
            exchange.waits = True
            waiting = self._waiting.setdefault(bind, deque())
            (waiting.appendleft if exchange.has_waited else waiting.append)(exchange)
            exchange.has_waited = True
        if isinstance(error, TooFast) and bind not in self._rated:
            self._rated.add(bind)
            asyncio.get_running_loop().call_later(error.wait_seconds, self._rate_has_room, bind)

    def _rate_has_room(self, bind: Bind) -> None:
        self._rated.discard(bind)
        self.send_waiting(bind)
        if self._waiting.get(bind) and bind not in self._rated:  # one has gone, and the next waits for its turn
            self._rated.add(bind)
            asyncio.get_running_loop().call_later(RATE_LOOK_SECONDS, self._rate_has_room, bind)

    def send_waiting(self, bind: Bind) -> None:
        """There may be room on this bind: a request of ours was answered, or the rate has room."""
        waiting = self._waiting.get(bind)
        while waiting:
            following = waiting.popleft()
            following.waits = False
            if not self._stands(following):
                continue  # overtaken meanwhile
            if following.dead_at < self._now():
                self._lost(following)
            elif self._send(following):
                return

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
        """A bind has ended: what waited for room on it tries another of its link."""
        for exchange in self._waiting.pop(bind, ()):
            exchange.waits = exchange.has_waited = False
            if self._stands(exchange):
                self._send(exchange)

    # --- time -----------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Apologises for turns past their deadline, for as long as the engine runs."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._work.count()
            now = self._now()
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
                self._send(exchange)


def _answers_push(message: Message, exchange: Exchange, before: Exchange) -> bool:
    """Whether this says that the first screen of a push has been seen, though its acceptance has not come yet."""
    seen = message.kind in (Kind.REPLY, Kind.UNKNOWN, Kind.NOTIFIED)
    return seen and before.pushed is not None and before.sent and exchange.is_of(before)


def _request(exchange: Exchange, message: Message, repeated: bool) -> Begin | Answer:
    """What is asked of the turn."""
    link, reference = exchange.link, exchange.thread.reference
    dialled = None if message.kind is Kind.REPLY else over_smpp.dialled(message, link.dialect)
    if not exchange.code and dialled is not None:
        exchange.code = f"*{dialled.parts[0]}#"[: over_smpp.CODE_CHARACTERS_MAX]
    msisdn, mark, until = exchange.msisdn, exchange.mark, exchange.until
    sameness = Sameness(
        repeated, exchange.like, exchange.thread.sequence if message.counted else None, exchange.started
    )
    if message.kind is Kind.BEGIN:
        return Begin(msisdn, link, dialled, mark, until, reference, sameness)
    return Answer(msisdn, link, message.text, mark, until, dialled, reference, sameness)
