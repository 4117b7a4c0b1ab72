"""A USSD centre that speaks any dialect over real SMPP: the engine binds to it, or it binds to the engine."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from smpp import constants
from smpp.dial import dial
from smpp.limits import Limits
from smpp.link import Link
from smpp.listen import Listener, listen
from smpp.pdu import BindPdu, BindTransceiver, DataSm, DeliverSm, Pdu, SubmitSm, Tlv, answer
from smpp.reactor import reactor_on
from smpp.states import Role
from stack.settings import Listen
from ussd_engine import centre_side
from ussd_engine.centre_side import Shown
from ussd_engine.dialect import Dialect, Kind


@dataclass
class SpeakingCentre:
    """One centre with one bind. `screens` and `pdus`: what has come, by number. `allots`: TLVs of its responses to
    screens, in which a centre names the session that a push has begun."""

    dialect: Dialect
    role: Role
    screens: defaultdict[str, asyncio.Queue[Shown]] = field(default_factory=lambda: defaultdict(asyncio.Queue))
    pdus: defaultdict[str, list[Pdu]] = field(default_factory=lambda: defaultdict(list))
    statuses: list[int] = field(default_factory=list)
    allots: tuple[Tlv, ...] = ()
    accepts: bool = True
    status: int = constants.ESME_ROK
    sessions: int = 256
    link: Link | None = None
    listener: Listener | None = None
    is_bound: asyncio.Event = field(default_factory=asyncio.Event)

    async def dial(self, engine: Listen, system_id: str, password: str = "secret") -> None:
        request = BindTransceiver(system_id=system_id, password=password, interface_version=0x34)
        self.link = await dial(
            reactor_on(asyncio.get_running_loop()), engine.host, engine.port, request, self, Limits()
        )
        self.is_bound.set()

    async def listen(self, port: int) -> None:
        reactor = reactor_on(asyncio.get_running_loop())
        self.listener = await listen(reactor, "127.0.0.1", port, self, Limits(unbind_answer_seconds=1))

    async def close(self) -> None:
        if self.listener is not None:
            await self.listener.close()
        elif self.link is not None:
            self.link.close("the test is over")
            await asyncio.sleep(0.02)

    def telephone(self, number: str) -> Telephone:
        return Telephone(self, number)

    def say(self, kind: Kind, number: str, code: str, text: str, session: bytes) -> None:
        pdu = centre_side.said(kind, number, code, text, self.dialect, session, self.role)
        assert pdu is not None, f"{self.dialect.dialect} has no word for {kind}"
        self.send(pdu)

    def send(self, pdu: Pdu) -> None:
        assert self.link is not None
        self.link.send(pdu)

    # --- for the link ---

    def connected(self, peer_ip: str) -> bool:
        return True

    async def bind(self, link: Link, request: BindPdu) -> int:
        return constants.ESME_ROK

    def bound(self, link: Link) -> None:
        self.link = link
        self.is_bound.set()

    def request(self, link: Link, pdu: Pdu) -> None:
        assert isinstance(pdu, SubmitSm | DeliverSm | DataSm)
        response = answer(pdu, self.status)
        if self.accepts and response is not None:
            link.respond(pdu, self.status or response._replace(tlvs=self.allots))  # type: ignore[attr-defined]
        shown = centre_side.heard(pdu, self.dialect)
        assert shown is not None
        self.pdus[shown.number].append(pdu)
        self.screens[shown.number].put_nowait(shown)

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None:
        self.statuses.append(-1 if response is None else response.command_status)

    def quirk(self, link: Link, kind: str) -> None: ...

    def gone(self, link: Link, reason: str) -> None:
        self.is_bound.clear()


class Telephone:
    """A subscriber's, at this centre."""

    def __init__(self, centre: SpeakingCentre, number: str) -> None:
        self.centre = centre
        self.number = number
        self.code = "*111#"
        self.session = b""

    async def dial(self, text: str, code: str = "*111#") -> Shown:
        self.begin(text, code)
        return await self.screen()

    def begin(self, text: str, code: str = "*111#") -> None:
        self.centre.sessions += 1
        self.code, self.session = code, centre_side.new_session(self.centre.sessions, self.centre.dialect)
        self._say(Kind.BEGIN, text)

    async def send(self, text: str) -> Shown:
        self._say(Kind.REPLY, text)
        return await self.screen()

    def hang_up(self) -> None:
        self._say(Kind.ABORT, "")

    def confirm(self) -> None:
        self._say(Kind.NOTIFIED, "")

    async def screen(self, seconds: float = 5.0) -> Shown:
        shown = await asyncio.wait_for(self.centre.screens[self.number].get(), seconds)
        self.session = shown.session or self.session
        return shown

    async def hears_nothing(self, seconds: float = 0.3) -> None:
        await asyncio.sleep(seconds)
        assert self.centre.screens[self.number].empty()

    def _say(self, kind: Kind, text: str) -> None:
        self.centre.say(kind, self.number, self.code, text, self.session)


def with_dialect_links(config: str, ports: dict[str, int], password_file: str) -> str:
    """The text of `config.yaml` with a link a dialect and role more."""
    head = "\n  links: "
    at = config.index("\n", config.index(head) + 1)
    password_hash = config[config.index('"$argon2id$') :].split('"')[1]
    more = "".join(
        f"""
    they-{name}: {{role: server, network: kcell, dialect: {name}, trust: operator, system_id: {name}, demo: true,
      floods: {{starts_a_minute_max: 0, starts_an_hour_max: 0}},
      allowed_from: [127.0.0.1/32], password_hash: "{password_hash}"}}
    we-{name}: {{role: client, network: kcell, dialect: {name}, trust: operator, system_id: engine,
      floods: {{starts_a_minute_max: 0, starts_an_hour_max: 0}},
      address: "127.0.0.1:{port}", password_file: {password_file}}}"""
        for name, port in ports.items()
    )
    return config[:at] + more + config[at:]
