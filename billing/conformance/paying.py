"""Promises of payments from a wallet: confirmed by the PIN, done once, and never after "not paid" was told.

Rules of this file:
- The least sum goes to another wallet for trying, or from the wallet to the account of its own number.
- One wrong PIN is used, and then the right one. What is said never holds either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from billing.calls import Done, Refused
from billing.conformance.ground import Ground, Wallet, asked, new_id, told
from billing.conformance.judging import is_refused
from billing.conformance.promise import Breach, Broken, NotTried, Promise
from billing.contract import Value

CONFIRM: Final = "wallet.confirm"
OUTCOME: Final = "wallet.outcome"
AT_ONCE: Final = 10
PENDING_SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 1.0
SUM_LEAST: Final = 10
"""In whole units, where the wallet does not tell the least sum it pays."""
_NOT_NOW: Final = ("NOT_ENOUGH_MONEY", "OPEN_PAYMENT", "LOCKED")
"""With these a wallet is refused a quote, and nobody is to blame."""


class _Quote(NamedTuple):
    """A payment that was quoted."""

    wallet: Wallet
    intent: str
    costs: int  # sum and fee, in hundredths


async def quoted(ground: Ground) -> list[Breach]:
    """The quote arrives again under its id; no money moves."""
    wallet, call_id = _wallet(ground), new_id()
    before, (operation, arguments) = await _balance(ground, wallet), await _least(ground, wallet)
    first = await ground.outcome(operation, arguments, number=wallet.number, call_id=call_id)
    again = await ground.outcome(operation, arguments, number=wallet.number, call_id=call_id)
    quote, found = _quote(wallet, operation, first), []
    how = asked(operation, wallet.number, "again under one id")
    if first != again:
        found.append(Breach(how, f"the first answer: {told(first)}", told(again)))
    sum_minor = first.result["sum"]["minor"] if isinstance(first, Done) else 0  # type: ignore[index,call-overload]
    if sum_minor != arguments["sum"] * 100 or quote.costs < sum_minor:  # type: ignore[operator]
        found.append(Breach(asked(operation, wallet.number), f"a quote of {arguments['sum']} and a fee", told(first)))
    return found + await _moved(ground, wallet, asked(operation, wallet.number), before, 0)


async def wrong_pin(ground: Ground) -> list[Breach]:
    """It counts once, however often it arrives, and the status operation knows of it."""
    quote, call_id = await _make_quote(ground), new_id()
    wallet = quote.wallet
    first = await _confirm(ground, quote, call_id, wallet.wrong_pin)
    if is_refused(first, "LOCKED"):
        raise NotTried("the PIN is locked, now or by this wrong one")
    how = asked(CONFIRM, wallet.number, "with a wrong PIN")
    if not is_refused(first, "WRONG_PIN"):
        raise Broken(how, "refused WRONG_PIN", told(first))
    again = await _confirm(ground, quote, call_id, wallet.wrong_pin)
    found = [] if again == first else [Breach(f"{how}, again", f"the first answer: {told(first)}", told(again))]
    came = await _outcome(ground, quote, call_id)
    if (came["outcome"], came.get("refusal")) != ("refused", "WRONG_PIN"):
        expected = "outcome refused, refusal WRONG_PIN"
        found.append(Breach(asked(OUTCOME, wallet.number, "about a wrong PIN"), expected, told(Done(came))))
    return found


async def paid_once(ground: Ground) -> list[Breach]:
    """Ten confirmations of one quote, each under its own id, at the same time; and the first one again."""
    quote = await _make_quote(ground)
    wallet, before, calls = quote.wallet, await _balance(ground, quote.wallet), [new_id() for _ in range(AT_ONCE)]
    how = asked(CONFIRM, wallet.number, f"{AT_ONCE} at once")
    outcomes = await asyncio.gather(*(_confirm(ground, quote, call_id, wallet.pin) for call_id in calls))
    found = [Breach(how, "done", told(came)) for came in outcomes if isinstance(came, Refused)]
    ends = [await _end(ground, quote, call_id) for call_id in calls]
    unlike = [told(Done(end)) for end in ends if end["outcome"] != "done"]
    found += [Breach(how, "outcome done, for each of them", came) for came in unlike]
    results = [*ends, *(came.result for came in outcomes if isinstance(came, Done))]
    if len(codes := {result["code"] for result in results if "code" in result}) > 1:
        found.append(Breach(how, "one payment code", f"{len(codes)} of them"))
    found += await _moved(ground, wallet, how, before, quote.costs)
    await _confirm(ground, quote, calls[0], wallet.pin)
    return found + await _moved(ground, wallet, f"{how}, and the first one again", before, quote.costs)


async def fenced(ground: Ground) -> list[Breach]:
    """A quote is asked about before it is confirmed: pending, then final; and what is confirmed after that is late."""
    quote, call_id = await _make_quote(ground), new_id()
    wallet, before = quote.wallet, await _balance(ground, quote.wallet)
    how = asked(OUTCOME, wallet.number, "about a quote that was not confirmed")
    came = await _outcome(ground, quote, call_id)
    if came["outcome"] != "pending":
        raise Broken(how, "outcome pending: a confirmation may still be on its way", told(Done(came)))
    end = await _end(ground, quote, call_id)
    if end["outcome"] != "refused":
        expected = f"outcome refused, within {PENDING_SECONDS_MAX:g} s"
        raise Broken(how, expected, told(Done(end)))
    late = await _confirm(ground, quote, new_id(), wallet.pin)
    found = []
    if not is_refused(late, str(end.get("refusal", "EXPIRED"))):
        expected = "refused, as it was told to be"
        found.append(Breach(asked(CONFIRM, wallet.number, "after that was told"), expected, told(late)))
    return found + await _moved(ground, wallet, asked(CONFIRM, wallet.number, "too late"), before, 0)


# --- how it is done -------------------------------------------------------------------------------------------------


def _wallet(ground: Ground) -> Wallet:
    if ground.wallet is None:
        raise NotTried("it takes a wallet: --wallet and --pin")
    return ground.wallet


async def _least(ground: Ground, wallet: Wallet) -> tuple[str, Mapping[str, Value]]:
    """The quoting operation, and its arguments with the least sum that the wallet pays."""
    operation = "wallet.quote_transfer" if wallet.to else "wallet.quote_mobile"
    to, least = wallet.to or wallet.number, SUM_LEAST
    came = await ground.outcome(operation, {"to": to, "sum": 0}, number=wallet.number)
    if isinstance(came, Refused) and came.code == "LIMIT" and "least" in came.details:
        least = -(-came.details["least"]["minor"] // 100)  # type: ignore[index,call-overload,operator]
    return operation, {"to": to, "sum": least}


async def _make_quote(ground: Ground) -> _Quote:
    """A new one. An earlier payment that is still being checked is waited for."""
    wallet, deadline = _wallet(ground), time.monotonic() + PENDING_SECONDS_MAX
    operation, arguments = await _least(ground, wallet)
    came = await ground.outcome(operation, arguments, number=wallet.number)
    while is_refused(came, "OPEN_PAYMENT") and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        came = await ground.outcome(operation, arguments, number=wallet.number)
    return _quote(wallet, operation, came)


def _quote(wallet: Wallet, operation: str, came: Done | Refused) -> _Quote:
    if isinstance(came, Refused):
        if came.code in _NOT_NOW:
            raise NotTried(f"the wallet cannot pay now: {came.code}")
        raise Broken(asked(operation, wallet.number), "done", told(came))
    result: Any = came.result
    return _Quote(wallet, result["intent"], result["sum"]["minor"] + result["fee"]["minor"])


async def _confirm(ground: Ground, quote: _Quote, call_id: str, pin: str) -> Done | Refused:
    arguments = {"intent": quote.intent, "pin": pin}
    return await ground.outcome(CONFIRM, arguments, number=quote.wallet.number, call_id=call_id)


async def _outcome(ground: Ground, quote: _Quote, call_id: str) -> Mapping[str, Any]:
    arguments = {"call": call_id, "intent": quote.intent}
    return await ground.result(OUTCOME, arguments, number=quote.wallet.number)


async def _end(ground: Ground, quote: _Quote, call_id: str) -> Mapping[str, Any]:
    """The outcome once it is not pending, and no biller is waited for; as it is then, when that takes too long."""
    deadline = time.monotonic() + PENDING_SECONDS_MAX
    while True:
        came = await _outcome(ground, quote, call_id)
        is_open = came["outcome"] == "pending" or came.get("state") == "checking"
        if not is_open or time.monotonic() >= deadline:
            return came
        await asyncio.sleep(POLL_SECONDS)


async def _balance(ground: Ground, wallet: Wallet) -> int:
    balance: int = (await ground.result("wallet.balance", number=wallet.number))["balance"]["minor"]
    return balance


async def _moved(ground: Ground, wallet: Wallet, how: str, before: int, costs: int) -> list[Breach]:
    """A breach, when another sum has left the wallet than this one."""
    left = before - await _balance(ground, wallet)
    if left == costs:
        return []
    return [Breach(how, f"{costs / 100:.2f} leaves the wallet", f"{left / 100:.2f} has left it")]


PROMISES: Final = (
    Promise("wallet.quoted", "A payment that is quoted moves nothing, and is quoted once under one id.", quoted),
    Promise("wallet.wrong_pin", "A wrong PIN is refused, counts once, and `wallet.outcome` tells of it.", wrong_pin),
    Promise("wallet.paid_once", f"A payment that is confirmed {AT_ONCE} times at once is paid once.", paid_once),
    Promise(
        "wallet.fenced",
        f"A payment that was asked about is pending, and final in {PENDING_SECONDS_MAX:g} s; a late PIN pays nothing.",
        fenced,
    ),
)
