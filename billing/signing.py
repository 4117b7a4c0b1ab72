"""Signed requests between the parts: one header that says who asks and when, and proves it over what is asked.

Rules of this file (pure: the time comes as an argument):
- What is signed: method, path, second and body, a line feed between them; HMAC-SHA256 under the key of that client.
- The header reads `Authorization: HMAC-SHA256 client:second:signature`, `second` being Unix time, `signature` in hex.
- One answer for an unknown client and for a wrong signature, found in the same time. A skewed clock is named, but only
  to a caller whose signature holds.
- A client may have several keys, so that one can be changed while nothing stands still: the first signs, all verify.
- A request caught on the wire can be sent again within the skew. It does no harm: call ids make changes happen once.
  Whoever can read the wire needs TLS anyway.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

SCHEME: Final = "HMAC-SHA256"
KEY_OCTETS_MIN: Final = 16
KEYS_MAX: Final = 4
"""In one file: the one in use, and those before it that still verify."""
HEADER_CHARACTERS_MAX: Final = 256

_HEADER = re.compile(r"HMAC-SHA256 ([A-Za-z0-9._-]{1,64}):([0-9]{1,12}):([0-9a-f]{64})\Z", re.ASCII)
_NOBODY_KEY = b"the key of no client at all ...."
"""Stands in for the key of an unknown client, so that it takes as long to refuse one."""


class SigningError(Exception):
    """A request that is not to be served. The text says why, holds no key, and may be sent to the caller."""


def keys_from_file(octets: bytes) -> tuple[bytes, ...]:
    """The keys that a key file holds, the one in use first. Raises ValueError when one is too short, or they are many.

    A file of text has a key a line (64 hex digits, to be used with `curl` and `openssl` by hand as well); octets that
    are no text are one key, without line ends behind it.
    """
    octets = octets.rstrip(b"\r\n")
    is_text = octets.isascii() and octets.decode("ascii").replace("\n", "").replace("\r", "").isprintable()
    keys = tuple(line for line in octets.splitlines() if line) if is_text else (octets,)
    shortest = min(map(len, keys), default=0)
    if shortest < KEY_OCTETS_MIN:
        raise ValueError(f"a key needs at least {KEY_OCTETS_MIN} octets, this file holds one of {shortest}")
    if len(keys) > KEYS_MAX:
        raise ValueError(f"a key file holds {KEYS_MAX} keys at most, this one {len(keys)}")
    return keys


def key_from_file(octets: bytes) -> bytes:
    """The first of them: the one in use."""
    return keys_from_file(octets)[0]


def sign(client: str, key: bytes, method: str, path: str, body: bytes, now: float) -> dict[str, str]:
    """The headers that make a request signed. `path` as it stands in the request line; `now` in Unix seconds."""
    second = int(now)
    return {"Authorization": f"{SCHEME} {client}:{second}:{_signature(key, method, path, second, body)}"}


def verify(
    keys: Mapping[str, Sequence[bytes]],
    method: str,
    path: str,
    header: str | None,
    body: bytes,
    now: float,
    skew_seconds_max: float,
) -> str:
    """The name of the client that signed the request. Raises SigningError.

    `keys`: client → its keys; `header`: the Authorization header, None when there is none; `now` in Unix seconds.
    """
    if not header:
        raise SigningError("the request is not signed: it has no Authorization header")
    parts = _HEADER.match(header) if len(header) <= HEADER_CHARACTERS_MAX else None
    if parts is None:
        raise SigningError(f"the Authorization header does not read `{SCHEME} client:second:signature`")
    client, second = parts[1], int(parts[2])
    if not _is_signed(keys, client, (method, path, second, body), parts[3]):
        raise SigningError("the client is not known, or the signature does not fit the request")
    if abs(age := now - second) > skew_seconds_max:
        when = f"{age:.0f} s ago" if age > 0 else f"{-age:.0f} s in the future"
        raise SigningError(f"the request was signed {when}; clocks may differ by {skew_seconds_max:g} s")
    return client


def _is_signed(
    keys: Mapping[str, Sequence[bytes]], client: str, signed: tuple[str, str, int, bytes], signature: str
) -> bool:
    """Whether one of the client's keys made this signature. As many are tried for each client, known or not."""
    own = keys.get(client, ())
    most = max(map(len, keys.values()), default=1)
    tried = [*own, *[_NOBODY_KEY] * (most - len(own))]
    fitting = [hmac.compare_digest(_signature(key, *signed), signature) for key in tried]
    return any(fitting[: len(own)])


def _signature(key: bytes, method: str, path: str, second: int, body: bytes) -> str:
    return hmac.digest(key, f"{method}\n{path}\n{second}\n".encode() + body, "sha256").hex()
