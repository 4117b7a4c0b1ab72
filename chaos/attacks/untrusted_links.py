"""Links that are not trusted to say whose number it is: over them nobody moves money, types a PIN or uses a code.

First proved on the compiled menus (`trust_walks`); then tried over SMPP, where what counts is what the core was asked.
"""

from __future__ import annotations

import asyncio
import random
import re
from functools import partial
from typing import Final

from billing.contract import OPERATIONS
from chaos.attacks import trust_walks
from chaos.attacks.siege import PASSWORD, UNTRUSTED, Siege, number
from chaos.stand import CENTRES
from smpp import constants as c
from smpp.dial import dial
from smpp.fake_smsc import NotServed
from smpp.limits import Limits as LinkLimits
from smpp.link import Link
from smpp.pdu import BindTransceiver, DeliverSm, DeliverSmResp, Pdu, SubmitSm, Tlv, find_tlv
from smpp.reactor import reactor_on
from smpp.text import decode_text
from ussd_engine.language.menu import serves
from ussd_engine.language.menu_file import read_service
from ussd_engine.menu_folder import read_folder

WALKS: Final = 1_500
"""Dialogues over SMPP at random."""
PRESSES: Final = 8
FIRST_NUMBER: Final = 140
NUMBERS: Final = 40
SCREEN_SECONDS_MAX: Final = 5.0
SMS: Final = (("111", "BAL"), ("111", "LANG RU"), ("4259", "12345678"), ("4259", "STOP 7010000001"))
_OPTION: Final = re.compile(r"^([0-9]{1,2}) ", re.MULTILINE)


async def run(siege: Siege) -> None:
    """Proved and tried."""
    await asyncio.gather(proved(siege), tried(siege))


async def proved(siege: Siege) -> None:
    """The proof, in a process of its own: it takes a processor for some seconds."""
    work = partial(trust_walks.proved, whole=siege.terms.scale >= 1)
    menus = str(siege.stand.folder / "menus")
    figures, failures = await siege.apart(work, str(siege.stand.config), menus)
    siege.report.figures |= figures
    siege.report.failures += failures


async def tried(siege: Siege) -> None:
    """Dialogues and SMS at random, and the dialogues of others."""
    phones = {account: Phone(siege, network, account) for (_, network), account in UNTRUSTED.items()}
    for phone in phones.values():
        await phone.bind()
    chance = siege.terms.chance("untrusted")
    walks = siege.terms.times(WALKS, len(phones))
    shares = [walks // len(phones)] * len(phones)
    codes = await asyncio.to_thread(_codes, siege)
    await asyncio.gather(
        *(
            _walk(phone, codes[phone.network], share, chance)
            for phone, share in zip(phones.values(), shares, strict=True)
        )
    )
    await hijacked(siege, phones["none-megacom"])
    await _look_at_the_core(siege)
    for phone in phones.values():
        phone.unbind()
    siege.report.figures["dialogues over untrusted links"] = sum(shares)


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


async def _walk(phone: Phone, codes: list[str], walks: int, chance: random.Random) -> None:
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


def _codes(siege: Siege) -> dict[str, list[str]]:
    """What can be dialled in each network, codes that lead further in among them."""
    folder = read_folder(siege.stand.folder / "menus")
    readings = (read_service(octets, name, folder.menus) for name, octets in folder.menus.items())
    services = [each.service for each in readings if each.service is not None]
    found = {}
    for network in CENTRES:
        heads = {f"*{'*'.join(code.head)}#" for each in services if serves(each, network) for code in each.dial}
        further = {f"{head[:-1]}*{first}*{second}#" for head in heads for first in "123456" for second in "12"}
        found[network] = sorted(heads | further)
    return found


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
