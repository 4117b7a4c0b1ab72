"""The operations of the billing contract, one module a domain.

Rules of this package (pure): each module has a tuple `OPERATIONS`, and a line in `ALL` here. `billing.contract` checks
them all against its rules, and is where everybody else finds them.
"""

from __future__ import annotations

from typing import Final

from billing.operation import Operation
from billing.operations import balances, cabinet, calls, inbox, subscribers, tariffs

ALL: Final[tuple[Operation, ...]] = (
    *subscribers.OPERATIONS,
    *balances.OPERATIONS,
    *tariffs.OPERATIONS,
    *cabinet.OPERATIONS,
    *inbox.OPERATIONS,
    *calls.OPERATIONS,
)
