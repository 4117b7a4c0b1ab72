"""Payments: quoted, confirmed once by the PIN, settled whatever the biller does. Each story has numbers of its own."""

from __future__ import annotations

import asyncio
import datetime
import random
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from billing.calls import Done, Refused, Unknown
from billing.contract import Value
from billing_core.billers import Accepted, Declined
from billing_core.domains import payments
from billing_core.passwords import Busy
from billing_core.simulated_biller import SimulatedBiller

from .running_core import Core, running_core
from .test_core_wallet import KGS, NOON, PIN, WRONG, opened

MINUTE = datetime.timedelta(minutes=1)
ACCEPTS, REFUSES, HANGS, LATE_YES, LATE_NO, TWICE = (
    f"012345678901{ending}" for ending in ("00", "90", "91", "92", "93", "94")
)


@pytest.fixture(scope="module")
async def core(database: str) -> AsyncIterator[Core]:
    """A core with hashes that cost little, and a biller that is late by more than is waited for."""
    async with running_core(database, late_seconds=1.1, memory_kib=8, passes=1) as core:
        yield core


@pytest.fixture(autouse=True)
def _the_time_is_the_databases(core: Core) -> Iterator[None]:
    core.now = None
    yield
    core.now = None


def som(whole: int) -> dict[str, Value]:
    return {"minor": whole * 100, "currency": KGS}


async def balance(core: Core, number: str) -> int:
    outcome = await core.do("wallet.balance", number)
    assert isinstance(outcome, Done)
    return outcome.result["balance"]["minor"] // 100  # type: ignore[index,call-overload,operator]


async def quoted(core: Core, number: str, account: str = ACCEPTS, whole: int = 100) -> str:
    outcome = await core.do("wallet.quote_payment", number, service="dostek", account=account, sum=whole)
    assert isinstance(outcome, Done), outcome
    return str(outcome.result["intent"])


async def transfer(core: Core, number: str, to: str, whole: int) -> str:
    outcome = await core.do("wallet.quote_transfer", number, to=to, sum=whole)
    assert isinstance(outcome, Done), outcome
    return str(outcome.result["intent"])


async def confirm(core: Core, number: str, intent: str, pin: str = PIN, call_id: str | None = None) -> Done | Refused:
    while True:
        try:
            return await core.do("wallet.confirm", number, intent=intent, pin=pin, call_id=call_id)
        except Busy:
            await asyncio.sleep(0.005)


def paid(outcome: Done | Refused) -> str:
    """The payment code of what was paid."""
    assert isinstance(outcome, Done), outcome
    assert outcome.result["state"] == "paid", outcome
    return str(outcome.result["code"])


async def postings(core: Core, intent: str) -> list[str]:
    rows = await core.pool.fetch("SELECT kind FROM postings WHERE cause = $1 ORDER BY posting_id", uuid.UUID(intent))
    return [row["kind"] for row in rows]


# --- paying a biller ---


async def test_a_payment_is_done_with_a_code_on_the_screen_and_by_sms(core: Core) -> None:
    number = "996777000101"
    await opened(core, number)
    intent = await quoted(core, number)
    outcome = await confirm(core, number, intent)
    code = paid(outcome)
    assert isinstance(outcome, Done)
    assert outcome.result["balance"] == som(await balance(core, number))
    [notice] = await core.notices(number, "wallet.paid")
    assert notice["arguments"].items() >= {"code": code, "account": ACCEPTS, "sum": som(100)}.items()
    assert await postings(core, intent) == ["wallet.payment", "wallet.paid"]


