"""One engine process of a run: the parts of `ussd_engine.app`, wired as there, over a world that is made up.

Real is everything from the octets of a connection to the ports of a turn. Made up are the store, the core, the wires
and the hash of a password; what writes files, serves HTTP or watches folders is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from billing.notices import Notice
from smpp.errors import WindowFull
from smpp.limits import Limits
from smpp.link import Link as SmppLink
from smpp.listen import AcceptedLink, Listener
from smpp.pdu import BindPdu, BindTransceiver, Pdu
from smpp.upstream import Upstream
from ussd_engine.accounts import Accounts
from ussd_engine.announce import Announcer
from ussd_engine.asking_on import AskingOn
from ussd_engine.binds import Binds
from ussd_engine.chronicle import Chronicle
from ussd_engine.config import Link, Settings
from ussd_engine.dialect import Kind
from ussd_engine.dialogues import Dialogues
from ussd_engine.exchange import Exchange
from ussd_engine.greeting import Greetings
from ussd_engine.language.catalog import Catalog
from ussd_engine.link_states import LinkStates
from ussd_engine.metrics import Metrics
from ussd_engine.outbox import Outbox
from ussd_engine.over_smpp import Message
from ussd_engine.peer_config import ClientLink
from ussd_engine.reception import Reception
from ussd_engine.recordings import Recordings
from ussd_engine.sms_turn import SmsTurns
from ussd_engine.trace import Traces
from ussd_engine.turn import Ports, Turns
from ussd_engine.versions import Versions
from ussd_engine.witness import EngineWitness
from ussd_engine.work import Work

from .core import CoreClient
from .judge import Judge
from .loop import Chance, Process
from .peers import PASSWORD
from .store import StoreClient
from .wire import Reactor, Wire

if TYPE_CHECKING:
    from .world import World

STOP_SECONDS_MAX = 20.0
FIRST_MOMENT = 1_800_000_000.0
"""The wall clock when a run begins: seconds since 1970."""


class _Doorkeeper(Accounts):
    """Accounts whose passwords are not hashed: argon2 works in a thread, and takes its time."""

    async def _evaluate(self, system_id: str, password: str, peer_ip: str) -> bool:
        return password == PASSWORD


class _SeenBinds(Binds):
    """Binds over which the judge sees what is sent, and about what."""

    def __init__(self, judge: Judge, process: Process) -> None:
        super().__init__()
        self._judge = judge
        self._process = process

    def add(self, bind: SmppLink, link: Link) -> None:
        super().add(bind, link)
        sends = bind.send
        wire = cast(Wire, bind.transport)

        def send(pdu: Pdu, context: object = None, seconds_max: float | None = None) -> None:
            if not self._process.is_alive:
                return
            try:
                sends(pdu, context, seconds_max)
            except WindowFull:
                if isinstance(context, Exchange):
                    self._judge.waits(context.msisdn)
                raise
            wire.said.append(context)
            if isinstance(context, Exchange) and context.reply is not None:
                reply = context.reply
                self._judge.sent(context, reply.again if reply.again and context.sent else reply.text, reply.ends)

        vars(bind)["send"] = send


class _SeenDialogues(Dialogues):
    """Dialogues of which the judge hears what they hear."""

    judge: Judge

    def heard(self, bind: SmppLink, link: Link, message: Message) -> None:
        mark = f"{link.name if message.counted else bind.name}/{message.mark}"
        if message.kind in (Kind.ABORT, Kind.NETWORK_ABORT):
            mark = f"{mark}/over"
        self.judge.heard(mark, message.msisdn or "", message.kind, link)
        super().heard(bind, link, message)


class _Log:
    """Histories are looked at, and not kept."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def append(self, entries: list[tuple[str, bytes]]) -> None:
        for _, octets in entries:
            self._judge.written("a history", octets.decode(errors="replace"))


