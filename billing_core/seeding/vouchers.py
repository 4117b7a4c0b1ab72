"""Twenty vouchers whose digits are known, for trying: `10000000000000` to `…09` in tenge, `…10` to `…19` in som."""

from __future__ import annotations

from billing_core.codes import Codes
from billing_core.database import Connection

# currency, worth in hundredths
_BATCHES = (("KZT", 100_000), ("KGS", 20_000))
_OF_EACH = 10
_ADD = "INSERT INTO vouchers (mark, currency, sum_minor) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"


def digits_of(n: int) -> str:
    """The digits of the demo voucher `n`, counted from 0."""
    return f"100000000000{n:02}"


async def seed_vouchers(connection: Connection, codes: Codes) -> None:
    """Adds the vouchers that are missing."""
    rows = [
        (codes.mark("voucher", digits_of(batch * _OF_EACH + n)), currency, sum_minor)
        for batch, (currency, sum_minor) in enumerate(_BATCHES)
        for n in range(_OF_EACH)
    ]
    await connection.executemany(_ADD, rows)
