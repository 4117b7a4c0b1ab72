"""Payments from a wallet: confirmed by the PIN, done once, and settled whatever happens in between.

Rules of this file:
- A confirmation that is final already gets the stored answer. Else, in one transaction: the PIN's try, the claim of the
  quote, the money, the state, the notice.
- A biller outside is asked between two transactions: the first reserves the money (`held`), the second gives it to the
  biller, or back. Yes gives, a definite no gives back, anything else leaves it reserved, to be asked by id later.
- Nobody is told "not paid" before the quote is fenced. Whoever was told that it is being checked gets an SMS.
- Settling twice does nothing the second time.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec
import structlog

import failpoints
from billing.calls import Call, Done, Refused
from billing.contract import MONEY_MINOR_MOST, Value
from billing_core import idempotency, intents
from billing_core.billers import Accepted, Declined, NotKnown, Order
from billing_core.billers import Answer as BillerAnswer
from billing_core.database import UNAVAILABLE, Connection, Pool, in_transaction
from billing_core.domains.balances import Balances
from billing_core.domains.wallet_quotes import is_served
from billing_core.domains.wallets import KINDS, NO_WALLET, Wallets, wallets_of
from billing_core.guessing import Typed, hashed_like
from billing_core.idempotency import Change, Counted, OutcomeUnknown, Outdated, perform_prepared
from billing_core.ledger import money
from billing_core.notices import write_notice
from billing_core.tools import Tools
from billing_core.who import Who, admitted, find, find_all, find_by_id, named

BILLER_SECONDS_MAX: Final = 0.7
"""How long a confirmation waits for a biller; then it is being checked."""
_GRACE_SECONDS: Final = 0.2
"""How much longer an adapter may take that keeps no time."""
WAIT_SECONDS_MAX: Final = 1.0
"""How long another confirmation of the same quote waits for the first one's end."""
_POLL_SECONDS: Final = 0.03
LEASE_SECONDS: Final = 10
"""How long whoever asks a biller is left alone by the sweeper."""
_AGAIN_SECONDS_MAX: Final = 60
FIRST_CODE: Final = 1_000_000_000
NOT_ACCEPTED: Final = Refused("NOT_ACCEPTED", {})
FENCE_SECONDS: Final = 15
"""So long after it was asked about, a quote that was not confirmed is fenced."""

_SEEN = """
SELECT i.state, i.terms ->> 'to' AS to_number, w.pin_hash, w.wrong_in_all, w.locked_until, moment() AS now
FROM intents i JOIN subscribers s USING (subscriber_id)
LEFT JOIN wallets w ON w.subscriber_id = s.subscriber_id AND w.closed_at IS NULL
WHERE i.intent_id = $1 AND i.kind = ANY ($2) AND s.msisdn = $3 AND s.held_until IS NULL
"""
_RESERVE = """
UPDATE intents SET state = 'reserved', claimed_at = moment(), try_at = moment() + make_interval(secs => $2)
WHERE intent_id = $1
"""
_TAKE_ON = """
UPDATE intents SET tries = 1, try_at = moment() + make_interval(secs => $2)
WHERE intent_id = $1 AND state = 'reserved' AND tries = 0
RETURNING intent_id, terms, sum_minor, currency
"""
_FOR_SETTLING = """
SELECT intent_id, kind, subscriber_id, state, terms, sum_minor, fee_minor, currency, outcome, asked_at, moment() AS now
FROM intents WHERE intent_id = $1 FOR UPDATE
"""
_ASK_LATER = """
UPDATE intents SET problem = $2, try_at = moment() + make_interval(secs => least($3, 2 ^ least(tries, 6))),
                   asked_at = coalesce(asked_at, moment())
WHERE intent_id = $1
"""
_PROMISE = """
UPDATE intents SET asked_at = coalesce(asked_at, moment()),
                   expires_at = least(expires_at, moment() + make_interval(secs => $2))
WHERE intent_id = $1
"""
_ENDED = "SELECT state, outcome, sum_minor, fee_minor, currency FROM intents WHERE intent_id = $1"
_POSTED = """
SELECT p.posting_id, e.after_minor FROM postings p JOIN entries e USING (posting_id)
WHERE p.cause = $1 AND p.kind = $2 AND e.account_id = $3
"""
_BALANCE = "SELECT balance_minor FROM accounts WHERE account_id = $1"
_WALLET_ACCOUNT = "SELECT account_id FROM wallets WHERE subscriber_id = $1"
_STATUS_INTENT = """
SELECT state, outcome, intent_id, subscriber_id, terms, sum_minor, currency
FROM intents WHERE intent_id = $1 AND subscriber_id = $2 AND kind = ANY ($3) FOR UPDATE
"""


