"""Who may bind: addresses first, passwords slowly, a ban for who guesses."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import extract_parameters

from smpp import constants
from ussd_engine import accounts as accounts_module
from ussd_engine.accounts import (
    BAN_SECONDS,
    FAILURES_MAX,
    PASSWORD_OCTETS_MAX,
    VERIFIED_SECONDS,
    WAITING_MAX,
    Accounts,
    hash_password,
    may_outbind,
)
from ussd_engine.config import Link, read_settings
from ussd_engine.peer_config import Address, AddressRange, ClientLink, ClientTls, OutbindConfig, ServerLink

LINKS = read_settings(Path(__file__).resolve().parents[3] / "config.yaml").links
HERE = "127.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def accounts(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Accounts]:
    async def pass_time(seconds: float) -> None:
        clock.seconds += seconds

    monkeypatch.setattr(asyncio, "sleep", pass_time)
    accounts = Accounts(LINKS, clock)
    yield accounts
    accounts.close()


async def test_the_right_password_from_an_allowed_address_is_let_in(accounts: Accounts) -> None:
    assert await accounts.authenticate("ussdc", "secret", HERE) is LINKS["kcell-ussdc"]


@pytest.mark.parametrize(("system_id", "password"), [("ussdc", "wrong"), ("nobody", "secret"), ("", ""), ("ussdc", "")])
async def test_everything_else_gets_one_answer(accounts: Accounts, system_id: str, password: str) -> None:
    assert await accounts.authenticate(system_id, password, HERE) == constants.ESME_RBINDFAIL


async def test_an_address_that_no_link_allows_is_not_talked_to(accounts: Accounts) -> None:
    assert not accounts.admits("10.0.0.1")
    assert not accounts.admits("not an address")
    assert accounts.admits("::ffff:127.0.0.1")
    assert await accounts.authenticate("ussdc", "secret", "10.0.0.1") == constants.ESME_RBINDFAIL


async def test_five_failures_in_a_minute_ban_for_fifteen_and_the_next_ban_is_twice_as_long(
    accounts: Accounts, clock: Clock
) -> None:
    for times in (1, 2):
        for _ in range(FAILURES_MAX):
            assert accounts.admits(HERE)
            await accounts.authenticate("ussdc", "wrong", HERE)
        assert not accounts.admits(HERE)
        assert await accounts.authenticate("ussdc", "secret", HERE) == constants.ESME_RBINDFAIL
        clock.seconds += BAN_SECONDS * times - 1
        assert not accounts.admits(HERE)
        clock.seconds += 1.5
    assert await accounts.authenticate("ussdc", "secret", HERE) is LINKS["kcell-ussdc"]


async def test_of_guesses_made_at_once_none_is_evaluated_once_their_address_is_banned(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[str] = []
    monkeypatch.setattr("ussd_engine.accounts._matches", lambda _stored, password: evaluated.append(password) is None)
    monkeypatch.setattr(accounts, "_by_system_id", {})  # so that even a right one lets nobody in
    guesses = [accounts.authenticate("ussdc", f"guess {n}", HERE) for n in range(4 * FAILURES_MAX)]
    assert await asyncio.gather(*guesses) == [constants.ESME_RBINDFAIL] * len(guesses)
    assert len(evaluated) == FAILURES_MAX


async def test_failures_far_apart_do_not_ban(accounts: Accounts, clock: Clock) -> None:
    for _ in range(3 * FAILURES_MAX):
        await accounts.authenticate("ussdc", "wrong", HERE)
        clock.seconds += 20
    assert accounts.admits(HERE)


async def test_passwords_are_evaluated_at_most_twice_a_second(accounts: Accounts, clock: Clock) -> None:
    before = clock.seconds
    for guess in range(4):
        await accounts.authenticate("ussdc", f"guess {guess}", HERE)
    assert clock.seconds - before >= 1.5


async def test_a_right_password_is_known_for_a_while_so_that_many_binds_can_be_opened_at_once(
    accounts: Accounts, clock: Clock
) -> None:
    before = clock.seconds
    for _ in range(20):
        assert await accounts.authenticate("ussdc", "secret", HERE) is LINKS["kcell-ussdc"]
    assert clock.seconds == before
    assert await accounts.authenticate("ussdc", "Secret", HERE) == constants.ESME_RBINDFAIL


async def test_a_password_that_is_too_long_is_refused_not_cut(accounts: Accounts) -> None:
    assert await accounts.authenticate("ussdc", "secret" + "\0" * 100, HERE) == constants.ESME_RBINDFAIL
    with pytest.raises(ValueError, match="octets"):
        hash_password("x" * (PASSWORD_OCTETS_MAX + 1))


async def test_an_account_that_wants_tls_and_a_certificate_is_not_let_in_without_them(clock: Clock) -> None:
    link = LINKS["kcell-ussdc"]
    assert isinstance(link.config, ServerLink)
    wants = link._replace(config=replace(link.config, tls=True, client_certificate="centre-7"))
    accounts = Accounts({"kcell-ussdc": wants}, clock)
    right = await accounts.authenticate("ussdc", "secret", HERE, secure=True, certificate="centre-7")
    assert right is wants
    for secure, certificate in ((False, "centre-7"), (True, ""), (True, "centre-8")):
        refused = await accounts.authenticate("ussdc", "secret", HERE, secure=secure, certificate=certificate)
        assert refused == constants.ESME_RBINDFAIL
    accounts.close()


async def test_where_no_address_is_allowed_nobody_is(clock: Clock) -> None:
    link = LINKS["kcell-ussdc"]
    assert isinstance(link.config, ServerLink)
    accounts = Accounts({"kcell-ussdc": link._replace(config=replace(link.config, allowed_from=()))}, clock)
    assert not accounts.admits(HERE)
    assert await accounts.authenticate("ussdc", "secret", HERE) == constants.ESME_RBINDFAIL
    accounts.close()


async def test_binds_that_come_at_once_pay_for_one_evaluation(accounts: Accounts, clock: Clock) -> None:
    begun = clock.seconds
    found = await asyncio.gather(*(accounts.authenticate("ussdc", "secret", HERE) for _ in range(6)))
    assert set(found) == {LINKS["kcell-ussdc"]}
    assert clock.seconds - begun <= 0.5


def open_to_all(clock: Clock, evaluated: Callable[[], None] = lambda: None) -> Accounts:
    """The account may be bound from many addresses."""
    link = LINKS["kcell-ussdc"]
    assert isinstance(link.config, ServerLink)
    everywhere = (AddressRange(ipaddress.ip_network("127.0.0.0/8")),)
    return Accounts({"": link._replace(config=replace(link.config, allowed_from=everywhere))}, clock, evaluated)


async def test_a_peer_that_was_bound_before_goes_before_all_who_guess_and_is_never_too_many(
    accounts: Accounts, clock: Clock
) -> None:
    accounts = open_to_all(clock)
    assert not isinstance(await accounts.authenticate("ussdc", "secret", HERE), int)
    clock.seconds += VERIFIED_SECONDS + 1
    order: list[str] = []

    async def bind(who: str, password: str, address: str) -> int | Link:
        answer = await accounts.authenticate("ussdc", password, address)
        order.append(who)
        return answer

    guesses = [asyncio.ensure_future(bind("guess", "wrong", f"127.0.1.{n}")) for n in range(WAITING_MAX + 1)]
    assert await guesses[-1] == constants.ESME_RTHROTTLED
    begun = clock.seconds
    assert not isinstance(await bind("peer", "secret", HERE), int)
    assert order == ["guess", "guess", "peer"]  # one that was too many, and the one that was being looked at
    assert clock.seconds - begun <= 1.0
    for guess in guesses:
        guess.cancel()
    accounts.close()


async def test_of_strangers_who_has_failed_least_goes_first(accounts: Accounts, clock: Clock) -> None:
    accounts = open_to_all(clock)
    for n in range(3):
        await accounts.authenticate("ussdc", f"guess {n}", "127.0.1.1")
    guesses = [asyncio.ensure_future(accounts.authenticate("ussdc", "wrong", "127.0.1.1")) for _ in range(20)]
    assert not isinstance(await accounts.authenticate("ussdc", "secret", HERE), int)
    assert sum(guess.done() for guess in guesses) <= 1
    await asyncio.gather(*guesses)
    accounts.close()


async def test_a_guess_counts_before_it_is_compared_also_when_nobody_waits_for_the_answer(
    accounts: Accounts, clock: Clock
) -> None:
    looked_at = asyncio.Event()
    accounts = open_to_all(clock, looked_at.set)
    for guess in range(FAILURES_MAX):
        looked_at.clear()
        going = asyncio.ensure_future(accounts.authenticate("ussdc", f"guess {guess}", HERE))
        await looked_at.wait()
        going.cancel()
    assert not accounts.admits(HERE)
    accounts.close()


async def test_what_waited_while_its_address_was_banned_is_neither_evaluated_nor_counted(
    accounts: Accounts, clock: Clock
) -> None:
    evaluated: list[None] = []
    accounts = open_to_all(clock, lambda: evaluated.append(None))
    found = await asyncio.gather(*(accounts.authenticate("ussdc", f"guess {n}", HERE) for n in range(20)))
    assert set(found) == {constants.ESME_RBINDFAIL}
    assert len(evaluated) == FAILURES_MAX
    clock.seconds += BAN_SECONDS
    assert accounts.admits(HERE), "the first ban is one of fifteen minutes"
    accounts.close()


async def test_who_gives_up_waiting_holds_nobody_up(accounts: Accounts, clock: Clock) -> None:
    accounts = open_to_all(clock)
    guesses = [asyncio.ensure_future(accounts.authenticate("ussdc", "wrong", f"127.0.1.{n}")) for n in range(10)]
    await guesses[0]
    for guess in guesses:
        guess.cancel()
    assert not isinstance(await accounts.authenticate("ussdc", "secret", HERE), int)
    accounts.close()


def test_a_centre_may_ask_to_be_bound_to_from_its_address_by_its_name_and_over_tls_where_that_is_wanted() -> None:
    outbind = OutbindConfig((AddressRange(ipaddress.ip_network("10.1.2.3/32")),), "smsc")
    fields = {"network": "kcell", "dialect": "standard", "trust": "operator", "system_id": "menu", "role": "client"}
    config = ClientLink(**fields, address=Address("smsc.kz", 2775), password_file="pw", outbind=outbind)  # type: ignore[arg-type]
    link = LINKS["kcell-ussdc"]._replace(config=config)
    assert may_outbind(link, "smsc", "10.1.2.3")
    assert not may_outbind(link, "smsc", "10.1.2.4")
    assert not may_outbind(link, "other", "10.1.2.3")
    assert not may_outbind(LINKS["kcell-ussdc"], "smsc", HERE)
    secured = link._replace(config=replace(config, tls=ClientTls("ca.pem")))
    assert not may_outbind(secured, "smsc", "10.1.2.3")
    assert not may_outbind(secured, "smsc", "10.1.2.3", secure=True, name="other.kz")
    assert may_outbind(secured, "smsc", "10.1.2.3", secure=True, name="smsc.kz")


def test_what_an_unknown_system_id_is_compared_with_costs_as_much_as_a_password() -> None:
    assert extract_parameters(accounts_module._NOBODY) == extract_parameters(hash_password("secret"))
