"""A small exact model of what costs money: wallets, accounts, what was quoted, what was moved.

Rules of this file (the billing core's, see `billing_core.intents` and `billing_core.domains.payments`):
- What was quoted is done once, whoever confirms it how often; what is final stays so.
- Nobody is told that something was not done before it can never be done any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from billing.calls import Call, Done, Refused

from .loop import Chance
from .trace import Trace

QUOTE_SECONDS = 180.0
FENCE_SECONDS = 15.0
SWEEP_SECONDS = 2.0
WRONG_MAX = 3
RESERVATION_FEE = 50_000
_KINDS = {"wallet.quote_transfer": "transfer", "wallet.quote_mobile": "mobile", "wallet.quote_payment": "payment"}

Answer: TypeAlias = Done | Refused
Tell: TypeAlias = Callable[[str, str, Mapping[str, Any]], None]
"""Writes a notice: to whom, of what, with which facts."""


class Entry(NamedTuple):
    """Money that was taken from somebody, for good or to be held."""

    intent: str
    msisdn: str
    minor: int
    what: str
    """The sum in whole units, or the number that was reserved: what the subscriber knows it by."""


@dataclass(slots=True)
class Intent:
    """What was quoted."""

    id: str
    kind: str
    msisdn: str
    what: str
    minor: int
    terms: Mapping[str, Any]
    expires_at: float
    digits: str = ""
    state: str = "quoted"
    outcome: Answer | None = None
    wrong: int = 0
    promised: bool = False
    """Somebody was told that the outcome comes by SMS."""


@dataclass(slots=True)
class Purse:
    """The money of one number, in its wallet or on its account."""

    pin: str
    minor: int
    wrong: int = 0


@dataclass(slots=True)
class Money:
    """All money of a run."""

    loop: asyncio.AbstractEventLoop
    chance: Chance
    trace: Trace
    tell: Tell
    purses: dict[str, Purse] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    ledger: list[Entry] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    """Reserved number → by whom."""

    # --- quotes ---

    def state(self, call: Call) -> Answer:
        """`wallet.state`."""
        waiting = next(
            (each for each in self.intents.values() if each.msisdn == call.msisdn and each.state == "reserved"), None
        )
        if waiting is None:
            return Done({"registered": True, "open": False})
        return Done({"registered": True, "open": True, "name": "DosTek", "sum": _som(waiting.minor)})

    def quote(self, call: Call) -> Answer:
        """What a payment would cost: `wallet.quote_…`."""
        kind, arguments = _KINDS[call.operation], call.arguments
        minor = int(str(arguments["sum"])) * 100
        if any(each.msisdn == call.msisdn and each.state == "reserved" for each in self.intents.values()):
            return Refused("OPEN_PAYMENT", {})
        if self.purses[call.msisdn].wrong >= WRONG_MAX:
            return Refused("LOCKED", {})
        if minor > self.purses[call.msisdn].minor:
            return Refused("NOT_ENOUGH_MONEY", {})
        self._note(Intent(call.id, kind, call.msisdn, str(arguments["sum"]), minor, arguments, self._ends()))
        named = {} if kind == "mobile" else {"name": "Айгуль А."}
        return Done({"intent": call.id, "sum": _som(minor), "fee": _som(0), "repeats": False, **named})

    def quote_number(self, call: Call) -> Answer:
        """`numbers.quote`."""
        number = str(call.arguments["number"])
        if number in self.held:
            return Refused("TAKEN", {})
        if self.purses[call.msisdn].minor < RESERVATION_FEE:
            return Refused("NOT_ENOUGH_MONEY", {})
        digits = str(self.chance.whole(10, 99))
        intent = Intent(call.id, "number", call.msisdn, number, RESERVATION_FEE, call.arguments, self._ends(), digits)
        self._note(intent)
        return Done(
            {
                "intent": call.id, "digits": digits, "fee": _tenge(RESERVATION_FEE), "price": _tenge(100),
                "advance": _tenge(100), "category": "plain", "tariff": "Start", "city": "Almaty",
                "valid_until": "2027-01-18T20:00:00Z", "closed_till_then": False,
            }
        )  # fmt: skip

    def _note(self, intent: Intent) -> None:
        self.intents[intent.id] = intent
        self.loop.call_at(intent.expires_at, self._fence, intent)

    def _ends(self) -> float:
        return self.loop.time() + QUOTE_SECONDS

    def _fence(self, intent: Intent) -> None:
        """A quote that is too old is never done any more; who waits for its outcome is told so."""
        if intent.state == "quoted" and intent.expires_at <= self.loop.time():
            self._settle(intent, "expired", Refused("EXPIRED", {}))

    # --- confirming ---

    def _open(self, call: Call) -> Intent | Answer:
        """The intent that a call confirms, or the answer that it has already."""
        intent = self.intents.get(str(call.arguments["intent"]))
        if intent is None or intent.msisdn != call.msisdn:
            return Refused("NO_SUCH_QUOTE", {})
        self._fence(intent)
        if intent.state == "reserved":
            return _checking(intent)
        return intent if intent.outcome is None else intent.outcome

    def confirm(self, call: Call) -> Answer:
        """`wallet.confirm`."""
        intent = self._open(call)
        if not isinstance(intent, Intent):
            return intent
        purse = self.purses[call.msisdn]
        if purse.wrong >= WRONG_MAX:
            return Refused("LOCKED", {})
        if call.arguments["pin"] != purse.pin:
            purse.wrong += 1
            left = WRONG_MAX - purse.wrong
            return Refused("WRONG_PIN", {"tries_left": left}) if left else Refused("LOCKED", {})
        purse.wrong = 0
        if intent.minor > purse.minor:
            return self._settle(intent, "refused", Refused("NOT_ENOUGH_MONEY", {}))
        if intent.kind != "payment":
            self._take(intent)
            return self._paid(intent)
        self._take(intent)
        intent.state = "reserved"
        if self.chance.hits(0.5):  # the biller answers at once
            return self._biller_says(intent)
        intent.promised = True
        self.loop.call_later(self.chance.between(0.5, 20.0), self._biller_says, intent)
        return _checking(intent)

    def reserve(self, call: Call) -> Answer:
        """`numbers.reserve`."""
        intent = self._open(call)
        if not isinstance(intent, Intent):
            return intent
        if call.arguments["digits"] != intent.digits:
            intent.wrong += 1
            if intent.wrong >= WRONG_MAX:
                self._settle(intent, "refused", Refused("EXPIRED", {}))
            return Refused("WRONG_DIGITS", {"tries_left": WRONG_MAX - intent.wrong})
        if intent.what in self.held:
            return self._settle(intent, "refused", Refused("TAKEN", {}))
        if self.purses[call.msisdn].minor < intent.minor:
            return self._settle(intent, "refused", Refused("NOT_ENOUGH_MONEY", {}))
        self._take(intent)
        self.held[intent.what] = call.msisdn
        code = self.chance.digits(8)
        told: dict[str, Any] = {"number": intent.what, "valid_until": "2027-01-18T20:00:00Z", "city": "Almaty"}
        self.tell(call.msisdn, "numbers.reserved", {**told, "code": code})
        return self._settle(intent, "done", Done({**told, "code": code}))

    def outcome(self, call: Call, known: Answer | None) -> Answer:
        """`wallet.outcome`; `known`: how the call that is asked about was answered."""
        refused = Done({"outcome": "refused", "refusal": known.code}) if isinstance(known, Refused) else None
        intent = self.intents.get(str(call.arguments["intent"]))
        if intent is None or intent.msisdn != call.msisdn:
            return refused or Done({"outcome": "refused", "refusal": "NO_SUCH_QUOTE"})
        if refused is not None and not call.arguments.get("told"):
            return refused
        if intent.state in ("quoted", "reserved"):
            intent.promised = True
            intent.expires_at = min(intent.expires_at, self.loop.time() + FENCE_SECONDS)
            self.loop.call_at(intent.expires_at + SWEEP_SECONDS, self._fence, intent)
            return refused or Done({"outcome": "pending"})
        if call.arguments.get("told") and isinstance(intent.outcome, Refused) and not intent.promised:
            intent.promised = True
            self.tell(intent.msisdn, "wallet.not_paid", {"name": "DosTek", "sum": _som(intent.minor)})
        if refused is not None:
            return refused
        if isinstance(intent.outcome, Done):
            return Done({"outcome": "done", **intent.outcome.result})
        return Done({"outcome": "refused", "refusal": intent.outcome.code if intent.outcome else "EXPIRED"})

    # --- moving ---

    def _take(self, intent: Intent) -> None:
        self.purses[intent.msisdn].minor -= intent.minor
        self.ledger.append(Entry(intent.id, intent.msisdn, intent.minor, intent.what))
        self.trace.note("core", f"takes {intent.minor} of …{intent.msisdn[-4:]} for {intent.kind} {intent.what}")

    def _biller_says(self, intent: Intent) -> Answer:
        if self.chance.hits(0.8):
            return self._paid(intent)
        self.purses[intent.msisdn].minor += intent.minor
        self.ledger = [each for each in self.ledger if each.intent != intent.id]
        self.trace.note("core", f"gives {intent.minor} back to …{intent.msisdn[-4:]}: {intent.what}")
        return self._settle(intent, "voided", Refused("NOT_ACCEPTED", {}))

    def _paid(self, intent: Intent) -> Answer:
        sums = {"sum": _som(intent.minor), "fee": _som(0), "balance": _som(self.purses[intent.msisdn].minor)}
        told: dict[str, Any] = {"code": str(1_000_000_000 + len(self.ledger)), **sums}
        if intent.kind == "payment":
            self.tell(intent.msisdn, "wallet.paid", {**told, "name": "DosTek", "account": intent.terms["account"]})
        else:
            self.tell(intent.msisdn, "wallet.sent", {**told, "to": intent.terms["to"]})
        return self._settle(intent, "done", Done({"state": "paid", **told}))

    def _settle(self, intent: Intent, state: str, outcome: Answer) -> Answer:
        intent.state, intent.outcome = state, outcome
        self.trace.note("core", f"{intent.kind} {intent.what} of …{intent.msisdn[-4:]} is {state}")
        if isinstance(outcome, Refused) and intent.promised:
            self.tell(intent.msisdn, "wallet.not_paid", {"name": "DosTek", "sum": _som(intent.minor)})
        return outcome


def _checking(intent: Intent) -> Done:
    return Done({"state": "checking", "sum": _som(intent.minor), "fee": _som(0)})


def _som(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "KGS"}


def _tenge(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "KZT"}