_log = structlog.stdlib.get_logger("billing_core.payments")


class _Payer(NamedTuple):
    """Who pays, from what."""

    who: Who
    account: int
    balance: int


class Payments:
    """`wallet.confirm`, `wallet.outcome`, and the end of what a biller left open."""

    def __init__(self, tools: Tools, wallets: Wallets, balances: Balances) -> None:
        self._tools = tools
        self._wallets = wallets
        self._balances = balances
        self._at_work: set[asyncio.Task[None]] = set()

    # --- confirming ---

    async def confirm(self, pool: Pool, call: Call) -> Done | Refused:
        """`wallet.confirm`, as a whole: transactions and the biller between them."""
        answer = await perform_prepared(pool, call, self._prepare)
        if not isinstance(answer, Done) or answer.result["state"] != "checking":
            return answer
        try:
            return await self._finish(pool, uuid.UUID(str(call.arguments["intent"])))
        except (asyncio.CancelledError, *UNAVAILABLE) as error:  # the money is held: nobody may be told "not done"
            raise OutcomeUnknown(f"{type(error).__name__} while the biller was asked") from error

    async def _prepare(self, pool: Pool, call: Call) -> Change:
        """Hashes the PIN, when it will be looked at. What a quote is for never changes."""
        async with pool.acquire() as connection:
            seen = await _seen(connection, call)
        typed: Typed | None = None
        is_tried = seen is not None and seen["state"] == "quoted" and seen["pin_hash"] is not None
        if is_tried and self._wallets.guessing.locked(seen, seen["now"]) is None:
            typed = await hashed_like(self._tools.hasher, [seen["pin_hash"]], str(call.arguments["pin"]))
        to = None if seen is None else seen["to_number"]

        async def change(connection: Connection, call: Call) -> Done | Refused | Counted:
            return await self._confirm(connection, call, to, typed)

        return change

    async def _confirm(
        self, connection: Connection, call: Call, to: str | None, typed: Typed | None
    ) -> Done | Refused | Counted:
        found = await find_all(connection, (call.msisdn, to or call.msisdn))
        who = await admitted(connection, call, found.get(call.msisdn))
        if isinstance(who, Refused):
            return who
        wallets = await wallets_of(connection, *found.values())
        wallet = wallets.get(who.id)
        if wallet is None:
            return NO_WALLET
        intent = await intents.locked(connection, who, str(call.arguments["intent"]), KINDS)
        if not isinstance(intent, intents.Intent):
            return intent
        if intent.terms.get("to") != to:
            raise Outdated("the quote was not seen before")
        if (answer := await self._wallets.judged(connection, call, who, wallet, typed)) is not None:
            return answer
        payer = _Payer(who, wallet["account_id"], wallet["balance_minor"])
        missing = intent.sum_minor + intent.fee_minor - payer.balance
        if missing > 0:
            return await intents.refused(connection, intent, _missing(missing, intent.currency), who.now)
        if intent.kind == "payment":
            return await self._reserve(connection, intent, payer)
        receiver = found.get(to or "")
        if receiver is None or not is_served(receiver, who):
            return await intents.refused(connection, intent, NOT_ACCEPTED, who.now)
        if intent.kind == "transfer":
            return await self._transfer(connection, intent, payer, receiver, wallets.get(receiver.id))
        return await self._mobile(connection, intent, payer, receiver)

    async def _reserve(self, connection: Connection, intent: intents.Intent, payer: _Payer) -> Done:
        total, currency = intent.sum_minor + intent.fee_minor, intent.currency
        held = await self._tools.ledger.house(connection, "held", currency, intent.id)
        moves = {payer.account: -total, held: total}
        await self._tools.ledger.post(connection, intent.id, "wallet.payment", currency, moves)
        await connection.execute(_RESERVE, intent.id, LEASE_SECONDS)
        return Done(intents.being_checked(intent.sum_minor, intent.fee_minor, currency))

    async def _transfer(
        self, connection: Connection, intent: intents.Intent, payer: _Payer, receiver: Who, theirs: Any
    ) -> Done | Counted:
        if theirs is None or theirs["balance_minor"] + intent.sum_minor > MONEY_MINOR_MOST:
            return await intents.refused(connection, intent, NOT_ACCEPTED, payer.who.now)
        currency, sum_minor, to = intent.currency, intent.sum_minor, theirs["account_id"]
        fees = await self._tools.ledger.house(connection, "fees", currency, intent.id)
        moves = {payer.account: -sum_minor - intent.fee_minor, to: sum_minor, fees: intent.fee_minor}
        posted = await self._tools.ledger.post(connection, intent.id, "wallet.transfer", currency, moves)
        arguments: dict[str, Value] = {
            "caller": payer.who.msisdn,
            "sum": money(sum_minor, currency),
            "balance": money(posted.balances[to], currency),
        }
        await write_notice(connection, receiver.id, str(intent.id), "wallet.received", arguments)
        return await self._sent(connection, intent, payer.who, posted.id, posted.balances[payer.account])

    async def _mobile(
        self, connection: Connection, intent: intents.Intent, payer: _Payer, receiver: Who
    ) -> Done | Counted:
        source, kind = payer.account, "wallet.mobile"
        credited = await self._balances.credit(connection, receiver, intent.id, kind, source, intent.sum_minor)
        if isinstance(credited, Refused):
            return await intents.refused(connection, intent, NOT_ACCEPTED, payer.who.now)
        [(posting, balance)] = await connection.fetch(_POSTED, intent.id, kind, source)
        return await self._sent(connection, intent, payer.who, posting, balance)

    async def _sent(self, connection: Connection, intent: intents.Intent, who: Who, posting: int, balance: int) -> Done:
        """Ends a payment that is done in this transaction; `balance`: what the payer has after it."""
        code, currency = payment_code(posting), intent.currency
        sums = {"sum": money(intent.sum_minor, currency), "fee": money(intent.fee_minor, currency)}
        told: dict[str, Value] = {"code": code, **sums, "balance": money(balance, currency)}
        await write_notice(connection, who.id, str(intent.id), "wallet.sent", {**told, "to": intent.terms["to"]})
        return await intents.done(connection, intent, {"state": "paid", **told}, who.now, code)

    # --- the biller ---

    async def _finish(self, pool: Pool, intent_id: uuid.UUID) -> Done | Refused:
        """Asks the biller, when nobody has begun to; otherwise waits a little for who has."""
        async with pool.acquire() as connection:
            taken_on = await connection.fetchrow(_TAKE_ON, intent_id, LEASE_SECONDS)
        if taken_on is not None:
            task = asyncio.create_task(self._pay(pool, _order(taken_on)))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
            await asyncio.shield(task)
        deadline = time.monotonic() + (0 if taken_on is not None else WAIT_SECONDS_MAX)
        while (answer := await _ended(pool, intent_id)) is None:
            if time.monotonic() >= deadline:
                return await in_transaction(pool, _still_checked, intent_id)
            await asyncio.sleep(_POLL_SECONDS)
        return answer

    async def _pay(self, pool: Pool, order: Order) -> None:
        answer = await _answered(self._tools.billers.pay(order, BILLER_SECONDS_MAX))
        await self.settle(pool, order.payment_id, answer)

    async def ask(self, pool: Pool, row: Any) -> None:
        """Asks the biller what became of a reserved payment, and settles it; `row` as `_order` takes it. What cannot be
        settled is put off, with the reason, for people."""
        order = _order(row)
        answer = await _answered(self._tools.billers.ask(order, BILLER_SECONDS_MAX))
        try:
            await self.settle(pool, order.payment_id, answer)
        except (asyncpg.IntegrityConstraintViolationError, LookupError) as error:
            _log.error("a payment cannot be settled", intent=str(order.payment_id), why=type(error).__name__)
            await self.settle(pool, order.payment_id, NotKnown(f"cannot be settled: {type(error).__name__}"))

    async def settle(self, pool: Pool, intent_id: uuid.UUID, answer: BillerAnswer) -> None:
        """Does what a biller's answer means. An answer to what is settled already does nothing; one that contradicts it
        is an alarm."""
        await in_transaction(pool, self._settle, intent_id, answer)

    async def _settle(self, connection: Connection, intent_id: uuid.UUID, answer: BillerAnswer) -> None:
        row = await connection.fetchrow(_FOR_SETTLING, intent_id)
        if row is None or row["state"] != "reserved":
            state = None if row is None else row["state"]
            if (state == "voided" and isinstance(answer, Accepted)) or (
                state == "done" and isinstance(answer, Declined)
            ):
                self._tools.measures.payments_contradicted.inc()
                _log.error("a biller contradicts what was settled", intent=str(intent_id), state=state)
            return
        match answer:
            case Accepted():
                await self._give(connection, row)
            case Declined():
                await self._give_back(connection, row)
            case NotKnown(why):
                await connection.execute(_ASK_LATER, intent_id, why[:200], _AGAIN_SECONDS_MAX)

    async def _give(self, connection: Connection, row: Any) -> None:
        intent_id, currency, terms = row["intent_id"], row["currency"], msgspec.json.decode(row["terms"])
        house = self._tools.ledger.house
        held = await house(connection, "held", currency, intent_id)
        biller = await house(connection, "biller", currency, intent_id, terms["biller"])
        fees = await house(connection, "fees", currency, intent_id)
        total = row["sum_minor"] + row["fee_minor"]
        moves = {held: -total, biller: row["sum_minor"], fees: row["fee_minor"]}
        posted = await self._tools.ledger.post(connection, intent_id, "wallet.paid", currency, moves)
        code = payment_code(posted.id)
        balance = await self._balance(connection, row)
        sums = {"sum": money(row["sum_minor"], currency), "fee": money(row["fee_minor"], currency)}
        told: dict[str, Value] = {"code": code, **sums, "balance": money(balance, currency)}
        who = await find_by_id(connection, row["subscriber_id"])
        named_so = {"name": named(terms, who.own_language), "account": terms["account"]}
        await write_notice(connection, who.id, str(intent_id), "wallet.paid", {**told, **named_so})
        await intents.settle(connection, intent_id, "done", Done({"state": "paid", **told}), row["now"], code)

    async def _give_back(self, connection: Connection, row: Any) -> None:
        intent_id, currency = row["intent_id"], row["currency"]
        held = await self._tools.ledger.house(connection, "held", currency, intent_id)
        account = await connection.fetchval(_WALLET_ACCOUNT, row["subscriber_id"])
        total = row["sum_minor"] + row["fee_minor"]
        moves = {held: -total, account: total}
        await self._tools.ledger.post(connection, intent_id, "wallet.returned", currency, moves)
        await intents.settle(connection, intent_id, "voided", NOT_ACCEPTED, row["now"])

    @staticmethod
    async def _balance(connection: Connection, row: Any) -> int:
        account = await connection.fetchval(_WALLET_ACCOUNT, row["subscriber_id"])
        balance: int = await connection.fetchval(_BALANCE, account)
        return balance

    # --- asking afterwards ---

    async def outcome(self, connection: Connection, call: Call) -> Done | Refused:
        """`wallet.outcome`. The call is looked up first: it waits for one that is being worked on. Who was promised an
        SMS gets it also for a refusal; the notice of an intent is written once, whoever writes it."""
        known = await idempotency.status(connection, call)
        refused = isinstance(known, Done) and known.result["outcome"] == "refused"
        promised = bool(call.arguments.get("told", False))
        if refused and not promised:
            return known
        try:
            intent_id = uuid.UUID(str(call.arguments["intent"]))
        except ValueError:
            return _refused("NO_SUCH_QUOTE")
        async with connection.transaction():
            who = await find(connection, call.msisdn)
            row = await connection.fetchrow(_STATUS_INTENT, intent_id, who.id, list(KINDS)) if who else None
            if row is None:
                return known if refused else _refused("NO_SUCH_QUOTE")
            if row["state"] in ("quoted", "reserved"):
                await connection.execute(_PROMISE, intent_id, FENCE_SECONDS)
                return known if refused else Done({"outcome": "pending"})
            answer = intents.stored_answer(row["state"], row["outcome"])
            if promised and isinstance(answer, Refused):
                await intents.tell_not_paid(connection, row)
        if refused:
            return known
        return Done({"outcome": "done", **answer.result}) if isinstance(answer, Done) else _refused(answer.code)


