"""Secrets where none belongs: dialled, typed on the wrong screen, in requests and PDUs that are refused or unreadable.

Rules of this file: as in `flows_of_secrets`; what is answered over HTTP is kept, to be looked through. Nothing here
expects that anything is served: only that nobody writes down what came.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import aiohttp
from redis.asyncio import Redis

from billing import notices, wire
from billing.signing import sign
from chaos.secrecy.flows_of_secrets import DOSTEK, KCELL, MEGACOM, PAYER, Phone, Town, opened
from smpp import constants as c
from smpp.codec import encode
from smpp.fake_smsc import NotServed
from smpp.pdu import BindTransceiver, DataSm, DeliverSm, Pdu, SubmitSm, Tlv
from smpp.receipt import ESM_CLASS_RECEIPT
from smpp.text import encode_gsm

PEER: Final = ("ussdc", "secret")
"""The demo account of `config.yaml`."""
BIND_FAILURES_MAX: Final = 3
"""Fewer than ban our address."""
_ANSWER_SECONDS: Final = 0.3


class Doors(NamedTuple):
    """Where the system can be spoken to past the centres: addresses, and the keys of who may."""

    core: str
    engine: str
    smpp: tuple[str, int]
    redis: Redis
    key_of: Callable[[str], bytes]
    pages: list[tuple[str, bytes]]
    """What was answered to what is refused."""
    failed_binds: list[str]


async def dialled(town: Town, _doors: Doors) -> None:
    """A PIN, a voucher, a code and a password are dialled behind codes that ask for them, and behind others."""
    phone, pin = await opened(town)
    town.keeps(pin, "dialled")
    await _dialled(phone, f"*900*3*3*14*14*{PAYER}*50*{pin}#", f"*900*8*3*{pin}#", f"*900*{pin}#", f"*{pin}#")
    other = town.somebody()
    voucher = town.keeps(town.voucher(), "dialled")
    code = town.keeps(town.code(), "dialled")
    password = town.keeps("".join(each for each in town.password() if each.isascii() and each.isalnum()), "dialled")
    await _dialled(
        other, f"*111*2*1*{voucher}#", f"*4259*1*2*1*{code}#", f"*245*{password}#", f"*245*{code}#", f"*{code}#"
    )


async def _dialled(phone: Phone, *codes: str) -> None:
    for code in codes:
        with contextlib.suppress(NotServed):  # too long for an address, some of them
            await phone.dial(code)


async def typed(town: Town, doors: Doors) -> None:
    """Secrets are typed on screens that ask for no secret, and by SMS to numbers that take none; so long that nobody
    takes them; and where the dialogue is damaged, or gone."""
    phone, pin = await opened(town)
    town.keeps(pin, "typed")
    code = town.keeps(town.code(), "typed")
    await phone.dial("*900#", f"PIN {pin}")
    await phone.send(pin * 40, f" {pin} ", f"pin={pin}")
    await phone.dial("*900#", *DOSTEK, PAYER, f"PIN {pin}")
    await phone.dial("*900#", *DOSTEK, PAYER, "70", f"{pin}0", f"{pin} {pin}", f"ПИН {pin}")
    for damage in (b"garbage", b"1 id 0 mark\n\xff\xff"):
        await doors.redis.set(f"ussd:{phone.number}", damage)
        with contextlib.suppress(NotServed):
            await phone.send(pin)
    await doors.redis.delete(f"ussd:{phone.number}")
    await phone.send(pin)
    other = town.somebody()
    for short_number, text in (
        ("111", f"BAL {code}"),
        ("4259", f"{code} " * 30),
        ("4259", f"код: {code}"),
        ("4258", code),
    ):
        with contextlib.suppress(NotServed):
            await other.write(short_number, text)


# --- requests that are refused ---


async def refused_calls(town: Town, doors: Doors) -> None:
    """Calls with secrets that are not signed as they must be, are no calls, or go nowhere."""
    number = town.somebody().number
    password, code = town.keeps(town.password(), "refused"), town.keeps(town.code(), "refused")
    good: dict[str, Any] = {"id": str(uuid.uuid4()), "msisdn": number, "language": "ru"}
    login = {**good, "arguments": {"password": password}}
    post = _Posting(doors.core, "engine", doors)
    path = f"{wire.PATH}cabinet.login"
    await post(path, login, key=b"another key, as long as one has to be")
    await post(path, login, ago=600)
    await post(path, login, client=code)
    await post(path, login, header=f"Bearer {password[:12]}")
    await post(f"{path}?password={code}", login)
    await post(f"{wire.PATH}{code}", login)
    await post(f"{wire.PATH}wallet.reset_pin", {**good, "arguments": {"document": code}})
    for arguments in (
        {"password": [password]}, {"password": {"x": code}}, {"password": password * 20}, {"password": 12, "pin": code},
        {"password": int(code)}, [code], password, {"password": None},
    ):  # fmt: skip
        await post(path, {**good, "arguments": arguments})
    for change in ({"language": code}, {"msisdn": code + "x"}, {"id": code}, {"by": code}, {"by_sms": code}):
        await post(path, {**login, **change})
    for body in (
        f"{{'{password}'".encode(),
        password.encode("utf-16"),
        f'{{"pin": "{code}'.encode(),
        b"\xff" + code.encode(),
    ):
        await post(path, body)
    await post(path, b'{"pin": "' + code.encode() * 10_000 + b'"}')


async def refused_notices(town: Town, doors: Doors) -> None:
    """The same for what the core hands to the engine."""
    number = town.somebody().number
    code = town.keeps(town.code(), "refused")
    at = "2027-03-31T09:30:00Z"
    good: dict[str, Any] = {
        "id": str(uuid.uuid4()), "msisdn": number, "network": "kcell", "event": "statements.code", "language": "ru",
        "arguments": {"code": code, "valid_until": at}, "not_after": at,
    }  # fmt: skip
    post = _Posting(doors.engine, "billing-core", doors)
    await post(notices.PATH, good, key=b"another key, as long as one has to be")
    await post(notices.PATH, good, ago=-600)
    for change in (
        {"event": code}, {"arguments": {"code": [code], "valid_until": at}}, {"arguments": {"code": code}},
        {"arguments": code}, {"language": code}, {"not_after": code}, {"network": "o"}, {"id": code},
        {"msisdn": code + "x"},
        {"not_after": "2020-03-31T09:30:00Z"}, {"arguments": {"code": code * 9, "valid_until": at}},
    ):  # fmt: skip
        await post(notices.PATH, {**good, **change})
    await post(notices.PATH, code.encode() + b"\xff")
    await post(f"/v1/{code}", good)
    await post("/v1/dialogues", {"id": code, "msisdn": number, "network": "kcell", "code": f"*245*{code}#"})
    await post("/v1/history", {"by": code, "msisdn": [code]})


class _Posting:
    """Posts signed requests, and keeps the answers."""

    def __init__(self, url: str, client: str, doors: Doors) -> None:
        self._url, self._client, self._doors = url, client, doors

    async def __call__(
        self, path: str, body: Any, *, key: bytes = b"", client: str = "", ago: float = 0, header: str = ""
    ) -> None:
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = key or self._doors.key_of(self._client)
        headers = sign(client or self._client, key, "POST", path, octets, time.time() - ago)
        headers = {"Authorization": header} if header else headers
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._url + path, data=octets, headers=headers) as got,
        ):
            name = f"{got.status} of {path.rpartition('/')[2].partition('?')[0]}"
            self._doors.pages.append((name, await got.read() + repr(got.headers).encode()))


# --- PDUs that nobody can read ---


async def unreadable_pdus(town: Town, doors: Doors) -> None:
    """PDUs with a PIN or a code in them whose lengths lie, whose text is in no alphabet, or that are too long; receipts
    that repeat a text; binds with a wrong password."""
    phone, (wallet, pin) = town.somebody(), await opened(town)
    code = town.keeps(town.code(), "unreadable")
    town.keeps(pin, "unreadable")
    await _binds(town, doors)
    text, op = f"PIN: {pin}, {code}", Tlv(c.TAG_USSD_SERVICE_OP, bytes((18,)))
    asked = DeliverSm(
        source_addr_ton=1, source_addr_npi=1, source_addr=wallet.number, destination_addr="*900#", tlvs=(op,),
        short_message=encode_gsm(text),
    )  # fmt: skip
    centre = town.centres[MEGACOM]
    for pdu in (
        asked._replace(data_coding=8, short_message=text.encode() + b"\xff"),
        asked._replace(data_coding=4, short_message=b"\xff\xfe" + text.encode()),
        asked._replace(data_coding=0xF5, short_message=text.encode("utf-16-le") + b"\xd8"),
        asked._replace(short_message=b"", tlvs=(op, Tlv(c.TAG_MESSAGE_PAYLOAD, text.encode() * 30))),
        asked._replace(esm_class=0x40, short_message=b"\xff" + text.encode()),
        asked._replace(tlvs=(Tlv(0x1400, text.encode()), Tlv(c.TAG_USSD_SERVICE_OP, text.encode()[:1]))),
        asked._replace(source_addr=code, destination_addr=pin),
        asked._replace(service_type=pin, tlvs=()),
        asked._replace(destination_addr=f"*900*{pin}#"[:20]),
        DataSm(source_addr=wallet.number, destination_addr="4259", tlvs=(Tlv(c.TAG_MESSAGE_PAYLOAD, code.encode()),)),
        _receipt(phone.number, f"Код: {code}"),
        _receipt(wallet.number, f"PIN: {pin}."),
    ):
        with contextlib.suppress(NotServed):
            await asyncio.wait_for(centre.send_pdu(pdu), 5)
    await _raw(doors, _damaged(asked, phone.number))


def _receipt(number: str, text: str) -> DeliverSm:
    said = f"id:1 sub:001 dlvrd:001 submit date:2611251200 done date:2611251200 stat:DELIVRD err:000 text:{text}"
    return DeliverSm(
        source_addr=number,
        destination_addr="111",
        esm_class=ESM_CLASS_RECEIPT,
        short_message=said.encode("utf-8")[:254],
    )


def _damaged(asked: DeliverSm, number: str) -> list[bytes]:
    """Octets of a good message with something wrong in each."""
    text = asked.short_message
    good = encode(SubmitSm(**{**asked._asdict(), "source_addr": number, "sequence_number": 7}))
    at = good.index(text)
    shorter = good[: at - 1] + bytes((3,)) + good[at:]
    longer = good[: at - 1] + bytes((250,)) + good[at:]
    unknown = good[:4] + b"\0\0\1\x55" + good[8:]
    no_end = good.replace(b"*900#\0", b"*900#" + text[:12])
    return [each[4:] for each in (good, shorter, longer, unknown, no_end, good + text)]


async def _binds(town: Town, doors: Doors) -> None:
    if len(doors.failed_binds) < BIND_FAILURES_MAX:
        password = town.keeps(town.code(), "password of a link")
        doors.failed_binds.append(password)
        await _raw(doors, [], password)


async def _raw(doors: Doors, bodies: list[bytes], password: str = "") -> None:
    """Sends these behind a bind, each on a connection of its own: a PDU that cannot be believed ends one."""
    bind: Pdu = BindTransceiver(
        system_id=PEER[0], password=password or PEER[1], interface_version=0x34, sequence_number=1
    )
    for body in bodies or [b""]:
        reader, writer = await asyncio.open_connection(*doors.smpp)
        writer.write(encode(bind))
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(reader.read(200), 5)
            if body:
                writer.write((len(body) + 4).to_bytes(4, "big") + body)
                await asyncio.wait_for(reader.read(200), _ANSWER_SECONDS)
        writer.close()


Misplaced = Callable[[Town, Doors], Awaitable[None]]
MISPLACED: Final[tuple[Misplaced, ...]] = (dialled, typed, refused_calls, refused_notices, unreadable_pdus)
CENTRES: Final = (KCELL, MEGACOM)