async def test_a_fee_leaves_the_wallet_with_the_sum_and_stays_with_the_house(core: Core) -> None:
    number, account = "996777000138", "4169585512340100"
    await opened(core, number)
    outcome = await core.do("wallet.quote_payment", number, service="bank-kicb", account=account, sum=200)
    assert isinstance(outcome, Done), outcome
    assert outcome.result["fee"] == som(11)  # ten, and half a percent
    intent = str(outcome.result["intent"])
    paid(await confirm(core, number, intent))
    assert await balance(core, number) == 1000 - 211
    moved = await core.pool.fetch(
        "SELECT p.kind AS what, a.kind, sum(e.amount_minor)::bigint AS minor FROM postings p"
        " JOIN entries e USING (posting_id) JOIN accounts a USING (account_id) WHERE p.cause = $1 GROUP BY 1, 2",
        uuid.UUID(intent),
    )
    assert {(row["what"], row["kind"]): row["minor"] for row in moved} == {
        ("wallet.payment", "wallet"): -21_100,
        ("wallet.payment", "held"): 21_100,
        ("wallet.paid", "held"): -21_100,
        ("wallet.paid", "biller"): 20_000,
        ("wallet.paid", "fees"): 1_100,
    }


async def test_a_confirmation_that_comes_again_gets_the_same_answer_under_any_id(core: Core) -> None:
    number, call_id = "996777000102", str(uuid.uuid4())
    await opened(core, number)
    intent = await quoted(core, number)
    code = paid(await confirm(core, number, intent, call_id=call_id))
    for again in (call_id, str(uuid.uuid4())):
        assert paid(await confirm(core, number, intent, call_id=again)) == code
    assert paid(await confirm(core, number, intent, WRONG)) == code  # it is final: the PIN is not looked at
    assert await balance(core, number) == 900


async def test_a_biller_that_refuses_gives_the_money_back_at_once(core: Core) -> None:
    number = "996777000103"
    await opened(core, number)
    intent = await quoted(core, number, REFUSES)
    assert await confirm(core, number, intent) == Refused("NOT_ACCEPTED", {})
    assert await confirm(core, number, intent) == Refused("NOT_ACCEPTED", {})
    assert await balance(core, number) == 1000
    assert await core.notices(number, "wallet.not_paid") == []  # the screen has said it
    assert await postings(core, intent) == ["wallet.payment", "wallet.returned"]


@pytest.mark.parametrize(
    ("number", "account", "left", "event"),
    [("996777000104", LATE_YES, 900, "wallet.paid"), ("996777000105", LATE_NO, 1000, "wallet.not_paid")],
)
async def test_a_biller_that_answers_late_is_told_by_sms(
    core: Core, number: str, account: str, left: int, event: str
) -> None:
    await opened(core, number)
    intent = await quoted(core, number, account)
    outcome = await confirm(core, number, intent)
    assert outcome == Done({"state": "checking", "sum": som(100), "fee": som(0)})
    for _ in range(300):
        if await core.notices(number, event):
            break
        await asyncio.sleep(0.02)
    assert len(await core.notices(number, event)) == 1
    assert await balance(core, number) == left


async def test_a_biller_that_answers_twice_is_paid_once(core: Core) -> None:
    number = "996777000106"
    await opened(core, number)
    intent = await quoted(core, number, TWICE)
    paid(await confirm(core, number, intent))
    await asyncio.sleep(0.1)
    assert await postings(core, intent) == ["wallet.payment", "wallet.paid"]
    assert len(await core.notices(number, "wallet.paid")) == 1


async def test_a_biller_that_never_answers_leaves_it_reserved_for_people(core: Core) -> None:
    number = "996777000107"
    await opened(core, number)
    core.now = NOON
    intent = await quoted(core, number, HANGS)
    assert (await confirm(core, number, intent)) == Done({"state": "checking", "sum": som(100), "fee": som(0)})
    state = await core.do("wallet.state", number)
    assert state == Done({"registered": True, "open": True, "name": "DosTek", "sum": som(100)})
    refused = await core.do("wallet.quote_payment", number, service="dostek", account=ACCEPTS, sum=50)
    assert refused == Refused("OPEN_PAYMENT", {})
    core.now = NOON + 16 * MINUTE
    await core.sweeper.sweep()
    assert await core.pool.fetchval("SELECT state FROM intents WHERE intent_id = $1", uuid.UUID(intent)) == "reserved"
    assert core.measures.payments_for_people._value.get() >= 1
    assert await balance(core, number) == 900
    await core.domains.payments.settle(core.pool, uuid.UUID(intent), Declined("found out by people"))
    assert await balance(core, number) == 1000
    assert len(await core.notices(number, "wallet.not_paid")) == 1


