"""TLS beside plain SMPP: 1.2 at least, certificates of peers where they are wanted, and clear words for bad files."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from smpp import constants as c
from smpp import pdu as p
from smpp.dial import dial
from smpp.errors import TooFast
from smpp.limits import Limits
from smpp.link import Link
from smpp.listen import listen
from smpp.tls import TlsError, client_options, server_options
from tests.unit.smpp.test_smpp_link import Owner, until

BIND = p.BindTransceiver(system_id="ussdc", password="secret")


class Identity(NamedTuple):
    certificate: Path
    key: Path


class Authority:
    """Signs certificates, and is one itself."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}-ca.pem"
        certificate = self._signed(self._name, self._key, is_authority=True)
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def identity(self, name: str) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
        made = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return made

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool = False
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture
async def secure_port(reactor: AsyncioSelectorReactor, ours: Authority, owner: Owner) -> AsyncIterator[int]:
    mine = ours.identity("engine")
    tls = server_options(mine.certificate, mine.key, None)
    listener = await listen(reactor, "127.0.0.1", 0, owner, Limits(tls_seconds=0.5, session_init_seconds=0.5), tls=tls)
    yield listener.port
    await asyncio.wait_for(listener.close(), 10)


@pytest.fixture
def owner() -> Owner:
    return Owner()


async def bound(reactor: AsyncioSelectorReactor, port: int, ours: Authority, me: Identity | None = None) -> Link:
    tls = client_options("localhost", ours.file, me and me.certificate, me and me.key)
    return await dial(reactor, "127.0.0.1", port, BIND, Owner(), Limits(tls_seconds=2), tls)


async def test_a_dialogue_s_pdus_go_over_tls(
    reactor: AsyncioSelectorReactor, secure_port: int, ours: Authority, owner: Owner
) -> None:
    link = await bound(reactor, secure_port, ours)
    assert owner.links[0].is_secure
    link.send(p.SubmitSm(short_message=b"*111#"))
    await until(lambda: owner.requests)
    owner.links[0].send(p.DeliverSm(short_message=b"x" * 200))
    await until(lambda: owner.answers)
    link.unbind()
    await until(lambda: owner.reasons)
    assert owner.reasons == ["unbound_by_peer"]


async def test_whoever_speaks_plain_smpp_where_tls_is_wanted_is_closed(secure_port: int, owner: Owner) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", secure_port)
    writer.write(bytes.fromhex("00000010000000150000000000000001"))
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert owner.binds == []


async def test_whoever_connects_and_does_not_begin_tls_is_closed_in_time(secure_port: int, owner: Owner) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", secure_port)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await until(lambda: owner.reasons)
    assert owner.reasons == ["tls_not_agreed_in_time"]


async def test_tls_1_1_is_not_spoken(secure_port: int) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", secure_port, ssl=old)


async def test_a_centre_whose_certificate_nobody_we_trust_has_signed_gets_no_password(
    reactor: AsyncioSelectorReactor, secure_port: int, tmp_path: Path, owner: Owner
) -> None:
    with pytest.raises(ConnectionError):
        await bound(reactor, secure_port, Authority(tmp_path, "others"))
    assert owner.binds == []


async def test_a_peer_must_show_a_certificate_where_that_is_wanted(
    reactor: AsyncioSelectorReactor, ours: Authority, owner: Owner, tmp_path: Path
) -> None:
    mine = ours.identity("engine2")
    tls = server_options(mine.certificate, mine.key, ours.file)
    listener = await listen(reactor, "127.0.0.1", 0, owner, Limits(), tls=tls)
    try:
        await bound(reactor, listener.port, ours, ours.identity("centre-7"))
        assert owner.links[0].certificate_name == "centre-7"
        with pytest.raises(ConnectionError):
            await bound(reactor, listener.port, ours)
        stranger = Authority(tmp_path, "others").identity("centre-7")
        with pytest.raises(ConnectionError):
            await bound(reactor, listener.port, ours, stranger)
        assert len(owner.binds) == 1
    finally:
        await asyncio.wait_for(listener.close(), 10)


def test_a_file_that_cannot_be_used_is_named(ours: Authority, tmp_path: Path) -> None:
    mine, other = ours.identity("engine3"), ours.identity("engine4")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    for certificate, key, named in (
        (tmp_path / "none.pem", mine.key, "none.pem"),
        (nothing, mine.key, "nothing.pem"),
        (mine.certificate, nothing, "nothing.pem"),
        (mine.certificate, other.key, "engine4.key"),
    ):
        with pytest.raises(TlsError, match=named):
            server_options(certificate, key, None)


# --- outbind: a centre calls us, and we bind to it ---


