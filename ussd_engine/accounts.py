"""Who may bind to us: addresses first, then passwords, slowly, with a ban for who guesses.

- An address that no link allows is closed before an octet is read.
- A password is compared by argon2id in a thread of its own, at most two a second in all; a right one is known for a
  minute. An unknown system_id costs the same time and gets the same answer. Over 64 octets is refused, never cut.
- An address whose password was right before goes before all others, then who has failed least: guesses from many
  addresses keep a peer that has lost its link waiting for a second.
- Every try counts as a failure before its password is looked at, and no more once it was right: who does not wait for
  the answer has guessed, too. Five failures within a minute ban the address for 15 minutes, each further ban for twice
  as long.
"""

from __future__ import annotations

import asyncio
import heapq
import hmac
import ipaddress
import itertools
import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from smpp import constants

from .config import Link
from .peer_config import AddressRange, ClientLink, ServerLink

FAILURES_MAX = 5
FAILURES_WITHIN_SECONDS = 60.0
BAN_SECONDS = 15 * 60.0
BAN_SECONDS_MAX = 24 * 3600.0
EVALUATIONS_PER_SECOND = 2
VERIFIED_SECONDS = 60.0
"""How long a right password is known (as a keyed hash, in this process) without being evaluated again."""
WAITING_MAX = 100
"""Binds of strangers that wait for their evaluation; more are refused at once."""
PASSWORD_OCTETS_MAX = 64
ADDRESSES_MAX = 10_000
"""Addresses whose failures are remembered, and addresses that are known."""

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$c6fR4bd2OVGB0k+yn5q4vw$T9Xi2074OsY/pPc/GFnybKrsVodlMqqKLjLNWEtCmYE"
"""Of no password: what an unknown system_id is compared with, at the same cost."""


def hash_password(password: str) -> str:
    """The argon2id hash for `password_hash:` in config.yaml. Raises ValueError when the password is too long."""
    if not 1 <= len(password.encode()) <= PASSWORD_OCTETS_MAX:
        raise ValueError(f"a password has 1 to {PASSWORD_OCTETS_MAX} octets")
    return _hasher.hash(password)


class _Guesses:
    """The failures of one address."""

    __slots__ = ("banned_until", "bans", "failures")

    def __init__(self) -> None:
        self.failures: deque[float] = deque(maxlen=FAILURES_MAX)
        self.banned_until = 0.0
        self.bans = 0


class _Turns:
    """One at a time: the lowest rank first, and of one rank the first come."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._is_taken = False

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Waits for one's turn, and has it."""
        if self._is_taken:
            given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (rank, next(self._order), given))
            try:
                await given
            except asyncio.CancelledError:
                if given.done() and not given.cancelled():  # it was given in the moment of giving up
                    self._give()
                raise
        self._is_taken = True
        try:
            yield
        finally:
            self._give()

    def _give(self) -> None:
        while self._waiting:
            given = heapq.heappop(self._waiting)[2]
            if not given.done():
                given.set_result(None)
                return
        self._is_taken = False