class Engine:
    """One process, from its start to its end."""

    def __init__(self, world: World, process: Process, settings: Settings, catalog: Catalog, metrics: Metrics) -> None:
        self.process = process
        self._world = world
        self._settings = settings
        self._metrics = metrics
        self._loop = loop = world.loop
        self._chance = chance = Chance(world.seed, process.name)
        self.is_stopping = False
        store = self._store = StoreClient(world.memory, process, loop, chance, world.weather, world.trace)
        billing = self._billing = CoreClient(
            world.core, process, loop, chance, world.weather, world.trace, world.judge
        )  # fmt: skip
        idle_seconds = settings.engine.sessions.idle_seconds
        self._versions = Versions(catalog, store, loop.time, idle_seconds)
        self._chronicle = Chronicle(None, _Log(world.judge), store, metrics, self.wall_clock, idle_seconds)
        self._binds = _SeenBinds(world.judge, process)
        self._work = Work(metrics, settings.engine.turns_in_flight_max)
        self._asking_on = AskingOn(billing, self._work)
        self._ports = self._make_ports()
        turns = Turns(self._ports)
        self._dialogues = _SeenDialogues(turns, self._binds, self._work, metrics)
        self._dialogues.judge = world.judge
        self._outbox = Outbox(
            self._binds, settings.engine.routes, metrics, loop.time, self.wall_clock, self._chronicle.sms
        )
        self._announcer = Announcer(self._versions, settings.engine.networks, self._outbox, self.wall_clock)
        self._reception = self._make_reception(turns)
        self._listener = Listener(self._reception, Limits(), "ussd", loop, None)
        self._upstreams = self._dials()
        for work in (self._dialogues.sweep(), self._chronicle.keep_on(), self._versions.keep_on()):
            loop.create_task(work)

    def wall_clock(self) -> float:
        """Seconds since 1970."""
        return FIRST_MOMENT + self._loop.time()

    def _make_ports(self) -> Ports:
        billing = self._settings.engine.billing
        greetings = Greetings(
            self._billing, self._loop.time, self._world.new_id, billing.hello_seconds, billing.hello_cache_seconds,
            billing.hello_cache_numbers_max, self._metrics.call_made,
        )  # fmt: skip
        witness = EngineWitness(self._metrics, self._chronicle, Recordings(self._loop.time))
        return Ports(
            self._versions, self._store, self._billing, greetings, witness, self._loop.time, self.wall_clock,
            self._world.new_id, self._settings.engine.sessions.idle_seconds, self.process.name, self._asking_on.ask,
        )  # fmt: skip

    def _make_reception(self, turns: Turns) -> Reception:
        links = self._settings.links
        states = LinkStates(links, self._loop.time, self.wall_clock)
        self._bind_pdus: dict[str, BindPdu] = {
            name: BindTransceiver(system_id=link.config.system_id, password=PASSWORD, interface_version=0x34)
            for name, link in links.items()
            if isinstance(link.config, ClientLink)
        }
        return Reception(
            self._dialogues, SmsTurns(self._ports, turns), self._outbox, self._binds, links, self._chronicle,
            _Doorkeeper(links, self._loop.time), self._work, self._metrics, states,
            Traces(self._binds, self._loop.time), self._bind_pdus, self.process.name,
        )  # fmt: skip

    def _dials(self) -> list[Upstream]:
        reactor = Reactor(self.process, self._loop, self._chance, self._world.takes).as_twisted
        upstreams = []
        for name, pdu in self._bind_pdus.items():
            link = self._settings.links[name]
            assert isinstance(link.config, ClientLink)  # noqa: S101 - only those have one
            address = link.config.address
            upstreams.append(
                Upstream(
                    reactor, name, address.host, address.port, pdu, self._reception, link.limits,
                    binds=link.config.binds, random=self._chance.draw, clock=self.wall_clock,
                )
            )  # fmt: skip
        for each in upstreams:
            each.start()
        return upstreams

    # --- for the world ---

    def takes_connection(self) -> AcceptedLink | None:
        """A peer connects."""
        return self.process.run(self._listener.buildProtocol, Wire(self.process, self._loop, self._chance).getPeer())

    def tells(self, notice: Notice) -> asyncio.Task[str]:
        """The core hands a notice over."""

        async def tell() -> str:
            return await self._announcer.tell(notice)

        return self.process.run(self._loop.create_task, tell())

    def kill(self) -> None:
        """Ends it between two instructions: nothing is said to anybody."""
        self.process.kill()

    async def stop(self) -> None:
        """Ends it in order, as `app` does."""
        self.is_stopping = True
        await self._work.drain(STOP_SECONDS_MAX, lambda: self._dialogues.has_work)
        await asyncio.gather(self._listener.close(), *(each.close() for each in self._upstreams))
        self._asking_on.stop()

    def left(self) -> dict[str, Any]:
        """What of its work is not done."""
        parts: dict[str, Callable[[], Any]] = {
            "exchanges": lambda: self._dialogues._exchanges,
            "screens that wait": lambda: {bind: each for bind, each in self._dialogues._waiting.items() if each},
            "timers for rates": lambda: self._dialogues._rated,
            "turns in flight": lambda: self._work._tasks,
            "questions": lambda: self._asking_on.count,
            "open dialogues": lambda: self._chronicle._open,
            "SMS that are worked on": lambda: self._reception._sms_working,
            "SMS that are sent": lambda: [each for each, turn in self._outbox._turns.items() if turn.locked()],
            "requests in flight": lambda: {k: each for k, each in self._binds.in_flight().items() if each},
        }
        return {name: part() for name, part in parts.items() if part()}
