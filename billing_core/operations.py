"""Which function does which operation: one line each. A test holds these tables against the contract.

Rules of this file: a reading operation only reads; a change is done in the transaction that claims its id; one that is
prepared does its long work before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

from billing.calls import Call, Done, Refused
from billing_core import balances, idempotency, inbox, subscribers, tariffs
from billing_core.cabinet import Cabinet
from billing_core.config import InboxRules
from billing_core.database import Connection
from billing_core.idempotency import Change, Preparing

Reading: TypeAlias = "Callable[[Connection, Call], Awaitable[Done | Refused]]"
"""How a reading operation is done: a domain's function of a connection and the call."""


class Operations(NamedTuple):
    """Every operation of the contract, in one of three tables."""

    reading: Mapping[str, Reading]
    changes: Mapping[str, Change]
    prepared: Mapping[str, Preparing]


def make_operations(cabinet: Cabinet, inbox_rules: InboxRules) -> Operations:
    """The tables, over what some domains need beside the database."""
    return Operations(
        reading={
            "subscribers.hello": subscribers.hello,
            "balances.get": balances.get,
            "tariffs.offered": tariffs.offered,
            "tariffs.current": tariffs.current,
            "calls.status": idempotency.status,
        },
        changes={
            "subscribers.set_language": subscribers.set_language,
            "inbox.accept": partial(inbox.accept, inbox_rules),
        },
        prepared={
            "cabinet.temporary_password": cabinet.temporary_password,
            "cabinet.login": cabinet.login,
            "cabinet.change_password": cabinet.change_password,
        },
    )