# --- what was quoted ---


async def test_a_quote_holds_for_three_minutes_and_then_pays_nothing(core: Core) -> None:
    number = "996777000110"
    await opened(core, number)
    core.now = NOON
    intent = await quoted(core, number)
    late = await quoted(core, number, whole=200)
    core.now = NOON + 3 * MINUTE - datetime.timedelta(seconds=1)
    paid(await confirm(core, number, intent))
    core.now = NOON + 3 * MINUTE
    assert await confirm(core, number, late) == Refused("EXPIRED", {})
    core.now = NOON
    assert await confirm(core, number, late) == Refused("EXPIRED", {})  # fenced, for ever


async def test_a_stored_refusal_stays_when_the_money_has_come(core: Core) -> None:
    number = "996777000111"
    await opened(core, number, som=150)
    first, second = await quoted(core, number), await quoted(core, number)
    paid(await confirm(core, number, first))
    missing = Refused("NOT_ENOUGH_MONEY", {"missing": som(50)})
    assert await confirm(core, number, second) == missing
    await core.do("wallet.top_up", number, sum=som(1000), place="b1")
    assert await confirm(core, number, second) == missing
    assert await balance(core, number) == 1050


async def test_limits_accounts_and_what_is_missing_are_told_before_anything_is_quoted(core: Core) -> None:
    number = "996777000112"
    await opened(core, number)
    ask = core.do
    nothing = await ask("wallet.quote_payment", number, service="none", account="1", sum=5)
    assert nothing == Refused("NO_SUCH_SERVICE", {})
    wrong = await ask("wallet.quote_payment", number, service="dostek", account="31234567890123", sum=100)
    assert wrong == Refused("WRONG_ACCOUNT", {})
    limit = await ask("wallet.quote_payment", number, service="dostek", account=ACCEPTS, sum=1)
    assert isinstance(limit, Refused)
    assert limit.code == "LIMIT"
    assert set(limit.details) == {"least", "most"}
    missing = await ask("wallet.quote_payment", number, service="dostek", account=ACCEPTS, sum=1500)
    assert missing == Refused("NOT_ENOUGH_MONEY", {"missing": som(500)})


async def test_the_same_payee_and_sum_within_ten_minutes_is_told_as_a_repeat(core: Core) -> None:
    number = "996777000113"
    await opened(core, number)
    core.now = NOON
    paid(await confirm(core, number, await quoted(core, number)))

    async def repeats(whole: int) -> Value:
        outcome = await core.do("wallet.quote_payment", number, service="dostek", account=ACCEPTS, sum=whole)
        assert isinstance(outcome, Done)
        return outcome.result["repeats"]

    core.now = NOON + 9 * MINUTE
    assert await repeats(100) is True
    assert await repeats(101) is False
    core.now = NOON + 10 * MINUTE
    assert await repeats(100) is False


async def test_nobody_confirms_what_another_number_has_quoted(core: Core) -> None:
    one, other = "996777000114", "996777000115"
    await opened(core, one)
    await opened(core, other)
    intent = await quoted(core, one)
    assert await confirm(core, other, intent) == Refused("NO_SUCH_QUOTE", {})
    assert await confirm(core, one, "not-a-quote") == Refused("NO_SUCH_QUOTE", {})
    paid(await confirm(core, one, intent))


async def test_a_wrong_pin_pays_nothing_and_the_right_one_pays_the_same_quote(core: Core) -> None:
    number = "996777000116"
    await opened(core, number)
    intent = await quoted(core, number)
    assert await confirm(core, number, intent, WRONG) == Refused("WRONG_PIN", {"tries_left": 2})
    assert await postings(core, intent) == []
    paid(await confirm(core, number, intent))


# --- transfers and mobile accounts ---


