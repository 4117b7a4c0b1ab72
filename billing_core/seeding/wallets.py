"""Twenty wallets for trying: the first ten numbers of both networks whose wallet it is, with PINs that are known.

Rules of this file: nobody gets a wallet again who closed it, and no person gets a second one.
"""

from __future__ import annotations

import datetime
import uuid
from typing import NamedTuple

from billing_core import ledger
from billing_core.database import Connection
from billing_core.passwords import Hasher
from billing_core.seeding.ranges import RANGES, held_since, seeded_holders

NETWORKS = ("megacom", "beeline-kg")
OF_EACH = 10
BALANCE_MINOR = 500_000
_CURRENCY = "KGS"
_CAUSES = uuid.UUID("b0a5f6de-1c7b-5e18-8d42-90c3e7a1f652")
_NAMES = (
    *(("Азамат", "Асанов"), ("Айгуль", "Токтогулова"), ("Бакыт", "Мамытов"), ("Нургүл", "Сыдыкова")),
    *(("Тилек", "Жумабеков"), ("Гүлзат", "Абдыкадырова"), ("Эркин", "Осмонов"), ("Айжан", "Бекова")),
    *(("Улан", "Кадыров"), ("Жылдыз", "Исакова")),
)

_LACKING = """
SELECT NOT EXISTS (SELECT FROM wallets WHERE subscriber_id = $1)
   AND NOT EXISTS (SELECT FROM wallets WHERE inn = $2 AND closed_at IS NULL)
"""
_ADD = """
INSERT INTO wallets (subscriber_id, account_id, first_name, last_name, inn, pin_hash, pin_at, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
"""
_POST_AT = "SELECT post($2, 'opening', $3, $4, $5) FROM set_config('billing.now', $1, true)"


class _Wallet(NamedTuple):
    msisdn: str
    subscriber_id: int
    first_name: str
    last_name: str
    inn: str
    pin: str
    opened_at: datetime.datetime


def pin_of(n: int) -> str:
    """The PIN of the wallets of the numbers that end in `n`, 0 to 9."""
    return f"{(n * 1117 + 4821) % 9000 + 1000}"


def inn_of(network: str, n: int) -> str:
    """The INN of the holder of a wallet: sex (1 a woman, 2 a man), day of birth, five digits."""
    serial = NETWORKS.index(network) * OF_EACH + n
    return f"{2 - n % 2}{11 + n:02}{1 + n:02}{1975 + n}{10100 + serial * 7}"


async def seed_wallets(connection: Connection, hasher: Hasher) -> None:
    """Opens the wallets that are missing, with money on them. Raises Busy."""
    house = ledger.Ledger()
    for network in NETWORKS:
        numbers = next(each for each in RANGES if each.network == network)
        for n, subscriber in (await seeded_holders(connection, numbers, OF_EACH)).items():
            person = (*_NAMES[n], inn_of(network, n))
            wallet = _Wallet(str(numbers.first + n), subscriber, *person, pin_of(n), held_since(n))
            if await connection.fetchval(_LACKING, subscriber, wallet.inn):
                await _open(connection, wallet, await hasher.hash(wallet.pin), house)


async def _open(connection: Connection, wallet: _Wallet, pin_hash: str, house: ledger.Ledger) -> None:
    cause = uuid.uuid5(_CAUSES, wallet.msisdn)
    async with connection.transaction():
        account = await ledger.open_account(connection, wallet.subscriber_id, "wallet", _CURRENCY)
        row = (wallet.first_name, wallet.last_name, wallet.inn, pin_hash, wallet.opened_at)
        await connection.execute(_ADD, wallet.subscriber_id, account, *row)
        opening = await house.house(connection, "opening", _CURRENCY, cause)
        accounts, sums = [account, opening], [BALANCE_MINOR, -BALANCE_MINOR]
        await connection.execute(_POST_AT, wallet.opened_at.isoformat(), cause, _CURRENCY, accounts, sums)
