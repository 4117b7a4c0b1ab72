"""Wallets of the bench's own, beside the seeded ones: many, with much money, and with one PIN."""

from __future__ import annotations

from typing import Final

import asyncpg

from billing.signing import key_from_file
from billing_core.passwords import Hasher
from stack import places
from stack.settings import Settings

FIRST_WALLET: Final = 996555900000
PIN: Final = "8305"

_SUBSCRIBERS: Final = """
INSERT INTO subscribers (msisdn, network, brand, status)
SELECT (996555900000 + n)::text, 'megacom', 'MegaCom', 'active' FROM generate_series(0, $1 - 1) AS n
ON CONFLICT DO NOTHING
"""
_ACCOUNTS: Final = """
INSERT INTO accounts (subscriber_id, kind, currency)
SELECT subscriber_id, 'wallet', 'KGS' FROM subscribers WHERE msisdn BETWEEN '996555900000' AND '996555999999'
ON CONFLICT (subscriber_id, kind) DO NOTHING
"""
_WALLETS: Final = """
INSERT INTO wallets (subscriber_id, account_id, first_name, last_name, inn, pin_hash)
SELECT subscriber_id, account_id, 'A', 'B', '2' || lpad(right(msisdn, 6), 13, '0'), $1
FROM accounts JOIN subscribers USING (subscriber_id) WHERE msisdn BETWEEN '996555900000' AND '996555999999'
ON CONFLICT (subscriber_id) DO UPDATE SET pin_hash = excluded.pin_hash
"""
_MONEY: Final = """
SELECT post(gen_random_uuid(), 'opening', 'KGS',
            ARRAY[account_id, (SELECT account_id FROM accounts WHERE kind = 'opening' AND currency = 'KGS')],
            ARRAY[100000000, -100000000])
FROM wallets JOIN accounts USING (account_id) WHERE balance_minor < 50000000 AND first_name = 'A'
"""


async def make_wallets(settings: Settings, count: int, memory_kib: int = 19456, passes: int = 2) -> None:
    """The wallets of the first `count` numbers, with much money, all with one PIN, hashed at this cost."""
    pepper = key_from_file(places.key_file(settings.data_folder, "pepper").read_bytes())
    hasher = Hasher(pepper, memory_kib=memory_kib, passes=passes)
    pin_hash = await hasher.hash(PIN)
    hasher.close()
    connection = await asyncpg.connect(places.postgres_url(settings.data_folder))
    await connection.execute(_SUBSCRIBERS, count)
    await connection.execute(_ACCOUNTS)
    await connection.execute(_WALLETS, pin_hash)
    await connection.execute(_MONEY)
    await connection.close()
