"""Secrets that must wait in the database: encrypted under a key that lies outside it.

Rules of this file: AES-256-GCM with a random nonce; what is sealed opens only for the row that it was sealed for, whose
id is authenticated with it; nothing here prints or logs. A key that was changed still opens what it has sealed.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from billing.contract import Value

_NONCE_OCTETS = 12
_decoder = msgspec.json.Decoder(dict[str, Any])


class SealBroken(Exception):
    """What was sealed cannot be opened: another key, another row, or octets that were changed."""


class Seal:
    """Seals under one key, and opens what was sealed under it or under one of before."""

    __slots__ = ("_ciphers",)

    def __init__(self, key: bytes, *older: bytes) -> None:
        """`key`: the content of a key file, of any length that `billing.signing.keys_from_file` takes."""
        label = b"billing core: secrets in notices"
        self._ciphers = [AESGCM(hmac.digest(each, label, hashlib.sha256)) for each in (key, *older)]

    def seal(self, row: uuid.UUID, secrets: Mapping[str, Value]) -> bytes:
        """Nonce and ciphertext of the values, for this row."""
        nonce = os.urandom(_NONCE_OCTETS)
        return nonce + self._ciphers[0].encrypt(nonce, msgspec.json.encode(secrets), row.bytes)

    def open(self, row: uuid.UUID, sealed: bytes) -> dict[str, Value]:
        """The values that were sealed for this row. Raises SealBroken."""
        for cipher in self._ciphers:
            with contextlib.suppress(InvalidTag, ValueError):
                return _decoder.decode(cipher.decrypt(sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:], row.bytes))
        raise SealBroken("secrets that cannot be opened: is this the key they were sealed under?")
