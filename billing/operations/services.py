"""Services beside the tariff: those connected, those on offer, connecting and disconnecting."""

from __future__ import annotations

from typing import Final

from billing.operation import NOT_WHILE_BARRED, Operation, change
from billing.operations.quotes import CONFIRMS, MISSING, NOT_CONFIRMED, NOT_ENOUGH, QUOTED, TRIES_LEFT
from billing.operations.tariffs import FEE, PERIOD
from billing.values import Field, Flag, Id, Instant, ListOf, Money, Text

SERVICES_MOST: Final = 40
_NAME: Final = Field(Text(24), "its name in the language of the call")
_ONE: Final = {
    "id": Field(Id(), "its name for programs"),
    "name": _NAME,
    "fee": FEE,
    "fee_period": PERIOD,
    "conditions": Field(Text(160), "what it gives, in the language of the call"),
}

OPERATIONS: Final = (
    Operation(
        name="services.connected",
        means="The services of the number.",
        results={
            "services": Field(ListOf({**_ONE, "since": Field(Instant(), "since when")}, SERVICES_MOST), "the services")
        },
        refusals=NOT_WHILE_BARRED,
        by_manager=True,
    ),
    Operation(
        name="services.offered",
        means="The services that the number could have.",
        results={"services": Field(ListOf(_ONE, SERVICES_MOST), "the services")},
        refusals=NOT_WHILE_BARRED,
        by_manager=True,
    ),
    change(
        name="services.quote",
        means="What it would cost now to connect a service, or that it would be disconnected.",
        arguments={
            "service": Field(Id(), "its `id`"),
            "connect": Field(Flag(), "true: connect, false: disconnect"),
        },
        results={**QUOTED, "name": _NAME, "fee": FEE, "fee_period": PERIOD},
        refusals={
            **NOT_WHILE_BARRED,
            **NOT_ENOUGH,
            "NO_SUCH_SERVICE": "the network does not offer it",
            "IS_SO": "it is connected already, or is not connected",
        },
        details={"missing": MISSING},
        by_manager=True,
    ),
    change(
        name="services.confirm",
        means="Connects or disconnects the service as it was quoted, and tells it by SMS.",
        arguments=CONFIRMS,
        results={
            "name": _NAME,
            "connected": Field(Flag(), "whether it is connected now"),
            "balance": Field(Money(), "what is on the account now"),
        },
        refusals={**NOT_WHILE_BARRED, **NOT_CONFIRMED, **NOT_ENOUGH, "IS_SO": "somebody was faster"},
        details={"missing": MISSING, "tries_left": TRIES_LEFT},
        by_manager=True,
    ),
)
