"""Passwords: how they are made, which are too weak, and how they are hashed.

Rules of this file:
- argon2id with 19 MiB, two passes and one lane (OWASP's password storage cheat sheet), over HMAC-SHA256 of the password
  under a pepper that lies outside the database: without it a stolen table cannot even be tried.
- A hash takes some 20 ms of a core and 19 MiB. Two threads make them, a bounded number waits, and more is refused.
  Nobody holds a connection to the database meanwhile.
- Passwords are compared as people type them: compatibility forms of Unicode count as one (NFKC).
- Nothing here is printed or logged.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import os
import secrets
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from argon2.low_level import Type, hash_secret

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""31 characters that nobody takes for one another: no 0 or o, no 1, l or i."""
MADE_CHARACTERS = 10
"""Of 31: 49 bits."""
CHARACTERS_MIN = 10
DIFFERENT_CHARACTERS_MIN = 5
THREADS = 2
WAITING_MAX = 32
"""Well under a second of hashing on two cores."""

MEMORY_KIB, PASSES = 19 * 1024, 2
_LANES = 1
_SALT_OCTETS, _HASH_OCTETS = 16, 32
_NICENESS = 10
_USUAL = ("password", "qwerty", "пароль", "йцукен", "құпиясөз", "сырсөз")
_ROWS = ("01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_RUN_CHARACTERS = 6


class Busy(Exception):
    """Too many hashes wait already. Nothing was done."""


def make_password() -> str:
    """A new random password."""
    return "".join(secrets.choice(ALPHABET) for _ in range(MADE_CHARACTERS))


def is_weak(password: str, msisdn: str) -> bool:
    """Whether a password is too short or easy to guess for the holder of this number."""
    folded = _normal(password).casefold()
    if len(folded) < CHARACTERS_MIN or len(set(folded)) < DIFFERENT_CHARACTERS_MIN:
        return True
    if any(word in folded for word in _USUAL) or msisdn[-7:] in folded:
        return True
    both_ways = itertools.chain(_ROWS, (row[::-1] for row in _ROWS))
    runs = (row[at : at + _RUN_CHARACTERS] for row in both_ways for at in range(len(row) - _RUN_CHARACTERS + 1))
    return any(run in folded for run in runs)


class _Cost(NamedTuple):
    memory_kib: int
    passes: int


class Hasher:
    """Hashes in threads of its own. `close` it at the end."""

    def __init__(
        self,
        pepper: bytes,
        waiting_max: int = WAITING_MAX,
        *,
        threads: int = THREADS,
        memory_kib: int = MEMORY_KIB,
        passes: int = PASSES,
    ) -> None:
        """`pepper`: as in its key file. A hash that is there already is compared by what it was made with."""
        self._pepper = hmac.digest(pepper, b"billing core: passwords", hashlib.sha256)
        self._cost = _Cost(memory_kib, passes)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hashing", initializer=_stand_back)
        self._waiting_max = waiting_max
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """A hash under a new salt, in the usual text form (`$argon2id$v=19$m=…`). Raises Busy."""
        return await self._hash(password, secrets.token_bytes(_SALT_OCTETS), self._cost)

    async def like(self, stored: str, password: str) -> str:
        """The hash of a password under the salt of `stored`: the two are equal when the passwords are. Raises Busy."""
        return await self._hash(password, _salt_of(stored), _cost_of(stored))

    def close(self) -> None:
        """Ends the threads; hashes that wait are given up."""
        self._threads.shutdown(cancel_futures=True)

    async def _hash(self, password: str, salt: bytes, cost: _Cost) -> str:
        if self._waiting >= self._waiting_max:
            raise Busy("too many passwords are being hashed")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._hashed, password, salt, cost)
        finally:
            self._waiting -= 1

    def _hashed(self, password: str, salt: bytes, cost: _Cost) -> str:
        peppered = hmac.digest(self._pepper, _normal(password).encode(), hashlib.sha256)
        return hash_secret(peppered, salt, cost.passes, cost.memory_kib, _LANES, _HASH_OCTETS, Type.ID).decode()


def _stand_back() -> None:
    """Hashing must not keep those waiting who only ask for a balance: its threads are nice (setpriority(2) with the id
    of a thread, as Linux has it)."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _cost_of(stored: str) -> _Cost:
    costs = dict(each.split("=") for each in stored.split("$")[3].split(","))
    return _Cost(int(costs["m"]), int(costs["t"]))


def _salt_of(stored: str) -> bytes:
    """The salt in `$argon2id$v=…$m=…,t=…,p=…$salt$hash`, whose base64 has no padding."""
    salt = stored.split("$")[4]
    return base64.b64decode(salt + "=" * (-len(salt) % 4))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
