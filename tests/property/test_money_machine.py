"""Money against a plain model: whatever order things come in, the core and a dictionary say the same.

One example is a story of forty steps over three wallets, three prepaid accounts and one number that can be reserved:
quotes, confirmations, the same one again, under another id, too late, with wrong PINs; a core that dies before it asks
the biller; billers that refuse, hang or answer late; top-ups; time that passes; who takes a number over, and who gives
it back; who manages whose number, until that is revoked. After each step the ledger adds up.

SOAK_EXAMPLES=5000 in the environment makes it run for long (`make soak`).
"""
# long because: one model, and every rule that changes it

from __future__ import annotations

import asyncio
import datetime
import itertools
import os
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from billing.calls import Done, Refused
from billing_core.codes import Codes
from billing_core.domains import payments
from billing_core.migrator import migrate, read_migrations
from billing_core.operations import Domains, make_operations
from billing_core.passwords import Hasher
from billing_core.provisioning import SimulatedNetwork
from billing_core.roles import grant
from billing_core.seeding import seed
from billing_core.sweeper import Sweeper
from stack import places
from tests.integration.billing_core.running_core import PEPPER, Core, running_core

T = TypeVar("T")
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "100"))
STEPS = 40
PIN, WRONG = "8305", "7391"
BEGIN = datetime.datetime(2027, 3, 31, 6, tzinfo=datetime.UTC)
ACCOUNTS = {"accepts": "01234567890100", "refuses": "01234567890190", "hangs": "01234567890191"} | {
    "late yes": "01234567890192",
    "late no": "01234567890193",
}
WALLETS = ("996555000001", "996555000002", "996777000003")  # the numbers of each example follow from these
FEE = 50_000

_numbers = itertools.count()


class Loop:
    """One event loop and one core for all examples."""

    runner: ClassVar[asyncio.Runner]
    core: ClassVar[Core]
    owner: ClassVar[asyncpg.Connection]

    @classmethod
    def run(cls, work: Coroutine[Any, Any, T]) -> T:
        return cls.runner.run(work)


@dataclass
class Intent:
    """A quote, as the model knows it."""

    id: str
    payer: int
    to: int | None
    behaves: str
    minor: int
    expires: datetime.datetime
    state: str = "quoted"
    asked: bool = False
    answer: Done | Refused | None = None
    known_at: datetime.datetime | None = None
    calls: list[tuple[str, str, Done | Refused]] = field(default_factory=list)


@dataclass
class Wallet:
    """A wallet, as the model knows it."""

    number: str
    minor: int
    in_row: int = 0
    in_all: int = 0
    locked_until: datetime.datetime | None = None


