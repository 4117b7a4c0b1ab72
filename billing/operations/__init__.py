"""The operations of the billing contract, one module a domain.

Rules of this package (pure): each module has a tuple `OPERATIONS`, and a line in `ALL` here. `billing.contract` checks
them all against its rules, and is where everybody else finds them.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from billing.operation import NOT_MANAGED, Operation
from billing.operations import (
    balances,
    blocking,
    cabinet,
    calls,
    delegation,
    extra_balance,
    faults,
    history,
    inbox,
    notices,
    numbers,
    requests,
    service_points,
    services,
    subscribers,
    tariffs,
    vouchers,
    wallet,
)

_LISTED: Final = (
    *subscribers.OPERATIONS,
    *balances.OPERATIONS,
    *history.OPERATIONS,
    *tariffs.OPERATIONS,
    *services.OPERATIONS,
    *extra_balance.OPERATIONS,
    *vouchers.OPERATIONS,
    *notices.OPERATIONS,
    *blocking.OPERATIONS,
    *requests.OPERATIONS,
    *faults.OPERATIONS,
    *service_points.OPERATIONS,
    *numbers.OPERATIONS,
    *delegation.OPERATIONS,
    *wallet.OPERATIONS,
    *cabinet.OPERATIONS,
    *inbox.OPERATIONS,
    *calls.OPERATIONS,
)

ALL: Final[tuple[Operation, ...]] = tuple(
    dataclasses.replace(each, refusals={**each.refusals, **NOT_MANAGED}) if each.by_manager else each
    for each in _LISTED
)
