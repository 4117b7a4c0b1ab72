"""Which function does which operation: the operation `domain.what` is the method `what` of its domain.

Rules of this file:
- A reading operation only reads. A change is done in the transaction that claims its id, its subscriber's row locked.
- `DIRECT` ones find their subscribers themselves. `PREPARED` ones do their long work before the transaction, and give
  the change. `WHOLE` ones have more than one transaction.
- What a manager has changed, the holder is told of, in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from billing.calls import Call, Done, Refused
from billing.contract import OPERATIONS
from billing_core import idempotency
from billing_core.database import Connection, Pool
from billing_core.domains import balances, blocking, history, missed_calls, subscribers, tariffs
from billing_core.domains.balances import Balances
from billing_core.domains.cabinet import Cabinet
from billing_core.domains.delegation import Delegation
from billing_core.domains.extra_balance import ExtraBalance
from billing_core.domains.faults import Faults
from billing_core.domains.inbox import Inbox
from billing_core.domains.notice_settings import NoticeSettings
from billing_core.domains.numbers import Numbers
from billing_core.domains.payments import Payments
from billing_core.domains.requests import Requests
from billing_core.domains.service_points import ServicePoints
from billing_core.domains.services import Services
from billing_core.domains.statements import Statements
from billing_core.domains.tariffs import Tariffs
from billing_core.domains.vouchers import Vouchers
from billing_core.domains.wallet_moves import WalletMoves
from billing_core.domains.wallet_pins import WalletPins
from billing_core.domains.wallet_quotes import WalletQuotes
from billing_core.domains.wallets import Wallets
from billing_core.idempotency import Answer, Change, Counted, Outdated, perform_once, perform_prepared
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import ChangeOf, Who, who_calls

Performing: TypeAlias = "Callable[[Pool, Call], Awaitable[Done | Refused]]"
"""How an operation is done."""
PreparingOf: TypeAlias = "Callable[[Pool, Call, Who], Awaitable[ChangeOf]]"

DIRECT: Final = frozenset(
    {
        *("subscribers.hello", "balances.get", "calls.status", "wallet.outcome"),
        *("requests.call_me", "requests.pay_for_me", "requests.free_sms", "delegation.request", "delegation.end"),
    }
)
PREPARED: Final = frozenset(
    {
        *("cabinet.temporary_password", "cabinet.login", "cabinet.change_password"),
        *("wallet.register", "wallet.reset_pin"),
        *("wallet.begin_pin_change", "wallet.choose_pin", "wallet.confirm_pin"),
    }
)
WHOLE: Final = frozenset({"wallet.confirm"})

_CHANGED: Final = {"tariffs": "tariff", "services": "service", "vouchers": "voucher"}
_NAMED_SO: Final = frozenset({"extra_balance", "notices", "blocking"})


class Domains:
    """Every domain, made over the tools."""

    def __init__(self, tools: Tools) -> None:
        prepaid, wallets = Balances(tools), Wallets(tools)
        self.payments = Payments(tools, wallets, prepaid)
        self.by_name: Mapping[str, tuple[Any, ...]] = {
            "subscribers": (subscribers,),
            "balances": (balances, prepaid),
            "missed_calls": (missed_calls,),
            "history": (history,),
            "statements": (Statements(tools),),
            "tariffs": (tariffs, Tariffs(tools, prepaid)),
            "services": (Services(prepaid),),
            "extra_balance": (ExtraBalance(tools),),
            "vouchers": (Vouchers(tools, prepaid),),
            "notices": (NoticeSettings(tools),),
            "blocking": (blocking,),
            "requests": (Requests(tools),),
            "faults": (Faults(tools),),
            "service_points": (ServicePoints(tools),),
            "numbers": (Numbers(tools, prepaid),),
            "delegation": (Delegation(tools),),
            "wallet": (
                *(wallets, WalletPins(tools, wallets), WalletQuotes(tools, wallets)),
                *(self.payments, WalletMoves(tools)),
            ),
            "cabinet": (Cabinet(tools),),
            "inbox": (Inbox(tools),),
            "calls": (idempotency,),
        }

    def function(self, operation: str) -> Any:
        """What does the operation. Raises LookupError."""
        domain, _, what = operation.partition(".")
        for part in self.by_name[domain]:
            if hasattr(part, what):
                return getattr(part, what)
        raise LookupError(f"nothing does {operation}")


def make_operations(domains: Domains) -> Mapping[str, Performing]:
    """Every operation of the contract, ready to be performed."""
    return {name: _performing(name, domains.function(name)) for name in OPERATIONS}


def _performing(name: str, function: Any) -> Performing:
    if name in WHOLE:
        whole: Performing = function
        return whole
    if name in PREPARED:
        return partial(_prepared, function)
    if OPERATIONS[name].changes:
        return partial(_change, function if name in DIRECT else partial(_of_locked, function))
    return partial(_read, partial(_direct if name in DIRECT else _of_found, function))


async def _read(reading: Any, pool: Pool, call: Call) -> Done | Refused:
    async with pool.acquire() as connection:
        outcome: Done | Refused = await reading(connection, call)
        return outcome


async def _change(change: Change, pool: Pool, call: Call) -> Done | Refused:
    async with pool.acquire() as connection:
        return await perform_once(connection, call, change)


async def _prepared(preparing: PreparingOf, pool: Pool, call: Call) -> Done | Refused:
    async def prepare(pool: Pool, call: Call) -> Change:
        async with pool.acquire() as connection:
            who = await who_calls(connection, call, lock=False)
        change = _outdated if isinstance(who, Refused) else await preparing(pool, call, who)
        return partial(_of_locked, change)

    return await perform_prepared(pool, call, prepare)


async def _outdated(_connection: Connection, _call: Call, _who: Who) -> Answer:
    raise Outdated("the number was not served when its call was prepared, and is now")


async def _direct(reading: Any, connection: Connection, call: Call) -> Done | Refused:
    """For who asks for another number, that one is looked up first, as everywhere else."""
    who = await who_calls(connection, call, lock=False) if call.by else None
    outcome: Done | Refused = who if isinstance(who, Refused) else await reading(connection, call)
    return outcome


async def _of_found(reading: Any, connection: Connection, call: Call) -> Done | Refused:
    who = await who_calls(connection, call, lock=False)
    outcome: Done | Refused = who if isinstance(who, Refused) else await reading(connection, call, who)
    return outcome


async def _of_locked(change: ChangeOf, connection: Connection, call: Call) -> Answer:
    who = await who_calls(connection, call, lock=True)
    if isinstance(who, Refused):
        return who
    answer = await change(connection, call, who)
    if call.by and not isinstance(answer, Refused | Counted) and not call.operation.endswith(".quote"):
        domain = call.operation.partition(".")[0]
        what = domain if domain in _NAMED_SO else _CHANGED.get(domain, "other")
        cause = str(call.arguments.get("intent", call.id))  # confirmed again, nothing new has happened
        await write_notice(connection, who.id, cause, "delegation.changed", {"caller": call.by, "what": what})
    return answer
