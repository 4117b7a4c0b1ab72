"""Who may bind: addresses first, passwords slowly, a ban for who guesses."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from smpp import constants
from ussd_engine.accounts import BAN_SECONDS, FAILURES_MAX, PASSWORD_OCTETS_MAX, Accounts, hash_password, may_outbind
from ussd_engine.config import read_settings
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
