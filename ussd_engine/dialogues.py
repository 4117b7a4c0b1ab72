"""Dialogues as they go over the wire: one answer per prompt, screens on their way, what is a repeat and what is late.

Rules of this file (a shell around `turn`):
- While a number's turn is being worked on, its further answers are duplicates; until the peer has accepted our
  screen, a further answer gets the same screen again. A new begin takes the number over.
- A message is walked once. One that comes again gets its screen, and nothing once others have come since (`repeats`).
- A dialogue that ended with an apology, is over, whatever the store has of it: what is said to it later
  is told so, and what was apologised for gets its apology again.
- A screen leaves on the bind on which its input came; if that is gone or cannot carry it, on another of the same link.
- What another link says of a number touches no dialogue of this one; nor does what bears another session number, where
  the dialect has one: it belongs to a dialogue that is gone.
- A turn that outlives its deadline is apologised for once, and its own screen is never sent.
- A push begins a dialogue from our side. Its first screen is never sent twice: the peer would begin two. An answer to
  it says that it was accepted, also where the response comes later.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from smpp.errors import TooFast, WindowFull, WrongState
from smpp.pdu import Pdu

from . import over_smpp
from .binds import Binds
from .config import Link
from .dial_string import Dialled
from .dialect import Kind
from .exchange import Exchange, Fate, GivenUp, Pushed
from .metrics import Metrics
from .over_smpp import Message
from .record import NETWORK_ABORT, USER_ABORT
from .repeats import NUMBERS_MAX, Repeat, Repeats
from .taking import Taking
from .turn import NOTHING_OVER, Answer, Begin, Over, Reply, Turns
from .work import Work

if TYPE_CHECKING:
    from smpp.link import Link as Bind

LATE_SECONDS = 0.25
"""So long after its deadline a turn is apologised for."""
SWEEP_SECONDS = 0.25
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
        self._waiting: dict[Bind, deque[Exchange]] = {}
        self._repeats = Repeats()
        self._given_up: OrderedDict[str, GivenUp] = OrderedDict()
        """By number, what was apologised for last."""
        self._rated: set[Bind] = set()
        """Binds for whose rate a timer runs."""

    @property
    def has_work(self) -> bool:
        """Whether a message waits for its screen, or a screen for its acceptance."""
        return bool(self._exchanges)

    def heard(self, bind: Bind, link: Link, message: Message) -> None:
        """A message of a dialogue, accepted on the wire."""
        exchange = Exchange(bind, link, message, self._now())
        said = exchange.mark + "/over" * (message.kind in _OVER)  # one count can stand for an answer and for an abort
        repeat = self._repeats.hears(exchange.msisdn, said, exchange.started)
        if repeat is Repeat.OUTDATED or (repeat is Repeat.AGAIN and message.kind in _OVER):
            self._metrics.duplicates.inc()
            return
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
        elif message.kind in _OVER:
            self._aborted(exchange, before if before is None or exchange.is_of(before) else None, _OVER[message.kind])
        elif before is None or _gives_way(before, exchange, message):
            if not self._is_told_again(exchange):
                self._take(exchange, before, message, again=repeat is Repeat.AGAIN)
        elif exchange.is_of(before):
            self._metrics.duplicates.inc()
            if before.reply is not None and before.pushed is None:
                self._send(before)
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

    def _take(self, exchange: Exchange, before: Exchange | None, message: Message, *, again: bool) -> None:
        self._overtake(before)
        self._binds.heard(exchange.msisdn, exchange.bind)
        kinds = self._metrics.begins if message.kind is Kind.BEGIN else self._metrics.answers
        (self._metrics.duplicates if again else kinds).inc()
        self._exchanges[exchange.msisdn] = exchange
        request = _request(exchange, message)._replace(again=again)
        if isinstance(request, Answer):
            request = request._replace(over=self._over(exchange))
        exchange.taking = Taking(self._turns, request)
        self._work.begin(self._serve(exchange, exchange.taking))

    def _is_told_again(self, exchange: Exchange) -> bool:
        """Whether this was apologised for before it came again: then it gets the apology again, and is not walked."""
        given_up = self._given_up.get(exchange.msisdn)
        if given_up is None or given_up.exchange.mark != exchange.mark or given_up.is_old(exchange.started):
            return False
        self._metrics.duplicates.inc()
        exchange.reply = given_up.exchange.reply
        exchange.remember(given_up.exchange)
        exchange.alone = True
        self._send(exchange)
        return True

    def _over(self, exchange: Exchange) -> Over:
        """What of the number is over, whatever the store has of it."""
        given_up = self._given_up.get(exchange.msisdn)
        if given_up is None or not exchange.is_of(given_up.exchange) or given_up.is_old(exchange.started):
            return NOTHING_OVER
        return given_up.over

    def _give_up(self, exchange: Exchange) -> None:
        """The dialogue is over for who holds the phone: an apology is on its way."""
        ports, taking = self._turns.ports, exchange.taking
        began = ports.wall_clock() - (self._now() - exchange.started)
        self._given_up[exchange.msisdn] = GivenUp(exchange, Over(taking.session_id if taking else "", began))
        self._given_up.move_to_end(exchange.msisdn)
        if len(self._given_up) > NUMBERS_MAX:
            self._given_up.popitem(last=False)

    def is_busy(self, msisdn: str) -> bool:
        """Whether a message of the number is being worked on here, or a screen is on its way to it."""
        before = self._exchanges.get(msisdn)
        return before is not None and (before.reply is None or before.dead_at >= self._now())

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
            exchange.conclude(Fate.OVERTAKEN)
            self._forget(exchange)
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
        """The peer's word on a screen; None: it gave none in time, or is gone. A screen is never sent again for it."""
        if response is None:
            self._metrics.screens_expired.inc()
            exchange.conclude(Fate.SILENT)
        elif response.command_status:
            self._metrics.screens_refused.inc()
            exchange.conclude(Fate.REFUSED, response.command_status)
            self._not_pushed(exchange)
        elif exchange.pushed is not None:
            self._push_accepted(exchange, response)
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
                self._give_up(exchange)
                self._send(exchange)


def _gives_way(before: Exchange, exchange: Exchange, message: Message) -> bool:
    """Whether this is worked on at once: a new begin; or a new answer, while only something is looked up that came
    again."""
    if before.mark == exchange.mark:
        return False
    only_again = before.reply is None and before.taking is not None and before.taking.again
    return message.kind is Kind.BEGIN or (only_again and exchange.is_of(before))


def _answers_push(message: Message, exchange: Exchange, before: Exchange) -> bool:
    """Whether this says that the first screen of a push has been seen, though its acceptance has not come yet."""
    seen = message.kind in (Kind.REPLY, Kind.UNKNOWN, Kind.NOTIFIED)
    return seen and before.pushed is not None and before.sent and exchange.is_of(before)


def _request(exchange: Exchange, message: Message) -> Begin | Answer:
    """What is asked of the turn."""
    link, reference = exchange.link, exchange.thread.reference
    dialled = None if message.kind is Kind.REPLY else over_smpp.dialled(message, link.dialect)
    if not exchange.code and dialled is not None:
        exchange.code = f"*{dialled.parts[0]}#"[: over_smpp.CODE_CHARACTERS_MAX]
    if message.kind is Kind.BEGIN:
        return Begin(exchange.msisdn, link, dialled, exchange.mark, exchange.until, reference)
    return Answer(exchange.msisdn, link, message.text, exchange.mark, exchange.until, dialled, reference)