class Accounts:
    """The accounts of all links whose peers bind to us."""

    def __init__(
        self, links: Mapping[str, Link], now: Callable[[], float], evaluated: Callable[[], None] = lambda: None
    ) -> None:
        """`now`: monotonic seconds; `evaluated` hears of every password that is evaluated. Links that we bind to
        ourselves have no account here."""
        self._by_system_id = {
            link.config.system_id: link for link in links.values() if isinstance(link.config, ServerLink)
        }
        self._allowed = [each.network for link in links.values() for each in _allowed_from(link)]
        self._now = now
        self._evaluated = evaluated
        self._guesses: dict[str, _Guesses] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        """Addresses whose password was right before, the latest last."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argon2")
        self._turns = _Turns()
        self._waiting = 0
        self._next_evaluation = 0.0
        self._process_key = secrets.token_bytes(32)
        self._verified: dict[str, tuple[float, bytes]] = {}

    def close(self) -> None:
        """Lets the hashing thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def admits(self, peer_ip: str) -> bool:
        """Whether this address may talk to us at all: some link allows it, and it is not banned."""
        address = _address(peer_ip)
        if address is None or not any(address in network for network in self._allowed):
            return False
        guesses = self._guesses.get(peer_ip)
        return guesses is None or guesses.banned_until <= self._now()

    def link_of(self, system_id: str) -> Link | None:
        """Whose account this is."""
        return self._by_system_id.get(system_id)

    async def authenticate(
        self, system_id: str, password: str, peer_ip: str, *, secure: bool = False, certificate: str = ""
    ) -> Link | int:
        """The link of an account, or the status to refuse the bind with.

        ESME_RBINDFAIL for a wrong account, password, address or certificate (which of them is not told),
        ESME_RTHROTTLED when too many binds wait. `secure`: it came over TLS; `certificate`: the common name shown.
        """
        if not self.admits(peer_ip):
            return constants.ESME_RBINDFAIL
        is_stranger = peer_ip not in self._known
        if is_stranger and self._waiting >= WAITING_MAX:
            return constants.ESME_RTHROTTLED
        self._waiting += is_stranger
        try:
            matches = await self._evaluate(system_id, password, peer_ip)
        finally:
            self._waiting -= is_stranger
        link = self._by_system_id.get(system_id)
        if matches and link is not None and _may_come_from(link, peer_ip) and _is_as_agreed(link, secure, certificate):
            self._was_right(peer_ip)
            return link
        return constants.ESME_RBINDFAIL

    async def _evaluate(self, system_id: str, password: str, peer_ip: str) -> bool:
        """Whether the password is right. Each that is looked at counts as a failure until it has proved to be none."""
        digest = hmac.digest(self._process_key, f"{system_id}\0{password}".encode("utf-8", "replace"), "sha256")
        if self._is_known(system_id, digest):
            self._failed(peer_ip)
            return True
        async with self._turns.turn(self._rank(peer_ip)):
            if self._is_known(system_id, digest):
                self._failed(peer_ip)
                return True
            wait = self._next_evaluation - self._now()
            if wait > 0:
                await asyncio.sleep(wait)
            if not self.admits(peer_ip):  # banned while it waited
                return False
            self._failed(peer_ip)
            # The first evaluations after a quiet time are not delayed; a stream of them is.
            self._next_evaluation = self._now() + 1 / EVALUATIONS_PER_SECOND
            link = self._by_system_id.get(system_id)
            stored = link.config.password_hash if link and isinstance(link.config, ServerLink) else _NOBODY
            self._evaluated()
            loop = asyncio.get_running_loop()
            matches = await loop.run_in_executor(self._thread, _matches, stored, password)
            if matches and link is not None:
                self._verified[system_id] = (self._now() + VERIFIED_SECONDS, digest)
            return matches

    def _is_known(self, system_id: str, digest: bytes) -> bool:
        """Verified a moment ago: a peer that opens many binds at once need not wait for each."""
        known = self._verified.get(system_id)
        return known is not None and known[0] > self._now() and hmac.compare_digest(known[1], digest)

    def _rank(self, peer_ip: str) -> int:
        guesses = self._guesses.get(peer_ip)
        return 0 if peer_ip in self._known else 1 + (len(guesses.failures) if guesses else 0)

    def _was_right(self, peer_ip: str) -> None:
        self._guesses.pop(peer_ip, None)
        self._known[peer_ip] = None
        self._known.move_to_end(peer_ip)
        if len(self._known) > ADDRESSES_MAX:
            self._known.popitem(last=False)

    def _failed(self, peer_ip: str) -> None:
        if len(self._guesses) >= ADDRESSES_MAX and peer_ip not in self._guesses:
            del self._guesses[next(iter(self._guesses))]
        guesses = self._guesses.setdefault(peer_ip, _Guesses())
        now = self._now()
        guesses.failures.append(now)
        if len(guesses.failures) == FAILURES_MAX and now - guesses.failures[0] <= FAILURES_WITHIN_SECONDS:
            guesses.banned_until = now + min(BAN_SECONDS * 2**guesses.bans, BAN_SECONDS_MAX)
            guesses.bans += 1
            guesses.failures.clear()


def _matches(stored: str, password: str) -> bool:
    if len(password.encode("latin-1", "replace")) > PASSWORD_OCTETS_MAX:
        return False
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _may_come_from(link: Link, peer_ip: str) -> bool:
    address = _address(peer_ip)
    return address is not None and any(address in each.network for each in _allowed_from(link))


def _is_as_agreed(link: Link, secure: bool, certificate: str) -> bool:
    config = link.config
    if not isinstance(config, ServerLink):
        return False
    wanted = config.client_certificate
    return (secure or not config.tls) and (not wanted or hmac.compare_digest(wanted.encode(), certificate.encode()))


def _allowed_from(link: Link) -> tuple[AddressRange, ...]:
    if isinstance(link.config, ServerLink):
        return link.config.allowed_from
    return link.config.outbind.allowed_from if link.config.outbind else ()


def may_outbind(link: Link, system_id: str, peer_ip: str, *, secure: bool = False, name: str = "") -> bool:
    """Whether a centre at this address may ask us by outbind to bind to it as this link: it will be told our password.

    Where the link has TLS, the centre has come over TLS and shown a certificate of the name that the link wants.
    """
    config = link.config
    outbind = config.outbind if isinstance(config, ClientLink) else None
    if outbind is None or not isinstance(config, ClientLink):
        return False
    if config.tls is not None and not (secure and name == (config.tls.name or config.address.host)):
        return False
    return outbind.system_id in ("", system_id) and _may_come_from(link, peer_ip)


def _address(peer_ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(peer_ip)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
