"""The subscribers of a campaign beside the seeded ones: payers with a wallet, and others who reserve from a balance.

All have much money and read Russian; the wallets have one PIN.
"""

from __future__ import annotations

from typing import Final

from billing.signing import key_from_file
from billing_core.passwords import Hasher
from chaos.stand import CHEAP_HASHING, Stand
from stack import places

PIN: Final = "8305"
FIRST_PAYER: Final = 996555900000
FIRST_RESERVER: Final = 77010900000

_SUBSCRIBERS: Final = """
INSERT INTO subscribers (msisdn, network, brand, status, language, held_since)
SELECT ($1::bigint + n)::text, $2, $3, 'active', 'ru', now() - interval '400 days' FROM generate_series(0, $4 - 1) AS n
"""
_ACCOUNTS: Final = """
INSERT INTO accounts (subscriber_id, kind, currency)
SELECT subscriber_id, $1, $2 FROM subscribers WHERE msisdn BETWEEN $3 AND $4
"""
_WALLETS: Final = """
INSERT INTO wallets (subscriber_id, account_id, first_name, last_name, inn, pin_hash)
SELECT subscriber_id, account_id, 'Азамат', 'Асанов', '2' || lpad(right(msisdn, 6), 13, '0'), $1
FROM accounts JOIN subscribers USING (subscriber_id) WHERE msisdn BETWEEN $2 AND $3 AND kind = 'wallet'
"""
_MONEY: Final = """
SELECT post(gen_random_uuid(), 'opening', currency,
            ARRAY[account_id, (SELECT account_id FROM accounts o WHERE kind = 'opening' AND o.currency = a.currency)],
            ARRAY[$1::bigint, -$1::bigint])
FROM accounts a JOIN subscribers USING (subscriber_id) WHERE msisdn BETWEEN $2 AND $3 AND kind = $4
"""
_MUCH_MINOR: Final = 5_000_000_000


async def add_people(stand: Stand, payers: int, reservers: int) -> None:
    """So many of each."""
    pepper = key_from_file(places.key_file(stand.data_folder, "pepper").read_bytes())
    hasher = Hasher(pepper, memory_kib=CHEAP_HASHING["memory_kib"], passes=CHEAP_HASHING["passes"])
    pin_hash = await hasher.hash(PIN)
    hasher.close()
    kinds = (
        (FIRST_PAYER, payers, "megacom", "MegaCom", "wallet", "KGS"),
        (FIRST_RESERVER, reservers, "kcell", "Kcell", "prepaid", "KZT"),
    )
    owner = await stand.owner()
    async with owner.transaction():
        for first, count, network, brand, kind, currency in kinds:
            between = (str(first), str(first + count - 1))
            await owner.execute(_SUBSCRIBERS, first, network, brand, count)
            await owner.execute(_ACCOUNTS, kind, currency, *between)
            if kind == "wallet":
                await owner.execute(_WALLETS, pin_hash, *between)
            await owner.execute(_MONEY, _MUCH_MINOR, *between, kind)
    await owner.close()
