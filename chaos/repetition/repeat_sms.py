"""An SMS, or a receipt of one, comes twice: it has one effect, one answer, and counts as one try."""

from __future__ import annotations

import asyncio
import random
import re

from chaos.repetition.repeat_plays import (
    CALLS,
    QUIET_SECONDS,
    SCREEN_SECONDS_MAX,
    SETTLE_SECONDS,
    SLOW_SECONDS,
    Handset,
    Scene,
)
from chaos.repetition.repeated import Case, Moment, Place, Sent
from smpp import constants as c
from smpp.pdu import DeliverSm, Tlv
from smpp.receipt import ESM_CLASS_RECEIPT, MessageState

_WRONG = "SELECT wrong_in_row FROM code_senders JOIN subscribers USING (subscriber_id) WHERE msisdn = $1"
_FORGIVE = "DELETE FROM code_senders WHERE subscriber_id = (SELECT subscriber_id FROM subscribers WHERE msisdn = $1)"
_ANSWERS = {
    Sent.LANGUAGE: re.compile("From now on we answer you in English"),
    Sent.BALANCE: re.compile(r"\A(Баланс|Balance): "),
    Sent.CODE: re.compile("Код қате|Код неверен|Wrong code"),
}
"""By what each is told from the SMS that the number's last case has left."""


async def play_sms(scene: Scene, case: Case, what: Sent, handset: Handset) -> None:
    """An SMS is taken once and answered once, and counts once; a receipt is counted once."""
    if what is Sent.RECEIPT:
        await _play_receipt(scene, case, handset)
        return
    centre, number, chance = handset.centre, handset.number, scene.chance
    short_number, text = _sms(what, chance, case.number)
    await scene.database.execute(_FORGIVE, number)
    calls = await scene.count(CALLS, number, "subscribers.set_language")
    first = handset.home.number(centre.sms(number, short_number, text))
    again = first if case.place is Place.LINK else handset.elsewhere.number(first.pdu)
    if case.moment is Moment.WORKING:
        scene.core.waits[number] = chance.uniform(*SLOW_SECONDS)
    if case.moment is Moment.AT_ONCE and again.line is handset.home:
        handset.home.say(first, again)
    else:
        handset.home.say(first)
        if case.moment is Moment.ACCEPTED:
            await asyncio.wait_for(first.answer, SCREEN_SECONDS_MAX)
            await asyncio.sleep(SETTLE_SECONDS)
        elif case.moment is Moment.WORKING:
            await asyncio.sleep(scene.core.waits[number] * chance.uniform(0.1, 0.9))
        again.line.say(again)
    answers = await asyncio.wait_for(asyncio.gather(first.answer, again.answer), SCREEN_SECONDS_MAX)
    handset.check(not any(answer.command_status for answer in answers), f"not accepted: {answers}")
    await centre.until(
        number, lambda: any(_ANSWERS[what].search(each.text) for each in centre.texts[number]), SCREEN_SECONDS_MAX
    )
    await asyncio.sleep(2 * QUIET_SECONDS)
    texts = [each.text for each in centre.texts[number] if _ANSWERS[what].search(each.text)]
    handset.check(len(texts) == 1, f"{len(texts)} SMS answer {text!r}: {texts}")
    if what is Sent.LANGUAGE:
        called = await scene.count(CALLS, number, "subscribers.set_language") - calls
        handset.check(called == 1, f"subscribers.set_language was called {called} times")
    if what is Sent.CODE:
        wrong = await scene.count(_WRONG, number)
        handset.check(wrong == 1, f"a wrong code counts {wrong} times")


def _sms(what: Sent, chance: random.Random, case: int) -> tuple[str, str]:
    """Where to, and what: no two cases write the same, which would be one SMS for ten seconds."""
    if what is Sent.CODE:
        return "4259", f"{chance.randrange(10**8):08}"
    word = "LANG EN" if what is Sent.LANGUAGE else "BAL"
    spelt = "".join(letter.lower() if case >> n & 1 else letter for n, letter in enumerate(word[:3]))
    return "111", f"{' ' * (case >> 3 & 15)}{spelt}{word[3:]}{' ' * (case >> 7 & 15)}"


async def _play_receipt(scene: Scene, case: Case, handset: Handset) -> None:
    centre, number = handset.centre, handset.number
    _, text = _sms(Sent.BALANCE, scene.chance, case.number)
    handset.home.say(handset.home.number(centre.sms(number, "111", text)))
    asked = _ANSWERS[Sent.BALANCE]
    came = await centre.until(
        number, lambda: any(asked.search(each.text) for each in centre.texts[number]), SCREEN_SECONDS_MAX
    )
    assert came, f"{text!r} was not answered"
    sms = next(each for each in centre.texts[number] if asked.search(each.text))
    first = sms.line.number(_receipt(sms.message_id, number))
    others = [
        line for lines in centre.lines.values() for line in lines
        if line is not sms.line and (line.engine == sms.line.engine) == (case.place is Place.BIND)
    ]  # fmt: skip
    again = first if case.place is Place.LINK else scene.chance.choice(others).number(first.pdu)
    if case.moment is Moment.AT_ONCE and again.line is sms.line:
        sms.line.say(first, again)
    else:
        sms.line.say(first)
        if case.moment is Moment.ACCEPTED:
            await asyncio.wait_for(first.answer, SCREEN_SECONDS_MAX)
        again.line.say(again)
    answers = await asyncio.wait_for(asyncio.gather(first.answer, again.answer), SCREEN_SECONDS_MAX)
    handset.check(not any(answer.command_status for answer in answers), f"not accepted: {answers}")
    scene.receipts += 1


def _receipt(message_id: str, number: str) -> DeliverSm:
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2611250000 done date:2611250000 stat:DELIVRD err:000 text:"
    return DeliverSm(
        source_addr_ton=1, source_addr_npi=1, source_addr=number, destination_addr="111", esm_class=ESM_CLASS_RECEIPT,
        short_message=text.encode(),
        tlvs=(
            Tlv(c.TAG_RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0"),
            Tlv(c.TAG_MESSAGE_STATE, bytes((MessageState.DELIVERED,))),
        ),
    )  # fmt: skip
