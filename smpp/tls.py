"""TLS under SMPP: from certificates in files to what Twisted needs; 1.2 at least, both ways.

Rules of this file: a file that is missing, or is not what it should be, is a TlsError that names it, at start and not
when a peer calls. Who has to show a certificate is decided here; whose it must be, by the owner of the link.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet._sslverify import ClientTLSOptions
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

ClientTls: TypeAlias = ClientTLSOptions


class TlsError(Exception):
    """A certificate or key cannot be used; the text says which file, and why."""


@implementer(IOpenSSLContextFactory)
class ServerTls:
    """What a listener shows and asks for. Made by `server_options`."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def getContext(self) -> SSL.Context:
        return self._context


def server_options(certificate: Path, key: Path, client_ca: Path | None) -> ServerTls:
    """For a listener that shows `certificate` (PEM, its chain behind it). With `client_ca` a peer must show one, too,
    which an authority in that file has signed. Raises TlsError."""
    context = _context()
    _show(context, certificate, key)
    if client_ca is not None:
        _trust(context, client_ca)
    return ServerTls(context)


def client_options(host: str, ca: Path, certificate: Path | None, key: Path | None) -> ClientTls:
    """For a connection to `host`, whose certificate must bear that name and be signed by an authority in `ca`; with
    `certificate` and `key` we show ours. Raises TlsError."""
    context = _context()
    _trust(context, ca)
    if certificate is not None:
        _show(context, certificate, key or certificate)
    try:
        return ClientTLSOptions(lambda _protocol: SSL.Connection(context, None), host)
    except (ValueError, UnicodeError) as error:
        raise TlsError(f"{host} cannot be a name in a certificate: {error}") from None


def shown_name(connection: SSL.Connection) -> str:
    """The common name (X.520) in the certificate that the peer has shown, "" where there is none."""
    certificate = connection.get_peer_certificate(as_cryptography=True)
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME) if certificate is not None else []
    return str(found[0].value) if found else ""


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    return context


def _trust(context: SSL.Context, ca: Path) -> None:
    _readable(ca)
    try:
        context.load_verify_locations(str(ca))
    except SSL.Error:
        raise TlsError(f"{ca} holds no certificate in PEM") from None
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    context.set_session_id(b"smpp")


def _show(context: SSL.Context, certificate: Path, key: Path) -> None:
    _readable(certificate)
    _readable(key)
    try:
        context.use_certificate_chain_file(str(certificate))
    except SSL.Error:
        raise TlsError(f"{certificate} holds no certificate in PEM") from None
    try:
        context.use_privatekey(serialization.load_pem_private_key(key.read_bytes(), None))  # type: ignore[arg-type]
        context.check_privatekey()
    except (SSL.Error, ValueError, TypeError, UnsupportedAlgorithm):
        raise TlsError(f"{key} holds no key in PEM, without a password, of the certificate {certificate}") from None


def _readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise TlsError(f"{path} cannot be read: {error.strerror}") from None
