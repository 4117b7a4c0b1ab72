"""Passwords: how they are made, which are too weak, and how they are hashed.

Rules of this file:
- argon2id with 19 MiB, two passes and one lane (OWASP's password storage cheat sheet), over HMAC-SHA256 of the password
  under a pepper that lies outside the database: without it a stolen table cannot even be tried.
- A hash names its pepper (`keyid`, as the PHC string format has it), so that a pepper can be changed: what was hashed
  under one of before is compared under that one, and made anew at the next right answer.
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
from collections.abc import Sequence
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
_ID_OCTETS = 6
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


class PepperGone(Exception):
    """What is stored was hashed under a pepper that we have not."""


class _Making(NamedTuple):
    """How a hash is made, as the hash itself says it; `key_id`: of its pepper, "" in one of before they had names."""

    memory_kib: int
    passes: int
    key_id: str


def pepper_id(pepper: bytes) -> str:
    """The name of a pepper in the hashes that were made under it; it says nothing of the pepper."""
    tag = hmac.digest(pepper, b"billing core: name of a pepper", hashlib.sha256)[:_ID_OCTETS]
    return base64.b64encode(tag).decode()


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
        older: Sequence[bytes] = (),
    ) -> None:
        """`pepper`: as in its key file; `older`: those of before, the oldest last. A hash that is there already is
        compared by what it was made with."""
        label = b"billing core: passwords"
        peppers = [pepper, *older]
        self._peppers = {pepper_id(each): hmac.digest(each, label, hashlib.sha256) for each in reversed(peppers)}
        self._peppers[""] = hmac.digest(peppers[-1], label, hashlib.sha256)
        self._now = _Making(memory_kib, passes, pepper_id(pepper))
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hashing", initializer=_stand_back)
        self._waiting_max = waiting_max
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """A hash under a new salt, in the usual text form (`$argon2id$v=19$m=…`). Raises Busy."""
        return await self._hash(password, secrets.token_bytes(_SALT_OCTETS), self._now)

    async def like(self, stored: str, password: str) -> str:
        """The hash of a password under salt and pepper of `stored`: equal to it when the passwords are. Raises Busy and
        PepperGone."""
        making = _making_of(stored)
        if making.key_id not in self._peppers:
            raise PepperGone(f"the pepper {making.key_id} is not in its key file")
        return await self._hash(password, _salt_of(stored), making)

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash would be made otherwise now: under another pepper, or at another cost."""
        return _making_of(stored) != self._now

    def close(self) -> None:
        """Ends the threads; hashes that wait are given up."""
        self._threads.shutdown(cancel_futures=True)

    async def _hash(self, password: str, salt: bytes, making: _Making) -> str:
        if self._waiting >= self._waiting_max:
            raise Busy("too many passwords are being hashed")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._hashed, password, salt, making)
        finally:
            self._waiting -= 1

    def _hashed(self, password: str, salt_octets: bytes, making: _Making) -> str:
        peppered = hmac.digest(self._peppers[making.key_id], _normal(password).encode(), hashlib.sha256)
        cost = (making.passes, making.memory_kib, _LANES)
        made = hash_secret(peppered, salt_octets, *cost, _HASH_OCTETS, Type.ID).decode()
        before, salt, digest = made.rsplit("$", 2)
        return f"{before},keyid={making.key_id}${salt}${digest}" if making.key_id else made


def _stand_back() -> None:
    """Hashing must not keep those waiting who only ask for a balance: its threads are nice (setpriority(2) with the id
    of a thread, as Linux has it)."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _making_of(stored: str) -> _Making:
    said = dict(each.split("=", 1) for each in stored.split("$")[3].split(","))
    return _Making(int(said["m"]), int(said["t"]), said.get("keyid", ""))


def _salt_of(stored: str) -> bytes:
    """The salt in `$argon2id$v=…$m=…,t=…,p=…,keyid=…$salt$hash`, whose base64 has no padding."""
    salt = stored.split("$")[4]
    return base64.b64decode(salt + "=" * (-len(salt) % 4))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