class Money(RuleBasedStateMachine):
    """The model, and the rules that do the same to it and to the core."""

    intents = Bundle("intents")

    def __init__(self) -> None:
        super().__init__()
        self.core = Loop.core
        self.now = self.core.now = BEGIN
        self.told_not_paid = 0
        first = next(_numbers) * 3
        self.wallets = [Wallet(f"99655{5_100_000 + first + n}", 100_000) for n in range(3)]
        self.prepaid = [f"7701{1_000_000 + first + n}" for n in range(3)]
        self.balances = [200_000] * 3
        self.free = f"7702{1_000_000 + first}"
        self.holder: tuple[int, datetime.datetime] | None = None
        self.manages: dict[tuple[int, int], bool] = {}
        self.open: list[Intent] = []
        Loop.run(self._make())

    async def _make(self) -> None:
        """The subscribers of this example, with their money, straight into the database."""
        owner = Loop.owner
        pin = await self.core.tools.hasher.hash(PIN)
        for wallet in self.wallets:
            row = await owner.fetchval(_SUBSCRIBER, wallet.number, "megacom")
            account = await owner.fetchval(_ACCOUNT, row, "wallet", "KGS")
            await owner.execute(_WALLET, row, account, f"1{int(wallet.number) % 10**13:013}", pin)
            await owner.fetchval(_OPENING, uuid.uuid4(), "KGS", account, wallet.minor)
        for number, balance in zip(self.prepaid, self.balances, strict=True):
            row = await owner.fetchval(_SUBSCRIBER, number, "kcell")
            account = await owner.fetchval(_ACCOUNT, row, "prepaid", "KZT")
            await owner.fetchval(_OPENING, uuid.uuid4(), "KZT", account, balance)
        await owner.execute(_NUMBER, self.free)

    # --- asking both ---

    def do(self, operation: str, msisdn: str, call_id: str | None = None, /, **arguments: Any) -> Done | Refused:
        self.core.now = self.now
        return Loop.run(self.core.do(operation, msisdn, call_id=call_id, **arguments))

    # --- quotes ---

    @rule(
        target=intents,
        payer=st.integers(0, 2),
        behaves=st.sampled_from(sorted(ACCOUNTS)),
        whole=st.integers(10, 700),
    )
    def quote_payment(self, payer: int, behaves: str, whole: int) -> Any:
        arguments = {"service": "dostek", "account": ACCOUNTS[behaves], "sum": whole}
        return self._quoted(payer, None, behaves, whole, self._quote(payer, "payment", arguments))

    @rule(target=intents, payer=st.integers(0, 2), step=st.integers(1, 2), whole=st.integers(10, 700))
    def quote_transfer(self, payer: int, step: int, whole: int) -> Any:
        to = (payer + step) % 3
        arguments = {"to": self.wallets[to].number, "sum": whole}
        return self._quoted(payer, to, "accepts", whole, self._quote(payer, "transfer", arguments))

    def _quote(self, payer: int, what: str, arguments: dict[str, Any]) -> Done | Refused:
        return self.do(f"wallet.quote_{what}", self.wallets[payer].number, **arguments)

    def _quoted(self, payer: int, to: int | None, behaves: str, whole: int, outcome: Done | Refused) -> Any:
        wallet = self.wallets[payer]
        mine = [intent for intent in self.open if intent.payer == payer]
        checked = any(each.state == "reserved" or (each.state == "quoted" and each.asked) for each in mine)
        if self._is_locked(wallet):
            assert outcome_code(outcome) == "LOCKED"
        elif checked:
            assert outcome_code(outcome) == "OPEN_PAYMENT"
        elif wallet.minor < whole * 100:
            assert outcome == missing(whole * 100 - wallet.minor, "KGS")
        else:
            assert isinstance(outcome, Done)
            expires = self.now + datetime.timedelta(minutes=3)
            intent = Intent(str(outcome.result["intent"]), payer, to, behaves, whole * 100, expires)
            self.open.append(intent)
            return intent
        return multiple()

    # --- confirmations ---

    @rule(intent=intents, right=st.booleans(), dies=st.sampled_from([False, False, False, True]))
    def confirm(self, intent: Intent, right: bool, dies: bool) -> None:
        self._confirm(intent, PIN if right else WRONG, dies=dies)

    @rule(intent=intents)
    def confirm_right(self, intent: Intent) -> None:
        self._confirm(intent, PIN)

    def _confirm(self, intent: Intent, pin: str, dies: bool = False) -> None:
        number, call_id = self.wallets[intent.payer].number, str(uuid.uuid4())
        reserves = intent.state == "quoted" and intent.to is None
        expected = self._expected(intent, pin == PIN, dies)
        if dies and reserves and expected is _CHECKING:
            with pytest.raises(Died), _dead_biller(self.core):
                self.do("wallet.confirm", number, call_id, intent=intent.id, pin=pin)
            return
        outcome = self.do("wallet.confirm", number, call_id, intent=intent.id, pin=pin)
        same(outcome, expected)
        if expected is _PAID or expected is _CHECKING:
            intent.answer = outcome if expected is _PAID else intent.answer
            if expected is _CHECKING:
                intent.asked = True
        intent.calls.append((call_id, pin, outcome))

    def _expected(self, intent: Intent, right: bool, dies: bool) -> Any:
        """What the model says of a confirmation, and what it does to the model."""
        wallet = self.wallets[intent.payer]
        if intent.state == "reserved":
            return _CHECKING
        if intent.state == "done":
            return intent.answer or _PAID
        if intent.state != "quoted":
            return intent.answer or Refused("EXPIRED", {})
        if intent.expires <= self.now:
            intent.state = "expired"
            self._tell(intent)
            return Refused("EXPIRED", {})
        if self._is_locked(wallet):
            return "LOCKED"
        if not right:
            return self._wrong(wallet)
        wallet.in_row, wallet.locked_until = 0, None
        return self._pay(intent, wallet, dies)

    def _pay(self, intent: Intent, wallet: Wallet, dies: bool) -> Any:
        if wallet.minor < intent.minor:
            intent.state = "refused"
            intent.answer = missing(intent.minor - wallet.minor, "KGS")
            self._tell(intent)
            return intent.answer
        wallet.minor -= intent.minor
        if intent.to is not None:
            self.wallets[intent.to].minor += intent.minor
            intent.state = "done"
            return _PAID
        intent.state, intent.known_at = "reserved", None
        if dies:
            intent.behaves = "never heard"
            return _CHECKING
        if intent.behaves == "accepts":
            intent.state = "done"
            return _PAID
        if intent.behaves == "refuses":
            self._voided(intent)
            return intent.answer
        if intent.behaves.startswith("late"):
            intent.known_at = self.now + datetime.timedelta(seconds=20)
        return _CHECKING

    def _voided(self, intent: Intent) -> None:
        intent.state, intent.answer = "voided", Refused("NOT_ACCEPTED", {})
        self.wallets[intent.payer].minor += intent.minor
        self._tell(intent)

    def _tell(self, intent: Intent) -> None:
        self.told_not_paid += intent.asked

    def _wrong(self, wallet: Wallet) -> str:
        wallet.in_row += 1
        wallet.in_all += 1
        if wallet.in_all >= 9:
            return "LOCKED"
        if wallet.in_row >= 3:
            wallet.in_row, wallet.locked_until = 0, self.now + datetime.timedelta(minutes=30)
            return "LOCKED"
        return "WRONG_PIN"

    def _is_locked(self, wallet: Wallet) -> bool:
        return wallet.in_all >= 9 or (wallet.locked_until is not None and wallet.locked_until > self.now)

    @rule(intent=intents)
    def redeliver(self, intent: Intent) -> None:
        """The last confirmation comes again under its own id: nothing is done, and the answer is that of then, or of
        what has become of it since."""
        if not intent.calls:
            return
        call_id, pin, before = intent.calls[-1]
        outcome = self.do("wallet.confirm", self.wallets[intent.payer].number, call_id, intent=intent.id, pin=pin)
        if isinstance(before, Done) and before.result["state"] == "checking":
            same(outcome, _CHECKING if intent.state == "reserved" else intent.answer or _PAID)
        else:
            assert outcome == before

    @rule(intent=intents)
    def ask(self, intent: Intent) -> None:
        """The engine asks what became of a confirmation that it does not know of."""
        arguments = {"call": str(uuid.uuid4()), "intent": intent.id}
        outcome = self.do("wallet.outcome", self.wallets[intent.payer].number, **arguments)
        assert isinstance(outcome, Done)
        told = outcome.result["outcome"]
        if intent.state in ("quoted", "reserved"):
            assert told == "pending"
            intent.asked = True
            intent.expires = min(intent.expires, self.now + datetime.timedelta(seconds=15))
        else:
            assert told == ("done" if intent.state == "done" else "refused")

    # --- time, and what happens meanwhile ---

    @rule(seconds=st.sampled_from([1, 5, 11, 20, 60, 180, 1800]))
    def time_passes(self, seconds: int) -> None:
        self.now += datetime.timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        self.core.now = self.now
        Loop.run(_swept(self.core))
        for intent in self.open:
            if intent.state == "quoted" and intent.expires <= self.now:
                intent.state = "expired"
                self._tell(intent)
            elif intent.state == "reserved":
                self._look_after(intent)

    def _look_after(self, intent: Intent) -> None:
        """The sweeper has asked the biller, if it was due; both ways are right, and the core's is taken."""
        found = "SELECT state, asked_at IS NOT NULL FROM intents WHERE intent_id = $1"
        [(state, asked)] = Loop.run(self.core.pool.fetch(found, uuid.UUID(intent.id)))
        may = {"never heard": "voided", "late yes": "done", "late no": "voided"}
        known = intent.behaves == "never heard" or (intent.known_at is not None and intent.known_at <= self.now)
        if state == "reserved":
            intent.asked = asked
            return
        assert known
        assert state == may[intent.behaves]
        intent.asked = True  # whoever confirmed it was not told how it ends
        if state == "done":
            intent.state = "done"
        else:
            self._voided(intent)

    @rule()
    def restart(self) -> None:
        """Another process takes the work over: nothing that counts was in memory."""
        core = self.core
        core.domains = Domains(core.tools)
        core.operations = make_operations(core.domains)
        core.sweeper = Sweeper(core.pool, core.domains.payments, SimulatedNetwork(), core.measures, 15)

    @rule(wallet=st.integers(0, 2), whole=st.integers(1, 500), times=st.integers(1, 3))
    def top_up(self, wallet: int, whole: int, times: int) -> None:
        call_id, one = str(uuid.uuid4()), self.wallets[wallet]
        for _ in range(times):
            sum_ = {"minor": whole * 100, "currency": "KGS"}
            outcome = self.do("wallet.top_up", one.number, call_id, sum=sum_, place="b1")
            assert outcome == Done({"balance": {"minor": one.minor + whole * 100, "currency": "KGS"}})
        one.minor += whole * 100

    # --- a number: reserved, taken over, given back ---

    @rule(by=st.integers(0, 2), right=st.sampled_from([True, True, False]))
    def reserve(self, by: int, right: bool) -> None:
        number, city = self.prepaid[by], "almaty"
        held = self.holder is not None and self.holder[1] > self.now
        quote = self.do("numbers.quote", number, number=self.free, city=city)
        if held:
            assert quote == Refused("TAKEN", {})
            return
        if self.balances[by] < FEE:
            assert quote == missing(FEE - self.balances[by], "KZT")
            return
        assert isinstance(quote, Done)
        shown = str(quote.result["digits"])
        typed = shown if right else f"{(int(shown) - 10 + 1) % 90 + 10}"
        intent = str(quote.result["intent"])
        outcome = self.do("numbers.reserve", number, intent=intent, digits=typed)
        if not right:
            assert outcome == Refused("WRONG_DIGITS", {"tries_left": 2})
            return
        assert isinstance(outcome, Done)
        self.balances[by] -= FEE
        self.holder = (by, self.now + datetime.timedelta(hours=72))
        again = self.do("numbers.reserve", number, intent=intent, digits=typed)
        assert isinstance(again, Done)
        assert "code" not in again.result

    @rule(by=st.integers(0, 2))
    def give_back(self, by: int) -> None:
        outcome = self.do("numbers.cancel", self.prepaid[by], number=self.free, last_digits=self.free[-4:])
        holds = self.holder is not None and self.holder[0] == by and self.holder[1] > self.now
        assert outcome == (Done({}) if holds else Refused("NOT_RESERVED", {}))
        if holds:
            self.holder = None

    @rule()
    def three_days_pass(self) -> None:
        self.now += datetime.timedelta(hours=72)

    # --- who manages whose number ---

    @rule(a=st.integers(0, 2), step=st.integers(1, 2))
    def take_over(self, a: int, step: int) -> None:
        b = (a + step) % 3
        manager, managed = self.prepaid[a], self.prepaid[b]
        asked = self.do("delegation.request", manager, number=managed)
        if self.manages.get((a, b)):
            assert asked == Refused("IS_SO", {})
            return
        if isinstance(asked, Refused):
            assert asked.code == "TOO_MANY"  # codes to one number lately
            return
        code = Loop.run(self.core.sent(managed, "delegation.asked", "code"))
        assert self.do("delegation.confirm", managed, code=code) == Done({})
        code = Loop.run(self.core.sent(managed, "delegation.activation", "code"))
        assert self.do("delegation.activate", manager, number=managed, code=code) == Done({"number": managed})
        self.manages[a, b] = True

    @rule(a=st.integers(0, 2), step=st.integers(1, 2), by_holder=st.booleans())
    def revoke(self, a: int, step: int, by_holder: bool) -> None:
        b = (a + step) % 3
        who, other = (b, a) if by_holder else (a, b)
        is_so = self.manages.pop((a, b), False)
        is_so = self.manages.pop((b, a), False) or is_so  # it ends both ways
        outcome = self.do("delegation.end", self.prepaid[who], number=self.prepaid[other])
        assert outcome == (Done({}) if is_so else Refused("NOT_SO", {}))

    @rule(a=st.integers(0, 2), step=st.integers(1, 2))
    def act_for(self, a: int, step: int) -> None:
        b = (a + step) % 3
        self.core.now = self.now

        outcome = Loop.run(self.core.do("extra_balance.set_auto", self.prepaid[b], by=self.prepaid[a], auto=False))
        assert outcome == (Done({"auto": False}) if self.manages.get((a, b)) else Refused("NOT_MANAGED", {}))

    # --- what always holds ---

    @invariant()
    def the_core_and_the_model_have_the_same_money(self) -> None:
        numbers = [wallet.number for wallet in self.wallets] + self.prepaid
        rows = Loop.run(self.core.pool.fetch(_MONEY, numbers))
        expected = {wallet.number: wallet.minor for wallet in self.wallets}
        expected |= dict(zip(self.prepaid, self.balances, strict=True))
        assert {row["msisdn"]: row["balance_minor"] for row in rows} == expected
        assert all(row["follows"] for row in rows)

    @invariant()
    def nothing_was_made_or_lost(self) -> None:
        assert Loop.run(self.core.pool.fetchval("SELECT sum(balance_minor) FROM accounts")) == 0

    def teardown(self) -> None:
        """Whoever was told that it is being checked has got an SMS; the payments that hang are still reserved."""
        sent = sum(len(Loop.run(self.core.notices(wallet.number, "wallet.not_paid"))) for wallet in self.wallets)
        assert sent == self.told_not_paid