async def test_a_transfer_goes_to_the_other_wallet_and_both_are_told(core: Core) -> None:
    number, to = "996777000120", "996555000320"
    await opened(core, number)
    await opened(core, to, som=0)
    outcome = await core.do("wallet.quote_transfer", number, to=to, sum=300)
    assert isinstance(outcome, Done)
    assert outcome.result["name"] == "Айбек А."
    paid(await confirm(core, number, str(outcome.result["intent"])))
    assert (await balance(core, number), await balance(core, to)) == (700, 300)
    assert await core.sent(to, "wallet.received", "caller") == number
    assert await core.sent(number, "wallet.sent", "to") == to


async def test_a_transfer_to_nobody_or_oneself_is_refused(core: Core) -> None:
    number = "996777000121"
    await opened(core, number)
    for to, code in ((number, "ITS_OWN"), ("996777000122", "NOT_REACHED"), ("77010000007", "NOT_REACHED")):
        assert await core.do("wallet.quote_transfer", number, to=to, sum=50) == Refused(code, {})


async def test_a_mobile_account_is_topped_up_from_the_wallet(core: Core) -> None:
    number, to = "996777000123", "996555000323"
    await opened(core, number)
    before = await core.do("balances.get", to)
    outcome = await core.do("wallet.quote_mobile", number, to=to, sum=50)
    assert isinstance(outcome, Done)
    paid(await confirm(core, number, str(outcome.result["intent"])))
    after = await core.do("balances.get", to)
    assert isinstance(before, Done)
    assert isinstance(after, Done)
    assert after.result["balance"]["minor"] - before.result["balance"]["minor"] == 5000  # type: ignore[index,call-overload,operator]
    assert await core.sent(to, "account.topped_up", "sum") == str(som(50))


async def test_two_who_send_each_other_money_at_once_do_not_wait_for_each_other(core: Core) -> None:
    one, other = "996777000124", "996555000324"
    await opened(core, one)
    await opened(core, other)
    intents = [(one, await transfer(core, one, other, 10)) for _ in range(10)]
    intents += [(other, await transfer(core, other, one, 10)) for _ in range(10)]
    for outcome in await asyncio.gather(*(confirm(core, number, intent) for number, intent in intents)):
        paid(outcome)
    assert (await balance(core, one), await balance(core, other)) == (1000, 1000)


# --- asked afterwards ---


async def test_what_was_done_is_told_to_whoever_asks_for_the_call(core: Core) -> None:
    number, call_id = "996777000130", str(uuid.uuid4())
    await opened(core, number)
    intent = await quoted(core, number)
    code = paid(await confirm(core, number, intent, call_id=call_id))
    outcome = await core.do("wallet.outcome", number, call=call_id, intent=intent)
    assert isinstance(outcome, Done)
    assert outcome.result.items() >= {"outcome": "done", "state": "paid", "code": code}.items()
    lost = await core.do("wallet.outcome", number, call=str(uuid.uuid4()), intent=intent)
    assert isinstance(lost, Done)
    assert lost.result["code"] == code


async def test_a_wrong_pin_is_told_to_whoever_asks_for_the_call(core: Core) -> None:
    number, call_id = "996777000131", str(uuid.uuid4())
    await opened(core, number)
    intent = await quoted(core, number)
    await confirm(core, number, intent, WRONG, call_id)
    told = await core.do("wallet.outcome", number, call=call_id, intent=intent)
    assert told == Done({"outcome": "refused", "refusal": "WRONG_PIN"})


async def test_a_confirmation_that_never_arrived_is_fenced_before_anybody_is_told_not_paid(core: Core) -> None:
    number = "996777000132"
    await opened(core, number)
    core.now = NOON
    intent = await quoted(core, number)
    asked = await core.do("wallet.outcome", number, call=str(uuid.uuid4()), intent=intent)
    assert asked == Done({"outcome": "pending"})
    await core.sweeper.sweep()
    assert await core.notices(number, "wallet.not_paid") == []  # it may still come
    core.now = NOON + datetime.timedelta(seconds=15)
    await core.sweeper.sweep()
    assert len(await core.notices(number, "wallet.not_paid")) == 1
    assert await confirm(core, number, intent) == Refused("EXPIRED", {})
    assert await balance(core, number) == 1000


