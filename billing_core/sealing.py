"""Secrets that must wait in the database: encrypted under a key that lies outside it.

Rules of this file: AES-256-GCM with a random nonce; what is sealed opens only for the row that it was sealed for, whose
id is authenticated with it; nothing here prints or logs.
"""

from __future__ import annotations

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
    """Seals and opens under one key."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        """`key`: the content of a key file, of any length that `billing.signing.key_from_file` takes."""
        self._cipher = AESGCM(hmac.digest(key, b"billing core: secrets in notices", hashlib.sha256))

    def seal(self, row: uuid.UUID, secrets: Mapping[str, Value]) -> bytes:
        """Nonce and ciphertext of the values, for this row."""
        nonce = os.urandom(_NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, msgspec.json.encode(secrets), row.bytes)

    def open(self, row: uuid.UUID, sealed: bytes) -> dict[str, Value]:
        """The values that were sealed for this row. Raises SealBroken."""
        try:
            return _decoder.decode(self._cipher.decrypt(sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:], row.bytes))
        except (InvalidTag, ValueError):
            raise SealBroken("secrets that cannot be opened: is this the key they were sealed under?") from None
