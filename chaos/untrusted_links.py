"""Links that are not trusted to say whose number it is: over them nobody moves money, types a PIN or uses a code.

First proved on the compiled menus, by walking all of them as such a link would; then tried over SMPP, where what counts
is what the core was asked to do.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from billing.calls import Done, NotMade, Outcome, Refused, Unknown
from billing.contract import OPERATIONS
from chaos.siege import PASSWORD, UNTRUSTED, Siege, number
from sessions.session import Session
from smpp import constants as c
from smpp.dial import dial
from smpp.fake_smsc import NotServed
from smpp.limits import Limits as LinkLimits
from smpp.link import Link
from smpp.pdu import BindTransceiver, DeliverSm, DeliverSmResp, Pdu, SubmitSm, Tlv, find_tlv
from smpp.reactor import reactor_on
from smpp.text import decode_text
from ussd_engine.compiler import job_of, terms_of
from ussd_engine.config import read_settings
from ussd_engine.language import check_trust, crawl_inputs, sample, walk
from ussd_engine.language.catalog import check_files
from ussd_engine.language.examine import Terms as MenuTerms
from ussd_engine.language.leads import calls_of
from ussd_engine.language.menu import CALLS_MAX, WITH_OPTIONS, AskScreen, Service, serves
from ussd_engine.language.menu_parts import TRUSTS
from ussd_engine.language.pages import SMS_LIMITS, Limits
from ussd_engine.language.walk import Make, Show, Step, Terms
from ussd_engine.menu_folder import read_folder

WALKS: Final = 1_500
"""Dialogues over SMPP at random."""
PRESSES: Final = 8
FIRST_NUMBER: Final = 140
NUMBERS: Final = 40
STATES_MAX: Final = 3_000
SCREEN_SECONDS_MAX: Final = 5.0
SMS: Final = (("111", "BAL"), ("111", "LANG RU"), ("4259", "12345678"), ("4259", "STOP 7010000001"))
MONEY_PIN_OR_CODE: Final = (("megacom", "*900#", ("1", "1", "0555000001", "100", "1234")),)
_OPTION: Final = re.compile(r"^([0-9]{1,2}) ", re.MULTILINE)
_USSD: Final = frozenset({c.USSD_USSR_REQUEST, c.USSD_PSSR_RESPONSE})


async def run(siege: Siege) -> None:
    """The proof, the crawl and the hijack of dialogues that others have begun."""
    await asyncio.to_thread(proved, siege)
    phones = {account: Phone(siege, network, account) for (_, network), account in UNTRUSTED.items()}
    for phone in phones.values():
        await phone.bind()
    chance = siege.terms.chance("untrusted")
    walks = siege.terms.times(WALKS, len(phones))
    shares = [walks // len(phones)] * len(phones)
    await asyncio.gather(*(_walk(phone, share, chance) for phone, share in zip(phones.values(), shares, strict=True)))
    await hijacked(siege, phones["none-megacom"])
    await _look_at_the_core(siege)
    for phone in phones.values():
        phone.unbind()
    siege.report.figures["dialogues over untrusted links"] = sum(shares)


# --- on the compiled menus --------------------------------------------------------------------------------------------


def proved(siege: Siege) -> None:
    """Walks every service over a link of each trust: what it is made to ask for."""
    job = job_of(read_settings(siege.stand.config))
    terms, folder = terms_of(job), read_folder(siege.stand.folder / "menus")
    checked = check_files(folder.menus, folder.name, terms.networks, terms.dialects)
    siege.check(not checked.mistakes, f"the menus have mistakes: {checked.mistakes[:1]}")
    catalog = checked.catalog
    steps = [do for service in catalog.services.values() for screen in service.screens.values()
             for do in calls_of(screen) if OPERATIONS[do.call].needs_trust]  # fmt: skip
    named, figures = {do.call for do in steps}, siege.report.figures
    figures["steps that change something or take a secret"] = len(steps)
    for service in catalog.services.values():
        for mistake in check_trust.untrusted_calls(service):
            siege.check(False, str(mistake))
    for trust in reversed(TRUSTS):
        made: set[str] = set()
        for service in catalog.services.values():
            for network in terms.networks:
                if serves(service, network):
                    made |= _Walks(service, network, trust, terms).made()
        forbidden = {name for name in made if OPERATIONS[name].needs_trust}
        figures[f"such operations walked to over a link of trust {trust}"] = len(forbidden)
        if trust == TRUSTS[-1]:
            siege.check(forbidden == named, f"these walks meet nothing of {sorted(named - forbidden)}")
        else:
            siege.check(not forbidden, f"over a link of trust {trust}: {sorted(forbidden)}")


class _State(NamedTuple):
    session: Session
    terms: Terms


class _Walks:
    """Everything that can be pressed in a service, over one link; a state is a screen and what the session knows."""

    def __init__(self, service: Service, network: str, trust: str, terms: MenuTerms) -> None:
        self._service = service
        self._network = network
        limits = SMS_LIMITS if service.sms else Limits()
        self._terms = Terms(limits, *terms.networks[network], trust=trust)
        self._made: set[str] = set()
        self._known: set[object] = set()
        self._ahead: deque[Session] = deque()
        self._samples = [sample.Sample(profile) for profile in sample.PROFILES[:2]]

    def made(self) -> set[str]:
        """The operations that were asked for."""
        service = self._service
        language = next(iter(service.languages))
        session = Session(
            id="00000000-0000-4000-8000-000000000000", msisdn="77010000007", link="", reference="", status="active",
            network=self._network, brand="Kcell", language=language, service=service.id, menu=service.version,
            started_at=1_764_000_000.0, at=1_764_000_000.0,
        )  # fmt: skip
        for step in self._begins(session):
            self._follow(step)
        while self._ahead and len(self._known) < STATES_MAX:
            at = self._ahead.popleft()
            for text in self._inputs(at):
                self._follow(walk.answer(service, at, text, self._terms))
        return self._made

    def _begins(self, session: Session) -> Iterator[Step]:
        service = self._service
        if service.sms:
            texts = ["?", *(text for pattern in service.sms.patterns for text in crawl_inputs.texts_of(pattern))]
            yield from (walk.take_sms(service, session, text, self._terms) for text in texts)
        elif service.start:
            for go in dict.fromkeys(code.go for code in service.dial if not code.is_promise):
                yield walk.begin(service, session, (), self._terms, go)

    def _follow(self, step: Step) -> None:
        """Every outcome of every call on the way, down to screens."""
        ahead = [(step, 0)]
        while ahead:
            each, calls = ahead.pop()
            if isinstance(each, Make):
                self._made.add(each.call.operation)
                if calls < CALLS_MAX:
                    following = partial(walk.resume, self._service, each.session)
                    ahead += [(following(outcome, self._terms), calls + 1) for outcome in self._outcomes(each)]
            elif not each.ends:
                self._put(each)

    def _put(self, shown: Show) -> None:
        session = shown.session
        state = (session.screen, session.first, session.acting_for, frozenset(session.values))
        if state not in self._known:
            self._known.add(state)
            self._ahead.append(session)

    def _outcomes(self, make: Make) -> Iterator[Outcome]:
        operation = OPERATIONS[make.call.operation]
        for made_up in self._samples:
            yield from (Done(each) for each in made_up.variants(operation.results))
        yield from (Refused(code, {}) for code in operation.refusals)
        yield from (Unknown(""), NotMade(""))

    def _inputs(self, session: Session) -> Iterator[str]:
        screen, keys = self._service.screens[session.screen], self._service.keys
        yield from (keys.back, keys.home, keys.more)
        if isinstance(screen, WITH_OPTIONS):
            yield from (option.key for option in screen.options)
        elif isinstance(screen, AskScreen):
            yield from crawl_inputs.typed(screen.checks)
        else:
            yield from ("1", "2", "8")


# --- over SMPP --------------------------------------------------------------------------------------------------------


class Phone:
    """Handsets behind a link of no trust, one dialogue at a time."""

    def __init__(self, siege: Siege, network: str, account: str) -> None:
        self.network = network
        self.numbers = range(FIRST_NUMBER, FIRST_NUMBER + NUMBERS)[account.startswith("none") :: 2]
        """Of this phone alone: what is dialled over one link ends what was dialled over another."""
        self.screens: asyncio.Queue[DeliverSm] = asyncio.Queue()
        self._siege = siege
        self._account = account
        self._link: Link | None = None

    async def bind(self) -> None:
        """Binds as the account of the link."""
        smpp = self._siege.smpp
        request = BindTransceiver(system_id=self._account, password=PASSWORD, interface_version=0x34)
        reactor = reactor_on(asyncio.get_running_loop())
        self._link = await dial(reactor, smpp.reached_at, smpp.port, request, self, LinkLimits())

    def unbind(self) -> None:
        """Leaves."""
        if self._link is not None:
            self._link.unbind()

    async def say(self, msisdn: str, text: str, op: int, code: str) -> str:
        """Dials or types; the text of the screen that comes, "" when the dialogue is over. Raises TimeoutError."""
        while not self.screens.empty():
            self.screens.get_nowait()
        self.send(msisdn, text, code, Tlv(c.TAG_USSD_SERVICE_OP, bytes((op,))))
        async with asyncio.timeout(SCREEN_SECONDS_MAX):
            pdu = await self.screens.get()
        tlv = find_tlv(pdu, c.TAG_USSD_SERVICE_OP)
        ended = tlv is None or tlv[0] == c.USSD_PSSR_RESPONSE
        shown: str = decode_text(pdu.short_message, pdu.data_coding, "gsm")
        return "" if ended else shown

    def send(self, msisdn: str, text: str, to: str, *tlvs: Tlv) -> None:
        """A message of a subscriber: of a dialogue with the op, an SMS without one."""
        if self._link is not None:
            service_type = "USSD" if tlvs else ""
            pdu = SubmitSm(
                service_type=service_type, source_addr_ton=1, source_addr_npi=1, source_addr=msisdn,
                destination_addr=to, short_message=text.encode(), tlvs=tlvs,
            )  # fmt: skip
            self._link.send(pdu)

    def request(self, link: Link, pdu: Pdu) -> None:
        link.respond(pdu, DeliverSmResp())
        if isinstance(pdu, DeliverSm) and find_tlv(pdu, c.TAG_USSD_SERVICE_OP) is not None:
            self.screens.put_nowait(pdu)

    def response(self, link: Link, request: Pdu, response: Pdu | None, context: object) -> None: ...
    def quirk(self, link: Link, kind: str) -> None: ...
    def bound(self, link: Link) -> None: ...
    def gone(self, link: Link, reason: str) -> None: ...


async def _walk(phone: Phone, walks: int, chance: random.Random) -> None:
    codes = await asyncio.to_thread(_codes_of, phone)
    numbers = [number(phone.network, at) for at in phone.numbers]
    for at in range(walks):
        msisdn, code = chance.choice(numbers), codes[at % len(codes)]
        try:
            shown = await phone.say(msisdn, code, c.USSD_PSSR_INDICATION, code)
            for _ in range(PRESSES):
                if not shown:
                    break
                shown = await phone.say(msisdn, _pressed(shown, chance), c.USSD_USSR_CONFIRM, code)
        except TimeoutError:
            phone._siege.check(False, f"no screen over {phone._account} for {code}")
        short_number, text = chance.choice(SMS)
        phone.send(msisdn, text, short_number)


def _pressed(shown: str, chance: random.Random) -> str:
    keys: list[str] = _OPTION.findall(shown)
    return chance.choice([*keys, *keys, "1234", "12345678", "7010000001", "0555000001", "100", "1"])


def _codes_of(phone: Phone) -> list[str]:
    """What can be dialled in this network, codes that lead further in among them."""
    folder = read_folder(phone._siege.stand.folder / "menus")
    terms = terms_of(job_of(read_settings(phone._siege.stand.config)))
    services = check_files(folder.menus, folder.name, terms.networks, terms.dialects).services.values()
    heads = {f"*{'*'.join(code.head)}#" for each in services if serves(each, phone.network) for code in each.dial}
    return sorted(heads | {f"{head[:-1]}*{first}*{second}#" for head in heads for first in "123456" for second in "12"})


async def hijacked(siege: Siege, phone: Phone) -> None:
    """A dialogue that was begun over a trusted link and stands at its PIN is not gone on with over another."""
    msisdn = number("megacom", 1)
    handset = siege.stand.centres["megacom"].handset(msisdn)
    before = await handset.dial("*900#")
    for op in (c.USSD_USSR_CONFIRM, c.USSD_USSR_REQUEST, 129):
        for text in ("1", "1234", "0"):
            try:
                shown = await phone.say(msisdn, text, op, "*900#")
            except TimeoutError:
                continue  # nothing is said to what is not theirs
            siege.check(not shown, f"a dialogue was gone on with over a link that is not its own: {shown}")
    try:
        siege.check((await handset.send("0")).text != "", "it is over")
    except NotServed as error:
        siege.check(False, f"another link has ended a dialogue that began with {before.text!r}: {error}")


async def _look_at_the_core(siege: Siege) -> None:
    """What it was asked to do for the numbers that were only spoken for over links without trust."""
    owner = await siege.stand.owner()
    numbers = [number(network, FIRST_NUMBER + at) for _, network in UNTRUSTED for at in range(NUMBERS)]
    rows = await owner.fetch("SELECT operation, count(*) FROM calls WHERE msisdn = ANY ($1) GROUP BY 1", numbers)
    await owner.close()
    asked = {row[0]: row[1] for row in rows}
    forbidden = {name: times for name, times in asked.items() if OPERATIONS[name].needs_trust}
    siege.check(not forbidden, f"over links without trust the core was asked for {forbidden}")
    siege.report.figures["changes asked for over untrusted links"] = asked