async def test_what_was_told_not_paid_stays_so_when_the_clock_goes_back(core: Core) -> None:
    number = "996777000137"
    await opened(core, number)
    core.now = NOON
    intent = await quoted(core, number)
    await core.do("wallet.outcome", number, call=str(uuid.uuid4()), intent=intent)
    core.now = NOON + datetime.timedelta(seconds=15)
    await core.sweeper.sweep()
    assert len(await core.notices(number, "wallet.not_paid")) == 1
    core.now = NOON + datetime.timedelta(seconds=1)
    assert await confirm(core, number, intent) == Refused("EXPIRED", {})
    assert await balance(core, number) == 1000


async def test_a_core_that_died_before_it_asked_the_biller_settles_by_id_later(core: Core) -> None:
    number = "996777000133"
    await opened(core, number)
    core.now = NOON
    intent = await quoted(core, number)
    biller, dead = core.tools.billers, _Dead()
    object.__setattr__(core.tools, "billers", dead)
    try:
        with pytest.raises(Died):
            await confirm(core, number, intent)
    finally:
        object.__setattr__(core.tools, "billers", biller)
    assert await balance(core, number) == 900
    core.now = NOON + datetime.timedelta(seconds=11)
    await core.sweeper.sweep()
    assert await balance(core, number) == 1000  # the biller has never heard of it, and never will
    assert len(await core.notices(number, "wallet.not_paid")) == 1
    assert isinstance(biller, SimulatedBiller)


class Died(Exception):
    """The process is gone."""


class _Dead:
    """A core that dies where the biller would be asked."""

    async def pay(self, *_: object) -> None:
        raise Died


# --- many at once ---


async def test_of_two_hundred_confirmations_of_one_transfer_one_posts_and_all_get_its_answer(core: Core) -> None:
    number, to = "996777000140", "996555000340"
    await opened(core, number)
    await opened(core, to, som=0)
    intent = await transfer(core, number, to, 100)
    codes = {paid(each) for each in await asyncio.gather(*(confirm(core, number, intent) for _ in range(200)))}
    assert len(codes) == 1
    assert await postings(core, intent) == ["wallet.transfer"]
    assert (await balance(core, number), await balance(core, to)) == (900, 100)


async def test_of_two_hundred_confirmations_of_one_payment_the_biller_hears_once(core: Core) -> None:
    number = "996777000141"
    await opened(core, number)
    intent = await quoted(core, number)
    codes = {paid(each) for each in await asyncio.gather(*(confirm(core, number, intent) for _ in range(200)))}
    assert len(codes) == 1
    times = await core.pool.fetchval("SELECT times FROM simulated_payments WHERE payment_id = $1", uuid.UUID(intent))
    assert times == 1
    assert await balance(core, number) == 900


async def test_transfers_among_fifty_wallets_keep_their_sum_in_every_read(core: Core) -> None:
    numbers = [f"9965550004{n:02}" for n in range(50)]
    for number in numbers:
        await opened(core, number, som=100)
    total = """
SELECT sum(balance_minor) FROM accounts a JOIN subscribers s USING (subscriber_id)
WHERE a.kind = 'wallet' AND s.msisdn = ANY ($1)"""
    chance = random.Random(20261125)
    running = True

    async def client(seed: random.Random) -> int:
        done = 0
        for _ in range(12):
            payer, to = seed.sample(numbers, 2)
            quote = await core.do("wallet.quote_transfer", payer, to=to, sum=seed.randint(10, 40))
            if isinstance(quote, Done):
                done += isinstance(await confirm(core, payer, str(quote.result["intent"])), Done)
        return done

    async def reader() -> None:
        while running:
            assert await core.pool.fetchval(total, numbers) == 50 * 100 * 100
            await asyncio.sleep(0.005)

    reading = asyncio.create_task(reader())
    done = await asyncio.gather(*(client(random.Random(chance.random())) for _ in range(16)))
    running = False
    await reading
    assert sum(done) > 100