async def _answered(asking: Awaitable[BillerAnswer]) -> BillerAnswer:
    """A biller's answer; a biller that takes too long, or is not reached, has not answered."""
    try:
        async with asyncio.timeout(BILLER_SECONDS_MAX + _GRACE_SECONDS):
            answer = await asking
    except OSError as error:  # TimeoutError, too
        answer = NotKnown(type(error).__name__)
    failpoints.passed("biller_asked")
    return answer


async def _seen(connection: Connection, call: Call) -> Any:
    """The quote and its wallet before anything is locked; None when there is none."""
    try:
        return await connection.fetchrow(_SEEN, uuid.UUID(str(call.arguments["intent"])), list(KINDS), call.msisdn)
    except ValueError:
        return None


def payment_code(posting: int) -> str:
    """The ten digits that stand for a payment on its receipt."""
    return str(FIRST_CODE + posting)


async def _ended(pool: Pool, intent_id: uuid.UUID) -> Done | Refused | None:
    [row] = await pool.fetch(_ENDED, intent_id)
    return None if row["state"] in ("quoted", "reserved") else intents.stored_answer(row["state"], row["outcome"])


async def _still_checked(connection: Connection, intent_id: uuid.UUID) -> Done | Refused:
    """What is told of a payment that is not settled: from then on an SMS is promised."""
    await connection.execute("SELECT true FROM intents WHERE intent_id = $1 FOR UPDATE", intent_id)
    [row] = await connection.fetch(_ENDED, intent_id)
    if row["state"] != "reserved":
        return intents.stored_answer(row["state"], row["outcome"])
    await connection.execute(_PROMISE, intent_id, FENCE_SECONDS)
    return Done(intents.being_checked(row["sum_minor"], row["fee_minor"], row["currency"]))


def _order(row: Any) -> Order:
    terms = msgspec.json.decode(row["terms"])
    who = (terms["biller"], terms["service"], terms["account"])
    return Order(row["intent_id"], *who, row["sum_minor"], row["currency"])


def _missing(minor: int, currency: str) -> Refused:
    return Refused("NOT_ENOUGH_MONEY", {"missing": money(minor, currency)})


def _refused(code: str) -> Done:
    return Done({"outcome": "refused", "refusal": code})