async def test_a_centre_that_calls_us_is_bound_to(reactor: AsyncioSelectorReactor, owner: Owner) -> None:
    listener = await listen(reactor, "127.0.0.1", 0, owner, Limits(session_init_seconds=1))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    owner.outbinds["smsc"] = p.BindReceiver("menu", "pw")
    writer.write(bytes.fromhex("00000016 0000000B 00000000 00000001") + b"smsc\0\0")
    head = await asyncio.wait_for(reader.readexactly(16), 5)
    await reader.readexactly(int.from_bytes(head[:4], "big") - 16)
    assert int.from_bytes(head[4:8], "big") == c.BIND_RECEIVER
    writer.write(bytes.fromhex("00000015 80000001 00000000") + head[12:16] + b"smsc\0")
    await until(lambda: owner.links)
    writer.close()
    await asyncio.wait_for(listener.close(), 10)


async def test_an_outbind_that_nobody_expects_is_closed(reactor: AsyncioSelectorReactor, owner: Owner) -> None:
    listener = await listen(reactor, "127.0.0.1", 0, owner, Limits())
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(bytes.fromhex("00000016 0000000B 00000000 00000001") + b"smsc\0\0")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await until(lambda: owner.reasons)
    assert owner.reasons == ["outbind_not_expected"]
    await asyncio.wait_for(listener.close(), 10)


# --- reading pauses, and sending keeps a rate ---


async def test_a_peer_that_asks_faster_than_it_is_answered_is_not_read_from_and_loses_nothing(
    reactor: AsyncioSelectorReactor, owner: Owner
) -> None:
    limits = Limits(window_in=5, window_in_max=100_000)
    listener = await listen(reactor, "127.0.0.1", 0, owner, limits)
    waiting: list[tuple[Link, p.Pdu]] = []
    owner.on_request = lambda link, pdu: waiting.append((link, pdu))
    peer = Owner()
    link = await dial(reactor, "127.0.0.1", listener.port, BIND, peer, Limits(window_out=100_000))
    octets = b"x" * 250
    for _ in range(20_000):
        link.send(p.SubmitSm(short_message=octets))
    await until(lambda: waiting)
    await asyncio.sleep(0.2)
    assert len(owner.requests) < 20_000  # the rest waits with the peer and on the wire
    while len(peer.answers) < 20_000:
        for bind, pdu in waiting[:]:
            bind.respond(pdu, c.ESME_ROK)
        waiting.clear()
        await asyncio.sleep(0.001)
    assert {answer.response.command_status for answer in peer.answers if answer.response} == {c.ESME_ROK}
    link.unbind()
    await asyncio.wait_for(listener.close(), 10)


async def test_a_link_s_rate_is_kept_and_who_is_too_fast_is_told_how_long_to_wait(
    reactor: AsyncioSelectorReactor, owner: Owner
) -> None:
    listener = await listen(reactor, "127.0.0.1", 0, owner, Limits())
    link = await dial(reactor, "127.0.0.1", listener.port, BIND, Owner(), Limits(per_second=2, window_out=100))
    link.send(p.SubmitSm())
    link.send(p.SubmitSm())
    with pytest.raises(TooFast) as refused:
        link.send(p.SubmitSm())
    assert 0.3 < refused.value.wait_seconds <= 0.5
    link.send(p.EnquireLink())
    link.unbind()
    await asyncio.wait_for(listener.close(), 10)


@pytest.mark.parametrize("status", [c.ESME_RTHROTTLED, c.ESME_RMSGQFUL])
async def test_a_throttling_peer_slows_us_down(reactor: AsyncioSelectorReactor, owner: Owner, status: int) -> None:
    listener = await listen(reactor, "127.0.0.1", 0, owner, Limits())
    owner.on_request = lambda link, pdu: link.respond(pdu, status)
    peer = Owner()
    link = await dial(reactor, "127.0.0.1", listener.port, BIND, peer, Limits(window_out=100))
    for _ in range(8):
        link.send(p.SubmitSm())
    await until(lambda: len(peer.answers) == 8)
    with pytest.raises(TooFast):  # four or five a second have become the rate
        _ = [link.send(p.SubmitSm()) for _ in range(8)]
    link.unbind()
    await asyncio.wait_for(listener.close(), 10)


# --- connecting ---


async def test_a_peer_that_takes_too_long_to_be_connected_is_given_up(
    reactor: AsyncioSelectorReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_arguments: object) -> None:
        await asyncio.Event().wait()

    waits: list[float | None] = []
    real = asyncio.timeout

    def told(seconds: float | None) -> asyncio.Timeout:
        waits.append(seconds)
        return real(0)

    monkeypatch.setattr("smpp.dial._connected", never)
    monkeypatch.setattr("smpp.dial.asyncio.timeout", told)
    with pytest.raises(ConnectionError, match="in 7 s"):
        await dial(reactor, "127.0.0.1", 1, BIND, Owner(), Limits(connect_seconds=7))
    assert waits == [7]
    assert Limits().connect_seconds == 10