_CHECKING, _PAID = object(), object()


def same(outcome: Done | Refused, expected: Any) -> None:
    """Compares what the core says with what the model does, where that says only which way it ends."""
    if expected is _CHECKING or expected is _PAID:
        assert isinstance(outcome, Done), outcome
        assert outcome.result["state"] == ("checking" if expected is _CHECKING else "paid")
    elif isinstance(expected, str):
        assert outcome_code(outcome) == expected
    else:
        assert outcome == expected


def outcome_code(outcome: Done | Refused) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.code


def missing(minor: int, currency: str) -> Refused:
    return Refused("NOT_ENOUGH_MONEY", {"missing": {"minor": minor, "currency": currency}})


class Died(Exception):
    """The process is gone."""


class _DeadBiller:
    async def pay(self, *_: object) -> None:
        raise Died


class _dead_biller:
    """Within it, a core dies where it would ask the biller."""

    def __init__(self, core: Core) -> None:
        self._tools = core.tools

    def __enter__(self) -> None:
        self._biller = self._tools.billers
        object.__setattr__(self._tools, "billers", _DeadBiller())

    def __exit__(self, *_: object) -> None:
        object.__setattr__(self._tools, "billers", self._biller)


async def _swept(core: Core) -> None:
    await core.sweeper.sweep()