# --- looking back ---


async def test_history_and_what_can_be_repeated_tell_what_was_paid(core: Core) -> None:
    number, to = "996777000150", "996555000350"
    await opened(core, number)
    await opened(core, to, som=0)
    paid(await confirm(core, number, await quoted(core, number, whole=100)))
    paid(await confirm(core, number, await quoted(core, number, whole=100)))
    paid(await confirm(core, number, await transfer(core, number, to, 50)))
    await confirm(core, number, await quoted(core, number, REFUSES))
    history = await core.do("wallet.history", number)
    assert isinstance(history, Done)
    moves = [(move["kind"], move["sum"]["minor"]) for move in history.result["moves"]]  # type: ignore[index,union-attr]
    assert moves == [
        ("returned", 10000),
        ("payment", 10000),
        ("transfer_out", 5000),
        ("payment", 10000),
        ("payment", 10000),
        ("top_up", 100000),
    ]
    theirs = await core.do("wallet.history", to)
    assert isinstance(theirs, Done)
    [received] = theirs.result["moves"]  # type: ignore[misc]
    assert (received["kind"], "name" in received) == ("transfer_in", False)
    recent = await core.do("wallet.recent", number)
    assert isinstance(recent, Done)
    [payment] = recent.result["payments"]  # type: ignore[misc]
    assert (payment["service"], payment["account"], payment["sum"]) == ("dostek", ACCEPTS, 100)


async def test_a_statement_comes_by_sms_three_times_a_day(core: Core) -> None:
    number = "996777000151"
    await opened(core, number)
    core.now = NOON
    paid(await confirm(core, number, await quoted(core, number, whole=100)))
    for _ in range(3):
        assert await core.do("wallet.send_statement", number) == Done({})
    assert await core.do("wallet.send_statement", number) == Refused("TOO_MANY", {})
    text = await core.sent(number, "wallet.statement", "moves")
    assert text.startswith("31.03 -100")
    core.now = NOON + datetime.timedelta(hours=12)
    assert await core.do("wallet.send_statement", number) == Done({})


async def test_categories_and_services_come_in_the_printed_order(core: Core) -> None:
    number = "996777000152"
    await opened(core, number, som=0)
    categories = await core.do("wallet.categories", number)
    assert isinstance(categories, Done)
    listed = categories.result["categories"]
    assert len(listed) == 14  # type: ignore[arg-type]
    assert listed[13]["id"] == "other"  # type: ignore[index]
    services = await core.do("wallet.services", number, category="other")
    assert isinstance(services, Done)
    assert services.result["services"][13]["id"] == "dostek"  # type: ignore[index]
    assert await core.do("wallet.services", number, category="none") == Refused("NO_SUCH_CATEGORY", {})


# --- told as it is ---


async def test_a_refusal_after_somebody_was_told_to_wait_is_told_by_sms(core: Core) -> None:
    number = "996777000160"
    await opened(core, number, som=100)
    first, second = await quoted(core, number), await quoted(core, number)
    asked = await core.do("wallet.outcome", number, call=str(uuid.uuid4()), intent=second)
    assert asked == Done({"outcome": "pending"})
    paid(await confirm(core, number, first))
    refused = await confirm(core, number, second)
    assert refused == Refused("NOT_ENOUGH_MONEY", {"missing": som(100)})
    assert len(await core.notices(number, "wallet.not_paid")) == 1


async def test_a_refusal_that_nobody_heard_is_told_by_sms_once_to_whom_one_was_promised(core: Core) -> None:
    number = "996777000189"
    await opened(core, number, som=100)
    first, second = await quoted(core, number), await quoted(core, number)
    paid(await confirm(core, number, first))
    call_id = str(uuid.uuid4())
    await confirm(core, number, second, call_id=call_id)
    assert await core.notices(number, "wallet.not_paid") == []  # it was on the screen
    for _ in range(2):
        told = await core.do("wallet.outcome", number, call=call_id, intent=second, told=True)
        assert isinstance(told, Done)
        assert told.result["outcome"] == "refused"
    assert len(await core.notices(number, "wallet.not_paid")) == 1


