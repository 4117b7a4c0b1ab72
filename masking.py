"""What may be written down about a subscriber: the last four digits and a keyed hash, never the number.

A leaf: it imports nothing of ours, and anyone may import it. Secrets are never masked here, because they are
never handed to anything that writes (see `SECURITY.md`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import MutableMapping
from typing import Any


class Masker:
    """Masks subscriber numbers for logs under a key of the deployment, so that one number keeps one mask."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """`key`: at least 16 octets, secret to the deployment. Raises ValueError when shorter."""
        if len(key) < 16:
            raise ValueError("the masking key needs at least 16 octets")
        self._key = key

    def msisdn(self, digits: str) -> str:
        """The mask of an MSISDN: `…0007/3f9a1c2b`, its last four digits and 32 bits of a keyed hash."""
        tag = hmac.new(self._key, digits.encode(), hashlib.sha256).hexdigest()[:8]
        return f"…{digits[-4:]}/{tag}"

    def text(self, octets: bytes) -> str:
        """64 bits of a keyed hash: tells two texts apart; what one was cannot be tried out, be it four digits."""
        return hashlib.blake2b(octets, digest_size=8, key=self._key[:64]).hexdigest()

    def log_processor(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A structlog processor: every `msisdn` field of a record leaves masked."""
        digits = event.get("msisdn")
        if isinstance(digits, str):
            event["msisdn"] = self.msisdn(digits)
        return event
