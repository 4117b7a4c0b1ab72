"""An SMS to a short number: accepted when the core has committed, answered once, kept by the SMSC otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from billing.calls import Call, Done, NotMade, Outcome, Refused, Unknown
from sessions.store import Store, StoreAway
from tests.menus_for_tests import Notes, catalog_in, versions_of
from ussd_engine.config import read_settings
from ussd_engine.greeting import Greetings
from ussd_engine.language.menu import Service
from ussd_engine.sms_turn import Incoming, SmsTurns, Verdict
from ussd_engine.turn import Ports, Turns

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = read_settings(ROOT / "config.yaml")
LINK = SETTINGS.links["kcell-ussdc"]
CATALOG = catalog_in(ROOT / "menus")
HELLO = Done({"network": "kcell", "brand": "Kcell", "status": "active", "language": "ru"})
BALANCE = Done({"balance": {"minor": 100, "currency": "KZT"}, "bonuses": {"minor": 0, "currency": "KZT"}})
NOTED = Done({"inbox_id": "inbox-1", "repeated": False})


class Billing:
    """Answers by operation; a list is answered in turn."""

    def __init__(self, **answers: Outcome | list[Outcome]) -> None:
        named = {name.replace("__", "."): answer for name, answer in answers.items()}
        self.answers = {"subscribers.hello": HELLO, "inbox.accept": NOTED, **named}
        self.asked: list[Call] = []

    async def perform(self, call: Call, seconds_max: float) -> Outcome:
        self.asked.append(call)
        answer = self.answers[call.operation]
        return answer.pop(0) if isinstance(answer, list) else answer

    def calls(self, operation: str) -> list[Call]:
        return [call for call in self.asked if call.operation == operation]


class Firsts:
    """What processes share of a store: who was the first to name something."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.is_away = False

    async def is_first(self, name: str, seconds: float) -> bool:
        if self.is_away:
            raise StoreAway("away")
        is_first = name not in self.names
        self.names.add(name)
        return is_first


def sms_turns(billing: Billing, firsts: Firsts | None = None) -> SmsTurns:
    ids = iter(f"id-{n}" for n in range(1000))
    now = asyncio.get_running_loop().time
    greetings = Greetings(billing, now, ids.__next__, 0.5, 60, 100)
    versions = versions_of(CATALOG)
    store = cast(Store, firsts or Firsts())
    ports = Ports(versions, store, billing, greetings, Notes(), now, lambda: 0.0, ids.__next__, 180)
    return SmsTurns(ports, Turns(ports))


async def take(turns: SmsTurns, text: str) -> Verdict:
    service = cast(Service, CATALOG.takes_sms("kcell", "111"))
    until = asyncio.get_running_loop().time() + 5
    return await turns.take(service, Incoming("77010000007", LINK, "111", text, until))


async def test_a_reading_word_is_answered_by_sms() -> None:
    verdict = await take(sms_turns(Billing(balances__get=BALANCE)), "BAL")
    assert verdict.accepted
    assert verdict.answer is not None
    assert verdict.answer.text == "Баланс: 1 тг. Бонусы: 0 тг"


async def test_a_repeat_has_the_same_calls_and_one_answer() -> None:
    billing = Billing(balances__get=BALANCE)
    turns = sms_turns(billing)
    first, again = await take(turns, "BAL"), await take(turns, "BAL")
    assert first.answer is not None
    assert again == Verdict(True, None, "inbox-1")
    assert len({call.id for call in billing.calls("balances.get")}) == 1


async def test_what_two_processes_are_given_is_answered_by_one() -> None:
    firsts = Firsts()
    one, two = (sms_turns(Billing(balances__get=BALANCE), firsts) for _ in range(2))
    verdicts = await asyncio.gather(take(one, "BAL"), take(two, "BAL"))
    assert [verdict.accepted for verdict in verdicts] == [True, True]
    assert sum(verdict.answer is not None for verdict in verdicts) == 1


async def test_while_the_store_is_away_an_sms_is_answered_and_its_repeat_here_is_not() -> None:
    firsts = Firsts()
    firsts.is_away = True
    turns = sms_turns(Billing(balances__get=BALANCE), firsts)
    first, again = await take(turns, "BAL"), await take(turns, "BAL")
    assert first.answer is not None
    assert again == Verdict(True, None, "inbox-1")


async def test_that_a_service_is_switched_off_is_said_once() -> None:
    turns = sms_turns(Billing())
    turns._turns.switch_off(frozenset({"sms_111"}))
    first, again = await take(turns, "BAL"), await take(turns, "BAL")
    assert first.answer is not None
    assert again == Verdict(True, None, "inbox-1")


async def test_a_change_is_asked_by_sms_and_answered_by_its_notice() -> None:
    billing = Billing(subscribers__set_language=Done({"language": "en"}))
    assert await take(sms_turns(billing), "LANG EN") == Verdict(True, None, "inbox-1")
    assert billing.calls("subscribers.set_language")[0].by_sms


@pytest.mark.parametrize("outcome", [Unknown("late"), NotMade("away")])
async def test_a_change_that_is_not_known_to_be_done_stays_with_the_smsc(outcome: Outcome) -> None:
    verdict = await take(sms_turns(Billing(subscribers__set_language=outcome)), "LANG EN")
    assert not verdict.accepted


@pytest.mark.parametrize("outcome", [Unknown("late"), NotMade("away")])
async def test_a_message_that_the_core_has_not_noted_stays_with_the_smsc(outcome: Outcome) -> None:
    billing = Billing(inbox__accept=outcome)
    assert not (await take(sms_turns(billing), "BAL")).accepted
    assert not billing.calls("balances.get")


async def test_who_sends_too_many_gets_no_answer() -> None:
    billing = Billing(inbox__accept=Refused("TOO_MANY", {}))
    assert await take(sms_turns(billing), "BAL") == Verdict(True, None)
    assert not billing.calls("balances.get")


async def test_a_number_that_is_nobodys_gets_no_answer() -> None:
    billing = Billing(subscribers__hello=Refused("UNKNOWN_NUMBER", {}))
    assert await take(sms_turns(billing), "BAL") == Verdict(True, None)


async def test_the_text_of_an_sms_is_not_handed_to_the_core() -> None:
    billing = Billing()
    await take(sms_turns(billing), "my secret is 1234")
    assert "1234" not in str(billing.calls("inbox.accept")[0].arguments)


async def test_a_refused_change_is_answered_from_here() -> None:
    billing = Billing(subscribers__set_language=Refused("BLOCKED", {}))
    verdict = await take(sms_turns(billing), "LANG EN")
    assert verdict.answer is not None
    assert "заблокирован" in verdict.answer.text