async def test_a_wrong_pin_that_nobody_was_told_of_ends_the_quote_and_is_told_by_sms(core: Core) -> None:
    number = "996777000190"
    await opened(core, number, som=100)
    intent, call_id = await quoted(core, number), str(uuid.uuid4())
    await core.do("wallet.confirm", number, call_id=call_id, intent=intent, pin="0000")
    told = await core.do("wallet.outcome", number, call=call_id, intent=intent, told=True)
    assert isinstance(told, Done)
    assert told.result["outcome"] == "refused"
    later = await core.pool.fetchval("SELECT moment() + interval '20 seconds'")
    core.now = later
    await core.sweeper.sweep()
    core.now = None
    assert len(await core.notices(number, "wallet.not_paid")) == 1


class _Slow:
    """A biller whose adapter keeps no time, and one that is not reached."""

    def __init__(self, error: OSError | None) -> None:
        self._error = error

    async def pay(self, *_: object) -> Accepted:
        if self._error is not None:
            raise self._error
        await asyncio.sleep(3600)
        return Accepted()


@pytest.mark.parametrize(("number", "error"), [("996777000161", None), ("996777000162", ConnectionError("away"))])
async def test_a_biller_that_keeps_no_time_or_is_away_has_not_answered(
    core: Core, number: str, error: OSError | None
) -> None:
    await opened(core, number)
    intent = await quoted(core, number)
    biller = core.tools.billers
    object.__setattr__(core.tools, "billers", _Slow(error))
    try:
        outcome = await confirm(core, number, intent)
    finally:
        object.__setattr__(core.tools, "billers", biller)
    assert outcome == Done({"state": "checking", "sum": som(100), "fee": som(0)})


async def test_nobody_is_told_that_surely_nothing_was_done_once_the_money_is_held(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, call_id = "996777000163", str(uuid.uuid4())
    await opened(core, number)
    intent = await quoted(core, number)
    monkeypatch.setattr(payments, "BILLER_SECONDS_MAX", 3.0)
    biller = core.tools.billers
    object.__setattr__(core.tools, "billers", _Slow(None))
    try:
        outcome = await core.ask("wallet.confirm", number, {"intent": intent, "pin": PIN}, call_id=call_id)
    finally:
        object.__setattr__(core.tools, "billers", biller)
    assert isinstance(outcome, Unknown)
    asked = await core.do("wallet.outcome", number, call=call_id, intent=intent)
    assert asked == Done({"outcome": "pending"})


async def test_an_answer_against_what_was_settled_rings(core: Core) -> None:
    number = "996777000164"
    await opened(core, number)
    intent = await quoted(core, number, REFUSES)
    await confirm(core, number, intent)
    rung = core.measures.payments_contradicted._value.get()
    await core.domains.payments.settle(core.pool, uuid.UUID(intent), Accepted())
    await core.domains.payments.settle(core.pool, uuid.UUID(intent), Declined(""))
    assert core.measures.payments_contradicted._value.get() == rung + 1
    assert await balance(core, number) == 1000


async def test_who_has_the_number_next_is_told_nothing_of_what_the_one_before_paid(core: Core) -> None:
    number = "996777000165"
    await opened(core, number)
    intent = await quoted(core, number, HANGS)
    assert isinstance(await confirm(core, number, intent), Done)
    assert await core.do("subscribers.set_status", number, status="closed") == Done({"status": "closed"})
    before = len(await core.notices(number))
    await core.domains.payments.settle(core.pool, uuid.UUID(intent), Accepted())
    assert len(await core.notices(number)) == before
    assert await postings(core, intent) == ["wallet.payment", "wallet.paid"]