_SUBSCRIBER = """
INSERT INTO subscribers (msisdn, network, brand, status, held_since)
VALUES ($1, $2, 'x', 'active', '2020-01-01') RETURNING subscriber_id
"""
_ACCOUNT = "INSERT INTO accounts (subscriber_id, kind, currency) VALUES ($1, $2, $3) RETURNING account_id"
_WALLET = """
INSERT INTO wallets (subscriber_id, account_id, first_name, last_name, inn, pin_hash) VALUES ($1, $2, 'A', 'B', $3, $4)
"""
_OPENING = """
SELECT post($1, 'opening', $2, ARRAY[$3, (SELECT account_id FROM accounts WHERE kind = 'opening' AND currency = $2)],
            ARRAY[$4::bigint, -$4::bigint])
"""
_NUMBER = """
INSERT INTO numbers (msisdn, network, brand, prefix, category) VALUES ($1, 'kcell', 'Kcell', '702', 'plain')
"""
_MONEY = """
SELECT s.msisdn, a.balance_minor, a.balance_minor = e.after_minor AND a.version = e.version AS follows
FROM subscribers s JOIN accounts a USING (subscriber_id)
CROSS JOIN LATERAL (SELECT * FROM entries e WHERE e.account_id = a.account_id ORDER BY version DESC LIMIT 1) AS e
WHERE s.msisdn = ANY ($1)
"""


@pytest.fixture(scope="module")
def loop(postgres_url: str, serving_url: str) -> Iterator[None]:
    """One loop, with one core on a database of its own."""
    with asyncio.Runner() as runner:
        Loop.runner = runner
        runner.run(_prepared(postgres_url))
        running = running_core(serving_url, late_seconds=20.0, memory_kib=8, passes=1)
        Loop.core = runner.run(running.__aenter__())
        Loop.owner = runner.run(cast("Coroutine[Any, Any, asyncpg.Connection]", _connected(postgres_url)))
        yield
        runner.run(Loop.owner.close())
        runner.run(running.__aexit__(None, None, None))


async def _connected(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url)


async def _prepared(url: str) -> None:
    connection = await asyncpg.connect(url)
    await migrate(connection, read_migrations())
    await grant(connection, places.SERVING_USER)
    hasher = Hasher(PEPPER, memory_kib=8, passes=1)
    await seed(connection, Codes(PEPPER), hasher, 10, free_numbers=10)
    hasher.close()
    await connection.close()


def test_money_is_what_a_plain_model_says(loop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payments, "BILLER_SECONDS_MAX", 0.002)
    monkeypatch.setattr(payments, "WAIT_SECONDS_MAX", 0.0)
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
